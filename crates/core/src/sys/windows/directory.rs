//! Small files in directories that other users may try to misuse. A directory is opened, checked and
//! kept open without letting others rename or remove it, so that its path goes on to mean it; one
//! that is a link or a junction is refused. Rights are given as a directory is made, and files have
//! those of their directory.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, ERROR_SHARING_VIOLATION, GENERIC_READ, GENERIC_WRITE,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetKernelObjectSecurity, OWNER_SECURITY_INFORMATION,
    SECURITY_ATTRIBUTES,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateDirectoryW, FILE_ALL_ACCESS, FILE_ATTRIBUTE_REPARSE_POINT,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ, FILE_LIST_DIRECTORY, FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE, GetFileInformationByHandle, READ_CONTROL,
};

use super::keep::{Kept, user};
use super::process::own_sid;
use crate::decode::windows::security::{Allowed, Descriptor, Sid, TO_CHANGE, TO_READ, protected};

/// The longest file that is read here, in bytes.
const LONGEST: u64 = 8 * 1024;

/// A directory that was found to be what it should be.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    open: File,
}

/// A file of a lease. Where it was locked, nobody else can while any copy of this is open: it is open
/// for writing, and lets nobody else write, which holds for the open file and not for a process.
#[derive(Debug)]
pub(crate) struct LeaseFile(pub(crate) Kept);

impl Directory {
    /// Opens a directory that belongs to this user (or to those who may do everything anyway) and
    /// that nobody else may write to. It may not be a link.
    pub(crate) fn own(path: &Path) -> io::Result<Self> {
        let directory = Self::open(path)?;
        directory.check_owner(user())?;
        match directory.descriptor()?.others_may(&own()?, TO_CHANGE) {
            true => Err(refused("others may write to it")),
            false => Ok(directory),
        }
    }

    /// As [`Directory::own`], and nobody else may read it.
    pub(super) fn secret(path: &Path) -> io::Result<Self> {
        let directory = Self::own(path)?;
        match directory.descriptor()?.others_may(&own()?, TO_READ) {
            true => Err(refused("others may read it")),
            false => Ok(directory),
        }
    }

    /// Opens a directory where every user may make one of their own. It may not be a link.
    pub(crate) fn shared(path: &Path) -> io::Result<Self> {
        Self::open(path)
    }

    fn open(path: &Path) -> io::Result<Self> {
        let open = OpenOptions::new()
            .access_mode(FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES | READ_CONTROL)
            // Not to be renamed or removed as long as it is open.
            .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(path)?;
        let facts = open.metadata()?;
        if facts.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(refused("it is a link"));
        }
        match facts.is_dir() {
            true => Ok(Self { path: path.to_owned(), open }),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory of that name inside, made if it is not there, with the rights that this mode
    /// would give on Unix: 0o700 for the user alone, 0o755 for everybody to read, 0o1777 for
    /// everybody to make a directory in.
    pub(crate) fn make(&self, name: &str, mode: u32) -> io::Result<()> {
        make(&self.inner(name)?, mode)
    }

    /// The directory of that name inside, if that user owns it and it is on the same volume.
    pub(crate) fn inside(&self, name: &str, owner: u32) -> io::Result<Self> {
        let directory = Self::open(&self.inner(name)?)?;
        directory.check_owner(owner)?;
        match directory.id()?.0 == self.id()?.0 {
            true => Ok(directory),
            false => Err(refused("it is on another volume")),
        }
    }

    /// Whether that user owns it. Of oneself all of the SID counts, of others its last number, which
    /// is all that a name says.
    fn check_owner(&self, owner: u32) -> io::Result<()> {
        let descriptor = self.descriptor()?;
        let is = match owner == user() {
            true => descriptor.is_owned_by(&own()?),
            false => descriptor
                .owner
                .as_ref()
                .is_some_and(|sid| sid.last() == Some(owner) || sid.is_of_the_machine()),
        };
        if is { Ok(()) } else { Err(refused("it belongs to another user")) }
    }

    /// Whether both are the same directory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.id().is_ok_and(|own| other.id().is_ok_and(|other| own == other))
    }

    /// At most that many names inside, in no order.
    pub(crate) fn names(&self, most: usize) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| !name.starts_with('.')).take(most).collect()
    }

    /// What a file says; `None` where there is none, or it is no ordinary short file.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.ordinary(name, OpenOptions::new().read(true)).ok()?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Whether somebody has locked that file.
    pub(crate) fn is_locked(&self, name: &str) -> bool {
        let mut options = OpenOptions::new();
        options.read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
        self.ordinary(name, &options).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// The file of that name, made if it is not there. Who may read it is its directory's affair.
    pub(crate) fn file(&self, name: &str, _mode: u32) -> io::Result<LeaseFile> {
        let file = self.ordinary(name, OpenOptions::new().read(true).write(true).create(true))?;
        Ok(LeaseFile(Kept::File(file)))
    }

    /// As [`Directory::file`], and locked. `WouldBlock`: another has the lock.
    pub(crate) fn lock(&self, name: &str, _mode: u32) -> io::Result<LeaseFile> {
        let mut options = OpenOptions::new();
        options
            .access_mode(GENERIC_READ | GENERIC_WRITE)
            .write(true)
            .create(true)
            .share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
        Ok(LeaseFile(Kept::File(self.ordinary(name, &options)?)))
    }

    /// Removes a file. The caller has locked it, or what it stands for.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.inner(name)?)
    }

    /// Opens an ordinary file in it, and no link. `WouldBlock`: somebody keeps it from being opened so.
    pub(super) fn ordinary(&self, name: &str, options: &OpenOptions) -> io::Result<File> {
        let opened =
            options.clone().custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(self.inner(name)?);
        let file = opened.map_err(|error| match error.raw_os_error() {
            Some(code) if code.cast_unsigned() == ERROR_SHARING_VIOLATION => {
                ErrorKind::WouldBlock.into()
            }
            _ => error,
        })?;
        let facts = file.metadata()?;
        let ordinary =
            facts.is_file() && facts.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT == 0;
        if ordinary { Ok(file) } else { Err(refused("it is not an ordinary file")) }
    }

    /// The path of a name inside: one component, that leads nowhere else and means no stream.
    pub(super) fn inner(&self, name: &str) -> io::Result<PathBuf> {
        match name.contains(['\\', '/', ':']) {
            true => Err(ErrorKind::InvalidInput.into()),
            false => Ok(self.path.join(name)),
        }
    }

    fn id(&self) -> io::Result<(u32, u64)> {
        let facts = facts(&self.open)?;
        Ok((facts.dwVolumeSerialNumber, index(&facts)))
    }

    fn descriptor(&self) -> io::Result<Descriptor> {
        const WHAT: u32 = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
        // No list of rights is longer.
        let mut bytes = vec![0_u8; 65_536 + 256];
        let mut needed = 0;
        let length = u32::try_from(bytes.len()).unwrap_or_default();
        let (handle, to) = (self.open.as_raw_handle(), bytes.as_mut_ptr().cast());
        // SAFETY: the handle is open, and the buffer has that many bytes.
        let done = unsafe { GetKernelObjectSecurity(handle, WHAT, to, length, &raw mut needed) };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Descriptor::read(&bytes).ok_or_else(|| refused("who may write to it cannot be read"))
    }
}

impl LeaseFile {
    /// Replaces what the file says. A full disk leaves it empty.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        rewrite(&self.0, bytes)
    }
}

/// Replaces what a file says. A full disk leaves it empty.
pub(crate) fn rewrite(kept: &Kept, bytes: &[u8]) -> io::Result<()> {
    let Kept::File(file) = kept else { return Err(ErrorKind::InvalidInput.into()) };
    let mut file: &File = file;
    file.set_len(0)?;
    file.rewind()?;
    let written = file.write_all(bytes);
    if written.is_err() {
        let _ = file.set_len(0);
    }
    written
}

/// Makes a directory with such rights; that it is there already is as good.
pub(super) fn make(path: &Path, mode: u32) -> io::Result<()> {
    let mut lines = vec![
        Allowed::inside_too(own()?, FILE_ALL_ACCESS),
        Allowed::inside_too(Sid::system(), FILE_ALL_ACCESS),
        Allowed::inside_too(Sid::administrators(), FILE_ALL_ACCESS),
    ];
    const LOOK: u32 = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE;
    /// FILE_ADD_SUBDIRECTORY: directories and no files.
    const ADD: u32 = 0x4;
    match mode & 0o007 {
        0 => {}
        0o007 => lines.push(Allowed::alone(Sid::everyone(), LOOK | ADD)),
        _ => lines.push(Allowed::inside_too(Sid::everyone(), LOOK)),
    }
    let mut descriptor = protected(&lines);
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
        lpSecurityDescriptor: descriptor.as_mut_ptr().cast(),
        bInheritHandle: 0,
    };
    let wide = wide(path);
    // SAFETY: the path ends in a zero, and the attributes and what they point to outlive the call.
    match unsafe { CreateDirectoryW(wide.as_ptr(), &raw const attributes) } {
        0 => match io::Error::last_os_error() {
            error if error.raw_os_error().map(i32::cast_unsigned) == Some(ERROR_ALREADY_EXISTS) => {
                Ok(())
            }
            error => Err(error),
        },
        _ => Ok(()),
    }
}

/// Which file that is, and what there is to know of it.
pub(super) fn facts(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut facts = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the structure ours.
    match unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut facts) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(facts),
    }
}

/// The number of a file on its volume.
pub(super) fn index(facts: &BY_HANDLE_FILE_INFORMATION) -> u64 {
    u64::from(facts.nFileIndexHigh) << 32 | u64::from(facts.nFileIndexLow)
}

/// A path with a zero at its end, for calls of Windows.
pub(super) fn wide(path: &Path) -> Vec<u16> {
    use std::os::windows::ffi::OsStrExt;
    path.as_os_str().encode_wide().chain([0]).collect()
}

fn own() -> io::Result<Sid> {
    own_sid().ok_or_else(|| refused("who runs this program is not known"))
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of the test's own.
    struct Own(PathBuf);

    impl Own {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("proc-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            make(&path, 0o700).unwrap();
            Self(path)
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_directory_is_made_for_its_user_and_found_so() {
        let own = Own::new("directory");
        let base = Directory::secret(&own.0).unwrap();
        base.make("a", 0o700).unwrap();
        base.make("a", 0o700).unwrap();
        let inside = base.inside("a", user()).unwrap();
        assert!(inside.is_same(&Directory::own(&own.0.join("a")).unwrap()));
        assert!(!inside.is_same(&base));
        assert!(base.inside("a", user().wrapping_add(1)).is_err());
        assert!(base.make("a\\b", 0o700).is_err());
        assert_eq!(base.names(9), ["a"]);
    }

    #[test]
    fn a_lock_is_had_once_and_by_every_copy() {
        let own = Own::new("lock");
        let directory = Directory::own(&own.0).unwrap();
        let LeaseFile(lock) = directory.lock("x", 0o600).unwrap();
        let copy = lock.try_clone().unwrap();
        drop(lock);
        assert_eq!(directory.lock("x", 0o600).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(directory.is_locked("x"));
        rewrite(&copy, b"one").unwrap();
        rewrite(&copy, b"2").unwrap();
        assert_eq!(directory.read("x").unwrap(), b"2");
        drop(copy);
        assert!(!directory.is_locked("x"));
        directory.lock("x", 0o600).unwrap();
        directory.remove("x").unwrap();
        assert_eq!(directory.read("x"), None);
    }
}
