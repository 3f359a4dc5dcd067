//! What can be done to processes besides ending them: sending a signal, holding them still and
//! letting them go on, having them read their configuration anew, getting a stuck one to move.

use std::collections::BTreeMap;

use super::kin::Kin;
use super::lever::{Lever, is_script};
use super::refusal::{Refusal, Why, all_open, check, named, permitted};
use super::reload::{ReloadWay, USUAL, reload_of};
use super::unfreeze::unfreezes;
use super::{Limits, Part, Plan, Verb, Victim, signal_name};
use crate::condition::Condition;
use crate::diagnosis::{Cause, CauseKind, Diagnosis, topmost};
use crate::explain;
use crate::process::{Process, ProcessState, SupervisorKind};
use crate::report::{Outcome, RefusalReason};
use crate::snapshot::Snapshot;
use crate::supervisor::supervisor_of;

/// How the processes of a plan stand, by PID.
pub type Conditions = BTreeMap<u32, Condition>;

/// What is done to the processes of a plan, where they are not to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Send this signal, which asks nobody to end.
    Send(i32),
    /// Stop them (SIGSTOP), until somebody continues them.
    Freeze,
    /// Continue them (SIGCONT).
    Thaw,
    /// Continue what stands still; have a dead child collected.
    Unstick,
    /// Have them read their configuration anew.
    Reload,
}

#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
mod numbers {
    pub const SIGSTOP: i32 = 17;
    pub const SIGCONT: i32 = 19;
    pub const SIGCHLD: i32 = 20;
}
#[cfg(not(any(target_os = "macos", target_os = "ios", target_os = "freebsd")))]
mod numbers {
    pub const SIGSTOP: i32 = 19;
    pub const SIGCONT: i32 = 18;
    pub const SIGCHLD: i32 = 17;
}
pub(crate) use numbers::{SIGCHLD, SIGCONT, SIGSTOP};

/// Whether a signal asks a process to end, so that its end is what is waited for: INT, QUIT, ABRT,
/// KILL and TERM. Servers take HUP for an order to reload, and USR1 and the like for whatever they
/// please: these are sent, and that is all.
pub const fn asks_to_end(signal: i32) -> bool {
    matches!(signal, 2 | 3 | 6 | 9 | 15)
}

impl Limits {
    /// What is to be done to processes besides ending them; `None` where they are to end.
    pub const fn deed(&self) -> Option<Deed> {
        match self.verb {
            Verb::Freeze => Some(Deed::Freeze),
            Verb::Thaw => Some(Deed::Thaw),
            Verb::Unstick => Some(Deed::Unstick),
            Verb::Reload => Some(Deed::Reload),
            Verb::Kill | Verb::Stop if !asks_to_end(self.signal) => Some(Deed::Send(self.signal)),
            Verb::Kill | Verb::Stop | Verb::Free => None,
        }
    }
}

/// The processes that have a port, for a deed.
///
/// # Errors
/// Why nothing will be done: hidden holders, the kernel, nobody.
pub fn port_holders(
    diagnosis: &Diagnosis,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<Vec<u32>, Refusal> {
    let own: Vec<&Cause> =
        diagnosis.causes.iter().filter(|cause| !cause.kind.hinders_no_bind()).collect();
    let (causes, _, _) = super::concerned(&own, diagnosis, snapshot);
    let mut pids = Vec::new();
    for cause in causes.iter().filter(|cause| cause.kind.is_live()) {
        match cause.kind {
            // Its process was not named.
            CauseKind::OutgoingConnection => {}
            CauseKind::HiddenHolder | CauseKind::Kernel => {
                super::obstacle(cause, diagnosis, snapshot, limits)?;
            }
            _ => pids.extend(cause.pids.iter().copied()),
        }
    }
    pids.sort_unstable();
    pids.dedup();
    match pids.is_empty() {
        true => {
            Err(Refusal::Found(Outcome::NotFound, format!("no process has {}", diagnosis.endpoint)))
        }
        false => Ok(pids),
    }
}

/// Plans a deed for these processes.
///
/// # Errors
/// Why nothing will be done, or that nothing need be.
pub fn plan_deed(
    deed: Deed,
    pids: &[u32],
    snapshot: &Snapshot,
    conditions: &Conditions,
    limits: &Limits,
) -> Result<Plan, Refusal> {
    let scene = Scene { snapshot, conditions, limits };
    let mut plan = Plan { deed: Some(deed), ..Plan::default() };
    let pids = match deed {
        Deed::Reload => masters(pids, snapshot),
        _ => scene.with_below(topmost(snapshot, pids)),
    };
    let mut settled = Vec::new();
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        scene.may(deed, process)?;
        match deed {
            Deed::Send(signal) => plan.victims.push(scene.victim(process, &pids, signal)),
            Deed::Freeze if scene.stands(process) => {
                settled.push(format!("{} is frozen already (state T)", named(process)));
            }
            Deed::Freeze => plan.victims.push(scene.victim(process, &pids, SIGSTOP)),
            Deed::Thaw => scene.thaw(process, &pids, &mut plan, &mut settled),
            Deed::Unstick => scene.unstick(process, &mut plan, &mut settled)?,
            Deed::Reload => scene.reload(process, &pids, &mut plan)?,
        }
    }
    if plan.victims.is_empty() {
        let told = settled.into_iter().chain(plan.notes).collect::<Vec<_>>().join("; ");
        return Err(Refusal::Found(scene.outcome_of_nothing(deed, &pids), told));
    }
    plan.notes.extend(settled);
    if deed == Deed::Freeze {
        plan.notes.push(
            "frozen, it keeps its ports and connections and answers nobody: clients hang until proc thaw"
                .to_owned(),
        );
    }
    Ok(plan)
}

/// Plans a deed that the manager of these processes is told to have done.
pub fn plan_order(deed: Deed, lever: Lever, pids: &[u32], snapshot: &Snapshot) -> Plan {
    let victims = topmost(snapshot, pids);
    let victims = victims.iter().filter_map(|pid| snapshot.processes.get(pid)).take(1);
    let victims = victims.map(|process| Victim {
        id: process.id,
        name: process.program().to_owned(),
        stopped: process.is_stopped(),
        holds: Vec::new(),
        topmost: true,
        part: Part::Target,
        ask: None,
        never_forced: None,
        argv: process.argv.clone(),
    });
    Plan { deed: Some(deed), victims: victims.collect(), levers: vec![lever], ..Plan::default() }
}

struct Scene<'a> {
    snapshot: &'a Snapshot,
    conditions: &'a Conditions,
    limits: &'a Limits,
}

impl Scene<'_> {
    /// With `--tree`, these and all that they started; topmost first.
    fn with_below(&self, pids: Vec<u32>) -> Vec<u32> {
        if !self.limits.tree {
            return pids;
        }
        let below = Kin::of(self.snapshot).below(pids.iter().copied());
        let new = below.iter().map(|process| process.id.pid).filter(|pid| !pids.contains(pid));
        let new: Vec<u32> = new.collect();
        pids.into_iter().chain(new).collect()
    }

    /// Whether a deed may be done to a process. What lets it go on, or has it read its files, hurts
    /// nobody: a door is no rail there, and a protected name is.
    fn may(&self, deed: Deed, process: &Process) -> Result<(), Refusal> {
        match deed {
            Deed::Send(_) => check(process, self.snapshot, self.limits),
            Deed::Freeze => {
                check(process, self.snapshot, self.limits)?;
                self.is_own_shell(process)
            }
            Deed::Reload => match check(process, self.snapshot, self.limits) {
                Err(Refusal::Guarded(why)) if why.reason == RefusalReason::Door => {
                    self.gently(process)
                }
                other => other,
            },
            Deed::Thaw | Deed::Unstick => self.gently(process),
        }
    }

    /// Whether neither `--mine`, nor its name, nor its user stands before it.
    fn gently(&self, process: &Process) -> Result<(), Refusal> {
        all_open(&[process.id.pid], self.snapshot, self.limits)?;
        permitted(process, self.snapshot, self.limits)
    }

    /// The shell of the terminal that one types into may be no ancestor (`setsid`, `su`), and frozen
    /// it leaves nobody to thaw it.
    fn is_own_shell(&self, process: &Process) -> Result<(), Refusal> {
        let own = self.snapshot.processes.get(&self.snapshot.asker.pid);
        let terminal = own.and_then(|own| own.terminal.as_ref());
        let leads = process.session == Some(process.id.pid);
        if self.limits.force
            || terminal.is_none()
            || process.terminal.as_ref() != terminal
            || !leads
        {
            return Ok(());
        }
        let explain = format!(
            "{} is the shell of the terminal that you type into: nobody could thaw it there; --force does it all the same",
            named(process)
        );
        Err(Refusal::Guarded(Why::of(process, RefusalReason::OwnAncestor, explain)))
    }

    fn condition(&self, process: &Process) -> Option<&Condition> {
        self.conditions.get(&process.id.pid)
    }

    fn stands(&self, process: &Process) -> bool {
        self.condition(process).map_or(process.is_stopped(), Condition::is_stopped)
    }

    fn victim(&self, process: &Process, pids: &[u32], signal: i32) -> Victim {
        let above = self.snapshot.ancestors(process.id.pid);
        Victim {
            id: process.id,
            name: process.program().to_owned(),
            stopped: self.stands(process),
            holds: Vec::new(),
            topmost: !above.iter().any(|ancestor| pids.contains(&ancestor.id.pid)),
            part: Part::Target,
            ask: Some(signal),
            never_forced: None,
            argv: process.argv.clone(),
        }
    }

    fn thaw(&self, process: &Process, pids: &[u32], plan: &mut Plan, settled: &mut Vec<String>) {
        if self.stands(process) {
            plan.victims.push(self.victim(process, pids, SIGCONT));
            plan.notes.extend(self.job_note(process));
            return;
        }
        match self.hindrance(process) {
            Some(told) => settled.push(told),
            None => settled.push(format!("{} is not frozen", named(process))),
        }
    }

    /// A stopped job in the background of a terminal stops again when it reads from that.
    fn job_note(&self, process: &Process) -> Option<String> {
        let terminal = process.terminal.as_ref()?;
        self.condition(process).filter(|condition| condition.in_background)?;
        Some(format!(
            "{} is a job in the background of {terminal}: it stops again as soon as it reads from there; fg in that shell brings it to the front",
            named(process)
        ))
    }

    /// What holds a process still that no signal moves.
    fn hindrance(&self, process: &Process) -> Option<String> {
        let condition = self.condition(process)?;
        let who = named(process);
        if let Some(freezer) = &condition.freezer {
            let cure = unfreezes(process, freezer, self.snapshot);
            return Some(format!(
                "{who} is in the frozen control group {}; what lets it go on: {cure}",
                freezer.group
            ));
        }
        match (condition.state, condition.tracer) {
            (ProcessState::Traced, Some(tracer)) => {
                let by = self
                    .snapshot
                    .processes
                    .get(&tracer)
                    .map_or_else(|| format!("pid {tracer}"), named);
                Some(format!(
                    "{who} is held by its debugger, {by} (state t): detach or continue it there"
                ))
            }
            (ProcessState::Uninterruptible, _) if self.limits.verb == Verb::Thaw => {
                Some(format!("{who} waits for the kernel (state D), which no signal ends"))
            }
            _ => None,
        }
    }

    fn unstick(
        &self,
        process: &Process,
        plan: &mut Plan,
        settled: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        let who = named(process);
        if process.state == ProcessState::Zombie {
            let Some(parent) = self.snapshot.processes.get(&process.ppid) else {
                settled.push(format!("{who} has ended, and nobody is there to collect it"));
                return Ok(());
            };
            permitted(parent, self.snapshot, self.limits)?;
            plan.notes.push(format!(
                "{who} has ended (state Z): only {}, its parent, can collect it, and is reminded by SIGCHLD",
                named(parent)
            ));
            let mut victim = self.victim(parent, &[], SIGCHLD);
            victim.part = Part::Parent { of: process.id };
            plan.victims.push(victim);
            return Ok(());
        }
        if self.stands(process) {
            plan.victims.push(self.victim(process, &[process.id.pid], SIGCONT));
            plan.notes.extend(self.job_note(process));
            return Ok(());
        }
        let stuck = self.condition(process).and_then(|condition| condition.stuck.as_ref());
        settled.push(match (self.hindrance(process), stuck) {
            (Some(told), _) => told,
            (None, Some(stuck)) => format!("{who}: {stuck}"),
            (None, None) => {
                format!("{who} shows no sign of being stuck: it waits or works, as servers do")
            }
        });
        Ok(())
    }

    /// What it came to where there is nothing to signal.
    fn outcome_of_nothing(&self, deed: Deed, pids: &[u32]) -> Outcome {
        let held = pids.iter().filter_map(|pid| self.snapshot.processes.get(pid)).any(|process| {
            process.state == ProcessState::Zombie
                || self.hindrance(process).is_some()
                || self.condition(process).is_some_and(|condition| condition.stuck.is_some())
        });
        match deed {
            Deed::Freeze => Outcome::Frozen,
            Deed::Thaw if !held => Outcome::Thawed,
            Deed::Unstick if !held => Outcome::NotStuck,
            _ => Outcome::Unchanged,
        }
    }

    fn reload(&self, process: &Process, pids: &[u32], plan: &mut Plan) -> Result<(), Refusal> {
        let who = named(process);
        let no = |reason, explain| Err(Refusal::Guarded(Why::of(process, reason, explain)));
        if process.kernel_thread {
            let explain = format!("{who} is a thread of the kernel: it has nothing to reload");
            return no(RefusalReason::KernelThread, explain);
        }
        let known = reload_of(process);
        let signal = match known.map(|known| known.way) {
            None => USUAL,
            Some(ReloadWay::Signal(signal)) => signal,
            Some(ReloadWay::Command(command)) => {
                let place = process
                    .cwd
                    .as_ref()
                    .map_or(String::new(), |cwd| format!(" (it runs in {cwd})"));
                let explain = format!("{who} reloads by a command of its own: {command}{place}");
                return no(RefusalReason::NoReload, explain);
            }
            Some(ReloadWay::Never(why)) => {
                return no(RefusalReason::NoReload, format!("{who} does not reload: {why}"));
            }
        };
        let sort = signal_name(signal);
        let condition = self.condition(process);
        if condition.is_some_and(|condition| condition.ignores(signal)) {
            let explain = format!("{who} ignores {sort}: nothing would happen");
            return no(RefusalReason::NoReload, explain);
        }
        let handles = condition.map(|condition| condition.catches(signal));
        let doubt = match handles {
            Some(true) => None,
            Some(false) => Some(format!("{who} has no handler for {sort}, so it would end by it")),
            None => Some(format!("whether {who} handles {sort}, or ends by it, could not be seen")),
        };
        match (doubt, known) {
            (Some(doubt), _) if !self.limits.force => {
                let place = format!("SigCgt of /proc/{}/status", process.id.pid);
                let explain = format!("{doubt} ({place}); --force sends it all the same");
                return no(RefusalReason::WouldEnd, explain);
            }
            (Some(doubt), _) => plan.notes.push(doubt),
            (None, None) => plan.notes.push(format!(
                "{who} handles {sort}; whether it reloads by it is for its own documentation to say"
            )),
            (None, Some(known)) if known.note.is_empty() => {}
            (None, Some(known)) => plan.notes.push(format!("{who}: {}", known.note)),
        }
        plan.victims.push(self.victim(process, pids, signal));
        Ok(())
    }
}

/// Whom to ask in place of workers: their master, each once; of a parent and its children of the
/// same program the parent alone.
fn masters(pids: &[u32], snapshot: &Snapshot) -> Vec<u32> {
    let mut asked = Vec::new();
    for pid in topmost(snapshot, pids) {
        let above = supervisor_of(pid, snapshot)
            .filter(|by| by.kind == SupervisorKind::Master)
            .and_then(|by| by.pid);
        let same = |parent: &&Process| {
            let own = snapshot.processes.get(&pid).and_then(|own| own.exe.as_ref());
            own.is_some() && parent.exe.as_ref() == own
        };
        let chain = snapshot.ancestors(pid);
        let shell = snapshot.processes.get(&pid).is_some_and(is_script);
        let family = chain.iter().take_while(|parent| !shell && same(parent)).last();
        let top = above.or(family.map(|parent| parent.id.pid)).unwrap_or(pid);
        if !asked.contains(&top) {
            asked.push(top);
        }
    }
    asked
}

impl Deed {
    /// What is about to be done, as a step: its word, and the sentence.
    pub(super) fn step(self, victim: &Victim) -> (&'static str, String) {
        let name = format!("{} (pid {})", victim.name, victim.id.pid);
        let sort = signal_name(victim.ask.unwrap_or(0));
        match (self, victim.part) {
            (Self::Send(_), _) => ("send", format!("send {sort} to {name}")),
            (Self::Freeze, _) => ("freeze", format!("freeze {name} ({sort})")),
            (_, Part::Parent { .. }) => {
                ("remind", format!("remind {name} of its dead child ({sort})"))
            }
            (Self::Thaw | Self::Unstick, _) => ("continue", format!("continue {name} ({sort})")),
            (Self::Reload, _) => ("reload", format!("have {name} reload ({sort})")),
        }
    }

    /// The end of a deed to several, in one sentence.
    pub(crate) fn done(self, names: &[String]) -> String {
        let who = match names {
            [one] => one.clone(),
            many => explain::count(many.len(), "process", "processes"),
        };
        let is = if names.len() == 1 { "is" } else { "are" };
        match self {
            Self::Send(signal) => format!("sent {} to {who}", signal_name(signal)),
            Self::Freeze => format!("{who} {is} frozen (state T)"),
            Self::Thaw | Self::Unstick => format!("{who} {is} running again"),
            Self::Reload => format!("{who} took the order to reload"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::condition::Freezer;
    use crate::snapshot::Asker;
    use crate::supervisor::tests::process;

    fn limits(verb: Verb) -> Limits {
        Limits {
            verb,
            force: false,
            mine: false,
            protected: Vec::new(),
            tree: false,
            only_signal: false,
            now: false,
            signal: 15,
            grace: Duration::ZERO,
            timeout: Duration::from_secs(1),
            options: Vec::new(),
            target: None,
        }
    }

    fn condition(pid: u32, state: ProcessState) -> Condition {
        Condition {
            leader: pid,
            state,
            tracer: None,
            caught: 0,
            ignored: 0,
            in_background: false,
            freezer: None,
            stuck: None,
        }
    }

    /// A node of pid 40 under a gdb of pid 30, for root.
    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.asker = Asker { uid: 0, pid: 9000, ..snapshot.asker };
        for process in [
            process(30, 1, "/usr/bin/gdb", &["gdb"]),
            process(40, 30, "/usr/bin/node", &["node", "server.js"]),
        ] {
            snapshot.processes.insert(process.id.pid, process);
        }
        snapshot
    }

    fn planned(verb: Verb, own: Condition, force: bool) -> Result<Plan, Refusal> {
        let limits = Limits { force, ..limits(verb) };
        let conditions = Conditions::from([(40, own)]);
        plan_deed(limits.deed().unwrap(), &[40], &snapshot(), &conditions, &limits)
    }

    #[track_caller]
    fn found(verb: Verb, own: Condition, outcome: Outcome, words: &str) {
        match planned(verb, own, true) {
            Err(Refusal::Found(got, told)) if got == outcome && told.contains(words) => {}
            other => panic!("{words}: {other:#?}"),
        }
    }

    #[test]
    fn what_holds_a_process_still_is_told_and_not_signalled() {
        let freezer = Some(Freezer {
            group: "/shop.slice".to_owned(),
            file: "/sys/fs/cgroup/shop.slice/cgroup.freeze".to_owned(),
            thaws: "0",
        });
        let sleeping = condition(40, ProcessState::Sleeping);
        let boxed = Condition { freezer, ..sleeping.clone() };
        let held = Condition { tracer: Some(30), ..condition(40, ProcessState::Traced) };
        let stuck = Some("it waited for all of 300 ms, deaf to signals (state D)".to_owned());
        let deaf = Condition { stuck, ..condition(40, ProcessState::Uninterruptible) };
        for verb in [Verb::Unstick, Verb::Thaw] {
            let freezer = "echo 0 > /sys/fs/cgroup/shop.slice/cgroup.freeze";
            found(verb, boxed.clone(), Outcome::Unchanged, freezer);
            found(verb, held.clone(), Outcome::Unchanged, "its debugger, gdb (pid 30)");
            found(verb, deaf.clone(), Outcome::Unchanged, "state D");
        }
        let moment = condition(40, ProcessState::Uninterruptible);
        found(Verb::Unstick, moment, Outcome::NotStuck, "no sign");
        found(Verb::Unstick, sleeping.clone(), Outcome::NotStuck, "no sign");
        found(Verb::Thaw, sleeping, Outcome::Thawed, "is not frozen");
        found(Verb::Freeze, condition(40, ProcessState::Stopped), Outcome::Frozen, "already");
    }

    #[test]
    fn a_job_in_the_background_is_said_to_stop_again() {
        let stopped = Condition { in_background: true, ..condition(40, ProcessState::Stopped) };
        let mut snapshot = snapshot();
        snapshot.processes.get_mut(&40).unwrap().terminal = Some("pts/3".to_owned());
        let limits = limits(Verb::Thaw);
        let conditions = Conditions::from([(40, stopped)]);
        let plan = plan_deed(Deed::Thaw, &[40], &snapshot, &conditions, &limits).unwrap();
        assert_eq!(plan.victims[0].ask, Some(SIGCONT));
        assert!(plan.notes[0].contains("background of pts/3"), "{:?}", plan.notes);
    }

    #[test]
    fn reload_goes_by_what_the_kernel_says_of_the_signal() {
        let with = |caught, ignored| Condition {
            caught,
            ignored,
            ..condition(40, ProcessState::Sleeping)
        };
        let handled = planned(Verb::Reload, with(1, 0), false).unwrap();
        assert_eq!(handled.victims[0].ask, Some(USUAL));
        for (own, force, reason) in [
            (with(0, 0), false, RefusalReason::WouldEnd),
            (with(1 << 1, 0), false, RefusalReason::WouldEnd),
            (with(0, 1), false, RefusalReason::NoReload),
            (with(0, 1), true, RefusalReason::NoReload),
        ] {
            match planned(Verb::Reload, own, force) {
                Err(Refusal::Guarded(why)) => assert_eq!(why.reason, reason),
                other => panic!("{other:#?}"),
            }
        }
        assert!(planned(Verb::Reload, with(0, 0), true).is_ok());
    }

    #[test]
    fn only_some_signals_ask_for_an_end() {
        let deed = |signal| Limits { signal, ..limits(Verb::Kill) }.deed();
        for signal in [2, 3, 6, 9, 15] {
            assert_eq!(deed(signal), None, "{signal}");
        }
        for signal in [1, 10, 12, 18, 19, 28, 34, 64] {
            assert_eq!(deed(signal), Some(Deed::Send(signal)));
        }
        let free = Limits { signal: 1, ..limits(Verb::Free) };
        assert_eq!(free.deed(), None);
    }
}
