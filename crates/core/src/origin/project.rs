//! The project of a process: the work tree of git that it was started for. Which directory is in
//! which work tree was looked up before ([`crate::host::Host::work_trees`]).

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::origin::agent;
use crate::origin::line::Line;
use crate::snapshot::Snapshot;
use crate::supervisor::is_interactive_shell;
use crate::windows::path::is_whole;

/// Marks that name the directory in which a process, or the wrapper that started it, was started.
const PLACES: &[&str] = &["INIT_CWD", "npm_config_local_prefix", "npm_package_json", "PWD"];

/// The longest path that a mark may name: PATH_MAX (limits.h).
const LONGEST: usize = 4096;

/// The work tree that a directory is in.
pub(super) fn at<'a>(directory: &str, snapshot: &'a Snapshot) -> Option<Cow<'a, str>> {
    snapshot.projects.get(directory).map(|project| Cow::Borrowed(project.as_str()))
}

/// The project of a line's first process.
pub(super) fn of(line: &Line<'_>, snapshot: &Snapshot) -> Option<String> {
    let found = places(line, snapshot).find_map(|place| at(&place, snapshot));
    found.map(Cow::into_owned)
}

/// All directories whose work trees tell whose these processes are: theirs, those of compose
/// projects, and first of all, where `mine`, the asker's.
pub(crate) fn directories(pids: &[u32], mine: bool, snapshot: &Snapshot) -> Vec<String> {
    let mut wanted: Vec<Cow<'_, str>> = match mine {
        true => places(&Line::asker(snapshot), snapshot).collect(),
        false => Vec::new(),
    };
    for line in pids.iter().filter_map(|&pid| Line::of(pid, snapshot)) {
        if !line.is_boxed(snapshot) {
            wanted.extend(places(&line, snapshot));
        }
    }
    let composed = snapshot.containers.iter().filter_map(|facts| facts.compose.as_ref());
    wanted.extend(composed.filter_map(|part| part.directory.as_deref()).map(Cow::Borrowed));
    let mut seen = BTreeSet::new();
    wanted.retain(|place| is_a_place(place) && seen.insert(place.clone()));
    wanted.into_iter().map(Cow::into_owned).collect()
}

/// Where to look for a process's project, best first: its working directory; those of the
/// wrappers that started it, as far as the agent above them (a shell that somebody types into
/// has gone elsewhere since); and where a server has gone to `/`, what its environment says of
/// where it was started.
fn places<'a>(line: &Line<'a>, snapshot: &'a Snapshot) -> impl Iterator<Item = Cow<'a, str>> {
    let mut places: Vec<Cow<'a, str>> = Vec::new();
    for (depth, process) in line.iter().enumerate() {
        if depth > 0 && is_interactive_shell(process) {
            break;
        }
        places.extend(process.cwd.as_deref().map(Cow::Borrowed));
        if depth > 0 && agent::is_one(process) {
            break;
        }
    }
    let own = line.iter().next();
    let left = own.is_some_and(|process| process.cwd.as_deref().is_none_or(|cwd| cwd == "/"));
    if left && let Some(marks) = line.marks(snapshot).next() {
        for name in PLACES {
            let Some(value) = marks.get(*name) else { continue };
            let file = ["/package.json", r"\package.json"];
            let folder = file.iter().find_map(|file| value.strip_suffix(file));
            places.push(Cow::Borrowed(folder.unwrap_or(value)));
        }
    }
    places.into_iter()
}

/// Whether a text can be a directory to look at: absolute, and nothing that leads elsewhere.
fn is_a_place(text: &str) -> bool {
    let windows = is_whole(text);
    (text.starts_with('/') || windows)
        && text.len() < LONGEST
        && !text.contains('\0')
        && !text.split(|c| c == '/' || (windows && c == '\\')).any(|part| part == "..")
}
