//! What only a socket itself can tell: its options and, on older kernels, that it is bound. A
//! duplicate of the holder's descriptor is asked (pidfd_getfd(2), which needs the right to
//! attach: same user, no Yama). Only descriptors known to be sockets are duplicated: closing a
//! copy of a file on FUSE would call its server.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{
    ipv6_v6only, socket_acceptconn, socket_cookie, socket_protocol, socket_reuseaddr,
    socket_reuseport,
};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getpeername, getsockname, ipproto,
};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::socket::{HeldBy, LocalAddress, Protocol, Socket, TcpState};

/// Holders tried for one socket: all answer alike, and a refused one costs two calls.
const MOST_TRIES: usize = 4;

/// Learns SO_REUSEADDR and SO_REUSEPORT of every socket with a holder that lets us.
pub(crate) fn fill_in(sockets: &mut [Socket]) {
    for socket in sockets.iter_mut().filter(|socket| socket.protocol != Protocol::Unix) {
        let Some(copy) = duplicate_of(socket) else { continue };
        socket.reuse_addr = socket_reuseaddr(&copy).ok();
        socket.reuse_port = socket_reuseport(&copy).ok();
    }
}

fn duplicate_of(socket: &Socket) -> Option<OwnedFd> {
    let descriptors = socket.holders.list().iter().filter_map(|holder| match holder.by {
        HeldBy::Descriptor(fd) => Some((holder.pid, fd)),
        _ => None,
    });
    descriptors.take(MOST_TRIES).find_map(|(pid, fd)| {
        let copy = duplicate(pid, fd).ok()?;
        // The number may mean another file by now.
        let same = socket.cookie.is_none() || socket_cookie(&copy).ok() == socket.cookie;
        same.then_some(copy)
    })
}

fn duplicate(pid: u32, fd: i32) -> Result<OwnedFd, Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty())
}

/// The socket behind a descriptor, if it is a TCP socket that is bound and does nothing else.
pub(crate) fn bound_tcp(pid: u32, fd: i32) -> Option<Socket> {
    let copy = duplicate(pid, fd).ok()?;
    let protocol = socket_protocol(&copy).ok().flatten()?;
    const MPTCP: u32 = 262;
    let mptcp = protocol.as_raw().get() == MPTCP;
    if !(protocol == ipproto::TCP || mptcp) || socket_acceptconn(&copy).ok()? {
        return None;
    }
    let local = SocketAddr::try_from(getsockname(&copy).ok()?).ok()?;
    if local.port() == 0 || matches!(getpeername(&copy), Ok(Some(_))) {
        return None;
    }
    let mut socket = Socket::new(Protocol::Tcp, LocalAddress::Inet(local), Some(TcpState::Bound));
    socket.v6only = local.is_ipv6().then(|| ipv6_v6only(&copy).ok()).flatten();
    socket.reuse_addr = socket_reuseaddr(&copy).ok();
    socket.reuse_port = socket_reuseport(&copy).ok();
    socket.cookie = socket_cookie(&copy).ok();
    socket.mptcp = mptcp;
    Some(socket)
}

/// A socket of our own bound to a loopback port that the kernel chose, and that port.
pub(crate) fn bind_one() -> Option<(OwnedFd, u16)> {
    let fd = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .ok()?;
    bind(&fd, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).ok()?;
    let port = SocketAddr::try_from(getsockname(&fd).ok()?).ok()?.port();
    Some((fd, port))
}
