//! `proc reload`: has a server read its configuration anew, without ending it.

use proc_core::report::ErrorReport;

use super::act::{DeedArgs, Manner};
use crate::core_api::{ActRequest, Verb};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "proc reload [OPTIONS] <TARGET>...",
    after_help = "\
Examples:
  proc reload nginx             by the signal its documentation names, to its master
  proc reload unit:nginx.service
  proc reload :8080

Refused where the signal would end the process: the kernel says whether it is handled."
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
        self.act.request(Verb::Reload, globals)
    }
}
