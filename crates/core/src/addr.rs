//! Ports, transports and addresses: the words a bind is made of. When two binds collide is
//! decided in [`crate::bind`]; what a person typed is parsed in [`crate::target`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

/// A port that can be held. Port 0 asks the kernel to choose and is never held, so it is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

impl Port {
    /// The port of that number, or `None` for 0.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, 1 to 65535.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A transport a port number belongs to. TCP and UDP ports of one number never collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP, and MPTCP, which shares its ports.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Both, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Udp];

    /// The word used in targets, JSON and sentences.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who can reach a socket bound to an address, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Exposure {
    /// Only programs on this machine: 127.0.0.0/8, `::1`, and their v4-mapped forms.
    Loopback,
    /// The addresses of one network: private (RFC 1918, RFC 6598), link-local or unique-local.
    Lan,
    /// Everybody who can reach the machine: a wildcard or a public address.
    Any,
}

/// How far an address reaches; see [`Exposure`].
pub fn exposure(address: IpAddr) -> Exposure {
    match unmap(address) {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            if v4.is_loopback() {
                Exposure::Loopback
            } else if v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
            {
                Exposure::Lan
            } else {
                Exposure::Any
            }
        }
        IpAddr::V6(v6) => {
            if v6.is_loopback() {
                Exposure::Loopback
            } else if v6.is_unique_local() || v6.is_unicast_link_local() {
                Exposure::Lan
            } else {
                Exposure::Any
            }
        }
    }
}

/// The IPv4 address inside a v4-mapped IPv6 address (RFC 4291 2.5.5.2); others as they are.
pub fn unmap(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The four addresses a server ordinarily binds, in the order the answer shows them.
pub const ORDINARY_ADDRESSES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Which addresses of a port are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressScope {
    /// Every address (`:3000`).
    Every,
    /// Both loopbacks, 127.0.0.1 and `::1` (`localhost:3000`).
    Localhost,
    /// This one (`127.0.0.1:3000`), with the scope id of an IPv6 link-local address, else 0.
    One(IpAddr, u32),
}

/// A port, on one transport or both, on some addresses: what a port target means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The transport, or `None` for TCP and UDP.
    pub transport: Option<Transport>,
    /// The addresses.
    pub address: AddressScope,
    /// The port.
    pub port: Port,
}

impl Endpoint {
    /// `:port`: TCP and UDP, every address.
    pub const fn any(port: Port) -> Self {
        Self { transport: None, address: AddressScope::Every, port }
    }

    /// The transports it covers.
    pub fn transports(&self) -> &'static [Transport] {
        match self.transport {
            None => &Transport::ALL,
            Some(Transport::Tcp) => &Transport::ALL[..1],
            Some(Transport::Udp) => &Transport::ALL[1..],
        }
    }

    /// The addresses a server would bind here: the ordinary four, or the ones asked for.
    pub fn addresses(&self) -> Vec<IpAddr> {
        match self.address {
            AddressScope::Every => ORDINARY_ADDRESSES.to_vec(),
            AddressScope::Localhost => vec![ORDINARY_ADDRESSES[1], ORDINARY_ADDRESSES[3]],
            AddressScope::One(address, _) => vec![address],
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{transport}:")?;
        }
        let port = self.port.get();
        match self.address {
            AddressScope::Every if self.transport.is_some() => write!(f, "{port}"),
            AddressScope::Every => write!(f, ":{port}"),
            AddressScope::Localhost => write!(f, "localhost:{port}"),
            AddressScope::One(IpAddr::V6(v6), scope) if scope != 0 => {
                write!(f, "[{v6}%{scope}]:{port}")
            }
            AddressScope::One(address, _) => write!(f, "{}", SocketAddr::new(address, port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_zero_is_not_a_port() {
        assert_eq!(Port::new(0), None);
        assert_eq!(Port::new(65535).map(Port::get), Some(65535));
    }

    #[test]
    fn exposure_gets_every_class_right() {
        for (address, want) in [
            ("127.0.0.1", Exposure::Loopback),
            ("127.0.0.53", Exposure::Loopback),
            ("::1", Exposure::Loopback),
            ("::ffff:127.0.0.1", Exposure::Loopback),
            ("10.1.2.3", Exposure::Lan),
            ("172.16.0.1", Exposure::Lan),
            ("172.32.0.1", Exposure::Any),
            ("192.168.1.9", Exposure::Lan),
            ("100.64.0.1", Exposure::Lan),
            ("169.254.0.3", Exposure::Lan),
            ("fe80::1", Exposure::Lan),
            ("fd00::1", Exposure::Lan),
            ("0.0.0.0", Exposure::Any),
            ("::", Exposure::Any),
            ("::ffff:0.0.0.0", Exposure::Any),
            ("203.0.113.7", Exposure::Any),
            ("2001:db8::1", Exposure::Any),
        ] {
            assert_eq!(exposure(address.parse().unwrap()), want, "{address}");
        }
    }

    #[test]
    fn endpoints_print_as_they_are_typed() {
        let port = Port::new(3000).unwrap();
        let one = |a: &str| AddressScope::One(a.parse().unwrap(), 0);
        for (endpoint, want) in [
            (Endpoint::any(port), ":3000"),
            (Endpoint { transport: Some(Transport::Udp), ..Endpoint::any(port) }, "udp:3000"),
            (Endpoint { address: one("::1"), ..Endpoint::any(port) }, "[::1]:3000"),
            (
                Endpoint { address: AddressScope::Localhost, ..Endpoint::any(port) },
                "localhost:3000",
            ),
        ] {
            assert_eq!(endpoint.to_string(), want);
        }
    }
}
