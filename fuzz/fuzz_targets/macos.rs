//! Feeds arbitrary bytes to every decoder of what macOS tells: tables of sockets, descriptors,
//! processes, property lists, launchd's words. None may panic, and the bind rules take whatever
//! comes out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::addr::Transport;
use proc_core::bind::{BindRequest, Occupant, Rules};
use proc_core::decode::macos::{descriptors, launchd, pcb, plist, process};
use proc_core::snapshot::Policy;

fuzz_target!(|bytes: &[u8]| {
    for transport in Transport::ALL {
        let clock = Some(pcb::TcpClock::at(1, 2, 3));
        let table = pcb::inet_table(bytes, transport, clock);
        let sockets = table.rows.iter().map(|row| &row.socket);
        let occupants: Vec<Occupant> = sockets.filter_map(Occupant::from_socket).collect();
        for occupant in &occupants {
            let new = BindRequest::plain(transport, occupant.address, 501);
            let _ = Rules::Xnu.conflict(&new, occupant);
            let _ = Rules::Xnu.predict(&new, &occupants, &Policy::default(), false);
        }
    }
    let _ = pcb::unix_table(bytes);
    let _ = (descriptors::sockets(bytes), descriptors::ports(bytes));
    let _ = (descriptors::kind_of(bytes, 1), descriptors::held(bytes), descriptors::file(bytes));
    let _ = (process::list(bytes), process::unique(bytes), process::directory(bytes));
    let _ = (process::arguments(bytes), process::restricted(bytes), process::threads(bytes));
    let _ = (plist::parse(bytes), launchd::list(bytes), launchd::label_of(bytes));
    if let Some(job) = launchd::job(bytes) {
        let _ = job.unit(Some(501), None, |_| Some(80));
    }
});
