//! Who started whom, downwards: the children of each process, so that whoever runs a holder can be
//! ended together with what it runs, and with nobody else.

use std::collections::{HashMap, HashSet};

use crate::process::{Process, ProcessState, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;

/// The children of the processes that were seen. Made once for a plan.
pub(crate) struct Kin<'a> {
    snapshot: &'a Snapshot,
    children: HashMap<u32, Vec<u32>>,
}

impl<'a> Kin<'a> {
    /// Reads every process of the snapshot once.
    pub(crate) fn of(snapshot: &'a Snapshot) -> Self {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        let living = snapshot.processes.values().filter(|process| {
            process.ppid != 0 && !process.kernel_thread && process.state != ProcessState::Zombie
        });
        for process in living {
            children.entry(process.ppid).or_default().push(process.id.pid);
        }
        Self { snapshot, children }
    }

    /// Everything that these started, and what that started in turn, each once and parents before
    /// children, without these themselves.
    pub(crate) fn below(&self, pids: impl IntoIterator<Item = u32>) -> Vec<&'a Process> {
        let mut open: Vec<u32> = pids.into_iter().collect();
        let mut seen: HashSet<u32> = open.iter().copied().collect();
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(&pid) = open.get(next) {
            next += 1;
            for &child in self.children.get(&pid).map(Vec::as_slice).unwrap_or_default() {
                if seen.insert(child)
                    && let Some(process) = self.snapshot.processes.get(&child)
                {
                    found.push(process);
                    open.push(child);
                }
            }
        }
        found
    }

    /// Whether a supervisor was seen to run nothing but what leads to these holders. Workers that
    /// run the very program of a master, or of one that by its nature runs one thing, are its own, and so is the helper that Python's
    /// multiprocessing keeps beside what it spawns.
    pub(super) fn is_alone(&self, supervisor: &Supervisor, holders: &[u32]) -> bool {
        let Some(pid) = supervisor.pid else { return false };
        let Some(above) = self.snapshot.processes.get(&pid) else { return false };
        let own = |child: &Process| {
            let master = supervisor.kind == SupervisorKind::Master || supervisor.alone;
            let helps = child.argv.iter().any(|word| word.contains("multiprocessing.resource"));
            (master || helps) && child.exe.is_some() && child.exe == above.exe
        };
        let children = self.children.get(&pid).map(Vec::as_slice).unwrap_or_default();
        children.iter().all(|&child| {
            holders.contains(&child)
                || self.snapshot.processes.get(&child).is_some_and(own)
                || self.below([child]).iter().any(|process| holders.contains(&process.id.pid))
        })
    }
}

/// Processes of a session or process group that one of these leads, and that are not below any:
/// their parent ended and they were given to another, or a pipe joins them. Who is the asker's own is
/// not meant.
fn strays<'a>(pids: &HashSet<u32>, snapshot: &'a Snapshot) -> Vec<&'a Process> {
    let asker = &snapshot.asker;
    let mine = |pid: u32| pid == asker.pid || asker.ancestors.contains(&pid);
    let led = |number: Option<u32>| number.is_some_and(|number| pids.contains(&number));
    let stray = |process: &&Process| {
        let pid = process.id.pid;
        !pids.contains(&pid)
            && !mine(pid)
            && process.state != ProcessState::Zombie
            && (led(process.session) || led(process.group))
            && !snapshot.ancestors(pid).iter().any(|above| pids.contains(&above.id.pid))
    };
    snapshot.processes.values().filter(stray).collect()
}

/// Who is left alone of what these once started, and what would end that.
pub(crate) fn strays_note(pids: &[u32], snapshot: &Snapshot) -> Option<String> {
    let strays = strays(&pids.iter().copied().collect(), snapshot);
    let names: Vec<String> =
        strays.iter().take(5).map(|it| format!("{} (pid {})", it.program(), it.id.pid)).collect();
    if names.is_empty() {
        return None;
    }
    let more = match strays.len() - names.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!(
        "left alone: {}{more}: of the same session or group, and not below it; to mean them, say pid:{}",
        names.join(", "),
        strays[0].id.pid
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessId;

    fn snapshot(parents: &[(u32, u32, &str)]) -> Snapshot {
        let mut snapshot = Snapshot::empty(std::time::SystemTime::UNIX_EPOCH);
        for &(pid, ppid, exe) in parents {
            let process = Process {
                ppid,
                name: exe.to_owned(),
                exe: Some(exe.to_owned()),
                argv: vec![exe.to_owned()],
                state: ProcessState::Sleeping,
                ..Process::unread(ProcessId { pid, start: 1 })
            };
            snapshot.processes.insert(pid, process);
        }
        snapshot
    }

    fn pids(found: &[&Process]) -> Vec<u32> {
        found.iter().map(|process| process.id.pid).collect()
    }

    #[test]
    fn what_is_below_is_found_once_and_circles_end() {
        let snapshot = snapshot(&[(2, 1, "a"), (3, 2, "b"), (4, 3, "c"), (5, 2, "d"), (9, 9, "e")]);
        let kin = Kin::of(&snapshot);
        assert_eq!(pids(&kin.below([2])), [3, 5, 4]);
        assert_eq!(pids(&kin.below([2, 3])), [5, 4]);
        assert_eq!(pids(&kin.below([9])), [0; 0]);
    }

    #[test]
    fn alone_is_who_runs_nothing_else() {
        let run = [(2, 1, "sh"), (3, 2, "node"), (4, 2, "sh"), (5, 4, "node")];
        let snapshot = snapshot(&run);
        let kin = Kin::of(&snapshot);
        let by = |kind| Supervisor { kind, pid: Some(2), ..Supervisor::default() };
        assert!(kin.is_alone(&by(SupervisorKind::Parent), &[3, 5]));
        assert!(!kin.is_alone(&by(SupervisorKind::Parent), &[3]));
        assert!(!kin.is_alone(&by(SupervisorKind::Watcher), &[5]));
        assert!(kin.is_alone(&by(SupervisorKind::Master), &[3]), "its own worker");
        assert!(!kin.is_alone(&by(SupervisorKind::Master), &[5]));
        assert!(!kin.is_alone(&Supervisor::default(), &[3]));
    }
}
