//! `proc list`: the processes of this machine, or those of these names.

use proc_core::report::ErrorReport;

use super::filters::ListArgs;
use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc list                          every process, with its ports and directory
  proc list node python              those called node or python
  proc list --in . --sort mem        those that run here, the largest first
  proc list --cmd server.js          those with that in the command line
  proc list --min-cpu 50 --limit 10  those that use half a processor or more")]
pub struct Args {
    /// Only processes of these names: whole, ignoring case
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    list: ListArgs,
}

/// Lists.
///
/// # Errors
/// As [`ListArgs::answer`] and [`Core::processes`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    args.list.answer("list", &args.names, globals, |wish| Ok(core.processes("list", &wish)))
}
