//! The head of an HTTP answer from any bytes: nothing panics, no verdict changes with what follows,
//! and a set of statuses prints as it reads.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::http::{ResponseHead, StatusSet, read_head};

fuzz_target!(|bytes: &[u8]| {
    let whole = read_head(bytes);
    for end in 0..bytes.len().min(256) {
        let part = read_head(&bytes[..end]);
        assert!(part == ResponseHead::Incomplete || part == whole);
    }
    if let ResponseHead::Final { status, length } = whole {
        assert!((100..1000).contains(&status) && length <= bytes.len());
    }
    if let Some(set) =
        std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<StatusSet>().ok())
    {
        assert_eq!(set.to_string().parse(), Ok(set));
    }
});
