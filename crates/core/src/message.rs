//! What a program said when its bind failed, read out of a message or a whole log: which bind it
//! was, and what kind of failure. Nothing here looks at the machine; the words of programs are
//! in `rows`, sentences for people are elsewhere.

mod clean;
mod literals;
mod reading;
mod rows;
mod scanner;
mod sieve;
mod window;
pub mod words;

use serde::{Deserialize, Serialize};

use crate::addr::{AddressScope, Endpoint, Port, Transport};
use crate::target::{PortRange, Target, UnixName};

pub use scanner::Scanner;

/// What kind of failure a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Something has the port (EADDRINUSE, WSAEADDRINUSE).
    InUse,
    /// This user, or any, may not bind it: privileged, reserved, a sandbox (EACCES, EPERM,
    /// WSAEACCES). On Windows also a holder that shares with nobody.
    Denied,
    /// The address is not one of that machine (EADDRNOTAVAIL).
    NotLocal,
    /// A container engine has given the port out already, by its own books.
    Allocated,
    /// The file of a unix socket, or a named pipe, is there already.
    SocketFile,
    /// No port was left for an outgoing connection; the port in the message is the other end's.
    Exhausted,
    /// A lock or PID file says that the program runs already.
    AlreadyRunning,
    /// The program listened twice by itself.
    SelfInflicted,
    /// In use on another machine, to which a tunnel leads.
    Elsewhere,
    /// A bind failed and the message does not say why.
    Unsaid,
}

impl Class {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InUse => "in-use",
            Self::Denied => "denied",
            Self::NotLocal => "not-local",
            Self::Allocated => "allocated",
            Self::SocketFile => "socket-file",
            Self::Exhausted => "exhausted",
            Self::AlreadyRunning => "already-running",
            Self::SelfInflicted => "self-inflicted",
            Self::Elsewhere => "elsewhere",
            Self::Unsaid => "unsaid",
        }
    }
}

/// The system that a message comes from, where its numbers or words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// errno 98 and kin.
    Linux,
    /// errno 48 and kin.
    Macos,
    /// 10048 and kin, or Windows' own sentences.
    Windows,
}

/// A bind that failed, as a message tells it. What the message does not say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub class: Class,
    /// The transport, from the message or from what that program binds.
    pub transport: Option<Transport>,
    /// The address. `:::3000` is `[::]`; `null`, `*` and a host name are [`AddressScope::Every`].
    pub address: Option<AddressScope>,
    /// The interface of a link-local address, where it is named and not numbered (RFC 4007 11).
    pub interface: Option<String>,
    /// The port. The other machine's for [`Class::Exhausted`] and [`Class::Elsewhere`].
    pub port: Option<Port>,
    /// The last port, where a range was tried.
    pub last_port: Option<Port>,
    /// A unix socket, a named pipe, a lock or a PID file.
    pub path: Option<String>,
    /// The process that the message names as the holder.
    pub pid: Option<u32>,
    /// The port that the program took instead.
    pub moved_to: Option<Port>,
    /// The program, as in the table of messages.
    pub source: &'static str,
    /// The system it ran on.
    pub origin: Option<Origin>,
    /// Where the port is to be found, where the message has none: one sentence for people.
    pub hint: Option<&'static str>,
    /// The words that were recognised, as they came but for escape sequences; at most
    /// [`Failure::LONGEST_LINE`] bytes. Hostile text.
    pub line: String,
}

impl Failure {
    /// The most bytes of [`Failure::line`].
    pub const LONGEST_LINE: usize = 512;

    /// The very bind, as a target to look at: `None` where the message does not name one, and
    /// where its port is another machine's.
    pub fn target(&self) -> Option<Target> {
        match self.class {
            Class::Exhausted | Class::Elsewhere | Class::SelfInflicted => return None,
            Class::AlreadyRunning => return self.pid.map(Target::Pid),
            _ => {}
        }
        if let Some(path) = &self.path {
            return unix_target(path);
        }
        let (transport, address) = (self.transport, self.address.unwrap_or(AddressScope::Every));
        let port = self.port?;
        Some(match self.last_port {
            Some(last) if last > port => {
                Target::Range(PortRange::new(transport, address, port, last)?)
            }
            _ => Target::Port(Endpoint { transport, address, port }),
        })
    }

    /// The program's name alone, without versions and relatives.
    pub fn program(&self) -> &'static str {
        let source = self.source;
        let end = [" (", ",", ":", " >=", " <", " /", "/"]
            .iter()
            .filter_map(|mark| source.find(mark))
            .min()
            .unwrap_or(source.len());
        let name = &source[..end];
        if name.starts_with("Node.js") { "Node.js" } else { name }
    }

    /// Whether many programs use those words, so that they do not tell which one it was.
    pub fn is_anyones(&self) -> bool {
        self.source.starts_with("Vite strictPort") || reading::is_general(self.source)
    }

    /// Whether it names what is in the way: a port, a file, a process.
    fn names_something(&self) -> bool {
        self.port.is_some() || self.path.is_some() || self.pid.is_some()
    }
}

fn unix_target(path: &str) -> Option<Target> {
    match path.strip_prefix('@') {
        Some(name) if !name.is_empty() => Some(Target::Unix(UnixName::Abstract(name.to_owned()))),
        _ if path.starts_with('/') => Some(Target::Unix(UnixName::Path(path.to_owned()))),
        _ => None,
    }
}

/// Every failure in a text, each once, in order.
pub fn read(text: &str) -> Vec<Failure> {
    let mut scanner = Scanner::new();
    scanner.feed(text.as_bytes());
    scanner.finish()
}

/// The messages that are understood: the program and the expression of each, in the order of
/// `data/error-strings.csv`, those of one expression once.
pub fn table() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows::ROWS.iter().filter(|row| !row.ours).map(|row| (row.source, row.pattern))
}
