//! Real processes that use real files in every way, and what is said of them.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proc_core::file_use::{Access, FileKind, FileSeen, FileUse, FileWish, Standing, Usage};
use proc_core::files::users;
use proc_core::host::{Host, LiveHost};
use proc_core::processes::{ProcessesWish, processes};
use proc_core::report::ProcessReport;

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-file-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, "x\n").unwrap();
        path
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A child that waits for the end of its input; ended and collected with the test.
struct Waiting(Child);

impl Waiting {
    fn spawn(command: &mut Command) -> Self {
        let end = deadline();
        loop {
            // A program just written may still be open in a child another test is forking: ETXTBSY.
            match command.stdin(Stdio::piped()).spawn() {
                Ok(child) => return Self(child),
                Err(error) => assert!(Instant::now() < end, "{command:?}: {error}"),
            }
            std::thread::yield_now();
        }
    }

    /// A shell in that directory that does this and waits.
    fn shell(directory: &Path, text: &str) -> Self {
        let text = format!("{text}\nread line");
        Self::spawn(Command::new("/bin/sh").args(["-c", &text]).current_dir(directory))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn seen(path: &Path, below: bool) -> FileSeen {
    let paths = vec![path.to_str().unwrap().to_owned()];
    let mut seen =
        LiveHost::default().file_uses(&FileWish { paths, below, ..FileWish::default() }).unwrap();
    seen.files.remove(0)
}

/// How that process uses the file, with whether it is removed and its other path, once it does as
/// wanted.
#[track_caller]
fn uses(path: &Path, below: bool, pid: u32, want: &[(Usage, bool, Option<&Path>)]) -> FileSeen {
    let end = deadline();
    loop {
        let seen = seen(path, below);
        let own: Vec<(Usage, bool, Option<&Path>)> = seen
            .uses
            .iter()
            .filter(|each| each.pid == pid)
            .map(|each| (each.usage, each.deleted, each.path.as_deref().map(Path::new)))
            .collect();
        if own == want {
            return seen;
        }
        assert!(Instant::now() < end, "{path:?}: {own:?}, and wanted is {want:?}");
        std::thread::yield_now();
    }
}

const fn open(fd: i32, access: Access) -> Usage {
    Usage::Descriptor { fd, access: Some(access), locked: false }
}

#[test]
fn descriptors_by_every_name_of_the_file() {
    let scratch = Scratch::new("names");
    let file = scratch.file("log");
    let (hard, soft) = (scratch.0.join("hard"), scratch.0.join("soft"));
    fs::hard_link(&file, &hard).unwrap();
    symlink("log", &soft).unwrap();
    let other = scratch.file("other");
    let child = Waiting::shell(&scratch.0, "exec 3<log 4>>hard 5<>soft 6<other");
    let by_log = [
        (open(3, Access::Read), false, None),
        (open(4, Access::Write), false, Some(hard.as_path())),
        (open(5, Access::ReadWrite), false, None),
    ];
    let first = uses(&file, false, child.pid(), &by_log);
    assert_eq!(first.standing, Standing::There(FileKind::File));
    assert_eq!(first.path, file.to_str().unwrap());
    assert_eq!(first.pids(), [child.pid()], "nobody else has it");
    assert_eq!(uses(&soft, false, child.pid(), &by_log), first);
    let log = Some(file.as_path());
    uses(
        &hard,
        false,
        child.pid(),
        &[
            (open(3, Access::Read), false, log),
            (open(4, Access::Write), false, None),
            (open(5, Access::ReadWrite), false, log),
        ],
    );
    uses(&other, false, child.pid(), &[(open(6, Access::Read), false, None)]);
}

#[test]
fn several_files_are_one_look() {
    let scratch = Scratch::new("several");
    let (a, b) = (scratch.file("a"), scratch.file("b"));
    let child = Waiting::shell(&scratch.0, "exec 3<a 4<b");
    uses(&b, false, child.pid(), &[(open(4, Access::Read), false, None)]);
    let missing = scratch.0.join("c");
    let paths = [&b, &missing, &a].map(|path| path.to_str().unwrap().to_owned()).to_vec();
    let seen = LiveHost::default().file_uses(&FileWish { paths, ..FileWish::default() }).unwrap();
    let counts: Vec<usize> = seen.files.iter().map(|file| file.uses.len()).collect();
    assert_eq!(counts, [1, 0, 1]);
    assert_eq!(seen.files[1].standing, Standing::Missing);
}

#[test]
fn the_sockets_of_who_uses_a_file_tell_its_ports_without_a_second_walk() {
    let scratch = Scratch::new("sockets");
    let file = scratch.file("a");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let link = format!("/proc/self/fd/{}", listener.as_raw_fd());
    let inode = fs::metadata(link).unwrap().ino();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec 3<a\nread line"]).current_dir(&scratch.0);
    let child = Waiting::spawn(command.stdout(OwnedFd::from(listener)));
    uses(&file, false, child.pid(), &[(open(3, Access::Read), false, None)]);
    let host = LiveHost::default();
    let files = FileWish {
        paths: vec![file.to_str().unwrap().to_owned()],
        sockets: true,
        ..FileWish::default()
    };
    let seen = host.file_uses(&files).unwrap();
    assert_eq!(seen.sockets.get(&child.pid()), Some(&vec![inode]));
    let unasked = host.file_uses(&FileWish { sockets: false, ..files.clone() }).unwrap();
    assert!(unasked.sockets.is_empty());
    let ports = |processes: Vec<ProcessReport>| -> Vec<u16> {
        let own = processes.into_iter().find(|process| process.pid == child.pid()).unwrap();
        own.ports.unwrap().iter().map(|port| port.port).collect()
    };
    let wish = ProcessesWish::default();
    assert_eq!(ports(users(&host, &files, &wish).unwrap().processes), [port]);
    assert_eq!(ports(processes(&host, "list", &wish).processes), [port]);
    let unwanted = ProcessesWish { ports: false, ..wish };
    assert!(users(&host, &files, &unwanted).unwrap().processes[0].ports.is_none());
}

#[test]
fn programs_and_scripts_are_run_and_an_editor_of_them_runs_nothing() {
    let scratch = Scratch::new("run");
    let script = scratch.program("serve", "#!/bin/sh\nread line\n");
    let link = scratch.0.join("link");
    symlink("serve", &link).unwrap();
    let shell = scratch.0.join("own-shell");
    fs::copy("/bin/sh", &shell).unwrap();
    let direct = Waiting::spawn(&mut Command::new(&script));
    let linked = Waiting::spawn(Command::new("./link").current_dir(&scratch.0));
    // `cat` is told the script's name, as an editor is.
    let reader = Waiting::spawn(Command::new("cat").arg("-").arg(&script));
    let end = deadline();
    for pid in [direct.pid(), linked.pid()] {
        // The shell has it open as well, as a descriptor of its choice.
        let runs = |each: &FileUse| (each.pid, each.usage) == (pid, Usage::Script);
        while !seen(&script, false).uses.iter().any(runs) {
            assert!(Instant::now() < end, "{:?}", seen(&script, false));
            std::thread::yield_now();
        }
    }
    let all = seen(&script, false);
    assert!(!all.pids().contains(&reader.pid()), "{all:?}");
    let program = Waiting::spawn(Command::new(&shell).args(["-c", "read line; exit"]));
    uses(&shell, false, program.pid(), &[(Usage::Executable, false, None)]);
}

#[test]
fn directories_are_worked_in_and_opened_and_looked_into_only_when_asked() {
    let scratch = Scratch::new("directory");
    let below = scratch.0.join("sub dir");
    fs::create_dir(&below).unwrap();
    let file = below.join("f");
    fs::write(&file, "").unwrap();
    let child = Waiting::shell(&below, "exec 3<. 4<f");
    let here = uses(
        &below,
        false,
        child.pid(),
        &[(Usage::WorkingDirectory, false, None), (open(3, Access::Read), false, None)],
    );
    assert_eq!(here.standing, Standing::There(FileKind::Directory));
    uses(&scratch.0, false, child.pid(), &[]);
    let (dir, file) = (Some(below.as_path()), Some(file.as_path()));
    uses(
        &scratch.0,
        true,
        child.pid(),
        &[
            (Usage::WorkingDirectory, false, dir),
            (open(3, Access::Read), false, dir),
            (open(4, Access::Read), false, file),
        ],
    );
}

#[test]
fn removed_and_replaced_files_are_found_by_their_path() {
    let scratch = Scratch::new("removed");
    let file = scratch.file("log");
    let child = Waiting::shell(&scratch.0, "exec 3<log 4<log\nrm log");
    let gone = [(open(3, Access::Read), true, None), (open(4, Access::Read), true, None)];
    let seen = uses(&file, false, child.pid(), &gone);
    assert_eq!(seen.standing, Standing::Missing);
    // A new file of that path is another one, and the old one is still worth knowing.
    scratch.file("log");
    let seen = uses(&file, false, child.pid(), &gone);
    assert_eq!(seen.standing, Standing::There(FileKind::File));
    uses(
        &scratch.0,
        true,
        child.pid(),
        &[
            (Usage::WorkingDirectory, false, None),
            (open(3, Access::Read), true, Some(&file)),
            (open(4, Access::Read), true, Some(&file)),
        ],
    );
    let program = scratch.0.join("own-shell");
    fs::copy("/bin/sh", &program).unwrap();
    let runs = Waiting::spawn(Command::new(&program).args(["-c", "read line; exit"]));
    uses(&program, false, runs.pid(), &[(Usage::Executable, false, None)]);
    fs::remove_file(&program).unwrap();
    uses(&program, false, runs.pid(), &[(Usage::Executable, true, None)]);
    let directory = scratch.0.join("d");
    fs::create_dir(&directory).unwrap();
    let inside = Waiting::shell(&directory, "rmdir ../d");
    uses(&directory, false, inside.pid(), &[(Usage::WorkingDirectory, true, None)]);
}

#[test]
fn a_name_that_ends_like_the_mark_of_removed_files_is_a_name() {
    let scratch = Scratch::new("mark");
    let file = scratch.file("log (deleted)");
    let child = Waiting::shell(&scratch.0, "exec 3<'log (deleted)'");
    uses(&file, false, child.pid(), &[(open(3, Access::Read), false, None)]);
    uses(&scratch.0.join("log"), false, child.pid(), &[]);
}

#[test]
fn pipes_devices_and_locks() {
    let scratch = Scratch::new("special");
    let fifo = scratch.0.join("pipe");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let child = Waiting::shell(&scratch.0, "exec 3<>pipe 4</dev/zero");
    let piped = uses(&fifo, false, child.pid(), &[(open(3, Access::ReadWrite), false, None)]);
    assert_eq!(piped.standing, Standing::There(FileKind::Fifo));
    let zero = Path::new("/dev/zero");
    let device = uses(zero, false, child.pid(), &[(open(4, Access::Read), false, None)]);
    assert_eq!(device.standing, Standing::There(FileKind::Device));
    if Command::new("flock").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: flock of util-linux is not installed");
    }
    let lock = scratch.file("lock");
    let holder = Waiting::shell(&scratch.0, "exec 3>lock\nflock 3");
    let held = Usage::Descriptor { fd: 3, access: Some(Access::Write), locked: true };
    uses(&lock, false, holder.pid(), &[(held, false, None)]);
}

#[test]
fn libraries_are_mapped() {
    let scratch = Scratch::new("mapped");
    let child = Waiting::shell(&scratch.0, "");
    let end = deadline();
    let library = loop {
        let maps = fs::read_to_string(format!("/proc/{}/maps", child.pid())).unwrap();
        let library = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        let library = library.map(str::to_owned).find(|path| path.contains("libc.so"));
        match library {
            Some(library) => break library,
            None if Instant::now() > end => return eprintln!("SKIPPED: the shell is static"),
            None => std::thread::yield_now(),
        }
    };
    uses(Path::new(&library), false, child.pid(), &[(Usage::Mapped, false, None)]);
}

/// As root: other mounts, and another root directory.
#[test]
fn other_mount_namespaces_name_the_same_file_otherwise_and_others_the_same() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("SKIPPED: mounting needs root");
    }
    let scratch = Scratch::new("mounts");
    let (file, other, place) = (scratch.file("a"), scratch.file("b"), scratch.file("place"));
    // In its own mounts `place` is `a`, and `b` is a file of another file system.
    let text = "mount --make-rprivate / && mount --bind a place && exec 3<place && \
                mkdir -p t && mount -t tmpfs none t && echo > t/b && mount --bind t/b b && \
                exec 4<b\nread line";
    let child = Waiting::spawn(
        Command::new("unshare").args(["-m", "sh", "-c", text]).current_dir(&scratch.0),
    );
    uses(&file, false, child.pid(), &[(open(3, Access::Read), false, Some(&place))]);
    uses(&other, false, child.pid(), &[]);
    uses(&place, false, child.pid(), &[]);
    // The same file through another root directory.
    let root = scratch.0.join("root");
    fs::create_dir(&root).unwrap();
    let text = format!(
        "mount --make-rprivate / && mount --bind / root && exec chroot root /bin/sh -c \
                        'exec 3<{}; read line'",
        file.display()
    );
    let child = Waiting::spawn(
        Command::new("unshare").args(["-m", "sh", "-c", &text]).current_dir(&scratch.0),
    );
    let seen_there = root.join(file.strip_prefix("/").unwrap());
    uses(&file, false, child.pid(), &[(open(3, Access::Read), false, Some(&seen_there))]);
    let end = deadline();
    loop {
        let all = seen(Path::new("/"), false);
        let of_child = |each: &&FileUse| each.pid == child.pid();
        let how: Vec<Usage> = all.uses.iter().filter(of_child).map(|each| each.usage).collect();
        if how == [Usage::WorkingDirectory, Usage::RootDirectory] {
            break;
        }
        assert!(Instant::now() < end, "{how:?}");
        std::thread::yield_now();
    }
}

/// As root: what is mounted is the same wherever it is seen, and a part of a file system is not all
/// of it.
#[test]
fn below_a_mount_is_all_that_uses_the_file_system() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("SKIPPED: mounting needs root");
    }
    const INNER: &str = "PROC_FILE_USE_INNER";
    if std::env::var_os(INNER).is_none() {
        // The same test again, where mounting changes nothing for others.
        let output = Command::new("unshare")
            .args(["-m", "--propagation", "private", "--"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "below_a_mount_is_all_that_uses_the_file_system", "--nocapture"])
            .env(INNER, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
        return;
    }
    let scratch = Scratch::new("whole");
    let [disk, other, part] = ["disk", "other", "part"].map(|name| {
        let path = scratch.0.join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    let mount = |words: &[&str], from: &Path, to: &Path| {
        let status = Command::new("mount").args(words).arg(from).arg(to).status().unwrap();
        assert!(status.success());
    };
    mount(&["-t", "tmpfs"], Path::new("none"), &disk);
    fs::create_dir(disk.join("in")).unwrap();
    fs::write(disk.join("in/file"), "x").unwrap();
    fs::create_dir(disk.join("apart")).unwrap();
    mount(&["--bind"], &disk, &other);
    mount(&["--bind"], &disk.join("apart"), &part);
    let here = Waiting::shell(&disk.join("in"), "exec 3<file");
    let elsewhere = Waiting::shell(&other.join("in"), "exec 3<file");
    // It has it in mounts of its own, where nothing of ours can be named.
    let mut moved = Command::new("unshare");
    moved.args(["-m", "--propagation", "private", "--", "/bin/sh", "-c"]);
    moved
        .arg("mount --move \"$1\" /mnt && cd /mnt/in && exec 3<file; read line")
        .arg("sh")
        .arg(&other);
    let moved = Waiting::spawn(moved.current_dir("/"));
    let stranger = Waiting::shell(&scratch.0, "exec 3</dev/null");
    let pids = |path: &Path| {
        let mut pids: Vec<u32> = seen(path, true).uses.iter().map(|each| each.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    };
    let mut all = [here.pid(), elsewhere.pid(), moved.pid()];
    all.sort_unstable();
    let end = deadline();
    while pids(&disk) != all {
        assert!(Instant::now() < end, "{:?} and not {all:?}", pids(&disk));
        std::thread::yield_now();
    }
    assert!(!pids(&scratch.0).contains(&moved.pid()), "a directory goes by paths");
    assert!(pids(&scratch.0).contains(&stranger.pid()));
    // What is mounted there is a part, so its path decides.
    assert!(pids(&part).is_empty());
    let uses = seen(&disk, true).uses;
    let of = |pid: u32| uses.iter().filter(move |each| each.pid == pid);
    let file = other.join("in/file");
    assert!(of(elsewhere.pid()).any(|each| each.path.as_deref() == file.to_str()));
    assert!(of(moved.pid()).any(|each| each.usage == Usage::WorkingDirectory));
    // So that the directory can go.
    drop((here, elsewhere, moved));
    assert!(
        Command::new("umount")
            .args(["-l"])
            .args([&part, &other, &disk])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn paths_that_lead_nowhere() {
    let scratch = Scratch::new("nowhere");
    let file = scratch.file("f");
    for (path, want) in [
        (scratch.0.join("no"), Standing::Missing),
        (scratch.0.join("no/such/place"), Standing::Missing),
        (file.join("below"), Standing::Missing),
        (scratch.0.join("n".repeat(300)), Standing::Failed(36)),
    ] {
        let seen = seen(&path, false);
        assert_eq!((seen.standing, seen.uses.len()), (want, 0), "{path:?}");
    }
    symlink("loop", scratch.0.join("loop")).unwrap();
    assert_eq!(seen(&scratch.0.join("loop"), false).standing, Standing::Failed(40));
    symlink("away", scratch.0.join("dangling")).unwrap();
    assert_eq!(seen(&scratch.0.join("dangling"), false).standing, Standing::Missing);
}

#[test]
fn a_child_of_another_user_is_seen_by_root_with_all_it_uses() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("SKIPPED: starting a process of another user needs root");
    }
    let scratch = Scratch::new("user");
    let file = scratch.file("f");
    let child = Waiting::spawn(
        Command::new("/bin/sh")
            .args(["-c", "exec 3<f; read line"])
            .current_dir(&scratch.0)
            .uid(65534)
            .gid(65534),
    );
    uses(&file, false, child.pid(), &[(open(3, Access::Read), false, None)]);
}
