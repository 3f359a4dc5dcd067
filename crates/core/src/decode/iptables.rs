//! The tables of iptables as the kernel hands them out (IPT_SO_GET_ENTRIES and IP6T_SO_GET_ENTRIES,
//! `include/uapi/linux/netfilter_ipv4/ip_tables.h`, `netfilter_ipv6/ip6_tables.h`), and the matches
//! and targets of iptables, which iptables-nft puts into rules of nf_tables too. Asking is
//! `sys::linux::redirects`' job; following the rules [`crate::redirect::rules`]'.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::redirect::rules::{Element, Field, Hook, Outcome, Rule, Table, Test};

/// Octets of the name that begins every question and answer (XT_TABLE_MAXNAMELEN).
const NAME: usize = 32;

/// The length of struct ipt_getinfo: name, valid_hooks, `hook_entry[5]`, `underflow[5]`, num_entries,
/// size.
pub const INFO_LENGTH: usize = NAME + 4 + 20 + 20 + 4 + 4;

/// struct ipt_get_entries: name, size, and the entries at the alignment of their counters.
pub const ENTRIES_AT: usize = (NAME + 4).next_multiple_of(align_of::<u64>());

/// struct ipt_ip and struct ip6t_ip6; what follows them in an entry is the same: nfcache,
/// target_offset, next_offset, comefrom, counters.
const IPV4: usize = 84;
const IPV6: usize = 136;

/// A match or target: size, name[29], revision (struct xt_entry_match), then its own data.
const EXTENSION: usize = 32;

/// What is known of a table before its rules are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    valid_hooks: u32,
    hook_entry: [u32; 5],
    /// Octets of the entries.
    pub size: usize,
}

/// The question that begins with a table's name, of that many octets in all.
pub fn question(table: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.max(NAME)];
    let name = &table.as_bytes()[..table.len().min(NAME - 1)];
    bytes[..name.len()].copy_from_slice(name);
    bytes
}

/// The question for `size` octets of entries.
pub fn entries_question(table: &str, size: usize) -> Vec<u8> {
    let mut bytes = question(table, ENTRIES_AT.saturating_add(size));
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    bytes[NAME..NAME + 4].copy_from_slice(&size.to_ne_bytes());
    bytes
}

/// Decodes struct ipt_getinfo.
pub fn info(bytes: &[u8]) -> Option<Info> {
    let mut hook_entry = [0; 5];
    for (nth, entry) in hook_entry.iter_mut().enumerate() {
        *entry = u32_at(bytes, NAME + 4 + 4 * nth)?;
    }
    let size = u32_at(bytes, INFO_LENGTH - 4)? as usize;
    Some(Info { valid_hooks: u32_at(bytes, NAME)?, hook_entry, size })
}

/// A table, its chains decoded when they are asked for: of those of a cluster hardly any is.
#[derive(Clone, Debug)]
pub struct LegacyTable {
    entries: Vec<u8>,
    v6: bool,
    /// The chains by the place of their first rule.
    names: HashMap<usize, String>,
    /// The places by the chains' names.
    places: HashMap<String, usize>,
    chains: HashMap<String, Rc<Vec<Rule>>>,
    /// How many entries it has.
    pub rules: usize,
    /// The chains that hooks begin with.
    pub bases: Vec<(String, Hook)>,
}

impl LegacyTable {
    /// The table of those entries. What is cut short ends it.
    pub fn new(info: &Info, entries: Vec<u8>, v6: bool) -> Self {
        let (names, rules) = chain_names(info, &entries, v6);
        let places = names.iter().map(|(place, name)| (name.clone(), *place)).collect();
        let hooked = |(number, _): &(usize, Hook)| info.valid_hooks & (1 << number) != 0;
        let bases = [(0, Hook::Prerouting), (3, Hook::Output)]
            .into_iter()
            .filter(hooked)
            .map(|(number, hook)| (built_in(number).to_owned(), hook))
            .collect();
        Self { entries, v6, names, places, chains: HashMap::new(), rules, bases }
    }

    fn decode(&self, first: usize) -> Vec<Rule> {
        Entries { entries: &self.entries, at: first, v6: self.v6 }
            // Until another chain begins, whose name may stand in an entry of its own before it.
            .take_while(|entry| entry.at == first || !self.names.contains_key(&entry.at))
            .take_while(|entry| entry.target_name() != Some(b"ERROR"))
            .map(|entry| entry.rule(&self.names))
            .collect()
    }
}

impl Table for LegacyTable {
    fn chain(&mut self, name: &str) -> Option<Rc<Vec<Rule>>> {
        if let Some(known) = self.chains.get(name) {
            return Some(known.clone());
        }
        let rules = Rc::new(self.decode(*self.places.get(name)?));
        self.chains.insert(name.to_owned(), rules.clone());
        Some(rules)
    }

    /// Legacy iptables has none.
    fn set(&mut self, _name: &str) -> Option<Rc<Vec<Element>>> {
        None
    }
}

/// NF_INET_PRE_ROUTING and on.
const fn built_in(hook: usize) -> &'static str {
    match hook {
        0 => "PREROUTING",
        1 => "INPUT",
        2 => "FORWARD",
        3 => "OUTPUT",
        _ => "POSTROUTING",
    }
}

/// The chains by the place of their first rule, as jumps name places; and how many entries there are.
fn chain_names(info: &Info, entries: &[u8], v6: bool) -> (HashMap<usize, String>, usize) {
    let (mut names, mut count) = (HashMap::new(), 0);
    for (hook, entry) in info.hook_entry.iter().enumerate() {
        if info.valid_hooks & (1 << hook) != 0 {
            names.insert(*entry as usize, built_in(hook).to_owned());
        }
    }
    for entry in (Entries { entries, at: 0, v6 }) {
        count += 1;
        if entry.target_name() == Some(b"ERROR")
            && let Some(target) = entry.target()
        {
            let name = String::from_utf8_lossy(trimmed(target.data)).into_owned();
            // The last entry of all is one more, which names nothing.
            if name != "ERROR" {
                names.insert(entry.at + entry.bytes.len(), name);
            }
        }
    }
    (names, count)
}

/// The entries, one after another.
struct Entries<'a> {
    entries: &'a [u8],
    at: usize,
    v6: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let header = if self.v6 { IPV6 } else { IPV4 };
        let rest = self.entries.get(self.at..)?;
        let target_at = usize::from(u16_at(rest, header + 4)?);
        let length = usize::from(u16_at(rest, header + 6)?);
        let matches_at = (header + 12).next_multiple_of(align_of::<u64>()) + 16;
        if target_at < matches_at || length <= target_at {
            return None;
        }
        let bytes = rest.get(..length)?;
        let at = self.at;
        self.at += length;
        Some(Entry { at, bytes, v6: self.v6, matches_at, target_at })
    }
}

struct Entry<'a> {
    /// Its place, which jumps name.
    at: usize,
    bytes: &'a [u8],
    v6: bool,
    matches_at: usize,
    target_at: usize,
}

impl<'a> Entry<'a> {
    fn target(&self) -> Option<Extension<'a>> {
        extension(self.bytes.get(self.target_at..)?).map(|(target, _)| target)
    }

    fn target_name(&self) -> Option<&'a [u8]> {
        self.target().map(|target| target.name)
    }

    fn rule(&self, names: &HashMap<usize, String>) -> Rule {
        let mut tests = self.address_tests();
        let mut comment = None;
        let mut at = self.matches_at;
        while at < self.target_at {
            let rest = self.bytes.get(at..self.target_at).and_then(extension);
            let Some((extension, length)) = rest else { break };
            let (more, said) = match_tests(&extension);
            tests.extend(more);
            comment = said.or(comment);
            at += length;
        }
        let outcome = self.target().map_or(Outcome::Next, |target| self.outcome(&target, names));
        Rule { tests, outcome, handle: None, comment }
    }

    /// The target without a name is the standard one: a verdict below zero (-NF_ACCEPT - 1 and
    /// so on; XT_RETURN is -5), or the place to jump to. IPT_F_GOTO is 2.
    fn outcome(&self, target: &Extension<'_>, names: &HashMap<usize, String>) -> Outcome {
        if !target.name.is_empty() {
            return target_outcome(target, self.v6);
        }
        let flags = if self.v6 { 131 } else { 82 };
        let goes = self.bytes.get(flags).is_some_and(|flags| flags & 2 != 0);
        match u32_at(target.data, 0).map(u32::cast_signed) {
            Some(-5) => Outcome::Return,
            Some(verdict) if verdict >= 0 => {
                let place = verdict as usize;
                match names.get(&place) {
                    Some(name) if goes => Outcome::Goto(name.clone()),
                    Some(name) => Outcome::Jump(name.clone()),
                    // A jump to the next rule is how a rule without a target looks.
                    None => Outcome::Next,
                }
            }
            _ => Outcome::Stop,
        }
    }

    /// struct ipt_ip: src, dst, smsk, dmsk, iniface[16], outiface[16], their masks, proto, flags,
    /// invflags; struct ip6t_ip6 the same with longer addresses, and tos before the flags.
    fn address_tests(&self) -> Vec<Test> {
        let octets = if self.v6 { 16 } else { 4 };
        let at = |nth: usize| self.bytes.get(nth * octets..(nth + 1) * octets).unwrap_or_default();
        let zero = |bytes: &[u8]| bytes.iter().all(|octet| *octet == 0);
        let interfaces = 4 * octets;
        let inverted_at = if self.v6 { 132 } else { 83 };
        let inverted = self.bytes.get(inverted_at).copied().unwrap_or(0);
        // IPT_INV_VIA_IN 1, VIA_OUT 2, SRCIP 8, DSTIP 0x10, PROTO 0x40.
        let not = |bit: u8| inverted & bit != 0;
        let mut tests = Vec::new();
        if let Some(protocol) = u16_at(self.bytes, interfaces + 64).filter(|number| *number != 0) {
            let number = vec![u8::try_from(protocol).unwrap_or(u8::MAX)];
            let (low, high) = (number.clone(), number);
            tests.push(Test::Between { field: Field::Protocol, low, high, inverted: not(0x40) });
        }
        if !zero(at(3)) {
            let mask = Some(at(3).to_vec()).filter(|mask| mask.iter().any(|octet| *octet != 0xff));
            let field = Field::Address { v6: self.v6, mask };
            let (low, high) = (at(1).to_vec(), at(1).to_vec());
            tests.push(Test::Between { field, low, high, inverted: not(0x10) });
        }
        if !zero(at(2)) {
            tests.push(Test::Unknown);
        }
        let interface = |nth: usize| self.bytes.get(interfaces + 16 * nth).copied().unwrap_or(0);
        if interface(0) != 0 {
            let name = vec![0];
            let (low, high) = (name.clone(), name);
            tests.push(Test::Between { field: Field::Interface, low, high, inverted: not(1) });
        }
        if interface(1) != 0 {
            tests.push(Test::Unknown);
        }
        tests
    }
}

/// A match or target of iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// `tcp`, `DNAT`.
    pub name: &'a [u8],
    /// Which revision its data is of.
    pub revision: u32,
    /// Its data.
    pub data: &'a [u8],
}

/// The first match or target in the bytes, with its length.
fn extension(bytes: &[u8]) -> Option<(Extension<'_>, usize)> {
    let length = usize::from(u16_at(bytes, 0)?);
    let whole = bytes.get(..length)?;
    let name = trimmed(whole.get(2..31)?);
    let revision = u32::from(*whole.get(31)?);
    Some((Extension { name, revision, data: whole.get(EXTENSION..)? }, length))
}

/// What a match asks of a packet, and the comment that it is (`include/uapi/linux/netfilter/xt_*.h`).
pub fn match_tests(extension: &Extension<'_>) -> (Vec<Test>, Option<String>) {
    let data = extension.data;
    let tests = match (extension.name, extension.revision) {
        // struct xt_tcp: spts[2], dpts[2], option, flg_mask, flg_cmp, invflags (SRCPT 1, DSTPT 2).
        (b"tcp", _) => ports_tests(data, 11),
        // struct xt_udp: spts[2], dpts[2], invflags.
        (b"udp", _) => ports_tests(data, 8),
        (b"multiport", 0..=1) => vec![multiport(data, extension.revision).unwrap_or(Test::Unknown)],
        (b"addrtype", 0..=1) => address_type(data, extension.revision),
        (b"comment", _) => {
            let text = String::from_utf8_lossy(trimmed(data)).into_owned();
            return (Vec::new(), Some(text).filter(|text| !text.is_empty()));
        }
        _ => vec![Test::Unknown],
    };
    (tests, None)
}

fn ports_tests(data: &[u8], inverted_at: usize) -> Vec<Test> {
    let number = |nth: usize| u16_at(data, 2 * nth);
    let (Some(from), Some(to), Some(first), Some(last), Some(inverted)) =
        (number(0), number(1), number(2), number(3), data.get(inverted_at))
    else {
        return vec![Test::Unknown];
    };
    let mut tests = Vec::new();
    if (first, last) != (0, u16::MAX) || inverted & 2 != 0 {
        tests.push(Test::Ports { ports: vec![first..=last], inverted: inverted & 2 != 0 });
    }
    if (from, to) != (0, u16::MAX) || inverted & 1 != 0 {
        tests.push(Test::Unknown);
    }
    // Flags and options of TCP: a rule for the first packets alone would be one.
    if inverted_at == 11 && (data.get(8) != Some(&0) || data.get(9) != Some(&0)) {
        tests.push(Test::Unknown);
    }
    tests
}

/// struct xt_multiport_v1: flags (source 0, destination 1, either 2), count, ports[15],
/// pflags[15] (whether a range begins), invert; struct xt_multiport ends after the ports.
fn multiport(data: &[u8], revision: u32) -> Option<Test> {
    let (kind, count) = (*data.first()?, usize::from(*data.get(1)?));
    if kind != 1 || count > 15 {
        return None;
    }
    let port = |nth: usize| u16_at(data, 2 + 2 * nth);
    let begins_range = |nth: usize| revision == 1 && data.get(32 + nth).is_some_and(|f| *f != 0);
    let mut ports: Vec<RangeInclusive<u16>> = Vec::new();
    let mut nth = 0;
    while nth < count {
        let first = port(nth)?;
        if begins_range(nth) && nth + 1 < count {
            ports.push(first..=port(nth + 1)?);
            nth += 1;
        } else {
            ports.push(first..=first);
        }
        nth += 1;
    }
    let inverted = revision == 1 && *data.get(47)? != 0;
    Some(Test::Ports { ports, inverted })
}

/// struct xt_addrtype_info_v1: source, dest (bits of RTN_ numbers), flags (INVERT_SOURCE 1,
/// INVERT_DEST 2); struct xt_addrtype_info: source, dest, invert_source, invert_dest.
fn address_type(data: &[u8], revision: u32) -> Vec<Test> {
    const LOCAL: u16 = 1 << 2;
    let (Some(source), Some(dest)) = (u16_at(data, 0), u16_at(data, 2)) else {
        return vec![Test::Unknown];
    };
    let inverted = match revision {
        1 => u32_at(data, 4).is_some_and(|flags| flags & 2 != 0),
        _ => u32_at(data, 8).is_some_and(|inverted| inverted != 0),
    };
    let mut tests = Vec::new();
    if source != 0 {
        tests.push(Test::Unknown);
    }
    if dest != 0 {
        tests.push(Test::Local((dest & LOCAL != 0) != inverted));
    }
    tests
}

/// What a target does (`include/uapi/linux/netfilter/nf_nat.h`, `xt_TPROXY.h`).
pub fn target_outcome(target: &Extension<'_>, v6: bool) -> Outcome {
    let data = target.data;
    match (target.name, target.revision) {
        // struct nf_nat_ipv4_multi_range_compat, of IPv4 alone.
        (b"DNAT", 0) => sends(old_range(data)),
        // struct nf_nat_range and nf_nat_range2, which begin alike.
        (b"DNAT", 1 | 2) => sends(new_range(data, v6)),
        (b"REDIRECT", 0) => {
            let range = if v6 { new_range(data, true) } else { old_range(data) };
            sends(range.map(|(_, port)| (None, port)))
        }
        // struct xt_tproxy_target_info: mark_mask, mark_value, laddr, lport, of longer addresses
        // in revision 1.
        (b"TPROXY", revision) => {
            let at = if revision == 0 { 12 } else { 24 };
            sends(data.get(at..at + 2).map(|port| (None, Some(Field::Bytes(port.to_vec())))))
        }
        // These mark or note, and go on.
        (b"MARK" | b"CONNMARK" | b"LOG" | b"NFLOG" | b"TRACE" | b"CT", _) => Outcome::Next,
        _ => Outcome::Stop,
    }
}

type Target = (Option<Field>, Option<Field>);

fn sends(target: Option<Target>) -> Outcome {
    target.map_or(Outcome::Stop, |(to, port)| Outcome::Send { to, port })
}

/// NF_NAT_RANGE_MAP_IPS 1 and NF_NAT_RANGE_PROTO_SPECIFIED 2 say which of the two are given.
fn given(flags: u32, address: &[u8], port: &[u8]) -> Target {
    let field = |bytes: &[u8]| Field::Bytes(bytes.to_vec());
    ((flags & 1 != 0).then(|| field(address)), (flags & 2 != 0).then(|| field(port)))
}

/// rangesize, then flags, min_ip, max_ip, min, max.
fn old_range(data: &[u8]) -> Option<Target> {
    Some(given(u32_at(data, 4)?, data.get(8..12)?, data.get(16..18)?))
}

/// flags, min_addr[16], max_addr[16], min_proto, max_proto.
fn new_range(data: &[u8], v6: bool) -> Option<Target> {
    let octets = if v6 { 16 } else { 4 };
    Some(given(u32_at(data, 0)?, data.get(4..4 + octets)?, data.get(36..38)?))
}

/// Numbers here are in the machine's byte order.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}
