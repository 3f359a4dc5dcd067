//! A tree of processes held still, so that nobody in it can start another unseen: everything below
//! the roots is stopped from the top down, until a look at the machine shows nobody new.

use std::collections::HashSet;
use std::time::Duration;

use super::run::{Release, Run};
use crate::host::{ActError, Pinned, Watch, Woken};
use crate::plan::kin::{Kin, strays_note};
use crate::plan::{Part, Refusal, SIGCONT, SIGKILL, SIGSTOP, Verb, check};
use crate::process::{Process, ProcessId, ProcessState};
use crate::snapshot::{Scope, Snapshot};

/// The most looks for new members: each finds all that were born before those above were stopped.
pub(super) const ROUNDS: usize = 64;
/// How long the kernel may take to stop a process; one that waits for a device never is.
const STOPPING: Duration = Duration::from_millis(500);
/// Between two looks whether they have stopped.
const STEP: Duration = Duration::from_millis(2);
/// How long a family is given to follow its topmost members before each is asked in person.
pub(super) const FAMILY: Duration = Duration::from_millis(300);

/// One process of a tree, for good.
pub(super) struct Member {
    pub(super) pin: Pinned,
    pub(super) name: String,
    /// The signal that asks it.
    ask: i32,
    pub(super) never_forced: Option<&'static str>,
    /// Whether it is a root.
    pub(super) root: bool,
    /// Whether its end was told.
    ended: bool,
}

impl Member {
    pub(super) fn id(&self) -> ProcessId {
        self.pin.id
    }

    pub(super) fn called(&self) -> String {
        format!("{} (pid {})", self.name, self.pin.id.pid)
    }
}

/// Why a tree was not held still; everything in it goes on as it was.
pub(super) enum Obstacle {
    /// A guard rail stands before a member that was not there when the plan was made.
    Refused(Refusal),
    /// A signal was not permitted.
    Denied(String),
    /// The person stopped it.
    Interrupted,
}

impl Run<'_> {
    /// The plan's roots, pinned. One that is gone is no obstacle.
    pub(super) fn roots(&mut self) -> Result<Vec<Member>, Obstacle> {
        let mut roots = Vec::new();
        let below = |part| matches!(part, Part::Member | Part::Kin);
        for victim in self.plan.victims.iter().filter(|victim| !below(victim.part)) {
            match self.host.pin(victim.id) {
                // It let go by itself: nobody is hurt for nothing.
                Ok(pin) if !self.holds_still(victim, &pin) => {}
                Ok(pin) => roots.push(Member {
                    pin,
                    name: victim.name.clone(),
                    ask: victim.ask.unwrap_or(self.limits.signal),
                    never_forced: victim.never_forced,
                    root: true,
                    ended: false,
                }),
                Err(ActError::Gone) => {}
                Err(error) => {
                    let who = format!("{} (pid {})", victim.name, victim.id.pid);
                    return Err(Obstacle::Denied(format!("{who} cannot be acted on: {error}")));
                }
            }
        }
        Ok(roots)
    }

    /// Stops these and everything below them. Whoever was born meanwhile is among them in the end:
    /// a process that is stopped starts no other, and one more look shows that nobody is new. Only
    /// children count, by the kernel's word at that moment: who was given to another parent since is
    /// that one's.
    ///
    /// # Errors
    /// [`Obstacle`]; then all that were stopped here have been continued.
    pub(super) fn hold_still(&mut self, members: &mut Vec<Member>) -> Result<(), Obstacle> {
        let stopped_before = self.stopped_before(members);
        let held = self.stop_all_below(members);
        if held.is_err() {
            for member in members.iter().filter(|it| !stopped_before.contains(&it.id())) {
                let _ = self.host.signal(&member.pin, SIGCONT);
            }
        }
        held
    }

    fn stopped_before(&self, members: &[Member]) -> HashSet<ProcessId> {
        let planned = self.plan.victims.iter().filter(|victim| victim.stopped).map(|it| it.id);
        let now = members.iter().map(Member::id).filter(|id| {
            self.host.condition(id.pid).is_some_and(|condition| condition.is_stopped())
        });
        planned.chain(now).collect()
    }

    fn stop_all_below(&mut self, members: &mut Vec<Member>) -> Result<(), Obstacle> {
        let mut new = 0;
        for _ in 0..ROUNDS {
            self.stop(&members[new..])?;
            new = members.len();
            self.join(members)?;
            if members.len() == new {
                return Ok(());
            }
            if super::is_interrupted(self.host) {
                return Err(Obstacle::Interrupted);
            }
        }
        // What is born faster than it is found is found again before it is forced.
        let text = format!("new processes kept appearing in {ROUNDS} looks");
        self.note("failed", None, text);
        Ok(())
    }

    /// Adds whoever is below one of them by now and was not known.
    pub(super) fn join(&mut self, members: &mut Vec<Member>) -> Result<(), Obstacle> {
        let pins: Vec<&Pinned> = members.iter().map(|member| &member.pin).collect();
        let mut descendants = self.host.descendants(&pins);
        if let Some((found, enclosure)) = descendants.as_mut().zip(self.enclosure.as_ref()) {
            found.extend(enclosure.members());
        }
        let scope = Scope { all_processes: true, ..Scope::default() };
        let snapshot = self.host.snapshot(&scope);
        let known: HashSet<ProcessId> = members.iter().map(Member::id).collect();
        for process in below(&known, descendants.as_deref(), &snapshot) {
            // This very command cannot hold itself still.
            if known.contains(&process.id) || process.id.pid == snapshot.asker.pid {
                continue;
            }
            check(process, &snapshot, self.limits).map_err(Obstacle::Refused)?;
            match self.host.pin(process.id) {
                Ok(pin) => {
                    let member = Member {
                        pin,
                        name: process.program().to_owned(),
                        ask: self.asks(process.id),
                        never_forced: self.spares(process.id),
                        root: false,
                        ended: false,
                    };
                    if self.planned(process.id).is_none() {
                        let text =
                            format!("{} was born meanwhile and belongs to it", member.called());
                        self.note("joined", Some(process.id.pid), text);
                    }
                    members.push(member);
                }
                Err(ActError::Gone) => {}
                Err(error) => {
                    let who = format!("{} (pid {})", process.program(), process.id.pid);
                    return Err(Obstacle::Denied(format!("{who} cannot be acted on: {error}")));
                }
            }
        }
        Ok(())
    }

    /// Stops them and waits until the kernel says that they are.
    fn stop(&mut self, members: &[Member]) -> Result<(), Obstacle> {
        for member in members {
            match self.host.signal(&member.pin, SIGSTOP) {
                Ok(()) | Err(ActError::Gone) => {}
                Err(ActError::Denied) => {
                    let text =
                        format!("you may not signal {}: {}", member.called(), self.as_root());
                    return Err(Obstacle::Denied(text));
                }
                Err(error) => {
                    let text = format!("{} cannot be signalled: {error}", member.called());
                    return Err(Obstacle::Denied(text));
                }
            }
        }
        let deadline = self.host.now() + STOPPING;
        for member in members {
            while self.runs(member) && self.host.now() < deadline {
                if self.host.wait(&[&member.pin], &mut Watch::silent(), STEP) == Woken::Interrupted
                {
                    return Err(Obstacle::Interrupted);
                }
            }
        }
        Ok(())
    }

    /// Whether a member can still start others.
    fn runs(&self, member: &Member) -> bool {
        use ProcessState::{Stopped, Traced, Zombie};
        let state = self.host.condition(member.id().pid).map(|condition| condition.state);
        !self.host.exited(&member.pin)
            && state.is_some_and(|state| !matches!(state, Stopped | Traced | Zombie))
    }

    fn planned(&self, id: ProcessId) -> Option<&crate::plan::Victim> {
        self.plan.victims.iter().find(|victim| victim.id == id)
    }

    fn asks(&self, id: ProcessId) -> i32 {
        self.planned(id).and_then(|victim| victim.ask).unwrap_or(self.limits.signal)
    }

    fn spares(&self, id: ProcessId) -> Option<&'static str> {
        self.planned(id)?.never_forced
    }

    /// Ends the whole tree: held still, asked from the top down, forced after the grace.
    pub(super) fn end_tree(&mut self) -> Release {
        let mut tree = match self.roots() {
            Ok(roots) => roots,
            Err(obstacle) => return self.given_up(obstacle),
        };
        if self.plan.on_windows {
            return self.end_restless_tree(tree);
        }
        if let Err(obstacle) = self.hold_still(&mut tree) {
            return self.given_up(obstacle);
        }
        self.tell_leavers(&tree);
        let deadline = self.started + self.limits.timeout;
        if self.limits.now {
            self.force_tree(&mut tree);
            return self.await_tree(&mut tree, deadline);
        }
        // All go on before one may end: where a process ends and leaves a group with somebody stopped
        // in it to nobody, the kernel hangs up on the whole group (SIGHUP), and who is in it and not
        // of the tree would end along (setpgid(2), `kill_orphaned_pgrp` of kernel/exit.c).
        for member in tree.iter().rev() {
            let _ = self.host.signal(&member.pin, SIGCONT);
        }
        self.ask(&tree, |member| member.root);
        let asked_at = self.host.now();
        match self.await_tree(&mut tree, (asked_at + FAMILY).min(deadline)) {
            Release::Late(_) => {}
            other => return other,
        }
        if let Err(obstacle) = self.join(&mut tree) {
            return self.given_up(obstacle);
        }
        self.ask(&tree, |member| !member.root);
        let patience = match self.limits.verb {
            Verb::Stop => deadline,
            _ => (asked_at + self.limits.grace).min(deadline),
        };
        match self.await_tree(&mut tree, patience) {
            Release::Late(names) if self.limits.verb == Verb::Stop => return Release::Late(names),
            Release::Late(_) => {}
            other => return other,
        }
        // Those that live start others, perhaps: all are held still again and forced together.
        if let Err(obstacle) = self.hold_still(&mut tree) {
            return self.given_up(obstacle);
        }
        self.force_tree(&mut tree);
        self.await_tree(&mut tree, deadline)
    }

    pub(super) fn given_up(&mut self, obstacle: Obstacle) -> Release {
        match obstacle {
            Obstacle::Denied(why) => Release::Denied(why),
            Obstacle::Refused(refusal) => Release::Refused(refusal),
            Obstacle::Interrupted => Release::Interrupted,
        }
    }

    /// Who was of the tree when it was asked about, and is not any more.
    pub(super) fn tell_leavers(&mut self, tree: &[Member]) {
        let found: HashSet<ProcessId> = tree.iter().map(Member::id).collect();
        let left: Vec<(u32, String)> = self
            .plan
            .victims
            .iter()
            .filter(|victim| !found.contains(&victim.id))
            .map(|victim| (victim.id.pid, format!("{} (pid {})", victim.name, victim.id.pid)))
            .collect();
        for (pid, name) in left {
            self.note("left", Some(pid), format!("{name} has ended or has another parent by now"));
        }
    }

    /// To how many that came through.
    pub(super) fn ask(&mut self, tree: &[Member], choose: impl Fn(&Member) -> bool) -> usize {
        let mut asked = 0;
        for member in tree.iter().filter(|member| choose(member)) {
            if self.host.exited(&member.pin) || self.host.signal(&member.pin, member.ask).is_err() {
                continue;
            }
            asked += 1;
            let text = format!("asked {} to end ({})", member.called(), self.asks_by(member.ask));
            self.note("asked", Some(member.id().pid), text);
        }
        asked
    }

    /// From the bottom up, and the spared go on first: nobody ends above one that stands still.
    fn force_tree(&mut self, tree: &mut [Member]) {
        for member in tree.iter().rev().filter(|member| member.never_forced.is_some()) {
            let _ = self.host.signal(&member.pin, SIGCONT);
        }
        for member in tree.iter().rev().filter(|member| member.never_forced.is_none()) {
            let alive = !self.host.exited(&member.pin);
            if alive && self.host.signal(&member.pin, SIGKILL).is_ok() {
                let text = format!("forced {} to end (SIGKILL)", member.called());
                self.note("forced", Some(member.id().pid), text);
            }
        }
    }

    /// Waits until all have ended, telling of each.
    pub(super) fn await_tree(&mut self, tree: &mut [Member], deadline: Duration) -> Release {
        loop {
            let mut events = Vec::new();
            for member in tree.iter_mut().filter(|member| !member.ended) {
                if self.host.exited(&member.pin) {
                    member.ended = true;
                    events.push((member.id().pid, format!("{} has ended", member.called())));
                }
            }
            for (pid, text) in events {
                self.note("exited", Some(pid), text);
            }
            let left: Vec<&Member> = tree.iter().filter(|member| !member.ended).collect();
            let now = self.host.now();
            if left.is_empty() {
                self.tell_strays(tree);
                return Release::Done;
            }
            if now >= deadline {
                let names = left.iter().map(|member| member.called()).collect();
                let spared = left.iter().find_map(|member| member.never_forced);
                return Release::Late(super::run::Stubborn { names, spared });
            }
            let pins: Vec<&Pinned> = left.iter().map(|member| &member.pin).collect();
            let mut silent = Watch::silent();
            if self.host.wait(&pins, &mut silent, deadline - now) == Woken::Interrupted {
                return Release::Interrupted;
            }
        }
    }

    /// Who was started by one of them while it was ending, and got away to another parent.
    fn tell_strays(&mut self, tree: &[Member]) {
        let pids: Vec<u32> = tree.iter().map(|member| member.id().pid).collect();
        let snapshot = self.host.snapshot(&Scope { all_processes: true, ..Scope::default() });
        let note = strays_note(&pids, &snapshot);
        if let Some(note) = note.filter(|note| !self.plan.notes.contains(note)) {
            self.late_notes.push(note);
        }
    }
}

/// Who is below these: as the system says, or else by the parents that a snapshot tells.
fn below<'a>(
    known: &HashSet<ProcessId>,
    descendants: Option<&[ProcessId]>,
    snapshot: &'a Snapshot,
) -> Vec<&'a Process> {
    let living =
        |id: &ProcessId| snapshot.processes.get(&id.pid).filter(|process| process.id == *id);
    match descendants {
        Some(found) => found.iter().filter_map(living).collect(),
        None => Kin::of(snapshot).below(known.iter().filter_map(living).map(|it| it.id.pid)),
    }
}
