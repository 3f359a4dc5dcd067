//! Processes as `/proc` shows them (proc(5)), read relative to one open directory with few calls
//! and small buffers, and what this process itself may do.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Dir, Mode, OFlags, PROC_SUPER_MAGIC};
use rustix::path::DecInt;
use rustix::thread::CapabilitySet;
use rustix::time::{ClockId, clock_gettime};

use crate::decode::passwd::user_names;
use crate::decode::procfs::{self, Stat, TICKS_PER_SECOND};
use crate::process::{Process, ProcessId, ProcessState, is_no_program};
use crate::snapshot::{Asker, Policy, ProcessFacts};
use crate::supervisor::{container_of, unit_of};

/// The most bytes of arguments or environment read; a process may have 6 MB of them, and nobody
/// reads those.
const LONGEST_ARGUMENTS: usize = 1 << 20;
/// The most bytes of `/etc/passwd` read.
const LONGEST_PASSWD: usize = 4 << 20;
/// One page: every other file and link read here fits, as the kernel writes them page by page.
const PAGE: usize = 4096;
/// From this many processes on a second thread saves more than it costs.
const WORTH_THREADS: usize = 24;
const MOST_THREADS: usize = 4;
/// Processes a thread takes at once: fewer where there are few, so that all have something to do.
const BLOCK: usize = 16;
const SMALL_BLOCK: usize = 4;

/// Why `/proc` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProcfsError {
    /// It is not there or may not be opened.
    #[error("cannot open /proc")]
    Open(#[source] io::Error),
    /// Something else is mounted there (statfs(2) does not say PROC_SUPER_MAGIC).
    #[error("/proc is not a process file system")]
    NotProcfs,
}

/// Reads processes. It may be shared between threads.
#[derive(Debug)]
pub struct ProcessReader {
    proc: OwnedFd,
    boot: SystemTime,
    users: Users,
}

impl ProcessReader {
    /// Opens `/proc` and notes when the machine started.
    pub fn new() -> Result<Self, ProcfsError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::openat(CWD, "/proc", flags, Mode::empty())
            .map_err(|errno| ProcfsError::Open(errno.into()))?;
        let kind = rustix::fs::fstatfs(&proc).map_err(|errno| ProcfsError::Open(errno.into()))?;
        if kind.f_type != PROC_SUPER_MAGIC {
            return Err(ProcfsError::NotProcfs);
        }
        Ok(Self { proc, boot: boot_time(), users: Users::default() })
    }

    /// The open `/proc` (O_PATH), for others who read below it.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.proc.as_fd()
    }

    /// The process, or `None` if there is none of that PID (or none this user may know of). What
    /// may not be read of it is `None` or empty inside.
    pub fn read(&self, pid: u32) -> Option<Process> {
        self.read_facts(pid, ProcessFacts::ALL)
    }

    /// As [`ProcessReader::read`], those facts alone.
    pub fn read_facts(&self, pid: u32, facts: ProcessFacts) -> Option<Process> {
        // Everything is read below one open directory, which stays the process it was opened
        // for: facts of two processes that had the same PID can not be mixed.
        let dir = self.open(pid)?;
        let mut page = [0; PAGE];
        let stat = procfs::stat(read_page(dir.as_fd(), "stat", &mut page)?)?;
        let uid = rustix::fs::fstat(&dir).ok().map(|facts| facts.st_uid);
        let cgroup = match facts.group {
            true => read_page(dir.as_fd(), "cgroup", &mut page).and_then(procfs::cgroup),
            false => None,
        };
        // A main thread that ended took its view of the program along; the others still have it.
        let dir = match stat.process_state() {
            ProcessState::LeaderExited => living_thread(&dir, pid).unwrap_or(dir),
            _ => dir,
        };
        let wants_program = facts.program || is_no_program(&stat.name);
        let (exe, exe_deleted) = match wants_program && !stat.kernel_thread {
            true => executable(dir.as_fd(), &mut page),
            false => (None, false),
        };
        Some(Process {
            id: ProcessId { pid, start: stat.start },
            ppid: stat.ppid,
            exe,
            exe_deleted,
            argv: match facts.arguments && !stat.kernel_thread {
                true => arguments(dir.as_fd(), &mut page),
                false => Vec::new(),
            },
            cwd: match facts.directory {
                true => link(dir.as_fd(), "cwd", &mut page).map(lossy),
                false => None,
            },
            uid,
            user: uid.and_then(|uid| self.user_name(uid)),
            state: stat.process_state(),
            started_at: self.started_at(&stat),
            group: stat.group,
            session: stat.session,
            terminal: procfs::terminal_name(stat.tty),
            threads: Some(stat.threads),
            kernel_thread: stat.kernel_thread,
            unit: cgroup.as_deref().and_then(unit_of).map(|(unit, _)| unit),
            container: cgroup.as_deref().and_then(container_of),
            cgroup,
            cpu_ms: Some(stat.cpu_ticks.saturating_mul(1000 / TICKS_PER_SECOND)),
            memory: stat.resident_pages.map(|pages| pages.saturating_mul(page_size())),
            name: stat.name,
        })
    }

    /// Whose thread has that number, where it is no process's own: `/proc` answers for the number of
    /// every thread, and lists processes alone (proc(5)).
    pub fn process_of_thread(&self, tid: u32) -> Option<u32> {
        let mut page = [0; PAGE];
        let dir = self.open(tid)?;
        let status = procfs::status(read_page(dir.as_fd(), "status", &mut page)?);
        status.process.filter(|&process| process != tid && process != 0)
    }

    /// Who has that PID now: one open, one read.
    pub fn identity(&self, pid: u32) -> Option<ProcessId> {
        Some(ProcessId { pid, start: self.stat(pid)?.start })
    }

    /// These processes and all their ancestors, each read once; the dead are missing. A chain
    /// ends at a parent that is 0, gone or already read, so a false parent can not loop it.
    pub fn read_with_ancestors(&self, pids: &[u32]) -> BTreeMap<u32, Process> {
        let mut processes = BTreeMap::new();
        for &pid in pids {
            let mut next = pid;
            while next != 0 && !processes.contains_key(&next) {
                let Some(process) = self.read(next) else { break };
                let ppid = process.ppid;
                processes.insert(next, process);
                next = ppid;
            }
        }
        processes
    }

    /// Every one of these processes, those facts of each, by several threads where there are many.
    /// A parent that is none of them is read too: it may have ended since, or be new.
    pub fn read_every(&self, pids: &[u32], facts: ProcessFacts) -> BTreeMap<u32, Process> {
        let next = AtomicUsize::new(0);
        let size = if pids.len() < 8 * BLOCK { SMALL_BLOCK } else { BLOCK };
        let read = || {
            let mut processes = Vec::new();
            loop {
                let start = next.fetch_add(size, Ordering::Relaxed);
                if start >= pids.len() {
                    return processes;
                }
                let block = &pids[start..pids.len().min(start + size)];
                processes.extend(block.iter().filter_map(|&pid| self.read_facts(pid, facts)));
            }
        };
        let threads = match std::thread::available_parallelism() {
            Ok(count) if pids.len() >= WORTH_THREADS => count.get().min(MOST_THREADS),
            _ => 1,
        };
        let mut found = std::thread::scope(|scope| {
            // A machine without room for another thread (ulimit -u) still gets its answer.
            let others: Vec<_> = (1..threads)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, read).ok())
                .collect();
            let mut found = read();
            for other in others {
                found.extend(other.join().unwrap_or_default());
            }
            found
        });
        found.sort_unstable_by_key(|process| process.id.pid);
        let mut processes: BTreeMap<u32, Process> =
            found.into_iter().map(|process| (process.id.pid, process)).collect();
        let parents: Vec<u32> = processes
            .values()
            .map(|process| process.ppid)
            .filter(|&ppid| ppid != 0 && !processes.contains_key(&ppid))
            .collect();
        for (pid, process) in self.read_with_ancestors(&parents) {
            processes.entry(pid).or_insert(process);
        }
        processes
    }

    /// The ancestors of a process, nearest first, by PID only.
    pub fn ancestors(&self, pid: u32) -> Vec<u32> {
        let mut chain = vec![pid];
        let mut seen = BTreeSet::from([pid]);
        while let Some(stat) = chain.last().and_then(|&last| self.stat(last)) {
            if stat.ppid == 0 || !seen.insert(stat.ppid) {
                break;
            }
            chain.push(stat.ppid);
        }
        chain.remove(0);
        chain
    }

    /// The user's name by `/etc/passwd`, which is read once, when first needed. A user of another
    /// source (LDAP, systemd-homed) has none.
    pub fn user_name(&self, uid: u32) -> Option<String> {
        self.users.name(uid)
    }

    /// Who is asking, and what the kernel lets it do; see [`asker`].
    pub fn asker(&self) -> Asker {
        let pid = own_pid();
        Asker {
            ancestors: self.ancestors(pid),
            user: self.users.name(rustix::process::geteuid().as_raw()),
            ..asker_without_procfs(self.confined())
        }
    }

    /// The machine's rules about ports, by `/proc/sys/net/ipv4` (ip(7), tcp(7)); where a file is
    /// missing, the kernel's default.
    pub fn policy(&self) -> Policy {
        let mut page = [0; PAGE];
        let default = Policy::default();
        let range = self.sysctl("ip_local_port_range", &mut page).and_then(procfs::port_range);
        let start =
            self.sysctl("ip_unprivileged_port_start", &mut page).and_then(procfs::sysctl_number);
        Policy {
            ephemeral: range.unwrap_or(default.ephemeral),
            unprivileged_start: start
                .and_then(|start| u16::try_from(start).ok())
                .unwrap_or(default.unprivileged_start),
            rfc1337: self
                .sysctl("tcp_rfc1337", &mut page)
                .and_then(procfs::sysctl_number)
                .map_or(default.rfc1337, |set| set != 0),
            reserved: self.reserved_ports(),
            wsl: self.is_wsl(),
            restricted: Vec::new(),
        }
    }

    /// Whether the kernel is one of WSL: `5.15.153.1-microsoft-standard-WSL2` (WSL 1 writes
    /// `Microsoft`).
    fn is_wsl(&self) -> bool {
        let mut page = [0; PAGE];
        let release = read_page(self.proc.as_fd(), "sys/kernel/osrelease", &mut page);
        release.is_some_and(|name| name.to_ascii_lowercase().windows(9).any(|w| w == b"microsoft"))
    }

    /// `ip_local_reserved_ports`, which a machine full of rules makes longer than a page.
    fn reserved_ports(&self) -> Vec<std::ops::RangeInclusive<u16>> {
        let path = "sys/net/ipv4/ip_local_reserved_ports";
        let mut page = [0; PAGE];
        let bytes = read_all(self.proc.as_fd(), path, &mut page, LONGEST_ARGUMENTS);
        bytes.map(|bytes| procfs::port_list(&bytes)).unwrap_or_default()
    }

    fn sysctl<'a>(&self, name: &str, page: &'a mut [u8; PAGE]) -> Option<&'a [u8]> {
        read_page(self.proc.as_fd(), format!("sys/net/ipv4/{name}").as_str(), page)
    }

    fn open(&self, pid: u32) -> Option<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.proc, DecInt::new(pid), flags, Mode::empty()).ok()
    }

    fn stat(&self, pid: u32) -> Option<Stat> {
        let mut page = [0; PAGE];
        let dir = self.open(pid)?;
        procfs::stat(read_page(dir.as_fd(), "stat", &mut page)?)
    }

    fn started_at(&self, stat: &Stat) -> Option<SystemTime> {
        let millis = stat.start.checked_mul(1000 / TICKS_PER_SECOND)?;
        self.boot.checked_add(Duration::from_millis(millis))
    }

    /// Whether this process sits in a user namespace of its own while it sees processes outside
    /// of it: then its capabilities count for nothing there (user_namespaces(7)). In a container
    /// with its own PID namespace they count for all it sees.
    fn confined(&self) -> bool {
        // The numbers of the first namespaces are fixed: include/linux/proc_ns.h.
        const FIRST_USER: &[u8] = b"user:[4026531837]";
        const FIRST_PID: &[u8] = b"pid:[4026531836]";
        let mut page = [0; PAGE];
        let first_user = link(self.proc.as_fd(), "self/ns/user", &mut page) == Some(FIRST_USER);
        !first_user && link(self.proc.as_fd(), "self/ns/pid", &mut page) == Some(FIRST_PID)
    }
}

/// Who is asking, and what the kernel lets it do (capabilities(7), asked with capget(2)). Without
/// `/proc` its ancestors are unknown, the rest stands.
///
/// The capabilities to bind and to destroy count in the user namespace that owns the network
/// namespace, which is not checked here: with `unshare -Ur` on the machine's own network they are
/// reported and the kernel still refuses.
pub fn asker() -> Asker {
    match ProcessReader::new() {
        Ok(reader) => reader.asker(),
        Err(_) => brief_asker(),
    }
}

/// Who is asking, without what costs time: no name, no ancestors, and no word on what it sees.
pub fn brief_asker() -> Asker {
    asker_without_procfs(true)
}

fn asker_without_procfs(confined: bool) -> Asker {
    let uid = rustix::process::geteuid().as_raw();
    let capabilities =
        rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let may = |capability| capabilities.contains(capability);
    Asker {
        pid: own_pid(),
        uid,
        user: None,
        may_bind_privileged: may(CapabilitySet::NET_BIND_SERVICE),
        may_destroy: may(CapabilitySet::NET_ADMIN),
        sees_all: may(CapabilitySet::SYS_PTRACE)
            && (uid == 0 || may(CapabilitySet::DAC_READ_SEARCH))
            && !confined,
        ancestors: Vec::new(),
    }
}

/// The environment that a process was started with, up to a megabyte of it.
pub fn environment(pid: u32) -> Option<Vec<u8>> {
    let mut page = [0; PAGE];
    read_all(CWD, &format!("/proc/{pid}/environ"), &mut page, LONGEST_ARGUMENTS)
}

/// The size of the machine's pages, in which `/proc` counts memory.
fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// How many descriptors each of these processes has open, where that may be seen.
pub fn open_files(pids: &[u32]) -> BTreeMap<u32, usize> {
    let count = |pid: u32| {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        Some((pid, entries.filter(Result::is_ok).count()))
    };
    pids.iter().filter_map(|&pid| count(pid)).collect()
}

fn own_pid() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get().unsigned_abs()
}

/// The users of `/etc/passwd`, once somebody asks.
#[derive(Debug, Default)]
struct Users(OnceLock<BTreeMap<u32, String>>);

impl Users {
    fn name(&self, uid: u32) -> Option<String> {
        self.0.get_or_init(read_users).get(&uid).cloned()
    }
}

fn read_users() -> BTreeMap<u32, String> {
    let mut page = [0; PAGE];
    read_all(CWD, "/etc/passwd", &mut page, LONGEST_PASSWD)
        .map(|bytes| user_names(&bytes))
        .unwrap_or_default()
}

/// When the machine started: now, less the time since. Cheaper than `btime` of `/proc/stat` and
/// right in a time namespace, whose offset `/proc/PID/stat` applies too (time_namespaces(7)).
fn boot_time() -> SystemTime {
    let since = clock_gettime(ClockId::Boottime);
    let since = Duration::new(
        u64::try_from(since.tv_sec).unwrap_or(0),
        u32::try_from(since.tv_nsec).unwrap_or(0),
    );
    SystemTime::now().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The directory of a thread other than the main one.
fn living_thread(dir: &OwnedFd, pid: u32) -> Option<OwnedFd> {
    let list = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let tasks = rustix::fs::openat(dir, "task", list, Mode::empty()).ok()?;
    let threads = Dir::read_from(&tasks).ok()?.filter_map(Result::ok);
    let other = threads
        .filter_map(|entry| entry.file_name().to_str().ok()?.parse::<u32>().ok())
        .find(|&thread| thread != pid)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(&tasks, DecInt::new(other), flags, Mode::empty()).ok()
}

/// The executable's path and whether its file is gone.
fn executable(dir: BorrowedFd<'_>, page: &mut [u8; PAGE]) -> (Option<String>, bool) {
    let Some(path) = link(dir, "exe", page) else { return (None, false) };
    match path.strip_suffix(b" (deleted)") {
        // The kernel marks a file that is gone with words a file's name may end with, too.
        Some(_) if is_that_file(dir, path) => (Some(lossy(path)), false),
        Some(path) => (Some(lossy(path)), true),
        None => (Some(lossy(path)), false),
    }
}

/// Whether the executable is the file of exactly that path.
fn is_that_file(dir: BorrowedFd<'_>, path: &[u8]) -> bool {
    let file = |at, path: &[u8]| rustix::fs::statat(at, path, rustix::fs::AtFlags::empty()).ok();
    let (exe, named) = (file(dir, b"exe"), file(CWD, path));
    exe.zip(named).is_some_and(|(a, b)| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

fn arguments(dir: BorrowedFd<'_>, page: &mut [u8; PAGE]) -> Vec<String> {
    match read_all(dir, "cmdline", page, LONGEST_ARGUMENTS) {
        Some(bytes) => procfs::cmdline(&bytes),
        None => Vec::new(),
    }
}

/// The text of a link, in that buffer. Longer than the buffer is not a text to rely on: `None`.
fn link<'a>(dir: BorrowedFd<'_>, path: &str, page: &'a mut [u8; PAGE]) -> Option<&'a [u8]> {
    let length = rustix::fs::readlinkat_raw(dir, path, &mut page[..]).ok()?;
    (length < PAGE).then(|| &page[..length])
}

/// The first page of a file, in that buffer.
fn read_page<'a>(dir: BorrowedFd<'_>, path: &str, page: &'a mut [u8; PAGE]) -> Option<&'a [u8]> {
    let length = read(&open_file(dir, path)?, page)?;
    Some(&page[..length])
}

/// A file up to that length. Only what does not fit into the page costs more than one copy.
fn read_all(
    dir: BorrowedFd<'_>,
    path: &str,
    page: &mut [u8; PAGE],
    limit: usize,
) -> Option<Vec<u8>> {
    let file = open_file(dir, path)?;
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        // An error after the first bytes is a process that went away: what was read still stands.
        let length = match read(&file, page) {
            Some(length) => length,
            None if bytes.is_empty() => return None,
            None => break,
        };
        bytes.extend_from_slice(&page[..length]);
        // These files fill a buffer while there is more.
        if length < PAGE {
            break;
        }
    }
    bytes.truncate(limit);
    Some(bytes)
}

fn open_file(dir: BorrowedFd<'_>, path: &str) -> Option<OwnedFd> {
    rustix::fs::openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()
}

fn read(file: &OwnedFd, page: &mut [u8; PAGE]) -> Option<usize> {
    rustix::io::retry_on_intr(|| rustix::io::read(file, &mut page[..])).ok()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
