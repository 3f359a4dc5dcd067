//! Takes away what terminals understand and people do not see: escape sequences and carriage
//! returns, across any division into chunks. What the text says is not looked at here.

use memchr::memchr2;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// Where in an escape sequence the stream is (ECMA-48 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After a carriage return: a line feed makes it a line's end, else it starts the line anew.
    Return,
    /// After ESC, and after its intermediate bytes.
    Escape,
    /// In `ESC [`: until a final byte.
    Control,
    /// In a string such as a window title: until BEL or ST.
    Title,
    /// In a string, after ESC.
    TitleEscape,
}

/// Removes escape sequences from a stream.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    state: State,
}

impl Cleaner {
    /// Appends what is left of a chunk.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some(&byte) = bytes.first() {
            if self.state == State::Text {
                let plain = memchr2(ESC, b'\r', bytes).unwrap_or(bytes.len());
                out.extend_from_slice(&bytes[..plain]);
                bytes = &bytes[plain..];
                if let Some((&special, rest)) = bytes.split_first() {
                    self.state = if special == ESC { State::Escape } else { State::Return };
                    bytes = rest;
                }
                continue;
            }
            bytes = &bytes[usize::from(self.step(byte, out))..];
        }
    }

    /// One byte outside plain text; false where it is plain text after all and not used up.
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        // A line's end ends every sequence: a broken one must not swallow the log.
        if byte == b'\n' && self.state != State::Return {
            self.state = State::Text;
            return false;
        }
        let (next, used) = match (self.state, byte) {
            (State::Text, _) => (State::Text, false),
            (State::Return, b'\r') => (State::Return, true),
            (State::Return, b'\n') => (State::Text, false),
            (State::Return, _) => {
                out.push(b'\n');
                (State::Text, false)
            }
            (State::Escape, b'[') => (State::Control, true),
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (State::Title, true),
            (State::Escape, 0x20..=0x2f) => (State::Escape, true),
            (State::Escape, _) => (State::Text, true),
            (State::Control, 0x20..=0x3f) => (State::Control, true),
            (State::Control, 0x40..=0x7e) => (State::Text, true),
            (State::Control, _) => (State::Text, false),
            (State::Title, BEL) => (State::Text, true),
            (State::Title, ESC) => (State::TitleEscape, true),
            (State::Title, _) => (State::Title, true),
            (State::TitleEscape, b'\\') => (State::Text, true),
            (State::TitleEscape, _) => (State::Escape, false),
        };
        self.state = next;
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(chunks: &[&[u8]]) -> String {
        let mut cleaner = Cleaner::default();
        let mut out = Vec::new();
        chunks.iter().for_each(|chunk| cleaner.push(chunk, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sequences_go_and_text_stays() {
        for (raw, want) in [
            ("\x1b[31mError\x1b[0m: x", "Error: x"),
            ("EADDR\x1b[1;38;5;9mINUSE", "EADDRINUSE"),
            ("a\r\nb\r\r\nc", "a\nb\nc"),
            ("10 %\r20 %", "10 %\n20 %"),
            ("\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link", "textlink"),
            ("\x1b(Bplain \x1b=x", "plain x"),
            ("broken \x1b[31\nnext", "broken \nnext"),
            ("broken \x1b]title\nnext", "broken \nnext"),
            ("\x1b]a\x1b[31mred", "red"),
        ] {
            assert_eq!(cleaned(&[raw.as_bytes()]), want, "{raw:?}");
            let bytes: Vec<&[u8]> = raw.as_bytes().chunks(1).collect();
            assert_eq!(cleaned(&bytes), want, "{raw:?} a byte at a time");
        }
    }
}
