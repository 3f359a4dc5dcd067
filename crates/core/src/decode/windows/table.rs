//! The tables of sockets that iphlpapi fills: a count, then rows of one size. One reader for all of
//! them, driven by where each keeps what (tcpmib.h, udpmib.h; Windows is little-endian, ports and
//! IPv4 addresses are in network order).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::addr::Transport;
use crate::socket::TcpState;

/// One row: a socket, as Windows tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The transport.
    pub transport: Transport,
    /// Where it is bound.
    pub local: SocketAddr,
    /// The other end; `None` for listeners, bound sockets and UDP.
    pub remote: Option<SocketAddr>,
    /// The TCP state; `None` for UDP.
    pub state: Option<TcpState>,
    /// The process that Windows counts it to: 0 for what nobody owns any more, 4 for the kernel,
    /// else the process that made it, which may have ended or be another by now.
    pub pid: u32,
    /// When it was bound, as a FILETIME (100 ns since 1601); `None` where the table does not say.
    pub bound_at: Option<u64>,
}

/// The tables there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `MIB_TCPTABLE_OWNER_PID`.
    Tcp4Pid,
    /// `MIB_TCPTABLE_OWNER_MODULE`.
    Tcp4Module,
    /// `MIB_TCP6TABLE_OWNER_PID`.
    Tcp6Pid,
    /// `MIB_TCP6TABLE_OWNER_MODULE`.
    Tcp6Module,
    /// `MIB_UDPTABLE_OWNER_PID`.
    Udp4Pid,
    /// `MIB_UDPTABLE_OWNER_MODULE`.
    Udp4Module,
    /// `MIB_UDP6TABLE_OWNER_PID`.
    Udp6Pid,
    /// `MIB_UDP6TABLE_OWNER_MODULE`.
    Udp6Module,
    /// `MIB_TCPTABLE2`, which `InternalGetBoundTcpEndpointTable` makes: what is bound.
    Bound4,
    /// `MIB_TCP6TABLE2`, which `InternalGetBoundTcp6EndpointTable` makes.
    Bound6,
}

impl Layout {
    /// Every table.
    pub const ALL: [Self; 10] = [
        Self::Tcp4Pid,
        Self::Tcp4Module,
        Self::Tcp6Pid,
        Self::Tcp6Module,
        Self::Udp4Pid,
        Self::Udp4Module,
        Self::Udp6Pid,
        Self::Udp6Module,
        Self::Bound4,
        Self::Bound6,
    ];

    /// Where everything is, in bytes. A row with 64-bit times begins at a multiple of eight.
    const fn places(self) -> Places {
        const TCP4: Places = Places {
            first: 4,
            size: 24,
            v6: false,
            local: 4,
            remote: Some(12),
            state: Some(0),
            pid: 20,
            bound_at: None,
        };
        const TCP6: Places = Places {
            first: 4,
            size: 56,
            v6: true,
            local: 0,
            remote: Some(24),
            state: Some(48),
            pid: 52,
            bound_at: None,
        };
        const UDP4: Places = Places {
            first: 4,
            size: 12,
            v6: false,
            local: 0,
            remote: None,
            state: None,
            pid: 8,
            bound_at: None,
        };
        const UDP6: Places = Places { size: 28, v6: true, pid: 24, ..UDP4 };
        match self {
            Self::Tcp4Pid => TCP4,
            Self::Tcp4Module => Places { first: 8, size: 160, bound_at: Some(24), ..TCP4 },
            Self::Tcp6Pid => TCP6,
            Self::Tcp6Module => Places { first: 8, size: 192, bound_at: Some(56), ..TCP6 },
            Self::Udp4Pid => UDP4,
            Self::Udp4Module => Places { first: 8, size: 160, bound_at: Some(16), ..UDP4 },
            Self::Udp6Pid => UDP6,
            Self::Udp6Module => Places { first: 8, size: 176, bound_at: Some(32), ..UDP6 },
            Self::Bound4 => Places { size: 28, ..TCP4 },
            Self::Bound6 => Places { size: 60, ..TCP6 },
        }
    }

    /// The bytes that a row takes.
    pub const fn row_size(self) -> usize {
        self.places().size
    }

    /// Where the first row begins.
    pub const fn first_row(self) -> usize {
        self.places().first
    }
}

struct Places {
    first: usize,
    size: usize,
    v6: bool,
    /// The local address; its scope (IPv6) and port follow it.
    local: usize,
    remote: Option<usize>,
    state: Option<usize>,
    pid: usize,
    bound_at: Option<usize>,
}

/// The rows of a table, in its order. A table that ends before its count says so gives the rows that
/// are whole. Rows without a port and rows of closed sockets, which Wine has, are left out.
pub fn rows(layout: Layout, bytes: &[u8]) -> Vec<Row> {
    let places = layout.places();
    let count = word(bytes, 0).unwrap_or(0) as usize;
    let table = bytes.get(places.first..).unwrap_or_default();
    table
        .chunks_exact(places.size)
        .take(count)
        .filter_map(|row| read(layout, &places, row))
        .collect()
}

fn read(layout: Layout, places: &Places, row: &[u8]) -> Option<Row> {
    let state = match (layout, places.state) {
        (Layout::Bound4 | Layout::Bound6, _) => Some(TcpState::Bound),
        (_, Some(at)) => Some(tcp_state(word(row, at)?)?),
        (_, None) => None,
    };
    let local = address(row, places.local, places.v6)?;
    // Listeners and bound sockets have no other end; the fields hold anything.
    let connected = state.is_some_and(TcpState::is_connection);
    let remote = places.remote.filter(|_| connected).and_then(|at| address(row, at, places.v6));
    let bound_at = places.bound_at.and_then(|at| {
        let bytes: [u8; 8] = row.get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes)).filter(|time| *time != 0)
    });
    let transport = match state {
        Some(_) => Transport::Tcp,
        None => Transport::Udp,
    };
    let closed = state == Some(TcpState::Closed) || local.port() == 0;
    let row = Row { transport, local, remote, state, pid: word(row, places.pid)?, bound_at };
    (!closed).then_some(row)
}

/// An address with its port: four bytes and a port, or sixteen, a scope and a port. Only the low half
/// of a port's word counts: the upper one may hold anything.
fn address(row: &[u8], at: usize, v6: bool) -> Option<SocketAddr> {
    let port = |at: usize| {
        let bytes: [u8; 2] = row.get(at..at + 2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    };
    Some(match v6 {
        false => {
            let octets: [u8; 4] = row.get(at..at + 4)?.try_into().ok()?;
            SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port(at + 4)?)
        }
        true => {
            let octets: [u8; 16] = row.get(at..at + 16)?.try_into().ok()?;
            let ip = Ipv6Addr::from(octets);
            // The scope says something of link-local addresses alone.
            let scope = if ip.is_unicast_link_local() { word(row, at + 16)? } else { 0 };
            SocketAddrV6::new(ip, port(at + 20)?, 0, scope).into()
        }
    })
}

/// `MIB_TCP_STATE` (tcpmib.h). 12 is a row about to go.
const fn tcp_state(number: u32) -> Option<TcpState> {
    Some(match number {
        1 | 12 => TcpState::Closed,
        2 => TcpState::Listen,
        3 => TcpState::SynSent,
        4 => TcpState::SynReceived,
        5 => TcpState::Established,
        6 => TcpState::FinWait1,
        7 => TcpState::FinWait2,
        8 => TcpState::CloseWait,
        9 => TcpState::Closing,
        10 => TcpState::LastAck,
        11 => TcpState::TimeWait,
        // 100: MIB_TCP_STATE_RESERVED, bound and nothing else, where a table lists that.
        100 => TcpState::Bound,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table of one row, with every byte that is not said 0xAA.
    fn table(layout: Layout, fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0xAA; layout.first_row() + layout.row_size()];
        bytes[..4].copy_from_slice(&1_u32.to_le_bytes());
        for (at, field) in fields {
            let at = layout.first_row() + at;
            bytes[at..at + field.len()].copy_from_slice(field);
        }
        bytes
    }

    /// Port 3000 with garbage in the upper half.
    const PORT: &[u8] = &[0x0b, 0xb8, 0xde, 0xad];
    const PID: &[u8] = &4242_u32.to_le_bytes();
    const TIME: &[u8] = &133_500_000_000_000_000_u64.to_le_bytes();

    #[test]
    fn a_listener_is_read_from_each_table_that_has_it() {
        let v6 = Ipv6Addr::UNSPECIFIED.octets();
        for (layout, fields) in [
            (
                Layout::Tcp4Pid,
                vec![(0, &[2, 0, 0, 0][..]), (4, &[127, 0, 0, 1]), (8, PORT), (20, PID)],
            ),
            (
                Layout::Tcp4Module,
                vec![
                    (0, &[2, 0, 0, 0][..]),
                    (4, &[127, 0, 0, 1]),
                    (8, PORT),
                    (20, PID),
                    (24, TIME),
                ],
            ),
            (Layout::Tcp6Pid, vec![(0, &v6[..]), (20, PORT), (48, &[2, 0, 0, 0]), (52, PID)]),
            (
                Layout::Tcp6Module,
                vec![(0, &v6[..]), (20, PORT), (48, &[2, 0, 0, 0]), (52, PID), (56, TIME)],
            ),
        ] {
            let found = rows(layout, &table(layout, &fields));
            let [row] = found[..] else { panic!("{layout:?}: {found:?}") };
            assert_eq!((row.transport, row.state), (Transport::Tcp, Some(TcpState::Listen)));
            assert_eq!((row.local.port(), row.pid, row.remote), (3000, 4242, None), "{layout:?}");
            let timed = matches!(layout, Layout::Tcp4Module | Layout::Tcp6Module);
            assert_eq!(row.bound_at, timed.then_some(133_500_000_000_000_000), "{layout:?}");
        }
    }

    #[test]
    fn udp_rows_have_no_state_and_no_other_end() {
        let v6 = Ipv6Addr::LOCALHOST.octets();
        for (layout, fields, address) in [
            (Layout::Udp4Pid, vec![(0, &[0, 0, 0, 0][..]), (4, PORT), (8, PID)], "0.0.0.0:3000"),
            (
                Layout::Udp4Module,
                vec![(0, &[10, 0, 0, 7][..]), (4, PORT), (8, PID), (16, TIME)],
                "10.0.0.7:3000",
            ),
            (Layout::Udp6Pid, vec![(0, &v6[..]), (20, PORT), (24, PID)], "[::1]:3000"),
            (
                Layout::Udp6Module,
                vec![(0, &v6[..]), (20, PORT), (24, PID), (32, TIME)],
                "[::1]:3000",
            ),
        ] {
            let found = rows(layout, &table(layout, &fields));
            let [row] = found[..] else { panic!("{layout:?}: {found:?}") };
            assert_eq!((row.transport, row.state, row.remote), (Transport::Udp, None, None));
            assert_eq!((row.local.to_string().as_str(), row.pid), (address, 4242), "{layout:?}");
        }
    }

    #[test]
    fn a_connection_has_its_other_end_and_a_link_local_address_its_scope() {
        let link_local = "fe80::7".parse::<Ipv6Addr>().unwrap().octets();
        let fields: Vec<(usize, &[u8])> = vec![
            (0, &link_local),
            (16, &[9, 0, 0, 0]),
            (20, PORT),
            (24, &link_local),
            (40, &[9, 0, 0, 0]),
            (44, &[0xc0, 0, 0, 0]),
            (48, &[11, 0, 0, 0]),
            (52, &[0; 4]),
            (56, &[0; 8]),
        ];
        let found = rows(Layout::Tcp6Module, &table(Layout::Tcp6Module, &fields));
        assert_eq!(found[0].local.to_string(), "[fe80::7%9]:3000");
        assert_eq!(found[0].remote.map(|remote| remote.port()), Some(49152));
        assert_eq!((found[0].state, found[0].pid), (Some(TcpState::TimeWait), 0));
        assert_eq!(found[0].bound_at, None, "Wine leaves the time out");
    }

    #[test]
    fn the_tables_of_bound_sockets_say_bound_whatever_state_they_have() {
        let fields: Vec<(usize, &[u8])> =
            vec![(0, &[1, 0, 0, 0]), (4, &[0; 4]), (8, PORT), (20, PID)];
        let found = rows(Layout::Bound4, &table(Layout::Bound4, &fields));
        assert_eq!(found[0].state, Some(TcpState::Bound));
        let fields: Vec<(usize, &[u8])> = vec![(0, &[0; 16]), (20, PORT), (52, PID)];
        assert_eq!(rows(Layout::Bound6, &table(Layout::Bound6, &fields))[0].pid, 4242);
    }

    #[test]
    fn closed_rows_rows_without_a_port_and_unknown_states_are_left_out() {
        for (state, port) in [
            ([1, 0, 0, 0], PORT),
            ([12, 0, 0, 0], PORT),
            ([77, 0, 0, 0], PORT),
            ([2, 0, 0, 0], &[0; 4]),
        ] {
            let bytes = table(Layout::Tcp4Pid, &[(0, &state), (8, port)]);
            assert_eq!(rows(Layout::Tcp4Pid, &bytes), []);
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_gives_the_rows_that_are_there() {
        let mut bytes = table(Layout::Udp4Pid, &[(4, PORT)]);
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(rows(Layout::Udp4Pid, &bytes).len(), 1);
        bytes.pop();
        assert_eq!(rows(Layout::Udp4Pid, &bytes), []);
        assert_eq!(rows(Layout::Tcp6Module, &[]), []);
        assert_eq!(rows(Layout::Tcp6Module, &[1, 0, 0]), []);
    }

    proptest! {
        #[test]
        fn hostile_tables_give_at_most_what_they_hold(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            for layout in Layout::ALL {
                let found = rows(layout, &bytes);
                prop_assert!(found.len() <= bytes.len() / layout.row_size());
                prop_assert!(found.iter().all(|row| row.local.port() != 0));
            }
        }
    }
}
