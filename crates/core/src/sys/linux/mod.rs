//! Linux: sock_diag, `/proc`, pidfds. [`LiveHost`] ties them to the [`Host`] seam.

mod act;
mod addresses;
pub(crate) mod at_once;
mod cgroup;
mod children;
mod circumstances;
mod condition;
mod engine;
mod file_use;
mod glance;
mod holders;
pub(crate) mod keep;
mod namespaces;
mod options;
mod probe;
pub mod process;
mod pulse;
mod redirects;
pub(crate) mod revive;
mod script;
mod see;
mod sock_diag;
mod units;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::addr::{Endpoint, Transport};
use crate::bind::{Attempt, BindResult};
use crate::condition::Condition;
use crate::doctor::Circumstances;
use crate::engine::{ContainerFacts, EngineAnswer, EngineWish};
use crate::file_use::{FileWish, FilesSeen};
use crate::host::{ActError, Glance, Host, Pinned, Ran, Watch, Woken, WorkTrees};
use crate::process::{Process, ProcessId};
use crate::redirect::RedirectAnswer;
use crate::snapshot::{Scope, Snapshot};
use crate::socket::{Holder, Socket};
use crate::stuck::{Pulse, PulseScope, WaitingPlace};
use crate::unit::{UnitAnswer, UnitWish};
use crate::windows::{WindowsFacts, WindowsWish, networking_mode};

pub(crate) use act::{Events, Handle};
pub(crate) use engine::connected;

/// Closes a connection by a reset (SO_LINGER of zero, socket(7)): neither end keeps a TIME-WAIT.
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
    blind_to_bound: bool,
    /// Kept open from one glance to the next.
    diag: Mutex<Option<sock_diag::SockDiag>>,
}

impl Default for LiveHost {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            interrupt: None,
            blind_to_bound: false,
            diag: Mutex::default(),
        }
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

    /// As on a kernel that does not list bound sockets (before 6.8): for tests.
    #[must_use]
    pub fn blind_to_bound(mut self) -> Self {
        self.blind_to_bound = true;
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
        see::snapshot(scope, self.blind_to_bound)
    }

    fn servers(&self, endpoints: &[Endpoint], look: Glance) -> Option<Vec<Socket>> {
        // A panic while it was held leaves at worst an answer unread, which the next use drops.
        let mut diag = self.diag.lock().unwrap_or_else(|poisoned| {
            let mut diag = poisoned.into_inner();
            *diag = None;
            diag
        });
        glance::servers(&mut diag, endpoints, look, self.blind_to_bound)
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

    fn watch(&self, cookies: &[u64]) -> Watch {
        act::watch(cookies)
    }

    fn wait(&self, processes: &[&Pinned], watch: &mut Watch, timeout: Duration) -> Woken {
        act::wait(processes, watch, self.interrupt.as_ref().map(AsFd::as_fd), timeout)
    }

    fn destroy(&self, socket: &Socket) -> Result<(), ActError> {
        act::destroy(socket)
    }

    fn reset_time_wait(&self, socket: &Socket) -> Result<(), ActError> {
        act::reset_time_wait(socket)
    }

    fn remove_file(&self, path: &str) -> std::io::Result<()> {
        std::fs::remove_file(path)
    }

    /// Of Windows nothing but how its network is tied to this one, where this is WSL.
    fn windows(&self, wish: &WindowsWish, limit: Duration) -> WindowsFacts {
        let ask = || {
            let ran = self.run(&["wslinfo", "--networking-mode"].map(str::to_owned), limit);
            if ran.success { networking_mode(&ran.output) } else { None }
        };
        let networking = wish.networking.then(ask).flatten();
        WindowsFacts { networking, ..WindowsFacts::default() }
    }

    fn redirects(&self, ports: &[u16]) -> RedirectAnswer {
        redirects::answer(ports)
    }

    fn file_uses(&self, wish: &FileWish) -> Option<FilesSeen> {
        Some(file_use::see(wish))
    }

    fn pulses(&self, of: &PulseScope) -> Option<Vec<Pulse>> {
        pulse::pulses(of)
    }

    fn waiting_place(&self, pid: u32, tid: u32) -> Option<WaitingPlace> {
        pulse::waiting_place(pid, tid)
    }

    fn streams(&self, pid: u32) -> Vec<String> {
        let link = |fd: u32| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok();
        (0..3).filter_map(link).map(|path| path.to_string_lossy().into_owned()).collect()
    }

    fn frozen(&self, groups: &[String]) -> Vec<String> {
        groups.iter().filter(|group| cgroup::is_frozen(group)).cloned().collect()
    }

    fn circumstances(&self) -> Circumstances {
        circumstances::circumstances()
    }

    fn environment(&self, pid: u32) -> Option<Vec<u8>> {
        process::environment(pid)
    }

    fn work_trees(&self, directories: &[String], limit: Duration) -> WorkTrees {
        super::work_tree::of_all(directories, limit)
    }

    fn units(&self, wish: &UnitWish, limit: Duration) -> UnitAnswer {
        units::units(wish, limit)
    }

    fn children(&self, pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
        children::children(pids)
    }

    fn condition(&self, pid: u32) -> Option<Condition> {
        condition::condition(pid)
    }

    fn open_files(&self, pids: &[u32]) -> BTreeMap<u32, usize> {
        process::open_files(pids)
    }

    fn script(&self, shell: &Process, limit: Duration) -> Option<String> {
        script::script(shell, limit)
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
        super::engine::both(|| engine::containers(engines, limit), || units::units(wish, limit))
    }

    fn stop_container(&self, container: &ContainerFacts, timeout: Duration) -> Ran {
        engine::stop(container, self.interrupt.as_ref().map(AsFd::as_fd), timeout)
    }

    fn run(&self, argv: &[String], timeout: Duration) -> Ran {
        act::run(argv, self.interrupt.as_ref().map(AsFd::as_fd), timeout)
    }
}
