//! The calls that change the world, and those that wait for it. Who and what is decided elsewhere.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, HANDLE, HWND, LPARAM, NO_ERROR, WAIT_OBJECT_0,
    WAIT_TIMEOUT,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    MIB_TCPROW_LH, MIB_TCPROW_LH_0, SetTcpEntry,
};
use windows_sys::Win32::System::Threading::{
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SET_QUOTA, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE,
    TerminateProcess, WaitForMultipleObjects, WaitForSingleObject,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GW_OWNER, GetClassNameW, GetWindow, GetWindowThreadProcessId, IsWindowVisible,
    PostMessageW, WM_CLOSE,
};
use windows_sys::core::BOOL;

use super::console::Interrupt;
use super::handle::Handle;
use super::{asking, process, see};
use crate::decode::windows::from_utf16;
use crate::host::{ActError, Pinned, Woken};
use crate::process::ProcessId;
use crate::socket::{HeldBy, Holder, Socket};

/// The signal that forces, as it is numbered everywhere.
const SIGKILL: i32 = 9;

/// The signals that ask to end, as they are numbered everywhere: SIGHUP, SIGINT, SIGQUIT, SIGTERM.
const ASKING: [i32; 4] = [1, 2, 3, 15];

/// How long to wait before looking again: Windows gives no news of sockets.
const WITHOUT_EVENTS: Duration = Duration::from_millis(15);

/// Opens the process and checks its identity after: while the handle is open its number cannot be
/// another's.
pub(super) fn pin(id: ProcessId) -> Result<Pinned, ActError> {
    const LOOK: u32 = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;
    // A job asks for the quota's right too.
    let handle = process::open(id.pid, LOOK | PROCESS_TERMINATE | PROCESS_SET_QUOTA)
        .or_else(|_| process::open(id.pid, LOOK | PROCESS_TERMINATE))
        .or_else(|_| process::open(id.pid, LOOK))
        .map_err(|error| act_error(error.raw_os_error().unwrap_or(0).unsigned_abs()))?;
    let pinned = Pinned { id, handle: Some(handle) };
    let same = pinned.handle.as_ref().and_then(process::created) == Some(id.start);
    if same && !exited(&pinned) { Ok(pinned) } else { Err(ActError::Gone) }
}

/// Whether the table still counts the socket to the process, or to the one whose heir it is.
pub(super) fn still_holds(pinned: &Pinned, holder: &Holder, inode: u64) -> bool {
    let owner = match holder.by {
        HeldBy::Heir { of } => of,
        _ => pinned.id.pid,
    };
    !exited(pinned) && see::rows().iter().any(|row| row.pid == owner && see::key(row) == inode)
}

/// SIGKILL ends the process; those that ask to end tell its windows to close, as `taskkill` without /F
/// does, and one without windows Ctrl-C, if it is alone in its console; there is nothing for the others.
/// Who shares its console cannot be asked from outside: what it is told goes to everything in it, the
/// person's shell too.
pub(super) fn signal(pinned: &Pinned, signal: i32, teller: &[OsString]) -> Result<(), ActError> {
    let handle = pinned.handle.as_ref().ok_or(ActError::Unsupported)?;
    if exited(pinned) {
        return Err(ActError::Gone);
    }
    if signal == SIGKILL {
        // SAFETY: the handle is open; without the right the call fails.
        return match unsafe { TerminateProcess(handle.raw(), 1) } {
            0 if exited(pinned) => Err(ActError::Gone),
            0 => Err(act_error(last_error())),
            _ => Ok(()),
        };
    }
    if !ASKING.contains(&signal) {
        return Err(ActError::Unsupported);
    }
    match close_windows(pinned.id.pid) > 0 || asking::ask(teller, pinned.id) {
        true => Ok(()),
        false => Err(ActError::CannotBeAsked),
    }
}

/// A handle of a process is signalled when the process has ended.
pub(super) fn exited(pinned: &Pinned) -> bool {
    let Some(handle) = &pinned.handle else { return true };
    // SAFETY: the handle is open and may be waited on.
    unsafe { WaitForSingleObject(handle.raw(), 0) == WAIT_OBJECT_0 }
}

pub(super) fn wait(
    processes: &[&Pinned],
    interrupt: Option<&Interrupt>,
    timeout: Duration,
) -> Woken {
    /// MAXIMUM_WAIT_OBJECTS, less one for the interrupt.
    const MOST: usize = 63;
    let deadline = Instant::now() + timeout.min(WITHOUT_EVENTS);
    let mut handles: Vec<HANDLE> = interrupt.map(Interrupt::raw).into_iter().collect();
    let before = handles.len();
    let own = processes.iter().filter_map(|pinned| pinned.handle.as_ref());
    handles.extend(own.take(MOST).map(Handle::raw));
    let left = deadline.saturating_duration_since(Instant::now());
    if handles.is_empty() {
        std::thread::park_timeout(left);
        return Woken::Timeout;
    }
    let count = u32::try_from(handles.len()).unwrap_or(0);
    let millis = u32::try_from(left.as_millis()).unwrap_or(u32::MAX - 1).max(1);
    // SAFETY: all are open, and there are `count` of them.
    match unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, millis) } {
        WAIT_TIMEOUT => Woken::Timeout,
        index if index.wrapping_sub(WAIT_OBJECT_0) < u32::try_from(before).unwrap_or(0) => {
            Woken::Interrupted
        }
        index if index.wrapping_sub(WAIT_OBJECT_0) < count => Woken::Event,
        _ => {
            // It cannot be waited for: at least no busy loop.
            std::thread::park_timeout(left);
            Woken::Timeout
        }
    }
}

/// Resets a connection: of IPv4 alone, and elevated (SetTcpEntry, which sets nothing but
/// MIB_TCP_STATE_DELETE_TCB).
pub(super) fn destroy(socket: &Socket) -> Result<(), ActError> {
    /// Not elevated, some versions of Windows answer so (ERROR_MR_MID_NOT_FOUND).
    const NOT_ELEVATED: u32 = 317;
    const DELETE: u32 = 12;
    let (Some(std::net::SocketAddr::V4(local)), Some(std::net::SocketAddr::V4(remote))) =
        (socket.local.inet(), socket.remote)
    else {
        return Err(ActError::Unsupported);
    };
    let row = MIB_TCPROW_LH {
        Anonymous: MIB_TCPROW_LH_0 { dwState: DELETE },
        dwLocalAddr: u32::from_ne_bytes(local.ip().octets()),
        dwLocalPort: u32::from(local.port().to_be()),
        dwRemoteAddr: u32::from_ne_bytes(remote.ip().octets()),
        dwRemotePort: u32::from(remote.port().to_be()),
    };
    // SAFETY: the row is whole and ours.
    match unsafe { SetTcpEntry(&raw const row) } {
        NO_ERROR => Ok(()),
        ERROR_INVALID_PARAMETER => Err(ActError::Gone),
        NOT_ELEVATED => Err(ActError::Denied),
        error => Err(act_error(error)),
    }
}

/// What the windows of consoles are called. Windows tells the first program in a console for their
/// owner, and to close one is the end of everybody in it.
const CONSOLE: &str = "ConsoleWindowClass";

/// Posts WM_CLOSE to the visible windows of a process that no other window owns; to how many. A
/// console's is none of them.
fn close_windows(pid: u32) -> usize {
    let mut found: (u32, Vec<HWND>) = (pid, Vec::new());
    let context = (&raw mut found) as LPARAM;
    // SAFETY: the callback gets the address of `found`, which lives until the call returns.
    unsafe { EnumWindows(Some(collect), context) };
    let posted = found.1.into_iter().filter(|&window| {
        // SAFETY: a window that is gone makes the call fail.
        unsafe { PostMessageW(window, WM_CLOSE, 0, 0) != 0 }
    });
    posted.count()
}

unsafe extern "system" fn collect(window: HWND, context: LPARAM) -> BOOL {
    // SAFETY: `close_windows` gave this address, and waits.
    let found = unsafe { &mut *(context as *mut (u32, Vec<HWND>)) };
    let mut owner = 0;
    // SAFETY: `owner` is ours.
    unsafe { GetWindowThreadProcessId(window, &raw mut owner) };
    // SAFETY: a window that is gone has no owner and is not visible.
    let owned = unsafe { !GetWindow(window, GW_OWNER).is_null() };
    // SAFETY: as above.
    let visible = unsafe { IsWindowVisible(window) != 0 };
    if owner == found.0 && visible && !owned && class(window) != CONSOLE {
        found.1.push(window);
    }
    1
}

fn class(window: HWND) -> String {
    let mut name = [0_u16; 64];
    // SAFETY: the array is ours and has that many places.
    let length = unsafe { GetClassNameW(window, name.as_mut_ptr(), 64) };
    from_utf16(name.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default())
}

fn last_error() -> u32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0).unsigned_abs()
}

/// What an error number means to whoever wanted to act.
fn act_error(error: u32) -> ActError {
    match error {
        ERROR_ACCESS_DENIED => ActError::Denied,
        // There is no process of that number.
        ERROR_INVALID_PARAMETER => ActError::Gone,
        other => ActError::Other(other.cast_signed()),
    }
}
