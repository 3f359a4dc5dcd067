//! What threads are doing at one moment, and where in the kernel one waits.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, RawDir, openat};
use rustix::path::DecInt;

use super::holders::{self, DIRECTORY};
use super::process::ProcessReader;
use crate::decode::procfs::{self, TICKS_PER_SECOND};
use crate::decode::syscalls;
use crate::process::ProcessState;
use crate::stuck::{Pulse, PulseScope, WaitingPlace};

const PAGE: usize = 4096;
/// Of a process with more threads than that, only the main one is looked at.
const MOST_THREADS: u32 = 1024;
const HERE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Looks at them.
pub(super) fn pulses(of: &PulseScope) -> Option<Vec<Pulse>> {
    let reader = ProcessReader::new().ok()?;
    let proc = reader.directory();
    let (pids, awake) = match of {
        PulseScope::Awake => (holders::pids(proc).ok()?, true),
        PulseScope::Of(pids) => (pids.clone(), false),
    };
    let own = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
    let parts = holders::share_out(
        holders::threads_for(pids.len()),
        &pids,
        |pid, buffer, found: &mut Vec<Pulse>| {
            if pid != own {
                look(proc, pid, awake, buffer, found);
            }
        },
    );
    Some(parts.into_iter().flatten().collect())
}

fn look(
    proc: BorrowedFd<'_>,
    pid: u32,
    awake: bool,
    buffer: &mut [MaybeUninit<u8>],
    found: &mut Vec<Pulse>,
) {
    let Ok(dir) = openat(proc, DecInt::new(pid), HERE, Mode::empty()) else { return };
    let mut page = [0; PAGE];
    let Some(stat) = procfs::stat(read_page(dir.as_fd(), "stat", &mut page)) else { return };
    if stat.kernel_thread {
        return;
    }
    if stat.threads <= 1 || stat.threads > MOST_THREADS {
        found.extend(pulse(dir.as_fd(), pid, &stat, awake));
        return;
    }
    let Ok(tasks) = openat(&dir, c"task", DIRECTORY, Mode::empty()) else { return };
    let mut entries = RawDir::new(&tasks, buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        let Ok(thread) = openat(&tasks, name, HERE, Mode::empty()) else { continue };
        let stat = procfs::stat(read_page(thread.as_fd(), "stat", &mut page));
        found.extend(stat.and_then(|stat| pulse(thread.as_fd(), pid, &stat, awake)));
    }
}

/// What is told of a thread from its own directory; nothing of one that sleeps where only those
/// awake are wanted.
fn pulse(dir: BorrowedFd<'_>, pid: u32, stat: &procfs::Stat, awake: bool) -> Option<Pulse> {
    let state = stat.process_state();
    if awake && matches!(state, ProcessState::Sleeping | ProcessState::LeaderExited) {
        return None;
    }
    let mut page = [0; PAGE];
    let status = procfs::status(read_page(dir, "status", &mut page));
    let time = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND));
    Some(Pulse {
        pid,
        tid: stat.pid,
        start: stat.start,
        state,
        own: time(stat.cpu_ticks.saturating_sub(stat.kernel_ticks)),
        kernel: time(stat.kernel_ticks),
        faults: stat.faults,
        waits: status.waits,
        tracer: status.tracer,
    })
}

/// Reads where it waits. The file of a system call is named by its link, which is only read.
pub(super) fn waiting_place(pid: u32, tid: u32) -> Option<WaitingPlace> {
    let reader = ProcessReader::new().ok()?;
    let path = format!("{pid}/task/{tid}");
    let dir = openat(reader.directory(), path, HERE, Mode::empty()).ok()?;
    let mut page = [0; PAGE];
    let function = String::from_utf8_lossy(read_page(dir.as_fd(), "wchan", &mut page)).into_owned();
    let call = procfs::system_call(read_page(dir.as_fd(), "syscall", &mut page));
    let of_file = call.filter(|call| syscalls::is_about_descriptor(call.number));
    let file = of_file.and_then(|call| {
        let link = format!("fd/{}", call.first_argument);
        let path = rustix::fs::readlinkat(&dir, link, Vec::new()).ok()?;
        Some(path.to_string_lossy().into_owned())
    });
    Some(WaitingPlace {
        // `0` is all that this user may know (proc_pid_wchan(5)).
        function: Some(function).filter(|name| !name.is_empty() && name != "0"),
        call: call.and_then(|call| syscalls::name(call.number)),
        file: file.filter(|path| path.starts_with('/')),
    })
}

/// The first page of a file; empty where it cannot be read.
fn read_page<'p>(dir: BorrowedFd<'_>, path: &str, page: &'p mut [u8; PAGE]) -> &'p [u8] {
    let file = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let read = |file: OwnedFd| {
        rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut page[..])).unwrap_or(0)
    };
    let length = file.map_or(0, read);
    &page[..length]
}
