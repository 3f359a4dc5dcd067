//! Holds the bind rules to the kernel under the tests: real sockets in every ordinary state are
//! put on ports of the kernel's choice, and every ordinary bind is tried against each.
//!
//! Each port is one that nothing else has on any address. Another program may still draw it
//! meanwhile, so a difference counts only if it shows again on two other ports. Connections end
//! by reset, lest their remains fill the range that everybody draws from; only those that are
//! the subject stay. Not here: other users (the recorded matrix has them).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's own sockets either work or fail the test")]
#![allow(clippy::print_stderr, reason = "what is left out is said aloud")]

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use proc_core::addr::Transport;
use proc_core::bind::{
    BindRequest, BindResult, Conflict, Occupant, answers, listen_conflict, predict,
};
use proc_core::snapshot::Policy;
use proc_core::socket::TcpState;
use rustix::io::{Errno, ioctl_fionbio, read};
use rustix::net::sockopt::{
    set_ipv6_v6only, set_socket_linger, set_socket_reuseaddr, set_socket_reuseport,
};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept, bind, connect, getsockname, listen, socket_with,
};
use rustix::process::geteuid;

#[test]
fn the_kernel_answers_binds_as_predicted() {
    let places = places();
    let mut cases = 0;
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        for place in places.iter().filter(|place| kind.fits(place)) {
            for options in Options::ALL {
                let differ = || differences(kind, *place, options, &places);
                let (tried, mut differing) = differ();
                cases += tried;
                for _ in 0..2 {
                    if !differing.is_empty() {
                        let (_, again) = differ();
                        differing.retain(|difference| again.contains(difference));
                    }
                }
                wrong.extend(differing);
            }
        }
    }
    eprintln!("{cases} binds compared with the kernel");
    assert!(cases >= if has_ipv6() { 4000 } else { 300 });
    assert!(wrong.is_empty(), "{} wrong, first {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

#[test]
fn connections_reach_who_answers() {
    let shared = Options { reuse_addr: false, reuse_port: true };
    let everywhere: Vec<Place> = places();
    let mut connections = 0;
    for chosen in 1_u32..1 << everywhere.len() {
        let chosen: Vec<Place> = (0..everywhere.len())
            .filter(|index| chosen & (1 << index) != 0)
            .map(|index| everywhere[index])
            .collect();
        let right = (0..3).any(|_| match all_listen(&chosen, shared) {
            Some(servers) => {
                connections += 1;
                reach(&servers)
            }
            None => false,
        });
        assert!(right, "wrong answerer among listeners on {chosen:?}");
    }
    assert!(connections >= everywhere.len());
}

/// How a socket comes to occupy a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Listening,
    Bound,
    /// A connection whose listener is closed.
    Accepted,
    /// What remains of one that was closed here first.
    TimeWait,
    /// A connection from a socket that was bound before.
    Outgoing,
    Udp,
    UdpConnected,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Listening,
        Self::Bound,
        Self::Accepted,
        Self::TimeWait,
        Self::Outgoing,
        Self::Udp,
        Self::UdpConnected,
    ];

    const fn transport(self) -> Transport {
        match self {
            Self::Udp | Self::UdpConnected => Transport::Udp,
            _ => Transport::Tcp,
        }
    }

    const fn state(self) -> Option<TcpState> {
        match self {
            Self::Listening => Some(TcpState::Listen),
            Self::Bound => Some(TcpState::Bound),
            Self::Accepted | Self::Outgoing => Some(TcpState::Established),
            Self::TimeWait => Some(TcpState::TimeWait),
            Self::Udp | Self::UdpConnected => None,
        }
    }

    const fn is_connected(self) -> bool {
        matches!(self, Self::Accepted | Self::TimeWait | Self::Outgoing | Self::UdpConnected)
    }

    /// Speaking IPv4 to a dual-stack socket makes a difference only to connections.
    fn fits(self, place: &Place) -> bool {
        self.is_connected() || !place.ipv4_peer
    }
}

/// An address to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    ip: IpAddr,
    v6only: bool,
    /// For `::`, whether its connections are IPv4.
    ipv4_peer: bool,
}

impl Place {
    /// Where to connect to, or from, by a socket bound here.
    fn peer(self) -> IpAddr {
        let name = match self.ip {
            IpAddr::V4(_) => "127.0.0.1",
            IpAddr::V6(_) if self.ipv4_peer => "::ffff:127.0.0.1",
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "::ffff:127.0.0.1",
            IpAddr::V6(_) => "::1",
        };
        name.parse().unwrap()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Options {
    reuse_addr: bool,
    reuse_port: bool,
}

impl Options {
    const ALL: [Self; 4] = [
        Self { reuse_addr: false, reuse_port: false },
        Self { reuse_addr: true, reuse_port: false },
        Self { reuse_addr: false, reuse_port: true },
        Self { reuse_addr: true, reuse_port: true },
    ];
}

/// A bind or listen that the kernel answered otherwise than predicted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    old: (Kind, Place, Options),
    new: (Place, Options),
    said: String,
}

fn has_ipv6() -> bool {
    let loopback: SocketAddr = "[::1]:0".parse().unwrap();
    std::net::UdpSocket::bind(loopback).is_ok()
}

fn places() -> Vec<Place> {
    let place = |ip: &str| Place { ip: ip.parse().unwrap(), v6only: false, ipv4_peer: false };
    let mut places = vec![place("0.0.0.0"), place("127.0.0.1")];
    if has_ipv6() {
        places.extend([
            place("::"),
            Place { v6only: true, ..place("::") },
            place("::1"),
            place("::ffff:127.0.0.1"),
            Place { ipv4_peer: true, ..place("::") },
        ]);
    } else {
        eprintln!("NOT TESTED: this machine has no ::1, so no IPv6 bind is compared");
    }
    places
}

/// Addresses that are tried as new ones only.
fn rarities(kind: Kind) -> Vec<Place> {
    let place = |ip: &str| Place { ip: ip.parse().unwrap(), v6only: false, ipv4_peer: false };
    let mut rarities = vec![place("127.0.0.2")];
    if has_ipv6() {
        let mapped = place("::ffff:127.0.0.1");
        rarities.extend([place("::ffff:0.0.0.0"), Place { v6only: true, ..mapped }]);
        rarities.push(place("fe80::1"));
    }
    // The placeholder of connected IPv6 sockets. TCP before Linux 6.1 compared it too.
    if kind.transport() == Transport::Udp {
        rarities.push(place("127.0.0.6"));
    }
    rarities
}

/// Occupies a port that way and tries every bind on it: how many, and what differed.
fn differences(
    kind: Kind,
    place: Place,
    options: Options,
    places: &[Place],
) -> (usize, BTreeSet<Difference>) {
    let (old, _held) = occupy(kind, place, options);
    let mut tried = 0;
    let mut differences = BTreeSet::new();
    for new in places.iter().filter(|new| !new.ipv4_peer).chain(&rarities(kind)) {
        for new_options in Options::ALL {
            tried += 1;
            let request = request(kind.transport(), *new, old.address.port(), new_options);
            let mut note = |what: &str, said: BindResult, predicted: String| {
                if predicted != said.name() {
                    differences.insert(Difference {
                        old: (kind, place, options),
                        new: (*new, new_options),
                        said: format!("{what}: {}, predicted {predicted}", said.name()),
                    });
                }
            };
            let (bound, listened) = attempt(&request);
            let predicted = predict(&request, &[old], &Policy::default(), false).result;
            note("bind", bound, predicted.map_or("nothing".into(), |it| it.name().into_owned()));
            if let Some(listened) = listened {
                let predicted = match listen_conflict(&request, &old) {
                    Conflict::No => "ok",
                    Conflict::Yes => "EADDRINUSE",
                    Conflict::Unknown => "nothing",
                };
                note("listen", listened, predicted.into());
            }
        }
    }
    (tried, differences)
}

fn request(transport: Transport, place: Place, port: u16, options: Options) -> BindRequest {
    BindRequest {
        transport,
        address: SocketAddr::new(place.ip, port),
        v6only: place.v6only,
        reuse_addr: options.reuse_addr,
        reuse_port: options.reuse_port,
        uid: geteuid().as_raw(),
        device: None,
    }
}

/// The kernel's answers to bind(2), and to listen(2) where there is something to listen on.
fn attempt(request: &BindRequest) -> (BindResult, Option<BindResult>) {
    let answer = |result: Result<(), Errno>| match result {
        Ok(()) => BindResult::Ok,
        Err(errno) => BindResult::from_errno(errno.raw_os_error()),
    };
    let socket = unbound(request);
    let bound = bind(&socket, &request.address);
    let listens = bound.is_ok() && request.transport == Transport::Tcp;
    (answer(bound), listens.then(|| answer(listen(&socket, 1))))
}

fn unbound(request: &BindRequest) -> OwnedFd {
    let socket = plain_socket(request.transport, request.address.ip());
    if request.address.is_ipv6() {
        set_ipv6_v6only(&socket, request.v6only).unwrap();
    }
    set_socket_reuseaddr(&socket, request.reuse_addr).unwrap();
    set_socket_reuseport(&socket, request.reuse_port).unwrap();
    socket
}

fn plain_socket(transport: Transport, ip: IpAddr) -> OwnedFd {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = match transport {
        Transport::Tcp => SocketType::STREAM,
        Transport::Udp => SocketType::DGRAM,
    };
    socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap()
}

fn local(socket: &OwnedFd) -> SocketAddr {
    getsockname(socket).unwrap().try_into().unwrap()
}

/// Has close(2) send a reset, which leaves no TIME-WAIT (SO_LINGER of zero, socket(7)).
fn end_by_reset(socket: &OwnedFd) {
    set_socket_linger(socket, Some(Duration::ZERO)).unwrap();
}

/// A port that nothing has on any address: what a plain dual-stack bind draws.
fn unused_port(transport: Transport) -> u16 {
    let every: IpAddr = if has_ipv6() { "::" } else { "0.0.0.0" }.parse().unwrap();
    let every = Place { ip: every, v6only: false, ipv4_peer: false };
    let request = request(transport, every, 0, Options::ALL[0]);
    let socket = unbound(&request);
    bind(&socket, &request.address).unwrap();
    local(&socket).port()
}

/// A socket bound to a port that it has alone.
fn bound_alone(transport: Transport, place: Place, options: Options) -> (BindRequest, OwnedFd) {
    for _ in 0..100 {
        let request = request(transport, place, unused_port(transport), options);
        let socket = unbound(&request);
        if bind(&socket, &request.address).is_ok() {
            return (request, socket);
        }
    }
    panic!("cannot bind {place:?} to any of 100 unused ports")
}

/// Takes a port of the kernel's choice, and keeps what must stay open for it.
fn occupy(kind: Kind, place: Place, options: Options) -> (Occupant, Vec<OwnedFd>) {
    let (request, socket) = bound_alone(kind.transport(), place, options);
    let port = request.address.port();
    let (address, held) = match kind {
        Kind::Bound | Kind::Udp => (local(&socket), vec![socket]),
        Kind::Listening => {
            listen(&socket, 8).unwrap();
            (local(&socket), vec![socket])
        }
        Kind::UdpConnected => {
            connect(&socket, &SocketAddr::new(place.peer(), 9)).unwrap();
            (local(&socket), vec![socket])
        }
        Kind::Outgoing => {
            let target = plain_socket(Transport::Tcp, place.peer());
            bind(&target, &SocketAddr::new(place.peer(), 0)).unwrap();
            listen(&target, 8).unwrap();
            connect(&socket, &local(&target)).unwrap();
            end_by_reset(&socket);
            (local(&socket), vec![socket, target])
        }
        Kind::Accepted | Kind::TimeWait => {
            listen(&socket, 8).unwrap();
            let client = plain_socket(Transport::Tcp, place.peer());
            connect(&client, &SocketAddr::new(place.peer(), port)).unwrap();
            let server = accept(&socket).unwrap();
            let address = local(&server);
            if kind == Kind::Accepted {
                end_by_reset(&server);
                (address, vec![server, client])
            } else {
                drop(server);
                assert_eq!(read(&client, &mut [0; 1]), Ok(0), "the other side closed first");
                (address, Vec::new())
            }
        }
    };
    // A bind to a concrete IPv6 address sets IPV6_V6ONLY, and connections inherit it.
    let concrete = place.ip.is_ipv6() && !place.ip.is_unspecified();
    let occupant = Occupant {
        transport: kind.transport(),
        address,
        v6only: Some(place.v6only || concrete),
        state: kind.state(),
        connected: kind.is_connected(),
        mini: kind == Kind::TimeWait,
        reuse_addr: Some(options.reuse_addr),
        reuse_port: Some(options.reuse_port),
        uid: Some(request.uid),
        device: None,
    };
    (occupant, held)
}

/// Listeners on all these places and one port; `None` where somebody else was in the way.
fn all_listen(places: &[Place], options: Options) -> Option<Vec<(Occupant, OwnedFd)>> {
    let mut servers: Vec<(Occupant, OwnedFd)> = Vec::new();
    let port = unused_port(Transport::Tcp);
    for place in places {
        let request = request(Transport::Tcp, *place, port, options);
        let socket = unbound(&request);
        bind(&socket, &request.address).ok()?;
        listen(&socket, 8).ok()?;
        let occupant = Occupant {
            transport: Transport::Tcp,
            address: local(&socket),
            v6only: Some(place.v6only),
            state: Some(TcpState::Listen),
            connected: false,
            mini: false,
            reuse_addr: Some(options.reuse_addr),
            reuse_port: Some(options.reuse_port),
            uid: Some(request.uid),
            device: None,
        };
        servers.push((occupant, socket));
    }
    Some(servers)
}

/// Whether a connection to each loopback address is accepted by a server said to answer there.
fn reach(servers: &[(Occupant, OwnedFd)]) -> bool {
    let occupants: Vec<Occupant> = servers.iter().map(|(occupant, _)| *occupant).collect();
    let port = occupants[0].address.port();
    let ipv6: &[&str] = if has_ipv6() { &["::1"] } else { &[] };
    ["127.0.0.1", "127.0.0.2"].iter().chain(ipv6).all(|destination| {
        let destination: IpAddr = destination.parse().unwrap();
        let expected = answers(&occupants, destination);
        let client = plain_socket(Transport::Tcp, destination);
        end_by_reset(&client);
        if connect(&client, &SocketAddr::new(destination, port)).is_err() {
            return expected.is_empty();
        }
        let accepted = servers.iter().position(|(_, server)| {
            ioctl_fionbio(server, true).unwrap();
            accept(server).is_ok_and(|connection| {
                end_by_reset(&connection);
                true
            })
        });
        accepted.is_some_and(|index| expected.contains(&index))
    })
}
