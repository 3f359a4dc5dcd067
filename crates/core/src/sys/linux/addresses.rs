//! The addresses of this machine, from NETLINK_ROUTE (rtnetlink(7), RTM_GETADDR). Asked only when
//! an address turned out not to be local, so that the answer can list those that are.

use std::net::IpAddr;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use crate::decode::route;

/// All of them, in the kernel's order; empty where the question is refused.
pub(crate) fn all() -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    // NETLINK_ROUTE is protocol 0, the default.
    let Ok(fd) = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
    else {
        return addresses;
    };
    if send(&fd, &route::address_dump_request(), SendFlags::empty()).is_err() {
        return addresses;
    }
    let mut buffer = vec![0; 32 * 1024];
    while let Ok((length, _)) = recv(&fd, &mut buffer[..], RecvFlags::empty()) {
        let chunk = route::decode_addresses(&buffer[..length]);
        addresses.extend(chunk.addresses);
        if chunk.end || length == 0 {
            break;
        }
    }
    addresses
}
