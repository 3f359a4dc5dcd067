//! Ports kept by connections and by what they leave behind, without a listener.

use super::*;

#[test]
fn accepted_connections_hold_the_port_of_their_dead_listener() {
    // Outside the ephemeral range nothing else can explain them.
    let actor = play(&["accepted", "--count", "3"]);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::AcceptedConnection, &[actor.pid()]);
    assert_eq!(report.sockets.len(), 3, "{report:#?}");
    for socket in &report.sockets {
        assert_eq!(socket.state, Some(TcpState::Established));
        assert_eq!(socket.holders.len(), 1);
        assert!(socket.remote.is_some());
    }
    assert!(report.causes[0].explain.contains("3 connections"));
    // Inside it, only a guess is left.
    let actor = drawn(&["accepted"]);
    let report = see(&tcp(&actor));
    let cause = cause(&report, CauseKind::AcceptedConnection);
    assert_eq!((cause.kind, cause.certain), (CauseKind::AcceptedConnection, false), "{report:#?}");
    assert_eq!(cause.pids, [actor.pid()]);
}

#[test]
fn an_outgoing_connection_is_no_server() {
    for actor in [drawn(&["outgoing"]), play(&["outgoing"])] {
        let report = see(&tcp(&actor));
        let cause = cause(&report, CauseKind::OutgoingConnection);
        assert_eq!((&cause.pids[..], cause.certain), (&[actor.pid()][..], true), "{report:#?}");
        assert_eq!(report.verdict, Some(Verdict::Held));
        let socket = socket_of(&report, actor.inode());
        let peer = format!("127.0.0.1:{}", actor.number::<u16>("peer"));
        assert_eq!(
            (socket.state, socket.remote.as_ref()),
            (Some(TcpState::Established), Some(&peer))
        );
        assert_eq!(holds_of(&report, actor.inode()), descriptors(actor.pid(), actor.inode()));
        assert!(cause.explain.contains(&peer));
    }
}

#[test]
fn a_socket_that_connected_to_itself() {
    let actor = play(&["self-connect"]);
    let report = see(&tcp(&actor));
    assert_held(&report, CauseKind::OutgoingConnection, &[actor.pid()]);
    assert_eq!(report.sockets[0].remote.as_ref(), Some(&report.sockets[0].local));
    assert!(report.causes[0].explain.contains("itself"));
}

#[test]
fn a_connection_that_its_server_never_closes() {
    let actor = play(&["close-wait", "--count", "2"]);
    let report = see(&tcp(&actor));
    let states: Vec<_> = report.sockets.iter().map(|socket| socket.state).collect();
    assert_eq!(states, [Some(TcpState::CloseWait); 2], "{report:#?}");
    assert_held(&report, CauseKind::AcceptedConnection, &[actor.pid()]);
}

/// Remains that nobody holds, all in one state.
#[track_caller]
fn assert_remains(report: &TargetReport, kind: CauseKind, state: TcpState, count: usize) {
    assert_eq!(report.verdict, Some(Verdict::Lingering), "{report:#?}");
    let cause = only(report);
    assert_eq!((cause.kind, cause.certain), (kind, true), "{report:#?}");
    assert!(cause.pids.is_empty() && report.processes.is_empty(), "{report:#?}");
    assert_eq!(report.sockets.len(), count, "{report:#?}");
    for socket in &report.sockets {
        assert_eq!(socket.state, Some(state), "{report:#?}");
        assert!(socket.holders.is_empty() && !socket.hidden && !socket.kernel, "{report:#?}");
        assert_eq!(socket.inode, None);
    }
}

#[test]
fn time_wait_says_when_it_ends_and_what_so_reuseaddr_would_change() {
    let mut left = Vec::new();
    for (reuse, advice) in [(false, "cannot bind either"), (true, "can bind now")] {
        let mut args = vec!["time-wait", "--count", "3"];
        args.extend(reuse.then_some("--reuse-addr"));
        let actor = play(&args);
        assert!(actor.wait_exit(SOON));
        let report = see(&tcp(&actor));
        assert_remains(&report, CauseKind::TimeWait, TcpState::TimeWait, 3);
        let ms = only(&report).expires_ms.unwrap();
        assert!((50_000..=60_000).contains(&ms), "{ms}");
        let longest = report.sockets.iter().map(|socket| socket.expires_ms.unwrap()).max();
        assert_eq!(longest, Some(ms));
        assert_eq!(report.notes.len(), 1, "{report:#?}");
        assert!(report.notes[0].contains(advice), "{report:#?}");
        let plain: BTreeSet<&str> = report.bind.iter().map(|row| row.plain.as_str()).collect();
        assert!(plain.contains("EADDRINUSE"));
        let past = report.bind.iter().all(|row| row.reuse_addr == "ok");
        assert_eq!(past, reuse, "{report:#?}");
        left.push((actor, ms));
    }
    // It counts down.
    let (actor, ms) = &left[0];
    let later = || only(&see(&tcp(actor))).expires_ms.is_some_and(|now| now < *ms);
    assert!(wait_until(SOON, later));
}

#[test]
fn time_wait_of_a_living_process_and_of_ipv6() {
    let actor = play(&["time-wait", "--stay"]);
    assert!(actor.alive());
    assert_remains(&see(&tcp(&actor)), CauseKind::TimeWait, TcpState::TimeWait, 1);
    if has_ipv6() {
        let actor = play(&["time-wait", "--addr", "::1"]);
        assert_remains(&see(&tcp(&actor)), CauseKind::TimeWait, TcpState::TimeWait, 1);
    }
}

#[test]
fn endings_that_nobody_owns() {
    for (role, state) in [
        ("fin-wait2-orphan", TcpState::FinWait2),
        ("fin-wait1", TcpState::FinWait1),
        ("last-ack", TcpState::LastAck),
    ] {
        let actor = play(&[role]);
        let report = see(&tcp(&actor));
        assert_remains(&report, CauseKind::Closing, state, 1);
        assert!(report.causes[0].explain.contains(state.rfc_name()));
        // Only FIN-WAIT-2 ends by a clock alone (tcp_fin_timeout).
        let ms = only(&report).expires_ms;
        match state {
            TcpState::FinWait2 => assert!((40_000..=60_000).contains(&ms.unwrap()), "{ms:?}"),
            _ => assert_eq!(ms, None, "{role}"),
        }
    }
}

#[test]
fn remains_beside_a_living_listener_are_not_the_answer() {
    let port = quiet_port();
    let gone = play(&["time-wait", "--reuse-addr", "--port", &port.to_string()]);
    assert!(gone.wait_exit(SOON));
    let server = play(&["listen", "--reuse-addr", "--port", &port.to_string()]);
    let report = see(&format!("tcp:{port}"));
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    let first = &report.causes[0];
    assert_eq!((first.kind, &first.pids[..]), (CauseKind::Listener, &[server.pid()][..]));
}
