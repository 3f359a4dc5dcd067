//! A machine in a file: what `proc record` writes and `--replay` reads. A recording is taken with
//! one wide look and one round of probes; [`ReplayHost`] then answers as that machine would have
//! at that moment, and changes nothing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::addr::{Endpoint, ORDINARY_ADDRESSES, Transport};
use crate::bind::{Attempt, BindRequest, BindResult, Occupant, Rules};
use crate::engine::{EngineAnswer, EngineWish};
use crate::file_use::{FileWish, FilesSeen, joined, recorded_uses};
use crate::host::{Host, Pinned, Watch, Woken, WorkTrees};
use crate::learn::{self, Learn, learn};
use crate::look::LookOptions;
use crate::mask::mask_argv;
use crate::process::Process;
use crate::redirect::RedirectAnswer;
use crate::sight::look_at_ports;
use crate::snapshot::{Gap, Scope, Snapshot, SocketScope, States, Sweep};
use crate::socket::{Holders, LocalAddress, Protocol, Socket, TcpState};
use crate::unit::{UnitAnswer, UnitWish};
use crate::windows::{WindowsFacts, WindowsWish};

/// The version of the file. It changes when an older program could no longer read a file rightly.
pub const RECORDING: u32 = 1;

/// A recording keeps at most this many sockets, unless more than that listen: some 10 MB of JSON.
pub const MOST_SOCKETS: usize = 20_000;

/// A file larger than this is not read: no recording is.
pub const MOST_BYTES: usize = 256 << 20;

/// One machine at one moment. Secrets in arguments are masked before they get here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// [`RECORDING`]. Named so that no other document is mistaken for one.
    pub recording: u32,
    /// The version of the program that took it.
    pub version: String,
    /// When.
    pub taken_at: SystemTime,
    /// The ports it was taken for; empty for the whole machine.
    pub endpoints: Vec<Endpoint>,
    /// What was seen.
    pub snapshot: Snapshot,
    /// What the kernel said to the probes. Binds of port 0 are among them: they tell which
    /// addresses can be bound at all.
    pub attempts: Vec<Attempt>,
    /// The addresses of the machine.
    pub local_addresses: Vec<IpAddr>,
    /// Socket files asked for, and whether a connection to them was refused.
    pub unix_files: BTreeMap<String, bool>,
}

/// Why a file is not a recording that can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It is larger than [`MOST_BYTES`].
    #[error("the file is too large for a recording ({bytes} bytes, the most is {MOST_BYTES})")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It ends too early, as an interrupted download or a full disk leaves it.
    #[error("the recording is cut off: the file ends at line {line}, column {column}")]
    Truncated {
        /// Where it ends, from 1.
        line: usize,
        /// Where it ends, from 1.
        column: usize,
    },
    /// It is not JSON.
    #[error("not a recording: the file is not JSON ({0})")]
    NotJson(#[source] serde_json::Error),
    /// It is JSON of another kind, perhaps the answer of another command.
    #[error("not a recording: the JSON has no field \"recording\"; proc record writes one")]
    AnotherDocument,
    /// It is of a version that this program does not read.
    #[error("the recording has version {found}, and this program reads version {RECORDING}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A field is missing, or has a value that it cannot have.
    #[error("the recording is damaged: {0}")]
    Damaged(#[source] serde_json::Error),
    /// The parts do not fit each other.
    #[error("the recording contradicts itself: {0}")]
    Contradiction(String),
}

impl Recording {
    /// Records everything about these ports, or where none are given everything about all ports
    /// and processes. Each port is probed once, the way looking at it does.
    pub fn take(host: &dyn Host, endpoints: &[Endpoint]) -> Self {
        let tap = Tap { host, scope: wide_scope(endpoints), attempts: RefCell::default() };
        let mut snapshot = match endpoints {
            [] => {
                let mut snapshot = host.snapshot(&tap.scope);
                let holders = learn::holders(&snapshot);
                let options =
                    LookOptions { learn: Learn::Holders, mine: true, ..LookOptions::default() };
                learn(host, &mut snapshot, &holders, &[], &options);
                snapshot
            }
            _ => tap.look(endpoints),
        };
        if endpoints.is_empty() {
            add(&mut snapshot, unix_sockets(host, SocketScope::AllUnix));
        }
        let mut recording = Self {
            recording: RECORDING,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at: snapshot.taken_at,
            endpoints: endpoints.to_vec(),
            snapshot,
            attempts: tap.attempts.into_inner(),
            local_addresses: host.local_addresses(),
            unix_files: BTreeMap::new(),
        };
        recording.mask();
        recording.limit(MOST_SOCKETS);
        recording
    }

    /// Adds the unix sockets of these names (a path, or `@name`) and their holders.
    #[must_use]
    pub fn with_unix(mut self, host: &dyn Host, names: &[String]) -> Self {
        add(&mut self.snapshot, unix_sockets(host, SocketScope::Unix(names.to_vec())));
        for name in names.iter().filter(|name| !name.starts_with('@')) {
            if let Some(refuses) = host.unix_refuses(name) {
                self.unix_files.insert(name.clone(), refuses);
            }
        }
        self.mask();
        self
    }

    /// Reads a recording back, and makes sure that nothing in it can lead a reader astray.
    pub fn from_json(json: &[u8]) -> Result<Self, RecordingError> {
        #[derive(Deserialize)]
        struct Header {
            recording: Option<u32>,
        }
        if json.len() > MOST_BYTES {
            return Err(RecordingError::TooLarge { bytes: json.len() });
        }
        // A list could pass for a struct: serde takes fields in order, too.
        if json.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
            serde_json::from_slice::<IgnoredAny>(json).map_err(unreadable)?;
            return Err(RecordingError::AnotherDocument);
        }
        let header: Header =
            serde_json::from_slice(json).map_err(|error| match error.is_data() {
                true => RecordingError::AnotherDocument,
                false => unreadable(error),
            })?;
        match header.recording {
            None => return Err(RecordingError::AnotherDocument),
            Some(RECORDING) => {}
            Some(found) => return Err(RecordingError::Version { found }),
        }
        let recording: Self = serde_json::from_slice(json).map_err(RecordingError::Damaged)?;
        recording.check()?;
        Ok(recording)
    }

    /// The file's text.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    fn mask(&mut self) {
        for process in self.snapshot.processes.values_mut() {
            process.argv = mask_argv(&process.argv);
        }
    }

    /// Leaves out what a very large table has least need of: first the connections of other
    /// ports, then, among those of the ports asked for, all beyond the limit.
    fn limit(&mut self, most: usize) {
        let sockets = &mut self.snapshot.sockets;
        if sockets.len() <= most {
            return;
        }
        let ports: BTreeSet<u16> = self.endpoints.iter().map(|e| e.port.get()).collect();
        let holds = |socket: &Socket| socket.is_server() || socket.state == Some(TcpState::Bound);
        let asked = |socket: &Socket| socket.port().is_some_and(|port| ports.contains(&port));
        let servers = sockets.iter().filter(|socket| holds(socket)).count();
        let mut room = most.saturating_sub(servers);
        sockets.retain(|socket| {
            let keep = holds(socket) || (asked(socket) && room > 0);
            room -= usize::from(keep && !holds(socket));
            keep
        });
        let kept = sockets.len();
        self.snapshot.note(Gap::Truncated { kept });
    }

    fn check(&self) -> Result<(), RecordingError> {
        let wrong = |what: String| Err(RecordingError::Contradiction(what));
        let known = self.snapshot.namespaces.len();
        for (index, socket) in self.snapshot.sockets.iter().enumerate() {
            if socket.netns.is_some_and(|netns| netns >= known) {
                return wrong(format!(
                    "socket {index} is in a network namespace that is not there"
                ));
            }
            if matches!(&socket.holders, Holders::Processes { holders } if holders.is_empty()) {
                return wrong(format!("socket {index} is held by processes, but by none"));
            }
        }
        for (pid, process) in &self.snapshot.processes {
            if *pid != process.id.pid {
                return wrong(format!("process {pid} says that it is {}", process.id.pid));
            }
        }
        Ok(())
    }
}

fn unix_sockets(host: &dyn Host, sockets: SocketScope) -> Snapshot {
    host.snapshot(&Scope { sockets, holders: true, ..Scope::default() })
}

/// Adds the unix sockets of a further look that are not known yet.
fn add(snapshot: &mut Snapshot, seen: Snapshot) {
    let unix = snapshot.sockets.iter().filter(|socket| socket.protocol == Protocol::Unix);
    let known: BTreeSet<Option<u64>> = unix.map(|socket| socket.inode).collect();
    let new = seen.sockets.into_iter().filter(|socket| !known.contains(&socket.inode));
    snapshot.sockets.extend(new);
    for (pid, process) in seen.processes {
        snapshot.processes.entry(pid).or_insert(process);
    }
    seen.gaps.into_iter().for_each(|gap| snapshot.note(gap));
}

fn unreadable(error: serde_json::Error) -> RecordingError {
    match error.is_eof() {
        true => RecordingError::Truncated { line: error.line(), column: error.column() },
        false => RecordingError::NotJson(error),
    }
}

/// Everything that any later question about these ports, or about the machine, can need.
fn wide_scope(endpoints: &[Endpoint]) -> Scope {
    let whole = endpoints.is_empty();
    Scope {
        sockets: match whole {
            true => SocketScope::AllPorts,
            false => SocketScope::Ports(endpoints.to_vec()),
        },
        holders: true,
        states: States::All,
        namespaces: Sweep::All,
        elsewhere_only: false,
        options: true,
        pids: Vec::new(),
        all_processes: whole,
        ..Scope::default()
    }
}

/// A live machine that keeps what it answers to probes, and looks widely whatever it is asked.
struct Tap<'a> {
    host: &'a dyn Host,
    scope: Scope,
    attempts: RefCell<Vec<Attempt>>,
}

impl Tap<'_> {
    /// Looks the way `proc on` does, so that exactly its probes are made, in its order.
    fn look(&self, endpoints: &[Endpoint]) -> Snapshot {
        let options =
            LookOptions { learn: Learn::Everything, mine: true, ..LookOptions::default() };
        let sights = look_at_ports(self, endpoints, &options);
        let mut snapshot = sights
            .first()
            .map_or_else(|| self.host.snapshot(&self.scope), |sight| (*sight.snapshot).clone());
        // Filled in for one answer only; the recording has them all in their own field.
        snapshot.local_addresses.clear();
        snapshot
    }
}

impl Host for Tap<'_> {
    fn rules(&self) -> Rules {
        self.host.rules()
    }

    fn snapshot(&self, _scope: &Scope) -> Snapshot {
        self.host.snapshot(&self.scope)
    }

    fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt {
        let attempt = self.host.attempt(transport, address);
        self.attempts.borrow_mut().push(attempt);
        attempt
    }

    fn now(&self) -> Duration {
        self.host.now()
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        self.host.local_addresses()
    }

    fn containers(&self, wish: &EngineWish, limit: Duration) -> EngineAnswer {
        self.host.containers(wish, limit)
    }

    fn units(&self, wish: &UnitWish, limit: Duration) -> UnitAnswer {
        self.host.units(wish, limit)
    }

    fn managers(
        &self,
        engines: &EngineWish,
        units: &UnitWish,
        limit: Duration,
    ) -> (EngineAnswer, UnitAnswer) {
        self.host.managers(engines, units, limit)
    }

    fn windows(&self, wish: &WindowsWish, limit: Duration) -> WindowsFacts {
        self.host.windows(wish, limit)
    }

    fn redirects(&self, ports: &[u16]) -> RedirectAnswer {
        self.host.redirects(ports)
    }

    fn environment(&self, pid: u32) -> Option<Vec<u8>> {
        self.host.environment(pid)
    }

    fn work_trees(&self, directories: &[String], limit: Duration) -> WorkTrees {
        self.host.work_trees(directories, limit)
    }

    fn children(&self, pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
        self.host.children(pids)
    }

    fn script(&self, shell: &Process, limit: Duration) -> Option<String> {
        self.host.script(shell, limit)
    }

    fn unix_refuses(&self, path: &str) -> Option<bool> {
        self.host.unix_refuses(path)
    }

    fn wait(&self, _processes: &[&Pinned], _watch: &mut Watch, _timeout: Duration) -> Woken {
        Woken::Timeout
    }
}

/// A recorded machine. It answers every look from the recording and refuses every act.
#[derive(Clone, Debug)]
pub struct ReplayHost {
    recording: Recording,
    /// Time passes only by waiting, so that whoever waits for a deadline meets it.
    waited: Cell<Duration>,
}

impl ReplayHost {
    /// That machine, at that moment, for good.
    pub const fn new(recording: Recording) -> Self {
        Self { recording, waited: Cell::new(Duration::ZERO) }
    }

    /// What it replays.
    pub const fn recording(&self) -> &Recording {
        &self.recording
    }

    fn recorded(&self, transport: Transport, address: SocketAddr) -> Option<Attempt> {
        let same =
            |attempt: &&Attempt| attempt.transport == transport && attempt.address == address;
        self.recording.attempts.iter().find(same).copied()
    }

    /// The kernel's answer by the measured rules, from everything recorded on that port.
    fn predicted(&self, transport: Transport, address: SocketAddr) -> Attempt {
        let recording = &self.recording;
        let snapshot = &recording.snapshot;
        let rules = Rules::of(snapshot.source);
        let occupants: Vec<Occupant> =
            snapshot.sockets.iter().filter_map(Occupant::from_socket).collect();
        let bind = |reuse_addr| {
            let plain = BindRequest::plain(transport, address, snapshot.asker.uid);
            let request = BindRequest { reuse_addr, ..plain };
            let may = snapshot.asker.may_bind_privileged;
            // Where an option that nobody saw decides, the port is not promised.
            match rules.predict(&request, &occupants, &snapshot.policy, may).result {
                Some(BindResult::Ok) if !self.is_local(address.ip()) => BindResult::NotLocal,
                Some(result) => result,
                None => BindResult::InUse,
            }
        };
        Attempt { transport, address, plain: bind(false), reuse_addr: bind(true) }
    }

    fn is_local(&self, address: IpAddr) -> bool {
        let known = &self.recording.local_addresses;
        known.is_empty()
            || address.is_unspecified()
            || address.is_loopback()
            || known.contains(&address)
    }

    fn sockets_in(&self, scope: &Scope) -> Vec<Socket> {
        let recorded = self.recording.snapshot.sockets.iter();
        let transports: BTreeSet<Transport> = match &scope.sockets {
            SocketScope::Ports(endpoints) => {
                endpoints.iter().flat_map(Endpoint::transports).copied().collect()
            }
            _ => Transport::ALL.into(),
        };
        let wanted = |socket: &Socket| match &scope.sockets {
            _ if scope.elsewhere_only && socket.netns.is_none() => false,
            SocketScope::None => false,
            SocketScope::AllPorts => socket.protocol != Protocol::Unix,
            SocketScope::Ports(endpoints) => {
                socket.protocol.transport().is_some_and(|own| transports.contains(&own))
                    && endpoints.iter().any(|e| socket.port() == Some(e.port.get()))
            }
            SocketScope::Unix(names) => names_it(names, socket),
            SocketScope::AllUnix => socket.protocol == Protocol::Unix,
            SocketScope::HeldBy(pids) => {
                socket.netns.is_none()
                    && socket.holders.list().iter().any(|holder| pids.contains(&holder.pid))
            }
        };
        let bound = scope.states == States::BoundIfCheap;
        let by_state = |socket: &Socket| {
            every_state(scope)
                || socket.protocol != Protocol::Tcp
                || socket.state == Some(TcpState::Listen)
                || (bound && socket.state == Some(TcpState::Bound))
        };
        let swept = |socket: &Socket| scope.namespaces != Sweep::None || socket.netns.is_none();
        let mut sockets: Vec<Socket> = recorded
            .filter(|socket| wanted(socket) && by_state(socket) && swept(socket))
            .cloned()
            .collect();
        if !scope.holders {
            sockets.iter_mut().for_each(|socket| socket.holders = Holders::NotLooked);
        }
        sockets
    }

    fn processes_in(&self, scope: &Scope, seen: &Snapshot) -> BTreeMap<u32, Process> {
        let recorded = &self.recording.snapshot.processes;
        if scope.all_processes {
            return recorded.clone();
        }
        let holders =
            seen.sockets.iter().flat_map(|socket| socket.holders.list()).map(|holder| holder.pid);
        let inside = seen.namespaces.iter().filter_map(|namespace| namespace.pid);
        let mut wanted: Vec<u32> =
            holders.chain(scope.pids.iter().copied()).chain(inside).collect();
        if !wanted.is_empty() {
            wanted.push(seen.asker.pid);
        }
        let mut processes = BTreeMap::new();
        for pid in wanted {
            let mut next = pid;
            while let (Some(process), false) = (recorded.get(&next), processes.contains_key(&next))
            {
                processes.insert(next, process.clone());
                next = process.ppid;
            }
        }
        processes
    }
}

/// Whether a scope gets sockets of every state. Reading them costs nothing here, so those wanted
/// where they are cheap are always had.
fn every_state(scope: &Scope) -> bool {
    match scope.sockets {
        SocketScope::Unix(_) | SocketScope::AllUnix | SocketScope::HeldBy(_) => true,
        SocketScope::None | SocketScope::Ports(_) | SocketScope::AllPorts => {
            matches!(scope.states, States::All | States::AllIfCheap)
        }
    }
}

fn names_it(names: &[String], socket: &Socket) -> bool {
    names.iter().any(|name| match (&socket.local, name.strip_prefix('@')) {
        (LocalAddress::Abstract(own), Some(wanted)) => own == wanted,
        (LocalAddress::Path(own), None) => own == name,
        _ => false,
    })
}

/// The gaps that a look of that scope would have met itself: who needs no holders misses none.
fn gaps_in(gaps: &[Gap], scope: &Scope, seen: &Snapshot) -> Vec<Gap> {
    let walked = scope.holders && seen.sockets.iter().any(|socket| socket.inode.is_some());
    let swept = scope.namespaces == Sweep::All;
    let met = |gap: &&Gap| match gap {
        Gap::UnreadableProcesses { .. } | Gap::HiddenProcesses | Gap::TooFewDescriptors => walked,
        Gap::OtherNamespaces { .. } => swept,
        Gap::NoBoundSockets => seen.every_state,
        Gap::NoProcfs
        | Gap::NoSockDiag { .. }
        | Gap::NoSockets { .. }
        | Gap::UnstableTable
        | Gap::Truncated { .. }
        | Gap::Manager { .. }
        | Gap::LateDirectory { .. }
        | Gap::NoRules { .. }
        | Gap::ManyRules { .. } => true,
    };
    gaps.iter().filter(met).cloned().collect()
}

/// The listeners that may be at the other ends of these connections.
fn peers_of(sockets: &[Socket], listeners: &[SocketAddr]) -> Vec<SocketAddr> {
    let remote: BTreeSet<u16> = sockets
        .iter()
        .filter(|socket| socket.state.is_some_and(TcpState::is_connection))
        .filter_map(|socket| Some(socket.remote?.port()))
        .collect();
    listeners.iter().filter(|listener| remote.contains(&listener.port())).copied().collect()
}

impl Host for ReplayHost {
    fn now(&self) -> Duration {
        self.waited.get()
    }

    fn rules(&self) -> Rules {
        Rules::of(self.recording.snapshot.source)
    }

    fn snapshot(&self, scope: &Scope) -> Snapshot {
        let recorded = &self.recording.snapshot;
        let mut seen = Snapshot {
            asker: recorded.asker.clone(),
            policy: recorded.policy.clone(),
            sockets: self.sockets_in(scope),
            every_state: every_state(scope),
            source: recorded.source,
            // What a script said is kept, its text is not.
            loops: recorded.loops.clone(),
            // What is told of sockets comes with them; the rest is asked for.
            windows: WindowsFacts {
                owners: recorded.windows.owners.clone(),
                gone: recorded.windows.gone.clone(),
                ..WindowsFacts::default()
            },
            ..Snapshot::empty(recorded.taken_at)
        };
        // Numbers of namespaces are places in the list, so the list stays whole where any is used.
        if seen.sockets.iter().any(|socket| socket.netns.is_some()) {
            seen.namespaces = recorded.namespaces.clone();
        }
        seen.processes = self.processes_in(scope, &seen);
        seen.peer_listeners = peers_of(&seen.sockets, &recorded.peer_listeners);
        seen.gaps = gaps_in(&recorded.gaps, scope, &seen);
        seen
    }

    /// The recorded answer, or else the one the rules give.
    fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt {
        self.recorded(transport, address).unwrap_or_else(|| self.predicted(transport, address))
    }

    /// Not predicted is what the kernel said, or what follows from its leave to bind the
    /// dual-stack wildcard.
    fn predicts(&self, attempt: &Attempt) -> bool {
        let wildcard = SocketAddr::new(ORDINARY_ADDRESSES[2], attempt.address.port());
        let follows = self
            .recorded(attempt.transport, wildcard)
            .is_some_and(|recorded| recorded.plain == BindResult::Ok);
        !follows && self.recorded(attempt.transport, attempt.address).is_none()
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        self.recording.local_addresses.clone()
    }

    /// All that was recorded: a reader takes what concerns it. Gaps come with the snapshot.
    fn containers(&self, _wish: &EngineWish, _limit: Duration) -> EngineAnswer {
        let containers = self.recording.snapshot.containers.clone();
        EngineAnswer { containers, gaps: Vec::new() }
    }

    fn units(&self, _wish: &UnitWish, _limit: Duration) -> UnitAnswer {
        UnitAnswer { units: self.recording.snapshot.units.clone(), gaps: Vec::new() }
    }

    fn windows(&self, _wish: &WindowsWish, _limit: Duration) -> WindowsFacts {
        self.recording.snapshot.windows.clone()
    }

    fn redirects(&self, ports: &[u16]) -> RedirectAnswer {
        let recorded = self.recording.snapshot.redirects.iter();
        let wanted = recorded.filter(|rule| ports.iter().any(|port| rule.ports.contains(port)));
        RedirectAnswer { redirects: wanted.cloned().collect(), gaps: Vec::new() }
    }

    fn file_uses(&self, wish: &FileWish) -> Option<FilesSeen> {
        let processes: Vec<&Process> = self.recording.snapshot.processes.values().collect();
        let seen = |path: &String| recorded_uses(&joined("/", path), wish.below, &processes);
        let files = wish.paths.iter().map(seen).collect();
        Some(FilesSeen { files, by_path_only: true, ..FilesSeen::default() })
    }

    fn environment(&self, pid: u32) -> Option<Vec<u8>> {
        let marks = self.recording.snapshot.marks.get(&pid)?;
        let entries = marks.iter().map(|(name, value)| format!("{name}={value}\0"));
        Some(entries.collect::<String>().into_bytes())
    }

    fn work_trees(&self, directories: &[String], _limit: Duration) -> WorkTrees {
        let recorded = self.recording.snapshot.projects.iter();
        let wanted = recorded.filter(|(directory, _)| directories.contains(directory));
        let found = wanted.map(|(directory, tree)| (directory.clone(), tree.clone())).collect();
        WorkTrees { found, late: None }
    }

    fn children(&self, pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
        let of = |&pid: &u32| {
            let children = self.recording.snapshot.children(pid)?;
            Some((pid, children.into_iter().cloned().collect()))
        };
        pids.iter().filter_map(of).collect()
    }

    fn unix_refuses(&self, path: &str) -> Option<bool> {
        self.recording.unix_files.get(path).copied()
    }

    fn wait(&self, _processes: &[&Pinned], _watch: &mut Watch, timeout: Duration) -> Woken {
        self.waited.set(self.waited.get().saturating_add(timeout));
        Woken::Timeout
    }
}
