//! Whole runs of what only looks: `on`, `why`, `check`, `ports` against actors.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::time::{Duration, Instant};

use live::*;
use proc_core::diagnosis::{CauseKind, Verdict};

#[test]
fn on_and_why_name_the_holder() {
    let actor = orphan(&["listen"]);
    let port = actor.port();
    for words in [format!(":{port}"), format!("on :{port}"), format!("why :{port}")] {
        let ran = run(&words);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
        assert!(ran.out.starts_with(&format!(":{port} is held by actor (pid {})", actor.pid())));
    }
    for command in ["on", "why"] {
        let report = run(&format!("{command} --json tcp:{port}")).one();
        assert_eq!(report.verdict, Some(Verdict::Held));
        assert_eq!(report.causes[0].kind, CauseKind::Listener);
        assert_eq!(report.causes[0].pids, [actor.pid()]);
        assert_eq!(report.sockets[0].inode, Some(actor.inode()));
        assert_eq!(report.processes[0].pid, actor.pid());
        assert!(report.outcome.is_none() && report.events.is_empty());
    }
    let ran = run(&format!("why :{port}"));
    assert!(ran.out.contains("EADDRINUSE") && ran.out.contains("SO_REUSEADDR"), "{ran:?}");
    assert!(ran.out.contains(&format!("→ actor ({})", actor.pid())), "the ancestors: {ran:?}");
}

#[test]
fn pids_and_quiet() {
    let actor = orphan(&["workers", "2"]);
    let port = actor.port();
    let ran = run(&format!("on --pids tcp:{port}"));
    let mut want = [vec![actor.pid()], actor.children()].concat();
    want.retain(|pid| procfs::holds(*pid, actor.inode()));
    want.sort_unstable();
    want.dedup();
    let mut pids: Vec<u32> = ran.out.lines().map(|line| line.parse().unwrap()).collect();
    pids.sort_unstable();
    assert_eq!((ran.code, pids), (0, want));
    let ran = run(&format!("--pids tcp:{port}"));
    assert_eq!(ran.code, 0);
    for (words, code) in [(format!("on -q tcp:{port}"), 0), (format!("check -q tcp:{port}"), 1)] {
        let ran = run(&words);
        assert_eq!((ran.code, &*ran.out, &*ran.err), (code, "", ""));
    }
    let ran = run(&format!("on --pids tcp:{}", free_port()));
    assert_eq!((ran.code, &*ran.out), (1, ""));
}

#[test]
fn what_is_free_is_no() {
    let port = free_port();
    let ran = run(&format!(":{port}"));
    assert_eq!((ran.code, ran.out.trim()), (1, &*format!(":{port} is free")));
    let report = run(&format!("on --json :{port}"));
    assert_eq!((report.code, report.one().verdict), (1, Some(Verdict::Free)));
    for (words, code) in [
        ("on pid:4194303", 1),
        ("on 4194303", 1),
        ("on no-such-name-anywhere", 1),
        ("on /no/such/file", 1),
        ("on unix:@no-such-name", 1),
        ("on :0", 2),
        ("on :70000", 2),
        ("on :9-5", 2),
        ("check node", 2),
    ] {
        let ran = run(words);
        assert_eq!(ran.code, code, "{words}: {ran:?}");
        assert!(!format!("{}{}", ran.out, ran.err).is_empty());
    }
}

#[test]
fn check_is_the_kernel_s_word() {
    let actor = orphan(&["listen"]);
    let (held, free) = (actor.port(), free_port());
    for (words, code) in [
        (format!("check :{free}"), 0),
        (format!("check :{held}"), 1),
        (format!("check :{held} --reuse-addr"), 1),
        (format!("check :{held} --udp"), 0),
        (format!("check udp:{held}"), 0),
        (format!("check :{held} --address ::1"), 0),
        (format!("check :{held} --address 127.0.0.1"), 1),
        (format!("check 127.0.0.1:{free}"), 0),
        (format!("check :{free} :{held}"), 1),
        (format!("check :{free} --address 192.0.2.1"), 1),
    ] {
        assert_eq!(run(&words).code, code, "{words}");
        assert_eq!(run(&format!("{words} --json")).report().ok, code == 0, "{words}");
    }
    // Remains of a server that set SO_REUSEADDR let the next one by that does.
    let actor = Actor::spawn(&["time-wait", "--reuse-addr"]);
    assert_eq!(run(&format!("check :{}", actor.port())).code, 1);
    assert_eq!(run(&format!("check --reuse-addr :{}", actor.port())).code, 0);
    let ran = run(&format!("on --json tcp:{}", actor.port()));
    assert_eq!((ran.code, ran.one().verdict), (0, Some(Verdict::Lingering)));
}

#[test]
fn ports_lists_what_listens() {
    let actor = orphan(&["two-ports"]);
    let udp = orphan(&["udp"]);
    let second = actor.number::<u16>("second");
    let words = format!("ports tcp:{} tcp:{second} udp:{}", actor.port(), udp.port());
    let report = run(&format!("{words} --json")).ports();
    let mut locals: Vec<&str> = report.sockets.iter().map(|socket| &*socket.local).collect();
    locals.sort_unstable();
    let mut want = [actor.port(), second, udp.port()].map(|port| format!("127.0.0.1:{port}"));
    want.sort_unstable();
    assert_eq!(locals, want);
    assert_eq!(report.processes.len(), 2);
    let ran = run(&words);
    assert_eq!((ran.code, ran.out.matches(&format!("{}", actor.pid())).count() >= 2), (0, true));
    let report = run("ports --json").ports();
    assert!(report.sockets.iter().any(|socket| socket.inode == Some(actor.inode())));
    let ran = run(&format!("ports tcp:{}", free_port()));
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn a_number_that_is_both_shows_both() {
    let process = orphan(&["listen"]);
    let number = process.pid();
    let port = number.to_string();
    if !(1024..65536).contains(&number)
        || std::net::TcpListener::bind(("127.0.0.1", number as u16)).is_err()
    {
        return; // no port can have that number now
    }
    let holder = orphan(&["listen", "--port", &port]);
    let ran = run(&format!("--json {number}"));
    let report = ran.one();
    let pids: Vec<u32> = report.processes.iter().map(|process| process.pid).collect();
    assert_eq!((ran.code, &*pids), (0, &[process.pid(), holder.pid()][..]));
    assert!(report.notes[0].contains(&format!("pid:{number}")), "{report:#?}");
}

#[test]
fn several_targets_and_ranges() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("it makes namespaces, which needs root");
    }
    let (one, two) = (orphan(&["listen"]), orphan(&["listen"]));
    let free = free_port();
    let ran = run(&format!("on --json tcp:{},tcp:{} tcp:{free}", one.port(), two.port()));
    let verdicts: Vec<_> = ran.report().targets.iter().map(|t| t.verdict.unwrap()).collect();
    assert_eq!((ran.code, &*verdicts), (1, &[Verdict::Held, Verdict::Held, Verdict::Free][..]));
    let ran = run(&format!("on -q tcp:{} tcp:{}", one.port(), two.port()));
    assert_eq!(ran.code, 0);
    // A thousand ports, as a range and one by one, in a world where nobody minds a probe.
    let start = Instant::now();
    let ran = in_world(
        "\"$PROC\" on -q :20000-20999 && exit 9; test $? = 1
         \"$PROC\" on --json $(seq -f :%g 20000 20999) >/dev/null && exit 9; test $? = 1
         \"$PROC\" on -q $(seq -f :%g 20000 20999 | paste -sd,) && exit 9; test $? = 1",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn an_ordinary_user_is_told_whose_it_is() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let proc = Public::new("on");
    let (user, actor) = (unprivileged_uid().to_string(), orphan(&["listen"]));
    let ran = proc.run(&format!("on --json tcp:{}", actor.port()));
    let report = ran.one();
    assert_eq!((ran.code, report.causes[0].kind), (0, CauseKind::HiddenHolder));
    assert!(report.sockets[0].hidden && report.causes[0].explain.contains("root"));
    assert!(report.gaps.iter().any(|gap| gap.cure.as_deref() == Some("sudo")), "{report:#?}");
    let ran = proc.run(&format!("on tcp:{}", actor.port()));
    assert!(ran.out.contains("sudo proc on"), "{ran:?}");
    let own = orphan(&["listen", "--uid", &user]);
    let ran = proc.run(&format!("on --pids tcp:{}", own.port()));
    assert_eq!((ran.code, ran.out.trim()), (0, &*own.pid().to_string()));
    let ran = proc.run("on --json :81");
    assert_eq!((ran.code, ran.one().verdict), (3, Some(Verdict::Denied)), "{ran:?}");
    assert_eq!(proc.run("check :81").code, 1);
}
