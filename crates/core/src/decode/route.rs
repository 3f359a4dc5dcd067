//! Which addresses this machine has: the one rtnetlink question asked (rtnetlink(7),
//! `include/uapi/linux/if_addr.h`), and the files that say the same.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::sock_diag::{attributes, u32_at};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;

/// Asks for all addresses of all interfaces.
pub fn address_dump_request() -> Vec<u8> {
    let mut message = vec![0; 24];
    message[..4].copy_from_slice(&24u32.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_GETADDR.to_ne_bytes());
    message[6..8].copy_from_slice(&0x301u16.to_ne_bytes()); // REQUEST | DUMP
    message
}

/// One buffer of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it was the last.
    pub end: bool,
}

/// Decodes one buffer; messages that are cut short are skipped.
pub fn decode_addresses(buffer: &[u8]) -> Addresses {
    let mut answer = Addresses::default();
    let mut rest = buffer;
    while let Some(length) = u32_at(rest, 0).map(|length| length as usize) {
        if length < 16 || length > rest.len() {
            break;
        }
        let kind = u16::from_ne_bytes([rest[4], rest[5]]);
        match kind {
            2 | 3 => answer.end = true,
            RTM_NEWADDR => answer.addresses.extend(address(&rest[16..length])),
            _ => {}
        }
        rest = rest.get((length + 3) & !3..).unwrap_or_default();
    }
    answer
}

/// struct ifaddrmsg is 8 bytes; IFA_LOCAL (2) is this end's address, IFA_ADDRESS (1) the other's
/// on a point-to-point link and the only one for IPv6.
fn address(payload: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for (kind, value) in attributes(payload.get(8..)?) {
        if kind == 2 || (kind == 1 && found.is_none()) {
            found = match value.len() {
                4 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
                16 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
                _ => found,
            };
        }
    }
    found
}

/// The local addresses in `/proc/net/fib_trie`, ascending: the leaves that are a host's own
/// (`net/ipv4/fib_trie.c`, `fib_trie_seq_show`), each once though both tables have it.
pub fn decode_fib_trie(text: &str) -> Vec<IpAddr> {
    let mut found = BTreeSet::new();
    let mut leaf = None;
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf);
        }
    }
    found.into_iter().map(IpAddr::from).collect()
}

/// The addresses in `/proc/net/if_inet6`: 32 hexadecimal digits at the beginning of each line
/// (`net/ipv6/addrconf.c`, `if6_seq_show`).
pub fn decode_if_inet6(text: &str) -> Vec<IpAddr> {
    let digits = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
    let numbers = digits.filter(|digits| digits.len() == 32);
    let addresses = numbers.filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    addresses.map(|number| Ipv6Addr::from_bits(number).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_have_the_same_addresses() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                    \x20          |-- 127.0.0.0\n              /8 host LOCAL\n\
                    \x20          |-- 127.0.0.1\n              /32 host LOCAL\n\
                    \x20       |-- 127.255.255.255\n           /32 link BROADCAST\n\
                    Local:\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- x\n        /32 host LOCAL\n\
                    \x20          |-- 127.0.0.1\n              /32 host LOCAL\n";
        assert_eq!(
            decode_fib_trie(trie),
            ["10.0.0.5", "127.0.0.1"].map(|it| it.parse::<IpAddr>().unwrap())
        );
        let six = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\nxx\n\
                   00000000000000000000000000000001 01 80 10 80       lo\n0001 01 80 10 80 lo\n";
        assert_eq!(
            decode_if_inet6(six),
            ["fe80::fc:ff:fe00:1", "::1"].map(|it| it.parse::<IpAddr>().unwrap())
        );
        assert_eq!(decode_fib_trie("/32 host LOCAL"), [] as [IpAddr; 0]);
    }

    #[test]
    fn this_end_of_a_link_is_the_address() {
        let mut message = vec![0; 16];
        message[4..6].copy_from_slice(&RTM_NEWADDR.to_ne_bytes());
        message.extend([2, 24, 0, 0, 1, 0, 0, 0]);
        message.extend([8, 0, 1, 0, 10, 0, 0, 1]);
        message.extend([8, 0, 2, 0, 10, 0, 0, 2]);
        let length = message.len() as u32;
        message[..4].copy_from_slice(&length.to_ne_bytes());
        let answer = decode_addresses(&message);
        assert_eq!(answer.addresses, ["10.0.0.2".parse::<IpAddr>().unwrap()]);
        for cut in 0..message.len() {
            assert!(decode_addresses(&message[..cut]).addresses.is_empty());
        }
    }
}
