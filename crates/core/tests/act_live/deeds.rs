//! What is done to processes that are not to end: sent, frozen, thawed, unstuck, reloaded.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use proc_core::report::RefusalReason;

use super::processes::Family;
use super::*;

/// A program of perl that says `ready`.
struct Perl(Child, String);

impl Perl {
    #[track_caller]
    fn run(program: &str) -> Self {
        let program = format!("$|=1; {program}");
        let mut child = Command::new("perl")
            .args(["-e", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready"), "{line:?}");
        Self(child, line)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn target(&self) -> String {
        format!("pid:{}", self.pid())
    }

    /// The number that it said after `ready`.
    fn number<T: std::str::FromStr>(&self) -> T {
        self.1.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap()
    }
}

impl Drop for Perl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reason(report: &TargetReport) -> Option<RefusalReason> {
    report.refusal.as_ref().map(|refusal| refusal.reason)
}

fn stands(pid: u32) -> bool {
    procfs::state(pid) == Some('T')
}

const FREEZE: Ask = ask(Verb::Freeze);
const THAW: Ask = ask(Verb::Thaw);
const UNSTICK: Ask = ask(Verb::Unstick);
const RELOAD: Ask = ask(Verb::Reload);

#[test]
fn a_port_s_holder_is_frozen_and_thawed_and_keeps_its_port() {
    let actor = orphan(&["listen"]);
    let report = FREEZE.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Frozen);
    assert_eq!(done_to(&report, "froze"), [actor.pid()]);
    assert_says(&report, "proc thaw");
    assert!(stands(actor.pid()) && !binds(actor.port()));
    let again = FREEZE.with(&tcp(&actor), || panic!("nobody is to be asked"));
    assert_outcome(&again, Outcome::Frozen);
    assert_says(&again, "frozen already");
    let report = THAW.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Thawed);
    assert_eq!(done_to(&report, "continued"), [actor.pid()]);
    assert!(!stands(actor.pid()) && !binds(actor.port()));
    assert_outcome(&THAW.with(&tcp(&actor), || panic!("nothing to do")), Outcome::Thawed);
}

#[test]
fn nobody_freezes_this_command_the_first_process_or_a_port_that_nobody_has() {
    let report = FREEZE.with(&format!("pid:{}", std::process::id()), || panic!("a guard failed"));
    assert_outcome(&report, Outcome::Refused);
    assert_eq!(reason(&report), Some(RefusalReason::OwnAncestor));
    let report = FREEZE.with("pid:1", || panic!("a guard failed"));
    assert_eq!(reason(&report), Some(RefusalReason::FirstProcess), "{report:#?}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for ask in [FREEZE, THAW, UNSTICK, RELOAD] {
        let report = ask.with(&format!("tcp:{free}"), || panic!("nobody is to be asked"));
        assert_outcome(&report, Outcome::NotFound);
    }
}

#[test]
fn another_user_s_process_is_not_frozen() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let actor = orphan(&["listen"]);
    for ask in [FREEZE, THAW, UNSTICK, RELOAD] {
        let verb = ask.limits.verb.name();
        let report = as_user(&ask, &format!("pid:{}", actor.pid()));
        assert_outcome(&report, Outcome::Denied);
        assert_says(&report, &format!("sudo proc {verb} pid:{}", actor.pid()));
    }
    assert!(!stands(actor.pid()));
}

#[test]
fn what_is_stuck_by_a_stop_goes_on_and_what_is_not_is_left() {
    let actor = orphan(&["stopped"]);
    assert!(wait_until(SOON, || stands(actor.pid())));
    let report = UNSTICK.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Unstuck);
    assert!(!stands(actor.pid()));
    let report = UNSTICK.with(&tcp(&actor), || panic!("nothing is to be done"));
    assert_outcome(&report, Outcome::NotStuck);
    assert_says(&report, "no sign");
}

/// What no signal moves is told by the evidence of `proc stuck`, and nobody is signalled.
#[test]
fn who_computes_is_deaf_or_does_not_accept_is_told_so_and_not_ended() {
    let deaf = Actor::spawn(&["vfork-parent"]);
    let computes = Actor::spawn(&["spinning"]);
    let full = orphan(&["listen", "--backlog", "2"]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, full.port()));
    // The kernel lets in one more than the limit.
    let clients: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    for (target, pid, words) in [
        (format!("pid:{}", deaf.pid()), deaf.pid(), "deaf to signals (state D)"),
        (format!("pid:{}", computes.pid()), computes.pid(), "% of a processor"),
        (tcp(&full), full.pid(), "3 connections wait to be accepted"),
    ] {
        // On a loaded machine a thread that computes may be kept from it for a while.
        let told = wait_until(SOON * 6, || {
            let report = UNSTICK.with(&target, || panic!("nothing is to be done"));
            let explain = report.explain.clone().unwrap_or_default();
            report.outcome == Some(Outcome::Unchanged) && explain.contains(words)
        });
        assert!(told && lives(pid), "{words}");
    }
    drop(clients);
}

#[test]
fn a_dead_child_is_collected_by_a_parent_that_listens() {
    // It listens only once the child has ended: what it would have been told by that is over.
    let dies = "my $c = fork; if (!$c) { exit } for (;;) { open my $f, '<', \"/proc/$c/stat\"; \
                last if <$f> =~ /\\) Z/; select undef, undef, undef, 0.02 }";
    let (listens, deaf) = ("$SIG{CHLD} = sub { wait };", "");
    for (program, outcome) in [(listens, Outcome::Unstuck), (deaf, Outcome::Unchanged)] {
        let parent = Perl::run(&format!("{dies} {program} print \"ready\\n\"; sleep 60 while 1"));
        let dead = || procfs::children(parent.pid()).into_iter().next();
        assert!(wait_until(SOON, || dead().is_some_and(|pid| procfs::state(pid) == Some('Z'))));
        let pid = dead().unwrap();
        let report = UNSTICK.on(&format!("pid:{pid}"));
        assert_outcome(&report, outcome);
        assert_eq!(done_to(&report, "reminded"), [parent.pid()]);
        assert_says(&report, &format!("(pid {})", parent.pid()));
    }
}

#[test]
fn who_is_held_by_a_debugger_is_told_whose() {
    let debugger = Actor::spawn(&["traced"]);
    let held: u32 = debugger.number("child");
    let report = UNSTICK.with(&format!("pid:{held}"), || panic!("nothing is to be done"));
    assert_outcome(&report, Outcome::Unchanged);
    assert_says(&report, &format!("held by its debugger, actor (pid {})", debugger.pid()));
    assert!(lives(held));
}

#[test]
fn a_signal_that_asks_nobody_to_end_is_sent_and_no_more() {
    let lives_on = Perl::run("$SIG{USR1} = sub {}; print \"ready\\n\"; sleep 60 while 1");
    let ends = Family::start(Command::new("sleep").arg("134"));
    for (target, pid, alive) in [
        (lives_on.target(), lives_on.pid(), true),
        (format!("pid:{}", ends.pid()), ends.pid(), false),
    ] {
        let mut ask = KILL;
        ask.limits.signal = 10;
        let (report, took) = took(|| ask.on(&target));
        assert_outcome(&report, Outcome::Sent);
        assert_eq!(done_to(&report, "sent"), [pid]);
        assert_says(&report, "SIGUSR1");
        assert_says(&report, if alive { "it lives on" } else { "it ended by it" });
        assert!(!kinds(&report).contains(&"forced") && took < SOON * 4, "{report:#?}");
        assert_eq!(lives(pid), alive);
    }
    // The numbers beyond the named ones reach it too.
    let mut ask = STOP;
    ask.limits.signal = 37;
    let ends = Family::start(Command::new("sleep").arg("135"));
    let report = ask.on(&format!("pid:{}", ends.pid()));
    assert_outcome(&report, Outcome::Sent);
    assert_says(&report, "SIGRTMIN+3");
}

#[test]
fn reload_is_for_those_that_handle_it() {
    let serves = "use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die; ";
    let handles = Perl::run(&format!(
        "{serves} $SIG{{HUP}} = sub {{}}; print \"ready \", $s->sockport, \"\\n\"; sleep 60 while 1"
    ));
    let port: u16 = handles.number();
    for target in [handles.target(), format!("tcp:{port}")] {
        let report = RELOAD.on(&target);
        assert_outcome(&report, Outcome::Reloaded);
        assert_eq!(done_to(&report, "sent"), [handles.pid()]);
        assert_says(&report, &format!("serving tcp:{port}"));
        assert!(lives(handles.pid()) && !binds(port));
    }

    let would_end = Family::start(Command::new("sleep").arg("136"));
    let report = RELOAD.with(&format!("pid:{}", would_end.pid()), || panic!("it is refused"));
    assert_outcome(&report, Outcome::Refused);
    assert_eq!(reason(&report), Some(RefusalReason::WouldEnd));
    assert!(lives(would_end.pid()));
    let report = RELOAD.forced().on(&format!("pid:{}", would_end.pid()));
    assert_outcome(&report, Outcome::Unchanged);
    assert_says(&report, "ended instead of reloading");

    let ignores = Perl::run("$SIG{HUP} = 'IGNORE'; print \"ready\\n\"; sleep 60 while 1");
    let report = RELOAD.forced().with(&ignores.target(), || panic!("nothing would happen"));
    assert_outcome(&report, Outcome::Refused);
    assert_eq!(reason(&report), Some(RefusalReason::NoReload));
}

#[test]
fn a_worker_is_not_asked_to_reload_but_its_master() {
    let master = Perl::run(
        "$SIG{HUP} = sub {}; my $c = fork; if (!$c) { sleep 60 while getppid != 1; exit } $SIG{TERM} = sub { kill 9, $c; exit }; print \"ready $c\\n\"; sleep 60 while 1",
    );
    let worker: u32 = master.number();
    let report = RELOAD.on(&format!("pid:{worker}"));
    assert_outcome(&report, Outcome::Reloaded);
    assert_eq!(done_to(&report, "sent"), [master.pid()], "{report:#?}");
    assert_outcome(&KILL.on(&master.target()), Outcome::Freed);
    assert!(ends(worker));
}
