//! Holders that no scan of `/proc/PID/fd` shows, as root and as the ordinary user they belong to.

use super::*;

/// Both looks at one actor: from here, and as its own user where that is another.
#[track_caller]
fn looks(role: &str) -> (Actor, Vec<TargetReport>) {
    let actor = actor_of_user(&[role]);
    let word = tcp(&actor);
    let mut reports = vec![see(&word)];
    if is_root() {
        reports.push(Confined::as_user(&[]).see_one(&word));
    }
    (actor, reports)
}

#[track_caller]
fn assert_by(report: &TargetReport, actor: &Actor, by: HeldBy) {
    assert_held(report, CauseKind::Listener, &[actor.pid()]);
    assert_eq!(holds_of(report, actor.inode()), [(actor.pid(), by)], "{report:#?}");
    assert!(!report.sockets[0].hidden && !report.sockets[0].kernel);
}

/// The descriptor of a thread that is the socket.
fn thread_hold(actor: &Actor) -> HeldBy {
    let tid = actor.number("tid");
    let directory = format!("/proc/{}/task/{tid}/fd", actor.pid());
    let fds = proc_testkit::procfs::descriptors(&directory, actor.inode());
    HeldBy::ThreadDescriptor { tid, fd: fds[0].cast_signed() }
}

#[test]
fn a_thread_with_a_table_of_its_own() {
    let (actor, reports) = looks("thread-table");
    for report in reports {
        assert_by(&report, &actor, thread_hold(&actor));
        assert!(report.causes[0].explain.contains("thread"), "{report:#?}");
    }
}

#[test]
fn a_process_whose_main_thread_has_ended() {
    let (actor, reports) = looks("dead-leader");
    for report in reports {
        assert_by(&report, &actor, thread_hold(&actor));
        assert_eq!(report.processes[0].state, ProcessState::LeaderExited);
        assert!(report.causes[0].explain.contains("its main thread has ended"), "{report:#?}");
    }
}

#[test]
fn a_file_registered_with_io_uring() {
    let off = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    if off.map_or(true, |off| off.trim() != "0") {
        return skip("io_uring is switched off");
    }
    let (actor, reports) = looks("io-uring");
    for report in reports {
        assert_by(&report, &actor, HeldBy::IoUring(actor.number("ring")));
        assert!(report.causes[0].explain.contains("io_uring"), "{report:#?}");
    }
}

#[test]
fn a_socket_mapped_into_memory() {
    let (actor, reports) = looks("mmap");
    for report in reports {
        assert_by(&report, &actor, HeldBy::Mapping);
        assert!(report.causes[0].explain.contains("mapped"), "{report:#?}");
    }
}

#[test]
fn a_descriptor_in_a_message_nobody_has_received() {
    let _queues = QUEUES.write().unwrap_or_else(PoisonError::into_inner);
    let (actor, reports) = looks("in-flight");
    for report in reports {
        assert_eq!(report.verdict, Some(Verdict::Held));
        let cause = only(&report);
        assert_eq!((cause.kind, cause.certain), (CauseKind::InFlight, false), "{report:#?}");
        assert_eq!(cause.pids, [actor.pid()], "{report:#?}");
        let by = HeldBy::InFlight(actor.number("receiver"));
        assert_eq!(holds_of(&report, actor.inode()), [(actor.pid(), by)], "{report:#?}");
    }
}
