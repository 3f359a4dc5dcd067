//! `proc thaw`: lets processes go on that were frozen, or stopped by Ctrl-Z.

use proc_core::report::ErrorReport;

use super::act::{DeedArgs, Manner};
use crate::core_api::{ActRequest, Verb};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "proc thaw [OPTIONS] <TARGET>...",
    after_help = "\
Examples:
  proc thaw :3000
  proc thaw --tree pid:1234"
)]
pub struct Args {
    #[command(flatten)]
    act: DeedArgs,
    /// Everything that it started as well
    #[arg(long)]
    tree: bool,
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
        Ok(ActRequest { tree: self.tree, ..self.act.request(Verb::Thaw, globals)? })
    }
}
