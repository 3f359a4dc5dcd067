//! What is asked beyond sockets and processes, and only where the answer turns on it: the
//! engine of a container that holds the port, the manager of a unit, the environment of a
//! holder and of those above it, the rules that send a free port elsewhere. Whoever does not answer in time is a
//! gap; nothing here decides anything.

use std::collections::BTreeSet;

use crate::engine::EngineWish;
use crate::host::Host;
use crate::snapshot::Snapshot;
use crate::supervisor::{
    container_proxy, family_heads, is_service_manager, manager_user, named_by_children,
    runs_in_loop, scripts_above, unit_of,
};
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
    learn_families(host, snapshot, pids);
    learn_loops(host, snapshot, pids);
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

/// The children of those who may start a holder again: whether one of them runs other things too,
/// and which of several applications a daemon holds the socket for, only they tell.
fn learn_families(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32]) {
    /// Beyond so many it is a fleet, and the answer would be no better.
    const MOST: usize = 32;
    let heads: BTreeSet<u32> =
        pids.iter().take(MOST).flat_map(|&pid| family_heads(pid, snapshot)).take(MOST).collect();
    for head in heads {
        let Some(children) = host.children(head) else { continue };
        snapshot.families.insert(head);
        for child in children.into_iter().filter(|child| child.ppid == head) {
            snapshot.processes.entry(child.id.pid).or_insert(child);
        }
    }
}

/// Which of the shells above the holders run a script with a loop around what leads to them.
fn learn_loops(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32]) {
    /// Reading a file is slower than reading the kernel's mind.
    const MOST: usize = 8;
    let shells: BTreeSet<(u32, u32)> =
        pids.iter().take(MOST).flat_map(|&pid| scripts_above(pid, snapshot)).take(MOST).collect();
    for (shell, child) in shells {
        let process = |pid| snapshot.processes.get(&pid);
        let (Some(shell), Some(child)) = (process(shell), process(child)) else { continue };
        if host.script(shell).is_some_and(|text| runs_in_loop(&text, child)) {
            let pid = shell.id.pid;
            snapshot.loops.insert(pid);
        }
    }
}

/// The marks in the environments of these processes, of the asker, and of all above them.
fn learn_marks(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32]) {
    let asker = &snapshot.asker;
    let mut wanted: BTreeSet<u32> = pids.iter().copied().collect();
    wanted.insert(asker.pid);
    wanted.extend(&asker.ancestors);
    for &pid in pids {
        wanted.extend(snapshot.ancestors(pid).iter().map(|process| process.id.pid));
        wanted.extend(named_by_children(pid, snapshot));
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
