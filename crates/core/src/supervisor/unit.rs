//! The unit of systemd that runs a process or keeps a socket for one, as control groups and the
//! manager's own words tell: what starts it again, what stops it for good, what ends along. How
//! systemd is asked is not here.

use std::collections::BTreeSet;

use super::{
    askers, door, is_interactive_shell, is_service_manager, launchd, manager_user, session, unit_of,
};
use crate::process::{Process, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;
use crate::socket::{Holders, Socket};
use crate::unit::UnitFacts;

/// A socket that systemd opened for a service, by the socket units which say that they listen
/// there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation<'a> {
    /// The user whose manager it is; `None` for the system's.
    pub user: Option<u32>,
    /// The socket units: one, but for units that share a port by SO_REUSEPORT. Empty where the
    /// manager holds the socket and names none.
    pub sockets: Vec<&'a UnitFacts>,
    /// The services that they start, so far as the manager told of them.
    pub services: Vec<&'a UnitFacts>,
}

/// The service manager that keeps this socket open for a service, and the units that it does so
/// for. `None` where no manager has a part in it.
///
/// A manager counts as the holder where it is seen to hold the socket; where one of its socket
/// units says that it listens there and the holder is its service; and where the holder is hidden,
/// the socket is of the manager's user, and a socket unit says so.
pub fn activation<'a>(socket: &Socket, snapshot: &'a Snapshot) -> Option<Activation<'a>> {
    let pids = socket.holders.pids();
    let holders = || pids.iter().filter_map(|pid| snapshot.processes.get(pid));
    if let Some(job) = launchd_activation(socket, snapshot) {
        return Some(job);
    }
    if let Some(manager) = holders().find(|process| is_service_manager(process)) {
        let user = user_of_manager(manager);
        return Some(activated(user, listening(socket, user, snapshot), snapshot));
    }
    if socket.holders == Holders::Hidden {
        let user = socket.uid.filter(|&uid| uid != 0);
        let sockets = listening(socket, user, snapshot);
        return (!sockets.is_empty()).then(|| activated(user, sockets, snapshot));
    }
    holders().filter_map(|process| home(process, snapshot)).find_map(|(unit, user)| {
        let mut sockets = listening(socket, user, snapshot);
        sockets.retain(|socket| starts(socket, &unit));
        (!sockets.is_empty()).then(|| activated(user, sockets, snapshot))
    })
}

/// The job of launchd whose socket this is: launchd holds every job's, the system's and the agents',
/// and a job that runs has it too.
fn launchd_activation<'a>(socket: &Socket, snapshot: &'a Snapshot) -> Option<Activation<'a>> {
    if !launchd::is_mac(snapshot) {
        return None;
    }
    let pids = socket.holders.pids();
    let holders = || pids.iter().filter_map(|pid| snapshot.processes.get(pid));
    let by_launchd = holders().any(launchd::is_launchd);
    let of_holder = |unit: &&UnitFacts| {
        let home = holders().find_map(|process| home(process, snapshot));
        by_launchd || home.is_some_and(|home| home == (unit.id.clone(), unit.user))
    };
    let jobs = snapshot.units.iter().filter(|unit| unit.listens_on(socket));
    let mut jobs = by_name(jobs.filter(of_holder).collect());
    // One job alone has a socket.
    jobs.truncate(1);
    let user = jobs.first().and_then(|job| job.user);
    (by_launchd || !jobs.is_empty()).then(|| activated(user, jobs, snapshot))
}

/// The socket unit behind a socket that systemd keeps open, as what supervises it: stopping it,
/// with the services that it starts, is what gives the port back. `None` where no socket unit is
/// known for it.
pub fn socket_unit_supervisor(socket: &Socket, snapshot: &Snapshot) -> Option<Supervisor> {
    let activation = activation(socket, snapshot)?;
    let first = activation.sockets.first()?;
    let mut stopped: Vec<&str> = activation.sockets.iter().map(|unit| unit.id.as_str()).collect();
    let services = activation.services.iter().map(|unit| unit.id.as_str());
    // What a socket unit names and the manager had no time to describe is stopped all the same.
    let named = activation.sockets.iter().flat_map(|unit| &unit.triggers).map(String::as_str);
    for service in services.chain(named) {
        if !stopped.contains(&service) {
            stopped.push(service);
        }
    }
    let mut along: Vec<String> = activation
        .services
        .iter()
        .filter(|unit| unit.is_active())
        .map(|unit| unit.id.clone())
        .collect();
    along.extend(taken_along(&stopped, activation.user, snapshot));
    let mut supervisor = Supervisor {
        kind: kind(activation.user, snapshot),
        name: first.id.clone(),
        pid: None,
        restarts: Some(true),
        stop: None,
        policy: Some("on connection".to_owned()),
        restarted: None,
        owner: activation.user,
        takes_along: along,
        alone: false,
    };
    let user = activation.user.and_then(|uid| user_name(uid, snapshot));
    supervisor.stop = stop_command(&supervisor, &stopped, user, snapshot);
    Some(supervisor)
}

/// Why a unit is not to be stopped unless somebody insists: systemd itself refuses, or the
/// machine needs it. `None` for ordinary ones, and for what is no unit.
pub fn unit_guard(supervisor: &Supervisor, snapshot: &Snapshot) -> Option<&'static str> {
    if supervisor.kind == SupervisorKind::LaunchdJob {
        return launchd::guard(&supervisor.name);
    }
    let units = [SupervisorKind::SystemdUnit, SupervisorKind::SystemdUserUnit];
    if !units.contains(&supervisor.kind) {
        return None;
    }
    if facts(&supervisor.name, supervisor.owner, snapshot).is_some_and(|unit| unit.refuses_stop) {
        return Some("systemd refuses to stop it by hand (RefuseManualStop=)");
    }
    unit_door(&supervisor.name)
}

/// Why the machine needs that unit, in words: what it runs is a door, and may not be running now.
/// By its name alone; instances (`ssh@….service`) count as their template.
fn unit_door(unit: &str) -> Option<&'static str> {
    let (stem, _) = unit.rsplit_once('.')?;
    match stem.split('@').next().unwrap_or(stem) {
        "ssh" => Some(door::LOGIN),
        "docker" | "podman" | "lxd" | "incus" => Some(door::ENGINE),
        "dbus" | "user" => Some(door::SESSION),
        stem => door::reason(stem),
    }
}

/// The unit that a process was started by, unless somebody sits in it or it holds the asker.
pub(super) fn unit_supervisor(process: &Process, snapshot: &Snapshot) -> Option<Supervisor> {
    let (unit, owner) = home(process, snapshot)?;
    let same =
        |other: &Process| home(other, snapshot).is_some_and(|other| other == (unit.clone(), owner));
    // Somebody typed this process into a shell that lives in the unit: sshd without its PAM
    // module, tmux as a user's service, a CI runner.
    let by_hand = snapshot
        .ancestors(process.id.pid)
        .into_iter()
        .any(|ancestor| is_interactive_shell(ancestor) && same(ancestor));
    if by_hand || session::is_session_unit(&unit) || askers(snapshot).any(same) {
        return None;
    }
    let facts = facts(&unit, owner, snapshot);
    let triggers = facts.map(|facts| triggers_of(facts, snapshot)).unwrap_or_default();
    let sockets = triggers.iter().filter(|unit| unit.ends_with(".socket"));
    let stopped: Vec<&str> = sockets.copied().chain([unit.as_str()]).collect();
    let mut supervisor = Supervisor {
        kind: kind(owner, snapshot),
        name: unit.clone(),
        pid: None,
        restarts: facts.and_then(|facts| comes_back(facts, &triggers)),
        stop: None,
        policy: facts.and_then(|facts| policy(facts, &triggers)),
        restarted: facts.and_then(|facts| facts.restarted),
        owner,
        takes_along: taken_along(&stopped, owner, snapshot),
        alone: false,
    };
    let user = process.user.as_deref().filter(|_| process.uid == owner);
    supervisor.stop = stop_command(&supervisor, &stopped, user, snapshot);
    Some(supervisor)
}

/// The service of a process, and the user whose manager has it (`None`: the system's), as the
/// managers of this machine know it.
pub(crate) fn home(process: &Process, snapshot: &Snapshot) -> Option<(String, Option<u32>)> {
    if launchd::is_mac(snapshot) {
        return launchd::home(process, snapshot);
    }
    home_of_group(process.cgroup.as_deref()?, snapshot)
}

/// The same of a control group. Paths count from where the first process's systemd has its root,
/// which in a container without a control group namespace is deep in the machine's tree
/// (systemd's `cg_get_root_path`).
pub(crate) fn home_of_group(cgroup: &str, snapshot: &Snapshot) -> Option<(String, Option<u32>)> {
    let first = snapshot.processes.get(&1).filter(|first| is_service_manager(first));
    let root = first.and_then(|first| first.cgroup.as_deref()?.strip_suffix("/init.scope"));
    let below = root
        .and_then(|root| cgroup.strip_prefix(root))
        .filter(|below| below.starts_with('/'))
        .unwrap_or(cgroup);
    let (unit, by_user) = unit_of(below)?;
    Some((unit, manager_user(below).filter(|_| by_user)))
}

fn kind(owner: Option<u32>, snapshot: &Snapshot) -> SupervisorKind {
    match owner {
        _ if launchd::is_mac(snapshot) => SupervisorKind::LaunchdJob,
        Some(_) => SupervisorKind::SystemdUserUnit,
        None => SupervisorKind::SystemdUnit,
    }
}

/// Whose manager a process is: the first process is the system's.
pub(crate) fn user_of_manager(manager: &Process) -> Option<u32> {
    manager.uid.filter(|_| manager.id.pid != 1)
}

fn facts<'a>(unit: &str, owner: Option<u32>, snapshot: &'a Snapshot) -> Option<&'a UnitFacts> {
    snapshot.units.iter().find(|facts| facts.id == unit && facts.user == owner)
}

/// The socket units of a manager that say they listen there. Of several, those that are active:
/// one that failed to bind names the same port.
fn listening<'a>(socket: &Socket, user: Option<u32>, snapshot: &'a Snapshot) -> Vec<&'a UnitFacts> {
    let all = || snapshot.units.iter().filter(move |unit| unit.user == user);
    let exact: Vec<&UnitFacts> = all().filter(|unit| unit.listens_on(socket)).collect();
    let active = exact.iter().copied().filter(|unit| unit.is_active());
    let active: Vec<&UnitFacts> = active.collect();
    by_name(if active.is_empty() { exact } else { active })
}

fn activated<'a>(
    user: Option<u32>,
    sockets: Vec<&'a UnitFacts>,
    snapshot: &'a Snapshot,
) -> Activation<'a> {
    let of_manager = snapshot.units.iter().filter(|unit| unit.user == user);
    let started = |unit: &&UnitFacts| sockets.iter().any(|socket| starts(socket, &unit.id));
    let services = by_name(of_manager.filter(started).collect());
    Activation { user, sockets, services }
}

/// The order in which a manager lists its units changes from one answer to the next.
fn by_name(mut units: Vec<&UnitFacts>) -> Vec<&UnitFacts> {
    units.sort_unstable_by_key(|unit| &unit.id);
    units
}

/// Whether a socket unit starts that service: it says so, or the service is an instance of its
/// template (`Accept=yes`: one `NAME@….service` a connection).
fn starts(socket: &UnitFacts, service: &str) -> bool {
    if socket.triggers.iter().any(|unit| unit == service) {
        return true;
    }
    let instance =
        |stem: &str| service.strip_prefix(stem).is_some_and(|rest| rest.starts_with('@'));
    socket.accepts && socket.id.strip_suffix(".socket").is_some_and(instance)
}

/// The units that would start this one on an occasion, without those known to be inactive.
fn triggers_of<'a>(unit: &'a UnitFacts, snapshot: &Snapshot) -> Vec<&'a str> {
    let idle = |name: &str| facts(name, unit.user, snapshot).is_some_and(|unit| !unit.is_active());
    unit.triggered_by.iter().map(String::as_str).filter(|name| !idle(name)).collect()
}

/// Whether systemd starts the unit again when its processes are asked to end (SIGTERM), by
/// `Restart=` (systemd.service(5)). After SIGTERM a unit has ended cleanly in systemd's eyes,
/// after SIGKILL it has not, and a program that catches SIGTERM chooses its own status: where only
/// an unclean end counts, it is not known before.
fn comes_back(unit: &UnitFacts, triggers: &[&str]) -> Option<bool> {
    if triggers.iter().any(|name| name.ends_with(".socket")) {
        return Some(true);
    }
    match unit.restart.as_deref()? {
        "always" | "on-success" => Some(true),
        "no" | "on-watchdog" => Some(false),
        _ => None,
    }
}

/// When the unit is started again, in systemd's own words, and by which units: `always`,
/// `on-failure, by cups.socket`. `None` for never.
fn policy(unit: &UnitFacts, triggers: &[&str]) -> Option<String> {
    let restart = unit.restart.as_deref().filter(|&restart| restart != "no");
    let mut occasions: Vec<String> = restart.map(str::to_owned).into_iter().collect();
    occasions.extend(triggers.iter().map(|name| format!("by {name}")));
    (!occasions.is_empty()).then(|| occasions.join(", "))
}

/// The active units that end when these are stopped, through as many links as were told of.
fn taken_along(stopped: &[&str], owner: Option<u32>, snapshot: &Snapshot) -> Vec<String> {
    let mut seen: BTreeSet<&str> = stopped.iter().copied().collect();
    let mut open: Vec<&str> = stopped.to_vec();
    let mut along = Vec::new();
    while let Some(unit) = open.pop() {
        let Some(unit) = facts(unit, owner, snapshot) else { continue };
        for name in &unit.takes_along {
            let idle = facts(name, owner, snapshot).is_some_and(|unit| !unit.is_active());
            if !idle && seen.insert(name) {
                along.push(name.clone());
                open.push(name);
            }
        }
    }
    along.sort_unstable();
    along
}

/// The command that stops these units, where this asker could give it: `None` for units that are
/// not to be stopped, and for those of a user who has no name here.
fn stop_command(
    supervisor: &Supervisor,
    units: &[&str],
    user: Option<&str>,
    snapshot: &Snapshot,
) -> Option<Vec<String>> {
    if supervisor.kind == SupervisorKind::LaunchdJob {
        return launchd::stop_command(supervisor);
    }
    let guarded = |unit: &&str| {
        let other = Supervisor { name: (*unit).to_owned(), ..supervisor.clone() };
        // A control group may have any name; this one would be an option.
        unit.starts_with('-') || unit_guard(&other, snapshot).is_some()
    };
    if units.iter().any(guarded) {
        return None;
    }
    let mut argv = vec!["systemctl".to_owned()];
    match supervisor.owner {
        None => {}
        Some(owner) if owner == snapshot.asker.uid => argv.push("--user".to_owned()),
        Some(_) => argv.extend(["--user".to_owned(), format!("--machine={}@", user?)]),
    }
    argv.push("stop".to_owned());
    argv.extend(units.iter().map(|&unit| unit.to_owned()));
    Some(argv)
}

fn user_name(uid: u32, snapshot: &Snapshot) -> Option<&str> {
    let named = |process: &&Process| process.uid == Some(uid) && process.user.is_some();
    snapshot.processes.values().find(named)?.user.as_deref()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chain, in_cgroup};
    use super::*;
    use crate::process::Container;
    use crate::socket::{LocalAddress, Protocol, TcpState};

    const SERVER: (&str, &[&str]) = ("/usr/bin/node", &["node", "server.js"]);

    fn unit(id: &str) -> UnitFacts {
        UnitFacts { id: id.to_owned(), active: Some("active".to_owned()), ..UnitFacts::default() }
    }

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// A server in `web.service`, of which systemd says this.
    fn served_by(facts: UnitFacts) -> Snapshot {
        let mut snapshot = chain(&[SERVER]);
        in_cgroup(&mut snapshot, 10, "/system.slice/web.service");
        snapshot.units.push(facts);
        snapshot
    }

    #[test]
    fn what_restart_means_for_a_server_that_is_asked_to_end() {
        for (restart, want) in [
            ("always", Some(true)),
            ("on-success", Some(true)),
            ("on-failure", None),
            ("on-abnormal", None),
            ("on-abort", None),
            ("on-watchdog", Some(false)),
            ("no", Some(false)),
            ("a-word-of-the-future", None),
        ] {
            let facts = UnitFacts { restart: Some(restart.to_owned()), ..unit("web.service") };
            let found = super::super::supervisor_of(10, &served_by(facts)).unwrap();
            assert_eq!(found.restarts, want, "{restart}");
            assert_eq!(found.policy.is_some(), restart != "no", "{restart}");
        }
    }

    #[test]
    fn what_triggers_a_unit_starts_it_again() {
        let facts = UnitFacts {
            restart: Some("no".to_owned()),
            triggered_by: named(&["web.timer", "web.path", "web.socket", "idle.socket"]),
            ..unit("web.service")
        };
        let mut snapshot = served_by(facts);
        let idle = UnitFacts { active: Some("inactive".to_owned()), ..unit("idle.socket") };
        snapshot.units.push(idle);
        let found = super::super::supervisor_of(10, &snapshot).unwrap();
        assert_eq!(found.restarts, Some(true));
        let policy = "by web.timer, by web.path, by web.socket";
        assert_eq!(found.policy.as_deref(), Some(policy));
        let stop = named(&["systemctl", "stop", "web.socket", "web.service"]);
        assert_eq!(found.stop, Some(stop), "the timer is left: it starts nothing at once");
        // A timer alone does not bring it back now.
        snapshot.units[0].triggered_by = named(&["web.timer"]);
        assert_eq!(super::super::supervisor_of(10, &snapshot).unwrap().restarts, Some(false));
    }

    #[test]
    fn units_that_need_each_other_are_each_taken_along_once() {
        let needs = |id: &str, names: &[&str]| UnitFacts { takes_along: named(names), ..unit(id) };
        let mut snapshot = served_by(needs("web.service", &["b.service", "a.service"]));
        snapshot.units.push(needs("a.service", &["web.service", "c.service"]));
        snapshot.units.push(needs("b.service", &["a.service"]));
        // The same name in a user's manager is another unit.
        snapshot.units.push(UnitFacts { user: Some(1000), ..needs("c.service", &["d.service"]) });
        let found = super::super::supervisor_of(10, &snapshot).unwrap();
        assert_eq!(found.takes_along, ["a.service", "b.service", "c.service"]);
    }

    #[test]
    fn a_users_unit_is_not_described_by_the_systems_of_that_name() {
        let facts = UnitFacts { restart: Some("always".to_owned()), ..unit("web.service") };
        let mut snapshot = served_by(facts);
        let cgroup = "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
        in_cgroup(&mut snapshot, 10, cgroup);
        let found = super::super::supervisor_of(10, &snapshot).unwrap();
        assert_eq!((found.restarts, found.owner), (None, Some(1000)));
    }

    #[test]
    fn doors_are_known_by_their_unit() {
        for (unit, door) in [
            ("ssh.service", true),
            ("ssh.socket", true),
            ("sshd@3-10.0.0.1:22-10.0.0.2:5000.service", true),
            ("systemd-resolved.service", true),
            ("NetworkManager.service", true),
            ("docker.socket", true),
            ("dbus.socket", true),
            ("user@1000.service", true),
            ("cups.socket", false),
            ("sshd-honeypot.service", false),
            ("nginx.service", false),
        ] {
            let supervisor = Supervisor {
                kind: SupervisorKind::SystemdUnit,
                name: unit.to_owned(),
                ..Supervisor::default()
            };
            let snapshot = chain(&[SERVER]);
            assert_eq!(unit_guard(&supervisor, &snapshot).is_some(), door, "{unit}");
            let parent = Supervisor { kind: SupervisorKind::Parent, ..supervisor };
            assert_eq!(unit_guard(&parent, &snapshot), None, "no unit");
        }
    }

    #[test]
    fn in_a_container_units_count_from_its_own_systemd() {
        let world = format!("/machine.slice/libpod-{}.scope", "0123456789abcdef".repeat(4));
        let mut snapshot = chain(&[SERVER]);
        let systemd = ("/usr/lib/systemd/systemd", &["/sbin/init"][..]);
        let mut first = chain(&[systemd]).processes.remove(&10).unwrap();
        (first.id.pid, first.ppid) = (1, 0);
        snapshot.processes.insert(1, first);
        in_cgroup(&mut snapshot, 1, &format!("{world}/init.scope"));
        in_cgroup(&mut snapshot, 10, &format!("{world}/system.slice/web.service"));
        snapshot.asker.pid = 11;
        let mut asker = snapshot.processes[&10].clone();
        asker.id.pid = 11;
        snapshot.processes.insert(11, asker);
        in_cgroup(&mut snapshot, 11, &format!("{world}/user.slice/user-0.slice/session-1.scope"));
        let found = super::super::supervisor_of(10, &snapshot).unwrap();
        assert_eq!((found.kind, found.name.as_str()), (SupervisorKind::SystemdUnit, "web.service"));
        // From outside the container is what counts.
        in_cgroup(&mut snapshot, 1, "/init.scope");
        in_cgroup(&mut snapshot, 11, "/user.slice/user-0.slice/session-1.scope");
        let found = super::super::supervisor_of(10, &snapshot).unwrap();
        assert_eq!(found.kind, SupervisorKind::Container);
        let podman = |container: &Container| container.engine == "podman";
        assert!(snapshot.processes[&10].container.as_ref().is_some_and(podman));
    }

    #[test]
    fn a_hidden_socket_is_a_managers_only_where_user_and_address_fit() {
        let mut snapshot = chain(&[SERVER]);
        snapshot.units.push(UnitFacts {
            listens: named(&["[::]:80 (Stream)"]),
            triggers: named(&["web.service"]),
            ..unit("web.socket")
        });
        let hidden = |address: &str, uid| Socket {
            holders: Holders::Hidden,
            uid: Some(uid),
            ..Socket::new(
                Protocol::Tcp,
                LocalAddress::Inet(address.parse().unwrap()),
                Some(TcpState::Listen),
            )
        };
        let found = |address, uid| activation(&hidden(address, uid), &snapshot).is_some();
        assert!(found("[::]:80", 0));
        assert!(!found("[::]:80", 33), "another user's server on a shared port");
        assert!(!found("127.0.0.1:80", 0), "another server of root");
        let unit = socket_unit_supervisor(&hidden("[::]:80", 0), &snapshot).unwrap();
        assert_eq!(unit.stop, Some(named(&["systemctl", "stop", "web.socket", "web.service"])));
        assert_eq!(unit.name, "web.socket");
    }
}
