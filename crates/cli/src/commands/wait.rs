//! `proc wait`: waits until a port is free, or is served, or a process is gone.

use std::time::Duration;

use proc_core::http::{StatusError, StatusSet};
use proc_core::report::ErrorReport;
use proc_core::wait::{Until, WaitRequest};

use super::act::{Manner, duration};
use super::check::address;
use super::target_word;
use crate::answer::Answer;
use crate::core_api::{Core, Tell, WaitTargets};
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Ports and unix sockets are waited for until they are free: until every ordinary bind
succeeds, whoever holds them meanwhile. Processes, names, files, containers and units are
waited for until they are gone. A port is TCP unless the target or --udp says UDP.
Without --timeout it waits for ever.

Exit code 0: it is so, or was already. 1: the time is over, interrupted, or it can never
be; the answer says what stands in the way. 3: this user may not bind that port.

Examples:
  proc wait :3000 && npm start                 until port 3000 can be bound
  proc wait :3000 --reuse-addr                 closed connections do not count
  proc wait :5432 --listening --timeout 1m     until somebody listens
  proc wait :8080 --http /health               until that path is answered with 2xx or 3xx
  proc wait https://localhost:3443/ --http --status 200
  proc wait :3000 :5432 --listening            until both; --any: until one of them
  proc wait :3000-3010                         until all are free; with --listening one is enough
  proc wait pid:1234 node unit:web.service     until they are gone
  proc wait ./data.db                          until nobody runs it or has it open
  proc wait /run/app.sock --listening")]
pub struct Args {
    /// Ports, sockets or processes, such as :3000, /run/app.sock, pid:1234, node
    #[arg(value_name = "TARGET", value_parser = target_word)]
    targets: Vec<String>,
    /// Until somebody listens (UDP: has it bound)
    #[arg(long, short)]
    listening: bool,
    /// Until it answers an HTTP request; with a path until that is there
    #[arg(
        long,
        value_name = "PATH",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with = "listening"
    )]
    http: Option<String>,
    /// Which statuses count [default: 200-399 for a path, else <500]
    #[arg(long, value_name = "STATUS", requires = "http", value_parser = statuses)]
    status: Option<StatusSet>,
    /// Until the processes have ended; what processes are waited for anyway
    #[arg(long, conflicts_with_all = ["listening", "http"])]
    gone: bool,
    /// How long at most [default: for ever]
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Until one target is so
    #[arg(long)]
    any: bool,
    /// Until every target is so, each at its own time: how it is unless told otherwise
    #[arg(long, conflicts_with = "any")]
    all: bool,
    /// Free for a server that sets SO_REUSEADDR is free enough
    #[arg(long, conflicts_with_all = ["listening", "http", "gone"])]
    reuse_addr: bool,
    /// This address in place of the ordinary ones
    #[arg(long, value_name = "ADDR", value_parser = address)]
    address: Option<String>,
    /// UDP in place of TCP
    #[arg(long)]
    udp: bool,
}

impl Args {
    /// How the person is to be dealt with.
    pub fn manner(&self) -> Manner {
        Manner { yes: false, several: self.words().len() > 1 }
    }

    /// The target words. `--http :3000` means the port, and no path that is missing its slash.
    fn words(&self) -> Vec<String> {
        let swallowed = self.http.iter().filter(|word| !word.is_empty() && !word.starts_with('/'));
        swallowed.chain(&self.targets).cloned().collect()
    }

    fn path(&self) -> Option<&String> {
        self.http.as_ref().filter(|word| word.starts_with('/'))
    }

    fn until(&self) -> Option<Until> {
        match (&self.http, self.listening, self.gone) {
            (Some(_), ..) => Some(Until::Http),
            (None, true, _) => Some(Until::Listening),
            (None, false, true) => Some(Until::Gone),
            (None, false, false) => None,
        }
    }
}

fn statuses(word: &str) -> Result<StatusSet, String> {
    word.parse().map_err(|error: StatusError| error.to_string())
}

/// Waits.
///
/// # Errors
/// As [`Core::wait`]; and a recording does not go on.
pub fn run(
    args: &Args,
    globals: &Globals,
    connect: impl FnOnce() -> Result<Box<dyn Core>, ErrorReport>,
    progress: &mut Tell<'_>,
) -> Result<Answer, ErrorReport> {
    let words = args.words();
    if globals.replay.is_some() {
        let explain = "a recording is one moment, so there is nothing to wait for in it";
        return Err(usage(explain, Some("--replay")));
    }
    if words.is_empty() {
        return Err(usage("wait for what? for example `proc wait :3000`", None));
    }
    let targets = WaitTargets {
        words,
        address: args.address.clone(),
        path: args.path().cloned(),
        statuses: args.status.clone(),
    };
    let request = WaitRequest {
        until: args.until(),
        reuse_addr: args.reuse_addr,
        udp: args.udp,
        any: args.any,
        timeout: args.timeout,
        tells: !globals.quiet && !globals.for_programs(),
        show_secrets: globals.show_secrets,
    };
    Ok(Answer::waited(args.any, connect()?.wait(&targets, &request, progress)?))
}

fn usage(explain: &str, word: Option<&str>) -> ErrorReport {
    ErrorReport {
        kind: "usage".to_owned(),
        explain: explain.to_owned(),
        word: word.map(str::to_owned),
        suggestion: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &str) -> Args {
        use clap::{Args as _, FromArgMatches};
        let command = Args::augment_args(clap::Command::new("wait"));
        let words = std::iter::once("wait").chain(words.split_whitespace());
        Args::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap()
    }

    #[test]
    fn a_target_after_http_is_no_path() {
        for (words, targets, path) in [
            ("--http :3000", vec![":3000"], None),
            (":3000 --http", vec![":3000"], None),
            (":3000 --http /health", vec![":3000"], Some("/health")),
            ("--http /health :3000", vec![":3000"], Some("/health")),
            ("--http :1 :2", vec![":1", ":2"], None),
        ] {
            let args = args(words);
            assert_eq!(args.words(), targets, "{words}");
            assert_eq!(args.path().map(String::as_str), path, "{words}");
            assert_eq!(args.until(), Some(Until::Http));
        }
    }

    #[test]
    fn what_is_waited_for() {
        assert_eq!(args(":1").until(), None);
        assert_eq!(args(":1 -l").until(), Some(Until::Listening));
        assert_eq!(args("pid:1 --gone").until(), Some(Until::Gone));
        assert_eq!(args(":1 --timeout 5s").timeout, Some(Duration::from_secs(5)));
    }
}
