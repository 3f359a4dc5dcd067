//! The virtual services of IPVS, from `/proc/net/ip_vs` (`net/netfilter/ipvs/ip_vs_ctl.c`): what
//! kube-proxy's ipvs mode makes of every service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::redirect::Redirect;
use crate::redirect::rules::merge;
use crate::socket::Protocol;

/// The services at one of those ports on an address of this machine, each with its first server.
pub fn decode(text: &str, ports: &[u16], addresses: &[IpAddr]) -> Vec<Redirect> {
    let mut found = Vec::new();
    let mut service: Option<(Protocol, IpAddr, u16)> = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("TCP" | "UDP") => {
                let protocol = if line.starts_with("TCP") { Protocol::Tcp } else { Protocol::Udp };
                service = words.next().and_then(endpoint).map(|(ip, port)| (protocol, ip, port));
            }
            Some("->") => {
                let server = words.next().and_then(endpoint);
                let wanted = |(_, ip, port): &(Protocol, IpAddr, u16)| {
                    ports.contains(port) && addresses.contains(ip)
                };
                if let (Some((protocol, ip, port)), Some((to, to_port))) =
                    (service.filter(wanted), server)
                {
                    merge(&mut found, redirect(protocol, (ip, port), (to, to_port)));
                }
            }
            _ => service = None,
        }
    }
    found
}

fn redirect(protocol: Protocol, service: (IpAddr, u16), server: (IpAddr, u16)) -> Redirect {
    Redirect {
        filter: "ipvs".to_owned(),
        table: String::new(),
        chain: String::new(),
        protocol,
        ports: service.1..=service.1,
        address: Some(service.0),
        to: Some(server.0),
        to_port: Some(server.1).filter(|&port| port != service.1),
        from_others: true,
        local_too: true,
        handle: None,
        comment: None,
    }
}

/// `0A600001:01BB` or `[fd00:0000:...:0001]:01BB`.
fn endpoint(word: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = word.rsplit_once(':')?;
    let ip = match address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok()?.into(),
        None => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?).into(),
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A80107:7530 rr
  -> 0AF40005:1F90      Masq    1      0          0
  -> 0AF40006:1F90      Masq    1      0          0
UDP  0A60000A:0035 rr
  -> 0AF40002:0035      Masq    1      0          0
TCP  [fd00:0000:0000:0000:0000:0000:0000:0007]:7530 rr
  -> [fd00:0000:0000:0000:0000:0000:0000:0099]:1F90      Masq    1      0          0
FWM  00000001 rr
  -> 0AF40002:0035      Masq    1      0          0
";

    #[test]
    fn services_on_addresses_of_this_machine_are_found() {
        let own: Vec<IpAddr> = ["192.168.1.7", "fd00::7"].map(|ip| ip.parse().unwrap()).to_vec();
        let found = decode(TABLE, &[30000, 53], &own);
        let said: Vec<String> = found
            .iter()
            .map(|r| format!("{:?} {:?} {:?}", r.address.unwrap(), r.to.unwrap(), r.to_port))
            .collect();
        assert_eq!(
            said,
            [
                "192.168.1.7 10.244.0.5 Some(8080)",
                "192.168.1.7 10.244.0.6 Some(8080)",
                "fd00::7 fd00::99 Some(8080)"
            ]
        );
        assert!(decode(TABLE, &[53], &own).is_empty(), "a cluster address is no address here");
        for cut in 0..TABLE.len() {
            decode(&TABLE[..cut], &[30000], &own);
        }
    }
}
