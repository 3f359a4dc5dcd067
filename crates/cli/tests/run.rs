//! Whole runs of `proc run`: what is passed through (terminal, signals, end, output), and each
//! way of dealing with a port that somebody has, with real terminals, servers and sockets.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;
mod terminal;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use live::*;
use rustix::process::{Pid, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use terminal::{Terminal, resize};

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A directory of the test's own.
struct Room(PathBuf);

impl Room {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-run-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn exists(path: &str) -> bool {
    wait_until(2 * SOON, || PathBuf::from(path).exists())
}

/// The program with these words and a script for a shell, without a terminal.
fn run_script(words: &str, script: &str) -> Ran {
    Ran::from(command(words, script).output().unwrap())
}

fn command(words: &str, script: &str) -> Command {
    let mut command = program();
    command.env("PROC", PROC).env("ACTOR", actor_path()).arg("run");
    command.args(words.split_whitespace()).args(["--", "sh", "-c", script]);
    command
}

/// Reads on until that was said.
#[track_caller]
fn read_until(from: &mut impl Read, text: &mut String, said: &str) {
    while !text.contains(said) {
        let mut bytes = [0; 256];
        let count = from.read(&mut bytes).unwrap();
        assert!(count > 0, "{text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
}

/// A server as a script: it takes its port from PORT, or else `port`, says what Node says when
/// it cannot have it, and else that it is ready, with its port, and ends.
fn server(port: u16) -> String {
    format!(
        "p=${{PORT:-{port}}}; \"$ACTOR\" listen --port $p 2>/dev/null </dev/null || {{ \
         echo \"Error: listen EADDRINUSE: address already in use :::$p\" >&2; exit 1; }}"
    )
}

// ---- what is passed through

#[test]
fn the_end_is_the_commands_own() {
    for code in [0, 1, 7, 130, 255] {
        let ran = run_script("", &format!("exit {code}"));
        assert_eq!((ran.code, &*ran.out, &*ran.err), (code, "", ""), "{ran:?}");
    }
    for (name, number) in [("TERM", 15), ("INT", 2), ("KILL", 9), ("SEGV", 11), ("PIPE", 13)] {
        let status = command("", &format!("kill -{name} $$")).status().unwrap();
        assert_eq!(status.signal(), Some(number), "{name}: {status:?}");
        assert!(!status.core_dumped());
    }
}

#[test]
fn a_command_that_cannot_be_started_says_so() {
    let room = Room::new("start");
    let run = |name: &str| {
        let output = program().args(["run", "--", name]).current_dir(&room.0).output();
        Ran::from(output.unwrap())
    };
    let ran = run("no-such-program");
    assert_eq!(ran.code, 127);
    assert_eq!(ran.err, "proc: cannot find `no-such-program`: no such program\n");
    fs::write(room.file("plain"), "exit 4\n").unwrap();
    let ran = run("./plain");
    assert_eq!(ran.code, 126);
    assert!(ran.err.contains("cannot start `./plain`: permission denied"), "{ran:?}");
    // A script without `#!` is the shell's, as everywhere.
    Command::new("chmod").args(["+x", &room.file("plain")]).status().unwrap();
    assert_eq!(run("./plain").code, 4);
    fs::create_dir_all(room.file("node_modules/.bin")).unwrap();
    fs::write(room.file("node_modules/.bin/vitte"), "").unwrap();
    assert!(run("vitte").err.contains("try `npx vitte`"));
    let ran = run("no\x1b[2J");
    assert!(!ran.err.contains('\x1b'), "{ran:?}");
    let ran = Ran::from(program().args(["run", "-q", "--", "no-such"]).output().unwrap());
    assert_eq!((ran.code, &*ran.err), (127, ""));
}

#[test]
fn the_streams_stay_apart_and_in_order() {
    let ran = run_script("", "echo one; echo two >&2; cat; test -t 1 || test -t 2 || echo plain");
    assert_eq!((&*ran.out, &*ran.err), ("one\nplain\n", "two\n"));
    // Both to one place: in the order written.
    let room = Room::new("order");
    let file = File::create(room.file("log")).unwrap();
    let script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    let mut command = command("", script);
    command.stdout(file.try_clone().unwrap()).stderr(file);
    assert!(command.status().unwrap().success());
    let want: String = (0..200).map(|i| format!("o{i}\ne{i}\n")).collect();
    assert_eq!(fs::read_to_string(room.file("log")).unwrap(), want);
}

#[test]
fn the_terminal_stays_a_terminal() {
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size <&1 && stty size <&2 && \
                  printf 'a\\nb\\033[31mred' && printf err >&2; exit 3";
    let (status, text) = Terminal::run(&["--", "sh", "-c", script]).end();
    assert_eq!(status.code(), Some(3));
    assert_eq!(text, "24 80\r\n24 80\r\na\r\nb\x1b[31mrederr");
    // Only what is a terminal is one.
    let script = "$PROC run -- sh -c 'test -t 1 || echo no; test -t 2 && echo yes >&2' | cat";
    let (_, text) = Terminal::start(&["sh", "-c", script]).end();
    assert!(text.contains("no\r\n") && text.contains("yes\r\n"), "{text:?}");
}

#[test]
fn what_is_typed_reaches_the_command() {
    let mut terminal = Terminal::run(&["--", "sh", "-c", "printf 'name? '; read n; echo \"<$n>\""]);
    terminal.until("name? ");
    terminal.key(b"me\r");
    terminal.until("<me>\r\n");
    assert!(terminal.end().0.success());
    // By the terminal itself, without echo.
    let script = "stty -echo </dev/tty; printf 'secret? '; read n </dev/tty; stty echo </dev/tty; \
                  echo \"<$n>\"";
    let mut terminal = Terminal::run(&["--", "sh", "-c", script]);
    terminal.until("secret? ");
    terminal.key(b"s3\r");
    assert_eq!(terminal.until("<s3>"), "<s3>");
}

#[test]
fn the_size_follows() {
    let script = "trap 'stty size <&1' WINCH; echo ready; while :; do sleep 0.02; done";
    let mut terminal = Terminal::run(&["--", "sh", "-c", script]);
    terminal.until("ready");
    let master = terminal.master.try_clone().unwrap().into();
    resize(&master, 100, 40);
    terminal.until("40 100");
    resize(&master, 20, 5);
    terminal.until("5 20");
    terminal.key(b"\x03");
    assert_eq!(terminal.end().0.signal(), Some(2));
}

/// Whether lines are edited before they are read.
fn edits(terminal: &Terminal) -> bool {
    tcgetattr(&terminal.master).unwrap().local_modes.contains(LocalModes::ICANON)
}

#[test]
fn modes_set_through_the_output_reach_the_terminal() {
    let script =
        "stty -icanon -echo <&1; echo set; read n; stty icanon echo <&1; echo back; read n";
    let mut terminal = Terminal::run(&["--", "sh", "-c", script]);
    terminal.until("set");
    assert!(wait_until(SOON, || !edits(&terminal)));
    terminal.key(b"\n");
    terminal.until("back");
    assert!(wait_until(SOON, || edits(&terminal)));
    terminal.key(b"\n");
    assert!(terminal.end().0.success());
}

#[test]
fn keys_reach_a_program_that_reads_its_outputs_terminal() {
    // As less does: the terminal that stderr is, by its path, else the controlling one.
    let script = "import os,tty,termios\ntry: f=os.open(os.ttyname(2),os.O_RDWR)\n\
                  except PermissionError: f=os.open('/dev/tty',os.O_RDWR)\n\
                  old=termios.tcgetattr(f)\ntty.setcbreak(f)\nos.write(2,b'key? ')\n\
                  k=os.read(f,1)\ntermios.tcsetattr(f,termios.TCSADRAIN,old)\n\
                  os.write(2,b'<'+k+b'>\\n')\nprint(input('line? '))";
    let mut terminal = Terminal::run(&["--", "/usr/bin/python3", "-c", script]);
    terminal.until("key? ");
    terminal.key(b"k");
    terminal.until("<k>\r\n");
    // The next ones are the real terminal's again.
    terminal.until("line? ");
    assert!(wait_until(SOON, || edits(&terminal)));
    terminal.key(b"abc\r");
    terminal.until("abc\r\nabc\r\n");
    assert!(terminal.end().0.success());
}

#[test]
fn ctrl_c_comes_once_and_ends_what_it_ends() {
    let mut terminal = Terminal::run(&["--", "sh", "-c", "echo ready; exec sleep 60"]);
    terminal.until("ready");
    terminal.key(b"\x03");
    assert_eq!(terminal.end().0.signal(), Some(2));

    let room = Room::new("keys");
    let stop = room.file("stop");
    let script = format!(
        "trap 'n=$((n+1)); echo got$n.' INT; echo ready; \
         while [ ! -e {stop} ]; do sleep 0.02; done; exit 5"
    );
    let mut terminal = Terminal::run(&["--", "sh", "-c", &script]);
    terminal.until("ready");
    terminal.key(b"\x03");
    terminal.until("got1.");
    terminal.key(b"\x03");
    terminal.until("got2.");
    // By a process, to us alone: passed on.
    signal(&terminal.child, Signal::INT);
    terminal.until("got3.");
    File::create(&stop).unwrap();
    let (status, text) = terminal.end();
    assert_eq!(status.code(), Some(5));
    assert!(!text.contains("got"), "{text:?}");
}

#[test]
fn a_command_that_ignores_ctrl_c_is_waited_for() {
    let room = Room::new("ignores");
    let stop = room.file("stop");
    let script = format!(
        "trap '' INT QUIT; echo ready; while [ ! -e {stop} ]; do sleep 0.02; done; echo end; exit 6"
    );
    let mut terminal = Terminal::run(&["--", "sh", "-c", &script]);
    terminal.until("ready");
    terminal.key(b"\x03\x03\x1c");
    terminal.until("^\\");
    File::create(&stop).unwrap();
    let (status, text) = terminal.end();
    assert_eq!(status.code(), Some(6), "{text:?}");
    assert!(text.contains("end"), "{text:?}");
}

#[test]
fn signals_to_us_are_passed_on() {
    for (name, number) in [("TERM", 15), ("HUP", 1), ("USR1", 10), ("USR2", 12), ("INT", 2)] {
        let script = format!(
            "trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.02; done"
        );
        // Not as nohup has it, under which SIGHUP is ignored.
        let mut child = Command::new("env")
            .args(["--default-signal=HUP", PROC, "run", "--", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut ready = [0; 6];
        out.read_exact(&mut ready).unwrap();
        signal(&child, Signal::from_named_raw(number).unwrap());
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!((child.wait().unwrap().code(), text), (Some(9), format!("got {name}\n")));
    }
}

#[test]
fn what_was_ignored_stays_ignored() {
    let script = "trap '' HUP INT USR1; exec \"$PROC\" run -- sh -c \
                  'kill -HUP $$; kill -INT $$; kill -USR1 $$; echo alive'";
    let output = Command::new("sh").args(["-c", script]).env("PROC", PROC).output().unwrap();
    assert_eq!(Ran::from(output).out, "alive\n");
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    let mut shell = Terminal::start(&["bash", "--norc", "--noprofile", "-i"]);
    shell.until("$ ");
    shell.key(b"$PROC run -- sh -c 'echo rea''dy; read n; echo \"<$n>\"; exit 4'\r");
    shell.until("ready");
    shell.key(b"\x1a");
    shell.until("Stopped");
    shell.until("$ ");
    shell.key(b"fg\r");
    shell.until("exit 4'");
    shell.key(b"again\r");
    shell.until("<again>");
    shell.key(b"echo code=$?\r");
    shell.until("code=4");
    // A program that tidies up before it stops all (as vim does): its last words come first.
    let room = Room::new("tidy");
    let script = "import os,signal,time\ndef stop(*_):\n  os.write(1,b'tidy')\n  \
                  signal.signal(signal.SIGTSTP,signal.SIG_DFL)\n  os.kill(0,signal.SIGTSTP)\n\
                  signal.signal(signal.SIGTSTP,stop)\nos.write(1,b'waiting')\n\
                  while True: time.sleep(0.02)";
    fs::write(room.file("s.py"), script).unwrap();
    shell.key(format!("$PROC run -- /usr/bin/python3 {}\r", room.file("s.py")).as_bytes());
    shell.until("waiting");
    shell.key(b"\x1a");
    let before = shell.until("Stopped");
    assert!(before.contains("tidy"), "{before:?}");
    shell.key(b"kill %1; fg; exit\r");
    shell.end();
}

#[test]
fn a_job_in_the_background_runs_on_and_asks_nobody() {
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    let mut shell = Terminal::start(&["bash", "--norc", "--noprofile", "-i"]);
    shell.until("$ ");
    let line = format!("$PROC run -- sh -c '{}' & wait; echo code=$?\r", server(port));
    shell.key(line.replace("$p", "\"$p\"").as_bytes());
    shell.until("proc: ");
    let text = shell.until("code=");
    assert!(text.contains("is held by"), "{text:?}");
    shell.key(b"exit\r");
    shell.end();
}

#[test]
fn two_hundred_megabytes_pass_in_little_memory() {
    let script = "head -c 200000000 /dev/zero; grep VmHWM /proc/$PPID/status >&2";
    let mut child =
        command("", script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut count, mut chunk) = (0_usize, vec![0; 1 << 16]);
    while let Ok(read @ 1..) = out.read(&mut chunk) {
        count += read;
        assert!(chunk[..read].iter().all(|&byte| byte == 0));
    }
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(count, 200_000_000);
    let kilobytes: u64 = err.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kilobytes < 40_000, "{err}");
}

#[test]
fn a_reader_that_goes_away_ends_the_writer_as_ever() {
    let mut child = command("", "yes; echo $? >&2")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    // SIGPIPE: 128 + 13.
    assert_eq!(err, "141\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_forks_away_is_not_waited_for_and_not_cut_off() {
    let room = Room::new("forks");
    let go = room.file("go");
    let later = format!("(while [ ! -e {go} ]; do sleep 0.02; done; echo late) & echo early");
    let mut child = command("", &later).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    assert!(wait_until(2 * SOON, || child.try_wait().unwrap().is_some()));
    File::create(&go).unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(text, "early\nlate\n");

    fs::remove_file(&go).unwrap();
    let script = format!("$PROC run -- sh -c '{later}'; echo code=$?; touch {go}; read n");
    let mut terminal = Terminal::start(&["sh", "-c", &script]);
    terminal.until("early\r\n");
    terminal.until("code=0\r\n");
    terminal.until("late\r\n");
    terminal.key(b"\r");
    terminal.end();
}

#[test]
fn a_terminal_that_is_closed_ends_it_as_ever() {
    let room = Room::new("closed");
    let (heard, stayed) = (room.file("heard"), room.file("stayed"));
    let script =
        format!("trap 'touch {heard}; exit' HUP; echo ready; while :; do sleep 0.02; done");
    let mut terminal = Terminal::run(&["--", "sh", "-c", &script]);
    terminal.until("ready");
    let mut child = std::mem::replace(&mut terminal.child, Command::new("true").spawn().unwrap());
    drop(terminal);
    assert!(exists(&heard));
    assert!(wait_until(2 * SOON, || child.try_wait().unwrap().is_some()));

    // One that ignores it writes into nothing and is neither left alone nor watched in a frenzy.
    let script = format!(
        "trap '' HUP; echo ready; while [ ! -e {heard}2 ]; do echo x; sleep 0.01; done; touch {stayed}"
    );
    let mut terminal = Terminal::run(&["--", "sh", "-c", &script]);
    terminal.until("ready");
    let mut child = std::mem::replace(&mut terminal.child, Command::new("true").spawn().unwrap());
    drop(terminal);
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let rest: Vec<&str> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
        rest[12].parse::<u64>().unwrap() + rest[13].parse::<u64>().unwrap()
    };
    let before = ticks();
    // A hundred of its own rounds: somebody who spun would have burnt them all.
    let began = Instant::now();
    assert!(!wait_until(Duration::from_secs(1), || false));
    let burnt = ticks() - before;
    assert!(burnt < 50, "{burnt} ticks in {:?}", began.elapsed());
    assert!(child.try_wait().unwrap().is_none());
    File::create(format!("{heard}2")).unwrap();
    assert!(exists(&stayed));
    assert!(wait_until(2 * SOON, || child.try_wait().unwrap().is_some()));
}

// ---- the port that somebody has

#[test]
fn a_failed_bind_is_explained_and_the_code_stays() {
    let holder = orphan(&["listen"]);
    let port = holder.port();
    for words in ["", "--on-conflict explain", "--on-conflict ask"] {
        let ran = run_script(words, &server(port));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains("EADDRINUSE"), "{ran:?}");
        let said = format!("is held by actor (pid {})", holder.pid());
        let lines: Vec<&str> = ran.err.lines().filter(|line| line.contains(&said)).collect();
        assert_eq!(lines.len(), 1, "{ran:?}");
        assert!(lines[0].starts_with("proc: ") && lines[0].contains(&port.to_string()));
        assert!(ran.err.contains("proc free"), "{ran:?}");
    }
    assert!(lives(holder.pid()));
    let ran = run_script("--quiet", &server(port));
    assert_eq!(ran.code, 1);
    assert!(!ran.err.contains("proc:"), "{ran:?}");
}

#[test]
fn it_is_freed_and_started_again() {
    let holder = orphan(&["listen"]);
    let port = holder.port();
    let ran = run_script("--on-conflict free", &server(port));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains(&format!("port={port} ")), "{ran:?}");
    assert!(ran.err.contains(&format!("asked actor (pid {}) to end", holder.pid())), "{ran:?}");
    assert!(ends(holder.pid()));
}

#[test]
fn guards_hold_without_a_question_too() {
    // This test is an ancestor of the program.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    let ran = run_script("--on-conflict free", &server(port));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!ran.out.contains("ready pid"), "{ran:?}");
    let ran = run_script(&format!("--free-first --port {port}"), "echo started");
    assert_eq!((ran.code, &*ran.out), (4, ""), "{ran:?}");
}

#[test]
fn who_comes_back_is_named_and_it_is_not_tried_for_ever() {
    let holder = orphan(&["supervise", "--delay", "20", "--", "listen"]);
    let port = holder.port();
    let ran = run_script("--on-conflict free", &server(port));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.matches("EADDRINUSE").count() <= 4, "{ran:?}");
    assert!(ran.err.contains(&format!("pid {}", holder.pid())), "{ran:?}");
}

#[test]
fn the_next_port_is_told_in_the_commands_own_way() {
    let holder = orphan(&["listen", "--addr", "::"]);
    let port = holder.port();
    let ran = run_script("--on-conflict next", &server(port));
    assert_eq!(ran.code, 0, "{ran:?}");
    let taken: u16 =
        ran.out.split("port=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(taken > port, "{ran:?}");
    assert!(
        ran.err.contains(&format!("starting again on :{taken}: PORT={taken} sh -c")),
        "{ran:?}"
    );
    assert!(ran.err.contains("most read PORT"), "{ran:?}");
    // An option that it has.
    let output = program()
        .args(["run", "--on-conflict", "next", "--"])
        .args(["timeout", "10", "/usr/bin/python3", "-c"])
        .arg("import socket,sys\np=int(sys.argv[2])\ns=socket.socket(socket.AF_INET6)\ns.bind(('::',p))\nprint('bound',p)")
        .args(["--port", &port.to_string()])
        .output()
        .unwrap();
    let ran = Ran::from(output);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("bound ") && !ran.out.contains(&port.to_string()), "{ran:?}");
    // One that does not listen to PORT.
    let deaf = server(port).replace("${PORT:-", "${NOTHING:-");
    let ran = run_script("--on-conflict next", &deaf);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains(&format!("it wants :{port} again")), "{ran:?}");
    let said = ran.err.lines().filter(|line| line.starts_with("Error: listen")).count();
    assert_eq!(said, 2, "{ran:?}");
}

#[test]
fn two_at_once_get_two_ports() {
    let holder = orphan(&["listen", "--addr", "::"]);
    let port = holder.port();
    // They live on without binding what they were given: nothing but a lease keeps them apart.
    let script = format!(
        "test -n \"$PORT\" || {{ echo 'Error: listen EADDRINUSE: address already in use :::{port}' \
         >&2; exit 1; }}; echo \"on $PORT\"; read wait"
    );
    let mut both: Vec<Child> = (0..2)
        .map(|_| {
            let mut command = command("--on-conflict next", &script);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    let ports: Vec<String> = both
        .iter_mut()
        .map(|child| {
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            line
        })
        .collect();
    assert!(ports.iter().all(|line| line.starts_with("on ")), "{ports:?}");
    assert_ne!(ports[0], ports[1]);
    for mut child in both {
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn it_waits_until_the_port_is_free() {
    let holder = orphan(&["listen"]);
    let port = holder.port();
    let mut child = command("--on-conflict wait", &server(port))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = child.stderr.take().unwrap();
    let mut text = String::new();
    read_until(&mut err, &mut text, "is held by");
    kill_process(Pid::from_raw(holder.pid().cast_signed()).unwrap(), Signal::TERM).unwrap();
    err.read_to_string(&mut text).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
    assert!(out.contains(&format!("port={port} ")), "{out} {text}");
    // Or until the time is over.
    let _holder = orphan(&["listen", "--port", &port.to_string()]);
    let ran = run_script("--on-conflict wait --timeout 100ms", &server(port));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!ran.out.contains("ready pid"), "{ran:?}");
}

#[test]
fn a_person_is_asked() {
    let holder = orphan(&["listen", "--addr", "::"]);
    let port = holder.port();
    let ask = |key: &[u8]| {
        let mut terminal = Terminal::run(&["--", "sh", "-c", &server(port)]);
        let asked = terminal.until("[l]eave it: ");
        terminal.key(key);
        let (status, text) = terminal.end();
        (asked, status.code(), text)
    };
    for key in [&b"l\r"[..], b"\r", b"\x03", b"\x04", b"zzz\r"] {
        let (asked, code, text) = ask(key);
        assert_eq!(code, Some(1), "{asked} {text}");
        assert!(asked.contains(&format!("is held by actor (pid {})", holder.pid())), "{asked}");
        let choices =
            ["[f]ree it and start again", "[n]ext free port (", "[w]ait until it is free"];
        assert!(choices.iter().all(|choice| asked.contains(choice)), "{asked}");
        // What a person needs to decide.
        assert!(asked.contains("listen --addr") && asked.contains("SIGTERM"), "{asked}");
    }
    assert!(lives(holder.pid()));
    let (_, code, text) = ask(b"n\r");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("ready pid=") && !text.contains(&format!("port={port} ")), "{text}");
    let (_, code, text) = ask(b"f\r");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("port={port} ")), "{text}");
    assert!(ends(holder.pid()));
}

#[test]
fn who_ends_it_during_the_question_is_not_kept_waiting() {
    let holder = orphan(&["listen", "--addr", "::"]);
    for number in [15, 1, 2] {
        let mut terminal = Terminal::run(&["--", "sh", "-c", &server(holder.port())]);
        terminal.until("[l]eave it: ");
        signal(&terminal.child, Signal::from_named_raw(number).unwrap());
        let (status, text) = terminal.end();
        assert_eq!(status.signal(), Some(number), "{text}");
    }
    assert!(lives(holder.pid()));
}

#[test]
fn a_refusal_is_said_in_place_of_the_offer() {
    // The holder has started the terminal: an ancestor.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    let mut terminal = Terminal::run(&["--", "sh", "-c", &server(port)]);
    let asked = terminal.until("[l]eave it: ");
    assert!(!asked.contains("[f]ree") && asked.contains("[n]ext"), "{asked}");
    terminal.key(b"f\r");
    assert_eq!(terminal.end().0.code(), Some(1));
}

#[test]
fn a_ci_machine_is_not_asked() {
    let holder = orphan(&["listen"]);
    let words = ["env", "CI=1", PROC, "run", "--", "sh", "-c", &server(holder.port())];
    let (status, text) = Terminal::start(&words).end();
    assert_eq!(status.code(), Some(1));
    assert!(text.contains("is held by") && !text.contains("[l]eave"), "{text}");
}

#[test]
fn the_same_command_runs_already() {
    let room = Room::new("same");
    let port = free_port();
    let words = ["-c", "import socket,time\ns=socket.socket()\ns.setsockopt(1,2,1)\ntry: s.bind(('127.0.0.1',PORT))\nexcept OSError as e: raise SystemExit('[Errno 98] error while attempting to bind on address (\\'127.0.0.1\\', PORT): address already in use')\ns.listen()\nprint('up',flush=True)\ntime.sleep(60)"]
        .map(|word| word.replace("PORT", &port.to_string()));
    let mut first = Command::new("/usr/bin/python3");
    first.args(&words).current_dir(&room.0).stdout(Stdio::piped());
    let mut first = first.spawn().unwrap();
    first.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
    let run = |directory: &PathBuf| {
        let mut command = program();
        command.args(["run", "--", "python3"]).args(&words).current_dir(directory);
        Ran::from(command.output().unwrap())
    };
    let ran = run(&room.0);
    assert_eq!(ran.code, 1, "{ran:?}");
    let already = format!("already running: this very command, as pid {}", first.id());
    assert!(ran.err.contains(&already), "{ran:?}");
    // It is no web server.
    assert!(ran.err.contains(&format!("as pid {}, on :{port}\n", first.id())), "{ran:?}");
    // Elsewhere it is another one.
    let ran = run(&std::env::temp_dir());
    assert!(!ran.err.contains("already running") && ran.err.contains("is held by"), "{ran:?}");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn an_address_for_browsers_is_said_where_one_answers() {
    let port = free_port();
    let script = format!(
        "from http.server import *\ntry: s=HTTPServer(('127.0.0.1',{port}),BaseHTTPRequestHandler)\n\
         except OSError: raise SystemExit('Error: listen EADDRINUSE: address already in use 127.0.0.1:{port}')\n\
         print('up',flush=True)\ns.serve_forever()"
    );
    let mut first = Command::new("/usr/bin/python3");
    let mut first =
        first.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    first.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
    let ran = Ran::from(program().args(["run", "--", "python3", "-c", &script]).output().unwrap());
    let said = format!("as pid {}, at http://localhost:{port}\n", first.id());
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(ran.err.contains(&said), "{ran:?}");
}

#[test]
fn the_fact_is_enough_without_a_word() {
    let holder = orphan(&["listen"]);
    let port = holder.port();
    let words = format!("--port {port}");
    let silent = format!("\"$ACTOR\" listen --port {port} >/dev/null 2>&1 </dev/null || exit 3");
    let ran = run_script(&words, &silent);
    assert_eq!(ran.code, 3, "{ran:?}");
    let said =
        format!("it ended with code 3, and tcp:{port} is held by actor (pid {})", holder.pid());
    assert!(ran.err.contains(&said), "{ran:?}");
    let ran = run_script(&format!("{words} --on-conflict free"), &silent);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ends(holder.pid()));
    // A failure while nobody has the port, and an end that somebody wished for, are none.
    let ran = run_script(&words, "exit 3");
    assert_eq!((ran.code, &*ran.err), (3, ""));
    let _holder = orphan(&["listen", "--port", &port.to_string()]);
    let ran = run_script(&words, "exit 0");
    assert_eq!((ran.code, &*ran.err), (0, ""));
    let ran = run_script(&words, "kill -TERM $$");
    assert_eq!(&*ran.err, "");
}

#[test]
fn the_port_is_freed_first() {
    let holder = orphan(&["listen"]);
    let port = holder.port();
    let words = format!("--free-first --port {port}");
    let ran = run_script(&words, &server(port));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains(&format!("port={port} ")) && !ran.err.contains("EADDRINUSE"),
        "{ran:?}"
    );
    assert!(ends(holder.pid()));
    // Free already: nothing to say.
    let ran = run_script(&words, "echo on");
    assert_eq!((&*ran.out, &*ran.err), ("on\n", ""));
    let ran = run_script("--free-first", "echo on");
    assert_eq!((ran.code, &*ran.out), (2, ""), "{ran:?}");
    assert!(ran.err.contains("--port"), "{ran:?}");
}

#[test]
fn a_silent_move_is_pointed_out() {
    let holder = orphan(&["listen", "--addr", "::"]);
    let port = holder.port();
    let room = Room::new("moved");
    let stop = room.file("stop");
    // It listens on a port above, as Vite does, and says nothing of it.
    let script = format!(
        "import socket,os,time\np={port}\nwhile True:\n  p+=1\n  s=socket.socket(socket.AF_INET6)\n  try: s.bind(('::',p))\n  except OSError: continue\n  break\ns.listen()\nprint('up',p,flush=True)\nwhile not os.path.exists('{stop}'): time.sleep(0.02)"
    );
    let mut child = program()
        .args(["run", "--port", &port.to_string(), "--", "/usr/bin/python3", "-c", &script])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = child.stderr.take().unwrap();
    let mut text = String::new();
    read_until(&mut err, &mut text, "\n");
    File::create(&stop).unwrap();
    err.read_to_string(&mut text).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    let taken = out.trim().rsplit(' ').next().unwrap();
    let want = format!(
        "proc: it took :{taken} because tcp:{port} is held by actor (pid {})",
        holder.pid()
    );
    assert!(text.starts_with(&want), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_command_that_lives_on_is_explained_once_and_left_alone() {
    let holder = orphan(&["listen"]);
    let port = holder.port();
    let script = format!(
        "echo 'Error: listen EADDRINUSE: address already in use :::{port}' >&2; \
         printf 'waiting for changes '; read n; exit 1"
    );
    let mut terminal = Terminal::run(&["--on-conflict", "ask", "--", "sh", "-c", &script]);
    terminal.until("waiting for changes ");
    // On a line of its own.
    terminal.until("\r\nproc: ");
    terminal.until(&format!("is held by actor (pid {})", holder.pid()));
    terminal.until("it runs on and may try again");
    terminal.until("proc free");
    while terminal.read() && !terminal.seen.ends_with('\n') {}
    terminal.seen.clear();
    terminal.key(b"\x03");
    let (status, text) = terminal.end();
    assert_eq!(status.signal(), Some(2), "{text:?}");
    assert!(!text.contains("[l]eave") && !text.contains("proc:"), "{text:?}");
    assert!(lives(holder.pid()));
}

/// A watcher as a script: its server fails, and it waits for a change, as nodemon does.
fn watching(port: u16) -> String {
    server(port).replace("exit 1", "echo 'waiting for changes'; sleep 600; exit 3")
}

#[test]
fn a_watcher_that_lives_on_is_ended_and_started_again_as_was_said() {
    let holder = orphan(&["listen", "--addr", "::"]);
    let port = holder.port();
    let runs_on = format!("it runs on without :{port}; ending it to start it again");
    let ran = run_script("--on-conflict next", &watching(port));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains(&runs_on) && ran.out.contains("ready pid="), "{ran:?}");
    assert_eq!(ran.err.matches("is held by").count(), 1, "{ran:?}");
    // Not for another port than the one that was said, nor in vain: it is explained and left.
    let patient = format!("{}; exit 5", watching(port).replace("sleep 600; exit 3", "sleep 3"));
    let ran = run_script("--port 1 --on-conflict next", &patient.replace("exit 3", "exit 0"));
    assert!(!ran.err.contains("ending it") && ran.err.contains("is held by"), "{ran:?}");
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = patient.replace(&port.to_string(), &own.local_addr().unwrap().port().to_string());
    let ran = run_script("--on-conflict free", &refused);
    assert!(!ran.err.contains("ending it"), "{ran:?}");
    // Nor one that serves something, which it does before its bind fails.
    let room = Room::new("serving");
    let serves = room.file("serves");
    let serving = format!(
        "/usr/bin/python3 -c 'import socket,time;s=socket.create_server((\"127.0.0.1\",0));\
         open(\"{serves}\",\"w\");time.sleep(600)' >/dev/null 2>&1 & \
         while [ ! -e {serves} ]; do sleep 0.02; done; {}",
        patient.replace("exit 5", "kill $!; exit 5")
    );
    let ran = run_script("--on-conflict next", &serving);
    assert!(!ran.err.contains("ending it") && ran.err.contains("is held by"), "{ran:?}");
    let ran = run_script("--on-conflict free", &watching(port));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains(&runs_on) && ran.out.contains(&format!("port={port} ")), "{ran:?}");
    assert!(ends(holder.pid()));
}

#[test]
fn what_was_ignored_stays_ignored_after_freeing() {
    let holder = orphan(&["listen"]);
    let port = holder.port();
    let script = format!(
        "trap '' HUP INT; exec \"$PROC\" run --on-conflict free -- sh -c '{}; \
         kill -HUP $$; kill -INT $$; echo alive'",
        server(port)
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env("PROC", PROC).env("ACTOR", actor_path());
    let ran = Ran::from(command.output().unwrap());
    assert!(ran.out.ends_with("alive\n"), "{ran:?}");
    assert!(ends(holder.pid()));
}

#[test]
fn a_silent_move_to_anywhere_is_pointed_out_where_a_program_is_known_for_it() {
    let holder = orphan(&["listen", "--addr", "::"]);
    let port = holder.port();
    let room = Room::new("anywhere");
    // As `serve` of npm does without a terminal: any port, and not a word.
    let script = "#!/usr/bin/python3\nimport socket\ns=socket.socket()\ns.bind(('127.0.0.1',0))\n\
                  s.listen()\nprint(s.getsockname()[1],flush=True)\ninput()\n";
    fs::write(room.file("serve"), script).unwrap();
    Command::new("chmod").args(["+x", &room.file("serve")]).status().unwrap();
    let mut child = program()
        .args(["run", "--", &room.file("serve"), "-l", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    let want = format!("proc: it took :{} because tcp:{port} is held by actor", line.trim());
    assert!(said.starts_with(&want), "{said:?}");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn usage_is_refused_in_a_sentence() {
    for (words, want) in [
        (&["run"][..], "`proc run` needs a command"),
        (&["run", "vite"], "`--` comes before the command"),
        (&["run", "--replay", "x", "--", "true"], "cannot be run on a recording"),
        (&["run", "--on-conflict", "fight", "--", "true"], "is not a value of `--on-conflict`"),
        (&["run", "--timeout", "5", "--", "true"], "`5` has no unit"),
    ] {
        let ran = Ran::from(program().args(words).output().unwrap());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(want) && ran.err.lines().count() == 1, "{ran:?}");
    }
    let ran = Ran::from(program().args(["run", "--json", "--", "true"]).output().unwrap());
    assert_eq!((ran.code, &*ran.err), (2, ""));
    assert!(ran.out.contains("\"usage\""), "{ran:?}");
}
