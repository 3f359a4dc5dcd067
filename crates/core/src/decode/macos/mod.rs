//! What macOS tells, as bytes: its tables of sockets, the facts about descriptors and processes, the
//! files and the words of launchd. Every offset is one of Apple's headers, named where it is used;
//! `packaging/layout.c` holds the public ones to Apple's own, and the calls in `sys` hold their
//! buffers to the sizes here.
//!
//! Apple's structs grow at their end, so a record counts where it is at least as long as it was when
//! it was written down, and what it has beyond that is ignored.

pub mod descriptors;
pub mod launchd;
pub mod pcb;
pub mod plist;
pub mod process;

/// Numbers at places of a record, in the order of bytes that both kinds of Mac have (little-endian).
/// A place beyond the end is 0: whoever reads a record has compared its length before.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The bytes there; zeros where the record is shorter.
    pub(crate) fn bytes<const N: usize>(self, at: usize) -> [u8; N] {
        let found = self.0.get(at..).and_then(|rest| rest.first_chunk::<N>());
        found.copied().unwrap_or([0; N])
    }

    pub(crate) fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    /// A port: in network order.
    pub(crate) fn port(self, at: usize) -> u16 {
        u16::from_be_bytes(self.bytes(at))
    }

    pub(crate) fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn i32(self, at: usize) -> i32 {
        i32::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    /// The text there, up to its first NUL or that length, made text lossily.
    pub(crate) fn text(self, at: usize, length: usize) -> String {
        let field = self.0.get(at..).unwrap_or_default();
        let field = &field[..field.len().min(length)];
        let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).into_owned()
    }

    /// A process; 0 and what is below it is none.
    pub(crate) fn pid(self, at: usize) -> Option<u32> {
        u32::try_from(self.i32(at)).ok().filter(|&pid| pid != 0)
    }
}
