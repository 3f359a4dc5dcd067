//! Whoever would start a holder again: watchers, masters, loops and managers with a command of
//! their own are what `free` ends, if they run nothing else; and databases, which nobody forces.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use proc_core::bind::Attempt;
use proc_core::host::{ActError, Pinned, Ran, Watch, Woken};
use proc_core::process::ProcessId;
use proc_core::report::RefusalReason;
use proc_core::snapshot::{Scope, Snapshot};
use proc_core::socket::{Holder, Socket};

use super::*;

/// A directory of programs under names of their own, removed with the test.
pub struct Bin(pub PathBuf);

impl Bin {
    pub fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("act-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A copy of that program under that name.
    pub fn copy(&self, program: impl AsRef<Path>, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::copy(program, &path).unwrap();
        // The copy may still be open for writing in a child that another test is forking.
        assert!(wait_until(SOON, || Command::new(&path).args(["-c", ":"]).output().is_ok()));
        path
    }

    /// A shell script under that name.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
        path
    }
}

impl Drop for Bin {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A port that was free a moment ago.
pub fn some_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A shell, by whatever path, that runs `text` with `$ACTOR` and `$PORT`. The first line that an
/// actor says is its readiness.
pub fn shell(program: &Path, text: &str, port: u16) -> Actor {
    let mut command = Command::new(program);
    command.args(["-c", text]).env("PORT", port.to_string());
    command.env("ACTOR", proc_testkit::actor_path());
    Actor::spawn_command(command)
}

fn tcp_of(port: u16) -> String {
    format!("tcp:{port}")
}

pub const LOOP: &str =
    r#"while :; do "$ACTOR" listen --port "$PORT" <&3 >&4; sleep 0.05; done 3<&0 4>&1"#;

#[test]
fn a_watcher_is_ended_before_what_it_starts_again() {
    let bin = Bin::new("watcher");
    let mut command = Command::new(bin.copy(proc_testkit::actor_path(), "watchexec"));
    command.args(["supervise", "--orphan", "--delay", "0", "--", "listen"]);
    let watcher = Actor::spawn_command(command);
    let child = watcher.number::<u32>("child");
    let report = FREE.on(&tcp(&watcher));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked")[0], watcher.pid(), "{report:#?}");
    assert!(report.plan[0].explain.contains("which would start it again"), "{report:#?}");
    assert!(ends(watcher.pid()) && ends(child) && binds(watcher.port()));
    assert!(!kinds(&report).contains(&"forced"));
}

#[test]
fn a_watcher_that_leaves_its_child_behind_leaves_it_to_us() {
    let bin = Bin::new("leaves");
    let port = some_port();
    let text = r#"exec 3<&0; "$ACTOR" listen --port 0 <&3 >/dev/null & "#.to_owned() + LOOP;
    let watcher = shell(&bin.copy("/bin/sh", "nodemon"), &text, port);
    let holder = watcher.number::<u32>("pid");
    let mut helper = procfs::children(watcher.pid());
    helper.retain(|&pid| pid != holder);
    assert_eq!(helper.len(), 1, "holder {holder}, watcher {}", watcher.pid());
    // Two different things: it is left alone, with a word on it.
    let report = FREE.with(&tcp_of(port), || Consent::No("only looking".to_owned()));
    assert_says(&report, "and is left alone, since it runs other things too");
    assert_says(&report, &format!("proc stop pid:{}", watcher.pid()));
    assert_eq!(report.plan[0].pid, Some(holder), "{report:#?}");
    // Alone with the holder, it goes first and the orphan it leaves is asked in person.
    let handle = rustix::process::Pid::from_raw(helper[0].cast_signed()).unwrap();
    rustix::process::kill_process(handle, proc_testkit::Signal::KILL).unwrap();
    assert!(wait_until(SOON, || !lives(helper[0])));
    let report = FREE.on(&tcp_of(port));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked"), [watcher.pid(), holder], "{report:#?}");
    assert!(ends(holder) && binds(port));
}

#[test]
fn what_a_watcher_runs_besides_is_asked_and_never_forced() {
    let bin = Bin::new("tree");
    let port = some_port();
    // The helper is the holder's own child: it goes with the tree and ignores the question.
    let text = r#"sh -c '"$ACTOR" listen --term ignore --port 0 <&3 >/dev/null & exec "$ACTOR" listen --port "$PORT" <&3 >&4' 3<&0 4>&1; :"#;
    let watcher = shell(&bin.copy("/bin/sh", "nodemon"), text, port);
    let holder = watcher.number::<u32>("pid");
    assert!(wait_until(SOON, || !procfs::children(holder).is_empty()));
    let helper = procfs::children(holder)[0];
    let report = FREE.on(&tcp_of(port));
    assert_outcome(&report, Outcome::Freed);
    assert!(done_to(&report, "asked").contains(&helper), "{report:#?}");
    assert_eq!(done_to(&report, "forced"), [0_u32; 0]);
    assert!(lives(helper) && ends(watcher.pid()) && ends(holder));
    let along = report.along.unwrap();
    assert!(along.named.iter().any(|process| process.pid == helper), "{along:?}");
    let handle = rustix::process::Pid::from_raw(helper.cast_signed()).unwrap();
    rustix::process::kill_process(handle, proc_testkit::Signal::KILL).unwrap();
}

#[test]
fn a_loop_is_ended_once_it_has_started_the_holder_again() {
    for program in ["/bin/sh", "/bin/bash"].map(Path::new) {
        if !program.exists() {
            proc_testkit::skip("this shell is not there");
            continue;
        }
        let port = some_port();
        let script = shell(program, LOOP, port);
        let first = script.number::<u32>("pid");
        let report = FREE.on(&tcp_of(port));
        assert_outcome(&report, Outcome::Freed);
        let asked = done_to(&report, "asked");
        let again = done_to(&report, "respawned");
        assert_eq!(again.len(), 1, "{report:#?}");
        assert_eq!(asked, [first, script.pid(), again[0]], "{report:#?}");
        assert_says(&report, "and is ended too if it does");
        assert!(ends(script.pid()) && ends(again[0]) && binds(port));
    }
}

#[test]
fn only_signal_and_kill_end_nobody_but_holders() {
    let only = Ask { limits: Limits { only_signal: true, ..FREE.limits }, ..FREE };
    for ask in [only, KILL, STOP] {
        let port = some_port();
        let script = shell(Path::new("/bin/sh"), LOOP, port);
        let first = script.number::<u32>("pid");
        let report = ask.on(&tcp_of(port));
        assert_outcome(&report, Outcome::Respawned);
        assert_eq!(done_to(&report, "asked"), [first]);
        assert!(lives(script.pid()));
        assert_says(&report, &format!("proc stop pid:{}", script.pid()));
    }
}

/// What a script of that language comes to whose second command is this program: it frees the port
/// that the script's first command has.
fn freed_from_within(language: &str, text: &str) -> TargetReport {
    let port = some_port();
    let bin = Bin::new(&format!("own-{language}"));
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut command = Command::new(language);
    command.args(["-c", text]).stdin(reader).env("PORT", port.to_string());
    command.env("ACTOR", proc_testkit::actor_path()).env("FIFO", bin.0.join("fifo"));
    command.env("PROC", std::env::current_exe().unwrap());
    command.env(INNER, format!("free 5000 guarded {}", tcp_of(port)));
    let output = command.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("the script lives"), "{out}");
    let line = out.lines().find_map(|line| line.strip_prefix("REPORTS ")).unwrap();
    let report: TargetReport = serde_json::from_str::<Vec<_>>(line).unwrap().remove(0);
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked").len(), 1, "{report:#?}");
    report
}

#[test]
fn a_shell_that_runs_this_command_starts_nothing_meanwhile() {
    let report = freed_from_within(
        "sh",
        r#"exec 3<&0; mkfifo "$FIFO"; "$ACTOR" listen --port "$PORT" <&3 >"$FIFO" &
read -r ready <"$FIFO"
"$PROC" --exact inner_act --ignored --nocapture --test-threads=1
echo; echo "the script lives""#,
    );
    assert_eq!(report.notes, [""; 0]);
}

#[test]
fn a_script_that_started_this_command_is_never_ended() {
    let report = freed_from_within(
        "python3",
        r#"
import os, subprocess
actor = subprocess.Popen(
    [os.environ["ACTOR"], "listen", "--port", os.environ["PORT"]], stdout=subprocess.PIPE
)
actor.stdout.readline()
act = [os.environ["PROC"], "--exact", "inner_act", "--ignored", "--nocapture"]
subprocess.run([*act, "--test-threads=1"])
print("\nthe script lives")
"#,
    );
    assert_says(&report, "which may start it again");
}

/// A master with workers that have a socket each, and replaces those that end.
pub const POOL: &str = r#"
import os, signal, socket, sys, time
port = int(sys.argv[1])
def worker():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", port))
    s.listen()
    os.write(ready, b"x")
    time.sleep(60)
told, ready = os.pipe()
def start():
    pid = os.fork()
    if pid == 0:
        worker()
    return pid
pids = [start(), start()]
os.read(told, 1), os.read(told, 1)
print("ready pid=%d port=%d child=%d,%d" % (os.getpid(), port, *pids), flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid:
            start()
    except ChildProcessError:
        start()
    time.sleep(0.02)
"#;

#[test]
fn workers_with_a_socket_each_end_with_their_master() {
    if Command::new("python3").arg("--version").output().is_err() {
        return proc_testkit::skip("there is no python3");
    }
    let port = some_port();
    let mut command = Command::new("python3");
    command.args(["-c", POOL, &port.to_string()]);
    let master = Actor::spawn_command(command);
    let report = FREE.on(&tcp_of(port));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(done_to(&report, "asked")[0], master.pid(), "{report:#?}");
    assert!(ends(master.pid()) && binds(port));
}

// ---- managers with a command ------------------------------------------------------------------

/// The live machine, whose managers' commands are those of a directory.
struct Rewired {
    host: LiveHost,
    bin: PathBuf,
}

impl Host for Rewired {
    fn now(&self) -> Duration {
        self.host.now()
    }
    fn snapshot(&self, scope: &Scope) -> Snapshot {
        self.host.snapshot(scope)
    }
    fn attempt(&self, transport: proc_core::addr::Transport, address: SocketAddr) -> Attempt {
        self.host.attempt(transport, address)
    }
    fn local_addresses(&self) -> Vec<IpAddr> {
        self.host.local_addresses()
    }
    fn unix_refuses(&self, path: &str) -> Option<bool> {
        self.host.unix_refuses(path)
    }
    fn pin(&self, id: ProcessId) -> Result<Pinned, ActError> {
        self.host.pin(id)
    }
    fn still_holds(&self, pinned: &Pinned, holder: &Holder, inode: u64) -> bool {
        self.host.still_holds(pinned, holder, inode)
    }
    fn signal(&self, pinned: &Pinned, signal: i32) -> Result<(), ActError> {
        self.host.signal(pinned, signal)
    }
    fn exited(&self, pinned: &Pinned) -> bool {
        self.host.exited(pinned)
    }
    fn watch(&self, cookies: &[u64]) -> Watch {
        self.host.watch(cookies)
    }
    fn wait(&self, processes: &[&Pinned], watch: &mut Watch, timeout: Duration) -> Woken {
        self.host.wait(processes, watch, timeout)
    }
    fn destroy(&self, socket: &Socket) -> Result<(), ActError> {
        self.host.destroy(socket)
    }
    fn reset_time_wait(&self, socket: &Socket) -> Result<(), ActError> {
        self.host.reset_time_wait(socket)
    }
    fn environment(&self, pid: u32) -> Option<Vec<u8>> {
        self.host.environment(pid)
    }
    fn run(&self, argv: &[String], timeout: Duration) -> Ran {
        let mut argv = argv.to_vec();
        argv[0] = format!("{}/{}", self.bin.display(), argv[0]);
        self.host.run(&argv, timeout)
    }
}

/// runit's supervisor of one service, which starts it again at once.
pub struct Service {
    pub bin: Bin,
    pub runsv: Actor,
}

impl Service {
    pub fn new(test: &str) -> Self {
        let bin = Bin::new(test);
        let directory = bin.0.join("web");
        fs::create_dir_all(&directory).unwrap();
        let mut command = Command::new(bin.copy(proc_testkit::actor_path(), "runsv"));
        command.args(["supervise", "--orphan", "--delay", "0", "--", "listen"]);
        command.current_dir(directory);
        let runsv = Actor::spawn_command(command);
        Self { bin, runsv }
    }

    /// `free` with an `sv` that does that.
    fn free(&self, ask: &Ask, sv: &str, host: LiveHost) -> TargetReport {
        self.act(ask, &tcp(&self.runsv), sv, host)
    }

    /// Acts on that target with an `sv` that does that.
    pub fn act(&self, ask: &Ask, target: &str, sv: &str, host: LiveHost) -> TargetReport {
        self.bin.script("sv", sv);
        let host = Rewired { host, bin: self.bin.0.clone() };
        ask.by(&host, target, || Consent::Yes, |_| {}).remove(0)
    }

    pub fn command(&self) -> String {
        format!("sv stop {}/web", self.bin.0.display())
    }
}

/// A manager without a command for one service, that starts it again after so many milliseconds.
fn perpd(bin: &Bin, delay: &str) -> Actor {
    let path = bin.0.join("perpd");
    let mut command = Command::new(match path.exists() {
        true => path,
        false => bin.copy(proc_testkit::actor_path(), "perpd"),
    });
    command.args(["supervise", "--orphan", "--delay", delay, "--", "listen"]);
    Actor::spawn_command(command)
}

/// In a network of its own: for two seconds nobody has the port, and other tests draw theirs.
#[test]
fn a_manager_that_takes_two_seconds_is_waited_for() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("it needs a network namespace");
    }
    in_world("runners::inner_slow_manager");
}

#[test]
#[ignore = "run by another test, in namespaces of its own"]
fn inner_slow_manager() {
    let bin = Bin::new("perpd");
    let manager = perpd(&bin, "2200");
    let report = KILL.on(&tcp(&manager));
    assert_outcome(&report, Outcome::Respawned);
    assert_says(&report, &format!("perpd (pid {}) started it again", manager.pid()));
}

#[test]
fn all_ports_are_freed_before_a_restart_of_any_is_waited_for() {
    let bin = Bin::new("perpds");
    let [one, other] = [(), ()].map(|()| perpd(&bin, "60000"));
    let mut order = Vec::new();
    let words = format!("{} {}", tcp(&one), tcp(&other));
    let host = LiveHost::default();
    let reports = KILL.by(&host, &words, || Consent::Yes, |event| order.push(event.event.clone()));
    assert_eq!(reports.len(), 2, "{reports:#?}");
    reports.iter().for_each(|report| assert_outcome(report, Outcome::Freed));
    let last_asked = order.iter().rposition(|event| event == "asked");
    let first_freed = order.iter().position(|event| event == "freed");
    assert!(last_asked.is_some() && last_asked < first_freed, "{order:?}");
}

/// A lever's manager is as good as its word, but somebody else may start the same anew.
#[test]
fn what_a_manager_stopped_and_is_up_again_is_named() {
    let service = Service::new("sv-again");
    let sv = format!("kill -KILL {}", service.runsv.number::<u32>("child"));
    let report = service.free(&FREE, &sv, LiveHost::default());
    assert_outcome(&report, Outcome::Respawned);
    assert_untouched(&report);
    assert_says(&report, "runsv web runs it again");
}

#[test]
fn a_manager_with_a_command_is_told_to_stop_it() {
    let service = Service::new("sv");
    let sv = format!("kill -TERM {}; sleep 0.1", service.runsv.pid());
    let report = service.free(&FREE, &sv, LiveHost::default());
    assert_outcome(&report, Outcome::Freed);
    assert_untouched(&report);
    assert!(report.events[0].explain.ends_with(&service.command()), "{report:#?}");
    assert_eq!(report.plan[0].argv.as_ref().map(|argv| argv.join(" ")), Some(service.command()));
    assert!(binds(service.runsv.port()));
}

#[test]
fn a_command_that_fails_is_said_and_nobody_is_signalled_instead() {
    let service = Service::new("sv-fails");
    let sv = "i=0; while [ $i -lt 20000 ]; do echo noise >&2; i=$((i+1)); done\necho 'fail: web: unable' >&2; exit 1";
    let report = service.free(&FREE, sv, LiveHost::default());
    assert_outcome(&report, Outcome::StillHeld);
    assert_untouched(&report);
    assert_says(&report, "fail: web: unable");
    assert_says(&report, "proc free --only-signal");
    assert!(lives(service.runsv.pid()) && !binds(service.runsv.port()));
    fs::remove_file(service.bin.0.join("sv")).unwrap();
    let host = Rewired { host: LiveHost::default(), bin: service.bin.0.clone() };
    let report = FREE.by(&host, &tcp(&service.runsv), || Consent::Yes, |_| {}).remove(0);
    assert_outcome(&report, Outcome::StillHeld);
    assert_untouched(&report);
}

#[test]
fn a_command_that_changes_nothing_is_told_apart_from_a_new_holder() {
    let service = Service::new("sv-idle");
    let report = service.free(&FREE, "exit 0", LiveHost::default());
    assert_outcome(&report, Outcome::StillHeld);
    assert_untouched(&report);
    assert_says(&report, &format!("{} did not end it", service.command()));
    assert!(lives(service.runsv.pid()));
}

/// What a process calls itself in its environment may be another's name: the manager is asked what
/// it means, and only told to stop it if it means the holder.
#[test]
fn a_name_that_means_another_process_is_nobodys_to_stop() {
    let bin = Bin::new("forged");
    let manager = bin.copy("/bin/sh", "supervisord");
    let run = |port: u16| {
        let mut command = Command::new(&manager);
        command.args(["-c", r#""$ACTOR" listen --port "$PORT"; :"#]);
        command.env("PORT", port.to_string()).env("ACTOR", proc_testkit::actor_path());
        command.env("SUPERVISOR_PROCESS_NAME", "db");
        Actor::spawn_command(command)
    };
    let port = some_port();
    let forger = run(port);
    let holder = forger.number::<u32>("pid");
    let free = |supervisorctl: &str| {
        let told = bin.0.join("told");
        let log = format!("echo \"$*\" >>{}\n", told.display());
        bin.script("supervisorctl", &(log + supervisorctl));
        let host = Rewired { host: LiveHost::default(), bin: bin.0.clone() };
        let report = FREE.by(&host, &tcp_of(port), || Consent::Yes, |_| {}).remove(0);
        let told = fs::read_to_string(&told).unwrap_or_else(|_| panic!("{report:#?}"));
        fs::remove_file(bin.0.join("told")).unwrap();
        (report, told.matches(" stop db").count())
    };
    for (answer, says) in [
        ("echo 1", "names other processes, or none"),
        (&format!("echo {holder}; echo 1"), "names other processes, or none"),
        ("echo 0", "names other processes, or none"),
        ("echo 'db: ERROR (no such process)'; exit 1", "failed (db: ERROR (no such process))"),
        ("exec sleep 60", "did not end in"),
    ] {
        let (report, stops) = free(answer);
        assert_outcome(&report, Outcome::StillHeld);
        assert_untouched(&report);
        assert_says(&report, says);
        assert_says(&report, "pid db");
        assert_says(&report, "proc free --only-signal");
        assert_eq!(stops, 0, "{answer}: nothing was told to stop");
        assert!(lives(holder));
    }
    let own = format!(r#"case "$*" in *" pid db") echo {holder};; *) kill {holder};; esac"#);
    let (report, stops) = free(&own);
    assert_outcome(&report, Outcome::Freed);
    assert_untouched(&report);
    assert_eq!(stops, 1);
    assert!(ends(holder));
}

/// A command that says its number and then hangs, deaf to SIGTERM.
const HANGS: &str = r#"trap '' TERM; echo $$ >"${0%/*}/hung"; while :; do sleep 0.05; done"#;

fn hung(service: &Service) -> Option<u32> {
    fs::read_to_string(service.bin.0.join("hung")).ok()?.trim().parse().ok()
}

#[test]
fn a_command_that_hangs_ends_with_the_time_limit() {
    let service = Service::new("sv-hangs");
    let ask = FREE.within(Duration::from_millis(700));
    let (report, took) = took(|| service.free(&ask, HANGS, LiveHost::default()));
    assert_outcome(&report, Outcome::StillHeld);
    assert!(took < SOON, "{took:?}");
    assert_says(&report, "did not end in 1 s");
    assert_untouched(&report);
    assert!(ends(hung(&service).unwrap()), "it is ours to end");
    assert!(lives(service.runsv.pid()));
}

#[test]
fn an_interruption_ends_the_wait_for_a_command() {
    let service = Service::new("sv-interrupted");
    let (reader, mut writer) = UnixStream::pair().unwrap();
    let host = LiveHost::default().with_interrupt(reader.into());
    let ask = FREE.within(Duration::from_secs(60));
    let (report, took) = took(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(wait_until(SOON, || hung(&service).is_some()));
                writer.write_all(b"x").unwrap();
            });
            service.free(&ask, HANGS, host)
        })
    });
    assert!(took < Duration::from_secs(40), "{took:?}");
    assert_outcome(&report, Outcome::StillHeld);
    assert_says(&report, "interrupted; done so far: ");
    assert_eq!(kinds(&report), ["failed", "interrupted"]);
    assert!(ends(hung(&service).unwrap()) && lives(service.runsv.pid()));
}

#[test]
fn kill_names_the_command_and_only_signal_pulls_nothing() {
    let only = Ask { limits: Limits { only_signal: true, ..FREE.limits }, ..FREE };
    for (ask, test) in [(KILL, "sv-kill"), (STOP, "sv-stop"), (only, "sv-only")] {
        let service = Service::new(test);
        let report = service.free(&ask, "exit 0", LiveHost::default());
        assert_outcome(&report, Outcome::Respawned);
        assert!(!kinds(&report).contains(&"ran"), "{report:#?}");
        assert!(report.notes.iter().any(|note| note.contains(&service.command())), "{report:#?}");
        assert!(report.explain.unwrap().contains(&service.command()));
    }
}

// ---- those that nobody forces -----------------------------------------------------------------

/// A server called `postgres`; `ignored` are the signals that it does not hear.
pub fn database(bin: &Bin, ignored: &str) -> Actor {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("trap '' {ignored}; exec \"$0\" listen")]);
    command.arg(bin.copy(proc_testkit::actor_path(), "postgres"));
    Actor::spawn_command(command)
}

#[test]
fn a_database_is_asked_in_its_own_way_and_never_forced() {
    let bin = Bin::new("postgres");
    let postgres = database(&bin, "INT TERM");
    for ask in [FREE, KILL] {
        let ask = ask.grace(Duration::from_millis(100)).within(Duration::from_millis(600));
        let report = ask.on(&tcp(&postgres));
        assert_outcome(&report, Outcome::StillHeld);
        assert_eq!(kinds(&report), ["asked"], "{report:#?}");
        assert!(report.events[0].explain.contains("SIGINT"), "{report:#?}");
        assert_says(&report, "was not forced");
        assert!(lives(postgres.pid()));
    }
    let report = KILL.at_once().on(&tcp(&postgres));
    assert_outcome(&report, Outcome::Refused);
    assert_eq!(report.refusal.unwrap().reason, RefusalReason::NeverForced);
    assert_eq!(report.refusal.unwrap().pid, Some(postgres.pid()));
    assert!(lives(postgres.pid()));
    let report = KILL.at_once().forced().on(&tcp(&postgres));
    assert_outcome(&report, Outcome::Freed);
    assert_eq!(kinds(&report)[0], "forced");
    let postgres = database(&bin, "TERM");
    let report = FREE.on(&tcp(&postgres));
    assert_outcome(&report, Outcome::Freed);
    assert!(ends(postgres.pid()));
}
