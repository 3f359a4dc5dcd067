//! Free ports, by the kernel's word: takes each candidate from every other pick first, then asks
//! by a bind, then hands it out. Which ports are candidates is in [`search`], how a port is kept
//! from other picks in [`crate::lease`].

pub mod search;
pub mod unfit;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use crate::addr::{AddressScope, ORDINARY_ADDRESSES, Port, Transport};
use crate::bind::{BindRequest, BindResult, Conflict, Occupant, Rules};
use crate::host::{Host, Watch};
use crate::lease::{Busy, Claim, HeldLease, Leases};
use crate::snapshot::{Policy, Scope, SocketScope, States};
use crate::sys::heritage::Succession;
use crate::sys::keep::{self, Kept};
use search::{Failure, Reason, Refusal, Search, Seat, Tally};

pub use search::Place;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How many ports, 1 or more.
    pub count: u16,
    /// Where from.
    pub place: Place,
    /// Whether their numbers are to follow each other.
    pub in_a_row: bool,
    /// The transports each is to be free on; not empty.
    pub transports: &'static [Transport],
    /// The addresses each is to be free on.
    pub address: AddressScope,
    /// Whether ports will do that the kernel may draw for somebody's connection. Without a place
    /// it then chooses itself.
    pub ephemeral: bool,
}

/// What becomes of a port between the choice and its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Nothing.
    Nothing,
    /// Other picks leave it alone for so long.
    Timed(Duration),
    /// For a command to come: bound until the command runs, and left alone by other picks as long
    /// as it runs.
    Command,
    /// As [`Keeping::Command`], and bound at that address, to be passed on listening.
    Sockets(IpAddr),
}

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not so many are to be had there.
    #[error("{}", none_found(.wish, .tally, *.free))]
    NoneFree {
        /// What was wanted.
        wish: Box<Wish>,
        /// What was in the way.
        tally: Tally,
        /// How many could have been had.
        free: usize,
    },
    /// Fewer ports are there than are wanted.
    #[error("{place} has {}, and {count} are wanted", ports(*.length))]
    TooMany {
        /// The place.
        place: PlaceWords,
        /// How many it has.
        length: usize,
        /// How many were wanted.
        count: u16,
    },
    /// The address is not this machine's.
    #[error("{0} is not an address of this machine; `{list}` lists them", list = keep::LISTS_ADDRESSES)]
    NotLocal(IpAddr),
    /// The kernel has no ephemeral port left.
    #[error("the kernel has no ephemeral port left ({range})", range = keep::EPHEMERAL_RANGE)]
    Exhausted,
    /// Something that would meet every port.
    #[error("ports cannot be tried: {0}")]
    System(String),
}

/// A place as a sentence has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceWords(pub Place);

impl fmt::Display for PlaceWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Anywhere => f.write_str("the whole range"),
            Place::Near(port) => write!(f, "the range from {port} up"),
            Place::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// Ports that were chosen, with what keeps them.
#[derive(Debug)]
pub struct Picked {
    /// The ports, in the order found.
    pub ports: Vec<Port>,
    /// Whether each is kept as wished: false where a lease could not be written.
    pub kept: bool,
    /// What was not as it should be, as sentences.
    pub notes: Vec<String>,
    transports: &'static [Transport],
    leases: Vec<HeldLease>,
    sockets: Vec<Kept>,
}

/// Chooses. Nothing of a port that was not chosen is kept.
///
/// # Errors
/// [`Problem`].
pub fn pick(
    host: &dyn Host,
    leases: &mut Leases,
    wish: &Wish,
    keeping: Keeping,
    argv: &[String],
) -> Result<Picked, Problem> {
    /// How often to look again where nothing was free and another pick was looking too: what it
    /// had for a moment it may have given back. The pauses double: a tenth of a second in all, which
    /// also outlasts one that a busy machine stopped in the middle.
    const MOST_AGAIN: u32 = 6;
    let chance = chance();
    leases.sweep_sometimes(chance);
    let policy = keep::policy();
    let search = Search::new(wish.place, wish.ephemeral, &policy, chance);
    if search.len() < usize::from(wish.count) {
        return Err(Problem::TooMany {
            place: PlaceWords(wish.place),
            length: search.len(),
            count: wish.count,
        });
    }
    let mut live = Live::new(host, leases, wish, keeping, &policy);
    let by_kernel = wish.ephemeral && wish.place == Place::Anywhere && !wish.in_a_row;
    let ports = if by_kernel {
        live.let_kernel_choose()?
    } else {
        let mut again = 0;
        loop {
            let failure = match search.find(usize::from(wish.count), wish.in_a_row, &mut live) {
                Ok(ports) => break ports,
                Err(failure) => failure,
            };
            match failure {
                Failure::Stopped(problem) => return Err(problem),
                Failure::NotFound { tally, .. }
                    if tally.of(Reason::Leased) > 0 && again < MOST_AGAIN =>
                {
                    let pause = Duration::from_millis((1 + chance % 2) << again);
                    again += 1;
                    host.wait(&[], &mut Watch::silent(), pause);
                }
                Failure::NotFound { tally, free } => {
                    return Err(Problem::NoneFree { wish: Box::new(wish.clone()), tally, free });
                }
            }
        }
    };
    Ok(live.finish(ports, argv))
}

/// A number that nobody can foretell, different for each call of each thread.
fn chance() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// What was had of one port.
struct Had {
    port: Port,
    /// Claims of leases that are still to be written.
    claims: Vec<Claim>,
    sockets: Vec<Kept>,
}

/// Seats of this machine.
struct Live<'a> {
    host: &'a dyn Host,
    leases: &'a mut Leases,
    wish: &'a Wish,
    keeping: Keeping,
    /// Ports below are not for this user: raised at the first refusal.
    unprivileged_start: u16,
    privileged: Option<bool>,
    ipv6: Option<bool>,
    kept: bool,
    had: Vec<Had>,
}

impl<'a> Live<'a> {
    fn new(
        host: &'a dyn Host,
        leases: &'a mut Leases,
        wish: &'a Wish,
        keeping: Keeping,
        policy: &Policy,
    ) -> Self {
        Self {
            host,
            leases,
            wish,
            keeping,
            unprivileged_start: policy.unprivileged_start,
            privileged: None,
            ipv6: None,
            kept: true,
            had: Vec::new(),
        }
    }

    fn try_to_have(&mut self, port: Port) -> Result<Had, Refusal> {
        if port.get() < self.unprivileged_start && self.privileged == Some(false) {
            return Err(Refusal::Next(Reason::Denied));
        }
        // First the claims, then the question: whoever asks alone gets the truth.
        let mut had = Had { port, claims: Vec::new(), sockets: Vec::new() };
        for &transport in self.wish.transports {
            had.claims.push(self.leases.take(transport, port).map_err(refusal_of)?);
        }
        for &transport in self.wish.transports {
            self.ask(transport, port, &mut had.sockets)?;
        }
        Ok(had)
    }

    /// Binds every address of the wish, and stays bound where that is to be kept.
    fn ask(
        &mut self,
        transport: Transport,
        port: Port,
        sockets: &mut Vec<Kept>,
    ) -> Result<(), Refusal> {
        let hold = self.keeping == Keeping::Command;
        for address in self.addresses() {
            let address = socket_address(address, port.get(), self.wish.address);
            let socket = keep::hold(transport, address)
                .map_err(|refused| self.refusal(port, address.ip(), refused))?;
            sockets.extend(Some(socket).filter(|_| hold));
        }
        if let Keeping::Sockets(ip) = self.keeping {
            let address = socket_address(ip, port.get(), self.wish.address);
            match keep::hold(transport, address) {
                Ok(socket) => sockets.push(socket),
                Err(refused) => return Err(self.refusal(port, ip, refused)),
            }
        }
        Ok(())
    }

    /// The addresses whose binds prove the wish. On Linux one plain bind of the dual-stack `::` meets
    /// every socket that an ordinary bind would meet (see [`crate::sight`]); elsewhere both wildcards
    /// are asked.
    fn addresses(&mut self) -> Vec<IpAddr> {
        match self.wish.address {
            AddressScope::One(address, _) => vec![address],
            AddressScope::Every => match self.has_ipv6() {
                true if keep::ONE_BIND_MEETS_ALL => vec![Ipv6Addr::UNSPECIFIED.into()],
                true => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
                false => vec![Ipv4Addr::UNSPECIFIED.into()],
            },
            AddressScope::Localhost => {
                let mut both = vec![ORDINARY_ADDRESSES[1]];
                both.extend(self.has_ipv6_loopback().then_some(ORDINARY_ADDRESSES[3]));
                both
            }
        }
    }

    /// Whether IPv6 sockets can be bound at all: port 0 asks without taking one that anybody wants.
    fn has_ipv6(&mut self) -> bool {
        let host = self.host;
        *self.ipv6.get_or_insert_with(|| {
            let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
            // Only the lack of the family counts: without a port left it is there all the same.
            !matches!(host.probe(Transport::Udp, any), BindResult::Other(_) | BindResult::NotLocal)
        })
    }

    fn has_ipv6_loopback(&mut self) -> bool {
        let loopback = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0);
        self.has_ipv6() && self.host.probe(Transport::Udp, loopback) != BindResult::NotLocal
    }

    fn refusal(&mut self, port: Port, address: IpAddr, refused: BindResult) -> Refusal {
        match refused {
            BindResult::Ok | BindResult::InUse => Refusal::Next(Reason::Held),
            BindResult::Denied => {
                if port.get() < self.unprivileged_start {
                    self.privileged = Some(false);
                }
                Refusal::Next(Reason::Denied)
            }
            BindResult::NotLocal => Refusal::Stop(Problem::NotLocal(address)),
            other => Refusal::Stop(Problem::System(other.name().into_owned())),
        }
    }

    /// Ports of the kernel's own choice: bound first and claimed then, which is as good, because
    /// while it is bound nobody else can get it from the kernel.
    fn let_kernel_choose(&mut self) -> Result<Vec<Port>, Problem> {
        let wanted = usize::from(self.wish.count);
        let [first, others @ ..] = self.wish.transports else { return Ok(Vec::new()) };
        let Some(address) = self.addresses().first().copied() else { return Ok(Vec::new()) };
        let mut ports = Vec::new();
        // Unfit ones stay bound meanwhile, or the kernel would offer them again.
        let mut refused: Vec<Kept> = Vec::new();
        const MOST_REFUSED: usize = 500;
        while ports.len() < wanted {
            let any = socket_address(address, 0, self.wish.address);
            let socket = keep::hold(*first, any).map_err(|result| match result {
                BindResult::InUse => Problem::Exhausted,
                BindResult::NotLocal => Problem::NotLocal(address),
                other => Problem::System(other.name().into_owned()),
            })?;
            let Some(port) = keep::port_of(&socket).and_then(Port::new) else {
                return Err(Problem::System("the kernel names no port".to_owned()));
            };
            match self.complete(port, *first, others, socket) {
                Ok(had) => {
                    self.keep(had);
                    ports.push(port);
                }
                Err((Refusal::Stop(problem), _)) => return Err(problem),
                Err((Refusal::Next(_), socket)) => {
                    refused.extend(socket);
                    if refused.len() > MOST_REFUSED {
                        return Err(Problem::Exhausted);
                    }
                }
            }
        }
        Ok(ports)
    }

    /// What the kernel's choice lacks: the claims, the other transports and addresses, the socket
    /// to pass on.
    fn complete(
        &mut self,
        port: Port,
        first: Transport,
        others: &[Transport],
        socket: Kept,
    ) -> Result<Had, (Refusal, Option<Kept>)> {
        if unfit::browsers_refuse(port) {
            return Err((Refusal::Next(Reason::Browsers), Some(socket)));
        }
        let mut had = Had { port, claims: Vec::new(), sockets: Vec::new() };
        for &transport in self.wish.transports {
            match self.leases.take(transport, port) {
                Ok(claim) => had.claims.push(claim),
                Err(busy) => return Err((refusal_of(busy), Some(socket))),
            }
        }
        if self.addresses().len() == 1 && !matches!(self.keeping, Keeping::Sockets(_)) {
            if self.keeping == Keeping::Command {
                had.sockets.push(socket);
            }
        } else {
            drop(socket);
            self.ask(first, port, &mut had.sockets).map_err(|refusal| (refusal, None))?;
        }
        for &transport in others {
            self.ask(transport, port, &mut had.sockets).map_err(|refusal| (refusal, None))?;
        }
        Ok(had)
    }

    /// A timed lease is written at once, which frees the claim's descriptor: a thousand ports
    /// need no thousand descriptors.
    fn keep(&mut self, mut had: Had) {
        match self.keeping {
            Keeping::Timed(time) => {
                for claim in had.claims.drain(..) {
                    self.kept &= self.leases.keep_for(claim, time);
                }
            }
            // The claim goes with this, and nothing stays.
            Keeping::Nothing => had.claims.clear(),
            Keeping::Command | Keeping::Sockets(_) => {}
        }
        self.had.push(had);
    }

    fn finish(mut self, ports: Vec<Port>, argv: &[String]) -> Picked {
        let mut picked = Picked {
            ports,
            kept: self.kept,
            notes: Vec::new(),
            transports: self.wish.transports,
            leases: Vec::new(),
            sockets: Vec::new(),
        };
        for had in std::mem::take(&mut self.had) {
            for claim in had.claims {
                picked.leases.push(self.leases.hold(claim, argv));
            }
            picked.sockets.extend(had.sockets);
        }
        picked.notes = self.leases.notes().to_vec();
        picked
    }
}

impl Seat for Live<'_> {
    fn take(&mut self, port: Port) -> Result<(), Refusal> {
        let had = self.try_to_have(port)?;
        self.keep(had);
        Ok(())
    }

    fn give_back(&mut self, port: Port) {
        self.had.retain(|had| had.port != port);
        if matches!(self.keeping, Keeping::Timed(_)) {
            for &transport in self.wish.transports {
                self.leases.forget(transport, port);
            }
        }
    }

    fn held(&mut self) -> Box<dyn Fn(Port) -> bool> {
        let snapshot = self.host.snapshot(&Scope {
            sockets: SocketScope::AllPorts,
            states: States::AllIfCheap,
            ..Scope::default()
        });
        let requests: Vec<BindRequest> = self.requests();
        let rules = Rules::of(snapshot.source);
        let stopped = |old: &Occupant| {
            requests.iter().any(|new| {
                let port = old.address.port();
                let new = BindRequest { address: SocketAddr::new(new.address.ip(), port), ..*new };
                rules.conflict(&new, old) == Conflict::Yes
            })
        };
        let held: HashSet<u16> = snapshot
            .sockets
            .iter()
            .filter_map(Occupant::from_socket)
            .filter(stopped)
            .map(|occupant| occupant.address.port())
            .collect();
        Box::new(move |port| held.contains(&port.get()))
    }
}

impl Live<'_> {
    /// The plain binds of the wish.
    fn requests(&mut self) -> Vec<BindRequest> {
        let addresses = self.addresses();
        let request = |transport: Transport, address: IpAddr| {
            BindRequest::plain(transport, SocketAddr::new(address, 0), keep::user())
        };
        let transports = self.wish.transports.iter();
        transports.flat_map(|t| addresses.iter().map(|a| request(*t, *a))).collect()
    }
}

fn refusal_of(busy: Busy) -> Refusal {
    match busy {
        Busy::Leased => Refusal::Next(Reason::Leased),
        Busy::Failed(error) => Refusal::Stop(Problem::System(shortage(&error))),
    }
}

fn shortage(error: &io::Error) -> String {
    BindResult::from_errno(error.raw_os_error().unwrap_or(0)).name().into_owned()
}

fn socket_address(address: IpAddr, port: u16, scope: AddressScope) -> SocketAddr {
    match (address, scope) {
        (IpAddr::V6(v6), AddressScope::One(_, scope)) => {
            SocketAddrV6::new(v6, port, 0, scope).into()
        }
        _ => SocketAddr::new(address, port),
    }
}

/// The address that a passed socket is bound to: the one asked for, else the loopback, since
/// nobody asked for the network to reach it.
pub const fn address_to_pass(asked: Option<AddressScope>) -> IpAddr {
    match asked {
        Some(AddressScope::One(address, _)) => address,
        Some(AddressScope::Every) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        Some(AddressScope::Localhost) | None => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// How ports get into a command's arguments and environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The arguments with their ports.
    pub argv: Vec<OsString>,
    /// `PORT`, and `PORT1`, `PORT2`, … where there are several.
    pub variables: Vec<(String, String)>,
}

/// Why ports cannot be put into arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// `{}` stands there more often than there are ports.
    #[error(
        "`{{}}` stands there {places} times, and {count} ports are picked; write `{{1}}` to repeat one"
    )]
    TooManyPlaces {
        /// How often.
        places: usize,
        /// How many ports.
        count: usize,
    },
    /// `{3}` of two ports.
    #[error(
        "`{{{number}}}` stands there, and {count} ports are picked; for the text itself write `{{{{{number}}}}}`"
    )]
    NoSuchPort {
        /// Which.
        number: usize,
        /// How many ports there are.
        count: usize,
    },
}

/// Puts ports into arguments: `{}` is the port, or of several each `{}` the next one; `{1}`, `{2}`
/// name one where there are several; `{{}}` and `{{1}}` are the texts `{}` and `{1}`.
///
/// # Errors
/// [`PlacementError`].
pub fn place(argv: &[OsString], ports: &[Port]) -> Result<Placement, PlacementError> {
    let mut next = 0;
    let mut placed = Vec::with_capacity(argv.len());
    for word in argv {
        placed.push(place_in(word, ports, &mut next)?);
    }
    if ports.len() > 1 && next > ports.len() {
        return Err(PlacementError::TooManyPlaces { places: next, count: ports.len() });
    }
    let mut variables = Vec::new();
    variables.extend(ports.first().map(|port| ("PORT".to_owned(), port.to_string())));
    if ports.len() > 1 {
        let numbered = ports.iter().enumerate();
        variables.extend(numbered.map(|(at, port)| (format!("PORT{}", at + 1), port.to_string())));
    }
    Ok(Placement { argv: placed, variables })
}

fn place_in(word: &OsString, ports: &[Port], next: &mut usize) -> Result<OsString, PlacementError> {
    // Braces and digits are ASCII, so the pieces around them stay what they were.
    let bytes = word.as_encoded_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&byte) = rest.first() {
        if let Some((literal, length)) = escaped(rest) {
            out.extend_from_slice(literal);
            rest = &rest[length..];
            continue;
        }
        let (port, length) = match placeholder(rest) {
            Some((None, length)) => {
                *next += 1;
                let at = if ports.len() == 1 { 0 } else { *next - 1 };
                (ports.get(at).copied(), length)
            }
            // Of one port `{1}` is no placeholder: it may be somebody's pattern.
            Some((Some(number), length)) if ports.len() > 1 => {
                let port = number.checked_sub(1).and_then(|at| ports.get(at));
                let missing = PlacementError::NoSuchPort { number, count: ports.len() };
                (Some(*port.ok_or(missing)?), length)
            }
            _ => {
                out.push(byte);
                rest = &rest[1..];
                continue;
            }
        };
        out.extend(port.map(|port| port.to_string()).unwrap_or_default().bytes());
        rest = &rest[length..];
    }
    Ok(from_encoded(out))
}

/// `{}` or `{12}` at the beginning, with its length.
fn placeholder(text: &[u8]) -> Option<(Option<usize>, usize)> {
    let inside = text.strip_prefix(b"{")?;
    let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if inside.get(digits) != Some(&b'}') || digits > 5 {
        return None;
    }
    let number = std::str::from_utf8(&inside[..digits]).ok()?;
    Some((number.parse().ok(), digits + 2))
}

/// `{{}}` or `{{12}}` at the beginning: what it stands for, and its length.
fn escaped(text: &[u8]) -> Option<(&[u8], usize)> {
    let inside = text.strip_prefix(b"{")?;
    let (_, length) = placeholder(inside)?;
    (inside.get(length) == Some(&b'}')).then(|| (&inside[..length], length + 2))
}

#[cfg(unix)]
fn from_encoded(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn from_encoded(bytes: Vec<u8>) -> OsString {
    let lossy =
        |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    String::from_utf8(bytes).unwrap_or_else(lossy).into()
}

impl Picked {
    /// Becomes the command: same PID, terminal and parent. Ports that are passed as sockets are
    /// passed listening (sd_listen_fds(3)); others are let go by the kernel in the moment that
    /// the command begins. The leases go with the command. Returns only if it cannot be run, and
    /// then everything has been let go. On Windows, where nothing becomes another program, the command
    /// is a child that is waited for, and its exit code comes back.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn become_command(mut self, placement: Placement, as_sockets: bool) -> io::Result<i32> {
        let Placement { argv, mut variables } = placement;
        let (kept, mut records) = HeldLease::taken_apart(std::mem::take(&mut self.leases));
        let mut bound = std::mem::take(&mut self.sockets);
        let mut sockets = Vec::new();
        if as_sockets {
            sockets = std::mem::take(&mut bound);
            for socket in &sockets {
                keep::serve(socket)?;
            }
            let names: Vec<String> = (1..=self.ports.len())
                .flat_map(|at| self.transports.iter().map(move |t| format!("{t}{at}")))
                .collect();
            variables.push(("LISTEN_FDS".to_owned(), sockets.len().to_string()));
            variables.push(("LISTEN_PID".to_owned(), std::process::id().to_string()));
            variables.push(("LISTEN_FDNAMES".to_owned(), names.join(":")));
        }
        let mut begun = |holder, kept: &[Kept]| {
            for record in records.drain(..) {
                let (at, text) = (record.at, record.of(holder));
                // Without it a list shows this process, which waits for the command.
                let _ = kept.get(at).map(|file| keep::rewrite(file, &text));
            }
        };
        keep::succeed(Succession { argv, variables, sockets, kept, bound }, &mut begun)
    }
}

/// A port that other picks leave alone as long as this exists: what is given to a command that
/// runs as a child, and not in the place of this process.
#[derive(Debug)]
pub struct Reserved {
    /// The port.
    pub port: Port,
    _leases: Vec<HeldLease>,
}

/// Chooses the next free port above that one, as [`pick`] does, and keeps it from other picks for
/// as long as the answer exists; it is bound by nobody, so that the command can have it.
///
/// # Errors
/// [`Problem`].
pub fn reserve_above(
    host: &dyn Host,
    leases: &mut Leases,
    port: Port,
    argv: &[String],
) -> Result<Reserved, Problem> {
    let wish = Wish {
        count: 1,
        // The highest port has none above it, and is held.
        place: Place::Near(Port::new(port.get().saturating_add(1)).unwrap_or(port)),
        in_a_row: false,
        transports: &Transport::ALL[..1],
        address: AddressScope::Every,
        ephemeral: false,
    };
    let mut picked = pick(host, leases, &wish, Keeping::Command, argv)?;
    let none = || Problem::System("none was found".to_owned());
    let port = picked.ports.pop().ok_or_else(none)?;
    Ok(Reserved { port, _leases: picked.leases })
}

fn none_found(wish: &Wish, tally: &Tally, free: usize) -> String {
    let what = match (wish.count, wish.in_a_row) {
        (1, _) => "no free port".to_owned(),
        (count, true) => format!("no {count} free ports in a row"),
        (count, false) => format!("only {free} of {count} free ports"),
    };
    let place = match wish.place {
        Place::Anywhere => String::new(),
        Place::Near(port) => format!(" at or above {port}"),
        Place::Range(first, last) if first == last => format!(": {first}"),
        Place::Range(first, last) => format!(" in {first}-{last}"),
    };
    let single = matches!(wish.place, Place::Range(first, last) if first == last);
    let all = [
        (Reason::Held, "held"),
        (Reason::Leased, "leased by other picks (`proc pick --leases`)"),
        (Reason::Denied, "not permitted to this user"),
        (Reason::Reserved, "reserved by net.ipv4.ip_local_reserved_ports"),
        (Reason::Ephemeral, "what the kernel draws connections' ports from (--ephemeral)"),
        (Reason::Browsers, "refused by browsers"),
        (Reason::Familiar, "well-known programs' own"),
        (Reason::Alone, "free but not enough in a row"),
    ];
    let told: Vec<String> = all
        .into_iter()
        .filter(|(reason, _)| tally.of(*reason) > 0)
        .map(|(reason, words)| match single {
            true => format!("it is {words}"),
            false => format!("{} {words}", tally.of(reason)),
        })
        .collect();
    format!("{what}{place}; {}", told.join(", "))
}

fn ports(count: usize) -> String {
    if count == 1 { "1 port".to_owned() } else { format!("{count} ports") }
}

impl Problem {
    /// Whether what stands in the way is a permission alone.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::NoneFree { tally, .. }
            if tally.of(Reason::Denied) > 0 && tally.of(Reason::Denied) == tally.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(words: &str, count: u16) -> Result<String, PlacementError> {
        let argv: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let ports: Vec<Port> = (3000..3000 + count).filter_map(Port::new).collect();
        let placed = place(&argv, &ports)?;
        Ok(placed.argv.join(" ".as_ref()).into_string().unwrap())
    }

    #[test]
    fn ports_go_where_they_are_wanted() {
        for (words, count, want) in [
            ("serve -p {} {}", 1, "serve -p 3000 3000"),
            ("serve --port={}x", 1, "serve --port=3000x"),
            ("grep a{1} {{}} {x} {", 1, "grep a{1} {} {x} {"),
            ("a {} b {}", 2, "a 3000 b 3001"),
            ("a {2} {1} {2}", 2, "a 3001 3000 3001"),
            ("a {2} {} {{1}}", 2, "a 3001 3000 {1}"),
            ("é{}é", 1, "é3000é"),
            ("a b", 3, "a b"),
            ("{{{}}}", 1, "{{}}"),
        ] {
            assert_eq!(placed(words, count).as_deref(), Ok(want), "{words}");
        }
        assert_eq!(
            placed("{} {} {}", 2).unwrap_err().to_string(),
            "`{}` stands there 3 times, and 2 ports are picked; write `{1}` to repeat one"
        );
        assert_eq!(
            placed("{3}", 2).unwrap_err().to_string(),
            "`{3}` stands there, and 2 ports are picked; for the text itself write `{{3}}`"
        );
    }

    #[test]
    fn variables_name_every_port() {
        let ports: Vec<Port> = [3000, 3001].into_iter().filter_map(Port::new).collect();
        let names = |ports: &[Port]| {
            let placed = place(&["x".into()], ports).unwrap();
            placed.variables.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>()
        };
        assert_eq!(names(&ports[..1]), ["PORT=3000"]);
        assert_eq!(names(&ports), ["PORT=3000", "PORT1=3000", "PORT2=3001"]);
    }

    #[test]
    fn a_failure_says_what_was_in_the_way() {
        let port = |number| Port::new(number).unwrap();
        let mut tally = Tally::default();
        for reason in [Reason::Held, Reason::Held, Reason::Leased, Reason::Reserved] {
            tally.add(reason);
        }
        let wish = |place, count, in_a_row| Wish {
            count,
            place,
            in_a_row,
            transports: &Transport::ALL[..1],
            address: AddressScope::Every,
            ephemeral: false,
        };
        let range = Place::Range(port(3000), port(3003));
        assert_eq!(
            none_found(&wish(range, 1, false), &tally, 0),
            "no free port in 3000-3003; 2 held, 1 leased by other picks (`proc pick --leases`), \
             1 reserved by net.ipv4.ip_local_reserved_ports"
        );
        assert!(
            none_found(&wish(range, 2, true), &tally, 0).starts_with("no 2 free ports in a row in")
        );
        assert!(
            none_found(&wish(range, 3, false), &tally, 1).starts_with("only 1 of 3 free ports in")
        );
        let mut tally = Tally::default();
        tally.add(Reason::Held);
        let one = Place::Range(port(3000), port(3000));
        assert_eq!(none_found(&wish(one, 1, false), &tally, 0), "no free port: 3000; it is held");
    }
}
