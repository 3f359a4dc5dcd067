//! The whole program, where it needs no system to look at: errors, help, exit codes, streams.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Output, Stdio};

/// The program just built, or the one that PROC_BIN names, such as a static build.
fn program() -> Command {
    let built = env!("CARGO_BIN_EXE_proc").into();
    let mut command = Command::new(std::env::var_os("PROC_BIN").unwrap_or(built));
    command.env_clear().env("LANG", "C.UTF-8").stdin(Stdio::null());
    // Without it Windows has no sockets.
    command.envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
    command
}

fn run(words: &[&str]) -> Output {
    program().args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Every command, as `proc --help` lists them.
fn commands() -> Vec<String> {
    let output = run(&["--help"]);
    let all = text(&output.stdout);
    let list = all
        .split_once(
            "Commands:
",
        )
        .expect("commands")
        .1;
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter(|line| !line.starts_with("   "));
    let names: Vec<String> =
        names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.len() > 13 && names.iter().any(|name| name == "on"), "{all}");
    names
}

#[test]
fn usage_errors_are_one_line_and_code_2() {
    for (words, want) in [
        (&["fre", ":3000"][..], "proc: `fre` is not a command; did you mean `proc free`?\n"),
        (&["node"], "proc: `node` is not a command; for processes of that name: `proc on node`\n"),
        (&["on"], "proc: `proc on` needs a target; for example `proc on :3000`\n"),
        (&["on", ""], "proc: a target is empty; for example `:3000`\n"),
        (
            &["free", "--tiemout", "1s", ":1"],
            "proc: `--tiemout` is not an option of `proc free`; did you mean `--timeout`?\n",
        ),
        (
            &["kill", "--grace", "5", ":1"],
            "proc: --grace: `5` has no unit; write `5s` for seconds\n",
        ),
        (
            &["fr\x1b[2Je"],
            "proc: `fr\\x1b[2Je` is not a command; for processes of that name: `proc on fr\\x1b[2Je`\n",
        ),
    ] {
        let output = run(words);
        assert_eq!(text(&output.stderr), want);
        assert_eq!(text(&output.stdout), "");
        assert_eq!(code(&output), 2, "{words:?}");
    }
}

#[test]
fn nothing_typed_is_a_hint_on_stderr_and_code_2() {
    let output = run(&[]);
    assert_eq!(code(&output), 2);
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).starts_with("usage: proc TARGET | proc COMMAND"));
}

#[test]
fn errors_are_documents_with_json() {
    for words in [&["--json", "fre", ":1"][..], &["on", "--json"], &["free", "--json", "--x", ":1"]]
    {
        let output = run(words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(output.stderr.is_empty(), "{words:?}");
        let report: proc_core::report::Report = serde_json::from_slice(&output.stdout).unwrap();
        assert!(!report.ok);
        assert_eq!(report.error.unwrap().kind, "usage");
    }
    let output = run(&["--json", "fre"]);
    assert_eq!(
        text(&output.stdout),
        "{\"schema\":1,\"command\":\"\",\"ok\":false,\"targets\":[],\"error\":{\"kind\":\"usage\",\
         \"explain\":\"`fre` is not a command; did you mean `proc free`?\",\"word\":\"fre\",\
         \"suggestion\":\"proc free\"}}\n"
    );
}

#[test]
fn quiet_says_nothing() {
    let output = run(&["-q", "fre"]);
    assert_eq!((code(&output), output.stdout.len(), output.stderr.len()), (2, 0, 0));
}

#[test]
fn words_after_two_dashes_are_no_options() {
    let output = run(&["on", "--", "--json", ""]);
    assert_eq!(text(&output.stdout), "");
    assert_eq!(code(&output), 2);
}

#[test]
fn every_command_has_help_with_examples() {
    let output = run(&["--help"]);
    assert_eq!(code(&output), 0);
    let all = text(&output.stdout);
    assert!(all.contains("Exit codes: 0 yes"), "{all}");
    for command in &commands() {
        for flag in ["--help", "-h"] {
            let output = run(&[command, flag]);
            let help = text(&output.stdout);
            assert_eq!(code(&output), 0);
            let examples = help.split_once("Examples:\n").expect("examples").1;
            let lines = examples.lines().filter(|line| line.contains("proc ")).count();
            assert!((2..=10).contains(&lines), "{command}: {examples}");
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{command}: {help}");
        }
    }
}

#[test]
fn every_option_is_explained() {
    for command in &commands() {
        let output = run(&[command, "--help"]);
        for line in text(&output.stdout).lines().filter(|line| line.trim_start().starts_with('-')) {
            let rest = line.trim_start();
            assert!(rest.contains("  "), "{command}: `{line}` says what it does on its line");
        }
    }
}

#[test]
fn the_version_is_a_line() {
    let output = run(&["--version"]);
    assert_eq!(text(&output.stdout), concat!("proc ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(code(&output), 0);
}

#[test]
fn the_schema_is_json() {
    let output = run(&["schema"]);
    assert_eq!(code(&output), 0);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in ["Report", "PortsReport", "CauseKind", "Verdict"] {
        assert!(schema["$defs"][name].is_object(), "{name}");
    }
}

#[test]
fn colour_comes_when_it_is_forced_and_goes_when_it_is_not_wanted() {
    let colours = |variables: &[(&str, &str)]| {
        let output = program().arg("fre").envs(variables.iter().copied()).output().unwrap();
        output.stderr.contains(&0x1b)
    };
    assert!(!colours(&[]));
    assert!(colours(&[("CLICOLOR_FORCE", "1")]));
    assert!(!colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!run(&["--help"]).stdout.contains(&0x1b));
}

#[test]
fn without_utf8_the_text_is_ascii() {
    let output = program().arg("fré").env("LANG", "C").output().unwrap();
    assert!(output.stderr.is_ascii());
    assert!(text(&output.stderr).starts_with("proc: `fr\\u{e9}` is not a command"));
}

#[test]
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn a_system_that_cannot_look_says_so_and_code_5() {
    for words in [&["on", ":3000"][..], &["check", ":3000"], &["free", ":3000", "--yes"]] {
        let output = run(words);
        assert!(text(&output.stderr).contains("cannot see ports and processes on"), "{words:?}");
        assert_eq!(code(&output), 5, "{words:?}");
    }
    assert_eq!(code(&run(&["schema"])), 0);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    #[cfg(target_os = "linux")]
    use std::fs::OpenOptions;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn words_that_are_not_utf8_are_named() {
        let word = OsString::from_vec(b":30\xff00".to_vec());
        for first in [None, Some("on"), Some("free")] {
            let output = program().args(first).arg(&word).output().unwrap();
            assert_eq!(code(&output), 2);
            let position = 1 + usize::from(first.is_some());
            assert_eq!(
                text(&output.stderr),
                format!("proc: argument {position} is not UTF-8: `:30\\xff00`\n")
            );
        }
        let output = program().arg("--json").arg(&word).output().unwrap();
        let report: proc_core::report::Report = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report.error.unwrap().word.as_deref(), Some(":30\\xff00"));
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let mut child = program().arg("schema").stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program().arg("schema").stdout(writer).output().unwrap();
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_said_and_code_1() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program().arg("schema").stdout(full).output().unwrap();
        assert_eq!(
            text(&output.stderr),
            "proc: cannot write the answer: no space left on device\n"
        );
        assert_eq!(code(&output), 1);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = program().args(["--json", "fre"]).stdout(full).output().unwrap();
        assert_eq!(code(&output), 2, "the worse code stays");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_or_closed_stderr_changes_nothing() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = program().arg("fre").stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(2));
    }
}

/// What a start costs everybody, whether or not they have set anything: told by the kernel.
#[test]
#[cfg(target_os = "linux")]
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
fn a_start_without_a_file_of_settings_costs_one_failed_open() {
    let traces = |output: std::io::Result<Output>| output.is_ok_and(|it| it.status.success());
    if !traces(Command::new("strace").args(["-o", "/dev/null", "true"]).output()) {
        println!("SKIPPED: strace is not installed, or may not trace here");
        return;
    }
    let home = std::env::temp_dir().join(format!("proc-start-{}", std::process::id()));
    std::fs::create_dir(&home).unwrap();
    let program = program();
    for words in [&["--version"][..], &["completions", "bash"], &["schema"]] {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=%file"]).arg(program.get_program()).args(words);
        traced.env_clear().env("LANG", "C.UTF-8").env("HOME", &home).stdin(Stdio::null());
        let output = traced.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let calls = text(&output.stderr);
        assert!(calls.contains("execve("), "{calls}");
        let own: Vec<&str> =
            calls.lines().filter(|call| call.contains(&*home.to_string_lossy())).collect();
        let [one] = own[..] else { panic!("{words:?}: {own:#?}") };
        assert!(one.contains("open") && one.contains(".config/proc/config.toml"), "{one}");
        assert!(one.contains("= -1 ENOENT"), "{one}");
    }
    std::fs::remove_dir(&home).unwrap();
}
