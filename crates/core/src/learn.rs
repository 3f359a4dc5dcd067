//! What is asked beyond sockets and processes, and only where the answer turns on it: the
//! engine of a container that holds the port, the manager of a unit, the environment of a
//! holder and of those above it, the work tree its directory is in, the rules that send a free port elsewhere. Whoever does not answer in time is a
//! gap; nothing here decides anything.

use std::collections::BTreeSet;

use crate::engine::EngineWish;
use crate::host::Host;
use crate::process::Process;
use crate::snapshot::{Gap, Snapshot};
use crate::socket::{Holders, Socket};
use crate::supervisor::{
    container_proxy, home, home_of_group, is_service_manager, user_of_manager,
};
use crate::unit::{UnitFacts, UnitWish};

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
    let engines = engine_wish(snapshot, pids, ports, how_much);
    if engines != EngineWish::default() {
        let answer = host.containers(&engines);
        snapshot.containers.extend(answer.containers);
        answer.gaps.into_iter().for_each(|gap| snapshot.note(gap));
    }
    let units = unit_wish(snapshot, pids, ports);
    if units != UnitWish::default() {
        let answer = host.units(&units);
        let known = |snapshot: &Snapshot, unit: &UnitFacts| {
            snapshot.units.iter().any(|other| other.id == unit.id && other.user == unit.user)
        };
        for unit in answer.units {
            if !known(snapshot, &unit) {
                snapshot.units.push(unit);
            }
        }
        answer.gaps.into_iter().for_each(|gap| snapshot.note(gap));
    }
    learn_projects(host, snapshot, pids);
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

/// The work trees that tell whose these processes are, and whose the asker.
fn learn_projects(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let wanted = crate::origin::directories(pids, snapshot);
    let answer = host.work_trees(&wanted);
    snapshot.projects.extend(answer.found);
    if let Some(directory) = answer.late {
        snapshot.note(Gap::LateDirectory { directory });
    }
}

fn engine_wish(snapshot: &Snapshot, pids: &[u32], ports: &[u16], how_much: Learn) -> EngineWish {
    let processes = || pids.iter().filter_map(|pid| snapshot.processes.get(pid));
    let contained = processes().filter_map(|process| process.container.as_ref());
    let mut wish = EngineWish {
        ids: contained.map(|container| container.id.clone()).collect(),
        ..EngineWish::default()
    };
    wish.ids.sort_unstable();
    wish.ids.dedup();
    wish.owners = processes()
        .filter(|process| process.container.is_some() || container_proxy(process).is_some())
        .filter_map(|process| process.uid)
        .filter(|&uid| uid != 0 && uid != snapshot.asker.uid)
        .collect();
    wish.owners.sort_unstable();
    wish.owners.dedup();
    let forwarded = processes().any(|process| container_proxy(process).is_some());
    let free = how_much == Learn::Everything && pids.is_empty();
    if forwarded || free {
        wish.ports = ports.to_vec();
    }
    wish
}

/// Which units to ask about: those of the holders, and of a manager that holds a socket or may be
/// the hidden holder, its socket units.
fn unit_wish(snapshot: &Snapshot, pids: &[u32], ports: &[u16]) -> UnitWish {
    let mut wish = UnitWish::default();
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        if is_service_manager(process) {
            wish_sockets(&mut wish, user_of_manager(process));
        } else if is_of_this_machine(process, snapshot) {
            wish_unit(&mut wish, home(process, snapshot));
        }
    }
    for socket in hidden(snapshot, ports) {
        // Another user's manager would not answer.
        let user = socket.uid.filter(|&uid| uid != 0);
        if user.is_none_or(|uid| uid == snapshot.asker.uid) {
            wish_sockets(&mut wish, user);
        }
        let group = socket.cgroup.as_deref();
        wish_unit(&mut wish, group.and_then(|group| home_of_group(group, snapshot)));
    }
    // A service may have its socket from its manager, which the asker may not see to hold it too.
    if wish != UnitWish::default() {
        let concerns = |socket: &&Socket| {
            socket.holders == Holders::Hidden
                || socket.holders.pids().iter().any(|pid| pids.contains(pid))
        };
        wish.sockets = snapshot.sockets.iter().filter(concerns).cloned().collect();
    }
    wish
}

fn wish_sockets(wish: &mut UnitWish, user: Option<u32>) {
    if !wish.sockets_of.contains(&user) {
        wish.sockets_of.push(user);
    }
}

fn wish_unit(wish: &mut UnitWish, wanted: Option<(String, Option<u32>)>) {
    if let Some(wanted) = wanted.filter(|wanted| !wish.units.contains(wanted)) {
        wish.units.push(wanted);
    }
}

/// Whether a process is not in a container that the asker is not in: the managers in there have
/// units of the same names.
fn is_of_this_machine(process: &Process, snapshot: &Snapshot) -> bool {
    let asker = snapshot.processes.get(&snapshot.asker.pid);
    let world = asker.and_then(|asker| asker.container.as_ref());
    process.container.is_none() || process.container.as_ref() == world
}

/// The sockets of those ports whose holder may not be seen.
fn hidden<'a>(snapshot: &'a Snapshot, ports: &'a [u16]) -> impl Iterator<Item = &'a Socket> {
    snapshot.sockets.iter().filter(|socket| {
        socket.holders == Holders::Hidden
            && socket.netns.is_none()
            && socket.is_server()
            && (ports.is_empty() || socket.port().is_some_and(|port| ports.contains(&port)))
    })
}
