//! How a process stands at one moment: whether it runs, who holds it still, what it would do with a
//! signal. Read of the few processes that are acted on, and never of all.

use crate::process::ProcessState;

/// What a process is doing, and what it does with signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The process that it is a thread of; its own PID where it is no thread (`Tgid` of
    /// proc_pid_status(5)).
    pub leader: u32,
    /// What it is doing.
    pub state: ProcessState,
    /// Who traces it, as a debugger does.
    pub tracer: Option<u32>,
    /// The signals it handles, bit 0 for signal 1.
    pub caught: u64,
    /// The signals it ignores, bit 0 for signal 1.
    pub ignored: u64,
    /// Whether it is in the background of its terminal, where reading from that stops it (SIGTTIN,
    /// setpgid(2)).
    pub in_background: bool,
    /// What holds its control group still, or one above it.
    pub freezer: Option<Freezer>,
    /// By what it gets nowhere, where it was watched for a while ([`crate::stuck`]): a sentence.
    pub stuck: Option<String>,
}

/// A control group that is frozen, as `docker pause` and `systemctl freeze` do it: `cgroup.freeze` of
/// version 2 (cgroups(7)), the `freezer` controller of version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freezer {
    /// The group, by its path in the hierarchy.
    pub group: String,
    /// The file that says so.
    pub file: String,
    /// What to write into that to let it go on.
    pub thaws: &'static str,
}

impl Condition {
    /// Whether it has a handler for that signal.
    pub const fn catches(&self, signal: i32) -> bool {
        is_set(self.caught, signal)
    }

    /// Whether that signal does nothing to it.
    pub const fn ignores(&self, signal: i32) -> bool {
        is_set(self.ignored, signal)
    }

    /// Whether it stands still by a signal, so that SIGCONT moves it.
    pub const fn is_stopped(&self) -> bool {
        matches!(self.state, ProcessState::Stopped)
    }
}

const fn is_set(mask: u64, signal: i32) -> bool {
    signal > 0 && signal <= 64 && mask >> (signal - 1) & 1 == 1
}
