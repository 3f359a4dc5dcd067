//! What a process was started with, as it is read of one and as another is given it.

use crate::decode::settings::{Credentials, Limit};
use crate::undo::{FileMark, Stream};

/// What a process was started with, as far as it may be read.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) exe: Option<Vec<u8>>,
    pub(crate) file: Option<FileMark>,
    /// Its arguments, each ended by a zero.
    pub(crate) cmdline: Vec<u8>,
    /// The same as one string, where it was given one.
    pub(crate) line: Option<Vec<u8>>,
    pub(crate) cwd: Option<Vec<u8>>,
    pub(crate) environment: Option<Vec<u8>>,
    pub(crate) credentials: Credentials,
    pub(crate) nice: Option<i32>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) streams: [Stream; 3],
    /// A namespace of it that is another than ours, or that its root directory is; there are none on
    /// most systems.
    pub(crate) apart: Option<&'static str>,
}

/// A program to start, with everything it is to be started with.
#[derive(Debug)]
pub(crate) struct Start {
    /// The file to run.
    pub(crate) program: Vec<u8>,
    /// Its arguments, `argv[0]` first; not empty.
    pub(crate) argv: Vec<Vec<u8>>,
    /// The same as one string, where that is what it is given.
    #[cfg_attr(not(windows), allow(dead_code, reason = "elsewhere it is given words"))]
    pub(crate) line: Option<Vec<u8>>,
    /// Where.
    pub(crate) cwd: Vec<u8>,
    /// Its whole environment.
    pub(crate) environment: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
    /// Of its resources (getrlimit(2)); none on a system that does not tell them of others.
    pub(crate) limits: Vec<Limit>,
    /// User, group and groups, where they are not ours.
    pub(crate) user: Option<(u32, u32, Vec<u32>)>,
}
