//! Whole runs of `proc why` on what programs say: pasted, piped, in a log, and from real programs
//! that were started twice on one port.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;
mod terminal;

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use live::*;
use proc_core::diagnosis::{CauseKind, Verdict};
use proc_core::message::Class;
use proc_core::report::Report;
use terminal::Terminal;

fn why(words: &[&str]) -> Ran {
    Ran::from(program().arg("why").args(words).output().unwrap())
}

fn why_reads(words: &[&str], input: &[u8]) -> Ran {
    let mut child = program()
        .arg("why")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran::from(output)
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_pasted_message_is_answered_for_its_very_bind() {
    let (_held, port) = listener();
    let message = format!("Error: listen EADDRINUSE: address already in use 127.0.0.1:{port}");
    let words: Vec<&str> = message.split(' ').collect();
    for words in [&[message.as_str()][..], &words] {
        let ran = why(words);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
        let read = format!(
            "read: listen EADDRINUSE: address already in use 127.0.0.1:{port} (Node.js): TCP 127.0.0.1:{port} in use\n"
        );
        assert!(ran.out.starts_with(&read), "{ran:?}");
        assert!(ran.out.contains(&format!("tcp:127.0.0.1:{port} is held by ")), "{ran:?}");
    }
    let report = why(&["--json", &message]).report();
    let target = format!("tcp:127.0.0.1:{port}");
    assert_eq!(report.messages.len(), 1);
    assert_eq!(report.messages[0].class, Class::InUse);
    assert_eq!(report.messages[0].port, Some(port));
    assert_eq!(report.messages[0].target.as_deref(), Some(&*target));
    assert_eq!(report.targets[0].target, target);
    assert_eq!(report.targets[0].verdict, Some(Verdict::Held));
    // Another test's child has the socket too, until it has become its command.
    assert!(report.targets[0].causes[0].pids.contains(&std::process::id()), "{report:#?}");
    let ran = why(&["--pids", &message]);
    assert!(ran.out.lines().any(|line| line == std::process::id().to_string()), "{ran:?}");
}

#[test]
fn the_other_transport_and_address_are_not_looked_at() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    let report = why(&["--json", &format!("Error: bind EADDRINUSE 127.0.0.1:{port}")]).report();
    assert_eq!(report.targets[0].causes[0].kind, CauseKind::UdpSocket);
    let ran =
        why(&["--json", &format!("listen tcp 127.0.0.1:{port}: bind: address already in use")]);
    let report: Report = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, report.targets[0].verdict), (1, Some(Verdict::Free)));
    let gone = "the message said it was in use; it can be bound now";
    assert!(report.messages[0].notes[0].starts_with(gone), "{report:?}");
}

#[test]
fn a_log_is_read_to_its_end_and_every_failure_answered() {
    let (_one, first) = listener();
    let (_two, second) = listener();
    let log = format!(
        "web-1  | starting\nweb-1  | \x1b[31mError: listen EADDRINUSE: address already in use 127.0.0.1:{first}\x1b[0m\r\n\
         {}\napi-1  | [Errno 98] error while attempting to bind on address ('127.0.0.1', {second}): address already in use",
        "an ordinary line on port 1\n".repeat(20_000)
    );
    for words in [&["--json"][..], &["-", "--json"]] {
        let report = why_reads(words, &[b"\xff\xfe ", log.as_bytes()].concat()).report();
        let ports: Vec<_> = report.messages.iter().map(|message| message.port).collect();
        assert_eq!(ports, [Some(first), Some(second)]);
        assert!(report.targets.iter().all(|target| target.verdict == Some(Verdict::Held)));
    }
    let ran = why_reads(&[], log.as_bytes());
    assert_eq!(ran.code, 0);
    assert_eq!(ran.err, "", "nobody watches: nothing is passed through");
    assert_eq!(ran.out.matches("read: ").count(), 2, "{ran:?}");
}

#[test]
fn more_failures_than_are_answered_are_counted() {
    let log: String = (0..20)
        .map(|n| format!("listen tcp 127.0.0.1:{}: bind: address already in use\n", 1024 + n))
        .collect();
    let ran = why_reads(&["--json"], log.as_bytes());
    let report: Report = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report.messages.len(), 16);
    let last = report.messages[15].notes.last().unwrap();
    assert_eq!(last, "4 more failures were read and are not answered here");
}

#[test]
fn what_tells_of_no_failure_is_one_sentence() {
    let ran = why_reads(&[], b"listening on port 3000\nready\n");
    let want = "proc: no failed bind is told of in 2 lines; name the port: `proc why :PORT`\n";
    assert_eq!((ran.code, &*ran.err, &*ran.out), (1, want, ""));
    let ran = why_reads(&[], b"");
    let want = "proc: paste the message, pipe the log, or name a port: `proc why :3000`\n";
    assert_eq!((ran.code, &*ran.err), (2, want));
    let ran = why_reads(&["-"], b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = why_reads(&["--json"], b"x");
    assert_eq!(ran.report().error.unwrap().kind, "failed");
}

#[test]
fn a_message_without_a_port_says_what_is_missing() {
    let ran = why(&["Error: That port is already in use."]);
    assert_eq!((ran.code, &*ran.err), (1, ""), "{ran:?}");
    assert!(ran.out.contains("runserver's own default is 8000"), "{ran:?}");
    assert!(ran.out.contains("proc why :PORT"), "{ran:?}");
}

#[test]
fn another_machines_port_is_not_looked_at() {
    let (_held, port) = listener();
    for message in [
        format!("Error: connect EADDRINUSE 127.0.0.1:{port}"),
        format!("Warning: remote port forwarding failed for listen port {port}"),
    ] {
        let ran = why(&["--json", &message]);
        let report: Report = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.code, report.targets.len()), (1, 0), "{ran:?}");
        assert!(!report.messages[0].notes.is_empty());
    }
}

#[test]
fn a_socket_file_and_a_pid_file_are_looked_at() {
    let directory = std::env::temp_dir().join(format!("proc-messages-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let socket = directory.join("app.sock");
    let _served = UnixListener::bind(&socket).unwrap();
    let message = format!("listen unix {}: bind: address already in use", socket.display());
    let report = why(&["--json", &message]).report();
    assert_eq!(report.targets[0].causes[0].kind, CauseKind::UnixSocket);
    let file = directory.join("server.pid");
    for (pid, want) in [
        (std::process::id().to_string(), "lives and is"),
        ("4194305".to_owned(), "is stale and can be removed"),
    ] {
        std::fs::write(&file, format!("{pid}\n")).unwrap();
        let message = format!("A server is already running. Check {}.", file.display());
        let ran = why(&[&message]);
        assert!(ran.out.contains(want), "{ran:?}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_recording_says_nothing_of_this_machine_s_files() {
    let directory = std::env::temp_dir().join(format!("proc-messages-r{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (file, recording) = (directory.join("server.pid"), directory.join("machine.json"));
    std::fs::write(&file, format!("{}\n", std::process::id())).unwrap();
    let recorded = program().arg("record").arg(":1").output().unwrap();
    assert!(recorded.status.success() && !recorded.stdout.is_empty(), "{recorded:?}");
    std::fs::write(&recording, recorded.stdout).unwrap();
    let message = format!("A server is already running. Check {}.", file.display());
    let ran = why(&["--replay", recording.to_str().unwrap(), "--json", &message]);
    let report: Report = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((report.messages.len(), report.targets.len()), (1, 0), "{ran:?}");
    assert_eq!(report.messages[0].pid, None, "{ran:?}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_comma_in_a_socket_s_path_and_an_interface_s_name_are_kept() {
    let directory = std::env::temp_dir().join(format!("proc-messages,{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let socket = directory.join("a.sock");
    let _served = UnixListener::bind(&socket).unwrap();
    let message = format!("listen unix {}: bind: address already in use", socket.display());
    let report = why(&["--json", &message]).report();
    assert_eq!(report.targets[0].causes[0].kind, CauseKind::UnixSocket, "{report:?}");
    std::fs::remove_dir_all(&directory).unwrap();

    let message = "Error: listen EADDRINUSE: address already in use fe80::1%lo:3000";
    let ran = why(&["--json", message]);
    let report: Report = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report.messages[0].target.as_deref(), Some("tcp:[fe80::1%1]:3000"), "{ran:?}");
}

/// A shell's words: a program that says what is given, then goes on in its own way.
fn piped(port: u16, then: &str) -> String {
    format!(
        "trap : INT; {{ echo starting; echo 'Error: listen EADDRINUSE: address already in use 127.0.0.1:{port}'; {then}; }} 2>&1 | \"$PROC\" why; echo end $?"
    )
}

#[test]
fn a_program_that_lives_on_is_shown_and_answered_at_once() {
    let (_held, port) = listener();
    let script = piped(port, "read line < /dev/tty; echo after $line; exec sleep 1000");
    let mut terminal = Terminal::start(&["sh", "-c", &script]);
    terminal.until("starting\r\n");
    terminal
        .until(&format!("Error: listen EADDRINUSE: address already in use 127.0.0.1:{port}\r\n"));
    terminal.until(&format!("tcp:127.0.0.1:{port} is held by "));
    // It lives: what it is told comes back through the pipe.
    terminal.key(b"all\n");
    terminal.until("after all\r\n");
    terminal.key(b"\x03");
    let last = terminal.until("end 0");
    assert!(!last.contains("is held by"), "answered once: {last:?}");
}

#[test]
fn ctrl_c_answers_what_a_program_said_that_is_never_silent() {
    let (_held, port) = listener();
    let script = piped(port, "while :; do echo tick; sleep 0.05; done");
    let mut terminal = Terminal::start(&["sh", "-c", &script]);
    let mut before = terminal.until("starting");
    for _ in 0..5 {
        before.push_str(&terminal.until("tick"));
    }
    terminal.key(b"\x03");
    terminal.until(&format!("tcp:127.0.0.1:{port} is held by "));
    terminal.until("end 0");
}

#[test]
fn hostile_words_are_escaped() {
    let ran = why(&[
        "Error: listen EADDRINUSE: address already in use /tmp/\u{202e}x\u{1b}]0;y\u{7}.sock",
    ]);
    assert!(!ran.out.contains(['\u{202e}', '\u{1b}', '\u{7}']), "{ran:?}");
}

/// Programs that listen on a port of their own choosing twice: the second one's words.
#[test]
fn real_programs_started_twice_are_understood() {
    let scripts: [(&str, &[&str]); 4] = [
        (
            "python3",
            &[
                "-c",
                "import asyncio\nasync def f(r, w): pass\nasyncio.run(asyncio.start_server(f, '127.0.0.1', PORT))",
            ],
        ),
        ("node", &["-e", "require('http').createServer().listen(PORT, '127.0.0.1')"]),
        ("ruby", &["-rsocket", "-e", "TCPServer.new('127.0.0.1', PORT)"]),
        ("php", &["-S", "127.0.0.1:PORT"]),
    ];
    let mut tried = 0;
    for (name, words) in scripts {
        let Some(program) = find(name) else {
            eprintln!("{name} is not installed");
            continue;
        };
        let (_held, port) = listener();
        let words = words.iter().map(|word| word.replace("PORT", &port.to_string()));
        let mut child = Command::new(&program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
        child.wait().unwrap();
        let report = why_reads(&["--json"], &said).report();
        let targets: Vec<&str> = report.targets.iter().map(|target| &*target.target).collect();
        let shown = String::from_utf8_lossy(&said);
        assert_eq!(report.messages.len(), 1, "{name}: {shown}");
        assert!(
            targets[0].ends_with(&format!("127.0.0.1:{port}")),
            "{name}: {targets:?} in {shown}"
        );
        assert_eq!(report.targets[0].causes[0].pids, [std::process::id()], "{name}");
        tried += 1;
    }
    if tried == 0 {
        proc_testkit::skip("no interpreter is installed");
    }
}

fn find(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| Path::is_file(file))
}
