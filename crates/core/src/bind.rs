//! When the kernel lets a socket have an address: the measured rules of Linux as one pure
//! function, and the words for a probe's answer.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::addr::Transport;

/// A bind somebody wants to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BindRequest {
    /// The transport.
    pub transport: Transport,
    /// The address and port.
    pub address: SocketAddr,
    /// IPV6_V6ONLY; meaningless for IPv4 addresses.
    pub v6only: bool,
    /// SO_REUSEADDR.
    pub reuse_addr: bool,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// The user that creates the socket.
    pub uid: u32,
    /// SO_BINDTODEVICE, by index.
    pub device: Option<u32>,
}

/// What the kernel said to a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BindResult {
    /// It succeeded.
    Ok,
    /// EADDRINUSE.
    InUse,
    /// EACCES or EPERM.
    Denied,
    /// EADDRNOTAVAIL.
    NotLocal,
    /// Another error, by its number.
    Other(i32),
}

/// One probe of one address: without and with SO_REUSEADDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The transport probed.
    pub transport: Transport,
    /// The address probed. `::` is probed dual-stack, as servers bind it.
    pub address: SocketAddr,
    /// The answer to a plain bind.
    pub plain: BindResult,
    /// The answer with SO_REUSEADDR.
    pub reuse_addr: BindResult,
}

/// Whether an existing socket stops a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conflict {
    /// It does not.
    No,
    /// It does.
    Yes,
    /// It depends on options of the existing socket that are not known.
    Unknown,
}
