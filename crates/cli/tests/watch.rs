//! Whole runs of `proc watch` against real sockets and actors: every change told, by whom, in
//! order; its ends; and what it refuses. What really happened is the measure, never the time.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use live::*;
use proc_core::report::{WatchEvent, WatchKind};
use rustix::process::{Pid, kill_process};

/// How long an event may take on a busy machine before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running watch and the events it has told.
struct Watching {
    child: Child,
    events: Receiver<WatchEvent>,
    seen: Vec<WatchEvent>,
}

impl Watching {
    fn start(words: &str) -> Self {
        let mut child = program()
            .arg("watch")
            .args(words.split_whitespace())
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                // Every line is one document of its own; unknown fields are refused.
                let event: WatchEvent = serde_json::from_str(&line.unwrap()).unwrap();
                assert!(!event.explain.is_empty() && event.schema == 1);
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { child, events, seen: Vec::new() }
    }

    /// The next event that is like this; the others are kept in `seen` too.
    #[track_caller]
    fn expect(&mut self, what: &str, is: impl Fn(&WatchEvent) -> bool) -> WatchEvent {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if is(&event) {
                        return event;
                    }
                }
                Err(error) => panic!("no {what} ({error}); seen: {:#?}", self.told()),
            }
        }
    }

    /// Reads on until it is so.
    #[track_caller]
    fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is(self) {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => self.seen.push(event),
                Err(error) => panic!("not {what} ({error}); seen: {:#?}", self.told()),
            }
        }
    }

    #[track_caller]
    fn kind(&mut self, kind: WatchKind) -> WatchEvent {
        self.expect(&format!("{kind:?}"), |event| event.kind == kind)
    }

    fn told(&self) -> Vec<String> {
        self.seen.iter().map(|event| format!("{:?}: {}", event.kind, event.explain)).collect()
    }

    fn count(&self, kind: WatchKind) -> usize {
        self.seen.iter().filter(|event| event.kind == kind && !event.initial).count()
    }

    fn signal(&self, signal: Signal) {
        // Our own child, not yet waited for: the number is still its.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ended, by itself.
    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        assert!(wait_until(PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        }));
        status.unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn local(event: &WatchEvent) -> &str {
    event.socket.as_ref().map_or("", |socket| &socket.local)
}

fn pid(event: &WatchEvent) -> Option<u32> {
    event.process.as_ref().map(|process| process.pid)
}

/// A UDP socket whose port is free in TCP too: the first line about it says that the watch has
/// begun, and the last that everything before was told.
fn anchor() -> (UdpSocket, u16) {
    loop {
        let anchor = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = anchor.local_addr().unwrap().port();
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return (anchor, port);
        }
    }
}

/// Watches the port of an anchor; begun.
fn watching(options: &str) -> (Watching, UdpSocket, u16) {
    let (anchor, port) = anchor();
    let mut watch = Watching::start(&format!(":{port} {options}"));
    let first = watch.kind(WatchKind::Listening);
    assert!(first.initial);
    assert_eq!(
        (first.target.unwrap(), &*first.socket.unwrap().local),
        (format!(":{port}"), &*format!("127.0.0.1:{port}"))
    );
    (watch, anchor, port)
}

#[test]
fn no_change_is_missed_at_a_hundred_a_second() {
    const ROUNDS: usize = 250;
    // Of an address that nobody else binds: ports of the usual ones may be drawn meanwhile.
    const PLACE: &str = "127.0.0.3";
    let (mut watch, anchor, port) = watching("");
    for _ in 0..ROUNDS {
        let round = Instant::now();
        let listener = TcpListener::bind((PLACE, port)).unwrap();
        thread::park_timeout(Duration::from_millis(5));
        drop(listener);
        thread::park_timeout(Duration::from_millis(10).saturating_sub(round.elapsed()));
    }
    drop(anchor);
    let place = format!("{PLACE}:{port}");
    let here = |event: &&WatchEvent| local(event) == place;
    // A listener that was opened late, on a busy machine, may have been too brief to be looked at.
    let told = |watch: &Watching, kind: WatchKind| {
        let either = |event: &&WatchEvent| [kind, WatchKind::Brief].contains(&event.kind);
        watch.seen.iter().filter(here).filter(either).count()
    };
    watch.until("all", |watch| {
        [WatchKind::Opened, WatchKind::Closed].iter().all(|kind| told(watch, *kind) >= ROUNDS)
    });
    assert_eq!(told(&watch, WatchKind::Opened), ROUNDS, "{:#?}", watch.told());
    assert_eq!(told(&watch, WatchKind::Closed), ROUNDS, "{:#?}", watch.told());
    let brief = watch.count(WatchKind::Brief);
    let opened = watch.seen.iter().filter(|event| event.kind == WatchKind::Opened);
    let named = opened.filter(|event| pid(event) == Some(std::process::id())).count();
    eprintln!("{ROUNDS} rounds: {brief} too brief, {named} named");
    assert!(watch.count(WatchKind::Gap) == 0);
    // In turn: nothing closes before it opened.
    let mut open = false;
    let row = |event: &WatchEvent| {
        let inode = event.socket.as_ref().and_then(|socket| socket.inode);
        format!("{} {:?} {inode:?}", event.at, event.kind)
    };
    let rows = |event| {
        let all: Vec<String> = watch.seen.iter().map(row).collect();
        format!("{}\nof {all:#?}", row(event))
    };
    for event in watch.seen.iter().filter(here) {
        match event.kind {
            WatchKind::Opened => assert!(!std::mem::replace(&mut open, true), "{}", rows(event)),
            WatchKind::Closed => assert!(std::mem::replace(&mut open, false), "{}", rows(event)),
            // A worker of the kernel's brings that news, and may be late.
            WatchKind::Brief => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_too_brief_to_be_seen_is_told_all_the_same() {
    const ROUNDS: usize = 300;
    let (mut watch, anchor, port) = watching("");
    for _ in 0..ROUNDS {
        drop(TcpListener::bind(("127.0.0.3", port)).unwrap());
        drop(UdpSocket::bind(("127.0.0.2", port)).unwrap());
    }
    drop(anchor);
    let told = |watch: &Watching, kind: WatchKind| {
        let here = |event: &&WatchEvent| {
            ["127.0.0.2", "127.0.0.3"].iter().any(|at| local(event) == format!("{at}:{port}"))
        };
        let either = |event: &&WatchEvent| [kind, WatchKind::Brief].contains(&event.kind);
        watch.seen.iter().filter(here).filter(either).count()
    };
    // A worker of the kernel's brings the news, and may be late.
    watch.until("all", |watch| {
        [WatchKind::Opened, WatchKind::Closed].iter().all(|kind| told(watch, *kind) >= 2 * ROUNDS)
    });
    assert_eq!(told(&watch, WatchKind::Closed), 2 * ROUNDS);
    assert_eq!(told(&watch, WatchKind::Opened), 2 * ROUNDS);
}

#[test]
fn a_restart_is_told_with_who_brought_it_back() {
    let actor = Actor::spawn(&["supervise", "--delay", "30", "--", "listen"]);
    let (port, first) = (actor.port(), actor.children()[0]);
    let mut watch = Watching::start(&format!("tcp:{port}"));
    assert_eq!(pid(&watch.kind(WatchKind::Listening)), Some(first));
    for _ in 0..2 {
        let victim = procfs::children(actor.pid())[0];
        kill_process(Pid::from_raw(victim as i32).unwrap(), Signal::KILL).unwrap();
        let closed = watch.kind(WatchKind::Closed);
        assert_eq!(pid(&closed), Some(victim));
        let again = watch.kind(WatchKind::Restarted);
        assert_eq!(again.from.unwrap().pid, victim);
        assert_eq!(again.by.unwrap().pid, Some(actor.pid()));
        assert!(again.after_ms.is_some() && again.process.unwrap().ppid == actor.pid());
        assert!(again.explain.contains(&format!("(pid {})", actor.pid())), "{}", again.explain);
    }
}

#[test]
fn a_port_changes_hands() {
    let actor = orphan(&["listen"]);
    let port = actor.port();
    let mut watch = Watching::start(&format!("tcp:{port}"));
    assert_eq!(pid(&watch.kind(WatchKind::Listening)), Some(actor.pid()));
    kill_process(Pid::from_raw(actor.pid() as i32).unwrap(), Signal::KILL).unwrap();
    assert!(ends(actor.pid()));
    let _own = TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert_eq!(pid(&watch.kind(WatchKind::Closed)), Some(actor.pid()));
    let changed = watch.kind(WatchKind::ChangedHands);
    assert_eq!(pid(&changed), Some(std::process::id()));
    assert_eq!(changed.from.unwrap().pid, actor.pid());
}

#[test]
fn an_inherited_listener_goes_to_the_child() {
    let actor = Actor::spawn(&["inherit", "--keep-parent"]);
    let (port, child) = (actor.port(), actor.children()[0]);
    let mut watch = Watching::start(&format!("tcp:{port}"));
    assert_eq!(pid(&watch.kind(WatchKind::Listening)), Some(actor.pid()));
    // That it hears of its end at once needs a hold on it, which it takes after the first line.
    actor.signal(Signal::KILL);
    let changed = watch.kind(WatchKind::ChangedHands);
    assert_eq!((changed.from.as_ref().unwrap().pid, pid(&changed)), (actor.pid(), Some(child)));
    kill_process(Pid::from_raw(child as i32).unwrap(), Signal::KILL).unwrap();
    assert_eq!(pid(&watch.kind(WatchKind::Closed)), Some(child));
}

#[test]
fn every_family_and_several_targets() {
    let (mut watch, _anchor, port) = watching("");
    let families = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        // Found by the whole look alone.
        IpAddr::V4(Ipv4Addr::new(127, 9, 9, 9)),
    ];
    for address in families {
        let listener = TcpListener::bind((address, port)).unwrap();
        let local = listener.local_addr().unwrap().to_string();
        let opened = watch.expect(&local, |event| {
            event.kind == WatchKind::Opened && event.socket.as_ref().unwrap().local == local
        });
        assert_eq!(pid(&opened), Some(std::process::id()));
        drop(listener);
        watch.expect(&local, |event| {
            event.kind == WatchKind::Closed && event.socket.as_ref().unwrap().local == local
        });
    }
    let (first, second) = (anchor(), anchor());
    let mut watch = Watching::start(&format!("udp:{},tcp:{} udp:{}", first.1, first.1, second.1));
    let targets: Vec<_> =
        (0..2).map(|_| watch.kind(WatchKind::Listening).target.unwrap()).collect();
    assert!(targets.contains(&format!("udp:{}", first.1)), "{targets:?}");
    let listener = TcpListener::bind(("127.0.0.1", first.1)).unwrap();
    assert_eq!(watch.kind(WatchKind::Opened).target.unwrap(), format!("tcp:{}", first.1));
    // TCP of the second is not watched.
    let _other = TcpListener::bind(("127.0.0.1", second.1)).unwrap();
    drop(second.0);
    assert_eq!(watch.kind(WatchKind::Closed).target.unwrap(), format!("udp:{}", second.1));
    drop(listener);
    assert_eq!(watch.kind(WatchKind::Closed).target.unwrap(), format!("tcp:{}", first.1));
    assert_eq!(watch.count(WatchKind::Opened), 1);
}

#[test]
fn a_bound_socket_that_listens_at_last() {
    let bound = Actor::spawn(&["bound"]);
    let mut watch = Watching::start(&format!("tcp:{}", bound.port()));
    let there = watch.kind(WatchKind::Listening);
    assert_eq!(there.socket.unwrap().state, Some(proc_core::socket::TcpState::Bound));
    drop(bound);
    watch.kind(WatchKind::Closed);
}

#[test]
fn every_port_of_the_machine() {
    let mut watch = Watching::start("--changes-only");
    // Nothing says that it has begun, so a port comes and goes until it is told of.
    let mut opened = None;
    for _ in 0..200 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = listener.local_addr().unwrap().to_string();
        let end = Instant::now() + Duration::from_secs(2);
        while let Ok(event) =
            watch.events.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if event.kind == WatchKind::Opened && event.socket.as_ref().unwrap().local == local {
                opened = Some(event);
                break;
            }
        }
        if let Some(opened) = &opened {
            assert_eq!((pid(opened), &opened.target), (Some(std::process::id()), &None));
            drop(listener);
            watch.expect("its end", |event| {
                event.kind == WatchKind::Closed && event.socket.as_ref().unwrap().local == local
            });
            return;
        }
    }
    panic!("nothing was told");
}

#[test]
fn clients_are_counted() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let mut watch = Watching::start(&format!("tcp:{} --clients", address.port()));
    watch.kind(WatchKind::Listening);
    let clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    watch.expect("three", |event| event.clients == Some(3));
    drop(clients);
    // They are over once both sides have closed.
    while server.set_nonblocking(true).is_ok() && server.accept().is_ok() {}
    let none = watch.expect("none", |event| event.clients == Some(0));
    assert_eq!(none.kind, WatchKind::Clients);
}

#[test]
fn processes_and_what_they_hold() {
    let name = format!("watched-{}", std::process::id());
    let first = Actor::spawn(&["--argv0", &name, "listen"]);
    let mut watch = Watching::start(&name);
    let running = watch.kind(WatchKind::ProcessStarted);
    assert!(running.initial && pid(&running) == Some(first.pid()), "{running:?}");
    let held = watch.kind(WatchKind::Listening);
    assert_eq!((pid(&held), held.target.as_deref()), (Some(first.pid()), Some(&*name)));
    // Not theirs, so not told.
    let _other = TcpListener::bind("127.0.0.1:0").unwrap();
    let second = Actor::spawn(&["--argv0", &name, "two-ports"]);
    let started = watch.kind(WatchKind::ProcessStarted);
    assert!(!started.initial && pid(&started) == Some(second.pid()));
    for _ in 0..2 {
        assert_eq!(pid(&watch.kind(WatchKind::Opened)), Some(second.pid()));
    }
    let (one, two) = (first.pid(), second.pid());
    drop(first);
    drop(second);
    let mut ended = vec![one, two];
    while !ended.is_empty() {
        let event = watch.kind(WatchKind::ProcessEnded);
        ended.retain(|&other| Some(other) != pid(&event));
    }
    let about_others = |event: &&WatchEvent| ![Some(one), Some(two)].contains(&pid(event));
    assert_eq!(watch.seen.iter().find(about_others), None);
}

#[test]
fn a_process_by_its_number() {
    let actor = orphan(&["listen"]);
    let target = format!("pid:{}", actor.pid());
    let mut watch = Watching::start(&target);
    assert_eq!(watch.kind(WatchKind::Listening).target, Some(target.clone()));
    let number = actor.pid();
    kill_process(Pid::from_raw(number as i32).unwrap(), Signal::KILL).unwrap();
    let ended = watch.kind(WatchKind::ProcessEnded);
    assert_eq!((pid(&ended), ended.target), (Some(number), Some(target)));
    let ran = run("watch pid:4194303");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("there is no process 4194303"), "{ran:?}");
}

#[test]
fn a_unix_socket() {
    let path = std::env::temp_dir().join(format!("proc-watch-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut watch = Watching::start(&format!("unix:{}", path.display()));
    let there = watch.kind(WatchKind::Listening);
    assert_eq!((pid(&there), local(&there)), (Some(std::process::id()), path.to_str().unwrap()));
    drop(server);
    watch.kind(WatchKind::Closed);
    std::fs::remove_file(&path).unwrap();
    let _server = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(pid(&watch.kind(WatchKind::Opened)), Some(std::process::id()));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn its_ends() {
    // Ctrl-C.
    let (mut watch, _anchor, _) = watching("");
    watch.signal(Signal::INT);
    assert_eq!(watch.end(), Some(0));
    // So many changes.
    let (mut watch, _anchor, port) = watching("--count 2");
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    watch.kind(WatchKind::Opened);
    drop(listener);
    watch.kind(WatchKind::Closed);
    assert_eq!(watch.end(), Some(0));
    // So long.
    let (mut watch, _anchor, _) = watching("--for 200ms");
    assert_eq!(watch.end(), Some(0));
    // A reader that goes away, while nothing happens.
    let (anchor, port) = anchor();
    let mut child = program()
        .args(["watch", &format!("udp:{port}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(&format!("udp 127.0.0.1:{port}")), "{line}");
    let mut status = None;
    let gone = wait_until(PATIENCE, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let mut said = String::new();
    if gone {
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    } else {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!((status.and_then(|status| status.code()), &*said), (Some(0), ""));
    drop(anchor);
}

#[test]
fn what_is_refused() {
    for (words, code, says) in [
        ("watch -q :1", 2, ""),
        ("watch --json --replay x :1", 2, "recording"),
        ("watch --count 0 :1", 2, "not a number of changes"),
        ("watch --for 5 :1", 2, "no unit"),
        ("watch :99999", 2, "99999"),
        ("watch 4194303", 1, "there is no process 4194303"),
    ] {
        let ran = run(words);
        assert_eq!(ran.code, code, "{words}: {ran:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains(says), "{words}: {ran:?}");
    }
}

#[test]
fn a_person_reads_lines_and_secrets_stay_secret() {
    let actor = Actor::spawn(&["listen", "--name", "\x1b]0;owned\x07", "--", "--token", "s3kr3t"]);
    let words = format!("watch --for 300ms --utc tcp:{}", actor.port());
    let ran = run(&words);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{ran:?}");
    assert!(ran.out.contains("listening  ") && ran.out.contains("***"), "{ran:?}");
    assert!(!ran.out.contains('\x1b') && !ran.out.contains("s3kr3t"), "{ran:?}");
    let ran = run(&format!("{words} --show-secrets --changes-only"));
    assert_eq!((ran.code, &*ran.out), (0, ""));
    let ran = run(&format!("{words} --show-secrets --json"));
    assert!(ran.out.contains("s3kr3t"), "{ran:?}");
}

#[test]
fn somebody_elses_server_is_hidden_and_not_invented() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("another user is needed");
    }
    let actor = orphan(&["listen"]);
    let proc = Public::new("watch");
    let ran = proc.run(&format!("watch --json --for 300ms tcp:{}", actor.port()));
    let event: WatchEvent = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    let socket = event.socket.unwrap();
    assert_eq!((event.process, socket.hidden, socket.uid), (None, true, Some(0)));
    assert!(event.explain.contains("may not see"), "{}", event.explain);
}
