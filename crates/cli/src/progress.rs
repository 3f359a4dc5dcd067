//! Tells on stderr what happens while it happens: a line for each event, and one line that is
//! rewritten while waiting, where somebody sees it.

use proc_core::report::EventReport;

use crate::output::Output;
use crate::render;
use crate::terminal::View;

/// The event of a wait that goes on: told again and again with the time that is left.
const WAITING: &str = "waiting";

/// How progress is told.
#[derive(Clone, Debug)]
pub struct Progress {
    /// How stderr looks.
    pub view: View,
    /// Whether targets need to be named.
    pub several: bool,
    waiting: bool,
}

impl Progress {
    /// Nothing told yet.
    pub const fn new(view: View, several: bool) -> Self {
        Self { view, several, waiting: false }
    }

    /// Tells one event.
    pub fn tell(&mut self, target: &str, event: &EventReport) {
        Output::note(&self.text(target, event));
    }

    fn text(&mut self, target: &str, event: &EventReport) -> String {
        let line = render::progress(target, event, self.several, &self.view);
        let rewrites = self.view.width.is_some();
        let was_waiting = std::mem::replace(&mut self.waiting, event.event == WAITING);
        let clear = if was_waiting && rewrites { "\r\x1b[K" } else { "" };
        match (self.waiting, rewrites) {
            (true, true) => format!("{clear}{line}"),
            // A log wants to know that it waits, not every second of it.
            (true, false) if was_waiting => String::new(),
            _ => format!("{clear}{line}\n"),
        }
    }

    /// Ends a line that was being rewritten.
    pub fn finish(&mut self) {
        if std::mem::take(&mut self.waiting) && self.view.width.is_some() {
            Output::note("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, explain: &str) -> EventReport {
        EventReport { at_ms: 0, event: name.to_owned(), pid: None, explain: explain.to_owned() }
    }

    fn told(width: Option<usize>) -> String {
        let mut progress = Progress::new(View { width, ..View::plain() }, false);
        [
            event("asked", "asked node (1) to end"),
            event("waiting", "41 s left"),
            event("waiting", "40 s left"),
            event("freed", "free"),
        ]
        .iter()
        .map(|event| progress.text(":1", event))
        .collect()
    }

    #[test]
    fn a_terminal_sees_the_countdown_and_a_log_does_not() {
        assert_eq!(
            told(Some(80)),
            "asked node (1) to end\n41 s left\r\x1b[K40 s left\r\x1b[Kfree\n"
        );
        assert_eq!(told(None), "asked node (1) to end\n41 s left\nfree\n");
    }
}
