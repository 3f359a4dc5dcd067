//! Asks Windows by doing it: a bind, closed at once, or kept.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::windows::io::{AsRawSocket, FromRawSocket, OwnedSocket, RawSocket};
use std::sync::Once;

use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, INVALID_SOCKET, IPPROTO_IPV6, IPV6_V6ONLY, SO_EXCLUSIVEADDRUSE,
    SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOCKET, SOL_SOCKET, WSA_FLAG_NO_HANDLE_INHERIT,
    WSAGetLastError, WSASocketW, bind, closesocket, getsockname, listen, setsockopt,
};

use crate::addr::Transport;
use crate::bind::windows::Manner;
use crate::bind::{Attempt, BindResult};

/// Both probes of one address: without and with SO_REUSEADDR. `::` is bound dual-stack, as servers
/// do that say so; Windows' own default is IPv6 alone.
pub(super) fn attempt(transport: Transport, address: SocketAddr) -> Attempt {
    Attempt {
        transport,
        address,
        plain: try_bind(transport, address, Manner::Default),
        reuse_addr: try_bind(transport, address, Manner::Reuse),
    }
}

/// The plain one alone.
pub(super) fn plain(transport: Transport, address: SocketAddr) -> BindResult {
    try_bind(transport, address, Manner::Default)
}

/// A socket that is bound there for itself alone, which meets whoever has the port in any way, and
/// stays so; `::` is bound for IPv6 alone, so that one on `0.0.0.0` may stand beside it.
pub(super) fn exclusive(transport: Transport, address: SocketAddr) -> Result<OwnedSocket, i32> {
    let socket = bound(transport, address, Manner::Exclusive)?.into_raw();
    // SAFETY: it is open, and nobody else's any more.
    Ok(unsafe { OwnedSocket::from_raw_socket(socket as RawSocket) })
}

/// The port that a bound socket has.
pub(super) fn port_of(socket: &OwnedSocket) -> Option<u16> {
    let mut words = [0_u32; 7];
    let mut length = 28;
    let (raw, to) = (socket.as_raw_socket() as SOCKET, words.as_mut_ptr().cast());
    // SAFETY: the socket is open, and the buffer has `length` bytes, enough for either family.
    let done = unsafe { getsockname(raw, to, &raw mut length) };
    let [_, _, high, low] = words[0].to_ne_bytes();
    (done == 0).then(|| u16::from_be_bytes([high, low]))
}

/// A TCP socket that is bound there and does nothing else; `::` is bound dual-stack. That type has the
/// socket of a listener, and calls nothing that only a listener may.
pub(crate) fn bound_only(address: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        bound(Transport::Tcp, address, Manner::Default).map_err(io::Error::from_raw_os_error)?;
    let raw = socket.into_raw();
    // SAFETY: it is open, and nobody else's any more.
    Ok(unsafe { TcpListener::from_raw_socket(raw as RawSocket) })
}

/// A TCP listener there; on `::` for both families, which std's own is not here.
pub(crate) fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound_only(address)?;
    // SAFETY: the socket is open.
    match unsafe { listen(socket.as_raw_socket() as SOCKET, 1) } {
        0 => Ok(socket),
        _ => Err(io::Error::from_raw_os_error(last_error())),
    }
}

fn try_bind(transport: Transport, address: SocketAddr, manner: Manner) -> BindResult {
    match bound(transport, address, manner) {
        Ok(_closed) => BindResult::Ok,
        Err(error) => BindResult::from_errno(error),
    }
}

/// A socket that is closed when it goes.
struct Bound(SOCKET);

impl Bound {
    /// The socket, which this closes no more.
    fn into_raw(self) -> SOCKET {
        std::mem::ManuallyDrop::new(self).0
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // SAFETY: it is ours, open, and closed only here.
        unsafe { closesocket(self.0) };
    }
}

fn bound(transport: Transport, address: SocketAddr, manner: Manner) -> Result<Bound, i32> {
    start();
    let (family, kind) = (
        if address.is_ipv6() { AF_INET6 } else { AF_INET },
        match transport {
            Transport::Tcp => SOCK_STREAM,
            Transport::Udp => SOCK_DGRAM,
        },
    );
    let flags = WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: no protocol is described, so the pointer may be null.
    let raw = unsafe { WSASocketW(family.into(), kind, 0, std::ptr::null(), 0, flags) };
    if raw == INVALID_SOCKET {
        return Err(last_error());
    }
    let socket = Bound(raw);
    if address.is_ipv6() {
        set(&socket, IPPROTO_IPV6, IPV6_V6ONLY, u32::from(manner == Manner::Exclusive))?;
    }
    match manner {
        Manner::Default => {}
        Manner::Reuse => set(&socket, SOL_SOCKET, SO_REUSEADDR, 1)?,
        Manner::Exclusive => set(&socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)?,
    }
    let (bytes, length) = raw_address(address);
    // SAFETY: the address is of that length, laid out as its family says, and aligned.
    match unsafe { bind(socket.0, bytes.as_ptr().cast(), length) } {
        0 => Ok(socket),
        _ => Err(last_error()),
    }
}

fn set(socket: &Bound, level: i32, option: i32, value: u32) -> Result<(), i32> {
    let value = value.to_ne_bytes();
    // SAFETY: the option is a number of four bytes.
    match unsafe { setsockopt(socket.0, level, option, value.as_ptr(), 4) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// `sockaddr_in` or `sockaddr_in6` as words, and its length in bytes.
fn raw_address(address: SocketAddr) -> ([u32; 7], i32) {
    let mut words = [0; 7];
    let family = if address.is_ipv6() { AF_INET6 } else { AF_INET };
    let [low, high] = address.port().to_be_bytes();
    let [family_low, family_high] = family.to_ne_bytes();
    words[0] = u32::from_ne_bytes([family_low, family_high, low, high]);
    match address {
        SocketAddr::V4(v4) => {
            words[1] = u32::from_ne_bytes(v4.ip().octets());
            (words, 16)
        }
        SocketAddr::V6(v6) => {
            words[1] = v6.flowinfo();
            for (word, octets) in words[2..6].iter_mut().zip(v6.ip().octets().as_chunks().0) {
                *word = u32::from_ne_bytes(*octets);
            }
            words[6] = v6.scope_id();
            (words, 28)
        }
    }
}

fn last_error() -> i32 {
    // SAFETY: it takes nothing.
    unsafe { WSAGetLastError() }
}

/// Winsock has to be started once; the standard library does it with its first socket.
fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let _: io::Result<UdpSocket> = UdpSocket::bind("127.0.0.1:0");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_in_the_way_and_another_transport_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(attempt(Transport::Tcp, address).plain, BindResult::InUse);
        assert_eq!(plain(Transport::Udp, address), BindResult::Ok);
    }

    #[test]
    fn a_socket_that_is_only_bound_is_in_the_way_until_it_is_closed() {
        let socket = bound_only("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(plain(Transport::Tcp, address), BindResult::InUse);
        drop(socket);
        assert_eq!(plain(Transport::Tcp, address), BindResult::Ok);
    }

    #[test]
    fn an_exclusive_one_meets_a_listener_on_one_address_and_stands_beside_its_like() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let any = SocketAddr::from(([0, 0, 0, 0], port));
        assert!(exclusive(Transport::Tcp, any).is_err());
        drop(listener);
        let v4 = exclusive(Transport::Tcp, any).unwrap();
        assert_eq!(port_of(&v4), Some(port));
        let v6 = exclusive(Transport::Tcp, format!("[::]:{port}").parse().unwrap()).unwrap();
        assert_eq!(port_of(&v6), Some(port));
        assert_ne!(plain(Transport::Tcp, any), BindResult::Ok);
    }

    #[test]
    fn a_listener_of_both_families_takes_both() {
        let listener = listener("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
            std::net::TcpStream::connect(&address)
                .unwrap_or_else(|error| panic!("{address}: {error}"));
        }
    }

    #[test]
    fn every_family_can_be_bound_and_another_machines_address_cannot() {
        for address in ["0.0.0.0:0", "127.0.0.1:0", "[::]:0", "[::1]:0"] {
            assert_eq!(
                plain(Transport::Tcp, address.parse().unwrap()),
                BindResult::Ok,
                "{address}"
            );
        }
        assert_eq!(plain(Transport::Tcp, "192.0.2.9:0".parse().unwrap()), BindResult::NotLocal);
    }
}
