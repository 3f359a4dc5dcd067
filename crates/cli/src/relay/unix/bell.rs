//! Wakes the watcher of a command: a pipe, so that it can be waited for together with signals.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Rung by whoever has news.
#[derive(Debug)]
pub struct Bell {
    bell: OwnedFd,
    rope: OwnedFd,
}

impl Bell {
    /// It has not been rung.
    ///
    /// # Errors
    /// There is no pipe to be had.
    pub fn new() -> io::Result<Self> {
        let (bell, rope) = io::pipe()?;
        let (bell, rope) = (OwnedFd::from(bell), OwnedFd::from(rope));
        rustix::io::ioctl_fionbio(&bell, true)?;
        rustix::io::ioctl_fionbio(&rope, true)?;
        Ok(Self { bell, rope })
    }

    /// Wakes the watcher.
    pub fn ring(&self) {
        let _ = rustix::io::write(&self.rope, &[0]);
    }

    /// Takes note of having been woken.
    pub fn heard(&self) {
        while matches!(rustix::io::read(&self.bell, &mut [0; 64]), Ok(1..)) {}
    }
}

impl AsFd for Bell {
    /// Readable when it has been rung.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
