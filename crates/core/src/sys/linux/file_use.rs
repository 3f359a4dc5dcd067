//! Who runs, works in, maps or opens a file. Every link of every process is read; what a link
//! names is looked at only where that cannot block.
//!
//! A path's text proves little: a hard link, a bind mount or a container's view names the same file
//! otherwise, and names another file the same. Its device and inode prove it. Asking for them
//! (statx(2) through the link) could wait for a dead file server, so only links to the very file
//! system that the asked file is on are asked, which has just answered, and without making it
//! synchronise (AT_STATX_DONT_SYNC). Which file system that is, the table of mounts tells.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, Statx, StatxFlags, openat, openat2,
    readlinkat_raw, statx,
};
use rustix::io::Errno;
use rustix::path::DecInt;

use super::holders::{self, DIRECTORY};
use super::process::ProcessReader;
use crate::decode::mountinfo::{Device, Mounts, mounts};
use crate::decode::procfs;
use crate::file_use::{
    Access, FileKind, FileSeen, FileUse, FileWish, FilesSeen, Standing, Usage, interpreters,
    joined, may_run_scripts, script_words,
};
use crate::process::{Process, ProcessId};
use crate::snapshot::Gap;

/// The longest text of a link: the kernel writes it into one page.
const PAGE: usize = 4096;
/// The most bytes of a table of mappings or mounts that are read.
const LONGEST_TABLE: usize = 64 << 20;
/// The kernel's mark of a file without a name (d_path in fs/d_path.c).
const DELETED: &[u8] = b" (deleted)";
const HERE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const NEVER_WAIT: AtFlags = AtFlags::STATX_DONT_SYNC.union(AtFlags::NO_AUTOMOUNT);

/// Looks for every use of these files.
pub(super) fn see(wish: &FileWish) -> FilesSeen {
    let mut seen = FilesSeen::default();
    let Ok(reader) = ProcessReader::new() else {
        seen.gaps.push(Gap::NoProcfs);
        let unseen = |path: &String| Target::of(path, false, &Mounts::default()).seen(Vec::new());
        seen.files = wish.paths.iter().map(unseen).collect();
        return seen;
    };
    let proc = reader.directory();
    let own = Arc::new(View { own: true, mounts: mounts_of(proc, "self", b"/") });
    let targets: Vec<Target> =
        wish.paths.iter().map(|path| Target::of(path, wish.below, &own.mounts)).collect();
    let search = Search { sockets: wish.sockets, ..Search::new(proc, targets, own) };
    let pids = holders::pids(proc).unwrap_or_default();
    let parts =
        holders::share_out(holders::threads_for(pids.len()), &pids, |pid, buffer, tally| {
            search.process(pid, buffer, tally);
        });
    let mut tally = Tally::default();
    parts.into_iter().for_each(|part| tally.merge(part));
    if tally.unreadable > 0 {
        seen.gaps.push(Gap::UnreadableProcesses { count: tally.unreadable });
    }
    if tally.starved {
        seen.gaps.push(Gap::TooFewDescriptors);
    }
    if !pids.contains(&1) {
        seen.gaps.push(Gap::HiddenProcesses);
    }
    seen.sockets = tally.sockets;
    let mut uses: Vec<Vec<FileUse>> = search.targets.iter().map(|_| Vec::new()).collect();
    for (target, each) in tally.uses {
        uses[target].push(each);
    }
    seen.files = search.targets.iter().zip(uses).map(|(target, uses)| target.seen(uses)).collect();
    seen
}

/// A file that is asked about.
struct Target {
    /// Without links, as far as it exists.
    path: Vec<u8>,
    /// That path as a table of mappings has it.
    listed: Vec<u8>,
    standing: Standing,
    id: Option<FileId>,
    /// The file system it is on, or was.
    on: Option<Device>,
    /// Whether all below it counts too.
    below: bool,
    /// The whole file system that is mounted there, where all below counts: it counts wherever else
    /// it is mounted or seen.
    whole: Option<Device>,
    /// The programs that its first line names.
    interpreters: Vec<String>,
}

/// What makes two names the same file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FileId {
    Inode {
        device: Device,
        inode: u64,
    },
    /// Nodes of one device may lie anywhere.
    Node {
        device: Device,
        blocks: bool,
    },
}

impl FileId {
    fn of(facts: &Statx) -> Self {
        match FileType::from_raw_mode(facts.stx_mode.into()) {
            kind @ (FileType::CharacterDevice | FileType::BlockDevice) => Self::Node {
                device: (facts.stx_rdev_major, facts.stx_rdev_minor),
                blocks: kind == FileType::BlockDevice,
            },
            _ => Self::Inode {
                device: (facts.stx_dev_major, facts.stx_dev_minor),
                inode: facts.stx_ino,
            },
        }
    }
}

const IDENTITY: StatxFlags = StatxFlags::TYPE.union(StatxFlags::INO);

impl Target {
    fn of(path: &str, below: bool, mounts: &Mounts) -> Self {
        let (path, found) = resolved(Path::new(path));
        let path = path.into_os_string().into_vec();
        let facts =
            found.and_then(|()| statx(CWD, OsStr::from_bytes(&path), AtFlags::empty(), IDENTITY));
        let standing = match &facts {
            Ok(facts) => Standing::There(kind_of(facts)),
            Err(Errno::NOENT | Errno::NOTDIR) => Standing::Missing,
            Err(Errno::ACCESS) => Standing::Denied,
            Err(error) => Standing::Failed(error.raw_os_error()),
        };
        let below = below && standing == Standing::There(FileKind::Directory);
        let on = mounts.device_of(&path);
        Self {
            id: facts.ok().as_ref().map(FileId::of),
            on,
            below,
            whole: on.filter(|_| below && mounts.has_whole(&path)),
            interpreters: match standing {
                Standing::There(FileKind::File) => {
                    interpreters_of(Path::new(OsStr::from_bytes(&path)))
                }
                _ => Vec::new(),
            },
            standing,
            listed: listed(&path),
            path,
        }
    }

    fn seen(&self, uses: Vec<FileUse>) -> FileSeen {
        let mut seen = FileSeen { path: lossy(&self.path), standing: self.standing, uses };
        seen.settle();
        seen
    }

    /// Whether it can be looked for at all.
    fn is_sought(&self) -> bool {
        matches!(self.standing, Standing::There(_) | Standing::Missing)
    }

    fn is_file(&self) -> bool {
        self.standing == Standing::There(FileKind::File)
    }

    fn is_device(&self) -> bool {
        self.standing == Standing::There(FileKind::Device)
    }

    fn may_be_mapped(&self) -> bool {
        let kind = matches!(self.standing, Standing::There(FileKind::File | FileKind::Device));
        kind || self.below || self.standing == Standing::Missing
    }

    /// Whether a path names it, or something below it where that counts.
    fn covers(&self, path: &[u8]) -> bool {
        covers(&self.path, self.below, path)
    }
}

fn covers(own: &[u8], below: bool, path: &[u8]) -> bool {
    let inside = |rest: &[u8]| rest.starts_with(b"/") || own == b"/";
    path == own || (below && path.strip_prefix(own).is_some_and(inside))
}

/// The path without links, and whether it exists. Of one that does not, the directory it was in
/// decides, as far as that exists.
fn resolved(path: &Path) -> (PathBuf, Result<(), Errno>) {
    let error = match path.canonicalize() {
        Ok(path) => return (path, Ok(())),
        Err(error) => error,
    };
    let whole = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")).join(path);
    let parent = whole.parent().and_then(|parent| parent.canonicalize().ok());
    let path = match (parent, whole.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => PathBuf::from(joined("/", &whole.to_string_lossy())),
    };
    let errno = match error.kind() {
        ErrorKind::NotFound => Errno::NOENT,
        _ => Errno::from_raw_os_error(error.raw_os_error().unwrap_or(0)),
    };
    (path, Err(errno))
}

fn kind_of(facts: &Statx) -> FileKind {
    match FileType::from_raw_mode(facts.stx_mode.into()) {
        FileType::Directory => FileKind::Directory,
        FileType::CharacterDevice | FileType::BlockDevice => FileKind::Device,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        _ => FileKind::File,
    }
}

/// The programs that the first line of that script names, as written and as what they lead to:
/// `/bin/sh` may be dash or busybox.
fn interpreters_of(path: &Path) -> Vec<String> {
    let mut head = [0; 256];
    let length = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let mut names = interpreters(&head[..length]);
    let led: Vec<String> = names
        .iter()
        .filter(|name| name.starts_with('/'))
        .filter_map(|name| {
            Some(Path::new(name).canonicalize().ok()?.to_string_lossy().into_owned())
        })
        .collect();
    names.extend(led);
    names
}

/// What the texts of a process's links mean.
struct View {
    /// Whether they are paths of ours: its mounts are our own.
    own: bool,
    mounts: Mounts,
}

/// What one thread found.
#[derive(Default)]
struct Tally {
    /// By the target's place.
    uses: Vec<(usize, FileUse)>,
    /// By process.
    sockets: BTreeMap<u32, Vec<u64>>,
    unreadable: usize,
    starved: bool,
    /// A table of mappings; kept, as the next one is as long.
    table: Vec<u8>,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.uses.extend(other.uses);
        self.sockets.extend(other.sockets);
        self.unreadable += other.unreadable;
        self.starved |= other.starved;
    }
}

/// The look, as all threads share it.
struct Search<'a> {
    proc: BorrowedFd<'a>,
    targets: Vec<Target>,
    /// Processes with other mounts, by the number of their mount namespace.
    views: Mutex<HashMap<Vec<u8>, Arc<View>>>,
    own: Arc<View>,
    own_namespace: Vec<u8>,
    own_pid: u32,
    on: Vec<Device>,
    devices: bool,
    mappings: Vec<memmem::Finder<'static>>,
    scripts: bool,
    /// Whether sockets are noted.
    sockets: bool,
}

/// A link of a process: where it is read, and what it says.
struct Link<'a> {
    dir: BorrowedFd<'a>,
    name: &'a CStr,
    text: &'a [u8],
}

impl<'a> Search<'a> {
    fn new(proc: BorrowedFd<'a>, targets: Vec<Target>, own: Arc<View>) -> Self {
        let sought = || targets.iter().filter(|target| target.is_sought());
        let mut page = [MaybeUninit::uninit(); PAGE];
        let own_namespace = read_link(proc, c"self/ns/mnt", &mut page).unwrap_or_default().to_vec();
        let mappings = sought()
            .filter(|target| target.may_be_mapped())
            .flat_map(|target| {
                let inode = match (target.id, target.on) {
                    (Some(FileId::Inode { inode, .. }), Some((major, minor))) => {
                        Some(format!(" {major:02x}:{minor:02x} {inode} ").into_bytes())
                    }
                    _ => None,
                };
                let whole = target.whole.map(|(major, minor)| format!(" {major:02x}:{minor:02x} "));
                inode
                    .into_iter()
                    .chain(whole.map(String::into_bytes))
                    .chain([target.listed.clone()])
            })
            .map(|text| memmem::Finder::new(&text).into_owned())
            .collect();
        Self {
            proc,
            views: Mutex::default(),
            own,
            own_namespace,
            own_pid: rustix::process::getpid().as_raw_nonzero().get().cast_unsigned(),
            on: sought().filter_map(|target| target.on).collect(),
            devices: sought().any(Target::is_device),
            scripts: sought().any(Target::is_file),
            sockets: false,
            mappings,
            targets,
        }
    }

    fn process(&self, pid: u32, buffer: &mut [MaybeUninit<u8>], tally: &mut Tally) {
        if pid == self.own_pid || self.on.is_empty() {
            return;
        }
        let dir = match openat(self.proc, DecInt::new(pid), HERE, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::MFILE | Errno::NFILE) => return tally.starved = true,
            Err(_) => return, // it ended
        };
        let mut page = [MaybeUninit::uninit(); PAGE];
        let (dir, exe) = match read_link(dir.as_fd(), c"exe", &mut page) {
            Ok(exe) => (dir, exe),
            Err(Errno::ACCESS | Errno::PERM) => {
                return tally.unreadable += usize::from(may_hide(dir.as_fd()));
            }
            // A kernel thread, or a main thread that ended and took its view along.
            Err(_) => {
                let Some(dir) = living_thread(&dir, pid, buffer) else { return };
                match read_link(dir.as_fd(), c"exe", &mut page) {
                    Ok(exe) => (dir, exe),
                    Err(_) => return,
                }
            }
        };
        let Some(view) = self.view(dir.as_fd()) else { return };
        let before = tally.uses.len();
        let mut note = |target, usage, deleted, path: Option<String>| {
            tally.uses.push((target, FileUse { pid, usage, deleted, path }));
        };
        self.judge(
            &view,
            &Link { dir: dir.as_fd(), name: c"exe", text: exe },
            |at, deleted, path| {
                note(at, Usage::Executable, deleted, path);
            },
        );
        if self.scripts && view.own {
            for at in self.scripts_of(dir.as_fd(), pid, exe) {
                note(at, Usage::Script, false, None);
            }
        }
        for (name, usage) in [(c"cwd", Usage::WorkingDirectory), (c"root", Usage::RootDirectory)] {
            let mut page = [MaybeUninit::uninit(); PAGE];
            let Ok(text) = read_link(dir.as_fd(), name, &mut page) else { continue };
            self.judge(&view, &Link { dir: dir.as_fd(), name, text }, |at, deleted, path| {
                // Everything has our own root directory, and it is below nothing else.
                let says_nothing = usage == Usage::RootDirectory && text == b"/" && view.own;
                if !says_nothing {
                    note(at, usage, deleted, path);
                }
            });
        }
        let sockets = self.descriptors(&view, dir.as_fd(), pid, buffer, tally);
        // What a process runs is mapped too, which says nothing.
        let runs = |each: &(usize, FileUse)| each.1.usage == Usage::Executable;
        let settled = matches!(&self.targets[..], [only] if !only.below)
            && tally.uses[before..].iter().any(runs);
        if !self.mappings.is_empty() && !settled {
            self.mappings(&view, dir.as_fd(), pid, tally);
        }
        if let Some(sockets) = sockets
            && self.sockets
            && tally.uses.len() > before
        {
            tally.sockets.insert(pid, sockets);
        }
    }

    /// The mounts that this process sees.
    fn view(&self, dir: BorrowedFd<'_>) -> Option<Arc<View>> {
        let mut page = [MaybeUninit::uninit(); PAGE];
        let namespace = read_link(dir, c"ns/mnt", &mut page).ok()?;
        if namespace == self.own_namespace {
            return Some(Arc::clone(&self.own));
        }
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = views.get(namespace) {
            return Some(Arc::clone(view));
        }
        let mut page = [MaybeUninit::uninit(); PAGE];
        let root = read_link(dir, c"root", &mut page).ok()?;
        let view = Arc::new(View { own: false, mounts: mounts_of(dir, ".", root) });
        views.insert(namespace.to_vec(), Arc::clone(&view));
        Some(view)
    }

    /// Calls back for every target that the link leads to: its place, whether the file is removed,
    /// and the path where that is another.
    fn judge(
        &self,
        view: &View,
        link: &Link<'_>,
        mut found: impl FnMut(usize, bool, Option<String>),
    ) {
        let text = link.text;
        if text.first() != Some(&b'/') {
            return;
        }
        let (plain, marked) = match text.strip_suffix(DELETED) {
            Some(plain) => (plain, true),
            None => (text, false),
        };
        let place = view.mounts.device_of(text);
        let near = place.is_some_and(|place| self.on.contains(&place))
            || (self.devices && text.starts_with(b"/dev/"));
        let facts = near.then(|| statx(link.dir, link.name, NEVER_WAIT, IDENTITY).ok()).flatten();
        let id = facts.as_ref().map(FileId::of);
        // A file may really be called `x (deleted)`.
        let is_live = || {
            let named = statx(CWD, OsStr::from_bytes(text), NEVER_WAIT, IDENTITY).ok();
            near && id.is_some() && named.as_ref().map(FileId::of) == id
        };
        for (at, target) in self.targets.iter().enumerate().filter(|(_, target)| target.is_sought())
        {
            let other = |plain: &[u8]| Some(lossy(plain)).filter(|_| plain != target.path);
            if id.is_some() && id == target.id {
                let named = if marked && !is_live() { plain } else { text };
                found(at, false, other(named));
            } else if view.own && marked && target.covers(plain) && !is_live() {
                found(at, true, other(plain));
            } else if view.own && target.below && target.covers(text) {
                found(at, false, other(text));
            } else if target.whole.is_some() && target.whole == place {
                let removed = marked && !(view.own && is_live());
                found(at, removed, other(if removed { plain } else { text }));
            }
        }
    }

    /// Looks at what a process has open. The sockets among that, where all of it could be read.
    fn descriptors(
        &self,
        view: &View,
        dir: BorrowedFd<'_>,
        pid: u32,
        buffer: &mut [MaybeUninit<u8>],
        tally: &mut Tally,
    ) -> Option<Vec<u64>> {
        let fds = match openat(dir, c"fd", DIRECTORY, Mode::empty()) {
            Ok(fds) => fds,
            Err(error) => {
                let denied = matches!(error, Errno::ACCESS | Errno::PERM) && may_hide(dir);
                tally.unreadable += usize::from(denied);
                tally.starved |= matches!(error, Errno::MFILE | Errno::NFILE);
                return None;
            }
        };
        let mut sockets = Vec::new();
        let mut page = [MaybeUninit::uninit(); PAGE];
        let mut entries = RawDir::new(&fds, buffer);
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name();
            let Some(fd) = holders::number(name) else { continue };
            let text = match read_link(fds.as_fd(), name, &mut page) {
                Ok(text) => text,
                Err(Errno::ACCESS | Errno::PERM) => {
                    tally.unreadable += usize::from(may_hide(dir));
                    return None;
                }
                Err(_) => continue,
            };
            sockets.extend(procfs::socket_inode(text));
            self.judge(view, &Link { dir: fds.as_fd(), name, text }, |at, deleted, path| {
                let (access, locked) = opened(dir, name);
                let usage = Usage::Descriptor { fd: fd.cast_signed(), access, locked };
                tally.uses.push((at, FileUse { pid, usage, deleted, path }));
            });
        }
        Some(sockets)
    }

    fn mappings(&self, view: &View, dir: BorrowedFd<'_>, pid: u32, tally: &mut Tally) {
        let mut table = std::mem::take(&mut tally.table);
        read_into(dir, "maps", &mut table);
        if self.mappings.iter().any(|finder| finder.find(&table).is_some()) {
            for mapped in procfs::mapped_files(&table) {
                self.mapping(view, &mapped, |at, deleted, path| {
                    tally.uses.push((at, FileUse { pid, usage: Usage::Mapped, deleted, path }));
                });
            }
        }
        tally.table = table;
    }

    fn mapping(
        &self,
        view: &View,
        mapped: &procfs::MappedFile<'_>,
        mut found: impl FnMut(usize, bool, Option<String>),
    ) {
        let (plain, marked) = match mapped.path.strip_suffix(DELETED) {
            Some(plain) => (plain, true),
            None => (mapped.path, false),
        };
        for (at, target) in self.targets.iter().enumerate() {
            if !target.may_be_mapped() {
                continue;
            }
            let own = &target.listed;
            let other = |path: &[u8]| Some(lossy(path)).filter(|_| path != own);
            let same = match target.id {
                Some(FileId::Inode { inode, .. }) => {
                    inode == mapped.inode && target.on == Some(mapped.device)
                }
                _ => false,
            };
            // An overlay of an older kernel shows the file below it here, under the path above it.
            let elsewhere = target.on != Some(mapped.device) && mapped.path == own;
            let within = covers(own, target.below, plain);
            if same {
                found(at, false, other(plain));
            } else if view.own && marked && within {
                found(at, true, other(plain));
            } else if view.own && !marked && (elsewhere || (target.below && within)) {
                found(at, false, other(plain));
            } else if target.whole == Some(mapped.device) {
                found(at, marked, other(plain));
            }
        }
    }

    /// The targets that a process runs as scripts.
    fn scripts_of(&self, dir: BorrowedFd<'_>, pid: u32, exe: &[u8]) -> Vec<usize> {
        let file = exe.rsplit(|&byte| byte == b'/').next().unwrap_or(exe);
        let file = String::from_utf8_lossy(file.strip_suffix(DELETED).unwrap_or(file)).into_owned();
        let wanted = || {
            let files = self.targets.iter().enumerate().filter(|(_, target)| target.is_file());
            files.filter(|(_, target)| may_run_scripts(&file, &target.interpreters))
        };
        if wanted().next().is_none() {
            return Vec::new();
        }
        let mut page = [0; PAGE];
        let arguments = read_page(dir, "cmdline", &mut page);
        let process = Process {
            exe: Some(lossy(exe)),
            argv: procfs::cmdline(arguments),
            ..Process::unread(ProcessId { pid, start: 0 })
        };
        let mut text = [MaybeUninit::uninit(); PAGE];
        let cwd = read_link(dir, c"cwd", &mut text).map_or_else(|_| String::new(), lossy);
        let runs = |target: &Target| {
            let words = script_words(&process, &target.interpreters);
            words.iter().any(|word| {
                let readable = word.starts_with('/') || cwd.starts_with('/');
                readable && self.leads_to(&joined(&cwd, word), target)
            })
        };
        wanted().filter(|(_, target)| runs(target)).map(|(at, _)| at).collect()
    }

    /// Whether a path leads to that file: as the kernel remembers it (RESOLVE_CACHED), or by asking
    /// the file system that the file is on.
    fn leads_to(&self, path: &str, target: &Target) -> bool {
        let remembered =
            openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED);
        let facts = match remembered {
            Ok(file) => statx(&file, c"", NEVER_WAIT | AtFlags::EMPTY_PATH, IDENTITY).ok(),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => None,
            Err(_) if self.own.mounts.device_of(path.as_bytes()) == target.on => {
                statx(CWD, path, NEVER_WAIT, IDENTITY).ok()
            }
            Err(_) => None,
        };
        facts.as_ref().map(FileId::of).is_some_and(|id| Some(id) == target.id)
    }
}

/// A path as `/proc/PID/maps` writes it (`seq_file_path` with a newline to escape).
fn listed(path: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = path.split(|&byte| byte == b'\n').collect();
    lines.join(&b"\\012"[..])
}

/// For what a descriptor was opened, and whether a lock was taken through it.
fn opened(dir: BorrowedFd<'_>, name: &CStr) -> (Option<Access>, bool) {
    let mut page = [0; PAGE];
    let path = format!("fdinfo/{}", name.to_string_lossy());
    let info = procfs::descriptor(read_page(dir, &path, &mut page));
    let access = info.flags.map(|flags| {
        let flags = OFlags::from_bits_retain(flags);
        match flags & OFlags::RWMODE {
            _ if flags.contains(OFlags::PATH) => Access::Path,
            OFlags::WRONLY => Access::Write,
            OFlags::RDWR => Access::ReadWrite,
            _ => Access::Read,
        }
    });
    (access, info.locked)
}

/// The directory of a thread that outlived the main one.
fn living_thread(dir: &OwnedFd, pid: u32, buffer: &mut [MaybeUninit<u8>]) -> Option<OwnedFd> {
    let tasks = openat(dir, c"task", DIRECTORY, Mode::empty()).ok()?;
    let mut entries = RawDir::new(&tasks, buffer);
    while let Some(Ok(entry)) = entries.next() {
        let tid = holders::number(entry.file_name());
        if tid.is_some_and(|tid| tid != pid) {
            return openat(&tasks, entry.file_name(), HERE, Mode::empty()).ok();
        }
    }
    None
}

/// Whether a process that refuses to be looked at may be hiding something. A kernel thread uses no
/// files, and one that has just ended refuses its links in the same words
/// (`proc_fd_access_allowed` in fs/proc/base.c).
fn may_hide(dir: BorrowedFd<'_>) -> bool {
    let mut page = [0; PAGE];
    procfs::stat(read_page(dir, "stat", &mut page))
        .is_some_and(|stat| !stat.kernel_thread && !matches!(stat.state, b'Z' | b'X' | b'x'))
}

fn mounts_of(dir: BorrowedFd<'_>, process: &str, root: &[u8]) -> Mounts {
    let mut table = Vec::new();
    read_into(dir, &format!("{process}/mountinfo"), &mut table);
    mounts(&table, root)
}

fn read_link<'p>(
    dir: BorrowedFd<'_>,
    name: &CStr,
    page: &'p mut [MaybeUninit<u8>; PAGE],
) -> Result<&'p [u8], Errno> {
    let (text, _) = readlinkat_raw(dir, name, &mut page[..])?;
    Ok(text)
}

/// The first page of a file; empty where it cannot be read.
fn read_page<'p>(dir: BorrowedFd<'_>, path: &str, page: &'p mut [u8; PAGE]) -> &'p [u8] {
    let file = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let read = |file: OwnedFd| {
        rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut page[..])).unwrap_or(0)
    };
    let length = file.map_or(0, read);
    &page[..length]
}

/// A whole file, in the place of what was there.
fn read_into(dir: BorrowedFd<'_>, path: &str, bytes: &mut Vec<u8>) {
    const CHUNK: usize = 32 * 1024;
    bytes.clear();
    let Ok(file) = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return;
    };
    while bytes.len() < LONGEST_TABLE {
        let end = bytes.len();
        bytes.resize(end + CHUNK, 0);
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut bytes[end..]));
        let length = read.unwrap_or(0);
        bytes.truncate(end + length);
        if length == 0 {
            break;
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
