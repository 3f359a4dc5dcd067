//! Everything that was seen at one moment, as a plain value: it can be built by hand in a test,
//! recorded by `proc record` and read back by `--replay`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::addr::{Endpoint, Port};
use crate::engine::ContainerFacts;
use crate::marks::Marks;
use crate::process::Process;
use crate::redirect::Redirect;
use crate::socket::Socket;
use crate::unit::UnitFacts;
use crate::windows::WindowsFacts;

/// What to look at. Every flag costs something; the cheapest scope that answers is the right one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Which sockets.
    pub sockets: SocketScope,
    /// Whether to find the processes behind them.
    pub holders: bool,
    /// Which TCP states.
    pub states: States,
    /// Whether to sweep other network namespaces.
    pub namespaces: Sweep,
    /// Whether to leave out the asker's own network namespace: a bind has already told that
    /// nothing there is in the way.
    pub elsewhere_only: bool,
    /// Whether to read the holders' own options (SO_REUSEADDR, SO_REUSEPORT).
    pub options: bool,
    /// Processes wanted whether or not they hold a socket.
    pub pids: Vec<u32>,
    /// Whether to read every process of the machine.
    pub all_processes: bool,
    /// Which facts to read of the processes, except of those above them where not all are read.
    pub facts: ProcessFacts,
    /// Where set, one holder of each socket will do, and only of those that are found within that much
    /// processor time: for whoever would rather have no name than wait for it. A socket without one
    /// then says nothing.
    pub first_within: Option<Duration>,
    /// Where not empty: holders are looked for among these processes alone, by their descriptors,
    /// and nothing else is read of them. A socket without one then says nothing.
    pub among: Vec<u32>,
}

/// Which facts are read of processes. Number, name, parent, user, state, start, processor time and
/// memory are in one file and always read; each of the others costs system calls for every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessFacts {
    /// The executable. Without, it is read only where the name tells no program.
    pub program: bool,
    /// The arguments.
    pub arguments: bool,
    /// The working directory.
    pub directory: bool,
    /// The control group, and with it unit and container.
    pub group: bool,
}

impl ProcessFacts {
    /// Nothing but what is always read.
    pub const BARE: Self =
        Self { program: false, arguments: false, directory: false, group: false };
    /// Everything.
    pub const ALL: Self = Self { program: true, arguments: true, directory: true, group: true };

    /// What either wants.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            program: self.program || other.program,
            arguments: self.arguments || other.arguments,
            directory: self.directory || other.directory,
            group: self.group || other.group,
        }
    }
}

impl Default for ProcessFacts {
    fn default() -> Self {
        Self::ALL
    }
}

/// Which TCP states are asked for. Listeners cost microseconds whatever else there is; all others
/// half a millisecond, and 200 ms among 180,000 sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum States {
    /// Listeners only.
    #[default]
    Servers,
    /// Bound sockets too, where there are few sockets in all.
    BoundIfCheap,
    /// Connections, remains and bound sockets too, where there are few.
    AllIfCheap,
    /// All, at any cost.
    All,
}

/// Which sockets are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SocketScope {
    /// None.
    #[default]
    None,
    /// Those with a local port of one of these endpoints, whatever the address.
    Ports(Vec<Endpoint>),
    /// Every socket with a port.
    AllPorts,
    /// Unix sockets of this path or abstract name (`@name`).
    Unix(Vec<String>),
    /// Every unix socket with a name.
    AllUnix,
    /// Every socket these processes hold.
    HeldBy(Vec<u32>),
}

/// How far to look into other network namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sweep {
    /// Only the asker's own.
    #[default]
    None,
    /// Others too where that is a matter of microseconds.
    Cheap,
    /// All that can be reached.
    All,
}

/// The asker: who looks decides what can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// This process.
    pub pid: u32,
    /// The effective user.
    pub uid: u32,
    /// That user's name.
    pub user: Option<String>,
    /// Whether it may bind ports below the privileged floor (CAP_NET_BIND_SERVICE).
    pub may_bind_privileged: bool,
    /// Whether it may destroy sockets (CAP_NET_ADMIN).
    pub may_destroy: bool,
    /// Whether it can see into every process (CAP_SYS_PTRACE, and CAP_DAC_READ_SEARCH or root).
    pub sees_all: bool,
    /// This process's ancestors, nearest first.
    pub ancestors: Vec<u32>,
}

/// The rules of this machine about ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Where the kernel takes ports for outgoing connections and binds of port 0
    /// (`ip_local_port_range`, ip(7)).
    pub ephemeral: RangeInclusive<u16>,
    /// Ports it then leaves out (`ip_local_reserved_ports`).
    pub reserved: Vec<RangeInclusive<u16>>,
    /// The first port anybody may bind (`ip_unprivileged_port_start`).
    pub unprivileged_start: u16,
    /// Whether a packet may no longer end a TIME-WAIT early (`tcp_rfc1337`).
    pub rfc1337: bool,
    /// Whether this is Linux under Windows (WSL), whose programs hold ports that no socket here
    /// shows: its kernels have `microsoft` in their release (uname(2)).
    #[serde(default)]
    pub wsl: bool,
    /// Ports that nobody may bind though nobody has them: the system keeps them for programs of
    /// its own and says EADDRINUSE (macOS: `net.restricted_port.bitmap`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restricted: Vec<RangeInclusive<u16>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ephemeral: 32768..=60999,
            reserved: Vec::new(),
            unprivileged_start: 1024,
            rfc1337: false,
            wsl: false,
            restricted: Vec::new(),
        }
    }
}

impl Policy {
    /// Whether the kernel may draw this port for somebody's outgoing connection.
    pub fn is_ephemeral(&self, port: Port) -> bool {
        self.ephemeral.contains(&port.get())
            && !self.reserved.iter().any(|range| range.contains(&port.get()))
    }
}

/// Another network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its inode: the number in `net:[…]`.
    pub inode: u64,
    /// A name a person knows it by (`ip netns`, a container), where there is one.
    pub name: Option<String>,
    /// A process inside it.
    pub pid: Option<u32>,
}

/// Where the sockets came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// NETLINK_SOCK_DIAG (sock_diag(7)).
    #[default]
    SockDiag,
    /// `/proc/net/tcp` and kin, where netlink is refused: no bound-only sockets, no cookies.
    ProcNet,
    /// The BSD process-control-block lists (`net.inet.tcp.pcblist_n`).
    PcbList,
    /// The Windows extended tables (`GetExtendedTcpTable`).
    ExtendedTable,
}

/// Something that could not be seen, and what would show it. Part of every answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "gap")]
pub enum Gap {
    /// The descriptors of this many processes could not be read.
    UnreadableProcesses {
        /// How many.
        count: usize,
    },
    /// `/proc` shows only this user's own processes (hidepid) or another PID namespace's.
    HiddenProcesses,
    /// `/proc` is missing or is not a process file system.
    NoProcfs,
    /// sock_diag was refused, and `/proc/net` answered in its place.
    NoSockDiag {
        /// The error's name.
        error: String,
    },
    /// Neither sock_diag nor `/proc/net` answered for this protocol.
    NoSockets {
        /// Which protocol.
        protocol: String,
        /// The error's name.
        error: String,
    },
    /// This kernel does not list sockets that are bound and do nothing else (Linux before 6.8).
    NoBoundSockets,
    /// This many network namespaces were not looked at.
    OtherNamespaces {
        /// How many; `None` where not counted.
        count: Option<usize>,
    },
    /// A sweep or scan stopped at this limit of open descriptors.
    TooFewDescriptors,
    /// The kernel kept changing the table while it was read.
    UnstableTable,
    /// The end of a very large table was left unread.
    Truncated {
        /// How many rows were kept.
        kept: usize,
    },
    /// A container engine or a service manager is there and did not tell what it knows.
    Manager {
        /// Which, as a person knows it: `docker (/run/docker.sock)`, `systemd`.
        name: String,
        /// Why not.
        why: Silence,
    },
    /// A directory did not answer in time when it was asked whose project it is.
    LateDirectory {
        /// Which.
        directory: String,
    },
    /// The rules of the packet filter could not be read.
    NoRules {
        /// The error's name.
        error: String,
    },
    /// The packet filter has so many rules for these ports that some were left unread.
    ManyRules {
        /// How many were read.
        read: usize,
    },
}

/// Why a manager that was asked told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// This user may not ask it.
    Denied,
    /// It did not answer in time.
    Late,
    /// What it answered was not understood.
    Garbled,
    /// It, or the command that asks it, is not there or failed.
    Failed,
}

/// Everything seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When.
    pub taken_at: SystemTime,
    /// Who looked.
    pub asker: Asker,
    /// The machine's rules.
    pub policy: Policy,
    /// The sockets of the scope.
    pub sockets: Vec<Socket>,
    /// Whether sockets of every state were asked for, or only listeners and UDP.
    pub every_state: bool,
    /// The holders of those sockets, the processes asked for, and all their ancestors.
    pub processes: BTreeMap<u32, Process>,
    /// Numbers asked for that are no process's but a thread's of one: whose.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub threads: BTreeMap<u32, u32>,
    /// Numbers asked for that are processes', which the system hides from this user (`hidepid`).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hidden: BTreeSet<u32>,
    /// Other network namespaces with sockets in the answer.
    pub namespaces: Vec<Namespace>,
    /// Listeners at the other ends of the connections in the answer, where those are local.
    pub peer_listeners: Vec<std::net::SocketAddr>,
    /// The addresses of this machine; only where one asked for turned out not to be.
    pub local_addresses: Vec<std::net::IpAddr>,
    /// Containers in the answer, as their engines describe them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerFacts>,
    /// Units in the answer, as systemd describes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitFacts>,
    /// Rules that send ports of the answer elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<Redirect>,
    /// The marks in the environments of processes in the answer, by PID.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<u32, Marks>,
    /// The work trees of git that directories of the answer are in, by directory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub projects: BTreeMap<String, String>,
    /// The processes whose children were asked for, and are all in `processes`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub families: BTreeSet<u32>,
    /// The shells whose script was read and runs its child in a loop.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub loops: BTreeSet<u32>,
    /// What Windows told besides.
    #[serde(default, skip_serializing_if = "WindowsFacts::is_empty")]
    pub windows: WindowsFacts,
    /// What answered.
    pub source: Source,
    /// What could not be seen, each once.
    pub gaps: Vec<Gap>,
}

impl Snapshot {
    /// A snapshot with nothing in it.
    pub fn empty(taken_at: SystemTime) -> Self {
        Self {
            taken_at,
            asker: Asker::default(),
            policy: Policy::default(),
            sockets: Vec::new(),
            every_state: false,
            processes: BTreeMap::new(),
            threads: BTreeMap::new(),
            hidden: BTreeSet::new(),
            namespaces: Vec::new(),
            peer_listeners: Vec::new(),
            local_addresses: Vec::new(),
            containers: Vec::new(),
            units: Vec::new(),
            redirects: Vec::new(),
            marks: BTreeMap::new(),
            projects: BTreeMap::new(),
            families: BTreeSet::new(),
            loops: BTreeSet::new(),
            windows: WindowsFacts::default(),
            source: Source::default(),
            gaps: Vec::new(),
        }
    }

    /// Notes something unseen, once.
    pub fn note(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// The ancestors of a process, nearest first, as far as they were seen. Ends at a process
    /// that claims to descend from itself.
    pub fn ancestors(&self, pid: u32) -> Vec<&Process> {
        /// Chains are short, but for those that somebody made to be long.
        const SHORT: usize = 32;
        let mut chain: Vec<&Process> = Vec::new();
        let mut far = BTreeSet::new();
        let mut next = self.processes.get(&pid).map_or(0, |process| process.ppid);
        while next != 0 {
            let Some(process) = self.processes.get(&next) else { break };
            let near = &chain[..chain.len().min(SHORT)];
            if next == pid || near.iter().any(|seen| seen.id == process.id) {
                break;
            }
            if chain.len() >= SHORT && !far.insert(next) {
                break;
            }
            chain.push(process);
            next = process.ppid;
        }
        chain
    }

    /// The children of a process; `None` where nobody asked for all of them.
    pub fn children(&self, pid: u32) -> Option<Vec<&Process>> {
        self.families
            .contains(&pid)
            .then(|| self.processes.values().filter(|process| process.ppid == pid).collect())
    }

    /// Whether it is of a Windows; a recording may be of another machine.
    pub fn is_windows(&self) -> bool {
        self.source == Source::ExtendedTable
    }

    /// A mark that a process itself has.
    pub fn mark(&self, pid: u32, name: &str) -> Option<&str> {
        self.marks.get(&pid)?.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessId;

    /// Processes 1 to `last`, each the child of the one before; the first has that parent.
    fn chain(last: u32, above_first: u32) -> Snapshot {
        let mut snapshot = Snapshot::empty(std::time::UNIX_EPOCH);
        for pid in 1..=last {
            let ppid = if pid == 1 { above_first } else { pid - 1 };
            let process = Process { ppid, ..Process::unread(ProcessId { pid, start: 1 }) };
            snapshot.processes.insert(pid, process);
        }
        snapshot
    }

    fn ancestors(snapshot: &Snapshot, pid: u32) -> Vec<u32> {
        snapshot.ancestors(pid).iter().map(|process| process.id.pid).collect()
    }

    #[test]
    fn a_chain_has_every_ancestor_however_long_it_is() {
        let snapshot = chain(50_000, 0);
        assert_eq!(ancestors(&snapshot, 50_000), (1..50_000).rev().collect::<Vec<_>>());
        assert_eq!(ancestors(&snapshot, 3), [2, 1]);
        assert_eq!(ancestors(&snapshot, 1), [0; 0]);
        assert_eq!(ancestors(&snapshot, 50_001), [0; 0]);
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends_there() {
        for last in [2, 3, 31, 32, 33, 34, 100] {
            // Every process is everybody's ancestor, and its own.
            let circle = chain(last, last);
            let others = (1..last).rev().collect::<Vec<_>>();
            assert_eq!(ancestors(&circle, last), others, "{last}");
            // Outside of it, the way in is not repeated either.
            let mut hooked = chain(last + 1, last / 2);
            hooked.processes.get_mut(&1).unwrap().ppid = last.div_ceil(2);
            let found = ancestors(&hooked, last + 1);
            assert_eq!(found, (1..=last).rev().collect::<Vec<_>>(), "{last}");
        }
        assert_eq!(ancestors(&chain(1, 1), 1), [0; 0]);
    }
}
