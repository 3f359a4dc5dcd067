//! Sentences about what only Windows has.

use super::{holders, list};
use crate::addr::{Endpoint, Transport};
use crate::diagnosis::Cause;
use crate::process::Process;
use crate::snapshot::Snapshot;
use crate::windows::{self, Registered};

/// Who serves by the kernel: HTTP.sys tells, and of the rest the port is a hint.
pub(super) fn kernel(endpoint: &Endpoint, port: &str, snapshot: &Snapshot) -> String {
    let registered = windows::registered(endpoint.port.get(), snapshot);
    if registered.is_empty() {
        let usual = match endpoint.port.get() {
            445 | 139 => " (usually file sharing)",
            137 | 138 => " (usually NetBIOS)",
            5985 | 47001 => " (usually WinRM, by HTTP.sys)",
            5357 => " (usually device discovery, by HTTP.sys)",
            _ => " (HTTP.sys, file sharing or the like)",
        };
        return format!("{port} is held by Windows' kernel (pid 4), which nobody can end{usual}");
    }
    let each: Vec<String> = registered.iter().map(|one| served(one, snapshot)).collect();
    format!(
        "{port} belongs to HTTP.sys, the web server in Windows' kernel (pid 4): {}",
        list(&each)
    )
}

/// `it serves HTTP://+:80/ for the service W3SVC (pid 2688)`.
fn served(of: &Registered<'_>, snapshot: &Snapshot) -> String {
    let url = of.url;
    let Some(process) = of.process else {
        return format!("{url} is registered by a server that does not run");
    };
    let pid = process.pid;
    if let Some(service) = windows::service_behind(of, snapshot) {
        return format!("it serves {url} for the service {service} (pid {pid})");
    }
    let image = process.image.as_deref().and_then(|image| image.rsplit(['\\', '/']).next());
    let name = image.map(str::to_owned);
    let seen = || snapshot.processes.get(&pid).map(|process| process.program().to_owned());
    match name.or_else(seen) {
        Some(name) => format!("it serves {url} for {name} (pid {pid})"),
        None => format!("it serves {url} for pid {pid}"),
    }
}

/// Why nobody may bind a port that nobody has.
pub(super) fn excluded(endpoint: &Endpoint, port: &str, snapshot: &Snapshot) -> String {
    let Some(range) = windows::excluded(endpoint, snapshot) else {
        return format!("{port} is reserved by the system");
    };
    let (start, end) = (range.ports.start(), range.ports.end());
    match range.administered {
        true => format!(
            "nobody holds {port}, and a bind of it is denied; somebody set the ports {start} to {end} aside (netsh, administered), which may be why"
        ),
        false => format!(
            "nobody holds {port}; Windows keeps the ports {start} to {end} back for Hyper-V, WSL or containers, so no program may bind it"
        ),
    }
}

/// How a drawn range is given back, and what that costs.
pub(crate) fn excluded_release(endpoint: &Endpoint, protocol: &str) -> String {
    format!(
        "gives the drawn ranges back, and cuts containers and virtual machines off until net start winnat draws new ones; in between, netsh interface ipv4 add excludedportrange protocol={protocol} startport={} numberofports=1 store=persistent keeps this port out of them for good",
        endpoint.port
    )
}

/// That an owner's descendants keep its socket.
pub(super) fn heirs(cause: &Cause, port: &str, who: &str, owner: u32) -> String {
    let they = if cause.pids.len() > 1 { "they seem" } else { "it seems" };
    format!(
        "{port} was opened by pid {owner}, which has ended; {they} to have inherited the socket: {who}"
    )
}

/// That an owner has ended and nobody is seen who could have its socket.
pub(super) fn nobodys_heir(port: &str, owner: u32) -> String {
    format!(
        "{port} was opened by pid {owner}, which has ended; a process that inherited the socket keeps it, and none of those that pid {owner} started is seen"
    )
}

/// The ended owner of the sockets of a cause.
pub(super) fn gone_owner(cause: &Cause, snapshot: &Snapshot) -> Option<u32> {
    super::sockets_of(cause, snapshot).find_map(|socket| windows::gone_owner(socket, snapshot))
}

/// Several servers on one address: on Windows nobody knows who gets what.
pub(super) fn shared(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    let who = holders(cause, snapshot);
    match cause.pids.len() {
        0 | 1 => {
            format!("{port} is held on {} sockets (SO_REUSEADDR) by {who}", cause.sockets.len())
        }
        many => {
            let mut each = cause.pids.iter().filter_map(|pid| snapshot.processes.get(pid));
            let names: Vec<String> =
                each.by_ref().map(|process| super::named(process, snapshot.taken_at)).collect();
            format!(
                "{many} processes have {port} at once, as SO_REUSEADDR lets them on Windows, and it is not settled which of them gets a connection: {}",
                names.join("; ")
            )
        }
    }
}

/// What a holder carries the port to, or which service it is: as the end of a sentence.
pub(super) fn carried(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    let Some(holder) = cause.pids.first().and_then(|pid| snapshot.processes.get(pid)) else {
        return String::new();
    };
    if let Some(rule) = windows::port_proxy(holder, endpoint.port.get(), snapshot) {
        return format!(
            "; it forwards the port to {} port {} (netsh interface portproxy)",
            rule.to, rule.to_port
        );
    }
    if windows::is_wsl(holder) {
        return format!("; it carries the port to a program in WSL{}", running(snapshot));
    }
    docker(holder).or_else(|| service(holder, snapshot)).unwrap_or_default()
}

fn docker(holder: &Process) -> Option<String> {
    let file = windows::file(holder);
    matches!(file.as_str(), "com.docker.backend" | "com.docker.vpnkit")
        .then(|| "; Docker Desktop carries the port to a container".to_owned())
}

fn service(holder: &Process, snapshot: &Snapshot) -> Option<String> {
    let services = windows::services_in(holder.id.pid, snapshot);
    let named = |name: &str, display: &str| match display {
        "" => name.to_owned(),
        display if display == name => name.to_owned(),
        display => format!("{name} ({display})"),
    };
    match (windows::service_of(holder, snapshot), &services[..]) {
        (_, []) => {
            let above = windows::service_above(holder, snapshot)?;
            Some(format!("; the service {} runs it", named(&above.name, &above.display)))
        }
        (Some(own), _) => Some(format!("; it is the service {}", named(&own.name, &own.display))),
        (None, several) => {
            let names: Vec<String> = several.iter().map(|one| one.name.clone()).collect();
            Some(format!("; it runs the services {}", list(&names)))
        }
    }
}

/// From inside of WSL, whose network is Windows' own: who holds it is to be asked there.
pub(super) fn on_the_other_side(endpoint: &Endpoint, port: &str) -> String {
    let (get, listens) = match endpoint.transports() {
        [Transport::Udp] => ("Get-NetUDPEndpoint", ""),
        _ => ("Get-NetTCPConnection", " -State Listen"),
    };
    format!(
        "the kernel refuses {port} and nothing in this Linux has it: WSL mirrors Windows' network, so a program on Windows holds it, or Windows keeps it back; what names the program: powershell.exe -Command 'Get-Process -Id ({get} -LocalPort {}{listens}).OwningProcess'",
        endpoint.port
    )
}

/// A socket that no process here has: the distributions share a kernel and its network.
pub(super) fn another_distribution(port: &str) -> String {
    format!(
        "{port} is held in another distribution of WSL, whose processes are not seen here (or by the kernel itself); wsl.exe --list --running names them, and proc on {port} there the holder"
    )
}

/// ` (Ubuntu runs)`.
fn running(snapshot: &Snapshot) -> String {
    match &snapshot.windows.distributions[..] {
        [] => String::new(),
        [one] => format!(" ({one} runs)"),
        several => format!(" ({} run)", list(several)),
    }
}

/// How a port that a relay carries is freed.
pub(crate) fn in_wsl() -> String {
    "ends the program on its own side; only if the relay then stays, wsl --shutdown ends it and every distribution"
        .to_owned()
}
