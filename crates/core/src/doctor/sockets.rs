//! Every specimen is looked at the way that `proc on` looks, all in one look, and what was found is
//! compared with what was opened.

use super::specimen::{Kind, Place, Specimen};
use super::{Finding, Findings, Patient, endpoint_of, words};
use crate::diagnosis::CauseKind;
use crate::host::{Host, Watch};
use crate::look::{LookOptions, look};
use crate::report::{SocketReport, TargetReport};
use crate::socket::TcpState;
use crate::target::{Target, UnixName};

/// How often a connection that is still ending is looked at again.
const MOST_AGAIN: u32 = 20;

pub(super) fn check(host: &dyn Host, patient: &Patient, findings: &mut Findings) {
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
        findings.add(specimen.kind.id(), judge(specimen, report, patient.pid()));
    }
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
    use crate::diagnosis::CauseKind;
    use crate::look::empty_report;
    use crate::process::{Process, ProcessId};
    use crate::report::{CauseReport, CheckStatus, HolderReport};
    use crate::snapshot::Snapshot;
    use crate::socket::{LocalAddress, Protocol, Socket};

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
