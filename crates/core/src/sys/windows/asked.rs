//! What only programs of Windows tell: excluded ranges, HTTP.sys, forwarded ports, what runs in WSL.
//! Each is run only where the answer turns on it, and not for long.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::command::{End, run_for};
use super::services;
use crate::addr::Transport;
use crate::decode::windows::{
    distributions, excluded_ranges, from_utf16_bytes, port_proxies, request_queues,
};
use crate::windows::{WindowsFacts, WindowsWish};

/// The ports that connections are drawn from, where `netsh` tells them within that time.
pub(super) fn dynamic_range(limit: Duration) -> Option<RangeInclusive<u16>> {
    let argv = ["netsh", "interface", "ipv4", "show", "dynamicport", "tcp"].map(str::to_owned);
    let (_, output, _) = run_for(&argv, None, limit);
    crate::decode::windows::dynamic_range(&from_utf16_bytes(&output))
}

/// All of what is wished, together within that time.
pub(super) fn facts(wish: &WindowsWish, limit: Duration) -> WindowsFacts {
    let deadline = Instant::now() + limit;
    let ask = |words: &[&str]| -> Option<Vec<u8>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let argv: Vec<String> = words.iter().map(ToString::to_string).collect();
        match run_for(&argv, None, left) {
            (End::Ended(true), output, _) => Some(output),
            _ => None,
        }
    };
    let netsh = |words: &[&str]| {
        let argv: Vec<&str> = ["netsh"].into_iter().chain(words.iter().copied()).collect();
        ask(&argv).map(|output| from_utf16_bytes(&output)).unwrap_or_default()
    };
    let mut facts = WindowsFacts::default();
    if wish.services {
        facts.services = services::running();
    }
    if wish.excluded {
        for (transport, protocol) in
            [(Transport::Tcp, "protocol=tcp"), (Transport::Udp, "protocol=udp")]
        {
            let text = netsh(&["interface", "ipv4", "show", "excludedportrange", protocol]);
            let ranges = excluded_ranges(&text).into_iter().map(|range| (transport, range));
            facts.excluded.extend(ranges);
        }
    }
    if wish.queues {
        let text = netsh(&["http", "show", "servicestate", "view=requestq", "verbose=yes"]);
        facts.queues = request_queues(&text);
    }
    if wish.port_proxies {
        facts.port_proxies = port_proxies(&netsh(&["interface", "portproxy", "show", "all"]));
    }
    if wish.distributions {
        let output = ask(&["wsl.exe", "--list", "--quiet", "--running"]);
        facts.distributions = output.map(|output| distributions(&output)).unwrap_or_default();
    }
    facts
}
