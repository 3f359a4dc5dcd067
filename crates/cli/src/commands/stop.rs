//! `proc stop`: asks the holders to end and waits; it never forces.

use std::time::Duration;

use proc_core::report::ErrorReport;

use super::act::{ActArgs, Manner, duration};
use crate::core_api::{ActRequest, Verb};
use crate::globals::Globals;
use crate::signal::{self, Signal};

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proc stop :3000                 ask what holds port 3000 to end, and wait
  proc stop --signal INT pid:1234
  proc stop -y --timeout 2m unit:web.service")]
pub struct Args {
    #[command(flatten)]
    act: ActArgs,
    /// Everything that it started as well, children born meanwhile included
    #[arg(long)]
    tree: bool,
    /// The signal to send, by name or number [default: TERM]; one that asks nobody to end, such as
    /// USR1 or HUP, is sent and no more
    #[arg(long, value_name = "SIGNAL", value_parser = gentle)]
    signal: Option<Signal>,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

fn gentle(word: &str) -> Result<Signal, String> {
    let signal = signal::parse(word)?;
    if signal::parse("KILL") == Ok(signal) {
        return Err("`stop` never forces; to force: `proc kill --now`".to_owned());
    }
    Ok(signal)
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
            signal: self.signal,
            grace: self.timeout,
            timeout: self.timeout,
            ..self.act.request(Verb::Stop, globals)?
        })
    }
}
