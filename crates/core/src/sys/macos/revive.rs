//! The calls of `proc undo`: everything that a process was started with, as far as macOS tells it
//! (no limits, no mask), and starting a program with it. What is kept and when it is started is
//! decided in [`crate::undo`].

use std::fs;
use std::io;

use rustix::fs::FileType;

use super::{ffi, process};
use crate::decode::macos::descriptors::{self, Kind};
use crate::decode::settings::Limit;
use crate::process::ProcessId;
pub(crate) use crate::sys::settings::{Settings, Start};
use crate::sys::start::mark;
pub(crate) use crate::sys::start::{
    CHANGES_USER, Started, append_to, enterable, on_path, program, start, succeed, variable,
    written,
};
use crate::undo::{Bytes, Stream};

/// Reads all of it, of that very process; `None` where it has ended by now.
pub(crate) fn settings(id: ProcessId) -> Option<Settings> {
    let known = process::known(id)?;
    let started = process::arguments(id.pid);
    let exe = ffi::path(id.pid);
    let list = ffi::descriptors(id.pid).unwrap_or_default();
    let stream = |number| stream(id.pid, &list, number);
    let found = Settings {
        file: exe.as_deref().and_then(|exe| fs::metadata(exe).ok()).as_ref().map(mark),
        exe: exe.map(String::into_bytes),
        cmdline: started.iter().flat_map(|started| &started.argv).fold(
            Vec::new(),
            |mut all, word| {
                all.extend_from_slice(word);
                all.push(0);
                all
            },
        ),
        line: None,
        cwd: process::directory(id.pid).map(String::into_bytes),
        environment: started.map(|started| started.environment),
        credentials: known.credentials,
        nice: Some(known.nice),
        limits: Vec::new(),
        streams: [stream(0), stream(1), stream(2)],
        apart: None,
    };
    // The same process before and after: all of it is about one.
    (process::identity(id.pid) == Some(id)).then_some(found)
}

/// What a descriptor is.
fn stream(pid: u32, list: &[u8], number: i32) -> Stream {
    match descriptors::kind_of(list, number) {
        None => Stream::None,
        Some(Kind::Socket) => Stream::Socket,
        Some(Kind::Pipe) => Stream::Pipe,
        Some(Kind::Other) => Stream::Other(Bytes::from(&b"no file"[..])),
        Some(Kind::Vnode) => {
            let file = ffi::file_of_descriptor(pid, number);
            let Some(file) = file.as_deref().and_then(descriptors::file) else {
                return Stream::Other(Bytes::from(&b"a file that cannot be seen"[..]));
            };
            let path = Bytes::from(&*file.path);
            match FileType::from_raw_mode(file.mode) {
                _ if file.path == b"/dev/null" => Stream::Null,
                FileType::CharacterDevice if file.path.starts_with(b"/dev/tty") => {
                    Stream::Terminal(path)
                }
                FileType::RegularFile => Stream::File { path, id: file.id, flags: file.flags },
                _ => Stream::Other(path),
            }
        }
    }
}

/// The process that has that PID now.
pub(crate) fn identity(pid: u32) -> Option<ProcessId> {
    process::identity(pid)
}

/// What makes a child that user (its UID, GID and groups), run between fork and exec: system calls
/// alone. Limits are never read on this system.
pub(crate) fn restore(
    _limits: &[Limit],
    user: Option<(u32, u32, Vec<u32>)>,
) -> impl FnMut() -> io::Result<()> + use<> {
    move || match &user {
        Some((uid, gid, groups)) => ffi::become_user(*uid, *gid, groups),
        None => Ok(()),
    }
}
