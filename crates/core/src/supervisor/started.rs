//! Who had a process started, as far as anybody can still tell: a terminal, an editor, a coding
//! agent, cron. That is another question than who would start it again ([`super::supervisor_of`]).

use serde::{Deserialize, Serialize};

use super::program::{Program, file_name};
use super::session::{self, is_interactive_shell};
use super::{is_service_manager, managers, unit_of};
use crate::known::System;
use crate::origin::agent;
use crate::process::Process;
use crate::snapshot::Snapshot;

/// Who had a process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartedBy {
    /// What kind of place or program.
    pub kind: StarterKind,
    /// Its name, where there is one: `claude`; `work` for a session of tmux; the address an ssh
    /// login came from; for an orphan, what it was left by.
    pub name: String,
    /// Its process, where that lives and is above the one it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The kinds of [`StartedBy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StarterKind {
    /// A coding agent, working by itself or watched.
    CodingAgent,
    /// An editor, its terminal included.
    Editor,
    /// A job of continuous integration.
    Ci,
    /// cron, at, or their like.
    Cron,
    /// A session of tmux.
    Tmux,
    /// A session of screen.
    Screen,
    /// A session of zellij.
    Zellij,
    /// A login over ssh.
    SshLogin,
    /// A shell in a terminal, on a console or in a window.
    Terminal,
    /// A desktop: its menu, its autostart.
    Desktop,
    /// Nobody any more: whoever started it has ended.
    Orphan,
}

/// Who had this process started: the nearest answer that a person would give. An ancestor comes
/// first, then what a vanished one left in the environment, then that it is gone. `None` where
/// nothing tells, and for what a service or a container runs.
pub fn started_by(pid: u32, snapshot: &Snapshot) -> Option<StartedBy> {
    let process = snapshot.processes.get(&pid)?;
    if process.container.is_some() || is_of_service(process) {
        return None;
    }
    let ancestors = snapshot.ancestors(pid);
    let living = ancestors.iter().find_map(|ancestor| place(ancestor, pid, snapshot));
    living.or_else(|| of_terminal(&ancestors)).or_else(|| left(process, &ancestors, snapshot))
}

/// Whether systemd runs it as a service of its own.
pub(crate) fn is_of_service(process: &Process) -> bool {
    let unit = process.cgroup.as_deref().and_then(unit_of);
    unit.is_some_and(|(unit, _)| !session::is_session_unit(&unit))
}

/// What that ancestor is as a place where things are started; the process itself has the marks
/// that tell which of its sessions.
fn place(ancestor: &Process, pid: u32, snapshot: &Snapshot) -> Option<StartedBy> {
    let program = Program::of(ancestor);
    let named = |kind, name: &str| {
        Some(StartedBy { kind, name: name.to_owned(), pid: Some(ancestor.id.pid) })
    };
    if let Some(agent) = agent::name_of(ancestor) {
        return named(StarterKind::CodingAgent, agent);
    }
    if let Some(runner) = runner(ancestor) {
        return named(StarterKind::Ci, runner);
    }
    if let Some(editor) = session::editor(ancestor) {
        return named(StarterKind::Editor, editor);
    }
    let mark = |name: &str| snapshot.mark(pid, name);
    match program.file {
        "cron" | "crond" | "atd" | "anacron" | "fcron" => named(StarterKind::Cron, program.file),
        "tmux" => named(StarterKind::Tmux, &tmux_session(ancestor, mark("TMUX"))),
        "zellij" => named(StarterKind::Zellij, mark("ZELLIJ_SESSION_NAME").unwrap_or("")),
        "sshd" | "sshd-session" | "dropbear" => {
            named(StarterKind::SshLogin, mark("SSH_CONNECTION").map_or("", first_word))
        }
        file if file == "screen" || file.starts_with("screen-") => {
            named(StarterKind::Screen, &screen_session(ancestor, mark("STY")))
        }
        file if session::is_terminal_program(file) => named(StarterKind::Terminal, file),
        file if session::is_desktop_program(file) => named(StarterKind::Desktop, file),
        _ => None,
    }
}

/// A shell in a terminal, with nothing known above it.
fn of_terminal(ancestors: &[&Process]) -> Option<StartedBy> {
    let shell = ancestors.iter().find(|ancestor| is_interactive_shell(ancestor))?;
    let name = shell.terminal.clone().unwrap_or_default();
    Some(StartedBy { kind: StarterKind::Terminal, name, pid: Some(shell.id.pid) })
}

/// What those who are gone left behind.
fn left(process: &Process, ancestors: &[&Process], snapshot: &Snapshot) -> Option<StartedBy> {
    let mark = |name: &str| snapshot.mark(process.id.pid, name);
    let gone = |kind, name: &str| Some(StartedBy { kind, name: name.to_owned(), pid: None });
    if let Some(agent) = agent::marked(mark) {
        return gone(StarterKind::CodingAgent, agent);
    }
    if let Some(ci) = CI_MARKS.iter().find(|(name, _)| mark(name).is_some()) {
        return gone(StarterKind::Ci, ci.1);
    }
    let nobody = match System::of(snapshot.source) {
        System::Windows => 0,
        System::Linux | System::Mac => 1,
    };
    if !is_orphan(process, ancestors, nobody) {
        return None;
    }
    // A manager's daemon has nobody above it by design, and what it runs is not left over.
    let mut line = std::iter::once(process).chain(ancestors.iter().copied());
    if line.any(|process| managers::manager_role(process).is_some()) {
        return None;
    }
    let runner = mark("npm_config_user_agent").and_then(|agent| agent.split('/').next());
    let script = mark("npm_lifecycle_event").map(|_| runner.unwrap_or("npm"));
    let runs = |name: &str| ancestors.iter().any(|ancestor| goes_by(ancestor, name));
    match script {
        Some(script) if !runs(script) => gone(StarterKind::Orphan, script),
        // Somebody's daemon does so too: that its session's first process is gone is all there is.
        _ => is_left_in_session(process, snapshot).then(|| StartedBy {
            kind: StarterKind::Orphan,
            name: String::new(),
            pid: None,
        }),
    }
}

/// Whether it goes by this name. npm writes it over its arguments, which on Windows stay
/// `node …\npm-cli.js`.
fn goes_by(process: &Process, name: &str) -> bool {
    Program::of(process).names().any(|own| own.strip_suffix("-cli").unwrap_or(own) == name)
}

/// Whether the first process, or the user's systemd, has inherited it; on Windows nobody has.
fn is_orphan(process: &Process, ancestors: &[&Process], nobody: u32) -> bool {
    let top = ancestors.iter().rev().find(|ancestor| ancestor.id.pid != 1);
    let manager = |process: &Process| is_service_manager(process);
    match top {
        Some(top) if !manager(top) => top.ppid == nobody,
        _ => process.ppid == nobody || ancestors.first().is_some_and(|parent| manager(parent)),
    }
}

/// Whether it still is in a session and group that others began and have left: a job of a shell,
/// where a daemon would have made its own. The terminal goes when the session's first process ends.
fn is_left_in_session(process: &Process, snapshot: &Snapshot) -> bool {
    let pid = process.id.pid;
    let others = |leader: Option<u32>| leader.is_some_and(|leader| leader != pid && leader != 0);
    others(process.session)
        && process.terminal.is_none()
        && process.session.is_some_and(|leader| !snapshot.processes.contains_key(&leader))
        && process.group != process.session
}

/// The variables of CI jobs.
const CI_MARKS: [(&str, &str); 9] = [
    ("GITHUB_RUN_ID", "GitHub Actions"),
    ("GITLAB_CI", "GitLab CI"),
    ("JENKINS_NODE_COOKIE", "Jenkins"),
    ("BUILDKITE_JOB_ID", "Buildkite"),
    ("CIRCLE_JOB", "CircleCI"),
    ("TF_BUILD", "Azure Pipelines"),
    ("TEAMCITY_VERSION", "TeamCity"),
    ("DRONE_BUILD_NUMBER", "Drone"),
    ("RUNNER_TRACKING_ID", "GitHub Actions"),
];

/// The CI system whose agent this is.
fn runner(process: &Process) -> Option<&'static str> {
    let program = Program::of(process);
    const RUNNERS: [(&str, &str); 7] = [
        ("Runner.Worker", "GitHub Actions"),
        ("Runner.Listener", "GitHub Actions"),
        ("gitlab-runner", "GitLab CI"),
        ("buildkite-agent", "Buildkite"),
        ("act_runner", "Gitea Actions"),
        ("forgejo-runner", "Forgejo Actions"),
        ("drone-runner-exec", "Drone"),
    ];
    let known = RUNNERS.iter().find(|(name, _)| program.is(name)).map(|(_, ci)| *ci);
    // Jenkins' agent is `java … -jar agent.jar` (or remoting.jar, slave.jar of old).
    let jar = |argument: &String| {
        matches!(file_name(argument), "agent.jar" | "remoting.jar" | "slave.jar")
    };
    known.or_else(|| (program.file == "java" && process.argv.iter().any(jar)).then_some("Jenkins"))
}

/// The session of tmux: the environment has its number, and the arguments of the server the name
/// of the first (tmux(1): TMUX is `socket,server,session`).
fn tmux_session(server: &Process, mark: Option<&str>) -> String {
    let number = mark.and_then(|mark| mark.rsplit(',').next()).unwrap_or_default();
    let mut words = server.argv.iter().skip_while(|word| {
        !matches!(word.as_str(), "new" | "new-session" | "-s") && !word.starts_with("new-s")
    });
    let first = words.find(|word| *word == "-s").and_then(|_| words.next());
    match first {
        Some(name) if number.is_empty() || number == "0" => name.clone(),
        _ => number.to_owned(),
    }
}

/// The session of screen: STY is `pid.name` (screen(1)).
fn screen_session(server: &Process, mark: Option<&str>) -> String {
    if let Some((_, name)) = mark.and_then(|sty| sty.split_once('.')) {
        return name.to_owned();
    }
    // `-S name`, also among other flags: `-DmS name`.
    let mut words = server.argv.iter().skip(1);
    let named = words.find(|word| word.starts_with('-') && word.ends_with('S'));
    named.and_then(|_| words.next()).cloned().unwrap_or_default()
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::super::tests::process;
    use super::*;

    #[test]
    fn agents_by_their_names_and_packages() {
        for (exe, argv, want) in [
            ("/usr/local/bin/claude", &["claude"][..], Some("claude")),
            ("/usr/bin/node", &["claude"], Some("claude")),
            ("/usr/bin/node", &["node", "/x/@anthropic-ai/claude-code/cli.js"], Some("claude")),
            ("/usr/bin/node", &["node", "/x/@openai/codex/bin/codex.js"], Some("codex")),
            ("/usr/bin/node", &["node", "/x/gemini-cli/dist/index.js"], Some("gemini")),
            ("/usr/bin/python3", &["python3", "/home/me/.local/bin/aider"], Some("aider")),
            // An argument is none, nor a server in a folder of that name.
            ("/usr/bin/node", &["node", "server.js", "claude"], None),
            ("/usr/bin/node", &["node", "/home/me/claude/server.js"], None),
            ("/usr/bin/vim", &["vim", "/x/claude-code/cli.js"], None),
        ] {
            let process = process(50, 1, exe, argv);
            assert_eq!(agent::name_of(&process), want, "{argv:?}");
        }
    }

    #[test]
    fn sessions_of_tmux_and_screen() {
        for (argv, mark, want) in [
            (&["tmux", "new", "-s", "work"][..], Some("/tmp/t,1,0"), "work"),
            (&["tmux", "new-session", "-d", "-s", "work"], None, "work"),
            // Another session than the first: its number is all that is known.
            (&["tmux", "new", "-s", "work"], Some("/tmp/t,1,3"), "3"),
            (&["tmux"], Some("/tmp/t,1,0"), "0"),
            (&["tmux"], None, ""),
            (&["tmux", "new", "-s"], Some(""), ""),
        ] {
            let server = process(50, 1, "/usr/bin/tmux", argv);
            assert_eq!(tmux_session(&server, mark), want, "{argv:?} {mark:?}");
        }
        for (argv, mark, want) in [
            (&["SCREEN"][..], Some("50.work"), "work"),
            (&["SCREEN", "-DmS", "work", "node"], None, "work"),
            (&["SCREEN", "-S"], None, ""),
            (&["SCREEN"], Some("garbage"), ""),
        ] {
            let server = process(50, 1, "/usr/bin/screen", argv);
            assert_eq!(screen_session(&server, mark), want, "{argv:?} {mark:?}");
        }
    }

    #[test]
    fn an_agent_of_jenkins_is_a_jar() {
        let agent = process(50, 1, "/usr/bin/java", &["java", "-jar", "/x/agent.jar", "-url"]);
        assert_eq!(runner(&agent), Some("Jenkins"));
        assert_eq!(runner(&process(50, 1, "/usr/bin/java", &["java", "-jar", "web.jar"])), None);
    }
}
