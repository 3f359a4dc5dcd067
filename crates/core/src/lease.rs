//! Leases: ports kept from every other `proc pick`. A lease says nothing to the kernel about the
//! port itself and hinders no bind; it is a word among picks. Which ports to take is decided in
//! [`crate::pick`].
//!
//! Three things make a lease, each for what only it can do:
//!
//! * The *claim*: the abstract unix name `@proc-lease/tcp/3000`, bound by whoever takes the port (on
//!   macOS a locked file, on Windows a named object for all sessions). It decides. The kernel gives it to one socket of the network namespace (the scope that ports
//!   have), whatever the user, without any file, and takes it back when the last copy of the
//!   descriptor is closed. A command that was given a port inherits it; a pick that only prints
//!   a number has it while it looks and writes.
//! * The *note* of a timed lease: a file under `/tmp/proc-leases/UID/` that every user can read
//!   and only its owner can write. Read and written under the claim, so that two picks never miss
//!   each other's. Its end is counted from boot, not by a clock that somebody sets.
//! * The *record* of a lease that a command holds: a locked file in the runtime directory. It says
//!   since when and for which command; where abstract names are forbidden (AppArmor), its lock
//!   decides among this user's picks.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::addr::{Port, Transport};
use crate::host::Host;
use crate::process::ProcessId;
use crate::snapshot::{Scope, SocketScope};
use crate::socket::LocalAddress;
use crate::sys::keep::{self, Directory, Kept, LeaseFile};

/// How long a lease without a holder lasts unless told otherwise: the time between a script's
/// `PORT=$(proc pick)` and its server's bind.
pub const ORDINARY: Duration = Duration::from_secs(10);

/// The longest a lease without a holder may last. Notes that claim more count for nothing.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What every claim's name begins with.
const PREFIX: &str = "proc-lease/";

/// How many notes a clean-up looks at: more than are written between two of them.
const SWEEP: usize = 256;
/// One pick in so many cleans up.
const SWEEP_EVERY: u64 = 16;

/// Where notes and records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// For records: the first usable one counts.
    pub private: Vec<Private>,
    /// For notes: a directory where everybody may make one.
    pub shared: PathBuf,
}

/// A place for a directory that is this user's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Private {
    /// Below a directory that somebody named: that it cannot be used is said.
    Named(PathBuf),
    /// Below a directory that is this user's, where there is one.
    Below(PathBuf),
    /// In a directory where everybody may make one.
    Among(PathBuf),
}

impl Private {
    const fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    fn base(&self) -> &Path {
        match self {
            Self::Named(base) | Self::Below(base) | Self::Among(base) => base,
        }
    }

    /// The directories to make, outermost first.
    fn inside(&self, user: u32) -> [String; 2] {
        let first = match self {
            Self::Named(_) | Self::Below(_) => "proc".to_owned(),
            Self::Among(_) => format!("proc-{user}"),
        };
        [first, "leases".to_owned()]
    }
}

/// The directory that all users' notes are in.
const SHARED: &str = "proc-leases";

impl Places {
    /// The ordinary ones: the runtime directory that the environment names
    /// (`$XDG_RUNTIME_DIR`, XDG Base Directory Specification 0.8), else `/run/user/UID`, else
    /// `/tmp/proc-UID`; and for notes `/tmp/proc-leases`. `/tmp` and not `$TMPDIR`, because every
    /// user must find the same place. On Windows `%LOCALAPPDATA%` and `%ProgramData%`.
    pub fn ordinary(runtime: Option<&Path>) -> Self {
        // The specification: relative paths are to be ignored.
        let named = runtime.filter(|path| path.is_absolute());
        let mut private: Vec<Private> =
            named.map(|path| Private::Named(path.to_owned())).into_iter().collect();
        private.extend(keep::own_places(keep::user()));
        Self { private, shared: keep::shared_place() }
    }
}

/// Why a port was not given.
#[derive(Debug)]
pub enum Busy {
    /// Another pick has it, for itself, for its command or for a time.
    Leased,
    /// The system refused something else, such as one more descriptor.
    Failed(io::Error),
}

/// A port that no other pick can take as long as this exists.
#[derive(Debug)]
pub struct Claim {
    transport: Transport,
    port: Port,
    name: Option<Kept>,
    lock: Option<LeaseFile>,
}

/// A lease that ends when the last copy of what is in it is closed.
#[derive(Debug)]
pub struct HeldLease {
    name: Option<Kept>,
    record: Option<(Kept, Written)>,
}

/// What a lease's record says, to be written anew where another process turns out to hold it.
#[derive(Debug)]
pub(crate) struct Record {
    /// Which of the kept things it is.
    pub(crate) at: usize,
    written: Written,
}

impl HeldLease {
    /// Everything that keeps these leases, and which of it are their records.
    pub(crate) fn taken_apart(leases: Vec<Self>) -> (Vec<Kept>, Vec<Record>) {
        let (mut kept, mut records) = (Vec::new(), Vec::new());
        for lease in leases {
            kept.extend(lease.name);
            if let Some((file, written)) = lease.record {
                records.push(Record { at: kept.len(), written });
                kept.push(file);
            }
        }
        (kept, records)
    }
}

impl Record {
    /// What it says where that process holds the lease.
    pub(crate) fn of(self, holder: ProcessId) -> Vec<u8> {
        text_of(&Written { by: Some(holder), ..self.written })
    }
}

/// What a lease's file says, as one line of JSON. Fields of later versions are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// Which boot; times of another mean nothing.
    boot: String,
    /// The network namespace, by inode.
    netns: u64,
    /// When, in nanoseconds since boot.
    at: u64,
    /// How long, in nanoseconds; absent for one that a command holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lasts: Option<u64>,
    /// The command's process, or the one that ran `proc pick`.
    #[serde(flatten)]
    by: Option<ProcessId>,
    /// The command with secrets masked, or the name of the process that ran `proc pick`.
    argv: Vec<String>,
}

/// A lease as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The port.
    pub port: Port,
    /// Its transport.
    pub transport: Transport,
    /// The user whose it is.
    pub uid: Option<u32>,
    /// That user's name.
    pub user: Option<String>,
    /// Since when.
    pub age: Option<Duration>,
    /// How long it will last; `None` for one that lasts as long as its holders.
    pub left: Option<Duration>,
    /// Its holders, or the process that ran `proc pick`.
    pub pids: Vec<u32>,
    /// The command, or the name of the process that ran `proc pick`.
    pub argv: Vec<String>,
}

/// What became of a wish to end a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is over.
    Over,
    /// There was none.
    None,
    /// A process holds it, and nobody is ended for a lease.
    Held,
    /// It is another user's.
    Foreign,
}

/// A directory of lease files.
#[derive(Debug)]
struct Board {
    directory: Directory,
    uid: u32,
    /// Whether only its user can open its files, so that locks in it mean something.
    private: bool,
}

/// This user's view of everybody's leases. Not for sharing nor for long: each thread opens its
/// own, and one pick is what it is for.
#[derive(Debug)]
pub struct Leases {
    places: Places,
    boot: String,
    netns: u64,
    user: u32,
    /// Every place of this user's own that is there.
    private: Vec<Board>,
    /// The one that records are written to; `None` until then.
    records: Option<Board>,
    /// The directory that the directories of notes are in.
    notes_of_all: Option<Directory>,
    shared: Option<Board>,
    others: Vec<Board>,
    /// For tests: as where abstract names are forbidden.
    nameless: bool,
    notes: Vec<String>,
}

impl Leases {
    /// Opens what is there. Nothing is made before it is needed.
    pub fn open(places: Places) -> Self {
        let mut leases = Self {
            places,
            boot: keep::boot_id(),
            netns: keep::network_namespace(),
            user: keep::user(),
            private: Vec::new(),
            records: None,
            notes_of_all: None,
            shared: None,
            others: Vec::new(),
            nameless: false,
            notes: Vec::new(),
        };
        for place in &leases.places.private {
            if let Ok(directory) = open_private(place, leases.user, false) {
                leases.private.push(Board { directory, uid: leases.user, private: true });
            }
        }
        leases.look_for_boards();
        leases
    }

    /// As where abstract unix names are forbidden: for tests.
    #[must_use]
    pub fn nameless(mut self) -> Self {
        self.nameless = true;
        self
    }

    /// What was not as it should be, each once, as sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Takes a port, if no pick has it. Says nothing about whether it can be bound.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn take(&mut self, transport: Transport, port: Port) -> Result<Claim, Busy> {
        let name = self.claim(transport, port)?;
        let lock = match name {
            Some(_) => None,
            None => self.lock(transport, port)?,
        };
        self.look_for_boards();
        if self.is_leased(transport, port, lock.as_ref()) {
            return Err(Busy::Leased);
        }
        Ok(Claim { transport, port, name, lock })
    }

    fn claim(&mut self, transport: Transport, port: Port) -> Result<Option<Kept>, Busy> {
        let claimed = match self.nameless {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => keep::claim(&claim_name(transport, port)),
        };
        match claimed {
            Ok(kept) => Ok(Some(kept)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Busy::Leased),
            Err(error) if is_shortage(&error) => Err(Busy::Failed(error)),
            Err(error) => {
                self.note(format!(
                    "{} cannot be used here ({}), so other users' picks do not see this lease",
                    keep::CLAIMS,
                    words(&error)
                ));
                Ok(None)
            }
        }
    }

    /// The record's lock as arbiter, in place of the name.
    fn lock(&mut self, transport: Transport, port: Port) -> Result<Option<LeaseFile>, Busy> {
        let file = self.file_name(transport, port);
        let Some(board) = self.records() else { return Ok(None) };
        match board.directory.lock(&file, 0o600) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Busy::Leased),
            Err(error) if is_shortage(&error) => Err(Busy::Failed(error)),
            Err(error) => {
                self.note(format!("no lock can be taken: {}", words(&error)));
                Ok(None)
            }
        }
    }

    fn is_leased(&self, transport: Transport, port: Port, own_lock: Option<&LeaseFile>) -> bool {
        let file = self.file_name(transport, port);
        // A lock that the asker has itself says nothing.
        let mut private = self.private.iter();
        if own_lock.is_none() && private.any(|board| board.directory.is_locked(&file)) {
            return true;
        }
        self.boards().any(|board| {
            let text = board.directory.read(&file);
            text.is_some_and(|text| self.left(&text).is_some_and(|left| !left.is_zero()))
        })
    }

    fn boards(&self) -> impl Iterator<Item = &Board> {
        self.own().chain(&self.others)
    }

    /// The directories of this user, each once.
    fn own(&self) -> impl Iterator<Item = &Board> {
        // A place that was made meanwhile was not there at the beginning.
        let made = self.records.iter().filter(|made| {
            self.private.iter().all(|known| !known.directory.is_same(&made.directory))
        });
        self.private.iter().chain(made).chain(&self.shared)
    }

    /// How much longer a timed lease lasts, by what its file says; `None` where that is no timed
    /// lease of this boot and network.
    fn left(&self, text: &[u8]) -> Option<Duration> {
        let written: Written = serde_json::from_slice(text).ok()?;
        let here = written.boot == self.boot && written.netns == self.netns;
        self.left_of(&written).filter(|_| here)
    }

    fn left_of(&self, written: &Written) -> Option<Duration> {
        let lasts = Duration::from_nanos(written.lasts?);
        let at = Duration::from_nanos(written.at);
        // One from the future was not written in this time namespace (time_namespaces(7)).
        let age = keep::since_boot().checked_sub(at)?;
        (lasts <= LONGEST).then(|| lasts.saturating_sub(age))
    }

    /// Keeps a port for a time, by a note that every user can read. False where no note can be
    /// left; [`Leases::notes`] says why.
    pub fn keep_for(&mut self, claim: Claim, time: Duration) -> bool {
        // The name is let go at the end, when the note is there.
        let Claim { transport, port, name: _name, lock } = claim;
        let (parent, name) = keep::parent_process();
        let text = text_of(&self.written(
            Some(time.min(LONGEST)),
            parent,
            Some(name).filter(|name| !name.is_empty()).into_iter().collect(),
        ));
        let file = self.file_name(transport, port);
        // Under the arbiter's lock there is a file already.
        if let Some(lock) = &lock
            && lock.write(&text).is_ok()
        {
            return true;
        }
        let mut why = None;
        if let Some(board) = self.shared_to_write() {
            // No lock: everybody could take it, and the claim is what counts.
            match board.directory.file(&file, 0o644).and_then(|note| note.write(&text)) {
                Ok(()) => return true,
                Err(error) => why = Some(error),
            }
        }
        if let Some(board) = self.records() {
            match board.directory.file(&file, 0o600).and_then(|note| note.write(&text)) {
                Ok(()) => {
                    if let Some(error) = why {
                        self.note(format!(
                            "{} cannot be written to ({}), so other users' picks do not see this lease",
                            self.shared_path().display(),
                            words(&error)
                        ));
                    }
                    return true;
                }
                Err(error) => why = Some(error),
            }
        }
        let why = why.as_ref().map_or_else(|| "no directory can be used".to_owned(), words);
        self.note(format!("port {port} is not kept from other picks: {why}"));
        false
    }

    /// Keeps a port for as long as any copy of the result is open, here or in whoever inherits
    /// it: by the claim, and by the lock of a record of that command.
    pub fn hold(&mut self, claim: Claim, argv: &[String]) -> HeldLease {
        let argv = crate::mask::mask_argv(argv);
        let written = self.written(None, keep::own_process(), argv);
        let text = text_of(&written);
        let file = self.file_name(claim.transport, claim.port);
        let mut held = HeldLease { name: claim.name, record: None };
        let recorded = match (claim.lock, self.records()) {
            (Some(lock), _) => lock.write(&text).map(|()| lock),
            (None, Some(board)) => write_record(board, &file, &text),
            (None, None) => Err(io::Error::other("no runtime directory can be used")),
        };
        match recorded {
            Ok(lock) => held.record = Some((lock.0, written)),
            Err(error) => {
                let why = words(&error);
                self.note(format!("no record of the lease can be written: {why}"));
            }
        }
        held
    }

    /// Takes back a timed lease that was just written.
    pub(crate) fn forget(&mut self, transport: Transport, port: Port) {
        let file = self.file_name(transport, port);
        for board in self.own() {
            let _ = board.directory.remove(&file);
        }
    }

    /// Ends a timed lease that this user has on that port.
    pub fn release(&mut self, host: &dyn Host, transport: Transport, port: Port) -> Released {
        let file = self.file_name(transport, port);
        let held = self.list(host).into_iter().any(|lease| {
            (lease.port, lease.transport) == (port, transport) && lease.left.is_none()
        });
        if held {
            return Released::Held;
        }
        let mut result = Released::None;
        for board in self.boards() {
            let lives = board.directory.read(&file).and_then(|text| self.left(&text));
            if lives.is_none_or(|left| left.is_zero()) {
                continue;
            }
            result = match board.directory.remove(&file) {
                Ok(()) => Released::Over,
                Err(_) => return Released::Foreign,
            };
        }
        result
    }

    /// Ends every timed lease of this user, and says which.
    pub fn release_all(&mut self, host: &dyn Host) -> Vec<Listed> {
        let user = self.user;
        let mut own = self.list(host);
        own.retain(|lease| lease.left.is_some() && lease.uid == Some(user));
        for lease in &own {
            self.forget(lease.transport, lease.port);
        }
        own
    }

    /// Removes what dead leases of this user left, looking at no more than that many files of a
    /// directory, and says how many it removed.
    pub fn sweep(&self, most: usize) -> usize {
        let remove = |board: &Board, file: &str| {
            let Some((transport, port, _)) = parse_file_name(file) else { return false };
            // Nobody may be writing it: that is done under the claim or under the lock.
            let Ok(_claim) = keep::claim(&claim_name(transport, port)) else { return false };
            let _lock = match board.private {
                true => match board.directory.lock(file, 0o600) {
                    Ok(lock) => Some(lock),
                    Err(_) => return false,
                },
                false => None,
            };
            self.is_dead(board.directory.read(file)) && board.directory.remove(file).is_ok()
        };
        self.own()
            .map(|board| {
                let names = board.directory.names(most);
                names.iter().filter(|file| remove(board, file)).count()
            })
            .sum()
    }

    /// Whether no timed lease is in what a file says. One of another network namespace, where
    /// this one's claims mean nothing, is given the longest time there is.
    fn is_dead(&self, text: Option<Vec<u8>>) -> bool {
        let written = text.and_then(|text| serde_json::from_slice::<Written>(&text).ok());
        let Some(mut written) = written.filter(|written| written.boot == self.boot) else {
            return true;
        };
        if written.netns != self.netns {
            written.lasts = Some(nanos(LONGEST));
        }
        self.left_of(&written).is_none_or(|left| left.is_zero())
    }

    /// Now and then, by chance: see [`Leases::sweep`].
    pub(crate) fn sweep_sometimes(&mut self, chance: u64) {
        if chance.is_multiple_of(SWEEP_EVERY) {
            self.sweep(SWEEP);
        }
    }

    /// Every living lease that can be seen, by port.
    pub fn list(&self, host: &dyn Host) -> Vec<Listed> {
        let mut all: Vec<Listed> = self.list_claims(host);
        for board in self.boards() {
            for file in board.directory.names(usize::MAX) {
                let Some((transport, port, netns)) = parse_file_name(&file) else { continue };
                let Some(text) = board.directory.read(&file) else { continue };
                if netns != self.netns {
                    continue;
                }
                let held = all.iter_mut().find(|lease| {
                    (lease.port, lease.transport) == (port, transport) && lease.left.is_none()
                });
                match (held, self.left(&text)) {
                    (_, Some(left)) if !left.is_zero() => {
                        all.push(self.listed(board, transport, port, &text, Some(left)));
                    }
                    // The record of a lease whose claim was seen, or could not be made.
                    (Some(lease), _) if Some(board.uid) == lease.uid && lease.argv.is_empty() => {
                        let known = self.listed(board, transport, port, &text, None);
                        *lease = Listed { pids: std::mem::take(&mut lease.pids), ..known };
                    }
                    // The same where the claim does not tell whose it is.
                    (Some(lease), _)
                        if lease.uid.is_none()
                            && board.private
                            && board.directory.is_locked(&file) =>
                    {
                        let mut known = self.listed(board, transport, port, &text, None);
                        // Those that inherited it may have outlived the one that it was given to.
                        known.pids.retain(|pid| holds(host, *pid, &text));
                        *lease = known;
                    }
                    (None, None) if board.private && board.directory.is_locked(&file) => {
                        all.push(self.listed(board, transport, port, &text, None));
                    }
                    _ => {}
                }
            }
        }
        let mut names: HashMap<u32, Option<String>> = HashMap::new();
        for lease in &mut all {
            let name = |uid| names.entry(uid).or_insert_with(|| keep::user_name(uid)).clone();
            lease.user = lease.uid.and_then(name);
        }
        all.sort_by_key(|lease| (lease.port, lease.transport));
        all
    }

    fn list_claims(&self, host: &dyn Host) -> Vec<Listed> {
        let snapshot = host.snapshot(&Scope {
            sockets: SocketScope::AllUnix,
            holders: true,
            ..Scope::default()
        });
        let mut found = Vec::new();
        for socket in &snapshot.sockets {
            let LocalAddress::Abstract(name) = &socket.local else { continue };
            let Some((transport, port)) = parse_claim_name(name) else { continue };
            let mut pids = socket.holders.pids();
            pids.sort_unstable();
            pids.dedup();
            // The asker may itself be started by a command that has a lease.
            if pids.len() > 1 {
                pids.retain(|pid| *pid != snapshot.asker.pid);
            }
            let first = pids.first().and_then(|pid| snapshot.processes.get(pid));
            found.push(Listed {
                port,
                transport,
                user: None,
                uid: socket.uid.or(first.and_then(|process| process.uid)),
                age: first
                    .and_then(|process| process.started_at)
                    .and_then(|at| snapshot.taken_at.duration_since(at).ok()),
                left: None,
                // A record says it better: whose command this is.
                argv: Vec::new(),
                pids,
            });
        }
        // Where claims are no sockets, they tell their name alone.
        for (transport, port) in keep::claimed().iter().filter_map(|name| parse_claim_name(name)) {
            let unknown = Listed {
                port,
                transport,
                uid: None,
                user: None,
                age: None,
                left: None,
                pids: Vec::new(),
                argv: Vec::new(),
            };
            found.push(unknown);
        }
        for lease in &mut found {
            let file = self.file_name(lease.transport, lease.port);
            let recorded = self
                .private
                .iter()
                .any(|board| Some(board.uid) == lease.uid && board.directory.is_locked(&file));
            let first = lease.pids.first().and_then(|pid| snapshot.processes.get(pid));
            if let (false, Some(process)) = (recorded, first) {
                lease.argv = crate::mask::mask_argv(&process.argv);
            }
        }
        found
    }

    fn listed(
        &self,
        board: &Board,
        transport: Transport,
        port: Port,
        text: &[u8],
        left: Option<Duration>,
    ) -> Listed {
        let written: Written = serde_json::from_slice(text).unwrap_or_default();
        let same_boot = written.boot == self.boot;
        let at = Duration::from_nanos(written.at);
        Listed {
            port,
            transport,
            uid: Some(board.uid),
            user: None,
            age: keep::since_boot().checked_sub(at).filter(|_| same_boot),
            left,
            pids: written.by.map(|by| by.pid).into_iter().collect(),
            argv: written.argv,
        }
    }

    fn written(&self, lasts: Option<Duration>, by: ProcessId, argv: Vec<String>) -> Written {
        let mut written = Written {
            boot: self.boot.clone(),
            netns: self.netns,
            at: nanos(keep::since_boot()),
            lasts: lasts.map(nanos),
            // 0 is nobody: whoever started this has ended, or is not told.
            by: Some(by).filter(|by| by.pid != 0),
            argv,
        };
        // Short enough to be read back whole.
        while written.argv.iter().map(String::len).sum::<usize>() > 2048 {
            written.argv.pop();
        }
        written
    }

    /// Ports are a network namespace's, and a directory may be seen from several.
    fn file_name(&self, transport: Transport, port: Port) -> String {
        format!("{transport}-{port}-{}", self.netns)
    }

    fn note(&mut self, sentence: String) {
        if !self.notes.contains(&sentence) {
            self.notes.push(sentence);
        }
    }

    /// The first place of this user's own that can be used. Those that cannot are said.
    fn records(&mut self) -> Option<&Board> {
        for place in self.places.private.clone() {
            if self.records.is_some() {
                break;
            }
            match open_private(&place, self.user, true) {
                Ok(directory) => {
                    self.records = Some(Board { directory, uid: self.user, private: true });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && !place.is_named() => {}
                Err(error) => {
                    let path: PathBuf = place.base().into();
                    let inside = place.inside(self.user);
                    let path = inside.iter().fold(path, |path, name| path.join(name));
                    self.note(format!("{} cannot be used: {}", path.display(), words(&error)));
                }
            }
        }
        self.records.as_ref()
    }

    fn shared_path(&self) -> PathBuf {
        self.places.shared.join(SHARED)
    }

    /// Opens the directories of notes that are not open yet. Asked again under each claim: the
    /// first pick of a user may have made one a moment ago, and have left its note there.
    fn look_for_boards(&mut self) {
        if self.notes_of_all.is_none() {
            self.notes_of_all = Directory::shared(&self.shared_path()).ok();
        }
        let Some(all) = &self.notes_of_all else { return };
        for name in all.names(usize::MAX) {
            let Ok(uid) = name.parse::<u32>() else { continue };
            let known = self.shared.iter().chain(&self.others).any(|board| board.uid == uid);
            if known {
                continue;
            }
            let Ok(directory) = all.inside(&name, uid) else { continue };
            let board = Board { directory, uid, private: false };
            match uid == self.user {
                true => self.shared = Some(board),
                false => self.others.push(board),
            }
        }
    }

    fn shared_to_write(&mut self) -> Option<&Board> {
        if self.shared.is_none() {
            match self.make_shared() {
                Ok(board) => self.shared = Some(board),
                Err(error) => self.note(format!(
                    "{} cannot be used ({}), so other users' picks do not see this lease",
                    self.shared_path().display(),
                    words(&error)
                )),
            }
        }
        self.shared.as_ref()
    }

    fn make_shared(&self) -> io::Result<Board> {
        Directory::shared(&self.places.shared)?.make(SHARED, 0o1777)?;
        let all = Directory::shared(&self.shared_path())?;
        let own = self.user.to_string();
        all.make(&own, 0o755)?;
        let directory = all.inside(&own, self.user)?;
        Ok(Board { directory, uid: self.user, private: false })
    }
}

impl Claim {
    /// The port.
    pub fn port(&self) -> Port {
        self.port
    }
}

/// Whether that process of a record is still the same and lives.
fn holds(host: &dyn Host, pid: u32, text: &[u8]) -> bool {
    let written: Option<Written> = serde_json::from_slice(text).ok();
    let by = written.and_then(|written| written.by).filter(|by| by.pid == pid);
    by.is_some_and(|by| host.pin(by).is_ok_and(|pinned| !host.exited(&pinned)))
}

fn open_private(place: &Private, user: u32, make: bool) -> io::Result<Directory> {
    let mut directory = match place {
        Private::Named(base) | Private::Below(base) => Directory::own(base)?,
        Private::Among(base) => Directory::shared(base)?,
    };
    for name in &place.inside(user) {
        if make {
            directory.make(name, 0o700)?;
        }
        directory = directory.inside(name, user)?;
    }
    Ok(directory)
}

/// Writes and locks a record. Who lists leases at this moment may have the lock for an instant.
fn write_record(board: &Board, file: &str, text: &[u8]) -> io::Result<LeaseFile> {
    const MOST: u32 = 100;
    let mut tries = 0;
    let lock = loop {
        tries += 1;
        match board.directory.lock(file, 0o600) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < MOST => {
                std::thread::yield_now();
            }
            result => break result?,
        }
    };
    lock.write(text)?;
    Ok(lock)
}

fn text_of(written: &Written) -> Vec<u8> {
    let mut text = serde_json::to_vec(written).unwrap_or_default();
    text.push(b'\n');
    text
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Errors that would meet the next port too.
fn is_shortage(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| keep::SHORTAGES.contains(&code))
}

/// An error as a part of a sentence.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let cut = text.find(" (os error").unwrap_or(text.len());
    text[..cut].to_lowercase()
}

fn claim_name(transport: Transport, port: Port) -> String {
    format!("{PREFIX}{transport}/{port}")
}

fn parse_claim_name(name: &str) -> Option<(Transport, Port)> {
    let (transport, port) = name.strip_prefix(PREFIX)?.split_once('/')?;
    Some((parse_transport(transport)?, Port::new(port.parse().ok()?)?))
}

fn parse_file_name(name: &str) -> Option<(Transport, Port, u64)> {
    let mut parts = name.splitn(3, '-');
    let transport = parse_transport(parts.next()?)?;
    let port = Port::new(parts.next()?.parse().ok()?)?;
    Some((transport, port, parts.next()?.parse().ok()?))
}

fn parse_transport(word: &str) -> Option<Transport> {
    Transport::ALL.into_iter().find(|transport| transport.name() == word)
}
