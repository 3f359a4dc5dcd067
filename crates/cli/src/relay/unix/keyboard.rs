//! Keys for a program that reads them from its output, as less(1) does: it opens the terminal
//! that its stderr is. Everybody else reads the real terminal, and must not lose a key to us.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};

use super::writing::write_all;

/// Passes keys on, from the real terminal to the pty, until it is dropped.
#[derive(Debug)]
pub struct Keyboard {
    _stay: OwnedFd,
}

impl Keyboard {
    /// Begins to.
    ///
    /// # Errors
    /// There is no thread or descriptor to be had.
    pub fn start(real: &OwnedFd, pty: &OwnedFd) -> io::Result<Self> {
        let (real, pty) = (real.try_clone()?, pty.try_clone()?);
        let (leave, stay) = io::pipe()?;
        let pass = move || {
            let mut keys = [0; 1024];
            loop {
                let mut fds =
                    [PollFd::new(&real, PollFlags::IN), PollFd::new(&leave, PollFlags::IN)];
                let _ = poll(&mut fds, None);
                if !fds[1].revents().is_empty() {
                    return;
                }
                if fds[0].revents().is_empty() {
                    continue;
                }
                let Ok(count @ 1..) = rustix::io::read(&real, &mut keys) else { return };
                if write_all(&pty, &keys[..count]).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("keyboard".to_owned()).spawn(pass)?;
        Ok(Self { _stay: stay.into() })
    }
}

/// Whether a process has opened the pty once more by its path, beside what it was started with.
/// Looked for only when a program has set the pty's modes for reading single keys; curses, which
/// sets them too and reads the real terminal, opens nothing.
pub fn is_opened(pty: &OwnedFd) -> bool {
    let Ok(path) = rustix::pty::ptsname(pty, Vec::new()) else { return false };
    let path = Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()));
    let own = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter(|process| process.file_name() != *own).any(|process| {
        let descriptors = std::fs::read_dir(process.path().join("fd")).into_iter().flatten();
        descriptors.flatten().any(|descriptor| {
            let is_standard = ["0", "1", "2"].iter().any(|name| descriptor.file_name() == *name);
            !is_standard && std::fs::read_link(descriptor.path()).is_ok_and(|link| link == path)
        })
    })
}
