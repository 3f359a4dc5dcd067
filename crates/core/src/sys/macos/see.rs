//! Looking at a Mac: one snapshot from the kernel's tables of sockets, the walk over descriptors,
//! and the facts of the few processes that matter.

use std::collections::HashSet;
use std::time::SystemTime;

use rustix::io::Errno;

use super::process::Census;
use super::{holders, process, tables};
use crate::addr::Transport;
use crate::decode::macos::pcb::Row;
use crate::snapshot::{Gap, Scope, Snapshot, SocketScope, Source, States};
use crate::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol, Socket, TcpState};

/// One look, while it is being put together.
struct Look<'a> {
    scope: &'a Scope,
    snapshot: Snapshot,
    census: Census,
    /// The table's own words about each socket of the snapshot, in its order.
    rows: Vec<Row>,
}

/// Takes a snapshot.
pub(super) fn snapshot(scope: &Scope) -> Snapshot {
    let mut snapshot = Snapshot::empty(SystemTime::now());
    let census = Census::new();
    snapshot.source = Source::PcbList;
    snapshot.asker = process::asker(&census);
    snapshot.policy = process::policy();
    snapshot.every_state = !matches!(scope.states, States::Servers | States::BoundIfCheap);
    let mut look = Look { scope, snapshot, census, rows: Vec::new() };
    look.see_sockets();
    if scope.holders {
        look.see_holders();
    }
    look.see_processes();
    look.snapshot
}

impl Look<'_> {
    fn see_sockets(&mut self) {
        match &self.scope.sockets {
            // There are no network namespaces.
            _ if self.scope.elsewhere_only => {}
            SocketScope::None => {}
            SocketScope::Ports(endpoints) => {
                let transports: HashSet<Transport> =
                    endpoints.iter().flat_map(|endpoint| endpoint.transports()).copied().collect();
                let ports: HashSet<u16> =
                    endpoints.iter().map(|endpoint| endpoint.port.get()).collect();
                let wanted =
                    |socket: &Socket| socket.port().is_some_and(|port| ports.contains(&port));
                self.see_inet(&transports, wanted);
            }
            SocketScope::AllPorts => self.see_inet(&Transport::ALL.into(), |_| true),
            SocketScope::Unix(names) => self.see_unix(
                |socket| matches!(&socket.local, LocalAddress::Path(path) if is_named(path, names)),
            ),
            SocketScope::AllUnix => {
                self.see_unix(|socket| socket.state != Some(TcpState::Established));
            }
            SocketScope::HeldBy(pids) => self.see_sockets_of(pids),
        }
        self.snapshot.sockets = self.rows.iter().map(|row| row.socket.clone()).collect();
    }

    fn see_inet(&mut self, transports: &HashSet<Transport>, wanted: impl Fn(&Socket) -> bool) {
        for transport in Transport::ALL.into_iter().filter(|one| transports.contains(one)) {
            let rows = match tables::inet(transport) {
                Ok(seen) => {
                    if seen.unstable {
                        self.snapshot.note(Gap::UnstableTable);
                    }
                    seen.rows
                }
                Err(error) => {
                    self.note_refused(Protocol::from(transport).name(), error);
                    continue;
                }
            };
            let own = |row: &&Row| wanted(&row.socket) && self.is_state_wanted(&row.socket);
            let own: Vec<Row> = rows.iter().filter(own).cloned().collect();
            let remote_ports: HashSet<u16> =
                own.iter().filter_map(|row| Some(row.socket.remote?.port())).collect();
            let listeners = rows
                .iter()
                .filter(|row| row.socket.state == Some(TcpState::Listen))
                .filter_map(|row| row.socket.local.inet())
                .filter(|local| remote_ports.contains(&local.port()));
            self.snapshot.peer_listeners.extend(listeners);
            self.rows.extend(own);
        }
    }

    fn is_state_wanted(&self, socket: &Socket) -> bool {
        match (self.scope.states, socket.state) {
            (_, None) | (States::All | States::AllIfCheap, _) => true,
            (States::Servers, Some(state)) => state == TcpState::Listen,
            (States::BoundIfCheap, Some(state)) => {
                matches!(state, TcpState::Listen | TcpState::Bound)
            }
        }
    }

    fn see_unix(&mut self, wanted: impl Fn(&Socket) -> bool) {
        match tables::unix() {
            Ok(seen) => {
                if seen.unstable {
                    self.snapshot.note(Gap::UnstableTable);
                }
                self.rows.extend(seen.rows.into_iter().filter(|row| wanted(&row.socket)));
            }
            Err(error) => self.note_refused("unix", error),
        }
        self.snapshot.every_state = true;
    }

    /// Every socket with an address that these processes hold.
    fn see_sockets_of(&mut self, pids: &[u32]) {
        let mut held = Vec::new();
        for &pid in pids {
            match holders::held_by(pid) {
                Ok(all) => held.extend(all.into_iter().map(|(_, held)| held)),
                Err(Errno::SRCH) => {}
                Err(_) => self.snapshot.note(Gap::UnreadableProcesses { count: 1 }),
            }
        }
        let handles: HashSet<u64> = held.iter().map(|held| held.handle).collect();
        let mine = |row: &Row| {
            let last = row.last_pid.is_some_and(|pid| pids.contains(&pid));
            handles.contains(&row.handle) || (row.handle == 0 && last)
        };
        for seen in [tables::inet(Transport::Tcp), tables::inet(Transport::Udp), tables::unix()] {
            let rows = seen.map(|seen| seen.rows).unwrap_or_default();
            let named = |row: &Row| {
                row.socket.protocol != Protocol::Unix
                    || row.socket.state != Some(TcpState::Established)
            };
            self.rows.extend(rows.into_iter().filter(|row| mine(row) && named(row)));
        }
        // Where the tables are kept back (a sandbox), the descriptors themselves tell.
        let known: HashSet<u64> = self.rows.iter().map(|row| row.handle).collect();
        let mut added = HashSet::new();
        for held in held {
            let new = !known.contains(&held.handle) && added.insert(held.handle);
            if let Some(socket) = held.socket.filter(|_| new) {
                let (handle, none) = (held.handle, None);
                let (last_pid, effective_pid, group) = (none, none, none);
                self.rows.push(Row { socket, handle, last_pid, effective_pid, group });
            }
        }
        self.snapshot.every_state = true;
    }

    fn note_refused(&mut self, protocol: &str, error: Errno) {
        let error = crate::bind::BindResult::Other(error.raw_os_error()).name().into_owned();
        self.snapshot.note(Gap::NoSockets { protocol: protocol.to_owned(), error });
    }

    fn see_holders(&mut self) {
        let wanted: HashSet<u64> = self
            .rows
            .iter()
            .filter(|row| row.socket.inode.is_some())
            .map(|row| row.handle)
            .filter(|&handle| handle != 0)
            .collect();
        let mut found = match wanted.is_empty() {
            true => holders::Found::default(),
            false => holders::find(self.census.pids(), &wanted),
        };
        let mut hidden = false;
        for (row, socket) in self.rows.iter().zip(&mut self.snapshot.sockets) {
            let seen = found.holders.get_mut(&row.handle).map(std::mem::take).unwrap_or_default();
            let last = row.last_pid.filter(|&pid| {
                let unread = found.unreadable.contains(&pid) || row.handle == 0;
                unread && self.census.get(pid).is_some()
            });
            socket.holders = match (socket.inode, last) {
                (None, _) => Holders::Nobody,
                _ if !seen.is_empty() => {
                    let mut holders = seen.clone();
                    holders.sort_unstable();
                    // The same socket may be in two tables' answers of one look.
                    found.holders.insert(row.handle, seen);
                    Holders::Processes { holders }
                }
                // Nobody has used it but the kernel (`so_update_last_owner_locked`).
                _ if row.last_pid.is_none() => Holders::Kernel,
                (_, Some(pid)) => {
                    let holders = vec![Holder { pid, by: HeldBy::LastUse }];
                    Holders::Processes { holders }
                }
                (_, None) => Holders::Hidden,
            };
            hidden |= matches!(socket.holders, Holders::Hidden)
                || socket.holders.list().iter().any(|holder| holder.by == HeldBy::LastUse);
        }
        if hidden && !found.unreadable.is_empty() {
            self.snapshot.note(Gap::UnreadableProcesses { count: found.unreadable.len() });
        }
    }

    fn see_processes(&mut self) {
        let thorough =
            self.scope.holders || !self.scope.pids.is_empty() || self.scope.all_processes;
        if !thorough {
            return;
        }
        let mut pids: Vec<u32> = self.scope.pids.clone();
        if self.scope.all_processes {
            pids.extend(self.census.pids());
        }
        pids.extend(self.snapshot.sockets.iter().flat_map(|socket| socket.holders.pids()));
        pids.push(self.snapshot.asker.pid);
        self.snapshot.processes = self.census.read_with_ancestors(&pids);
    }
}

/// Whether a path is one of those asked for; `/tmp`, `/var` and `/etc` are links to `/private`, and
/// the table has what the server wrote.
fn is_named(path: &str, names: &[String]) -> bool {
    let short = |path: &str| path.strip_prefix("/private").unwrap_or(path).to_owned();
    names.iter().any(|name| name == path || short(name) == short(path))
}
