//! Holds the cheap look at known ports to real sockets: what each kind of glance finds, and what
//! it must not take for a server.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's own sockets either work or fail the test")]
#![allow(clippy::print_stderr, reason = "what is measured is said aloud")]

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Instant;

use proc_core::addr::{AddressScope, Endpoint, Port, Transport};
use proc_core::host::{Glance, Host, LiveHost};
use proc_core::socket::{Protocol, Socket, TcpState};
use proc_testkit::free_port;
use rustix::net::sockopt::{set_ipv6_v6only, socket_cookie};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

const TCP: Option<Transport> = Some(Transport::Tcp);
const UDP: Option<Transport> = Some(Transport::Udp);

fn every(transport: Option<Transport>, port: u16) -> Endpoint {
    Endpoint { transport, ..Endpoint::any(Port::new(port).unwrap()) }
}

fn at(address: &str, port: u16) -> Endpoint {
    let address: IpAddr = address.parse().unwrap();
    Endpoint { address: AddressScope::One(address, 0), ..every(TCP, port) }
}

fn look(endpoint: Endpoint, glance: Glance) -> Vec<Socket> {
    LiveHost::default().servers(&[endpoint], glance).unwrap()
}

fn cookies(sockets: &[Socket]) -> Vec<u64> {
    sockets.iter().filter_map(|socket| socket.cookie).collect()
}

/// A listener as a server makes it, on a port of the kernel's choice.
fn listener(address: &str, v6only: bool) -> (OwnedFd, u16) {
    let ip: IpAddr = address.parse().unwrap();
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    if ip.is_ipv6() {
        set_ipv6_v6only(&fd, v6only).unwrap();
    }
    bind(&fd, &SocketAddr::new(ip, free_port())).unwrap();
    listen(&fd, 8).unwrap();
    let port = TcpListener::from(fd.try_clone().unwrap()).local_addr().unwrap().port();
    (fd, port)
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn a_listener_is_found_wherever_it_answers() {
    let v6 = [("::", false), ("::", true), ("::1", true)];
    let v4 = [("0.0.0.0", false), ("127.0.0.1", false)];
    for (address, v6only) in v4.into_iter().chain(v6.into_iter().filter(|_| has_ipv6())) {
        let (fd, port) = listener(address, v6only);
        let wanted = vec![socket_cookie(&fd).unwrap()];
        for glance in [Glance::Quick, Glance::Servers, Glance::Thorough] {
            let found = look(every(TCP, port), glance);
            assert_eq!(cookies(&found), wanted, "{address} {v6only} {glance:?}: {found:?}");
            assert_eq!(found[0].ip(), Some(address.parse().unwrap()));
            assert_eq!(found[0].state, Some(TcpState::Listen));
            assert_eq!(found[0].v6only, address.contains(':').then_some(v6only));
            assert_eq!(found[0].uid, Some(rustix::process::geteuid().as_raw()));
            assert!(found[0].inode.is_some() && found[0].netns.is_none());
            // Its own transport only.
            assert!(look(every(UDP, port), glance).is_empty());
        }
        // Asked for one address, it counts where it answers there.
        let v4 = !address.contains(':') || (address == "::" && !v6only);
        let v6 = address.starts_with("::");
        assert_eq!(!look(at("127.0.0.1", port), Glance::Quick).is_empty(), v4, "{address}");
        assert_eq!(!look(at("::1", port), Glance::Quick).is_empty(), v6, "{address}");
        drop(fd);
        assert!(look(every(TCP, port), Glance::Thorough).is_empty());
    }
}

#[test]
fn another_concrete_address_takes_a_thorough_look_or_its_name() {
    let (fd, port) = listener("127.0.0.2", false);
    assert!(look(every(TCP, port), Glance::Quick).is_empty());
    let wanted = vec![socket_cookie(&fd).unwrap()];
    assert_eq!(cookies(&look(every(TCP, port), Glance::Servers)), wanted);
    assert_eq!(cookies(&look(every(TCP, port), Glance::Thorough)), wanted);
    assert_eq!(cookies(&look(at("127.0.0.2", port), Glance::Quick)), wanted);
    assert_eq!(cookies(&look(at("::ffff:127.0.0.2", port), Glance::Quick)), wanted);
}

#[test]
fn a_connection_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let clients_port = client.local_addr().unwrap().port();
    for glance in [Glance::Quick, Glance::Thorough] {
        assert_eq!(look(every(TCP, port), glance).len(), 1, "the listener alone");
        assert!(look(every(TCP, clients_port), glance).is_empty());
    }
    drop(listener);
    for glance in [Glance::Quick, Glance::Thorough] {
        assert!(look(every(TCP, port), glance).is_empty(), "{glance:?}");
    }
    drop((client, accepted));
}

#[test]
fn a_bound_socket_is_seen_when_looked_for() {
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let fd = fd.unwrap();
    let port = free_port();
    bind(&fd, &SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    assert!(look(every(TCP, port), Glance::Quick).is_empty());
    assert!(look(every(TCP, port), Glance::Servers).is_empty());
    let lists_bound = LiveHost::default()
        .servers(&[every(TCP, port)], Glance::Thorough)
        .is_some_and(|found| !found.is_empty());
    if !lists_bound {
        return proc_testkit::skip("this kernel does not list bound sockets, or has many");
    }
    let found = look(every(TCP, port), Glance::Thorough);
    assert_eq!(found[0].state, Some(TcpState::Bound));
    assert_eq!(cookies(&found), [socket_cookie(&fd).unwrap()]);
    listen(&fd, 1).unwrap();
    assert_eq!(look(every(TCP, port), Glance::Quick)[0].cookie, found[0].cookie);
}

#[test]
fn udp_counts_while_it_takes_from_anybody() {
    for address in ["0.0.0.0", "127.0.0.1", "::", "::1"] {
        if address.contains(':') && !has_ipv6() {
            continue;
        }
        let socket = UdpSocket::bind((address, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        for glance in [Glance::Quick, Glance::Thorough] {
            let found = look(every(UDP, port), glance);
            assert_eq!(cookies(&found), [socket_cookie(&socket).unwrap()], "{address} {glance:?}");
            assert_eq!((found[0].protocol, found[0].state), (Protocol::Udp, None));
            assert!(look(every(TCP, port), glance).is_empty());
        }
        let other = UdpSocket::bind((address, 0)).unwrap();
        let to = if address.contains(':') { "::1" } else { "127.0.0.1" };
        socket.connect((to, other.local_addr().unwrap().port())).unwrap();
        for glance in [Glance::Quick, Glance::Thorough] {
            assert!(look(every(UDP, port), glance).is_empty(), "connected {address} {glance:?}");
        }
    }
}

#[test]
fn many_ports_are_one_look() {
    let listeners: Vec<TcpListener> =
        (0..40).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
    let endpoints: Vec<Endpoint> = ports.iter().map(|&port| every(None, port)).collect();
    for glance in [Glance::Quick, Glance::Thorough] {
        let found = LiveHost::default().servers(&endpoints, glance).unwrap();
        let mut seen: Vec<u16> = found
            .iter()
            .filter(|socket| socket.protocol == Protocol::Tcp)
            .filter_map(Socket::port)
            .collect();
        let mut wanted = ports.clone();
        seen.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(seen, wanted, "{glance:?}");
    }
}

#[test]
fn one_host_looks_again_and_again() {
    let host = LiveHost::default();
    for _ in 0..50 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = every(TCP, listener.local_addr().unwrap().port());
        for glance in [Glance::Quick, Glance::Thorough, Glance::Quick] {
            assert_eq!(host.servers(&[endpoint], glance).unwrap().len(), 1);
        }
        drop(listener);
        assert_eq!(host.servers(&[endpoint], Glance::Quick), Some(Vec::new()));
    }
    let idle = [every(TCP, free_port())];
    for glance in [Glance::Quick, Glance::Servers, Glance::Thorough] {
        let start = Instant::now();
        for _ in 0..1000 {
            assert_eq!(host.servers(&idle, glance), Some(Vec::new()));
        }
        eprintln!("{glance:?}: {:?} a look", start.elapsed() / 1000);
    }
    let many: Vec<Endpoint> = (3000..3004).map(|port| every(TCP, port)).collect();
    let start = Instant::now();
    for _ in 0..1000 {
        assert!(host.servers(&many, Glance::Quick).is_some());
    }
    eprintln!("Quick, 4 ports: {:?} a look", start.elapsed() / 1000);
}
