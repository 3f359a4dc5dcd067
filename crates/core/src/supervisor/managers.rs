//! The process managers known by name: which they are, the service each of them runs, and the
//! command that stops that service for good.

use super::program::{Program, file_name};
use super::{Role, words};
use crate::process::Process;

/// The managers. `Some(true)` only for those that start again what was killed
/// unless told otherwise: PM2's autorestart, runit, s6, daemontools, supervisord (a death by a
/// signal is unexpected to it), OpenRC's supervise-daemon.
pub(super) fn manager_role(program: Program<'_>) -> Option<Role> {
    const RESTARTS: [&str; 12] = [
        "pm2",
        "runsv",
        "s6-supervise",
        "supervise",
        "supervise-daemon",
        "supervisord",
        "circusd",
        "forever",
        "immortal",
        "horust",
        "perpd",
        "nosh-service-manager",
    ];
    const MANAGES: [&str; 5] = ["monit", "overmind", "concurrently", "dinit", "process-compose"];
    /// These end all when one ends.
    const ENDS_TOGETHER: [&str; 4] = ["foreman", "honcho", "hivemind", "goreman"];
    let any = |names: &[&str]| names.iter().any(|name| program.is(name));
    if is_pm2(program) || is_forever(program) || any(&RESTARTS) {
        Some(Role::Manager(Some(true)))
    } else if any(&ENDS_TOGETHER) {
        Some(Role::Manager(Some(false)))
    } else if any(&MANAGES) {
        Some(Role::Manager(None))
    } else {
        None
    }
}

/// PM2's daemon writes `PM2 v5.3.0: God Daemon (/home/me/.pm2)` over its arguments.
pub(super) fn is_pm2(program: Program<'_>) -> bool {
    program.title.is_some_and(|title| title.starts_with("PM2 v"))
}

/// forever's monitor is `node …/forever/bin/monitor script.js`.
pub(super) fn is_forever(program: Program<'_>) -> bool {
    program.script == Some("monitor")
        && program.first_argument().is_some_and(|path| path.contains("/forever/"))
}

/// The directory of the one service that runit, s6 or daemontools supervises here: these change
/// into it (runsv(8), s6-supervise, supervise).
pub(super) fn service_directory(process: &Process) -> Option<&str> {
    let file = Program::of(process).file;
    let one_each = matches!(file, "runsv" | "s6-supervise" | "supervise");
    process.cwd.as_deref().filter(|_| one_each)
}

/// The command that stops the service for good, where the service's name is certain. pm2,
/// supervisord and circus know names which neither arguments nor groups carry.
pub(super) fn stop_command(process: &Process) -> Option<Vec<String>> {
    let program = Program::of(process);
    let directory = service_directory(process);
    match program.file {
        "runsv" => Some(words(&["sv", "stop", directory?])),
        "s6-supervise" => Some(words(&["s6-svc", "-d", directory?])),
        "supervise" => Some(words(&["svc", "-d", directory?])),
        "supervise-daemon" => Some(words(&["rc-service", program.first_argument()?, "stop"])),
        _ => None,
    }
}
