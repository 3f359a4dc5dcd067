//! The terminal, login or job of continuous integration that a process belongs to, and whether
//! that is the asker's too.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::origin::line::Line;
use crate::snapshot::Snapshot;

/// The session of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// What kind of thing it is.
    pub kind: SessionKind,
    /// Its name, as its own tools have it: `%3` of tmux, `pts/3`, `session-3.scope`.
    pub name: String,
}

/// The kinds of [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SessionKind {
    /// A pane of tmux.
    Tmux,
    /// A window of screen.
    Screen,
    /// A pane of zellij.
    Zellij,
    /// A terminal of VS Code or an editor made from it.
    VsCode,
    /// A terminal of a JetBrains editor.
    Jetbrains,
    /// Another terminal.
    Terminal,
    /// A job of continuous integration.
    Ci,
    /// A login over ssh, by the address it came from.
    Ssh,
    /// A login, by systemd's name for it.
    Login,
}

impl SessionKind {
    const fn words(self) -> &'static str {
        match self {
            Self::Tmux => "tmux pane",
            Self::Screen => "screen",
            Self::Zellij => "zellij pane",
            Self::VsCode => "VS Code terminal",
            Self::Jetbrains => "JetBrains terminal",
            Self::Terminal => "terminal",
            Self::Ci => "CI job",
            Self::Ssh => "ssh login from",
            Self::Login => "login",
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.words(), self.name)
    }
}

/// The session of a line's first process: the smallest thing that is known.
pub(super) fn of(line: &Line<'_>, snapshot: &Snapshot) -> Option<Session> {
    let named = |kind, name: String| Some(Session { kind, name });
    if let Some(pane) = pane(line, snapshot) {
        return named(pane.kind, pane.name);
    }
    if let Some(terminal) = line.iter().find_map(|process| process.terminal.clone()) {
        let is = |mark: &str, value: &str| line.mark(mark, snapshot) == Some(value);
        let emulator = line.mark("TERMINAL_EMULATOR", snapshot).unwrap_or_default();
        let kind = match () {
            () if is("TERM_PROGRAM", "vscode") => SessionKind::VsCode,
            () if emulator.starts_with("JetBrains") => SessionKind::Jetbrains,
            () => SessionKind::Terminal,
        };
        return named(kind, terminal);
    }
    if let Some(job) = ci_job(line, snapshot) {
        return named(SessionKind::Ci, job.to_owned());
    }
    if let Some(from) = line.mark("SSH_CONNECTION", snapshot) {
        let address = from.split(' ').next().unwrap_or(from);
        return named(SessionKind::Ssh, address.to_owned());
    }
    named(SessionKind::Login, login(line)?.to_owned())
}

/// Whether two processes are of one terminal, or of one job of continuous integration; `None`
/// where that cannot be told. What the kernel says of terminals counts more than what
/// environments say: editors pass on that of the terminal they were started in.
pub(super) fn same_terminal(one: &Line<'_>, two: &Line<'_>, snapshot: &Snapshot) -> Option<bool> {
    let (a, b) = (terminals(one), terminals(two));
    if !a.is_empty() && !b.is_empty() {
        return Some(!a.is_disjoint(&b));
    }
    if let (Some(a), Some(b)) = (pane(one, snapshot), pane(two, snapshot)) {
        return Some(a == b);
    }
    Some(ci_job(one, snapshot)? == ci_job(two, snapshot)?)
}

/// Whether two processes are of one login. A login is larger than a terminal: a whole desktop, or
/// every pane of a tmux that was started in it.
pub(super) fn same_login(one: &Line<'_>, two: &Line<'_>, snapshot: &Snapshot) -> Option<bool> {
    if let (Some(a), Some(b)) = (login(one), login(two)) {
        return Some(a == b);
    }
    let connection = |line: &Line<'_>| line.mark("SSH_CONNECTION", snapshot);
    Some(connection(one)? == connection(two)?)
}

/// The terminals of a line, each with the session of the kernel that it controls: a terminal's
/// number is used again, with another session. There are two where one was made inside another
/// (sudo(8), script(1)).
fn terminals<'a>(line: &Line<'a>) -> BTreeSet<(&'a str, u32)> {
    line.iter()
        .filter_map(|process| Some((process.terminal.as_deref()?, process.session?)))
        .collect()
}

/// A pane or window of a multiplexer, by the marks of its environment.
#[derive(PartialEq, Eq)]
struct Pane<'a> {
    kind: SessionKind,
    /// The server or session that numbers the panes.
    server: &'a str,
    name: String,
}

fn pane<'a>(line: &Line<'_>, snapshot: &'a Snapshot) -> Option<Pane<'a>> {
    let on_windows = snapshot.is_windows();
    // The marks of one environment belong together; one multiplexer in another leaves both there,
    // and TMUX_PANE of the outer one in a screen inside of it cannot be told from the reverse.
    line.marks(snapshot).find_map(|marks| {
        let mark = |name: &str| marks.get(name).map(String::as_str).filter(|it| !it.is_empty());
        if let Some(name) = mark("TMUX_PANE") {
            // TMUX is socket,pid of the server,session: the session changes when a pane is moved.
            let server = mark("TMUX").unwrap_or_default();
            let server = server.rsplit_once(',').map_or(server, |(server, _)| server);
            return Some(Pane { kind: SessionKind::Tmux, server, name: name.to_owned() });
        }
        if let Some(name) = mark("ZELLIJ_PANE_ID") {
            let server = mark("ZELLIJ_SESSION_NAME").unwrap_or_default();
            return Some(Pane { kind: SessionKind::Zellij, server, name: name.to_owned() });
        }
        let Some(server) = mark("STY") else {
            // Windows Terminal numbers its panes by GUIDs, and an editor that was started in one hands
            // its number on to all of its own. In WSL the kernel's terminal says more.
            let id = mark("WT_SESSION").filter(|_| mark("TERM_PROGRAM") != Some("vscode"))?;
            let name = format!("WindowsTerminal {}", id.get(..8).unwrap_or(id));
            return on_windows.then_some(Pane { kind: SessionKind::Terminal, server: id, name });
        };
        let name = match mark("WINDOW") {
            Some(window) => format!("{server}:{window}"),
            None => server.to_owned(),
        };
        Some(Pane { kind: SessionKind::Screen, server, name })
    })
}

/// The job of continuous integration, the nearest name first: RUNNER_TRACKING_ID is one job's,
/// GITHUB_RUN_ID that of a whole run, whose jobs may share a machine.
fn ci_job<'a>(line: &Line<'_>, snapshot: &'a Snapshot) -> Option<&'a str> {
    const JOBS: [&str; 5] =
        ["RUNNER_TRACKING_ID", "CI_JOB_ID", "JENKINS_NODE_COOKIE", "BUILD_TAG", "GITHUB_RUN_ID"];
    JOBS.iter().find_map(|name| line.mark(name, snapshot))
}

/// `session-3.scope` in the control group: pam_systemd(8) puts every login into one.
fn login<'a>(line: &Line<'a>) -> Option<&'a str> {
    let scope = |part: &&str| part.starts_with("session-") && part.ends_with(".scope");
    line.iter().find_map(|process| process.cgroup.as_deref()?.split('/').find(scope))
}
