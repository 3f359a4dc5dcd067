//! Copies what a command writes to where it would have gone, reading along: one thread for each
//! way. It never decides that the command has ended; it is told to leave.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use proc_core::message::Failure;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::super::ear::Ear;
use super::super::shared::Shared;
use super::streams::Channel;
use super::terminal::Terminal;
use super::writing::write_all;

/// How long a flood may pause and still be one.
const BREATH: Duration = Duration::from_millis(5);
/// How long the terminal's modes may lag behind a pty that is never silent.
const MODES_LAG: Duration = Duration::from_millis(5);
/// How long no byte may come before the rest is taken to be silent, once the command has ended:
/// the kernel hands a pty's bytes on by a worker of its own.
const SILENCE: Duration = Duration::from_millis(30);
/// How long after the command's end its children's words are still waited for.
const LONGEST_GOODBYE: Duration = Duration::from_millis(500);

/// A copier at work.
#[derive(Debug)]
pub struct Copier {
    thread: JoinHandle<Option<Rest>>,
    waits: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    terminal: Twins,
}

/// A pty and its terminal; gone when the copier has ended, so that nothing keeps the pty open.
type Twins = Arc<Mutex<Option<Terminal>>>;

/// A way that others still write to, when the command that it was made for has ended.
#[derive(Debug)]
pub struct Rest {
    /// Where their bytes come out.
    pub from: OwnedFd,
    /// Where they are to go.
    pub to: OwnedFd,
}

impl Copier {
    /// Starts one. It leaves when the other end of `leave` is closed and nothing comes any more.
    ///
    /// # Errors
    /// There is no thread or descriptor to be had.
    pub fn start(channel: Channel, shared: &Arc<Shared>, leave: OwnedFd) -> io::Result<Self> {
        let terminal = match channel.modes {
            Some(modes) => Some(Terminal::new(&channel.from, &channel.to, modes)?),
            None => None,
        };
        let is_terminal = terminal.is_some();
        let terminal = Arc::new(Mutex::new(terminal));
        let waits = Arc::new(AtomicBool::new(false));
        let copy = Copy {
            from: channel.from,
            to: channel.to,
            terminal: terminal.clone(),
            is_terminal,
            leave,
            ear: Ear::default(),
            shared: shared.clone(),
            waits: waits.clone(),
        };
        let done = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("copier".to_owned());
        let ends = done.clone();
        let thread = thread.spawn(move || copy.run(&ends))?;
        Ok(Self { thread, waits, done, terminal })
    }

    /// Whether it has nothing to copy at the moment, or has ended.
    pub fn is_idle(&self) -> bool {
        self.waits.load(Ordering::Acquire) || self.is_done()
    }

    /// Gives the pty the size that the terminal has now.
    pub fn follow_size(&self) {
        with(&self.terminal, Terminal::follow_size);
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// What is left of its way, where others still write to it. Waits for its end.
    pub fn rest(self) -> Option<Rest> {
        self.thread.join().ok().flatten()
    }
}

struct Copy {
    from: OwnedFd,
    to: OwnedFd,
    terminal: Twins,
    is_terminal: bool,
    leave: OwnedFd,
    ear: Ear,
    shared: Arc<Shared>,
    waits: Arc<AtomicBool>,
}

impl Copy {
    fn run(mut self, done: &AtomicBool) -> Option<Rest> {
        let open = self.copy();
        let heard = self.ear.finish();
        self.tell(heard);
        with(&self.terminal, Terminal::follow_modes);
        self.terminal.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Self { from, to, shared, .. } = self;
        // Closed before this counts as ended: the command's next write fails at once.
        let rest = open.then_some(Rest { from, to });
        done.store(true, Ordering::Release);
        shared.bell.ring();
        rest
    }

    /// Copies until nobody can write any more, nobody reads any more (both false), or it is to
    /// leave (true).
    fn copy(&mut self) -> bool {
        let mut leaving: Option<Instant> = None;
        let mut followed: Option<Instant> = None;
        loop {
            match self.read() {
                Ok(0) => return false,
                Ok(count) => {
                    if followed.is_none_or(|followed| followed.elapsed() >= MODES_LAG) {
                        followed = Some(Instant::now());
                        with(&self.terminal, Terminal::follow);
                    }
                    let bytes = self.ear.last(count);
                    if write_all(&self.to, bytes).is_err() {
                        return false;
                    }
                    self.shared.wrote(bytes, self.is_terminal);
                    let heard = self.ear.take_if_long();
                    self.tell(heard);
                    if leaving.is_some_and(|since| since.elapsed() > LONGEST_GOODBYE) {
                        return true;
                    }
                }
                Err(Errno::AGAIN) if self.ear.is_flooded() && self.comes_within(BREATH) => {}
                Err(Errno::AGAIN) if self.ear.has_untold() => {
                    with(&self.terminal, Terminal::follow);
                    followed = None;
                    let heard = self.ear.take();
                    self.tell(heard);
                }
                Err(Errno::AGAIN) => match leaving {
                    None if self.wait() => leaving = Some(Instant::now()),
                    None => {}
                    Some(_) if !self.comes_within(SILENCE) => return true,
                    Some(_) => {}
                },
                Err(Errno::INTR) => {}
                // EIO: the last of those who had the pty open has closed it (pty(7)).
                Err(_) => return false,
            }
        }
    }

    /// Reads what is there, by [`Ear`]. A pty gives 4 KiB at once at most, whatever it has.
    fn read(&mut self) -> Result<usize, Errno> {
        let room = self.ear.room();
        let mut count = rustix::io::read(&self.from, &mut *room)?;
        while self.is_terminal && count > 0 && room.len() - count >= 4096 {
            match rustix::io::read(&self.from, &mut room[count..]) {
                Ok(more @ 1..) => count += more,
                // Met again by the next call.
                Ok(0) | Err(_) => break,
            }
        }
        self.ear.hear(count);
        Ok(count)
    }

    fn tell(&self, heard: Vec<Failure>) {
        self.shared.heard(heard);
    }

    /// Waits for bytes; true when it is to leave.
    fn wait(&self) -> bool {
        let mut fds =
            [PollFd::new(&self.from, PollFlags::IN), PollFd::new(&self.leave, PollFlags::IN)];
        self.waits.store(true, Ordering::Release);
        let _ = poll(&mut fds, None);
        self.waits.store(false, Ordering::Release);
        !fds[1].revents().is_empty()
    }

    fn comes_within(&self, time: Duration) -> bool {
        let mut fds = [PollFd::new(&self.from, PollFlags::IN)];
        let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
        !matches!(poll(&mut fds, Some(&time)), Ok(0))
    }
}

fn with(terminal: &Twins, act: impl FnOnce(&mut Terminal)) {
    if let Some(terminal) = &mut *terminal.lock().unwrap_or_else(PoisonError::into_inner) {
        act(terminal);
    }
}
