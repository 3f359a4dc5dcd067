//! `proc config`: what is set, and where that comes from.

use proc_core::report::ErrorReport;

use crate::answer::Answer;
use crate::config::{Settings, example};

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc config                 every setting, its value, and where that comes from
  proc config --path          the file's place, whether it is there or not
  proc config --default       a file with every setting, to begin with")]
pub struct Args {
    /// Print where the file is, or would be
    #[arg(long, conflicts_with = "default")]
    path: bool,
    /// Print a file with every setting, commented out
    #[arg(long)]
    default: bool,
}

/// Tells what is set.
///
/// # Errors
/// A file or variable that is wrong, or no place for a file.
pub fn run(args: &Args, settings: &Settings) -> Result<Answer, ErrorReport> {
    if args.default {
        return Ok(Answer::Text(example()));
    }
    if args.path {
        return match &settings.file {
            Some(file) => Ok(Answer::Text(format!("{}\n", file.display()))),
            None => Err(ErrorReport {
                kind: "failed".to_owned(),
                explain: "there is no file: PROC_CONFIG is empty, or HOME is not set".to_owned(),
                word: None,
                suggestion: None,
            }),
        };
    }
    match &settings.problem {
        Some(problem) => Err(problem.clone()),
        None => Ok(Answer::Configured(settings.report())),
    }
}
