//! The calls of `proc undo`: everything that a process was started with, as far as macOS tells it
//! (no limits, no mask), and starting a program with it. What is kept and when it is started is
//! decided in [`crate::undo`].

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::{ffi, process};
use crate::decode::macos::descriptors::{self, Kind};
use crate::decode::settings::{Credentials, Limit};
use crate::process::ProcessId;
use crate::undo::{Bytes, FileMark, Stream};

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
    /// There are no namespaces here.
    pub(crate) apart: Option<&'static str>,
}

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

fn mark(facts: &fs::Metadata) -> FileMark {
    FileMark {
        id: (facts.dev(), facts.ino()),
        length: facts.len(),
        modified: (facts.mtime(), facts.mtime_nsec()),
    }
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

/// Opens a file to append to, if it is still that very one.
pub(crate) fn append_to(path: &[u8], id: (u64, u64)) -> io::Result<(OwnedFd, u64)> {
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(CWD, path, flags, Mode::empty())?;
    let facts = fs::File::from(file.try_clone()?).metadata()?;
    let ordinary = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::RegularFile;
    if (facts.dev(), facts.ino()) != id || !ordinary {
        return Err(io::ErrorKind::NotFound.into());
    }
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok((file, facts.len()))
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
    /// None is ever read on this system.
    #[expect(dead_code, reason = "none is ever read on this system")]
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
    match process::identity(child.id()) {
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
    let Start { umask, nice, user, .. } = start;
    let prepare = move || -> io::Result<()> {
        if own_session {
            rustix::process::setsid()?;
        }
        if let Some(umask) = umask {
            rustix::process::umask(super::keep::raw(umask));
        }
        // A priority that may not be had again is no reason not to start.
        if let Some(nice) = nice {
            let _ = rustix::process::setpriority_process(None, nice);
        }
        if let Some((uid, gid, groups)) = &user {
            ffi::become_user(*uid, *gid, groups)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls alone, and neither allocates nor
    // takes a lock.
    unsafe { command.pre_exec(prepare) };
    command
}
