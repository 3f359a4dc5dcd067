//! The calls of `proc undo`: everything that a process was started with, as far as Windows tells it
//! (its standard handles are another's numbers, and its priority is not asked), and starting a program
//! with it. What is kept and when it is started is decided in [`crate::undo`].

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::path::PathBuf;

use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::Storage::FileSystem::FILE_READ_ATTRIBUTES;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    DETACHED_PROCESS, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT,
    GetExitCodeProcess, INFINITE, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_VM_READ, ResumeThread, STARTF_USESTDHANDLES, STARTUPINFOEXW, TerminateProcess,
    UpdateProcThreadAttribute, WaitForSingleObject,
};

use super::directory::{facts, index};
use super::handle::Handle;
use super::keep::Kept;
use super::memory;
use super::{process, succession};
use crate::decode::settings::Credentials;
use crate::decode::windows::parameters::Parameters;
use crate::decode::windows::wide::{to_bytes, to_units};
use crate::decode::windows::{from_utf16, split};
use crate::process::ProcessId;
pub(crate) use crate::sys::settings::{Settings, Start};
use crate::undo::{FileMark, Stream};
use crate::windows::program::candidates;

/// Whether there is a user who may start a program as any other: nobody, without their password.
pub(crate) const CHANGES_USER: bool = false;

/// Reads all of it, of that very process; `None` where it has ended by now.
pub(crate) fn settings(id: ProcessId) -> Option<Settings> {
    const LOOK: u32 = PROCESS_QUERY_LIMITED_INFORMATION;
    let open = process::open(id.pid, LOOK | PROCESS_VM_READ);
    let open = open.or_else(|_| process::open(id.pid, LOOK)).ok()?;
    // While it is open, its number is nobody else's.
    if process::created(&open) != Some(id.start) {
        return None;
    }
    let parameters = memory::parameters(&open);
    let line = process::command_line(&open).or_else(|| parameters.as_ref()?.command_line());
    let exe = process::image(&open).map(|path| to_bytes(&path));
    let words = line.as_deref().map(|line| split(&from_utf16(line))).unwrap_or_default();
    let (uid, _) = process::user_of(&open)?;
    Some(Settings {
        file: exe.as_deref().and_then(|exe| program(exe).ok()),
        exe,
        cmdline: words.iter().flat_map(|word| word.bytes().chain([0])).collect(),
        line: line.map(|line| to_bytes(&line)),
        cwd: parameters.as_ref().and_then(Parameters::directory).map(|path| to_bytes(&path)),
        environment: memory::environment(&open),
        credentials: Credentials { uids: vec![uid], gids: vec![0], ..Credentials::default() },
        nice: None,
        limits: Vec::new(),
        streams: [const { Stream::None }; 3],
        apart: None,
    })
}

/// Which file is at that path now.
pub(crate) fn program(path: &[u8]) -> io::Result<FileMark> {
    /// The units of a FILETIME in a second.
    const SECOND: u64 = 10_000_000;
    let file = OpenOptions::new().access_mode(FILE_READ_ATTRIBUTES).open(text(path))?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let facts = facts(&file)?;
    let written = facts.ftLastWriteTime;
    let time = u64::from(written.dwHighDateTime) << 32 | u64::from(written.dwLowDateTime);
    let part = |part: u64| i64::try_from(part).unwrap_or(i64::MAX);
    Ok(FileMark {
        id: (facts.dwVolumeSerialNumber.into(), index(&facts)),
        length: u64::from(facts.nFileSizeHigh) << 32 | u64::from(facts.nFileSizeLow),
        modified: (part(time / SECOND), part(time % SECOND * 100)),
    })
}

/// Whether there is a directory at that path.
pub(crate) fn enterable(path: &[u8]) -> io::Result<()> {
    match std::fs::metadata(text(path))?.is_dir() {
        true => Ok(()),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// No stream of another process is known here as a file, so there is none to go on with.
pub(crate) fn append_to(_: &[u8], _: (u64, u64)) -> io::Result<(Kept, u64)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What was written to a file since that length, its last so many bytes. The path is this program's own
/// and no record's.
pub(crate) fn written(path: &[u8], since: u64, most: u64) -> Vec<u8> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(text(path))?;
        let length = file.metadata()?.len();
        io::Seek::seek(&mut file, io::SeekFrom::Start(since.max(length.saturating_sub(most))))?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, most), &mut bytes)?;
        Ok(bytes)
    };
    read().unwrap_or_default()
}

/// A variable of our own environment.
pub(crate) fn variable(name: &[u8]) -> Option<Vec<u8>> {
    let value = std::env::var_os(text(name))?;
    Some(to_bytes(&value.encode_wide().collect::<Vec<_>>()))
}

/// The file that a word means on that search path.
pub(crate) fn on_path(word: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let (word, path) = (std::str::from_utf8(word).ok()?, String::from_utf8_lossy(path));
    let found = candidates(word, &path, None);
    found.into_iter().map(String::into_bytes).find(|file| program(file).is_ok())
}

/// A process that was started.
pub(crate) struct Started {
    pub(crate) id: ProcessId,
    process: Handle,
}

impl Started {
    /// How it ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<(bool, String)> {
        // SAFETY: the handle is open and may be waited on.
        if unsafe { WaitForSingleObject(self.process.raw(), 0) } != WAIT_OBJECT_0 {
            return None;
        }
        let code = exit_code(&self.process);
        Some((code == 0, format!("with status {code}")))
    }
}

/// Starts it in the background: no console, a group of its own, nothing to read, its outputs to those
/// files; it inherits these three and nothing else.
#[expect(clippy::needless_pass_by_value, reason = "as elsewhere: it is used up")]
pub(crate) fn start(start: Start, stdout: Kept, stderr: Kept) -> io::Result<Started> {
    let nothing = Kept::File(OpenOptions::new().read(true).open("NUL")?);
    let streams = [&nothing, &stdout, &stderr];
    let made = create(&start, streams, DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP)?;
    made.go_on()?;
    Ok(Started { id: made.id, process: made.process })
}

/// Runs it in this terminal, says which it is before it begins, and waits for it: its exit code.
/// A Ctrl-C is its own affair.
#[expect(clippy::needless_pass_by_value, reason = "as elsewhere: it is used up")]
pub(crate) fn succeed(start: Start, begun: &mut dyn FnMut(ProcessId)) -> io::Result<i32> {
    succession::leave_interrupts();
    let own = |handle: BorrowedHandle<'_>| handle.try_clone_to_owned().map(Kept::Object);
    let stdin = own(io::stdin().as_handle())?;
    let (stdout, stderr) = (own(io::stdout().as_handle())?, own(io::stderr().as_handle())?);
    let made = create(&start, [&stdin, &stdout, &stderr], 0)?;
    begun(made.id);
    made.go_on()?;
    // SAFETY: the handle is open and may be waited on.
    unsafe { WaitForSingleObject(made.process.raw(), INFINITE) };
    Ok(exit_code(&made.process).cast_signed())
}

/// A process that was made and does not run yet.
struct Made {
    id: ProcessId,
    process: Handle,
    thread: Handle,
}

impl Made {
    /// Lets it begin; where that fails, it never does.
    fn go_on(&self) -> io::Result<()> {
        // SAFETY: the handle is open and has every right.
        if unsafe { ResumeThread(self.thread.raw()) } != u32::MAX {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // SAFETY: as above.
        unsafe { TerminateProcess(self.process.raw(), 1) };
        Err(error)
    }
}

/// Makes the process, held, with its command line as it was: no word is put in quotation marks again.
fn create(start: &Start, streams: [&Kept; 3], flags: u32) -> io::Result<Made> {
    let line = start.line.as_deref().ok_or(io::ErrorKind::InvalidInput)?;
    let ended = |bytes: &[u8]| -> Vec<u16> { to_units(bytes).into_iter().chain([0]).collect() };
    let (program, mut line, cwd) = (ended(&start.program), ended(line), ended(&start.cwd));
    let environment = block(&start.environment);
    let mut handles: Vec<HANDLE> = streams.iter().map(|kept| kept.raw()).collect();
    for stream in streams {
        stream.hand_on(true)?;
    }
    let [input, output, errors] = [handles[0], handles[1], handles[2]];
    // A handle may be there once only.
    handles.sort_unstable();
    handles.dedup();
    let mut list = HandleList::new(&mut handles)?;
    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = u32::try_from(size_of::<STARTUPINFOEXW>()).unwrap_or_default();
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = input;
    startup.StartupInfo.hStdOutput = output;
    startup.StartupInfo.hStdError = errors;
    startup.lpAttributeList = list.raw();
    let mut made = PROCESS_INFORMATION::default();
    let flags =
        flags | CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    // SAFETY: every text ends in a zero, the environment in two, and the line may be written to;
    // the start's information says its size, and its list outlives the call.
    let done = unsafe {
        CreateProcessW(
            program.as_ptr(),
            line.as_mut_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            1,
            flags,
            environment.as_ptr().cast(),
            cwd.as_ptr(),
            (&raw const startup).cast(),
            &raw mut made,
        )
    };
    let error = io::Error::last_os_error();
    for stream in streams {
        let _ = stream.hand_on(false);
    }
    let (Some(process), Some(thread)) = (Handle::new(made.hProcess), Handle::new(made.hThread))
    else {
        return Err(error);
    };
    if done == 0 {
        return Err(error);
    }
    let created = process::created(&process).unwrap_or(0);
    Ok(Made { id: ProcessId { pid: made.dwProcessId, start: created }, process, thread })
}

/// The list of the handles that a process inherits, and of no others.
struct HandleList(Vec<u64>);

impl HandleList {
    /// Of handles that outlive it.
    fn new(handles: &mut [HANDLE]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list the call only says how long one is.
        unsafe { InitializeProcThreadAttributeList(std::ptr::null_mut(), 1, 0, &raw mut size) };
        let mut list = vec![0_u64; size.div_ceil(8)];
        // SAFETY: the list is of that length and aligned.
        let made = unsafe {
            InitializeProcThreadAttributeList(list.as_mut_ptr().cast(), 1, 0, &raw mut size)
        };
        if made == 0 {
            return Err(io::Error::last_os_error());
        }
        let mut this = Self(list);
        let what = PROC_THREAD_ATTRIBUTE_HANDLE_LIST as usize;
        let (list, bytes) = (this.raw(), size_of_val(handles));
        let (none, room) = (std::ptr::null_mut(), std::ptr::null());
        // SAFETY: the list was made, and the handles are `bytes` long and outlive it.
        let set = unsafe {
            UpdateProcThreadAttribute(list, 0, what, handles.as_ptr().cast(), bytes, none, room)
        };
        if set == 0 { Err(io::Error::last_os_error()) } else { Ok(this) }
    }

    fn raw(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for HandleList {
    fn drop(&mut self) {
        // SAFETY: it was made, and is let go only here.
        unsafe { DeleteProcThreadAttributeList(self.raw()) };
    }
}

/// An environment as CreateProcessW takes it: sorted without regard to case, each entry ended by a
/// zero, and one more at the end.
fn block(variables: &[(Vec<u8>, Vec<u8>)]) -> Vec<u16> {
    let mut entries: Vec<(OsString, Vec<u16>)> = variables
        .iter()
        .map(|(name, value)| {
            let (name, value) = (to_units(name), to_units(value));
            let entry = [&*name, &[u16::from(b'=')], &*value, &[0]].concat();
            (OsString::from_wide(&name).to_ascii_uppercase(), entry)
        })
        .collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut block: Vec<u16> = entries.into_iter().flat_map(|(_, entry)| entry).collect();
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    block
}

fn exit_code(process: &Handle) -> u32 {
    let mut code = 1;
    // SAFETY: the handle is open, and the number ours.
    unsafe { GetExitCodeProcess(process.raw(), &raw mut code) };
    code
}

/// A text of the system from a record's bytes.
fn text(bytes: &[u8]) -> PathBuf {
    OsString::from_wide(&to_units(bytes)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_sorted_and_ends_twice() {
        let variable = |name: &str, value: &str| (name.as_bytes().to_vec(), value.into());
        let units = block(&[variable("b", "1"), variable("A", ""), variable("Path", "x")]);
        assert_eq!(String::from_utf16(&units).unwrap(), "A=\0b=1\0Path=x\0\0");
        assert_eq!(block(&[]), [0, 0]);
    }

    #[test]
    fn this_very_process_tells_what_it_was_started_with() {
        let own = super::super::keep::own_process();
        let settings = settings(own).unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(settings.file, program(exe.as_os_str().as_encoded_bytes()).ok());
        let line = String::from_utf8(settings.line.unwrap()).unwrap();
        assert!(line.contains(exe.file_name().unwrap().to_str().unwrap()), "{line}");
        assert!(settings.environment.unwrap().ends_with(&[0]));
        assert!(enterable(&settings.cwd.unwrap()).is_ok());
        assert!(super::settings(ProcessId { start: own.start + 1, ..own }).is_none());
    }
}
