//! The program in a shell: tables for programs, settings, completion, manual pages, the pager.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::io::Write;
#[cfg(target_os = "linux")]
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn program() -> Command {
    let built = env!("CARGO_BIN_EXE_proc").into();
    let mut command = Command::new(std::env::var_os("PROC_BIN").unwrap_or(built));
    command.env_clear().env("LANG", "C.UTF-8").stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Output {
    program().args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_column_that_is_none_is_named_with_those_that_are() {
    let output = run(&["ports", "--columns", "prt"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.starts_with("proc: `prt` is not a column of `proc ports`; there are port,"));
    assert_eq!(said.lines().count(), 1);
    let output = run(&["ports", "--columns", "help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("port "));
}

#[test]
#[cfg(target_os = "linux")]
fn a_port_is_a_row_of_csv_and_a_line_of_json() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let word = format!("tcp:{port}");
    let output = run(&["ports", "--csv", "--columns", "pid,port,address", &word]);
    let want = format!("pid,port,address\r\n{},{port},127.0.0.1\r\n", std::process::id());
    assert_eq!(text(&output.stdout), want);
    let output = run(&["ports", "--jsonl", &word]);
    let line: proc_core::report::PortLine = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line.socket.local, format!("127.0.0.1:{port}"));
    assert_eq!(line.processes[0].pid, std::process::id());
    let output = run(&["on", "--jsonl", &word, &word.replace("tcp", "udp")]);
    assert_eq!(text(&output.stdout).lines().count(), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn looking_goes_on_without_broken_settings_and_acting_does_not() {
    let scratch = Scratch::new("broken");
    let file = scratch.file("config.toml", "grace = \"9s\"\n  protct = [\"x\"]\n");
    let wrong =
        format!("{}:2:3: `protct` is not a setting; did you mean `protect`?", file.display());
    let with = |words: &[&str]| program().args(words).env("PROC_CONFIG", &file).output().unwrap();
    let output = with(&["on", "tcp:1"]);
    assert_eq!(text(&output.stderr), format!("proc: {wrong}; going on without it\n"));
    assert!(!output.stdout.is_empty());
    let output = with(&["free", "tcp:1", "--dry-run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with(&format!("proc: {wrong}; nothing is acted on")));
    let output = with(&["config"]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(2), &*format!("proc: {wrong}\n"))
    );
    let output = with(&["-q", "on", "tcp:1"]);
    assert_eq!(text(&output.stderr), "");
    let output = with(&["__complete", "zsh", "2", "--", "proc", "fre"]);
    assert!(text(&output.stdout).starts_with("free\t") && output.stderr.is_empty());
}

/// `su -m` and setpriv(1) keep HOME: another user's settings are not followed, and hinder nobody;
/// one's own that cannot be read do.
#[test]
#[cfg(target_os = "linux")]
fn a_home_of_another_user_has_no_settings() {
    use std::os::unix::fs::PermissionsExt;
    if !proc_testkit::is_root() {
        return proc_testkit::skip("becoming another user needs root");
    }
    let user = proc_testkit::unprivileged_uid();
    let scratch = Scratch::new("home");
    let reachable = scratch.0.join("proc");
    std::fs::copy(program().get_program(), &reachable).unwrap();
    let mode = std::fs::Permissions::from_mode;
    std::fs::set_permissions(&scratch.0, mode(0o755)).unwrap();
    let home = scratch.0.join("home");
    std::fs::create_dir_all(home.join(".config/proc")).unwrap();
    std::fs::write(home.join(".config/proc/config.toml"), "protect = [\"sh\"]\n").unwrap();
    std::fs::set_permissions(home.join(".config"), mode(0o700)).unwrap();
    let ask = || {
        let mut command = proc_testkit::run_as(user, &reachable);
        command.args(["stop", "-y", "no-such-process-at-all"]).env_clear().env("HOME", &home);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let theirs = ask();
    assert_eq!(theirs.status.code(), Some(1), "{theirs:?}");
    assert!(!text(&theirs.stderr).contains("config.toml"), "{theirs:?}");
    std::os::unix::fs::chown(&home, Some(user), None).unwrap();
    let own = ask();
    assert_eq!(own.status.code(), Some(2), "{own:?}");
    assert!(text(&own.stderr).contains("nothing is acted on"), "{own:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_protected_name_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let word = format!("tcp:{}", listener.local_addr().unwrap().port());
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    let output = program()
        .args(["kill", "--dry-run", "--json", &word])
        .env("PROC_PROTECT", own.trim())
        .output()
        .unwrap();
    // This test is an ancestor of the program besides, which is refused as well: either way nothing
    // is done, and the sentence of the settings is the library's to test.
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stdout));
}

#[test]
fn settings_are_shown_with_their_origin() {
    let scratch = Scratch::new("settings");
    let file = scratch.file("config.toml", "grace = \"9s\"\n");
    let output = program()
        .arg("config")
        .env("PROC_CONFIG", &file)
        .env("PROC_COLOR", "never")
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    let has = |words: &[&str]| {
        shown
            .lines()
            .any(|line| line.split_whitespace().take(words.len()).eq(words.iter().copied()))
    };
    assert!(has(&["grace", "9s", &format!("{},", file.display()), "line", "1"]), "{shown}");
    assert!(
        has(&["color", "never", "PROC_COLOR"]) && has(&["ascii", "false", "default"]),
        "{shown}"
    );
}

/// `man` and `mandoc` have nothing to complain of, where they are there.
#[test]
fn manual_pages_are_sound() {
    let scratch = Scratch::new("man");
    let output = run(&["man", "--out", scratch.0.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let pages: Vec<&str> = text(&output.stdout).lines().collect();
    assert!(pages.len() > 15, "{pages:?}");
    check(Path::new("man"), &["--warnings", "-E", "UTF-8", "-Tutf8", "-l"], &pages);
    check(Path::new("mandoc"), &["-Tlint", "-Wwarning"], &pages);
}

fn check(checker: &Path, options: &[&str], pages: &[&str]) {
    for page in pages {
        let output = Command::new(checker).args(options).arg(page).stdin(Stdio::null()).output();
        let Ok(output) = output else {
            println!("SKIPPED: {} is not installed", checker.display());
            return;
        };
        // lint complains on stdout, man on stderr. A page made by a program has no date of its own.
        let lint = if checker.ends_with("mandoc") { text(&output.stdout) } else { "" };
        let complaints: Vec<&str> = text(&output.stderr)
            .lines()
            .chain(lint.lines())
            .filter(|line| !line.contains("missing date") && !line.contains("cannot set locale"))
            .collect();
        assert!(complaints.is_empty(), "{page}: {complaints:#?}");
    }
}

#[test]
fn the_script_of_each_shell_asks_the_program() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish", "nushell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains(&format!("__complete {shell} ")), "{shell}");
    }
    for (shell, option) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = run(&["completions", shell]).stdout;
        let child =
            Command::new(shell).arg(option).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            println!("SKIPPED: {shell} is not installed");
            continue;
        };
        child.stdin.take().unwrap().write_all(&script).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
    }
}
