//! What is at a path, so far as the kernel knows without asking any disk or file server
//! (RESOLVE_CACHED of openat2(2), Linux 5.12). It spares a thread: only what might have to be
//! waited for is left to one.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;

/// It cannot be told without perhaps waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsure;

/// The kind of what a path leads to; `None` where there is nothing, or nothing to be seen.
pub(crate) fn kind(path: &Path) -> Result<Option<FileType>, Unsure> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED);
    let file = match found {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => return Ok(None),
        Err(_) => return Err(Unsure),
    };
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let facts = rustix::fs::statx(&file, c"", flags, StatxFlags::TYPE).map_err(|_| Unsure)?;
    Ok(Some(FileType::from_raw_mode(facts.stx_mode.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_is_known_and_never_wrong() {
        let own = std::env::current_exe().unwrap();
        // A kernel without it, or a file system that keeps nothing, knows nothing.
        for (path, truth) in [
            (own.as_path(), Some(FileType::RegularFile)),
            (own.parent().unwrap(), Some(FileType::Directory)),
            (&own.join("below-a-file"), None),
            (&own.with_extension("not-there"), None),
        ] {
            let _ = std::fs::metadata(path);
            if let Ok(told) = kind(path) {
                assert_eq!(told, truth, "{}", path.display());
            }
        }
    }
}
