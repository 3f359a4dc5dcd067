//! What is said about a command while it lives: a bind that failed and did not end it, and a port
//! that it took in the place of the one it wanted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proc_core::addr::Port;
use proc_core::host::{Host, LiveHost};
use proc_core::message::Failure;

use super::tree::{listening_ports, taken_instead};
use crate::core_api::{Core, LookOptions};
use crate::relay::{Life, Next};

/// How long a command lives on with a failed bind before that is explained: most end at once.
const LIVES_ON: Duration = Duration::from_millis(800);
/// How long its output is quiet before anything is said in between.
const QUIET: Duration = Duration::from_millis(250);
/// How long after its start a command is looked at for the port that it took instead.
const SETTLES: Duration = Duration::from_secs(60);
/// The longest and shortest time between two looks.
const LOOKS: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(2));
/// How soon after a failed bind an end is that bind's doing.
const FRESH: Duration = Duration::from_secs(15);

/// Watches over one run of a command.
pub struct Watcher<'a> {
    core: &'a mut dyn Core,
    wanted_held: Option<Port>,
    /// What it told of.
    pub heard: Vec<Failure>,
    last_heard: Option<Instant>,
    /// What was said about, by target.
    pub told: BTreeSet<String>,
    say: &'a dyn Fn(&[String]) -> String,
}

impl<'a> Watcher<'a> {
    /// Nothing was heard yet. `wanted_held` is the port that the command will want, where
    /// somebody has it. `say` makes sentences a text.
    pub fn new(
        core: &'a mut dyn Core,
        wanted_held: Option<Port>,
        say: &'a dyn Fn(&[String]) -> String,
    ) -> Self {
        Self { core, wanted_held, heard: Vec::new(), last_heard: None, told: BTreeSet::new(), say }
    }

    /// One look at the living command.
    pub fn look(&mut self, life: Life) -> Next {
        if !life.heard.is_empty() {
            self.last_heard = Some(Instant::now());
            self.heard.extend(life.heard);
        }
        let mut sentences = Vec::new();
        let is_quiet = life.quiet_for >= QUIET;
        if is_quiet {
            self.tell_moved(life.pid, &mut sentences);
            if self.last_heard.is_some_and(|heard| heard.elapsed() >= LIVES_ON) {
                self.tell_failures(&mut sentences);
            }
        }
        Next {
            say: (!sentences.is_empty()).then(|| (self.say)(&sentences)),
            again: self.again(life.age),
        }
    }

    /// What it told of shortly before its end.
    pub fn fresh(mut self, last: Vec<Failure>) -> (Vec<Failure>, BTreeSet<String>) {
        let is_fresh = self.last_heard.is_some_and(|heard| heard.elapsed() < FRESH);
        if !is_fresh {
            self.heard.clear();
        }
        self.heard.extend(last);
        (self.heard, self.told)
    }

    fn again(&self, age: Duration) -> Option<Duration> {
        let waits = self.heard.iter().any(|failure| !self.told.contains(&key(failure)));
        let looks = self.wanted_held.is_some_and(|port| !self.told.contains(&moved_key(port)));
        match (waits, looks && age < SETTLES) {
            (true, _) => Some(LOOKS.0),
            (false, true) => Some((age / 4).clamp(LOOKS.0, LOOKS.1)),
            (false, false) => None,
        }
    }

    /// The ports it may have left: the one it wanted, and those it told of.
    fn tell_moved(&mut self, pid: u32, sentences: &mut Vec<String>) {
        for failure in self.heard.clone() {
            if let (Some(from), Some(to)) = (failure.port, failure.moved_to) {
                self.told.insert(key(&failure));
                self.tell_took(from, to.get(), sentences);
            }
        }
        let ports: BTreeSet<Port> =
            self.heard.iter().filter_map(|failure| failure.port).chain(self.wanted_held).collect();
        let open: Vec<Port> =
            ports.into_iter().filter(|&port| !self.told.contains(&moved_key(port))).collect();
        if open.is_empty() {
            return;
        }
        let listening = listening_ports(&LiveHost::default() as &dyn Host, pid);
        for from in open {
            if listening.contains(&from.get()) {
                // It has it after all, on another address or together with somebody.
                self.told.insert(moved_key(from));
            } else if let Some(to) = taken_instead(&listening, from.get()) {
                self.told.extend(
                    self.heard.iter().filter(|failure| failure.port == Some(from)).map(key),
                );
                self.tell_took(from, to, sentences);
            }
        }
    }

    fn tell_took(&mut self, from: Port, to: u16, sentences: &mut Vec<String>) {
        if !self.told.insert(moved_key(from)) {
            return;
        }
        sentences.push(match self.why(&format!("tcp:{from}")) {
            Some(why) => format!("it took :{to} because {why}"),
            None => format!("it took :{to}; :{from} was in use and is free now"),
        });
    }

    fn tell_failures(&mut self, sentences: &mut Vec<String>) {
        for failure in self.heard.clone() {
            if !self.told.insert(key(&failure)) {
                continue;
            }
            if let Some(target) = failure.target() {
                sentences.extend(self.why(&target.to_string()));
            }
        }
    }

    /// The first cause's sentence; `None` where nothing is in the way any more.
    fn why(&mut self, target: &str) -> Option<String> {
        let looked = self.core.look(&[target.to_owned()], LookOptions::default()).ok()?;
        let report = looked.targets.into_iter().next()?;
        report.causes.into_iter().next().map(|cause| cause.explain)
    }
}

/// What a failure is remembered by.
fn key(failure: &Failure) -> String {
    failure.target().map_or_else(|| failure.line.clone(), |target| target.to_string())
}

fn moved_key(port: Port) -> String {
    format!("moved from {port}")
}
