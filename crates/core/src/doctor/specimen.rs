//! The sockets that are opened to be found: of every kind, each on a port that the system chose.

use std::any::Any;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::sys::specimens;

/// The kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A TCP listener on 127.0.0.1.
    Tcp4Listener,
    /// A TCP listener on `::` for both families.
    Tcp6Dual,
    /// A TCP listener on `::` for IPv6 alone.
    Tcp6Only,
    /// A TCP socket that is bound and does nothing else.
    TcpBound,
    /// The server's end of a connection whose listener is closed.
    TcpAccepted,
    /// The client's end of a connection to a listener.
    TcpOutgoing,
    /// A connection that was closed on the server's side first.
    TimeWait,
    /// A UDP socket on 127.0.0.1.
    Udp4,
    /// A UDP socket on `::1`.
    Udp6,
    /// A unix listener with a path.
    UnixPath,
    /// A unix listener with an abstract name.
    UnixAbstract,
}

impl Kind {
    /// All of them, in the order they are opened.
    pub const ALL: [Self; 11] = [
        Self::Tcp4Listener,
        Self::Tcp6Dual,
        Self::Tcp6Only,
        Self::TcpBound,
        Self::TcpAccepted,
        Self::TcpOutgoing,
        Self::TimeWait,
        Self::Udp4,
        Self::Udp6,
        Self::UnixPath,
        Self::UnixAbstract,
    ];

    /// The check that is about it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Tcp4Listener => "tcp4-listener",
            Self::Tcp6Dual => "tcp6-dual",
            Self::Tcp6Only => "tcp6-only",
            Self::TcpBound => "tcp-bound",
            Self::TcpAccepted => "tcp-accepted",
            Self::TcpOutgoing => "tcp-outgoing",
            Self::TimeWait => "time-wait",
            Self::Udp4 => "udp4",
            Self::Udp6 => "udp6",
            Self::UnixPath => "unix-path",
            Self::UnixAbstract => "unix-abstract",
        }
    }
}

/// Where a specimen is, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// At an address.
    Inet(SocketAddr),
    /// At a path.
    Path(String),
    /// Under an abstract name, without its `@`.
    Abstract(String),
    /// This system, or this machine as it is set up, has none such; in words.
    Absent(String),
    /// It could not be opened; in words.
    Refused(String),
}

impl Place {
    /// The address, where it has one.
    pub const fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            _ => None,
        }
    }
}

/// One of them, as it is told from process to process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specimen {
    /// Which.
    pub kind: Kind,
    /// Where.
    pub place: Place,
}

/// What keeps sockets open.
pub(crate) type Kept = Vec<Box<dyn Any>>;

/// The specimens of this process, open until they are let go.
pub struct Ward {
    open: Vec<(Specimen, Kept)>,
}

impl Ward {
    /// Opens one of every kind; files of sockets go into that directory.
    pub fn open(directory: &Path) -> Self {
        let one = |kind| match specimens::open(kind, directory) {
            Ok((place, kept)) => (Specimen { kind, place }, kept),
            Err(error) => {
                let place = match specimens::is_absent(kind, &error) {
                    true => Place::Absent(error.to_string()),
                    false => Place::Refused(error.to_string()),
                };
                (Specimen { kind, place }, Kept::new())
            }
        };
        Self { open: Kind::ALL.into_iter().map(one).collect() }
    }

    /// All of them.
    pub fn specimens(&self) -> Vec<Specimen> {
        self.open.iter().map(|(specimen, _)| specimen.clone()).collect()
    }

    /// Closes one.
    pub fn close(&mut self, kind: Kind) {
        self.open.retain(|(specimen, _)| specimen.kind != kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_opened_or_says_why_not_and_has_its_check() {
        let directory = std::env::temp_dir();
        let mut ward = Ward::open(&directory);
        let specimens = ward.specimens();
        assert_eq!(specimens.iter().map(|s| s.kind).collect::<Vec<_>>(), Kind::ALL);
        for specimen in &specimens {
            assert!(super::super::checks::of(specimen.kind.id()).is_some());
            let word = serde_json::to_string(&specimen.kind).unwrap();
            assert_eq!(word, format!("\"{}\"", specimen.kind.id()));
            if let Place::Path(path) = &specimen.place {
                std::fs::remove_file(path).unwrap();
            }
        }
        let taken = specimens[0].place.inet().unwrap();
        assert!(std::net::TcpListener::bind(taken).is_err());
        ward.close(Kind::Tcp4Listener);
        assert!(std::net::TcpListener::bind(taken).is_ok());
    }

    #[test]
    fn they_are_told_as_json() {
        let specimen =
            Specimen { kind: Kind::Udp6, place: Place::Inet("[::1]:53".parse().unwrap()) };
        let json = serde_json::to_string(&specimen).unwrap();
        assert_eq!(json, r#"{"kind":"udp6","place":{"inet":"[::1]:53"}}"#);
        assert_eq!(serde_json::from_str::<Specimen>(&json).unwrap(), specimen);
    }
}
