//! What libproc tells about the descriptors of a process: `struct proc_fdinfo`, `struct
//! proc_fileportinfo` and `struct socket_fdinfo` (bsd/sys/proc_info.h, a public header).

use super::Fields;
use super::pcb::{
    ACCEPTS, AF_INET6, NO_DESCRIPTOR, Place, REUSE_ADDR, REUSE_PORT, socket_name, tcp_state,
};
use crate::socket::{LocalAddress, Protocol, Socket, TcpState};

/// The length of a `struct proc_fdinfo`, and of a `struct proc_fileportinfo`.
pub const FDINFO: usize = 8;
/// The length of a `struct socket_fdinfo`: an answer of any other length is none.
pub const SOCKET_FDINFO: usize = 792;

/// PROX_FDTYPE_SOCKET.
const SOCKET: u32 = 2;
/// PROC_FP_SHARED, in `fi_status`: other descriptors refer to it too, here or in another process.
const SHARED: u32 = 1;

// Where the parts of a `struct socket_fdinfo` begin.
const STATUS: usize = 4;
const INFO: usize = 24;
const HANDLE: usize = INFO + 136;
const PROTOCOL: usize = INFO + 156;
const FAMILY: usize = INFO + 160;
const OPTIONS: usize = INFO + 164;
const STATE: usize = INFO + 168;
const KIND: usize = INFO + 232;
const PROTO: usize = INFO + 240;

// Kinds (`soi_kind`).
const SOCKINFO_IN: i32 = 1;
const SOCKINFO_TCP: i32 = 2;
const SOCKINFO_UN: i32 = 3;

/// A socket as a descriptor shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The kernel's disguised address of it (`soi_so`): that of [`super::pcb::Row::handle`].
    pub handle: u64,
    /// Whether other descriptors refer to it too.
    pub shared: bool,
    /// The socket itself, where it has a port or a name. Its user is not told here.
    pub socket: Option<Socket>,
}

/// The numbers of the descriptors that are sockets, of a list by PROC_PIDLISTFDS. The end of a list
/// that breaks off in the middle of one is left out.
pub fn sockets(list: &[u8]) -> Vec<i32> {
    numbers(list).filter(|(_, kind)| *kind == SOCKET).map(|(number, _)| number).collect()
}

/// The names of the file ports that are sockets, of a list by PROC_PIDLISTFILEPORTS: descriptors
/// that a process was handed and keeps as Mach ports, as launchd does.
pub fn ports(list: &[u8]) -> Vec<u32> {
    let sockets = numbers(list).filter(|(_, kind)| *kind == SOCKET);
    sockets.map(|(name, _)| name.cast_unsigned()).collect()
}

fn numbers(list: &[u8]) -> impl Iterator<Item = (i32, u32)> + '_ {
    let (whole, _) = list.as_chunks::<FDINFO>();
    whole.iter().map(|item| (Fields(item).i32(0), Fields(item).u32(4)))
}

/// What PROC_PIDFDSOCKETINFO answered. `None` for what is not of that length.
pub fn held(bytes: &[u8]) -> Option<Held> {
    if bytes.len() != SOCKET_FDINFO {
        return None;
    }
    let fields = Fields(bytes);
    let handle = fields.u64(HANDLE);
    let found = match fields.i32(KIND) {
        SOCKINFO_TCP => inet(fields, true),
        SOCKINFO_IN => inet(fields, false),
        SOCKINFO_UN => unix(fields),
        _ => None,
    };
    let socket = found.map(|mut socket| {
        let options = u32::from(fields.u16(OPTIONS));
        let gone = fields.u16(STATE) & NO_DESCRIPTOR != 0;
        socket.inode = (handle != 0 && !gone).then_some(handle);
        socket.reuse_addr = Some(options & REUSE_ADDR != 0);
        socket.reuse_port = Some(options & REUSE_PORT != 0);
        socket
    });
    Some(Held { handle, shared: fields.u32(STATUS) & SHARED != 0, socket })
}

/// `struct in_sockinfo`, which begins a `struct tcp_sockinfo` too.
fn inet(fields: Fields<'_>, tcp: bool) -> Option<Socket> {
    const IPPROTO_UDP: i32 = 17;
    if !tcp && fields.i32(PROTOCOL) != IPPROTO_UDP {
        return None;
    }
    let port = fields.port(PROTO + 4);
    if port == 0 {
        return None;
    }
    let place = Place { versions: fields.byte(PROTO + 24), of_v6: fields.i32(FAMILY) == AF_INET6 };
    let local = place.address(fields.bytes(PROTO + 48), port);
    let remote = place.address(fields.bytes(PROTO + 32), fields.port(PROTO));
    let connected = remote.port() != 0 && !remote.ip().is_unspecified();
    let (protocol, state) = match tcp {
        true => (Protocol::Tcp, Some(tcp_state(fields.i32(PROTO + 80), connected)?)),
        false => (Protocol::Udp, None),
    };
    let mut socket = Socket::new(protocol, LocalAddress::Inet(local), state);
    socket.remote = connected.then_some(remote);
    socket.v6only = place.v6only(local);
    Some(socket)
}

/// `struct un_sockinfo`.
fn unix(fields: Fields<'_>) -> Option<Socket> {
    let path = socket_name(fields, PROTO + 16)?;
    let accepts = u32::from(fields.u16(OPTIONS)) & ACCEPTS != 0;
    let connected = fields.u64(PROTO) != 0;
    let state = match (accepts, connected) {
        (true, _) => Some(TcpState::Listen),
        (false, true) => Some(TcpState::Established),
        (false, false) => None,
    };
    Some(Socket::new(Protocol::Unix, LocalAddress::Path(path), state))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pcb::tests::record;
    use super::*;

    fn tcp(versions: u8, family: i32, state: i32) -> Vec<u8> {
        let mut loopback = [0_u8; 16];
        loopback[12..].copy_from_slice(&[127, 0, 0, 1]);
        record(
            SOCKET_FDINFO,
            &[
                (4, &1_u32.to_le_bytes()),
                (160, &0xfeed_u64.to_le_bytes()),
                (180, &6_i32.to_le_bytes()),
                (184, &family.to_le_bytes()),
                (188, &0x206_u16.to_le_bytes()),
                (256, &SOCKINFO_TCP.to_le_bytes()),
                (268, &3000_u16.to_be_bytes()),
                // The upper half of the field may be anything.
                (270, &[0xde, 0xad]),
                (288, &[versions]),
                (312, &loopback),
                (344, &state.to_le_bytes()),
            ],
        )
    }

    #[test]
    fn a_listener_of_a_descriptor() {
        let held = held(&tcp(1, 2, 1)).unwrap();
        assert_eq!((held.handle, held.shared), (0xfeed, true));
        let socket = held.socket.unwrap();
        assert_eq!(socket.local.to_string(), "127.0.0.1:3000");
        assert_eq!((socket.state, socket.inode), (Some(TcpState::Listen), Some(0xfeed)));
        assert_eq!((socket.reuse_addr, socket.reuse_port), (Some(true), Some(true)));
    }

    #[test]
    fn udp_and_unix_and_others() {
        let mut bytes = tcp(1, 2, 0);
        bytes[256..260].copy_from_slice(&SOCKINFO_IN.to_le_bytes());
        assert_eq!(held(&bytes).unwrap().socket, None, "a raw socket");
        bytes[180..184].copy_from_slice(&17_i32.to_le_bytes());
        assert_eq!(held(&bytes).unwrap().socket.unwrap().protocol, Protocol::Udp);
        bytes[256..260].copy_from_slice(&7_i32.to_le_bytes());
        assert_eq!(held(&bytes).unwrap().socket, None, "of vsock");
        let path = b"/tmp/app.sock";
        let name = [&[15, 1][..], path].concat();
        let served = record(
            SOCKET_FDINFO,
            &[(188, &2_u16.to_le_bytes()), (256, &SOCKINFO_UN.to_le_bytes()), (280, &name)],
        );
        let socket = held(&served).unwrap().socket.unwrap();
        assert_eq!(socket.local, LocalAddress::Path("/tmp/app.sock".to_owned()));
        assert_eq!(socket.state, Some(TcpState::Listen));
    }

    #[test]
    fn an_answer_of_another_length_is_none() {
        assert_eq!(held(&[]), None);
        assert_eq!(held(&[0; SOCKET_FDINFO - 1]), None);
        assert_eq!(held(&[0; SOCKET_FDINFO + 8]), None);
        assert_eq!(held(&[0; SOCKET_FDINFO]).unwrap().socket, None);
    }

    #[test]
    fn lists_of_descriptors() {
        let item = |number: i32, kind: u32| [number.to_le_bytes(), kind.to_le_bytes()].concat();
        let list = [item(0, 1), item(5, 2), item(7, 2), vec![1, 2, 3]].concat();
        assert_eq!(sockets(&list), [5, 7]);
        assert_eq!(ports(&item(0x1203, 2)), [0x1203]);
        assert!(sockets(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_panics(
            list in proptest::collection::vec(any::<u8>(), 0..100),
            mut bytes in proptest::collection::vec(any::<u8>(), SOCKET_FDINFO),
            kind in 0_i32..8,
        ) {
            let _ = (sockets(&list), ports(&list), held(&list));
            bytes[256..260].copy_from_slice(&kind.to_le_bytes());
            prop_assert!(held(&bytes).is_some());
        }
    }
}
