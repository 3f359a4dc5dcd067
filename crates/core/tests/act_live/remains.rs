//! Ports kept without a listener: connections of others, and what ended connections left.

use super::*;

#[test]
fn a_connection_that_drew_the_port_is_closed_and_its_program_lives() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing connections needs root");
    }
    for ask in [FREE, KILL] {
        let actor = orphan(&["outgoing"]);
        let server = actor.children()[0];
        let report = ask.on(&tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert_untouched(&report);
        assert!(kinds(&report).contains(&"destroyed"), "{report:#?}");
        assert!(lives(actor.pid()) && lives(server) && binds(actor.port()));
    }
    let actor = orphan(&["outgoing"]);
    let report = STOP.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Refused);
    assert!(lives(actor.pid()) && !binds(actor.port()));
}

#[test]
fn a_program_that_chose_the_port_keeps_it_without_its_connection() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing connections needs root");
    }
    // What bound the port itself stays bound when its connection is closed (SOCK_BINDPORT_LOCK).
    let port = proc_testkit::free_port().to_string();
    for role in ["self-connect", "outgoing"] {
        let actor = orphan(&[role, "--port", &port]);
        let report = FREE.on(&tcp(&actor));
        assert_outcome(&report, Outcome::StillHeld);
        assert_says(&report, &format!("pid {}", actor.pid()));
        assert!(lives(actor.pid()) && !binds(actor.port()));
        assert!(report.events.last().unwrap().at_ms < 1_000, "no wait in vain: {report:#?}");
        // Now it holds the port and is asked for it.
        assert_outcome(&FREE.on(&tcp(&actor)), Outcome::Freed);
        assert!(ends(actor.pid()));
    }
}

#[test]
fn an_ordinary_user_s_connection_is_left_alone() {
    let user = unprivileged_uid().to_string();
    let actor = orphan(&["outgoing", "--uid", &user]);
    for ask in [FREE, KILL, STOP] {
        let report = as_user(&ask, &tcp(&actor));
        assert_outcome(&report, Outcome::Denied);
        assert_says(&report, "sudo proc free");
        assert!(report.events.is_empty(), "{report:#?}");
        assert!(lives(actor.pid()) && !binds(actor.port()));
    }
    // Named itself, it is ended.
    let report = as_user(&KILL, &format!("pid:{}", actor.pid()));
    assert_outcome(&report, Outcome::Freed);
}

#[test]
fn accepted_connections_without_a_listener() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing connections needs root");
    }
    let actor = orphan(&["accepted", "--count", "3"]);
    let report = FREE.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_untouched(&report);
    assert!(lives(actor.pid()) && binds(actor.port()), "{report:#?}");
    // `kill` signals who holds the port.
    let actor = orphan(&["accepted"]);
    let client = actor.children()[0];
    let report = KILL.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid()]);
    assert!(ends(actor.pid()) && lives(client) && binds(actor.port()), "{report:#?}");
    // An ordinary user may not close connections in the kernel: the softest left is to ask.
    let user = unprivileged_uid().to_string();
    let actor = orphan(&["accepted", "--reuse-addr", "--uid", &user]);
    let report = as_user(&FREE, &tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid()]);
    assert!(binds_reusing(actor.port()));
}

#[test]
fn time_wait_is_cleared() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing connections needs root");
    }
    for ask in [FREE, KILL] {
        let actor = Actor::spawn(&["time-wait", "--count", "5"]);
        assert!(!binds(actor.port()));
        let report = ask.on(&tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert_eq!(kinds(&report), ["destroyed", "freed"]);
        assert!(binds(actor.port()));
    }
    for address in ["127.0.0.1", "::1", "::"] {
        let actor = Actor::spawn(&["time-wait", "--count", "5", "--addr", address]);
        let report = as_user(&FREE, &tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert_eq!(kinds(&report), ["reset", "freed"]);
        assert!(binds(actor.port()));
    }
}

#[test]
fn stop_waits_for_time_wait_and_touches_nothing() {
    let actor = Actor::spawn(&["time-wait"]);
    let (report, took) = took(|| STOP.within(Duration::from_millis(300)).on(&tcp(&actor)));
    assert_outcome(&report, Outcome::Lingering);
    assert!(took >= Duration::from_millis(300) && took < SOON, "{took:?}");
    assert!(!binds(actor.port()));
}

#[test]
fn what_an_ordinary_user_cannot_clear_is_waited_for_within_the_timeout() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    in_world("remains::inner_rfc1337");
    let actor = orphan(&["fin-wait2-orphan"]);
    let ask = FREE.within(Duration::from_millis(400));
    let (report, took) = took(|| as_user(&ask, &tcp(&actor)));
    assert_outcome(&report, Outcome::Lingering);
    assert!(took >= Duration::from_millis(400) && took < SOON, "{took:?}");
    assert!(kinds(&report).contains(&"waiting"), "{report:#?}");
    assert_says(&report, "closed connections keep it");
    assert!(lives(actor.pid()));
}

/// Not a test of its own. With RFC 1337's protection on, a TIME-WAIT cannot be reset.
#[test]
#[ignore = "run in namespaces of its own"]
fn inner_rfc1337() {
    if std::process::id() > 20 {
        return; // not in namespaces
    }
    std::fs::write("/proc/sys/net/ipv4/tcp_rfc1337", "1").unwrap();
    let actor = Actor::spawn(&["time-wait"]);
    let report = as_user(&FREE.within(Duration::from_millis(300)), &tcp(&actor));
    assert_outcome(&report, Outcome::Lingering);
    assert!(!binds(actor.port()));
    assert_outcome(&FREE.on(&tcp(&actor)), Outcome::Freed);
    assert!(binds(actor.port()));
}

#[test]
fn connections_that_nobody_owns_are_destroyed() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing connections needs root");
    }
    for role in ["fin-wait2-orphan", "fin-wait1", "last-ack"] {
        for ask in [FREE, KILL] {
            let actor = orphan(&[role, "--count", "2"]);
            let report = ask.on(&tcp(&actor));
            assert_outcome(&report, Outcome::Freed);
            assert_eq!(kinds(&report), ["destroyed", "freed"], "{role}");
            assert!(lives(actor.pid()) && binds(actor.port()), "{role}");
        }
    }
}

#[test]
fn what_is_free_stays_so() {
    let port = proc_testkit::free_port();
    for ask in [FREE, KILL, STOP] {
        let never = || -> Consent { panic!("nothing is to be consented to") };
        let report = ask.with(&format!(":{port}"), never);
        assert_outcome(&report, Outcome::AlreadyFree);
        assert!(report.events.is_empty() && report.plan.is_empty());
    }
}
