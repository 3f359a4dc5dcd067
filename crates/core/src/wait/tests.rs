//! The waiting against a scripted machine: its sockets and processes come and go at given times,
//! its clock moves only while somebody waits, and every bind is counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::*;
use crate::bind::{Attempt, BindRequest, BindResult, Conflict, Occupant, Rules, conflict};
use crate::host::{ActError, Watch};
use crate::process::{Process, ProcessId, ProcessState};
use crate::snapshot::Snapshot;
use crate::socket::{LocalAddress, Protocol, Socket, TcpState};
use crate::target::parse;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Something that exists from one moment to another.
struct Spell<T> {
    what: T,
    from: Duration,
    to: Duration,
}

/// A machine by script.
#[derive(Default)]
struct Script {
    now: Cell<Duration>,
    sockets: Vec<Spell<Socket>>,
    processes: Vec<Spell<Process>>,
    /// Whether the end of sockets is news.
    hears: bool,
    /// News is lost: it comes with no cookie that anybody follows, at these moments.
    lost: Vec<Duration>,
    /// The next binds fail whatever the sockets say.
    refusals: Cell<u32>,
    /// The kernel says this, for every bind.
    verdict: Option<BindResult>,
    /// Sockets do not show their options.
    hides_options: bool,
    /// IPv6 is switched off.
    no_ipv6: bool,
    interrupt: Option<Duration>,
    /// How long a whole table takes to read.
    look_takes: Duration,
    binds: RefCell<Vec<Duration>>,
    looks: Cell<u32>,
}

impl Script {
    fn new() -> Self {
        Self { hears: true, ..Self::default() }
    }

    fn with(mut self, socket: Socket, from: u64, to: u64) -> Self {
        self.sockets.push(Spell { what: socket, from: ms(from), to: ms(to) });
        self
    }

    fn with_process(mut self, pid: u32, start: u64, name: &str, from: u64, to: u64) -> Self {
        let process = Process {
            ppid: 1,
            name: name.to_owned(),
            argv: vec![name.to_owned()],
            uid: Some(0),
            state: ProcessState::Sleeping,
            ..Process::unread(ProcessId { pid, start })
        };
        self.processes.push(Spell { what: process, from: ms(from), to: ms(to) });
        self
    }

    fn there<'a, T>(&self, spells: &'a [Spell<T>]) -> impl Iterator<Item = &'a Spell<T>> {
        let now = self.now.get();
        spells.iter().filter(move |spell| spell.from <= now && now < spell.to)
    }

    fn bind(&self, transport: Transport, address: SocketAddr, reuse_addr: bool) -> BindResult {
        if let Some(verdict) = self.verdict {
            return verdict;
        }
        let request = BindRequest {
            transport,
            address,
            v6only: false,
            reuse_addr,
            reuse_port: false,
            uid: 0,
            device: None,
        };
        let stops = |spell: &Spell<Socket>| {
            let occupant = Occupant::from_socket(&spell.what);
            occupant.is_some_and(|old| conflict(&request, &old) != Conflict::No)
        };
        match self.there(&self.sockets).any(stops) {
            true => BindResult::InUse,
            false => BindResult::Ok,
        }
    }

    /// When something ends next that is news to somebody who follows these cookies and pins.
    fn next_news(&self, watch: &Watch, pins: &[&Pinned]) -> Option<Duration> {
        let now = self.now.get();
        let heard = |spell: &&Spell<Socket>| {
            self.hears
                && spell.what.inode.is_some()
                && spell.what.cookie.is_some_and(|cookie| watch.followed().contains(&cookie))
        };
        let sockets = self.sockets.iter().filter(heard).map(|spell| spell.to);
        let processes =
            self.processes.iter().filter(|spell| pins.iter().any(|p| p.id == spell.what.id));
        let ends = sockets.chain(processes.map(|spell| spell.to));
        ends.chain(self.lost.iter().copied()).filter(|&at| at > now).min()
    }
}

impl Host for Script {
    /// Whatever runs the tests: the script is of Linux.
    fn rules(&self) -> Rules {
        Rules::Linux
    }

    fn now(&self) -> Duration {
        self.now.get()
    }

    fn snapshot(&self, scope: &Scope) -> Snapshot {
        self.looks.set(self.looks.get() + 1);
        if scope.states == States::All {
            self.now.set(self.now.get() + self.look_takes);
        }
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        if let SocketScope::Ports(endpoints) = &scope.sockets {
            for spell in self.there(&self.sockets) {
                let wanted = endpoints.iter().any(|e| spell.what.port() == Some(e.port.get()));
                if wanted && (scope.states != States::Servers || spell.what.is_server()) {
                    let mut socket = spell.what.clone();
                    if socket.expires_ms.is_some() {
                        let left = spell.to.saturating_sub(self.now.get());
                        socket.expires_ms = Some(left.as_millis() as u32);
                    }
                    if self.hides_options {
                        (socket.reuse_addr, socket.reuse_port) = (None, None);
                    }
                    snapshot.sockets.push(socket);
                }
            }
        }
        for spell in self.there(&self.processes) {
            if scope.all_processes || scope.pids.contains(&spell.what.id.pid) {
                snapshot.processes.insert(spell.what.id.pid, spell.what.clone());
            }
        }
        snapshot
    }

    fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt {
        if address.port() != 0 {
            self.binds.borrow_mut().push(self.now.get());
        }
        if self.refusals.get() > 0 && address.port() != 0 {
            // A round is the wildcard's probe and four rows more: one count each round.
            if address.ip() == IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]) {
                self.refusals.set(self.refusals.get() - 1);
            }
            let no = BindResult::InUse;
            return Attempt { transport, address, plain: no, reuse_addr: no };
        }
        let bind = |reuse| match address.port() {
            _ if self.no_ipv6 && address.is_ipv6() => BindResult::Other(97),
            0 => BindResult::Ok,
            _ => self.bind(transport, address, reuse),
        };
        Attempt { transport, address, plain: bind(false), reuse_addr: bind(true) }
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        vec![[127, 0, 0, 1].into(), [10, 0, 0, 1].into()]
    }

    fn unix_refuses(&self, _: &str) -> Option<bool> {
        None
    }

    fn pin(&self, id: ProcessId) -> Result<Pinned, ActError> {
        let lives = self.there(&self.processes).any(|spell| spell.what.id == id);
        lives.then(|| Pinned::scripted(id)).ok_or(ActError::Gone)
    }

    fn exited(&self, pinned: &Pinned) -> bool {
        !self.there(&self.processes).any(|spell| spell.what.id == pinned.id)
    }

    fn watch(&self, _: &[u64]) -> Watch {
        if self.hears { Watch::scripted() } else { Watch::silent() }
    }

    fn wait(&self, pins: &[&Pinned], watch: &mut Watch, timeout: Duration) -> Woken {
        let now = self.now.get();
        let until = now.saturating_add(timeout);
        let news = self.next_news(watch, pins).filter(|&at| at <= until);
        if let Some(at) = self.interrupt.filter(|&at| at <= until.min(news.unwrap_or(until))) {
            self.now.set(at);
            return Woken::Interrupted;
        }
        match news {
            Some(at) => {
                self.now.set(at);
                Woken::Event
            }
            None => {
                assert!(until < ms(100_000_000), "sleeps for ever, and nothing would wake it");
                // Only who asks whether to go on, and waits for nothing, need not sleep.
                let asks = watch.followed().is_empty();
                assert!(asks || timeout > Duration::ZERO, "turns without sleeping at {now:?}");
                self.now.set(until);
                Woken::Timeout
            }
        }
    }
}

fn tcp(local: &str, state: TcpState, cookie: u64) -> Socket {
    let address: SocketAddr = local.parse().unwrap();
    let mut socket = Socket::new(Protocol::Tcp, LocalAddress::Inet(address), Some(state));
    (socket.cookie, socket.inode, socket.uid) = (Some(cookie), Some(cookie), Some(0));
    socket.v6only = address.is_ipv6().then_some(false);
    socket
}

fn listener(cookie: u64) -> Socket {
    tcp("0.0.0.0:3000", TcpState::Listen, cookie)
}

fn remains(state: TcpState, cookie: u64) -> Socket {
    let mut socket = tcp("127.0.0.1:3000", state, cookie);
    socket.remote = Some("127.0.0.1:5000".parse().unwrap());
    (socket.inode, socket.uid) = (None, None);
    if state == TcpState::TimeWait {
        socket.expires_ms = Some(1);
        socket.reuse_addr = Some(true);
    }
    socket
}

const PLAIN: WaitRequest = WaitRequest {
    until: None,
    reuse_addr: false,
    udp: false,
    any: false,
    timeout: Some(ms(120_000)),
    tells: false,
    show_secrets: false,
};

fn run(script: &Script, words: &str, request: WaitRequest) -> Vec<TargetReport> {
    let targets: Vec<Target> = words.split(' ').map(|word| parse(word).unwrap()).collect();
    wait(script, &targets, &request, &mut |_| Err("no".into()), &mut |_, _| {}).unwrap()
}

/// Runs it for one target: whether it is so, and after how many milliseconds.
fn after(script: &Script, word: &str, request: WaitRequest) -> (bool, u64) {
    let report = run(script, word, request).remove(0);
    (report.met.unwrap(), report.waited_ms.unwrap())
}

/// At how many moments a bind was tried.
fn rounds(script: &Script) -> usize {
    let mut moments = script.binds.borrow().clone();
    moments.dedup();
    moments.len()
}

#[test]
fn what_is_free_is_free_at_once_by_one_round() {
    let script = Script::new();
    let report = run(&script, ":3000", PLAIN).remove(0);
    assert_eq!((report.met, report.waited_ms), (Some(true), Some(0)));
    assert_eq!(report.explain.as_deref(), Some(":3000 is free"));
    assert_eq!(script.binds.borrow().len(), 1, "the wildcard's answer is enough");
}

#[test]
fn an_address_family_that_is_switched_off_is_not_waited_for() {
    let mut script = Script::new().with(listener(7), 0, 1234);
    script.no_ipv6 = true;
    assert_eq!(after(&script, ":3000", PLAIN), (true, 1234));
    let report = run(&script, "[::1]:3000", PLAIN).remove(0);
    assert_eq!((report.met, report.outcome), (Some(false), None));
}

#[test]
fn the_end_of_the_holder_ends_it_by_one_bind() {
    let script = Script::new().with(listener(7), 0, 1234);
    assert_eq!(after(&script, ":3000", PLAIN), (true, 1234));
    assert_eq!(rounds(&script), 2, "one at the beginning, one to prove the end");
}

#[test]
fn it_is_the_port_that_is_followed() {
    // Another listens before the first is gone, and later a third.
    let script = Script::new()
        .with(listener(7), 0, 1000)
        .with(tcp("[::]:3000", TcpState::Listen, 8), 900, 5000)
        .with(tcp("127.0.0.1:3000", TcpState::Bound, 9), 4000, 7000);
    assert_eq!(after(&script, ":3000", PLAIN), (true, 7000));
    assert_eq!(rounds(&script), 2, "handovers are seen in the table, not by binds");
}

#[test]
fn connections_that_stay_count_until_their_own_end() {
    let mut open = tcp("127.0.0.1:3000", TcpState::Established, 8);
    open.remote = Some("127.0.0.1:5000".parse().unwrap());
    let script = Script::new().with(listener(7), 0, 1000).with(open, 0, 2500);
    assert_eq!(after(&script, ":3000", PLAIN), (true, 2500));
    assert_eq!(rounds(&script), 2);
}

#[test]
fn a_storm_of_ends_on_a_huge_machine_is_not_a_storm_of_looks() {
    let mut script = Script { look_takes: ms(200), ..Script::new() };
    for cookie in 1..300 {
        let mut open = tcp("127.0.0.1:3000", TcpState::Established, cookie);
        open.remote = Some("127.0.0.1:5000".parse().unwrap());
        script = script.with(open, 0, 1000 + cookie * 30);
    }
    let (met, waited) = after(&script, ":3000", PLAIN);
    assert!(met && (9_970..11_500).contains(&waited), "{waited}");
    assert!(script.looks.get() < 50, "{} looks", script.looks.get());
}

#[test]
fn a_timer_of_the_kernel_is_slept_through() {
    let script = Script::new().with(remains(TcpState::TimeWait, 7), 0, 41_000);
    let (met, waited) = after(&script, ":3000", PLAIN);
    assert!(met && (41_000..=41_010).contains(&waited), "{waited}");
    assert_eq!(rounds(&script), 2);
    assert!(script.looks.get() < 150, "{} looks", script.looks.get());
}

#[test]
fn remains_that_pass_do_not_count_with_reuse_addr() {
    let script = Script::new().with(remains(TcpState::TimeWait, 7), 0, 41_000);
    let request = WaitRequest { reuse_addr: true, ..PLAIN };
    let report = run(&script, ":3000", request).remove(0);
    assert_eq!((report.met, report.waited_ms), (Some(true), Some(0)));
    assert_eq!(report.verdict, None, "a plain bind would fail");
    // Those that a listener leaves are told apart from the listener.
    let script =
        Script::new().with(listener(8), 0, 500).with(remains(TcpState::TimeWait, 7), 0, 41_000);
    assert_eq!(after(&script, ":3000", request), (true, 500));
}

#[test]
fn remains_of_unknown_options_are_asked_about_rarely() {
    // The table does not tell; the machine's binds know.
    let mut script = Script::new();
    script.hides_options = true;
    for cookie in 0..30 {
        let mut strict = remains(TcpState::TimeWait, cookie);
        strict.reuse_addr = Some(false);
        script = script.with(strict, 0, 10_000 + cookie * 100);
    }
    let (met, waited) = after(&script, ":3000", WaitRequest { reuse_addr: true, ..PLAIN });
    assert!(met && (12_900..12_910).contains(&waited), "{waited}");
    assert!((5..25).contains(&rounds(&script)), "{} rounds", rounds(&script));
}

#[test]
fn a_probe_that_contradicts_the_table_is_not_repeated_in_a_hurry() {
    let script = Script { refusals: Cell::new(12), ..Script::new() };
    assert!(after(&script, ":3000", PLAIN).0);
    let mut moments = script.binds.borrow().clone();
    moments.dedup();
    let pauses: Vec<Duration> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.len() >= 10, "{pauses:?}");
    assert!(pauses.iter().rev().take(3).all(|&pause| pause >= ms(80)), "{pauses:?}");
    assert!(pauses.iter().all(|&pause| pause <= ms(250)), "{pauses:?}");
}

#[test]
fn lost_news_means_to_look_again() {
    // The end of this one is not heard; what is heard is that something was lost.
    let mut script = Script::new().with(listener(7), 0, 300);
    script.sockets[0].what.inode = None;
    script.lost = vec![ms(100), ms(301)];
    assert_eq!(after(&script, ":3000", PLAIN), (true, 301));
}

#[test]
fn without_news_the_table_is_read_now_and_then() {
    let mut script = Script::new().with(listener(7), 0, 10_500);
    script.hears = false;
    let (met, waited) = after(&script, ":3000", PLAIN);
    assert!(met && (10_500..=10_601).contains(&waited), "{waited}");
    assert_eq!(rounds(&script), 2, "the table, never binds");
    assert!(script.looks.get() < 250, "{} looks", script.looks.get());
}

#[test]
fn sockets_that_end_unheard_are_found_within_a_second() {
    // A socket of the kernel's own sends no news.
    let mut script = Script::new().with(listener(7), 0, 2500);
    script.sockets[0].what.inode = None;
    script.sockets[0].what.cookie = Some(7);
    let (met, waited) = after(&script, ":3000", PLAIN);
    assert!(met && waited <= 3500, "{waited}");
}

#[test]
fn time_runs_out_with_the_reason() {
    let script = Script::new().with(listener(7), 0, 900_000);
    let report = run(&script, ":3000", WaitRequest { timeout: Some(ms(5000)), ..PLAIN }).remove(0);
    assert_eq!((report.met, report.waited_ms), (Some(false), Some(5000)));
    let explain = report.explain.unwrap();
    assert!(explain.starts_with("timed out after 5.0 s: tcp:3000 is held"), "{explain}");
    assert_eq!(report.causes.len(), 1);
    let script = Script::new().with(remains(TcpState::TimeWait, 7), 0, 41_000);
    let report = run(&script, ":3000", WaitRequest { timeout: Some(ms(5000)), ..PLAIN }).remove(0);
    assert!(report.explain.unwrap().ends_with("it ends in 36 s"));
}

#[test]
fn the_person_may_stop_it() {
    let mut script = Script::new().with(listener(7), 0, 900_000);
    script.interrupt = Some(ms(1500));
    let report = run(&script, ":3000", WaitRequest { timeout: None, ..PLAIN }).remove(0);
    assert_eq!(report.met, Some(false));
    let explain = report.explain.unwrap();
    assert!(explain.starts_with("interrupted after 1.5 s: tcp:3000 is held"), "{explain}");
}

#[test]
fn what_can_never_be_ends_it_at_once() {
    let script = Script { verdict: Some(BindResult::Denied), ..Script::new() };
    let report = run(&script, ":80", PLAIN).remove(0);
    assert_eq!((report.met, report.outcome), (Some(false), Some(Outcome::Denied)));
    let script = Script { verdict: Some(BindResult::NotLocal), ..Script::new() };
    let report = run(&script, "10.0.0.9:80", PLAIN).remove(0);
    assert_eq!((report.met, report.outcome), (Some(false), None));
    let listening = WaitRequest { until: Some(Until::Listening), ..PLAIN };
    let report = run(&Script::new(), "10.0.0.9:80", listening).remove(0);
    assert!(report.explain.unwrap().contains("10.0.0.9 is not an address of this machine"));
}

#[test]
fn all_or_any() {
    let held = || {
        Script::new().with(listener(7), 0, 500).with(
            tcp("0.0.0.0:3001", TcpState::Listen, 8),
            0,
            900,
        )
    };
    let all = run(&held(), ":3000 :3001", PLAIN);
    assert_eq!(all.iter().map(|r| r.waited_ms.unwrap()).collect::<Vec<_>>(), [500, 900]);
    let any = run(&held(), ":3000 :3001", WaitRequest { any: true, ..PLAIN });
    assert_eq!(any.iter().map(|r| r.met.unwrap()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(any[1].explain.as_deref(), Some(":3001 is no longer waited for"));
    assert_eq!(any[1].waited_ms, Some(500));
}

#[test]
fn a_range_is_free_when_all_of_it_is() {
    let script = Script::new().with(listener(7), 0, 500).with(
        tcp("0.0.0.0:3002", TcpState::Listen, 8),
        0,
        900,
    );
    assert_eq!(after(&script, ":3000-3005", PLAIN), (true, 900));
}

#[test]
fn a_listener_is_seen_within_milliseconds() {
    let listening = WaitRequest { until: Some(Until::Listening), ..PLAIN };
    for (starts, within) in [(0, 0), (777, 2), (60_001, 5)] {
        let script = Script::new().with(listener(7), starts, 900_000);
        let (met, waited) = after(&script, ":3000", listening);
        assert!(met && (starts..=starts + within).contains(&waited), "{starts}: {waited}");
        assert!(script.binds.borrow().is_empty(), "a bind would stop the server from starting");
    }
    let script = Script::new().with(listener(7), 300, 900_000);
    let report = run(&script, ":2990-3010", listening).remove(0);
    assert_eq!(report.explain.as_deref(), Some(":2990-3010 is listened on: 3000 (after 300 ms)"));
    let script = Script::new().with(tcp("127.0.0.1:3000", TcpState::Bound, 7), 0, 900_000);
    let report = run(&script, ":3000", WaitRequest { timeout: Some(ms(100)), ..listening });
    let explain = report[0].explain.clone().unwrap();
    assert!(explain.contains("nothing listens on :3000; tcp:3000 is bound, without"), "{explain}");
}

#[test]
fn http_is_asked_until_the_answer_is_good() {
    let script = Script::new().with(listener(7), 1100, 900_000);
    let answers = RefCell::new(Vec::new());
    let mut asks = |question: &Question<'_>| {
        assert_eq!(question.place, 0);
        assert!(question.patience > Duration::ZERO && (question.go_on)());
        let now = script.now();
        answers.borrow_mut().push(now);
        match now.as_millis() {
            0..1100 => Err("connection refused".to_owned()),
            1100..2000 => Ok(Heard { status: 503, good: false }),
            _ => Ok(Heard { status: 200, good: true }),
        }
    };
    let request = WaitRequest { until: Some(Until::Http), ..PLAIN };
    let targets = [parse(":3000").unwrap()];
    let report = wait(&script, &targets, &request, &mut asks, &mut |_, _| {}).unwrap().remove(0);
    assert_eq!((report.met, report.status), (Some(true), Some(200)));
    assert!((2000..2260).contains(&report.waited_ms.unwrap()), "{:?}", report.waited_ms);
    let asked = answers.borrow();
    assert!(asked.len() < 20, "{asked:?}");
    // The new listener is asked as soon as it is seen.
    assert!(asked.iter().any(|at| (1100..=1102).contains(&at.as_millis())), "{asked:?}");
}

#[test]
fn processes_are_gone_when_none_of_the_name_is_left() {
    let script = Script::new()
        .with_process(50, 1, "node", 0, 1000)
        .with_process(51, 2, "node", 0, 700)
        .with_process(52, 3, "node", 900, 3000)
        .with_process(60, 4, "other", 0, 90_000);
    assert_eq!(after(&script, "node", PLAIN), (true, 3000));
    let report = run(&script, "other", WaitRequest { timeout: Some(ms(100)), ..PLAIN }).remove(0);
    assert!(report.explain.unwrap().contains("other (pid 60) still runs"));
}

#[test]
fn a_number_that_was_given_away_is_another_process() {
    let script =
        Script::new().with_process(50, 1, "node", 0, 1000).with_process(50, 2, "node", 1000, 9000);
    assert_eq!(after(&script, "pid:50", PLAIN), (true, 1000));
    assert_eq!(after(&Script::new(), "pid:50", PLAIN), (true, 0));
}

#[test]
fn what_cannot_be_waited_for_is_one_sentence() {
    let script = Script::new().with_process(3000, 1, "node", 0, 1000).with(listener(7), 0, 1000);
    let refuse = |word: &str, until| {
        let targets = [parse(word).unwrap()];
        let request = WaitRequest { until, ..PLAIN };
        wait(&script, &targets, &request, &mut |_| Err(String::new()), &mut |_, _| {})
            .unwrap_err()
            .explain
    };
    for (word, until, says) in [
        (":3000", Some(Until::Gone), "--gone is for processes"),
        ("pid:3000", Some(Until::Listening), "--listening is for ports"),
        ("node", Some(Until::Http), "--http is for ports"),
        ("udp:3000", Some(Until::Http), "`udp:3000` is UDP"),
        (":3000-3001", Some(Until::Http), "is several"),
        ("unix:/x", Some(Until::Http), "is a unix socket"),
        ("unix:/x", Some(Until::Gone), "a unix socket becomes free"),
        ("3000", None, "say pid:3000 or :3000"),
        ("3001", None, "there is no process 3001; say :3001"),
    ] {
        let said = refuse(word, until);
        assert!(said.contains(says), "{word}: {said}");
    }
}

#[test]
fn who_watches_is_told_once_a_second() {
    let script = Script::new().with(listener(7), 0, 3500).with_process(50, 1, "node", 0, 3400);
    let mut lines = Vec::new();
    let request = WaitRequest { tells: true, ..PLAIN };
    let targets = [parse(":3000").unwrap(), parse("pid:50").unwrap()];
    wait(&script, &targets, &request, &mut |_| Err(String::new()), &mut |_, event| {
        lines.push((event.at_ms, event.explain.clone()));
    })
    .unwrap();
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), [1000, 2000, 3000]);
    assert!(lines[0].1.starts_with("waiting for 1 s: tcp:3000 is held"), "{lines:?}");
    assert!(lines[0].1.ends_with("; and 1 more"), "{lines:?}");

    let script = Script::new().with(remains(TcpState::TimeWait, 7), 0, 4500);
    lines.clear();
    let targets = [parse(":3000").unwrap()];
    wait(&script, &targets, &request, &mut |_| Err(String::new()), &mut |_, event| {
        lines.push((event.at_ms, event.explain.clone()));
    })
    .unwrap();
    let counted = "waiting for 2 s: 1 closed connection on :3000; the last ends in 3 s";
    assert_eq!(lines[1], (2000, counted.to_owned()), "{lines:?}");
}
