//! Runs a command of the system with an end: no input, no window, and not for longer than it may take.

use std::ffi::OsString;
use std::io::Read;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;
use windows_sys::Win32::System::Threading::{CREATE_NO_WINDOW, WaitForMultipleObjects};

use super::beginning::found;
use super::console::Interrupt;
use crate::decode::windows::{from_utf16, from_utf16_bytes};
use crate::host::{Hindrance, Ran};

/// The most that is kept of what a command writes, in bytes.
const KEPT: usize = 256 * 1024;

/// What came of a command.
pub(super) enum End {
    /// It ended, with success or not.
    Ended(bool),
    /// It did not in time, or the person wanted to stop, and was ended.
    Overdue(String),
    /// It could not be started.
    Unstarted(std::io::Error),
}

/// A command as one line of the plan says it.
pub(super) fn run(argv: &[String], interrupt: Option<&Interrupt>, timeout: Duration) -> Ran {
    let Some(program) = argv.first() else { return Ran::failed("no command".into()) };
    let (end, output, errors) = run_for(argv, interrupt, timeout);
    let success = match end {
        End::Ended(success) => success,
        End::Overdue(message) => return Ran::failed(message),
        End::Unstarted(error) => return not_run(program, &error),
    };
    let (output, errors) = (from_utf16_bytes(&output), from_utf16_bytes(&errors));
    let message = match last_line(&errors) {
        // net(1) complains to either.
        line if line.is_empty() && !success => last_line(&output),
        line => line,
    };
    // net and sc say in the machine's language that they may not, and everywhere by this number.
    let denied = !success && [&output, &errors].iter().any(|text| says_denied(text));
    let hindrance = denied.then_some(Hindrance::Denied);
    Ran { success, message, output, hindrance }
}

/// What a command wrote to stdout and stderr, and how it ended.
pub(super) fn run_for(
    argv: &[String],
    interrupt: Option<&Interrupt>,
    timeout: Duration,
) -> (End, Vec<u8>, Vec<u8>) {
    let Some((program, arguments)) = argv.split_first() else {
        let error = std::io::ErrorKind::InvalidInput.into();
        return (End::Unstarted(error), Vec::new(), Vec::new());
    };
    // A manager's own command is often a script by an ending that is not told.
    let file = of_system(program)
        .or_else(|| found(program.as_ref()).ok())
        .unwrap_or_else(|| program.into());
    let child = Command::new(file)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .creation_flags(CREATE_NO_WINDOW)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return (End::Unstarted(error), Vec::new(), Vec::new()),
    };
    let output = read(child.stdout.take());
    let errors = read(child.stderr.take());
    let end = match awaited(&child, interrupt, timeout) {
        None => End::Ended(child.wait().is_ok_and(|status| status.success())),
        Some(why) => {
            let _ = child.kill();
            let _ = child.wait();
            End::Overdue(format!("{program} {why}"))
        }
    };
    // What it started may keep the pipes open for ever.
    let taken =
        |pipe: Receiver<Vec<u8>>| pipe.recv_timeout(Duration::from_millis(500)).unwrap_or_default();
    (end, taken(output), taken(errors))
}

/// Why a command is not waited for any longer; `None` where it ended by itself.
pub(super) fn awaited(
    child: &Child,
    interrupt: Option<&Interrupt>,
    timeout: Duration,
) -> Option<String> {
    let mut handles: Vec<HANDLE> = vec![child.as_raw_handle()];
    handles.extend(interrupt.map(Interrupt::raw));
    let count = u32::try_from(handles.len()).unwrap_or(1);
    let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX - 1);
    // SAFETY: all are open, and there are `count` of them.
    match unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, millis) } {
        WAIT_OBJECT_0 => None,
        WAIT_TIMEOUT => Some(format!("did not end in {} s", timeout.as_secs_f32().ceil())),
        _ => Some("was interrupted".to_owned()),
    }
}

/// Reads a pipe to its end in a thread of its own, and keeps the end of it.
fn read(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = [0; 8192];
        let mut pipe = pipe;
        while let Some(Ok(count @ 1..)) = pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
            bytes.extend_from_slice(&buffer[..count]);
            let surplus = bytes.len().saturating_sub(KEPT);
            bytes.drain(..surplus);
        }
        let _ = sender.send(bytes);
    });
    drop(thread);
    receiver
}

/// The program of that name in the system's own directory, where there is one: no other of its name
/// can take its place.
fn of_system(program: &str) -> Option<OsString> {
    let mut buffer = [0_u16; 512];
    let room = u32::try_from(buffer.len()).unwrap_or(0);
    // SAFETY: the buffer has that many units.
    let length = unsafe { GetSystemDirectoryW(buffer.as_mut_ptr(), room) } as usize;
    let plain = !program.contains(['\\', '/', ':']);
    let name = if program.contains('.') { program.to_owned() } else { format!("{program}.exe") };
    let path = buffer.get(..length).map(|path| PathBuf::from(from_utf16(path)).join(name));
    path.filter(|path| plain && length > 0 && path.is_file()).map(PathBuf::into_os_string)
}

fn not_run(program: &str, error: &std::io::Error) -> Ran {
    let hindrance = match error.kind() {
        std::io::ErrorKind::NotFound => Some(Hindrance::Missing),
        std::io::ErrorKind::PermissionDenied => Some(Hindrance::Denied),
        _ => None,
    };
    let message = match hindrance {
        Some(Hindrance::Missing) => format!("there is no program {program} here"),
        _ => format!("{program}: {error}"),
    };
    Ran { hindrance, ..Ran::failed(message) }
}

/// Whether a text names ERROR_ACCESS_DENIED: the number 5 as a word of its own.
fn says_denied(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == "5")
}

/// The last line that says anything.
fn last_line(text: &str) -> String {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("").trim().to_owned()
}
