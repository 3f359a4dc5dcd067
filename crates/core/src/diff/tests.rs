use std::time::{Duration, SystemTime};

use super::*;
use crate::addr::{Endpoint, Port};
use crate::snapshot::Namespace;
use crate::socket::{HeldBy, Holder};

const TCP: DiffOptions = DiffOptions { tcp: true, udp: true, unix: false, show_secrets: false };

fn recording() -> Recording {
    let taken_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_261_600);
    Recording {
        recording: crate::recording::RECORDING,
        version: "0.1.0".to_owned(),
        taken_at,
        endpoints: Vec::new(),
        snapshot: Snapshot::empty(taken_at),
        attempts: Vec::new(),
        local_addresses: Vec::new(),
        unix_files: BTreeMap::new(),
    }
}

fn socket(local: &str, cookie: u64, pids: &[u32]) -> Socket {
    let local = LocalAddress::Inet(local.parse().unwrap());
    let mut socket = Socket::new(Protocol::Tcp, local, Some(TcpState::Listen));
    socket.cookie = Some(cookie);
    let holders = pids.iter().map(|&pid| Holder { pid, by: HeldBy::Descriptor(3) }).collect();
    socket.holders = match pids {
        [] => Holders::Hidden,
        _ => Holders::Processes { holders },
    };
    socket
}

impl Recording {
    fn with(mut self, socket: Socket) -> Self {
        for pid in socket.holders.pids() {
            let process = Process {
                name: "node".to_owned(),
                argv: vec!["node".to_owned(), "server.js".to_owned()],
                cwd: Some("/web".to_owned()),
                ..Process::unread(ProcessId { pid, start: u64::from(pid) })
            };
            self.snapshot.processes.entry(pid).or_insert(process);
        }
        self.snapshot.sockets.push(socket);
        self
    }

    fn renamed(mut self, pid: u32, argv: &str) -> Self {
        let process = self.snapshot.processes.get_mut(&pid).unwrap();
        process.name = argv.to_owned();
        process.argv = vec![argv.to_owned()];
        self
    }
}

fn between(before: &Recording, after: &Recording, options: &DiffOptions) -> DiffReport {
    let before = Side { file: Some("a.json"), recording: before };
    diff(before, Side { file: None, recording: after }, options)
}

/// The kinds and sentences.
fn told(before: &Recording, after: &Recording) -> Vec<(DifferenceKind, String)> {
    let report = between(before, after, &TCP);
    assert_eq!(report.ok, report.differences.is_empty());
    report.differences.into_iter().map(|difference| (difference.kind, difference.explain)).collect()
}

#[test]
fn what_stays_is_no_difference() {
    let same = recording().with(socket("127.0.0.1:3000", 1, &[7])).with(socket("[::]:53", 2, &[]));
    assert_eq!(told(&same, &same), []);
    let report = between(&same, &same, &TCP);
    assert_eq!((report.ok, report.compared), (true, 2));
    // A pool whose master stays, and a socket that its process opened anew, are the same.
    let pool = recording().with(socket("127.0.0.1:3000", 1, &[7, 8]));
    let later = recording().with(socket("127.0.0.1:3000", 9, &[7, 12]));
    assert_eq!(told(&pool, &later), []);
}

#[test]
fn opened_and_closed() {
    let web = recording().with(socket("127.0.0.1:3000", 1, &[7]));
    let want = "tcp 127.0.0.1:3000 is new, held by node (pid 7)".to_owned();
    assert_eq!(told(&recording(), &web), [(DifferenceKind::Opened, want)]);
    let want = "tcp 127.0.0.1:3000 is closed, which node (pid 7) held".to_owned();
    assert_eq!(told(&web, &recording()), [(DifferenceKind::Closed, want)]);
}

#[test]
fn restarted_is_told_from_changed_hands() {
    let before = recording().with(socket("127.0.0.1:3000", 1, &[7]));
    let after = recording().with(socket("127.0.0.1:3000", 2, &[9]));
    let want = "tcp 127.0.0.1:3000 is held by the same command, started again: node (pid 9) was 7";
    assert_eq!(told(&before, &after), [(DifferenceKind::Restarted, want.to_owned())]);
    let other = after.renamed(9, "python3");
    let want = "tcp 127.0.0.1:3000 was held by node (pid 7), and is by python3 (pid 9) now";
    assert_eq!(told(&before, &other), [(DifferenceKind::ChangedHands, want.to_owned())]);
    // A number that was given to another process is another process.
    let mut reused = before.clone();
    let process = reused.snapshot.processes.get_mut(&7).unwrap();
    process.id.start = 99;
    process.cwd = Some("/elsewhere".to_owned());
    assert_eq!(told(&before, &reused)[0].0, DifferenceKind::ChangedHands);
}

#[test]
fn the_same_port_at_another_address_is_one_difference() {
    let before = recording().with(socket("127.0.0.1:3000", 1, &[7]));
    let after = recording().with(socket("0.0.0.0:3000", 2, &[7]));
    let want = "tcp 0.0.0.0:3000 was at tcp 127.0.0.1:3000 before, held by node (pid 7)";
    assert_eq!(told(&before, &after), [(DifferenceKind::Moved, want.to_owned())]);
    let stranger = after.renamed(7, "x");
    let mut stranger = stranger;
    stranger.snapshot.processes.get_mut(&7).unwrap().id.start = 99;
    let kinds: Vec<DifferenceKind> =
        told(&before, &stranger).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [DifferenceKind::Opened, DifferenceKind::Closed]);
}

#[test]
fn hidden_holders_are_compared_by_their_sockets_and_never_for_certain() {
    let before = recording().with(socket("0.0.0.0:80", 1, &[]));
    let after = recording().with(socket("0.0.0.0:80", 2, &[]));
    let report = between(&before, &after, &TCP);
    assert_eq!(report.differences[0].kind, DifferenceKind::ChangedHands);
    assert!(!report.differences[0].certain);
    // Seen by root then and by an ordinary user now: the very socket is there.
    let seen = recording().with(socket("0.0.0.0:80", 1, &[7]));
    assert_eq!(told(&seen, &before), []);
    assert_eq!(told(&seen, &after)[0].0, DifferenceKind::ChangedHands);
    let mut nameless = before.clone();
    nameless.snapshot.sockets[0].cookie = None;
    assert_eq!(told(&nameless, &after), [], "nothing speaks against it");
}

#[test]
fn a_bound_socket_that_listens_now() {
    let mut bound = socket("127.0.0.1:3000", 1, &[7]);
    bound.state = Some(TcpState::Bound);
    let before = recording().with(bound);
    let after = recording().with(socket("127.0.0.1:3000", 1, &[7]));
    assert_eq!(told(&before, &after)[0].0, DifferenceKind::Listening);
    assert_eq!(told(&after, &before)[0].0, DifferenceKind::ListensNoMore);
}

#[test]
fn connections_are_nothing_and_a_recording_of_one_port_compares_only_that() {
    let mut connection = socket("127.0.0.1:3000", 1, &[7]);
    connection.state = Some(TcpState::Established);
    connection.remote = Some("127.0.0.1:40000".parse().unwrap());
    assert_eq!(told(&recording(), &recording().with(connection)), []);
    let mut one = recording().with(socket("127.0.0.1:3000", 1, &[7]));
    one.endpoints = vec![Endpoint::any(Port::new(3000).unwrap())];
    let all =
        recording().with(socket("127.0.0.1:3000", 1, &[7])).with(socket("127.0.0.1:4000", 2, &[8]));
    assert_eq!(told(&one, &all), []);
    let gone = recording().with(socket("127.0.0.1:4000", 2, &[8]));
    assert_eq!(told(&one, &gone)[0].0, DifferenceKind::Closed);
}

#[test]
fn another_namespace_is_another_place() {
    let inside = |name: &str| {
        let mut one = recording().with(Socket { netns: Some(0), ..socket("0.0.0.0:80", 1, &[7]) });
        one.snapshot.namespaces =
            vec![Namespace { inode: 5, name: Some(name.to_owned()), pid: None }];
        one
    };
    assert_eq!(told(&inside("web"), &inside("web")), []);
    let kinds: Vec<DifferenceKind> =
        told(&inside("web"), &inside("db")).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [DifferenceKind::Opened, DifferenceKind::Closed]);
}

#[test]
fn protocols_are_chosen_and_gaps_are_of_both() {
    let mut unix = socket("127.0.0.1:1", 3, &[7]);
    unix.protocol = Protocol::Unix;
    unix.local = LocalAddress::Path("/run/app.sock".to_owned());
    let mut after = recording().with(unix).with(socket("127.0.0.1:3000", 1, &[7]));
    after.snapshot.gaps = vec![Gap::NoProcfs];
    let options = DiffOptions { tcp: false, unix: true, ..TCP };
    let report = between(&recording(), &after, &options);
    assert_eq!(report.differences.len(), 1);
    assert_eq!(report.differences[0].explain, "/run/app.sock is new, held by node (pid 7)");
    assert_eq!(report.gaps[0].what, "now: no process can be seen: /proc is not mounted");
}
