//! What engines answer, as JSON, made into our types: containers as `inspect` describes them, and
//! the lists that say which to inspect. Bytes in, facts out; whatever is odd is left out.

use std::net::IpAddr;

use serde_json::Value;

use super::{Compose, ContainerFacts, Published};
use crate::socket::Protocol;

/// The longest text that is kept of any field.
const LONGEST: usize = 256;
/// The most ports that are kept of one container.
const MOST_PORTS: usize = 1024;

/// A container in a list: enough to choose which to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The whole id.
    pub id: String,
    /// The ports of this machine that lead to it, so far as the list says.
    pub published: Vec<Published>,
    /// The engine's word for its state.
    pub state: Option<String>,
    /// The name of its pod, where the list tells.
    pub pod: Option<String>,
}

/// Whether a text is an OCI container's id: 64 hexadecimal digits.
pub fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text may name a container (`[a-zA-Z0-9][a-zA-Z0-9_.-]*`, the rule of Docker and
/// podman): never an option, never a path.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.len() <= LONGEST
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(plain)
}

/// What `inspect` says of containers: one object (the API) or a list of them (podman's command).
/// Docker's form, podman's imitation of it and podman's own differ in places. `None` where it is
/// no such answer; containers without a proper id are left out.
pub fn inspected(body: &[u8]) -> Option<Vec<ContainerFacts>> {
    match serde_json::from_slice(body).ok()? {
        Value::Array(all) => Some(all.iter().filter_map(container).collect()),
        one @ Value::Object(_) => Some(container(&one).into_iter().collect()),
        _ => None,
    }
}

fn container(value: &Value) -> Option<ContainerFacts> {
    let id = text(value, &["Id"]).filter(|id| is_id(id))?;
    let name = text(value, &["Name"]);
    let name = name.map(|name| name.trim_start_matches('/').to_owned());
    let short = || id.chars().take(12).collect();
    // podman's own form has the image's id in `Image`, and its name here.
    let image = text(value, &["ImageName"]).or_else(|| text(value, &["Config", "Image"]));
    let pid = value.pointer("/State/Pid").and_then(Value::as_u64).filter(|&pid| pid > 0);
    let label = |key: &str| text(value, &["Config", "Labels", key]);
    let mut published = ports(value.pointer("/NetworkSettings/Ports"));
    if published.is_empty() {
        // Only what runs has ports; what does not has those it will ask for.
        published = ports(value.pointer("/HostConfig/PortBindings"));
    }
    let restart = text(value, &["HostConfig", "RestartPolicy", "Name"]);
    let pod = text(value, &["Pod"]).filter(|pod| is_id(pod));
    Some(ContainerFacts {
        engine: String::new(),
        name: name.filter(|name| is_name(name)).unwrap_or_else(short),
        image,
        state: text(value, &["State", "Status"]),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()),
        compose: compose(label),
        published,
        // Both engines write none as the empty word too.
        restart: Some(restart.unwrap_or_else(|| "no".to_owned())),
        socket: String::new(),
        owner: None,
        unit: label("PODMAN_SYSTEMD_UNIT").filter(|unit| is_unit(unit)),
        pod: pod.map(|pod| pod.chars().take(12).collect()),
        command: Vec::new(),
        id,
    })
}

/// Never an option of systemctl.
fn is_unit(text: &str) -> bool {
    text.ends_with(".service") && !text.starts_with('-')
}

fn compose(label: impl Fn(&str) -> Option<String>) -> Option<Compose> {
    let either = |docker: &str, podman: &str| label(docker).or_else(|| label(podman));
    Some(Compose {
        project: either("com.docker.compose.project", "io.podman.compose.project")?,
        service: either("com.docker.compose.service", "io.podman.compose.service"),
        directory: label("com.docker.compose.project.working_dir"),
    })
}

/// `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "5432"}], "81/tcp": null}`. A wish may have a
/// range of host ports, or none: then the engine chooses, and nothing is known.
fn ports(value: Option<&Value>) -> Vec<Published> {
    let mut found = Vec::new();
    for (inside, hosts) in value.and_then(Value::as_object).into_iter().flatten() {
        let (number, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        let (Ok(inside), Some(protocol)) = (number.parse(), transport(protocol)) else {
            continue;
        };
        for host in hosts.as_array().into_iter().flatten() {
            let Some(port) = text(host, &["HostPort"]).and_then(|port| port.parse().ok()) else {
                continue;
            };
            let address = text(host, &["HostIp"]).and_then(|ip| every_or_one(&ip));
            found.push(Published { protocol, address, port, container_port: Some(inside) });
        }
    }
    found.retain(|at| at.port != 0);
    found.sort_by_key(|at| (at.port, at.protocol, at.address));
    found.dedup();
    found.truncate(MOST_PORTS);
    found
}

fn transport(name: &str) -> Option<Protocol> {
    match name {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _ => None,
    }
}

/// An address; `None` for a wildcard.
fn every_or_one(ip: &str) -> Option<IpAddr> {
    ip.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified())
}

/// The containers of a list: Docker's and podman's `/containers/json`, and podman's
/// `ps --format json`. `None` where it is no list.
pub fn listed(body: &[u8]) -> Option<Vec<Listed>> {
    let Value::Array(all) = serde_json::from_slice(body).ok()? else { return None };
    Some(all.iter().filter_map(one_listed).collect())
}

fn one_listed(value: &Value) -> Option<Listed> {
    let id = text(value, &["Id"]).filter(|id| is_id(id))?;
    let mut published = Vec::new();
    for port in value.get("Ports").and_then(Value::as_array).into_iter().flatten() {
        let number = |keys: [&str; 2]| {
            let found = keys.iter().find_map(|key| port.get(key)).and_then(Value::as_u64)?;
            u16::try_from(found).ok().filter(|&number| number > 0)
        };
        let protocol = ["Type", "protocol"].iter().find_map(|key| text(port, &[key]));
        let protocol = protocol.as_deref().and_then(transport);
        let (Some(first), Some(inside), Some(protocol)) = (
            number(["PublicPort", "host_port"]),
            number(["PrivatePort", "container_port"]),
            protocol,
        ) else {
            continue;
        };
        let address = ["IP", "host_ip"].iter().find_map(|key| text(port, &[key]));
        let address = address.and_then(|ip| every_or_one(&ip));
        let range = number(["range", "range"]).unwrap_or(1);
        for step in 0..range.min(MOST_PORTS as u16) {
            let (Some(port), Some(container_port)) =
                (first.checked_add(step), inside.checked_add(step))
            else {
                break;
            };
            let container_port = Some(container_port);
            published.push(Published { protocol, address, port, container_port });
        }
        published.truncate(MOST_PORTS);
    }
    let (state, pod) = (text(value, &["State"]), text(value, &["PodName"]));
    Some(Listed { id, published, state, pod })
}

/// What an engine says went wrong: `{"message": "…"}`.
pub fn message(body: &[u8]) -> Option<String> {
    text(&serde_json::from_slice(body).ok()?, &["message"])
}

/// The endpoint that a context of docker's command leads to, from its `meta.json`: its name and
/// host.
pub fn docker_context(body: &[u8]) -> Option<(String, String)> {
    let value = serde_json::from_slice(body).ok()?;
    Some((text(&value, &["Name"])?, text(&value, &["Endpoints", "docker", "Host"])?))
}

/// The context that docker's command uses, from its `config.json`.
pub fn current_context(body: &[u8]) -> Option<String> {
    text(&serde_json::from_slice(body).ok()?, &["currentContext"])
}

/// A text in the value; `None` for an empty or overlong one.
fn text(value: &Value, path: &[&str]) -> Option<String> {
    let found = path.iter().try_fold(value, |value, key| value.get(*key))?.as_str()?;
    (!found.is_empty() && found.len() <= LONGEST).then(|| found.to_owned())
}

#[cfg(test)]
mod tests;
