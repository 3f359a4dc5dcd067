//! Reads what is pasted or piped in for failed binds, and lets a running program's lines through
//! meanwhile. What was found is answered elsewhere.

use std::io::{ErrorKind, IsTerminal, Read};

use proc_core::message::{Failure, Scanner};

use crate::output::Output;

/// How much is read at once.
const CHUNK: usize = 256 * 1024;
/// How long a running program must be silent before its failure is answered, in milliseconds.
#[cfg(unix)]
const QUIET: i64 = 300;

/// What was read.
#[derive(Debug, Default)]
pub struct Intake {
    /// The failures, in order.
    pub failures: Vec<Failure>,
    /// How many lines.
    pub lines: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Whether the log had more candidates than could be read in time.
    pub skipped: bool,
}

/// How standard input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Whether what is read goes to stderr as well.
    pub pass_through: bool,
    /// Whether a failure is answered as soon as the stream is silent.
    pub at_once: bool,
}

/// Whether standard input is a terminal.
pub fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Whether a running program writes into standard input while a person looks on.
pub fn is_live() -> bool {
    let attended = std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    attended && is_pipe()
}

#[cfg(unix)]
fn is_pipe() -> bool {
    let stat = rustix::fs::fstat(rustix::stdio::stdin());
    let kind = stat.map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode));
    matches!(kind, Ok(rustix::fs::FileType::Fifo | rustix::fs::FileType::Socket))
}

#[cfg(not(unix))]
fn is_pipe() -> bool {
    false
}

/// Reads standard input to its end, to a Ctrl-C, or to an error, which ends it as well: what was
/// found until then is told. `answer` gets failures early, where the manner says so.
pub fn read(manner: Manner, mut answer: impl FnMut(Vec<Failure>)) -> Intake {
    let mut stdin = std::io::stdin().lock();
    let mut scanner = Scanner::new();
    let mut source = Source::new();
    let mut buffer = vec![0; CHUNK];
    let mut read = Intake::default();
    let mut silent = false;
    loop {
        match source.wait(manner.at_once && !silent) {
            Next::Input => {}
            Next::Silence => {
                silent = true;
                let failures = scanner.finish();
                if !failures.is_empty() {
                    answer(failures);
                }
                continue;
            }
            Next::Interrupted => break,
        }
        silent = false;
        match stdin.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                read.bytes += length as u64;
                scanner.feed(&buffer[..length]);
                if manner.pass_through {
                    Output::pass(&buffer[..length]);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => source.block(),
            Err(_) => break,
        }
    }
    read.failures = scanner.finish();
    read.lines = scanner.lines();
    read.skipped = scanner.skipped() > 0;
    read
}

/// What standard input has next.
enum Next {
    Input,
    #[cfg_attr(not(unix), allow(dead_code, reason = "nothing is waited for there"))]
    Silence,
    #[cfg_attr(not(unix), allow(dead_code, reason = "nothing interrupts there"))]
    Interrupted,
}

/// Standard input and Ctrl-C, which ends the program that writes as well: then what it said is
/// still answered.
#[cfg(unix)]
struct Source {
    interrupt: Option<std::os::fd::OwnedFd>,
}

#[cfg(unix)]
impl Source {
    fn new() -> Self {
        Self { interrupt: crate::interrupt::descriptor() }
    }

    /// Waits for input; for no longer than the time of silence, where that matters.
    fn wait(&self, briefly: bool) -> Next {
        use rustix::event::{PollFd, PollFlags, poll};
        let stdin = rustix::stdio::stdin();
        let mut fds = vec![PollFd::new(&stdin, PollFlags::IN)];
        fds.extend(self.interrupt.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let quiet = rustix::event::Timespec { tv_sec: 0, tv_nsec: QUIET * 1_000_000 };
        loop {
            match poll(&mut fds, briefly.then_some(&quiet)) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) => return Next::Silence,
                Ok(_) if fds.get(1).is_some_and(|fd| !fd.revents().is_empty()) => {
                    return Next::Interrupted;
                }
                // A file that cannot be polled can be read.
                Ok(_) | Err(_) => return Next::Input,
            }
        }
    }

    /// Waits, where a descriptor that does not block had nothing after all.
    fn block(&mut self) {
        let _ = self.wait(true);
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn new() -> Self {
        Self
    }

    fn wait(&self, _briefly: bool) -> Next {
        Next::Input
    }

    fn block(&mut self) {}
}
