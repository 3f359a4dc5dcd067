//! Rules of the packet filter that send a port elsewhere: a published container port without a
//! forwarding process, a Kubernetes NodePort, a REDIRECT. No socket holds such a port, and a bind
//! of it succeeds; what arrives for it never gets to the server that was bound.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::snapshot::Gap;
use crate::socket::Protocol;

/// One rule that sends a port of this machine elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// Which filter has it: `nftables` or `iptables`.
    pub filter: String,
    /// Its table, with the family where the filter has one: `ip nat`.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Of which transport.
    pub protocol: Protocol,
    /// The ports that it takes.
    pub ports: RangeInclusive<u16>,
    /// The destination address it takes; `None` for every address of this machine.
    pub address: Option<IpAddr>,
    /// Where it sends to; `None` for this machine itself (REDIRECT).
    pub to: Option<IpAddr>,
    /// The port it sends to, where it changes that.
    pub to_port: Option<u16>,
    /// Whether packets that this machine sends to itself are taken as well (the output hook), and
    /// not only those that arrive from others.
    pub local_too: bool,
    /// The rule's comment: engines and Kubernetes write there what it is for.
    pub comment: Option<String>,
}

/// What the packet filter said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedirectAnswer {
    /// The rules for the ports asked for.
    pub redirects: Vec<Redirect>,
    /// Why they could not be read.
    pub gaps: Vec<Gap>,
}
