//! Coding agents: those among the ancestors of a process, and those that have left a mark in its
//! environment, so that a server is known for an agent's also when its agent has ended.

use crate::origin::Agent;
use crate::origin::line::Line;
use crate::process::Process;
use crate::snapshot::Snapshot;
use crate::supervisor::{file_name, path_has, program_name};

/// The agents' commands, each with the name the agent goes by. Editors with an agent inside (Cursor,
/// Windsurf, VS Code) are not here: people work in them too.
const COMMANDS: &[(&str, &str)] = &[
    ("claude", "claude"),
    ("claude-code", "claude"),
    ("codex", "codex"),
    ("gemini", "gemini"),
    ("gemini-cli", "gemini"),
    ("opencode", "opencode"),
    ("aider", "aider"),
    ("cursor-agent", "cursor-agent"),
    ("goose", "goose"),
    ("amp", "amp"),
    ("crush", "crush"),
    ("qwen", "qwen"),
    ("copilot", "copilot"),
    ("auggie", "auggie"),
    ("droid", "droid"),
    ("kiro-cli", "kiro"),
    ("cline", "cline"),
    ("openhands", "openhands"),
    ("plandex", "plandex"),
];

/// Packages whose script is the agent, however it is called.
const PACKAGES: &[(&str, &str)] = &[
    ("/claude-code/", "claude"),
    ("/@openai/codex/", "codex"),
    ("/gemini-cli/", "gemini"),
    ("/opencode-ai/", "opencode"),
    ("/@sourcegraph/amp/", "amp"),
    ("/@qwen-code/qwen-code/", "qwen"),
    ("/@github/copilot/", "copilot"),
    ("/@augmentcode/auggie/", "auggie"),
];

/// Marks that an agent sets for its commands, and no person for themselves. (CODEX_HOME and
/// AIDER_MODEL are settings, and CURSOR_TRACE_ID is in every terminal of Cursor.)
const MARKS: &[(&str, &str)] = &[
    ("CLAUDECODE", "claude"),
    ("CODEX_THREAD_ID", "codex"),
    ("CODEX_SANDBOX", "codex"),
    ("CURSOR_AGENT", "cursor-agent"),
    ("GEMINI_CLI", "gemini"),
    ("QWEN_CODE", "qwen"),
    ("OPENCODE", "opencode"),
    ("AMP_CURRENT_THREAD_ID", "amp"),
    ("GOOSE_TERMINAL", "goose"),
    ("AUGMENT_AGENT", "auggie"),
    ("CLINE_ACTIVE", "cline"),
    ("COPILOT_CLI", "copilot"),
];

/// The agent that started a process: the nearest above it, else by the nearest mark.
pub(super) fn of(line: &Line<'_>, snapshot: &Snapshot) -> Option<Agent> {
    let above = line.iter().skip(1).find_map(|process| {
        name_of(process).map(|name| Agent { name: name.to_owned(), pid: Some(process.id.pid) })
    });
    above.or_else(|| {
        let name = line
            .marks(snapshot)
            .find_map(|marks| marked(|name| marks.get(name).map(String::as_str)))?;
        Some(Agent { name: name.to_owned(), pid: None })
    })
}

/// The agent whose mark is set.
pub(crate) fn marked<'a>(mark: impl Fn(&str) -> Option<&'a str>) -> Option<&'static str> {
    let set = |name: &str| mark(name).is_some_and(|value| !matches!(value, "" | "0" | "false"));
    MARKS.iter().find(|(mark, _)| set(mark)).map(|(_, agent)| *agent)
}

/// The living agent of a line: the nearest, the process itself included.
pub(super) fn living<'a>(line: &Line<'a>) -> Option<&'a Process> {
    line.iter().find(|process| is_one(process))
}

/// Whether a process is an agent.
pub(super) fn is_one(process: &Process) -> bool {
    name_of(process).is_some()
}

/// The agent's name. A program may call itself anything; who wants to be taken for an agent gains
/// nothing but that others leave it alone.
pub(crate) fn name_of(process: &Process) -> Option<&'static str> {
    let known = |name: &str| COMMANDS.iter().find(|(own, _)| *own == name).map(|(_, agent)| *agent);
    let exe = process.exe.as_deref().map(program_name).unwrap_or_default();
    let first = process.argv.first().map(|word| program_name(word)).unwrap_or_default();
    if let Some(name) = known(exe).or_else(|| known(first)).or_else(|| known(&process.name)) {
        return Some(name);
    }
    if !is_interpreter(exe) && !is_interpreter(first) {
        return None;
    }
    // The script is the first word that is no option; an option's value is taken for one at worst.
    let script = process.argv.iter().skip(1).find(|word| !word.starts_with('-'))?;
    let packaged = PACKAGES.iter().find(|(place, _)| path_has(script, place));
    packaged.map(|(_, name)| *name).or_else(|| {
        let file = file_name(script);
        let stem = [".js", ".mjs", ".cjs", ".py"].iter().find_map(|end| file.strip_suffix(end));
        known(stem.unwrap_or(file))
    })
}

fn is_interpreter(file: &str) -> bool {
    file.starts_with("python") || matches!(file, "node" | "nodejs" | "bun" | "deno")
}
