//! Other network namespaces: finding them by name and by process, and opening a sock_diag socket
//! inside one. Their sockets never conflict with the asker's binds; they explain why a port that
//! "is surely taken" is free here.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, openat, readlinkat, stat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::sock_diag::SockDiag;
use crate::decode::procfs;

/// Folders where engines and `ip netns` keep namespaces alive without a process.
const NAMED: [&str; 3] = ["/run/netns", "/run/docker/netns", "/var/run/netns"];

/// A namespace that is not the asker's.
pub(crate) struct OtherNamespace {
    pub(crate) inode: u64,
    /// The file's name in one of the folders of named namespaces.
    pub(crate) name: Option<String>,
    /// A process inside.
    pub(crate) pid: Option<u32>,
    path: CString,
}

impl OtherNamespace {
    /// A sock_diag socket in this namespace. Needs CAP_SYS_ADMIN over it. The thread that enters
    /// it ends at once, so that nothing else of this process ever runs there.
    pub(crate) fn sock_diag(&self) -> Result<SockDiag, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(rustix::fs::CWD, self.path.as_c_str(), flags, Mode::empty())?;
        let enter = move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            SockDiag::open()
        };
        let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(enter);
        thread.map_err(|_| Errno::AGAIN)?.join().unwrap_or(Err(Errno::IO))
    }
}

/// The asker's own namespace.
pub(crate) fn own(proc: BorrowedFd<'_>) -> Option<u64> {
    link(proc, "self/ns/net").ok()
}

/// Namespaces with a name: a few microseconds.
pub(crate) fn named(own: u64) -> Vec<OtherNamespace> {
    let mut others: Vec<OtherNamespace> = Vec::new();
    for folder in NAMED {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(facts) = stat(&path) else { continue };
            let inode = facts.st_ino;
            if inode == own || others.iter().any(|other| other.inode == inode) {
                continue;
            }
            let Ok(c_path) = CString::new(path.as_os_str().as_encoded_bytes()) else { continue };
            others.push(OtherNamespace {
                inode,
                name: Some(entry.file_name().to_string_lossy().into_owned()),
                pid: None,
                path: c_path,
            });
        }
    }
    others
}

/// Adds the namespaces of these processes, and a process to the named ones. About a microsecond
/// a process. Returns how many processes would not say (other users', without CAP_SYS_PTRACE).
pub(crate) fn add_of_processes(
    proc: BorrowedFd<'_>,
    pids: &[u32],
    own: u64,
    others: &mut Vec<OtherNamespace>,
) -> usize {
    let mut denied = 0;
    let mut known: HashSet<u64> = others.iter().map(|other| other.inode).collect();
    known.insert(own);
    for &pid in pids {
        let inode = match link(proc, &format!("{pid}/ns/net")) {
            Ok(inode) => inode,
            Err(Errno::ACCESS | Errno::PERM) => {
                denied += 1;
                continue;
            }
            Err(_) => continue,
        };
        if known.insert(inode) {
            let path = CString::new(format!("/proc/{pid}/ns/net")).expect("digits have no NUL");
            others.push(OtherNamespace { inode, name: None, pid: Some(pid), path });
        } else if let Some(other) = others.iter_mut().find(|other| other.inode == inode)
            && other.pid.is_none()
        {
            other.pid = Some(pid);
        }
    }
    denied
}

fn link(proc: BorrowedFd<'_>, path: &str) -> Result<u64, Errno> {
    let target = readlinkat(proc, path, Vec::with_capacity(64))?;
    procfs::net_namespace(target.as_bytes()).ok_or(Errno::INVAL)
}
