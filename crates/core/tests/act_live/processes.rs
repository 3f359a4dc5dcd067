//! Processes that were named themselves: by name, file, number; all of them, those that are none,
//! and those that come again.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use super::*;

/// A command in a process group of its own, which ends with the test.
pub struct Family(Child);

impl Family {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        Self(command.process_group(0).stdin(Stdio::null()).spawn().unwrap())
    }

    /// A script of sh, once it says that it is ready by that many processes in its group.
    #[track_caller]
    pub fn of_script(script: &str, count: usize) -> Self {
        let family = Self::start(Command::new("sh").args(["-c", script]));
        assert!(wait_until(SOON * 4, || family.members().len() >= count), "{script}");
        family
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Who of its group lives.
    pub fn members(&self) -> Vec<u32> {
        let group = self.pid();
        let numbers = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            entry.unwrap().file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        });
        numbers.filter(|&pid| lives(pid) && group_of(pid) == Some(group)).collect()
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // The group is this test's own, and its first process is not reaped before.
        if let Some(group) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

fn group_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

/// A program that nobody else runs: sleep(1) under a name of its own.
pub struct Program(PathBuf);

impl Program {
    pub fn new(name: &str) -> Self {
        let name = format!("{name}{}", std::process::id());
        let directory = std::env::temp_dir().join(format!("proc-act-{name}"));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::copy("/bin/sleep", directory.join(&name)).unwrap();
        Self(directory.join(name))
    }

    pub fn name(&self) -> String {
        self.0.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn run(&self, count: usize) -> Vec<Family> {
        self.run_in(Path::new("/"), count)
    }

    /// So many of it, working in that directory.
    pub fn run_in(&self, directory: &Path, count: usize) -> Vec<Family> {
        let start = |_| Family::start(Command::new(&self.0).arg("120").current_dir(directory));
        let families: Vec<Family> = (0..count).map(start).collect();
        let named = |one: &Family| {
            std::fs::read_link(format!("/proc/{}/exe", one.pid())).is_ok_and(|exe| exe == self.0)
        };
        assert!(wait_until(SOON * 2, || families.iter().all(named)));
        families
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}

#[test]
fn a_name_means_every_process_of_it_and_each_is_listed_first() {
    let program = Program::new("five");
    let families = program.run(5);
    let mut pids: Vec<u32> = families.iter().map(Family::pid).collect();
    pids.sort_unstable();
    let planned = Ask { dry_run: true, ..KILL }.on(&program.name());
    let mut listed: Vec<u32> = planned.plan.iter().filter_map(|step| step.pid).collect();
    listed.sort_unstable();
    assert_eq!(listed, pids, "{planned:#?}");
    assert!(pids.iter().all(|&pid| lives(pid)));
    let report = KILL.on(&program.name());
    assert_outcome(&report, Outcome::Freed);
    let mut asked = done_to(&report, "asked");
    asked.sort_unstable();
    assert_eq!(asked, pids);
    assert!(pids.iter().all(|&pid| ends(pid)));
}

#[test]
fn a_file_means_those_that_run_it() {
    let program = Program::new("file");
    let families = program.run(2);
    let report = STOP.on(program.0.to_str().unwrap());
    assert_outcome(&report, Outcome::Freed);
    assert!(families.iter().all(|family| ends(family.pid())));
}

#[test]
fn a_name_that_nobody_has_is_told_with_the_nearest() {
    let program = Program::new("nearest");
    let families = program.run(1);
    let (name, mut typed) = (program.name(), program.name());
    typed.insert(3, 'x');
    let report = KILL.with(&typed, || panic!("nobody is to be asked"));
    assert_outcome(&report, Outcome::NotFound);
    // The kernel's own name for it has 15 letters.
    let short: String = name.chars().take(15).collect();
    assert_says(&report, &format!("did you mean {short}"));
    assert!(lives(families[0].pid()));
}

#[test]
fn the_ports_that_it_served_are_part_of_the_answer() {
    let actor = orphan(&["listen"]);
    let report = KILL.on(&format!("pid:{}", actor.pid()));
    assert_outcome(&report, Outcome::Freed);
    assert_says(&report, &format!("tcp:{}, which it served, can be bound", actor.port()));
    assert!(binds(actor.port()));
}

#[test]
fn who_starts_it_again_is_named() {
    let family = Family::of_script("while :; do sleep 121; done", 2);
    let child = family.members().into_iter().find(|&pid| pid != family.pid()).unwrap();
    assert!(wait_until(SOON, || procfs_name(child) == "sleep"));
    let report = KILL.on(&format!("pid:{child}"));
    assert_outcome(&report, Outcome::Respawned);
    assert_says(&report, &format!("sh (pid {}) started it again as pid", family.pid()));
    assert!(lives(family.pid()));
}

fn procfs_name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_thread_is_said_to_be_one() {
    let (tell, told) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        let _ = wait.recv();
    });
    let number = told.recv().unwrap();
    for word in [format!("pid:{number}"), number.to_string()] {
        let report = KILL.with(&word, || panic!("nobody is to be asked"));
        assert_outcome(&report, Outcome::NotFound);
        assert_says(&report, &format!("{number} is a thread of"));
        assert_says(&report, &format!("pid:{}", std::process::id()));
    }
    drop(done);
    thread.join().unwrap();
}

#[test]
fn the_dead_are_said_to_be_dead() {
    let mut child = Command::new("true").spawn().unwrap();
    assert!(wait_until(SOON, || procfs::state(child.id()) == Some('Z')));
    let report = KILL.with(&format!("pid:{}", child.id()), || panic!("nobody is to be asked"));
    assert_outcome(&report, Outcome::NotFound);
    assert_says(&report, "state Z");
    assert_says(&report, &format!("pid {}", std::process::id()));
    child.wait().unwrap();
}

#[test]
fn a_protected_name_is_refused_whatever_else_is_meant_with_it() {
    let program = Program::new("kept");
    let families = program.run(2);
    let mut ask = KILL;
    ask.limits.protected = vec![program.name()];
    let report = ask.with(&program.name(), || panic!("nobody is to be asked"));
    assert_outcome(&report, Outcome::Refused);
    let reason = report.refusal.as_ref().map(|refusal| refusal.reason);
    assert_eq!(reason, Some(proc_core::report::RefusalReason::Protected));
    assert!(families.iter().all(|family| lives(family.pid())));
    assert_outcome(&ask.forced().on(&program.name()), Outcome::Freed);
}

#[test]
fn a_number_that_is_both_is_refused_by_every_verb() {
    // A process whose number is a port that is held.
    let family = Family::start(Command::new("sleep").arg("120"));
    let number = family.pid();
    let Ok(port) = u16::try_from(number) else {
        return proc_testkit::skip("this machine's PIDs are beyond every port by now");
    };
    let Ok(listener) = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
        return proc_testkit::skip("the port of that number is taken");
    };
    for verb in
        [Verb::Kill, Verb::Stop, Verb::Free, Verb::Freeze, Verb::Thaw, Verb::Unstick, Verb::Reload]
    {
        let report = ask(verb).with(&number.to_string(), || panic!("nobody is to be asked"));
        assert_outcome(&report, Outcome::Refused);
        assert_says(&report, &format!("say pid:{number} or :{number}"));
    }
    drop(listener);
    assert!(lives(number));
}
