//! `proc unstick`: tries the soft things with a process that does not move, and says what it waits for.

use proc_core::report::ErrorReport;

use super::act::{DeedArgs, Manner};
use crate::core_api::{ActRequest, Verb};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "proc unstick [OPTIONS] <TARGET>...",
    after_help = "\
Examples:
  proc unstick :3000      continue it where it is stopped, else say what holds it
  proc unstick pid:1234   of a zombie: remind its parent

Nothing is ended by this; for that: proc stop."
)]
pub struct Args {
    #[command(flatten)]
    act: DeedArgs,
}

impl Args {
    /// How the person is to be dealt with.
    pub fn manner(&self) -> Manner {
        self.act.manner()
    }

    /// What is asked for.
    ///
    /// # Errors
    /// As [`DeedArgs::request`].
    pub fn request(&self, globals: &Globals) -> Result<ActRequest, ErrorReport> {
        self.act.request(Verb::Unstick, globals)
    }
}
