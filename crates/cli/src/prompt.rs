//! Asks the person before anything is done: on the terminal itself, never on stdin, so that a
//! pipe cannot answer. No terminal, no answer and Ctrl-C all mean no.

use proc_core::report::TargetReport;

use crate::core_api::Consent;
use crate::render;
use crate::terminal::View;

/// Why nobody is asked.
const NO_TERMINAL: &str = "nothing was done: not a terminal, and --yes was not given";
const QUIET: &str = "nothing was done: --quiet asks nothing, and --yes was not given";
const NO: &str = "nothing was done";

/// What decides whether anybody is asked.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Whether consent was given on the command line.
    pub yes: bool,
    /// Whether nothing may be shown.
    pub quiet: bool,
    /// Whether a person is there: stdin or stderr is a terminal.
    pub attended: bool,
}

impl Prompt {
    /// The consent to those plans. `view` is asked for only where something is to be shown.
    pub fn ask(&self, targets: &[TargetReport], view: impl FnOnce() -> View) -> Consent {
        self.ask_about(|| render::plan(targets, &view()))
    }

    /// The consent to what is shown. `shown` is asked for only where somebody is to see it.
    pub fn ask_about(&self, shown: impl FnOnce() -> String) -> Consent {
        if self.yes {
            return Consent::Yes;
        }
        if self.quiet {
            return Consent::No(QUIET.to_owned());
        }
        if !self.attended {
            return Consent::No(NO_TERMINAL.to_owned());
        }
        let question = format!("{}Go ahead? [y/N] ", shown());
        match answer(&question) {
            None => Consent::No(NO_TERMINAL.to_owned()),
            Some(word) if is_yes(&word) => Consent::Yes,
            Some(_) => Consent::No(NO.to_owned()),
        }
    }
}

/// Shows the question on the terminal and reads a line; `None` where there is no terminal. Ctrl-C
/// and Ctrl-D are an empty line.
pub fn answer(question: &str) -> Option<String> {
    terminal::answer(question, &mut |_| true)
}

/// Shows the question on the terminal and reads a line; `None` where there is no terminal. Ctrl-C,
/// Ctrl-D and `goes_on` saying no are an empty line. It is asked before each key and may wait for
/// one, on the terminal that it is given.
pub fn line(question: &str, goes_on: &mut GoesOn<'_>) -> Option<String> {
    terminal::answer(question, goes_on)
}

/// Waits for a key; false where none is wanted any more.
#[cfg(unix)]
pub type GoesOn<'a> = dyn FnMut(std::os::fd::BorrowedFd<'_>) -> bool + 'a;

/// Whether a line is wanted still. What keys do meanwhile is the console's.
#[cfg(not(unix))]
pub type GoesOn<'a> = dyn FnMut(()) -> bool + 'a;

/// Whether the terminal is there and is ours at the moment: a job in the background that asked
/// would be stopped for it.
pub fn is_in_foreground() -> bool {
    terminal::is_in_foreground()
}

fn is_yes(word: &str) -> bool {
    matches!(word.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// What a byte typed does to the line so far.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Typed(u8),
    Erase,
    EraseAll,
    Done,
    Never,
    Ignored,
}

#[cfg(unix)]
const fn key(byte: u8, line_is_empty: bool) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Done,
        0x03 | 0x1c => Key::Never,
        0x04 if line_is_empty => Key::Never,
        0x08 | 0x7f => Key::Erase,
        0x15 => Key::EraseAll,
        b' '..=b'~' => Key::Typed(byte),
        _ => Key::Ignored,
    }
}

#[cfg(unix)]
mod terminal {
    use std::fs::{File, OpenOptions};
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };

    use super::{GoesOn, Key, key};

    /// Shows the question and reads a line; `None` where there is no terminal. Ctrl-C, Ctrl-D and
    /// a terminal that went away are an empty line.
    pub fn answer(question: &str, goes_on: &mut GoesOn<'_>) -> Option<String> {
        let mut tty = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let modes = tcgetattr(&tty).ok()?;
        let line = {
            // First, since it drops what was typed before: an answer may follow the question at once.
            let _restored = Restored::without_line_editing(&tty, modes)?;
            (&tty).write_all(question.as_bytes()).ok()?;
            read_line(&mut (&tty), &mut || goes_on(tty.as_fd()))
        };
        let _ = tty.write_all(b"\n");
        Some(line)
    }

    /// Whether our process group is the terminal's foreground (tcgetpgrp(3)).
    pub fn is_in_foreground() -> bool {
        let Ok(tty) = OpenOptions::new().read(true).open("/dev/tty") else { return false };
        tcgetpgrp(&tty).is_ok_and(|group| group == rustix::process::getpgrp())
    }

    /// The terminal's modes are put back when this goes.
    struct Restored<'a> {
        tty: &'a File,
        modes: Termios,
    }

    impl<'a> Restored<'a> {
        /// Byte by byte and without signals, so that Ctrl-C is an answer that ends in an exit
        /// code of ours, whatever the process does with SIGINT at the time.
        fn without_line_editing(tty: &'a File, modes: Termios) -> Option<Self> {
            let mut raw = modes.clone();
            raw.local_modes &= !(LocalModes::ICANON | LocalModes::ISIG | LocalModes::ECHO);
            raw.special_codes[SpecialCodeIndex::VMIN] = 1;
            raw.special_codes[SpecialCodeIndex::VTIME] = 0;
            // What was typed before the question was shown is no answer to it.
            tcsetattr(tty, OptionalActions::Flush, &raw).ok()?;
            Some(Self { tty, modes })
        }
    }

    impl Drop for Restored<'_> {
        fn drop(&mut self) {
            let _ = tcsetattr(self.tty, OptionalActions::Drain, &self.modes);
        }
    }

    fn read_line(tty: &mut (impl Read + Write), goes_on: &mut dyn FnMut() -> bool) -> String {
        let mut line = String::new();
        let mut byte = [0];
        loop {
            if !goes_on() {
                return String::new();
            }
            match tty.read(&mut byte) {
                Ok(1) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                _ => return String::new(),
            }
            let echo = match key(byte[0], line.is_empty()) {
                Key::Done => return line,
                Key::Never => return String::new(),
                Key::Typed(typed) => {
                    line.push(char::from(typed));
                    char::from(typed).to_string()
                }
                Key::Erase => line.pop().map_or(String::new(), |_| "\x08 \x08".to_owned()),
                Key::EraseAll => "\x08 \x08".repeat(std::mem::take(&mut line).len()),
                Key::Ignored => String::new(),
            };
            let _ = tty.write_all(echo.as_bytes());
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        struct Typed<'a>(&'a [u8]);
        impl Read for Typed<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.read(buffer)
            }
        }
        impl Write for Typed<'_> {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        #[test]
        fn lines_are_edited_and_given_up() {
            for (typed, want) in [
                (&b"y\n"[..], "y"),
                (b"yes\r", "yes"),
                (b"n\x7fy\n", "y"),
                (b"nnn\x15y\n", "y"),
                (b"y\x03", ""),
                (b"\x04", ""),
                (b"y", ""),
                (b"", ""),
                (b"\x1b[Ay\n", "[Ay"),
            ] {
                assert_eq!(read_line(&mut Typed(typed), &mut || true), want, "{typed:?}");
            }
            assert_eq!(read_line(&mut Typed(b"y\n"), &mut || false), "");
        }
    }
}

#[cfg(windows)]
mod terminal {
    use std::fs::OpenOptions;
    use std::io::{BufRead, BufReader, Write};
    use std::os::windows::io::AsHandle;

    use proc_core::sys::streams::forget_typed;

    /// Shows the question on the console and reads a line from it, whatever stdin is; `None` where
    /// there is no console. Ctrl-C is an empty line.
    pub fn answer(question: &str, goes_on: &mut dyn FnMut(()) -> bool) -> Option<String> {
        let mut shown = OpenOptions::new().write(true).open("CONOUT$").ok()?;
        let typed = OpenOptions::new().read(true).write(true).open("CONIN$").ok()?;
        if !goes_on(()) {
            return Some(String::new());
        }
        // What was typed before the question was shown is no answer to it.
        forget_typed(typed.as_handle());
        shown.write_all(question.as_bytes()).ok()?;
        let mut line = String::new();
        let read = BufReader::new(typed).read_line(&mut line);
        Some(if read.is_ok() { line } else { String::new() })
    }

    /// A console has no jobs: whoever runs in it may ask.
    pub const fn is_in_foreground() -> bool {
        true
    }
}

#[cfg(not(any(unix, windows)))]
mod terminal {
    /// There is no way to ask yet.
    pub fn answer(_: &str, _: &mut dyn FnMut(()) -> bool) -> Option<String> {
        None
    }

    /// There is nobody to ask.
    pub const fn is_in_foreground() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_is_only_yes() {
        for word in ["y", "Y", "yes", " yes "] {
            assert!(is_yes(word), "{word}");
        }
        for word in ["", "n", "no", "yep", "ja", "yy"] {
            assert!(!is_yes(word), "{word}");
        }
    }

    #[test]
    fn nobody_is_asked_without_a_terminal() {
        let unattended = Prompt { yes: false, quiet: false, attended: false };
        let never = || panic!("nothing is to be shown");
        assert_eq!(unattended.ask(&[], never), Consent::No(NO_TERMINAL.to_owned()));
        let yes = Prompt { yes: true, ..unattended.clone() };
        assert_eq!(yes.ask(&[], never), Consent::Yes);
        let quiet = Prompt { quiet: true, attended: true, ..unattended };
        assert_eq!(quiet.ask(&[], never), Consent::No(QUIET.to_owned()));
    }
}
