//! An act undone: what stands in the way now, the start, and the wait until it serves again. The
//! last look before a start is under a lock, so that two undos never start one thing twice.

use std::path::PathBuf;
use std::time::Duration;

use super::record::{Act, Again, Bytes, Ended, Held, Item, Stream, What};
use super::store::{Store, StoreError, reason};
use super::tell::{NO_TERMINAL, Obstacle, act_report, command, fixed, name_of, no_inverse};
use super::witness::now_ms;
use crate::act::Consent;
use crate::addr::{Endpoint, Port, Transport};
use crate::bind::BindResult;
use crate::host::{Glance, Host, Pinned, Watch, servers_by_table};
use crate::mask::mask_argv;
use crate::process::{Process, ProcessId};
use crate::report::{UndoAct, UndoItem, UndoKind, UndoOutcome};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::sys::keep::{self, Kept};
use crate::sys::revive::{self, Start, Started};

/// How long a program without ports is watched for an early end.
const SETTLE: Duration = Duration::from_millis(300);
/// Between two looks at the table of servers.
const STEP: Duration = Duration::from_millis(20);
/// Between two looks at everything that a family listens on.
const SWEEP: Duration = Duration::from_millis(200);
/// The longest a command of an engine or service manager may take.
const LEVER: Duration = Duration::from_secs(30);
/// How many of its last lines are told of a program that ended, and how many bytes are read.
const LINES: usize = 5;
const TAIL: u64 = 8 * 1024;

/// How to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreRequest {
    /// Only say what would be started.
    pub dry_run: bool,
    /// Start also what was started again before and has ended since.
    pub again: bool,
    /// How long a server may take until it serves.
    pub timeout: Duration,
    /// Show secrets in arguments.
    pub show_secrets: bool,
}

/// Undoes an act: everything in it that can be started and is not there is started in the
/// background, once the person agreed. What became of each is in the report.
///
/// # Errors
/// [`StoreError`], where the act cannot be read or nobody can be kept out.
pub fn restore(
    host: &dyn Host,
    store: &Store,
    number: u64,
    request: &RestoreRequest,
    consent: &mut dyn FnMut(&UndoAct) -> Consent,
) -> Result<UndoAct, StoreError> {
    let act = store.read(number)?;
    let mut report = judged(host, &act, request);
    if !is_agreed(&mut report, request, consent) {
        return Ok(report);
    }
    // What was true when the question was asked may not be any more.
    let locked = store.lock()?;
    let mut act = store.read(number)?;
    let mut report = judged(host, &act, request);
    let mut running = Vec::new();
    for (at, item) in act.items.iter_mut().enumerate() {
        let told = &mut report.items[at];
        if told.outcome != Some(UndoOutcome::Planned) {
            continue;
        }
        if let Some(begun) = begin(host, store, number, at, item, told) {
            running.push((at, begun));
        }
    }
    if act.items.iter().any(|item| item.again.is_some())
        && let Err(error) = store.write(&act)
    {
        let note = format!("that it was undone cannot be kept: {error}");
        report.explain = Some(note);
    }
    drop(locked);
    let mut failed = Vec::new();
    for (item, told) in act.items.iter().zip(&mut report.items) {
        if let What::Command { name, ports, .. } = &item.what
            && told.outcome == Some(UndoOutcome::Started)
        {
            settle_command(host, name, ports, request.timeout, told);
        }
    }
    for (at, begun) in running {
        let Some(Item { what: What::Process(ended), .. }) = act.items.get(at) else { continue };
        settle(host, begun, ended, request.timeout, &mut report.items[at]);
        if report.items[at].outcome == Some(UndoOutcome::ExitedAgain) {
            failed.push(at);
        }
    }
    forget(store, number, &failed);
    Ok(report)
}

/// What came of undoing in this terminal.
#[derive(Debug)]
pub enum Here {
    /// It was not done, or not yet; the report says why.
    Not(UndoAct),
    /// It ran as a child of this process, where nothing becomes another program, and has ended with
    /// that code.
    Ended(i32),
}

/// Undoes an act of one process by becoming it, in this terminal; on Windows by running it there and
/// waiting for it.
///
/// # Errors
/// As [`restore`].
pub fn restore_here(
    host: &dyn Host,
    store: &Store,
    number: u64,
    request: &RestoreRequest,
    consent: &mut dyn FnMut(&UndoAct) -> Consent,
) -> Result<Here, StoreError> {
    let act = store.read(number)?;
    let mut report = judged(host, &act, request);
    for item in &mut report.items {
        item.notes.retain(|note| note != NO_TERMINAL);
    }
    if let Some(why) = not_here(&report) {
        decline_as(&mut report, UndoOutcome::Refused, &why);
        return Ok(Here::Not(report));
    }
    if !is_agreed(&mut report, request, consent) {
        return Ok(Here::Not(report));
    }
    let locked = store.lock()?;
    let mut act = store.read(number)?;
    let mut report = judged(host, &act, request);
    let planned = |item: &UndoItem| item.outcome == Some(UndoOutcome::Planned);
    let Some(at) = report.items.iter().position(planned) else { return Ok(Here::Not(report)) };
    let What::Process(ended) = &act.items[at].what else { return Ok(Here::Not(report)) };
    let ended = ended.clone();
    let start = match start_of(&ended) {
        Ok(start) => start,
        Err((outcome, why)) => {
            report.items[at].outcome = Some(outcome);
            report.items[at].explain = Some(why);
            return Ok(Here::Not(report));
        }
    };
    let mut locked = Some(locked);
    let mut begun = |id| {
        act.items[at].again = Some(Again { id: Some(id), ..again() });
        // Where this cannot be kept, its port still keeps a second one away.
        let _ = store.write(&act);
        drop(locked.take());
    };
    let error = match revive::succeed(start, &mut begun) {
        Ok(code) => return Ok(Here::Ended(code)),
        Err(error) => error,
    };
    drop(locked);
    forget(store, number, &[at]);
    report.items[at].outcome = Some(UndoOutcome::Failed);
    report.items[at].explain =
        Some(format!("{} cannot be started: {}", ended.name, reason(&error)));
    Ok(Here::Not(report))
}

fn has_plan(report: &UndoAct) -> bool {
    report.items.iter().any(|item| item.outcome == Some(UndoOutcome::Planned))
}

/// Why not in this terminal.
fn not_here(report: &UndoAct) -> Option<String> {
    let planned: Vec<&UndoItem> =
        report.items.iter().filter(|item| item.outcome == Some(UndoOutcome::Planned)).collect();
    match planned.as_slice() {
        [] => None,
        [one] if one.kind == UndoKind::Process => None,
        [one] => Some(format!("{} is started by a command and runs in no terminal", one.name)),
        several => {
            Some(format!("{} things would be started, and a terminal is for one", several.len()))
        }
    }
}

/// Whether there is something to start, for real, and the person says yes to it. What is declined
/// is said in the report.
fn is_agreed(
    report: &mut UndoAct,
    request: &RestoreRequest,
    consent: &mut dyn FnMut(&UndoAct) -> Consent,
) -> bool {
    if request.dry_run || !has_plan(report) {
        return false;
    }
    match consent(report) {
        Consent::Yes => true,
        Consent::No(why) => {
            decline(report, &why);
            false
        }
    }
}

fn decline(report: &mut UndoAct, why: &str) {
    decline_as(report, UndoOutcome::Declined, why);
}

fn decline_as(report: &mut UndoAct, outcome: UndoOutcome, why: &str) {
    for item in &mut report.items {
        if item.outcome == Some(UndoOutcome::Planned) {
            item.outcome = Some(outcome);
            item.explain = Some(why.to_owned());
        }
    }
}

/// The act with an outcome for each: planned, or what stands in the way.
fn judged(host: &dyn Host, act: &Act, request: &RestoreRequest) -> UndoAct {
    let mut report = act_report(act, now_ms(), request.show_secrets);
    for (item, told) in act.items.iter().zip(&mut report.items) {
        borrow(told);
        let judged = match &item.what {
            What::Lost { .. } => {
                Err((UndoOutcome::Impossible, told.explain.clone().unwrap_or_default()))
            }
            What::Command { name, ran, inverse, .. } => {
                judge_again(host, item, request).and_then(|()| match inverse {
                    Some(_) => Ok(()),
                    None => Err((UndoOutcome::Impossible, no_inverse(name, ran))),
                })
            }
            What::Process(ended) => {
                judge_again(host, item, request).and_then(|()| judge(host, act, ended))
            }
        };
        match judged {
            Ok(()) => told.outcome = Some(UndoOutcome::Planned),
            Err((outcome, why)) => {
                told.outcome = Some(outcome);
                told.explain = Some(why);
            }
        }
    }
    report
}

/// What was not kept is taken from our own environment, where it is there.
fn borrow(told: &mut UndoItem) {
    let is_here = |name: &String| revive::variable(name.as_bytes()).is_some();
    let (here, missing): (Vec<String>, Vec<String>) = told.missing.drain(..).partition(is_here);
    told.missing = missing;
    if !here.is_empty() {
        told.notes.push(format!("not kept, and taken from this environment: {}", here.join(", ")));
    }
}

/// Whether it was started again already.
fn judge_again(host: &dyn Host, item: &Item, request: &RestoreRequest) -> Result<(), Obstacle> {
    let Some(again) = &item.again else { return Ok(()) };
    let same_boot = again.boot == keep::boot_id();
    let ports = match &item.what {
        What::Process(ended) => ended.ports.as_slice(),
        _ => &[],
    };
    let alive = again.id.filter(|id| same_boot && stays(host, *id, ports));
    match alive {
        Some(id) => Err((
            UndoOutcome::AlreadyRunning,
            format!("it was started again before and runs as pid {}", id.pid),
        )),
        None if request.again => Ok(()),
        None => Err((
            UndoOutcome::AlreadyUndone,
            match again.id {
                Some(_) => {
                    "it was started again before, and has ended since: --again starts it once more"
                }
                None => "it was started again before: --again does it once more",
            }
            .to_owned(),
        )),
    }
}

/// Whether a process may be started now.
fn judge(host: &dyn Host, act: &Act, ended: &Ended) -> Result<(), Obstacle> {
    let same_boot = act.boot == keep::boot_id();
    if same_boot && stays(host, ended.id, &ended.ports) {
        return Err((
            UndoOutcome::Impossible,
            format!("{} let go of its port and has not ended yet", ended.named()),
        ));
    }
    fixed(ended)?;
    free_again(host, ended)?;
    if let Some(keeper) = ended.keeper.filter(|id| same_boot && is_alive(host, *id)) {
        let name = ended.supervisor.clone().unwrap_or_else(|| "its manager".to_owned());
        return Err((
            UndoOutcome::Refused,
            format!(
                "{name} (pid {}) runs it and is still there: started beside it, it would be there twice once {name} starts it",
                keeper.pid
            ),
        ));
    }
    Ok(())
}

/// Whether that process lives and is not on its way out: an act returns when the port is free, and
/// its holder may take a moment longer to end.
fn stays(host: &dyn Host, id: ProcessId, ports: &[Held]) -> bool {
    let Ok(pin) = host.pin(id) else { return false };
    let endpoints: Vec<Endpoint> =
        ports.iter().filter_map(|held| endpoint(held.address.port(), held.transport)).collect();
    let serves = endpoints.is_empty()
        || holders(&who_has(host, endpoints)).iter().any(|holder| holder.id == id);
    if !serves {
        host.wait(&[&pin], &mut Watch::silent(), SETTLE);
    }
    !host.exited(&pin)
}

fn is_alive(host: &dyn Host, id: ProcessId) -> bool {
    host.pin(id).is_ok_and(|pin| !host.exited(&pin))
}

/// Whether everything that it listened on can be had.
fn free_again(host: &dyn Host, ended: &Ended) -> Result<(), Obstacle> {
    for held in ended.ports.iter().filter(|held| !held.drawn) {
        let attempt = host.attempt(held.transport, held.address);
        // Remains are passed by with SO_REUSEADDR; of UDP, that would pass by a server too.
        let passes = held.transport == Transport::Udp || keep::REUSE_PASSES_SERVERS;
        let answer = if passes { attempt.plain } else { attempt.reuse_addr };
        // Where it is denied, a server that has the port for itself alone may be why.
        if !matches!(answer, BindResult::InUse | BindResult::Denied) {
            continue;
        }
        let endpoint = endpoint(held.address.port(), held.transport);
        let snapshot = who_has(host, endpoint.into_iter().collect());
        let holders = holders(&snapshot);
        if answer == BindResult::Denied && holders.is_empty() {
            continue;
        }
        if let Some(same) = holders.iter().find(|process| is_same(process, ended)) {
            return Err((
                UndoOutcome::AlreadyRunning,
                format!(
                    "it is there again: {} (pid {}) serves {}",
                    same.program(),
                    same.id.pid,
                    name_of(held)
                ),
            ));
        }
        let who = match holders.first() {
            Some(process) => format!("{} (pid {})", process.program(), process.id.pid),
            None => "somebody whom this user cannot see".to_owned(),
        };
        return Err((UndoOutcome::PortTaken, format!("{} is held by {who} now", name_of(held))));
    }
    match ended.paths.iter().find(|path| host.unix_refuses(path) == Some(false)) {
        Some(path) => Err((UndoOutcome::PortTaken, format!("{path} is served by another now"))),
        None => Ok(()),
    }
}

fn endpoint(port: u16, transport: Transport) -> Option<Endpoint> {
    let port = Port::new(port)?;
    Some(Endpoint { transport: Some(transport), ..Endpoint::any(port) })
}

fn who_has(host: &dyn Host, endpoints: Vec<Endpoint>) -> Snapshot {
    let scope = Scope {
        sockets: SocketScope::Ports(endpoints),
        holders: true,
        states: States::Servers,
        ..Scope::default()
    };
    host.snapshot(&scope)
}

fn holders(snapshot: &Snapshot) -> Vec<&Process> {
    let servers =
        snapshot.sockets.iter().filter(|socket| socket.is_server() && socket.netns.is_none());
    let pids = servers.flat_map(|socket| socket.holders.pids());
    pids.filter_map(|pid| snapshot.processes.get(&pid)).collect()
}

fn is_same(process: &Process, ended: &Ended) -> bool {
    ended.holders.contains(&mask_argv(&process.argv))
}

/// Something that was started and has yet to serve.
struct Begun {
    started: Started,
    log: Option<(PathBuf, u64)>,
}

/// Starts one thing. `None` where its outcome is known at once.
fn begin(
    host: &dyn Host,
    store: &Store,
    number: u64,
    at: usize,
    item: &mut Item,
    told: &mut UndoItem,
) -> Option<Begun> {
    let mut fail = |outcome, why: String| {
        told.outcome = Some(outcome);
        told.explain = Some(why);
    };
    match &item.what {
        What::Lost { .. } => None,
        What::Command { name, inverse, .. } => {
            let argv = inverse.as_ref()?;
            let ran = host.run(argv, LEVER);
            let command = argv.join(" ");
            match ran.success {
                true => {
                    fail(UndoOutcome::Started, format!("started {name} by: {command}"));
                    item.again = Some(again());
                }
                false if keep::user() != 0 && ran.lacks_permission() => {
                    let way = match revive::CHANGES_USER {
                        true => format!("try: sudo {command}"),
                        false => format!("try in an elevated terminal: {command}"),
                    };
                    fail(UndoOutcome::Denied, format!("{command}: {}; {way}", ran.message));
                }
                false => fail(UndoOutcome::Failed, format!("{command}: {}", ran.message)),
            }
            None
        }
        What::Process(ended) => {
            let start = match start_of(ended) {
                Ok(start) => start,
                Err((outcome, why)) => {
                    fail(outcome, why);
                    return None;
                }
            };
            let outputs = outputs(store, number, at, ended);
            let (stdout, stderr, log) = match outputs {
                Ok(outputs) => outputs,
                Err(error) => {
                    fail(
                        UndoOutcome::Failed,
                        format!("its output has nowhere to go: {}", reason(&error)),
                    );
                    return None;
                }
            };
            match revive::start(start, stdout, stderr) {
                Ok(started) => {
                    told.started_pid = Some(started.id.pid);
                    told.log = log.as_ref().map(|(path, _)| path.to_string_lossy().into_owned());
                    item.again = Some(Again { id: Some(started.id), ..again() });
                    Some(Begun { started, log })
                }
                Err(error) => {
                    fail(
                        UndoOutcome::Failed,
                        format!("{} cannot be started: {}", ended.name, reason(&error)),
                    );
                    None
                }
            }
        }
    }
}

fn again() -> Again {
    Again { at_ms: now_ms(), boot: keep::boot_id(), id: None }
}

/// Variables that mean a process or a descriptor that is no more.
const STALE: [&str; 10] = [
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "MAKEFLAGS",
];

/// Everything it is to be started with.
fn start_of(ended: &Ended) -> Result<Start, Obstacle> {
    let (program, argv) = command(ended)?;
    let mut environment: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for entry in ended.environment.iter().flatten().map(Bytes::as_bytes) {
        let Some(at) = entry.iter().position(|&byte| byte == b'=') else { continue };
        let (name, value) = (&entry[..at], &entry[at + 1..]);
        let stale = STALE.iter().any(|stale| stale.as_bytes() == name);
        // Of two of a name the first counts (getenv(3)).
        if !stale && environment.iter().all(|(known, _)| known != name) {
            environment.push((name.to_vec(), value.to_vec()));
        }
    }
    for name in &ended.dropped {
        if let Some(value) = revive::variable(name.as_bytes()) {
            environment.push((name.clone().into_bytes(), value));
        }
    }
    let foreign = revive::CHANGES_USER && keep::user() == 0;
    Ok(Start {
        program,
        argv,
        line: ended.line.as_ref().map(|line| line.as_bytes().to_vec()),
        cwd: ended.cwd.as_ref().map(|cwd| cwd.as_bytes().to_vec()).unwrap_or_default(),
        environment,
        umask: ended.umask,
        nice: ended.nice,
        limits: ended.limits.clone(),
        user: foreign.then(|| (ended.uid, ended.gid, ended.groups.clone())),
    })
}

type Outputs = (Kept, Kept, Option<(PathBuf, u64)>);

/// Where its output goes: to the files it went to, if they are still the same; else to a log.
fn outputs(store: &Store, number: u64, at: usize, ended: &Ended) -> std::io::Result<Outputs> {
    let [_, stdout, stderr] = &ended.streams;
    let own = |stream: &Stream| match stream {
        Stream::File { path, id, .. } => {
            let (file, length) = revive::append_to(path.as_bytes(), *id).ok()?;
            Some((PathBuf::from(path.lossy()), file, length))
        }
        _ => None,
    };
    let (out, err) = (own(stdout), own(stderr));
    if let (Some((path, out, length)), Some((_, err, _))) = (&out, &err) {
        return Ok((out.try_clone()?, err.try_clone()?, Some((path.clone(), *length))));
    }
    let (path, log, length) = store.log(number, at)?;
    let one = |own: Option<(PathBuf, Kept, u64)>| match own {
        Some((_, file, _)) => Ok(file),
        None => log.try_clone(),
    };
    Ok((one(out)?, one(err)?, Some((path, length))))
}

/// Waits until it serves, or has ended again, or the time is over.
fn settle(
    host: &dyn Host,
    mut begun: Begun,
    ended: &Ended,
    timeout: Duration,
    told: &mut UndoItem,
) {
    let id = begun.started.id;
    let pin = host.pin(id).ok();
    let began = host.now();
    let listens = !ended.ports.is_empty() || !ended.paths.is_empty();
    let end = began + if listens { timeout } else { SETTLE.min(timeout) };
    let mut next_sweep = began;
    let mut gone = None;
    let (outcome, explain) = loop {
        if gone.is_none() {
            gone = begun.started.ended();
        }
        let now = host.now();
        if listens && is_served(host, id, ended, now >= next_sweep) {
            break serving(host, id, ended);
        }
        if now >= next_sweep {
            next_sweep = now + SWEEP;
        }
        // A program may go to the background by itself: then its first process ends well.
        match &gone {
            Some((well, how)) if !well || !listens => {
                break (
                    UndoOutcome::ExitedAgain,
                    format!("{} (pid {}) ended again {how}", ended.name, id.pid),
                );
            }
            _ => {}
        }
        if now >= end {
            break late(ended, id, gone.is_some(), listens, timeout);
        }
        let alive: Vec<&Pinned> = pin.iter().filter(|_| gone.is_none()).collect();
        host.wait(&alive, &mut Watch::silent(), STEP.min(end - now));
    };
    told.outcome = Some(outcome);
    told.explain = Some(explain);
    if let Some((path, length)) = begun.log.take().filter(|_| outcome != UndoOutcome::Started) {
        told.last_lines = last_lines(&path, length);
    }
}

fn late(ended: &Ended, id: ProcessId, gone: bool, listens: bool, timeout: Duration) -> Obstacle {
    let name = format!("{} (pid {})", ended.name, id.pid);
    if !listens {
        return (UndoOutcome::Started, format!("{name} runs again"));
    }
    let what = wanted(ended);
    let seconds = timeout.as_secs_f32();
    match gone {
        true => (UndoOutcome::ExitedAgain, format!("{name} ended, and nothing serves {what}")),
        false => (
            UndoOutcome::NotServing,
            format!("{name} runs and does not serve {what} after {seconds} s"),
        ),
    }
}

fn wanted(ended: &Ended) -> String {
    let names: Vec<String> = ended.ports.iter().map(name_of).chain(ended.paths.clone()).collect();
    names.join(", ")
}

/// Whether everything that it listened on is served: what the kernel had drawn, by anything that
/// it listens on now.
fn is_served(host: &dyn Host, id: ProcessId, ended: &Ended, sweep: bool) -> bool {
    let paths = ended.paths.iter().all(|path| host.unix_refuses(path) == Some(false));
    paths
        && ended.ports.iter().all(|held| {
            match held.drawn {
                // The number says nothing: it may be a stranger's by now.
                true => sweep && listens_anywhere(host, id, ended, held.transport),
                false => has_server(host, held),
            }
        })
}

/// Waits until what a manager started serves again: it says that it is done when it has begun.
fn settle_command(
    host: &dyn Host,
    name: &str,
    ports: &[Held],
    timeout: Duration,
    told: &mut UndoItem,
) {
    let fixed: Vec<&Held> = ports.iter().filter(|held| !held.drawn).collect();
    if fixed.is_empty() {
        return;
    }
    let names: Vec<String> = fixed.iter().map(|held| name_of(held)).collect();
    let names = names.join(", ");
    let end = host.now() + timeout;
    loop {
        let now = host.now();
        if fixed.iter().all(|held| has_server(host, held)) {
            told.explain = Some(format!("{name} serves {names} again"));
            return;
        }
        if now >= end {
            let seconds = timeout.as_secs_f32();
            told.outcome = Some(UndoOutcome::NotServing);
            told.explain =
                Some(format!("{name} was started and does not serve {names} after {seconds} s"));
            return;
        }
        host.wait(&[], &mut Watch::silent(), STEP.min(end - now));
    }
}

/// Whether anybody serves that port.
fn has_server(host: &dyn Host, held: &Held) -> bool {
    let Some(endpoint) = endpoint(held.address.port(), held.transport) else { return true };
    let (at, look) = ([endpoint], Glance::Servers);
    // By the table where the kernel cannot be asked so cheaply, as in a sandbox without netlink.
    let servers = host.servers(&at, look).or_else(|| servers_by_table(host, &at, look));
    servers.is_some_and(|servers| !servers.is_empty())
}

/// Whether it, or what it started, listens on any port.
fn listens_anywhere(host: &dyn Host, id: ProcessId, ended: &Ended, transport: Transport) -> bool {
    let scope = Scope {
        sockets: SocketScope::AllPorts,
        holders: true,
        states: States::Servers,
        ..Scope::default()
    };
    let mut snapshot = host.snapshot(&scope);
    snapshot.sockets.retain(|socket| socket.protocol == transport.into());
    holders(&snapshot).into_iter().any(|process| is_family(process, id, ended, &snapshot))
}

/// Whether a process is what was started, or comes of it: below it, in its session, or (one that
/// left both) with the command line that held the port before.
fn is_family(process: &Process, id: ProcessId, ended: &Ended, snapshot: &Snapshot) -> bool {
    process.id == id
        || process.session == Some(id.pid)
        || snapshot.ancestors(process.id.pid).iter().any(|above| above.id == id)
        || is_same(process, ended)
}

/// The sentence of a server that serves again, if it is the one that was started.
fn serving(host: &dyn Host, id: ProcessId, ended: &Ended) -> Obstacle {
    let fixed = ended.ports.iter().filter(|held| !held.drawn);
    let endpoints: Vec<Endpoint> =
        fixed.filter_map(|held| endpoint(held.address.port(), held.transport)).collect();
    let name = format!("{} (pid {})", ended.name, id.pid);
    if !endpoints.is_empty() {
        let snapshot = who_has(host, endpoints);
        let holders = holders(&snapshot);
        let family = |process: &&&Process| is_family(process, id, ended, &snapshot);
        if let Some(other) = holders.first()
            && !holders.iter().any(|process| family(&process))
        {
            return (
                UndoOutcome::PortTaken,
                format!(
                    "{name} was started, and {} (pid {}) took {} before it",
                    other.program(),
                    other.id.pid,
                    wanted(ended)
                ),
            );
        }
    }
    let what = if ended.ports.iter().any(|held| held.drawn) {
        "listens again".to_owned()
    } else {
        format!("serves {} again", wanted(ended))
    };
    (UndoOutcome::Started, format!("{name} {what}"))
}

fn last_lines(path: &std::path::Path, since: u64) -> Vec<String> {
    let text = revive::written(path.as_os_str().as_encoded_bytes(), since, TAIL);
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

/// What was started and ended at once counts as not undone.
fn forget(store: &Store, number: u64, items: &[usize]) {
    if items.is_empty() {
        return;
    }
    let Ok(_locked) = store.lock() else { return };
    let Ok(mut act) = store.read(number) else { return };
    for &at in items {
        if let Some(item) = act.items.get_mut(at) {
            item.again = None;
        }
    }
    let _ = store.write(&act);
}
