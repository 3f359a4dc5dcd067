//! Trees on a scripted machine that, as Windows, goes on to tell an ended parent.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::act::{ActRequest, Consent, act};
use crate::addr::Transport;
use crate::bind::{Attempt, BindResult};
use crate::filter::ProcessFilter;
use crate::host::{ActError, Enclosure, Host, Pinned, Watch, Woken};
use crate::plan::{Limits, Verb};
use crate::process::{Process, ProcessId, ProcessState};
use crate::report::{Outcome, TargetReport};
use crate::snapshot::{Scope, Snapshot, Source};
use crate::target::Target;
use crate::windows::descent::below;
use crate::windows::holder::Birth;

const SIGKILL: i32 = 9;
/// Who asks.
const ASKER: u32 = 9000;

#[derive(Clone, Copy)]
struct Program {
    parent: u32,
    /// When it was created.
    start: u64,
    ended: bool,
    window: bool,
    /// Another user's, or elevated.
    forbidden: bool,
}

#[derive(Default)]
struct Machine {
    programs: RefCell<BTreeMap<u32, Program>>,
    /// Who is started in the moment in which another ends, by whom: ended one, new one, parent.
    births: RefCell<Vec<(u32, u32, u32)>>,
    /// Who ends in the moment in which it is started.
    brief: RefCell<BTreeSet<u32>>,
    /// Who was put into a job object or born in it; `None` on a system without any.
    job: Rc<RefCell<Option<BTreeSet<u32>>>>,
    /// Every signal that came through, in order.
    signals: RefCell<Vec<(u32, i32)>>,
    clock: Cell<Duration>,
}

impl Machine {
    fn of(programs: &[(u32, u32, u64)]) -> Self {
        let machine = Self::default();
        for &(pid, parent, start) in programs {
            machine.add(pid, parent, start);
        }
        machine
    }

    fn add(&self, pid: u32, parent: u32, start: u64) {
        let program = Program { parent, start, ended: false, window: false, forbidden: false };
        self.programs.borrow_mut().insert(pid, program);
    }

    fn change(&self, pid: u32, change: impl Fn(&mut Program)) {
        self.programs.borrow_mut().get_mut(&pid).into_iter().for_each(change);
    }

    fn end(&self, pid: u32) {
        self.change(pid, |program| program.ended = true);
        let births = self.births.borrow().clone();
        for (_, new, parent) in births.into_iter().filter(|(ended, ..)| *ended == pid) {
            self.add(new, parent, 900);
            if let Some(job) = self.job.borrow_mut().as_mut().filter(|job| job.contains(&parent)) {
                job.insert(new);
            }
            if self.brief.borrow().contains(&new) {
                self.end(new);
            }
        }
    }

    fn ended(&self) -> Vec<u32> {
        let programs = self.programs.borrow();
        programs.iter().filter(|(_, program)| program.ended).map(|(pid, _)| *pid).collect()
    }

    fn forced(&self) -> Vec<u32> {
        let signals = self.signals.borrow();
        signals.iter().filter(|(_, signal)| *signal == SIGKILL).map(|(pid, _)| *pid).collect()
    }

    fn acted(&self, verb: Verb) -> TargetReport {
        let limits = Limits {
            verb,
            force: false,
            mine: false,
            protected: Vec::new(),
            tree: true,
            only_signal: false,
            now: false,
            signal: 15,
            grace: Duration::from_secs(5),
            timeout: Duration::from_secs(20),
            options: Vec::new(),
            target: None,
        };
        let request = ActRequest {
            limits,
            filter: ProcessFilter::default(),
            started_at: None,
            dry_run: false,
            show_secrets: false,
        };
        let mut reports =
            act(self, &[Target::Pid(50)], &request, &mut |_| Consent::Yes, &mut |_, _| {});
        reports.remove(0)
    }
}

impl Host for Machine {
    fn now(&self) -> Duration {
        self.clock.get()
    }

    fn snapshot(&self, _scope: &Scope) -> Snapshot {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.source = Source::ExtendedTable;
        (snapshot.asker.pid, snapshot.asker.uid) = (ASKER, 500);
        let programs = self.programs.borrow();
        for (&pid, program) in programs.iter().filter(|(_, program)| !program.ended) {
            let parent = programs
                .get(&program.parent)
                .filter(|parent| !parent.ended && parent.start <= program.start);
            let process = Process {
                ppid: parent.map_or(0, |_| program.parent),
                name: "node".to_owned(),
                uid: Some(500),
                state: ProcessState::Sleeping,
                ..Process::unread(ProcessId { pid, start: program.start })
            };
            snapshot.processes.insert(pid, process);
        }
        snapshot
    }

    fn descendants(&self, pins: &[&Pinned]) -> Option<Vec<ProcessId>> {
        let programs = self.programs.borrow();
        let living =
            programs.iter().filter(|(_, program)| !program.ended).map(|(&pid, program)| {
                (pid, Birth { parent: program.parent, created: Some(program.start) })
            });
        Some(below(&pins.iter().map(|pin| pin.id).collect::<Vec<_>>(), &living.collect()))
    }

    fn enclosure(&self) -> Option<Box<dyn Enclosure>> {
        self.job.borrow().is_some().then(|| Box::new(Job(Rc::clone(&self.job))) as _)
    }

    fn pin(&self, id: ProcessId) -> Result<Pinned, ActError> {
        match self.programs.borrow().get(&id.pid) {
            Some(program) if program.start == id.start && !program.ended => {
                Ok(Pinned::scripted(id))
            }
            _ => Err(ActError::Gone),
        }
    }

    fn signal(&self, pinned: &Pinned, signal: i32) -> Result<(), ActError> {
        let pid = pinned.id.pid;
        let program = self.programs.borrow()[&pid];
        match program {
            Program { ended: true, .. } => return Err(ActError::Gone),
            Program { forbidden: true, .. } => return Err(ActError::Denied),
            Program { window: false, .. } if signal != SIGKILL => {
                return Err(ActError::CannotBeAsked);
            }
            _ => {}
        }
        self.signals.borrow_mut().push((pid, signal));
        self.end(pid);
        Ok(())
    }

    fn exited(&self, pinned: &Pinned) -> bool {
        self.programs.borrow()[&pinned.id.pid].ended
    }

    fn wait(&self, _processes: &[&Pinned], _watch: &mut Watch, timeout: Duration) -> Woken {
        self.clock.set(self.clock.get() + timeout);
        Woken::Timeout
    }

    fn attempt(&self, transport: Transport, address: SocketAddr) -> Attempt {
        Attempt { transport, address, plain: BindResult::Ok, reuse_addr: BindResult::Ok }
    }

    fn local_addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    fn unix_refuses(&self, _path: &str) -> Option<bool> {
        None
    }
}

/// The one job of a machine.
#[derive(Debug)]
struct Job(Rc<RefCell<Option<BTreeSet<u32>>>>);

impl Enclosure for Job {
    fn take_in(&self, pinned: &Pinned) {
        self.0.borrow_mut().as_mut().unwrap().insert(pinned.id.pid);
    }

    fn members(&self) -> Vec<ProcessId> {
        // Those of the family were created as `family` says; who was born since, at 900.
        let members = self.0.borrow();
        members.iter().flatten().map(|&pid| ProcessId { pid, start: 900 }).collect()
    }
}

/// A root with two children, one of which has a child; beside them a stranger and the child of an
/// earlier process of the root's number.
fn family() -> Machine {
    Machine::of(&[
        (50, 1, 100),
        (60, 50, 110),
        (61, 50, 111),
        (20, 60, 120),
        (70, 1, 10),
        (40, 50, 90),
    ])
}

#[test]
fn a_tree_without_windows_ends_at_once_from_the_top_and_nobody_else() {
    let machine = family();
    let report = machine.acted(Verb::Kill);
    assert_eq!(report.outcome, Some(Outcome::Freed), "{report:#?}");
    assert_eq!(machine.forced(), [50, 60, 61, 20]);
    assert_eq!(machine.ended(), [20, 50, 60, 61]);
    assert!(machine.clock.get() < Duration::from_secs(5), "nobody could be asked");
    let planned: Vec<Option<u32>> = report.plan.iter().map(|step| step.pid).collect();
    assert_eq!(planned, [Some(50), Some(60), Some(61), Some(20)]);
    assert!(report.events[0].explain.contains("(TerminateProcess)"), "{report:#?}");
}

#[test]
fn who_is_started_while_the_tree_ends_does_not_get_away() {
    let machine = family();
    // By one that has ended itself by then, and by one that goes next.
    machine.births.borrow_mut().extend([(50, 80, 50), (61, 81, 20), (81, 82, 81)]);
    let report = machine.acted(Verb::Kill);
    assert_eq!(report.outcome, Some(Outcome::Freed), "{report:#?}");
    assert_eq!(machine.ended(), [20, 50, 60, 61, 80, 81, 82]);
    let joined = report.events.iter().filter(|event| event.event == "joined").count();
    assert_eq!(joined, 3, "{report:#?}");
}

#[test]
fn whose_parent_nobody_saw_is_told_by_the_job() {
    for has_jobs in [false, true] {
        let machine = family();
        *machine.job.borrow_mut() = has_jobs.then(BTreeSet::new);
        // 80 is started as the root ends, starts 81, and is gone before anybody looks.
        machine.births.borrow_mut().extend([(50, 80, 50), (80, 81, 80)]);
        machine.brief.borrow_mut().insert(80);
        let report = machine.acted(Verb::Kill);
        assert_eq!(report.outcome, Some(Outcome::Freed), "{report:#?}");
        assert_eq!(machine.ended().contains(&81), has_jobs, "{report:#?}");
    }
}

#[test]
fn who_is_only_asked_is_put_into_no_job() {
    let machine = family();
    *machine.job.borrow_mut() = Some(BTreeSet::new());
    for pid in [50, 60, 61, 20] {
        machine.change(pid, |program| program.window = true);
    }
    let report = machine.acted(Verb::Stop);
    assert_eq!(report.outcome, Some(Outcome::Freed), "{report:#?}");
    assert_eq!(machine.job.borrow().as_ref().map(BTreeSet::len), Some(0));
}

#[test]
fn a_window_is_asked_first_and_given_its_grace() {
    let machine = family();
    machine.change(50, |program| program.window = true);
    let report = machine.acted(Verb::Kill);
    assert_eq!(report.outcome, Some(Outcome::Freed), "{report:#?}");
    assert_eq!(machine.signals.borrow()[0], (50, 15));
    assert_eq!(machine.forced(), [60, 61, 20], "who did not follow");
    assert!(machine.clock.get() >= Duration::from_secs(5));
    assert!(report.events[0].explain.contains("(WM_CLOSE, "), "{report:#?}");
}

#[test]
fn stop_ends_nobody_that_cannot_be_asked() {
    let machine = family();
    let report = machine.acted(Verb::Stop);
    assert_eq!(report.outcome, Some(Outcome::Denied), "{report:#?}");
    assert_eq!(machine.ended(), [0; 0]);
    let said = report.explain.unwrap();
    assert!(said.contains("with 3 processes below it cannot be asked to end"), "{said}");
    assert!(said.ends_with("proc kill --tree pid:50 ends it unasked"), "{said}");
}

#[test]
fn stop_leaves_whoever_does_not_follow() {
    let machine = family();
    machine.change(50, |program| program.window = true);
    machine.births.borrow_mut().push((50, 80, 50));
    let report = machine.acted(Verb::Stop);
    assert_eq!(report.outcome, Some(Outcome::StillHeld), "{report:#?}");
    assert_eq!(machine.ended(), [50]);
}

#[test]
fn what_may_not_be_ended_is_said_and_what_is_below_it_goes_on() {
    let machine = family();
    machine.change(50, |program| program.forbidden = true);
    let report = machine.acted(Verb::Kill);
    assert_eq!(report.outcome, Some(Outcome::Denied), "{report:#?}");
    assert_eq!(machine.ended(), [0; 0]);
    assert!(report.explain.unwrap().contains("elevated terminal"));
}
