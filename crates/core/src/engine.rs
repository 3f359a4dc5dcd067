//! Container engines, asked through their API sockets: which containers there are, what each
//! publishes, who would start it again. Which process is in a container is told by control groups
//! alone ([`crate::supervisor`]); an engine adds the names that people know. Asking is the
//! platform's; here is what was said, and which container a process belongs to by it.

pub mod answer;
pub mod decode;
#[allow(dead_code, reason = "each system has engines in places of its own")]
mod find;
pub(crate) mod machine;
mod trace;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::addr::Endpoint;
use crate::process::Process;
use crate::snapshot::{Gap, Snapshot, Source};
use crate::socket::Protocol;
use crate::supervisor::{container_proxy, manager_user};

#[allow(unused_imports, reason = "each system has engines in places of its own")]
pub(crate) use find::{
    Places, context_socket, docker_pipe, has_context, pipe_address, pipes, sockets, unix_path,
};
pub use trace::{
    Boxed, Monitor, boxed, dockerd_sockets, is_engine, lxc_stop, monitor, monitor_of, pod_name,
    pod_uid, runs,
};

/// A container as its engine describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFacts {
    /// `docker`, `podman`.
    pub engine: String,
    /// The whole id, 64 hexadecimal digits.
    pub id: String,
    /// The name that people and commands use.
    pub name: String,
    /// The image it was made from.
    pub image: Option<String>,
    /// The engine's word for its state: `running`, `restarting`, `created`, `exited`, `paused`.
    pub state: Option<String>,
    /// Its first process, as this machine numbers it.
    pub pid: Option<u32>,
    /// The compose project it belongs to.
    pub compose: Option<Compose>,
    /// The ports of this machine that lead to it.
    pub published: Vec<Published>,
    /// When the engine starts it again: `no`, `on-failure`, `unless-stopped`, `always`.
    pub restart: Option<String>,
    /// The path of the API socket that told of it; empty where a command did.
    pub socket: String,
    /// The user whose engine it is, for engines that are not root's.
    pub owner: Option<u32>,
    /// The unit of systemd that runs it (podman's `PODMAN_SYSTEMD_UNIT` label: a quadlet).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The pod it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The words of a command line that reach its engine: `docker -H unix:///…`, `podman`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl ContainerFacts {
    /// Whether it runs, so far as its engine says.
    pub fn runs(&self) -> bool {
        matches!(self.state.as_deref(), None | Some("running" | "paused" | "stopping"))
    }

    /// Whether a port of this machine leads to it, on that address or another.
    pub fn publishes(&self, protocol: Protocol, port: u16) -> bool {
        self.published.iter().any(|at| at.protocol == protocol && at.port == port)
    }

    /// The command that stops it for good: its own, its pod's, or its unit's, which would start
    /// it again.
    pub fn stop(&self) -> Option<Vec<String>> {
        if let Some(unit) = &self.unit {
            let user = self.owner.map(|_| "--user".to_owned());
            let words = ["systemctl".to_owned()].into_iter().chain(user);
            return Some(words.chain(["stop".to_owned(), unit.clone()]).collect());
        }
        let own = match (&self.pod, self.command.is_empty()) {
            (_, true) => return None,
            (Some(pod), false) => vec!["pod".to_owned(), "stop".to_owned(), pod.clone()],
            (None, false) => vec!["stop".to_owned(), self.name.clone()],
        };
        Some(self.command.iter().cloned().chain(own).collect())
    }
}

/// A container's part in a compose project, from its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compose {
    /// `com.docker.compose.project`.
    pub project: String,
    /// `com.docker.compose.service`.
    pub service: Option<String>,
    /// `com.docker.compose.project.working_dir`.
    pub directory: Option<String>,
}

/// One port of this machine that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Of which transport.
    pub protocol: Protocol,
    /// On which address; `None` for every one.
    pub address: Option<IpAddr>,
    /// The port of this machine.
    pub port: u16,
    /// The port inside, where it is told.
    pub container_port: Option<u16>,
}

/// What to ask the engines for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineWish {
    /// Containers of these ids, or of ids that begin so.
    pub ids: Vec<String>,
    /// Containers of these names.
    pub names: Vec<String>,
    /// Containers that publish one of these ports, running or not.
    pub ports: Vec<u16>,
    /// Whether somebody holds these ports, and for a container.
    pub forwarded: bool,
    /// Users whose own engines to ask besides root's and the asker's.
    pub owners: Vec<u32>,
    /// API sockets that engines say they serve, besides those in the usual places.
    pub sockets: Vec<String>,
    /// Containers of podman whose monitors are seen: podman mostly has no API socket, and is
    /// asked by its command.
    pub monitors: Vec<Monitor>,
    /// Forwarding processes of podman, which name no container.
    pub forwarders: Vec<Forwarder>,
    /// Pods of Kubernetes, by the unique ids in the names of their control groups.
    pub pods: Vec<String>,
}

/// A process that forwards to a container of podman and does not say to which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarder {
    /// Its PID.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// What it forwards, so far as was seen.
    pub ports: Vec<(Protocol, u16)>,
    /// `HOME` in its environment.
    pub home: Option<String>,
    /// `XDG_RUNTIME_DIR` in its environment.
    pub runtime: Option<String>,
}

/// What the engines said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineAnswer {
    /// The containers wished for.
    pub containers: Vec<ContainerFacts>,
    /// Engines that are there and told nothing.
    pub gaps: Vec<Gap>,
}

/// What the engines told of the container that a process runs in, keeps a port for, or forwards
/// to. An engine is believed about its own user's processes alone: anybody can serve a socket
/// that claims to be an engine.
pub fn facts_of<'a>(process: &Process, snapshot: &'a Snapshot) -> Option<&'a ContainerFacts> {
    let Some(boxed) = boxed(process, snapshot) else { return published_by(process, snapshot) };
    let owner = owner_of(process, snapshot);
    let pod = process.cgroup.as_deref().and_then(pod_uid);
    let id = pod.as_ref().unwrap_or(&boxed.id);
    snapshot.containers.iter().find(|facts| facts.owner == owner && facts.id == *id)
}

/// The user whose engine runs a process or whose forwarder it is; `None` for root's.
pub fn owner_of(process: &Process, snapshot: &Snapshot) -> Option<u32> {
    if let Some(user) = process.cgroup.as_deref().and_then(manager_user) {
        return Some(user);
    }
    let monitor = std::iter::once(process)
        .chain(snapshot.ancestors(process.id.pid))
        .find(|process| trace::is_monitor(process) || carries_ports(process));
    monitor.and_then(|monitor| monitor.uid).filter(|&uid| uid != 0)
}

/// Whether a process outside of containers carries ports to them: always, or where their engine says so
/// ([`machine::may_carry`]).
pub(crate) fn carries_ports(process: &Process) -> bool {
    container_proxy(process).is_some() || machine::may_carry(process)
}

/// The ports of this machine that lead to a container which a process runs in; of one that carries ports,
/// those that lead to each container.
pub(crate) fn ports_led<'a>(
    process: &Process,
    snapshot: &'a Snapshot,
) -> Vec<(&'a ContainerFacts, Vec<&'a Published>)> {
    if boxed(process, snapshot).is_some_and(|boxed| !boxed.keeps_ports) {
        let facts = facts_of(process, snapshot).into_iter();
        return facts.map(|facts| (facts, facts.published.iter().collect())).collect();
    }
    if !carries_ports(process) {
        return Vec::new();
    }
    let held = held(process, snapshot);
    let carried = |at: &&Published| held.contains(&(at.protocol, at.port));
    let own = snapshot.containers.iter().filter(|facts| may_be_behind(process, facts));
    own.map(|facts| (facts, facts.published.iter().filter(carried).collect())).collect()
}

/// Whether a process that carries ports may carry those of a container: an engine is believed about its
/// own user's, and about its own machine's.
fn may_be_behind(process: &Process, facts: &ContainerFacts) -> bool {
    let owner = process.uid.filter(|&uid| uid != 0);
    facts.owner == owner && facts.runs() && machine::is_of(process, &facts.socket)
}

/// The one container that publishes what a forwarding process, or an engine that keeps ports by
/// itself, holds. `None` where it holds ports of several.
fn published_by<'a>(process: &Process, snapshot: &'a Snapshot) -> Option<&'a ContainerFacts> {
    if !carries_ports(process) && !is_engine(process) {
        return None;
    }
    let ports = match trace::forwarded(process) {
        Some(one) => vec![one],
        None => held(process, snapshot),
    };
    let mut found = None;
    for (protocol, port) in ports {
        let of_it = |facts: &&ContainerFacts| {
            facts.publishes(protocol, port) && may_be_behind(process, facts)
        };
        // Infra containers and their pod's others all list the pod's ports.
        let facts = snapshot.containers.iter().find(of_it);
        match (found, facts) {
            (_, None) if is_engine(process) => return None,
            (_, None) => {}
            (None, facts) => found = facts,
            (Some(before), Some(facts)) if before != facts => return None,
            (Some(_), Some(_)) => {}
        }
    }
    found
}

/// Whether a container's processes are none of this system's: they run in a virtual machine.
pub(crate) fn is_elsewhere(facts: &ContainerFacts, snapshot: &Snapshot) -> bool {
    matches!(snapshot.source, Source::PcbList | Source::ExtendedTable)
        || machine::serving(&facts.socket).is_some()
}

/// The snapshot as it concerns one of several ports: without the containers that the holder of this one
/// carries others of them for. `None` where that leaves nothing out.
pub(crate) fn concerning(endpoint: &Endpoint, snapshot: &Snapshot) -> Option<Snapshot> {
    if snapshot.containers.len() < 2 {
        return None;
    }
    let port = endpoint.port.get();
    let here = snapshot.sockets.iter().filter(|socket| socket.port() == Some(port));
    let others: Vec<(Protocol, u16)> = here
        .flat_map(|socket| socket.holders.pids())
        .filter_map(|pid| snapshot.processes.get(&pid))
        .filter(|process| carries_ports(process))
        .flat_map(|process| held(process, snapshot))
        .filter(|(_, other)| *other != port)
        .collect();
    let carried = |at: &Published| others.contains(&(at.protocol, at.port));
    let mine = |facts: &ContainerFacts| facts.published.iter().any(|at| at.port == port);
    let apart = |facts: &ContainerFacts| !mine(facts) && facts.published.iter().any(carried);
    snapshot.containers.iter().any(apart).then(|| {
        let mut own = snapshot.clone();
        own.containers.retain(|facts| !apart(facts));
        own
    })
}

/// The ports of the snapshot that a process serves.
pub(crate) fn held(process: &Process, snapshot: &Snapshot) -> Vec<(Protocol, u16)> {
    let sockets = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.remote.is_none() && socket.holders.has(process.id.pid));
    sockets.filter_map(|socket| Some((socket.protocol, socket.port()?))).collect()
}
