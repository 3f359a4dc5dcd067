//! Container engines of a Mac: in virtual machines all of them, which serve their APIs on unix sockets
//! of the user who started them.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ffi;
use crate::engine::{self, ContainerFacts, EngineAnswer, EngineWish, Places, machine, unix_path};
use crate::host::Ran;
use crate::sys::engine::sockets::{self, SocketFile, Sockets};
use crate::sys::engine::{
    Door, MOST_DOORS, Nothing, SLACK, ask_within, left, listed, places_within, read,
};

/// What the engines say within that time.
pub(super) fn containers(wish: &EngineWish, limit: Duration) -> EngineAnswer {
    ask_within(Sockets::default(), |wish, _| doors(wish), wish, limit)
}

/// The paths of the engines' sockets that are there, as far as that is told at once.
pub(super) fn sockets_here() -> Vec<String> {
    places_within(SLACK, || doors(&EngineWish::default()))
}

/// The socket files that are there.
fn doors(wish: &EngineWish) -> Vec<Door> {
    let places = places(wish);
    let docker = match &places.docker_host {
        Some(host) => unix_path(host),
        None if engine::has_context(&places, &listed, &read) => {
            engine::context_socket(&places, &listed, &read)
        }
        None => Some(PathBuf::from("/var/run/docker.sock")),
    };
    let docker = docker.and_then(|path| path.canonicalize().ok());
    let own = super::keep::user();
    let door = |SocketFile { path, owner }| {
        let real = path.canonicalize().ok();
        let place = telling(path, real.as_deref()).to_string_lossy().into_owned();
        // Another user's is reached by its path alone.
        let own = owner.is_none_or(|uid| uid == own);
        let usual = real.is_some() && real == docker && own;
        let address = format!("unix://{place}");
        Door { owner, here: false, ..Door::new(place, &address, usual) }
    };
    let paths = engine::sockets(&places, &listed, &read);
    sockets::files(paths).map(door).take(MOST_DOORS).collect()
}

/// `/var/run/docker.sock` is a link to some machine's, so that only where it leads tells whose. Others
/// stay as they are: a path may have 103 bytes (sun_path, unix(4)), and `/private` takes some.
fn telling(path: PathBuf, real: Option<&Path>) -> PathBuf {
    let tells = |path: &Path| machine::serving(&path.to_string_lossy()).is_some();
    match real {
        Some(real) if !tells(&path) && tells(real) => real.to_owned(),
        _ => path,
    }
}

fn places(wish: &EngineWish) -> Places {
    let home = |&uid: &u32| ffi::user(uid).map(|(_, home)| home);
    let temporary = std::env::temp_dir();
    Places {
        other_homes: wish.owners.iter().filter_map(home).collect(),
        temporary: Some(temporary),
        ..crate::sys::engine::places(wish)
    }
}

/// Connects. A Mac refuses at once where the engine is too busy to take one more (unp_connect,
/// uipc_usrreq.c), so there is nothing to wait for.
pub(crate) fn connected(
    socket: &Path,
    _: Option<BorrowedFd<'_>>,
    deadline: Instant,
) -> Result<UnixStream, Nothing> {
    left(deadline)?;
    UnixStream::connect(socket).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => Nothing::Nobody,
        ErrorKind::PermissionDenied => Nothing::Denied,
        _ => Nothing::Failed,
    })
}

/// Stops a container through whoever told of it.
pub(super) fn stop(
    container: &ContainerFacts,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
) -> Ran {
    let run = |argv: &[String]| super::act::run(argv, interrupt, timeout);
    crate::sys::engine::stop(&Sockets { interrupt }, container, timeout, run)
}
