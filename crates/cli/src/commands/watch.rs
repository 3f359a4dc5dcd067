//! `proc watch`: tells every change of ports as it happens.

use std::io;
use std::time::{Duration, Instant};

use proc_core::report::{ErrorReport, WatchEvent, WatchKind};
use proc_core::watch::{Audience, Wish};

use super::act::duration;
use super::target_word;
use crate::answer::Answer;
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
        json: globals.for_programs(),
        view: view(globals, Stream::Stdout),
        clock: if args.utc { Clock::utc() } else { Clock::local() },
        flurry: Flurry::default(),
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

/// Sockets on one port that came and went within a second, such as the binds by which another
/// `proc` asks the kernel. A person is told of the first; JSON has every one.
#[derive(Debug, Default)]
struct Flurry {
    first: Option<(Option<String>, Instant)>,
    left_out: usize,
}

impl Flurry {
    const LASTS: Duration = Duration::from_secs(1);

    /// Whether to tell of an event, and of how many before it nobody was told.
    fn passes(&mut self, event: &WatchEvent, now: Instant) -> Option<usize> {
        let brief = event.kind == WatchKind::Brief;
        let port = event.socket.as_ref().and_then(|socket| {
            let (_, port) = socket.local.rsplit_once(':')?;
            Some(format!("{} {port}", socket.protocol))
        });
        let goes_on = |(first, at): &(Option<String>, Instant)| {
            brief && *first == port && now.duration_since(*at) < Self::LASTS
        };
        if self.first.as_ref().is_some_and(goes_on) {
            self.left_out += 1;
            return None;
        }
        self.first = brief.then_some((port, now));
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Stdout, a line an event.
struct Lines {
    json: bool,
    view: View,
    clock: Clock,
    flurry: Flurry,
    failed: Option<io::Error>,
}

impl Audience for Lines {
    fn tell(&mut self, event: &WatchEvent) -> bool {
        let line = match self.json {
            true => render::document(event),
            false => match self.flurry.passes(event, Instant::now()) {
                Some(left_out) => {
                    render::left_out(left_out, &self.view)
                        + &render::event(event, &self.clock, &self.view)
                }
                None => return true,
            },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_flurry_of_brief_sockets_is_told_by_its_first() {
        let event = |kind, local: &str| {
            let mut socket = fixture::held().sockets.remove(0);
            socket.local = local.to_owned();
            WatchEvent {
                schema: 1,
                at: "2026-01-01T19:32:05.123Z".to_owned(),
                kind,
                initial: false,
                target: None,
                socket: Some(socket),
                process: None,
                from: None,
                by: None,
                after_ms: None,
                clients: None,
                explain: String::new(),
            }
        };
        let began = Instant::now();
        let mut flurry = Flurry::default();
        for (kind, local, ms, want) in [
            (WatchKind::Brief, "[::]:3000", 0, Some(0)),
            (WatchKind::Brief, "127.0.0.1:3000", 1, None),
            (WatchKind::Brief, "0.0.0.0:3000", 2, None),
            (WatchKind::Opened, "0.0.0.0:3000", 3, Some(2)),
            (WatchKind::Brief, "0.0.0.0:3000", 4, Some(0)),
            (WatchKind::Brief, "0.0.0.0:3001", 5, Some(0)),
            (WatchKind::Brief, "0.0.0.0:3001", 900, None),
            (WatchKind::Brief, "0.0.0.0:3001", 1100, Some(1)),
        ] {
            let told = flurry.passes(&event(kind, local), began + Duration::from_millis(ms));
            assert_eq!(told, want, "{kind:?} {local} {ms}");
        }
    }
}
