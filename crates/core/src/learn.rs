//! What is asked beyond sockets and processes, and only where the answer turns on it: the
//! engine of a container that holds the port, the manager of a unit, the environment of a
//! holder and of those above it, the rules that send a free port elsewhere. Whoever does not answer in time is a
//! gap; nothing here decides anything.

use std::collections::BTreeSet;

use crate::engine::{self, EngineWish, Forwarder};
use crate::host::Host;
use crate::process::Process;
use crate::snapshot::{Gap, Silence, Snapshot};
use crate::socket::Socket;
use crate::supervisor::{container_proxy, is_service_manager, manager_user, unit_of};
use crate::unit::UnitWish;

/// How much to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Learn {
    /// Nothing: sockets and processes alone.
    #[default]
    Nothing,
    /// About the holders.
    Holders,
    /// About the holders, and about what takes a port that no socket holds.
    Everything,
}

/// Asks about everything in the snapshot that `pids` are, and about those ports, and adds the
/// answers to it.
pub(crate) fn learn(
    host: &dyn Host,
    snapshot: &mut Snapshot,
    pids: &[u32],
    ports: &[u16],
    how_much: Learn,
) {
    if how_much == Learn::Nothing {
        return;
    }
    learn_marks(host, snapshot, pids);
    learn_containers(host, snapshot, &engine_wish(host, snapshot, pids, ports, how_much));
    let units = unit_wish(snapshot, pids);
    if units != UnitWish::default() {
        let answer = host.units(&units);
        snapshot.units.extend(answer.units);
        answer.gaps.into_iter().for_each(|gap| snapshot.note(gap));
    }
    if how_much == Learn::Everything && pids.is_empty() && !ports.is_empty() {
        let answer = host.redirects(ports);
        snapshot.redirects.extend(answer.redirects);
        answer.gaps.into_iter().for_each(|gap| snapshot.note(gap));
    }
}

/// The processes that hold a socket of the snapshot.
pub(crate) fn holders(snapshot: &Snapshot) -> Vec<u32> {
    let pids: BTreeSet<u32> =
        snapshot.sockets.iter().flat_map(|socket| socket.holders.pids()).collect();
    pids.into_iter().collect()
}

/// The marks in the environments of these processes, of the asker, and of all above them.
fn learn_marks(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32]) {
    let asker = &snapshot.asker;
    let mut wanted: BTreeSet<u32> = pids.iter().copied().collect();
    wanted.insert(asker.pid);
    wanted.extend(&asker.ancestors);
    for &pid in pids {
        wanted.extend(snapshot.ancestors(pid).iter().map(|process| process.id.pid));
    }
    for pid in wanted.into_iter().filter(|&pid| pid > 1) {
        let marks = host.environment(pid).map(|bytes| crate::marks::of(&bytes)).unwrap_or_default();
        if !marks.is_empty() {
            snapshot.marks.insert(pid, marks);
        }
    }
}

/// Asks the engines, and adds what they say.
pub(crate) fn learn_containers(host: &dyn Host, snapshot: &mut Snapshot, wish: &EngineWish) {
    if *wish == EngineWish::default() {
        return;
    }
    let answer = host.containers(wish);
    for facts in answer.containers {
        if !snapshot.containers.contains(&facts) {
            snapshot.containers.push(facts);
        }
    }
    // Most users may not ask root's engine, and of a port that nobody holds that hides nothing.
    let about_somebody = !(wish.ids.is_empty() && wish.names.is_empty() && wish.sockets.is_empty());
    for gap in answer.gaps {
        if about_somebody || !matches!(gap, Gap::Manager { why: Silence::Denied, .. }) {
            snapshot.note(gap);
        }
    }
}

/// What to ask the engines: about the containers that these processes are in, keep ports for or
/// forward to, and about whatever would want a port that nobody holds.
fn engine_wish(
    host: &dyn Host,
    snapshot: &Snapshot,
    pids: &[u32],
    ports: &[u16],
    how_much: Learn,
) -> EngineWish {
    let mut wish = EngineWish::default();
    let mut forwards = false;
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        let boxed = engine::boxed(process, snapshot);
        forwards |=
            boxed.is_none() && (container_proxy(process).is_some() || engine::is_engine(process));
        if boxed.is_none() && !forwards {
            continue;
        }
        wish.owners.extend(engine::owner_of(process, snapshot));
        add_traces(&mut wish, process, snapshot);
        match boxed {
            Some(boxed) if matches!(boxed.engine.as_str(), "docker" | "podman") => {
                wish.ids.push(boxed.id);
            }
            Some(_) => wish.pods.extend(process.cgroup.as_deref().and_then(engine::pod_uid)),
            None => wish.forwarders.extend(forwarder(host, process, snapshot)),
        }
    }
    let free = how_much == Learn::Everything && pids.is_empty();
    if forwards || free {
        wish.ports = ports.to_vec();
    }
    if forwards {
        // Of a process asked about by its number, the ports it has.
        let held = snapshot.sockets.iter().filter(|socket| socket.remote.is_none());
        wish.ports.extend(held.filter_map(Socket::port));
    }
    wish.owners.retain(|&uid| uid != 0 && uid != snapshot.asker.uid);
    wish.owners.sort_unstable();
    wish.owners.dedup();
    for texts in [&mut wish.ids, &mut wish.sockets, &mut wish.pods] {
        texts.sort_unstable();
        texts.dedup();
    }
    wish.ports.sort_unstable();
    wish.ports.dedup();
    wish
}

/// What a process and those above it tell of engines. Only root and the asker are believed: the
/// options of somebody's monitor would be given to a command run by the asker.
fn add_traces(wish: &mut EngineWish, process: &Process, snapshot: &Snapshot) {
    for process in std::iter::once(process).chain(snapshot.ancestors(process.id.pid)) {
        let monitor = engine::monitor_of(process).filter(|it| !wish.monitors.contains(it));
        wish.monitors.extend(monitor);
        let trusted = process.uid.is_some_and(|uid| uid == 0 || uid == snapshot.asker.uid);
        if trusted {
            wish.sockets.extend(engine::dockerd_sockets(process));
        }
    }
}

/// A forwarding process that does not say to which container, where podman may know.
fn forwarder(host: &dyn Host, process: &Process, snapshot: &Snapshot) -> Option<Forwarder> {
    if container_proxy(process)?.is_some() || !process.program().starts_with("rootlessport") {
        return None;
    }
    let environment = host.environment(process.id.pid).unwrap_or_default();
    let value = |name: &str| {
        let mut entries = environment.split(|&byte| byte == 0);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes()))?;
        std::str::from_utf8(value).ok().filter(|value| value.starts_with('/')).map(str::to_owned)
    };
    Some(Forwarder {
        pid: process.id.pid,
        uid: process.uid?,
        ports: engine::held(process, snapshot),
        home: value("HOME="),
        runtime: value("XDG_RUNTIME_DIR="),
    })
}

fn unit_wish(snapshot: &Snapshot, pids: &[u32]) -> UnitWish {
    let mut wish = UnitWish::default();
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        if is_service_manager(process) {
            let user = (process.id.pid != 1).then_some(process.uid).flatten();
            if !wish.sockets_of.contains(&user) {
                wish.sockets_of.push(user);
            }
            continue;
        }
        let Some(cgroup) = process.cgroup.as_deref() else { continue };
        if let Some((unit, by_user)) = unit_of(cgroup) {
            let wanted = (unit, manager_user(cgroup).filter(|_| by_user));
            if !wish.units.contains(&wanted) {
                wish.units.push(wanted);
            }
        }
    }
    wish
}
