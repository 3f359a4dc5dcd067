//! Rules of the packet filter that send a port elsewhere: a published container port without a
//! forwarding process, a Kubernetes NodePort, a REDIRECT. No socket holds such a port, and a bind
//! of it succeeds; what arrives for it never gets to the server that was bound. How rules are
//! followed is in [`rules`]; their sentences are in [`crate::explain`].

pub mod rules;

use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::addr::{AddressScope, Endpoint, unmap};
use crate::engine::{ContainerFacts, Published};
use crate::snapshot::{Gap, Snapshot};
use crate::socket::Protocol;

/// One rule that sends a port of this machine elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// Which filter has it: `nftables`, `iptables` or `ipvs`.
    pub filter: String,
    /// Its table, with the family where the filter has one: `ip nat`.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Of which transport.
    pub protocol: Protocol,
    /// The ports that it takes.
    pub ports: RangeInclusive<u16>,
    /// The destination address it takes; `None` for every address of this machine.
    pub address: Option<IpAddr>,
    /// Where it sends to; `None` for this machine itself (REDIRECT).
    pub to: Option<IpAddr>,
    /// The port it sends to, where it changes that.
    pub to_port: Option<u16>,
    /// Whether packets that arrive from others are taken (the prerouting hook).
    #[serde(default = "yes")]
    pub from_others: bool,
    /// Whether packets that this machine sends to itself, at a loopback address too, are taken
    /// (the output hook).
    pub local_too: bool,
    /// The number by which nftables deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<u64>,
    /// Its comment, or that of a rule on the way to it: engines and Kubernetes write there what
    /// it is for.
    pub comment: Option<String>,
}

const fn yes() -> bool {
    true
}

/// What the packet filter said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedirectAnswer {
    /// The rules for the ports asked for.
    pub redirects: Vec<Redirect>,
    /// Why they could not be read.
    pub gaps: Vec<Gap>,
}

/// Who wrote a rule, as far as its names tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author<'a> {
    /// kube-proxy, for this service (`namespace/name`) where the rule says which.
    Kubernetes(Option<&'a str>),
    /// A container engine or one of its network plugins.
    Engine,
    /// Somebody else.
    Unknown,
}

impl Redirect {
    /// Who wrote it.
    pub fn author(&self) -> Author<'_> {
        const ENGINES: [&str; 6] = ["DOCKER", "NETAVARK", "CNI-", "nv_", "netavark", "LXD"];
        let named = |name: &str| self.chain.contains(name) || self.table.contains(name);
        if self.chain.starts_with("KUBE-") || named("kube-proxy") {
            return Author::Kubernetes(self.service());
        }
        let by_name = ENGINES.into_iter().any(named);
        let by_comment =
            self.comment.as_deref().is_some_and(|text| text.starts_with("dnat name: "));
        if by_name || by_comment { Author::Engine } else { Author::Unknown }
    }

    /// `default/web` from the comment `default/web:http` (kube-proxy's iptables mode) or from the
    /// chain `endpoint-5OJB2KTY-default/web/tcp/http__10.1.2.3/80` (its nftables mode).
    fn service(&self) -> Option<&str> {
        if let Some(comment) = self.comment.as_deref() {
            let name = comment.split([' ', ':']).next().unwrap_or_default();
            if name.contains('/') {
                return Some(name);
            }
        }
        let (_, rest) = self.chain.split_once('-')?;
        let (_, name) = rest.split_once('-')?;
        let slash = name.match_indices('/').nth(1).map_or(name.len(), |(at, _)| at);
        name[..slash].contains('/').then_some(&name[..slash])
    }

    /// Whether it takes what is sent to an endpoint.
    pub fn concerns(&self, endpoint: &Endpoint) -> bool {
        let transport = self.protocol.transport();
        if !self.ports.contains(&endpoint.port.get())
            || !transport.is_some_and(|own| endpoint.transports().contains(&own))
        {
            return false;
        }
        match endpoint.address {
            AddressScope::Every => true,
            AddressScope::Localhost => self.takes(std::net::Ipv4Addr::LOCALHOST.into()),
            AddressScope::One(ip, _) => self.takes(unmap(ip)),
        }
    }

    /// Whether it takes what is sent to an address; a wildcard stands for any.
    fn takes(&self, ip: IpAddr) -> bool {
        if ip.is_unspecified() {
            return true;
        }
        match self.address {
            Some(own) => own == ip,
            // What comes from others never has a loopback address for its destination.
            None => !ip.is_loopback() || self.local_too,
        }
    }

    /// The container it leads to: by the id in its comment (podman, CNI), else by the ports that
    /// the engines say are published.
    pub fn container<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a ContainerFacts> {
        let known = &snapshot.containers;
        if let Some(id) = self.container_id() {
            return known.iter().find(|container| container.id == id);
        }
        if self.author() == Author::Kubernetes(self.service()) {
            return None;
        }
        known.iter().find(|container| {
            container.state.as_deref() == Some("running")
                && container.published.iter().any(|published| {
                    published.protocol == self.protocol
                        && self.ports.contains(&published.port)
                        && (self.to_port.zip(published.container_port))
                            .is_none_or(|(port, inside)| port == inside)
                })
        })
    }

    /// The id of a container in its comment: `dnat name: "podman" id: "<64 digits>"`.
    pub fn container_id(&self) -> Option<&str> {
        let hex =
            |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.comment.as_deref()?.split(|c: char| !c.is_ascii_alphanumeric()).find(hex)
    }
}

/// A running container that publishes an endpoint's port, and by which transport, as its engine
/// says.
pub fn published<'a>(
    endpoint: &Endpoint,
    snapshot: &'a Snapshot,
) -> Option<(&'a ContainerFacts, Protocol)> {
    let fits = |published: &&Published| {
        let transport = published.protocol.transport();
        let wanted = match endpoint.address {
            AddressScope::One(ip, _) => Some(unmap(ip)).filter(|ip| !ip.is_unspecified()),
            AddressScope::Localhost => Some(std::net::Ipv4Addr::LOCALHOST.into()),
            AddressScope::Every => None,
        };
        let everywhere = published.address.is_none_or(|ip| ip.is_unspecified());
        published.port == endpoint.port.get()
            && transport.is_some_and(|own| endpoint.transports().contains(&own))
            && (everywhere || wanted.is_none() || published.address == wanted)
    };
    snapshot
        .containers
        .iter()
        .filter(|it| it.state.as_deref() == Some("running"))
        .find_map(|container| Some((container, container.published.iter().find(fits)?.protocol)))
}

/// The rules of a snapshot that take what is sent to an endpoint.
pub fn concerning<'a>(endpoint: &Endpoint, snapshot: &'a Snapshot) -> Vec<&'a Redirect> {
    snapshot.redirects.iter().filter(|redirect| redirect.concerns(endpoint)).collect()
}
