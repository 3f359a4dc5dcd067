//! One actor as a test sees it: started, ready, and ended with the test whatever happens.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use crate::{actor_path, wait_until};

const READY: Duration = Duration::from_secs(10);

/// A running actor. Dropping it closes its stdin, at which it and all its children end by themselves,
/// then kills it and those children that it named, if they are still the same processes.
pub struct Actor {
    child: Mutex<Child>,
    stdin: Option<ChildStdin>,
    // Kept, so that a write of the actor never meets a closed pipe.
    _stdout: BufReader<ChildStdout>,
    pid: u32,
    fields: BTreeMap<String, String>,
    children: Vec<(u32, Option<OwnedFd>)>,
}

impl Actor {
    /// Starts `actor ARGS…` and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready within 10 s, with what it said.
    #[track_caller]
    pub fn spawn<S: AsRef<OsStr>>(args: &[S]) -> Self {
        let mut command = Command::new(actor_path());
        command.args(args);
        Self::spawn_command(command)
    }

    /// Like [`Actor::spawn`], from a command that ends up running the actor's binary (as another user,
    /// in a cgroup, under another program that keeps stdin and stdout). Its streams are set here.
    ///
    /// # Panics
    /// When it is not ready within 10 s, with what it said.
    #[track_caller]
    pub fn spawn_command(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start {command:?}: {error}"),
        };
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout was piped");
        let (line, stdout) = match first_line(stdout) {
            Ok(said) => said,
            Err(why) => {
                let _ = child.kill();
                let status = child.wait();
                panic!("{command:?} is not ready: {why} ({status:?})");
            }
        };
        let fields = fields(&line);
        let orphan = command.get_args().take_while(|arg| *arg != "--").any(|arg| arg == "--orphan");
        let own = fields.get("pid").filter(|_| orphan).and_then(|pid| pid.parse().ok());
        let pid = own.unwrap_or(child.id());
        let named = pids(&fields).chain(own);
        let children = named.map(|pid| (pid, handle(pid, stdin.as_ref()))).collect();
        Self { child: Mutex::new(child), stdin, _stdout: stdout, pid, fields, children }
    }

    /// The PID of the actor itself: its first process, which may have ended (`inherit`); with
    /// `--orphan` the one that plays the role, which is also the last of [`Actor::children`].
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The port it holds, 0 for unix sockets.
    ///
    /// # Panics
    /// When the actor did not say it.
    pub fn port(&self) -> u16 {
        self.number("port")
    }

    /// The inode of the socket that holds the port; 0 where nobody owns one.
    ///
    /// # Panics
    /// When the actor did not say it.
    pub fn inode(&self) -> u64 {
        self.number("inode")
    }

    /// The children that it named when it was ready; later ones are in [`crate::procfs::children`].
    pub fn children(&self) -> Vec<u32> {
        self.children.iter().map(|(pid, _)| *pid).collect()
    }

    /// A field of its ready line, such as `tid` or `peer`.
    pub fn field(&self, key: &str) -> Option<&str> {
        self.fields.get(key).map(String::as_str)
    }

    /// A field of its ready line as a number.
    ///
    /// # Panics
    /// When there is no such field, or it is no such number.
    #[track_caller]
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> T {
        let value = self.field(key).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no number {key:?} in {:?}", self.fields))
    }

    /// Signals the actor's own process; false when it has ended.
    pub fn signal(&self, signal: Signal) -> bool {
        // Not reaped while the lock is held, so the PID cannot belong to anybody else.
        let mut child = self.child();
        let running = matches!(child.try_wait(), Ok(None));
        let pid = Pid::from_raw(child.id().cast_signed());
        running && pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// How it ended; `None` while it runs.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// Waits until its own process has ended; false when `time` passed first.
    pub fn wait_exit(&self, time: Duration) -> bool {
        wait_until(time, || self.exited().is_some())
    }

    /// True while its own process runs (stopped ones and those with a dead main thread included).
    pub fn alive(&self) -> bool {
        self.exited().is_none()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let mut child = self.child();
        // The handle signals nothing once it has reaped the process.
        let _ = child.kill();
        let _ = child.wait();
        for handle in self.children.iter().filter_map(|(_, handle)| handle.as_ref()) {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }
}

/// The first line that the actor says, or what went wrong.
fn first_line(stdout: ChildStdout) -> Result<(String, BufReader<ChildStdout>), String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        let result = stdout.read_until(b'\n', &mut line);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        // The test may have given up waiting.
        let _ = sender.send(result.map(|_| (line, stdout)));
    });
    match receiver.recv_timeout(READY) {
        Ok(Ok((line, stdout))) if line.starts_with("ready ") => Ok((line, stdout)),
        Ok(Ok((line, _))) if line.is_empty() => Err("it ended without a word".to_owned()),
        Ok(Ok((line, _))) => Err(format!("it said {line:?}")),
        Ok(Err(error)) => Err(format!("its words cannot be read: {error}")),
        Err(_) => Err(format!("it said nothing for {READY:?}")),
    }
}

fn fields(line: &str) -> BTreeMap<String, String> {
    let pairs = line.split_whitespace().filter_map(|field| field.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn pids(fields: &BTreeMap<String, String>) -> impl Iterator<Item = u32> {
    let list = fields.get("child").map_or("", String::as_str);
    list.split(',').filter_map(|pid| pid.parse().ok())
}

/// A pidfd of a child of the actor, if that is what the PID is: it has the actor's own stdin. A PID of
/// another namespace, or one that was given away meanwhile, is never taken for it.
fn handle(pid: u32, stdin: Option<&ChildStdin>) -> Option<OwnedFd> {
    let pipe = rustix::fs::fstat(stdin?).ok()?.st_ino;
    let handle = pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()?;
    let link = std::fs::read_link(format!("/proc/{pid}/fd/0")).ok()?;
    (link.as_os_str() == &*format!("pipe:[{pipe}]")).then_some(handle)
}
