//! What to do about one holder: the command or the engine that stops it for good, the process that
//! would start it again, or a signal to itself. Nothing is done here, and nobody is asked.

use super::kin::Kin;
use super::refusal::{Refusal, Why, all_mine, check, guard, named};
use super::{Limits, Part, is_stopped_by};
use crate::engine::{ContainerFacts, facts_of};
use crate::nature::{Nature, NatureKind, nature_of};
use crate::process::{Process, ProcessId, Supervisor, SupervisorKind};
use crate::report::RefusalReason;
use crate::snapshot::Snapshot;
use crate::socket::{Holders, Socket};
use crate::supervisor::{
    Proof, below_manager, container_proxy, could_restart, door, is_service_manager, proof_of,
    socket_unit_supervisor, supervisor_of, unit_guard,
};

/// What stops a holder by whoever runs it: a command, or the API of a container's engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lever {
    /// The command; where the engine is asked through its API, the command that does the same.
    pub argv: Vec<String>,
    /// What it stops, for sentences.
    pub name: String,
    /// The container, where its engine can be asked through its API.
    pub container: Option<ContainerFacts>,
    /// The holders that it is for.
    pub pids: Vec<u32>,
    /// Their sockets that are wanted, by inode.
    pub inodes: Vec<u64>,
    /// What else stops, in a few words each, as its manager knows.
    pub takes_along: Vec<String>,
    /// What a person should know before: when it starts again by itself.
    pub note: Option<String>,
    /// Whether somebody besides its manager may start it again: a unit runs the engine's command, or
    /// a person's script the manager's.
    pub may_return: bool,
    /// What its manager has to say first, where a name may mean somebody else.
    pub proof: Option<Proof>,
}

impl Lever {
    /// The command as one types it.
    pub fn command(&self) -> String {
        in_one_line(&self.argv)
    }

    /// Whether both are the same act.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let id = |lever: &Self| lever.container.as_ref().map(|container| container.id.clone());
        self.argv == other.argv && id(self) == id(other)
    }
}

/// What is to be done about a holder.
pub(super) enum Way {
    /// Pull this lever.
    Lever(Box<Lever>),
    /// End the process that would start it again, and it; with what to say of whoever may start that
    /// one again.
    Runner(Supervisor, Option<String>),
    /// Signal itself; with what to say of whoever may start it again.
    Signal(Option<String>),
    /// Signal itself; and should this script start it again, end that too.
    Loop(Supervisor, ProcessId),
}

/// What everybody who decides needs.
pub(super) struct Scene<'a> {
    pub snapshot: &'a Snapshot,
    pub limits: &'a Limits,
    pub kin: Kin<'a>,
    /// The sockets that are wanted.
    pub sockets: &'a [&'a Socket],
    /// All their holders; or, where no sockets are wanted, the processes that were named.
    pub holders: &'a [u32],
    /// Who was seen to start one again.
    pub proven: &'a [ProcessId],
    /// Why these are to end: [`Part::Holder`], or [`Part::Target`] for those named.
    pub wanted: Part,
}

impl<'a> Scene<'a> {
    /// One of sockets and their holders.
    pub fn of(
        holders: &'a [u32],
        sockets: &'a [&'a Socket],
        snapshot: &'a Snapshot,
        limits: &'a Limits,
        proven: &'a [ProcessId],
    ) -> Self {
        let kin = Kin::of(snapshot);
        Self { snapshot, limits, kin, sockets, holders, proven, wanted: Part::Holder }
    }

    /// Whether the processes were named, and not what they hold.
    pub fn is_named(&self) -> bool {
        self.wanted == Part::Target
    }

    /// Whether a process that was named ends with one that a lever is for: with its unit or its
    /// container.
    ///
    /// # Errors
    /// A guard rail before it: whoever was named is hit, by whatever means.
    pub fn ends_with(&self, levers: &[Lever], process: &Process) -> Result<bool, Refusal> {
        if !self.is_named() {
            return Ok(false);
        }
        guard(process, self.snapshot, self.limits)?;
        Ok(is_stopped_by(levers, process, self.snapshot))
    }

    /// The softest way that works. `kill` and `stop` signal the holders and nobody else.
    ///
    /// # Errors
    /// A guard rail, or a manager that only another user may ask.
    pub fn way(&self, process: &Process) -> Result<Way, Refusal> {
        let supervisor = supervisor_of(process.id.pid, self.snapshot);
        // A manager that holds a socket for its application, and was named itself, is not the
        // application.
        let itself = |by: &Supervisor| self.is_named() && by.pid == Some(process.id.pid);
        let supervisor = supervisor.filter(|by| !itself(by));
        if !self.limits.uses_levers() {
            return Ok(Way::Signal(
                supervisor.and_then(|by| again(process, &by, None, true, self.snapshot)),
            ));
        }
        if let Some(by) = &supervisor
            && let Some(lever) = self.managers_lever(process, by)?
        {
            return Ok(Way::Lever(Box::new(lever)));
        }
        if let Some(lever) = self.own_command(process) {
            guard(process, self.snapshot, self.limits)?;
            return Ok(Way::Lever(Box::new(lever)));
        }
        let Some(by) = supervisor else { return Ok(Way::Signal(None)) };
        match self.obstacle_to_ending(process, &by) {
            Ok(()) => Ok(match self.loop_script(process, &by) {
                Some(script) => Way::Loop(by, script),
                None => Way::Runner(by, None),
            }),
            Err(why) => Ok(self
                .below_manager(process, &by, why)
                .unwrap_or_else(|| Way::Signal(again(process, &by, why, true, self.snapshot)))),
        }
    }

    /// Of a worker whose master is run by a manager that has no command for it: the master, whose end
    /// is the worker's, where signalled alone it would come back at once.
    fn below_manager(
        &self,
        process: &Process,
        manager: &Supervisor,
        why: Option<&str>,
    ) -> Option<Way> {
        let by = below_manager(process.id.pid, self.snapshot)
            .filter(|_| manager.kind == SupervisorKind::ProcessManager)?;
        self.obstacle_to_ending(process, &by).ok()?;
        let runner = self.snapshot.processes.get(&by.pid?)?;
        let note = again(runner, manager, why, true, self.snapshot);
        Some(Way::Runner(by, note))
    }

    fn lever(&self, process: &Process, by: &Supervisor, argv: Vec<String>, name: String) -> Lever {
        let held = self.sockets.iter().filter(|socket| {
            socket.holders.list().iter().any(|holder| holder.pid == process.id.pid)
        });
        Lever {
            argv,
            name,
            container: None,
            pids: vec![process.id.pid],
            inodes: held.filter_map(|socket| socket.inode).collect(),
            takes_along: by.takes_along.clone(),
            note: None,
            may_return: matches!(
                by.kind,
                SupervisorKind::Container | SupervisorKind::ProcessManager
            ),
            proof: proof_of(process, by, self.snapshot),
        }
    }

    /// The socket units for which systemd holds some of the sockets.
    ///
    /// # Errors
    /// A manager that only another user may ask, or one that is not the asker's own.
    pub fn socket_units(&self) -> Result<Vec<Lever>, Refusal> {
        let mut levers = Vec::new();
        for socket in self.sockets.iter().filter(|_| self.limits.uses_levers()) {
            let holders = socket.holders.pids();
            let manager = holders
                .iter()
                .filter_map(|pid| self.snapshot.processes.get(pid))
                .find(|process| is_service_manager(process));
            if manager.is_none() && socket.holders != Holders::Hidden {
                continue;
            }
            let Some(by) = socket_unit_supervisor(socket, self.snapshot) else { continue };
            let Some(argv) = by.stop.clone() else { continue };
            if let Some(manager) = manager {
                all_mine(&[manager.id.pid], self.snapshot, self.limits)?;
            }
            self.owner_permits(&by.name, manager, &by, &argv)?;
            levers.push(Lever {
                name: by.name.clone(),
                container: None,
                pids: manager.map(|manager| manager.id.pid).into_iter().collect(),
                inodes: socket.inode.into_iter().collect(),
                takes_along: by.takes_along.clone(),
                note: None,
                may_return: false,
                proof: None,
                argv,
            });
        }
        Ok(levers)
    }

    /// The command, or the engine, of whoever manages this very process.
    fn managers_lever(&self, process: &Process, by: &Supervisor) -> Result<Option<Lever>, Refusal> {
        let unit = matches!(
            by.kind,
            SupervisorKind::SystemdUnit
                | SupervisorKind::SystemdUserUnit
                | SupervisorKind::LaunchdJob
        );
        if by.kind == SupervisorKind::Parent || (unit && !self.is_the_unit(process, by)) {
            return Ok(None);
        }
        if by.stop.is_none()
            && let Some(why) = unit_guard(by, self.snapshot).filter(|_| !self.limits.force)
        {
            let explain = format!(
                "{} is run by {}, which is left alone: {why}; --force signals the process all the same",
                named(process),
                by.name
            );
            return Err(Refusal::Guarded(Why::of(process, RefusalReason::Door, explain)));
        }
        let Some(argv) = by.stop.clone() else { return Ok(None) };
        // A forwarding process of an engine is no victim: its container is stopped. Nor is a
        // manager that holds a socket for its application.
        let forwards = (by.kind == SupervisorKind::Container && process.container.is_none())
            || (unit && container_proxy(process).is_some())
            // A host of services is a door; the service is not.
            || by.kind == SupervisorKind::WindowsService
            || (by.kind == SupervisorKind::ProcessManager && by.pid == Some(process.id.pid));
        match forwards {
            true => all_mine(&[process.id.pid], self.snapshot, self.limits)?,
            // Stopping the unit of a door shuts it as surely as a signal would.
            false => guard(process, self.snapshot, self.limits)?,
        }
        self.owner_permits(&named(process), Some(process), by, &argv)?;
        let mut lever = self.lever(process, by, argv, called(by));
        let boxed = by.kind == SupervisorKind::Container;
        lever.container = facts_of(process, self.snapshot).filter(|_| boxed).cloned();
        lever.note = restart_note(by, &lever.name);
        Ok(Some(lever))
    }

    /// The command that a tool's daemon has for itself. A database is asked by its own signal
    /// instead, where there are signals, and another user's tool is not asked as this one.
    fn own_command(&self, process: &Process) -> Option<Lever> {
        let Nature { kind, name, stop, .. } = nature_of(process, self.snapshot)?;
        let own_user = process.uid == Some(self.snapshot.asker.uid);
        let signalled = kind == NatureKind::Database && !self.snapshot.is_windows();
        let argv = stop.filter(|_| !signalled && own_user)?;
        Some(self.lever(
            process,
            &Supervisor::default(),
            argv,
            format!("{name} (pid {})", process.id.pid),
        ))
    }

    /// Whether this process is what the unit is for: it heads the unit's control group, it is the
    /// unit's first process, or that one runs it as a worker or through wrappers alone. A job
    /// deep inside a unit (of cron, of a runner of tests) is not the unit: stopping that would
    /// hurt others.
    fn is_the_unit(&self, process: &Process, by: &Supervisor) -> bool {
        let snapshot = self.snapshot;
        // launchd gives its label to the job's first process alone.
        if by.kind == SupervisorKind::LaunchdJob && process.unit.as_ref() == Some(&by.name) {
            return true;
        }
        let parent = snapshot.processes.get(&process.ppid);
        let of_group = by.kind != SupervisorKind::LaunchdJob;
        if of_group && parent.is_none_or(|parent| parent.cgroup != process.cgroup) {
            return true;
        }
        let facts = snapshot.units.iter().find(|unit| unit.id == by.name && unit.user == by.owner);
        let Some(main) = facts.and_then(|unit| unit.main_pid) else { return false };
        if main == process.id.pid {
            return true;
        }
        let above = snapshot.ancestors(process.id.pid);
        let Some(depth) = above.iter().position(|ancestor| ancestor.id.pid == main) else {
            return false;
        };
        let restart = could_restart(process.id.pid, snapshot);
        above[..=depth].iter().all(|link| {
            let worker = link.exe.is_some() && link.exe == process.exe;
            let wraps = !restart.contains(&link.id.pid);
            door(link).is_none() && (worker || wraps)
        })
    }

    /// A manager of another user is asked by that user, or by root.
    fn owner_permits(
        &self,
        what: &str,
        process: Option<&Process>,
        by: &Supervisor,
        argv: &[String],
    ) -> Result<(), Refusal> {
        let asker = self.snapshot.asker.uid;
        let Some(owner) = by.owner.filter(|&owner| owner != asker && asker != 0) else {
            return Ok(());
        };
        let user = user_name(owner, self.snapshot);
        let explain = format!(
            "{what} is run by {} of user {}; what stops it: {}",
            called(by),
            user.trim_start_matches('#'),
            typed(argv, by, self.snapshot)
        );
        let reason = RefusalReason::ManagerOfAnotherUser;
        Err(Refusal::Denied(Why { reason, pid: process.map(|process| process.id.pid), explain }))
    }

    /// Whether whoever runs a holder may be ended with it: it would start it again for certain, it
    /// runs nothing else, and it is nobody who must not be signalled.
    ///
    /// # Errors
    /// Why not, for a note; `None` where there is nothing to end.
    fn obstacle_to_ending(
        &self,
        process: &Process,
        by: &Supervisor,
    ) -> Result<(), Option<&'static str>> {
        let Some(above) = by.pid.and_then(|pid| self.snapshot.processes.get(&pid)) else {
            return Err(None);
        };
        let eligible = match by.kind {
            SupervisorKind::Watcher | SupervisorKind::Master => by.restarts != Some(false),
            SupervisorKind::Parent => {
                by.restarts == Some(true)
                    || self.is_pool(process, above)
                    || (by.restarts.is_none() && is_script(above))
            }
            _ => false,
        };
        if !eligible {
            // A manager that has no command for it runs others too, as a rule.
            let manages = by.kind == SupervisorKind::ProcessManager && by.restarts != Some(false);
            return Err(manages.then_some("and is left alone"));
        }
        if self.holders.contains(&above.id.pid) {
            return Err(None); // it is asked for its own sake
        }
        let asker = &self.snapshot.asker;
        if above.id.pid == asker.pid || asker.ancestors.contains(&above.id.pid) {
            return Err(Some("and is left alone, since it started this command too"));
        }
        if check(above, self.snapshot, self.limits).is_err() {
            return Err(Some("and may not be ended"));
        }
        if !self.kin.is_alone(by, self.holders) {
            return Err(Some("and is left alone, since it runs other things too"));
        }
        Ok(())
    }

    /// Whether a parent keeps several of the holders, all of its own program: a pool that shares
    /// the port by SO_REUSEPORT.
    fn is_pool(&self, process: &Process, above: &Process) -> bool {
        let siblings = self.holders.iter().filter_map(|pid| self.snapshot.processes.get(pid));
        let alike = |other: &&Process| {
            other.ppid == above.id.pid && other.exe.is_some() && other.exe == above.exe
        };
        process.ppid == above.id.pid && siblings.filter(alike).count() > 1
    }

    /// A script of a shell that may or may not start a holder again: only what it does will tell.
    fn loop_script(&self, process: &Process, by: &Supervisor) -> Option<ProcessId> {
        let above = self.snapshot.processes.get(&by.pid?)?;
        let uncertain = by.kind == SupervisorKind::Parent
            && by.restarts.is_none()
            && !self.is_pool(process, above)
            && !self.proven.contains(&above.id);
        uncertain.then_some(above.id)
    }
}

/// Whether a process is a shell: who runs a script, or a loop in it, and serves nobody.
pub(super) fn is_script(process: &Process) -> bool {
    const SHELLS: [&str; 10] =
        ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox", "rbash"];
    let exe = process.exe.as_deref().unwrap_or(&process.name);
    SHELLS.contains(&exe.rsplit('/').next().unwrap_or(exe))
}

/// A user as sudo(8) takes one: the name, or `#` and the number where no process tells the name.
fn user_name(uid: u32, snapshot: &Snapshot) -> String {
    let mut known = snapshot.processes.values().filter(|process| process.uid == Some(uid));
    known.find_map(|process| process.user.clone()).unwrap_or_else(|| format!("#{uid}"))
}

/// A command in a sentence, with quotes that every shell takes around what has spaces.
fn in_one_line(argv: &[String]) -> String {
    let word = |word: &String| match word.contains(' ') {
        true => format!("\"{word}\""),
        false => word.clone(),
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A supervisor's command as this user has to type it: with sudo where that is what is missing.
pub(super) fn typed(argv: &[String], by: &Supervisor, snapshot: &Snapshot) -> String {
    let asker = snapshot.asker.uid;
    let command = in_one_line(argv);
    let foreign = by.owner.filter(|&owner| owner != asker);
    let already = argv.first().is_some_and(|word| word == "sudo");
    match (by.kind, foreign) {
        _ if asker == 0 || already => command,
        (SupervisorKind::SystemdUnit, _)
        | (SupervisorKind::SystemdUserUnit | SupervisorKind::LaunchdJob, Some(_)) => {
            format!("sudo {command}")
        }
        (SupervisorKind::LaunchdJob, None) if by.owner.is_none() => format!("sudo {command}"),
        (_, Some(owner)) => format!("sudo -u {} {command}", user_name(owner, snapshot)),
        (_, None) => command,
    }
}

/// Another order about a unit to the manager whose command stops it; `None` where it is no unit of
/// systemd, or is not to be stopped.
pub(crate) fn unit_order(by: &Supervisor, words: &[&str]) -> Option<Vec<String>> {
    let units = [SupervisorKind::SystemdUnit, SupervisorKind::SystemdUserUnit];
    let stop = by.stop.as_ref().filter(|_| units.contains(&by.kind))?;
    let place = stop.iter().position(|word| word == "stop")?;
    let words = words.iter().map(|&word| word.to_owned());
    Some(stop[..place].iter().cloned().chain(words).chain([by.name.clone()]).collect())
}

/// Who starts a process again that is signalled alone, and what stops that. `why_not` says why
/// that one is not ended as well; `advises` says what would end it.
pub(super) fn again(
    process: &Process,
    by: &Supervisor,
    why_not: Option<&str>,
    advises: bool,
    snapshot: &Snapshot,
) -> Option<String> {
    if by.restarts == Some(false) || by.kind == SupervisorKind::Master {
        return None;
    }
    let will = if by.restarts == Some(true) { "will" } else { "may" };
    let policy = by.policy.as_ref().map_or(String::new(), |policy| format!(" ({policy})"));
    let left = why_not.map_or(String::new(), |why| format!(", {why}"));
    let stop = match (&by.stop, by.pid) {
        _ if !advises => String::new(),
        (Some(argv), _) => format!("; what stops it for good: {}", typed(argv, by, snapshot)),
        // A manager runs others too, as a rule, and has a command that is not known here.
        (None, Some(pid))
            if by.kind != SupervisorKind::ProcessManager
                && (why_not.is_some() || by.restarts == Some(true)) =>
        {
            // Most programs of Windows cannot be asked.
            let verb = if snapshot.is_windows() { "kill" } else { "stop" };
            format!("; what stops it for good: proc {verb} pid:{pid}")
        }
        _ => String::new(),
    };
    let (who, run_by) = (named(process), called(by));
    Some(format!("{who} is run by {run_by}, which {will} start it again{policy}{left}{stop}"))
}

/// When what a lever stops starts again by itself.
fn restart_note(by: &Supervisor, name: &str) -> Option<String> {
    let policy = by.policy.as_deref().filter(|policy| *policy != "no" && !policy.is_empty())?;
    Some(match (by.kind, policy) {
        (SupervisorKind::Container, "always") => format!(
            "{name} has the restart policy always: stopped by its engine, it stays so until the engine itself is started again"
        ),
        (SupervisorKind::Container, policy) => format!(
            "{name} has the restart policy {policy}: stopped by its engine, it stays so until somebody starts it"
        ),
        (_, policy) => {
            format!("{name} would start again by itself ({policy}), so it is not only signalled")
        }
    })
}

/// A supervisor in a sentence: a container's bare id says nothing.
pub(crate) fn called(supervisor: &Supervisor) -> String {
    match supervisor.kind {
        SupervisorKind::Container => format!("the container {}", supervisor.name),
        _ => supervisor.name.clone(),
    }
}
