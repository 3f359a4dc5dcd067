//! `proc kill`: asks the holders to end, waits, forces.

use std::time::Duration;

use proc_core::report::ErrorReport;

use super::act::{ActArgs, GRACE, Manner, duration};
use crate::core_api::{ActRequest, Verb};
use crate::globals::Globals;
use crate::signal::{self, Signal};

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proc kill :3000                ask what holds port 3000 to end, force it after 5 s
  proc kill -9 :3000             force it at once
  proc kill -y --grace 30s node  every process of that name
  proc kill node --in .          those of that name that run here
  proc kill                      choose from a list of your ports
  proc kill --tree pid:1234      it and everything that it started
  proc kill --signal USR1 :3000  send a signal, and end nothing
  proc kill --dry-run :3000      only say what would be done")]
pub struct Args {
    #[command(flatten)]
    act: ActArgs,
    /// Force at once, without asking the processes first
    #[arg(long, short = '9', conflicts_with_all = ["grace", "signal"])]
    now: bool,
    /// How long to wait before forcing
    #[arg(long, value_name = "TIME", default_value = GRACE, value_parser = duration)]
    grace: Duration,
    /// Everything that it started as well, children born meanwhile included
    #[arg(long)]
    tree: bool,
    /// The signal to send, by name or number [default: TERM]; one that asks nobody to end, such as
    /// USR1 or HUP, is sent and no more
    #[arg(long, value_name = "SIGNAL", value_parser = signal::parse)]
    signal: Option<Signal>,
    /// How long the whole may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
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
            tree: self.tree,
            now: self.now,
            signal: self.signal,
            grace: if self.now { Duration::ZERO } else { self.grace },
            timeout: self.timeout,
            ..self.act.request(Verb::Kill, globals)?
        })
    }
}
