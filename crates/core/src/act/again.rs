//! Processes that have ended, and who starts one of them again: a living ancestor within the time that
//! takes, a script that is ended for it, somebody else by the manager that stopped it.

use std::collections::HashSet;
use std::time::Duration;

use super::run::{Again, End, Released, Run};
use crate::addr::Endpoint;
use crate::host::{Pinned, Watch, Woken};
use crate::learn::{Learn, learn};
use crate::look::LookOptions;
use crate::plan::Victim;
use crate::process::{Process, ProcessId, ProcessState};
use crate::report::Outcome;
use crate::sight::{Sight, look_at_ports};
use crate::snapshot::{Scope, Snapshot};
use crate::supervisor::{supervisor_name, supervisor_of};

/// Between two looks at the children of whoever may start a process again.
const RETURN_STEP: Duration = Duration::from_millis(50);

/// That somebody started a process again.
pub(super) struct Restart {
    /// Who.
    pub(super) by: String,
    /// What stops that, as the rest of a sentence.
    pub(super) advice: String,
    /// The script that did it and may be ended for it.
    pub(super) script: Option<ProcessId>,
}

impl Run<'_> {
    /// Waits while somebody lives who could start one of them again, but not longer than a restart
    /// takes. `Some` where somebody did.
    pub(super) fn watch_for_return(&mut self, released: &Released) -> Option<End> {
        let Released { restarters, before, deadline, .. } = released;
        if restarters.is_empty() {
            return self.watch_for_rerun(*deadline);
        }
        loop {
            let alive: Vec<&Pinned> =
                restarters.iter().filter(|pin| !self.host.exited(pin)).collect();
            let now = self.host.now();
            let over = alive.is_empty() || now >= *deadline;
            // Of several scripts each gets its time, as each is ended that starts one again.
            if over || self.plan.loops.len() < 2 {
                let pids: Vec<u32> = alive.iter().map(|pin| pin.id.pid).collect();
                let new = self.come_again(&pids, before);
                if !new.is_empty() {
                    return Some(self.came_again(&new));
                }
            }
            if over {
                return None;
            }
            let step = RETURN_STEP.min(*deadline - now);
            if self.host.wait(&alive, &mut Watch::silent(), step) == Woken::Interrupted {
                return Some(self.interrupted());
            }
        }
    }

    /// What a lever stopped has nobody above it who could be watched, and somebody may start it anew
    /// by the same manager: that is looked for once, when the time for it is over.
    fn watch_for_rerun(&mut self, deadline: Duration) -> Option<End> {
        if !self.plan.levers.iter().any(|lever| lever.may_return) {
            return None;
        }
        let left = deadline.saturating_sub(self.host.now());
        if self.host.wait(&[], &mut Watch::silent(), left) == Woken::Interrupted {
            return Some(self.interrupted());
        }
        let scope = Scope { all_processes: true, ..Scope::default() };
        let mut snapshot = self.host.snapshot(&scope);
        let alike: Vec<u32> =
            snapshot.processes.values().filter(|it| self.is_new(it)).map(|it| it.id.pid).collect();
        if alike.is_empty() {
            return None;
        }
        let options = LookOptions { learn: Learn::Everything, ..LookOptions::default() };
        learn(self.host, &mut snapshot, &alike, &[], &options);
        self.is_run_again(&alike, &snapshot)
    }

    /// The end where one of these is what a lever stopped and its manager runs again.
    fn is_run_again(&mut self, pids: &[u32], snapshot: &Snapshot) -> Option<End> {
        let (pid, lever) = self.runs_again(pids, snapshot)?;
        let name = lever.name.clone();
        self.note("respawned", Some(pid), format!("{name} runs it again"));
        let what = snapshot.processes.get(&pid).map_or("it", Process::program);
        let text = format!("{what} ended, and {name} runs it again as pid {pid}");
        Some(End::new(Outcome::Respawned, text))
    }

    /// A last look at the ports that they served.
    pub(super) fn look_again(&self, ports: &[Endpoint]) -> Vec<Sight> {
        if ports.is_empty() {
            return Vec::new();
        }
        // Who has one by now may be what a lever stopped: only its manager tells by which name.
        let learn = if self.plan.levers.is_empty() { Learn::Nothing } else { Learn::Holders };
        look_at_ports(self.host, ports, &LookOptions { learn, ..LookOptions::default() })
    }

    /// A port of theirs that is served again, by whoever started them before: with other arguments,
    /// so that the port alone shows it.
    pub(super) fn served_again(&mut self, sights: &[Sight]) -> Option<End> {
        for sight in sights {
            let snapshot = &*sight.snapshot;
            let causes = sight.diagnosis.causes.iter();
            let pids: Vec<u32> = causes.flat_map(|cause| cause.pids.iter().copied()).collect();
            if let Some(end) = self.is_run_again(&pids, snapshot) {
                return Some(end);
            }
            let new = pids.iter().filter_map(|pid| snapshot.processes.get(pid)).find(|process| {
                let above = snapshot.ancestors(process.id.pid);
                self.ended().all(|victim| victim.id != process.id)
                    && above.iter().any(|above| self.plan.restarters.contains(&above.id.pid))
            });
            if let Some(new) = new {
                return Some(self.came_again(std::slice::from_ref(new)));
            }
        }
        None
    }

    /// Those that were to end.
    fn ended(&self) -> impl Iterator<Item = &Victim> {
        self.plan.victims.iter().chain(&self.plan.awaited)
    }

    pub(super) fn started_by(&self, restarters: &[Pinned]) -> Vec<ProcessId> {
        let pids: Vec<u32> = restarters.iter().map(|pin| pin.id.pid).collect();
        self.children_of(&pids).iter().map(|child| child.id).collect()
    }

    /// The children of these, and theirs: a manager may start a server through a shell.
    fn children_of(&self, pids: &[u32]) -> Vec<Process> {
        let children: Vec<Process> = self.host.children(pids).into_values().flatten().collect();
        let own: Vec<u32> = children.iter().map(|child| child.id.pid).collect();
        let theirs = self.host.children(&own).into_values().flatten();
        let mut seen = HashSet::new();
        let all = children.iter().cloned().chain(theirs);
        // Of a manager and the shell that it starts one by, both have it below them.
        all.filter(|child| seen.insert(child.id)).collect()
    }

    /// The processes that were not there before and run what one of those ran that ended.
    fn come_again(&self, restarters: &[u32], before: &HashSet<ProcessId>) -> Vec<Process> {
        let mut children = self.children_of(restarters);
        children.retain(|child| !before.contains(&child.id) && self.is_new(child));
        children
    }

    /// Whether a process runs what one of those ran that ended, and is none of them.
    fn is_new(&self, process: &Process) -> bool {
        let same = |victim: &Victim| {
            !victim.argv.is_empty()
                && victim.argv == process.argv
                && victim.id.start <= process.id.start
        };
        process.state != ProcessState::Zombie
            && self.ended().all(|victim| victim.id != process.id)
            && self.ended().any(same)
    }

    /// Who started this one again; tells of it.
    pub(super) fn restarted(&mut self, pid: u32, snapshot: &Snapshot) -> Restart {
        let above = snapshot.ancestors(pid);
        let script = above.iter().find(|above| self.plan.loops.contains(&above.id));
        let script = script.map(|script| script.id);
        let parent = above.iter().find(|above| self.plan.restarters.contains(&above.id.pid));
        let by = parent.map_or_else(
            || "somebody".to_owned(),
            |parent| format!("{} (pid {})", supervisor_name(parent), parent.id.pid),
        );
        self.note("respawned", Some(pid), format!("{by} started it again"));
        let stop = supervisor_of(pid, snapshot).and_then(|supervisor| supervisor.stop);
        let stop = stop.map(|argv| argv.join(" "));
        // Of one that has just begun, less is known.
        let stop = stop.or_else(|| self.plan.stops.get(&parent?.id.pid).cloned());
        let advice = match (stop, parent) {
            (Some(command), _) => format!("; what stops it for good: {command}"),
            (None, Some(parent)) => {
                // Most programs of Windows cannot be asked.
                let verb = if snapshot.is_windows() { "kill" } else { "stop" };
                format!("; stop that first: proc {verb} pid:{}", parent.id.pid)
            }
            (None, None) => String::new(),
        };
        Restart { by, advice, script }
    }

    fn came_again(&mut self, all: &[Process]) -> End {
        let pids: Vec<u32> = all.iter().map(|process| process.id.pid).collect();
        let snapshot = self.host.snapshot(&Scope { pids, ..Scope::default() });
        let mut again = Again { scripts: Vec::new(), pids: Vec::new() };
        let mut told = Vec::new();
        for new in all {
            let (name, pid) = (new.program(), new.id.pid);
            let Restart { by, advice, script } = self.restarted(pid, &snapshot);
            if let Some(script) = script {
                again.scripts.push(script);
                again.pids.push(pid);
            }
            told.push(format!("{name} ended, and {by} started it again as pid {pid}{advice}"));
        }
        let end = End::new(Outcome::Respawned, told.join("; "));
        // Where somebody else started one too, ending the scripts would not be the end of it.
        let scripts = again.pids.len() == all.len();
        End { by: Some(again).filter(|_| scripts), ..end }
    }
}
