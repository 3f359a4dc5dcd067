//! What lets a frozen control group go on: the engine that paused the container, the manager that
//! froze the unit, or the file of the group itself. It is named and never done: whoever froze it
//! takes it for frozen until told otherwise.

use super::lever::{typed, unit_order};
use crate::condition::Freezer;
use crate::engine::facts_of;
use crate::process::{Process, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;
use crate::supervisor::supervisor_of;

/// The command, as this user types it.
pub(super) fn unfreezes(process: &Process, freezer: &Freezer, snapshot: &Snapshot) -> String {
    let by = supervisor_of(process.id.pid, snapshot).unwrap_or_default();
    let last = freezer.group.rsplit('/').next().unwrap_or_default();
    let command = of_engine(process, &by, snapshot)
        .or_else(|| (last == by.name).then(|| unit_order(&by, &["thaw"])).flatten());
    match command {
        Some(argv) => typed(&argv, &by, snapshot),
        None if snapshot.asker.uid == 0 => format!("echo {} > {}", freezer.thaws, freezer.file),
        None => format!("echo {} | sudo tee {}", freezer.thaws, freezer.file),
    }
}

/// `docker unpause web`. The name is the container's, also where a unit runs that.
fn of_engine(process: &Process, by: &Supervisor, snapshot: &Snapshot) -> Option<Vec<String>> {
    let boxed = process.container.as_ref()?;
    if !["docker", "podman"].contains(&boxed.engine.as_str()) {
        return None;
    }
    let (command, name) = match facts_of(process, snapshot) {
        Some(facts) if !facts.command.is_empty() => (facts.command.clone(), facts.name.clone()),
        _ if by.kind == SupervisorKind::Container => (vec![boxed.engine.clone()], by.name.clone()),
        _ => (vec![boxed.engine.clone()], boxed.id.clone()),
    };
    Some(command.into_iter().chain(["unpause".to_owned(), name]).collect())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::process::Container;
    use crate::supervisor::tests::process;

    fn cure(group: &str, asker: u32, own: impl FnOnce(&mut Process)) -> String {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.asker.uid = asker;
        let mut process = process(40, 1, "/usr/bin/node", &["node"]);
        process.cgroup = Some(group.to_owned());
        own(&mut process);
        snapshot.processes.insert(40, process.clone());
        let file = format!("/sys/fs/cgroup{group}/cgroup.freeze");
        let freezer = Freezer { group: group.to_owned(), file, thaws: "0" };
        unfreezes(&process, &freezer, &snapshot)
    }

    #[test]
    fn whoever_froze_it_is_told() {
        let unit = |process: &mut Process| process.unit = Some("web.service".to_owned());
        assert_eq!(cure("/system.slice/web.service", 0, unit), "systemctl thaw web.service");
        assert_eq!(
            cure("/system.slice/web.service", 1000, unit),
            "sudo systemctl thaw web.service"
        );
        // A group below the unit is none that its manager knows of.
        let file = "/sys/fs/cgroup/system.slice/web.service/inner/cgroup.freeze";
        assert_eq!(cure("/system.slice/web.service/inner", 0, unit), format!("echo 0 > {file}"));
        let by_hand = cure("/shop", 1000, |_| {});
        assert_eq!(by_hand, "echo 0 | sudo tee /sys/fs/cgroup/shop/cgroup.freeze");
        for engine in ["docker", "podman"] {
            let id = "ab12".repeat(16);
            let boxed = cure("/x", 0, |process| {
                let engine = engine.to_owned();
                process.container = Some(Container { engine, id });
            });
            assert!(boxed.starts_with(&format!("{engine} unpause ab12")), "{boxed}");
        }
    }
}
