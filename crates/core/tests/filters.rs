//! Rules of packet filters as this kernel hands them out, decoded and followed. The bytes beside the
//! rules in `data/filters` are what Linux 6.18 answered (x86-64) when nft 1.0.6 and iptables 1.8.9
//! had loaded them in a network namespace of their own; `cli/tests/redirected.rs` loads the same
//! files into the kernel at hand.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]
#![cfg(all(target_endian = "little", target_pointer_width = "64"))]

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;

use proc_core::decode::nftables::{BaseChain, Message, RawElement};
use proc_core::decode::{iptables, nftables};
use proc_core::redirect::rules::{Hook, Place, Question, Rule, WholeTable, walk};
use proc_core::redirect::{Author, Redirect};

fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/filters").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn question(ports: &[u16]) -> Question {
    let addresses = ["127.0.0.1", "192.168.1.7", "::1", "fd00::7"].map(|ip| ip.parse().unwrap());
    Question { ports: ports.to_vec(), addresses: addresses.to_vec() }
}

/// What the rules of a dump do with those ports.
fn of_nftables(dump: &[u8], ports: &[u16]) -> Vec<Redirect> {
    let mut bases: Vec<BaseChain> = Vec::new();
    let mut rules: HashMap<(u8, String), HashMap<String, Vec<Rule>>> = HashMap::new();
    let mut sets: HashMap<(u8, String), HashMap<String, Vec<RawElement>>> = HashMap::new();
    for message in nftables::decode(dump).messages {
        match message {
            Message::Chain(chain) => bases.push(chain),
            Message::Rule(placed) => rules
                .entry((placed.family, placed.table))
                .or_default()
                .entry(placed.chain)
                .or_default()
                .push(placed.rule),
            Message::Elements(listed) => sets
                .entry((listed.family, listed.table))
                .or_default()
                .entry(listed.set)
                .or_default()
                .extend(listed.elements),
        }
    }
    let mut found = Vec::new();
    for base in bases {
        let hook = match (base.hook, base.kind.as_str()) {
            (0, _) => Hook::Prerouting,
            (3, "nat") => Hook::Output,
            _ => continue,
        };
        let key = (base.family, base.table.clone());
        let chains = rules.get(&key).into_iter().flatten();
        let elements = sets.get(&key).into_iter().flatten();
        let mut table = WholeTable {
            chains: chains.map(|(name, rules)| (name.clone(), Rc::new(rules.clone()))).collect(),
            sets: elements
                .map(|(name, raw)| (name.clone(), Rc::new(nftables::elements(raw.clone()))))
                .collect(),
        };
        let place = Place { filter: "nftables", table: base.table, family: base.family };
        assert!(walk(&mut table, &place, (&base.name, hook), &question(ports), &mut found));
    }
    found
}

fn of_iptables(dump: &[u8], v6: bool, ports: &[u16]) -> Vec<Redirect> {
    let (info, answer) = dump.split_at(dump.len().min(iptables::INFO_LENGTH));
    let Some(info) = iptables::info(info) else { return Vec::new() };
    let entries = answer.get(iptables::ENTRIES_AT..).unwrap_or_default();
    let mut table = iptables::LegacyTable::new(&info, entries.to_vec(), v6);
    let place =
        Place { filter: "iptables", table: "nat".to_owned(), family: if v6 { 10 } else { 2 } };
    let mut found = Vec::new();
    for (chain, hook) in table.bases.clone() {
        let base = (chain.as_str(), hook);
        walk(&mut table, &place, base, &question(ports), &mut found);
    }
    found
}

/// `tcp 8080 -> 172.17.0.2:80 DOCKER, others here`.
fn lines(found: &[Redirect]) -> Vec<String> {
    let line = |rule: &Redirect| {
        let ports = match rule.ports.start() == rule.ports.end() {
            true => rule.ports.start().to_string(),
            false => format!("{}-{}", rule.ports.start(), rule.ports.end()),
        };
        let at = rule.address.map(|ip: IpAddr| format!(" at {ip}")).unwrap_or_default();
        let port = rule.to_port.unwrap_or(*rule.ports.start());
        let to = match rule.to {
            Some(to) => SocketAddr::new(to, port).to_string(),
            None => format!("here:{port}"),
        };
        let others = if rule.from_others { " others" } else { "" };
        let here = if rule.local_too { " here" } else { "" };
        format!("{} {ports}{at} -> {to} {},{others}{here}", rule.protocol, rule.chain)
    };
    let mut lines: Vec<String> = found.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn docker_sends_published_ports_to_containers() {
    let want = [
        "tcp 8080 -> 172.17.0.2:80 DOCKER, others here",
        "tcp 8443 at 127.0.0.1 -> 172.17.0.2:443 DOCKER, here",
        "udp 5353 -> 172.17.0.2:53 DOCKER, others here",
    ];
    let ports = [22, 80, 443, 5353, 8080, 8443];
    assert_eq!(lines(&of_nftables(&bytes("docker-iptables-nft.bin"), &ports)), want);
    assert_eq!(lines(&of_iptables(&bytes("docker-legacy.bin"), false, &ports)), want);
}

#[test]
fn ipv6_has_tables_of_its_own() {
    // Port 9500 is sent elsewhere only at an address that this machine does not have.
    let want = ["tcp 8080 -> [fd00:17::2]:80 DOCKER, others"];
    let ports = [8080, 9500];
    assert_eq!(lines(&of_nftables(&bytes("docker6-iptables-nft.bin"), &ports)), want);
    assert_eq!(lines(&of_iptables(&bytes("docker6-legacy.bin"), true, &ports)), want);
}

#[test]
fn netavark_says_which_container() {
    let want = ["tcp 8080 -> 10.88.0.2:80 NETAVARK-DN-1D8721804F16F, others here"];
    for found in [
        of_nftables(&bytes("netavark-iptables-nft.bin"), &[80, 8080]),
        of_iptables(&bytes("netavark-legacy.bin"), false, &[80, 8080]),
    ] {
        assert_eq!(lines(&found), want);
        assert_eq!(found[0].author(), Author::Engine);
        assert!(found[0].container_id().unwrap().starts_with("fd587b72fe45"));
    }
    let found = of_nftables(&bytes("netavark-nft.bin"), &[80, 8080, 8443]);
    assert_eq!(
        lines(&found),
        [
            "tcp 8080 -> 10.88.0.2:80 nv_2f259bab_10_88_0_0_nm16_dnat, others here",
            "tcp 8443 at 127.0.0.1 -> 10.88.0.2:443 nv_2f259bab_10_88_0_0_nm16_dnat, here",
        ]
    );
    assert_eq!(found[0].author(), Author::Engine);
}

#[test]
fn a_plugin_of_cni_says_which_container() {
    let want = [
        "tcp 8080 -> 10.4.0.5:80 CNI-DN-5f9a6d5ee2a36cdeb5e0e, others here",
        "tcp 8081 -> 10.4.0.5:81 CNI-DN-5f9a6d5ee2a36cdeb5e0e, others here",
    ];
    for found in [
        of_nftables(&bytes("cni-iptables-nft.bin"), &[8079, 8080, 8081, 8082]),
        of_iptables(&bytes("cni-legacy.bin"), false, &[8079, 8080, 8081, 8082]),
    ] {
        assert_eq!(lines(&found), want);
        assert!(found[0].container_id().unwrap().starts_with("1111111122222222"));
    }
}

#[test]
fn kubernetes_names_the_service() {
    // Port 30080 of the cluster's address is no port of this machine; with an external address of
    // this machine, port 80 is.
    let want = [
        "tcp 30080 -> 10.244.0.5:8080 KUBE-SEP-AAAAAAAAAAAAAAAA, others",
        "tcp 30080 -> 10.244.0.6:8080 KUBE-SEP-BBBBBBBBBBBBBBBB, others",
        "tcp 80 at 192.168.1.7 -> 10.244.0.5:8080 KUBE-SEP-AAAAAAAAAAAAAAAA, others here",
        "tcp 80 at 192.168.1.7 -> 10.244.0.6:8080 KUBE-SEP-BBBBBBBBBBBBBBBB, others here",
    ];
    for found in [
        of_nftables(&bytes("kube-iptables-nft.bin"), &[80, 8080, 30080]),
        of_iptables(&bytes("kube-legacy.bin"), false, &[80, 8080, 30080]),
    ] {
        assert_eq!(lines(&found), want);
        assert!(found.iter().all(|r| r.author() == Author::Kubernetes(Some("default/web"))));
    }
    let found = of_nftables(&bytes("kube-nft.bin"), &[80, 8080, 30080]);
    let chain = "endpoint-5OJB2KTY-default/web/tcp/http__10.244.0.5/8080";
    let other = "endpoint-XWPVJ3ZN-default/web/tcp/http__10.244.0.6/8080";
    assert_eq!(
        lines(&found),
        [
            format!("tcp 30080 -> 10.244.0.5:8080 {chain}, others"),
            format!("tcp 30080 -> 10.244.0.6:8080 {other}, others"),
        ]
    );
    assert!(found.iter().all(|r| r.author() == Author::Kubernetes(Some("default/web"))));
}

#[test]
fn sets_maps_ranges_and_the_first_rule_that_fits() {
    let dump = bytes("by-hand-nft.bin");
    let of = |port: u16| lines(&of_nftables(&dump, &[port]));
    let none: [&str; 0] = [];
    // At an address of another machine.
    assert_eq!(of(80), none);
    // Accepted before the set that has it too.
    assert_eq!(of(22), none);
    assert_eq!(of(2222), ["tcp 2222 -> 10.0.0.1:22 prerouting, others"]);
    assert_eq!(
        of(443),
        [
            "tcp 443 at fd00::7 -> [fd00::99]:8443 prerouting, others",
            "udp 443 -> here:8443 prerouting, others",
        ]
    );
    // Returned before the set that has it too.
    assert_eq!(of(9000), none);
    assert_eq!(of(9001), ["tcp 9001 -> 10.0.0.2:9 high, others"]);
    // The ends of intervals.
    for port in [8000, 8005, 8010, 8080, 60000, 65535] {
        assert_eq!(of(port), [format!("tcp {port} -> here:3000 high, others")]);
    }
    for port in [7999, 8011, 8079, 8081, 59999, 3000, 1000, 1] {
        assert_eq!(of(port), none, "{port}");
    }
    // A map of addresses and ports.
    assert_eq!(of(7001), ["tcp 7001 -> 10.0.0.3:71 high, others"]);
    assert_eq!(of(7002), ["tcp 7002 -> 10.0.0.4:72 high, others"]);
    assert_eq!(of(7003), none);
    // A map of verdicts: for some senders the first rule of the chain, for the rest its second.
    assert_eq!(of(7100), ["tcp 7100 -> 10.0.0.7:7 pool, others"]);
    assert_eq!(
        of(7105),
        ["tcp 7105 -> 10.0.0.6:6 pool, others", "tcp 7105 -> 10.0.0.7:7 pool, others"]
    );
    assert_eq!(of(7111), none, "dropped by the map, never sent on");
    // What only this machine sends, and what a proxy takes as it is.
    assert_eq!(of(3128), ["tcp 3128 -> here:3129 output, here"]);
    assert_eq!(of(7777), ["tcp 7777 -> here:7778 prerouting, others"]);
    let comment = &of_nftables(&dump, &[2222])[0].comment;
    assert_eq!(comment.as_deref(), Some("ssh of the other one"));
}

#[test]
fn many_ports_are_asked_at_once() {
    let all: Vec<u16> = (1..=u16::MAX).collect();
    let found = lines(&of_nftables(&bytes("by-hand-nft.bin"), &all));
    for line in [
        "tcp 60000-65535 -> here:3000 high, others",
        "tcp 8000-8010 -> here:3000 high, others",
        "tcp 7100-7110 -> 10.0.0.7:7 pool, others",
    ] {
        assert!(found.iter().any(|other| other == line), "{line} is not in {found:#?}");
    }
    assert!(!found.iter().any(|line| line.starts_with("tcp 22 ")), "{found:#?}");
    let found = lines(&of_iptables(&bytes("docker-legacy.bin"), false, &all));
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn bytes_that_are_cut_short_or_changed_are_survived() {
    let names = ["by-hand-nft.bin", "kube-nft.bin", "docker-iptables-nft.bin"];
    for name in names {
        let dump = bytes(name);
        for cut in (0..dump.len()).step_by(37) {
            of_nftables(&dump[..cut], &[8080]);
        }
        for at in (0..dump.len()).step_by(3) {
            let mut changed = dump.clone();
            changed[at] ^= 0xff;
            let _ = nftables::decode(&changed);
        }
    }
    for (name, v6) in [("kube-legacy.bin", false), ("docker6-legacy.bin", true)] {
        let dump = bytes(name);
        for cut in (0..dump.len()).step_by(11) {
            of_iptables(&dump[..cut], v6, &[8080]);
        }
        for at in (0..dump.len()).step_by(5) {
            let mut changed = dump.clone();
            changed[at] ^= 0xff;
            of_iptables(&changed, v6, &[8080, 30080]);
        }
    }
}

#[test]
fn a_refusal_and_an_interrupted_dump_are_told() {
    let message = |kind: u16, flags: u16, payload: &[u8]| {
        let mut bytes = ((16 + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(payload);
        bytes
    };
    const ERROR: u16 = 2;
    const DONE: u16 = 3;
    let refused = nftables::decode(&message(ERROR, 0, &(-1i32).to_ne_bytes()));
    assert_eq!(refused.end, Some(Err(1)));
    let changed = nftables::decode(&message(DONE, 0x10, &0i32.to_ne_bytes()));
    assert!(changed.interrupted && changed.end == Some(Ok(())));
    // The kernel's own request format: length, type, flags, family, names.
    let request = nftables::rules_request(2, "nat", "DOCKER");
    assert_eq!(request.len(), 16 + 4 + 8 + 12);
    assert_eq!(request[4..8], [7, 10, 1, 3]);
    assert_eq!(request[20..28], [8, 0, 1, 0, b'n', b'a', b't', 0]);
}
