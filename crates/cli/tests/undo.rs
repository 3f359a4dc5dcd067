//! Whole runs of `undo` against real servers that `kill` and `free` ended: what comes back as it
//! was, what is refused and why, and what nobody gets to read. Each test has a state directory of
//! its own, and every server ends by itself after a minute.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;
mod terminal;

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use live::*;
use proc_core::report::{Outcome, UndoAct, UndoItem, UndoKind, UndoOutcome, UndoReport};
use proc_testkit::{Limit, confined, is_root, skip};
use rustix::process::{Pid, kill_process};

const PYTHON: &str = "/usr/bin/python3";

/// Serves the port in its first argument.
const SERVER: &str = "
import os, signal, socket, sys
signal.alarm(60)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if os.path.exists('fail'):
    print('first line', flush=True)
    sys.exit('no luck today')
s.bind(('127.0.0.1', int(sys.argv[1])))
s.listen()
print('up', flush=True)
while True:
    s.accept()[0].close()
";

/// A directory with a server in it and a state directory beside; what was started ends with it.
struct Room {
    at: PathBuf,
    children: RefCell<Vec<Child>>,
    pids: RefCell<Vec<u32>>,
}

impl Room {
    fn new(test: &str) -> Option<Self> {
        if !Path::new(PYTHON).exists() {
            skip("python3 is not there");
            return None;
        }
        let at = std::env::temp_dir().join(format!("proc-undo-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&at);
        fs::create_dir_all(at.join("web")).unwrap();
        fs::write(at.join("web/server.py"), SERVER).unwrap();
        fs::set_permissions(&at, Permissions::from_mode(0o755)).unwrap();
        Some(Self { at, children: RefCell::default(), pids: RefCell::default() })
    }

    fn web(&self) -> PathBuf {
        self.at.join("web")
    }

    fn state(&self) -> PathBuf {
        self.at.join("state")
    }

    fn kept(&self) -> PathBuf {
        self.state().join("proc/undo")
    }

    /// The names of the kept files.
    fn acts(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.kept()) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
        names.sort();
        names
    }

    /// Starts a command in `web` and waits until the port is served.
    #[track_caller]
    fn serve(&self, port: u16, command: &mut Command) -> u32 {
        command.current_dir(self.web()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.serve_with(port, command)
    }

    #[track_caller]
    fn serve_with(&self, port: u16, command: &mut Command) -> u32 {
        let child = command.spawn().unwrap();
        let pid = child.id();
        self.children.borrow_mut().push(child);
        assert!(wait_until(SOON, || is_served(port)), "{command:?} does not serve {port}");
        pid
    }

    /// `python3 server.py PORT` with more arguments.
    fn server(&self, port: u16, more: &[&OsStr]) -> Command {
        let mut command = Command::new(PYTHON);
        command.arg("server.py").arg(port.to_string()).args(more);
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command
    }

    fn program(&self) -> Command {
        let mut command = program();
        command.env("XDG_STATE_HOME", self.state()).current_dir("/");
        command
    }

    #[track_caller]
    fn run(&self, words: &str) -> Ran {
        let ran = Ran::from(self.program().args(words.split_whitespace()).output().unwrap());
        self.reap();
        ran
    }

    /// The ended are collected, as a shell would.
    fn reap(&self) {
        for child in self.children.borrow_mut().iter_mut() {
            let _ = child.try_wait();
        }
    }

    #[track_caller]
    fn kill(&self, port: u16) -> u64 {
        let report = self.run(&format!("kill --json -y :{port}")).ended(0, Outcome::Freed);
        report.undo.expect("it can be undone")
    }

    #[track_caller]
    fn undo(&self, words: &str) -> (i32, UndoAct) {
        let ran = self.run(&format!("undo --json {words}"));
        let mut report = read(&ran);
        assert_eq!(report.acts.len(), 1, "{ran:?}");
        let act = report.acts.remove(0);
        self.pids.borrow_mut().extend(act.items.iter().filter_map(|item| item.started_pid));
        (ran.code, act)
    }

    /// Undoes the last act, which ended one thing.
    #[track_caller]
    fn undone(&self, code: i32, outcome: UndoOutcome) -> UndoItem {
        self.undone_with("-y", code, outcome)
    }

    #[track_caller]
    fn undone_with(&self, words: &str, code: i32, outcome: UndoOutcome) -> UndoItem {
        let (exit, mut act) = self.undo(words);
        assert_eq!(act.items.len(), 1, "{act:#?}");
        let item = act.items.remove(0);
        assert_eq!((exit, item.outcome), (code, Some(outcome)), "{item:#?}");
        item
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for child in self.children.borrow_mut().iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Only what still runs in this room: the number may be somebody else's by now.
        for pid in self.pids.borrow().iter().flat_map(|pid| family(*pid)) {
            let here = fs::read_link(format!("/proc/{pid}/cwd"))
                .is_ok_and(|cwd| cwd.starts_with(&self.at));
            if here && let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = fs::remove_dir_all(&self.at);
    }
}

/// A process and all below it.
fn family(pid: u32) -> Vec<u32> {
    let below = procfs::children(pid).into_iter().flat_map(family);
    below.chain([pid]).collect()
}

fn is_served(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[track_caller]
fn read(ran: &Ran) -> UndoReport {
    assert_eq!(ran.err, "", "{ran:?}");
    let report: UndoReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((report.schema, report.ok), (1, ran.code == 0), "{ran:?}");
    report
}

fn cmdline(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap()
}

fn environment(pid: u32) -> Vec<Vec<u8>> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let mut entries: Vec<Vec<u8>> = bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
    entries.retain(|entry| !entry.is_empty());
    entries.sort();
    entries
}

fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    text.lines().find(|line| line.starts_with(field)).unwrap().to_owned()
}

/// What `/proc/PID/stat` has behind the name.
fn fields(pid: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn it_comes_back_as_it_was() {
    let Some(room) = Room::new("same") else { return };
    let port = free_port();
    let odd = OsString::from_vec(b"\xff\xfe=\x80".to_vec());
    let more = [&*odd, OsStr::new(""), OsStr::new("a\nb 'c'"), OsStr::new("--"), OsStr::new("")];
    let output = room.at.join("out.txt");
    let file = File::options().create(true).append(true).open(&output).unwrap();
    let mut command = room.server(port, &more);
    command.env("ODD", OsStr::from_bytes(b"\xff=\n")).env("EMPTY", "").env("XDG_STATE_HOME", "/x");
    // umask and niceness by programs that become the server.
    let mut wrapped = Command::new("/bin/sh");
    wrapped.args(["-c", "umask 027; exec nice -n 3 \"$@\"", "sh", PYTHON]).args(command.get_args());
    wrapped.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapped.current_dir(room.web()).stdin(Stdio::null());
    wrapped.stdout(file.try_clone().unwrap()).stderr(file);
    let pid = room.serve_with(port, &mut wrapped);
    let before = (cmdline(pid), environment(pid), status(pid, "Umask"), status(pid, "Groups"));
    // On top of that of whoever runs these tests, and 19 at most (setpriority(2)).
    let nice = fields(pid)[16].clone();
    let own: i32 = fields(std::process::id())[16].parse().unwrap();
    assert_eq!(nice, (own + 3).min(19).to_string());
    let number = room.kill(port);
    assert!(!is_served(port));
    assert_eq!(number, 1);

    let item = room.undone(0, UndoOutcome::Started);
    assert_eq!((item.kind, item.pid), (UndoKind::Process, Some(pid)));
    let now = item.started_pid.unwrap();
    assert!(now != pid && is_served(port));
    assert_eq!(
        before,
        (cmdline(now), environment(now), status(now, "Umask"), status(now, "Groups"))
    );
    assert!(before.0.windows(2).any(|pair| pair == b"\xff\xfe"), "the argument was there");
    assert_eq!(fs::read_link(format!("/proc/{now}/cwd")).unwrap(), room.web());
    assert_eq!(fs::read_link(format!("/proc/{now}/fd/0")).unwrap(), Path::new("/dev/null"));
    // A regular file is written on, and is the log.
    assert_eq!(item.log.as_deref(), output.to_str());
    assert_eq!(fs::read_to_string(&output).unwrap(), "up\nup\n");
    let now_fields = fields(now);
    assert_eq!((&now_fields[16], &now_fields[3]), (&nice, &now.to_string()), "nice, own session");

    // Once is enough.
    room.undone(0, UndoOutcome::AlreadyRunning);
    room.kill(port);
    let item = room.undone_with("-y 1", 1, UndoOutcome::AlreadyUndone);
    assert!(item.done && item.explain.unwrap().contains("--again"));
    room.undone_with("-y --again 1", 0, UndoOutcome::Started);
    room.undone_with("-y 2", 0, UndoOutcome::AlreadyRunning);
}

#[test]
fn nothing_is_started_without_consent() {
    let Some(room) = Room::new("consent") else { return };
    let ran = room.run("undo -y");
    assert_eq!((ran.code, &*ran.out), (1, ""), "{ran:?}");
    assert!(ran.err.contains("nothing is to be undone"), "{ran:?}");
    assert!(!room.state().exists(), "looking makes nothing");
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    let report = room.run(&format!("kill --json --dry-run :{port}")).ended(0, Outcome::Planned);
    assert!(report.undo.is_none() && !room.state().exists());
    room.kill(port);
    let item = room.undone_with("", 4, UndoOutcome::Declined);
    assert!(item.explain.unwrap().contains("--yes"));
    room.undone_with("--dry-run", 0, UndoOutcome::Planned);
    let ran = room.run("undo --quiet");
    assert_eq!((ran.code, &*ran.out, &*ran.err), (4, "", ""));
    let ran = room.run("undo --list --json");
    let report = read(&ran);
    let item = &report.acts[0].items[0];
    assert!(item.undoable && !item.done && item.outcome.is_none(), "{item:#?}");
    assert_eq!(item.ports, [format!("tcp:127.0.0.1:{port}")]);
    assert_eq!(report.acts[0].verb.as_deref(), Some("kill"));
    assert!(!is_served(port));
    assert_eq!(room.run("undo -y 7").code, 1);
    assert_eq!(room.run("undo -y x").code, 2);
    assert_eq!(room.run("undo --list 1").code, 2);
    assert_eq!(room.run("undo --here --json -y").code, 2);
}

#[test]
fn secrets_are_kept_only_when_wanted() {
    let Some(room) = Room::new("secrets") else { return };
    let port = free_port();
    let server = || {
        let mut command = room.server(port, &[]);
        command.env("API_TOKEN", "s3cr3t-one").env("DB_URL", "postgres://me:s3cr3t-two@db/x");
        command.env("PLAIN", "plain");
        command
    };
    room.serve(port, &mut server());
    let number = room.kill(port);
    let file = fs::read_to_string(room.kept().join(format!("{number}.json"))).unwrap();
    assert!(!file.contains("s3cr3t") && file.contains("PLAIN=plain"), "{file}");
    // What is missing is named, and taken from here where it is there.
    let item = room.undone_with("-y", 0, UndoOutcome::Started);
    assert_eq!(item.missing, ["API_TOKEN", "DB_URL"]);
    let now = environment(item.started_pid.unwrap());
    assert_eq!(now.len(), 2, "{now:?}");
    room.kill(port);
    room.serve(port, &mut server());
    room.kill(port);
    let output = room.program().env("API_TOKEN", "mine").args(["undo", "-y", "--json"]).output();
    let report = read(&Ran::from(output.unwrap()));
    let item = &report.acts[0].items[0];
    room.pids.borrow_mut().extend(item.started_pid);
    assert_eq!(item.missing, ["DB_URL"]);
    assert!(environment(item.started_pid.unwrap()).contains(&b"API_TOKEN=mine".to_vec()));
    room.kill(port);
    // --keep-env keeps them, for this user's eyes alone.
    room.serve(port, &mut server());
    let words = format!("free --json -y --keep-env :{port}");
    room.run(&words).ended(0, Outcome::Freed);
    let item = room.undone(0, UndoOutcome::Started);
    let now = environment(item.started_pid.unwrap());
    assert!(item.missing.is_empty() && now.contains(&b"API_TOKEN=s3cr3t-one".to_vec()));
    room.kill(port);

    // In arguments they are needed to start it at all.
    let more = ["--password", "s3cr3t-three"].map(OsStr::new);
    room.serve(port, &mut room.server(port, &more));
    let number = room.kill(port);
    let file = fs::read_to_string(room.kept().join(format!("{number}.json"))).unwrap();
    assert!(!file.contains("s3cr3t"), "{file}");
    let item = room.undone(1, UndoOutcome::Impossible);
    let explain = item.explain.unwrap();
    assert!(explain.contains("--password ***") && explain.contains("--keep-env"), "{explain}");
    room.serve(port, &mut room.server(port, &more));
    room.run(&format!("kill --json -y --keep-env :{port}")).ended(0, Outcome::Freed);
    let item = room.undone(0, UndoOutcome::Started);
    assert!(!format!("{item:?}").contains("s3cr3t"), "{item:?}");
    assert!(cmdline(item.started_pid.unwrap()).ends_with(b"s3cr3t-three\0"));
}

#[test]
fn what_a_person_typed_is_started_and_not_its_last_child() {
    let Some(room) = Room::new("family") else { return };
    let port = free_port();
    // As `npm run dev`: a program that waits for a shell, which waits for the server.
    let script = format!("{PYTHON} server.py {port}; exit $?");
    let mut command = Command::new("/usr/bin/timeout");
    command.args(["--foreground", "50", "/bin/sh", "-c", &script]).env_clear();
    let top = room.serve(port, &mut command);
    let [shell] = procfs::children(top)[..] else { panic!("no shell") };
    let [server] = procfs::children(shell)[..] else { panic!("no server") };
    let report = room.run(&format!("kill --json -y :{port}")).ended(0, Outcome::Freed);
    assert_eq!(report.events[0].pid, Some(server));
    let item = room.undone(0, UndoOutcome::Started);
    assert_eq!((item.pid, item.ports.len()), (Some(top), 1), "{item:#?}");
    let now = item.started_pid.unwrap();
    assert!(cmdline(now).starts_with(b"/usr/bin/timeout\0--foreground\x0050\0"));
    assert_eq!(procfs::children(now).len(), 1);
    room.kill(port);

    // A parent that stays is not started again: only its child ended.
    let script = format!("{PYTHON} server.py {port}; sleep 50");
    let mut command = Command::new("/usr/bin/timeout");
    command.args(["--foreground", "50", "/bin/sh", "-c", &script]).env_clear();
    let top = room.serve(port, &mut command);
    room.kill(port);
    assert!(lives(top));
    let item = room.undone(0, UndoOutcome::Started);
    assert!(cmdline(item.started_pid.unwrap()).starts_with(PYTHON.as_bytes()), "{item:#?}");
}

#[test]
fn a_port_that_is_taken_is_left_alone() {
    let Some(room) = Room::new("taken") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    room.kill(port);
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let item = room.undone(1, UndoOutcome::PortTaken);
    let own = format!("(pid {})", std::process::id());
    assert!(item.explain.unwrap().contains(&own) && item.started_pid.is_none());
    drop(other);
    // The same command, started by somebody else meanwhile.
    let pid = room.serve(port, &mut room.server(port, &[]));
    let item = room.undone(0, UndoOutcome::AlreadyRunning);
    assert!(item.explain.unwrap().contains(&format!("(pid {pid})")));
}

#[test]
fn what_is_gone_is_named() {
    let Some(room) = Room::new("gone") else { return };
    let port = free_port();
    // A program of its own, in a directory of its own.
    let copy = room.at.join("my server");
    fs::copy("/usr/bin/python3.11", &copy).or_else(|_| fs::copy(PYTHON, &copy)).unwrap();
    let started = wait_until(SOON, || Command::new(&copy).arg("-V").output().is_ok());
    assert!(started, "the copy is still open for writing elsewhere");
    let mut command = Command::new(&copy);
    command.args(["server.py", &port.to_string()]).env_clear().env("PYTHONHOME", "/usr");
    room.serve(port, &mut command);
    room.kill(port);
    let aside = room.at.join("aside");
    fs::rename(room.web(), &aside).unwrap();
    let item = room.undone(1, UndoOutcome::Impossible);
    assert!(item.explain.unwrap().contains("web cannot be entered: no such file"), "cwd");
    fs::rename(&aside, room.web()).unwrap();
    fs::rename(&copy, &aside).unwrap();
    let item = room.undone(1, UndoOutcome::Impossible);
    assert!(item.explain.unwrap().contains("my server cannot be run: no such file"), "exe");
    fs::create_dir(&copy).unwrap();
    room.undone(1, UndoOutcome::Impossible);
    fs::remove_dir(&copy).unwrap();
    fs::copy(&aside, &copy).unwrap();
    let item = room.undone_with("--dry-run", 0, UndoOutcome::Planned);
    assert!(item.notes.iter().any(|note| note.contains("the new one")), "{item:#?}");
    fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
    let item = room.undone(1, UndoOutcome::Impossible);
    assert!(item.explain.unwrap().contains("cannot be run: permission denied"));
    let list = read(&room.run("undo --list --json"));
    assert!(!list.acts[0].items[0].undoable);
}

#[test]
fn one_that_ends_again_says_why_and_can_be_tried_again() {
    let Some(room) = Room::new("again") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    room.kill(port);
    fs::write(room.web().join("fail"), "").unwrap();
    let item = room.undone(1, UndoOutcome::ExitedAgain);
    assert_eq!(item.last_lines, ["first line", "no luck today"]);
    assert!(item.explain.unwrap().contains("with status 1"));
    let log = PathBuf::from(item.log.unwrap());
    assert_eq!(fs::metadata(log).unwrap().mode() & 0o777, 0o600);
    fs::remove_file(room.web().join("fail")).unwrap();
    let item = room.undone(0, UndoOutcome::Started);
    assert!(item.last_lines.is_empty() && is_served(port));
}

#[test]
fn ten_acts_are_kept_for_their_user_alone() {
    let Some(room) = Room::new("ten") else { return };
    let port = free_port();
    for _ in 0..12 {
        // Nobody's child, so that no restart is watched for.
        let mut command = Command::new("/usr/bin/setsid");
        command.arg("--fork").arg(PYTHON).args(room.server(port, &[]).get_args());
        room.serve(port, command.env_clear());
        room.kill(port);
    }
    let want: Vec<String> = ["10", "11", "12", "3", "4", "5", "6", "7", "8", "9"]
        .map(|number| format!("{number}.json"))
        .to_vec();
    assert_eq!(room.acts(), want);
    let list = read(&room.run("undo --list --json"));
    let numbers: Vec<u64> = list.acts.iter().map(|act| act.number).collect();
    assert_eq!(numbers, (3..=12).rev().collect::<Vec<u64>>());
    for name in room.acts() {
        assert_eq!(fs::metadata(room.kept().join(name)).unwrap().mode() & 0o7777, 0o600);
    }
    for directory in [room.kept(), room.state().join("proc"), room.state()] {
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o7777, 0o700, "{directory:?}");
    }
    assert_eq!(room.run("undo -y 1").code, 1);
    let drafts = fs::read_dir(room.kept())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().as_bytes().starts_with(b".1"));
    assert_eq!(drafts.count(), 0, "nothing half-written is left");
}

#[test]
fn acts_at_the_same_time_have_their_own_numbers() {
    let Some(room) = Room::new("many") else { return };
    let ports: Vec<u16> = (0..5).map(|_| free_port()).collect();
    for &port in &ports {
        room.serve(port, &mut room.server(port, &[]));
    }
    let acts: Vec<Child> = ports
        .iter()
        .map(|port| {
            let mut command = room.program();
            command.args(["kill", "--json", "-y", &format!(":{port}")]);
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut numbers: Vec<u64> = acts
        .into_iter()
        .map(|act| {
            Ran::from(act.wait_with_output().unwrap()).ended(0, Outcome::Freed).undo.unwrap()
        })
        .collect();
    room.reap();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn two_undos_at_once_start_it_once() {
    let Some(room) = Room::new("once") else { return };
    let port = free_port();
    // It serves with SO_REUSEPORT, so that the kernel would let both in.
    let script = SERVER.replace("SO_REUSEADDR", "SO_REUSEPORT");
    fs::write(room.web().join("server.py"), script).unwrap();
    room.serve(port, &mut room.server(port, &[]));
    room.kill(port);
    let undos: Vec<Child> = (0..4)
        .map(|_| {
            let mut command = room.program();
            command.args(["undo", "--json", "-y"]).stdout(Stdio::piped()).stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    let mut outcomes = Vec::new();
    for undo in undos {
        let report = read(&Ran::from(undo.wait_with_output().unwrap()));
        let item = &report.acts[0].items[0];
        outcomes.push(item.outcome.unwrap());
        room.pids.borrow_mut().extend(item.started_pid);
    }
    let started = outcomes.iter().filter(|outcome| **outcome == UndoOutcome::Started).count();
    assert_eq!(started, 1, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|one| { [UndoOutcome::Started, UndoOutcome::AlreadyRunning].contains(one) }),
        "{outcomes:?}"
    );
    let mut pids = room.pids.borrow().clone();
    pids.dedup();
    assert_eq!(pids.len(), 1, "{pids:?}");
}

/// The act is done, says once that it cannot be undone and why, and nothing was written there.
#[track_caller]
fn acts_without_a_record(room: &Room, why: &str) {
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    let report = room.run(&format!("kill --json -y :{port}")).ended(0, Outcome::Freed);
    let notes: Vec<&String> =
        report.notes.iter().filter(|note| note.contains("cannot be undone")).collect();
    assert!(report.undo.is_none() && notes.len() == 1, "{report:#?}");
    assert!(notes[0].contains(why), "{notes:?}");
}

#[test]
fn a_state_directory_that_is_not_ours_is_not_used() {
    let Some(room) = Room::new("hostile") else { return };
    let elsewhere = room.at.join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::create_dir_all(room.state()).unwrap();
    symlink(&elsewhere, room.state().join("proc")).unwrap();
    acts_without_a_record(&room, "is a link");
    let ran = room.run("undo -y");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("is a link"), "{ran:?}");
    fs::remove_file(room.state().join("proc")).unwrap();
    fs::create_dir(room.state().join("proc")).unwrap();
    symlink(&elsewhere, room.state().join("proc/undo")).unwrap();
    acts_without_a_record(&room, "is a link");
    fs::remove_file(room.state().join("proc/undo")).unwrap();
    fs::create_dir(room.kept()).unwrap();
    fs::set_permissions(room.kept(), Permissions::from_mode(0o777)).unwrap();
    acts_without_a_record(&room, "others may write");
    fs::remove_dir(room.kept()).unwrap();
    fs::write(room.kept(), "").unwrap();
    acts_without_a_record(&room, "no directory");
    fs::remove_file(room.kept()).unwrap();
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    // A link in the place of a file is replaced by nothing and followed by nobody.
    fs::create_dir(room.kept()).unwrap();
    let secret = room.at.join("secret");
    fs::write(&secret, "{\"format\":1}").unwrap();
    symlink(&secret, room.kept().join("1.json")).unwrap();
    let ran = room.run("undo -y 1");
    assert!(ran.code == 1 && ran.err.contains("1.json cannot be read"), "{ran:?}");
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    assert_eq!(room.kill(port), 2);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "{\"format\":1}");
    if !is_root() {
        return skip("giving a directory to another user needs root");
    }
    std::os::unix::fs::chown(room.kept(), Some(unprivileged_uid()), None).unwrap();
    acts_without_a_record(&room, "belongs to another user");
}

#[test]
fn a_full_disk_hinders_no_act() {
    if !is_root() {
        return skip("mounting a file system needs root");
    }
    let Some(room) = Room::new("full") else { return };
    let at = room.at.display();
    let port = free_port();
    let script = format!(
        "cd {at}/web; mkdir -p {at}/state; mount -t tmpfs -o size=8k,mode=700 tmpfs {at}/state
         {PYTHON} server.py {port} >/dev/null 2>&1 </dev/null &
         $PROC wait -q --listening --timeout 10s :{port}
         mkdir -p -m 700 {at}/state/proc/undo
         head -c 100000 /dev/zero > {at}/state/full 2>/dev/null || true
         XDG_STATE_HOME={at}/state $PROC kill --json -y :{port}
         ls -A {at}/state/proc/undo >&2"
    );
    let ran = in_world(&script);
    let report: proc_core::report::Report = serde_json::from_str(&ran.out).unwrap();
    let target = &report.targets[0];
    assert_eq!((ran.code, target.outcome), (0, Some(Outcome::Freed)), "{ran:?}");
    assert!(target.undo.is_none(), "{target:#?}");
    assert!(target.notes.iter().any(|note| note.contains("no space left")), "{target:#?}");
    assert_eq!(ran.err, "", "nothing half-written is left");
}

#[test]
fn a_file_that_is_none_of_ours_is_one_sentence() {
    let Some(room) = Room::new("damaged") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    room.kill(port);
    let path = room.kept().join("1.json");
    let good = fs::read(&path).unwrap();
    let mut cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "damaged"),
        (b"\xff\xfe".to_vec(), "damaged"),
        (b"{}".to_vec(), "damaged"),
        (b"[1]".to_vec(), "damaged"),
        (br#"{"format":2,"anything":[]}"#.to_vec(), "newer proc"),
        (br#"{"format":1,"number":1}"#.to_vec(), "damaged"),
        (
            String::from_utf8(good.clone()).unwrap().replace("\"number\":1", "\"number\":9").into(),
            "act 9",
        ),
    ];
    cases.extend(
        [1, 10, good.len() / 2, good.len() - 3].map(|cut| (good[..cut].to_vec(), "damaged")),
    );
    for (bytes, why) in cases {
        fs::write(&path, &bytes).unwrap();
        let ran = room.run("undo -y");
        assert_eq!((ran.code, &*ran.out), (1, ""), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        assert!(ran.err.contains(why), "{ran:?} wants {why}");
        let list = read(&room.run("undo --list --json"));
        assert!(list.acts[0].explain.as_ref().unwrap().contains(why));
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let ran = room.run("undo -y");
    assert!(ran.code == 1 && ran.err.contains("1.json"), "{ran:?}");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, good).unwrap();
    room.undone(0, UndoOutcome::Started);
}

#[test]
fn here_is_this_very_process() {
    let Some(room) = Room::new("here") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[OsStr::from_bytes(b"\xff")]));
    room.kill(port);
    let mut command = room.program();
    command.args(["undo", "-y", "--here"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    assert!(wait_until(SOON, || is_served(port)));
    assert!(cmdline(pid).ends_with(b"\0\xff\0"), "it became the server");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), room.web());
    let item = room.undone(0, UndoOutcome::AlreadyRunning);
    assert_eq!(item.started_pid, Some(pid));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn in_a_terminal_it_asks_and_is_pointed_to() {
    let Some(room) = Room::new("tty") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    let state = format!("XDG_STATE_HOME={}", room.state().display());
    let mut shell = terminal::Terminal::start(&["env", &state, "/bin/sh"]);
    shell.until("$ ");
    shell.key(format!("$PROC kill -y :{port}\r").as_bytes());
    shell.until("undo: proc undo 1");
    shell.key(b"$PROC undo\r");
    let shown = shell.until("Go ahead? [y/N] ");
    assert!(shown.contains("server.py") && shown.contains("start it in the background"), "{shown}");
    shell.key(b"n\r");
    shell.until("nothing was done");
    assert!(!is_served(port));
    shell.key(b"$PROC undo\r");
    shell.until("Go ahead? [y/N] ");
    shell.key(b"y\r");
    shell.until(&format!("serves tcp:127.0.0.1:{port} again"));
    let item = room.undone(0, UndoOutcome::AlreadyRunning);
    // It outlives the terminal.
    shell.key(b"exit\r");
    shell.end();
    assert!(is_served(port) && lives(item.started_pid.unwrap()));
}

#[test]
fn root_starts_it_as_its_user() {
    if !is_root() {
        return skip("becoming another user needs root");
    }
    let Some(room) = Room::new("user") else { return };
    let port = free_port();
    let user = unprivileged_uid();
    let mut command = room.server(port, &[]);
    command.uid(user).gid(user);
    let pid = room.serve(port, &mut command);
    let facts = |pid| ["Uid", "Gid", "Groups"].map(|field| status(pid, field));
    let before = facts(pid);
    room.kill(port);
    let item = room.undone(0, UndoOutcome::Started);
    assert_eq!((item.uid, facts(item.started_pid.unwrap())), (Some(user), before));
    room.kill(port);

    // A record of root's process in the hands of a user is refused with the command.
    let mut command = room.server(port, &[]);
    room.serve(port, &mut command);
    room.kill(port);
    let public = Public::new("undo");
    let home = room.at.join("home");
    fs::create_dir_all(home.join(".local/state/proc/undo")).unwrap();
    let last = read(&room.run("undo --list --json")).acts[0].number;
    let name = format!("{last}.json");
    fs::copy(room.kept().join(&name), home.join(".local/state/proc/undo").join(&name)).unwrap();
    let own = |path: &Path| std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
    for path in ["", ".local", ".local/state", ".local/state/proc", ".local/state/proc/undo"] {
        own(&home.join(path));
        fs::set_permissions(home.join(path), Permissions::from_mode(0o700)).unwrap();
    }
    own(&home.join(".local/state/proc/undo").join(&name));
    let mut command = run_as(user, public.path());
    command.env_clear().env("HOME", &home).args(["undo", "-y", "--json"]).current_dir("/");
    let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap());
    let report = read(&ran);
    let item = &report.acts[0].items[0];
    assert_eq!((ran.code, item.outcome), (3, Some(UndoOutcome::Denied)), "{item:#?}");
    assert!(item.explain.as_ref().unwrap().contains("sudo -u 'root'"), "{item:#?}");
}

#[test]
fn what_nobody_can_bring_back_is_said() {
    let Some(room) = Room::new("lost") else { return };
    let path = room.at.join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let report = room.run(&format!("free --json -y {}", path.display())).ended(0, Outcome::Freed);
    assert!(report.undo.is_none() && !path.exists(), "{report:#?}");
    let item = room.undone(1, UndoOutcome::Impossible);
    assert_eq!(item.kind, UndoKind::Lost);
    assert!(item.name.contains("stale.sock") && item.explain.unwrap().contains("cannot be undone"));
}

#[test]
fn one_without_ports_comes_back_too() {
    let Some(room) = Room::new("portless") else { return };
    let mut command = Command::new("/usr/bin/sleep");
    command.arg("59").current_dir(room.web()).env_clear().stdin(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    room.children.borrow_mut().push(child);
    // Known to be past exec.
    assert!(wait_until(SOON, || cmdline(pid).starts_with(b"/usr/bin/sleep")));
    let mut kill = room.program();
    let kill =
        kill.args(["kill", "--json", "-y", &format!("pid:{pid}")]).stdout(Stdio::piped()).spawn();
    let kill = kill.unwrap();
    assert!(wait_until(SOON, || {
        room.reap();
        !lives(pid)
    }));
    Ran::from(kill.wait_with_output().unwrap()).ended(0, Outcome::Freed);
    let item = room.undone(0, UndoOutcome::Started);
    assert!(item.notes.iter().any(|note| note.contains("piped into it")), "{item:#?}");
    assert_eq!(cmdline(item.started_pid.unwrap()), b"/usr/bin/sleep\x0059\0");
}

/// Changes what is kept of the last act.
fn forge(room: &Room, change: impl FnOnce(&mut serde_json::Value)) {
    let name = room.acts().pop().unwrap();
    let path = room.kept().join(name);
    let mut act: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut act);
    fs::write(&path, act.to_string()).unwrap();
}

#[test]
fn a_lever_is_turned_round() {
    let Some(room) = Room::new("lever") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    room.kill(port);
    let touched = room.at.join("touched");
    let lever = |inverse: serde_json::Value| {
        serde_json::json!([{"kind": "command", "name": "web.service",
            "ran": ["systemctl", "stop", "web.service"], "inverse": inverse}])
    };
    forge(&room, |act| act["items"] = lever(serde_json::json!(["/usr/bin/false", "web"])));
    let item = room.undone(1, UndoOutcome::Failed);
    assert_eq!((item.kind, item.done), (UndoKind::Command, false));
    forge(&room, |act| act["items"] = lever(serde_json::json!(["/usr/bin/touch", touched])));
    room.undone_with("--dry-run", 0, UndoOutcome::Planned);
    assert!(!touched.exists());
    let ran = room.run("undo -y --here");
    assert!(ran.code == 4 && ran.out.contains("runs in no terminal"), "{ran:?}");
    let item = room.undone(0, UndoOutcome::Started);
    assert!(touched.exists() && item.explain.unwrap().contains("web.service"));
    room.undone(1, UndoOutcome::AlreadyUndone);
    forge(&room, |act| act["items"] = lever(serde_json::Value::Null));
    let item = room.undone(1, UndoOutcome::Impossible);
    assert!(item.explain.unwrap().contains("`systemctl stop web.service`"));
}

#[test]
fn what_another_runs_or_nobody_knows_is_not_started() {
    let Some(room) = Room::new("known") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    room.kill(port);
    let own = std::process::id();
    let stat = fs::read_to_string(format!("/proc/{own}/stat")).unwrap();
    let start: u64 =
        stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
    let keeper = serde_json::json!({"pid": own, "start": start});
    forge(&room, |act| {
        act["items"][0]["keeper"] = keeper;
        act["items"][0]["supervisor"] = "nodemon".into();
    });
    let item = room.undone(4, UndoOutcome::Refused);
    assert!(item.explain.unwrap().contains(&format!("nodemon (pid {own}) runs it")));
    // A number of another boot means nobody.
    forge(&room, |act| act["boot"] = "another".into());
    room.undone_with("--dry-run", 0, UndoOutcome::Planned);
    forge(&room, |act| act["items"][0]["elsewhere"] = "it had its own file systems".into());
    let item = room.undone(1, UndoOutcome::Impossible);
    assert!(item.explain.unwrap().contains("start it there"));
    forge(&room, |act| {
        act["items"][0]["elsewhere"].take();
        act["items"][0]["argv"] = serde_json::json!(["nginx: master process nginx"]);
        act["items"][0]["title"] = true.into();
    });
    let item = room.undone(1, UndoOutcome::Impossible);
    assert!(item.explain.unwrap().contains("title"));
    forge(&room, |act| {
        act["items"][0]["environment"].take();
    });
    let item = room.undone(1, UndoOutcome::Impossible);
    assert!(item.explain.unwrap().contains("environment could not be read"));
    assert!(!is_served(port));
}

#[test]
fn a_port_that_the_kernel_chose_is_not_waited_for() {
    let Some(room) = Room::new("drawn") else { return };
    let script = SERVER
        .replace("int(sys.argv[1])", "0")
        .replace("print('up'", "open('port', 'w').write(str(s.getsockname()[1])); print('up'");
    fs::write(room.web().join("server.py"), script).unwrap();
    let mut command = Command::new(PYTHON);
    command.arg("server.py").current_dir(room.web()).env_clear().stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    room.children.borrow_mut().push(child);
    let read = || fs::read_to_string(room.web().join("port")).ok()?.parse::<u16>().ok();
    assert!(wait_until(SOON, || read().is_some()));
    let port = read().unwrap();
    room.kill(port);
    // The number is another's by now, and the server takes the next.
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let item = room.undone(0, UndoOutcome::Started);
    assert!(item.explain.unwrap().contains("listens again"));
    drop(other);
    assert!(is_served(read().unwrap()));
}

#[test]
fn where_netlink_is_refused_it_is_seen_to_serve() {
    let Some(room) = Room::new("no-netlink") else { return };
    let port = free_port();
    room.serve(port, &mut room.server(port, &[]));
    room.kill(port);
    let mut command = room.program();
    command.args(["undo", "--json", "-y"]);
    let ran = Ran::from(confined(&[Limit::NoNetlink], &command).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: UndoReport = read(&ran);
    let item = &report.acts[0].items[0];
    room.pids.borrow_mut().extend(item.started_pid);
    assert_eq!(item.outcome, Some(UndoOutcome::Started), "{item:?}");
}

#[test]
fn datagrams_and_socket_files_count_as_served() {
    let Some(room) = Room::new("other") else { return };
    let port = free_port();
    let path = room.at.join("app.sock");
    let script = format!(
        "import os, signal, socket\nsignal.alarm(60)\nu = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         u.bind(('127.0.0.1', {port}))\ns = socket.socket(socket.AF_UNIX)\n\
         s.bind('{}')\ns.listen()\nwhile True: s.accept()\n",
        path.display()
    );
    fs::write(room.web().join("server.py"), script).unwrap();
    let mut command = Command::new(PYTHON);
    command.args(["server.py", &port.to_string()]).current_dir(room.web()).env_clear();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    room.children.borrow_mut().push(child);
    let served = || std::os::unix::net::UnixStream::connect(&path).is_ok();
    assert!(wait_until(SOON, served));
    let words = format!("kill --json -y {}", path.display());
    room.run(&words).ended(0, Outcome::Freed);
    assert!(!path.exists(), "the act removed the file");
    let item = room.undone(0, UndoOutcome::Started);
    assert_eq!(item.ports, [format!("udp:127.0.0.1:{port}"), path.display().to_string()]);
    assert!(served());
    // By its port it is the same.
    room.run(&format!("kill --json -y udp:{port}")).ended(0, Outcome::Freed);
    fs::remove_file(&path).unwrap();
    room.undone(0, UndoOutcome::Started);
    assert!(served());
}

/// A control group named like a unit, removed with the test.
struct Unit(PathBuf);

impl Unit {
    /// `None` where no group can be made that `/proc/PID/cgroup` shows.
    fn new(name: &str) -> Option<Self> {
        let roots = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let root = roots.map(Path::new).into_iter().find(|root| root.join("cgroup.procs").exists());
        let group = root?.join(name);
        fs::create_dir(&group).ok()?;
        Some(Self(group))
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        wait_until(SOON, || fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_unit_is_started_by_its_manager() {
    let Some(room) = Room::new("unit") else { return };
    let name = format!("undo{}.service", std::process::id());
    let Some(unit) = Unit::new(&name) else {
        return skip("no control group can be made here");
    };
    let log = room.at.join("log");
    let port = free_port();
    // It says that it is done before the server serves, as systemd does of Type=simple.
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = start ] || exit 0\necho \"$*\" >>{}\n[ -e {}/fail ] && exit 0\n\
         cd {}; setsid --fork {PYTHON} server.py {port} >/dev/null 2>&1 </dev/null\n",
        log.display(),
        room.at.display(),
        room.web().display()
    );
    fs::create_dir(room.at.join("bin")).unwrap();
    let systemctl = room.at.join("bin/systemctl");
    fs::write(&systemctl, script).unwrap();
    fs::set_permissions(&systemctl, Permissions::from_mode(0o755)).unwrap();
    let run = |words: &str| {
        let path = format!("{}:/usr/bin:/bin", room.at.join("bin").display());
        let mut command = room.program();
        command.env("PATH", path).args(words.split_whitespace());
        let ran = Ran::from(command.output().unwrap());
        room.reap();
        ran
    };
    let pid = room.serve(port, &mut room.server(port, &[]));
    fs::write(unit.0.join("cgroup.procs"), pid.to_string()).unwrap();
    let report = run(&format!("kill --json -y :{port}")).ended(0, Outcome::Freed);
    assert_eq!(report.undo, Some(1));
    let report = read(&run("undo --json -y"));
    let item = &report.acts[0].items[0];
    assert_eq!(
        (item.kind, item.outcome),
        (UndoKind::Command, Some(UndoOutcome::Started)),
        "{item:#?}"
    );
    assert_eq!(item.argv, ["systemctl", "start", &name]);
    assert_eq!(fs::read_to_string(&log).unwrap(), format!("start {name}\n"));
    assert_eq!(item.ports, [format!("tcp:127.0.0.1:{port}")]);
    assert!(item.explain.as_ref().unwrap().contains("serves") && is_served(port));
    // A manager that is content while nothing serves is no success.
    room.kill(port);
    fs::write(room.at.join("fail"), "").unwrap();
    let report = read(&run("undo --json -y --again --timeout 200ms 1"));
    assert_eq!(report.acts[0].items[0].outcome, Some(UndoOutcome::NotServing));
}
