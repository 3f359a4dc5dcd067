//! Recordings: what they keep, that a replayed machine answers as the live one did, and that no
//! file, however damaged, does more than fail with a reason.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use proc_core::addr::{Endpoint, Port, Transport};
use proc_core::bind::{Attempt, BindResult};
use proc_core::host::{ActError, Host, Watch, Woken};
use proc_core::look::{LookOptions, look};
use proc_core::process::{Process, ProcessId, ProcessState};
use proc_core::recording::{MOST_SOCKETS, RECORDING, Recording, RecordingError, ReplayHost};
use proc_core::report::TargetReport;
use proc_core::snapshot::{Asker, Gap, Namespace, Scope, Snapshot, SocketScope, States, Sweep};
use proc_core::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol, Socket, TcpState};
use proc_core::target::parse;
use proptest::prelude::*;

fn process(pid: u32, ppid: u32, argv: &[&str]) -> Process {
    Process {
        ppid,
        name: argv[0].to_owned(),
        exe: Some(format!("/usr/bin/{}", argv[0])),
        argv: argv.iter().map(ToString::to_string).collect(),
        cwd: Some("/srv".to_owned()),
        uid: Some(1000),
        user: Some("me".to_owned()),
        state: ProcessState::Sleeping,
        started_at: Some(SystemTime::UNIX_EPOCH),
        ..Process::unread(ProcessId { pid, start: 7 })
    }
}

fn socket(local: &str, state: Option<TcpState>, inode: u64, pid: u32) -> Socket {
    let protocol = if state.is_some() { Protocol::Tcp } else { Protocol::Udp };
    Socket {
        inode: Some(inode),
        uid: Some(1000),
        v6only: Some(false),
        reuse_addr: Some(true),
        reuse_port: Some(false),
        holders: Holders::Processes { holders: vec![Holder { pid, by: HeldBy::Descriptor(3) }] },
        ..Socket::new(protocol, LocalAddress::Inet(local.parse().unwrap()), state)
    }
}

/// A machine with a server on TCP 3000 (and a client of it), one on UDP 53, one in another
/// namespace, a client of its own, and a unix socket.
fn machine() -> Recording {
    let connection = |local: &str, remote: &str, inode, pid| Socket {
        remote: Some(remote.parse().unwrap()),
        ..socket(local, Some(TcpState::Established), inode, pid)
    };
    let elsewhere =
        Socket { netns: Some(0), ..socket("0.0.0.0:3000", Some(TcpState::Listen), 5, 13) };
    let unix = Socket {
        protocol: Protocol::Unix,
        local: LocalAddress::Path("/run/app.sock".to_owned()),
        ..socket("0.0.0.0:0", Some(TcpState::Listen), 6, 11)
    };
    let processes = [
        process(1, 0, &["systemd"]),
        process(10, 1, &["bash"]),
        process(11, 10, &["node", "server.js", "--token", "hunter2hunter2"]),
        process(12, 1, &["dnsmasq"]),
        process(13, 1, &["node", "inside.js"]),
        process(14, 1, &["idle"]),
    ];
    Recording {
        recording: RECORDING,
        version: "0.0.0".to_owned(),
        taken_at: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        endpoints: Vec::new(),
        snapshot: Snapshot {
            asker: Asker { pid: 99, uid: 1000, ..Asker::default() },
            sockets: vec![
                socket("127.0.0.1:3000", Some(TcpState::Listen), 1, 11),
                connection("127.0.0.1:3000", "127.0.0.1:40000", 2, 11),
                socket("0.0.0.0:5353", None, 3, 12),
                connection("10.0.0.1:41000", "10.0.0.2:443", 4, 11),
                elsewhere,
                unix,
            ],
            every_state: true,
            processes: processes.map(|process| (process.id.pid, process)).into(),
            namespaces: vec![Namespace { inode: 8, name: Some("blue".to_owned()), pid: Some(13) }],
            peer_listeners: vec!["10.0.0.2:443".parse().unwrap(), "1.2.3.4:9".parse().unwrap()],
            gaps: vec![
                Gap::UnreadableProcesses { count: 3 },
                Gap::OtherNamespaces { count: Some(2) },
            ],
            ..Snapshot::empty(SystemTime::UNIX_EPOCH + Duration::from_secs(100))
        },
        attempts: Vec::new(),
        local_addresses: vec!["10.0.0.1".parse().unwrap()],
        unix_files: [("/run/app.sock".to_owned(), false)].into(),
    }
}

fn endpoint(word: &str) -> Endpoint {
    parse(word).unwrap().endpoints()[0]
}

fn answer(host: &dyn Host, word: &str) -> TargetReport {
    look(host, &[parse(word).unwrap()], &LookOptions::default()).remove(0)
}

fn locals(host: &ReplayHost, scope: &Scope) -> Vec<String> {
    host.snapshot(scope).sockets.iter().map(|socket| socket.local.to_string()).collect()
}

#[test]
fn a_replayed_look_sees_its_scope_and_no_more() {
    let host = ReplayHost::new(machine());
    let ports = |words: &[&str]| SocketScope::Ports(words.iter().map(|w| endpoint(w)).collect());
    let all = Scope { states: States::All, holders: true, ..Scope::default() };
    let scope = |sockets| Scope { sockets, ..all.clone() };

    assert_eq!(locals(&host, &all), [""; 0]);
    assert_eq!(locals(&host, &scope(ports(&[":3000"]))), ["127.0.0.1:3000", "127.0.0.1:3000"]);
    assert_eq!(locals(&host, &scope(ports(&["udp:3000"]))), [""; 0]);
    assert_eq!(
        locals(&host, &Scope { states: States::Servers, ..scope(ports(&[":3000", ":5353"])) }),
        ["127.0.0.1:3000", "0.0.0.0:5353"]
    );
    let swept = Scope { namespaces: Sweep::All, ..scope(ports(&[":3000"])) };
    assert_eq!(locals(&host, &swept).last().unwrap(), "0.0.0.0:3000");
    assert_eq!(locals(&host, &scope(SocketScope::AllPorts)).len(), 4);
    assert_eq!(locals(&host, &scope(SocketScope::HeldBy(vec![11]))).len(), 4);
    let unix = SocketScope::Unix(vec!["/run/app.sock".to_owned()]);
    assert_eq!(locals(&host, &scope(unix)), ["/run/app.sock"]);
}

#[test]
fn a_replayed_look_reads_the_processes_that_a_live_one_would() {
    let host = ReplayHost::new(machine());
    let pids = |scope: &Scope| host.snapshot(scope).processes.into_keys().collect::<Vec<_>>();
    let of_3000 = Scope {
        sockets: SocketScope::Ports(vec![endpoint(":3000")]),
        holders: true,
        ..Scope::default()
    };
    assert_eq!(pids(&of_3000), [1, 10, 11]);
    assert_eq!(pids(&Scope { namespaces: Sweep::All, ..of_3000.clone() }), [1, 10, 11, 13]);
    assert_eq!(pids(&Scope { pids: vec![14, 77], ..Scope::default() }), [1, 14]);
    assert_eq!(pids(&Scope { all_processes: true, ..Scope::default() }).len(), 6);
    let blind = host.snapshot(&Scope { holders: false, ..of_3000.clone() });
    assert_eq!(blind.sockets[0].holders, Holders::NotLooked);

    // Gaps belong to what was looked for; listeners at other ends to the connections seen.
    assert_eq!(blind.gaps, []);
    assert_eq!(host.snapshot(&of_3000).gaps, [Gap::UnreadableProcesses { count: 3 }]);
    let connections = Scope { states: States::All, ..of_3000 };
    assert_eq!(host.snapshot(&connections).peer_listeners, []);
    let of_client = Scope { sockets: SocketScope::Ports(vec![endpoint(":41000")]), ..connections };
    assert_eq!(host.snapshot(&of_client).peer_listeners, ["10.0.0.2:443".parse().unwrap()]);
}

#[test]
fn recorded_answers_come_before_predicted_ones() {
    let mut recording = machine();
    let at: SocketAddr = "0.0.0.0:3000".parse().unwrap();
    let said = Attempt {
        transport: Transport::Tcp,
        address: at,
        plain: BindResult::Denied,
        reuse_addr: BindResult::Denied,
    };
    recording.attempts.push(said);
    let host = ReplayHost::new(recording);
    assert_eq!(host.attempt(Transport::Tcp, at), said);
    assert!(!host.predicts(&said));

    let predicted = |transport, address: &str| {
        let attempt = host.attempt(transport, address.parse().unwrap());
        assert!(host.predicts(&attempt), "{address}");
        (attempt.plain, attempt.reuse_addr)
    };
    let busy = (BindResult::InUse, BindResult::InUse);
    let free = (BindResult::Ok, BindResult::Ok);
    let foreign = (BindResult::NotLocal, BindResult::NotLocal);
    let denied = (BindResult::Denied, BindResult::Denied);
    assert_eq!(predicted(Transport::Tcp, "127.0.0.1:3000"), busy);
    assert_eq!(predicted(Transport::Tcp, "[::]:3000"), busy);
    assert_eq!(predicted(Transport::Tcp, "10.0.0.1:3000"), free);
    assert_eq!(predicted(Transport::Udp, "127.0.0.1:3000"), free);
    assert_eq!(predicted(Transport::Tcp, "10.0.0.9:3000"), foreign);
    assert_eq!(predicted(Transport::Tcp, "127.0.0.1:80"), denied);
}

#[test]
fn an_answer_says_which_rows_were_predicted() {
    let host = ReplayHost::new(machine());
    assert!(answer(&host, ":3000").bind.iter().all(|row| row.predicted));
    // The kernel's leave to bind the dual-stack wildcard is its leave for all the rest.
    let mut recording = machine();
    for transport in Transport::ALL {
        recording.attempts.push(Attempt {
            transport,
            address: "[::]:4000".parse().unwrap(),
            plain: BindResult::Ok,
            reuse_addr: BindResult::Ok,
        });
    }
    let host = ReplayHost::new(recording);
    let report = answer(&host, ":4000");
    assert_eq!(report.bind.len(), 8);
    assert!(report.bind.iter().all(|row| !row.predicted));
}

#[test]
fn a_recording_of_a_replay_is_the_recording() {
    let host = ReplayHost::new(machine());
    let whole = Recording::take(&host, &[]).with_unix(&host, &["/run/app.sock".to_owned()]);
    assert_eq!(whole.snapshot.sockets.len(), machine().snapshot.sockets.len());
    assert_eq!(whole.snapshot.processes.len(), 6);
    assert_eq!(whole.attempts, [], "the whole machine is not probed");
    assert_eq!(whole.unix_files, machine().unix_files);

    let narrow = Recording::take(&host, &[endpoint(":3000")]);
    assert_eq!(narrow.snapshot.sockets.len(), 3);
    assert!(!narrow.snapshot.processes.contains_key(&14), "who holds nothing is nobody's business");
    assert!(narrow.attempts.len() >= 5);
    let again = ReplayHost::new(narrow);
    let (first, mut second) = (answer(&host, ":3000"), answer(&again, ":3000"));
    assert!(second.bind.iter().filter(|row| row.protocol == Protocol::Tcp).all(|r| !r.predicted));
    second.bind.clone_from(&first.bind);
    assert_eq!(first, second);
    for word in [":3000", ":5353", ":41000", ":3000-3002", "/run/app.sock", "node", "11", "pid:14"]
    {
        let replayed = answer(&ReplayHost::new(whole.clone()), word);
        assert_eq!(answer(&host, word), replayed, "{word}");
    }
}

#[test]
fn secrets_stay_out_of_the_file() {
    let host = ReplayHost::new(machine());
    for endpoints in [vec![], vec![endpoint(":3000")]] {
        let text = Recording::take(&host, &endpoints).to_json().unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("--token"));
    }
    let unix = Recording::take(&host, &[endpoint(":5353")])
        .with_unix(&host, &["/run/app.sock".to_owned()]);
    assert!(unix.snapshot.processes.contains_key(&11));
    assert!(!unix.to_json().unwrap().contains("hunter2"));
}

#[test]
fn a_huge_table_is_cut_to_what_matters() {
    let mut recording = machine();
    for number in 0..MOST_SOCKETS as u32 {
        let remote = SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 443));
        let port = if number % 2 == 0 { 41000 } else { 3000 };
        let mut connection =
            socket(&format!("10.0.0.1:{port}"), Some(TcpState::Established), 100, 11);
        connection.remote = Some(remote);
        recording.snapshot.sockets.push(connection);
    }
    let host = ReplayHost::new(recording);
    let whole = Recording::take(&host, &[]);
    let kept = whole.snapshot.sockets.len();
    assert!(whole.snapshot.sockets.iter().all(Socket::is_server), "servers alone");
    assert_eq!(kept, 4);
    assert!(whole.snapshot.gaps.contains(&Gap::Truncated { kept }));

    // The ports asked for keep their connections, as far as there is room.
    let both = Recording::take(&host, &[endpoint(":3000"), endpoint(":41000")]);
    assert_eq!(both.snapshot.sockets.len(), MOST_SOCKETS);
    assert!(both.snapshot.sockets.iter().any(Socket::is_server));
    let one = Recording::take(&host, &[endpoint(":3000")]);
    assert_eq!(one.snapshot.sockets.len(), MOST_SOCKETS / 2 + 3);
    assert!(!one.snapshot.gaps.iter().any(|gap| matches!(gap, Gap::Truncated { .. })));
}

#[test]
fn nothing_is_done_to_a_recorded_machine() {
    let host = ReplayHost::new(machine());
    let connection = &host.recording().snapshot.sockets[1];
    assert_eq!(host.pin(ProcessId { pid: 11, start: 7 }).unwrap_err(), ActError::Unsupported);
    assert_eq!(host.destroy(connection), Err(ActError::Unsupported));
    assert_eq!(host.reset_time_wait(connection), Err(ActError::Unsupported));
    let ran = host.run(&["true".to_owned()], Duration::from_secs(1));
    assert!(!ran.success && !ran.message.is_empty());
    // Whoever waits for a deadline meets it, without waiting.
    let before = host.now();
    let woken = host.wait(&[], &mut Watch::silent(), Duration::from_secs(3600));
    assert_eq!((woken, host.now() - before), (Woken::Timeout, Duration::from_secs(3600)));
}

#[test]
fn bad_files_say_what_is_wrong() {
    let good = machine().to_json().unwrap();
    let reason = |text: &str| Recording::from_json(text.as_bytes()).unwrap_err();
    assert_eq!(Recording::from_json(good.as_bytes()).unwrap(), machine());

    assert!(matches!(reason(""), RecordingError::Truncated { line: 1, .. }));
    assert!(matches!(reason(&good[..good.len() / 2]), RecordingError::Truncated { .. }));
    assert!(matches!(reason("COMMAND PID USER"), RecordingError::NotJson(_)));
    assert!(matches!(reason("[1, 2]"), RecordingError::AnotherDocument));
    assert!(matches!(
        reason(r#"{"schema":1,"command":"on","ok":true,"targets":[]}"#),
        RecordingError::AnotherDocument
    ));
    assert!(matches!(
        reason(&good.replacen(r#""recording":1"#, r#""recording":2"#, 1)),
        RecordingError::Version { found: 2 }
    ));
    let no_policy = good.replacen(r#""policy""#, r#""politics""#, 1);
    assert!(reason(&no_policy).to_string().contains("policy"), "{}", reason(&no_policy));
    let nowhere = good.replacen(r#""netns":0"#, r#""netns":7"#, 1);
    assert!(matches!(reason(&nowhere), RecordingError::Contradiction(_)));
    let nobody =
        good.replacen(r#""holders":[{"pid":11,"by":{"descriptor":3}}]"#, r#""holders":[]"#, 1);
    assert_ne!(nobody, good);
    assert!(matches!(reason(&nobody), RecordingError::Contradiction(_)));
    let impostor = good.replacen(r#""id":{"pid":12,"#, r#""id":{"pid":11,"#, 1);
    assert_ne!(impostor, good);
    assert!(matches!(reason(&impostor), RecordingError::Contradiction(_)));
    let deep = format!(r#"{{"recording":1,"x":{}"#, "[".repeat(100_000));
    assert!(!reason(&deep).to_string().is_empty());
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let good = machine().to_json().unwrap();
    let later = good.replacen('{', r#"{"weather":"fine","#, 1);
    assert_eq!(Recording::from_json(later.as_bytes()).unwrap(), machine());
}

#[test]
fn a_family_of_liars_ends_every_walk() {
    let mut recording = machine();
    for (pid, ppid) in [(11, 12), (12, 13), (13, 11), (14, 14)] {
        recording.snapshot.processes.get_mut(&pid).unwrap().ppid = ppid;
    }
    let host = ReplayHost::new(recording);
    for word in [":3000", ":5353", "pid:14", "node"] {
        assert!(!answer(&host, word).processes.is_empty(), "{word}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A damaged file is refused or read; what was read can be asked anything.
    #[test]
    fn damage_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        digits in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 0..12),
        end in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = machine().to_json().unwrap().into_bytes();
        let numbers: Vec<usize> =
            (0..bytes.len()).filter(|&at| bytes[at].is_ascii_digit()).collect();
        for (at, digit) in digits {
            bytes[numbers[at.index(numbers.len())]] = digit;
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        match Recording::from_json(&bytes) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(recording) => {
                let host = ReplayHost::new(recording);
                for word in [":3000", ":5353", ":41000", "/run/app.sock", "node", "11"] {
                    let _ = answer(&host, word);
                }
                let _ = Recording::take(&host, &[Endpoint::any(Port::new(3000).unwrap())]);
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod live {
    use proc_core::host::LiveHost;
    use proc_testkit::Actor;

    use super::*;

    /// The report without what passes between two looks.
    fn timeless(mut report: TargetReport) -> TargetReport {
        for cause in &mut report.causes {
            cause.explain = without_age(&cause.explain);
            cause.expires_ms = None;
        }
        for process in report.processes.iter_mut().chain(&mut report.ancestors) {
            process.age_ms = None;
            process.state = ProcessState::Other;
        }
        report.sockets.iter_mut().for_each(|socket| socket.expires_ms = None);
        report
    }

    fn without_age(sentence: &str) -> String {
        let mut parts = sentence.split(", started ");
        let mut kept = parts.next().unwrap().to_owned();
        for part in parts {
            kept.push_str(part.split_once(" ago").map_or(part, |(_, rest)| rest));
        }
        kept.split("; it ends in").next().unwrap().to_owned()
    }

    #[test]
    fn a_replayed_look_is_the_live_look_of_that_moment() {
        let host = LiveHost::default();
        for role in ["listen", "udp", "bound", "workers", "accepted", "outgoing", "two-ports"] {
            let actor = Actor::spawn(&[role]);
            let word = format!(":{}", actor.port());
            // A master that has just forked closes its copies of what its workers got.
            let mut live = answer(&host, &word);
            let settled = proc_testkit::wait_until(Duration::from_secs(5), || {
                let before = std::mem::replace(&mut live, answer(&host, &word));
                timeless(before) == timeless(live.clone())
            });
            assert!(settled, "{role}");
            let narrow = Recording::take(&host, &[endpoint(&word)]);
            let wide = Recording::take(&host, &[]);
            drop(actor);
            assert!(!live.causes.is_empty(), "{role}");
            assert_ne!(answer(&host, &word).causes, live.causes, "{role}: the machine went on");

            let file = narrow.to_json().unwrap();
            let replay = ReplayHost::new(Recording::from_json(file.as_bytes()).unwrap());
            assert_eq!(timeless(answer(&replay, &word)), timeless(live.clone()), "{role}");

            // Of a whole machine only the kernel's own answers are missing, and the rules give them.
            let mut replayed = answer(&ReplayHost::new(wide), &word);
            assert!(replayed.bind.iter().all(|row| row.predicted), "{role}");
            replayed.bind.iter_mut().for_each(|row| row.predicted = false);
            assert_eq!(timeless(replayed), timeless(live), "{role}, of the whole machine");
        }
    }

    #[test]
    fn a_free_port_is_replayed_as_free() {
        let host = LiveHost::default();
        let word = format!(":{}", proc_testkit::free_port());
        let live = answer(&host, &word);
        let recording = Recording::take(&host, &[endpoint(&word)]);
        let replayed = answer(&ReplayHost::new(recording), &word);
        assert_eq!(timeless(replayed), timeless(live));
    }
}
