//! What a command inherits that gets a port of its own.

use std::ffi::OsString;

use super::keep::Kept;

/// A program to become, or where a system knows no such thing, to start: with what it inherits.
#[derive(Debug)]
pub(crate) struct Succession {
    /// The program and its arguments; not empty.
    pub(crate) argv: Vec<OsString>,
    /// Variables set on top of this process's own.
    pub(crate) variables: Vec<(String, String)>,
    /// Sockets for descriptors 3, 4, … in this order (sd_listen_fds(3)). On Windows none: nothing would
    /// tell a program which handles they are.
    pub(crate) sockets: Vec<Kept>,
    /// What stays open in it, where nobody looks.
    pub(crate) kept: Vec<Kept>,
    /// Sockets that stay bound until it begins.
    pub(crate) bound: Vec<Kept>,
}
