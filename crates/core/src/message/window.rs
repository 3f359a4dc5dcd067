//! The lines around a place of a log, and the ways in which a terminal may have broken one line
//! into several. What the lines say is not looked at here.

use std::cell::OnceCell;
use std::ops::{Range, RangeInclusive};

use memchr::{memchr, memrchr};

/// The most lines before and after that are looked at.
const LINES: usize = 8;
/// The most bytes of a line on each side of a place, and of the lines before and after.
pub(super) const REACH: usize = 4096;
/// The pieces that a longer line is taken in.
const PIECE: u64 = 2048;
/// The narrowest terminal whose lines are put together.
const NARROWEST: usize = 40;
/// The widest.
const WIDEST: usize = 512;
/// The most lines one line is put together from, on each side.
const WRAPS: usize = 6;

/// The bytes of the line, or of the piece of an endless one, around a place.
pub(super) fn line_around(text: &[u8], base: u64, at: usize) -> (usize, usize) {
    let back = at.saturating_sub(REACH);
    let grid = ((base + at as u64) / PIECE * PIECE).saturating_sub(base) as usize;
    let start = match memrchr(b'\n', &text[back..at]) {
        Some(end) => back + end + 1,
        None if base == 0 && back == 0 => 0,
        None => grid.saturating_sub(PIECE as usize).max(back),
    };
    let ahead = text.len().min(at + REACH);
    let end = match memchr(b'\n', &text[at..ahead]) {
        Some(end) => at + end,
        None => ahead.min(grid + 2 * PIECE as usize),
    };
    (start.min(at), end.max(at))
}

/// A line and its neighbours.
#[derive(Debug)]
pub(super) struct Window<'a> {
    lines: Vec<&'a [u8]>,
    /// Where the last byte of each from the middle on is followed by the next line.
    ends: Vec<usize>,
    /// Which of them is the line.
    middle: usize,
    /// The line, as text.
    line: String,
    widest: OnceCell<usize>,
}

/// Lines put together, and where each but the first begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// The text.
    pub text: String,
    seams: Vec<usize>,
}

/// A line that a terminal had broken into several.
#[derive(Debug)]
pub(super) struct Unwrapped {
    /// The line.
    pub joined: Joined,
    /// How many bytes from the start of the window's own line it goes on.
    pub length: usize,
}

impl Joined {
    /// Whether a stretch of it lies on two lines.
    pub fn crosses(&self, stretch: &Range<usize>) -> bool {
        self.seams.iter().any(|seam| stretch.start < *seam && *seam < stretch.end)
    }

    /// Where the second line begins.
    pub fn first_seam(&self) -> usize {
        self.seams.first().copied().unwrap_or(self.text.len())
    }
}

impl<'a> Window<'a> {
    /// The line between `start` and `end`, and what stands around it.
    pub fn new(text: &'a [u8], start: usize, end: usize) -> Self {
        let before = &text[start.saturating_sub(REACH)..start];
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        let mut lines: Vec<&[u8]> = Vec::with_capacity(2 * LINES + 1);
        let mut rest = before;
        while start > 0 && lines.len() < LINES {
            let cut = memrchr(b'\n', rest);
            lines.push(&rest[cut.map_or(0, |cut| cut + 1)..]);
            let Some(cut) = cut else { break };
            rest = &rest[..cut];
        }
        lines.reverse();
        let middle = lines.len();
        lines.push(&text[start..end]);
        let mut ends = vec![end];
        let mut rest = &text[end..text.len().min(end + REACH)];
        while let Some(after) = rest.strip_prefix(b"\n").filter(|_| ends.len() <= LINES) {
            let length = memchr(b'\n', after).unwrap_or(after.len());
            lines.push(&after[..length]);
            ends.push(ends[ends.len() - 1] + 1 + length);
            rest = &after[length..];
        }
        let line = plain(lines[middle]);
        Self { lines, ends, middle, line, widest: OnceCell::new() }
    }

    /// The line itself.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The lines before it, nearest first.
    pub fn before(&self) -> impl Iterator<Item = String> {
        self.lines[..self.middle].iter().rev().map(|line| plain(line))
    }

    /// The lines after it.
    pub fn after(&self) -> impl Iterator<Item = String> {
        self.lines[self.middle + 1..].iter().map(|line| plain(line))
    }

    /// The line and those after it, as they stand.
    pub fn onward(&self) -> String {
        let lines: Vec<String> = self.lines[self.middle..].iter().map(|line| plain(line)).collect();
        lines.join("\n")
    }

    fn widest(&self) -> usize {
        let widest = || self.lines.iter().map(|line| width(line)).max().unwrap_or(0);
        *self.widest.get_or_init(widest)
    }

    /// The one line that a terminal may have broken into this one and its neighbours at its
    /// edge, letters split and all; `None` where it was not broken.
    pub fn unwrapped(&self) -> Option<Unwrapped> {
        // One space may be where the edge was; more are an indented line of its own.
        let indented = |line: &[u8]| line.starts_with(b"  ") || line.starts_with(b"\t");
        let run = self.run(|this, next| self.fills(this) && !indented(next));
        let length =
            self.ends[run.end() - self.middle] + self.lines[self.middle].len() - self.ends[0];
        (run.start() < run.end())
            .then(|| Unwrapped { joined: put_together(&self.lines[run], ""), length })
    }

    /// The same for a program that breaks lines between words.
    pub fn rejoined(&self) -> Option<Joined> {
        let run = self.run(|this, next| {
            let word = next.trim_ascii_start().split(|byte| *byte == b' ').next();
            let word = word.unwrap_or_default();
            width(this) + 1 + width(word) > self.widest()
        });
        (run.start() < run.end()).then(|| put_together(&self.lines[run], " "))
    }

    /// The line with the one before, and with the one after.
    pub fn pairs(&self) -> impl Iterator<Item = Joined> {
        let here = self.middle;
        let pair = |first: usize| match self.lines.get(first..first + 2) {
            Some(lines) if lines.iter().all(|line| !line.trim_ascii().is_empty()) => {
                Some(put_together(lines, " "))
            }
            _ => None,
        };
        [here.checked_sub(1).and_then(pair), pair(here)].into_iter().flatten()
    }

    /// The lines around the middle that go on in each other.
    fn run(&self, broken: impl Fn(&[u8], &[u8]) -> bool) -> RangeInclusive<usize> {
        let continues = |line: usize| match (self.lines.get(line), self.lines.get(line + 1)) {
            (Some(this), Some(next)) => {
                (NARROWEST..=WIDEST).contains(&width(this))
                    && !next.trim_ascii().is_empty()
                    && broken(this, next)
            }
            _ => false,
        };
        let (mut first, mut last) = (self.middle, self.middle);
        while first > 0 && self.middle - first < WRAPS && continues(first - 1) {
            first -= 1;
        }
        while last - self.middle < WRAPS && continues(last) {
            last += 1;
        }
        first..=last
    }

    /// Whether a line ends where the terminal does.
    fn fills(&self, line: &[u8]) -> bool {
        width(line) == self.widest()
    }
}

fn put_together(lines: &[&[u8]], with: &str) -> Joined {
    let mut joined = Joined { text: String::new(), seams: Vec::new() };
    for line in lines {
        let line = plain(line);
        if !joined.text.is_empty() {
            if !with.is_empty() {
                let kept = joined.text.trim_end().len();
                joined.text.truncate(kept);
            }
            joined.text.push_str(with);
            joined.seams.push(joined.text.len());
        }
        joined.text.push_str(if with.is_empty() { &line } else { line.trim_start() });
    }
    joined
}

/// Columns, near enough: characters, which is bytes that do not continue one (RFC 3629 3).
fn width(line: &[u8]) -> usize {
    line.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// Bytes of a line as text: without control characters, and without the backslashes of quotes in
/// a JSON string.
fn plain(line: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(line).into_owned();
    text.retain(|c| c == '\t' || !c.is_control());
    if text.contains("\\\"") {
        text = text.replace("\\\"", "\"");
    }
    text
}
