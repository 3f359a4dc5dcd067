//! A command and what it started, as its job object tells them.

use std::sync::Arc;

use proc_core::host::Host;
use proc_core::sys::JobObject;

use super::super::kin::{all, family};

/// A command and what it started.
#[derive(Clone, Debug)]
pub struct Kin {
    /// The command's own PID.
    pub pid: u32,
    /// The job that it was put into; `None` where the system did not let it.
    pub job: Option<Arc<JobObject>>,
}

impl Kin {
    /// What is said of one that was ended and takes long.
    pub const SLOW: &'static str = "it was ended and is still there; Windows takes its time";

    /// The command and everything that it started: by parents alone where there is no job, which
    /// misses those whose parent has ended.
    pub fn pids(&self, host: &dyn Host) -> Vec<u32> {
        match &self.job {
            Some(job) => job.members(),
            None => family(&all(host), self.pid),
        }
    }

    /// Ends all of it. Windows has no way to ask that would reach nobody else: what its console is
    /// told, the person's shell is told too. `false` where there is no job to end.
    pub fn end(&self, _: &dyn Host) -> bool {
        self.job.as_ref().is_some_and(|job| job.terminate(1).is_ok())
    }
}
