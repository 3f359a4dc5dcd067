//! Whole runs of `freeze`, `thaw`, `unstick`, `reload`, `kill --tree` and `--signal`: outcomes, exit
//! codes, consent, and what a person reads.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use live::*;
use proc_core::report::{Outcome, RefusalReason};

fn stands(pid: u32) -> bool {
    procfs::state(pid) == Some('T')
}

#[test]
fn each_deed_has_its_outcome_and_code() {
    let actor = orphan(&["listen"]);
    let (port, pid) = (actor.port(), actor.pid());
    let planned = run(&format!("freeze --json --dry-run :{port}")).ended(0, Outcome::Planned);
    assert_eq!(planned.plan[0].step, "freeze");
    for verb in ["freeze", "kill --signal USR1"] {
        run(&format!("{verb} --json :{port}")).ended(4, Outcome::Declined);
    }
    assert!(!stands(pid));
    run(&format!("freeze --json -y :{port}")).ended(0, Outcome::Frozen);
    assert!(stands(pid));
    run(&format!("unstick --json -y pid:{pid}")).ended(0, Outcome::Unstuck);
    assert!(!stands(pid));
    run(&format!("unstick --json pid:{pid}")).ended(0, Outcome::NotStuck);
    run(&format!("freeze --json -y pid:{pid}")).ended(0, Outcome::Frozen);
    run(&format!("thaw --json -y :{port}")).ended(0, Outcome::Thawed);
    run(&format!("thaw --json :{port}")).ended(0, Outcome::Thawed);
    let refused = run(&format!("reload --json -y :{port}")).ended(4, Outcome::Refused);
    assert_eq!(refused.refusal.unwrap().reason, RefusalReason::WouldEnd);
    run("freeze --json -y pid:4194303").ended(1, Outcome::NotFound);
    run("freeze --json -y pid:1").ended(4, Outcome::Refused);
    // Sent, and nothing is waited for: it has no handler and ends by it.
    let sent = run(&format!("stop --json -y --signal RTMIN+1 :{port}")).ended(0, Outcome::Sent);
    assert!(sent.explain.unwrap().contains("SIGRTMIN+1"));
    assert!(ends(pid));
}

#[test]
fn a_person_reads_who_is_hit_and_what_the_kernel_shows() {
    let actor = orphan(&["inherit", "--keep-parent"]);
    let target = format!("pid:{}", actor.pid());
    let child = actor.children()[0];
    let ran = run(&format!("kill --tree --dry-run {target}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains(&format!("end actor (pid {child}) of its tree")), "{ran:?}");
    let ran = run(&format!("freeze -y --tree {target}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("2 processes are frozen (state T)"), "{ran:?}");
    assert!(stands(actor.pid()) && stands(child));
    let ran = run(&format!("kill -y --tree {target}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("2 processes have ended"), "{ran:?}");
    assert!(ran.out.contains(&format!("tcp:{}, which it served, can be bound", actor.port())));
    assert!(ends(actor.pid()) && ends(child));
}

#[test]
fn another_user_s_process_is_not_permitted_with_the_command_that_would_be() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let actor = orphan(&["listen"]);
    let public = Public::new("deeds");
    for verb in ["freeze", "thaw", "unstick", "reload", "kill --tree", "kill --signal HUP"] {
        let ran = public.run(&format!("{verb} -y pid:{}", actor.pid()));
        assert_eq!(ran.code, 3, "{verb} {ran:?}");
        let verb = verb.split(' ').next().unwrap();
        assert!(ran.out.contains(&format!("sudo proc {verb}")), "{ran:?}");
    }
    assert!(lives(actor.pid()) && !stands(actor.pid()));
}
