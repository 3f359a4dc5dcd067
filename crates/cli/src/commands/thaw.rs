//! `proc thaw`: lets processes go on that were frozen, or stopped by Ctrl-Z.

use super::Targets;
use super::act::{DeedArgs, Manner};
use crate::core_api::{ActRequest, Verb};

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proc thaw :3000
  proc thaw --tree pid:1234")]
pub struct Args {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    act: DeedArgs,
    /// Everything that it started as well
    #[arg(long)]
    tree: bool,
}

impl Args {
    /// How the person is to be dealt with.
    pub fn manner(&self) -> Manner {
        self.act.manner(&self.targets)
    }

    /// What is asked for.
    pub fn request(&self) -> ActRequest {
        self.act.request(Verb::Thaw, &self.targets, self.tree)
    }
}
