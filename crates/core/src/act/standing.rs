//! How the processes of a deed stand before it: what the kernel shows of each at once, and, where one
//! is to be got to move, what it did for a while.

use std::collections::BTreeSet;

use crate::explain;
use crate::host::Host;
use crate::plan::Conditions;
use crate::plan::kin::Kin;
use crate::processes::pause;
use crate::snapshot::Snapshot;
use crate::socket::TcpState;
use crate::stuck::{Evidence, PulseScope, USUAL_WINDOW, judge, was_idle};

/// How those stand that it matters of, at this moment.
pub(super) fn conditions_of(
    host: &dyn Host,
    pids: &[u32],
    tree: bool,
    snapshot: &Snapshot,
) -> Conditions {
    let concerned = concerned(pids, tree, snapshot).into_iter();
    concerned.filter_map(|pid| Some((pid, host.condition(pid)?))).collect()
}

/// Watches these for a while, and notes by what one gets nowhere.
pub(super) fn watch(
    host: &dyn Host,
    pids: &[u32],
    snapshot: &Snapshot,
    conditions: &mut Conditions,
) {
    let of = PulseScope::Of(pids.to_vec());
    let begun = host.now();
    let Some(before) = host.pulses(&of) else { return };
    pause(host, USUAL_WINDOW);
    let after = host.pulses(&of).unwrap_or_default();
    let window = host.now().saturating_sub(begun);
    let mut found = judge(&before, &after, window);
    for socket in snapshot.sockets.iter().filter(|it| it.state == Some(TcpState::Listen)) {
        let Some(backlog) = socket.backlog else { continue };
        if backlog.waiting == 0 || backlog.waiting < backlog.limit {
            continue;
        }
        for pid in socket.holders.pids() {
            let idle = was_idle(pid, &before, &after) == Some(true);
            let local = socket.local.to_string();
            let evidence = Evidence::NotAccepting { local, backlog, idle };
            found.entry(pid).or_default().push(evidence);
        }
    }
    for (pid, condition) in conditions {
        if let Some(now) = host.condition(*pid) {
            *condition = now;
        }
        let all = found.get(pid).into_iter().flatten();
        let told = all.filter_map(|evidence| {
            let advice = match evidence {
                Evidence::Deaf { .. } => "no signal reaches it before that answers",
                Evidence::Spinning { .. } => "no signal but one that ends it stops that: proc stop",
                Evidence::NotAccepting { .. } => "no signal makes it accept them",
                // What these are, and what is done, the condition tells.
                _ => return None,
            };
            let place = match evidence {
                Evidence::Deaf { tid } => host.waiting_place(*pid, *tid),
                _ => None,
            };
            let process = snapshot.processes.get(pid)?;
            let place = place.unwrap_or_default();
            let reason = explain::stuck(process, evidence, &place, snapshot, window);
            Some(format!("{}; {advice}", reason.explain))
        });
        condition.stuck = told.reduce(|all, one| format!("{all}; {one}"));
    }
}

/// The processes of which it matters how they stand: those named, those above them, and with
/// `--tree` those below.
fn concerned(pids: &[u32], tree: bool, snapshot: &Snapshot) -> BTreeSet<u32> {
    let above = pids.iter().flat_map(|&pid| snapshot.ancestors(pid));
    let mut all: BTreeSet<u32> = pids.iter().copied().chain(above.map(|it| it.id.pid)).collect();
    if tree {
        all.extend(Kin::of(snapshot).below(pids.iter().copied()).iter().map(|it| it.id.pid));
    }
    all
}
