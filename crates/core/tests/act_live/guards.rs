//! Who is never signalled: doors, ancestors, strangers, other users, and whoever took a number or a
//! port between the plan and the act.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use proc_core::act::ActRequest;
use proc_core::bind::Attempt;
use proc_core::host::{ActError, Pinned, Ran, Watch, Woken};
use proc_core::process::ProcessId;
use proc_core::snapshot::{Scope, Snapshot};
use proc_core::socket::{Holder, Socket};

use super::*;

#[test]
fn this_process_and_its_ancestors_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for ask in [FREE, KILL, STOP] {
        let report = ask.with(&format!(":{port}"), || Consent::No("a guard failed".to_owned()));
        assert_outcome(&report, Outcome::Refused);
        assert_says(&report, "--force");
        // The test is an ancestor of the inner run.
        let command = Command::new("/proc/self/exe");
        let report = reports_of(inner(command, &ask, &format!(":{port}"))).remove(0);
        assert_outcome(&report, Outcome::Refused);
        assert!(report.events.is_empty());
    }
}

#[test]
fn a_kernel_thread_is_refused() {
    let Some(thread) = [2, 3, 4].into_iter().find(|pid| is_kernel_thread(*pid)) else {
        return proc_testkit::skip("no kernel thread is to be seen here");
    };
    let report = KILL.with(&format!("pid:{thread}"), || Consent::No("a guard failed".to_owned()));
    assert_outcome(&report, Outcome::Refused);
    assert_says(&report, "kernel");
}

fn is_kernel_thread(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.is_empty())
        && std::fs::read_link(format!("/proc/{pid}/exe")).is_err()
}

#[test]
fn the_first_process_and_reused_numbers() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("it makes namespaces, which needs root");
    }
    in_world("guards::inner_small_world");
}

/// Not a test of its own: PID 1 here is the testkit's.
#[test]
#[ignore = "run in namespaces of its own"]
fn inner_small_world() {
    if std::process::id() > 20 {
        return; // not in namespaces
    }
    for ask in [KILL, STOP, FREE] {
        let report = ask.on("pid:1");
        assert_outcome(&report, Outcome::Refused);
        assert!(report.events.is_empty() && lives(1));
    }
    // The victim ends while the person thinks, and its number goes to somebody else.
    let victim = orphan(&["listen"]);
    let number = victim.pid();
    // The start time counts in hundredths of a second: nobody reuses a number that fast, but for
    // this test.
    let born = procfs::start_time(number).unwrap();
    assert!(wait_until(SOON, || {
        let probe = Actor::spawn(&["listen"]);
        procfs::start_time(probe.pid()).unwrap() > born + 1
    }));
    let mut other = None;
    let report = KILL.with(&format!("pid:{number}"), || {
        let handle = rustix::process::Pid::from_raw(number.cast_signed()).unwrap();
        rustix::process::kill_process(handle, proc_testkit::Signal::KILL).unwrap();
        assert!(wait_until(SOON, || procfs::state(number).is_none()), "PID 1 reaps");
        let reused = wait_until(SOON, || {
            std::fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).unwrap();
            other = Some(Actor::spawn(&["listen"]));
            other.as_ref().is_some_and(|other| other.pid() == number)
        });
        assert!(reused, "the number is given again");
        Consent::Yes
    });
    assert_outcome(&report, Outcome::Freed);
    assert_untouched(&report);
    assert!(other.unwrap().alive(), "the innocent lives");
}

/// The live machine, seen with each start time a tick off.
struct Confused(LiveHost, AtomicUsize);

impl Host for Confused {
    fn now(&self) -> Duration {
        self.0.now()
    }
    fn snapshot(&self, scope: &Scope) -> Snapshot {
        let mut snapshot = self.0.snapshot(scope);
        snapshot.processes.values_mut().for_each(|process| process.id.start += 1);
        snapshot
    }
    fn attempt(&self, transport: proc_core::addr::Transport, address: SocketAddr) -> Attempt {
        self.0.attempt(transport, address)
    }
    fn local_addresses(&self) -> Vec<IpAddr> {
        self.0.local_addresses()
    }
    fn unix_refuses(&self, path: &str) -> Option<bool> {
        self.0.unix_refuses(path)
    }
    fn pin(&self, id: ProcessId) -> Result<Pinned, ActError> {
        self.0.pin(id)
    }
    fn still_holds(&self, pinned: &Pinned, holder: &Holder, inode: u64) -> bool {
        self.0.still_holds(pinned, holder, inode)
    }
    fn signal(&self, pinned: &Pinned, signal: i32) -> Result<(), ActError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.signal(pinned, signal)
    }
    fn exited(&self, pinned: &Pinned) -> bool {
        self.0.exited(pinned)
    }
    fn watch(&self, cookies: &[u64]) -> Watch {
        self.0.watch(cookies)
    }
    fn wait(&self, processes: &[&Pinned], watch: &mut Watch, timeout: Duration) -> Woken {
        self.0.wait(processes, watch, timeout)
    }
    fn destroy(&self, socket: &Socket) -> Result<(), ActError> {
        self.0.destroy(socket)
    }
    fn reset_time_wait(&self, socket: &Socket) -> Result<(), ActError> {
        self.0.reset_time_wait(socket)
    }
    fn remove_file(&self, path: &str) -> std::io::Result<()> {
        self.0.remove_file(path)
    }
    fn run(&self, argv: &[String], timeout: Duration) -> Ran {
        self.0.run(argv, timeout)
    }
}

#[test]
fn another_start_time_is_another_process() {
    let actor = orphan(&["listen", "--term", "ignore"]);
    let start = procfs::start_time(actor.pid()).unwrap();
    let id = ProcessId { pid: actor.pid(), start };
    let host = LiveHost::default();
    assert_eq!(host.pin(id).unwrap().id, id);
    for start in [start - 1, start + 1, 0] {
        assert_eq!(host.pin(ProcessId { start, ..id }).unwrap_err(), ActError::Gone);
    }
    assert_eq!(host.pin(ProcessId { pid: 4_194_303, start }).unwrap_err(), ActError::Gone);
    for target in [tcp(&actor), format!("pid:{}", actor.pid())] {
        let confused = Confused(LiveHost::default(), AtomicUsize::new(0));
        let report = KILL.by(&confused, &target, || Consent::Yes, |_| {}).remove(0);
        assert_untouched(&report);
        assert_eq!(confused.1.into_inner(), 0, "{report:#?}");
        assert!(lives(actor.pid()));
    }
}

#[test]
fn who_let_go_in_the_meantime_is_not_signalled() {
    let actor = orphan(&["listen", "--term", "drain:20000"]);
    let pid = rustix::process::Pid::from_raw(actor.pid().cast_signed()).unwrap();
    let report = KILL.with(&tcp(&actor), || {
        rustix::process::kill_process(pid, proc_testkit::Signal::TERM).unwrap();
        assert!(wait_until(SOON, || !procfs::holds(actor.pid(), actor.inode())));
        Consent::Yes
    });
    assert_outcome(&report, Outcome::Freed);
    assert_untouched(&report);
    assert!(lives(actor.pid()));
}

#[test]
fn who_took_the_port_in_the_meantime_is_named_and_lives() {
    for ask in [KILL, FREE] {
        let actor = orphan(&["listen"]);
        let pid = rustix::process::Pid::from_raw(actor.pid().cast_signed()).unwrap();
        let port = actor.port().to_string();
        let mut next = None;
        let report = ask.with(&tcp(&actor), || {
            rustix::process::kill_process(pid, proc_testkit::Signal::KILL).unwrap();
            assert!(wait_until(SOON, || binds(actor.port())));
            next = Some(orphan(&["listen", "--port", &port]));
            Consent::Yes
        });
        let next = next.unwrap();
        assert_outcome(&report, Outcome::TakenByAnother);
        assert_says(&report, &format!("{}", next.pid()));
        assert_untouched(&report);
        assert!(lives(next.pid()));
    }
}

#[test]
fn nothing_is_done_without_consent() {
    let actor = orphan(&["listen"]);
    for ask in [FREE, KILL, STOP] {
        let report = ask.with(&tcp(&actor), || Consent::No("the person said no".to_owned()));
        assert_outcome(&report, Outcome::Declined);
        assert_says(&report, "the person said no");
        assert!(!report.plan.is_empty() && report.events.is_empty());
        let dry = Ask { dry_run: true, ..ask };
        let report = dry.with(&tcp(&actor), || panic!("nothing is to be consented to"));
        assert_outcome(&report, Outcome::Planned);
        assert_eq!(report.plan[0].pid, Some(actor.pid()), "{report:#?}");
        assert!(report.events.is_empty());
    }
    assert!(lives(actor.pid()) && !binds(actor.port()));
    let remains = Actor::spawn(&["time-wait"]);
    assert_outcome(&Ask { dry_run: true, ..FREE }.on(&tcp(&remains)), Outcome::Planned);
    assert!(!binds(remains.port()));
}

#[test]
fn the_prompt_has_what_a_person_needs() {
    let actor = orphan(&["two-ports", "--accept"]);
    let port = actor.port().to_string();
    let clients = orphan(&["clients", "2", "--port", &port]);
    let request = ActRequest {
        limits: KILL.limits,
        filter: ProcessFilter::default(),
        started_at: None,
        dry_run: false,
        show_secrets: false,
    };
    let mut seen = Vec::new();
    act(
        &LiveHost::default(),
        &targets(&tcp(&actor)),
        &request,
        &mut |reports| {
            seen = reports.to_vec();
            Consent::No("only looking".to_owned())
        },
        &mut |_, _| {},
    );
    let process = &seen[0].processes[0];
    assert_eq!(process.pid, actor.pid());
    assert!(process.cwd.is_some() && process.user.is_some() && process.age_ms.is_some());
    assert!(process.argv.contains(&"two-ports".to_owned()));
    assert_eq!(seen[0].clients, Some(2), "{seen:#?}");
    let peers = &seen[0].peers;
    assert_eq!((peers.len(), peers[0].connections), (1, 2), "{peers:#?}");
    let client = peers[0].process.as_ref().unwrap();
    assert_eq!((client.pid, client.name.as_str()), (clients.pid(), "actor"));
    assert_eq!(seen[0].along, None);
    let other = format!("tcp:{}", actor.field("second").unwrap());
    assert_eq!(seen[0].other_ports.iter().map(|o| &o.port).collect::<Vec<_>>(), [&other]);
}

#[test]
fn what_ends_along_is_told_for_all_targets_in_one_go() {
    // A holder with many ports, one whose child goes with it, and a process that was named.
    let many = orphan(&["many-sockets", "300"]);
    let parent = orphan(&["supervise", "--delay", "60000", "--", "listen", "--accept"]);
    let child = parent.number::<u32>("child");
    let port = parent.port().to_string();
    let clients = orphan(&["clients", "3", "--port", &port]);
    let dry = Ask { dry_run: true, ..KILL };
    let words = format!("{} pid:{} pid:{child}", tcp(&many), parent.pid());
    let reports = dry.by(&LiveHost::default(), &words, || Consent::Yes, |_| {});
    let [many_ports, above, below] = reports.as_slice() else { panic!("{reports:#?}") };
    assert_eq!(many_ports.peers, []);
    let own = |pid: u32| move |other: &&proc_core::report::OtherPort| other.pid == pid;
    assert!(many_ports.other_ports.iter().all(|other| own(many.pid())(&other)));
    // Killing the parent may take its child along, and what that holds.
    let along = above.along.as_ref().unwrap();
    assert_eq!((along.certain, along.processes), (false, 1), "{along:#?}");
    assert_eq!((along.named[0].pid, along.named[0].name.as_str()), (child, "actor"));
    let port = format!("tcp:{port}");
    assert!(above.other_ports.iter().filter(own(child)).any(|other| other.port == port));
    assert_eq!(below.clients, Some(3), "{below:#?}");
    assert_eq!(below.along, None);
    drop(clients);
}

/// A copy of the actor under the name of a door.
struct Door(std::path::PathBuf);

impl Door {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("act-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::copy(proc_testkit::actor_path(), directory.join("sshd")).unwrap();
        Self(directory)
    }

    fn listen(&self) -> Actor {
        let mut spawned = None;
        // The copy may still be open for writing in a child that another test is forking.
        assert!(wait_until(SOON, || {
            let probe = Command::new(self.0.join("sshd")).arg("x").output();
            probe.is_ok()
        }));
        let mut command = Command::new(self.0.join("sshd"));
        command.args(["listen", "--orphan"]);
        spawned.get_or_insert(Actor::spawn_command(command));
        spawned.unwrap()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_door_is_refused_without_force() {
    let door = Door::new("door");
    let actor = door.listen();
    for ask in [FREE, KILL, STOP] {
        for target in [tcp(&actor), format!("pid:{}", actor.pid())] {
            let report = ask.on(&target);
            assert_outcome(&report, Outcome::Refused);
            assert_says(&report, "--force");
            assert!(report.events.is_empty() && lives(actor.pid()));
        }
    }
    let report = KILL.forced().on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    // `--force` lifts the guard and does not force.
    assert!(!kinds(&report).contains(&"forced"), "{report:#?}");
    assert!(ends(actor.pid()));
}

#[test]
fn another_user_s_process_is_denied() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let actor = orphan(&["listen"]);
    for ask in [FREE, KILL, STOP] {
        // Its descriptors are hidden from this user, the process itself is not.
        for target in [tcp(&actor), format!("pid:{}", actor.pid())] {
            let report = as_user(&ask, &target);
            assert_outcome(&report, Outcome::Denied);
            assert_says(&report, "sudo proc");
            assert_says(&report, "root");
            assert!(report.events.is_empty() && lives(actor.pid()));
        }
        let report = as_user(&ask.forced(), &format!("pid:{}", actor.pid()));
        assert_outcome(&report, Outcome::Denied);
    }
}

#[test]
fn one_s_own_process_is_ended_without_privileges() {
    let user = unprivileged_uid().to_string();
    for ask in [FREE, KILL, STOP] {
        let actor = orphan(&["listen", "--uid", &user]);
        let report = as_user(&ask, &tcp(&actor));
        assert_outcome(&report, Outcome::Freed);
        assert!(ends(actor.pid()) && binds(actor.port()));
    }
}

#[test]
fn a_descriptor_in_flight_is_nobody_s_for_certain() {
    let actor = orphan(&["in-flight"]);
    let report = KILL.on(&tcp(&actor));
    assert_outcome(&report, Outcome::Refused);
    assert!(report.events.is_empty() && lives(actor.pid()));
    let report = KILL.forced().on(&tcp(&actor));
    assert_outcome(&report, Outcome::Freed);
    assert!(binds(actor.port()));
}

#[test]
fn an_interruption_ends_it_and_says_what_was_done() {
    let (first, second) =
        (orphan(&["listen", "--term", "ignore"]), orphan(&["listen", "--term", "ignore"]));
    let (reader, mut writer) = UnixStream::pair().unwrap();
    let host = LiveHost::default().with_interrupt(reader.into());
    let words = format!("{} {}", tcp(&first), tcp(&second));
    let interrupt = |event: &EventReport| {
        if event.event == "asked" {
            writer.write_all(b"x").unwrap();
        }
    };
    let (reports, took) = took(|| KILL.grace(SOON).by(&host, &words, || Consent::Yes, interrupt));
    assert!(took < SOON, "{took:?}");
    assert_outcome(&reports[0], Outcome::StillHeld);
    assert_eq!(kinds(&reports[0]), ["asked", "interrupted"]);
    assert_says(&reports[0], "interrupted; done so far: asked");
    // Who asked to stop did not mean only the first of them.
    assert_outcome(&reports[1], Outcome::StillHeld);
    assert!(reports[1].events.is_empty(), "{reports:#?}");
    assert_says(&reports[1], "nothing had been done");
    assert!(lives(first.pid()) && lives(second.pid()));
}

#[test]
fn an_interruption_ends_a_countdown() {
    let actor = Actor::spawn(&["time-wait"]);
    let (reader, mut writer) = UnixStream::pair().unwrap();
    let host = LiveHost::default().with_interrupt(reader.into());
    let interrupt = |event: &EventReport| {
        if event.event == "waiting" {
            writer.write_all(b"x").unwrap();
        }
    };
    let (reports, took) = took(|| STOP.by(&host, &tcp(&actor), || Consent::Yes, interrupt));
    assert!(took < TIMEOUT, "{took:?}");
    assert!(kinds(&reports[0]).contains(&"interrupted"), "{reports:#?}");
}
