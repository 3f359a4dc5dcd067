//! What can be done on Windows about ports that no ordinary process holds: kept back, served by the
//! kernel, or carried on by somebody who must not be ended.

use super::{Action, Remedy};
use crate::addr::{Endpoint, Transport};
use crate::diagnosis::Cause;
use crate::explain;
use crate::process::Process;
use crate::snapshot::Snapshot;
use crate::windows::{self, Registered};

/// About a range that Windows keeps back.
pub(super) fn excluded(endpoint: &Endpoint, snapshot: &Snapshot) -> Vec<Remedy> {
    let other = Remedy {
        action: Action::UseAnother,
        argv: None,
        needs_root: false,
        explain: "a port outside of the range can be bound".to_owned(),
    };
    let Some(range) = windows::excluded(endpoint, snapshot) else { return vec![other] };
    let protocol = match endpoint.transports() {
        [Transport::Udp] => "udp",
        _ => "tcp",
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
    let release = match range.administered {
        true => {
            let (start, count) = (range.ports.start(), range.ports.len());
            Remedy {
                action: Action::GetRight,
                argv: Some(words(&format!(
                    "netsh interface ipv4 delete excludedportrange protocol={protocol} startport={start} numberofports={count}"
                ))),
                needs_root: true,
                explain: "takes the range back that somebody set aside".to_owned(),
            }
        }
        false => Remedy {
            action: Action::GetRight,
            argv: Some(words("net stop winnat")),
            needs_root: true,
            explain: explain::excluded_release(endpoint, protocol),
        },
    };
    vec![other, release]
}

/// About a server behind HTTP.sys: its service, or its process.
pub(crate) fn http_sys(endpoint: &Endpoint, snapshot: &Snapshot) -> Vec<Remedy> {
    let registered = windows::registered(endpoint.port.get(), snapshot);
    registered.iter().filter_map(|one| stop_registered(one, snapshot)).collect()
}

fn stop_registered(of: &Registered<'_>, snapshot: &Snapshot) -> Option<Remedy> {
    let pid = of.process?.pid;
    let needs_root = snapshot.asker.uid != 0;
    if let Some(name) = windows::service_behind(of, snapshot) {
        return windows::guarded(name).is_none().then(|| Remedy {
            action: Action::StopSupervisor,
            argv: Some(["net", "stop", name].map(str::to_owned).to_vec()),
            needs_root,
            explain: format!("stops the service {name}, whose server it is"),
        });
    }
    Some(Remedy {
        action: Action::StopProcess,
        argv: Some(["proc", "kill", &format!("pid:{pid}")].map(str::to_owned).to_vec()),
        needs_root: false,
        explain: "ends the program whose server it is".to_owned(),
    })
}

/// About a port that is carried into WSL, a container, or by a rule of the machine's own.
pub(super) fn carried(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> Option<Remedy> {
    let port = endpoint.port;
    let holder: &Process = cause.pids.first().and_then(|pid| snapshot.processes.get(pid))?;
    let says = |action, argv, needs_root, explain| Remedy { action, argv, needs_root, explain };
    if windows::is_wsl(holder) {
        let distribution = match &snapshot.windows.distributions[..] {
            [one] => one.clone(),
            _ => "DISTRIBUTION".to_owned(),
        };
        let words = ["wsl", "-d", &distribution, "proc", "free", &format!(":{port}")];
        let argv = words.map(str::to_owned).to_vec();
        return Some(says(Action::StopProcess, Some(argv), false, explain::in_wsl()));
    }
    matches!(windows::file(holder).as_str(), "com.docker.backend" | "com.docker.vpnkit").then(|| {
        says(
            Action::StopContainer,
            None,
            false,
            format!(
                "stop the container that publishes it: docker ps --filter publish={port} names it"
            ),
        )
    })
}
