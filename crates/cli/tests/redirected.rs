//! Ports that no socket holds and a rule of the packet filter sends elsewhere, or that the kernel
//! keeps from being drawn, on the kernel at hand: each test makes its rules in a network namespace
//! of its own, which ends with it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod live;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use live::*;
use proc_core::diagnosis::{CauseKind, Verdict};
use proc_core::report::{Outcome, Report, TargetReport};
use proc_testkit::{is_root, skip};

/// A machine with one address in each family, in a namespace of its own.
const MACHINE: &str = "
set -e
ip link set lo up
ip link add eth0 type veth peer name eth1
ip addr add 192.168.1.7/24 dev eth0
ip -6 addr add fd00::7/64 dev eth0 nodad
ip link set eth0 up
";

/// The command that loads a file of rules, as the first word of the file's name's ending says.
fn load(rules: &str, program: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data/filters").join(rules);
    let path = path.canonicalize().unwrap();
    match program {
        "nft" => format!("nft -f '{}'", path.display()),
        restore => format!("{restore} '{}'", path.display()),
    }
}

/// Whether that script can run here; says why not.
fn can(script: &str) -> bool {
    if !is_root() {
        skip("network namespaces and rules are root's");
        return false;
    }
    let tried = shell(script, "true");
    if !tried.status.success() {
        skip(&format!("{script}: {}", String::from_utf8_lossy(&tried.stderr)));
    }
    tried.status.success()
}

/// Runs a command in a new network namespace after that script.
fn shell(script: &str, then: &str) -> Output {
    enter("unshare", "--net", &format!("{MACHINE}{script}\n{then}"))
}

fn enter(program: &str, namespace: &str, script: &str) -> Output {
    Command::new(program)
        .args([namespace, "--", "sh", "-c", script])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What the program says of one target there.
fn asked(script: &str, words: &str) -> (i32, TargetReport) {
    let output = shell(script, &format!("exec {PROC} {words} --json"));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut report: Report = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    (output.status.code().unwrap(), report.targets.remove(0))
}

/// The sentence and the place of the one redirect that is told of a free port.
fn redirected(script: &str, target: &str) -> (String, String) {
    let (code, report) = asked(script, &format!("on {target}"));
    assert_eq!((code, report.verdict), (1, Some(Verdict::Free)), "{report:#?}");
    let cause = report.causes.iter().find(|cause| cause.kind == CauseKind::Redirected);
    let cause = cause.unwrap_or_else(|| panic!("no redirect: {report:#?}"));
    assert!(cause.certain && cause.sockets.is_empty() && !cause.redirects.is_empty(), "{cause:#?}");
    let first = &cause.redirects[0];
    (cause.explain.clone(), format!("{}:{}", first.to.as_deref().unwrap_or("here"), first.to_port))
}

#[test]
fn each_filter_tells_where_a_published_port_leads() {
    for (rules, program, filter) in [
        ("docker.rules", "iptables-nft-restore", "nftables"),
        ("docker.rules", "iptables-legacy-restore", "iptables"),
    ] {
        let script = load(rules, program);
        if !can(&script) {
            continue;
        }
        let (explain, to) = redirected(&script, "tcp:8080");
        assert_eq!(to, "172.17.0.2:80");
        assert!(
            explain.contains(&format!(
                "no socket holds tcp:8080, so a bind works, but a rule of {filter} (ip nat, chain DOCKER) sends"
            )),
            "{explain}"
        );
        assert_eq!(redirected(&script, "127.0.0.1:8443").1, "172.17.0.2:443");
        assert_eq!(redirected(&script, "udp:5353").1, "172.17.0.2:53");
        let (_, report) = asked(&script, "on tcp:5353");
        assert!(report.causes.iter().all(|c| c.kind != CauseKind::Redirected), "{report:#?}");
    }
}

#[test]
fn ipv6_rules_are_read_too() {
    for program in ["ip6tables-nft-restore", "ip6tables-legacy-restore"] {
        let script = load("docker6.rules", program);
        if can(&script) {
            assert_eq!(redirected(&script, "tcp:8080").1, "fd00:17::2:80");
        }
    }
}

#[test]
fn the_container_and_the_service_are_named() {
    for program in ["iptables-nft-restore", "iptables-legacy-restore"] {
        let script = load("netavark.rules", program);
        if can(&script) {
            let (explain, to) = redirected(&script, "tcp:8080");
            assert_eq!(to, "10.88.0.2:80");
            assert!(explain.contains("(container fd587b72fe45"), "{explain}");
        }
        let script = load("cni.rules", program);
        if can(&script) {
            assert_eq!(redirected(&script, "tcp:8081").1, "10.4.0.5:81");
        }
        let script = load("kube.rules", program);
        if can(&script) {
            let (explain, to) = redirected(&script, "tcp:30080");
            assert_eq!(to, "10.244.0.5:8080");
            assert!(explain.contains("a Kubernetes NodePort for default/web sends"), "{explain}");
        }
    }
    for (rules, port, want) in [
        ("kube.nft", "tcp:30080", "10.244.0."),
        ("netavark.nft", "tcp:8080", "10.88.0.2:80"),
        ("netavark.nft", "127.0.0.1:8443", "10.88.0.2:443"),
        ("by-hand.nft", "tcp:65535", "here:3000"),
        ("by-hand.nft", "tcp:7002", "10.0.0.4:72"),
        ("by-hand.nft", "tcp:7777", "here:7778"),
    ] {
        let script = load(rules, "nft");
        if can(&script) {
            let to = redirected(&script, port).1;
            assert!(to.starts_with(want), "{rules} {port}: {to}");
        }
    }
}

#[test]
fn nothing_is_done_about_a_rule_and_what_ends_it_is_told() {
    let script = load("by-hand.nft", "nft");
    if !can(&script) {
        return;
    }
    let (code, report) = asked(&script, "free tcp:2222 --yes");
    assert_eq!((code, report.outcome), (0, Some(Outcome::AlreadyFree)), "{report:#?}");
    assert!(report.plan.is_empty() && report.events.is_empty(), "{report:#?}");
    let note = report.notes.iter().find(|note| note.contains("what would end that"));
    let note = note.unwrap_or_else(|| panic!("nothing said: {report:#?}"));
    assert!(note.contains("nft delete rule inet nat prerouting handle "), "{note}");

    // The command does what it says.
    let argv = note.split("what would end that: ").nth(1).unwrap();
    let (_, report) = asked(&format!("{script}\n{argv}"), "on tcp:2222");
    assert!(report.causes.iter().all(|c| c.kind != CauseKind::Redirected), "{report:#?}");
}

#[test]
fn a_server_behind_a_rule_is_told_what_it_misses() {
    let script = load("kube.nft", "nft");
    if !can(&script) {
        return;
    }
    // The server lives in a network namespace of its own: the rules go there.
    let server = Actor::spawn(&["hold-netns", "--port", "30080"]);
    let namespace = format!("--net=/proc/{}/ns/net", server.pid());
    let command = format!("{MACHINE}{script}\nexec {PROC} why tcp:30080 --json");
    let output = enter("nsenter", &namespace, &command);
    let report: Report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let report = &report.targets[0];
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    assert!(report.causes.iter().all(|c| c.kind != CauseKind::Redirected), "{report:#?}");
    let note = report.notes.iter().find(|note| note.contains("the server here gets"));
    let note = note.unwrap_or_else(|| panic!("no note: {report:#?}"));
    assert!(note.starts_with("a Kubernetes NodePort for default/web sends"), "{note}");
    assert!(note.ends_with("the server here gets only what this machine itself sends"), "{note}");
}

#[test]
fn who_may_not_read_the_rules_is_told_so_only_where_there_may_be_some() {
    let script = load("by-hand.nft", "nft");
    if !can(&script) {
        return;
    }
    let public = Public::new("redirected");
    let nobody = unprivileged_uid();
    let gaps = |script: &str| {
        let run = format!(
            "exec setpriv --reuid {nobody} --regid {nobody} --clear-groups {} on tcp:2222 --json",
            public.path().display()
        );
        let output = shell(script, &run);
        let report: Report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let report = &report.targets[0];
        assert!(report.causes.iter().all(|c| c.kind != CauseKind::Redirected), "{report:#?}");
        report.gaps.iter().any(|gap| gap.what.contains("rules of the packet filter"))
    };
    assert!(!gaps(&script), "an ordinary machine has no bridge of containers");
    assert!(gaps(&format!("{script}\nip link add docker0 type bridge")));
}

#[test]
fn a_reserved_port_is_drawn_for_nobody_and_can_be_bound() {
    let script = "echo 40000-40001 > /proc/sys/net/ipv4/ip_local_reserved_ports";
    if !can(script) {
        return;
    }
    let (code, report) = asked(script, "why tcp:40000");
    assert_eq!((code, report.verdict), (1, Some(Verdict::Free)), "{report:#?}");
    assert!(report.bind.iter().all(|row| row.plain == "ok"), "{report:#?}");
    assert!(report.causes.is_empty(), "{report:#?}");
    let said = |report: &TargetReport| {
        report
            .notes
            .iter()
            .any(|note| note.starts_with("net.ipv4.ip_local_reserved_ports has 40000"))
    };
    assert!(said(&report), "{report:#?}");
    // Only where the kernel would draw it, and only for who asks why.
    assert!(!said(&asked(script, "on tcp:40000").1));
    assert!(!said(&asked(script, "why tcp:40002").1));
}
