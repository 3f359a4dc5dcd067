//! A command and what it started, as Unix tells them: by parents, and by the process group that keys
//! reach.

use proc_core::host::{Host, LiveHost};
use proc_core::process::Process;

use super::super::kin::{all, family};

/// A command and what it started.
#[derive(Clone, Debug)]
pub struct Kin {
    /// The command's own PID.
    pub pid: u32,
}

impl Kin {
    /// What is said of one that was asked to end, and takes long.
    pub const SLOW: &'static str = "it was asked to end (SIGTERM) and has not yet; Ctrl-C ends all";

    /// The command and its descendants.
    pub fn pids(&self, host: &dyn Host) -> Vec<u32> {
        family(&all(host), self.pid)
    }

    /// Asks the command and its descendants to end, as far as they are in its process group: those
    /// that Ctrl-C would reach. `false` where none could be asked.
    pub fn end(&self, host: &dyn Host) -> bool {
        const SIGTERM: i32 = 15;
        let all = all(host);
        let Some(first) = all.processes.get(&self.pid) else { return false };
        let mut asked = false;
        for pid in family(&all, self.pid) {
            let Some(process) = all.processes.get(&pid) else { continue };
            if process.group == first.group
                && let Ok(pinned) = host.pin(process.id)
            {
                asked |= host.signal(&pinned, SIGTERM).is_ok();
            }
        }
        asked
    }
}

/// The processes of our own group, which is the command's too, that started after us: what it
/// left behind.
pub fn left_behind() -> Vec<u32> {
    let all = all(&LiveHost::default());
    let Some(own) = all.processes.get(&all.asker.pid) else { return Vec::new() };
    let is_ours =
        |process: &&Process| process.group == own.group && process.id.start > own.id.start;
    all.processes.values().filter(is_ours).map(|process| process.id.pid).collect()
}
