//! Ports held by several processes: inherited, shared, served by workers.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::open;
use crate::options::{Options, wrong};
use crate::stage::{Stage, guard, leave, pause, stdin_closed, wait_for};
use crate::sys;

/// Goes on as a child whose parent has ended: nobody is left who could start it again.
pub fn become_orphan() -> io::Result<()> {
    let parent = rustix::process::getpid();
    if sys::fork()?.is_some() {
        leave();
    }
    while rustix::process::getppid() == Some(parent) {
        pause(Duration::from_millis(1));
    }
    Ok(())
}

/// A child that inherited the listener; its parent exits, or with `--keep-parent` keeps it too.
pub fn inherit(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    let Some(child) = sys::fork()? else { stage.live(vec![listener]) };
    stage.ready(Some(&listener), &[("child", child.to_string())])?;
    if stage.options.keep_parent {
        stage.live(vec![listener]);
    }
    Ok(())
}

/// A listener without close-on-exec, leaked into a `sleep` that the server started.
pub fn exec_inherit(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    rustix::io::fcntl_setfd(&listener, FdFlags::empty())?;
    let Some(child) = sys::fork()? else {
        // A program cannot watch the test's pipe: its guard does, without the listener.
        guard()?;
        // Bounded, should even the guard be killed.
        return Err(Command::new("sleep").arg("120").exec());
    };
    wait_for_exec(child)?;
    stage.ready(Some(&listener), &[("child", child.to_string())])?;
    stage.live(vec![listener])
}

/// An SO_REUSEPORT group of N (2) processes: this one and its children, a socket each (`inodes=`).
pub fn shared(stage: &Stage) -> io::Result<()> {
    let count = stage.options.operand_count(2)?.max(1);
    let first = open::listener(&Options { reuse_port: true, ..stage.options.clone() })?;
    let port = open::local(&first)?.port();
    let again = Options { reuse_port: true, port, ..stage.options.clone() };
    let (mut children, mut inodes) = (Vec::new(), vec![open::inode(&first)?.to_string()]);
    for _ in 1..count {
        let member = open::listener(&again)?;
        inodes.push(open::inode(&member)?.to_string());
        match sys::fork()? {
            Some(child) => children.push(child),
            None => {
                drop(first);
                stage.live(vec![member])
            }
        }
    }
    stage.ready(Some(&first), &[("child", joined(&children)), ("inodes", inodes.join(","))])?;
    stage.live(vec![first])
}

/// A master that opens the listener and N (2) workers that accept on it; a dead worker is replaced.
/// SIGTERM to the master ends all of them.
pub fn workers(stage: &Stage) -> io::Result<()> {
    let count = stage.options.operand_count(2)?;
    let listener = open::listener(&stage.options)?;
    let signals = sys::signal_fd(&[Signal::TERM, Signal::CHILD])?;
    let mut workers = Vec::new();
    for _ in 0..count {
        workers.push(start_worker(stage, &listener)?);
    }
    stage.ready(Some(&listener), &[("child", joined(&workers))])?;
    loop {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        wait_for(&mut fds, None);
        if !fds[0].revents().is_empty() && stdin_closed() {
            return Ok(());
        }
        if sigterm_came(&signals) {
            return end_all(&workers);
        }
        for worker in &mut workers {
            if waitpid(Some(*worker), WaitOptions::NOHANG)?.is_some() {
                *worker = start_worker(stage, &listener)?;
            }
        }
    }
}

/// A listener whose process keeps forking children that inherit it and exit at once.
pub fn fork_storm(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    stage.ready(Some(&listener), &[])?;
    loop {
        let Some(child) = sys::fork()? else { leave() };
        pause(Duration::from_millis(1));
        waitpid(Some(child), WaitOptions::empty())?;
    }
}

/// True when SIGTERM was among the pending signals of a descriptor that also takes SIGCHLD.
pub fn sigterm_came(signals: &OwnedFd) -> bool {
    let mut came = false;
    // struct signalfd_siginfo is 128 bytes and begins with the number (signalfd(2)).
    let mut record = [0_u8; 128];
    while rustix::io::read(signals, &mut record).is_ok_and(|count| count == record.len()) {
        let number = i32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
        came |= number == Signal::TERM.as_raw();
    }
    came
}

fn start_worker(stage: &Stage, listener: &OwnedFd) -> io::Result<Pid> {
    if let Some(worker) = sys::fork()? {
        return Ok(worker);
    }
    sys::unblock_signals()?;
    let worker = Stage::for_worker(Options { accept: true, ..stage.options.clone() });
    worker.live(vec![listener.try_clone()?])
}

fn end_all(workers: &[Pid]) -> io::Result<()> {
    // Our own unreaped children: the PIDs cannot have been given to anybody else.
    for worker in workers {
        kill_process(*worker, Signal::TERM)?;
    }
    for worker in workers {
        waitpid(Some(*worker), WaitOptions::empty())?;
    }
    Ok(())
}

fn joined(pids: &[Pid]) -> String {
    pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn wait_for_exec(child: Pid) -> io::Result<()> {
    let name = format!("/proc/{child}/comm");
    while std::fs::read_to_string(&name)? != "sleep\n" {
        if waitpid(Some(child), WaitOptions::NOHANG)?.is_some() {
            return Err(wrong("sleep(1) could not be started"));
        }
        pause(Duration::from_millis(1));
    }
    Ok(())
}
