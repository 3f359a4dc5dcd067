//! A table that fits: on a terminal columns shrink and then go, the least important first; where
//! there is no width, everything is shown.

use std::borrow::Cow;

use super::page::{Fit, Line, Page, Role, cut_text, shown_columns};
use super::width::columns;
use crate::terminal::View;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// When it goes: 0 never, then the largest first.
    pub expendable: u8,
    /// How narrow it may become before it goes; `None` for never cut.
    pub least: Option<usize>,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell<'a> {
    /// Its colour.
    pub role: Role,
    /// Its text.
    pub text: Cow<'a, str>,
}

impl<'a> Cell<'a> {
    /// A cell in a role.
    pub fn new(role: Role, text: impl Into<Cow<'a, str>>) -> Self {
        Self { role, text: text.into() }
    }
}

impl From<Option<String>> for Cell<'_> {
    fn from(text: Option<String>) -> Self {
        text.unwrap_or_default().into()
    }
}

impl<'a> From<Option<Cow<'a, str>>> for Cell<'a> {
    fn from(text: Option<Cow<'a, str>>) -> Self {
        text.unwrap_or_default().into()
    }
}

impl<'a> From<Cow<'a, str>> for Cell<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::new(Role::Plain, text)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(Role::Plain, text)
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::new(Role::Plain, text)
    }
}

/// Columns and rows: every row has a cell for every column.
#[derive(Clone, Debug, Default)]
pub struct Table<'a> {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Cell<'a>>>,
    /// Whether the headings are shown.
    pub headings: bool,
    /// How far in it begins.
    pub indent: usize,
    /// Whether a column that is empty in every row is shown all the same: it was asked for.
    pub keeps_empty: bool,
}

const BETWEEN: usize = 2;

impl Table<'_> {
    /// Puts the table on a page.
    pub fn put(&self, page: &mut Page, view: &View) {
        let measured: Vec<Vec<usize>> = self.rows.iter().map(|row| measure(row, view)).collect();
        let widths = self.widths(&measured, view);
        if self.headings {
            let titles: Vec<Cell<'_>> =
                self.columns.iter().map(|column| Cell::new(Role::Dim, column.title)).collect();
            page.push(self.line(&titles, &measure(&titles, view), &widths, view));
        }
        for (row, measured) in self.rows.iter().zip(&measured) {
            page.push(self.line(row, measured, &widths, view));
        }
    }

    fn line(
        &self,
        row: &[Cell<'_>],
        measured: &[usize],
        widths: &[Option<usize>],
        view: &View,
    ) -> Line {
        let mut line = Line::new(self.indent).fit(Fit::Whole).with_room(total(widths));
        let mut pad = 0;
        for ((cell, &used), width) in row.iter().zip(measured).zip(widths) {
            let Some(width) = *width else { continue };
            line.pad(pad);
            if used <= width {
                line.push(cell.role, &cell.text);
                pad = width - used + BETWEEN;
            } else {
                let text = cut_text(&cell.text, width, view);
                line.push(cell.role, &text);
                pad = width.saturating_sub(columns(&text)) + BETWEEN;
            }
        }
        line
    }

    /// The width of each column, or `None` for one that is not shown: because it is empty in
    /// every row, or because there is no room.
    fn widths(&self, measured: &[Vec<usize>], view: &View) -> Vec<Option<usize>> {
        let mut widths: Vec<Option<usize>> =
            (0..self.columns.len()).map(|at| self.natural(at, measured)).collect();
        let Some(limit) = view.width else { return widths };
        let room = limit.saturating_sub(self.indent);
        while total(&widths) > room {
            let excess = total(&widths) - room;
            if !self.give_way(&mut widths, excess) {
                break;
            }
        }
        widths
    }

    /// Makes the most expendable column narrower if that is enough, or else takes it away; those
    /// that stay are narrowed as far as they go, the widest first. Whether anything gave way.
    fn give_way(&self, widths: &mut [Option<usize>], excess: usize) -> bool {
        let slack = |at: usize| widths[at]?.checked_sub(self.columns[at].least?).filter(|s| *s > 0);
        let shown = (0..widths.len()).filter(|at| widths[*at].is_some());
        let first = shown.clone().max_by_key(|at| self.columns[*at].expendable);
        match first.filter(|at| self.columns[*at].expendable > 0) {
            Some(at) => {
                let narrower = slack(at).filter(|slack| *slack >= excess);
                widths[at] = narrower.and(widths[at]).map(|width| width - excess);
                true
            }
            None => {
                let widest = shown.filter(|at| slack(*at).is_some()).max_by_key(|at| widths[*at]);
                let Some(at) = widest else { return false };
                let by = slack(at).unwrap_or(0).min(excess);
                widths[at] = widths[at].map(|width| width - by);
                true
            }
        }
    }

    fn natural(&self, at: usize, measured: &[Vec<usize>]) -> Option<usize> {
        let widest = measured.iter().map(|row| row[at]).max()?;
        let title = if self.headings { self.columns[at].title.len() } else { 0 };
        (widest > 0 || self.keeps_empty).then(|| widest.max(title))
    }
}

/// How many columns each cell takes where it is whole.
fn measure(row: &[Cell<'_>], view: &View) -> Vec<usize> {
    row.iter().map(|cell| shown_columns(&cell.text, view)).collect()
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + shown.count().saturating_sub(1) * BETWEEN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<'static> {
        Table {
            columns: vec![
                Column { title: "PORT", expendable: 0, least: None },
                Column { title: "NAME", expendable: 1, least: Some(4) },
                Column { title: "WHERE", expendable: 2, least: Some(6) },
            ],
            rows: vec![
                vec!["80".into(), "nginx".into(), "/var/www/html".into()],
                vec!["8080".into(), "服务器服务器".into(), "/".into()],
            ],
            headings: true,
            ..Table::default()
        }
    }

    fn at(width: Option<usize>) -> String {
        let view = View { width, ..View::plain() };
        let mut page = Page::default();
        table().put(&mut page, &view);
        page.render(&view)
    }

    #[test]
    fn it_is_whole_where_there_is_room() {
        let whole = "PORT  NAME          WHERE\n\
                     80    nginx         /var/www/html\n\
                     8080  服务器服务器  /\n";
        assert_eq!(at(None), whole);
        assert_eq!(at(Some(33)), whole);
    }

    #[test]
    fn columns_shrink_and_then_go() {
        assert_eq!(
            at(Some(28)),
            "PORT  NAME          WHERE\n\
             80    nginx         /var/ww…\n\
             8080  服务器服务器  /\n"
        );
        assert_eq!(at(Some(11)), "PORT  NAME\n80    nginx\n8080  服务…\n");
        assert_eq!(at(Some(5)), "PORT\n80\n8080\n");
    }

    #[test]
    fn signs_of_every_width_stand_in_line() {
        let names = ["👍🏽", "🇩🇪🇫🇷", "e\u{301}", "❤\u{fe0f}", "👨\u{200d}👩", "한국", "a\tb", ""];
        let table = Table {
            columns: vec![
                Column { title: "NAME", expendable: 0, least: Some(4) },
                Column { title: "X", expendable: 0, least: None },
            ],
            rows: names.iter().map(|name| vec![(*name).into(), "x".into()]).collect(),
            headings: true,
            ..Table::default()
        };
        let mut page = Page::default();
        table.put(&mut page, &View::plain());
        let text = page.render(&View::plain());
        for line in text.lines() {
            let (before, _) = line.rsplit_once(['x', 'X']).unwrap();
            assert_eq!(columns(before), "👨\\u{200d}👩  ".len() - 4, "{text}");
        }
        assert_eq!(text.lines().count(), names.len() + 1);
    }

    #[test]
    fn an_empty_column_is_shown_only_where_it_was_asked_for() {
        let mut table = Table { rows: vec![vec!["80".into(), "".into(), "/".into()]], ..table() };
        let shown = |table: &Table<'_>| {
            let mut page = Page::default();
            table.put(&mut page, &View::plain());
            page.render(&View::plain())
        };
        assert_eq!(shown(&table), "PORT  WHERE\n80    /\n");
        table.keeps_empty = true;
        assert_eq!(shown(&table), "PORT  NAME  WHERE\n80          /\n");
        table.rows.clear();
        assert_eq!(shown(&table), "");
    }
}
