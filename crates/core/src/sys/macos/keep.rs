//! The calls that keep a port: sockets that stay bound, and locks that stand for a claim. What is
//! kept, for whom and how long is decided in [`crate::lease`] and [`crate::pick`].

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_reuseaddr, socket_type};
use rustix::net::{SocketType, getsockname, listen};
use rustix::time::{ClockId, clock_gettime};

use super::{ffi, probe, process};
use crate::addr::Transport;
use crate::bind::BindResult;
use crate::process::ProcessId;
use crate::snapshot::Policy;
pub(crate) use crate::sys::directory::{
    Directory, LeaseFile, SHORTAGES, own_places, rewrite, shared_place,
};
use crate::sys::directory::{is_ordinary, refused};
pub(crate) use crate::sys::succession::succeed;

/// Something that the kernel keeps until the last copy of it is closed.
pub(crate) type Kept = OwnedFd;

/// How many connections wait before they are refused; the kernel lowers it to
/// `kern.ipc.somaxconn` (listen(2)).
const BACKLOG: i32 = 4096;

/// What a claim is here, for sentences.
pub(crate) const CLAIMS: &str = "locks in /tmp";

/// What lists the addresses of this machine.
pub(crate) const LISTS_ADDRESSES: &str = "ifconfig";

/// What says where the kernel draws ports from.
pub(crate) const EPHEMERAL_RANGE: &str = "net.inet.ip.portrange.first and .last";

/// Whether one bind of the dual-stack `::` meets whatever an ordinary bind of any address would meet.
pub(crate) const ONE_BIND_MEETS_ALL: bool = false;

/// Whether a TCP bind with SO_REUSEADDR passes by living servers too.
pub(crate) const REUSE_PASSES_SERVERS: bool = false;

/// The machine's rules about ports.
pub(crate) fn policy() -> Policy {
    process::policy()
}

/// Time since boot, sleep included: no clock that anybody sets (clock_gettime(3)).
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Which boot this is; empty where the kernel does not say.
pub(crate) fn boot_id() -> String {
    let bytes = ffi::sysctl_by_name(c"kern.bootsessionuuid").unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
}

/// There is one network for all.
pub(crate) fn network_namespace() -> u64 {
    0
}

/// The effective user.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A user's name.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    process::user_name(uid)
}

/// A user's home directory.
pub(crate) fn home_of(uid: u32) -> Option<PathBuf> {
    ffi::user(uid).map(|(_, home)| home)
}

/// This process, which stays the same across exec(2).
pub(crate) fn own_process() -> ProcessId {
    let pid = std::process::id();
    process::identity(pid).unwrap_or(ProcessId { pid, start: 0 })
}

/// Who started this process, with its short name.
pub(crate) fn parent_process() -> (ProcessId, String) {
    let pid = std::os::unix::process::parent_id();
    let name = process::name(pid).unwrap_or_default();
    (process::identity(pid).unwrap_or(ProcessId { pid, start: 0 }), name)
}

/// Binds, plainly, and stays bound without listening. With port 0 the kernel chooses. `::` is
/// bound dual-stack, as servers do.
pub(crate) fn hold(transport: Transport, address: SocketAddr) -> Result<Kept, BindResult> {
    probe::bound(transport, address, false)
        .map_err(|error| BindResult::from_errno(error.raw_os_error()))
}

/// The port that the kernel chose.
pub(crate) fn port_of(socket: &Kept) -> Option<u16> {
    SocketAddr::try_from(getsockname(socket).ok()?).ok().map(|address| address.port())
}

/// Makes a bound TCP socket listen; one of UDP is ready as it is. SO_REUSEADDR is set only now,
/// after the plain bind has proven that nothing is in the way.
pub(crate) fn serve(socket: &Kept) -> io::Result<()> {
    if socket_type(socket)? != SocketType::STREAM {
        return Ok(());
    }
    set_socket_reuseaddr(socket, true)?;
    Ok(listen(socket, BACKLOG)?)
}

/// Where files lie that stand for claims: every user may make one, and none may remove another's.
const CLAIMS_AT: &str = "/tmp";

/// Takes a name for all users of the machine, until the last copy of its descriptor is closed: a
/// lock on an empty file, as there are no abstract unix names here. `AddrInUse`: it is taken.
pub(crate) fn claim(name: &str) -> io::Result<Kept> {
    let directory = openat(CWD, CLAIMS_AT, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let file = format!(".{}", name.replace('/', "."));
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mode = Mode::from_raw_mode(0o644);
    let fd = openat(&directory, &*file, flags | OFlags::CLOEXEC, mode)?;
    if !is_ordinary(&fd) {
        return Err(refused("it is not an ordinary file"));
    }
    match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(fd),
        Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) => Err(error.into()),
    }
}

/// The claims that are no sockets, by their names: they are not looked for.
pub(crate) fn claimed() -> Vec<String> {
    Vec::new()
}
