//! Holds the bind rules to what Linux 6.18 answered, 25,856 times: every pair of an existing
//! socket (protocol, state, address, options, user) and a new one (address, options).
//!
//! In `exist_state`, `_tw` is a connection that has become TIME-WAIT; `out_auto` is connect()
//! without bind(), `out_bound` bind() and connect(); in `bound_then_listen` the holder calls
//! listen() between the new socket's bind() and listen(). `fin_wait2` has no owner any more.
//! `+v4peer` is a connection over IPv4 to a dual-stack socket. `listen` is empty where it was
//! not tried.

#![allow(clippy::unwrap_used, reason = "the data is part of the test")]

use std::net::{IpAddr, SocketAddr};

use proc_core::addr::Transport;
use proc_core::bind::{
    BindRequest, BindResult, Conflict, Occupant, conflict, listen_conflict, predict,
};
use proc_core::snapshot::Policy;
use proc_core::socket::TcpState;

const MATRIX: &str = include_str!("data/bind-matrix-linux.csv");
const PORT: u16 = 20_000;
const ME: u32 = 1000;

#[test]
fn every_measured_bind_and_listen_is_predicted() {
    let mut lines = MATRIX.lines();
    assert_eq!(
        lines.next(),
        Some("proto,exist_state,exist_addr,exist_opts,exist_uid,new_addr,new_opts,bind,listen")
    );
    let (mut rows, mut listens) = (0, 0);
    let mut wrong = Vec::new();
    for line in lines {
        let row = Row::parse(line);
        rows += 1;
        let bind = conflict(&row.new, &row.old);
        if bind != answer(row.bind) {
            wrong.push(format!("bind: {bind:?} for {line}"));
        }
        let predicted = predict(&row.new, &[row.old], &Policy::default(), false).result;
        let measured = if row.bind == "ok" { BindResult::Ok } else { BindResult::InUse };
        if predicted != Some(measured) {
            wrong.push(format!("predict: {predicted:?} for {line}"));
        }
        if !row.listen.is_empty() {
            listens += 1;
            let listen = listen_conflict(&row.new, &row.old_at_listen);
            if listen != answer(row.listen) {
                wrong.push(format!("listen: {listen:?} for {line}"));
            }
        }
    }
    assert_eq!((rows, listens), (25_856, 14_013 + 252));
    assert!(wrong.is_empty(), "{} wrong, first {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

/// What saves seven of eight probes: there is no socket, in any state, on any address, with any
/// options, beside which the dual-stack wildcard can be bound plainly. Where it can be, nothing is
/// there that could stop any other bind.
#[test]
fn every_socket_stops_a_plain_dual_stack_bind() {
    let rows = MATRIX.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let answers: Vec<&str> =
        rows.filter(|row| row[5..7] == ["[::]", "none"]).map(|row| row[7]).collect();
    assert_eq!(answers.len(), 808);
    assert!(answers.iter().all(|bind| *bind == "EADDRINUSE"));
}

struct Row<'a> {
    old: Occupant,
    old_at_listen: Occupant,
    new: BindRequest,
    bind: &'a str,
    listen: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Self {
        let columns: Vec<&str> = line.split(',').collect();
        let [proto, state, old_address, old_options, uid, new_address, new_options, bind, listen] =
            columns[..]
        else {
            panic!("not nine columns: {line}")
        };
        let transport = match proto {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            other => panic!("protocol {other}"),
        };
        let uid = match uid {
            "same" => ME,
            "diff" => ME + 1,
            other => panic!("uid {other}"),
        };
        let old = old(transport, state, old_address, options(old_options), uid);
        let later = if state == "bound_then_listen" { Some(TcpState::Listen) } else { old.state };
        let (ip, v6only) = address(new_address);
        let (reuse_addr, reuse_port) = options(new_options);
        let new = BindRequest {
            transport,
            address: SocketAddr::new(ip, PORT),
            v6only,
            reuse_addr,
            reuse_port,
            uid: ME,
            device: None,
        };
        Self { old, old_at_listen: Occupant { state: later, ..old }, new, bind, listen }
    }
}

fn old(
    transport: Transport,
    name: &str,
    at: &str,
    (reuse_addr, reuse_port): (bool, bool),
    uid: u32,
) -> Occupant {
    let (tcp, connected) = match name {
        "listen" => (TcpState::Listen, false),
        "bound" | "bound_then_listen" => (TcpState::Bound, false),
        "established" | "connected" | "out_auto" | "out_bound" => (TcpState::Established, true),
        "close_wait" => (TcpState::CloseWait, true),
        "fin_wait2" => (TcpState::FinWait2, true),
        "time_wait" | "out_auto_tw" | "out_bound_tw" => (TcpState::TimeWait, true),
        other => panic!("state {other}"),
    };
    let (bound, v6only) = address(at.trim_end_matches("+v4peer"));
    // connect() without a bind leaves IPV6_V6ONLY off; a bind to a concrete address sets it.
    let concrete = bound.is_ipv6() && !bound.is_unspecified();
    let v6only = v6only || (concrete && !name.starts_with("out_auto"));
    let ip = if connected { peer_side(bound, at) } else { bound };
    Occupant {
        transport,
        address: SocketAddr::new(ip, PORT),
        v6only: Some(v6only),
        state: (transport == Transport::Tcp).then_some(tcp),
        connected,
        mini: matches!(tcp, TcpState::TimeWait | TcpState::FinWait2),
        reuse_addr: Some(reuse_addr),
        reuse_port: Some(reuse_port),
        uid: Some(uid),
        device: None,
    }
}

/// The local address of a connection over a socket bound to that address.
fn peer_side(bound: IpAddr, at: &str) -> IpAddr {
    let concrete = match bound {
        IpAddr::V4(_) => "127.0.0.1",
        IpAddr::V6(_) if at.ends_with("+v4peer") => "::ffff:127.0.0.1",
        IpAddr::V6(_) => "::1",
    };
    if bound.is_unspecified() { concrete.parse().unwrap() } else { bound }
}

fn address(text: &str) -> (IpAddr, bool) {
    let (text, v6only) = match text.strip_suffix("v6only") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    (text.trim_matches(['[', ']']).parse().unwrap(), v6only)
}

fn options(text: &str) -> (bool, bool) {
    match text {
        "none" => (false, false),
        "RA" => (true, false),
        "RP" => (false, true),
        "RA+RP" => (true, true),
        other => panic!("options {other}"),
    }
}

fn answer(text: &str) -> Conflict {
    match text {
        "ok" => Conflict::No,
        "EADDRINUSE" => Conflict::Yes,
        other => panic!("answer {other}"),
    }
}
