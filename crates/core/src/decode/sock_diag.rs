//! The messages of NETLINK_SOCK_DIAG: requests encoded, answers decoded (sock_diag(7),
//! `include/uapi/linux/inet_diag.h`, `unix_diag.h`, `netlink.h`). Sending them is
//! `sys::linux::sock_diag`'s job.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use crate::addr::Transport;
use crate::socket::{Backlog, LocalAddress, Protocol, Socket, TcpState};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// TCPDIAG_GETSOCK: the old request, the only one that dumps IPv4 and IPv6 at once.
const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;

const AF_UNSPEC: u8 = 0;
const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_UDPLITE: u8 = 136;
const IPPROTO_RAW: u8 = 255;

/// `INET_DIAG_INFO` as an extension bit: it also makes the kernel name the upper-layer protocol,
/// which is how the TCP side of an MPTCP socket shows itself.
const EXT_INFO: u8 = 1 << 1;

const ATTR_REQ_BYTECODE: u16 = 1;
const ATTR_PROTOCOL: u16 = 10;
const ATTR_SKV6ONLY: u16 = 11;
const ATTR_ULP_INFO: u16 = 19;
const ATTR_CGROUP_ID: u16 = 21;
const ULP_NAME: u16 = 1;

const HEADER: usize = 16;
const INET_MSG: usize = 72;
const UNIX_MSG: usize = 16;

/// The kernel's numbers of TCP states (`include/net/tcp_states.h`), as bits of a request.
pub mod states {
    /// Listeners: the cheap question, whatever else the machine holds.
    pub const LISTEN: u32 = 1 << 10;
    /// Bound and nothing else (Linux 6.8). Older kernels ignore the bit without a word.
    pub const BOUND_INACTIVE: u32 = 1 << 13;
    /// TIME-WAIT alone.
    pub const TIME_WAIT: u32 = 1 << 6;
    /// All that is not a listener, nor a connection request that a listener still owns
    /// (SYN-RECEIVED mini-sockets hold no port of their own).
    pub const NOT_LISTENING: u32 = !(LISTEN | 1 << 3 | 1 << 12);
}

/// Local ports to keep: sorted, disjoint ranges. Empty keeps every port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<RangeInclusive<u16>>);

impl PortSet {
    /// The smallest set of ranges that holds all these ports.
    pub fn new(ports: impl IntoIterator<Item = u16>) -> Self {
        let mut ports: Vec<u16> = ports.into_iter().collect();
        ports.sort_unstable();
        ports.dedup();
        let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
        for port in ports {
            match ranges.last_mut() {
                Some(last) if last.end().checked_add(1) == Some(port) => {
                    *last = *last.start()..=port;
                }
                _ => ranges.push(port..=port),
            }
        }
        Self(ranges)
    }

    /// Whether a port is kept.
    pub fn contains(&self, port: u16) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let at = self.0.partition_point(|range| *range.end() < port);
        self.0.get(at).is_some_and(|range| range.contains(&port))
    }

    /// A filter for the kernel, or nothing where there are so many ranges that running it on
    /// every socket would cost more than receiving them all. The answer is filtered again here:
    /// the kernel's walk over bound sockets has ignored some filters.
    fn bytecode(&self) -> Vec<u8> {
        const MOST_RANGES: usize = 24;
        const S_GE: u8 = 2;
        const S_LE: u8 = 3;
        const JMP: u8 = 1;
        if self.0.is_empty() || self.0.len() > MOST_RANGES {
            return Vec::new();
        }
        let mut code = Vec::with_capacity(self.0.len() * 20);
        let op = |code: &mut Vec<u8>, kind: u8, yes: u8, no: u16| {
            code.extend([kind, yes]);
            code.extend(no.to_ne_bytes());
        };
        for (index, range) in self.0.iter().enumerate() {
            // What is left of the program after this range, in bytes; 20 a range, 16 for the last.
            let after = (self.0.len() - index - 1) * 20;
            let after = after.saturating_sub(4);
            let last = after == 0;
            // A jump to exactly the end accepts, one 4 bytes past it rejects: a miss in the last
            // range goes past it, any other to the next range.
            op(&mut code, S_GE, 8, 20);
            op(&mut code, 0, 0, *range.start());
            op(&mut code, S_LE, 8, 12);
            op(&mut code, 0, 0, *range.end());
            if !last {
                op(&mut code, JMP, 4, u16::try_from(4 + after).unwrap_or(u16::MAX));
            }
        }
        code
    }
}

/// Which table a dump reads. One request each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// TCP over IPv4 and IPv6 together.
    Tcp,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
    /// UDP-Lite over IPv4.
    UdpLite4,
    /// UDP-Lite over IPv6.
    UdpLite6,
    /// Raw IPv4 sockets (absent from many kernels).
    Raw4,
    /// Raw IPv6 sockets.
    Raw6,
}

impl Table {
    /// The protocol of its rows.
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::Tcp,
            Self::Udp4 | Self::Udp6 => Protocol::Udp,
            Self::UdpLite4 | Self::UdpLite6 => Protocol::UdpLite,
            Self::Raw4 | Self::Raw6 => Protocol::Raw,
        }
    }
}

/// Asks for the sockets of a table, in those states, on those local ports.
pub fn dump_request(table: Table, wanted_states: u32, ports: &PortSet) -> Vec<u8> {
    let bytecode = ports.bytecode();
    let mut message = header(
        if table == Table::Tcp { TCPDIAG_GETSOCK } else { SOCK_DIAG_BY_FAMILY },
        NLM_F_REQUEST | NLM_F_DUMP,
    );
    let v2 = |family: u8, protocol: u8| [family, protocol, 0, 0];
    match table {
        // struct inet_diag_req: the states come behind the socket id, and both families answer.
        Table::Tcp => {
            message.extend([AF_UNSPEC, 0, 0, EXT_INFO]);
            message.extend(any_socket_id());
            message.extend(wanted_states.to_ne_bytes());
            message.extend([0; 4]);
        }
        // struct inet_diag_req_v2: the states come before it.
        Table::Udp4 => push_v2(&mut message, v2(AF_INET, IPPROTO_UDP), wanted_states),
        Table::Udp6 => push_v2(&mut message, v2(AF_INET6, IPPROTO_UDP), wanted_states),
        Table::UdpLite4 => push_v2(&mut message, v2(AF_INET, IPPROTO_UDPLITE), wanted_states),
        Table::UdpLite6 => push_v2(&mut message, v2(AF_INET6, IPPROTO_UDPLITE), wanted_states),
        Table::Raw4 => push_v2(&mut message, v2(AF_INET, IPPROTO_RAW), wanted_states),
        Table::Raw6 => push_v2(&mut message, v2(AF_INET6, IPPROTO_RAW), wanted_states),
    }
    if !bytecode.is_empty() {
        push_attribute(&mut message, ATTR_REQ_BYTECODE, &bytecode);
    }
    finish(message)
}

/// Asks for the one server that answers at that address: a listener, or a UDP socket that is not
/// connected. An answer is one row without an end, or the error ENOENT. Microseconds, however
/// large the table is (`inet_diag_find_one_icsk`, `udp_dump_one`).
///
/// `device` is what its packets come in by; without one, sockets bound to a device do not answer.
pub fn lookup_request(transport: Transport, local: SocketAddr, device: Option<u32>) -> Vec<u8> {
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    let protocol = match transport {
        Transport::Tcp => IPPROTO_TCP,
        Transport::Udp => IPPROTO_UDP,
    };
    let here = (local.port(), raw_ip(local.ip()));
    // UDP takes the two ends the other way round, a historical slip that became the interface:
    // `udp_dump_one` looks for who would receive from "src" at "dst".
    let (source, destination) = match transport {
        Transport::Tcp => (here, (0, [0; 16])),
        Transport::Udp => ((0, [0; 16]), here),
    };
    let mut message = header(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST);
    message.extend([family, protocol, EXT_INFO, 0]);
    message.extend(u32::MAX.to_ne_bytes());
    message.extend(source.0.to_be_bytes());
    message.extend(destination.0.to_be_bytes());
    message.extend(source.1);
    message.extend(destination.1);
    message.extend(device.unwrap_or(0).to_ne_bytes());
    message.extend([0xff; 8]); // any cookie
    finish(message)
}

/// Asks for all unix sockets, with names, files, queues and owners.
pub fn unix_dump_request() -> Vec<u8> {
    const SHOW: u32 = 0x1 | 0x2 | 0x4 | 0x10 | 0x40; // NAME, VFS, PEER, RQLEN, UID
    let mut message = header(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP);
    message.extend([AF_UNIX, 0, 0, 0]);
    message.extend(u32::MAX.to_ne_bytes()); // states
    message.extend(0u32.to_ne_bytes()); // inode
    message.extend(SHOW.to_ne_bytes());
    message.extend([0xff; 8]); // any cookie
    finish(message)
}

/// Asks the kernel to close one TCP or UDP socket (SOCK_DESTROY; CAP_NET_ADMIN in its network
/// namespace). `None` for a socket without an address or cookie.
pub fn destroy_request(socket: &Socket) -> Option<Vec<u8>> {
    let local = socket.local.inet()?;
    let cookie = socket.cookie?;
    let protocol = match socket.protocol {
        Protocol::Tcp => IPPROTO_TCP,
        Protocol::Udp => IPPROTO_UDP,
        Protocol::UdpLite => IPPROTO_UDPLITE,
        Protocol::Raw | Protocol::Unix => return None,
    };
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut message = header(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK);
    message.extend([family, protocol, 0, 0]);
    message.extend(u32::MAX.to_ne_bytes());
    let remote = socket.remote.map_or((0, [0; 16]), |remote| (remote.port(), raw_ip(remote.ip())));
    message.extend(local.port().to_be_bytes());
    message.extend(remote.0.to_be_bytes());
    message.extend(raw_ip(local.ip()));
    message.extend(remote.1);
    message.extend(socket.device.unwrap_or(0).to_ne_bytes());
    message.extend((cookie as u32).to_ne_bytes());
    message.extend(((cookie >> 32) as u32).to_ne_bytes());
    Some(finish(message))
}

/// What one buffer of an answer held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether this was the last buffer; with the kernel's error number if it was a refusal.
    pub end: Option<Result<(), i32>>,
    /// Whether the table changed under the dump, so that rows may be missing (NLM_F_DUMP_INTR).
    pub interrupted: bool,
}

/// One socket of an answer, with what [`Socket`] has no field for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The socket. `cgroup` is not filled in: see `cgroup_id`.
    pub socket: Socket,
    /// The control group it was created in, by the inode of its cgroup v2 folder.
    pub cgroup_id: Option<u64>,
    /// For a unix socket with a file: the file's inode and device (as `stat` counts devices).
    pub file: Option<(u32, u64)>,
    /// Bytes or connections waiting in its receive queue.
    pub queued: u32,
}

/// Decodes one buffer of an answer to a dump of that protocol. Rows that are cut short are
/// skipped: a kernel never sends them, and a wrong row is worse than none.
pub fn decode(buffer: &[u8], protocol: Protocol) -> Chunk {
    let mut chunk = Chunk::default();
    let mut rest = buffer;
    while chunk.end.is_none() {
        let Some((length, kind, flags)) = split_header(rest) else { break };
        let payload = &rest[HEADER..length];
        chunk.interrupted |= flags & NLM_F_DUMP_INTR != 0;
        match kind {
            // Both end a dump; a dump's own error comes as the payload of DONE.
            NLMSG_DONE | NLMSG_ERROR => {
                chunk.end = Some(match u32_at(payload, 0).unwrap_or(0) as i32 {
                    0 => Ok(()),
                    error => Err(error.wrapping_neg()),
                });
            }
            _ if protocol == Protocol::Unix => chunk.rows.extend(unix_row(payload)),
            _ => chunk.rows.extend(inet_row(payload, protocol)),
        }
        rest = rest.get(align(length)..).unwrap_or_default();
    }
    chunk
}

/// The sockets that one buffer of the destroy groups names (SKNLGRP_INET_TCP_DESTROY and kin).
/// Their ports read 0 where the kernel had chosen them, and no inode or user is left.
pub fn decode_destroyed(buffer: &[u8]) -> Vec<Socket> {
    let mut ended = Vec::new();
    let mut rest = buffer;
    while let Some((length, _, _)) = split_header(rest) {
        ended.extend(destroyed_row(&rest[HEADER..length]));
        rest = rest.get(align(length)..).unwrap_or_default();
    }
    ended
}

/// TCP and UDP come in the same rows, which name their protocol in an attribute.
fn destroyed_row(payload: &[u8]) -> Option<Socket> {
    let named = attributes(payload.get(INET_MSG..)?).find(|(kind, _)| *kind == ATTR_PROTOCOL);
    let protocol = match named.and_then(|(_, value)| value.first().copied()) {
        Some(IPPROTO_UDP) => Protocol::Udp,
        Some(IPPROTO_UDPLITE) => Protocol::UdpLite,
        _ => Protocol::Tcp,
    };
    let mut socket = inet_row(payload, protocol)?.socket;
    socket.state = socket.state.map(|_| TcpState::Closed);
    Some(socket)
}

fn inet_row(payload: &[u8], protocol: Protocol) -> Option<Row> {
    let fixed = payload.get(..INET_MSG)?;
    let (family, kernel_state, timer) = (fixed[0], fixed[1], fixed[2]);
    let ip = |at: usize| match family {
        AF_INET => {
            let v4: [u8; 4] = fixed[at..at + 4].try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(v4)))
        }
        AF_INET6 => {
            let v6: [u8; 16] = fixed[at..at + 16].try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(v6)))
        }
        _ => None,
    };
    let port = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let word = |at: usize| u32_at(fixed, at).unwrap_or(0);
    let local = SocketAddr::new(ip(8)?, port(4));
    let remote = SocketAddr::new(ip(24)?, port(6));
    let state = match protocol {
        Protocol::Tcp => Some(tcp_state(kernel_state)),
        _ => None,
    };
    let mut socket = Socket::new(protocol, LocalAddress::Inet(local), state);
    socket.remote = (remote.port() != 0).then_some(remote);
    socket.device = Some(word(40)).filter(|&device| device != 0);
    let cookie = u64::from(word(44)) | u64::from(word(48)) << 32;
    socket.cookie = (cookie != u64::MAX).then_some(cookie);
    socket.inode = Some(u64::from(word(68))).filter(|&inode| inode != 0);
    socket.uid = socket.inode.map(|_| word(64));
    // Timer 3 is the one that ends the socket; others are retransmissions and keep-alives.
    socket.expires_ms = (timer == 3).then(|| word(52));
    if state == Some(TcpState::Listen) {
        socket.backlog = Some(Backlog { waiting: word(56), limit: word(60) });
    }
    let mut cgroup_id = None;
    for (kind, value) in attributes(&payload[INET_MSG..]) {
        match kind {
            ATTR_SKV6ONLY => socket.v6only = value.first().map(|&byte| byte != 0),
            ATTR_CGROUP_ID => {
                cgroup_id = value.get(..8).and_then(|b| b.try_into().ok()).map(u64::from_ne_bytes);
            }
            ATTR_ULP_INFO => socket.mptcp = is_mptcp(value),
            _ => {}
        }
    }
    Some(Row { socket, cgroup_id, file: None, queued: word(56) })
}

fn is_mptcp(ulp_info: &[u8]) -> bool {
    attributes(ulp_info).any(|(kind, value)| kind == ULP_NAME && value.starts_with(b"mptcp"))
}

fn unix_row(payload: &[u8]) -> Option<Row> {
    const NAME: u16 = 0;
    const VFS: u16 = 1;
    const PEER: u16 = 2;
    const QUEUE: u16 = 4;
    const UID: u16 = 7;
    const SOCK_DGRAM: u8 = 2;
    let fixed = payload.get(..UNIX_MSG)?;
    if fixed[0] != AF_UNIX {
        return None;
    }
    let word = |at: usize| u32_at(fixed, at).unwrap_or(0);
    let state = match (fixed[1], fixed[2]) {
        (SOCK_DGRAM, _) => None,
        (_, state) => Some(tcp_state(state)),
    };
    let mut socket = Socket::new(Protocol::Unix, LocalAddress::Unnamed, state);
    socket.inode = Some(u64::from(word(4))).filter(|&inode| inode != 0);
    socket.cookie = Some(u64::from(word(8)) | u64::from(word(12)) << 32);
    let (mut file, mut queued) = (None, 0);
    let mut peer = false;
    for (kind, value) in attributes(&payload[UNIX_MSG..]) {
        match kind {
            NAME => socket.local = unix_name(value),
            VFS => file = u32_at(value, 0).zip(u32_at(value, 4).map(kernel_device)),
            PEER => peer = true,
            QUEUE => {
                queued = u32_at(value, 0).unwrap_or(0);
                if state == Some(TcpState::Listen) {
                    let limit = u32_at(value, 4).unwrap_or(0);
                    socket.backlog = Some(Backlog { waiting: queued, limit });
                }
            }
            UID => socket.uid = u32_at(value, 0),
            _ => {}
        }
    }
    // An unconnected stream socket says CLOSE; with a name it is bound and not listening.
    if socket.state == Some(TcpState::Bound) && (peer || socket.local == LocalAddress::Unnamed) {
        socket.state = Some(TcpState::Closed);
    }
    Some(Row { socket, cgroup_id: None, file, queued })
}

/// The kernel sends its internal device number (20 bits of minor); `stat` shows another layout.
fn kernel_device(device: u32) -> u64 {
    let (major, minor) = (u64::from(device >> 20), u64::from(device & 0xf_ffff));
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

fn unix_name(value: &[u8]) -> LocalAddress {
    match value.split_first() {
        None => LocalAddress::Unnamed,
        Some((0, name)) => LocalAddress::Abstract(String::from_utf8_lossy(name).into_owned()),
        Some(_) => {
            let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
            LocalAddress::Path(String::from_utf8_lossy(&value[..end]).into_owned())
        }
    }
}

/// `include/net/tcp_states.h`. A row in CLOSE only arrives when bound sockets were asked for.
const fn tcp_state(number: u8) -> TcpState {
    match number {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 | 13 => TcpState::Bound,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        _ => TcpState::Closed,
    }
}

fn header(kind: u16, flags: u16) -> Vec<u8> {
    let mut message = vec![0; HEADER];
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message
}

fn finish(mut message: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

fn push_v2(message: &mut Vec<u8>, head: [u8; 4], wanted_states: u32) {
    message.extend(head);
    message.extend(wanted_states.to_ne_bytes());
    message.extend(any_socket_id());
}

fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(align(message.len()), 0);
}

/// struct inet_diag_sockid that matches everything: zeros, and the cookie that means "any".
fn any_socket_id() -> [u8; 48] {
    let mut id = [0; 48];
    id[40..].fill(0xff);
    id
}

fn raw_ip(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => {
            let mut raw = [0; 16];
            raw[..4].copy_from_slice(&v4.octets());
            raw
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Length, type and flags of the first message, if it is whole.
fn split_header(bytes: &[u8]) -> Option<(usize, u16, u16)> {
    let length = u32_at(bytes, 0)? as usize;
    let half = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    ((HEADER..=bytes.len()).contains(&length)).then_some(())?;
    Some((length, half(4)?, half(6)?))
}

/// The attributes of a message, each as its type (flags removed) and value.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?) & 0x3fff;
        let value = rest.get(4..length)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

const fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tcp_request_is_the_recorded_one() {
        let request = dump_request(Table::Tcp, states::LISTEN, &PortSet::new([8080]));
        assert_eq!(request.len(), 96);
        assert_eq!(&request[..8], &[0x60, 0, 0, 0, 18, 0, 1, 3]);
        assert_eq!(&request[68..72], &[0, 4, 0, 0]);
        assert_eq!(
            &request[76..],
            &[20, 0, 1, 0, 2, 8, 20, 0, 0, 0, 0x90, 0x1f, 3, 8, 12, 0, 0, 0, 0x90, 0x1f]
        );
    }

    #[test]
    fn ports_merge_into_ranges() {
        let set = PortSet::new([5, 3, 4, 9, 3]);
        assert_eq!(set.0, vec![3..=5, 9..=9]);
        for (port, kept) in [(2, false), (3, true), (5, true), (6, false), (9, true), (10, false)] {
            assert_eq!(set.contains(port), kept, "{port}");
        }
        assert!(PortSet::default().contains(1));
        assert!(PortSet::new([65535, 65534]).contains(65535));
    }

    /// The kernel's interpreter (`inet_diag_bc_run`), for port comparisons and jumps.
    fn run(code: &[u8], port: u16) -> bool {
        let (mut at, mut left) = (0, code.len() as i64);
        while left > 0 {
            let no = u16::from_ne_bytes([code[at + 2], code[at + 3]]);
            let operand = || u16::from_ne_bytes([code[at + 6], code[at + 7]]);
            let yes = match code[at] {
                1 => false,
                2 => port >= operand(),
                3 => port <= operand(),
                other => panic!("operation {other}"),
            };
            let step = if yes { usize::from(code[at + 1]) } else { usize::from(no) };
            at += step;
            left -= step as i64;
        }
        left == 0
    }

    #[test]
    fn the_filter_accepts_just_its_ports() {
        for ports in [vec![80], vec![80, 443], vec![1, 3, 5, 7, 8, 9, 65535], vec![10, 11, 12]] {
            let set = PortSet::new(ports.iter().copied());
            let code = set.bytecode();
            for port in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 79, 80, 81, 442, 443, 65535] {
                assert_eq!(run(&code, port), ports.contains(&port), "{port} in {ports:?}");
            }
        }
    }

    #[test]
    fn an_error_inside_done_is_an_error() {
        let mut message = header(NLMSG_DONE, 2);
        message.extend((-2i32).to_ne_bytes());
        assert_eq!(decode(&finish(message), Protocol::Raw).end, Some(Err(2)));
        let mut message = header(NLMSG_DONE, 2);
        message.extend(0i32.to_ne_bytes());
        assert_eq!(decode(&finish(message), Protocol::Tcp).end, Some(Ok(())));
    }

    /// A TIME-WAIT row as Linux 6.18 sent it, and a listener with attributes.
    fn row(state: u8, timer: u8, inode: u32) -> Vec<u8> {
        let mut message = header(SOCK_DIAG_BY_FAMILY, 2);
        message.extend([AF_INET, state, timer, 0]);
        message.extend(3000u16.to_be_bytes());
        message.extend(if state == 10 { 0u16 } else { 5000 }.to_be_bytes());
        message.extend(raw_ip(Ipv4Addr::LOCALHOST.into()));
        message.extend(raw_ip(Ipv4Addr::LOCALHOST.into()));
        for word in [0u32, 7, 0, 59_896, 3, 128, 1000, inode] {
            message.extend(word.to_ne_bytes());
        }
        push_attribute(&mut message, ATTR_CGROUP_ID, &42u64.to_ne_bytes());
        let mut ulp = Vec::new();
        push_attribute(&mut ulp, ULP_NAME, b"mptcp\0");
        push_attribute(&mut message, ATTR_ULP_INFO, &ulp);
        finish(message)
    }

    #[test]
    fn a_time_wait_row_keeps_its_time_and_has_no_owner() {
        let chunk = decode(&row(6, 3, 0), Protocol::Tcp);
        let socket = &chunk.rows[0].socket;
        assert_eq!(socket.state, Some(TcpState::TimeWait));
        assert_eq!(socket.expires_ms, Some(59_896));
        assert_eq!((socket.inode, socket.uid), (None, None));
        assert_eq!(socket.remote, Some("127.0.0.1:5000".parse().unwrap()));
        assert_eq!(chunk.end, None);
    }

    #[test]
    fn a_listener_has_owner_backlog_group_and_upper_protocol() {
        let chunk = decode(&row(10, 0, 81_234), Protocol::Tcp);
        let Row { socket, cgroup_id, .. } = &chunk.rows[0];
        assert_eq!(socket.inode, Some(81_234));
        assert_eq!(socket.uid, Some(1000));
        assert_eq!(socket.backlog, Some(Backlog { waiting: 3, limit: 128 }));
        assert_eq!(*cgroup_id, Some(42));
        assert!(socket.mptcp && socket.remote.is_none());
        assert_eq!(socket.cookie, Some(7));
    }

    #[test]
    fn a_destroy_names_the_very_socket() {
        let socket = decode(&row(6, 3, 0), Protocol::Tcp).rows.remove(0).socket;
        let request = destroy_request(&socket).unwrap();
        assert_eq!(request.len(), 16 + 56);
        assert_eq!(&request[4..6], &SOCK_DESTROY.to_ne_bytes());
        assert_eq!(&request[16..18], &[AF_INET, IPPROTO_TCP]);
        assert_eq!(&request[24..28], &[0x0b, 0xb8, 0x13, 0x88]);
        assert_eq!(&request[64..68], &7u32.to_ne_bytes());
    }

    #[test]
    fn a_lookup_asks_for_one_socket_by_its_address() {
        let local = "127.0.0.1:3000".parse().unwrap();
        let tcp = lookup_request(Transport::Tcp, local, None);
        assert_eq!(tcp.len(), 16 + 56);
        assert_eq!(&tcp[..8], &[72, 0, 0, 0, 20, 0, 1, 0], "a request and no dump");
        assert_eq!(&tcp[16..20], &[AF_INET, IPPROTO_TCP, EXT_INFO, 0]);
        assert_eq!(&tcp[24..32], &[0x0b, 0xb8, 0, 0, 127, 0, 0, 1]);
        assert!(tcp[32..60].iter().all(|&byte| byte == 0));
        assert_eq!(&tcp[60..], &[0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        let udp = lookup_request(Transport::Udp, "[::1]:53".parse().unwrap(), Some(7));
        assert_eq!(&udp[16..18], &[AF_INET6, IPPROTO_UDP]);
        assert_eq!(&udp[24..28], &[0, 0, 0, 53], "its own end is the destination");
        assert!(udp[28..59].iter().all(|&byte| byte == 0));
        assert_eq!(&udp[59..64], &[1, 7, 0, 0, 0]);
    }

    #[test]
    fn cut_and_hostile_bytes_are_skipped() {
        let whole = row(10, 0, 5);
        for cut in 0..whole.len() {
            assert!(decode(&whole[..cut], Protocol::Tcp).rows.is_empty(), "cut at {cut}");
        }
        let mut lying = whole.clone();
        lying[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(decode(&lying, Protocol::Tcp), Chunk::default());
        lying[..4].copy_from_slice(&0u32.to_ne_bytes());
        assert_eq!(decode(&lying, Protocol::Tcp), Chunk::default());
    }

    #[test]
    fn device_numbers_are_those_of_stat() {
        // 254:0 as the kernel packs it (major << 20) and as stat(2) shows it.
        assert_eq!(kernel_device(254 << 20), 0xfe00);
        assert_eq!(kernel_device((8 << 20) | 0x301), 0x0030_0801);
    }
}
