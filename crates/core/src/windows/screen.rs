//! What was written on a console's screen since it was looked at last, told from its rows alone: they
//! move up when it is full, are broken where a line is longer, and may be drawn over. Pure.

use std::collections::HashSet;

/// One row of a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What stands in it, without the blanks at its end.
    pub text: String,
    /// Whether its last place is taken: what follows is probably the same line, broken by the screen.
    pub is_full: bool,
}

impl Row {
    /// The row of these places.
    pub fn new(units: &[u16]) -> Self {
        let text = String::from_utf16_lossy(units);
        let text = text.trim_end_matches(['\0', ' ']);
        let blank = |unit: u16| unit == 0 || unit == u16::from(b' ');
        Self { text: text.to_owned(), is_full: units.last().is_some_and(|&unit| !blank(unit)) }
    }
}

/// The rows of a screen down to the one that the cursor is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// How many places a row has.
    pub width: usize,
    /// Which row of the screen's buffer the first one is.
    pub top: usize,
    /// The rows; the last is the cursor's.
    pub rows: Vec<Row>,
    /// Whether the cursor is at the start of its row.
    pub is_at_start: bool,
}

/// How many rows are remembered.
const MOST_REMEMBERED: usize = 4096;

/// Tells what is new on a screen. Where that is not sure, it is rather missed than taken from what
/// stood there before: that is another command's.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    last: Window,
    /// What stood there at any look. A screen may be drawn over and be as it was before.
    known: HashSet<String>,
}

impl Reader {
    /// What stands there now is not new.
    pub fn new(now: Window) -> Self {
        let mut reader = Self::default();
        reader.skip(now);
        reader
    }

    /// What was written since the last look, broken lines joined. It may begin in the midst of a line
    /// that an earlier text began.
    pub fn read(&mut self, now: Window) -> String {
        let text = match () {
            // All lines are broken anew: nothing can be told.
            () if now.width != self.last.width => String::new(),
            () => match moved_up(&self.last, &now) {
                Some(by) => self.written_on(&now, by),
                None => self.drawn_over(&now),
            },
        };
        self.skip(now);
        text
    }

    /// What stands there now is not new either: it is our own.
    pub fn skip(&mut self, now: Window) {
        for row in &now.rows {
            if self.known.len() < MOST_REMEMBERED && !row.text.is_empty() {
                self.known.insert(row.text.clone());
            }
        }
        self.last = now;
    }

    /// What follows the old rows, which have moved up by so many.
    fn written_on(&self, now: &Window, by: usize) -> String {
        let old = &self.last;
        let Some(cursor) = old.rows.last() else { return joined(&now.rows, false) };
        let place = (old.top + old.rows.len()).checked_sub(1 + by);
        let at = place.and_then(|place| place.checked_sub(now.top));
        let Some((at, row)) = at.and_then(|at| Some((at, now.rows.get(at)?))) else {
            // All of it has moved out of sight.
            return format!("\n\n{}", joined(&now.rows, false));
        };
        let mut text = match row.text.strip_prefix(&*cursor.text) {
            Some(rest) => rest.to_owned(),
            // A line that is written anew each time, as of a progress bar.
            None => format!("\n{}", row.text),
        };
        text.push_str(&joined(&now.rows[at..], true));
        text
    }

    /// The rows that were not there before.
    fn drawn_over(&self, now: &Window) -> String {
        let mut text = String::from("\n\n");
        for row in &now.rows {
            if !row.text.is_empty() && !self.known.contains(&row.text) {
                text.push_str(&row.text);
                if row.is_full {
                    continue;
                }
            }
            text.push('\n');
        }
        if text.trim().is_empty() { String::new() } else { text }
    }
}

/// By how many rows the old ones have moved up: the fewest with which all of them that are still to
/// be seen stand as they did, but for the cursor's. `None` where they do not.
fn moved_up(old: &Window, now: &Window) -> Option<usize> {
    let above = old.rows.len().saturating_sub(1);
    let pairs = |by: usize| {
        old.rows[..above].iter().enumerate().filter_map(move |(at, row)| {
            let place = (old.top + at).checked_sub(by)?.checked_sub(now.top)?;
            Some((row, now.rows.get(place)))
        })
    };
    // The cursor is below all of them as long as nothing is drawn over.
    let stands = |by: usize| {
        let is_cursor_below = old.top + above <= now.top + now.rows.len() - 1 + by;
        is_cursor_below && pairs(by).all(|(row, new)| new.is_some_and(|new| new.text == row.text))
    };
    let shows = |by: usize| pairs(by).any(|(row, _)| !row.text.is_empty());
    if now.rows.is_empty() {
        return None;
    }
    if stands(0) {
        return Some(0);
    }
    // Further up nothing of them is to be seen.
    let most = (old.top + above).saturating_sub(now.top);
    (1..=most).find(|&by| shows(by) && stands(by))
}

/// Rows as lines; without the first one's own text where that was told already.
fn joined(rows: &[Row], told: bool) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        if at > 0 && !rows[at - 1].is_full {
            text.push('\n');
        }
        if at > 0 || !told {
            text.push_str(&row.text);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 20;

    /// A screen as a console would have it that holds so many rows, with all that was written.
    fn screen(height: usize, written: &str) -> Window {
        let mut rows: Vec<Vec<u16>> = vec![Vec::new()];
        for letter in written.encode_utf16() {
            if letter == u16::from(b'\n') {
                rows.push(Vec::new());
                continue;
            }
            if rows.last().is_some_and(|row| row.len() == WIDTH) {
                rows.push(Vec::new());
            }
            rows.last_mut().unwrap().push(letter);
        }
        let gone = rows.len().saturating_sub(height);
        let padded = |row: &Vec<u16>| {
            let mut row = row.clone();
            row.resize(WIDTH, u16::from(b' '));
            Row::new(&row)
        };
        let rows: Vec<Row> = rows[gone..].iter().map(padded).collect();
        let is_at_start = rows.last().is_none_or(|row| row.text.is_empty());
        Window { width: WIDTH, top: 0, rows, is_at_start }
    }

    /// What is read of what a command writes piece by piece below `before`.
    fn heard(height: usize, before: &str, pieces: &[&str]) -> String {
        let mut reader = Reader::new(screen(height, before));
        let mut all = before.to_owned();
        let mut text = String::new();
        for piece in pieces {
            all.push_str(piece);
            text.push_str(&reader.read(screen(height, &all)));
        }
        text
    }

    const PROMPT: &str = "C:\\> old server\nport 3000 in use\nC:\\> proc run\n";

    #[test]
    fn only_what_is_new_is_read_whether_the_screen_moves_up_or_not() {
        for height in [100, 8, 6] {
            assert_eq!(heard(height, PROMPT, &["one\ntwo\n"]), "one\ntwo\n", "{height}");
            assert_eq!(heard(height, PROMPT, &["on", "e\n", "two", "\n"]), "one\ntwo\n");
            assert_eq!(heard(height, PROMPT, &[]), "");
            assert_eq!(heard(height, PROMPT, &["", ""]), "");
        }
    }

    #[test]
    fn a_line_that_the_screen_broke_is_one() {
        let long = "Error: listen EADDRINUSE: address already in use :::3000\nnext\n";
        for height in [100, 8] {
            assert_eq!(heard(height, PROMPT, &[long]), long, "{height}");
            let (one, other) = long.split_at(31);
            assert_eq!(heard(height, PROMPT, &[one, other]), long, "{height}");
        }
        // One that ends with the row is taken for broken: nothing tells.
        let exact = "12345678901234567890";
        assert_eq!(heard(100, "", &[exact, "\nnext"]), format!("{exact}next"));
    }

    #[test]
    fn what_an_earlier_command_wrote_is_never_read() {
        // All of the old has moved out of sight.
        let many: String = (0..40).map(|line| format!("line {line}\n")).collect();
        let text = heard(10, PROMPT, &[&many]);
        assert!(text.contains("line 39") && !text.contains("port 3000"), "{text}");
        // The screen is cleared, and drawn again as it was.
        let mut reader = Reader::new(screen(100, PROMPT));
        let cleared = reader.read(screen(100, "a menu\n"));
        assert_eq!(cleared.trim(), "a menu");
        assert_eq!(reader.read(screen(100, PROMPT)).trim(), "");
        assert_eq!(
            reader.read(screen(100, &format!("{PROMPT}port 4000 in use\n"))).trim(),
            "port 4000 in use"
        );
        // The same once more, on a cleared screen: it may be the old one's.
        let mut reader = Reader::new(screen(100, PROMPT));
        assert_eq!(reader.read(screen(100, "port 3000 in use\n")).trim(), "");
    }

    #[test]
    fn another_width_tells_nothing() {
        let mut reader = Reader::new(screen(100, PROMPT));
        let wide = Window { width: WIDTH + 1, ..screen(100, &format!("{PROMPT}x\n")) };
        assert_eq!(reader.read(wide.clone()), "");
        assert_eq!(reader.read(wide), "");
    }

    #[test]
    fn a_line_that_is_written_anew_is_read_each_time() {
        let mut reader = Reader::new(screen(100, PROMPT));
        let read =
            |reader: &mut Reader, line: &str| reader.read(screen(100, &format!("{PROMPT}{line}")));
        assert_eq!(read(&mut reader, "10 %"), "10 %");
        assert_eq!(read(&mut reader, "20 %"), "\n20 %");
        assert_eq!(read(&mut reader, "20 % in use"), " in use");
        assert_eq!(read(&mut reader, "20 % in use"), "");
    }

    #[test]
    fn a_window_of_a_long_buffer_goes_down_with_the_cursor() {
        let window = |from: usize, to: usize| Window {
            width: WIDTH,
            top: from,
            rows: (from..=to)
                .map(|row| Row { text: format!("row {row}"), is_full: false })
                .collect(),
            is_at_start: false,
        };
        let mut reader = Reader::new(window(0, 4));
        assert_eq!(reader.read(window(2, 6)), "\nrow 5\nrow 6");
        assert_eq!(reader.read(window(100, 101)), "\n\nrow 100\nrow 101");
        // Nothing at all can be read.
        assert_eq!(reader.read(Window { width: WIDTH, ..Window::default() }).trim(), "");
    }

    #[test]
    fn rows_are_read_as_they_come() {
        let units: Vec<u16> = "é x  \0".encode_utf16().collect();
        assert_eq!(Row::new(&units), Row { text: "é x".to_owned(), is_full: false });
        assert_eq!(Row::new(&[0xd800, 0x41]), Row { text: "\u{fffd}A".to_owned(), is_full: true });
        assert_eq!(Row::new(&[]), Row::default());
    }
}
