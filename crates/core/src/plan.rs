//! What to do about a port, a socket file or processes, and what never: a pure function of what
//! was seen and what is allowed. Doing it is [`crate::act`]'s.

use std::time::Duration;

use crate::addr::{Endpoint, Transport};
use crate::diagnosis::{Cause, CauseKind, Diagnosis, Verdict, topmost};
use crate::explain;
use crate::process::{Process, ProcessId, Supervisor, SupervisorKind};
use crate::report::StepReport;
use crate::snapshot::Snapshot;
use crate::socket::{Holder, Protocol, Socket};
use crate::supervisor::{could_restart, door, supervisor_of};

/// What a person wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Ask, wait, never force.
    Stop,
    /// Signal the holders: ask, wait the grace, force. No other lever.
    Kill,
    /// Get the port by the softest act that works.
    Free,
}

impl Verb {
    /// The command's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Free => "free",
        }
    }
}

/// What is allowed, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What is wanted.
    pub verb: Verb,
    /// Lift the guard rails.
    pub force: bool,
    /// Do not ask: SIGKILL at once.
    pub now: bool,
    /// The signal that asks.
    pub signal: i32,
    /// How long a holder may take to let go before it is forced.
    pub grace: Duration,
    /// How long the whole act may take.
    pub timeout: Duration,
}

/// A process that is to let go of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Which process, for good.
    pub id: ProcessId,
    /// Its program, for sentences.
    pub name: String,
    /// Whether it is stopped, so that a signal only queues until it is continued.
    pub stopped: bool,
    /// What it holds that is wanted: how, and the socket's inode. Empty for a process that was
    /// itself the target.
    pub holds: Vec<(Holder, u64)>,
    /// Whether no other victim is above it.
    pub topmost: bool,
}

/// A command of whoever runs the holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lever {
    /// The command.
    pub argv: Vec<String>,
    /// What it stops, for sentences.
    pub name: String,
}

/// What will be done, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Run these instead of signalling.
    pub levers: Vec<Lever>,
    /// Signal these, topmost first.
    pub victims: Vec<Victim>,
    /// Close these in the kernel, their processes untouched.
    pub destroy: Vec<Socket>,
    /// Remove this stale socket file.
    pub remove_file: Option<String>,
    /// Wait this long for remains to pass, where they cannot be cleared.
    pub wait_ms: Option<u32>,
    /// Ancestors of the victims that might start them again.
    pub restarters: Vec<u32>,
    /// Whether something wanted is neither a listener nor UDP, so that only the table of every
    /// state shows that it is gone.
    pub every_state: bool,
    /// The kernel's names of the sockets that are to close, to wait for.
    pub cookies: Vec<u64>,
    /// Whether the port's UDP side is another's, to be left alone.
    pub tcp_only: bool,
    /// What a person should know before.
    pub notes: Vec<String>,
}

/// Why nothing will be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing to do.
    AlreadyFree,
    /// Another user's: whose, and how.
    Denied(String),
    /// A guard rail.
    Guarded(String),
    /// Nothing that could be done would help.
    Helpless(String),
}

/// Plans for a port.
pub fn plan_port(
    diagnosis: &Diagnosis,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<Plan, Refusal> {
    let own: Vec<&Cause> =
        diagnosis.causes.iter().filter(|cause| !cause.kind.hinders_no_bind()).collect();
    if diagnosis.verdict == Verdict::Free && own.is_empty() {
        return Err(Refusal::AlreadyFree);
    }
    let (mut causes, notes, tcp_only) = concerned(&own, diagnosis, snapshot);
    // Where somebody has it, that this user may not bind it either is no obstacle to acting.
    if causes.iter().any(|cause| cause.kind.is_live() && cause.kind != CauseKind::Unexplained) {
        causes.retain(|cause| cause.kind.is_live() || is_remains_kind(cause.kind));
        causes.retain(|cause| cause.kind != CauseKind::Unexplained);
    }
    let mut plan = Plan { notes, tcp_only, ..Plan::default() };
    let mut sockets: Vec<&Socket> = Vec::new();
    for cause in &causes {
        let of_cause = || cause.sockets.iter().filter_map(|&index| snapshot.sockets.get(index));
        match cause.kind {
            CauseKind::HiddenHolder => {
                return Err(Refusal::Denied(hidden(cause, &diagnosis.endpoint, snapshot, limits)));
            }
            CauseKind::Kernel => {
                return Err(Refusal::Helpless(explain::cause(
                    cause,
                    &diagnosis.endpoint,
                    snapshot,
                )));
            }
            CauseKind::Privileged | CauseKind::NotLocal | CauseKind::Reserved => {
                return Err(Refusal::Denied(explain::cause(cause, &diagnosis.endpoint, snapshot)));
            }
            CauseKind::Unexplained | CauseKind::NoPortsLeft => {
                return Err(Refusal::Helpless(explain::cause(
                    cause,
                    &diagnosis.endpoint,
                    snapshot,
                )));
            }
            CauseKind::SocketActivation if !limits.force => {
                return Err(Refusal::Guarded(format!(
                    "{}; its socket unit must be stopped, and systemctl list-sockets names it",
                    explain::cause(cause, &diagnosis.endpoint, snapshot)
                )));
            }
            CauseKind::InFlight if !limits.force => {
                return Err(Refusal::Guarded(format!(
                    "{}; it is not certain that it is this one, so it is left alone without --force",
                    explain::cause(cause, &diagnosis.endpoint, snapshot)
                )));
            }
            CauseKind::TimeWait | CauseKind::Closing => {
                if limits.verb == Verb::Stop {
                    plan.wait_ms = plan.wait_ms.max(cause.expires_ms);
                } else {
                    plan.destroy.extend(of_cause().cloned());
                    plan.wait_ms = plan.wait_ms.max(cause.expires_ms);
                }
            }
            // Its process was not named, so it is never signalled for this.
            CauseKind::OutgoingConnection => {
                if !snapshot.asker.may_destroy {
                    return Err(Refusal::Denied(format!(
                        "{}; closing it without hurting that program needs CAP_NET_ADMIN: sudo proc free {}",
                        explain::cause(cause, &diagnosis.endpoint, snapshot),
                        diagnosis.endpoint
                    )));
                }
                if limits.verb == Verb::Stop {
                    return Err(Refusal::Guarded(format!(
                        "{}; that program is not stopped for it: proc free {} closes the connection",
                        explain::cause(cause, &diagnosis.endpoint, snapshot),
                        diagnosis.endpoint
                    )));
                }
                plan.destroy.extend(of_cause().cloned());
            }
            CauseKind::AcceptedConnection
                if limits.verb == Verb::Free && snapshot.asker.may_destroy =>
            {
                plan.destroy.extend(of_cause().cloned());
            }
            _ => sockets.extend(of_cause()),
        }
    }
    add_holders(&mut plan, &sockets, snapshot, limits)?;
    plan.every_state = sockets.iter().any(|socket| !socket.is_server());
    if plan == (Plan { notes: plan.notes.clone(), tcp_only, ..Plan::default() }) {
        return Err(Refusal::AlreadyFree);
    }
    Ok(plan)
}

/// Plans for processes that were named themselves.
pub fn plan_processes(pids: &[u32], snapshot: &Snapshot, limits: &Limits) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    let ordered = topmost(snapshot, pids);
    for pid in &ordered {
        let Some(process) = snapshot.processes.get(pid) else { continue };
        check(process, snapshot, limits)?;
        plan.victims.push(victim(process, Vec::new(), &ordered, snapshot));
    }
    plan.restarters = restarters(&plan.victims, snapshot);
    Ok(plan)
}

/// Plans for the sockets of a unix name.
pub fn plan_unix(snapshot: &Snapshot, name: &str, limits: &Limits) -> Result<Plan, Refusal> {
    let sockets: Vec<&Socket> = snapshot.sockets.iter().collect();
    if sockets.iter().any(|socket| socket.holders == crate::socket::Holders::Hidden) {
        return Err(Refusal::Denied(format!(
            "{name} is served by a process that you may not see: sudo proc {} {name}",
            limits.verb.name()
        )));
    }
    let mut plan = Plan::default();
    add_holders(&mut plan, &sockets, snapshot, limits)?;
    Ok(plan)
}

const fn is_remains_kind(kind: CauseKind) -> bool {
    matches!(kind, CauseKind::TimeWait | CauseKind::Closing)
}

/// The causes to act on. A number that TCP and UDP share may be two strangers': where TCP is
/// held, the UDP side is only touched if the very same processes have it.
fn concerned<'a>(
    causes: &[&'a Cause],
    diagnosis: &Diagnosis,
    snapshot: &Snapshot,
) -> (Vec<&'a Cause>, Vec<String>, bool) {
    let is_udp = |cause: &Cause| {
        !cause.sockets.is_empty()
            && cause.sockets.iter().all(|&index| {
                snapshot.sockets.get(index).map(|socket| socket.protocol) == Some(Protocol::Udp)
            })
    };
    let (udp, tcp): (Vec<&Cause>, Vec<&Cause>) = causes.iter().partition(|cause| is_udp(cause));
    if tcp.is_empty() || diagnosis.endpoint.transport == Some(Transport::Udp) {
        return (udp, Vec::new(), false);
    }
    let tcp_pids: Vec<u32> = tcp.iter().flat_map(|cause| cause.pids.iter().copied()).collect();
    let mut chosen = tcp;
    let mut notes = Vec::new();
    let mut tcp_only = false;
    for cause in udp {
        if !cause.pids.is_empty() && cause.pids.iter().all(|pid| tcp_pids.contains(pid)) {
            chosen.push(cause);
        } else {
            tcp_only = true;
            notes.push(format!(
                "{}; it is another's and left alone (say udp:{} to mean it)",
                explain::cause(cause, &diagnosis.endpoint, snapshot),
                diagnosis.endpoint.port
            ));
        }
    }
    (chosen, notes, tcp_only)
}

fn add_holders(
    plan: &mut Plan,
    sockets: &[&Socket],
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<(), Refusal> {
    let mut pids: Vec<u32> = sockets.iter().flat_map(|socket| socket.holders.pids()).collect();
    pids.sort_unstable();
    pids.dedup();
    let ordered = topmost(snapshot, &pids);
    for pid in &ordered {
        let Some(process) = snapshot.processes.get(pid) else { continue };
        if limits.verb == Verb::Free
            && let Some(lever) = lever(process, snapshot)
        {
            // Stopping the unit of a door shuts it as surely as a signal would.
            guard(process, snapshot, limits)?;
            if !plan.levers.contains(&lever) {
                plan.levers.push(lever);
            }
            continue;
        }
        check(process, snapshot, limits)?;
        let holds = sockets
            .iter()
            .filter_map(|socket| Some((socket, socket.inode?)))
            .flat_map(|(socket, inode)| {
                socket.holders.list().iter().map(move |holder| (*holder, inode))
            })
            .filter(|(holder, _)| holder.pid == *pid)
            .collect();
        plan.victims.push(victim(process, holds, &ordered, snapshot));
    }
    // A lever stops a whole unit or container: what it runs need not be signalled as well.
    if !plan.levers.is_empty() {
        let levers = plan.levers.clone();
        plan.victims.retain(|victim| {
            snapshot
                .ancestors(victim.id.pid)
                .iter()
                .all(|above| lever(above, snapshot).is_none_or(|above| !levers.contains(&above)))
        });
    }
    plan.restarters = restarters(&plan.victims, snapshot);
    plan.cookies = sockets.iter().filter_map(|socket| socket.cookie).collect();
    // Those below another victim end with it, or have it for their supervisor.
    for victim in plan.victims.iter().filter(|victim| victim.topmost) {
        if let Some(supervisor) = supervisor_of(victim.id.pid, snapshot)
            && supervisor.restarts != Some(false)
            && supervisor.kind != SupervisorKind::Master
        {
            let certainly = supervisor.restarts == Some(true);
            let stop = supervisor.stop.as_ref().map_or(String::new(), |argv| {
                format!("; what stops it for good: {}", argv.join(" "))
            });
            let note = format!(
                "{} (pid {}) is run by {}, which {} start it again{stop}",
                victim.name,
                victim.id.pid,
                called(&supervisor),
                if certainly { "will" } else { "may" },
            );
            if !plan.notes.contains(&note) {
                plan.notes.push(note);
            }
        }
    }
    Ok(())
}

/// The command that stops the unit or container a holder is the main process of. A process
/// further down in a unit (a job of cron.service) is not the unit: stopping that would hurt
/// others.
fn lever(process: &Process, snapshot: &Snapshot) -> Option<Lever> {
    let supervisor = supervisor_of(process.id.pid, snapshot)?;
    let argv = supervisor.stop.clone()?;
    let parent = snapshot.processes.get(&process.ppid);
    let heads_its_group = parent.is_none_or(|parent| parent.cgroup != process.cgroup);
    match supervisor.kind {
        SupervisorKind::Container => Some(Lever { argv, name: called(&supervisor) }),
        SupervisorKind::SystemdUnit | SupervisorKind::SystemdUserUnit if heads_its_group => {
            Some(Lever { argv, name: supervisor.name })
        }
        _ => None,
    }
}

/// A supervisor in a sentence: a container's bare id says nothing.
fn called(supervisor: &Supervisor) -> String {
    match supervisor.kind {
        SupervisorKind::Container => format!("the container {}", supervisor.name),
        _ => supervisor.name.clone(),
    }
}

fn victim(
    process: &Process,
    holds: Vec<(Holder, u64)>,
    all: &[u32],
    snapshot: &Snapshot,
) -> Victim {
    let above = snapshot.ancestors(process.id.pid);
    Victim {
        id: process.id,
        name: process.program().to_owned(),
        stopped: process.is_stopped(),
        holds,
        topmost: !above.iter().any(|ancestor| all.contains(&ancestor.id.pid)),
    }
}

fn restarters(victims: &[Victim], snapshot: &Snapshot) -> Vec<u32> {
    let mut pids: Vec<u32> =
        victims.iter().flat_map(|victim| could_restart(victim.id.pid, snapshot)).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| victims.iter().all(|victim| victim.id.pid != *pid));
    pids
}

/// Who is never signalled without `--force`, and who cannot be.
fn check(process: &Process, snapshot: &Snapshot, limits: &Limits) -> Result<(), Refusal> {
    guard(process, snapshot, limits)?;
    permitted(process, snapshot, limits)
}

/// The guard rails.
fn guard(process: &Process, snapshot: &Snapshot, limits: &Limits) -> Result<(), Refusal> {
    let pid = process.id.pid;
    let who = format!("{} (pid {pid})", process.program());
    let asker = &snapshot.asker;
    let guarded =
        |reason: &str| Refusal::Guarded(format!("{who} {reason}; --force does it all the same"));
    if !limits.force {
        if pid == 1 {
            return Err(guarded(
                "is the first process: the machine, or this container, ends with it",
            ));
        }
        if process.kernel_thread {
            return Err(guarded("is a thread of the kernel"));
        }
        if pid == asker.pid || asker.ancestors.contains(&pid) {
            return Err(guarded("is this very command or started it"));
        }
        if let Some(reason) = door(process) {
            return Err(guarded(&format!("is left alone: {reason}")));
        }
    }
    Ok(())
}

/// Another user's process takes another user to end.
fn permitted(process: &Process, snapshot: &Snapshot, limits: &Limits) -> Result<(), Refusal> {
    let asker = &snapshot.asker;
    let who = format!("{} (pid {})", process.program(), process.id.pid);
    let foreign = process.uid.is_some_and(|uid| uid != asker.uid) && asker.uid != 0;
    if foreign {
        let whose = match (&process.user, process.uid) {
            (Some(user), _) => user.clone(),
            (None, Some(uid)) => format!("user {uid}"),
            (None, None) => "another user".to_owned(),
        };
        return Err(Refusal::Denied(format!(
            "{who} belongs to {whose}; as root: sudo proc {} pid:{}",
            limits.verb.name(),
            process.id.pid
        )));
    }
    Ok(())
}

fn hidden(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot, limits: &Limits) -> String {
    let what = explain::cause(cause, endpoint, snapshot);
    match snapshot.asker.uid {
        0 => what,
        _ => format!("{what}: sudo proc {} {endpoint}", limits.verb.name()),
    }
}

impl Plan {
    /// The plan as the documents and the prompt show it.
    pub fn steps(&self, limits: &Limits) -> Vec<StepReport> {
        let step = |step: &str, pid, argv, explain| StepReport {
            step: step.to_owned(),
            pid,
            argv,
            explain,
        };
        let mut steps = Vec::new();
        for lever in &self.levers {
            steps.push(step(
                "run",
                None,
                Some(lever.argv.clone()),
                format!("stop {} by: {}", lever.name, lever.argv.join(" ")),
            ));
        }
        for victim in self.victims.iter().filter(|victim| victim.topmost) {
            let below = self.victims.iter().filter(|other| !other.topmost).count();
            let others = match (below, self.victims.iter().filter(|v| v.topmost).count()) {
                (0, _) | (_, 2..) => String::new(),
                (count, _) => format!(
                    ", then {} that it started, if still there",
                    explain::count(count, "process", "processes")
                ),
            };
            let name = format!("{} (pid {})", victim.name, victim.id.pid);
            steps.push(match limits.now {
                true => step(
                    "force",
                    Some(victim.id.pid),
                    None,
                    format!("end {name} at once (SIGKILL){others}"),
                ),
                false => {
                    let force = match limits.verb {
                        Verb::Stop => String::new(),
                        Verb::Kill | Verb::Free => format!(
                            ", and force it (SIGKILL) if it still holds on after {} s",
                            limits.grace.as_secs_f32()
                        ),
                    };
                    step(
                        "signal",
                        Some(victim.id.pid),
                        None,
                        format!(
                            "ask {name} to end ({}{}){others}{force}",
                            signal_name(limits.signal),
                            if victim.stopped { ", and continue it" } else { "" },
                        ),
                    )
                }
            });
        }
        if !self.destroy.is_empty() {
            let open = self.destroy.iter().filter(|socket| socket.inode.is_some()).count();
            let over = self.destroy.len() - open;
            if open > 0 {
                steps.push(step(
                    "destroy",
                    None,
                    None,
                    format!(
                        "close {}; the program that has it is not touched",
                        explain::count(open, "connection", "connections")
                    ),
                ));
            }
            if over > 0 {
                steps.push(step(
                    "destroy",
                    None,
                    None,
                    format!(
                        "clear what {} left behind, or wait for it",
                        explain::count(over, "closed connection", "closed connections")
                    ),
                ));
            }
        } else if let Some(ms) = self.wait_ms {
            steps.push(step("wait", None, None, format!("wait {}", explain::seconds(ms))));
        }
        if let Some(path) = &self.remove_file {
            steps.push(step("remove", None, None, format!("remove the stale socket file {path}")));
        }
        steps
    }
}

/// `SIGTERM` for 15; the numbers are those of Linux on x86 and ARM for all but a few.
pub fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        6 => "ABRT",
        9 => "KILL",
        15 => "TERM",
        #[cfg(target_os = "linux")]
        10 => "USR1",
        #[cfg(target_os = "linux")]
        12 => "USR2",
        #[cfg(target_os = "linux")]
        18 => "CONT",
        #[cfg(target_os = "linux")]
        19 => "STOP",
        other => return format!("signal {other}"),
    };
    format!("SIG{name}")
}
