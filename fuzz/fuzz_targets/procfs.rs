//! Feeds arbitrary bytes to every parser of `/proc` text: none may panic, whatever a process
//! calls itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::decode::{passwd, procfs};
use proc_core::socket::Protocol;

fuzz_target!(|bytes: &[u8]| {
    if let Some(stat) = procfs::stat(bytes) {
        let _ = (stat.process_state(), procfs::terminal_name(stat.tty));
    }
    let _ = procfs::status(bytes);
    let _ = procfs::cmdline(bytes);
    if let Some(path) = procfs::cgroup(bytes) {
        let _ = proc_core::supervisor::unit_of(&path);
        let _ = proc_core::supervisor::container_of(&path);
    }
    let _ = procfs::tcp_table(bytes);
    let _ = procfs::udp_table(bytes, Protocol::Udp);
    let _ = procfs::unix_table(bytes);
    let _ = procfs::fdinfo(bytes);
    let _ = procfs::mapped_sockets(bytes);
    let _ = procfs::socket_inode(bytes);
    let _ = procfs::net_namespace(bytes);
    let _ = procfs::port_range(bytes);
    let _ = procfs::port_list(bytes);
    let _ = procfs::sysctl_number(bytes);
    let _ = procfs::sockstat(bytes);
    let _ = passwd::user_names(bytes);
});
