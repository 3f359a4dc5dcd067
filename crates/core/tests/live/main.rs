//! Looking, held to the real kernel: each actor holds a port in its own way, and the answer must name
//! it. Here is what the tests share: asking, alone or under limits, and reading answers.
//!
//! Other programs of the machine draw ports meanwhile, so tests ask about one transport where an
//! answer must have nothing else in it, and pick ports outside the ephemeral range where it must
//! be free.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod connections;
mod faults;
mod listening;
mod networks;
mod targets;
mod unix;
mod unseen;
mod users;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use proc_core::diagnosis::{CauseKind, Verdict};
use proc_core::host::{Host, LiveHost};
use proc_core::look::{LookOptions, look};
use proc_core::process::ProcessState;
use proc_core::report::{CauseReport, SocketReport, TargetReport};
use proc_core::running::held_ports;
use proc_core::snapshot::{ProcessFacts, Scope, SocketScope};
use proc_core::socket::{HeldBy, Protocol, Socket, TcpState};
use proc_core::target::{Target, parse};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use proc_testkit::{Actor, Limit, Signal, confined, is_root, skip, unprivileged_uid, wait_until};

/// Looks share it, and starting a program excludes them: between fork and exec the new process has a
/// copy of every socket, so a probe that is closed would still hold its port.
static LOOKING: RwLock<()> = RwLock::new(());
/// Descriptors in flight are laid to whoever has a queue: the test that has one excludes those whose
/// holders nobody may see.
static QUEUES: RwLock<()> = RwLock::new(());

/// Ample on a machine that is busy with other things; nothing passes by waiting so long.
const SOON: Duration = Duration::from_secs(20);

/// One look from this process.
#[track_caller]
fn see(word: &str) -> TargetReport {
    see_with(word, &LookOptions::default())
}

#[track_caller]
fn see_with(word: &str, options: &LookOptions) -> TargetReport {
    let mut reports = see_by(&LiveHost::default(), &[parse(word).unwrap()], options);
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

fn see_by(host: &LiveHost, targets: &[Target], options: &LookOptions) -> Vec<TargetReport> {
    let _shared = LOOKING.read().unwrap_or_else(PoisonError::into_inner);
    look(host, targets, options)
}

/// Starts a program while nobody looks.
#[track_caller]
fn start<T>(spawn: impl FnOnce() -> T) -> T {
    let _alone = LOOKING.write().unwrap_or_else(PoisonError::into_inner);
    spawn()
}

/// An actor on a port outside the ephemeral range, where nobody else comes by. One that is told its
/// port has that.
#[track_caller]
fn play<S: AsRef<str>>(args: &[S]) -> Actor {
    let mut args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    let portless = ["unix", "stale-unix", "supervise"].contains(&args[0]);
    let port = if portless || args.contains(&"--port") { 0 } else { quiet_port() }.to_string();
    if port != "0" {
        args.splice(1..1, ["--port", &port]);
    }
    drawn(&args)
}

#[track_caller]
fn spawn_command(command: Command) -> Actor {
    start(|| Actor::spawn_command(command))
}

/// An actor on a port that the kernel draws.
#[track_caller]
fn drawn<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Actor {
    start(|| Actor::spawn(args))
}

fn see_all(words: &[String]) -> Vec<TargetReport> {
    let targets: Vec<Target> = words.iter().map(|word| parse(word).unwrap()).collect();
    see_by(&LiveHost::default(), &targets, &LookOptions::default())
}

/// The actor's port, TCP alone.
fn tcp(actor: &Actor) -> String {
    format!("tcp:{}", actor.port())
}

fn udp(actor: &Actor) -> String {
    format!("udp:{}", actor.port())
}

/// The only cause of an answer.
#[track_caller]
fn only(report: &TargetReport) -> &CauseReport {
    assert_eq!(report.causes.len(), 1, "{report:#?}");
    &report.causes[0]
}

/// The cause of that kind.
#[track_caller]
fn cause(report: &TargetReport, kind: CauseKind) -> &CauseReport {
    let found = report.causes.iter().find(|cause| cause.kind == kind);
    found.unwrap_or_else(|| panic!("no {kind:?} in {report:#?}"))
}

/// An answer of one certain cause, held by these processes, topmost first.
#[track_caller]
fn assert_held(report: &TargetReport, kind: CauseKind, pids: &[u32]) {
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    let cause = only(report);
    assert_eq!((cause.kind, cause.certain), (kind, true), "{report:#?}");
    assert_eq!(cause.pids, pids, "{report:#?}");
    assert!(pids.iter().all(|pid| report.processes.iter().any(|process| process.pid == *pid)));
    assert!(cause.expires_ms.is_none() && !cause.explain.is_empty(), "{report:#?}");
}

#[track_caller]
fn socket_of(report: &TargetReport, inode: u64) -> &SocketReport {
    let found = report.sockets.iter().find(|socket| socket.inode == Some(inode));
    found.unwrap_or_else(|| panic!("no socket {inode} in {report:#?}"))
}

/// Who holds the socket, and by what.
#[track_caller]
fn holds_of(report: &TargetReport, inode: u64) -> Vec<(u32, HeldBy)> {
    let holders = &socket_of(report, inode).holders;
    holders
        .iter()
        .map(|holder| {
            let by = holder.by.or(holder.fd.map(HeldBy::Descriptor)).unwrap();
            (holder.pid, by)
        })
        .collect()
}

/// The descriptors of a process that are the socket, as holds.
fn descriptors(pid: u32, inode: u64) -> Vec<(u32, HeldBy)> {
    let found = proc_testkit::procfs::descriptors(&format!("/proc/{pid}/fd"), inode);
    found.into_iter().map(|fd| (pid, HeldBy::Descriptor(fd.cast_signed()))).collect()
}

/// Rows of the bind table as `address plain reuse`.
fn bind_rows(report: &TargetReport) -> Vec<String> {
    let row = |row: &proc_core::report::BindRow| {
        format!("{} {} {}", row.address, row.plain, row.reuse_addr)
    };
    report.bind.iter().map(row).collect()
}

fn gap_words(report: &TargetReport) -> String {
    report.gaps.iter().map(|gap| gap.what.as_str()).collect::<Vec<_>>().join("; ")
}

/// A port outside the ephemeral range that nothing has in TCP or UDP. Each is given out once.
fn quiet_port() -> u16 {
    quiet_ports(1)
}

/// The first of so many quiet ports in a row.
fn quiet_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test runs of one machine begin at different places.
    let start = 10_000 + u16::try_from(std::process::id() % 4_500).unwrap();
    for _ in 0..200 {
        let first = start + NEXT.fetch_add(count, Ordering::Relaxed) % 400;
        let _shared = LOOKING.read().unwrap_or_else(PoisonError::into_inner);
        if (first..first + count).all(is_free) {
            return first;
        }
    }
    panic!("no {count} ports in a row are free");
}

/// Whether plain binds of the port succeed: unlike the standard library's, they meet TIME-WAIT.
fn is_free(port: u16) -> bool {
    [SocketType::STREAM, SocketType::DGRAM].into_iter().all(|kind| {
        let any: [std::net::SocketAddr; 2] =
            [(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()];
        any.into_iter().all(|address| {
            let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
            // Where there is no IPv6, IPv4 decides.
            socket_with(family, kind, SocketFlags::CLOEXEC, None)
                .is_ok_and(|socket| bind(&socket, &address).is_ok())
                || (address.is_ipv6() && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err())
        })
    })
}

/// Looks in a process of its own under limits.
struct Confined {
    limits: Vec<Limit>,
    command: Command,
}

impl Confined {
    fn new(limits: &[Limit]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["looks_for_another_test", "--exact", "--nocapture", "--test-threads=1"]);
        Self { limits: limits.to_vec(), command }
    }

    /// As an ordinary user, whom this process becomes if it is root.
    fn as_user(limits: &[Limit]) -> Self {
        let mut limits = limits.to_vec();
        limits.extend(is_root().then(|| Limit::User(unprivileged_uid())));
        Self::new(&limits)
    }

    fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    fn directory(mut self, path: &std::path::Path) -> Self {
        self.command.current_dir(path);
        self
    }

    #[track_caller]
    fn see(self, words: &[String]) -> Vec<TargetReport> {
        let limits = self.limits.clone();
        let output = self.run(words);
        answer(&output).unwrap_or_else(|| panic!("no answer under {limits:?}: {output:?}"))
    }

    /// Like [`Confined::see`]; `None` where the script before it failed.
    fn try_see(self, word: &str) -> Option<Vec<TargetReport>> {
        answer(&self.run(&[word.to_owned()]))
    }

    fn run(self, words: &[String]) -> Output {
        let Self { limits, command } = self.env("PROC_LIVE_TARGETS", &words.join("\n"));
        let mut command = confined(&limits, &command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        start(|| command.spawn()).unwrap().wait_with_output().unwrap()
    }

    #[track_caller]
    fn see_one(self, word: &str) -> TargetReport {
        self.see(&[word.to_owned()]).remove(0)
    }
}

fn answer(output: &Output) -> Option<Vec<TargetReport>> {
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| Some(line.split_once(MARK)?.1))?;
    assert!(output.status.success(), "{output:?}");
    Some(serde_json::from_str(line).unwrap())
}

const MARK: &str = "answer:";

/// Not a test of its own: it is what runs in the processes that [`Confined`] starts.
#[test]
fn looks_for_another_test() {
    let Ok(words) = std::env::var("PROC_LIVE_TARGETS") else { return };
    let targets: Vec<Target> = words.lines().map(|word| parse(word).unwrap()).collect();
    let asks = |name: &str| std::env::var_os(name).is_some();
    if let Ok(script) = std::env::var("PROC_LIVE_BEFORE") {
        assert!(Command::new("sh").args(["-ec", &script]).status().unwrap().success());
    }
    let options =
        LookOptions { all_namespaces: asks("PROC_LIVE_ALL_NAMESPACES"), ..Default::default() };
    let host = match asks("PROC_LIVE_BLIND") {
        true => LiveHost::default().blind_to_bound(),
        false => LiveHost::default(),
    };
    let reports = look(&host, &targets, &options);
    println!("{MARK}{}", serde_json::to_string(&reports).unwrap());
}

/// An actor that belongs to the ordinary user of [`Confined::as_user`].
fn actor_of_user(args: &[&str]) -> Actor {
    let uid = unprivileged_uid().to_string();
    let mut args = args.to_vec();
    if is_root() {
        args.extend(["--uid", &uid]);
    }
    play(&args)
}

/// The uid that [`Confined::as_user`] looks as.
fn user() -> u32 {
    if is_root() { unprivileged_uid() } else { rustix::process::geteuid().as_raw() }
}

fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        skip("this machine has no IPv6");
    }
    has
}

/// True as root; says that the test is skipped otherwise.
fn root_or_skip() -> bool {
    if !is_root() {
        skip("it takes on other users and namespaces, which needs root");
    }
    is_root()
}
