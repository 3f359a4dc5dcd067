//! What a command gets in the place of our outputs so that they can be read along: one pty for
//! what is a terminal, a pipe for everything else. Nothing is copied here.
//!
//! The command stays in our session, our process group and the foreground, with the real stdin:
//! keys and their signals reach it as they would without us. Only what it writes takes a detour,
//! so the pty passes bytes on untouched and the real terminal does what terminals do.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Termios, tcgetattr, tcsetattr};

/// One way from the command to one of our outputs.
#[derive(Debug)]
pub struct Channel {
    /// Where the command's bytes come out, never blocking.
    pub from: OwnedFd,
    /// Where they go: our own output.
    pub to: OwnedFd,
    /// The modes that the pty began with; `None` for a pipe.
    pub modes: Option<Termios>,
}

/// Gives the command its outputs, and returns the ways they take. An output for which nothing
/// could be opened stays our own: the command runs, and is not read along there.
pub fn redirect(command: &mut Command) -> Vec<Channel> {
    let (out, error) = (io::stdout(), io::stderr());
    let mut channels = Vec::new();
    let mut first = None;
    if let Ok((channel, entry)) = channel(out.as_fd(), out.is_terminal()) {
        first = entry.try_clone().ok();
        command.stdout(Stdio::from(entry));
        channels.push(channel);
    }
    match first.filter(|_| is_same(out.as_fd(), error.as_fd())) {
        // One channel for both, so that their order stays.
        Some(entry) => drop(command.stderr(Stdio::from(entry))),
        None => {
            if let Ok((channel, entry)) = channel(error.as_fd(), error.is_terminal()) {
                command.stderr(Stdio::from(entry));
                channels.push(channel);
            }
        }
    }
    channels
}

fn channel(real: BorrowedFd<'_>, terminal: bool) -> io::Result<(Channel, OwnedFd)> {
    let to = real.try_clone_to_owned()?;
    if terminal {
        let (from, entry, modes) = pty(real)?;
        return Ok((Channel { from, to, modes: Some(modes) }, entry));
    }
    let (from, entry) = io::pipe()?;
    let (from, entry) = (OwnedFd::from(from), OwnedFd::from(entry));
    rustix::io::ioctl_fionbio(&from, true)?;
    widen(&entry);
    Ok((Channel { from, to, modes: None }, entry))
}

/// A command that writes much waits less for us. The system may refuse (pipe-user-pages-soft,
/// pipe(7)); the usual 64 KB do too.
#[cfg(target_os = "linux")]
fn widen(pipe: &OwnedFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 256 * 1024);
}

#[cfg(not(target_os = "linux"))]
const fn widen(_: &OwnedFd) {}

/// A pty that looks like the real terminal and changes nothing on the way. It is nobody's
/// controlling terminal.
fn pty(real: BorrowedFd<'_>) -> io::Result<(OwnedFd, OwnedFd, Termios)> {
    let from = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | CLOEXEC)?;
    #[cfg(not(target_os = "linux"))]
    rustix::io::fcntl_setfd(&from, rustix::io::FdFlags::CLOEXEC)?;
    grantpt(&from)?;
    unlockpt(&from)?;
    let entry = entry_of(&from)?;
    let mut modes = tcgetattr(real)?;
    modes.output_modes &= !OutputModes::OPOST;
    tcsetattr(&entry, OptionalActions::Now, &modes)?;
    // Nobody is to read from it by its path, as less(1) would: its keys are at /dev/tty, which it
    // then takes. Opening it to write (`echo >/dev/stderr`) goes on. Root is not kept from either.
    let _ = rustix::fs::fchmod(&entry, rustix::fs::Mode::WUSR);
    if let Ok(size) = rustix::termios::tcgetwinsize(real) {
        let _ = rustix::termios::tcsetwinsize(&from, size);
    }
    rustix::io::ioctl_fionbio(&from, true)?;
    Ok((from, entry, modes))
}

#[cfg(target_os = "linux")]
const CLOEXEC: OpenptFlags = OpenptFlags::CLOEXEC;
#[cfg(not(target_os = "linux"))]
const CLOEXEC: OpenptFlags = OpenptFlags::empty();

/// The command's end. By the master itself (TIOCGPTPEER, ioctl_tty(2)), which needs no path: in a
/// container the path may be another terminal's.
#[cfg(target_os = "linux")]
fn entry_of(master: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    rustix::pty::ioctl_tiocgptpeer(master, flags).or_else(|_| by_path(master))
}

#[cfg(not(target_os = "linux"))]
fn entry_of(master: &OwnedFd) -> io::Result<OwnedFd> {
    by_path(master)
}

fn by_path(master: &OwnedFd) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let path = rustix::pty::ptsname(master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Whether two outputs lead to the same place: one file, pipe, socket or terminal.
fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let (Ok(one), Ok(other)) = (rustix::fs::fstat(one), rustix::fs::fstat(other)) else {
        return false;
    };
    (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev)
}
