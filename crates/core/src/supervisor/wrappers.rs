//! Wrappers: parents that run one thing once, wait, and end with it (`npm run`, `sh -c`, `sudo`),
//! told from those that may do anything.

use super::Role;
use super::program::Program;

/// The main class of `mvn`, whose `spring-boot:run` and `quarkus:dev` run the application once.
const MAVEN: &str = "org.codehaus.plexus.classworlds.launcher.Launcher";

/// A parent without a known role: a wrapper where that is certain.
pub(super) fn waiting_role(program: Program<'_>) -> Role {
    const RUN_ONCE: [&str; 46] = [
        "npm",
        "npm-cli",
        "npx",
        "npx-cli",
        "yarn",
        "yarnpkg",
        "pnpm",
        "pnpx",
        "bunx",
        "corepack",
        "volta",
        "cross-env",
        "dotenv",
        "env-cmd",
        "make",
        "gmake",
        "uv",
        "uvx",
        "poetry",
        "pipenv",
        "hatch",
        "rye",
        "pdm",
        "bundle",
        "sudo",
        "doas",
        "su",
        "runuser",
        "pkexec",
        "timeout",
        "time",
        "script",
        "strace",
        "ltrace",
        "tini",
        "dumb-init",
        "catatonit",
        "react-scripts",
        "direnv",
        "mise",
        "asdf",
        "just",
        "task",
        "setsid",
        "mvn",
        "nohup",
    ];
    let once = match program.command_text() {
        Some(text) => runs_once(text),
        None => {
            RUN_ONCE.iter().any(|name| program.is(name))
                || program.has(MAVEN)
                || runs_what_it_built(program)
                || waits_for_its_command(program)
                || program.is("cmd") && cmd_text(program).is_some_and(|text| runs_once(&text))
        }
    };
    if once { Role::Wrapper } else { Role::Parent }
}

/// Whether it builds a program, runs it and waits for it: `go run .`, `dotnet run`. Where a system lets one
/// become another program, cargo does.
fn runs_what_it_built(program: Program<'_>) -> bool {
    const RUNS: [(&str, &[&str]); 5] = [
        ("go", &["run"]),
        ("dotnet", &["run"]),
        ("cargo", &["run", "r"]),
        ("bun", &["run", "x"]),
        ("deno", &["task"]),
    ];
    let runs = |words: &[&str]| program.first_argument().is_some_and(|word| words.contains(&word));
    RUNS.iter().any(|(name, words)| program.file.eq_ignore_ascii_case(name) && runs(words))
}

/// This very program, where it waits for the command that it was given: on Windows nothing becomes
/// another program.
fn waits_for_its_command(program: Program<'_>) -> bool {
    program.is("proc") && matches!(program.first_argument(), Some("pick" | "undo"))
}

/// The text of `cmd /c TEXT`, which npm and others start on Windows as they do `sh -c` elsewhere.
fn cmd_text(program: Program<'_>) -> Option<String> {
    let mut arguments = program.arguments().iter();
    arguments.find(|option| option.eq_ignore_ascii_case("/c"))?;
    Some(arguments.map(String::as_str).collect::<Vec<_>>().join(" "))
}

/// Whether the text of `sh -c TEXT` has nothing that could run a command twice.
fn runs_once(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "while", "until", "for", "select", "trap", "eval", "source", ".", "function", "alias",
        "repeat",
    ];
    !text.contains(['{', '`', '\n', '(', '$', '|'])
        && !text.split([' ', '\t', ';', '&']).any(|word| WORDS.contains(&word))
}
