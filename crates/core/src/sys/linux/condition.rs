//! How one process stands, as `/proc` and its control group tell.

use std::fs;

use super::cgroup;
use crate::condition::{Condition, Freezer};
use crate::decode;

/// How the process or thread of that number stands; `None` where there is none.
pub fn condition(pid: u32) -> Option<Condition> {
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).ok();
    let mut condition = decode::condition::condition(&file("stat")?, &file("status")?)?;
    condition.freezer = file("cgroup").and_then(|text| freezer(&text));
    Some(condition)
}

/// The nearest control group that is to be frozen, of the process's own and all above it.
fn freezer(text: &[u8]) -> Option<Freezer> {
    let text = String::from_utf8_lossy(text);
    let version_2 = || {
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        nearest(&cgroup::root()?.to_string_lossy(), path, "cgroup.freeze", "1", "0")
    };
    let version_1 = || {
        // hierarchy-ID:controller-list:path
        let path = text.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|name| name == "freezer").then_some(path)
        })?;
        nearest("/sys/fs/cgroup/freezer", path, "freezer.state", "FROZEN", "THAWED")
    };
    version_2().or_else(version_1)
}

fn nearest(
    root: &str,
    path: &str,
    name: &str,
    frozen: &str,
    thaws: &'static str,
) -> Option<Freezer> {
    let mut group = path;
    loop {
        let file = format!("{root}{group}/{name}");
        if fs::read_to_string(&file).is_ok_and(|word| word.trim() == frozen) {
            return Some(Freezer { group: group.to_owned(), file, thaws });
        }
        group = group.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty())?;
    }
}
