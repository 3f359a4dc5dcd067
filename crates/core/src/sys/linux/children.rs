//! The children of a process, as `/proc/PID/task/TID/children` lists them (proc_tid_children(5)).

use super::process::ProcessReader;
use crate::process::Process;

/// More are not read in passing.
const MOST: usize = 256;
/// A process with more threads than that is not asked.
const MOST_THREADS: usize = 1024;

/// The children of all threads of a process. `None` where the kernel keeps no such list
/// (CONFIG_PROC_CHILDREN), where the process is gone, or where there are too many. A child that
/// ends in between is left out; one that is born in between may be.
pub fn children(pid: u32) -> Option<Vec<Process>> {
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
    let reader = ProcessReader::new().ok()?;
    Some(pids.into_iter().filter_map(|pid| reader.read(pid)).collect())
}
