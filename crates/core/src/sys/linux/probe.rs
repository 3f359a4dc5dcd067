//! Asks the kernel by doing it: a bind, closed at once. A probe holds the port for some two
//! microseconds, so callers make one round an answer and never loop.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::addr::Transport;
use crate::bind::{Attempt, BindResult};

/// Both probes of one address: without and with SO_REUSEADDR. `::` is bound dual-stack, the way
/// servers do, whatever `net.ipv6.bindv6only` says.
pub(crate) fn attempt(transport: Transport, address: SocketAddr) -> Attempt {
    Attempt {
        transport,
        address,
        plain: plain(transport, address),
        reuse_addr: try_bind(transport, address, true),
    }
}

/// The plain one alone.
pub(crate) fn plain(transport: Transport, address: SocketAddr) -> BindResult {
    try_bind(transport, address, false)
}

/// One bind, undone at once.
fn try_bind(transport: Transport, address: SocketAddr, reuse_addr: bool) -> BindResult {
    match bound(transport, address, reuse_addr) {
        Ok(_closed) => BindResult::Ok,
        Err(error) => BindResult::from_errno(error.raw_os_error()),
    }
}

/// A socket that is bound and does nothing else. `::` is bound dual-stack, as servers do.
pub(super) fn bound(
    transport: Transport,
    address: SocketAddr,
    reuse_addr: bool,
) -> Result<OwnedFd, Errno> {
    let v6 = address.is_ipv6();
    let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
    let kind = match transport {
        Transport::Tcp => SocketType::STREAM,
        Transport::Udp => SocketType::DGRAM,
    };
    let fd = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if v6 {
        set_ipv6_v6only(&fd, false)?;
    }
    if reuse_addr {
        set_socket_reuseaddr(&fd, true)?;
    }
    bind(&fd, &address)?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn a_listener_is_in_use_with_and_without_reuse() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let attempt = attempt(Transport::Tcp, address);
        assert_eq!((attempt.plain, attempt.reuse_addr), (BindResult::InUse, BindResult::InUse));
    }

    #[test]
    fn udp_and_tcp_do_not_meet() {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = udp.local_addr().unwrap();
        assert_eq!(attempt(Transport::Udp, address).plain, BindResult::InUse);
        assert_eq!(attempt(Transport::Tcp, address).plain, BindResult::Ok);
    }

    #[test]
    fn an_address_of_another_machine_is_not_local() {
        let address = "192.0.2.9:0".parse().unwrap();
        assert_eq!(attempt(Transport::Tcp, address).plain, BindResult::NotLocal);
    }
}
