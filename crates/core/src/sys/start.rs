//! Looking at a program's file, and starting it with everything that it is to have.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::directory::permissions;
use super::revive;
use super::settings::Start;
use crate::process::ProcessId;
use crate::undo::FileMark;

pub(super) fn mark(facts: &fs::Metadata) -> FileMark {
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

/// Opens a file to append to, if it is still that very one.
pub(crate) fn append_to(path: &[u8], id: (u64, u64)) -> io::Result<(OwnedFd, u64)> {
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = fs::File::from(openat(CWD, path, flags, Mode::empty())?);
    let facts = file.metadata()?;
    if (facts.dev(), facts.ino()) != id || !facts.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok((file.into(), facts.len()))
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
    match revive::identity(child.id()) {
        Some(id) => Ok(Started { id, child }),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            Err(io::Error::other("it cannot be seen"))
        }
    }
}

/// Becomes it, in this terminal (execve(2)), and says so before. Returns only if that fails.
pub(crate) fn succeed(start: Start, begun: &mut dyn FnMut(ProcessId)) -> io::Result<i32> {
    begun(super::keep::own_process());
    Err(command(start, false).exec())
}

/// Whether there is a user who may start a program as any other.
pub(crate) const CHANGES_USER: bool = true;

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
    let mut restore = revive::restore(&limits, user);
    let prepare = move || -> io::Result<()> {
        if own_session {
            rustix::process::setsid()?;
        }
        if let Some(umask) = umask {
            rustix::process::umask(permissions(umask));
        }
        // A priority that may not be had again is no reason not to start.
        if let Some(nice) = nice {
            let _ = rustix::process::setpriority_process(None, nice);
        }
        restore()
    };
    // SAFETY: between fork and exec the closure makes system calls alone, and neither allocates nor
    // takes a lock.
    unsafe { command.pre_exec(prepare) };
    command
}
