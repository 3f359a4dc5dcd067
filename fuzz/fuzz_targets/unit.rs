//! Feeds arbitrary bytes to the reader of `systemctl show`, and what it read to whatever follows:
//! another user's manager may have written it.

#![no_main]

use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use proc_core::snapshot::Snapshot;
use proc_core::socket::{Holders, LocalAddress, Protocol, Socket, TcpState};
use proc_core::supervisor::{activation, socket_unit_supervisor, unit_guard};
use proc_core::unit::show;

fuzz_target!(|bytes: &[u8]| {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.units = show::units(bytes, None);
    let listens: Vec<String> =
        snapshot.units.iter().flat_map(|unit| unit.listens.iter().take(4).cloned()).collect();
    for line in listens {
        let address = line.split(' ').next().and_then(|address| address.parse().ok());
        let local = address.map_or(LocalAddress::Path(line), LocalAddress::Inet);
        let mut socket = Socket::new(Protocol::Tcp, local, Some(TcpState::Listen));
        (socket.holders, socket.uid) = (Holders::Hidden, Some(0));
        let _ = activation(&socket, &snapshot);
        if let Some(supervisor) = socket_unit_supervisor(&socket, &snapshot) {
            let _ = unit_guard(&supervisor, &snapshot);
        }
    }
});
