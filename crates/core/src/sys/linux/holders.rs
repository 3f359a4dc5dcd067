//! From socket inodes to the processes that hold them. The walk over every descriptor of every
//! process is what an answer costs, so it does nothing but `getdents64` and `readlinkat`: never
//! `stat` or `open` on somebody's descriptor, which can block.
//!
//! What the walk cannot show (`unshare(CLONE_FILES)`, a dead main thread, io_uring, a mapping, a
//! message in flight) is looked for in a second, slower pass, only for sockets still unclaimed.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::fmt::Write as _;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::decode::procfs;
use crate::socket::{HeldBy, Holder};

/// From this many processes, or descriptors, on a second thread saves more than it costs.
const WORTH_THREADS: usize = 50;
const WORTH_THREADS_BY_DESCRIPTORS: u64 = 2_000;
const MOST_THREADS: usize = 4;
/// Processes a thread takes at once where there are many.
const BLOCK: usize = 4;
pub(super) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Every hold on a wanted inode.
    pub(crate) holders: HashMap<u64, Vec<Holder>>,
    /// Processes whose descriptors this user may not read.
    pub(crate) unreadable: usize,
    /// Whether descriptors ran out here (EMFILE, ENFILE), so that processes were missed.
    pub(crate) starved: bool,
}

impl Found {
    fn add(&mut self, inode: u64, pid: u32, by: HeldBy) {
        self.holders.entry(inode).or_default().push(Holder { pid, by });
    }

    fn merge(&mut self, other: Self) {
        for (inode, holders) in other.holders {
            self.holders.entry(inode).or_default().extend(holders);
        }
        self.unreadable += other.unreadable;
        self.starved |= other.starved;
    }

    /// Orders each socket's holders and drops repeats.
    fn settle(mut self) -> Self {
        for holders in self.holders.values_mut() {
            holders.sort_unstable();
            holders.dedup();
        }
        self
    }
}

/// The inodes wanted, tested for every socket descriptor on the machine: a handful by comparing,
/// many by hashing.
pub(crate) enum Wanted {
    Few(Vec<u64>),
    Many(HashSet<u64>),
    /// Whatever there is, of few processes.
    All,
}

impl Wanted {
    pub(crate) fn new(inodes: impl IntoIterator<Item = u64>) -> Self {
        let mut inodes: Vec<u64> = inodes.into_iter().collect();
        inodes.sort_unstable();
        inodes.dedup();
        if inodes.len() <= 8 { Self::Few(inodes) } else { Self::Many(inodes.into_iter().collect()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(inodes) => inodes.is_empty(),
            Self::Many(inodes) => inodes.is_empty(),
            Self::All => false,
        }
    }

    fn contains(&self, inode: u64) -> bool {
        match self {
            Self::Few(inodes) => inodes.contains(&inode),
            Self::Many(inodes) => inodes.contains(&inode),
            Self::All => true,
        }
    }
}

/// Every process number in `/proc`, in its order.
pub(crate) fn pids(proc: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    let dir = openat(proc, c".", DIRECTORY, Mode::empty())?;
    let mut buffer = new_buffer();
    let mut pids = Vec::with_capacity(512);
    let mut entries = RawDir::new(&dir, &mut buffer);
    while let Some(entry) = entries.next() {
        if let Some(pid) = number(entry?.file_name()) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// Finds every descriptor of these processes that is a wanted socket.
pub(crate) fn by_descriptor(proc: BorrowedFd<'_>, pids: &[u32], wanted: &Wanted) -> Found {
    let threads = match std::thread::available_parallelism() {
        _ if pids.len() < WORTH_THREADS && !are_fat(proc, pids) => 1,
        Ok(count) => count.get().min(MOST_THREADS),
        Err(_) => 1,
    };
    let found = walk_with(threads, proc, pids, wanted);
    if found.starved && threads > 1 {
        // Each thread needs a descriptor of its own; one may still be had.
        return walk_with(1, proc, pids, wanted).settle();
    }
    found.settle()
}

/// One holder of each socket, of those processes that each thread came to within that much processor
/// time of its own. It ends as soon as every socket has one.
pub(crate) fn first_of_each(
    proc: BorrowedFd<'_>,
    pids: &[u32],
    inodes: impl IntoIterator<Item = u64>,
    limit: Duration,
) -> HashMap<u64, Vec<Holder>> {
    #[derive(Default)]
    struct First {
        found: Vec<(u64, Holder)>,
        until: Option<Duration>,
    }
    let wanted: HashMap<u64, AtomicBool> =
        inodes.into_iter().map(|inode| (inode, AtomicBool::new(false))).collect();
    let left = AtomicUsize::new(wanted.len());
    let parts = share_out(threads_for(pids.len()), pids, |pid, buffer, first: &mut First| {
        if left.load(Ordering::Relaxed) == 0 {
            return;
        }
        let spent = spent();
        if spent > *first.until.get_or_insert(spent.saturating_add(limit)) {
            return;
        }
        let Ok(dir) = open_table(proc, &Path::fds(pid)) else { return };
        let _ = each_link(&dir, buffer, |fd, link| {
            if let Some(inode) = procfs::socket_inode(link)
                && let Some(taken) = wanted.get(&inode)
                && !taken.swap(true, Ordering::Relaxed)
            {
                left.fetch_sub(1, Ordering::Relaxed);
                first.found.push((inode, Holder { pid, by: HeldBy::Descriptor(fd) }));
            }
        });
    });
    let found = parts.into_iter().flat_map(|part| part.found);
    found.map(|(inode, holder)| (inode, vec![holder])).collect()
}

/// The processor time of this thread.
fn spent() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Whether a few processes have many descriptors, by the size of their descriptor folders: Linux
/// shows the number there since 6.2 and 0 before (proc_readfd_count in fs/proc/fd.c).
fn are_fat(proc: BorrowedFd<'_>, pids: &[u32]) -> bool {
    let size = |pid: &u32| {
        rustix::fs::statat(proc, Path::fds(*pid).as_cstr(), AtFlags::empty())
            .map_or(0, |facts| u64::try_from(facts.st_size).unwrap_or(0))
    };
    pids.len() > 1 && pids.iter().map(size).sum::<u64>() >= WORTH_THREADS_BY_DESCRIPTORS
}

fn walk_with(threads: usize, proc: BorrowedFd<'_>, pids: &[u32], wanted: &Wanted) -> Found {
    let parts = share_out(threads, pids, |pid, buffer, found: &mut Found| {
        walk_process(proc, pid, wanted, buffer, found);
    });
    let mut found = Found::default();
    parts.into_iter().for_each(|part| found.merge(part));
    found
}

/// Calls `each` for every process, shared among threads, and returns what each of them gathered.
pub(super) fn share_out<T: Default + Send>(
    threads: usize,
    pids: &[u32],
    each: impl Fn(u32, &mut [MaybeUninit<u8>], &mut T) + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    // A fat process beside few others is shared fairly one by one.
    let block = if pids.len() < WORTH_THREADS * 2 { 1 } else { BLOCK };
    let walk = || {
        let mut found = T::default();
        let mut buffer = new_buffer();
        loop {
            let start = next.fetch_add(block, Ordering::Relaxed);
            if start >= pids.len() {
                return found;
            }
            for &pid in &pids[start..pids.len().min(start + block)] {
                each(pid, &mut buffer, &mut found);
            }
        }
    };
    std::thread::scope(|scope| {
        // A machine without room for another thread (ulimit -u) still gets its answer.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| {
                std::thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, walk).ok()
            })
            .collect();
        let mut found = vec![walk()];
        found.extend(others.into_iter().filter_map(|other| other.join().ok()));
        found
    })
}

/// How many threads a walk over that many processes is worth.
pub(super) fn threads_for(pids: usize) -> usize {
    match std::thread::available_parallelism() {
        Ok(count) if pids >= WORTH_THREADS => count.get().min(MOST_THREADS),
        _ => 1,
    }
}

fn walk_process(
    proc: BorrowedFd<'_>,
    pid: u32,
    wanted: &Wanted,
    buffer: &mut [MaybeUninit<u8>],
    found: &mut Found,
) {
    match open_table(proc, &Path::fds(pid)) {
        Ok(dir) => {
            let read = each_link(&dir, buffer, |fd, link| {
                if let Some(inode) = procfs::socket_inode(link)
                    && wanted.contains(inode)
                {
                    found.add(inode, pid, HeldBy::Descriptor(fd));
                }
            });
            drop(dir);
            // Listing takes less than reading the links: root without CAP_SYS_PTRACE may only
            // list. A process that has just ended refuses its links in the same words
            // (`proc_fd_access_allowed` in fs/proc/base.c), and is no gap.
            let refused = read == Err(Errno::ACCESS);
            let ended = || open_table(proc, &Path::fds(pid)).is_err();
            found.unreadable += usize::from(refused && !ended());
        }
        Err(Errno::ACCESS | Errno::PERM) => found.unreadable += 1,
        Err(Errno::MFILE | Errno::NFILE) => found.starved = true,
        Err(_) => {} // it ended
    }
}

/// Every socket these processes have a descriptor for: pid, descriptor, inode.
pub(crate) fn sockets_of(proc: BorrowedFd<'_>, pids: &[u32]) -> Vec<(u32, i32, u64)> {
    let mut buffer = new_buffer();
    let mut all = Vec::new();
    for &pid in pids {
        let Ok(dir) = open_table(proc, &Path::fds(pid)) else { continue };
        let _ = each_link(&dir, &mut buffer, |fd, link| {
            if let Some(inode) = procfs::socket_inode(link) {
                all.push((pid, fd, inode));
            }
        });
    }
    all
}

/// The sockets these processes have in ways that [`sockets_of`] does not show. Each thread's table
/// is read, so a process with very many threads is passed over.
pub(crate) fn other_sockets_of(proc: BorrowedFd<'_>, pids: &[u32]) -> Vec<u64> {
    let few_threads = |pid: u32| {
        let tasks = rustix::fs::statat(proc, Path::tasks(pid).as_cstr(), AtFlags::empty());
        // A link for each thread; the number's type differs between architectures.
        tasks.is_ok_and(|facts| facts.st_nlink <= 256)
    };
    let pids: Vec<u32> = pids.iter().copied().filter(|&pid| few_threads(pid)).collect();
    let (found, _) = by_other_means(proc, &pids, &Wanted::All, &HashSet::new());
    found.holders.into_keys().collect()
}

/// The second pass: thread tables, io_uring, messages in flight and mappings. `unix_queued` are
/// the unix sockets with something in their queue, where a message could be. A hold by
/// `InFlight` names who can receive *a* socket, not which.
pub(crate) fn by_other_means(
    proc: BorrowedFd<'_>,
    pids: &[u32],
    wanted: &Wanted,
    unix_queued: &HashSet<u64>,
) -> (Found, Vec<Holder>) {
    let mut found = Found::default();
    let mut in_flight = Vec::new();
    let mut buffer = new_buffer();
    for &pid in pids {
        other_threads(proc, pid, wanted, &mut buffer, &mut found);
        special_files(proc, pid, wanted, unix_queued, &mut found, &mut in_flight);
        mappings(proc, pid, wanted, &mut found);
    }
    (found.settle(), in_flight)
}

/// Descriptor tables of threads that are not the main one: their own after
/// `unshare(CLONE_FILES)`, and the only readable ones once the main thread has exited.
fn other_threads(
    proc: BorrowedFd<'_>,
    pid: u32,
    wanted: &Wanted,
    buffer: &mut [MaybeUninit<u8>],
    found: &mut Found,
) {
    let Ok(tasks) = open_table(proc, &Path::tasks(pid)) else { return };
    let mut tids = Vec::new();
    let mut entries = RawDir::new(&tasks, buffer);
    while let Some(Ok(entry)) = entries.next() {
        tids.extend(number(entry.file_name()).filter(|&tid| tid != pid));
    }
    for tid in tids {
        let Ok(dir) = open_table(proc, &Path::thread_fds(pid, tid)) else { continue };
        let _ = each_link(&dir, buffer, |fd, link| {
            if let Some(inode) = procfs::socket_inode(link)
                && wanted.contains(inode)
            {
                found.add(inode, pid, HeldBy::ThreadDescriptor { tid, fd });
            }
        });
    }
}

/// io_uring registers files and unix sockets carry them; `fdinfo` tells of both.
fn special_files(
    proc: BorrowedFd<'_>,
    pid: u32,
    wanted: &Wanted,
    unix_queued: &HashSet<u64>,
    found: &mut Found,
    in_flight: &mut Vec<Holder>,
) {
    let Ok(dir) = open_table(proc, &Path::fds(pid)) else { return };
    let mut buffer = new_buffer();
    let mut rings = Vec::new();
    let mut queues = Vec::new();
    let _ = each_link(&dir, &mut buffer, |fd, link| {
        if link == b"anon_inode:[io_uring]" {
            rings.push(fd);
        } else if procfs::socket_inode(link).is_some_and(|inode| unix_queued.contains(&inode)) {
            queues.push(fd);
        }
    });
    for fd in rings {
        for inode in procfs::fdinfo(&read_ring(proc, pid, fd)).ring_sockets {
            if wanted.contains(inode) {
                found.add(inode, pid, HeldBy::IoUring(fd));
            }
        }
    }
    for fd in queues {
        if procfs::fdinfo(&read(proc, &Path::fdinfo(pid, fd))).queued_descriptors > 0 {
            in_flight.push(Holder { pid, by: HeldBy::InFlight(fd) });
        }
    }
}

/// The `fdinfo` of an io_uring. The kernel leaves the ring out while somebody else has its lock
/// (`io_uring_show_fdinfo` in io_uring/fdinfo.c), so that is asked again.
fn read_ring(proc: BorrowedFd<'_>, pid: u32, fd: i32) -> Vec<u8> {
    const MOST_TRIES: usize = 20;
    let mut text = Vec::new();
    for _ in 0..MOST_TRIES {
        text = read(proc, &Path::fdinfo(pid, fd));
        if text.is_empty() || text.windows(10).any(|part| part == b"UserFiles:") {
            break;
        }
        std::thread::yield_now();
    }
    text
}

/// A TCP socket that was mapped (zero-copy receive) lives as long as the mapping.
fn mappings(proc: BorrowedFd<'_>, pid: u32, wanted: &Wanted, found: &mut Found) {
    for inode in procfs::mapped_sockets(&read(proc, &Path::maps(pid))) {
        if wanted.contains(inode) {
            found.add(inode, pid, HeldBy::Mapping);
        }
    }
}

/// A path below `/proc`, made without allocating: there is one for every process scanned.
struct Path {
    bytes: [u8; 48],
    length: usize,
}

impl Path {
    fn fds(pid: u32) -> Self {
        Self::new(format_args!("{pid}/fd"))
    }

    fn tasks(pid: u32) -> Self {
        Self::new(format_args!("{pid}/task"))
    }

    fn thread_fds(pid: u32, tid: u32) -> Self {
        Self::new(format_args!("{pid}/task/{tid}/fd"))
    }

    fn fdinfo(pid: u32, fd: i32) -> Self {
        Self::new(format_args!("{pid}/fdinfo/{fd}"))
    }

    fn maps(pid: u32) -> Self {
        Self::new(format_args!("{pid}/maps"))
    }

    fn new(text: std::fmt::Arguments<'_>) -> Self {
        let mut path = Self { bytes: [0; 48], length: 0 };
        path.write_fmt(text).expect("the longest path has 38 bytes");
        path
    }

    fn as_cstr(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).expect("the last bytes stay zero")
    }
}

impl std::fmt::Write for Path {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        // Room for the final NUL is always kept.
        let room = self.bytes[..47].get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn open_table(proc: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    openat(proc, path.as_cstr(), DIRECTORY, Mode::empty())
}

/// Calls back with each descriptor of an open table and what it links to.
fn each_link(
    dir: &OwnedFd,
    buffer: &mut [MaybeUninit<u8>],
    mut each: impl FnMut(i32, &[u8]),
) -> Result<(), Errno> {
    // The links that matter are short; a longer one is cut and matches nothing.
    let mut link = [MaybeUninit::uninit(); 64];
    let mut entries = RawDir::new(dir, buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let Some(fd) = number(entry.file_name()) else { continue };
        match readlinkat_raw(dir, entry.file_name(), &mut link[..]) {
            Ok((text, _)) => each(fd as i32, text),
            // One refused is all refused: the right is to the process.
            Err(Errno::ACCESS | Errno::PERM) => return Err(Errno::ACCESS),
            Err(_) => {} // closed meanwhile
        }
    }
    Ok(())
}

/// A small file's bytes; empty where it cannot be read.
fn read(proc: BorrowedFd<'_>, path: &Path) -> Vec<u8> {
    const MOST: usize = 16 << 20;
    let mut bytes = Vec::new();
    let Ok(file) = openat(proc, path.as_cstr(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    else {
        return bytes;
    };
    let mut chunk = [0; 16 * 1024];
    while bytes.len() < MOST {
        match rustix::io::read(&file, &mut chunk) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    bytes
}

pub(super) fn number(name: &CStr) -> Option<u32> {
    let mut number: u32 = 0;
    let bytes = name.to_bytes();
    for &byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u32::from(digit))?;
    }
    (!bytes.is_empty()).then_some(number)
}

fn new_buffer() -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); 32 * 1024]
}
