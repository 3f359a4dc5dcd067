//! What is so about ports: the kernel's answers to a few binds first, then, where it refuses,
//! who is there. Many ports cost one scan. And what is so about processes before an act.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::addr::{AddressScope, Endpoint, ORDINARY_ADDRESSES, Port, Transport};
use crate::bind::{Attempt, BindResult};
use crate::diagnosis::{Cause, CauseKind, Diagnosis, diagnose, is_unexplained};
use crate::engine;
use crate::host::{Host, Watch};
use crate::learn::{self, Learn, learn};
use crate::snapshot::{Scope, Snapshot, SocketScope, States, Sweep};
use crate::socket::TcpState;
use crate::windows;

/// How to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookOptions {
    /// Ask for sockets of every state, whatever it costs.
    pub every_state: bool,
    /// Look into every network namespace.
    pub all_namespaces: bool,
    /// Show values of arguments that look like secrets.
    pub show_secrets: bool,
    /// Include the facts of the holders' ancestors.
    pub ancestors: bool,
    /// Also find what a person decides by before an act, whatever it costs: how many clients are
    /// connected, and the holders' other ports.
    pub before_acting: bool,
    /// What to ask beyond sockets and processes.
    pub learn: Learn,
    /// Also find what tells whether a holder is the asker's own ([`crate::origin::is_mine`]): the
    /// environments and directories of all above the asker.
    pub mine: bool,
}

/// One endpoint's answer with the facts behind it.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What is so, and why.
    pub diagnosis: Diagnosis,
    /// Everything seen, for all endpoints of the call together; of the containers that one process
    /// carries several of these ports for, those that have this one.
    pub snapshot: Arc<Snapshot>,
}

/// Looks at ports: probes each once, and only where a bind is refused asks who is there. A
/// refusal that nothing explains is looked at again, and only that: mostly somebody let go
/// between the probes and the look, or another `proc` was probing at that very moment. So is a bound
/// socket whose holder was not found, until it is seen twice: such a probe's is gone by then.
///
/// A probe's socket lives for microseconds, but a program that forks in that time hands its child
/// a copy until the child's exec: do not spawn and look at once.
pub fn look_at_ports(host: &dyn Host, endpoints: &[Endpoint], options: &LookOptions) -> Vec<Sight> {
    const MOST_AGAIN: u32 = 3;
    let mut sights = look_once(host, endpoints, options);
    let mut met: HashSet<u64> = HashSet::new();
    for _ in 0..MOST_AGAIN {
        let puzzling = |sight: &Sight| {
            let unexplained = CauseKind::Unexplained;
            sight.diagnosis.causes.iter().any(|cause| cause.kind == unexplained)
                || bound_by_nobody_seen(sight).any(|cookie| !met.contains(&cookie))
        };
        let places: Vec<usize> =
            (0..sights.len()).filter(|&place| puzzling(&sights[place])).collect();
        let Some(&first) = places.first() else { break };
        met.extend(places.iter().flat_map(|&place| bound_by_nobody_seen(&sights[place])));
        // Two that collided wait for different times.
        let pid = u64::from(sights[first].snapshot.asker.pid);
        host.wait(&[], &mut Watch::silent(), Duration::from_millis(1 + pid % 4));
        let again: Vec<Endpoint> =
            places.iter().map(|&place| sights[place].diagnosis.endpoint).collect();
        for (place, sight) in places.into_iter().zip(look_once(host, &again, options)) {
            sights[place] = sight;
        }
    }
    sights
}

/// Sockets in the way that are bound and no more, and whose holder was not found.
fn bound_by_nobody_seen(sight: &Sight) -> impl Iterator<Item = u64> + '_ {
    let hidden = |cause: &&Cause| cause.kind == CauseKind::HiddenHolder;
    let places = sight.diagnosis.causes.iter().filter(hidden).flat_map(|cause| &cause.sockets);
    let sockets = places.filter_map(|&place| sight.snapshot.sockets.get(place));
    sockets
        .filter(|socket| socket.state == Some(TcpState::Bound))
        .filter_map(|socket| socket.cookie)
}

/// Looks at processes before they are acted on: every process of the machine, the sockets of these,
/// and who runs them.
pub fn look_at_processes(host: &dyn Host, pids: &[u32], options: &LookOptions) -> Snapshot {
    let scope = Scope {
        sockets: SocketScope::HeldBy(pids.to_vec()),
        holders: true,
        pids: pids.to_vec(),
        all_processes: true,
        ..Scope::default()
    };
    let mut snapshot = host.snapshot(&scope);
    learn(host, &mut snapshot, pids, &[], options);
    snapshot
}

fn look_once(host: &dyn Host, endpoints: &[Endpoint], options: &LookOptions) -> Vec<Sight> {
    let attempts = Prober::new(host).probe_all(endpoints);
    let settled = attempts.iter().flatten().all(|attempt| attempt.plain == BindResult::Ok);
    let mut scope = Scope {
        sockets: SocketScope::Ports(endpoints.to_vec()),
        holders: true,
        states: match options.every_state || options.before_acting {
            true => States::All,
            false => States::AllIfCheap,
        },
        namespaces: if options.all_namespaces { Sweep::All } else { Sweep::None },
        options: true,
        // Whoever runs a holder is judged by what else it runs.
        all_processes: options.before_acting && !settled,
        ..Scope::default()
    };
    if settled && !options.every_state {
        // Every bind succeeded: nothing of this namespace is in the way, and only another one
        // can have anything to tell.
        scope.states = States::Servers;
        if scope.namespaces == Sweep::None && endpoints.len() == 1 {
            scope.namespaces = Sweep::Cheap;
        }
    }
    // Who asks why is told the machine's rules about a free port too.
    scope.holders = !settled || options.every_state || options.ancestors;
    scope.elsewhere_only = !scope.holders;
    let mut snapshot = host.snapshot(&scope);
    if !scope.holders && !snapshot.sockets.is_empty() {
        snapshot = host.snapshot(&Scope { holders: true, ..scope.clone() });
    }
    let puzzle = endpoints
        .iter()
        .zip(&attempts)
        .any(|(endpoint, attempts)| is_unexplained(endpoint, attempts, &snapshot));
    if puzzle && !snapshot.every_state {
        snapshot = host.snapshot(&Scope { states: States::All, ..scope });
    }
    let not_local = attempts.iter().flatten().any(|attempt| attempt.plain == BindResult::NotLocal);
    if not_local {
        snapshot.local_addresses = host.local_addresses();
    }
    let ports: Vec<u16> = endpoints.iter().map(|endpoint| endpoint.port.get()).collect();
    let holders = learn::holders(&snapshot);
    learn(host, &mut snapshot, &holders, &ports, options);
    if options.learn != Learn::Nothing {
        windows::learn_refusals(host, &mut snapshot, attempts.iter().flatten(), puzzle);
    }
    let snapshot = Arc::new(snapshot);
    endpoints
        .iter()
        .zip(attempts)
        .map(|(endpoint, attempts)| {
            let own = engine::concerning(endpoint, &snapshot).map(Arc::new);
            let snapshot = own.unwrap_or_else(|| snapshot.clone());
            Sight { diagnosis: diagnose(endpoint, &attempts, &snapshot), snapshot }
        })
        .collect()
}

/// The kernel's answers to the ordinary binds of each endpoint: one round of probes.
pub(crate) fn probe(host: &dyn Host, endpoints: &[Endpoint]) -> Vec<Vec<Attempt>> {
    Prober::new(host).probe_all(endpoints)
}

/// The first port that anybody may bind on a specific address where rights differ from those of
/// a wildcard (IPPORT_RESERVED of macOS; no setting moves it).
const FLOOR: u16 = 1024;

/// Probes endpoints with as few binds as prove the whole table. On Linux a plain bind of the dual-stack
/// wildcard meets every socket that any ordinary bind would meet, so where it succeeds the rest
/// is known (a test holds the measured matrix to that); on macOS it takes both wildcards.
struct Prober<'a> {
    host: &'a dyn Host,
    /// Addresses found not to be bindable at all here, whatever the port.
    unavailable: HashMap<IpAddr, BindResult>,
}

impl<'a> Prober<'a> {
    fn new(host: &'a dyn Host) -> Self {
        Self { host, unavailable: HashMap::new() }
    }

    fn probe_all(mut self, endpoints: &[Endpoint]) -> Vec<Vec<Attempt>> {
        endpoints.iter().map(|endpoint| self.probe(endpoint)).collect()
    }

    fn probe(&mut self, endpoint: &Endpoint) -> Vec<Attempt> {
        let mut all = Vec::new();
        let settles = self.host.rules().rights_are_alike() || endpoint.port.get() >= FLOOR;
        for &transport in endpoint.transports() {
            let addresses = table_addresses(endpoint);
            match settles && self.probe_wildcards(transport, endpoint.port) {
                true => {
                    for address in addresses {
                        let result = self.availability(address);
                        all.push(Attempt {
                            transport,
                            address: SocketAddr::new(address, endpoint.port.get()),
                            plain: result,
                            reuse_addr: result,
                        });
                    }
                }
                false => {
                    let probe =
                        |address| self.host.attempt(transport, bind_address(address, endpoint));
                    all.extend(addresses.into_iter().map(probe));
                }
            }
        }
        all
    }

    /// Whether every wildcard that tells about all other addresses can be bound.
    fn probe_wildcards(&self, transport: Transport, port: Port) -> bool {
        let wildcards = self.host.rules().telling_wildcards();
        !wildcards.is_empty()
            && wildcards.iter().all(|&wildcard| {
                self.host.probe(transport, SocketAddr::new(wildcard, port.get())) == BindResult::Ok
            })
    }

    /// Whether an address can be bound at all: port 0 asks without taking any port that somebody
    /// may want. The wildcards always can once one of them was; an address is local or not for
    /// every transport alike.
    fn availability(&mut self, address: IpAddr) -> BindResult {
        if address.is_unspecified() {
            return BindResult::Ok;
        }
        let host = self.host;
        *self
            .unavailable
            .entry(address)
            .or_insert_with(|| host.probe(Transport::Tcp, SocketAddr::new(address, 0)))
    }
}

/// The rows of the bind table: the ordinary four, and the address asked for.
fn table_addresses(endpoint: &Endpoint) -> Vec<IpAddr> {
    match endpoint.address {
        AddressScope::One(address, _) => vec![address],
        AddressScope::Every => ORDINARY_ADDRESSES.to_vec(),
        AddressScope::Localhost => endpoint.addresses(),
    }
}

/// The address to bind, with the scope id that a link-local one needs.
fn bind_address(address: IpAddr, endpoint: &Endpoint) -> SocketAddr {
    match (address, endpoint.address) {
        (IpAddr::V6(v6), AddressScope::One(_, scope)) => {
            std::net::SocketAddrV6::new(v6, endpoint.port.get(), 0, scope).into()
        }
        _ => SocketAddr::new(address, endpoint.port.get()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::SystemTime;

    use super::*;
    use crate::diagnosis::Verdict;
    use crate::host::{Pinned, Woken};
    use crate::socket::{Holders, LocalAddress, Protocol, Socket};

    /// A machine where a bound socket is in the way of the first so many looks, whose holder nobody
    /// finds: each time another one, as probes of another `proc` are, or always the same.
    struct Probed {
        passes_after: u32,
        same: bool,
        looks: Cell<u32>,
    }

    impl Probed {
        fn is_held(&self) -> bool {
            self.looks.get() < self.passes_after
        }

        fn verdict(passes_after: u32, same: bool) -> (Verdict, u32) {
            let host = Self { passes_after, same, looks: Cell::new(0) };
            let endpoint = Endpoint {
                transport: Some(Transport::Tcp),
                address: AddressScope::Every,
                port: Port::new(3000).unwrap(),
            };
            let sights = look_at_ports(&host, &[endpoint], &LookOptions::default());
            (sights[0].diagnosis.verdict, host.looks.get())
        }
    }

    impl Host for Probed {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn snapshot(&self, _scope: &Scope) -> Snapshot {
            let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
            if self.is_held() {
                let local = LocalAddress::Inet("[::]:3000".parse().unwrap());
                let mut socket = Socket::new(Protocol::Tcp, local, Some(TcpState::Bound));
                socket.holders = Holders::Hidden;
                socket.cookie = Some(if self.same { 7 } else { u64::from(self.looks.get()) });
                snapshot.sockets.push(socket);
            }
            snapshot.every_state = true;
            self.looks.set(self.looks.get() + 1);
            snapshot
        }

        fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt {
            let result = if self.is_held() { BindResult::InUse } else { BindResult::Ok };
            Attempt { transport, address, plain: result, reuse_addr: result }
        }

        fn local_addresses(&self) -> Vec<IpAddr> {
            Vec::new()
        }

        fn unix_refuses(&self, _path: &str) -> Option<bool> {
            None
        }

        fn wait(&self, _: &[&Pinned], _: &mut Watch, _: Duration) -> Woken {
            Woken::Timeout
        }
    }

    #[test]
    fn probes_of_others_are_looked_at_again_and_a_hidden_holder_once_more() {
        assert_eq!(Probed::verdict(1, false), (Verdict::Free, 2));
        assert_eq!(Probed::verdict(3, false), (Verdict::Free, 4));
        assert_eq!(Probed::verdict(100, true), (Verdict::Held, 2));
        assert_eq!(Probed::verdict(100, false), (Verdict::Held, 4));
    }
}
