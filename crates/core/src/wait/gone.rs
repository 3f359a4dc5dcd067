//! Waiting until processes have ended: those that are there are pinned, so that nobody who gets
//! their numbers is mistaken for them, and when they are gone it is looked again whether others of
//! the same description have come. Who has a file open may close it and live on, of which no kernel
//! tells: that is looked at now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Eye, Step, Wish};
use crate::census::Census;
use crate::explain;
use crate::host::{ActError, Host, Pinned};
use crate::look::{LookOptions, empty_report, gaps, process_facts};
use crate::process::{Process, ProcessId};
use crate::report::{GapReport, Reason, TargetReport};
use crate::snapshot::{Scope, Snapshot};
use crate::target::Target;

/// The most processes held at once: each costs a descriptor, and 1024 is the usual limit. The rest
/// is waited for afterwards.
const MOST_PINS: usize = 256;

/// What a look at every descriptor may cost of the time, and the shortest pause between two.
const ONE_IN: u32 = 20;
const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// Processes that are to end, or to let go of a file.
pub(super) struct Gone {
    target: Target,
    options: LookOptions,
    pins: Vec<Pinned>,
    /// Of those who cannot be pinned (Linux before 5.3, no descriptors left).
    loose: Vec<ProcessId>,
    /// How many more there were than are held at once.
    more: usize,
    /// What each is called.
    names: Vec<(ProcessId, String)>,
    /// When descriptors are looked at again; `None` where it is not about a file or nobody can see
    /// who has it open.
    again: Option<Duration>,
    /// How each uses the file.
    because: BTreeMap<u32, Vec<Reason>>,
    /// What could not be seen of who is meant.
    unseen: Vec<GapReport>,
    /// Whether it is a process that is hidden from this user.
    is_hidden: bool,
    next: Duration,
}

impl Gone {
    /// Pins who is there now.
    pub(super) fn new(host: &dyn Host, target: Target, options: LookOptions) -> Self {
        let mut gone = Self {
            target,
            options,
            pins: Vec::new(),
            loose: Vec::new(),
            more: 0,
            names: Vec::new(),
            again: None,
            because: BTreeMap::new(),
            unseen: Vec::new(),
            is_hidden: false,
            next: Duration::ZERO,
        };
        gone.take(host);
        gone
    }

    /// Takes hold of everybody of the description. A number is one process for good: whoever has
    /// it later is another.
    fn take(&mut self, host: &dyn Host) {
        let began = host.now();
        let census = Census::take_with_files(host, std::slice::from_ref(&self.target));
        let cost = host.now().saturating_sub(began);
        let mut pids = census.meant_by(&self.target);
        if !matches!(self.target, Target::Pid(_) | Target::Number(_)) {
            // The shell or script that waits for this very program would never be gone.
            pids.retain(|pid| !census.above_asker().contains(pid));
        }
        let processes = census.processes(&pids);
        self.names = processes.iter().map(|p| (p.id, p.program().to_owned())).collect();
        if census.knows_descriptors(&self.target) {
            self.again = Some(host.now() + (cost * ONE_IN).max(LEAST_PAUSE));
            let because = |pid: &u32| (*pid, census.reasons(&self.target, *pid));
            self.because = pids.iter().map(because).collect();
        }
        self.unseen = gaps(census.snapshot());
        self.is_hidden = matches!(self.target, Target::Pid(pid) if census.is_hidden(pid));
        self.pins.clear();
        self.loose.clear();
        self.more = processes.len().saturating_sub(MOST_PINS);
        for process in processes.into_iter().take(MOST_PINS) {
            match host.pin(process.id) {
                Ok(pin) => self.pins.push(pin),
                Err(ActError::Gone) => {}
                Err(_) => self.loose.push(process.id),
            }
        }
    }

    /// Drops those who have ended; true where none is left.
    fn are_gone(&mut self, host: &dyn Host) -> bool {
        self.pins.retain(|pin| !host.exited(pin));
        if !self.loose.is_empty() {
            let living = facts(host, self.loose.iter().map(|id| id.pid).collect());
            let lives = |id: &ProcessId| {
                let process = living.processes.get(&id.pid);
                process.is_some_and(|p| p.id == *id && is_alive(p))
            };
            self.loose.retain(lives);
        }
        self.pins.is_empty() && self.loose.is_empty()
    }

    fn left(&self) -> Vec<ProcessId> {
        self.pins.iter().map(|pin| pin.id).chain(self.loose.iter().copied()).collect()
    }

    /// What they do that are waited for: one of them, and several.
    fn verbs(&self) -> (String, String) {
        match (&self.target, self.again) {
            (Target::Path(path), Some(_)) => (format!("uses {path}"), format!("use {path}")),
            _ => ("runs".to_owned(), "run".to_owned()),
        }
    }

    fn name(&self, id: ProcessId) -> String {
        let known = self.names.iter().find(|(other, _)| *other == id);
        known.map_or_else(|| "a process".to_owned(), |(_, name)| name.clone())
    }
}

impl Wish for Gone {
    fn look(&mut self, eye: &mut Eye<'_>) -> Step {
        if self.again.is_some_and(|again| eye.host.now() >= again) {
            self.take(eye.host);
        }
        if let (Target::Pid(pid), true) = (&self.target, self.is_hidden) {
            return Step::Never { why: explain::hidden_process(*pid), denied: true };
        }
        // Others may have come meanwhile, and more may end while those are looked for.
        while self.are_gone(eye.host) {
            if matches!(self.target, Target::Pid(_) | Target::Number(_)) {
                return Step::Met;
            }
            self.take(eye.host);
            if self.left().is_empty() {
                return Step::Met;
            }
        }
        self.next = match self.loose.is_empty() {
            true => Duration::MAX,
            false => eye.host.now() + eye.blind_pause(),
        };
        self.next = self.next.min(self.again.unwrap_or(Duration::MAX));
        Step::Wait
    }

    fn next(&self, _: &Eye<'_>) -> Duration {
        self.next
    }

    fn pins(&self) -> &[Pinned] {
        &self.pins
    }

    fn hindrance(&mut self, host: &dyn Host) -> String {
        self.are_gone(host);
        let left = self.left();
        let Some(&first) = left.first() else { return format!("{} has ended", self.target) };
        let who = format!("{} (pid {})", self.name(first), first.pid);
        let (one, several) = self.verbs();
        match left.len() - 1 + self.more {
            0 => format!("{who} {one}"),
            others => format!("{who} and {} {several}", explain::count(others, "other", "others")),
        }
    }

    fn met(&self) -> (String, TargetReport) {
        let sentence = match &self.target {
            Target::Pid(pid) | Target::Number(pid) => format!("pid:{pid} has ended"),
            Target::Name(name) => format!("no process is called {name}"),
            Target::Path(path) if self.again.is_some() => {
                format!("no process runs {path} or has it open")
            }
            Target::Path(path) => format!("no process runs {path}"),
            other => format!("no process runs in {other}"),
        };
        let unseen = self.unseen.clone();
        (sentence, TargetReport { gaps: unseen, ..empty_report(self.target.to_string()) })
    }

    fn not_met(&mut self, host: &dyn Host) -> TargetReport {
        let mut report = empty_report(self.target.to_string());
        report.gaps.clone_from(&self.unseen);
        if self.are_gone(host) {
            let others = !matches!(self.target, Target::Pid(_) | Target::Number(_));
            if others {
                self.take(host);
            }
            if self.left().is_empty() {
                report.met = Some(true);
                return report;
            }
        }
        let snapshot = facts(host, self.left().iter().map(|id| id.pid).collect());
        let left = self.left();
        let processes = left.iter().filter_map(|id| snapshot.processes.get(&id.pid));
        report.processes =
            processes.map(|process| process_facts(process, &snapshot, &self.options)).collect();
        for process in &mut report.processes {
            process.because = self.because.remove(&process.pid).unwrap_or_default();
        }
        let first = left.first().and_then(|id| snapshot.processes.get(&id.pid));
        let who = first.map_or_else(
            || self.target.to_string(),
            |process| explain::named(process, snapshot.taken_at),
        );
        let (one, several) = self.verbs();
        report.explain = Some(match left.len().saturating_sub(1) + self.more {
            0 => format!("{who} still {one}"),
            others => {
                format!("{who} and {} still {several}", explain::count(others, "other", "others"))
            }
        });
        report
    }
}

fn facts(host: &dyn Host, pids: Vec<u32>) -> Snapshot {
    host.snapshot(&Scope { pids, ..Scope::default() })
}

fn is_alive(process: &Process) -> bool {
    process.state != crate::process::ProcessState::Zombie
}
