//! Windows: the tables of iphlpapi, Toolhelp, process handles. [`LiveHost`] ties them to the [`Host`]
//! seam.

mod act;
mod addresses;
mod asked;
mod asking;
mod beginning;
mod command;
mod console;
mod directory;
mod enclosure;
mod engine;
mod handle;
mod job;
pub(crate) mod keep;
pub(crate) mod ledger;
mod library;
mod memory;
mod names;
mod probe;
mod process;
pub(crate) mod revive;
mod screen;
mod see;
mod services;
pub mod streams;
mod succession;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::addr::Transport;
use crate::bind::{Attempt, BindResult};
use crate::doctor::Circumstances;
use crate::engine::{ContainerFacts, EngineAnswer, EngineWish};
use crate::host::{ActError, Enclosure, Host, Pinned, Ran, Watch, Woken, WorkTrees};
use crate::process::{Process, ProcessId};
use crate::snapshot::{Scope, Snapshot};
use crate::socket::{Holder, Socket};
use crate::windows::{WindowsFacts, WindowsWish};

pub use asking::tell_console;
pub use beginning::found;
pub use console::{Controls, Interrupt};
pub(crate) use handle::Handle;
pub use job::JobObject;
pub(crate) use probe::{bound_only, listener};
pub use screen::Screen;

/// Windows gives no news of sockets.
#[derive(Debug)]
pub(crate) enum Events {}

/// Closes a connection in the ordinary way: what it leaves stops no bind here.
pub(crate) fn close_without_remains(stream: TcpStream) {
    drop(stream);
}

/// This machine.
#[derive(Debug)]
pub struct LiveHost {
    started: Instant,
    interrupt: Option<Interrupt>,
    teller: Vec<OsString>,
}

impl Default for LiveHost {
    fn default() -> Self {
        Self { started: Instant::now(), interrupt: None, teller: Vec::new() }
    }
}

impl LiveHost {
    /// Whether this system's sockets and processes can be seen: yes.
    pub const SEES: bool = true;

    /// Whether ports can be kept from others: yes.
    pub const KEEPS: bool = true;

    /// Whether a command can be handed a socket that listens: no.
    pub const PASSES: bool = false;

    /// Whether what was ended can be started again: yes.
    pub const REVIVES: bool = true;

    /// Whether a signal can be sent that does not end a process: no.
    pub const SIGNALS: bool = false;

    /// This machine, with what tells that the person wants to stop: it ends every wait.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = Some(interrupt);
        self
    }

    /// This machine, with the words that start a process which calls [`tell_console`] for the number
    /// and the start that come behind them. Without, who has no window cannot be asked.
    #[must_use]
    pub fn with_teller(mut self, words: Vec<OsString>) -> Self {
        self.teller = words;
        self
    }
}

impl Host for LiveHost {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn snapshot(&self, scope: &Scope) -> Snapshot {
        see::snapshot(scope)
    }

    fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt {
        probe::attempt(transport, address)
    }

    fn probe(&self, transport: Transport, address: SocketAddr) -> BindResult {
        probe::plain(transport, address)
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        addresses::all()
    }

    fn unix_refuses(&self, _: &str) -> Option<bool> {
        None
    }

    fn pin(&self, id: ProcessId) -> Result<Pinned, ActError> {
        act::pin(id)
    }

    fn still_holds(&self, pinned: &Pinned, holder: &Holder, inode: u64) -> bool {
        act::still_holds(pinned, holder, inode)
    }

    fn signal(&self, pinned: &Pinned, signal: i32) -> Result<(), ActError> {
        act::signal(pinned, signal, &self.teller)
    }

    fn exited(&self, pinned: &Pinned) -> bool {
        act::exited(pinned)
    }

    fn wait(&self, processes: &[&Pinned], _: &mut Watch, timeout: Duration) -> Woken {
        act::wait(processes, self.interrupt.as_ref(), timeout)
    }

    fn destroy(&self, socket: &Socket) -> Result<(), ActError> {
        act::destroy(socket)
    }

    fn remove_file(&self, path: &str) -> std::io::Result<()> {
        std::fs::remove_file(path)
    }

    fn environment(&self, pid: u32) -> Option<Vec<u8>> {
        process::environment(pid)
    }

    fn work_trees(&self, directories: &[String], limit: Duration) -> WorkTrees {
        super::work_tree::of_all(directories, limit)
    }

    fn children(&self, pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
        see::children(pids)
    }

    fn descendants(&self, pins: &[&Pinned]) -> Option<Vec<ProcessId>> {
        Some(see::descendants(pins))
    }

    fn enclosure(&self) -> Option<Box<dyn Enclosure>> {
        enclosure::new()
    }

    fn windows(&self, wish: &WindowsWish, limit: Duration) -> WindowsFacts {
        asked::facts(wish, limit)
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances { engines: engine::pipes_here(), ..Circumstances::default() }
    }

    fn containers(&self, wish: &EngineWish, limit: Duration) -> EngineAnswer {
        engine::containers(wish, limit)
    }

    fn stop_container(&self, container: &ContainerFacts, timeout: Duration) -> Ran {
        engine::stop(container, self.interrupt.as_ref(), timeout)
    }

    fn run(&self, argv: &[String], timeout: Duration) -> Ran {
        command::run(argv, self.interrupt.as_ref(), timeout)
    }
}
