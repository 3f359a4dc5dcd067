//! Whole runs of `wait` against actors: what it waits for, that it follows the port and not the
//! process, and what it says when it has to give up.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use live::*;
use proc_core::report::TargetReport;
use proc_testkit::{Limit, confined, is_root, skip};

/// A `wait` that runs.
struct Wait(Child);

impl Wait {
    fn start(words: &str) -> Self {
        Self::start_command(program(), words)
    }

    fn start_command(mut command: Command, words: &str) -> Self {
        command.arg("wait").args(words.split_whitespace()).args(["--timeout", "60s"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let wait = Self(child);
        wait.is_waiting();
        wait
    }

    /// It has looked and sleeps: it was found asleep many times in a row.
    #[track_caller]
    fn is_waiting(&self) {
        let mut asleep = 0;
        let settled = wait_until(SOON, || {
            let state = procfs::state(self.0.id());
            asleep = if state == Some('S') { asleep + 1 } else { 0 };
            asleep == 40 || matches!(state, None | Some('Z'))
        });
        assert!(settled && asleep == 40, "it does not wait");
    }

    fn interrupt(&self) {
        let pid = rustix_pid(self.0.id());
        rustix::process::kill_process(pid, Signal::INT).unwrap();
    }

    fn ended(mut self) -> Ran {
        let ended = wait_until(4 * SOON, || matches!(self.0.try_wait(), Ok(Some(_))));
        if !ended {
            let _ = self.0.kill();
        }
        let status = self.0.wait().unwrap();
        let mut ran =
            Ran { code: status.code().unwrap_or(-1), out: String::new(), err: String::new() };
        self.0.stdout.take().unwrap().read_to_string(&mut ran.out).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut ran.err).unwrap();
        assert!(ended, "it never ended: {ran:?}");
        ran
    }

    /// It ends, and what was waited for is so.
    #[track_caller]
    fn succeeds(self) -> Ran {
        let ran = self.ended();
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    }
}

fn rustix_pid(pid: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(pid.cast_signed()).unwrap()
}

fn end(actor: &Actor) {
    assert!(actor.signal(Signal::KILL) || !lives(actor.pid()));
}

#[track_caller]
fn gives_up(words: &str, code: i32) -> TargetReport {
    let ran = run(&format!("wait --json --timeout 300ms {words}"));
    assert_eq!(ran.code, code, "{ran:?}");
    let report = ran.one();
    assert_eq!(report.met, Some(false));
    report
}

#[track_caller]
fn assert_says(report: &TargetReport, words: &str) {
    let explain = report.explain.as_deref().unwrap_or_default();
    assert!(explain.contains(words), "{words}: {explain}");
}

#[test]
fn what_is_so_already_is_answered_at_once() {
    let port = free_port();
    let ran = run(&format!("wait :{port}"));
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, &*format!(":{port} is free\n"), ""));
    let report = run(&format!("wait --json :{port}")).one();
    assert_eq!((report.met, report.waited_ms.is_some()), (Some(true), true));
    let actor = Actor::spawn(&["listen"]);
    let ran = run(&format!("wait :{} --listening", actor.port()));
    assert_eq!((ran.code, &*ran.out), (0, &*format!(":{} is listened on\n", actor.port())));
    assert_eq!(run("wait pid:4194303").code, 0);
    assert_eq!(run("wait no-such-program-here").code, 0);
    assert_eq!(run("wait unix:@no-such-name-here").code, 0);
    let ran = run(&format!("wait -q :{port}"));
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", ""));
}

#[test]
fn however_a_port_is_held_its_end_is_noticed() {
    for (role, option) in [
        (&["listen"][..], ""),
        (&["listen", "--addr", "0.0.0.0"], ""),
        (&["listen", "--addr", "::"], ""),
        (&["listen", "--addr", "::", "--v6only"], ""),
        (&["listen", "--addr", "::1"], ""),
        (&["listen", "--addr", "127.0.0.2"], "--address 127.0.0.2"),
        (&["bound"], ""),
        (&["udp"], "--udp"),
        (&["mptcp"], ""),
        (&["thread-table"], ""),
        (&["io-uring"], ""),
        (&["mmap"], ""),
    ] {
        let actor = Actor::spawn(role);
        let port = actor.port();
        let wait = Wait::start(
            &format!("tcp:{port} {option}")
                .replace("tcp:", if option == "--udp" { "udp:" } else { "tcp:" }),
        );
        end(&actor);
        let ran = wait.succeeds();
        assert!(ran.out.contains(" is free (after "), "{role:?}: {ran:?}");
        let bound = match role[0] {
            "udp" => UdpSocket::bind(("::", port)).is_ok(),
            _ => TcpListener::bind(("::", port)).is_ok(),
        };
        assert!(bound, "{role:?}");
    }
}

#[test]
fn udp_is_another_matter_than_tcp() {
    let actor = Actor::spawn(&["udp"]);
    assert_eq!(run(&format!("wait :{}", actor.port())).code, 0);
    gives_up(&format!(":{} --udp", actor.port()), 1);
    gives_up(&format!("udp:{}", actor.port()), 1);
}

#[test]
fn one_of_two_holders_is_not_all_of_them() {
    let actor = Actor::spawn(&["inherit", "--keep-parent"]);
    let child = actor.children()[0];
    let wait = Wait::start(&format!("tcp:{}", actor.port()));
    end(&actor);
    assert!(actor.wait_exit(SOON));
    assert!(lives(child));
    wait.is_waiting();
    rustix::process::kill_process(rustix_pid(child), Signal::KILL).unwrap();
    wait.succeeds();
}

#[test]
fn who_takes_over_is_waited_for_too() {
    let first = Actor::spawn(&["listen", "--reuse-port"]);
    let port = first.port().to_string();
    let wait = Wait::start(&format!("tcp:{port}"));
    let second = Actor::spawn(&["listen", "--reuse-port", "--port", &port]);
    end(&first);
    assert!(first.wait_exit(SOON));
    wait.is_waiting();
    let third = Actor::spawn(&["listen", "--reuse-port", "--port", &port]);
    end(&second);
    assert!(second.wait_exit(SOON));
    wait.is_waiting();
    end(&third);
    wait.succeeds();
}

#[test]
fn connections_keep_a_port_until_they_are_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    let wait = Wait::start(&format!("tcp:{}", address.port()));
    drop(listener);
    wait.is_waiting();
    // The client closes first, so what remains is on its port.
    drop(client);
    assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
    wait.is_waiting();
    drop(accepted);
    wait.succeeds();
}

#[test]
fn remains_are_waited_out_unless_they_do_not_matter() {
    let actor = Actor::spawn(&["time-wait"]);
    let report = gives_up(&format!("tcp:{}", actor.port()), 1);
    assert_says(&report, "in TIME-WAIT; it ends in ");
    assert!(report.causes[0].expires_ms.unwrap() > 40_000);
    // Those of a server that did not set it stop even one that does.
    gives_up(&format!("tcp:{} --reuse-addr", actor.port()), 1);
    let actor = Actor::spawn(&["time-wait", "--reuse-addr"]);
    gives_up(&format!("tcp:{}", actor.port()), 1);
    let ran = run(&format!("wait tcp:{} --reuse-addr", actor.port()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("free for a server that sets SO_REUSEADDR"), "{ran:?}");
}

#[test]
fn remains_that_are_cleared_are_noticed() {
    let actor = Actor::spawn(&["time-wait"]);
    let wait = Wait::start(&format!("tcp:{}", actor.port()));
    assert_eq!(run(&format!("free -y tcp:{}", actor.port())).code, 0);
    wait.succeeds();
}

#[test]
fn a_server_that_starts_is_noticed_where_it_was_expected() {
    for (option, target, role) in [
        ("", "tcp:{}", &["listen"][..]),
        ("", "tcp:{}", &["listen", "--addr", "0.0.0.0"]),
        ("", "127.0.0.1:{}", &["listen", "--addr", "0.0.0.0"]),
        ("", "[::1]:{}", &["listen", "--addr", "::"]),
        ("", "127.0.0.1:{}", &["listen", "--addr", "::"]),
        ("", "localhost:{}", &["listen", "--addr", "::1"]),
        ("", "tcp:{}", &["listen", "--addr", "127.0.0.2"]),
        ("", "127.0.0.2:{}", &["listen", "--addr", "127.0.0.2"]),
        ("--udp", ":{}", &["udp"]),
        ("", "tcp:{}", &["mptcp"]),
    ] {
        let port = free_port().to_string();
        let wait = Wait::start(&format!("--listening {option} {}", target.replace("{}", &port)));
        let actor = Actor::spawn(&[role, &["--port", &port]].concat());
        wait.succeeds();
        drop(actor);
    }
}

#[test]
fn who_does_not_listen_there_is_no_server() {
    let actor = Actor::spawn(&["bound"]);
    let report = gives_up(&format!("tcp:{} --listening", actor.port()), 1);
    assert_says(&report, "timed out after 3");
    assert_says(&report, &format!("nothing listens on tcp:{}; ", actor.port()));
    assert_says(&report, &format!("is bound, without listening, by actor (pid {})", actor.pid()));
    let actor = Actor::spawn(&["listen"]);
    let report = gives_up(&format!("[::1]:{} --listening", actor.port()), 1);
    assert_says(&report, &format!("is held by actor (pid {})", actor.pid()));
    let report = gives_up(&format!("udp:{} --listening", actor.port()), 1);
    assert_eq!(report.causes.len(), 0);
    assert_says(&gives_up("10.99.98.97:80 --listening", 1), "not an address of this machine");
    assert_says(&gives_up("10.99.98.97:80", 1), "not an address of this machine");
}

#[test]
fn one_of_a_range_is_enough_to_listen_and_all_must_be_free() {
    let actor = Actor::spawn(&["listen"]);
    let port = actor.port();
    let range = format!("tcp:{}-{}", port.saturating_sub(2), port.saturating_add(2));
    let ran = run(&format!("wait {range} --listening"));
    assert!(ran.code == 0 && ran.out.contains(&port.to_string()), "{ran:?}");
    let report = gives_up(&range, 1);
    assert!(report.causes.iter().any(|cause| cause.pids.contains(&actor.pid())), "{report:#?}");
}

#[test]
fn all_of_several_or_any_of_them() {
    let (one, two) = (Actor::spawn(&["listen"]), Actor::spawn(&["listen"]));
    let words = format!("tcp:{} tcp:{} pid:{}", one.port(), two.port(), two.pid());
    let all = Wait::start(&words);
    let any = Wait::start(&format!("{words} --any --json"));
    end(&one);
    let any = any.succeeds();
    let met: Vec<_> = any.report().targets.iter().map(|t| t.met.unwrap()).collect();
    assert_eq!(met, [true, false, false]);
    all.is_waiting();
    end(&two);
    assert!(two.wait_exit(SOON));
    let all = all.succeeds();
    assert_eq!(all.out.lines().count(), 3, "{all:?}");
}

#[test]
fn processes_are_waited_for_by_number_and_by_name() {
    let name = format!("w{}", std::process::id());
    let one = Actor::spawn(&["listen", "--name", &name]);
    let two = Actor::spawn(&["listen", "--name", &name]);
    let pid = Wait::start(&format!("pid:{}", one.pid()));
    let both = Wait::start(&name);
    let gone = Wait::start(&format!("--gone {name}"));
    end(&one);
    assert!(pid.succeeds().out.starts_with(&format!("pid:{} has ended (after ", one.pid())));
    both.is_waiting();
    // One more comes before the last is gone.
    let three = Actor::spawn(&["listen", "--name", &name]);
    end(&two);
    assert!(two.wait_exit(SOON));
    both.is_waiting();
    let report = gives_up(&name, 1);
    assert_says(&report, &format!("(pid {})", three.pid()));
    assert_eq!(report.processes.len(), 1);
    end(&three);
    both.succeeds();
    gone.succeeds();
    // What waits for this program would never be gone while it waits.
    assert!(wait_until(SOON, || run(&format!("wait -q --timeout 1s {name}")).code == 0));
}

#[test]
fn a_file_is_waited_for_until_nobody_has_it_open() {
    let folder = std::env::temp_dir().join(format!("proc-wait-file-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("data.db");
    fs::write(&file, "").unwrap();
    // It has the file open, closes it when told to, and lives on.
    let mut holder = Command::new("sh")
        .args(["-c", "exec 3<\"$0\"; read line; exec 3<&-; read line"])
        .arg(&file)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let descriptor = format!("/proc/{}/fd/3", holder.id());
    assert!(wait_until(SOON, || fs::read_link(&descriptor).is_ok_and(|path| path == file)));
    let words = file.display().to_string();
    let report = gives_up(&words, 1);
    assert_eq!(report.causes.len(), 0, "{report:#?}");
    assert_says(&report, &format!("(pid {})", holder.id()));
    assert_says(&report, &format!("still uses {words}"));
    assert_eq!(report.processes[0].because.len(), 1, "{report:#?}");
    let wait = Wait::start(&words);
    let mut stdin = holder.stdin.take().unwrap();
    stdin.write_all(b"close\n").unwrap();
    let ran = wait.succeeds();
    assert!(
        ran.out.contains(&format!("no process runs {words} or has it open (after ")),
        "{ran:?}"
    );
    assert!(lives(holder.id()));
    drop(stdin);
    holder.wait().unwrap();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn for_ever_is_no_number() {
    let actor = Actor::spawn(&["listen"]);
    let words = format!("wait -q pid:{}", actor.pid());
    let mut child = program().args(words.split(' ')).spawn().unwrap();
    assert!(wait_until(SOON, || procfs::state(child.id()) == Some('S')));
    end(&actor);
    assert!(wait_until(SOON, || matches!(child.try_wait(), Ok(Some(_)))));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn unix_sockets() {
    let folder = std::env::temp_dir().join(format!("proc-wait-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("app.sock");
    let word = path.to_str().unwrap().to_owned();
    let listening = Wait::start(&format!("{word} --listening"));
    let server = UnixListener::bind(&path).unwrap();
    listening.succeeds();
    let free = Wait::start(&word);
    drop(server);
    // The file alone stops a bind.
    free.is_waiting();
    assert_says(&gives_up(&word, 1), "nobody serves");
    gives_up(&format!("{word} --listening"), 1);
    fs::remove_file(&path).unwrap();
    free.succeeds();
    fs::write(&path, "").unwrap();
    assert_says(&gives_up(&format!("unix:{word}"), 1), "a file that is no socket");
    fs::remove_dir_all(&folder).unwrap();

    let name = format!("@proc-wait-{}", std::process::id());
    let listening = Wait::start(&format!("unix:{name} --listening"));
    let actor = Actor::spawn(&["unix", &name]);
    listening.succeeds();
    let free = Wait::start(&format!("unix:{name}"));
    assert_says(&gives_up(&format!("unix:{name}"), 1), &format!("pid {}", actor.pid()));
    end(&actor);
    free.succeeds();
}

#[test]
fn giving_up_says_who_stands_in_the_way() {
    let actor = Actor::spawn(&["listen"]);
    let ran = run(&format!("wait :{} --timeout 200ms", actor.port()));
    assert_eq!(ran.code, 1, "{ran:?}");
    let first = ran.out.lines().next().unwrap();
    assert!(first.starts_with("timed out after 2"), "{ran:?}");
    assert!(first.contains(&format!("is held by actor (pid {})", actor.pid())), "{ran:?}");
    let wait = Wait::start(&format!(":{}", actor.port()));
    wait.interrupt();
    let ran = wait.ended();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("interrupted after ") && ran.out.contains("is held by"), "{ran:?}");
    let ran = run(&format!("wait -q :{} --timeout 100ms", actor.port()));
    assert_eq!((ran.code, &*ran.out, &*ran.err), (1, "", ""));
}

#[test]
fn who_waits_long_is_told_for_whom() {
    let actor = Actor::spawn(&["listen"]);
    let wait = Wait::start(&format!(":{}", actor.port()));
    assert!(!wait_until(Duration::from_millis(1500), || false));
    end(&actor);
    let ran = wait.succeeds();
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    assert!(ran.err.starts_with("waiting for 1 s: "), "{ran:?}");
    assert!(ran.err.contains(&format!("(pid {})", actor.pid())), "{ran:?}");
}

#[test]
fn where_netlink_is_refused_the_same_is_told() {
    let limits = [Limit::NoNetlink];
    let actor = Actor::spawn(&["listen"]);
    let target = format!(":{}", actor.port());
    let wait = Wait::start_command(confined(&limits, &program()), &target);
    assert!(!wait_until(Duration::from_millis(1500), || false));
    end(&actor);
    let ran = wait.succeeds();
    assert!(ran.err.contains(&format!("(pid {})", actor.pid())), "{ran:?}");
    let mut command = program();
    command.args(["wait", "10.99.98.97:80", "--listening", "--timeout", "300ms"]);
    let ran = Ran::from(confined(&limits, &command).output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    let said = "10.99.98.97 is not an address of this machine (it has ";
    assert!(ran.out.contains(said) && ran.out.contains("127.0.0.1"), "{ran:?}");
}

#[test]
fn wrong_words_are_one_sentence() {
    let actor = Actor::spawn(&["listen"]);
    let port = actor.port();
    for (words, says) in [
        ("wait".to_owned(), "wait for what?"),
        (format!("wait :{port} --gone"), "--gone is for processes; a port becomes free"),
        (format!("wait pid:{} --listening", actor.pid()), "--listening is for ports and sockets"),
        (format!("wait {port}"), &*format!("say :{port}")),
        ("wait udp:53 --http".to_owned(), "--http asks by TCP"),
        (format!("wait :{port} --timeout 5"), "write `5s`"),
        (format!("wait :{port} --any --all"), "--all"),
        (format!("wait :{port} --listening --http"), "--http"),
        (format!("wait :{port} --listening --reuse-addr"), "--reuse-addr"),
        ("wait node --address 127.0.0.1".to_owned(), "--address is for ports"),
        (format!("wait :{port} --replay /dev/null"), "a recording is one moment"),
    ] {
        let ran = run(&words);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{words}: {ran:?}");
        assert!(ran.err.contains(says), "{words}: {ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{words}: {ran:?}");
    }
}

#[test]
fn an_ordinary_user_waits_as_well() {
    if !is_root() {
        return skip("becoming another user needs root");
    }
    let proc = Public::new("wait");
    let port = free_port();
    assert_eq!(proc.run(&format!("wait :{port}")).code, 0);
    let ran = proc.run("wait :80 --timeout 5s");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("ports below 1024 need CAP_NET_BIND_SERVICE"), "{ran:?}");
    // Another user's holder cannot be named; its end is heard all the same.
    let actor = Actor::spawn(&["listen"]);
    let port = actor.port();
    let ran = proc.run(&format!("wait :{port} --timeout 200ms"));
    assert!(ran.code == 1 && ran.out.contains("that you may not see"), "{ran:?}");
    let user = [Limit::User(unprivileged_uid())];
    for limits in [&user[..], &[Limit::User(unprivileged_uid()), Limit::NoNetlink]] {
        let actor = Actor::spawn(&["listen"]);
        let free = Wait::start_command(confined(limits, &program()), &format!(":{}", actor.port()));
        end(&actor);
        free.succeeds();
        let port = free_port().to_string();
        let words = format!("127.0.0.1:{port} --listening");
        let listening = Wait::start_command(confined(limits, &program()), &words);
        let _actor = Actor::spawn(&["listen", "--port", &port]);
        listening.succeeds();
    }
}
