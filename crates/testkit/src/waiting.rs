//! Waiting for the world with a deadline, and ports that nobody holds.

use std::net::{Ipv6Addr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

/// Looks every millisecond until `true_now` says so; false when `time` has passed without it.
pub fn wait_until(time: Duration, mut true_now: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    while !true_now() {
        if Instant::now() >= end {
            return false;
        }
        #[expect(clippy::disallowed_methods, reason = "the actors' world has no scripted host")]
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// A port that was free in TCP and UDP on every address a moment ago. Another process may draw it, so
/// prefer sockets on port 0 where the test can.
///
/// # Panics
/// When no such port is found.
pub fn free_port() -> u16 {
    for _ in 0..100 {
        let any =
            if TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() { "::" } else { "0.0.0.0" };
        let Ok(tcp) = TcpListener::bind((any, 0)) else { continue };
        let Ok(address) = tcp.local_addr() else { continue };
        if UdpSocket::bind((any, address.port())).is_ok() {
            return address.port();
        }
    }
    panic!("no port is free in both TCP and UDP");
}
