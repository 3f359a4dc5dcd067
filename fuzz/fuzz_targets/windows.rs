//! What Windows tells: its tables as bytes, and what netsh, wsl and command lines say, hostile or cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::decode::windows::parameters::{NARROW, Parameters, WIDE};
use proc_core::decode::windows::{
    Layout, distributions, dynamic_range, excluded_ranges, filetime, from_utf16_bytes,
    port_proxies, request_queues, rows, split,
};

fuzz_target!(|bytes: &[u8]| {
    for layout in Layout::ALL {
        let found = rows(layout, bytes);
        assert!(found.len() <= bytes.len() / layout.row_size());
        for row in found {
            let _ = row.bound_at.map(filetime);
        }
    }
    let _ = distributions(bytes);
    let text = from_utf16_bytes(bytes);
    for range in excluded_ranges(&text) {
        assert!(range.ports.start() <= range.ports.end());
    }
    let _ = (dynamic_range(&text), request_queues(&text));
    for rule in port_proxies(&text) {
        assert!(rule.removal().len() >= 7);
    }
    // A process whose memory these bytes are, from address 0 on.
    let read = |at: u64, length: usize| {
        let start = usize::try_from(at).ok()?;
        bytes.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
    };
    for places in [WIDE, NARROW] {
        if let Some(found) = Parameters::of(0, places, read) {
            let units = [found.directory(), found.command_line(), found.environment()];
            assert!(units.iter().flatten().all(|units| units.len() * 2 <= bytes.len()));
        }
    }
    let length: usize = split(&text).iter().map(String::len).sum();
    assert!(length <= text.len());
});
