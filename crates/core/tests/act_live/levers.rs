//! Containers and units: stopped by whoever runs them, through fake commands early in PATH, with
//! actors in control groups of their own.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const HIERARCHIES: [&str; 3] =
    ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// A control group, removed with the test, and a directory of fake commands.
pub struct Stage {
    group: PathBuf,
    bin: PathBuf,
}

impl Stage {
    /// `None` where no group can be made that `/proc/PID/cgroup` shows.
    pub fn new(group: &str, test: &str) -> Option<Self> {
        let root =
            HIERARCHIES.iter().map(Path::new).find(|root| root.join("cgroup.procs").exists())?;
        let group = root.join(group);
        fs::create_dir(&group).ok()?;
        let bin = std::env::temp_dir().join(format!("act-{test}-{}", std::process::id()));
        fs::create_dir_all(&bin).unwrap();
        Some(Self { group, bin })
    }

    pub fn add(&self, pid: u32) {
        fs::write(self.group.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// A command that writes its arguments down, runs `script` and nothing else.
    pub fn command(&self, name: &str, script: &str) {
        let path = self.bin.join(name);
        let log = self.log();
        fs::write(&path, format!("#!/bin/sh\necho \"$0 $*\" >>{}\n{script}\n", log.display()))
            .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
    }

    /// A copy of that program under that name.
    pub fn copy(&self, program: impl AsRef<Path>, name: &str) -> PathBuf {
        let path = self.bin.join(name);
        fs::copy(program, &path).unwrap();
        // The copy may still be open for writing in a child that another test is forking.
        assert!(wait_until(SOON, || Command::new(&path).output().is_ok()));
        path
    }

    fn log(&self) -> PathBuf {
        self.bin.join("log")
    }

    /// What was run, without the directory.
    pub fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let name = format!("{}/", self.bin.display());
        text.lines().map(|line| line.replace(&name, "")).collect()
    }

    #[track_caller]
    pub fn act(&self, ask: &Ask, target: &str) -> TargetReport {
        let mut command = inner(Command::new("/proc/self/exe"), ask, target);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()));
        reports_of(command).remove(0)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A group goes once its last process has been reaped.
        wait_until(SOON, || fs::remove_dir(&self.group).is_ok());
        let _ = fs::remove_dir_all(&self.bin);
    }
}

#[test]
fn a_container_is_stopped_by_its_engine() {
    let id = format!("{:064x}", std::process::id());
    let Some(stage) = Stage::new(&format!("docker-{id}.scope"), "docker") else {
        return proc_testkit::skip("no control group can be made here");
    };
    let actor = orphan(&["listen", "--term", "exit-after:50"]);
    stage.add(actor.pid());
    stage.command("docker", &format!("kill -TERM {}\nsleep 0.2", actor.pid()));
    let report = stage.act(&FREE, &tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(stage.ran(), [format!("docker stop {}", &id[..12])]);
    assert_untouched(&report);
    assert!(kinds(&report).contains(&"ran") && ends(actor.pid()) && binds(actor.port()));
}

#[test]
fn a_unit_is_stopped_by_its_manager_and_kill_signals_alone() {
    let unit = format!("proc-act-{}.service", std::process::id());
    let Some(stage) = Stage::new(&unit, "unit") else {
        return proc_testkit::skip("no control group can be made here");
    };
    let actor = orphan(&["listen"]);
    stage.add(actor.pid());
    // A manager that refuses: nothing else is tried.
    stage.command("systemctl", "echo Access denied >&2; exit 1");
    let report = stage.act(&FREE, &tcp(&actor));
    assert_outcome(&report, Outcome::StillHeld);
    assert_says(&report, "Access denied");
    assert_untouched(&report);
    assert!(lives(actor.pid()));
    // One that starts something which keeps its stderr open does not keep us.
    stage.command("systemctl", &format!("sleep 60 &\nkill -TERM {}", actor.pid()));
    let (report, took) = took(|| stage.act(&FREE, &tcp(&actor)));
    assert!(took < Duration::from_secs(40), "{took:?}");
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(stage.ran(), vec![format!("systemctl stop {unit}"); 2]);
    assert!(ends(actor.pid()));

    let actor = orphan(&["listen"]);
    stage.add(actor.pid());
    let report = stage.act(&KILL, &tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid()]);
    assert_eq!(stage.ran().len(), 2, "kill uses no lever");
    assert_says(&report, &format!("systemctl stop {unit}"));
}

/// An actor that runs as that user.
#[track_caller]
fn of_user(uid: u32, args: &[&str]) -> Actor {
    let mut command = run_as(uid, proc_testkit::actor_path());
    command.args(["--orphan"]).args(args);
    Actor::spawn_command(command)
}

#[test]
fn sudo_is_advised_where_rights_are_what_is_lacking() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("only root starts something as another user");
    }
    let unit = format!("proc-rights-{}.service", std::process::id());
    let Some(stage) = Stage::new(&unit, "rights") else {
        return proc_testkit::skip("no control group can be made here");
    };
    let actor = of_user(unprivileged_uid(), &["listen"]);
    stage.add(actor.pid());
    let act = || {
        let command = run_as(unprivileged_uid(), "/proc/self/exe");
        let mut command = inner(command, &FREE, &tcp(&actor));
        command.env("PATH", format!("{}:/nowhere", stage.bin.display()));
        reports_of(command).remove(0)
    };
    let sudo = format!("; try: sudo systemctl stop {unit}");
    let says_sudo = |report: &TargetReport| report.explain.as_ref().unwrap().contains(&sudo);
    let report = act();
    assert_outcome(&report, Outcome::StillHeld);
    assert_says(&report, "there is no program systemctl here");
    assert!(!says_sudo(&report), "{report:#?}");
    fs::write(stage.log(), "").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(stage.log(), mode).unwrap();
    for (words, rights) in [
        ("Failed to stop web.service: Interactive authentication required.", true),
        ("Failed to stop web.service: Access denied", true),
        ("Failed to connect to bus: No such file or directory", false),
        ("Job for web.service failed.", false),
    ] {
        stage.command("systemctl", &format!("echo '{words}' >&2; exit 1"));
        let report = act();
        let outcome = if rights { Outcome::Denied } else { Outcome::StillHeld };
        assert_outcome(&report, outcome);
        assert_says(&report, words);
        assert_eq!(says_sudo(&report), rights, "{report:#?}");
        assert_untouched(&report);
    }
    assert!(lives(actor.pid()));
}

#[test]
fn a_job_deep_inside_a_unit_is_not_the_unit() {
    let unit = format!("proc-cron-{}.service", std::process::id());
    let Some(stage) = Stage::new(&unit, "job") else {
        return proc_testkit::skip("no control group can be made here");
    };
    stage.command("systemctl", "exit 0");
    let actor = orphan(&["supervise", "--delay", "60000", "--", "listen"]);
    let job = actor.number::<u32>("child");
    stage.add(actor.pid());
    stage.add(job);
    let report = stage.act(&FREE, &tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [job]);
    assert!(stage.ran().is_empty() && lives(actor.pid()) && ends(job));
}

#[test]
fn a_door_s_unit_is_a_door() {
    let unit = format!("proc-door-{}.service", std::process::id());
    let Some(stage) = Stage::new(&unit, "unit-door") else {
        return proc_testkit::skip("no control group can be made here");
    };
    fs::copy(proc_testkit::actor_path(), stage.bin.join("dockerd")).unwrap();
    stage.command("systemctl", "exit 0");
    assert!(wait_until(SOON, || Command::new(stage.bin.join("dockerd")).output().is_ok()));
    let mut command = Command::new(stage.bin.join("dockerd"));
    command.args(["listen", "--orphan"]);
    let actor = Actor::spawn_command(command);
    stage.add(actor.pid());
    let report = stage.act(&FREE, &tcp(&actor));
    assert_outcome(&report, Outcome::Refused);
    assert!(stage.ran().is_empty() && lives(actor.pid()));
    stage.command("systemctl", &format!("kill -TERM {}", actor.pid()));
    assert_outcome(&stage.act(&FREE.forced(), &tcp(&actor)), Outcome::Freed);
    assert_eq!(stage.ran().len(), 1);
}
