//! What is said about a command while it lives: a bind that failed and did not end it, and a port
//! that it took in the place of the one it wanted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proc_core::addr::Port;
use proc_core::host::LiveHost;
use proc_core::message::Failure;
use proc_core::report::TargetReport;

use super::decide::is_conflict;
use super::tree::{listening_ports, taken_instead};
use crate::core_api::{Core, LookOptions};
use crate::relay::{Kin, Life, Next};

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

/// How long a command that lives on after a failed bind is silent before it is ended, to be
/// started again: longer than the pause of those that try again by themselves (gunicorn: 1 s).
const ENDS: Duration = Duration::from_millis(1600);
/// How long it is then given before that is said to take long.
const ENDING: Duration = Duration::from_secs(5);

/// What is said of one that lives on and is left alone.
const LEFT_ALONE: &str =
    "it runs on and may try again; with --on-conflict free, next or wait it is started again";

/// What is known beforehand of one run of a command.
pub struct Plan<'a> {
    /// The port that it will want, where somebody has it.
    pub wanted_held: Option<Port>,
    /// Whether it leaves a held port for one that may be anywhere.
    pub moves_anywhere: bool,
    /// Makes sentences, and what can be done about targets, a text.
    pub say: &'a dyn Fn(&[String], &[TargetReport]) -> String,
    /// Whether a command that lives on is left alone whatever it fails at.
    pub is_left_alone: bool,
    /// Whether a command that lives on after it could not have that port may be ended, to be
    /// started again: a person said so beforehand, and it would be of use.
    pub may_end: &'a dyn Fn(Port) -> bool,
}

/// What a run came to.
#[derive(Debug)]
pub struct Seen {
    /// The failed binds that it told of shortly before its end.
    pub failures: Vec<Failure>,
    /// What was said about, by target.
    pub told: BTreeSet<String>,
    /// Whether what can be done about it was said too.
    pub is_advised: bool,
    /// Whether it was ended here, to be started again.
    pub was_ended: bool,
}

/// Watches over one run of a command.
pub struct Watcher<'a> {
    core: &'a mut dyn Core,
    plan: Plan<'a>,
    /// What it told of.
    heard: Vec<Failure>,
    last_heard: Option<Instant>,
    /// Whether it is still to be decided if it is ended for what it told of.
    is_undecided: bool,
    /// Since when it is asked to end.
    ended: Option<Instant>,
    is_slow_told: bool,
    /// What was said of without what can be done.
    unadvised: Vec<TargetReport>,
    /// What was said about, by target.
    told: BTreeSet<String>,
}

impl<'a> Watcher<'a> {
    /// Nothing was heard yet.
    pub fn new(core: &'a mut dyn Core, plan: Plan<'a>) -> Self {
        Self {
            core,
            plan,
            heard: Vec::new(),
            last_heard: None,
            is_undecided: false,
            ended: None,
            is_slow_told: false,
            unadvised: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    /// One look at the living command.
    pub fn look(&mut self, life: Life) -> Next {
        if !life.heard.is_empty() {
            self.last_heard = Some(Instant::now());
            self.is_undecided = true;
            self.heard.extend(life.heard);
        }
        let mut sentences = Vec::new();
        let mut reports = Vec::new();
        if let Some(since) = self.ended {
            self.tell_slow(since, &mut sentences);
        } else if life.quiet_for >= QUIET {
            self.tell_moved(&life.kin, &mut sentences);
            let quiet_since = self.last_heard.map_or(Duration::ZERO, |heard| heard.elapsed());
            if quiet_since >= LIVES_ON {
                self.tell_failures(&mut sentences);
            }
            let is_silent = quiet_since >= ENDS && life.quiet_for >= ENDS;
            if is_silent && std::mem::take(&mut self.is_undecided) {
                if self.plan.is_left_alone {
                    reports = std::mem::take(&mut self.unadvised);
                    sentences.extend((!reports.is_empty()).then(|| LEFT_ALONE.to_owned()));
                } else {
                    self.end_if_useless(&life.kin, &mut sentences);
                }
            }
        }
        Next {
            say: (!sentences.is_empty()).then(|| (self.plan.say)(&sentences, &reports)),
            again: self.again(life.age),
        }
    }

    /// Ends a command that lives on and serves nothing, where that was consented to.
    fn end_if_useless(&mut self, kin: &Kin, sentences: &mut Vec<String>) {
        let failed = |failure: &&Failure| {
            failure.moved_to.is_none() && is_conflict(failure.class) && failure.port.is_some()
        };
        let Some(port) = self.heard.iter().rfind(failed).and_then(|failure| failure.port) else {
            return;
        };
        let host = LiveHost::default();
        if !listening_ports(&host, kin.pids(&host)).is_empty() || !(self.plan.may_end)(port) {
            return;
        }
        if kin.end(&host) {
            self.ended = Some(Instant::now());
            sentences.push(format!("it runs on without :{port}; ending it to start it again"));
        }
    }

    fn tell_slow(&mut self, since: Instant, sentences: &mut Vec<String>) {
        if since.elapsed() >= ENDING && !std::mem::replace(&mut self.is_slow_told, true) {
            sentences.push(Kin::SLOW.to_owned());
        }
    }

    /// What it told of shortly before its end.
    pub fn seen(mut self, last: Vec<Failure>) -> Seen {
        let is_fresh = self.last_heard.is_some_and(|heard| heard.elapsed() < FRESH);
        let was_ended = self.ended.is_some();
        if !is_fresh && !was_ended {
            self.heard.clear();
        }
        self.heard.extend(last);
        let is_advised = self.unadvised.is_empty();
        Seen { failures: self.heard, told: self.told, is_advised, was_ended }
    }

    fn again(&self, age: Duration) -> Option<Duration> {
        if self.ended.is_some() {
            return (!self.is_slow_told).then_some(LOOKS.1);
        }
        let waits = self.is_undecided
            || self.heard.iter().any(|failure| !self.told.contains(&key(failure)));
        let looks = self.plan.wanted_held.is_some_and(|port| !self.told.contains(&moved_key(port)));
        match (waits, looks && age < SETTLES) {
            (true, _) => Some(LOOKS.0),
            (false, true) => Some((age / 4).clamp(LOOKS.0, LOOKS.1)),
            (false, false) => None,
        }
    }

    /// The ports it may have left: the one it wanted, and those it told of.
    fn tell_moved(&mut self, kin: &Kin, sentences: &mut Vec<String>) {
        for failure in self.heard.clone() {
            if let (Some(from), Some(to)) = (failure.port, failure.moved_to) {
                self.told.insert(key(&failure));
                self.tell_took(from, to.get(), sentences);
            }
        }
        let ports: BTreeSet<Port> = self
            .heard
            .iter()
            .filter_map(|failure| failure.port)
            .chain(self.plan.wanted_held)
            .collect();
        let open: Vec<Port> =
            ports.into_iter().filter(|&port| !self.told.contains(&moved_key(port))).collect();
        if open.is_empty() {
            return;
        }
        let host = LiveHost::default();
        let listening = listening_ports(&host, kin.pids(&host));
        for from in open {
            if listening.contains(&from.get()) {
                // It has it after all, on another address or together with somebody.
                self.told.insert(moved_key(from));
            } else if let Some(to) =
                taken_instead(&listening, from.get(), self.moves_anywhere(from))
            {
                self.told.extend(
                    self.heard.iter().filter(|failure| failure.port == Some(from)).map(key),
                );
                self.tell_took(from, to, sentences);
            }
        }
    }

    fn moves_anywhere(&self, from: Port) -> bool {
        self.plan.moves_anywhere && self.plan.wanted_held == Some(from)
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
            let Some(target) = failure.target() else { continue };
            let Some(report) = self.report(&target.to_string()) else { continue };
            sentences.extend(report.causes.first().map(|cause| cause.explain.clone()));
            self.unadvised.push(report);
        }
    }

    /// The first cause's sentence; `None` where nothing is in the way any more.
    fn why(&mut self, target: &str) -> Option<String> {
        self.report(target)?.causes.into_iter().next().map(|cause| cause.explain)
    }

    fn report(&mut self, target: &str) -> Option<TargetReport> {
        let looked = self.core.look(&[target.to_owned()], LookOptions::default()).ok()?;
        looked.targets.into_iter().next()
    }
}

/// What a failure is remembered by.
fn key(failure: &Failure) -> String {
    failure.target().map_or_else(|| failure.line.clone(), |target| target.to_string())
}

fn moved_key(port: Port) -> String {
    format!("moved from {port}")
}
