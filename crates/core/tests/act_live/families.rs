//! Ports held by several processes, by two transports or on two addresses, and holders that come
//! back.

use super::*;

#[test]
fn a_child_that_inherited_is_asked_too() {
    let actor = orphan(&["inherit", "--keep-parent"]);
    let child = actor.children()[0];
    let report = KILL.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    // The topmost first; the child in person, since it did not follow.
    assert_eq!(done_to(&report, "asked"), [actor.pid(), child]);
    assert!(ends(actor.pid()) && ends(child) && binds(actor.port()));
    assert!(!kinds(&report).contains(&"forced"));
}

#[test]
fn a_child_whose_parent_is_gone_is_asked_alone() {
    let actor = Actor::spawn(&["inherit"]);
    assert!(actor.wait_exit(SOON));
    let child = actor.children()[0];
    let report = FREE.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [child]);
    assert!(at(&report, "freed") < 1_000, "nobody could start it again: {report:#?}");
    assert!(ends(child) && binds(actor.port()));
}

#[test]
fn a_program_that_was_leaked_the_socket_is_asked_too() {
    let actor = orphan(&["exec-inherit"]);
    let sleep = actor.children()[0];
    let report = FREE.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid(), sleep]);
    assert!(ends(sleep) && binds(actor.port()));
}

#[test]
fn workers_follow_their_master() {
    for count in ["1", "4"] {
        let actor = orphan(&["workers", count]);
        let report = FREE.on(&tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert_eq!(done_to(&report, "asked"), [actor.pid()], "workers are not asked: {report:#?}");
        assert!(actor.children().into_iter().all(ends) && binds(actor.port()));
    }
}

#[test]
fn a_shared_port_is_freed_of_all_its_sockets() {
    let actor = orphan(&["shared", "3"]);
    let report = FREE.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked")[0], actor.pid());
    assert!(actor.children().into_iter().all(ends) && binds(actor.port()));
    // Servers that know nothing of each other.
    let first = orphan(&["listen", "--reuse-port"]);
    let port = first.port().to_string();
    let second = orphan(&["listen", "--reuse-port", "--port", &port]);
    let report = FREE.on(&tcp(&first));
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(first.pid()) && ends(second.pid()) && binds(first.port()));
}

#[test]
fn who_comes_back_is_told_with_who_brought_it() {
    let case = |delay: u32, ask: Ask| {
        let delay = delay.to_string();
        let actor = orphan(&["supervise", "--delay", &delay, "--", "listen"]);
        let first = actor.number::<u32>("child");
        let report = ask.on(&tcp(&actor));
        assert_outcome(&report, Outcome::Respawned);
        assert_eq!(done_to(&report, "asked"), [first], "the supervisor is not asked");
        assert_says(&report, &format!("(pid {})", actor.pid()));
        assert!(lives(actor.pid()));
        let second = done_to(&report, "respawned");
        assert_eq!(procfs::children(actor.pid()), second, "{report:#?}");
        assert_ne!(second, [first]);
    };
    at_once(&[&|| case(0, KILL), &|| case(100, KILL), &|| case(600, FREE), &|| case(1000, STOP)]);
}

#[test]
fn a_parent_that_brings_nothing_back_costs_a_wait_and_no_more() {
    let actor = Actor::spawn(&["listen"]);
    let report = KILL.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    // This test is the parent and might have.
    assert!(at(&report, "freed") >= 1_000, "{report:#?}");
    assert_says(&report, "may start it again");
}

#[test]
fn both_transports_of_one_process_are_given_back() {
    let actor = orphan(&["reservation"]);
    let report = FREE.on(&format!(":{}", actor.port()));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid()]);
    assert!(binds(actor.port()));
    assert!(binds_at(Ipv4Addr::UNSPECIFIED, actor.port(), false, SocketType::DGRAM));
}

#[test]
fn a_stranger_on_the_udp_side_is_reported_and_left_alone() {
    let server = orphan(&["listen"]);
    let port = server.port().to_string();
    let stranger = orphan(&["udp", "--port", &port]);
    let report = KILL.on(&format!(":{port}"));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [server.pid()]);
    assert_says(&report, &format!("udp:{port}"));
    assert!(lives(stranger.pid()) && binds(server.port()));
    // Now that only UDP holds it, the port means that.
    let report = KILL.on(&format!(":{port}"));
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(stranger.pid()));
}

#[test]
fn one_transport_means_one() {
    let tcp = orphan(&["listen"]);
    let port = tcp.port().to_string();
    let udp = orphan(&["udp", "--port", &port]);
    assert_outcome(&KILL.on(&format!("udp:{port}")), Outcome::Freed);
    assert!(ends(udp.pid()) && lives(tcp.pid()));
    assert_outcome(&KILL.on(&format!("udp:{port}")), Outcome::AlreadyFree);
    assert!(lives(tcp.pid()));
}

#[test]
fn one_address_means_one() {
    let four = orphan(&["listen"]);
    let port = four.port().to_string();
    let six = orphan(&["listen", "--addr", "::1", "--port", &port]);
    let report = KILL.on(&format!("127.0.0.1:{port}"));
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(four.pid()) && lives(six.pid()));
    let report = KILL.on(&format!("127.0.0.1:{port}"));
    assert_outcome(&report, Outcome::AlreadyFree);
    assert!(lives(six.pid()));
    let report = KILL.on(&format!("[::1]:{port}"));
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(six.pid()));
}

#[test]
fn several_targets_get_an_answer_each() {
    let (one, two) = (orphan(&["two-ports"]), orphan(&["listen"]));
    let second = one.number::<u16>("second");
    let words = format!("tcp:{} tcp:{second} {} pid:4194303", one.port(), tcp(&two));
    let mut asked = 0;
    let consent = || {
        asked += 1;
        Consent::Yes
    };
    let reports = KILL.by(&LiveHost::default(), &words, consent, |_| {});
    let outcomes: Vec<Outcome> = reports.iter().map(|report| report.outcome.unwrap()).collect();
    let want = [Outcome::Freed, Outcome::Freed, Outcome::Freed, Outcome::NotFound];
    assert_eq!(outcomes, want, "{reports:#?}");
    assert_eq!(asked, 1, "one question for all");
    assert!(binds(one.port()) && binds(second) && binds(two.port()));
    assert_eq!(reports.iter().flat_map(|r| done_to(r, "asked")).count(), 2, "{reports:#?}");
}

#[test]
fn two_at_once_both_end_well() {
    for _ in 0..5 {
        let actor = orphan(&["listen", "--term", "exit-after:40"]);
        let run = || {
            let report = FREE.on(&tcp(&actor));
            let outcome = report.outcome.unwrap();
            // A child that another test is starting has, until its exec, a copy of whatever this
            // process probes with at that moment: then the port seems to be held from here.
            let from_here = report.processes.iter().any(|holder| holder.pid == std::process::id());
            let ended_well = matches!(outcome, Outcome::Freed | Outcome::AlreadyFree);
            assert!(ended_well || from_here, "{report:#?}");
        };
        at_once(&[&run, &run, &run]);
        assert!(binds(actor.port()));
    }
}
