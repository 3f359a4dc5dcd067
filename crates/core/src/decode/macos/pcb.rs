//! The tables of protocol control blocks: `net.inet.tcp.pcblist_n`, `net.inet.udp.pcblist_n` and
//! `net.local.{stream,dgram}.pcblist_n`, which show every user's sockets to everybody.
//!
//! A table is a `struct xinpgen`, then for each socket a few records one after another, then a
//! `struct xinpgen` again (bsd/netinet/in_pcblist.c, `get_pcblist_n`). Every record begins with its
//! length and its kind, and the next one is at the next multiple of eight. The structs are packed to
//! four bytes (`struct xinpcb_n`, `struct xsocket_n`, bsd/netinet/in_pcb.h and
//! bsd/sys/socketvar_private.h). Apple's own netstat reads them so (network_cmds,
//! netstat.tproj/inet.c).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::Fields;
use crate::addr::Transport;
use crate::socket::{Backlog, LocalAddress, Protocol, Socket, TcpState};

/// One socket of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The socket. Its inode is [`Row::handle`] where a descriptor can exist; its cookie is the
    /// number that its control block got when it was made.
    pub socket: Socket,
    /// The kernel's disguised address of the socket: the same as in what a descriptor tells
    /// (`xso_so` and `soi_so`). 0 for what user-space networking serves without a socket.
    pub handle: u64,
    /// Who used it last (`so_last_pid`); `None` for a socket of the kernel itself.
    pub last_pid: Option<u32>,
    /// For whom it was opened, where somebody else opened it (`so_e_pid`).
    pub effective_pid: Option<u32>,
    /// The process group that gets its signals (`so_pgid`).
    pub group: Option<u32>,
}

/// A whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its sockets, in its order. Those without a port or a name are left out.
    pub rows: Vec<Row>,
    /// Whether it broke off before its end.
    pub truncated: bool,
    /// Whether sockets came or went while the kernel wrote it.
    pub changed: bool,
}

/// The moment of the kernel's TCP clock, to tell when a TIME-WAIT ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpClock {
    /// `tcp_now`, in milliseconds, as it runs over at 2^32.
    pub now: u32,
}

impl TcpClock {
    /// The clock's value from when the machine's own clock shows that many milliseconds since boot
    /// without sleep (CLOCK_UPTIME_RAW): `net.inet.tcp.now_init` is what it began with, and
    /// `net.inet.tcp.microuptime_init` the microseconds of uptime at that moment
    /// (`calculate_tcp_clock`, bsd/netinet/tcp_subr.c). All of them run over at 2^32.
    pub const fn at(uptime_ms: u64, now_init: u32, microuptime_init: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the clock runs over")]
        let since = (uptime_ms as u32).wrapping_sub(microuptime_init / 1000);
        Self { now: now_init.wrapping_add(since) }
    }

    /// Milliseconds until a timer that ends at that value of the clock; 0 where it is over. A
    /// TIME-WAIT lasts 30 seconds unless somebody changed `net.inet.tcp.msl`: what is farther away
    /// than half the clock's round lies behind.
    pub const fn until(self, deadline: u32) -> u32 {
        let left = deadline.wrapping_sub(self.now);
        if left > u32::MAX / 2 { 0 } else { left }
    }
}

// Kinds of records (bsd/sys/socketvar_private.h).
const XSO_SOCKET: u32 = 0x001;
const XSO_INPCB: u32 = 0x010;
const XSO_TCPCB: u32 = 0x020;
const XSO_UNPCB: u32 = 0x200;

// Shortest lengths: each as of the first system that had the record, as none has shrunk since.
const XINPGEN: usize = 24;
const XSOCKET: usize = 76;
const XINPCB: usize = 104;
const XTCPCB: usize = 40;
const XUNPCB: usize = 588;

/// SO_ACCEPTCONN, SO_REUSEADDR and SO_REUSEPORT (bsd/sys/socket.h).
pub(super) const ACCEPTS: u32 = 0x2;
pub(super) const REUSE_ADDR: u32 = 0x4;
pub(super) const REUSE_PORT: u32 = 0x200;
/// SS_NOFDREF (bsd/sys/socketvar.h): no descriptor refers to it any more, or none does yet.
pub(super) const NO_DESCRIPTOR: u16 = 0x1;

/// The TCP or UDP sockets of a table that have a port. Rows newer than the table's beginning are
/// left out, as netstat does: they may be half made.
pub fn inet_table(bytes: &[u8], transport: Transport, clock: Option<TcpClock>) -> Table {
    let mut table = Table::default();
    let records = begin(bytes, &mut table);
    let newest = Fields(bytes).u64(8);
    let mut open = Block::default();
    for record in records {
        match record {
            Record::End { generation } => {
                table.changed = generation != newest;
                table.truncated = false;
            }
            Record::Of { kind: XSO_INPCB, bytes } => {
                table.rows.extend(open.inet(transport, newest, clock));
                open = Block { control: Some(bytes), ..Block::default() };
            }
            Record::Of { kind: XSO_SOCKET, bytes } => open.socket = Some(bytes),
            Record::Of { kind: XSO_TCPCB, bytes } => open.tcp = Some(bytes),
            Record::Of { .. } => {}
        }
    }
    table.rows.extend(open.inet(transport, newest, clock));
    table
}

/// The unix sockets of a table that have a name.
pub fn unix_table(bytes: &[u8]) -> Table {
    let mut table = Table::default();
    let records = begin(bytes, &mut table);
    let newest = Fields(bytes).u64(8);
    let mut open = Block::default();
    for record in records {
        match record {
            Record::End { generation } => {
                table.changed = generation != newest;
                table.truncated = false;
            }
            Record::Of { kind: XSO_UNPCB, bytes } => {
                table.rows.extend(open.unix(newest));
                open = Block { control: Some(bytes), ..Block::default() };
            }
            Record::Of { kind: XSO_SOCKET, bytes } => open.socket = Some(bytes),
            Record::Of { .. } => {}
        }
    }
    table.rows.extend(open.unix(newest));
    table
}

/// The records after the head. A table without any socket has nothing but the head, and no end.
fn begin<'a>(bytes: &'a [u8], table: &mut Table) -> Records<'a> {
    let head = Fields(bytes).u32(0) as usize;
    let usable = head >= XINPGEN && bytes.len() >= XINPGEN;
    table.truncated = !usable || Fields(bytes).u32(4) != 0;
    Records { rest: if usable { bytes.get(aligned(head)..).unwrap_or_default() } else { &[] } }
}

enum Record<'a> {
    Of { kind: u32, bytes: &'a [u8] },
    End { generation: u64 },
}

struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    /// Ends at what cannot be a record: shorter than its own head, or longer than what is left.
    fn next(&mut self) -> Option<Record<'a>> {
        let head = Fields(self.rest);
        let length = head.u32(0) as usize;
        let bytes = self.rest.get(..length).filter(|bytes| bytes.len() >= XINPGEN);
        let Some(bytes) = bytes else {
            self.rest = &[];
            return None;
        };
        if length == XINPGEN {
            self.rest = &[];
            return Some(Record::End { generation: head.u64(8) });
        }
        self.rest = self.rest.get(aligned(length)..).unwrap_or_default();
        Some(Record::Of { kind: head.u32(4), bytes })
    }
}

/// ROUNDUP64 (bsd/netinet/in_pcblist.c).
const fn aligned(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// The records of one socket.
#[derive(Default)]
struct Block<'a> {
    control: Option<&'a [u8]>,
    socket: Option<&'a [u8]>,
    tcp: Option<&'a [u8]>,
}

impl Block<'_> {
    fn inet(&self, transport: Transport, newest: u64, clock: Option<TcpClock>) -> Option<Row> {
        let control = Fields(self.control.filter(|bytes| bytes.len() >= XINPCB)?);
        let owner = self.socket.filter(|bytes| bytes.len() >= XSOCKET).map(Fields)?;
        let generation = control.u64(28);
        let port = control.port(18);
        if generation > newest || port == 0 {
            return None;
        }
        let of_v6 = owner.i32(40) == AF_INET6;
        let place = Place { versions: control.byte(44), of_v6 };
        let local = place.address(control.bytes(64), port);
        let remote = place.address(control.bytes(48), control.port(16));
        let connected = remote.port() != 0 && !remote.ip().is_unspecified();
        let tcp = self.tcp.filter(|bytes| bytes.len() >= XTCPCB).map(Fields);
        let state = match transport {
            Transport::Udp => None,
            // Without it the row is of a socket that is being made (get_pcblist_n).
            Transport::Tcp => Some(tcp_state(tcp?.i32(36), connected)?),
        };
        let mut row = owned(owner, Socket::new(transport.into(), LocalAddress::Inet(local), state));
        row.socket.remote = connected.then_some(remote);
        row.socket.v6only = place.v6only(local);
        row.socket.cookie = Some(numbered(generation, transport as u64));
        if let (Some(TcpState::TimeWait), Some(tcp), Some(clock)) = (state, tcp, clock) {
            // TCPT_2MSL_EXT: an absolute time, or 0 (bsd/netinet/tcp_var.h).
            let deadline = tcp.u32(32);
            row.socket.expires_ms = (deadline != 0).then(|| clock.until(deadline));
        }
        Some(row)
    }

    fn unix(&self, newest: u64) -> Option<Row> {
        let control = Fields(self.control.filter(|bytes| bytes.len() >= XUNPCB)?);
        let owner = self.socket.filter(|bytes| bytes.len() >= XSOCKET).map(Fields)?;
        let generation = control.u64(68);
        let path = socket_name(control, 76)?;
        if generation > newest {
            return None;
        }
        let state = match (owner.u32(20) & ACCEPTS != 0, control.u64(32) != 0) {
            (true, _) => Some(TcpState::Listen),
            (false, true) => Some(TcpState::Established),
            (false, false) => None,
        };
        let mut row = owned(owner, Socket::new(Protocol::Unix, LocalAddress::Path(path), state));
        row.socket.cookie = Some(numbered(generation, UNIX));
        Some(row)
    }
}

/// What the record of the socket itself tells (`struct xsocket_n`).
fn owned(owner: Fields<'_>, mut socket: Socket) -> Row {
    let handle = owner.u64(8);
    let options = owner.u32(20);
    let gone = owner.u16(26) & NO_DESCRIPTOR != 0;
    socket.inode = (handle != 0 && !gone).then_some(handle);
    socket.uid = Some(owner.u32(64));
    socket.reuse_addr = Some(options & REUSE_ADDR != 0);
    socket.reuse_port = Some(options & REUSE_PORT != 0);
    if socket.state == Some(TcpState::Listen) {
        let count = |at| u32::from(owner.u16(at));
        socket.backlog = Some(Backlog { waiting: count(44), limit: count(48) });
    }
    Row {
        handle,
        last_pid: owner.pid(68),
        effective_pid: owner.pid(72),
        group: owner.pid(56),
        socket,
    }
}

/// The space that unix sockets are numbered in.
const UNIX: u64 = 2;

/// Every table counts for itself: what it counts goes into the number.
const fn numbered(generation: u64, space: u64) -> u64 {
    generation ^ (space << 56)
}

/// AF_INET6 (bsd/sys/socket.h).
pub(super) const AF_INET6: i32 = 30;

/// How the addresses of a control block are to be read.
pub(super) struct Place {
    /// `inp_vflag`: INP_IPV4 is 1, INP_IPV6 is 2, both are a dual-stack socket that is not
    /// connected.
    pub(super) versions: u8,
    /// Whether the socket is of AF_INET6: then its IPv4 addresses are mapped ones.
    pub(super) of_v6: bool,
}

const INP_IPV4: u8 = 1;
const INP_IPV6: u8 = 2;

impl Place {
    /// An address of 16 bytes; one of IPv4 has the last four (`struct in_addr_4in6`).
    pub(super) fn address(&self, bytes: [u8; 16], port: u16) -> SocketAddr {
        if self.versions & INP_IPV6 != 0 {
            return scoped(bytes, port);
        }
        let v4 = Ipv4Addr::new(bytes[12], bytes[13], bytes[14], bytes[15]);
        match self.of_v6 {
            true => SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), port),
            false => SocketAddr::new(IpAddr::V4(v4), port),
        }
    }

    /// Whether it refuses IPv4; `None` for sockets of IPv4.
    pub(super) fn v6only(&self, local: SocketAddr) -> Option<bool> {
        let v6 = local.is_ipv6() && self.versions & INP_IPV6 != 0;
        v6.then_some(self.versions & INP_IPV4 == 0)
    }
}

/// The kernel keeps the scope of a link-local address inside of it, in its second 16 bits (KAME;
/// `in6_embedscope`, bsd/netinet6/scope6.c).
fn scoped(mut bytes: [u8; 16], port: u16) -> SocketAddr {
    let mut scope = 0;
    if Ipv6Addr::from(bytes).is_unicast_link_local() {
        scope = u32::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        (bytes[2], bytes[3]) = (0, 0);
    }
    SocketAddrV6::new(bytes.into(), port, 0, scope).into()
}

/// A state of `tcp_fsm.h`. One that is closed and has a port is bound and does nothing else, unless
/// it is a connection that has ended.
pub(super) const fn tcp_state(number: i32, connected: bool) -> Option<TcpState> {
    Some(match number {
        0 if connected => TcpState::Closed,
        0 => TcpState::Bound,
        1 => TcpState::Listen,
        2 => TcpState::SynSent,
        3 => TcpState::SynReceived,
        4 => TcpState::Established,
        5 => TcpState::CloseWait,
        6 => TcpState::FinWait1,
        7 => TcpState::Closing,
        8 => TcpState::LastAck,
        9 => TcpState::FinWait2,
        10 => TcpState::TimeWait,
        _ => return None,
    })
}

/// The path in a `struct sockaddr_un`: its length and its family in a byte each, then the path.
pub(super) fn socket_name(fields: Fields<'_>, at: usize) -> Option<String> {
    const AF_UNIX: u8 = 1;
    let length = usize::from(fields.byte(at));
    let named = length > 2 && fields.byte(at + 1) == AF_UNIX;
    let path = fields.text(at + 2, length.saturating_sub(2));
    (named && !path.is_empty()).then_some(path)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record with fields at places.
    pub fn record(length: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; length];
        for (at, field) in fields {
            bytes[*at..at + field.len()].copy_from_slice(field);
        }
        bytes
    }

    fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.resize(aligned(bytes.len()), 0xaa);
        bytes
    }

    fn head(count: u32, generation: u64) -> Vec<u8> {
        record(
            XINPGEN,
            &[
                (0, &24_u32.to_le_bytes()),
                (4, &count.to_le_bytes()),
                (8, &generation.to_le_bytes()),
            ],
        )
    }

    struct Said {
        local: ([u8; 16], u16),
        remote: ([u8; 16], u16),
        versions: u8,
        family: i32,
        state: i32,
        timer: u32,
        options: u32,
        so_state: u16,
        socket_length: usize,
    }

    impl Default for Said {
        fn default() -> Self {
            Self {
                local: ([0; 16], 3000),
                remote: ([0; 16], 0),
                versions: 1,
                family: 2,
                state: 1,
                timer: 0,
                options: 0x6,
                so_state: 0,
                socket_length: 104,
            }
        }
    }

    fn v4(last: [u8; 4]) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&last);
        bytes
    }

    impl Said {
        fn control(&self, generation: u64) -> Vec<u8> {
            record(
                XINPCB,
                &[
                    (0, &104_u32.to_le_bytes()),
                    (4, &XSO_INPCB.to_le_bytes()),
                    (16, &self.remote.1.to_be_bytes()),
                    (18, &self.local.1.to_be_bytes()),
                    (28, &generation.to_le_bytes()),
                    (44, &[self.versions]),
                    (48, &self.remote.0),
                    (64, &self.local.0),
                ],
            )
        }

        fn socket(&self) -> Vec<u8> {
            let length = u32::try_from(self.socket_length).unwrap();
            record(
                self.socket_length,
                &[
                    (0, &length.to_le_bytes()),
                    (4, &XSO_SOCKET.to_le_bytes()),
                    (8, &0xfeed_u64.to_le_bytes()),
                    (20, &self.options.to_le_bytes()),
                    (26, &self.so_state.to_le_bytes()),
                    (40, &self.family.to_le_bytes()),
                    (44, &3_u16.to_le_bytes()),
                    (48, &128_u16.to_le_bytes()),
                    (56, &700_i32.to_le_bytes()),
                    (64, &501_u32.to_le_bytes()),
                    (68, &4242_i32.to_le_bytes()),
                ],
            )
        }

        fn tcp(&self) -> Vec<u8> {
            record(
                208,
                &[
                    (0, &208_u32.to_le_bytes()),
                    (4, &XSO_TCPCB.to_le_bytes()),
                    (32, &self.timer.to_le_bytes()),
                    (36, &self.state.to_le_bytes()),
                ],
            )
        }

        /// As get_pcblist_n writes it: control block, socket, two buffers, statistics, TCP.
        fn blocks(&self, generation: u64) -> Vec<u8> {
            let other = |length: usize, kind: u32| {
                let long = u32::try_from(length).unwrap();
                padded(record(length, &[(0, &long.to_le_bytes()), (4, &kind.to_le_bytes())]))
            };
            [
                padded(self.control(generation)),
                padded(self.socket()),
                other(32, 2),
                other(32, 4),
                other(136, 8),
                padded(self.tcp()),
            ]
            .concat()
        }
    }

    fn table_of(all: &[Said]) -> Vec<u8> {
        let count = u32::try_from(all.len()).unwrap();
        let blocks: Vec<u8> = all.iter().zip(1..).flat_map(|(said, at)| said.blocks(at)).collect();
        [head(count, 100), blocks, head(count, 100)].concat()
    }

    fn one(said: Said) -> Socket {
        let table = inet_table(&table_of(&[said]), Transport::Tcp, Some(TcpClock { now: 5_000 }));
        assert!(!table.truncated && !table.changed);
        let [row] = <[Row; 1]>::try_from(table.rows).unwrap();
        row.socket
    }

    #[test]
    fn a_listener_is_read_with_its_options_and_its_user() {
        let said = Said { local: (v4([127, 0, 0, 1]), 3000), ..Said::default() };
        let table = inet_table(&table_of(&[said]), Transport::Tcp, None);
        let row = &table.rows[0];
        assert_eq!((row.handle, row.last_pid, row.effective_pid), (0xfeed, Some(4242), None));
        assert_eq!(row.group, Some(700));
        let socket = &row.socket;
        assert_eq!(socket.local.inet(), Some("127.0.0.1:3000".parse().unwrap()));
        assert_eq!(socket.state, Some(TcpState::Listen));
        assert_eq!((socket.reuse_addr, socket.reuse_port), (Some(true), Some(false)));
        assert_eq!((socket.uid, socket.inode, socket.cookie), (Some(501), Some(0xfeed), Some(1)));
        assert_eq!(socket.backlog, Some(Backlog { waiting: 3, limit: 128 }));
        assert_eq!((socket.remote, socket.v6only), (None, None));
    }

    #[test]
    fn families_are_told_by_the_versions_and_the_domain() {
        let v6 = |said: Said| Said { family: AF_INET6, ..said };
        let dual = one(v6(Said { versions: 3, ..Said::default() }));
        assert_eq!(dual.local.to_string(), "[::]:3000");
        assert_eq!(dual.v6only, Some(false));
        let only = one(v6(Said { versions: 2, ..Said::default() }));
        assert_eq!(only.v6only, Some(true));
        let mapped = v6(Said {
            versions: 1,
            local: (v4([10, 0, 0, 1]), 3000),
            remote: (v4([10, 0, 0, 2]), 50_000),
            state: 4,
            ..Said::default()
        });
        let mapped = one(mapped);
        assert_eq!(mapped.local.to_string(), "[::ffff:10.0.0.1]:3000");
        assert_eq!(mapped.remote, Some("[::ffff:10.0.0.2]:50000".parse().unwrap()));
        assert_eq!(mapped.v6only, None);
        let mut link_local = [0; 16];
        link_local[..4].copy_from_slice(&[0xfe, 0x80, 0, 4]);
        link_local[15] = 1;
        let scoped = one(v6(Said { versions: 2, local: (link_local, 3000), ..Said::default() }));
        assert_eq!(scoped.local.inet(), Some("[fe80::1%4]:3000".parse().unwrap()));
    }

    #[test]
    fn states_and_what_has_no_descriptor() {
        let bound = one(Said { state: 0, ..Said::default() });
        assert_eq!(bound.state, Some(TcpState::Bound));
        let ended = Said { state: 0, remote: (v4([1, 2, 3, 4]), 5), ..Said::default() };
        assert_eq!(one(ended).state, Some(TcpState::Closed));
        let time_wait = one(Said {
            state: 10,
            remote: (v4([1, 2, 3, 4]), 5),
            timer: 17_000,
            so_state: 0x2001,
            ..Said::default()
        });
        assert_eq!((time_wait.state, time_wait.inode), (Some(TcpState::TimeWait), None));
        assert_eq!(time_wait.expires_ms, Some(12_000));
        let unknown = Said { state: 77, ..Said::default() };
        let table = inet_table(&table_of(&[unknown]), Transport::Tcp, None);
        assert!(table.rows.is_empty());
    }

    #[test]
    fn the_socket_record_of_every_system_is_read() {
        // 104 bytes on macOS 12 and before with padding, 128 and more from 13 on.
        for socket_length in [XSOCKET, 80, 104, 128, 136] {
            assert_eq!(one(Said { socket_length, ..Said::default() }).uid, Some(501));
        }
        let short = Said { socket_length: 72, ..Said::default() };
        assert!(inet_table(&table_of(&[short]), Transport::Tcp, None).rows.is_empty());
    }

    #[test]
    fn rows_without_a_port_or_of_the_future_are_left_out() {
        let none = Said { local: ([0; 16], 0), ..Said::default() };
        let table = inet_table(&table_of(&[none, Said::default()]), Transport::Tcp, None);
        assert_eq!(table.rows.len(), 1);
        let late = [head(1, 5), Said::default().blocks(6), head(1, 6)].concat();
        let table = inet_table(&late, Transport::Tcp, None);
        assert!(table.rows.is_empty() && table.changed);
    }

    #[test]
    fn udp_has_no_record_of_tcp() {
        let said = Said::default();
        let blocks = [padded(said.control(1)), padded(said.socket())].concat();
        let bytes = [head(1, 9), blocks, head(1, 9)].concat();
        let table = inet_table(&bytes, Transport::Udp, None);
        assert_eq!(table.rows[0].socket.state, None);
        assert!(inet_table(&bytes, Transport::Tcp, None).rows.is_empty(), "half made");
    }

    #[test]
    fn an_empty_table_is_whole_and_a_broken_one_is_not() {
        assert!(!inet_table(&head(0, 9), Transport::Tcp, None).truncated);
        assert!(inet_table(&[], Transport::Tcp, None).truncated);
        let whole = table_of(&[Said::default(), Said::default()]);
        for length in 0..whole.len() {
            let table = inet_table(&whole[..length], Transport::Tcp, None);
            assert!(table.truncated, "{length} of {}", whole.len());
            assert!(table.rows.len() <= 2);
        }
    }

    #[test]
    fn unix_sockets_have_their_paths() {
        let name = |at: usize| {
            let path = b"/tmp/app.sock";
            let mut bytes = vec![0; XUNPCB];
            bytes[0..4].copy_from_slice(&588_u32.to_le_bytes());
            bytes[4..8].copy_from_slice(&XSO_UNPCB.to_le_bytes());
            bytes[68..76].copy_from_slice(&1_u64.to_le_bytes());
            bytes[at] = u8::try_from(path.len() + 2).unwrap();
            bytes[at + 1] = 1;
            bytes[at + 2..at + 2 + path.len()].copy_from_slice(path);
            bytes
        };
        let table = |control: Vec<u8>, options| {
            let said = Said { options, ..Said::default() };
            let blocks = [padded(control), padded(said.socket())].concat();
            unix_table(&[head(1, 9), blocks, head(1, 9)].concat())
        };
        let served = table(name(76), ACCEPTS);
        assert_eq!(served.rows[0].socket.local, LocalAddress::Path("/tmp/app.sock".to_owned()));
        assert_eq!(served.rows[0].socket.state, Some(TcpState::Listen));
        assert_eq!(table(name(76), 0).rows[0].socket.state, None);
        assert!(table(name(332), 0).rows.is_empty(), "a client has no name");
    }

    #[test]
    fn the_clock_runs_over() {
        assert_eq!(TcpClock::at(20_000, 1_000, 5_000_000).now, 16_000);
        assert_eq!(TcpClock::at(0x1_0000_0005, 0, 0).now, 5);
        let clock = TcpClock { now: u32::MAX - 10 };
        assert_eq!(clock.until(19), 30);
        assert_eq!(clock.until(u32::MAX - 11), 0, "over");
        assert_eq!(clock.until(u32::MAX - 10), 0);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            for transport in Transport::ALL {
                let _ = inet_table(&bytes, transport, Some(TcpClock { now: 1 }));
            }
            let _ = unix_table(&bytes);
        }

        #[test]
        fn damaged_tables_do_not_panic(at in 0_usize..700, byte: u8) {
            let mut bytes = table_of(&[Said::default(), Said { state: 10, ..Said::default() }]);
            let at = at % bytes.len();
            bytes[at] = byte;
            prop_assert!(inet_table(&bytes, Transport::Tcp, None).rows.len() <= 2);
        }
    }
}
