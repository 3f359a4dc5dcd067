//! What can be done about a cause: by whom, with which command, at what cost. Data only; the
//! doing is [`crate::act`]'s.

mod carried;
mod redirected;
mod unit;

use serde::{Deserialize, Serialize};

use crate::addr::{Endpoint, Transport};
use crate::diagnosis::{Cause, CauseKind, topmost};
use crate::engine::facts_of;
use crate::explain;
use crate::known::{System, known};
use crate::nature::{NatureKind, nature_of};
use crate::plan::is_left_alone;
use crate::process::{Process, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;
use crate::supervisor::{is_mac, supervisor_of, unit_guard};
use crate::unit::UnitFacts;
use crate::windows;

pub(crate) use carried::http_sys;

/// The kinds of remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Ask the holder to end.
    StopProcess,
    /// Continue a stopped process, in its terminal or by a signal.
    ContinueProcess,
    /// Stop the unit that runs it.
    StopUnit,
    /// Stop the container.
    StopContainer,
    /// Stop the program that would start it again.
    StopSupervisor,
    /// Close a connection without touching its process.
    CloseConnection,
    /// Remove what ended connections left.
    ClearRemains,
    /// Wait until it passes.
    Wait,
    /// Let the server set SO_REUSEADDR.
    SetReuseAddr,
    /// Use another port or address.
    UseAnother,
    /// Look again with more rights.
    LookAsRoot,
    /// Get the right to bind it.
    GetRight,
    /// Remove a stale socket file.
    RemoveFile,
    /// Remove a rule of the packet filter, or what it is there for.
    RemoveRule,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// What.
    pub action: Action,
    /// The exact command, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// Whether it needs more rights than the asker has.
    pub needs_root: bool,
    /// What it does and costs, in a sentence.
    pub explain: String,
}

/// What can be done about a cause, the softest that works first.
pub fn remedies(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> Vec<Remedy> {
    let proc = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    let target = endpoint.to_string();
    let foreign = cause.pids.iter().any(|pid| {
        let uid = snapshot.processes.get(pid).and_then(|process| process.uid);
        snapshot.asker.uid != 0 && uid.is_some_and(|uid| uid != snapshot.asker.uid)
    });
    let remedy = |action, argv, needs_root, explain: &str| Remedy {
        action,
        argv,
        needs_root,
        explain: explain.to_owned(),
    };
    let supervisor = cause.pids.first().and_then(|&pid| supervisor_of(pid, snapshot));
    let nature = || {
        let holder = cause.pids.first().and_then(|pid| snapshot.processes.get(pid));
        holder.and_then(|holder| nature_of(holder, snapshot))
    };
    // Whoever runs the machine put it there, and would again.
    let of_agent = || nature().is_some_and(|nature| nature.kind == NatureKind::Agent);
    // Windows has no question that every program hears.
    let ends_unasked =
        || snapshot.is_windows() && nature().is_none_or(|nature| nature.never_forced.is_none());
    let mut all = Vec::new();
    match cause.kind {
        CauseKind::Listener
        | CauseKind::SharedListener
        | CauseKind::InheritedListener
        | CauseKind::BoundNotListening
        | CauseKind::UdpSocket
        | CauseKind::InFlight => {
            if let Some(supervisor) = supervisor.filter(stopped_first).filter(|_| !of_agent()) {
                all.push(remedy(
                    Action::StopSupervisor,
                    supervisor.stop.clone(),
                    foreign || unit::needs_root(&supervisor, snapshot),
                    &unit::stop_supervisor(&supervisor, snapshot),
                ));
            }
            all.extend(carried::carried(cause, endpoint, snapshot));
            all.extend(own_way(cause, endpoint, snapshot));
            all.extend(continued(cause, snapshot));
            all.extend(another_port(cause, snapshot));
            if cause.kind == CauseKind::InFlight {
                all.push(remedy(
                    Action::StopProcess,
                    proc(&["proc", "free", "--force", &target]),
                    foreign,
                    "asks whoever will probably receive it to end; who that is, is a guess",
                ));
            } else if !stands_in_the_way(cause, snapshot) {
                all.push(remedy(
                    Action::StopProcess,
                    proc(&["proc", "free", &target]),
                    foreign,
                    match ends_unasked() {
                        false => "asks the holder to end and waits until the port can be bound",
                        true => "asks the holder to end, or ends it where it cannot be asked, and waits until the port can be bound",
                    },
                ));
            }
        }
        CauseKind::UnixSocket => all.push(remedy(
            Action::StopProcess,
            proc(&["proc", "stop", &target]),
            foreign,
            "asks the server to end",
        )),
        CauseKind::Container => all.push(stop_container(cause, endpoint, snapshot, supervisor)),
        CauseKind::SocketActivation => all.push(unit::stop_socket_unit(cause, foreign, snapshot)),
        CauseKind::AcceptedConnection => all.push(remedy(
            Action::StopProcess,
            proc(&["proc", "free", &target]),
            foreign,
            "closes the connections where that is allowed, else asks their holder to end",
        )),
        CauseKind::OutgoingConnection => {
            let drawn = &snapshot.policy.ephemeral;
            let outside = format!(
                "a port outside the ephemeral range ({} to {})",
                drawn.start(),
                drawn.end()
            );
            let explain = match explain::cannot_be_closed(cause, snapshot) {
                Some(never) => format!("{never}: wait until it ends, or use {outside}"),
                None => {
                    all.push(remedy(
                        Action::CloseConnection,
                        proc(&["proc", "free", &target]),
                        !snapshot.asker.may_destroy,
                        "closes that connection; the program that has it lives on and may open it again",
                    ));
                    let kept = explain::kept_from_connections(endpoint, snapshot);
                    format!(
                        "{outside} cannot be drawn like this, nor can one {kept}, which a server may bind all the same"
                    )
                }
            };
            all.push(remedy(Action::UseAnother, None, false, &explain));
        }
        CauseKind::TimeWait => {
            all.push(remedy(
                Action::ClearRemains,
                proc(&["proc", "free", &target]),
                false,
                "clears them where that is allowed, else waits for them",
            ));
            all.push(remedy(
                Action::SetReuseAddr,
                None,
                false,
                match is_mac(snapshot) {
                    false => "a server that sets SO_REUSEADDR can bind beside them, if the one before it set it too",
                    true => "a server that sets SO_REUSEADDR can bind beside them, if they were its own user's",
                },
            ));
        }
        CauseKind::Closing => {
            let (needs_root, explain) = match explain::cannot_be_closed(cause, snapshot) {
                Some(_) => {
                    (false, "waits until the kernel gives up on them: nobody can end them here")
                }
                None => (
                    !snapshot.asker.may_destroy,
                    "destroys them, or waits until the kernel gives up on them",
                ),
            };
            let argv = proc(&["proc", "free", &target]);
            all.push(remedy(Action::ClearRemains, argv, needs_root, explain));
        }
        CauseKind::HiddenHolder | CauseKind::Unexplained => {
            // Who may ask the engine need not see its proxy.
            all.extend(published(endpoint, snapshot).filter(|_| cause.kind != CauseKind::Unexplained));
            // Windows shows its sockets to everybody.
            let shown = snapshot.is_windows() && cause.kind == CauseKind::Unexplained;
            if !snapshot.asker.sees_all && snapshot.asker.uid != 0 && !shown {
                let (argv, explain) = match System::of(snapshot.source) {
                    System::Windows => {
                        (proc(&["proc", "on", &target]), "names the holder, in an elevated terminal")
                    }
                    System::Linux | System::Mac => {
                        (proc(&["sudo", "proc", "on", &target]), "names the holder")
                    }
                };
                all.push(remedy(Action::LookAsRoot, argv, true, explain));
            }
        }
        CauseKind::StaleUnixSocket => all.push(remedy(
            Action::RemoveFile,
            proc(&["rm", &target]),
            false,
            "removes the file that nobody serves",
        )),
        CauseKind::Privileged if is_mac(snapshot) => all.push(remedy(
            Action::GetRight,
            None,
            true,
            &format!(
                "bind every address (0.0.0.0 or ::), for which macOS asks no right, use port {} or higher, or run it as root",
                snapshot.policy.unprivileged_start
            ),
        )),
        CauseKind::Privileged => all.push(remedy(
            Action::GetRight,
            None,
            true,
            &format!(
                "use port {} or higher, or give the program CAP_NET_BIND_SERVICE (setcap cap_net_bind_service=+ep PROGRAM)",
                snapshot.policy.unprivileged_start
            ),
        )),
        CauseKind::Reserved if windows::excluded(endpoint, snapshot).is_some() => {
            all.extend(carried::excluded(endpoint, snapshot));
        }
        CauseKind::Reserved => all.push(remedy(
            Action::UseAnother,
            None,
            false,
            "use another port: no right helps, not even root's",
        )),
        CauseKind::Kernel => all.extend(http_sys(endpoint, snapshot)),
        CauseKind::NotLocal | CauseKind::NoPortsLeft => all.push(remedy(
            Action::UseAnother,
            None,
            false,
            "bind an address and port that this machine has",
        )),
        CauseKind::Redirected => all.extend(redirected::redirected(endpoint, snapshot)),
        CauseKind::OtherNamespace => {}
    }
    all
}

/// Whether a guard rail keeps `proc free` from the holders: what would be refused is no remedy.
fn stands_in_the_way(cause: &Cause, snapshot: &Snapshot) -> bool {
    let holders = topmost(snapshot, &cause.pids);
    holders.iter().filter_map(|pid| snapshot.processes.get(pid)).any(|process| {
        // Some managers hold a socket for what they run, and have a command that ends only that.
        let leaves_it = || {
            supervisor_of(process.id.pid, snapshot).is_some_and(|by| {
                by.kind == SupervisorKind::ProcessManager
                    && by.pid == Some(process.id.pid)
                    && by.stop.is_some()
            })
        };
        (is_left_alone(process, snapshot) || heads_a_guarded_unit(process, snapshot))
            && !leaves_it()
    })
}

/// Whether it is what a unit is for that may not be stopped.
fn heads_a_guarded_unit(process: &Process, snapshot: &Snapshot) -> bool {
    let parent = snapshot.processes.get(&process.ppid);
    let apart = parent.is_none_or(|parent| parent.cgroup != process.cgroup);
    let is_main = |unit: &UnitFacts| unit.main_pid == Some(process.id.pid);
    // Who runs it takes longer to tell, and of most nothing hangs on it.
    if !apart && !snapshot.units.iter().any(is_main) {
        return false;
    }
    let Some(by) = supervisor_of(process.id.pid, snapshot) else { return false };
    let main = snapshot
        .units
        .iter()
        .any(|unit| unit.id == by.name && unit.user == by.owner && is_main(unit));
    (main || apart) && by.stop.is_none() && unit_guard(&by, snapshot).is_some()
}

/// What to do where the holder is wanted on this machine.
fn another_port(cause: &Cause, snapshot: &Snapshot) -> Option<Remedy> {
    let mut holders = cause.pids.iter().filter_map(|pid| snapshot.processes.get(pid));
    let nature = holders.find_map(|process| nature_of(process, snapshot))?;
    nature.is_wanted_here().then(|| Remedy {
        action: Action::UseAnother,
        argv: None,
        needs_root: false,
        explain: match nature.setting() {
            Some(setting) => format!("{} stays: {setting}", nature.name),
            None => format!("{} stays: let your program take another port", nature.name),
        },
    })
}

/// Continuing one that was suspended: in its own terminal, or by the signal.
fn continued(cause: &Cause, snapshot: &Snapshot) -> Option<Remedy> {
    let mut holders = cause.pids.iter().filter_map(|pid| snapshot.processes.get(pid));
    let process = holders.find(|process| process.is_stopped())?;
    Some(Remedy {
        action: Action::ContinueProcess,
        argv: Some(vec!["proc".to_owned(), "thaw".to_owned(), format!("pid:{}", process.id.pid)]),
        needs_root: snapshot.asker.uid != 0 && process.uid != Some(snapshot.asker.uid),
        explain: explain::continuing(process),
    })
}

/// How the holder's own program is ended: by a command of its own, by a word to whoever knows it,
/// or as the table of ports says for the program of that name, if nobody runs it.
fn own_way(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> Option<Remedy> {
    let process = cause.pids.first().and_then(|pid| snapshot.processes.get(pid))?;
    let says =
        |argv, explain| Remedy { action: Action::StopProcess, argv, needs_root: false, explain };
    if let Some(nature) = nature_of(process, snapshot) {
        let argv = nature.stop?;
        return Some(says(Some(argv), explain::own_way(&nature.name)));
    }
    let runs = supervisor_of(process.id.pid, snapshot);
    if runs.is_some_and(|supervisor| supervisor.stop.is_some()) {
        return None;
    }
    let transport = match cause.kind {
        CauseKind::UdpSocket => Transport::Udp,
        _ => Transport::Tcp,
    };
    let known = known(endpoint.port, transport, System::of(snapshot.source))?;
    // `proc` itself and Ctrl-C are said anyway.
    let tells = |ways: &&String| known.is_held_by(process) && !ways.contains("proc kill");
    let ways = known.stop.as_ref().filter(tells)?;
    Some(says(None, explain::usual_way(process.program(), ways)))
}

/// Stopping the container, by its own engine; where its name is not known, how to find that.
fn stop_container(
    cause: &Cause,
    endpoint: &Endpoint,
    snapshot: &Snapshot,
    supervisor: Option<Supervisor>,
) -> Remedy {
    let asker = snapshot.asker.uid;
    let first = cause.pids.first().and_then(|pid| snapshot.processes.get(pid));
    let Some(supervisor) = supervisor.filter(stops_container) else {
        let port = endpoint.port;
        return Remedy {
            action: Action::StopContainer,
            argv: None,
            needs_root: asker != 0 && first.and_then(|process| process.uid) != Some(asker),
            explain: format!(
                "stop the container that publishes it: docker ps --filter publish={port} (of podman, podman ps) names it"
            ),
        };
    };
    let told = first.and_then(|process| facts_of(process, snapshot));
    Remedy {
        action: match supervisor.kind {
            SupervisorKind::Container => Action::StopContainer,
            _ => Action::StopUnit,
        },
        // Whoever was told by an engine may ask it.
        needs_root: asker != 0
            && supervisor.owner != Some(asker)
            && told.is_none_or(|facts| facts.socket.is_empty()),
        explain: stopping(&supervisor),
        argv: supervisor.stop,
    }
}

/// Stopping a container that publishes the port, as its engine says, and that the asker may ask.
pub(crate) fn published(endpoint: &Endpoint, snapshot: &Snapshot) -> Option<Remedy> {
    let facts = snapshot.containers.iter().find(|facts| {
        let mut transports = endpoint.transports().iter();
        facts.runs()
            && !facts.socket.is_empty()
            && facts.owner.is_none_or(|owner| owner == snapshot.asker.uid)
            && transports.any(|&it| facts.publishes(it.into(), endpoint.port.get()))
    })?;
    Some(Remedy {
        action: Action::StopContainer,
        argv: facts.stop(),
        needs_root: false,
        explain: format!("stops container {}, which publishes the port", facts.name),
    })
}

/// Whether whoever runs it is the one to turn to: it starts it again for certain, or it may and
/// has a command that stops this for good.
fn stopped_first(supervisor: &Supervisor) -> bool {
    let asked = supervisor.kind == SupervisorKind::ProcessManager && supervisor.stop.is_some();
    let service = supervisor.kind == SupervisorKind::WindowsService && supervisor.stop.is_some();
    supervisor.restarts == Some(true) || asked || service
}

fn stops_container(supervisor: &Supervisor) -> bool {
    use SupervisorKind::{Container, SystemdUnit, SystemdUserUnit};
    matches!(supervisor.kind, Container | SystemdUnit | SystemdUserUnit)
}

/// What stopping it does, and for how long that holds (docker-run(1), podman-run(1)).
fn stopping(supervisor: &Supervisor) -> String {
    let name = &supervisor.name;
    let mut text = match (supervisor.kind, supervisor.policy.as_deref()) {
        (SupervisorKind::Container, Some("always")) => format!(
            "stops container {name}; its restart policy (always) brings it back when the engine or the machine starts again"
        ),
        (SupervisorKind::Container, Some(policy)) => format!(
            "stops container {name} by its engine, which its restart policy ({policy}) respects"
        ),
        (SupervisorKind::Container, None) => {
            format!("stops container {name} by its engine, so that it does not come back")
        }
        _ => format!("stops {name}, which runs the container and would start it again"),
    };
    if !supervisor.takes_along.is_empty() {
        text.push_str(&format!("; {} goes with it", supervisor.takes_along.join(", ")));
    }
    text
}
