//! Every role is what it says it is: compared with `/proc` and with binds of this test's own.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proc_testkit::procfs::{self, Row, descriptors, holds, rows};
use proc_testkit::{
    Actor, Signal, actor_path, free_port, in_namespaces, is_root, run_as, skip, unprivileged_uid,
    wait_until,
};

/// Ample on a machine that is busy with other things; nothing passes by waiting so long.
const SOON: Duration = Duration::from_secs(20);
const LISTEN: u8 = 10;

/// Binds as a plain server would: `std` sets SO_REUSEADDR, which a live listener still refuses.
fn bind(ip: impl Into<IpAddr>, port: u16) -> Result<TcpListener, ErrorKind> {
    TcpListener::bind(SocketAddr::new(ip.into(), port)).map_err(|error| error.kind())
}

fn is_taken(port: u16) -> bool {
    matches!(bind(Ipv4Addr::LOCALHOST, port), Err(ErrorKind::AddrInUse))
}

fn becomes_free(port: u16) -> bool {
    wait_until(SOON, || bind(Ipv4Addr::LOCALHOST, port).is_ok())
}

fn udp_is_taken(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(|e| e.kind() == ErrorKind::AddrInUse)
}

fn states(port: u16) -> Vec<u8> {
    rows("tcp", port).iter().map(|row| row.state).collect()
}

fn listening_row(port: u16) -> Row {
    let found = rows("tcp", port).into_iter().find(|row| row.state == LISTEN);
    found.expect("the port listens")
}

fn gone(pid: u32) -> bool {
    wait_until(SOON, || matches!(procfs::state(pid), None | Some('Z' | 'X')))
}

fn greeting(port: u16) -> (u32, TcpStream) {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    (line.trim().parse().unwrap(), stream)
}

fn fails(args: &[&str]) -> String {
    let output = Command::new(actor_path()).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success(), "{args:?} did not fail");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_listener_holds_its_port_until_it_is_dropped() {
    let actor = Actor::spawn(&["listen"]);
    let port = actor.port();
    assert!(is_taken(port));
    assert_eq!(listening_row(port).inode, actor.inode());
    assert!(holds(actor.pid(), actor.inode()));
    assert!(actor.alive());
    drop(actor);
    assert!(becomes_free(port));
}

#[test]
fn it_ends_when_its_stdin_closes_or_its_time_passes() {
    let mut child = Command::new(actor_path())
        .arg("listen")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("ready pid="), "{line:?}");
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert!(wait_until(SOON, || child.try_wait().unwrap().is_some()));

    let actor = Actor::spawn(&["listen", "--for", "30"]);
    assert!(actor.wait_exit(SOON));
}

#[test]
fn a_wrong_command_line_and_a_taken_port_are_said() {
    assert!(fails(&["nonsense"]).contains("no such role"));
    assert!(fails(&["listen", "--nonsense", "1"]).contains("no such option"));
    let actor = Actor::spawn(&["listen"]);
    let said = fails(&["listen", "--port", &actor.port().to_string()]);
    assert!(said.starts_with("error bind"), "{said:?}");
}

#[test]
fn addresses_and_v6only_are_taken_as_asked() {
    let any = Actor::spawn(&["listen", "--addr", "::"]);
    assert!(is_taken(any.port()));
    // A stranger may hold the same number on 127.0.0.1, but not each time.
    let leaves_loopback = |args: &[&str]| {
        (0..5).any(|_| {
            let actor = Actor::spawn(args);
            bind(Ipv4Addr::LOCALHOST, actor.port()).is_ok()
        })
    };
    assert!(leaves_loopback(&["listen", "--addr", "::", "--v6only"]));
    assert!(leaves_loopback(&["listen", "--addr", "127.0.0.9"]));
    let six = Actor::spawn(&["listen", "--addr", "::", "--v6only"]);
    assert_eq!(bind(Ipv6Addr::UNSPECIFIED, six.port()).unwrap_err(), ErrorKind::AddrInUse);
}

#[test]
fn bound_holds_the_port_and_shows_in_no_table() {
    let actor = Actor::spawn(&["bound"]);
    assert!(is_taken(actor.port()));
    assert_eq!(states(actor.port()), []);
    assert!(holds(actor.pid(), actor.inode()));
    // With SO_REUSEADDR on both sides, and nobody listening, a second bind is allowed.
    let actor = Actor::spawn(&["bound", "--reuse-addr"]);
    assert!(!is_taken(actor.port()));
}

#[test]
fn udp_holds_udp_alone() {
    let actor = Actor::spawn(&["udp"]);
    assert!(udp_is_taken(actor.port()));
    assert_eq!(rows("udp", actor.port())[0].inode, actor.inode());
    assert!(rows("tcp", actor.port()).iter().all(|row| row.inode != actor.inode()));
    let actor = Actor::spawn(&["udp-connected"]);
    let row = rows("udp", actor.port())[0];
    assert_eq!((row.state, row.peer), (1, actor.number("peer")));
}

#[test]
fn a_reservation_holds_both_transports() {
    let actor = Actor::spawn(&["reservation"]);
    assert!(is_taken(actor.port()) && udp_is_taken(actor.port()));
    assert_eq!(rows("udp", actor.port())[0].inode, actor.number::<u64>("udp_inode"));
    assert_eq!(listening_row(actor.port()).inode, actor.inode());
}

#[test]
fn two_ports_are_two() {
    let actor = Actor::spawn(&["two-ports"]);
    let second = actor.number("second");
    assert!(is_taken(actor.port()) && is_taken(second) && second != actor.port());
    assert_eq!(listening_row(second).inode, actor.number::<u64>("second_inode"));
}

#[test]
fn unix_sockets_listen_and_a_stale_one_refuses() {
    let directory = std::env::temp_dir().join(format!("actors-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let live = directory.join("live.sock");
    let actor = Actor::spawn(&["unix".as_ref(), live.as_os_str()]);
    assert!(UnixStream::connect(&live).is_ok());
    assert!(holds(actor.pid(), actor.inode()));

    let stale = directory.join("stale.sock");
    let actor = Actor::spawn(&["stale-unix".as_ref(), stale.as_os_str()]);
    assert!(actor.wait_exit(SOON));
    assert_eq!(UnixStream::connect(&stale).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(UnixListener::bind(&stale).unwrap_err().kind(), ErrorKind::AddrInUse);
    std::fs::remove_dir_all(&directory).unwrap();

    let name = format!("@actors-{}", std::process::id());
    let actor = Actor::spawn(&["unix", &name]);
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    assert!(table.lines().any(|line| line.ends_with(&format!("{} {name}", actor.inode()))));
}

#[test]
fn mptcp_listens_under_tcp_with_the_same_inode() {
    if std::fs::read_to_string("/proc/sys/net/mptcp/enabled").map_or(true, |on| on.trim() != "1") {
        return skip("this kernel has no MPTCP switched on");
    }
    let actor = Actor::spawn(&["mptcp"]);
    assert!(is_taken(actor.port()));
    assert!(holds(actor.pid(), actor.inode()));
    assert_eq!(listening_row(actor.port()).inode, actor.inode());
}

#[test]
fn an_inherited_listener_outlives_the_parent() {
    let actor = Actor::spawn(&["inherit"]);
    assert!(actor.wait_exit(SOON));
    let child = actor.children()[0];
    assert!(is_taken(actor.port()) && holds(child, actor.inode()));
    let port = actor.port();
    drop(actor);
    assert!(gone(child) && becomes_free(port));

    let actor = Actor::spawn(&["inherit", "--keep-parent"]);
    assert!(actor.alive());
    assert!(holds(actor.pid(), actor.inode()) && holds(actor.children()[0], actor.inode()));
}

#[test]
fn a_program_that_the_server_started_holds_its_port() {
    let actor = Actor::spawn(&["exec-inherit"]);
    let sleep = actor.children()[0];
    assert_eq!(std::fs::read_to_string(format!("/proc/{sleep}/comm")).unwrap(), "sleep\n");
    assert!(holds(sleep, actor.inode()));
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON));
    assert!(is_taken(actor.port()) && holds(sleep, actor.inode()));
    let port = actor.port();
    drop(actor);
    assert!(gone(sleep) && becomes_free(port));
}

#[test]
fn an_orphan_plays_its_role_without_a_parent_and_ends_with_the_test() {
    let actor = Actor::spawn(&["--orphan", "listen"]);
    assert!(actor.wait_exit(SOON), "the parent has ended");
    let (pid, port) = (actor.pid(), actor.port());
    assert!(holds(pid, actor.inode()) && is_taken(port));
    assert_ne!(procfs::parent(pid), Some(std::process::id()));
    drop(actor);
    assert!(gone(pid) && becomes_free(port));
}

#[test]
fn a_guard_ends_what_cannot_watch_its_stdin() {
    // As when the test dies: the pipe closes and nobody drops anything.
    for role in ["exec-inherit", "stopped"] {
        let mut child = Command::new(actor_path())
            .arg(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let field = |key| line.split_whitespace().find_map(|field| field.strip_prefix(key));
        let port: u16 = field("port=").unwrap().parse().unwrap();
        assert!(is_taken(port), "{role}");
        drop(child.stdin.take());
        assert!(wait_until(SOON, || child.try_wait().unwrap().is_some()), "{role}");
        assert!(becomes_free(port), "{role}");
    }
}

#[test]
fn a_shared_port_has_a_socket_in_each_process() {
    let actor = Actor::spawn(&["shared", "3"]);
    let pids = [vec![actor.pid()], actor.children()].concat();
    let inodes: Vec<u64> =
        actor.field("inodes").unwrap().split(',').map(|inode| inode.parse().unwrap()).collect();
    assert_eq!((pids.len(), inodes.len()), (3, 3));
    assert_eq!(states(actor.port()), [LISTEN; 3]);
    for (pid, inode) in pids.iter().zip(&inodes) {
        assert!(holds(*pid, *inode));
    }
    assert!(is_taken(actor.port()));
}

#[test]
fn workers_accept_are_replaced_and_end_with_their_master() {
    let actor = Actor::spawn(&["workers", "2"]);
    let first = actor.children();
    let (answered, connection) = greeting(actor.port());
    assert!(first.contains(&answered));
    drop(connection);
    kill(&actor, "-KILL", first[0]);
    let replaced = || {
        let now = procfs::children(actor.pid());
        now.len() == 2 && !now.contains(&first[0])
    };
    assert!(wait_until(SOON, replaced));
    let second = procfs::children(actor.pid());
    assert!(second.iter().all(|worker| holds(*worker, actor.inode())));
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON));
    assert!(second.iter().all(|worker| gone(*worker)));
    assert!(becomes_free(actor.port()));
}

/// Signals a process that is still a child of the actor.
fn kill(actor: &Actor, signal: &str, child: u32) {
    assert!(procfs::children(actor.pid()).contains(&child));
    let status = Command::new("kill").args([signal, &child.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_fork_storm_keeps_its_port_and_its_children_vanish() {
    let actor = Actor::spawn(&["fork-storm"]);
    assert!(is_taken(actor.port()));
    let mut seen = std::collections::BTreeSet::new();
    assert!(wait_until(SOON, || {
        seen.extend(procfs::children(actor.pid()));
        seen.len() > 3
    }));
}

#[test]
fn accepted_connections_keep_the_port_without_a_listener() {
    let actor = Actor::spawn(&["accepted", "--count", "2"]);
    assert_eq!(states(actor.port()), [1, 1]);
    assert!(holds(actor.pid(), actor.inode()));
    assert!(is_taken(actor.port()));
    let client = rows("tcp", rows("tcp", actor.port())[0].peer)[0];
    assert!(holds(actor.children()[0], client.inode));
    // A server that had set it, as most do, would get the port back at once.
    let actor = Actor::spawn(&["accepted", "--reuse-addr"]);
    assert!(!is_taken(actor.port()));
}

#[test]
fn a_client_holds_the_port_it_drew() {
    let actor = Actor::spawn(&["outgoing"]);
    let row = rows("tcp", actor.port())[0];
    assert_eq!((row.state, row.peer, row.inode), (1, actor.number("peer"), actor.inode()));
    assert!(is_taken(actor.port()) && holds(actor.pid(), actor.inode()));

    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, to) = (free_port().to_string(), server.local_addr().unwrap().to_string());
    let actor = Actor::spawn(&["outgoing", "--port", &port, "--to", &to]);
    assert_eq!(actor.port().to_string(), port);
    assert_eq!(actor.children(), []);
    assert!(is_taken(actor.port()));
}

#[test]
fn a_socket_can_be_its_own_peer() {
    let actor = Actor::spawn(&["self-connect"]);
    let row = rows("tcp", actor.port())[0];
    assert_eq!((row.state, row.peer), (1, actor.port()));
    assert!(is_taken(actor.port()));
}

#[test]
fn time_wait_is_left_by_nobody() {
    let actor = Actor::spawn(&["time-wait", "--count", "3"]);
    assert!(actor.wait_exit(SOON));
    assert_eq!(states(actor.port()), [6, 6, 6]);
    assert!(rows("tcp", actor.port()).iter().all(|row| row.inode == 0));
    assert!(is_taken(actor.port()));
    let actor = Actor::spawn(&["time-wait", "--reuse-addr", "--stay"]);
    assert_eq!(states(actor.port()), [6]);
    assert!(actor.alive() && !is_taken(actor.port()));
    let actor = Actor::spawn(&["time-wait", "--addr", "::1"]);
    assert_eq!(rows("tcp6", actor.port())[0].state, 6);
}

#[test]
fn closing_connections_are_orphans_in_the_state_of_the_role() {
    for (role, state) in [("fin-wait2-orphan", 5), ("fin-wait1", 4), ("last-ack", 9)] {
        let actor = Actor::spawn(&[role]);
        let rows = rows("tcp", actor.port());
        assert_eq!(rows.len(), 1, "{role}: {rows:?}");
        assert_eq!((rows[0].state, rows[0].inode), (state, 0), "{role}");
        assert!(is_taken(actor.port()), "{role}");
        assert!(actor.alive(), "{role}");
    }
}

#[test]
fn close_wait_has_an_owner_who_never_closes() {
    let actor = Actor::spawn(&["close-wait"]);
    let row = rows("tcp", actor.port())[0];
    assert_eq!((row.state, row.inode), (8, actor.inode()));
    assert!(holds(actor.pid(), actor.inode()) && is_taken(actor.port()));
}

#[test]
fn clients_connect_to_the_port_they_are_given() {
    let server = Actor::spawn(&["listen", "--accept"]);
    let clients = Actor::spawn(&["clients", "5", "--port", &server.port().to_string()]);
    let established = || states(server.port()).iter().filter(|state| **state == 1).count() == 5;
    assert!(wait_until(SOON, established));
    assert!(!holds(clients.pid(), server.inode()));
}

#[test]
fn a_thread_with_its_own_table_hides_the_listener() {
    let actor = Actor::spawn(&["thread-table"]);
    let (pid, tid) = (actor.pid(), actor.number::<u32>("tid"));
    assert!(is_taken(actor.port()));
    assert_eq!(listening_row(actor.port()).inode, actor.inode());
    assert!(!holds(pid, actor.inode()));
    assert!(!descriptors(&format!("/proc/{pid}/task/{tid}/fd"), actor.inode()).is_empty());
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON) && becomes_free(actor.port()));
}

#[test]
fn a_dead_main_thread_leaves_a_zombie_that_listens() {
    let actor = Actor::spawn(&["dead-leader"]);
    let (pid, tid) = (actor.pid(), actor.number::<u32>("tid"));
    assert_eq!(procfs::state(pid), Some('Z'));
    assert!(actor.alive() && is_taken(actor.port()));
    assert_eq!(listening_row(actor.port()).inode, actor.inode());
    assert!(!holds(pid, actor.inode()));
    assert!(!descriptors(&format!("/proc/{pid}/task/{tid}/fd"), actor.inode()).is_empty());
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON) && becomes_free(actor.port()));
}

/// No descriptor of the process is the socket, and still it listens.
#[track_caller]
fn assert_hidden(actor: &Actor) {
    assert!(is_taken(actor.port()));
    assert_eq!(listening_row(actor.port()).inode, actor.inode());
    assert!(!holds(actor.pid(), actor.inode()));
}

#[test]
fn a_ring_holds_the_listener() {
    let off = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    if off.map_or(true, |off| off.trim() == "2" || (off.trim() == "1" && !is_root())) {
        return skip("io_uring is switched off");
    }
    let actor = Actor::spawn(&["io-uring"]);
    assert_hidden(&actor);
    let info = format!("/proc/{}/fdinfo/{}", actor.pid(), actor.number::<u32>("ring"));
    assert!(std::fs::read_to_string(info).unwrap().contains("UserFiles:\t1"));
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON) && becomes_free(actor.port()));
}

#[test]
fn a_mapping_holds_the_listener() {
    let actor = Actor::spawn(&["mmap"]);
    assert_hidden(&actor);
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", actor.pid())).unwrap();
    assert!(maps.contains(&format!("socket:[{}]", actor.inode())));
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON) && becomes_free(actor.port()));
}

#[test]
fn a_message_in_flight_holds_the_listener() {
    let actor = Actor::spawn(&["in-flight"]);
    assert_hidden(&actor);
    let info = format!("/proc/{}/fdinfo/{}", actor.pid(), actor.number::<u32>("receiver"));
    assert!(std::fs::read_to_string(info).unwrap().contains("scm_fds: 1"));
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON) && becomes_free(actor.port()));
}

#[test]
fn a_stopped_listener_holds_on_until_it_continues() {
    let actor = Actor::spawn(&["stopped"]);
    assert!(wait_until(SOON, || procfs::state(actor.pid()) == Some('T')));
    assert!(is_taken(actor.port()));
    // The guard is no holder.
    assert!(!holds(actor.number("guard"), actor.inode()));
    assert!(actor.signal(Signal::TERM));
    assert_eq!(procfs::state(actor.pid()), Some('T'));
    assert!(actor.signal(Signal::CONT) && actor.wait_exit(SOON));
}

#[test]
fn sigterm_is_answered_as_asked() {
    let actor = Actor::spawn(&["listen"]);
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON));
    assert_eq!(actor.exited().unwrap().code(), None);

    let actor = Actor::spawn(&["listen", "--term", "ignore"]);
    assert!(actor.signal(Signal::TERM) && !actor.wait_exit(Duration::from_millis(50)));
    assert!(is_taken(actor.port()));

    let actor = Actor::spawn(&["listen", "--term", "drain:60000"]);
    assert!(actor.signal(Signal::TERM) && becomes_free(actor.port()) && actor.alive());

    let began = Instant::now();
    let actor = Actor::spawn(&["listen", "--term", "exit-after:150"]);
    assert!(actor.signal(Signal::TERM) && is_taken(actor.port()) && actor.wait_exit(SOON));
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert!(actor.exited().unwrap().success());
}

#[test]
fn a_draining_server_leaves_with_its_last_client() {
    let args = ["listen", "--accept", "--reuse-addr", "--term", "close-then-drain:60000"];
    let actor = Actor::spawn(&args);
    let (pid, mut client) = greeting(actor.port());
    assert_eq!(pid, actor.pid());
    assert!(actor.signal(Signal::TERM) && becomes_free(actor.port()));
    assert!(!actor.wait_exit(Duration::from_millis(50)));
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert!(actor.wait_exit(SOON));
}

#[test]
fn a_supervisor_brings_its_child_back_after_the_delay() {
    let actor = Actor::spawn(&["supervise", "--delay", "200", "--", "listen", "--reuse-addr"]);
    let first = actor.children()[0];
    assert!(holds(first, actor.inode()) && !holds(actor.pid(), actor.inode()));
    let killed = Instant::now();
    kill(&actor, "-TERM", first);
    let restarted = || procfs::children(actor.pid()).iter().any(|child| *child != first);
    assert!(wait_until(SOON, restarted) && wait_until(SOON, || is_taken(actor.port())));
    assert!(killed.elapsed() >= Duration::from_millis(200));
    let second = procfs::children(actor.pid())[0];
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(Duration::from_secs(1)) && gone(second));
    assert!(becomes_free(actor.port()));

    // And nothing is left when the test goes without a word.
    let actor = Actor::spawn(&["supervise", "--delay", "0", "--", "listen"]);
    let (port, child) = (actor.port(), actor.children()[0]);
    drop(actor);
    assert!(gone(child) && becomes_free(port));
}

#[test]
fn threads_memory_name_and_arguments_are_as_asked() {
    let name = "a b\n\u{1b}[31m)x";
    let actor = Actor::spawn(&[
        "listen",
        "--threads",
        "5",
        "--memory",
        "20",
        "--name",
        name,
        "--argv0",
        "node server",
    ]);
    let proc_file = |file: &str| {
        String::from_utf8(std::fs::read(format!("/proc/{}/{file}", actor.pid())).unwrap()).unwrap()
    };
    assert_eq!(proc_file("comm"), format!("{name}\n"));
    assert!(proc_file("cmdline").starts_with("node server\0listen\0"));
    let status = proc_file("status");
    let field = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(field("Threads:"), 6);
    assert!(field("VmRSS:") >= 20 << 10);
}

#[test]
fn many_sockets_are_many() {
    let actor = Actor::spawn(&["many-sockets", "3000"]);
    assert!(is_taken(actor.port()) && holds(actor.pid(), actor.inode()));
    let fds = std::fs::read_dir(format!("/proc/{}/fd", actor.pid())).unwrap().count();
    assert!(fds > 3000, "{fds}");
}

#[test]
fn another_user_holds_the_port_in_the_open_or_not_dumpable() {
    if !is_root() {
        return skip("taking on another user needs root");
    }
    let uid = unprivileged_uid();
    let lists = |pid: u32| {
        let mut ls = run_as(uid, "ls");
        ls.arg(format!("/proc/{pid}/fd")).output().unwrap().status.success()
    };
    let actor = Actor::spawn(&["listen", "--uid", &uid.to_string()]);
    assert_eq!(listening_row(actor.port()).uid, uid);
    assert!(lists(actor.pid()));
    let actor = Actor::spawn(&["non-dumpable", "--uid", &uid.to_string()]);
    assert_eq!(listening_row(actor.port()).uid, uid);
    assert!(!lists(actor.pid()));
    let ids = run_as(uid, "id").arg("-G").output().unwrap();
    assert_eq!(String::from_utf8(ids.stdout).unwrap().trim(), uid.to_string());
}

#[test]
fn another_network_is_not_seen_from_here() {
    if !is_root() {
        return skip("a network namespace needs root");
    }
    let port = free_port();
    let actor = Actor::spawn(&["hold-netns", "--port", &port.to_string()]);
    assert_eq!(actor.port(), port);
    assert!(rows("tcp", port).iter().all(|row| row.inode != actor.inode()));
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(own, std::fs::read_link(format!("/proc/{}/ns/net", actor.pid())).unwrap());
    let inside = std::fs::read_to_string(format!("/proc/{}/net/tcp", actor.pid())).unwrap();
    assert!(inside.contains(&format!(":{port:04X} ")));
}

#[test]
fn a_command_in_namespaces_sees_its_own_world_alone() {
    if !is_root() {
        return skip("namespaces need root");
    }
    // Its own loopback works, /proc has few processes, and the shell is not PID 1.
    let script = r#"
        set -e
        [ $$ -ne 1 ]
        [ "$(ls -d /proc/[0-9]* | wc -l)" -le 5 ]
        [ "$WORD" = kept ]
        "$0" clients 1 --port 9 </dev/null | grep -q refused
        "$0" accepted </dev/null | grep -q ^ready
        sleep 60 &
        exit 7"#;
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg(actor_path()).env("WORD", "kept");
    // The pipes close early only if the sleep that was left behind is gone.
    let began = Instant::now();
    let output = in_namespaces(&command).output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(output.status.code(), Some(7), "{output:?}");

    // An actor inside: its PIDs are not ours, and nothing of ours is mistaken for them.
    let mut inside = Command::new(actor_path());
    inside.args(["inherit", "--keep-parent", "--port", "80"]);
    let actor = Actor::spawn_command(in_namespaces(&inside));
    assert_eq!(actor.port(), 80);
    assert!(actor.alive());
    assert_ne!(actor.field("pid"), Some(&*actor.pid().to_string()));
}
