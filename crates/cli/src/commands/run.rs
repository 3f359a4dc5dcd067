//! `proc run`: runs a command as if it had been started directly, and deals with the port it
//! cannot have. Here are its arguments; the flow is in [`flow`], what is decided in [`decide`].

pub mod decide;
mod flow;
mod launching;
mod same;
mod tree;
mod watcher;

use std::ffi::OsString;
use std::time::Duration;

use proc_core::addr::Port;
use proc_core::report::ErrorReport;

use super::act::duration;
use crate::answer::Answer;
use crate::core_api::connect;
use crate::globals::Globals;
use decide::OnConflict;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc run -- npm run dev                          explains a failed bind, and asks what to do
  proc run --on-conflict next -- vite              the next free port, set as vite takes it
  proc run --free-first --port 3000 -- npm start   for package scripts
  proc run --on-conflict free --mine -- vite       ends no other project's or agent's server
  proc run --on-conflict wait --timeout 30s -- flask run")]
pub struct Args {
    /// The port that the command will want, where its own words do not tell
    #[arg(long, short, value_name = "PORT", value_parser = port)]
    port: Option<Port>,
    /// What to do about a port in use: ask, free, next, wait, explain
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    on_conflict: Option<OnConflict>,
    /// Free the wanted port before the command starts
    #[arg(long)]
    free_first: bool,
    /// Free only what this work tree, terminal session or coding agent started
    #[arg(long)]
    mine: bool,
    /// How long to wait for the port at most
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Copy stdin to stdout: what is left behind for what a command left behind
    #[arg(long, hide = true)]
    pass_on: bool,
    /// The command and its arguments
    #[arg(value_name = "CMD", last = true, required_unless_present = "pass_on")]
    command: Vec<OsString>,
}

fn port(word: &str) -> Result<Port, String> {
    let number = word.strip_prefix(':').unwrap_or(word).parse().ok();
    number
        .and_then(Port::new)
        .ok_or_else(|| format!("`{word}` is not a port; a port is a number from 1 to 65535"))
}

/// Runs the command. What it came to is the command's own exit code, or the signal that ended it.
///
/// # Errors
/// A command line that cannot be meant, or a system that is not supported.
pub fn run(args: &Args, globals: &Globals) -> Result<Answer, ErrorReport> {
    refuse(globals)?;
    carry_out(args, globals)
}

/// The command's words go where they always go: there is no place for a document, and no
/// recording to run anything on.
fn refuse(globals: &Globals) -> Result<(), ErrorReport> {
    let usage = |word: &str, explain: &str| {
        Err(ErrorReport {
            kind: "usage".to_owned(),
            explain: explain.to_owned(),
            word: Some(word.to_owned()),
            suggestion: None,
        })
    };
    if globals.for_programs() {
        return usage("--json", "run has no document: stdout and the exit code are the command's");
    }
    if globals.replay.is_some() {
        return usage("--replay", "a command cannot be run on a recording");
    }
    Ok(())
}

fn carry_out(args: &Args, globals: &Globals) -> Result<Answer, ErrorReport> {
    if args.pass_on {
        crate::relay::pass_on();
        return Ok(Answer::Told(crate::exit::Exit::Yes));
    }
    flow::Flow::new(args, globals, connect(None, &globals.settings)?)?.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers() {
        assert_eq!(port("3000").map(Port::get), Ok(3000));
        assert_eq!(port(":3000").map(Port::get), Ok(3000));
        for word in ["0", "65536", "x", "", "-1"] {
            assert!(port(word).unwrap_err().contains("1 to 65535"), "{word}");
        }
    }
}
