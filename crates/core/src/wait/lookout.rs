//! Looking out for servers. No kernel tells of a listen(2), so the ports of all that want to be
//! served are looked at together, hundreds of times a second, as cheaply as it goes.

use std::cell::Cell;
use std::time::Duration;

use crate::addr::Endpoint;
use crate::host::{Glance, Host};
use crate::snapshot::{Scope, SocketScope};
use crate::socket::Socket;

/// Between two looks at first. What costs is to be woken, more than to look.
const QUICK: Duration = Duration::from_millis(2);
/// For how long that is.
const SOON: Duration = Duration::from_secs(2);
/// Between two looks later: half of it is how late a server is noticed.
const PATIENT: Duration = Duration::from_millis(5);
/// Between two looks at every address, besides those that are asked for each time.
const WIDE: Duration = Duration::from_millis(50);
/// A look may take at most one part in this many of the time, whatever the machine makes of it.
const SHARE: u32 = 100;

/// The looks, and what the last one saw.
#[derive(Debug)]
pub(super) struct Lookout {
    started: Duration,
    /// When to look again.
    pub(super) next: Duration,
    next_wide: Duration,
    seen: Vec<Socket>,
    /// Which second was told last; see [`super::tell`].
    pub(super) told: Cell<u64>,
}

impl Lookout {
    pub(super) fn new(started: Duration) -> Self {
        Self {
            started,
            next: Duration::ZERO,
            next_wide: Duration::ZERO,
            seen: Vec::new(),
            told: Cell::new(0),
        }
    }

    /// The servers that the last look saw.
    pub(super) fn seen(&self) -> &[Socket] {
        &self.seen
    }

    /// The pause before the next cheap look at something that sends no news.
    pub(super) fn pause(&self, now: Duration) -> Duration {
        if now.saturating_sub(self.started) < SOON { QUICK } else { PATIENT }
    }

    /// Looks, if it is time; true where it did.
    pub(super) fn look(&mut self, host: &dyn Host, ports: &[Endpoint]) -> bool {
        let now = host.now();
        if now < self.next {
            return false;
        }
        let wide = now >= self.next_wide;
        let mut pause = self.pause(now);
        self.seen = match host.servers(ports, if wide { Glance::Servers } else { Glance::Quick }) {
            Some(seen) => seen,
            None => {
                // By a whole table each time: less often the longer it takes.
                let waited = now.saturating_sub(self.started);
                pause = (waited / 20).clamp(Duration::from_millis(5), Duration::from_millis(100));
                let sockets = SocketScope::Ports(ports.to_vec());
                let table = host.snapshot(&Scope { sockets, ..Scope::default() });
                table.sockets.into_iter().filter(Socket::is_server).collect()
            }
        };
        let after = host.now();
        let cost = after.saturating_sub(now);
        self.next = after + pause.max(cost * SHARE);
        if wide {
            self.next_wide = after + WIDE.max(cost * SHARE * 4);
        }
        true
    }
}
