//! Copies what a command writes to where it would have gone, reading along: one thread for each
//! way. It never decides that the command has ended; it is called off.

use std::io::{self, Read, Write};
use std::os::windows::io::AsHandle;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use proc_core::sys::streams::{call_off, waiting};

use super::super::ear::Ear;
use super::super::shared::Shared;
use super::streams::Channel;

/// How long a flood may pause and still be one.
const BREATH: Duration = Duration::from_millis(5);
/// ERROR_OPERATION_ABORTED: the call was called off.
const CALLED_OFF: i32 = 995;

/// A copier at work.
#[derive(Debug)]
pub struct Copier {
    thread: JoinHandle<Option<Channel>>,
    gate: Arc<Mutex<Gate>>,
}

/// Where it is. Looked at under its lock, so that a write is never called off: what of it has gone
/// out nobody could tell.
#[derive(Debug, Default)]
struct Gate {
    /// Whether it waits for bytes, or is about to.
    reads: bool,
    /// Whether it is to leave.
    leaves: bool,
}

impl Copier {
    /// Starts one.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(channel: Channel, shared: &Arc<Shared>) -> io::Result<Self> {
        let gate = Arc::new(Mutex::new(Gate::default()));
        let copy =
            Copy { channel, ear: Ear::default(), shared: shared.clone(), gate: gate.clone() };
        let thread = std::thread::Builder::new().name("copier".to_owned());
        let thread = thread.spawn(move || copy.run())?;
        Ok(Self { thread, gate })
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Whether it waits for bytes, or has ended.
    pub fn is_idle(&self) -> bool {
        lock(&self.gate).reads || self.is_done()
    }

    /// Has it leave, once it has written what it read. To be repeated until [`Copier::is_done`].
    pub fn leave(&self) {
        let mut gate = lock(&self.gate);
        gate.leaves = true;
        if gate.reads {
            call_off(self.thread.as_handle());
        }
    }

    /// What is left of its way, where others still write to it. Waits for its end.
    pub fn rest(self) -> Option<Channel> {
        self.thread.join().ok().flatten()
    }
}

struct Copy {
    channel: Channel,
    ear: Ear,
    shared: Arc<Shared>,
    gate: Arc<Mutex<Gate>>,
}

impl Copy {
    fn run(mut self) -> Option<Channel> {
        let open = self.copy();
        let heard = self.ear.finish();
        self.shared.heard(heard);
        let Self { channel, shared, .. } = self;
        // Closed before this counts as ended: the command's next write fails at once.
        let rest = open.then_some(channel);
        shared.bell.ring();
        rest
    }

    /// Copies until nobody can write any more, nobody reads any more (both false), or it is to
    /// leave (true).
    fn copy(&mut self) -> bool {
        loop {
            match self.read() {
                Ok(None) => return true,
                Ok(Some(0)) => return false,
                Ok(Some(count)) => {
                    let bytes = self.ear.last(count);
                    if self.channel.to.write_all(bytes).is_err() {
                        return false;
                    }
                    self.shared.wrote(bytes, false);
                    let heard = self.ear.take_if_long();
                    self.shared.heard(heard);
                    self.tell_in_a_pause();
                }
                Err(error) if error.raw_os_error() == Some(CALLED_OFF) => {}
                Err(_) => return false,
            }
        }
    }

    /// Waits for bytes, by [`Ear`]; `None` when it is to leave.
    fn read(&mut self) -> io::Result<Option<usize>> {
        {
            let mut gate = lock(&self.gate);
            if gate.leaves {
                return Ok(None);
            }
            gate.reads = true;
        }
        let read = self.channel.from.read(self.ear.room());
        lock(&self.gate).reads = false;
        let count = read?;
        self.ear.hear(count);
        Ok(Some(count))
    }

    fn tell_in_a_pause(&mut self) {
        let comes = || waiting(self.channel.from.as_handle()) > 0;
        if comes() || !self.ear.has_untold() {
            return;
        }
        if self.ear.is_flooded() {
            std::thread::park_timeout(BREATH);
            if comes() {
                return;
            }
        }
        let heard = self.ear.take();
        self.shared.heard(heard);
    }
}

fn lock(gate: &Mutex<Gate>) -> MutexGuard<'_, Gate> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}
