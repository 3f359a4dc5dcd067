//! What was there before an act, and what of it the act ended: taken when the person has said
//! yes, since the dead have no environment. Nothing is changed here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::inverse::inverse;
use super::record::{Act, Bytes, Ended, FORMAT, Held, Item, What};
use super::store::Store;
use crate::addr::{Port, Transport};
use crate::decode::settings::{is_title, pieces};
use crate::host::{Host, Pinned, Watch, Woken};
use crate::mask::{is_secret_variable, mask_argv};
use crate::process::{Process, ProcessId, Supervisor, SupervisorKind};
use crate::report::{EventReport, Outcome, StepReport, TargetReport};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::socket::{LocalAddress, Protocol, TcpState};
use crate::supervisor::{could_restart, file_name, origins, supervisor_of};
use crate::sys::{keep, revive};

/// How long those above an ended process are given to follow it: `npm run` ends some
/// milliseconds after its server.
const FOLLOW: Duration = Duration::from_millis(300);
/// The most processes that are noted for one act.
const MOST: usize = 64;

/// Everything about the processes that an act may end.
#[derive(Debug, Default)]
pub struct Witness {
    /// By PID: those to be signalled, and those above them that may end with them.
    notes: BTreeMap<u32, Note>,
}

/// One process before the act.
#[derive(Debug)]
struct Note {
    ended: Ended,
    pin: Option<Pinned>,
    /// Those that started it, nearest first, and whether each only waits for it.
    above: Vec<(u32, bool)>,
    /// Whether it is a shell that was given a command: more than one program may be in it.
    shell: bool,
    /// Whether it is stopped, so that it follows nobody.
    stopped: bool,
    /// The unit or container that it is the first process of: what started it, and starts it again.
    managed: Option<What>,
}

impl Witness {
    /// Notes everything about the processes that these plans would signal. With `keep_secrets`,
    /// secrets in arguments and environments too.
    pub fn of(host: &dyn Host, reports: &[TargetReport], keep_secrets: bool) -> Self {
        let victims = signalled(reports);
        if victims.is_empty() {
            return Self::default();
        }
        let scope = Scope {
            sockets: SocketScope::HeldBy(victims.iter().copied().collect()),
            holders: true,
            states: States::Servers,
            pids: victims.iter().copied().collect(),
            ..Scope::default()
        };
        let snapshot = host.snapshot(&scope);
        let mut wanted: Vec<u32> = victims.iter().copied().collect();
        for &pid in &victims {
            wanted.extend(origins(pid, &snapshot).iter().map(|(above, _)| *above));
        }
        wanted.retain(|pid| !snapshot.asker.ancestors.contains(pid) && *pid != snapshot.asker.pid);
        let mut notes = BTreeMap::new();
        for pid in wanted {
            if notes.len() < MOST
                && !notes.contains_key(&pid)
                && let Some(process) = snapshot.processes.get(&pid)
                && let Some(note) = note(host, process, &snapshot, keep_secrets)
            {
                notes.insert(pid, note);
            }
        }
        Self { notes }
    }

    /// Keeps what the act ended, tells each report under which number, and says so in a note
    /// where that fails. Nothing is kept where nothing was ended.
    pub fn keep(
        self,
        host: &dyn Host,
        store: &mut dyn FnMut() -> Result<Store, super::StoreError>,
        verb: &str,
        reports: &mut [TargetReport],
    ) {
        let mut items: Vec<Item> = Vec::new();
        let mut seen: BTreeSet<ProcessId> = BTreeSet::new();
        let mut concerned = Vec::new();
        for (at, report) in reports.iter().enumerate() {
            let before = items.len();
            items.extend(commands(report));
            let mut known = false;
            for ended in self.ended_for(host, report) {
                known = true;
                if seen.insert(ended.id) {
                    let what = self.what(ended);
                    items.push(Item { what, again: None });
                }
            }
            // What an ended server left behind went with it, and comes again with it.
            if !known && items.len() == before {
                items.extend(lost(report));
            }
            if known || items.len() > before {
                concerned.push(at);
            }
        }
        if items.is_empty() {
            return;
        }
        let targets = concerned.iter().map(|&at| reports[at].target.clone()).collect();
        let act = Act {
            format: FORMAT,
            number: 0,
            at_ms: now_ms(),
            boot: keep::boot_id(),
            verb: verb.to_owned(),
            targets,
            items,
        };
        let open = act.is_open();
        let kept = store().and_then(|store| store.add(act));
        for (nth, at) in concerned.into_iter().enumerate() {
            match &kept {
                Ok(number) if open => reports[at].undo = Some(*number),
                Ok(_) => {}
                Err(error) if open && nth == 0 => {
                    reports[at].notes.push(format!("this cannot be undone: {error}"));
                }
                Err(_) => {}
            }
        }
    }

    /// A process, or the unit or container that it was the first of.
    fn what(&self, ended: Ended) -> What {
        let managed = self.notes.get(&ended.id.pid).and_then(|note| note.managed.clone());
        match managed {
            Some(What::Command { name, ran, inverse, .. }) => {
                What::Command { name, ran, inverse, ports: ended.ports }
            }
            _ => What::Process(Box::new(ended)),
        }
    }

    /// The topmost of each family that ended, without the shells above it.
    fn ended_for(&self, host: &dyn Host, report: &TargetReport) -> Vec<Ended> {
        // What its supervisor brought back needs nobody.
        let let_go = match report.outcome {
            Some(Outcome::Freed | Outcome::TakenByAnother | Outcome::Lingering) => true,
            Some(Outcome::StillHeld | Outcome::Denied) => false,
            _ => return Vec::new(),
        };
        let asked = signalled(std::slice::from_ref(report));
        let mut tops: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for pid in asked {
            let Some(note) = self.notes.get(&pid) else { continue };
            let gone = note.is_gone(host);
            let was_asked = report.events.iter().any(|event| event.pid == Some(pid));
            // One that let go and still answers its last requests ends when they are over.
            if !(gone || let_go && was_asked) {
                continue;
            }
            let top = if gone { self.top(host, pid) } else { pid };
            tops.entry(top).or_default().insert(pid);
        }
        tops.into_iter().filter_map(|(top, below)| self.family(top, &below)).collect()
    }

    /// How far up the end went. Those that only wait for their child are waited for.
    fn top(&self, host: &dyn Host, pid: u32) -> u32 {
        let Some(note) = self.notes.get(&pid) else { return pid };
        let deadline = host.now() + FOLLOW;
        let mut top = pid;
        for (above, waits) in &note.above {
            let Some(parent) = self.notes.get(above) else { break };
            if *waits && !parent.stopped {
                parent.wait_until(host, deadline);
            }
            if !parent.is_gone(host) {
                break;
            }
            if !parent.shell {
                top = *above;
            }
        }
        top
    }

    /// The note of the topmost, with what those below it held.
    fn family(&self, top: u32, below: &BTreeSet<u32>) -> Option<Ended> {
        let mut ended = self.notes.get(&top)?.ended.clone();
        for pid in below.iter().filter(|&&pid| pid != top) {
            let Some(note) = self.notes.get(pid) else { continue };
            let theirs = &note.ended;
            for held in &theirs.ports {
                if !ended.ports.contains(held) {
                    ended.ports.push(held.clone());
                }
            }
            ended.paths.extend(
                theirs
                    .paths
                    .iter()
                    .filter(|path| !ended.paths.contains(path))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            ended.holders.extend(theirs.holders.iter().cloned());
            ended.handed |= theirs.handed;
        }
        ended.holders.dedup();
        Some(ended)
    }
}

impl Note {
    fn is_gone(&self, host: &dyn Host) -> bool {
        self.pin.as_ref().is_none_or(|pin| host.exited(pin))
    }

    fn wait_until(&self, host: &dyn Host, deadline: Duration) {
        let Some(pin) = &self.pin else { return };
        while !host.exited(pin) && host.now() < deadline {
            let left = deadline.saturating_sub(host.now());
            if host.wait(&[pin], &mut Watch::silent(), left) == Woken::Interrupted {
                return;
            }
        }
    }
}

/// The processes that these plans signal, and those that hold the sockets with them.
fn signalled(reports: &[TargetReport]) -> BTreeSet<u32> {
    let mut pids = BTreeSet::new();
    for report in reports {
        let asked: Vec<u32> = report
            .plan
            .iter()
            .filter(|step| step.step == "signal" || step.step == "force")
            .filter_map(|step| step.pid)
            .collect();
        if !asked.is_empty() {
            let holders = report.sockets.iter().flat_map(|socket| &socket.holders);
            pids.extend(holders.map(|holder| holder.pid));
            pids.extend(asked);
        }
    }
    pids
}

fn note(
    host: &dyn Host,
    process: &Process,
    snapshot: &Snapshot,
    keep_secrets: bool,
) -> Option<Note> {
    let pin = host.pin(process.id).ok()?;
    let settings = revive::settings(process.id)?;
    let (uid, gid) = (*settings.credentials.uids.first()?, *settings.credentials.gids.first()?);
    // The kernel marks a file that is gone with words a file's name may end with, too.
    let mark: &[u8] = if process.exe_deleted { b" (deleted)" } else { b"" };
    let exe = settings.exe.as_deref().map(|exe| exe.strip_suffix(mark).unwrap_or(exe));
    let exe_name = exe.and_then(|exe| exe.rsplit(|&byte| byte == b'/').next()).unwrap_or_default();
    let raw = pieces(&settings.cmdline);
    // A line of its own is not where a title is written.
    let title = settings.line.is_none() && is_title(&settings.cmdline, exe_name);
    let (argv, masked) = arguments(&raw, title, keep_secrets);
    let line = settings.line.as_deref().filter(|_| !masked).map(Bytes::from);
    let (environment, dropped) = match &settings.environment {
        Some(bytes) => {
            let (kept, dropped) = variables(bytes, keep_secrets);
            (Some(kept), dropped)
        }
        None => (None, Vec::new()),
    };
    let handed = environment
        .iter()
        .flatten()
        .any(|entry| entry.as_bytes() == format!("LISTEN_PID={}", process.id.pid).as_bytes());
    let supervisor = supervisor_of(process.id.pid, snapshot);
    let keeper = supervisor
        .as_ref()
        .filter(|supervisor| {
            use SupervisorKind::{Master, ProcessManager, Watcher};
            matches!(supervisor.kind, ProcessManager | Watcher | Master)
        })
        .and_then(|supervisor| snapshot.processes.get(&supervisor.pid?))
        .filter(|keeper| could_restart(process.id.pid, snapshot).contains(&keeper.id.pid));
    let container = process.container.as_ref().filter(|own| {
        let asker = snapshot.processes.get(&snapshot.asker.pid);
        asker.is_none_or(|asker| asker.container.as_ref() != Some(own))
    });
    let elsewhere = match (container, settings.apart) {
        (Some(container), Some(_)) => {
            Some(format!("it ran in {} container {}", container.engine, container.id))
        }
        (_, Some(apart)) => Some(format!("it had {apart}")),
        (_, None) => None,
    };
    let mut ports = Vec::new();
    let mut paths = Vec::new();
    for socket in &snapshot.sockets {
        let own = socket.holders.list().iter().any(|holder| holder.pid == process.id.pid);
        if !own || !socket.is_server() || socket.netns.is_some() {
            continue;
        }
        match (&socket.local, transport(socket.protocol)) {
            (LocalAddress::Inet(address), Some(transport)) if address.port() != 0 => {
                let port = Port::new(address.port())?;
                let drawn = snapshot.policy.is_ephemeral(port)
                    && !mentions(&settings.cmdline, address.port())
                    && !mentions(
                        settings.environment.as_deref().unwrap_or_default(),
                        address.port(),
                    );
                let held = Held { transport, address: *address, drawn };
                if !ports.contains(&held) {
                    ports.push(held);
                }
            }
            (LocalAddress::Path(path), _) => paths.push(path.clone()),
            _ => {}
        }
    }
    let holders = match ports.is_empty() && paths.is_empty() {
        true => Vec::new(),
        false => vec![mask_argv(&process.argv)],
    };
    Some(Note {
        shell: is_command_of_shell(process) || is_undo(process),
        stopped: process.is_stopped(),
        managed: supervisor.as_ref().and_then(|supervisor| managed(process, supervisor, snapshot)),
        above: origins(process.id.pid, snapshot),
        ended: Ended {
            id: process.id,
            name: process.program().to_owned(),
            exe: exe.map(Bytes::from),
            file: settings.file,
            argv,
            line,
            title,
            masked,
            cwd: settings.cwd.as_deref().map(Bytes::from),
            environment,
            dropped,
            umask: settings.credentials.umask,
            uid,
            user: keep::user_name(uid),
            gid,
            groups: settings.credentials.groups,
            nice: settings.nice,
            limits: settings.limits,
            streams: settings.streams,
            ports,
            paths,
            holders,
            supervisor: supervisor.map(|supervisor| supervisor.name),
            keeper: keeper.map(|keeper| keeper.id),
            terminal: process.terminal.clone(),
            elsewhere,
            handed,
        },
        pin: Some(pin),
    })
}

/// The unit or container of a process that is its first: what its manager starts again has its
/// restrictions, its log and its restarts, and what is started beside it has not.
fn managed(process: &Process, supervisor: &Supervisor, snapshot: &Snapshot) -> Option<What> {
    use SupervisorKind::{Container, LaunchdJob, SystemdUnit, SystemdUserUnit};
    let parent = snapshot.processes.get(&process.ppid);
    let is_first = parent.is_none_or(|parent| parent.cgroup != process.cgroup);
    let is_first = match supervisor.kind {
        LaunchdJob => process.unit.as_ref() == Some(&supervisor.name),
        Container | SystemdUnit | SystemdUserUnit => is_first,
        _ => false,
    };
    if !is_first {
        return None;
    }
    let ran = supervisor.stop.clone()?;
    let inverse = Some(inverse(&ran)?);
    Some(What::Command { name: supervisor.name.clone(), ran, inverse, ports: Vec::new() })
}

/// A shell that runs a command it was given in an argument: `sh -c 'a; b'`.
fn is_command_of_shell(process: &Process) -> bool {
    const SHELLS: [&str; 10] =
        ["sh", "bash", "dash", "zsh", "fish", "ksh", "mksh", "ash", "busybox", "tcsh"];
    const POWERSHELLS: [&str; 2] = ["powershell", "pwsh"];
    let file = file_name(process.exe.as_deref().unwrap_or(&process.name));
    let command =
        |word: &String| word.starts_with('-') && !word.starts_with("--") && word.contains('c');
    let written_out = |word: &String| word.to_ascii_lowercase().starts_with("-c");
    let mut options = process.argv.iter().skip(1).take(3);
    match file {
        file if SHELLS.contains(&file) => options.any(command),
        file if POWERSHELLS.iter().any(|shell| file.eq_ignore_ascii_case(shell)) => {
            options.any(written_out)
        }
        _ => is_command_of_cmd(process),
    }
}

/// Whether it is `proc undo --here` itself, which waits for what it started: that is what was ended.
fn is_undo(process: &Process) -> bool {
    let file = file_name(process.exe.as_deref().unwrap_or(&process.name));
    file == "proc" && process.argv.get(1).is_some_and(|word| word == "undo")
}

/// The same of Windows' own: `cmd /d /s /c "a & b"`, which ends when its command does.
fn is_command_of_cmd(process: &Process) -> bool {
    let file = file_name(process.exe.as_deref().unwrap_or(&process.name));
    let is_command = |word: &String| word.eq_ignore_ascii_case("/c");
    file.eq_ignore_ascii_case("cmd") && process.argv.iter().skip(1).take(4).any(is_command)
}

const fn transport(protocol: Protocol) -> Option<Transport> {
    match protocol {
        Protocol::Tcp => Some(Transport::Tcp),
        Protocol::Udp => Some(Transport::Udp),
        Protocol::UdpLite | Protocol::Raw | Protocol::Unix => None,
    }
}

/// Whether a number stands in there, by itself.
fn mentions(bytes: &[u8], port: u16) -> bool {
    let digits = port.to_string();
    bytes.split(|byte| !byte.is_ascii_digit()).any(|run| run == digits.as_bytes())
}

/// The arguments to keep, and whether secrets are masked in them.
fn arguments(raw: &[&[u8]], title: bool, keep_secrets: bool) -> (Vec<Bytes>, bool) {
    let raw = if title { &raw[..raw.len().min(1)] } else { raw };
    let own: Vec<Bytes> = raw.iter().map(|piece| Bytes::from(*piece)).collect();
    if keep_secrets {
        return (own, false);
    }
    let shown: Vec<String> = own.iter().map(Bytes::lossy).collect();
    let safe = mask_argv(&shown);
    if safe == shown {
        return (own, false);
    }
    (safe.into_iter().map(Bytes::Text).collect(), true)
}

/// The variables to keep, and the names of those that are left out.
fn variables(bytes: &[u8], keep_secrets: bool) -> (Vec<Bytes>, Vec<String>) {
    let mut kept = Vec::new();
    let mut dropped = Vec::new();
    for entry in pieces(bytes) {
        let Some(at) = entry.iter().position(|&byte| byte == b'=').filter(|&at| at > 0) else {
            continue;
        };
        let name = String::from_utf8_lossy(&entry[..at]);
        let value = String::from_utf8_lossy(&entry[at + 1..]);
        if !keep_secrets && !value.is_empty() && is_secret_variable(&name, &value) {
            dropped.push(name.into_owned());
        } else {
            kept.push(Bytes::from(entry));
        }
    }
    dropped.sort_unstable();
    dropped.dedup();
    (kept, dropped)
}

/// The commands of managers and engines that were run.
fn commands(report: &TargetReport) -> Vec<Item> {
    let ran = |argv: &[String], nth: usize| {
        let command = argv.join(" ");
        let mut events = report.events.iter().filter(|event| event.event == "ran");
        events.clone().any(|event| event.explain.contains(&command)) || events.nth(nth).is_some()
    };
    let steps = report.plan.iter().filter_map(|step| step.argv.as_ref().map(|argv| (step, argv)));
    steps
        .enumerate()
        .filter(|(nth, (_, argv))| ran(argv, *nth))
        .map(|(_, (step, argv))| {
            let name = name_of(step);
            let inverse = inverse(argv);
            let ports = servers(report);
            Item { what: What::Command { name, ran: argv.clone(), inverse, ports }, again: None }
        })
        .collect()
}

/// What was listened on before the act, of the target itself.
fn servers(report: &TargetReport) -> Vec<Held> {
    let mut ports = Vec::new();
    for socket in &report.sockets {
        let serves = socket.remote.is_none() && socket.netns.is_none();
        let listens = match socket.protocol {
            Protocol::Tcp => socket.state == Some(TcpState::Listen),
            _ => true,
        };
        if let (true, true, Some(transport), Ok(address)) =
            (serves, listens, transport(socket.protocol), socket.local.parse())
        {
            let held = Held { transport, address, drawn: false };
            if !ports.contains(&held) {
                ports.push(held);
            }
        }
    }
    ports
}

/// What a step stops: `stop web.service by: …` names it.
fn name_of(step: &StepReport) -> String {
    let named = step.explain.strip_prefix("stop ").and_then(|rest| rest.split_once(" by: "));
    named.map_or_else(|| step.explain.clone(), |(name, _)| name.to_owned())
}

fn lost(report: &TargetReport) -> Vec<Item> {
    let is_lost = |event: &&EventReport| ["destroyed", "removed"].contains(&event.event.as_str());
    let events = report.events.iter().filter(is_lost);
    events
        .map(|event| Item { what: What::Lost { explain: event.explain.clone() }, again: None })
        .collect()
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MASK;

    fn text(kept: &[Bytes]) -> Vec<String> {
        kept.iter().map(Bytes::lossy).collect()
    }

    #[test]
    fn secrets_stay_out_of_the_environment_unless_wanted() {
        let raw = b"PATH=/bin\0API_TOKEN=abc\0DATABASE_URL=postgres://me:pw@db/x\0EMPTY_TOKEN=\0odd\0=x\0HOME=/\xff\0";
        let (kept, dropped) = variables(raw, false);
        assert_eq!(text(&kept), ["PATH=/bin", "EMPTY_TOKEN=", "HOME=/\u{fffd}"]);
        assert_eq!(kept[2].as_bytes(), b"HOME=/\xff");
        assert_eq!(dropped, ["API_TOKEN", "DATABASE_URL"]);
        let (kept, dropped) = variables(raw, true);
        assert_eq!((kept.len(), dropped.len()), (5, 0));
    }

    #[test]
    fn secrets_in_arguments_are_masked_and_said_to_be() {
        let raw = [&b"srv"[..], b"--password", b"hunter2", b"\xff"];
        let (argv, masked) = arguments(&raw, false, false);
        assert_eq!(
            (text(&argv), masked),
            (["srv", "--password", MASK, "\u{fffd}"].map(str::to_owned).to_vec(), true)
        );
        let (argv, masked) = arguments(&raw, false, true);
        assert_eq!((argv[2].lossy(), masked), ("hunter2".to_owned(), false));
        let (argv, masked) = arguments(&[b"srv", b"", b"a\nb"], false, false);
        assert_eq!((text(&argv), masked), (["srv", "", "a\nb"].map(str::to_owned).to_vec(), false));
        let (argv, _) = arguments(&[b"npm run dev", b"", b""], true, false);
        assert_eq!(text(&argv), ["npm run dev"]);
    }

    #[test]
    fn a_shell_with_a_command_is_passed_over_and_one_with_a_script_is_not() {
        let shell = |exe: &str, words: &str| {
            let id = ProcessId { pid: 7, start: 1 };
            let argv = words.split(' ').map(str::to_owned).collect();
            let exe = Some(exe.to_owned());
            is_command_of_shell(&Process { exe, argv, ..Process::unread(id) })
        };
        assert!(shell("/bin/sh", "sh -c x"));
        assert!(!shell("/bin/sh", "sh x.sh"));
        assert!(shell(
            r"C:\Windows\System32\cmd.exe",
            "C:\\Windows\\System32\\cmd.exe /d /s /c vite"
        ));
        assert!(!shell(r"C:\Windows\System32\cmd.exe", "cmd"));
        assert!(shell(r"C:\x\PowerShell.exe", "powershell -NoProfile -Command x"));
        assert!(!shell(r"C:\x\pwsh.exe", "pwsh -File x.ps1"));
        assert!(!shell(r"C:\x\node.exe", "node /c"));
    }

    #[test]
    fn a_port_is_mentioned_by_itself_or_not_at_all() {
        assert!(mentions(b"node\0--port=40123\0", 40_123));
        assert!(mentions(b"http://0:40123/x", 40_123));
        assert!(!mentions(b"401234 140123", 40_123));
    }
}
