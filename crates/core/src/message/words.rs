//! The sentences about a message: what was read, what it means, what to do. What holds the port
//! is said by [`crate::explain`].

use crate::addr::{AddressScope, Endpoint, Transport};
use crate::diagnosis::Verdict;

use super::{Class, Failure, Origin};

/// The system that a message is from that does not tell it: mostly this one.
const HERE: Option<Origin> = if cfg!(target_os = "linux") {
    Some(Origin::Linux)
} else if cfg!(windows) {
    Some(Origin::Windows)
} else if cfg!(target_os = "macos") {
    Some(Origin::Macos)
} else {
    None
};

/// What was read, without the words themselves: `TCP [::]:3000 in use`.
pub fn meaning(failure: &Failure) -> String {
    let bind = bind(failure);
    match failure.class {
        Class::InUse => format!("{bind} in use"),
        Class::Denied => format!("{bind} denied"),
        Class::NotLocal => format!("{bind}: the address is not one of that machine"),
        Class::Allocated => format!("{bind} given out already by a container engine"),
        Class::SocketFile => format!("{bind} there already"),
        Class::Exhausted => match failure.port {
            Some(_) => format!("no port left for a connection to {bind}"),
            None => "no port left for a connection".to_owned(),
        },
        Class::AlreadyRunning => match &failure.path {
            Some(path) => format!("it runs already, says {path}"),
            None => "it runs already".to_owned(),
        },
        Class::SelfInflicted => "the program listened twice by itself".to_owned(),
        Class::Elsewhere => format!("{bind} in use on another machine"),
        Class::Unsaid => format!("{bind} could not be bound"),
    }
}

/// The bind, as far as the message says it: `TCP 127.0.0.1:3000`.
fn bind(failure: &Failure) -> String {
    if let Some(path) = &failure.path {
        return path.clone();
    }
    let transport = match failure.transport {
        Some(Transport::Tcp) => "TCP ",
        Some(Transport::Udp) => "UDP ",
        None => "",
    };
    let address = failure.address.unwrap_or(AddressScope::Every);
    match failure.port {
        Some(port) => {
            let place = match address {
                AddressScope::Every => format!("port {port}"),
                address => Endpoint { transport: None, address, port }.to_string(),
            };
            let last = failure.last_port.filter(|last| *last > port);
            let last = last.map(|last| format!("-{last}")).unwrap_or_default();
            format!("{transport}{place}{last}")
        }
        None => match address {
            AddressScope::One(ip, _) if failure.address.is_some() => {
                format!("a {transport}port of {ip}")
            }
            _ => format!("a {transport}port"),
        },
    }
}

/// What else is to be known, and done: sentences for people, the most important first. `verdict`
/// is the kernel's answer now, where it was asked for that very bind.
pub fn advice(failure: &Failure, verdict: Option<Verdict>) -> Vec<String> {
    let mut say: Vec<String> = Vec::new();
    if verdict == Some(Verdict::Free) {
        say.extend(since(failure.class).map(str::to_owned));
    }
    let port = failure.port.map(|port| port.to_string()).unwrap_or_default();
    match failure.class {
        Class::InUse | Class::Unsaid => {}
        Class::Denied if failure.origin == Some(Origin::Windows) => say.push(
            "on Windows a range may be reserved: `netsh int ipv4 show excludedportrange protocol=tcp`; else somebody holds it and shares with nobody"
                .to_owned(),
        ),
        Class::Denied => say.push(
            "not in use but not permitted: a port below 1024 needs a privilege, and a sandbox, SELinux or a container may forbid any; take a higher port, or give that program the right"
                .to_owned(),
        ),
        Class::NotLocal => say.push(format!(
            "a bind needs an address of the machine it is made on: `{}` lists them; 0.0.0.0 or [::] stand for all",
            match failure.origin.or(HERE) {
                Some(Origin::Linux) => "ip address",
                Some(Origin::Windows) => "ipconfig",
                Some(Origin::Macos) | None => "ifconfig",
            }
        )),
        Class::Allocated => say.push(format!(
            "another container has published it, or the engine's own table is stale: `docker ps --filter publish={port}` names the container; if none, remove what was created and never started, or restart the engine"
        )),
        Class::SocketFile if failure.target().is_none() => say.push(
            "a named pipe or a file of another system: another instance of the program has it".to_owned(),
        ),
        Class::SocketFile => {}
        Class::Exhausted => {
            let (opens, widen) = match failure.origin.or(HERE) {
                Some(Origin::Linux) => ("ss -tan", "widen net.ipv4.ip_local_port_range"),
                Some(Origin::Windows) => (
                    "netstat -ano",
                    "widen the range by `netsh interface ipv4 set dynamicport tcp`",
                ),
                Some(Origin::Macos) | None => ("netstat -an", "lower net.inet.ip.portrange.first"),
            };
            say.push(format!(
                "this is no server's port: every port for outgoing connections to that place was taken; look who opens them with `{opens}`, reuse connections, or {widen}"
            ));
        }
        Class::AlreadyRunning if failure.pid.is_none() => say.push(
            "not a port but a lock: stop the program that has it, which runs in the same folder; remove the file only if none does"
                .to_owned(),
        ),
        Class::AlreadyRunning => {}
        Class::SelfInflicted => say.push(
            "no other process is involved: listen once, or close the server before it listens again".to_owned(),
        ),
        Class::Elsewhere => say.push(
            "the port is taken on the machine that the tunnel leads to, mostly by a stale session of sshd: ask `proc` there"
                .to_owned(),
        ),
    }
    if failure.target().is_none() && has_a_port(failure.class) {
        say.push(match failure.hint {
            Some(hint) => format!("the message names no port: {hint}"),
            None => "the message names no port; the lines before it, the program's arguments or its configuration do".to_owned(),
        });
        say.push("then name it: `proc why :PORT`".to_owned());
    }
    say
}

/// Whether such a message is about a port of this machine, named or not.
const fn has_a_port(class: Class) -> bool {
    matches!(class, Class::InUse | Class::Denied | Class::NotLocal | Class::Unsaid)
}

/// What it means that the bind would succeed now.
const fn since(class: Class) -> Option<&'static str> {
    match class {
        Class::InUse | Class::SocketFile => Some(
            "the message said it was in use; it can be bound now: whoever held it then has gone",
        ),
        Class::Unsaid => Some("it could not be bound then, and it can be bound now"),
        Class::Denied => Some(
            "it can be bound here and now: the program ran as another user, in a sandbox or container, or elsewhere",
        ),
        Class::Allocated => Some(
            "nothing on this machine holds it, so only the engine's own books stand in the way",
        ),
        _ => None,
    }
}
