//! The job object that a tree is put into before it is ended.

use std::os::windows::io::BorrowedHandle;

use windows_sys::Win32::System::Threading::{
    PROCESS_QUERY_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::job::JobObject;
use super::process;
use crate::host::{Enclosure, Pinned};
use crate::process::ProcessId;

/// A new one; `None` where the system refuses.
pub(super) fn new() -> Option<Box<dyn Enclosure>> {
    let job = JobObject::create().ok()?;
    // One that lives on after all, because it may not be ended, starts others as it did before.
    job.allow_breakaway().ok()?;
    Some(Box::new(job))
}

impl Enclosure for JobObject {
    fn take_in(&self, pinned: &Pinned) {
        let Some(handle) = &pinned.handle else { return };
        // SAFETY: the pin keeps the handle open.
        let handle = unsafe { BorrowedHandle::borrow_raw(handle.raw()) };
        let _ = self.assign(handle);
    }

    fn members(&self) -> Vec<ProcessId> {
        Self::members(self).into_iter().filter_map(|pid| self.member(pid)).collect()
    }
}

impl JobObject {
    /// Whoever has that number, if it is one of those in the job: since it was listed, the number may
    /// have become another's.
    fn member(&self, pid: u32) -> Option<ProcessId> {
        // Windows asks for the lesser right alone, Wine for the other.
        let handle = process::open(pid, PROCESS_QUERY_INFORMATION)
            .or_else(|_| process::open(pid, PROCESS_QUERY_LIMITED_INFORMATION))
            .ok()?;
        let start = process::created(&handle)?;
        self.holds(&handle).then_some(ProcessId { pid, start })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::act::pin;
    use super::*;

    #[test]
    fn what_a_member_starts_is_a_member_when_its_parent_has_ended() {
        let enclosure = new().unwrap();
        assert!(enclosure.members().is_empty());
        let mut parent =
            Command::new("cmd").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let id = |pid| {
            let handle = process::open(pid, PROCESS_QUERY_LIMITED_INFORMATION).unwrap();
            ProcessId { pid, start: process::created(&handle).unwrap() }
        };
        let pinned = pin(id(parent.id())).unwrap();
        enclosure.take_in(&pinned);
        assert_eq!(enclosure.members(), [pinned.id]);
        // It starts another, which waits for the same pipe to be closed, and ends.
        use std::io::Write;
        let mut stdin = parent.stdin.take().unwrap();
        stdin.write_all(b"start /b cmd /c \"ping -n 60 127.0.0.1 >nul\"\r\n").unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while enclosure.members().len() < 2 && std::time::Instant::now() < deadline {
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        parent.kill().unwrap();
        parent.wait().unwrap();
        let left = enclosure.members();
        assert!(!left.is_empty() && !left.contains(&pinned.id), "{left:?}");
        for member in left {
            let pinned = pin(member).unwrap();
            super::super::act::signal(&pinned, 9, &[]).unwrap();
        }
    }
}
