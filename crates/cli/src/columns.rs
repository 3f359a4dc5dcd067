//! `--columns` and `--csv`: what the commands that list have in common. Which columns there are
//! is said where they are rendered; nothing here shows one.

use clap::builder::ValueParser;
use proc_core::report::ErrorReport;

use crate::sanitize;

/// How a list is to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct TableArgs {
    /// Show these columns, in this order: pid,name,…; `help` names them all
    #[arg(
        long,
        value_name = "NAMES",
        value_parser = ValueParser::new(names),
        conflicts_with_all = ["json", "jsonl", "quiet"]
    )]
    pub columns: Option<Names>,
    /// Print CSV (RFC 4180): values as programs want them, every column unless some are chosen
    #[arg(long, conflicts_with_all = ["json", "jsonl", "quiet"])]
    pub csv: bool,
}

/// Names of columns as typed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

/// The columns of a command's list, for a person who is to choose some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is typed for it, and its heading in CSV.
    pub name: &'static str,
    /// What is in it.
    pub about: &'static str,
}

/// How a list is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As a table: of the columns at those places of the offer, or of the usual ones.
    Table(Option<Vec<usize>>),
    /// As CSV, likewise.
    Csv(Option<Vec<usize>>),
    /// As PIDs alone, a line each.
    Pids,
}

impl Default for Shape {
    fn default() -> Self {
        Self::Table(None)
    }
}

fn names(list: &str) -> Result<Names, String> {
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_lowercase()).collect();
    if names.iter().any(String::is_empty) {
        return Err("a name is empty; write it like `pid,name`".to_owned());
    }
    Ok(Names(names))
}

impl TableArgs {
    /// Whether the columns are to be told and nothing else.
    pub fn wants_offer(&self) -> bool {
        self.columns.as_ref().is_some_and(|names| names.0 == ["help"])
    }

    /// The shape, of the columns that there are.
    ///
    /// # Errors
    /// There is no such column, or one twice.
    pub fn shape(&self, command: &str, offers: &[Offer]) -> Result<Shape, ErrorReport> {
        let columns =
            self.columns.as_ref().map(|names| places(names, command, offers)).transpose()?;
        Ok(if self.csv { Shape::Csv(columns) } else { Shape::Table(columns) })
    }
}

/// Where the columns of those names stand in the offer.
///
/// # Errors
/// There is no such column, or one twice.
pub fn places(names: &Names, command: &str, offers: &[Offer]) -> Result<Vec<usize>, ErrorReport> {
    let mut places = Vec::new();
    for name in &names.0 {
        let shown = sanitize::text(name);
        match offers.iter().position(|offer| offer.name == name) {
            Some(at) if places.contains(&at) => {
                return Err(usage(format!("--columns has `{shown}` twice"), name));
            }
            Some(at) => places.push(at),
            None => {
                let known: Vec<&str> = offers.iter().map(|offer| offer.name).collect();
                let known = known.join(", ");
                let explain =
                    format!("`{shown}` is not a column of `proc {command}`; there are {known}");
                return Err(usage(explain, name));
            }
        }
    }
    Ok(places)
}

fn usage(explain: String, word: &str) -> ErrorReport {
    ErrorReport { kind: "usage".to_owned(), explain, word: Some(word.to_owned()), suggestion: None }
}

/// The columns, a line each: the answer to `--columns help`.
pub fn offer_text(offers: &[Offer]) -> String {
    let widest = offers.iter().map(|offer| offer.name.len()).max().unwrap_or(0);
    offers.iter().map(|offer| format!("{:widest$}  {}\n", offer.name, offer.about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: &[Offer] = &[
        Offer { name: "pid", about: "the number" },
        Offer { name: "name", about: "the program" },
        Offer { name: "port", about: "the port" },
    ];

    fn args(columns: &str, csv: bool) -> TableArgs {
        TableArgs { columns: Some(names(columns).unwrap()), csv }
    }

    #[test]
    fn columns_come_as_they_are_named() {
        let shape = |args: TableArgs| args.shape("ports", OFFERS).unwrap();
        assert_eq!(shape(args("port, PID", false)), Shape::Table(Some(vec![2, 0])));
        assert_eq!(shape(args("name", true)), Shape::Csv(Some(vec![1])));
        assert_eq!(shape(TableArgs::default()), Shape::Table(None));
        assert!(args("help", false).wants_offer());
        assert!(!args("help,pid", false).wants_offer());
    }

    #[test]
    fn what_cannot_be_chosen_is_one_sentence() {
        let refused = |columns| args(columns, false).shape("ports", OFFERS).unwrap_err().explain;
        assert_eq!(
            refused("pid,prot"),
            "`prot` is not a column of `proc ports`; there are pid, name, port"
        );
        assert_eq!(refused("pid,pid"), "--columns has `pid` twice");
        assert!(refused("a\x1bb").starts_with("`a\\x1bb` is not a column"));
        assert_eq!(names("pid,,name").unwrap_err(), "a name is empty; write it like `pid,name`");
        assert!(names("").is_err());
    }

    #[test]
    fn the_offer_is_a_line_a_column() {
        assert_eq!(offer_text(OFFERS), "pid   the number\nname  the program\nport  the port\n");
    }
}
