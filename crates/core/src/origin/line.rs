//! A process and those above it, up to where somebody sits: the ones that had a part in starting
//! it for somebody. The terminal, login or manager above them starts things for everybody.

use crate::marks::Marks;
use crate::origin::agent;
use crate::process::{Process, ProcessId};
use crate::snapshot::Snapshot;
use crate::supervisor::{is_interactive_shell, is_session_host};

/// A process and its ancestors, nearest first, without the places where they were started from.
pub(super) struct Line<'a> {
    processes: Vec<&'a Process>,
    pid: u32,
}

impl<'a> Line<'a> {
    /// That of a process; `None` where it was not seen.
    pub(super) fn of(pid: u32, snapshot: &'a Snapshot) -> Option<Self> {
        let own = snapshot.processes.get(&pid)?;
        let above = snapshot.ancestors(pid).into_iter().take_while(|process| belongs(process));
        Some(Self { processes: std::iter::once(own).chain(above).collect(), pid })
    }

    /// The asker's. It is empty where nobody of it was seen.
    pub(super) fn asker(snapshot: &'a Snapshot) -> Self {
        let asker = &snapshot.asker;
        let above = asker.ancestors.iter().filter_map(|pid| snapshot.processes.get(pid));
        let own = snapshot.processes.get(&asker.pid);
        let above = above.take_while(|process| belongs(process));
        Self { processes: own.into_iter().chain(above).collect(), pid: asker.pid }
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// The first of it: of a line made by [`Line::of`], the process itself.
    pub(super) fn own(&self) -> &'a Process {
        self.processes.first().expect("a line of a process begins with that process")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Process> + '_ {
        self.processes.iter().copied()
    }

    /// Those below the first shell that somebody types into, and below the first agent.
    pub(super) fn job(&self) -> impl Iterator<Item = &'a Process> + '_ {
        self.iter().take_while(|process| !is_interactive_shell(process) && !agent::is_one(process))
    }

    pub(super) fn has(&self, id: ProcessId) -> bool {
        self.iter().any(|process| process.id == id)
    }

    pub(super) fn has_pid(&self, pid: u32) -> bool {
        self.iter().any(|process| process.id.pid == pid)
    }

    /// The working directory of the first of it whose directory is known.
    pub(super) fn directory(&self) -> Option<&'a str> {
        self.iter().find_map(|process| process.cwd.as_deref())
    }

    /// The environments of the line, nearest first.
    pub(super) fn marks<'s>(&self, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s Marks> {
        self.iter().filter_map(|process| snapshot.marks.get(&process.id.pid))
    }

    /// The value that the nearest of the line has of a mark; empty ones say nothing.
    pub(super) fn mark<'s>(&self, name: &str, snapshot: &'s Snapshot) -> Option<&'s str> {
        let value = self.marks(snapshot).find_map(|marks| marks.get(name))?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether the process is in a container that the asker is not in: its paths are not ours.
    pub(super) fn is_boxed(&self, snapshot: &Snapshot) -> bool {
        let Some(container) = self.own().container.as_ref() else { return false };
        let asker = Line::asker(snapshot);
        !asker.iter().any(|process| process.container.as_ref() == Some(container))
    }

    /// The user behind a process: its own, or who became root for it (sudo(8), pkexec(1), doas(1)).
    pub(super) fn person(&self, snapshot: &Snapshot) -> Option<u32> {
        match self.own().uid? {
            0 => Some(self.behind_root(snapshot).unwrap_or(0)),
            uid => Some(uid),
        }
    }

    /// The user behind the asker.
    pub(super) fn person_of_asker(&self, snapshot: &Snapshot) -> u32 {
        match snapshot.asker.uid {
            0 => self.behind_root(snapshot).unwrap_or(0),
            uid => uid,
        }
    }

    fn behind_root(&self, snapshot: &Snapshot) -> Option<u32> {
        let told = ["SUDO_UID", "PKEXEC_UID"].iter().find_map(|name| self.mark(name, snapshot));
        if let Some(uid) = told.and_then(|uid| uid.parse().ok()) {
            return Some(uid);
        }
        // A root's process below another user's comes from a set-user-ID program: sudo, su, doas.
        self.iter().find(|process| process.uid != Some(0))?.uid
    }
}

/// Whether a process had a part in starting those below it for somebody.
fn belongs(process: &Process) -> bool {
    process.id.pid > 1
        && (!is_session_host(process) || is_interactive_shell(process) || agent::is_one(process))
}
