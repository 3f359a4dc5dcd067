//! Signals to this process as a stream that can be polled, each with where it came from. What is
//! to be done about one is decided by who reads them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use rustix::io::Errno;

/// One signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught {
    /// Its number on this system.
    pub signal: i32,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The kernel, as for Ctrl-C: the whole foreground process group has it (`si_code` above 0,
    /// sigaction(2)).
    Kernel,
    /// A process, by kill(2) or kin: perhaps this process alone has it.
    Process,
    /// This system does not say.
    Unknown,
}

/// Signals that are caught from now on, for as long as the process lives.
#[derive(Debug)]
pub struct Signals {
    arrivals: OwnedFd,
}

impl Signals {
    /// Takes over these signals. Those that whoever started this process had it ignore (nohup(1),
    /// a shell's `&` without job control) stay ignored, and are so for what it starts in turn.
    ///
    /// # Errors
    /// No pipe is to be had, or the kernel lets none of them be caught.
    pub fn catch(signals: &[i32]) -> io::Result<Self> {
        let (arrivals, entry) = io::pipe()?;
        let (arrivals, entry) = (OwnedFd::from(arrivals), OwnedFd::from(entry));
        rustix::io::ioctl_fionbio(&arrivals, true)?;
        rustix::io::ioctl_fionbio(&entry, true)?;
        let entry = Arc::new(entry);
        let ignored = ignored();
        for &signal in signals.iter().filter(|&&signal| !is_set(ignored, signal)) {
            register(signal, entry.clone())?;
        }
        Ok(Self { arrivals })
    }

    /// The next signal that has come; `None` where there is none (any more).
    pub fn next(&self) -> Option<Caught> {
        let mut record = [0; 2];
        loop {
            return match rustix::io::read(&self.arrivals, &mut record) {
                Ok(2) => {
                    let origin = match record[1] {
                        KERNEL => Origin::Kernel,
                        PROCESS => Origin::Process,
                        _ => Origin::Unknown,
                    };
                    Some(Caught { signal: record[0].into(), origin })
                }
                Err(Errno::INTR) => continue,
                Ok(_) | Err(_) => None,
            };
        }
    }
}

impl AsFd for Signals {
    /// Readable when a signal has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrivals.as_fd()
    }
}

/// Has the command started by fork(2) and not by vfork(2) or its like. There a Ctrl-Z that comes
/// before the exec stops the child with its default action, and the parent hangs in the kernel,
/// deaf to everything, until somebody continues the child. A forked child has our handlers until
/// its exec, so nothing stops or ends it before.
pub fn without_vfork(command: &mut Command) {
    let nothing = || Ok(());
    // SAFETY: it does nothing in the child; that it is there is what makes the standard library
    // fork.
    unsafe { command.pre_exec(nothing) };
}

const KERNEL: u8 = 1;
const PROCESS: u8 = 2;
const UNKNOWN: u8 = 0;

fn register(signal: i32, entry: Arc<OwnedFd>) -> io::Result<()> {
    let number = u8::try_from(signal).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the action is async-signal-safe: it reads a value and makes one write(2), without
    // allocating, locking or panicking; the registry keeps errno.
    let caught = unsafe {
        signal_hook_registry::register_sigaction(signal, move |info| {
            // Two bytes are written whole or not at all (PIPE_BUF, pipe(7)); a full pipe drops a
            // signal of which thirty thousand others wait.
            let _ = rustix::io::write(&*entry, &[number, origin(info.si_code)]);
        })
    };
    caught.map(|_| ())
}

/// What `si_code` says (sigaction(2)); macOS leaves it at 0 for everything.
const fn origin(code: i32) -> u8 {
    match (cfg!(target_os = "linux"), code) {
        (false, _) => UNKNOWN,
        (true, 1..) => KERNEL,
        (true, _) => PROCESS,
    }
}

/// Whether whoever started this process had it ignore that signal, as nohup(1) does. Only to be
/// asked before anything here catches it; what is caught is not ignored.
pub fn is_ignored(signal: i32) -> bool {
    is_set(ignored(), signal)
}

/// The signals that this process ignores, a bit each, where the system tells (proc_pid_status(5)).
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status").map_or(0, |status| mask(&status, "SigIgn:"))
}

fn mask(status: &str, field: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

const fn is_set(mask: u64, signal: i32) -> bool {
    signal > 0 && signal <= 64 && mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001003\n";
        let mask = mask(status, "SigIgn:");
        assert!(is_set(mask, 1) && is_set(mask, 2) && is_set(mask, 13));
        assert!(!is_set(mask, 3) && !is_set(mask, 0) && !is_set(mask, 65));
        assert_eq!(super::mask("Name:\tx\n", "SigIgn:"), 0);
    }
}
