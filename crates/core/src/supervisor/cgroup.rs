//! What a control group's path says: the systemd unit and the container a process is in. The
//! engines and systemd name their groups by rules; these are read here, and nothing is asked.

use crate::process::Container;

/// The service that supervises the processes of that control group: its name as `systemctl`
/// takes it, escapes (`\x2d`) kept, and whether it belongs to a user's own systemd. By systemd's
/// `cg_path_get_unit` and `cg_path_get_user_unit` (`src/basic/cgroup-util.c`). Only services
/// count: a scope (`session-2.scope`, `app-code-7.scope`) is a group somebody else started and
/// nobody starts again, and a user's manager as a whole (`user@1000.service`) is no lever.
pub fn unit_of(cgroup: &str) -> Option<(String, bool)> {
    let system = skip_slices(cgroup);
    let (unit, user) = match below_user_manager(system) {
        Some((_, below)) => (decoded_unit(skip_slices(below))?, true),
        None => (decoded_unit(system)?, false),
    };
    unit.ends_with(".service").then(|| (unit.to_owned(), user))
}

/// The scope of that control group: a group of processes that somebody else started and handed to
/// systemd (`session-2.scope`, `app-code-7.scope`). It has a name and no lever: stopping it ends
/// a login, or windows.
pub fn scope_of(cgroup: &str) -> Option<&str> {
    let system = skip_slices(cgroup);
    let below = below_user_manager(system).map_or(system, |(_, below)| skip_slices(below));
    decoded_unit(below).filter(|unit| unit.ends_with(".scope"))
}

/// The user whose own systemd that control group is below.
pub fn manager_user(cgroup: &str) -> Option<u32> {
    below_user_manager(skip_slices(cgroup)).map(|(uid, _)| uid)
}

/// The path behind its slices (`/user.slice/user-1000.slice/x` is `x`).
fn skip_slices(path: &str) -> &str {
    let mut path = path.trim_start_matches('/');
    loop {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        if !(first.ends_with(".slice") && is_unit_name(unescaped(first))) {
            return path;
        }
        path = rest.trim_start_matches('/');
    }
}

/// `user@UID.service/…`: the user and the path below.
fn below_user_manager(path: &str) -> Option<(u32, &str)> {
    let (first, below) = path.split_once('/').unwrap_or((path, ""));
    let uid = first.strip_prefix("user@")?.strip_suffix(".service")?;
    Some((uid.parse().ok()?, below))
}

/// The first part of the path, where it is a unit.
fn decoded_unit(path: &str) -> Option<&str> {
    let first = path.split('/').next()?;
    let unit = unescaped(first);
    is_unit_name(unit).then_some(unit)
}

/// systemd puts a `_` before a name that would collide with a file of the kernel.
fn unescaped(part: &str) -> &str {
    part.strip_prefix('_').unwrap_or(part)
}

/// Whether systemd would take this for a unit's name (`unit_name_is_valid`): a prefix, a known
/// type, and no odd characters.
fn is_unit_name(name: &str) -> bool {
    const TYPES: [&str; 3] = ["service", "scope", "slice"];
    const LONGEST: usize = 255;
    let Some((prefix, kind)) = name.rsplit_once('.') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    TYPES.contains(&kind)
        && !prefix.is_empty()
        && !prefix.starts_with('@')
        && name.len() <= LONGEST
        && name.chars().all(plain)
}

/// The container of that control group: the outermost, as only that one's engine runs on this
/// machine. The engine of a pod's container is `kubernetes`, which starts it again.
pub fn container_of(cgroup: &str) -> Option<Container> {
    let mut engine = None;
    let mut parent = "";
    for part in cgroup.split('/') {
        let found = scoped(part).or_else(|| named(parent, part)).or_else(|| {
            // A bare id says nothing by itself; a group above it may name the engine.
            engine.filter(|_| is_id(part)).map(|engine| (engine, part.to_owned()))
        });
        if let Some((by, id)) = found {
            let by = if engine == Some(KUBERNETES) { KUBERNETES } else { by };
            return Some(Container { engine: by.to_owned(), id });
        }
        engine = engine.or_else(|| engine_of_group(part));
        parent = part;
    }
    None
}

const KUBERNETES: &str = "kubernetes";

/// `docker-<id>.scope` and kin. With the cgroupfs driver the `.scope` is missing. The monitors
/// (`libpod-conmon-<id>.scope`, `crio-conmon-<id>.scope`) are not in the container: no id there.
fn scoped(part: &str) -> Option<(&'static str, String)> {
    const PREFIXES: [(&str, &str); 5] = [
        ("docker-", "docker"),
        ("libpod-", "podman"),
        ("cri-containerd-", "containerd"),
        ("nerdctl-", "containerd"),
        ("crio-", "cri-o"),
    ];
    let stem = part.strip_suffix(".scope").unwrap_or(part);
    PREFIXES.iter().find_map(|(prefix, engine)| {
        stem.strip_prefix(prefix).filter(|id| is_id(id)).map(|id| (*engine, id.to_owned()))
    })
}

/// Groups that carry a name: LXC, systemd-nspawn, garden, buildkit.
fn named(parent: &str, part: &str) -> Option<(&'static str, String)> {
    if part.is_empty() {
        return None;
    }
    if let Some(name) = part.strip_prefix("lxc.payload.") {
        return Some(("lxc", name.to_owned()));
    }
    match parent {
        "lxc" | "lxc.payload" => return Some(("lxc", part.to_owned())),
        "garden" => return Some(("garden", part.to_owned())),
        "buildkit" => return Some(("buildkit", part.to_owned())),
        _ => {}
    }
    let machine = part
        .strip_prefix("machine-")
        .and_then(|name| name.strip_suffix(".scope"))
        .or_else(|| part.strip_prefix("systemd-nspawn@")?.strip_suffix(".service"));
    let name = unescape_hex(machine?);
    // libvirt registers its machines the same way, prefixed with the driver: those are virtual
    // machines, or containers that machinectl(1) does not start.
    const LIBVIRT: [&str; 4] = ["qemu-", "lxc-", "xen-", "bhyve-"];
    (!name.is_empty() && !LIBVIRT.iter().any(|driver| name.starts_with(driver)))
        .then_some(("nspawn", name))
}

/// The engine that keeps bare ids below a group of this name.
fn engine_of_group(part: &str) -> Option<&'static str> {
    match part {
        "docker" | "moby" | "ecs" | "actions_job" => Some("docker"),
        "k8s.io" | "default" => Some("containerd"),
        _ if part.starts_with("kubepods") => Some(KUBERNETES),
        _ => None,
    }
}

/// Whether this is the id of an OCI container: 64 hexadecimal digits.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// systemd's `\x2d` escapes as the characters they stand for.
fn unescape_hex(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        let code = rest.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(code) = code.filter(u8::is_ascii) else { break };
        plain.push_str(&rest[..at]);
        plain.push(char::from(code));
        rest = &rest[at + 4..];
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_by_the_rules_of_systemd() {
        let user = "/user.slice/user-1000.slice/user@1000.service";
        for (cgroup, want) in [
            ("/system.slice/web.service", Some(("web.service", false))),
            ("/system.slice/web.service/worker/3", Some(("web.service", false))),
            (
                "/system.slice/system-pg.slice/pg@15-main.service",
                Some(("pg@15-main.service", false)),
            ),
            ("/system.slice/_cpu.service", Some(("cpu.service", false))),
            (r"/system.slice/a\x2db.service", Some((r"a\x2db.service", false))),
            ("/web.service", Some(("web.service", false))),
            (&format!("{user}/app.slice/dev.service"), Some(("dev.service", true))),
            (&format!("{user}/dev.service"), Some(("dev.service", true))),
            (&format!("{user}/app.slice/app-code-7.scope"), None),
            (&format!("{user}/init.scope"), None),
            (user, None),
            ("/user.slice/user-1000.slice/session-2.scope", None),
            ("/user.slice/user-1000.slice/session-2.scope/x.service", None),
            ("/system.slice", None),
            ("/init.scope", None),
            ("/docker/abc.service", None),
            ("/system.slice/.service", None),
            ("/system.slice/a b.service", None),
            ("/", None),
            ("", None),
        ] {
            let want = want.map(|(unit, user)| (unit.to_owned(), user));
            assert_eq!(unit_of(cgroup), want, "{cgroup}");
        }
    }

    #[test]
    fn containers_by_engine() {
        let id = "0123456789abcdef".repeat(4);
        let id = id.as_str();
        for (cgroup, want) in [
            (format!("/system.slice/docker-{id}.scope"), Some(("docker", id))),
            (format!("/docker/{id}"), Some(("docker", id))),
            (format!("/docker/{id}/init"), Some(("docker", id))),
            (format!("/ecs/task/{id}"), Some(("docker", id))),
            (format!("/machine.slice/libpod-{id}.scope/container"), Some(("podman", id))),
            (format!("/libpod_parent/libpod-{id}"), Some(("podman", id))),
            // A pod's group: its containers are below, and so is the monitor of its first.
            (format!("/libpod_parent/{}/libpod-{id}", "ab".repeat(32)), Some(("podman", id))),
            (format!("/libpod_parent/{}/conmon", "ab".repeat(32)), None),
            (format!("/machine.slice/libpod-conmon-{id}.scope"), None),
            (format!("/system.slice/cri-containerd-{id}.scope"), Some(("containerd", id))),
            (format!("/default/{id}"), Some(("containerd", id))),
            (format!("/system.slice/crio-{id}.scope"), Some(("cri-o", id))),
            (
                format!("/kubepods.slice/kubepods-podab.slice/cri-containerd-{id}.scope"),
                Some(("kubernetes", id)),
            ),
            (format!("/kubepods/burstable/pod12-3/{id}"), Some(("kubernetes", id))),
            // Kubernetes in docker: only docker runs on this machine.
            (
                format!("/docker/{id}/kubelet/kubepods/podab/{}", id.replace('0', "1")),
                Some(("docker", id)),
            ),
            ("/lxc.payload.web".to_owned(), Some(("lxc", "web"))),
            ("/lxc.payload.web/system.slice/a.service".to_owned(), Some(("lxc", "web"))),
            ("/lxc/web/init.scope".to_owned(), Some(("lxc", "web"))),
            ("/lxc.monitor.web".to_owned(), None),
            (
                r"/machine.slice/machine-my\x2dbox.scope/payload".to_owned(),
                Some(("nspawn", "my-box")),
            ),
            (
                "/machine.slice/systemd-nspawn@box.service/payload".to_owned(),
                Some(("nspawn", "box")),
            ),
            (r"/machine.slice/machine-qemu\x2d1\x2dvm.scope".to_owned(), None),
            ("/system.slice/garden.service/garden/ab-cd".to_owned(), Some(("garden", "ab-cd"))),
            ("/docker/buildkit/k3j4".to_owned(), Some(("buildkit", "k3j4"))),
            (format!("/{id}"), None),
            ("/docker/short".to_owned(), None),
            ("/system.slice/docker.service".to_owned(), None),
            ("/".to_owned(), None),
        ] {
            let found = container_of(&cgroup);
            let found = found.as_ref().map(|c| (c.engine.as_str(), c.id.as_str()));
            assert_eq!(found, want, "{cgroup}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path in "[/a-z0-9@\\\\x.é-]{0,60}", any: String) {
            for path in [path, any] {
                let _ = (unit_of(&path), container_of(&path), unescape_hex(&path));
            }
        }
    }
}
