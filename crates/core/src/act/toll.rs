//! What an act costs besides what it is for: who is being served, which other ports close, what
//! ends with the holders. Found out once for all targets, before anybody is asked.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::job::Job;
use crate::addr::{AddressScope, Endpoint, Port, Transport};
use crate::host::Host;
use crate::plan::kin::Kin;
use crate::plan::{Part, Plan};
use crate::process::Process;
use crate::report::{AlongReport, NamedReport, OtherPort, PeerReport};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::socket::{Protocol, Socket, TcpState};

/// The most groups of clients, and of processes, that a report names.
const NAMED: usize = 40;
/// The most client ports of this machine whose processes are looked for.
const LOOKED_FOR: usize = 512;

/// Adds what each act costs to its report: two looks at the machine for all of them together.
pub(super) fn add(host: &dyn Host, jobs: &mut [Job]) {
    let tolls: Vec<Option<Toll>> = jobs.iter().map(Toll::of).collect();
    let served = served_here(host, tolls.iter().flatten());
    let all: BTreeSet<u32> = tolls.iter().flatten().flat_map(|toll| toll.pids.clone()).collect();
    let held = match all.is_empty() {
        true => None,
        false => Some(host.snapshot(&Scope {
            sockets: SocketScope::HeldBy(all.into_iter().collect()),
            holders: true,
            ..Scope::default()
        })),
    };
    for (job, toll) in jobs.iter_mut().zip(tolls) {
        let Some(toll) = toll else { continue };
        if let Some(held) = &held {
            job.report.other_ports = toll.other_ports(job, held);
            if toll.clients.is_empty() && job.report.verdict.is_none() {
                job.report.clients = Some(clients_of(held, &toll.holders));
            }
        }
        job.report.peers = toll.peers(&served);
        job.report.along = toll.along;
    }
}

/// What one act costs, so far as its own snapshot tells.
struct Toll {
    /// The other end of each live connection.
    clients: Vec<SocketAddr>,
    /// Who is acted on.
    holders: BTreeSet<u32>,
    /// They, and all that ends with them.
    pids: BTreeSet<u32>,
    along: Option<AlongReport>,
}

impl Toll {
    fn of(job: &Job) -> Option<Self> {
        let (plan, snapshot) = (job.plan.as_ref()?, job.snapshot.as_deref()?);
        let holders: BTreeSet<u32> = plan
            .victims
            .iter()
            .filter(|victim| victim.part != Part::Kin)
            .map(|victim| victim.id.pid)
            .chain(plan.levers.iter().flat_map(|lever| lever.pids.iter().copied()))
            .filter(|&pid| pid > 1)
            .collect();
        let along = match plan.deed {
            None => ends_along(plan, snapshot, &holders),
            Some(_) => Vec::new(),
        };
        let pids = holders.iter().copied().chain(along.iter().map(|p| p.id.pid)).collect();
        let others: BTreeSet<String> =
            plan.levers.iter().flat_map(|lever| lever.takes_along.iter().cloned()).collect();
        let report = AlongReport {
            certain: !plan.levers.is_empty(),
            processes: along.len(),
            named: varied(&along),
            others: others.into_iter().collect(),
        };
        let costs = report.processes > 0 || !report.others.is_empty();
        let clients = match holders.is_empty() {
            true => Vec::new(),
            false => clients(job, snapshot),
        };
        Some(Self { clients, holders, pids, along: costs.then_some(report) })
    }

    fn other_ports(&self, job: &Job, held: &Snapshot) -> Vec<OtherPort> {
        let shown: HashSet<&str> =
            job.report.sockets.iter().map(|socket| socket.local.as_str()).collect();
        let mut others = BTreeSet::new();
        for socket in held.sockets.iter().filter(|socket| socket.is_server()) {
            let Some(port) = socket.port() else { continue };
            if shown.contains(socket.local.to_string().as_str()) {
                continue;
            }
            let pids = socket.holders.pids().into_iter().filter(|pid| self.pids.contains(pid));
            others.extend(pids.map(|pid| (pid, format!("{}:{port}", socket.protocol))));
        }
        others.into_iter().map(|(pid, port)| OtherPort { pid, port }).collect()
    }

    /// The clients by whose they are, most connections first.
    fn peers(&self, served: &HashMap<SocketAddr, (u32, String)>) -> Vec<PeerReport> {
        let mut by_process: BTreeMap<(u32, &str), usize> = BTreeMap::new();
        let mut by_address: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for client in &self.clients {
            match served.get(client) {
                Some((pid, name)) => *by_process.entry((*pid, name)).or_default() += 1,
                None => *by_address.entry(client.ip()).or_default() += 1,
            }
        }
        let processes = by_process.into_iter().map(|((pid, name), connections)| PeerReport {
            process: Some(NamedReport { pid, name: name.to_owned() }),
            address: None,
            connections,
        });
        let addresses = by_address.into_iter().map(|(address, connections)| PeerReport {
            process: None,
            address: Some(address.to_string()),
            connections,
        });
        let mut peers: Vec<PeerReport> = processes.chain(addresses).collect();
        peers.sort_by_key(|peer| std::cmp::Reverse(peer.connections));
        peers.truncate(NAMED);
        peers
    }
}

/// The other ends of the live connections of a port's listeners.
fn clients(job: &Job, snapshot: &Snapshot) -> Vec<SocketAddr> {
    let Some(endpoint) = job.endpoint() else { return Vec::new() };
    let of_port = |socket: &&Socket| {
        socket.netns.is_none()
            && socket.protocol == Protocol::Tcp
            && socket.state == Some(TcpState::Established)
            && socket.port() == Some(endpoint.port.get())
    };
    let ours = snapshot.sockets.iter().filter(of_port);
    ours.filter_map(|socket| socket.remote).map(canonical).collect()
}

/// IPv4 in IPv6's clothes is IPv4: both ends of a connection are to look alike.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whose the client ends on this machine are, by address.
fn served_here<'a>(
    host: &dyn Host,
    tolls: impl Iterator<Item = &'a Toll>,
) -> HashMap<SocketAddr, (u32, String)> {
    let clients: BTreeSet<SocketAddr> =
        tolls.flat_map(|toll| toll.clients.iter().copied()).collect();
    if clients.is_empty() {
        return HashMap::new();
    }
    let own: HashSet<IpAddr> = match clients.iter().all(|client| client.ip().is_loopback()) {
        true => HashSet::new(),
        false => host.local_addresses().into_iter().collect(),
    };
    let here = clients.iter().filter(|c| c.ip().is_loopback() || own.contains(&c.ip()));
    let ports: BTreeSet<u16> = here.map(SocketAddr::port).take(LOOKED_FOR).collect();
    let endpoints: Vec<Endpoint> = ports
        .into_iter()
        .filter_map(Port::new)
        .map(|port| Endpoint {
            transport: Some(Transport::Tcp),
            address: AddressScope::Every,
            ..Endpoint::any(port)
        })
        .collect();
    if endpoints.is_empty() {
        return HashMap::new();
    }
    let snapshot = host.snapshot(&Scope {
        sockets: SocketScope::Ports(endpoints),
        holders: true,
        states: States::All,
        ..Scope::default()
    });
    let mut served = HashMap::new();
    for socket in &snapshot.sockets {
        let Some(local) = socket.local.inet().map(canonical) else { continue };
        if socket.remote.is_none() || !clients.contains(&local) {
            continue;
        }
        let holder = socket.holders.pids().into_iter().next();
        let Some(process) = holder.and_then(|pid| snapshot.processes.get(&pid)) else { continue };
        served.insert(local, (process.id.pid, process.program().to_owned()));
    }
    served
}

/// The live connections that these processes have at ports where they listen.
fn clients_of(held: &Snapshot, holders: &BTreeSet<u32>) -> usize {
    let own = |socket: &&Socket| socket.holders.pids().iter().any(|pid| holders.contains(pid));
    let listening: HashSet<u16> = held
        .sockets
        .iter()
        .filter(own)
        .filter(|socket| socket.state == Some(TcpState::Listen))
        .filter_map(Socket::port)
        .collect();
    let connected = held.sockets.iter().filter(own).filter(|socket| {
        socket.state == Some(TcpState::Established)
            && socket.port().is_some_and(|port| listening.contains(&port))
    });
    connected.count()
}

/// What ends with those acted on: what they started, and all of a unit or container that stops.
fn ends_along<'a>(
    plan: &Plan,
    snapshot: &'a Snapshot,
    holders: &BTreeSet<u32>,
) -> Vec<&'a Process> {
    let kin = Kin::of(snapshot);
    let mut along: BTreeMap<u32, &Process> = BTreeMap::new();
    let own = &snapshot.asker;
    for process in kin.below(holders.iter().copied()) {
        along.insert(process.id.pid, process);
    }
    let stopped = || plan.levers.iter().flat_map(|lever| &lever.pids);
    let processes = stopped().filter_map(|pid| snapshot.processes.get(pid));
    let mut containers: BTreeSet<&str> = BTreeSet::new();
    let mut units: BTreeSet<&str> = BTreeSet::new();
    for process in processes.filter(|process| process.id.pid > 1) {
        match &process.container {
            Some(container) => {
                containers.insert(&container.id);
            }
            None => units.extend(process.unit.as_deref().filter(|unit| stops(plan, unit))),
        }
    }
    let facts = plan.levers.iter().filter_map(|lever| lever.container.as_ref());
    containers.extend(facts.map(|facts| facts.id.as_str()).filter(|id| !id.is_empty()));
    let ends = |process: &Process| {
        let container = process.container.as_ref().map(|container| container.id.as_str());
        container.is_some_and(|id| containers.contains(id))
            || process.unit.as_deref().is_some_and(|unit| units.contains(unit))
    };
    if !containers.is_empty() || !units.is_empty() {
        let all = snapshot.processes.values().filter(|process| ends(process));
        along.extend(all.map(|process| (process.id.pid, process)));
    }
    along.retain(|pid, _| *pid != own.pid && !holders.contains(pid));
    along.into_values().collect()
}

/// Whether a lever stops that unit by its name.
fn stops(plan: &Plan, unit: &str) -> bool {
    plan.levers.iter().any(|lever| lever.argv.iter().any(|word| word == unit))
}

/// The first few, one of each name before the second of any.
fn varied(processes: &[&Process]) -> Vec<NamedReport> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut ranked: Vec<(usize, &Process)> = Vec::with_capacity(processes.len());
    for process in processes {
        let rank = seen.entry(process.program()).or_default();
        ranked.push((*rank, process));
        *rank += 1;
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let named = ranked.into_iter().take(NAMED).map(|(_, process)| NamedReport {
        pid: process.id.pid,
        name: process.program().to_owned(),
    });
    named.collect()
}
