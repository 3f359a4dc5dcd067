//! A command with the leases that it is to keep. Windows has no way to become another program: it is
//! started as a child, held until all is ready, and waited for.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::Command;

use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Threading::CREATE_SUSPENDED;
use windows_sys::core::BOOL;

use super::beginning::{found, resume};
use super::keep::Kept;
use super::process::created_of;
use crate::process::ProcessId;
use crate::sys::heritage::Succession;

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
    let program = found(word)?;
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
    if let Err(error) = resume(child.id()) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    // The leases are held here too: not every program hands on what it inherited.
    let status = child.wait()?;
    drop(kept);
    Ok(status.code().unwrap_or(1))
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
