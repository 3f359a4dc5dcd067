//! Who runs a process and would start it again: a container engine, a service manager, a process
//! manager, a watcher, the master of a pool, or a parent that waits. Told from control groups and
//! ancestors alone; nobody is asked.

mod cgroup;
mod door;
mod program;
mod session;

pub use cgroup::{container_of, manager_user, unit_of};
pub use door::{container_proxy, door};
pub use session::is_interactive_shell;

use program::{Program, file_name};

use crate::process::{Container, Process, ProcessState, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;

/// Who runs this process. The container first, then the service, then the nearest known manager,
/// watcher or pool master among its ancestors, then a parent that merely is there. `None` for a
/// job of an interactive shell, for an orphan, and for a process that was not seen.
///
/// A container or service that also holds the asker is not its supervisor: from inside it there
/// is no stopping it from outside. That shows only where the snapshot has the asker's ancestors.
pub fn supervisor_of(pid: u32, snapshot: &Snapshot) -> Option<Supervisor> {
    let process = snapshot.processes.get(&pid)?;
    box_of(process, snapshot).or_else(|| relative_of(process, snapshot))
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

/// Whether a process is systemd as a manager of units: the machine's first process, or a user's.
pub fn is_service_manager(process: &Process) -> bool {
    (process.id.pid == 1 || process.ppid == 1) && process.program() == "systemd"
}

/// The container or the service of a process.
fn box_of(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let container = container_supervisor(process, snapshot);
    container.or_else(|| unit_supervisor(process, snapshot))
}

fn container_supervisor(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let container = process.container.as_ref()?;
    if askers(snapshot).any(|asker| asker.container.as_ref() == Some(container)) {
        return None;
    }
    let name = short_id(&container.id);
    let owner = process.cgroup.as_deref().and_then(manager_user);
    let stop = match owner {
        // A rootless engine knows its containers only when its own user asks.
        Some(owner) if owner != snapshot.asker.uid => None,
        _ => container_stop(container, name),
    };
    Some(Supervisor {
        kind: SupervisorKind::Container,
        name: name.to_owned(),
        pid: None,
        restarts: None,
        stop,
        ..Supervisor::default()
    })
}

/// Engines whose command line stops a container for good. Kubernetes would only start another;
/// several programs drive containerd, CRI-O and LXC.
fn container_stop(container: &Container, name: &str) -> Option<Vec<String>> {
    match container.engine.as_str() {
        engine @ ("docker" | "podman") => Some(words(&[engine, "stop", name])),
        "nspawn" => Some(words(&["machinectl", "stop", name])),
        _ => None,
    }
}

/// The 12 digits engines print of an id; other names whole.
fn short_id(id: &str) -> &str {
    if cgroup::is_id(id) { &id[..12] } else { id }
}

fn unit_supervisor(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let cgroup = process.cgroup.as_deref()?;
    let (unit, user) = unit_of(cgroup)?;
    let same = |other: &Process| {
        other.cgroup.as_deref().and_then(unit_of).is_some_and(|other| other == (unit.clone(), user))
    };
    // Somebody typed this process into a shell that lives in the unit: sshd without its PAM
    // module, tmux as a user's service, a CI runner.
    let by_hand = snapshot
        .ancestors(process.id.pid)
        .into_iter()
        .any(|ancestor| is_interactive_shell(ancestor) && same(ancestor));
    if by_hand || session::is_session_unit(&unit) || askers(snapshot).any(same) {
        return None;
    }
    let stop = match manager_user(cgroup).filter(|_| user) {
        None => Some(words(&["systemctl", "stop", &unit])),
        Some(owner) if owner == snapshot.asker.uid => {
            Some(words(&["systemctl", "--user", "stop", &unit]))
        }
        Some(owner) => process.user.as_ref().filter(|_| process.uid == Some(owner)).map(|name| {
            words(&["systemctl", "--user", &format!("--machine={name}@"), "stop", &unit])
        }),
    };
    Some(Supervisor {
        kind: if user { SupervisorKind::SystemdUserUnit } else { SupervisorKind::SystemdUnit },
        name: unit,
        pid: None,
        // Restart= is known only to systemd.
        restarts: None,
        stop,
        ..Supervisor::default()
    })
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
    /// Runs it once, waits, and ends: `npm run`, `sh -c`, `sudo`.
    Wrapper,
    /// A parent that may do anything, such as a script.
    Parent,
}

impl Role {
    const fn restarts(self) -> Option<bool> {
        match self {
            Self::Manager(restarts) | Self::Watcher(restarts) | Self::Master(restarts) => restarts,
            Self::Wrapper => Some(false),
            Self::Parent => None,
        }
    }

    const fn kind(self) -> SupervisorKind {
        match self {
            Self::Manager(_) => SupervisorKind::ProcessManager,
            Self::Watcher(_) => SupervisorKind::Watcher,
            Self::Master(_) => SupervisorKind::Master,
            Self::Wrapper | Self::Parent => SupervisorKind::Parent,
        }
    }

    const fn is_known(self) -> bool {
        matches!(self, Self::Manager(_) | Self::Watcher(_) | Self::Master(_))
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

/// The ancestor that supervises a process: the nearest with a known role, else the nearest that
/// may do anything, else the outermost wrapper, which is what somebody typed.
fn relative_of(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let links: Vec<Link<'_>> = lineage(process, snapshot).collect();
    let link = links
        .iter()
        .find(|link| link.role.is_known())
        .or_else(|| links.iter().find(|link| link.role == Role::Parent))
        .or_else(|| links.last())?;
    Some(Supervisor {
        kind: link.role.kind(),
        name: supervisor_name(link.parent),
        pid: Some(link.parent.id.pid),
        restarts: link.role.restarts(),
        stop: stop_command(link.parent),
        ..Supervisor::default()
    })
}

/// What this parent is to that child; `None` where the story ends. Known managers come before
/// the places where it ends: in a container the first process may be one.
fn role(parent: &Process, child: &Process, snapshot: &Snapshot) -> Option<Role> {
    if parent.state == ProcessState::Zombie {
        return None;
    }
    let program = Program::of(parent);
    known_role(program)
        .or_else(|| reloader_role(parent, child))
        .or_else(|| master_role(parent, child, snapshot))
        .or_else(|| (!session::is_session_host(parent)).then(|| waiting_role(program)))
}

/// The programs known by name. `Some(true)` only for those that start again what was killed
/// unless told otherwise: PM2's autorestart, runit, s6, daemontools, supervisord (a death by a
/// signal is unexpected to it), OpenRC's supervise-daemon.
fn known_role(program: Program<'_>) -> Option<Role> {
    const RESTARTS: [&str; 12] = [
        "pm2",
        "runsv",
        "s6-supervise",
        "supervise",
        "supervise-daemon",
        "supervisord",
        "circusd",
        "forever",
        "immortal",
        "horust",
        "perpd",
        "nosh-service-manager",
    ];
    const MANAGES: [&str; 5] = ["monit", "overmind", "concurrently", "dinit", "process-compose"];
    /// These end all when one ends.
    const ENDS_TOGETHER: [&str; 4] = ["foreman", "honcho", "hivemind", "goreman"];
    const WATCHES: [&str; 16] = [
        "nodemon",
        "cargo-watch",
        "watchexec",
        "entr",
        "air",
        "bacon",
        "watchmedo",
        "ts-node-dev",
        "tsnd",
        "node-dev",
        "gow",
        "modd",
        "wgo",
        "CompileDaemon",
        "hupper",
        "watchfiles",
    ];
    let any = |names: &[&str]| names.iter().any(|name| program.is(name));
    if is_pm2(program) || is_forever(program) || any(&RESTARTS) {
        Some(Role::Manager(Some(true)))
    } else if any(&ENDS_TOGETHER) {
        Some(Role::Manager(Some(false)))
    } else if any(&MANAGES) {
        Some(Role::Manager(None))
    } else if any(&WATCHES) || watches_by_option(program) {
        Some(Role::Watcher(Some(true)))
    } else {
        None
    }
}

/// PM2's daemon writes `PM2 v5.3.0: God Daemon (/home/me/.pm2)` over its arguments.
fn is_pm2(program: Program<'_>) -> bool {
    program.title.is_some_and(|title| title.starts_with("PM2 v"))
}

/// forever's monitor is `node …/forever/bin/monitor script.js`.
fn is_forever(program: Program<'_>) -> bool {
    program.script == Some("monitor")
        && program.first_argument().is_some_and(|path| path.contains("/forever/"))
}

/// Runtimes and servers that watch when told to.
fn watches_by_option(program: Program<'_>) -> bool {
    let flag = |name: &str| program.has(name);
    (program.is("node") && program.has_option("--watch"))
        || (program.is("bun") && (flag("--watch") || flag("--hot")))
        || (program.is("tsx") && flag("watch"))
        || (program.is("dotnet") && program.first_argument() == Some("watch"))
        || (["uvicorn", "hypercorn", "granian", "sanic"].iter().any(|name| program.is(name))
            && flag("--reload"))
        || (program.is("fastapi") && flag("dev"))
}

/// The reloaders of Django and Flask: the parent runs itself once more, and again only if that
/// child asks for it. A child that is killed takes the parent with it.
fn reloader_role(parent: &Process, child: &Process) -> Option<Role> {
    let (above, below) = (Program::of(parent), Program::of(child));
    let same = parent.argv.len() > 1 && parent.argv.get(1..) == child.argv.get(1..);
    let reloads = above.has("runserver") || above.is("flask");
    (same && reloads && above.file.starts_with("python") && above.file == below.file)
        .then_some(Role::Watcher(Some(false)))
}

/// The master of a pool: it says so, or it is the same program and holds a socket of the child.
fn master_role(parent: &Process, child: &Process, snapshot: &Snapshot) -> Option<Role> {
    /// Masters which replace a worker that ends.
    const REPLACES: [&str; 11] = [
        "nginx",
        "apache2",
        "httpd",
        "php-fpm",
        "gunicorn",
        "puma",
        "unicorn",
        "uwsgi",
        "uWSGI",
        "haproxy",
        "openresty",
    ];
    let program = Program::of(parent);
    let known = REPLACES.iter().any(|name| program.is(name)) || program.file.starts_with("php-fpm");
    let says_so = program.title.is_some_and(|title| {
        title.contains(" master") || title.contains(": master") || title.starts_with("puma ")
    });
    let same_program = match (&parent.exe, &child.exe) {
        (Some(above), Some(below)) => above == below,
        _ => parent.name == child.name,
    };
    if same_program && ((known && says_so) || share_a_socket(parent, child, snapshot)) {
        return Some(Role::Master(known.then_some(true)));
    }
    None
}

fn share_a_socket(parent: &Process, child: &Process, snapshot: &Snapshot) -> bool {
    snapshot.sockets.iter().any(|socket| {
        let holds = |process: &Process| {
            socket.holders.list().iter().any(|holder| holder.pid == process.id.pid)
        };
        holds(parent) && holds(child)
    })
}

/// A parent without a known role: a wrapper where that is certain.
fn waiting_role(program: Program<'_>) -> Role {
    const RUN_ONCE: [&str; 37] = [
        "npm",
        "npm-cli",
        "npx",
        "npx-cli",
        "yarn",
        "yarnpkg",
        "pnpm",
        "pnpx",
        "bunx",
        "corepack",
        "volta",
        "cross-env",
        "dotenv",
        "env-cmd",
        "make",
        "gmake",
        "uv",
        "uvx",
        "poetry",
        "pipenv",
        "hatch",
        "rye",
        "pdm",
        "bundle",
        "sudo",
        "doas",
        "su",
        "runuser",
        "pkexec",
        "timeout",
        "time",
        "script",
        "strace",
        "ltrace",
        "tini",
        "dumb-init",
        "catatonit",
    ];
    let once = match program.command_text() {
        Some(text) => runs_once(text),
        None => RUN_ONCE.iter().any(|name| program.is(name)),
    };
    if once { Role::Wrapper } else { Role::Parent }
}

/// Whether the text of `sh -c TEXT` has nothing that could run a command twice.
fn runs_once(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "while", "until", "for", "select", "trap", "eval", "source", ".", "function", "alias",
        "repeat",
    ];
    !text.contains(['{', '`', '\n', '(', '$', '|'])
        && !text.split([' ', '\t', ';', '&']).any(|word| WORDS.contains(&word))
}

/// What to call it: the program or script, and for supervisors of one service each, the service.
fn supervisor_name(process: &Process) -> String {
    let program = Program::of(process);
    if is_pm2(program) {
        return "pm2".to_owned();
    }
    if is_forever(program) {
        return "forever".to_owned();
    }
    match (program.name(), service_directory(process)) {
        (name, Some(directory)) => format!("{name} {}", file_name(directory)),
        (name, None) => name.to_owned(),
    }
}

/// The directory of the one service that runit, s6 or daemontools supervises here: these change
/// into it (runsv(8), s6-supervise, supervise).
fn service_directory(process: &Process) -> Option<&str> {
    let file = Program::of(process).file;
    let one_each = matches!(file, "runsv" | "s6-supervise" | "supervise");
    process.cwd.as_deref().filter(|_| one_each)
}

/// The command that stops the service for good, where the service's name is certain. pm2,
/// supervisord and circus know names which neither arguments nor groups carry.
fn stop_command(process: &Process) -> Option<Vec<String>> {
    let program = Program::of(process);
    let directory = service_directory(process);
    match program.file {
        "runsv" => Some(words(&["sv", "stop", directory?])),
        "s6-supervise" => Some(words(&["s6-svc", "-d", directory?])),
        "supervise" => Some(words(&["svc", "-d", directory?])),
        "supervise-daemon" => Some(words(&["rc-service", program.first_argument()?, "stop"])),
        _ => None,
    }
}

fn words(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::process::ProcessId;
    use crate::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol, Socket};

    /// A sleeping process without a terminal or a control group.
    pub(super) fn process(pid: u32, ppid: u32, exe: &str, argv: &[&str]) -> Process {
        Process {
            id: ProcessId { pid, start: u64::from(pid) },
            ppid,
            name: file_name(exe).chars().take(15).collect(),
            exe: Some(exe.to_owned()),
            exe_deleted: false,
            argv: words(argv),
            cwd: None,
            uid: Some(1000),
            user: Some("me".to_owned()),
            state: ProcessState::Sleeping,
            started_at: None,
            group: None,
            session: None,
            terminal: None,
            threads: Some(1),
            kernel_thread: false,
            cgroup: None,
            unit: None,
            container: None,
        }
    }

    /// PID 1, then each the child of the one before, with PIDs 10, 11, …
    fn chain(links: &[(&str, &[&str])]) -> Snapshot {
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

    fn in_cgroup(snapshot: &mut Snapshot, pid: u32, cgroup: &str) {
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
                Some(true),
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
            (NODE, &["node", "--watch", "a.js"], Watcher, "a", Some(true)),
            (NODE, &["node", "--watch-path=src", "a.js"], Watcher, "a", Some(true)),
            (NODE, &["node", "a.js", "--watch"], Parent, "a", None),
            (NODE, &["node", "/x/.bin/tsx", "watch", "a.ts"], Watcher, "tsx", Some(true)),
            (
                "/home/me/.cargo/bin/cargo-watch",
                &["cargo", "watch"],
                Watcher,
                "cargo-watch",
                Some(true),
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
            ("/bin/bash", &["bash", "./run.sh"], Parent, "run.sh", None),
            ("/bin/dash", &["sh", "-c", "while :; do node a.js; done"], Parent, "dash", None),
            ("/bin/dash", &["sh", "-c", "node a.js || node a.js"], Parent, "dash", None),
            ("/bin/dash", &["sh", "-c", "PORT=3000 node a.js"], Parent, "dash", Some(false)),
            (PYTHON, &["python3", "/x/spawn.py"], Parent, "spawn", None),
            (NODE, &["npm run dev"], Parent, "npm", Some(false)),
            ("/usr/bin/make", &["make", "serve"], Parent, "make", Some(false)),
        ];
        for (exe, argv, kind, name, restarts) in cases {
            let snapshot = chain(&[(exe, argv), SERVER]);
            let found = supervisor_of(11, &snapshot).unwrap();
            assert_eq!((found.kind, found.name.as_str()), (*kind, *name), "{argv:?}");
            assert_eq!((found.restarts, found.pid, &found.stop), (*restarts, Some(10), &None));
            let watch = if *restarts == Some(false) { vec![] } else { vec![10] };
            assert_eq!(could_restart(11, &snapshot), watch, "{argv:?}");
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
        ] {
            let mut snapshot = chain(&[(exe, argv), SERVER]);
            with_terminal(&mut snapshot, 10);
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

        let workers: [(&str, &[&str]); 2] = [
            (PYTHON, &["python3", "/x/gunicorn", "app"]),
            (PYTHON, &["python3", "/x/gunicorn", "app"]),
        ];
        let mut snapshot = chain(&workers);
        assert_eq!(supervisor_of(11, &snapshot).unwrap().kind, SupervisorKind::Parent);
        shared_socket(&mut snapshot, &[10, 11]);
        let found = supervisor_of(11, &snapshot).unwrap();
        assert_eq!((found.kind, found.restarts), (SupervisorKind::Master, Some(true)));

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
        assert_eq!(supervisor_of(12, &snapshot).unwrap().name, "entry.sh");
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
