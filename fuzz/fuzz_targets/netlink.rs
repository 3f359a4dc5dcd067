//! Feeds arbitrary bytes to the decoders of what the kernel sends over netlink: none may panic, and
//! none may claim more rows than there are bytes for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::decode::{route, sock_diag};
use proc_core::socket::Protocol;

/// A netlink message is at least its header: 16 bytes (struct nlmsghdr, netlink(7)).
const HEADER: usize = 16;

fuzz_target!(|bytes: &[u8]| {
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::UdpLite, Protocol::Raw, Protocol::Unix]
    {
        let chunk = sock_diag::decode(bytes, protocol);
        assert!(chunk.rows.len() <= bytes.len() / HEADER);
        for row in &chunk.rows {
            let _ = sock_diag::destroy_request(&row.socket);
        }
    }
    assert!(sock_diag::decode_destroyed(bytes).len() <= bytes.len() / HEADER);
    let _ = route::decode_addresses(bytes);
});
