//! What commands of ours write, read as it comes, and what of it a person should hear.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;

use crate::host::{Hindrance, Ran};

/// What there is to say of a command that could not even be started.
pub(crate) fn not_run(program: &str, error: &std::io::Error) -> Ran {
    let hindrance = match error.kind() {
        ErrorKind::NotFound => Some(Hindrance::Missing),
        ErrorKind::PermissionDenied => Some(Hindrance::Denied),
        _ => None,
    };
    let message = match hindrance {
        Some(Hindrance::Missing) => format!("there is no program {program} here"),
        _ => format!("{program}: {error}"),
    };
    Ran { hindrance, ..Ran::failed(message) }
}

/// What a command writes to one of its pipes: read as it comes, so that nobody waits for a full
/// pipe, and only its end kept.
pub(crate) struct LastWords {
    pipe: Option<File>,
    text: Vec<u8>,
}

impl LastWords {
    /// The most that is kept, in bytes.
    const KEPT: usize = 16 * 1024;

    /// Of such a pipe.
    pub(crate) fn of(pipe: Option<impl Into<OwnedFd>>) -> Self {
        let pipe = pipe.map(|pipe| File::from(pipe.into()));
        // A pipe that would block cannot be read without a wait of its own.
        let pipe = pipe.filter(|pipe| rustix::io::ioctl_fionbio(pipe, true).is_ok());
        Self { pipe, text: Vec::new() }
    }

    /// The pipe, as long as it is open.
    pub(crate) const fn pipe(&self) -> Option<&File> {
        self.pipe.as_ref()
    }

    /// What a command that has ended told, by its output and its errors.
    pub(crate) fn told(words: [Self; 2], success: bool) -> Ran {
        let [output, errors] = words;
        let message = match errors.line() {
            // supervisorctl(1) and sv(8) complain to stdout.
            line if line.is_empty() && !success => output.line(),
            line => line,
        };
        Ran { success, message, output: output.whole(), hindrance: None }
    }

    /// Takes what is there; at its end the pipe is closed.
    pub(crate) fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(count @ 1..) => {
                    self.text.extend_from_slice(&buffer[..count]);
                    let surplus = self.text.len().saturating_sub(Self::KEPT);
                    self.text.drain(..surplus);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => self.pipe = None,
            }
        }
    }

    /// All that was kept.
    fn whole(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// The last line that says anything, rather than where more is said (`See system logs and
    /// 'systemctl status web.service' for details.`).
    fn line(&self) -> String {
        let text = self.whole();
        let lines = || text.lines().rev().filter(|line| !line.trim().is_empty());
        let says = |line: &&str| !line.starts_with("See ");
        lines().find(says).or_else(|| lines().next()).unwrap_or("").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str) -> String {
        LastWords { pipe: None, text: text.as_bytes().to_vec() }.line()
    }

    #[test]
    fn the_last_word_is_what_is_said_and_not_where_more_is_written() {
        let systemctl = "Failed to stop web.service: Interactive authentication required.\n\
            See system logs and 'systemctl status web.service' for details.\n\n";
        let want = "Failed to stop web.service: Interactive authentication required.";
        assert_eq!(last(systemctl), want);
        assert_eq!(last("See the log\n"), "See the log");
        assert_eq!(last("one\ntwo\n \n"), "two");
        assert_eq!(last(""), "");
    }
}
