//! Who is below a process, by the parents that everybody names.

use std::collections::BTreeMap;

use proc_core::host::Host;
use proc_core::snapshot::{Scope, Snapshot};

/// Every process there is.
pub fn all(host: &dyn Host) -> Snapshot {
    host.snapshot(&Scope { all_processes: true, ..Scope::default() })
}

/// That process and its descendants.
pub fn family(all: &Snapshot, pid: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in all.processes.values() {
        children.entry(process.ppid).or_default().push(process.id.pid);
    }
    let mut family = vec![pid];
    let mut at = 0;
    while at < family.len() {
        let born = children.remove(&family[at]).unwrap_or_default();
        family.extend(born);
        at += 1;
    }
    family
}
