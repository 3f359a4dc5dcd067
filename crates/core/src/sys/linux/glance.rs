//! The cheap look at known ports: one netlink socket kept open, an exact lookup for each address
//! while those are few, and a dump filtered by port otherwise. No process is looked at.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

use super::see::{table_is_small, tables_of};
use super::sock_diag::{PortSet, SockDiag};
use crate::addr::{AddressScope, Endpoint, ORDINARY_ADDRESSES, Transport, unmap};
use crate::decode::sock_diag::{Row, Table, states};
use crate::host::{Glance, serves};
use crate::socket::Socket;

/// Up to this many lookups cost less than one dump. A dump walks all listening sockets, of every
/// namespace, so this errs on the side of the lookups.
const FEW_LOOKUPS: usize = 8;

/// The servers on those ports; `None` where netlink refuses. `kept` is opened where it is not yet,
/// and closed after any error, so that no late answer can be taken for another's.
pub(super) fn servers(
    kept: &mut Option<SockDiag>,
    endpoints: &[Endpoint],
    look: Glance,
    blind_to_bound: bool,
) -> Option<Vec<Socket>> {
    let mut diag = match kept.take() {
        Some(diag) => diag,
        None => SockDiag::open().ok()?,
    };
    let lookups = match look {
        Glance::Quick => lookups(endpoints),
        Glance::Servers | Glance::Thorough => Vec::new(),
    };
    let rows = match look {
        Glance::Quick if lookups.len() <= FEW_LOOKUPS => find(&mut diag, &lookups),
        Glance::Quick | Glance::Servers => dump(&mut diag, endpoints, false),
        Glance::Thorough => dump(&mut diag, endpoints, !blind_to_bound && table_is_small()),
    };
    let rows = rows.ok()?;
    *kept = Some(diag);
    let mut seen = HashSet::new();
    let sockets = rows.into_iter().map(|row| row.socket);
    Some(
        sockets
            .filter(|socket| serves(socket, endpoints, look))
            // Whoever serves every address was found at several.
            .filter(|socket| socket.cookie.is_none_or(|cookie| seen.insert(cookie)))
            .collect(),
    )
}

/// One exact question: transport, address, and the device its packets come in by.
type Lookup = (Transport, SocketAddr, Option<u32>);

fn lookups(endpoints: &[Endpoint]) -> Vec<Lookup> {
    let of = |endpoint: &Endpoint| {
        let device = match endpoint.address {
            AddressScope::One(_, scope) => Some(scope).filter(|&scope| scope != 0),
            AddressScope::Every | AddressScope::Localhost => None,
        };
        let port = endpoint.port.get();
        let addresses = answering(endpoint.address);
        let transports = endpoint.transports().iter();
        transports
            .flat_map(|&transport| {
                let addresses = addresses.clone().into_iter();
                addresses.map(move |ip| (transport, SocketAddr::new(ip, port), device))
            })
            .collect::<Vec<Lookup>>()
    };
    endpoints.iter().flat_map(of).collect()
}

/// The addresses at which a server of that scope answers.
fn answering(scope: AddressScope) -> Vec<IpAddr> {
    let [_, loopback4, _, loopback6] = ORDINARY_ADDRESSES;
    match scope {
        AddressScope::Every | AddressScope::Localhost => vec![loopback4, loopback6],
        AddressScope::One(IpAddr::V4(v4), _) if v4.is_unspecified() => vec![loopback4],
        AddressScope::One(IpAddr::V6(v6), _) if v6.is_unspecified() => vec![loopback4, loopback6],
        AddressScope::One(address, _) => vec![unmap(address)],
    }
}

fn find(diag: &mut SockDiag, lookups: &[Lookup]) -> Result<Vec<Row>, Errno> {
    let mut rows = Vec::new();
    for &(transport, address, device) in lookups {
        rows.extend(diag.find(transport, address, device)?);
    }
    Ok(rows)
}

fn dump(diag: &mut SockDiag, endpoints: &[Endpoint], bound: bool) -> Result<Vec<Row>, Errno> {
    let ports = PortSet::new(endpoints.iter().map(|endpoint| endpoint.port.get()));
    let mut rows = Vec::new();
    for table in tables_of(endpoints) {
        let wanted = match table {
            Table::Tcp if bound => states::LISTEN | states::BOUND_INACTIVE,
            Table::Tcp => states::LISTEN,
            _ => u32::MAX,
        };
        rows.extend(diag.dump(table, wanted, &ports)?.rows);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Port;

    fn asked(scope: AddressScope, transport: Option<Transport>) -> Vec<String> {
        let endpoint = Endpoint { transport, address: scope, port: Port::new(80).unwrap() };
        let asked = lookups(&[endpoint]);
        asked.iter().map(|(transport, address, _)| format!("{transport} {address}")).collect()
    }

    #[test]
    fn the_addresses_that_the_target_means_are_asked() {
        let one = |address: &str| AddressScope::One(address.parse().unwrap(), 0);
        let both = ["tcp 127.0.0.1:80", "tcp [::1]:80"];
        let tcp = Some(Transport::Tcp);
        assert_eq!(asked(AddressScope::Every, tcp), both);
        assert_eq!(asked(AddressScope::Localhost, tcp), both);
        assert_eq!(asked(one("::"), tcp), both);
        assert_eq!(asked(one("0.0.0.0"), tcp), both[..1]);
        assert_eq!(asked(one("127.0.0.2"), tcp), ["tcp 127.0.0.2:80"]);
        assert_eq!(asked(one("::ffff:127.0.0.2"), tcp), ["tcp 127.0.0.2:80"]);
        assert_eq!(asked(AddressScope::Every, None).len(), 4);
    }

    #[test]
    fn a_link_local_address_is_asked_for_on_its_device() {
        let address = AddressScope::One("fe80::1".parse().unwrap(), 3);
        let endpoint = Endpoint { transport: None, address, port: Port::new(80).unwrap() };
        assert!(lookups(&[endpoint]).iter().all(|lookup| lookup.2 == Some(3)));
    }
}
