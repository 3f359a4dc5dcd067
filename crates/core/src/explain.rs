//! Every sentence about a port, beside nothing else, so that tone and terms stay one. Names and
//! paths of other processes go into them as they are: who prints them escapes them.

mod processes;
mod redirected;
mod stuck;
mod uses;
mod warnings;
mod windows;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::addr::{AddressScope, Endpoint, Exposure, Port, Transport, exposure, unmap};
use crate::bind::{Attempt, BindResult, Occupant, answers};
use crate::diagnosis::{Cause, CauseKind, Diagnosis, Verdict};
use crate::engine::{self, ContainerFacts};
use crate::known::System;
use crate::origin::{Agent, NotMine, Theirs};
use crate::process::{Process, ProcessState};
use crate::snapshot::{Gap, Namespace, Silence, Snapshot};
use crate::socket::{HeldBy, Holders, Socket, TcpState};
use crate::supervisor::{
    StartedBy, StarterKind, activation, container_proxy, is_mac, is_service_manager,
};
use crate::unit::UnitFacts;
use crate::windows::is_mirrored;

pub use processes::{
    bytes, deeper_processes, left_alone, left_out, missed, more_processes, more_sockets, no_ports,
    no_process,
};
pub use redirected::{drawn_never, elsewhere, taken_first};
pub use stuck::{no_orphan, no_pulses, nothing_stuck, orphan, stuck};
pub use uses::{file_denied, file_failed, file_use, files_in_use, no_file_user, no_file_uses};
pub use warnings::warning;
pub(crate) use windows::{excluded_release, in_wsl};

/// One sentence for a cause. The holder comes last wherever it can: its age and directory would
/// tear the sentence apart.
pub fn cause(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    let port = label(endpoint, cause, snapshot);
    let who = || holders(cause, snapshot);
    match cause.kind {
        CauseKind::Listener => format!(
            "{port} is held by {}{}{}",
            who(),
            halted(cause, snapshot),
            windows::carried(cause, endpoint, snapshot)
        ),
        CauseKind::SharedListener if snapshot.is_windows() => {
            windows::shared(cause, &port, snapshot)
        }
        CauseKind::SharedListener => shared(cause, &port, snapshot),
        CauseKind::InheritedListener => inherited(cause, &port, snapshot),
        CauseKind::BoundNotListening => format!("{port} is bound, without listening, by {}", who()),
        CauseKind::AcceptedConnection => {
            let many = cause.sockets.len();
            let connections = match many {
                1 => "a connection".to_owned(),
                many => format!("{many} connections"),
            };
            let are = if many == 1 { "is" } else { "are" };
            match cause.certain {
                true => format!(
                    "nothing listens on {port} any more, but {connections} that came in by it {are} still open in {}",
                    who()
                ),
                false => format!(
                    "nothing listens on {port}; {connections} that seem{} to have come in by it {are} still open in {}",
                    if many == 1 { "s" } else { "" },
                    who()
                ),
            }
        }
        CauseKind::OutgoingConnection => outgoing(cause, &port, snapshot),
        CauseKind::TimeWait => time_wait(cause, &port, endpoint, snapshot),
        CauseKind::Closing => closing(cause, &port, endpoint, snapshot),
        CauseKind::UdpSocket => {
            format!("{port} is held by {}{}", who(), windows::carried(cause, endpoint, snapshot))
        }
        CauseKind::UnixSocket => format!("{port} is served by {}", who()),
        CauseKind::StaleUnixSocket => {
            format!("{port} is a socket file that nobody serves: a connection to it is refused")
        }
        CauseKind::InFlight => format!(
            "{port} is held by a descriptor on its way between processes (SCM_RIGHTS), probably to {}",
            who()
        ),
        CauseKind::HiddenHolder => hidden_holder(cause, &port, snapshot),
        CauseKind::OtherNamespace => other_namespace(cause, &port, snapshot),
        CauseKind::Redirected => redirected::cause(endpoint, snapshot),
        CauseKind::Container => container(cause, &port, snapshot),
        CauseKind::SocketActivation => socket_activation(cause, &port, snapshot),
        CauseKind::Kernel if snapshot.policy.wsl => windows::another_distribution(&port),
        CauseKind::Kernel if snapshot.is_windows() => windows::kernel(endpoint, &port, snapshot),
        CauseKind::Kernel => {
            format!("{port} is held by the kernel itself{}", kernel_guess(endpoint))
        }
        CauseKind::Privileged if is_mac(snapshot) => format!(
            "macOS lets root alone bind a single address with a port below {}, such as {port}; all addresses at once (0.0.0.0, ::) need no right",
            snapshot.policy.unprivileged_start
        ),
        CauseKind::Privileged => format!(
            "you may not bind {port}: ports below {} need CAP_NET_BIND_SERVICE",
            snapshot.policy.unprivileged_start
        ),
        CauseKind::Reserved if is_mac(snapshot) => format!(
            "{port} is kept by macOS for a program of its own: it answers \"address already in use\" though nobody has it, to root too"
        ),
        CauseKind::Reserved if snapshot.is_windows() => {
            windows::excluded(endpoint, &port, snapshot)
        }
        CauseKind::Reserved => format!("{port} is reserved by the system"),
        CauseKind::NotLocal => not_local(endpoint, snapshot),
        CauseKind::NoPortsLeft => "no ephemeral port is left".to_owned(),
        CauseKind::Unexplained if snapshot.is_windows() => format!(
            "Windows refuses {port}, and neither a socket nor an excluded range explains it; a security program may forbid it"
        ),
        CauseKind::Unexplained if snapshot.policy.wsl && is_mirrored(snapshot) => {
            windows::on_the_other_side(endpoint, &port)
        }
        CauseKind::Unexplained if snapshot.policy.wsl => format!(
            "the kernel refuses {port} and nothing in this Linux explains it; a program on Windows may hold it: netstat.exe -ano names it"
        ),
        CauseKind::Unexplained => {
            format!("the kernel refuses {port} and nothing that can be seen explains it")
        }
    }
}

/// The service comes last: its age and directory would tear the sentence apart.
fn socket_activation(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    let found = sockets_of(cause, snapshot).find_map(|socket| activation(socket, snapshot));
    let user = found.as_ref().and_then(|found| found.user);
    let systemd = match user.map(|user| user_of(user, snapshot)) {
        _ if is_mac(snapshot) => "launchd".to_owned(),
        None => "systemd".to_owned(),
        Some(yours) if yours == "yours" => "your systemd".to_owned(),
        Some(user) => format!("systemd of {user}"),
    };
    let names = |units: &[&UnitFacts]| {
        units.iter().map(|unit| unit.id.as_str()).collect::<Vec<&str>>().join(" and ")
    };
    let (sockets, services) =
        found.map(|found| (found.sockets, found.services)).unwrap_or_default();
    let socket = match sockets.is_empty() {
        true if is_mac(snapshot) => "a job".to_owned(),
        true => "a socket unit".to_owned(),
        false => names(&sockets),
    };
    // A job is its own service.
    let services: Vec<&UnitFacts> = match is_mac(snapshot) {
        true => Vec::new(),
        false => services,
    };
    if sockets.iter().any(|unit| unit.accepts) {
        let each = sockets[0].id.trim_end_matches(".socket");
        let running = services.iter().filter(|unit| unit.is_active()).count();
        let now = match running {
            0 => String::new(),
            1 => "; one of them runs".to_owned(),
            many => format!("; {many} of them run"),
        };
        return match is_mac(snapshot) {
            true => {
                format!("{systemd} holds {port} for {socket}, and starts it for each connection")
            }
            false => format!(
                "{systemd} holds {port} for {socket}, which starts an {each}@.service for each connection{now}"
            ),
        };
    }
    let holders = cause.pids.iter().filter_map(|pid| snapshot.processes.get(pid));
    let seen = holders.into_iter().find(|process| !is_service_manager(process));
    let running = services.iter().find(|unit| unit.is_active() && unit.main_pid.is_some());
    let service = match services.is_empty() {
        true => "the service".to_owned(),
        false => names(&services),
    };
    let its = if services.is_empty() { "its service" } else { &service };
    match (seen, running.and_then(|unit| unit.main_pid)) {
        (Some(process), _) => format!(
            "{systemd} holds {port} for {socket}, and {its} runs: {}",
            named(process, snapshot.taken_at)
        ),
        (None, Some(pid)) => {
            format!("{systemd} holds {port} for {socket}, and {its} runs (pid {pid})")
        }
        (None, None) if is_mac(snapshot) => {
            format!("{systemd} holds {port} for {socket}, and starts it when somebody connects")
        }
        (None, None) if sockets.is_empty() => format!(
            "{systemd} holds {port} for a socket unit, and starts the service when somebody connects"
        ),
        (None, None) => format!(
            "{systemd} holds {port} for {socket}, which starts {service} when somebody connects"
        ),
    }
}

/// Who serves a unix socket, as far as somebody is told who may not see the process.
pub fn hidden_server(target: &str, socket: &Socket, snapshot: &Snapshot) -> String {
    let user = socket.uid.map_or("another user".to_owned(), |uid| user_of(uid, snapshot));
    format!("{target} is served by a process of {user}; you may not see which")
}

fn shared(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    let sockets = cause.sockets.len();
    let one_family = cause.pids.len() <= 1
        || cause.pids[1..].iter().all(|&pid| descends(snapshot, pid, cause.pids[0]));
    if one_family {
        let who = holders(cause, snapshot);
        return format!("{port} is held on {sockets} sockets (SO_REUSEPORT) by {who}");
    }
    let each: Vec<String> = cause
        .pids
        .iter()
        .filter_map(|pid| snapshot.processes.get(pid))
        .map(|process| named(process, snapshot.taken_at))
        .collect();
    // macOS has no such split (in_pcblookup_hash ends at one).
    let how = match is_mac(snapshot) {
        true => "macOS gives all connections to one of them",
        false => "the kernel splits connections between them",
    };
    format!(
        "{} processes share {port} by SO_REUSEPORT, and {how}: {}",
        cause.pids.len(),
        each.join("; ")
    )
}

fn inherited(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    let who = holders(cause, snapshot);
    if let Some(owner) = windows::gone_owner(cause, snapshot) {
        return windows::heirs(cause, port, &who, owner);
    }
    if cause.certain {
        return format!(
            "{port} is held by {who}; they inherited the listening socket, and the process that opened it is gone"
        );
    }
    let first = cause.pids.first().and_then(|pid| snapshot.processes.get(pid));
    format!(
        "{port} is held by {who}; {} is no server and seems to have inherited the listening socket",
        first.map_or("it", Process::program)
    )
}

fn outgoing(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    let who = holders(cause, snapshot);
    let sockets = || sockets_of(cause, snapshot);
    if sockets().any(|socket| socket.local.inet() == socket.remote) {
        return format!(
            "nothing listens on {port}; a client that tried to connect to it is connected to itself: {who}"
        );
    }
    let to = match (sockets().find_map(|socket| socket.remote), cause.sockets.len()) {
        (Some(to), 1) => format!(" to {to}"),
        (Some(to), _) => format!(", one of them to {to},"),
        (None, _) => String::new(),
    };
    format!(
        "nothing listens on {port}; it {} the local port of {}{to} by {who}",
        if cause.certain { "is" } else { "seems to be" },
        match cause.sockets.len() {
            1 => "an outgoing connection".to_owned(),
            many => format!("{many} outgoing connections"),
        },
    )
}

fn time_wait(cause: &Cause, port: &str, endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    let many = cause.sockets.len();
    let ends = match (cause.expires_ms, many) {
        (Some(ms), 1) => format!("; it ends in {}", seconds(ms)),
        (Some(ms), _) => format!("; the last ends in {}", seconds(ms)),
        (None, _) => String::new(),
    };
    let closed = count(many, "closed connection", "closed connections");
    let are = if many == 1 { "is" } else { "are" };
    match has_live(cause, endpoint, snapshot) {
        true => format!("{closed} on {port} {are} in TIME-WAIT{ends}"),
        false => format!("nothing listens on {port}; {closed} {are} in TIME-WAIT{ends}"),
    }
}

fn closing(cause: &Cause, port: &str, endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    let states = state_names(sockets_of(cause, snapshot));
    let connections = count(cause.sockets.len(), "connection", "connections");
    let ends = match (cause.expires_ms, cause.sockets.len()) {
        (Some(ms), 1) => format!("; it ends in {}", seconds(ms)),
        (Some(ms), _) => format!("; the last ends in {}", seconds(ms)),
        (None, _) => String::new(),
    };
    let (before, at) = match has_live(cause, endpoint, snapshot) {
        true => (String::new(), format!(" on {port}")),
        false => (format!("nothing listens on {port}; "), String::new()),
    };
    format!(
        "{before}the kernel is still closing {connections}{at} that no process owns ({states}){ends}"
    )
}

fn hidden_holder(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    if let Some(owner) = windows::gone_owner(cause, snapshot) {
        return windows::nobodys_heir(port, owner);
    }
    let first = sockets_of(cause, snapshot).next();
    let is = match first.map(|socket| (socket.state, socket.remote)) {
        Some((Some(TcpState::Bound), _)) => "is bound, without listening,",
        Some((Some(TcpState::Listen) | None, None)) | None => "is held",
        Some(_) => "is held, for a connection,",
    };
    let user = match first.and_then(|socket| socket.uid) {
        Some(uid) => format!(" of {}", user_of(uid, snapshot)),
        None => String::new(),
    };
    let group = first
        .and_then(|socket| socket.cgroup.as_deref())
        .filter(|cgroup| *cgroup != "/")
        .map_or(String::new(), |cgroup| format!(" in {}", group_name(cgroup)));
    let unseen = match snapshot.asker.uid {
        0 => "cannot be seen from here",
        _ => "you may not see",
    };
    let elsewhere = match snapshot.policy.wsl {
        true => "; in WSL it may run in another distribution (wsl.exe --list --running)",
        false => "",
    };
    format!("{port} {is} by a process{user}{group} that {unseen}{elsewhere}")
}

fn other_namespace(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    let namespace =
        sockets_of(cause, snapshot).find_map(|socket| snapshot.namespaces.get(socket.netns?));
    let place = namespace.map_or("another network namespace".to_owned(), |namespace| {
        namespace_name(namespace, &cause.pids, snapshot)
    });
    let by = match cause.pids.is_empty() {
        true => String::new(),
        false => format!(" by {}", holders(cause, snapshot)),
    };
    format!("{port} is held in {place}{by}; that does not stop a bind here")
}

fn container(cause: &Cause, port: &str, snapshot: &Snapshot) -> String {
    let Some(process) = cause.pids.first().and_then(|pid| snapshot.processes.get(pid)) else {
        return format!("{port} is held by a container");
    };
    let s = if cause.pids.len() == 1 { "s" } else { "" };
    let who = by_program(&cause.pids, snapshot);
    let name = called_container(process, snapshot);
    match (container_proxy(process), name) {
        (Some(_), Some(name)) if engine::monitor_of(process).is_some() => {
            format!("{port} is published by {name}; {who} only keep{s} it for that")
        }
        (Some(_), Some(name)) => {
            format!("{port} is published by {name}; {who} only forward{s} it")
        }
        (Some(to), None) => format!(
            "{port} is published by a container: {who} only forward{s} it{}",
            to.map_or(String::new(), |to| format!(" to {to}"))
        ),
        (None, Some(name)) if engine::is_engine(process) => {
            format!("{port} is published by {name}; {who}, its engine, keeps it for that")
        }
        (None, Some(name)) if engine::carries_ports(process) => {
            format!("{port} is published by {name}; {who} only forward{s} it")
        }
        (None, _) => {
            let place = box_name(process, snapshot);
            format!("{port} is held in {place} by {}", holders(cause, snapshot))
        }
    }
}

/// `docker-proxy (pids 2100, 2101)`, `com.docker.backend (pid 900) and wslrelay (pid 512)`.
fn by_program(pids: &[u32], snapshot: &Snapshot) -> String {
    let mut programs: Vec<(&str, Vec<String>)> = Vec::new();
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        let (program, pid) = (process.program(), process.id.pid.to_string());
        match programs.iter_mut().find(|(other, _)| *other == program) {
            Some((_, pids)) => pids.push(pid),
            None => programs.push((program, vec![pid])),
        }
    }
    let named = programs.iter().map(|(program, pids)| {
        let s = if pids.len() == 1 { "" } else { "s" };
        format!("{program} (pid{s} {})", pids.join(", "))
    });
    named.collect::<Vec<_>>().join(" and ")
}

/// The container that a process is in, keeps a port for or forwards to, where its name is known:
/// `container shop-db-1 (compose project shop in /srv/shop, image postgres:16)`.
fn called_container(process: &Process, snapshot: &Snapshot) -> Option<String> {
    let of = match engine::owner_of(process, snapshot) {
        Some(owner) if owner != snapshot.asker.uid => {
            format!(" of {}", user_of(owner, snapshot))
        }
        _ => String::new(),
    };
    if let Some(facts) = engine::facts_of(process, snapshot) {
        return Some(described(facts, &of));
    }
    let boxed = engine::boxed(process, snapshot)?;
    let name = boxed.name.map(|name| format!("{} container {name}{of}", boxed.engine));
    name.or_else(|| engine::pod_name(process, snapshot))
}

fn described(facts: &ContainerFacts, of: &str) -> String {
    if facts.engine == "kubernetes" {
        return format!("pod {}", facts.name);
    }
    let mut more = Vec::new();
    if let Some(compose) = &facts.compose {
        let place = compose.directory.as_ref().map_or(String::new(), |at| format!(" in {at}"));
        more.push(format!("compose project {}{place}", compose.project));
    }
    more.extend(facts.pod.as_ref().map(|pod| format!("pod {pod}")));
    more.extend(facts.unit.as_ref().map(|unit| format!("run by {unit}")));
    more.extend(facts.image.as_ref().map(|image| format!("image {image}")));
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    format!("container {}{of}{more}", facts.name)
}

/// Containers that want a port which no socket, or none that can be seen, is held for: what does
/// not run will want it when it starts.
pub fn wanting_containers(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Vec<String> {
    let hidden = diagnosis.causes.iter().any(|cause| cause.kind == CauseKind::HiddenHolder);
    let free = diagnosis.causes.is_empty();
    let port = diagnosis.endpoint.port.get();
    let wants = |facts: &&ContainerFacts| {
        let mut transports = diagnosis.endpoint.transports().iter();
        transports.any(|&transport| facts.publishes(transport.into(), port))
    };
    let sent = snapshot.redirects.iter().any(|rule| rule.ports.contains(&port));
    let containers = snapshot.containers.iter().filter(wants);
    containers
        .filter_map(|facts| {
            let name = &facts.name;
            match (facts.runs(), facts.state.as_deref()) {
                (true, _) if hidden => Some(format!("{} publishes {port}", described(facts, ""))),
                (true, _) if free && !sent => Some(format!(
                    "container {name} publishes {port}, and no socket of this machine holds it"
                )),
                (false, Some(state)) if free => Some(format!(
                    "container {name} ({state}) publishes {port} and will want it when it starts"
                )),
                _ => None,
            }
        })
        .collect()
}

/// A container that runs in a virtual machine and that no port of this machine leads to.
pub fn in_a_machine(facts: &ContainerFacts) -> String {
    let stops = facts.stop().map_or(String::new(), |argv| format!("; {} stops it", argv.join(" ")));
    format!(
        "container {} runs in its engine's virtual machine, and no port of this machine leads to it{stops}",
        facts.name
    )
}

/// That a container in a virtual machine shares a port with somebody: freeing it would end both.
pub fn not_alone(container: &str, port: &Endpoint) -> String {
    format!(
        "{port} is not only that of {container}: proc on {port} names all who have it, and how each is stopped"
    )
}

/// The ports of this machine that lead to containers which these processes run in: in a network of
/// their own they hold none of it themselves. And those that these carry to containers elsewhere.
pub fn published(pids: &[u32], snapshot: &Snapshot) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        for (facts, ports) in engine::ports_led(process, snapshot) {
            let mut ports: Vec<String> =
                ports.iter().map(|at| format!("{}:{}", at.protocol, at.port)).collect();
            ports.dedup();
            let leads = if ports.len() == 1 { "leads" } else { "lead" };
            let text = format!("{} {leads} to container {}", ports.join(", "), facts.name);
            if !ports.is_empty() && !told.contains(&text) {
                told.push(text);
            }
        }
    }
    told
}

fn not_local(endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    match endpoint.address {
        AddressScope::One(address, _) => not_this_machine(address, &snapshot.local_addresses),
        AddressScope::Every | AddressScope::Localhost => {
            "the address is not an address of this machine".to_owned()
        }
    }
}

/// That an address is not one of `own`, this machine's.
pub fn not_this_machine(address: IpAddr, own: &[IpAddr]) -> String {
    let have: Vec<String> = own.iter().map(ToString::to_string).collect();
    match have.is_empty() {
        true => format!("{address} is not an address of this machine"),
        false => {
            format!("{address} is not an address of this machine (it has {})", have.join(", "))
        }
    }
}

/// The answer in one sentence, for a port that nothing is wrong with or that has no cause.
pub fn verdict(diagnosis: &Diagnosis) -> String {
    let port = diagnosis.endpoint;
    match diagnosis.verdict {
        Verdict::Free => format!("{port} is free"),
        Verdict::Held => format!("{port} is held"),
        Verdict::Lingering => format!("{port} is not held, but not free yet"),
        Verdict::Denied => format!("you may not bind {port}"),
    }
}

/// What usually has a port: from its number alone, and so a guess.
pub fn usual(port: Port, holder: &str, software: &str) -> String {
    format!(
        ":{port} is usually {} (held by {}): a guess from the number alone",
        few(software),
        few(holder)
    )
}

/// The first three of a list with commas; those in brackets are of one item.
fn few(list: &str) -> String {
    let mut depth = 0_u32;
    let cuts = list.char_indices().filter(|&(_, letter)| {
        depth = match letter {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        letter == ',' && depth == 0
    });
    match cuts.map(|(at, _)| at).nth(2) {
        Some(at) => format!("{} …", &list[..at]),
        None => list.to_owned(),
    }
}

/// What a program's own stop command does.
pub fn own_way(name: &str) -> String {
    format!("ends {name} its own way")
}

/// How a program of that name is usually stopped; ways are joined by ` | `.
pub fn usual_way(program: &str, ways: &str) -> String {
    format!("usual for {program} on this port: {}", ways.replace(" | ", ", or "))
}

/// What SO_REUSEADDR would change, where remains are all that stands in the way: the sentence
/// that corrects the usual advice.
pub fn reuse_advice(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Option<String> {
    if diagnosis.verdict != Verdict::Lingering {
        return None;
    }
    let refused = diagnosis.bind.iter().filter(|row| row.plain == BindResult::InUse);
    let (past, stuck): (Vec<_>, Vec<_>) = refused.partition(|row| row.reuse_addr == BindResult::Ok);
    let names = |rows: &[&Attempt]| {
        list(&rows.iter().map(|row| row.address.ip().to_string()).collect::<Vec<_>>())
    };
    Some(match (past.is_empty(), stuck.is_empty()) {
        (_, true) => "a server that sets SO_REUSEADDR can bind now".to_owned(),
        (true, false) if is_mac(snapshot) => {
            "a server that sets SO_REUSEADDR cannot bind either: another user's old connections stay in the way whatever a server sets"
                .to_owned()
        }
        (false, false) if is_mac(snapshot) => format!(
            "a server that sets SO_REUSEADDR can bind {} now, but not {}: another user's old connections stay in the way there whatever a server sets",
            names(&past),
            names(&stuck)
        ),
        (true, false) => {
            "a server that sets SO_REUSEADDR cannot bind either: the old one did not set it"
                .to_owned()
        }
        (false, false) => format!(
            "a server that sets SO_REUSEADDR can bind {} now, but not {}: the old connections there do not have it set",
            names(&past),
            names(&stuck)
        ),
    })
}

/// Who answers where, when several servers have the port on different addresses: the trouble
/// that comes without any error.
pub fn split(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Option<String> {
    let listeners: Vec<(&Socket, Occupant)> = diagnosis
        .sockets
        .iter()
        .filter_map(|&index| snapshot.sockets.get(index))
        .filter(|socket| socket.state == Some(TcpState::Listen) && socket.netns.is_none())
        .filter_map(|socket| Some((socket, Occupant::from_socket(socket)?)))
        .collect();
    let servers: Vec<Vec<u32>> =
        listeners.iter().map(|(socket, _)| socket.holders.pids()).collect();
    if servers.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    let occupants: Vec<Occupant> = listeners.iter().map(|(_, occupant)| *occupant).collect();
    let mut destinations: Vec<IpAddr> =
        vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()];
    for (socket, _) in &listeners {
        let own = socket.ip().map(unmap);
        destinations.extend(own.filter(|ip| !ip.is_unspecified() && !destinations.contains(ip)));
    }
    let mut rows: Vec<(String, String)> = destinations
        .into_iter()
        .map(|ip| (ip.to_string(), answerers(&answers(&occupants, ip), &listeners, snapshot)))
        .collect();
    // Documentation addresses stand for "any other address of this machine".
    let v4 = answerers(&answers(&occupants, [192, 0, 2, 1].into()), &listeners, snapshot);
    let v6 = answerers(&answers(&occupants, "2001:db8::1".parse().ok()?), &listeners, snapshot);
    match v4 == v6 {
        true => rows.push(("all other addresses".to_owned(), v4)),
        false => {
            rows.push(("other IPv4 addresses".to_owned(), v4));
            rows.push(("other IPv6 addresses".to_owned(), v6));
        }
    }
    rows.retain(|(_, who)| !who.is_empty());
    let mut by_server: Vec<(String, Vec<String>)> = Vec::new();
    for (at, who) in rows {
        match by_server.iter_mut().find(|(other, _)| *other == who) {
            Some((_, places)) => places.push(at),
            None => by_server.push((who, vec![at])),
        }
    }
    if by_server.len() < 2 {
        return None;
    }
    let parts: Vec<String> = by_server
        .iter()
        .map(|(who, places)| {
            let lead = if places.len() == 1 && !places[0].contains(' ') { "leads" } else { "lead" };
            format!("{} {lead} to {who}", list(places))
        })
        .collect();
    Some(format!("several servers have {}: {}", diagnosis.endpoint, parts.join("; ")))
}

fn answerers(winners: &[usize], listeners: &[(&Socket, Occupant)], snapshot: &Snapshot) -> String {
    let mut names: Vec<String> = Vec::new();
    for &winner in winners {
        let socket = listeners[winner].0;
        let pids = crate::diagnosis::topmost(snapshot, &socket.holders.pids());
        let process = pids.first().and_then(|pid| snapshot.processes.get(pid));
        let forwards = |process: &&Process| engine::carries_ports(process);
        let container =
            process.filter(forwards).and_then(|process| engine::facts_of(process, snapshot));
        let name = match (container, process) {
            (Some(facts), _) => format!("container {}", facts.name),
            (None, Some(process)) => format!("{} (pid {})", process.program(), process.id.pid),
            (None, None) => "somebody you may not see".to_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" or ")
}

/// What a gap means, and what would close it.
pub fn gap(gap: &Gap, snapshot: &Snapshot) -> (String, Option<String>) {
    let root = || (snapshot.asker.uid != 0).then(|| more_rights(snapshot).to_owned());
    match gap {
        Gap::UnreadableProcesses { count } => (
            format!(
                "{} could not be read",
                self::count(*count, "process of another user", "processes of other users")
            ),
            root().or_else(|| Some("CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH".to_owned())),
        ),
        Gap::HiddenProcesses => (
            "processes of other users, or of an outer PID namespace, are hidden".to_owned(),
            root().or_else(|| Some("look from the host's PID namespace".to_owned())),
        ),
        Gap::NoProcfs => {
            ("no process can be seen: /proc is not mounted".to_owned(), Some("mount /proc".into()))
        }
        Gap::NoSockDiag { error } => (
            format!("the kernel's socket query was refused ({error}); /proc/net answered instead"),
            None,
        ),
        Gap::NoSockets { protocol, error } => {
            (format!("{protocol} sockets could not be read ({error})"), None)
        }
        Gap::NoBoundSockets if snapshot.is_windows() => (
            "sockets that are bound without listening are not listed by this Windows".to_owned(),
            Some("Windows 10 version 1809 or newer".to_owned()),
        ),
        Gap::NoBoundSockets => (
            "this kernel does not list sockets that are bound without listening; those of your own processes were asked one by one".to_owned(),
            Some("Linux 6.8 or later".to_owned()),
        ),
        Gap::OtherNamespaces { count } => (
            match count {
                Some(count) => format!(
                    "{} not looked into",
                    self::count(*count, "other network namespace was", "other network namespaces were")
                ),
                None => "other network namespaces were not looked into".to_owned(),
            },
            Some(if snapshot.asker.uid == 0 { "--all-namespaces" } else { "sudo, --all-namespaces" }.to_owned()),
        ),
        Gap::TooFewDescriptors => (
            "too few open files are allowed to look at every process".to_owned(),
            Some("ulimit -n 256".to_owned()),
        ),
        Gap::UnstableTable => {
            ("the socket table kept changing while it was read".to_owned(), None)
        }
        Gap::Manager { name, why } => {
            let (what, cure) = match why {
                Silence::Denied if name.contains(".sock") => {
                    ("may not be asked by you", Some("sudo, or the group that may open its socket"))
                }
                Silence::Denied => ("may not be asked by you", Some(more_rights(snapshot))),
                Silence::Late => ("did not answer in time", None),
                Silence::Garbled => ("gave an answer that is not understood", None),
                Silence::Failed => ("could not be asked", None),
            };
            (format!("{name} {what}, so what it runs is known less well"), cure.map(str::to_owned))
        }
        Gap::LateDirectory { directory } => (
            format!(
                "{directory} did not answer in time, so it is not known which project a process there belongs to"
            ),
            None,
        ),
        Gap::NoRules { error } => (
            format!(
                "the rules of the packet filter could not be read ({error}): one of them may send the port elsewhere"
            ),
            (snapshot.asker.uid != 0).then(|| "sudo".to_owned()),
        ),
        Gap::ManyRules { read } => (
            format!(
                "only {} of the packet filter were read: another may send the port elsewhere",
                count(*read, "rule", "rules")
            ),
            None,
        ),
        Gap::Truncated { kept } => {
            (format!("of a very large socket table only {kept} sockets were kept"), None)
        }
    }
}

/// Whose a process is that is not the asker's, as what follows its name.
pub fn theirs(theirs: &Theirs) -> String {
    let origin = &theirs.origin;
    let agent = origin.agent.as_ref().map(Agent::named);
    let project = origin.project.as_deref();
    let by_agent = agent.as_ref().map_or(String::new(), |agent| format!(", started by {agent}"));
    match theirs.why {
        NotMine::AnotherUser => {
            let whose = theirs.user.as_deref().unwrap_or("another user");
            format!("is not yours: it belongs to {whose}")
        }
        NotMine::AnotherProject => {
            let whose = project.unwrap_or("another project");
            let mine = theirs.own_project.as_ref();
            let mine = mine.map_or(String::new(), |own| format!(", and you are in {own}"));
            format!("is not yours: it belongs to {whose}{by_agent}{mine}")
        }
        NotMine::AnotherAgent => {
            let place = project.map_or(String::new(), |project| format!(" in {project}"));
            match agent {
                Some(agent) => format!("is not yours: {agent} started it and still runs{place}"),
                None => format!("is not yours: it is a coding agent{place}"),
            }
        }
        NotMine::AnotherSession => {
            let session = origin.session.as_ref();
            let session = session.map_or("another session".to_owned(), ToString::to_string);
            format!("is not yours: it was started from {session}{by_agent}")
        }
        NotMine::SharedService => {
            let name = theirs.run_by.as_deref().unwrap_or("a unit");
            format!("is not yours alone: {name} is a service of this machine")
        }
        NotMine::AnotherContainer => {
            "is in a container, and nothing tells that it is your project's".to_owned()
        }
        NotMine::Unknown => {
            format!("may not be yours: nothing tells for what project it was started{by_agent}")
        }
    }
}

/// Who had a process started, as a line below it.
pub fn started_by(by: &StartedBy) -> String {
    let pid = by.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let name = by.name.as_str();
    let session = |program: &str| match name {
        "" => format!("started in {program}"),
        name => format!("started in {program} session {name}"),
    };
    match by.kind {
        StarterKind::CodingAgent if by.pid.is_none() => {
            format!("started by {name}, as its environment says")
        }
        StarterKind::CodingAgent => format!("started by {name}{pid}"),
        StarterKind::Editor => format!("started in {name}{pid}"),
        StarterKind::Ci => format!("started by a job of {name}"),
        StarterKind::Cron => format!("started by {name}{pid}"),
        StarterKind::Tmux => session("tmux"),
        StarterKind::Screen => session("screen"),
        StarterKind::Zellij => session("zellij"),
        StarterKind::SshLogin if name.is_empty() => "started in a login over ssh".to_owned(),
        StarterKind::SshLogin => format!("started in a login over ssh from {name}"),
        StarterKind::Terminal => format!("started in terminal {name}"),
        StarterKind::Desktop => format!("started from the desktop ({name})"),
        StarterKind::Orphan if name.is_empty() => {
            "left over: whoever started it has ended".to_owned()
        }
        StarterKind::Orphan => format!("left over: its {name} is gone"),
    }
}

/// `node (pid 4242)`, with age and directory where known.
pub fn named(process: &Process, now: SystemTime) -> String {
    let mut text = format!("{} (pid {})", process.program(), process.id.pid);
    if let Some(age) = process.age(now) {
        text.push_str(&format!(", started {} ago", span(age)));
    }
    if let Some(cwd) = process.cwd.as_deref().filter(|&cwd| cwd != "/") {
        text.push_str(&format!(" in {cwd}"));
    }
    text
}

/// A time span for people, in its one or two largest units: `41 s`, `3 min`, `2 h 5 min`, `4 d`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, 1..=9, _) if minutes % 60 != 0 => format!("{hours} h {} min", minutes % 60),
        (0, _, _) => format!("{hours} h"),
        (1..=9, _, _) if hours % 24 != 0 => format!("{days} d {} h", hours % 24),
        _ => format!("{days} d"),
    }
}

/// A duration as a person reads a stopwatch: `12 ms`, `1.2 s`, `75.0 s`.
pub fn stopwatch(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..=999 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

/// Milliseconds as whole seconds, rounded up: a promise that is kept.
pub fn seconds(ms: u32) -> String {
    format!("{} s", ms.div_ceil(1000))
}

/// `1 connection`, `3 connections`: plurals are made here and nowhere else.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Who can reach an address, in words.
pub const fn reach(exposure: Exposure) -> &'static str {
    match exposure {
        Exposure::Loopback => "this machine only",
        Exposure::Lan => "your network",
        Exposure::Any => "everybody",
    }
}

fn sockets_of<'a>(cause: &'a Cause, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Socket> {
    cause.sockets.iter().filter_map(|&index| snapshot.sockets.get(index))
}

fn label(endpoint: &Endpoint, cause: &Cause, snapshot: &Snapshot) -> String {
    let all_udp = !cause.sockets.is_empty()
        && cause.sockets.iter().all(|&index| {
            snapshot.sockets.get(index).and_then(|socket| socket.protocol.transport())
                == Some(Transport::Udp)
        });
    match (endpoint.transport, all_udp) {
        (None, true) => Endpoint { transport: Some(Transport::Udp), ..*endpoint }.to_string(),
        _ => endpoint.to_string(),
    }
}

fn holders(cause: &Cause, snapshot: &Snapshot) -> String {
    let Some(first) = cause.pids.first().and_then(|pid| snapshot.processes.get(pid)) else {
        return match cause.pids.first() {
            Some(pid) => format!("pid {pid}"),
            None => "a process you may not see".to_owned(),
        };
    };
    let mut text = named(first, snapshot.taken_at);
    let others = &cause.pids[1..];
    if others.is_empty() {
        return text + &how(cause, first, snapshot);
    }
    let comma = if text.ends_with(')') { "" } else { "," };
    let below = others.iter().filter(|&&pid| descends(snapshot, pid, first.id.pid)).count();
    if below == others.len() {
        let started = count(others.len(), "process that", "processes that");
        text.push_str(&format!("{comma} and {started} it started"));
        return text;
    }
    let mut names: Vec<String> = others
        .iter()
        .take(3)
        .filter_map(|pid| snapshot.processes.get(pid))
        .map(|process| format!("{} (pid {})", process.program(), process.id.pid))
        .collect();
    if others.len() > 3 {
        names.push(format!("{} more", others.len() - 3));
    }
    text.push_str(&format!("{comma} and {}", list(&names)));
    text
}

/// How a process has a socket that no ordinary descriptor shows.
fn how(cause: &Cause, process: &Process, snapshot: &Snapshot) -> String {
    if process.state == ProcessState::LeaderExited {
        return "; its main thread has ended, others run on".to_owned();
    }
    let by = sockets_of(cause, snapshot)
        .flat_map(|socket| socket.holders.list())
        .map(|holder| holder.by)
        .find(|by| !matches!(by, HeldBy::Descriptor(_)));
    match by {
        Some(HeldBy::ThreadDescriptor { tid, .. }) => format!(", in its thread {tid} alone"),
        Some(HeldBy::IoUring(_)) => ", registered in its io_uring".to_owned(),
        Some(HeldBy::Mapping) => ", mapped into its memory".to_owned(),
        Some(HeldBy::LastUse) => {
            ", the last to use it by the kernel's table (its descriptors are another user's to see)"
                .to_owned()
        }
        Some(
            HeldBy::InFlight(_)
            | HeldBy::FilePort(_)
            | HeldBy::Descriptor(_)
            | HeldBy::Owner
            | HeldBy::Heir { .. },
        )
        | None => String::new(),
    }
}

/// Why nobody answers, where all that hold it are halted.
fn halted(cause: &Cause, snapshot: &Snapshot) -> String {
    let seen: Vec<&Process> =
        cause.pids.iter().filter_map(|pid| snapshot.processes.get(pid)).collect();
    let Some(first) = seen.first() else { return String::new() };
    if seen.iter().all(|process| process.is_stopped()) {
        let place = first.terminal.as_ref().map_or(String::new(), |tty| format!(" in {tty}"));
        return format!("; suspended as by Ctrl-Z{place}, so clients connect and hang");
    }
    match seen.iter().all(|process| process.state == ProcessState::Uninterruptible) {
        true => "; it waits for a device or file server (state D), and until that answers no signal reaches it".to_owned(),
        false => String::new(),
    }
}

/// That a process is there, and that is all that can be told of it.
pub fn hidden_process(number: u32) -> String {
    format!("process {number} is another user's, and hidden from you")
}

/// How a suspended process is continued.
pub fn continuing(process: &Process) -> String {
    match &process.terminal {
        Some(tty) => format!("continues it; so does fg in {tty}, and Ctrl-C then ends it"),
        None => "continues it".to_owned(),
    }
}

/// That the holder is where this very command comes from: a program in its own way.
pub fn own_ancestor(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Option<String> {
    let holders = diagnosis.causes.iter().filter(|cause| !cause.kind.hinders_no_bind());
    let mut pids = holders.flat_map(|cause| cause.pids.iter());
    let pid = pids.find(|pid| **pid != 1 && snapshot.asker.ancestors.contains(pid))?;
    let program = snapshot.processes.get(pid)?.program();
    Some(format!("{program} (pid {pid}) started this command: if it is what fails, it binds twice"))
}

fn has_live(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> bool {
    snapshot.sockets.iter().enumerate().any(|(index, socket)| {
        !cause.sockets.contains(&index)
            && socket.netns.is_none()
            && socket.port() == Some(endpoint.port.get())
            && socket.state == Some(TcpState::Listen)
    })
}

fn descends(snapshot: &Snapshot, pid: u32, ancestor: u32) -> bool {
    snapshot.ancestors(pid).iter().any(|process| process.id.pid == ancestor)
}

fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn state_names<'a>(sockets: impl Iterator<Item = &'a Socket>) -> String {
    let mut names: Vec<&str> =
        sockets.filter_map(|socket| socket.state).map(TcpState::rfc_name).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn user_of(uid: u32, snapshot: &Snapshot) -> String {
    if uid == 0 && !snapshot.is_windows() {
        return "root".to_owned();
    }
    if uid == snapshot.asker.uid {
        return "yours".to_owned();
    }
    let known = snapshot.processes.values().find(|process| process.uid == Some(uid));
    match known.and_then(|process| process.user.clone()) {
        Some(user) => user,
        None => format!("user {uid}"),
    }
}

fn group_name(cgroup: &str) -> String {
    if let Some(container) = crate::supervisor::container_of(cgroup) {
        return format!("the {} container {}", container.engine, short_id(&container.id));
    }
    if let Some((unit, _)) = crate::supervisor::unit_of(cgroup) {
        return unit;
    }
    // A login session: `session-3.scope` (systemd-logind.service(8)).
    let leaf = cgroup.rsplit('/').next().unwrap_or(cgroup);
    match leaf.strip_prefix("session-").and_then(|leaf| leaf.strip_suffix(".scope")) {
        Some(session) => format!("login session {session}"),
        None => format!("the control group {cgroup}"),
    }
}

fn box_name(process: &Process, snapshot: &Snapshot) -> String {
    called_container(process, snapshot).unwrap_or_else(|| {
        process.container.as_ref().map_or("a container".to_owned(), |container| {
            format!("the {} container {}", container.engine, short_id(&container.id))
        })
    })
}

/// Engines show the first 12 digits.
fn short_id(id: &str) -> &str {
    let hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { &id[..12] } else { id }
}

/// A namespace by its name, its container, or a process in it; not by one of `told`, who are
/// named in the same sentence anyway.
fn namespace_name(namespace: &Namespace, told: &[u32], snapshot: &Snapshot) -> String {
    if let Some(name) = &namespace.name {
        return format!("network namespace {name}");
    }
    let process = namespace.pid.and_then(|pid| snapshot.processes.get(&pid));
    match process {
        Some(process) if process.container.is_some() => box_name(process, snapshot),
        Some(process) if told.contains(&process.id.pid) => "another network namespace".to_owned(),
        Some(process) => {
            format!("the network namespace of {} (pid {})", process.program(), process.id.pid)
        }
        None => format!("network namespace {}", namespace.inode),
    }
}

/// What the kernel usually serves on a port.
fn kernel_guess(endpoint: &Endpoint) -> &'static str {
    match endpoint.port.get() {
        2049 => " (usually its NFS server)",
        111 => " (usually RPC)",
        445 => " (usually ksmbd)",
        4789 | 8472 => " (usually a VXLAN device)",
        51820 => " (usually WireGuard)",
        _ => " (NFS, WireGuard, VXLAN or the like)",
    }
}

/// Where ports are that the kernel gives to no connection by itself.
pub(crate) fn kept_from_connections(endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    match snapshot.is_windows() {
        // An administered range is kept from draws, and not from binds that name their port.
        true => format!(
            "that `netsh interface ipv4 add excludedportrange protocol=tcp startport={} numberofports=1` sets aside",
            endpoint.port
        ),
        false => "in net.ipv4.ip_local_reserved_ports".to_owned(),
    }
}

/// Why nobody can close these connections on that system, whatever their rights: macOS has no call for it,
/// and Windows' SetTcpEntry has no IPv6 kin.
pub(crate) fn cannot_be_closed(cause: &Cause, snapshot: &Snapshot) -> Option<&'static str> {
    let is_ipv6 = |index: &usize| {
        let address = snapshot.sockets.get(*index).and_then(|socket| socket.local.inet());
        address.is_some_and(|address| address.is_ipv6())
    };
    match System::of(snapshot.source) {
        System::Mac => Some("macOS lets nobody close another program's connection"),
        System::Windows if cause.sockets.iter().any(is_ipv6) => {
            Some("Windows lets nobody close another program's connection over IPv6")
        }
        System::Windows | System::Linux => None,
    }
}

/// What shows or does more on that system.
fn more_rights(snapshot: &Snapshot) -> &'static str {
    if snapshot.is_windows() { "an elevated terminal" } else { "sudo" }
}

/// A command for somebody with more rights: with sudo before it, or where to type it.
pub fn with_more_rights(command: &str, on_windows: bool) -> String {
    match on_windows {
        true => format!("{command}, in an elevated terminal (Run as administrator)"),
        false => format!("sudo {command}"),
    }
}

/// A command as one types it into a shell.
pub fn typed<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let plain = |word: &&str| {
        let safe = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
        !word.is_empty() && word.chars().all(safe)
    };
    let words = words.map(|word| match Some(word.as_str()).filter(plain) {
        Some(word) => word.to_owned(),
        None => format!("'{}'", word.replace('\'', r"'\''")),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A socket's place in words: address, state, who can reach it.
pub fn place(socket: &Socket) -> String {
    let reach = socket.ip().map_or("this machine only", |ip| reach(exposure(ip)));
    match (socket.state, &socket.holders) {
        (Some(state), Holders::Nobody) => format!("{} {}", socket.local, state.rfc_name()),
        (Some(state), _) => format!("{} {}, {reach}", socket.local, state.rfc_name()),
        (None, _) => format!("{}, {reach}", socket.local),
    }
}
