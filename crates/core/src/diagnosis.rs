//! Why a bind fails, or would not: a pure function of what was asked, what the kernel said to a
//! probe, and what was seen. Small rules, one a cause. The sentences are in [`crate::explain`].

use serde::{Deserialize, Serialize};

use crate::addr::Endpoint;
use crate::bind::Attempt;

/// What the kernel would say to a server that wants the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every ordinary bind would succeed: the kernel said so.
    Free,
    /// An ordinary bind fails, and only remains that nobody owns are why.
    Lingering,
    /// This user may not bind it at all.
    Denied,
    /// An ordinary bind fails, and live sockets are why.
    Held,
}

/// One reason that a port is, or looks, taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// A process listens.
    Listener,
    /// Several sockets share the address by SO_REUSEPORT; requests are split.
    SharedListener,
    /// The holders did not open the listener: it came with fork or exec.
    InheritedListener,
    /// Bound, and neither listening nor connected.
    BoundNotListening,
    /// The listener is gone, a connection it accepted keeps the port.
    AcceptedConnection,
    /// Somebody's client drew this port for a connection of its own.
    OutgoingConnection,
    /// Closed connections in TIME-WAIT.
    TimeWait,
    /// Connections that the kernel is still ending; nobody owns them.
    Closing,
    /// A UDP socket.
    UdpSocket,
    /// A unix socket somebody serves.
    UnixSocket,
    /// A unix socket's file that nobody serves any more.
    StaleUnixSocket,
    /// The descriptor sits in a unix socket's queue.
    InFlight,
    /// Seen, owner not visible to this user.
    HiddenHolder,
    /// Held in another network namespace: not a conflict of this one.
    OtherNamespace,
    /// A container publishes or holds it.
    Container,
    /// systemd (or launchd) holds it for a service that it starts on demand.
    SocketActivation,
    /// The kernel itself.
    Kernel,
    /// Below the privileged floor, without the right to bind there.
    Privileged,
    /// In a range the system keeps for itself.
    Reserved,
    /// The address is not one of this machine.
    NotLocal,
    /// The ephemeral range is exhausted.
    NoPortsLeft,
    /// The kernel refuses and nothing visible explains it.
    Unexplained,
}

impl CauseKind {
    /// Whether the cause is sockets that live processes (seen or not) or the kernel hold.
    pub const fn is_live(self) -> bool {
        !matches!(
            self,
            Self::TimeWait
                | Self::Closing
                | Self::StaleUnixSocket
                | Self::OtherNamespace
                | Self::Privileged
                | Self::Reserved
                | Self::NotLocal
                | Self::NoPortsLeft
        )
    }
}

/// A reason with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Which.
    pub kind: CauseKind,
    /// Whether the evidence proves it.
    pub certain: bool,
    /// Indices into [`crate::snapshot::Snapshot::sockets`].
    pub sockets: Vec<usize>,
    /// The processes concerned, topmost first.
    pub pids: Vec<u32>,
    /// Milliseconds until it passes by itself.
    pub expires_ms: Option<u32>,
}

/// What is so about one endpoint, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was asked.
    pub endpoint: Endpoint,
    /// The short answer.
    pub verdict: Verdict,
    /// The kernel's answers.
    pub bind: Vec<Attempt>,
    /// The reasons, most important first.
    pub causes: Vec<Cause>,
    /// All sockets that the answer is about, as indices into the snapshot.
    pub sockets: Vec<usize>,
}
