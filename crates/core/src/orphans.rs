//! Processes that outlived whoever started them: dev servers whose terminal was closed, children of
//! a wrapper that was killed. What was meant to run by itself, a service or a daemon, is none.

use std::collections::BTreeMap;

use crate::explain;
use crate::file_use::undeleted;
use crate::filter::SortKey;
use crate::host::Host;
use crate::known::System;
use crate::nature::{NatureKind, nature_of};
use crate::process::{Process, ProcessState};
use crate::processes::{ProcessesWish, Survey};
use crate::report::ProcessesReport;
use crate::snapshot::{ProcessFacts, Snapshot};
use crate::supervisor::{door, is_desktop, is_of_service, is_service_manager, runs_others};
use crate::windows::path;

/// What shows that a process was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrphanSign {
    /// Its parent ended, and this process has inherited it: the first process, a user's systemd, or
    /// one that asked for it (PR_SET_CHILD_SUBREAPER of prctl(2)).
    Inherited {
        /// Who.
        by: u32,
    },
    /// Its parent has ended, and Windows gives its children to nobody.
    ParentGone,
    /// The first process of its session, such as the shell of a terminal, has ended.
    LeaderEnded {
        /// Who it was.
        leader: u32,
    },
    /// The terminal it writes to is gone.
    TerminalGone {
        /// Which: `/dev/pts/3`.
        terminal: String,
    },
    /// Its working directory was removed.
    DirectoryGone,
    /// Its executable was removed or replaced.
    ExecutableGone,
}

/// How sure it is that nobody wants a process any more. The surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A job that its shell or wrapper left behind: no daemon is made so.
    Left,
    /// It may have been left behind, or have been started to run on by itself.
    Perhaps,
    /// Nobody is above it, as with every daemon.
    Daemon,
}

/// Whether the parent of a process is none that started it, as far as that shows.
pub fn is_inherited(process: &Process, snapshot: &Snapshot) -> bool {
    let Some(parent) = snapshot.processes.get(&process.ppid) else { return process.ppid == 1 };
    // Nobody is older than their parent.
    parent.id.pid == 1 || is_service_manager(parent) || parent.id.start > process.id.start
}

/// How far a process is an orphan, and by what signs; `None` for one that has somebody above it, for
/// services, containers and threads of the kernel.
pub fn orphan(process: &Process, snapshot: &Snapshot) -> Option<(Standing, Vec<OrphanSign>)> {
    let gone = matches!(process.state, ProcessState::Zombie);
    if gone || process.kernel_thread || process.container.is_some() {
        return None;
    }
    if is_of_service(process) || is_service_manager(process) {
        return None;
    }
    let mut signs = vec![match System::of(snapshot.source) {
        // The system's own first processes have nobody above them, and no file that can be seen.
        System::Windows if process.ppid == 0 && process.exe.is_some() => OrphanSign::ParentGone,
        System::Windows => return None,
        System::Linux | System::Mac => {
            let first = process.id.pid == 1 || process.ppid == 0;
            if first || !is_inherited(process, snapshot) {
                return None;
            }
            OrphanSign::Inherited { by: process.ppid }
        }
    }];
    let leader = process.session.filter(|&leader| leader != process.id.pid);
    let leader_ended = leader.filter(|leader| !snapshot.processes.contains_key(leader));
    signs.extend(leader_ended.map(|leader| OrphanSign::LeaderEnded { leader }));
    let removed = process.cwd.as_deref().is_some_and(|cwd| undeleted(cwd).1);
    signs.extend(removed.then_some(OrphanSign::DirectoryGone));
    signs.extend(process.exe_deleted.then_some(OrphanSign::ExecutableGone));
    Some((standing(process, leader_ended, snapshot), signs))
}

fn standing(process: &Process, leader_ended: Option<u32>, snapshot: &Snapshot) -> Standing {
    // They have nobody above them by design: doors of the machine, managers, tools' daemons.
    let by_design = door(process).is_some()
        || is_desktop(process)
        || runs_others(process)
        || nature_of(process, snapshot).is_some_and(|nature| {
            matches!(nature.kind, NatureKind::ToolDaemon | NatureKind::Agent | NatureKind::Browser)
        });
    if by_design {
        return Standing::Daemon;
    }
    let younger = snapshot
        .processes
        .get(&process.ppid)
        .is_some_and(|parent| parent.id.start > process.id.start);
    // A job of a shell has a group of its own in the shell's session, and one whose wrapper was
    // killed is still in that session. A daemon that forked twice is in the session and group of a
    // parent that ended; so is what a script left.
    let worked = process.cwd.as_deref().is_some_and(|cwd| works_at(cwd, process));
    // The main process of a unit that starts sessions, such as cron.
    let of_unit = process.unit.is_some() && process.session == Some(process.id.pid);
    match leader_ended {
        Some(_) if process.group != process.session => Standing::Left,
        None if leads_nothing(process) => Standing::Left,
        _ if (worked || younger) && !of_unit => Standing::Perhaps,
        _ => Standing::Daemon,
    }
}

/// Whether somebody may have started it there for what is there: not where daemons go, nor on Windows,
/// where most programs have outlived whoever started them, where its own files or the system's are.
fn works_at(cwd: &str, process: &Process) -> bool {
    if !path::is_whole(cwd) {
        return cwd != "/";
    }
    let own =
        process.exe.as_deref().and_then(|exe| exe.rsplit_once('\\')).map(|(folder, _)| folder);
    let place = cwd.to_ascii_lowercase();
    let below = place.split_once(":\\").map_or(&*place, |(_, below)| below);
    !below.is_empty()
        && !["windows", "program files", "program files (x86)", "programdata"]
            .iter()
            .any(|system| path::is_within(below, system))
        && own.is_none_or(|own| !path::is_within(cwd, own))
}

/// Whether a process is in somebody else's session: it did not make one for itself (setsid(2)).
fn leads_nothing(process: &Process) -> bool {
    process.session.is_some_and(|leader| leader != process.id.pid)
}

/// The orphans among those wished for, the surest first; with `all` daemons too.
pub fn orphans(host: &dyn Host, wish: &ProcessesWish, all: bool) -> ProcessesReport {
    let facts = ProcessFacts { program: true, group: true, directory: true, arguments: true };
    let mut wish = ProcessesWish { facts, ..wish.clone() };
    // They are left out for what they are, and not to be shown by an option.
    wish.filter.kernel_threads = true;
    let limit = wish.limit.take().unwrap_or(usize::MAX);
    let mut survey = Survey::take(host, &wish);
    let found: BTreeMap<u32, (Standing, Vec<OrphanSign>)> = survey
        .snapshot
        .processes
        .values()
        .filter_map(|process| Some((process.id.pid, orphan(process, &survey.snapshot)?)))
        .collect();
    let shown = |pid: &u32| {
        let standing = found.get(pid).map(|(standing, _)| *standing);
        standing.is_some_and(|standing| all || standing != Standing::Daemon)
    };
    let daemons = found.keys().filter(|pid| !shown(pid)).count();
    let ports = std::mem::replace(&mut wish.ports, false);
    let mut choice = survey.choose(host, &wish, |process| shown(&process.id.pid));
    if wish.sort == SortKey::default() {
        choice.pids.sort_by_key(|pid| found.get(pid).map(|(standing, _)| *standing));
    }
    choice.pids.truncate(limit);
    if ports {
        survey.look_for_ports(host, &choice.pids);
    }
    let mut report = survey.report("orphans", &choice, &wish);
    for process in &mut report.processes {
        let Some((standing, signs)) = found.get(&process.pid) else { continue };
        let mut signs = signs.clone();
        signs.extend(terminal_gone(host, process.pid));
        let reasons = signs.iter().map(|sign| explain::orphan(*standing, sign, &survey.snapshot));
        process.because = reasons.collect();
    }
    if report.processes.is_empty() {
        report.explain = Some(explain::no_orphan(&wish.filter, daemons));
    }
    report
}

/// The terminal that a process still has as one of its three streams, and that is gone.
fn terminal_gone(host: &dyn Host, pid: u32) -> Option<OrphanSign> {
    let streams = host.streams(pid);
    let gone = streams.iter().find_map(|link| link.strip_suffix(" (deleted)"));
    let terminal = gone.filter(|path| path.starts_with("/dev/pts/"))?;
    Some(OrphanSign::TerminalGone { terminal: terminal.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::snapshot::Source;
    use crate::supervisor::tests::process;
    use crate::supervisor::unit_of;

    const NODE: &str = "/usr/bin/node";

    fn machine() -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        let init = process(1, 0, "/lib/systemd/systemd", &["/sbin/init"]);
        snapshot.processes.insert(1, init);
        let mut user = process(800, 1, "/lib/systemd/systemd", &["systemd", "--user"]);
        user.cgroup = Some("/user.slice/user-1000.slice/user@1000.service/init.scope".to_owned());
        snapshot.processes.insert(800, user);
        snapshot
    }

    /// A server with that parent, session and group, in a project.
    fn server(ppid: u32, session: u32, group: u32) -> Process {
        let mut server = process(900, ppid, NODE, &["node", "server.js"]);
        (server.session, server.group) = (Some(session), Some(group));
        server.cwd = Some("/home/me/shop".to_owned());
        server
    }

    fn judged(process: &Process, snapshot: &Snapshot) -> Option<Standing> {
        orphan(process, snapshot).map(|(standing, _)| standing)
    }

    #[test]
    fn jobs_of_closed_terminals_are_left() {
        let mut snapshot = machine();
        for ppid in [1, 800] {
            let job = server(ppid, 700, 850);
            let (standing, signs) = orphan(&job, &snapshot).unwrap();
            assert_eq!(standing, Standing::Left);
            assert_eq!(
                signs,
                [OrphanSign::Inherited { by: ppid }, OrphanSign::LeaderEnded { leader: 700 }]
            );
        }
        // The shell lives, and only the wrapper between them ended.
        snapshot.processes.insert(700, process(700, 1, "/bin/bash", &["-bash"]));
        assert_eq!(judged(&server(1, 700, 850), &snapshot), Some(Standing::Left));
        assert_eq!(judged(&server(700, 700, 850), &snapshot), None);
    }

    #[test]
    fn a_parent_younger_than_its_child_has_inherited_it() {
        let mut snapshot = machine();
        snapshot.processes.insert(950, process(950, 1, "/opt/reaper", &["reaper"]));
        let child = server(950, 900, 900);
        assert_eq!(child.id.start, 900);
        assert_eq!(judged(&child, &snapshot), Some(Standing::Perhaps));
        assert_eq!(judged(&server(950, 600, 700), &snapshot), Some(Standing::Left));
    }

    #[test]
    fn on_windows_the_place_tells_who_was_left() {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.source = Source::ExtendedTable;
        let standing = |exe: &str, cwd: Option<&str>, ppid: u32| {
            let mut process = process(900, ppid, exe, &["x"]);
            process.cwd = cwd.map(str::to_owned);
            judged(&process, &snapshot)
        };
        let node = r"C:\Program Files\nodejs\node.exe";
        let slack = r"C:\Users\me\AppData\Local\slack\app-4\slack.exe";
        for (exe, cwd, wanted) in [
            (node, Some(r"C:\src\shop"), Standing::Perhaps),
            (node, Some(r"\\wsl.localhost\Ubuntu\home\me\shop"), Standing::Perhaps),
            (node, Some(r"C:\"), Standing::Daemon),
            (node, Some(r"C:\WINDOWS\system32"), Standing::Daemon),
            (node, Some(r"C:\Program Files\nodejs"), Standing::Daemon),
            (node, None, Standing::Daemon),
            (slack, Some(r"c:\users\me\appdata\local\slack\app-4"), Standing::Daemon),
            (r"C:\Windows\explorer.exe", Some(r"C:\Users\me"), Standing::Daemon),
            (r"C:\Windows\System32\csrss.exe", Some(r"C:\Users\me"), Standing::Daemon),
        ] {
            assert_eq!(standing(exe, cwd, 0), Some(wanted), "{exe} in {cwd:?}");
            assert_eq!(standing(exe, cwd, 700), None, "its parent lives");
        }
        let mut system = process(4, 0, "", &[]);
        system.exe = None;
        assert_eq!(judged(&system, &snapshot), None);
    }

    #[test]
    fn what_runs_by_itself_is_a_daemon_and_what_may_is_a_guess() {
        let snapshot = machine();
        // `setsid node server.js &` in a project.
        assert_eq!(judged(&server(1, 900, 900), &snapshot), Some(Standing::Perhaps));
        let mut daemon = server(1, 900, 900);
        daemon.cwd = Some("/".to_owned());
        assert_eq!(judged(&daemon, &snapshot), Some(Standing::Daemon));
        // It forked twice.
        (daemon.session, daemon.group) = (Some(870), Some(870));
        assert_eq!(judged(&daemon, &snapshot), Some(Standing::Daemon));
        daemon.cwd = Some("/home/me/shop".to_owned());
        assert_eq!(judged(&daemon, &snapshot), Some(Standing::Perhaps));
        let mut cron = process(900, 1, "/usr/sbin/cron", &["cron", "-f"]);
        cron.cwd = Some("/var/spool/cron".to_owned());
        cron.session = Some(900);
        cron.cgroup = Some("/system.slice/cron.service".to_owned());
        cron.unit = unit_of("/system.slice/cron.service").map(|(unit, _)| unit);
        assert_eq!(judged(&cron, &snapshot), Some(Standing::Daemon));
        let mut door = process(900, 1, "/usr/sbin/sshd", &["sshd"]);
        door.cwd = Some("/root".to_owned());
        assert_eq!(judged(&door, &snapshot), Some(Standing::Daemon));
    }

    #[test]
    fn services_containers_kernel_threads_and_the_dead_are_none() {
        let snapshot = machine();
        let mut service = server(1, 700, 850);
        service.cgroup = Some("/system.slice/web.service".to_owned());
        service.unit = unit_of("/system.slice/web.service").map(|(unit, _)| unit);
        let mut in_scope = server(1, 700, 850);
        in_scope.cgroup = Some("/user.slice/user-1000.slice/session-2.scope".to_owned());
        let mut boxed = server(1, 700, 850);
        boxed.container =
            Some(crate::process::Container { engine: "docker".to_owned(), id: "a".repeat(64) });
        let mut kernel = server(1, 700, 850);
        kernel.kernel_thread = true;
        let mut dead = server(1, 700, 850);
        dead.state = ProcessState::Zombie;
        for (process, want) in [
            (&service, None),
            (&in_scope, Some(Standing::Left)),
            (&boxed, None),
            (&kernel, None),
            (&dead, None),
            (&snapshot.processes[&1], None),
            (&snapshot.processes[&800], None),
        ] {
            assert_eq!(judged(process, &snapshot), want, "{process:?}");
        }
    }

    #[test]
    fn removed_directories_and_programs_are_told() {
        let mut job = server(1, 700, 850);
        job.exe_deleted = true;
        job.cwd = Some("/home/me/shop (deleted)".to_owned());
        let (_, signs) = orphan(&job, &machine()).unwrap();
        assert_eq!(signs[2..], [OrphanSign::DirectoryGone, OrphanSign::ExecutableGone]);
    }
}
