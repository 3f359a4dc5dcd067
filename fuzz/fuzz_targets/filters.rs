//! Feeds arbitrary bytes to the decoders of packet filters and follows what comes out: nothing may
//! panic, and no rules may be so knotted that following them does not end.

#![no_main]

use std::collections::HashMap;
use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use proc_core::decode::nftables::Message;
use proc_core::decode::{iptables, ipvs, nftables};
use proc_core::redirect::rules::{Hook, Place, Question, Rule, WholeTable, walk};

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let addresses = ["127.0.0.1", "192.168.1.7", "::1"].map(|ip| ip.parse().unwrap());
    let question = Question { ports: vec![22, 80, 8080, 30080], addresses: addresses.to_vec() };
    let mut found = Vec::new();
    match kind % 4 {
        0 | 1 => {
            let (info, answer) = bytes.split_at(bytes.len().min(iptables::INFO_LENGTH));
            let Some(info) = iptables::info(info) else { return };
            let entries = answer.get(iptables::ENTRIES_AT..).unwrap_or_default();
            let v6 = kind % 4 == 1;
            let mut table = iptables::LegacyTable::new(&info, entries.to_vec(), v6);
            assert!(table.rules <= entries.len() / 112);
            for (chain, hook) in table.bases.clone() {
                let base = (chain.as_str(), hook);
                walk(&mut table, &place(if v6 { 10 } else { 2 }), base, &question, &mut found);
            }
        }
        2 => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                ipvs::decode(text, &question.ports, &question.addresses);
            }
        }
        _ => {
            let mut bases = Vec::new();
            let mut chains: HashMap<String, Vec<Rule>> = HashMap::new();
            let mut table = WholeTable::default();
            for message in nftables::decode(bytes).messages {
                match message {
                    Message::Chain(chain) => bases.push(chain),
                    Message::Rule(placed) => {
                        chains.entry(placed.chain).or_default().push(placed.rule);
                    }
                    Message::Elements(listed) => {
                        let elements = nftables::elements(listed.elements);
                        table.sets.insert(listed.set, Rc::new(elements));
                    }
                }
            }
            let chains = chains.into_iter().map(|(name, rules)| (name, Rc::new(rules)));
            table.chains = chains.collect();
            for base in bases.iter().take(4) {
                for hook in [Hook::Prerouting, Hook::Output] {
                    let start = (base.name.as_str(), hook);
                    walk(&mut table, &place(base.family), start, &question, &mut found);
                }
            }
        }
    }
});

fn place(family: u8) -> Place {
    Place { filter: "any", table: "any".to_owned(), family }
}
