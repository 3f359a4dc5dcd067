//! macOS: the kernel's tables of sockets by sysctl, libproc, kqueues. [`LiveHost`] ties them to the
//! [`Host`] seam. Compiled and linked from other systems; docs/platforms.md says what nobody has
//! yet seen running.

mod act;
mod engine;
mod ffi;
mod holders;
mod jobs;
pub(crate) mod keep;
mod probe;
mod process;
pub(crate) mod revive;
mod script;
mod see;
mod tables;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::addr::Transport;
use crate::bind::{Attempt, BindResult};
use crate::doctor::Circumstances;
use crate::engine::{ContainerFacts, EngineAnswer, EngineWish};
use crate::host::{ActError, Host, Pinned, Ran, Watch, Woken, WorkTrees};
use crate::process::{Process, ProcessId};
use crate::snapshot::{Scope, Snapshot};
use crate::socket::Holder;
use crate::unit::{UnitAnswer, UnitWish};

pub(crate) use act::{Events, Handle};
pub(crate) use engine::connected;

/// Closes a connection by a reset (SO_LINGER of zero, setsockopt(2)): neither end keeps a TIME-WAIT.
pub(crate) fn close_without_remains(stream: TcpStream) {
    // Refused, it closes in the ordinary way.
    let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    drop(stream);
}

/// This machine.
#[derive(Debug)]
pub struct LiveHost {
    started: Instant,
    interrupt: Option<OwnedFd>,
}

impl Default for LiveHost {
    fn default() -> Self {
        Self { started: Instant::now(), interrupt: None }
    }
}

impl LiveHost {
    /// Whether this system's sockets and processes can be seen: yes.
    pub const SEES: bool = true;

    /// Whether ports can be kept from others: yes.
    pub const KEEPS: bool = true;

    /// Whether a command can be handed a socket that listens: yes.
    pub const PASSES: bool = true;

    /// Whether what was ended can be started again: yes.
    pub const REVIVES: bool = true;

    /// Whether a signal can be sent that does not end a process: yes.
    pub const SIGNALS: bool = true;

    /// This machine, with a descriptor that becomes readable when the person wants to stop: it
    /// ends every wait.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: OwnedFd) -> Self {
        self.interrupt = Some(interrupt);
        self
    }
}

impl Host for LiveHost {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn spent(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap_or_default()
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
        ffi::addresses()
    }

    fn unix_refuses(&self, path: &str) -> Option<bool> {
        act::unix_refuses(path)
    }

    fn pin(&self, id: ProcessId) -> Result<Pinned, ActError> {
        act::pin(id)
    }

    fn still_holds(&self, pinned: &Pinned, holder: &Holder, inode: u64) -> bool {
        act::still_holds(pinned, holder, inode)
    }

    fn signal(&self, pinned: &Pinned, signal: i32) -> Result<(), ActError> {
        act::signal(pinned, signal)
    }

    fn exited(&self, pinned: &Pinned) -> bool {
        act::exited(pinned)
    }

    fn wait(&self, processes: &[&Pinned], watch: &mut Watch, timeout: Duration) -> Woken {
        act::wait(processes, watch, self.interrupt.as_ref().map(AsFd::as_fd), timeout)
    }

    fn remove_file(&self, path: &str) -> std::io::Result<()> {
        std::fs::remove_file(path)
    }

    fn circumstances(&self) -> Circumstances {
        let release = ffi::sysctl_by_name(c"kern.osproductversion").unwrap_or_default();
        let release = String::from_utf8_lossy(&release).trim_end_matches('\0').to_owned();
        Circumstances {
            release: Some(release).filter(|release| !release.is_empty()),
            program: ffi::path(std::process::id()),
            engines: engine::sockets_here(),
            service_manager: Some("launchd".to_owned()),
            ..Circumstances::default()
        }
    }

    fn environment(&self, pid: u32) -> Option<Vec<u8>> {
        process::arguments(pid).map(|started| started.environment)
    }

    fn work_trees(&self, directories: &[String], limit: Duration) -> WorkTrees {
        super::work_tree::of_all(directories, limit)
    }

    fn script(&self, shell: &Process, limit: Duration) -> Option<String> {
        script::script(shell, limit)
    }

    fn children(&self, pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
        process::children(pids)
    }

    fn units(&self, wish: &UnitWish, limit: Duration) -> UnitAnswer {
        jobs::units(wish, limit)
    }

    fn containers(&self, wish: &EngineWish, limit: Duration) -> EngineAnswer {
        engine::containers(wish, limit)
    }

    fn managers(
        &self,
        engines: &EngineWish,
        wish: &UnitWish,
        limit: Duration,
    ) -> (EngineAnswer, UnitAnswer) {
        super::engine::both(|| engine::containers(engines, limit), || jobs::units(wish, limit))
    }

    fn stop_container(&self, container: &ContainerFacts, timeout: Duration) -> Ran {
        engine::stop(container, self.interrupt.as_ref().map(AsFd::as_fd), timeout)
    }

    fn run(&self, argv: &[String], timeout: Duration) -> Ran {
        act::run(argv, self.interrupt.as_ref().map(AsFd::as_fd), timeout)
    }
}
