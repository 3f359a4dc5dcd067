//! One holder, and each way in which it may or may not let go.

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::*;

#[test]
fn who_obeys_is_asked_once_and_the_port_can_be_bound() {
    for ask in [FREE, KILL, STOP] {
        let actor = orphan(&["listen"]);
        let report = ask.on(&tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert!(binds(actor.port()));
        assert_eq!(done_to(&report, "asked"), [actor.pid()]);
        assert_eq!(kinds(&report).last(), Some(&"freed"));
        assert!(!kinds(&report).contains(&"forced"), "{report:#?}");
        // Nobody could start it again, so nobody waits for that (1.6 s).
        assert!(at(&report, "freed") < 1_000, "{report:#?}");
        assert!(ends(actor.pid()));
    }
}

#[test]
fn who_ignores_the_question_is_forced_only_after_the_grace() {
    for ask in [FREE, KILL] {
        let actor = orphan(&["listen", "--term", "ignore"]);
        let report = ask.on(&tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert_eq!(done_to(&report, "asked"), [actor.pid()]);
        assert_eq!(done_to(&report, "forced"), [actor.pid()]);
        assert!(at(&report, "forced") >= GRACE.as_millis() as u64, "{report:#?}");
        assert!(binds(actor.port()) && ends(actor.pid()));
    }
}

#[test]
fn stop_never_forces() {
    let actor = orphan(&["listen", "--term", "ignore"]);
    let report = STOP.within(2 * GRACE).on(&tcp(&actor));
    assert_outcome(&report, Outcome::StillHeld);
    assert_says(&report, &format!("(pid {})", actor.pid()));
    assert_says(&report, "proc kill");
    assert_eq!(kinds(&report), ["asked"]);
    assert!(lives(actor.pid()) && !binds(actor.port()));
}

#[test]
fn now_is_at_once() {
    let actor = orphan(&["listen", "--term", "ignore"]);
    let report = KILL.grace(SOON).at_once().on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "forced"), [actor.pid()]);
    assert!(!kinds(&report).contains(&"asked"));
    assert!(at(&report, "forced") < SOON.as_millis() as u64);
}

#[test]
fn another_signal_asks_where_it_is_named() {
    let actor = orphan(&["listen", "--term", "ignore"]);
    let mut ask = STOP;
    ask.limits.signal = 2;
    let report = ask.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert!(report.events[0].explain.contains("SIGINT"), "{report:#?}");
}

#[test]
fn who_closes_the_port_and_lives_on_is_left_alone() {
    let actor = orphan(&["listen", "--term", "drain:20000"]);
    let report = KILL.grace(SOON).on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid()]);
    assert!(at(&report, "freed") < SOON.as_millis() as u64, "{report:#?}");
    assert!(lives(actor.pid()) && binds(actor.port()));
}

#[test]
fn connections_are_drained_in_peace() {
    let actor = orphan(&["listen", "--accept", "--reuse-addr", "--term", "drain:20000"]);
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, actor.port())).unwrap();
    assert!(client.read(&mut [0; 64]).unwrap() > 0);
    let report = FREE.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert!(lives(actor.pid()) && binds_reusing(actor.port()));
    assert_says(&report, "still ending its connections");
    client.set_nonblocking(true).unwrap();
    let open = client.read(&mut [0]).unwrap_err();
    assert_eq!(open.kind(), std::io::ErrorKind::WouldBlock, "the connection is open");
}

#[test]
fn connections_that_stop_every_bind_are_waited_for() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing connections needs root");
    }
    // Without SO_REUSEADDR the connections themselves keep the port.
    let actor = orphan(&["listen", "--accept", "--term", "close-then-drain:900"]);
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, actor.port())).unwrap();
    assert!(client.read(&mut [0; 64]).unwrap() > 0);
    let (report, took) = took(|| KILL.on(&tcp(&actor)));
    assert_outcome(&report, Outcome::Freed);
    assert!(!kinds(&report).contains(&"forced"), "{report:#?}");
    assert!(took >= Duration::from_millis(800), "{took:?}");
    assert!(binds(actor.port()), "{report:#?}");
    drop(client);

    let actor = orphan(&["listen", "--accept", "--term", "drain:20000"]);
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, actor.port())).unwrap();
    assert!(client.read(&mut [0; 64]).unwrap() > 0);
    let report = KILL.within(GRACE * 4 / 3).on(&tcp(&actor));
    assert_outcome(&report, Outcome::StillHeld);
    assert_says(&report, &format!("{}", actor.pid()));
    assert!(lives(actor.pid()) && !binds(actor.port()));
}

#[test]
fn an_end_that_takes_its_time_is_waited_for() {
    let actor = orphan(&["listen", "--term", "exit-after:300"]);
    let report = KILL.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert!(!kinds(&report).contains(&"forced"), "{report:#?}");
    assert!(at(&report, "freed") >= 300 && binds(actor.port()));

    let actor = orphan(&["listen", "--memory", "500"]);
    let report = KILL.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert!(binds(actor.port()));
}

#[test]
fn who_was_stopped_is_continued_to_answer() {
    let actor = orphan(&["stopped"]);
    assert!(wait_until(SOON, || procfs::state(actor.pid()) == Some('T')));
    let report = KILL.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(kinds(&report)[..2], ["asked", "continued"]);
    assert!(!kinds(&report).contains(&"forced"), "{report:#?}");
    assert!(binds(actor.port()));
}

/// However the socket is held, it is found, checked and given back.
#[test]
fn every_way_of_holding_ends() {
    let ways: [&[&str]; 8] = [
        &["bound"],
        &["bound", "--reuse-addr"],
        &["dead-leader"],
        &["thread-table"],
        &["mmap"],
        &["io-uring"],
        &["mptcp"],
        &["close-wait"],
    ];
    let case = |args: &[&str]| {
        if args[0] == "io-uring" && !has_io_uring() {
            return proc_testkit::skip("io_uring is switched off here");
        }
        let actor = orphan(args);
        let report = KILL.on(&tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert!(binds(actor.port()), "{args:?} {report:#?}");
        assert_eq!(done_to(&report, "asked"), [actor.pid()], "{args:?} {report:#?}");
        assert!(!kinds(&report).contains(&"forced"), "{args:?} {report:#?}");
        assert!(ends(actor.pid()), "{args:?}");
    };
    std::thread::scope(|scope| {
        for way in ways {
            scope.spawn(move || case(way));
        }
    });
}

fn has_io_uring() -> bool {
    let off = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    !matches!(off.trim(), "1" | "2") && std::path::Path::new("/proc/kallsyms").exists()
}

#[test]
fn udp_ends_as_well() {
    for args in [&["udp"][..], &["udp", "--reuse-addr"]] {
        let actor = orphan(args);
        let report = FREE.on(&format!("udp:{}", actor.port()));
        assert_outcome(&report, Outcome::Freed);
        assert!(binds_at(Ipv4Addr::UNSPECIFIED, actor.port(), false, SocketType::DGRAM));
        assert!(ends(actor.pid()));
    }
}

#[test]
fn clients_are_nobody_s_holders() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing connections needs root");
    }
    let server = orphan(&["listen", "--accept"]);
    let port = server.port().to_string();
    let client = orphan(&["clients", "3", "--port", &port]);
    let report = KILL.on(&tcp(&server));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [server.pid()]);
    assert!(lives(client.pid()));
    // What its end left is cleared where that is allowed, so that any server can bind.
    assert!(binds(server.port()), "{report:#?}");
}

#[test]
fn an_ordinary_user_s_next_server_needs_so_reuseaddr_and_is_told() {
    let user = unprivileged_uid().to_string();
    let server = orphan(&["listen", "--accept", "--reuse-addr", "--uid", &user]);
    let port = server.port().to_string();
    let client = orphan(&["clients", "--port", &port, "--uid", &user]);
    let report = as_user(&KILL, &tcp(&server));
    assert_outcome(&report, Outcome::Freed);
    assert_says(&report, "SO_REUSEADDR");
    assert!(binds_reusing(server.port()) && !binds(server.port()));
    assert!(lives(client.pid()) && ends(server.pid()));
}

#[test]
fn processes_are_ended_by_number_and_by_name() {
    let actor = orphan(&["listen"]);
    let report = KILL.on(&format!("pid:{}", actor.pid()));
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(actor.pid()));
    let report = KILL.on(&format!("pid:{}", actor.pid()));
    assert_outcome(&report, Outcome::NotFound);
    // A number that is only a process is one; afterwards the answer names the port's form.
    let actor = orphan(&["listen"]);
    assert_outcome(&KILL.on(&actor.pid().to_string()), Outcome::Freed);
    assert!(ends(actor.pid()));
    let report = KILL.on(&actor.pid().to_string());
    assert_outcome(&report, Outcome::NotFound);
    assert_says(&report, &format!(":{}", actor.pid()));

    let name = format!("$(x)\"'{}", std::process::id());
    let named = orphan(&["listen", "--name", &name]);
    let bystander = orphan(&["listen"]);
    let report = KILL.on(&name);
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(named.pid()) && lives(bystander.pid()));
    assert_outcome(&KILL.on(&name), Outcome::NotFound);
}

#[test]
fn a_process_that_ignores_the_question_is_forced_too() {
    let actor = orphan(&["listen", "--term", "ignore"]);
    let target = format!("pid:{}", actor.pid());
    assert_outcome(&STOP.within(Duration::from_millis(200)).on(&target), Outcome::StillHeld);
    assert!(lives(actor.pid()));
    let report = KILL.on(&target);
    assert_outcome(&report, Outcome::Freed);
    assert!(at(&report, "forced") >= GRACE.as_millis() as u64);
}

/// A directory that goes away with the test.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("act-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn unix_sockets_are_given_back_with_their_file() {
    let directory = Scratch::new("unix");
    for (ask, left) in [(FREE, false), (KILL, false), (STOP, true)] {
        for prefix in ["", "unix:"] {
            let path = directory.join("live.sock");
            let actor = orphan(&["unix", &path]);
            let client = UnixStream::connect(&path).unwrap();
            let report = ask.on(&format!("{prefix}{path}"));
            assert_outcome(&report, Outcome::Freed);
            assert_eq!(done_to(&report, "asked"), [actor.pid()]);
            assert!(ends(actor.pid()));
            // The server did not remove its file, and a bind would fail for it.
            assert_eq!(std::fs::exists(&path).unwrap(), left, "{report:#?}");
            if left {
                assert_says(&report, "proc free");
                std::fs::remove_file(&path).unwrap();
            }
            drop(client);
        }
    }
    let name = format!("unix:@act-{}", std::process::id());
    let actor = orphan(&["unix", name.strip_prefix("unix:").unwrap()]);
    assert_outcome(&FREE.on(&name), Outcome::Freed);
    assert!(ends(actor.pid()));
}

#[test]
fn a_stale_socket_file_is_removed_by_free_alone() {
    let directory = Scratch::new("stale");
    for prefix in ["", "unix:"] {
        let path = directory.join("stale.sock");
        let actor = Actor::spawn(&["stale-unix", &path]);
        assert!(actor.wait_exit(SOON));
        for ask in [KILL, STOP] {
            let report = ask.on(&format!("{prefix}{path}"));
            assert_outcome(&report, Outcome::StillHeld);
            assert_says(&report, "proc free");
            assert!(std::fs::exists(&path).unwrap());
        }
        let report = FREE.on(&format!("{prefix}{path}"));
        assert_outcome(&report, Outcome::Freed);
        assert_eq!(kinds(&report), ["removed"]);
        assert!(!std::fs::exists(&path).unwrap());
    }
    // An ordinary file is nobody's socket and stays.
    let path = directory.join("file");
    std::fs::write(&path, "kept").unwrap();
    assert_outcome(&FREE.on(&path), Outcome::NotFound);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
}

#[test]
fn a_stale_file_that_is_served_again_stays() {
    let directory = Scratch::new("again");
    let path = directory.join("x.sock");
    let actor = Actor::spawn(&["stale-unix", &path]);
    assert!(actor.wait_exit(SOON));
    let mut next = None;
    let report = FREE.with(&path, || {
        std::fs::remove_file(&path).unwrap();
        next = Some(Actor::spawn(&["unix", &path]));
        Consent::Yes
    });
    assert_outcome(&report, Outcome::TakenByAnother);
    assert!(UnixStream::connect(&path).is_ok() && next.unwrap().alive());
}
