//! Engines that serve a unix socket, on every Unix alike: which are there, whose they are, and a
//! connection to one. How to connect without waiting is the system's own.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Line, Nothing, Reach, left};
use crate::sys::connected;

/// Engines' unix sockets, and what becomes readable when the person wants no more of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sockets<'a> {
    /// As [`crate::host::LiveHost::with_interrupt`] was given it.
    pub interrupt: Option<BorrowedFd<'a>>,
}

impl<'a> Reach for Sockets<'a> {
    type Line = Connection<'a>;

    fn connect(&self, place: &str, deadline: Instant) -> Result<Connection<'a>, Nothing> {
        let stream = connected(Path::new(place), self.interrupt, deadline)?;
        Ok(Connection { stream, interrupt: self.interrupt })
    }
}

/// A connection to one of them.
pub(crate) struct Connection<'a> {
    stream: UnixStream,
    interrupt: Option<BorrowedFd<'a>>,
}

impl Line for Connection<'_> {
    fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), Nothing> {
        self.stream.set_write_timeout(Some(left(deadline)?)).map_err(|_| Nothing::Failed)?;
        self.stream.write_all(bytes).map_err(|error| failure(&error))
    }

    fn receive(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, Nothing> {
        loop {
            if let Some(interrupt) = self.interrupt {
                await_answer(&self.stream, interrupt, deadline)?;
            }
            self.stream.set_read_timeout(Some(left(deadline)?)).map_err(|_| Nothing::Failed)?;
            match self.stream.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.map_err(|error| failure(&error)),
            }
        }
    }
}

/// Waits until there is something to read, or the person wants no more of it.
fn await_answer(
    stream: &UnixStream,
    interrupt: BorrowedFd<'_>,
    deadline: Instant,
) -> Result<(), Nothing> {
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(interrupt, PollFlags::IN),
            PollFd::new(stream, PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(left(deadline)?))) {
            Ok(0) => return Err(Nothing::Late),
            Ok(_) if !fds[0].revents().is_empty() => {
                return Err(Nothing::Interrupted { asked: true });
            }
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(_) => return Err(Nothing::Failed),
        }
    }
}

fn failure(error: &std::io::Error) -> Nothing {
    match error.kind() {
        // A read or write that timed out (socket(7), SO_RCVTIMEO).
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Nothing::Late,
        ErrorKind::PermissionDenied => Nothing::Denied,
        _ => Nothing::Failed,
    }
}

/// A time as poll(2) takes it.
pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: i64::from(time.subsec_nanos()) }
}

/// A socket file that is there, and who made it.
pub(crate) struct SocketFile {
    /// The path that led to it.
    pub path: PathBuf,
    /// The user who made it; `None` for root.
    pub owner: Option<u32>,
}

/// Those of these paths that are socket files, each once however many lead to it.
pub(crate) fn files(paths: Vec<PathBuf>) -> impl Iterator<Item = SocketFile> {
    let mut seen = HashSet::new();
    paths.into_iter().filter_map(move |path| {
        let file = std::fs::metadata(&path).ok()?;
        let new = file.file_type().is_socket() && seen.insert((file.dev(), file.ino()));
        new.then(|| SocketFile { path, owner: Some(file.uid()).filter(|&uid| uid != 0) })
    })
}
