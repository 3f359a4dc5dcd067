//! Sockets held in plain sight: listeners, bound ones, UDP, and several processes on one port.

use super::*;

#[test]
fn a_listener_is_named_by_every_form_that_means_it() {
    let actor = play(&["listen"]);
    let (port, pid) = (actor.port(), actor.pid());
    for word in [tcp(&actor), format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let report = see(&word);
        // Both transports, and somebody may have the port in UDP.
        let listener = cause(&report, CauseKind::Listener);
        assert_eq!((&listener.pids[..], listener.certain), (&[pid][..], true), "{report:#?}");
        assert_eq!(report.verdict, Some(Verdict::Held));
        assert_eq!(holds_of(&report, actor.inode()), descriptors(pid, actor.inode()));
    }
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &[pid]);
    assert_eq!(
        bind_rows(&report),
        [
            "0.0.0.0 EADDRINUSE EADDRINUSE",
            "127.0.0.1 EADDRINUSE EADDRINUSE",
            ":: EADDRINUSE EADDRINUSE",
            "::1 ok ok"
        ]
    );
    let socket = socket_of(&report, actor.inode());
    assert_eq!(socket.protocol, Protocol::Tcp);
    assert_eq!(socket.state, Some(TcpState::Listen));
    assert_eq!(socket.local, format!("127.0.0.1:{port}"));
    assert_eq!((socket.remote.as_ref(), socket.v6only, socket.mptcp), (None, None, false));
    assert_eq!(socket.uid, Some(rustix::process::geteuid().as_raw()));
    assert_eq!((socket.reuse_addr, socket.reuse_port), (Some(false), Some(false)));
    assert_eq!(socket.backlog, Some((0, 128)));
    assert!(!socket.hidden && !socket.kernel && socket.netns.is_none());
    let process = &report.processes[0];
    assert_eq!((process.pid, process.ppid), (pid, std::process::id()));
    assert_eq!(process.name, "actor");
    assert_eq!(process.argv[1..], ["listen".to_owned(), "--port".to_owned(), port.to_string()]);
    assert!(process.exe.as_deref().unwrap().ends_with("/actor"));
    assert!(process.age_ms.unwrap() < 60_000 && process.started_at.is_some());
    assert!(process.ancestors.starts_with(&[std::process::id()]));
}

#[test]
fn the_other_transport_and_the_other_address_are_free() {
    let port = quiet_port();
    let _actor = play(&["listen", "--port", &port.to_string()]);
    for word in [format!("udp:{port}"), format!("tcp://[::1]:{port}")] {
        let report = see(&word);
        assert_eq!(report.verdict, Some(Verdict::Free), "{report:#?}");
        assert!(report.causes.is_empty() && report.sockets.is_empty(), "{report:#?}");
        assert!(report.explain.unwrap().ends_with("is free"));
    }
}

#[test]
fn options_and_backlog_are_the_socket_s_own() {
    let args = ["listen", "--reuse-addr", "--reuse-port", "--backlog", "7"];
    let actor = play(&args);
    let report = see(&tcp(&actor));
    let socket = socket_of(&report, actor.inode());
    assert_eq!((socket.reuse_addr, socket.reuse_port), (Some(true), Some(true)));
    assert_eq!(socket.backlog, Some((0, 7)));
}

#[test]
fn listeners_on_every_address_are_told_apart() {
    if !has_ipv6() {
        return;
    }
    let table = |actor: &Actor| bind_rows(&see(&tcp(actor)));
    let (taken, free) = ("EADDRINUSE EADDRINUSE", "ok ok");
    for (args, v6only, rows) in [
        (&["--addr", "0.0.0.0"][..], None, [taken, taken, taken, free]),
        (&["--addr", "::"], Some(false), [taken, taken, taken, taken]),
        (&["--addr", "::", "--v6only"], Some(true), [free, free, taken, taken]),
        // An address of its own makes a socket IPv6-only (`__inet6_bind` in net/ipv6/af_inet6.c).
        (&["--addr", "::1"], Some(true), [free, free, taken, taken]),
    ] {
        let port = quiet_port().to_string();
        let mut all = vec!["listen", "--port", &port];
        all.extend(args);
        let actor = play(&all);
        let report = see(&tcp(&actor));
        assert_held(&report, CauseKind::Listener, &[actor.pid()]);
        let socket = socket_of(&report, actor.inode());
        assert_eq!(socket.v6only, v6only, "{args:?}");
        let addresses = ["0.0.0.0", "127.0.0.1", "::", "::1"];
        let expected: Vec<String> =
            addresses.iter().zip(rows).map(|(address, row)| format!("{address} {row}")).collect();
        assert_eq!(table(&actor), expected, "{args:?}");
        // Asked for one address, the answer is about that one.
        for (address, row) in ["127.0.0.1", "[::1]"].iter().zip([rows[1], rows[3]]) {
            let report = see(&format!("{address}:{port}"));
            let tcp_row = bind_rows(&report).remove(0);
            assert!(tcp_row.ends_with(row), "{args:?}: {tcp_row}");
            let held = row == taken;
            assert_eq!(report.verdict == Some(Verdict::Held), held, "{args:?} {report:#?}");
            assert_eq!(!report.causes.is_empty(), held, "{args:?} {report:#?}");
        }
    }
}

#[test]
fn a_bound_socket_is_seen_by_the_table_and_by_its_descriptor() {
    for args in [&["bound"][..], &["bound", "--addr", "::", "--v6only"]] {
        let actor = play(args);
        let report = see(&tcp(&actor));
        assert_held(&report, CauseKind::BoundNotListening, &[actor.pid()]);
        let blind = see_by(
            &LiveHost::default().blind_to_bound(),
            &[parse(&tcp(&actor)).unwrap()],
            &LookOptions::default(),
        );
        for (report, blind) in [(&report, false), (&blind[0], true)] {
            assert_held(report, CauseKind::BoundNotListening, &[actor.pid()]);
            let socket = socket_of(report, actor.inode());
            assert_eq!(socket.state, Some(TcpState::Bound));
            assert_eq!(socket.reuse_addr, Some(false));
            assert_eq!(socket.v6only, (args.len() > 1).then_some(true));
            assert_eq!(holds_of(report, actor.inode()), descriptors(actor.pid(), actor.inode()));
            assert_eq!(gap_words(report).contains("does not list"), blind, "{report:#?}");
        }
    }
}

#[test]
fn a_udp_socket_holds_udp() {
    let actor = play(&["udp"]);
    let report = see(&udp(&actor));
    assert_held(&report, CauseKind::UdpSocket, &[actor.pid()]);
    let socket = socket_of(&report, actor.inode());
    assert_eq!(
        (socket.protocol, socket.state, socket.remote.as_ref()),
        (Protocol::Udp, None, None)
    );
    assert_eq!(holds_of(&report, actor.inode()), descriptors(actor.pid(), actor.inode()));
    // A bare port is both transports.
    let both = see(&format!(":{}", actor.port()));
    assert_eq!(cause(&both, CauseKind::UdpSocket).pids, [actor.pid()]);
}

#[test]
fn a_connected_udp_socket_holds_its_port() {
    let actor = play(&["udp-connected"]);
    let report = see(&udp(&actor));
    assert_held(&report, CauseKind::UdpSocket, &[actor.pid()]);
    let socket = socket_of(&report, actor.inode());
    assert_eq!(socket.remote, Some(format!("127.0.0.1:{}", actor.number::<u16>("peer"))));
}

#[test]
fn tcp_and_udp_of_one_process_and_of_two() {
    let one = play(&["reservation", "--port", &quiet_port().to_string()]);
    let report = see(&format!(":{}", one.port()));
    assert_eq!(report.verdict, Some(Verdict::Held));
    assert_eq!(report.causes.len(), 2, "{report:#?}");
    assert_eq!(cause(&report, CauseKind::Listener).pids, [one.pid()]);
    assert_eq!(cause(&report, CauseKind::UdpSocket).pids, [one.pid()]);
    assert_eq!(socket_of(&report, one.number("udp_inode")).protocol, Protocol::Udp);
    assert_eq!((report.processes.len(), report.bind.len()), (1, 8));

    let port = quiet_port().to_string();
    let tcp = play(&["listen", "--port", &port]);
    let udp = play(&["udp", "--port", &port]);
    let report = see(&format!(":{port}"));
    assert_eq!(report.causes.len(), 2, "{report:#?}");
    assert_eq!(cause(&report, CauseKind::Listener).pids, [tcp.pid()]);
    assert_eq!(cause(&report, CauseKind::UdpSocket).pids, [udp.pid()]);
    assert_eq!(report.processes.len(), 2);
    assert_held(&see(&format!("udp:{port}")), CauseKind::UdpSocket, &[udp.pid()]);
    assert_held(&see(&format!("tcp:{port}")), CauseKind::Listener, &[tcp.pid()]);
}

#[test]
fn mptcp_is_one_listener() {
    if std::fs::read_to_string("/proc/sys/net/mptcp/enabled").map_or(true, |on| on.trim() != "1") {
        return skip("this kernel has no MPTCP switched on");
    }
    let actor = play(&["mptcp"]);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &[actor.pid()]);
    assert_eq!(report.sockets.len(), 1, "{report:#?}");
    assert!(socket_of(&report, actor.inode()).mptcp, "{report:#?}");
}

#[test]
fn two_ports_of_one_process_are_two_answers() {
    let actor = play(&["two-ports"]);
    let second = format!("tcp:{}", actor.number::<u16>("second"));
    let reports = see_all(&[tcp(&actor), second.clone()]);
    assert_held(&reports[0], CauseKind::Listener, &[actor.pid()]);
    assert_held(&reports[1], CauseKind::Listener, &[actor.pid()]);
    assert_eq!(reports[1].sockets[0].inode, Some(actor.number("second_inode")));
    assert_eq!((reports[1].target.as_str(), reports[1].sockets.len()), (second.as_str(), 1));
    // A prompt asks what else the holder has.
    let options = LookOptions { before_acting: true, ..Default::default() };
    let report = see_with(&tcp(&actor), &options);
    let others: Vec<_> =
        report.other_ports.iter().map(|other| (other.pid, other.port.as_str())).collect();
    assert_eq!(others, [(actor.pid(), second.as_str())]);
}

#[test]
fn one_among_many_descriptors() {
    let actor = play(&["many-sockets", "3000"]);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &[actor.pid()]);
    assert_eq!(holds_of(&report, actor.inode()), descriptors(actor.pid(), actor.inode()));
}

#[test]
fn an_inherited_listener() {
    // The parent is gone: the child alone has it, and nothing shows that it did not open it.
    let actor = play(&["inherit"]);
    assert!(actor.wait_exit(SOON));
    assert_held(&see(&tcp(&actor)), CauseKind::Listener, &actor.children());
    // The parent lives: one server and a process it started.
    let actor = play(&["inherit", "--keep-parent"]);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &[actor.pid(), actor.children()[0]]);
    assert_eq!(holds_of(&report, actor.inode()).len(), 2);
    assert!(report.causes[0].explain.contains("1 process that it started"));
}

#[test]
fn two_children_without_their_parent_inherited_it() {
    let port = quiet_port().to_string();
    let args = ["workers", "2", "--port", &port];
    let actor = play(&args);
    let workers = actor.children();
    assert!(actor.signal(Signal::KILL) && actor.wait_exit(SOON));
    // They see the test's pipe themselves, so they live on without their master.
    let report = see(&tcp(&actor));
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::InheritedListener, true), "{report:#?}");
    assert_eq!(cause.pids.iter().collect::<BTreeSet<_>>(), workers.iter().collect());
}

#[test]
fn a_program_that_the_server_started_is_seen_to_be_no_server() {
    let actor = play(&["exec-inherit"]);
    let sleep = actor.children()[0];
    assert_held(&see(&tcp(&actor)), CauseKind::Listener, &[actor.pid(), sleep]);
    assert!(actor.signal(Signal::TERM) && actor.wait_exit(SOON));
    let report = see(&tcp(&actor));
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::InheritedListener, false), "{report:#?}");
    assert_eq!(cause.pids, [sleep]);
    assert!(cause.explain.contains("sleep") && cause.explain.contains("no server"), "{cause:?}");
}

#[test]
fn a_master_and_its_workers_are_one_holder_topmost_first() {
    for count in [2, 24] {
        let actor = play(&["workers", &count.to_string()]);
        let report = see(&tcp(&actor));
        assert_eq!(report.verdict, Some(Verdict::Held));
        let cause = only(&report);
        assert_eq!(cause.kind, CauseKind::Listener);
        assert_eq!(cause.pids[0], actor.pid());
        let pids: BTreeSet<u32> = cause.pids.iter().copied().collect();
        let expected: BTreeSet<u32> = actor.children().into_iter().chain([actor.pid()]).collect();
        assert_eq!(pids, expected);
        assert_eq!((pids.len(), report.processes.len()), (count + 1, count + 1));
        // A worker that has just begun is still making its second descriptor.
        let agrees = || {
            let holds = holds_of(&see(&tcp(&actor)), actor.inode());
            let real = pids.iter().flat_map(|&pid| descriptors(pid, actor.inode()));
            holds.into_iter().collect::<BTreeSet<_>>() == real.collect()
        };
        assert!(wait_until(SOON, agrees));
    }
}

#[test]
fn a_shared_port_has_a_socket_of_each() {
    let actor = play(&["shared", "3"]);
    let report = see(&tcp(&actor));
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::SharedListener, true), "{report:#?}");
    let pids = [vec![actor.pid()], actor.children()].concat();
    assert_eq!(cause.pids.iter().collect::<BTreeSet<_>>(), pids.iter().collect());
    assert_eq!(report.sockets.len(), 3);
    let inodes = actor.field("inodes").unwrap().split(',').map(|inode| inode.parse().unwrap());
    for (pid, inode) in pids.into_iter().zip(inodes) {
        let holders: BTreeSet<u32> =
            holds_of(&report, inode).into_iter().map(|(pid, _)| pid).collect();
        assert!(holders.contains(&pid), "{report:#?}");
        assert_eq!(socket_of(&report, inode).reuse_port, Some(true));
    }
}

#[test]
fn two_servers_on_one_port_are_told_apart_by_who_answers_where() {
    if !has_ipv6() {
        return;
    }
    let port = quiet_port().to_string();
    let four = play(&["listen", "--port", &port, "--name", "four"]);
    let six = play(&["listen", "--port", &port, "--addr", "::1", "--name", "six"]);
    let report = see(&format!("tcp:{port}"));
    assert_eq!(report.causes.len(), 2, "{report:#?}");
    let note = &report.notes[0];
    assert!(leads(note, "127.0.0.1", &format!("four (pid {})", four.pid())), "{note}");
    assert!(leads(note, "::1", &format!("six (pid {})", six.pid())), "{note}");

    let port = quiet_port().to_string();
    let shared = ["listen", "--reuse-port", "--port", &port, "--name"];
    let any = play(&[&shared[..], &["any", "--addr", "0.0.0.0"]].concat());
    let one = play(&[&shared[..], &["one"]].concat());
    let report = see(&format!("tcp:{port}"));
    let note = &report.notes[0];
    assert!(leads(note, "127.0.0.1", &format!("one (pid {})", one.pid())), "{note}");
    assert!(leads(note, "other IPv4 addresses", &format!("any (pid {})", any.pid())), "{note}");
    assert!(!note.contains("IPv6"), "{note}");
}

/// Whether a part of the note begins with that place and ends with that server.
fn leads(note: &str, place: &str, server: &str) -> bool {
    let mut parts =
        note.split("; ").map(|part| part.rsplit_once(": ").map_or(part, |(_, end)| end));
    parts.any(|part| part.starts_with(place) && part.ends_with(server))
}

#[test]
fn a_stopped_holder_is_said_to_be_stopped() {
    let actor = play(&["stopped"]);
    let stopped = || proc_testkit::procfs::state(actor.pid()) == Some('T');
    assert!(wait_until(SOON, stopped));
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &[actor.pid()]);
    assert_eq!(report.processes[0].state, ProcessState::Stopped);
    assert!(report.causes[0].explain.contains("suspended"));
}

#[test]
fn a_supervised_child_is_the_holder_and_its_supervisor_is_named() {
    let actor = play(&["supervise", "--delay", "1000", "--", "listen"]);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &actor.children());
    assert_eq!(report.processes[0].ancestors[0], actor.pid());
    let ancestors = see_with(&tcp(&actor), &LookOptions { ancestors: true, ..Default::default() });
    assert_eq!(ancestors.ancestors[0].pid, actor.pid());
    assert!(ancestors.ancestors.iter().any(|process| process.pid == std::process::id()));
}

#[test]
fn clients_are_counted_and_are_no_holders() {
    let server = play(&["listen", "--accept"]);
    let clients = play(&["clients", "5", "--port", &server.port().to_string()]);
    let mut report = see(&tcp(&server));
    assert!(
        wait_until(SOON, || {
            report = see(&tcp(&server));
            report.clients == Some(5)
        }),
        "{report:#?}"
    );
    assert_held(&report, CauseKind::Listener, &[server.pid()]);
    assert!(report.processes.iter().all(|process| process.pid != clients.pid()));
}

#[test]
fn hostile_names_come_through_whole() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let name = "a) R 1\n\u{1b}[2J";
    let actor = play(&["listen", "--name", name, "--argv0", "x\u{1b}]0;y\u{7}"]);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &[actor.pid()]);
    assert_eq!(report.processes[0].name, name);
    assert_eq!(report.processes[0].argv[0], "x\u{1b}]0;y\u{7}");
    assert_eq!(report.processes[0].ppid, std::process::id());

    let bytes = OsStr::from_bytes(b"\xff\xfe(\x80)");
    let args = ["listen".as_ref(), "--name".as_ref(), bytes];
    let actor = drawn(&args);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::Listener, &[actor.pid()]);
    assert_eq!(report.processes[0].name, "\u{fffd}\u{fffd}(\u{fffd})");
}

#[test]
fn secrets_in_arguments_are_masked_unless_asked_for() {
    let actor = play(&["listen", "--argv0", "server --password=hunter2"]);
    let secret = see_with(&tcp(&actor), &LookOptions { show_secrets: true, ..Default::default() });
    assert_eq!(secret.processes[0].argv[0], "server --password=hunter2");
    let args = ["listen", "--", "--password", "hunter2"];
    let actor = play(&args);
    let report = see(&tcp(&actor));
    let argv = &report.processes[0].argv;
    assert!(argv.contains(&"--password".to_owned()), "{argv:?}");
    assert!(!argv.iter().any(|word| word.contains("hunter2")), "{argv:?}");
}

#[test]
fn children_that_vanish_while_looking_never_confuse_it() {
    let actor = play(&["fork-storm"]);
    let target = parse(&tcp(&actor)).unwrap();
    let storm = std::thread::spawn(|| {
        for _ in 0..150 {
            assert!(start(|| Command::new("true").status()).unwrap().success());
        }
    });
    let faults = children_faults(actor.pid());
    for _ in 0..200 {
        let reports =
            see_by(&LiveHost::default(), std::slice::from_ref(&target), &LookOptions::default());
        let report = &reports[0];
        assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
        let cause = only(report);
        assert_eq!((cause.kind, cause.pids[0]), (CauseKind::Listener, actor.pid()), "{report:#?}");
        for process in &report.processes[1..] {
            assert_eq!(process.ppid, actor.pid(), "{report:#?}");
        }
    }
    storm.join().unwrap();
    assert!(children_faults(actor.pid()) > faults, "the storm has passed: the test shows nothing");
}

/// Page faults of all children that have ended (field 11 of `/proc/PID/stat`, proc_pid_stat(5)).
fn children_faults(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.split_whitespace().nth(10).unwrap().parse().unwrap()
}

#[test]
fn whoever_is_in_a_hurry_is_told_one_holder_of_each_port() {
    let single = play(&["listen"]);
    let shared = play(&["workers", "3"]);
    let seen = LiveHost::default().snapshot(&Scope {
        sockets: SocketScope::AllPorts,
        holders: true,
        first_within: Some(Duration::from_secs(60)),
        facts: ProcessFacts { directory: true, ..ProcessFacts::BARE },
        ..Scope::default()
    });
    for actor in [&single, &shared] {
        let own = |socket: &&Socket| socket.inode == Some(actor.inode());
        let socket = seen.sockets.iter().find(own).unwrap();
        let [holder] = socket.holders.list() else { panic!("{socket:?}") };
        let process = &seen.processes[&holder.pid];
        assert_eq!((process.name.as_str(), process.cwd.is_some()), ("actor", true));
        assert!(process.argv.is_empty() && process.cgroup.is_none());
    }
    // Ports are known at once, whoever has them.
    let ports: Vec<u16> = held_ports(&LiveHost::default()).iter().map(|port| port.number).collect();
    assert!([&single, &shared].iter().all(|actor| ports.contains(&actor.port())), "{ports:?}");
}
