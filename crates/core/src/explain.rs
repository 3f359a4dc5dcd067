//! Every sentence about a port, beside nothing else, so that tone and terms stay one. Names and
//! paths of other processes go into them as they are: who prints them escapes them.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::addr::{AddressScope, Endpoint, Exposure, Transport, exposure, unmap};
use crate::bind::{BindResult, Occupant, answers};
use crate::diagnosis::{Cause, CauseKind, Diagnosis, Verdict};
use crate::process::{Process, ProcessState};
use crate::snapshot::{Gap, Snapshot};
use crate::socket::{HeldBy, Holders, Socket, TcpState};

/// One sentence for a cause, beginning with the port.
pub fn cause(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    let port = label(endpoint, cause, snapshot);
    let who = || holders(cause, snapshot);
    let sockets = || cause.sockets.iter().filter_map(|&index| snapshot.sockets.get(index));
    match cause.kind {
        CauseKind::Listener => match suspended(cause, snapshot) {
            true => format!(
                "{port} is held by {}, suspended (as by Ctrl-Z): clients connect and hang",
                who()
            ),
            false => format!("{port} is held by {}", who()),
        },
        CauseKind::SharedListener => {
            let count = cause.sockets.len();
            let one_family = cause.pids.len() <= 1
                || cause.pids[1..].iter().all(|&pid| descends(snapshot, pid, cause.pids[0]));
            if one_family {
                format!("{port} is held by {} on {count} sockets (SO_REUSEPORT)", who())
            } else {
                let each: Vec<String> = cause
                    .pids
                    .iter()
                    .filter_map(|pid| snapshot.processes.get(pid))
                    .map(|process| named(process, snapshot.taken_at))
                    .collect();
                format!(
                    "{} processes share {port} by SO_REUSEPORT, and the kernel splits connections between them: {}",
                    cause.pids.len(),
                    list(&each)
                )
            }
        }
        CauseKind::InheritedListener if cause.certain => format!(
            "{port} is held by {}, who inherited the listening socket; the process that opened it is gone",
            who()
        ),
        CauseKind::InheritedListener => format!(
            "{port} is held by {}, which is no server: it seems to have inherited the listening socket from whoever started it",
            who()
        ),
        CauseKind::BoundNotListening => {
            format!("{port} is bound by {}, which neither listens nor is connected", who())
        }
        CauseKind::AcceptedConnection => format!(
            "nothing listens on {port} any more, but {} still has {} that came in by it",
            who(),
            count(cause.sockets.len(), "connection", "connections")
        ),
        CauseKind::OutgoingConnection => {
            let to = sockets().find_map(|socket| socket.remote);
            let own = sockets().any(|socket| socket.local.inet() == socket.remote);
            match to {
                Some(_) if own => format!(
                    "nothing listens on {port}: {} connected to its own port while nobody listened there",
                    who()
                ),
                Some(to) => format!(
                    "nothing listens on {port}: it is the local end of {} of {} to {to}",
                    count_an_outgoing(cause.sockets.len()),
                    who()
                ),
                None => format!("nothing listens on {port}: an outgoing connection has it"),
            }
        }
        CauseKind::TimeWait => {
            let listens = if has_live(cause, endpoint, snapshot) {
                format!("{port}: ")
            } else {
                format!("nothing listens on {port}; ")
            };
            let many = cause.sockets.len();
            let closed = count(many, "closed connection is", "closed connections are");
            let ends = match (cause.expires_ms, many) {
                (Some(ms), 1) => format!("; it ends in {}", seconds(ms)),
                (Some(ms), _) => format!("; the last ends in {}", seconds(ms)),
                (None, _) => String::new(),
            };
            format!("{listens}{closed} in TIME-WAIT{ends}")
        }
        CauseKind::Closing => {
            let states = state_names(sockets());
            let ends = cause
                .expires_ms
                .map_or(String::new(), |ms| format!("; it ends in {}", seconds(ms)));
            format!(
                "{} on {port} {} still being closed by the kernel ({states}), and no process owns {}{ends}",
                count(cause.sockets.len(), "connection", "connections"),
                if cause.sockets.len() == 1 { "is" } else { "are" },
                if cause.sockets.len() == 1 { "it" } else { "them" },
            )
        }
        CauseKind::UdpSocket => format!("{port} is held by {}", who()),
        CauseKind::UnixSocket => format!("{port} is served by {}", who()),
        CauseKind::StaleUnixSocket => {
            format!("{port} is a socket file that nobody serves: a connection to it is refused")
        }
        CauseKind::InFlight => format!(
            "{port} is held by a descriptor on its way between processes (SCM_RIGHTS); {} can receive it",
            who()
        ),
        CauseKind::HiddenHolder => {
            let first = sockets().next();
            let user = first
                .and_then(|socket| socket.uid)
                .map_or("another user".to_owned(), |uid| user_of(uid, snapshot));
            let state = first.map_or("holds", |socket| match socket.state {
                Some(TcpState::Listen) => "listens on",
                Some(TcpState::Bound) => "has bound",
                _ => "holds",
            });
            let group = first
                .and_then(|socket| socket.cgroup.as_deref())
                .map_or(String::new(), |cgroup| format!(", in {}", group_name(cgroup)));
            format!("a process of {user} {state} {port}{group}; you may not see which")
        }
        CauseKind::OtherNamespace => {
            let place = sockets()
                .find_map(|socket| snapshot.namespaces.get(socket.netns?))
                .map_or("another network namespace".to_owned(), |namespace| {
                    namespace_name(namespace, snapshot)
                });
            let who = if cause.pids.is_empty() { "it".to_owned() } else { who() };
            format!("inside {place}, {who} holds {port}: that does not stop a bind here")
        }
        CauseKind::Container => {
            let process = cause.pids.first().and_then(|pid| snapshot.processes.get(pid));
            match process {
                Some(process) => match container_proxy(process) {
                    Some(proxy) => format!(
                        "{port} is published by a container: {} (pid {}) only forwards it{}",
                        program(process),
                        process.id.pid,
                        proxy.map_or(String::new(), |to| format!(" to {to}"))
                    ),
                    None => format!("{port} is held by {} in {}", who(), box_name(process)),
                },
                None => format!("{port} is held by a container"),
            }
        }
        CauseKind::SocketActivation => {
            let others: Vec<u32> = cause.pids.iter().copied().skip(1).collect();
            let service = others
                .first()
                .and_then(|pid| snapshot.processes.get(pid))
                .map_or(String::new(), |process| {
                    format!(", now running: {}", named(process, snapshot.taken_at))
                });
            format!(
                "systemd holds {port} for a socket unit and starts its service on demand{service}"
            )
        }
        CauseKind::Kernel => {
            format!("{port} is held by the kernel itself{}", kernel_guess(endpoint))
        }
        CauseKind::Privileged => format!(
            "you may not bind {port}: ports below {} need CAP_NET_BIND_SERVICE",
            snapshot.policy.unprivileged_start
        ),
        CauseKind::Reserved => format!("{port} is reserved by the system"),
        CauseKind::NotLocal => {
            let have: Vec<String> =
                snapshot.local_addresses.iter().map(ToString::to_string).collect();
            let address = match endpoint.address {
                AddressScope::One(address, _) => address.to_string(),
                _ => "the address".to_owned(),
            };
            match have.is_empty() {
                true => format!("{address} is not an address of this machine"),
                false => format!(
                    "{address} is not an address of this machine (it has {})",
                    have.join(", ")
                ),
            }
        }
        CauseKind::NoPortsLeft => "no ephemeral port is left".to_owned(),
        CauseKind::Unexplained => {
            format!("the kernel refuses {port} and nothing that can be seen explains it")
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

/// What SO_REUSEADDR would change, where remains are all that stands in the way: the sentence
/// that corrects the usual advice.
pub fn reuse_advice(diagnosis: &Diagnosis) -> Option<String> {
    if diagnosis.verdict != Verdict::Lingering {
        return None;
    }
    let refused: Vec<_> =
        diagnosis.bind.iter().filter(|row| row.plain == BindResult::InUse).collect();
    let past = refused.iter().all(|row| row.reuse_addr == BindResult::Ok);
    Some(match past {
        true => "a server that sets SO_REUSEADDR can bind now".to_owned(),
        false => "a server that sets SO_REUSEADDR cannot bind either: the old one did not set it"
            .to_owned(),
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
    let elsewhere = [[192, 0, 2, 1].into(), "2001:db8::1".parse().ok()?];
    for (ip, name) in elsewhere.into_iter().zip(["other IPv4 addresses", "other IPv6 addresses"]) {
        rows.push((name.to_owned(), answerers(&answers(&occupants, ip), &listeners, snapshot)));
    }
    rows.retain(|(_, who)| !who.is_empty());
    let all_same = rows.windows(2).all(|pair| pair[0].1 == pair[1].1);
    if all_same {
        return None;
    }
    let parts: Vec<String> = rows.iter().map(|(at, who)| format!("{at}: {who}")).collect();
    Some(format!(
        "several servers have {}; who answers where: {}",
        diagnosis.endpoint,
        parts.join("; ")
    ))
}

fn answerers(winners: &[usize], listeners: &[(&Socket, Occupant)], snapshot: &Snapshot) -> String {
    let mut names: Vec<String> = Vec::new();
    for &winner in winners {
        let socket = listeners[winner].0;
        let pids = crate::diagnosis::topmost(snapshot, &socket.holders.pids());
        let name = match pids.first().and_then(|pid| snapshot.processes.get(pid)) {
            Some(process) => format!("{} (pid {})", program(process), process.id.pid),
            None => "somebody you may not see".to_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" or ")
}

/// What a gap means, and what would close it.
pub fn gap(gap: &Gap, snapshot: &Snapshot) -> (String, Option<String>) {
    let root = || (snapshot.asker.uid != 0).then(|| "sudo".to_owned());
    match gap {
        Gap::UnreadableProcesses { count } => (
            format!(
                "{} of other users could not be read",
                self::count(*count, "process", "processes")
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
        Gap::Truncated { kept } => (format!("only the first {kept} sockets are shown"), None),
    }
}

/// A process's program as people know it: the kernel's name for it, or its executable where a
/// runtime renamed its main thread (Node 20 says `MainThread`), or argv[0] where an interpreter
/// set a title.
pub fn program(process: &Process) -> &str {
    let file = |path: &'_ str| -> usize { path.rfind('/').map_or(0, |at| at + 1) };
    let renamed = process.name.ends_with("MainThread") || process.name.is_empty();
    match &process.exe {
        Some(exe) if renamed => &exe[file(exe)..],
        _ => &process.name,
    }
}

/// `node (pid 4242)`, with age and directory where known.
pub fn named(process: &Process, now: SystemTime) -> String {
    let mut text = format!("{} (pid {})", program(process), process.id.pid);
    if let Some(age) = process.age(now) {
        text.push_str(&format!(", started {} ago", span(age)));
    }
    if let Some(cwd) = process.cwd.as_deref().filter(|&cwd| cwd != "/") {
        text.push_str(&format!(" in {cwd}"));
    }
    text
}

/// A container engine's forwarding process: `Some(None)` where it does not say to what.
pub fn container_proxy(process: &Process) -> Option<Option<String>> {
    let after = |flag: &str| {
        let at = process.argv.iter().position(|word| word == flag)?;
        process.argv.get(at + 1).cloned()
    };
    match program(process) {
        "docker-proxy" => Some(
            after("-container-ip")
                .zip(after("-container-port"))
                .map(|(ip, port)| format!("{ip}:{port}")),
        ),
        "rootlessport" | "rootlessport-ch" | "rootlesskit" | "pasta" | "pasta.avx2" | "passt"
        | "passt.avx2" | "slirp4netns" | "conmon" => Some(None),
        _ => None,
    }
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

fn count_an_outgoing(number: usize) -> String {
    match number {
        1 => "an outgoing connection".to_owned(),
        _ => format!("{number} outgoing connections"),
    }
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
    if first.state == ProcessState::LeaderExited {
        text.push_str(" (its main thread has ended, others run on)");
    }
    let others: Vec<u32> = cause.pids[1..].to_vec();
    if others.is_empty() {
        return text + &how(cause, snapshot);
    }
    let below = others.iter().filter(|&&pid| descends(snapshot, pid, first.id.pid)).count();
    if below == others.len() {
        text.push_str(&format!(
            " and {} it started",
            count(others.len(), "process that", "processes that")
        ));
    } else {
        let names: Vec<String> = others
            .iter()
            .take(3)
            .filter_map(|pid| snapshot.processes.get(pid))
            .map(|process| format!("{} (pid {})", program(process), process.id.pid))
            .collect();
        text.push_str(&format!(" and {}", list(&names)));
        if others.len() > 3 {
            text.push_str(&format!(" and {} more", others.len() - 3));
        }
    }
    text
}

/// How a process has a socket that no ordinary descriptor shows.
fn how(cause: &Cause, snapshot: &Snapshot) -> String {
    let by = cause
        .sockets
        .iter()
        .filter_map(|&index| snapshot.sockets.get(index))
        .flat_map(|socket| socket.holders.list())
        .map(|holder| holder.by)
        .find(|by| !matches!(by, HeldBy::Descriptor(_)));
    match by {
        Some(HeldBy::ThreadDescriptor { tid, .. }) => format!(", by its thread {tid} alone"),
        Some(HeldBy::IoUring(_)) => ", registered in its io_uring".to_owned(),
        Some(HeldBy::Mapping) => ", mapped into its memory".to_owned(),
        Some(HeldBy::InFlight(_) | HeldBy::Descriptor(_)) | None => String::new(),
    }
}

fn suspended(cause: &Cause, snapshot: &Snapshot) -> bool {
    let mut seen = cause.pids.iter().filter_map(|pid| snapshot.processes.get(pid)).peekable();
    seen.peek().is_some() && seen.all(Process::is_stopped)
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
    if uid == 0 {
        return "root".to_owned();
    }
    let known = snapshot.processes.values().find(|process| process.uid == Some(uid));
    match known.and_then(|process| process.user.clone()) {
        Some(user) => user,
        None if uid == snapshot.asker.uid => "yours".to_owned(),
        None => format!("user {uid}"),
    }
}

fn group_name(cgroup: &str) -> String {
    if let Some(container) = crate::supervisor::container_of(cgroup) {
        return format!("the {} container {}", container.engine, short_id(&container.id));
    }
    match crate::supervisor::unit_of(cgroup) {
        Some((unit, _)) => unit,
        None => format!("the control group {cgroup}"),
    }
}

fn box_name(process: &Process) -> String {
    process.container.as_ref().map_or("a container".to_owned(), |container| {
        format!("the {} container {}", container.engine, short_id(&container.id))
    })
}

/// Engines show the first 12 digits.
fn short_id(id: &str) -> &str {
    let hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { &id[..12] } else { id }
}

fn namespace_name(namespace: &crate::snapshot::Namespace, snapshot: &Snapshot) -> String {
    if let Some(name) = &namespace.name {
        return format!("network namespace {name}");
    }
    let process = namespace.pid.and_then(|pid| snapshot.processes.get(&pid));
    match process {
        Some(process) if process.container.is_some() => box_name(process),
        Some(process) => {
            format!("the network namespace of {} (pid {})", program(process), process.id.pid)
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

/// A socket's place in words: address, state, who can reach it.
pub fn place(socket: &Socket) -> String {
    let reach = socket.ip().map_or("this machine only", |ip| reach(exposure(ip)));
    match (socket.state, &socket.holders) {
        (Some(state), Holders::Nobody) => format!("{} {}", socket.local, state.rfc_name()),
        (Some(state), _) => format!("{} {}, {reach}", socket.local, state.rfc_name()),
        (None, _) => format!("{}, {reach}", socket.local),
    }
}
