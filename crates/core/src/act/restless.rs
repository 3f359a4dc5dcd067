//! A tree of processes where none can be held still, which is Windows: whoever is in it may start
//! another until it has ended. But a pinned number stays its owner's, and who was started by it is told
//! as its child for good: so the last look, when all have ended, misses nobody whose parent was pinned.
//! Whoever is forced is put into an enclosure first, which tells those as well whose parent was born
//! and ended between two looks.

use super::run::{Release, Run, Stubborn};
use super::tree::{FAMILY, Member, Obstacle, ROUNDS};
use crate::explain::count;
use crate::host::ActError;
use crate::plan::{SIGKILL, Verb};

impl Run<'_> {
    /// Ends the whole tree: every member pinned before one is ended, those with a window asked from
    /// the top down, and forced after the grace; where nobody could be asked, forced at once.
    pub(super) fn end_restless_tree(&mut self, mut tree: Vec<Member>) -> Release {
        if let Err(obstacle) = self.gather(&mut tree) {
            return self.given_up(obstacle);
        }
        self.tell_leavers(&tree);
        if self.limits.now {
            return self.force_until_nobody_is_new(&mut tree);
        }
        match self.ask_restless(&mut tree) {
            Release::Done | Release::Late(_) if self.limits.verb != Verb::Stop => {
                self.force_until_nobody_is_new(&mut tree)
            }
            // Who was started meanwhile was not asked.
            Release::Done => self.who_is_left(&mut tree),
            other => other,
        }
    }

    /// Whoever is there of the tree when all that was asked has ended.
    fn who_is_left(&mut self, tree: &mut Vec<Member>) -> Release {
        if let Err(obstacle) = self.gather(tree) {
            return self.given_up(obstacle);
        }
        match self.living(tree) {
            names if names.is_empty() => Release::Done,
            names => Release::Late(Stubborn { names, spared: None }),
        }
    }

    fn living(&self, tree: &[Member]) -> Vec<String> {
        tree.iter().filter(|it| !self.host.exited(&it.pin)).map(Member::called).collect()
    }

    /// Looks for members until a look finds nobody new.
    fn gather(&mut self, tree: &mut Vec<Member>) -> Result<(), Obstacle> {
        for _ in 0..ROUNDS {
            let known = tree.len();
            self.join(tree)?;
            if tree.len() == known {
                break;
            }
            if super::is_interrupted(self.host) {
                return Err(Obstacle::Interrupted);
            }
        }
        Ok(())
    }

    /// The roots first, which mostly take the others along.
    fn ask_restless(&mut self, tree: &mut Vec<Member>) -> Release {
        let deadline = self.started + self.limits.timeout;
        let asked_at = self.host.now();
        let mut asked = self.ask(tree, |member| member.root);
        if asked > 0 {
            match self.await_tree(tree, (asked_at + FAMILY).min(deadline)) {
                Release::Late(_) => {}
                other => return other,
            }
            if let Err(obstacle) = self.gather(tree) {
                return self.given_up(obstacle);
            }
        }
        asked += self.ask(tree, |member| !member.root);
        let patience = match self.limits.verb {
            Verb::Stop if asked == 0 => return self.nobody_can_be_asked(tree),
            Verb::Stop => deadline,
            _ if asked == 0 => asked_at,
            _ => (asked_at + self.limits.grace).min(deadline),
        };
        self.await_tree(tree, patience)
    }

    fn nobody_can_be_asked(&self, tree: &[Member]) -> Release {
        let who = match tree {
            [] => return Release::Done,
            [one] => one.called(),
            [first, rest @ ..] => {
                format!(
                    "{} with {} below it",
                    first.called(),
                    count(rest.len(), "process", "processes")
                )
            }
        };
        Release::Denied(self.cannot_be_asked(&who, ActError::CannotBeAsked))
    }

    /// From the top down, so that nobody starts again what has just ended, and again as long as
    /// somebody new is found.
    fn force_until_nobody_is_new(&mut self, tree: &mut Vec<Member>) -> Release {
        let deadline = self.started + self.limits.timeout;
        self.enclosure = self.host.enclosure();
        for _ in 0..ROUNDS {
            self.enclose(tree);
            if let Err(name) = self.force_restless(tree) {
                return Release::Denied(self.may_not_end(&name));
            }
            match self.await_tree(tree, deadline) {
                Release::Done => {}
                other => return other,
            }
            let known = tree.len();
            if let Err(obstacle) = self.join(tree) {
                return self.given_up(obstacle);
            }
            if tree.len() == known {
                return Release::Done;
            }
        }
        Release::Late(Stubborn { names: self.living(tree), spared: None })
    }

    /// All of them before one of them is ended. Who is never forced is not put where nobody leaves.
    fn enclose(&self, tree: &[Member]) {
        let Some(enclosure) = &self.enclosure else { return };
        for member in tree.iter().filter(|member| member.never_forced.is_none()) {
            if !self.host.exited(&member.pin) {
                enclosure.take_in(&member.pin);
            }
        }
    }

    fn force_restless(&mut self, tree: &[Member]) -> Result<(), String> {
        for member in tree.iter().filter(|member| member.never_forced.is_none()) {
            if self.host.exited(&member.pin) {
                continue;
            }
            match self.host.signal(&member.pin, SIGKILL) {
                Ok(()) => {
                    let text = format!("forced {} to end ({})", member.called(), self.forces_by());
                    self.note("forced", Some(member.id().pid), text);
                }
                Err(ActError::Denied) => return Err(member.called()),
                // It has just ended, or stays and is told of.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
