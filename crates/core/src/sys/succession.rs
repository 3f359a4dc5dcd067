//! Becoming another program, with the sockets that it is to inherit and those that it is only to
//! keep open.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{Errno, FdFlags};

use super::heritage::Succession;
use super::keep::Kept;
use crate::process::ProcessId;

/// The first descriptor that systemd's protocol passes (SD_LISTEN_FDS_START, sd_listen_fds(3)).
const FIRST_PASSED: RawFd = 3;
/// Where descriptors go that are only to be kept: above those that shells and tests count on.
const OUT_OF_THE_WAY: RawFd = 64;

/// Becomes that program (execve(2)): the PID, the terminal and the parent stay, descriptors not
/// named here are closed by the kernel in the same moment. Returns only if that fails. Nobody has to be
/// told whose the kept things are: it is this very process.
pub(crate) fn succeed(
    succession: Succession,
    _: &mut dyn FnMut(ProcessId, &[Kept]),
) -> io::Result<i32> {
    // What is bound is closed on exec.
    let Succession { argv, variables, sockets, kept, bound: _bound } = succession;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let end = FIRST_PASSED + RawFd::try_from(sockets.len()).unwrap_or(RawFd::MAX - FIRST_PASSED);
    // Both live until exec, or until it has failed.
    let _kept = moved(kept, end, false)?;
    let sockets = moved(sockets, end, true)?;
    for (number, socket) in (FIRST_PASSED..end).zip(&sockets) {
        put_at(socket, number)?;
    }
    Err(Command::new(program).args(arguments).envs(variables).exec())
}

/// The descriptors, duplicated to numbers from `end` on.
fn moved(all: Vec<OwnedFd>, end: RawFd, close_on_exec: bool) -> Result<Vec<OwnedFd>, Errno> {
    let duplicate = |fd: OwnedFd| {
        let at = |least| match close_on_exec {
            true => rustix::io::fcntl_dupfd_cloexec(&fd, least),
            false => rustix::io::fcntl_dupfd_cloexec(&fd, least).and_then(|copy| {
                rustix::io::fcntl_setfd(&copy, FdFlags::empty())?;
                Ok(copy)
            }),
        };
        // EINVAL: above the limit of open files.
        at(end.max(OUT_OF_THE_WAY)).or_else(|_| at(end))
    };
    all.into_iter().map(duplicate).collect()
}

/// Duplicates a descriptor onto that number, whatever was there, to stay open across exec.
fn put_at(fd: &OwnedFd, number: RawFd) -> Result<(), Errno> {
    debug_assert_ne!(fd.as_fd().as_raw_fd(), number);
    // SAFETY: the number is only the destination of dup3, which needs no open descriptor there.
    // This process owns no descriptor of that number: its own were moved above all of these, and
    // one that it inherited is the successor's to lose.
    let place = unsafe { OwnedFd::from_raw_fd(number) };
    let mut place = std::mem::ManuallyDrop::new(place);
    rustix::io::dup2(fd, &mut place)
}
