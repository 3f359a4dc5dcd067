//! Loops of shells: whether a script runs a program again and again, told from its text. Only what
//! is plain is called a loop; everything else stays a parent that may do anything.

use super::program::{Program, file_name};
use crate::process::Process;

/// Whether this text, of `sh -c TEXT` or of a script, has a `while` or `until` around the command
/// that `child` runs, and nothing of weight behind it. A loop that only waits for something before
/// it starts a server is none around the server.
pub(crate) fn runs_in_loop(text: &str, child: &Process) -> bool {
    /// A script of more lines does more than one thing.
    const LONGEST: usize = 60;
    if !text.contains("while") && !text.contains("until") {
        return false;
    }
    let lines: Vec<&str> = text.lines().filter(|line| !is_comment(line)).collect();
    // Functions run in another order than they stand.
    if lines.len() > LONGEST || lines.iter().any(|line| defines_function(line)) {
        return false;
    }
    let words: Vec<&str> = lines.into_iter().flat_map(split).collect();
    let position = |wanted: &[&str]| words.iter().position(|word| wanted.contains(word));
    let Some(begin) = position(&["while", "until"]) else { return false };
    let Some(end) = words.iter().rposition(|word| *word == "done") else { return false };
    if end < begin {
        return false;
    }
    // `node server.js` may be the loop's body or its condition, in either it is run again.
    names(child).any(|name| words[begin..end].iter().any(|word| file_name(word) == name))
        && !names(child).any(|name| words[end..].iter().any(|word| file_name(word) == name))
}

fn is_comment(line: &&str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn defines_function(line: &str) -> bool {
    line.contains("()") || line.trim_start().starts_with("function ")
}

/// The words of a line; quotes and operators only part them.
fn split(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t', ';', '&', '|', '(', ')', '"', '\'', '`', '{', '}'])
        .filter(|word| !word.is_empty())
}

/// What a command line that started this process may call it: the program, a script with its
/// extension, the first word of a title (`npm start`).
fn names(child: &Process) -> impl Iterator<Item = &str> {
    let program = Program::of(child);
    let script = program.script_path().map(file_name);
    // The word that interpreters go by is in many a script for other reasons too.
    let called = Some(program.called).filter(|called| !called.is_empty());
    let exe = child.exe.as_deref().map(file_name).filter(|_| program.title.is_none());
    [script, called, exe].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::super::tests::process;
    use super::*;

    #[test]
    fn what_is_a_loop_around_the_child() {
        let node = process(50, 1, "/usr/bin/node", &["node", "server.js"]);
        let npm = process(50, 1, "/usr/bin/node", &["npm start"]);
        let script = process(50, 1, "/usr/bin/dash", &["/bin/sh", "./serve.sh"]);
        for (text, child, want) in [
            ("while :; do node server.js; done", &node, true),
            ("while true\ndo\n  node server.js\n  sleep 1\ndone\n", &node, true),
            ("until node server.js; do sleep 1; done", &node, true),
            ("while :; do /usr/bin/node server.js &\n wait; done", &node, true),
            ("while :; do npm start; sleep 1; done", &npm, true),
            ("until ./serve.sh; do :; done; true", &script, true),
            // These wait for something, and then start it once.
            ("until nc -z db 5432; do sleep 1; done; node server.js", &node, false),
            ("while ! test -e ready; do sleep 1; done\nexec node server.js", &node, false),
            ("node server.js; while :; do sleep 1; done", &node, false),
            ("# while :; do node server.js; done\nnode server.js", &node, false),
            ("for i in 1 2; do node server.js; done", &node, false),
            ("node server.js", &node, false),
            ("while :; do \"$@\"; done", &node, false),
            ("done node while", &node, false),
            ("serve() { node server.js; }\nwhile :; do sleep 1; done; serve", &node, false),
            (&format!("{}while :; do node server.js; done", "true\n".repeat(60)), &node, false),
            ("", &node, false),
        ] {
            assert_eq!(runs_in_loop(text, child), want, "{text}");
        }
    }
}
