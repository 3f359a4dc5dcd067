//! Why nothing will be done: in words for people, and by a reason that a program can read.

use super::Limits;
use super::lever::typed;
use crate::explain;
use crate::nature::{NatureKind, nature_of};
use crate::origin::{NotMine, is_mine};
use crate::process::{Process, SupervisorKind};
use crate::report::{Outcome, RefusalReason, RefusalReport};
use crate::snapshot::{Snapshot, Source};
use crate::supervisor::{door, supervisor_of};
use crate::target::is_called;

/// Why nothing will be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing to do.
    AlreadyFree,
    /// This user may not: whose it is, and how.
    Denied(Why),
    /// A guard rail.
    Guarded(Why),
    /// Nothing that could be done would help.
    Helpless(Why),
    /// There is nothing to do, and that is the answer.
    Found(Outcome, String),
}

impl Refusal {
    /// What a program reads; `None` where there was nothing to do.
    pub fn report(&self) -> Option<RefusalReport> {
        match self {
            Self::AlreadyFree | Self::Found(..) => None,
            Self::Denied(why) | Self::Guarded(why) | Self::Helpless(why) => {
                Some(RefusalReport { reason: why.reason, pid: why.pid })
            }
        }
    }
}

/// A reason, and its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// For programs.
    pub reason: RefusalReason,
    /// The process because of which.
    pub pid: Option<u32>,
    /// For people.
    pub explain: String,
}

impl Why {
    /// One that is about no process in particular.
    pub(crate) fn new(reason: RefusalReason, explain: String) -> Self {
        Self { reason, pid: None, explain }
    }

    /// One that is about a process.
    pub(crate) fn of(process: &Process, reason: RefusalReason, explain: String) -> Self {
        Self { reason, pid: Some(process.id.pid), explain }
    }
}

/// `node (pid 4242)`.
pub(super) fn named(process: &Process) -> String {
    format!("{} (pid {})", process.program(), process.id.pid)
}

/// Who is never signalled without `--force`, and who cannot be.
///
/// # Errors
/// What stands before it.
pub(crate) fn check(
    process: &Process,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<(), Refusal> {
    guard(process, snapshot, limits)?;
    permitted(process, snapshot, limits)
}

/// The guard rails. That something is not the asker's own is no matter of force: without `--mine`
/// nobody asks.
///
/// # Errors
/// The rail.
pub(super) fn guard(
    process: &Process,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<(), Refusal> {
    if !limits.force
        && let Some((reason, what)) = rail(process, snapshot).or_else(|| protected(process, limits))
    {
        let instead = instead(process, reason, snapshot);
        let explain = format!("{} {what}{instead}; --force does it all the same", named(process));
        return Err(Refusal::Guarded(Why::of(process, reason, explain)));
    }
    all_mine(&[process.id.pid], snapshot, limits)
}

/// Whether `--mine` leaves them.
///
/// # Errors
/// The first that is not the asker's own.
pub(super) fn all_mine(pids: &[u32], snapshot: &Snapshot, limits: &Limits) -> Result<(), Refusal> {
    for &pid in pids.iter().filter(|_| limits.mine) {
        let Err(theirs) = is_mine(pid, snapshot) else { continue };
        let who = snapshot.processes.get(&pid).map_or_else(|| format!("pid {pid}"), named);
        let explain = format!("{who} {}; --mine leaves it alone", explain::theirs(&theirs));
        let reason = not_mine(theirs.why);
        return Err(Refusal::Guarded(Why { reason, pid: Some(pid), explain }));
    }
    Ok(())
}

/// Whether somebody said that processes of this name are never acted on.
fn protected(process: &Process, limits: &Limits) -> Option<(RefusalReason, String)> {
    let name = limits.protected.iter().find(|name| is_called(process, name))?;
    Some((RefusalReason::Protected, format!("is left alone: {name} is a protected name")))
}

/// Whether closing connections of these is allowed: that does not end them, and is acting on them.
///
/// # Errors
/// The first that is protected by its name, or that `--mine` leaves.
pub(crate) fn all_open(pids: &[u32], snapshot: &Snapshot, limits: &Limits) -> Result<(), Refusal> {
    let processes = pids.iter().filter_map(|pid| snapshot.processes.get(pid));
    for process in processes.filter(|_| !limits.force) {
        let Some((reason, what)) = protected(process, limits) else { continue };
        let explain = format!("{} {what}; --force does it all the same", named(process));
        return Err(Refusal::Guarded(Why::of(process, reason, explain)));
    }
    all_mine(pids, snapshot, limits)
}

/// Whether a guard rail stands before this process.
pub(crate) fn is_left_alone(process: &Process, snapshot: &Snapshot) -> bool {
    rail(process, snapshot).is_some()
}

/// What ends that for which a door stands open: the container of a proxy, the application of a
/// manager.
fn instead(process: &Process, reason: RefusalReason, snapshot: &Snapshot) -> String {
    let by = supervisor_of(process.id.pid, snapshot).filter(|by| {
        reason == RefusalReason::Door
            && matches!(by.kind, SupervisorKind::Container | SupervisorKind::ProcessManager)
    });
    let stop = by.and_then(|by| Some(typed(by.stop.as_ref()?, &by, snapshot)));
    stop.map_or(String::new(), |stop| format!("; what gives its port back: {stop}"))
}

fn rail(process: &Process, snapshot: &Snapshot) -> Option<(RefusalReason, String)> {
    let pid = process.id.pid;
    let asker = &snapshot.asker;
    if pid == 1 {
        let what = "is the first process: the machine, or this container, ends with it";
        Some((RefusalReason::FirstProcess, what.to_owned()))
    } else if process.kernel_thread {
        Some((RefusalReason::KernelThread, "is a thread of the kernel".to_owned()))
    } else if pid == asker.pid || asker.ancestors.contains(&pid) {
        Some((RefusalReason::OwnAncestor, "is this very command or started it".to_owned()))
    } else if let Some(why) = door(process) {
        Some((RefusalReason::Door, format!("is left alone: {why}")))
    } else {
        let nature = nature_of(process, snapshot)?;
        let reason = match nature.kind {
            NatureKind::Editor => RefusalReason::Editor,
            _ if nature.is_wanted_here() => RefusalReason::Door,
            _ => return None,
        };
        let advice = nature.advice.map_or(String::new(), |advice| format!("; {advice}"));
        Some((reason, format!("is left alone: it is {}{advice}", nature.name)))
    }
}

const fn not_mine(why: NotMine) -> RefusalReason {
    match why {
        NotMine::AnotherUser => RefusalReason::NotMineAnotherUser,
        NotMine::AnotherProject => RefusalReason::NotMineAnotherProject,
        NotMine::AnotherAgent => RefusalReason::NotMineAnotherAgent,
        NotMine::AnotherSession => RefusalReason::NotMineAnotherSession,
        NotMine::SharedService => RefusalReason::NotMineSharedService,
        NotMine::AnotherContainer => RefusalReason::NotMineAnotherContainer,
        NotMine::Unknown => RefusalReason::NotMineUnknown,
    }
}

/// Another user's process takes another user to end.
pub(super) fn permitted(
    process: &Process,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<(), Refusal> {
    let asker = &snapshot.asker;
    if asker.uid == 0 || process.uid.is_none_or(|uid| uid == asker.uid) {
        return Ok(());
    }
    let whose = match (&process.user, process.uid) {
        (Some(user), _) => user.clone(),
        (None, Some(uid)) => format!("user {uid}"),
        (None, None) => "another user".to_owned(),
    };
    let own = || format!("pid:{}", process.id.pid);
    let command = limits.command(&[limits.target.clone().unwrap_or_else(own)]);
    let command = explain::with_more_rights(&command, snapshot.is_windows());
    let explain = match snapshot.source {
        Source::ExtendedTable => format!("{} belongs to {whose}: {command}", named(process)),
        _ => format!("{} belongs to {whose}; as root: {command}", named(process)),
    };
    Err(Refusal::Denied(Why::of(process, RefusalReason::AnotherUser, explain)))
}
