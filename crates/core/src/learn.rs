//! What is asked beyond sockets and processes, and only where the answer turns on it: the
//! engine of a container that holds the port, the manager of a unit, the environment of a
//! holder and of those above it, the rules that send a free port elsewhere. Whoever does not answer in time is a
//! gap; nothing here decides anything.

use std::collections::BTreeSet;

use crate::engine::EngineWish;
use crate::host::Host;
use crate::snapshot::{Gap, Snapshot};
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
    let engines = engine_wish(snapshot, pids, ports, how_much);
    if engines != EngineWish::default() {
        let answer = host.containers(&engines);
        snapshot.containers.extend(answer.containers);
        answer.gaps.into_iter().for_each(|gap| snapshot.note(gap));
    }
    let units = unit_wish(snapshot, pids);
    if units != UnitWish::default() {
        let answer = host.units(&units);
        snapshot.units.extend(answer.units);
        answer.gaps.into_iter().for_each(|gap| snapshot.note(gap));
    }
    if how_much == Learn::Everything && !ports.is_empty() {
        learn_redirects(host, snapshot, pids, ports);
    }
}

/// The rules that send these ports elsewhere: of a port that somebody holds too, because a server
/// that gets nothing of what arrives is as much of a riddle. That costs a fraction of a millisecond
/// where there are few rules and some milliseconds where a cluster wrote ten thousand, as only the
/// chains that lead to the port are read. That they may not be read is worth saying only of a port
/// that nobody holds.
fn learn_redirects(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32], ports: &[u16]) {
    let answer = host.redirects(ports);
    snapshot.redirects.extend(answer.redirects);
    let held = !pids.is_empty();
    let told = answer.gaps.into_iter().filter(|gap| !(held && matches!(gap, Gap::NoRules { .. })));
    told.for_each(|gap| snapshot.note(gap));
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
