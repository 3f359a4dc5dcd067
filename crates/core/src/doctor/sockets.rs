//! Every specimen is looked at the way that `proc on` looks, all in one look, and what was found is
//! compared with what was opened.

use super::specimen::{Kind, Place, Specimen};
use super::{Finding, Findings, Patient, endpoint_of, words};
use crate::diagnosis::{CauseKind, Verdict};
use crate::host::{Host, Watch};
use crate::look::{LookOptions, look};
use crate::report::{SocketReport, TargetReport};
use crate::snapshot::{Gap, Snapshot, Source};
use crate::socket::{Socket, TcpState};
use crate::target::{Target, UnixName};

/// How often a connection that is still ending is looked at again.
const MOST_AGAIN: u32 = 20;

pub(super) fn check(host: &dyn Host, patient: &Patient, seen: &Snapshot, findings: &mut Findings) {
    findings.add("patient", Finding::works(words::patient(patient.pid())));
    let mut targets = Vec::new();
    let mut wanted = Vec::new();
    for specimen in patient.specimens() {
        match &specimen.place {
            Place::Absent(why) => {
                findings.add(specimen.kind.id(), Finding::absent(words::none_here(why)));
            }
            Place::Refused(why) => {
                findings.add(specimen.kind.id(), Finding::fails(words::not_opened(why)));
            }
            Place::Inet(_) | Place::Path(_) | Place::Abstract(_) => {
                if let Some(target) = target_of(specimen) {
                    targets.push(target);
                    wanted.push(specimen);
                }
            }
        }
    }
    let reports = look_settled(host, &targets, &wanted);
    for (specimen, report) in wanted.iter().zip(&reports) {
        let finding = judge(specimen, report, patient.pid());
        let other = || harmless(specimen, report, patient.pid(), seen);
        let unfound =
            report.sockets.is_empty().then(|| other().or_else(|| unlisted(specimen, seen)));
        findings.add(specimen.kind.id(), unfound.flatten().unwrap_or(finding));
    }
}

/// Where everybody may bind all the same, as on Windows beside a connection, an answer has no cause and
/// so no socket: the table alone shows what was opened.
fn harmless(
    specimen: &Specimen,
    report: &TargetReport,
    pid: u32,
    seen: &Snapshot,
) -> Option<Finding> {
    let state = expected(specimen.kind).state?;
    let is_it = |socket: &&Socket| {
        socket.netns.is_none()
            && socket.local.inet() == specimen.place.inet()
            && socket.state == Some(state)
    };
    let found = seen.sockets.iter().find(is_it)?;
    if report.verdict != Some(Verdict::Free) || !state.is_connection() {
        return None;
    }
    let at = place_words(&specimen.place);
    let holders = found.holders.pids();
    Some(match specimen.kind {
        Kind::TimeWait if holders.is_empty() => Finding::works(words::lingers_harmless(&at)),
        Kind::TimeWait => Finding::fails(words::held_by(&at, &holders)),
        _ if holders.contains(&pid) => Finding::works(words::found_harmless(&at, pid)),
        _ => Finding::fails(words::held_by(&at, &holders)),
    })
}

/// That a bound socket is not found where the system lists none and its processes cannot be asked for
/// theirs is told by `bound-query`, and is no fault of the look.
fn unlisted(specimen: &Specimen, seen: &Snapshot) -> Option<Finding> {
    let lists = !seen.gaps.contains(&Gap::NoBoundSockets) || seen.source != Source::ExtendedTable;
    let meant = specimen.kind == Kind::TcpBound && !lists;
    meant.then(|| Finding::limited(words::bound_unlisted(), Some(words::bound_cure())))
}

/// Looks, and again while the connection that is to be over has not yet come to TIME-WAIT: its
/// last packets may still be on their way.
fn look_settled(host: &dyn Host, targets: &[Target], wanted: &[&Specimen]) -> Vec<TargetReport> {
    let options = LookOptions { every_state: true, ..LookOptions::default() };
    let mut reports = look(host, targets, &options);
    let Some(place) = wanted.iter().position(|specimen| specimen.kind == Kind::TimeWait) else {
        return reports;
    };
    for _ in 0..MOST_AGAIN {
        let ending = |cause| [CauseKind::Closing, CauseKind::AcceptedConnection].contains(&cause);
        if !reports[place].causes.iter().any(|cause| ending(cause.kind)) {
            break;
        }
        host.wait(&[], &mut Watch::silent(), std::time::Duration::from_millis(5));
        if let Some(again) = look(host, &targets[place..=place], &options).pop() {
            reports[place] = again;
        }
    }
    reports
}

fn target_of(specimen: &Specimen) -> Option<Target> {
    match &specimen.place {
        Place::Inet(_) => endpoint_of(specimen).map(Target::Port),
        Place::Path(path) => Some(Target::Unix(UnixName::Path(path.clone()))),
        Place::Abstract(name) => Some(Target::Unix(UnixName::Abstract(name.clone()))),
        Place::Absent(_) | Place::Refused(_) => None,
    }
}

/// What must be said of a specimen.
struct Expected {
    state: Option<TcpState>,
    v6only: Option<bool>,
    cause: CauseKind,
}

const fn expected(kind: Kind) -> Expected {
    let (state, v6only, cause) = match kind {
        Kind::Tcp4Listener => (Some(TcpState::Listen), None, CauseKind::Listener),
        Kind::Tcp6Dual => (Some(TcpState::Listen), Some(false), CauseKind::Listener),
        Kind::Tcp6Only => (Some(TcpState::Listen), Some(true), CauseKind::Listener),
        Kind::TcpBound => (Some(TcpState::Bound), None, CauseKind::BoundNotListening),
        Kind::TcpAccepted => (Some(TcpState::Established), None, CauseKind::AcceptedConnection),
        Kind::TcpOutgoing => (Some(TcpState::Established), None, CauseKind::OutgoingConnection),
        Kind::TimeWait => (Some(TcpState::TimeWait), None, CauseKind::TimeWait),
        Kind::Udp4 | Kind::Udp6 => (None, None, CauseKind::UdpSocket),
        Kind::UnixPath | Kind::UnixAbstract => (None, None, CauseKind::UnixSocket),
    };
    Expected { state, v6only, cause }
}

/// Compares what was found with what was opened.
fn judge(specimen: &Specimen, report: &TargetReport, pid: u32) -> Finding {
    let expected = expected(specimen.kind);
    let at = place_words(&specimen.place);
    let here = |socket: &&SocketReport| {
        socket.netns.is_none()
            && socket.local == at
            && (expected.state.is_none() || socket.state == expected.state)
    };
    let Some(socket) = report.sockets.iter().find(here) else {
        return Finding::fails(words::not_found(&at, report));
    };
    if expected.v6only.is_some() && socket.v6only.is_some() && socket.v6only != expected.v6only {
        return Finding::fails(words::wrong_family(&at));
    }
    if specimen.kind == Kind::TimeWait {
        return match socket.holders.is_empty() && !socket.hidden {
            true if has(report, expected.cause) => Finding::works(words::lingers(&at, socket)),
            true => Finding::fails(words::wrong_cause(&at, report)),
            false => Finding::fails(words::wrong_holder(&at, socket)),
        };
    }
    if !socket.holders.iter().any(|holder| holder.pid == pid) {
        return Finding::fails(words::wrong_holder(&at, socket));
    }
    let process = report.processes.iter().find(|process| process.pid == pid);
    if process.is_none_or(|process| process.name.is_empty()) {
        return Finding::fails(words::nameless(&at, pid));
    }
    match has(report, expected.cause) {
        true => Finding::works(words::found(&at, socket, process)),
        false => Finding::fails(words::wrong_cause(&at, report)),
    }
}

fn has(report: &TargetReport, kind: CauseKind) -> bool {
    report.causes.iter().any(|cause| cause.kind == kind)
}

fn place_words(place: &Place) -> String {
    match place {
        Place::Inet(address) => address.to_string(),
        Place::Path(path) => path.clone(),
        Place::Abstract(name) => format!("@{name}"),
        Place::Absent(why) | Place::Refused(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::empty_report;
    use crate::process::{Process, ProcessId};
    use crate::report::{CauseReport, CheckStatus, HolderReport};
    use crate::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol};

    const PID: u32 = 42;

    fn specimen(kind: Kind) -> Specimen {
        Specimen { kind, place: Place::Inet("[::]:3000".parse().unwrap()) }
    }

    /// What is right of a listener for both families.
    fn right() -> TargetReport {
        let snapshot = Snapshot::empty(std::time::SystemTime::UNIX_EPOCH);
        let local = LocalAddress::Inet("[::]:3000".parse().unwrap());
        let mut socket = Socket::new(Protocol::Tcp, local, Some(TcpState::Listen));
        socket.v6only = Some(false);
        let mut socket = crate::look::socket_report(&socket, &snapshot);
        socket.holders = vec![HolderReport { pid: PID, fd: Some(3), by: None }];
        let process = Process {
            name: "proc".to_owned(),
            ..Process::unread(ProcessId { pid: PID, start: 1 })
        };
        TargetReport {
            causes: vec![CauseReport {
                kind: CauseKind::Listener,
                certain: true,
                explain: "it listens".to_owned(),
                sockets: vec![0],
                pids: vec![PID],
                expires_ms: None,
                remedies: Vec::new(),
                redirects: Vec::new(),
            }],
            sockets: vec![socket],
            processes: vec![crate::look::process_facts(
                &process,
                &snapshot,
                &LookOptions::default(),
            )],
            ..empty_report("tcp:3000".to_owned())
        }
    }

    fn judged(kind: Kind, report: &TargetReport) -> (CheckStatus, String) {
        let finding = judge(&specimen(kind), report, PID);
        (finding.status, finding.explain)
    }

    #[test]
    fn what_was_opened_found_and_named_works() {
        let (status, explain) = judged(Kind::Tcp6Dual, &right());
        assert_eq!(status, CheckStatus::Works, "{explain}");
        assert_eq!(explain, "[::]:3000 is found, held by proc (42, descriptor 3)");
    }

    #[test]
    fn whatever_is_told_wrongly_fails_and_says_what() {
        let wrong = |change: &dyn Fn(&mut TargetReport)| {
            let mut report = right();
            change(&mut report);
            report
        };
        for (report, want) in [
            (wrong(&|report| report.sockets.clear()), "is not found"),
            (wrong(&|report| report.sockets[0].state = Some(TcpState::Bound)), "not found as what"),
            (wrong(&|report| report.sockets[0].v6only = Some(true)), "takes IPv4 too"),
            (wrong(&|report| report.sockets[0].netns = Some("x".to_owned())), "not found"),
            (wrong(&|report| report.sockets[0].holders[0].pid = 7), "process 7 is said"),
            (wrong(&|report| report.sockets[0].holders.clear()), "nobody is said"),
            (wrong(&|report| report.processes.clear()), "nothing else is known"),
            (wrong(&|report| report.causes.clear()), "is not given as"),
            (
                wrong(&|report| report.causes[0].kind = CauseKind::HiddenHolder),
                "taken for something else: it listens",
            ),
        ] {
            let (status, explain) = judged(Kind::Tcp6Dual, &report);
            assert!(status == CheckStatus::Fails && explain.contains(want), "{want}: {explain}");
        }
        let mut hidden = right();
        hidden.sockets[0].holders.clear();
        hidden.sockets[0].hidden = true;
        assert!(judged(Kind::Tcp6Dual, &hidden).1.contains("is said to be hidden"));
    }

    #[test]
    fn a_bound_socket_is_not_missed_where_the_system_lists_none() {
        let mut seen = Snapshot::empty(std::time::SystemTime::UNIX_EPOCH);
        seen.note(Gap::NoBoundSockets);
        assert_eq!(unlisted(&specimen(Kind::TcpBound), &seen), None, "Linux asks for it");
        seen.source = Source::ExtendedTable;
        let finding = unlisted(&specimen(Kind::TcpBound), &seen).unwrap();
        assert_eq!(finding.status, CheckStatus::Limited);
        assert_eq!(finding.cure.as_deref(), Some("Windows 10 version 1809 or newer"));
        assert_eq!(unlisted(&specimen(Kind::Tcp4Listener), &seen), None);
        seen.gaps.clear();
        assert_eq!(unlisted(&specimen(Kind::TcpBound), &seen), None, "it has to be there");
    }

    #[test]
    fn a_connection_that_hinders_nobody_is_found_in_the_table() {
        let at = "[::]:3000".parse().unwrap();
        let mut seen = Snapshot::empty(std::time::SystemTime::UNIX_EPOCH);
        let socket = |state| Socket::new(Protocol::Tcp, LocalAddress::Inet(at), Some(state));
        let mut accepted = socket(TcpState::Established);
        accepted.holders =
            Holders::Processes { holders: vec![Holder { pid: PID, by: HeldBy::Owner }] };
        seen.sockets = vec![accepted, socket(TcpState::TimeWait)];
        let free =
            TargetReport { verdict: Some(Verdict::Free), ..empty_report("tcp:3000".to_owned()) };
        let of = |kind, report, pid| harmless(&specimen(kind), report, pid, &seen);
        for kind in [Kind::TcpAccepted, Kind::TcpOutgoing, Kind::TimeWait] {
            let finding = of(kind, &free, PID).unwrap();
            assert_eq!(finding.status, CheckStatus::Works, "{}", finding.explain);
        }
        let finding = of(Kind::TcpAccepted, &free, 7).unwrap();
        assert!(finding.explain.ends_with("process 42 is said to hold it"), "{}", finding.explain);
        assert_eq!(finding.status, CheckStatus::Fails);
        let held = TargetReport { verdict: Some(Verdict::Held), ..free.clone() };
        assert_eq!(of(Kind::TcpAccepted, &held, PID), None, "then it is the cause");
        assert_eq!(of(Kind::Tcp6Dual, &free, PID), None, "a listener hinders");
        seen.sockets[1].holders = seen.sockets[0].holders.clone();
        let remain = harmless(&specimen(Kind::TimeWait), &free, PID, &seen).unwrap();
        assert_eq!(remain.status, CheckStatus::Fails);
        seen.sockets.clear();
        assert_eq!(harmless(&specimen(Kind::TcpAccepted), &free, PID, &seen), None);
    }

    #[test]
    fn a_remain_must_have_no_holder() {
        let mut report = right();
        report.sockets[0].state = Some(TcpState::TimeWait);
        report.causes[0].kind = CauseKind::TimeWait;
        assert_eq!(judged(Kind::TimeWait, &report).0, CheckStatus::Fails);
        report.sockets[0].holders.clear();
        report.sockets[0].expires_ms = Some(59_001);
        let (status, explain) = judged(Kind::TimeWait, &report);
        assert!(status == CheckStatus::Works && explain.ends_with("passes in 60 s"), "{explain}");
    }
}
