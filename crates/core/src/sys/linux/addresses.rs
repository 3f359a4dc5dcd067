//! The addresses of this machine, from NETLINK_ROUTE (rtnetlink(7), RTM_GETADDR). Asked only when
//! an address turned out not to be local, so that the answer can list those that are. Where netlink
//! is refused, as in some sandboxes, `/proc` has them too.

use std::net::IpAddr;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use crate::decode::route;

/// All of them, in the kernel's order; empty where both are refused.
pub(crate) fn all() -> Vec<IpAddr> {
    by_netlink().unwrap_or_else(by_proc)
}

fn by_netlink() -> Option<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    // NETLINK_ROUTE is protocol 0, the default.
    let fd =
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).ok()?;
    send(&fd, &route::address_dump_request(), SendFlags::empty()).ok()?;
    let mut buffer = vec![0; 32 * 1024];
    while let Ok((length, _)) = recv(&fd, &mut buffer[..], RecvFlags::empty()) {
        let chunk = route::decode_addresses(&buffer[..length]);
        addresses.extend(chunk.addresses);
        if chunk.end || length == 0 {
            break;
        }
    }
    Some(addresses)
}

fn by_proc() -> Vec<IpAddr> {
    let text = |name| std::fs::read_to_string(name).unwrap_or_default();
    let mut addresses = route::decode_fib_trie(&text("/proc/net/fib_trie"));
    addresses.extend(route::decode_if_inet6(&text("/proc/net/if_inet6")));
    addresses
}
