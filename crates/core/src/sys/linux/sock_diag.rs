//! NETLINK_SOCK_DIAG calls: dumps, destruction and destroy events. The bytes are made and read in
//! [`crate::decode::sock_diag`].

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

use crate::addr::Transport;
use crate::decode::sock_diag::{
    Row, Table, decode, decode_destroyed, destroy_request, dump_request, lookup_request,
    unix_dump_request,
};
use crate::socket::{Protocol, Socket};

pub(crate) use crate::decode::sock_diag::PortSet;

/// The kernel fills at most 32 KiB a message; a larger buffer gains nothing.
const BUFFER: usize = 32 * 1024;

/// Bytes of queue for destroy events, which take about a kilobyte each there.
const EVENT_ROOM: usize = 4 << 20;

/// How often a dump is taken again when the table changed under it.
const MOST_ATTEMPTS: usize = 4;

/// A netlink socket that stays in the network namespace it was opened in.
#[derive(Debug)]
pub(crate) struct SockDiag {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

/// A dump's rows.
pub(crate) struct Dump {
    pub(crate) rows: Vec<Row>,
    /// Whether the table kept changing: rows may be missing.
    pub(crate) unstable: bool,
}

impl SockDiag {
    /// Opens one in the calling thread's network namespace.
    pub(crate) fn open() -> Result<Self, Errno> {
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(SOCK_DIAG),
        )?;
        Ok(Self { fd, buffer: vec![0; BUFFER] })
    }

    /// The sockets of a table in those states on those local ports.
    pub(crate) fn dump(
        &mut self,
        table: Table,
        states: u32,
        ports: &PortSet,
    ) -> Result<Dump, Errno> {
        let keep = |row: &Row| row.socket.port().is_none_or(|port| ports.contains(port));
        self.ask(&dump_request(table, states, ports), table.protocol(), keep)
    }

    /// The one server that answers at that address, if any: see [`lookup_request`].
    pub(crate) fn find(
        &mut self,
        transport: Transport,
        local: SocketAddr,
        device: Option<u32>,
    ) -> Result<Option<Row>, Errno> {
        let request = lookup_request(transport, local, device);
        retry(|| send(&self.fd, &request, SendFlags::empty()))?;
        let buffer = &mut self.buffer[..];
        let (length, _) = retry(|| recv(&self.fd, &mut *buffer, RecvFlags::empty()))?;
        let chunk = decode(&self.buffer[..length], transport.into());
        match chunk.end.map(|end| end.map_err(Errno::from_raw_os_error)) {
            Some(Err(Errno::NOENT)) => Ok(None),
            // A kernel without IPv6.
            Some(Err(Errno::INVAL | Errno::AFNOSUPPORT)) if local.is_ipv6() => Ok(None),
            Some(Err(error)) => Err(error),
            Some(Ok(())) => Ok(None),
            None => match chunk.rows.into_iter().next() {
                Some(row) => Ok(Some(row)),
                None => Err(Errno::IO),
            },
        }
    }

    /// All unix sockets.
    pub(crate) fn dump_unix(&mut self) -> Result<Dump, Errno> {
        self.ask(&unix_dump_request(), Protocol::Unix, |_| true)
    }

    /// Closes a socket in the kernel. `Errno::NOENT` where it is gone already, `Errno::PERM`
    /// without CAP_NET_ADMIN, `Errno::OPNOTSUPP` where this kernel cannot (TIME-WAIT before 6.0).
    pub(crate) fn destroy(&mut self, socket: &Socket) -> Result<(), Errno> {
        let request = destroy_request(socket).ok_or(Errno::INVAL)?;
        self.ask(&request, socket.protocol, |_| false).map(drop)
    }

    fn ask(
        &mut self,
        request: &[u8],
        protocol: Protocol,
        keep: impl Fn(&Row) -> bool,
    ) -> Result<Dump, Errno> {
        let mut dump = Dump { rows: Vec::new(), unstable: true };
        for _ in 0..MOST_ATTEMPTS {
            dump = self.ask_once(request, protocol, &keep)?;
            if !dump.unstable {
                break;
            }
        }
        Ok(dump)
    }

    fn ask_once(
        &mut self,
        request: &[u8],
        protocol: Protocol,
        keep: &impl Fn(&Row) -> bool,
    ) -> Result<Dump, Errno> {
        retry(|| send(&self.fd, request, SendFlags::empty()))?;
        let mut dump = Dump { rows: Vec::new(), unstable: false };
        loop {
            let buffer = &mut self.buffer[..];
            let (length, _) = retry(|| recv(&self.fd, &mut *buffer, RecvFlags::empty()))?;
            let chunk = decode(&self.buffer[..length], protocol);
            dump.unstable |= chunk.interrupted;
            dump.rows.extend(chunk.rows.into_iter().filter(|row| keep(row)));
            match chunk.end {
                None if length == 0 => return Err(Errno::IO),
                None => {}
                Some(Ok(())) => return Ok(dump),
                Some(Err(error)) => return Err(Errno::from_raw_os_error(error)),
            }
        }
    }
}

/// A stream of "this socket was destroyed", for TCP and UDP of this network namespace, open to
/// every user (groups SKNLGRP_INET_TCP_DESTROY and its three neighbours).
#[derive(Debug)]
pub(crate) struct DestroyEvents {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl DestroyEvents {
    /// Subscribes. Events count from now on.
    pub(crate) fn open() -> Result<Self, Errno> {
        const ALL_FOUR: u32 = 0xf;
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(SOCK_DIAG),
        )?;
        // Room for thousands of events: as much as root may have, else as much as anybody may. That
        // it was granted is not needed, as an overflow is told.
        if set_socket_recv_buffer_size_force(&fd, EVENT_ROOM).is_err() {
            let _ = set_socket_recv_buffer_size(&fd, EVENT_ROOM);
        }
        bind(&fd, &SocketAddrNetlink::new(0, ALL_FOUR))?;
        Ok(Self { fd, buffer: vec![0; BUFFER] })
    }

    /// The sockets destroyed since the last call, without waiting; `None` where events were lost
    /// (the queue overflowed), so that the table must be read again.
    pub(crate) fn drain(&mut self) -> Option<Vec<Socket>> {
        let mut ended = Vec::new();
        loop {
            match recv(&self.fd, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((length, _)) => ended.extend(decode_destroyed(&self.buffer[..length])),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Some(ended),
                Err(_) => return None,
            }
        }
    }
}

impl AsFd for DestroyEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
