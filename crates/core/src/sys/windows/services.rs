//! The services that run, and in which process.

use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW,
    SC_ENUM_PROCESS_INFO, SC_HANDLE, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_ACCEPT_STOP,
    SERVICE_ACTIVE, SERVICE_WIN32,
};

use crate::decode::windows::from_utf16;
use crate::windows::Service;

struct Manager(SC_HANDLE);

impl Drop for Manager {
    fn drop(&mut self) {
        // SAFETY: it is ours, open, and closed only here.
        unsafe { CloseServiceHandle(self.0) };
    }
}

/// All that run. Nobody's rights are needed to list them.
pub(super) fn running() -> Vec<Service> {
    let nothing = std::ptr::null();
    // SAFETY: null means this machine and its active database.
    let raw = unsafe { OpenSCManagerW(nothing, nothing, SC_MANAGER_ENUMERATE_SERVICE) };
    if raw.is_null() {
        return Vec::new();
    }
    let manager = Manager(raw);
    let mut found = Vec::new();
    let mut resume = 0_u32;
    // A call fills at most 256 KiB (EnumServicesStatusEx); the next goes on from there.
    for _ in 0..64 {
        let mut words = vec![0_u64; 32_768];
        let (mut needed, mut count) = (0_u32, 0_u32);
        let room = u32::try_from(words.len() * 8).unwrap_or(0);
        // SAFETY: the buffer is aligned and has `room` bytes; the three numbers are ours.
        let done = unsafe {
            EnumServicesStatusExW(
                manager.0,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32,
                SERVICE_ACTIVE,
                words.as_mut_ptr().cast(),
                room,
                &raw mut needed,
                &raw mut count,
                &raw mut resume,
                nothing,
            )
        };
        let rows = words.as_ptr().cast::<ENUM_SERVICE_STATUS_PROCESSW>();
        let fits = words.len() * 8 / size_of::<ENUM_SERVICE_STATUS_PROCESSW>();
        for index in 0..(count as usize).min(fits) {
            // SAFETY: the call filled `count` rows, which lie in the buffer.
            let row = unsafe { rows.wrapping_add(index).read() };
            found.push(Service {
                name: text(row.lpServiceName),
                display: text(row.lpDisplayName),
                pid: row.ServiceStatusProcess.dwProcessId,
                stoppable: row.ServiceStatusProcess.dwControlsAccepted & SERVICE_ACCEPT_STOP != 0,
            });
        }
        if done != 0 || count == 0 {
            break;
        }
    }
    found.retain(|service| service.pid != 0 && !service.name.is_empty());
    found
}

/// The string of a row: in the same buffer, ended by a zero.
fn text(start: *const u16) -> String {
    /// No name of a service is longer (CreateService).
    const MOST: usize = 256;
    if start.is_null() {
        return String::new();
    }
    let mut units = Vec::new();
    for index in 0..MOST {
        // SAFETY: the string goes on until its zero, which has not come yet.
        match unsafe { start.wrapping_add(index).read() } {
            0 => break,
            unit => units.push(unit),
        }
    }
    from_utf16(&units)
}
