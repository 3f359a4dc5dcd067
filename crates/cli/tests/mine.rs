//! Whole runs with `--mine`: real work trees, servers in each of them, and who may end whose. The
//! rules themselves are tested over made-up machines in `proc-core`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use live::*;
use proc_core::origin::{Agent, SessionKind};
use proc_core::report::{Outcome, ProcessReport, RefusalReason};

/// A repository with two work trees, `shop` and `wt/feature-x`, and a directory outside of both.
struct Project(PathBuf);

impl Project {
    /// `None` where git is not there, which is said.
    fn new(test: &str) -> Option<Self> {
        let place = std::env::temp_dir().join(format!("proc-mine-{test}-{}", std::process::id()));
        fs::create_dir_all(place.join("elsewhere")).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        let project = Self(place.canonicalize().unwrap());
        let made = project.git(".", &["init", "-q", "shop"])
            && project.git("shop", &["commit", "-q", "--allow-empty", "-m", "first"])
            && project.git("shop", &["worktree", "add", "-q", "../wt/feature-x"]);
        if !made {
            proc_testkit::skip("it needs git");
            return None;
        }
        Some(project)
    }

    fn git(&self, directory: &str, words: &[&str]) -> bool {
        let mut git = Command::new("git");
        git.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        git.args([
            "-c",
            "user.name=me",
            "-c",
            "user.email=me@example.org",
            "-c",
            "commit.gpgsign=false",
        ]);
        git.args(words).current_dir(self.0.join(directory));
        git.status().is_ok_and(|status| status.success())
    }

    fn path(&self, directory: &str) -> String {
        self.0.join(directory).to_str().unwrap().to_owned()
    }

    /// A server in a directory, with that environment alone, whose parent is gone and which has no
    /// terminal: nothing but the directory and the environment tells where it comes from.
    #[track_caller]
    fn server(&self, directory: &str, environment: &[(&str, &str)], more: &[&str]) -> Actor {
        let mut command = Command::new("setsid");
        command.arg(actor_path()).args(["listen", "--orphan"]).args(more);
        command.env_clear().envs(environment.iter().copied());
        command.env("PATH", "/usr/bin:/bin").current_dir(self.0.join(directory));
        Actor::spawn_command(command)
    }

    /// Runs the program in a directory.
    fn run(&self, directory: &str, words: &str) -> Ran {
        run_in(&self.0.join(directory), words)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run_in(directory: &Path, words: &str) -> Ran {
    let mut program = program();
    Ran::from(program.args(words.split_whitespace()).current_dir(directory).output().unwrap())
}

fn holder(ran: &Ran) -> ProcessReport {
    ran.one().processes.remove(0)
}

/// That it was refused for that reason, because of that process, which lives on.
#[track_caller]
fn refused(ran: &Ran, reason: RefusalReason, server: &Actor) -> String {
    let report = ran.ended(4, Outcome::Refused);
    let refusal = report.refusal.unwrap();
    assert_eq!((refusal.reason, refusal.pid), (reason, Some(server.pid())), "{ran:?}");
    assert!(report.events.is_empty() && lives(server.pid()), "{ran:?}");
    report.explain.unwrap()
}

#[test]
fn run_frees_its_own_alone() {
    let Some(project) = Project::new("run") else { return };
    let theirs = project.server("wt/feature-x", &[], &[]);
    let port = theirs.port();
    let actor = actor_path().display().to_string();
    for how in ["--free-first", "--on-conflict free"] {
        let words = format!("run {how} --mine --port {port} -- {actor} listen --port {port}");
        let ran = project.run("shop", &words);
        assert!(ran.err.contains("--mine leaves it alone"), "{how}: {ran:?}");
        assert!(ran.code != 0 && lives(theirs.pid()), "{how}: {ran:?}");
    }
    let ran =
        project.run("wt/feature-x", &format!("run --free-first --mine -p {port} -- echo started"));
    assert_eq!((ran.code, &*ran.out), (0, "started\n"), "{ran:?}");
    assert!(ends(theirs.pid()));
}

#[test]
fn each_work_tree_frees_its_own() {
    let Some(project) = Project::new("trees") else { return };
    fs::create_dir_all(project.path("shop/web")).unwrap();
    for verb in ["free", "kill", "stop"] {
        let own = project.server("shop/web", &[], &[]);
        let theirs = project.server("wt/feature-x", &[], &[]);
        let words = format!("{verb} --mine --json -y tcp:{}", theirs.port());
        let ran = project.run("shop", &words);
        let why = refused(&ran, RefusalReason::NotMineAnotherProject, &theirs);
        assert!(why.contains(&format!("it belongs to {}", project.path("wt/feature-x"))), "{why}");
        assert!(why.contains(&format!("you are in {}", project.path("shop"))), "{why}");
        // Force lifts the guard rails, and whose it is is no matter of force.
        let ran = project.run("shop", &format!("{words} --force"));
        refused(&ran, RefusalReason::NotMineAnotherProject, &theirs);
        let by_pid = format!("{verb} --mine --json -y pid:{}", theirs.pid());
        let ran = project.run("shop", &by_pid);
        refused(&ran, RefusalReason::NotMineAnotherProject, &theirs);
        let planned = format!("{verb} --mine --json --dry-run tcp:{}", own.port());
        project.run("shop", &planned).ended(0, Outcome::Planned);
        let freed = format!("{verb} --mine --json -y tcp:{}", own.port());
        project.run("shop", &freed).ended(0, Outcome::Freed);
        assert!(ends(own.pid()));
        project.run("wt/feature-x", &words).ended(0, Outcome::Freed);
        assert!(ends(theirs.pid()));
    }
}

#[test]
fn of_several_targets_each_has_its_own_answer() {
    let Some(project) = Project::new("several") else { return };
    let (own, theirs) =
        (project.server("shop", &[], &[]), project.server("wt/feature-x", &[], &[]));
    let words = format!("kill --mine --json -y tcp:{} tcp:{}", theirs.port(), own.port());
    let ran = project.run("shop", &words);
    let report = ran.report();
    let outcomes: Vec<_> = report.targets.iter().map(|target| target.outcome.unwrap()).collect();
    assert_eq!((ran.code, &*outcomes), (4, &[Outcome::Refused, Outcome::Freed][..]));
    assert!(ends(own.pid()) && lives(theirs.pid()));
}

#[test]
fn a_range_in_a_small_world() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("it makes namespaces, which needs root");
    }
    let Some(project) = Project::new("range") else { return };
    let listen = |port: u16, directory: &str| {
        format!(
            "mkfifo $d/{port}; sleep 30 | (cd {}; exec setsid \"$ACTOR\" listen --orphan --port {port}) >$d/{port} &
             read line <$d/{port}; case $line in ready*) ;; *) exit 8;; esac\n",
            project.path(directory)
        )
    };
    let script = format!(
        "d=$(mktemp -d)\n{}{}cd {}\n\"$PROC\" kill --mine -y --json :3000-3010 && exit 7\nrm -r $d",
        listen(3001, "shop"),
        listen(3004, "wt/feature-x"),
        project.path("shop"),
    );
    let ran = in_world(&script);
    let report: proc_core::report::Report = serde_json::from_str(&ran.out).unwrap();
    let answers: Vec<_> = report.targets.iter().map(|t| (&*t.target, t.outcome.unwrap())).collect();
    assert_eq!(answers, [(":3001", Outcome::Freed), (":3004", Outcome::Refused)], "{ran:?}");
}

#[test]
fn what_an_agent_left_is_known_for_an_agents() {
    let Some(project) = Project::new("marks") else { return };
    let marks = [("CLAUDECODE", "1"), ("TMUX", "/tmp/none,1,0"), ("TMUX_PANE", "%93")];
    let server = project.server("shop", &marks, &[]);
    let ran = project.run("wt/feature-x", &format!("on --json tcp:{}", server.port()));
    let origin = holder(&ran).origin.unwrap();
    assert_eq!(origin.project.unwrap(), project.path("shop"));
    assert_eq!(origin.agent.unwrap(), Agent { name: "claude".to_owned(), pid: None });
    let session = origin.session.unwrap();
    assert_eq!((session.kind, &*session.name), (SessionKind::Tmux, "%93"));
    let ran = project.run("shop", &format!("on tcp:{}", server.port()));
    // The work tree is the directory that it runs in, a line above.
    assert!(ran.out.contains("\n    started by claude\n"), "{ran:?}");
    let words = format!("free --mine --json -y tcp:{}", server.port());
    let why = refused(
        &project.run("wt/feature-x", &words),
        RefusalReason::NotMineAnotherProject,
        &server,
    );
    assert!(why.contains(", started by claude"), "{why}");
    project.run("shop", &words).ended(0, Outcome::Freed);
}

/// A shell that calls itself claude and runs a server in `shop`, without a terminal or a parent.
#[track_caller]
fn agent_with_a_server(project: &Project) -> Actor {
    // It is told by its first argument. The last word lets the actor's handle know that the one
    // that says `ready` is the one to end.
    let script = "exec -a claude bash -c '\"$ACTOR\" listen; true'";
    let mut command = Command::new("setsid");
    command.args(["--fork", "bash", "-c", script, "--orphan"]).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("ACTOR", actor_path());
    command.current_dir(project.path("shop"));
    Actor::spawn_command(command)
}

#[test]
fn two_agents_share_a_work_tree() {
    let Some(project) = Project::new("agents") else { return };
    let server = agent_with_a_server(&project);
    let ran = project.run("shop", &format!("on --json tcp:{}", server.port()));
    let process = holder(&ran);
    let agent = process.origin.unwrap().agent.unwrap();
    assert_eq!((&*agent.name, agent.pid), ("claude", Some(process.ppid)));
    let words = format!("free --mine --json -y tcp:{}", server.port());
    let ask = |script: &str| {
        let mut command = Command::new("bash");
        command.args(["-c", script, PROC]).args(words.split_whitespace());
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(project.path("shop"));
        Ran::from(command.output().unwrap())
    };
    let ran = ask("exec -a claude bash -c '\"$0\" \"$@\"; exit $?' \"$0\" \"$@\"");
    let why = refused(&ran, RefusalReason::NotMineAnotherAgent, &server);
    assert!(why.contains(&format!("claude (pid {})", process.ppid)), "{why}");
    assert!(lives(process.ppid));
    // Once that agent has ended, what it left behind is the work tree's.
    let pid = rustix::process::Pid::from_raw(i32::try_from(process.ppid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert!(ends(process.ppid));
    let ran = ask("exec -a claude bash -c '\"$0\" \"$@\"; exit $?' \"$0\" \"$@\"");
    ran.ended(0, Outcome::Freed);
}

#[test]
fn another_users_is_not_roots_own() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let Some(project) = Project::new("users") else { return };
    let user = unprivileged_uid().to_string();
    let server = project.server("shop", &[], &["--uid", &user]);
    let words = format!("free --mine --json -y tcp:{}", server.port());
    let sudo = |uid: &str| {
        let mut program = program();
        program.args(words.split_whitespace()).current_dir(project.path("shop"));
        Ran::from(program.env("SUDO_UID", uid).output().unwrap())
    };
    refused(&project.run("shop", &words), RefusalReason::NotMineAnotherUser, &server);
    refused(&sudo("0"), RefusalReason::NotMineAnotherUser, &server);
    sudo(&user).ended(0, Outcome::Freed);
}

#[test]
fn a_server_that_went_to_the_root_directory() {
    let Some(project) = Project::new("root") else { return };
    let (shop, feature) = (project.path("shop"), project.path("wt/feature-x"));
    let own = project.server("/", &[("PWD", &shop)], &[]);
    let theirs = project.server("/", &[("INIT_CWD", &feature)], &[]);
    let bare = project.server("/", &[], &[]);
    let free = |server: &Actor| {
        project.run("shop", &format!("free --mine --json -y tcp:{}", server.port()))
    };
    free(&own).ended(0, Outcome::Freed);
    refused(&free(&theirs), RefusalReason::NotMineAnotherProject, &theirs);
    let why = refused(&free(&bare), RefusalReason::NotMineUnknown, &bare);
    assert!(why.contains("may not be yours"), "{why}");
}

#[test]
fn without_git_nothing_is_claimed() {
    let Some(project) = Project::new("bare") else { return };
    let server = project.server("elsewhere", &[], &[]);
    for directory in ["elsewhere", "shop"] {
        let ran = project.run(directory, &format!("free --mine --json -y tcp:{}", server.port()));
        refused(&ran, RefusalReason::NotMineUnknown, &server);
    }
    // From outside of every project those of projects are others'.
    let server = project.server("shop", &[], &[]);
    let ran = project.run("elsewhere", &format!("free --mine --json -y tcp:{}", server.port()));
    refused(&ran, RefusalReason::NotMineAnotherProject, &server);
}

#[test]
fn directories_with_names_that_deceive() {
    let Some(project) = Project::new("names") else { return };
    for name in ["shop/new\nline", "shop/gone (deleted)", "shop/it's \u{1b}[31m"] {
        fs::create_dir_all(project.path(name)).unwrap();
        let server = project.server(name, &[], &[]);
        let ran = project.run("shop", &format!("on --json tcp:{}", server.port()));
        assert_eq!(holder(&ran).origin.unwrap().project.unwrap(), project.path("shop"), "{name}");
    }
    // A work tree whose own name is hostile reaches a terminal harmless.
    assert!(project.git("shop", &["worktree", "add", "-q", "../wt/a\u{1b}[31m\nb", "-b", "b"]));
    let server = project.server("wt/a\u{1b}[31m\nb", &[], &[]);
    for words in ["on", "free --mine -y"] {
        let ran = project.run("shop", &format!("{words} tcp:{}", server.port()));
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains("wt/a") && !all.contains('\u{1b}'), "{all:?}");
        assert!(!all.contains("\nb"), "{all:?}");
    }
    assert!(lives(server.pid()));
}

#[test]
fn a_directory_that_is_gone_counts_as_where_it_was() {
    let Some(project) = Project::new("gone") else { return };
    fs::create_dir_all(project.path("shop/dist")).unwrap();
    let built = project.server("shop/dist", &[], &[]);
    let removed = project.server("wt/feature-x", &[], &[]);
    fs::remove_dir_all(project.path("shop/dist")).unwrap();
    fs::remove_dir_all(project.path("wt/feature-x")).unwrap();
    let ran = project.run("shop", &format!("on --json tcp:{}", built.port()));
    let process = holder(&ran);
    assert!(process.cwd.unwrap().ends_with("shop/dist (deleted)"));
    assert_eq!(process.origin.unwrap().project.unwrap(), project.path("shop"));
    let words = format!("free --mine --json -y tcp:{}", built.port());
    project.run("shop", &words).ended(0, Outcome::Freed);
    // The work tree went as a whole: nothing is left to tell whose it was.
    let ran = project.run("shop", &format!("free --mine --json -y tcp:{}", removed.port()));
    refused(&ran, RefusalReason::NotMineUnknown, &removed);
}

#[test]
fn ports_lists_ones_own() {
    let Some(project) = Project::new("ports") else { return };
    let (own, theirs) =
        (project.server("shop", &[], &[]), project.server("wt/feature-x", &[], &[]));
    let list = |directory: &str| -> Vec<u32> {
        let ran = project.run(directory, "ports --mine --json --tcp");
        ran.ports().processes.iter().map(|process| process.pid).collect()
    };
    let (shop, feature) = (list("shop"), list("wt/feature-x"));
    assert!(shop.contains(&own.pid()) && !shop.contains(&theirs.pid()), "{shop:?}");
    assert!(feature.contains(&theirs.pid()) && !feature.contains(&own.pid()), "{feature:?}");
    let ran = project.run("shop", &format!("ports --mine --json tcp:{}", theirs.port()));
    assert_eq!((ran.code, ran.ports().sockets.len()), (1, 0));
}

#[test]
fn two_holders_of_one_port_must_both_be_mine() {
    let Some(project) = Project::new("both") else { return };
    let own = project.server("shop", &[], &["--reuse-port"]);
    let port = own.port().to_string();
    let theirs = project.server("wt/feature-x", &[], &["--reuse-port", "--port", &port]);
    let words = format!("free --mine --json -y tcp:{port}");
    refused(&project.run("shop", &words), RefusalReason::NotMineAnotherProject, &theirs);
    assert!(lives(own.pid()));
}

/// A server of tmux(1) that ends with the test.
struct Tmux<'a>(&'a Project);

impl Tmux<'_> {
    fn run(&self, words: &[&str]) -> bool {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.0.path("tmux")).args(["-f", "/dev/null"]).args(words);
        tmux.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
        tmux.env("SHELL", "/bin/sh").env("TERM", "screen").env("ACTOR", actor_path());
        tmux.env("PROC", PROC).env("D", self.0.path("elsewhere"));
        let done = tmux.stdout(Stdio::null()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

#[test]
fn panes_of_tmux_are_told_apart_without_any_project() {
    let Some(project) = Project::new("tmux") else { return };
    let tmux = Tmux(&project);
    // Each pane has a server without a terminal or a parent; the first then asks about both.
    let serve = "cd $D; mkfifo hold-$N; (sleep 60 >hold-$N &) ; \
                 setsid \"$ACTOR\" listen --orphan <hold-$N >$N; ";
    let ask = "until test -s b; do sleep 0.02; done; for n in b a; do \
               port=$(sed 's/.* port=\\([0-9]*\\).*/\\1/' $n); \
               \"$PROC\" free --mine -y --json tcp:$port >answer-$n; echo $? >>answer-$n; done; \
               mv answer-b answered; sleep 60";
    let first = format!("N=a; {serve}{ask}");
    if !tmux.run(&["new-session", "-d", "-x", "80", "-y", "24", &first]) {
        return proc_testkit::skip("it needs tmux");
    }
    assert!(tmux.run(&["split-window", &format!("N=b; {serve}sleep 60")]));
    let read = |name: &str| fs::read_to_string(project.0.join("elsewhere").join(name));
    assert!(wait_until(SOON, || read("answered").is_ok()), "{:?}", read("answer-b"));
    let answer = |name: &str| {
        let text = read(name).unwrap();
        let (document, code) = text.trim_end().rsplit_once('\n').unwrap();
        Ran { code: code.parse().unwrap(), out: document.to_owned(), err: String::new() }
    };
    let theirs = answer("answered").ended(4, Outcome::Refused);
    assert_eq!(theirs.refusal.unwrap().reason, RefusalReason::NotMineAnotherSession);
    let session = theirs.processes[0].origin.clone().unwrap().session.unwrap();
    assert_eq!((session.kind, &*session.name), (SessionKind::Tmux, "%1"));
    answer("answer-a").ended(0, Outcome::Freed);
}

#[test]
fn a_recording_keeps_whose_everything_was() {
    let Some(project) = Project::new("replay") else { return };
    let (own, theirs) =
        (project.server("shop", &[], &[]), project.server("wt/feature-x", &[], &[]));
    let record =
        format!("record tcp:{} tcp:{} -o {}", own.port(), theirs.port(), project.path("r"));
    assert_eq!(project.run("shop", &record).code, 0);
    let file = project.path("r");
    let plan = |server: &Actor| {
        let words = format!("free --mine --dry-run --json --replay {file}");
        // From elsewhere: whose it is was settled by who recorded it.
        project.run("elsewhere", &format!("{words} tcp:{}", server.port()))
    };
    plan(&own).ended(0, Outcome::Planned);
    refused(&plan(&theirs), RefusalReason::NotMineAnotherProject, &theirs);
}
