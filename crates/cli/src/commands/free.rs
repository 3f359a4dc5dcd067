//! `proc free`: gives a port back, or ends processes so that they stay ended, by the softest means that works.

use std::time::Duration;

use proc_core::report::ErrorReport;

use super::act::{ActArgs, GRACE, Manner, duration};
use crate::core_api::{ActRequest, Verb};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proc free :3000                    stop what holds it, clear what is left, prove it by a bind
  proc free -y :3000 && npm start
  proc free -y --mine :3000          only if it is of this work tree, terminal or agent
  proc free -y :3000 --in .          only if what holds it runs here
  proc free --timeout 2m :5000       wait longer for closed connections to pass
  proc free --only-signal :3000      end the process itself, whoever may start it again
  proc free unit:web container:db    have the manager and the engine stop them
  proc free node                     every process of that name, by whoever runs it
  proc free --dry-run :3000          only say what would be done")]
pub struct Args {
    #[command(flatten)]
    act: ActArgs,
    /// Signal the processes themselves: no container, unit, manager or watcher is stopped for them
    #[arg(long)]
    only_signal: bool,
    /// How long to wait before forcing, and for the end after a manager has stopped it
    #[arg(long, value_name = "TIME", default_value = GRACE, value_parser = duration)]
    grace: Duration,
    /// How long the whole may take; closed connections pass within a minute
    #[arg(long, value_name = "TIME", default_value = "1m15s", value_parser = duration)]
    timeout: Duration,
}

impl Args {
    /// How the person is to be dealt with.
    pub fn manner(&self) -> Manner {
        self.act.manner()
    }

    /// What is asked for.
    ///
    /// # Errors
    /// As [`ActArgs::request`].
    pub fn request(&self, globals: &Globals) -> Result<ActRequest, ErrorReport> {
        Ok(ActRequest {
            only_signal: self.only_signal,
            grace: self.grace,
            timeout: self.timeout,
            ..self.act.request(Verb::Free, globals)?
        })
    }
}
