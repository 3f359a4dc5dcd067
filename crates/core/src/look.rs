//! Answers "what holds this, and why?" for targets of every kind, as reports.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use crate::addr::{Endpoint, Transport, exposure};
use crate::bind::Attempt;
use crate::census::Census;
use crate::diagnosis::{Cause, CauseKind, Diagnosis, Verdict};
use crate::engine;
use crate::explain;
use crate::host::Host;
use crate::known::{System, known};
use crate::learn::{self, learn};
use crate::mask::mask_argv;
use crate::nature::{Nature, is_login, nature_of};
use crate::origin::origin_of;
use crate::plan::signal_name;
use crate::process::Process;
use crate::redirect::{self, Author, Redirect};
use crate::remedy::{Action, Remedy, remedies};
use crate::report::{
    BindRow, CauseReport, ContainerReport, GapReport, HolderReport, NatureReport, OtherPort,
    Outcome, ProcessReport, RedirectReport, SocketReport, SupervisorReport, TargetReport,
    UsualReport,
};
pub use crate::sight::LookOptions;
use crate::sight::{Sight, look_at_ports};
use crate::snapshot::{Gap, Scope, Snapshot, SocketScope, States};
use crate::socket::{HeldBy, Holders, LocalAddress, Protocol, Socket, TcpState};
use crate::supervisor::{started_by, supervisor_of};
use crate::target::Target;

/// Answers each target, in order.
pub fn look(host: &dyn Host, targets: &[Target], options: &LookOptions) -> Vec<TargetReport> {
    let census = Census::take_with_files(host, targets);
    let endpoints = wanted_endpoints(targets, &census);
    let sights = match endpoints.is_empty() {
        true => Vec::new(),
        false => look_at_ports(host, &endpoints, options),
    };
    let by_endpoint: HashMap<Endpoint, &Sight> = endpoints.iter().copied().zip(&sights).collect();
    let sights_of = |endpoints: &[Endpoint]| -> Vec<&Sight> {
        endpoints.iter().filter_map(|endpoint| by_endpoint.get(endpoint).copied()).collect()
    };
    targets
        .iter()
        .map(|target| match target {
            Target::Port(_) | Target::Range(_) => {
                port_report(host, target, &sights_of(&target.endpoints()), options)
            }
            Target::Number(number) => {
                let port = target.also_port().map(Endpoint::any);
                let sight = port.and_then(|endpoint| by_endpoint.get(&endpoint).copied());
                number_report(host, *number, sight, &census, options)
            }
            Target::Unix(name) => unix_report(host, &name.to_string(), options)
                .unwrap_or_else(|| nothing(target, format!("no unix socket is called {target}"))),
            Target::Path(path) => unix_report(host, path, options).unwrap_or_else(|| {
                process_report(host, target, &census.meant_by(target), &census, options)
            }),
            Target::Container(_) => {
                let mut sights = sights_of(&census.ports_of(target));
                // Somebody else may have a port that it only wants.
                sights.retain(|sight| census.is_behind(target, sight).contains(&true));
                match sights.is_empty() {
                    true => {
                        let pids = census.meant_by(target);
                        process_report(host, target, &pids, &census, options)
                    }
                    false => port_report(host, target, &sights, options),
                }
            }
            Target::Pid(_) | Target::Name(_) | Target::Unit(_) => {
                process_report(host, target, &census.meant_by(target), &census, options)
            }
        })
        .collect()
}

fn wanted_endpoints(targets: &[Target], census: &Census) -> Vec<Endpoint> {
    let mut seen = BTreeSet::new();
    targets
        .iter()
        .flat_map(|target| match target.also_port() {
            Some(port) => vec![Endpoint::any(port)],
            None => [target.endpoints(), census.ports_of(target)].concat(),
        })
        .filter(|endpoint| seen.insert(*endpoint))
        .collect()
}

fn nothing(target: &Target, explain: String) -> TargetReport {
    TargetReport { explain: Some(explain), ..empty_report(target.to_string()) }
}

/// An answer with nothing in it yet.
pub(crate) fn empty_report(target: String) -> TargetReport {
    TargetReport {
        target,
        verdict: None,
        bind: Vec::new(),
        causes: Vec::new(),
        sockets: Vec::new(),
        processes: Vec::new(),
        ancestors: Vec::new(),
        gaps: Vec::new(),
        notes: Vec::new(),
        clients: None,
        peers: Vec::new(),
        other_ports: Vec::new(),
        usual: None,
        along: None,
        outcome: None,
        explain: None,
        refusal: None,
        met: None,
        waited_ms: None,
        status: None,
        plan: Vec::new(),
        events: Vec::new(),
        left_alone: Vec::new(),
        undo: None,
    }
}

/// The answer about a port or a range, from what was seen.
pub fn port_report(
    host: &dyn Host,
    target: &Target,
    sights: &[&Sight],
    options: &LookOptions,
) -> TargetReport {
    let mut report = empty_report(target.to_string());
    let Some(first) = sights.first() else { return report };
    let verdicts: Vec<Verdict> = sights.iter().map(|sight| sight.diagnosis.verdict).collect();
    report.verdict = verdicts.iter().copied().max();
    let mut free = Vec::new();
    let mut pids = Vec::new();
    for sight in sights {
        let (diagnosis, snapshot) = (&sight.diagnosis, &*sight.snapshot);
        if sights.len() > 1 && diagnosis.verdict == Verdict::Free {
            free.push(diagnosis.endpoint.port.get());
        } else {
            report.bind.extend(
                diagnosis.bind.iter().map(|attempt| BindRow {
                    predicted: host.predicts(attempt),
                    ..bind_row(attempt)
                }),
            );
        }
        add_diagnosis(&mut report, diagnosis, snapshot);
        pids.extend(diagnosis.causes.iter().flat_map(|cause| cause.pids.iter().copied()));
        report.notes.extend(explain::split(diagnosis, snapshot));
        report.notes.extend(explain::own_ancestor(diagnosis, snapshot));
        report.notes.extend(explain::reuse_advice(diagnosis, snapshot));
        report.notes.extend(explain::wanting_containers(diagnosis, snapshot));
        report.notes.extend(explain::taken_first(diagnosis, snapshot));
        if options.ancestors {
            report.notes.extend(explain::drawn_never(&diagnosis.endpoint, snapshot));
        }
    }
    if let [sight] = sights {
        report.usual = usual(&sight.diagnosis, &sight.snapshot);
        if let Some(usual) = report.usual.as_ref().filter(|usual| usual.guess) {
            let port = sight.diagnosis.endpoint.port;
            report.notes.push(explain::usual(port, &usual.holder, &usual.software));
        }
    }
    if !free.is_empty() {
        report.notes.push(match free.len() == sights.len() {
            true => "every port of the range is free".to_owned(),
            false => format!("free: {}", ranges(&free)),
        });
    }
    let snapshot = &*together(first, sights);
    let clients: usize = sights.iter().map(|sight| sight.diagnosis.clients).sum();
    report.clients = snapshot.every_state.then_some(clients);
    if report.causes.is_empty() {
        report.explain = Some(explain::verdict(&first.diagnosis));
        if sights.len() > 1 {
            report.explain = Some(format!("{target} is free"));
        }
    }
    add_processes(&mut report, &pids, snapshot, options);
    if options.before_acting {
        add_other_ports(host, &mut report, &pids);
    }
    name_peers(host, &mut report, snapshot, options);
    report.gaps = gaps(snapshot);
    report
}

/// What was seen of several ports, with the containers of each.
fn together<'a>(first: &'a Sight, sights: &[&Sight]) -> Cow<'a, Snapshot> {
    let mut all = Cow::Borrowed(&*first.snapshot);
    let apart = sights.iter().filter(|sight| !Arc::ptr_eq(&sight.snapshot, &first.snapshot));
    for facts in apart.flat_map(|sight| &sight.snapshot.containers) {
        if !all.containers.contains(facts) {
            all.to_mut().containers.push(facts.clone());
        }
    }
    all
}

/// A login that listens for `ssh -R` is known by where it comes from, which only its own
/// connection tells: that is looked at for such a holder alone.
fn name_peers(
    host: &dyn Host,
    report: &mut TargetReport,
    snapshot: &Snapshot,
    options: &LookOptions,
) {
    for process in &mut report.processes {
        let login =
            snapshot.processes.get(&process.pid).filter(|holder| is_login(holder, snapshot));
        let Some(login) = login else { continue };
        let scope = Scope {
            sockets: SocketScope::HeldBy(vec![login.id.pid, login.ppid]),
            holders: true,
            states: States::AllIfCheap,
            ..Scope::default()
        };
        let connections = host.snapshot(&scope);
        process.nature =
            nature_of(login, &connections).map(|nature| nature_report(nature, options));
    }
}

fn add_diagnosis(report: &mut TargetReport, diagnosis: &Diagnosis, snapshot: &Snapshot) {
    let base = report.sockets.len();
    let place: HashMap<usize, usize> =
        diagnosis.sockets.iter().enumerate().map(|(at, &index)| (index, base + at)).collect();
    report.sockets.extend(
        diagnosis.sockets.iter().map(|&index| socket_report(&snapshot.sockets[index], snapshot)),
    );
    for cause in &diagnosis.causes {
        report.causes.push(cause_report(cause, &diagnosis.endpoint, snapshot, &place));
    }
}

fn cause_report(
    cause: &Cause,
    endpoint: &Endpoint,
    snapshot: &Snapshot,
    place: &HashMap<usize, usize>,
) -> CauseReport {
    CauseReport {
        kind: cause.kind,
        certain: cause.certain,
        explain: explain::cause(cause, endpoint, snapshot),
        sockets: cause.sockets.iter().filter_map(|index| place.get(index).copied()).collect(),
        pids: cause.pids.clone(),
        expires_ms: cause.expires_ms,
        remedies: remedies(cause, endpoint, snapshot),
        redirects: match cause.kind {
            CauseKind::Redirected => redirect_reports(endpoint, snapshot),
            _ => Vec::new(),
        },
    }
}

fn redirect_reports(endpoint: &Endpoint, snapshot: &Snapshot) -> Vec<RedirectReport> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let report = |rule: &Redirect| RedirectReport {
        filter: rule.filter.clone(),
        table: some(&rule.table),
        chain: some(&rule.chain),
        handle: rule.handle,
        protocol: rule.protocol,
        address: rule.address.map(|address| address.to_string()),
        to: rule.to.map(|to| to.to_string()),
        to_port: rule.to_port.unwrap_or(endpoint.port.get()),
        from_others: rule.from_others,
        from_here: rule.local_too,
        comment: rule.comment.clone(),
        container: match rule.container(snapshot) {
            Some(container) => Some(container.name.clone()),
            None => rule.container_id().map(str::to_owned),
        },
        service: match rule.author() {
            Author::Kubernetes(service) => service.map(str::to_owned),
            Author::Engine | Author::Unknown => None,
        },
    };
    redirect::concerning(endpoint, snapshot).into_iter().map(report).collect()
}

fn add_processes(
    report: &mut TargetReport,
    pids: &[u32],
    snapshot: &Snapshot,
    options: &LookOptions,
) {
    let mut seen = BTreeSet::new();
    for &pid in pids {
        if let Some(process) = snapshot.processes.get(&pid)
            && seen.insert(pid)
        {
            report.processes.push(process_facts(process, snapshot, options));
        }
    }
    if !options.ancestors {
        return;
    }
    for &pid in pids {
        for process in snapshot.ancestors(pid) {
            if seen.insert(process.id.pid) {
                report.ancestors.push(process_facts(process, snapshot, options));
            }
        }
    }
}

fn add_other_ports(host: &dyn Host, report: &mut TargetReport, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let scope =
        Scope { sockets: SocketScope::HeldBy(pids.to_vec()), holders: true, ..Scope::default() };
    let shown: BTreeSet<String> =
        report.sockets.iter().map(|socket| socket.local.clone()).collect();
    let mut others = BTreeSet::new();
    for socket in &host.snapshot(&scope).sockets {
        let (Some(port), true) = (socket.port(), socket.is_server()) else { continue };
        if shown.contains(&socket.local.to_string()) {
            continue;
        }
        for pid in socket.holders.pids().into_iter().filter(|pid| pids.contains(pid)) {
            others.insert((pid, format!("{}:{port}", socket.protocol)));
        }
    }
    report.other_ports = others.into_iter().map(|(pid, port)| OtherPort { pid, port }).collect();
}

fn number_report(
    host: &dyn Host,
    number: u32,
    sight: Option<&Sight>,
    census: &Census,
    options: &LookOptions,
) -> TargetReport {
    let target = Target::Number(number);
    let held = sight.filter(|sight| !sight.diagnosis.causes.is_empty());
    let alive = census.alive(number);
    if alive.is_empty() {
        if let Some(told) = no_process(number, census).filter(|_| held.is_none()) {
            let report = TargetReport { gaps: hidden(census), ..nothing(&target, told) };
            return if census.is_hidden(number) { denied(report) } else { report };
        }
        return nothing(
            &target,
            match held {
                Some(sight) => format!(
                    "there is no process {number}; the port of that number is held: say :{number} ({})",
                    sight.diagnosis.causes.first().map_or(String::new(), |cause| {
                        explain::cause(cause, &sight.diagnosis.endpoint, &sight.snapshot)
                    })
                ),
                None => format!(
                    "there is no process {number}; for the port of that number say :{number}"
                ),
            },
        );
    }
    let mut report = process_report(host, &target, &alive, census, options);
    if let Some(sight) = held {
        let port = Target::Port(sight.diagnosis.endpoint);
        let other = port_report(host, &port, &[sight], options);
        report.notes.push(format!(
            "{number} is both a process and a port: say pid:{number} or :{number} to mean one"
        ));
        let base = report.sockets.len();
        report.sockets.extend(other.sockets);
        report.causes.extend(other.causes.into_iter().map(|mut cause| {
            cause.sockets.iter_mut().for_each(|index| *index += base);
            cause
        }));
        for process in other.processes {
            if report.processes.iter().all(|known| known.pid != process.pid) {
                report.processes.push(process);
            }
        }
    }
    report
}

/// The answer about processes: who they are and what they hold.
fn process_report(
    host: &dyn Host,
    target: &Target,
    pids: &[u32],
    census: &Census,
    options: &LookOptions,
) -> TargetReport {
    if pids.is_empty() {
        let gaps = match target {
            Target::Container(_) | Target::Path(_) => gaps(census.snapshot()),
            _ => hidden(census),
        };
        let report = TargetReport { gaps, ..nothing(target, missing(target, census)) };
        return match target {
            Target::Pid(pid) if census.is_hidden(*pid) => denied(report),
            _ => report,
        };
    }
    let scope = Scope {
        sockets: SocketScope::HeldBy(pids.to_vec()),
        holders: true,
        options: true,
        pids: pids.to_vec(),
        ..Scope::default()
    };
    let mut snapshot = host.snapshot(&scope);
    if let Target::Path(_) = target {
        census.snapshot().gaps.iter().for_each(|gap| snapshot.note(gap.clone()));
    }
    learn(host, &mut snapshot, pids, &[], options);
    let mut report = empty_report(target.to_string());
    report.sockets = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_server() || socket.state == Some(TcpState::Bound))
        .map(|socket| socket_report(socket, &snapshot))
        .collect();
    add_processes(&mut report, pids, &snapshot, options);
    report.notes.extend(explain::published(pids, &snapshot));
    for process in &mut report.processes {
        process.because = census.reasons(target, process.pid);
    }
    report.gaps = gaps(&snapshot);
    if report.processes.is_empty() {
        report.explain = Some(missing(target, census));
    }
    report
}

/// What is not there may be hidden.
fn hidden(census: &Census) -> Vec<GapReport> {
    match census.snapshot().gaps.contains(&Gap::HiddenProcesses) {
        true => gaps(census.snapshot()),
        false => Vec::new(),
    }
}

/// It is there, and this user may not see it.
fn denied(report: TargetReport) -> TargetReport {
    TargetReport { outcome: Some(Outcome::Denied), ..report }
}

/// What a number is that is no living process's that could be seen: a hidden one's, a thread's, or
/// one that waits to be collected.
pub(crate) fn no_process(number: u32, census: &Census) -> Option<String> {
    if census.is_hidden(number) {
        return Some(explain::hidden_process(number));
    }
    if let Some(leader) = census.leader_of(number) {
        let (name, pid) = (leader.program(), leader.id.pid);
        return Some(format!("{number} is a thread of {name} (pid {pid}): say pid:{pid}"));
    }
    let dead = census.zombie(number)?;
    Some(format!(
        "{} (pid {number}) has ended (state Z) and holds nothing; its parent, pid {}, has not collected it: proc unstick pid:{number}",
        dead.program(),
        dead.ppid
    ))
}

pub(crate) fn missing(target: &Target, census: &Census) -> String {
    match target {
        Target::Pid(pid) => {
            no_process(*pid, census).unwrap_or_else(|| format!("there is no process {pid}"))
        }
        Target::Name(name) => match census.nearest_name(name) {
            Some(near) => format!("no process is called {name}; did you mean {near}?"),
            None => format!("no process is called {name}"),
        },
        Target::Path(path) => {
            format!("no socket has the path {path}, and no process runs it or has it open")
        }
        Target::Container(name) => match census.containers_called(name).next() {
            Some(facts) if facts.runs() && engine::is_elsewhere(facts, census.snapshot()) => {
                explain::in_a_machine(facts)
            }
            Some(facts) => format!(
                "container {} is {}: no process of it runs on this machine",
                facts.name,
                facts.state.as_deref().unwrap_or("known to its engine")
            ),
            None => format!("no process runs in a container {name}"),
        },
        Target::Unit(name) => format!("no process runs in {name}"),
        other => format!("nothing is {other}"),
    }
}

/// The answer about a unix socket; `None` where neither a socket nor a socket's file is there.
fn unix_report(host: &dyn Host, name: &str, options: &LookOptions) -> Option<TargetReport> {
    let name = name.strip_prefix("unix:").unwrap_or(name);
    let scope = Scope {
        sockets: SocketScope::Unix(vec![name.to_owned()]),
        holders: true,
        ..Scope::default()
    };
    let mut snapshot = host.snapshot(&scope);
    let holders = learn::holders(&snapshot);
    learn(host, &mut snapshot, &holders, &[], options);
    let target = if name.starts_with('@') { format!("unix:{name}") } else { name.to_owned() };
    let mut report = empty_report(target.clone());
    report.sockets =
        snapshot.sockets.iter().map(|socket| socket_report(socket, &snapshot)).collect();
    let pids: BTreeSet<u32> =
        snapshot.sockets.iter().flat_map(|socket| socket.holders.pids()).collect();
    let pids: Vec<u32> = crate::diagnosis::topmost(&snapshot, &Vec::from_iter(pids));
    add_processes(&mut report, &pids, &snapshot, options);
    report.gaps = gaps(&snapshot);
    let (kind, explain) = if let Some(socket) = snapshot.sockets.first() {
        match pids.first().and_then(|pid| snapshot.processes.get(pid)) {
            Some(process) => {
                let who = explain::named(process, snapshot.taken_at);
                (CauseKind::UnixSocket, format!("{target} is served by {who}"))
            }
            None => (CauseKind::HiddenHolder, explain::hidden_server(&target, socket, &snapshot)),
        }
    } else {
        match host.unix_refuses(name)? {
            true => (
                CauseKind::StaleUnixSocket,
                format!(
                    "{target} is a socket file that nobody serves: a connection to it is refused, and a bind fails until the file is removed"
                ),
            ),
            false => (
                CauseKind::HiddenHolder,
                format!("{target} is served by somebody in another network namespace"),
            ),
        }
    };
    let stale = kind == CauseKind::StaleUnixSocket;
    report.verdict = Some(if stale { Verdict::Lingering } else { Verdict::Held });
    report.causes.push(CauseReport {
        kind,
        certain: true,
        explain,
        sockets: (0..report.sockets.len()).collect(),
        pids,
        expires_ms: None,
        remedies: unix_remedies(kind, &target, &snapshot),
        redirects: Vec::new(),
    });
    Some(report)
}

fn unix_remedies(kind: CauseKind, target: &str, snapshot: &Snapshot) -> Vec<Remedy> {
    let (action, words, needs_root, explain) = match kind {
        CauseKind::StaleUnixSocket => {
            (Action::RemoveFile, &["rm"][..], false, "removes the file that nobody serves")
        }
        // Root sees no further into another namespace's unix sockets.
        CauseKind::HiddenHolder if snapshot.asker.sees_all || snapshot.sockets.is_empty() => {
            return Vec::new();
        }
        CauseKind::HiddenHolder => {
            (Action::LookAsRoot, &["sudo", "proc", "on"][..], true, "names the holder")
        }
        _ => (Action::StopProcess, &["proc", "stop"][..], false, "asks the server to end"),
    };
    let argv = words.iter().copied().chain([target]).map(str::to_owned).collect();
    vec![Remedy { action, argv: Some(argv), needs_root, explain: explain.to_owned() }]
}

/// The kernel's answer as a row.
pub(crate) fn bind_row(attempt: &Attempt) -> BindRow {
    BindRow {
        address: attempt.address.ip().to_string(),
        port: attempt.address.port(),
        protocol: Protocol::from(attempt.transport),
        plain: attempt.plain.name().into_owned(),
        reuse_addr: attempt.reuse_addr.name().into_owned(),
        predicted: false,
    }
}

/// A socket as the documents show it.
pub fn socket_report(socket: &Socket, snapshot: &Snapshot) -> SocketReport {
    let hidden = socket.holders == Holders::Hidden;
    SocketReport {
        protocol: socket.protocol,
        local: match (&socket.local, socket.protocol) {
            (LocalAddress::Inet(address), Protocol::Raw) => address.ip().to_string(),
            (local, _) => local.to_string(),
        },
        remote: socket.remote.map(|remote| remote.to_string()),
        state: socket.state,
        v6only: socket.v6only,
        // Windows has none: there it is a number of ours.
        inode: socket.inode.filter(|_| !snapshot.is_windows()),
        uid: socket.uid,
        reuse_addr: socket.reuse_addr,
        reuse_port: socket.reuse_port,
        netns: socket.netns.and_then(|index| snapshot.namespaces.get(index)).map(|namespace| {
            namespace.name.clone().unwrap_or_else(|| format!("net:[{}]", namespace.inode))
        }),
        holders: socket
            .holders
            .list()
            .iter()
            .map(|holder| HolderReport {
                pid: holder.pid,
                fd: match holder.by {
                    HeldBy::Descriptor(fd) => Some(fd),
                    _ => None,
                },
                by: Some(holder.by)
                    .filter(|by| !matches!(by, HeldBy::Descriptor(_) | HeldBy::Owner)),
            })
            .collect(),
        hidden,
        kernel: socket.holders == Holders::Kernel,
        mptcp: socket.mptcp,
        backlog: socket.backlog.map(|backlog| (backlog.waiting, backlog.limit)),
        expires_ms: socket.expires_ms,
        cgroup: socket.cgroup.clone(),
        exposure: socket.ip().map(exposure),
    }
}

/// A process as the documents show it, secrets masked unless asked for.
pub fn process_facts(
    process: &Process,
    snapshot: &Snapshot,
    options: &LookOptions,
) -> ProcessReport {
    ProcessReport {
        container: container_report(process, snapshot),
        supervisor: supervisor_of(process.id.pid, snapshot).map(|supervisor| SupervisorReport {
            kind: supervisor.kind,
            name: supervisor.name,
            pid: supervisor.pid,
            restarts: supervisor.restarts,
            stop: supervisor.stop,
            policy: supervisor.policy,
            restarted: supervisor.restarted,
            takes_along: supervisor.takes_along,
        }),
        nature: nature_of(process, snapshot).map(|nature| nature_report(nature, options)),
        origin: Some(origin_of(process.id.pid, snapshot)).filter(|origin| !origin.is_empty()),
        started_by: started_by(process.id.pid, snapshot),
        ancestors: snapshot.ancestors(process.id.pid).iter().map(|p| p.id.pid).collect(),
        ..process_row(process, snapshot.taken_at, options.show_secrets)
    }
}

/// What the process alone tells, without a look at others: what a list of many shows.
pub fn process_row(process: &Process, now: SystemTime, show_secrets: bool) -> ProcessReport {
    ProcessReport {
        pid: process.id.pid,
        ppid: process.ppid,
        started_at: process.started_at.map(crate::timestamp::rfc3339),
        age_ms: process.age(now).map(|age| age.as_millis() as u64),
        name: process.program().to_owned(),
        exe: process.exe.clone(),
        exe_deleted: process.exe_deleted,
        argv: match show_secrets {
            true => process.argv.clone(),
            false => mask_argv(&process.argv),
        },
        cwd: process.cwd.clone(),
        user: process.user.clone(),
        uid: process.uid,
        state: process.state,
        terminal: process.terminal.clone(),
        session: process.session,
        container: process.container.as_ref().map(|container| ContainerReport {
            engine: container.engine.clone(),
            id: container.id.clone(),
            name: None,
            image: None,
            project: None,
            service: None,
            directory: None,
            restart: None,
            outside: false,
        }),
        unit: process.unit.clone(),
        supervisor: None,
        nature: None,
        origin: None,
        started_by: None,
        ancestors: Vec::new(),
        ports: None,
        cpu_percent: None,
        cpu_ms: None,
        memory_bytes: None,
        threads: None,
        because: Vec::new(),
        depth: None,
        context: false,
        details: None,
    }
}

fn nature_report(nature: Nature, options: &LookOptions) -> NatureReport {
    NatureReport {
        kind: nature.kind,
        name: nature.name,
        advice: nature.advice,
        stop: nature.stop.map(|argv| match options.show_secrets {
            true => argv,
            false => mask_argv(&argv),
        }),
        signal: nature.ask.map(signal_name),
        never_forced: nature.never_forced.map(str::to_owned),
    }
}

/// What is usual on the port, where its holder is hidden (then it is a guess) or goes by the
/// usual name.
fn usual(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Option<UsualReport> {
    let system = System::of(snapshot.source);
    diagnosis.causes.iter().find_map(|cause| {
        let socket = cause.sockets.first().and_then(|&index| snapshot.sockets.get(index))?;
        let transport = match socket.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
            _ => return None,
        };
        // Where an engine tells who publishes it, there is nothing to guess.
        let told = !snapshot.containers.is_empty();
        let guess = cause.kind == CauseKind::HiddenHolder && !told;
        let mut holders = cause.pids.iter().filter_map(|pid| snapshot.processes.get(pid));
        let known = known(diagnosis.endpoint.port, transport, system)?;
        // Who merely has a connection from the port is not whom the table means.
        let serves = socket.is_server() && holders.any(|holder| known.is_held_by(holder));
        (guess || serves).then_some(UsualReport {
            software: known.software,
            holder: known.holder,
            stop: known.stop,
            guess,
        })
    })
}

/// The container of a process, with what its engine tells of it.
fn container_report(process: &Process, snapshot: &Snapshot) -> Option<ContainerReport> {
    let facts = engine::facts_of(process, snapshot);
    let boxed = engine::boxed(process, snapshot);
    let outside = boxed.as_ref().is_none_or(|boxed| boxed.keeps_ports);
    let (engine, id, name) = match (boxed, facts) {
        (Some(boxed), _) => (boxed.engine, boxed.id, boxed.name),
        (None, Some(facts)) => (facts.engine.clone(), facts.id.clone(), None),
        (None, None) => return None,
    };
    let compose = facts.and_then(|facts| facts.compose.as_ref());
    Some(ContainerReport {
        engine,
        id,
        name: facts.map(|facts| facts.name.clone()).or(name),
        image: facts.and_then(|facts| facts.image.clone()),
        project: compose.map(|compose| compose.project.clone()),
        service: compose.and_then(|compose| compose.service.clone()),
        directory: compose.and_then(|compose| compose.directory.clone()),
        restart: facts.and_then(|facts| facts.restart.clone()),
        outside,
    })
}

/// What could not be seen, in words.
pub fn gaps(snapshot: &Snapshot) -> Vec<GapReport> {
    let mut gaps: Vec<&Gap> = snapshot.gaps.iter().collect();
    gaps.sort();
    gaps.into_iter()
        .map(|gap| {
            let (what, cure) = explain::gap(gap, snapshot);
            GapReport { what, cure }
        })
        .collect()
}

/// Ascending numbers as text: `3001, 3003-3010`.
fn ranges(numbers: &[u16]) -> String {
    let mut parts: Vec<(u16, u16)> = Vec::new();
    for &number in numbers {
        match parts.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => parts.push((number, number)),
        }
    }
    let text = parts.iter().map(|&(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    text.collect::<Vec<_>>().join(", ")
}
