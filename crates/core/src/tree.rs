//! Processes below their parents: `proc tree`. The shape is a pure function of who is whose parent,
//! whatever a hostile or changing machine says about that.

use std::collections::{BTreeMap, BTreeSet};

use crate::census::Census;
use crate::explain;
use crate::host::Host;
use crate::learn::Learn;
use crate::look::{self, LookOptions, look};
use crate::process::Process;
use crate::processes::{Choice, ProcessesWish, Survey};
use crate::report::ProcessesReport;
use crate::target::Target;

/// What is wanted of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeWish {
    /// Which processes; others are shown only for what is below them.
    pub processes: ProcessesWish,
    /// The roots; the whole machine where there are none.
    pub targets: Vec<Target>,
    /// What is above the targets, and not what is below.
    pub ancestors: bool,
    /// How many levels below the roots.
    pub depth: Option<u32>,
}

/// A process in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Which.
    pub pid: u32,
    /// How many levels below its root.
    pub depth: u32,
    /// Whether it is there only for what is below it.
    pub context: bool,
}

/// What a tree is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The roots; where empty, whoever has no parent.
    pub roots: BTreeSet<u32>,
    /// Who is meant. Whoever is above one of them is shown, too.
    pub kept: BTreeSet<u32>,
    /// How many levels below the roots are shown.
    pub depth: Option<u32>,
}

/// Shows the tree.
pub fn tree(host: &dyn Host, wish: &TreeWish) -> ProcessesReport {
    let mut processes = wish.processes.clone();
    // Whoever is named is meant, also where it is a thread of the kernel.
    processes.filter.kernel_threads |= !wish.targets.is_empty();
    let mut survey = Survey::take(host, &processes);
    let (meant, missing) = meant_by(host, &wish.targets);
    let mut shape = Shape { depth: wish.depth, ..Shape::default() };
    let choice = match wish.ancestors {
        true => survey.choose(host, &processes, |process| meant.contains(&process.id.pid)),
        false => {
            shape.roots.clone_from(&meant);
            let below = below(&survey.snapshot.processes, &meant);
            let whole = wish.targets.is_empty();
            survey.choose(host, &processes, |process| whole || below.contains(&process.id.pid))
        }
    };
    shape.kept = choice.pids.iter().copied().collect();
    let (branches, deeper) = match wish.targets.is_empty() || !meant.is_empty() {
        true => forest(&survey.snapshot.processes, &shape),
        false => (Vec::new(), 0),
    };
    let pids = branches.iter().map(|branch| branch.pid).collect();
    let mut report = survey.report("tree", &Choice { pids, ..choice }, &processes);
    for (row, branch) in report.processes.iter_mut().zip(&branches) {
        (row.depth, row.context) = (Some(branch.depth), branch.context);
    }
    report.notes.extend((deeper > 0).then(|| explain::deeper_processes(deeper)));
    let some = !report.processes.is_empty();
    report.notes.extend(missing.iter().filter(|_| some).cloned());
    if !some {
        report.explain = Some(match missing.is_empty() {
            true => explain::no_process(&processes.filter, &survey.snapshot),
            false => missing.join("; "),
        });
    }
    report
}

/// The processes that targets mean, and a sentence for each that means none.
fn meant_by(host: &dyn Host, targets: &[Target]) -> (BTreeSet<u32>, Vec<String>) {
    let mut meant = BTreeSet::new();
    let mut missing = Vec::new();
    if targets.is_empty() {
        return (meant, missing);
    }
    let (named, others): (Vec<Target>, Vec<Target>) = targets.iter().cloned().partition(|target| {
        matches!(target, Target::Pid(_) | Target::Name(_) | Target::Container(_) | Target::Unit(_))
    });
    let census = Census::take(host, &named);
    for target in &named {
        let pids = census.meant_by(target);
        missing.extend(pids.is_empty().then(|| look::missing(target, &census)));
        meant.extend(pids);
    }
    if others.is_empty() {
        return (meant, missing);
    }
    let options = LookOptions { learn: Learn::Nothing, ..LookOptions::default() };
    for report in look(host, &others, &options) {
        match report.processes.is_empty() {
            true => missing.push(
                report.explain.unwrap_or_else(|| format!("no process has {}", report.target)),
            ),
            false => meant.extend(report.processes.iter().map(|process| process.pid)),
        }
    }
    (meant, missing)
}

/// Those processes and all below them.
fn below(processes: &BTreeMap<u32, Process>, roots: &BTreeSet<u32>) -> BTreeSet<u32> {
    let children = children(processes);
    let mut found = BTreeSet::new();
    let mut next: Vec<u32> = roots.iter().copied().collect();
    while let Some(pid) = next.pop() {
        if found.insert(pid) {
            next.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// The parent of a process, where that can be it. A PID that was given to another after the parent
/// ended belongs to somebody younger than the child, who is nobody's parent.
fn parent<'a>(process: &Process, processes: &'a BTreeMap<u32, Process>) -> Option<&'a Process> {
    processes
        .get(&process.ppid)
        .filter(|parent| parent.id.pid != process.id.pid && parent.id.start <= process.id.start)
}

/// The children of each that has any, by PID.
fn children(processes: &BTreeMap<u32, Process>) -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in processes.values() {
        if let Some(parent) = parent(process, processes) {
            children.entry(parent.id.pid).or_default().push(process.id.pid);
        }
    }
    children
}

/// The tree, each process below its parent, and how many that are meant stand too deep for it. Each
/// is there at most once: two that say to be each other's parent are cut apart.
pub fn forest(processes: &BTreeMap<u32, Process>, shape: &Shape) -> (Vec<Branch>, usize) {
    let walk = walk(processes, &shape.roots);
    // From the last to the first: whoever is above one that is shown is shown.
    let mut shown = vec![false; walk.len()];
    let mut above = Vec::new();
    for (at, &(pid, depth)) in walk.iter().enumerate().rev() {
        let depth = depth as usize;
        above.resize(depth + 2, false);
        shown[at] = shape.kept.contains(&pid) || above[depth + 1];
        above[depth] |= shown[at];
        // What stood below does not count for whoever comes before on the same level.
        above.truncate(depth + 1);
    }
    let mut deeper = 0;
    let mut branches = Vec::new();
    for (&(pid, depth), _) in walk.iter().zip(&shown).filter(|(_, shown)| **shown) {
        let context = !shape.kept.contains(&pid);
        match shape.depth.is_some_and(|most| depth > most) {
            true => deeper += usize::from(!context),
            false => branches.push(Branch { pid, depth, context }),
        }
    }
    (branches, deeper)
}

/// Every process with its depth below the nearest root, each after its parent and its elder
/// siblings. With roots, only they and whoever is below them.
fn walk(processes: &BTreeMap<u32, Process>, roots: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let children = children(processes);
    let mut visited = BTreeSet::new();
    let mut walk = Vec::new();
    let mut visit = |first: u32| {
        // PID and depth; no depth above the first root.
        let mut next: Vec<(u32, Option<u32>)> = vec![(first, None)];
        while let Some((pid, depth)) = next.pop() {
            if !visited.insert(pid) {
                continue;
            }
            let begins = roots.is_empty() || roots.contains(&pid);
            let depth = depth.or(begins.then_some(0));
            walk.extend(depth.map(|depth| (pid, depth)));
            let below = depth.map(|depth| depth + 1);
            next.extend(
                children.get(&pid).into_iter().flatten().rev().map(|&child| (child, below)),
            );
        }
    };
    let orphans = processes.values().filter(|process| parent(process, processes).is_none());
    orphans.for_each(|process| visit(process.id.pid));
    // Whoever is left stands in a ring.
    processes.keys().for_each(|&pid| visit(pid));
    walk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessId;

    /// `pid<parent`, with the PID as start; `pid<parent@start` otherwise.
    fn machine(text: &str) -> BTreeMap<u32, Process> {
        let read = |word: &str| {
            let (word, start) = word.split_once('@').unwrap_or((word, ""));
            let (pid, ppid) = word.split_once('<').unwrap();
            let pid: u32 = pid.parse().unwrap();
            let start = start.parse().unwrap_or(u64::from(pid));
            let process = Process {
                ppid: ppid.parse().unwrap(),
                ..Process::unread(ProcessId { pid, start })
            };
            (pid, process)
        };
        text.split_whitespace().map(read).collect()
    }

    fn drawn(text: &str, roots: &[u32], kept: &[u32], depth: Option<u32>) -> (String, usize) {
        let processes = machine(text);
        let kept = match kept.is_empty() {
            true => processes.keys().copied().collect(),
            false => kept.iter().copied().collect(),
        };
        let shape = Shape { roots: roots.iter().copied().collect(), kept, depth };
        let (branches, deeper) = forest(&processes, &shape);
        let words: Vec<String> = branches
            .iter()
            .map(|b| {
                format!(
                    "{}{}{}",
                    "-".repeat(b.depth as usize),
                    b.pid,
                    if b.context { "?" } else { "" }
                )
            })
            .collect();
        (words.join(" "), deeper)
    }

    const ORDINARY: &str = "1<0 2<0 10<1 11<10 12<10 13<12 20<1";

    #[test]
    fn everybody_stands_below_the_parent() {
        assert_eq!(drawn(ORDINARY, &[], &[], None).0, "1 -10 --11 --12 ---13 -20 2");
    }

    #[test]
    fn a_root_that_stands_below_another_is_shown_once() {
        assert_eq!(drawn(ORDINARY, &[10], &[], None).0, "10 -11 -12 --13");
        assert_eq!(drawn(ORDINARY, &[12, 10], &[], None).0, "10 -11 -12 --13");
        assert_eq!(drawn(ORDINARY, &[12, 20], &[], None).0, "12 -13 20");
        assert_eq!(drawn(ORDINARY, &[99], &[], None).0, "");
    }

    #[test]
    fn whoever_is_above_one_that_is_meant_is_shown() {
        assert_eq!(drawn(ORDINARY, &[], &[13, 20], None).0, "1? -10? --12? ---13 -20");
        assert_eq!(drawn(ORDINARY, &[], &[11], None).0, "1? -10? --11");
        assert_eq!(drawn(ORDINARY, &[10], &[13], None).0, "10? -12? --13");
        assert_eq!(drawn(ORDINARY, &[], &[99], None).0, "");
    }

    #[test]
    fn what_is_too_deep_is_counted() {
        assert_eq!(drawn(ORDINARY, &[], &[], Some(1)), ("1 -10 -20 2".to_owned(), 3));
        assert_eq!(drawn(ORDINARY, &[10], &[], Some(0)), ("10".to_owned(), 3));
        assert_eq!(drawn(ORDINARY, &[], &[13], Some(1)), ("1? -10?".to_owned(), 1));
    }

    #[test]
    fn a_machine_that_lies_or_changes_is_drawn_all_the_same() {
        for (text, want) in [
            // Parents that are gone, or outside of the PID namespace.
            ("10<9 11<10 12<0", "10 -11 12"),
            // One that says to be its own parent.
            ("5<5 6<5", "5 -6"),
            // Rings, which only a recording can have.
            ("5<6@1 6<5@1", "5 -6"),
            ("1<0 5<7@1 6<5@1 7<6@1 8<6@1", "1 5 -6 --7 --8"),
            // The number of a parent that ended was given to somebody younger.
            ("1<0 50<10@3 10<1@90", "1 -10 50"),
            ("", ""),
        ] {
            assert_eq!(drawn(text, &[], &[], None).0, want, "{text}");
        }
    }

    #[test]
    fn fifty_thousand_in_one_line_or_of_one_parent_take_no_time_to_speak_of() {
        let line: BTreeMap<u32, Process> = (1..=50_000)
            .map(|pid| {
                let id = ProcessId { pid, start: u64::from(pid) };
                (pid, Process { ppid: pid - 1, ..Process::unread(id) })
            })
            .collect();
        let all = Shape { kept: line.keys().copied().collect(), ..Shape::default() };
        let (branches, _) = forest(&line, &all);
        assert_eq!((branches.len(), branches[49_999].depth), (50_000, 49_999));
        let last = Shape { kept: BTreeSet::from([50_000]), ..Shape::default() };
        assert_eq!(forest(&line, &last).0.iter().filter(|branch| branch.context).count(), 49_999);
        let flat: BTreeMap<u32, Process> = (2..=50_000)
            .map(|pid| (pid, Process { ppid: 2, ..Process::unread(ProcessId { pid, start: 1 }) }))
            .collect();
        assert_eq!(forest(&flat, &all).0.len(), 49_999);
    }
}
