//! Rules of a packet filter in one form, whatever filter has them, and the walk through them that
//! a packet would take. Chains and sets are asked for when the walk comes to them, so that of a
//! hundred thousand rules only those are read that the ports asked for can meet.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::rc::Rc;

use super::Redirect;
use crate::socket::Protocol;

/// Jumps within jumps: what nf_tables allows (NFT_JUMP_STACK_SIZE,
/// `include/net/netfilter/nf_tables.h`).
const MOST_JUMPS: usize = 16;

/// Rules looked at in one walk: a bound for rule sets that lead everywhere from everywhere.
const MOST_STEPS: usize = 300_000;

/// Redirects kept: a service may have a thousand endpoints, and a person needs the first few.
const MOST_REDIRECTS: usize = 64;

/// RTN_LOCAL (`include/uapi/linux/rtnetlink.h`).
const RTN_LOCAL: u32 = 2;

/// NFPROTO_IPV4 and NFPROTO_IPV6 (`include/uapi/linux/netfilter.h`).
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Packets that arrive.
    Prerouting,
    /// Packets that this machine sends.
    Output,
}

/// What a rule looks at in a packet, or has in a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The transport protocol's number.
    Protocol,
    /// NFPROTO_IPV4 or NFPROTO_IPV6.
    Family,
    /// The destination port.
    Port,
    /// The destination address, or its leading octets, of IPv6 or IPv4; masked before it is
    /// compared, where there is a mask.
    Address {
        /// Of IPv6.
        v6: bool,
        /// The mask.
        mask: Option<Vec<u8>>,
    },
    /// What the routing table says of the destination (RTN_LOCAL and its kin), in the machine's
    /// byte order.
    Route,
    /// The interface it came in by.
    Interface,
    /// Bytes that the rule itself gives.
    Bytes(Vec<u8>),
    /// What the key of that map gives, from that octet on.
    Mapped {
        /// The map.
        set: String,
        /// Its key.
        key: Vec<Part>,
        /// The first octet.
        from: usize,
    },
    /// Anything else: where it comes from, its mark, chance.
    Other,
}

/// A part of a set's key; each takes whole words of four octets (`net/netfilter/nf_tables_api.c`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What is in it.
    pub field: Field,
    /// The octet of the key where it begins.
    pub from: usize,
}

/// A condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A field lies between two values, or does not.
    Between {
        /// Which field.
        field: Field,
        /// The least value, in network byte order.
        low: Vec<u8>,
        /// The greatest.
        high: Vec<u8>,
        /// Whether it must lie outside.
        inverted: bool,
    },
    /// The destination port is one of these, or is not.
    Ports {
        /// Which.
        ports: Vec<RangeInclusive<u16>>,
        /// Whether it must be another.
        inverted: bool,
    },
    /// The destination is, or is not, an address of this machine.
    Local(bool),
    /// A key is in a set, or is not.
    Member {
        /// The set.
        set: String,
        /// The key.
        key: Vec<Part>,
        /// Whether it must not be.
        inverted: bool,
    },
    /// Something that is not looked at here: it may hold or not.
    Unknown,
    /// Never holds.
    Never,
}

/// What a rule does with a packet that meets its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing that matters here.
    Next,
    /// Accepts or drops it: no other rule of this hook's chain is asked.
    Stop,
    /// Goes back to the rule after the jump.
    Return,
    /// On to another chain, and back.
    Jump(String),
    /// On to another chain, and not back.
    Goto(String),
    /// What the map says for the key.
    ByMap {
        /// The map.
        set: String,
        /// The key.
        key: Vec<Part>,
    },
    /// Sends it elsewhere.
    Send {
        /// To this address; `None` for this machine.
        to: Option<Field>,
        /// To this port; `None` leaves it.
        port: Option<Field>,
    },
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its conditions, all of which must hold.
    pub tests: Vec<Test>,
    /// What it then does.
    pub outcome: Outcome,
    /// The number by which nftables deletes it.
    pub handle: Option<u64>,
    /// Its comment.
    pub comment: Option<String>,
}

/// What a map gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Nothing: it is a plain set.
    Nothing,
    /// Octets.
    Bytes(Vec<u8>),
    /// An outcome.
    Outcome(Outcome),
}

/// An element of a set: keys between two values, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The least key.
    pub low: Vec<u8>,
    /// The greatest.
    pub high: Vec<u8>,
    /// What it gives.
    pub given: Given,
    /// Its comment.
    pub comment: Option<String>,
}

/// Where chains and sets of one table come from.
pub trait Table {
    /// The rules of a chain, in order; `None` where there is no such chain or it cannot be read.
    fn chain(&mut self, name: &str) -> Option<Rc<Vec<Rule>>>;
    /// The elements of a set; `None` where there is no such set or it cannot be read.
    fn set(&mut self, name: &str) -> Option<Rc<Vec<Element>>>;
}

/// Where a table's rules are found, for the redirects that come of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As [`Redirect::filter`].
    pub filter: &'static str,
    /// As [`Redirect::table`].
    pub table: String,
    /// NFPROTO_IPV4 (2), NFPROTO_IPV6 (10) or both (NFPROTO_INET, 1).
    pub family: u8,
}

/// What is asked: which ports of which machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The ports, ascending.
    pub ports: Vec<u16>,
    /// The addresses of this machine.
    pub addresses: Vec<IpAddr>,
}

/// Follows what is sent to those ports of this machine from a base chain of that hook on, and
/// gathers the rules that send it elsewhere. `false` where the rules led too far to follow to the
/// end.
pub fn walk(
    table: &mut dyn Table,
    place: &Place,
    base: (&str, Hook),
    question: &Question,
    found: &mut Vec<Redirect>,
) -> bool {
    let (chain, hook) = base;
    let mut complete = true;
    for v6 in [false, true] {
        let fits = match place.family {
            NFPROTO_IPV4 => !v6,
            NFPROTO_IPV6 => v6,
            _ => true,
        };
        let mut addresses: Vec<IpAddr> = question
            .addresses
            .iter()
            .copied()
            .filter(|ip| ip.is_ipv6() == v6)
            // From others nothing arrives for a loopback address.
            .filter(|ip| hook == Hook::Output || !ip.is_loopback())
            .collect();
        addresses.sort_unstable();
        if !fits || addresses.is_empty() {
            continue;
        }
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let way = Packets {
                ports: ranges(&question.ports),
                addresses: addresses.clone(),
                addressed: false,
                sure: true,
            };
            let mut walker =
                Walker { table: &mut *table, place, hook, v6, protocol, steps: 0, found };
            walker.follow(chain, way, None, 0);
            complete &= walker.steps < MOST_STEPS;
        }
    }
    complete
}

/// Ascending numbers as ranges.
fn ranges(ports: &[u16]) -> Vec<RangeInclusive<u16>> {
    let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
    for &port in ports {
        match ranges.last_mut() {
            Some(last) if last.end().checked_add(1) == Some(port) => *last = *last.start()..=port,
            Some(last) if last.contains(&port) => {}
            _ => ranges.push(port..=port),
        }
    }
    ranges
}

/// The packets that may come to a rule: any of those ports at any of those addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packets {
    ports: Vec<RangeInclusive<u16>>,
    /// Ascending.
    addresses: Vec<IpAddr>,
    /// Whether a rule asked for certain addresses.
    addressed: bool,
    /// Whether all of them come here, and not only some.
    sure: bool,
}

impl Packets {
    fn none(&self) -> bool {
        self.ports.is_empty() || self.addresses.is_empty()
    }

    /// Keeps the ports within a range, or outside it.
    fn keep_ports(&mut self, kept: &[RangeInclusive<u16>], inverted: bool) {
        self.ports = match inverted {
            false => intersect(&self.ports, kept),
            true => subtract(&self.ports, kept),
        };
    }

    /// Keeps the addresses between two.
    fn keep_addresses(&mut self, low: IpAddr, high: IpAddr, inverted: bool) {
        let within = |ip: &IpAddr| (low..=high).contains(ip);
        let before = self.addresses.len();
        self.addresses.retain(|ip| within(ip) != inverted);
        self.addressed |= self.addresses.len() < before || (!inverted && low == high);
    }

    /// Those that are left when `gone` went another way. Where that is no simple set, too many.
    fn without(mut self, gone: &Self) -> Self {
        if !gone.sure {
            return self;
        }
        if gone.addresses == self.addresses {
            self.ports = subtract(&self.ports, &gone.ports);
        } else if gone.ports == self.ports {
            self.addresses.retain(|ip| !gone.addresses.contains(ip));
        }
        self
    }

    /// Those of both. Where that is no simple set, `all`.
    fn with(self, other: Self, all: &Self) -> Self {
        match (self.none(), other.none()) {
            (true, _) => other,
            (_, true) => self,
            _ if self.addresses == other.addresses => {
                let mut ports = self.ports;
                ports.extend(other.ports);
                ports.sort_by_key(|range| *range.start());
                Self { ports, sure: self.sure && other.sure, ..other }
            }
            _ => all.clone(),
        }
    }
}

fn intersect(
    ports: &[RangeInclusive<u16>],
    kept: &[RangeInclusive<u16>],
) -> Vec<RangeInclusive<u16>> {
    let mut both = Vec::new();
    for range in ports {
        for other in kept {
            let (first, last) = (range.start().max(other.start()), range.end().min(other.end()));
            if first <= last {
                both.push(*first..=*last);
            }
        }
    }
    both
}

fn subtract(
    ports: &[RangeInclusive<u16>],
    gone: &[RangeInclusive<u16>],
) -> Vec<RangeInclusive<u16>> {
    let mut left = ports.to_vec();
    for hole in gone.iter().filter(|hole| !hole.is_empty()) {
        left = left
            .into_iter()
            .flat_map(|range| {
                let below = hole.start().checked_sub(1).map(|end| *range.start()..=end);
                let above = hole.end().checked_add(1).map(|start| start..=*range.end());
                let below = below.map(|r| *r.start()..=*r.end().min(range.end()));
                let above = above.map(|r| *r.start().max(range.start())..=*r.end());
                [below, above].into_iter().flatten().filter(|range| !range.is_empty())
            })
            .collect();
    }
    left
}

struct Walker<'a> {
    table: &'a mut dyn Table,
    place: &'a Place,
    hook: Hook,
    v6: bool,
    protocol: Protocol,
    steps: usize,
    found: &'a mut Vec<Redirect>,
}

/// What becomes of packets that a rule was asked about.
struct Fate {
    /// Those that go on to the next rule.
    onward: Packets,
    /// Those that go back to the caller of the chain.
    back: Option<Packets>,
}

impl Walker<'_> {
    /// Follows packets through a chain; what comes back out of it, to go on after the jump.
    fn follow(
        &mut self,
        chain: &str,
        packets: Packets,
        comment: Option<&str>,
        depth: usize,
    ) -> Packets {
        let none = Packets { ports: Vec::new(), ..packets.clone() };
        let Some(rules) = self.table.chain(chain).filter(|_| depth <= MOST_JUMPS) else {
            return packets;
        };
        let entered = packets.clone();
        let (mut packets, mut returned) = (packets, none);
        for rule in rules.iter() {
            self.steps += 1;
            if packets.none() || self.steps >= MOST_STEPS {
                break;
            }
            let Some(matched) = self.matched(&rule.tests, &packets) else { continue };
            let comment = rule.comment.as_deref().or(comment);
            let fate = self.decide(chain, rule, &rule.outcome, packets, matched, comment, depth);
            packets = fate.onward;
            if let Some(back) = fate.back {
                returned = returned.with(back, &entered);
            }
        }
        returned.with(packets, &entered)
    }

    #[expect(clippy::too_many_arguments, reason = "a rule, and where the walk stands")]
    fn decide(
        &mut self,
        chain: &str,
        rule: &Rule,
        outcome: &Outcome,
        packets: Packets,
        matched: Packets,
        comment: Option<&str>,
        depth: usize,
    ) -> Fate {
        match outcome {
            Outcome::Next => Fate { onward: packets, back: None },
            Outcome::Stop => Fate { onward: packets.without(&matched), back: None },
            Outcome::Return => Fate { onward: packets.without(&matched), back: Some(matched) },
            Outcome::Jump(to) => {
                let came_back = self.follow(to, matched.clone(), comment, depth + 1);
                if !matched.sure || came_back == matched {
                    return Fate { onward: packets, back: None };
                }
                let rest = packets.clone().without(&matched);
                Fate { onward: rest.with(came_back, &packets), back: None }
            }
            Outcome::Goto(to) => {
                let came_back = self.follow(to, matched.clone(), comment, depth + 1);
                Fate { onward: packets.without(&matched), back: Some(came_back) }
            }
            Outcome::Send { to, port } => {
                self.send(chain, rule, (to, port), &matched, comment);
                Fate { onward: packets.without(&matched), back: None }
            }
            Outcome::ByMap { set, key } => {
                let mut fate = Fate { onward: packets, back: None };
                for (element, part) in self.elements(set, key, &matched) {
                    let Given::Outcome(outcome) = &element.given else { continue };
                    let comment = element.comment.as_deref().or(comment);
                    // Elements exclude each other, so each has the packets of the whole.
                    let one = self.decide(chain, rule, outcome, fate.onward, part, comment, depth);
                    fate.onward = one.onward;
                    fate.back = match (fate.back, one.back) {
                        (Some(a), Some(b)) => Some(a.with(b, &matched)),
                        (a, b) => a.or(b),
                    };
                }
                fate
            }
        }
    }

    /// Those packets that meet the conditions; `None` where none can.
    fn matched(&mut self, tests: &[Test], packets: &Packets) -> Option<Packets> {
        // Most rules are about another port or address: found out before anything is copied.
        for test in tests {
            match test {
                Test::Between { field: Field::Port, low, high, inverted: false } => {
                    let wanted = port(low)?..=port(high)?;
                    if !packets.ports.iter().any(|range| overlap(range, &wanted)) {
                        return None;
                    }
                }
                Test::Ports { ports, inverted: false } => {
                    let any = |range| ports.iter().any(|wanted| overlap(range, wanted));
                    if !packets.ports.iter().any(any) {
                        return None;
                    }
                }
                Test::Between { field: Field::Address { v6, mask }, low, high, inverted } => {
                    let Some((low, high)) = address_range(*v6, mask.as_deref(), low, high) else {
                        continue;
                    };
                    let within = |ip: &IpAddr| (low..=high).contains(ip) != *inverted;
                    if *v6 == self.v6 && !packets.addresses.iter().any(within) {
                        return None;
                    }
                }
                Test::Between { field: Field::Protocol, low, high, inverted }
                    if self.has_protocol(low, high) == *inverted =>
                {
                    return None;
                }
                _ => {}
            }
        }
        let mut matched = packets.clone();
        for test in tests {
            self.apply(test, &mut matched);
            if matched.none() {
                return None;
            }
        }
        Some(matched)
    }

    fn apply(&mut self, test: &Test, packets: &mut Packets) {
        match test {
            Test::Between { field, low, high, inverted } => {
                self.between(field, low, high, *inverted, packets);
            }
            Test::Ports { ports, inverted } => packets.keep_ports(ports, *inverted),
            Test::Local(wanted) => {
                if !wanted {
                    packets.ports.clear();
                }
            }
            Test::Member { set, key, inverted: false } => {
                let parts = self.elements(set, key, packets);
                let none = Packets { ports: Vec::new(), ..packets.clone() };
                let all = packets.clone();
                *packets = parts.into_iter().fold(none, |sum, (_, part)| sum.with(part, &all));
                // A set that has all of them asks for none in particular.
                let fewer = packets.addresses.len() < all.addresses.len();
                packets.addressed = all.addressed || fewer;
            }
            Test::Member { set, key, inverted: true } => {
                for (_, part) in self.elements(set, key, packets) {
                    *packets = packets.clone().without(&part);
                }
            }
            Test::Unknown => packets.sure = false,
            Test::Never => packets.ports.clear(),
        }
    }

    fn between(
        &self,
        field: &Field,
        low: &[u8],
        high: &[u8],
        inverted: bool,
        packets: &mut Packets,
    ) {
        let holds = match field {
            Field::Protocol => self.has_protocol(low, high) != inverted,
            Field::Family => {
                let own = if self.v6 { NFPROTO_IPV6 } else { NFPROTO_IPV4 };
                let within = low.first().zip(high.first());
                within.is_some_and(|(low, high)| (*low..=*high).contains(&own)) != inverted
            }
            Field::Port => match (port(low), port(high)) {
                (Some(low), Some(high)) => {
                    packets.keep_ports(&[low..=high], inverted);
                    true
                }
                _ => false,
            },
            Field::Address { v6, mask } => {
                match address_range(*v6, mask.as_deref(), low, high) {
                    Some((low, high)) if *v6 == self.v6 => {
                        packets.keep_addresses(low, high, inverted);
                    }
                    _ => packets.sure = false,
                }
                true
            }
            Field::Route => (low == RTN_LOCAL.to_ne_bytes()) != inverted,
            // What this machine sends came in by none.
            Field::Interface if self.hook == Hook::Output => inverted,
            Field::Bytes(bytes) => {
                let bytes = bytes.get(..low.len()).unwrap_or(bytes);
                (low <= bytes && bytes <= high) != inverted
            }
            Field::Interface | Field::Mapped { .. } | Field::Other => {
                packets.sure = false;
                true
            }
        };
        if !holds {
            packets.ports.clear();
        }
    }

    fn has_protocol(&self, low: &[u8], high: &[u8]) -> bool {
        let number = match self.protocol {
            Protocol::Tcp => 6,
            _ => 17,
        };
        low.first().zip(high.first()).is_some_and(|(low, high)| (*low..=*high).contains(&number))
    }

    /// The elements that these packets can meet, each with those that do.
    fn elements(&mut self, set: &str, key: &[Part], packets: &Packets) -> Vec<(Element, Packets)> {
        let Some(elements) = self.table.set(set) else { return Vec::new() };
        self.steps += elements.len();
        let mut met = Vec::new();
        for element in elements.iter() {
            if let Some(part) = self.met(element, key, packets) {
                met.push((element.clone(), part));
            }
        }
        met
    }

    fn met(&mut self, element: &Element, key: &[Part], packets: &Packets) -> Option<Packets> {
        let mut tests = Vec::new();
        for part in key {
            // The next part, or the end of the key, is where this one's octets end.
            let next = key.iter().map(|part| part.from).filter(|&from| from > part.from).min();
            let end = next.unwrap_or(usize::MAX).min(element.low.len());
            let (Some(low), Some(high)) =
                (element.low.get(part.from..end), element.high.get(part.from..end))
            else {
                continue;
            };
            if !low.is_empty() {
                let (field, low, high) = (part.field.clone(), low.to_vec(), high.to_vec());
                tests.push(Test::Between { field, low, high, inverted: false });
            }
        }
        // A catch-all element has no key, and takes what no other takes.
        if tests.is_empty() {
            tests.push(Test::Unknown);
        }
        self.matched(&tests, packets)
    }

    fn send(
        &mut self,
        chain: &str,
        rule: &Rule,
        (to, port_field): (&Option<Field>, &Option<Field>),
        packets: &Packets,
        comment: Option<&str>,
    ) {
        let mapped = [to, port_field].into_iter().flatten().find_map(|field| match field {
            Field::Mapped { set, key, .. } => Some((set, key)),
            _ => None,
        });
        let ways: Vec<(Option<Vec<u8>>, Packets)> = match mapped {
            None => vec![(None, packets.clone())],
            Some((set, key)) => self
                .elements(set, key, packets)
                .into_iter()
                .filter_map(|(element, part)| match element.given {
                    Given::Bytes(bytes) => Some((Some(bytes), part)),
                    Given::Nothing | Given::Outcome(_) => None,
                })
                .collect(),
        };
        for (given, part) in ways {
            let value = |field: &Option<Field>| match field {
                Some(Field::Bytes(bytes)) => Some(bytes.clone()),
                Some(Field::Mapped { from, .. }) => {
                    given.as_ref()?.get(*from..).map(<[u8]>::to_vec)
                }
                _ => None,
            };
            let target = value(to).as_deref().and_then(|bytes| ip(self.v6, bytes));
            // To an address that is not to be known is nowhere that could be told.
            if to.is_some() && target.is_none() {
                continue;
            }
            let port = value(port_field).as_deref().and_then(port);
            self.note(chain, rule, (target, port.filter(|&port| port != 0)), &part, comment);
        }
    }

    fn note(
        &mut self,
        chain: &str,
        rule: &Rule,
        (to, to_port): (Option<IpAddr>, Option<u16>),
        packets: &Packets,
        comment: Option<&str>,
    ) {
        // Sent to where it would have come anyway.
        let stays = |ports: &RangeInclusive<u16>| {
            to.is_none() && to_port.is_none_or(|port| *ports == (port..=port))
        };
        let addresses: Vec<Option<IpAddr>> = match packets.addressed {
            // "Anything but loopback" is no address.
            true if packets.addresses.len() <= 4 => {
                packets.addresses.iter().copied().map(Some).collect()
            }
            _ => vec![None],
        };
        let loopback = packets.addresses.iter().any(IpAddr::is_loopback);
        for (ports, address) in
            packets.ports.iter().flat_map(|ports| addresses.iter().map(move |ip| (ports, *ip)))
        {
            if stays(ports) {
                continue;
            }
            let new = Redirect {
                filter: self.place.filter.to_owned(),
                table: self.place.table.clone(),
                chain: chain.to_owned(),
                protocol: self.protocol,
                ports: ports.clone(),
                address,
                to,
                to_port,
                from_others: self.hook == Hook::Prerouting,
                local_too: self.hook == Hook::Output && (loopback || address.is_some()),
                handle: rule.handle,
                comment: comment.map(str::to_owned),
            };
            merge(self.found, new);
        }
    }
}

/// Adds a redirect, once: what two hooks lead to, or both address families, is one.
pub fn merge(found: &mut Vec<Redirect>, new: Redirect) {
    let same = |old: &&mut Redirect| {
        (&old.filter, &old.table, &old.chain, old.handle, old.protocol, &old.ports)
            == (&new.filter, &new.table, &new.chain, new.handle, new.protocol, &new.ports)
            && (old.to, old.to_port) == (new.to, new.to_port)
            && (old.address == new.address || old.from_others != new.from_others)
    };
    let room = found.len() < MOST_REDIRECTS;
    match found.iter_mut().find(same) {
        Some(old) => {
            // What both hooks take is taken at every address only if the arrivals are.
            if !old.from_others && new.from_others {
                old.address = new.address;
            }
            old.from_others |= new.from_others;
            old.local_too |= new.local_too && (new.address.is_none() || old.address == new.address);
        }
        None if room => found.push(new),
        None => {}
    }
}

fn overlap(a: &RangeInclusive<u16>, b: &RangeInclusive<u16>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))
}

fn ip(v6: bool, bytes: &[u8]) -> Option<IpAddr> {
    Some(match v6 {
        false => Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?).into(),
        true => Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(..16)?).ok()?).into(),
    })
}

/// The addresses that begin with octets between two values, or are equal to one under a mask.
fn address_range(
    v6: bool,
    mask: Option<&[u8]>,
    low: &[u8],
    high: &[u8],
) -> Option<(IpAddr, IpAddr)> {
    let octets = if v6 { 16 } else { 4 };
    let fill = |bytes: &[u8], with: u8| {
        let mut whole = bytes.get(..bytes.len().min(octets)).unwrap_or_default().to_vec();
        whole.resize(octets, with);
        whole
    };
    let mut last = fill(high, 0xff);
    if let Some(mask) = mask {
        // Only a prefix is a range.
        let ones: u32 = mask.iter().map(|octet| octet.count_ones()).sum();
        let leading = mask.iter().take_while(|octet| **octet == 0xff).count();
        let partial = mask.get(leading).map_or(0, |octet| octet.leading_ones());
        if ones != leading as u32 * 8 + partial {
            return None;
        }
        for (octet, mask) in last.iter_mut().zip(mask) {
            *octet |= !mask;
        }
    }
    Some((ip(v6, &fill(low, 0))?, ip(v6, &last)?))
}

/// A table that is all there: rules and sets by name.
#[derive(Clone, Debug, Default)]
pub struct WholeTable {
    /// Its chains.
    pub chains: HashMap<String, Rc<Vec<Rule>>>,
    /// Its sets.
    pub sets: HashMap<String, Rc<Vec<Element>>>,
}

impl Table for WholeTable {
    fn chain(&mut self, name: &str) -> Option<Rc<Vec<Rule>>> {
        self.chains.get(name).cloned()
    }

    fn set(&mut self, name: &str) -> Option<Rc<Vec<Element>>> {
        self.sets.get(name).cloned()
    }
}
