//! The calls for the state directory of `proc undo`: a directory that is this user's alone, and
//! small files in it that appear whole or not at all. What they say is [`crate::undo`]'s.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock, fstat, mkdirat,
    openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

/// The directory.
#[derive(Debug)]
pub(crate) struct Ledger(OwnedFd);

/// Nobody else changes anything as long as this exists.
#[derive(Debug)]
pub(crate) struct Locked(#[expect(dead_code, reason = "the lock is on the open file")] OwnedFd);

const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
const OWNERS: Mode = Mode::RUSR.union(Mode::WUSR);
/// The file that is locked.
const LOCK: &str = ".lock";

impl Ledger {
    /// Opens `proc/undo` below that directory; with `make`, makes what is missing, for this user
    /// alone. The two may be no links and must belong to this user, and nobody else may write
    /// to them.
    pub(crate) fn open(base: &Path, make: bool) -> io::Result<Self> {
        if make && let Err(error) = make_all(base) {
            return Err(error);
        }
        // Where the base leads is the user's own affair: it is often a link.
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let mut directory = openat(CWD, base, flags, Mode::empty())?;
        for name in ["proc", "undo"] {
            if make {
                match mkdirat(&directory, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            directory = match openat(&directory, name, DIRECTORY, Mode::empty()) {
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    return Err(refused(format!("{name} in it is a link or no directory")));
                }
                opened => opened?,
            };
            check(&directory, name)?;
        }
        Ok(Self(directory))
    }

    /// The names of the files, in no order, without those that begin with a dot.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = Dir::read_from(&self.0) else { return Vec::new() };
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// What a file says. Only an ordinary one of this user is read, and none longer than that.
    pub(crate) fn read(&self, name: &str, most: usize) -> io::Result<Vec<u8>> {
        let file = openat(&self.0, name, OFlags::RDONLY | FILE, Mode::empty())?;
        let facts = fstat(&file)?;
        if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
            return Err(refused("it is no ordinary file".to_owned()));
        }
        if facts.st_uid != crate::sys::keep::user() {
            return Err(refused("it belongs to another user".to_owned()));
        }
        if u64::try_from(facts.st_size).unwrap_or(u64::MAX) > most as u64 {
            return Err(refused("it is too long".to_owned()));
        }
        let mut bytes = Vec::new();
        io::Read::read_to_end(
            &mut io::Read::take(std::fs::File::from(file), most as u64),
            &mut bytes,
        )?;
        Ok(bytes)
    }

    /// Makes a file that only this user can read, whole or not at all. `AlreadyExists`: there is
    /// one of that name.
    pub(crate) fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, bytes, true)
    }

    /// Puts a file in the place of one.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, bytes, false)
    }

    fn put(&self, name: &str, bytes: &[u8], new: bool) -> io::Result<()> {
        let draft = format!(".{name}.{}.{}", drafts(), crate::sys::keep::since_boot().as_nanos());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | FILE;
        let file = openat(&self.0, &*draft, flags, OWNERS)?;
        let done = write_all(&file, bytes).and_then(|()| self.name(&draft, name, new));
        if done.is_err() {
            let _ = unlinkat(&self.0, &*draft, AtFlags::empty());
        }
        done
    }

    fn name(&self, draft: &str, name: &str, new: bool) -> io::Result<()> {
        if !new {
            return Ok(renameat(&self.0, draft, &self.0, name)?);
        }
        match renameat_with(&self.0, draft, &self.0, name, RenameFlags::NOREPLACE) {
            // File systems without RENAME_NOREPLACE: a link refuses to replace as well.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(&self.0, draft, &self.0, name, AtFlags::empty())?;
                Ok(unlinkat(&self.0, draft, AtFlags::empty())?)
            }
            result => Ok(result?),
        }
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Waits for whoever else changes something, and keeps others out.
    pub(crate) fn lock(&self) -> io::Result<Locked> {
        let flags = OFlags::RDWR | OFlags::CREATE | FILE;
        let file = openat(&self.0, LOCK, flags, OWNERS)?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
        Ok(Locked(file))
    }

    /// A file to append to, for this user alone, and how long it is already.
    pub(crate) fn log(&self, name: &str) -> io::Result<(OwnedFd, u64)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | FILE;
        let file = openat(&self.0, name, flags, OWNERS)?;
        let facts = fstat(&file)?;
        if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
            return Err(refused("it is no ordinary file".to_owned()));
        }
        // It is handed to a program that expects to wait for its writes.
        rustix::fs::fcntl_setfl(file.as_fd(), OFlags::APPEND)?;
        Ok((file, u64::try_from(facts.st_size).unwrap_or(0)))
    }
}

/// The directory and what is missing above it, for this user alone (XDG Base Directory
/// Specification 0.8).
fn make_all(base: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(base)
}

/// A name for a draft that nobody else has at this moment: no two threads get the same number, and
/// no other process has this PID.
fn drafts() -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{}-{count}", std::process::id())
}

fn check(directory: &OwnedFd, name: &str) -> io::Result<()> {
    let facts = fstat(directory)?;
    if facts.st_uid != crate::sys::keep::user() {
        return Err(refused(format!("{name} in it belongs to another user")));
    }
    if facts.st_mode & 0o022 != 0 {
        return Err(refused(format!("others may write to {name} in it")));
    }
    Ok(())
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// What is missing where no directory is named.
pub(crate) const NOWHERE: &str = "neither XDG_STATE_HOME nor HOME says where to keep it";

/// The state directory (XDG Base Directory Specification 0.8): `$XDG_STATE_HOME`, else
/// `~/.local/state`. Root by way of sudo uses root's own, whatever the environment still says.
/// Relative paths are to be ignored.
pub(crate) fn state(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let own = Path::new(".local/state");
    let is_sudo = crate::sys::keep::user() == 0
        && variable("SUDO_UID")
            .is_some_and(|uid| uid.as_os_str() != "0" && !uid.as_os_str().is_empty());
    if is_sudo {
        let home = crate::sys::keep::home_of(0).unwrap_or_else(|| PathBuf::from("/root"));
        return Some(home.join(own));
    }
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(own));
    absolute("XDG_STATE_HOME").or_else(home)
}
