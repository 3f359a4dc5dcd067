//! The messages of NFNL_SUBSYS_NFTABLES: requests encoded; chains, rules and sets decoded into the
//! form that [`crate::redirect::rules`] follows (`include/uapi/linux/netfilter/nf_tables.h`,
//! `nf_tables_compat.h`, `nfnetlink.h`). A rule is a little program over registers: here it is
//! run over names of fields instead of a packet's octets. Sending is `sys::linux::redirects`' job.

use super::iptables;
use super::sock_diag::{attributes, u32_at};
use crate::redirect::rules::{Element, Field, Given, Outcome, Part, Rule, Test};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// NFNL_SUBSYS_NFTABLES, the upper half of a message's type.
const SUBSYSTEM: u16 = 10 << 8;
const NEWCHAIN: u16 = SUBSYSTEM | 3;
const GETCHAIN: u16 = SUBSYSTEM | 4;
const NEWRULE: u16 = SUBSYSTEM | 6;
const GETRULE: u16 = SUBSYSTEM | 7;
const NEWSETELEM: u16 = SUBSYSTEM | 12;
const GETSETELEM: u16 = SUBSYSTEM | 13;

/// struct nlmsghdr and struct nfgenmsg.
const HEADER: usize = 16;
const GENERIC: usize = 4;

/// NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6.
const INET: u8 = 1;
const IPV4: u8 = 2;
const IPV6: u8 = 10;

/// The most octets of a set's key that are looked at: sixteen registers of four.
const REGISTERS: usize = 16;

/// Asks for all chains of all tables.
pub fn chains_request() -> Vec<u8> {
    request(GETCHAIN, 0, &[])
}

/// Asks for the rules of one chain; the kernel leaves out all others (Linux 4.7).
pub fn rules_request(family: u8, table: &str, chain: &str) -> Vec<u8> {
    // NFTA_RULE_TABLE, NFTA_RULE_CHAIN.
    request(GETRULE, family, &[(1, table), (2, chain)])
}

/// Asks for the elements of one set or map.
pub fn elements_request(family: u8, table: &str, set: &str) -> Vec<u8> {
    // NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET.
    request(GETSETELEM, family, &[(1, table), (2, set)])
}

fn request(kind: u16, family: u8, names: &[(u16, &str)]) -> Vec<u8> {
    let mut message = vec![0; HEADER];
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message.extend([family, 0, 0, 0]);
    for (number, name) in names {
        // Names are at most NFT_NAME_MAXLEN, 256 octets.
        let length = u16::try_from(name.len() + 5).unwrap_or(u16::MAX);
        message.extend(length.to_ne_bytes());
        message.extend(number.to_ne_bytes());
        message.extend(name.as_bytes());
        message.push(0);
        message.resize((message.len() + 3) & !3, 0);
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

/// A chain that packets come to by a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseChain {
    /// NFPROTO_IPV4 (2), NFPROTO_IPV6 (10), NFPROTO_INET (1), or another.
    pub family: u8,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// NF_INET_PRE_ROUTING (0), NF_INET_LOCAL_OUT (3), or another.
    pub hook: u32,
    /// Lower comes first.
    pub priority: i32,
    /// `nat`, `filter`, `route`.
    pub kind: String,
}

/// A rule and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The family of its table.
    pub family: u8,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// The rule.
    pub rule: Rule,
}

/// Elements of a set, as the kernel lists them: intervals of plain sets are not yet put together,
/// see [`elements`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawElements {
    /// The family of its table.
    pub family: u8,
    /// Its table.
    pub table: String,
    /// The set.
    pub set: String,
    /// Its elements.
    pub elements: Vec<RawElement>,
}

/// An element as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawElement {
    key: Vec<u8>,
    key_end: Option<Vec<u8>>,
    ends: bool,
    given: Given,
    comment: Option<String>,
}

/// One message of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A base chain.
    Chain(BaseChain),
    /// A rule.
    Rule(Placed),
    /// Elements of a set.
    Elements(RawElements),
}

/// One buffer of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// What it says, in order.
    pub messages: Vec<Message>,
    /// Whether the rules changed meanwhile (NLM_F_DUMP_INTR).
    pub interrupted: bool,
    /// The end of the answer: an error number, where it was refused.
    pub end: Option<Result<(), i32>>,
}

/// Decodes one buffer; what is cut short or of another kind is skipped.
pub fn decode(buffer: &[u8]) -> Chunk {
    let mut chunk = Chunk::default();
    let mut rest = buffer;
    while let Some(length) = u32_at(rest, 0).map(|length| length as usize) {
        if length < HEADER || length > rest.len() {
            break;
        }
        let kind = u16::from_ne_bytes([rest[4], rest[5]]);
        let flags = u16::from_ne_bytes([rest[6], rest[7]]);
        chunk.interrupted |= flags & NLM_F_DUMP_INTR != 0;
        let payload = &rest[HEADER..length];
        match kind {
            NLMSG_DONE | NLMSG_ERROR => {
                let error = u32_at(payload, 0).map_or(0, u32::cast_signed);
                chunk.end = Some(if error == 0 { Ok(()) } else { Err(error.saturating_neg()) });
            }
            NEWCHAIN => chunk.messages.extend(chain(payload).map(Message::Chain)),
            NEWRULE => chunk.messages.extend(rule(payload).map(Message::Rule)),
            NEWSETELEM => chunk.messages.extend(set_elements(payload).map(Message::Elements)),
            _ => {}
        }
        rest = rest.get((length + 3) & !3..).unwrap_or_default();
    }
    chunk
}

/// A message's family and attributes.
fn body(payload: &[u8]) -> Option<(u8, &[u8])> {
    Some((*payload.first()?, payload.get(GENERIC..)?))
}

/// NFTA_CHAIN_TABLE 1, NAME 3, HOOK 4 (HOOKNUM 1, PRIORITY 2), TYPE 7; `None` for a chain without a hook.
fn chain(payload: &[u8]) -> Option<BaseChain> {
    let (family, body) = body(payload)?;
    let hook = find(body, 4)?;
    Some(BaseChain {
        family,
        table: text(find(body, 1)?),
        name: text(find(body, 3)?),
        hook: number(find(hook, 1)?)?,
        priority: number(find(hook, 2)?)?.cast_signed(),
        kind: find(body, 7).map(text).unwrap_or_default(),
    })
}

/// NFTA_RULE_TABLE 1, CHAIN 2, HANDLE 3, EXPRESSIONS 4, USERDATA 7.
fn rule(payload: &[u8]) -> Option<Placed> {
    let (family, body) = body(payload)?;
    let mut program = Program::new(family);
    for (_, expression) in find(body, 4).into_iter().flat_map(attributes) {
        // NFTA_EXPR_NAME 1, NFTA_EXPR_DATA 2.
        let Some(name) = find(expression, 1) else { continue };
        program.run(trimmed(name), find(expression, 2).unwrap_or_default());
        if program.ended {
            break;
        }
    }
    let handle = find(body, 3).and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
    let comment = find(body, 7).and_then(comment).or(program.comment);
    let rule = Rule { tests: program.tests, outcome: program.outcome, handle, comment };
    Some(Placed { family, table: text(find(body, 1)?), chain: text(find(body, 2)?), rule })
}

/// NFTA_SET_ELEM_LIST_TABLE 1, SET 2, ELEMENTS 3.
fn set_elements(payload: &[u8]) -> Option<RawElements> {
    let (family, body) = body(payload)?;
    let elements = find(body, 3).into_iter().flat_map(attributes);
    Some(RawElements {
        family,
        table: text(find(body, 1)?),
        set: text(find(body, 2)?),
        elements: elements.filter_map(|(_, element)| raw_element(element)).collect(),
    })
}

/// NFTA_SET_ELEM_KEY 1, DATA 2, FLAGS 3 (NFT_SET_ELEM_INTERVAL_END 1, CATCHALL 2), USERDATA 6,
/// KEY_END 10.
fn raw_element(element: &[u8]) -> Option<RawElement> {
    let flags = find(element, 3).and_then(number).unwrap_or(0);
    let key = find(element, 1).and_then(|key| find(key, 1));
    // A catch-all element has none.
    let key = if flags & 2 != 0 { Vec::new() } else { key?.to_vec() };
    let given = match find(element, 2) {
        None => Given::Nothing,
        Some(data) => match find(data, 2) {
            Some(verdict) => Given::Outcome(outcome(verdict)),
            None => Given::Bytes(find(data, 1).unwrap_or_default().to_vec()),
        },
    };
    Some(RawElement {
        key,
        key_end: find(element, 10).and_then(|key| find(key, 1)).map(<[u8]>::to_vec),
        ends: flags & 1 != 0,
        given,
        comment: find(element, 6).and_then(comment),
    })
}

/// The elements of a set with their intervals put together: of a plain set, the kernel lists
/// where each begins and, marked, the key after its end.
pub fn elements(mut raw: Vec<RawElement>) -> Vec<Element> {
    let intervals = raw.iter().any(|element| element.ends);
    if intervals {
        raw.sort_by(|a, b| (&a.key, !a.ends).cmp(&(&b.key, !b.ends)));
    }
    let mut elements = Vec::with_capacity(raw.len());
    let mut raw = raw.into_iter().peekable();
    while let Some(element) = raw.next() {
        if element.ends {
            continue;
        }
        let high = match (element.key_end, intervals, raw.peek()) {
            (Some(end), ..) => end,
            (None, false, _) => element.key.clone(),
            (None, true, Some(next)) => before(&next.key),
            (None, true, None) => vec![0xff; element.key.len()],
        };
        let RawElement { key, given, comment, .. } = element;
        elements.push(Element { low: key, high, given, comment });
    }
    elements
}

/// The number before one in network byte order.
fn before(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    for octet in key.iter_mut().rev() {
        let (less, borrowed) = octet.overflowing_sub(1);
        *octet = less;
        if !borrowed {
            break;
        }
    }
    key
}

/// A rule as far as it was run. Expressions and their attributes by the numbers of nf_tables.h.
struct Program {
    family: u8,
    /// Sixteen registers of four octets; a larger value is noted where it begins.
    registers: [Option<Field>; REGISTERS],
    tests: Vec<Test>,
    outcome: Outcome,
    comment: Option<String>,
    ended: bool,
}

impl Program {
    const fn new(family: u8) -> Self {
        Self {
            family,
            registers: [const { None }; REGISTERS],
            tests: Vec::new(),
            outcome: Outcome::Next,
            comment: None,
            ended: false,
        }
    }

    fn run(&mut self, name: &[u8], data: &[u8]) {
        match name {
            b"meta" => self.meta(data),
            b"payload" => self.payload(data),
            b"fib" => self.fib(data),
            b"bitwise" => self.bitwise(data),
            b"cmp" => self.compare(data),
            b"range" => self.range(data),
            b"lookup" => self.lookup(data),
            b"immediate" => self.immediate(data),
            b"nat" => self.nat(data),
            // NFTA_REDIR_REG_PROTO_MIN 1.
            b"redir" => {
                let port = self.value_of(data, 1);
                self.end(Outcome::Send { to: None, port });
            }
            // NFTA_TPROXY_REG_ADDR 2, NFTA_TPROXY_REG_PORT 3.
            b"tproxy" => {
                let port = self.value_of(data, 3);
                self.end(Outcome::Send { to: None, port });
            }
            b"match" => {
                let (tests, comment) = iptables::match_tests(&extension(data));
                self.tests.extend(tests);
                self.comment = comment.or(self.comment.take());
            }
            b"target" => {
                let outcome = iptables::target_outcome(&extension(data), self.family == IPV6);
                if outcome != Outcome::Next {
                    self.end(outcome);
                }
            }
            b"masq" | b"reject" | b"queue" => self.end(Outcome::Stop),
            b"counter" | b"log" | b"notrack" | b"dup" | b"flow_offload" | b"objref" | b"last" => {}
            // Limits and quotas decide by what went before.
            b"limit" | b"quota" | b"connlimit" | b"socket" | b"osf" | b"ct" | b"rt" | b"exthdr"
            | b"numgen" | b"hash" | b"xfrm" | b"tunnel" | b"byteorder" => self.other(name, data),
            _ => self.tests.push(Test::Unknown),
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.ended = true;
    }

    /// A register's place among the sixteen: NFT_REG_1 to 4 have four words each, NFT_REG32_00
    /// (8) and on one.
    fn place(register: u32) -> Option<usize> {
        let place = match register {
            1..=4 => (register as usize - 1) * 4,
            8..=23 => register as usize - 8,
            _ => return None,
        };
        (place < REGISTERS).then_some(place)
    }

    fn register(data: &[u8], attribute: u16) -> Option<usize> {
        Self::place(number(find(data, attribute)?)?)
    }

    fn load(&mut self, data: &[u8], attribute: u16, field: Field) {
        if let Some(place) = Self::register(data, attribute) {
            self.registers[place] = Some(field);
        }
    }

    fn field_of(&self, data: &[u8], attribute: u16) -> Field {
        let place = Self::register(data, attribute);
        place.and_then(|place| self.registers[place].clone()).unwrap_or(Field::Other)
    }

    /// What a register is known to hold, for an address or port to send to.
    fn value_of(&self, data: &[u8], attribute: u16) -> Option<Field> {
        let place = Self::register(data, attribute)?;
        if let Some(field) = &self.registers[place] {
            return Some(field.clone());
        }
        // The second part of what a map gave lies in the words after the first.
        let (first, field) = self.registers[..place]
            .iter()
            .enumerate()
            .rev()
            .find_map(|(place, field)| Some((place, field.as_ref()?)))?;
        match field {
            Field::Mapped { set, key, from } => Some(Field::Mapped {
                set: set.clone(),
                key: key.clone(),
                from: from + (place - first) * 4,
            }),
            _ => None,
        }
    }

    /// NFTA_META_DREG 1, KEY 2, SREG 3. Keys: IIF 4, IIFNAME 6, NFPROTO 15, L4PROTO 16.
    fn meta(&mut self, data: &[u8]) {
        let field = match find(data, 2).and_then(number) {
            Some(4 | 6) => Field::Interface,
            Some(15) => Field::Family,
            Some(16) => Field::Protocol,
            _ => Field::Other,
        };
        self.load(data, 1, field);
    }

    /// NFTA_PAYLOAD_DREG 1, BASE 2 (network 1, transport 2), OFFSET 3, LEN 4.
    fn payload(&mut self, data: &[u8]) {
        let value = |attribute| find(data, attribute).and_then(number);
        let (Some(base), Some(offset), Some(length)) = (value(2), value(3), value(4)) else {
            return;
        };
        let v4 = matches!(self.family, IPV4 | INET);
        let v6 = matches!(self.family, IPV6 | INET);
        let field = match (base, offset, length) {
            (2, 2, 2) => Field::Port,
            // struct iphdr: protocol, daddr; struct ipv6hdr: nexthdr, daddr.
            (1, 9, 1) if v4 => Field::Protocol,
            (1, 6, 1) if v6 => Field::Protocol,
            (1, 16, 1..=4) if v4 => Field::Address { v6: false, mask: None },
            (1, 24, 1..=16) if v6 => Field::Address { v6: true, mask: None },
            _ => Field::Other,
        };
        self.load(data, 1, field);
    }

    /// NFTA_FIB_DREG 1, RESULT 2 (NFT_FIB_RESULT_ADDRTYPE 3), FLAGS 3 (NFTA_FIB_F_DADDR 2).
    fn fib(&mut self, data: &[u8]) {
        let kind = find(data, 2).and_then(number);
        let flags = find(data, 3).and_then(number).unwrap_or(0);
        let field = if kind == Some(3) && flags & 2 != 0 { Field::Route } else { Field::Other };
        self.load(data, 1, field);
    }

    /// NFTA_BITWISE_SREG 1, DREG 2, MASK 4, XOR 5.
    fn bitwise(&mut self, data: &[u8]) {
        let mask = find(data, 4).and_then(|mask| find(mask, 1));
        let plain = find(data, 5)
            .and_then(|xor| find(xor, 1))
            .is_none_or(|xor| xor.iter().all(|octet| *octet == 0));
        let field = match (self.field_of(data, 1), mask) {
            (Field::Address { v6, mask: None }, Some(mask)) if plain => {
                Field::Address { v6, mask: Some(mask.to_vec()) }
            }
            _ => Field::Other,
        };
        self.load(data, 2, field);
    }

    /// NFTA_CMP_SREG 1, OP 2 (EQ, NEQ, LT, LTE, GT, GTE from 0 on), DATA 3.
    fn compare(&mut self, data: &[u8]) {
        let field = self.field_of(data, 1);
        let value = find(data, 3).and_then(|value| find(value, 1)).map(<[u8]>::to_vec);
        let (Some(value), Some(operator)) = (value, find(data, 2).and_then(number)) else {
            self.tests.push(Test::Unknown);
            return;
        };
        let (least, greatest) = (vec![0; value.len()], vec![0xff; value.len()]);
        let (low, high, inverted) = match operator {
            0 => (value.clone(), value, false),
            1 => (value.clone(), value, true),
            2 => (value, greatest, true),
            3 => (least, value, false),
            4 => (least, value, true),
            _ => (value, greatest, false),
        };
        self.tests.push(Test::Between { field, low, high, inverted });
    }

    /// NFTA_RANGE_SREG 1, OP 2 (EQ 0, NEQ 1), FROM_DATA 3, TO_DATA 4.
    fn range(&mut self, data: &[u8]) {
        let field = self.field_of(data, 1);
        let value = |attribute| find(find(data, attribute)?, 1).map(<[u8]>::to_vec);
        let (Some(low), Some(high)) = (value(3), value(4)) else {
            self.tests.push(Test::Unknown);
            return;
        };
        let inverted = find(data, 2).and_then(number) == Some(1);
        self.tests.push(Test::Between { field, low, high, inverted });
    }

    /// NFTA_LOOKUP_SET 1, SREG 2, DREG 3, FLAGS 5 (NFT_LOOKUP_F_INV 1).
    fn lookup(&mut self, data: &[u8]) {
        let (Some(set), Some(from)) = (find(data, 1).map(text), Self::register(data, 2)) else {
            self.tests.push(Test::Unknown);
            return;
        };
        let key: Vec<Part> = self.registers[from..]
            .iter()
            .enumerate()
            .filter_map(|(word, field)| Some(Part { field: field.clone()?, from: word * 4 }))
            .collect();
        match find(data, 3).and_then(number) {
            // NFT_REG_VERDICT.
            Some(0) => self.end(Outcome::ByMap { set, key }),
            Some(register) => {
                self.tests.push(Test::Member {
                    set: set.clone(),
                    key: key.clone(),
                    inverted: false,
                });
                if let Some(place) = Self::place(register) {
                    // What lay in the words after it is overwritten, as far as the value goes.
                    self.registers[place..].fill(None);
                    self.registers[place] = Some(Field::Mapped { set, key, from: 0 });
                }
            }
            None => {
                let inverted = find(data, 5).and_then(number).unwrap_or(0) & 1 != 0;
                self.tests.push(Test::Member { set, key, inverted });
            }
        }
    }

    /// NFTA_IMMEDIATE_DREG 1, DATA 2 (NFTA_DATA_VALUE 1, NFTA_DATA_VERDICT 2).
    fn immediate(&mut self, data: &[u8]) {
        let Some(value) = find(data, 2) else { return };
        if let Some(verdict) = find(value, 2) {
            let outcome = outcome(verdict);
            // NFT_CONTINUE goes on with the next expression.
            if outcome != Outcome::Next {
                self.end(outcome);
            }
        } else if let Some(bytes) = find(value, 1) {
            self.load(data, 1, Field::Bytes(bytes.to_vec()));
        }
    }

    /// NFTA_NAT_TYPE 1 (NFT_NAT_DNAT 1), FAMILY 2, REG_ADDR_MIN 3, REG_PROTO_MIN 5. In a table of
    /// both families the packets of the other one pass (nft_nat_inet_eval, `net/netfilter/nft_nat.c`).
    fn nat(&mut self, data: &[u8]) {
        if find(data, 1).and_then(number) != Some(1) {
            return self.end(Outcome::Stop);
        }
        let family = find(data, 2).and_then(number).and_then(|family| u8::try_from(family).ok());
        if let Some(family) = family.filter(|_| self.family == INET) {
            let (low, high) = (vec![family], vec![family]);
            self.tests.push(Test::Between { field: Field::Family, low, high, inverted: false });
        }
        let (to, port) = (self.value_of(data, 3), self.value_of(data, 5));
        self.end(Outcome::Send { to, port });
    }

    /// An expression that loads something or decides by something that is not followed. Where it
    /// has a destination register that is its first attribute, or for byteorder its second.
    fn other(&mut self, name: &[u8], data: &[u8]) {
        let attribute = match name {
            b"byteorder" | b"hash" => 2,
            b"limit" | b"quota" | b"connlimit" => return self.tests.push(Test::Unknown),
            _ => 1,
        };
        self.load(data, attribute, Field::Other);
    }
}

/// NFTA_VERDICT_CODE 1, CHAIN 2; codes from `enum nft_verdicts`.
fn outcome(verdict: &[u8]) -> Outcome {
    let chain = || find(verdict, 2).map(text);
    match find(verdict, 1).and_then(number).map(u32::cast_signed) {
        Some(-1) => Outcome::Next,
        // NFT_BREAK ends the rule.
        Some(-2) => Outcome::Next,
        Some(-3) => chain().map_or(Outcome::Next, Outcome::Jump),
        Some(-4) => chain().map_or(Outcome::Return, Outcome::Goto),
        Some(-5) => Outcome::Return,
        _ => Outcome::Stop,
    }
}

/// A match or target of iptables within nf_tables: NFTA_MATCH_NAME 1, REV 2, INFO 3, and the same
/// numbers for a target.
fn extension(data: &[u8]) -> iptables::Extension<'_> {
    iptables::Extension {
        name: find(data, 1).map(trimmed).unwrap_or_default(),
        revision: find(data, 2).and_then(number).unwrap_or(0),
        data: find(data, 3).unwrap_or_default(),
    }
}

/// The comment in a rule's or element's own data, which nft(8) writes as type, length, value:
/// type 0 (NFTNL_UDATA_RULE_COMMENT, `libnftnl/udata.h`).
fn comment(mut data: &[u8]) -> Option<String> {
    loop {
        let [kind, length, rest @ ..] = data else { return None };
        let value = rest.get(..usize::from(*length))?;
        if *kind == 0 {
            return Some(text(value)).filter(|text| !text.is_empty());
        }
        data = &rest[value.len()..];
    }
}

fn find(attributes_of: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(attributes_of).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// A number in network byte order, as nf_tables writes all its attributes.
fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// A string up to its first zero.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(trimmed(bytes)).into_owned()
}
