//! What a person has set for good: in a file, or in the environment. The command line has the last
//! word, then the environment, then the file. What a broken file means is decided here: looking
//! goes on without it, acting does not, as it may name what is never to be acted on.

mod keys;
mod place;
mod toml;

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use proc_core::report::{
    ConfigReport, ErrorReport, SCHEMA, SettingOrigin as Origin, SettingReport, SettingValue,
};

pub use keys::{ALIAS, KEYS, example, variable};

use crate::{output, sanitize};

/// A variable of the environment.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What is set, and where that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The file, whether it is there or not.
    pub file: Option<PathBuf>,
    /// What is wrong with the file or a variable; then nothing is set at all.
    pub problem: Option<ErrorReport>,
    set: Vec<Setting>,
}

/// A key that was given a value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    /// `grace`, or of a table `columns.ports`.
    key: String,
    value: SettingValue,
    origin: Origin,
    /// The line of the file, or the variable.
    at: String,
}

/// No file is larger: what is, was not written by a person.
const LARGEST: u64 = 1 << 20;

impl Settings {
    /// Reads the file and the environment. Costs one failed open where there is no file.
    pub fn load(env: Env<'_>) -> Self {
        let file = place::file(env);
        let read = match &file {
            Some(file) => from_file(file, env("PROC_CONFIG").is_some(), env),
            None => Ok(Vec::new()),
        };
        match read.and_then(|mut set| {
            for setting in keys::from_environment(env)? {
                set.retain(|other| other.key != setting.key);
                set.push(setting);
            }
            Ok(set)
        }) {
            Ok(set) => Self { file, problem: None, set },
            Err(explain) => {
                let problem =
                    ErrorReport { kind: "usage".to_owned(), explain, word: None, suggestion: None };
                Self { file, problem: Some(problem), set: Vec::new() }
            }
        }
    }

    fn get(&self, key: &str) -> Option<&SettingValue> {
        self.set.iter().find(|setting| setting.key == key).map(|setting| &setting.value)
    }

    /// The text that a key was set to.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            SettingValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a key was set to yes.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(SettingValue::Flag(true)))
    }

    /// The list that a key was set to; empty where it was not.
    pub fn list(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(SettingValue::List(list)) => list,
            _ => &[],
        }
    }

    /// Whether a key's value is from the file: the environment of other programs comes before it.
    pub fn is_from_file(&self, key: &str) -> bool {
        self.set.iter().any(|setting| setting.key == key && setting.origin == Origin::File)
    }

    /// The words that an alias stands for.
    pub fn alias(&self, name: &str) -> Option<&[String]> {
        let key = format!("{ALIAS}.{name}");
        matches!(self.get(&key), Some(SettingValue::List(_))).then(|| self.list(&key))
    }

    /// The names of the aliases.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.set.iter().filter_map(|setting| setting.key.strip_prefix(ALIAS)?.strip_prefix('.'))
    }

    /// Every key with its value and where that comes from.
    pub fn report(&self) -> ConfigReport {
        let mut settings: Vec<SettingReport> = KEYS
            .iter()
            .map(|key| match self.set.iter().find(|setting| setting.key == key.name) {
                Some(setting) => told(setting),
                None => SettingReport {
                    key: key.name.to_owned(),
                    value: key.default(),
                    origin: Origin::Default,
                    at: None,
                },
            })
            .collect();
        let is_of_table = |setting: &&Setting| setting.key.contains('.');
        settings.extend(self.set.iter().filter(is_of_table).map(told));
        ConfigReport {
            schema: SCHEMA,
            command: "config".to_owned(),
            ok: true,
            file: self.file.as_ref().map(|file| file.to_string_lossy().into_owned()),
            settings,
            error: None,
        }
    }
}

fn told(setting: &Setting) -> SettingReport {
    SettingReport {
        key: setting.key.clone(),
        value: Some(setting.value.clone()),
        origin: setting.origin,
        at: Some(setting.at.clone()),
    }
}

/// What the file sets. A file that nobody named need not be there.
fn from_file(file: &Path, was_named: bool, env: Env<'_>) -> Result<Vec<Setting>, String> {
    let path = file.to_string_lossy();
    let path = sanitize::text(&path);
    let cannot = |why: &str| format!("cannot read {path}: {why}");
    let opened = match std::fs::File::open(file) {
        Ok(opened) => opened,
        Err(error) if !was_named && is_absent(&error) => return Ok(Vec::new()),
        Err(error)
            if !was_named
                && error.kind() == ErrorKind::PermissionDenied
                && place::is_of_another_user(env) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(cannot(&output::reason(&error))),
    };
    let mut bytes = Vec::new();
    let read = opened.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| cannot(&output::reason(&error)))?;
    if bytes.len() as u64 > LARGEST {
        return Err(cannot("it is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| cannot("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    toml::read(text).map_err(|wrong| {
        let (line, column) = wrong.place(text);
        format!("{path}:{line}:{column}: {}", wrong.explain)
    })
}

/// Neither the file nor a directory of that name is there.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
