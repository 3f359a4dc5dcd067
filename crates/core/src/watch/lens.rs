//! What is watched, worked out from the targets: which ports, sockets and processes, and how they
//! are best looked at. Nothing here looks.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::addr::{AddressScope, Endpoint, Port, Transport};
use crate::bind::overlaps;
use crate::socket::{Protocol, Socket, TcpState};
use crate::target::Target;

/// Up to this many ports are looked at one by one.
const MOST_KNOWN: usize = 64;

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lens {
    /// Ports that are asked for, with the target each belongs to.
    ports: HashMap<Port, Vec<(Endpoint, String)>>,
    /// Unix sockets, as [`crate::snapshot::SocketScope::Unix`] takes them, each with its target.
    pub(super) unix: Vec<(String, String)>,
    /// Targets that mean processes.
    pub(super) processes: Vec<Target>,
    /// Whether there are no targets: everything is watched.
    pub(super) all: bool,
}

impl Lens {
    pub(super) fn new(targets: &[Target]) -> Self {
        let mut lens = Self { all: targets.is_empty(), ..Self::default() };
        for target in targets {
            let name = target.to_string();
            match target {
                Target::Port(_) | Target::Range(_) => lens.add_ports(target.endpoints(), &name),
                Target::Unix(unix) => lens.unix.push((unix.to_string(), name)),
                // A path may be a socket, or become one, or be a program.
                Target::Path(path) => {
                    lens.unix.push((path.clone(), name));
                    lens.processes.push(target.clone());
                }
                Target::Number(_) => {
                    lens.processes.push(target.clone());
                    let port = target.also_port().map(Endpoint::any);
                    lens.add_ports(port.into_iter().collect(), &name);
                }
                Target::Pid(_) | Target::Name(_) | Target::Container(_) | Target::Unit(_) => {
                    lens.processes.push(target.clone());
                }
            }
        }
        for (unix, _) in &mut lens.unix {
            if let Some(name) = unix.strip_prefix("unix:") {
                *unix = name.to_owned();
            }
        }
        lens
    }

    fn add_ports(&mut self, endpoints: Vec<Endpoint>, name: &str) {
        for endpoint in endpoints {
            self.ports.entry(endpoint.port).or_default().push((endpoint, name.to_owned()));
        }
    }

    /// The ports that are looked at one by one: all that are asked for, where those are few.
    pub(super) fn known(&self) -> Vec<Endpoint> {
        if self.ports.len() > MOST_KNOWN {
            return Vec::new();
        }
        let mut known: Vec<Endpoint> =
            self.ports.values().flatten().map(|(endpoint, _)| *endpoint).collect();
        known.sort_unstable();
        known.dedup();
        known
    }

    /// Whether the sockets of every port have to be looked at.
    pub(super) fn needs_everything(&self) -> bool {
        self.all || !self.processes.is_empty() || self.ports.len() > MOST_KNOWN
    }

    /// Whether such a socket can be of interest, whoever holds it.
    pub(super) fn may_matter(&self, socket: &Socket) -> bool {
        let bound = socket.protocol == Protocol::Tcp && socket.state == Some(TcpState::Bound);
        (socket.is_server() || bound)
            && socket.netns.is_none()
            && match socket.protocol {
                Protocol::Unix => !self.unix.is_empty(),
                Protocol::Raw => false,
                Protocol::Tcp | Protocol::Udp | Protocol::UdpLite => {
                    self.all || !self.processes.is_empty() || self.port_target(socket).is_some()
                }
            }
    }

    /// Whether a socket that was there too briefly to be seen is news: on the ports asked for, or
    /// where everything is watched on ports that the kernel does not hand out to clients.
    pub(super) fn brief_matters(&self, socket: &Socket, ephemeral: &RangeInclusive<u16>) -> bool {
        let served = || socket.port().is_some_and(|port| !ephemeral.contains(&port));
        self.port_target(socket).is_some() || (self.all && served())
    }

    /// The port target that a socket belongs to.
    pub(super) fn port_target(&self, socket: &Socket) -> Option<&str> {
        let port = socket.port().and_then(Port::new)?;
        let wanted = self.ports.get(&port)?;
        wanted.iter().find(|(endpoint, _)| concerns(endpoint, socket)).map(|(_, name)| &**name)
    }

    /// The unix target that a socket of these belongs to.
    pub(super) fn unix_target(&self, socket: &Socket) -> Option<&str> {
        let local = socket.local.to_string();
        let exact = self.unix.iter().find(|(name, _)| *name == local);
        // A relative path, or one through a link: the look has found it by the file.
        exact.or(self.unix.first()).filter(|_| socket.protocol == Protocol::Unix).map(|(_, t)| &**t)
    }
}

/// Whether a socket is in the way of what the endpoint means.
fn concerns(endpoint: &Endpoint, socket: &Socket) -> bool {
    let transport = socket.protocol.transport();
    let wanted = |wanted: &Transport| Some(*wanted) == transport;
    let (Some(ip), true) = (socket.ip(), endpoint.transports().iter().any(wanted)) else {
        return false;
    };
    match endpoint.address {
        AddressScope::Every => true,
        AddressScope::Localhost | AddressScope::One(..) => {
            let v6only = socket.v6only.unwrap_or(false);
            endpoint.addresses().into_iter().any(|address| overlaps(address, false, ip, v6only))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::LocalAddress;
    use crate::target::parse;

    fn lens(words: &str) -> Lens {
        let targets: Vec<Target> =
            words.split_whitespace().map(|word| parse(word).unwrap()).collect();
        Lens::new(&targets)
    }

    fn socket(protocol: Protocol, local: &str) -> Socket {
        let state = (protocol == Protocol::Tcp).then_some(TcpState::Listen);
        Socket::new(protocol, LocalAddress::Inet(local.parse().unwrap()), state)
    }

    #[test]
    fn sockets_belong_to_their_targets() {
        for (words, protocol, local, want) in [
            (":3000", Protocol::Tcp, "127.0.0.1:3000", Some(":3000")),
            (":3000", Protocol::Udp, "[::]:3000", Some(":3000")),
            (":3000", Protocol::Tcp, "127.0.0.1:3001", None),
            ("udp:3000", Protocol::Tcp, "127.0.0.1:3000", None),
            ("127.0.0.1:3000", Protocol::Tcp, "0.0.0.0:3000", Some("127.0.0.1:3000")),
            ("127.0.0.1:3000", Protocol::Tcp, "[::]:3000", Some("127.0.0.1:3000")),
            ("127.0.0.1:3000", Protocol::Tcp, "127.0.0.2:3000", None),
            ("[::1]:3000", Protocol::Tcp, "127.0.0.1:3000", None),
            (":3000-3010 :3005", Protocol::Tcp, "127.0.0.1:3005", Some(":3000-3010")),
            ("node", Protocol::Tcp, "127.0.0.1:3005", None),
        ] {
            assert_eq!(lens(words).port_target(&socket(protocol, local)), want, "{words} {local}");
        }
    }

    #[test]
    fn few_ports_are_known_and_many_are_everything() {
        assert_eq!(lens(":3000 tcp:3000 :3001").known().len(), 3);
        assert!(!lens(":3000-3010").needs_everything());
        assert!(lens(":3000-3100").known().is_empty() && lens(":3000-3100").needs_everything());
        assert!(lens("node").needs_everything() && lens("").needs_everything());
        let mixed = lens("node :3000");
        assert!(mixed.needs_everything() && mixed.known().len() == 1);
    }

    #[test]
    fn brief_sockets_matter_where_servers_are() {
        let ephemeral = 32768..=60999;
        for (words, local, want) in [
            ("", "127.0.0.1:3000", true),
            ("", "127.0.0.1:40000", false),
            (":40000", "127.0.0.1:40000", true),
            (":3000", "127.0.0.1:3001", false),
            ("node", "127.0.0.1:3001", false),
        ] {
            let socket = socket(Protocol::Udp, local);
            assert_eq!(lens(words).brief_matters(&socket, &ephemeral), want, "{words} {local}");
        }
    }

    #[test]
    fn what_can_matter() {
        let raw = socket(Protocol::Raw, "0.0.0.0:1");
        let elsewhere = Socket { netns: Some(0), ..socket(Protocol::Tcp, "0.0.0.0:1") };
        let connected = Socket {
            remote: Some("127.0.0.1:9".parse().unwrap()),
            ..socket(Protocol::Udp, "0.0.0.0:1")
        };
        for socket in [raw, elsewhere, connected] {
            assert!(!lens("").may_matter(&socket), "{socket:?}");
        }
        assert!(lens("").may_matter(&socket(Protocol::UdpLite, "0.0.0.0:1")));
        assert!(lens("node").may_matter(&socket(Protocol::Tcp, "0.0.0.0:1")));
    }
}
