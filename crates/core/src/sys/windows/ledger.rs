//! The calls for the state directory of `proc undo`: a directory that is this user's alone, by its
//! list of rights, and small files in it that appear whole or not at all. What they say is
//! [`crate::undo`]'s.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use windows_sys::Win32::Storage::FileSystem::{LOCKFILE_EXCLUSIVE_LOCK, LockFileEx, MoveFileExW};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::directory::{self, Directory, wide};
use super::keep::{Kept, since_boot};

/// The directory, and the one above it, which is kept from being renamed meanwhile.
#[derive(Debug)]
pub(crate) struct Ledger {
    directory: Directory,
    _above: Directory,
}

/// Nobody else changes anything as long as this exists.
#[derive(Debug)]
pub(crate) struct Locked(#[expect(dead_code, reason = "the lock is on the open file")] File);

/// The file that is locked.
const LOCK: &str = ".lock";

impl Ledger {
    /// Opens `proc\undo` below that directory; with `make`, makes what is missing, for this user
    /// alone. The two may be no links and must belong to this user, nobody else may write to them,
    /// and nobody else read the inner one.
    pub(crate) fn open(base: &Path, make: bool) -> io::Result<Self> {
        let (above, inner) = (base.join("proc"), base.join("proc\\undo"));
        if make {
            std::fs::create_dir_all(base)?;
            directory::make(&above, 0o700)?;
            directory::make(&inner, 0o700)?;
        }
        let above = Directory::own(&above).map_err(|error| named("proc", error))?;
        let directory = Directory::secret(&inner).map_err(|error| named("proc\\undo", error))?;
        Ok(Self { directory, _above: above })
    }

    /// The names of the files, in no order, without those that begin with a dot.
    pub(crate) fn names(&self) -> Vec<String> {
        self.directory.names(usize::MAX)
    }

    /// What a file says. Only an ordinary one is read, and none longer than that.
    pub(crate) fn read(&self, name: &str, most: usize) -> io::Result<Vec<u8>> {
        let file = self.directory.ordinary(name, OpenOptions::new().read(true))?;
        if file.metadata()?.len() > most as u64 {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "it is too long"));
        }
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Makes a file that only this user can read, whole or not at all. `AlreadyExists`: there is
    /// one of that name.
    pub(crate) fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, bytes, |draft, path| {
            let (from, to) = (wide(draft), wide(path));
            // Without the flag that lets it replace one.
            // SAFETY: both paths end in a zero.
            match unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) } {
                0 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        })
    }

    /// Puts a file in the place of one.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, bytes, |draft, path| std::fs::rename(draft, path))
    }

    fn put(
        &self,
        name: &str,
        bytes: &[u8],
        place: impl FnOnce(&Path, &Path) -> io::Result<()>,
    ) -> io::Result<()> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let draft = format!(".{name}.{pid}-{count}.{}", since_boot().as_nanos());
        let mut file =
            self.directory.ordinary(&draft, OpenOptions::new().write(true).create_new(true))?;
        let (from, to) = (self.directory.inner(&draft)?, self.directory.inner(name)?);
        let written = file.write_all(bytes);
        drop(file);
        let done = written.and_then(|()| place(&from, &to));
        if done.is_err() {
            let _ = self.directory.remove(&draft);
        }
        done
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        self.directory.remove(name)
    }

    /// Waits for whoever else changes something, and keeps others out.
    pub(crate) fn lock(&self) -> io::Result<Locked> {
        let file = self
            .directory
            .ordinary(LOCK, OpenOptions::new().read(true).write(true).create(true))?;
        let mut place = OVERLAPPED::default();
        let (handle, flags) = (file.as_raw_handle(), LOCKFILE_EXCLUSIVE_LOCK);
        // SAFETY: the handle is open and waits for what is asked of it, so the place is only used
        // during the call.
        match unsafe { LockFileEx(handle, flags, 0, 1, 0, &raw mut place) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(Locked(file)),
        }
    }

    /// A file to append to, for this user alone, and how long it is already.
    pub(crate) fn log(&self, name: &str) -> io::Result<(Kept, u64)> {
        let mut options = OpenOptions::new();
        let file = self.directory.ordinary(name, options.read(true).append(true).create(true))?;
        let length = file.metadata()?.len();
        Ok((Kept::File(file), length))
    }
}

/// What is missing where no directory is named.
pub(crate) const NOWHERE: &str = "LOCALAPPDATA does not say where to keep it";

/// The state directory: `%LOCALAPPDATA%`, which Windows gives to its user alone and does not carry to
/// other machines.
pub(crate) fn state(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("LOCALAPPDATA").filter(|path| path.is_absolute())
}

/// An error with the directory that it is about, where it is about what that is.
fn named(name: &str, error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            io::Error::new(ErrorKind::PermissionDenied, format!("of {name} in it: {error}"))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Base(PathBuf);

    impl Base {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("proc-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Base {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_appear_whole_once_and_are_replaced() {
        let base = Base::new("ledger");
        assert_eq!(Ledger::open(&base.0, false).unwrap_err().kind(), ErrorKind::NotFound);
        let ledger = Ledger::open(&base.0, true).unwrap();
        ledger.create("1.json", b"one").unwrap();
        assert_eq!(ledger.create("1.json", b"x").unwrap_err().kind(), ErrorKind::AlreadyExists);
        ledger.replace("1.json", b"two").unwrap();
        assert_eq!(ledger.read("1.json", 9).unwrap(), b"two");
        assert!(ledger.read("1.json", 2).is_err());
        assert_eq!(ledger.read("2.json", 9).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(ledger.names(), ["1.json"]);
        ledger.remove("1.json").unwrap();
        assert!(ledger.names().is_empty());
        assert!(ledger.create("..\\x", b"").is_err());
    }

    #[test]
    fn a_log_is_appended_to_and_a_lock_waits_for_its_turn() {
        let base = Base::new("ledger-lock");
        let ledger = Ledger::open(&base.0, true).unwrap();
        for length in [0, 1] {
            let (Kept::File(mut file), known) = ledger.log("1-1.log").unwrap() else {
                panic!("a log is a file")
            };
            assert_eq!(known, length);
            file.write_all(b"a").unwrap();
        }
        let locked = ledger.lock().unwrap();
        let path = base.0.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let ledger = Ledger::open(&path, false).unwrap();
            sender.send(()).unwrap();
            drop(ledger.lock().unwrap());
        });
        receiver.recv().unwrap();
        drop(locked);
        other.join().unwrap();
    }
}
