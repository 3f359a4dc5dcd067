//! What a command and everything it started listen on.

use proc_core::host::Host;
use proc_core::snapshot::{Scope, SocketScope};

/// The TCP ports that these processes listen on, in ascending order.
pub fn listening_ports(host: &dyn Host, pids: Vec<u32>) -> Vec<u16> {
    let scope = Scope { sockets: SocketScope::HeldBy(pids), holders: true, ..Scope::default() };
    let sockets = host.snapshot(&scope).sockets;
    let listening = sockets.iter().filter(|socket| {
        socket.state == Some(proc_core::socket::TcpState::Listen) && socket.netns.is_none()
    });
    let mut ports: Vec<u16> = listening.filter_map(proc_core::socket::Socket::port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The port that a server took in the place of the one it wanted: those that look for the next
/// free one count upward from it, and of those that are known to go `anywhere` it may be any.
/// `None` where it listens on the wanted one too.
pub fn taken_instead(listening: &[u16], wanted: u16, anywhere: bool) -> Option<u16> {
    /// How far servers count: Next.js and Vite go on and on, and past fifty nobody has seen them.
    const FARTHEST: u16 = 50;
    if listening.contains(&wanted) {
        return None;
    }
    let near = wanted.saturating_add(1)..=wanted.saturating_add(FARTHEST);
    let mut ports = listening.iter().copied();
    ports.clone().find(|port| near.contains(port)).or_else(|| {
        // Node's own debugger (--inspect).
        ports.find(|port| anywhere && !(9229..=9232).contains(port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_upward_was_taken_instead() {
        for (listening, wanted, want) in [
            (&[5174][..], 5173, Some(5174)),
            (&[5173, 24678], 5173, None),
            (&[5173, 5174], 5173, None),
            (&[9229], 3000, None),
            (&[2999], 3000, None),
            (&[3002, 9229], 3000, Some(3002)),
            (&[], 3000, None),
            (&[65535], 65535, None),
        ] {
            assert_eq!(taken_instead(listening, wanted, false), want, "{listening:?} {wanted}");
        }
        for (listening, wanted, want) in [
            (&[40123][..], 3000, Some(40123)),
            (&[2999, 3001], 3000, Some(3001)),
            (&[9229], 3000, None),
            (&[3000, 40123], 3000, None),
            (&[], 3000, None),
        ] {
            assert_eq!(taken_instead(listening, wanted, true), want, "{listening:?} {wanted}");
        }
    }
}
