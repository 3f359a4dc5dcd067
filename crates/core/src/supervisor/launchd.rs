//! The job of launchd that runs a process or has its socket opened: what starts it again, and what
//! stops it for good. How jobs are read is not here.

use super::door;
use crate::decode::macos::launchd::formula;
use crate::process::{Process, Supervisor};
use crate::snapshot::{Snapshot, Source};

/// Whether the snapshot is of a Mac, where units are jobs of launchd.
pub(crate) fn is_mac(snapshot: &Snapshot) -> bool {
    snapshot.source == Source::PcbList
}

/// Whether a process is launchd: the first one, for the system and for every user alike.
pub(super) fn is_launchd(process: &Process) -> bool {
    process.id.pid == 1 && process.program() == "launchd"
}

/// The job that a process belongs to, its own or that of the nearest ancestor which is one, and
/// whose agent it is; `None` for a daemon of the system's.
pub(super) fn home(process: &Process, snapshot: &Snapshot) -> Option<(String, Option<u32>)> {
    let above = snapshot.ancestors(process.id.pid);
    let job = std::iter::once(process).chain(above).find(|process| process.unit.is_some())?;
    let label = job.unit.clone()?;
    let known =
        |user: Option<u32>| snapshot.units.iter().any(|unit| unit.id == label && unit.user == user);
    // Users of the system have numbers below 500, and no agents.
    let own = job.uid.filter(|&uid| uid >= 500);
    let user = if known(None) && !known(own) { None } else { own };
    Some((label, user))
}

/// The command that stops a job and keeps it from coming back before the next login or boot:
/// Homebrew's own for its services, else launchctl's. `None` where it is not to be stopped.
pub(super) fn stop_command(supervisor: &Supervisor) -> Option<Vec<String>> {
    let label = supervisor.name.as_str();
    if guard(label).is_some() {
        return None;
    }
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    if let Some(formula) = formula(label) {
        return Some(words(&["brew", "services", "stop", formula]));
    }
    let target = match supervisor.owner {
        Some(uid) => format!("gui/{uid}/{label}"),
        None => format!("system/{label}"),
    };
    Some(words(&["launchctl", "bootout", &target]))
}

/// Why a job is not to be stopped unless somebody insists: the system's own come with it and are
/// protected by it (SIP refuses to boot them out), and a few are the way in.
pub(super) fn guard(label: &str) -> Option<&'static str> {
    match label {
        "com.openssh.sshd" | "com.apple.screensharing" => Some(door::LOGIN),
        label if label.starts_with("com.docker.") || label.starts_with("dev.orbstack.") => {
            Some(door::ENGINE)
        }
        // Apple's own too, under the name of the project that it comes from.
        "org.cups.cupsd" => Some(door::SYSTEM),
        label if label.starts_with("com.apple.") => Some(door::SYSTEM),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::chain;
    use super::*;
    use crate::unit::UnitFacts;

    fn supervisor(label: &str, owner: Option<u32>) -> Supervisor {
        Supervisor { name: label.to_owned(), owner, ..Supervisor::default() }
    }

    #[test]
    fn what_stops_a_job() {
        for (label, owner, want) in [
            ("org.example.web", Some(501), Some("launchctl bootout gui/501/org.example.web")),
            ("org.example.web", None, Some("launchctl bootout system/org.example.web")),
            ("homebrew.mxcl.postgresql@16", Some(501), Some("brew services stop postgresql@16")),
            ("com.apple.controlcenter", Some(501), None),
            ("com.openssh.sshd", None, None),
            ("org.cups.cupsd", None, None),
            ("com.docker.vmnetd", None, None),
        ] {
            let command = stop_command(&supervisor(label, owner)).map(|words| words.join(" "));
            assert_eq!(command.as_deref(), want, "{label}");
        }
    }

    #[test]
    fn a_process_is_of_the_nearest_job_above_it() {
        let server: (&str, &[&str]) = ("/opt/web/bin/web", &["web"]);
        let mut snapshot = chain(&[server, ("/opt/web/bin/worker", &["worker"])]);
        snapshot.source = Source::PcbList;
        let of = |snapshot: &Snapshot, pid| home(&snapshot.processes[&pid], snapshot);
        let last = *snapshot.processes.keys().max().unwrap();
        assert_eq!(of(&snapshot, last), None);
        let first = snapshot.processes.get_mut(&10).unwrap();
        first.unit = Some("org.example.web".to_owned());
        first.uid = Some(501);
        let label = "org.example.web".to_owned();
        assert_eq!(of(&snapshot, last), Some((label.clone(), Some(501))));
        snapshot.units.push(UnitFacts { id: label.clone(), ..UnitFacts::default() });
        assert_eq!(of(&snapshot, last), Some((label, None)), "a daemon with a user of its own");
    }
}
