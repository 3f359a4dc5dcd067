//! The small words that all renderings share: ages, counts, reach, the names of things.

use std::borrow::Cow;

use proc_core::addr::Exposure;
use proc_core::diagnosis::{CauseKind, Verdict};
use proc_core::process::ProcessState;
use proc_core::report::{Outcome, ProcessReport, SocketReport};
use serde::Serialize;

use super::page::Role;
use crate::sanitize;

/// A number of things: `1 socket`, `2 sockets`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// How long ago or how long still, roughly: `41 s`, `3 min`, `2 h`, `5 days`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

/// Who can reach it.
pub const fn reach(exposure: Exposure) -> &'static str {
    match exposure {
        Exposure::Loopback => "this machine only",
        Exposure::Lan => "your network",
        Exposure::Any => "everybody",
    }
}

/// The same, short enough for a column.
pub const fn reach_short(exposure: Exposure) -> &'static str {
    match exposure {
        Exposure::Loopback => "this machine",
        Exposure::Lan => "network",
        Exposure::Any => "everybody",
    }
}

/// The colour of a verdict.
pub const fn verdict_role(verdict: Option<Verdict>) -> Role {
    match verdict {
        Some(Verdict::Free) => Role::Free,
        Some(Verdict::Held) => Role::Held,
        Some(Verdict::Lingering) => Role::Lingering,
        Some(Verdict::Denied) => Role::Denied,
        None => Role::Strong,
    }
}

/// The colour of an outcome.
pub const fn outcome_role(outcome: Option<Outcome>) -> Role {
    match outcome {
        Some(
            Outcome::Freed
            | Outcome::AlreadyFree
            | Outcome::Sent
            | Outcome::Frozen
            | Outcome::Thawed
            | Outcome::Unstuck
            | Outcome::NotStuck
            | Outcome::Reloaded,
        ) => Role::Free,
        Some(Outcome::Unchanged) => Role::Held,
        Some(Outcome::NotFound) => Role::Strong,
        Some(Outcome::StillHeld | Outcome::Respawned | Outcome::TakenByAnother) => Role::Held,
        Some(Outcome::Lingering) => Role::Lingering,
        Some(Outcome::Denied | Outcome::Refused) => Role::Denied,
        Some(Outcome::Declined | Outcome::Planned) | None => Role::Strong,
    }
}

/// The cause's word, as in JSON.
pub fn cause_name(kind: CauseKind) -> String {
    word(kind)
}

/// The word that JSON has for one of a closed set.
pub fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// The path with the home directory as `~`.
pub fn path<'a>(path: &'a str, home: Option<&str>) -> Cow<'a, str> {
    match home.and_then(|home| path.strip_prefix(home)) {
        Some("") => "~".into(),
        Some(rest) if rest.starts_with('/') => format!("~{rest}").into(),
        _ => path.into(),
    }
}

/// The command a process runs, as a shell would read it; its name where the arguments are
/// unknown.
pub fn command(process: &ProcessReport) -> Cow<'_, str> {
    match process.argv.as_slice() {
        [] => match &process.exe {
            Some(exe) => exe.into(),
            None => format!("({})", process.name).into(),
        },
        // A process that rewrote its title has one argument, which is no command line.
        [title] if title.contains(' ') => title.into(),
        argv => sanitize::shell(argv).into(),
    }
}

/// `node (4242)`, or `(4242)` where nothing but the number is known.
pub fn named<'a>(pid: u32, processes: impl IntoIterator<Item = &'a ProcessReport>) -> String {
    match processes.into_iter().find(|process| process.pid == pid) {
        Some(process) if !process.name.is_empty() => format!("{} ({pid})", process.name),
        _ => format!("({pid})"),
    }
}

/// What a process is doing, where that is worth saying.
pub const fn state(state: ProcessState) -> Option<&'static str> {
    match state {
        ProcessState::Running | ProcessState::Sleeping | ProcessState::Other => None,
        ProcessState::Uninterruptible => Some("waits for a device and hears no signal"),
        ProcessState::Stopped => Some("stopped, as by Ctrl-Z"),
        ProcessState::Traced => Some("stopped by a debugger"),
        ProcessState::Suspended => Some("suspended: all its threads are held"),
        ProcessState::Zombie => Some("ended, not yet collected by its parent"),
        ProcessState::LeaderExited => Some("its main thread has ended"),
    }
}

/// The unit, or else the last part, of a control group's path.
pub fn cgroup(path: &str) -> &str {
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    let last = parts.next().unwrap_or("/");
    if is_unit(last) { last } else { parts.find(|part| is_unit(part)).unwrap_or(last) }
}

fn is_unit(part: &str) -> bool {
    [".service", ".socket", ".scope"].iter().any(|end| part.ends_with(end))
}

/// A user of whom only the number is known.
pub fn user(uid: u32) -> String {
    match uid {
        0 => "root".to_owned(),
        uid => format!("user {uid}"),
    }
}

/// Who holds a socket whose holders are no visible processes.
pub fn unseen(socket: &SocketReport) -> Option<String> {
    if !socket.holders.is_empty() {
        return None;
    }
    let place = socket.cgroup.as_deref().map(cgroup).filter(|name| *name != "/");
    Some(match (socket.hidden, socket.kernel, place) {
        (true, _, Some(name)) => format!("hidden, in {name}"),
        (true, _, None) => match socket.uid {
            Some(uid) => format!("hidden, made by {}", user(uid)),
            None => "hidden".to_owned(),
        },
        (false, true, _) => "the kernel".to_owned(),
        (false, false, _) => "nobody".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (ms, want) in [
            (5, "5 ms"),
            (41_000, "41 s"),
            (119_000, "119 s"),
            (180_000, "3 min"),
            (7_200_000, "2 h"),
            (5 * 86_400_000, "5 days"),
        ] {
            assert_eq!(span(ms), want);
        }
    }

    #[test]
    fn home_is_a_tilde() {
        let home = Some("/home/me");
        for (given, want) in
            [("/home/me", "~"), ("/home/me/x", "~/x"), ("/home/meg", "/home/meg"), ("/", "/")]
        {
            assert_eq!(path(given, home), want);
        }
    }

    #[test]
    fn a_control_group_is_named_by_its_unit() {
        for (path, want) in [
            ("/system.slice/nginx.service", "nginx.service"),
            ("/user.slice/user@1000.service/app.slice/x", "user@1000.service"),
            ("/docker/abc", "abc"),
            ("/", "/"),
        ] {
            assert_eq!(cgroup(path), want);
        }
    }

    #[test]
    fn causes_have_the_names_of_the_json() {
        assert_eq!(cause_name(CauseKind::TimeWait), "time-wait");
    }
}
