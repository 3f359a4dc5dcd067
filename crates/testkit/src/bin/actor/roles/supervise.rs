//! A parent that starts its child again whenever it dies, on the same port: `supervise --delay MS -- ROLE …`.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process};

use crate::options::wrong;
use crate::roles::families::sigterm_came;
use crate::stage::{Stage, pause, stdin_closed, wait_for};
use crate::sys;

/// Says `ready` with its first child (`child=`), that one's port and inode, and restarts it `--delay` ms
/// after each death until SIGTERM, which ends both.
pub fn supervise(stage: &Stage) -> io::Result<()> {
    let signals = sys::signal_fd(&[Signal::TERM, Signal::CHILD])?;
    let mut args = stage.options.command.clone();
    let (child, line) = start(&args)?;
    let port: u16 = number(&line, "port=")?;
    stage.ready_with(port, number(&line, "inode=")?, &[("child", child.id().to_string())])?;
    args.extend(["--port".into(), port.to_string().into()]);

    let mut state = State::Running(child);
    loop {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        wait_for(&mut fds, state.time_left());
        if !fds[0].revents().is_empty() && stdin_closed() {
            return Ok(());
        }
        if sigterm_came(&signals) {
            return state.end();
        }
        state = state.next(&args, stage.options.delay)?;
    }
}

enum State {
    Running(Child),
    RestartAt(Instant),
}

impl State {
    fn time_left(&self) -> Option<Duration> {
        match self {
            Self::Running(_) => None,
            Self::RestartAt(at) => Some(at.saturating_duration_since(Instant::now())),
        }
    }

    fn next(self, args: &[OsString], delay: Duration) -> io::Result<Self> {
        match self {
            Self::Running(mut child) => Ok(match child.try_wait()? {
                Some(_) => Self::RestartAt(Instant::now() + delay),
                None => Self::Running(child),
            }),
            Self::RestartAt(at) if at > Instant::now() => Ok(Self::RestartAt(at)),
            // A child that cannot begin (the port is taken) is tried again, as supervisors do.
            Self::RestartAt(_) => Ok(start(args)
                .map_or(Self::RestartAt(Instant::now() + delay), |(child, _)| {
                    Self::Running(child)
                })),
        }
    }

    fn end(self) -> io::Result<()> {
        let Self::Running(mut child) = self else { return Ok(()) };
        if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
            // Our own unreaped child: the PID cannot have been given to anybody else.
            kill_process(pid, Signal::TERM)?;
        }
        let end = Instant::now() + Duration::from_secs(2);
        while child.try_wait()?.is_none() {
            if Instant::now() > end {
                child.kill()?;
            }
            pause(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Starts the child and waits for its first line; the child watches the same stdin as this process.
fn start(args: &[OsString]) -> io::Result<(Child, String)> {
    let mut child =
        Command::new(std::env::current_exe()?).args(args).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.starts_with("ready ") {
        return Ok((child, line));
    }
    child.wait()?;
    Err(wrong(format!("the child said {line:?}")))
}

fn number<T: std::str::FromStr>(line: &str, key: &str) -> io::Result<T> {
    let value = line.split_whitespace().find_map(|field| field.strip_prefix(key));
    let value = value.and_then(|value| value.parse().ok());
    value.ok_or_else(|| wrong(format!("no {key} in {line:?}")))
}
