//! What is said of stopping a unit of systemd: what it ends, whether root must do it, and what makes
//! it stay so after the next boot.

use super::{Action, Remedy};
use crate::diagnosis::Cause;
use crate::process::{Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;
use crate::supervisor::{is_mac, socket_unit_supervisor, unit_guard};

/// What stopping that supervisor does. Of a unit also what it does not do for good.
pub(super) fn stop_supervisor(supervisor: &Supervisor, snapshot: &Snapshot) -> String {
    let does = match supervisor.restarts {
        Some(true) => "would start it again",
        Some(false) => "runs it",
        None => "may start it again",
    };
    match unit_guard(supervisor, snapshot) {
        Some(why) => format!("{} {does} and is left alone: {why}", supervisor.name),
        None => {
            format!("stops {}, which {does}{}", supervisor.name, at_boot(supervisor, snapshot))
        }
    }
}

/// The way to end a socket activation: the socket unit first, or the next connection starts the
/// service anew.
pub(super) fn stop_socket_unit(cause: &Cause, foreign: bool, snapshot: &Snapshot) -> Remedy {
    let sockets = cause.sockets.iter().filter_map(|&index| snapshot.sockets.get(index));
    let unit = sockets.into_iter().find_map(|socket| socket_unit_supervisor(socket, snapshot));
    let (argv, needs_root, explain) = match &unit {
        None => (
            None,
            foreign,
            match is_mac(snapshot) {
                false => "stop the socket unit: systemctl list-sockets names it (with --user, those of your own systemd)",
                true => "stop the job: its file in one of the folders LaunchDaemons and LaunchAgents names the port below Sockets",
            }
            .to_owned(),
        ),
        Some(unit) => (
            unit.stop.clone(),
            foreign || needs_root(unit, snapshot),
            match unit_guard(unit, snapshot) {
                Some(why) => format!("{} is left alone: {why}", unit.name),
                None => format!(
                    "stops {} with what it starts, so that nothing listens there{}",
                    unit.name,
                    at_boot(unit, snapshot)
                ),
            },
        ),
    };
    Remedy { action: Action::StopUnit, argv, needs_root, explain }
}

/// Whether only root stops what that supervisor runs: units of the system, and another user's.
pub(super) fn needs_root(supervisor: &Supervisor, snapshot: &Snapshot) -> bool {
    let asker = snapshot.asker.uid;
    match supervisor.kind {
        SupervisorKind::SystemdUnit | SupervisorKind::WindowsService => asker != 0,
        SupervisorKind::SystemdUserUnit | SupervisorKind::LaunchdJob => {
            asker != 0 && supervisor.owner != Some(asker)
        }
        _ => false,
    }
}

/// `; it comes back …` for a job that is loaded anew with its file. Homebrew's command takes the file
/// away.
fn of_job(supervisor: &Supervisor, stop: &[String], snapshot: &Snapshot) -> String {
    let mut units = snapshot.units.iter();
    let enabled = units.any(|unit| {
        unit.id == supervisor.name && unit.user == supervisor.owner && unit.is_enabled()
    });
    let (Some(target), true) = (stop.get(2), enabled && stop[0] == "launchctl") else {
        return String::new();
    };
    let when = if supervisor.owner.is_some() { "login" } else { "boot" };
    format!("; it comes back at the next {when}: launchctl disable {target} is for good")
}

/// `; starts again at boot …` for a unit that is enabled, or that something enabled starts.
fn at_boot(supervisor: &Supervisor, snapshot: &Snapshot) -> String {
    let Some(stop) = &supervisor.stop else { return String::new() };
    if supervisor.kind == SupervisorKind::LaunchdJob {
        return of_job(supervisor, stop, snapshot);
    }
    let enabled = stop.iter().filter(|name| {
        let mut units = snapshot.units.iter();
        units.any(|unit| &unit.id == *name && unit.user == supervisor.owner && unit.is_enabled())
    });
    let enabled: Vec<&str> = enabled.map(String::as_str).collect();
    if enabled.is_empty() {
        return String::new();
    }
    let when = match supervisor.kind {
        SupervisorKind::SystemdUserUnit => "at the next login",
        _ => "at the next boot",
    };
    let command = stop.iter().take_while(|word| *word != "stop");
    let mut words: Vec<&str> = command.map(String::as_str).collect();
    words.extend(["disable", "--now"]);
    words.extend(&enabled);
    format!(
        "; {} is enabled and comes back {when}: {} is for good",
        enabled.join(" and "),
        words.join(" ")
    )
}
