//! Whole runs of `kill`, `stop` and `free` against actors: outcomes and exit codes, consent, the
//! terminal, interruption, and what never happens.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use live::*;
use proc_core::report::{Outcome, RefusalReason};
use proc_testkit::{Limit, confined};

#[test]
fn each_outcome_has_its_code() {
    let actor = orphan(&["listen"]);
    let port = actor.port();
    let report = run(&format!("kill --json -y :{port}")).ended(0, Outcome::Freed);
    assert_eq!(report.events[0].pid, Some(actor.pid()));
    assert!(report.events.iter().map(|event| event.at_ms).is_sorted());
    assert!(ends(actor.pid()));
    run(&format!("free --json -y :{port}")).ended(0, Outcome::AlreadyFree);
    // Nothing to do needs no consent.
    run(&format!("free --json :{port}")).ended(0, Outcome::AlreadyFree);
    run("kill --json -y pid:4194303").ended(1, Outcome::NotFound);

    let actor = orphan(&["listen", "--term", "ignore"]);
    let port = actor.port();
    let words = format!("stop --json -y --timeout 200ms :{port}");
    run(&words).ended(1, Outcome::StillHeld);
    run(&format!("kill --json --dry-run :{port}")).ended(0, Outcome::Planned);
    run(&format!("free --json --dry-run -y :{port}")).ended(0, Outcome::Planned);
    assert!(lives(actor.pid()));
    let report = run(&format!("kill --json -9 -y :{port}")).ended(0, Outcome::Freed);
    assert_eq!(report.events[0].event, "forced");

    let actor = Actor::spawn(&["time-wait"]);
    let words = format!("stop --json -y --timeout 100ms tcp:{}", actor.port());
    run(&words).ended(1, Outcome::Lingering);

    let actor = orphan(&["supervise", "--delay", "20", "--", "listen"]);
    let report = run(&format!("free --json -y tcp:{}", actor.port())).ended(1, Outcome::Respawned);
    assert!(report.explain.unwrap().contains(&format!("pid {}", actor.pid())));

    // This test is an ancestor of the program.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    run(&format!("kill --json -y :{port}")).ended(4, Outcome::Refused);
    run(&format!("kill --json -y pid:{}", std::process::id())).ended(4, Outcome::Refused);
}

#[test]
fn nothing_is_done_without_a_terminal_or_yes() {
    let actor = orphan(&["listen"]);
    let port = actor.port();
    for verb in ["kill", "stop", "free"] {
        let ran = run(&format!("{verb} :{port}"));
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains("--yes"), "{ran:?}");
        // Asking for a document is no consent, and neither is asking for silence.
        let report = run(&format!("{verb} --json :{port}")).ended(4, Outcome::Declined);
        assert!(report.events.is_empty() && !report.plan.is_empty());
        let ran = run(&format!("{verb} --quiet :{port}"));
        assert_eq!((ran.code, &*ran.out, &*ran.err), (4, "", ""));
        // Nor is a yes on stdin.
        let mut child = program()
            .args([verb, &format!(":{port}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(b"y\ny\n");
        assert_eq!(child.wait().unwrap().code(), Some(4));
    }
    assert!(lives(actor.pid()));
    let ran = run(&format!("kill -q -y :{port}"));
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", ""));
    assert!(ends(actor.pid()));
}

#[test]
fn a_person_reads_what_happened() {
    let actor = orphan(&["listen"]);
    let ran = run(&format!("free -y tcp:{}", actor.port()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with(&format!("tcp:{} is free (in ", actor.port())), "{ran:?}");
    assert!(ran.err.contains(&format!("asked actor (pid {}) to end (SIGTERM)", actor.pid())));
    let ran = run(&format!("free -y tcp:{}", actor.port()));
    assert_eq!((ran.code, ran.out.trim()), (0, &*format!("tcp:{} is free", actor.port())));
}

#[test]
fn the_worst_of_several_counts() {
    let (one, two) = (orphan(&["listen"]), orphan(&["listen", "--term", "ignore"]));
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = own.local_addr().unwrap().port();
    let words = format!("stop --json -y --timeout 200ms tcp:{},tcp:{}", one.port(), two.port());
    let ran = run(&words);
    let outcomes: Vec<_> = ran.report().targets.iter().map(|t| t.outcome.unwrap()).collect();
    assert_eq!((ran.code, &*outcomes), (1, &[Outcome::Freed, Outcome::StillHeld][..]));
    let ran = run(&format!("kill -9 --json -y tcp:{} tcp:{own}", two.port()));
    let outcomes: Vec<_> = ran.report().targets.iter().map(|t| t.outcome.unwrap()).collect();
    assert_eq!((ran.code, &*outcomes), (4, &[Outcome::Freed, Outcome::Refused][..]));
}

#[test]
fn an_ordinary_user_ends_their_own_alone() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let proc = Public::new("user");
    let user = unprivileged_uid().to_string();
    let foreign = orphan(&["listen"]);
    for verb in ["kill", "stop", "free"] {
        let own = orphan(&["listen", "--uid", &user]);
        proc.run(&format!("{verb} --json -y tcp:{}", own.port())).ended(0, Outcome::Freed);
        assert!(ends(own.pid()));
        let ran = proc.run(&format!("{verb} --json -y tcp:{}", foreign.port()));
        let report = ran.ended(3, Outcome::Denied);
        assert!(report.explain.unwrap().contains(&format!("sudo proc {verb}")), "{ran:?}");
        let ran = proc.run(&format!("{verb} -y pid:{}", foreign.pid()));
        assert_eq!(ran.code, 3, "{ran:?}");
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains("belongs to root") && all.contains("sudo"), "{ran:?}");
    }
    assert!(lives(foreign.pid()));
}

/// Whoever may not is told the whole command that they typed, as root would type it.
#[test]
fn the_command_for_root_is_the_one_that_was_typed() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let proc = Public::new("typed");
    let foreign = orphan(&["listen"]);
    let (pid, port) = (format!("pid:{}", foreign.pid()), format!("tcp:{}", foreign.port()));
    for (words, typed) in [
        ("stop -y --tree --signal INT --timeout 7s", "stop --yes --tree --signal INT --timeout 7s"),
        ("kill -y -9", "kill --yes --now"),
        ("kill --yes --grace=2s", "kill --yes --grace 2s"),
        ("kill -y --signal USR1", "kill --yes --signal USR1"),
        ("free -y --only-signal", "free --yes --only-signal"),
        ("freeze -y --tree", "freeze --yes --tree"),
        ("thaw -y", "thaw --yes"),
    ] {
        for target in [&pid, &port] {
            // A word more that nobody has: each target gets the command for itself.
            let ran = proc.run(&format!("{words} {target} no-such-name-anywhere"));
            let said = format!("{}{}", ran.out, ran.err);
            assert_eq!(ran.code, 3, "{words}: {said}");
            let at = said.find("sudo proc ").unwrap_or_else(|| panic!("{words}: {said}"));
            let command = said[at..].lines().next().unwrap();
            // Of an actor of root's, the holder of a port may be hidden: the sentence differs.
            assert!(command.starts_with(&format!("sudo proc {typed} {target}")), "{words}: {said}");
            assert!(!command.contains("no-such-name"), "{command}");
        }
    }
    // What was typed needs quotes again.
    let bin = std::env::temp_dir().join(format!("proc-typed-name-{}", std::process::id()));
    std::fs::create_dir_all(&bin).unwrap();
    let named = bin.join("two words");
    std::fs::copy(actor_path(), &named).unwrap();
    let mut command = Command::new(&named);
    command.args(["listen", "--orphan"]);
    let odd = Actor::spawn_command(command);
    let mut command = run_as(unprivileged_uid(), proc.path());
    let output = command.args(["kill", "-y", "two words"]).env_clear().output().unwrap();
    let ran = Ran::from(output);
    std::fs::remove_dir_all(&bin).unwrap();
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("as root: sudo proc kill --yes 'two words'"), "{said}");
    assert!(lives(foreign.pid()) && lives(odd.pid()));
}

/// The setting that names what is never acted on, in whole runs of everything that acts.
#[test]
fn a_protected_name_is_left_alone_by_every_verb() {
    let bin = std::env::temp_dir().join(format!("proc-protected-{}", std::process::id()));
    std::fs::create_dir_all(&bin).unwrap();
    let name = format!("kept{}", std::process::id());
    std::fs::copy(actor_path(), bin.join(&name)).unwrap();
    let config = bin.join("config.toml");
    std::fs::write(&config, format!("protect = [\"{}\"]\n", name.to_uppercase())).unwrap();
    let mut command = Command::new(bin.join(&name));
    command.args(["listen", "--orphan"]);
    let kept = Actor::spawn_command(command);
    let with = |words: &str| {
        let mut command = program();
        command.args(words.split_whitespace()).env("PROC_CONFIG", &config);
        Ran::from(command.output().unwrap())
    };
    let targets = [
        name.clone(),
        format!("pid:{}", kept.pid()),
        format!("tcp:{}", kept.port()),
        bin.join(&name).display().to_string(),
    ];
    let verbs = ["kill", "kill --tree", "kill -9", "stop", "free", "freeze", "thaw", "unstick"];
    for verb in verbs.into_iter().chain(["reload", "kill --signal USR1"]) {
        for target in &targets {
            let report = with(&format!("{verb} --json -y {target}")).ended(4, Outcome::Refused);
            let refusal = report.refusal.unwrap_or_else(|| panic!("{verb} {target}"));
            assert_eq!(refusal.reason, RefusalReason::Protected, "{verb} {target}");
            assert_eq!(refusal.pid, Some(kept.pid()), "{verb} {target}");
        }
    }
    let ran = with(&format!("stop -y {name}"));
    assert!(ran.out.contains("is a protected name; --force does it all the same"), "{ran:?}");
    assert!(lives(kept.pid()));
    with(&format!("stop --json -y --force {name}")).ended(0, Outcome::Freed);
    assert!(ends(kept.pid()));
    std::fs::remove_dir_all(&bin).unwrap();
}

#[test]
fn numbers_that_could_be_two_things() {
    let process = orphan(&["listen"]);
    let number = process.pid();
    // A port of that very number, where a port may have it and nobody does.
    let port = number.to_string();
    if (1024..65536).contains(&number) && TcpListener::bind(("127.0.0.1", number as u16)).is_ok() {
        let holder = orphan(&["listen", "--port", &port]);
        for verb in ["kill", "stop", "free"] {
            let report = run(&format!("{verb} --json -y {number}")).ended(4, Outcome::Refused);
            let explain = report.explain.unwrap();
            assert!(explain.contains(&format!("pid:{number}")), "{explain}");
            assert!(explain.contains(&format!(" :{number}")), "{explain}");
        }
        assert!(lives(process.pid()) && lives(holder.pid()));
        run(&format!("kill --json -y :{number}")).ended(0, Outcome::Freed);
        assert!(lives(process.pid()) && ends(holder.pid()));
    }
    run(&format!("kill --json -y {number}")).ended(0, Outcome::Freed);
    let report = run(&format!("kill --json -y {number}")).ended(1, Outcome::NotFound);
    assert!(report.explain.unwrap().contains(&format!(":{number}")));
}

#[test]
fn the_first_process_and_ranges_in_a_small_world() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("it makes namespaces, which needs root");
    }
    let ran = in_world("\"$PROC\" kill -y pid:1 && exit 9; test $? = 4; test -d /proc/1");
    assert_eq!(ran.code, 0, "{ran:?}");
    let listen = |port: u16| {
        format!(
            "mkfifo $d/{port}; sleep 30 | \"$ACTOR\" listen --orphan --port {port} >$d/{port} &
             read line <$d/{port}; case $line in ready*) ;; *) exit 8;; esac\n"
        )
    };
    let script = format!(
        "d=$(mktemp -d)\n{}{}\"$PROC\" kill -y --json :5000-5010; rm -r $d",
        listen(5000),
        listen(5007)
    );
    let ran = in_world(&script);
    let report = ran.report();
    let answers: Vec<_> = report.targets.iter().map(|t| (&*t.target, t.outcome)).collect();
    let freed = Some(Outcome::Freed);
    assert_eq!(answers, [(":5000", freed), (":5007", freed)], "{ran:?}");
    let ran = in_world("\"$PROC\" free --json -y :20000-20999");
    ran.ended(0, Outcome::AlreadyFree);
}

#[test]
fn filters_leave_some_of_what_a_target_means_alone() {
    let actor = orphan(&["listen"]);
    let (port, pid) = (actor.port(), actor.pid());
    for filter in ["--in /proc", "--by no-such-name", "--cmd no-such-text", "--min-uptime 48h"] {
        let ran = run(&format!("kill -y --json pid:{pid} {filter}"));
        let report = ran.ended(1, Outcome::NotFound);
        assert_eq!(report.left_alone.len(), 1, "{report:#?}");
        let report = run(&format!("free -y --json :{port} {filter}")).ended(4, Outcome::Refused);
        assert_eq!(report.left_alone[0].pid, pid);
    }
    let ran = run(&format!("kill -y pid:{pid} --in /proc"));
    assert!(ran.out.contains("1 of 1 left alone: not in /proc"), "{ran:?}");
    assert!(lives(pid));
    let ran = run(&format!("kill -y :{port} --in /no/such/place"));
    assert_eq!(ran.code, 2, "{ran:?}");
    // All of it is so.
    let words = format!("kill -y --json :{port} --in / --by actor --status sleeping");
    run(&words).ended(0, Outcome::Freed);
    assert!(ends(pid));
}

#[test]
fn a_pid_is_held_to_the_start_that_an_earlier_look_told() {
    let actor = orphan(&["listen"]);
    let pid = actor.pid();
    let seen = run(&format!("info --json pid:{pid}")).one();
    let started = seen.processes[0].started_at.clone().unwrap();
    for option in ["--started-at", "--start-time"] {
        let words = format!("kill -y --json {pid} {option} 2001-01-01T00:00:00Z");
        let report = run(&words).ended(4, Outcome::Refused);
        assert!(report.explain.unwrap().starts_with(&format!("{pid} is another process now: ")));
    }
    let ran = run(&format!("kill -y :{} --started-at {started}", actor.port()));
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("--started-at is for one process by its PID"), "{ran:?}");
    assert!(lives(pid));
    run(&format!("kill -y --json pid:{pid} --started-at {started}")).ended(0, Outcome::Freed);
    assert!(ends(pid));
}

/// The program while it waits for somebody who ignores the question.
fn waiting(words: &str, actor: &Actor) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = program()
        .args(words.split_whitespace())
        .arg(format!("tcp:{}", actor.port()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("asked"), "{line:?}");
    (child, stderr)
}

#[test]
fn an_interruption_says_what_was_done() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let actor = orphan(&["listen", "--term", "ignore"]);
        let (mut child, _stderr) = waiting("free -y --grace 60s", &actor);
        let start = Instant::now();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{out}");
        assert!(start.elapsed() < SOON);
        assert!(out.contains("interrupted; done so far: asked actor"), "{out}");
        assert!(lives(actor.pid()), "nobody was forced");
    }
}

#[test]
fn several_at_once_all_end_well() {
    // Their probes are binds and meet each other's; nobody may take that for a holder, also where
    // the sockets are read from /proc.
    for limits in [[].as_slice(), &[Limit::NoNetlink]].repeat(6) {
        let actor = orphan(&["listen"]);
        let words = ["free", "-y", &format!("tcp:{}", actor.port())].map(str::to_owned);
        let start = || {
            let mut command = program();
            command.args(&words);
            let mut command = confined(limits, &command);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        for child in [start(), start(), start(), start()] {
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!(ran.code, 0, "{ran:?}");
        }
    }
}

#[test]
fn an_answer_that_cannot_be_written_stops_no_act() {
    let actor = orphan(&["listen"]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = program()
        .args(["free", "-y", &format!("tcp:{}", actor.port())])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(ends(actor.pid()));
    for stderr_closed in [false, true] {
        let actor = orphan(&["listen"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program();
        command.args(["free", "-y", &format!("tcp:{}", actor.port())]);
        if stderr_closed {
            command.stderr(writer.try_clone().unwrap());
        }
        let status = command.stdout(writer).status().unwrap();
        assert_eq!(status.code(), Some(0));
        assert!(ends(actor.pid()));
    }
}

/// The program in a terminal of its own (script(1)), answered once it asks.
fn in_terminal(words: &str, answer: &[u8]) -> (i32, String) {
    let command = format!("'{PROC}' {words}");
    let mut child = Command::new("script")
        .args(["-qefc", &command, "/dev/null"])
        .env_remove("HOME")
        .env_remove("XDG_STATE_HOME")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "200")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut seen, mut answered) = (Vec::new(), false);
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stdout.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        if !answered && String::from_utf8_lossy(&seen).contains("[y/N]") {
            stdin.write_all(answer).unwrap();
            answered = true;
        }
    }
    assert!(answered, "nobody was asked: {}", String::from_utf8_lossy(&seen));
    (child.wait().unwrap().code().unwrap(), String::from_utf8_lossy(&seen).into_owned())
}

#[test]
fn a_person_is_asked_and_no_means_no() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("closing what is left of connections needs root");
    }
    let actor = orphan(&["two-ports", "--accept"]);
    let port = actor.port();
    let _clients = orphan(&["clients", "2", "--port", &port.to_string()]);
    for verb in ["kill", "stop", "free"] {
        for answer in [&b"n\r"[..], b"\r", b"\x03", b"\x04", b"yep\r"] {
            let (code, text) = in_terminal(&format!("{verb} tcp:{port}"), answer);
            assert_eq!(code, 4, "{text}");
            assert!(text.contains("nothing was done"), "{text}");
            assert!(lives(actor.pid()));
        }
    }
    let (code, text) = in_terminal(&format!("kill tcp:{port}"), b"y\r");
    assert_eq!(code, 0, "{text}");
    assert!(ends(actor.pid()));
    // What a person needs to decide.
    let asked = text.split("[y/N]").next().unwrap();
    let second = format!("tcp:{}", actor.field("second").unwrap());
    let words = [
        &*format!("tcp:{port}"),
        "two-ports",
        &format!("pid {}", actor.pid()),
        "root",
        std::env::current_dir().unwrap().to_str().unwrap(),
        " ms",
        &second,
        "2 ",
        "SIGTERM",
    ]
    .map(str::to_owned);
    for word in words {
        assert!(asked.contains(&word) || (word == " ms" && asked.contains(" s")), "{word}: {text}");
    }
}

#[test]
fn a_document_is_no_question_even_on_a_terminal() {
    let actor = orphan(&["listen"]);
    let command = format!("'{PROC}' kill --quiet tcp:{}", actor.port());
    let status = Command::new("script")
        .args(["-qefc", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(4));
    assert!(lives(actor.pid()));
}

#[test]
fn secrets_stay_secret_and_hostile_names_harmless() {
    let args =
        ["listen", "--name", "\x1b]0;owned\x07", "password=hunter2", "--", "--token", "s3kr"];
    let actor = orphan(&args);
    let port = actor.port();
    for words in [
        format!("kill --dry-run tcp:{port}"),
        format!("kill --dry-run --json tcp:{port}"),
        format!("on tcp:{port}"),
        format!("why tcp:{port}"),
        format!("why --json tcp:{port}"),
        format!("ports tcp:{port}"),
        format!("ports --json tcp:{port}"),
    ] {
        let ran = run(&words);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.contains("hunter2") && !all.contains("s3kr"), "{words}: {all}");
        assert!(!all.contains('\x1b') && !all.contains('\x07'), "{words}: {all:?}");
    }
    for words in ["on --show-secrets", "kill --dry-run --show-secrets", "why --show-secrets"] {
        let ran = run(&format!("{words} tcp:{port}"));
        assert!(ran.out.contains("hunter2") && ran.out.contains("s3kr"), "{words}: {ran:?}");
    }
    let ran = run(&format!("kill -y tcp:{port}"));
    assert_eq!(ran.code, 0);
    assert!(!ran.err.contains('\x1b') && !ran.out.contains('\x1b'), "{ran:?}");
}
