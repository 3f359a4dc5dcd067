//! `proc in`: the processes that run in a directory. (`in` is no name for a file of Rust.)

use proc_core::report::ErrorReport;

use super::filters::{ListArgs, directory};
use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc in                      what runs in this directory or below it
  proc in ~/shop --by node     the processes called node that run there
  proc in . --sort cpu         the busiest first
  kill $(proc in --pids ~/old)")]
pub struct Args {
    /// The directory
    #[arg(value_name = "DIR", default_value = ".", hide_default_value = true)]
    directory: String,
    #[command(flatten)]
    list: ListArgs,
}

/// Lists.
///
/// # Errors
/// As [`ListArgs::answer`] and [`Core::processes`], and a directory that is named twice.
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    if let Some(other) = &args.list.filters.which.r#in {
        return Err(ErrorReport {
            kind: "usage".to_owned(),
            explain: format!(
                "`proc in` has its directory already; `proc in {other}`, without --in"
            ),
            word: Some("--in".to_owned()),
            suggestion: None,
        });
    }
    let directory = directory(&args.directory, globals.replay.is_some())?;
    args.list.answer("in", &[], globals, |mut wish| {
        wish.filter.directory = Some(directory);
        Ok(core.processes("in", &wish))
    })
}
