//! The processes that targets mean, as they come and go: names, units, containers, files. Found by
//! reading all processes now and then, as no kernel tells an ordinary user of new ones.

use std::collections::BTreeMap;

use crate::census::Census;
use crate::host::Host;
use crate::process::ProcessId;
use crate::snapshot::Snapshot;
use crate::target::Target;

/// Who belongs to the targets.
#[derive(Debug)]
pub(super) struct Population {
    targets: Vec<Target>,
    /// Each with the target that it belongs to.
    members: BTreeMap<u32, (ProcessId, String)>,
}

/// What one reading found.
#[derive(Debug)]
pub(super) struct Counted {
    /// Those that were not there before.
    pub(super) came: Vec<ProcessId>,
    /// Those that are not there any more, each with the target it belonged to.
    pub(super) went: Vec<(ProcessId, String)>,
    /// What was read.
    pub(super) census: Census,
}

impl Population {
    pub(super) fn new(targets: &[Target]) -> Self {
        Self { targets: targets.to_vec(), members: BTreeMap::new() }
    }

    /// Whether no target means processes.
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether only certain processes are meant, which nobody else can become.
    pub(super) fn is_fixed(&self) -> bool {
        self.targets.iter().all(|target| matches!(target, Target::Pid(_) | Target::Number(_)))
    }

    /// Reads the processes. A number means the process that has it at the first reading.
    pub(super) fn count(&mut self, host: &dyn Host, first: bool) -> Counted {
        let census = Census::take(host, &self.targets);
        let mut now: BTreeMap<u32, (ProcessId, String)> = BTreeMap::new();
        for target in &self.targets {
            let numbered = matches!(target, Target::Pid(_) | Target::Number(_));
            for pid in census.meant_by(target) {
                let Some(process) = census.snapshot().processes.get(&pid) else { continue };
                let same = self.members.get(&pid).is_some_and(|(id, _)| *id == process.id);
                if first || same || !numbered {
                    now.entry(pid).or_insert_with(|| (process.id, target.to_string()));
                }
            }
        }
        let came = differences(&now, &self.members).map(|(id, _)| *id).collect();
        let went = differences(&self.members, &now).cloned().collect();
        self.members = now;
        Counted { came, went, census }
    }

    /// Forgets one that ended; the target it belonged to, if it did.
    pub(super) fn remove(&mut self, id: ProcessId) -> Option<String> {
        let own = self.members.get(&id.pid).is_some_and(|(known, _)| *known == id);
        own.then(|| self.members.remove(&id.pid)).flatten().map(|(_, target)| target)
    }

    /// The target that one of these processes belongs to.
    pub(super) fn target_of(&self, pids: &[u32]) -> Option<&str> {
        pids.iter().find_map(|pid| self.members.get(pid)).map(|(_, target)| &**target)
    }

    /// The same for a process that is being told of.
    pub(super) fn target(&self, id: ProcessId) -> Option<&str> {
        self.members.get(&id.pid).filter(|(known, _)| *known == id).map(|(_, target)| &**target)
    }
}

/// Those of the first that are not in the second.
fn differences<'a>(
    these: &'a BTreeMap<u32, (ProcessId, String)>,
    others: &'a BTreeMap<u32, (ProcessId, String)>,
) -> impl Iterator<Item = &'a (ProcessId, String)> {
    these.values().filter(|(id, _)| others.get(&id.pid).is_none_or(|(other, _)| other != id))
}

impl Counted {
    pub(super) const fn snapshot(&self) -> &Snapshot {
        self.census.snapshot()
    }
}
