//! What changed between two looks at the sockets of some ports: pure, with the kernel's name of a
//! socket (its cookie) as its identity. Who did it is found out later, by `teller`.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::socket::{LocalAddress, Protocol, Socket, TcpState};

/// One change, with the socket as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there, and was not before.
    Opened(Socket),
    /// It was bound before and listens now.
    Listening(Socket),
    /// It was there and is gone, or serves no more.
    Closed(Socket),
    /// It was opened and closed between two looks; the kernel told its end. Whether it listened,
    /// and whose it was, could not be seen.
    Brief(Socket),
}

impl Change {
    /// The socket it is about.
    pub const fn socket(&self) -> &Socket {
        match self {
            Self::Opened(socket)
            | Self::Listening(socket)
            | Self::Closed(socket)
            | Self::Brief(socket) => socket,
        }
    }
}

/// The changes of looks that followed each other at once, in the order of what happened: what is
/// missing closed before something opened in its place, though it takes a second look to be sure.
pub fn in_order(changes: Vec<Change>) -> Vec<Change> {
    let opened: HashSet<Name> = changes
        .iter()
        .filter(|change| matches!(change, Change::Opened(_)))
        .map(|change| Name::of(change.socket()))
        .collect();
    let (mut first, rest): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(
        |change| matches!(change, Change::Closed(socket) if !opened.contains(&Name::of(socket))),
    );
    // What opened and closed within these looks closed before the next one opened in its place.
    let closings: HashMap<Name, usize> = rest
        .iter()
        .enumerate()
        .filter(|(_, change)| matches!(change, Change::Closed(_)))
        .map(|(at, change)| (Name::of(change.socket()), at))
        .collect();
    let mut rest: Vec<Option<Change>> = rest.into_iter().map(Some).collect();
    let mut tenants = BTreeMap::new();
    for at in 0..rest.len() {
        let before = match &rest[at] {
            Some(Change::Opened(socket)) => tenants.insert(place(socket), Name::of(socket)),
            _ => None,
        };
        if let Some(closing) = before.and_then(|name| closings.get(&name)) {
            first.extend(rest[*closing].take());
        }
        first.extend(rest[at].take());
    }
    first
}

/// How much a look can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Some of the sockets: what is absent may be there all the same.
    Partial,
    /// All of them.
    Whole,
}

/// What names a socket for its life: its cookie, else its inode, else its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Cookie(u64),
    Inode(u64),
    Place(Protocol, LocalAddress),
}

impl Name {
    pub(super) fn of(socket: &Socket) -> Self {
        match (socket.cookie, socket.inode) {
            (Some(cookie), _) => Self::Cookie(cookie),
            (None, Some(inode)) => Self::Inode(inode),
            (None, None) => Self::Place(socket.protocol, socket.local.clone()),
        }
    }
}

/// A socket that is there.
#[derive(Clone, Debug)]
struct Known {
    socket: Socket,
    /// Whether the last partial look showed it, so that its absence in the next means something.
    shows_in_part: bool,
    /// How many whole looks in a row have not shown it.
    absent: u8,
}

/// Everything that is known to be there.
#[derive(Clone, Debug, Default)]
pub struct State {
    known: HashMap<Name, Known>,
    /// Sockets whose end was told from a look: the kernel's news of it may still come.
    told: Told,
}

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The changes, closings first: what opens on a port mostly follows what closed there.
    pub changes: Vec<Change>,
    /// Whether something seems to be missing that only a whole look can tell.
    pub unsure: bool,
}

/// A dump can miss a row while the table moves under it, so absence counts when seen twice.
const ABSENCES: u8 = 2;

impl State {
    /// Compares with what is seen now, and remembers it. `ends_are_told` says that the kernel
    /// names every socket that is destroyed; a bound socket that is not listed any more is then
    /// taken for gone only at that word, as the list of bound ones is left out on full machines.
    pub fn observe(&mut self, now: Vec<Socket>, sweep: Sweep, ends_are_told: bool) -> Observed {
        let mut observed = Observed::default();
        let mut present: HashSet<Name> = HashSet::with_capacity(now.len());
        let mut opened = Vec::new();
        for socket in now {
            let name = Name::of(&socket);
            if !present.insert(name.clone()) {
                continue;
            }
            match self.known.get_mut(&name) {
                Some(known) => {
                    let listens_now = known.socket.state == Some(TcpState::Bound)
                        && socket.state == Some(TcpState::Listen);
                    known.absent = 0;
                    known.shows_in_part |= sweep == Sweep::Partial;
                    known.socket = socket;
                    if listens_now {
                        opened.push(Change::Listening(known.socket.clone()));
                    }
                }
                // An end that was told stays told.
                None if self.told.has(&name) => {}
                None => {
                    opened.push(Change::Opened(socket.clone()));
                    let shows_in_part = sweep == Sweep::Partial;
                    self.known.insert(name, Known { socket, shows_in_part, absent: 0 });
                }
            }
        }
        let taken: BTreeMap<_, _> = opened
            .iter()
            .map(|change| (place(change.socket()), Name::of(change.socket())))
            .collect();
        let mut gone = Vec::new();
        for (name, known) in &mut self.known {
            let successor = taken.get(&place(&known.socket)).filter(|other| *other != name);
            if present.contains(name) {
                // A look takes its time: the one may have closed in it before the other opened.
                observed.unsure |= successor.is_some();
                continue;
            }
            let bound = known.socket.state == Some(TcpState::Bound);
            match sweep {
                // Asked once: where it is there all the same, something hides it from such looks.
                // What opened in its place came after its end, of which the kernel's word may be late.
                Sweep::Partial => {
                    observed.unsure |=
                        std::mem::take(&mut known.shows_in_part) || successor.is_some();
                }
                Sweep::Whole if bound && ends_are_told => {}
                Sweep::Whole => {
                    known.absent += 1;
                    observed.unsure |= known.absent < ABSENCES;
                    if known.absent >= ABSENCES {
                        gone.push(name.clone());
                    }
                }
            }
        }
        let mut closed: Vec<Socket> = gone.iter().filter_map(|name| self.forget(name)).collect();
        // A table has no order of its own; the same news is to read the same.
        closed.sort_by_key(place_key);
        opened.sort_by_key(|change| place_key(change.socket()));
        observed.changes = closed.into_iter().map(Change::Closed).chain(opened).collect();
        observed
    }

    /// Takes the kernel's word that these sockets ended, in that order. Of those that were never
    /// seen, the ones that `concerns` accepts were there too briefly.
    pub fn ended(&mut self, ended: &[Socket], concerns: impl Fn(&Socket) -> bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for socket in ended {
            let name = Name::of(socket);
            if let Some(known) = self.known.remove(&name) {
                changes.push(Change::Closed(known.socket));
            } else if self.told.take(&name) {
                // Told when a look did not show it any more.
            } else if is_own_port(socket) && concerns(socket) {
                changes.push(Change::Brief(socket.clone()));
            }
        }
        changes
    }

    /// The sockets that are there.
    pub fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.known.values().map(|known| &known.socket)
    }

    fn forget(&mut self, name: &Name) -> Option<Socket> {
        let known = self.known.remove(name)?;
        self.told.add(name.clone());
        Some(known.socket)
    }
}

/// Whether a program asked for the port: connections, and sockets without one, are no news.
fn is_own_port(socket: &Socket) -> bool {
    socket.remote.is_none() && socket.port().is_some_and(|port| port != 0)
}

fn place(socket: &Socket) -> (Option<u16>, Protocol, LocalAddress) {
    (socket.port(), socket.protocol, socket.local.clone())
}

fn place_key(socket: &Socket) -> (Option<u16>, Protocol, LocalAddress, Option<u64>) {
    (socket.port(), socket.protocol, socket.local.clone(), socket.cookie)
}

/// Names whose end was told, as many as could be needed and no more.
#[derive(Clone, Debug, Default)]
struct Told {
    order: VecDeque<Name>,
    names: HashSet<Name>,
}

impl Told {
    const MOST: usize = 4096;

    fn add(&mut self, name: Name) {
        // A place is no identity: what comes to it next is something else.
        if matches!(name, Name::Place(..)) || !self.names.insert(name.clone()) {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    fn has(&self, name: &Name) -> bool {
        self.names.contains(name)
    }

    fn take(&mut self, name: &Name) -> bool {
        let was = self.names.remove(name);
        if was {
            self.order.retain(|other| other != name);
        }
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(cookie: u64, port: u16, state: Option<TcpState>) -> Socket {
        let local = LocalAddress::Inet(([127, 0, 0, 1], port).into());
        let protocol = if state.is_some() { Protocol::Tcp } else { Protocol::Udp };
        Socket { cookie: Some(cookie), inode: Some(cookie), ..Socket::new(protocol, local, state) }
    }

    fn listener(cookie: u64) -> Socket {
        socket(cookie, 3000, Some(TcpState::Listen))
    }

    fn bound(cookie: u64) -> Socket {
        socket(cookie, 3000, Some(TcpState::Bound))
    }

    /// `+1` opened, `!1` listens, `-1` closed, `~1` brief, and `?` where it is unsure.
    fn words(observed: &Observed) -> String {
        let mut words: Vec<String> = observed.changes.iter().map(word).collect();
        words.extend(observed.unsure.then(|| "?".to_owned()));
        words.join(" ")
    }

    fn word(change: &Change) -> String {
        let sign = match change {
            Change::Opened(_) => '+',
            Change::Listening(_) => '!',
            Change::Closed(_) => '-',
            Change::Brief(_) => '~',
        };
        format!("{sign}{}", change.socket().cookie.unwrap_or(0))
    }

    fn ended(state: &mut State, sockets: &[Socket]) -> String {
        let changes = state.ended(sockets, |socket| socket.port() == Some(3000));
        changes.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    use Sweep::{Partial, Whole};

    #[test]
    fn what_looks_tell() {
        for (name, looks, want) in [
            (
                "it opens once",
                vec![(Whole, vec![]), (Partial, vec![1]), (Partial, vec![1])],
                "|+1|",
            ),
            ("absence in part is a doubt", vec![(Partial, vec![1]), (Partial, vec![])], "+1|?"),
            (
                "absence in whole counts twice",
                vec![(Partial, vec![1]), (Whole, vec![]), (Whole, vec![]), (Whole, vec![])],
                "+1|?|-1|",
            ),
            (
                "a row that a dump missed is no closing",
                vec![(Whole, vec![1]), (Whole, vec![]), (Whole, vec![1]), (Whole, vec![])],
                "+1|?||?",
            ),
            (
                "what was never seen in part is not missed there",
                vec![(Whole, vec![1]), (Partial, vec![]), (Partial, vec![])],
                "+1||",
            ),
            (
                "a socket that closed and one that opened on its place",
                vec![(Partial, vec![1]), (Partial, vec![2]), (Whole, vec![2]), (Whole, vec![2])],
                "+1|+2 ?|?|-1",
            ),
            ("the same row twice is one", vec![(Whole, vec![1, 1])], "+1"),
        ] {
            let mut state = State::default();
            let told: Vec<String> = looks
                .into_iter()
                .map(|(sweep, cookies)| {
                    let now = cookies.into_iter().map(listener).collect();
                    words(&state.observe(now, sweep, true))
                })
                .collect();
            assert_eq!(told.join("|"), want, "{name}");
        }
    }

    #[test]
    fn a_hidden_listener_does_not_keep_the_doubt_alive() {
        let mut state = State::default();
        assert_eq!(words(&state.observe(vec![listener(1)], Partial, true)), "+1");
        // A more specific one answers in its place.
        assert_eq!(words(&state.observe(vec![listener(2)], Partial, true)), "+2 ?");
        assert_eq!(words(&state.observe(vec![listener(1), listener(2)], Whole, true)), "");
        assert_eq!(words(&state.observe(vec![listener(2)], Partial, true)), "");
        // Once it shows again, its absence means something again.
        state.observe(vec![listener(1), listener(2)], Partial, true);
        assert_eq!(words(&state.observe(vec![listener(2)], Partial, true)), "?");
    }

    #[test]
    fn the_kernels_word_is_taken() {
        let mut state = State::default();
        state.observe(vec![listener(1), listener(2)], Whole, true);
        assert_eq!(ended(&mut state, &[listener(2), listener(1)]), "-2 -1");
        assert_eq!(words(&state.observe(vec![], Whole, true)), "");
        // Never seen: there too briefly, where it concerns anybody.
        let elsewhere = socket(4, 4000, Some(TcpState::Closed));
        let connection = Socket {
            remote: Some(([127, 0, 0, 1], 50_000).into()),
            ..socket(5, 3000, Some(TcpState::Closed))
        };
        let chosen = socket(6, 0, Some(TcpState::Closed));
        let udp = socket(7, 3000, None);
        let seen = ended(&mut state, &[listener(3), elsewhere, connection, chosen, udp]);
        assert_eq!(seen, "~3 ~7");
    }

    #[test]
    fn a_successor_opens_after_the_closing() {
        let told = vec![
            Change::Opened(listener(2)),
            Change::Opened(listener(3)),
            Change::Closed(listener(1)),
            Change::Closed(listener(2)),
        ];
        let order: Vec<String> = in_order(told).iter().map(word).collect();
        assert_eq!(order.join(" "), "-1 +2 -2 +3");
        let elsewhere = || socket(4, 4000, Some(TcpState::Listen));
        let told = vec![
            Change::Opened(listener(2)),
            Change::Opened(elsewhere()),
            Change::Opened(listener(3)),
            Change::Closed(listener(2)),
            Change::Closed(elsewhere()),
            Change::Opened(listener(5)),
            Change::Closed(listener(3)),
        ];
        let order: Vec<String> = in_order(told).iter().map(word).collect();
        assert_eq!(order.join(" "), "+2 +4 -2 +3 -4 -3 +5");
    }

    #[test]
    fn what_opens_in_the_place_of_another_makes_sure_that_it_closed() {
        let mut state = State::default();
        // Known by a whole look alone, it may be hidden from partial ones.
        state.observe(vec![listener(1)], Whole, true);
        assert_eq!(words(&state.observe(Vec::new(), Partial, true)), "");
        assert_eq!(words(&state.observe(vec![listener(2)], Partial, true)), "+2 ?");
        assert_eq!(words(&state.observe(vec![listener(2)], Whole, true)), "?");
        assert_eq!(words(&state.observe(vec![listener(2)], Whole, true)), "-1");
        // Both in one look: in turn, or beside each other (SO_REUSEPORT).
        let both = vec![listener(2), listener(3)];
        assert_eq!(words(&state.observe(both.clone(), Partial, true)), "+3 ?");
        assert_eq!(words(&state.observe(both, Whole, true)), "");
    }

    #[test]
    fn an_end_is_told_once() {
        let mut state = State::default();
        state.observe(vec![listener(1)], Whole, true);
        state.observe(vec![], Whole, true);
        assert_eq!(words(&state.observe(vec![], Whole, true)), "-1");
        assert_eq!(ended(&mut state, &[listener(1)]), "");
        assert_eq!(state.sockets().count(), 0);
    }

    #[test]
    fn bound_then_listening() {
        let mut state = State::default();
        assert_eq!(words(&state.observe(vec![bound(1)], Whole, true)), "+1");
        assert_eq!(words(&state.observe(vec![listener(1)], Partial, true)), "!1");
        assert_eq!(words(&state.observe(vec![listener(1)], Whole, true)), "");
        // The list of bound sockets is left out on full machines.
        state.observe(vec![listener(1), bound(2)], Whole, true);
        for _ in 0..3 {
            assert_eq!(words(&state.observe(vec![listener(1)], Whole, true)), "");
        }
        assert_eq!(ended(&mut state, &[bound(2)]), "-2");
        // Without the kernel's word absence is all there is.
        state.observe(vec![listener(1), bound(3)], Whole, false);
        state.observe(vec![listener(1)], Whole, false);
        assert_eq!(words(&state.observe(vec![listener(1)], Whole, false)), "-3");
    }

    #[test]
    fn without_cookies_the_inode_or_the_place_names_it() {
        let mut state = State::default();
        let by_inode = |inode| Socket { cookie: None, inode: Some(inode), ..listener(0) };
        let by_place = || Socket { cookie: None, inode: None, ..listener(0) };
        assert_eq!(state.observe(vec![by_inode(1)], Whole, false).changes.len(), 1);
        assert_eq!(state.observe(vec![by_inode(1)], Whole, false).changes.len(), 0);
        state.observe(vec![by_inode(2)], Whole, false);
        assert_eq!(state.observe(vec![by_inode(2)], Whole, false).changes.len(), 1);
        for _ in 0..2 {
            // It comes and goes: a place may be taken again.
            assert_eq!(state.observe(vec![by_inode(2), by_place()], Whole, false).changes.len(), 1);
            state.observe(vec![by_inode(2)], Whole, false);
            assert_eq!(state.observe(vec![by_inode(2)], Whole, false).changes.len(), 1);
        }
    }

    #[test]
    fn ten_thousand_sockets_and_as_many_ends() {
        let mut state = State::default();
        let all: Vec<Socket> = (1..=10_000)
            .map(|cookie| socket(cookie, 1024 + cookie as u16 % 50_000, Some(TcpState::Listen)))
            .collect();
        assert_eq!(state.observe(all.clone(), Whole, true).changes.len(), 10_000);
        assert_eq!(state.observe(all.clone(), Whole, true).changes.len(), 0);
        assert_eq!(state.ended(&all, |_| true).len(), 10_000);
        let more: Vec<Socket> = (10_001..=20_000).map(listener).collect();
        state.observe(more, Whole, true);
        state.observe(Vec::new(), Whole, true);
        assert_eq!(state.observe(Vec::new(), Whole, true).changes.len(), 10_000);
        assert!(state.told.names.len() <= Told::MOST && state.told.order.len() <= Told::MOST);
    }
}
