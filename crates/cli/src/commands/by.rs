//! `proc by`: the processes of one name.

use proc_core::report::ErrorReport;

use super::filters::{FilterArgs, name};
use crate::answer::{Answer, Showing};
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc by node                 the processes called node
  proc by node --in .          those that run in this directory
  proc by server.js --cmd      those with that in the command line
  kill $(proc by --pids node --min-uptime 2h)")]
pub struct Args {
    /// The name: whole, ignoring case; with --cmd any part of the command line
    #[arg(value_name = "NAME", required = true, value_parser = name)]
    names: Vec<String>,
    #[command(flatten)]
    filters: FilterArgs,
    /// Print PIDs alone, one a line
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pids: bool,
}

/// Lists.
///
/// # Errors
/// As [`FilterArgs::wish`] and [`Core::processes`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    let wish = args.filters.wish(&args.names, globals)?;
    let showing = if args.pids { Showing::Pids } else { Showing::Table };
    let report = core.processes("by", &showing.wish(wish, globals));
    Ok(Answer::Processes { report, showing })
}
