//! Facts about processes: Toolhelp's list, and what a handle with few rights tells.

use std::collections::BTreeMap;
use std::ffi::c_void;

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::Security::{
    GetSidSubAuthority, GetSidSubAuthorityCount, GetTokenInformation, LookupAccountSidW, PSID,
    TOKEN_ELEVATION, TOKEN_QUERY, TOKEN_USER, TokenElevation, TokenUser,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, OpenProcessToken,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_VM_READ, QueryFullProcessImageNameW,
};

use super::handle::Handle;
use super::library;
use super::memory;
use crate::decode::windows::parameters::Parameters;
use crate::decode::windows::processes::Listed;
use crate::decode::windows::security::Sid;
use crate::decode::windows::{filetime, from_utf16, split};
use crate::process::{Process, ProcessId};

/// A process in Toolhelp's list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) pid: u32,
    /// Who started it; that may have ended since, and its number be another's.
    pub(super) parent: u32,
    /// The file's name.
    pub(super) name: String,
    pub(super) threads: u32,
}

/// Every process there is, by number.
pub(super) fn all() -> BTreeMap<u32, Entry> {
    let mut found = BTreeMap::new();
    // SAFETY: it takes numbers only.
    let Some(list) = Handle::new(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) }) else {
        return found;
    };
    let size = u32::try_from(size_of::<PROCESSENTRY32W>()).unwrap_or_default();
    // SAFETY: a structure of numbers and arrays of numbers may be all zero.
    let mut entry: PROCESSENTRY32W = unsafe { std::mem::zeroed() };
    entry.dwSize = size;
    // SAFETY: the entry says its own size.
    let mut more = unsafe { Process32FirstW(list.raw(), &raw mut entry) };
    while more != 0 {
        let (pid, parent) = (entry.th32ProcessID, entry.th32ParentProcessID);
        let name = from_utf16(&entry.szExeFile);
        found.insert(pid, Entry { pid, parent, name, threads: entry.cntThreads });
        // SAFETY: as above.
        more = unsafe { Process32NextW(list.raw(), &raw mut entry) };
    }
    found
}

/// Opens a process with these rights; the error where that is refused.
pub(super) fn open(pid: u32, rights: u32) -> Result<Handle, std::io::Error> {
    // SAFETY: it takes numbers only.
    let raw = unsafe { OpenProcess(rights, 0, pid) };
    Handle::new(raw).ok_or_else(std::io::Error::last_os_error)
}

/// When a process was created, as a FILETIME.
pub(super) fn created(process: &Handle) -> Option<u64> {
    let zero = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let [mut created, mut exited, mut kernel, mut user] = [zero; 4];
    // SAFETY: the handle is open, and the four times are ours.
    let done = unsafe {
        GetProcessTimes(
            process.raw(),
            &raw mut created,
            &raw mut exited,
            &raw mut kernel,
            &raw mut user,
        )
    };
    let time = u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime);
    (done != 0 && time != 0).then_some(time)
}

/// The same of a number; `None` where it may not be opened.
pub(super) fn created_of(pid: u32) -> Option<u64> {
    created(&open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()?)
}

/// Everything about one process that may be read.
pub(super) fn read(entry: &Entry) -> Process {
    let handle = open(entry.pid, PROCESS_QUERY_LIMITED_INFORMATION).ok();
    let start = handle.as_ref().and_then(created);
    let id = ProcessId { pid: entry.pid, start: start.unwrap_or(0) };
    let mut process = Process {
        ppid: entry.parent,
        name: without_suffix(&entry.name),
        threads: Some(entry.threads),
        started_at: start.and_then(filetime),
        ..Process::unread(id)
    };
    let Some(handle) = handle else { return process };
    process.exe = image(&handle).map(|path| from_utf16(&path));
    let readable = open(entry.pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_VM_READ).ok();
    let parameters = readable.as_ref().and_then(memory::parameters);
    let line = command_line(&handle).or_else(|| parameters.as_ref()?.command_line());
    process.argv = line.map(|line| split(&from_utf16(&line))).unwrap_or_default();
    let directory = parameters.as_ref().and_then(Parameters::directory);
    process.cwd = directory.map(|path| from_utf16(&path));
    if let Some((uid, user)) = user_of(&handle) {
        (process.uid, process.user) = (Some(uid), user);
    }
    process
}

/// The environment of a process whose memory may be read.
pub(super) fn environment(pid: u32) -> Option<Vec<u8>> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_VM_READ).ok()?;
    memory::environment(&process)
}

/// Who a process is, as far as this user may see.
#[derive(Debug)]
pub(super) struct Identity {
    /// The last number of its user's SID.
    pub(super) uid: Option<u32>,
    /// The path of its program.
    pub(super) image: Option<String>,
}

/// That of the process of that number; `None` where there is none, or it may not be opened at all.
pub(super) fn identity(pid: u32) -> Option<Identity> {
    let handle = open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()?;
    let uid = token(&handle).and_then(|token| owner(&token)).map(|(uid, _)| uid);
    Some(Identity { uid, image: image(&handle).map(|path| from_utf16(&path)) })
}

/// Who asks: the last number of the user's SID, the name, and whether this process is elevated.
pub(super) fn asker() -> (Option<u32>, Option<String>, bool) {
    // SAFETY: it takes nothing; the handle stands for this process and need not be closed.
    let current = unsafe { GetCurrentProcess() };
    let mut raw = std::ptr::null_mut();
    // SAFETY: `raw` is ours.
    let done = unsafe { OpenProcessToken(current, TOKEN_QUERY, &raw mut raw) };
    let Some(token) = Handle::new(raw).filter(|_| done != 0) else { return (None, None, false) };
    let (uid, user) = owner(&token).map_or((None, None), |(uid, user)| (Some(uid), user));
    let mut elevation = TOKEN_ELEVATION { TokenIsElevated: 0 };
    let mut size = 0;
    let length = u32::try_from(size_of::<TOKEN_ELEVATION>()).unwrap_or_default();
    let (token, to) = (token.raw(), (&raw mut elevation).cast());
    // SAFETY: the structure is ours and of that length.
    let done = unsafe { GetTokenInformation(token, TokenElevation, to, length, &raw mut size) };
    (uid, user, done != 0 && elevation.TokenIsElevated != 0)
}

/// The user that this process runs as.
pub(super) fn own_sid() -> Option<Sid> {
    // SAFETY: it takes nothing; the handle stands for this process and need not be closed.
    let current = unsafe { GetCurrentProcess() };
    let mut raw = std::ptr::null_mut();
    // SAFETY: `raw` is ours.
    let done = unsafe { OpenProcessToken(current, TOKEN_QUERY, &raw mut raw) };
    let token = Handle::new(raw).filter(|_| done != 0)?;
    let mut buffer = [0_u64; 32];
    let mut size = 0;
    let length = u32::try_from(size_of_val(&buffer)).unwrap_or_default();
    let to = buffer.as_mut_ptr().cast();
    // SAFETY: the buffer is ours, aligned, and of that length, which holds any SID.
    let done = unsafe { GetTokenInformation(token.raw(), TokenUser, to, length, &raw mut size) };
    // A TOKEN_USER begins with where the SID is, which is in the same buffer.
    let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let pointer = usize::from_ne_bytes(*bytes.first_chunk()?);
    let start = pointer.checked_sub(buffer.as_ptr() as usize).filter(|_| done != 0)?;
    Sid::read(bytes.get(start..)?)
}

/// Whose a process is: see [`owner`].
pub(super) fn user_of(process: &Handle) -> Option<(u32, Option<String>)> {
    owner(&token(process)?)
}

fn token(process: &Handle) -> Option<Handle> {
    let mut raw = std::ptr::null_mut();
    // SAFETY: the handle is open, `raw` is ours.
    let done = unsafe { OpenProcessToken(process.raw(), TOKEN_QUERY, &raw mut raw) };
    Handle::new(raw).filter(|_| done != 0)
}

/// The user of a token: the last number of the SID (500 for the Administrator, 18 for SYSTEM), which
/// is one machine's, and the name.
fn owner(token: &Handle) -> Option<(u32, Option<String>)> {
    let mut buffer = [0_u64; 32];
    let mut size = 0;
    let length = u32::try_from(size_of_val(&buffer)).unwrap_or_default();
    let to = buffer.as_mut_ptr().cast();
    // SAFETY: the buffer is ours, aligned, and of that length, which holds any SID.
    let done = unsafe { GetTokenInformation(token.raw(), TokenUser, to, length, &raw mut size) };
    if done == 0 {
        return None;
    }
    // SAFETY: the call filled the buffer with this structure, and the SID it points to after it.
    let sid = unsafe { buffer.as_ptr().cast::<TOKEN_USER>().read() }.User.Sid;
    // SAFETY: the SID is in the buffer.
    let count = unsafe { GetSidSubAuthorityCount(sid) };
    // SAFETY: it points into the SID.
    let last = u32::from(unsafe { count.read() }).checked_sub(1)?;
    // SAFETY: the SID has that many numbers.
    let number = unsafe { GetSidSubAuthority(sid, last) };
    // SAFETY: it points into the SID, at an aligned number.
    Some((unsafe { number.read() }, account(sid)))
}

fn account(sid: PSID) -> Option<String> {
    let (mut name, mut domain) = ([0_u16; 256], [0_u16; 256]);
    let (mut name_size, mut domain_size) = (256, 256);
    let mut kind = 0;
    // SAFETY: the SID is whole, and the two buffers have the lengths given.
    let done = unsafe {
        LookupAccountSidW(
            std::ptr::null(),
            sid,
            name.as_mut_ptr(),
            &raw mut name_size,
            domain.as_mut_ptr(),
            &raw mut domain_size,
            &raw mut kind,
        )
    };
    (done != 0).then(|| from_utf16(&name)).filter(|name| !name.is_empty())
}

/// The path of its program, in the units that Windows has it in.
pub(super) fn image(process: &Handle) -> Option<Vec<u16>> {
    // The longest path there is.
    let mut buffer = vec![0_u16; 32_768];
    let mut length = 32_768;
    let to = buffer.as_mut_ptr();
    // SAFETY: the buffer has `length` units.
    let done = unsafe { QueryFullProcessImageNameW(process.raw(), 0, to, &raw mut length) };
    buffer.truncate(length as usize);
    (done != 0 && !buffer.is_empty()).then_some(buffer)
}

/// ProcessCommandLineInformation: since Windows 8.1, with the least of rights.
const COMMAND_LINE: u32 = 60;

/// Its command line, in the units that it was given.
pub(super) fn command_line(process: &Handle) -> Option<Vec<u16>> {
    /// A command line has at most 32,767 units.
    const ROOM: usize = 65_536 + 64;
    let words = query(process, COMMAND_LINE, ROOM)?;
    // A UNICODE_STRING: its length in bytes, and where it is, which is in the same buffer.
    let length = (words.first()? & 0xffff) as usize;
    let pointer = match cfg!(target_pointer_width = "64") {
        true => *words.get(1)?,
        false => words.first()? >> 32,
    };
    let start = usize::try_from(pointer).ok()?.checked_sub(words.as_ptr() as usize)?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let text = bytes.get(start..start.checked_add(length)?)?;
    let units: Vec<u16> =
        text.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    Some(units).filter(|line| !line.is_empty())
}

type QueryProcess = unsafe extern "system" fn(*mut c_void, u32, *mut c_void, u32, *mut u32) -> i32;

/// What NtQueryInformationProcess says, in a buffer of that many bytes; `None` where this Windows does
/// not know the question or the handle's rights are too few.
pub(super) fn query(process: &Handle, class: u32, room: usize) -> Option<Vec<u64>> {
    let function = library::function("ntdll.dll", b"NtQueryInformationProcess\0")?;
    // SAFETY: this is its signature (winternl.h).
    let call = unsafe {
        std::mem::transmute::<unsafe extern "system" fn() -> isize, QueryProcess>(function)
    };
    let mut words = vec![0_u64; room.div_ceil(8)];
    let mut size = 0;
    let length = u32::try_from(room).ok()?;
    // SAFETY: the buffer has at least `length` bytes and is aligned.
    let status =
        unsafe { call(process.raw(), class, words.as_mut_ptr().cast(), length, &raw mut size) };
    (status >= 0).then_some(words)
}

type QuerySystem = unsafe extern "system" fn(u32, *mut c_void, u32, *mut u32) -> i32;

/// Every process with its threads, as the kernel lists them; none on a Windows of 32 bits, where the
/// list has another form, or where it cannot be had.
pub(super) fn listed() -> Vec<Listed> {
    /// SystemProcessInformation.
    const PROCESSES: u32 = 5;
    /// STATUS_INFO_LENGTH_MISMATCH.
    const TOO_SHORT: i32 = 0xc000_0004_u32.cast_signed();
    const TRIES: usize = 8;
    let function = library::function("ntdll.dll", b"NtQuerySystemInformation\0");
    let Some(function) = function.filter(|_| cfg!(target_pointer_width = "64")) else {
        return Vec::new();
    };
    // SAFETY: this is its signature (winternl.h).
    let call = unsafe {
        std::mem::transmute::<unsafe extern "system" fn() -> isize, QuerySystem>(function)
    };
    let mut room = 512 * 1024_u32;
    for _ in 0..TRIES {
        let mut words = vec![0_u64; (room / 8) as usize];
        let mut size = 0;
        let to = words.as_mut_ptr().cast();
        // SAFETY: the buffer has that many bytes and is aligned.
        match unsafe { call(PROCESSES, to, room, &raw mut size) } {
            TOO_SHORT => room = room.max(size).saturating_mul(2),
            status if status >= 0 => {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                return crate::decode::windows::processes::listed(&bytes);
            }
            _ => break,
        }
    }
    Vec::new()
}

/// A program's name as people know it: without `.exe`.
fn without_suffix(name: &str) -> String {
    let cut = name.len().saturating_sub(4);
    match name.get(cut..) {
        Some(suffix) if suffix.eq_ignore_ascii_case(".exe") && cut > 0 => name[..cut].to_owned(),
        _ => name.to_owned(),
    }
}

/// UTF-16 with a zero at its end.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
