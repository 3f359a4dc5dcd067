//! What can be wrong with a target, and the sentences that say so.

use std::fmt;

use crate::addr::Port;
use crate::target::url;

/// A word that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TargetError {
    /// The word, with the password and query of a URL masked.
    pub word: String,
    /// What is wrong with it.
    pub problem: Problem,
    /// What was probably meant: a word that parses, or a pattern with `PORT`, `NAME` or `PID` in
    /// it.
    pub meant: Option<String>,
}

/// What can be wrong with a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nothing there.
    Empty,
    /// Not UTF-8.
    NotText,
    /// Port 0.
    PortZero,
    /// A port beyond 65535.
    PortTooLarge,
    /// An address, a transport or a URL, and no port.
    PortMissing,
    /// Neither a number, a range nor a service name where the port stands.
    BadPort,
    /// A service name nobody knows.
    UnknownService {
        /// The name.
        name: String,
    },
    /// A service name with one port on TCP and another on UDP, and no transport to choose by.
    ServiceDiffers {
        /// The name.
        name: String,
        /// Its TCP port.
        tcp: Port,
        /// Its UDP port.
        udp: Port,
    },
    /// A range that ends before it begins.
    ReversedRange,
    /// A range without its colon: a bare number is a process.
    BareRange,
    /// An IPv6 address and port that could be an address alone.
    AmbiguousIpv6,
    /// Something like an IP address that is none.
    BadAddress,
    /// A host name other than `localhost`.
    OtherHost {
        /// The host.
        host: String,
    },
    /// A network interface nobody here knows.
    UnknownInterface {
        /// Its name.
        name: String,
    },
    /// Not a process number.
    BadPid,
    /// A word before the colon that is no kind of target, such as `port:`.
    UnknownKind {
        /// The word.
        kind: String,
    },
    /// A kind and no name (`container:`, `@`).
    NameMissing,
    /// A port, and then more.
    AfterPort,
    /// A path with a colon in its first part.
    PathOrPort,
    /// Spaces within ports.
    Spaces,
}

impl Problem {
    /// With what was meant.
    pub(super) fn with(self, meant: impl Into<String>) -> Fault {
        Fault { problem: self, meant: Some(meant.into()) }
    }

    /// With what was meant, where that can be told.
    pub(super) const fn perhaps(self, meant: Option<String>) -> Fault {
        Fault { problem: self, meant }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        problem.perhaps(None)
    }
}

/// A [`TargetError`] before it knows its word.
pub(super) struct Fault {
    problem: Problem,
    meant: Option<String>,
}

impl Fault {
    pub(super) fn about(self, word: &str) -> TargetError {
        let Self { problem, meant } = self;
        TargetError { word: url::masked_strictly(word), problem, meant }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = echo(&self.word);
        match &self.problem {
            Problem::Empty => f.write_str("no target was given"),
            Problem::NotText => write!(f, "{word} is not UTF-8 text"),
            Problem::PortZero => {
                write!(f, "{word} names no port: port 0 means 'any free port' and is never held")
            }
            Problem::PortTooLarge => write!(f, "{word} is not a port: ports go from 1 to 65535"),
            Problem::PortMissing => write!(f, "{word} names no port"),
            Problem::BadPort => write!(f, "{word} is neither a port nor a range of ports"),
            Problem::UnknownService { name } => {
                write!(f, "{word} names no port: no service is called {}", echo(name))
            }
            Problem::ServiceDiffers { name, tcp, udp } => write!(
                f,
                "{word} is two ports, {tcp} on TCP and {udp} on UDP; try {} or {}",
                echo(&format!("tcp:{name}")),
                echo(&format!("udp:{name}"))
            ),
            Problem::ReversedRange => write!(f, "the range {word} runs backwards"),
            Problem::BareRange => write!(f, "{word} needs a colon to mean ports"),
            Problem::AmbiguousIpv6 => {
                write!(f, "{word} needs brackets around the IPv6 address")
            }
            Problem::BadAddress => write!(f, "{word} does not start with a valid IP address"),
            Problem::OtherHost { host } => {
                let host = echo(host);
                write!(f, "{host} is not an address of this machine, the only one proc looks at")
            }
            Problem::UnknownInterface { name } => {
                write!(f, "{word} names an unknown network interface, {}", echo(name))
            }
            Problem::BadPid => {
                write!(f, "{word} is not a process: their numbers go from 1 to {}", u32::MAX)
            }
            Problem::UnknownKind { kind } => write!(f, "{} is no kind of target", echo(kind)),
            Problem::NameMissing => write!(f, "{word} names nothing"),
            Problem::AfterPort => write!(f, "{word} goes on after the port"),
            Problem::PathOrPort => write!(f, "{word} is neither a port nor clearly a path"),
            Problem::Spaces => write!(f, "{word} has spaces in it where commas separate targets"),
        }?;
        match &self.meant {
            Some(meant) => write!(f, "; try {}", echo(meant)),
            None => Ok(()),
        }
    }
}

/// Characters of a word that an error repeats; more tell a reader nothing.
const ECHO_LIMIT: usize = 80;

/// A word in backticks, harmless on a terminal: control, invisible and direction-changing
/// characters escaped, and its end left out where it is long.
fn echo(word: &str) -> String {
    let mut shown = String::from("`");
    let mut rest = word.chars();
    for character in rest.by_ref().take(ECHO_LIMIT) {
        match character {
            // Visible as they are; `escape_debug` would decorate them.
            '\'' | '"' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}
