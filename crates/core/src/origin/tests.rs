use std::time::SystemTime;

use super::*;
use crate::engine::Compose;
use crate::process::{Container, ProcessId, ProcessState};

const SHOP: &str = "/home/me/shop";
const FEATURE: &str = "/home/me/wt/feature-x";

/// A machine under construction: PID 1, and what is added.
struct Machine(Snapshot);

impl Machine {
    fn new() -> Self {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.asker.uid = 1000;
        let mut machine = Self(snapshot);
        machine.add(1, 0, "/usr/lib/systemd/systemd", None).uid = Some(0);
        machine.trees(&[SHOP, FEATURE]);
        machine
    }

    /// The usual asker: a shell (100) in pts/1, in the shop, which runs `proc` (900).
    fn with_asker() -> Self {
        let mut machine = Self::new();
        machine.shell(100, "pts/1", SHOP);
        machine.ask_from(100, Some(SHOP));
        machine
    }

    fn trees(&mut self, trees: &[&str]) {
        for tree in trees {
            for directory in [(*tree).to_owned(), format!("{tree}/web")] {
                self.0.projects.insert(directory, (*tree).to_owned());
            }
        }
    }

    fn add(&mut self, pid: u32, ppid: u32, exe: &str, cwd: Option<&str>) -> &mut Process {
        let file = exe.rsplit('/').next().unwrap();
        let process = Process {
            ppid,
            name: file.to_owned(),
            exe: Some(exe.to_owned()),
            argv: vec![file.to_owned()],
            cwd: cwd.map(str::to_owned),
            uid: Some(1000),
            user: Some("me".to_owned()),
            state: ProcessState::Sleeping,
            session: Some(pid),
            threads: Some(1),
            ..Process::unread(ProcessId { pid, start: u64::from(pid) })
        };
        self.0.processes.insert(pid, process);
        self.of(pid)
    }

    fn of(&mut self, pid: u32) -> &mut Process {
        self.0.processes.get_mut(&pid).unwrap()
    }

    fn shell(&mut self, pid: u32, terminal: &str, cwd: &str) {
        self.add(pid, 1, "/usr/bin/zsh", Some(cwd)).terminal = Some(terminal.to_owned());
    }

    /// A process in the session of its parent.
    fn child(&mut self, pid: u32, ppid: u32, exe: &str, cwd: Option<&str>) -> &mut Process {
        let parent = self.of(ppid).clone();
        let process = self.add(pid, ppid, exe, cwd);
        process.session = parent.session;
        process.terminal = parent.terminal;
        process
    }

    fn server(&mut self, pid: u32, ppid: u32, cwd: &str) -> &mut Process {
        self.child(pid, ppid, "/usr/bin/node", Some(cwd))
    }

    /// A server that nobody is above, in a session of its own.
    fn orphan(&mut self, pid: u32, cwd: &str) -> &mut Process {
        self.add(pid, 1, "/usr/bin/node", Some(cwd))
    }

    fn ask_from(&mut self, ppid: u32, cwd: Option<&str>) {
        self.child(900, ppid, "/usr/bin/proc", cwd);
        let above = self.0.ancestors(900).iter().map(|process| process.id.pid).collect();
        self.0.asker.pid = 900;
        self.0.asker.ancestors = above;
    }

    fn mark(&mut self, pid: u32, name: &str, value: &str) {
        self.0.marks.entry(pid).or_default().insert(name.to_owned(), value.to_owned());
    }

    fn project(&self, pid: u32) -> Option<String> {
        origin_of(pid, &self.0).project
    }

    fn why(&self, pid: u32) -> Option<NotMine> {
        is_mine(pid, &self.0).err().map(|theirs| theirs.why)
    }
}

#[test]
fn the_same_work_tree_is_mine_and_another_is_not() {
    let mut machine = Machine::with_asker();
    machine.shell(200, "pts/2", FEATURE);
    machine.server(201, 200, SHOP);
    machine.server(202, 200, "/home/me/shop/web");
    machine.server(203, 200, FEATURE);
    machine.orphan(300, SHOP);
    machine.orphan(301, "/home/me/wt/feature-x/web");
    assert_eq!(machine.why(201), None);
    assert_eq!(machine.why(202), None);
    assert_eq!(machine.why(203), Some(NotMine::AnotherProject));
    assert_eq!(machine.why(300), None, "an orphan is its project's");
    assert_eq!(machine.why(301), Some(NotMine::AnotherProject));
    assert_eq!(machine.why(4242), Some(NotMine::Unknown), "nobody was seen");
    let theirs = is_mine(203, &machine.0).unwrap_err();
    assert_eq!(theirs.origin.project.as_deref(), Some(FEATURE));
    assert_eq!(theirs.own_project.as_deref(), Some(SHOP));
}

#[test]
fn the_same_terminal_is_mine_whatever_the_directory() {
    let mut machine = Machine::with_asker();
    machine.server(101, 100, FEATURE);
    machine.server(102, 100, "/");
    assert_eq!((machine.why(101), machine.why(102)), (None, None));
    // Its shell is gone, and the terminal's number is another's by now.
    machine.orphan(103, FEATURE).terminal = Some("pts/1".to_owned());
    assert_eq!(machine.why(103), Some(NotMine::AnotherProject));
    machine.of(103).session = Some(100);
    assert_eq!(machine.why(103), None);
}

#[test]
fn panes_are_sessions_and_the_kernels_terminals_come_first() {
    let mut machine = Machine::with_asker();
    machine.mark(100, "TMUX", "/tmp/tmux-1000/default,77,0");
    machine.mark(100, "TMUX_PANE", "%1");
    for (pid, tmux, pane, want) in [
        (300, "/tmp/tmux-1000/default,77,0", "%1", None),
        // The pane was moved to another session of the same server.
        (301, "/tmp/tmux-1000/default,77,4", "%1", None),
        (302, "/tmp/tmux-1000/default,77,0", "%2", Some(NotMine::AnotherSession)),
        (303, "/tmp/tmux-1000/other,78,0", "%1", Some(NotMine::AnotherSession)),
    ] {
        machine.orphan(pid, "/srv/data");
        machine.mark(pid, "TMUX", tmux);
        machine.mark(pid, "TMUX_PANE", pane);
        assert_eq!(machine.why(pid), want, "{pane} of {tmux}");
    }
    // An editor started from that pane passes its marks on to terminals of its own.
    machine.shell(400, "pts/7", "/srv");
    machine.server(401, 400, "/srv");
    for (name, value) in [("TMUX", "/tmp/tmux-1000/default,77,0"), ("TMUX_PANE", "%1")] {
        machine.mark(401, name, value);
    }
    assert_eq!(machine.why(401), Some(NotMine::AnotherSession));
    let session = origin_of(300, &machine.0).session.unwrap();
    assert_eq!(session.to_string(), "tmux pane %1");
}

#[test]
fn a_terminal_inside_a_terminal_is_the_outer_one_too() {
    let mut machine = Machine::new();
    machine.shell(100, "pts/1", "/srv");
    machine.server(150, 100, "/srv");
    // sudo with a terminal of its own.
    machine.child(110, 100, "/usr/bin/sudo", None).uid = Some(0);
    machine.add(111, 110, "/usr/bin/sudo", None).terminal = Some("pts/9".to_owned());
    machine.of(111).uid = Some(0);
    machine.ask_from(111, Some("/srv"));
    machine.of(900).uid = Some(0);
    machine.0.asker.uid = 0;
    assert_eq!(machine.why(150), None);
    // By the chain alone; sudo's own word says the same.
    machine.mark(900, "SUDO_UID", "1000");
    assert_eq!(machine.why(150), None);
    machine.mark(900, "SUDO_UID", "1001");
    assert_eq!(machine.why(150), Some(NotMine::AnotherUser));
}

#[test]
fn root_is_not_everybody() {
    let mut machine = Machine::with_asker();
    machine.0.asker.uid = 0;
    machine.of(900).uid = Some(0);
    machine.of(100).uid = Some(0);
    machine.orphan(300, SHOP);
    assert_eq!(machine.why(300), Some(NotMine::AnotherUser), "root asks, and it is me's");
    machine.of(300).uid = Some(0);
    assert_eq!(machine.why(300), None);
    // A server that I started by sudo is mine.
    machine.mark(300, "SUDO_UID", "1000");
    assert_eq!(machine.why(300), Some(NotMine::AnotherUser));
    machine.mark(900, "SUDO_UID", "1000");
    assert_eq!(machine.why(300), None);
    machine.of(300).uid = Some(33);
    assert_eq!(machine.why(300), Some(NotMine::AnotherUser));
    machine.of(300).uid = None;
    assert_eq!(machine.why(300), Some(NotMine::Unknown));
}

#[test]
fn another_users_is_named() {
    let mut machine = Machine::with_asker();
    let server = machine.orphan(300, SHOP);
    (server.uid, server.user) = (Some(1001), Some("you".to_owned()));
    let theirs = is_mine(300, &machine.0).unwrap_err();
    assert_eq!((theirs.why, theirs.user.as_deref()), (NotMine::AnotherUser, Some("you")));
    machine.of(300).user = None;
    let theirs = is_mine(300, &machine.0).unwrap_err();
    assert_eq!(theirs.user.as_deref(), Some("user 1001"));
}

/// An agent (800) in pts/8 that asks, and another (880) in pts/9, both in the shop.
fn two_agents() -> Machine {
    let mut machine = Machine::new();
    for (shell, agent, terminal) in [(801, 800, "pts/8"), (881, 880, "pts/9")] {
        machine.shell(shell, terminal, SHOP);
        machine.child(agent, shell, "/usr/bin/claude", Some(SHOP));
        // Its tools have sessions of their own.
        machine.add(agent + 5, agent, "/usr/bin/bash", Some(SHOP));
    }
    machine.ask_from(805, Some(SHOP));
    machine
}

#[test]
fn two_agents_in_one_work_tree() {
    let mut machine = two_agents();
    machine.add(810, 800, "/usr/bin/bash", Some(FEATURE));
    machine.server(811, 810, FEATURE);
    machine.server(886, 885, SHOP);
    assert_eq!(machine.why(811), None, "its own agent's, wherever");
    assert_eq!(machine.why(886), Some(NotMine::AnotherAgent));
    machine.server(887, 885, FEATURE);
    assert_eq!(machine.why(887), Some(NotMine::AnotherProject));
    let theirs = is_mine(886, &machine.0).unwrap_err();
    let agent = theirs.origin.agent.unwrap();
    assert_eq!((agent.named(), agent.pid), ("claude (pid 880)".to_owned(), Some(880)));
    // Whoever left it has ended, or cannot be told: by project.
    machine.orphan(300, SHOP);
    machine.mark(300, "CLAUDECODE", "1");
    assert_eq!(machine.why(300), None);
    let agent = origin_of(300, &machine.0).agent.unwrap();
    assert_eq!((&*agent.name, agent.pid), ("claude", None));
    machine.of(300).cwd = Some(FEATURE.to_owned());
    assert_eq!(machine.why(300), Some(NotMine::AnotherProject));
}

#[test]
fn an_agent_below_an_agent() {
    let mut machine = two_agents();
    machine.add(820, 805, "/usr/bin/codex", Some(FEATURE));
    machine.server(821, 820, FEATURE);
    assert_eq!(machine.why(821), None, "what my agent's agent started is mine");
    machine.server(806, 805, SHOP);
    machine.ask_from(820, Some(SHOP));
    assert_eq!(machine.why(806), Some(NotMine::AnotherAgent), "but not the other way round");
}

#[test]
fn a_person_and_an_agent() {
    let mut machine = two_agents();
    machine.server(886, 885, SHOP);
    // From a third terminal the agent is somebody at work.
    machine.shell(100, "pts/1", SHOP);
    machine.ask_from(100, Some(SHOP));
    assert_eq!(machine.why(886), Some(NotMine::AnotherAgent));
    // From the agent's own terminal it is my agent (suspended, or in the background).
    machine.ask_from(881, Some(SHOP));
    assert_eq!(machine.why(886), None);
    // And what a person started in the work tree is the agent's to end as well.
    machine.server(150, 100, SHOP);
    machine.ask_from(805, Some(SHOP));
    assert_eq!(machine.why(150), None);
}

#[test]
fn an_agent_that_listens_itself() {
    let machine = two_agents();
    assert_eq!(machine.why(880), Some(NotMine::AnotherAgent));
    assert_eq!(origin_of(880, &machine.0).agent, None, "it did not start itself");
}

#[test]
fn what_the_same_script_started_is_mine() {
    let mut machine = Machine::new();
    // cron starts a script without a terminal, which starts a server and asks.
    machine.add(500, 1, "/usr/sbin/cron", Some("/")).uid = Some(0);
    let script = machine.add(501, 500, "/bin/dash", Some("/"));
    script.argv = vec!["sh".to_owned(), "-c".to_owned(), "./job.sh".to_owned()];
    machine.server(502, 501, "/");
    machine.server(503, 501, FEATURE);
    machine.ask_from(501, Some("/"));
    assert_eq!((machine.why(502), machine.why(503)), (None, None));
    // Another job of the same cron.
    machine.add(511, 500, "/bin/dash", Some("/"));
    machine.server(512, 511, "/");
    assert_eq!(machine.why(512), Some(NotMine::Unknown));
    // What I started myself.
    machine.server(901, 900, FEATURE);
    assert_eq!((machine.why(901), machine.why(900)), (None, None));
}

#[test]
fn without_any_project() {
    let mut machine = Machine::new();
    machine.shell(100, "pts/1", "/srv");
    machine.ask_from(100, Some("/srv"));
    machine.orphan(300, "/srv");
    assert_eq!(machine.why(300), Some(NotMine::Unknown), "a directory alone is no project");
    machine.shell(200, "pts/2", "/srv");
    machine.server(201, 200, "/srv");
    assert_eq!(machine.why(201), Some(NotMine::AnotherSession));
    // Logins, where no terminal tells.
    for (pid, scope, want) in
        [(301, "session-3.scope", None), (302, "session-4.scope", Some(NotMine::AnotherSession))]
    {
        let group = format!("/user.slice/user-1000.slice/{scope}");
        machine.orphan(pid, "/srv").cgroup = Some(group);
        machine.of(100).cgroup = Some("/user.slice/user-1000.slice/session-3.scope".to_owned());
        assert_eq!(machine.why(pid), want, "{scope}");
    }
    // A login is no word against a project.
    machine.of(301).cwd = Some(FEATURE.to_owned());
    assert_eq!(machine.why(301), Some(NotMine::AnotherProject));
    machine.orphan(303, "/srv");
    machine.mark(303, "SSH_CONNECTION", "10.0.0.2 50000 10.0.0.1 22");
    machine.mark(100, "SSH_CONNECTION", "10.0.0.2 50000 10.0.0.1 22");
    assert_eq!(machine.why(303), None);
    assert_eq!(origin_of(303, &machine.0).session.unwrap().to_string(), "ssh login from 10.0.0.2");
    machine.mark(303, "SSH_CONNECTION", "10.0.0.2 50001 10.0.0.1 22");
    assert_eq!(machine.why(303), Some(NotMine::AnotherSession));
}

#[test]
fn in_a_project_what_has_none_is_not_mine() {
    let mut machine = Machine::with_asker();
    machine.orphan(300, "/var/lib/data");
    assert_eq!(machine.why(300), Some(NotMine::Unknown));
    machine.mark(300, "TMUX_PANE", "%1");
    assert_eq!(machine.why(300), Some(NotMine::Unknown));
    machine.mark(100, "TMUX_PANE", "%2");
    assert_eq!(machine.why(300), Some(NotMine::AnotherSession));
    machine.of(300).cwd = None;
    assert_eq!(machine.why(300), Some(NotMine::AnotherSession));
}

#[test]
fn jobs_of_continuous_integration() {
    let mut machine = Machine::with_asker();
    machine.of(100).terminal = None;
    machine.of(900).terminal = None;
    for (pid, tracking, want) in [(300, "github_a", None), (301, "github_b", Some(()))] {
        machine.orphan(pid, FEATURE);
        machine.mark(pid, "RUNNER_TRACKING_ID", tracking);
        machine.mark(pid, "GITHUB_RUN_ID", "7");
        machine.mark(900, "RUNNER_TRACKING_ID", "github_a");
        machine.mark(900, "GITHUB_RUN_ID", "7");
        assert_eq!(machine.why(pid), want.map(|()| NotMine::AnotherProject), "{tracking}");
    }
    assert_eq!(origin_of(300, &machine.0).session.unwrap().to_string(), "CI job github_a");
}

#[test]
fn a_service_of_the_machine_is_everybodys() {
    let mut machine = Machine::with_asker();
    for (pid, cgroup, want) in [
        (300, "/system.slice/redis.service", Some(NotMine::SharedService)),
        (301, "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", None),
        (302, "/user.slice/user-1000.slice/session-3.scope", None),
    ] {
        machine.orphan(pid, SHOP).cgroup = Some(cgroup.to_owned());
        assert_eq!(machine.why(pid), want, "{cgroup}");
    }
    let theirs = is_mine(300, &machine.0).unwrap_err();
    assert_eq!(theirs.run_by.as_deref(), Some("redis.service"));
    // An agent or a runner that is a service itself has its own.
    machine.of(100).cgroup = Some("/system.slice/redis.service".to_owned());
    assert_eq!(machine.why(300), None);
}

#[test]
fn a_container_is_mine_by_its_compose_project_alone() {
    let id = "3f1c".repeat(16);
    let mut machine = Machine::with_asker();
    let server = machine.orphan(300, SHOP);
    server.uid = Some(0);
    server.cgroup = Some(format!("/system.slice/docker-{id}.scope"));
    server.container = Some(Container { engine: "docker".to_owned(), id: id.clone() });
    // Its directory is a path inside of the container, and says nothing.
    assert_eq!(machine.why(300), Some(NotMine::AnotherContainer));
    assert_eq!(machine.project(300), None);
    let facts = |directory: Option<&str>| ContainerFacts {
        id: id.clone(),
        name: "shop-web-1".to_owned(),
        compose: Some(Compose {
            project: "shop".to_owned(),
            service: None,
            directory: directory.map(str::to_owned),
        }),
        ..ContainerFacts::default()
    };
    for (directory, want, project) in [
        (None, Some(NotMine::AnotherContainer), None),
        (Some("/home/me/shop/web"), None, Some(SHOP)),
        (Some(FEATURE), Some(NotMine::AnotherProject), Some(FEATURE)),
        (Some("/srv/app"), Some(NotMine::AnotherProject), Some("/srv/app")),
    ] {
        machine.0.containers = vec![facts(directory)];
        assert_eq!(machine.why(300), want, "{directory:?}");
        assert_eq!(machine.project(300).as_deref(), project);
    }
    // Without git on either side: the directory itself, or below.
    machine.of(100).cwd = Some("/srv/app/x".to_owned());
    machine.of(900).cwd = Some("/srv/app/x".to_owned());
    assert_eq!(machine.why(300), None);
    machine.of(900).cwd = Some("/srv/apple".to_owned());
    assert_eq!(machine.why(300), Some(NotMine::AnotherProject));
    // In the same container as the asker it is a process like others.
    let container = machine.of(300).container.clone();
    machine.of(900).container = container;
    machine.of(900).cwd = Some(SHOP.to_owned());
    machine.of(300).uid = Some(1000);
    assert_eq!(machine.why(300), None);
}

#[test]
fn a_server_that_went_to_the_root_directory() {
    let mut machine = Machine::with_asker();
    machine.shell(200, "pts/2", FEATURE);
    // The shell has gone elsewhere since; the wrapper has not.
    machine.child(210, 200, "/usr/bin/npm", Some(SHOP));
    machine.server(211, 210, "/");
    assert_eq!(machine.project(211).as_deref(), Some(SHOP));
    machine.server(220, 200, "/");
    assert_eq!(machine.project(220), None);
    for (name, value) in [
        ("PWD", "/home/me/shop"),
        ("INIT_CWD", "/home/me/shop"),
        ("npm_package_json", "/home/me/shop/package.json"),
        ("npm_config_local_prefix", "/home/me/shop"),
    ] {
        machine.0.marks.clear();
        machine.mark(220, name, value);
        assert_eq!(machine.project(220).as_deref(), Some(SHOP), "{name}");
        // A directory that a server chose itself counts, also outside of every project.
        machine.of(220).cwd = Some("/var/lib/data".to_owned());
        assert_eq!(machine.project(220), None, "{name}");
        machine.of(220).cwd = Some("/".to_owned());
    }
    // An agent stays where its project is, and a server without a directory of its own has its.
    machine.child(280, 200, "/usr/bin/claude", Some(SHOP));
    machine.server(281, 280, "/");
    assert_eq!(machine.project(281).as_deref(), Some(SHOP));
}

#[test]
fn only_what_can_be_a_directory_is_looked_up() {
    let mut machine = Machine::with_asker();
    machine.orphan(300, "/");
    machine.orphan(301, "/tmp/new\nline");
    machine.mark(300, "PWD", "/home/../etc");
    machine.mark(300, "INIT_CWD", "relative");
    machine.mark(300, "npm_package_json", &format!("/{}", "x".repeat(5000)));
    let wanted = directories(&[300, 301], true, &machine.0);
    assert_eq!(wanted, [SHOP, "/", "/tmp/new\nline"]);
    assert!(directories(&[], true, &Machine::new().0).is_empty());
}

#[test]
fn agents_by_their_programs_and_marks() {
    let mut machine = Machine::with_asker();
    for (exe, argv, name) in [
        ("/home/me/.local/share/claude/versions/2.0.30", &["claude", "-p"][..], Some("claude")),
        ("/usr/bin/node", &["node", "/usr/bin/codex"], Some("codex")),
        ("/usr/bin/node", &["node", "--no-warnings", "/x/bin/gemini"], Some("gemini")),
        (
            "/usr/bin/node",
            &["/usr/bin/node", "/x/node_modules/@anthropic-ai/claude-code/cli.js"],
            Some("claude"),
        ),
        ("/usr/bin/python3.12", &["python3", "/home/me/.local/bin/aider"], Some("aider")),
        ("/usr/bin/node", &["node", "claude-proxy.js"], None),
        ("/usr/bin/cat", &["cat", "claude"], None),
        ("/usr/bin/vim", &["vim", "/x/@anthropic-ai/claude-code/cli.js"], None),
    ] {
        let agent = machine.add(700, 1, exe, Some("/srv"));
        agent.argv = argv.iter().map(|&word| word.to_owned()).collect();
        machine.server(701, 700, "/srv");
        let found = origin_of(701, &machine.0).agent;
        let wanted = name.map(|name| Agent { name: name.to_owned(), pid: Some(700) });
        assert_eq!(found, wanted, "{argv:?}");
    }
    machine.orphan(300, "/srv");
    for (mark, value, name) in [
        ("CLAUDECODE", "1", Some("claude")),
        ("CLAUDECODE", "", None),
        ("CLAUDECODE", "0", None),
        ("CODEX_THREAD_ID", "0198-a", Some("codex")),
        ("CURSOR_AGENT", "1", Some("cursor-agent")),
        ("CURSOR_TRACE_ID", "abc", None),
        ("CODEX_HOME", "/home/me/.codex", None),
        ("OPENCODE", "1", Some("opencode")),
    ] {
        machine.0.marks.clear();
        machine.mark(300, mark, value);
        let agent = origin_of(300, &machine.0).agent.map(|agent| agent.name);
        assert_eq!(agent.as_deref(), name, "{mark}={value}");
    }
}

/// Every combination of a few facts: the rule never takes what belongs to another user, another
/// work tree and another terminal at once, and never refuses what is the asker's job.
#[test]
fn the_rule_over_all_combinations() {
    let places = [SHOP, FEATURE, "/srv"];
    let mut judged = 0;
    for mine in places {
        for theirs in places {
            for user in [1000, 1001] {
                for terminal in ["pts/1", "pts/2", ""] {
                    for agent in [false, true] {
                        let mut machine = Machine::new();
                        machine.shell(100, "pts/1", mine);
                        machine.ask_from(100, Some(mine));
                        let server = machine.orphan(300, theirs);
                        server.uid = Some(user);
                        server.terminal = Some(terminal.to_owned()).filter(|it| !it.is_empty());
                        server.session = Some(if terminal == "pts/1" { 100 } else { 300 });
                        if agent {
                            machine.add(250, 1, "/usr/bin/claude", Some(theirs));
                            machine.of(300).ppid = 250;
                        }
                        let got = machine.why(300);
                        let context = format!("{mine} {theirs} {user} {terminal} {agent}: {got:?}");
                        let same_place = mine == theirs && mine != "/srv";
                        let same_terminal = terminal == "pts/1";
                        let want = user == 1000 && (same_terminal || (same_place && !agent));
                        assert_eq!(got.is_none(), want, "{context}");
                        judged += 1;
                    }
                }
            }
        }
    }
    assert_eq!(judged, 108);
}
