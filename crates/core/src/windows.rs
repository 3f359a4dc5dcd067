//! What Windows has beside sockets and processes, and what follows from it: services, the web server
//! in its kernel, ranges of ports that it keeps back, ports that it sends on, and whose a socket is
//! whose process has ended. Pure: who asks for it is `sys::windows`.

pub mod console;
pub mod descent;
pub mod holder;
pub mod path;
pub mod program;
pub mod screen;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::addr::{Endpoint, Transport};
use crate::bind::{Attempt, BindResult};
use crate::decode::windows::{ExcludedRange, HttpQueue, PortProxy, QueueProcess};
use crate::host::{Host, MANAGER_LIMIT};
use crate::process::{Process, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;
use crate::socket::{Holders, Socket};

/// The kernel's process: HTTP.sys, file sharing and other servers of the kernel.
pub const SYSTEM: u32 = 4;

/// What Windows told besides. Empty on other systems.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowsFacts {
    /// Services that run (EnumServicesStatusEx).
    pub services: Vec<Service>,
    /// Which of several services in one process a socket belongs to (GetOwnerModuleFromTcpEntry), by
    /// the socket's inode here.
    pub owners: Vec<(u64, String)>,
    /// Processes that the table names as owners and that have ended, by the socket's inode here.
    pub gone: Vec<(u64, u32)>,
    /// The request queues of HTTP.sys.
    pub queues: Vec<HttpQueue>,
    /// Ranges that no bind gets, of TCP and of UDP.
    pub excluded: Vec<(Transport, ExcludedRange)>,
    /// Ports that are sent on.
    pub port_proxies: Vec<PortProxy>,
    /// The distributions of WSL that run.
    pub distributions: Vec<String>,
    /// From inside of WSL: how its network is tied to Windows', in the word of `wslinfo`: `nat`,
    /// `mirrored`, `virtioproxy`, `none`.
    pub networking: Option<String>,
}

impl WindowsFacts {
    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A service of Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its short name, as `net stop` takes it.
    pub name: String,
    /// The name that people see.
    #[serde(default)]
    pub display: String,
    /// The process that it runs in.
    pub pid: u32,
    /// Whether it takes the control that stops it.
    #[serde(default)]
    pub stoppable: bool,
}

/// What to ask Windows. Each costs the start of a program but for the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowsWish {
    /// The services.
    pub services: bool,
    /// Who serves by HTTP.sys: `netsh http show servicestate`.
    pub queues: bool,
    /// Ranges kept back: `netsh interface ipv4 show excludedportrange`.
    pub excluded: bool,
    /// Ports sent on: `netsh interface portproxy show all`.
    pub port_proxies: bool,
    /// What runs in WSL: `wsl --list --running`.
    pub distributions: bool,
    /// From inside of WSL: `wslinfo --networking-mode`.
    pub networking: bool,
}

/// The time that a program of Windows may take: `netsh` needs 100 to 300 ms to start.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks Windows for what the answer turns on, and adds it to the snapshot: services of the holders,
/// HTTP.sys where the kernel listens, forwarded ports where the service that forwards them listens,
/// distributions where a relay of WSL does.
pub(crate) fn learn(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32]) {
    if !snapshot.is_windows() {
        return;
    }
    let kernel = |socket: &Socket| socket.holders == Holders::Kernel && socket.is_server();
    let kernel_listens = snapshot.sockets.iter().any(kernel);
    if pids.is_empty() && !kernel_listens {
        return;
    }
    let services = WindowsWish { services: true, ..WindowsWish::default() };
    snapshot.windows.services = host.windows(&services, LIMIT).services;
    let holders: Vec<&Process> =
        pids.iter().filter_map(|pid| snapshot.processes.get(pid)).collect();
    let forwards = |process: &&Process| {
        let mut services = services_in(process.id.pid, snapshot).into_iter();
        services.any(|service| service.name.eq_ignore_ascii_case(FORWARDER))
    };
    let wish = WindowsWish {
        queues: kernel_listens,
        port_proxies: holders.iter().any(forwards),
        distributions: holders.iter().any(|process| is_wsl(process)),
        ..WindowsWish::default()
    };
    if wish != WindowsWish::default() {
        let told = host.windows(&wish, LIMIT);
        let facts = &mut snapshot.windows;
        facts.queues = told.queues;
        facts.port_proxies = told.port_proxies;
        facts.distributions = told.distributions;
    }
}

/// Asks for what explains a refusal that no socket does: on Windows the excluded ranges, where a bind
/// was denied; inside of WSL how its network is tied to Windows'.
pub(crate) fn learn_refusals<'a>(
    host: &dyn Host,
    snapshot: &mut Snapshot,
    mut attempts: impl Iterator<Item = &'a Attempt>,
    unexplained: bool,
) {
    if snapshot.policy.wsl && unexplained {
        let wish = WindowsWish { networking: true, ..WindowsWish::default() };
        snapshot.windows.networking = host.windows(&wish, MANAGER_LIMIT).networking;
    }
    let denied = attempts.any(|attempt| attempt.plain == BindResult::Denied);
    if snapshot.is_windows() && denied {
        let wish = WindowsWish { excluded: true, ..WindowsWish::default() };
        snapshot.windows.excluded = host.windows(&wish, LIMIT).excluded;
    }
}

/// Whether this WSL shares Windows' addresses and ports, so that a program there may hold one here.
pub fn is_mirrored(snapshot: &Snapshot) -> bool {
    snapshot.windows.networking.as_deref() == Some("mirrored")
}

/// The mode that `wslinfo --networking-mode` prints: a word alone on its line.
pub fn networking_mode(output: &str) -> Option<String> {
    let word = output.trim();
    let plain = !word.is_empty() && word.len() <= 32;
    (plain && word.bytes().all(|byte| byte.is_ascii_lowercase())).then(|| word.to_owned())
}

/// The service that forwards ports for `netsh interface portproxy`, and other things.
const FORWARDER: &str = "iphlpsvc";

/// Whether a process carries ports of WSL to Windows.
pub fn is_wsl(process: &Process) -> bool {
    matches!(file(process).as_str(), "wslrelay" | "wslhost" | "wslservice")
}

/// Whether a program is an engine's in a place where only administrators put any: whoever runs it, it is
/// the engine.
pub fn is_engine_of_everybody(image: &str) -> bool {
    const FILES: [&str; 7] = [
        "com.docker.backend",
        "com.docker.service",
        "com.docker.proxy",
        "dockerd",
        "win-sshproxy",
        "gvproxy",
        "wsl-helper",
    ];
    let path = image.to_ascii_lowercase();
    let Some((drive, rest)) = path.split_once(r":\program files\") else { return false };
    let file = rest.rsplit('\\').next().unwrap_or_default();
    drive.len() == 1 && file.strip_suffix(".exe").is_some_and(|file| FILES.contains(&file))
}

/// The range kept back that an endpoint lies in.
pub fn excluded<'a>(endpoint: &Endpoint, snapshot: &'a Snapshot) -> Option<&'a ExcludedRange> {
    let port = endpoint.port.get();
    let mine = |transport: &Transport| endpoint.transports().contains(transport);
    let ranges = snapshot.windows.excluded.iter();
    ranges
        .filter(|(transport, range)| mine(transport) && range.ports.contains(&port))
        .map(|(_, range)| range)
        .max_by_key(|range| range.administered)
}

/// A server behind HTTP.sys: a URL on the port, and the process that serves it where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered<'a> {
    /// The URL as it is registered.
    pub url: &'a str,
    /// Who serves it.
    pub process: Option<&'a QueueProcess>,
}

/// Who registered URLs of that port with HTTP.sys, one entry a queue.
pub fn registered(port: u16, snapshot: &Snapshot) -> Vec<Registered<'_>> {
    let of_queue = |queue: &'_ HttpQueue| queue.urls.iter().position(|url| url.port == port);
    snapshot
        .windows
        .queues
        .iter()
        .filter_map(|queue| {
            let url = &queue.urls[of_queue(queue)?];
            Some(Registered { url: &url.text, process: queue.processes.first() })
        })
        .collect()
}

/// The service that serves behind HTTP.sys: as the queue says, else by its process.
pub fn service_behind<'a>(of: &Registered<'a>, snapshot: &'a Snapshot) -> Option<&'a str> {
    let process = of.process?;
    let told = process.services.last().map(String::as_str);
    told.or_else(|| match &services_in(process.pid, snapshot)[..] {
        [one] => Some(one.name.as_str()),
        _ => None,
    })
}

/// What the service that forwards ports forwards from this one, where this process runs it.
pub fn port_proxy<'a>(
    process: &Process,
    port: u16,
    snapshot: &'a Snapshot,
) -> Option<&'a PortProxy> {
    let mut services = services_in(process.id.pid, snapshot).into_iter();
    services.any(|service| service.name.eq_ignore_ascii_case(FORWARDER)).then_some(())?;
    snapshot.windows.port_proxies.iter().find(|rule| rule.port == port)
}

/// The services that run in a process.
pub fn services_in(pid: u32, snapshot: &Snapshot) -> Vec<&Service> {
    snapshot.windows.services.iter().filter(|service| service.pid == pid).collect()
}

/// The service that a process runs: its only one, or that of several which the sockets seen belong
/// to.
pub fn service_of<'a>(process: &Process, snapshot: &'a Snapshot) -> Option<&'a Service> {
    let services = services_in(process.id.pid, snapshot);
    match services[..] {
        [] => return None,
        [one] => return Some(one),
        _ => {}
    }
    let mut named = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.holders.has(process.id.pid))
        .filter_map(|socket| owner_of(socket, snapshot));
    let first = named.next()?;
    let same = named.all(|other| other == first);
    services.into_iter().find(|service| same && service.name.eq_ignore_ascii_case(first))
}

fn owner_of<'a>(socket: &Socket, snapshot: &'a Snapshot) -> Option<&'a str> {
    let owners = &snapshot.windows.owners;
    let inode = socket.inode?;
    owners.iter().find(|(own, _)| *own == inode).map(|(_, name)| name.as_str())
}

/// The process that opened a socket and has ended.
pub fn gone_owner(socket: &Socket, snapshot: &Snapshot) -> Option<u32> {
    let inode = socket.inode?;
    snapshot.windows.gone.iter().find(|(own, _)| *own == inode).map(|(_, pid)| *pid)
}

/// The service manager as whoever runs a service. What stops it is `net stop`, which waits, and
/// refuses where other services need it. That of a service which must not be stopped is left out.
pub(crate) fn supervisor(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    // Elsewhere there is no service, and no look at every socket for every process.
    if snapshot.windows.services.is_empty() {
        return None;
    }
    if let Some(rule) = forwarded(process, snapshot) {
        return Some(Supervisor {
            kind: SupervisorKind::WindowsService,
            name: format!("the forwarding of port {}", rule.port),
            restarts: Some(true),
            stop: Some(rule.removal()),
            ..Supervisor::default()
        });
    }
    let service = service_of(process, snapshot).or_else(|| service_above(process, snapshot))?;
    let stop = (service.stoppable && guarded(&service.name).is_none())
        .then(|| ["net", "stop", &service.name].map(str::to_owned).to_vec());
    let shared = services_in(service.pid, snapshot).len() > 1;
    Some(Supervisor {
        kind: SupervisorKind::WindowsService,
        name: service.name.clone(),
        stop,
        alone: !shared,
        takes_along: depends_on(&service.name).map(str::to_owned).into_iter().collect(),
        ..Supervisor::default()
    })
}

/// The service whose own process only starts this one, as PostgreSQL's pg_ctl and NSSM do: directly, or by
/// a command file. Whatever is deeper in it (a job of a runner, a login over ssh) is not the service.
pub fn service_above<'a>(process: &Process, snapshot: &'a Snapshot) -> Option<&'a Service> {
    let mut parent = snapshot.processes.get(&process.ppid)?;
    if file(parent) == "cmd" {
        parent = snapshot.processes.get(&parent.ppid)?;
    }
    let [service] = services_in(parent.id.pid, snapshot)[..] else { return None };
    let host = file(parent) == "svchost" || guarded(&service.name).is_some();
    (!host && !snapshot.asker.ancestors.contains(&parent.id.pid)).then_some(service)
}

/// What goes when a service is stopped, besides what it serves on a port.
fn depends_on(service: &str) -> Option<&'static str> {
    match service.to_ascii_lowercase().as_str() {
        "sharedaccess" => Some("the network of Hyper-V's and WSL's guests"),
        "vmms" => Some("the managing of Hyper-V's guests"),
        _ => None,
    }
}

/// The rule that the service which forwards ports listens for, on one of the ports seen.
fn forwarded<'a>(process: &Process, snapshot: &'a Snapshot) -> Option<&'a PortProxy> {
    let own = |socket: &&Socket| socket.holders.has(process.id.pid);
    let mut ports = snapshot.sockets.iter().filter(own).filter_map(Socket::port);
    ports.find_map(|port| port_proxy(process, port, snapshot))
}

/// Services without which Windows, its network or its users' sessions do not go on.
const GUARDED: &[&str] = &[
    "RpcSs",
    "RpcEptMapper",
    "DcomLaunch",
    "LSM",
    "SamSs",
    "Netlogon",
    "EventLog",
    "Power",
    "ProfSvc",
    "gpsvc",
    "BFE",
    "mpssvc",
    "Dhcp",
    "Dnscache",
    "nsi",
    "TermService",
    "sshd",
    "WinDefend",
    "LanmanWorkstation",
    "CryptSvc",
    "http",
    "hns",
    "vmcompute",
    "WslService",
];

/// Why a service is not stopped, where it is not.
pub fn guarded(name: &str) -> Option<&'static str> {
    GUARDED
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
        .then_some("Windows, its network or logins depend on it")
}

/// The file's name of a process's program, without `.exe`, in lower case.
pub fn file(process: &Process) -> String {
    let path = process.exe.as_deref().unwrap_or(&process.name);
    let name = path.rsplit(['\\', '/']).next().unwrap_or(path).to_ascii_lowercase();
    name.strip_suffix(".exe").map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::process::ProcessId;
    use crate::snapshot::Source;
    use crate::socket::{HeldBy, Holder, LocalAddress, Protocol, TcpState};

    fn process(pid: u32, exe: &str) -> Process {
        Process { exe: Some(exe.to_owned()), ..Process::unread(ProcessId { pid, start: 1 }) }
    }

    fn machine() -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.source = Source::ExtendedTable;
        let service = |name: &str, pid, stoppable| Service {
            name: name.to_owned(),
            display: String::new(),
            pid,
            stoppable,
        };
        snapshot.windows.services = vec![
            service("W3SVC", 50, true),
            service("iphlpsvc", 60, true),
            service("Dnscache", 60, true),
            service("RpcSs", 70, false),
        ];
        snapshot
    }

    fn supervised(pid: u32, snapshot: &Snapshot) -> Option<Option<Vec<String>>> {
        supervisor(&process(pid, r"C:\Windows\System32\svchost.exe"), snapshot).map(|by| by.stop)
    }

    #[test]
    fn a_service_alone_in_its_process_is_stopped_by_its_name() {
        let stop = supervised(50, &machine()).unwrap().unwrap();
        assert_eq!(stop, ["net", "stop", "W3SVC"]);
        assert_eq!(supervised(70, &machine()), Some(None), "guarded");
        assert_eq!(supervised(99, &machine()), None);
    }

    #[test]
    fn an_engine_is_everybodys_where_only_administrators_put_it() {
        for image in [
            r"C:\Program Files\Docker\Docker\resources\com.docker.backend.exe",
            r"d:\program files\RedHat\Podman\win-sshproxy.exe",
        ] {
            assert!(is_engine_of_everybody(image), "{image}");
        }
        for image in [
            r"C:\Users\you\com.docker.backend.exe",
            r"C:\Users\you\x:\Program Files\dockerd.exe",
            r"C:\Program Files\Python\python.exe",
            r"\\build1\c:\program files\dockerd.exe",
            r"C:\Program Files\dockerd.exe.txt",
            "",
        ] {
            assert!(!is_engine_of_everybody(image), "{image}");
        }
    }

    #[test]
    fn a_service_runs_its_server_below_it_and_nothing_deeper() {
        let mut snapshot = machine();
        let mut add = |pid, ppid, exe: &str| {
            snapshot.processes.insert(pid, Process { ppid, ..process(pid, exe) });
        };
        add(50, 4, r"C:\tools\nssm.exe");
        add(51, 50, r"C:\Windows\System32\cmd.exe");
        add(52, 51, r"C:\Program Files\nodejs\node.exe");
        add(53, 52, r"C:\Program Files\nodejs\node.exe");
        add(60, 4, r"C:\Windows\System32\svchost.exe");
        add(61, 60, r"C:\x\job.exe");
        add(70, 4, r"C:\x\rpc.exe");
        add(71, 70, r"C:\x\child.exe");
        let above = |snapshot: &Snapshot, pid: u32| {
            service_above(&snapshot.processes[&pid], snapshot).map(|service| service.name.clone())
        };
        assert_eq!(above(&snapshot, 51).as_deref(), Some("W3SVC"));
        assert_eq!(above(&snapshot, 52).as_deref(), Some("W3SVC"));
        for pid in [50, 53, 61, 71] {
            assert_eq!(above(&snapshot, pid), None, "{pid}");
        }
        // From inside of it there is no stopping it from outside.
        snapshot.asker.ancestors = vec![52, 51, 50];
        assert_eq!(above(&snapshot, 52), None);
    }

    #[test]
    fn of_several_in_one_process_the_socket_tells_which() {
        let mut snapshot = machine();
        assert_eq!(supervised(60, &snapshot), None, "never the first that comes");
        let local = LocalAddress::Inet("0.0.0.0:8080".parse().unwrap());
        let mut socket = Socket::new(Protocol::Tcp, local, Some(TcpState::Listen));
        socket.inode = Some(7);
        socket.holders =
            Holders::Processes { holders: vec![Holder { pid: 60, by: HeldBy::Owner }] };
        snapshot.sockets.push(socket);
        snapshot.windows.owners.push((7, "IPHLPSVC".to_owned()));
        assert_eq!(supervised(60, &snapshot).unwrap().unwrap()[2], "iphlpsvc");
        let mut other = snapshot.sockets[0].clone();
        other.inode = Some(8);
        snapshot.sockets.push(other);
        snapshot.windows.owners.push((8, "Dnscache".to_owned()));
        assert_eq!(supervised(60, &snapshot), None, "sockets of both");
    }

    #[test]
    fn the_mode_of_the_network_is_a_word() {
        assert_eq!(networking_mode("mirrored\n").as_deref(), Some("mirrored"));
        assert_eq!(networking_mode("nat").as_deref(), Some("nat"));
        for output in ["", "no such option\n", "Nat", "x\u{1b}[31m"] {
            assert_eq!(networking_mode(output), None, "{output:?}");
        }
    }

    #[test]
    fn programs_are_known_by_their_file_whatever_its_case() {
        assert_eq!(file(&process(1, r"C:\Program Files\WSL\WSLRelay.EXE")), "wslrelay");
        assert_eq!(file(&process(1, "node")), "node");
    }
}
