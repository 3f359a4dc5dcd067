//! The calls that keep a port: sockets that stay bound, abstract unix names, and small files in
//! directories that other users may try to misuse. What is kept, for whom and how long is decided
//! in [`crate::lease`] and [`crate::pick`].

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{
    CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, flock, fstat, openat,
    openat2,
};
use rustix::io::{Errno, FdFlags};
use rustix::net::sockopt::{set_socket_reuseaddr, socket_type};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, listen, socket_with,
};
use rustix::time::{ClockId, clock_gettime};

use super::process::ProcessReader;
use super::{namespaces, probe};
use crate::addr::Transport;
use crate::bind::BindResult;
use crate::process::ProcessId;
use crate::snapshot::Policy;

/// Something that the kernel keeps until the last copy of it is closed.
pub(crate) type Kept = OwnedFd;

/// The longest file that is read here, in bytes.
const LONGEST: usize = 8 * 1024;

/// How many connections wait before they are refused; the kernel lowers it to
/// `net.core.somaxconn` (listen(2)).
const BACKLOG: i32 = 4096;

/// The machine's rules about ports.
pub(crate) fn policy() -> Policy {
    ProcessReader::new().map(|reader| reader.policy()).unwrap_or_default()
}

/// Time since boot, suspension included: no clock that anybody sets (clock_gettime(2)).
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Which boot this is (random(4)); empty where `/proc` does not say.
pub(crate) fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim_end().to_owned()
}

/// The inode of this network namespace; 0 where `/proc` does not say.
pub(crate) fn network_namespace() -> u64 {
    ProcessReader::new().ok().and_then(|reader| namespaces::own(reader.directory())).unwrap_or(0)
}

/// The effective user.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A user's name, where `/etc/passwd` has one.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    ProcessReader::new().ok()?.user_name(uid)
}

/// A user's home directory by `/etc/passwd` (passwd(5)).
pub(crate) fn home_of(uid: u32) -> Option<std::path::PathBuf> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields.get(5).map(std::path::PathBuf::from))?
    })
}

/// This process, which stays the same across exec(2).
pub(crate) fn own_process() -> ProcessId {
    let pid = std::process::id();
    let known = ProcessReader::new().ok().and_then(|reader| reader.identity(pid));
    known.unwrap_or(ProcessId { pid, start: 0 })
}

/// Who started this process, with its short name.
pub(crate) fn parent_process() -> (ProcessId, String) {
    let pid = std::os::unix::process::parent_id();
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let known = ProcessReader::new().ok().and_then(|reader| reader.identity(pid));
    let id = known.unwrap_or(ProcessId { pid, start: 0 });
    (id, String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// Binds, plainly, and stays bound without listening. With port 0 the kernel chooses. `::` is
/// bound dual-stack, as servers do.
pub(crate) fn hold(transport: Transport, address: SocketAddr) -> Result<Kept, BindResult> {
    probe::bound(transport, address, false)
        .map_err(|error| BindResult::from_errno(error.raw_os_error()))
}

/// The port that the kernel chose.
pub(crate) fn port_of(socket: &Kept) -> Option<u16> {
    SocketAddr::try_from(getsockname(socket).ok()?).ok().map(|address| address.port())
}

/// Makes a bound TCP socket listen; one of UDP is ready as it is. SO_REUSEADDR is set only now, after the plain bind has proven
/// that nothing is in the way: what its connections leave behind then lets the next server by.
pub(crate) fn serve(socket: &Kept) -> io::Result<()> {
    if socket_type(socket)? != SocketType::STREAM {
        return Ok(());
    }
    set_socket_reuseaddr(socket, true)?;
    Ok(listen(socket, BACKLOG)?)
}

/// Takes an abstract unix name (unix(7)): one socket of this network namespace has it, until the
/// last copy of its descriptor is closed. It listens to nothing. `AddrInUse`: it is taken.
pub(crate) fn claim(name: &str) -> io::Result<Kept> {
    // The kernel tells names of different socket types apart, so the type is always this one.
    let flags = SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&fd, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(fd)
}

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
        let directory = Self(openat(CWD, path, DIRECTORY, Mode::empty())?);
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
        // Threads share a PID, and so may processes of two PID namespaces.
        let thread = rustix::thread::gettid().as_raw_nonzero();
        let new = format!(".{name}.{thread}.{}", since_boot().as_nanos());
        let made = rustix::fs::mkdirat(&self.0, &*new, Mode::from_raw_mode(0o700));
        if !matches!(made, Ok(()) | Err(Errno::EXIST)) {
            return Ok(made?);
        }
        let opened = openat(&self.0, &*new, DIRECTORY, Mode::empty());
        let finished = opened
            .and_then(|fd| rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)))
            .and_then(|()| {
                let flags = RenameFlags::NOREPLACE;
                rustix::fs::renameat_with(&self.0, &*new, &self.0, name, flags)
            });
        if finished.is_err() {
            let _ = rustix::fs::unlinkat(&self.0, &*new, rustix::fs::AtFlags::REMOVEDIR);
        }
        match finished {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            // File systems without RENAME_NOREPLACE: the mode is as the umask leaves it.
            Err(Errno::INVAL | Errno::NOSYS) => {
                match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(mode)) {
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
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(LeaseFile(file))
    }

    /// As [`Directory::file`], and locked. `WouldBlock`: another has the lock.
    pub(crate) fn lock(&self, name: &str, mode: u32) -> io::Result<LeaseFile> {
        const MOST: u32 = 100;
        for _ in 0..MOST {
            let LeaseFile(file) = self.file(name, mode)?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            // Somebody may have removed it between the two: then the lock is on nothing.
            let now = rustix::fs::statat(&self.0, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
            if now.is_ok_and(|now| fstat(&file).is_ok_and(|own| own.st_ino == now.st_ino)) {
                return Ok(LeaseFile(file));
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Removes a file. The caller has locked it, or what it stands for.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, rustix::fs::AtFlags::empty())?)
    }

    /// Follows no link and enters no other file system: a user's own could hang whoever asks it.
    fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // mode only matters where the file is made.
        let mode = match flags.contains(OFlags::CREATE) {
            true => Mode::from_raw_mode(0o600),
            false => Mode::empty(),
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match openat2(&self.0, name, flags, mode, resolve) {
            // Before Linux 5.6, or forbidden by an old seccomp profile.
            Err(Errno::NOSYS | Errno::PERM) => openat(&self.0, name, flags, mode),
            result => result,
        }
    }
}

impl LeaseFile {
    /// Replaces what the file says. A full disk leaves it empty.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        rustix::fs::ftruncate(&self.0, 0)?;
        let mut written = 0;
        while written < bytes.len() {
            match rustix::io::pwrite(&self.0, &bytes[written..], written as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(error) => {
                    let _ = rustix::fs::ftruncate(&self.0, 0);
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }
}

const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

fn is_ordinary(file: &OwnedFd) -> bool {
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

/// A program to become, with what it inherits.
#[derive(Debug)]
pub(crate) struct Succession {
    /// The program and its arguments; not empty.
    pub(crate) argv: Vec<OsString>,
    /// Variables set on top of this process's own.
    pub(crate) variables: Vec<(String, String)>,
    /// Sockets for descriptors 3, 4, … in this order (sd_listen_fds(3)).
    pub(crate) sockets: Vec<Kept>,
    /// What stays open in it, at descriptors that nobody looks at.
    pub(crate) kept: Vec<Kept>,
}

/// The first descriptor that systemd's protocol passes (SD_LISTEN_FDS_START, sd_listen_fds(3)).
const FIRST_PASSED: RawFd = 3;
/// Where descriptors go that are only to be kept: above those that shells and tests count on.
const OUT_OF_THE_WAY: RawFd = 64;

/// Becomes that program (execve(2)): the PID, the terminal and the parent stay, descriptors not
/// named here are closed by the kernel in the same moment. Returns only if that fails.
pub(crate) fn succeed(succession: Succession) -> io::Error {
    let Succession { argv, variables, sockets, kept } = succession;
    let Some((program, arguments)) = argv.split_first() else {
        return io::ErrorKind::InvalidInput.into();
    };
    let end = FIRST_PASSED + RawFd::try_from(sockets.len()).unwrap_or(RawFd::MAX - FIRST_PASSED);
    // Both live until exec, or until it has failed.
    let _kept = match moved(kept, end, false) {
        Ok(kept) => kept,
        Err(error) => return error.into(),
    };
    let sockets = match moved(sockets, end, true) {
        Ok(sockets) => sockets,
        Err(error) => return error.into(),
    };
    for (number, socket) in (FIRST_PASSED..end).zip(&sockets) {
        if let Err(error) = put_at(socket, number) {
            return error.into();
        }
    }
    Command::new(program).args(arguments).envs(variables).exec()
}

/// The descriptors, duplicated to numbers from `end` on.
fn moved(all: Vec<OwnedFd>, end: RawFd, close_on_exec: bool) -> Result<Vec<OwnedFd>, Errno> {
    let duplicate = |fd: OwnedFd| {
        let at = |least| match close_on_exec {
            true => rustix::io::fcntl_dupfd_cloexec(&fd, least),
            false => rustix::io::fcntl_dupfd_cloexec(&fd, least).and_then(|copy| {
                rustix::io::fcntl_setfd(&copy, FdFlags::empty())?;
                Ok(copy)
            }),
        };
        // EINVAL: above the limit of open files.
        at(end.max(OUT_OF_THE_WAY)).or_else(|_| at(end))
    };
    all.into_iter().map(duplicate).collect()
}

/// Duplicates a descriptor onto that number, whatever was there, to stay open across exec.
fn put_at(fd: &OwnedFd, number: RawFd) -> Result<(), Errno> {
    debug_assert_ne!(fd.as_fd().as_raw_fd(), number);
    // SAFETY: the number is only the destination of dup3, which needs no open descriptor there.
    // This process owns no descriptor of that number: its own were moved above all of these, and
    // one that it inherited is the successor's to lose.
    let place = unsafe { OwnedFd::from_raw_fd(number) };
    let mut place = std::mem::ManuallyDrop::new(place);
    rustix::io::dup2(fd, &mut place)
}
