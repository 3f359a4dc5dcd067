//! Whole runs on whatever system this is, against sockets of this very process and of children that
//! it starts: what holds a port is named, given back, waited for, and nobody else ends. What only one
//! system has is tested beside it.

#![cfg(any(target_os = "linux", target_os = "macos", windows))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use proc_core::diagnosis::Verdict;
use proc_core::report::{
    CheckStatus, DoctorReport, Outcome, PortsReport, Report, SocketReport, TargetReport,
};

/// Ample on a machine that is busy with other things; nothing passes by waiting so long.
const SOON: Duration = Duration::from_secs(30);

/// With the environment as it is: Windows' sockets need some of it.
fn program() -> Command {
    let built = env!("CARGO_BIN_EXE_proc").into();
    let mut command = Command::new(std::env::var_os("PROC_BIN").unwrap_or(built));
    command.stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Output {
    program().args(words).output().unwrap()
}

#[track_caller]
fn ended(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
}

/// The document about one target, and the exit code.
#[track_caller]
fn report(words: &[&str], code: i32) -> TargetReport {
    let output = run(words);
    ended(&output, code);
    let mut report: Report = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report.targets.len(), 1, "{output:?}");
    report.targets.remove(0)
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn is_held_by(socket: &SocketReport, pid: u32) -> bool {
    socket.holders.iter().any(|holder| holder.pid == pid)
}

/// This test program again, listening on a port that the system chose, until its stdin closes.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "serves_until_its_stdin_closes", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("serves port ")?;
            port.trim().parse().ok()
        });
        Self { child, port: port.expect("the child says its port") }
    }

    fn target(&self) -> String {
        format!("tcp:{}", self.port)
    }

    fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn ends(&mut self) -> bool {
        let began = Instant::now();
        while self.lives() {
            if began.elapsed() > SOON {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test: what [`Server`] starts.
#[test]
#[ignore = "a server for the others, which start it"]
fn serves_until_its_stdin_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Of its own, and flushed: the harness's words before it may have no line end.
    let mut out = std::io::stdout();
    writeln!(out, "\nserves port {}", listener.local_addr().unwrap().port()).unwrap();
    out.flush().unwrap();
    let mut until = [0];
    let _ = std::io::stdin().read(&mut until);
}

#[test]
fn a_listener_of_this_process_is_named_until_it_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = format!("tcp:{port}");
    let seen = report(&["on", &target, "--json"], 0);
    assert_eq!(seen.verdict, Some(Verdict::Held), "{seen:#?}");
    let pid = std::process::id();
    assert!(seen.sockets.iter().any(|socket| is_held_by(socket, pid)), "{seen:#?}");
    let process = seen.processes.iter().find(|process| process.pid == pid).unwrap();
    assert!(process.name.starts_with("anywhere"), "{process:#?}");
    ended(&run(&["check", &target]), 1);
    let why = run(&["why", &format!("Error: listen EADDRINUSE: address already in use :::{port}")]);
    ended(&why, 0);
    assert!(text(&why).contains(&format!("(pid {pid})")), "{why:?}");
    drop(listener);
    ended(&run(&["check", &target]), 0);
    let seen = report(&["on", &target, "--json"], 1);
    assert_eq!(seen.verdict, Some(Verdict::Free), "{seen:#?}");
}

#[test]
fn both_families_and_both_transports_are_seen() {
    let pid = std::process::id();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let seen = report(&["on", &format!("udp:{}", udp.local_addr().unwrap().port()), "--json"], 0);
    assert!(seen.sockets.iter().any(|socket| is_held_by(socket, pid)), "{seen:#?}");
    // A machine may have no IPv6.
    if let Ok(six) = TcpListener::bind("[::1]:0") {
        let port = six.local_addr().unwrap().port();
        let seen = report(&["on", &format!("tcp:{port}"), "--json"], 0);
        assert!(seen.sockets.iter().any(|socket| is_held_by(socket, pid)), "{seen:#?}");
        let refused = seen.bind.iter().find(|row| row.address == "::1").unwrap();
        assert_ne!(refused.plain, "ok", "{seen:#?}");
    }
}

/// On Windows a connection alone stops no bind, and is not told.
#[test]
#[cfg(unix)]
fn a_connection_without_its_listener_has_its_holder() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    drop(listener);
    let target = format!("tcp:{}", server.local_addr().unwrap().port());
    let seen = report(&["on", &target, "-a", "--json"], 0);
    let remote = client.local_addr().unwrap().to_string();
    let ours = seen.sockets.iter().find(|it| it.remote.as_deref() == Some(&*remote)).unwrap();
    assert!(is_held_by(ours, std::process::id()), "{seen:#?}");
}

#[test]
fn lists_have_this_process_and_its_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let output = run(&["ports", "--json"]);
    ended(&output, 0);
    let ports: PortsReport = serde_json::from_slice(&output.stdout).unwrap();
    let local = format!("127.0.0.1:{port}");
    let row = ports.sockets.iter().find(|socket| socket.local == local).unwrap();
    assert!(is_held_by(row, std::process::id()), "{row:#?}");
    let pid = std::process::id().to_string();
    let info = run(&["info", &format!("pid:{pid}")]);
    ended(&info, 0);
    assert!(
        text(&info).contains("anywhere") && text(&info).contains(&port.to_string()),
        "{info:?}"
    );
    let tree = run(&["tree", &format!("pid:{pid}")]);
    ended(&tree, 0);
    assert!(text(&tree).contains(&pid), "{tree:?}");
    ended(
        &run(&["list", "--pids", "--path", std::env::current_exe().unwrap().to_str().unwrap()]),
        0,
    );
}

#[test]
fn kill_gives_the_port_back_and_ends_nobody_else() {
    let (mut server, mut other) = (Server::start(), Server::start());
    let done = report(&["kill", &server.target(), "--yes", "--json"], 0);
    assert_eq!(done.outcome, Some(Outcome::Freed), "{done:#?}");
    assert!(server.ends());
    drop(TcpListener::bind(("127.0.0.1", server.port)).unwrap());
    assert!(other.lives());
    assert!(TcpStream::connect(("127.0.0.1", other.port)).is_ok());
}

#[test]
fn nobody_ends_without_consent() {
    let mut server = Server::start();
    for verb in ["kill", "stop", "free"] {
        ended(&run(&[verb, &server.target()]), 4);
        ended(&run(&[verb, &server.target(), "--dry-run"]), 0);
    }
    assert!(server.lives());
}

/// Windows has no way to ask a program without a window.
#[test]
fn stop_asks_where_that_can_be_and_forces_nobody() {
    let mut server = Server::start();
    let target = server.target();
    if cfg!(windows) {
        let refused = run(&["stop", &target, "--yes"]);
        ended(&refused, 3);
        assert!(text(&refused).contains("proc kill"), "{refused:?}");
        assert!(server.lives());
    } else {
        ended(&run(&["stop", &target, "--yes"]), 0);
        assert!(server.ends());
    }
}

#[test]
fn a_wait_ends_with_the_holder_and_names_it_until_then() {
    let mut server = Server::start();
    let target = server.target();
    ended(&run(&["wait", &target, "--listening", "--timeout", "20s"]), 0);
    let late = run(&["wait", &target, "--timeout", "200ms"]);
    ended(&late, 1);
    assert!(text(&late).contains(&format!("(pid {})", server.child.id())), "{late:?}");
    let waits = program().args(["wait", &target, "--timeout", "60s"]).spawn().unwrap();
    drop(server.child.stdin.take());
    assert!(server.ends());
    ended(&waits.wait_with_output().unwrap(), 0);
}

#[test]
fn the_doctor_trusts_the_answers() {
    let output = run(&["doctor", "--json"]);
    let report: DoctorReport = serde_json::from_slice(&output.stdout).unwrap();
    let failed: Vec<_> =
        report.checks.iter().filter(|check| check.status == Some(CheckStatus::Fails)).collect();
    assert_eq!(output.status.code(), Some(0), "{failed:#?}");
    assert!(report.checks.len() > 20, "{report:#?}");
}
