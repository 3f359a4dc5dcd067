//! The calls of `proc undo`: everything that a process was started with, and starting a program
//! with all of it. What is kept and when it is started is decided in [`crate::undo`].

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::process::{Gid, Resource, Rlimit, Uid};

use super::process::ProcessReader;
use crate::decode::settings::{self, Credentials, Limit};
use crate::process::ProcessId;
use crate::undo::{Bytes, FileMark, Stream};

/// The most bytes of an environment or of arguments that are read.
const LONGEST: u64 = 4 << 20;

/// What a process was started with, as far as it may be read.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) exe: Option<Vec<u8>>,
    pub(crate) file: Option<FileMark>,
    pub(crate) cmdline: Vec<u8>,
    pub(crate) cwd: Option<Vec<u8>>,
    pub(crate) environment: Option<Vec<u8>>,
    pub(crate) credentials: Credentials,
    pub(crate) nice: Option<i32>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) streams: [Stream; 3],
    /// A namespace of it that is another than ours, or that its root directory is.
    pub(crate) apart: Option<&'static str>,
}

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

fn mark(facts: &fs::Metadata) -> FileMark {
    FileMark {
        id: (facts.dev(), facts.ino()),
        length: facts.len(),
        modified: (facts.mtime(), facts.mtime_nsec()),
    }
}

/// Which file is at that path now, and whether it may be run.
pub(crate) fn program(path: &[u8]) -> io::Result<FileMark> {
    let path = Path::new(OsStr::from_bytes(path));
    let facts = fs::metadata(path)?;
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK)?;
    match facts.is_file() {
        true => Ok(mark(&facts)),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Whether there is a directory at that path that this user may enter.
pub(crate) fn enterable(path: &[u8]) -> io::Result<()> {
    let path = Path::new(OsStr::from_bytes(path));
    if !fs::metadata(path)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(rustix::fs::access(path, rustix::fs::Access::EXEC_OK)?)
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

/// Opens a file to append to, if it is still that very one.
pub(crate) fn append_to(path: &[u8], id: (u64, u64)) -> io::Result<(OwnedFd, u64)> {
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(CWD, path, flags, Mode::empty())?;
    let facts = fstat(&file)?;
    let same = (facts.st_dev, facts.st_ino) == id;
    if !same || FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::NotFound.into());
    }
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok((file, u64::try_from(facts.st_size).unwrap_or(0)))
}

/// What was written to a file since that length, its last so many bytes.
pub(crate) fn written(path: &[u8], since: u64, most: u64) -> Vec<u8> {
    let path = Path::new(OsStr::from_bytes(path));
    let read = || -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        let from = since.max(length.saturating_sub(most));
        io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, most), &mut bytes)?;
        Ok(bytes)
    };
    read().unwrap_or_default()
}

/// A program to start, with everything it is to be started with.
#[derive(Debug)]
pub(crate) struct Start {
    /// The file to run.
    pub(crate) program: Vec<u8>,
    /// Its arguments, `argv[0]` first; not empty.
    pub(crate) argv: Vec<Vec<u8>>,
    /// Where.
    pub(crate) cwd: Vec<u8>,
    /// Its whole environment.
    pub(crate) environment: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
    pub(crate) limits: Vec<Limit>,
    /// User, group and groups, where they are not ours.
    pub(crate) user: Option<(u32, u32, Vec<u32>)>,
}

/// A variable of our own environment.
pub(crate) fn variable(name: &[u8]) -> Option<Vec<u8>> {
    std::env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec)
}

/// The file that a word means on that search path (execvp(3)).
pub(crate) fn on_path(word: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    path.split(|&byte| byte == b':').filter(|folder| folder.starts_with(b"/")).find_map(|folder| {
        let file = [folder, b"/", word].concat();
        program(&file).is_ok().then_some(file)
    })
}

/// A process that was started.
pub(crate) struct Started {
    pub(crate) id: ProcessId,
    child: Child,
}

impl Started {
    /// How it ended; `None` while it runs. The sentence has the status or signal.
    pub(crate) fn ended(&mut self) -> Option<(bool, String)> {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.try_wait().ok().flatten()?;
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("with status {code}"),
            (None, Some(signal)) => format!("by {}", crate::plan::signal_name(signal)),
            (None, None) => "in an unknown way".to_owned(),
        };
        Some((status.success(), how))
    }
}

/// Starts it in the background: a session of its own (setsid(2)), nothing to read, its outputs
/// to those files.
pub(crate) fn start(start: Start, stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Started> {
    let mut command = command(start, true);
    command.stdin(Stdio::null()).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    let mut child = command.spawn()?;
    let reader = ProcessReader::new().map_err(io::Error::other)?;
    match reader.identity(child.id()) {
        Some(id) => Ok(Started { id, child }),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            Err(io::Error::other("it cannot be seen"))
        }
    }
}

/// Becomes it, in this terminal (execve(2)). Returns only if that fails.
pub(crate) fn succeed(start: Start) -> io::Error {
    command(start, false).exec()
}

fn command(start: Start, own_session: bool) -> Command {
    let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let mut command = Command::new(text(&start.program));
    let mut argv = start.argv.iter();
    if let Some(first) = argv.next() {
        command.arg0(text(first));
    }
    command.args(argv.map(|word| text(word)));
    command.env_clear();
    command.envs(start.environment.iter().map(|(name, value)| (text(name), text(value))));
    command.current_dir(text(&start.cwd));
    let Start { umask, nice, limits, user, .. } = start;
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
    let prepare = move || -> io::Result<()> {
        if own_session {
            rustix::process::setsid()?;
        }
        if let Some(umask) = umask {
            rustix::process::umask(Mode::from_raw_mode(umask));
        }
        // A limit or a priority that may not be had again is no reason not to start.
        for (resource, limit) in &limits {
            restore_limit(*resource, limit);
        }
        if let Some(nice) = nice {
            let _ = rustix::process::setpriority_process(None, nice);
        }
        if let Some((uid, gid, groups)) = &user {
            become_user(*uid, *gid, groups)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls alone, through rustix's raw
    // ones, and neither allocates nor takes a lock.
    unsafe { command.pre_exec(prepare) };
    command
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
