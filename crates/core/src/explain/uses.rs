//! Sentences about who uses a file.

use super::count;
use crate::file_use::{Access, FileKind, FileSeen, FileUse, FilesSeen, Standing, Usage};

/// How a process uses a file, as what follows its name. Where several files were asked about, each
/// is named.
pub fn file_use(file: &FileSeen, each: &FileUse, several: bool) -> String {
    let named = each.path.as_deref().or_else(|| several.then_some(file.path.as_str()));
    let it = named.unwrap_or("it");
    let text = match each.usage {
        Usage::Executable => format!("runs {it}"),
        Usage::Script => format!("runs {it} as a script"),
        Usage::WorkingDirectory => format!("works in {it}"),
        Usage::RootDirectory => format!("has {it} as its root directory"),
        Usage::Mapped => format!("has {it} mapped"),
        Usage::Descriptor { fd, access, locked } => {
            let what = match access {
                Some(Access::Read) => " to read",
                Some(Access::Write) => " to write",
                Some(Access::ReadWrite) => " to read and write",
                Some(Access::Path) => " by name only",
                None => "",
            };
            let lock = if locked { " and locked" } else { "" };
            format!("has {it} open{what}{lock} (descriptor {fd})")
        }
        Usage::Socket { fd } => format!("has the socket of {it} (descriptor {fd})"),
    };
    match (each.deleted, named, file.standing) {
        (false, ..) => text,
        // What is there now is another file.
        (true, None, Standing::There(_)) => format!("{text}: an older file of that path"),
        (true, ..) => format!("{text}, which was removed"),
    }
}

/// Why nobody uses any of the files.
pub fn no_file_user(seen: &FilesSeen) -> String {
    if let [file] = seen.files.as_slice() {
        return match file.standing {
            Standing::There(FileKind::Directory) => {
                format!("no process works in {} or has it open", file.path)
            }
            Standing::There(FileKind::File) => {
                format!("no process runs {} or has it open", file.path)
            }
            Standing::There(kind) => {
                format!("no process has the {} {} open", kind.name(), file.path)
            }
            _ if seen.by_path_only => {
                format!("no process of the recording runs {0} or works in it", file.path)
            }
            _ => {
                format!("there is no {}, and no process has a removed file of that path", file.path)
            }
        };
    }
    let missing: Vec<&str> = missing(seen).collect();
    match missing.as_slice() {
        [] => "no process uses any of these files".to_owned(),
        paths => {
            format!("no process uses any of these files; there is no {}", paths.join(" and no "))
        }
    }
}

fn missing(seen: &FilesSeen) -> impl Iterator<Item = &str> {
    let gone = |file: &&FileSeen| file.standing == Standing::Missing;
    seen.files.iter().filter(gone).map(|file| file.path.as_str())
}

/// What else is to be known of files that somebody uses.
pub fn files_in_use(seen: &FilesSeen) -> Vec<String> {
    let mut notes = Vec::new();
    if seen.by_path_only {
        notes.push(
            "a recording tells what processes run and where they work, not what they have open"
                .to_owned(),
        );
        return notes;
    }
    let used = |file: &&FileSeen| !file.uses.is_empty();
    for file in seen.files.iter().filter(used) {
        let old = file.uses.iter().filter(|each| each.deleted && each.path.is_none()).count();
        match file.standing {
            Standing::Missing => notes.push(format!(
                "{} was removed, and its room on the disk is free only when nobody uses it",
                file.path
            )),
            Standing::There(_) if old > 0 => notes.push(format!(
                "{} of an older file: {} was replaced since",
                count(old, "use is", "uses are"),
                file.path
            )),
            _ => {}
        }
    }
    notes
}

/// That a path may not be followed.
pub fn file_denied(path: &str) -> String {
    format!("you may not look up {path}: a directory on the way is closed to you; try it with sudo")
}

/// That the system does not take a path.
pub fn file_failed(path: &str, error: i32) -> String {
    let why = match error {
        40 => "its links go in a circle".to_owned(),
        36 => "it is longer than paths can be".to_owned(),
        5 | 112 | 116 => "the disk or file server it is on does not answer".to_owned(),
        error => format!("the system refused with error {error}"),
    };
    format!("{path} cannot be looked up: {why}")
}

/// That this system cannot say who uses a file.
pub const fn no_file_uses() -> &'static str {
    "this system cannot tell who uses a file"
}
