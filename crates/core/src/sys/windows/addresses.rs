//! The addresses of this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_DNS_SERVER, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses,
    IP_ADAPTER_ADDRESSES_LH,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6,
};

/// All of them, as the adapters list them.
pub(super) fn all() -> Vec<IpAddr> {
    const FLAGS: u32 = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_DNS_SERVER | GAA_FLAG_SKIP_MULTICAST;
    let mut size = 32_768_u32;
    for _ in 0..8 {
        let mut words = vec![0_u64; (size as usize).div_ceil(8)];
        let list = words.as_mut_ptr().cast();
        let family = u32::from(AF_UNSPEC);
        // SAFETY: the buffer is aligned and has `size` bytes.
        let status =
            unsafe { GetAdaptersAddresses(family, FLAGS, std::ptr::null(), list, &raw mut size) };
        match status {
            NO_ERROR => return listed(list),
            ERROR_BUFFER_OVERFLOW => {}
            _ => break,
        }
    }
    Vec::new()
}

/// The list is in a buffer that outlives the walk.
fn listed(mut adapter: *const IP_ADAPTER_ADDRESSES_LH) -> Vec<IpAddr> {
    let mut found = Vec::new();
    while !adapter.is_null() {
        // SAFETY: it is not null, and points into the filled buffer.
        let this = unsafe { &*adapter };
        let mut unicast = this.FirstUnicastAddress;
        while !unicast.is_null() {
            // SAFETY: as above.
            let own = unsafe { &*unicast };
            found.extend(ip(own.Address.lpSockaddr));
            unicast = own.Next;
        }
        adapter = this.Next;
    }
    found
}

fn ip(address: *const SOCKADDR) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: it is not null, and every address begins with its family.
    match unsafe { (*address).sa_family } {
        AF_INET => {
            // SAFETY: its family says that it is one of these.
            let v4 = unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            // SAFETY: all views of the union are four bytes of any value.
            Some(IpAddr::V4(Ipv4Addr::from(unsafe { v4.sin_addr.S_un.S_addr }.to_ne_bytes())))
        }
        AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            // SAFETY: all views of the union are sixteen bytes of any value.
            Some(IpAddr::V6(Ipv6Addr::from(unsafe { v6.sin6_addr.u.Byte })))
        }
        _ => None,
    }
}
