//! Every socket with a port that waits for somebody: `proc ports`.

use std::collections::BTreeSet;

use crate::addr::{Port, Transport};
use crate::census::Census;
use crate::host::Host;
use crate::learn::{self, Learn, learn};
use crate::look::{LookOptions, gaps, process_facts, process_row, socket_report};
use crate::origin::is_mine;
use crate::report::{PortsReport, SCHEMA};
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
}

/// The targets, with the processes they mean found out.
struct Chosen<'a> {
    filter: &'a PortsFilter,
    pids: Vec<u32>,
}

impl<'a> Chosen<'a> {
    fn new(host: &dyn Host, filter: &'a PortsFilter) -> Self {
        let census = Census::take_with_files(host, &filter.targets);
        let pids = filter.targets.iter().flat_map(|target| match target {
            // A number needs no look at who lives: what nobody holds is not listed.
            Target::Pid(pid) | Target::Number(pid) => vec![*pid],
            other => census.meant_by(other),
        });
        Self { filter, pids: pids.collect() }
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
    report
}

/// What is read of the holders. Whose somebody is turns on everything.
const fn facts(filter: &PortsFilter) -> ProcessFacts {
    ProcessFacts { group: !filter.brief || filter.mine, ..ProcessFacts::ALL }
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
        processes: pids
            .iter()
            .filter_map(|pid| snapshot.processes.get(pid))
            .map(|process| match chosen.filter.brief {
                true => process_row(process, snapshot.taken_at, options.show_secrets),
                false => process_facts(process, snapshot, options),
            })
            .collect(),
        gaps: gaps(snapshot),
        error: None,
    }
}
