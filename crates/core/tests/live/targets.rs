//! Whole questions: many targets, ranges, numbers that mean two things, names, processes, and what
//! ss(8) says about the same ports.

use super::*;

#[test]
fn a_range_names_what_is_held_and_what_is_free() {
    let first = quiet_ports(6);
    let a = play(&["listen", "--port", &(first + 1).to_string()]);
    let b = play(&["udp", "--port", &(first + 4).to_string()]);
    let report = see(&format!(":{first}-{}", first + 5));
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    assert_eq!(report.causes.len(), 2, "{report:#?}");
    assert_eq!(cause(&report, CauseKind::Listener).pids, [a.pid()]);
    assert_eq!(cause(&report, CauseKind::UdpSocket).pids, [b.pid()]);
    for (kind, port) in [(CauseKind::Listener, first + 1), (CauseKind::UdpSocket, first + 4)] {
        let cause = cause(&report, kind);
        let socket = &report.sockets[cause.sockets[0]];
        assert!(socket.local.ends_with(&format!(":{port}")), "{report:#?}");
        assert!(cause.explain.contains(&format!(":{port}")), "{report:#?}");
    }
    let free = format!("free: {first}, {}-{}, {}", first + 2, first + 3, first + 5);
    assert!(report.notes.contains(&free), "no {free:?} in {:?}", report.notes);
    let free = quiet_ports(4);
    let report = see(&format!("tcp:{free}-{}", free + 3));
    assert_eq!(report.verdict, Some(Verdict::Free), "{report:#?}");
    assert!(report.notes.contains(&"every port of the range is free".to_owned()));
}

#[test]
fn a_thousand_ports_in_one_call() {
    let actors: Vec<Actor> =
        (0..3).map(|_| play(&["listen", "--port", &quiet_port().to_string()])).collect();
    let held: Vec<u16> = actors.iter().map(Actor::port).collect();
    let ports: Vec<u16> = (15_000..15_997).chain(held.iter().copied()).collect();
    let words: Vec<String> = ports.iter().map(|port| format!("tcp:{port}")).collect();
    let reports = see_all(&words);
    assert_eq!(reports.len(), 1000);
    for ((report, word), port) in reports.iter().zip(&words).zip(&ports) {
        assert_eq!(&report.target, word);
        if let Some(at) = held.iter().position(|held| held == port) {
            assert_held(report, CauseKind::Listener, &[actors[at].pid()]);
        }
    }
    let free = reports.iter().filter(|report| report.verdict == Some(Verdict::Free)).count();
    assert!(free >= 900, "{free} of them free");
}

#[test]
fn each_of_the_same_targets_gets_the_same_answer() {
    let actor = play(&["listen"]);
    let reports = see_all(&[tcp(&actor), tcp(&actor), format!("127.0.0.1:{}", actor.port())]);
    assert_held(&reports[0], CauseKind::Listener, &[actor.pid()]);
    assert_held(&reports[1], CauseKind::Listener, &[actor.pid()]);
    assert_eq!(cause(&reports[2], CauseKind::Listener).pids, [actor.pid()]);
    assert_eq!(see_by(&LiveHost::default(), &[], &LookOptions::default()), []);
}

#[test]
fn a_bare_number_is_a_process_a_port_both_or_neither() {
    // A process.
    let actor = play(&["two-ports"]);
    let report = see(&actor.pid().to_string());
    assert_eq!(report.verdict, None, "{report:#?}");
    assert_eq!(report.processes[0].pid, actor.pid());
    let inodes: BTreeSet<u64> = report.sockets.iter().filter_map(|socket| socket.inode).collect();
    assert!(inodes.is_superset(&[actor.inode(), actor.number("second_inode")].into()));

    // A port, and no process of that number.
    let port = std::iter::repeat_with(quiet_port)
        .find(|port| !std::fs::exists(format!("/proc/{port}")).unwrap())
        .unwrap();
    let _actor = play(&["listen", "--port", &port.to_string()]);
    let report = see(&port.to_string());
    assert!(report.processes.is_empty() && report.causes.is_empty(), "{report:#?}");
    let explain = report.explain.unwrap();
    assert!(explain.contains(&format!("there is no process {port}")), "{explain}");
    assert!(explain.contains("is held") && explain.contains(&format!("say :{port}")), "{explain}");

    // Neither.
    let neither = std::iter::repeat_with(quiet_port)
        .find(|port| !std::fs::exists(format!("/proc/{port}")).unwrap())
        .unwrap();
    let explain = see(&neither.to_string()).explain.unwrap();
    assert!(explain.contains(&format!("there is no process {neither}")), "{explain}");
    assert!(explain.contains(&format!(":{neither}")) && !explain.contains("is held"), "{explain}");

    // Both: this takes a process whose number is a port that can be bound.
    let actors: Vec<Actor> = (0..4).map(|_| play(&["listen"])).collect();
    let stable = actors.iter().map(Actor::pid).chain([std::process::id(), 2, 1]);
    let bindable = |number: &u16| start(|| is_free(*number));
    let Some(number) = stable.filter_map(|pid| u16::try_from(pid).ok()).find(bindable) else {
        return skip("no lasting process has a number that is a free port");
    };
    let holder = play(&["listen", "--port", &number.to_string()]);
    let report = see(&number.to_string());
    assert_eq!(report.processes[0].pid, u32::from(number), "{report:#?}");
    assert!(report.processes.iter().any(|process| process.pid == holder.pid()), "{report:#?}");
    let cause = cause(&report, CauseKind::Listener);
    assert_eq!(cause.pids, [holder.pid()]);
    assert_eq!(report.sockets[cause.sockets[0]].inode, Some(holder.inode()));
    let note = format!("say pid:{number} or :{number}");
    assert!(report.notes.iter().any(|have| have.contains(&note)), "{report:#?}");
}

#[test]
fn names_and_paths_and_numbers_of_processes() {
    let name = format!("srv-{}", std::process::id());
    let (a, b) = (
        play(&["listen", "--name", &name]),
        play(&["listen", "--argv0", &format!("/opt/{}", name.to_uppercase())]),
    );
    let report = see(&name);
    let pids: Vec<u32> = report.processes.iter().map(|process| process.pid).collect();
    assert_eq!(pids.iter().collect::<BTreeSet<_>>(), [a.pid(), b.pid()].iter().collect());
    assert_eq!(report.sockets.len(), 2, "{report:#?}");
    assert_eq!(report.verdict, None);
    assert!(see(&format!("{name}-not")).explain.unwrap().contains("no process is called"));

    let report = see(&format!("pid:{}", a.pid()));
    assert_eq!((report.processes.len(), report.processes[0].pid), (1, a.pid()));
    assert_eq!(holds_of(&report, a.inode()), descriptors(a.pid(), a.inode()));
    let ended = start(|| Command::new("true").spawn()).unwrap();
    let pid = ended.id();
    assert!(ended.wait_with_output().unwrap().status.success());
    assert!(see(&format!("pid:{pid}")).explain.unwrap().contains("there is no process"));

    // By the file it runs: a copy, so that it is this test's alone.
    let path = std::env::temp_dir().join(&name);
    std::fs::copy(proc_testkit::actor_path(), &path).unwrap();
    let mut command = Command::new(&path);
    command.arg("listen");
    let c = spawn_command(command);
    let report = see(path.to_str().unwrap());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(report.processes.len(), 1, "{report:#?}");
    assert_eq!(report.processes[0].pid, c.pid());
    assert_eq!(report.sockets[0].inode, Some(c.inode()));
    assert!(see("/nowhere/at/all").explain.unwrap().contains("/nowhere/at/all"));
    assert!(see("unit:no-such.service").explain.unwrap().contains("no-such.service"));
    assert!(see("container:no-such").explain.unwrap().contains("no-such"));
}

#[test]
fn a_process_that_holds_sockets_of_every_kind_lists_them() {
    let actor = play(&["reservation"]);
    let report = see(&format!("pid:{}", actor.pid()));
    let protocols: BTreeSet<Protocol> =
        report.sockets.iter().map(|socket| socket.protocol).collect();
    assert_eq!(protocols, [Protocol::Tcp, Protocol::Udp].into());
    for role in ["bound", "mptcp"] {
        let actor = play(&[role]);
        let report = see(&format!("pid:{}", actor.pid()));
        assert_eq!(report.sockets.len(), 1, "{report:#?}");
        assert_eq!(report.sockets[0].inode, Some(actor.inode()));
    }
    // What no descriptor of the process shows belongs to it all the same.
    for role in ["thread-table", "dead-leader", "mmap"] {
        let actor = play(&[role]);
        let report = see(&format!("pid:{}", actor.pid()));
        assert_eq!(report.processes[0].pid, actor.pid());
        assert!(
            report.sockets.iter().any(|socket| socket.inode == Some(actor.inode())),
            "{role}: {report:#?}"
        );
    }
}

#[test]
fn ss_names_the_same_processes() {
    if start(|| Command::new("ss").arg("-V").output()).is_err() {
        return skip("ss(8) is not installed");
    }
    let actors = [
        &["listen"][..],
        &["listen", "--addr", "::1"],
        &["workers", "3"],
        &["shared", "3"],
        &["inherit", "--keep-parent"],
        &["exec-inherit"],
    ]
    .map(|args| play(args));
    let reports = see_all(&actors.iter().map(tcp).collect::<Vec<_>>());
    let output = start(|| Command::new("ss").arg("-tlnpH").output()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    for (actor, report) in actors.iter().zip(&reports) {
        let end = format!(":{}", actor.port());
        let lines = text.lines().filter(|line| {
            line.split_whitespace().nth(3).is_some_and(|local| local.ends_with(&end))
        });
        let theirs: BTreeSet<u32> = lines
            .flat_map(|line| line.split("pid=").skip(1))
            .filter_map(|rest| rest.split(',').next()?.parse().ok())
            .collect();
        let ours: BTreeSet<u32> =
            report.causes.iter().flat_map(|cause| cause.pids.iter().copied()).collect();
        assert!(theirs.contains(&actor.pid()), "{text}");
        assert_eq!(ours, theirs, "{report:#?}\n{text}");
    }
}
