//! What is done to processes that are not to end, and what the kernel shows of them afterwards.

use std::time::Duration;

use super::run::{End, Run};
use super::tree::Obstacle;
use crate::addr::Endpoint;
use crate::condition::Condition;
use crate::host::{ActError, Pinned, Watch, Woken};
use crate::plan::{Deed, Lever, Part, Plan, Refusal, SIGSTOP, Victim, signal_name};
use crate::process::ProcessState;
use crate::report::Outcome;
use crate::snapshot::{Scope, SocketScope};

/// How long a process may take to show what a signal did to it: to stop, to go on, to end.
const SHOWING: Duration = Duration::from_millis(1000);
/// How long one that was only sent a signal is watched for its end.
const SETTLING: Duration = Duration::from_millis(400);
/// Between two looks at its state.
const STEP: Duration = Duration::from_millis(5);

/// A victim of a deed, for good.
struct Subject<'a> {
    pin: Pinned,
    victim: &'a Victim,
}

impl Subject<'_> {
    fn called(&self) -> String {
        named(self.victim)
    }
}

fn named(victim: &Victim) -> String {
    format!("{} (pid {})", victim.name, victim.id.pid)
}

impl<'a> Run<'a> {
    /// Does it, and says what the kernel shows.
    pub(super) fn carry_out_deed(&mut self, deed: Deed, ports: &[Endpoint]) -> End {
        if deed == Deed::Freeze && self.limits.tree {
            return self.freeze_tree();
        }
        let subjects = match self.subjects() {
            Ok(subjects) => subjects,
            Err(end) => return end,
        };
        if subjects.is_empty() {
            let text = "nothing was done: it had ended before".to_owned();
            return End::new(Outcome::NotFound, text);
        }
        let sent = match self.plan.levers.first() {
            Some(lever) => self.order(lever),
            None => self.send_all(deed, &subjects),
        };
        if let Err(end) = sent {
            return end;
        }
        match deed {
            Deed::Send(signal) => self.after_sending(signal, &subjects),
            Deed::Freeze => self.after_freezing(&subjects),
            Deed::Thaw => self.after_thawing(deed, &subjects),
            Deed::Unstick => self.after_unsticking(&subjects),
            Deed::Reload => self.after_reloading(&subjects, ports),
        }
    }

    fn subjects(&self) -> Result<Vec<Subject<'a>>, End> {
        let plan: &'a Plan = self.plan;
        let mut subjects = Vec::new();
        for victim in &plan.victims {
            match self.host.pin(victim.id) {
                Ok(pin) => subjects.push(Subject { pin, victim }),
                Err(ActError::Gone) => {}
                Err(error) => {
                    let text = format!("{} cannot be acted on: {error}", named(victim));
                    return Err(End::new(Outcome::Unchanged, text));
                }
            }
        }
        Ok(subjects)
    }

    /// Has the manager of a unit order it.
    fn order(&mut self, lever: &Lever) -> Result<(), End> {
        let command = lever.command();
        let ran = self.host.run(&lever.argv, self.limits.timeout);
        if ran.success {
            self.note("ran", None, format!("had {} reload by: {command}", lever.name));
            return Ok(());
        }
        self.note("failed", None, format!("{command}: {}", ran.message));
        let root = self.host.snapshot(&Scope::default()).asker.uid == 0;
        let (outcome, advice) = match !root && ran.lacks_permission() {
            true => (Outcome::Denied, format!("; try: sudo {command}")),
            false => (Outcome::Unchanged, String::new()),
        };
        let text = format!("{} did not reload ({}){advice}", lever.name, ran.message);
        Err(End::new(outcome, text))
    }

    /// Sends each its signal; who has ended meanwhile is no obstacle.
    fn send_all(&mut self, deed: Deed, subjects: &[Subject<'_>]) -> Result<(), End> {
        for subject in subjects {
            let signal = subject.victim.ask.unwrap_or(self.limits.signal);
            let (name, sort) = (subject.called(), signal_name(signal));
            let pid = Some(subject.victim.id.pid);
            match self.host.signal(&subject.pin, signal) {
                Ok(()) => {}
                Err(ActError::Gone) => continue,
                Err(ActError::Denied) => {
                    let text = format!("you may not signal {name}: {}", self.as_root());
                    return Err(End::new(Outcome::Denied, text));
                }
                Err(error) => {
                    let text = format!("{name} cannot be signalled: {error}");
                    return Err(End::new(Outcome::Unchanged, text));
                }
            }
            let (event, text) = match (deed, subject.victim.part) {
                (Deed::Send(_), _) => ("sent", format!("sent {sort} to {name}")),
                (Deed::Freeze, _) => ("froze", format!("stopped {name} ({sort})")),
                (_, Part::Parent { .. }) => {
                    ("reminded", format!("reminded {name} of its dead child ({sort})"))
                }
                (Deed::Thaw | Deed::Unstick, _) => {
                    ("continued", format!("continued {name} ({sort})"))
                }
                (Deed::Reload, _) => ("sent", format!("asked {name} to reload ({sort})")),
            };
            self.note(event, pid, text);
        }
        Ok(())
    }

    fn condition(&self, subject: &Subject<'_>) -> Option<Condition> {
        match self.host.exited(&subject.pin) {
            true => None,
            false => self.host.condition(subject.victim.id.pid),
        }
    }

    /// Waits until it is so with each that lives; those with which it is not in the end.
    fn until<'b>(
        &self,
        subjects: &'b [Subject<'b>],
        time: Duration,
        so: impl Fn(&Condition) -> bool,
    ) -> Vec<(&'b Subject<'b>, Condition)> {
        let deadline = self.host.now() + time;
        loop {
            let left: Vec<(&Subject<'_>, Condition)> = subjects
                .iter()
                .filter_map(|subject| Some((subject, self.condition(subject)?)))
                .filter(|(_, condition)| !so(condition))
                .collect();
            let pins: Vec<&Pinned> = left.iter().map(|(subject, _)| &subject.pin).collect();
            if left.is_empty()
                || self.host.now() >= deadline
                || self.host.wait(&pins, &mut Watch::silent(), STEP) == Woken::Interrupted
            {
                return left;
            }
        }
    }

    /// Those that end within that time; each is told.
    fn ended_within(&mut self, subjects: &[Subject<'_>], time: Duration) -> Vec<String> {
        let deadline = self.host.now() + time;
        loop {
            let (ended, alive): (Vec<&Subject<'_>>, Vec<&Subject<'_>>) =
                subjects.iter().partition(|subject| self.host.exited(&subject.pin));
            let now = self.host.now();
            let pins: Vec<&Pinned> = alive.iter().map(|subject| &subject.pin).collect();
            let over = alive.is_empty() || now >= deadline;
            if over
                || self.host.wait(&pins, &mut Watch::silent(), deadline - now) == Woken::Interrupted
            {
                let ended: Vec<(u32, String)> =
                    ended.iter().map(|one| (one.victim.id.pid, one.called())).collect();
                for (pid, name) in &ended {
                    self.note("exited", Some(*pid), format!("{name} has ended"));
                }
                return ended.into_iter().map(|(_, name)| name).collect();
            }
        }
    }

    fn after_sending(&mut self, signal: i32, subjects: &[Subject<'_>]) -> End {
        let names: Vec<String> = subjects.iter().map(Subject::called).collect();
        let ended = self.ended_within(subjects, SETTLING);
        let after = match (ended.len(), subjects.len()) {
            (0, 1) => "; it lives on".to_owned(),
            (0, _) => "; all live on".to_owned(),
            (1, 1) => "; it ended by it".to_owned(),
            (ended, all) if ended == all => "; all ended by it".to_owned(),
            _ => format!("; ended by it: {}", ended.join(", ")),
        };
        End::new(Outcome::Sent, format!("{}{after}", Deed::Send(signal).done(&names)))
    }

    fn after_freezing(&mut self, subjects: &[Subject<'_>]) -> End {
        let left = self.until(subjects, SHOWING, stands);
        if let Some(text) = self.not_so(&left, "does not stop") {
            return End::new(Outcome::Unchanged, text);
        }
        let names = self.alive(subjects);
        if names.is_empty() {
            return End::new(Outcome::NotFound, "nothing is frozen: it ended meanwhile".to_owned());
        }
        End::new(Outcome::Frozen, Deed::Freeze.done(&names))
    }

    /// As for the tree that is to end: whoever is born meanwhile is frozen too.
    fn freeze_tree(&mut self) -> End {
        let mut tree = match self.roots() {
            Ok(roots) => roots,
            Err(obstacle) => return self.not_held(obstacle),
        };
        if let Err(obstacle) = self.hold_still(&mut tree) {
            return self.not_held(obstacle);
        }
        let mut runs = Vec::new();
        let mut names = Vec::new();
        for member in &tree {
            let state = self.host.condition(member.id().pid);
            if self.host.exited(&member.pin) {
                continue;
            }
            names.push(member.called());
            if let Some(condition) = state.filter(|condition| !stands(condition)) {
                runs.push(format!("{} ({})", member.called(), shown(&condition)));
            }
        }
        for member in &tree {
            let text = format!("stopped {} ({})", member.called(), signal_name(SIGSTOP));
            self.note("froze", Some(member.id().pid), text);
        }
        match (runs.is_empty(), names.is_empty()) {
            (_, true) => End::new(Outcome::NotFound, "nothing is frozen: all had ended".to_owned()),
            (true, _) => End::new(Outcome::Frozen, Deed::Freeze.done(&names)),
            (false, _) => End::new(Outcome::Unchanged, format!("not stopped: {}", runs.join(", "))),
        }
    }

    fn not_held(&mut self, obstacle: Obstacle) -> End {
        match obstacle {
            Obstacle::Denied(why) => End::new(Outcome::Denied, why),
            Obstacle::Refused(refusal) => refused(refusal),
            Obstacle::Interrupted => self.interrupted(),
        }
    }

    fn after_thawing(&mut self, deed: Deed, subjects: &[Subject<'_>]) -> End {
        let left = self.until(subjects, SHOWING, |condition| !condition.is_stopped());
        if let Some(text) = self.not_so(&left, "does not go on") {
            return End::new(Outcome::Unchanged, text);
        }
        // A job in the background that reads from its terminal is stopped again by that.
        let again = self.until(subjects, SETTLING / 4, |_| false);
        let again: Vec<String> = again
            .iter()
            .filter(|(_, condition)| condition.is_stopped())
            .map(|(subject, _)| subject.called())
            .collect();
        if !again.is_empty() {
            let text = format!(
                "{} went on and was stopped again at once: a job in the background that reads from its terminal is; fg in its shell brings it to the front",
                again.join(", ")
            );
            return End::new(Outcome::Unchanged, text);
        }
        let names = self.alive(subjects);
        match names.is_empty() {
            true => {
                let text = "it went on and has ended".to_owned();
                End::new(if deed == Deed::Thaw { Outcome::Thawed } else { Outcome::Unstuck }, text)
            }
            false if deed == Deed::Thaw => End::new(Outcome::Thawed, deed.done(&names)),
            false => End::new(Outcome::Unstuck, deed.done(&names)),
        }
    }

    /// The dead are collected or are not; who stood still goes on or does not.
    fn after_unsticking(&mut self, subjects: &[Subject<'_>]) -> End {
        let dead: Vec<crate::process::ProcessId> = subjects
            .iter()
            .filter_map(|subject| match subject.victim.part {
                Part::Parent { of } => Some(of),
                _ => None,
            })
            .collect();
        if dead.is_empty() {
            return self.after_thawing(Deed::Unstick, subjects);
        }
        let deadline = self.host.now() + SHOWING;
        loop {
            let scope = Scope { pids: dead.iter().map(|id| id.pid).collect(), ..Scope::default() };
            let snapshot = self.host.snapshot(&scope);
            let left: Vec<u32> = dead
                .iter()
                .filter(|id| snapshot.processes.get(&id.pid).is_some_and(|it| it.id == **id))
                .map(|id| id.pid)
                .collect();
            if left.is_empty() {
                let text = "its parent has collected it: it is gone".to_owned();
                return End::new(Outcome::Unstuck, text);
            }
            let pins: Vec<&Pinned> = subjects.iter().map(|subject| &subject.pin).collect();
            if self.host.now() >= deadline
                || self.host.wait(&pins, &mut Watch::silent(), STEP * 4) == Woken::Interrupted
            {
                let parents: Vec<String> = subjects.iter().map(Subject::called).collect();
                let text = format!(
                    "{} did not collect it: it holds nothing but its number, and goes when that parent ends: proc stop pid:{}",
                    parents.join(", "),
                    subjects[0].victim.id.pid
                );
                return End::new(Outcome::Unchanged, text);
            }
        }
    }

    /// The same process, and its ports.
    fn after_reloading(&mut self, subjects: &[Subject<'_>], ports: &[Endpoint]) -> End {
        let names: Vec<String> = subjects.iter().map(Subject::called).collect();
        let ended = self.ended_within(subjects, SETTLING);
        if !ended.is_empty() {
            let text = format!("{} ended instead of reloading", ended.join(", "));
            return End::new(Outcome::Unchanged, text);
        }
        let closed = self.closed(ports);
        if !closed.is_empty() {
            let text = format!(
                "{}, and nothing listens on {} any more",
                Deed::Reload.done(&names),
                closed.join(", ")
            );
            return End::new(Outcome::Unchanged, text);
        }
        let served: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let served = match served.is_empty() {
            true => String::new(),
            false => format!(" and serving {}", served.join(", ")),
        };
        End::new(
            Outcome::Reloaded,
            format!(
                "{}, alive{served}; whether its files were good is in its log",
                Deed::Reload.done(&names)
            ),
        )
    }

    /// The ports that nothing serves by now. A server that binds anew takes a moment.
    fn closed(&mut self, ports: &[Endpoint]) -> Vec<String> {
        let deadline = self.host.now() + SHOWING;
        loop {
            let scope = Scope { sockets: SocketScope::Ports(ports.to_vec()), ..Scope::default() };
            let table = self.host.snapshot(&scope);
            let served = |port: &&Endpoint| {
                table
                    .sockets
                    .iter()
                    .any(|socket| socket.is_server() && socket.port() == Some(port.port.get()))
            };
            let closed: Vec<String> =
                ports.iter().filter(|port| !served(port)).map(ToString::to_string).collect();
            if closed.is_empty()
                || self.host.now() >= deadline
                || self.host.wait(&[], &mut Watch::silent(), STEP * 4) == Woken::Interrupted
            {
                return closed;
            }
        }
    }

    fn alive(&self, subjects: &[Subject<'_>]) -> Vec<String> {
        let alive = subjects.iter().filter(|subject| !self.host.exited(&subject.pin));
        alive.map(Subject::called).collect()
    }

    fn not_so(&self, left: &[(&Subject<'_>, Condition)], what: &str) -> Option<String> {
        let names: Vec<String> = left
            .iter()
            .map(|(subject, condition)| {
                format!("{} {what} ({})", subject.called(), shown(condition))
            })
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// Whether the kernel shows it held still.
fn stands(condition: &Condition) -> bool {
    matches!(condition.state, ProcessState::Stopped | ProcessState::Traced)
}

/// The kernel's word for what a process is doing.
fn shown(condition: &Condition) -> String {
    let state = match condition.state {
        ProcessState::Running => "state R, running",
        ProcessState::Sleeping => "state S, waiting",
        ProcessState::Uninterruptible => "state D, deaf to signals",
        ProcessState::Stopped => "state T, stopped",
        ProcessState::Traced => "state t, held by a debugger",
        ProcessState::Suspended => "all its threads are held",
        ProcessState::Zombie => "state Z, ended",
        ProcessState::LeaderExited => "its main thread has ended",
        ProcessState::Other => "in a state of its own",
    };
    state.to_owned()
}

/// The end of an act that a guard rail stopped on the way.
pub(super) fn refused(refusal: Refusal) -> End {
    let report = refusal.report();
    let (outcome, explain) = match refusal {
        Refusal::Denied(why) => (Outcome::Denied, why.explain),
        Refusal::Guarded(why) => (Outcome::Refused, why.explain),
        Refusal::Helpless(why) => (Outcome::StillHeld, why.explain),
        Refusal::Found(outcome, explain) => (outcome, explain),
        Refusal::AlreadyFree => (Outcome::AlreadyFree, "there is nothing to do".to_owned()),
    };
    End { refusal: report, ..End::new(outcome, explain) }
}
