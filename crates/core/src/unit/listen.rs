//! What a socket unit listens on, as systemd writes it (`Listen=[::]:80 (Stream)`), held against
//! a socket.

use std::net::{IpAddr, SocketAddr};

use crate::socket::{LocalAddress, Protocol, Socket};

/// Whether that line is the address and kind of this socket. systemd writes the address that it
/// binds (`socket_address_print`, `src/basic/socket-util.c`): a bare port is `[::]:80`, or
/// `0.0.0.0:80` on a machine without IPv6. Queues, FIFOs, special files, netlink and vsock are no
/// sockets with a port or a path.
pub(super) fn covers(line: &str, socket: &Socket) -> bool {
    let Some((address, kind)) = line.rsplit_once(" (") else { return false };
    let kind = kind.trim_end_matches(')');
    match &socket.local {
        LocalAddress::Inet(bound) => {
            let carried = match socket.protocol {
                Protocol::Tcp => kind == "Stream",
                Protocol::Udp | Protocol::UdpLite => kind == "Datagram",
                Protocol::Raw | Protocol::Unix => false,
            };
            carried && inet(address) == Some((bound.ip(), bound.port()))
        }
        LocalAddress::Path(path) => is_unix(kind) && address == path,
        LocalAddress::Abstract(name) => is_unix(kind) && address.strip_prefix('@') == Some(name),
        LocalAddress::Unnamed => false,
    }
}

fn is_unix(kind: &str) -> bool {
    matches!(kind, "Stream" | "Datagram" | "SequentialPacket")
}

/// `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`, `[fe80::1]:80%eth0`: the interface is not
/// part of the address.
fn inet(text: &str) -> Option<(IpAddr, u16)> {
    if let Ok(SocketAddr::V4(v4)) = text.parse() {
        return Some(((*v4.ip()).into(), v4.port()));
    }
    let (ip, port) = text.strip_prefix('[')?.rsplit_once("]:")?;
    let ip = ip.split('%').next()?.parse::<std::net::Ipv6Addr>().ok()?;
    let port = port.split('%').next()?.parse().ok()?;
    Some((ip.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::TcpState;

    fn tcp(address: &str) -> Socket {
        let local = LocalAddress::Inet(address.parse().unwrap());
        Socket::new(Protocol::Tcp, local, Some(TcpState::Listen))
    }

    #[test]
    fn an_address_is_covered_by_itself_alone() {
        for (line, address, want) in [
            ("[::]:8080 (Stream)", "[::]:8080", true),
            ("0.0.0.0:8080 (Stream)", "0.0.0.0:8080", true),
            ("127.0.0.1:8080 (Stream)", "127.0.0.1:8080", true),
            ("127.0.0.1:8080 (Stream)", "127.0.0.2:8080", false),
            ("[::]:8080 (Stream)", "127.0.0.1:8080", false),
            ("[::]:8080 (Stream)", "[::]:8081", false),
            ("[::]:8080 (Datagram)", "[::]:8080", false),
            ("[fe80::1%eth0]:8080 (Stream)", "[fe80::1]:8080", true),
            ("[fe80::1]:8080%eth0 (Stream)", "[fe80::1]:8080", true),
            ("[::]:8080", "[::]:8080", false),
            ("/run/8080 (Stream)", "[::]:8080", false),
            ("vsock:2:8080 (Stream)", "[::]:8080", false),
            ("kobject-uevent 1 (Netlink)", "[::]:8080", false),
            ("[::]:99999 (Stream)", "[::]:8080", false),
            ("]:8080[ (Stream)", "[::]:8080", false),
            ("", "[::]:8080", false),
        ] {
            assert_eq!(covers(line, &tcp(address)), want, "{line} and {address}");
        }
    }

    #[test]
    fn kinds_are_kept_apart() {
        let address: SocketAddr = "0.0.0.0:53".parse().unwrap();
        let udp = Socket::new(Protocol::Udp, LocalAddress::Inet(address), None);
        assert!(covers("0.0.0.0:53 (Datagram)", &udp));
        assert!(!covers("0.0.0.0:53 (Stream)", &udp));
        let path = Socket::new(Protocol::Unix, LocalAddress::Path("/run/a (b".to_owned()), None);
        assert!(covers("/run/a (b (SequentialPacket)", &path));
        assert!(!covers("/run/a (FIFO)", &path));
        let name = Socket::new(Protocol::Unix, LocalAddress::Abstract("a".to_owned()), None);
        assert!(covers("@a (Stream)", &name));
        assert!(!covers("a (Stream)", &name));
    }
}
