//! Targets from any text: nothing panics, what parses prints as a word that parses to the same,
//! and no error carries a control character to a terminal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::target::{parse, parse_list};

fuzz_target!(|text: &str| {
    if let Err(error) = parse(text) {
        assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
    }
    match parse_list(text.lines()) {
        Ok(list) => {
            assert!(!list.is_empty());
            for (_, target) in list {
                assert_eq!(parse(&target.to_string()).as_ref(), Ok(&target));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
