//! The files of the last acts: one each, readable by this user alone, the oldest removed. What
//! they say is in `record`; the calls are the system's.

use std::io;
use std::path::{Path, PathBuf};

use super::record::{Act, FORMAT};
use crate::sys::ledger::{self, Ledger, Locked};
use crate::sys::{LiveHost, keep};

/// How many acts are kept.
pub const KEPT: usize = 10;
/// The longest file that is read, in bytes: environments may be long, and nobody's is longer.
const LONGEST: usize = 32 << 20;
/// How many others may take a number at the same time.
const TRIES: u64 = 100;

/// Why an act cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No directory is named for it.
    #[error("{}", ledger::NOWHERE)]
    Nowhere,
    /// The directory cannot be used.
    #[error("{path} cannot be used: {why}", path = path.display(), why = reason(source))]
    Directory {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no act of that number.
    #[error("there is no act {0}: `proc undo --list` has those that are kept")]
    NoSuchAct(u64),
    /// The file of an act cannot be read.
    #[error("{path} cannot be read: {why}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It was written by a later version of this program.
    #[error("{path} was written by a newer proc (format {format}; this one reads {FORMAT})", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

/// The state directory of this user: `$XDG_STATE_HOME`, else `~/.local/state`; root's own by way of
/// sudo. On Windows `%LOCALAPPDATA%`.
///
/// # Errors
/// [`StoreError::Nowhere`].
pub fn state_directory(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, StoreError> {
    ledger::state(variable).ok_or(StoreError::Nowhere)
}

/// The acts of this user.
#[derive(Debug)]
pub struct Store {
    base: PathBuf,
    ledger: Ledger,
}

impl Store {
    /// Opens it, and makes it where it is not there.
    ///
    /// # Errors
    /// [`StoreError::Directory`].
    pub fn make(base: &Path) -> Result<Self, StoreError> {
        Self::new(base, true)
    }

    /// Opens it; `None` where there is none yet.
    ///
    /// # Errors
    /// [`StoreError::Directory`].
    pub fn open(base: &Path) -> Result<Option<Self>, StoreError> {
        match Self::new(base, false) {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::Directory { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn new(base: &Path, make: bool) -> Result<Self, StoreError> {
        let ledger = Ledger::open(base, make)
            .map_err(|source| StoreError::Directory { path: base.to_owned(), source })?;
        Ok(Self { base: base.to_owned(), ledger })
    }

    /// Where its files are.
    pub fn path(&self) -> PathBuf {
        self.base.join("proc").join("undo")
    }

    /// The numbers of the acts that are kept, newest first.
    pub fn numbers(&self) -> Vec<u64> {
        let names = self.ledger.names();
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers
    }

    /// Keeps an act under the next number, which it gives back, and removes the oldest.
    ///
    /// # Errors
    /// [`StoreError::Directory`], as with a full disk: then nothing is left of it.
    pub fn add(&self, mut act: Act) -> Result<u64, StoreError> {
        let cannot = |source| StoreError::Directory { path: self.path(), source };
        let first = self.numbers().first().map_or(1, |last| last.saturating_add(1));
        for number in first..first.saturating_add(TRIES) {
            act.number = number;
            match self.ledger.create(&file_name(number), &text(&act)) {
                Ok(()) => {
                    self.prune();
                    return Ok(number);
                }
                // Another act took the number in the same moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot(error)),
            }
        }
        Err(cannot(io::ErrorKind::AlreadyExists.into()))
    }

    fn prune(&self) {
        let numbers = self.numbers();
        let Some(&oldest) = numbers.get(KEPT - 1) else { return };
        for name in self.ledger.names() {
            let number = number_of(&name).or_else(|| number_of_log(&name));
            if number.is_some_and(|number| number < oldest) {
                let _ = self.ledger.remove(&name);
            }
        }
    }

    /// Reads an act.
    ///
    /// # Errors
    /// [`StoreError`], but for its directory.
    pub fn read(&self, number: u64) -> Result<Act, StoreError> {
        let name = file_name(number);
        let path = self.path().join(&name);
        let damaged = |why: String| StoreError::Damaged { path: path.clone(), why };
        let bytes = self.ledger.read(&name, LONGEST).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NoSuchAct(number),
            _ => damaged(reason(&error)),
        })?;
        #[derive(serde::Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version = serde_json::from_slice(&bytes)
            .map_err(|_| damaged("it is damaged, or no file of proc".to_owned()))?;
        if version.format > FORMAT {
            return Err(StoreError::Newer { path: path.clone(), format: version.format });
        }
        let act: Act = serde_json::from_slice(&bytes)
            .map_err(|_| damaged("it is damaged, or no file of proc".to_owned()))?;
        match act.number == number {
            true => Ok(act),
            false => Err(damaged(format!("it is of act {}", act.number))),
        }
    }

    /// Writes what became of an act. The caller has [`Store::lock`]ed.
    ///
    /// # Errors
    /// [`StoreError::Directory`].
    pub(super) fn write(&self, act: &Act) -> Result<(), StoreError> {
        let written = self.ledger.replace(&file_name(act.number), &text(act));
        written.map_err(|source| StoreError::Directory { path: self.path(), source })
    }

    /// Keeps every other undo of this user out.
    pub(super) fn lock(&self) -> Result<Locked, StoreError> {
        let locked = self.ledger.lock();
        locked.map_err(|source| StoreError::Directory { path: self.path(), source })
    }

    /// The log of what is started again: its path, and the file to append to with its length.
    pub(super) fn log(&self, number: u64, item: usize) -> io::Result<(PathBuf, keep::Kept, u64)> {
        let name = format!("{number}-{}.log", item + 1);
        let (file, length) = self.ledger.log(&name)?;
        Ok((self.path().join(name), file, length))
    }
}

/// Whether processes can be started again here at all.
pub(super) const fn is_supported() -> bool {
    LiveHost::REVIVES
}

fn file_name(number: u64) -> String {
    format!("{number}.json")
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let number = digits.parse().ok()?;
    // Exactly the names that are given: not `+7`, not `007`.
    (file_name(number) == name).then_some(number)
}

fn number_of_log(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.split_once('-')?.0.parse().ok()
}

fn text(act: &Act) -> Vec<u8> {
    let mut text = serde_json::to_vec(act).expect("records have string keys and finite numbers");
    text.push(b'\n');
    text
}

/// The error without the number that Rust adds.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let cut = text.find(" (os error").unwrap_or(text.len());
    text[..cut].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_and_nothing_else() {
        for (name, want) in [
            ("7.json", Some(7)),
            ("18446744073709551615.json", Some(u64::MAX)),
            ("07.json", None),
            ("+7.json", None),
            ("7.json~", None),
            ("7-1.log", None),
            (".json", None),
        ] {
            assert_eq!(number_of(name), want, "{name}");
        }
        assert_eq!(number_of_log("7-2.log"), Some(7));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_state_directory_is_as_the_specification_says() {
        let of = |pairs: &[(&str, &str)]| {
            state_directory(&|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            })
        };
        let is = |pairs: &[(&str, &str)], want: &str| {
            assert_eq!(of(pairs).unwrap(), Path::new(want), "{pairs:?}");
        };
        is(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")], "/s");
        is(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")], "/h/.local/state");
        is(&[("HOME", "/h")], "/h/.local/state");
        assert!(matches!(of(&[("HOME", "h")]), Err(StoreError::Nowhere)));
        if keep::user() == 0 {
            let path = of(&[("SUDO_UID", "1000"), ("XDG_STATE_HOME", "/home/me/.s")]).unwrap();
            assert!(!path.starts_with("/home/me"), "{}", path.display());
        }
    }
}
