//! What filters and the moment of a start leave of a target: never more than it means, and a port
//! whole or not at all.

use std::path::{Path, PathBuf};

use proc_core::filter::Criterion;
use proc_core::host::Host;
use proc_core::process::ProcessState;
use proc_core::report::RefusalReason;
use proc_core::snapshot::Scope;

use super::processes::{Family, Program};
use super::*;

/// A directory of this test's own.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let own = format!("proc-narrowing-{name}-{}", std::process::id());
        let path = std::env::temp_dir().canonicalize().unwrap().join(own);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn inside(path: &Path) -> ProcessFilter {
    ProcessFilter { directory: Some(path.to_owned()), ..ProcessFilter::default() }
}

fn only(ask: &Ask, filter: ProcessFilter) -> Ask {
    Ask { filter: Some(filter), ..ask.clone() }
}

fn pids(families: &[Family]) -> Vec<u32> {
    families.iter().map(Family::pid).collect()
}

#[test]
fn of_a_name_only_those_that_the_filter_keeps_are_acted_on() {
    let (program, here) = (Program::new("kept"), Directory::new("kept"));
    let kept = program.run_in(&here.0, 2);
    let others = program.run_in(Path::new("/"), 3);
    let planned = Ask { dry_run: true, ..only(&KILL, inside(&here.0)) }.on(&program.name());
    assert_outcome(&planned, Outcome::Planned);
    let mut listed: Vec<u32> = planned.plan.iter().filter_map(|step| step.pid).collect();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed, pids(&kept));
    let report = only(&KILL, inside(&here.0)).on(&program.name());
    assert_outcome(&report, Outcome::Freed);
    assert!(pids(&kept).into_iter().all(ends));
    assert!(pids(&others).into_iter().all(lives));
    assert_says(&report, &format!("3 of 5 left alone: not in {}", here.0.display()));
    let mut left: Vec<u32> = report.left_alone.iter().map(|one| one.pid).collect();
    left.sort_unstable();
    assert_eq!(left, pids(&others));
    assert!(report.left_alone.iter().all(|one| one.filter == Criterion::In));
    assert!(report.processes.iter().all(|process| !left.contains(&process.pid)));
}

#[test]
fn where_the_filter_keeps_nobody_nothing_is_done() {
    let (program, here) = (Program::new("nobody"), Directory::new("nobody"));
    let running = program.run_in(Path::new("/"), 2);
    let old =
        ProcessFilter { min_age: Some(Duration::from_secs(86_400)), ..ProcessFilter::default() };
    for (filter, words) in [
        (inside(&here.0), "2 of 2 left alone: not in "),
        (old, "2 of 2 left alone: younger than "),
        (
            ProcessFilter { states: vec![ProcessState::Stopped], ..ProcessFilter::default() },
            "2 of 2 left alone: not stopped",
        ),
        (
            ProcessFilter { by: Some("no-such-name".to_owned()), ..ProcessFilter::default() },
            "2 of 2 left alone: not called no-such-name",
        ),
        (
            ProcessFilter { user: Some("4294967290".to_owned()), ..ProcessFilter::default() },
            "2 of 2 left alone: not of user 4294967290",
        ),
    ] {
        for ask in [&KILL, &ask(Verb::Freeze)] {
            let report = only(ask, filter.clone()).on(&program.name());
            assert_outcome(&report, Outcome::NotFound);
            assert_says(&report, words);
            assert_eq!(report.left_alone.len(), 2);
            assert_untouched(&report);
        }
    }
    assert!(pids(&running).into_iter().all(lives));
}

#[test]
fn a_filter_goes_for_deeds_and_for_a_pid_too() {
    let (program, here) = (Program::new("deed"), Directory::new("deed"));
    let kept = program.run_in(&here.0, 1);
    let other = program.run_in(Path::new("/"), 1);
    let report = only(&ask(Verb::Freeze), inside(&here.0)).on(&program.name());
    assert_outcome(&report, Outcome::Frozen);
    assert_eq!(procfs::state(kept[0].pid()), Some('T'));
    assert_ne!(procfs::state(other[0].pid()), Some('T'));
    let report = only(&ask(Verb::Thaw), inside(&here.0)).on(&format!("pid:{}", kept[0].pid()));
    assert_outcome(&report, Outcome::Thawed);
    let report = only(&STOP, inside(&here.0)).on(&format!("pid:{}", other[0].pid()));
    assert_outcome(&report, Outcome::NotFound);
    assert!(lives(other[0].pid()));
}

#[test]
fn a_port_is_given_back_by_all_of_its_holders_or_left_alone() {
    let here = Directory::new("port");
    let listen = |port: u16, directory: &Path| {
        let mut command = Command::new(proc_testkit::actor_path());
        command.args(["--orphan", "listen", "--reuse-port", "--port", &port.to_string()]);
        command.current_dir(directory);
        Actor::spawn_command(command)
    };
    let mine = listen(0, &here.0);
    let port = mine.port();
    let report = only(&FREE, inside(Path::new("/proc"))).on(&tcp(&mine));
    assert_outcome(&report, Outcome::Refused);
    assert_eq!(report.refusal.as_ref().unwrap().reason, RefusalReason::LeftAlone);
    assert_says(&report, "is not in /proc");
    let theirs = listen(port, Path::new("/"));
    for ask in [&KILL, &STOP, &FREE] {
        let report = only(ask, inside(&here.0)).on(&tcp(&mine));
        assert_outcome(&report, Outcome::Refused);
        assert_says(&report, &format!("1 of 2 left alone: not in {}", here.0.display()));
        assert_says(&report, &format!("pid:{}", mine.pid()));
        assert_eq!(report.left_alone.len(), 1);
        assert_eq!(report.left_alone[0].pid, theirs.pid());
        assert_untouched(&report);
    }
    assert!(lives(mine.pid()) && lives(theirs.pid()));
    // What is not to give the port back goes to those that are meant.
    let report = only(&ask(Verb::Freeze), inside(&here.0)).on(&tcp(&mine));
    assert_outcome(&report, Outcome::Frozen);
    assert_eq!(procfs::state(mine.pid()), Some('T'));
    assert_ne!(procfs::state(theirs.pid()), Some('T'));
    assert_outcome(&KILL.on(&format!("pid:{}", theirs.pid())), Outcome::Freed);
    let report = only(&KILL, inside(&here.0)).on(&tcp(&mine));
    assert_outcome(&report, Outcome::Freed);
    assert!(report.left_alone.is_empty() && ends(mine.pid()) && binds(port));
}

#[test]
fn remains_are_nobodys_and_a_filter_leaves_them_to_be_cleared() {
    let remains = Actor::spawn(&["time-wait"]);
    let ask = Ask { dry_run: true, ..only(&FREE, inside(Path::new("/proc"))) };
    assert_outcome(&ask.on(&tcp(&remains)), Outcome::Planned);
}

#[test]
fn a_process_is_known_by_its_start() {
    let program = Program::new("since");
    let running = program.run_in(Path::new("/"), 1);
    let pid = running[0].pid();
    let seen = LiveHost::default().snapshot(&Scope { pids: vec![pid], ..Scope::default() });
    let started = seen.processes[&pid].started_at.unwrap();
    for target in [format!("pid:{pid}"), pid.to_string()] {
        for (ask, wrong) in
            [(&KILL, Duration::from_secs(60)), (&ask(Verb::Freeze), Duration::from_secs(3))]
        {
            let earlier = Some(started - wrong);
            let report = Ask { started_at: earlier, ..ask.clone() }.on(&target);
            assert_outcome(&report, Outcome::Refused);
            assert_eq!(report.refusal.as_ref().unwrap().reason, RefusalReason::AnotherProcess);
            assert_says(&report, &format!("{pid} is another process now: {}", program.name()));
            assert_untouched(&report);
        }
    }
    assert!(lives(pid) && procfs::state(pid) != Some('T'));
    // Documents have whole seconds.
    let whole = proc_core::timestamp::parse(&proc_core::timestamp::rfc3339(started));
    assert_outcome(
        &Ask { started_at: whole, ..KILL.clone() }.on(&format!("pid:{pid}")),
        Outcome::Freed,
    );
    assert!(ends(pid));
}

#[test]
fn who_was_left_alone_is_not_reached_by_a_tree_either() {
    let name = format!("branch{}", std::process::id());
    // A parent and its child, of one name.
    let script = format!("exec -a {name} bash -c '(exec -a {name} sleep 120) & wait; true'");
    let family = Family::start(Command::new("bash").args(["-c", &script]));
    let child = || {
        let members = family.members();
        members.into_iter().find(|&pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            pid != family.pid() && line.starts_with(format!("{name}\0").as_bytes())
        })
    };
    assert!(wait_until(SOON * 4, || child().is_some()));
    let child = child().unwrap();
    let filter = ProcessFilter { parent: Some(std::process::id()), ..ProcessFilter::default() };
    let mut tree = only(&KILL, filter.clone());
    tree.limits.tree = true;
    let report = tree.on(&name);
    assert_outcome(&report, Outcome::Refused);
    assert_eq!(report.refusal.as_ref().unwrap().reason, RefusalReason::LeftAlone);
    assert_says(&report, &format!("(pid {child}), which is not started by"));
    assert_untouched(&report);
    assert!(lives(child) && lives(family.pid()));
    let report = only(&KILL, filter).on(&name);
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(family.pid()) && lives(child));
}
