//! Looking at a Linux machine: one snapshot from sock_diag (or `/proc/net` where that is
//! refused), the descriptor walk, and `/proc` facts of the few processes that matter.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::path::DecInt;
use rustix::process::{Pid, test_kill_process};

use super::holders::{self, Found, Wanted};
use super::namespaces::{self, OtherNamespace};
use super::process::ProcessReader;
use super::sock_diag::{PortSet, SockDiag};
use super::{cgroup, options, process};
use crate::addr::{Endpoint, Transport};
use crate::decode::procfs;
use crate::decode::sock_diag::{Row, Table, states};
use crate::process::ProcessState;
use crate::snapshot::{
    Gap, Namespace, Policy, Scope, Snapshot, SocketScope, Source, States, Sweep,
};
use crate::socket::{Holder, Holders, LocalAddress, Protocol, Socket, TcpState};

/// Up to this many TCP sockets, asking for every state costs under a millisecond.
const CHEAP_SOCKETS: u32 = 8_000;
/// Up to this many named namespaces are looked into unasked: 60 µs each.
const CHEAP_NAMESPACES: usize = 4;
/// Up to this many processes are asked for their namespace unasked: a microsecond each.
const CHEAP_PROCESSES: u64 = 150;

/// Whether asking for every state is cheap.
pub(super) fn table_is_small() -> bool {
    let counts = fs::read("/proc/net/sockstat").unwrap_or_default();
    procfs::sockstat(&counts)
        .is_some_and(|counts| counts.tcp_allocated + counts.tcp_time_wait <= CHEAP_SOCKETS)
}

/// One look, while it is being put together.
pub(super) struct Look<'a> {
    scope: &'a Scope,
    snapshot: Snapshot,
    reader: Option<ProcessReader>,
    pids: Vec<u32>,
    cgroups: HashMap<usize, u64>,
    unix_files: HashMap<usize, (u32, u64)>,
    /// For tests: pretend that the kernel does not list bound sockets.
    blind_to_bound: bool,
}

/// Takes a snapshot.
pub(super) fn snapshot(scope: &Scope, blind_to_bound: bool) -> Snapshot {
    let mut snapshot = Snapshot::empty(SystemTime::now());
    let reader = ProcessReader::new().ok();
    // Who asks and by which rules is needed to explain; a look at the table alone does without.
    let thorough = scope.holders || !scope.pids.is_empty() || scope.all_processes;
    (snapshot.asker, snapshot.policy) = match &reader {
        Some(reader) if thorough => (reader.asker(), reader.policy()),
        _ => (process::brief_asker(), Policy::default()),
    };
    if reader.is_none() {
        snapshot.note(Gap::NoProcfs);
    }
    let mut look = Look {
        scope,
        snapshot,
        reader,
        pids: Vec::new(),
        cgroups: HashMap::new(),
        unix_files: HashMap::new(),
        blind_to_bound,
    };
    look.see_sockets();
    look.see_namespaces();
    if scope.holders {
        look.see_holders();
    }
    look.see_processes();
    look.snapshot
}

impl Look<'_> {
    fn see_sockets(&mut self) {
        match &self.scope.sockets {
            _ if self.scope.elsewhere_only => {}
            SocketScope::None => {}
            SocketScope::Ports(endpoints) => {
                let ports = PortSet::new(endpoints.iter().map(|endpoint| endpoint.port.get()));
                let tables = tables_of(endpoints);
                self.see_tables(&tables, &ports);
            }
            SocketScope::AllPorts => self.see_tables(&ALL_TABLES, &PortSet::default()),
            SocketScope::Unix(names) => self.see_unix(|row| names_it(names, row)),
            SocketScope::AllUnix => {
                self.see_unix(|row| {
                    row.socket.local != LocalAddress::Unnamed
                        && row.socket.state != Some(TcpState::Established)
                });
            }
            SocketScope::HeldBy(pids) => self.see_sockets_of(&pids.clone()),
        }
    }

    fn see_tables(&mut self, tables: &[Table], ports: &PortSet) {
        match SockDiag::open() {
            Ok(mut diag) => {
                for &table in tables {
                    self.see_table(&mut diag, table, ports);
                }
            }
            Err(error) => self.see_proc_net(tables, ports, error),
        }
    }

    fn see_table(&mut self, diag: &mut SockDiag, table: Table, ports: &PortSet) {
        let servers = if table == Table::Tcp { states::LISTEN } else { u32::MAX };
        match diag.dump(table, servers, ports) {
            Ok(dump) => self.add(dump.rows, dump.unstable),
            // sock_diag itself may be there and its TCP part refused or not built in.
            Err(error) if table == Table::Tcp => {
                return self.see_proc_net(&[Table::Tcp], ports, error);
            }
            // The kernel has no such protocol, so nothing of it can be held.
            Err(Errno::NOENT | Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT) => return,
            Err(error) => return self.see_proc_net(&[table], ports, error),
        }
        if table != Table::Tcp {
            return;
        }
        let mut wanted = match self.scope.states {
            States::All => states::NOT_LISTENING,
            States::AllIfCheap if table_is_small() => states::NOT_LISTENING,
            States::BoundIfCheap if table_is_small() => states::BOUND_INACTIVE,
            States::Servers | States::AllIfCheap | States::BoundIfCheap => return,
        };
        self.snapshot.every_state = wanted == states::NOT_LISTENING;
        if self.blind_to_bound {
            wanted &= !states::BOUND_INACTIVE;
        }
        match diag.dump(table, wanted, ports) {
            Ok(dump) => self.add(dump.rows, dump.unstable),
            Err(error) => self
                .snapshot
                .note(Gap::NoSockets { protocol: "tcp".into(), error: error_name(error) }),
        }
        if self.blind_to_bound || !kernel_lists_bound(diag) {
            self.see_bound_by_descriptor(ports);
        }
        self.see_peers(diag);
    }

    /// Listeners at the other ends of connections: they tell an outgoing connection from an
    /// accepted one.
    fn see_peers(&mut self, diag: &mut SockDiag) {
        let remote_ports = self.remote_ports();
        if remote_ports.is_empty() {
            return;
        }
        let ports = PortSet::new(remote_ports);
        if let Ok(dump) = diag.dump(Table::Tcp, states::LISTEN, &ports) {
            self.snapshot.peer_listeners =
                dump.rows.iter().filter_map(|row| row.socket.local.inet()).collect();
        }
    }

    /// The ports at the other ends of the connections seen so far.
    fn remote_ports(&self) -> Vec<u16> {
        let sockets = self.snapshot.sockets.iter();
        sockets
            .filter(|socket| socket.state.is_some_and(TcpState::is_connection))
            .filter_map(|socket| Some(socket.remote?.port()))
            .collect()
    }

    fn add(&mut self, rows: Vec<Row>, unstable: bool) {
        if unstable {
            self.snapshot.note(Gap::UnstableTable);
        }
        for row in rows {
            let index = self.snapshot.sockets.len();
            if let Some(id) = row.cgroup_id {
                self.cgroups.insert(index, id);
            }
            if let Some(file) = row.file {
                self.unix_files.insert(index, file);
            }
            self.snapshot.sockets.push(row.socket);
        }
    }

    fn see_proc_net(&mut self, tables: &[Table], ports: &PortSet, error: Errno) {
        self.snapshot.source = Source::ProcNet;
        if matches!(error, Errno::MFILE | Errno::NFILE) {
            self.snapshot.note(Gap::TooFewDescriptors);
        }
        let mut read_any = false;
        let mut listeners = Vec::new();
        for (file, protocol) in proc_net_files(tables) {
            let Ok(text) = fs::read(format!("/proc/net/{file}")) else { continue };
            read_any = true;
            for socket in net_table(&text, protocol) {
                if socket.state == Some(TcpState::Listen) {
                    listeners.extend(socket.local.inet());
                }
                if socket.port().is_some_and(|port| ports.contains(port)) {
                    self.snapshot.sockets.push(socket);
                }
            }
        }
        let error = error_name(error);
        self.snapshot.note(match read_any {
            true => Gap::NoSockDiag { error },
            false => Gap::NoSockets { protocol: "tcp and udp".into(), error },
        });
        let remote_ports: HashSet<u16> = self.remote_ports().into_iter().collect();
        listeners.retain(|listener| remote_ports.contains(&listener.port()));
        self.snapshot.peer_listeners.extend(listeners);
        self.snapshot.every_state = true;
        self.see_bound_by_descriptor(ports);
    }

    /// Bound sockets on kernels that do not list them: every TCP socket this user may duplicate
    /// is asked for its own name.
    fn see_bound_by_descriptor(&mut self, ports: &PortSet) {
        let Some(proc) = self.reader.as_ref().map(ProcessReader::directory) else { return };
        self.snapshot.note(Gap::NoBoundSockets);
        let known: HashSet<u64> =
            self.snapshot.sockets.iter().filter_map(|socket| socket.inode).collect();
        let pids = holders::pids(proc).unwrap_or_default();
        let mut seen = HashSet::new();
        for (pid, fd, inode) in holders::sockets_of(proc, &pids) {
            if known.contains(&inode) || !seen.insert(inode) {
                continue;
            }
            if let Some(mut socket) = options::bound_tcp(pid, fd)
                && socket.port().is_some_and(|port| ports.contains(port))
            {
                socket.inode = Some(inode);
                self.snapshot.sockets.push(socket);
            }
        }
    }

    fn see_unix(&mut self, keep: impl Fn(&Row) -> bool) {
        match SockDiag::open().and_then(|mut diag| diag.dump_unix()) {
            Ok(dump) => {
                let rows = dump.rows.into_iter().filter(keep).collect();
                self.add(rows, dump.unstable);
            }
            Err(error) => {
                self.snapshot.source = Source::ProcNet;
                self.snapshot.note(Gap::NoSockDiag { error: error_name(error) });
                let text = fs::read("/proc/net/unix").unwrap_or_default();
                for socket in procfs::unix_table(&text) {
                    let row = Row { socket, cgroup_id: None, file: None, queued: 0 };
                    if keep(&row) {
                        self.snapshot.sockets.push(row.socket);
                    }
                }
            }
        }
        self.snapshot.every_state = true;
    }

    /// Every socket with an address that these processes hold.
    fn see_sockets_of(&mut self, pids: &[u32]) {
        let Some(proc) = self.reader.as_ref().map(ProcessReader::directory) else { return };
        let mut inodes: HashSet<u64> =
            holders::sockets_of(proc, pids).into_iter().map(|(_, _, inode)| inode).collect();
        inodes.extend(holders::other_sockets_of(proc, pids));
        if inodes.is_empty() {
            return;
        }
        let mine = |socket: &Socket| socket.inode.is_some_and(|inode| inodes.contains(&inode));
        let mut diag = match SockDiag::open() {
            Ok(diag) => diag,
            Err(error) => {
                self.see_proc_net(&ALL_TABLES, &PortSet::default(), error);
                return self.snapshot.sockets.retain(mine);
            }
        };
        for table in ALL_TABLES {
            if let Ok(dump) = diag.dump(table, u32::MAX, &PortSet::default()) {
                let rows = dump.rows.into_iter().filter(|row| mine(&row.socket)).collect();
                self.add(rows, dump.unstable);
            }
        }
        if let Ok(dump) = diag.dump_unix() {
            let named = |row: &Row| {
                row.socket.local != LocalAddress::Unnamed
                    && row.socket.state != Some(TcpState::Established)
            };
            let rows =
                dump.rows.into_iter().filter(|row| mine(&row.socket) && named(row)).collect();
            self.add(rows, dump.unstable);
        }
        self.snapshot.every_state = true;
    }

    fn see_namespaces(&mut self) {
        let (SocketScope::Ports(_) | SocketScope::AllPorts) = self.scope.sockets else { return };
        let Some(proc) = self.reader.as_ref().map(ProcessReader::directory) else { return };
        let Some(own) = namespaces::own(proc) else { return };
        let mut others = match self.scope.namespaces {
            Sweep::None => return,
            Sweep::Cheap | Sweep::All => namespaces::named(own),
        };
        // Without privileges only the asker's own processes say where they are, which is not
        // worth a question to all of them.
        let cheap = || self.snapshot.asker.uid == 0 && process_count() <= CHEAP_PROCESSES;
        let by_process = self.scope.namespaces == Sweep::All || cheap();
        if by_process {
            let pids = holders::pids(proc).unwrap_or_default();
            let denied = namespaces::add_of_processes(proc, &pids, own, &mut others);
            if denied > 0 && self.scope.namespaces == Sweep::All {
                self.snapshot.note(Gap::OtherNamespaces { count: None });
            }
        }
        if self.scope.namespaces == Sweep::Cheap && others.len() > CHEAP_NAMESPACES {
            self.snapshot.note(Gap::OtherNamespaces { count: Some(others.len()) });
            others.truncate(CHEAP_NAMESPACES);
        }
        let mut unread = 0;
        for other in others {
            unread += usize::from(!self.see_namespace(other));
        }
        if unread > 0 && self.scope.namespaces == Sweep::All {
            self.snapshot.note(Gap::OtherNamespaces { count: Some(unread) });
        }
    }

    /// Servers of another namespace on the wanted ports; false where it may not be entered.
    fn see_namespace(&mut self, other: OtherNamespace) -> bool {
        let (ports, tables) = match &self.scope.sockets {
            SocketScope::Ports(endpoints) => (
                PortSet::new(endpoints.iter().map(|endpoint| endpoint.port.get())),
                tables_of(endpoints),
            ),
            _ => (PortSet::default(), ALL_TABLES.to_vec()),
        };
        let mut rows = Vec::new();
        if let Ok(mut diag) = other.sock_diag() {
            for table in tables {
                let wanted = if table == Table::Tcp { states::LISTEN } else { u32::MAX };
                if let Ok(dump) = diag.dump(table, wanted, &ports) {
                    rows.extend(dump.rows);
                }
            }
        } else if let Some(pid) = other.pid {
            // A process of this user in a namespace of its own shows its tables all the same.
            let mut read_any = false;
            for (file, protocol) in proc_net_files(&tables) {
                let Ok(text) = fs::read(format!("/proc/{pid}/net/{file}")) else { continue };
                read_any = true;
                let sockets = net_table(&text, protocol);
                rows.extend(
                    sockets
                        .into_iter()
                        .filter(|socket| socket.port().is_some_and(|port| ports.contains(port)))
                        .map(|socket| Row { socket, cgroup_id: None, file: None, queued: 0 }),
                );
            }
            if !read_any {
                return false;
            }
        } else {
            return false;
        }
        rows.retain(|row| row.socket.is_server());
        if rows.is_empty() {
            return true;
        }
        let index = self.snapshot.namespaces.len();
        self.snapshot.namespaces.push(Namespace {
            inode: other.inode,
            name: other.name,
            pid: other.pid,
        });
        for row in &mut rows {
            row.socket.netns = Some(index);
        }
        self.add(rows, false);
        true
    }

    fn see_holders(&mut self) {
        let wanted = Wanted::new(self.snapshot.sockets.iter().filter_map(|socket| socket.inode));
        for socket in &mut self.snapshot.sockets {
            socket.holders = if socket.inode.is_none() { Holders::Nobody } else { Holders::Hidden };
        }
        if wanted.is_empty() {
            return;
        }
        let Some(reader) = self.reader.take() else { return };
        let proc = reader.directory();
        if !self.scope.among.is_empty() {
            let found = holders::by_descriptor(proc, &self.scope.among, &wanted);
            if found.unreadable > 0 {
                self.snapshot.note(Gap::UnreadableProcesses { count: found.unreadable });
            }
            if found.starved {
                self.snapshot.note(Gap::TooFewDescriptors);
            }
            self.claim(&found.holders);
            self.reader = Some(reader);
            return;
        }
        self.pids = holders::pids(proc).unwrap_or_default();
        let hinted = self.pids_of_cgroups();
        put_first(&mut self.pids, &hinted);
        if let Some(limit) = self.scope.first_within {
            let inodes = self.snapshot.sockets.iter().filter_map(|socket| socket.inode);
            let found = holders::first_of_each(proc, &self.pids, inodes, limit);
            self.claim(&found);
            self.reader = Some(reader);
            return;
        }
        let found = holders::by_descriptor(proc, &self.pids, &wanted);
        self.note_unseen(&found);
        self.claim(&found.holders);
        self.search_further(proc, found.unreadable == 0 && !found.starved);
        if self.scope.options {
            options::fill_in(&mut self.snapshot.sockets);
        }
        self.reader = Some(reader);
        self.name_cgroups_of_hidden();
    }

    /// Processes of the control groups the sockets were made in: most likely the holders.
    fn pids_of_cgroups(&self) -> Vec<u32> {
        // Finding a group's path costs a walk over all groups without privileges.
        if !self.snapshot.asker.sees_all || self.pids.len() < 500 {
            return Vec::new();
        }
        let ids: HashSet<u64> = self.cgroups.values().copied().collect();
        cgroup::members(&ids)
    }

    fn note_unseen(&mut self, found: &Found) {
        if found.unreadable > 0 {
            self.snapshot.note(Gap::UnreadableProcesses { count: found.unreadable });
        }
        if found.starved {
            self.snapshot.note(Gap::TooFewDescriptors);
        }
        if !self.pids.contains(&1) {
            self.snapshot.note(Gap::HiddenProcesses);
        }
    }

    fn claim(&mut self, found: &HashMap<u64, Vec<Holder>>) {
        for socket in &mut self.snapshot.sockets {
            if let Some(holders) = socket.inode.and_then(|inode| found.get(&inode)) {
                socket.holders = Holders::Processes { holders: holders.clone() };
            }
        }
    }

    fn unclaimed(&self) -> Vec<u64> {
        self.snapshot
            .sockets
            .iter()
            .filter(|socket| socket.holders == Holders::Hidden)
            .filter_map(|socket| socket.inode)
            .collect()
    }

    /// The second pass, for sockets that no descriptor claims, and its three possible ends: the
    /// kernel's, somebody unseen, or gone meanwhile.
    fn search_further(&mut self, proc: BorrowedFd<'_>, read_all: bool) {
        self.drop_ended();
        let unclaimed = self.unclaimed();
        if unclaimed.is_empty() {
            return;
        }
        let me = self.snapshot.asker.uid;
        // Another user's socket, and processes that cannot be read: it is theirs.
        let worth = read_all
            || self.snapshot.asker.sees_all
            || self.snapshot.sockets.iter().any(|socket| {
                socket.holders == Holders::Hidden && socket.uid.is_none_or(|uid| uid == me)
            });
        if worth {
            let wanted = Wanted::new(unclaimed);
            // A process may have been born, or have passed its socket on, during the first walk.
            let pids = holders::pids(proc).unwrap_or_default();
            let again = holders::by_descriptor(proc, &pids, &wanted);
            self.claim(&again.holders);
            let wanted = Wanted::new(self.unclaimed());
            if !wanted.is_empty() {
                let queued = unix_queues();
                let (found, in_flight) = holders::by_other_means(proc, &pids, &wanted, &queued);
                self.claim(&found.holders);
                self.claim_in_flight(&in_flight);
            }
        }
        self.drop_ended();
        // Everything of this machine was readable and nobody has it: the kernel does.
        let outermost = in_first_pid_namespace();
        if read_all && outermost && self.snapshot.asker.sees_all {
            for socket in &mut self.snapshot.sockets {
                if socket.holders == Holders::Hidden && socket.netns.is_none() {
                    socket.holders = Holders::Kernel;
                }
            }
        }
        // In a PID namespace of its own everything readable is not everything there is.
        if !outermost && !self.unclaimed().is_empty() {
            self.snapshot.note(Gap::HiddenProcesses);
        }
    }

    fn claim_in_flight(&mut self, receivers: &[Holder]) {
        if receivers.is_empty() {
            return;
        }
        for socket in &mut self.snapshot.sockets {
            if socket.holders == Holders::Hidden {
                socket.holders = Holders::Processes { holders: receivers.to_vec() };
            }
        }
    }

    /// The inodes of the sockets on these ports at this moment.
    fn inodes_now(&self, ports: &PortSet) -> Option<HashSet<u64>> {
        let mut alive = HashSet::new();
        if self.snapshot.source == Source::ProcNet {
            for (file, protocol) in proc_net_files(&ALL_TABLES) {
                let Ok(text) = fs::read(format!("/proc/net/{file}")) else { continue };
                alive.extend(net_table(&text, protocol).iter().filter_map(|socket| socket.inode));
            }
            return Some(alive);
        }
        let mut diag = SockDiag::open().ok()?;
        for table in ALL_TABLES {
            let wanted = match (table, self.snapshot.every_state) {
                (Table::Tcp, false) => states::LISTEN,
                _ => u32::MAX,
            };
            let Ok(dump) = diag.dump(table, wanted, ports) else { continue };
            alive.extend(dump.rows.iter().filter_map(|row| row.socket.inode));
        }
        Some(alive)
    }

    /// Removes sockets that closed while their holders were looked for.
    fn drop_ended(&mut self) {
        if self.unclaimed().is_empty() {
            return;
        }
        let ports: Vec<u16> = self
            .snapshot
            .sockets
            .iter()
            .filter(|socket| socket.holders == Holders::Hidden && socket.netns.is_none())
            .filter_map(Socket::port)
            .collect();
        if ports.is_empty() {
            return;
        }
        let Some(alive) = self.inodes_now(&PortSet::new(ports)) else { return };
        let ended = |socket: &Socket| {
            socket.holders == Holders::Hidden
                && socket.netns.is_none()
                && socket.protocol != Protocol::Unix
                && socket.state != Some(TcpState::Bound)
                && socket.inode.is_some_and(|inode| !alive.contains(&inode))
        };
        let gone: Vec<bool> = self.snapshot.sockets.iter().map(ended).collect();
        if !gone.contains(&true) {
            return;
        }
        // The side tables are keyed by position.
        let moved: HashMap<usize, usize> = gone
            .iter()
            .enumerate()
            .filter(|&(_, &gone)| !gone)
            .enumerate()
            .map(|(new, (old, _))| (old, new))
            .collect();
        let mut keep = gone.iter().map(|gone| !gone);
        self.snapshot.sockets.retain(|_| keep.next().unwrap_or(true));
        self.cgroups = std::mem::take(&mut self.cgroups)
            .into_iter()
            .filter_map(|(old, id)| Some((*moved.get(&old)?, id)))
            .collect();
    }

    /// Where nobody can be named, the control group often can: it is a unit or a container.
    fn name_cgroups_of_hidden(&mut self) {
        let hidden: HashMap<usize, u64> = self
            .cgroups
            .iter()
            .filter(|(index, _)| {
                self.snapshot
                    .sockets
                    .get(**index)
                    .is_some_and(|socket| socket.holders == Holders::Hidden)
            })
            .map(|(&index, &id)| (index, id))
            .collect();
        if hidden.is_empty() {
            return;
        }
        let names = cgroup::paths(&hidden.values().copied().collect());
        for (index, id) in hidden {
            self.snapshot.sockets[index].cgroup = names.get(&id).cloned();
        }
    }

    fn see_processes(&mut self) {
        if self.scope.all_processes {
            self.see_every_process();
            self.tell_threads();
            self.tell_hidden();
            return self.forget_vanished();
        }
        if !self.scope.among.is_empty() {
            return;
        }
        let mut wanted: Vec<u32> = self
            .snapshot
            .sockets
            .iter()
            .flat_map(|socket| socket.holders.list())
            .map(|holder| holder.pid)
            .chain(self.scope.pids.iter().copied())
            .chain(self.snapshot.namespaces.iter().filter_map(|namespace| namespace.pid))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return;
        }
        // Who runs the holder cannot be told apart from who runs the asker without it.
        wanted.push(self.snapshot.asker.pid);
        let Some(reader) = &self.reader else { return };
        self.snapshot.processes = reader.read_every(&wanted, self.scope.facts);
        self.tell_threads();
        self.tell_hidden();
        self.forget_vanished();
    }

    /// Numbers asked for that `/proc` does not have, and that a signal would reach or be refused
    /// for: it was mounted to hide them (proc(5), hidepid).
    fn tell_hidden(&mut self) {
        let Some(reader) = &self.reader else { return };
        for &pid in &self.scope.pids {
            let is_there = || exists(reader.directory(), pid);
            if self.snapshot.processes.contains_key(&pid) || !is_alive(pid) || is_there() {
                continue;
            }
            self.snapshot.hidden.insert(pid);
            self.snapshot.note(Gap::HiddenProcesses);
        }
    }

    /// Numbers asked for that are threads' are no processes: their processes are named instead.
    fn tell_threads(&mut self) {
        let Some(reader) = &self.reader else { return };
        for &tid in &self.scope.pids {
            let Some(pid) = reader.process_of_thread(tid) else { continue };
            self.snapshot.processes.remove(&tid);
            self.snapshot.threads.insert(tid, pid);
            for (pid, process) in reader.read_with_ancestors(&[pid]) {
                self.snapshot.processes.entry(pid).or_insert(process);
            }
        }
    }

    fn see_every_process(&mut self) {
        let Some(reader) = &self.reader else { return };
        let pids = holders::pids(reader.directory()).unwrap_or_default();
        self.snapshot.processes = reader.read_every(&pids, self.scope.facts);
        let unread = |pid: &&u32| !self.snapshot.processes.contains_key(pid);
        // One that is there and cannot be read: descriptors ran out here.
        let missed = pids.iter().filter(unread).any(|&pid| exists(reader.directory(), pid));
        if missed {
            self.snapshot.note(Gap::TooFewDescriptors);
        }
        if !pids.contains(&1) {
            self.snapshot.note(Gap::HiddenProcesses);
        }
    }

    /// A holder that ended between the walk and now holds nothing any more. One that is there and
    /// could not be read stays a holder: descriptors ran out here, as nothing else hides the
    /// facts of a process whose descriptors were seen.
    fn forget_vanished(&mut self) {
        let Some(proc) = self.reader.as_ref().map(ProcessReader::directory) else { return };
        let processes: &BTreeMap<u32, _> = &self.snapshot.processes;
        let mut unread = false;
        for socket in &mut self.snapshot.sockets {
            if let Holders::Processes { holders } = &mut socket.holders {
                holders.retain(|holder| {
                    // A zombie holds nothing any more.
                    let process = processes.get(&holder.pid);
                    let known = process.is_some_and(|p| p.state != ProcessState::Zombie);
                    let lives = process.is_none() && exists(proc, holder.pid);
                    unread |= lives;
                    known || lives
                });
                if holders.is_empty() {
                    socket.holders = Holders::Hidden;
                }
            }
        }
        if unread {
            self.snapshot.note(Gap::TooFewDescriptors);
        }
        // What had no other holder has closed with it.
        if self.scope.first_within.is_none() {
            self.drop_ended();
        }
    }
}

const ALL_TABLES: [Table; 7] = [
    Table::Tcp,
    Table::Udp4,
    Table::Udp6,
    Table::UdpLite4,
    Table::UdpLite6,
    Table::Raw4,
    Table::Raw6,
];

pub(super) fn tables_of(endpoints: &[Endpoint]) -> Vec<Table> {
    let asks = |transport| endpoints.iter().any(|e| e.transports().contains(&transport));
    let mut tables = Vec::new();
    if asks(Transport::Tcp) {
        tables.push(Table::Tcp);
    }
    if asks(Transport::Udp) {
        tables.extend([Table::Udp4, Table::Udp6]);
    }
    tables
}

fn proc_net_files(tables: &[Table]) -> Vec<(&'static str, Protocol)> {
    let of = |table: &Table| -> &[&'static str] {
        match table {
            Table::Tcp => &["tcp", "tcp6"],
            Table::Udp4 => &["udp"],
            Table::Udp6 => &["udp6"],
            Table::UdpLite4 => &["udplite"],
            Table::UdpLite6 => &["udplite6"],
            Table::Raw4 => &["raw"],
            Table::Raw6 => &["raw6"],
        }
    };
    tables.iter().flat_map(|table| of(table).iter().map(|file| (*file, table.protocol()))).collect()
}

/// Whether a unix socket is the one meant: by its name, or by the very file the path leads to.
fn names_it(names: &[String], row: &Row) -> bool {
    names.iter().any(|name| match (&row.socket.local, name.strip_prefix('@')) {
        (LocalAddress::Abstract(own), Some(wanted)) => own == wanted,
        (_, Some(_)) => false,
        (LocalAddress::Path(own), None) => {
            let file = fs::metadata(Path::new(name)).ok().map(|facts| {
                use std::os::unix::fs::MetadataExt;
                (facts.ino(), facts.dev())
            });
            match (file, row.file) {
                // The kernel reports 32 bits of the inode.
                (Some((inode, device)), Some((own_inode, own_device))) => {
                    inode as u32 == own_inode && device == own_device
                }
                _ => own == name,
            }
        }
        _ => false,
    })
}

/// Whether this kernel lists bound sockets (6.8): it ignores the state bit in silence otherwise,
/// so a socket bound here must show up.
fn kernel_lists_bound(diag: &mut SockDiag) -> bool {
    if let Some(answer) = release_lists_bound() {
        return answer;
    }
    let Some((_socket, port)) = options::bind_one() else { return true };
    let ports = PortSet::new([port]);
    diag.dump(Table::Tcp, states::BOUND_INACTIVE, &ports).is_ok_and(|dump| !dump.rows.is_empty())
}

/// What the kernel's version says, where it leaves no doubt: distributions move features back to
/// older kernels, never forward.
fn release_lists_bound() -> Option<bool> {
    let name = rustix::system::uname();
    let release = name.release().to_str().ok()?;
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    (version >= (6, 8)).then_some(true)
}

/// Whether the kernel has a process of that number, for this user or others (kill(2) with signal 0).
fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

/// Whether `/proc` shows a process of that number.
fn exists(proc: BorrowedFd<'_>, pid: u32) -> bool {
    rustix::fs::statat(proc, DecInt::new(pid), rustix::fs::AtFlags::empty()).is_ok()
}

/// How many processes there are, by the link count of `/proc`: no listing needed.
fn process_count() -> u64 {
    #[allow(clippy::useless_conversion, reason = "a u32 on ARM")]
    rustix::fs::stat("/proc").map_or(u64::MAX, |facts| u64::from(facts.st_nlink))
}

/// Unix sockets with something in their queue: only there can a descriptor be in flight.
fn unix_queues() -> HashSet<u64> {
    let Ok(dump) = SockDiag::open().and_then(|mut diag| diag.dump_unix()) else {
        return HashSet::new();
    };
    dump.rows.iter().filter(|row| row.queued > 0).filter_map(|row| row.socket.inode).collect()
}

/// The first PID namespace's number is fixed (`include/linux/proc_ns.h`).
fn in_first_pid_namespace() -> bool {
    rustix::fs::readlinkat(CWD, "/proc/self/ns/pid", Vec::with_capacity(64))
        .is_ok_and(|link| link.as_bytes() == b"pid:[4026531836]")
}

fn net_table(text: &[u8], protocol: Protocol) -> Vec<Socket> {
    match protocol {
        Protocol::Tcp => procfs::tcp_table(text),
        other => procfs::udp_table(text, other),
    }
}

fn put_first(pids: &mut [u32], first: &[u32]) {
    let first: HashSet<u32> = first.iter().copied().collect();
    pids.sort_by_key(|pid| !first.contains(pid));
}

fn error_name(error: Errno) -> String {
    crate::bind::BindResult::Other(error.raw_os_error()).name().into_owned()
}
