//! Which of the processes that a target means are acted on: those that every filter beside it
//! keeps, and only where the PID is still that of the process that was looked at earlier. Both
//! narrow what a target means, and never widen it.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use super::ActRequest;
use crate::explain;
use crate::filter::ProcessFilter;
use crate::host::Host;
use crate::plan::{Limits, Plan, Refusal, Why, is_stopped_by};
use crate::process::{Percent, Process, ProcessId};
use crate::processes::use_of_processors;
use crate::report::{LeftAloneReport, RefusalReason, TargetReport};
use crate::snapshot::Snapshot;
use crate::timestamp::rfc3339;

/// How far two readings of one start may lie apart: documents have whole seconds, and the moment
/// of the boot, from which the kernel counts, moves with the clock.
const SAME_START: Duration = Duration::from_secs(2);

/// The filters of one request, with what was measured for them.
pub(super) struct Narrowing<'a> {
    filter: &'a ProcessFilter,
    started_at: Option<SystemTime>,
    limits: &'a Limits,
    cpu: BTreeMap<u32, Percent>,
}

/// Those of a target that are meant, and those that were left alone.
pub(super) struct Parted {
    pub(super) kept: Vec<u32>,
    pub(super) left: Vec<LeftAloneReport>,
}

impl<'a> Narrowing<'a> {
    /// What was asked for; measures use of the processor where that decides.
    pub(super) fn of(host: &dyn Host, request: &'a ActRequest) -> Self {
        let cpu = match request.filter.measures() {
            true => use_of_processors(host),
            false => BTreeMap::new(),
        };
        let ActRequest { filter, started_at, .. } = request;
        Self { filter, started_at: *started_at, limits: &request.limits, cpu }
    }

    /// Parts these into the two.
    pub(super) fn part(&self, pids: &[u32], snapshot: &Snapshot) -> Parted {
        let mut parted = Parted { kept: Vec::new(), left: Vec::new() };
        for &pid in pids {
            // Of whom nothing could be read nothing is known to be so.
            let unread = Process::unread(ProcessId { pid, start: 0 });
            let process = snapshot.processes.get(&pid).unwrap_or(&unread);
            match self.leaves_alone(process, snapshot) {
                Some(left) => parted.left.push(left),
                None => parted.kept.push(pid),
            }
        }
        parted
    }

    fn leaves_alone(&self, process: &Process, snapshot: &Snapshot) -> Option<LeftAloneReport> {
        let pid = process.id.pid;
        let cpu = self.cpu.get(&pid).copied();
        let filter = self.filter.miss(process, cpu, snapshot.taken_at)?;
        let explain = explain::missed(self.filter, filter, process);
        Some(LeftAloneReport { pid, name: process.program().to_owned(), filter, explain })
    }

    /// Narrows a target that means processes; the report has who was left alone.
    pub(super) fn narrow(
        &self,
        pids: &[u32],
        snapshot: &Snapshot,
        report: &mut TargetReport,
    ) -> Vec<u32> {
        let Parted { kept, left } = self.part(pids, snapshot);
        if !left.is_empty() {
            report.processes.retain(|process| left.iter().all(|one| one.pid != process.pid));
            report.left_alone = left;
        }
        kept
    }

    /// A port or socket is given back by all of its holders or not at all.
    ///
    /// # Errors
    /// One of them is left alone.
    pub(super) fn all_meant(
        &self,
        pids: &[u32],
        snapshot: &Snapshot,
        report: &mut TargetReport,
    ) -> Result<(), Refusal> {
        let Parted { kept, left } = self.part(pids, snapshot);
        let Some(first) = left.first() else { return Ok(()) };
        let who = format!("{} (pid {})", first.name, first.pid);
        let mut explain = match (left.len(), kept.len()) {
            (1, 0) => {
                format!("{} was left alone: its holder {who} is {}", report.target, first.explain)
            }
            (_, others) => format!(
                "{} was left alone: of its {} holders {}; of these {who}",
                report.target,
                left.len() + others,
                explain::left_alone(left.len() + others, &left),
            ),
        };
        if !kept.is_empty() {
            let words: Vec<String> = kept.iter().map(|pid| format!("pid:{pid}")).collect();
            explain.push_str(&format!(
                "; to mean the others, which alone do not give it back: {}",
                self.limits.command(&words)
            ));
        }
        let why = Why { pid: Some(first.pid), ..Why::new(RefusalReason::LeftAlone, explain) };
        report.left_alone = left;
        Err(Refusal::Guarded(why))
    }

    /// Whether a plan reaches nobody who was left alone, as a tree, a unit or a master would.
    ///
    /// # Errors
    /// It would.
    pub(super) fn spares(
        &self,
        left: &[LeftAloneReport],
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> Result<(), Refusal> {
        let victims: HashSet<u32> = plan.victims.iter().map(|victim| victim.id.pid).collect();
        let reached = left.iter().find_map(|one| {
            let process = snapshot.processes.get(&one.pid)?;
            let hit = victims.contains(&one.pid) || is_stopped_by(&plan.levers, process, snapshot);
            hit.then_some((one, process))
        });
        let Some((one, process)) = reached else { return Ok(()) };
        let explain = format!(
            "nothing was done: {} (pid {}), which is {}, would be reached too, by what runs it or as part of a tree",
            one.name, one.pid, one.explain
        );
        Err(Refusal::Guarded(Why::of(process, RefusalReason::LeftAlone, explain)))
    }

    /// Whether a PID is still that of the process that started then.
    ///
    /// # Errors
    /// It is another's by now, or that cannot be told.
    pub(super) fn same_as_before(&self, pids: &[u32], snapshot: &Snapshot) -> Result<(), Refusal> {
        let Some(wanted) = self.started_at else { return Ok(()) };
        for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
            let apart = process
                .started_at
                .map(|own| own.duration_since(wanted).unwrap_or_else(|error| error.duration()));
            if apart.is_some_and(|apart| apart < SAME_START) {
                continue;
            }
            let (pid, name, wanted) = (process.id.pid, process.program(), rfc3339(wanted));
            let explain = match process.started_at.map(rfc3339) {
                Some(own) => format!(
                    "{pid} is another process now: {name}, started at {own}, and what was meant at {wanted}"
                ),
                None => format!(
                    "when {name} (pid {pid}) started could not be seen, so it is not known to be the one of {wanted}"
                ),
            };
            return Err(Refusal::Guarded(Why::of(process, RefusalReason::AnotherProcess, explain)));
        }
        Ok(())
    }
}
