//! A socket as the kernel reports it, and who holds it. Nothing here asks the kernel.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::addr::Transport;

/// The protocol of a socket that can hold an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP; an MPTCP socket has [`Socket::mptcp`] set.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite (RFC 3828). It has ports of its own.
    UdpLite,
    /// A raw IP socket; its "port" is the IP protocol number.
    Raw,
    /// A unix domain stream, datagram or seqpacket socket.
    Unix,
}

impl Protocol {
    /// The word used in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Raw => "raw",
            Self::Unix => "unix",
        }
    }

    /// The transport whose ports it takes, where it takes any that a target can name.
    pub const fn transport(self) -> Option<Transport> {
        match self {
            Self::Tcp => Some(Transport::Tcp),
            Self::Udp => Some(Transport::Udp),
            Self::UdpLite | Self::Raw | Self::Unix => None,
        }
    }
}

impl From<Transport> for Protocol {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Tcp => Self::Tcp,
            Transport::Udp => Self::Udp,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A TCP state: those of RFC 9293 3.3.2, and the two a kernel adds around them. A socket that is
/// not TCP has none, so the field is an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TcpState {
    /// Accepts connections.
    Listen,
    /// Has an address and neither listens nor is connected (Linux calls it BOUND_INACTIVE).
    Bound,
    /// A connection being opened from here.
    SynSent,
    /// A connection being opened from there.
    SynReceived,
    /// An open connection.
    Established,
    /// Closed here, not yet acknowledged there.
    FinWait1,
    /// Closed here and acknowledged; the other side has not closed.
    FinWait2,
    /// Closed there; the program here has not closed.
    CloseWait,
    /// Both sides closed at once.
    Closing,
    /// Closed here last, waiting for the last acknowledgement.
    LastAck,
    /// Over; the port is kept for stray packets (RFC 9293 3.6.1).
    TimeWait,
    /// No connection and no address that counts.
    Closed,
}

impl TcpState {
    /// The name in RFC 9293, for people.
    pub const fn rfc_name(self) -> &'static str {
        match self {
            Self::Listen => "LISTEN",
            Self::Bound => "BOUND",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
            Self::Closed => "CLOSED",
        }
    }

    /// Whether the socket belongs to a connection, open or ending.
    pub const fn is_connection(self) -> bool {
        !matches!(self, Self::Listen | Self::Bound | Self::Closed)
    }

    /// Whether this is an ending that the kernel finishes without a program: what may remain
    /// after its owner is gone.
    pub const fn can_outlive_owner(self) -> bool {
        matches!(
            self,
            Self::FinWait1 | Self::FinWait2 | Self::Closing | Self::LastAck | Self::TimeWait
        )
    }
}

/// What a socket is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LocalAddress {
    /// An IP address and port. For raw sockets the port is the IP protocol number.
    Inet(SocketAddr),
    /// A unix socket's path, as bytes made text lossily; the file may be gone.
    Path(String),
    /// A Linux abstract unix socket, without its leading NUL.
    Abstract(String),
    /// A unix socket without a name.
    Unnamed,
}

impl LocalAddress {
    /// The IP address and port, if it is one.
    pub const fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Path(_) | Self::Abstract(_) | Self::Unnamed => None,
        }
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Path(path) => f.write_str(path),
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Unnamed => f.write_str("(unnamed)"),
        }
    }
}

/// How a process holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HeldBy {
    /// A descriptor of the process.
    Descriptor(i32),
    /// A descriptor of one thread whose table is its own (`unshare(CLONE_FILES)`), or of a
    /// thread that outlived the main thread.
    ThreadDescriptor {
        /// The thread.
        tid: u32,
        /// Its descriptor.
        fd: i32,
    },
    /// A registered file of the io_uring behind this descriptor; the socket's own descriptor may
    /// be closed.
    IoUring(i32),
    /// A memory mapping of the socket.
    Mapping,
    /// The process can receive it from the queue of this unix socket (SCM_RIGHTS in flight).
    InFlight(i32),
    /// The system's table counts the socket to the process, and does not say by which handle
    /// (Windows).
    Owner,
    /// The process descends from the one that the table counts the socket to and that has ended: a
    /// handle that it inherited is what keeps the socket, in it or in another heir (Windows).
    Heir {
        /// The process that opened the socket.
        of: u32,
    },
    /// A Mach port of that name that stands for its descriptor, as launchd keeps them (macOS).
    FilePort(u32),
    /// The kernel's table names the process as the last one that used the socket, and its
    /// descriptors may not be read (macOS): mostly the holder, not for certain.
    LastUse,
}

/// One process's hold on one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// By what.
    pub by: HeldBy,
}

/// Who holds a socket. Nobody, the kernel and somebody unseen are three answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "who")]
pub enum Holders {
    /// These processes, all of them as far as they could be read; never empty.
    Processes {
        /// Sorted by pid, then by how.
        holders: Vec<Holder>,
    },
    /// The kernel itself (NFS, WireGuard, VXLAN …): the socket has an inode, everything could be
    /// read, and no process has it.
    Kernel,
    /// No one: the socket has no inode any more (TIME-WAIT, orphaned endings).
    Nobody,
    /// Somebody this user cannot see.
    Hidden,
    /// Not asked for.
    NotLooked,
}

impl Holders {
    /// The holds, empty where no process is known.
    pub fn list(&self) -> &[Holder] {
        match self {
            Self::Processes { holders } => holders,
            Self::Kernel | Self::Nobody | Self::Hidden | Self::NotLooked => &[],
        }
    }

    /// Whether that process is among them.
    pub fn has(&self, pid: u32) -> bool {
        self.list().iter().any(|holder| holder.pid == pid)
    }

    /// The processes, each once, in ascending order.
    pub fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.list().iter().map(|holder| holder.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }
}

/// A queue of a socket: how full, of how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Connections waiting to be accepted.
    pub waiting: u32,
    /// The most that may wait.
    pub limit: u32,
}

/// One socket, seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Its protocol.
    pub protocol: Protocol,
    /// Where it is bound.
    pub local: LocalAddress,
    /// The other end of a connection.
    pub remote: Option<SocketAddr>,
    /// The TCP state; for unix stream sockets only `Listen` or `Established`.
    pub state: Option<TcpState>,
    /// Whether an IPv6 socket refuses IPv4; `None` where the kernel does not say.
    pub v6only: Option<bool>,
    /// The network device it is bound to (SO_BINDTODEVICE), by index.
    pub device: Option<u32>,
    /// The key of its descriptors; `None` once no descriptor can exist.
    pub inode: Option<u64>,
    /// The kernel's name for it, stable for its life (SO_COOKIE).
    pub cookie: Option<u64>,
    /// The user that created it.
    pub uid: Option<u32>,
    /// The control group it was created in, as a path from the hierarchy's root.
    pub cgroup: Option<String>,
    /// For a listener, its accept queue.
    pub backlog: Option<Backlog>,
    /// Milliseconds until the kernel drops it by itself (TIME-WAIT, orphaned FIN-WAIT-2).
    pub expires_ms: Option<u32>,
    /// SO_REUSEADDR; `None` where it could not be learned.
    pub reuse_addr: Option<bool>,
    /// SO_REUSEPORT; `None` where it could not be learned.
    pub reuse_port: Option<bool>,
    /// Whether it is the TCP side of an MPTCP socket.
    pub mptcp: bool,
    /// The network namespace's index into [`crate::snapshot::Snapshot::namespaces`]; `None` for
    /// the asker's own.
    pub netns: Option<usize>,
    /// Who holds it.
    pub holders: Holders,
}

impl Socket {
    /// A socket of that kind with everything else unknown: the start of a decoder or a test.
    pub const fn new(protocol: Protocol, local: LocalAddress, state: Option<TcpState>) -> Self {
        Self {
            protocol,
            local,
            remote: None,
            state,
            v6only: None,
            device: None,
            inode: None,
            cookie: None,
            uid: None,
            cgroup: None,
            backlog: None,
            expires_ms: None,
            reuse_addr: None,
            reuse_port: None,
            mptcp: false,
            netns: None,
            holders: Holders::NotLooked,
        }
    }

    /// The local IP address, v4-mapped ones as they are.
    pub fn ip(&self) -> Option<IpAddr> {
        self.local.inet().map(|address| address.ip())
    }

    /// The local port; `None` for unix and raw sockets.
    pub fn port(&self) -> Option<u16> {
        match self.protocol {
            Protocol::Raw | Protocol::Unix => None,
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite => {
                self.local.inet().map(|address| address.port())
            }
        }
    }

    /// Whether it waits for connections or, for UDP, for datagrams from anybody.
    pub fn is_server(&self) -> bool {
        match self.protocol {
            Protocol::Tcp | Protocol::Unix => self.state == Some(TcpState::Listen),
            Protocol::Udp | Protocol::UdpLite | Protocol::Raw => self.remote.is_none(),
        }
    }
}
