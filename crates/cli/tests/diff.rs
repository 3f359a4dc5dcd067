//! `proc snapshot` and `proc diff` as whole runs: real servers that come, go, start again and change
//! hands between two looks, and files that are none of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod live;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use live::{Actor, Ran, free_port, in_world, program, run};
use proc_core::report::{DiffReport, DifferenceKind, DifferenceReport};

/// A file of this test's own.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &[u8]) -> Self {
        let name = format!("proc-diff-{name}-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn snapshot(name: &str) -> Self {
        let ran = run("snapshot");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        Self::new(name, ran.out.as_bytes())
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[track_caller]
fn document(ran: &Ran) -> DiffReport {
    assert_eq!(ran.err, "", "{ran:?}");
    let report: DiffReport = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report.ok, ran.code == 0, "{ran:?}");
    report
}

/// What it says of that port; other tests open and close theirs.
#[track_caller]
fn of_port(words: &str, port: u16) -> Vec<DifferenceReport> {
    let at = format!(":{port}");
    let mut differences = document(&run(words)).differences;
    differences.retain(|one| {
        let sockets = [&one.socket, &one.before].into_iter().flatten();
        sockets.into_iter().any(|socket| socket.local.ends_with(&at))
    });
    differences
}

#[test]
fn a_server_comes_starts_again_changes_hands_and_goes() {
    let port = free_port();
    let at = port.to_string();
    let listen = ["listen", "--port", &at, "--reuse-addr"];
    let nobody = File::snapshot("nobody");
    let first = Actor::spawn(&listen);
    let held = File::snapshot("held");

    let opened = of_port(&format!("diff --json {}", nobody.path()), port);
    assert_eq!(opened.len(), 1, "{opened:#?}");
    assert_eq!(opened[0].kind, DifferenceKind::Opened);
    assert_eq!(opened[0].processes[0].pid, first.pid());
    let text = run(&format!("diff {}", nobody.path()));
    assert_eq!(text.code, 1);
    assert!(
        text.out.contains(&format!("opened  tcp 127.0.0.1:{port} is new, held by actor (pid "))
    );
    assert_eq!(of_port(&format!("diff --json {}", held.path()), port), []);

    let old = first.pid();
    drop(first);
    let closed = of_port(&format!("diff --json {}", held.path()), port);
    assert_eq!(closed[0].kind, DifferenceKind::Closed, "{closed:#?}");
    assert_eq!(closed[0].processes_before[0].pid, old);

    let second = Actor::spawn(&listen);
    let again = of_port(&format!("diff --json {}", held.path()), port);
    assert_eq!(again[0].kind, DifferenceKind::Restarted, "{again:#?}");
    assert_eq!(again[0].processes_before[0].pid, old);
    assert_eq!(again[0].processes[0].pid, second.pid());
    drop(second);

    let other = Actor::spawn(&["listen", "--reuse-addr", "--port", &at]);
    let hands = of_port(&format!("diff --json {}", held.path()), port);
    assert_eq!(hands[0].kind, DifferenceKind::ChangedHands, "{hands:#?}");
    assert!(hands[0].certain);
    let later = File::snapshot("later");
    let files = of_port(&format!("diff --json {} {}", held.path(), later.path()), port);
    // Whose ages and other children the later one tells is the later one's.
    let told = |differences: &[DifferenceReport]| differences[0].explain.clone();
    assert_eq!(told(&files), told(&hands), "two files tell what one and now told");
    let replay = format!("diff --json {} --replay {}", held.path(), later.path());
    assert_eq!(of_port(&replay, port).len(), 1, "now is what the recording has");
    drop(other);
}

/// In a world of its own nothing else opens and closes: no difference is 0 and silent with -q.
#[test]
fn no_difference_is_yes() {
    if !proc_testkit::is_root() {
        return proc_testkit::skip("it makes namespaces, which needs root");
    }
    let script = r#"
        file=$(mktemp); trap 'rm -f "$file"' EXIT
        $PROC snapshot -o "$file"
        $PROC diff "$file"
        $PROC diff -q "$file"
        $PROC snapshot | $PROC diff "$file" -
        $PROC on :1 --replay "$file" && exit 9
        echo done"#;
    let ran = in_world(script);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.out.matches("no difference among 0 places").count(), 2, "{ran:?}");
    assert!(ran.out.ends_with("done\n"), "{ran:?}");
}

#[test]
fn files_that_are_no_snapshots_are_one_sentence_and_code_2() {
    let good = File::snapshot("good");
    let text = fs::read(&good.0).unwrap();
    let newer =
        String::from_utf8(text.clone()).unwrap().replacen("\"recording\":1", "\"recording\":99", 1);
    for (name, bytes, want) in [
        ("empty", &b""[..], "it is empty; `proc snapshot` writes one"),
        ("words", b"hello", "not a recording: the file is not JSON"),
        ("list", b"[1]", "not a recording: the JSON has no field \"recording\""),
        ("other", br#"{"schema":1}"#, "not a recording: the JSON has no field \"recording\""),
        ("cut", &text[..text.len() / 2], "the recording is cut off: the file ends at line "),
        (
            "newer",
            newer.as_bytes(),
            "the recording has version 99, and this program reads version ",
        ),
    ] {
        let file = File::new(name, bytes);
        for words in [vec!["diff", file.path()], vec!["diff", good.path(), file.path()]] {
            let ran = Ran::from(program().args(words).output().unwrap());
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{name}: {ran:?}");
            assert!(ran.err.contains(want), "{name}: {ran:?}");
            assert_eq!(ran.err.lines().count(), 1, "{name}: {ran:?}");
        }
    }
    let missing = run("diff /no/such/file.json");
    assert_eq!(missing.code, 2);
    assert_eq!(missing.err, "proc: cannot compare /no/such/file.json: no such file or directory\n");
    let nothing = run("diff");
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.contains("needs a file that `proc snapshot` wrote"), "{nothing:?}");
    assert!(run("diff - -").err.contains("stdin can be one of the two"));
}

#[test]
fn a_snapshot_is_read_from_stdin_and_has_no_secrets() {
    let port = free_port().to_string();
    let actor = Actor::spawn(&["listen", "--port", &port, "--", "--token", "hunter2secret"]);
    let _ = &actor;
    let snapshot = run("snapshot");
    assert!(snapshot.out.contains("--token") && !snapshot.out.contains("hunter2secret"));
    let mut child = program()
        .args(["diff", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(snapshot.out.as_bytes()).unwrap();
    let report = document(&Ran::from(child.wait_with_output().unwrap()));
    assert_eq!(report.before.unwrap().file.as_deref(), Some("-"));
}
