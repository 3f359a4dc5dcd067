//! `proc by`: the processes of one name.

use proc_core::report::ErrorReport;

use super::filters::{ListArgs, name};
use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc by node                 the processes called node
  proc by node --in .          those that run in this directory
  proc by server.js --cmd      those with that in the command line
  kill $(proc by --pids node --min-uptime 2h)")]
pub struct Args {
    /// The name: whole, ignoring case; with --cmd any part of the command line
    #[arg(value_name = "NAME", required = true, value_parser = name)]
    names: Vec<String>,
    #[command(flatten)]
    list: ListArgs,
}

/// Lists.
///
/// # Errors
/// As [`ListArgs::answer`] and [`Core::processes`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    args.list.answer("by", &args.names, globals, |wish| Ok(core.processes("by", &wish)))
}
