//! A command with the leases that it is to keep. Windows has no way to become another program: it is
//! started as a child, held until all is ready, and waited for.

use std::ffi::OsString;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{
    CREATE_SUSPENDED, OpenThread, ResumeThread, THREAD_SUSPEND_RESUME,
};
use windows_sys::core::BOOL;

use super::handle::Handle;
use super::keep::Kept;
use super::process::created_of;
use crate::process::ProcessId;
use crate::windows::program::candidates;

/// A program to start, with what it inherits.
#[derive(Debug)]
pub(crate) struct Succession {
    /// The program and its arguments; not empty.
    pub(crate) argv: Vec<OsString>,
    /// Variables set on top of this process's own.
    pub(crate) variables: Vec<(String, String)>,
    /// Sockets to hand on: none, as nothing would tell it which handles they are.
    pub(crate) sockets: Vec<Kept>,
    /// What stays open in it as long as it lives.
    pub(crate) kept: Vec<Kept>,
    /// Sockets that stay bound until it begins.
    pub(crate) bound: Vec<Kept>,
}

/// Starts that program, tells whose the kept things are while it is held, lets go of what is bound in
/// the moment that it begins, and waits for it: its exit code. A Ctrl-C is the program's alone.
pub(crate) fn succeed(
    succession: Succession,
    begun: &mut dyn FnMut(ProcessId, &[Kept]),
) -> io::Result<i32> {
    let Succession { argv, variables, sockets, kept, bound } = succession;
    if !sockets.is_empty() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let Some((word, arguments)) = argv.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let program = found(word).ok_or(io::ErrorKind::NotFound)?;
    leave_interrupts();
    for one in &kept {
        one.hand_on(true)?;
    }
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables)
        .creation_flags(CREATE_SUSPENDED)
        .spawn()?;
    for one in &kept {
        let _ = one.hand_on(false);
    }
    let pid = child.id();
    begun(ProcessId { pid, start: created_of(pid).unwrap_or(0) }, &kept);
    drop(bound);
    if let Err(error) = resume(&child) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    // The leases are held here too: not every program hands on what it inherited.
    let status = child.wait()?;
    drop(kept);
    Ok(status.code().unwrap_or(1))
}

/// The file that a word means, by PATH and PATHEXT.
pub(super) fn found(word: &OsString) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var(name).ok();
    let path = variable("PATH").unwrap_or_default();
    let files = candidates(word.to_str()?, &path, variable("PATHEXT").as_deref());
    files.into_iter().map(PathBuf::from).find(|file| file.is_file())
}

/// Lets a process go on that was started held, and has its first thread alone.
fn resume(child: &Child) -> io::Result<()> {
    debug_assert!(!child.as_raw_handle().is_null());
    // SAFETY: it takes numbers only.
    let list = Handle::new(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) })
        .ok_or_else(io::Error::last_os_error)?;
    let mut entry = THREADENTRY32 {
        dwSize: u32::try_from(size_of::<THREADENTRY32>()).unwrap_or_default(),
        ..THREADENTRY32::default()
    };
    let mut resumed = Err(io::ErrorKind::NotFound.into());
    // SAFETY: the entry says its own size.
    let mut more = unsafe { Thread32First(list.raw(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == child.id() {
            resumed = resume_thread(entry.th32ThreadID);
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(list.raw(), &raw mut entry) };
    }
    resumed
}

fn resume_thread(number: u32) -> io::Result<()> {
    // SAFETY: it takes numbers only.
    let thread = Handle::new(unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, number) })
        .ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the handle is open and has the right.
    match unsafe { ResumeThread(thread.raw()) } {
        u32::MAX => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Ctrl-C and Ctrl-Break go to everybody in the console: here they are passed over. By a handler,
/// which is not handed on as the mere wish to ignore them would be.
pub(super) fn leave_interrupts() {
    // SAFETY: the handler is a function of this program that does nothing.
    unsafe { SetConsoleCtrlHandler(Some(passed_over), 1) };
}

unsafe extern "system" fn passed_over(event: u32) -> BOOL {
    // CTRL_C_EVENT and CTRL_BREAK_EVENT; the end of the console is the end.
    BOOL::from(event <= 1)
}
