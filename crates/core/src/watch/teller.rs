//! Names who did what the sensor saw, judges what it was, and tells it, in the order of what
//! happened. May take its milliseconds: nothing is missed meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime};

use super::change::{Change, Name};
use super::judge::{Tenant, Verdict, WINDOW, judge};
use super::lens::Lens;
use super::population::Population;
use super::sensor::{Missing, Moment, News};
use super::{Audience, WatchError, Wish, words};
use crate::addr::{Endpoint, Port};
use crate::diagnosis::topmost;
use crate::host::{Host, Pinned};
use crate::look::{LookOptions, process_facts, socket_report};
use crate::process::{Process, ProcessId};
use crate::report::{HolderReport, ProcessReport, SCHEMA, SocketReport, WatchEvent, WatchKind};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol, Socket, TcpState};
use crate::target::Target;
use crate::timestamp::rfc3339_ms;

/// News that are named together.
const BATCH: usize = 16_384;
/// From so many ports on the whole table is asked for at once.
const MOST_PORTS: usize = 64;
/// How often it is asked whether anybody listens.
const PULSE: Duration = Duration::from_secs(1);
/// Holders are looked at again that often at most, and for at most this part of the time.
const HOLDERS_AGAIN: Duration = Duration::from_secs(10);
const HOLDERS_PART: u32 = 2_000;
/// The same for reading all processes, and for counting connections.
const PROCESSES_AGAIN: Duration = Duration::from_millis(250);
const PROCESSES_PART: u32 = 700;
const CLIENTS_AGAIN: Duration = Duration::from_secs(1);
const CLIENTS_PART: u32 = 500;
/// Processes kept hold of, to recognise them when they open a port again.
const MOST_PINS: usize = 128;
/// Those whose ends the sensor waits for.
const MOST_HANDED: usize = 64;
/// Ports whose last holders are remembered.
const MOST_SPOTS: usize = 4_096;
/// Holders remembered for a port.
const MOST_REGULARS: usize = 3;

/// Where a socket is, whatever its address: protocol, and port or name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Spot(Protocol, Option<u16>, Option<LocalAddress>);

impl Spot {
    fn of(socket: &Socket) -> Self {
        let port = socket.port();
        Self(socket.protocol, port, port.is_none().then(|| socket.local.clone()))
    }
}

/// A socket that is there.
#[derive(Debug)]
struct Held {
    socket: Socket,
    tenant: Option<Rc<Tenant>>,
    target: Option<String>,
    told: bool,
}

/// A port that was let go a while ago.
#[derive(Debug)]
struct LetGo {
    tenant: Rc<Tenant>,
    local: LocalAddress,
    at: Duration,
}

/// What was found out about a socket that was named.
#[derive(Debug)]
struct Seen {
    socket: Socket,
    tenant: Option<Rc<Tenant>>,
    pids: Vec<u32>,
}

type Names = HashMap<Name, Seen>;

/// Something done again and again.
#[derive(Debug)]
struct Chore {
    next: Duration,
    least: Duration,
    part: u32,
}

impl Chore {
    const fn new(least: Duration, part: u32) -> Self {
        Self { next: Duration::ZERO, least, part }
    }

    fn done(&mut self, began: Duration, ended: Duration) {
        let pause = ended.saturating_sub(began).saturating_mul(self.part);
        self.next = ended + self.least.max(pause);
    }
}

pub(super) struct Teller<'a> {
    host: &'a dyn Host,
    wish: &'a Wish,
    lens: &'a Lens,
    audience: &'a mut dyn Audience,
    pins_out: Sender<Pinned>,
    handed: HashSet<ProcessId>,
    population: Population,
    people: HashMap<ProcessId, ProcessReport>,
    held: HashMap<Name, Held>,
    let_go: HashMap<Spot, VecDeque<LetGo>>,
    regulars: HashMap<Spot, VecDeque<Rc<Tenant>>>,
    pins: HashMap<ProcessId, Pinned>,
    clients: HashMap<Spot, usize>,
    clients_counted: bool,
    settled: bool,
    changes: usize,
    holders_again: Chore,
    processes_again: Chore,
    clients_again: Chore,
}

/// Whether to go on.
type Goes = bool;

impl<'a> Teller<'a> {
    pub(super) fn new(
        host: &'a dyn Host,
        wish: &'a Wish,
        lens: &'a Lens,
        audience: &'a mut dyn Audience,
        pins_out: Sender<Pinned>,
    ) -> Self {
        Self {
            host,
            wish,
            lens,
            audience,
            pins_out,
            handed: HashSet::new(),
            population: Population::new(&lens.processes),
            people: HashMap::new(),
            held: HashMap::new(),
            let_go: HashMap::new(),
            regulars: HashMap::new(),
            pins: HashMap::new(),
            clients: HashMap::new(),
            clients_counted: false,
            settled: false,
            changes: 0,
            holders_again: Chore::new(HOLDERS_AGAIN, HOLDERS_PART),
            processes_again: Chore::new(PROCESSES_AGAIN, PROCESSES_PART),
            clients_again: Chore::new(CLIENTS_AGAIN, CLIENTS_PART),
        }
    }

    /// Tells which of the processes meant are there.
    pub(super) fn begin(&mut self) -> Result<Goes, WatchError> {
        if self.population.is_empty() {
            return Ok(true);
        }
        let goes = self.count_processes(true);
        for target in &self.lens.processes {
            let (Target::Pid(pid) | Target::Number(pid)) = target else { continue };
            if self.population.target_of(&[*pid]).is_none() {
                return Err(match target {
                    Target::Number(_) if target.also_port().is_some() => {
                        WatchError::NoProcessOrPort(*pid)
                    }
                    _ => WatchError::NoProcess(*pid),
                });
            }
        }
        Ok(goes)
    }

    /// Tells until there is no more news, or nobody who wants it.
    pub(super) fn listen(&mut self, news: &Receiver<News>) {
        loop {
            match news.recv_timeout(self.until_next_chore()) {
                Ok(first) => {
                    let rest = news.try_iter().take(BATCH - 1);
                    let batch: Vec<News> = std::iter::once(first).chain(rest).collect();
                    if !self.take(batch) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) if !self.audience.listens() => return,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.settled && !self.do_chores() {
                return;
            }
        }
    }

    fn take(&mut self, batch: Vec<News>) -> Goes {
        let new: Vec<Socket> = batch
            .iter()
            .filter_map(|news| match news {
                News::Change(_, Change::Opened(socket)) | News::There(_, socket) => Some(socket),
                _ => None,
            })
            .cloned()
            .collect();
        let mut names = self.name(new);
        if self.has_strangers(&names) && !self.count_processes(false) {
            return false;
        }
        batch.into_iter().all(|news| self.on(news, &mut names))
    }

    /// Whether somebody opened a port whom a target may mean and who was not there at the last
    /// reading of processes.
    fn has_strangers(&self, names: &Names) -> bool {
        !self.population.is_empty()
            && !self.population.is_fixed()
            && names.values().any(|seen| {
                !seen.pids.is_empty() && self.population.target_of(&seen.pids).is_none()
            })
    }

    fn on(&mut self, news: News, names: &mut Names) -> Goes {
        match news {
            News::There(moment, socket) => self.on_there(moment, socket, names),
            News::Settled => {
                self.settled = true;
                let now = self.host.now();
                self.holders_again.next = now + HOLDERS_AGAIN;
                true
            }
            News::Change(moment, Change::Opened(socket)) => self.on_opened(moment, socket, names),
            News::Change(moment, Change::Listening(socket)) => self.on_listening(moment, &socket),
            News::Change(moment, Change::Closed(socket)) => self.on_closed(moment, &socket),
            News::Change(moment, Change::Brief(socket)) => {
                let target = self.lens.port_target(&socket).map(str::to_owned);
                let event = self.event(WatchKind::Brief, moment.wall);
                self.emit(WatchEvent { target, socket: Some(shown(&socket, None)), ..event })
            }
            News::Ended(moment, id) => self.on_ended(moment, id),
            News::Gap(moment, missing) => {
                let event = self.event(WatchKind::Gap, moment.wall);
                self.emit(WatchEvent { explain: missing_words(missing), ..event })
            }
        }
    }

    fn on_there(&mut self, moment: Moment, socket: Socket, names: &mut Names) -> Goes {
        let event = WatchEvent { initial: true, ..self.event(WatchKind::Listening, moment.wall) };
        let Some(event) = self.settle_in(event, socket, names) else { return true };
        self.emit(event)
    }

    fn on_opened(&mut self, moment: Moment, socket: Socket, names: &mut Names) -> Goes {
        let (spot, local) = (Spot::of(&socket), socket.local.clone());
        let event = self.event(WatchKind::Opened, moment.wall);
        let name = Name::of(&socket);
        let event = self.settle_in(event, socket, names);
        let tenant = self.held.get(&name).and_then(|held| held.tenant.clone());
        let before = self.claim(&spot, &local, moment.at);
        let Some(mut event) = event else { return true };
        if let (Some(tenant), Some(before)) = (tenant, before) {
            let since = moment.at.saturating_sub(before.at);
            let verdict = judge(&before.tenant, since, &tenant);
            if verdict != Verdict::Opened {
                event.kind = match verdict {
                    Verdict::Restarted => WatchKind::Restarted,
                    Verdict::Opened | Verdict::ChangedHands => WatchKind::ChangedHands,
                };
                event.from = Some(before.tenant.report.clone());
                event.after_ms = Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
                if verdict == Verdict::Restarted {
                    event.by = tenant.report.supervisor.clone();
                }
            }
        }
        self.emit(event)
    }

    /// Notes a socket that is there, and fills in whose it is; `None` where it is not to be told.
    fn settle_in(
        &mut self,
        event: WatchEvent,
        socket: Socket,
        names: &mut Names,
    ) -> Option<WatchEvent> {
        let name = Name::of(&socket);
        let seen = names.remove(&name);
        let pids = seen.as_ref().map_or(&[][..], |seen| &seen.pids);
        let target = self.target(&socket, pids);
        let (socket, tenant) = match seen {
            Some(seen) => (seen.socket, seen.tenant),
            None => (socket, None),
        };
        let told = self.lens.all || target.is_some();
        if let Some(tenant) = &tenant {
            self.remember(Spot::of(&socket), tenant);
        }
        let event = told.then(|| WatchEvent {
            target: target.clone(),
            socket: Some(shown(&socket, tenant.as_deref())),
            process: tenant.as_ref().map(|tenant| tenant.report.clone()),
            ..event
        });
        self.held.insert(name, Held { socket, tenant, target, told });
        event
    }

    fn target(&self, socket: &Socket, pids: &[u32]) -> Option<String> {
        let own = match socket.protocol {
            Protocol::Unix => self.lens.unix_target(socket),
            _ => self.lens.port_target(socket),
        };
        own.or_else(|| self.population.target_of(pids)).map(str::to_owned)
    }

    fn on_listening(&mut self, moment: Moment, socket: &Socket) -> Goes {
        let event = self.event(WatchKind::Listening, moment.wall);
        let Some(held) = self.held.get_mut(&Name::of(socket)) else { return true };
        let holders = std::mem::replace(&mut held.socket.holders, Holders::NotLooked);
        held.socket = Socket { holders, ..socket.clone() };
        let event = of_held(event, held);
        event.is_none_or(|event| self.emit(event))
    }

    fn on_closed(&mut self, moment: Moment, socket: &Socket) -> Goes {
        let event = self.event(WatchKind::Closed, moment.wall);
        let Some(held) = self.held.remove(&Name::of(socket)) else { return true };
        let event = of_held(event, &held);
        if let Some(tenant) = held.tenant {
            let local = held.socket.local.clone();
            self.note_let_go(Spot::of(&held.socket), LetGo { tenant, local, at: moment.at });
        }
        event.is_none_or(|event| self.emit(event))
    }

    fn note_let_go(&mut self, spot: Spot, let_go: LetGo) {
        let now = let_go.at;
        if self.let_go.len() > MOST_SPOTS {
            self.let_go.retain(|_, all| all.iter().any(|one| now.saturating_sub(one.at) <= WINDOW));
        }
        let all = self.let_go.entry(spot).or_default();
        all.retain(|one| now.saturating_sub(one.at) <= WINDOW);
        all.push_back(let_go);
        if all.len() > 8 {
            all.pop_front();
        }
    }

    /// Who let go of the port that is opened now: of the very address if somebody did, else of
    /// the port, the last first.
    fn claim(&mut self, spot: &Spot, local: &LocalAddress, now: Duration) -> Option<LetGo> {
        let all = self.let_go.get_mut(spot)?;
        all.retain(|one| now.saturating_sub(one.at) <= WINDOW);
        let same = all.iter().rposition(|one| one.local == *local);
        all.remove(same.or(all.len().checked_sub(1))?)
    }

    fn on_ended(&mut self, moment: Moment, id: ProcessId) -> Goes {
        self.handed.remove(&id);
        self.pins.remove(&id);
        let target = self.population.remove(id);
        let process = self.people.remove(&id);
        if target.is_some() {
            // Whoever comes in its place is looked for at once.
            self.processes_again.next = Duration::ZERO;
            let event = self.event(WatchKind::ProcessEnded, moment.wall);
            if !self.emit(WatchEvent { target, process, ..event }) {
                return false;
            }
        }
        let theirs = |held: &Held| held.tenant.as_ref().is_some_and(|tenant| tenant.id == id);
        let left: Vec<Socket> = self
            .held
            .values()
            .filter(|held| theirs(held))
            .map(|held| held.socket.clone())
            .collect();
        self.check_holders(&left, moment.wall)
    }

    /// Looks who holds these sockets now, and tells where that is somebody else than before.
    fn check_holders(&mut self, sockets: &[Socket], wall: SystemTime) -> Goes {
        let mut names: Vec<(Name, Seen)> = self.look_for(sockets).into_iter().collect();
        names.sort_by_key(|(_, seen)| (seen.socket.port(), seen.socket.cookie));
        for (name, seen) in names {
            let Some(tenant) = seen.tenant else { continue };
            let target = self.target(&seen.socket, &seen.pids);
            let event = self.event(WatchKind::ChangedHands, wall);
            let Some(held) = self.held.get_mut(&name) else { continue };
            let before = held.tenant.replace(tenant.clone());
            held.socket.holders = seen.socket.holders;
            // Somebody whom a target means came to hold it, or was recognised late.
            let late = !held.told && target.is_some();
            held.told |= late;
            held.target = held.target.take().or(target);
            let before = before.filter(|before| before.id != tenant.id);
            let mut event = of_held(event, held);
            let spot = Spot::of(&held.socket);
            self.remember(spot, &tenant);
            if let Some(event) = &mut event {
                match before {
                    Some(before) => event.from = Some(before.report.clone()),
                    None if late => event.kind = WatchKind::Opened,
                    None => continue,
                }
                if !self.emit(event.clone()) {
                    return false;
                }
            }
        }
        true
    }

    // ---- naming ----

    /// Finds out whose these sockets are: first by asking those who had the port before, as that
    /// takes microseconds and the socket may not be there for longer, then by a walk over all
    /// processes for the others.
    fn name(&mut self, sockets: Vec<Socket>) -> Names {
        let mut names = Names::new();
        let mut rest = Vec::new();
        for socket in sockets {
            match self.ask_regulars(&socket) {
                Some(seen) => {
                    names.insert(Name::of(&socket), seen);
                }
                None => rest.push(socket),
            }
        }
        names.extend(self.look_for(&rest));
        names
    }

    fn ask_regulars(&self, socket: &Socket) -> Option<Seen> {
        let inode = socket.inode?;
        let holds = |tenant: &&Rc<Tenant>| {
            let holder = Holder { pid: tenant.id.pid, by: HeldBy::Descriptor(0) };
            let pin = self.pins.get(&tenant.id);
            pin.is_some_and(|pin| self.host.still_holds(pin, &holder, inode))
        };
        let tenant = self.regulars.get(&Spot::of(socket))?.iter().find(holds)?;
        let pids = vec![tenant.id.pid];
        Some(Seen { socket: socket.clone(), tenant: Some(tenant.clone()), pids })
    }

    fn look_for(&mut self, sockets: &[Socket]) -> Names {
        let mut names = Names::new();
        let wanted: HashSet<Name> = sockets.iter().map(Name::of).collect();
        let ports: BTreeSet<Port> =
            sockets.iter().filter_map(Socket::port).filter_map(Port::new).collect();
        if !ports.is_empty() {
            let scope = match ports.len() > MOST_PORTS {
                true => SocketScope::AllPorts,
                false => SocketScope::Ports(ports.into_iter().map(Endpoint::any).collect()),
            };
            self.look_in(scope, &wanted, &mut names);
        }
        if sockets.iter().any(|socket| socket.protocol == Protocol::Unix) {
            let unix = self.lens.unix.iter().map(|(name, _)| name.clone()).collect();
            self.look_in(SocketScope::Unix(unix), &wanted, &mut names);
        }
        names
    }

    fn look_in(&mut self, sockets: SocketScope, wanted: &HashSet<Name>, names: &mut Names) {
        let states = States::BoundIfCheap;
        let scope = Scope { sockets, holders: true, states, ..Scope::default() };
        let mut snapshot = self.host.snapshot(&scope);
        let mut known: HashMap<u32, Rc<Tenant>> = HashMap::new();
        for socket in std::mem::take(&mut snapshot.sockets) {
            let name = Name::of(&socket);
            if !wanted.contains(&name) {
                continue;
            }
            let pids = topmost(&snapshot, &socket.holders.pids());
            let process = pids.first().and_then(|pid| snapshot.processes.get(pid));
            let tenant = process.map(|process| {
                let entry = known.entry(process.id.pid);
                let tenant = entry.or_insert_with(|| Rc::new(self.tenant(process, &snapshot)));
                tenant.clone()
            });
            names.insert(name, Seen { socket, tenant, pids });
        }
        for tenant in known.values() {
            self.pin(tenant.id);
        }
    }

    fn tenant(&self, process: &Process, snapshot: &Snapshot) -> Tenant {
        Tenant::new(process, self.facts(process, snapshot))
    }

    fn facts(&self, process: &Process, snapshot: &Snapshot) -> ProcessReport {
        let options =
            LookOptions { show_secrets: self.wish.show_secrets, ..LookOptions::default() };
        // Its age would be that of the first look and not of the event.
        ProcessReport { age_ms: None, ..process_facts(process, snapshot, &options) }
    }

    fn remember(&mut self, spot: Spot, tenant: &Rc<Tenant>) {
        if self.regulars.len() >= MOST_SPOTS && !self.regulars.contains_key(&spot) {
            self.regulars.clear();
        }
        let regulars = self.regulars.entry(spot).or_default();
        regulars.retain(|regular| regular.id != tenant.id);
        regulars.push_front(tenant.clone());
        regulars.truncate(MOST_REGULARS);
    }

    /// Takes hold of a process: to ask it first the next time, and to hear of its end.
    fn pin(&mut self, id: ProcessId) {
        if self.pins.len() >= MOST_PINS {
            self.pins.retain(|_, pin| !self.host.exited(pin));
        }
        if self.pins.len() < MOST_PINS
            && !self.pins.contains_key(&id)
            && let Ok(pin) = self.host.pin(id)
        {
            self.pins.insert(id, pin);
        }
        self.hand_over(id);
    }

    fn hand_over(&mut self, id: ProcessId) {
        if self.handed.len() < MOST_HANDED
            && !self.handed.contains(&id)
            && let Ok(pin) = self.host.pin(id)
            && self.pins_out.send(pin).is_ok()
        {
            self.handed.insert(id);
        }
    }

    // ---- what is done again and again ----

    fn until_next_chore(&self) -> Duration {
        if !self.settled {
            return PULSE;
        }
        let mut next = self.holders_again.next;
        if !self.population.is_empty() && !self.population.is_fixed() {
            next = next.min(self.processes_again.next);
        }
        if self.wish.clients {
            next = next.min(self.clients_again.next);
        }
        next.saturating_sub(self.host.now()).min(PULSE)
    }

    fn do_chores(&mut self) -> Goes {
        let began = self.host.now();
        if began >= self.holders_again.next {
            let told: Vec<Socket> = self.held.values().map(|held| held.socket.clone()).collect();
            if !self.check_holders(&told, SystemTime::now()) {
                return false;
            }
            self.holders_again.done(began, self.host.now());
        }
        let began = self.host.now();
        let people = !self.population.is_empty() && !self.population.is_fixed();
        if people && began >= self.processes_again.next && !self.count_processes(false) {
            return false;
        }
        let began = self.host.now();
        if self.wish.clients && began >= self.clients_again.next {
            let goes = self.count_clients();
            self.clients_again.done(began, self.host.now());
            return goes;
        }
        true
    }

    fn count_processes(&mut self, first: bool) -> Goes {
        let began = self.host.now();
        let counted = self.population.count(self.host, first);
        let wall = SystemTime::now();
        for (id, target) in &counted.went {
            let process = self.people.remove(id);
            let target = Some(target.clone());
            let event = self.event(WatchKind::ProcessEnded, wall);
            if !self.emit(WatchEvent { target, process, ..event }) {
                return false;
            }
        }
        for &id in &counted.came {
            let snapshot = counted.snapshot();
            let Some(process) = snapshot.processes.get(&id.pid) else { continue };
            let report = self.facts(process, snapshot);
            self.people.insert(id, report.clone());
            self.hand_over(id);
            let event = WatchEvent {
                initial: first,
                target: self.population.target(id).map(str::to_owned),
                by: report.supervisor.clone(),
                process: Some(report),
                ..self.event(WatchKind::ProcessStarted, wall)
            };
            if !self.emit(event) {
                return false;
            }
        }
        self.processes_again.done(began, self.host.now());
        true
    }

    fn count_clients(&mut self) -> Goes {
        let counts = self.clients_now();
        let wall = SystemTime::now();
        let first = !std::mem::replace(&mut self.clients_counted, true);
        let mut listeners: HashMap<Spot, &Held> = HashMap::new();
        for held in self.held.values().filter(|held| held.told) {
            if held.socket.state == Some(TcpState::Listen) && held.socket.port().is_some() {
                listeners.insert(Spot::of(&held.socket), held);
            }
        }
        let mut events = Vec::new();
        for (spot, held) in listeners {
            let now = counts.get(&spot).copied().unwrap_or(0);
            if self.clients.get(&spot).copied().unwrap_or(0) != now {
                let event = WatchEvent {
                    initial: first,
                    clients: Some(now),
                    ..self.event(WatchKind::Clients, wall)
                };
                events.extend(of_held(event, held).map(|event| (spot, event)));
            }
        }
        self.clients = counts;
        events.sort_by_key(|(spot, _)| spot.1);
        events.into_iter().all(|(_, event)| self.emit(event))
    }

    /// Open connections to the ports that are held, by port.
    fn clients_now(&self) -> HashMap<Spot, usize> {
        let tcp = |held: &&Held| held.told && held.socket.state == Some(TcpState::Listen);
        let ports: BTreeSet<Port> = self
            .held
            .values()
            .filter(tcp)
            .filter_map(|held| held.socket.port().and_then(Port::new))
            .collect();
        let mut counts = HashMap::new();
        if ports.is_empty() {
            return counts;
        }
        let scope = match ports.len() > MOST_PORTS {
            true => SocketScope::AllPorts,
            false => SocketScope::Ports(ports.into_iter().map(Endpoint::any).collect()),
        };
        let scope = Scope { sockets: scope, states: States::All, ..Scope::default() };
        for socket in &self.host.snapshot(&scope).sockets {
            if socket.state == Some(TcpState::Established) && socket.port().is_some() {
                *counts.entry(Spot::of(socket)).or_default() += 1;
            }
        }
        counts
    }

    // ---- telling ----

    fn event(&self, kind: WatchKind, wall: SystemTime) -> WatchEvent {
        WatchEvent {
            schema: SCHEMA,
            at: rfc3339_ms(wall),
            kind,
            initial: false,
            target: None,
            socket: None,
            process: None,
            from: None,
            by: None,
            after_ms: None,
            clients: None,
            explain: String::new(),
        }
    }

    fn emit(&mut self, mut event: WatchEvent) -> Goes {
        if event.initial && self.wish.changes_only {
            return true;
        }
        event.explain = words::sentence(&event);
        if !self.audience.tell(&event) {
            return false;
        }
        self.changes += usize::from(!event.initial);
        self.wish.count.is_none_or(|most| event.initial || self.changes < most)
    }
}

/// The event about a socket that is known; `None` where it is not to be told.
fn of_held(event: WatchEvent, held: &Held) -> Option<WatchEvent> {
    held.told.then(|| WatchEvent {
        target: held.target.clone(),
        socket: Some(shown(&held.socket, held.tenant.as_deref())),
        process: held.tenant.as_ref().map(|tenant| tenant.report.clone()),
        ..event
    })
}

/// A socket as it is told. Who was recognised without a walk is its holder too.
fn shown(socket: &Socket, tenant: Option<&Tenant>) -> SocketReport {
    let mut report = socket_report(socket, &Snapshot::empty(SystemTime::UNIX_EPOCH));
    if let (true, Some(tenant)) = (report.holders.is_empty(), tenant) {
        report.holders.push(HolderReport { pid: tenant.id.pid, fd: None, by: None });
    }
    report
}

fn missing_words(missing: Missing) -> String {
    match missing {
        Missing::EventsLost => {
            "more sockets ended at once than could be read; one that opened and closed in that moment may be missing here".to_owned()
        }
        Missing::Unwatched(time) => format!(
            "nobody looked for {} ms, as the machine was busy or this program was stopped; what opened and closed in that time is missing here",
            time.as_millis()
        ),
        Missing::Untold(count) => {
            format!("{count} changes are missing here: nobody read them in time")
        }
    }
}
