//! The kernel's tables of sockets, asked for by name.

use std::ffi::CStr;

use rustix::io::Errno;

use super::ffi;
use crate::addr::Transport;
use crate::decode::macos::pcb::{self, Row, TcpClock};

/// The sockets of one table, and whether it held still.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) rows: Vec<Row>,
    pub(super) unstable: bool,
}

/// The sockets of a transport.
pub(super) fn inet(transport: Transport) -> Result<Seen, Errno> {
    let (name, clock) = match transport {
        Transport::Tcp => (c"net.inet.tcp.pcblist_n", tcp_clock()),
        Transport::Udp => (c"net.inet.udp.pcblist_n", None),
    };
    steady(name, |bytes| pcb::inet_table(bytes, transport, clock))
}

/// The unix sockets with a name.
pub(super) fn unix() -> Result<Seen, Errno> {
    let mut all = Seen::default();
    for name in [c"net.local.stream.pcblist_n", c"net.local.dgram.pcblist_n"] {
        let seen = steady(name, pcb::unix_table)?;
        all.rows.extend(seen.rows);
        all.unstable |= seen.unstable;
    }
    Ok(all)
}

/// Reads a table until it came whole: at most three times. That sockets come and go meanwhile is
/// ordinary and loses none that was there all the time.
fn steady(name: &CStr, decode: impl Fn(&[u8]) -> pcb::Table) -> Result<Seen, Errno> {
    const TRIES: usize = 3;
    let mut last = Seen { rows: Vec::new(), unstable: true };
    for _ in 0..TRIES {
        let bytes = match ffi::sysctl_by_name(name) {
            Ok(bytes) => bytes,
            Err(Errno::NOMEM) => return Ok(last),
            Err(error) => return Err(error),
        };
        let table = decode(&bytes);
        last = Seen { rows: table.rows, unstable: table.truncated };
        if !last.unstable {
            break;
        }
    }
    Ok(last)
}

/// The TCP clock now; `None` where the machine does not tell how it began.
fn tcp_clock() -> Option<TcpClock> {
    let low = |name| {
        #[expect(clippy::cast_possible_truncation, reason = "the clock runs over at 2^32")]
        ffi::number(name).map(|number| number as u32)
    };
    let began = low(c"net.inet.tcp.now_init")?;
    let uptime = low(c"net.inet.tcp.microuptime_init")?;
    Some(TcpClock::at(ffi::uptime_ms()?, began, uptime))
}
