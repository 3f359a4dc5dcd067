//! Acting on the patient, and on nobody else: held, recognised, asked to end, seen to end, and its
//! port bound.

use std::time::Duration;

use super::specimen::Kind;
use super::{Finding, Findings, Patient, words};
use crate::addr::Transport;
use crate::bind::BindResult;
use crate::host::{ActError, Host, Pinned, Watch, Woken};
use crate::process::ProcessId;
use crate::snapshot::Snapshot;
use crate::socket::Socket;

/// SIGTERM and SIGKILL, as every Unix numbers them and as [`Host::signal`] takes them.
const ASK: i32 = 15;
const FORCE: i32 = 9;

/// How long the patient may take to end: it does nothing first.
const ENDING: Duration = Duration::from_secs(2);

pub(super) fn check(host: &dyn Host, patient: &Patient, seen: &Snapshot, findings: &mut Findings) {
    let Some(id) = seen.processes.get(&patient.pid()).map(|process| process.id) else {
        return findings.add("process-pin", Finding::fails(words::unseen_patient(patient.pid())));
    };
    let pinned = match host.pin(id) {
        Ok(pinned) => pinned,
        Err(error) => return findings.add("process-pin", refused(error)),
    };
    findings.add("process-pin", Finding::works(words::pinned()));
    findings.add("process-identity", identity(host, id));
    if let Some(finding) = still_holds(host, &pinned, patient, seen) {
        findings.add("still-holds", finding);
    }
    let (asked, ended) = end(host, &pinned);
    let is_over = ended.status == crate::report::CheckStatus::Works;
    findings.add("process-signal", asked);
    findings.add("process-end", ended);
    if is_over {
        findings.add("port-bindable", bindable(host, patient));
    }
}

/// The same number with another start is somebody else, and must not be held.
fn identity(host: &dyn Host, id: ProcessId) -> Finding {
    let other = ProcessId { start: id.start.wrapping_add(1), ..id };
    match host.pin(other) {
        Err(ActError::Gone) => Finding::works(words::told_apart()),
        Err(error) => refused(error),
        Ok(_) => Finding::fails(words::mistaken()),
    }
}

fn still_holds(
    host: &dyn Host,
    pinned: &Pinned,
    patient: &Patient,
    seen: &Snapshot,
) -> Option<Finding> {
    let socket = specimen_socket(patient, Kind::Tcp4Listener, seen)?;
    let holder = socket.holders.list().iter().find(|holder| holder.pid == patient.pid())?;
    Some(match host.still_holds(pinned, holder, socket.inode?) {
        true => Finding::works(words::holds_still()),
        false => Finding::fails(words::holds_no_more()),
    })
}

/// The socket of a specimen.
pub(super) fn specimen_socket<'a>(
    patient: &Patient,
    kind: Kind,
    seen: &'a Snapshot,
) -> Option<&'a Socket> {
    let place = patient.place(kind)?.inet()?;
    seen.sockets.iter().find(|socket| socket.netns.is_none() && socket.local.inet() == Some(place))
}

/// Asks the patient to end, or forces it where it cannot be asked, and waits for its end.
fn end(host: &dyn Host, pinned: &Pinned) -> (Finding, Finding) {
    let asked = match host.signal(pinned, ASK) {
        Ok(()) => Finding::works(words::asked()),
        Err(error) => match host.signal(pinned, FORCE) {
            Ok(()) => Finding::limited(words::only_forced(error), None),
            Err(_) => return (refused(error), Finding::fails(words::not_asked())),
        },
    };
    let began = host.now();
    let mut watch = Watch::silent();
    while !host.exited(pinned) {
        let left = ENDING.saturating_sub(host.now() - began);
        if left.is_zero() {
            return (asked, Finding::fails(words::lives_on(ENDING)));
        }
        if host.wait(&[pinned], &mut watch, left) == Woken::Interrupted {
            return (asked, Finding::fails(words::interrupted()));
        }
    }
    (asked, Finding::works(words::ended(host.now() - began)))
}

fn bindable(host: &dyn Host, patient: &Patient) -> Finding {
    let Some(address) = patient.place(Kind::Tcp4Listener).and_then(super::Place::inet) else {
        return Finding::fails(words::nothing_to_bind());
    };
    match host.probe(Transport::Tcp, address) {
        BindResult::Ok => Finding::works(words::bound_again(address)),
        other => Finding::fails(words::not_bindable(address, other)),
    }
}

fn refused(error: ActError) -> Finding {
    Finding::fails(words::cannot(error))
}
