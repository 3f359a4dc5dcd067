//! `proc info`: everything about a process.

use proc_core::report::ErrorReport;

use super::Targets;
use crate::answer::{Answer, Telling};
use crate::core_api::{Core, Learn, LookOptions};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc info 1234               everything about process 1234
  proc info node               about every process called node
  proc info :3000              about the holder of port 3000
  proc info --json unit:nginx")]
pub struct Args {
    #[command(flatten)]
    targets: Targets,
    /// Print PIDs alone, one a line
    #[arg(long, conflicts_with_all = ["json", "jsonl", "quiet"])]
    pids: bool,
}

/// Looks.
///
/// # Errors
/// As [`Core::info`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    let options = LookOptions {
        learn: Learn::Everything,
        show_secrets: globals.show_secrets,
        ..LookOptions::default()
    };
    let looked = core.info(&args.targets.targets, options)?;
    let telling = if args.pids { Telling::Pids } else { Telling::Info };
    Ok(Answer::looked("info", telling, looked))
}
