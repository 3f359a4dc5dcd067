//! Job objects: a process and everything that it starts, held together whatever becomes of parents.
//! None here ends its processes when it is closed. A process that was put into one stays there for
//! good.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use windows_sys::Win32::Foundation::ERROR_MORE_DATA;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicProcessIdList,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::Threading::CREATE_SUSPENDED;

use super::beginning::resume;
use super::handle::Handle;

/// A job object without a name.
#[derive(Debug)]
pub struct JobObject(Handle);

impl JobObject {
    /// A new one, with nobody in it and without limits.
    ///
    /// # Errors
    /// The system has none.
    pub fn create() -> io::Result<Self> {
        // SAFETY: no attributes and no name.
        let raw = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        Handle::new(raw).map(Self).ok_or_else(io::Error::last_os_error)
    }

    /// Lets its processes start others outside of it where they ask for that
    /// (CREATE_BREAKAWAY_FROM_JOB), which would fail otherwise.
    ///
    /// # Errors
    /// The system refuses.
    pub fn allow_breakaway(&self) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_BREAKAWAY_OK;
        let size = u32::try_from(size_of_val(&limits)).unwrap_or_default();
        let from = (&raw const limits).cast();
        // SAFETY: the structure is whole, ours and of that size.
        let done = unsafe {
            SetInformationJobObject(self.0.raw(), JobObjectExtendedLimitInformation, from, size)
        };
        said(done)
    }

    /// Puts a process into it; what it starts from now on is in it too.
    ///
    /// # Errors
    /// The handle has not the rights to set quotas and to end it, or the process is in a job that
    /// allows no other.
    pub fn assign(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
        // SAFETY: both handles are open.
        said(unsafe { AssignProcessToJobObject(self.0.raw(), process.as_raw_handle()) })
    }

    /// Starts a command in it: the process runs only once it is inside, so that nothing it starts is
    /// missed. Where it cannot be put there it runs outside of it, and that is told.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, command: &mut Command) -> io::Result<(Child, bool)> {
        let mut child = command.creation_flags(CREATE_SUSPENDED).spawn()?;
        command.creation_flags(0);
        let is_inside = self.assign(child.as_handle()).is_ok();
        if resume(child.id()).is_ok() {
            return Ok((child, is_inside));
        }
        // It has not run yet: nothing of it was seen by anybody.
        let _ = child.kill();
        let _ = child.wait();
        command.spawn().map(|child| (child, false))
    }

    /// Ends all of it at once, with that exit code.
    ///
    /// # Errors
    /// The system refuses.
    pub fn terminate(&self, code: u32) -> io::Result<()> {
        // SAFETY: the handle is open.
        said(unsafe { TerminateJobObject(self.0.raw(), code) })
    }

    /// Whether a process is in it.
    pub(super) fn holds(&self, process: &Handle) -> bool {
        let mut inside = 0;
        // SAFETY: both handles are open, and the answer is ours.
        let done = unsafe { IsProcessInJob(process.raw(), self.0.raw(), &raw mut inside) };
        done != 0 && inside != 0
    }

    /// The numbers of the processes in it. As long as one is in it its number is not another's, but
    /// it may have ended when this returns.
    pub fn members(&self) -> Vec<u32> {
        /// The header: how many there are, and how many are in the list, 32 bits each.
        const HEADER: usize = 8 / size_of::<usize>();
        let mut room = 64;
        // It may grow while it is asked for.
        for _ in 0..8 {
            let mut words = vec![0_usize; HEADER + room];
            let size = u32::try_from(size_of_val(&*words)).unwrap_or_default();
            let to = words.as_mut_ptr().cast();
            let null = std::ptr::null_mut();
            // SAFETY: the buffer is ours, aligned and of that size.
            let done = unsafe {
                QueryInformationJobObject(self.0.raw(), JobObjectBasicProcessIdList, to, size, null)
            };
            let error = io::Error::last_os_error().raw_os_error();
            if done == 0 && error == Some(ERROR_MORE_DATA.cast_signed()) {
                room *= 4;
                continue;
            }
            if done == 0 {
                break;
            }
            let count = match HEADER {
                1 => words[0] >> 32,
                _ => words[1],
            };
            let listed = words.iter().skip(HEADER).take(count);
            return listed.filter_map(|&pid| u32::try_from(pid).ok()).collect();
        }
        Vec::new()
    }
}

fn said(done: i32) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn what_is_in_it_is_listed_and_ends_together() {
        let job = JobObject::create().unwrap();
        job.allow_breakaway().unwrap();
        assert!(job.members().is_empty());
        // Waits for its stdin to be closed.
        let mut command = Command::new("cmd");
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let (mut one, is_inside) = job.start(&mut command).unwrap();
        assert!(is_inside);
        let mut other = command.spawn().unwrap();
        job.assign(other.as_handle()).unwrap();
        let mut members = job.members();
        members.sort_unstable();
        let mut pids = [one.id(), other.id()];
        pids.sort_unstable();
        assert!(pids.iter().all(|pid| members.contains(pid)), "{members:?} {pids:?}");
        job.terminate(7).unwrap();
        assert_eq!(one.wait().unwrap().code(), Some(7));
        assert_eq!(other.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn what_is_started_in_it_runs() {
        let job = JobObject::create().unwrap();
        let mut command = Command::new("cmd");
        let (mut child, is_inside) = job.start(command.args(["/c", "exit 9"])).unwrap();
        assert!(is_inside);
        assert_eq!(child.wait().unwrap().code(), Some(9));
    }
}
