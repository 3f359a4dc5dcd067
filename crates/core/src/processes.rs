//! Processes of a machine, chosen and told: what `list`, `by`, `in` and everything else that shows
//! processes stands on. Each is read once, use of the processor is measured for all at once, and
//! ports are looked for only among those that are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::explain;
use crate::filter::{Measured, ProcessFilter, SortKey, sort};
use crate::host::{Host, Watch};
use crate::look::{gaps, process_row};
use crate::process::{Percent, Process, ProcessState};
use crate::report::{GapReport, ProcessPort, ProcessReport, ProcessesReport, SCHEMA};
use crate::snapshot::{ProcessFacts, Scope, Snapshot, SocketScope};
use crate::socket::Socket;

/// For how long use of the processor is measured, where nothing else is said.
pub const USUAL_WINDOW: Duration = Duration::from_millis(200);

/// What is wanted of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessesWish {
    /// Which.
    pub filter: ProcessFilter,
    /// In what order.
    pub sort: SortKey,
    /// The most to show.
    pub limit: Option<usize>,
    /// The facts to show.
    pub facts: ProcessFacts,
    /// Whether to look for their ports.
    pub ports: bool,
    /// Of at most so many: the walk over all descriptors of thousands of processes takes longer
    /// than everything else together.
    pub ports_of_at_most: usize,
    /// Whether to measure use of the processor, even where nothing is chosen or sorted by it.
    pub cpu: bool,
    /// For how long to measure.
    pub window: Duration,
    /// Leave secrets in arguments as they are.
    pub show_secrets: bool,
}

impl Default for ProcessesWish {
    fn default() -> Self {
        Self {
            filter: ProcessFilter::default(),
            sort: SortKey::default(),
            limit: None,
            facts: ProcessFacts::ALL,
            ports: true,
            ports_of_at_most: usize::MAX,
            cpu: false,
            window: USUAL_WINDOW,
            show_secrets: false,
        }
    }
}

impl ProcessesWish {
    /// Whether use of the processor has to be measured.
    pub fn measures(&self) -> bool {
        self.cpu || self.sort == SortKey::Cpu || self.filter.measures()
    }
}

/// All processes of the machine at one moment, with what was measured of them.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The processes, and what could not be seen.
    pub snapshot: Snapshot,
    /// How much of a processor each used, where that was measured.
    cpu: BTreeMap<u32, Percent>,
    /// For how long it was measured.
    window: Option<Duration>,
    /// Where each that was asked about can be reached; of the others nothing is known.
    ports: BTreeMap<u32, Vec<ProcessPort>>,
    /// Whether ports were looked for.
    looked_for_ports: bool,
}

/// The processes to show, in order, and how many there are without the limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Their PIDs.
    pub pids: Vec<u32>,
    /// How many were chosen before the limit.
    pub matched: usize,
    /// How many of them the limit left out.
    pub cut: usize,
}

/// Shows the processes that are wished for.
pub fn processes(host: &dyn Host, command: &str, wish: &ProcessesWish) -> ProcessesReport {
    let mut survey = Survey::take(host, wish);
    let choice = survey.choose(host, wish, |_| true);
    let mut report = survey.report(command, &choice, wish);
    if report.processes.is_empty() {
        report.explain = Some(explain::no_process(&wish.filter, &survey.snapshot));
    }
    report
}

impl Survey {
    /// Reads every process, and measures them where that is wished for: that alone waits.
    pub fn take(host: &dyn Host, wish: &ProcessesWish) -> Self {
        let facts = wish.facts.and(wish.filter.facts());
        Self::look(host, wish, |bare| Scope {
            all_processes: true,
            facts: if bare { ProcessFacts::BARE } else { facts },
            ..Scope::default()
        })
    }

    /// As [`Survey::take`], of these processes and those above them alone.
    pub fn take_of(host: &dyn Host, wish: &ProcessesWish, pids: &[u32]) -> Self {
        Self::look(host, wish, |_| Scope { pids: pids.to_vec(), ..Scope::default() })
    }

    fn look(host: &dyn Host, wish: &ProcessesWish, scope: impl Fn(bool) -> Scope) -> Self {
        let before = wish.measures().then(|| {
            let begun = host.now();
            (begun, host.snapshot(&scope(true)))
        });
        if let Some((begun, _)) = &before {
            pause(host, wish.window.saturating_sub(host.now().saturating_sub(*begun)));
        }
        let now = host.now();
        let snapshot = host.snapshot(&scope(false));
        let (cpu, window) = match before {
            Some((begun, before)) => {
                let window = now.saturating_sub(begun);
                (use_of_processor(&before, &snapshot, window), Some(window))
            }
            None => (BTreeMap::new(), None),
        };
        Self { snapshot, cpu, window, ports: BTreeMap::new(), looked_for_ports: false }
    }

    /// Chooses among them: by the filter, and by `is` in addition. Looks for the ports of those
    /// that are chosen where that is wished for. This very process is never among them.
    pub fn choose(
        &mut self,
        host: &dyn Host,
        wish: &ProcessesWish,
        is: impl Fn(&Process) -> bool,
    ) -> Choice {
        let own = self.snapshot.asker.pid;
        let chosen: Vec<u32> = self
            .snapshot
            .processes
            .values()
            .filter(|process| process.id.pid != own)
            .filter(|process| {
                let cpu = self.cpu.get(&process.id.pid).copied();
                wish.filter.keeps(process, cpu, self.snapshot.taken_at) && is(process)
            })
            .map(|process| process.id.pid)
            .collect();
        if wish.sort == SortKey::Ports {
            self.look_for_ports(host, &chosen);
        }
        let mut order: Vec<&Process> =
            chosen.iter().filter_map(|pid| self.snapshot.processes.get(pid)).collect();
        sort(&mut order, wish.sort, |process| self.measured(process.id.pid));
        let mut pids: Vec<u32> = order.iter().map(|process| process.id.pid).collect();
        let matched = pids.len();
        pids.truncate(wish.limit.unwrap_or(usize::MAX));
        if wish.ports && pids.len() <= wish.ports_of_at_most {
            self.look_for_ports(host, &pids);
        }
        let cut = matched - pids.len();
        Choice { pids, matched, cut }
    }

    /// Looks for the ports of these processes: one list of all servers, and one walk over the
    /// descriptors of these alone.
    pub fn look_for_ports(&mut self, host: &dyn Host, pids: &[u32]) {
        self.looked_for_ports = true;
        let unknown: Vec<u32> =
            pids.iter().copied().filter(|pid| !self.ports.contains_key(pid)).collect();
        if unknown.is_empty() {
            return;
        }
        let seen = host.snapshot(&Scope {
            sockets: SocketScope::AllPorts,
            holders: true,
            among: unknown.clone(),
            ..Scope::default()
        });
        let mut found = ports_of(&seen);
        // What the descriptors of a main thread that ended do not show, the others' do.
        let leaderless: Vec<u32> = unknown
            .iter()
            .copied()
            .filter(|pid| {
                let process = self.snapshot.processes.get(pid);
                process.is_some_and(|process| process.state == ProcessState::LeaderExited)
            })
            .collect();
        if !leaderless.is_empty() {
            let scope = SocketScope::HeldBy(leaderless);
            let seen = host.snapshot(&Scope { sockets: scope, holders: true, ..Scope::default() });
            found.append(&mut ports_of(&seen));
        }
        for pid in unknown {
            self.ports.insert(pid, found.remove(&pid).unwrap_or_default());
        }
        seen.gaps.into_iter().for_each(|gap| self.snapshot.note(gap));
    }

    /// The ports of processes whose sockets are known already, by the sockets' inodes: that takes one
    /// list of all servers. A main thread that ended does not show all of them.
    pub fn learn_ports(&mut self, host: &dyn Host, sockets: &BTreeMap<u32, Vec<u64>>) {
        let whole = |pid: &u32| {
            let process = self.snapshot.processes.get(pid);
            process.is_some_and(|process| process.state != ProcessState::LeaderExited)
        };
        let mut ports: BTreeMap<u32, Vec<ProcessPort>> =
            sockets.keys().filter(|pid| whole(pid)).map(|&pid| (pid, Vec::new())).collect();
        if ports.is_empty() {
            return;
        }
        self.looked_for_ports = true;
        let seen = host.snapshot(&Scope { sockets: SocketScope::AllPorts, ..Scope::default() });
        let servers: BTreeMap<u64, ProcessPort> =
            servers(&seen).filter_map(|socket| Some((socket.inode?, port_of(socket)?))).collect();
        for (pid, own) in &mut ports {
            let inodes = sockets.get(pid).into_iter().flatten();
            own.extend(inodes.filter_map(|inode| servers.get(inode)).cloned());
            settle(own);
        }
        self.ports.append(&mut ports);
        seen.gaps.into_iter().for_each(|gap| self.snapshot.note(gap));
    }

    /// What was measured of a process.
    pub fn measured(&self, pid: u32) -> Measured {
        let ports = self.ports.get(&pid).map(Vec::as_slice).unwrap_or_default();
        Measured {
            cpu: self.cpu.get(&pid).copied(),
            port: ports.iter().map(|port| port.port).min(),
        }
    }

    /// One of them, as documents show it in a list.
    pub fn row(&self, process: &Process, show_secrets: bool) -> ProcessReport {
        let pid = process.id.pid;
        ProcessReport {
            ports: self.ports.get(&pid).cloned(),
            cpu_percent: self.cpu.get(&pid).copied(),
            cpu_ms: process.cpu_ms,
            memory_bytes: process.memory,
            threads: process.threads,
            ..process_row(process, self.snapshot.taken_at, show_secrets)
        }
    }

    /// The document of those that were chosen.
    pub fn report(&self, command: &str, choice: &Choice, wish: &ProcessesWish) -> ProcessesReport {
        let chosen = choice.pids.iter().filter_map(|pid| self.snapshot.processes.get(pid));
        let processes: Vec<ProcessReport> =
            chosen.map(|process| self.row(process, wish.show_secrets)).collect();
        let mut notes = Vec::new();
        notes.extend((choice.cut > 0).then(|| explain::more_processes(choice.cut)));
        let unasked = wish.ports && !self.looked_for_ports;
        notes.extend((unasked && !choice.pids.is_empty()).then(explain::no_ports));
        notes.extend(explain::left_out(&wish.filter, &self.snapshot));
        ProcessesReport {
            schema: SCHEMA,
            command: command.to_owned(),
            ok: !processes.is_empty(),
            processes,
            matched: choice.matched,
            window_ms: self.window.map(|window| window.as_millis() as u64),
            gaps: self.gaps(),
            notes,
            explain: None,
            error: None,
        }
    }

    fn gaps(&self) -> Vec<GapReport> {
        gaps(&self.snapshot)
    }
}

/// Waits, and longer where the host returns early.
pub(crate) fn pause(host: &dyn Host, time: Duration) {
    let end = host.now().saturating_add(time);
    loop {
        let left = end.saturating_sub(host.now());
        if left.is_zero()
            || host.wait(&[], &mut Watch::silent(), left) == crate::host::Woken::Interrupted
        {
            return;
        }
    }
}

/// How much of a processor each process uses, measured for as long as usual.
pub(crate) fn use_of_processors(host: &dyn Host) -> BTreeMap<u32, Percent> {
    let wish = ProcessesWish { cpu: true, facts: ProcessFacts::BARE, ..ProcessesWish::default() };
    Survey::take(host, &wish).cpu
}

/// How much of a processor each process used between two looks. One that was not there before has
/// used all its time since; a number that belongs to another by now counts as new.
fn use_of_processor(
    before: &Snapshot,
    after: &Snapshot,
    window: Duration,
) -> BTreeMap<u32, Percent> {
    let used = |process: &Process| {
        let earlier = before.processes.get(&process.id.pid).filter(|old| old.id == process.id);
        let earlier = earlier.map_or(Some(0), |old| old.cpu_ms)?;
        // The kernel's sums of its threads' times may go back by a tick.
        let used = process.cpu_ms?.saturating_sub(earlier);
        Some((process.id.pid, Percent::of(Duration::from_millis(used), window)))
    };
    after.processes.values().filter_map(used).collect()
}

/// The sockets at which each process waits for others: listeners, and UDP that is connected to
/// nobody. One that several descriptors or threads have counts once.
pub(crate) fn ports_of(seen: &Snapshot) -> BTreeMap<u32, Vec<ProcessPort>> {
    let mut found: BTreeMap<u32, Vec<ProcessPort>> = BTreeMap::new();
    for (socket, port) in servers(seen).filter_map(|socket| Some((socket, port_of(socket)?))) {
        let pids: BTreeSet<u32> = socket.holders.pids().into_iter().collect();
        for pid in pids {
            found.entry(pid).or_default().push(port.clone());
        }
    }
    found.values_mut().for_each(settle);
    found
}

/// The sockets of this network namespace that wait for others.
fn servers(seen: &Snapshot) -> impl Iterator<Item = &Socket> {
    seen.sockets.iter().filter(|socket| socket.is_server() && socket.netns.is_none())
}

fn settle(ports: &mut Vec<ProcessPort>) {
    ports.sort_by(|a, b| {
        (a.port, a.protocol.name(), &a.local).cmp(&(b.port, b.protocol.name(), &b.local))
    });
    ports.dedup();
}

fn port_of(socket: &Socket) -> Option<ProcessPort> {
    Some(ProcessPort {
        protocol: socket.protocol,
        port: socket.port()?,
        local: socket.local.to_string(),
        exposure: socket.ip().map(crate::addr::exposure),
    })
}
