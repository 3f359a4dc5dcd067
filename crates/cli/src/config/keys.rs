//! The keys: what each means, which values it takes, and the variable that says the same.

use proc_core::report::{SettingOrigin as Origin, SettingValue};

use super::{Env, Setting};
use crate::cli::{COMMANDS, is_target};
use crate::columns::{Names, places};
use crate::render::columns_of;
use crate::split::split;
use crate::{duration, sanitize};
use proc_core::nearness::nearest;

/// A key with one value.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    kind: Kind,
    /// As TOML; empty where each command has its own.
    default: &'static str,
    /// As TOML, for the file that `proc config --default` prints.
    example: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Duration,
    OneOf(&'static [&'static str]),
    Flag,
    Command,
    Names,
}

const WHEN: Kind = Kind::OneOf(&["auto", "always", "never"]);

/// Every key that is not in a table.
pub const KEYS: &[Key] = &[
    Key {
        name: "grace",
        about: "how long kill and free wait before they force (--grace)",
        kind: Kind::Duration,
        default: "5s",
        example: "\"10s\"",
    },
    Key {
        name: "timeout",
        about: "how long an act may take as a whole (--timeout)",
        kind: Kind::Duration,
        default: "",
        example: "\"1m\"",
    },
    Key {
        name: "color",
        about: "when to colour (--color): auto, always, never",
        kind: WHEN,
        default: "auto",
        example: "\"never\"",
    },
    Key {
        name: "ascii",
        about: "ASCII characters only (--ascii)",
        kind: Kind::Flag,
        default: "false",
        example: "true",
    },
    Key {
        name: "hyperlinks",
        about: "links to HTTP ports on terminals that take them: auto, always, never",
        kind: WHEN,
        default: "auto",
        example: "\"never\"",
    },
    Key {
        name: "pager",
        about: "what shows an answer longer than the terminal; empty for none",
        kind: Kind::Command,
        default: "less -FRX",
        example: "\"less -FRX\"",
    },
    Key {
        name: "protect",
        about: "names of processes that are never acted on without --force",
        kind: Kind::Names,
        default: "[]",
        example: "[\"postgres\", \"dockerd\"]",
    },
];

/// The table of columns, a key a command.
pub const COLUMNS: &str = "columns";
/// The table of aliases.
pub const ALIAS: &str = "alias";

impl Key {
    /// The value where none is set.
    pub fn default(&self) -> Option<SettingValue> {
        Some(match self.kind {
            _ if self.default.is_empty() => return None,
            Kind::Flag => SettingValue::Flag(self.default == "true"),
            Kind::Names => SettingValue::List(Vec::new()),
            _ => SettingValue::Text(self.default.to_owned()),
        })
    }
}

/// The key of that name, as people may spell it.
pub fn key(name: &str) -> Option<&'static Key> {
    let name = if name == "colour" { "color" } else { name };
    KEYS.iter().find(|key| key.name == name)
}

/// What is wrong with a name that is none, in a sentence.
pub fn unknown(name: &str) -> String {
    let shown = sanitize::text(name);
    let names = KEYS.iter().map(|key| key.name).chain([COLUMNS, ALIAS, "colour"]);
    match nearest(name, names.clone()) {
        Some(meant) => format!("`{shown}` is not a setting; did you mean `{meant}`?"),
        None => {
            let known: Vec<&str> = names.filter(|name| *name != "colour").collect();
            format!("`{shown}` is not a setting; there are {}", known.join(", "))
        }
    }
}

/// The value, if the key takes it.
///
/// # Errors
/// What it takes, as a sentence.
pub fn checked(key: &Key, value: SettingValue) -> Result<SettingValue, String> {
    let name = key.name;
    match (key.kind, &value) {
        (Kind::Duration, SettingValue::Text(text)) => {
            duration::parse(text).map_err(|why| format!("{name}: {}", sanitize::text(&why)))?;
        }
        (Kind::OneOf(words), SettingValue::Text(text)) if words.contains(&text.as_str()) => {}
        (Kind::OneOf(words), _) => return Err(format!("{name} is one of {}", quoted(words))),
        (Kind::Flag, SettingValue::Flag(_)) => {}
        (Kind::Command, SettingValue::Text(text)) => {
            split(text).map_err(|why| format!("{name}: {why}"))?;
        }
        (Kind::Names, SettingValue::List(names)) => {
            if names.iter().any(|name| name.trim().is_empty()) {
                return Err(format!("{name} has an empty name"));
            }
        }
        (Kind::Duration, _) => return Err(format!("{name} is a duration such as \"5s\"")),
        (Kind::Flag, _) => return Err(format!("{name} is true or false")),
        (Kind::Command, _) => return Err(format!("{name} is a command such as \"less -FRX\"")),
        (Kind::Names, _) => return Err(format!("{name} is a list such as [\"postgres\"]")),
    }
    Ok(value)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// The columns that a command's list is to have, if it has them.
///
/// # Errors
/// What there is, as a sentence.
pub fn checked_columns(command: &str, names: &[String]) -> Result<SettingValue, String> {
    let Some(offers) = columns_of(command) else {
        let shown = sanitize::text(command);
        let lists: Vec<&str> =
            COMMANDS.iter().copied().filter(|name| columns_of(name).is_some()).collect();
        return Err(format!(
            "`{shown}` has no columns to choose; these have: {}",
            lists.join(", ")
        ));
    };
    let names: Vec<String> = names.iter().map(|name| name.trim().to_lowercase()).collect();
    let names = Names(names);
    places(&names, command, &offers).map_err(|error| error.explain)?;
    if names.0.is_empty() {
        return Err(format!("the columns of `{command}` are an empty list"));
    }
    Ok(SettingValue::List(names.0))
}

/// The words that an alias stands for, if it may.
///
/// # Errors
/// Why not, as a sentence.
pub fn checked_alias(name: &str, line: &str) -> Result<SettingValue, String> {
    let shown = sanitize::text(name);
    if COMMANDS.contains(&name) {
        return Err(format!("`{shown}` is a command, and an alias does not stand in for one"));
    }
    let is_word = |c: char| c.is_alphanumeric() || "-_".contains(c);
    if !name.chars().all(is_word) || name.starts_with('-') || name.is_empty() || is_target(name) {
        return Err(format!("`{shown}` cannot be typed as a command: use letters and `-`"));
    }
    let words = split(line).map_err(|why| format!("alias {shown}: {why}"))?;
    if words.is_empty() {
        return Err(format!("alias {shown} stands for nothing"));
    }
    Ok(SettingValue::List(words))
}

/// What the environment sets: PROC_GRACE, PROC_COLUMNS_PORTS and kin.
///
/// # Errors
/// A variable whose value is not one, as a sentence.
pub fn from_environment(env: Env<'_>) -> Result<Vec<Setting>, String> {
    let mut set = Vec::new();
    for (name, key) in variables() {
        let Some(text) = env(&name) else { continue };
        let text = text.into_string().map_err(|_| format!("{name} is not UTF-8"))?;
        // Empty is not set, except where empty says something.
        if text.is_empty() && !matches!(key.kind, Kind::Command | Kind::Names) {
            continue;
        }
        let value = checked(key, value_of(key, text)).map_err(|why| format!("{name}: {why}"))?;
        set.retain(|other: &Setting| other.key != key.name);
        set.push(Setting {
            key: key.name.to_owned(),
            value,
            origin: Origin::Environment,
            at: name,
        });
    }
    for command in COMMANDS.iter().filter(|name| env_has_columns(env, name)) {
        let name = columns_variable(command);
        let text = env(&name).and_then(|text| text.into_string().ok()).unwrap_or_default();
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        let value = checked_columns(command, &names).map_err(|why| format!("{name}: {why}"))?;
        let key = format!("{COLUMNS}.{command}");
        set.push(Setting { key, value, origin: Origin::Environment, at: name });
    }
    Ok(set)
}

fn variables() -> impl Iterator<Item = (String, &'static Key)> {
    let own = KEYS.iter().map(|key| (variable(key.name), key));
    key("colour").map(|key| ("PROC_COLOUR".to_owned(), key)).into_iter().chain(own)
}

/// The variable that sets a key.
pub fn variable(name: &str) -> String {
    format!("PROC_{}", name.to_uppercase())
}

fn columns_variable(command: &str) -> String {
    variable(&format!("{COLUMNS}_{command}"))
}

fn env_has_columns(env: Env<'_>, command: &str) -> bool {
    env(&columns_variable(command)).is_some_and(|value| !value.is_empty())
        && columns_of(command).is_some()
}

fn value_of(key: &Key, text: String) -> SettingValue {
    match (key.kind, text.to_ascii_lowercase().as_str()) {
        (Kind::Flag, "1" | "true" | "yes" | "on") => SettingValue::Flag(true),
        (Kind::Flag, "0" | "false" | "no" | "off") => SettingValue::Flag(false),
        (Kind::Names, "") => SettingValue::List(Vec::new()),
        (Kind::Names, _) => {
            SettingValue::List(text.split(',').map(|name| name.trim().to_owned()).collect())
        }
        _ => SettingValue::Text(text),
    }
}

/// A file with every key, commented out: what `proc config --default` prints.
pub fn example() -> String {
    let mut text = "# Settings of proc. The command line comes before the environment, and that before this file.\n"
        .to_owned();
    for key in KEYS {
        let default = match key.default() {
            None => String::new(),
            Some(SettingValue::Text(text)) => format!(" [default: \"{text}\"]"),
            Some(_) => format!(" [default: {}]", key.default),
        };
        text.push_str(&format!(
            "\n# {}{default}\n# Variable: {}\n# {} = {}\n",
            sentence(key.about),
            variable(key.name),
            key.name,
            key.example
        ));
    }
    text.push_str(
        "\n# The columns of a list; `proc ports --columns help` names them all.\n\
         # Variable: PROC_COLUMNS_PORTS\n\
         # [columns]\n# ports = [\"port\", \"name\", \"pid\", \"directory\"]\n\
         \n# Words of your own for a command line: `proc dev` is then `proc free :3000 --yes`.\n\
         # [alias]\n# dev = \"free :3000 --yes\"\n",
    );
    text
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
