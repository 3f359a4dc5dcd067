//! Why a bind fails, or would not: a pure function of what was asked, what the kernel said to a
//! probe, and what was seen. Small rules, one a cause. The sentences are in [`crate::explain`].

use serde::{Deserialize, Serialize};

use crate::addr::{AddressScope, Endpoint, Port, unmap};
use crate::bind::{
    Attempt, BindRequest, BindResult, Conflict, Occupant, Rules, covers, overlaps, xnu,
};
use crate::engine::{ContainerFacts, boxed, carries_ports, facts_of, is_engine, runs};
use crate::redirect;
use crate::snapshot::{Gap, Snapshot};
use crate::socket::{HeldBy, Holders, Protocol, Socket, TcpState};
use crate::supervisor::{activation, container_proxy};
use crate::windows;

/// What the kernel would say to a server that wants the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every ordinary bind would succeed: the kernel said so.
    Free,
    /// An ordinary bind fails, and only remains that nobody owns are why.
    Lingering,
    /// This user may not bind it at all.
    Denied,
    /// An ordinary bind fails, and live sockets are why.
    Held,
}

/// One reason that a port is, or looks, taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// A process listens.
    Listener,
    /// Several sockets share the address by SO_REUSEPORT; requests are split.
    SharedListener,
    /// The holders did not open the listener: it came with fork or exec.
    InheritedListener,
    /// Bound, and neither listening nor connected.
    BoundNotListening,
    /// The listener is gone, a connection it accepted keeps the port.
    AcceptedConnection,
    /// Somebody's client drew this port for a connection of its own.
    OutgoingConnection,
    /// Closed connections in TIME-WAIT.
    TimeWait,
    /// Connections that the kernel is still ending; nobody owns them.
    Closing,
    /// A UDP socket.
    UdpSocket,
    /// A unix socket somebody serves.
    UnixSocket,
    /// A unix socket's file that nobody serves any more.
    StaleUnixSocket,
    /// The descriptor sits in a unix socket's queue.
    InFlight,
    /// Seen, owner not visible to this user.
    HiddenHolder,
    /// Held in another network namespace: not a conflict of this one.
    OtherNamespace,
    /// A rule of the packet filter sends it elsewhere; a bind succeeds all the same.
    Redirected,
    /// A container publishes or holds it.
    Container,
    /// systemd (or launchd) holds it for a service that it starts on demand.
    SocketActivation,
    /// The kernel itself.
    Kernel,
    /// Below the privileged floor, without the right to bind there.
    Privileged,
    /// In a range the system keeps for itself.
    Reserved,
    /// The address is not one of this machine.
    NotLocal,
    /// The ephemeral range is exhausted.
    NoPortsLeft,
    /// The kernel refuses and nothing visible explains it.
    Unexplained,
}

impl CauseKind {
    /// Whether it keeps nobody from binding the port: it only explains what goes on there.
    pub const fn hinders_no_bind(self) -> bool {
        matches!(self, Self::OtherNamespace | Self::Redirected)
    }

    /// Whether the cause is sockets that live processes (seen or not) or the kernel hold.
    pub const fn is_live(self) -> bool {
        !matches!(
            self,
            Self::TimeWait
                | Self::Closing
                | Self::StaleUnixSocket
                | Self::OtherNamespace
                | Self::Redirected
                | Self::Privileged
                | Self::Reserved
                | Self::NotLocal
                | Self::NoPortsLeft
        )
    }
}

/// A reason with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Which.
    pub kind: CauseKind,
    /// Whether the evidence proves it.
    pub certain: bool,
    /// Indices into [`crate::snapshot::Snapshot::sockets`].
    pub sockets: Vec<usize>,
    /// The processes concerned, topmost first.
    pub pids: Vec<u32>,
    /// Milliseconds until it passes by itself.
    pub expires_ms: Option<u32>,
}

/// What is so about one endpoint, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was asked.
    pub endpoint: Endpoint,
    /// The short answer.
    pub verdict: Verdict,
    /// The kernel's answers.
    pub bind: Vec<Attempt>,
    /// The reasons, most important first.
    pub causes: Vec<Cause>,
    /// All sockets that the answer is about, as indices into the snapshot.
    pub sockets: Vec<usize>,
    /// Open connections to the listeners among them.
    pub clients: usize,
}

/// Explains what the kernel said about an endpoint by what was seen.
pub fn diagnose(endpoint: &Endpoint, attempts: &[Attempt], snapshot: &Snapshot) -> Diagnosis {
    let scene = Scene::new(endpoint, attempts, snapshot);
    let mut causes = Vec::new();
    causes.extend(scene.servers());
    causes.extend(scene.connections());
    causes.extend(scene.remains());
    causes.extend(scene.permission());
    causes.extend(scene.reserved());
    causes.extend(scene.not_local());
    causes.extend(scene.unexplained());
    causes.extend(scene.redirected());
    causes.extend(scene.other_namespaces());
    causes.retain(|cause| !scene.is_harmless(cause));
    causes.sort_by_key(|cause| rank(cause.kind));
    let mut sockets: Vec<usize> =
        causes.iter().flat_map(|cause| cause.sockets.iter().copied()).collect();
    sockets.sort_unstable();
    sockets.dedup();
    Diagnosis {
        endpoint: *endpoint,
        verdict: scene.verdict(),
        bind: attempts.to_vec(),
        clients: scene.clients().count(),
        causes,
        sockets,
    }
}

/// Whether the kernel refuses a bind here that nothing in the snapshot explains, so that sockets
/// of every state should be asked for.
pub fn is_unexplained(endpoint: &Endpoint, attempts: &[Attempt], snapshot: &Snapshot) -> bool {
    Scene::new(endpoint, attempts, snapshot).unexplained().is_some()
}

/// Most important first: who to talk to, then what passes by itself, then what is no socket.
const fn rank(kind: CauseKind) -> u8 {
    match kind {
        CauseKind::Container | CauseKind::SocketActivation => 0,
        CauseKind::Listener
        | CauseKind::SharedListener
        | CauseKind::InheritedListener
        | CauseKind::UnixSocket => 1,
        CauseKind::InFlight | CauseKind::Kernel | CauseKind::HiddenHolder => 2,
        CauseKind::BoundNotListening => 3,
        CauseKind::AcceptedConnection | CauseKind::OutgoingConnection => 4,
        CauseKind::UdpSocket => 5,
        CauseKind::Closing | CauseKind::TimeWait | CauseKind::StaleUnixSocket => 6,
        CauseKind::Privileged
        | CauseKind::Reserved
        | CauseKind::NotLocal
        | CauseKind::NoPortsLeft => 7,
        CauseKind::Unexplained => 8,
        CauseKind::Redirected | CauseKind::OtherNamespace => 9,
    }
}

/// One endpoint with everything known about it.
struct Scene<'a> {
    endpoint: &'a Endpoint,
    attempts: &'a [Attempt],
    snapshot: &'a Snapshot,
    /// The asker's own sockets on the endpoint, by place in the snapshot.
    own: Vec<(usize, Occupant)>,
    /// Those of the kernel that answered.
    rules: Rules,
}

impl<'a> Scene<'a> {
    fn new(endpoint: &'a Endpoint, attempts: &'a [Attempt], snapshot: &'a Snapshot) -> Self {
        // The port alone tells of nearly all of thousands.
        let there = |socket: &Socket| socket.port() == Some(endpoint.port.get());
        let mut own: Vec<(usize, Occupant)> = snapshot
            .sockets
            .iter()
            .enumerate()
            .filter(|(_, socket)| there(socket))
            .filter_map(|(index, socket)| Some((index, Occupant::from_socket(socket)?)))
            .filter(|(_, occupant)| touches(endpoint, occupant))
            .collect();
        let occupants: Vec<Occupant> = own.iter().map(|(_, occupant)| *occupant).collect();
        let rules = Rules::of(snapshot.source);
        let learned = rules.infer_options(attempts, &occupants, false);
        for ((_, occupant), learned) in own.iter_mut().zip(learned) {
            *occupant = occupant.learn(learned);
        }
        Self { endpoint, attempts, snapshot, own, rules }
    }

    fn socket(&self, index: usize) -> &'a Socket {
        &self.snapshot.sockets[index]
    }

    fn verdict(&self) -> Verdict {
        let refused = |wanted| self.attempts.iter().any(|attempt| attempt.plain == wanted);
        if refused(BindResult::InUse) {
            let remains_only = self.remains().next().is_some()
                && self.unexplained().is_none()
                && self.reserved().is_none()
                && !self.blocked_by(|socket| !is_remains(socket));
            if self.reserved().is_some() && !self.blocked_by(|_| true) {
                return Verdict::Denied;
            }
            return if remains_only { Verdict::Lingering } else { Verdict::Held };
        }
        if self.attempts.iter().any(|attempt| self.forbids(attempt)) {
            // The refusal of permission comes first, whether or not the port is taken as well.
            return match self.blocked_by(|socket| !is_remains(socket)) {
                true => Verdict::Held,
                false => Verdict::Denied,
            };
        }
        Verdict::Free
    }

    /// Whether that answer keeps this user from the port, whoever has it. An address that the
    /// machine lacks, such as `::1` where IPv6 is switched off, counts only if it was asked for.
    fn forbids(&self, attempt: &Attempt) -> bool {
        match attempt.plain {
            BindResult::Ok | BindResult::InUse => false,
            BindResult::Denied => !self.wildcard_is_open(attempt),
            BindResult::NotLocal | BindResult::Other(_) => {
                matches!(self.endpoint.address, AddressScope::One(..))
            }
        }
    }

    /// Whether every address was asked about and the dual-stack wildcard may be bound all the same:
    /// on macOS a low port needs root on specific addresses alone.
    fn wildcard_is_open(&self, attempt: &Attempt) -> bool {
        !self.rules.rights_are_alike()
            && matches!(self.endpoint.address, AddressScope::Every)
            && self.attempts.iter().any(|other| {
                let unspecified = other.address.ip().is_unspecified();
                unspecified
                    && other.address.is_ipv6()
                    && other.transport == attempt.transport
                    && other.plain == BindResult::Ok
            })
    }

    /// Whether a socket of that sort may stop a plain bind that was refused.
    fn blocked_by(&self, sort: impl Fn(&Socket) -> bool) -> bool {
        self.refused().any(|request| {
            self.own.iter().any(|(index, occupant)| {
                sort(self.socket(*index)) && self.rules.conflict(&request, occupant) != Conflict::No
            })
        })
    }

    /// The plain binds that the kernel refused for any reason a socket could be.
    fn refused(&self) -> impl Iterator<Item = BindRequest> + '_ {
        self.attempts
            .iter()
            .filter(|attempt| matches!(attempt.plain, BindResult::InUse | BindResult::Denied))
            .map(|attempt| plain(attempt, self.snapshot.asker.uid))
    }

    /// Listeners, bound sockets and UDP sockets, one cause for each set of holders.
    fn servers(&self) -> Vec<Cause> {
        let servers: Vec<usize> = self
            .own
            .iter()
            .map(|(index, _)| *index)
            .filter(|&index| !is_connection(self.socket(index)))
            .collect();
        let mut groups: Vec<(CauseKind, bool, Vec<usize>)> = Vec::new();
        for &index in &servers {
            let (kind, certain) = self.server_kind(index, &servers);
            let same = groups.iter_mut().find(|(other, _, members)| {
                *other == kind && self.belong_together(kind, members[0], index)
            });
            match same {
                Some((_, _, members)) => members.push(index),
                None => groups.push((kind, certain, vec![index])),
            }
        }
        groups
            .into_iter()
            .map(|(kind, certain, sockets)| self.cause(kind, certain, sockets))
            .collect()
    }

    fn belong_together(&self, kind: CauseKind, a: usize, b: usize) -> bool {
        let (a, b) = (self.socket(a), self.socket(b));
        if a.protocol != b.protocol {
            return false;
        }
        match kind {
            CauseKind::SharedListener => a.local == b.local,
            CauseKind::HiddenHolder => a.uid == b.uid && a.cgroup == b.cgroup,
            CauseKind::SocketActivation => {
                a.holders.pids() == b.holders.pids()
                    && activation(a, self.snapshot) == activation(b, self.snapshot)
            }
            // Docker has a proxy for each address family.
            CauseKind::Container if self.container(a).is_some() => {
                self.container(a) == self.container(b)
            }
            _ => a.holders.pids() == b.holders.pids(),
        }
    }

    /// The container that a socket is held for, where an engine told of it.
    fn container(&self, socket: &Socket) -> Option<&ContainerFacts> {
        let pids = socket.holders.pids();
        let holder = pids.iter().find_map(|pid| self.snapshot.processes.get(pid))?;
        facts_of(holder, self.snapshot)
    }

    fn server_kind(&self, index: usize, servers: &[usize]) -> (CauseKind, bool) {
        let socket = self.socket(index);
        let holders = match &socket.holders {
            Holders::Kernel => return (CauseKind::Kernel, true),
            Holders::Hidden if activation(socket, self.snapshot).is_some() => {
                return (CauseKind::SocketActivation, true);
            }
            Holders::Hidden => return (CauseKind::HiddenHolder, true),
            Holders::Processes { holders } => holders,
            Holders::Nobody | Holders::NotLooked => return (by_state(socket), true),
        };
        if holders.iter().all(|holder| matches!(holder.by, HeldBy::InFlight(_))) {
            return (CauseKind::InFlight, false);
        }
        let pids = socket.holders.pids();
        if activation(socket, self.snapshot).is_some() {
            return (CauseKind::SocketActivation, true);
        }
        if pids.iter().any(|&pid| self.is_contained(pid)) {
            return (CauseKind::Container, true);
        }
        if holders.iter().all(|holder| matches!(holder.by, HeldBy::Heir { .. })) {
            return (CauseKind::InheritedListener, false);
        }
        let by_state = by_state(socket);
        if by_state != CauseKind::Listener {
            return (by_state, true);
        }
        let shared = servers.iter().any(|&other| {
            other != index
                && self.socket(other).local == socket.local
                && self.socket(other).state == Some(TcpState::Listen)
        });
        if shared {
            return (CauseKind::SharedListener, true);
        }
        match self.inheritance(&pids) {
            Some(certain) => (CauseKind::InheritedListener, certain),
            None => (CauseKind::Listener, true),
        }
    }

    /// Whether none of the holders can have opened the socket, and how sure that is: several
    /// without one among them that the others descend from, or a program that is no server.
    fn inheritance(&self, pids: &[u32]) -> Option<bool> {
        if pids.len() > 1 {
            let top = topmost(self.snapshot, pids);
            let rest = pids.iter().filter(|&&pid| pid != top[0]);
            let one_family = rest.clone().all(|&pid| is_below(self.snapshot, pid, top[0]));
            return (!one_family).then_some(true);
        }
        let process = self.snapshot.processes.get(pids.first()?)?;
        NEVER_SERVERS.contains(&process.program()).then_some(false)
    }

    /// Whether a process is in a container that the asker is not in.
    fn is_contained(&self, pid: u32) -> bool {
        let Some(process) = self.snapshot.processes.get(&pid) else { return false };
        // dockerd has ports of its own too, and a virtual machine others than its containers'.
        let keeps = || {
            (is_engine(process) || carries_ports(process))
                && facts_of(process, self.snapshot).is_some()
        };
        if container_proxy(process).is_some() || keeps() {
            return true;
        }
        let asker = self.snapshot.processes.get(&self.snapshot.asker.pid);
        boxed(process, self.snapshot)
            .is_some_and(|boxed| asker.is_none_or(|asker| !runs(asker, &boxed.id, self.snapshot)))
    }

    /// Connections that keep the port without a listener above them.
    fn connections(&self) -> Vec<Cause> {
        let mut groups: Vec<(CauseKind, bool, Vec<usize>)> = Vec::new();
        for &(index, occupant) in &self.own {
            let socket = self.socket(index);
            if !is_connection(socket) || is_remains(socket) || self.is_served(&occupant) {
                continue;
            }
            let (kind, certain) = match socket.holders {
                Holders::Hidden => (CauseKind::HiddenHolder, true),
                _ => self.direction(socket),
            };
            let same = groups.iter_mut().find(|(other, _, members)| {
                *other == kind && self.socket(members[0]).holders.pids() == socket.holders.pids()
            });
            match same {
                Some((_, all_certain, members)) => {
                    *all_certain &= certain;
                    members.push(index);
                }
                None => groups.push((kind, certain, vec![index])),
            }
        }
        groups
            .into_iter()
            .map(|(kind, certain, sockets)| self.cause(kind, certain, sockets))
            .collect()
    }

    /// Whether a connection left from here or came in. The kernel does not say; the other end
    /// does where a listener is seen there, and the ephemeral range mostly does.
    fn direction(&self, socket: &Socket) -> (CauseKind, bool) {
        let Some((local, remote)) = socket.local.inet().zip(socket.remote) else {
            return (CauseKind::AcceptedConnection, false);
        };
        if socket.state == Some(TcpState::SynSent) || local == remote {
            return (CauseKind::OutgoingConnection, true);
        }
        let listens_there = self.snapshot.peer_listeners.iter().any(|listener| {
            listener.port() == remote.port() && covers(listener.ip(), false, remote.ip())
        });
        if listens_there {
            return (CauseKind::OutgoingConnection, true);
        }
        let drawn = |port| Port::new(port).is_some_and(|p| self.snapshot.policy.is_ephemeral(p));
        match (drawn(local.port()), drawn(remote.port())) {
            (true, false) => (CauseKind::OutgoingConnection, true),
            (false, true) => (CauseKind::AcceptedConnection, true),
            // A peer on this machine would be listening, had we called it.
            _ if unmap(remote.ip()).is_loopback() => (CauseKind::AcceptedConnection, false),
            (true, true) => (CauseKind::OutgoingConnection, false),
            (false, false) => (CauseKind::AcceptedConnection, false),
        }
    }

    /// Whether a listener here would have accepted that connection.
    fn is_served(&self, connection: &Occupant) -> bool {
        self.own.iter().any(|(_, listener)| {
            listener.state == Some(TcpState::Listen)
                && listener.transport == connection.transport
                && covers(
                    listener.address.ip(),
                    listener.v6only.unwrap_or(false),
                    connection.address.ip(),
                )
        })
    }

    /// Open connections to a listener here: the people who would notice.
    fn clients(&self) -> impl Iterator<Item = usize> + '_ {
        self.own
            .iter()
            .filter(|(_, occupant)| {
                occupant.state == Some(TcpState::Established) && self.is_served(occupant)
            })
            .map(|(index, _)| *index)
    }

    /// What ended connections left, one cause for TIME-WAIT and one for the other endings.
    fn remains(&self) -> impl Iterator<Item = Cause> + '_ {
        let of = |wanted: CauseKind| -> Vec<usize> {
            self.own
                .iter()
                .filter(|(index, occupant)| {
                    let socket = self.socket(*index);
                    is_remains(socket)
                        && remains_kind(socket) == wanted
                        // A connection that waits in a living listener's queue is not over.
                        && !(socket.state == Some(TcpState::Established)
                            && self.is_served(occupant))
                })
                .map(|(index, _)| *index)
                .collect()
        };
        [CauseKind::TimeWait, CauseKind::Closing]
            .into_iter()
            .map(move |kind| (kind, of(kind)))
            .filter(|(_, sockets)| !sockets.is_empty())
            .map(|(kind, sockets)| self.cause(kind, true, sockets))
    }

    fn permission(&self) -> Option<Cause> {
        let denied = self.attempts.iter().any(|attempt| attempt.plain == BindResult::Denied);
        let below = self.endpoint.port.get() < self.snapshot.policy.unprivileged_start;
        let lacks = !self.snapshot.asker.may_bind_privileged;
        (denied && below && lacks).then(|| self.cause(CauseKind::Privileged, true, Vec::new()))
    }

    /// A port that the system keeps for programs of its own and refuses as if it were in use.
    fn reserved(&self) -> Option<Cause> {
        let refused = self
            .attempts
            .iter()
            .any(|attempt| attempt.plain == BindResult::InUse && self.is_restricted(attempt));
        let certain = refused || self.excluded()?;
        Some(self.cause(CauseKind::Reserved, certain, Vec::new()))
    }

    /// Whether Windows keeps the port back, where a bind was denied and nobody has it: a holder with
    /// exclusive use is denied in the same way, so whoever has it comes first. Not certain of a
    /// range that somebody put there, since that need not stop a program that names the port.
    fn excluded(&self) -> Option<bool> {
        let denied = self.attempts.iter().any(|attempt| attempt.plain == BindResult::Denied);
        let range = windows::excluded(self.endpoint, self.snapshot)?;
        (denied && !self.blocked_by(|_| true)).then_some(!range.administered)
    }

    /// Whether a cause keeps nobody from the port although it would elsewhere: where Windows lets
    /// every plain bind pass, what is left of connections is no obstacle.
    fn is_harmless(&self, cause: &Cause) -> bool {
        self.rules == Rules::Windows
            && matches!(
                cause.kind,
                CauseKind::TimeWait
                    | CauseKind::Closing
                    | CauseKind::AcceptedConnection
                    | CauseKind::OutgoingConnection
            )
            && !self.attempts.is_empty()
            && self.attempts.iter().all(|attempt| attempt.plain != BindResult::InUse)
    }

    /// Whether a socket that was seen may be why that bind was denied: on Windows exclusive use and
    /// another user's sockets are.
    fn denied_by_socket(&self, attempt: &Attempt) -> bool {
        let request = plain(attempt, self.snapshot.asker.uid);
        let explains = |old| self.rules.conflict(&request, old) != Conflict::No;
        self.rules == Rules::Windows && self.own.iter().any(|(_, old)| explains(old))
    }

    fn is_restricted(&self, attempt: &Attempt) -> bool {
        self.rules == Rules::Xnu
            && xnu::is_restricted(&plain(attempt, self.snapshot.asker.uid), &self.snapshot.policy)
    }

    fn not_local(&self) -> Option<Cause> {
        let asked = matches!(self.endpoint.address, AddressScope::One(..));
        let refused = self.attempts.iter().any(|attempt| attempt.plain == BindResult::NotLocal);
        (asked && refused).then(|| self.cause(CauseKind::NotLocal, true, Vec::new()))
    }

    fn unexplained(&self) -> Option<Cause> {
        let denied_by_floor = self.permission().is_some();
        let reserved = |attempt: &Attempt| self.is_restricted(attempt);
        let puzzle = self.attempts.iter().any(|attempt| match attempt.plain {
            BindResult::Ok | BindResult::NotLocal => false,
            BindResult::Denied => {
                !denied_by_floor && self.excluded().is_none() && !self.denied_by_socket(attempt)
            }
            BindResult::InUse => {
                let request = plain(attempt, self.snapshot.asker.uid);
                let explains = |old| self.rules.conflict(&request, old) != Conflict::No;
                !reserved(attempt) && !self.own.iter().any(|(_, old)| explains(old))
            }
            // An address family that is switched off is no puzzle.
            BindResult::Other(_) => matches!(self.endpoint.address, AddressScope::One(..)),
        });
        puzzle.then(|| self.cause(CauseKind::Unexplained, false, Vec::new()))
    }

    /// A rule that sends the port elsewhere, where nobody here has it: else that is a note. Where
    /// the rules could not be read, a running container that publishes the port is as good as one.
    fn redirected(&self) -> Option<Cause> {
        let rules = redirect::concerning(self.endpoint, self.snapshot);
        let has = |protocol: Protocol| {
            let mut own = self.own.iter().map(|(index, _)| self.socket(*index));
            own.any(|socket| socket.protocol == protocol && !is_connection(socket))
        };
        if rules.iter().any(|rule| !has(rule.protocol)) {
            return Some(self.cause(CauseKind::Redirected, true, Vec::new()));
        }
        let unread = self.snapshot.gaps.iter().any(|gap| matches!(gap, Gap::NoRules { .. }));
        let published = redirect::published(self.endpoint, self.snapshot);
        (unread && rules.is_empty() && published.is_some_and(|(_, protocol)| !has(protocol)))
            .then(|| self.cause(CauseKind::Redirected, false, Vec::new()))
    }

    fn other_namespaces(&self) -> Option<Cause> {
        let there: Vec<usize> = self
            .snapshot
            .sockets
            .iter()
            .enumerate()
            .filter(|(_, socket)| {
                socket.netns.is_some()
                    && socket.port() == Some(self.endpoint.port.get())
                    && socket
                        .protocol
                        .transport()
                        .is_some_and(|own| self.endpoint.transports().contains(&own))
            })
            .map(|(index, _)| index)
            .collect();
        (!there.is_empty()).then(|| self.cause(CauseKind::OtherNamespace, true, there))
    }

    fn cause(&self, kind: CauseKind, certain: bool, sockets: Vec<usize>) -> Cause {
        let mut pids: Vec<u32> =
            sockets.iter().flat_map(|&index| self.socket(index).holders.pids()).collect();
        pids.sort_unstable();
        pids.dedup();
        let passes = matches!(kind, CauseKind::TimeWait | CauseKind::Closing);
        let expires_ms = sockets
            .iter()
            .filter_map(|&index| self.socket(index).expires_ms)
            .max()
            .filter(|_| passes);
        Cause { kind, certain, sockets, pids: topmost(self.snapshot, &pids), expires_ms }
    }
}

/// Programs that hold a listener only because they inherited it.
const NEVER_SERVERS: [&str; 14] = [
    "sleep",
    "tail",
    "cat",
    "tee",
    "less",
    "more",
    "mpv",
    "gpg-agent",
    "ssh-agent",
    "esbuild",
    "dash",
    "watch",
    "tsserver",
    "xclip",
];

/// The processes, those first that others descend from.
pub fn topmost(snapshot: &Snapshot, pids: &[u32]) -> Vec<u32> {
    let mut ordered: Vec<u32> = pids.to_vec();
    ordered.sort_by_cached_key(|&pid| {
        let above = snapshot.ancestors(pid).iter().filter(|a| pids.contains(&a.id.pid)).count();
        (above, pid)
    });
    ordered
}

fn is_below(snapshot: &Snapshot, pid: u32, ancestor: u32) -> bool {
    snapshot.ancestors(pid).iter().any(|process| process.id.pid == ancestor)
}

fn touches(endpoint: &Endpoint, occupant: &Occupant) -> bool {
    if occupant.address.port() != endpoint.port.get()
        || !endpoint.transports().contains(&occupant.transport)
    {
        return false;
    }
    match endpoint.address {
        AddressScope::Every => true,
        AddressScope::Localhost | AddressScope::One(..) => {
            let v6only = occupant.v6only.unwrap_or(occupant.connected);
            endpoint
                .addresses()
                .into_iter()
                .any(|wanted| overlaps(wanted, false, occupant.address.ip(), v6only))
        }
    }
}

fn plain(attempt: &Attempt, uid: u32) -> BindRequest {
    BindRequest::plain(attempt.transport, attempt.address, uid)
}

fn is_connection(socket: &Socket) -> bool {
    socket.state.is_some_and(TcpState::is_connection)
}

/// Whether nobody owns it any more: no inode, so no descriptor.
pub fn is_remains(socket: &Socket) -> bool {
    is_connection(socket) && socket.inode.is_none() && socket.netns.is_none()
}

fn remains_kind(socket: &Socket) -> CauseKind {
    match socket.state {
        Some(TcpState::TimeWait) => CauseKind::TimeWait,
        _ => CauseKind::Closing,
    }
}

fn by_state(socket: &Socket) -> CauseKind {
    match (socket.protocol, socket.state) {
        (Protocol::Tcp, Some(TcpState::Listen)) => CauseKind::Listener,
        (Protocol::Tcp, _) => CauseKind::BoundNotListening,
        (Protocol::Unix, _) => CauseKind::UnixSocket,
        (Protocol::Udp | Protocol::UdpLite | Protocol::Raw, _) => CauseKind::UdpSocket,
    }
}
