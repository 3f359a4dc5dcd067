//! Reads a log of any length in constant memory: cleans it, looks for candidates, reads those,
//! and keeps each failure once. What a line means is read elsewhere.

use std::collections::HashMap;
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
/// What may be read by expressions in any log, in bytes; they are slow.
const FREE: u64 = 2 * 1024 * 1024;
/// The share of the log's length that may be read by expressions: one in that many bytes.
const SHARE: u64 = 16;
/// How often a line is read: what stands around it may differ.
const OFTEN: u8 = 4;

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
    /// How often a line of these words was read, whatever its time.
    seen: HashMap<u64, u8>,
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

    /// How many candidates were not read, because the log is made of nothing else.
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
        let text = &self.text[..end];
        self.lines += memchr::memchr_iter(b'\n', &text[self.sieved..]).count() as u64;
        let hits = self.sieve.pass(text, self.sieved);
        self.waiting.extend(hits.iter().map(|Hit { at, key }| (self.base + *at as u64, *key)));
        self.sieved = end;
    }

    /// Reads the candidates that have that much text after them.
    fn read_waiting(&mut self, after: usize) {
        let text = std::mem::take(&mut self.text);
        let waiting = std::mem::take(&mut self.waiting);
        let ripe = (self.base + text.len() as u64).saturating_sub(after as u64);
        let mut rest = waiting.as_slice();
        while let Some(&(at, _)) = rest.first().filter(|(at, _)| *at < ripe) {
            let (start, end) = line_around(&text, self.base, (at - self.base) as usize);
            let at = self.base + start as u64;
            let hits = hits_until(rest, self.base + end as u64);
            let read = match self.is_worth_reading(&text[start..end], at, hits.len()) {
                true => self.read_line(&Window::new(&text, start, end), at, rest, hits),
                false => hits.len(),
            };
            rest = &rest[read..];
        }
        self.waiting = rest.to_vec();
        self.text = text;
    }

    /// Whether a line has not been read often already, and expressions have not had more than
    /// their share of the log.
    fn is_worth_reading(&mut self, line: &[u8], at: u64, hits: usize) -> bool {
        if self.found.len() >= MOST {
            return false;
        }
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        let mut hasher = DefaultHasher::new();
        words_of(line).hash(&mut hasher);
        let times = self.seen.entry(hasher.finish()).or_default();
        if *times == OFTEN {
            return false;
        }
        *times += 1;
        let affordable = self.spent <= FREE + at / SHARE;
        self.skipped += if affordable { 0 } else { hits as u64 };
        affordable
    }

    /// Reads a line, or the several that a terminal broke it into; how many candidates that
    /// settles. `rest` are all that are left, `hits` those of the line.
    fn read_line(
        &mut self,
        window: &Window<'_>,
        at: u64,
        rest: &[(u64, usize)],
        hits: &[(u64, usize)],
    ) -> usize {
        if let Some(whole) = window.unwrapped() {
            let hits = hits_until(rest, at + whole.length as u64);
            let read = self.read_unwrapped(window, &whole, at, hits);
            if read > 0 {
                return read;
            }
        }
        let readings =
            rows_of(hits).into_iter().flat_map(|row| self.read_row(row, window)).collect();
        self.keep(reading::best(readings), window, at);
        hits.len()
    }

    /// Reads what seems to be one line that a terminal broke; the number of candidates that were
    /// in it, or 0 where nothing lies across the breaks: then they are lines of their own.
    fn read_unwrapped(
        &mut self,
        window: &Window<'_>,
        whole: &Unwrapped,
        at: u64,
        hits: &[(u64, usize)],
    ) -> usize {
        let text = &whole.joined.text;
        let mut readings: Vec<Reading> =
            rows_of(hits).into_iter().flat_map(|row| self.try_text(row, text, window)).collect();
        readings.retain(|reading| reading.is_whole(&whole.joined));
        if !readings.iter().any(|reading| whole.joined.crosses(&reading.core)) {
            return 0;
        }
        self.keep(reading::best(readings), window, at);
        hits.len()
    }

    fn keep(&mut self, readings: Vec<Reading>, window: &Window<'_>, at: u64) {
        let service = service(window.line());
        for reading in readings {
            self.add(reading.failure, at, service.clone());
        }
    }

    /// What one row reads in the line: as it stands, or as its program broke it.
    fn read_row(&mut self, row: usize, window: &Window<'_>) -> Vec<Reading> {
        if ROWS[row].needs == Needs::Object {
            return self.try_text(row, &window.onward(), window);
        }
        let plain = self.try_text(row, window.line(), window);
        if !plain.is_empty() {
            return plain;
        }
        if let Some(joined) = window.rejoined() {
            let mut across = self.try_text(row, &joined.text, window);
            across.retain(|reading| joined.crosses(&reading.span) && reading.is_whole(&joined));
            if !across.is_empty() {
                return across;
            }
        }
        // Broken wherever the program liked: only its own words may be on the other line.
        for joined in window.pairs() {
            let mut across = self.try_text(row, &joined.text, window);
            across.retain(|reading| {
                joined.crosses(&reading.span) && reading.port_before(joined.first_seam())
            });
            if !across.is_empty() {
                return across;
            }
        }
        Vec::new()
    }

    fn try_text(&mut self, row: usize, text: &str, window: &Window<'_>) -> Vec<Reading> {
        if !reading::may_match(row, text) {
            return Vec::new();
        }
        self.spent += text.len() as u64;
        reading::read(row, text, window)
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

/// A line from its first letter on: before it stands mostly the time.
fn words_of(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| byte.is_ascii_alphabetic() && !b"TZ".contains(byte));
    &line[start.unwrap_or(0)..]
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
