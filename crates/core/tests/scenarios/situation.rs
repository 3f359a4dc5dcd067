//! A machine in a few lines of TOML: everything not said is ordinary. The kernel's answers to
//! binds are worked out by the measured rules from what is said, unless a file overrides them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use proc_core::addr::{Endpoint, ORDINARY_ADDRESSES};
use proc_core::bind::{Attempt, BindResult};
use proc_core::engine::{Compose, ContainerFacts, Published};
use proc_core::host::Host;
use proc_core::marks::Marks;
use proc_core::process::{Process, ProcessId, ProcessState};
use proc_core::recording::{RECORDING, Recording, ReplayHost};
use proc_core::redirect::Redirect;
use proc_core::snapshot::{Asker, Gap, Namespace, Policy, Snapshot, Source};
use proc_core::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol, Socket, TcpState};
use proc_core::supervisor::{container_of, unit_of};
use proc_core::target::parse;
use proc_core::unit::UnitFacts;
use proc_core::windows::{WindowsFacts, path};
use serde::Deserialize;

/// The situation part of a scenario file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Situation {
    /// The target asked about.
    pub ask: String,
    /// Whether to look into every network namespace.
    #[serde(default)]
    pub all_namespaces: bool,
    #[serde(default)]
    asker: AskerFacts,
    #[serde(default)]
    policy: PolicyFacts,
    #[serde(default)]
    process: Vec<ProcessFacts>,
    #[serde(default)]
    socket: Vec<SocketFacts>,
    #[serde(default)]
    namespace: Vec<NamespaceFacts>,
    /// Units as systemd describes them when it is asked.
    #[serde(default)]
    unit: Vec<UnitFacts>,
    /// Listeners at the other ends of connections.
    #[serde(default)]
    peer_listeners: Vec<SocketAddr>,
    /// The machine's addresses besides loopback.
    #[serde(default)]
    local_addresses: Vec<IpAddr>,
    /// Rules of the packet filter that send ports elsewhere.
    #[serde(default)]
    redirect: Vec<Redirect>,
    #[serde(default)]
    gaps: Vec<Gap>,
    /// Shells whose script runs its child in a loop.
    #[serde(default)]
    loops: BTreeSet<u32>,
    /// What engines tell.
    #[serde(default)]
    container: Vec<ContainerSaid>,
    /// Whether sock_diag was refused, so that `/proc/net` answered.
    #[serde(default)]
    proc_net: bool,
    /// The system, where it is not Linux: `macos`.
    #[serde(default)]
    system: Option<String>,
    /// The kernel's own answers where the rules do not give them: `"tcp" = "EACCES"`,
    /// `"udp ::1" = "EADDRINUSE/ok"` (plain/with SO_REUSEADDR).
    #[serde(default)]
    kernel: BTreeMap<String, String>,
    /// Socket files: `refused` or `accepted`.
    #[serde(default)]
    unix_files: BTreeMap<String, String>,
    /// Directories that are work trees of git.
    #[serde(default)]
    projects: Vec<String>,
    /// That the machine is a Windows, and what that told besides: nothing, if it is empty.
    windows: Option<WindowsFacts>,
    /// What WSL tells of Windows, where this is Linux in it.
    #[serde(default)]
    wsl: WindowsFacts,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AskerFacts {
    user: String,
    pid: u32,
    /// Ancestors, nearest first.
    under: Vec<u32>,
    may_bind_privileged: Option<bool>,
    may_destroy: Option<bool>,
    sees_all: Option<bool>,
}

impl Default for AskerFacts {
    fn default() -> Self {
        Self {
            user: "me".to_owned(),
            pid: 9000,
            under: vec![8000, 1],
            may_bind_privileged: None,
            may_destroy: None,
            sees_all: None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyFacts {
    ephemeral: Option<[u16; 2]>,
    unprivileged_start: Option<u16>,
    wsl: bool,
    /// Ports that the system keeps for programs of its own.
    restricted: Vec<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessFacts {
    pid: u32,
    /// The command line, cut at spaces. Its first word names program and executable.
    run: String,
    /// The command line as words, where spaces are in them.
    argv: Option<Vec<String>>,
    /// The kernel's short name, where it is not the program's.
    name: Option<String>,
    /// The executable's path; empty where it cannot be read.
    exe: Option<String>,
    #[serde(rename = "in")]
    directory: Option<String>,
    /// As in the sentences: `41 s`, `3 min`, `2 h 5 min`.
    #[serde(default = "three_minutes")]
    age: String,
    /// The parent.
    #[serde(default = "one")]
    under: u32,
    #[serde(default = "me")]
    user: String,
    state: Option<ProcessState>,
    terminal: Option<String>,
    cgroup: Option<String>,
    /// The label that launchd gave it.
    job: Option<String>,
    #[serde(default)]
    kernel_thread: bool,
    /// What managers, terminals and agents left in its environment.
    #[serde(default)]
    marks: Marks,
    /// The session's first process, where that is another.
    session: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SocketFacts {
    tcp: Option<SocketAddr>,
    udp: Option<SocketAddr>,
    unix: Option<String>,
    /// For TCP and unix `listen` unless said.
    state: Option<TcpState>,
    to: Option<SocketAddr>,
    /// So many like it, to ports counting up from the first.
    #[serde(default = "one")]
    times: u32,
    #[serde(default)]
    held_by: Vec<u32>,
    /// How, where not by an ordinary descriptor.
    by: Option<HeldBy>,
    /// `hidden` or `kernel`; nobody holds what no process is said to hold.
    holder: Option<String>,
    /// The user that made it; its first holder's unless said.
    owner: Option<String>,
    cgroup: Option<String>,
    /// Options as they are. Whether a person can see them follows from who holds the socket.
    #[serde(default)]
    v6only: bool,
    #[serde(default)]
    reuse_addr: bool,
    #[serde(default)]
    reuse_port: bool,
    ends_in_ms: Option<u32>,
    #[serde(default)]
    mptcp: bool,
    /// The network namespace's place in `namespace`.
    namespace: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceFacts {
    inode: u64,
    name: Option<String>,
    pid: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerSaid {
    #[serde(default = "docker")]
    engine: String,
    name: String,
    /// The first digits of its id; zeros follow. Its pod's id, for Kubernetes.
    id: String,
    image: Option<String>,
    state: Option<String>,
    pid: Option<u32>,
    compose: Option<ComposeSaid>,
    /// `8080:80`, `127.0.0.1:8080:80/udp`.
    #[serde(default)]
    publishes: Vec<String>,
    restart: Option<String>,
    socket: Option<String>,
    owner: Option<String>,
    unit: Option<String>,
    pod: Option<String>,
    /// The words that reach its engine; the engine's name unless said.
    command: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComposeSaid {
    project: String,
    service: Option<String>,
    #[serde(rename = "in")]
    directory: Option<String>,
}

impl ContainerSaid {
    fn facts(&self) -> ContainerFacts {
        let published = |text: &String| {
            let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
            let (rest, inside) = rest.rsplit_once(':').expect("HOST:INSIDE");
            let (address, port) = rest.rsplit_once(':').map_or((None, rest), |(a, p)| (Some(a), p));
            Published {
                protocol: if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp },
                address: address.map(|address| address.parse().unwrap()),
                port: port.parse().unwrap(),
                container_port: Some(inside.parse().unwrap()),
            }
        };
        let oci = self.engine != "kubernetes";
        let command = self.command.clone().unwrap_or_else(|| self.engine.clone());
        ContainerFacts {
            engine: self.engine.clone(),
            id: if oci { format!("{:0<64}", self.id) } else { self.id.clone() },
            name: self.name.clone(),
            image: self.image.clone(),
            state: self.state.clone(),
            pid: self.pid,
            compose: self.compose.as_ref().map(|said| Compose {
                project: said.project.clone(),
                service: said.service.clone(),
                directory: said.directory.clone(),
            }),
            published: self.publishes.iter().map(published).collect(),
            restart: self.restart.clone(),
            socket: self.socket.clone().unwrap_or_default(),
            owner: self.owner.as_deref().map(uid_of),
            unit: self.unit.clone(),
            pod: self.pod.clone(),
            command: match oci {
                true => command.split(' ').map(str::to_owned).collect(),
                false => Vec::new(),
            },
        }
    }
}

fn docker() -> String {
    "docker".to_owned()
}

const fn one() -> u32 {
    1
}

fn three_minutes() -> String {
    "3 min".to_owned()
}

fn me() -> String {
    "me".to_owned()
}

/// Every scenario happens at the same moment.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_261_600)
}

impl Situation {
    /// The situation as a recorded machine.
    ///
    /// # Panics
    /// Where the file says what cannot be.
    pub fn recording(&self, path: &Path) -> Recording {
        let asker = self.asker.asker();
        let truth: Vec<Socket> = self.sockets();
        let known = truth.iter().map(|socket| self.as_seen(socket, &asker)).collect();
        let mut processes: BTreeMap<u32, Process> =
            self.process.iter().map(|facts| (facts.pid, facts.process())).collect();
        if self.windows.is_none() {
            processes.entry(1).or_insert_with(|| self.first_process().process());
        }
        let snapshot = Snapshot {
            // Whoever writes a situation knows everybody in it.
            families: processes.keys().copied().collect(),
            loops: self.loops.clone(),
            asker,
            policy: match self.windows {
                Some(_) => Policy {
                    ephemeral: 49152..=65535,
                    unprivileged_start: 0,
                    ..self.policy.policy(false)
                },
                None => self.policy.policy(self.is_mac()),
            },
            sockets: truth,
            every_state: true,
            processes,
            namespaces: self.namespace.iter().map(NamespaceFacts::namespace).collect(),
            peer_listeners: self.peer_listeners.clone(),
            marks: self.marks(),
            projects: self.directories_in_projects(),
            source: match () {
                () if self.windows.is_some() => Source::ExtendedTable,
                () if self.is_mac() => Source::PcbList,
                () if self.proc_net => Source::ProcNet,
                () => Source::SockDiag,
            },
            windows: self.windows.clone().unwrap_or_else(|| self.wsl.clone()),
            redirects: self.redirect.clone(),
            gaps: self.gaps.clone(),
            units: self.unit.clone(),
            containers: self.container.iter().map(ContainerSaid::facts).collect(),
            ..Snapshot::empty(now())
        };
        let mut recording = Recording {
            recording: RECORDING,
            version: "0.0.0".to_owned(),
            taken_at: now(),
            endpoints: Vec::new(),
            snapshot,
            attempts: Vec::new(),
            local_addresses: self.local_addresses.clone(),
            unix_files: self.unix_files().collect(),
        };
        recording.attempts = self.attempts(&recording);
        recording.snapshot.sockets = known;
        let json = recording.to_json().unwrap();
        // The way a file takes: what it says must also be possible.
        Recording::from_json(json.as_bytes())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn is_mac(&self) -> bool {
        match self.system.as_deref() {
            None => false,
            Some("macos") => true,
            Some(other) => panic!("no system {other}"),
        }
    }

    fn first_process(&self) -> ProcessFacts {
        match self.is_mac() {
            false => first_process(),
            true => {
                ProcessFacts { run: "/sbin/launchd".to_owned(), cgroup: None, ..first_process() }
            }
        }
    }

    fn marks(&self) -> BTreeMap<u32, Marks> {
        let marked = self.process.iter().filter(|process| !process.marks.is_empty());
        marked.map(|process| (process.pid, process.marks.clone())).collect()
    }

    /// The directories that are named anywhere, each with the nearest project at or above it.
    fn directories_in_projects(&self) -> BTreeMap<String, String> {
        let named = self
            .process
            .iter()
            .flat_map(|process| process.directory.iter().chain(process.marks.values()).cloned());
        named
            .filter_map(|directory| {
                let is_above = |project: &&String| match path::is_whole(project) {
                    true => path::is_within(&directory, project),
                    false => Path::new(&directory).starts_with(project),
                };
                let project = self.projects.iter().filter(is_above).max_by_key(|it| it.len())?;
                Some((directory.clone(), project.clone()))
            })
            .collect()
    }

    fn unix_files(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        self.unix_files.iter().map(|(path, answer)| match answer.as_str() {
            "refused" => (path.clone(), true),
            "accepted" => (path.clone(), false),
            other => panic!("{path}: a socket file is refused or accepted, not {other}"),
        })
    }

    /// The kernel's answers: by the rules from the true options, then as the file says.
    fn attempts(&self, truth: &Recording) -> Vec<Attempt> {
        let oracle = ReplayHost::new(truth.clone());
        let asked = parse(&self.ask).unwrap();
        let endpoints: Vec<Endpoint> =
            asked.endpoints().into_iter().chain(asked.also_port().map(Endpoint::any)).collect();
        let mut attempts = Vec::new();
        for endpoint in endpoints {
            let mut addresses = ORDINARY_ADDRESSES.to_vec();
            addresses.extend(endpoint.addresses());
            addresses.dedup();
            for &transport in endpoint.transports() {
                for &ip in &addresses {
                    for port in [endpoint.port.get(), 0] {
                        attempts.push(oracle.attempt(transport, SocketAddr::new(ip, port)));
                    }
                }
            }
        }
        for attempt in &mut attempts {
            self.override_answer(attempt);
        }
        attempts
    }

    fn override_answer(&self, attempt: &mut Attempt) {
        let all = attempt.transport.name();
        let one = format!("{all} {}", attempt.address.ip());
        let Some(answer) = self.kernel.get(&one).or_else(|| self.kernel.get(all)) else { return };
        let (plain, reuse) = answer.split_once('/').unwrap_or((answer, answer));
        let (plain, reuse) = (result(plain), result(reuse));
        // A busy port says nothing about port 0.
        if attempt.address.port() != 0
            || matches!(plain, BindResult::Other(_) | BindResult::NotLocal)
        {
            (attempt.plain, attempt.reuse_addr) = (plain, reuse);
        }
    }

    fn sockets(&self) -> Vec<Socket> {
        let mut sockets = Vec::new();
        for facts in &self.socket {
            for nth in 0..facts.times {
                sockets.push(self.one_socket(facts, sockets.len(), nth));
            }
        }
        sockets
    }

    fn one_socket(&self, facts: &SocketFacts, index: usize, nth: u32) -> Socket {
        let (protocol, local) = facts.local();
        let state = match protocol {
            Protocol::Tcp | Protocol::Unix => facts.state.or(Some(TcpState::Listen)),
            _ => None,
        };
        let holders = facts.holders();
        let owner = facts.owner.as_deref().or_else(|| {
            let first = *facts.held_by.first()?;
            Some(self.process.iter().find(|process| process.pid == first)?.user.as_str())
        });
        let owned = holders != Holders::Nobody;
        Socket {
            remote: facts.to.map(|to| {
                SocketAddr::new(to.ip(), to.port() + u16::try_from(nth).expect("few are needed"))
            }),
            inode: owned.then(|| 70_000 + index as u64),
            cookie: Some(index as u64),
            // macOS remembers whose a TIME-WAIT was.
            uid: (owned || self.is_mac()).then(|| owner.map_or(1000, uid_of)),
            cgroup: facts.cgroup.clone(),
            expires_ms: facts.ends_in_ms,
            v6only: Some(facts.v6only),
            reuse_addr: Some(facts.reuse_addr),
            reuse_port: Some(facts.reuse_port),
            mptcp: facts.mptcp,
            netns: facts.namespace,
            holders,
            ..Socket::new(protocol, local, state)
        }
    }

    /// The socket with what this asker can learn about it: options by a descriptor of a process
    /// that is theirs, IPV6_V6ONLY of IPv6 sockets that are not connected.
    fn as_seen(&self, socket: &Socket, asker: &Asker) -> Socket {
        // Its table tells everything of every socket.
        if self.is_mac() {
            return socket.clone();
        }
        if self.windows.is_some() {
            // Its table has no options.
            return Socket { v6only: None, reuse_addr: None, reuse_port: None, ..socket.clone() };
        }
        let mine = |pid: u32| {
            let holder = self.process.iter().find(|process| process.pid == pid);
            asker.uid == 0 || holder.is_some_and(|process| uid_of(&process.user) == asker.uid)
        };
        let readable = socket.holders.pids().into_iter().any(mine);
        let v6 = socket.ip().is_some_and(|ip| ip.is_ipv6());
        let connected = socket.state.is_some_and(TcpState::is_connection);
        Socket {
            v6only: socket.v6only.filter(|_| v6 && !connected),
            reuse_addr: socket.reuse_addr.filter(|_| readable),
            reuse_port: socket.reuse_port.filter(|_| readable),
            ..socket.clone()
        }
    }
}

impl AskerFacts {
    fn asker(&self) -> Asker {
        let root = self.user == "root";
        Asker {
            pid: self.pid,
            uid: uid_of(&self.user),
            user: Some(self.user.clone()),
            may_bind_privileged: self.may_bind_privileged.unwrap_or(root),
            may_destroy: self.may_destroy.unwrap_or(root),
            sees_all: self.sees_all.unwrap_or(root),
            ancestors: self.under.clone(),
        }
    }
}

impl PolicyFacts {
    fn policy(&self, mac: bool) -> Policy {
        let usual = match mac {
            true => Policy { ephemeral: 49152..=65535, ..Policy::default() },
            false => Policy::default(),
        };
        Policy {
            restricted: self.restricted.iter().map(|&port| port..=port).collect(),
            ephemeral: self.ephemeral.map_or(usual.ephemeral, |[first, last]| first..=last),
            unprivileged_start: self.unprivileged_start.unwrap_or(usual.unprivileged_start),
            wsl: self.wsl,
            ..usual
        }
    }
}

impl NamespaceFacts {
    fn namespace(&self) -> Namespace {
        Namespace { inode: self.inode, name: self.name.clone(), pid: self.pid }
    }
}

impl ProcessFacts {
    fn process(&self) -> Process {
        let argv = self
            .argv
            .clone()
            .unwrap_or_else(|| self.run.split_whitespace().map(str::to_owned).collect());
        let first = self.run.split_whitespace().next().unwrap_or_default();
        let file = first.trim_start_matches('-').rsplit('/').next().unwrap_or_default();
        let exe = self.exe.clone().unwrap_or_else(|| match first.starts_with('/') {
            true => first.to_owned(),
            false => format!("/usr/bin/{file}"),
        });
        let name = self.name.clone().unwrap_or_else(|| file.chars().take(15).collect());
        let cgroup = self.cgroup.as_deref();
        Process {
            id: ProcessId { pid: self.pid, start: u64::from(self.pid) },
            ppid: if self.pid == 1 || self.kernel_thread { 0 } else { self.under },
            name,
            exe: Some(exe).filter(|exe| !exe.is_empty()),
            exe_deleted: false,
            argv,
            cwd: self.directory.clone(),
            uid: Some(uid_of(&self.user)),
            user: Some(self.user.clone()),
            state: self.state.unwrap_or(ProcessState::Sleeping),
            started_at: Some(now() - duration(&self.age)),
            group: Some(self.pid),
            session: self.session.or(Some(self.pid)),
            terminal: self.terminal.clone(),
            threads: Some(1),
            kernel_thread: self.kernel_thread,
            cgroup: self.cgroup.clone(),
            unit: self.job.clone().or_else(|| cgroup.and_then(unit_of).map(|(unit, _)| unit)),
            container: cgroup.and_then(container_of),
            cpu_ms: None,
            memory: None,
        }
    }
}

fn first_process() -> ProcessFacts {
    ProcessFacts {
        pid: 1,
        run: "/usr/lib/systemd/systemd --system".to_owned(),
        argv: None,
        name: None,
        exe: None,
        directory: Some("/".to_owned()),
        age: "9 d".to_owned(),
        under: 0,
        user: "root".to_owned(),
        state: None,
        terminal: None,
        cgroup: Some("/init.scope".to_owned()),
        job: None,
        kernel_thread: false,
        marks: Marks::new(),
        session: None,
    }
}

impl SocketFacts {
    fn local(&self) -> (Protocol, LocalAddress) {
        match (self.tcp, self.udp, &self.unix) {
            (Some(address), None, None) => (Protocol::Tcp, LocalAddress::Inet(address)),
            (None, Some(address), None) => (Protocol::Udp, LocalAddress::Inet(address)),
            (None, None, Some(name)) => (
                Protocol::Unix,
                match name.strip_prefix('@') {
                    Some(name) => LocalAddress::Abstract(name.to_owned()),
                    None => LocalAddress::Path(name.clone()),
                },
            ),
            _ => panic!("a socket has one of tcp, udp, unix"),
        }
    }

    fn holders(&self) -> Holders {
        match (self.holder.as_deref(), self.held_by.is_empty()) {
            (None, true) => Holders::Nobody,
            (None, false) => Holders::Processes {
                holders: self
                    .held_by
                    .iter()
                    .map(|&pid| Holder { pid, by: self.by.unwrap_or(HeldBy::Descriptor(3)) })
                    .collect(),
            },
            (Some("hidden"), true) => Holders::Hidden,
            (Some("kernel"), true) => Holders::Kernel,
            (Some(other), _) => panic!("holder is hidden or kernel, without held_by; not {other}"),
        }
    }
}

fn uid_of(user: &str) -> u32 {
    match user {
        "root" => 0,
        "me" => 1000,
        "www-data" => 33,
        "postgres" => 70,
        "you" => 1001,
        number => number.parse().unwrap_or_else(|_| panic!("no user {number}")),
    }
}

/// The opposite of `explain::span`.
fn duration(text: &str) -> Duration {
    let words: Vec<&str> = text.split(' ').collect();
    let seconds = words.chunks(2).map(|pair| match pair {
        [number, unit] => {
            let number: u64 = number.parse().unwrap();
            number
                * match *unit {
                    "s" => 1,
                    "min" => 60,
                    "h" => 3600,
                    "d" => 86_400,
                    other => panic!("no such unit: {other}"),
                }
        }
        _ => panic!("no time span: {text}"),
    });
    Duration::from_secs(seconds.sum())
}

fn result(name: &str) -> BindResult {
    match name {
        "ok" => BindResult::Ok,
        "EADDRINUSE" => BindResult::InUse,
        "EACCES" => BindResult::Denied,
        "EADDRNOTAVAIL" => BindResult::NotLocal,
        "EAFNOSUPPORT" => BindResult::Other(97),
        "EINVAL" => BindResult::Other(22),
        other => panic!("no such answer: {other}"),
    }
}
