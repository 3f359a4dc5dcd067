//! How one process stands, as `/proc` and its control group tell.

use std::fs;

use crate::condition::Condition;
use crate::decode;

/// How the process or thread of that number stands; `None` where there is none.
pub fn condition(pid: u32) -> Option<Condition> {
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).ok();
    let mut condition = decode::condition::condition(&file("stat")?, &file("status")?)?;
    // `0` for one that runs, and for everybody who may not know.
    let waits = file("wchan").map(|name| String::from_utf8_lossy(&name).into_owned());
    condition.waits_in = waits.filter(|name| !name.is_empty() && name != "0");
    condition.frozen_group = file("cgroup").and_then(|text| frozen_group(&text));
    Some(condition)
}

/// The nearest control group of version 2 that is to be frozen, of the process's own and all
/// above it.
fn frozen_group(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut path = path.to_owned();
    loop {
        let file = format!("/sys/fs/cgroup{path}/cgroup.freeze");
        if fs::read_to_string(file).is_ok_and(|word| word.trim() == "1") {
            return Some(path);
        }
        let (above, _) = path.rsplit_once('/').filter(|(above, _)| !above.is_empty())?;
        path = above.to_owned();
    }
}
