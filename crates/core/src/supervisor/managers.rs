//! The process managers known by name: which they are, the service each of them runs, and the
//! command that stops that service for good. The names come from marks, arguments and directories.

pub(super) use super::program::file_name;
use super::program::{Program, path_has};
use super::{Role, words};
use crate::marks::PM2_PROGRAM;
use crate::process::{Process, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;

/// The managers. `Some(true)` only for those that start again what was killed unless told
/// otherwise: PM2's autorestart, runit, s6, daemontools, OpenRC's supervise-daemon.
pub(super) fn manager_role(process: &Process) -> Option<Role> {
    const RESTARTS: [&str; 13] = [
        "pm2",
        "pm2-runtime",
        "runsv",
        "s6-supervise",
        "supervise",
        "supervise-daemon",
        "circusd",
        "forever",
        "immortal",
        "horust",
        "perpd",
        "nosh-service-manager",
        "service-manager",
    ];
    /// supervisord leaves a program alone that ended on purpose (`autorestart=unexpected`), as
    /// many do when they are asked.
    const MANAGES: [&str; 5] = ["supervisord", "monit", "overmind", "dinit", "process-compose"];
    let program = Program::of(process);
    let any = |names: &[&str]| names.iter().any(|name| program.is(name));
    if is_pm2(program) || is_forever(program) || any(&RESTARTS) {
        Some(Role::Manager(Some(true)))
    } else if ends_together(process) || any(&RUNS_MANY) || is_gradle(process) {
        Some(Role::Manager(Some(false)))
    } else if program.is("concurrently") || program.is("conc") {
        let again = program.has_beginning("--restart-tries");
        Some(Role::Manager(if again { None } else { Some(false) }))
    } else if any(&MANAGES) || is_overmind_session(process) {
        Some(Role::Manager(None))
    } else {
        None
    }
}

/// These run several things once, and leave the rest alone when one ends.
const RUNS_MANY: [&str; 7] = ["goreman", "turbo", "nx", "lerna", "npm-run-all", "wireit", "mprocs"];

/// Whether it ends everything when one of its processes ends.
pub(super) fn ends_together(process: &Process) -> bool {
    const ENDS: [&str; 4] = ["foreman", "honcho", "hivemind", "run-p"];
    let program = Program::of(process);
    ENDS.iter().any(|name| program.is(name))
        || (program.is("concurrently")
            && ["-k", "--kill-others"].iter().any(|option| program.has(option)))
}

/// Whether it is for one program only, so that nothing else ends with it.
pub(super) fn runs_one(program: Program<'_>) -> bool {
    is_forever(program) || program.is("forever")
}

/// Whether it is made to run many applications, none of which stands for the others.
pub(super) fn runs_applications(process: &Process) -> bool {
    let program = Program::of(process);
    is_pm2(program) || ["supervisord", "circusd"].iter().any(|name| program.is(name))
}

/// What people call a manager whose process goes by another name.
pub(super) fn known_as(program: Program<'_>) -> Option<&'static str> {
    if is_pm2(program) {
        return Some("pm2");
    }
    if is_forever(program) {
        return Some("forever");
    }
    // It writes one word over its arguments, and the executable is Python's.
    if program.is("circusd") {
        return Some("circusd");
    }
    program.has(GRADLE).then_some("the Gradle daemon")
}

/// PM2's daemon writes `PM2 v5.3.0: God Daemon (/home/me/.pm2)` over its arguments, which on Windows
/// stay `node …\pm2\lib\Daemon.js`.
pub(super) fn is_pm2(program: Program<'_>) -> bool {
    let is_daemon = |path| path_has(path, "/pm2/lib/Daemon.js");
    program.title.is_some_and(|title| title.starts_with("PM2 v"))
        || program.script == Some("Daemon") && program.script_path().is_some_and(is_daemon)
}

/// forever's monitor is `node …/forever/bin/monitor script.js`.
fn is_forever(program: Program<'_>) -> bool {
    program.script == Some("monitor")
        && program.first_argument().is_some_and(|path| path_has(path, "/forever/"))
}

/// The main class of Gradle's daemon.
const GRADLE: &str = "org.gradle.launcher.daemon.bootstrap.GradleDaemon";

/// Gradle's daemon runs builds one after the other, and the application of a `bootRun` in one.
fn is_gradle(process: &Process) -> bool {
    process.argv.iter().any(|argument| argument == GRADLE)
}

/// overmind runs each process in a window of a tmux of its own, with a socket named after it
/// (`overmind-APP-ID`); that tmux is no place where anybody sits.
fn is_overmind_session(process: &Process) -> bool {
    Program::of(process).is("tmux")
        && process.argv.iter().any(|argument| argument.starts_with("overmind-"))
}

/// The directory of the one service that runit, s6 or daemontools supervises here: these change
/// into it (runsv(8), s6-supervise, supervise).
pub(super) fn service_directory(process: &Process) -> Option<&str> {
    let file = Program::of(process).file;
    let one_each = matches!(file, "runsv" | "s6-supervise" | "supervise");
    process.cwd.as_deref().filter(|_| one_each)
}

/// The supervisor with the service's name and the command that stops it for good, where these are
/// certain. `path` leads from the process up to the manager, which is not in it.
pub(super) fn with_lever(
    supervisor: Supervisor,
    manager: &Process,
    path: &[&Process],
    snapshot: &Snapshot,
) -> Supervisor {
    let program = Program::of(manager);
    // Variables go down from parent to child, and a child may drop them.
    let mark = |name: &str| {
        path.iter().find_map(|process| snapshot.mark(process.id.pid, name)).map(str::to_owned)
    };
    let trusted = |name: &str| {
        let own = path.iter().filter(|process| is_same_user(process, manager));
        own.filter_map(|process| snapshot.mark(process.id.pid, name)).next().map(str::to_owned)
    };
    let owner = manager.uid.filter(|&uid| uid != 0);
    let supervisor = Supervisor { owner, ..supervisor };
    if is_pm2(program) {
        let worker = path.iter().rev().map(|process| process.id.pid).next();
        return pm2(supervisor, manager, worker.as_slice(), snapshot);
    }
    let (service, argv) = if program.is("supervisord") {
        let Some(name) = mark("SUPERVISOR_PROCESS_NAME") else { return supervisor };
        let group = mark("SUPERVISOR_GROUP_NAME").filter(|group| *group != name);
        if !group.as_deref().is_none_or(is_plain) || !is_plain(&name) {
            return supervisor;
        }
        let name = group.map_or(name.clone(), |group| format!("{group}:{name}"));
        let server = trusted("SUPERVISOR_SERVER_URL");
        let argv = supervisorctl(manager, server.as_deref(), &name);
        (Some(name), argv)
    } else if is_overmind_session(manager) {
        let name = trusted("PS").or_else(|| overmind_script(path));
        let name = name.filter(|name| is_plain(name));
        let argv = name.as_deref().and_then(|name| overmind(&trusted, path, name));
        (name, argv.filter(|_| path.iter().all(|process| is_same_user(process, manager))))
    } else if runs_one(program) {
        let own = path.iter().all(|process| is_same_user(process, manager));
        (None, forever(path).filter(|_| own))
    } else {
        (None, own_command(manager, program))
    };
    let name = match service {
        Some(service) if is_overmind_session(manager) => format!("overmind {service}"),
        Some(service) => format!("{} {service}", supervisor.name),
        None => supervisor.name,
    };
    let stop = argv.map(|argv| as_owner(argv, manager, snapshot));
    // Its command is for this service only.
    let takes_along = if stop.is_some() { Vec::new() } else { supervisor.takes_along };
    Supervisor { name, stop, takes_along, ..supervisor }
}

/// A daemon that holds the sockets of its children: it is the holder, and never the one to end.
/// That is pm2's in cluster mode.
pub(super) fn for_its_children(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let program = Program::of(process);
    let pid = process.id.pid;
    let holds = || snapshot.sockets.iter().any(|socket| socket.holders.has(pid));
    if !is_pm2(program) || !holds() {
        return None;
    }
    let workers = workers_of(process, snapshot);
    let supervisor = Supervisor {
        kind: SupervisorKind::ProcessManager,
        name: "pm2".to_owned(),
        pid: Some(pid),
        restarts: Some(true),
        owner: process.uid.filter(|&uid| uid != 0),
        ..Supervisor::default()
    };
    Some(pm2(supervisor, process, &workers, snapshot))
}

/// The children of pm2's daemon for which it holds sockets.
pub(super) fn workers_of(daemon: &Process, snapshot: &Snapshot) -> Vec<u32> {
    snapshot
        .children(daemon.id.pid)
        .unwrap_or_default()
        .into_iter()
        .map(|child| child.id.pid)
        // One in fork mode has its sockets itself.
        .filter(|&child| snapshot.mark(child, "exec_mode") == Some("cluster_mode"))
        .collect()
}

/// pm2's answer for these of its children, which are instances of one application or of several.
fn pm2(supervisor: Supervisor, daemon: &Process, of: &[u32], snapshot: &Snapshot) -> Supervisor {
    let name =
        |pid: u32| snapshot.mark(pid, "name").filter(|_| snapshot.mark(pid, "pm_id").is_some());
    let mut names: Vec<&str> = of.iter().filter_map(|&pid| name(pid)).collect();
    names.sort_unstable();
    names.dedup();
    let restarts = match of.iter().all(|&pid| snapshot.mark(pid, "autorestart") == Some("false")) {
        true if !of.is_empty() => Some(false),
        _ => supervisor.restarts,
    };
    let supervisor = Supervisor { restarts, ..supervisor };
    let [app] = names[..] else {
        let all = names.join(" or ");
        let name = if all.is_empty() { supervisor.name } else { format!("pm2 {all}") };
        let takes_along = names.into_iter().map(str::to_owned).collect();
        return Supervisor { name, takes_along, ..supervisor };
    };
    let others: Vec<u32> = snapshot
        .children(daemon.id.pid)
        .unwrap_or_default()
        .into_iter()
        .map(|child| child.id.pid)
        .filter(|&pid| !of.contains(&pid) && name(pid) == Some(app))
        .collect();
    let ids: Vec<&str> = of.iter().filter_map(|&pid| snapshot.mark(pid, "pm_id")).collect();
    // Namesakes are other servers; numbers, `all` and files mean something else to pm2.
    let by_name = others.is_empty() && is_plain(app) && !app.bytes().all(|b| b.is_ascii_digit());
    let meant = if by_name { vec![app] } else { ids };
    if !by_name && meant.iter().any(|id| id.parse::<u32>().is_err()) {
        return supervisor;
    }
    let home = Program::of(daemon).title.and_then(pm2_home);
    let program = std::iter::once(&daemon.id.pid)
        .chain(of)
        .filter(|pid| snapshot.processes.get(pid).is_some_and(|it| is_same_user(it, daemon)))
        .find_map(|&pid| snapshot.mark(pid, PM2_PROGRAM))
        .filter(|path| path.starts_with('/') && !is_on_every_path(path))
        .unwrap_or("pm2");
    let mut argv = Vec::new();
    if let Some(home) = home.filter(|home| !is_usual_home(home, daemon, snapshot)) {
        argv.extend(["env".to_owned(), format!("PM2_HOME={home}")]);
    }
    argv.extend(words(&[program, "stop"]));
    argv.extend(words(&meant));
    Supervisor {
        name: format!("pm2 {app}"),
        stop: Some(as_owner(argv, daemon, snapshot)),
        takes_along: Vec::new(),
        alone: false,
        ..supervisor
    }
}

/// Whether what that process says of where its manager is to be found may be believed: who is the
/// manager's own user could reach everything that the manager reaches anyway. Another's word would
/// have the manager's user, or root, run a program or ask a server of that other's choice.
fn is_same_user(process: &Process, manager: &Process) -> bool {
    manager.uid.is_some() && process.uid == manager.uid
}

/// Whether a name means nothing but itself to the command of a manager: no option, no pattern, no
/// file, not everything. A process may have written any name into its environment.
fn is_plain(name: &str) -> bool {
    const FILES: [&str; 6] = [".json", ".js", ".cjs", ".mjs", ".yml", ".yaml"];
    let plain = |c: char| c.is_alphanumeric() || "_-.@".contains(c);
    name.starts_with(char::is_alphanumeric)
        && name.chars().all(plain)
        && name != "all"
        && !FILES.iter().any(|extension| name.ends_with(extension))
}

/// The directory in `PM2 v5.3.0: God Daemon (/home/me/.pm2)`.
fn pm2_home(title: &str) -> Option<&str> {
    let (_, home) = title.split_once('(')?;
    home.strip_suffix(')').filter(|home| home.starts_with('/'))
}

/// Whether `pm2` finds that directory unasked: it is its user's, who is asking, and nothing in
/// the asker's environment points elsewhere.
fn is_usual_home(home: &str, daemon: &Process, snapshot: &Snapshot) -> bool {
    let asker = &snapshot.asker;
    let usual = match daemon.user.as_deref() {
        Some("root") => home == "/root/.pm2",
        Some(user) => home == format!("/home/{user}/.pm2"),
        None => false,
    };
    let pointed = snapshot.mark(asker.pid, "PM2_HOME").is_some_and(|other| other != home);
    usual && daemon.uid == Some(asker.uid) && !pointed
}

fn is_on_every_path(path: &str) -> bool {
    ["/usr/bin/pm2", "/usr/local/bin/pm2", "/bin/pm2"].contains(&path)
}

/// The configuration by name where the arguments have it, else the server by its address.
fn supervisorctl(manager: &Process, server: Option<&str>, name: &str) -> Option<Vec<String>> {
    let configuration = option_value(&manager.argv, "-c", "--configuration")
        .and_then(|path| absolute(path, manager.cwd.as_deref()));
    let [option, value] = match (&configuration, server) {
        (Some(path), _) => ["-c", path],
        (None, Some(url)) if !url.is_empty() => ["-s", url],
        _ => return Some(words(&["supervisorctl", "stop", name])),
    };
    Some(words(&["supervisorctl", option, value, "stop", name]))
}

/// overmind starts each process by a script that has its name, in a directory of its own.
fn overmind_script(path: &[&Process]) -> Option<String> {
    let script = path.iter().flat_map(|process| &process.argv).find(|argument| {
        argument.starts_with('/') && argument.split('/').any(|part| part.starts_with("overmind-"))
    })?;
    Some(file_name(script).to_owned())
}

fn overmind(
    mark: &dyn Fn(&str) -> Option<String>,
    path: &[&Process],
    name: &str,
) -> Option<Vec<String>> {
    let directory = path.iter().rev().find_map(|process| process.cwd.as_deref());
    let socket = mark("OVERMIND_SOCKET").unwrap_or_else(|| "./.overmind.sock".to_owned());
    Some(words(&["overmind", "stop", "-s", &absolute(&socket, directory)?, name]))
}

/// forever knows a script by the path that it runs.
fn forever(path: &[&Process]) -> Option<Vec<String>> {
    let child = path.last()?;
    let script = child.argv.iter().skip(1).find(|argument| !argument.starts_with('-'))?;
    Some(words(&["forever", "stop", &absolute(script, child.cwd.as_deref())?]))
}

/// The commands of managers whose service is in their own directory or arguments.
fn own_command(process: &Process, program: Program<'_>) -> Option<Vec<String>> {
    let directory = service_directory(process);
    match program.file {
        "runsv" => Some(words(&["sv", "stop", directory?])),
        "s6-supervise" => Some(words(&["s6-svc", "-d", directory?])),
        "supervise" => Some(words(&["svc", "-d", directory?])),
        "supervise-daemon" => Some(words(&["rc-service", program.first_argument()?, "stop"])),
        _ => None,
    }
}

/// The command as the manager's own user has to give it: with `runuser` where root asks, with
/// `sudo` where another does. What needs root is left for whoever prints or runs it to say. Windows has
/// neither.
fn as_owner(argv: Vec<String>, manager: &Process, snapshot: &Snapshot) -> Vec<String> {
    let asker = snapshot.asker.uid;
    let owner = manager.uid.filter(|&uid| uid != asker && uid != 0);
    let Some(owner) = owner.filter(|_| !snapshot.is_windows()) else {
        return argv;
    };
    let mut whole = match (&manager.user, asker) {
        (Some(user), 0) => words(&["runuser", "-u", user, "--"]),
        (Some(user), _) => words(&["sudo", "-u", user]),
        (None, _) => words(&["sudo", "-u", &format!("#{owner}")]),
    };
    whole.extend(argv);
    whole
}

/// The value of an option, behind it or in one word with it.
fn option_value<'a>(argv: &'a [String], short: &str, long: &str) -> Option<&'a str> {
    let mut words = argv.iter().skip(1);
    while let Some(word) = words.next() {
        if word == short || word == long {
            return words.next().map(String::as_str);
        }
        if let Some(value) = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
        if let Some(value) = word.strip_prefix(short).filter(|value| !value.is_empty())
            && !word.starts_with("--")
        {
            return Some(value);
        }
    }
    None
}

/// The path from the root of the file system.
fn absolute(path: &str, directory: Option<&str>) -> Option<String> {
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    let path = path.strip_prefix("./").unwrap_or(path);
    Some(format!("{}/{path}", directory?.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::tests::process;
    use super::*;

    fn strings(argv: &[&str]) -> Vec<String> {
        words(argv)
    }

    #[test]
    fn values_of_options() {
        for (argv, want) in [
            (&["supervisord", "-c", "/a.conf"][..], Some("/a.conf")),
            (&["supervisord", "-c/a.conf"], Some("/a.conf")),
            (&["supervisord", "-n", "--configuration", "/a.conf"], Some("/a.conf")),
            (&["supervisord", "--configuration=/a.conf"], Some("/a.conf")),
            (&["supervisord", "-c"], None),
            (&["supervisord", "--config-not=/a"], None),
            (&["-c", "x"], None),
            (&[], None),
        ] {
            assert_eq!(option_value(&strings(argv), "-c", "--configuration"), want, "{argv:?}");
        }
    }

    #[test]
    fn paths_from_the_root() {
        assert_eq!(absolute("/a/b", None).as_deref(), Some("/a/b"));
        assert_eq!(absolute("./b", Some("/a/")).as_deref(), Some("/a/b"));
        assert_eq!(absolute("b", Some("/")).as_deref(), Some("/b"));
        assert_eq!(absolute("b", None), None);
    }

    #[test]
    fn whoever_owns_a_manager_has_to_ask_it() {
        let mut manager = process(50, 1, "/usr/bin/node", &["x"]);
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        for (asker, owner, user, want) in [
            (1000, Some(1000), Some("me"), "stop"),
            (0, Some(1000), Some("me"), "runuser -u me -- stop"),
            (0, Some(1000), None, "sudo -u #1000 stop"),
            (1001, Some(1000), Some("me"), "sudo -u me stop"),
            // Who prints it says that root has to.
            (1001, Some(0), Some("root"), "stop"),
            (1001, None, None, "stop"),
        ] {
            snapshot.asker.uid = asker;
            (manager.uid, manager.user) = (owner, user.map(str::to_owned));
            let argv = as_owner(strings(&["stop"]), &manager, &snapshot).join(" ");
            assert_eq!(argv, want, "{asker} asks {owner:?}");
        }
    }

    /// pm2's own application `web` with id 2 and its daemon, asked as their user.
    fn pm2_stop(home: &str, marks: &[(&str, &str)], asker_home: Option<&str>) -> String {
        let title = format!("PM2 v7.0.4: God Daemon ({home})");
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.asker.uid = 1000;
        snapshot.asker.pid = 90;
        let daemon = process(50, 1, "/usr/bin/node", &[&title]);
        let app = process(51, 50, "/usr/bin/node", &["node /srv/app.js"]);
        snapshot.processes.extend([(50, daemon), (51, app)]);
        snapshot.families.insert(50);
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        snapshot.marks.insert(51, own(marks));
        if let Some(home) = asker_home {
            snapshot.marks.insert(90, own(&[("PM2_HOME", home)]));
        }
        let found = super::super::supervisor_of(51, &snapshot).unwrap();
        found.stop.unwrap_or_default().join(" ")
    }

    #[test]
    fn pm2_is_asked_where_it_lives() {
        let web = [("name", "web"), ("pm_id", "2")];
        let usual = "/home/me/.pm2";
        assert_eq!(pm2_stop(usual, &web, None), "pm2 stop web");
        assert_eq!(pm2_stop(usual, &web, Some(usual)), "pm2 stop web");
        assert_eq!(pm2_stop(usual, &web, Some("/x")), "env PM2_HOME=/home/me/.pm2 pm2 stop web");
        assert_eq!(pm2_stop("/srv/pm2", &web, None), "env PM2_HOME=/srv/pm2 pm2 stop web");
        // Without its number a name is any program's.
        assert_eq!(pm2_stop(usual, &[("name", "web")], None), "");
        assert_eq!(pm2_stop(usual, &[], None), "");
        // These names mean something else to pm2.
        for name in ["all", "7", "-x", "/x/", "app.json", "a b"] {
            assert_eq!(pm2_stop(usual, &[("name", name), ("pm_id", "2")], None), "pm2 stop 2");
        }
        let forged = [("name", "all"), ("pm_id", "all")];
        assert_eq!(pm2_stop(usual, &forged, None), "", "nothing is stopped that was not meant");
        for (path, want) in [
            ("/srv/node_modules/.bin/pm2", "/srv/node_modules/.bin/pm2 stop web"),
            ("/usr/bin/pm2", "pm2 stop web"),
            ("node_modules/.bin/pm2", "pm2 stop web"),
        ] {
            let marks = [("name", "web"), ("pm_id", "2"), (PM2_PROGRAM, path)];
            assert_eq!(pm2_stop(usual, &marks, None), want);
        }
    }

    #[test]
    fn forever_knows_a_script_by_its_path() {
        let mut child = process(51, 50, "/usr/bin/node", &["/usr/bin/node", "--inspect", "a.js"]);
        child.cwd = Some("/srv".to_owned());
        assert_eq!(forever(&[&child]), Some(strings(&["forever", "stop", "/srv/a.js"])));
        assert_eq!(forever(&[]), None);
    }
}
