//! Whose a socket is on Windows. Its table names the process that made the socket, for as long as the
//! socket lives: that process may have ended, and its number be another's, while a child that
//! inherited the handle keeps the port. Times tell: who made the socket is older than it.

use std::collections::BTreeMap;

use super::SYSTEM;
use crate::socket::{HeldBy, Holder, Holders};

/// A process as far as descent needs it: its parent's number, and when it was created (FILETIME).
/// On Windows a parent's number stays when the parent ends, and may become another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// The parent's number.
    pub parent: u32,
    /// When it was created; `None` where it may not be read.
    pub created: Option<u64>,
}

/// Who holds a socket that the table counts to `owner` and says was bound at that time; and the owner
/// where it has ended. Where children of an ended owner live, they are its heirs, since nothing else
/// can keep the socket; which of them has the handle, nothing tells.
pub fn attribute(
    owner: u32,
    bound_at: Option<u64>,
    processes: &BTreeMap<u32, Birth>,
) -> (Holders, Option<u32>) {
    match owner {
        0 => return (Holders::Nobody, None),
        SYSTEM => return (Holders::Kernel, None),
        _ => {}
    }
    let living = processes.get(&owner);
    let younger = living.is_some_and(|birth| {
        birth.created.zip(bound_at).is_some_and(|(created, bound)| created > bound)
    });
    if living.is_some() && !younger {
        let holders = vec![Holder { pid: owner, by: HeldBy::Owner }];
        return (Holders::Processes { holders }, None);
    }
    // Whoever has the number now began after the owner had ended: so did its children.
    let until = living.and_then(|birth| birth.created);
    let holders: Vec<Holder> = heirs(owner, until, processes)
        .into_iter()
        .map(|pid| Holder { pid, by: HeldBy::Heir { of: owner } })
        .collect();
    match holders.is_empty() {
        true => (Holders::Hidden, Some(owner)),
        false => (Holders::Processes { holders }, Some(owner)),
    }
}

/// The living descendants of a process that has ended, in ascending order.
fn heirs(owner: u32, until: Option<u64>, processes: &BTreeMap<u32, Birth>) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut parents = vec![(owner, None, until)];
    while let Some((parent, since, until)) = parents.pop() {
        for (&pid, birth) in processes {
            // A child is younger than its parent, and older than who has the parent's number now.
            let young = birth.created.zip(since).is_none_or(|(created, since)| created >= since);
            let old = birth.created.zip(until).is_none_or(|(created, until)| created < until);
            if birth.parent == parent && pid != owner && young && old && !found.contains(&pid) {
                found.push(pid);
                parents.push((pid, birth.created, None));
            }
        }
    }
    found.sort_unstable();
    found
}

/// Whether the process of that number can be the parent it is named as: it is older.
pub fn is_parent(parent: &Birth, child: &Birth) -> bool {
    parent.created.zip(child.created).is_none_or(|(parent, child)| parent <= child)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(processes: &[(u32, u32, u64)]) -> BTreeMap<u32, Birth> {
        let birth = |parent, created| Birth { parent, created: Some(created) };
        processes.iter().map(|&(pid, parent, created)| (pid, birth(parent, created))).collect()
    }

    fn pids(of: &(Holders, Option<u32>)) -> Vec<u32> {
        of.0.pids()
    }

    #[test]
    fn the_owner_that_is_older_than_the_socket_has_it() {
        let processes = machine(&[(50, 1, 100), (60, 50, 300)]);
        let found = attribute(50, Some(200), &processes);
        assert_eq!((pids(&found), found.1), (vec![50], None));
        assert_eq!(attribute(0, None, &processes), (Holders::Nobody, None));
        assert_eq!(attribute(4, Some(200), &processes), (Holders::Kernel, None));
    }

    #[test]
    fn a_dead_owners_children_are_its_heirs() {
        let processes = machine(&[(60, 50, 300), (61, 60, 310), (70, 1, 10)]);
        let found = attribute(50, Some(200), &processes);
        assert_eq!((pids(&found), found.1), (vec![60, 61], Some(50)));
        assert_eq!(found.0.list()[0].by, HeldBy::Heir { of: 50 });
        let alone = attribute(99, Some(200), &processes);
        assert_eq!(alone, (Holders::Hidden, Some(99)));
    }

    #[test]
    fn a_number_used_again_is_not_the_owner_nor_are_its_children_heirs() {
        let processes = machine(&[(50, 1, 500), (60, 50, 300), (62, 50, 510)]);
        let found = attribute(50, Some(200), &processes);
        assert_eq!((pids(&found), found.1), (vec![60], Some(50)));
    }

    #[test]
    fn without_times_a_living_owner_is_believed() {
        let processes = machine(&[(50, 1, 500)]);
        assert_eq!(pids(&attribute(50, None, &processes)), [50]);
        let unread = BTreeMap::from([(50, Birth { parent: 1, created: None })]);
        assert_eq!(pids(&attribute(50, Some(200), &unread)), [50]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let processes = machine(&[(60, 61, 300), (61, 60, 300), (62, 50, 300), (63, 62, 300)]);
        assert_eq!(pids(&attribute(50, Some(200), &processes)), [62, 63]);
        assert_eq!(pids(&attribute(61, None, &machine(&[(60, 61, 1), (62, 60, 1)]))), [60, 62]);
    }

    #[test]
    fn a_parent_is_older_than_its_child() {
        let birth = |created| Birth { parent: 1, created };
        assert!(is_parent(&birth(Some(1)), &birth(Some(2))));
        assert!(!is_parent(&birth(Some(3)), &birth(Some(2))));
        assert!(is_parent(&birth(None), &birth(Some(2))));
    }
}
