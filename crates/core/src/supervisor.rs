//! Who runs a process and would start it again: a container engine, a service manager, a process
//! manager, a watcher, the master of a pool, or a parent that waits. Told from control groups and
//! ancestors alone; nobody is asked.

mod cgroup;
mod door;
mod family;
mod launchd;
mod loops;
mod managers;
mod masters;
mod program;
mod proof;
mod session;
mod started;
mod unit;
mod watchers;
mod wrappers;

pub use cgroup::{container_of, manager_user, scope_of, unit_of};
pub use door::{container_proxy, door};
pub(crate) use launchd::is_mac;
pub(crate) use loops::runs_in_loop;
pub use proof::Proof;
pub(crate) use proof::proof_of;
pub use session::is_interactive_shell;
pub(crate) use session::{is_desktop, is_session_host};
pub(crate) use started::is_of_service;
pub use started::{StartedBy, StarterKind, started_by};
pub use unit::{Activation, activation, socket_unit_supervisor, unit_guard};
pub(crate) use unit::{home, home_of_group, user_of_manager};

use family::Family;
pub(crate) use program::{
    Program, file_name, in_folder, in_node_modules, is_interpreter, part_of_path, path_has,
    program_name,
};
use unit::unit_supervisor;

use crate::engine::{self, Boxed, ContainerFacts};
use crate::process::{Process, ProcessState, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;
use crate::windows;

/// Who runs this process. The container first, then the service, then the nearest known manager,
/// watcher or pool master among its ancestors, then a parent that merely is there. `None` for a
/// job of an interactive shell, for an orphan, and for a process that was not seen.
///
/// A container or service that also holds the asker is not its supervisor: from inside it there
/// is no stopping it from outside. That shows only where the snapshot has the asker's ancestors.
pub fn supervisor_of(pid: u32, snapshot: &Snapshot) -> Option<Supervisor> {
    let process = snapshot.processes.get(&pid)?;
    if let Some(service) = windows::supervisor(process, snapshot) {
        return Some(service);
    }
    if let Some(container) = container_supervisor(process, snapshot) {
        return Some(container);
    }
    // A manager's own command stops one application; its unit's would stop all of them.
    let relative =
        managers::for_its_children(process, snapshot).or_else(|| relative_of(process, snapshot));
    let narrower = relative.as_ref().is_some_and(|relative| {
        let manager = relative.pid.and_then(|pid| snapshot.processes.get(&pid));
        relative.kind == SupervisorKind::ProcessManager
            && relative.restarts != Some(false)
            && (relative.stop.is_some() || manager.is_some_and(managers::runs_applications))
    });
    match narrower {
        true => relative,
        false => own_unit(process, snapshot).or(relative),
    }
}

/// The ancestors which might start this process again while they live: the ones to watch after
/// it was stopped. The process that stands for a container or service (its monitor, its systemd)
/// comes last. Empty for a job of an interactive shell and for an orphan in neither.
pub fn could_restart(pid: u32, snapshot: &Snapshot) -> Vec<u32> {
    let Some(process) = snapshot.processes.get(&pid) else { return Vec::new() };
    let mut pids: Vec<u32> = lineage(process, snapshot)
        .filter(|link| link.role.restarts() != Some(false))
        .map(|link| link.parent.id.pid)
        .collect();
    if box_of(process, snapshot).is_some() {
        pids.extend(box_manager(process, snapshot).filter(|pid| !pids.contains(pid)));
    }
    pids
}

/// The ancestors that had a part in a process's start, nearest first, up to where somebody sits or
/// the system begins; and whether each only waits for its child and ends with it.
pub(crate) fn origins(pid: u32, snapshot: &Snapshot) -> Vec<(u32, bool)> {
    let Some(process) = snapshot.processes.get(&pid) else { return Vec::new() };
    lineage(process, snapshot)
        .map(|link| (link.parent.id.pid, link.role == Role::Wrapper))
        .collect()
}

/// Whether a process is systemd as a manager of units: the machine's first process, or a user's; or
/// launchd, which is one for all.
pub fn is_service_manager(process: &Process) -> bool {
    // In another control group it is a container's first process that lost its parent.
    let of_user = || {
        process.ppid == 1
            && process.container.is_none()
            && process.cgroup.as_deref().is_none_or(|path| {
                path == "/" || manager_user(path).is_some_and(|uid| process.uid == Some(uid))
            })
    };
    let systemd = process.program() == "systemd" && (process.id.pid == 1 || of_user());
    systemd || launchd::is_launchd(process)
}

/// Whether a process is known to run others and to have nobody above it by design.
pub(crate) fn runs_others(process: &Process) -> bool {
    managers::manager_role(process).is_some()
}

/// The processes whose children tell more about who runs this one ([`Snapshot::families`]): those
/// above it that may run other things too, and a daemon that holds sockets for its children.
pub(crate) fn family_heads(pid: u32, snapshot: &Snapshot) -> Vec<u32> {
    let Some(process) = snapshot.processes.get(&pid) else { return Vec::new() };
    let above = lineage(process, snapshot)
        .filter(|link| link.role != Role::Wrapper)
        .map(|link| link.parent.id.pid);
    managers::is_pm2(Program::of(process)).then_some(pid).into_iter().chain(above).collect()
}

/// The processes whose marks say what the manager calls the application this one belongs to, besides
/// its own and its ancestors': pm2's daemon holds the sockets of its clusters itself.
pub(crate) fn named_by_children(pid: u32, snapshot: &Snapshot) -> Vec<u32> {
    /// Applications of one daemon whose environments are read.
    const MOST: usize = 64;
    let Some(process) = snapshot.processes.get(&pid) else { return Vec::new() };
    std::iter::once(process)
        .chain(snapshot.ancestors(pid))
        .filter(|process| managers::is_pm2(Program::of(process)))
        .filter_map(|daemon| snapshot.children(daemon.id.pid))
        .flat_map(|children| children.into_iter().take(MOST).map(|child| child.id.pid))
        .collect()
}

/// The container or the service of a process.
fn box_of(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    container_supervisor(process, snapshot).or_else(|| own_unit(process, snapshot))
}

/// The service of a process. That of a process which forwards to a container is none: it is the
/// whole engine, or the login it came from.
fn own_unit(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let forwards = container_proxy(process).is_some() && engine::monitor_of(process).is_none();
    if forwards { None } else { unit_supervisor(process, snapshot) }
}

/// The engine that runs the container of a process, or the one that a process only keeps a port
/// for or forwards to: stopping that is what frees the port.
fn container_supervisor(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let boxed = engine::boxed(process, snapshot);
    let facts = engine::facts_of(process, snapshot);
    let id = boxed.as_ref().map(|boxed| &boxed.id).or(facts.map(|facts| &facts.id))?;
    if askers(snapshot).any(|asker| engine::runs(asker, id, snapshot)) {
        return None;
    }
    let owner = engine::owner_of(process, snapshot);
    let Some(facts) = facts else {
        // A quadlet: podman below a service, which starts the container again.
        let unit = process.cgroup.as_deref().and_then(unit_of).map(|(unit, _)| unit);
        if process.container.is_none() && unit.is_some_and(|unit| unit != "podman.service") {
            return None;
        }
        return boxed.map(|boxed| unknown_container(&boxed, process, owner, snapshot));
    };
    let own_unit = facts.unit.clone().filter(|_| owner.is_none_or(|uid| uid == snapshot.asker.uid));
    let kind = match (&own_unit, owner) {
        (None, _) => SupervisorKind::Container,
        (Some(_), None) => SupervisorKind::SystemdUnit,
        (Some(_), Some(_)) => SupervisorKind::SystemdUserUnit,
    };
    Some(Supervisor {
        kind,
        name: own_unit.unwrap_or_else(|| facts.name.clone()),
        pid: None,
        restarts: restarts(facts, process),
        stop: may_ask(owner, facts, snapshot).then(|| facts.stop()).flatten(),
        policy: facts.restart.clone().filter(|policy| policy != "no"),
        owner,
        takes_along: takes_along(facts, process, snapshot),
        ..Supervisor::default()
    })
}

/// A container whose engine told nothing: named by what its monitor or control group says.
fn unknown_container(
    boxed: &Boxed,
    process: &Process,
    owner: Option<u32>,
    snapshot: &Snapshot,
) -> Supervisor {
    let name = match (&boxed.name, engine::pod_name(process, snapshot)) {
        (Some(name), _) => name.clone(),
        (None, Some(pod)) => pod,
        (None, None) => short_id(&boxed.id).to_owned(),
    };
    // A rootless engine knows its containers only when its own user asks.
    let stop = match owner {
        Some(owner) if owner != snapshot.asker.uid => None,
        _ => container_stop(boxed, &name, process, snapshot),
    };
    Supervisor { kind: SupervisorKind::Container, name, stop, owner, ..Supervisor::default() }
}

/// Whether the engine starts it again where it was not asked to stop it. `on-failure` turns on
/// how the program takes its end.
fn restarts(facts: &ContainerFacts, process: &Process) -> Option<bool> {
    match facts.restart.as_deref()? {
        "always" | "unless-stopped" => Some(true),
        // Something in the container may.
        "no" if facts.pid == Some(process.id.pid) || engine::carries_ports(process) => Some(false),
        _ => None,
    }
}

/// Whether the asker can give that engine's command: a rootless one obeys its own user alone,
/// and root, where the command says how.
fn may_ask(owner: Option<u32>, facts: &ContainerFacts, snapshot: &Snapshot) -> bool {
    let named = facts.command.len() > 1;
    owner.is_none_or(|uid| uid == snapshot.asker.uid || (snapshot.asker.uid == 0 && named))
}

/// What else ends with a container: its pod, and the other ports that lead to it.
fn takes_along(facts: &ContainerFacts, process: &Process, snapshot: &Snapshot) -> Vec<String> {
    let asked = |port: u16| {
        snapshot
            .sockets
            .iter()
            .any(|socket| socket.port() == Some(port) && socket.holders.has(process.id.pid))
    };
    let others = facts.published.iter().filter(|at| !asked(at.port));
    let mut along: Vec<String> = others.map(|at| format!("{}:{}", at.protocol, at.port)).collect();
    along.dedup();
    if let Some(pod) = &facts.pod {
        along.push(format!("all of pod {pod}"));
    }
    along
}

/// Engines whose command line stops a container for good. Kubernetes would only start another;
/// several programs drive containerd and CRI-O.
fn container_stop(
    boxed: &Boxed,
    name: &str,
    process: &Process,
    snapshot: &Snapshot,
) -> Option<Vec<String>> {
    match boxed.engine.as_str() {
        "docker" => Some(words(&["docker", "stop", name])),
        "podman" => {
            let above = snapshot.ancestors(process.id.pid);
            let monitor = std::iter::once(process).chain(above).find_map(engine::monitor_of);
            let options = monitor.map(|monitor| monitor.options).unwrap_or_default();
            let mut argv = words(&["podman"]);
            argv.extend(options);
            argv.extend(words(&["stop", name]));
            Some(argv)
        }
        "nspawn" => Some(words(&["machinectl", "stop", name])),
        "lxc" => engine::lxc_stop(name, process, snapshot),
        _ => None,
    }
}

/// The 12 digits engines print of an id; other names whole.
fn short_id(id: &str) -> &str {
    if cgroup::is_id(id) { &id[..12] } else { id }
}

/// The asker and its ancestors, so far as they were seen.
fn askers(snapshot: &Snapshot) -> impl Iterator<Item = &Process> {
    let asker = &snapshot.asker;
    std::iter::once(&asker.pid)
        .chain(&asker.ancestors)
        // The first processes are everybody's ancestors and sit in groups of their own.
        .filter(|pid| **pid > 1)
        .filter_map(|pid| snapshot.processes.get(pid))
}

/// The process that stands for the container or service of this one.
fn box_manager(process: &Process, snapshot: &Snapshot) -> Option<u32> {
    let ancestors = snapshot.ancestors(process.id.pid);
    let manages = |ancestor: &&&Process| match process.container {
        Some(_) => door::is_container_manager(ancestor),
        None => ancestor.id.pid == 1 || Program::of(ancestor).file == "systemd",
    };
    ancestors.iter().find(manages).or_else(|| ancestors.last()).map(|manager| manager.id.pid)
}

/// What a parent is to its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Starts it again when it ends.
    Manager(Option<bool>),
    /// Starts it again when files change, or when it ends.
    Watcher(Option<bool>),
    /// Keeps a pool of its like.
    Master(Option<bool>),
    /// A shell that runs it again and again.
    Loop,
    /// Runs it once, waits, and ends: `npm run`, `sh -c`, `sudo`.
    Wrapper,
    /// A parent that may do anything, such as a script.
    Parent,
}

impl Role {
    const fn restarts(self) -> Option<bool> {
        match self {
            Self::Manager(restarts) | Self::Watcher(restarts) | Self::Master(restarts) => restarts,
            Self::Loop => Some(true),
            Self::Wrapper => Some(false),
            Self::Parent => None,
        }
    }

    const fn kind(self) -> SupervisorKind {
        match self {
            Self::Manager(_) => SupervisorKind::ProcessManager,
            Self::Watcher(_) => SupervisorKind::Watcher,
            Self::Master(_) => SupervisorKind::Master,
            Self::Loop | Self::Wrapper | Self::Parent => SupervisorKind::Parent,
        }
    }

    const fn is_known(self) -> bool {
        matches!(self, Self::Manager(_) | Self::Watcher(_) | Self::Master(_) | Self::Loop)
    }

    /// Whether it has one thing to run, and ends it when it ends.
    const fn is_tied(self) -> bool {
        matches!(self, Self::Watcher(_) | Self::Master(_))
    }
}

/// One ancestor that had a part in a process's start.
#[derive(Clone, Copy)]
struct Link<'a> {
    parent: &'a Process,
    role: Role,
}

/// The ancestors up to where somebody sits or the system begins, nearest first.
fn lineage<'a>(process: &'a Process, snapshot: &'a Snapshot) -> impl Iterator<Item = Link<'a>> {
    let ancestors = snapshot.ancestors(process.id.pid);
    let children = std::iter::once(process).chain(ancestors.clone());
    let links: Vec<Link<'a>> = ancestors
        .into_iter()
        .zip(children)
        .map_while(|(parent, child)| Some(Link { parent, role: role(parent, child, snapshot)? }))
        .collect();
    links.into_iter()
}

/// The ancestor that supervises a process: a manager that would start it again; else the
/// outermost of the watchers and masters, which would start the inner ones again; else the nearest
/// with a known role, or that may do anything; else the outermost wrapper, which somebody typed.
fn relative_of(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let links: Vec<Link<'_>> = lineage(process, snapshot).collect();
    let at = chosen(&links)?;
    Some(relative_at(at, &links, process, snapshot))
}

/// The watcher or the master that has this process below a manager: of a manager without a command for
/// it, the one that can be ended.
pub(crate) fn below_manager(pid: u32, snapshot: &Snapshot) -> Option<Supervisor> {
    let process = snapshot.processes.get(&pid)?;
    let links: Vec<Link<'_>> = lineage(process, snapshot).collect();
    let manager = links.iter().position(|link| matches!(link.role, Role::Manager(_)))?;
    let at = chosen(&links[..manager]).filter(|&at| links[at].role.is_tied())?;
    Some(relative_at(at, &links, process, snapshot))
}

fn relative_at(
    at: usize,
    links: &[Link<'_>],
    process: &Process,
    snapshot: &Snapshot,
) -> Supervisor {
    let link = links[at];
    let path: Vec<&Process> =
        std::iter::once(process).chain(links[..at].iter().map(|link| link.parent)).collect();
    let family = Family { links, at, process, snapshot };
    let supervisor = Supervisor {
        kind: link.role.kind(),
        name: supervisor_name(link.parent),
        pid: Some(link.parent.id.pid),
        restarts: link.role.restarts(),
        takes_along: family.takes_along(),
        alone: family.is_alone(),
        ..Supervisor::default()
    };
    match link.role {
        Role::Manager(_) => managers::with_lever(supervisor, link.parent, &path, snapshot),
        _ => supervisor,
    }
}

/// A loop around nothing but wrappers, or around what it starts again with all below.
fn looped(links: &[Link<'_>]) -> Option<usize> {
    links.iter().rposition(|link| link.role == Role::Loop)
}

fn chosen(links: &[Link<'_>]) -> Option<usize> {
    let position = |wanted: &dyn Fn(Role) -> bool| links.iter().position(|link| wanted(link.role));
    position(&|role| matches!(role, Role::Manager(restarts) if restarts != Some(false)))
        .or_else(|| looped(links))
        .or_else(|| {
            let first = position(&Role::is_tied)?;
            let row = links[first..]
                .iter()
                .take_while(|link| link.role.is_tied() || link.role == Role::Wrapper)
                .count();
            links[..first + row].iter().rposition(|link| link.role.is_tied())
        })
        .or_else(|| {
            // honcho has a process of its own between itself and each service.
            let first = position(&Role::is_known)?;
            let file = |at: usize| Program::of(links[at].parent).name();
            let row = (first..links.len())
                .take_while(|&at| links[at].role.is_known() && file(at) == file(first));
            row.last()
        })
        .or_else(|| position(&|role| role == Role::Parent))
        .or_else(|| links.len().checked_sub(1))
}

/// What this parent is to that child; `None` where the story ends. Known managers come before
/// the places where it ends: in a container the first process may be one.
fn role(parent: &Process, child: &Process, snapshot: &Snapshot) -> Option<Role> {
    if parent.state == ProcessState::Zombie {
        return None;
    }
    let program = Program::of(parent);
    managers::manager_role(parent)
        .or_else(|| watchers::watcher_role(program))
        .or_else(|| watchers::reloader_role(parent, child))
        .or_else(|| masters::master_role(parent, child, snapshot))
        .or_else(|| is_loop(parent, child, snapshot).then_some(Role::Loop))
        .or_else(|| {
            let over = is_session_host(parent) || is_busy_shell(parent, snapshot);
            (!over).then(|| wrappers::waiting_role(program))
        })
}

/// Whether this is a shell that runs the asker at this moment, as a script or an agent's shell
/// does: until the asker ends it starts nothing again.
fn is_busy_shell(process: &Process, snapshot: &Snapshot) -> bool {
    let program = Program::of(process);
    (program.shell().is_some() || program.shell_of_windows().is_some())
        && askers(snapshot).any(|asker| asker.id == process.id)
}

/// Whether a shell runs this child in a loop, by its own text or by its script's.
fn is_loop(parent: &Process, child: &Process, snapshot: &Snapshot) -> bool {
    let text = Program::of(parent).command_text();
    !is_interactive_shell(parent)
        && !is_busy_shell(parent, snapshot)
        && (text.is_some_and(|text| runs_in_loop(text, child))
            || snapshot.loops.contains(&parent.id.pid))
}

/// The shells above a process that run a script, each with its child: whether a script has a loop
/// only its text tells.
pub(crate) fn scripts_above(pid: u32, snapshot: &Snapshot) -> Vec<(u32, u32)> {
    let Some(process) = snapshot.processes.get(&pid) else { return Vec::new() };
    let links: Vec<Link<'_>> = lineage(process, snapshot).collect();
    let children = std::iter::once(process).chain(links.iter().map(|link| link.parent));
    let script = |parent: &Process| {
        let program = Program::of(parent);
        program.shell().is_some() && program.script.is_some()
    };
    links
        .iter()
        .zip(children)
        .filter(|(link, _)| link.role == Role::Parent && script(link.parent))
        .map(|(link, child)| (link.parent.id.pid, child.id.pid))
        .collect()
}

/// What to call it: the program or script, and for supervisors of one service each, the service.
pub(crate) fn supervisor_name(process: &Process) -> String {
    let program = Program::of(process);
    let known_as = managers::known_as(program).or_else(|| watchers::known_as(program));
    match (known_as, managers::service_directory(process)) {
        (Some(name), _) => name.to_owned(),
        (None, Some(directory)) => format!("{} {}", program.name(), file_name(directory)),
        (None, None) => program.name().to_owned(),
    }
}

fn words(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::process::ProcessId;
    use crate::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol, Socket};

    /// A sleeping process without a terminal or a control group.
    pub(crate) fn process(pid: u32, ppid: u32, exe: &str, argv: &[&str]) -> Process {
        Process {
            ppid,
            name: file_name(exe).chars().take(15).collect(),
            exe: Some(exe.to_owned()),
            argv: words(argv),
            uid: Some(1000),
            user: Some("me".to_owned()),
            state: ProcessState::Sleeping,
            threads: Some(1),
            ..Process::unread(ProcessId { pid, start: u64::from(pid) })
        }
    }

    /// A program with its paths as they are on Windows.
    pub(crate) fn as_on_windows(exe: &str, argv: &[&str]) -> (String, Vec<String>) {
        let path = |word: &str| match word.starts_with('/') && word.len() > 2 {
            true => format!("C:{}", word.replace('/', r"\")),
            false => word.to_owned(),
        };
        let exe = path(exe);
        let exe = if exe.ends_with(".exe") { exe } else { format!("{exe}.exe") };
        (exe, argv.iter().map(|word| path(word)).collect())
    }

    /// A program as macOS runs it: Python is an application there, and calls itself so.
    pub(crate) fn as_on_macos<'a>(exe: &'a str, argv: &[&'a str]) -> (&'a str, Vec<&'a str>) {
        const PYTHON: &str = "/opt/homebrew/Cellar/python@3.12/3.12.4/Frameworks/Python.framework/Versions/3.12/Resources/Python.app/Contents/MacOS/Python";
        let real = |word: &'a str| match file_name(word).starts_with("python") {
            true => PYTHON,
            false => word,
        };
        let rest = argv.iter().skip(1).copied();
        (real(exe), argv.first().map(|first| real(first)).into_iter().chain(rest).collect())
    }

    /// PID 1, then each the child of the one before, with PIDs 10, 11, …
    pub(super) fn chain(links: &[(&str, &[&str])]) -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.asker.uid = 1000;
        let init = process(1, 0, "/lib/systemd/systemd", &["/sbin/init"]);
        snapshot.processes.insert(1, init);
        let mut ppid = 1;
        for (pid, (exe, argv)) in (10..).zip(links) {
            snapshot.processes.insert(pid, process(pid, ppid, exe, argv));
            ppid = pid;
        }
        snapshot
    }

    pub(super) fn in_cgroup(snapshot: &mut Snapshot, pid: u32, cgroup: &str) {
        let process = snapshot.processes.get_mut(&pid).unwrap();
        process.unit = unit_of(cgroup).map(|(unit, _)| unit);
        process.container = container_of(cgroup);
        process.cgroup = Some(cgroup.to_owned());
    }

    fn with_terminal(snapshot: &mut Snapshot, pid: u32) {
        snapshot.processes.get_mut(&pid).unwrap().terminal = Some("pts/3".to_owned());
    }

    fn shared_socket(snapshot: &mut Snapshot, pids: &[u32]) {
        let local = LocalAddress::Inet("0.0.0.0:80".parse().unwrap());
        let mut socket = Socket::new(Protocol::Tcp, local, None);
        let by = HeldBy::Descriptor(3);
        let holders = pids.iter().map(|&pid| Holder { pid, by }).collect();
        socket.holders = Holders::Processes { holders };
        snapshot.sockets.push(socket);
    }

    const NODE: &str = "/usr/bin/node";
    const PYTHON: &str = "/usr/bin/python3.12";
    const CMD: &str = r"C:\Windows\System32\cmd.exe";
    const POWERSHELL: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";
    const PROC: &str = r"C:\Tools\proc.exe";
    const SERVER: (&str, &[&str]) = (NODE, &["node", "server.js"]);

    /// Each: the parent, and what it is to a server below it.
    #[test]
    fn known_parents() {
        use SupervisorKind::{Master, Parent, ProcessManager, Watcher};
        type Case<'a> = (&'a str, &'a [&'a str], SupervisorKind, &'a str, Option<bool>);
        let cases: &[Case<'_>] = &[
            (NODE, &["PM2 v5.3.0: God Daemon (/home/me/.pm2)"], ProcessManager, "pm2", Some(true)),
            (
                PYTHON,
                &["python3", "/usr/bin/supervisord", "-n"],
                ProcessManager,
                "supervisord",
                None,
            ),
            (
                NODE,
                &["node", "/usr/lib/node_modules/forever/bin/monitor", "a.js"],
                ProcessManager,
                "forever",
                Some(true),
            ),
            (
                "/usr/bin/s6-supervise",
                &["s6-supervise", "web"],
                ProcessManager,
                "s6-supervise",
                Some(true),
            ),
            (
                "/usr/bin/ruby3.1",
                &["ruby", "/usr/bin/foreman", "start"],
                ProcessManager,
                "foreman",
                Some(false),
            ),
            ("/home/me/go/bin/overmind", &["overmind", "s"], ProcessManager, "overmind", None),
            (
                NODE,
                &["node", "/x/node_modules/.bin/nodemon", "a.js"],
                Watcher,
                "nodemon",
                Some(true),
            ),
            (NODE, &["node", "/x/nodemon/bin/nodemon.js", "a.js"], Watcher, "nodemon", Some(true)),
            (NODE, &["node", "--watch", "a.js"], Watcher, "node --watch", Some(true)),
            (NODE, &["node", "--watch-path=src", "a.js"], Watcher, "node --watch", Some(true)),
            (NODE, &["node", "a.js", "--watch"], Parent, "a", None),
            (NODE, &["node", "/x/.bin/tsx", "watch", "a.ts"], Watcher, "tsx", Some(true)),
            (
                "/home/me/.cargo/bin/cargo-watch",
                &["cargo", "watch"],
                Watcher,
                "cargo-watch",
                Some(true),
            ),
            (
                NODE,
                &["node", "/x/node_modules/.pnpm/tsx@4.7/node_modules/tsx/dist/cli.mjs", "watch"],
                Watcher,
                "tsx",
                Some(true),
            ),
            (
                NODE,
                &["node", "/x/node_modules/npm-run-all/bin/run-p/index.js", "web", "api"],
                ProcessManager,
                "run-p",
                Some(false),
            ),
            ("/usr/bin/entr", &["entr", "-r", "node", "a.js"], Watcher, "entr", Some(true)),
            ("/home/me/go/bin/air", &["air"], Watcher, "air", Some(true)),
            (
                PYTHON,
                &["python3", "-m", "uvicorn", "app:app", "--reload"],
                Watcher,
                "uvicorn",
                Some(true),
            ),
            ("/usr/bin/dotnet", &["dotnet", "watch", "run"], Watcher, "dotnet", Some(true)),
            ("/usr/bin/dotnet", &["dotnet", "run", "--", "x"], Parent, "dotnet", Some(false)),
            ("/usr/bin/dotnet", &["dotnet", "x.dll", "run"], Parent, "dotnet", None),
            ("/usr/local/go/bin/go", &["go", "run", "."], Parent, "go", Some(false)),
            ("/bin/bash", &["bash", "./run.sh"], Parent, "run.sh", None),
            ("/bin/dash", &["sh", "-c", "while :; do node x.js; done"], Parent, "dash", Some(true)),
            ("/bin/dash", &["sh", "-c", "while :; do ./x; done"], Parent, "dash", None),
            ("/bin/dash", &["sh", "-c", "node a.js || node a.js"], Parent, "dash", None),
            ("/bin/dash", &["sh", "-c", "PORT=3000 node a.js"], Parent, "dash", Some(false)),
            (PYTHON, &["python3", "/x/spawn.py"], Parent, "spawn", None),
            (NODE, &["npm run dev"], Parent, "npm", Some(false)),
            ("/usr/bin/make", &["make", "serve"], Parent, "make", Some(false)),
            (CMD, &["cmd.exe", "/d", "/s", "/C", "node a.js"], Parent, "cmd", Some(false)),
            (CMD, &["cmd", "/c", "for /l %i in () do x"], Parent, "cmd", None),
            (CMD, &["CMD", "/C", "start.bat"], Parent, "cmd", Some(false)),
            (POWERSHELL, &["powershell", "-NoP", "-File", "a.ps1"], Parent, "a.ps1", None),
            (POWERSHELL, &["powershell", "-ep", "Bypass", "-c", "x"], Parent, "powershell", None),
            (PROC, &["proc", "pick", "--", "node", "a.js"], Parent, "proc", Some(false)),
        ];
        let check = |exe: &str, argv: &[&str], wanted: (SupervisorKind, &str, Option<bool>)| {
            let snapshot = chain(&[(exe, argv), SERVER]);
            let found = supervisor_of(11, &snapshot).unwrap();
            let stop = &found.stop;
            assert_eq!((found.kind, found.name.as_str(), found.restarts), wanted, "{argv:?}");
            assert_eq!((found.pid, stop), (Some(10), &None), "{argv:?}");
            let watch = if wanted.2 == Some(false) { vec![] } else { vec![10] };
            assert_eq!(could_restart(11, &snapshot), watch, "{argv:?}");
        };
        for (exe, argv, kind, name, restarts) in cases {
            check(exe, argv, (*kind, name, *restarts));
            let (windows, there) = as_on_windows(exe, argv);
            let there: Vec<&str> = there.iter().map(String::as_str).collect();
            check(&windows, &there, (*kind, name, *restarts));
            let (exe, argv) = as_on_macos(exe, argv);
            check(exe, &argv, (*kind, name, *restarts));
        }
        assert!(!cases.iter().any(|case| case.2 == Master), "masters have a test of their own");
    }

    /// None of these supervises: somebody sat there, or the system begins.
    #[test]
    fn places_where_the_story_ends() {
        for (exe, argv) in [
            ("/bin/bash", &["-bash"][..]),
            ("/usr/bin/fish", &["fish"]),
            ("/usr/bin/tmux", &["tmux", "new"]),
            ("/usr/sbin/sshd", &["sshd: me@pts/0"]),
            ("/usr/share/code/code", &["code", "."]),
            ("/home/me/.vscode-server/bin/1/node", &["node", "server-main.js"]),
            ("/usr/lib/systemd/systemd", &["systemd", "--user"]),
            ("/usr/libexec/gnome-terminal-server", &["gnome-terminal-server"]),
            ("/usr/local/bin/claude", &["claude"]),
            (CMD, &["cmd"]),
            (CMD, &["cmd.exe", "/d", "/K", "VsDevCmd.bat"]),
            (POWERSHELL, &["powershell"]),
            (POWERSHELL, &["powershell.exe", "-NoLogo", "-ExecutionPolicy", "Bypass"]),
            (POWERSHELL, &["powershell", "-noe", "-c", "try { . 'x.ps1' } catch {}"]),
            (r"C:\Program Files\PowerShell\7\pwsh.exe", &["pwsh", "-WorkingDirectory", "~"]),
            (r"C:\Program Files\Git\bin\bash.exe", &["bash", "--login", "-i"]),
            (r"C:\Windows\explorer.exe", &["explorer"]),
            (r"C:\Program Files\WindowsApps\x\WindowsTerminal.exe", &["WindowsTerminal"]),
            (r"C:\Users\me\AppData\Local\Programs\Microsoft VS Code\Code.exe", &["Code"]),
            (r"C:\Program Files\JetBrains\IDEA\bin\idea64.exe", &["idea64"]),
            (r"C:\Program Files\nodejs\node.exe", &["node", r"C:\n\@openai\codex\bin\codex.js"]),
            ("/Applications/Code.app/Contents/MacOS/Code Helper (Plugin)", &["Code Helper"]),
        ] {
            let mut snapshot = chain(&[(exe, argv), SERVER]);
            if exe.starts_with('/') {
                with_terminal(&mut snapshot, 10);
            }
            assert_eq!(supervisor_of(11, &snapshot), None, "{argv:?}");
            assert_eq!(could_restart(11, &snapshot), [0; 0], "{argv:?}");
        }
    }

    #[test]
    fn an_orphan_and_a_stranger_have_none() {
        let snapshot = chain(&[SERVER]);
        assert_eq!(supervisor_of(10, &snapshot), None);
        assert_eq!(could_restart(10, &snapshot), [0; 0]);
        assert_eq!(supervisor_of(999, &snapshot), None);
        assert_eq!(could_restart(999, &snapshot), [0; 0]);
        let mut snapshot = chain(&[("/bin/bash", &["bash", "run.sh"]), SERVER]);
        snapshot.processes.get_mut(&10).unwrap().state = ProcessState::Zombie;
        assert_eq!(supervisor_of(11, &snapshot), None, "a dead parent starts nothing");
    }

    #[test]
    fn a_loop_above_wrappers_is_named_and_wrappers_alone_are_typed_by_somebody() {
        let wrappers: [(&str, &[&str]); 3] =
            [(NODE, &["npm run dev"]), ("/bin/dash", &["sh", "-c", "vite"]), SERVER];
        let looped = [&[("/bin/bash", &["bash", "run.sh"][..])], &wrappers[..]].concat();
        let snapshot = chain(&looped);
        let found = supervisor_of(13, &snapshot).unwrap();
        assert_eq!((found.name.as_str(), found.pid, found.restarts), ("run.sh", Some(10), None));
        assert_eq!(could_restart(13, &snapshot), [10]);

        let typed = [&[("/bin/bash", &["-bash"][..])], &wrappers[..]].concat();
        let mut snapshot = chain(&typed);
        with_terminal(&mut snapshot, 10);
        let found = supervisor_of(13, &snapshot).unwrap();
        assert_eq!((found.name.as_str(), found.restarts), ("npm", Some(false)));
        assert_eq!(could_restart(13, &snapshot), [0; 0]);
    }

    #[test]
    fn a_known_manager_wins_over_a_nearer_script() {
        let snapshot = chain(&[
            (NODE, &["PM2 v5.3.0: God Daemon (/home/me/.pm2)"]),
            ("/bin/bash", &["bash", "start.sh"]),
            SERVER,
        ]);
        assert_eq!(supervisor_of(12, &snapshot).unwrap().name, "pm2");
        assert_eq!(could_restart(12, &snapshot), [11, 10]);
    }

    #[test]
    fn a_manager_that_is_the_first_process_of_a_container_counts() {
        let mut snapshot = chain(&[SERVER]);
        let manager = process(1, 0, PYTHON, &["python3", "/usr/bin/supervisord", "-n"]);
        snapshot.processes.insert(1, manager);
        assert_eq!(supervisor_of(10, &snapshot).unwrap().name, "supervisord");
        assert_eq!(could_restart(10, &snapshot), [1]);
    }

    #[test]
    fn masters_and_reloaders() {
        let nginx = "/usr/sbin/nginx";
        let pool = chain(&[
            (nginx, &["nginx: master process nginx"]),
            (nginx, &["nginx: worker process"]),
        ]);
        let found = supervisor_of(11, &pool).unwrap();
        assert_eq!((found.kind, found.name.as_str()), (SupervisorKind::Master, "nginx"));
        assert_eq!(found.restarts, Some(true));
        assert_eq!(supervisor_of(10, &pool), None, "the master has none");

        let workers: [(&str, &[&str]); 2] =
            [(PYTHON, &["python3", "/x/pool.py"]), (PYTHON, &["python3", "/x/pool.py"])];
        let mut snapshot = chain(&workers);
        assert_eq!(supervisor_of(11, &snapshot).unwrap().kind, SupervisorKind::Parent);
        shared_socket(&mut snapshot, &[10, 11]);
        let found = supervisor_of(11, &snapshot).unwrap();
        assert_eq!((found.kind, found.restarts), (SupervisorKind::Master, None));

        // A parent of another kind that holds the socket too handed it down; it is no pool.
        let mut snapshot = chain(&[(PYTHON, &["python3", "spawn.py"]), SERVER]);
        shared_socket(&mut snapshot, &[10, 11]);
        assert_eq!(supervisor_of(11, &snapshot).unwrap().kind, SupervisorKind::Parent);

        for argv in [&["python", "manage.py", "runserver"][..], &["python", "/x/flask", "run"]] {
            let mut snapshot = chain(&[(PYTHON, argv), (PYTHON, argv)]);
            shared_socket(&mut snapshot, &[10, 11]);
            let found = supervisor_of(11, &snapshot).unwrap();
            assert_eq!((found.kind, found.restarts), (SupervisorKind::Watcher, Some(false)));
            assert_eq!(could_restart(11, &snapshot), [0; 0]);
        }
    }

    #[test]
    fn a_service_directory_names_the_service_and_its_stop() {
        for (exe, name, stop) in [
            ("/usr/bin/runsv", "runsv web", ["sv", "stop", "/etc/sv/web"]),
            ("/bin/s6-supervise", "s6-supervise web", ["s6-svc", "-d", "/etc/sv/web"]),
        ] {
            let mut snapshot = chain(&[(exe, &["x", "web"]), SERVER]);
            snapshot.processes.get_mut(&10).unwrap().cwd = Some("/etc/sv/web".to_owned());
            let found = supervisor_of(11, &snapshot).unwrap();
            assert_eq!((found.name.as_str(), found.stop), (name, Some(words(&stop))));
        }
    }

    #[test]
    fn units_win_over_ancestors() {
        let mut snapshot = chain(&[("/bin/bash", &["bash", "run.sh"]), SERVER]);
        in_cgroup(&mut snapshot, 11, "/system.slice/web.service");
        let found = supervisor_of(11, &snapshot).unwrap();
        assert_eq!((found.kind, found.restarts), (SupervisorKind::SystemdUnit, None));
        assert_eq!(found.stop, Some(words(&["systemctl", "stop", "web.service"])));
        assert_eq!(could_restart(11, &snapshot), [10, 1]);
    }

    #[test]
    fn a_users_unit_is_stopped_through_that_users_manager() {
        let systemd = ("/lib/systemd/systemd", &["systemd", "--user"][..]);
        let mut snapshot = chain(&[systemd, SERVER]);
        let cgroup = "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
        in_cgroup(&mut snapshot, 11, cgroup);
        let found = supervisor_of(11, &snapshot).unwrap();
        assert_eq!(found.kind, SupervisorKind::SystemdUserUnit);
        assert_eq!(found.stop, Some(words(&["systemctl", "--user", "stop", "web.service"])));
        assert_eq!(could_restart(11, &snapshot), [10]);
        snapshot.asker.uid = 0;
        let stop = words(&["systemctl", "--user", "--machine=me@", "stop", "web.service"]);
        assert_eq!(supervisor_of(11, &snapshot).unwrap().stop, Some(stop));
        snapshot.processes.get_mut(&11).unwrap().user = None;
        assert_eq!(supervisor_of(11, &snapshot).unwrap().stop, None);
    }

    #[test]
    fn a_unit_that_holds_a_session_supervises_nothing() {
        for unit in ["ssh.service", "cron.service", "app-code@1f.service"] {
            let mut snapshot = chain(&[SERVER]);
            in_cgroup(&mut snapshot, 10, &format!("/system.slice/{unit}"));
            assert_eq!(supervisor_of(10, &snapshot), None, "{unit}");
            assert_eq!(could_restart(10, &snapshot), [0; 0], "{unit}");
        }
        // Any unit in which somebody types into a shell above the process.
        let mut snapshot = chain(&[("/bin/zsh", &["zsh"]), SERVER]);
        with_terminal(&mut snapshot, 10);
        for pid in [10, 11] {
            in_cgroup(&mut snapshot, pid, "/system.slice/my-terminals.service");
        }
        assert_eq!(supervisor_of(11, &snapshot), None);
        // A shell outside of the unit says nothing.
        in_cgroup(&mut snapshot, 10, "/user.slice/user-1000.slice/session-2.scope");
        assert!(supervisor_of(11, &snapshot).is_some());
    }

    #[test]
    fn containers_win_over_units_and_name_their_monitor() {
        let id = "0123456789abcdef".repeat(4);
        let shim = ("/usr/bin/containerd-shim-runc-v2", &["containerd-shim-runc-v2"][..]);
        let mut snapshot = chain(&[shim, ("/bin/dash", &["sh", "/entry.sh"]), SERVER]);
        in_cgroup(&mut snapshot, 12, &format!("/system.slice/docker-{id}.scope"));
        let found = supervisor_of(12, &snapshot).unwrap();
        assert_eq!((found.kind, found.name.as_str()), (SupervisorKind::Container, "0123456789ab"));
        assert_eq!(found.stop, Some(words(&["docker", "stop", "0123456789ab"])));
        assert_eq!(could_restart(12, &snapshot), [11, 10]);

        // From inside of the container there is nothing to stop it with.
        snapshot.asker.pid = 11;
        in_cgroup(&mut snapshot, 11, &format!("/system.slice/docker-{id}.scope"));
        assert_eq!(supervisor_of(12, &snapshot), None, "the script waits for the asker");
    }

    #[test]
    fn stop_commands_are_given_only_where_they_work() {
        let id = "0123456789abcdef".repeat(4);
        let rootless = "/user.slice/user-1000.slice/user@1000.service/user.slice";
        for (cgroup, asker, want) in [
            (format!("{rootless}/libpod-{id}.scope"), 1000, true),
            (format!("{rootless}/libpod-{id}.scope"), 0, false),
            (format!("/machine.slice/libpod-{id}.scope"), 1000, true),
            (format!("/kubepods/podab/{id}"), 0, false),
            ("/lxc.payload.web".to_owned(), 0, false),
        ] {
            let mut snapshot = chain(&[SERVER]);
            snapshot.asker.uid = asker;
            in_cgroup(&mut snapshot, 10, &cgroup);
            let found = supervisor_of(10, &snapshot).unwrap();
            assert_eq!(found.kind, SupervisorKind::Container);
            assert_eq!(found.stop.is_some(), want, "{cgroup} as {asker}");
        }
    }

    #[test]
    fn a_process_that_claims_to_descend_from_itself_ends() {
        let mut snapshot = chain(&[("/bin/bash", &["bash", "run.sh"]), SERVER]);
        snapshot.processes.get_mut(&10).unwrap().ppid = 11;
        assert_eq!(could_restart(11, &snapshot), [10]);
        assert!(supervisor_of(11, &snapshot).is_some());
    }
}
