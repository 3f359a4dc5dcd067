//! The calls that change the world, and those that wait for it: pidfds, signals, destroyed
//! sockets. Who and what is decided elsewhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::holders;
use super::process::ProcessReader;
use super::sock_diag::{DestroyEvents, SockDiag};
use crate::host::{ActError, Pinned, Ran, Watch, Woken};
use crate::process::ProcessId;
use crate::socket::{HeldBy, Holder, Socket, TcpState};
use crate::sys::last_words::{LastWords, not_run};

/// A pidfd: it names one process for ever, whatever becomes of the number.
pub(crate) type Handle = OwnedFd;

/// How long to wait before looking again where the kernel gives no events.
const WITHOUT_EVENTS: Duration = Duration::from_millis(5);

/// A stream of destroyed sockets.
#[derive(Debug)]
pub(crate) struct Events(DestroyEvents);

/// Opens the pidfd first and checks the identity after: from then on the number cannot move to
/// another process unseen (pidfd_open(2)).
pub(crate) fn pin(id: ProcessId) -> Result<Pinned, ActError> {
    let pid = i32::try_from(id.pid).ok().and_then(Pid::from_raw).ok_or(ActError::Gone)?;
    let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(act_error)?;
    let reader = ProcessReader::new().map_err(|_| ActError::Unsupported)?;
    if reader.identity(id.pid) != Some(id) {
        return Err(ActError::Gone);
    }
    Ok(Pinned { id, handle: Some(handle) })
}

/// Whether the process still has the socket as it was seen to. The pidfd keeps the number from
/// being used again, so a look under it is a look at the same process.
pub(crate) fn still_holds(pinned: &Pinned, holder: &Holder, inode: u64) -> bool {
    let Ok(reader) = ProcessReader::new() else { return false };
    let proc = reader.directory();
    let pid = pinned.id.pid;
    let found = match holder.by {
        HeldBy::Descriptor(_) => {
            holders::by_descriptor(proc, &[pid], &holders::Wanted::new([inode])).holders
        }
        HeldBy::InFlight(_) => return !exited(pinned),
        // No look on this system says so.
        HeldBy::FilePort(_) | HeldBy::LastUse | HeldBy::Owner | HeldBy::Heir { .. } => {
            return false;
        }
        HeldBy::ThreadDescriptor { .. } | HeldBy::IoUring(_) | HeldBy::Mapping => {
            let wanted = holders::Wanted::new([inode]);
            holders::by_other_means(proc, &[pid], &wanted, &Default::default()).0.holders
        }
    };
    found.contains_key(&inode) && !exited(pinned)
}

pub(crate) fn signal(pinned: &Pinned, number: i32) -> Result<(), ActError> {
    let handle = pinned.handle.as_ref().ok_or(ActError::Unsupported)?;
    let invalid = ActError::Other(Errno::INVAL.raw_os_error());
    let signal = match number {
        // SAFETY: rustix keeps realtime signals for a C library's own use inside of this process
        // (signal-safety(7)); it is handled in another, whose C library has the same numbers.
        34..=64 => unsafe { Signal::from_raw_unchecked(number) },
        _ => Signal::from_named_raw(number).ok_or(invalid)?,
    };
    pidfd_send_signal(handle, signal).map_err(act_error)
}

/// A pidfd becomes readable when its process has ended (all its threads; pidfd_open(2)).
pub(crate) fn exited(pinned: &Pinned) -> bool {
    let Some(handle) = &pinned.handle else { return true };
    let mut fds = [PollFd::new(handle, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1))
}

pub(crate) fn watch(cookies: &[u64]) -> Watch {
    let mut cookies = cookies.to_vec();
    cookies.sort_unstable();
    Watch::new(DestroyEvents::open().ok().map(Events), cookies)
}

pub(crate) fn wait(
    processes: &[&Pinned],
    watch: &mut Watch,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
) -> Woken {
    let deadline = Instant::now() + timeout;
    let blind = watch.events.is_none();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = if blind { left.min(WITHOUT_EVENTS) } else { left };
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(processes.len() + 2);
        let ended = processes.iter().filter_map(|pinned| pinned.handle.as_ref());
        fds.extend(ended.map(|handle| PollFd::new(handle, PollFlags::IN)));
        let before_events = fds.len();
        if let Some(Events(events)) = watch.events.as_ref().filter(|_| !watch.gathers) {
            fds.push(PollFd::from_borrowed_fd(events.as_fd(), PollFlags::IN));
        }
        let before_interrupt = fds.len();
        if let Some(interrupt) = interrupt {
            fds.push(PollFd::from_borrowed_fd(interrupt, PollFlags::IN));
        }
        let time = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&time)) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => {
                if watch.gathers {
                    read_news(watch);
                }
                return Woken::Timeout;
            }
            Ok(_) => {}
        }
        if fds[before_interrupt..].iter().any(|fd| !fd.revents().is_empty()) {
            return Woken::Interrupted;
        }
        let process_ended = fds[..before_events].iter().any(|fd| !fd.revents().is_empty());
        if read_news(watch) || process_ended {
            return Woken::Event;
        }
    }
}

/// Reads what the kernel has told by now; whether any of it was waited for.
fn read_news(watch: &mut Watch) -> bool {
    let Some(Events(events)) = &mut watch.events else { return false };
    let ended = events.drain();
    if let Some(kept) = &mut watch.ended {
        kept.lost |= ended.is_none();
        kept.sockets.extend(ended.iter().flatten().cloned());
    }
    let mine = |socket: &Socket| {
        let cookie = socket.cookie.as_ref();
        watch.cookies.is_empty()
            || cookie.is_some_and(|cookie| watch.cookies.binary_search(cookie).is_ok())
    };
    // Where some were lost, any of them may have been it.
    ended.is_none_or(|ended| ended.iter().any(mine))
}

pub(crate) fn destroy(socket: &Socket) -> Result<(), ActError> {
    let mut diag = SockDiag::open().map_err(act_error)?;
    diag.destroy(socket).map_err(act_error)
}

/// The SYN from the other end meets the TIME-WAIT and is answered with an ACK; our unfinished
/// socket answers that with a reset, which ends the TIME-WAIT (RFC 1337 describes the hazard;
/// `net.ipv4.tcp_rfc1337=1` turns it off).
pub(crate) fn reset_time_wait(socket: &Socket) -> Result<(), ActError> {
    let (Some(local), Some(remote)) = (socket.local.inet(), socket.remote) else {
        return Err(ActError::Unsupported);
    };
    if socket.state != Some(TcpState::TimeWait) {
        return Err(ActError::Unsupported);
    }
    let family = if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(family, SocketType::STREAM, flags, None).map_err(act_error)?;
    set_socket_reuseaddr(&fd, true).map_err(act_error)?;
    match bind(&fd, &remote) {
        Ok(()) => {}
        // The other end is on another machine.
        Err(Errno::ADDRNOTAVAIL) => return Err(ActError::Unsupported),
        Err(error) => return Err(act_error(error)),
    }
    match connect(&fd, &local) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(error) => Err(act_error(error)),
    }
}

/// How long a command of ours may take to end once it is asked to.
const PARTING: Duration = Duration::from_millis(500);

/// Runs a command with an end: no input, no output to the terminal; when the time is over or the
/// person wants to stop, it is asked to end (SIGTERM) and soon forced.
pub(crate) fn run(argv: &[String], interrupt: Option<BorrowedFd<'_>>, timeout: Duration) -> Ran {
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
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut words = [LastWords::of(child.stdout.take()), LastWords::of(child.stderr.take())];
    // Without a pidfd (no such kernel, no descriptor left) there is only the end to wait for.
    if let Some(pidfd) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        && let Some(message) = overdue(&pidfd, program, interrupt, timeout, &mut words)
    {
        let _ = pidfd_send_signal(&pidfd, Signal::TERM);
        await_command(&pidfd, None, PARTING, &mut words);
        let _ = child.kill();
        let _ = child.wait();
        return Ran::failed(message);
    }
    let success = child.wait().is_ok_and(|status| status.success());
    // What is there by now: a daemon that it started may keep the pipes open for ever.
    words.iter_mut().for_each(LastWords::read);
    LastWords::told(words, success)
}

/// Why a command is not waited for any longer; `None` where it ended by itself.
fn overdue(
    pidfd: &OwnedFd,
    program: &str,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
    words: &mut [LastWords],
) -> Option<String> {
    match await_command(pidfd, interrupt, timeout, words) {
        Woken::Event => None,
        Woken::Interrupted => Some(format!("{program} was interrupted")),
        Woken::Timeout => {
            Some(format!("{program} did not end in {} s", timeout.as_secs_f32().ceil()))
        }
    }
}

fn await_command(
    pidfd: &OwnedFd,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
    words: &mut [LastWords],
) -> Woken {
    let deadline = Instant::now() + timeout;
    loop {
        let mut fds = vec![PollFd::new(pidfd, PollFlags::IN)];
        fds.extend(interrupt.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let before_words = fds.len();
        let pipes = words.iter().filter_map(LastWords::pipe);
        fds.extend(pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&time)) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => return Woken::Timeout,
            Ok(_) if !fds[0].revents().is_empty() => return Woken::Event,
            Ok(_) if fds[1..before_words].iter().any(|fd| !fd.revents().is_empty()) => {
                return Woken::Interrupted;
            }
            Ok(_) if left.is_zero() => return Woken::Timeout, // it writes and writes
            Ok(_) => {}
        }
        drop(fds);
        words.iter_mut().for_each(LastWords::read);
    }
}

/// Connects to a unix socket's file and hangs up: refused means that nobody serves it. Files of
/// other kinds refuse in the same words (unix(7)), so the kind is asked first.
pub(crate) fn unix_refuses(path: &str) -> Option<bool> {
    let kind = FileType::from_raw_mode(rustix::fs::stat(path).ok()?.st_mode);
    if kind != FileType::Socket {
        return None;
    }
    let address = rustix::net::SocketAddrUnix::new(path).ok()?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    match connect(&fd, &address) {
        Err(Errno::CONNREFUSED) => Some(true),
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Some(false),
        Err(_) => None,
    }
}

/// What an error number means to whoever wanted to act.
pub(crate) fn act_error(error: Errno) -> ActError {
    match error {
        Errno::SRCH | Errno::NOENT => ActError::Gone,
        Errno::PERM | Errno::ACCESS => ActError::Denied,
        Errno::NOSYS | Errno::OPNOTSUPP => ActError::Unsupported,
        other => ActError::Other(other.raw_os_error()),
    }
}
