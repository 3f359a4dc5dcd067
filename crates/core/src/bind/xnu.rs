//! When XNU, the kernel of macOS, lets a socket have an address: its bind rules as one pure
//! function, read from Apple's source and never measured on a Mac. Nothing here asks the kernel.
//!
//! They are those of `in_pcbbind` (bsd/netinet/in_pcb.c, lines 868 to 1384 in xnu-11417.101.15) and
//! `in6_pcbbind` (bsd/netinet6/in6_pcb.c, lines 188 to 609), over the tables of protocol control
//! blocks (PCBs) that `in_pcblookup_local` and `in6_pcblookup_local` search. What is unlike Linux:
//!
//! * whether a socket listens plays no part; whether it is connected does;
//! * without SO_REUSEADDR and SO_REUSEPORT every PCB that overlaps is in the way, whatever its
//!   state; with either of them only an unconnected one on the very same address is, and not even
//!   that if both have SO_REUSEPORT. So a specific address can be bound beside the wildcard, and
//!   takes its traffic;
//! * what another user has (or left: a TIME-WAIT keeps its user) is in the way whatever the
//!   options, unless both are wildcards;
//! * the dual-stack `::` looks at IPv4 too, but overlooks a socket of IPv4 on 0.0.0.0;
//! * wildcards may have ports below 1024 as any user, specific addresses as root alone;
//! * a restricted port is refused as if it were in use.
//!
//! Not told, as no table of sockets shows it: ports that user-space networking has reserved
//! (`netns_reserve_in`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{BindRequest, BindResult, Conflict, Occupant, Prediction, all_of, any_of};
use crate::addr::{Transport, unmap};
use crate::snapshot::Policy;

/// Whether an existing socket stops this bind, were it the only one there. A bind of port 0 is
/// stopped by none.
pub fn conflict(new: &BindRequest, old: &Occupant) -> Conflict {
    let port = new.address.port();
    if port == 0 || port != old.address.port() || new.transport != old.transport {
        return Conflict::No;
    }
    let stops = lookups(new).map(|lookup| {
        let foreign = fit(&lookup, old).map_or(Some(false), |_| of_another(new, &lookup, old));
        let own = found_by_options(new, &lookup, old);
        let own = own.map_or(Some(false), |_| of_anybody(new, &lookup, old));
        any_of([foreign, own])
    });
    let [first, second] = both(stops);
    word(any_of([first.unwrap_or(Some(false)), second.unwrap_or(Some(false))]))
}

/// Predicts the answer to a bind from everything that occupies its port. Of several that overlap
/// the kernel judges one alone, the best fit: an unconnected socket before a connected one, the
/// same address before another. Of equals it takes the first of its list, which is not known here.
/// Whether the address is this machine's is not predicted.
pub fn predict(
    new: &BindRequest,
    old: &[Occupant],
    policy: &Policy,
    may_bind_privileged: bool,
) -> Prediction {
    let (mut blockers, mut maybe) = (Vec::new(), Vec::new());
    for (index, occupant) in old.iter().enumerate() {
        match conflict(new, occupant) {
            Conflict::Yes => blockers.push(index),
            Conflict::Unknown => maybe.push(index),
            Conflict::No => {}
        }
    }
    let refused = |result| Prediction {
        result: Some(result),
        blockers: blockers.clone(),
        maybe: maybe.clone(),
    };
    if is_privileged(new, policy) && !may_bind_privileged {
        return refused(BindResult::Denied);
    }
    if new.v6only && is_mapped(new.address.ip()) {
        return refused(BindResult::NotLocal);
    }
    if is_restricted(new, policy) {
        return refused(BindResult::InUse);
    }
    let same_port = |occupant: &&Occupant| {
        occupant.address.port() == new.address.port() && occupant.transport == new.transport
    };
    let there: Vec<&Occupant> = old.iter().filter(same_port).collect();
    let stops = lookups(new).map(|lookup| {
        let foreign = judged(&there, |old| fit(&lookup, old));
        let own = judged(&there, |old| found_by_options(new, &lookup, old));
        let foreign = agreed(foreign.iter().map(|old| of_another(new, &lookup, old)));
        let own = agreed(own.iter().map(|old| of_anybody(new, &lookup, old)));
        any_of([foreign, own])
    });
    let [first, second] = both(stops);
    match any_of([first.unwrap_or(Some(false)), second.unwrap_or(Some(false))]) {
        _ if new.address.port() == 0 => {
            Prediction { result: Some(BindResult::Ok), blockers: Vec::new(), maybe: Vec::new() }
        }
        Some(true) => refused(BindResult::InUse),
        Some(false) => {
            Prediction { result: Some(BindResult::Ok), blockers: Vec::new(), maybe: Vec::new() }
        }
        None => {
            Prediction { result: None, blockers: Vec::new(), maybe: [blockers, maybe].concat() }
        }
    }
}

/// Whether this bind needs root: below the floor only specific addresses do (since macOS 10.14;
/// `IPPORT_RESERVED` in `in_pcbbind`).
pub fn is_privileged(new: &BindRequest, policy: &Policy) -> bool {
    (1..policy.unprivileged_start).contains(&new.address.port())
        && !unmap(new.address.ip()).is_unspecified()
}

/// Whether the system keeps this port for programs of its own and answers EADDRINUSE to all others,
/// root too (`current_task_can_use_restricted_in_port`, bsd/net/restricted_in_port.c). The one
/// port that macOS has there is of TCP.
pub fn is_restricted(new: &BindRequest, policy: &Policy) -> bool {
    new.transport == Transport::Tcp
        && policy.restricted.iter().any(|range| range.contains(&new.address.port()))
}

/// One search for a PCB that a bind makes.
struct Lookup {
    /// The address searched for; its family decides which PCBs count (`INP_IPV4`, `INP_IPV6`).
    address: IpAddr,
    /// The scope of a link-local address.
    scope: u32,
    /// Whether the new socket is of AF_INET6, whatever it searches for.
    of_v6: bool,
    /// Whether it is the search for IPv4 that a dual-stack `::` makes besides its own.
    beside: bool,
}

/// The searches of a bind: one, and for a dual-stack `::` a second for IPv4.
fn lookups(new: &BindRequest) -> impl Iterator<Item = Lookup> {
    let of_v6 = new.address.is_ipv6();
    let address = unmap(new.address.ip());
    let dual = address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !new.v6only;
    let own = Lookup { address, scope: scope(new.address), of_v6, beside: false };
    let second = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let beside = Lookup { address: second, scope: 0, of_v6, beside: true };
    std::iter::once(own).chain(dual.then_some(beside))
}

/// At most two results.
fn both<T>(mut all: impl Iterator<Item = T>) -> [Option<T>; 2] {
    [all.next(), all.next()]
}

/// How far a PCB is from what is searched for, wildcards allowed: 0 for an unconnected one on that
/// very address. `None` where it does not overlap, or is of the other family.
fn fit(lookup: &Lookup, old: &Occupant) -> Option<u8> {
    let theirs = address_in(lookup, old)?;
    if theirs != lookup.address && !theirs.is_unspecified() && !lookup.address.is_unspecified() {
        return None;
    }
    let scopes = (lookup.scope, scope(old.address));
    if theirs == lookup.address && scopes.0 != 0 && scopes.1 != 0 && scopes.0 != scopes.1 {
        return None;
    }
    Some(u8::from(old.connected) + u8::from(theirs != lookup.address))
}

/// The same for the search that the new socket's options ask for: with either of them only a
/// perfect fit counts (`wild` in `in_pcbbind`).
fn found_by_options(new: &BindRequest, lookup: &Lookup, old: &Occupant) -> Option<u8> {
    let wild = !new.reuse_addr && !new.reuse_port;
    fit(lookup, old).filter(|&distance| wild || distance == 0)
}

/// The local address that a PCB has in the family searched for; `None` where it has none there.
/// An unconnected `::` is in both families unless it is v6-only, which XNU's table always tells.
fn address_in(lookup: &Lookup, old: &Occupant) -> Option<IpAddr> {
    let theirs = unmap(old.address.ip());
    let dual = theirs == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        && !old.connected
        && !old.v6only.unwrap_or(false);
    match (lookup.address, theirs) {
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => Some(theirs),
        (IpAddr::V4(_), IpAddr::V6(_)) => dual.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// Whether a PCB that was found is in the way because it is another user's. Root is stopped by
/// nobody's, and a multicast address by none.
fn of_another(new: &BindRequest, lookup: &Lookup, old: &Occupant) -> Option<bool> {
    if new.uid == 0 || lookup.address.is_multicast() {
        return Some(false);
    }
    let foreign = old.uid.map(|uid| uid != new.uid);
    let any = address_in(lookup, old).is_some_and(|theirs| theirs.is_unspecified());
    let both_any = any && lookup.address.is_unspecified();
    let may_not = old.reuse_port.map(|shares| !shares);
    match (lookup.beside, lookup.address) {
        (true, _) => all_of([foreign, may_not, Some(!any || old.address.is_ipv6())]),
        (false, IpAddr::V4(_)) => all_of([foreign, Some(!both_any)]),
        (false, IpAddr::V6(_)) => all_of([foreign, any_of([Some(!both_any), may_not])]),
    }
}

/// Whether a PCB that was found is in the way whoever's it is.
fn of_anybody(new: &BindRequest, lookup: &Lookup, old: &Occupant) -> Option<bool> {
    let by_port = all_of([Some(new.reuse_port), old.reuse_port]);
    // For multicast SO_REUSEADDR counts as SO_REUSEPORT.
    let by_either = || all_of([Some(new.reuse_addr), any_of([old.reuse_addr, old.reuse_port])]);
    let shared = match lookup.address.is_multicast() {
        true => any_of([by_port, by_either()]),
        false => by_port,
    };
    let any = address_in(lookup, old).is_some_and(|theirs| theirs.is_unspecified());
    let overlooked = match (lookup.beside, lookup.address) {
        (true, _) => any && !old.address.is_ipv6(),
        // `::ffff:0.0.0.0` beside a dual-stack `::`.
        (false, IpAddr::V4(_)) => {
            any && lookup.address.is_unspecified() && lookup.of_v6 && old.address.is_ipv6()
        }
        (false, IpAddr::V6(_)) => false,
    };
    all_of([shared.map(|shared| !shared), Some(!overlooked)])
}

/// Those of the PCBs that the kernel may take for the best fit.
fn judged<'a>(
    there: &[&'a Occupant],
    distance: impl Fn(&Occupant) -> Option<u8>,
) -> Vec<&'a Occupant> {
    let best = there.iter().filter_map(|old| distance(old)).min();
    there.iter().copied().filter(|old| best.is_some() && distance(old) == best).collect()
}

/// What all of them say, if they agree; "no" where there are none.
fn agreed(mut all: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let Some(first) = all.next() else { return Some(false) };
    first.filter(|_| all.all(|other| other == first))
}

const fn word(stops: Option<bool>) -> Conflict {
    match stops {
        Some(true) => Conflict::Yes,
        Some(false) => Conflict::No,
        None => Conflict::Unknown,
    }
}

const fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::*;
    use crate::socket::TcpState;

    const PORT: u16 = 3000;
    const ME: u32 = 501;
    const YOU: u32 = 502;

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), PORT)
    }

    /// A bind in short: address, then `r` for SO_REUSEADDR, `p` for SO_REUSEPORT, `6` for
    /// IPV6_V6ONLY.
    fn bind(said: &str) -> BindRequest {
        let (ip, options) = said.split_once(' ').unwrap_or((said, ""));
        BindRequest {
            v6only: options.contains('6'),
            reuse_addr: options.contains('r'),
            reuse_port: options.contains('p'),
            ..BindRequest::plain(Transport::Tcp, at(ip), ME)
        }
    }

    /// A socket in the same short form, with `c` for connected and `u` for another user's.
    fn there(said: &str) -> Occupant {
        let new = bind(said);
        let options = said.split_once(' ').map_or("", |(_, options)| options);
        let connected = options.contains('c');
        Occupant {
            transport: Transport::Tcp,
            address: new.address,
            v6only: Some(new.v6only),
            state: Some(if connected { TcpState::TimeWait } else { TcpState::Listen }),
            connected,
            mini: false,
            reuse_addr: Some(new.reuse_addr),
            reuse_port: Some(new.reuse_port),
            uid: Some(if options.contains('u') { YOU } else { ME }),
            device: None,
        }
    }

    fn answer(new: &BindRequest, old: &[&str]) -> Option<BindResult> {
        let old: Vec<Occupant> = old.iter().map(|said| there(said)).collect();
        predict(new, &old, &Policy::default(), false).result
    }

    /// Every row: who is there, what is bound, the answer; the rule's place in the source
    /// (xnu-11417.101.15).
    #[test]
    fn the_table_of_one_against_one() {
        use BindResult::{InUse, Ok};
        let table = [
            // in_pcb.c l.891: `wild` where neither option is set; in_pcblookup_local, l.2095.
            ("0.0.0.0", "0.0.0.0", InUse),
            ("0.0.0.0", "127.0.0.1", InUse),
            ("127.0.0.1", "0.0.0.0", InUse),
            ("127.0.0.1", "127.0.0.1", InUse),
            ("127.0.0.1", "127.0.0.2", Ok),
            ("0.0.0.0 r", "127.0.0.1", InUse),
            // A connection or a TIME-WAIT overlaps like a listener.
            ("127.0.0.1 rc", "127.0.0.1", InUse),
            ("127.0.0.1 rc", "0.0.0.0", InUse),
            ("10.0.0.1 c", "127.0.0.1", Ok),
            // With SO_REUSEADDR only an unconnected PCB on the same address counts (l.2070).
            ("0.0.0.0", "127.0.0.1 r", Ok),
            ("127.0.0.1", "0.0.0.0 r", Ok),
            ("0.0.0.0", "0.0.0.0 r", InUse),
            ("127.0.0.1 r", "127.0.0.1 r", InUse),
            ("127.0.0.1 c", "127.0.0.1 r", Ok),
            ("0.0.0.0 c", "0.0.0.0 r", Ok),
            // SO_REUSEPORT on both (l.1180: `reuseport & t->inp_socket->so_options`).
            ("0.0.0.0 p", "0.0.0.0 p", Ok),
            ("0.0.0.0", "0.0.0.0 p", InUse),
            ("0.0.0.0 p", "0.0.0.0 r", InUse),
            ("0.0.0.0 p", "0.0.0.0", InUse),
            // Families: in6_pcb.c l.446 and its second search at l.462.
            ("::", "::", InUse),
            ("::", "0.0.0.0", InUse),
            ("::", "127.0.0.1", InUse),
            ("::", "::1", InUse),
            (":: 6", "0.0.0.0", Ok),
            (":: 6", ":: 6", InUse),
            ("0.0.0.0", ":: 6", Ok),
            ("0.0.0.0", "::", Ok), // `t->inp_laddr != ANY || SOCK_DOM(so) == SOCK_DOM(t)`
            ("127.0.0.1", "::", InUse),
            ("127.0.0.1", ":: r", Ok),
            ("::", ":: r", InUse),
            ("::", "::1 r", Ok),
            ("::1", ":: r", Ok),
            ("::1", "127.0.0.1", Ok),
            ("::", "127.0.0.1 r", Ok),
            ("::", "0.0.0.0 r", InUse),
            // A v4-mapped address is bound as IPv4 (tcp6_usr_bind), by a socket of AF_INET6: l.1185.
            ("127.0.0.1", "::ffff:127.0.0.1", InUse),
            ("::", "::ffff:0.0.0.0", Ok),
            ("0.0.0.0", "::ffff:0.0.0.0", InUse),
        ];
        for (old, new, want) in table {
            assert_eq!(answer(&bind(new), &[old]), Some(want), "{old} is there, {new} is bound");
            let pair = if want == Ok { Conflict::No } else { Conflict::Yes };
            assert_eq!(conflict(&bind(new), &there(old)), pair, "{old} is there, {new} is bound");
        }
    }

    /// in_pcb.c l.1142 to 1155, in6_pcb.c l.398 to 428.
    #[test]
    fn what_another_user_has_is_in_the_way_whatever_the_options() {
        use BindResult::{InUse, Ok};
        let table = [
            ("0.0.0.0 u", "127.0.0.1 r", InUse),
            ("127.0.0.1 u", "0.0.0.0 r", InUse),
            ("127.0.0.1 ruc", "127.0.0.1 r", InUse), // a TIME-WAIT of theirs
            ("127.0.0.1 ruc", "0.0.0.0 r", InUse),
            ("127.0.0.1 pu", "127.0.0.1 p", InUse),
            ("0.0.0.0 pu", "0.0.0.0 p", Ok),   // both wildcards
            ("0.0.0.0 u", "0.0.0.0 p", InUse), // by the other rule
            (":: pu", ":: p", Ok),
            (":: u", "::1 r", InUse),
            ("::1 uc", ":: r", InUse),
            ("127.0.0.1 uc", ":: r", InUse), // the second search
            ("127.0.0.1 puc", ":: r", Ok),
            ("0.0.0.0 u", "::", Ok),
        ];
        for (old, new, want) in table {
            assert_eq!(answer(&bind(new), &[old]), Some(want), "{old} is there, {new} is bound");
            // Root is stopped by the other rule alone.
            let root = BindRequest { uid: 0, ..bind(new) };
            let mine = old.replace('u', "");
            assert_eq!(answer(&root, &[old]), answer(&root, &[&mine]), "{old}, {new} by root");
        }
        // Whose it is may be unknown: then so is the answer.
        let old = Occupant { uid: None, ..there("127.0.0.1 rc") };
        assert_eq!(conflict(&bind("127.0.0.1 r"), &old), Conflict::Unknown);
        assert_eq!(predict(&bind("127.0.0.1 r"), &[old], &Policy::default(), false).result, None);
        assert_eq!(conflict(&bind("127.0.0.1"), &old), Conflict::Yes);
    }

    /// in_pcblookup_local keeps the best fit (`matchwild`, l.2118) and in_pcbbind judges no other.
    #[test]
    fn of_several_only_the_best_fit_is_judged() {
        // 0.0.0.0 fits the second search best, and is overlooked; so is 127.0.0.1 behind it.
        assert_eq!(answer(&bind("::"), &["127.0.0.1"]), Some(BindResult::InUse));
        assert_eq!(answer(&bind("::"), &["127.0.0.1", "0.0.0.0"]), Some(BindResult::Ok));
        // One of mine in front hides one of theirs.
        let rows = ["0.0.0.0", "127.0.0.1 uc"];
        assert_eq!(answer(&bind("0.0.0.0 r"), &rows), Some(BindResult::InUse), "by my own");
        let rows = ["127.0.0.1 rpc", "127.0.0.1 rpuc"];
        assert_eq!(answer(&bind("127.0.0.1 r"), &rows), None, "which comes first is not known");
    }

    /// in_pcb.c l.1121 (`IPPORT_RESERVED`) and l.1136 (restricted_in_port.c).
    #[test]
    fn low_ports_and_restricted_ones() {
        let policy = Policy { restricted: vec![55555..=55555], ..Policy::default() };
        let to = |ip: &str, port, transport| {
            BindRequest::plain(transport, SocketAddr::new(ip.parse().unwrap(), port), ME)
        };
        let result = |new: BindRequest, may| predict(&new, &[], &policy, may).result;
        for (ip, want) in [
            ("0.0.0.0", BindResult::Ok),
            ("::", BindResult::Ok),
            ("127.0.0.1", BindResult::Denied),
            ("::1", BindResult::Denied),
        ] {
            assert_eq!(result(to(ip, 80, Transport::Tcp), false), Some(want), "{ip}");
            assert_eq!(result(to(ip, 80, Transport::Tcp), true), Some(BindResult::Ok), "{ip}");
        }
        for may in [false, true] {
            let new = to("0.0.0.0", 55555, Transport::Tcp);
            assert_eq!(result(new, may), Some(BindResult::InUse));
        }
        assert_eq!(result(to("0.0.0.0", 55555, Transport::Udp), false), Some(BindResult::Ok));
        assert_eq!(answer(&bind("::ffff:127.0.0.1 6"), &[]), Some(BindResult::NotLocal));
    }

    #[test]
    fn other_ports_transports_scopes_and_multicast() {
        let old = there("0.0.0.0");
        let next = SocketAddr::new(old.address.ip(), PORT + 1);
        assert_eq!(conflict(&bind("0.0.0.0"), &Occupant { address: next, ..old }), Conflict::No);
        let udp = Occupant { transport: Transport::Udp, state: None, ..old };
        assert_eq!(conflict(&bind("0.0.0.0"), &udp), Conflict::No);
        let zero = BindRequest { address: SocketAddr::new(old.address.ip(), 0), ..bind("0.0.0.0") };
        assert_eq!(answer(&zero, &["0.0.0.0"]), Some(BindResult::Ok));
        let scoped = |scope| format!("[fe80::1%{scope}]:{PORT}").parse::<SocketAddr>().unwrap();
        let new = BindRequest { address: scoped(4), ..bind("::") };
        let there_on = |scope| Occupant { address: scoped(scope), ..there("::1") };
        assert_eq!(conflict(&new, &there_on(4)), Conflict::Yes);
        assert_eq!(conflict(&new, &there_on(5)), Conflict::No);
        // in_pcb.c l.1068: for multicast SO_REUSEADDR counts as SO_REUSEPORT.
        assert_eq!(answer(&bind("224.0.0.251 r"), &["224.0.0.251 r"]), Some(BindResult::Ok));
        assert_eq!(answer(&bind("224.0.0.251 r"), &["224.0.0.251"]), Some(BindResult::InUse));
        assert_eq!(answer(&bind("224.0.0.251 ru"), &["224.0.0.251 ru"]), Some(BindResult::Ok));
    }

    /// in_pcblookup_hash: the same address, then 0.0.0.0 of an AF_INET socket, then a dual-stack `::`.
    #[test]
    fn who_shadows_whom() {
        let all: Vec<Occupant> = ["::", "0.0.0.0", "127.0.0.1"].map(there).to_vec();
        let to = |ip: &str| Rules::Xnu.answers(&all, ip.parse().unwrap());
        assert_eq!(to("127.0.0.1"), [2]);
        assert_eq!(to("192.0.2.1"), [1]);
        assert_eq!(to("::1"), [0]);
    }

    /// What `sight` builds on: where both wildcards can be bound plainly, so can every address.
    #[test]
    fn two_wildcards_meet_everything_that_any_plain_bind_meets() {
        let olds = [
            "0.0.0.0",
            "127.0.0.1",
            "10.0.0.1",
            "::",
            ":: 6",
            "::1",
            "127.0.0.1 c",
            "::1 c",
            "::ffff:127.0.0.1 c",
        ];
        for old in olds.iter().flat_map(|old| {
            ["", "r", "p", "rp", "u", "ru", "pu"].map(|o| match old.contains(' ') {
                true => format!("{old}{o}"),
                false => format!("{old} {o}"),
            })
        }) {
            let free = |ip: &str| answer(&bind(ip), &[&old]) == Some(BindResult::Ok);
            if free("::") && free("0.0.0.0") {
                for ip in ["127.0.0.1", "::1", "10.0.0.1"] {
                    assert!(free(ip), "{old} is there, {ip} is bound");
                }
            }
        }
        assert!(answer(&bind("::"), &["0.0.0.0"]) == Some(BindResult::Ok), "one is not enough");
    }
}
