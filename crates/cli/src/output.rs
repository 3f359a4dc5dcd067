//! The only writer: the answer goes to stdout, buffered and written at once; everything else goes
//! to stderr. A reader that went away is no failure; a full disk is.

use std::io::{self, Write};

use crate::exit::Exit;

/// What is to be written.
#[derive(Debug, Default)]
pub struct Output {
    answer: String,
}

impl Output {
    /// Adds to the answer.
    pub fn answer(&mut self, text: &str) {
        self.answer.push_str(text);
    }

    /// Says something beside the answer, at once. That stderr cannot be written is nobody's
    /// business: there is nowhere left to say it.
    pub fn note(text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }

    /// Writes a part of an answer that goes on, at once. False where nobody reads any more.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn stream(text: &str) -> io::Result<bool> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets through what another program wrote, as it is, to stderr. That nobody reads it there is
    /// no reason to stop.
    pub fn pass(bytes: &[u8]) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(bytes);
        let _ = stderr.flush();
    }

    /// Whether stdout still has a reader, as far as it can be told without writing.
    pub fn has_reader() -> bool {
        reads_on()
    }

    /// Writes the answer. The exit code is the answer's own; if the answer cannot be written for
    /// another reason than a closed pipe, that is said and an exit code of 0 becomes 1, since
    /// nobody got the "yes".
    pub fn finish(self, exit: Exit) -> Exit {
        match write_all(&mut io::stdout().lock(), &self.answer) {
            Ok(()) => exit,
            Err(error) => {
                Self::note(&format!("proc: cannot write the answer: {}\n", reason(&error)));
                exit.max(Exit::No)
            }
        }
    }
}

/// A pipe whose reader is gone reports an error to whoever asks (poll(2), POLLERR).
#[cfg(unix)]
fn reads_on() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let polled = poll(&mut fds, Some(&at_once));
    polled.is_err() || !fds[0].revents().contains(PollFlags::ERR)
}

#[cfg(not(unix))]
fn reads_on() -> bool {
    true
}

fn write_all(out: &mut impl Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The error without the number that Rust adds.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let cut = text.find(" (os error").unwrap_or(text.len());
    text[..cut].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        assert!(write_all(&mut Fails(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write_all(&mut Fails(io::ErrorKind::StorageFull), "x").is_err());
    }

    #[test]
    fn reasons_carry_no_numbers() {
        // ENOSPC; ERROR_OUT_OF_PAPER, whose words are in the machine's language.
        let text = reason(&io::Error::from_raw_os_error(28));
        assert!(!text.is_empty() && !text.contains("os error"), "{text}");
        #[cfg(unix)]
        assert_eq!(text, "no space left on device");
    }
}
