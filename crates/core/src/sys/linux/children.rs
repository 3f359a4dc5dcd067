//! The children of a process, as `/proc/PID/task/TID/children` lists them (proc_tid_children(5)).

use std::collections::BTreeMap;

use super::process::ProcessReader;
use crate::process::Process;

/// More are not read in passing.
const MOST: usize = 256;
/// A process with more threads than that is not asked.
const MOST_THREADS: usize = 1024;

/// The children of all threads of each process. One is missing where the kernel keeps no such list
/// (CONFIG_PROC_CHILDREN), where the process is gone, or where there are too many. A child that
/// ends in between is left out; one that is born in between may be.
pub fn children(pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
    let listed: Vec<(u32, Vec<u32>)> =
        pids.iter().filter_map(|&pid| Some((pid, numbers(pid)?))).collect();
    if listed.is_empty() {
        return BTreeMap::new();
    }
    let Ok(reader) = ProcessReader::new() else { return BTreeMap::new() };
    let read = |children: Vec<u32>| children.into_iter().filter_map(|pid| reader.read(pid));
    listed.into_iter().map(|(pid, children)| (pid, read(children).collect())).collect()
}

fn numbers(pid: u32) -> Option<Vec<u32>> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut pids: Vec<u32> = Vec::new();
    for (count, thread) in threads.enumerate() {
        let list = match std::fs::read_to_string(thread.ok()?.path().join("children")) {
            Ok(list) => list,
            // A thread may end at any time; that the kernel has no such file shows on the first.
            Err(_) if count > 0 => continue,
            Err(_) => return None,
        };
        pids.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        if pids.len() > MOST || count > MOST_THREADS {
            return None;
        }
    }
    Some(pids)
}
