//! What is so about ports: the kernel's answers to a few binds first, then, where it refuses,
//! who is there. Many ports cost one scan. And what is so about processes before an act.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::addr::{AddressScope, Endpoint, ORDINARY_ADDRESSES, Port, Transport};
use crate::bind::{Attempt, BindResult};
use crate::diagnosis::{CauseKind, Diagnosis, diagnose, is_unexplained};
use crate::host::{Host, Watch};
use crate::learn::{self, Learn, learn};
use crate::snapshot::{Scope, Snapshot, SocketScope, States, Sweep};
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
    /// Everything seen, for all endpoints of the call together.
    pub snapshot: std::sync::Arc<Snapshot>,
}

/// Looks at ports: probes each once, and only where a bind is refused asks who is there. A
/// refusal that nothing explains is looked at again, and only that: mostly somebody let go
/// between the probes and the look, or another `proc` was probing at that very moment.
///
/// A probe's socket lives for microseconds, but a program that forks in that time hands its child
/// a copy until the child's exec: do not spawn and look at once.
pub fn look_at_ports(host: &dyn Host, endpoints: &[Endpoint], options: &LookOptions) -> Vec<Sight> {
    const MOST_AGAIN: u32 = 3;
    let mut sights = look_once(host, endpoints, options);
    for _ in 0..MOST_AGAIN {
        let puzzling = |sight: &Sight| {
            sight.diagnosis.causes.iter().any(|cause| cause.kind == CauseKind::Unexplained)
        };
        let places: Vec<usize> =
            (0..sights.len()).filter(|&place| puzzling(&sights[place])).collect();
        let Some(&first) = places.first() else { break };
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
    let snapshot = std::sync::Arc::new(snapshot);
    endpoints
        .iter()
        .zip(attempts)
        .map(|(endpoint, attempts)| Sight {
            diagnosis: diagnose(endpoint, &attempts, &snapshot),
            snapshot: snapshot.clone(),
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
