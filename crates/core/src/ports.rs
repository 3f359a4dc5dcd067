//! Every socket with a port that waits for somebody: `proc ports`.

use crate::addr::{Exposure, Transport, exposure};
use crate::host::Host;
use crate::look::{LookOptions, gaps, process_facts, socket_report};
use crate::report::{PortsReport, SCHEMA};
use crate::snapshot::{Scope, Snapshot, SocketScope, States, Sweep};
use crate::socket::{Protocol, Socket};
use crate::target::Target;

/// Which sockets to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortsFilter {
    /// Only these ports; empty for all.
    pub targets: Vec<Target>,
    /// Only these reaches; empty for all.
    pub reach: Vec<Exposure>,
    /// Only this transport.
    pub transport: Option<Transport>,
}

impl PortsFilter {
    fn keeps(&self, socket: &Socket) -> bool {
        let Some(address) = socket.local.inet() else { return false };
        let transport = socket.protocol.transport();
        let reach = self.reach.is_empty() || self.reach.contains(&exposure(address.ip()));
        let kind = self.transport.is_none() || self.transport == transport;
        let target = self.targets.is_empty()
            || self.targets.iter().any(|target| match target {
                Target::Port(endpoint) => {
                    socket.port() == Some(endpoint.port.get())
                        && transport.is_some_and(|own| endpoint.transports().contains(&own))
                }
                Target::Range(range) => {
                    socket
                        .port()
                        .and_then(crate::addr::Port::new)
                        .is_some_and(|port| range.contains(port))
                        && (range.transport().is_none() || range.transport() == transport)
                }
                Target::Pid(pid) | Target::Number(pid) => socket.holders.pids().contains(pid),
                _ => false,
            });
        reach && kind && target
    }
}

/// Lists listeners, bound sockets and open UDP ports with their holders. Connected UDP sockets
/// are somebody's queries and left out.
pub fn ports(host: &dyn Host, filter: &PortsFilter, options: &LookOptions) -> PortsReport {
    let snapshot = host.snapshot(&Scope {
        sockets: SocketScope::AllPorts,
        holders: true,
        states: if options.every_state { States::All } else { States::BoundIfCheap },
        namespaces: if options.all_namespaces { Sweep::All } else { Sweep::None },
        ..Scope::default()
    });
    report(&snapshot, filter, options)
}

fn report(snapshot: &Snapshot, filter: &PortsFilter, options: &LookOptions) -> PortsReport {
    let bound = |socket: &Socket| {
        socket.protocol == Protocol::Tcp && socket.state == Some(crate::socket::TcpState::Bound)
    };
    let mut sockets: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| (socket.is_server() || bound(socket)) && filter.keeps(socket))
        .collect();
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
            .map(|process| process_facts(process, snapshot, options))
            .collect(),
        gaps: gaps(snapshot),
        error: None,
    }
}
