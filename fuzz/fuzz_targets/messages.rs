//! Logs of anything at all: nothing panics, the same is read however the log is cut, and what is
//! read keeps its bounds and names a target that parses to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::message::{Failure, Scanner};
use proc_core::target::parse;

fuzz_target!(|log: &[u8]| {
    let mut whole = Scanner::new();
    whole.feed(log);
    let whole = whole.finish();
    assert_eq!(in_parts(log), whole);
    for failure in whole {
        assert!(failure.line.len() <= Failure::LONGEST_LINE);
        if let Some(target) = failure.target() {
            assert_eq!(parse(&target.to_string()).as_ref(), Ok(&target));
        }
    }
});

/// The log cut at places that its own bytes name.
fn in_parts(log: &[u8]) -> Vec<Failure> {
    let mut scanner = Scanner::new();
    let mut rest = log;
    for &cut in log {
        let (part, after) = rest.split_at(rest.len().min(usize::from(cut)));
        scanner.feed(part);
        rest = after;
    }
    scanner.feed(rest);
    scanner.finish()
}
