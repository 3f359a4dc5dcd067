//! What container engines answer, from any bytes: nothing panics, no answer is whole before its
//! end, and nothing that could be an option or a path of a command line passes for a name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_core::engine::answer::{Reading, read};
use proc_core::engine::decode;

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, true);
    if let Reading::Whole(reply) = read(bytes, false) {
        assert_eq!(whole, Reading::Whole(reply));
    }
    let body = match &whole {
        Reading::Whole(reply) => reply.body.as_slice(),
        Reading::Incomplete => unreachable!("the end has come"),
        Reading::Garbled => bytes,
    };
    for facts in decode::inspected(body).unwrap_or_default() {
        assert!(decode::is_id(&facts.id) && decode::is_name(&facts.name));
        assert!(facts.published.iter().all(|at| at.port > 0));
        assert!(facts.unit.is_none_or(|unit| !unit.starts_with('-')));
    }
    for listed in decode::listed(body).unwrap_or_default() {
        assert!(decode::is_id(&listed.id));
    }
    let _ = (decode::message(body), decode::docker_context(body), decode::current_context(body));
});
