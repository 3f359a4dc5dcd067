//! Where a process comes from: the project whose directory it runs in, the session and the coding
//! agent that started it, the user; and whether that is where the asker comes from too. Pure: the
//! facts are gathered by [`crate::learn`]. It keeps people and agents on one machine from ending
//! each other's servers by mistake; against ill will it is no guard.

pub(crate) mod agent;
mod line;
mod project;
mod session;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::engine::ContainerFacts;
use crate::process::{Process, SupervisorKind};
use crate::snapshot::Snapshot;
use crate::supervisor::supervisor_of;
use crate::windows::path;

pub(crate) use project::directories;
pub use session::{Session, SessionKind};

use line::Line;

/// Where a process comes from, so far as can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The work tree of git that it was started for: the nearest at or above its working
    /// directory. Of a container, that of its compose project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The terminal, login or job that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// The coding agent that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

impl Origin {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A coding agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The name of its command: `claude`, `codex`.
    pub name: String,
    /// Its process, where that lives and is an ancestor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

impl Agent {
    /// `claude (pid 8800)`, or its name alone.
    pub fn named(&self) -> String {
        match self.pid {
            Some(pid) => format!("{} (pid {pid})", self.name),
            None => self.name.clone(),
        }
    }
}

/// Why a process is not the asker's to end under `--mine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NotMine {
    /// Another user's.
    AnotherUser,
    /// Another project's directory.
    AnotherProject,
    /// A living coding agent's that is not the asker's.
    AnotherAgent,
    /// Another session's, and no project tells otherwise.
    AnotherSession,
    /// A service of the machine, which is there for everybody.
    SharedService,
    /// A container's that is not known to be the project's.
    AnotherContainer,
    /// Nothing tells whose it is.
    Unknown,
}

/// Whose a process is, where it is not the asker's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    /// By what that shows.
    pub why: NotMine,
    /// Where it comes from.
    pub origin: Origin,
    /// Its user's name or number, where another than the asker.
    pub user: Option<String>,
    /// The service or container it is, where it is one.
    pub run_by: Option<String>,
    /// The asker's own project.
    pub own_project: Option<String>,
}

/// The process and those above it whose environments tell where it comes from.
pub(crate) fn line(pid: u32, snapshot: &Snapshot) -> Vec<u32> {
    let line = Line::of(pid, snapshot);
    line.iter().flat_map(Line::iter).map(|process| process.id.pid).collect()
}

/// Where a process comes from.
pub fn origin_of(pid: u32, snapshot: &Snapshot) -> Origin {
    let Some(line) = Line::of(pid, snapshot) else { return Origin::default() };
    Origin {
        project: match line.is_boxed(snapshot) {
            true => container_of(line.own(), snapshot).and_then(|facts| home_of(facts, snapshot)),
            false => project::of(&line, snapshot),
        },
        session: session::of(&line, snapshot),
        agent: agent::of(&line, snapshot),
    }
}

/// Whether a process is the asker's own: started by this command, agent, terminal or session, or
/// for this work tree. The order of the rules is in `docs/agents.md`.
///
/// # Errors
/// Whose it is, where it is not.
pub fn is_mine(pid: u32, snapshot: &Snapshot) -> Result<(), Box<Theirs>> {
    let asker = Line::asker(snapshot);
    let Some(holder) = Line::of(pid, snapshot) else {
        return Err(Box::new(theirs(NotMine::Unknown, pid, None, &asker, snapshot)));
    };
    match judge(&holder, &asker, snapshot) {
        None => Ok(()),
        Some(why) => Err(Box::new(theirs(why, pid, Some(&holder), &asker, snapshot))),
    }
}

fn theirs(
    why: NotMine,
    pid: u32,
    holder: Option<&Line<'_>>,
    asker: &Line<'_>,
    snapshot: &Snapshot,
) -> Theirs {
    let process = holder.map(Line::own);
    let user = process.filter(|_| why == NotMine::AnotherUser).and_then(|process| {
        process.user.clone().or_else(|| process.uid.map(|uid| format!("user {uid}")))
    });
    let boxed = matches!(why, NotMine::SharedService | NotMine::AnotherContainer);
    let run_by = boxed.then(|| supervisor_of(pid, snapshot)).flatten().map(|by| by.name);
    Theirs {
        why,
        origin: origin_of(pid, snapshot),
        user,
        run_by,
        own_project: project::of(asker, snapshot),
    }
}

/// Why not, by the first rule that tells; `None` for the asker's own.
fn judge(holder: &Line<'_>, asker: &Line<'_>, snapshot: &Snapshot) -> Option<NotMine> {
    if is_of_the_askers_job(holder, asker, snapshot) {
        return None;
    }
    let supervisor = supervisor_of(holder.pid(), snapshot);
    let kind = supervisor.as_ref().map(|supervisor| supervisor.kind);
    if holder.is_boxed(snapshot) || kind == Some(SupervisorKind::Container) {
        let name = supervisor.map(|supervisor| supervisor.name);
        return judge_container(holder, name.as_deref(), asker, snapshot);
    }
    match (holder.person(snapshot), asker.person_of_asker(snapshot)) {
        (Some(theirs), mine) if theirs != mine => return Some(NotMine::AnotherUser),
        (None, _) => return Some(NotMine::Unknown),
        _ => {}
    }
    let job = supervisor.as_ref().filter(|by| by.kind == SupervisorKind::LaunchdJob);
    let daemon = job.is_some_and(|job| job.owner.is_none());
    if kind == Some(SupervisorKind::SystemdUnit) || daemon {
        return Some(NotMine::SharedService);
    }
    let projects = (project::of(holder, snapshot), project::of(asker, snapshot));
    let (own, other) = (agent::living(asker), agent::living(holder));
    if let Some(own) = own
        && holder.has(own.id)
    {
        return None;
    }
    let same_terminal = session::same_terminal(holder, asker, snapshot);
    if other.is_some() && (own.is_some() || same_terminal != Some(true)) {
        // Where the work trees differ too, that says more than who works in it.
        return Some(match projects {
            (Some(theirs), Some(mine)) if theirs != mine => NotMine::AnotherProject,
            _ => NotMine::AnotherAgent,
        });
    }
    if same_terminal == Some(true) {
        return None;
    }
    match projects {
        (Some(theirs), Some(mine)) if theirs == mine => None,
        (Some(_), _) => Some(NotMine::AnotherProject),
        (None, Some(_)) if same_terminal == Some(false) => Some(NotMine::AnotherSession),
        (None, Some(_)) => Some(NotMine::Unknown),
        (None, None) if same_terminal == Some(false) => Some(NotMine::AnotherSession),
        (None, None) => match session::same_login(holder, asker, snapshot) {
            Some(true) => None,
            Some(false) => Some(NotMine::AnotherSession),
            None => Some(NotMine::Unknown),
        },
    }
}

/// Whether the asker started it, or whatever started the asker below the place where somebody
/// sits: the script that runs both, within one session of the kernel (setsid(2)).
fn is_of_the_askers_job(holder: &Line<'_>, asker: &Line<'_>, snapshot: &Snapshot) -> bool {
    let own = snapshot.asker.pid;
    let session = snapshot.processes.get(&own).and_then(|process| process.session);
    // Windows has none that a process could leave.
    let has_sessions = !snapshot.is_windows();
    holder.pid() == own
        || holder.has_pid(own)
        || asker
            .job()
            .take_while(|process| !has_sessions || session.is_some() && process.session == session)
            .any(|process| holder.has(process.id))
}

/// A container is the asker's where compose started it from the asker's project.
fn judge_container(
    holder: &Line<'_>,
    name: Option<&str>,
    asker: &Line<'_>,
    snapshot: &Snapshot,
) -> Option<NotMine> {
    let facts = container_of(holder.own(), snapshot).or_else(|| {
        let name = name.filter(|name| !name.is_empty())?;
        snapshot.containers.iter().find(|facts| facts.name == name || facts.id.starts_with(name))
    });
    let directory =
        facts.and_then(|facts| facts.compose.as_ref()).and_then(|part| part.directory.as_deref());
    let Some(directory) = directory else { return Some(NotMine::AnotherContainer) };
    let theirs = project::at(directory, snapshot);
    let mine = match (theirs, project::of(asker, snapshot)) {
        (Some(theirs), Some(mine)) => theirs == mine,
        (None, None) => asker.directory().is_some_and(|own| is_within(own, directory)),
        _ => false,
    };
    (!mine).then_some(NotMine::AnotherProject)
}

/// The container that a process is in, as its engine describes it.
fn container_of<'a>(process: &Process, snapshot: &'a Snapshot) -> Option<&'a ContainerFacts> {
    let id = &process.container.as_ref()?.id;
    snapshot.containers.iter().find(|facts| facts.id == *id || facts.name == *id)
}

/// The work tree that compose started a container for, or the directory where that is none.
fn home_of(facts: &ContainerFacts, snapshot: &Snapshot) -> Option<String> {
    let directory = facts.compose.as_ref()?.directory.as_deref()?;
    Some(project::at(directory, snapshot).map_or_else(|| directory.to_owned(), Cow::into_owned))
}

/// Whether a directory is that one or below it.
fn is_within(directory: &str, above: &str) -> bool {
    if path::is_whole(above) {
        return path::is_within(directory, above);
    }
    let above = above.trim_end_matches('/');
    directory.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
