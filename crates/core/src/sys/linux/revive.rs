//! The calls of `proc undo`: everything that a process was started with, and starting a program
//! with all of it. What is kept and when it is started is decided in [`crate::undo`].

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Gid, Resource, Rlimit, Uid};

use super::process::ProcessReader;
use crate::decode::settings::{self, Limit};
use crate::process::ProcessId;
pub(crate) use crate::sys::settings::{Settings, Start};
use crate::sys::start::mark;
pub(crate) use crate::sys::start::{
    CHANGES_USER, Started, append_to, enterable, on_path, program, start, succeed, variable,
    written,
};
use crate::undo::{Bytes, Stream};

/// The most bytes of an environment or of arguments that are read.
const LONGEST: u64 = 4 << 20;

/// Reads all of it, of that very process; `None` where it has ended by now.
pub(crate) fn settings(id: ProcessId) -> Option<Settings> {
    let reader = ProcessReader::new().ok()?;
    let at = PathBuf::from(format!("/proc/{}", id.pid));
    let link =
        |name: &str| fs::read_link(at.join(name)).ok().map(|path| path.into_os_string().into_vec());
    let found = Settings {
        exe: link("exe"),
        file: fs::metadata(at.join("exe")).ok().as_ref().map(mark),
        cmdline: read(&at.join("cmdline")).unwrap_or_default(),
        line: None,
        cwd: link("cwd"),
        environment: read(&at.join("environ")),
        credentials: settings::credentials(&read(&at.join("status")).unwrap_or_default()),
        nice: read(&at.join("stat")).as_deref().and_then(settings::nice),
        limits: settings::limits(&read(&at.join("limits")).unwrap_or_default()),
        streams: [stream(&at, 0), stream(&at, 1), stream(&at, 2)],
        apart: apart(&at),
    };
    // The same process before and after: all of it is about one.
    (reader.identity(id.pid) == Some(id)).then_some(found)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    io::Read::read_to_end(&mut io::Read::take(file, LONGEST), &mut bytes).ok()?;
    Some(bytes)
}

/// What a descriptor is. `readlink` and `fdinfo` never block, as opening or asking for it would.
fn stream(at: &Path, number: u32) -> Stream {
    let Ok(link) = fs::read_link(at.join(format!("fd/{number}"))) else { return Stream::None };
    let link = link.into_os_string().into_vec();
    let device = |prefix: &[u8]| link.starts_with(prefix);
    if link == b"/dev/null" {
        return Stream::Null;
    }
    if device(b"/dev/pts/") || device(b"/dev/tty") || link == b"/dev/console" {
        return Stream::Terminal(Bytes::from(&*link));
    }
    if device(b"pipe:") {
        return Stream::Pipe;
    }
    if device(b"socket:") {
        return Stream::Socket;
    }
    let info = read(&at.join(format!("fdinfo/{number}")));
    let flags = info.as_deref().and_then(settings::flags).unwrap_or(0);
    // The file as it is at its path: another one of that name is no place to write to.
    match fs::symlink_metadata(Path::new(OsStr::from_bytes(&link))) {
        Ok(facts) if facts.is_file() => {
            Stream::File { path: Bytes::from(&*link), id: (facts.dev(), facts.ino()), flags }
        }
        _ => Stream::Other(Bytes::from(&*link)),
    }
}

/// What keeps a process apart from this one, so that its paths and ports mean other things.
fn apart(at: &Path) -> Option<&'static str> {
    let namespaces = [
        ("ns/mnt", "its own file systems"),
        ("ns/net", "its own network"),
        ("ns/pid", "its own process numbers"),
        ("ns/user", "its own users"),
    ];
    let other = |name: &str| {
        let own = fs::read_link(format!("/proc/self/{name}")).ok();
        let its = fs::read_link(at.join(name)).ok();
        own.is_some() && its.is_some() && own != its
    };
    let root = fs::read_link(at.join("root")).ok();
    let own_root = fs::read_link("/proc/self/root").ok();
    let moved = root.is_some() && own_root.is_some() && root != own_root;
    let named = namespaces.into_iter().find(|(name, _)| other(name)).map(|(_, what)| what);
    named.or(moved.then_some("another root directory"))
}

/// The process that has that PID now.
pub(crate) fn identity(pid: u32) -> Option<ProcessId> {
    ProcessReader::new().ok()?.identity(pid)
}

/// What gives a child those limits and makes it that user (its UID, GID and groups), run between fork
/// and exec: system calls alone, through rustix's raw ones.
pub(crate) fn restore(
    limits: &[Limit],
    user: Option<(u32, u32, Vec<u32>)>,
) -> impl FnMut() -> io::Result<()> + use<> {
    let limits: Vec<(Resource, Rlimit)> = limits
        .iter()
        .filter_map(|(name, soft, hard)| {
            Some((resource(name)?, Rlimit { current: *soft, maximum: *hard }))
        })
        .collect();
    let user = user.map(|(uid, gid, groups)| {
        let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
        (Uid::from_raw(uid), Gid::from_raw(gid), groups)
    });
    move || {
        // A limit that may not be had again is no reason not to start.
        for (resource, limit) in &limits {
            restore_limit(*resource, limit);
        }
        match &user {
            Some((uid, gid, groups)) => Ok(become_user(*uid, *gid, groups)?),
            None => Ok(()),
        }
    }
}

/// Without privilege a hard limit cannot be raised again: then the soft one goes as near as it may.
fn restore_limit(resource: Resource, wanted: &Rlimit) {
    if rustix::process::setrlimit(resource, *wanted).is_ok() {
        return;
    }
    let maximum = rustix::process::getrlimit(resource).maximum;
    let current = match (wanted.current, maximum) {
        (Some(current), Some(maximum)) => Some(current.min(maximum)),
        (current, None) => current,
        (None, maximum) => maximum,
    };
    let _ = rustix::process::setrlimit(resource, Rlimit { current, maximum });
}

/// The groups first: after the user is another, they cannot be set any more (credentials(7)).
fn become_user(uid: Uid, gid: Gid, groups: &[Gid]) -> Result<(), Errno> {
    rustix::thread::set_thread_groups(groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)
}

/// The limits that are restored, by the names in `/proc/PID/limits` (`lnames` in
/// `fs/proc/base.c`).
fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "Max cpu time" => Resource::Cpu,
        "Max file size" => Resource::Fsize,
        "Max data size" => Resource::Data,
        "Max stack size" => Resource::Stack,
        "Max core file size" => Resource::Core,
        "Max processes" => Resource::Nproc,
        "Max open files" => Resource::Nofile,
        "Max locked memory" => Resource::Memlock,
        "Max address space" => Resource::As,
        _ => return None,
    })
}
