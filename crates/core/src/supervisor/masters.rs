//! Masters of pools: programs that keep a number of their like, which share a socket.

use super::Role;
use super::program::Program;
use crate::process::Process;
use crate::snapshot::Snapshot;
use crate::socket::Holders;

/// Masters which replace a worker that ends.
const REPLACES: [&str; 11] = [
    "nginx",
    "apache2",
    "httpd",
    "php-fpm",
    "gunicorn",
    "puma",
    "unicorn",
    "uwsgi",
    "uWSGI",
    "openresty",
    "Passenger",
];

/// Masters of which some versions, or some options, replace a worker that was killed.
const MAY: [&str; 3] = ["uvicorn", "hypercorn", "granian"];

/// Masters that end when a worker was killed (haproxy without `no-exit-on-failure`).
const DO_NOT: [&str; 1] = ["haproxy"];

/// The master of a pool: a known one above its like, or the same program with a socket of the
/// child. A shell above a subshell is none, though it may have handed down what it holds.
pub(super) fn master_role(parent: &Process, child: &Process, snapshot: &Snapshot) -> Option<Role> {
    let (above, below) = (Program::of(parent), Program::of(child));
    let same_program = match (&parent.exe, &child.exe) {
        (Some(above), Some(below)) => above == below,
        _ => parent.name == child.name,
    };
    if !same_program || above.shell().is_some() {
        return None;
    }
    let goes_by = |names: &[&str]| names.iter().any(|name| above.is(name));
    let replaces = goes_by(&REPLACES) || above.file.starts_with("php-fpm");
    let known = replaces || goes_by(&MAY) || goes_by(&DO_NOT) || is_spring(above);
    // Its like: a title of the same family, or the very arguments it has itself.
    let alike = match (above.title, below.title) {
        (Some(_), Some(_)) => below.called == above.called,
        (None, None) => parent.argv == child.argv || is_spawned(below),
        _ => false,
    };
    let titled = above.title.is_some_and(|title| {
        title.contains(" master") || title.contains(": master") || title.starts_with("puma ")
    });
    if (known && (alike || titled)) || share_a_socket(parent, child, snapshot) {
        let restarts = if goes_by(&DO_NOT) { Some(false) } else { replaces.then_some(true) };
        return Some(Role::Master(restarts));
    }
    None
}

/// A worker that Python's multiprocessing spawned has none of its master's arguments
/// (`Lib/multiprocessing/spawn.py`).
fn is_spawned(program: Program<'_>) -> bool {
    program.has("--multiprocessing-fork")
}

/// The preloader of Rails: `spring server | app | started …` above `spring app    | …`.
fn is_spring(program: Program<'_>) -> bool {
    program.title.is_some_and(|title| title.starts_with("spring server"))
}

fn share_a_socket(parent: &Process, child: &Process, snapshot: &Snapshot) -> bool {
    let shared = |holders: &Holders| holders.has(parent.id.pid) && holders.has(child.id.pid);
    snapshot.sockets.iter().any(|socket| shared(&socket.holders))
}
