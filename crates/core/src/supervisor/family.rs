//! What else a supervisor runs: whether ending it would end the holder's family and nothing more,
//! and who else would go. Told from the children in the snapshot; unseen children count as others.

use super::program::Program;
use super::{Link, Role, askers, managers};
use crate::process::{Process, ProcessState};
use crate::snapshot::Snapshot;

/// The line from a process up to its supervisor, with what hangs on it.
pub(super) struct Family<'a> {
    pub links: &'a [Link<'a>],
    /// The supervisor's place among the links.
    pub at: usize,
    pub process: &'a Process,
    pub snapshot: &'a Snapshot,
}

impl Family<'_> {
    /// Whether the supervisor runs nothing but this family, and nothing else ends when it does.
    pub fn is_alone(&self) -> bool {
        let top = self.links[self.at].parent;
        if askers(self.snapshot).any(|asker| asker.id == top.id) {
            return false;
        }
        let in_company = (self.at + 1..self.links.len()).any(|at| {
            managers::ends_together(self.links[at].parent)
                && self.others(at).is_none_or(|others| !others.is_empty())
        });
        !in_company
            && (0..=self.at).all(|at| match self.links[at].role {
                // By what it is: a watcher runs one command, and a wrapper too.
                Role::Watcher(_) | Role::Wrapper => true,
                Role::Master(Some(_)) => true,
                // What shares a socket with its like may still run something of another kind.
                Role::Master(None) => {
                    let top = self.links[at].parent;
                    let like = |other: &&Process| other.exe == top.exe && other.exe.is_some();
                    self.others(at).is_some_and(|others| others.iter().all(like))
                }
                Role::Manager(_) => managers::runs_one(Program::of(self.links[at].parent)),
                Role::Parent | Role::Loop => {
                    // Only a shell does nothing but run commands. What else a program does that
                    // started another (a test, a build) is its own affair.
                    Program::of(self.links[at].parent).shell().is_some()
                        && self.others(at).is_some_and(|others| others.is_empty())
                }
            })
    }

    /// Who else would end: with the supervisor, and with one above it that ends all when one ends.
    pub fn takes_along(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (at, link) in self.links.iter().enumerate() {
            let counts = match link.role {
                Role::Parent | Role::Loop => at <= self.at,
                Role::Manager(_) => at == self.at || managers::ends_together(link.parent),
                _ => false,
            };
            if counts {
                names.extend(self.others(at).unwrap_or_default().into_iter().map(named));
            }
        }
        names
    }

    /// The other living children of that link; `None` where they are not known.
    fn others(&self, at: usize) -> Option<Vec<&Process>> {
        let below = if at == 0 { self.process } else { self.links[at - 1].parent };
        let children = self.snapshot.children(self.links[at].parent.id.pid)?;
        let other = |child: &&Process| child.id != below.id && child.state != ProcessState::Zombie;
        Some(children.into_iter().filter(other).collect())
    }
}

fn named(process: &Process) -> String {
    format!("{} (pid {})", process.program(), process.id.pid)
}
