//! `proc snapshot`: the whole machine as `proc record` writes it, to compare with later.

use std::path::PathBuf;

use proc_core::report::ErrorReport;

use super::record;
use crate::answer::Answer;
use crate::core_api::Core;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
The file is one that `proc record` writes without a target: --replay reads it too.

Examples:
  proc snapshot > before.json
  proc snapshot -o before.json
  proc diff before.json          what serves now that did not then")]
pub struct Args {
    /// The file to write instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Records everything.
///
/// # Errors
/// As [`record::write`].
pub fn run(args: &Args, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    record::write(&[], args.output.as_deref(), core)
}
