//! `proc freeze`: holds processes still, with their ports and connections, until `proc thaw`.

use proc_core::report::ErrorReport;

use super::act::{DeedArgs, Manner};
use crate::core_api::{ActRequest, Verb};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "proc freeze [OPTIONS] <TARGET>...",
    after_help = "\
Examples:
  proc freeze :3000             hold what serves port 3000 still: its clients wait
  proc freeze --tree pid:1234   it and everything that it started
  proc thaw :3000               let it go on"
)]
pub struct Args {
    #[command(flatten)]
    act: DeedArgs,
    /// Everything that it started as well, children born meanwhile included
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
        Ok(ActRequest { tree: self.tree, ..self.act.request(Verb::Freeze, globals)? })
    }
}
