//! Ctrl-C for a program in a console that is its alone. Who tells a console has to be in it, and leaves
//! its own for that: so another process of this program does, which has none.

use std::ffi::OsString;
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent, GetConsoleProcessList,
    SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::DETACHED_PROCESS;
use windows_sys::core::BOOL;

use super::act;
use super::command::awaited;
use crate::process::ProcessId;
use crate::windows::console::tells_only;

/// How long the other process may take: it starts, makes a few calls and ends.
const LIMIT: Duration = Duration::from_secs(3);

/// Has another process tell the console of that one, by these words with the process behind them.
/// False where it was not told.
pub(super) fn ask(words: &[OsString], id: ProcessId) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let child = Command::new(program)
        .args(arguments)
        .args([id.pid.to_string(), id.start.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .creation_flags(DETACHED_PROCESS)
        .spawn();
    let Ok(mut child) = child else { return false };
    if awaited(&child, None, LIMIT).is_some() {
        let _ = child.kill();
    }
    child.wait().is_ok_and(|status| status.success())
}

/// Tells the console of that process Ctrl-C, if nobody else is in it. This process leaves its own
/// console for that: it is to end after.
pub fn tell_console(id: ProcessId) -> bool {
    // Its number cannot be another's from here on.
    let Ok(pinned) = act::pin(id) else { return false };
    // SAFETY: it takes nothing; without a console it fails.
    unsafe { FreeConsole() };
    // SAFETY: it takes a number; for a process without a console, or of another user, it fails.
    if unsafe { AttachConsole(id.pid) } == 0 {
        return false;
    }
    // SAFETY: the handler is a function of this program that does nothing.
    let is_deaf = unsafe { SetConsoleCtrlHandler(Some(passed_over), 1) } != 0;
    let told = is_deaf
        && tells_only(id.pid, &attached(), std::process::id())
        && !act::exited(&pinned)
        // SAFETY: it takes numbers. 0 is everybody in the console, which is that process and this.
        && unsafe { GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) } != 0;
    // SAFETY: as above.
    unsafe { FreeConsole() };
    told
}

/// The processes in this process's console; none where there are too many to be two.
fn attached() -> Vec<u32> {
    let mut pids = [0; 16];
    // SAFETY: the array is ours and has that many places.
    let count = unsafe { GetConsoleProcessList(pids.as_mut_ptr(), 16) };
    // More than there is room for: nothing was written.
    pids.get(..count as usize).unwrap_or_default().to_vec()
}

unsafe extern "system" fn passed_over(_: u32) -> BOOL {
    1
}
