//! Who holds a socket: the walk over the descriptors and file ports of every process that may be
//! read. Nothing is chosen or left out.

use std::collections::{BTreeMap, HashSet};

use rustix::io::Errno;

use super::ffi;
use crate::decode::macos::descriptors::{self, Held};
use crate::socket::{HeldBy, Holder};

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The holds on each socket, by its handle.
    pub(super) holders: BTreeMap<u64, Vec<Holder>>,
    /// The processes that may not be read.
    pub(super) unreadable: HashSet<u32>,
}

/// The holds of these processes on these sockets.
pub(super) fn find(pids: impl Iterator<Item = u32>, wanted: &HashSet<u64>) -> Found {
    let mut found = Found::default();
    for pid in pids {
        match held_by(pid) {
            Ok(all) => {
                for (by, held) in all {
                    if wanted.contains(&held.handle) {
                        found.holders.entry(held.handle).or_default().push(Holder { pid, by });
                    }
                }
            }
            Err(Errno::SRCH) => {}
            Err(_) => {
                found.unreadable.insert(pid);
            }
        }
    }
    found
}

/// Every socket that a process holds. EPERM: another user's.
pub(super) fn held_by(pid: u32) -> Result<Vec<(HeldBy, Held)>, Errno> {
    let list = ffi::descriptors(pid)?;
    let mut all = Vec::new();
    for descriptor in descriptors::sockets(&list) {
        // Closed in between, or turned into something else.
        let Some(bytes) = ffi::socket_of_descriptor(pid, descriptor) else { continue };
        all.extend(descriptors::held(&bytes).map(|held| (HeldBy::Descriptor(descriptor), held)));
    }
    let ports = ffi::file_ports(pid).unwrap_or_default();
    for name in descriptors::ports(&ports) {
        let Some(bytes) = ffi::socket_of_port(pid, name) else { continue };
        all.extend(descriptors::held(&bytes).map(|held| (HeldBy::FilePort(name), held)));
    }
    Ok(all)
}
