//! How a program begins: the file that its name means, and a process that was started held and goes on.

use std::ffi::{OsStr, OsString};
use std::io;

use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{OpenThread, ResumeThread, THREAD_SUSPEND_RESUME};

use super::handle::Handle;
use crate::windows::program::candidates;

/// The whole path of the program that a word means, by PATH and PATHEXT: CreateProcess knows nothing of
/// PATHEXT. What is not text has no name that could be completed, and stays as it is.
///
/// # Errors
/// There is none.
pub fn found(word: &OsStr) -> io::Result<OsString> {
    let Some(text) = word.to_str() else { return Ok(word.to_owned()) };
    let variable = |name: &str| std::env::var(name).ok();
    let path = variable("PATH").unwrap_or_default();
    let files = candidates(text, &path, variable("PATHEXT").as_deref());
    // Not what a link leads to: the system's own aliases for programs lead nowhere.
    let is_file =
        |file: &&String| std::fs::symlink_metadata(file).is_ok_and(|facts| !facts.is_dir());
    let file = files.iter().find(is_file).ok_or(io::ErrorKind::NotFound)?;
    Ok(std::path::absolute(file)?.into_os_string())
}

/// Lets a process go on that was started suspended. The standard library keeps no handle to its thread.
///
/// # Errors
/// No thread of it was held, or it cannot be let go.
pub(super) fn resume(pid: u32) -> io::Result<()> {
    // SAFETY: it takes numbers only.
    let list = Handle::new(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) })
        .ok_or_else(io::Error::last_os_error)?;
    let size = u32::try_from(size_of::<THREADENTRY32>()).unwrap_or_default();
    let mut entry = THREADENTRY32 { dwSize: size, ..Default::default() };
    let mut resumed = Err(io::ErrorKind::NotFound.into());
    // SAFETY: the entry says its own size.
    let mut more = unsafe { Thread32First(list.raw(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            let thread = resume_thread(entry.th32ThreadID);
            resumed = resumed.or(thread);
        }
        entry.dwSize = size;
        // SAFETY: as above.
        more = unsafe { Thread32Next(list.raw(), &raw mut entry) };
    }
    resumed
}

fn resume_thread(number: u32) -> io::Result<()> {
    // SAFETY: it takes numbers only.
    let thread = Handle::new(unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, number) })
        .ok_or_else(io::Error::last_os_error)?;
    // How often it was suspended before.
    // SAFETY: the handle is open and has the right.
    match unsafe { ResumeThread(thread.raw()) } {
        u32::MAX => Err(io::Error::last_os_error()),
        0 => Err(io::ErrorKind::NotFound.into()),
        _ => Ok(()),
    }
}
