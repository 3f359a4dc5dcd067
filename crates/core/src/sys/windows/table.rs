//! The tables of sockets: the documented ones, and the one of bound endpoints that `netstat -q` reads.

use std::ffi::c_void;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, TCP_TABLE_OWNER_MODULE_ALL,
    TCP_TABLE_OWNER_MODULE_LISTENER, TCPIP_OWNER_MODULE_BASIC_INFO, UDP_TABLE_OWNER_MODULE,
};
use windows_sys::Win32::System::Memory::{GetProcessHeap, HeapFree, HeapSize};

use super::library;
use crate::decode::windows::{Layout, Row, from_utf16, rows};

const V4: u32 = 2;
const V6: u32 = 23;

/// Why a table was not read.
pub(super) enum Unread {
    /// It grew faster than it could be read.
    Unstable,
    /// The call failed with this error.
    Failed(u32),
}

/// A table as the system filled it.
pub(super) struct Table {
    layout: Layout,
    /// As words of eight bytes, since rows have times in them.
    words: Vec<u64>,
    length: usize,
}

impl Table {
    pub(super) fn rows(&self) -> Vec<Row> {
        rows(self.layout, self.bytes())
    }

    fn bytes(&self) -> &[u8] {
        let length = self.length.min(self.words.len() * 8);
        // SAFETY: the words are initialised, `length` bytes of them are there, and bytes need no
        // alignment.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), length) }
    }
}

/// The TCP table of one family: listeners, or every state.
pub(super) fn tcp(v6: bool, every_state: bool) -> Result<Table, Unread> {
    let class = match every_state {
        true => TCP_TABLE_OWNER_MODULE_ALL,
        false => TCP_TABLE_OWNER_MODULE_LISTENER,
    };
    let layout = if v6 { Layout::Tcp6Module } else { Layout::Tcp4Module };
    filled(layout, |buffer, size| {
        // SAFETY: the buffer has `size` bytes, or is null and `size` 0, which asks for the size.
        unsafe { GetExtendedTcpTable(buffer, size, 0, if v6 { V6 } else { V4 }, class, 0) }
    })
}

/// The UDP table of one family.
pub(super) fn udp(v6: bool) -> Result<Table, Unread> {
    let layout = if v6 { Layout::Udp6Module } else { Layout::Udp4Module };
    filled(layout, |buffer, size| {
        let family = if v6 { V6 } else { V4 };
        // SAFETY: as above.
        unsafe { GetExtendedUdpTable(buffer, size, 0, family, UDP_TABLE_OWNER_MODULE, 0) }
    })
}

/// Asks for the size and then for the table, until it fits: sockets come and go meanwhile.
fn filled(
    layout: Layout,
    mut call: impl FnMut(*mut c_void, &mut u32) -> u32,
) -> Result<Table, Unread> {
    const TRIES: usize = 8;
    let mut words: Vec<u64> = Vec::new();
    let mut size = 0_u32;
    for _ in 0..TRIES {
        let buffer = match words.is_empty() {
            true => std::ptr::null_mut(),
            false => words.as_mut_ptr().cast(),
        };
        match call(buffer, &mut size) {
            NO_ERROR => {
                let length = (size as usize).min(words.len() * 8);
                return Ok(Table { layout, words, length });
            }
            ERROR_INSUFFICIENT_BUFFER => {
                // An eighth more, for those that come meanwhile.
                let room = size as usize + size as usize / 8 + 4096;
                words = vec![0; room.div_ceil(8)];
                size = u32::try_from(words.len() * 8).unwrap_or(u32::MAX);
            }
            error => return Err(Unread::Failed(error)),
        }
    }
    Err(Unread::Unstable)
}

type BoundTable = unsafe extern "system" fn(*mut *mut c_void, *mut c_void, u32) -> u32;

/// The endpoints of one family that are bound, whatever their sockets do besides. `None` where this
/// Windows does not list them (before 10 version 1809, and Wine).
pub(super) fn bound(v6: bool) -> Option<Vec<Row>> {
    let (name, layout): (&[u8], _) = match v6 {
        false => (b"InternalGetBoundTcpEndpointTable\0", Layout::Bound4),
        true => (b"InternalGetBoundTcp6EndpointTable\0", Layout::Bound6),
    };
    let function = library::function("iphlpapi.dll", name)?;
    // SAFETY: this is its signature, as netstat calls it (System Informer's netprv.c has it).
    let call = unsafe {
        std::mem::transmute::<unsafe extern "system" fn() -> isize, BoundTable>(function)
    };
    // SAFETY: it takes nothing.
    let heap = unsafe { GetProcessHeap() };
    let mut table: *mut c_void = std::ptr::null_mut();
    // SAFETY: it allocates the table on that heap and writes its address to `table`.
    let status = unsafe { call(&raw mut table, heap, 0) };
    if status != NO_ERROR || table.is_null() {
        return None;
    }
    // SAFETY: the table was allocated on this heap.
    let length = unsafe { HeapSize(heap, 0, table) };
    let found = match length {
        usize::MAX => Vec::new(),
        // SAFETY: that many bytes are there, and stay as they are until they are freed below.
        length => rows(layout, unsafe { std::slice::from_raw_parts(table.cast(), length) }),
    };
    // SAFETY: it is freed once, on the heap it is from, and not used after.
    unsafe { HeapFree(heap, 0, table) };
    Some(found)
}

type OwnerModule = unsafe extern "system" fn(*const c_void, i32, *mut c_void, *mut u32) -> u32;

/// The services that sockets of processes with several services belong to. Never under Wine, which
/// ends whoever asks.
pub(super) fn services(table: &Table, wanted: impl Fn(&Row) -> bool) -> Vec<(Row, String)> {
    let name: &[u8] = match table.layout {
        Layout::Tcp4Module => b"GetOwnerModuleFromTcpEntry\0",
        Layout::Tcp6Module => b"GetOwnerModuleFromTcp6Entry\0",
        Layout::Udp4Module => b"GetOwnerModuleFromUdpEntry\0",
        Layout::Udp6Module => b"GetOwnerModuleFromUdp6Entry\0",
        _ => return Vec::new(),
    };
    let Some(function) = library::function("iphlpapi.dll", name).filter(|_| !library::is_wine())
    else {
        return Vec::new();
    };
    // SAFETY: the four functions have this signature but for the type of the row (iphlpapi.h).
    let call = unsafe {
        std::mem::transmute::<unsafe extern "system" fn() -> isize, OwnerModule>(function)
    };
    let bytes = table.bytes().get(table.layout.first_row()..).unwrap_or_default();
    let mut found = Vec::new();
    for raw in bytes.chunks_exact(table.layout.row_size()) {
        // One row as a table of its own, for the decoder.
        let mut single = vec![0; table.layout.first_row()];
        single[0] = 1;
        single.extend_from_slice(raw);
        let Some(row) = rows(table.layout, &single).pop().filter(&wanted) else { continue };
        // Two strings follow the structure; 64 KiB hold the longest.
        let mut buffer = vec![0_u64; 8192];
        let mut size = 65_536_u32;
        let (raw, out) = (raw.as_ptr().cast(), buffer.as_mut_ptr().cast());
        // SAFETY: the row is one of the table and aligned as there; the buffer has `size` bytes.
        let status = unsafe { call(raw, 0, out, &raw mut size) };
        if status != NO_ERROR {
            continue;
        }
        // SAFETY: it was filled, is aligned and as long as that structure.
        let info = unsafe { buffer.as_ptr().cast::<TCPIP_OWNER_MODULE_BASIC_INFO>().read() };
        let start = (info.pModuleName as usize).wrapping_sub(buffer.as_ptr() as usize);
        if let Some(name) = within(&buffer, start) {
            found.push((row, name));
        }
    }
    found
}

/// The string that begins at that byte of the buffer, if it lies in it.
fn within(buffer: &[u64], start: usize) -> Option<String> {
    let units: Vec<u16> = buffer
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .skip(start)
        .collect::<Vec<u8>>()
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    (start < buffer.len() * 8).then(|| from_utf16(&units)).filter(|name| !name.is_empty())
}
