//! When the kernel lets a socket have an address: the measured rules of Linux as one pure
//! function, what follows from them, and the words for a probe's answer. Nothing here asks the
//! kernel; `tests/bind_matrix.rs` holds the rules to 25,856 measured answers.
//!
//! The rules are those of `inet_bind_conflict` and `inet_rcv_saddr_equal`
//! (net/ipv4/inet_connection_sock.c) and of `udp_lib_lport_inuse` (net/ipv4/udp.c). Two sockets
//! of one transport and port, whose devices and addresses meet, exclude each other unless
//!
//! * both have SO_REUSEADDR, and the old one does not listen (UDP has no such exception), or
//! * both have SO_REUSEPORT and one creator; remains that hold only a mini-socket
//!   (TIME-WAIT, orphaned FIN-WAIT-2) have lost their creator and are forgiven that.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::addr::{Transport, unmap};
use crate::snapshot::Policy;
use crate::socket::{Socket, TcpState};

/// A bind somebody wants to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BindRequest {
    /// The transport.
    pub transport: Transport,
    /// The address and port.
    pub address: SocketAddr,
    /// IPV6_V6ONLY; meaningless for IPv4 addresses.
    pub v6only: bool,
    /// SO_REUSEADDR.
    pub reuse_addr: bool,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// The user that creates the socket.
    pub uid: u32,
    /// SO_BINDTODEVICE, by index.
    pub device: Option<u32>,
}

/// What the kernel said to a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BindResult {
    /// It succeeded.
    Ok,
    /// EADDRINUSE.
    InUse,
    /// EACCES or EPERM.
    Denied,
    /// EADDRNOTAVAIL.
    NotLocal,
    /// Another error, by its number.
    Other(i32),
}

impl BindResult {
    /// What an errno of bind(2) or listen(2) means.
    pub const fn from_errno(errno: i32) -> Self {
        // Linux, then macOS and the BSDs, then Winsock. A number that means something else on
        // another of them (48, 49) is never an answer to a bind there.
        match errno {
            0 => Self::Ok,
            98 | 48 | 10048 => Self::InUse,
            1 | 13 | 10013 => Self::Denied,
            99 | 49 | 10049 => Self::NotLocal,
            other => Self::Other(other),
        }
    }

    /// `ok`, or the errno's name as errno(3) spells it; a number without a common name is
    /// `errno N`. [`BindResult::Denied`] is `EACCES`.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Ok => "ok",
            Self::InUse => "EADDRINUSE",
            Self::Denied => "EACCES",
            Self::NotLocal => "EADDRNOTAVAIL",
            Self::Other(errno) => match errno {
                2 => "ENOENT",
                9 => "EBADF",
                12 => "ENOMEM",
                14 => "EFAULT",
                19 => "ENODEV",
                22 | 10022 => "EINVAL",
                23 => "ENFILE",
                24 | 10024 => "EMFILE",
                93 | 43 | 10043 => "EPROTONOSUPPORT",
                95 | 45 | 10045 => "EOPNOTSUPP",
                97 | 47 | 10047 => "EAFNOSUPPORT",
                105 | 55 | 10055 => "ENOBUFS",
                other => return Cow::Owned(format!("errno {other}")),
            },
        })
    }
}

/// One probe of one address: without and with SO_REUSEADDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The transport probed.
    pub transport: Transport,
    /// The address probed. `::` is probed dual-stack, as servers bind it.
    pub address: SocketAddr,
    /// The answer to a plain bind.
    pub plain: BindResult,
    /// The answer with SO_REUSEADDR.
    pub reuse_addr: BindResult,
}

/// Whether an existing socket stops a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conflict {
    /// It does not.
    No,
    /// It does.
    Yes,
    /// It depends on options of the existing socket that are not known.
    Unknown,
}

/// A socket that has an address: the part of a [`Socket`] that decides about other binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Occupant {
    /// The transport.
    pub transport: Transport,
    /// Where it is now: a connection counts with its own local address, not with the wildcard
    /// its listener was bound to.
    pub address: SocketAddr,
    /// IPV6_V6ONLY, `None` where the kernel does not say; meaningless for IPv4 and v4-mapped
    /// addresses. A bind to a concrete IPv6 address sets it (`__inet6_bind`), so for sockets
    /// that are not [`connected`](Self::connected) only that of `::` matters.
    pub v6only: Option<bool>,
    /// The TCP state; `None` for UDP.
    pub state: Option<TcpState>,
    /// Whether it is one side of a connection, or a connected UDP socket.
    pub connected: bool,
    /// Whether only a mini-socket is left (`inet_timewait_sock`: TIME-WAIT, and FIN-WAIT-2
    /// without an owner), which is nobody's and so meets SO_REUSEPORT's demand for one creator.
    pub mini: bool,
    /// SO_REUSEADDR; `None` where it could not be learned.
    pub reuse_addr: Option<bool>,
    /// SO_REUSEPORT; `None` where it could not be learned.
    pub reuse_port: Option<bool>,
    /// The user that created it; `None` where not known.
    pub uid: Option<u32>,
    /// SO_BINDTODEVICE, by index.
    pub device: Option<u32>,
}

impl Occupant {
    /// The socket as an obstacle to binds in the asker's network namespace. `None` for one that
    /// cannot be: without a TCP or UDP port, in another namespace, closed, or a connection
    /// request that the listener has not answered yet, which has no port of its own
    /// (`request_sock`; SYN-RECEIVED without an inode).
    ///
    /// What the kernel does not say stays unknown. For a connected IPv6 socket that is
    /// IPV6_V6ONLY: the child of a dual-stack listener does not have it, the child of a listener
    /// on `::1` has it, sock_diag shows it of neither, and it decides about 0.0.0.0. And a full
    /// socket without an owner (FIN-WAIT-1, LAST-ACK, not yet accepted) is reported as user 0.
    pub fn from_socket(socket: &Socket) -> Option<Self> {
        let transport = socket.protocol.transport()?;
        let address = socket.local.inet().filter(|address| address.port() != 0)?;
        let state = socket.state.filter(|_| transport == Transport::Tcp);
        let ownerless = socket.inode.is_none();
        let shadow = match state {
            Some(TcpState::Closed) => true,
            Some(TcpState::SynReceived) => ownerless,
            _ => false,
        };
        if shadow || socket.netns.is_some() {
            return None;
        }
        let connected = state.map_or(socket.remote.is_some(), TcpState::is_connection);
        Some(Self {
            transport,
            address,
            v6only: socket.v6only,
            state,
            connected,
            mini: is_mini(state, ownerless),
            reuse_addr: socket.reuse_addr,
            reuse_port: socket.reuse_port,
            uid: socket.uid.filter(|_| !(connected && ownerless)),
            device: socket.device,
        })
    }

    /// The same socket with what [`infer_options`] found out.
    #[must_use]
    pub fn learn(self, learned: Learned) -> Self {
        Self {
            v6only: self.v6only.or(learned.v6only),
            reuse_addr: self.reuse_addr.or(learned.reuse_addr),
            reuse_port: self.reuse_port.or(learned.reuse_port),
            ..self
        }
    }

    /// IPV6_V6ONLY where its address does not settle it.
    fn effective_v6only(&self) -> Option<bool> {
        match unmap(self.address.ip()) {
            IpAddr::V4(_) => Some(false),
            IpAddr::V6(v6) if !v6.is_unspecified() && !self.connected => Some(true),
            IpAddr::V6(_) => self.v6only,
        }
    }
}

/// Whether an existing socket stops this bind, at bind(2). A bind of port 0 is stopped by none.
pub fn conflict(new: &BindRequest, old: &Occupant) -> Conflict {
    let port = new.address.port();
    if port == 0 || port != old.address.port() || new.transport != old.transport {
        return Conflict::No;
    }
    let new_device = device_of(new.device, new.address);
    if !devices_meet(new_device, device_of(old.device, old.address)) {
        return Conflict::No;
    }
    match all([addresses_meet(new, old), may_share(new, old).map(|share| !share)]) {
        Some(true) => Conflict::Yes,
        Some(false) => Conflict::No,
        None => Conflict::Unknown,
    }
}

/// Whether an existing socket stops the owner of this bind at listen(2). The kernel asks again
/// what it asked at bind(2) (`inet_csk_listen_start`), of the state `old` is in by then: of two
/// that could bind, both with SO_REUSEADDR, only the first may listen. UDP does not listen.
pub fn listen_conflict(new: &BindRequest, old: &Occupant) -> Conflict {
    match new.transport {
        Transport::Tcp => conflict(new, old),
        Transport::Udp => Conflict::No,
    }
}

/// What the kernel would say to a bind, so far as the sockets tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// Its answer; `None` where that depends on options which are not known.
    pub result: Option<BindResult>,
    /// Which of the sockets stop the bind, or would stop it were it permitted.
    pub blockers: Vec<usize>,
    /// Which of them may.
    pub maybe: Vec<usize>,
}

/// Predicts the answer to a bind from everything that occupies its port. `may_bind_privileged`
/// is [`crate::snapshot::Asker::may_bind_privileged`]. A refusal of permission comes before any
/// other, as in `__inet_bind` (net/ipv4/af_inet.c); whether the address is this machine's is not
/// predicted, nor whether port 0 finds one.
pub fn predict(
    new: &BindRequest,
    old: &[Occupant],
    policy: &Policy,
    may_bind_privileged: bool,
) -> Prediction {
    let (mut blockers, mut maybe) = (Vec::new(), Vec::new());
    for (index, occupant) in old.iter().enumerate() {
        match conflict(new, occupant) {
            Conflict::Yes => blockers.push(index),
            Conflict::Unknown => maybe.push(index),
            Conflict::No => {}
        }
    }
    let privileged = (1..policy.unprivileged_start).contains(&new.address.port());
    let result = if privileged && !may_bind_privileged {
        Some(BindResult::Denied)
    } else if is_invalid(new) {
        Some(BindResult::Other(EINVAL))
    } else if !blockers.is_empty() {
        Some(BindResult::InUse)
    } else {
        maybe.is_empty().then_some(BindResult::Ok)
    };
    Prediction { result, blockers, maybe }
}

/// Whether binds to two addresses of one port meet, options aside. 0.0.0.0 and a v6-only `::`
/// do not; a dual-stack `::` meets everything.
pub fn overlaps(a: IpAddr, a_v6only: bool, b: IpAddr, b_v6only: bool) -> bool {
    let (a, b) = (Cover::of(a, a_v6only), Cover::of(b, b_v6only));
    a.v4.meets(b.v4) || a.v6.meets(b.v6)
}

/// Whether a socket bound to an address gets what is sent to that destination, if no more
/// specific socket does. A v4-mapped destination is an IPv4 one.
pub fn covers(bound: IpAddr, v6only: bool, destination: IpAddr) -> bool {
    let cover = Cover::of(bound, v6only);
    match unmap(destination) {
        IpAddr::V4(v4) => cover.v4.meets(Part::One(v4)),
        IpAddr::V6(v6) => cover.v6.meets(Part::One(v6)),
    }
}

/// Which of several servers of one transport and port get what is sent to a local address, by
/// their place in the list: the most specific address, IPv4 sockets before dual-stack ones, and
/// where they share by SO_REUSEPORT every member of the group. Of UDP sockets that share by
/// SO_REUSEADDR alone the last to bind gets everything; which that is cannot be seen, so all are
/// named. Servers bound to a device are left out: see [`answers_on`].
///
/// The order is `inet_lookup_listener` and `compute_score` (net/ipv4/inet_hashtables.c,
/// net/ipv4/udp.c). A `::` whose IPV6_V6ONLY is unknown counts as dual-stack, the default.
pub fn answers(listeners: &[Occupant], destination: IpAddr) -> Vec<usize> {
    answers_on(listeners, destination, None)
}

/// As [`answers`], for what comes in by the device of that index.
pub fn answers_on(listeners: &[Occupant], destination: IpAddr, device: Option<u32>) -> Vec<usize> {
    let claims: Vec<_> =
        listeners.iter().map(|listener| claim(listener, unmap(destination), device)).collect();
    let best = claims.iter().flatten().max();
    let winners = claims.iter().enumerate().filter(|(_, claim)| claim.is_some());
    winners.filter(|(_, claim)| claim.as_ref() == best).map(|(index, _)| index).collect()
}

/// What probes prove about one socket; `None` for what they leave open or what was known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Learned {
    /// SO_REUSEADDR.
    pub reuse_addr: Option<bool>,
    /// SO_REUSEPORT. Probes without SO_REUSEPORT, which is all an [`Attempt`] has, say nothing
    /// about it.
    pub reuse_port: Option<bool>,
    /// IPV6_V6ONLY.
    pub v6only: Option<bool>,
}

/// Draws every certain conclusion from probes about the options of the sockets that were there
/// during all of them, one entry each. A success proves that no socket conflicts. A failure
/// proves that one does, but which is certain only where `complete` says that no socket of the
/// port can be missing from the list, and where only one of them can be the cause. A socket that
/// contradicts a probe was not there: nothing is concluded about it.
pub fn infer_options(attempts: &[Attempt], occupants: &[Occupant], complete: bool) -> Vec<Learned> {
    let probes: Vec<_> = attempts.iter().flat_map(Attempt::probes).collect();
    let mut possible: Vec<Vec<Occupant>> = occupants.iter().map(possibilities).collect();
    for (probe, _) in probes.iter().filter(|(_, result)| *result == BindResult::Ok) {
        for worlds in &mut possible {
            worlds.retain(|world| conflict(probe, world) == Conflict::No);
        }
    }
    let mut progress = complete;
    while progress {
        progress = false;
        for (probe, _) in probes.iter().filter(|(_, result)| *result == BindResult::InUse) {
            progress |= blame_the_only_suspect(probe, &mut possible);
        }
    }
    occupants.iter().zip(&possible).map(|(occupant, worlds)| learned(occupant, worlds)).collect()
}

impl Attempt {
    /// The two binds that were tried, and their answers. Binds that do not ask for SO_REUSEPORT
    /// are judged without regard to the user, so here it is always 0.
    fn probes(&self) -> [(BindRequest, BindResult); 2] {
        let plain = BindRequest {
            transport: self.transport,
            address: self.address,
            v6only: false,
            reuse_addr: false,
            reuse_port: false,
            uid: 0,
            device: None,
        };
        [(plain, self.plain), (BindRequest { reuse_addr: true, ..plain }, self.reuse_addr)]
    }
}

/// The same number on every system.
const EINVAL: i32 = 22;

/// Whether the kernel turns that state into an `inet_timewait_sock` (`tcp_time_wait`).
fn is_mini(state: Option<TcpState>, ownerless: bool) -> bool {
    match state {
        Some(TcpState::TimeWait) => true,
        Some(TcpState::FinWait2) => ownerless,
        _ => false,
    }
}

/// The device a socket belongs to: the scope id of a link-local address is one too
/// (`__inet6_bind` sets `sk_bound_dev_if` from it).
fn device_of(device: Option<u32>, address: SocketAddr) -> Option<u32> {
    let scope = match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() != 0 => {
            Some(v6.scope_id())
        }
        SocketAddr::V6(_) | SocketAddr::V4(_) => None,
    };
    device.or(scope)
}

fn devices_meet(a: Option<u32>, b: Option<u32>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// Whether the addresses of a bind and a socket meet; `None` where that hangs on an unknown
/// IPV6_V6ONLY.
fn addresses_meet(new: &BindRequest, old: &Occupant) -> Option<bool> {
    let meet = |v6only| {
        let (a, b) = (new.address.ip(), old.address.ip());
        overlaps(a, new.v6only, b, v6only) || (!v6only && is_phantom_ipv4(a, old))
    };
    match old.effective_v6only() {
        Some(v6only) => Some(meet(v6only)),
        None => Some(meet(true)).filter(|answer| *answer == meet(false)),
    }
}

/// A connected IPv6 socket without IPV6_V6ONLY has no IPv4 address, but the kernel compares its
/// placeholder (LOOPBACK4_IPV6) with an IPv4 wildcard, and every address equals that one
/// (`ipv4_rcv_saddr_equal`).
fn is_phantom_ipv4(new: IpAddr, old: &Occupant) -> bool {
    new == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        && old.connected
        && matches!(unmap(old.address.ip()), IpAddr::V6(_))
}

/// Whether options let a bind and a socket have the same address; `None` where those of the
/// socket are unknown and decide.
fn may_share(new: &BindRequest, old: &Occupant) -> Option<bool> {
    let listens = old.transport == Transport::Tcp && old.state == Some(TcpState::Listen);
    let by_address = all([Some(new.reuse_addr && !listens), old.reuse_addr]);
    let one_creator = any([Some(old.mini), old.uid.map(|uid| uid == new.uid)]);
    let by_port = all([Some(new.reuse_port), old.reuse_port, one_creator]);
    any([by_address, by_port])
}

/// Binds that fail whatever is there: a v4-mapped address on a v6-only socket, a link-local one
/// without a device (`__inet6_bind`).
fn is_invalid(new: &BindRequest) -> bool {
    match new.address.ip() {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => {
            let homeless =
                v6.is_unicast_link_local() && device_of(new.device, new.address).is_none();
            (new.v6only && v6.to_ipv4_mapped().is_some()) || homeless
        }
    }
}

/// How good a server's claim to a destination is; the greatest wins, equals share.
fn claim(server: &Occupant, destination: IpAddr, device: Option<u32>) -> Option<(bool, u8)> {
    let serves = match server.transport {
        Transport::Tcp => server.state == Some(TcpState::Listen),
        Transport::Udp => !server.connected,
    };
    let own_device = device_of(server.device, server.address);
    let bound = server.address.ip();
    let v6only = server.effective_v6only().unwrap_or(false);
    if !serves
        || (own_device.is_some() && own_device != device)
        || !covers(bound, v6only, destination)
    {
        return None;
    }
    let device_weight = match server.transport {
        Transport::Tcp => 1,
        Transport::Udp => 4,
    };
    let score = u8::from(own_device.is_some()) * device_weight + u8::from(bound.is_ipv4());
    Some((unmap(bound) == destination, score))
}

/// Every way the unknown options of a socket may be.
fn possibilities(occupant: &Occupant) -> Vec<Occupant> {
    let choices = |known: Option<bool>| known.map_or(vec![false, true], |value| vec![value]);
    let mut worlds = Vec::new();
    for reuse_addr in choices(occupant.reuse_addr) {
        for reuse_port in choices(occupant.reuse_port) {
            for v6only in choices(occupant.effective_v6only()) {
                worlds.push(Occupant {
                    reuse_addr: Some(reuse_addr),
                    reuse_port: Some(reuse_port),
                    v6only: Some(v6only),
                    ..*occupant
                });
            }
        }
    }
    worlds
}

/// Where only one socket can have caused a failure, it did. Whether that ruled anything out.
fn blame_the_only_suspect(probe: &BindRequest, possible: &mut [Vec<Occupant>]) -> bool {
    let is_guilty = |world: &Occupant| conflict(probe, world) == Conflict::Yes;
    let mut suspects = possible.iter_mut().filter(|worlds| worlds.iter().any(is_guilty));
    let (Some(suspect), None) = (suspects.next(), suspects.next()) else { return false };
    let before = suspect.len();
    suspect.retain(is_guilty);
    suspect.len() < before
}

/// What all the remaining possibilities agree on and was not known before.
fn learned(occupant: &Occupant, worlds: &[Occupant]) -> Learned {
    let agreed = |known: Option<bool>, option: fn(&Occupant) -> Option<bool>| match known {
        Some(_) => None,
        None => {
            let first = option(worlds.first()?);
            first.filter(|_| worlds.iter().all(|world| option(world) == first))
        }
    };
    Learned {
        reuse_addr: agreed(occupant.reuse_addr, |world| world.reuse_addr),
        reuse_port: agreed(occupant.reuse_port, |world| world.reuse_port),
        v6only: agreed(occupant.effective_v6only(), |world| world.v6only),
    }
}

/// The IPv4 and IPv6 addresses a bind takes.
#[derive(Clone, Copy)]
struct Cover {
    v4: Part<Ipv4Addr>,
    v6: Part<Ipv6Addr>,
}

/// What a bind takes of one family.
#[derive(Clone, Copy)]
enum Part<A> {
    Nothing,
    One(A),
    Every,
}

impl Cover {
    fn of(address: IpAddr, v6only: bool) -> Self {
        match unmap(address) {
            IpAddr::V4(v4) if v4.is_unspecified() => Self { v4: Part::Every, v6: Part::Nothing },
            IpAddr::V4(v4) => Self { v4: Part::One(v4), v6: Part::Nothing },
            IpAddr::V6(v6) if !v6.is_unspecified() => Self { v4: Part::Nothing, v6: Part::One(v6) },
            IpAddr::V6(_) if v6only => Self { v4: Part::Nothing, v6: Part::Every },
            IpAddr::V6(_) => Self { v4: Part::Every, v6: Part::Every },
        }
    }
}

impl<A: PartialEq> Part<A> {
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::One(a), Self::One(b)) => a == b,
            (Self::Every, _) | (_, Self::Every) => true,
        }
    }
}

/// "And" where some facts are unknown: one known "no" settles it.
fn all<const N: usize>(facts: [Option<bool>; N]) -> Option<bool> {
    if facts.contains(&Some(false)) {
        Some(false)
    } else {
        facts.iter().all(Option::is_some).then_some(true)
    }
}

/// "Or" where some facts are unknown: one known "yes" settles it.
fn any<const N: usize>(facts: [Option<bool>; N]) -> Option<bool> {
    all(facts.map(|fact| fact.map(|yes| !yes))).map(|none| !none)
}
