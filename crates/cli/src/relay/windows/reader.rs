//! Reads along what a command writes to the console itself, from the screen: nothing takes a detour,
//! and what passes faster than it is looked at is missed.

use proc_core::message::Scanner;
use proc_core::sys::Screen;
use proc_core::windows::screen;

use super::super::shared::Shared;

/// How many rows are looked at: more than most windows show.
const ROWS: usize = 200;

/// Reads the screen from the moment on that it was made.
#[derive(Debug)]
pub struct Reader {
    screen: Screen,
    text: screen::Reader,
    scanner: Scanner,
}

impl Reader {
    /// What stands there now is not the command's. `None` where no screen can be read.
    pub fn new() -> Option<Self> {
        let screen = Screen::open()?;
        let text = screen::Reader::new(screen.window(ROWS)?);
        Some(Self { screen, text, scanner: Scanner::default() })
    }

    /// Reads what is new.
    pub fn look(&mut self, shared: &Shared) {
        let Some(window) = self.screen.window(ROWS) else { return };
        let is_in_line = !window.is_at_start;
        let text = self.text.read(window);
        shared.draws(!self.screen.has_cursor());
        if text.is_empty() {
            return;
        }
        shared.wrote_on_screen(is_in_line);
        self.scanner.feed(text.as_bytes());
        shared.heard(self.scanner.take());
    }

    /// What stands there now is our own.
    pub fn skip(&mut self) {
        if let Some(window) = self.screen.window(ROWS) {
            self.text.skip(window);
        }
    }

    /// Reads what is left, of a line without an end too.
    pub fn finish(mut self, shared: &Shared) {
        self.look(shared);
        shared.heard(self.scanner.finish());
    }
}
