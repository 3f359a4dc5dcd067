//! Reads along what a command writes, from the buffer that it is copied through. A flood is not
//! read as it passes, which would slow it down, but its end is. Nothing is copied to anywhere here.

use std::time::{Duration, Instant};

use proc_core::message::{Failure, Scanner};

/// How much is read at once, in bytes: at least, and at most.
const CHUNK: (usize, usize) = (64 * 1024, 128 * 1024);
/// How much of what was written last is kept, in bytes.
const KEPT: usize = 384 * 1024;
/// More than this many bytes in that time are a flood: a person can read none of it.
const FLOOD: (usize, Duration) = (2 * 1024 * 1024, Duration::from_millis(50));
/// After how many bytes without a pause what was heard is told all the same.
const LONGEST_UNTOLD: usize = 1024 * 1024;

/// The buffer and what is read in it. The last [`KEPT`] bytes or nearly so are in it at any time:
/// it is filled from the beginning again where its end is reached.
#[derive(Debug)]
pub struct Ear {
    scanner: Scanner,
    ring: Vec<u8>,
    /// Where the next bytes come to stand.
    at: usize,
    /// Where the bytes end that were there before it was filled from the beginning again.
    old_end: usize,
    /// How many of the last bytes the scanner has not read.
    unread: usize,
    /// How many of the last bytes were read or passed by since what was heard was told.
    untold: usize,
    began: Instant,
    count: usize,
    is_flooded: bool,
}

impl Default for Ear {
    fn default() -> Self {
        Self {
            scanner: Scanner::default(),
            ring: vec![0; KEPT],
            at: 0,
            old_end: 0,
            unread: 0,
            untold: 0,
            began: Instant::now(),
            count: 0,
            is_flooded: false,
        }
    }
}

impl Ear {
    /// Where the next bytes are to be written to; [`Ear::hear`] says how many they were.
    pub fn room(&mut self) -> &mut [u8] {
        if self.ring.len() - self.at < CHUNK.0 {
            self.old_end = self.at;
            self.at = 0;
        }
        let end = self.ring.len().min(self.at + CHUNK.1);
        &mut self.ring[self.at..end]
    }

    /// So many have come to [`Ear::room`].
    pub fn hear(&mut self, count: usize) {
        self.at += count;
        self.unread += count;
        self.untold += count;
        self.count += count;
        let age = self.began.elapsed();
        if age >= FLOOD.1 {
            self.is_flooded = self.count >= FLOOD.0 && age < 2 * FLOOD.1;
            self.began = Instant::now();
            self.count = 0;
        } else if self.count >= FLOOD.0 {
            self.is_flooded = true;
        }
        if !self.is_flooded {
            self.read();
        }
    }

    /// The bytes of the last [`Ear::hear`], which had that count.
    pub fn last(&self, count: usize) -> &[u8] {
        &self.ring[self.at - count..self.at]
    }

    /// Whether a pause that is long enough to be one would be a good moment to read and tell.
    pub const fn has_untold(&self) -> bool {
        self.untold > 0
    }

    /// Whether so much passes that it is not read.
    pub const fn is_flooded(&self) -> bool {
        self.is_flooded
    }

    /// What was heard, if it is time to tell it while more comes.
    pub fn take_if_long(&mut self) -> Vec<Failure> {
        if self.is_flooded || self.untold < LONGEST_UNTOLD {
            return Vec::new();
        }
        self.untold = 0;
        self.scanner.take()
    }

    /// What was heard before a pause.
    pub fn take(&mut self) -> Vec<Failure> {
        self.is_flooded = false;
        self.untold = 0;
        self.read();
        self.scanner.take()
    }

    /// What was heard before the end.
    pub fn finish(&mut self) -> Vec<Failure> {
        self.read();
        self.scanner.finish()
    }

    /// Reads what was not read of what is kept.
    fn read(&mut self) {
        let old = self.old_end.saturating_sub(self.at);
        if self.unread > self.at + old {
            // Something is missing in between: the halves of two lines are no line, nor one that a
            // terminal broke.
            self.scanner.feed(b"\n\n");
            self.unread = self.at + old;
        }
        let before = self.unread.saturating_sub(self.at);
        self.scanner.feed(&self.ring[self.old_end - before.min(self.old_end)..self.old_end]);
        self.scanner.feed(&self.ring[self.at - (self.unread - before)..self.at]);
        self.unread = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(ear: &mut Ear, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = ear.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            ear.hear(count);
            assert_eq!(ear.last(count), &bytes[..count]);
            bytes = &bytes[count..];
        }
    }

    /// In a flood that nothing ends but a pause.
    fn flooded(scanner: Scanner) -> Ear {
        let began = Instant::now() + Duration::from_secs(3600);
        Ear { scanner, is_flooded: true, began, ..Ear::default() }
    }

    const FAILURE: &[u8] = b"Error: listen EADDRINUSE: address already in use :::3000\n";

    #[test]
    fn what_comes_slowly_is_read_whatever_its_pieces() {
        let mut ear = Ear::default();
        for byte in FAILURE {
            hear(&mut ear, &[*byte]);
        }
        let ports: Vec<_> = ear.take().iter().map(|failure| failure.port).collect();
        assert_eq!(ports.len(), 1);
        assert_eq!(ear.take(), []);
    }

    #[test]
    fn the_end_of_a_flood_is_read_wherever_the_buffer_turns_over() {
        for length in (0..3 * KEPT).step_by(31 * 1024 + 7) {
            let mut ear = flooded(Scanner::default());
            hear(&mut ear, &vec![b'x'; 4 * KEPT]);
            hear(&mut ear, b"\n");
            hear(&mut ear, FAILURE);
            hear(&mut ear, &b"line of a log\n".repeat(length / 14 % 20_000));
            assert!(ear.is_flooded());
            let heard = ear.take();
            assert_eq!(heard.len(), 1, "{length}");
            assert_eq!(heard[0].port.map(proc_core::addr::Port::get), Some(3000));
            assert!(!ear.is_flooded());
        }
    }

    #[test]
    fn the_halves_of_two_lines_are_no_line() {
        let mut ear = Ear::default();
        hear(&mut ear, b"bind: address already ");
        let mut ear = flooded(ear.scanner);
        hear(&mut ear, &b" ".repeat(2 * KEPT));
        hear(&mut ear, &b"in use\n".repeat(KEPT / 7));
        assert_eq!(ear.take(), []);
    }
}
