//! `proc watch`: tells every change of ports as it happens.

use std::io;
use std::time::Duration;

use proc_core::report::{ErrorReport, WatchEvent};
use proc_core::watch::{Audience, Wish};

use super::act::duration;
use super::{Answer, target_word};
use crate::core_api;
use crate::exit::Exit;
use crate::globals::Globals;
use crate::local_time::Clock;
use crate::output::{self, Output};
use crate::render;
use crate::terminal::{Stream, View, view};

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Without a target every listener and every bound UDP socket is watched. First it tells what is
there, then each change: opened, closed, changed hands, restarted and by whom. It ends with
Ctrl-C, exit code 0. With --json each line is one object.

Examples:
  proc watch                           every port of this machine
  proc watch :3000                     one port; also a range, an address, a socket's file
  proc watch node                      what processes of that name hold, their starts and ends
  proc watch :3000 --clients           and how many connections are open
  proc watch :3000 --json --changes-only
  proc watch :3000 --count 1 --changes-only --for 1m")]
pub struct Args {
    /// Ports, sockets or processes; every port if there are none
    #[arg(value_name = "TARGET", value_parser = target_word)]
    targets: Vec<String>,
    /// Stop after that long
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Stop after that many changes
    #[arg(long, value_name = "N", value_parser = count)]
    count: Option<usize>,
    /// Tell only changes, and not what is there at the beginning
    #[arg(long)]
    changes_only: bool,
    /// Tell how many connections are open, where the number changed, once a second at most
    #[arg(long)]
    clients: bool,
    /// Show times in UTC and not in this place's time
    #[arg(long)]
    utc: bool,
}

fn count(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(0) | Err(_) => Err(format!("`{word}` is not a number of changes; for example `1`")),
        Ok(number) => Ok(number),
    }
}

/// Watches, and tells everything itself.
///
/// # Errors
/// A target that is none or is not there; silence; and a recording does not go on.
pub fn run(args: &Args, globals: &Globals) -> Result<Answer, ErrorReport> {
    if globals.quiet {
        let explain = "watch has only its lines to give, so --quiet would leave nothing";
        return Err(usage(explain, "--quiet"));
    }
    if globals.replay.is_some() {
        let explain = "a recording is one moment, so there is nothing to watch in it";
        return Err(usage(explain, "--replay"));
    }
    let mut wish = Wish {
        targets: Vec::new(),
        changes_only: args.changes_only,
        clients: args.clients,
        show_secrets: globals.show_secrets,
        duration: args.duration,
        count: args.count,
    };
    let mut lines = Lines {
        json: globals.json,
        view: view(globals, Stream::Stdout),
        clock: if args.utc { Clock::utc() } else { Clock::local() },
        failed: None,
    };
    core_api::watch(&args.targets, &mut wish, &mut lines)?;
    match lines.failed {
        None => Ok(Answer::Told(Exit::Yes)),
        Some(error) => Err(ErrorReport {
            kind: "failed".to_owned(),
            explain: format!("cannot write the answer: {}", output::reason(&error)),
            word: None,
            suggestion: None,
        }),
    }
}

fn usage(explain: &str, word: &str) -> ErrorReport {
    ErrorReport {
        kind: "usage".to_owned(),
        explain: explain.to_owned(),
        word: Some(word.to_owned()),
        suggestion: None,
    }
}

/// Stdout, a line an event.
struct Lines {
    json: bool,
    view: View,
    clock: Clock,
    failed: Option<io::Error>,
}

impl Audience for Lines {
    fn tell(&mut self, event: &WatchEvent) -> bool {
        let line = match self.json {
            true => render::document(event),
            false => render::event(event, &self.clock, &self.view),
        };
        match Output::stream(&line) {
            Ok(goes) => goes,
            Err(error) => {
                self.failed = Some(error);
                false
            }
        }
    }

    fn listens(&mut self) -> bool {
        Output::has_reader()
    }
}
