//! Real processes that get nowhere in each way, and some that only look so.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proc_core::host::LiveHost;
use proc_core::processes::ProcessesWish;
use proc_core::report::{ProcessReport, Reason, ReasonKind};
use proc_core::stuck::{USUAL_WINDOW, stuck};
use proc_testkit::{Actor, Signal, skip, wait_until};

/// What is said of a process, once it has that kind of reason.
#[track_caller]
fn found(pid: u32, kind: ReasonKind) -> (ProcessReport, Reason) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let report = answer();
        let process = report.into_iter().find(|process| process.pid == pid);
        let of_kind = |process: &ProcessReport| {
            process.because.iter().find(|reason| reason.kind == kind).cloned()
        };
        if let Some((process, reason)) = process.clone().and_then(|process| {
            let reason = of_kind(&process)?;
            Some((process, reason))
        }) {
            return (process, reason);
        }
        assert!(Instant::now() < end, "{pid} is not {kind:?}: {process:?}");
    }
}

fn answer() -> Vec<ProcessReport> {
    let wish = ProcessesWish { window: USUAL_WINDOW, ..ProcessesWish::default() };
    let report = stuck(&LiveHost::default(), &wish).unwrap();
    assert!(report.window_ms.unwrap() >= 300, "{report:?}");
    report.processes
}

#[test]
fn a_parent_that_waits_for_its_vfork_child_is_deaf_to_signals() {
    let actor = Actor::spawn(&["vfork-parent"]);
    let (_, reason) = found(actor.pid(), ReasonKind::Uninterruptible);
    assert!(reason.certain, "{reason:?}");
    assert!(reason.explain.contains("deaf to signals (state D)"), "{reason:?}");
}

#[test]
fn stopped_jobs() {
    let actor = Actor::spawn(&["stopped"]);
    let (process, reason) = found(actor.pid(), ReasonKind::Stopped);
    assert!(reason.certain && process.because.len() == 1, "{process:?}");
}

#[test]
fn children_that_nobody_collects_are_told_with_their_parent() {
    let actor = Actor::spawn(&["uncollected"]);
    let child: u32 = actor.number("child");
    let (_, reason) = found(child, ReasonKind::Uncollected);
    assert_eq!(reason.pid, Some(actor.pid()));
    assert!(reason.certain && reason.explain.contains("does not collect it"), "{reason:?}");
}

#[test]
fn processes_at_a_breakpoint_are_told_with_their_debugger() {
    let actor = Actor::spawn(&["traced"]);
    let (_, reason) = found(actor.number("child"), ReasonKind::Traced);
    assert_eq!(reason.pid, Some(actor.pid()), "{reason:?}");
}

#[test]
fn a_thread_that_computes_without_a_pause_is_a_guess() {
    let actor = Actor::spawn(&["spinning"]);
    let (_, reason) = found(actor.pid(), ReasonKind::Spinning);
    assert_eq!(reason.thread, Some(actor.number("tid")));
    assert!(!reason.certain, "a computation may end: {reason:?}");
}

/// A server that does not accept: its queue fills, and it does nothing about it.
#[test]
fn connections_that_are_not_accepted() {
    let actor = Actor::spawn(&["listen", "--backlog", "2"]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, actor.port()));
    // The kernel lets in one more than the limit.
    let clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (process, reason) = found(actor.pid(), ReasonKind::NotAccepting);
    assert!(reason.certain && process.because.len() == 1, "{process:?}");
    assert!(reason.explain.starts_with("3 connections wait to be accepted on tcp:"), "{reason:?}");
    drop(clients);
}

#[test]
fn who_waits_for_clients_or_a_lock_is_not_stuck() {
    let server = Actor::spawn(&["listen", "--threads", "4"]);
    let accepts = Actor::spawn(&["listen", "--accept", "--backlog", "1"]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, accepts.port()));
    let _client = TcpStream::connect(address).unwrap();
    let accepted = || !answer().iter().any(|process| process.pid == accepts.pid());
    assert!(wait_until(Duration::from_secs(20), accepted), "{:?}", answer());
    assert!(!answer().iter().any(|process| process.pid == server.pid()));
}

#[test]
fn a_thawed_process_is_stuck_no_more() {
    let actor = Actor::spawn(&["stopped"]);
    found(actor.pid(), ReasonKind::Stopped);
    assert!(actor.signal(Signal::CONT));
    let runs = || !answer().iter().any(|process| process.pid == actor.pid());
    assert!(wait_until(Duration::from_secs(20), runs), "{:?}", answer());
}

/// As root, where control groups of version 2 can be made.
#[test]
fn frozen_control_groups() {
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(Path::new)
        .into_iter()
        .find(|root| root.join("cgroup.controllers").exists());
    let group = root.map(|root| root.join(format!("proc-test-{}", std::process::id())));
    let Some(group) = group.filter(|group| fs::create_dir(group).is_ok()) else {
        return skip("control groups of version 2 cannot be made here");
    };
    let mut child =
        Command::new("/bin/sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
    fs::write(group.join("cgroup.procs"), child.id().to_string()).unwrap();
    fs::write(group.join("cgroup.freeze"), "1").unwrap();
    let result = std::panic::catch_unwind(|| found(child.id(), ReasonKind::Frozen));
    fs::write(group.join("cgroup.freeze"), "0").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // A group is busy until its last process is wholly gone.
    wait_until(Duration::from_secs(10), || fs::remove_dir(&group).is_ok());
    let (_, reason) = result.unwrap();
    assert!(reason.certain, "{reason:?}");
}
