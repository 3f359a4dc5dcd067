//! Programs run with less than this process has: another user, other namespaces, no `/proc`, refused
//! calls. Each limit is one that real machines put on people.

use std::fmt;
use std::process::Command;

use crate::actor_path;

/// Something taken away from a program before it starts. Most need root to set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// A network namespace of its own, with the loopback up.
    OwnNetwork,
    /// The network namespace of that process.
    NetworkOf(u32),
    /// A PID namespace of its own with a `/proc` to match; the program is PID 1 in it.
    OwnPids,
    /// `/proc` mounted with `hidepid=2`: no processes of others (proc(5)).
    HidePid,
    /// Nothing but an empty directory at `/proc`.
    NoProc,
    /// No more open files than this (RLIMIT_NOFILE).
    Files(u32),
    /// Without CAP_SYS_PTRACE, as containers run their root.
    NoPtrace,
    /// That user, with the group of the same number and no others.
    User(u32),
    /// socket(2) refuses AF_NETLINK with EPERM, by a seccomp filter.
    NoNetlink,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnNetwork => f.write_str("own-network"),
            Self::NetworkOf(pid) => write!(f, "network-of={pid}"),
            Self::OwnPids => f.write_str("own-pids"),
            Self::HidePid => f.write_str("hide-pid"),
            Self::NoProc => f.write_str("no-proc"),
            Self::Files(count) => write!(f, "files={count}"),
            Self::NoPtrace => f.write_str("no-ptrace"),
            Self::User(uid) => write!(f, "user={uid}"),
            Self::NoNetlink => f.write_str("no-netlink"),
        }
    }
}

/// The same program, arguments, environment and directory under these limits. The program need not
/// be reachable for the user it runs as: it is opened before.
/// Streams set on `command` are not carried over: set them on the result.
pub fn confined(limits: &[Limit], command: &Command) -> Command {
    let mut limits = limits.to_vec();
    // What needs rights comes before what takes them away.
    limits.sort_unstable();
    let mut wrapped = Command::new(actor_path());
    wrapped.arg("confined").args(limits.iter().map(Limit::to_string));
    wrapped.arg("--").arg(command.get_program()).args(command.get_args());
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
