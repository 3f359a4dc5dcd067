//! Other network namespaces, other PID namespaces, the kernel as holder, and addresses of elsewhere.

use super::*;

const ALL: LookOptions = LookOptions {
    all_namespaces: true,
    every_state: false,
    show_secrets: false,
    ancestors: false,
    before_acting: false,
    learn: proc_core::learn::Learn::Nothing,
    mine: false,
};

#[test]
fn a_port_of_another_namespace_is_free_here_and_named_there() {
    if !root_or_skip() {
        return;
    }
    let port = quiet_port();
    let actor = play(&["hold-netns", "--port", &port.to_string()]);
    let word = tcp(&actor);
    let report = see_with(&word, &ALL);
    assert_eq!(report.verdict, Some(Verdict::Free), "{report:#?}");
    assert!(report.bind.iter().all(|row| row.plain == "ok"), "{report:#?}");
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::OtherNamespace, true), "{report:#?}");
    assert_eq!(cause.pids, [actor.pid()]);
    assert!(cause.explain.contains("that does not stop a bind here"), "{cause:?}");
    let link = std::fs::read_link(format!("/proc/{}/ns/net", actor.pid())).unwrap();
    assert_eq!(report.sockets[0].netns.as_deref(), link.to_str());
    assert_eq!(holds_of(&report, actor.inode()), descriptors(actor.pid(), actor.inode()));

    // Unasked, only where looking costs next to nothing; then it is the same answer.
    let report = see(&word);
    assert_eq!(report.verdict, Some(Verdict::Free), "{report:#?}");
    for cause in &report.causes {
        assert_eq!((cause.kind, &cause.pids[..]), (CauseKind::OtherNamespace, &[actor.pid()][..]));
    }
    // Held here and there: here comes first, and only here counts.
    let here = play(&["listen", "--port", &port.to_string()]);
    assert_held(&see(&word), CauseKind::Listener, &[here.pid()]);
    let report = see_with(&word, &ALL);
    let kinds: Vec<CauseKind> = report.causes.iter().map(|cause| cause.kind).collect();
    assert_eq!(kinds, [CauseKind::Listener, CauseKind::OtherNamespace]);
    assert_eq!(report.causes[0].pids, [here.pid()]);

    // UDP alike.
    let port = quiet_port().to_string();
    let actor = play(&["hold-netns", "--udp", "--port", &port]);
    let report = see_with(&udp(&actor), &ALL);
    assert_eq!(report.verdict, Some(Verdict::Free));
    assert_eq!(only(&report).pids, [actor.pid()], "{report:#?}");
}

#[test]
fn an_ordinary_user_is_told_that_namespaces_were_not_looked_into() {
    if !root_or_skip() {
        return;
    }
    let port = quiet_port().to_string();
    let actor = play(&["hold-netns", "--port", &port]);
    let report = Confined::as_user(&[]).env("PROC_LIVE_ALL_NAMESPACES", "1").see_one(&tcp(&actor));
    assert_eq!(report.verdict, Some(Verdict::Free), "{report:#?}");
    let gap = report.gaps.iter().find(|gap| gap.what.contains("network namespace"));
    let gap = gap.unwrap_or_else(|| panic!("no gap: {report:#?}"));
    assert!(gap.cure.as_ref().unwrap().contains("sudo"), "{gap:?}");

    // One's own process in another network shows its table.
    let actor = actor_of_user(&["hold-netns", "--port", &port]);
    let report = Confined::as_user(&[]).env("PROC_LIVE_ALL_NAMESPACES", "1").see_one(&tcp(&actor));
    let cause = cause(&report, CauseKind::OtherNamespace);
    assert_eq!(cause.pids, [actor.pid()], "{report:#?}");
}

#[test]
fn from_inside_a_namespace_only_its_own_ports_count() {
    if !root_or_skip() {
        return;
    }
    let outside = play(&["listen"]);
    let inside = play(&["hold-netns", "--port", &outside.port().to_string()]);
    let there = [Limit::NetworkOf(inside.pid())];
    assert_held(
        &Confined::new(&there).see_one(&tcp(&inside)),
        CauseKind::Listener,
        &[inside.pid()],
    );
    assert_held(&see(&tcp(&outside)), CauseKind::Listener, &[outside.pid()]);
}

#[test]
fn from_another_pid_namespace_the_holder_is_hidden_and_not_the_kernel() {
    if !root_or_skip() {
        return;
    }
    // As from a container on the host's network.
    let actor = play(&["listen"]);
    let report = Confined::new(&[Limit::OwnPids]).see_one(&tcp(&actor));
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    let cause = only(&report);
    assert_eq!(cause.kind, CauseKind::HiddenHolder, "{report:#?}");
    assert!(report.sockets[0].hidden && !report.sockets[0].kernel);
    let gap = report.gaps.iter().find(|gap| gap.what.contains("outer PID namespace"));
    let gap = gap.unwrap_or_else(|| panic!("no gap: {report:#?}"));
    assert!(gap.cure.as_ref().unwrap().contains("host"), "{gap:?}");
}

#[test]
fn a_socket_of_the_kernel_is_the_kernel_s() {
    if !root_or_skip() {
        return;
    }
    let script =
        "ip link add vx0 type vxlan id 42 dstport 4789 local 127.0.0.1 && ip link set vx0 up";
    let mut try_out = Command::new("sh");
    try_out.args(["-c", &format!("unshare -n sh -c '{script}'")]);
    if !start(|| try_out.output()).unwrap().status.success() {
        return skip("no VXLAN device can be made here (ip(8), the kernel's vxlan module)");
    }
    let _queues = QUEUES.read().unwrap_or_else(PoisonError::into_inner);
    let world = Confined::new(&[Limit::OwnNetwork]).env("PROC_LIVE_BEFORE", script);
    let report = world.see_one("udp:4789");
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    let cause = only(&report);
    assert!(cause.pids.is_empty() && report.processes.is_empty());
    if !root_reads_every_process() {
        // A process that even root may not read (a security module's) could be the holder.
        assert_eq!(cause.kind, CauseKind::HiddenHolder, "{report:#?}");
        assert!(gap_words(&report).contains("could not be read"), "{report:#?}");
        return;
    }
    assert_eq!((cause.kind, cause.certain), (CauseKind::Kernel, true), "{report:#?}");
    assert!(cause.explain.contains("VXLAN"), "{cause:?}");
    assert!(report.sockets[0].kernel && !report.sockets[0].hidden, "{report:#?}");
}

#[test]
fn a_port_whose_kernel_socket_an_ordinary_user_asks_about_is_hidden() {
    if !root_or_skip() {
        return;
    }
    let script =
        "ip link add vx0 type vxlan id 42 dstport 4789 local 127.0.0.1 && ip link set vx0 up";
    let holder = play(&["hold-netns"]);
    let inside = [Limit::NetworkOf(holder.pid())];
    let set_up = Confined::new(&inside).env("PROC_LIVE_BEFORE", script);
    if set_up.try_see("udp:4789").is_none() {
        return skip("no VXLAN device can be made here (ip(8), the kernel's vxlan module)");
    }
    let report = Confined::as_user(&inside).see_one("udp:4789");
    let cause = only(&report);
    assert_eq!(cause.kind, CauseKind::HiddenHolder, "{report:#?}");
    assert_eq!(report.sockets[0].uid, Some(0));
}

#[test]
fn an_address_of_another_machine_lists_the_own_ones() {
    let report = see("tcp://192.0.2.9:8080");
    assert_eq!(report.verdict, Some(Verdict::Denied), "{report:#?}");
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::NotLocal, true), "{report:#?}");
    assert!(cause.explain.contains("192.0.2.9 is not an address of this machine"), "{cause:?}");
    assert_eq!(report.bind[0].plain, "EADDRNOTAVAIL");
    let listed = start(|| Command::new("hostname").arg("-I").output());
    let mut own = vec!["127.0.0.1".to_owned()];
    if let Ok(listed) = listed {
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        own.extend(text.split_whitespace().map(str::to_owned));
    }
    for address in own {
        assert!(cause.explain.contains(&address), "no {address} in {cause:?}");
    }
    assert_eq!(cause.remedies[0].action, proc_core::remedy::Action::UseAnother);
}

/// Whether every process lets root read its descriptors.
fn root_reads_every_process() -> bool {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).all(|entry| {
        let fds = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        fds.take(1).all(|fd| match std::fs::read_link(fd.path()) {
            Ok(_) => true,
            // Those that have just ended refuse, too.
            Err(error) => {
                error.kind() != std::io::ErrorKind::PermissionDenied || !entry.path().exists()
            }
        })
    })
}
