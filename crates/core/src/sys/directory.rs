//! Small files in directories that other users may try to misuse: every step is relative to a
//! directory that was opened and checked, follows no link and is made right before it gets its name.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RawMode, RenameFlags, flock, fstat,
    openat,
};
use rustix::io::Errno;

use super::keep::{since_boot, user};
use crate::lease::Private;

/// The longest file that is read here, in bytes.
const LONGEST: usize = 8 * 1024;

/// A directory that was found to be what it should be, and stays that whatever its path becomes.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

/// A file of a lease. Where it was locked, nobody else can while any copy of this is open
/// (flock(2)).
#[derive(Debug)]
pub(crate) struct LeaseFile(pub(crate) OwnedFd);

impl Directory {
    /// Opens a directory that belongs to this user and nobody else may write to. The last
    /// component may not be a symbolic link.
    pub(crate) fn own(path: &Path) -> io::Result<Self> {
        let directory = Self(openat(CWD, path, DIRECTORY, Mode::empty())?);
        directory.check_owner(user())?;
        let writable_by_others = fstat(&directory.0)?.st_mode & 0o022 != 0;
        if writable_by_others {
            return Err(refused("others may write to it"));
        }
        Ok(directory)
    }

    /// Opens a directory where every user may have a directory, and none can touch another's:
    /// sticky and writable for all, or this user's or root's own.
    pub(crate) fn shared(path: &Path) -> io::Result<Self> {
        // There `/tmp` itself is a link, of root's.
        let whole = match cfg!(target_os = "macos") {
            true => std::fs::canonicalize(path)?,
            false => path.to_owned(),
        };
        let directory = Self(openat(CWD, whole, DIRECTORY, Mode::empty())?);
        let facts = fstat(&directory.0)?;
        let open_to_all = facts.st_mode & 0o1002 == 0o1002;
        if !open_to_all && facts.st_uid != user() && facts.st_uid != 0 {
            return Err(refused("it belongs to another user"));
        }
        Ok(directory)
    }

    /// The directory of that name inside, made if it is not there. `mode` is exact, whatever the
    /// umask: it appears under its name only when it is right.
    pub(crate) fn make(&self, name: &str, mode: u32) -> io::Result<()> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Threads share a PID, and so may processes of two PID namespaces.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let new = format!(".{name}.{}-{count}.{}", std::process::id(), since_boot().as_nanos());
        let mode = permissions(mode);
        let made = rustix::fs::mkdirat(&self.0, &*new, Mode::RWXU);
        if !matches!(made, Ok(()) | Err(Errno::EXIST)) {
            return Ok(made?);
        }
        let opened = openat(&self.0, &*new, DIRECTORY, Mode::empty());
        let finished = opened.and_then(|fd| rustix::fs::fchmod(&fd, mode)).and_then(|()| {
            let flags = RenameFlags::NOREPLACE;
            rustix::fs::renameat_with(&self.0, &*new, &self.0, name, flags)
        });
        if finished.is_err() {
            let _ = rustix::fs::unlinkat(&self.0, &*new, AtFlags::REMOVEDIR);
        }
        match finished {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            // File systems without that rename: the mode is as the umask leaves it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                match rustix::fs::mkdirat(&self.0, name, mode) {
                    Ok(()) | Err(Errno::EXIST) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The directory of that name inside, if that user owns it and it is on the same file system.
    pub(crate) fn inside(&self, name: &str, owner: u32) -> io::Result<Self> {
        let directory = Self(self.open(name, DIRECTORY)?);
        directory.check_owner(owner)?;
        if fstat(&directory.0)?.st_dev != fstat(&self.0)?.st_dev {
            return Err(refused("it is on another file system"));
        }
        Ok(directory)
    }

    fn check_owner(&self, owner: u32) -> io::Result<()> {
        match fstat(&self.0)?.st_uid == owner {
            true => Ok(()),
            false => Err(refused("it belongs to another user")),
        }
    }

    /// Whether both are the same directory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let id = |directory: &Self| fstat(&directory.0).map(|facts| (facts.st_dev, facts.st_ino));
        id(self).is_ok_and(|own| id(other) == Ok(own))
    }

    /// At most that many names inside, in no order.
    pub(crate) fn names(&self, most: usize) -> Vec<String> {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.0) else { return Vec::new() };
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        names.filter(|name| !name.starts_with('.')).take(most).collect()
    }

    /// What a file says; `None` where there is none, or it is no ordinary short file.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        contents(&self.open(name, OFlags::RDONLY | OFlags::NONBLOCK).ok()?)
    }

    /// Whether somebody has locked that file.
    pub(crate) fn is_locked(&self, name: &str) -> bool {
        let Ok(file) = self.open(name, OFlags::RDONLY | OFlags::NONBLOCK) else { return false };
        is_ordinary(&file)
            && flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    }

    /// The file of that name, made if it is not there, with exactly that mode.
    pub(crate) fn file(&self, name: &str, mode: u32) -> io::Result<LeaseFile> {
        let file = self.open(name, OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK)?;
        if !is_ordinary(&file) {
            return Err(refused("it is not an ordinary file"));
        }
        rustix::fs::fchmod(&file, permissions(mode))?;
        Ok(LeaseFile(file))
    }

    /// As [`Directory::file`], and locked. `WouldBlock`: another has the lock.
    pub(crate) fn lock(&self, name: &str, mode: u32) -> io::Result<LeaseFile> {
        const MOST: u32 = 100;
        for _ in 0..MOST {
            let LeaseFile(file) = self.file(name, mode)?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            // Somebody may have removed it between the two: then the lock is on nothing.
            let now = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW);
            if now.is_ok_and(|now| fstat(&file).is_ok_and(|own| own.st_ino == now.st_ino)) {
                return Ok(LeaseFile(file));
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Removes a file. The caller has locked it, or what it stands for.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Follows no link: a name is one component and leads nowhere else.
    fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        if name.contains('/') {
            return Err(Errno::INVAL);
        }
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // mode only matters where the file is made.
        let mode = match flags.contains(OFlags::CREATE) {
            true => permissions(0o600),
            false => Mode::empty(),
        };
        open_here(&self.0, name, flags, mode)
    }
}

/// Enters no other file system either: a user's own could hang whoever asks it.
#[cfg(target_os = "linux")]
fn open_here(at: &OwnedFd, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match rustix::fs::openat2(at, name, flags, mode, resolve) {
        // Before Linux 5.6, or forbidden by an old seccomp profile.
        Err(Errno::NOSYS | Errno::PERM) => openat(at, name, flags, mode),
        result => result,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_here(at: &OwnedFd, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    openat(at, name, flags, mode)
}

impl LeaseFile {
    /// Replaces what the file says. A full disk leaves it empty.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        rewrite(&self.0, bytes)
    }
}

/// Replaces what a file says. A full disk leaves it empty.
pub(crate) fn rewrite(file: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    rustix::fs::ftruncate(file, 0)?;
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::pwrite(file, &bytes[written..], written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(error) => {
                let _ = rustix::fs::ftruncate(file, 0);
                return Err(error.into());
            }
        }
    }
    Ok(())
}

/// Errors that would meet the next port too: EMFILE, ENFILE, ENOMEM, ENOBUFS (errno(3); the last has
/// another number on macOS).
pub(crate) const SHORTAGES: &[i32] =
    if cfg!(target_os = "macos") { &[24, 23, 12, 55] } else { &[24, 23, 12, 105] };

/// Where this user's records go where the environment names no place.
pub(crate) fn own_places(user: u32) -> Vec<Private> {
    vec![Private::Below(format!("/run/user/{user}").into()), Private::Among("/tmp".into())]
}

/// Where every user may make a directory.
pub(crate) fn shared_place() -> PathBuf {
    "/tmp".into()
}

const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// Permissions have 12 bits, and fit the narrower type that some systems have for them.
#[allow(clippy::useless_conversion, reason = "it is one where that type is u32")]
pub(super) fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(RawMode::try_from(mode & 0o7777).unwrap_or(0))
}

pub(super) fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

pub(super) fn is_ordinary(file: &OwnedFd) -> bool {
    fstat(file).is_ok_and(|facts| FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile)
}

fn contents(file: &OwnedFd) -> Option<Vec<u8>> {
    if !is_ordinary(file) {
        return None;
    }
    let mut bytes = vec![0; LONGEST];
    let mut length = 0;
    while length < bytes.len() {
        match rustix::io::pread(file, &mut bytes[length..], length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(length);
    Some(bytes)
}
