//! The calls that keep a port: sockets that stay bound, and abstract unix names. What is kept, for
//! whom and how long is decided in [`crate::lease`] and [`crate::pick`].

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_reuseaddr, socket_type};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, listen, socket_with,
};
use rustix::time::{ClockId, clock_gettime};

use super::process::ProcessReader;
use super::{namespaces, probe};
use crate::addr::Transport;
use crate::bind::BindResult;
use crate::process::ProcessId;
use crate::snapshot::Policy;
pub(crate) use crate::sys::directory::{
    Directory, LeaseFile, SHORTAGES, own_places, rewrite, shared_place,
};
pub(crate) use crate::sys::succession::succeed;

/// Something that the kernel keeps until the last copy of it is closed.
pub(crate) type Kept = OwnedFd;

/// How many connections wait before they are refused; the kernel lowers it to
/// `net.core.somaxconn` (listen(2)).
const BACKLOG: i32 = 4096;

/// What a claim is here, for sentences.
pub(crate) const CLAIMS: &str = "abstract unix names";

/// What lists the addresses of this machine.
pub(crate) const LISTS_ADDRESSES: &str = "ip address";

/// What says where the kernel draws ports from.
pub(crate) const EPHEMERAL_RANGE: &str = "net.ipv4.ip_local_port_range";

/// Whether one bind of the dual-stack `::` meets whatever an ordinary bind of any address would meet.
pub(crate) const ONE_BIND_MEETS_ALL: bool = true;

/// Whether a TCP bind with SO_REUSEADDR passes by living servers too.
pub(crate) const REUSE_PASSES_SERVERS: bool = false;

/// The machine's rules about ports.
pub(crate) fn policy() -> Policy {
    ProcessReader::new().map(|reader| reader.policy()).unwrap_or_default()
}

/// Time since boot, suspension included: no clock that anybody sets (clock_gettime(2)).
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Which boot this is (random(4)); empty where `/proc` does not say.
pub(crate) fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim_end().to_owned()
}

/// The inode of this network namespace; 0 where `/proc` does not say.
pub(crate) fn network_namespace() -> u64 {
    ProcessReader::new().ok().and_then(|reader| namespaces::own(reader.directory())).unwrap_or(0)
}

/// The effective user.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A user's name, where `/etc/passwd` has one.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    ProcessReader::new().ok()?.user_name(uid)
}

/// A user's home directory by `/etc/passwd` (passwd(5)).
pub(crate) fn home_of(uid: u32) -> Option<std::path::PathBuf> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields.get(5).map(std::path::PathBuf::from))?
    })
}

/// This process, which stays the same across exec(2).
pub(crate) fn own_process() -> ProcessId {
    let pid = std::process::id();
    let known = ProcessReader::new().ok().and_then(|reader| reader.identity(pid));
    known.unwrap_or(ProcessId { pid, start: 0 })
}

/// Who started this process, with its short name.
pub(crate) fn parent_process() -> (ProcessId, String) {
    let pid = std::os::unix::process::parent_id();
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let known = ProcessReader::new().ok().and_then(|reader| reader.identity(pid));
    let id = known.unwrap_or(ProcessId { pid, start: 0 });
    (id, String::from_utf8_lossy(&name).trim_end().to_owned())
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

/// Makes a bound TCP socket listen; one of UDP is ready as it is. SO_REUSEADDR is set only now, after the plain bind has proven
/// that nothing is in the way: what its connections leave behind then lets the next server by.
pub(crate) fn serve(socket: &Kept) -> io::Result<()> {
    if socket_type(socket)? != SocketType::STREAM {
        return Ok(());
    }
    set_socket_reuseaddr(socket, true)?;
    Ok(listen(socket, BACKLOG)?)
}

/// Takes an abstract unix name (unix(7)): one socket of this network namespace has it, until the
/// last copy of its descriptor is closed. It listens to nothing. `AddrInUse`: it is taken.
pub(crate) fn claim(name: &str) -> io::Result<Kept> {
    // The kernel tells names of different socket types apart, so the type is always this one.
    let flags = SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    bind(&fd, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(fd)
}

/// The claims that are no sockets, by their names: there are none.
pub(crate) fn claimed() -> Vec<String> {
    Vec::new()
}
