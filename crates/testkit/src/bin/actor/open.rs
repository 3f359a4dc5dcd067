//! Opening sockets with the options of the command line, and asking them where they are.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, Protocol, SocketFlags, SocketType, acceptfrom_with, bind, connect, getsockname,
    ipproto, listen, socket_with, sockopt,
};

use crate::options::Options;

/// Every socket is close-on-exec unless a role wants otherwise.
pub const CLOEXEC: SocketFlags = SocketFlags::CLOEXEC;

/// A TCP socket with the options of the command line, bound to its address.
pub fn bound_tcp(options: &Options) -> io::Result<OwnedFd> {
    bound(options, SocketType::STREAM, None, options.address())
}

/// A UDP socket with the options of the command line, bound to its address.
pub fn bound_udp(options: &Options) -> io::Result<OwnedFd> {
    bound(options, SocketType::DGRAM, None, options.address())
}

/// A listening TCP socket.
pub fn listener(options: &Options) -> io::Result<OwnedFd> {
    let socket = bound_tcp(options)?;
    listen(&socket, options.backlog)?;
    Ok(socket)
}

/// A listening MPTCP socket (`IPPROTO_MPTCP`); ENOPROTOOPT or EPROTONOSUPPORT where the kernel has none.
pub fn mptcp_listener(options: &Options) -> io::Result<OwnedFd> {
    let socket = bound(options, SocketType::STREAM, Some(ipproto::MPTCP), options.address())?;
    listen(&socket, options.backlog)?;
    Ok(socket)
}

/// A UDP socket bound to `port` of the command line's address.
pub fn bound_udp_at(options: &Options, port: u16) -> io::Result<OwnedFd> {
    bound(options, SocketType::DGRAM, None, SocketAddr::new(options.addr, port))
}

/// A TCP connection to `peer` from a port that the kernel chooses.
pub fn connected(peer: SocketAddr) -> io::Result<OwnedFd> {
    let socket = unbound_tcp(peer)?;
    connect(&socket, &peer)?;
    Ok(socket)
}

/// A TCP socket of the family of `peer`, neither bound nor connected.
pub fn unbound_tcp(peer: SocketAddr) -> io::Result<OwnedFd> {
    Ok(socket_with(family(peer), SocketType::STREAM, CLOEXEC, None)?)
}

/// The next connection of a listener; waits for it.
pub fn accepted(listener: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(acceptfrom_with(listener, CLOEXEC)?.0)
}

/// The local address of an IP socket.
pub fn local(socket: impl AsFd) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(getsockname(socket)?)?)
}

/// The inode by which `/proc/PID/fd` names the socket.
pub fn inode(socket: impl AsFd) -> io::Result<u64> {
    Ok(rustix::fs::fstat(socket)?.st_ino)
}

/// Where a client reaches the socket: its own address, or the loopback of a wildcard.
pub fn reachable(socket: impl AsFd) -> io::Result<SocketAddr> {
    let mut address = local(socket)?;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

fn bound(
    options: &Options,
    kind: SocketType,
    protocol: Option<Protocol>,
    address: SocketAddr,
) -> io::Result<OwnedFd> {
    let socket = socket_with(family(address), kind, CLOEXEC, protocol)?;
    if options.v6only {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if options.reuse_addr {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if options.reuse_port {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    bind(&socket, &address).map_err(|error| {
        io::Error::new(io::Error::from(error).kind(), format!("bind {address}: {error}"))
    })?;
    Ok(socket)
}

fn family(address: SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}
