//! A page of lines with roles, and how it becomes text: cleaned, fitted to the width, coloured.
//! Everything that is shown to a person passes through here, so nothing hostile gets by.

use super::width::{advances, columns};
use crate::sanitize;
use crate::terminal::View;
use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

/// What a piece of text is, which decides its colour. The words say the same without colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Text.
    #[default]
    Plain,
    /// The subject.
    Strong,
    /// Beside the point.
    Dim,
    /// Held; failed.
    Held,
    /// Free; done.
    Free,
    /// Passes by itself.
    Lingering,
    /// Not permitted.
    Denied,
    /// A port that a browser can be sent to: a link where the terminal takes them. It leads to a
    /// number on this machine, so no hostile text is ever a link.
    Web {
        /// The port.
        port: u16,
        /// Whether by TLS.
        secure: bool,
    },
}

impl Role {
    const fn style(self) -> Style {
        match self {
            Self::Plain | Self::Web { .. } => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Held => bold(AnsiColor::Red),
            Self::Free => bold(AnsiColor::Green),
            Self::Lingering => bold(AnsiColor::Yellow),
            Self::Denied => bold(AnsiColor::Magenta),
        }
    }
}

const fn bold(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour))).bold()
}

/// What becomes of a line that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// It goes on below, indented.
    #[default]
    Wrap,
    /// It is cut, with `…`.
    Cut,
    /// It stays: somebody will copy it.
    Whole,
}

/// One line: pieces of text with their roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    indent: usize,
    fit: Fit,
    /// The text of all pieces: a list has thousands of lines, so each is in one place.
    text: String,
    /// Where each piece ends in it. None is empty, and neighbours differ in their roles.
    pieces: Vec<(Role, usize)>,
}

impl Line {
    /// An empty line that begins that many columns in.
    pub fn new(indent: usize) -> Self {
        Self { indent, ..Self::default() }
    }

    /// With that fit.
    pub const fn fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// With a piece more.
    pub fn with(mut self, role: Role, text: impl AsRef<str>) -> Self {
        self.push(role, text);
        self
    }

    /// With a plain piece more.
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.with(Role::Plain, text)
    }

    /// Adds a piece.
    pub fn push(&mut self, role: Role, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.end_piece(role);
    }

    /// Adds that many spaces.
    pub fn pad(&mut self, columns: usize) {
        self.text.extend(std::iter::repeat_n(' ', columns));
        self.end_piece(Role::Plain);
    }

    /// With room for so many bytes of text.
    pub fn with_room(mut self, bytes: usize) -> Self {
        self.text.reserve_exact(bytes);
        self
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn end_piece(&mut self, role: Role) {
        let end = self.text.len();
        match self.pieces.last_mut() {
            Some((last, at)) if *last == role => *at = end,
            Some((_, at)) if *at == end => {}
            None if end == 0 => {}
            _ => self.pieces.push((role, end)),
        }
    }

    /// The pieces up to that byte of the text.
    fn pieces_to(&self, end: usize) -> impl Iterator<Item = (Role, &str)> {
        let mut begin = 0;
        self.pieces.iter().map_while(move |&(role, at)| {
            let piece = (begin < end).then(|| (role, &self.text[begin..at.min(end)]));
            begin = at;
            piece
        })
    }
}

/// Lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    lines: Vec<Line>,
}

impl Page {
    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds an empty line, unless there is one already or nothing is above it.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Line::default());
        }
    }

    /// The text, every line ended.
    pub fn render(&self, view: &View) -> String {
        let mut lines: &[Line] = &self.lines;
        while let [rest @ .., last] = lines
            && last.is_empty()
        {
            lines = rest;
        }
        let room = |line: &Line| line.indent + line.text.len() + 1;
        let mut out = String::with_capacity(lines.iter().map(room).sum());
        for line in lines {
            render_line(&mut out, line, view);
        }
        out
    }
}

/// A character with the role of its piece.
type Cell = (Role, char);

fn render_line(out: &mut String, line: &Line, view: &View) {
    let limit = view.width.unwrap_or(usize::MAX);
    if is_as_it_is(line, view) {
        return emit_as_it_is(out, line, view);
    }
    let cells: Vec<Cell> = line
        .pieces_to(line.text.len())
        .flat_map(|(role, text)| {
            let shown: Vec<Cell> = clean(text, view).chars().map(|c| (role, c)).collect();
            shown
        })
        .collect();
    match line.fit {
        Fit::Whole => emit(out, line.indent, &cells, view),
        Fit::Cut => {
            let room = limit.saturating_sub(line.indent);
            emit(out, line.indent, &cut(cells, room, view.ascii), view);
        }
        Fit::Wrap => wrap(out, line.indent, &cells, limit, view),
    }
}

/// Whether nothing of a line has to be cleaned, cut or wrapped: nearly every line of a long list.
fn is_as_it_is(line: &Line, view: &View) -> bool {
    let fits = |limit| line.text.is_ascii() && line.text.len() + line.indent <= limit;
    matches!(clean(&line.text, view), Cow::Borrowed(_))
        && (line.fit == Fit::Whole || view.width.is_none_or(fits))
}

/// As [`emit`], of such a line.
fn emit_as_it_is(out: &mut String, line: &Line, view: &View) {
    let end = line.text.trim_end_matches(' ').len();
    if end > 0 {
        out.extend(std::iter::repeat_n(' ', line.indent));
    }
    for (role, text) in line.pieces_to(end) {
        begin(out, role, view);
        out.push_str(text);
        self::end(out, role, view);
    }
    out.push('\n');
}

/// What comes before text of that role: its colour, or where a link leads.
fn begin(out: &mut String, role: Role, view: &View) {
    match role {
        Role::Plain => {}
        // OSC 8, ended by ST: the form that every terminal with links takes.
        Role::Web { port, secure } if view.links => {
            let scheme = if secure { "https" } else { "http" };
            out.push_str(&format!("\x1b]8;;{scheme}://localhost:{port}\x1b\\"));
        }
        Role::Web { .. } => {}
        _ if view.color => out.push_str(&role.style().render().to_string()),
        _ => {}
    }
}

/// What comes after it.
fn end(out: &mut String, role: Role, view: &View) {
    match role {
        Role::Plain => {}
        Role::Web { .. } if view.links => out.push_str("\x1b]8;;\x1b\\"),
        Role::Web { .. } => {}
        _ if view.color => out.push_str(&role.style().render_reset().to_string()),
        _ => {}
    }
}

fn clean<'a>(text: &'a str, view: &View) -> Cow<'a, str> {
    match sanitize::text(text) {
        safe if view.ascii && !safe.is_ascii() => Cow::Owned(sanitize::ascii(&safe).into_owned()),
        safe => safe,
    }
}

/// How many columns each cell takes.
fn widths(cells: &[Cell]) -> Vec<usize> {
    let chars: Vec<char> = cells.iter().map(|(_, c)| *c).collect();
    advances(&chars)
}

/// How many columns a raw text takes once it is shown.
pub fn shown_columns(text: &str, view: &View) -> usize {
    columns(&clean(text, view))
}

const fn ellipsis(ascii: bool) -> &'static str {
    if ascii { "..." } else { "…" }
}

fn cut(mut cells: Vec<Cell>, room: usize, ascii: bool) -> Vec<Cell> {
    let widths = widths(&cells);
    if widths.iter().sum::<usize>() <= room {
        return cells;
    }
    let sign = ellipsis(ascii);
    let room = room.saturating_sub(columns(sign));
    let mut used = 0;
    let keep = widths.iter().position(|width| {
        used += width;
        used > room
    });
    cells.truncate(keep.unwrap_or(cells.len()));
    let role = cells.last().map_or(Role::Plain, |(role, _)| *role);
    cells.extend(sign.chars().map(|c| (role, c)));
    cells
}

/// The text cut to that many columns, as it is shown.
pub fn cut_text<'a>(text: &'a str, room: usize, view: &View) -> Cow<'a, str> {
    let text = clean(text, view);
    if columns(&text) <= room {
        return text;
    }
    let cells = text.chars().map(|c| (Role::Plain, c)).collect();
    Cow::Owned(cut(cells, room, view.ascii).into_iter().map(|(_, c)| c).collect())
}

fn wrap(out: &mut String, indent: usize, cells: &[Cell], limit: usize, view: &View) {
    let hang = indent + 2;
    let mut indent = indent;
    let mut rest = cells;
    loop {
        let (end, next) = line_end(rest, limit.saturating_sub(indent).max(1));
        emit(out, indent, &rest[..end], view);
        if next >= rest.len() {
            return;
        }
        rest = &rest[next..];
        indent = hang;
    }
}

/// Where a line of that room ends, and where the next begins: at a blank, or within a word that
/// is longer than a line.
fn line_end(cells: &[Cell], room: usize) -> (usize, usize) {
    let mut used = 0;
    let mut blank = None;
    let widths = widths(cells);
    for (at, ((_, c), width)) in cells.iter().zip(widths).enumerate() {
        used += width;
        if *c == ' ' {
            // A blank may stand beyond the edge: it is not printed there.
            if at > 0 {
                blank = Some(at);
            }
            continue;
        }
        if used > room && at > 0 {
            return blank.map_or((at, at), |blank| (blank, blank + 1));
        }
    }
    (cells.len(), cells.len())
}

fn emit(out: &mut String, indent: usize, cells: &[Cell], view: &View) {
    let last = cells.iter().rposition(|(_, c)| *c != ' ').map_or(0, |at| at + 1);
    let cells = &cells[..last];
    if !cells.is_empty() {
        out.extend(std::iter::repeat_n(' ', indent));
    }
    let mut rest = cells;
    while let Some((role, _)) = rest.first() {
        let run = rest.iter().position(|(other, _)| other != role).unwrap_or(rest.len());
        begin(out, *role, view);
        out.extend(rest[..run].iter().map(|(_, c)| *c));
        end(out, *role, view);
        rest = &rest[run..];
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(width: usize) -> View {
        View { width: Some(width), ..View::plain() }
    }

    fn render(line: Line, view: &View) -> String {
        let mut page = Page::default();
        page.push(line);
        page.render(view)
    }

    #[test]
    fn lines_that_fit_are_as_those_that_are_put_together_sign_by_sign() {
        for color in [false, true] {
            let view = View { color, width: Some(200), ..View::plain() };
            for text in ["", "  ", "a b  ", "x\u{1b}y", "é 服务器 "] {
                let line = Line::new(2)
                    .with(Role::Strong, text)
                    .with(Role::Strong, "end ")
                    .with(Role::Plain, text)
                    .with(Role::Dim, text);
                let line = line.fit(Fit::Whole);
                let mut quick = String::new();
                render_line(&mut quick, &line, &view);
                let cells: Vec<Cell> = line
                    .pieces_to(line.text.len())
                    .flat_map(|(role, text)| {
                        clean(text, &view).chars().map(|c| (role, c)).collect::<Vec<Cell>>()
                    })
                    .collect();
                let mut slow = String::new();
                emit(&mut slow, 2, &cells, &view);
                assert_eq!(quick, slow, "{text:?}");
            }
        }
    }

    #[test]
    fn long_lines_go_on_below() {
        let line = Line::new(0).text("one two three four");
        assert_eq!(render(line.clone(), &at(10)), "one two\n  three\n  four\n");
        assert_eq!(render(line, &View::plain()), "one two three four\n");
        assert_eq!(render(Line::new(0).text("abcdefghij"), &at(4)), "abcd\n  ef\n  gh\n  ij\n");
    }

    #[test]
    fn lines_are_cut_by_columns_and_not_by_characters() {
        let line = Line::new(2).fit(Fit::Cut).text("日本語日本語");
        assert_eq!(render(line.clone(), &at(9)), "  日本語…\n");
        assert_eq!(render(line.clone(), &at(14)), "  日本語日本語\n");
        assert_eq!(render(line, &View::plain()), "  日本語日本語\n");
        let view = View { ascii: true, ..at(10) };
        assert_eq!(render(Line::new(0).fit(Fit::Cut).text("abcdefghijkl"), &view), "abcdefg...\n");
    }

    #[test]
    fn commands_stay_whole() {
        let line = Line::new(2).fit(Fit::Whole).text("proc free :3000");
        assert_eq!(render(line, &at(5)), "  proc free :3000\n");
    }

    #[test]
    fn colour_wraps_the_piece_alone() {
        let view = View { color: true, ..View::plain() };
        let line = Line::new(1).text("a ").with(Role::Held, "b").text(" c");
        assert_eq!(render(line, &view), " a \x1b[1m\x1b[31mb\x1b[0m c\n");
    }

    #[test]
    fn a_link_is_around_its_piece_where_links_are_taken() {
        let web = Role::Web { port: 3000, secure: false };
        let line = Line::new(0).with(web, "3000").text(" x");
        assert_eq!(render(line.clone(), &View::plain()), "3000 x\n");
        let view = View { links: true, ..View::plain() };
        let linked = "\x1b]8;;http://localhost:3000\x1b\\3000\x1b]8;;\x1b\\ x\n";
        assert_eq!(render(line.clone(), &view), linked);
        assert_eq!(render(line, &View { color: true, ..view }), linked);
    }

    #[test]
    fn hostile_text_is_shown_and_not_obeyed() {
        let line = Line::new(0).text("a\x1b[31m\u{202e}b\nc");
        assert_eq!(render(line, &View::plain()), "a\\x1b[31m\\u{202e}b\\nc\n");
    }

    proptest! {
        #[test]
        fn nothing_hostile_and_nothing_too_wide(raw in any::<String>(), width in 20..60usize) {
            for fit in [Fit::Wrap, Fit::Cut] {
                let text = render(Line::new(2).fit(fit).text(raw.clone()), &at(width));
                for line in text.lines() {
                    prop_assert!(!line.contains(sanitize::is_hostile));
                    prop_assert!(columns(line) <= width, "{line:?}");
                }
            }
        }
    }
}
