//! Processes that get nowhere, each in another way; none holds a port.

use std::io;

use rustix::process::{Signal, WaitOptions, getpid, kill_process, waitpid};

use crate::stage::{Stage, guard, leave};
use crate::sys;

/// Waits in the kernel, deaf to signals (state D), for a child that has not begun its program
/// (CLONE_VFORK of clone(2)) and never does.
pub fn vfork_parent(stage: &Stage) -> io::Result<()> {
    stage.ready_with(0, 0, &[])?;
    match sys::fork_and_wait_for_exec()? {
        Some(_) => Ok(()),
        None => stage.live(Vec::new()),
    }
}

/// A child that has ended (`child=`), and a parent that does not collect it.
pub fn uncollected(stage: &Stage) -> io::Result<()> {
    let Some(child) = sys::fork()? else { leave() };
    stage.ready_with(0, 0, &[("child", child.to_string())])?;
    stage.live(Vec::new())
}

/// A child (`child=`) that its parent traces and has stopped, as a debugger does at a breakpoint.
pub fn traced(stage: &Stage) -> io::Result<()> {
    let Some(child) = sys::fork()? else {
        guard()?;
        sys::trace_me()?;
        kill_process(getpid(), Signal::STOP)?;
        stage.live(Vec::new())
    };
    waitpid(Some(child), WaitOptions::UNTRACED)?;
    stage.ready_with(0, 0, &[("child", child.to_string())])?;
    stage.live(Vec::new())
}

/// A thread (`tid=`) that computes without end, beside one that waits for the test.
pub fn spinning(stage: &Stage) -> io::Result<()> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // The other end is there as long as the process.
        let _ = tell.send(rustix::thread::gettid());
        loop {
            std::hint::spin_loop();
        }
    });
    let tid = told.recv().map_err(io::Error::other)?;
    stage.ready_with(0, 0, &[("tid", tid.to_string())])?;
    stage.live(Vec::new())
}
