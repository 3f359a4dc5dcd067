//! What the copiers of a command tell the one who watches over it: what was heard, and how the
//! terminal stands.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem};

use proc_core::message::Failure;

use super::Bell;

/// The most failures that are kept: a command that fails for ever says the same for ever.
const MOST: usize = 64;

/// Between the copiers and their watcher.
#[derive(Debug)]
pub struct Shared {
    started: Instant,
    /// What wakes the watcher.
    pub bell: Bell,
    heard: Mutex<Vec<Failure>>,
    last_output: AtomicU64,
    line: AtomicBool,
    screen: AtomicBool,
}

impl Shared {
    /// Nothing was heard or written yet.
    ///
    /// # Errors
    /// There is no bell to be had.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            started: Instant::now(),
            bell: Bell::new()?,
            heard: Mutex::default(),
            last_output: AtomicU64::new(0),
            line: AtomicBool::new(false),
            screen: AtomicBool::new(false),
        })
    }

    /// Failed binds were heard.
    pub fn heard(&self, failures: Vec<Failure>) {
        if failures.is_empty() {
            return;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST.saturating_sub(heard.len());
        heard.extend(failures.into_iter().take(room));
        drop(heard);
        self.bell.ring();
    }

    /// What was heard since the last call.
    pub fn take(&self) -> Vec<Failure> {
        mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Something was written on a screen, after which the cursor stands within a line or not.
    #[cfg(windows)]
    pub fn wrote_on_screen(&self, is_in_line: bool) {
        self.wrote(&[], false);
        self.line.store(is_in_line, Ordering::Relaxed);
    }

    /// These bytes were written, onto a terminal or elsewhere.
    pub fn wrote(&self, bytes: &[u8], terminal: bool) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_output.store(now, Ordering::Relaxed);
        if !terminal {
            return;
        }
        self.line.store(!matches!(bytes, [.., b'\n']), Ordering::Relaxed);
        if let Some(screen) = switches_screen(bytes) {
            self.screen.store(screen, Ordering::Relaxed);
        }
    }

    /// How long ago the last byte was written.
    pub fn quiet_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_output.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }

    /// Whether the terminal's cursor stands behind something that the command wrote; afterwards
    /// it does not.
    pub fn take_line(&self) -> bool {
        self.line.swap(false, Ordering::Relaxed)
    }

    /// Whether a program draws on the whole terminal.
    pub fn has_screen(&self) -> bool {
        self.screen.load(Ordering::Relaxed)
    }

    /// Whether a program draws on the whole terminal from now on.
    pub fn draws(&self, screen: bool) {
        self.screen.store(screen, Ordering::Relaxed);
    }
}

/// Whether the last switch of the screen in these bytes is to the alternate one (xterm's control
/// sequences, DECSET 47, 1047, 1049). One that is torn between two reads is missed; it is only
/// about where our own words appear.
fn switches_screen(bytes: &[u8]) -> Option<bool> {
    if !bytes.contains(&b'\x1b') {
        return None;
    }
    let mut rest = bytes;
    let mut last = None;
    while let Some(at) = rest.windows(3).position(|three| three == b"\x1b[?") {
        rest = &rest[at + 3..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if matches!(&rest[..digits], b"47" | b"1047" | b"1049") {
            match rest.get(digits) {
                Some(b'h') => last = Some(true),
                Some(b'l') => last = Some(false),
                _ => {}
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_where_it_was_last_switched_to() {
        for (bytes, want) in [
            (&b"plain"[..], None),
            (b"\x1b[?25h\x1b[?2004l", None),
            (b"a\x1b[?1049hb", Some(true)),
            (b"\x1b[?1049h\x1b[?25l\x1b[?1049l$ ", Some(false)),
            (b"\x1b[?47h", Some(true)),
            (b"\x1b[?1049", None),
            (b"\x1b[?", None),
        ] {
            assert_eq!(switches_screen(bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_heard_is_bounded_and_taken_once() {
        let shared = Shared::new().unwrap();
        assert!(!shared.take_line());
        shared.wrote(b"> ", true);
        assert!(shared.take_line() && !shared.take_line());
        shared.wrote(b"> ", false);
        assert!(!shared.take_line());
    }
}
