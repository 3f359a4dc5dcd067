//! `proc stuck`: the processes that get nowhere, and by what evidence.

use proc_core::processes::ProcessesWish;
use proc_core::report::ErrorReport;
use proc_core::stuck::USUAL_WINDOW;

use super::filters::ListArgs;
use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Looks twice, 300 ms apart (--window), for processes that are stopped, deaf to signals (state D), frozen,
held by a debugger, ended and not collected, computing without a pause, or that leave connections
unaccepted. One that waits for a lock, a timer or a client is not stuck.

Examples:
  proc stuck                   what gets nowhere
  proc stuck --window 5s       what got nowhere for five seconds
  proc stuck --by node --min-uptime 5m")]
pub struct Args {
    #[command(flatten)]
    list: ListArgs,
}

/// Lists.
///
/// # Errors
/// As [`ListArgs::answer`] and [`Core::stuck`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    let mut list = args.list.clone();
    // It is for how long is looked, and not only for use of the processor.
    let window = list.filters.window.take().unwrap_or(USUAL_WINDOW);
    list.answer("stuck", &[], globals, |wish| core.stuck(&ProcessesWish { window, ..wish }))
}
