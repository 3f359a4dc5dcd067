//! What whole runs of the program share: starting it, reading its documents back, actors.

#![allow(dead_code, unused_imports, reason = "each of the tests that include it uses its own part")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use proc_core::report::{Outcome, PortsReport, Report, TargetReport};
pub use proc_testkit::{
    Actor, Signal, actor_path, free_port, in_namespaces, procfs, run_as, unprivileged_uid,
    wait_until,
};

/// The program just built, or the one that PROC_BIN named when these tests were, such as a static build.
pub const PROC: &str = match option_env!("PROC_BIN") {
    Some(other) => other,
    None => env!("CARGO_BIN_EXE_proc"),
};

/// Ample on a machine that is busy with other things; nothing passes by waiting so long.
pub const SOON: Duration = Duration::from_secs(20);

/// The program without a terminal, colours or the caller's settings.
pub fn program() -> Command {
    plain(Command::new(PROC))
}

fn plain(mut command: Command) -> Command {
    command.env_clear().env("LANG", "C.UTF-8").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

/// A copy of the program that every user can reach.
pub struct Public(PathBuf);

impl Public {
    pub fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("proc-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(PROC, directory.join("proc")).unwrap();
        Self(directory)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.join("proc")
    }

    /// The program as an ordinary user.
    pub fn run(&self, words: &str) -> Ran {
        let path = self.path();
        // The copy may still be open for writing in a child that another test is forking.
        let mut output = None;
        assert!(wait_until(SOON, || {
            let mut command = plain(run_as(unprivileged_uid(), &path));
            output = command.args(words.split_whitespace()).current_dir("/").output().ok();
            output.is_some()
        }));
        Ran::from(output.unwrap())
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The document, which no word of the program may be missing from.
    #[track_caller]
    pub fn report(&self) -> Report {
        assert_eq!(self.err, "", "{self:?}");
        assert_eq!(self.out.lines().count(), 1, "one document: {self:?}");
        let report: Report = serde_json::from_str(&self.out).unwrap();
        assert_eq!(report.ok, self.code == 0, "{self:?}");
        report
    }

    #[track_caller]
    pub fn one(&self) -> TargetReport {
        let mut report = self.report();
        assert_eq!(report.targets.len(), 1, "{self:?}");
        report.targets.remove(0)
    }

    #[track_caller]
    pub fn ports(&self) -> PortsReport {
        let report: PortsReport = serde_json::from_str(&self.out).unwrap();
        assert_eq!(report.ok, self.code == 0, "{self:?}");
        report
    }

    /// The exit code, and the outcome in the document.
    #[track_caller]
    pub fn ended(&self, code: i32, outcome: Outcome) -> TargetReport {
        let report = self.one();
        assert_eq!((self.code, report.outcome), (code, Some(outcome)), "{report:#?}");
        report
    }
}

/// Runs the program with these words.
pub fn run(words: &str) -> Ran {
    Ran::from(program().args(words.split_whitespace()).output().unwrap())
}

/// An actor whose parent is gone, so that nobody could start it again.
#[track_caller]
pub fn orphan(args: &[&str]) -> Actor {
    Actor::spawn(&[&["--orphan"], args].concat())
}

pub fn lives(pid: u32) -> bool {
    !matches!(procfs::state(pid), None | Some('Z' | 'X'))
}

pub fn ends(pid: u32) -> bool {
    wait_until(SOON, || !lives(pid))
}

/// Runs a shell script with `$PROC` and `$ACTOR` in namespaces of its own, where every port and
/// process is the script's.
pub fn in_world(script: &str) -> Ran {
    let mut command = Command::new("/bin/sh");
    command.arg("-ec").arg(script);
    command.env("PROC", PROC).env("ACTOR", actor_path());
    // What is ended here is nothing for the `undo` of whoever runs the tests.
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    let mut command = in_namespaces(&command);
    Ran::from(command.stdin(Stdio::null()).output().unwrap())
}
