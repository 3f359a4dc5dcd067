//! Masters of pools: programs that keep a number of their like, which share a socket.

use super::Role;
use super::program::Program;
use crate::process::Process;
use crate::snapshot::Snapshot;

/// The master of a pool: it says so, or it is the same program and holds a socket of the child.
pub(super) fn master_role(parent: &Process, child: &Process, snapshot: &Snapshot) -> Option<Role> {
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
        "haproxy",
        "openresty",
    ];
    let program = Program::of(parent);
    let known = REPLACES.iter().any(|name| program.is(name)) || program.file.starts_with("php-fpm");
    let says_so = program.title.is_some_and(|title| {
        title.contains(" master") || title.contains(": master") || title.starts_with("puma ")
    });
    let same_program = match (&parent.exe, &child.exe) {
        (Some(above), Some(below)) => above == below,
        _ => parent.name == child.name,
    };
    if same_program && ((known && says_so) || share_a_socket(parent, child, snapshot)) {
        return Some(Role::Master(known.then_some(true)));
    }
    None
}

fn share_a_socket(parent: &Process, child: &Process, snapshot: &Snapshot) -> bool {
    snapshot.sockets.iter().any(|socket| {
        let holds = |process: &Process| {
            socket.holders.list().iter().any(|holder| holder.pid == process.id.pid)
        };
        holds(parent) && holds(child)
    })
}
