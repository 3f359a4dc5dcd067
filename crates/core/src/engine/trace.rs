//! What processes themselves tell of containers, with no engine asked: the arguments of conmon,
//! docker-proxy and dockerd, and control groups. Arguments are claims of the process's own user.

use crate::process::Process;
use crate::snapshot::Snapshot;
use crate::socket::Protocol;

use super::decode::is_id;

/// conmon, which podman starts beside every container (conmon(8)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Monitor {
    /// The container's whole id (`-c`).
    pub id: String,
    /// Its name (`-n`).
    pub name: Option<String>,
    /// The user it runs as.
    pub uid: u32,
    /// The global options by which that podman finds its containers (`--root`, `--runroot` …).
    pub options: Vec<String>,
    /// The user's runtime directory, as far as the options tell.
    pub runtime: Option<String>,
}

/// The container a process is in or keeps ports for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boxed {
    /// As [`crate::process::Container::engine`].
    pub engine: String,
    /// Its id, or name where the engine has none.
    pub id: String,
    /// Its name, where a trace tells it.
    pub name: Option<String>,
    /// Whether the process is outside of it and keeps its ports.
    pub keeps_ports: bool,
}

/// The container of a process: its control group's; else its monitor's, for rootless containers
/// have no group of their own where control groups are of version 1.
pub fn boxed(process: &Process, snapshot: &Snapshot) -> Option<Boxed> {
    let above = || snapshot.ancestors(process.id.pid).into_iter().find_map(monitor_of);
    if let Some(container) = &process.container {
        let monitor = above().filter(|monitor| monitor.id == container.id);
        return Some(Boxed {
            engine: container.engine.clone(),
            id: container.id.clone(),
            name: monitor.and_then(|monitor| monitor.name),
            keeps_ports: false,
        });
    }
    let own = monitor_of(process);
    let keeps_ports = own.is_some();
    let monitor = own.or_else(above)?;
    Some(Boxed { engine: "podman".to_owned(), id: monitor.id, name: monitor.name, keeps_ports })
}

/// conmon's container, from its arguments.
pub fn monitor_of(process: &Process) -> Option<Monitor> {
    if is_monitor(process) { monitor(&process.argv, process.uid?) } else { None }
}

/// The same, from the arguments of a process that is a conmon.
pub fn monitor(argv: &[String], uid: u32) -> Option<Monitor> {
    let after = |flag: &str| {
        let at = argv.iter().position(|word| word == flag)?;
        argv.get(at + 1).filter(|word| !word.is_empty())
    };
    // CRI-O has conmon too, and its containers no podman knows.
    let exit = after("--exit-command").or_else(|| after("-e"))?;
    if !exit.ends_with("/podman") {
        return None;
    }
    let id = after("-c").or_else(|| after("--cid")).filter(|id| is_id(id))?;
    let name = after("-n").or_else(|| after("--name")).filter(|name| super::decode::is_name(name));
    let words: Vec<&String> = argv
        .windows(2)
        .filter(|pair| pair[0] == "--exit-command-arg")
        .map(|pair| &pair[1])
        .collect();
    let option = |flag: &str| {
        let at = words.iter().position(|word| *word == flag)?;
        words.get(at + 1).filter(|value| value.starts_with('/')).map(|value| value.as_str())
    };
    let usual =
        uid == 0 && option("--root").is_none_or(|root| root == "/var/lib/containers/storage");
    let mut options = Vec::new();
    // What podman needs to find the same containers; a user's own are where podman looks anyway.
    for flag in ["--root", "--runroot", "--tmpdir", "--network-config-dir", "--runtime"] {
        if let Some(value) = option(flag).filter(|_| !usual && uid == 0) {
            options.extend([flag.to_owned(), value.to_owned()]);
        }
    }
    let driver = words.iter().position(|word| *word == "--storage-driver");
    if let Some(driver) = driver.and_then(|at| words.get(at + 1)).filter(|_| !options.is_empty()) {
        options.extend(["--storage-driver".to_owned(), (*driver).clone()]);
    }
    let runtime = option("--runroot").and_then(|root| root.strip_suffix("/containers"));
    Some(Monitor {
        id: id.clone(),
        name: name.cloned(),
        uid,
        options,
        runtime: runtime.map(str::to_owned),
    })
}

/// Whether it stands beside one container for podman or CRI-O.
pub(super) fn is_monitor(process: &Process) -> bool {
    process.program() == "conmon"
}

/// Whether it is Docker's engine, which keeps the ports of containers itself where no
/// docker-proxy does (`userland-proxy: false`).
pub fn is_engine(process: &Process) -> bool {
    process.program() == "dockerd"
}

/// What a docker-proxy forwards.
pub(super) fn forwarded(process: &Process) -> Option<(Protocol, u16)> {
    if !process.program().ends_with("docker-proxy") {
        return None;
    }
    let after = |flag: &str| {
        let at = process.argv.iter().position(|word| word == flag)?;
        process.argv.get(at + 1)
    };
    let protocol = match after("-proto")?.as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    Some((protocol, after("-host-port")?.parse().ok()?))
}

/// The unix sockets that dockerd was told to serve its API on (`-H`, dockerd(8)).
pub fn dockerd_sockets(process: &Process) -> Vec<String> {
    if !is_engine(process) {
        return Vec::new();
    }
    let mut hosts = Vec::new();
    let mut words = process.argv.iter().skip(1);
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "-H" | "--host" => words.next().map(String::as_str),
            word => word.strip_prefix("--host=").or_else(|| word.strip_prefix("-H=")),
        };
        hosts.extend(value.and_then(|host| host.strip_prefix("unix://")).map(str::to_owned));
    }
    hosts
}

/// Whether a process runs in the container of that id.
pub fn runs(process: &Process, id: &str, snapshot: &Snapshot) -> bool {
    boxed(process, snapshot).is_some_and(|boxed| boxed.id == id && !boxed.keeps_ports)
}

/// The unique id of the pod in a control group that the kubelet made, as systemd's driver writes
/// it (`kubepods-burstable-pod1234_ab.slice`) and as the plain one does (`pod1234-ab`).
pub fn pod_uid(cgroup: &str) -> Option<String> {
    let mut parts = cgroup.split('/').skip_while(|part| !part.starts_with("kubepods"));
    parts.find_map(|part| {
        let part = part.strip_suffix(".slice").unwrap_or(part);
        let uid = part.strip_prefix("pod").or_else(|| {
            part.strip_prefix("kubepods-")?.split('-').find_map(|word| word.strip_prefix("pod"))
        })?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (!uid.is_empty() && uid.bytes().all(plain)).then(|| uid.replace('_', "-"))
    })
}

/// The pod of a process whose engine is Kubernetes, by its environment: a container's host name
/// is its pod's. In a pod on the host's network it is the machine's, which names no pod.
pub fn pod_name(process: &Process, snapshot: &Snapshot) -> Option<String> {
    let kubernetes = process.container.as_ref().is_some_and(|it| it.engine == "kubernetes");
    let marks = snapshot.marks.get(&process.id.pid).filter(|_| kubernetes)?;
    let in_pod = marks.contains_key("KUBERNETES_SERVICE_HOST");
    let name = marks.get("HOSTNAME").filter(|name| in_pod && super::decode::is_name(name))?;
    // Made by a controller: `web-7d4b9c6f5-x2x4v`, `db-0`. A machine's name mostly is not so.
    let last = name.rsplit_once('-')?.1;
    let numbered = last.bytes().all(|byte| byte.is_ascii_digit());
    (numbered || last.len() == 5).then(|| format!("pod {name}"))
}

/// The command that stops a container of LXC: its monitor's arguments tell which program made it
/// (`[lxc monitor] /var/lib/lxc web`). None without it, as each program knows its own alone.
pub fn lxc_stop(name: &str, process: &Process, snapshot: &Snapshot) -> Option<Vec<String>> {
    if !super::decode::is_name(name) {
        return None;
    }
    let above = snapshot.ancestors(process.id.pid);
    let monitor = above.iter().find_map(|process| {
        let line = process.argv.join(" ");
        line.starts_with("[lxc monitor] ").then_some(line)
    })?;
    let argv: &[&str] = match monitor {
        line if line.contains("/incus/") => &["incus", "stop", name],
        line if line.contains("/lxd/") => &["lxc", "stop", name],
        _ => &["lxc-stop", "-n", name],
    };
    Some(argv.iter().map(|&word| word.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn monitors_tell_their_container_and_its_store() {
        let id = "cd34".repeat(16);
        let podman = "--exit-command /usr/bin/podman --exit-command-arg --root --exit-command-arg";
        let line = |more: &str| words(&format!("/usr/bin/conmon -c {id} -n web {more}"));
        let usual = line(&format!("{podman} /var/lib/containers/storage"));
        let told = monitor(&usual, 0).unwrap();
        assert_eq!((told.id.as_str(), told.name.as_deref()), (id.as_str(), Some("web")));
        assert_eq!((told.options, told.runtime), (Vec::new(), None));
        let other = line(&format!(
            "{podman} /srv/x --exit-command-arg --storage-driver --exit-command-arg vfs"
        ));
        assert_eq!(
            monitor(&other, 0).unwrap().options.join(" "),
            "--root /srv/x --storage-driver vfs"
        );
        // A user's own podman looks there anyway; nothing of theirs goes into a command of root's.
        assert_eq!(monitor(&other, 1000).unwrap().options, Vec::<String>::new());
        let run = line(
            "--exit-command /usr/bin/podman --exit-command-arg --runroot --exit-command-arg /run/user/1000/containers",
        );
        assert_eq!(monitor(&run, 1000).unwrap().runtime.as_deref(), Some("/run/user/1000"));
        // CRI-O's.
        assert_eq!(monitor(&line("--exit-dir /var/run/crio/exits"), 0), None);
        for odd in ["conmon", "conmon -c", "conmon -c x -e /usr/bin/podman", "conmon -n --help"] {
            assert_eq!(monitor(&words(odd), 0), None, "{odd}");
        }
        let hostile = words(&format!("conmon -c {id} -n --help -e /usr/bin/podman"));
        assert_eq!(monitor(&hostile, 0).unwrap().name, None);
    }

    #[test]
    fn pods_by_either_driver_of_control_groups() {
        for (cgroup, want) in [
            ("/kubepods/burstable/pod12-ab/0123", Some("12-ab")),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod12_ab.slice/x",
                Some("12-ab"),
            ),
            ("/kubepods.slice/kubepods-pod12_ab.slice/cri-containerd-0.scope", Some("12-ab")),
            ("/system.slice/podman.service", None),
            ("/kubepods/burstable", None),
            ("/libpod_parent/libpod-1", None),
            ("/kubepods/pod../x", None),
        ] {
            assert_eq!(pod_uid(cgroup).as_deref(), want, "{cgroup}");
        }
    }
}
