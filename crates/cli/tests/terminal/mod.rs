//! A terminal of its own for a command, as a terminal emulator gives one: what tests of terminals
//! share. What the commands do in it does not belong here.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use proc_testkit::actor_path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The program just built, or the one that PROC_BIN named when these tests were, such as a static build.
const PROC: &str = match option_env!("PROC_BIN") {
    Some(other) => other,
    None => env!("CARGO_BIN_EXE_proc"),
};
/// Long, so that only what never comes fails.
const LONG: Duration = Duration::from_secs(20);

/// A terminal of its own with a command in it, as a terminal emulator starts one.
pub struct Terminal {
    pub master: File,
    pub child: Child,
    pub seen: String,
}

impl Terminal {
    /// Starts a command in a terminal of 80 columns and 24 lines. `$PROC` is the program.
    pub fn start(words: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        resize(&master, 80, 24);
        let end = || Stdio::from(slave.try_clone().unwrap());
        // A new session with this terminal as its own (setsid(1)). Under nohup SIGHUP is ignored,
        // and would be by everything started here.
        let child = Command::new("env")
            .args(["--default-signal=HUP", "setsid", "--ctty"])
            .args(words)
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("TERM", "xterm"), ("LANG", "C.UTF-8")])
            .envs([("NO_COLOR", "1"), ("PS1", "$ "), ("PROC", PROC)])
            .env("ACTOR", actor_path())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self { master: master.into(), child, seen: String::new() }
    }

    /// `proc run WORDS` as the terminal's first process.
    pub fn run(words: &[&str]) -> Self {
        Self::start(&[&[PROC, "run"], words].concat())
    }

    pub fn key(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    /// Waits until this was shown since the last time, and takes everything up to it.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        let end = Instant::now() + LONG;
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(Instant::now() < end && self.read(), "no {text:?} in {:?}", self.seen);
        }
    }

    /// Reads what comes within a moment; false at the end.
    pub fn read(&mut self) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 })) == Ok(0) {
            return true;
        }
        let mut chunk = [0; 4096];
        // EIO: everybody has closed it.
        let Ok(count @ 1..) = self.master.read(&mut chunk) else { return false };
        self.seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
        true
    }

    /// Waits for the end: how, and what was shown last.
    #[track_caller]
    pub fn end(mut self) -> (ExitStatus, String) {
        let end = Instant::now() + 2 * LONG;
        while self.read() {
            assert!(Instant::now() < end, "it does not end: {:?}", self.seen);
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn resize(master: &OwnedFd, columns: u16, lines: u16) {
    let size = Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).unwrap();
}
