//! Who is below whom on Windows, where a process goes on to be told as a child of whoever started it
//! when that has ended, and the number of who ended may be another's. Times tell: a child is younger.

use std::collections::{BTreeMap, HashSet};

use super::holder::Birth;
use crate::process::ProcessId;

/// Everything below these, each once and parents before children, without these themselves. Whoever of
/// them has ended must be held by a handle, so that nobody else has its number. Whose age is not known
/// belongs to nobody: what is found here is to end.
pub fn below(roots: &[ProcessId], processes: &BTreeMap<u32, Birth>) -> Vec<ProcessId> {
    let mut open = roots.to_vec();
    let mut seen: HashSet<u32> = roots.iter().map(|root| root.pid).collect();
    let mut next = 0;
    while let Some(&parent) = open.get(next) {
        next += 1;
        for (&pid, birth) in processes.iter().filter(|(_, birth)| birth.parent == parent.pid) {
            let younger = birth.created.filter(|created| *created >= parent.start);
            if let Some(start) = younger
                && seen.insert(pid)
            {
                open.push(ProcessId { pid, start });
            }
        }
    }
    open.split_off(roots.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(roots: &[(u32, u64)], processes: &[(u32, u32, Option<u64>)]) -> Vec<u32> {
        let roots: Vec<ProcessId> =
            roots.iter().map(|&(pid, start)| ProcessId { pid, start }).collect();
        let births =
            processes.iter().map(|&(pid, parent, created)| (pid, Birth { parent, created }));
        below(&roots, &births.collect()).iter().map(|id| id.pid).collect()
    }

    #[test]
    fn parents_come_before_children_and_everybody_once() {
        let machine = [
            (5, 60, Some(400)),
            (50, 1, Some(100)),
            (60, 50, Some(300)),
            (61, 50, Some(301)),
            (70, 1, Some(10)),
        ];
        assert_eq!(found(&[(50, 100)], &machine), [60, 61, 5]);
        assert_eq!(found(&[(50, 100), (60, 300)], &machine), [61, 5]);
        assert_eq!(found(&[(70, 10)], &machine), [0; 0]);
    }

    #[test]
    fn the_children_of_one_that_has_ended_are_found_and_those_of_its_numbers_next_owner_are_not() {
        assert_eq!(found(&[(50, 100)], &[(60, 50, Some(300)), (61, 60, Some(310))]), [60, 61]);
        // 40 was started by an earlier process of the number 50.
        assert_eq!(found(&[(50, 100)], &[(40, 50, Some(90)), (41, 40, Some(200))]), [0; 0]);
    }

    #[test]
    fn an_unknown_age_is_nobodys_child_and_a_circle_ends() {
        assert_eq!(found(&[(50, 100)], &[(60, 50, None), (61, 60, Some(300))]), [0; 0]);
        let circle = [(50, 61, Some(100)), (60, 50, Some(100)), (61, 60, Some(100))];
        assert_eq!(found(&[(50, 100)], &circle), [60, 61]);
        assert_eq!(found(&[(9, 1)], &[(9, 9, Some(1))]), [0; 0]);
    }
}
