//! Looking where the machine refuses: no netlink, no `/proc`, no descriptors left, root without rights.

use super::*;

#[test]
fn without_netlink_proc_net_answers_and_says_so() {
    let actors = [
        actor_of_user(&["listen", "--addr", "0.0.0.0"]),
        actor_of_user(&["listen", "--addr", "::1"]),
        actor_of_user(&["outgoing"]),
        actor_of_user(&["mptcp"]),
    ];
    let bound = actor_of_user(&["bound"]);
    let udp_actor = actor_of_user(&["udp"]);
    let remains = play(&["time-wait"]);
    assert!(remains.wait_exit(SOON));
    let words: Vec<String> =
        actors.iter().map(tcp).chain([tcp(&bound), udp(&udp_actor), tcp(&remains)]).collect();
    let worlds = [Confined::new(&[Limit::NoNetlink]), Confined::as_user(&[Limit::NoNetlink])];
    for world in worlds {
        let reports = world.see(&words);
        for (report, actor) in reports.iter().zip(&actors) {
            assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
            assert_eq!(only(report).pids, [actor.pid()], "{report:#?}");
            let holds = holds_of(report, actor.inode());
            assert_eq!(holds, descriptors(actor.pid(), actor.inode()), "{report:#?}");
            assert_eq!(socket_of(report, actor.inode()).uid, Some(user()), "{report:#?}");
        }
        let kinds: Vec<CauseKind> = reports.iter().map(|report| only(report).kind).collect();
        assert_eq!(
            kinds,
            [
                CauseKind::Listener,
                CauseKind::Listener,
                CauseKind::OutgoingConnection,
                CauseKind::Listener,
                CauseKind::BoundNotListening,
                CauseKind::UdpSocket,
                CauseKind::TimeWait,
            ]
        );
        // Its table has no bound sockets: each process was asked for its own.
        assert_held(&reports[4], CauseKind::BoundNotListening, &[bound.pid()]);
        assert_held(&reports[5], CauseKind::UdpSocket, &[udp_actor.pid()]);
        assert_eq!(reports[6].verdict, Some(Verdict::Lingering), "{reports:#?}");
        assert!(only(&reports[6]).expires_ms.is_some_and(|ms| ms <= 60_000));
        for report in &reports {
            let gaps = gap_words(report);
            assert!(gaps.contains("/proc/net answered instead"), "{gaps}");
            assert!(gaps.contains("EPERM"), "{gaps}");
            assert!(gaps.contains("bound without listening"), "{gaps}");
        }
    }
}

#[test]
fn without_netlink_another_user_s_holder_is_still_hidden() {
    if !root_or_skip() {
        return;
    }
    let actor = play(&["listen"]);
    let report = Confined::as_user(&[Limit::NoNetlink]).see_one(&tcp(&actor));
    assert_eq!(only(&report).kind, CauseKind::HiddenHolder, "{report:#?}");
    assert_eq!((report.sockets[0].uid, report.sockets[0].hidden), (Some(0), true));
    // A socket that no table shows and no process admits to is not explained away.
    let actor = play(&["bound"]);
    let report = Confined::as_user(&[Limit::NoNetlink]).see_one(&tcp(&actor));
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::Unexplained, false), "{report:#?}");
    assert_eq!(cause.remedies[0].argv.as_ref().unwrap()[0], "sudo");
}

#[test]
fn without_proc_the_kernel_s_word_still_counts() {
    if !root_or_skip() {
        return;
    }
    let (listener, bound) = (play(&["listen"]), play(&["bound"]));
    let free = format!("tcp:{}", quiet_port());
    let words = [tcp(&listener), tcp(&bound), free];
    for user in [false, true] {
        let limits = [Limit::NoProc];
        let world = if user { Confined::as_user(&limits) } else { Confined::new(&limits) };
        let reports = world.see(&words);
        for report in &reports[..2] {
            assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
            let cause = only(report);
            assert_eq!(cause.kind, CauseKind::HiddenHolder, "{report:#?}");
            assert!(cause.pids.is_empty());
            assert_eq!((report.sockets[0].uid, report.sockets[0].hidden), (Some(0), true));
            assert!(gap_words(report).contains("/proc is not mounted"), "{report:#?}");
        }
        assert_eq!(reports[2].verdict, Some(Verdict::Free), "{reports:#?}");
    }
    // Without both there is nothing but the bind itself.
    let report = Confined::new(&[Limit::NoProc, Limit::NoNetlink]).see_one(&tcp(&listener));
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    assert_eq!(only(&report).kind, CauseKind::Unexplained, "{report:#?}");
    let gaps = gap_words(&report);
    assert!(gaps.contains("/proc is not mounted") && gaps.contains("could not be read"), "{gaps}");
    assert!(!gaps.contains("answered instead"), "nothing did: {gaps}");
}

#[test]
fn few_descriptors_are_enough() {
    let actors =
        [&["listen"][..], &["bound"], &["workers", "3"], &["thread-table"]].map(actor_of_user);
    let words: Vec<String> = actors.iter().map(tcp).collect();
    for files in [8, 6] {
        let reports = Confined::as_user(&[Limit::Files(files)]).see(&words);
        for (report, actor) in reports.iter().zip(&actors) {
            assert_eq!(report.verdict, Some(Verdict::Held), "{files}: {report:#?}");
            assert_eq!(only(report).pids[0], actor.pid(), "{files}: {report:#?}");
            assert!(!gap_words(report).contains("open files"), "{files}: {report:#?}");
        }
    }
}

#[test]
fn too_few_descriptors_are_said_to_be() {
    let actor = actor_of_user(&["listen"]);
    for files in [4, 5] {
        let report = Confined::as_user(&[Limit::Files(files)]).see_one(&tcp(&actor));
        assert_eq!(report.verdict, Some(Verdict::Held), "{files}: {report:#?}");
        assert!(gap_words(&report).contains("open files"), "{files}: {report:#?}");
        // Five are enough to find who it is, not to read more about it.
        let pids: &[u32] = if files == 5 { &[actor.pid()] } else { &[] };
        assert_eq!(only(&report).pids, pids, "{files}: {report:#?}");
    }
}

#[test]
fn root_without_ptrace_is_told_that_it_was_not_shown_everything() {
    if !root_or_skip() {
        return;
    }
    let (root, user_actor) = (play(&["listen"]), actor_of_user(&["listen"]));
    let words = [tcp(&root), tcp(&user_actor)];
    let reports = Confined::new(&[Limit::NoPtrace]).see(&words);
    // Processes with more capabilities than this one are closed to it, those of users too.
    for (report, uid) in reports.iter().zip([0, user()]) {
        assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
        assert_eq!(only(report).kind, CauseKind::HiddenHolder, "{report:#?}");
        assert_eq!((report.sockets[0].uid, report.sockets[0].hidden), (Some(uid), true));
        let gap = report.gaps.iter().find(|gap| gap.what.contains("could not be read"));
        let gap = gap.unwrap_or_else(|| panic!("no gap: {report:#?}"));
        assert!(gap.cure.as_ref().unwrap().contains("CAP_SYS_PTRACE"), "{gap:?}");
    }
}

#[test]
fn without_netlink_a_process_has_its_own_sockets_and_no_others() {
    let (actor, _other) = (actor_of_user(&["two-ports"]), actor_of_user(&["listen"]));
    let report = Confined::as_user(&[Limit::NoNetlink]).see_one(&format!("pid:{}", actor.pid()));
    let inodes: BTreeSet<u64> = report.sockets.iter().filter_map(|socket| socket.inode).collect();
    assert_eq!(inodes, [actor.inode(), actor.number("second_inode")].into(), "{report:#?}");
    assert!(gap_words(&report).contains("/proc/net answered instead"), "{report:#?}");
}
