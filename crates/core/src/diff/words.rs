//! The sentences of `proc diff`.

use crate::report::{DifferenceKind, DifferenceReport, ProcessReport, SocketReport};
use crate::socket::Protocol;

/// When the first recording was taken, and the second.
pub(super) const THEN: &str = "then";
pub(super) const NOW: &str = "now";

/// What changed, in one sentence.
pub(super) fn difference(difference: &DifferenceReport) -> String {
    let now = || place(difference.socket.as_ref());
    let then = || place(difference.before.as_ref());
    let who = || holders(&difference.processes, difference.socket.as_ref());
    let who_before = || holders(&difference.processes_before, difference.before.as_ref());
    match difference.kind {
        DifferenceKind::Opened => format!("{} is new, held by {}", now(), who()),
        DifferenceKind::Closed => format!("{} is closed, which {} held", then(), who_before()),
        DifferenceKind::ChangedHands if !difference.certain => format!(
            "{} is another socket now: held by {} before, and by {} now",
            now(),
            who_before(),
            who()
        ),
        DifferenceKind::ChangedHands => {
            format!("{} was held by {}, and is by {} now", now(), who_before(), who())
        }
        DifferenceKind::Restarted => {
            let pids = |processes: &[ProcessReport]| {
                let pids: Vec<String> =
                    processes.iter().map(|process| process.pid.to_string()).collect();
                pids.join(", ")
            };
            format!(
                "{} is held by the same command, started again: {} was {}",
                now(),
                who(),
                pids(&difference.processes_before)
            )
        }
        DifferenceKind::Moved => format!("{} was at {} before, held by {}", now(), then(), who()),
        DifferenceKind::Listening => {
            format!("{} listens now, and was only bound before: {}", now(), who())
        }
        DifferenceKind::ListensNoMore => {
            format!("{} listens no more, and is only bound: {}", now(), who())
        }
    }
}

/// `tcp 127.0.0.1:3000`, or a unix socket's name.
fn place(socket: Option<&SocketReport>) -> String {
    match socket {
        None => String::new(),
        Some(socket) => {
            let namespace =
                socket.netns.as_ref().map_or(String::new(), |name| format!(" in {name}"));
            match socket.protocol {
                Protocol::Unix => format!("{}{namespace}", socket.local),
                protocol => format!("{protocol} {}{namespace}", socket.local),
            }
        }
    }
}

fn holders(processes: &[ProcessReport], socket: Option<&SocketReport>) -> String {
    const MOST: usize = 3;
    let named = |process: &ProcessReport| format!("{} (pid {})", process.name, process.pid);
    let names: Vec<String> = processes.iter().take(MOST).map(named).collect();
    match (names.as_slice(), processes.len().saturating_sub(MOST), socket) {
        ([], _, Some(socket)) if socket.kernel => "the kernel".to_owned(),
        ([], _, Some(socket)) if socket.hidden => "somebody you may not see".to_owned(),
        ([], ..) => "nobody".to_owned(),
        ([one], 0, _) => one.clone(),
        ([all @ .., last], 0, _) => format!("{} and {last}", all.join(", ")),
        (some, more, _) => format!("{} and {more} more", some.join(", ")),
    }
}
