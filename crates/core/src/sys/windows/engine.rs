//! Container engines of Windows, asked over their named pipes. Anybody can serve a pipe of any name, so
//! a server that is not an engine of this user's, or of the machine's, is asked nothing and learns
//! nothing of who asks.

use std::path::Path;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_FILE_NOT_FOUND, ERROR_HANDLE_EOF,
    ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_PIPE_BUSY, ERROR_PIPE_NOT_CONNECTED,
    GENERIC_READ, GENERIC_WRITE, GetLastError, HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, ReadFile, SECURITY_IDENTIFICATION,
    SECURITY_SQOS_PRESENT, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{GetNamedPipeServerProcessId, WaitNamedPipeW};
use windows_sys::Win32::System::Threading::{CreateEventW, WaitForMultipleObjects};
use windows_sys::core::BOOL;

use super::console::Interrupt;
use super::handle::Handle;
use super::process::{self, wide};
use crate::engine::{self, ContainerFacts, EngineAnswer, EngineWish, pipe_address};
use crate::host::Ran;
use crate::sys::engine::{
    Door, Line, MOST_DOORS, Nothing, Reach, SLACK, ask_within, left, listed, places, places_within,
    read,
};
use crate::windows::is_engine_of_everybody;

/// What the engines say within that time.
pub(super) fn containers(wish: &EngineWish, limit: Duration) -> EngineAnswer {
    ask_within(Pipes::default(), doors, wish, limit)
}

/// The engines' pipes that are there, as far as that is told at once.
pub(super) fn pipes_here() -> Vec<String> {
    let deadline = Instant::now() + SLACK;
    places_within(2 * SLACK, move || doors(&EngineWish::default(), deadline))
}

/// The pipes that an engine serves.
fn doors(wish: &EngineWish, deadline: Instant) -> Vec<Door> {
    let places = places(wish);
    let there: Vec<String> = listed(Path::new(r"\\.\pipe\"))
        .iter()
        .filter_map(|pipe| Some(pipe.file_name()?.to_str()?.to_owned()))
        .collect();
    let docker = engine::docker_pipe(&places, &listed, &read);
    let paths = engine::pipes(&places, docker.as_deref(), &there);
    let doors = paths.into_iter().filter_map(|place| {
        let owner = match open(&place, None, deadline).and_then(|pipe| whose(&pipe)) {
            Ok(owner) => owner,
            // That it is not believed is said when it would be asked.
            Err(Nothing::Denied) => None,
            Err(_) => return None,
        };
        let usual = docker.as_ref() == Some(&place);
        // `docker -H npipe:////./pipe/x`; podman's command knows machines, and no pipes.
        let machine = place.strip_prefix(r"\\.\pipe\podman-").filter(|it| *it != "machine-default");
        let podman = match machine {
            Some(name) => ["podman", "--connection", name].map(str::to_owned).to_vec(),
            None => vec!["podman".to_owned()],
        };
        let address = pipe_address(&place);
        // Processes of containers are in a virtual machine, or in a container of Windows' own.
        Some(Door { owner, podman, here: false, ..Door::new(place, &address, usual) })
    });
    doors.take(MOST_DOORS).collect()
}

/// Whose the server of a pipe is: a user's, or with `None` the machine's. An elevated asker is 0, and so
/// is what is that user's.
///
/// # Errors
/// It is somebody's whose word counts for nothing.
fn whose(pipe: &Handle) -> Result<Option<u32>, Nothing> {
    /// The last number of SYSTEM's SID.
    const SYSTEM: u32 = 18;
    let mut pid = 0;
    // SAFETY: the handle is open, and the number is ours.
    let done = unsafe { GetNamedPipeServerProcessId(pipe.raw(), &raw mut pid) };
    if done == 0 {
        return Err(Nothing::Failed);
    }
    let server = process::identity(pid).ok_or(Nothing::Denied)?;
    let (own, _, elevated) = process::asker();
    match server.uid {
        Some(uid) if Some(uid) == own => Ok(Some(uid).filter(|_| !elevated)),
        Some(SYSTEM) => Ok(None),
        // An administrator sees whose it is, and believes it about that user's own.
        Some(uid) => Ok(Some(uid)),
        // Who may not see that believes programs that only an administrator can have put there.
        None if server.image.as_deref().is_some_and(is_engine_of_everybody) => Ok(None),
        None => Err(Nothing::Denied),
    }
}

/// Engines' pipes, and what tells that the person wants no more of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pipes {
    interrupt: Option<Interrupt>,
}

impl Reach for Pipes {
    type Line = Pipe;

    fn connect(&self, place: &str, deadline: Instant) -> Result<Pipe, Nothing> {
        let handle = open(place, self.interrupt.as_ref(), deadline)?;
        // Another server may have the name by now.
        whose(&handle)?;
        // SAFETY: no attributes and no name; each wait begins by setting it back.
        let event = Handle::new(unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) });
        let event = event.ok_or(Nothing::Failed)?;
        Ok(Pipe { handle, event, interrupt: self.interrupt })
    }
}

/// Opens a pipe. Whoever serves it learns who asks and cannot act in their name
/// (SECURITY_IDENTIFICATION).
fn open(place: &str, interrupt: Option<&Interrupt>, deadline: Instant) -> Result<Handle, Nothing> {
    /// No event tells that one of its instances is free, besides this wait.
    const PAUSE: Duration = Duration::from_millis(20);
    let name = wide(place);
    loop {
        let time = left(deadline)?;
        // SAFETY: the name ends in a zero; no attributes and no template.
        let raw = unsafe {
            CreateFileW(
                name.as_ptr(),
                GENERIC_READ | GENERIC_WRITE,
                0,
                std::ptr::null(),
                OPEN_EXISTING,
                FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
                std::ptr::null_mut(),
            )
        };
        // SAFETY: it takes nothing.
        let error = unsafe { GetLastError() };
        if let Some(handle) = Handle::new(raw) {
            return Ok(handle);
        }
        match error {
            ERROR_PIPE_BUSY => {}
            ERROR_FILE_NOT_FOUND => return Err(Nothing::Nobody),
            ERROR_ACCESS_DENIED => return Err(Nothing::Denied),
            _ => return Err(Nothing::Failed),
        }
        let handles = interrupt.map(Interrupt::raw);
        if handles.is_some_and(|handle| wait(&[handle], Duration::ZERO) == Some(0)) {
            return Err(Nothing::Interrupted { asked: false });
        }
        // 0 would be the server's own time.
        let millis = u32::try_from(time.min(PAUSE).as_millis()).unwrap_or(1).max(1);
        // SAFETY: the name ends in a zero. Whatever it says, the next round tells.
        unsafe { WaitNamedPipeW(name.as_ptr(), millis) };
    }
}

/// A connection to an engine's pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    handle: Handle,
    event: Handle,
    interrupt: Option<Interrupt>,
}

impl Line for Pipe {
    fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), Nothing> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
            let sent = self.transfer(deadline, |pipe, overlapped| {
                // SAFETY: the bytes have that length and outlive the transfer, which is waited for.
                unsafe { WriteFile(pipe, rest.as_ptr(), length, std::ptr::null_mut(), overlapped) }
            })?;
            if sent == 0 {
                return Err(Nothing::Failed);
            }
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, Nothing> {
        let room = u32::try_from(into.len()).unwrap_or(u32::MAX);
        let to = into.as_mut_ptr();
        self.transfer(deadline, |pipe, overlapped| {
            // SAFETY: the buffer has that room and outlives the transfer, which is waited for.
            unsafe { ReadFile(pipe, to, room, std::ptr::null_mut(), overlapped) }
        })
    }
}

impl Pipe {
    /// Bytes to or from the other end, in time; 0 where that has gone. Whatever was begun has ended when
    /// this returns.
    fn transfer(
        &self,
        deadline: Instant,
        begin: impl FnOnce(HANDLE, *mut OVERLAPPED) -> BOOL,
    ) -> Result<usize, Nothing> {
        let time = left(deadline)?;
        // SAFETY: a structure of numbers and handles may be all zero.
        let mut overlapped: OVERLAPPED = unsafe { std::mem::zeroed() };
        overlapped.hEvent = self.event.raw();
        let begun = begin(self.handle.raw(), &raw mut overlapped);
        if begun == 0 {
            // SAFETY: it takes nothing.
            match unsafe { GetLastError() } {
                ERROR_IO_PENDING => {}
                error => return ended(error, 0),
            }
        }
        let handles: Vec<HANDLE> = std::iter::once(self.event.raw())
            .chain(self.interrupt.as_ref().map(Interrupt::raw))
            .collect();
        let why = match wait(&handles, time) {
            Some(0) => None,
            Some(_) => Some(Nothing::Interrupted { asked: true }),
            None => Some(Nothing::Late),
        };
        if why.is_some() {
            // SAFETY: the transfer is one of this handle. It may have ended just now.
            unsafe { CancelIoEx(self.handle.raw(), &raw const overlapped) };
        }
        let mut count = 0;
        // SAFETY: both are ours; it returns when nothing is written to either any more.
        let done = unsafe {
            GetOverlappedResult(self.handle.raw(), &raw const overlapped, &raw mut count, 1)
        };
        // SAFETY: it takes nothing.
        let error = unsafe { GetLastError() };
        match why {
            Some(why) => Err(why),
            None if done != 0 => Ok(count as usize),
            None => ended(error, count as usize),
        }
    }
}

/// What a failed transfer means.
fn ended(error: u32, count: usize) -> Result<usize, Nothing> {
    match error {
        ERROR_BROKEN_PIPE | ERROR_PIPE_NOT_CONNECTED | ERROR_HANDLE_EOF | ERROR_NO_DATA => Ok(0),
        // The rest of a message comes with the next.
        ERROR_MORE_DATA => Ok(count),
        ERROR_ACCESS_DENIED => Err(Nothing::Denied),
        _ => Err(Nothing::Failed),
    }
}

/// Which of these is signalled first; `None` where none is in that time.
fn wait(handles: &[HANDLE], time: Duration) -> Option<u32> {
    let count = u32::try_from(handles.len()).ok()?;
    let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX - 1);
    // SAFETY: all are open, and there are `count` of them.
    match unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, millis) } {
        WAIT_TIMEOUT => None,
        woken => woken.checked_sub(WAIT_OBJECT_0).filter(|index| *index < count),
    }
}

/// Stops a container through whoever told of it.
pub(super) fn stop(
    container: &ContainerFacts,
    interrupt: Option<&Interrupt>,
    timeout: Duration,
) -> Ran {
    let run = |argv: &[String]| super::command::run(argv, interrupt, timeout);
    let pipes = Pipes { interrupt: interrupt.copied() };
    crate::sys::engine::stop(&pipes, container, timeout, run)
}

#[cfg(test)]
mod tests;
