//! What every role does the same: dress up, say `ready` once, and live until told to end.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, Pid, Signal, set_dumpable_behavior};

use crate::open;
use crate::options::{OnTerm, Options};
use crate::sys;

/// A role's surroundings: its options, and SIGTERM as a descriptor where a role answers it.
pub struct Stage {
    pub options: Options,
    signals: Option<OwnedFd>,
}

impl Stage {
    /// Takes on the user, the name and the memory that were asked for, and prepares SIGTERM. Call it
    /// before any fork or thread, so that they inherit all of it.
    pub fn prepare(options: Options) -> io::Result<Self> {
        // The standard library passes the mask of whoever spawns on: a supervisor blocks SIGTERM.
        sys::unblock_signals()?;
        if let Some(uid) = options.uid {
            sys::become_user(uid)?;
            // Changing credentials makes a process non-dumpable, which hides its descriptors even from
            // its own user (prctl(2)). A service that a manager starts is not so.
            set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        }
        if let Some(name) = &options.name {
            let name = std::ffi::CString::new(name.as_bytes())?;
            rustix::thread::set_name(&name)?;
        }
        if options.memory_mb > 0 {
            // Written, so that the pages exist; leaked, so that they stay.
            Box::leak(vec![1_u8; options.memory_mb << 20].into_boxed_slice());
        }
        let signals = match options.on_term {
            OnTerm::Default => None,
            OnTerm::Ignore => {
                sys::ignore_sigterm();
                None
            }
            _ => Some(sys::signal_fd(&[Signal::TERM])?),
        };
        Ok(Self { options, signals })
    }

    /// The stage of a forked worker, which dresses as its master did and dies of SIGTERM.
    pub fn for_worker(options: Options) -> Self {
        Self { options, signals: None }
    }

    /// Starts the extra threads and says that the role is played: the one line the test waits for.
    pub fn ready(&self, socket: Option<&OwnedFd>, more: &[(&str, String)]) -> io::Result<()> {
        let port = socket.and_then(|socket| open::local(socket).ok()).map_or(0, |at| at.port());
        let inode = socket.map_or(Ok(0), open::inode)?;
        self.ready_with(port, inode, more)
    }

    /// Like [`Stage::ready`], for a socket that can no longer be asked.
    pub fn ready_with(&self, port: u16, inode: u64, more: &[(&str, String)]) -> io::Result<()> {
        for _ in 0..self.options.threads {
            std::thread::Builder::new().stack_size(64 << 10).spawn(|| {
                loop {
                    std::thread::park();
                }
            })?;
        }
        let mut line = format!("ready pid={} port={port} inode={inode}", std::process::id());
        for (key, value) in more {
            line.push_str(&format!(" {key}={value}"));
        }
        line.push('\n');
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.flush()
    }

    /// Lives, with these listeners open, until stdin closes, SIGTERM is answered or `--for` passes.
    pub fn live(&self, listeners: Vec<OwnedFd>) -> ! {
        let mut life = Life {
            listeners,
            connections: Vec::new(),
            end: self.options.life.map(|life| Instant::now() + life),
            leave_when_idle: false,
        };
        loop {
            if life.is_over() {
                leave();
            }
            self.step(&mut life);
        }
    }

    fn step(&self, life: &mut Life) {
        let accepting = usize::from(self.options.accept);
        let stdin = io::stdin();
        let mut fds = vec![PollFd::new(&stdin, PollFlags::IN)];
        fds.extend(self.signals.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let first_listener = fds.len();
        let listeners = life.listeners.len() * accepting;
        fds.extend(life.listeners[..listeners].iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(life.connections.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        wait_for(&mut fds, life.end.map(|end| end.saturating_duration_since(Instant::now())));
        let fired: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);

        if fired[0] && stdin_closed() {
            leave();
        }
        // Connections first: accepting appends to the list that `fired` describes.
        life.drop_finished(&fired[first_listener + listeners..]);
        life.accept_from(&fired[first_listener..first_listener + listeners]);
        if let Some(signals) = self.signals.as_ref().filter(|_| fired[1]) {
            sys::drain(signals);
            self.answer_term(life);
        }
    }

    fn answer_term(&self, life: &mut Life) {
        let (time, closes) = match self.options.on_term {
            OnTerm::Default | OnTerm::Ignore => return,
            OnTerm::Drain(time) => (time, true),
            OnTerm::CloseThenDrain(time) => {
                life.leave_when_idle = true;
                (time, true)
            }
            OnTerm::ExitAfter(time) => (time, false),
        };
        if closes {
            life.listeners.clear();
        }
        life.end = Some(Instant::now() + time);
    }
}

/// Ends this process, and only it, successfully.
#[expect(clippy::exit, reason = "forked roles have no main to return to")]
pub fn leave() -> ! {
    std::process::exit(0)
}

/// Waits until one of the descriptors is ready or the time has passed.
pub fn wait_for(fds: &mut [PollFd<'_>], time: Option<Duration>) {
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    // An interrupted wait is a short wait: every caller looks again.
    let _ = poll(fds, time.as_ref());
}

/// Waits for `time`, or until stdin closes; then the process ends.
pub fn pause(time: Duration) {
    let stdin = io::stdin();
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        wait_for(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(left));
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        wait_for(&mut fds, Some(Duration::ZERO));
        if !fds[0].revents().is_empty() && stdin_closed() {
            leave();
        }
    }
}

/// True when nobody can write to our stdin any more: the test has ended. Call it when stdin is ready.
pub fn stdin_closed() -> bool {
    let mut ignored = [0_u8; 64];
    rustix::io::read(io::stdin().as_fd(), &mut ignored).is_ok_and(|count| count == 0)
}

/// Forks a process that kills this one when stdin closes, for roles that cannot watch it themselves
/// (stopped, or another program by then). The guard keeps no descriptor of the role open.
pub fn guard() -> io::Result<Pid> {
    let myself = rustix::process::getpid();
    let handle = rustix::process::pidfd_open(myself, rustix::process::PidfdFlags::empty())?;
    if let Some(guard) = sys::fork()? {
        return Ok(guard);
    }
    let _ = rustix::thread::set_name(c"actor-guard");
    // It must hold nothing of what it guards. No owner of those descriptors runs here again.
    sys::close_all_but(&handle)?;
    loop {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&handle, PollFlags::IN)];
        wait_for(&mut fds, None);
        let closed = !fds[0].revents().is_empty();
        if !fds[1].revents().is_empty() {
            leave();
        }
        if closed && stdin_closed() {
            let _ = rustix::process::pidfd_send_signal(&handle, Signal::KILL);
            leave();
        }
    }
}

struct Life {
    listeners: Vec<OwnedFd>,
    connections: Vec<OwnedFd>,
    end: Option<Instant>,
    leave_when_idle: bool,
}

impl Life {
    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| end <= Instant::now())
            || (self.leave_when_idle && self.connections.is_empty())
    }

    fn drop_finished(&mut self, fired: &[bool]) {
        let mut at = 0;
        self.connections.retain(|connection| {
            let ready = fired[at];
            at += 1;
            !ready || rustix::io::read(connection, &mut [0_u8; 4096]).is_ok_and(|count| count > 0)
        });
    }

    fn accept_from(&mut self, fired: &[bool]) {
        for (listener, _) in self.listeners.iter().zip(fired).filter(|(_, fired)| **fired) {
            // Non-blocking, since another worker may have taken the connection meanwhile.
            let Ok(()) = rustix::io::ioctl_fionbio(listener, true) else { continue };
            if let Ok(connection) = open::accepted(listener) {
                // The greeting names who answered, so that a test can tell workers apart.
                let _ =
                    rustix::io::write(&connection, format!("{}\n", std::process::id()).as_bytes());
                self.connections.push(connection);
            }
        }
    }
}
