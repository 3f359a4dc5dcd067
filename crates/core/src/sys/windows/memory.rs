//! The memory of another process, where it may be read: what it keeps of itself there is decoded in
//! [`crate::decode::windows::parameters`].

use std::ffi::c_void;

use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;

use super::handle::Handle;
use super::process::query;
use crate::decode::windows::parameters::{Memory, NARROW, Parameters, WIDE};
use crate::decode::windows::wide::to_bytes;

/// ProcessBasicInformation of NtQueryInformationProcess.
const BASIC: u32 = 0;
/// ProcessWow64Information: where the 32-bit block of a 32-bit process is; 0 for a 64-bit one.
const WOW64: u32 = 26;

/// The parameters of a process opened for reading; `None` for one that cannot be read so, which to a
/// 32-bit `proc` are all: 64-bit ones lie beyond its addresses.
pub(super) fn parameters(process: &Handle) -> Option<Parameters<impl Memory + '_>> {
    if cfg!(not(target_pointer_width = "64")) {
        return None;
    }
    let (block, places) = match *query(process, WOW64, 8)?.first()? {
        // PROCESS_BASIC_INFORMATION: the block's address is its second word.
        0 => (*query(process, BASIC, 48)?.get(1)?, WIDE),
        narrow => (narrow, NARROW),
    };
    Parameters::of(block, places, |at, length| read(process, at, length))
}

/// The environment: `NAME=value`, each ended by a zero.
pub(super) fn environment(process: &Handle) -> Option<Vec<u8>> {
    let mut bytes = to_bytes(&parameters(process)?.environment()?);
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes.push(0);
    Some(bytes)
}

/// That many bytes at that address, or nothing.
fn read(process: &Handle, at: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut read = 0;
    let (from, to) = (at as *const c_void, bytes.as_mut_ptr().cast());
    // SAFETY: the buffer has `length` bytes; an address that is none in the other process makes
    // the call fail.
    let done = unsafe { ReadProcessMemory(process.raw(), from, to, length, &raw mut read) };
    (done != 0 && read == length).then_some(bytes)
}
