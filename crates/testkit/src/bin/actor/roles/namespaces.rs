//! Network namespaces, and a whole small world (PIDs, network, mounts) to run a program in.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::net::{AddressFamily, SocketType, socket_with};
use rustix::process::{
    Signal, WaitOptions, WaitStatus, set_parent_process_death_signal, wait, waitpid,
};

use crate::open;
use crate::options::{Options, wrong};
use crate::sys;

/// Moves this process into a network namespace of its own, with the loopback up; needs root.
pub fn enter_own_network() -> io::Result<()> {
    sys::unshare(libc::CLONE_NEWNET)?;
    loopback_up()
}

/// Runs what follows `--` in new PID, network and mount namespaces and exits as it did. PID 1 there is
/// this program's, which reaps; the command is an ordinary process. Everything dies with either.
pub fn run_inside(options: &Options) -> io::Result<()> {
    sys::unshare(libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWNS)?;
    let Some(init) = sys::fork()? else { return be_init(options) };
    let Some((_, status)) = waitpid(Some(init), WaitOptions::empty())? else {
        return Err(wrong("the init process is gone"));
    };
    exit_as(status)
}

fn be_init(options: &Options) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    sys::mount_own_proc()?;
    loopback_up()?;
    let Some(command) = sys::fork()? else { return Err(exec(options)) };
    loop {
        match wait(WaitOptions::empty())? {
            Some((pid, status)) if pid == command => exit_as(status)?,
            _ => {}
        }
    }
}

fn exec(options: &Options) -> io::Error {
    let Some((program, args)) = options.command.split_first() else {
        return wrong("which command?");
    };
    Command::new(program).args(args).exec()
}

/// Sets the loopback of this network namespace up.
pub fn loopback_up() -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, open::CLOEXEC, None)?;
    sys::loopback_up(&socket)
}

/// Exits with the status; a death by signal becomes 128 + its number, as shells say it.
#[expect(clippy::exit, reason = "the wrapped command's status is the result")]
pub fn exit_as(status: WaitStatus) -> io::Result<()> {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    std::process::exit(status.exit_status().or(signal).unwrap_or(1))
}
