//! `proc on`: what holds a port, or what a process holds.

use proc_core::report::ErrorReport;

use super::{LookArgs, Targets};
use crate::answer::{Answer, Telling};
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc on :3000               what holds port 3000, TCP or UDP
  proc on udp:53 :http        two targets, two answers
  proc on node                what the processes named node hold
  kill $(proc on --pids :3000)")]
pub struct Args {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    look: LookArgs,
}

/// Looks.
///
/// # Errors
/// As [`Core::look`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    let looked = core.look(&args.targets.targets, args.look.options(globals))?;
    let telling = if args.look.pids { Telling::Pids } else { Telling::On };
    Ok(Answer::looked("on", telling, looked))
}
