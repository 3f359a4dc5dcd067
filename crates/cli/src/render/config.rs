//! `proc config` for people: a line a setting.

use proc_core::report::{ConfigReport, SettingOrigin as Origin, SettingReport, SettingValue};

use super::page::{Page, Role};
use super::table::{Cell, Column, Table};
use crate::terminal::View;

/// Puts the settings on a page.
pub fn put(page: &mut Page, report: &ConfigReport, view: &View) {
    let column = |title| Column { title, expendable: 0, least: None };
    let table = Table {
        columns: vec![column("SETTING"), column("VALUE"), column("FROM")],
        rows: report.settings.iter().map(|setting| row(setting, report)).collect(),
        headings: true,
        ..Table::default()
    };
    table.put(page, view);
}

fn row<'a>(setting: &'a SettingReport, report: &'a ConfigReport) -> Vec<Cell<'a>> {
    let value = match &setting.value {
        None => "each command's own".to_owned(),
        Some(SettingValue::Flag(flag)) => flag.to_string(),
        Some(SettingValue::Text(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(SettingValue::Text(text)) => text.clone(),
        Some(SettingValue::List(list)) if list.is_empty() => "none".to_owned(),
        Some(SettingValue::List(list)) if setting.key.starts_with("alias.") => {
            crate::sanitize::shell(list)
        }
        Some(SettingValue::List(list)) => list.join(", "),
    };
    let file = report.file.as_deref().unwrap_or_default();
    let from = match (setting.origin, &setting.at) {
        (Origin::Default, _) => "default".to_owned(),
        (Origin::File, Some(line)) => format!("{file}, {line}"),
        (Origin::Environment, Some(variable)) => variable.clone(),
        (_, None) => String::new(),
    };
    let role = if setting.origin == Origin::Default { Role::Dim } else { Role::Plain };
    vec![Cell::new(Role::Strong, setting.key.as_str()), value.into(), Cell::new(role, from)]
}

#[cfg(test)]
mod tests {
    use proc_core::report::SCHEMA;

    use super::*;

    #[test]
    fn each_is_told_with_where_it_comes_from() {
        let setting = |key: &str, value, origin, at: Option<&str>| SettingReport {
            key: key.to_owned(),
            value,
            origin,
            at: at.map(str::to_owned),
        };
        let text = |text: &str| Some(SettingValue::Text(text.to_owned()));
        let list = |words: &[&str]| {
            Some(SettingValue::List(words.iter().map(|word| (*word).to_owned()).collect()))
        };
        let report = ConfigReport {
            schema: SCHEMA,
            command: "config".to_owned(),
            ok: true,
            file: Some("/c.toml".to_owned()),
            settings: vec![
                setting("grace", text("1s"), Origin::Environment, Some("PROC_GRACE")),
                setting("timeout", None, Origin::Default, None),
                setting("pager", text(""), Origin::File, Some("line 3")),
                setting("protect", list(&[]), Origin::Default, None),
                setting("alias.a", list(&["on", "a b\x1b"]), Origin::File, Some("line 5")),
            ],
            error: None,
        };
        let mut page = Page::default();
        put(&mut page, &report, &View::plain());
        assert_eq!(
            page.render(&View::plain()),
            "\
             SETTING  VALUE               FROM\n\
             grace    1s                  PROC_GRACE\n\
             timeout  each command's own  default\n\
             pager    \"\"                  /c.toml, line 3\n\
             protect  none                default\n\
             alias.a  on $'a b\\x1b'       /c.toml, line 5\n"
        );
    }
}
