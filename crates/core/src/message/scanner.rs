//! Reads a log of any length in constant memory: cleans it, looks for candidates, reads those,
//! and keeps each failure once. What a line means is read elsewhere.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::clean::Cleaner;
use super::reading::{self, Reading};
use super::rows::{Needs, ROWS};
use super::sieve::{Hit, Keys, Sieve};
use super::window::{Unwrapped, Window, line_around};
use super::{Class, Failure};

/// How much is looked through at once.
const BLOCK: usize = 256 * 1024;
/// How much is kept on both sides of what is looked through: a line and its neighbours.
const AROUND: usize = 3 * super::window::REACH;
/// How far apart two lines may be that tell of one failure, in bytes.
const NEAR: u64 = 4096;
/// The most failures that are kept.
const MOST: usize = 64;
/// The most candidates that are remembered as read.
const MOST_SEEN: usize = 4096;
/// What may be read by expressions in any log, in bytes, before the share of its length counts.
const FREE: u64 = 8 * 1024 * 1024;

/// A stream that is searched for failures as it comes.
#[derive(Debug, Default)]
pub struct Scanner {
    cleaner: Cleaner,
    sieve: Sieve,
    /// The clean text that may still be needed.
    text: Vec<u8>,
    /// How much clean text came before it.
    base: u64,
    /// How much of `text` the sieve has seen.
    sieved: usize,
    /// Candidates whose neighbours may still be to come.
    waiting: Vec<(u64, usize)>,
    found: Vec<Found>,
    seen: HashSet<u64>,
    spent: u64,
    lines: u64,
    skipped: u64,
}

/// A failure, and where it was.
#[derive(Debug)]
struct Found {
    failure: Failure,
    at: u64,
    /// The service whose log line it is, where compose names one.
    service: Option<String>,
    taken: bool,
}

impl Scanner {
    /// One that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on. Memory stays below a megabyte whatever comes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(BLOCK) {
            self.cleaner.push(part, &mut self.text);
            while self.text.len() - self.sieved >= BLOCK + AROUND {
                self.sift(self.sieved + BLOCK);
                self.read_waiting(AROUND);
                self.forget();
            }
        }
    }

    /// The failures in the lines that are complete, as far as they have not been taken. A message
    /// without a port waits until nothing near it can tell the port any more.
    pub fn take(&mut self) -> Vec<Failure> {
        let whole = memchr::memrchr(b'\n', &self.text).map_or(0, |end| end + 1);
        if whole > self.sieved {
            self.sift(whole);
        }
        self.read_waiting(0);
        self.forget();
        let settled = self.base + self.sieved as u64;
        self.take_found(|found| found.failure.names_something() || found.at + NEAR < settled)
    }

    /// All failures that have not been taken, the last line taken as complete. Reading may go on.
    pub fn finish(&mut self) -> Vec<Failure> {
        self.sift(self.text.len());
        self.read_waiting(0);
        self.forget();
        self.take_found(|_| true)
    }

    /// How many line ends have been read.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// How many readings were not made, because the log is made of nothing else.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn take_found(&mut self, which: impl Fn(&Found) -> bool) -> Vec<Failure> {
        let mut taken = Vec::new();
        for found in &mut self.found {
            if !found.taken && which(found) {
                found.taken = true;
                taken.push(found.failure.clone());
            }
        }
        taken
    }

    /// Looks for candidates up to that place of the text.
    fn sift(&mut self, end: usize) {
        let part = &self.text[self.sieved..end];
        self.lines += memchr::memchr_iter(b'\n', part).count() as u64;
        let start = self.base + self.sieved as u64;
        let hits = self.sieve.pass(part);
        self.waiting.extend(hits.iter().map(|Hit { at, key }| (start + *at as u64, *key)));
        self.sieved = end;
    }

    /// Reads the candidates that have that much text after them.
    fn read_waiting(&mut self, after: usize) {
        let ripe = (self.base + self.text.len() as u64).saturating_sub(after as u64);
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while let Some(&(at, _)) = rest.first().filter(|(at, _)| *at < ripe) {
            let place = (at - self.base) as usize;
            let (start, end) = line_around(&self.text, self.base, place);
            let window = Window::new(&self.text, start, end);
            let at = self.base + start as u64;
            let read = match window.unwrapped() {
                Some(whole) => self.read_unwrapped(&window, &whole, at, rest),
                None => 0,
            };
            let read = match read {
                0 => self.read_line(&window, at, hits_until(rest, self.base + end as u64)),
                read => read,
            };
            rest = &rest[read..];
        }
        self.waiting = rest.to_vec();
    }

    /// Reads what seems to be one line that a terminal broke; the number of candidates that were
    /// in it, or 0 where nothing lies across the breaks: then they are lines of their own.
    fn read_unwrapped(
        &mut self,
        window: &Window,
        whole: &Unwrapped,
        at: u64,
        hits: &[(u64, usize)],
    ) -> usize {
        let hits = hits_until(hits, self.base + whole.end as u64);
        let rows = rows_of(hits);
        if !self.is_new(&whole.joined.text, &rows) || self.found.len() >= MOST {
            return 0;
        }
        let mut readings = Vec::new();
        for row in rows {
            readings.extend(self.try_text(row, &whole.joined.text, window, at));
        }
        readings.retain(|reading| reading.is_whole(&whole.joined));
        if !readings.iter().any(|reading| whole.joined.crosses(&reading.core)) {
            return 0;
        }
        self.keep(reading::best(readings), window, at);
        hits.len()
    }

    fn read_line(&mut self, window: &Window, at: u64, hits: &[(u64, usize)]) -> usize {
        let rows = rows_of(hits);
        let alone = rows.iter().all(|row| ROWS[*row].needs == Needs::Nothing);
        if self.found.len() >= MOST || alone && !self.is_new(window.line(), &rows) {
            return hits.len();
        }
        let mut readings = Vec::new();
        for row in rows {
            readings.extend(self.read_row(row, window, at));
        }
        self.keep(reading::best(readings), window, at);
        hits.len()
    }

    fn keep(&mut self, readings: Vec<Reading>, window: &Window, at: u64) {
        let service = service(window.line());
        for reading in readings {
            self.add(reading.failure, at, service.clone());
        }
    }

    /// What one row reads in the line: as it stands, or as its program broke it.
    fn read_row(&mut self, row: usize, window: &Window, at: u64) -> Vec<Reading> {
        if ROWS[row].needs == Needs::Object {
            return self.try_text(row, &window.onward(), window, at);
        }
        let plain = self.try_text(row, window.line(), window, at);
        if !plain.is_empty() {
            return plain;
        }
        if let Some(joined) = window.rejoined() {
            let mut across = self.try_text(row, &joined.text, window, at);
            across.retain(|reading| joined.crosses(&reading.span) && reading.is_whole(&joined));
            if !across.is_empty() {
                return across;
            }
        }
        // Broken wherever the program liked: only its own words may be on the other line.
        for joined in window.pairs() {
            let mut across = self.try_text(row, &joined.text, window, at);
            across.retain(|reading| {
                joined.crosses(&reading.span) && reading.port_before(joined.first_seam())
            });
            if !across.is_empty() {
                return across;
            }
        }
        Vec::new()
    }

    /// What a row reads in a text, unless expressions have had more than their share of the log.
    fn try_text(&mut self, row: usize, text: &str, window: &Window, at: u64) -> Vec<Reading> {
        if self.spent > FREE + at {
            self.skipped += 1;
            return Vec::new();
        }
        self.spent += text.len() as u64;
        reading::read(row, text, window)
    }

    /// Whether no line of these words, whatever its time, was read before by these rows.
    fn is_new(&mut self, line: &str, rows: &[usize]) -> bool {
        let words = line.trim_start_matches(|c: char| {
            c.is_ascii_digit() || c.is_whitespace() || ":.,-+/TZ[]|".contains(c)
        });
        let mut hasher = DefaultHasher::new();
        (words, rows, service(line)).hash(&mut hasher);
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        self.seen.insert(hasher.finish())
    }

    /// Keeps a failure, unless it is known or another tells more about the same bind.
    fn add(&mut self, failure: Failure, at: u64, service: Option<String>) {
        let new = Found { failure, at, service, taken: false };
        for old in &mut self.found {
            if old.is_same(&new) || old.covers(&new) {
                return;
            }
            if new.covers(old) {
                // What was answered stays answered.
                let taken = old.taken;
                *old = new;
                old.taken = taken;
                return;
            }
        }
        self.found.push(new);
    }

    /// Drops the text that no candidate needs any more.
    fn forget(&mut self) {
        let first = self.waiting.first().map_or(self.sieved, |(at, _)| (at - self.base) as usize);
        let needed = first.min(self.sieved).saturating_sub(AROUND);
        self.text.drain(..needed);
        self.base += needed as u64;
        self.sieved -= needed;
    }
}

impl Found {
    fn is_same(&self, other: &Self) -> bool {
        let (this, that) = (&self.failure, &other.failure);
        this.class == that.class
            && this.transport == that.transport
            && this.address == that.address
            && this.port == that.port
            && this.path == that.path
            && (this.names_something() || this.source == that.source)
    }

    /// Whether this tells of the other's failure too, and more.
    fn covers(&self, other: &Self) -> bool {
        let (this, that) = (&self.failure, &other.failure);
        let near = self.at.abs_diff(other.at) <= NEAR;
        let apart =
            self.service.is_some() && other.service.is_some() && self.service != other.service;
        if !near || apart || !(is_bind(this.class) && is_bind(that.class)) {
            return false;
        }
        if !that.names_something() {
            let detail = |f: &Failure| (f.names_something(), f.hint.is_some(), f.address.is_some());
            return detail(this) > detail(that)
                || (detail(this) == detail(that) && this.class == that.class);
        }
        this.port.is_some()
            && this.port == that.port
            && that.path.is_none()
            && (that.address.is_none() || that.address == this.address)
            && (this.transport == that.transport
                || that.transport.is_none()
                || this.transport.is_none())
            && (this.class == that.class || that.class == Class::Unsaid)
            && that.moved_to.is_none_or(|_| that.moved_to == this.moved_to)
    }
}

/// Whether it is about a bind on this machine, of which several lines may tell.
const fn is_bind(class: Class) -> bool {
    matches!(
        class,
        Class::InUse
            | Class::Denied
            | Class::NotLocal
            | Class::Unsaid
            | Class::Allocated
            | Class::SocketFile
            | Class::Exhausted
            | Class::Elsewhere
    )
}

/// Those of the candidates, in order, that lie before a place; the first always does.
fn hits_until(hits: &[(u64, usize)], end: u64) -> &[(u64, usize)] {
    let count = hits.iter().take_while(|(at, _)| *at <= end).count();
    &hits[..count.max(1).min(hits.len())]
}

fn rows_of(hits: &[(u64, usize)]) -> Vec<usize> {
    let mut rows: Vec<usize> = Vec::new();
    let mut keys: Vec<usize> = hits.iter().map(|(_, key)| *key).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        rows.extend(Keys::get().rows(key));
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// The service before the bar that compose puts there (`web-1  | …`).
fn service(line: &str) -> Option<String> {
    let (name, _) = line.split_once('|')?;
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!name.is_empty() && name.len() <= 64 && name.chars().all(plain)).then(|| name.to_owned())
}
