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
//!
//! Other kernels have other rules, in files of their own; [`Rules`] chooses.

pub mod windows;
pub mod xnu;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::addr::{Endpoint, Transport, unmap};
use crate::snapshot::{Policy, Source};
use crate::socket::{Socket, TcpState};

/// Whose rules decide about binds: those of the kernel that the sockets were seen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Linux: the functions of this file.
    Linux,
    /// macOS: [`xnu`].
    Xnu,
    /// Windows: [`windows`].
    Windows,
}

impl Rules {
    /// The rules of the kernel that has such a table of sockets.
    pub const fn of(source: Source) -> Self {
        match source {
            Source::PcbList => Self::Xnu,
            Source::ExtendedTable => Self::Windows,
            Source::SockDiag | Source::ProcNet => Self::Linux,
        }
    }

    /// Those of the system that this is compiled for.
    pub const fn native() -> Self {
        match () {
            () if cfg!(target_os = "macos") => Self::Xnu,
            () if cfg!(windows) => Self::Windows,
            () => Self::Linux,
        }
    }

    /// As [`conflict`], by these rules.
    pub fn conflict(self, new: &BindRequest, old: &Occupant) -> Conflict {
        match self {
            Self::Linux => conflict(new, old),
            Self::Xnu => xnu::conflict(new, old),
            Self::Windows => windows::conflict(new, old),
        }
    }

    /// As [`predict`], by these rules.
    pub fn predict(
        self,
        new: &BindRequest,
        old: &[Occupant],
        policy: &Policy,
        may_bind_privileged: bool,
    ) -> Prediction {
        match self {
            Self::Linux => predict(new, old, policy, may_bind_privileged),
            Self::Xnu => xnu::predict(new, old, policy, may_bind_privileged),
            Self::Windows => windows::predict(new, old),
        }
    }

    /// As [`answers`]. XNU searches in the same order (`in_pcblookup_hash`).
    pub fn answers(self, listeners: &[Occupant], destination: IpAddr) -> Vec<usize> {
        answers(listeners, destination)
    }

    /// As [`infer_options`]. XNU's table tells every option of every socket: there is nothing to
    /// infer. On Windows a refusal may be of the option or of the user: nothing follows for certain.
    pub fn infer_options(
        self,
        attempts: &[Attempt],
        occupants: &[Occupant],
        complete: bool,
    ) -> Vec<Learned> {
        match self {
            Self::Linux => infer_options(attempts, occupants, complete),
            Self::Xnu | Self::Windows => vec![Learned::default(); occupants.len()],
        }
    }

    /// The wildcards that together meet, in a plain bind, everything that any plain bind of an
    /// unprivileged port meets: where these succeed, so do all others. XNU's dual-stack `::`
    /// overlooks 0.0.0.0. None where no wildcard tells: on Windows one is bound beside a specific
    /// address.
    pub const fn telling_wildcards(self) -> &'static [IpAddr] {
        const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        match self {
            Self::Linux => &[V6],
            Self::Xnu => &[V6, V4],
            Self::Windows => &[],
        }
    }

    /// Whether the rights of a wildcard's bind tell those of a specific address: not on XNU, where
    /// ports below 1024 ask for root only there.
    pub const fn rights_are_alike(self) -> bool {
        match self {
            Self::Linux | Self::Windows => true,
            Self::Xnu => false,
        }
    }
}

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

impl BindRequest {
    /// As a server that sets nothing makes it: no SO_REUSEADDR, and `::` dual-stack.
    pub const fn plain(transport: Transport, address: SocketAddr, uid: u32) -> Self {
        Self {
            transport,
            address,
            v6only: false,
            reuse_addr: false,
            reuse_port: false,
            uid,
            device: None,
        }
    }

    /// The binds of every transport and address that an endpoint means.
    pub fn all_of(
        endpoint: &Endpoint,
        reuse_addr: bool,
        uid: u32,
    ) -> impl Iterator<Item = Self> + use<'_> {
        endpoint.transports().iter().flat_map(move |&transport| {
            endpoint.addresses().into_iter().map(move |address| {
                let address = SocketAddr::new(address, endpoint.port.get());
                Self { reuse_addr, ..Self::plain(transport, address, uid) }
            })
        })
    }
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
                1 => "EPERM",
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
    /// socket without an owner (FIN-WAIT-1, LAST-ACK, not yet accepted) is reported as user 0. (macOS remembers whose a remain was, and root's is not told from nobody's here.)
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
            uid: socket.uid.filter(|&uid| !(connected && ownerless && uid == 0)),
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
    match all_of([addresses_meet(new, old), may_share(new, old).map(|share| !share)]) {
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
        let plain = BindRequest::plain(self.transport, self.address, 0);
        [(plain, self.plain), (BindRequest { reuse_addr: true, ..plain }, self.reuse_addr)]
    }
}

/// The same number on every system.
const EINVAL: i32 = 22;

/// The IPv4 address of sockets that have only an IPv6 one (include/net/ipv6.h).
const LOOPBACK4_IPV6: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

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
        overlaps(a, new.v6only, b, v6only) || (!v6only && is_phantom_ipv4(new, old))
    };
    match old.effective_v6only() {
        Some(v6only) => Some(meet(v6only)),
        None => Some(meet(true)).filter(|answer| *answer == meet(false)),
    }
}

/// A connected IPv6 socket without IPV6_V6ONLY has no IPv4 address, but a placeholder, which the
/// kernel compares with an IPv4 bind like any other (`ipv4_rcv_saddr_equal`): it equals the
/// wildcard, and itself. TCP finds a concrete address by its hash (`inet_bhash2_conflict`, Linux
/// 6.1), and so no longer notices the latter.
fn is_phantom_ipv4(new: &BindRequest, old: &Occupant) -> bool {
    let matched = match new.address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => true,
        IpAddr::V4(LOOPBACK4_IPV6) => new.transport == Transport::Udp,
        IpAddr::V4(_) | IpAddr::V6(_) => false,
    };
    matched && old.connected && matches!(unmap(old.address.ip()), IpAddr::V6(_))
}

/// Whether options let a bind and a socket have the same address; `None` where those of the
/// socket are unknown and decide.
fn may_share(new: &BindRequest, old: &Occupant) -> Option<bool> {
    let listens = old.transport == Transport::Tcp && old.state == Some(TcpState::Listen);
    let by_address = all_of([Some(new.reuse_addr && !listens), old.reuse_addr]);
    let one_creator = any_of([Some(old.mini), old.uid.map(|uid| uid == new.uid)]);
    let by_port = all_of([Some(new.reuse_port), old.reuse_port, one_creator]);
    any_of([by_address, by_port])
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
fn all_of<const N: usize>(facts: [Option<bool>; N]) -> Option<bool> {
    if facts.contains(&Some(false)) {
        Some(false)
    } else {
        facts.iter().all(Option::is_some).then_some(true)
    }
}

/// "Or" where some facts are unknown: one known "yes" settles it.
fn any_of<const N: usize>(facts: [Option<bool>; N]) -> Option<bool> {
    all_of(facts.map(|fact| fact.map(|yes| !yes))).map(|none| !none)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::socket::{LocalAddress, Protocol};

    const PORT: u16 = 3000;
    const ME: u32 = 1000;

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), PORT)
    }

    fn request(ip: &str) -> BindRequest {
        BindRequest {
            transport: Transport::Tcp,
            address: at(ip),
            v6only: false,
            reuse_addr: false,
            reuse_port: false,
            uid: ME,
            device: None,
        }
    }

    /// A listener with neither option, dual-stack where that is possible.
    fn listener(ip: &str) -> Occupant {
        Occupant {
            transport: Transport::Tcp,
            address: at(ip),
            v6only: Some(false),
            state: Some(TcpState::Listen),
            connected: false,
            mini: false,
            reuse_addr: Some(false),
            reuse_port: Some(false),
            uid: Some(ME),
            device: None,
        }
    }

    fn unknown(occupant: Occupant) -> Occupant {
        Occupant { reuse_addr: None, reuse_port: None, ..occupant }
    }

    fn time_wait(ip: &str) -> Occupant {
        Occupant {
            state: Some(TcpState::TimeWait),
            connected: true,
            mini: true,
            uid: None,
            v6only: None,
            ..listener(ip)
        }
    }

    fn attempt(ip: &str, plain: BindResult, reuse_addr: BindResult) -> Attempt {
        Attempt { transport: Transport::Tcp, address: at(ip), plain, reuse_addr }
    }

    fn answer(new: &BindRequest, old: &[Occupant]) -> Option<BindResult> {
        predict(new, old, &Policy::default(), false).result
    }

    #[test]
    fn addresses_meet_as_families_and_wildcards_say() {
        let table = [
            ("0.0.0.0", "::", true, false),
            ("0.0.0.0", "::1", false, false),
            ("127.0.0.1", "::ffff:127.0.0.1", true, true),
            ("::ffff:0.0.0.0", "127.0.0.1", true, true),
            ("::ffff:0.0.0.0", "::1", false, false),
            ("::", "::1", true, true),
            ("::", "10.0.0.1", true, false),
            ("127.0.0.1", "127.0.0.2", false, false),
        ];
        for (a, b, dual, v6only) in table {
            let (first, second) = (at(a).ip(), at(b).ip());
            assert_eq!(overlaps(first, false, second, false), dual, "{a} {b}");
            assert_eq!(overlaps(second, false, first, false), dual, "{b} {a}");
            assert_eq!(overlaps(first, true, second, true), v6only, "{a} {b} v6only");
        }
        assert!(covers(at("::").ip(), false, at("127.0.0.1").ip()));
        assert!(!covers(at("::").ip(), true, at("::ffff:127.0.0.1").ip()));
        assert!(covers(at("127.0.0.1").ip(), false, at("::ffff:127.0.0.1").ip()));
        assert!(!covers(at("0.0.0.0").ip(), false, at("::1").ip()));
    }

    #[test]
    fn other_ports_transports_and_devices_are_no_conflict() {
        let new = request("0.0.0.0");
        let old = listener("127.0.0.1");
        assert_eq!(conflict(&new, &old), Conflict::Yes);
        let next_port = SocketAddr::new(old.address.ip(), PORT + 1);
        assert_eq!(conflict(&new, &Occupant { address: next_port, ..old }), Conflict::No);
        let udp = Occupant { transport: Transport::Udp, state: None, ..old };
        assert_eq!(conflict(&new, &udp), Conflict::No);
        let (here, there) = (Some(1), Some(2));
        let on_device = BindRequest { device: here, ..new };
        assert_eq!(conflict(&on_device, &Occupant { device: there, ..old }), Conflict::No);
        assert_eq!(conflict(&on_device, &Occupant { device: here, ..old }), Conflict::Yes);
        assert_eq!(conflict(&on_device, &old), Conflict::Yes);
        assert_eq!(conflict(&new, &Occupant { device: there, ..old }), Conflict::Yes);
    }

    #[test]
    fn a_scope_id_is_a_device() {
        let scoped = |scope| format!("[fe80::1%{scope}]:{PORT}").parse::<SocketAddr>().unwrap();
        let new = BindRequest { address: scoped(2), ..request("::") };
        let old = Occupant { address: scoped(2), ..listener("::") };
        assert_eq!(conflict(&new, &old), Conflict::Yes);
        assert_eq!(conflict(&new, &Occupant { address: scoped(3), ..old }), Conflict::No);
        assert_eq!(answer(&new, &[]), Some(BindResult::Ok));
        assert_eq!(answer(&request("fe80::1"), &[]), Some(BindResult::Other(EINVAL)));
    }

    #[test]
    fn port_zero_and_impossible_addresses() {
        let zero = SocketAddr::new(at("0.0.0.0").ip(), 0);
        let new = BindRequest { address: zero, ..request("0.0.0.0") };
        let policy = Policy::default();
        assert_eq!(
            predict(&new, &[Occupant { address: zero, ..listener("::") }], &policy, false),
            Prediction { result: Some(BindResult::Ok), blockers: vec![], maybe: vec![] }
        );
        let mapped = BindRequest { v6only: true, ..request("::ffff:127.0.0.1") };
        assert_eq!(answer(&mapped, &[]), Some(BindResult::Other(EINVAL)));
    }

    #[test]
    fn denied_comes_before_in_use() {
        let low = SocketAddr::new(at("0.0.0.0").ip(), 80);
        let new = BindRequest { address: low, ..request("0.0.0.0") };
        let old = [Occupant { address: low, ..listener("0.0.0.0") }];
        let mut policy = Policy::default();
        let denied = predict(&new, &old, &policy, false);
        assert_eq!((denied.result, denied.blockers), (Some(BindResult::Denied), vec![0]));
        assert_eq!(predict(&new, &old, &policy, true).result, Some(BindResult::InUse));
        assert_eq!(predict(&new, &[], &policy, true).result, Some(BindResult::Ok));
        policy.unprivileged_start = 80;
        assert_eq!(predict(&new, &[], &policy, false).result, Some(BindResult::Ok));
        policy.unprivileged_start = 81;
        assert_eq!(predict(&new, &[], &policy, false).result, Some(BindResult::Denied));
        policy.unprivileged_start = 0;
        assert_eq!(predict(&new, &[], &policy, false).result, Some(BindResult::Ok));
    }

    #[test]
    fn unknown_options_are_unknown_only_where_they_decide() {
        let plain = request("0.0.0.0");
        let reuse_addr = BindRequest { reuse_addr: true, ..plain };
        let reuse_port = BindRequest { reuse_port: true, ..plain };
        let bound = unknown(Occupant { state: Some(TcpState::Bound), ..listener("0.0.0.0") });
        let listening = unknown(listener("0.0.0.0"));
        assert_eq!(conflict(&plain, &bound), Conflict::Yes);
        assert_eq!(conflict(&reuse_addr, &bound), Conflict::Unknown);
        assert_eq!(conflict(&reuse_addr, &listening), Conflict::Yes);
        assert_eq!(listen_conflict(&reuse_addr, &listening), Conflict::Yes);
        assert_eq!(conflict(&reuse_port, &listening), Conflict::Unknown);
        let stranger = Occupant { uid: Some(ME + 1), ..listening };
        assert_eq!(conflict(&reuse_port, &stranger), Conflict::Yes);
        let nobody_knows = Occupant { uid: None, reuse_port: Some(true), ..listening };
        assert_eq!(conflict(&reuse_port, &nobody_knows), Conflict::Unknown);
        assert_eq!(conflict(&reuse_addr, &unknown(listener("::1"))), Conflict::No);

        let both = predict(&reuse_addr, &[bound, listening], &Policy::default(), false);
        assert_eq!(
            both,
            Prediction { result: Some(BindResult::InUse), blockers: vec![1], maybe: vec![0] }
        );
        assert_eq!(answer(&reuse_addr, &[bound]), None);
    }

    #[test]
    fn udp_shares_by_reuse_addr_and_never_listens() {
        let udp = |occupant| Occupant { transport: Transport::Udp, state: None, ..occupant };
        let new = BindRequest { transport: Transport::Udp, ..request("0.0.0.0") };
        let old = udp(Occupant { reuse_addr: Some(true), ..listener("0.0.0.0") });
        assert_eq!(conflict(&new, &old), Conflict::Yes);
        assert_eq!(listen_conflict(&new, &old), Conflict::No);
        assert_eq!(conflict(&BindRequest { reuse_addr: true, ..new }, &old), Conflict::No);
    }

    #[test]
    fn remains_have_lost_their_creator() {
        let new = BindRequest { reuse_port: true, ..request("127.0.0.1") };
        let remains = Occupant { reuse_port: Some(true), ..time_wait("127.0.0.1") };
        assert_eq!(conflict(&new, &remains), Conflict::No);
        let owned = Occupant { mini: false, state: Some(TcpState::FinWait2), ..remains };
        assert_eq!(conflict(&new, &owned), Conflict::Unknown);
    }

    #[test]
    fn a_connection_over_ipv6_blocks_the_ipv4_wildcard_unless_v6only() {
        let of_dual = Occupant { v6only: Some(false), ..time_wait("::1") };
        let of_v6only = Occupant { v6only: Some(true), ..of_dual };
        let unsaid = Occupant { v6only: None, ..of_dual };
        let v4 = request("0.0.0.0");
        assert_eq!(conflict(&v4, &of_dual), Conflict::Yes);
        assert_eq!(conflict(&v4, &of_v6only), Conflict::No);
        assert_eq!(conflict(&v4, &unsaid), Conflict::Unknown);
        assert_eq!(conflict(&request("127.0.0.1"), &unsaid), Conflict::No);
        assert_eq!(conflict(&request("::ffff:0.0.0.0"), &unsaid), Conflict::No);
        assert_eq!(conflict(&request("::"), &unsaid), Conflict::Yes);
        // A bind, unlike a connection, to a concrete address is v6-only whatever is claimed.
        assert_eq!(conflict(&v4, &listener("::1")), Conflict::No);
        // Nothing is unknown about IPv4 spoken over an IPv6 socket.
        assert_eq!(conflict(&v4, &time_wait("::ffff:127.0.0.1")), Conflict::Yes);
        // What /proc/net/tcp6 leaves unsaid of a listener.
        let wildcard = Occupant { v6only: None, ..listener("::") };
        assert_eq!(conflict(&v4, &wildcard), Conflict::Unknown);
        assert_eq!(conflict(&request("::1"), &wildcard), Conflict::Yes);
    }

    #[test]
    fn sockets_become_occupants_as_the_kernel_sees_them() {
        let socket = |state, inode| {
            let mut socket = Socket::new(Protocol::Tcp, LocalAddress::Inet(at("::1")), state);
            socket.inode = inode;
            socket.uid = Some(0);
            socket
        };
        let occupant = |state, inode| Occupant::from_socket(&socket(Some(state), inode));
        for (state, inode, mini, connected, uid) in [
            (TcpState::Listen, Some(1), false, false, Some(0)),
            (TcpState::Bound, Some(1), false, false, Some(0)),
            (TcpState::Established, Some(1), false, true, Some(0)),
            (TcpState::Established, None, false, true, None),
            (TcpState::FinWait1, None, false, true, None),
            (TcpState::FinWait2, None, true, true, None),
            (TcpState::FinWait2, Some(1), false, true, Some(0)),
            (TcpState::TimeWait, None, true, true, None),
            (TcpState::SynReceived, Some(1), false, true, Some(0)),
        ] {
            let got = occupant(state, inode).unwrap();
            assert_eq!((got.mini, got.connected, got.uid), (mini, connected, uid), "{state:?}");
            assert_eq!((got.v6only, got.reuse_addr, got.reuse_port), (None, None, None));
        }
        assert_eq!(occupant(TcpState::SynReceived, None), None);
        assert_eq!(occupant(TcpState::Closed, Some(1)), None);

        let mut elsewhere = socket(Some(TcpState::Listen), Some(1));
        elsewhere.netns = Some(0);
        assert_eq!(Occupant::from_socket(&elsewhere), None);
        let unix = Socket::new(Protocol::Unix, LocalAddress::Unnamed, None);
        assert_eq!(Occupant::from_socket(&unix), None);
        let mut udp = Socket::new(Protocol::Udp, LocalAddress::Inet(at("::1")), None);
        assert!(!Occupant::from_socket(&udp).unwrap().connected);
        udp.remote = Some(at("::1"));
        assert!(Occupant::from_socket(&udp).unwrap().connected);
    }

    #[test]
    fn the_most_specific_listener_answers() {
        let shared = |ip| Occupant { reuse_port: Some(true), ..listener(ip) };
        let v6only = Occupant { v6only: Some(true), ..listener("::") };
        let who = |listeners: &[Occupant], to: &str| answers(listeners, at(to).ip());

        let wild_and_exact = [listener("0.0.0.0"), listener("127.0.0.1"), listener("::")];
        assert_eq!(who(&wild_and_exact, "127.0.0.1"), [1]);
        assert_eq!(who(&wild_and_exact, "::ffff:127.0.0.1"), [1]);
        assert_eq!(who(&wild_and_exact, "127.0.0.2"), [0]);
        assert_eq!(who(&wild_and_exact, "::1"), [2]);
        assert_eq!(who(&[listener("::")], "127.0.0.1"), [0]);
        assert_eq!(who(&[v6only], "127.0.0.1"), [0_usize; 0]);
        assert_eq!(who(&[v6only, listener("127.0.0.2")], "127.0.0.1"), [0_usize; 0]);
        // Exact beats family, family beats nothing else.
        assert_eq!(who(&[listener("::ffff:127.0.0.1"), listener("0.0.0.0")], "127.0.0.1"), [0]);
        assert_eq!(who(&[shared("::ffff:127.0.0.1"), shared("127.0.0.1")], "127.0.0.1"), [1]);
        // A group shares.
        let group = [shared("::"), shared("0.0.0.0"), shared("0.0.0.0"), shared("::")];
        assert_eq!(who(&group, "127.0.0.1"), [1, 2]);
        assert_eq!(who(&group, "::1"), [0, 3]);
        // What does not listen does not answer.
        let bound = Occupant { state: Some(TcpState::Bound), ..listener("127.0.0.1") };
        assert_eq!(who(&[bound, time_wait("127.0.0.1"), listener("::")], "127.0.0.1"), [2]);
        let udp = Occupant { transport: Transport::Udp, state: None, ..listener("127.0.0.1") };
        let peer = Occupant { connected: true, ..udp };
        assert_eq!(who(&[peer, udp], "127.0.0.1"), [1]);
    }

    #[test]
    fn a_device_bound_listener_answers_on_its_device() {
        let wild = listener("0.0.0.0");
        let on = |device| Occupant { device: Some(device), ..wild };
        let all = [wild, on(1), on(2)];
        let to = at("127.0.0.1").ip();
        assert_eq!(answers(&all, to), [0]);
        assert_eq!(answers_on(&all, to, Some(1)), [1]);
        assert_eq!(answers_on(&all, to, Some(3)), [0]);
        assert_eq!(answers(&all[1..], to), [0_usize; 0]);
    }

    #[test]
    fn a_reuse_addr_success_proves_the_option_of_all_it_meets() {
        let old = [
            unknown(time_wait("127.0.0.1")),
            unknown(time_wait("127.0.0.2")),
            unknown(Occupant { v6only: Some(true), ..time_wait("::1") }),
        ];
        let probe = attempt("0.0.0.0", BindResult::InUse, BindResult::Ok);
        let yes = Learned { reuse_addr: Some(true), ..Learned::default() };
        for complete in [false, true] {
            let got = infer_options(&[probe], &old, complete);
            assert_eq!(got, [yes, yes, Learned::default()]);
        }
        let after = old[0].learn(yes);
        assert_eq!((after.reuse_addr, after.reuse_port), (Some(true), None));
    }

    #[test]
    fn a_failure_blames_only_a_lone_suspect() {
        let probe = attempt("127.0.0.1", BindResult::InUse, BindResult::InUse);
        let remains = unknown(time_wait("127.0.0.1"));
        let no = Learned { reuse_addr: Some(false), ..Learned::default() };
        let nothing = Learned::default();
        assert_eq!(infer_options(&[probe], &[remains], true), [no]);
        assert_eq!(infer_options(&[probe], &[remains], false), [nothing]);
        assert_eq!(infer_options(&[probe], &[remains, remains], true), [nothing, nothing]);
        // A listener explains the failure whatever its options are.
        let listening = unknown(listener("127.0.0.1"));
        assert_eq!(infer_options(&[probe], &[remains, listening], true), [nothing, nothing]);
        // Cleared by another probe, one of two is no suspect any more.
        let other = unknown(time_wait("127.0.0.2"));
        let cleared = attempt("127.0.0.2", BindResult::InUse, BindResult::Ok);
        let every = attempt("0.0.0.0", BindResult::InUse, BindResult::InUse);
        let yes = Learned { reuse_addr: Some(true), ..nothing };
        assert_eq!(infer_options(&[every, cleared], &[remains, other], true), [no, yes]);
    }

    #[test]
    fn contradictions_and_other_errors_prove_nothing() {
        let nothing = Learned::default();
        let listening = [unknown(listener("0.0.0.0"))];
        let gone = attempt("0.0.0.0", BindResult::Ok, BindResult::Ok);
        assert_eq!(infer_options(&[gone], &listening, true), [nothing]);
        let remains = [unknown(time_wait("0.0.0.0"))];
        for result in [BindResult::Denied, BindResult::NotLocal, BindResult::Other(22)] {
            let probe = attempt("0.0.0.0", result, result);
            assert_eq!(infer_options(&[probe], &remains, true), [nothing]);
        }
        assert_eq!(infer_options(&[], &remains, true), [nothing]);
    }

    #[test]
    fn a_plain_bind_tells_v6only() {
        let old = [unknown(time_wait("::1"))];
        let tell = |result| infer_options(&[attempt("0.0.0.0", result, result)], &old, true)[0];
        assert_eq!(tell(BindResult::Ok), Learned { v6only: Some(true), ..Learned::default() });
        let refused =
            Learned { v6only: Some(false), reuse_addr: Some(false), ..Learned::default() };
        assert_eq!(tell(BindResult::InUse), refused);
    }

    #[test]
    fn results_have_names() {
        for (errno, name) in [
            (0, "ok"),
            (98, "EADDRINUSE"),
            (48, "EADDRINUSE"),
            (13, "EACCES"),
            (99, "EADDRNOTAVAIL"),
            (22, "EINVAL"),
            (97, "EAFNOSUPPORT"),
            (10048, "EADDRINUSE"),
            (200, "errno 200"),
        ] {
            assert_eq!(BindResult::from_errno(errno).name(), name);
        }
    }

    fn any_ip() -> impl Strategy<Value = IpAddr> {
        let notable = [
            "0.0.0.0",
            "127.0.0.1",
            "127.0.0.2",
            "::",
            "::1",
            "::2",
            "fe80::1",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "255.255.255.255",
            "ff02::1",
        ];
        prop_oneof![
            8 => prop::sample::select(notable.map(|ip| ip.parse::<IpAddr>().unwrap()).to_vec()),
            1 => any::<IpAddr>(),
        ]
    }

    fn any_transport() -> impl Strategy<Value = Transport> {
        prop::sample::select(Transport::ALL.to_vec())
    }

    fn any_request() -> impl Strategy<Value = BindRequest> {
        let place = (any_transport(), any_ip(), 0_u16..3);
        let who = (0_u32..2, prop::option::of(1_u32..3));
        (place, any::<[bool; 3]>(), who).prop_map(
            |((transport, ip, port), [v6only, reuse_addr, reuse_port], (uid, device))| {
                let address = SocketAddr::new(ip, port);
                BindRequest { transport, address, v6only, reuse_addr, reuse_port, uid, device }
            },
        )
    }

    /// The socket that a successful bind makes, which does not listen.
    fn bound(request: &BindRequest) -> Occupant {
        Occupant {
            transport: request.transport,
            address: request.address,
            v6only: Some(request.v6only),
            state: (request.transport == Transport::Tcp).then_some(TcpState::Bound),
            connected: false,
            mini: false,
            reuse_addr: Some(request.reuse_addr),
            reuse_port: Some(request.reuse_port),
            uid: Some(request.uid),
            device: request.device,
        }
    }

    fn any_occupant() -> impl Strategy<Value = Occupant> {
        let states = [TcpState::Listen, TcpState::Bound, TcpState::TimeWait, TcpState::FinWait2];
        let facts = (any::<bool>(), any::<bool>(), prop::sample::select(states.to_vec()));
        let unknowns = any::<[bool; 4]>();
        (any_request(), facts, unknowns).prop_map(|(request, (connected, mini, state), hide)| {
            let whole = bound(&request);
            Occupant {
                connected,
                mini,
                state: whole.state.map(|_| state),
                v6only: whole.v6only.filter(|_| !hide[0]),
                reuse_addr: whole.reuse_addr.filter(|_| !hide[1]),
                reuse_port: whole.reuse_port.filter(|_| !hide[2]),
                uid: whole.uid.filter(|_| !hide[3]),
                ..whole
            }
        })
    }

    fn any_result() -> impl Strategy<Value = BindResult> {
        prop_oneof![
            3 => Just(BindResult::Ok),
            3 => Just(BindResult::InUse),
            1 => any::<i32>().prop_map(BindResult::from_errno),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn two_binds_conflict_in_either_order_alike(a in any_request(), b in any_request()) {
            prop_assert_eq!(conflict(&a, &bound(&b)), conflict(&b, &bound(&a)));
            prop_assert_ne!(conflict(&a, &bound(&b)), Conflict::Unknown);
        }

        /// Unknown is said exactly where the unknown facts could decide either way.
        #[test]
        fn unknown_means_either(new in any_request(), old in any_occupant(), uid in 0_u32..2) {
            let users = old.uid.map_or(vec![new.uid, new.uid + 1, uid], |uid| vec![uid]);
            let worlds = possibilities(&old).into_iter().flat_map(|world| {
                users.iter().map(move |uid| Occupant { uid: Some(*uid), ..world })
            });
            let mut seen: Vec<_> = worlds.map(|world| conflict(&new, &world)).collect();
            prop_assert!(!seen.contains(&Conflict::Unknown));
            seen.dedup();
            let agreed = seen.iter().all(|answer| *answer == seen[0]);
            let want = if agreed { seen[0] } else { Conflict::Unknown };
            prop_assert_eq!(conflict(&new, &old), want);
        }

        /// Whatever is hidden and then inferred from the true answers is what was hidden.
        #[test]
        fn inference_finds_the_truth(
            olds in prop::collection::vec(any_occupant(), 0..4),
            ips in prop::collection::vec((any_transport(), any_ip()), 0..6),
        ) {
            let real: Vec<_> = olds
                .iter()
                .map(|old| Occupant {
                    v6only: old.v6only.or(Some(true)),
                    reuse_addr: old.reuse_addr.or(Some(true)),
                    reuse_port: old.reuse_port.or(Some(false)),
                    ..*old
                })
                .collect();
            let tried = |probe: &BindRequest| {
                let free = real.iter().all(|old| conflict(probe, old) == Conflict::No);
                if free { BindResult::Ok } else { BindResult::InUse }
            };
            let attempts: Vec<_> = ips
                .into_iter()
                .map(|(transport, ip)| {
                    let address = SocketAddr::new(ip, 1);
                    let (plain, reuse_addr) = (BindResult::Denied, BindResult::Denied);
                    let blank = Attempt { transport, address, plain, reuse_addr };
                    let [(plain, _), (reuse_addr, _)] = blank.probes();
                    Attempt { plain: tried(&plain), reuse_addr: tried(&reuse_addr), ..blank }
                })
                .collect();
            for (learned, (old, truth)) in
                infer_options(&attempts, &olds, true).iter().zip(olds.iter().zip(&real))
            {
                let after = old.learn(*learned);
                for (found, fact) in [
                    (after.reuse_addr, truth.reuse_addr),
                    (after.reuse_port, truth.reuse_port),
                    (learned.v6only, truth.v6only),
                ] {
                    prop_assert!(found.is_none() || found == fact);
                }
            }
        }

        #[test]
        fn nothing_panics(
            new in any_request(),
            olds in prop::collection::vec(any_occupant(), 0..5),
            ip in any_ip(),
            results in (any_result(), any_result()),
            complete in any::<bool>(),
        ) {
            let prediction = predict(&new, &olds, &Policy::default(), false);
            prop_assert!(prediction.blockers.iter().all(|index| *index < olds.len()));
            prop_assert!(answers(&olds, ip).iter().all(|index| *index < olds.len()));
            let (plain, reuse_addr) = results;
            let attempt = Attempt { transport: new.transport, address: new.address, plain, reuse_addr };
            prop_assert_eq!(infer_options(&[attempt], &olds, complete).len(), olds.len());
            for old in &olds {
                let _ = listen_conflict(&new, old);
            }
            let _ = (plain.name(), reuse_addr.name());
        }
    }
}
