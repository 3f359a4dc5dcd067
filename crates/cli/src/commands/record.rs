//! `proc record`: writes down what is seen, for `--replay` and for bug reports.

use std::path::{Path, PathBuf};

use proc_core::report::ErrorReport;

use super::target_word;
use crate::answer::Answer;
use crate::core_api::Core;
use crate::output::reason;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc record :3000 -o port.json       what there is to see about port 3000
  proc why :3000 --replay port.json    the same answer, on any machine
  proc record > machine.json           everything")]
pub struct Args {
    /// What to look at; everything where nothing is named
    #[arg(value_name = "TARGET", value_parser = target_word)]
    targets: Vec<String>,
    /// The file to write instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Records.
///
/// # Errors
/// As [`write()`].
pub fn run(args: &Args, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    write(&args.targets, args.output.as_deref(), core)
}

/// Records these targets, or everything, to that file or as the answer.
///
/// # Errors
/// As [`Core::record`], and a file that cannot be written.
pub fn write(
    targets: &[String],
    output: Option<&Path>,
    core: &mut dyn Core,
) -> Result<Answer, ErrorReport> {
    let text = core.record(targets)?;
    let Some(path) = output else { return Ok(Answer::Text(text)) };
    std::fs::write(path, text).map_err(|error| ErrorReport {
        kind: "failed".to_owned(),
        explain: format!("cannot write {}: {}", path.display(), reason(&error)),
        word: None,
        suggestion: None,
    })?;
    Ok(Answer::Text(String::new()))
}
