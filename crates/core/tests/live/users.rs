//! What an ordinary user is told: everything about their own processes, the truth about others'.

use super::*;
use proc_core::remedy::Action;

/// Somebody unseen holds it: whose, what would show it, and that something was not seen.
#[track_caller]
fn assert_hidden(report: &TargetReport, uid: u32, user: &str) {
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    let cause = only(report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::HiddenHolder, true), "{report:#?}");
    assert!(cause.pids.is_empty() && report.processes.is_empty(), "{report:#?}");
    assert!(cause.explain.contains(&format!("a process of {user}")), "{report:#?}");
    assert_eq!(report.sockets.len(), 1, "{report:#?}");
    let socket = &report.sockets[0];
    assert!(socket.hidden && !socket.kernel && socket.holders.is_empty(), "{report:#?}");
    assert_eq!(socket.uid, Some(uid));
    let remedy = &cause.remedies[0];
    assert_eq!(remedy.action, Action::LookAsRoot);
    assert_eq!(remedy.argv.as_ref().unwrap()[..3], ["sudo", "proc", "on"]);
    assert!(remedy.needs_root);
    assert!(report.gaps.iter().any(|gap| gap.cure.as_deref() == Some("sudo")), "{report:#?}");
}

#[test]
fn one_s_own_processes_are_seen_whole() {
    let actors =
        [&["listen"][..], &["bound"], &["accepted"], &["outgoing"], &["workers", "3"], &["shared"]]
            .map(actor_of_user);
    let words: Vec<String> = actors.iter().map(tcp).collect();
    let reports = Confined::as_user(&[]).see(&words);
    for (report, actor) in reports.iter().zip(&actors) {
        assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
        let cause = only(report);
        assert_eq!(cause.pids[0], actor.pid(), "{report:#?}");
        let socket = socket_of(report, actor.inode());
        assert_eq!((socket.uid, socket.hidden), (Some(user()), false), "{report:#?}");
        assert!(socket.reuse_addr.is_some(), "options can be read: {report:#?}");
        let holds = holds_of(report, actor.inode());
        let own = descriptors(actor.pid(), actor.inode());
        assert!(own.iter().all(|hold| holds.contains(hold)), "{report:#?}");
        let process = &report.processes[0];
        assert_eq!(process.uid, Some(user()));
        assert!(process.cwd.is_some() && process.exe.is_some() && !process.argv.is_empty());
    }
    let kinds: Vec<CauseKind> = reports.iter().map(|report| report.causes[0].kind).collect();
    assert_eq!(
        kinds,
        [
            CauseKind::Listener,
            CauseKind::BoundNotListening,
            CauseKind::AcceptedConnection,
            CauseKind::OutgoingConnection,
            CauseKind::Listener,
            CauseKind::SharedListener,
        ]
    );
    assert_eq!(reports[4].causes[0].pids.len(), 4);
}

#[test]
fn one_s_own_bound_socket_is_found_by_its_descriptor() {
    let actor = actor_of_user(&["bound"]);
    let report = Confined::as_user(&[]).env("PROC_LIVE_BLIND", "1").see_one(&tcp(&actor));
    assert_held(&report, CauseKind::BoundNotListening, &[actor.pid()]);
    assert!(gap_words(&report).contains("does not list"), "{report:#?}");
}

#[test]
fn another_user_s_holder_is_hidden_and_never_nobody() {
    if !root_or_skip() {
        return;
    }
    for role in ["listen", "bound", "thread-table", "mmap"] {
        let actor = play(&[role]);
        let report = Confined::as_user(&[]).see_one(&tcp(&actor));
        assert_hidden(&report, 0, "root");
        assert!(gap_words(&report).contains("could not be read"), "{report:#?}");
    }
    let actor = play(&["udp"]);
    assert_hidden(&Confined::as_user(&[]).see_one(&udp(&actor)), 0, "root");
    let actor = play(&["listen", "--uid", "65533"]);
    assert_hidden(&Confined::as_user(&[]).see_one(&tcp(&actor)), 65533, "user 65533");
}

#[test]
fn another_user_s_connections_are_hidden_holders() {
    if !root_or_skip() {
        return;
    }
    let actor = play(&["outgoing"]);
    assert_hidden(&Confined::as_user(&[]).see_one(&tcp(&actor)), 0, "root");
}

#[test]
fn remains_have_no_hidden_owner() {
    let actor = play(&["time-wait"]);
    assert!(actor.wait_exit(SOON));
    let report = Confined::as_user(&[]).see_one(&tcp(&actor));
    assert_eq!(report.verdict, Some(Verdict::Lingering), "{report:#?}");
    assert_eq!(only(&report).kind, CauseKind::TimeWait);
    assert!(only(&report).expires_ms.is_some() && !report.sockets[0].hidden);
}

#[test]
fn a_process_that_forbids_looking_into_it() {
    let _queues = QUEUES.read().unwrap_or_else(PoisonError::into_inner);
    let actor = actor_of_user(&["non-dumpable"]);
    // Not even its own user may look; root may.
    let report = Confined::as_user(&[]).see_one(&tcp(&actor));
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::HiddenHolder, true), "{report:#?}");
    assert_eq!(report.sockets[0].uid, Some(user()));
    assert_eq!(cause.remedies[0].action, Action::LookAsRoot);
    if is_root() {
        let report = see(&tcp(&actor));
        assert_held(&report, CauseKind::Listener, &[actor.pid()]);
        assert_eq!(holds_of(&report, actor.inode()), descriptors(actor.pid(), actor.inode()));
        // To a third user it is one of that user's.
        let actor = play(&["non-dumpable", "--uid", "65533"]);
        assert_hidden(&Confined::as_user(&[]).see_one(&tcp(&actor)), 65533, "user 65533");
    }
}

#[test]
fn a_privileged_port_is_denied_and_where_it_is_held_both_are_said() {
    if !root_or_skip() {
        return;
    }
    // A network of its own begins with the kernel's default floor of 1024.
    let web = play(&["hold-netns", "--port", "80"]);
    let inside = [Limit::NetworkOf(web.pid())];
    let words = ["tcp:81".to_owned(), "tcp:80".to_owned()];
    let reports = Confined::as_user(&inside).see(&words);
    assert_eq!(reports[0].verdict, Some(Verdict::Denied), "{reports:#?}");
    assert_eq!(only(&reports[0]).kind, CauseKind::Privileged);
    assert!(only(&reports[0]).explain.contains("1024"));
    assert!(reports[0].bind.iter().all(|row| row.plain == "EACCES"), "{reports:#?}");
    assert_eq!(only(&reports[0]).remedies[0].action, Action::GetRight);

    assert_eq!(reports[1].verdict, Some(Verdict::Held), "{reports:#?}");
    let kinds: Vec<CauseKind> = reports[1].causes.iter().map(|cause| cause.kind).collect();
    assert_eq!(kinds, [CauseKind::HiddenHolder, CauseKind::Privileged], "{reports:#?}");
    // Root may bind it, and sees who is there.
    let reports = Confined::new(&inside).see(&words);
    assert_eq!(reports[0].verdict, Some(Verdict::Free), "{reports:#?}");
    assert_held(&reports[1], CauseKind::Listener, &[web.pid()]);
}

#[test]
fn hidepid_hides_processes_and_not_that_something_is_hidden() {
    if !root_or_skip() {
        return;
    }
    let (theirs, mine) = (play(&["listen"]), actor_of_user(&["listen"]));
    let words = [tcp(&theirs), tcp(&mine)];
    let reports = Confined::as_user(&[Limit::HidePid]).see(&words);
    assert_hidden(&reports[0], 0, "root");
    assert!(gap_words(&reports[0]).contains("are hidden"), "{reports:#?}");
    assert_held(&reports[1], CauseKind::Listener, &[mine.pid()]);
    assert_eq!(holds_of(&reports[1], mine.inode()), descriptors(mine.pid(), mine.inode()));
}
