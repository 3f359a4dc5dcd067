//! Whether what took a port is a newcomer, the old program again, or another: pure, from the facts
//! of the two processes and the time between.

use std::time::Duration;

use crate::process::{Process, ProcessId};
use crate::report::ProcessReport;

/// For how long after a port was let go the next holder is told as its successor.
pub(super) const WINDOW: Duration = Duration::from_secs(5);

/// A process that has or had a port, as much of it as is told and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tenant {
    pub(super) id: ProcessId,
    pub(super) parent: u32,
    /// As it is shown.
    pub(super) report: ProcessReport,
    /// The arguments as they are, secrets and all: never shown.
    pub(super) argv: Vec<String>,
}

impl Tenant {
    pub(super) fn new(process: &Process, report: ProcessReport) -> Self {
        Self { id: process.id, parent: process.ppid, report, argv: process.argv.clone() }
    }
}

/// What an opening is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody had the port lately, or the same process has it again.
    Opened,
    /// The same program, in a new process.
    Restarted,
    /// Another program.
    ChangedHands,
}

/// Judges who took a port, given who let go of it and how long ago.
pub(super) fn judge(before: &Tenant, since: Duration, now: &Tenant) -> Verdict {
    if before.id == now.id || since > WINDOW {
        return Verdict::Opened;
    }
    let (old, new) = (&before.report, &now.report);
    let same_file = match (&old.exe, &new.exe) {
        (Some(old), Some(new)) => old == new,
        _ => old.name == new.name,
    };
    // PID 1 is everybody's parent in the end.
    let same_parent = before.parent == now.parent && now.parent > 1;
    // A worker takes over from its master, or the master from it.
    let related = before.id.pid == now.parent || now.id.pid == before.parent;
    match same_file && (before.argv == now.argv || same_parent || related) {
        true => Verdict::Restarted,
        false => Verdict::ChangedHands,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::process::ProcessState;

    /// `pid parent exe argument…`
    pub(in super::super) fn tenant(words: &str) -> Tenant {
        let mut words = words.split(' ');
        let mut number = || words.next().unwrap().parse().unwrap();
        let (pid, parent) = (number(), number());
        let argv: Vec<String> = words.map(str::to_owned).collect();
        Tenant {
            id: ProcessId { pid, start: u64::from(pid) },
            parent,
            report: ProcessReport {
                pid,
                ppid: parent,
                started_at: None,
                age_ms: None,
                name: argv[0].clone(),
                exe: Some(format!("/usr/bin/{}", argv[0])),
                exe_deleted: false,
                argv: argv.clone(),
                cwd: None,
                user: None,
                uid: None,
                state: ProcessState::Sleeping,
                terminal: None,
                session: None,
                container: None,
                unit: None,
                supervisor: None,
                nature: None,
                origin: None,
                started_by: None,
                ancestors: Vec::new(),
                ports: None,
                cpu_percent: None,
                cpu_ms: None,
                memory_bytes: None,
                threads: None,
                because: Vec::new(),
                depth: None,
                context: false,
                details: None,
            },
            argv,
        }
    }

    #[test]
    fn who_took_it() {
        use Verdict::{ChangedHands, Opened, Restarted};
        let soon = Duration::from_millis(168);
        for (before, since, now, want) in [
            ("10 5 node a.js", soon, "10 5 node a.js", Opened),
            ("10 5 node a.js", soon, "11 5 node a.js", Restarted),
            // Started again from elsewhere.
            ("10 5 node a.js", soon, "11 6 node a.js", Restarted),
            // The supervisor passes another argument to each.
            ("10 5 node a.js 1", soon, "11 5 node a.js 2", Restarted),
            ("10 5 node a.js", soon, "11 6 node b.js", ChangedHands),
            // Orphans have the same parent and nothing else in common.
            ("10 1 node a.js", soon, "11 1 node b.js", ChangedHands),
            ("10 5 node a.js", soon, "11 5 python3 b.py", ChangedHands),
            ("10 5 nginx", soon, "11 10 nginx worker", Restarted),
            ("10 5 node a.js", WINDOW + soon, "11 5 node a.js", Opened),
            ("10 5 node a.js", WINDOW, "11 5 node a.js", Restarted),
        ] {
            assert_eq!(judge(&tenant(before), since, &tenant(now)), want, "{before} -> {now}");
        }
    }

    #[test]
    fn without_executables_names_decide() {
        let soon = Duration::from_millis(5);
        let mut old = tenant("10 5 node a.js");
        old.report.exe = None;
        assert_eq!(judge(&old, soon, &tenant("11 5 node a.js")), Verdict::Restarted);
        old.report.name = "other".to_owned();
        assert_eq!(judge(&old, soon, &tenant("11 5 node a.js")), Verdict::ChangedHands);
    }
}
