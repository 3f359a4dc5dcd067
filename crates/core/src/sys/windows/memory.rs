//! What a process keeps of itself in its own memory: its directory, its environment, and on Windows
//! before 8.1 its command line. Only of processes whose memory may be read, and only between 64-bit
//! programs: the places are those of 64-bit Windows since Vista.

use std::ffi::c_void;

use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;

use super::handle::Handle;
use super::process::query;
use crate::decode::windows::wide::to_bytes;

/// ProcessBasicInformation of NtQueryInformationProcess.
const BASIC: u32 = 0;
/// ProcessWow64Information: not 0 for a 32-bit process.
const WOW64: u32 = 26;

/// Where the parameters of a process are in its memory.
pub(super) struct Parameters<'a> {
    process: &'a Handle,
    at: u64,
}

impl<'a> Parameters<'a> {
    /// Those of a process opened for reading; `None` for one that cannot be read so.
    pub(super) fn of(process: &'a Handle) -> Option<Self> {
        if cfg!(not(target_pointer_width = "64")) {
            return None;
        }
        if query(process, WOW64, 8).is_none_or(|words| words.first() != Some(&0)) {
            return None;
        }
        // PROCESS_BASIC_INFORMATION: the block's address is its second word.
        let block = *query(process, BASIC, 48)?.get(1)?;
        let this = Self { process, at: 0 };
        // PEB.ProcessParameters.
        let at = this.number(block.checked_add(0x20)?)?;
        (at != 0).then_some(Self { at, ..this })
    }

    /// The current directory, without the backslash that it ends in.
    pub(super) fn directory(&self) -> Option<Vec<u16>> {
        const BACKSLASH: u16 = 0x5c;
        let mut path = self.string(0x38)?;
        while path.len() > 3 && path.last() == Some(&BACKSLASH) {
            path.pop();
        }
        Some(path)
    }

    /// The command line.
    pub(super) fn command_line(&self) -> Option<Vec<u16>> {
        self.string(0x70)
    }

    /// The environment: `NAME=value`, each ended by a zero; `None` where it is longer than anybody's.
    pub(super) fn environment(&self) -> Option<Vec<u8>> {
        const MOST: u64 = 4 << 20;
        let start = self.number(self.at + 0x80)?;
        let size = self.number(self.at + 0x3f0).filter(|size| *size <= MOST)?;
        let mut bytes = to_bytes(&self.units(start, usize::try_from(size).ok()?)?);
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes.push(0);
        Some(bytes)
    }

    /// A UNICODE_STRING at that offset: its length in bytes, and where it is.
    fn string(&self, offset: u64) -> Option<Vec<u16>> {
        let length = self.number(self.at + offset)? & 0xffff;
        let start = self.number(self.at + offset + 8)?;
        self.units(start, usize::try_from(length).ok()?).filter(|text| !text.is_empty())
    }

    fn units(&self, start: u64, bytes: usize) -> Option<Vec<u16>> {
        let bytes = self.read(start, bytes & !1)?;
        Some(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    fn number(&self, at: u64) -> Option<u64> {
        Some(u64::from_le_bytes(self.read(at, 8)?.try_into().ok()?))
    }

    /// That many bytes of its memory, or nothing.
    fn read(&self, at: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut read = 0;
        let (from, to) = (at as *const c_void, bytes.as_mut_ptr().cast());
        // SAFETY: the buffer has `length` bytes; an address that is none in the other process makes
        // the call fail.
        let done =
            unsafe { ReadProcessMemory(self.process.raw(), from, to, length, &raw mut read) };
        (done != 0 && read == length).then_some(bytes)
    }
}
