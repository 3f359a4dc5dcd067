//! Whole runs of what shows processes: `list`, `by`, `in`, `info`, `tree` with real processes.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use live::*;
use proc_core::addr::Exposure;
use proc_core::process::ProcessState;
use proc_core::report::{ProcessReport, ProcessesReport, WarningKind};
use proc_testkit::{Limit, confined};

/// A process that ends with the test.
struct Running(Child);

impl Running {
    fn new(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory of this test's own, that ends with it.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-{test}-{}", std::process::id()));
        fs::create_dir_all(path.join("sub")).unwrap();
        Self(path.canonicalize().unwrap())
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `sleep` under a name of its own, in that directory. The name is the PID's, so that tests that run
/// at once do not meet.
fn named(test: &str, directory: &Path) -> (Running, String) {
    let name = format!("{test}-{}", std::process::id());
    let mut command = Command::new("/bin/sleep");
    command.arg0(&name).arg("1000").current_dir(directory);
    let running = Running::new(&mut command);
    let pid = running.pid();
    // Until it has become sleep it is a copy of this test.
    assert!(wait_until(SOON, || {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(name.as_bytes()))
    }));
    (running, name)
}

fn list(words: &str) -> ProcessesReport {
    let ran = run(&format!("{words} --json"));
    assert_eq!(ran.err, "", "{words}: {ran:?}");
    let report: ProcessesReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report.ok, ran.code == 0, "{words}: {ran:?}");
    report
}

#[track_caller]
fn row(report: &ProcessesReport, pid: u32) -> &ProcessReport {
    report.processes.iter().find(|process| process.pid == pid).expect("it is in the list")
}

fn pids(report: &ProcessesReport) -> Vec<u32> {
    report.processes.iter().map(|process| process.pid).collect()
}

#[test]
fn a_process_is_found_by_each_thing_it_is() {
    let place = Place::new("each");
    let (running, name) = named("each", &place.path().join("sub"));
    let pid = running.pid();
    let (inside, own) = (place.path().display(), std::process::id());
    for words in [
        format!("list {name}"),
        format!("list nobody,{}", name.to_uppercase()),
        format!("by {name}"),
        format!("by {name} --in {inside}"),
        format!("by {} --cmd --in {inside}", &name[..4]),
        format!("in {inside}"),
        format!("in {inside}/sub --by {name}"),
        format!("list --cmd {name}"),
        format!("list --in {inside} --parent {own} --status sleeping,stopped"),
        format!("list {name} --min-uptime 1ms --min-mem 0"),
    ] {
        let report = list(&words);
        assert_eq!(pids(&report), [pid], "{words}: {report:#?}");
        assert_eq!(run(&format!("{words} --pids")).out, format!("{pid}\n"), "{words}");
    }
    let report = list(&format!("list {name}"));
    let process = row(&report, pid);
    assert_eq!(process.cwd.as_deref().map(Path::new), Some(&*place.path().join("sub")));
    assert_eq!((process.ppid, &*process.argv[0]), (own, &*name));
    assert!(process.memory_bytes.unwrap() > 0 && process.threads == Some(1));
    assert_eq!(process.ports.as_deref(), Some(&[][..]));
    for words in [
        format!("list {name} --in /proc"),
        format!("by {name} --min-uptime 1000h"),
        format!("by {name} --min-mem 1T"),
        format!("by {name} --status zombie"),
        format!("by {name} --user 4000000000"),
        format!("by {}", &name[..name.len() - 1]),
    ] {
        let ran = run(&words);
        assert_eq!((ran.code, &*ran.err), (1, ""), "{words}: {ran:?}");
    }
    let ran = run(&format!("by {}", &name[..name.len() - 1]));
    assert!(ran.out.contains(&format!("did you mean {name}?")), "{ran:?}");
    assert_eq!(run(&format!("by -q {name}")).code, 0);
}

#[test]
fn ports_come_with_who_can_reach_them() {
    let actor = orphan(&["listen"]);
    let (pid, port) = (actor.pid(), actor.port());
    let report = list("list --sort ports");
    let ports = row(&report, pid).ports.as_ref().unwrap();
    let own = ports.iter().find(|own| own.port == port).unwrap();
    assert!(own.local.ends_with(&format!(":{port}")));
    let reach = match own.exposure.unwrap() {
        Exposure::Any => "everybody",
        Exposure::Lan => "network",
        Exposure::Loopback => "this machine",
    };
    let table = run("list actor").out;
    let line = table.lines().find(|line| line.starts_with(&format!("{pid} "))).unwrap();
    assert!(line.contains(&port.to_string()) && line.contains(reach), "{line}");
}

#[test]
fn use_of_the_processor_is_measured_where_it_is_asked_for() {
    let name = format!("busy-{}", std::process::id());
    let mut command = Command::new("/bin/sh");
    let running = Running::new(command.arg0(&name).args(["-c", "while :; do :; done"]));
    let report = list(&format!("list {name}"));
    assert!(report.window_ms.is_none() && report.processes[0].cpu_percent.is_none());
    // However busy the machine is, sooner or later it gets its share.
    assert!(wait_until(SOON * 4, || {
        let report = list(&format!("by {name} --min-cpu 1 --window 300ms"));
        let Some(process) = report.processes.first() else { return false };
        assert_eq!(process.pid, running.pid());
        assert!(report.window_ms.unwrap() >= 300);
        f64::from(process.cpu_percent.unwrap()) >= 1.0
    }));
    assert!(run("list --sort cpu --limit 3").out.contains(" %"));
}

#[test]
fn a_zombie_a_stopped_one_and_very_long_arguments() {
    let place = Place::new("odd");
    let mut long = Command::new("/bin/sh");
    let name = format!("long-{}", std::process::id());
    let arguments = std::iter::repeat_n("x".repeat(100_000), 10);
    // Arguments end the shell's own words, so it reads none of them.
    long.arg0(&name).args(["-c", "sleep 1000; :"]).arg("x").args(arguments);
    let long = Running::new(long.current_dir(place.path()).process_group(0));
    assert!(wait_until(SOON, || !list(&format!("by {name}")).processes.is_empty()));
    let report = list(&format!("by {name}"));
    let argv: usize = row(&report, long.pid()).argv.iter().map(String::len).sum();
    assert!(argv > 900_000, "{argv}");
    let table = run(&format!("by {name}"));
    assert!(table.code == 0 && table.out.len() > 900_000, "piped it is whole");
    // The shell's own child ends with its group.
    let mut child = Command::new("/bin/kill");
    child.args(["-KILL", "--", &format!("-{}", long.pid())]);
    assert!(child.status().unwrap().success());

    let (mut dead, name) = named("dead", place.path());
    dead.0.kill().unwrap();
    let pid = dead.pid();
    assert!(wait_until(SOON, || procfs::state(pid) == Some('Z')));
    let report = list(&format!("list --parent {} --status zombie", std::process::id()));
    assert_eq!(row(&report, pid).state, ProcessState::Zombie);
    assert!(
        run(&format!("info {pid}")).out.contains("zombie") || run(&format!("info {pid}")).code == 1
    );
    drop(dead);
    let ran = run(&format!("by {name}"));
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn info_notes_what_is_out_of_the_ordinary() {
    let kinds = |pid: u32| {
        let report = run(&format!("info --json pid:{pid}")).one();
        let details = report.processes.into_iter().next().unwrap().details.unwrap();
        let kinds: Vec<WarningKind> = details.warnings.iter().map(|it| it.kind).collect();
        (kinds, details)
    };
    let place = Place::new("warnings");
    let program = place.path().join("program");
    fs::copy("/bin/sleep", &program).unwrap();
    let running =
        Running::new(Command::new(&program).arg("60").current_dir(place.path().join("sub")));
    let exe = format!("/proc/{}/exe", running.pid());
    assert!(wait_until(SOON, || fs::read_link(&exe).is_ok_and(|exe| exe == program)));
    assert_eq!(kinds(running.pid()).0, []);
    fs::remove_file(&program).unwrap();
    fs::remove_dir(place.path().join("sub")).unwrap();
    let (found, details) = kinds(running.pid());
    assert_eq!(found, [WarningKind::DirectoryGone, WarningKind::ExecutableReplaced]);
    assert_eq!(details.ancestry.last(), details.parent.as_ref());
    assert_eq!(details.parent.unwrap().pid, std::process::id());
    let told = run(&format!("info pid:{}", running.pid())).out;
    assert!(told.contains("its working directory was removed"), "{told}");

    let root = proc_testkit::is_root().then_some(WarningKind::ServesAsRoot);
    let shut = Actor::spawn(&["listen"]);
    assert_eq!(kinds(shut.pid()).0, root.into_iter().collect::<Vec<_>>());
    let open = Actor::spawn(&["listen", "--addr", "0.0.0.0"]);
    let want: Vec<_> = root.into_iter().chain([WarningKind::OpenToEverybody]).collect();
    assert_eq!(kinds(open.pid()).0, want);
    let told = run(&format!("info pid:{}", open.pid())).out;
    assert!(told.contains(&format!("tcp:{} waits at every address", open.port())), "{told}");
}

#[test]
fn ports_are_filtered_sorted_and_cut_as_processes_are() {
    let place = Place::new("ports");
    let listen = |directory: &Path| {
        let mut command = Command::new(actor_path());
        command.arg("listen").current_dir(directory);
        Actor::spawn_command(command)
    };
    let (one, two) = (listen(place.path()), listen(&place.path().join("sub")));
    let elsewhere = listen(Path::new("/"));
    let here = place.path().display();
    let ports = |words: &str| {
        let report = run(&format!("ports --json {words}")).ports();
        let pids: Vec<u32> = report.sockets.iter().map(|socket| socket.holders[0].pid).collect();
        (pids, report)
    };
    let mut both = vec![one.pid(), two.pid()];
    both.sort_unstable();
    let (found, report) = ports(&format!("--in {here} --sort pid"));
    assert_eq!((found, report.matched), (both.clone(), 2));
    assert_eq!(report.processes.len(), 2);
    let mut by_port = vec![(one.port(), one.pid()), (two.port(), two.pid())];
    by_port.sort_unstable();
    let by_port: Vec<u32> = by_port.into_iter().map(|(_, pid)| pid).collect();
    assert_eq!(ports(&format!("--in {here}")).0, by_port);
    let (found, report) = ports(&format!("--in {here} --sort age"));
    let age = |pid: &u32| report.processes.iter().find(|it| it.pid == *pid).unwrap().age_ms;
    assert!(found.len() == 2 && found.iter().map(age).is_sorted_by(|a, b| a >= b), "{report:#?}");
    let (found, report) = ports(&format!("-i {here} -s pid -n 1"));
    assert_eq!((found, report.matched, report.processes.len()), (vec![both[0]], 2, 1));
    assert_eq!(report.notes, ["1 more socket is not shown"]);
    let out = run(&format!("ports --in {here} --limit 1")).out;
    assert!(out.contains("1 more socket is not shown"), "{out}");
    assert!(ports("--by actor").0.contains(&elsewhere.pid()));
    for words in
        ["--by no-such-name", "--cmd no-such-text", "--user 4294967290", "--min-uptime 48h"]
    {
        let (found, report) = ports(&format!("{words} :{}", elsewhere.port()));
        assert!(found.is_empty() && !report.ok, "{words}");
    }
    assert_eq!(ports(&format!("--by actor :{}", elsewhere.port())).0, [elsewhere.pid()]);
}

#[test]
fn info_tells_everything_and_a_thread_is_no_process() {
    let actor = orphan(&["listen"]);
    let (pid, port) = (actor.pid(), actor.port());
    for target in [format!("pid:{pid}"), format!(":{port}")] {
        let report = run(&format!("info --json {target}")).one();
        let process = report.processes.iter().find(|process| process.pid == pid).unwrap();
        let details = process.details.as_ref().unwrap();
        assert!(details.open_files.unwrap() > 0);
        assert!(process.ports.iter().flatten().any(|own| own.port == port), "{process:#?}");
        assert!(process.cpu_ms.is_some() && process.memory_bytes.unwrap() > 0);
    }
    let ran = run(&format!("info pid:{pid}"));
    assert_eq!((ran.code, &*ran.err), (0, ""));
    assert!(ran.out.contains(&format!("(pid {pid})")) && ran.out.contains("executable"), "{ran:?}");

    // This very test has more threads than its first.
    let own = std::process::id();
    let thread = fs::read_dir("/proc/self/task").unwrap();
    let numbers = thread.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let tid = numbers.filter(|tid| *tid != own.to_string()).max().unwrap();
    for words in [format!("info {tid}"), format!("info pid:{tid}"), format!("on pid:{tid}")] {
        let ran = run(&words);
        assert_eq!(ran.code, 1, "{words}: {ran:?}");
        assert!(ran.out.contains(&format!("{tid} is a thread of ")), "{words}: {ran:?}");
        assert!(ran.out.contains(&format!("say pid:{own}")), "{words}: {ran:?}");
    }
}

#[test]
fn a_tree_below_and_above() {
    let place = Place::new("tree");
    let (running, name) = named("tree", place.path());
    let (pid, own) = (running.pid(), std::process::id());
    let report = list(&format!("tree {own}"));
    let (top, child) = (row(&report, own), row(&report, pid));
    assert_eq!((report.processes[0].pid, top.depth, child.depth), (own, Some(0), Some(1)));
    let report = list(&format!("tree --ancestors pid:{pid}"));
    let last = report.processes.last().unwrap();
    assert_eq!((last.pid, last.context), (pid, false));
    assert!(row(&report, own).context);
    let depths: Vec<u32> = report.processes.iter().map(|process| process.depth.unwrap()).collect();
    assert_eq!(depths, Vec::from_iter(0..depths.len() as u32), "one line from the first process");
    let report = list(&format!("tree --by {name}"));
    assert_eq!(report.processes.iter().filter(|process| !process.context).count(), 1);
    assert_eq!(run(&format!("tree --by {name} --pids")).out, format!("{pid}\n"));
    let ran = run(&format!("tree pid:{own} --depth 0"));
    assert!(ran.out.contains("deeper than that"), "{ran:?}");
    let ascii = run(&format!("tree pid:{own} --by {name} --ascii")).out;
    assert!(ascii.is_ascii() && ascii.contains(&format!("`- {pid} ")), "{ascii}");
    let ran = run("tree no-such-name-anywhere");
    assert_eq!((ran.code, ran.out.starts_with("no process is called")), (1, true), "{ran:?}");
}

#[test]
fn a_process_that_another_user_looks_at() {
    let Some(public) = (rustix_uid() == 0).then(|| Public::new("processes")) else {
        eprintln!("SKIPPED: only root can be looked at by somebody else");
        return;
    };
    let place = Place::new("hidden");
    let (running, name) = named("hidden", place.path());
    let actor = orphan(&["listen"]);
    let report = |words: &str| -> ProcessesReport {
        let ran = public.run(&format!("{words} --json"));
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    };
    // Names, users and arguments are everybody's to see; directories and ports are not.
    let found = report(&format!("by {name}"));
    let process = row(&found, running.pid());
    assert_eq!((process.uid, process.cwd.as_deref()), (Some(0), None));
    assert_eq!(&*process.argv[0], name);
    let ports = report("list actor");
    assert!(row(&ports, actor.pid()).ports.iter().flatten().next().is_none());
    assert!(ports.gaps.iter().any(|gap| gap.what.contains("could not be read")), "{ports:#?}");
    let nobody = report("in /proc");
    assert!(nobody.processes.is_empty());
    assert!(nobody.notes.iter().any(|note| note.contains("could not be read")), "{nobody:#?}");
    let ran = public.run(&format!("info pid:{} --json", running.pid())).one();
    let details = ran.processes[0].details.as_ref().unwrap();
    assert!(
        details.open_files.is_none() && details.connections.is_none() && details.marks.is_empty()
    );
}

/// What `/proc` hides is said to be hidden, and never not to be there.
#[test]
fn where_proc_hides_processes_of_others_that_is_said() {
    if rustix_uid() != 0 {
        return proc_testkit::skip("hiding processes from another user needs root");
    }
    let place = Place::new("hidepid");
    let (theirs, name) = named("hidepid", place.path());
    let user = unprivileged_uid();
    let mine = Running::new(run_as(user, "/bin/sleep").arg("1000").current_dir("/"));
    assert!(wait_until(SOON, || {
        fs::read(format!("/proc/{}/cmdline", mine.pid()))
            .is_ok_and(|line| line.starts_with(b"/bin/sleep"))
    }));
    let see = |words: &str| -> Ran {
        let mut command = program();
        command.args(words.split_whitespace());
        let limits = [Limit::HidePid, Limit::User(user)];
        Ran::from(confined(&limits, &command).stdin(Stdio::null()).output().unwrap())
    };
    let pid = theirs.pid();
    let gap = "are hidden";
    for words in ["list", "in /", "tree"] {
        let ran = see(&format!("{words} --json"));
        let report: ProcessesReport = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(ran.code, 0, "{words}: {ran:?}");
        let has = |pid: u32| report.processes.iter().any(|process| process.pid == pid);
        assert!(has(mine.pid()) && !has(pid), "{words}: {report:#?}");
        assert!(report.gaps.iter().any(|each| each.what.contains(gap)), "{words}: {report:#?}");
    }
    for words in [format!("by {name}"), format!("info {name}"), format!("in {}", place.0.display())]
    {
        let ran = see(&words);
        assert_eq!(ran.code, 1, "{words}: {ran:?}");
        assert!(ran.out.starts_with("no process ") && ran.out.contains(gap), "{words}: {ran:?}");
    }
    let told = format!("process {pid} is another user's, and hidden from you");
    for words in ["on pid:", "info pid:", "info ", "kill -y pid:", "freeze -y ", "wait pid:"] {
        let ran = see(&format!("{words}{pid}"));
        assert_eq!(ran.code, 3, "{words}: {ran:?}");
        assert!(ran.out.contains(&told), "{words}: {ran:?}");
    }
    let ran = see(&format!("tree pid:{pid}"));
    assert_eq!((ran.code, ran.out.contains(&told)), (1, true), "{ran:?}");
    let ran = see(&format!("wait {name}"));
    assert!(ran.out.contains(gap), "that none is seen is no proof: {ran:?}");
    assert!(see(&format!("info pid:{}", mine.pid())).code == 0 && procfs::state(pid).is_some());
}

fn rustix_uid() -> u32 {
    fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse().ok())
        .unwrap()
}

#[test]
fn in_a_pid_namespace_the_tree_begins_with_its_first_process() {
    let ran = in_world("sleep 1000 & $PROC tree --json; kill $!");
    let report: ProcessesReport = serde_json::from_str(&ran.out).unwrap();
    let first = &report.processes[0];
    assert_eq!((first.pid, first.ppid, first.depth), (1, 0, Some(0)));
    assert!(report.processes.iter().any(|process| process.name == "sleep"), "{report:#?}");
    assert!(report.processes[1..].iter().all(|process| process.depth > Some(0)), "{report:#?}");
}

#[test]
fn what_is_wrong_is_one_sentence() {
    for (words, want) in [
        (
            "list --min-cpu lots",
            "proc: --min-cpu: `lots` is not a share of a processor; write it like `10` or `0.5`\n",
        ),
        (
            "list --min-cpu -5",
            "proc: --min-cpu: `-5` is not a share of a processor; write it like `10` or `0.5`\n",
        ),
        ("list --in /no/such/place", "proc: there is no /no/such/place\n"),
        (
            "in /bin/sh",
            "proc: /bin/sh is a file and no directory; what has it open: `proc for /bin/sh`\n",
        ),
        ("in . --in .", "proc: `proc in` has its directory already; `proc in .`, without --in\n"),
        (
            "list --limit 0",
            "proc: --limit: `0` would show nothing; only the exit code: `--quiet`\n",
        ),
        ("list --cmd", "proc: --cmd needs a text; for example `--cmd server.js`\n"),
        ("tree --sort cpu", "proc: a tree has its own order; sorted: `proc list --sort`\n"),
        ("tree --depth x", "proc: --depth: `x` is not a number of levels; write it like `3`\n"),
    ] {
        let ran = run(words);
        assert_eq!((ran.code, &*ran.err, &*ran.out), (2, want, ""), "{words}");
    }
}
