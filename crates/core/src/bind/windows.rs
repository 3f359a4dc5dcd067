//! When Windows lets a socket have an address: Microsoft's two tables as one pure function. Windows
//! is asked by nobody here, and no Windows has answered: "Using SO_REUSEADDR and
//! SO_EXCLUSIVEADDRUSE" (Windows Sockets 2, Windows Server 2003 and later) is the only source, with
//! what it says of connections that are over.
//!
//! What is unlike Unix: a wildcard and a specific address go together without any option; a bind with
//! SO_REUSEADDR takes over the address of another that has it, so that two servers "work"; the answer
//! may be WSAEACCES (10013) where somebody merely holds the port; and what ended connections leave
//! stops nobody but who asks for exclusive use.

use std::net::{IpAddr, SocketAddr};

use super::{BindRequest, BindResult, Conflict, Occupant, Prediction};
use crate::addr::unmap;
use crate::socket::TcpState;

/// The way a socket asks for its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Without an option.
    Default,
    /// SO_REUSEADDR.
    Reuse,
    /// SO_EXCLUSIVEADDRUSE.
    Exclusive,
}

/// Whether an address is a wildcard or a specific one; of two specific ones only the same meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every address of the family.
    Wildcard,
    /// One address.
    Specific,
}

/// The answer to a second bind of a port, whose address meets the first's: the two tables.
pub const fn second_bind(
    first: (Manner, Reach),
    second: (Manner, Reach),
    same_user: bool,
) -> BindResult {
    use BindResult::{Denied, InUse, Ok};
    use Manner::{Default, Exclusive, Reuse};
    use Reach::{Specific, Wildcard};
    if !same_user {
        // The second table has these cells otherwise, and no others.
        match (first, second) {
            ((Default, Wildcard), (_, Specific))
            | ((Reuse, Wildcard), (Default | Exclusive, Specific)) => return Denied,
            _ => {}
        }
    }
    match (first, second) {
        ((Default, Wildcard), (Default | Exclusive, Wildcard)) => InUse,
        ((Default, Wildcard), (Reuse, Wildcard)) => Denied,
        ((Default, Wildcard), (_, Specific)) => Ok,

        ((Default, Specific), (Default, Wildcard) | (Reuse, Wildcard)) => Ok,
        ((Default, Specific), (Default, Specific) | (Exclusive, _)) => InUse,
        ((Default, Specific), (Reuse, Specific)) => Denied,

        ((Reuse, Wildcard), (Default | Exclusive, Wildcard)) => InUse,
        ((Reuse, Wildcard), (Reuse, Wildcard) | (_, Specific)) => Ok,

        ((Reuse, Specific), (Default | Reuse, Wildcard) | (Reuse, Specific)) => Ok,
        ((Reuse, Specific), (Default, Specific) | (Exclusive, _)) => InUse,

        ((Exclusive, Wildcard), (Default | Exclusive, Wildcard)) => InUse,
        ((Exclusive, Wildcard), (Reuse, Wildcard) | (_, Specific)) => Denied,

        ((Exclusive, Specific), (Default | Reuse, Wildcard)) => Ok,
        ((Exclusive, Specific), (Default, Specific) | (Exclusive, _)) => InUse,
        ((Exclusive, Specific), (Reuse, Specific)) => Denied,
    }
}

/// Whether an existing socket stops this bind. What Windows does not tell of a socket (its options,
/// mostly its user) is taken both ways; where that decides, the answer is [`Conflict::Unknown`].
pub fn conflict(new: &BindRequest, old: &Occupant) -> Conflict {
    let answers = possible_answers(new, old);
    let refused = answers.iter().filter(|answer| **answer != BindResult::Ok).count();
    match refused {
        0 => Conflict::No,
        all if all == answers.len() => Conflict::Yes,
        _ => Conflict::Unknown,
    }
}

/// Predicts the answer to a bind from everything that occupies its port. There are no privileged
/// ports on Windows; that a range is excluded is known only where it was asked.
pub fn predict(new: &BindRequest, old: &[Occupant]) -> Prediction {
    let (mut blockers, mut maybe) = (Vec::new(), Vec::new());
    let mut result = BindResult::Ok;
    let mut settled = true;
    for (index, occupant) in old.iter().enumerate() {
        match conflict(new, occupant) {
            Conflict::No => {}
            Conflict::Unknown => maybe.push(index),
            Conflict::Yes => {
                blockers.push(index);
                let answers = possible_answers(new, occupant);
                settled &= answers.iter().all(|answer| *answer == answers[0]);
                // Which of two refusals comes first is not documented; that it is refused is.
                if result == BindResult::Ok {
                    result = answers[0];
                }
            }
        }
    }
    let known = match blockers.is_empty() {
        true => maybe.is_empty(),
        false => settled,
    };
    let some = if blockers.is_empty() { BindResult::Ok } else { result };
    // That it fails is certain, by which number is not: the more common one.
    let result = match (known, blockers.is_empty()) {
        (true, _) => Some(some),
        (false, false) => Some(BindResult::InUse),
        (false, true) => None,
    };
    Prediction { result, blockers, maybe }
}

/// Every answer that the documentation allows, given what is unknown. Empty for sockets that do not
/// meet.
fn possible_answers(new: &BindRequest, old: &Occupant) -> Vec<BindResult> {
    let port = new.address.port();
    if port == 0 || port != old.address.port() || new.transport != old.transport {
        return Vec::new();
    }
    let meetings = meetings(new, old);
    if meetings.is_empty() {
        return Vec::new();
    }
    let manner = if new.reuse_addr { Manner::Reuse } else { Manner::Default };
    if let Some(answers) = of_connection(old) {
        return answers.to_vec();
    }
    let manners: &[Manner] = match old.reuse_addr {
        Some(true) => &[Manner::Reuse],
        Some(false) => &[Manner::Default, Manner::Exclusive],
        None => &[Manner::Default, Manner::Reuse, Manner::Exclusive],
    };
    let same: &[bool] = match old.uid.map(|uid| uid == new.uid) {
        Some(true) => &[true],
        Some(false) => &[false],
        None => &[true, false],
    };
    let mut answers = Vec::new();
    for meeting in &meetings {
        for first in manners {
            for same in same {
                answers.push(match meeting {
                    None => BindResult::Ok,
                    Some((old, new)) => second_bind((*first, *old), (manner, *new), *same),
                });
            }
        }
    }
    answers
}

/// What a connection does to a bind without exclusive use: what is over does nothing; one that came
/// in has its listener's address and does nothing either; one that went out has drawn the port, which
/// then is its own. Which it is, its row does not tell.
fn of_connection(old: &Occupant) -> Option<&'static [BindResult]> {
    match old.state {
        Some(
            TcpState::TimeWait
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::Closing
            | TcpState::LastAck,
        ) => Some(&[BindResult::Ok]),
        Some(state) if state.is_connection() => Some(&[BindResult::Ok, BindResult::InUse]),
        _ => None,
    }
}

/// How the two addresses meet, in each way that an unknown IPV6_V6ONLY leaves open: `None` for not
/// at all. A dual-stack wildcard is one in both families.
fn meetings(new: &BindRequest, old: &Occupant) -> Vec<Option<(Reach, Reach)>> {
    let ways: Vec<bool> = match (old.address, old.v6only) {
        (SocketAddr::V6(v6), None) if v6.ip().is_unspecified() => vec![true, false],
        (_, known) => vec![known.unwrap_or(true)],
    };
    let meetings: Vec<_> = ways
        .into_iter()
        .map(|v6only| {
            let (old_ip, new_ip) = (unmap(old.address.ip()), unmap(new.address.ip()));
            meets((old_ip, v6only), (new_ip, new.v6only)).then(|| (reach(old_ip), reach(new_ip)))
        })
        .collect();
    match meetings.iter().all(Option::is_none) {
        true => Vec::new(),
        false => meetings,
    }
}

const fn reach(ip: IpAddr) -> Reach {
    if ip.is_unspecified() { Reach::Wildcard } else { Reach::Specific }
}

fn meets((a, a_v6only): (IpAddr, bool), (b, b_v6only): (IpAddr, bool)) -> bool {
    let dual = |ip: IpAddr, v6only: bool| ip.is_ipv6() && ip.is_unspecified() && !v6only;
    match (a, b) {
        (IpAddr::V4(_), IpAddr::V6(_)) => dual(b, b_v6only),
        (IpAddr::V6(_), IpAddr::V4(_)) => dual(a, a_v6only),
        _ => a == b || a.is_unspecified() || b.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Transport;

    /// "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE": rows are the first bind, columns the second.
    const SAME_USER: &str = "
                 default-W default-S reuse-W reuse-S exclusive-W exclusive-S
    default-W    INUSE     ok        ACC     ok      INUSE       ok
    default-S    ok        INUSE     ok      ACC     INUSE       INUSE
    reuse-W      INUSE     ok        ok      ok      INUSE       ok
    reuse-S      ok        INUSE     ok      ok      INUSE       INUSE
    exclusive-W  INUSE     ACC       ACC     ACC     INUSE       ACC
    exclusive-S  ok        INUSE     ok      ACC     INUSE       INUSE";

    /// The same page, second table: different user accounts.
    const ANOTHER_USER: &str = "
                 default-W default-S reuse-W reuse-S exclusive-W exclusive-S
    default-W    INUSE     ACC       ACC     ACC     INUSE       ACC
    default-S    ok        INUSE     ok      ACC     INUSE       INUSE
    reuse-W      INUSE     ACC       ok      ok      INUSE       ACC
    reuse-S      ok        INUSE     ok      ok      INUSE       INUSE
    exclusive-W  INUSE     ACC       ACC     ACC     INUSE       ACC
    exclusive-S  ok        INUSE     ok      ACC     INUSE       INUSE";

    fn parse(label: &str) -> (Manner, Reach) {
        let (manner, reach) = label.split_once('-').unwrap();
        let manner = match manner {
            "default" => Manner::Default,
            "reuse" => Manner::Reuse,
            "exclusive" => Manner::Exclusive,
            other => panic!("{other}"),
        };
        (manner, if reach == "W" { Reach::Wildcard } else { Reach::Specific })
    }

    #[test]
    fn both_tables_of_the_documentation() {
        for (table, same_user) in [(SAME_USER, true), (ANOTHER_USER, false)] {
            let mut lines = table.lines().filter(|line| !line.trim().is_empty());
            let columns: Vec<_> = lines.next().unwrap().split_whitespace().map(parse).collect();
            let mut cells = 0;
            for line in lines {
                let mut words = line.split_whitespace();
                let first = parse(words.next().unwrap());
                for (second, want) in columns.iter().zip(words) {
                    let want = match want {
                        "ok" => BindResult::Ok,
                        "INUSE" => BindResult::InUse,
                        "ACC" => BindResult::Denied,
                        other => panic!("{other}"),
                    };
                    let answer = second_bind(first, *second, same_user);
                    assert_eq!(answer, want, "{first:?} then {second:?}, same user: {same_user}");
                    cells += 1;
                }
            }
            assert_eq!(cells, 36);
        }
    }

    fn old(address: &str, state: Option<TcpState>, reuse_addr: Option<bool>) -> Occupant {
        Occupant {
            transport: if state.is_some() { Transport::Tcp } else { Transport::Udp },
            address: address.parse().unwrap(),
            v6only: None,
            state,
            connected: state.is_some_and(TcpState::is_connection),
            mini: false,
            reuse_addr,
            reuse_port: None,
            uid: Some(1001),
            device: None,
        }
    }

    fn new(address: &str, reuse_addr: bool) -> BindRequest {
        let plain = BindRequest::plain(Transport::Tcp, address.parse().unwrap(), 1001);
        BindRequest { reuse_addr, ..plain }
    }

    #[test]
    fn what_is_not_known_is_taken_both_ways() {
        let listens = Some(TcpState::Listen);
        for (request, holder, want) in [
            // Whatever the holder's option, the same address without one is refused.
            (new("127.0.0.1:80", false), old("127.0.0.1:80", listens, None), Conflict::Yes),
            (new("0.0.0.0:80", false), old("0.0.0.0:80", listens, None), Conflict::Yes),
            // Beside a wildcard a specific one is refused only if that is exclusive.
            (new("127.0.0.1:80", false), old("0.0.0.0:80", listens, None), Conflict::Unknown),
            (new("127.0.0.1:80", false), old("0.0.0.0:80", listens, Some(true)), Conflict::No),
            (new("0.0.0.0:80", false), old("127.0.0.1:80", listens, None), Conflict::No),
            // SO_REUSEADDR takes it over from one who has it too, and from nobody else.
            (new("0.0.0.0:80", true), old("0.0.0.0:80", listens, Some(true)), Conflict::No),
            (new("0.0.0.0:80", true), old("0.0.0.0:80", listens, Some(false)), Conflict::Yes),
            // Different specific addresses never meet, nor do the families, nor ports.
            (new("127.0.0.1:80", false), old("10.0.0.7:80", listens, None), Conflict::No),
            (new("127.0.0.1:80", false), old("[::1]:80", listens, None), Conflict::No),
            (new("127.0.0.1:81", false), old("127.0.0.1:80", listens, None), Conflict::No),
            // A dual-stack wildcard checks both stacks; whether `::` is one, the table may not say.
            (new("[::]:80", false), old("0.0.0.0:80", listens, None), Conflict::Yes),
            (new("0.0.0.0:80", false), old("[::]:80", listens, None), Conflict::Unknown),
            (new("[::]:80", false), old("127.0.0.1:80", listens, None), Conflict::No),
        ] {
            assert_eq!(conflict(&request, &holder), want, "{request:?} {holder:?}");
        }
    }

    #[test]
    fn what_ended_connections_leave_stops_no_ordinary_bind() {
        for state in [TcpState::TimeWait, TcpState::FinWait2, TcpState::LastAck] {
            let remains = old("127.0.0.1:80", Some(state), None);
            for reuse in [false, true] {
                assert_eq!(
                    conflict(&new("0.0.0.0:80", reuse), &remains),
                    Conflict::No,
                    "{state:?}"
                );
                assert_eq!(conflict(&new("127.0.0.1:80", reuse), &remains), Conflict::No);
            }
        }
        let open = old("127.0.0.1:80", Some(TcpState::Established), None);
        assert_eq!(conflict(&new("127.0.0.1:80", false), &open), Conflict::Unknown);
    }

    #[test]
    fn predictions_name_who_is_in_the_way() {
        let listens = Some(TcpState::Listen);
        let holders = [old("127.0.0.1:80", listens, None), old("[::1]:80", listens, None)];
        let prediction = predict(&new("127.0.0.1:80", false), &holders);
        assert_eq!((prediction.result, prediction.blockers), (Some(BindResult::InUse), vec![0]));
        let prediction = predict(&new("0.0.0.0:80", false), &holders);
        assert_eq!(prediction.result, Some(BindResult::Ok));
        // 10048 of a default holder, 10013 of an exclusive one: refused either way.
        let wild = [old("0.0.0.0:80", listens, Some(false))];
        assert_eq!(predict(&new("0.0.0.0:80", true), &wild).result, Some(BindResult::Denied));
        let unknown = [old("0.0.0.0:80", listens, None)];
        assert_eq!(predict(&new("127.0.0.1:80", false), &unknown).result, None);
    }
}
