//! What to do about a port, a socket file or processes, and what never: a pure function of what
//! was seen and what is allowed. Doing it is [`crate::act`]'s.

mod deed;
pub(crate) mod kin;
mod lever;
mod refusal;
mod reload;
mod steps;
mod unfreeze;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::addr::{Endpoint, Transport};
use crate::diagnosis::{Cause, CauseKind, Diagnosis, Verdict, topmost};
use crate::explain;
use crate::nature::{NatureKind, nature_of};
use crate::process::{Process, ProcessId, Supervisor, SupervisorKind};
use crate::remedy::{http_sys, published};
use crate::report::RefusalReason;
use crate::snapshot::Snapshot;
use crate::socket::{Holder, Protocol, Socket};
use crate::supervisor::{
    Proof, could_restart, is_mac, socket_unit_supervisor, supervisor_of, unit_guard,
};

pub use deed::{Conditions, Deed, asks_to_end, plan_deed, plan_order, port_holders};
pub(crate) use deed::{SIGCONT, SIGSTOP};
use kin::Kin;
pub use lever::Lever;
use lever::{Scene, Way, again, typed};
pub(crate) use lever::{called, unit_order};
pub(crate) use refusal::is_left_alone;
use refusal::named;
pub use refusal::{Refusal, Why};
pub(crate) use refusal::{all_open, check};
pub use reload::{RELOADS, Reload, ReloadWay, reload_of};
pub use steps::signal_name;

/// What a person wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Ask, wait, never force.
    Stop,
    /// Signal the holders: ask, wait the grace, force. No other lever.
    Kill,
    /// Get the port by the softest act that works.
    Free,
    /// Hold processes still.
    Freeze,
    /// Let processes go on that stand still.
    Thaw,
    /// Get a stuck process to move, without ending it.
    Unstick,
    /// Have a server read its configuration anew.
    Reload,
}

impl Verb {
    /// The command's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Free => "free",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Unstick => "unstick",
            Self::Reload => "reload",
        }
    }
}

/// What is allowed, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What is wanted.
    pub verb: Verb,
    /// Lift the guard rails.
    pub force: bool,
    /// Refuse what is not the asker's own ([`crate::origin::is_mine`]).
    pub mine: bool,
    /// Names of processes that are never acted on without [`Self::force`], matched as a target's
    /// are ([`crate::target::is_called`]).
    pub protected: Vec<String>,
    /// Act on everything that the targets started as well.
    pub tree: bool,
    /// Signal the holders and use no other lever.
    pub only_signal: bool,
    /// Do not ask: SIGKILL at once.
    pub now: bool,
    /// The signal that asks.
    pub signal: i32,
    /// How long a holder may take to let go before it is forced.
    pub grace: Duration,
    /// How long the whole act may take.
    pub timeout: Duration,
    /// The options that a person typed, for the advice to ask the same with more rights.
    pub options: Vec<String>,
    /// What is acted on, as a target; `None` where the process in question is what to name.
    pub target: Option<String>,
}

impl Limits {
    /// Whether whoever runs a holder may be stopped in its place: that is what `free` is for. A
    /// tree ends by signals to all of it.
    pub(crate) fn uses_levers(&self) -> bool {
        self.verb == Verb::Free && !self.only_signal && !self.tree
    }

    /// The command that asks the same of these, as one types it.
    pub(crate) fn command(&self, targets: &[String]) -> String {
        let words = ["proc", self.verb.name()].map(str::to_owned);
        explain::typed(words.iter().chain(&self.options).chain(targets))
    }
}

pub(crate) const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

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
    /// Why it is one.
    pub part: Part,
    /// The signal that asks it, where its kind wants another than SIGTERM.
    pub ask: Option<i32>,
    /// Why it is not forced, where it is not.
    pub never_forced: Option<&'static str>,
    /// Its arguments, by which it is known again where somebody starts it again.
    pub argv: Vec<String>,
}

/// Why a process is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It was named itself.
    Target,
    /// It holds what is wanted.
    Holder,
    /// It would start a holder again, or may: a watcher, a master, a loop. It has to end.
    Runner {
        /// Whether it is known to.
        certain: bool,
    },
    /// It was started by a runner and holds nothing that is wanted: asked, never forced.
    Kin,
    /// It is of the tree below a target, which is to end as a whole.
    Member,
    /// It is told of a child of its that has ended, and does not end itself.
    Parent {
        /// The child.
        of: ProcessId,
    },
}

impl Part {
    /// Whether it is to end because it would start a holder again, or may.
    pub(crate) const fn is_runner(self) -> bool {
        matches!(self, Self::Runner { .. })
    }
}

/// What will be done, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Run these instead of signalling.
    pub levers: Vec<Lever>,
    /// Processes that were named and that a lever ends: not signalled, and waited for.
    pub awaited: Vec<Victim>,
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
    /// What stops that for good, of those ancestors that have a command for it.
    pub stops: BTreeMap<u32, String>,
    /// How long after the end somebody has to start it again, to be found out.
    pub watch: Duration,
    /// Scripts among those that run nothing else: should one start a victim again, it is ended too.
    pub loops: Vec<ProcessId>,
    /// Whether something wanted is neither a listener nor UDP, so that only the table of every
    /// state shows that it is gone.
    pub every_state: bool,
    /// The kernel's names of the sockets that are to close, to wait for.
    pub cookies: Vec<u64>,
    /// Whether the port's UDP side is another's, to be left alone.
    pub tcp_only: bool,
    /// What a person should know before.
    pub notes: Vec<String>,
    /// Whether it is for a Windows, which has no signals: windows are told to close, and force is
    /// TerminateProcess.
    pub on_windows: bool,
    /// What is done to the victims, where they are not to end.
    pub deed: Option<Deed>,
}

/// Plans for a port.
///
/// # Errors
/// Why nothing will be done.
pub fn plan_port(
    diagnosis: &Diagnosis,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<Plan, Refusal> {
    plan_port_again(diagnosis, snapshot, limits, &[])
}

/// The processes that have a port in the way that [`plan_port`] deals with: what it closes or ends
/// is one of theirs.
pub(crate) fn port_parties(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Vec<u32> {
    let own: Vec<&Cause> =
        diagnosis.causes.iter().filter(|cause| !cause.kind.hinders_no_bind()).collect();
    let (causes, _, _) = concerned(&own, diagnosis, snapshot);
    let live = causes.into_iter().filter(|cause| cause.kind.is_live());
    let mut pids: Vec<u32> = live.flat_map(|cause| cause.pids.iter().copied()).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Plans for a port whose holder was started again by these.
pub(crate) fn plan_port_again(
    diagnosis: &Diagnosis,
    snapshot: &Snapshot,
    limits: &Limits,
    proven: &[ProcessId],
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
    let on_windows = snapshot.is_windows();
    let mut plan = Plan { notes, tcp_only, on_windows, ..Plan::default() };
    let mut sockets: Vec<&Socket> = Vec::new();
    for cause in &causes {
        let of_cause = || cause.sockets.iter().filter_map(|&index| snapshot.sockets.get(index));
        obstacle(cause, diagnosis, snapshot, limits)?;
        match cause.kind {
            CauseKind::TimeWait | CauseKind::Closing => {
                if limits.verb != Verb::Stop {
                    plan.destroy.extend(of_cause().cloned());
                }
                plan.wait_ms = plan.wait_ms.max(cause.expires_ms);
            }
            // Its process was not named, so it is never signalled for this.
            CauseKind::OutgoingConnection => plan.destroy.extend(of_cause().cloned()),
            CauseKind::AcceptedConnection
                if limits.verb == Verb::Free
                    && snapshot.asker.may_destroy
                    && explain::cannot_be_closed(cause, snapshot).is_none() =>
            {
                all_open(&cause.pids, snapshot, limits)?;
                plan.destroy.extend(of_cause().cloned());
            }
            _ => sockets.extend(of_cause()),
        }
    }
    add_holders(&mut plan, &sockets, snapshot, limits, proven)?;
    plan.add_tree(snapshot, limits)?;
    plan.every_state = sockets.iter().any(|socket| !socket.is_server());
    if plan == (Plan { notes: plan.notes.clone(), tcp_only, on_windows, ..Plan::default() }) {
        return Err(Refusal::AlreadyFree);
    }
    Ok(plan)
}

/// Whether nothing can, or may, be done about this cause.
fn obstacle(
    cause: &Cause,
    diagnosis: &Diagnosis,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<(), Refusal> {
    let endpoint = &diagnosis.endpoint;
    let what = || explain::cause(cause, endpoint, snapshot);
    let why =
        |reason, explain| Why { pid: cause.pids.first().copied(), ..Why::new(reason, explain) };
    Err(match cause.kind {
        CauseKind::HiddenHolder => {
            // Who may ask the engine need not see its proxy.
            let container = published(endpoint, snapshot).and_then(|remedy| remedy.argv);
            let cure = match (snapshot.asker.uid, container) {
                (_, Some(argv)) => format!("; what gives the port back: {}", argv.join(" ")),
                (0, None) => String::new(),
                (_, None) => {
                    let command = limits.command(&[endpoint.to_string()]);
                    format!(": {}", explain::with_more_rights(&command, snapshot.is_windows()))
                }
            };
            Refusal::Denied(why(RefusalReason::Hidden, format!("{}{cure}", what())))
        }
        CauseKind::Kernel => {
            // Behind HTTP.sys somebody else can be stopped.
            let cure = http_sys(endpoint, snapshot).into_iter().find_map(|remedy| remedy.argv);
            let cure = cure.map_or(String::new(), |argv| {
                format!("; what gives the port back: {}", argv.join(" "))
            });
            Refusal::Helpless(why(RefusalReason::Kernel, format!("{}{cure}", what())))
        }
        CauseKind::Privileged | CauseKind::NotLocal | CauseKind::Reserved => {
            Refusal::Denied(why(RefusalReason::MayNotBind, what()))
        }
        CauseKind::Unexplained | CauseKind::NoPortsLeft => {
            Refusal::Helpless(why(RefusalReason::Unexplained, what()))
        }
        CauseKind::SocketActivation if !limits.force => {
            let sockets = cause.sockets.iter().filter_map(|&index| snapshot.sockets.get(index));
            let units: Vec<Supervisor> =
                sockets.filter_map(|socket| socket_unit_supervisor(socket, snapshot)).collect();
            let typed = |unit: &Supervisor| Some(typed(unit.stop.as_ref()?, unit, snapshot));
            let stop = units.iter().find_map(typed);
            let rail = units.iter().find_map(|unit| unit_guard(unit, snapshot));
            let user = match cause.pids.contains(&1) {
                true => "",
                false => "--user ",
            };
            let cure = match (stop, rail) {
                (Some(_), _) if limits.uses_levers() => return Ok(()),
                (Some(stop), _) => format!("what gives the port back: {stop}"),
                (None, Some(why)) => format!("left alone: {why}"),
                (None, None) if is_mac(snapshot) => {
                    "stop that job, not the process: its file in one of the folders LaunchDaemons and LaunchAgents names the port below Sockets"
                        .to_owned()
                }
                (None, None) => format!(
                    "stop that socket unit, not the service: systemctl {user}list-sockets names it"
                ),
            };
            let text = format!("{}; {cure}", what());
            Refusal::Guarded(why(RefusalReason::SocketActivation, text))
        }
        CauseKind::InFlight if !limits.force => Refusal::Guarded(why(
            RefusalReason::InFlight,
            format!("{}; that is a guess, so it is left alone without --force", what()),
        )),
        CauseKind::OutgoingConnection => {
            return outgoing_obstacle(cause, endpoint, snapshot, limits);
        }
        _ => return Ok(()),
    })
}

/// Whether an outgoing connection can, and may, be closed; its program is never stopped for it.
fn outgoing_obstacle(
    cause: &Cause,
    endpoint: &Endpoint,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<(), Refusal> {
    let why = |cure: &str| {
        let text = format!("{}; {cure}", explain::cause(cause, endpoint, snapshot));
        let pid = cause.pids.first().copied();
        Why { pid, ..Why::new(RefusalReason::OutgoingConnection, text) }
    };
    let command = format!("proc free {endpoint}");
    Err(if let Some(never) = explain::cannot_be_closed(cause, snapshot) {
        let text = format!("{never}, and that program is not stopped for it");
        Refusal::Helpless(why(&text))
    } else if !snapshot.asker.may_destroy {
        let on_windows = snapshot.is_windows();
        let rights = if on_windows { "more rights" } else { "root" };
        let command = explain::with_more_rights(&command, on_windows);
        let text = format!("to close it, and not that program, takes {rights}: {command}");
        Refusal::Denied(why(&text))
    } else if limits.verb == Verb::Stop {
        let text = format!("that program is not stopped for it: {command} closes the connection");
        Refusal::Guarded(why(&text))
    } else {
        return all_open(&cause.pids, snapshot, limits);
    })
}

/// Plans for processes that were named themselves.
pub fn plan_processes(pids: &[u32], snapshot: &Snapshot, limits: &Limits) -> Result<Plan, Refusal> {
    plan_processes_again(pids, snapshot, limits, &[])
}

/// Plans for processes that were started again by these.
pub(crate) fn plan_processes_again(
    pids: &[u32],
    snapshot: &Snapshot,
    limits: &Limits,
    proven: &[ProcessId],
) -> Result<Plan, Refusal> {
    let mut plan = Plan { on_windows: snapshot.is_windows(), ..Plan::default() };
    let named = Scene { wanted: Part::Target, ..Scene::of(pids, &[], snapshot, limits, proven) };
    plan.add_wanted(&named)?;
    plan.add_tree(snapshot, limits)?;
    plan.watch_restarters(snapshot);
    Ok(plan)
}

/// Plans for the sockets of a unix name.
pub fn plan_unix(snapshot: &Snapshot, name: &str, limits: &Limits) -> Result<Plan, Refusal> {
    let sockets: Vec<&Socket> = snapshot.sockets.iter().collect();
    if sockets.iter().any(|socket| socket.holders == crate::socket::Holders::Hidden) {
        let command = limits.command(&[name.to_owned()]);
        return Err(Refusal::Denied(Why::new(
            RefusalReason::Hidden,
            format!("{name} is served by a process that you may not see: sudo {command}"),
        )));
    }
    let mut plan = Plan::default();
    add_holders(&mut plan, &sockets, snapshot, limits, &[])?;
    plan.add_tree(snapshot, limits)?;
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
    proven: &[ProcessId],
) -> Result<(), Refusal> {
    let mut pids: Vec<u32> = sockets.iter().flat_map(|socket| socket.holders.pids()).collect();
    pids.sort_unstable();
    pids.dedup();
    plan.add_wanted(&Scene::of(&pids, sockets, snapshot, limits, proven))?;
    plan.watch_restarters(snapshot);
    plan.cookies = sockets.iter().filter_map(|socket| socket.cookie).collect();
    Ok(())
}

/// Whether a lever ends this holder as well: it is below one that the lever is for, or it is run by
/// the same unit or container.
pub(crate) fn is_stopped_by(levers: &[Lever], process: &Process, snapshot: &Snapshot) -> bool {
    if levers.is_empty() {
        return false;
    }
    let above = snapshot.ancestors(process.id.pid);
    let stop = supervisor_of(process.id.pid, snapshot).and_then(|supervisor| supervisor.stop);
    levers.iter().any(|lever| {
        above.iter().any(|ancestor| lever.pids.contains(&ancestor.id.pid))
            || stop.as_ref() == Some(&lever.argv)
    })
}

/// Makes victims of the processes of a scene.
struct Victims<'a> {
    scene: &'a Scene<'a>,
    runners: &'a [Runner<'a>],
}

/// Who would start a holder again, or may.
struct Runner<'a> {
    process: &'a Process,
    /// The name that people know it by.
    name: String,
    /// Whether it is known to.
    certain: bool,
}

impl Victims<'_> {
    /// A process that holds what is wanted, or was named.
    fn wanted(&self, process: &Process) -> Result<Victim, Refusal> {
        let pid = process.id.pid;
        let sockets = self.scene.sockets.iter().filter_map(|socket| Some((socket, socket.inode?)));
        let holds = sockets
            .flat_map(|(socket, inode)| {
                socket.holders.list().iter().map(move |holder| (*holder, inode))
            })
            .filter(|(holder, _)| holder.pid == pid)
            .collect();
        self.victim(process, self.scene.wanted, holds)
    }

    /// Those that would start the holders again, and what else they run: nobody of these is
    /// signalled who stands behind a guard rail.
    fn family(&self) -> Result<Vec<Victim>, Refusal> {
        let Scene { snapshot, limits, holders, .. } = *self.scene;
        let mut family = Vec::new();
        for runner in self.runners {
            let part = Part::Runner { certain: runner.certain };
            let victim = self.victim(runner.process, part, Vec::new())?;
            family.push(Victim { name: runner.name.clone(), ..victim });
        }
        let runners = self.runners.iter().map(|runner| runner.process.id.pid);
        let below = self.scene.kin.below(runners);
        let others = below.into_iter().filter(|process| {
            let pid = process.id.pid;
            !holders.contains(&pid)
                && !self.is_runner(pid)
                && check(process, snapshot, limits).is_ok()
        });
        for process in others.take(MOST_KIN) {
            family.push(self.victim(process, Part::Kin, Vec::new())?);
        }
        Ok(family)
    }

    fn victim(
        &self,
        process: &Process,
        part: Part,
        holds: Vec<(Holder, u64)>,
    ) -> Result<Victim, Refusal> {
        let Scene { snapshot, limits, holders, .. } = *self.scene;
        let above = snapshot.ancestors(process.id.pid);
        let hit = |pid: u32| holders.contains(&pid) || self.is_runner(pid);
        let topmost = !above.iter().any(|ancestor| hit(ancestor.id.pid));
        victim(process, part, holds, topmost, snapshot, limits)
    }

    fn is_runner(&self, pid: u32) -> bool {
        self.runners.iter().any(|runner| runner.process.id.pid == pid)
    }
}

/// The most processes of a watcher's tree that are asked in person: each takes a descriptor. The
/// rest follows or stays; it holds nothing that is wanted.
const MOST_KIN: usize = 128;

fn victim(
    process: &Process,
    part: Part,
    holds: Vec<(Holder, u64)>,
    topmost: bool,
    snapshot: &Snapshot,
    limits: &Limits,
) -> Result<Victim, Refusal> {
    let nature = nature_of(process, snapshot);
    let never_forced = nature.as_ref().and_then(|nature| nature.never_forced);
    let never_forced = never_forced.filter(|_| !limits.force);
    if let Some(why) = never_forced
        && (limits.now || limits.signal == SIGKILL)
    {
        let explain = format!(
            "{} is not forced at once: {why}; without --now it is asked, and --force does it all the same",
            named(process)
        );
        return Err(Refusal::Guarded(Why::of(process, RefusalReason::NeverForced, explain)));
    }
    Ok(Victim {
        id: process.id,
        name: process.program().to_owned(),
        stopped: process.is_stopped(),
        holds,
        topmost,
        part,
        // A signal that somebody chose is theirs to choose.
        ask: nature.and_then(|nature| nature.ask).filter(|_| limits.signal == SIGTERM),
        never_forced,
        argv: process.argv.clone(),
    })
}

/// What to know of a database and its like before it is ended.
fn nature_note(process: &Process, snapshot: &Snapshot) -> Option<String> {
    let nature = nature_of(process, snapshot)?;
    let sort = match nature.kind {
        NatureKind::Database => " (a database)",
        NatureKind::Editor => " (an editor)",
        NatureKind::VirtualMachine => " (a virtual machine)",
        // Their names say it: an ssh tunnel, a port-forward.
        _ => "",
    };
    let told = !sort.is_empty() || nature.kind == NatureKind::Tunnel;
    let advice = nature.advice.map(|advice| format!("; {advice}"));
    if !told && advice.is_none() {
        return None;
    }
    Some(format!("{}: {}{sort}{}", named(process), nature.name, advice.unwrap_or_default()))
}

fn restarters(victims: &[Victim], snapshot: &Snapshot) -> Vec<u32> {
    let mut pids: Vec<u32> = victims
        .iter()
        .filter(|victim| victim.part != Part::Kin)
        .flat_map(|victim| could_restart(victim.id.pid, snapshot))
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| victims.iter().all(|victim| victim.id.pid != *pid));
    pids
}

/// Whether that is a manager, or known to start again what it runs: these take their
/// time (circus looks every second, a unit's RestartSec is often two).
fn is_managed(by: &Supervisor) -> bool {
    by.restarts == Some(true)
        || (by.kind == SupervisorKind::ProcessManager && by.restarts != Some(false))
}

impl Plan {
    /// Adds what is to be done about the holders of a scene, or about those that were named: the
    /// levers, and whom to signal.
    fn add_wanted(&mut self, scene: &Scene<'_>) -> Result<(), Refusal> {
        let Scene { snapshot, limits, .. } = *scene;
        for lever in scene.socket_units()? {
            self.pull(lever);
        }
        let mut signalled: Vec<(&Process, Option<String>)> = Vec::new();
        let mut runners: Vec<Runner<'_>> = Vec::new();
        let wanted = topmost(snapshot, scene.holders);
        for process in wanted.iter().filter_map(|pid| snapshot.processes.get(pid)) {
            let known = self.levers.iter().any(|lever| lever.pids.contains(&process.id.pid));
            if known || scene.ends_with(&self.levers, process)? {
                continue;
            }
            match scene.way(process)? {
                Way::Lever(lever) => {
                    self.pull(*lever);
                    self.note(nature_note(process, snapshot));
                }
                Way::Signal(note) => signalled.push((process, note)),
                Way::Loop(by, script) => {
                    let text = "and is ended too if it does";
                    signalled.push((process, again(process, &by, Some(text), false, snapshot)));
                    self.loops.extend(Some(script).filter(|script| !self.loops.contains(script)));
                }
                Way::Runner(by, note) => {
                    signalled.push((process, None));
                    self.note(note);
                    let runner = by.pid.and_then(|pid| snapshot.processes.get(&pid));
                    let new =
                        runner.filter(|new| runners.iter().all(|old| old.process.id != new.id));
                    let certain = by.restarts == Some(true);
                    runners.extend(new.map(|process| Runner { process, name: by.name, certain }));
                }
            }
        }
        // A lever stops a whole unit or container: what that runs need not be signalled as well.
        signalled.retain(|(process, _)| !is_stopped_by(&self.levers, process, snapshot));
        let victims = Victims { scene, runners: &runners };
        for (process, note) in &signalled {
            check(process, snapshot, limits)?;
            let victim = victims.wanted(process)?;
            // Those below another victim end with it, or have it for their supervisor.
            if victim.topmost {
                self.note(note.clone());
            }
            self.note(nature_note(process, snapshot));
            self.victims.push(victim);
        }
        let mut family = victims.family()?;
        // Whoever would start it again comes first, what else it runs last.
        family
            .retain(|victim| self.levers.iter().all(|lever| !lever.pids.contains(&victim.id.pid)));
        let (runners, kin): (Vec<Victim>, Vec<Victim>) =
            family.into_iter().partition(|victim| victim.part.is_runner());
        self.victims.splice(0..0, runners);
        self.victims.extend(kin);
        if scene.is_named() {
            let signalled = |pid: &u32| self.victims.iter().any(|victim| victim.id.pid == *pid);
            let rest = wanted.iter().filter(|pid| !signalled(pid));
            for process in rest.filter_map(|pid| snapshot.processes.get(pid)) {
                self.awaited.push(victims.wanted(process)?);
            }
        }
        Ok(())
    }

    /// With `--tree`, everything below the victims as well: it is refused whole where a guard rail
    /// stands before one of them. What was started by one of them and is nobody's child there any
    /// more is left alone, and said.
    fn add_tree(&mut self, snapshot: &Snapshot, limits: &Limits) -> Result<(), Refusal> {
        if !limits.tree {
            return Ok(());
        }
        let known: HashSet<u32> = self.victims.iter().map(|victim| victim.id.pid).collect();
        for process in Kin::of(snapshot).below(known.iter().copied()) {
            if known.contains(&process.id.pid) || process.id.pid == snapshot.asker.pid {
                continue;
            }
            check(process, snapshot, limits)?;
            let member = victim(process, Part::Member, Vec::new(), false, snapshot, limits)?;
            self.victims.push(member);
        }
        let pids: Vec<u32> = self.victims.iter().map(|victim| victim.id.pid).collect();
        self.note(kin::strays_note(&pids, snapshot));
        Ok(())
    }

    /// Who is watched after the end, and for how long.
    fn watch_restarters(&mut self, snapshot: &Snapshot) {
        /// A script sleeps a second before the next round, systemd 100 ms.
        const SCRIPT: Duration = Duration::from_millis(1600);
        const MANAGER: Duration = Duration::from_millis(3500);
        /// Its manager stopped it. Only somebody else would start that again: a unit that runs
        /// `docker run`, a container's own policy; and whoever does so does it at once.
        const LEVER: Duration = Duration::from_millis(500);
        self.restarters = restarters(&self.victims, snapshot);
        let pids = self.victims.iter().map(|victim| victim.id.pid);
        let supervisors: Vec<Supervisor> =
            pids.filter_map(|pid| supervisor_of(pid, snapshot)).collect();
        let stop = |by: &Supervisor| Some((by.pid?, typed(by.stop.as_ref()?, by, snapshot)));
        self.stops = supervisors.iter().filter_map(stop).collect();
        let managed = supervisors.iter().any(is_managed);
        self.watch = match (self.restarters.is_empty(), managed) {
            (false, true) => MANAGER,
            (false, false) => SCRIPT,
            (true, _) if self.levers.iter().any(|lever| lever.may_return) => LEVER,
            (true, _) => Duration::ZERO,
        };
    }

    /// Adds a lever, once: of two where one does all that the other does, the greater.
    fn pull(&mut self, lever: Lever) {
        let covers = |one: &Lever, other: &Lever| {
            one.is_same(other)
                || (one.container.is_none()
                    && other.container.is_none()
                    && other.argv.iter().all(|word| one.argv.contains(word)))
        };
        if let Some(known) =
            self.levers.iter_mut().find(|known| covers(known, &lever) || covers(&lever, known))
        {
            let (pids, inodes) = (known.pids.clone(), known.inodes.clone());
            let (more_pids, more_inodes) = (lever.pids.clone(), lever.inodes.clone());
            let proofs = [known.proof.clone(), lever.proof.clone()];
            let meant: Vec<u32> = proofs.into_iter().flatten().flat_map(|it| it.pids).collect();
            if !covers(known, &lever) {
                *known = lever;
            }
            known.pids = pids.into_iter().chain(more_pids).collect();
            known.inodes = inodes.into_iter().chain(more_inodes).collect();
            known.proof = known.proof.take().map(|proof| Proof { pids: meant, ..proof });
            return;
        }
        self.note(lever.note.clone());
        self.levers.push(lever);
    }

    fn note(&mut self, note: Option<String>) {
        self.notes.extend(note.filter(|note| !self.notes.contains(note)));
    }
}
