//! Sockets of every kind, opened for `proc doctor` to find: the same calls on every system, with
//! what a system lacks said to be absent.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

#[cfg(not(windows))]
use crate::addr::Transport;
#[cfg(not(windows))]
use crate::bind::BindResult;
use crate::doctor::{Kind, Place};
#[cfg(not(windows))]
use crate::sys::keep;

/// What keeps sockets open.
type Kept = Vec<Box<dyn std::any::Any>>;

/// How long a connection to ourselves may take. Where the loopback is down none ever comes about.
const PATIENCE: Duration = Duration::from_millis(500);

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Whether an error says that there is no such thing here: on this system, or where IPv6 is turned
/// off. That IPv4's loopback is missing is a fault.
pub(crate) fn is_absent(kind: Kind, error: &io::Error) -> bool {
    let v6 = matches!(kind, Kind::Tcp6Dual | Kind::Tcp6Only | Kind::Udp6);
    error.kind() == ErrorKind::Unsupported
        || v6 && (error.kind() == ErrorKind::AddrNotAvailable || is_no_family(error))
}

/// EAFNOSUPPORT, which std has no kind for.
#[cfg(unix)]
fn is_no_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(not(unix))]
fn is_no_family(_: &io::Error) -> bool {
    false
}

/// Makes a directory that this user alone may enter; it must not be there yet.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has a mode to set"))]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens one.
pub(crate) fn open(kind: Kind, directory: &Path) -> io::Result<(Place, Kept)> {
    match kind {
        Kind::Tcp4Listener => listening(TcpListener::bind(LOOPBACK)?),
        Kind::Tcp6Dual => listening(v6_listener(false)?),
        Kind::Tcp6Only => listening(v6_listener(true)?),
        Kind::TcpBound => bound(),
        Kind::TcpAccepted => accepted(),
        Kind::TcpOutgoing => outgoing(),
        Kind::TimeWait => Ok((Place::Inet(time_wait()?), Kept::new())),
        Kind::Udp4 => receiving(UdpSocket::bind(LOOPBACK)?),
        Kind::Udp6 => receiving(UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?),
        Kind::UnixPath => unix_path(directory),
        Kind::UnixAbstract => unix_abstract(),
    }
}

fn listening(listener: TcpListener) -> io::Result<(Place, Kept)> {
    Ok((Place::Inet(listener.local_addr()?), vec![Box::new(listener)]))
}

fn receiving(socket: UdpSocket) -> io::Result<(Place, Kept)> {
    Ok((Place::Inet(socket.local_addr()?), vec![Box::new(socket)]))
}

/// A connection with both its ends here. Closing them leaves no TIME-WAIT where the system can be
/// told so.
fn connection(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let client = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
    let (server, _) = listener.accept()?;
    leave_nothing(&client)?;
    leave_nothing(&server)?;
    Ok((server, client))
}

/// The server's end of a connection whose listener is closed.
fn accepted() -> io::Result<(Place, Kept)> {
    let (server, client) = connection(&TcpListener::bind(LOOPBACK)?)?;
    Ok((Place::Inet(server.local_addr()?), vec![Box::new(server), Box::new(client)]))
}

/// The client's end of a connection to a server that goes on.
fn outgoing() -> io::Result<(Place, Kept)> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let (server, client) = connection(&listener)?;
    let place = Place::Inet(client.local_addr()?);
    Ok((place, vec![Box::new(listener), Box::new(server), Box::new(client)]))
}

/// A connection that the server closed first: its end keeps the port in TIME-WAIT.
fn time_wait() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let address = listener.local_addr()?;
    let mut client = TcpStream::connect_timeout(&address, PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    let (server, _) = listener.accept()?;
    drop(server);
    // The end of the stream is here when the server's close is.
    client.read_to_end(&mut Vec::new())?;
    Ok(address)
}

/// Closing sends a reset (SO_LINGER of zero, socket(7)).
#[cfg(unix)]
fn leave_nothing(stream: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn leave_nothing(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// On `::`, for IPv6 alone or for both families whatever the machine's default is.
#[cfg(unix)]
fn v6_listener(only: bool) -> io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
    let fd = socket(AddressFamily::INET6, SocketType::STREAM, None)?;
    sockopt::set_ipv6_v6only(&fd, only)?;
    bind(&fd, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))?;
    listen(&fd, 1)?;
    Ok(fd.into())
}

/// What std opens here is for IPv6 alone.
#[cfg(windows)]
fn v6_listener(only: bool) -> io::Result<TcpListener> {
    match only {
        true => TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)),
        false => super::listener((Ipv6Addr::UNSPECIFIED, 0).into()),
    }
}

/// Which of the two std opens here is not known.
#[cfg(not(any(unix, windows)))]
fn v6_listener(only: bool) -> io::Result<TcpListener> {
    match only {
        true => TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)),
        false => Err(io::Error::new(ErrorKind::Unsupported, "none is opened on this system yet")),
    }
}

#[cfg(windows)]
fn bound() -> io::Result<(Place, Kept)> {
    listening(super::bound_only(LOOPBACK.into())?)
}

#[cfg(not(windows))]
fn bound() -> io::Result<(Place, Kept)> {
    let refused = |result: BindResult| io::Error::other(result.name().into_owned());
    let absent = || io::Error::new(ErrorKind::Unsupported, "none is opened on this system yet");
    let address = SocketAddr::from(LOOPBACK);
    let socket = match keep::hold(Transport::Tcp, address) {
        Ok(socket) => socket,
        Err(result) if result.name() == "EOPNOTSUPP" => return Err(absent()),
        Err(result) => return Err(refused(result)),
    };
    let port = keep::port_of(&socket).ok_or_else(absent)?;
    Ok((Place::Inet((LOOPBACK.0, port).into()), vec![Box::new(socket)]))
}

#[cfg(unix)]
fn unix_path(directory: &Path) -> io::Result<(Place, Kept)> {
    let path = directory.join("doctor.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path)?;
    Ok((Place::Path(path.to_string_lossy().into_owned()), vec![Box::new(listener)]))
}

#[cfg(not(unix))]
fn unix_path(_: &Path) -> io::Result<(Place, Kept)> {
    Err(io::Error::new(ErrorKind::Unsupported, "none is opened on this system yet"))
}

#[cfg(target_os = "linux")]
fn unix_abstract() -> io::Result<(Place, Kept)> {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("proc-doctor-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name)?;
    let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
    Ok((Place::Abstract(name), vec![Box::new(listener)]))
}

#[cfg(not(target_os = "linux"))]
fn unix_abstract() -> io::Result<(Place, Kept)> {
    Err(io::Error::new(ErrorKind::Unsupported, "this system has no abstract names"))
}
