//! The names that the kernel keeps for all sessions: what `Global\` means.

use std::ffi::c_void;

use windows_sys::Win32::Foundation::{HANDLE, UNICODE_STRING};

use super::handle::Handle;
use super::library;
use crate::decode::windows::from_utf16;

/// The directory of those names.
const GLOBAL: &str = "\\BaseNamedObjects";
/// DIRECTORY_QUERY.
const QUERY: u32 = 0x1;
/// OBJ_CASE_INSENSITIVE.
const IGNORING_CASE: u32 = 0x40;
/// What is asked for at once, in bytes.
const ROOM: u32 = 64 * 1024;
/// How often is asked: far more than there are names.
const MOST: usize = 1024;

/// OBJECT_ATTRIBUTES.
#[repr(C)]
struct Attributes {
    length: u32,
    root: HANDLE,
    name: *const UNICODE_STRING,
    attributes: u32,
    descriptor: *const c_void,
    quality: *const c_void,
}

/// OBJECT_DIRECTORY_INFORMATION.
#[repr(C)]
#[derive(Clone, Copy)]
struct Named {
    name: UNICODE_STRING,
    kind: UNICODE_STRING,
}

type Open = unsafe extern "system" fn(*mut HANDLE, u32, *const Attributes) -> i32;
type Query = unsafe extern "system" fn(HANDLE, *mut c_void, u32, u8, u8, *mut u32, *mut u32) -> i32;

/// All of them; none where the directory may not be read.
pub(super) fn global() -> Vec<String> {
    let mut names = Vec::new();
    let Some(directory) = open() else { return names };
    let Some(function) = library::function("ntdll.dll", b"NtQueryDirectoryObject\0") else {
        return names;
    };
    // SAFETY: this is its signature ("NtQueryDirectoryObject function", Microsoft).
    let query =
        unsafe { std::mem::transmute::<unsafe extern "system" fn() -> isize, Query>(function) };
    let mut buffer = vec![0_u64; (ROOM / 8) as usize];
    let (mut context, mut size) = (0, 0);
    for turn in 0..MOST {
        let (to, first) = (buffer.as_mut_ptr().cast(), u8::from(turn == 0));
        let (next, written) = (&raw mut context, &raw mut size);
        // SAFETY: the handle is open, and the buffer has that many bytes and is aligned.
        let status = unsafe { query(directory.raw(), to, ROOM, 0, first, next, written) };
        // 0x105 is "there are more", and 0x8000001a "no more".
        if status < 0 || !take(&buffer, &mut names) {
            break;
        }
    }
    names
}

fn open() -> Option<Handle> {
    let function = library::function("ntdll.dll", b"NtOpenDirectoryObject\0")?;
    // SAFETY: this is its signature ("NtOpenDirectoryObject function", Microsoft).
    let open =
        unsafe { std::mem::transmute::<unsafe extern "system" fn() -> isize, Open>(function) };
    let mut text: Vec<u16> = GLOBAL.encode_utf16().collect();
    let length = u16::try_from(text.len() * 2).ok()?;
    let name = UNICODE_STRING { Length: length, MaximumLength: length, Buffer: text.as_mut_ptr() };
    let attributes = Attributes {
        length: u32::try_from(size_of::<Attributes>()).ok()?,
        root: std::ptr::null_mut(),
        name: &raw const name,
        attributes: IGNORING_CASE,
        descriptor: std::ptr::null(),
        quality: std::ptr::null(),
    };
    let mut raw = std::ptr::null_mut();
    // SAFETY: the attributes and the name they point to outlive the call.
    let status = unsafe { open(&raw mut raw, QUERY, &raw const attributes) };
    Handle::new(raw).filter(|_| status >= 0)
}

/// Adds the names in a filled buffer; false where there are none. The list ends in one without a name.
fn take(buffer: &[u64], names: &mut Vec<String>) -> bool {
    let base = buffer.as_ptr() as usize;
    let bytes = size_of_val(buffer);
    let before = names.len();
    for at in 0..bytes / size_of::<Named>() {
        // SAFETY: that many entries are in the buffer.
        let entry = unsafe { buffer.as_ptr().cast::<Named>().add(at) };
        // SAFETY: it is in the buffer, which is aligned and has numbers alone.
        let entry = unsafe { entry.read() };
        if entry.name.Buffer.is_null() || entry.name.Length == 0 {
            break;
        }
        let start = (entry.name.Buffer as usize).wrapping_sub(base);
        let (first, count) = (start / 2, usize::from(entry.name.Length / 2));
        if !start.is_multiple_of(2) || start.saturating_add(2 * count) > bytes {
            break;
        }
        let units: Vec<u16> = (first..first + count)
            .map(|unit| (buffer[unit / 4] >> (16 * (unit % 4)) & 0xffff) as u16)
            .collect();
        names.push(from_utf16(&units));
    }
    names.len() > before
}
