//! The one seam for time and effects: looking, trying, stopping, waiting and the clock. What
//! waits or acts takes a [`Host`]; everything else takes values.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::addr::{Endpoint, Transport};
use crate::bind::{Attempt, BindResult, Rules};
use crate::condition::Condition;
use crate::doctor::Circumstances;
use crate::engine::{ContainerFacts, EngineAnswer, EngineWish};
use crate::file_use::{FileWish, FilesSeen};
use crate::process::{Process, ProcessId};
use crate::redirect::RedirectAnswer;
use crate::snapshot::{Gap, Scope, Snapshot, SocketScope, States};
use crate::socket::{Holder, Protocol, Socket, TcpState};
use crate::stuck::{Pulse, PulseScope, WaitingPlace};
use crate::sys;
use crate::unit::{UnitAnswer, UnitWish};
use crate::windows::{WindowsFacts, WindowsWish};

pub use crate::sys::LiveHost;

/// A process that cannot be mistaken for another: on Linux a pidfd, on macOS a kqueue that hears
/// of its end, on Windows a handle, opened before its identity was checked.
#[derive(Debug)]
pub struct Pinned {
    /// Which process.
    pub id: ProcessId,
    /// The system's handle; a scripted host has none.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "macos", windows)),
        allow(dead_code, reason = "no other system has one yet")
    )]
    pub(crate) handle: Option<sys::Handle>,
}

impl Pinned {
    /// A pin without a handle, for hosts that are not a machine.
    pub const fn scripted(id: ProcessId) -> Self {
        Self { id, handle: None }
    }
}

/// Why something was not done to a process or socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// It ended, or its number now belongs to another.
    #[error("it is gone")]
    Gone,
    /// This user may not.
    #[error("not permitted")]
    Denied,
    /// It has no window that could be told to close and shares its console or has none, and this
    /// system has no other way to ask from outside (Windows).
    #[error(
        "it has no window to close and no console of its own, and Windows has no other way to ask it"
    )]
    CannotBeAsked,
    /// This system or kernel cannot.
    #[error("this system cannot do it")]
    Unsupported,
    /// Another refusal, by the system's error number.
    #[error("the system refused with error {0}")]
    Other(i32),
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// A process ended or a socket was destroyed: look again.
    Event,
    /// The time is over.
    Timeout,
    /// The person asked to stop (SIGINT, SIGTERM).
    Interrupted,
}

/// A stream of "something closed", open from the moment it was made.
#[derive(Debug)]
pub struct Watch {
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "no system but Linux has one yet")
    )]
    pub(crate) events: Option<sys::Events>,
    /// Only these sockets' ends are news, ascending; empty for any.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "no system but Linux has one yet")
    )]
    pub(crate) cookies: Vec<u64>,
    scripted: bool,
    /// What ended and was not taken yet, where somebody wants to know.
    pub(crate) ended: Option<Ended>,
    /// Whether a wait goes on to its end and gathers the news only then: on a machine where
    /// thousands of connections end in a second, waking for each would cost more than it tells.
    pub gathers: bool,
}

/// Sockets that ended, in the order of their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// As the kernel told them at the end: cookie, protocol, addresses; no inode and no user. The
    /// port is 0 where the kernel had chosen it, and no program asked for it.
    pub sockets: Vec<Socket>,
    /// Whether there were more, which the kernel could not deliver: nobody read in time.
    pub lost: bool,
}

/// INET_DIAG_NOCOOKIE (`include/uapi/linux/inet_diag.h`): no socket has this cookie.
const NO_COOKIE: u64 = u64::MAX;

impl Watch {
    /// One that never reports anything.
    pub const fn silent() -> Self {
        Self { events: None, cookies: Vec::new(), scripted: false, ended: None, gathers: false }
    }

    /// One without events of a system, for hosts that are not a machine and tell their own news
    /// by [`Host::wait`].
    pub const fn scripted() -> Self {
        Self { events: None, cookies: Vec::new(), scripted: true, ended: None, gathers: false }
    }

    /// One that reports those events of the system, of these sockets or, if there are none, of
    /// any.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "no system but Linux has events yet")
    )]
    pub(crate) const fn new(events: Option<sys::Events>, cookies: Vec<u64>) -> Self {
        Self { events, cookies, scripted: false, ended: None, gathers: false }
    }

    /// Whether it ever reports anything. Where it does not, look again now and then.
    pub const fn hears(&self) -> bool {
        self.events.is_some() || self.scripted
    }

    /// From now on reports the end of these sockets alone, of none where there are none. Events
    /// that have come in since it was made and were not waited for are kept: who makes it first
    /// and then looks for the cookies loses nothing.
    pub fn follow(&mut self, cookies: &[u64]) {
        self.cookies.clear();
        self.cookies.extend_from_slice(cookies);
        if cookies.is_empty() {
            self.cookies.push(NO_COOKIE);
        }
        self.cookies.sort_unstable();
    }

    /// The sockets it reports the end of, for hosts that are not a machine.
    pub fn followed(&self) -> &[u64] {
        &self.cookies
    }

    /// What ended since this was asked last. The first time begins the record.
    pub fn take_ended(&mut self) -> Ended {
        self.ended.replace(Ended::default()).unwrap_or_default()
    }
}

/// A command that was run, or an engine that was asked to do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Whether it ended by itself, in time, with status 0.
    pub success: bool,
    /// The last line it wrote to stderr (of one that failed without a word there, to stdout), or
    /// why it could not run.
    pub message: String,
    /// The end of what it wrote to stdout, at most 16 KiB.
    pub output: String,
    /// What stopped it from running at all, where that is known.
    pub hindrance: Option<Hindrance>,
}

impl Ran {
    /// One that did not do it, and why.
    pub fn failed(message: String) -> Self {
        Self { message, ..Self::default() }
    }

    /// Whether root would probably have been obeyed: by the error itself, or in the words of
    /// systemd's polkit, of the container engines and of errno (strerror(3)).
    pub fn lacks_permission(&self) -> bool {
        const WORDS: [&str; 8] = [
            "access denied",
            "permission denied",
            "permissionerror",
            "operation not permitted",
            "interactive authentication required",
            "authentication is required",
            "not authorized",
            "must be root",
        ];
        let message = self.message.to_ascii_lowercase();
        match self.hindrance {
            Some(hindrance) => hindrance == Hindrance::Denied,
            None => WORDS.iter().any(|words| message.contains(words)),
        }
    }
}

/// Why a command or an engine could not even be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// There is no such program.
    Missing,
    /// This user may not.
    Denied,
}

/// How closely to look at known ports: see [`Host::servers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// Who answers at the addresses the endpoints mean (for a wildcard: at the loopbacks, where
    /// whoever serves everything answers too). One socket an address: of several that share it,
    /// any; none that is bound to a device. Microseconds.
    Quick,
    /// Every server of the ports, on whatever address and device. Tens of microseconds; more
    /// where the machine has thousands of listeners.
    Servers,
    /// As [`Glance::Servers`], and sockets that are bound and do not listen where the kernel lists them (Linux 6.8) and there are few sockets in all
    /// ([`States::BoundIfCheap`]). A fraction of a millisecond.
    Thorough,
}

/// Keeps together whoever is in it and whatever those start from then on, whatever becomes of
/// parents: a job object of Windows. It ends nobody by itself, and nobody leaves it again: only who
/// is about to be ended is put into one.
pub trait Enclosure: std::fmt::Debug {
    /// Takes a process in. Where the system refuses (one of another session, or in a job that allows
    /// no other), the process stays outside, and is found by its parents alone.
    fn take_in(&self, pinned: &Pinned);

    /// Who is in it at this moment.
    fn members(&self) -> Vec<ProcessId>;
}

/// What [`Host::servers`] tells, by a whole look: where that cannot be asked cheaply. `None` where there
/// is no table either.
pub fn servers_by_table<H: Host + ?Sized>(
    host: &H,
    endpoints: &[Endpoint],
    look: Glance,
) -> Option<Vec<Socket>> {
    let scope = Scope {
        sockets: SocketScope::Ports(endpoints.to_vec()),
        states: match look {
            Glance::Quick | Glance::Servers => States::Servers,
            Glance::Thorough => States::BoundIfCheap,
        },
        ..Scope::default()
    };
    let mut snapshot = host.snapshot(&scope);
    if snapshot.gaps.iter().any(|gap| matches!(gap, Gap::NoSockets { .. })) {
        return None;
    }
    snapshot.sockets.retain(|socket| serves(socket, endpoints, look));
    Some(snapshot.sockets)
}

/// A machine, live or scripted. One that cannot act, such as a recording, leaves the acts as they
/// are here: refused.
pub trait Host {
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;

    /// Processor time that the calling thread has used, to keep looking cheap. Where a system
    /// cannot tell, [`Host::now`], which is never less.
    fn spent(&self) -> Duration {
        self.now()
    }

    /// Whose rules decide about binds here.
    fn rules(&self) -> Rules {
        Rules::native()
    }

    /// Everything in scope, at one moment. What could not be seen is in its gaps.
    fn snapshot(&self, scope: &Scope) -> Snapshot;

    /// The servers on those ports in the asker's network namespace, each once, with cookie,
    /// address, inode and user: TCP listeners and UDP sockets that are not connected, and with
    /// [`Glance::Thorough`] bound sockets. Connections never count. Cheap enough to ask hundreds
    /// of times a second. `None` where the kernel cannot be asked so cheaply: take a snapshot, and
    /// less often.
    fn servers(&self, endpoints: &[Endpoint], look: Glance) -> Option<Vec<Socket>> {
        servers_by_table(self, endpoints, look)
    }

    /// The kernel's answer to a bind, plain and with SO_REUSEADDR. Callers make one round an
    /// answer: each is a bind that others can collide with for some microseconds.
    fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt;

    /// Whether that answer was worked out and no kernel gave it. Only a recording says so.
    fn predicts(&self, _attempt: &Attempt) -> bool {
        false
    }

    /// As [`Host::attempt`], the plain bind alone.
    fn probe(&self, transport: Transport, address: SocketAddr) -> BindResult {
        self.attempt(transport, address).plain
    }

    /// The addresses of this machine.
    fn local_addresses(&self) -> Vec<IpAddr>;

    /// Whether a connection to a unix socket's file is refused: nobody serves it. `None` where
    /// there is no socket file of that path, or it may not be tried.
    fn unix_refuses(&self, path: &str) -> Option<bool>;

    /// Takes hold of a process for good, or says why not. [`ActError::Gone`] where the PID is
    /// somebody else by now.
    fn pin(&self, _id: ProcessId) -> Result<Pinned, ActError> {
        Err(ActError::Unsupported)
    }

    /// Whether the pinned process still holds that very socket in that very way.
    fn still_holds(&self, _pinned: &Pinned, _holder: &Holder, _inode: u64) -> bool {
        false
    }

    /// Sends a signal through the pin.
    fn signal(&self, _pinned: &Pinned, _signal: i32) -> Result<(), ActError> {
        Err(ActError::Unsupported)
    }

    /// Whether the pinned process has ended.
    fn exited(&self, _pinned: &Pinned) -> bool {
        false
    }

    /// Begins to watch for the end of the sockets with these cookies, or of any if there are none.
    fn watch(&self, _cookies: &[u64]) -> Watch {
        Watch::silent()
    }

    /// Waits until one of the processes ends, a socket is destroyed, or the time is over. Without
    /// events it returns early now and then, as a timeout of a few milliseconds.
    fn wait(&self, processes: &[&Pinned], watch: &mut Watch, timeout: Duration) -> Woken;

    /// Closes a socket in the kernel without touching its process (SOCK_DESTROY).
    fn destroy(&self, _socket: &Socket) -> Result<(), ActError> {
        Err(ActError::Unsupported)
    }

    /// Ends a TIME-WAIT whose other end was on this machine, without privileges: a connection
    /// attempt from that end makes the kernel reset it. The caller has checked that nothing
    /// listens on the port.
    fn reset_time_wait(&self, _socket: &Socket) -> Result<(), ActError> {
        Err(ActError::Unsupported)
    }

    /// Removes a file.
    fn remove_file(&self, _path: &str) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// What the container engines of this machine say, all of them together within that time.
    fn containers(&self, _wish: &EngineWish, _limit: Duration) -> EngineAnswer {
        EngineAnswer::default()
    }

    /// What the service managers say, all of them together within that time.
    fn units(&self, _wish: &UnitWish, _limit: Duration) -> UnitAnswer {
        UnitAnswer::default()
    }

    /// What engines and service managers say, where both are asked at the same time, so that one
    /// that is stuck takes none of the other's time.
    fn managers(
        &self,
        engines: &EngineWish,
        units: &UnitWish,
        limit: Duration,
    ) -> (EngineAnswer, UnitAnswer) {
        (self.containers(engines, limit), self.units(units, limit))
    }

    /// What only Windows can be asked, each within that time.
    fn windows(&self, _wish: &WindowsWish, _limit: Duration) -> WindowsFacts {
        WindowsFacts::default()
    }

    /// The rules of the packet filter that send one of these ports elsewhere.
    fn redirects(&self, _ports: &[u16]) -> RedirectAnswer {
        RedirectAnswer::default()
    }

    /// The work trees of git that these directories are in, all of them together within that
    /// time: a directory may be on a file system whose server is gone. Asked in that order. A
    /// directory that is gone counts as where it was (the kernel adds ` (deleted)`).
    fn work_trees(&self, _directories: &[String], _limit: Duration) -> WorkTrees {
        WorkTrees::default()
    }

    /// Who uses these files: runs them, works in them, has them mapped or open. A unix socket's file
    /// has no users here, as its holders are found by the socket. `None` where this system cannot
    /// tell.
    fn file_uses(&self, _wish: &FileWish) -> Option<FilesSeen> {
        None
    }

    /// Those threads as they are at this moment. `None` where this system cannot tell.
    fn pulses(&self, _of: &PulseScope) -> Option<Vec<Pulse>> {
        None
    }

    /// Where in the kernel a thread waits; `None` where it is gone.
    fn waiting_place(&self, _pid: u32, _tid: u32) -> Option<WaitingPlace> {
        None
    }

    /// What a process has as its input, its output and its errors, as the system names them.
    fn streams(&self, _pid: u32) -> Vec<String> {
        Vec::new()
    }

    /// Those of these control groups that are frozen.
    fn frozen(&self, _groups: &[String]) -> Vec<String> {
        Vec::new()
    }

    /// What the system says of itself and of this program, for `proc doctor`.
    fn circumstances(&self) -> Circumstances {
        Circumstances::default()
    }

    /// The environment that a process was started with, as the kernel keeps it: `NAME=value`,
    /// each ended by a zero byte. `None` where it may not be read.
    fn environment(&self, _pid: u32) -> Option<Vec<u8>> {
        None
    }

    /// The children of each of these processes, those of all its threads. A process is missing
    /// where that is not known, or where they are too many to read in passing.
    fn children(&self, _pids: &[u32]) -> BTreeMap<u32, Vec<Process>> {
        BTreeMap::new()
    }

    /// Everything that these started, and what that started in turn, each once and parents before
    /// children, whoever of them has ended: where the system never changes who is told as a
    /// process's parent, and a pin keeps that number its own (Windows). `None` where an orphan gets
    /// another parent: there only the living have children, and a snapshot tells them.
    fn descendants(&self, _pins: &[&Pinned]) -> Option<Vec<ProcessId>> {
        None
    }

    /// A new [`Enclosure`], where the system has such a thing.
    fn enclosure(&self) -> Option<Box<dyn Enclosure>> {
        None
    }

    /// How the process or thread of that number stands.
    fn condition(&self, _pid: u32) -> Option<Condition> {
        None
    }

    /// How many descriptors each of these processes has open; one is missing where that may not be
    /// seen.
    fn open_files(&self, _pids: &[u32]) -> BTreeMap<u32, usize> {
        BTreeMap::new()
    }

    /// The script that a shell reads its commands from, its first 64 KiB; `None` where it has none,
    /// or where it cannot be read within that time.
    fn script(&self, _shell: &Process, _limit: Duration) -> Option<String> {
        None
    }

    /// Stops a container through the API of its engine, which asks, waits the container's own
    /// time, and forces.
    fn stop_container(&self, _container: &ContainerFacts, _timeout: Duration) -> Ran {
        Ran::failed(ActError::Unsupported.to_string())
    }

    /// Runs a command of an engine or service manager, for at most that long.
    fn run(&self, _argv: &[String], _timeout: Duration) -> Ran {
        Ran::failed(ActError::Unsupported.to_string())
    }
}

/// What directories told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkTrees {
    /// The work tree of each directory that is in one.
    pub found: BTreeMap<String, String>,
    /// The first directory that did not answer in time; those after it were not asked.
    pub late: Option<String>,
}

/// The longest that engines, service managers and file systems together may take to tell what
/// they know: an answer without them is better than one that comes late.
pub const MANAGER_LIMIT: Duration = Duration::from_millis(300);

/// Whether a socket is one that [`Host::servers`] reports.
pub(crate) fn serves(socket: &Socket, endpoints: &[Endpoint], look: Glance) -> bool {
    let wanted = |endpoint: &Endpoint| {
        let transports = endpoint.transports().iter();
        socket.port() == Some(endpoint.port.get())
            && transports.clone().any(|&transport| Protocol::from(transport) == socket.protocol)
    };
    let bound = look == Glance::Thorough && socket.state == Some(TcpState::Bound);
    socket.netns.is_none() && (socket.is_server() || bound) && endpoints.iter().any(wanted)
}
