//! The documents say what is true, as far as a program can tell: every command line in them
//! parses, every link leads somewhere, every command is in the README, and every cause has its
//! section with a sentence that a scenario proves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every Markdown file of the repository, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["", "docs", "benches", "fuzz", "packaging", "crates/core/tests/scenarios"]
        .map(|f| root().join(f))
    {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn proc_help(words: &[&str]) -> (Option<i32>, String, String) {
    // After `--` stands a command, which is not to be run for this.
    let own = words.iter().position(|word| *word == "--").unwrap_or(words.len());
    let output = Command::new(env!("CARGO_BIN_EXE_proc"))
        .args(&words[..own])
        .arg("--help")
        .args(&words[own..])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The lines of fenced blocks and the `spans` of everything else.
fn code(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for (index, block) in text.split("\n```").enumerate() {
        match index % 2 {
            1 => all.extend(block.lines().skip(1)),
            _ => all.extend(block.split('`').skip(1).step_by(2)),
        }
    }
    all
}

/// The words of a `proc` command line, up to where the shell takes over or, after three spaces, an
/// explanation.
fn command_line(code: &str) -> Option<Vec<&str>> {
    let code = code.trim().trim_start_matches("$ ");
    let code = code.strip_prefix("sudo ").unwrap_or(code).split("   ").next()?;
    let words: Vec<&str> = code
        .strip_prefix("proc ")?
        .split_whitespace()
        .take_while(|word| !["#", "|", ">", "&&", "||"].contains(word))
        .collect();
    (!words.is_empty()).then_some(words)
}

/// Words that stand for others: COMMAND, PORT, a dialogue's ellipsis.
fn is_pattern(words: &[&str]) -> bool {
    words.iter().any(|word| {
        *word == "…" || word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase())
    })
}

#[test]
fn command_lines_are_found_and_checked() {
    let found = |text| code(text).into_iter().filter_map(command_line).collect::<Vec<_>>();
    assert_eq!(
        found("Say `proc on :1` or\n```\n$ proc free :2 && x\n```\n"),
        [vec!["on", ":1"], vec!["free", ":2"]]
    );
    assert_eq!(proc_help(&["on", "--nonsense", ":1"]).0, Some(2));
    assert_eq!(proc_help(&["kill", "--grace", "5", ":1"]).0, Some(2));
}

#[test]
fn every_command_line_parses() {
    let mut checked = 0;
    for (path, text) in documents() {
        // A request for help is granted once everything before it was understood.
        for words in code(&text).into_iter().filter_map(command_line) {
            if is_pattern(&words) {
                continue;
            }
            let (status, _, complaint) = proc_help(&words);
            assert_eq!(
                status,
                Some(0),
                "{}: proc {}: {complaint}",
                path.display(),
                words.join(" ")
            );
            checked += 1;
        }
    }
    assert!(checked > 25, "only {checked} command lines were found");
}

#[test]
fn the_examples_of_the_help_parse() {
    let mut checked = 0;
    for command in commands() {
        let (_, help, _) = proc_help(&[&command]);
        let examples = help.split("Examples:").nth(1).unwrap();
        for words in examples.lines().filter_map(command_line) {
            let (status, _, complaint) = proc_help(&words);
            assert_eq!(status, Some(0), "proc {}: {complaint}", words.join(" "));
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} examples were found");
}

/// What the README, the documents and the help show of looking is run as it is written, in a home
/// with the files that it names: each line is understood and answered.
#[test]
fn the_examples_that_only_look_run_as_written() {
    const LOOKING: [&str; 18] = [
        "on",
        "why",
        "check",
        "ports",
        "list",
        "by",
        "in",
        "for",
        "orphans",
        "stuck",
        "info",
        "tree",
        "help",
        "completions",
        "man",
        "config",
        "schema",
        "record",
    ];
    const ALONE: [&str; 9] =
        ["ports", "list", "tree", "in", "orphans", "stuck", "config", "schema", "help"];
    let room = std::env::temp_dir().join(format!("proc-examples-{}", std::process::id()));
    for folder in ["shop", "old", ".next/dev", "work"] {
        fs::create_dir_all(room.join(folder)).unwrap();
    }
    for file in ["server", "server.log", "app.log", ".next/dev/lock"] {
        fs::write(room.join(file), "").unwrap();
    }
    let mut texts: Vec<String> = vec![read("README.md")];
    texts.extend(
        ["processes", "files", "targets", "exit-codes"]
            .map(|name| read(&format!("docs/{name}.md"))),
    );
    texts.extend(commands().iter().map(|command| proc_help(&[command]).1));
    let mut seen = BTreeSet::new();
    for text in &texts {
        let help = text.split("Examples:").nth(1).unwrap_or_default().lines();
        for line in code(text).into_iter().chain(help) {
            let line = line.trim().trim_start_matches("$ ").split("  ").next().unwrap();
            let Some(words) = command_line(line) else { continue };
            // Alone it is a word of prose.
            let whole = words.len() > 1 || ALONE.contains(&words[0]);
            let plain = whole && !line.contains(['|', '<', '>', '&', '$', ';', '#', '…', '\\']);
            if plain && LOOKING.contains(&words[0]) && !is_pattern(&words) {
                seen.insert(line.to_owned());
            }
        }
    }
    // What answers from a file comes after what writes it.
    let (later, first): (Vec<&String>, Vec<&String>) =
        seen.iter().partition(|line| line.contains("--replay"));
    for line in first.into_iter().chain(later) {
        let output = Command::new("sh")
            .args(["-c", &line.replacen("proc ", "\"$PROC\" ", 1)])
            .env("PROC", env!("CARGO_BIN_EXE_proc"))
            .env("HOME", &room)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("PROC_CONFIG")
            .current_dir(&room)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "{line}: {code:?} {said}");
        let silent = ["-q", " -o ", "--out"].iter().any(|option| line.contains(option));
        assert!(!output.stdout.is_empty() || silent, "{line} says nothing: {said}");
    }
    fs::remove_dir_all(&room).unwrap();
    assert!(seen.len() > 50, "only {} examples were found: {seen:#?}", seen.len());
}

/// The commands that `proc --help` names.
fn commands() -> BTreeSet<String> {
    let (_, help, _) = proc_help(&[]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: BTreeSet<String> =
        list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(commands.contains("free"), "{commands:?}");
    commands
}

#[test]
fn the_readme_has_every_command() {
    let readme = read("README.md");
    for command in commands() {
        assert!(
            readme.contains(&format!("| `proc {command}")),
            "{command} has no row in README.md"
        );
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    for (path, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let context = format!("{}: {target}", path.display());
            assert!(file.exists(), "{context}");
            if !heading.is_empty() {
                let headings = anchors(&fs::read_to_string(&file).unwrap());
                assert!(headings.contains(heading), "{context}: no such heading in {headings:?}");
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} links were found");
}

/// The names that headings have as link targets: lower case, spaces as hyphens.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
                .map(|letter| if letter == ' ' { '-' } else { letter })
                .collect()
        })
        .collect()
}

#[test]
fn every_cause_is_described() {
    let schema: serde_json::Value =
        serde_json::from_str(&read("crates/cli/schema/report.json")).unwrap();
    let kinds = schema["$defs"]["CauseKind"]["oneOf"].as_array().unwrap();
    let causes = read("docs/causes.md");
    assert!(kinds.len() > 20);
    for kind in kinds.iter().map(|kind| kind["const"].as_str().unwrap()) {
        assert!(
            causes.contains(&format!("| [`{kind}`]")) || causes.contains(&format!(", [`{kind}`]"))
        );
        let section = ["reserved", "no-ports-left"].contains(&kind)
            || causes.contains(&format!("\n### {kind}\n"));
        assert!(section, "{kind} has no section in docs/causes.md");
    }
}

#[test]
fn every_quoted_sentence_is_one_that_proc_says() {
    let folder = root().join("crates/core/tests/scenarios");
    let scenarios: String = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let causes = read("docs/causes.md");
    let quoted: Vec<&str> = causes.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert!(quoted.len() > 20, "{quoted:?}");
    for sentence in quoted {
        assert!(scenarios.contains(sentence), "no scenario says: {sentence}");
    }
}

#[test]
fn the_map_has_every_room() {
    let map = read("docs/architecture.md");
    for folder in ["crates/core/src", "crates/cli/src"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let room = path.file_stem().unwrap().to_str().unwrap();
            let known =
                map.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == room);
            assert!(
                known || room == "lib",
                "docs/architecture.md does not have {}",
                path.display()
            );
        }
    }
}
