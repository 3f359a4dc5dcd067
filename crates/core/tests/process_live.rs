//! Real processes as `/proc` shows them: this one, its children, and the first of the machine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use proc_core::decode::procfs;
use proc_core::process::{Process, ProcessState};
use proc_core::sys::process::{ProcessReader, asker};

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-core-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path.canonicalize().unwrap())
    }

    /// A program of that name that waits for the end of its input.
    fn waiting_script(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, "#!/bin/sh\nread line\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A copy of the shell under that name.
    fn shell(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::copy("/bin/sh", &path).unwrap();
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
        // A file just written may still be open in a child another test is forking: ETXTBSY.
        let child = within_deadline(|| command.stdin(Stdio::piped()).spawn().ok());
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Its facts, once they are as wanted. (After fork, a child looks like its parent.)
    fn read_until(&self, wanted: impl Fn(&Process) -> bool) -> Process {
        let reader = reader();
        within_deadline(|| reader.read(self.pid()).filter(&wanted))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn within_deadline<T>(attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(10);
    std::iter::repeat_with(attempt)
        .find_map(|found| {
            assert!(found.is_some() || Instant::now() < end, "did not happen within 10 seconds");
            std::thread::yield_now();
            found
        })
        .unwrap()
}

fn reader() -> ProcessReader {
    ProcessReader::new().unwrap()
}

fn waiting_shell() -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read line; exit"]);
    command
}

#[test]
fn own_facts_are_right() {
    let own = reader().read(std::process::id()).unwrap();
    assert_eq!(own.argv, std::env::args().collect::<Vec<_>>());
    assert_eq!(own.cwd.as_deref().map(Path::new), std::env::current_dir().ok().as_deref());
    assert_eq!(own.exe.as_deref().map(Path::new), std::env::current_exe().ok().as_deref());
    assert!(!own.exe_deleted && !own.kernel_thread);
    assert_eq!(own.ppid, std::os::unix::process::parent_id());
    assert_eq!(own.uid, Some(rustix::process::geteuid().as_raw()));
    let id = Command::new("id").arg("-un").output().unwrap();
    let name = String::from_utf8(id.stdout).unwrap();
    assert_eq!(own.user.as_deref().unwrap_or(own.uid.unwrap().to_string().as_str()), name.trim());
    assert_eq!(own.group, Some(rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned()));
    assert!(own.threads.unwrap() >= 2, "the test harness runs a thread for each test");
    let age = own.age(SystemTime::now()).expect("started before now");
    assert!(age < Duration::from_secs(3600), "{age:?}");
}

#[test]
fn a_child_starts_after_its_parent_and_where_it_was_told_to() {
    let scratch = Scratch::new("cwd");
    let before = SystemTime::now();
    let child = Waiting::spawn(waiting_shell().current_dir(&scratch.0));
    let read = child.read_until(|process| process.argv.len() == 3);
    assert_eq!(read.argv, ["/bin/sh", "-c", "read line; exit"]);
    assert_eq!(read.cwd.as_deref().map(Path::new), Some(scratch.0.as_path()));
    assert_eq!(read.ppid, std::process::id());
    let reader = reader();
    assert!(read.id.start >= reader.identity(std::process::id()).unwrap().start);
    assert_eq!(reader.identity(child.pid()), Some(read.id));
    // Ticks are hundredths of a second, rounded down.
    let slack = Duration::from_millis(20);
    let started = read.started_at.unwrap();
    assert!(started + slack >= before && started <= SystemTime::now() + slack);
}

#[test]
fn a_hostile_name_is_parsed_right() {
    let scratch = Scratch::new("hostile");
    for name in [") R 1 1 (", "a b\nc) Z 9", ")))", "(", "\u{1b}[31m) x"] {
        let script = scratch.waiting_script(name);
        let child = Waiting::spawn(&mut Command::new(&script));
        let own = std::process::id();
        let read = child.read_until(|process| process.name != "sh" && process.argv.len() == 2);
        let cut: String = name.chars().take(15).collect();
        assert_eq!((read.name.as_str(), read.ppid), (cut.as_str(), own), "{name:?}");
        assert_eq!(read.argv[1], script.to_str().unwrap());
    }
}

#[test]
fn a_process_that_is_gone_is_none() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let reader = reader();
    assert_eq!(reader.read(child.id()), None);
    assert_eq!(reader.identity(child.id()), None);
    assert_eq!(reader.read(0), None);
    assert_eq!(reader.read(u32::MAX), None);
    assert!(reader.read_with_ancestors(&[child.id()]).is_empty());
    assert!(reader.ancestors(child.id()).is_empty());
}

#[test]
fn zombies_and_stopped_processes_are_seen_as_such() {
    let mut zombie = Command::new("true").spawn().unwrap();
    let reader = reader();
    let read = within_deadline(|| {
        reader.read(zombie.id()).filter(|process| process.state == ProcessState::Zombie)
    });
    assert_eq!((read.argv.len(), read.exe, read.cwd), (0, None, None));
    zombie.wait().unwrap();

    let child = Waiting::spawn(&mut waiting_shell());
    let pid = rustix::process::Pid::from_raw(child.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    assert!(child.read_until(|process| process.state == ProcessState::Stopped).is_stopped());
}

#[test]
fn long_arguments_are_read_whole() {
    let long: Vec<String> = (0..64).map(|n| format!("{n}{}", "x".repeat(4000))).collect();
    let child = Waiting::spawn(waiting_shell().args(&long));
    let read = child.read_until(|process| process.argv.len() > 3);
    assert_eq!(read.argv[3..], long);
}

#[test]
fn a_deleted_executable_is_told_from_one_named_so() {
    let scratch = Scratch::new("deleted");
    let run = |path: &Path| Waiting::spawn(Command::new(path).args(["-c", "read line; exit"]));

    let gone = scratch.shell("gone");
    let child = run(&gone);
    assert!(!child.read_until(|process| process.exe.as_deref() == gone.to_str()).exe_deleted);
    fs::remove_file(&gone).unwrap();
    let read = reader().read(child.pid()).unwrap();
    assert_eq!((read.exe.as_deref(), read.exe_deleted), (gone.to_str(), true));

    let named = scratch.shell("named (deleted)");
    let child = run(&named);
    let read = child.read_until(|process| process.exe.as_deref() == named.to_str());
    assert!(!read.exe_deleted);
}

#[test]
fn ancestors_are_read_once_each_and_end() {
    let child = Waiting::spawn(&mut waiting_shell());
    let reader = reader();
    let own = std::process::id();
    let chain = reader.ancestors(child.pid());
    assert_eq!(chain[..2], [own, std::os::unix::process::parent_id()]);
    let processes = reader.read_with_ancestors(&[child.pid(), own]);
    let mut want: Vec<u32> = chain.iter().copied().chain([child.pid()]).collect();
    want.sort_unstable();
    assert_eq!(processes.keys().copied().collect::<Vec<_>>(), want);
    assert_eq!(processes[chain.last().unwrap()].ppid, 0);
}

#[test]
fn kernel_threads_have_no_arguments() {
    let reader = reader();
    // PID 2 is kthreadd, where the first PID namespace is visible.
    let Some(second) = reader.read(2).filter(|process| process.name == "kthreadd") else {
        assert_ne!(fs::read_to_string("/proc/2/comm").unwrap_or_default(), "kthreadd\n");
        return;
    };
    assert!(second.kernel_thread);
    assert_eq!((second.argv.len(), second.exe), (0, None));
}

#[test]
fn the_asker_is_who_the_kernel_says() {
    let asker = asker();
    assert_eq!(asker.pid, std::process::id());
    assert_eq!(asker.ancestors.first(), Some(&std::os::unix::process::parent_id()));
    assert_eq!(asker.user, ProcessReader::new().unwrap().user_name(asker.uid));
    let status = procfs::status(&fs::read("/proc/self/status").unwrap());
    assert_eq!(Some(asker.uid), status.uid);
    let has = |capability: u32| status.capabilities.unwrap() & (1 << capability) != 0;
    // CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_SYS_PTRACE by capabilities(7).
    assert_eq!(asker.may_bind_privileged, has(10));
    assert_eq!(asker.may_destroy, has(12));
    assert!(has(19) || !asker.sees_all);
}

#[test]
fn the_policy_is_the_machines() {
    let read = |name: &str| fs::read(format!("/proc/sys/net/ipv4/{name}")).unwrap();
    let policy = ProcessReader::new().unwrap().policy();
    assert_eq!(Some(policy.ephemeral), procfs::port_range(&read("ip_local_port_range")));
    assert_eq!(policy.reserved, procfs::port_list(&read("ip_local_reserved_ports")));
    let start = procfs::sysctl_number(&read("ip_unprivileged_port_start"));
    assert_eq!(Some(u32::from(policy.unprivileged_start)), start);
}

#[test]
fn an_unknown_user_has_no_name() {
    assert_eq!(ProcessReader::new().unwrap().user_name(0).as_deref(), Some("root"));
    assert_eq!(ProcessReader::new().unwrap().user_name(u32::MAX - 7), None);
}

/// The first process belongs to root: as another user its name, arguments and user show, and
/// where it runs does not. As root this test runs itself once more as nobody.
#[test]
fn another_users_process_is_read_as_far_as_allowed() {
    const AGAIN: &str = "PROC_TEST_UNPRIVILEGED";
    if rustix::process::geteuid().is_root() && std::env::var_os(AGAIN).is_none() {
        let scratch = Scratch::new("nobody");
        let copy = scratch.0.join("again");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let test = "another_users_process_is_read_as_far_as_allowed";
        let again = within_deadline(|| {
            let mut command = Command::new(&copy);
            command.args([test, "--exact"]).env(AGAIN, "1").uid(65534).gid(65534);
            command.current_dir("/").output().ok()
        });
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let first = reader().read(1).unwrap();
    assert_eq!((first.id.pid, first.uid, first.user.as_deref()), (1, Some(0), Some("root")));
    assert!(!first.name.is_empty() && first.started_at.is_some());
    assert_eq!((first.exe, first.cwd, first.exe_deleted), (None, None, false));
    assert!(!asker().sees_all);
    assert!(!asker().may_destroy);
}
