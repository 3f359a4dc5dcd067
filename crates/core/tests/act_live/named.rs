//! `free` on processes that were named: by whoever runs them, as for the ports that they hold, so
//! that they stay ended; and by a signal alone where nobody would start them again.

use super::levers::Stage;
use super::processes::Family;
use super::runners::{Bin, LOOP, POOL, Service, database, shell, some_port};
use super::*;

/// Long enough for a machine that does much else.
const LONG: Duration = Duration::from_secs(30);

fn patient(ask: &Ask) -> Ask {
    ask.clone().within(LONG)
}

fn pid(number: u32) -> String {
    format!("pid:{number}")
}

/// The id of a container that nobody else has, also by its first twelve digits.
fn container(digit: char) -> String {
    format!("{digit}{:010x}{:053x}", std::process::id(), 1)
}

#[test]
fn a_container_is_stopped_by_its_engine_and_all_of_it_is_waited_for() {
    let id = container('a');
    let Some(stage) = Stage::new(&format!("docker-{id}.scope"), "named-docker") else {
        return proc_testkit::skip("no control group can be made here");
    };
    let actor = orphan(&["supervise", "--delay", "60000", "--", "listen"]);
    let child = actor.number::<u32>("child");
    let both = [actor.pid(), child];
    both.iter().for_each(|&pid| stage.add(pid));
    // The engine is done before the processes are.
    stage.command("docker", &format!("(sleep 0.3; kill -KILL {} {child}) &", actor.pid()));
    let report = stage.act(&patient(&FREE), &format!("container:{}", &id[..12]));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(stage.ran(), [format!("docker stop {}", &id[..12])]);
    assert_untouched(&report);
    let mut ended = done_to(&report, "exited");
    ended.sort_unstable();
    assert_eq!(ended, both, "{report:#?}");
    assert!(report.plan[0].argv.is_some() && report.plan.len() == 1, "{report:#?}");
    assert_says(&report, "2 processes have ended");
    assert!(both.iter().all(|&pid| ends(pid)) && binds(actor.port()));
}

#[test]
fn a_unit_is_stopped_by_its_manager_and_kill_names_that() {
    let unit = format!("proc-named-{}.service", std::process::id());
    let Some(stage) = Stage::new(&unit, "named-unit") else {
        return proc_testkit::skip("no control group can be made here");
    };
    let actor = orphan(&["listen"]);
    stage.add(actor.pid());
    stage.command("systemctl", "exit 0");
    // By its unit, its number, its file: what it is called makes no difference.
    let idle = stage.act(&patient(&FREE), &pid(actor.pid()));
    assert_outcome(&idle, Outcome::StillHeld);
    assert_says(&idle, &format!("systemctl stop {unit} did not end it: actor"));
    assert_says(&idle, "proc free --only-signal");
    assert_untouched(&idle);
    assert!(lives(actor.pid()));
    stage.command("systemctl", &format!("kill -TERM {}", actor.pid()));
    let report = stage.act(&patient(&FREE), &format!("unit:{unit}"));
    assert_outcome(&report, Outcome::Freed);
    assert_untouched(&report);
    assert_says(&report, &format!("tcp:{}, which it served, can be bound", actor.port()));
    assert!(ends(actor.pid()));
    let stops = || stage.ran().iter().filter(|line| line.contains(" stop ")).count();
    assert_eq!(stops(), 2, "{:?}", stage.ran());

    let actor = orphan(&["listen"]);
    stage.add(actor.pid());
    let report = stage.act(&patient(&KILL), &pid(actor.pid()));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid()]);
    assert_eq!(stops(), 2, "kill uses no lever");
    assert_says(&report, &format!("systemctl stop {unit}"));
}

#[test]
fn a_process_deep_inside_a_unit_is_only_signalled() {
    let unit = format!("proc-deep-{}.service", std::process::id());
    let Some(stage) = Stage::new(&unit, "named-deep") else {
        return proc_testkit::skip("no control group can be made here");
    };
    stage.command("systemctl", "exit 1");
    let actor = orphan(&["supervise", "--delay", "60000", "--", "listen"]);
    let job = actor.number::<u32>("child");
    stage.add(actor.pid());
    stage.add(job);
    let report = stage.act(&patient(&FREE), &pid(job));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [job]);
    assert!(stage.ran().iter().all(|line| !line.contains(" stop ")), "{:?}", stage.ran());
    assert!(lives(actor.pid()) && ends(job));
}

#[test]
fn a_guard_rail_before_one_of_a_container_stands_before_its_engine() {
    let id = container('b');
    let Some(stage) = Stage::new(&format!("docker-{id}.scope"), "named-guard") else {
        return proc_testkit::skip("no control group can be made here");
    };
    let door = stage.copy(proc_testkit::actor_path(), "sshd");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#""$0" listen; :"#]).arg(door);
    let shell = Actor::spawn_command(command);
    let inner = shell.number::<u32>("pid");
    assert!(wait_until(LONG, || procfs::children(shell.pid()).contains(&inner)));
    [shell.pid(), inner].iter().for_each(|&pid| stage.add(pid));
    stage.command("docker", "exit 0");
    let report = stage.act(&patient(&FREE), &format!("container:{}", &id[..12]));
    assert_outcome(&report, Outcome::Refused);
    assert_eq!(report.refusal.and_then(|refusal| refusal.pid), Some(inner), "{report:#?}");
    assert!(stage.ran().is_empty() && lives(shell.pid()) && lives(inner));
}

#[test]
fn a_manager_with_a_command_is_told_to_stop_what_was_named() {
    let service = Service::new("named-sv");
    let child = service.runsv.number::<u32>("child");
    let sv = format!("kill -TERM {}; sleep 0.1", service.runsv.pid());
    let report = service.act(&patient(&FREE), &pid(child), &sv, LiveHost::default());
    assert_outcome(&report, Outcome::Freed);
    assert_untouched(&report);
    assert_eq!(report.plan[0].argv.as_ref().map(|argv| argv.join(" ")), Some(service.command()));
    assert!(ends(child) && binds(service.runsv.port()));
}

#[test]
fn what_its_manager_stopped_and_runs_again_is_said() {
    let service = Service::new("named-again");
    let child = service.runsv.number::<u32>("child");
    let sv = format!("kill -KILL {child}");
    let report = service.act(&patient(&FREE), &pid(child), &sv, LiveHost::default());
    assert_outcome(&report, Outcome::Respawned);
    assert_untouched(&report);
    assert_says(&report, "runsv web runs it again as pid");
}

#[test]
fn a_watcher_is_ended_for_its_child_and_not_by_only_signal() {
    let bin = Bin::new("named-watcher");
    let program = bin.copy(proc_testkit::actor_path(), "watchexec");
    let watcher = || {
        let mut command = Command::new(&program);
        command.args(["supervise", "--orphan", "--delay", "0", "--", "listen"]);
        Actor::spawn_command(command)
    };
    let one = watcher();
    let child = one.number::<u32>("child");
    let report = patient(&FREE).on(&pid(child));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked")[0], one.pid(), "{report:#?}");
    assert!(report.plan[0].explain.contains("which would start it again"), "{report:#?}");
    assert!(ends(one.pid()) && ends(child) && binds(one.port()));

    let other = watcher();
    let child = other.number::<u32>("child");
    let mut only = patient(&FREE);
    only.limits.only_signal = true;
    let report = only.on(&pid(child));
    assert_outcome(&report, Outcome::Respawned);
    assert_eq!(done_to(&report, "asked"), [child], "{report:#?}");
    assert_says(&report, &format!("proc stop pid:{}", other.pid()));
    assert!(lives(other.pid()));
}

#[test]
fn workers_end_with_their_master() {
    if Command::new("python3").arg("--version").output().is_err() {
        return proc_testkit::skip("there is no python3");
    }
    let bin = Bin::new("named-pool");
    let server = bin.script("gunicorn", "");
    std::fs::write(&server, POOL).unwrap();
    let mut command = Command::new("python3");
    command.arg(&server).arg(some_port().to_string());
    let master = Actor::spawn_command(command);
    let worker = procfs::children(master.pid())[0];
    let report = patient(&FREE).on(&pid(worker));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked")[0], master.pid(), "{report:#?}");
    assert!(ends(worker) && ends(master.pid()) && binds(master.port()));
}

#[test]
fn a_loop_is_ended_once_it_has_started_it_again() {
    let script = shell(std::path::Path::new("/bin/sh"), LOOP, some_port());
    let first = script.number::<u32>("pid");
    let report = patient(&FREE).on(&pid(first));
    assert_outcome(&report, Outcome::Freed);
    let again = done_to(&report, "respawned");
    assert_eq!(again.len(), 1, "{report:#?}");
    assert_eq!(done_to(&report, "asked"), [first, script.pid(), again[0]], "{report:#?}");
    assert_says(&report, "and is ended too if it does");
    assert!(ends(script.pid()) && ends(again[0]) && binds(script.port()));
}

#[test]
fn each_of_several_loops_is_ended() {
    let bin = Bin::new("named-loops");
    let name = format!("twice{}", std::process::id());
    let program = bin.copy("/bin/sleep", &name);
    // Its text does not name what it runs, so only what it does tells that it is a loop.
    let text = r#"while :; do "$PROGRAM" 120; done"#;
    let mut command = Command::new("sh");
    command.args(["-c", text]).env("PROGRAM", &program);
    let loops = [(); 2].map(|()| Family::start(&mut command));
    assert!(wait_until(LONG, || loops.iter().all(|family| family.members().len() == 2)));
    let report = patient(&FREE).on(&name);
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "respawned").len(), 2, "{report:#?}");
    let left = || loops.iter().flat_map(Family::members).collect::<Vec<u32>>();
    assert!(wait_until(LONG, || left().is_empty()), "{:?} {report:#?}", left());
}

#[test]
fn one_that_nobody_runs_and_a_database_are_asked_themselves() {
    let actor = orphan(&["listen"]);
    let report = patient(&FREE).on(&pid(actor.pid()));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [actor.pid()]);
    assert!(ends(actor.pid()));
    let bin = Bin::new("named-postgres");
    let postgres = database(&bin, "TERM");
    let report = patient(&FREE).on(&pid(postgres.pid()));
    assert_outcome(&report, Outcome::Freed);
    assert!(report.events[0].explain.contains("SIGINT"), "{report:#?}");
    assert!(ends(postgres.pid()));
}
