//! Whole runs of `pick`: what it passes over, what a lease keeps from whom and for how long, and
//! how a command gets its port.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use live::*;
use proc_core::report::{LeaseKind, LeaseOutcome, LeasesReport, PickReport};
use proc_testkit::{is_root, skip};

fn ports(ran: &Ran) -> Vec<u16> {
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    ran.out.lines().map(|line| line.parse().unwrap()).collect()
}

fn one_port(words: &str) -> u16 {
    let all = ports(&run(words));
    assert_eq!(all.len(), 1, "{words}");
    all[0]
}

/// A port outside of every range that picks choose from by chance, which nothing holds. Each comes
/// from a range of its own, as a test may release it and pick it again.
fn quiet_port() -> u16 {
    const EACH: u32 = 150;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = 7000 + std::process::id() % 2000 + EACH * NEXT.fetch_add(1, Ordering::Relaxed);
    one_port(&format!("pick --range {first}-{} --lease 60s", first + EACH - 1))
}

fn leases(words: &str) -> LeasesReport {
    let ran = run(words);
    let report: LeasesReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report.ok, ran.code == 0, "{ran:?}");
    report
}

/// A command that got a port, tells it, and lives until its stdin ends.
struct Holder {
    child: Child,
    stdin: Option<ChildStdin>,
    line: String,
}

impl Holder {
    #[track_caller]
    fn start(mut command: Command, options: &str, script: &str) -> Self {
        command.arg("pick").args(options.split_whitespace()).arg("--");
        command.args(["sh", "-c", &format!("{script}; read line"), "{}"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { stdin: child.stdin.take(), child, line: line.trim().to_owned() }
    }

    #[track_caller]
    fn new(options: &str) -> Self {
        Self::start(program(), options, "echo $PORT")
    }

    #[track_caller]
    fn port(&self) -> u16 {
        self.line.parse().unwrap_or_else(|_| panic!("it said {:?}", self.line))
    }

    fn end(&mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().is_ok());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn alone(port: u16) -> String {
    format!("pick --range {port}-{port} --no-lease")
}

/// Whether a pick of exactly that port is refused for that reason.
#[track_caller]
fn refused(words: &str, reason: &str) {
    let ran = run(words);
    assert_eq!((ran.code, &*ran.out), (1, ""), "{words}: {ran:?}");
    assert!(ran.err.contains(reason), "{words}: {ran:?}");
}

#[test]
fn ports_are_printed_and_can_be_bound() {
    let three = ports(&run("pick 3"));
    assert_eq!(three.iter().collect::<BTreeSet<_>>().len(), 3);
    for port in &three {
        assert!(*port >= 10_000 && !(32768..=60999).contains(port), "{three:?}");
    }
    let row = ports(&run("pick 4 --consecutive"));
    assert!(row.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{row:?}");
    TcpListener::bind(("::", row[0])).unwrap();
    let kernels = ports(&run("pick 2 --ephemeral"));
    assert!(kernels[0] != kernels[1]);
    let ran = run("pick --json --both --address localhost --lease 1m");
    let report: PickReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, report.ok, report.ports.len()), (0, true, 1), "{ran:?}");
    assert_eq!(report.protocols.len(), 2);
    assert_eq!((report.address.as_deref(), report.lease_ms), (Some("localhost"), Some(60_000)));
    let ran = run("pick --json --no-lease");
    assert_eq!(serde_json::from_str::<PickReport>(&ran.out).unwrap().lease_ms, None);
    let ran = run("pick --quiet");
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", ""));
}

#[test]
fn every_kind_of_holder_is_passed_over() {
    for role in [
        &["listen"][..],
        &["listen", "--addr", "0.0.0.0", "--reuse-addr"],
        &["listen", "--addr", "::1"],
        &["listen", "--addr", "::", "--v6only"],
        &["bound"],
        &["bound", "--reuse-addr", "--reuse-port"],
        &["accepted"],
        &["outgoing"],
        &["time-wait"],
        &["time-wait", "--reuse-addr"],
    ] {
        let actor = Actor::spawn(role);
        let port = actor.port();
        refused(&alone(port), "it is held");
        assert_ne!(one_port(&format!("pick --near {port} --no-lease")), port, "{role:?}");
        refused(&format!("{} --both", alone(port)), "it is held");
    }
    let actor = Actor::spawn(&["udp"]);
    let port = actor.port();
    refused(&format!("{} --udp", alone(port)), "it is held");
    refused(&format!("{} --both", alone(port)), "it is held");
    let actor = Actor::spawn(&["listen"]);
    let port = actor.port();
    // Other addresses and transports of a port that is held on one.
    assert_eq!(one_port(&format!("{} --address ::1", alone(port))), port);
    assert_eq!(one_port(&format!("{} --udp", alone(port))), port);
    refused(&format!("{} --address 127.0.0.1", alone(port)), "it is held");
    refused(&format!("{} --address localhost", alone(port)), "it is held");
}

#[test]
fn near_leaps_over_a_long_run_of_held_ports() {
    let first = 11_000 + u16::try_from(std::process::id() % 4000).unwrap();
    let held: Vec<TcpListener> = (first..first + 60)
        .filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
        .collect();
    assert!(held.len() > 50);
    let port = one_port(&format!("pick --near {first}"));
    assert!(port >= first + 60 || held.iter().all(|own| own.local_addr().unwrap().port() != port));
    assert!(port > first);
    let in_a_row = ports(&run(&format!("pick 3 --consecutive --near {first}")));
    assert!(in_a_row[0] > first && in_a_row[2] == in_a_row[0] + 2);
}

#[test]
fn what_browsers_refuse_is_passed_over() {
    let port = one_port("pick --near 6665 --no-lease");
    assert!(port >= 6670, "{port}");
    let ran = run("pick --range 6665-6669");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no free port in 6665-6669; 5 refused by browsers"), "{ran:?}");
}

#[test]
fn a_timed_lease_keeps_a_port_until_its_time_or_its_release() {
    let port = quiet_port();
    refused(&alone(port), "leased by other picks");
    let near = one_port(&format!("pick --near {port} --no-lease"));
    assert!(near > port);
    let listed = leases("pick --leases --json");
    let lease = listed.leases.iter().find(|lease| lease.port == port).unwrap();
    assert_eq!(lease.kind, Some(LeaseKind::Timed));
    assert!(lease.left_ms.is_some_and(|left| (1..=60_000).contains(&left)), "{lease:?}");
    assert_eq!(lease.pids, [std::process::id()], "who ran proc");
    // Another transport is another port.
    assert_eq!(one_port(&format!("{} --udp", alone(port))), port);
    let ended = leases(&format!("pick --release {port} --json"));
    assert_eq!(ended.leases[0].released, Some(LeaseOutcome::Released));
    assert_eq!(one_port(&alone(port)), port);
    let again = run(&format!("pick --release tcp:{port}"));
    assert_eq!((again.code, again.out.trim()), (1, &*format!("tcp:{port} is not leased")));
    // A short one ends by itself.
    let words = format!("pick --range {port}-{port} --lease 200ms");
    assert_eq!(one_port(&words), port);
    assert!(wait_until(SOON, || run(&alone(port)).code == 0));
}

#[test]
fn a_command_has_its_port_until_its_last_process_ends() {
    let mut holder = Holder::new("");
    let port = holder.port();
    // It can be bound: the lease is no socket.
    drop(TcpListener::bind(("0.0.0.0", port)).unwrap());
    refused(&alone(port), "leased by other picks");
    let listed = leases("pick --leases --json");
    let lease = listed.leases.iter().find(|lease| lease.port == port).unwrap();
    assert_eq!((lease.kind, lease.left_ms), (Some(LeaseKind::Command), None));
    assert_eq!((&*lease.pids, &*lease.argv[0]), (&[holder.child.id()][..], "sh"));
    let ended = leases(&format!("pick --release {port} --json"));
    assert_eq!(ended.leases[0].released, Some(LeaseOutcome::HasHolder));
    assert!(holder.child.try_wait().unwrap().is_none(), "nobody is ended for a lease");
    holder.end();
    assert_eq!(one_port(&alone(port)), port);

    // Killed, it lets go as well.
    let mut holder = Holder::new("");
    let port = holder.port();
    refused(&alone(port), "leased by other picks");
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    assert_eq!(one_port(&alone(port)), port);

    // A child that it leaves behind has it too.
    let script = "sleep 30 >/dev/null 2>&1 & echo $PORT $!; exit";
    let mut holder = Holder::start(program(), "", script);
    holder.child.wait().unwrap();
    let (port, child) = holder.line.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    refused(&alone(port), "leased by other picks");
    let pid = rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert!(wait_until(SOON, || run(&alone(port)).code == 0));
}

#[test]
fn the_command_is_the_same_process_and_its_code_is_the_answer() {
    let holder = Holder::start(program(), "2 --consecutive", "echo $$ $PORT $PORT1 $PORT2 $0");
    let words: Vec<u32> = holder.line.split(' ').map(|word| word.parse().unwrap()).collect();
    let [pid, port, first, second, place] = words[..] else { panic!("{:?}", holder.line) };
    assert_eq!((pid, port, first, second), (holder.child.id(), place, place, place + 1));
    let code = |words: &[&str]| program().arg("pick").args(words).output().unwrap();
    assert_eq!(code(&["--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    let signalled = code(&["--", "sh", "-c", "kill -9 $$"]).status;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&signalled), Some(9));
    // Words that are no UTF-8 are the command's own business.
    let odd: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"a\xff{}".to_vec());
    let ran = program().args(["pick", "--", "printf", "%s"]).arg(odd).output().unwrap();
    assert!(ran.stdout.starts_with(b"a\xff") && ran.stdout[2..].iter().all(u8::is_ascii_digit));
}

#[test]
fn a_socket_is_passed_listening() {
    // The connection is made before the command looks: it waits in the socket's queue.
    let script = "echo $$ $PORT $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES $(readlink /proc/$$/fd/3)";
    let holder = Holder::start(program(), "--socket always", script);
    let words: Vec<&str> = holder.line.split(' ').collect();
    let [pid, port, count, listen_pid, names, link] = words[..] else {
        panic!("{:?}", holder.line)
    };
    assert_eq!((pid, count, names), (listen_pid, "1", "tcp1"));
    assert_eq!(pid, holder.child.id().to_string());
    let port: u16 = port.parse().unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    let row = procfs::rows("tcp", port).into_iter().find(|row| row.state == 10).unwrap();
    assert_eq!(link, format!("socket:[{}]", row.inode));
    assert!(TcpStream::connect(("127.0.0.2", port)).is_err(), "the loopback address alone");
    drop(holder);

    let words = "2 --socket always --address * --both";
    let script = "echo $PORT1 $PORT2 $LISTEN_FDS $LISTEN_FDNAMES $(readlink /proc/$$/fd/[3-6] | grep -c socket)";
    let holder = Holder::start(program(), words, script);
    let words: Vec<&str> = holder.line.split(' ').collect();
    assert_eq!(words[2..4], ["4", "tcp1:udp1:tcp2:udp2"], "{words:?}");
    assert_eq!(words[4], "4", "{words:?}");
    let second: u16 = words[1].parse().unwrap();
    TcpStream::connect(("127.0.0.2", second)).unwrap();
    drop(holder);

    let words = "--socket never";
    let holder = Holder::start(program(), words, "echo ${LISTEN_FDS-none}");
    assert_eq!(holder.line, "none");
}

#[test]
fn sockets_take_the_place_of_inherited_descriptors() {
    // Something is at 3 already when proc starts.
    let script = format!(
        "exec 3</dev/null; exec {PROC} pick --socket always -- sh -c 'readlink /proc/$$/fd/3'"
    );
    let ran = Command::new("sh").args(["-c", &script]).output().unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(out.starts_with("socket:["), "{out:?}");
}

#[test]
fn a_listening_socket_serves_python() {
    let script = "\
import os, socket, sys
assert os.environ['LISTEN_PID'] == str(os.getpid()) and os.environ['LISTEN_FDS'] == '1'
server = socket.socket(fileno=3)
assert server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
print(server.getsockname()[1], flush=True)
connection, _ = server.accept()
connection.sendall(b'served')
";
    let mut command = program();
    command.args(["pick", "--socket", "always", "--", "python3", "-c", script]);
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else { panic!("proc starts") };
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    if out.read_line(&mut line).unwrap() == 0 {
        assert_eq!(child.wait().unwrap().code(), Some(2), "there is no python3");
        return skip("python3 is not there");
    }
    let mut stream =
        TcpStream::connect(("127.0.0.1", line.trim().parse::<u16>().unwrap())).unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
    assert_eq!((&*said, child.wait().unwrap().code()), ("served", Some(0)));
}

#[test]
fn a_command_that_cannot_be_run_says_so_and_keeps_nothing() {
    let port = quiet_port();
    run(&format!("pick --release {port}"));
    for (program, code, words) in [
        ("/no/such/program", 2, "proc: there is no command `/no/such/program`\n"),
        ("no-such-program", 2, "proc: there is no command `no-such-program`\n"),
        ("/etc/passwd", 3, "proc: `/etc/passwd` may not be run: permission denied\n"),
    ] {
        let ran = run(&format!("pick --range {port}-{port} -- {program}"));
        assert_eq!((ran.code, &*ran.out, &*ran.err), (code, "", words));
    }
    assert_eq!(one_port(&alone(port)), port);
}

#[test]
fn wrong_words_are_one_sentence() {
    for (words, want) in [
        ("pick 0", "`0` ports are none; to look whether a port is free: `proc check :3000`"),
        ("pick 70000", "there are no 70000 ports"),
        (
            "pick node",
            "`node` is not a number of ports; a command stands after `--`, as in `proc pick -- node`",
        ),
        ("pick 2 node", "`proc pick` takes no `node`; a command stands after `--`"),
        ("pick --near 70000", "--near: `70000` is not a port; ports are 1 to 65535"),
        ("pick --near 0", "--near: `0` is not a port; ports are 1 to 65535"),
        ("pick --range 9-3", "--range: `9-3` ends before it begins; write `3-9`"),
        ("pick --range 9", "--range: `9` is not a range; write it like `3000-3100`"),
        ("pick 5 --range 3000-3001", "3000-3001 has 2 ports, and 5 are wanted"),
        ("pick --near 5 --range 10-20", "--near: 5 is not in the range 10-20"),
        ("pick --udp --both", "`--udp` and `--both` exclude each other"),
        ("pick --lease 5", "--lease: `5` has no unit; write `5s` for seconds"),
        ("pick --lease 25h", "--lease: `25h` is too long; a lease lasts at most `24h`"),
        ("pick --lease 0s", "--lease: `0s` is no time; for no lease: `--no-lease`"),
        ("pick --socket always", "--socket: it is for a command, which stands after `--`"),
        ("pick --leases 3", "`--leases` and `[N]` exclude each other"),
        (
            "pick --address nowhere",
            "--address: `nowhere` is not an address; write it like `127.0.0.1` or `::1`",
        ),
        (
            "pick --replay x.json",
            "`--replay` shows another moment, and pick takes ports of this one",
        ),
        (
            "pick 2 -- echo {} {} {}",
            "`{}` stands there 3 times, and 2 ports are picked; write `{1}` to repeat one",
        ),
    ] {
        let ran = run(words);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{words}: {ran:?}");
        assert_eq!(ran.err, format!("proc: {want}\n"), "{words}");
        if !words.contains("--replay") && !words.contains(" -- ") {
            let ran = run(&format!("{words} --json"));
            assert_eq!((ran.code, ran.report().error.unwrap().explain), (2, want.to_owned()));
        }
    }
    let ran = run("pick --address 192.0.2.1");
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("proc: 192.0.2.1 is not an address of this machine"), "{ran:?}");
}

#[test]
fn parallel_picks_never_meet() {
    const ALL: usize = 500;
    const AT_ONCE: usize = 25;
    let mut seen = BTreeSet::new();
    for _ in 0..ALL / AT_ONCE {
        let start = || program().args(["pick", "--lease", "1m"]).stdout(Stdio::piped()).spawn();
        let children: Vec<Child> = (0..AT_ONCE).map(|_| start().unwrap()).collect();
        for child in children {
            let ran = Ran::from(child.wait_with_output().unwrap());
            for port in ports(&ran) {
                assert!(seen.insert(port), "{port} was handed out twice");
            }
        }
    }
    assert_eq!(seen.len(), ALL);
}

#[test]
fn parallel_picks_of_one_range_share_it_out() {
    let first = 14_000 + u16::try_from(std::process::id() % 4000).unwrap();
    let words = format!("pick --range {first}-{} --lease 1m", first + 29);
    let start = || program().args(words.split(' ')).stdout(Stdio::piped()).spawn().unwrap();
    let free = ports(&run(&words.replace("pick", "pick 20").replace("--lease 1m", "--no-lease")));
    assert_eq!(free.len(), 20);
    let children: Vec<Child> = (0..20).map(|_| start()).collect();
    let all: Vec<u16> = children
        .into_iter()
        .flat_map(|child| ports(&Ran::from(child.wait_with_output().unwrap())))
        .collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 20, "{all:?}");
}

#[test]
fn leases_count_for_every_user() {
    if !is_root() {
        return skip("it takes on another user, which needs root");
    }
    let proc = Public::new("pick-users");
    // A command of root's, and one of the user's.
    let holder = Holder::new("");
    let port = holder.port();
    let ran = proc.run(&alone(port));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("leased by other picks"), "{ran:?}");
    let listed = proc.run("pick --leases --json");
    let listed: LeasesReport = serde_json::from_str(&listed.out).unwrap();
    let lease = listed.leases.iter().find(|lease| lease.port == port).unwrap();
    assert_eq!((lease.kind, lease.uid), (Some(LeaseKind::Command), Some(0)));
    drop(holder);
    let ran = proc.run(&alone(port));
    assert_eq!(ports(&ran), [port]);
    // For a time, both ways.
    let port = quiet_port();
    let ran = proc.run(&alone(port));
    assert!(ran.code == 1 && ran.err.contains("leased by other picks"), "{ran:?}");
    let ran = proc.run(&format!("pick --release {port}"));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(run(&format!("pick --release {port}")).code, 0);
    let ran = proc.run(&format!("pick --range {port}-{port} --lease 1m"));
    assert_eq!(ports(&ran), [port]);
    refused(&alone(port), "leased by other picks");
    let listed = leases("pick --leases --json");
    let lease = listed.leases.iter().find(|lease| lease.port == port).unwrap();
    assert_eq!(lease.uid, Some(unprivileged_uid()));
    assert_eq!(run(&format!("pick --release {port}")).code, 0, "root may");
    // Privileged ports are not for everybody.
    let ran = proc.run("pick --range 2-6");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("not permitted to this user"), "{ran:?}");
}

/// A script in a world of its own, with its own `/tmp`.
fn in_small_world(script: &str) -> Option<Ran> {
    if !is_root() {
        skip("it makes namespaces, which needs root");
        return None;
    }
    // The program may itself lie in the `/tmp` that is covered.
    let own = "mount -t tmpfs none /run; cp $PROC /run/proc; PROC=/run/proc;
               mount -t tmpfs -o mode=1777 none /tmp; mkdir -p /run/user; cd /;";
    Some(in_world(&format!("{own} {script}")))
}

#[test]
fn the_machine_s_rules_are_kept() {
    let Some(ran) = in_small_world(
        "cd /proc/sys/net/ipv4
         echo 3000-3002,3004 > ip_local_reserved_ports
         $PROC pick --near 3000 --no-lease
         $PROC pick --near 3004 --no-lease
         $PROC pick --range 3000-3002 --no-lease
         $PROC pick --range 2999-3004 2 --no-lease
         echo 5000 6000 > ip_local_port_range
         $PROC pick --near 5000 --no-lease
         $PROC pick --near 4999 2 --no-lease
         $PROC pick --near 4999 2 --no-lease --ephemeral
         $PROC pick --range 3000-3004 2>&1 || echo $?
         echo 1024 65535 > ip_local_port_range
         $PROC pick --no-lease >/dev/null && echo all are ephemeral",
    ) else {
        return;
    };
    let want =
        "3003\n3005\n3000\n2999\n3003\n5000\n4999\n6001\n4999\n5000\n3003\nall are ephemeral\n";
    assert_eq!((ran.code, &*ran.out), (0, want), "{ran:?}");
}

#[test]
fn what_dead_ones_left_is_cleared() {
    let Some(ran) = in_small_world(
        "$PROC pick --leases || echo $?
         $PROC pick 3 >/dev/null
         $PROC pick -- true
         $PROC pick -- sh -c 'kill -9 $$' || true
         ls /tmp/proc-0/leases | wc -l
         ls /tmp/proc-leases/0 | wc -l
         $PROC pick --clear | grep -c 'no longer leased'
         find /tmp -type f | wc -l
         echo rubbish > /tmp/proc-leases/0/tcp-3000-4026531833
         ln -s /etc/passwd /tmp/proc-leases/0/tcp-3001-$(stat -Lc %i /proc/self/ns/net)
         mkfifo /tmp/proc-leases/0/tcp-3002-$(stat -Lc %i /proc/self/ns/net)
         $PROC pick 3 --near 3000 2>&1 | tail -3
         head -c 4 /etc/passwd; echo
         $PROC pick --leases | grep -c 300",
    ) else {
        return;
    };
    let lines: Vec<&str> = ran.out.lines().collect();
    // One pick in sixteen clears what it finds dead: the last one may have found the first.
    let left = ["1", "2"].into_iter().find(|left| *left == lines[2]).unwrap_or("1 or 2");
    assert_eq!(lines[..6], ["no port is leased", "1", left, "3", "3", "0"], "{ran:?}");
    assert_eq!(lines[6..], ["3000", "3001", "3002", "root", "3"], "{ran:?}");
}

#[test]
fn directories_that_cannot_be_used_are_said_and_gone_round() {
    let Some(ran) = in_small_world(
        "mkdir -m 700 /run/own /run/theirs /run/open; chown 1000 /run/theirs; chmod 777 /run/open
         ln -s /run/own /run/link
         for there in /run/missing /run/link /run/theirs /run/open /run/own relative; do
           echo \"$there:\"
           XDG_RUNTIME_DIR=$there $PROC pick -- sh -c 'ls -d /tmp/proc-0/leases/tcp-$PORT-* /run/own/proc/leases/tcp-$PORT-* 2>/dev/null | cut -d- -f1'
         done 2>&1
         rm -r /tmp/proc-0; ln -s /etc /tmp/proc-0
         $PROC pick --near 3000 -- echo held 2>&1
         rm /tmp/proc-0; mkdir -m 700 /tmp/proc-0; chown 1000 /tmp/proc-0
         $PROC pick --near 3000 -- sh -c \"$PROC pick --near 3000 --no-lease\" 2>&1
         rm -rf /tmp/proc-leases; mkdir /tmp/proc-leases; chown 1000 /tmp/proc-leases
         $PROC pick --near 3000 2>&1
         ls /etc/leases 2>/dev/null || echo nothing was followed",
    ) else {
        return;
    };
    let want = "\
/run/missing:
proc: /run/missing/proc/leases cannot be used: no such file or directory
/tmp/proc
/run/link:
proc: /run/link/proc/leases cannot be used: not a directory
/tmp/proc
/run/theirs:
proc: /run/theirs/proc/leases cannot be used: it belongs to another user
/tmp/proc
/run/open:
proc: /run/open/proc/leases cannot be used: others may write to it
/tmp/proc
/run/own:
/run/own/proc/leases/tcp
relative:
/tmp/proc
proc: /tmp/proc-0/leases cannot be used: not a directory
proc: no record of the lease can be written: no runtime directory can be used
held
";
    assert!(ran.out.starts_with(want), "{ran:#?}");
    assert!(ran.out.contains("3001\n") && ran.out.contains("nothing was followed"), "{ran:#?}");
    assert!(ran.out.contains("/tmp/proc-leases cannot be used"), "{ran:#?}");
    assert!(ran.out.contains("is not kept from other picks"), "{ran:#?}");
}

#[test]
fn a_full_or_read_only_file_system_is_said() {
    let Some(ran) = in_small_world(
        "$PROC pick --near 3000 >/dev/null
         mount -o remount,ro none /tmp
         $PROC pick --near 3001 2>&1
         $PROC pick --near 3100 -- sh -c \"$PROC pick --near 3100 --no-lease\" 2>&1
         mount -o remount,rw,size=64k none /tmp
         dd if=/dev/zero of=/tmp/full bs=4k count=100 2>/dev/null || true
         $PROC pick --near 3200 2>&1
         mkdir -m 700 /run/user/0
         $PROC pick --near 3300 2>&1
         $PROC pick --near 3300 2>&1 | tail -1",
    ) else {
        return;
    };
    let lines: Vec<&str> = ran.out.lines().collect();
    let numbers: Vec<&&str> = lines.iter().filter(|line| line.parse::<u16>().is_ok()).collect();
    assert_eq!(numbers, [&"3001", &"3101", &"3200", &"3300", &"3301"], "{ran:#?}");
    for said in ["read-only file system", "no space left on device", "is not kept from other picks"]
    {
        assert!(ran.out.contains(said), "{said}: {ran:#?}");
    }
}

#[test]
fn few_descriptors_are_enough_for_many_ports() {
    let Some(ran) = in_small_world(
        "(ulimit -n 12; $PROC pick 200 | wc -l)
         (ulimit -n 12; $PROC pick 200 -- true) 2>&1 || echo $?
         $PROC pick 200 --no-lease | wc -l",
    ) else {
        return;
    };
    assert_eq!(ran.out, "200\nproc: ports cannot be tried: EMFILE\n1\n200\n", "{ran:?}");
}

#[test]
fn the_list_is_safe_to_look_at() {
    let mut command = program();
    command.args([
        "pick",
        "--",
        "sh",
        "-c",
        "echo $PORT; read line",
        "\x1b[2J",
        "--password=hunter2",
    ]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ran = run("pick --leases");
    let own = ran.out.lines().find(|row| row.starts_with(line.trim())).unwrap();
    assert!(own.contains("--password=***") && !own.contains("hunter2"), "{own}");
    assert!(!ran.out.contains('\x1b'), "{ran:?}");
    let _ = child.stdin.take().unwrap().write_all(b"\n");
    child.wait().unwrap();
}
