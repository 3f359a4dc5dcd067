//! Tells every change of ports as it happens. Two halves: one thread only sees, by short looks and
//! the kernel's news of ended sockets ([`change`], [`pace`]); the other names who it was, which
//! takes milliseconds, and tells in the order of what happened. Nothing here prints.

pub mod change;
mod judge;
mod lens;
pub mod pace;
mod population;
mod sensor;
mod teller;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::time::Duration;

use crate::host::Host;
use crate::report::WatchEvent;
use crate::snapshot::Scope;
use crate::target::Target;

use lens::Lens;
use sensor::{Wiring, sense};
use teller::Teller;

/// What is to be watched, and how it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Ports, sockets and processes; everything with a port if there are none.
    pub targets: Vec<Target>,
    /// Leave out what is there at the beginning.
    pub changes_only: bool,
    /// Count open connections too, once a second at most.
    pub clients: bool,
    /// Leave secrets in arguments as they are.
    pub show_secrets: bool,
    /// Stop after that long.
    pub duration: Option<Duration>,
    /// Stop after that many changes.
    pub count: Option<usize>,
}

/// Who is told.
pub trait Audience {
    /// Takes an event; false ends the watch.
    fn tell(&mut self, event: &WatchEvent) -> bool;

    /// Whether anybody is still there, asked about once a second while nothing happens.
    fn listens(&mut self) -> bool {
        true
    }
}

/// Why there is nothing to watch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// A process was named by its number, and there is none.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// The same with a bare number, which may have meant a port.
    #[error("there is no process {0}; for the port of that number say :{0}")]
    NoProcessOrPort(u32),
}

/// As many pieces of news may wait to be told; beyond that they are counted and the count told.
const QUEUE: usize = 65_536;

/// Watches until the audience has enough, the host is interrupted, or the time is over.
///
/// # Errors
/// [`WatchError`], before anything is told.
pub fn watch(
    host: &(dyn Host + Sync),
    wish: &Wish,
    audience: &mut dyn Audience,
) -> Result<(), WatchError> {
    let lens = Lens::new(&wish.targets);
    let (pins_in, pins) = channel();
    let (news_in, news) = sync_channel(QUEUE);
    let stop = AtomicBool::new(false);
    let mut teller = Teller::new(host, wish, &lens, audience, pins_in);
    if !teller.begin()? {
        return Ok(());
    }
    let own = Scope { pids: vec![std::process::id()], ..Scope::default() };
    let wiring = Wiring {
        lens: &lens,
        ephemeral: host.snapshot(&own).policy.ephemeral,
        duration: wish.duration,
        stop: &stop,
        pins,
        news: news_in,
    };
    std::thread::scope(|scope| {
        scope.spawn(|| sense(host, wiring));
        teller.listen(&news);
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}
