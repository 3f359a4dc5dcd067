//! What a command gets in the place of our outputs so that they can be read along: a pipe for what
//! is no console. Nothing is copied here.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::process::{Command, Stdio};

use proc_core::sys::streams::{is_console, is_same, pipe};

/// How much a pipe holds, in bytes: a command that writes much waits less for us.
const ROOM: u32 = 256 * 1024;

/// One way from the command to one of our outputs.
#[derive(Debug)]
pub struct Channel {
    /// Where the command's bytes come out.
    pub from: File,
    /// Where they go: our own output.
    pub to: File,
}

/// The ways that a command's words take.
#[derive(Debug, Default)]
pub struct Channels {
    /// Those through us.
    pub pipes: Vec<Channel>,
    /// Whether one goes to the console itself.
    pub has_console: bool,
}

/// Gives the command its outputs. A console is its own: colours, size and keys are as without us. An
/// output for which nothing could be opened stays our own too, and is not read along.
pub fn redirect(command: &mut Command) -> Channels {
    let (out, error) = (io::stdout(), io::stderr());
    let (out, error) = (out.as_handle(), error.as_handle());
    let mut channels = Channels::default();
    let first = channels.add(out);
    let copy = first.as_ref().and_then(|entry| entry.try_clone().ok());
    if let Some(entry) = first {
        command.stdout(Stdio::from(entry));
    }
    let second = match copy {
        // One channel for both, so that their order stays.
        Some(entry) if is_same(out, error) => Some(entry),
        _ => channels.add(error),
    };
    if let Some(entry) = second {
        command.stderr(Stdio::from(entry));
    }
    channels
}

impl Channels {
    /// The command's end of a new way to that output, where it is to have one.
    fn add(&mut self, real: BorrowedHandle<'_>) -> Option<OwnedHandle> {
        if real.as_raw_handle().is_null() {
            return None;
        }
        if is_console(real) {
            self.has_console = true;
            return None;
        }
        let to = real.try_clone_to_owned().ok()?;
        let (from, entry) = pipe(ROOM).ok()?;
        self.pipes.push(Channel { from: from.into(), to: to.into() });
        Some(entry)
    }
}
