//! Which ports are candidates, in which order, and the search among them: pure, but for the one
//! question to a `Seat` whether a port can be had.

use std::ops::RangeInclusive;

use super::Problem;
use super::unfit::{browsers_refuse, is_familiar};
use crate::addr::Port;
use crate::snapshot::Policy;

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere that makes sense, by chance.
    Anywhere,
    /// The next one at or above.
    Near(Port),
    /// The lowest in this range, both ends included.
    Range(Port, Port),
}

/// Why a port is not a candidate, or was not to be had. In the order they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A bind was refused: something holds it.
    Held,
    /// Another pick has it.
    Leased,
    /// This user may not bind it.
    Denied,
    /// `ip_local_reserved_ports` has it.
    Reserved,
    /// The kernel may draw it for somebody's outgoing connection at any moment.
    Ephemeral,
    /// Browsers refuse it.
    Browsers,
    /// A well-known program has it by default.
    Familiar,
    /// Not so many in a row were to be had around it.
    Alone,
}

/// How many ports were passed over for which reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally([usize; 8]);

impl Tally {
    /// Counts one.
    pub fn add(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// How many were passed over for that reason.
    pub fn of(&self, reason: Reason) -> usize {
        self.0[reason as usize]
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }
}

/// Who says whether a port can be had.
pub(crate) trait Seat {
    /// Tries to have it; what was had is kept.
    fn take(&mut self, port: Port) -> Result<(), Refusal>;
    /// Lets go of one that was had.
    fn give_back(&mut self, port: Port);
    /// Ports that are held as far as one look at the whole table tells; asked at most once, when
    /// trying one by one has met many held ones.
    fn held(&mut self) -> Box<dyn Fn(Port) -> bool>;
}

/// Why a seat was not to be had.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Go on with another.
    Next(Reason),
    /// No other will do either.
    Stop(Problem),
}

/// The candidates.
#[derive(Clone, Debug)]
pub struct Search {
    ranges: Vec<RangeInclusive<u16>>,
    order: Order,
    avoid_ephemeral: bool,
    avoid_reserved: bool,
    avoid_familiar: bool,
    policy: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    /// Every one once, from a place and by a step that chance chose.
    Scattered(u64),
}

/// How many binds in a row may meet held ports before the table is read.
const BINDS_BEFORE_TABLE: usize = 8;

/// From here on few ports are anybody's by habit.
const QUIET_FROM: u16 = 10_000;
/// From here on everybody may bind unless the machine's rules are changed.
const LOWEST: u16 = 1024;

impl Search {
    /// The candidates of a place. `ephemeral`: those the kernel draws from are wanted too.
    /// `chance` is any number, a different one each time.
    pub fn new(place: Place, ephemeral: bool, policy: &Policy, chance: u64) -> Self {
        let within = |first: u16, last: u16, ranges: &[RangeInclusive<u16>]| {
            (first..=last).all(|port| ranges.iter().any(|range| range.contains(&port)))
        };
        let kernels = std::slice::from_ref(&policy.ephemeral);
        let (ranges, order, avoid_ephemeral, avoid_reserved) = match place {
            Place::Anywhere => {
                // Its ranges leave out what the kernel draws from, where anything else is left.
                (anywhere(policy, ephemeral), Order::Scattered(chance), false, true)
            }
            Place::Near(port) => {
                let port = port.get();
                let asked = policy.ephemeral.contains(&port);
                (vec![port..=u16::MAX], Order::Ascending, !ephemeral && !asked, true)
            }
            Place::Range(first, last) => {
                let (first, last) = (first.get(), last.get());
                (
                    vec![first..=last],
                    Order::Ascending,
                    !ephemeral && !within(first, last, kernels),
                    !within(first, last, &policy.reserved),
                )
            }
        };
        Self {
            ranges,
            order,
            avoid_ephemeral,
            avoid_reserved,
            avoid_familiar: place == Place::Anywhere,
            policy: policy.clone(),
        }
    }

    /// How many ports it looks at.
    pub fn len(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether it looks at none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Why that port is no candidate, if it is none.
    pub fn unfit(&self, port: Port) -> Option<Reason> {
        let reserved = || self.policy.reserved.iter().any(|range| range.contains(&port.get()));
        if self.avoid_reserved && reserved() {
            Some(Reason::Reserved)
        } else if self.avoid_ephemeral && self.policy.ephemeral.contains(&port.get()) {
            Some(Reason::Ephemeral)
        } else if browsers_refuse(port) {
            Some(Reason::Browsers)
        } else if self.avoid_familiar && is_familiar(port) {
            Some(Reason::Familiar)
        } else {
            None
        }
    }

    /// The ports in their order. For runs that is by number, from a place and around, and on to
    /// where a run may end that begins just before that place.
    fn ports(&self, count: usize, in_a_row: bool) -> impl Iterator<Item = Port> + '_ {
        let length = self.len().max(1) as u64;
        let again = count.saturating_sub(1) as u64;
        let (start, step, turns) = match self.order {
            Order::Ascending => (0, 1, length),
            Order::Scattered(chance) if in_a_row => (chance % length, 1, length + again),
            Order::Scattered(chance) => (chance % length, step(chance / length, length), length),
        };
        (0..turns)
            .map(move |turn| ((start + turn * step) % length) as usize)
            .filter_map(|place| self.nth(place))
    }

    fn nth(&self, mut place: usize) -> Option<Port> {
        for range in &self.ranges {
            if place < range.len() {
                return Port::new(range.start() + u16::try_from(place).ok()?);
            }
            place -= range.len();
        }
        None
    }

    /// Finds that many, in a row if they are to be. The error says what was passed over; then
    /// nothing is kept.
    pub(crate) fn find(
        &self,
        count: usize,
        in_a_row: bool,
        seat: &mut dyn Seat,
    ) -> Result<Vec<Port>, Failure> {
        let mut found: Vec<Port> = Vec::with_capacity(count);
        let mut tally = Tally::default();
        let mut held: Option<Box<dyn Fn(Port) -> bool>> = None;
        let mut met = 0;
        for port in self.ports(count, in_a_row) {
            let next = found.last().and_then(|last| last.get().checked_add(1));
            if in_a_row && !found.is_empty() && next != Some(port.get()) {
                give_back(&mut found, &mut tally, seat);
            }
            let known = || held.as_ref().is_some_and(|held| held(port));
            let answer = match self.unfit(port) {
                Some(reason) => Err(Refusal::Next(reason)),
                None if known() => Err(Refusal::Next(Reason::Held)),
                None => seat.take(port),
            };
            match answer {
                Ok(()) => {
                    found.push(port);
                    if found.len() == count {
                        return Ok(found);
                    }
                }
                Err(Refusal::Next(reason)) => {
                    tally.add(reason);
                    if in_a_row {
                        give_back(&mut found, &mut tally, seat);
                    }
                    met += usize::from(reason == Reason::Held);
                    if met == BINDS_BEFORE_TABLE && held.is_none() {
                        held = Some(seat.held());
                    }
                }
                Err(Refusal::Stop(problem)) => {
                    found.drain(..).for_each(|port| seat.give_back(port));
                    return Err(Failure::Stopped(problem));
                }
            }
        }
        let free = found.len();
        found.drain(..).for_each(|port| seat.give_back(port));
        Err(Failure::NotFound { tally, free })
    }
}

/// Why [`Search::find`] has nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There are not so many; this many could be had at the end.
    NotFound { tally: Tally, free: usize },
    /// Something that would meet every port.
    Stopped(Problem),
}

fn give_back(found: &mut Vec<Port>, tally: &mut Tally, seat: &mut dyn Seat) {
    for port in found.drain(..) {
        tally.add(Reason::Alone);
        seat.give_back(port);
    }
}

/// A step that visits every place of so many: one without a common factor.
fn step(chance: u64, length: u64) -> u64 {
    let mut step = 1 + chance % length;
    while gcd(step, length) != 1 {
        step += 1;
    }
    step
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Where a port without any wish comes from: above the numbers that programs have by habit and
/// outside the range the kernel draws from; closer to both only where nothing else is left.
fn anywhere(policy: &Policy, ephemeral: bool) -> Vec<RangeInclusive<u16>> {
    if ephemeral {
        return vec![policy.ephemeral.clone()];
    }
    let outside = |from: u16, to: u16| {
        let (start, end) = (*policy.ephemeral.start(), *policy.ephemeral.end());
        let below = (from < start).then(|| from..=to.min(start.saturating_sub(1)));
        let above = (end < to).then(|| from.max(end.saturating_add(1))..=to);
        below.into_iter().chain(above).filter(|range| !range.is_empty()).collect::<Vec<_>>()
    };
    let quiet = outside(QUIET_FROM, u16::MAX);
    // A handful of ports left over at an end is not a choice.
    const ENOUGH: usize = 1000;
    if quiet.iter().map(ExactSizeIterator::len).sum::<usize>() >= ENOUGH {
        return quiet;
    }
    let low = outside(LOWEST, u16::MAX);
    match low.iter().map(ExactSizeIterator::len).sum::<usize>() >= ENOUGH {
        true => low,
        // Everything is ephemeral: then so is what is given.
        false => vec![LOWEST..=u16::MAX],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    /// Seats that some have already.
    #[derive(Default)]
    struct Scripted {
        held: BTreeSet<u16>,
        leased: BTreeSet<u16>,
        had: BTreeSet<u16>,
        tried: Vec<u16>,
        tables: usize,
    }

    impl Seat for Scripted {
        fn take(&mut self, port: Port) -> Result<(), Refusal> {
            self.tried.push(port.get());
            if self.held.contains(&port.get()) {
                return Err(Refusal::Next(Reason::Held));
            }
            if self.leased.contains(&port.get()) {
                return Err(Refusal::Next(Reason::Leased));
            }
            assert!(self.had.insert(port.get()), "{port} was had twice");
            Ok(())
        }
        fn give_back(&mut self, port: Port) {
            assert!(self.had.remove(&port.get()), "{port} was not had");
        }
        fn held(&mut self) -> Box<dyn Fn(Port) -> bool> {
            self.tables += 1;
            let held = self.held.clone();
            Box::new(move |port| held.contains(&port.get()))
        }
    }

    fn search(place: Place) -> Search {
        Search::new(place, false, &Policy::default(), 7)
    }

    fn numbers(found: Result<Vec<Port>, Failure>) -> Vec<u16> {
        found.unwrap().into_iter().map(Port::get).collect()
    }

    #[test]
    fn near_is_the_next_free_one() {
        let seat = || Scripted {
            held: (3000..3003).collect(),
            leased: BTreeSet::from([3003]),
            ..Scripted::default()
        };
        let near = search(Place::Near(port(3000)));
        assert_eq!(numbers(near.find(1, false, &mut seat())), [3004]);
        assert_eq!(numbers(near.find(2, false, &mut seat())), [3004, 3005]);
        // What browsers refuse is passed over, and so is what the kernel draws from.
        let mut seat = Scripted::default();
        assert_eq!(numbers(search(Place::Near(port(6665))).find(1, false, &mut seat)), [6670]);
        assert_eq!(
            numbers(search(Place::Near(port(32767))).find(2, false, &mut seat)),
            [32767, 61000]
        );
        // Unless it begins there, or is wanted.
        assert_eq!(numbers(search(Place::Near(port(40000))).find(1, false, &mut seat)), [40000]);
        let wanted = Search::new(Place::Near(port(32767)), true, &Policy::default(), 0);
        let mut seat = Scripted::default();
        assert_eq!(numbers(wanted.find(2, false, &mut seat)), [32767, 32768]);
    }

    #[test]
    fn a_long_run_of_held_ports_is_not_bound_one_by_one() {
        let mut seat = Scripted { held: (3000..3600).collect(), ..Scripted::default() };
        assert_eq!(numbers(search(Place::Near(port(3000))).find(1, false, &mut seat)), [3600]);
        assert_eq!((seat.tables, seat.tried.len()), (1, 9));
    }

    #[test]
    fn in_a_row_starts_again_after_a_gap() {
        let mut seat = Scripted { held: BTreeSet::from([3001, 3004]), ..Scripted::default() };
        let found = search(Place::Near(port(3000))).find(3, true, &mut seat);
        assert_eq!(numbers(found), [3005, 3006, 3007]);
        assert_eq!(seat.had, BTreeSet::from([3005, 3006, 3007]));
        // A run never spans what lies between two pieces, nor a port that is no candidate.
        let mut seat = Scripted::default();
        let found = search(Place::Near(port(6663))).find(3, true, &mut seat);
        assert_eq!(numbers(found), [6670, 6671, 6672]);
        for chance in 0..500 {
            let search = Search::new(Place::Anywhere, false, &Policy::default(), chance * 7919);
            let found = numbers(search.find(5, true, &mut Scripted::default()));
            assert!(found.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{found:?}");
        }
    }

    #[test]
    fn nothing_found_keeps_nothing_and_says_why() {
        let mut seat = Scripted { held: BTreeSet::from([6001, 6003]), ..Scripted::default() };
        seat.leased.insert(6002);
        let range = search(Place::Range(port(6000), port(6005)));
        let Err(Failure::NotFound { tally, free }) = range.find(3, false, &mut seat) else {
            panic!()
        };
        let counts =
            [Reason::Held, Reason::Leased, Reason::Browsers].map(|reason| tally.of(reason));
        assert_eq!((counts, free, seat.had.len()), ([2, 1, 1], 2, 0));
        let Err(Failure::NotFound { tally, .. }) = range.find(3, true, &mut seat) else { panic!() };
        assert_eq!((tally.total() + 2, seat.had.len()), (6, 0));
    }

    #[test]
    fn reserved_and_ephemeral_ranges_are_for_who_asks_for_them_alone() {
        let policy = Policy { reserved: vec![3000..=3001, 3002..=3009], ..Policy::default() };
        let unfit = |first, last, asked: u16| {
            Search::new(Place::Range(port(first), port(last)), false, &policy, 0).unfit(port(asked))
        };
        assert_eq!(unfit(2999, 3009, 3003), Some(Reason::Reserved));
        assert_eq!(unfit(3000, 3009, 3003), None);
        assert_eq!(unfit(30000, 50000, 40000), Some(Reason::Ephemeral));
        assert_eq!(unfit(40000, 50000, 40000), None);
        let near = Search::new(Place::Near(port(3000)), false, &policy, 0);
        assert_eq!(numbers(near.find(1, false, &mut Scripted::default())), [3010]);
    }

    #[test]
    fn chance_visits_every_candidate_once() {
        for chance in [0, 1, 12345, u64::MAX, 0x9e37_79b9_7f4a_7c15] {
            let search = Search::new(Place::Anywhere, false, &Policy::default(), chance);
            let all: Vec<u16> = search.ports(1, false).map(Port::get).collect();
            let each: BTreeSet<u16> = all.iter().copied().collect();
            assert_eq!((all.len(), each.len()), (search.len(), search.len()));
            assert!(each.iter().all(|port| *port >= 10_000 && !(32768..=60999).contains(port)));
            assert!(each.contains(&10_000) && each.contains(&32767) && each.contains(&65535));
        }
    }

    #[test]
    fn anywhere_follows_the_machine_s_rules() {
        let with = |ephemeral| Policy { ephemeral, ..Policy::default() };
        assert_eq!(anywhere(&with(32768..=60999), false), [10000..=32767, 61000..=65535]);
        assert_eq!(anywhere(&with(32768..=60999), true), [32768..=60999]);
        assert_eq!(anywhere(&with(49152..=65535), false), [10000..=49151]);
        assert_eq!(anywhere(&with(9000..=65535), false), [1024..=8999]);
        assert_eq!(anywhere(&with(1024..=65535), false), [1024..=65535]);
        assert_eq!(anywhere(&with(1024..=20000), false), [20001..=65535]);
        // Then nothing can be avoided, and nothing is found where it is.
        let everything = Search::new(Place::Anywhere, false, &with(1024..=65535), 1);
        assert_eq!(everything.unfit(port(20001)), None);
    }
}
