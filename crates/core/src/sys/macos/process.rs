//! Processes as the kernel's list and libproc show them, and what this process itself may do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::ffi;
use crate::decode::macos::launchd::label_of;
use crate::decode::macos::process::{self as decode, Arguments, Kinfo, Unique};
use crate::process::{Process, ProcessId, is_no_program};
use crate::snapshot::{Asker, Policy, ProcessFacts};

/// Every process of the machine at one moment, by PID.
#[derive(Debug, Default)]
pub(super) struct Census {
    all: BTreeMap<u32, Kinfo>,
}

impl Census {
    /// All of them. Every user may see this much of each.
    pub(super) fn new() -> Self {
        let list = ffi::all_processes().map(|bytes| decode::list(&bytes)).unwrap_or_default();
        // The kernel itself is process 0.
        let all = list.into_iter().filter(|process| process.pid != 0);
        Self { all: all.map(|process| (process.pid, process)).collect() }
    }

    /// The list's words about one.
    pub(super) fn get(&self, pid: u32) -> Option<&Kinfo> {
        self.all.get(&pid)
    }

    /// Their numbers, ascending.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.all.keys().copied()
    }

    /// The children of a process.
    pub(super) fn children(&self, pid: u32) -> impl Iterator<Item = u32> + '_ {
        let mine = self.all.values().filter(move |process| process.ppid == pid);
        mine.map(|process| process.pid)
    }

    /// The ancestors of a process, nearest first.
    pub(super) fn ancestors(&self, pid: u32) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut next = self.get(pid).map_or(0, |process| process.ppid);
        while next != 0 && next != pid && !chain.contains(&next) {
            let Some(process) = self.get(next) else { break };
            chain.push(next);
            next = process.ppid;
        }
        chain
    }

    /// A process with everything that may be read of it.
    pub(super) fn read(&self, pid: u32) -> Option<Process> {
        self.read_facts(pid, ProcessFacts::ALL)
    }

    /// A process with some of that.
    pub(super) fn read_facts(&self, pid: u32, facts: ProcessFacts) -> Option<Process> {
        Some(read(self.get(pid)?, facts))
    }

    /// These processes and all their ancestors, with everything.
    pub(super) fn read_with_ancestors(&self, pids: &[u32]) -> BTreeMap<u32, Process> {
        let mut found = BTreeMap::new();
        for &pid in pids {
            for pid in std::iter::once(pid).chain(self.ancestors(pid)) {
                if found.contains_key(&pid) {
                    break;
                }
                found.extend(self.read(pid).map(|process| (pid, process)));
            }
        }
        found
    }
}

/// Who has that number now.
pub(super) fn identity(pid: u32) -> Option<ProcessId> {
    let bytes = ffi::one_process(pid).ok()?;
    let found = decode::list(&bytes).into_iter().find(|process| process.pid == pid)?;
    Some(id(&found))
}

/// The kernel's own words about a process.
pub(super) fn known(id: ProcessId) -> Option<Kinfo> {
    let bytes = ffi::one_process(id.pid).ok()?;
    decode::list(&bytes).into_iter().find(|found| self::id(found) == id)
}

/// Its short name.
pub(super) fn name(pid: u32) -> Option<String> {
    let bytes = ffi::one_process(pid).ok()?;
    decode::list(&bytes).into_iter().find(|process| process.pid == pid).map(|found| found.name)
}

/// The children of each of these processes. One is missing where there are too many to read in
/// passing.
pub(super) fn children(pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
    const MOST: usize = 256;
    let census = Census::new();
    let listed = pids.iter().map(|&pid| (pid, census.children(pid).collect::<Vec<u32>>()));
    listed
        .filter(|(pid, children)| census.get(*pid).is_some() && children.len() <= MOST)
        .map(|(pid, all)| (pid, all.into_iter().filter_map(|child| census.read(child)).collect()))
        .collect()
}

/// The working directory of a process of this user.
pub(super) fn directory(pid: u32) -> Option<String> {
    decode::directory(&ffi::directories(pid)?)
}

/// What names it for good.
pub(super) fn unique(pid: u32) -> Option<Unique> {
    decode::unique(&ffi::unique(pid)?)
}

/// The arguments and environment of a process of this user.
pub(super) fn arguments(pid: u32) -> Option<Arguments> {
    decode::arguments(&ffi::arguments(pid).ok()?)
}

fn id(process: &Kinfo) -> ProcessId {
    ProcessId { pid: process.pid, start: process.started_us }
}

/// A name of that many bytes may be the beginning of a longer one (MAXCOMLEN).
const CUT: usize = 15;

fn read(known: &Kinfo, facts: ProcessFacts) -> Process {
    let pid = known.pid;
    // The label of its job is in its environment, which comes with the arguments.
    let started = (facts.arguments || facts.group).then(|| arguments(pid)).flatten();
    let environment = started.as_ref().map(|started| started.environment.as_slice());
    // A job's own process: its children inherit the variable and are no jobs.
    let label = environment
        .filter(|_| known.ppid == 1)
        .and_then(|environment| decode::variable(environment, "XPC_SERVICE_NAME"))
        .and_then(label_of);
    let lossy = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    let usage = ffi::usage(pid);
    let cut = known.name.len() >= CUT;
    let exe =
        (facts.program || cut || is_no_program(&known.name)).then(|| ffi::path(pid)).flatten();
    // The list cuts the name, and the program's file has it whole.
    let file = exe.as_deref().map(crate::supervisor::file_name).unwrap_or_default();
    let name = if cut && file.starts_with(&known.name) { file } else { &known.name };
    Process {
        ppid: known.ppid,
        name: name.to_owned(),
        exe: exe.clone(),
        argv: started.iter().flat_map(|started| &started.argv).map(lossy).collect(),
        cwd: facts
            .directory
            .then(|| ffi::directories(pid))
            .flatten()
            .as_deref()
            .and_then(decode::directory),
        uid: Some(known.uid),
        user: user_name(known.uid),
        state: known.state,
        started_at: known.started_at(),
        group: Some(known.group),
        session: session(pid),
        terminal: known.terminal.clone(),
        threads: ffi::task(pid).as_ref().and_then(|task| decode::threads(task)),
        unit: label,
        cpu_ms: usage.map(|(ticks, _)| decode::milliseconds(ticks, ffi::tick())),
        memory: usage.map(|(_, bytes)| bytes),
        ..Process::unread(id(known))
    }
}

fn session(pid: u32) -> Option<u32> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    let leader = rustix::process::getsid(Some(pid)).ok()?;
    u32::try_from(leader.as_raw_nonzero().get()).ok()
}

/// A user's name; asked for once each, as the answer may come over the network.
pub(super) fn user_name(uid: u32) -> Option<String> {
    static KNOWN: Mutex<BTreeMap<u32, Option<String>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    known.entry(uid).or_insert_with(|| ffi::user(uid).map(|(name, _)| name)).clone()
}

/// Who is asking, and what the kernel lets it do. Only root sees and binds everything; nobody can
/// close a socket of another process.
pub(super) fn asker(census: &Census) -> Asker {
    let pid = std::process::id();
    let uid = rustix::process::geteuid().as_raw();
    Asker {
        pid,
        uid,
        user: user_name(uid),
        may_bind_privileged: uid == 0,
        may_destroy: false,
        sees_all: uid == 0,
        ancestors: census.ancestors(pid),
    }
}

/// The machine's rules about ports; where it does not tell, as Apple ships them.
pub(super) fn policy() -> Policy {
    let port = |name| ffi::number(name).and_then(|number| u16::try_from(number).ok());
    let first = port(c"net.inet.ip.portrange.first").unwrap_or(49152);
    let last = port(c"net.inet.ip.portrange.last").unwrap_or(65535);
    let bitmap = ffi::sysctl_by_name(c"net.restricted_port.bitmap").ok();
    Policy {
        // It may count downwards (in_pcbbind).
        ephemeral: first.min(last)..=first.max(last),
        restricted: bitmap.as_deref().and_then(decode::restricted).unwrap_or_default(),
        ..Policy::default()
    }
}
