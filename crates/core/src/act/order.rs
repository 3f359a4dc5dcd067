//! What a service manager is told to have done in place of a signal: whether a unit reloads is its
//! manager's to say.

use std::time::Duration;

use crate::host::Host;
use crate::plan::{Lever, unit_order};
use crate::snapshot::Snapshot;
use crate::supervisor::supervisor_of;

/// How long a service manager may take to say whether a unit reloads.
const UNIT_LIMIT: Duration = Duration::from_secs(1);

/// The command by which a unit's manager has it reload, where the unit says that it can and is what
/// was meant: it was named, or its first process was.
pub(super) fn unit_reload(
    host: &dyn Host,
    target: &str,
    pids: &[u32],
    snapshot: &Snapshot,
) -> Option<Lever> {
    let by = pids.iter().find_map(|&pid| supervisor_of(pid, snapshot))?;
    let main = snapshot.units.iter().find(|unit| unit.id == by.name).and_then(|unit| unit.main_pid);
    let named = target.strip_prefix("unit:") == Some(by.name.as_str());
    if !(named || main.is_some_and(|main| pids.contains(&main))) {
        return None;
    }
    let question = unit_order(&by, &["show", "--property=CanReload", "--value"])?;
    let asked = host.run(&question, UNIT_LIMIT);
    if !asked.success || asked.output.trim() != "yes" {
        return None;
    }
    Some(Lever {
        argv: unit_order(&by, &["reload"])?,
        name: by.name.clone(),
        container: None,
        pids: pids.to_vec(),
        inodes: Vec::new(),
        takes_along: Vec::new(),
        note: None,
        may_return: false,
        proof: None,
    })
}
