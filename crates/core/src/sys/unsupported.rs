//! A system that nobody has taught this library yet: it compiles, and says so when asked. What
//! the standard library can do everywhere (bind, remove a file, tell the time) is done; nothing
//! else is imitated.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use crate::addr::Transport;
use crate::bind::{Attempt, BindResult};
use crate::host::{Host, Pinned, Watch, Woken};
use crate::snapshot::{Asker, Gap, Policy, Scope, Snapshot};

/// There is no hold on a process here.
#[derive(Debug)]
pub(crate) enum Handle {}

/// There is no news of sockets here.
#[derive(Debug)]
pub(crate) enum Events {}

/// Closes a connection in the ordinary way: the standard library has no other.
pub(crate) fn close_without_remains(stream: TcpStream) {
    drop(stream);
}

/// This machine.
#[derive(Debug)]
pub struct LiveHost {
    started: Instant,
}

impl Default for LiveHost {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl LiveHost {
    /// Whether this system's sockets and processes can be seen: no.
    pub const SEES: bool = false;

    /// Whether ports can be kept from others: no.
    pub const KEEPS: bool = false;

    /// Whether a command can be handed a socket that listens: no.
    pub const PASSES: bool = false;

    /// Whether what was ended can be started again: no.
    pub const REVIVES: bool = false;

    /// Whether a signal can be sent that does not end a process: no.
    pub const SIGNALS: bool = false;

    /// This machine; what would interrupt a wait is not looked at.
    #[must_use]
    pub fn with_interrupt<T>(self, _: T) -> Self {
        self
    }
}

/// EOPNOTSUPP, as this system numbers it: the answer to what was not asked.
const NOT_ASKED: BindResult = BindResult::Other(if cfg!(windows) { 10045 } else { 45 });

impl Host for LiveHost {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Nothing, and the gap that says so.
    fn snapshot(&self, _: &Scope) -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::now());
        // No user is known, and 0 would be root.
        snapshot.asker = Asker { pid: std::process::id(), uid: u32::MAX, ..Asker::default() };
        // RFC 6335, section 6: macOS and Windows keep to it unless told otherwise.
        snapshot.policy = Policy { ephemeral: 49152..=65535, ..Policy::default() };
        snapshot.note(Gap::NoSockets {
            protocol: "tcp and udp".to_owned(),
            error: NOT_ASKED.name().into_owned(),
        });
        snapshot
    }

    /// One bind, in the way the standard library makes it: a [`TcpListener`] sets SO_REUSEADDR on
    /// every system but Windows, a [`UdpSocket`] never does. The other answer is `EOPNOTSUPP`.
    fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt {
        let bound = match transport {
            Transport::Tcp => TcpListener::bind(address).map(drop),
            Transport::Udp => UdpSocket::bind(address).map(drop),
        };
        let answer = match bound {
            Ok(()) => BindResult::Ok,
            Err(error) => match (error.kind(), error.raw_os_error()) {
                (ErrorKind::AddrInUse, _) => BindResult::InUse,
                (ErrorKind::PermissionDenied, _) => BindResult::Denied,
                (ErrorKind::AddrNotAvailable, _) => BindResult::NotLocal,
                (_, Some(errno)) => BindResult::Other(errno),
                (_, None) => NOT_ASKED,
            },
        };
        let (plain, reuse_addr) = match transport {
            Transport::Tcp if cfg!(not(windows)) => (NOT_ASKED, answer),
            _ => (answer, NOT_ASKED),
        };
        Attempt { transport, address, plain, reuse_addr }
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    fn unix_refuses(&self, _: &str) -> Option<bool> {
        None
    }

    fn wait(&self, _: &[&Pinned], _: &mut Watch, timeout: Duration) -> Woken {
        std::thread::park_timeout(timeout);
        Woken::Timeout
    }

    fn remove_file(&self, path: &str) -> std::io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// Nothing keeps a port here yet: every call says so.
pub(crate) mod keep {
    use std::convert::Infallible;
    use std::io::{self, ErrorKind};
    use std::net::SocketAddr;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::NOT_ASKED;
    use crate::addr::Transport;
    use crate::bind::BindResult;
    use crate::lease::Private;
    use crate::process::ProcessId;
    use crate::snapshot::Policy;
    use crate::sys::heritage::Succession;

    #[derive(Debug)]
    pub(crate) struct Kept(Infallible);

    impl Kept {
        pub(crate) fn try_clone(&self) -> io::Result<Self> {
            match self.0 {}
        }
    }

    /// Letting go of one means something where there are any.
    impl Drop for Kept {
        fn drop(&mut self) {
            match self.0 {}
        }
    }

    #[derive(Debug)]
    pub(crate) struct Directory(Infallible);

    #[derive(Debug)]
    pub(crate) struct LeaseFile(pub(crate) Kept);

    pub(crate) const CLAIMS: &str = "claims";
    pub(crate) const LISTS_ADDRESSES: &str = "ifconfig";
    pub(crate) const EPHEMERAL_RANGE: &str = "49152-65535";
    pub(crate) const ONE_BIND_MEETS_ALL: bool = false;
    pub(crate) const REUSE_PASSES_SERVERS: bool = false;
    pub(crate) const SHORTAGES: &[i32] = &[];

    fn unsupported<T>() -> io::Result<T> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn policy() -> Policy {
        Policy { ephemeral: 49152..=65535, ..Policy::default() }
    }

    pub(crate) fn since_boot() -> Duration {
        Duration::ZERO
    }

    pub(crate) fn boot_id() -> String {
        String::new()
    }

    pub(crate) fn network_namespace() -> u64 {
        0
    }

    pub(crate) fn user() -> u32 {
        u32::MAX
    }

    pub(crate) fn user_name(_: u32) -> Option<String> {
        None
    }

    pub(crate) fn own_process() -> ProcessId {
        ProcessId { pid: std::process::id(), start: 0 }
    }

    pub(crate) fn parent_process() -> (ProcessId, String) {
        (ProcessId { pid: 0, start: 0 }, String::new())
    }

    pub(crate) fn hold(_: Transport, _: SocketAddr) -> Result<Kept, BindResult> {
        Err(NOT_ASKED)
    }

    pub(crate) fn port_of(socket: &Kept) -> Option<u16> {
        match socket.0 {}
    }

    pub(crate) fn serve(socket: &Kept) -> io::Result<()> {
        match socket.0 {}
    }

    pub(crate) fn claim(_: &str) -> io::Result<Kept> {
        unsupported()
    }

    pub(crate) fn claimed() -> Vec<String> {
        Vec::new()
    }

    pub(crate) fn own_places(_: u32) -> Vec<Private> {
        Vec::new()
    }

    pub(crate) fn shared_place() -> PathBuf {
        std::env::temp_dir()
    }

    pub(crate) fn succeed(_: Succession, _: &mut dyn FnMut(ProcessId, &[Kept])) -> io::Result<i32> {
        unsupported()
    }

    pub(crate) fn rewrite(file: &Kept, _: &[u8]) -> io::Result<()> {
        match file.0 {}
    }

    impl Directory {
        pub(crate) fn own(_: &Path) -> io::Result<Self> {
            unsupported()
        }

        pub(crate) fn shared(_: &Path) -> io::Result<Self> {
            unsupported()
        }

        pub(crate) fn make(&self, _: &str, _: u32) -> io::Result<()> {
            match self.0 {}
        }

        pub(crate) fn inside(&self, _: &str, _: u32) -> io::Result<Self> {
            match self.0 {}
        }

        pub(crate) fn is_same(&self, _: &Self) -> bool {
            match self.0 {}
        }

        pub(crate) fn names(&self, _: usize) -> Vec<String> {
            match self.0 {}
        }

        pub(crate) fn read(&self, _: &str) -> Option<Vec<u8>> {
            match self.0 {}
        }

        pub(crate) fn is_locked(&self, _: &str) -> bool {
            match self.0 {}
        }

        pub(crate) fn file(&self, _: &str, _: u32) -> io::Result<LeaseFile> {
            match self.0 {}
        }

        pub(crate) fn lock(&self, _: &str, _: u32) -> io::Result<LeaseFile> {
            match self.0 {}
        }

        pub(crate) fn remove(&self, _: &str) -> io::Result<()> {
            match self.0 {}
        }
    }

    impl LeaseFile {
        pub(crate) fn write(&self, _: &[u8]) -> io::Result<()> {
            match self.0.0 {}
        }
    }
}

/// No state is kept here yet.
pub(crate) mod ledger {
    use std::convert::Infallible;
    use std::io::{self, ErrorKind};
    use std::path::{Path, PathBuf};

    use super::keep::Kept;

    #[derive(Debug)]
    pub(crate) struct Ledger(Infallible);

    #[derive(Debug)]
    pub(crate) struct Locked(Infallible);

    /// Letting go of one means something where there are any.
    impl Drop for Locked {
        fn drop(&mut self) {
            match self.0 {}
        }
    }

    impl Ledger {
        pub(crate) fn open(_: &Path, _: bool) -> io::Result<Self> {
            Err(ErrorKind::Unsupported.into())
        }

        pub(crate) fn names(&self) -> Vec<String> {
            match self.0 {}
        }

        pub(crate) fn read(&self, _: &str, _: usize) -> io::Result<Vec<u8>> {
            match self.0 {}
        }

        pub(crate) fn create(&self, _: &str, _: &[u8]) -> io::Result<()> {
            match self.0 {}
        }

        pub(crate) fn replace(&self, _: &str, _: &[u8]) -> io::Result<()> {
            match self.0 {}
        }

        pub(crate) fn remove(&self, _: &str) -> io::Result<()> {
            match self.0 {}
        }

        pub(crate) fn lock(&self) -> io::Result<Locked> {
            match self.0 {}
        }

        pub(crate) fn log(&self, _: &str) -> io::Result<(Kept, u64)> {
            match self.0 {}
        }
    }

    pub(crate) const NOWHERE: &str = "nothing is kept on this system";

    pub(crate) fn state(_: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
        None
    }
}

/// Nothing of a process can be read here yet, so nothing is started again.
pub(crate) mod revive {
    use std::io::{self, ErrorKind};

    use super::keep::Kept;
    use crate::process::ProcessId;
    pub(crate) use crate::sys::settings::{Settings, Start};
    use crate::undo::FileMark;

    #[allow(dead_code, reason = "none is ever made here")]
    pub(crate) struct Started {
        pub(crate) id: ProcessId,
    }

    impl Started {
        pub(crate) fn ended(&mut self) -> Option<(bool, String)> {
            None
        }
    }

    pub(crate) fn settings(_: ProcessId) -> Option<Settings> {
        None
    }

    pub(crate) fn program(_: &[u8]) -> io::Result<FileMark> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn enterable(_: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn append_to(_: &[u8], _: (u64, u64)) -> io::Result<(Kept, u64)> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn written(_: &[u8], _: u64, _: u64) -> Vec<u8> {
        Vec::new()
    }

    pub(crate) fn variable(_: &[u8]) -> Option<Vec<u8>> {
        None
    }

    pub(crate) fn on_path(_: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    pub(crate) fn start(_: Start, _: Kept, _: Kept) -> io::Result<Started> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn succeed(_: Start, _: &mut dyn FnMut(ProcessId)) -> io::Result<i32> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) const CHANGES_USER: bool = false;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ActError;
    use crate::process::ProcessId;

    #[test]
    fn it_says_that_it_saw_nothing() {
        let snapshot = LiveHost::default().snapshot(&Scope::default());
        assert!(snapshot.sockets.is_empty());
        assert!(matches!(&snapshot.gaps[..], [Gap::NoSockets { .. }]), "{:?}", snapshot.gaps);
    }

    #[test]
    fn a_bind_is_really_tried() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let attempt = LiveHost::default().attempt(Transport::Udp, taken.local_addr().unwrap());
        assert_eq!(attempt.plain, BindResult::InUse);
        assert_eq!(attempt.reuse_addr, NOT_ASKED);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let attempt = LiveHost::default().attempt(Transport::Tcp, taken.local_addr().unwrap());
        assert!([attempt.plain, attempt.reuse_addr].contains(&BindResult::InUse), "{attempt:?}");
        assert!([attempt.plain, attempt.reuse_addr].contains(&NOT_ASKED), "{attempt:?}");
    }

    #[test]
    fn it_acts_on_nobody() {
        let host = LiveHost::default();
        let id = ProcessId { pid: std::process::id(), start: 0 };
        assert_eq!(host.pin(id).unwrap_err(), ActError::Unsupported);
        assert_eq!(host.signal(&Pinned::scripted(id), 15), Err(ActError::Unsupported));
        assert!(!host.run(&["true".to_owned()], Duration::ZERO).success);
    }
}
