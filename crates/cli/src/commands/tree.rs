//! `proc tree`: processes below their parents.

use proc_core::report::ErrorReport;
use proc_core::snapshot::ProcessFacts;

use super::filters::{FilterArgs, PORTS_UNASKED};
use super::target_word;
use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc tree                    every process below its parent
  proc tree node               those called node, and all below them
  proc tree --ancestors :3000  what is above the holder of port 3000
  proc tree --in . --depth 3   those that run here, with what is above them")]
pub struct Args {
    /// The roots; every process where nothing is named
    #[arg(value_name = "TARGET", value_parser = target_word)]
    targets: Vec<String>,
    /// What is above the targets, and not what is below
    #[arg(long, short)]
    ancestors: bool,
    /// At most so many levels below the roots
    #[arg(long, short, value_name = "N", allow_negative_numbers = true, value_parser = depth)]
    depth: Option<u32>,
    #[command(flatten)]
    filters: FilterArgs,
    /// Print PIDs alone, one a line
    #[arg(long, help_heading = "Output", conflicts_with_all = ["json", "jsonl", "quiet"])]
    pids: bool,
}

/// Shows the tree.
///
/// # Errors
/// As [`FilterArgs::wish`] and [`Core::tree`], and options that make no sense in a tree.
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    if args.ancestors && args.targets.is_empty() {
        return Err(wrong("--ancestors needs a target; for example `proc tree --ancestors :3000`"));
    }
    if args.filters.sort.is_some() {
        return Err(wrong("a tree has its own order; sorted: `proc list --sort`"));
    }
    let mut wish = args.filters.wish(&[], globals)?;
    let silent = globals.quiet || args.pids;
    wish.ports = !silent;
    if !globals.for_programs() {
        wish.ports_of_at_most = PORTS_UNASKED;
    }
    wish.facts = match silent {
        true => ProcessFacts::BARE,
        false if globals.for_programs() => ProcessFacts::ALL,
        // What a line shows.
        false => ProcessFacts { arguments: true, ..ProcessFacts::BARE },
    };
    let report = core.tree(&args.targets, wish, args.ancestors, args.depth)?;
    Ok(Answer::Tree { report, pids: args.pids })
}

fn depth(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number of levels; write it like `3`"))
}

fn wrong(explain: &str) -> ErrorReport {
    ErrorReport {
        kind: "usage".to_owned(),
        explain: explain.to_owned(),
        word: None,
        suggestion: None,
    }
}
