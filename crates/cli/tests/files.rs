//! Whole runs of `for`, `orphans` and `stuck`, and of acting on who has a file open.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod live;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use live::{Actor, Public, Ran, ends, lives, orphan, program, run, wait_until};
use proc_core::report::{Outcome, ProcessesReport, ReasonKind};

const SOON: Duration = Duration::from_secs(20);

/// A directory of this test, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path.canonicalize().unwrap())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A shell that does something and waits for the end of its input.
struct Shell(Child);

impl Shell {
    fn doing(directory: &Path, text: &str) -> Self {
        let text = format!("{text}\nread line");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &text]).current_dir(directory).stdin(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run_in(directory: &Path, words: &[&str]) -> Ran {
    Ran::from(program().args(words).current_dir(directory).output().unwrap())
}

#[track_caller]
fn document(ran: &Ran) -> ProcessesReport {
    let report: ProcessesReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report.ok, ran.code == 0, "{ran:?}");
    report
}

/// Runs it until the process has a reason of that kind.
#[track_caller]
fn found(directory: &Path, words: &[&str], pid: u32, kind: ReasonKind) -> Ran {
    let mut last = None;
    let has = |ran: &Ran| {
        let report = document(ran);
        let process = report.processes.iter().find(|process| process.pid == pid);
        process.is_some_and(|process| process.because.iter().any(|reason| reason.kind == kind))
    };
    let known = wait_until(SOON, || {
        let ran = run_in(directory, words);
        let is = has(&ran);
        last = Some(ran);
        is
    });
    assert!(known, "{words:?} does not say {kind:?} of {pid}: {last:?}");
    last.unwrap()
}

#[test]
fn for_names_who_has_a_file_and_how() {
    let scratch = Scratch::new("for");
    let shell = Shell::doing(&scratch.0, "exec 3>>log");
    let log = ["for", "log", "--json"];
    let ran = found(&scratch.0, &log, shell.pid(), ReasonKind::Descriptor);
    let report = document(&ran);
    assert_eq!((report.processes.len(), report.matched), (1, 1), "{report:#?}");
    let because = &report.processes[0].because;
    assert_eq!((because.len(), because[0].fd), (1, Some(3)), "{because:?}");
    let told = run_in(&scratch.0, &["for", "log"]);
    assert!(told.out.contains("\n    has it open to write (descriptor 3)\n"), "{told:?}");
    assert_eq!(run_in(&scratch.0, &["for", "--pids", "log"]).out, format!("{}\n", shell.pid()));
    let quiet = run_in(&scratch.0, &["for", "--quiet", "log"]);
    assert_eq!((quiet.code, quiet.out.as_str()), (0, ""));
    let csv = run_in(&scratch.0, &["for", "log", "--csv", "--columns", "pid,because"]);
    let row = format!("{},has it open to write (descriptor 3)", shell.pid());
    assert!(csv.out.lines().any(|line| line == row), "{csv:?}");
    let filtered = run_in(&scratch.0, &["for", "log", "--by", "no-such-program"]);
    assert_eq!(filtered.code, 1, "{filtered:?}");
}

#[test]
fn for_a_path_that_nobody_uses_says_what_it_is() {
    let scratch = Scratch::new("nobody");
    fs::write(scratch.0.join("log"), "").unwrap();
    let unused = run_in(&scratch.0, &["for", "log"]);
    assert_eq!(unused.code, 1);
    let want = format!("no process runs {}/log or has it open\n", scratch.0.display());
    assert!(unused.out.starts_with(&want), "{unused:?}");
    let missing = run_in(&scratch.0, &["for", "no"]);
    assert_eq!(missing.code, 1);
    assert!(missing.out.starts_with("there is no "), "{missing:?}");
    for (words, want) in [
        (&["for", ""][..], "a file is empty"),
        (&["for"], "`proc for` needs a file; for example `proc for ./server`"),
        (&["for", "log", "--min-mem", "lots"], "is not an amount of memory"),
        (&["for", "log", "--window", "1s"], "--window is for how long"),
        (&["stuck", "--window", "1ms"], "is too short"),
        (&["orphans", "--in", "no"], "there is no no"),
    ] {
        let wrong = run_in(&scratch.0, words);
        assert_eq!(wrong.code, 2, "{wrong:?}");
        assert!(wrong.err.contains(want) && wrong.out.is_empty(), "{wrong:?}");
    }
}

/// As root: what an ordinary user may not see is said, and what is closed to it is "not permitted".
#[test]
fn an_ordinary_user_is_told_what_it_does_not_see() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("another user's processes need root");
    }
    let scratch = Scratch::new("hidden");
    let shell = Shell::doing(&scratch.0, "exec 3>>log");
    found(&scratch.0, &["for", "log", "--json"], shell.pid(), ReasonKind::Descriptor);
    let public = Public::new("files");
    let file = scratch.0.join("log");
    let ran = public.run(&format!("for {} --json", file.display()));
    let report = document(&ran);
    assert_eq!((ran.code, report.processes.len()), (1, 0), "{ran:?}");
    assert!(report.gaps.iter().any(|gap| gap.what.contains("could not be read")), "{ran:?}");
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o700)).unwrap();
    let closed = public.run(&format!("for {}", file.display()));
    assert_eq!(closed.code, 3, "{closed:?}");
    assert!(closed.err.contains("a directory on the way is closed to you"), "{closed:?}");
    let theirs = public.run("stuck --json --window 50ms");
    assert!([0, 1].contains(&theirs.code), "{theirs:?}");
}

#[test]
fn a_path_as_target_means_who_runs_it_and_who_has_it_open_and_no_editor() {
    let scratch = Scratch::new("target");
    let script = scratch.0.join("serve");
    fs::write(&script, "#!/bin/sh\nread line\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let holder = Shell::doing(&scratch.0, "exec 3<serve");
    let mut runner = None;
    // The script may still be open for writing in a child that another test is forking.
    assert!(wait_until(SOON, || {
        runner = Command::new(&script).stdin(Stdio::piped()).spawn().ok();
        runner.is_some()
    }));
    let runner = Shell(runner.unwrap());
    let bystander = Shell::doing(&scratch.0, ": serve");
    let here = &scratch.0;
    found(here, &["for", "serve", "--json"], holder.pid(), ReasonKind::Descriptor);
    found(here, &["for", "serve", "--json"], runner.pid(), ReasonKind::Script);
    let looked = run_in(here, &["on", "./serve"]);
    assert!(looked.out.contains("has it open to read (descriptor 3)"), "{looked:?}");
    assert!(looked.out.contains("runs it as a script"), "{looked:?}");
    let planned = run_in(here, &["stop", "--dry-run", "./serve"]);
    for pid in [holder.pid(), runner.pid()] {
        assert!(planned.out.contains(&pid.to_string()), "{planned:?}");
    }
    let target = script.to_str().unwrap();
    let stopped = run(&format!("stop --yes --json {target}"));
    stopped.ended(0, Outcome::Freed);
    assert!(ends(holder.pid()) && ends(runner.pid()));
    assert!(lives(bystander.pid()));
}

#[test]
fn orphans_are_listed_with_their_signs() {
    let group = fs::read("/proc/self/cgroup").unwrap();
    let group = proc_core::decode::procfs::cgroup(&group).unwrap_or_default();
    if proc_core::supervisor::unit_of(&group).is_some() {
        return proc_testkit::skip("what a service runs is no orphan, and this is one");
    }
    let actor = orphan(&["listen"]);
    let here = Path::new("/");
    let ran = found(here, &["orphans", "--json"], actor.pid(), ReasonKind::ParentEnded);
    assert_eq!(ran.code, 0);
    let child = Actor::spawn(&["listen"]);
    let pids = run("orphans --pids").out;
    assert!(pids.lines().any(|pid| pid == actor.pid().to_string()), "{pids}");
    assert!(!pids.lines().any(|pid| pid == child.pid().to_string()), "{pids}");
}

#[test]
fn stuck_states_its_window_and_evidence() {
    let actor = Actor::spawn(&["stopped"]);
    let words = ["stuck", "--json", "--window", "100ms"];
    let ran = found(Path::new("/"), &words, actor.pid(), ReasonKind::Stopped);
    let report = document(&ran);
    assert!(report.window_ms.unwrap() >= 100, "{report:?}");
    let none = run("stuck --window 50ms --by no-such-program");
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.out.starts_with("none of those processes is stuck: within "), "{none:?}");
}
