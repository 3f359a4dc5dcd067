//! What is asked beyond sockets and processes, and only where the answer turns on it: the
//! engine of a container that holds the port, the manager of a unit, the environment of a holder
//! and of those above it, the work tree its directory is in, the rules that send a port elsewhere.
//! Whoever does not answer in time is a gap; nothing here decides anything.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::{self, EngineAnswer, EngineWish, Forwarder, Monitor};
use crate::host::{Host, MANAGER_LIMIT};
use crate::process::Process;
use crate::sight::LookOptions;
use crate::snapshot::{Gap, Silence, Snapshot, Source};
use crate::socket::{Holders, Socket};
use crate::supervisor::{
    container_proxy, family_heads, home, home_of_group, is_service_manager, named_by_children,
    runs_in_loop, scripts_above, user_of_manager,
};
use crate::unit::{UnitAnswer, UnitFacts, UnitWish};

/// How much to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Learn {
    /// Nothing: sockets and processes alone.
    #[default]
    Nothing,
    /// About the holders.
    Holders,
    /// About the holders, and about what takes a port that no socket holds.
    Everything,
}

/// Asks about everything in the snapshot that `pids` are, and about those ports, and adds the
/// answers to it.
pub(crate) fn learn(
    host: &dyn Host,
    snapshot: &mut Snapshot,
    pids: &[u32],
    ports: &[u16],
    options: &LookOptions,
) {
    let how_much = options.learn;
    if how_much == Learn::Nothing {
        return;
    }
    let time = Time::begun(host);
    learn_families(host, snapshot, pids);
    learn_loops(host, snapshot, pids, &time);
    learn_marks(host, snapshot, pids, options.mine);
    let engines = engine_wish(host, snapshot, pids, ports, how_much);
    let units = unit_wish(snapshot, pids, ports);
    match (engines == EngineWish::default(), units == UnitWish::default()) {
        (true, true) => {}
        (false, true) => add_containers(snapshot, &engines, host.containers(&engines, time.left())),
        (true, false) => add_units(snapshot, host.units(&units, time.left())),
        (false, false) => {
            let (containers, heard) = host.managers(&engines, &units, time.left());
            add_containers(snapshot, &engines, containers);
            add_units(snapshot, heard);
        }
    }
    crate::windows::learn(host, snapshot, pids);
    learn_projects(host, snapshot, pids, options.mine, &time);
    if how_much == Learn::Everything && !ports.is_empty() {
        learn_redirects(host, snapshot, pids, ports);
    }
}

/// The time that others may take to answer.
struct Time<'a> {
    host: &'a dyn Host,
    since: Duration,
}

impl<'a> Time<'a> {
    fn begun(host: &'a dyn Host) -> Self {
        Self { host, since: host.now() }
    }

    /// What is left of it. Never nothing, as whoever answers at once should be heard after others
    /// have used it up.
    fn left(&self) -> Duration {
        const LEAST: Duration = Duration::from_millis(20);
        MANAGER_LIMIT.saturating_sub(self.host.now().saturating_sub(self.since)).max(LEAST)
    }
}

/// The rules that send these ports elsewhere: of a port that somebody holds too, because a server
/// that gets nothing of what arrives is as much of a riddle. That costs a fraction of a millisecond
/// where there are few rules and some milliseconds where a cluster wrote ten thousand, as only the
/// chains that lead to the port are read. That they may not be read is worth saying only of a port
/// that nobody holds.
fn learn_redirects(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32], ports: &[u16]) {
    let answer = host.redirects(ports);
    snapshot.redirects.extend(answer.redirects);
    learn_targets(host, snapshot);
    let held = !pids.is_empty();
    let told = answer.gaps.into_iter().filter(|gap| !(held && matches!(gap, Gap::NoRules { .. })));
    told.for_each(|gap| snapshot.note(gap));
}

/// The containers of podman that rules name by their ids and nobody told of yet: no process that
/// podman could be found by keeps a port for them.
fn learn_targets(host: &dyn Host, snapshot: &mut Snapshot) {
    let known = |id: &str| snapshot.containers.iter().any(|container| container.id == id);
    let of_podman = |text: &str| text.contains("podman");
    let ids: BTreeSet<&str> = snapshot
        .redirects
        .iter()
        .filter(|rule| rule.comment.as_deref().is_some_and(of_podman))
        .filter_map(|rule| rule.container_id())
        .filter(|id| !known(id))
        .collect();
    // Only root's containers have rules in a network that is not their user's own.
    let monitor = |id: &str| Monitor { id: id.to_owned(), ..Monitor::default() };
    let monitors = ids.into_iter().map(monitor).collect();
    learn_containers(host, snapshot, &EngineWish { monitors, ..EngineWish::default() });
}

/// The processes that hold a socket of the snapshot.
pub(crate) fn holders(snapshot: &Snapshot) -> Vec<u32> {
    let pids: BTreeSet<u32> =
        snapshot.sockets.iter().flat_map(|socket| socket.holders.pids()).collect();
    pids.into_iter().collect()
}

/// The children of those who may start a holder again: whether one of them runs other things too,
/// and which of several applications a daemon holds the socket for, only they tell.
fn learn_families(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32]) {
    /// Beyond so many it is a fleet, and the answer would be no better.
    const MOST: usize = 32;
    let heads: BTreeSet<u32> =
        pids.iter().take(MOST).flat_map(|&pid| family_heads(pid, snapshot)).take(MOST).collect();
    if heads.is_empty() {
        return;
    }
    for (head, children) in host.children(&Vec::from_iter(heads)) {
        snapshot.families.insert(head);
        for child in children.into_iter().filter(|child| child.ppid == head) {
            snapshot.processes.entry(child.id.pid).or_insert(child);
        }
    }
}

/// Which of the shells above the holders run a script with a loop around what leads to them.
fn learn_loops(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32], time: &Time<'_>) {
    /// Reading a file is slower than reading the kernel's mind.
    const MOST: usize = 8;
    /// All that they may take of it: whether a script has a loop is a detail.
    const LONGEST: Duration = Duration::from_millis(50);
    let began = time.left();
    let shells: BTreeSet<(u32, u32)> =
        pids.iter().take(MOST).flat_map(|&pid| scripts_above(pid, snapshot)).take(MOST).collect();
    for (shell, child) in shells {
        let process = |pid| snapshot.processes.get(&pid);
        let (Some(shell), Some(child)) = (process(shell), process(child)) else { continue };
        let left = LONGEST.saturating_sub(began.saturating_sub(time.left()));
        if left.is_zero() {
            return;
        }
        if host.script(shell, left).is_some_and(|text| runs_in_loop(&text, child)) {
            let pid = shell.id.pid;
            snapshot.loops.insert(pid);
        }
    }
}

/// The marks in the environments of these processes, of those above them that had a part in
/// starting them, and of the asker. Those above the asker only tell what is the asker's own.
fn learn_marks(host: &dyn Host, snapshot: &mut Snapshot, pids: &[u32], mine: bool) {
    if pids.is_empty() {
        return;
    }
    let asker = &snapshot.asker;
    let mut wanted: BTreeSet<u32> = BTreeSet::from([asker.pid]);
    if mine {
        wanted.extend(&asker.ancestors);
    }
    for &pid in pids {
        wanted.extend(crate::origin::line(pid, snapshot));
        wanted.extend(named_by_children(pid, snapshot));
    }
    for pid in wanted.into_iter().filter(|&pid| pid > 1) {
        let marks = host.environment(pid).map(|bytes| crate::marks::of(&bytes)).unwrap_or_default();
        if !marks.is_empty() {
            snapshot.marks.insert(pid, marks);
        }
    }
}

/// The work trees that tell whose these processes are, and where that is asked, whose the asker.
fn learn_projects(
    host: &dyn Host,
    snapshot: &mut Snapshot,
    pids: &[u32],
    mine: bool,
    time: &Time<'_>,
) {
    if pids.is_empty() {
        return;
    }
    let wanted = crate::origin::directories(pids, mine, snapshot);
    let answer = host.work_trees(&wanted, time.left());
    snapshot.projects.extend(answer.found);
    if let Some(directory) = answer.late {
        snapshot.note(Gap::LateDirectory { directory });
    }
}

/// Asks the engines, and adds what they say.
pub(crate) fn learn_containers(host: &dyn Host, snapshot: &mut Snapshot, wish: &EngineWish) {
    if *wish != EngineWish::default() {
        let answer = host.containers(wish, MANAGER_LIMIT);
        add_containers(snapshot, wish, answer);
    }
}

/// Asks the engines for the names of the containers that run, for so long and no longer. Podman's
/// command would take longer; its monitors have told what it calls them.
pub(crate) fn learn_names(host: &dyn Host, snapshot: &mut Snapshot, limit: Duration) {
    let nameless = |process: &&Process| {
        engine::boxed(process, snapshot).is_some_and(|boxed| boxed.name.is_none())
    };
    let pids: Vec<u32> =
        snapshot.processes.values().filter(nameless).map(|process| process.id.pid).collect();
    let wish = engine_wish(host, snapshot, &pids, &[], Learn::Holders);
    if wish.ids.is_empty() {
        return;
    }
    let wish = EngineWish {
        ids: wish.ids,
        owners: wish.owners,
        sockets: wish.sockets,
        ..EngineWish::default()
    };
    let answer = host.containers(&wish, limit);
    add_containers(snapshot, &wish, answer);
}

fn add_units(snapshot: &mut Snapshot, answer: UnitAnswer) {
    let known = |snapshot: &Snapshot, unit: &UnitFacts| {
        snapshot.units.iter().any(|other| other.id == unit.id && other.user == unit.user)
    };
    for unit in answer.units {
        if !known(snapshot, &unit) {
            snapshot.units.push(unit);
        }
    }
    answer.gaps.into_iter().for_each(|gap| snapshot.note(gap));
}

fn add_containers(snapshot: &mut Snapshot, wish: &EngineWish, answer: EngineAnswer) {
    for facts in answer.containers {
        if !snapshot.containers.contains(&facts) {
            snapshot.containers.push(facts);
        }
    }
    // Most users may not ask root's engine, and of a port that nobody holds that hides nothing.
    let about_somebody = wish.forwarded
        || !(wish.ids.is_empty() && wish.names.is_empty() && wish.sockets.is_empty());
    for gap in answer.gaps {
        if about_somebody || !matches!(gap, Gap::Manager { why: Silence::Denied, .. }) {
            snapshot.note(gap);
        }
    }
}

/// What to ask the engines: about the containers that these processes are in, keep ports for or
/// forward to, and about whatever would want a port that nobody holds.
fn engine_wish(
    host: &dyn Host,
    snapshot: &Snapshot,
    pids: &[u32],
    ports: &[u16],
    how_much: Learn,
) -> EngineWish {
    let mut wish = EngineWish::default();
    let mut forwards = false;
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        let boxed = engine::boxed(process, snapshot);
        forwards |=
            boxed.is_none() && (engine::carries_ports(process) || engine::is_engine(process));
        if boxed.is_none() && !forwards {
            continue;
        }
        wish.owners.extend(engine::owner_of(process, snapshot));
        add_traces(&mut wish, process, snapshot);
        match boxed {
            Some(boxed) if matches!(boxed.engine.as_str(), "docker" | "podman") => {
                wish.ids.push(boxed.id);
            }
            Some(_) => wish.pods.extend(process.cgroup.as_deref().and_then(engine::pod_uid)),
            None => wish.forwarders.extend(forwarder(host, process, snapshot)),
        }
    }
    // A virtual machine that sleeps is not woken for a port that nobody holds.
    let local = !matches!(snapshot.source, Source::PcbList | Source::ExtendedTable);
    let free = how_much == Learn::Everything && pids.is_empty() && local;
    if forwards || free {
        wish.ports = ports.to_vec();
    }
    if forwards {
        wish.forwarded = true;
        // Of a process asked about by its number, the ports it has.
        let held = snapshot.sockets.iter().filter(|socket| socket.remote.is_none());
        wish.ports.extend(held.filter_map(Socket::port));
    }
    wish.owners.retain(|&uid| uid != 0 && uid != snapshot.asker.uid);
    wish.owners.sort_unstable();
    wish.owners.dedup();
    for texts in [&mut wish.ids, &mut wish.sockets, &mut wish.pods] {
        texts.sort_unstable();
        texts.dedup();
    }
    wish.ports.sort_unstable();
    wish.ports.dedup();
    wish
}

/// What a process and those above it tell of engines. Only root and the asker are believed: the
/// options of somebody's monitor would be given to a command run by the asker.
fn add_traces(wish: &mut EngineWish, process: &Process, snapshot: &Snapshot) {
    for process in std::iter::once(process).chain(snapshot.ancestors(process.id.pid)) {
        let monitor = engine::monitor_of(process).filter(|it| !wish.monitors.contains(it));
        wish.monitors.extend(monitor);
        let trusted = process.uid.is_some_and(|uid| uid == 0 || uid == snapshot.asker.uid);
        if trusted {
            wish.sockets.extend(engine::dockerd_sockets(process));
            wish.sockets.extend(engine::machine::told_sockets(process));
        }
    }
}

/// A forwarding process that does not say to which container, where podman may know.
fn forwarder(host: &dyn Host, process: &Process, snapshot: &Snapshot) -> Option<Forwarder> {
    if container_proxy(process)?.is_some() || !process.program().starts_with("rootlessport") {
        return None;
    }
    let environment = host.environment(process.id.pid).unwrap_or_default();
    let value = |name: &str| {
        let mut entries = environment.split(|&byte| byte == 0);
        let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes()))?;
        std::str::from_utf8(value).ok().filter(|value| value.starts_with('/')).map(str::to_owned)
    };
    Some(Forwarder {
        pid: process.id.pid,
        uid: process.uid?,
        ports: engine::held(process, snapshot),
        home: value("HOME="),
        runtime: value("XDG_RUNTIME_DIR="),
    })
}

/// Which units to ask about: those of the holders, and of a manager that holds a socket or may be
/// the hidden holder, its socket units.
fn unit_wish(snapshot: &Snapshot, pids: &[u32], ports: &[u16]) -> UnitWish {
    let mut wish = UnitWish::default();
    for process in pids.iter().filter_map(|pid| snapshot.processes.get(pid)) {
        if is_service_manager(process) {
            wish_sockets(&mut wish, user_of_manager(process));
        } else if is_of_this_machine(process, snapshot) {
            wish_unit(&mut wish, home(process, snapshot));
        }
    }
    for socket in hidden(snapshot, ports) {
        // Another user's manager would not answer.
        let user = socket.uid.filter(|&uid| uid != 0);
        if user.is_none_or(|uid| uid == snapshot.asker.uid) {
            wish_sockets(&mut wish, user);
        }
        let group = socket.cgroup.as_deref();
        wish_unit(&mut wish, group.and_then(|group| home_of_group(group, snapshot)));
    }
    // A service may have its socket from its manager, which the asker may not see to hold it too.
    if wish != UnitWish::default() {
        let concerns = |socket: &&Socket| {
            socket.holders == Holders::Hidden
                || socket.holders.pids().iter().any(|pid| pids.contains(pid))
        };
        wish.sockets = snapshot.sockets.iter().filter(concerns).cloned().collect();
    }
    wish
}

fn wish_sockets(wish: &mut UnitWish, user: Option<u32>) {
    if !wish.sockets_of.contains(&user) {
        wish.sockets_of.push(user);
    }
}

fn wish_unit(wish: &mut UnitWish, wanted: Option<(String, Option<u32>)>) {
    if let Some(wanted) = wanted.filter(|wanted| !wish.units.contains(wanted)) {
        wish.units.push(wanted);
    }
}

/// Whether a process is not in a container that the asker is not in: the managers in there have
/// units of the same names.
fn is_of_this_machine(process: &Process, snapshot: &Snapshot) -> bool {
    let asker = snapshot.processes.get(&snapshot.asker.pid);
    let world = asker.and_then(|asker| asker.container.as_ref());
    process.container.is_none() || process.container.as_ref() == world
}

/// The sockets of those ports whose holder may not be seen.
fn hidden<'a>(snapshot: &'a Snapshot, ports: &'a [u16]) -> impl Iterator<Item = &'a Socket> {
    snapshot.sockets.iter().filter(|socket| {
        socket.holders == Holders::Hidden
            && socket.netns.is_none()
            && socket.is_server()
            && (ports.is_empty() || socket.port().is_some_and(|port| ports.contains(&port)))
    })
}

#[cfg(test)]
mod tests;
