//! The file's text, as settings; or what is wrong with it, and where.

use std::ops::Range;

use proc_core::report::{SettingOrigin as Origin, SettingValue};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Setting;
use super::keys::{
    ALIAS, COLUMNS, checked, checked_alias, checked_columns, key as key_named, unknown,
};
use crate::sanitize;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// At which byte.
    at: usize,
    /// What, in one sentence.
    pub explain: String,
}

impl Wrong {
    fn new(span: Option<Range<usize>>, explain: String) -> Self {
        Self { at: span.map_or(0, |span| span.start), explain }
    }

    /// The line and the column, from 1, in characters.
    pub fn place(&self, text: &str) -> (usize, usize) {
        place(text, self.at)
    }
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

/// What the file sets, in its order.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(text: &str) -> Result<Vec<Setting>, Wrong> {
    let table = DeTable::parse(text).map_err(|error| {
        let explain = format!("not TOML: {}", sanitize::text(error.message()));
        Wrong::new(error.span(), explain)
    })?;
    let mut set: Vec<Setting> = Vec::new();
    for (key, value) in in_order(table.get_ref()) {
        let name = key.get_ref().as_ref();
        let line = place(text, key.span().start).0;
        match name {
            COLUMNS | ALIAS => {
                let inner = value.get_ref().as_table().ok_or_else(|| {
                    let explain = format!("{name} is a table: `[{name}]` on a line of its own");
                    Wrong::new(Some(value.span()), explain)
                })?;
                for (key, value) in in_order(inner) {
                    let own = key.get_ref().as_ref();
                    let at = Some(key.span());
                    let line = place(text, key.span().start).0;
                    let value = of_table(name, own, value)
                        .map_err(|(span, explain)| Wrong::new(span.or(at), explain))?;
                    set.push(setting(format!("{name}.{own}"), value, line));
                }
            }
            _ => {
                let at = |span, explain| Wrong::new(Some(span), explain);
                let known = key_named(name).ok_or_else(|| at(key.span(), unknown(name)))?;
                let value = plain(value.get_ref())
                    .ok_or_else(|| format!("{name} has a value of a kind that no setting has"))
                    .and_then(|plain| checked(known, plain))
                    .map_err(|explain| at(value.span(), explain))?;
                if set.iter().any(|other| other.key == known.name) {
                    return Err(at(key.span(), format!("{} is set twice", known.name)));
                }
                set.push(setting(known.name.to_owned(), value, line));
            }
        }
    }
    Ok(set)
}

fn setting(key: String, value: SettingValue, line: usize) -> Setting {
    Setting { key, value, origin: Origin::File, at: format!("line {line}") }
}

type Entry<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<Entry<'a, 'i>> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn of_table(
    table: &str,
    name: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<SettingValue, (Option<Range<usize>>, String)> {
    let at_value = |explain| (Some(value.span()), explain);
    match (table, plain(value.get_ref())) {
        (COLUMNS, Some(SettingValue::List(names))) => {
            checked_columns(name, &names).map_err(|explain| (None, explain))
        }
        (COLUMNS, Some(SettingValue::Text(text))) => {
            let names: Vec<String> = text.split(',').map(str::to_owned).collect();
            checked_columns(name, &names).map_err(|explain| (None, explain))
        }
        (COLUMNS, _) => Err(at_value("columns are a list such as [\"port\", \"name\"]".to_owned())),
        (_, Some(SettingValue::Text(line))) => {
            checked_alias(name, &line).map_err(|explain| (None, explain))
        }
        _ => Err(at_value("an alias is a text such as \"free :3000 --yes\"".to_owned())),
    }
}

/// A value of a kind that some setting has.
fn plain(value: &DeValue<'_>) -> Option<SettingValue> {
    match value {
        DeValue::String(text) => Some(SettingValue::Text(text.as_ref().to_owned())),
        DeValue::Boolean(flag) => Some(SettingValue::Flag(*flag)),
        DeValue::Array(list) => {
            let text = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(str::to_owned);
            list.iter().map(text).collect::<Option<Vec<_>>>().map(SettingValue::List)
        }
        // A bare number would be a duration without its unit: said by the key's own check.
        DeValue::Integer(number) => Some(SettingValue::Text(number.as_str().to_owned())),
        _ => None,
    }
}
