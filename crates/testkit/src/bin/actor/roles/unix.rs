//! Unix sockets: in the file system, abstract, and the file that a dead server leaves.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketType, bind, listen as listen_on, socket_with,
};

use crate::open;
use crate::options::{Options, wrong};
use crate::stage::Stage;

/// Listens on the path, or on the abstract name after `@`.
pub fn listen(stage: &Stage) -> io::Result<()> {
    let socket = listener(&stage.options)?;
    stage.ready_with(0, open::inode(&socket)?, &[])?;
    stage.live(vec![socket])
}

/// Listens, says so and ends: the file stays and belongs to nobody.
pub fn stale(stage: &Stage) -> io::Result<()> {
    let socket = listener(&stage.options)?;
    stage.ready_with(0, open::inode(&socket)?, &[])
}

fn listener(options: &Options) -> io::Result<OwnedFd> {
    let kind = if options.udp { SocketType::DGRAM } else { SocketType::STREAM };
    let path = options.operands.first().ok_or_else(|| wrong("which path?"))?;
    let socket = socket_with(AddressFamily::UNIX, kind, open::CLOEXEC, None)?;
    bind(&socket, &address(path)?)?;
    if !options.udp {
        listen_on(&socket, options.backlog)?;
    }
    Ok(socket)
}

fn address(path: &OsStr) -> io::Result<SocketAddrUnix> {
    Ok(match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new(path)?,
    })
}
