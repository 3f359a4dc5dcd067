//! The table of checks: an id that never changes, so that documents and bug reports can name it,
//! and what it means when it works.

use crate::report::CheckGroup::{self, Acting, Mechanisms, Sight, Sockets};

/// A check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, as in JSON and in the documents.
    pub id: &'static str,
    /// What it is about.
    pub group: CheckGroup,
    /// Whether no answer can be trusted where it fails.
    pub essential: bool,
    /// What is so where it works.
    pub meaning: &'static str,
}

const fn check(
    id: &'static str,
    group: CheckGroup,
    essential: bool,
    meaning: &'static str,
) -> Check {
    Check { id, group, essential, meaning }
}

/// Every check, in the order it is told.
pub const CHECKS: &[Check] = &[
    check("patient", Sockets, true, "a process of our own could be started to be examined"),
    check(
        "tcp4-listener",
        Sockets,
        true,
        "a TCP listener on 127.0.0.1 is found and its process named",
    ),
    check(
        "tcp6-dual",
        Sockets,
        true,
        "a dual-stack TCP listener on [::] is found and its process named",
    ),
    check(
        "tcp6-only",
        Sockets,
        true,
        "a TCP listener on [::] that refuses IPv4 is found as such and its process named",
    ),
    check(
        "tcp-bound",
        Sockets,
        false,
        "a TCP socket that is bound and does not listen is found and its process named",
    ),
    check(
        "tcp-accepted",
        Sockets,
        true,
        "an accepted connection whose listener is gone is found and its process named",
    ),
    check(
        "tcp-outgoing",
        Sockets,
        true,
        "an outgoing connection is told from a server and its process named",
    ),
    check(
        "time-wait",
        Sockets,
        false,
        "a connection in TIME-WAIT is found, and that nobody owns it",
    ),
    check("udp4", Sockets, true, "a UDP socket on 127.0.0.1 is found and its process named"),
    check("udp6", Sockets, true, "a UDP socket on [::1] is found and its process named"),
    check("unix-path", Sockets, false, "a unix socket with a path is found and its process named"),
    check(
        "unix-abstract",
        Sockets,
        false,
        "a unix socket with an abstract name is found and its process named",
    ),
    check(
        "socket-query",
        Mechanisms,
        false,
        "the system's own table of sockets is asked, and not a slower substitute",
    ),
    check("bound-query", Mechanisms, false, "the system lists bound sockets of every user"),
    check(
        "socket-options",
        Mechanisms,
        false,
        "SO_REUSEADDR and SO_REUSEPORT of a holder's socket are read",
    ),
    check(
        "end-events",
        Mechanisms,
        false,
        "the system tells when a socket ends, so that waiting needs no polling",
    ),
    check(
        "bind-probe",
        Mechanisms,
        true,
        "a bind of a held port is refused by the system as it should be",
    ),
    check(
        "time-wait-reset",
        Mechanisms,
        false,
        "a TIME-WAIT of this machine's own connections is ended without privileges",
    ),
    check(
        "socket-destroy",
        Mechanisms,
        false,
        "a connection is closed in the system without touching its process",
    ),
    check(
        "namespaces",
        Mechanisms,
        false,
        "sockets of other network namespaces, such as containers', are seen",
    ),
    check("packet-filter", Mechanisms, false, "rules that send a port elsewhere are read"),
    check("engines", Mechanisms, false, "the container engines of this machine answer"),
    check("service-manager", Mechanisms, false, "the service manager of this machine answers"),
    check(
        "process-pin",
        Acting,
        true,
        "a process is held so that its number cannot come to mean another",
    ),
    check("process-identity", Acting, true, "a process that only has the same number is refused"),
    check("still-holds", Acting, true, "a held process is seen to still have the very socket"),
    check("process-signal", Acting, true, "a held process is asked to end"),
    check("process-end", Acting, true, "the end of a held process is noticed at once"),
    check("port-bindable", Acting, true, "what it held can be bound when it has ended, by a bind"),
    check(
        "own-ports",
        Sight,
        false,
        "every listening socket of the machine has a holder that this user may see",
    ),
    check("own-processes", Sight, false, "every process of the machine is open to this user"),
    check("process-list", Sight, false, "the list of processes is whole"),
    check("privileged-ports", Sight, false, "this user may bind ports below the privileged floor"),
];

/// The check of that id.
pub fn of(id: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.id == id)
}

/// The id that begins most as the word does, if any does at all.
pub fn nearest(word: &str) -> Option<&'static str> {
    const LEAST: usize = 3;
    let alike = |id: &str| id.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
    let near = CHECKS.iter().filter(|check| alike(check.id) >= LEAST);
    near.rev().max_by_key(|check| alike(check.id)).map(|check| check.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_there_once_and_is_a_plain_word() {
        for (place, check) in CHECKS.iter().enumerate() {
            assert!(CHECKS[..place].iter().all(|other| other.id != check.id), "{}", check.id);
            assert!(
                check.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            assert!(!check.meaning.ends_with('.'), "{}", check.meaning);
        }
        assert_eq!(of("tcp4-listener"), Some(&CHECKS[1]));
        assert_eq!(of("nonsense"), None);
    }

    #[test]
    fn a_misspelled_id_is_guessed() {
        assert_eq!(nearest("tcp4-listner"), Some("tcp4-listener"));
        assert_eq!(nearest("xyz"), None);
        assert_eq!(nearest(""), None);
    }
}
