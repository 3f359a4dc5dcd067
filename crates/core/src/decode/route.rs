//! The one rtnetlink question asked: which addresses does this machine have (rtnetlink(7),
//! `include/uapi/linux/if_addr.h`).

use std::net::IpAddr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
