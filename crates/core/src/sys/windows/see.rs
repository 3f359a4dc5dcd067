//! One look at the machine: tables, processes, who holds what.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;

use super::process::{self, Entry};
use super::table::{self, Table, Unread};
use crate::decode::windows::Row;
use crate::decode::windows::processes::{Listed, Threads};
use crate::host::Pinned;
use crate::process::{Process, ProcessId, ProcessState};
use crate::snapshot::{Asker, Gap, Policy, Scope, Snapshot, SocketScope, Source, States};
use crate::socket::{Holders, LocalAddress, Protocol, Socket};
use crate::windows::descent::below;
use crate::windows::holder::{Birth, attribute, is_parent};

/// The number that the kernel gives to no process but its idle loop.
const IDLE: u32 = 0;

pub(super) fn snapshot(scope: &Scope) -> Snapshot {
    let mut snapshot = Snapshot::empty(SystemTime::now());
    snapshot.source = Source::ExtendedTable;
    snapshot.every_state = scope.states != States::Servers;
    // There are no privileged ports; the dynamic range is the default's unless netsh says otherwise.
    snapshot.policy =
        Policy { ephemeral: 49152..=65535, unprivileged_start: 0, ..Policy::default() };
    let tables = tables(scope, &mut snapshot);
    let rows = wanted_rows(scope, &tables, &mut snapshot);
    let looks = scope.holders || scope.all_processes || !scope.pids.is_empty();
    let entries = if looks { process::all() } else { BTreeMap::new() };
    snapshot.sockets = rows.iter().map(socket).collect();
    if scope.holders {
        add_holders(&mut snapshot, &rows, &entries);
    }
    add_asker(&mut snapshot, &entries);
    add_processes(&mut snapshot, scope, &entries);
    own_is_root(&mut snapshot);
    if scope.holders {
        add_users_and_services(&mut snapshot, &tables);
    }
    snapshot
}

/// The children of each of those, as far as they are younger.
pub(super) fn children(pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
    let entries = process::all();
    let living = pids.iter().filter(|pid| entries.contains_key(pid));
    living
        .map(|&pid| {
            let birth = birth(&entries[&pid], true);
            let own = entries.values().filter(|entry| entry.parent == pid && entry.pid != pid);
            let young = own.filter(|entry| is_parent(&birth, &self::birth(entry, true)));
            (pid, young.map(process::read).collect())
        })
        .collect()
}

/// Everything below these, whoever has ended: the list goes on to tell an ended parent's number,
/// which the pin keeps from being another's.
pub(super) fn descendants(pins: &[&Pinned]) -> Vec<ProcessId> {
    let entries = process::all();
    let births: BTreeMap<u32, Birth> =
        entries.values().map(|entry| (entry.pid, birth(entry, true))).collect();
    let roots: Vec<ProcessId> = pins.iter().map(|pinned| pinned.id).collect();
    below(&roots, &births)
}

/// The number by which a row is known from one look to the next: there is none in the table, and
/// nothing of a row changes while its socket is in one state.
pub(super) fn key(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row.transport, row.local, row.remote, row.pid, row.bound_at).hash(&mut hasher);
    hasher.finish()
}

/// Every row there is, for who looks for one again.
pub(super) fn rows() -> Vec<Row> {
    let scope = Scope { sockets: SocketScope::AllPorts, states: States::All, ..Scope::default() };
    let mut gaps = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let tables = tables(&scope, &mut gaps);
    wanted_rows(&scope, &tables, &mut gaps)
}

fn tables(scope: &Scope, snapshot: &mut Snapshot) -> Vec<Table> {
    if matches!(scope.sockets, SocketScope::None | SocketScope::Unix(_) | SocketScope::AllUnix) {
        return Vec::new();
    }
    let every_state = scope.states != States::Servers;
    let mut found = Vec::new();
    for v6 in [false, true] {
        for (protocol, table) in [("tcp", table::tcp(v6, every_state)), ("udp", table::udp(v6))] {
            match table {
                Ok(table) => found.push(table),
                Err(Unread::Unstable) => snapshot.note(Gap::UnstableTable),
                Err(Unread::Failed(error)) => snapshot.note(Gap::NoSockets {
                    protocol: format!("{protocol} (IPv{})", if v6 { 6 } else { 4 }),
                    error: format!("error {error}"),
                }),
            }
        }
    }
    found
}

fn wanted_rows(scope: &Scope, tables: &[Table], snapshot: &mut Snapshot) -> Vec<Row> {
    let mut rows: Vec<Row> = tables.iter().flat_map(Table::rows).collect();
    if scope.states != States::Servers && !tables.is_empty() {
        match (table::bound(false), table::bound(true)) {
            (None, None) => snapshot.note(Gap::NoBoundSockets),
            (v4, v6) => {
                // It lists what listens or is connected too.
                let known: BTreeSet<(u16, u32)> =
                    rows.iter().map(|row| (row.local.port(), row.pid)).collect();
                let new = v4.into_iter().flatten().chain(v6.into_iter().flatten());
                rows.extend(new.filter(|row| !known.contains(&(row.local.port(), row.pid))));
            }
        }
    }
    let mut seen = BTreeSet::new();
    rows.retain(|row| is_wanted(row, scope) && seen.insert(key(row)));
    rows
}

fn is_wanted(row: &Row, scope: &Scope) -> bool {
    match &scope.sockets {
        SocketScope::Ports(endpoints) => endpoints.iter().any(|endpoint| {
            endpoint.port.get() == row.local.port()
                && endpoint.transports().contains(&row.transport)
        }),
        SocketScope::HeldBy(pids) => pids.contains(&row.pid),
        SocketScope::AllPorts => true,
        SocketScope::None | SocketScope::Unix(_) | SocketScope::AllUnix => false,
    }
}

fn socket(row: &Row) -> Socket {
    let mut socket =
        Socket::new(Protocol::from(row.transport), LocalAddress::Inet(row.local), row.state);
    socket.remote = row.remote;
    // What no process is counted to has no handle any more.
    socket.inode = (row.pid != IDLE).then(|| key(row));
    socket
}

fn birth(entry: &Entry, with_time: bool) -> Birth {
    let created = with_time.then(|| process::created_of(entry.pid)).flatten();
    Birth { parent: entry.parent, created }
}

fn add_holders(snapshot: &mut Snapshot, rows: &[Row], entries: &BTreeMap<u32, Entry>) {
    let owners: BTreeSet<u32> = rows.iter().map(|row| row.pid).collect();
    let births = |all: bool| -> BTreeMap<u32, Birth> {
        let entry =
            |(pid, entry): (&u32, &Entry)| (*pid, birth(entry, all || owners.contains(pid)));
        entries.iter().map(entry).collect()
    };
    let mut known = births(false);
    let of = |known: &BTreeMap<u32, Birth>| -> Vec<(Holders, Option<u32>)> {
        rows.iter().map(|row| attribute(row.pid, row.bound_at, known)).collect()
    };
    let mut found = of(&known);
    if found.iter().any(|(_, gone)| gone.is_some()) {
        // Whose heir is whose turns on everybody's age.
        known = births(true);
        found = of(&known);
    }
    for (socket, (holders, gone)) in snapshot.sockets.iter_mut().zip(found) {
        socket.holders = holders;
        if let Some((inode, gone)) = socket.inode.zip(gone) {
            snapshot.windows.gone.push((inode, gone));
        }
    }
}

fn add_asker(snapshot: &mut Snapshot, entries: &BTreeMap<u32, Entry>) {
    let (uid, user, elevated) = process::asker();
    let pid = std::process::id();
    snapshot.asker = Asker {
        pid,
        // 0 is who may do everything, there as here.
        uid: if elevated { 0 } else { uid.unwrap_or(u32::MAX) },
        user,
        may_bind_privileged: true,
        may_destroy: elevated,
        sees_all: elevated,
        ancestors: ancestors(pid, entries),
    };
}

/// The parents of a process, nearest first, each older than its child.
fn ancestors(pid: u32, entries: &BTreeMap<u32, Entry>) -> Vec<u32> {
    let mut chain = Vec::new();
    let mut child = entries.get(&pid);
    while let Some(entry) = child {
        let parent = entries.get(&entry.parent).filter(|parent| {
            parent.pid != IDLE && parent.pid != pid && !chain.contains(&parent.pid)
        });
        let older = parent.filter(|parent| is_parent(&birth(parent, true), &birth(entry, true)));
        chain.extend(older.map(|parent| parent.pid));
        child = older;
    }
    chain
}

fn add_processes(snapshot: &mut Snapshot, scope: &Scope, entries: &BTreeMap<u32, Entry>) {
    let mut wanted: BTreeSet<u32> =
        snapshot.sockets.iter().flat_map(|socket| socket.holders.pids()).collect();
    wanted.extend(&scope.pids);
    match scope.all_processes {
        true => wanted.extend(entries.keys().filter(|pid| **pid != IDLE)),
        false => {
            let above: Vec<u32> = wanted.iter().flat_map(|&pid| ancestors(pid, entries)).collect();
            wanted.extend(above);
        }
    }
    wanted.insert(snapshot.asker.pid);
    wanted.extend(&snapshot.asker.ancestors);
    let listed = process::listed();
    let listed: BTreeMap<u32, Listed> = listed.iter().map(|one| (one.pid, *one)).collect();
    for pid in wanted {
        let Some(entry) = entries.get(&pid) else { continue };
        let mut process = process::read(entry);
        // What may not be opened has no time of its own to compare.
        let start = process.id.start;
        let listed = listed.get(&pid).filter(|one| start == 0 || one.created == start);
        process.state = listed.map_or(ProcessState::Other, |one| state(one.threads));
        let birth = Birth {
            parent: entry.parent,
            created: Some(process.id.start).filter(|time| *time != 0),
        };
        let parent = entries.get(&entry.parent).filter(|parent| parent.pid != IDLE);
        // A parent that is younger only has the number of the one that ended.
        if !parent.is_some_and(|parent| is_parent(&self::birth(parent, true), &birth)) {
            process.ppid = 0;
        }
        snapshot.processes.insert(pid, process);
    }
}

/// How a process stands by what its threads do. One that has none is ending, or not yet begun.
const fn state(threads: Threads) -> ProcessState {
    match threads {
        Threads::Running => ProcessState::Running,
        Threads::Waiting => ProcessState::Sleeping,
        Threads::Suspended => ProcessState::Suspended,
        Threads::None => ProcessState::Other,
    }
}

/// An elevated asker is 0, and so are that user's own processes, elevated or not: else they would be
/// another's.
fn own_is_root(snapshot: &mut Snapshot) {
    if snapshot.asker.uid != 0 {
        return;
    }
    let own = snapshot.processes.get(&snapshot.asker.pid).and_then(|process| process.uid);
    let mine = snapshot.processes.values_mut().filter(|process| process.uid == own);
    mine.filter(|process| process.uid.is_some()).for_each(|process| process.uid = Some(0));
}

fn add_users_and_services(snapshot: &mut Snapshot, tables: &[Table]) {
    let processes = &snapshot.processes;
    for socket in &mut snapshot.sockets {
        let holder = socket.holders.pids().first().and_then(|pid| processes.get(pid));
        socket.uid = holder.and_then(|process| process.uid);
    }
    let hosts: BTreeSet<u32> = processes
        .values()
        .filter(|process| crate::windows::file(process) == "svchost")
        .map(|process| process.id.pid)
        .collect();
    if hosts.is_empty() {
        return;
    }
    let keys: BTreeSet<u64> = snapshot.sockets.iter().filter_map(|socket| socket.inode).collect();
    let wanted = |row: &Row| hosts.contains(&row.pid) && keys.contains(&key(row));
    let owners = tables.iter().flat_map(|table| table::services(table, wanted));
    snapshot.windows.owners.extend(owners.map(|(row, name)| (key(&row), name)));
}
