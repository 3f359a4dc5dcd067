//! Control groups by id. A socket carries the id of the cgroup v2 folder it was made in, which is
//! that folder's inode; the path names the unit or container even when no process can be seen.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

/// Folders walked at most: a machine with more control groups than this keeps its secret.
const MOST_FOLDERS: usize = 20_000;

/// The paths of these groups, from the hierarchy's root (`/system.slice/nginx.service`).
pub(crate) fn paths(ids: &HashSet<u64>) -> HashMap<u64, String> {
    let Some(root) = root() else { return HashMap::new() };
    folders(&root, ids)
        .into_iter()
        .map(|(id, path)| {
            let below = path.strip_prefix(&root).unwrap_or(&path);
            (id, format!("/{}", below.to_string_lossy()))
        })
        .collect()
}

/// The processes of these groups now.
pub(crate) fn members(ids: &HashSet<u64>) -> Vec<u32> {
    let Some(root) = root() else { return Vec::new() };
    let mut pids = Vec::new();
    for path in folders(&root, ids).values() {
        // The root group holds nearly everything: no hint at all.
        if *path == root {
            continue;
        }
        let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
        pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    }
    pids
}

/// Whether the processes of that group are frozen: it, or a group above it
/// (`Documentation/admin-guide/cgroup-v2.rst`).
pub(crate) fn is_frozen(group: &str) -> bool {
    let Some(root) = root() else { return false };
    let events = root.join(group.trim_start_matches('/')).join("cgroup.events");
    let text = fs::read_to_string(events).unwrap_or_default();
    text.lines().any(|line| line == "frozen 1")
}

/// Where cgroup v2 is mounted: alone, or beside v1 ("hybrid").
pub(crate) fn root() -> Option<PathBuf> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.join("cgroup.controllers").exists())
}

fn folders(root: &Path, ids: &HashSet<u64>) -> HashMap<u64, PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let mut found = HashMap::new();
    if let Ok(facts) = fs::metadata(root)
        && ids.contains(&facts.ino())
    {
        found.insert(facts.ino(), root.to_path_buf());
    }
    let mut open = vec![root.to_path_buf()];
    let mut walked = 0;
    while let Some(folder) = open.pop() {
        walked += 1;
        if walked > MOST_FOLDERS || found.len() == ids.len() {
            break;
        }
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if ids.contains(&entry.ino()) {
                found.insert(entry.ino(), entry.path());
            }
            open.push(entry.path());
        }
    }
    found
}
