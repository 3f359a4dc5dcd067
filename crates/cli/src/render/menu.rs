//! The numbered ports that a person chooses from.

use super::page::{Line, Page, Role};
use super::table::{Cell, Column, Table};
use super::words;
use crate::menu::Choice;
use crate::terminal::View;

/// The choices with their numbers, and how many more there are.
pub fn menu(choices: &[(usize, &Choice<'_>)], more: usize, view: &View) -> String {
    let mut page = Page::default();
    let column = |title, expendable, least| Column { title, expendable, least };
    Table {
        columns: vec![
            column("", 0, None),
            column("PORT", 0, None),
            column("PROCESS", 0, Some(10)),
            column("PID", 0, None),
            column("AGE", 5, None),
            column("DIRECTORY", 6, Some(14)),
            column("COMMAND", 7, Some(20)),
        ],
        rows: choices.iter().map(|(number, choice)| row(*number, choice, view)).collect(),
        headings: true,
        indent: 0,
        keeps_empty: false,
    }
    .put(&mut page, view);
    if more > 0 {
        let text = format!("and {more} more: a part of a port, name or directory shows fewer");
        page.push(Line::new(0).with(Role::Dim, text));
    }
    page.render(view)
}

fn row<'a>(number: usize, choice: &'a Choice<'_>, view: &View) -> Vec<Cell<'a>> {
    let holder = choice.holder;
    let others = match choice.holders {
        0 | 1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    vec![
        Cell::new(Role::Strong, number.to_string()),
        choice.target.as_str().into(),
        Cell::new(Role::Strong, holder.map(|it| it.name.clone()).unwrap_or_default()),
        holder.map(|it| format!("{}{others}", it.pid)).into(),
        holder.and_then(|it| it.age_ms).map(words::span).into(),
        holder
            .and_then(|it| it.cwd.as_deref())
            .map(|cwd| words::path(cwd, view.home.as_deref()))
            .into(),
        holder.map(words::command).into(),
    ]
}
