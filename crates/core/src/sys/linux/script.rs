//! The script that a shell reads its commands from, by the descriptor that it keeps for it.

use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::process::Process;

/// More of a script is not read.
const MOST: u64 = 64 << 10;

/// The beginning of the script of a shell, read on a thread of its own, which is left alone where
/// the file system does not answer in time: one on a network that is down never does.
pub fn script(shell: &Process, limit: Duration) -> Option<String> {
    let pid = shell.id.pid;
    let (answer, heard) = mpsc::sync_channel(1);
    let read = move || {
        // Shells move the script to a high descriptor: bash to the last of its first 256
        // (shell.c), dash to the first from 10 on (input.c), zsh to one of those.
        let text =
            [255, 10, 11, 12].iter().find_map(|fd| regular_file(&format!("/proc/{pid}/fd/{fd}")));
        let _ = answer.send(text);
    };
    std::thread::Builder::new().name("script".to_owned()).spawn(read).ok()?;
    heard.recv_timeout(limit).ok()?
}

/// The text of a regular file; opening another kind neither waits nor changes anything.
fn regular_file(path: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // A device may do things when it is opened: its kind is looked at first.
    let kind = rustix::fs::stat(path).ok()?;
    if FileType::from_raw_mode(kind.st_mode) != FileType::RegularFile {
        return None;
    }
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?;
    let kind = rustix::fs::fstat(&file).ok()?;
    if FileType::from_raw_mode(kind.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
