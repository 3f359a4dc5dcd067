//! `proc doctor` as a whole run: what it says of this kernel, by exit code and document, and that it
//! leaves nothing behind.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod live;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use live::{Public, Ran, in_world, lives, procfs, program, run};
use proc_core::report::{CheckGroup, CheckStatus, DoctorReport};

#[track_caller]
fn document(ran: &Ran) -> DoctorReport {
    assert_eq!(ran.err, "", "{ran:?}");
    let report: DoctorReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report.ok, ran.code == 0, "{ran:?}");
    report
}

fn status(report: &DoctorReport, id: &str) -> Option<CheckStatus> {
    report.checks.iter().find(|check| check.id == id)?.status
}

/// A directory for temporary files that nobody else uses.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).unwrap().next().is_none()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn everything_of_our_own_is_found_and_acted_on_and_nothing_is_left() {
    let folder = Folder::new("doctor");
    let ran =
        Ran::from(program().args(["doctor", "--json"]).env("TMPDIR", &folder.0).output().unwrap());
    let report = document(&ran);
    assert_eq!(ran.code, 0, "{report:#?}");
    for check in &report.checks {
        let must_work = matches!(check.group, CheckGroup::Sockets | CheckGroup::Acting);
        let status = check.status.unwrap();
        let fine = status == CheckStatus::Works
            || (check.id.contains('6') && status == CheckStatus::Absent);
        assert!(!must_work || fine, "{check:?}");
        assert_ne!(status, CheckStatus::Fails, "{check:?}");
    }
    let listed = document(&run("doctor --list --json"));
    let ids = |report: &DoctorReport| -> BTreeSet<String> {
        report.checks.iter().map(|check| check.id.clone()).collect()
    };
    assert_eq!(ids(&report), ids(&listed), "every check of the list was made");
    let patient = &report.checks[0];
    assert_eq!(patient.id, "patient");
    let pid: u32 = patient.explain.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(!lives(pid) || procfs::state(pid).is_none(), "{patient:?}");
    assert!(folder.is_empty(), "{:?}", folder.0);
}

#[test]
fn a_person_reads_the_same() {
    let ran = run("doctor");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    for words in
        ["works   tcp4-listener ", "What you see of others", "answers can be trusted here: "]
    {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
    let list = run("doctor --list");
    assert_eq!(list.code, 0);
    assert!(
        list.out.contains("  tcp4-listener     a TCP listener on 127.0.0.1 is found"),
        "{list:?}"
    );
    assert!(!list.out.contains("works"), "{list:?}");
}

#[test]
fn single_checks_are_questions() {
    let ran = run("doctor tcp4-listener process-end");
    assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{ran:?}");
    let wrong = run("doctor tcp4-listner");
    assert_eq!(wrong.code, 2);
    assert_eq!(wrong.err, "proc: `tcp4-listner` is not a check; did you mean `tcp4-listener`?\n");
    let replay = run("doctor --replay x.json");
    assert_eq!(replay.code, 2);
    assert!(replay.err.contains("a recording is none"), "{replay:?}");
}

/// Without a loopback no connection comes about: that is said, check by check, and is a no.
#[test]
fn a_machine_without_a_loopback_fails() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("it makes namespaces, which needs root");
    }
    let ran =
        in_world("ip link set lo down; $PROC doctor tcp-accepted && exit 9; $PROC doctor --json");
    assert!(ran.out.starts_with("  FAILS   tcp-accepted  none could be opened: "), "{ran:?}");
    let report: DoctorReport = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!((ran.code, report.ok), (1, false), "{ran:?}");
    assert_eq!(status(&report, "tcp4-listener"), Some(CheckStatus::Works), "{report:#?}");
    assert_eq!(status(&report, "tcp-outgoing"), Some(CheckStatus::Fails), "{report:#?}");
}

/// An ordinary user's own sockets are found all the same, what is hidden is counted, and the
/// commands that would change it are named for that very file.
#[test]
fn an_ordinary_user_is_told_what_is_hidden() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("root, to start a process that another user may not see");
    }
    let _hidden = live::Actor::spawn(&["listen"]);
    let public = Public::new("doctor-user");
    let ran = public.run("doctor --json");
    let report = document(&ran);
    assert_eq!(ran.code, 0, "{report:#?}");
    assert_eq!(status(&report, "tcp4-listener"), Some(CheckStatus::Works));
    assert_eq!(status(&report, "own-ports"), Some(CheckStatus::Limited), "{report:#?}");
    let path = public.path();
    let argv: Vec<&str> = report.cures.last().unwrap().argv.iter().map(String::as_str).collect();
    assert_eq!(argv[..3], ["sudo", "setcap", "cap_sys_ptrace,cap_dac_read_search+ep"]);
    assert_eq!(Path::new(argv[3]), path);
}

/// The command that is named keeps its word: a copy with those capabilities names other users'
/// processes, and may not end them.
#[test]
fn the_capabilities_that_are_named_show_other_users_processes_and_end_none() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("giving a file capabilities needs root");
    }
    let hidden = live::orphan(&["listen"]);
    let public = Public::new("doctor-setcap");
    let words = format!("on --json tcp:{}", hidden.port());
    assert!(public.run(&words).one().processes.is_empty(), "an ordinary user does not see it");
    let path = public.path();
    let capabilities = "cap_sys_ptrace,cap_dac_read_search+ep";
    let given =
        std::process::Command::new("/usr/sbin/setcap").arg(capabilities).arg(&path).status();
    if !given.is_ok_and(|status| status.success()) {
        return proc_testkit::skip("setcap(8), and a file system that keeps capabilities");
    }
    let seen = public.run(&words).one();
    assert_eq!(seen.processes.first().map(|process| process.pid), Some(hidden.pid()), "{seen:#?}");
    let refused = public.run(&format!("kill --yes --json tcp:{}", hidden.port()));
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(lives(hidden.pid()));
}
