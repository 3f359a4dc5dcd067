//! Running a program with less than this one has: `confined LIMIT… -- PROGRAM…`.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{
    Resource, Rlimit, Signal, WaitOptions, set_parent_process_death_signal, setrlimit, waitpid,
};

use crate::options::{Options, wrong};
use crate::roles::namespaces::{exit_as, loopback_up};
use crate::sys;

/// Takes on each limit in the order given, then becomes the program.
pub fn run(options: &Options) -> io::Result<()> {
    let Some((name, _)) = options.command.split_first() else {
        return Err(wrong("which command?"));
    };
    // Opened first: it may be out of reach for the user it will run as.
    let program = open(in_path(name), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    for limit in &options.operands {
        take_on(limit)?;
    }
    let args = options.command.iter().map(|arg| CString::new(arg.as_bytes()));
    Err(sys::become_program(&program, &args.collect::<Result<Vec<_>, _>>()?))
}

fn take_on(limit: &OsStr) -> io::Result<()> {
    let limit = limit.to_str().unwrap_or_default();
    let (name, value) = limit.split_once('=').unwrap_or((limit, ""));
    let number = || value.parse::<u32>().map_err(|_| wrong(format!("{name} needs a number")));
    match name {
        "own-network" => {
            sys::unshare(libc::CLONE_NEWNET)?;
            loopback_up()
        }
        "network-of" => sys::enter_network(&network_of(number()?)?),
        "own-pids" => enter_own_pids(),
        "hide-pid" => {
            sys::unshare(libc::CLONE_NEWNS)?;
            sys::mount_over_proc(c"proc", c"hidepid=2")
        }
        "no-proc" => {
            sys::unshare(libc::CLONE_NEWNS)?;
            sys::mount_over_proc(c"tmpfs", c"")
        }
        "files" => {
            let count = Some(u64::from(number()?));
            Ok(setrlimit(Resource::Nofile, Rlimit { current: count, maximum: count })?)
        }
        // CAP_SYS_PTRACE of linux/capability.h.
        "no-ptrace" => sys::never_again(19),
        "user" => sys::become_user(number()?),
        "no-netlink" => sys::refuse_family(libc::AF_NETLINK),
        _ => Err(wrong(format!("no such limit: {limit}"))),
    }
}

fn network_of(pid: u32) -> io::Result<OwnedFd> {
    let path = format!("/proc/{pid}/ns/net");
    Ok(open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The child goes on as PID 1 of the namespace; this process waits and exits as it did.
fn enter_own_pids() -> io::Result<()> {
    sys::unshare(libc::CLONE_NEWPID | libc::CLONE_NEWNS)?;
    match sys::fork()? {
        Some(child) => match waitpid(Some(child), WaitOptions::empty())? {
            Some((_, status)) => exit_as(status),
            None => Err(wrong("the program is gone")),
        },
        None => {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            sys::mount_own_proc()
        }
    }
}

/// The program's path, by PATH where its name has no slash.
fn in_path(name: &OsStr) -> PathBuf {
    let direct = PathBuf::from(name);
    if name.as_bytes().contains(&b'/') {
        return direct;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .unwrap_or(direct)
}
