//! `proc why`: why a bind fails, with all the evidence.

use proc_core::report::ErrorReport;

use super::{Answer, LookArgs, Targets, Telling};
use crate::core_api::{Core, LookOptions};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc why :3000                   every cause, what proves it, what can be done
  proc why 127.0.0.1:5432          one address
  proc why :3000 --all-namespaces  containers included")]
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
    let looked = core.look(
        &args.targets.targets,
        LookOptions { ancestors: true, ..args.look.options(globals) },
    )?;
    let telling = if args.look.pids { Telling::Pids } else { Telling::Why };
    Ok(Answer::looked("why", telling, looked))
}
