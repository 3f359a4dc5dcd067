//! Unix sockets: by path, by a path relative to where one stands, abstract, and the file that stays.

use std::path::PathBuf;

use proc_core::remedy::Action;

use super::*;

/// A directory that every user may use, gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("proc-live-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn assert_served(report: &TargetReport, actor: &Actor, local: &str) {
    assert_held(report, CauseKind::UnixSocket, &[actor.pid()]);
    let socket = socket_of(report, actor.inode());
    assert_eq!((socket.protocol, socket.local.as_str()), (Protocol::Unix, local), "{report:#?}");
    assert!(holds_of(report, actor.inode()).iter().all(|(pid, _)| *pid == actor.pid()));
    assert!(!socket.hidden && socket.exposure.is_none());
    let stop = &report.causes[0].remedies[0];
    assert_eq!(stop.action, Action::StopProcess);
}

#[test]
fn a_path_is_found_by_the_file_it_leads_to() {
    let scratch = Scratch::new("path");
    let path = scratch.path("app.sock");
    let actor = play(&["unix", &path]);
    assert_served(&see(&path), &actor, &path);
    assert_served(&see(&format!("unix:{path}")), &actor, &path);
    // Another way to the same file.
    let link = scratch.path("link.sock");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_served(&see(&link), &actor, &path);
    // Relative to where the asker stands.
    for word in ["./app.sock", "unix:app.sock"] {
        let report = Confined::new(&[]).directory(&scratch.0).see_one(word);
        assert_served(&report, &actor, &path);
    }
    // A datagram socket has no listeners.
    let path = scratch.path("datagram.sock");
    let actor = play(&["unix", &path, "--udp"]);
    assert_served(&see(&path), &actor, &path);
}

#[test]
fn a_server_that_bound_a_relative_path_is_found_by_the_whole_one() {
    let scratch = Scratch::new("relative");
    let mut command = Command::new(proc_testkit::actor_path());
    command.args(["unix", "app.sock"]).current_dir(&scratch.0);
    let actor = spawn_command(command);
    assert_served(&see(&scratch.path("app.sock")), &actor, "app.sock");
}

#[test]
fn an_abstract_name() {
    let name = format!("@proc-live-{}", std::process::id());
    let actor = play(&["unix", &name]);
    assert_served(&see(&format!("unix:{name}")), &actor, &name);
    let report = see(&format!("unix:{name}-not"));
    assert_eq!((report.verdict, report.causes.len()), (None, 0), "{report:#?}");
    assert!(report.explain.unwrap().contains("no unix socket"));
}

#[test]
fn a_file_that_nobody_serves_is_stale() {
    let scratch = Scratch::new("stale");
    let path = scratch.path("old.sock");
    let actor = play(&["stale-unix", &path]);
    assert!(actor.wait_exit(SOON));
    let report = see(&path);
    assert_eq!(report.verdict, Some(Verdict::Lingering), "{report:#?}");
    let cause = only(&report);
    assert_eq!((cause.kind, cause.certain), (CauseKind::StaleUnixSocket, true));
    assert!(cause.pids.is_empty() && report.sockets.is_empty());
    assert_eq!(cause.remedies[0].action, Action::RemoveFile);
    assert_eq!(cause.remedies[0].argv, Some(vec!["rm".to_owned(), path.clone()]));
    // Served again, at once: no longer stale.
    std::fs::remove_file(&path).unwrap();
    let actor = play(&["unix", &path]);
    assert_served(&see(&path), &actor, &path);
}

#[test]
fn no_socket_of_that_path() {
    let report = see("unix:/nowhere/at/all.sock");
    assert_eq!((report.verdict, report.causes.len()), (None, 0), "{report:#?}");
    assert!(report.explain.is_some());
}

#[test]
fn an_ordinary_user_sees_their_own_and_not_who_serves_others() {
    let scratch = Scratch::new("users");
    let mine = scratch.path("mine.sock");
    let actor = actor_of_user(&["unix", &mine]);
    assert_served(&Confined::as_user(&[]).see_one(&mine), &actor, &mine);
    assert_served(&Confined::as_user(&[Limit::NoNetlink]).see_one(&mine), &actor, &mine);
    if !root_or_skip() {
        return;
    }
    let theirs = scratch.path("theirs.sock");
    let _actor = play(&["unix", &theirs]);
    let report = Confined::as_user(&[]).see_one(&theirs);
    assert_eq!(report.verdict, Some(Verdict::Held), "{report:#?}");
    assert!(only(&report).pids.is_empty() && report.sockets[0].hidden, "{report:#?}");
    assert!(only(&report).explain.contains("may not see"), "{report:#?}");
    let remedy = &only(&report).remedies[0];
    assert_eq!((remedy.action, remedy.needs_root), (Action::LookAsRoot, true), "{report:#?}");
}
