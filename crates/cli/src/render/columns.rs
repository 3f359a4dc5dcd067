//! A list's columns by name: the same rows as a table for people and as CSV for programs.

use super::page::Page;
use super::table::{Cell, Column, Table};
use crate::columns::Offer;
use crate::sanitize;
use crate::terminal::View;

/// A column of a list whose rows are `R`s.
#[derive(Debug)]
pub struct Field<R> {
    /// What is typed for it, and what it holds.
    pub offer: Offer,
    /// How it stands in a table.
    pub column: Column,
    /// Whether it is shown where no columns are chosen. CSV has every column then.
    pub usual: bool,
    /// What a person reads.
    pub shown: for<'a> fn(&'a R, &View) -> Cell<'a>,
    /// What a program reads: whole and in the words of `--json`; empty where it is not known.
    pub value: fn(&R) -> String,
}

/// What is offered for `--columns`.
pub fn offers<R>(fields: &[Field<R>]) -> Vec<Offer> {
    fields.iter().map(|field| field.offer).collect()
}

/// Puts the rows on a page as a table of the chosen columns, or of the usual ones. Columns that
/// were chosen stay, also where they are empty or the terminal is narrow.
pub fn put<R>(
    page: &mut Page,
    fields: &[Field<R>],
    rows: &[R],
    chosen: Option<&[usize]>,
    view: &View,
) {
    let usual = || (0..fields.len()).filter(|at| fields[*at].usual).collect();
    let places: Vec<usize> = chosen.map_or_else(usual, <[usize]>::to_vec);
    let fields: Vec<&Field<R>> = places.iter().filter_map(|at| fields.get(*at)).collect();
    let column = |field: &&Field<R>| match chosen {
        Some(_) => Column { expendable: 0, ..field.column },
        None => field.column,
    };
    let table = Table {
        columns: fields.iter().map(column).collect(),
        rows: rows
            .iter()
            .map(|row| fields.iter().map(|field| (field.shown)(row, view)).collect())
            .collect(),
        headings: true,
        indent: 0,
        keeps_empty: chosen.is_some(),
    };
    table.put(page, view);
}

/// The rows as CSV (RFC 4180) with a line of names: the chosen columns, or all. A row is always
/// one line: what would end it, or do something to a terminal, is spelt out as in a table.
pub fn csv<R>(fields: &[Field<R>], rows: &[R], chosen: Option<&[usize]>) -> String {
    let all = || (0..fields.len()).collect();
    let places: Vec<usize> = chosen.map_or_else(all, <[usize]>::to_vec);
    let fields: Vec<&Field<R>> = places.iter().filter_map(|at| fields.get(*at)).collect();
    let mut text = String::new();
    record(&mut text, fields.iter().map(|field| field.offer.name.to_owned()));
    for row in rows {
        record(&mut text, fields.iter().map(|field| (field.value)(row)));
    }
    text
}

fn record(text: &mut String, values: impl Iterator<Item = String>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let value = sanitize::text(&value);
        if value.contains([',', '"']) || value.starts_with(' ') || value.ends_with(' ') {
            text.push('"');
            text.push_str(&value.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&value);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u16, &'static str);

    fn fields() -> [Field<Row>; 3] {
        let column = |title, expendable, least| Column { title, expendable, least };
        [
            Field {
                offer: Offer { name: "port", about: "the port" },
                column: column("PORT", 0, None),
                usual: true,
                shown: |row, _| format!("{}/tcp", row.0).into(),
                value: |row| row.0.to_string(),
            },
            Field {
                offer: Offer { name: "name", about: "the program" },
                column: column("NAME", 2, Some(4)),
                usual: true,
                shown: |row, _| row.1.into(),
                value: |row| row.1.to_owned(),
            },
            Field {
                offer: Offer { name: "nothing", about: "nothing" },
                column: column("NOTHING", 3, None),
                usual: false,
                shown: |_, _| Cell::default(),
                value: |_| String::new(),
            },
        ]
    }

    fn table(rows: &[Row], chosen: Option<&[usize]>, width: Option<usize>) -> String {
        let view = View { width, ..View::plain() };
        let mut page = Page::default();
        put(&mut page, &fields(), rows, chosen, &view);
        page.render(&view)
    }

    const ROWS: [Row; 2] = [(80, "nginx"), (3000, "a,\"b\"\n\x1b[2J=c")];

    #[test]
    fn a_table_has_the_columns_in_the_order_chosen() {
        assert_eq!(table(&ROWS[..1], None, None), "PORT    NAME\n80/tcp  nginx\n");
        assert_eq!(table(&ROWS[..1], Some(&[1, 0]), None), "NAME   PORT\nnginx  80/tcp\n");
        assert_eq!(table(&ROWS[..1], Some(&[2, 0]), None), "NOTHING  PORT\n         80/tcp\n");
        assert_eq!(table(&[], Some(&[0]), None), "");
    }

    #[test]
    fn chosen_columns_shrink_and_stay() {
        let rows = [(80, "a-rather-long-name")];
        assert_eq!(table(&rows, None, Some(8)), "PORT\n80/tcp\n");
        assert_eq!(table(&rows, Some(&[0, 1]), Some(8)), "PORT    NAME\n80/tcp  a-r…\n");
    }

    #[test]
    fn csv_has_a_line_a_row_and_every_value_whole() {
        assert_eq!(
            csv(&fields(), &ROWS, None),
            "port,name,nothing\r\n80,nginx,\r\n3000,\"a,\"\"b\"\"\\n\\x1b[2J=c\",\r\n"
        );
        assert_eq!(csv(&fields(), &ROWS[..1], Some(&[1])), "name\r\nnginx\r\n");
        assert_eq!(csv(&fields(), &[], None), "port,name,nothing\r\n");
        assert_eq!(csv(&fields(), &[(1, " a ")], Some(&[1])), "name\r\n\" a \"\r\n");
    }
}
