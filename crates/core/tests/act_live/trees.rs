//! `--tree`: a process and everything below it, whatever is born while it ends.

use super::processes::Family;
use super::*;

const fn tree(mut ask: Ask) -> Ask {
    ask.limits.tree = true;
    ask
}

/// Starts a child, and another whenever that ends or somebody asks it to end.
const RESPAWNS: &str = "trap : TERM; while :; do sleep 122 & wait $!; done";

fn target(family: &Family) -> String {
    format!("pid:{}", family.pid())
}

#[test]
fn fifty_are_listed_and_end_together() {
    let script = "i=0; while [ $i -lt 49 ]; do sleep 123 & i=$((i+1)); done; wait";
    let family = Family::of_script(script, 50);
    let mut pids = family.members();
    pids.sort_unstable();
    let planned = Ask { dry_run: true, ..tree(KILL) }.on(&target(&family));
    let mut listed: Vec<u32> = planned.plan.iter().filter_map(|step| step.pid).collect();
    listed.sort_unstable();
    assert_eq!(listed, pids);
    assert_eq!(planned.plan[0].pid, Some(family.pid()), "the topmost comes first");
    let report = tree(KILL).on(&target(&family));
    assert_outcome(&report, Outcome::Freed);
    assert!(wait_until(SOON, || family.members().is_empty()), "{report:#?}");
    assert_eq!(done_to(&report, "asked")[0], family.pid());
    assert!(!kinds(&report).contains(&"forced"), "{report:#?}");
    assert_says(&report, "50 processes have ended");
}

#[test]
fn who_starts_others_while_it_ends_does_not_get_away() {
    let script = format!("for i in 1 2 3; do ({RESPAWNS}) & done; {RESPAWNS}");
    let family = Family::of_script(&script, 8);
    let report = tree(KILL).on(&target(&family));
    assert_outcome(&report, Outcome::Freed);
    assert!(family.members().is_empty(), "{:?} {report:#?}", family.members());
    let forced = done_to(&report, "forced");
    assert!(forced.contains(&family.pid()) && forced.len() >= 4, "{report:#?}");
}

#[test]
fn only_who_ignores_the_question_is_forced() {
    let family = Family::of_script("(trap '' TERM; sleep 124 & wait) & sleep 125 & wait", 4);
    let report = tree(KILL).on(&target(&family));
    assert_outcome(&report, Outcome::Freed);
    assert!(family.members().is_empty());
    let forced = done_to(&report, "forced");
    assert!(!forced.is_empty() && !forced.contains(&family.pid()), "{report:#?}");
    assert!(at(&report, "forced") >= GRACE.as_millis() as u64, "{report:#?}");
}

#[test]
fn stop_never_forces_a_tree_and_leaves_it_running() {
    let family = Family::of_script("trap '' TERM; sleep 126 & wait", 2);
    let report = tree(STOP).within(2 * GRACE).on(&target(&family));
    assert_outcome(&report, Outcome::StillHeld);
    assert!(!kinds(&report).contains(&"forced"));
    let stands = |pid: u32| procfs::state(pid) == Some('T');
    assert_eq!(family.members().len(), 2);
    assert!(wait_until(SOON, || family.members().into_iter().all(|pid| !stands(pid))));
}

#[test]
fn at_once_nobody_is_asked() {
    let family = Family::of_script(&format!("({RESPAWNS}) & {RESPAWNS}"), 4);
    let report = tree(KILL).at_once().on(&target(&family));
    assert_outcome(&report, Outcome::Freed);
    assert!(!kinds(&report).contains(&"asked"));
    assert!(family.members().is_empty(), "{report:#?}");
}

/// A child of another parent by now belongs to that one: it is named and left alone.
#[test]
fn who_was_given_to_another_parent_is_left_alone_and_said() {
    let family = Family::of_script("sh -c 'sleep 127 &'; sleep 128 & wait", 3);
    let runs = |pid: u32, words: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|own| own == words)
    };
    let given = |pid: u32| procfs::children(family.pid()).iter().all(|&child| child != pid);
    let stray = || {
        let mut members = family.members().into_iter();
        // Its first parent has ended, and the other child is there.
        let (found, all) = (members.find(|&pid| runs(pid, "sleep\x00127\x00")), family.members());
        found.filter(|&pid| all.len() == 3 && given(pid))
    };
    assert!(wait_until(SOON, || stray().is_some()));
    let stray = stray().unwrap();
    let report = tree(KILL).on(&target(&family));
    assert_outcome(&report, Outcome::Freed);
    assert!(lives(stray), "{report:#?}");
    assert_says(&report, &format!("left alone: sleep (pid {stray})"));
    assert!(!done_to(&report, "asked").contains(&stray));
}

#[test]
fn a_guard_rail_before_one_refuses_the_whole() {
    let family = Family::of_script("sleep 129 & sleep 130 & wait", 3);
    let mut ask = tree(KILL);
    ask.limits.protected = vec!["sleep".to_owned()];
    let report = ask.with(&target(&family), || panic!("nobody is to be asked"));
    assert_outcome(&report, Outcome::Refused);
    assert_says(&report, "sleep (pid ");
    assert_eq!(family.members().len(), 3);
}

/// One that is protected is born between the plan and the act: all go on as they were.
#[test]
fn a_guard_rail_before_a_newcomer_lets_all_go_on() {
    let directory = std::env::temp_dir().join(format!("proc-tree-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let go = directory.join("go");
    let script = format!(
        "sleep 131 & while [ ! -e {} ]; do :; done; tail -f /dev/null & sleep 132 & wait",
        go.display()
    );
    let family = Family::of_script(&script, 2);
    let mut ask = tree(KILL);
    ask.limits.protected = vec!["tail".to_owned()];
    let report = ask.with(&target(&family), || {
        std::fs::write(&go, "").unwrap();
        assert!(wait_until(SOON * 2, || family.members().len() >= 4));
        let named = |pid: &u32| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "tail\n")
        };
        assert!(wait_until(SOON, || family.members().iter().any(named)));
        Consent::Yes
    });
    std::fs::remove_dir_all(&directory).unwrap();
    assert_outcome(&report, Outcome::Refused);
    assert_says(&report, "tail (pid ");
    assert_untouched(&report);
    let members = family.members();
    assert_eq!(members.len(), 4);
    let stands = |pid: u32| procfs::state(pid) == Some('T');
    assert!(wait_until(SOON, || members.iter().all(|&pid| !stands(pid))));
}

#[test]
fn a_port_s_holder_ends_with_its_tree() {
    let actor = orphan(&["inherit", "--keep-parent"]);
    let report = tree(KILL).on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert!(binds(actor.port()));
}

#[test]
fn a_tree_is_frozen_whole_and_goes_on_whole() {
    let family = Family::of_script(&format!("({RESPAWNS}) & {RESPAWNS}"), 4);
    let report = tree(ask(Verb::Freeze)).on(&target(&family));
    assert_outcome(&report, Outcome::Frozen);
    let members = family.members();
    assert!(members.iter().all(|&pid| procfs::state(pid) == Some('T')), "{report:#?}");
    assert_eq!(done_to(&report, "froze").len(), members.len());
    let report = tree(ask(Verb::Thaw)).on(&target(&family));
    assert_outcome(&report, Outcome::Thawed);
    assert!(family.members().iter().all(|&pid| procfs::state(pid) != Some('T')));
}
