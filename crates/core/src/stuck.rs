//! Which processes get nowhere, and by what evidence: two looks at every thread that is not asleep
//! and at every queue of connections, some time apart. A process that waits for a lock, a timer or a
//! client is not stuck: waiting is what servers do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::addr::{Endpoint, Port};
use crate::explain;
use crate::host::Host;
use crate::process::{Percent, Process, ProcessState};
use crate::processes::{ProcessesWish, Survey, pause};
use crate::report::{ProcessReport, ProcessesReport};
use crate::snapshot::{ProcessFacts, Scope, Snapshot, SocketScope};
use crate::socket::{Backlog, Protocol, Socket, TcpState};

/// How long is looked, where nothing else is said.
pub const USUAL_WINDOW: Duration = Duration::from_millis(300);

/// A thread that used less than that cannot be said to compute: the kernel counts in ticks of 10 ms.
const LEAST_COMPUTING: Duration = Duration::from_millis(30);

/// Which threads are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PulseScope {
    /// Those of every process that are not asleep.
    Awake,
    /// All of these processes.
    Of(Vec<u32>),
}

/// A thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Its process.
    pub pid: u32,
    /// The thread: the process's own number for the main one.
    pub tid: u32,
    /// When it started, in the system's own unit: a number may come again.
    pub start: u64,
    /// What it is doing.
    pub state: ProcessState,
    /// The processor time it used in its own code.
    pub own: Duration,
    /// The processor time that the kernel used for it.
    pub kernel: Duration,
    /// How often a page of its memory was not there.
    pub faults: u64,
    /// How often it waited for something; `None` where that was not read.
    pub waits: Option<u64>,
    /// The process that traces it.
    pub tracer: Option<u32>,
}

/// Where in the kernel a thread waits, so far as this user may know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingPlace {
    /// The kernel's function (`/proc/PID/wchan`).
    pub function: Option<String>,
    /// The system call it is in, by name.
    pub call: Option<&'static str>,
    /// The file that the system call is about.
    pub file: Option<String>,
}

/// A queue of connections that nobody has accepted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The listener's socket.
    pub inode: u64,
    /// Where it listens, as text.
    pub local: String,
    /// How many wait, and how many may.
    pub backlog: Backlog,
    /// The processes that could accept them.
    pub pids: Vec<u32>,
}

/// Why a process is taken for stuck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A thread was deaf to signals all the time (state D) and never ran.
    Deaf {
        /// The thread.
        tid: u32,
    },
    /// It is stopped by a signal.
    Stopped,
    /// Its debugger has stopped it.
    Traced {
        /// The debugger, where it may be known.
        by: Option<u32>,
    },
    /// Its control group is frozen.
    Frozen {
        /// The group.
        group: String,
    },
    /// It has ended and its parent does not collect it.
    Uncollected,
    /// A thread computed all the time: it did not wait, touched no new memory and hardly entered the
    /// kernel.
    Spinning {
        /// The thread.
        tid: u32,
        /// How much of a processor it had.
        share: Percent,
    },
    /// Connections wait and are not accepted.
    NotAccepting {
        /// Where.
        local: String,
        /// How many wait, and how many may.
        backlog: Backlog,
        /// Whether it did nothing at all meanwhile.
        idle: bool,
    },
}

impl Evidence {
    /// Whether it proves that the process gets nowhere. A computation may end, and a server that
    /// works while its queue is full may only be slow.
    pub const fn is_certain(&self) -> bool {
        match self {
            Self::Spinning { .. } => false,
            Self::NotAccepting { idle, backlog, .. } => *idle && is_full(*backlog),
            Self::Deaf { .. }
            | Self::Stopped
            | Self::Traced { .. }
            | Self::Frozen { .. }
            | Self::Uncollected => true,
        }
    }
}

/// Whether the kernel takes no further connection: it lets in one more than the limit
/// (`sk_acceptq_is_full` in include/net/sock.h).
const fn is_full(backlog: Backlog) -> bool {
    backlog.waiting > 0 && backlog.waiting >= backlog.limit
}

/// What two looks at threads show, by process. A number that belongs to another thread by the second
/// look shows nothing.
pub fn judge(before: &[Pulse], after: &[Pulse], window: Duration) -> BTreeMap<u32, Vec<Evidence>> {
    let mut found: BTreeMap<u32, Vec<Evidence>> = BTreeMap::new();
    for (old, new) in pairs(before, after) {
        if let Some(evidence) = judge_thread(old, new, window) {
            let all = found.entry(new.pid).or_default();
            if !all.contains(&evidence) {
                all.push(evidence);
            }
        }
    }
    found
}

fn pairs<'a>(
    before: &'a [Pulse],
    after: &'a [Pulse],
) -> impl Iterator<Item = (&'a Pulse, &'a Pulse)> {
    let key = |pulse: &Pulse| (pulse.pid, pulse.tid, pulse.start);
    let old: BTreeMap<_, _> = before.iter().map(|pulse| (key(pulse), pulse)).collect();
    after.iter().filter_map(move |new| Some((*old.get(&key(new))?, new)))
}

fn judge_thread(old: &Pulse, new: &Pulse, window: Duration) -> Option<Evidence> {
    if old.state != new.state {
        return None;
    }
    let (tid, main) = (new.tid, new.tid == new.pid);
    // What was not read is not known to have changed, and not known to have stayed.
    let never_waited = old.waits.is_some() && old.waits == new.waits;
    match new.state {
        ProcessState::Uninterruptible => {
            let ran = (new.own, new.kernel) != (old.own, old.kernel);
            (never_waited && !ran).then_some(Evidence::Deaf { tid })
        }
        // All threads are stopped together.
        ProcessState::Stopped => main.then_some(Evidence::Stopped),
        ProcessState::Traced => main.then_some(Evidence::Traced { by: new.tracer }),
        ProcessState::Zombie => main.then_some(Evidence::Uncollected),
        ProcessState::Running => {
            let own = new.own.saturating_sub(old.own);
            let kernel = new.kernel.saturating_sub(old.kernel);
            let still = never_waited && old.faults == new.faults;
            (own >= LEAST_COMPUTING && kernel * 10 <= own && still)
                .then(|| Evidence::Spinning { tid, share: Percent::of(own, window) })
        }
        ProcessState::Suspended
        | ProcessState::Sleeping
        | ProcessState::LeaderExited
        | ProcessState::Other => None,
    }
}

/// The queues that had connections in them at both looks and did not get shorter.
pub fn unaccepted(before: &[Queue], after: &[Queue]) -> Vec<Queue> {
    let stayed = |new: &&Queue| {
        let old = before.iter().find(|old| old.inode == new.inode);
        old.is_some_and(|old| old.backlog.waiting > 0 && new.backlog.waiting >= old.backlog.waiting)
    };
    after.iter().filter(stayed).cloned().collect()
}

/// Whether none of a process's threads did anything between the looks; `None` where it was not seen
/// both times.
pub fn was_idle(pid: u32, before: &[Pulse], after: &[Pulse]) -> Option<bool> {
    let of = |pulses: &[Pulse]| -> Vec<Pulse> {
        let mut own: Vec<Pulse> = pulses.iter().filter(|p| p.pid == pid).copied().collect();
        own.sort_unstable_by_key(|pulse| pulse.tid);
        own
    };
    let (old, new) = (of(before), of(after));
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let same = old.len() == new.len()
        && old.iter().zip(&new).all(|(old, new)| {
            (old.tid, old.start, old.own, old.kernel, old.waits)
                == (new.tid, new.start, new.own, new.kernel, new.waits)
        });
    Some(same)
}

/// The processes among those wished for that get nowhere. It waits for the window of the wish.
/// `None` where this system cannot tell.
pub fn stuck(host: &dyn Host, wish: &ProcessesWish) -> Option<ProcessesReport> {
    let queues = queues(host, None);
    let waiting: BTreeSet<u32> = queues.iter().flat_map(|queue| queue.pids.clone()).collect();
    let begun = host.now();
    let mut before = host.pulses(&PulseScope::Awake)?;
    add(&mut before, host.pulses(&PulseScope::Of(waiting.iter().copied().collect()))?);
    pause(host, wish.window);
    let mut pids: Vec<u32> = before.iter().map(|pulse| pulse.pid).chain(waiting).collect();
    pids.sort_unstable();
    pids.dedup();
    let after = host.pulses(&PulseScope::Of(pids))?;
    let window = host.now().saturating_sub(begun);
    let mut found = judge(&before, &after, window);
    if !queues.is_empty() {
        let later = self::queues(host, Some(&queues));
        for queue in unaccepted(&queues, &later) {
            for &pid in &queue.pids {
                let idle = was_idle(pid, &before, &after) == Some(true);
                let (local, backlog) = (queue.local.clone(), queue.backlog);
                // One that works on with some connections before it is a server that serves.
                if idle || is_full(backlog) {
                    let evidence = Evidence::NotAccepting { local, backlog, idle };
                    found.entry(pid).or_default().push(evidence);
                }
            }
        }
    }
    let mut wish = wish.clone();
    // Names and jobs are told of those that are found, and groups are asked about.
    wish.facts = ProcessFacts { group: true, program: true, arguments: true, ..wish.facts };
    // They are never looked at, and not to be shown by an option.
    wish.filter.kernel_threads = true;
    let mut survey = Survey::take(host, &wish);
    for (pid, group) in frozen(host, &survey.snapshot) {
        found.entry(pid).or_default().push(Evidence::Frozen { group });
    }
    let choice = survey.choose(host, &wish, |process| found.contains_key(&process.id.pid));
    let mut report = survey.report("stuck", &choice, &wish);
    report.window_ms = Some(window.as_millis() as u64);
    for process in &mut report.processes {
        tell(host, process, &found, &survey.snapshot, window);
    }
    if report.processes.is_empty() {
        report.explain = Some(explain::nothing_stuck(&wish.filter, window));
    }
    Some(report)
}

fn add(pulses: &mut Vec<Pulse>, more: Vec<Pulse>) {
    let known: BTreeSet<(u32, u32)> = pulses.iter().map(|pulse| (pulse.pid, pulse.tid)).collect();
    pulses.extend(more.into_iter().filter(|pulse| !known.contains(&(pulse.pid, pulse.tid))));
}

/// Adds the evidence to a process of the answer.
fn tell(
    host: &dyn Host,
    report: &mut ProcessReport,
    found: &BTreeMap<u32, Vec<Evidence>>,
    snapshot: &Snapshot,
    window: Duration,
) {
    /// Threads in one state are told one by one up to here.
    const MOST: usize = 4;
    let Some(process) = snapshot.processes.get(&report.pid) else { return };
    for evidence in found.get(&report.pid).into_iter().flatten().take(MOST) {
        let place = match evidence {
            Evidence::Deaf { tid } => host.waiting_place(report.pid, *tid),
            _ => None,
        };
        let place = place.unwrap_or_default();
        report.because.push(explain::stuck(process, evidence, &place, snapshot, window));
    }
}

/// The listeners with connections that nobody has accepted, and who could: all, or only these again.
fn queues(host: &dyn Host, again: Option<&[Queue]>) -> Vec<Queue> {
    let look = |sockets: SocketScope, holders: bool| {
        host.snapshot(&Scope { sockets, holders, ..Scope::default() }).sockets
    };
    let mut all = look(SocketScope::AllPorts, false);
    all.extend(look(SocketScope::AllUnix, false));
    let waits = |socket: &Socket| {
        let listens = socket.state == Some(TcpState::Listen) && socket.netns.is_none();
        listens && socket.backlog.is_some_and(|backlog| backlog.waiting > 0)
    };
    all.retain(waits);
    if let Some(known) = again {
        let pids = |inode| known.iter().find(|queue| queue.inode == inode).map(|q| q.pids.clone());
        return all.iter().filter_map(|socket| queue(socket, pids(socket.inode?)?)).collect();
    }
    let ports = all.iter().filter_map(|socket| Some(Endpoint::any(Port::new(socket.port()?)?)));
    let ports: Vec<Endpoint> = ports.collect();
    let names = all.iter().filter(|socket| socket.protocol == Protocol::Unix);
    let names: Vec<String> = names.map(|socket| socket.local.to_string()).collect();
    let mut held = Vec::new();
    if !ports.is_empty() {
        held.extend(look(SocketScope::Ports(ports), true));
    }
    if !names.is_empty() {
        held.extend(look(SocketScope::Unix(names), true));
    }
    held.retain(waits);
    held.iter().filter_map(|socket| queue(socket, socket.holders.pids())).collect()
}

fn queue(socket: &Socket, pids: Vec<u32>) -> Option<Queue> {
    let local = match socket.protocol {
        Protocol::Unix => socket.local.to_string(),
        _ => format!("{}:{}", socket.protocol.name(), socket.local),
    };
    Some(Queue { inode: socket.inode?, local, backlog: socket.backlog?, pids })
}

/// The processes in frozen control groups.
fn frozen(host: &dyn Host, snapshot: &Snapshot) -> Vec<(u32, String)> {
    let groups: BTreeSet<String> =
        snapshot.processes.values().filter_map(|process| process.cgroup.clone()).collect();
    let frozen = host.frozen(&groups.into_iter().collect::<Vec<String>>());
    let group_of = |process: &Process| {
        let group = process.cgroup.clone().filter(|group| frozen.contains(group))?;
        Some((process.id.pid, group))
    };
    snapshot.processes.values().filter_map(group_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(300);

    fn pulse(pid: u32, tid: u32, state: ProcessState) -> Pulse {
        Pulse {
            pid,
            tid,
            start: 7,
            state,
            own: Duration::from_millis(500),
            kernel: Duration::from_millis(20),
            faults: 10,
            waits: Some(3),
            tracer: None,
        }
    }

    fn judged(old: Pulse, new: Pulse) -> Vec<Evidence> {
        judge(&[old], &[new], WINDOW).remove(&new.pid).unwrap_or_default()
    }

    fn after(old: Pulse, own: u64, kernel: u64) -> Pulse {
        Pulse {
            own: old.own + Duration::from_millis(own),
            kernel: old.kernel + Duration::from_millis(kernel),
            ..old
        }
    }

    #[test]
    fn deaf_is_who_was_so_all_the_time() {
        let old = pulse(10, 11, ProcessState::Uninterruptible);
        assert_eq!(judged(old, old), [Evidence::Deaf { tid: 11 }]);
        // It waited for a disk, got its data and waits for the next.
        assert_eq!(judged(old, Pulse { waits: Some(4), ..old }), []);
        assert_eq!(judged(old, after(old, 0, 10)), []);
        assert_eq!(judged(old, Pulse { state: ProcessState::Running, ..old }), []);
        let unread = Pulse { waits: None, ..old };
        assert_eq!(judged(unread, unread), [], "what was not read proves nothing");
        assert_eq!(judged(old, Pulse { start: 8, ..old }), [], "another thread of that number");
    }

    #[test]
    fn a_computation_neither_waits_nor_grows_nor_asks_the_kernel() {
        let old = pulse(10, 10, ProcessState::Running);
        let share = Percent::from_tenths(967);
        let spins = [Evidence::Spinning { tid: 10, share }];
        assert_eq!(judged(old, after(old, 290, 0)), spins);
        assert_eq!(judged(old, after(old, 290, 20)), spins);
        for (other, why) in [
            (after(old, 20, 0), "too little time to say"),
            (after(old, 200, 90), "system calls"),
            (Pulse { faults: 11, ..after(old, 290, 0) }, "it grows"),
            (Pulse { waits: Some(4), ..after(old, 290, 0) }, "it waited"),
        ] {
            assert_eq!(judged(old, other), [], "{why}");
        }
        assert!(!spins[0].is_certain());
    }

    #[test]
    fn stopped_traced_and_ended_processes_are_told_once() {
        let both = |state| {
            let threads = [pulse(10, 10, state), pulse(10, 11, state)];
            judge(&threads, &threads, WINDOW).remove(&10).unwrap_or_default()
        };
        assert_eq!(both(ProcessState::Stopped), [Evidence::Stopped]);
        assert_eq!(both(ProcessState::Traced), [Evidence::Traced { by: None }]);
        assert_eq!(both(ProcessState::Zombie), [Evidence::Uncollected]);
        assert_eq!(both(ProcessState::LeaderExited), []);
        assert_eq!(both(ProcessState::Sleeping), [], "waiting is what servers do");
    }

    fn queue(inode: u64, waiting: u32, limit: u32) -> Queue {
        let backlog = Backlog { waiting, limit };
        Queue { inode, local: "tcp:127.0.0.1:3000".to_owned(), backlog, pids: vec![10] }
    }

    #[test]
    fn queues_that_get_shorter_are_served() {
        for (before, later, stays) in [
            (queue(1, 3, 2), queue(1, 3, 2), true),
            (queue(1, 1, 128), queue(1, 5, 128), true),
            (queue(1, 3, 128), queue(1, 1, 128), false),
            (queue(1, 0, 128), queue(1, 4, 128), false),
            (queue(1, 3, 128), queue(2, 3, 128), false),
        ] {
            let one = std::slice::from_ref;
            let left = unaccepted(one(&before), one(&later));
            assert_eq!(!left.is_empty(), stays, "{before:?} {later:?}");
        }
        let evidence = |waiting, limit, idle| {
            let backlog = Backlog { waiting, limit };
            Evidence::NotAccepting { local: String::new(), backlog, idle }.is_certain()
        };
        assert!(evidence(129, 128, true));
        assert!(!evidence(129, 128, false), "it may only be slow");
        assert!(!evidence(1, 128, true), "it may accept when it is woken");
    }

    #[test]
    fn idle_is_who_neither_ran_nor_waited_anew_in_any_thread() {
        let old = [pulse(10, 10, ProcessState::Sleeping), pulse(10, 11, ProcessState::Sleeping)];
        assert_eq!(was_idle(10, &old, &old), Some(true));
        let ran = [old[0], after(old[1], 10, 0)];
        assert_eq!(was_idle(10, &old, &ran), Some(false));
        let woke = [old[0], Pulse { waits: Some(9), ..old[1] }];
        assert_eq!(was_idle(10, &old, &woke), Some(false));
        assert_eq!(was_idle(10, &old, &old[..1]), Some(false), "a thread ended");
        assert_eq!(was_idle(12, &old, &old), None);
    }
}
