//! Asks the kernel by doing it: a bind, closed at once. A probe holds the port for some
//! microseconds and never listens, so callers make one round an answer and never loop.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::{Errno, FdFlags};
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType, bind, socket};

use crate::addr::Transport;
use crate::bind::{Attempt, BindResult};

/// Both probes of one address: without and with SO_REUSEADDR.
pub(super) fn attempt(transport: Transport, address: SocketAddr) -> Attempt {
    Attempt {
        transport,
        address,
        plain: plain(transport, address),
        reuse_addr: result(bound(transport, address, true)),
    }
}

/// The plain one alone.
pub(super) fn plain(transport: Transport, address: SocketAddr) -> BindResult {
    result(bound(transport, address, false))
}

fn result(bound: Result<OwnedFd, Errno>) -> BindResult {
    match bound {
        Ok(_closed) => BindResult::Ok,
        Err(error) => BindResult::from_errno(error.raw_os_error()),
    }
}

/// A socket that is bound and does nothing else. `::` is bound dual-stack, as servers do, whatever
/// `net.inet6.ip6.v6only` says.
pub(super) fn bound(
    transport: Transport,
    address: SocketAddr,
    reuse_addr: bool,
) -> Result<OwnedFd, Errno> {
    let kind = match transport {
        Transport::Tcp => SocketType::STREAM,
        Transport::Udp => SocketType::DGRAM,
    };
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let fd = private(family, kind)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&fd, false)?;
    }
    if reuse_addr {
        set_socket_reuseaddr(&fd, true)?;
    }
    bind(&fd, &address)?;
    Ok(fd)
}

/// A socket that no child keeps: macOS has no flag for that, so it is told afterwards, and a child
/// started in that moment by another thread would have it until its exec and beyond.
pub(super) fn private(family: AddressFamily, kind: SocketType) -> Result<OwnedFd, Errno> {
    let fd = socket(family, kind, None)?;
    rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}
