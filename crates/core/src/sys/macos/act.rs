//! The calls that change the world, and those that wait for it: kqueues, signals, commands. Who and
//! what is decided elsewhere.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, connect};
use rustix::process::{Pid, Signal, kill_process};

use super::process::{identity, unique};
use super::{ffi, holders, probe, tables};
use crate::addr::Transport;
use crate::decode::macos::process::Unique;
use crate::host::{ActError, Pinned, Ran, Watch, Woken};
use crate::process::ProcessId;
use crate::socket::{HeldBy, Holder};
use crate::sys::last_words::{LastWords, not_run};

/// A process for good: a queue that hears of its end, opened before its identity was read, and what
/// the kernel names it by.
#[derive(Debug)]
pub(crate) struct Handle {
    queue: OwnedFd,
    unique: Option<Unique>,
}

/// There is no news of sockets here.
#[derive(Debug)]
pub(crate) enum Events {}

/// How long to wait before looking again, as the kernel tells nothing of sockets.
const WITHOUT_EVENTS: Duration = Duration::from_millis(5);

/// Registers for the process's end first and checks its identity after: a number that is given to
/// somebody else has ended before, and the queue has heard of it.
pub(super) fn pin(id: ProcessId) -> Result<Pinned, ActError> {
    let pid = number(id.pid).ok_or(ActError::Gone)?;
    let queue = queue_of(pid).map_err(act_error)?;
    if identity(id.pid) != Some(id) {
        return Err(ActError::Gone);
    }
    let unique = unique(id.pid);
    Ok(Pinned { id, handle: Some(Handle { queue, unique }) })
}

/// A queue that becomes readable when the process has ended. NOTE_EXIT alone asks for no rights
/// (`filt_procattach`, bsd/kern/kern_event.c); ESRCH: it has ended.
fn queue_of(pid: Pid) -> Result<OwnedFd, Errno> {
    let queue = kqueue()?;
    let filter = EventFilter::Proc { pid, flags: ProcessEvents::EXIT };
    let event = Event::new(filter, EventFlags::ADD, std::ptr::null_mut());
    let nothing: &mut [Event] = &mut [];
    // SAFETY: the one event names a process and no descriptor.
    unsafe { kevent(&queue, &[event], nothing, Some(Duration::ZERO)) }?;
    Ok(queue)
}

/// Whether the process still has the socket as it was seen to.
pub(super) fn still_holds(pinned: &Pinned, holder: &Holder, inode: u64) -> bool {
    if exited(pinned) {
        return false;
    }
    match holder.by {
        // What may not be read is asked of the table, as before.
        HeldBy::LastUse => {
            let tables =
                [tables::inet(Transport::Tcp), tables::inet(Transport::Udp), tables::unix()];
            tables
                .into_iter()
                .flatten()
                .flat_map(|seen| seen.rows)
                .any(|row| row.socket.inode == Some(inode) && row.last_pid == Some(pinned.id.pid))
        }
        _ => {
            let wanted = HashSet::from([inode]);
            holders::find(std::iter::once(pinned.id.pid), &wanted).holders.contains_key(&inode)
        }
    }
}

/// Sends a signal to that very run of the process where the system can; else right after its
/// identity was read once more, which leaves a moment of some microseconds.
pub(super) fn signal(pinned: &Pinned, signal: i32) -> Result<(), ActError> {
    let handle = pinned.handle.as_ref().ok_or(ActError::Unsupported)?;
    if exited(pinned) {
        return Err(ActError::Gone);
    }
    let invalid = ActError::Other(Errno::INVAL.raw_os_error());
    let named = Signal::from_named_raw(signal).ok_or(invalid)?;
    // It counts execs too: a program that started another is the same process to us.
    let now = unique(pinned.id.pid);
    if handle.unique.is_some() && now.map(|now| now.id) != handle.unique.map(|was| was.id) {
        return Err(ActError::Gone);
    }
    if let Some(now) = now
        && let Some(answer) = ffi::signal_by_token(pinned.id.pid, now.version, signal)
    {
        return answer.map_err(act_error);
    }
    if identity(pinned.id.pid) != Some(pinned.id) {
        return Err(ActError::Gone);
    }
    kill_process(number(pinned.id.pid).ok_or(ActError::Gone)?, named).map_err(act_error)
}

/// Whether the queue has heard of the end; it keeps what it heard until somebody takes it.
pub(super) fn exited(pinned: &Pinned) -> bool {
    let Some(handle) = &pinned.handle else { return true };
    let mut fds = [PollFd::new(&handle.queue, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1))
}

pub(super) fn wait(
    processes: &[&Pinned],
    watch: &Watch,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
) -> Woken {
    debug_assert!(watch.events.is_none());
    let deadline = Instant::now() + timeout.min(WITHOUT_EVENTS);
    loop {
        let queues = processes.iter().filter_map(|pinned| pinned.handle.as_ref());
        let mut fds: Vec<PollFd<'_>> =
            queues.map(|handle| PollFd::new(&handle.queue, PollFlags::IN)).collect();
        let before_interrupt = fds.len();
        fds.extend(interrupt.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut fds, Some(&until(deadline))) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => return Woken::Timeout,
            Ok(_) => {}
        }
        let interrupted = fds[before_interrupt..].iter().any(|fd| !fd.revents().is_empty());
        return if interrupted { Woken::Interrupted } else { Woken::Event };
    }
}

fn until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    }
}

/// How long a command of ours may take to end once it is asked to.
const PARTING: Duration = Duration::from_millis(500);

/// Runs a command with an end: no input, no output to the terminal; when the time is over or the
/// person wants to stop, it is asked to end (SIGTERM) and soon forced.
pub(super) fn run(argv: &[String], interrupt: Option<BorrowedFd<'_>>, timeout: Duration) -> Ran {
    let Some((program, arguments)) = argv.split_first() else {
        return Ran::failed("no command".into());
    };
    let child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return not_run(program, &error),
    };
    let pid = number(child.id());
    let mut words = [LastWords::of(child.stdout.take()), LastWords::of(child.stderr.take())];
    // A child that nobody has collected keeps its number: this queue cannot be another's. One that
    // has ended already has none.
    if let Some(pid) = pid
        && let Ok(queue) = queue_of(pid)
    {
        let message = match await_command(&queue, interrupt, timeout, &mut words) {
            Woken::Event => None,
            Woken::Interrupted => Some(format!("{program} was interrupted")),
            Woken::Timeout => {
                Some(format!("{program} did not end in {} s", timeout.as_secs_f32().ceil()))
            }
        };
        if let Some(message) = message {
            let _ = kill_process(pid, Signal::TERM);
            await_command(&queue, None, PARTING, &mut words);
            let _ = child.kill();
            let _ = child.wait();
            return Ran::failed(message);
        }
    }
    let success = child.wait().is_ok_and(|status| status.success());
    words.iter_mut().for_each(LastWords::read);
    LastWords::told(words, success)
}

fn await_command(
    queue: &OwnedFd,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
    words: &mut [LastWords],
) -> Woken {
    let deadline = Instant::now() + timeout;
    loop {
        let mut fds = vec![PollFd::new(queue, PollFlags::IN)];
        fds.extend(interrupt.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let before_words = fds.len();
        let pipes = words.iter().filter_map(LastWords::pipe);
        fds.extend(pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        match poll(&mut fds, Some(&until(deadline))) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => return Woken::Timeout,
            Ok(_) if !fds[0].revents().is_empty() => return Woken::Event,
            Ok(_) if fds[1..before_words].iter().any(|fd| !fd.revents().is_empty()) => {
                return Woken::Interrupted;
            }
            Ok(_) if Instant::now() >= deadline => return Woken::Timeout, // it writes and writes
            Ok(_) => {}
        }
        drop(fds);
        words.iter_mut().for_each(LastWords::read);
    }
}

/// Connects to a unix socket's file and hangs up: refused means that nobody serves it. Files of
/// other kinds refuse in other words, so the kind is asked first.
pub(super) fn unix_refuses(path: &str) -> Option<bool> {
    let kind = FileType::from_raw_mode(rustix::fs::stat(path).ok()?.st_mode);
    if kind != FileType::Socket {
        return None;
    }
    let address = rustix::net::SocketAddrUnix::new(path).ok()?;
    let fd = probe::private(AddressFamily::UNIX, SocketType::STREAM).ok()?;
    rustix::io::ioctl_fionbio(fd.as_fd(), true).ok()?;
    match connect(&fd, &address) {
        Err(Errno::CONNREFUSED) => Some(true),
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE) => Some(false),
        Err(_) => None,
    }
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// What an error number means to whoever wanted to act.
fn act_error(error: Errno) -> ActError {
    match error {
        Errno::SRCH | Errno::NOENT => ActError::Gone,
        Errno::PERM | Errno::ACCESS => ActError::Denied,
        Errno::NOSYS | Errno::NOTSUP | Errno::OPNOTSUPP => ActError::Unsupported,
        other => ActError::Other(other.raw_os_error()),
    }
}
