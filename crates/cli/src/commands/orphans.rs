//! `proc orphans`: the processes that outlived whoever started them.

use proc_core::report::ErrorReport;

use super::filters::ListArgs;
use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc orphans                 what closed terminals and killed wrappers left behind
  proc orphans --in .          of that, what runs here
  proc orphans --all           daemons too: all that have nobody above them
  kill $(proc orphans --pids --by node)")]
pub struct Args {
    /// Daemons too, which have nobody above them by design
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    list: ListArgs,
}

/// Lists.
///
/// # Errors
/// As [`ListArgs::answer`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    args.list.answer("orphans", &[], globals, |wish| Ok(core.orphans(&wish, args.all)))
}
