//! What a shell reads its commands from: the script it runs tells whether it would run a child
//! again.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, openat};

use super::ffi;
use crate::decode::macos::descriptors;
use crate::process::Process;

/// A loop stands near the beginning or not at all.
const MOST: u64 = 64 * 1024;

/// The beginning of the script of a shell of this user, read on a thread of its own, which is left
/// alone where the file system does not answer in time.
pub(super) fn script(shell: &Process, limit: Duration) -> Option<String> {
    let pid = shell.id.pid;
    let (answer, heard) = mpsc::sync_channel(1);
    let read = move || {
        // Shells move the script to a high descriptor: bash to the last of its first 256
        // (shell.c), dash to the first from 10 on (input.c), zsh to one of those.
        let _ = answer.send([255, 10, 11, 12].into_iter().find_map(|number| text(pid, number)));
    };
    std::thread::Builder::new().name("script".to_owned()).spawn(read).ok()?;
    heard.recv_timeout(limit).ok()?
}

/// The text of the regular file behind a descriptor, if it is still at its path.
fn text(pid: u32, number: i32) -> Option<String> {
    let open = descriptors::file(&ffi::file_of_descriptor(pid, number)?)?;
    // A device may do things when it is opened: its kind is looked at first.
    if FileType::from_raw_mode(open.mode) != FileType::RegularFile {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, &*open.path, flags, Mode::empty()).ok()?);
    let facts = file.metadata().ok()?;
    if !facts.is_file() || (facts.dev(), facts.ino()) != open.id {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
