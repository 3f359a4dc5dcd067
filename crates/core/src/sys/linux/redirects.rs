//! The packet filters of the asker's network namespace: nf_tables over netlink, the tables of
//! legacy iptables by getsockopt(2), IPVS from `/proc`. Nothing here makes the kernel load a
//! module, and chains and sets are read one by one, as the walk comes to them. What the bytes
//! mean is in [`crate::decode`], where they lead in [`crate::redirect::rules`].

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::NETFILTER;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use super::addresses;
use crate::decode::nftables::{BaseChain, Message, RawElement};
use crate::decode::{iptables, ipvs, nftables};
use crate::redirect::rules::{Element, Hook, Place, Question, Rule, Table, walk};
use crate::redirect::{Redirect, RedirectAnswer};
use crate::snapshot::Gap;

/// The kernel fills at most 32 KiB a message; a larger buffer gains nothing.
const BUFFER: usize = 32 * 1024;

/// Rules and elements that are read before the rest is left.
const MOST_READ: usize = 60_000;

/// Processor time that reading may take, the kernel's part included, which is three quarters of
/// it: ten thousand rules and more. Time that others had is not counted, so that an answer does
/// not turn on how busy the machine is.
const MOST_TIME: Duration = Duration::from_millis(60);

/// How often something is read again that changed meanwhile.
const MOST_ATTEMPTS: usize = 4;

/// Octets of entries that a legacy table may have: 60,000 rules.
const MOST_ENTRIES: usize = 32 << 20;

/// The rules that send one of these ports elsewhere.
pub(super) fn answer(ports: &[u16]) -> RedirectAnswer {
    let mut answer = RedirectAnswer::default();
    let services = fs::read_to_string("/proc/net/ip_vs").ok();
    // Without connection tracking in this kernel no address is ever translated.
    let tracks = Path::new("/proc/sys/net/netfilter/nf_conntrack_max").exists();
    if ports.is_empty() || !(tracks || services.is_some()) {
        return answer;
    }
    let mut ports = ports.to_vec();
    ports.sort_unstable();
    ports.dedup();
    let mut question = Question { ports, addresses: Vec::new() };
    let mut reading = Reading::default();
    if tracks {
        let nft = match may_have_nftables() {
            true => read_nftables(&mut question, &mut reading),
            false => Ok(()),
        };
        let legacy = read_legacy(&mut question, &mut reading);
        if let Err(error) = nft.and(legacy) {
            answer.gaps.extend(gap_of(error));
        }
    }
    if reading.cut {
        answer.gaps.push(Gap::ManyRules { read: reading.read });
    }
    answer.redirects = reading.found;
    if let Some(services) = services {
        know_addresses(&mut question);
        answer.redirects.extend(ipvs::decode(&services, &question.ports, &question.addresses));
    }
    answer
}

/// Asks for this machine's addresses, which only matter where there is a rule.
fn know_addresses(question: &mut Question) {
    if question.addresses.is_empty() {
        question.addresses = addresses::all();
    }
}

/// What was read so far.
struct Reading {
    found: Vec<Redirect>,
    read: usize,
    /// The processor time of this thread when it began.
    since: Duration,
    /// Whether something was left unread.
    cut: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { found: Vec::new(), read: 0, since: spent(), cut: false }
    }
}

impl Reading {
    fn is_full(&self) -> bool {
        self.read >= MOST_READ || spent().saturating_sub(self.since) >= MOST_TIME
    }
}

/// Processor time that this thread has used.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Rules are root's to read. That they could not be is worth telling only where there is reason
/// to think that there are any: a bridge or tunnel of containers.
fn gap_of(error: Errno) -> Option<Gap> {
    let refused = matches!(error, Errno::PERM | Errno::ACCESS);
    let told = !refused || fs::read_to_string("/proc/net/dev").is_ok_and(|text| has_bridge(&text));
    let error = crate::bind::BindResult::Other(error.raw_os_error()).name().into_owned();
    told.then_some(Gap::NoRules { error })
}

/// Whether a list of interfaces (`/proc/net/dev`) names one that an engine or cluster makes.
fn has_bridge(interfaces: &str) -> bool {
    const MADE: [&str; 12] = [
        "docker", "podman", "cni", "br-", "nerdctl", "kube-", "flannel", "cali", "cilium", "weave",
        "lxcbr", "lxdbr",
    ];
    let names = interfaces.lines().filter_map(|line| Some(line.split_once(':')?.0.trim_start()));
    names.into_iter().any(|name| MADE.into_iter().any(|made| name.starts_with(made)))
}

/// Whether asking nf_tables would not first load it: it is loaded, or nothing of the packet
/// filter is a module.
fn may_have_nftables() -> bool {
    let Ok(modules) = fs::read_to_string("/proc/modules") else { return true };
    let mut names = modules.lines().filter_map(|line| line.split(' ').next());
    let (mut tables, mut modular) = (false, false);
    for name in names.by_ref() {
        tables |= name == "nf_tables";
        modular |= name == "nf_conntrack" || name == "x_tables";
    }
    tables || !modular
}

/// A netlink socket to the packet filter.
struct Netfilter {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Netfilter {
    fn open() -> Result<Self, Errno> {
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(NETFILTER),
        )?;
        Ok(Self { fd, buffer: vec![0; BUFFER] })
    }

    /// The whole answer to a question, asked again where the rules changed meanwhile.
    fn ask(&mut self, request: &[u8], reading: &mut Reading) -> Result<Vec<Message>, Errno> {
        for _ in 1..MOST_ATTEMPTS {
            if let (messages, false) = self.ask_once(request, reading)? {
                return Ok(messages);
            }
        }
        self.ask_once(request, reading).map(|(messages, _)| messages)
    }

    /// The answer, and whether the rules changed while it was read.
    fn ask_once(
        &mut self,
        request: &[u8],
        reading: &mut Reading,
    ) -> Result<(Vec<Message>, bool), Errno> {
        retry(|| send(&self.fd, request, SendFlags::empty()))?;
        let (mut messages, mut interrupted) = (Vec::new(), false);
        loop {
            let buffer = &mut self.buffer[..];
            // The kernel has the next part ready before it hands out the last: to wait would be
            // to wait for ever.
            let (length, _) = retry(|| recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT))?;
            let chunk = nftables::decode(&self.buffer[..length]);
            interrupted |= chunk.interrupted;
            reading.read += chunk.messages.iter().map(weight).sum::<usize>();
            messages.extend(chunk.messages);
            match chunk.end {
                None if length == 0 => return Err(Errno::IO),
                None if reading.is_full() => {
                    reading.cut = true;
                    // The rest of this answer must not be taken for another's.
                    *self = Self::open()?;
                    return Ok((messages, false));
                }
                None => {}
                Some(Ok(())) => return Ok((messages, interrupted)),
                Some(Err(error)) => return Err(Errno::from_raw_os_error(error)),
            }
        }
    }
}

fn weight(message: &Message) -> usize {
    match message {
        Message::Elements(elements) => elements.elements.len(),
        Message::Chain(_) | Message::Rule(_) => 1,
    }
}

/// Where nf_tables is not in the kernel there are no rules of it.
fn read_nftables(question: &mut Question, reading: &mut Reading) -> Result<(), Errno> {
    let absent = |error| {
        matches!(
            error,
            Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::INVAL
        )
    };
    let mut netfilter = match Netfilter::open() {
        Ok(netfilter) => netfilter,
        Err(error) if absent(error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let messages = match netfilter.ask(&nftables::chains_request(), reading) {
        Ok(messages) => messages,
        Err(error) if absent(error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut bases: Vec<(BaseChain, Hook)> = messages
        .into_iter()
        .filter_map(|message| match message {
            Message::Chain(chain) => Some((hook_of(&chain)?, chain)),
            Message::Rule(_) | Message::Elements(_) => None,
        })
        .map(|(hook, chain)| (chain, hook))
        .collect();
    bases.sort_by_key(|(chain, _)| chain.priority);
    if !bases.is_empty() {
        know_addresses(question);
    }
    let mut tables: HashMap<(u8, String), LiveTable> = HashMap::new();
    for (chain, hook) in bases {
        let place = Place {
            filter: "nftables",
            table: format!("{} {}", family_name(chain.family), chain.table),
            family: chain.family,
        };
        let key = (chain.family, chain.table.clone());
        let mut table = tables.remove(&key).unwrap_or_default();
        let mut live = Asking {
            netfilter: &mut netfilter,
            reading,
            chain: &chain,
            table: &mut table,
            error: None,
        };
        let mut found = Vec::new();
        let complete = walk(&mut live, &place, (&chain.name, hook), question, &mut found);
        let error = live.error;
        for redirect in found {
            crate::redirect::rules::merge(&mut reading.found, redirect);
        }
        reading.cut |= !complete;
        if let Some(error) = error {
            return Err(error);
        }
        tables.insert(key, table);
    }
    Ok(())
}

/// The hook, of a chain that can send packets elsewhere: nat chains where packets arrive or leave,
/// and those of other kinds where they arrive, for TPROXY.
fn hook_of(chain: &BaseChain) -> Option<Hook> {
    const PREROUTING: u32 = 0;
    const OUTPUT: u32 = 3;
    let of_ip = matches!(chain.family, 1 | 2 | 10);
    match (chain.hook, chain.kind.as_str()) {
        (PREROUTING, "nat" | "filter") if of_ip => Some(Hook::Prerouting),
        (OUTPUT, "nat") if of_ip => Some(Hook::Output),
        _ => None,
    }
}

/// As nft(8) calls them.
const fn family_name(family: u8) -> &'static str {
    match family {
        1 => "inet",
        2 => "ip",
        10 => "ip6",
        _ => "",
    }
}

/// What was read of a table.
#[derive(Default)]
struct LiveTable {
    chains: HashMap<String, Option<Rc<Vec<Rule>>>>,
    sets: HashMap<String, Option<Rc<Vec<Element>>>>,
}

/// A table, read as it is followed.
struct Asking<'a> {
    netfilter: &'a mut Netfilter,
    reading: &'a mut Reading,
    chain: &'a BaseChain,
    table: &'a mut LiveTable,
    error: Option<Errno>,
}

impl Asking<'_> {
    fn ask(&mut self, request: &[u8]) -> Option<Vec<Message>> {
        if self.error.is_some() {
            return None;
        }
        if self.reading.is_full() {
            self.reading.cut = true;
            return None;
        }
        match self.netfilter.ask(request, self.reading) {
            Ok(messages) => Some(messages),
            // Deleted since it was named.
            Err(Errno::NOENT) => None,
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }

    fn read_chain(&mut self, name: &str) -> Option<Rc<Vec<Rule>>> {
        let BaseChain { family, table, .. } = self.chain;
        let messages = self.ask(&nftables::rules_request(*family, table, name))?;
        let rules = messages.into_iter().filter_map(|message| match message {
            // A kernel that does not filter hands out the rules of all chains.
            Message::Rule(placed)
                if placed.chain == name && placed.table == *table && placed.family == *family =>
            {
                Some(placed.rule)
            }
            _ => None,
        });
        Some(Rc::new(rules.collect()))
    }

    fn read_set(&mut self, name: &str) -> Option<Rc<Vec<Element>>> {
        let BaseChain { family, table, .. } = self.chain;
        let messages = self.ask(&nftables::elements_request(*family, table, name))?;
        let raw: Vec<RawElement> = messages
            .into_iter()
            .filter_map(|message| match message {
                Message::Elements(listed) if listed.set == name => Some(listed.elements),
                _ => None,
            })
            .flatten()
            .collect();
        Some(Rc::new(nftables::elements(raw)))
    }
}

impl Table for Asking<'_> {
    fn chain(&mut self, name: &str) -> Option<Rc<Vec<Rule>>> {
        if let Some(known) = self.table.chains.get(name) {
            return known.clone();
        }
        let rules = self.read_chain(name);
        self.table.chains.insert(name.to_owned(), rules.clone());
        rules
    }

    fn set(&mut self, name: &str) -> Option<Rc<Vec<Element>>> {
        if let Some(known) = self.table.sets.get(name) {
            return known.clone();
        }
        let elements = self.read_set(name);
        self.table.sets.insert(name.to_owned(), elements.clone());
        elements
    }
}

/// SOL_IP and SOL_IPV6 (`include/linux/socket.h`); IPT_SO_GET_INFO and IPT_SO_GET_ENTRIES, which
/// IP6T_SO_GET_INFO and IP6T_SO_GET_ENTRIES are equal to.
const LEVELS: [(AddressFamily, c_int, &str, bool); 2] = [
    (AddressFamily::INET, 0, "/proc/net/ip_tables_names", false),
    (AddressFamily::INET6, 41, "/proc/net/ip6_tables_names", true),
];
const GET_INFO: c_int = 64;
const GET_ENTRIES: c_int = 65;

/// The nat tables of legacy iptables. Only a table that is loaded is asked for: the list of them is
/// root's to read.
fn read_legacy(question: &mut Question, reading: &mut Reading) -> Result<(), Errno> {
    for (family, level, names, v6) in LEVELS {
        let loaded = fs::read_to_string(names);
        if !loaded.is_ok_and(|names| names.lines().any(|name| name == "nat")) {
            continue;
        }
        know_addresses(question);
        let fd = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        let Some((info, entries)) = legacy_entries(fd.as_fd(), level, reading)? else { continue };
        let mut table = iptables::LegacyTable::new(&info, entries, v6);
        reading.read += table.rules;
        let place = Place {
            filter: "iptables",
            table: if v6 { "ip6 nat" } else { "ip nat" }.to_owned(),
            family: if v6 { 10 } else { 2 },
        };
        for (chain, hook) in table.bases.clone() {
            let base = (chain.as_str(), hook);
            reading.cut |= !walk(&mut table, &place, base, question, &mut reading.found);
        }
    }
    Ok(())
}

/// A table's entries; `None` where they are too many to read.
fn legacy_entries(
    fd: BorrowedFd<'_>,
    level: c_int,
    reading: &mut Reading,
) -> Result<Option<(iptables::Info, Vec<u8>)>, Errno> {
    for _ in 0..MOST_ATTEMPTS {
        let mut bytes = iptables::question("nat", iptables::INFO_LENGTH);
        let length = option(fd, level, GET_INFO, &mut bytes)?;
        let info = iptables::info(&bytes[..length]).ok_or(Errno::IO)?;
        if info.size > MOST_ENTRIES {
            reading.cut = true;
            return Ok(None);
        }
        let mut bytes = iptables::entries_question("nat", info.size);
        match option(fd, level, GET_ENTRIES, &mut bytes) {
            Ok(length) => {
                let entries = bytes.get(iptables::ENTRIES_AT..length).unwrap_or_default().to_vec();
                return Ok(Some((info, entries)));
            }
            // The table changed its size in between.
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::AGAIN)
}

/// getsockopt(2) of an option that is read and written: rustix has no call for any that it does
/// not know. How many octets were written.
fn option(fd: BorrowedFd<'_>, level: c_int, name: c_int, bytes: &mut [u8]) -> Result<usize, Errno> {
    unsafe extern "C" {
        fn getsockopt(
            fd: c_int,
            level: c_int,
            name: c_int,
            value: *mut c_void,
            length: *mut u32,
        ) -> c_int;
    }
    let mut length = u32::try_from(bytes.len()).map_err(|_| Errno::INVAL)?;
    let value = bytes.as_mut_ptr().cast();
    // SAFETY: `value` points to `length` octets that are ours to write, the kernel writes no more
    // than that, and both live until the call returns (getsockopt(2)).
    let result = unsafe { getsockopt(fd.as_raw_fd(), level, name, value, &raw mut length) };
    match result {
        0 => Ok(bytes.len().min(length as usize)),
        _ => {
            let number = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
            Err(Errno::from_raw_os_error(number))
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_of_engines_are_told_from_ordinary_interfaces() {
        let head = "Inter-|   Receive\n face |bytes    packets\n";
        let list = |names: &[&str]| {
            let lines = names.iter().map(|name| format!("{name:>6}: 0 0 0\n"));
            format!("{head}{}", lines.collect::<String>())
        };
        assert!(!has_bridge(&list(&["lo", "eth0", "wlan0", "virbr0", "wg0", "tun0"])));
        assert!(has_bridge(&list(&["lo", "docker0"])));
        assert!(has_bridge(&list(&["lo", "br-0123456789ab"])));
        assert!(has_bridge(&list(&["lo", "cali1234"])));
        assert!(!has_bridge(""));
    }
}
