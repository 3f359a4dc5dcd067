//! Sentences about processes that get nowhere and that were left behind.

use std::time::Duration;

use super::{count, stopwatch};
use crate::filter::ProcessFilter;
use crate::orphans::{OrphanSign, Standing};
use crate::process::{Process, ProcessState};
use crate::report::{Reason, ReasonKind};
use crate::snapshot::Snapshot;
use crate::stuck::{Evidence, WaitingPlace};
use crate::supervisor::is_interactive_shell;

/// What shows that a process gets nowhere.
pub fn stuck(
    process: &Process,
    evidence: &Evidence,
    place: &WaitingPlace,
    snapshot: &Snapshot,
    window: Duration,
) -> Reason {
    let time = stopwatch(window);
    let other = |tid: u32| Some(tid).filter(|&tid| tid != process.id.pid);
    let subject = |tid: u32| other(tid).map_or("it".to_owned(), |tid| format!("its thread {tid}"));
    let mut reason = match evidence {
        Evidence::Deaf { tid } => {
            let text = format!(
                "{} waited for all of {time}, deaf to signals (state D){}",
                subject(*tid),
                waits_for(place)
            );
            let mut reason = Reason::new(ReasonKind::Uninterruptible, text);
            reason.thread = other(*tid);
            reason
        }
        Evidence::Stopped => stopped(process, snapshot),
        Evidence::Traced { by } => {
            let who = by.map_or("its debugger".to_owned(), |pid| named(pid, snapshot));
            let text = format!("it is stopped by {who}, which debugs it");
            Reason { pid: *by, ..Reason::new(ReasonKind::Traced, text) }
        }
        Evidence::Frozen { group } => {
            let text = format!("its control group is frozen: {group}");
            Reason { path: Some(group.clone()), ..Reason::new(ReasonKind::Frozen, text) }
        }
        Evidence::Uncollected => uncollected(process, snapshot),
        Evidence::Spinning { tid, share } => {
            let text = format!(
                "{} used {share} % of a processor for {time} without once waiting or touching new memory: an endless loop, or a long computation",
                subject(*tid)
            );
            let mut reason = Reason::new(ReasonKind::Spinning, text);
            reason.thread = other(*tid);
            reason
        }
        Evidence::NotAccepting { local, backlog, idle } => {
            let wait = match backlog.waiting {
                1 => "1 connection waits".to_owned(),
                many => format!("{many} connections wait"),
            };
            let full = match backlog.waiting >= backlog.limit {
                true => format!(", where {} may", backlog.limit),
                false => String::new(),
            };
            let works = match idle {
                true => format!("it did nothing for {time}"),
                false => format!("they did not get fewer within {time}"),
            };
            let text = format!("{wait} to be accepted on {local}{full}, and {works}");
            Reason { path: Some(local.clone()), ..Reason::new(ReasonKind::NotAccepting, text) }
        }
    };
    reason.certain = evidence.is_certain();
    reason
}

fn named(pid: u32, snapshot: &Snapshot) -> String {
    match snapshot.processes.get(&pid) {
        Some(process) => format!("{} (pid {pid})", process.program()),
        None => format!("pid {pid}"),
    }
}

fn stopped(process: &Process, snapshot: &Snapshot) -> Reason {
    let parent = snapshot.processes.get(&process.ppid);
    let shell = parent.filter(|parent| is_interactive_shell(parent));
    let thaw = format!("`proc thaw pid:{}`", process.id.pid);
    let text = match (shell, &process.terminal) {
        (Some(shell), Some(terminal)) => format!(
            "it is stopped, as by Ctrl-Z: a job of {} in {terminal}, where `fg` continues it",
            named(shell.id.pid, snapshot)
        ),
        (_, Some(terminal)) => {
            format!("it is stopped by a signal, with the terminal {terminal}; {thaw} continues it")
        }
        _ => format!("it is stopped by a signal; {thaw} continues it"),
    };
    Reason { pid: shell.map(|shell| shell.id.pid), ..Reason::new(ReasonKind::Stopped, text) }
}

fn uncollected(process: &Process, snapshot: &Snapshot) -> Reason {
    let parent = snapshot.processes.get(&process.ppid);
    let halted = match parent.map(|parent| parent.state) {
        Some(ProcessState::Stopped) => ", which is stopped itself",
        Some(ProcessState::Traced) => ", which its debugger has stopped",
        Some(ProcessState::Uninterruptible) => ", which is deaf to signals itself",
        _ => "",
    };
    let text = format!(
        "it has ended and {} does not collect it{halted}; it goes when that ends",
        named(process.ppid, snapshot)
    );
    Reason { pid: Some(process.ppid), ..Reason::new(ReasonKind::Uncollected, text) }
}

/// What a thread in state D waits for, so far as the kernel's own names tell.
fn waits_for(place: &WaitingPlace) -> String {
    /// Parts of the kernel's functions, and what they wait for.
    const WORDS: [(&str, &str); 24] = [
        ("vfork", "the child it started to begin its program"),
        ("nfs", "a file server (NFS)"),
        ("rpc_", "a file server (NFS)"),
        ("cifs", "a file server (SMB)"),
        ("smb", "a file server (SMB)"),
        ("ceph", "a file server (Ceph)"),
        ("p9_", "a file server (9P)"),
        ("fuse", "the program behind a FUSE file system"),
        ("request_wait_answer", "the program behind a FUSE file system"),
        ("autofs", "a directory that is mounted on demand"),
        ("refrigerator", "its frozen control group to be thawed"),
        ("freezer", "its frozen control group to be thawed"),
        ("freeze_super", "a frozen file system"),
        ("sb_start_write", "a frozen file system"),
        ("jbd2", "a disk"),
        ("ext4", "a disk"),
        ("xfs", "a disk"),
        ("btrfs", "a disk"),
        ("blk", "a disk"),
        ("io_schedule", "a disk"),
        ("folio_wait", "a page of a file from its disk or server"),
        ("wait_on_page", "a page of a file from its disk or server"),
        ("rwsem", "a lock inside the kernel"),
        ("mutex", "a lock inside the kernel"),
    ];
    let function = place.function.as_deref();
    let vfork = place.call == Some("vfork");
    let meaning = match function {
        _ if vfork => Some(WORDS[0].1),
        Some(name) => {
            WORDS.iter().find(|(part, _)| name.contains(part)).map(|(_, meaning)| *meaning)
        }
        None => None,
    };
    let mut text = meaning.map_or(String::new(), |meaning| format!(", for {meaning}"));
    let mut place_words = Vec::new();
    place_words.extend(place.call.map(|call| match &place.file {
        Some(file) => format!("{call} of {file}"),
        None => call.to_owned(),
    }));
    place_words.extend(function.map(str::to_owned));
    if !place_words.is_empty() {
        text.push_str(&format!(" (in {})", place_words.join(", ")));
    }
    text
}

/// That nothing shows a process to get nowhere.
pub fn nothing_stuck(filter: &ProcessFilter, window: Duration) -> String {
    let whom = if filter.is_empty() { "no process" } else { "none of those processes" };
    format!(
        "{whom} is stuck: within {} none was stopped, deaf to signals, uncollected, computing without a pause, or leaving connections unaccepted",
        stopwatch(window)
    )
}

/// That this machine cannot be looked at twice.
pub const fn no_pulses() -> &'static str {
    "what gets nowhere shows only in two looks at a running machine, which a recording is not and this system does not offer"
}

/// What shows that a process was left behind.
pub fn orphan(standing: Standing, sign: &OrphanSign, snapshot: &Snapshot) -> Reason {
    let mut reason = match sign {
        OrphanSign::Inherited { by } => {
            let heir = match by {
                1 => "the first process".to_owned(),
                pid => named(*pid, snapshot),
            };
            let text = match standing {
                Standing::Left => format!("its parent ended, and {heir} has inherited it"),
                Standing::Perhaps => format!(
                    "it has nobody above it but {heir}: its parent ended, or it was started to run by itself"
                ),
                Standing::Daemon => format!("it has nobody above it but {heir}, as a daemon has"),
            };
            let certain = standing != Standing::Perhaps;
            Reason { pid: Some(*by), certain, ..Reason::new(ReasonKind::ParentEnded, text) }
        }
        OrphanSign::ParentGone => {
            let (certain, text) = match standing {
                Standing::Left => (true, "its parent has ended"),
                Standing::Perhaps => {
                    (false, "its parent has ended, or started it to run by itself")
                }
                Standing::Daemon => (true, "its parent has ended, as that of many a program has"),
            };
            Reason { certain, ..Reason::new(ReasonKind::ParentEnded, text.to_owned()) }
        }
        OrphanSign::LeaderEnded { leader } => {
            let text = format!("the first process of its session (pid {leader}) has ended");
            Reason { pid: Some(*leader), ..Reason::new(ReasonKind::SessionEnded, text) }
        }
        OrphanSign::TerminalGone { terminal } => {
            let text = format!("its terminal {terminal} is gone");
            Reason { path: Some(terminal.clone()), ..Reason::new(ReasonKind::TerminalGone, text) }
        }
        OrphanSign::DirectoryGone => {
            Reason::new(ReasonKind::DirectoryGone, "its directory was removed".to_owned())
        }
        OrphanSign::ExecutableGone => Reason::new(
            ReasonKind::ExecutableGone,
            "its program's file was removed or replaced".to_owned(),
        ),
    };
    reason.deleted = matches!(sign, OrphanSign::DirectoryGone | OrphanSign::ExecutableGone);
    reason
}

/// That nobody was left behind.
pub fn no_orphan(filter: &ProcessFilter, daemons: usize) -> String {
    let whom = if filter.is_empty() { "no process" } else { "none of those processes" };
    let mut text = format!("{whom} was left behind by whoever started it");
    if daemons > 0 {
        text.push_str(&format!(
            "; {} nobody above by design: --all shows them",
            count(daemons, "daemon has", "daemons have")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::process::Percent;
    use crate::socket::Backlog;
    use crate::supervisor::tests::process;

    fn said(evidence: &Evidence, place: &WaitingPlace) -> String {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        let mut shell = process(5, 1, "/bin/bash", &["-bash"]);
        shell.terminal = Some("pts/3".to_owned());
        snapshot.processes.insert(5, shell);
        let mut job = process(10, 5, "/usr/bin/node", &["node", "a.js"]);
        job.terminal = Some("pts/3".to_owned());
        stuck(&job, evidence, place, &snapshot, Duration::from_millis(300)).explain
    }

    #[test]
    fn sentences() {
        let nowhere = WaitingPlace::default();
        let nfs = WaitingPlace {
            function: Some("nfs_wait_bit_killable".to_owned()),
            call: Some("read"),
            file: Some("/mnt/nfs/a".to_owned()),
        };
        let vfork = WaitingPlace { call: Some("vfork"), ..WaitingPlace::default() };
        let full = Backlog { waiting: 129, limit: 128 };
        let one = Backlog { waiting: 1, limit: 128 };
        let local = || "tcp:127.0.0.1:3000".to_owned();
        for (evidence, place, want) in [
            (
                Evidence::Deaf { tid: 10 },
                &nowhere,
                "it waited for all of 300 ms, deaf to signals (state D)",
            ),
            (
                Evidence::Deaf { tid: 12 },
                &nfs,
                "its thread 12 waited for all of 300 ms, deaf to signals (state D), for a file server (NFS) (in read of /mnt/nfs/a, nfs_wait_bit_killable)",
            ),
            (
                Evidence::Deaf { tid: 10 },
                &vfork,
                "it waited for all of 300 ms, deaf to signals (state D), for the child it started to begin its program (in vfork)",
            ),
            (
                Evidence::Stopped,
                &nowhere,
                "it is stopped, as by Ctrl-Z: a job of bash (pid 5) in pts/3, where `fg` continues it",
            ),
            (
                Evidence::Traced { by: Some(99) },
                &nowhere,
                "it is stopped by pid 99, which debugs it",
            ),
            (
                Evidence::Uncollected,
                &nowhere,
                "it has ended and bash (pid 5) does not collect it; it goes when that ends",
            ),
            (
                Evidence::Spinning { tid: 10, share: Percent::from_tenths(980) },
                &nowhere,
                "it used 98 % of a processor for 300 ms without once waiting or touching new memory: an endless loop, or a long computation",
            ),
            (
                Evidence::NotAccepting { local: local(), backlog: full, idle: true },
                &nowhere,
                "129 connections wait to be accepted on tcp:127.0.0.1:3000, where 128 may, and it did nothing for 300 ms",
            ),
            (
                Evidence::NotAccepting { local: local(), backlog: one, idle: true },
                &nowhere,
                "1 connection waits to be accepted on tcp:127.0.0.1:3000, and it did nothing for 300 ms",
            ),
        ] {
            assert_eq!(said(&evidence, place), want);
        }
    }
}
