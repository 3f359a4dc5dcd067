//! Every socket with a port that waits for somebody: `proc ports`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::addr::{Port, Transport};
use crate::census::Census;
use crate::explain;
use crate::filter::ProcessFilter;
use crate::host::Host;
use crate::learn::{self, Learn, learn};
use crate::look::{LookOptions, gaps, process_facts, process_row, socket_report};
use crate::origin::is_mine;
use crate::process::Percent;
use crate::processes::use_of_processors;
use crate::report::{PortsReport, ProcessReport, SCHEMA, SocketReport};
use crate::snapshot::{ProcessFacts, Scope, Snapshot, SocketScope, States, Sweep};
use crate::socket::{Protocol, Socket, TcpState};
use crate::target::Target;

/// Which sockets to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortsFilter {
    /// Only those of these ports or processes; empty for all.
    pub targets: Vec<Target>,
    /// Unix sockets with a name as well.
    pub unix: bool,
    /// Only those with a holder that is the asker's own ([`crate::origin::is_mine`]).
    pub mine: bool,
    /// Tell of each holder only what it says of itself: not who runs it, where it comes from, what
    /// sort it is, nor its container and unit. A table shows no more, and of hundreds of holders the
    /// rest takes longer than everything else.
    pub brief: bool,
    /// Only those with a holder of the asker's user; of root all.
    pub own: bool,
    /// Only those with a holder that is all of this.
    pub holder: ProcessFilter,
    /// In what order.
    pub sort: PortSort,
}

/// By what ports are ordered; those that are equal come by port. Of several holders the first
/// counts, and what no visible process holds comes last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortSort {
    /// By port, protocol and address.
    #[default]
    Port,
    /// By the holder's PID.
    Pid,
    /// By the holder's name, ignoring case.
    Name,
    /// By the holder's user.
    User,
    /// The oldest holder first.
    Age,
}

/// The targets, with the processes they mean found out.
struct Chosen<'a> {
    filter: &'a PortsFilter,
    pids: Vec<u32>,
    cpu: BTreeMap<u32, Percent>,
}

impl<'a> Chosen<'a> {
    fn new(host: &dyn Host, filter: &'a PortsFilter) -> Self {
        let census = Census::take_with_files(host, &filter.targets);
        let pids = filter.targets.iter().flat_map(|target| match target {
            // A number needs no look at who lives: what nobody holds is not listed.
            Target::Pid(pid) | Target::Number(pid) => vec![*pid],
            other => census.meant_by(other),
        });
        let pids = pids.collect();
        let cpu = match filter.holder.measures() {
            true => use_of_processors(host),
            false => BTreeMap::new(),
        };
        Self { filter, pids, cpu }
    }

    /// Whether a holder of the socket is one that is meant. One that is hidden is not known to be.
    fn has_holder(&self, socket: &Socket, snapshot: &Snapshot) -> bool {
        let wanted = &self.filter.holder;
        let uid = snapshot.asker.uid;
        let own = self.filter.own && uid != 0;
        if wanted.is_empty() && !own {
            return true;
        }
        let mut holders = socket.holders.pids().into_iter();
        holders.any(|pid| {
            snapshot.processes.get(&pid).is_some_and(|process| {
                (!own || process.uid == Some(uid))
                    && wanted.keeps(process, self.cpu.get(&pid).copied(), snapshot.taken_at)
            })
        })
    }

    fn has(&self, socket: &Socket) -> bool {
        let port = socket.port().and_then(Port::new);
        let transport = socket.protocol.transport();
        let on = |wanted: Option<Transport>| wanted.is_none() || wanted == transport;
        self.filter.targets.is_empty()
            || self.pids.iter().any(|&pid| socket.holders.has(pid))
            || self.filter.targets.iter().any(|target| match target {
                Target::Port(endpoint) => port == Some(endpoint.port) && on(endpoint.transport),
                Target::Range(range) => {
                    port.is_some_and(|port| range.contains(port)) && on(range.transport())
                }
                // Looking shows both the process and the port of a bare number.
                Target::Number(_) => port.is_some() && port == target.also_port(),
                Target::Unix(name) => socket.local.to_string() == name.to_string(),
                _ => false,
            })
    }
}

/// Lists listeners, bound sockets and open UDP ports with their holders. Connected UDP sockets
/// are somebody's queries and left out.
pub fn ports(host: &dyn Host, filter: &PortsFilter, options: &LookOptions) -> PortsReport {
    let mut snapshot = host.snapshot(&Scope {
        sockets: SocketScope::AllPorts,
        holders: true,
        states: if options.every_state { States::All } else { States::BoundIfCheap },
        namespaces: if options.all_namespaces { Sweep::All } else { Sweep::None },
        facts: facts(filter),
        ..Scope::default()
    });
    let chosen = Chosen::new(host, filter);
    learn_origins(host, &mut snapshot, &chosen, options);
    let mut report = report(&snapshot, &chosen, options);
    if filter.unix {
        let mut snapshot = host.snapshot(&Scope {
            sockets: SocketScope::AllUnix,
            holders: true,
            facts: facts(filter),
            ..Scope::default()
        });
        learn_origins(host, &mut snapshot, &chosen, options);
        let unix = self::report(&snapshot, &chosen, options);
        report.ok |= unix.ok;
        report.sockets.extend(unix.sockets);
        let known: BTreeSet<u32> = report.processes.iter().map(|process| process.pid).collect();
        let more = unix.processes.into_iter().filter(|process| !known.contains(&process.pid));
        report.processes.extend(more);
    }
    sort(&mut report, filter.sort);
    report.matched = report.sockets.len();
    report
}

/// What is read of the holders. Whose somebody is turns on everything.
fn facts(filter: &PortsFilter) -> ProcessFacts {
    let shown = ProcessFacts { group: !filter.brief || filter.mine, ..ProcessFacts::ALL };
    shown.and(filter.holder.facts())
}

impl PortsReport {
    /// Leaves out those that are not wanted, and all but the first so many of the others; then
    /// the processes that hold none of the rest.
    pub fn keep(&mut self, wanted: impl Fn(&SocketReport) -> bool, limit: Option<usize>) {
        self.sockets.retain(wanted);
        self.matched = self.sockets.len();
        self.sockets.truncate(limit.unwrap_or(usize::MAX));
        let cut = self.matched - self.sockets.len();
        self.notes.extend((cut > 0).then(|| explain::more_sockets(cut)));
        let held: BTreeSet<u32> =
            self.sockets.iter().flat_map(|it| &it.holders).map(|holder| holder.pid).collect();
        self.processes.retain(|process| held.contains(&process.pid));
        self.ok = self.error.is_none() && !self.sockets.is_empty();
    }
}

/// Puts the sockets in order; they come by port.
fn sort(report: &mut PortsReport, key: PortSort) {
    let processes: BTreeMap<u32, &ProcessReport> =
        report.processes.iter().map(|process| (process.pid, process)).collect();
    let first = |socket: &SocketReport| {
        let mut holders = socket.holders.iter();
        holders.find_map(|holder| processes.get(&holder.pid).copied())
    };
    // What is not known comes last: `false` is before `true`.
    let last = |text: Option<String>| (text.is_none(), text);
    match key {
        PortSort::Port => {}
        PortSort::Pid => report.sockets.sort_by_key(|socket| {
            let pid = socket.holders.first().map(|holder| holder.pid);
            (pid.is_none(), pid)
        }),
        PortSort::Name => report
            .sockets
            .sort_by_cached_key(|socket| last(first(socket).map(|it| it.name.to_lowercase()))),
        PortSort::User => report.sockets.sort_by_cached_key(|socket| {
            let user = |process: &ProcessReport| {
                process.user.clone().or_else(|| process.uid.map(|uid| uid.to_string()))
            };
            last(first(socket).and_then(user))
        }),
        PortSort::Age => report.sockets.sort_by_cached_key(|socket| {
            let age = first(socket).and_then(|process| process.age_ms);
            (age.is_none(), Reverse(age))
        }),
    }
}

/// What tells whose the holders are, where that is asked: it costs some system calls a process.
fn learn_origins(
    host: &dyn Host,
    snapshot: &mut Snapshot,
    chosen: &Chosen<'_>,
    options: &LookOptions,
) {
    if chosen.filter.mine {
        let holders = learn::holders(snapshot);
        let learned = options.learn.max(Learn::Holders);
        let options = LookOptions { learn: learned, mine: true, ..*options };
        learn(host, snapshot, &holders, &[], &options);
    }
}

/// Whether a socket waits for somebody, or is bound and may yet.
pub(crate) fn keeps_its_port(socket: &Socket) -> bool {
    let bound = socket.protocol == Protocol::Tcp && socket.state == Some(TcpState::Bound);
    socket.is_server() || bound
}

fn report(snapshot: &Snapshot, chosen: &Chosen<'_>, options: &LookOptions) -> PortsReport {
    let mut sockets: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| keeps_its_port(socket) && chosen.has(socket))
        .filter(|socket| chosen.has_holder(socket, snapshot))
        .collect();
    if chosen.filter.mine {
        let own: BTreeSet<u32> = learn::holders(snapshot)
            .into_iter()
            .filter(|&pid| is_mine(pid, snapshot).is_ok())
            .collect();
        sockets.retain(|socket| socket.holders.pids().iter().any(|pid| own.contains(pid)));
    }
    sockets.sort_by_key(|socket| {
        (socket.netns, socket.port(), socket.protocol, socket.local.clone(), socket.inode)
    });
    let mut pids: Vec<u32> = sockets.iter().flat_map(|socket| socket.holders.pids()).collect();
    pids.sort_unstable();
    pids.dedup();
    PortsReport {
        schema: SCHEMA,
        command: "ports".to_owned(),
        ok: !sockets.is_empty(),
        sockets: sockets.iter().map(|socket| socket_report(socket, snapshot)).collect(),
        matched: sockets.len(),
        processes: pids
            .iter()
            .filter_map(|pid| snapshot.processes.get(pid))
            .map(|process| match chosen.filter.brief {
                true => process_row(process, snapshot.taken_at, options.show_secrets),
                false => process_facts(process, snapshot, options),
            })
            .collect(),
        gaps: gaps(snapshot),
        notes: Vec::new(),
        error: None,
    }
}
