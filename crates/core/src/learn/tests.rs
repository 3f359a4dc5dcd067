//! What is asked, of whom, and for how long at most. What the answers mean is tested where they
//! are read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use super::*;
use crate::addr::Transport;
use crate::bind::{Attempt, BindResult};
use crate::host::{Pinned, Watch, Woken, WorkTrees};
use crate::process::{ProcessId, ProcessState};
use crate::snapshot::Scope;

/// A machine on which everybody takes as long as they may.
#[derive(Default)]
struct Stuck {
    now: Cell<Duration>,
    read: RefCell<Vec<u32>>,
}

impl Stuck {
    fn take(&self, limit: Duration) {
        self.now.set(self.now.get() + limit);
    }
}

impl Host for Stuck {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn snapshot(&self, _scope: &Scope) -> Snapshot {
        Snapshot::empty(SystemTime::UNIX_EPOCH)
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

    fn wait(&self, _processes: &[&Pinned], _watch: &mut Watch, timeout: Duration) -> Woken {
        self.take(timeout);
        Woken::Timeout
    }

    fn containers(&self, _wish: &EngineWish, limit: Duration) -> EngineAnswer {
        self.take(limit);
        EngineAnswer::default()
    }

    fn units(&self, _wish: &UnitWish, limit: Duration) -> UnitAnswer {
        self.take(limit);
        UnitAnswer::default()
    }

    fn managers(
        &self,
        _engines: &EngineWish,
        _units: &UnitWish,
        limit: Duration,
    ) -> (EngineAnswer, UnitAnswer) {
        self.take(limit);
        (EngineAnswer::default(), UnitAnswer::default())
    }

    fn script(&self, _shell: &Process, limit: Duration) -> Option<String> {
        self.take(limit);
        None
    }

    fn work_trees(&self, directories: &[String], limit: Duration) -> WorkTrees {
        self.take(limit);
        WorkTrees { found: BTreeMap::new(), late: directories.first().cloned() }
    }

    fn environment(&self, pid: u32) -> Option<Vec<u8>> {
        self.read.borrow_mut().push(pid);
        None
    }
}

fn process(pid: u32, ppid: u32, exe: &str, argv: &[&str]) -> Process {
    Process {
        ppid,
        name: exe.rsplit('/').next().unwrap_or(exe).to_owned(),
        exe: Some(exe.to_owned()),
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        cwd: Some("/srv/app".to_owned()),
        uid: Some(1000),
        state: ProcessState::Sleeping,
        threads: Some(1),
        ..Process::unread(ProcessId { pid, start: 1 })
    }
}

/// A server under eight nested scripts under a terminal's shell, in a container and a unit at
/// once; and the asker under three shells.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let mut add = |process: Process| snapshot.processes.insert(process.id.pid, process);
    add(process(1, 0, "/sbin/init", &["/sbin/init"]));
    add(process(20, 1, "/usr/bin/xterm", &["xterm"]));
    add(process(21, 20, "/usr/bin/bash", &["bash"]));
    for pid in 30..38 {
        let parent = if pid == 30 { 21 } else { pid - 1 };
        add(process(pid, parent, "/usr/bin/bash", &["bash", "/srv/app/start.sh"]));
    }
    let id = "0123456789ab".repeat(5) + "0123";
    let mut boxed = process(40, 37, "/usr/bin/node", &["node", "server.js"]);
    boxed.cgroup = Some(format!("/system.slice/docker-{id}.scope"));
    boxed.container = crate::supervisor::container_of(boxed.cgroup.as_deref().unwrap());
    add(boxed);
    let mut service = process(41, 1, "/usr/sbin/app", &["app"]);
    service.cgroup = Some("/system.slice/app.service".to_owned());
    service.unit = Some("app.service".to_owned());
    add(service);
    for pid in 50..53 {
        let parent = if pid == 50 { 20 } else { pid - 1 };
        add(process(pid, parent, "/usr/bin/bash", &["bash"]));
    }
    add(process(53, 52, "/usr/bin/proc", &["proc"]));
    snapshot.asker.pid = 53;
    snapshot.asker.uid = 1000;
    snapshot.asker.ancestors = vec![52, 51, 50, 20, 1];
    snapshot
}

fn options(mine: bool) -> LookOptions {
    LookOptions { learn: Learn::Everything, mine, ..LookOptions::default() }
}

#[test]
fn all_that_are_stuck_cost_the_limit_together() {
    let (host, mut snapshot) = (Stuck::default(), snapshot());
    assert!(!scripts_above(40, &snapshot).is_empty(), "scripts are asked too");
    assert_ne!(unit_wish(&snapshot, &[40, 41], &[]), UnitWish::default());
    let engines = engine_wish(&host, &snapshot, &[40, 41], &[], Learn::Everything);
    assert_ne!(engines, EngineWish::default());
    learn(&host, &mut snapshot, &[40, 41], &[3000], &options(true));
    let took = host.now.get();
    assert!(took >= MANAGER_LIMIT, "{took:?}");
    assert!(took <= MANAGER_LIMIT + Duration::from_millis(20), "{took:?}");
    assert!(snapshot.gaps.iter().any(|gap| matches!(gap, Gap::LateDirectory { .. })));
}

#[test]
fn environments_are_read_only_where_they_tell_something() {
    let read = |pids: &[u32], mine: bool| {
        let (host, mut snapshot) = (Stuck::default(), snapshot());
        learn(&host, &mut snapshot, pids, &[3000], &options(mine));
        host.read.into_inner()
    };
    assert!(read(&[], false).is_empty());
    // Those above the terminal started nobody for somebody; the asker's own is one.
    assert_eq!(read(&[41], false), [41, 53]);
    assert_eq!(read(&[41], true), [20, 41, 50, 51, 52, 53]);
    let line: Vec<u32> = [21].into_iter().chain(30..38).chain([40, 53]).collect();
    assert_eq!(read(&[40], false), line);
}
