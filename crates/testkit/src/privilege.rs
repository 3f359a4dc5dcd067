//! Running programs as another user or in a world of their own, and saying when a test cannot run.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::actor_path;

/// True when the effective user is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A user who owns nothing here: 65534, "nobody" on most systems.
pub const fn unprivileged_uid() -> u32 {
    65534
}

/// A command for `program` that gives up every group and becomes `uid` (and the group of that number)
/// before it starts; spawning it fails with EPERM unless this process is root. The program must be
/// reachable for that user.
pub fn run_as(uid: u32, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // The standard library calls setgroups(0) too when root sets another user.
    command.gid(uid).uid(uid);
    command
}

/// The same program, arguments, environment and directory in new PID, network and mount namespaces:
/// only a loopback that is up, only its own processes in `/proc`, and it is not PID 1 itself. Whatever
/// it leaves behind is killed when it ends; it exits with the same code (128 + N for signal N).
/// Needs root. Streams and users set on `command` are not carried over: set them on the result.
pub fn in_namespaces(command: &Command) -> Command {
    let mut wrapped = Command::new(actor_path());
    wrapped.arg("in-namespaces").arg("--").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped
}

/// Says on stderr that a test cannot run here; the test returns after it.
///
/// # Panics
/// As root with `CI=true`: there nothing may be skipped.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[track_caller]
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!(in_ci && is_root()), "nothing may be skipped as root in CI: {reason}");
}
