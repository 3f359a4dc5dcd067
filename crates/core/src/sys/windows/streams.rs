//! What a command's outputs are made of on Windows: which handles are consoles and which the same,
//! pipes, and how a thread that reads one is called off.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::System::Console::{FlushConsoleInputBuffer, GetConsoleMode};
use windows_sys::Win32::System::IO::CancelSynchronousIo;
use windows_sys::Win32::System::Pipes::{CreatePipe, PeekNamedPipe};

use super::library;

/// Whether it is a console, and no pipe that stands for a terminal as those of MSYS and Cygwin do.
pub fn is_console(handle: BorrowedHandle<'_>) -> bool {
    let mut mode = 0;
    // SAFETY: `mode` is ours; a handle that is no console's makes the call fail.
    unsafe { GetConsoleMode(handle.as_raw_handle(), &raw mut mode) != 0 }
}

/// Drops what was typed on a console and nobody has read.
pub fn forget_typed(console: BorrowedHandle<'_>) {
    // SAFETY: the handle is open; one that is no console's makes the call fail.
    unsafe { FlushConsoleInputBuffer(console.as_raw_handle()) };
}

type Compare = unsafe extern "system" fn(*mut c_void, *mut c_void) -> i32;

/// Whether both stand for one opened file or pipe (CompareObjectHandles, Windows 10); false where that
/// cannot be told.
pub fn is_same(one: BorrowedHandle<'_>, other: BorrowedHandle<'_>) -> bool {
    let Some(function) = library::function("kernelbase.dll", b"CompareObjectHandles\0") else {
        return false;
    };
    // SAFETY: this is its signature (handleapi.h).
    let call =
        unsafe { std::mem::transmute::<unsafe extern "system" fn() -> isize, Compare>(function) };
    // SAFETY: both are open.
    unsafe { call(one.as_raw_handle(), other.as_raw_handle()) != 0 }
}

/// A pipe that holds about so many bytes: where they come out, and where they go in.
///
/// # Errors
/// The system has none.
pub fn pipe(size: u32) -> io::Result<(OwnedHandle, OwnedHandle)> {
    let (mut from, mut into) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: both places are ours.
    if unsafe { CreatePipe(&raw mut from, &raw mut into, std::ptr::null(), size) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call opened it for us alone.
    let from = unsafe { OwnedHandle::from_raw_handle(from) };
    // SAFETY: as above.
    let into = unsafe { OwnedHandle::from_raw_handle(into) };
    Ok((from, into))
}

/// How many bytes wait in a pipe to be read; 0 where that cannot be told.
pub fn waiting(pipe: BorrowedHandle<'_>) -> u32 {
    let mut count = 0;
    let (raw, null) = (pipe.as_raw_handle(), std::ptr::null_mut());
    // SAFETY: nothing is read; `count` is ours.
    let done = unsafe { PeekNamedPipe(raw, null, 0, null.cast(), &raw mut count, null.cast()) };
    if done == 0 { 0 } else { count }
}

/// Has the call fail that a thread waits in, with ERROR_OPERATION_ABORTED (995). False where it waits
/// in none.
pub fn call_off(thread: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open, and of a thread.
    unsafe { CancelSynchronousIo(thread.as_raw_handle()) != 0 }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::windows::io::AsHandle;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_pipe_is_no_console_and_the_same_as_its_copy() {
        let (from, into) = pipe(4096).unwrap();
        assert!(!is_console(from.as_handle()));
        let copy = into.try_clone().unwrap();
        assert!(is_same(into.as_handle(), copy.as_handle()));
        assert!(!is_same(into.as_handle(), from.as_handle()));
        assert_eq!(waiting(from.as_handle()), 0);
        File::from(into).write_all(b"abc").unwrap();
        assert_eq!(waiting(from.as_handle()), 3);
    }

    #[test]
    fn who_waits_for_bytes_is_called_off() {
        let (from, into) = pipe(4096).unwrap();
        let thread = std::thread::spawn(move || File::from(from).read(&mut [0; 8]));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !thread.is_finished() && Instant::now() < deadline {
            call_off(thread.as_handle());
            std::thread::park_timeout(Duration::from_millis(2));
        }
        assert!(thread.is_finished());
        let read = thread.join().unwrap();
        assert_eq!(read.unwrap_err().raw_os_error(), Some(995));
        drop(into);
    }
}
