//! The calls that keep a port: sockets that stay bound, and named objects of the kernel that stand for a
//! claim. What is kept, for whom and how long is decided in [`crate::lease`] and [`crate::pick`].

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::windows::io::{
    AsRawHandle, AsRawSocket, FromRawHandle, OwnedHandle, OwnedSocket, RawHandle,
};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE,
    HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{
    CreateMutexExW, OpenMutexW, SYNCHRONIZATION_SYNCHRONIZE,
};

use super::handle::Handle;
use super::{asked, names, probe, process};
use crate::addr::Transport;
use crate::bind::BindResult;
use crate::decode::windows::processes;
use crate::decode::windows::security::{Allowed, Sid, protected};
use crate::lease::Private;
use crate::process::ProcessId;
use crate::snapshot::Policy;

pub(crate) use super::directory::{Directory, LeaseFile, rewrite};
pub(crate) use super::succession::succeed;

/// Something that the kernel keeps until the last copy of it is closed.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A bound socket.
    Socket(OwnedSocket),
    /// A named object.
    Object(OwnedHandle),
    /// An open file.
    File(File),
}

impl Kept {
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Socket(socket) => Self::Socket(socket.try_clone()?),
            Self::Object(handle) => Self::Object(handle.try_clone()?),
            Self::File(file) => Self::File(file.try_clone()?),
        })
    }

    pub(super) fn raw(&self) -> RawHandle {
        match self {
            Self::Socket(socket) => socket.as_raw_socket() as RawHandle,
            Self::Object(handle) => handle.as_raw_handle(),
            Self::File(file) => file.as_raw_handle(),
        }
    }

    /// Whether what is started from now on has it too.
    pub(super) fn hand_on(&self, on: bool) -> io::Result<()> {
        let flags = if on { HANDLE_FLAG_INHERIT } else { 0 };
        // SAFETY: the handle is open.
        match unsafe { SetHandleInformation(self.raw(), HANDLE_FLAG_INHERIT, flags) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

/// What a claim is here, for sentences.
pub(crate) const CLAIMS: &str = "named objects for all users";

/// What lists the addresses of this machine.
pub(crate) const LISTS_ADDRESSES: &str = "ipconfig";

/// What says where the kernel draws ports from.
pub(crate) const EPHEMERAL_RANGE: &str = "netsh interface ipv4 show dynamicport tcp";

/// Whether one bind of the dual-stack `::` meets whatever an ordinary bind of any address would meet.
pub(crate) const ONE_BIND_MEETS_ALL: bool = false;

/// Errors that would meet the next port too: ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY,
/// ERROR_OUTOFMEMORY, ERROR_NO_SYSTEM_RESOURCES, WSAEMFILE, WSAENOBUFS.
pub(crate) const SHORTAGES: &[i32] = &[4, 8, 14, 1450, 10024, 10055];

/// Whether a TCP bind with SO_REUSEADDR passes by living servers too.
pub(crate) const REUSE_PASSES_SERVERS: bool = true;

/// The machine's rules about ports. Excluded ranges need no rule: their binds are denied.
pub(crate) fn policy() -> Policy {
    /// The longest that a pick waits for `netsh`.
    const LIMIT: Duration = Duration::from_millis(700);
    Policy {
        ephemeral: asked::dynamic_range(LIMIT).unwrap_or(49152..=65535),
        unprivileged_start: 0,
        ..Policy::default()
    }
}

/// Time since boot, sleep included: no clock that anybody sets.
pub(crate) fn since_boot() -> Duration {
    // SAFETY: it takes nothing.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// Which boot this is: when the kernel's own process was created. Empty where that cannot be seen.
pub(crate) fn boot_id() -> String {
    static BOOT: OnceLock<String> = OnceLock::new();
    let read = || processes::boot(&process::listed()).map(|at| format!("{at:x}"));
    BOOT.get_or_init(|| read().unwrap_or_default()).clone()
}

/// There is one network for all.
pub(crate) fn network_namespace() -> u64 {
    0
}

/// The user: the last number of the SID, elevated or not.
pub(crate) fn user() -> u32 {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(|| process::own_sid().and_then(|sid| sid.last()).unwrap_or(u32::MAX))
}

/// A user's name: one's own alone, as a number is no SID.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    process::asker().1.filter(|_| uid == user())
}

/// This process.
pub(crate) fn own_process() -> ProcessId {
    let pid = std::process::id();
    ProcessId { pid, start: process::created_of(pid).unwrap_or(0) }
}

/// Who started this process, with its short name.
pub(crate) fn parent_process() -> (ProcessId, String) {
    let entries = process::all();
    let own = entries.get(&std::process::id());
    let parent = own.and_then(|own| entries.get(&own.parent));
    let pid = parent.map_or(0, |parent| parent.pid);
    let start = process::created_of(pid).unwrap_or(0);
    (ProcessId { pid, start }, parent.map(|parent| parent.name.clone()).unwrap_or_default())
}

/// Binds for itself alone, and stays bound without listening. With port 0 the kernel chooses. `::` is
/// bound for IPv6 alone: 0.0.0.0 is bound beside it.
pub(crate) fn hold(transport: Transport, address: SocketAddr) -> Result<Kept, BindResult> {
    probe::exclusive(transport, address).map(Kept::Socket).map_err(BindResult::from_errno)
}

/// The port that the kernel chose.
pub(crate) fn port_of(socket: &Kept) -> Option<u16> {
    let Kept::Socket(socket) = socket else { return None };
    probe::port_of(socket)
}

/// No socket is handed to a command here: nothing says which of its handles it would be.
pub(crate) fn serve(_: &Kept) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes a name for all users and sessions of the machine, until the last copy of its handle is closed:
/// a mutex that nobody ever owns, and that everybody may open and nobody change. `AddrInUse`: it is
/// taken.
pub(crate) fn claim(name: &str) -> io::Result<Kept> {
    let mut descriptor = protected(&[Allowed::alone(Sid::everyone(), SYNCHRONIZATION_SYNCHRONIZE)]);
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
        lpSecurityDescriptor: descriptor.as_mut_ptr().cast(),
        bInheritHandle: 0,
    };
    let wide = process::wide(&format!("Global\\{}", object_name(name)));
    // SAFETY: the attributes and what they point to outlive the call; the name ends in a zero.
    let raw = unsafe {
        CreateMutexExW(&raw const attributes, wide.as_ptr(), 0, SYNCHRONIZATION_SYNCHRONIZE)
    };
    let error = io::Error::last_os_error();
    let code = error.raw_os_error().map_or(0, i32::cast_unsigned);
    if !raw.is_null() {
        // SAFETY: it is open, and nobody else's.
        let handle = unsafe { OwnedHandle::from_raw_handle(raw) };
        return match code {
            ERROR_ALREADY_EXISTS => Err(io::ErrorKind::AddrInUse.into()),
            _ => Ok(Kept::Object(handle)),
        };
    }
    match code {
        // Something else of that name.
        ERROR_INVALID_HANDLE => Err(io::ErrorKind::AddrInUse.into()),
        // One that may not be opened, or a name that may not be made.
        ERROR_ACCESS_DENIED if is_there(&wide) => Err(io::ErrorKind::AddrInUse.into()),
        _ => Err(error),
    }
}

fn is_there(name: &[u16]) -> bool {
    // SAFETY: the name ends in a zero.
    let raw = unsafe { OpenMutexW(SYNCHRONIZATION_SYNCHRONIZE, 0, name.as_ptr()) };
    let error = io::Error::last_os_error();
    Handle::new(raw).is_some()
        || error.raw_os_error().map(i32::cast_unsigned) != Some(ERROR_FILE_NOT_FOUND)
}

/// The claims that there are, by their names. Whose they are is not told.
pub(crate) fn claimed() -> Vec<String> {
    names::global().into_iter().map(|name| name.replace(SEPARATOR, "/")).collect()
}

/// What stands between the parts of a name here: in a named object's own a slash would do, and reads
/// as a path.
const SEPARATOR: &str = ".";

fn object_name(claim: &str) -> String {
    claim.replace('/', SEPARATOR)
}

/// Where this user's records go: `%LOCALAPPDATA%`, which is the user's alone.
pub(crate) fn own_places(_: u32) -> Vec<Private> {
    folder("LOCALAPPDATA").map(Private::Below).into_iter().collect()
}

/// Where every user may make a directory.
pub(crate) fn shared_place() -> PathBuf {
    folder("ProgramData").unwrap_or_else(|| PathBuf::from("C:\\ProgramData"))
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_had_once_is_listed_and_ends_with_its_last_copy() {
        let name = format!("proc-lease/test/{}", std::process::id());
        let claim = claim(&name).unwrap();
        let copy = claim.try_clone().unwrap();
        drop(claim);
        assert_eq!(super::claim(&name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(claimed().contains(&name), "{:?}", claimed());
        drop(copy);
        super::claim(&name).unwrap();
        assert!(!claimed().contains(&name));
    }

    #[test]
    fn the_boot_stays_the_same_and_the_clock_goes_on() {
        assert!(!boot_id().is_empty());
        let before = since_boot();
        assert!(since_boot() >= before && !before.is_zero());
        assert_eq!(own_process().pid, std::process::id());
        assert_ne!(user(), u32::MAX);
    }

    #[test]
    fn a_port_of_the_kernels_choice_is_known() {
        let held = hold(Transport::Tcp, "127.0.0.1:0".parse().unwrap()).unwrap();
        let port = port_of(&held).unwrap();
        assert_eq!(
            hold(Transport::Tcp, SocketAddr::from(([127, 0, 0, 1], port))).unwrap_err(),
            BindResult::InUse
        );
    }
}
