//! The processes that use a file, as an answer: `proc for FILE`.

use std::collections::BTreeMap;

use crate::explain;
use crate::file_use::{FileKind, FileSeen, FileUse, FileWish, FilesSeen, Standing, Usage};
use crate::filter::SortKey;
use crate::host::Host;
use crate::look::gaps;
use crate::processes::{ProcessesWish, Survey};
use crate::report::{ErrorReport, ProcessesReport, Reason};
use crate::snapshot::{Gap, Scope, SocketScope};
use crate::socket::HeldBy;

/// From so many on, all processes are read rather than those that use a file one by one.
const MANY: usize = 64;

/// The processes among those wished for that use one of these files.
///
/// # Errors
/// A path that cannot be looked up, and a system that cannot tell.
pub fn users(
    host: &dyn Host,
    files: &FileWish,
    wish: &ProcessesWish,
) -> Result<ProcessesReport, ErrorReport> {
    let wants_ports = wish.ports || wish.sort == SortKey::Ports;
    let files = &FileWish { sockets: wants_ports, ..files.clone() };
    let mut seen = host.file_uses(files).ok_or_else(|| ErrorReport {
        kind: "unsupported".to_owned(),
        explain: explain::no_file_uses().to_owned(),
        word: None,
        suggestion: None,
    })?;
    for (file, typed) in seen.files.iter().zip(&files.paths) {
        refuse(file, typed)?;
    }
    add_sockets(host, &mut seen);
    let mut uses: BTreeMap<u32, Vec<(&FileSeen, &FileUse)>> = BTreeMap::new();
    for file in &seen.files {
        for each in &file.uses {
            uses.entry(each.pid).or_default().push((file, each));
        }
    }
    let pids: Vec<u32> = uses.keys().copied().collect();
    // Many are read by several threads, and are most of the machine.
    let mut survey = match pids.len() {
        0..=MANY => Survey::take_of(host, wish, &pids),
        _ => Survey::take(host, wish),
    };
    for gap in &seen.gaps {
        survey.snapshot.note(gap.clone());
    }
    survey.learn_ports(host, &seen.sockets);
    let choice = survey.choose(host, wish, |process| uses.contains_key(&process.id.pid));
    let mut report = survey.report("for", &choice, wish);
    let several = seen.files.len() > 1;
    for process in &mut report.processes {
        let own = uses.get(&process.pid).into_iter().flatten();
        process.because = own.map(|(file, each)| reason(file, each, several)).collect();
    }
    // Who could not be read for ports is among those who could not be read for files.
    keep_largest(&mut survey.snapshot.gaps);
    report.gaps = gaps(&survey.snapshot);
    // A list of whoever has a file leaves nobody out but by its limit.
    report.notes.truncate(usize::from(report.matched > report.processes.len()));
    report.notes.extend(explain::files_in_use(&seen));
    if report.processes.is_empty() {
        report.explain = Some(match uses.is_empty() {
            true => explain::no_file_user(&seen),
            false => explain::no_process(&wish.filter, &survey.snapshot),
        });
    }
    Ok(report)
}

/// Of several counts of processes that could not be read, the largest stays.
fn keep_largest(gaps: &mut Vec<Gap>) {
    let count = |gap: &Gap| match gap {
        Gap::UnreadableProcesses { count } => Some(*count),
        _ => None,
    };
    let most = gaps.iter().filter_map(count).max();
    gaps.retain(|gap| count(gap).is_none() || count(gap) == most);
}

fn refuse(file: &FileSeen, typed: &str) -> Result<(), ErrorReport> {
    let (kind, explain) = match file.standing {
        Standing::There(_) | Standing::Missing => return Ok(()),
        Standing::Denied => ("denied", explain::file_denied(&file.path)),
        Standing::Failed(error) => ("usage", explain::file_failed(typed, error)),
    };
    Err(ErrorReport {
        kind: kind.to_owned(),
        explain,
        word: Some(typed.to_owned()),
        suggestion: None,
    })
}

/// A use as a document has it. Of several files, each is named.
pub(crate) fn reason(file: &FileSeen, each: &FileUse, several: bool) -> Reason {
    let mut reason = Reason::new(each.usage.reason(), explain::file_use(file, each, several));
    reason.path = each.path.clone().or_else(|| several.then(|| file.path.clone()));
    reason.deleted = each.deleted;
    match each.usage {
        Usage::Descriptor { fd, access, locked } => {
            (reason.fd, reason.access, reason.locked) = (Some(fd), access, locked);
        }
        Usage::Socket { fd } => reason.fd = Some(fd),
        Usage::Executable
        | Usage::Script
        | Usage::WorkingDirectory
        | Usage::RootDirectory
        | Usage::Mapped => {}
    }
    reason
}

/// Adds who has the sockets of socket files, which no descriptor's path tells.
fn add_sockets(host: &dyn Host, seen: &mut FilesSeen) {
    let is_socket = |file: &&mut FileSeen| file.standing == Standing::There(FileKind::Socket);
    let mut gaps = Vec::new();
    for file in seen.files.iter_mut().filter(is_socket) {
        let scope = SocketScope::Unix(vec![file.path.clone()]);
        let look = host.snapshot(&Scope { sockets: scope, holders: true, ..Scope::default() });
        let holders = look.sockets.iter().flat_map(|socket| socket.holders.list());
        file.uses.extend(holders.filter_map(|holder| {
            let fd = match holder.by {
                HeldBy::Descriptor(fd) | HeldBy::ThreadDescriptor { fd, .. } => fd,
                HeldBy::IoUring(_)
                | HeldBy::Mapping
                | HeldBy::InFlight(_)
                | HeldBy::FilePort(_)
                | HeldBy::LastUse
                | HeldBy::Owner
                | HeldBy::Heir { .. } => return None,
            };
            let usage = Usage::Socket { fd };
            Some(FileUse { pid: holder.pid, usage, deleted: false, path: None })
        }));
        file.settle();
        gaps.extend(look.gaps);
    }
    gaps.retain(|gap| !seen.gaps.contains(gap));
    seen.gaps.extend(gaps);
}
