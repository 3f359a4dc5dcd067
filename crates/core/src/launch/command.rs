//! The server program in a command line: seen through runners, wrappers, shells and package
//! scripts, with its own arguments and the places where they can be changed. What the program
//! does with its arguments is in [`super::table`].

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Around;
use super::program::{Program, Then};
use super::table::{PROGRAMS, interpreter};
use super::words::{TextWord, simple_commands};
use crate::supervisor::in_node_modules;

/// Where a word stands: an argument of the command line, or some bytes of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub argument: usize,
    pub range: Option<Range<usize>>,
}

/// A word of the command, and where it can be changed; words out of a file cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub slot: Option<Slot>,
}

/// A place between words where others can be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub argument: usize,
    /// Inside that argument's text, at this byte.
    pub byte: Option<usize>,
}

/// `NAME=value` before a command, with the slot of the whole word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub name: String,
    pub value: String,
    pub slot: Option<Slot>,
}

/// A program and what it was given.
#[derive(Clone, Debug)]
pub(super) struct Command {
    /// `None` for a program that the table does not have.
    pub program: Option<&'static Program>,
    /// Its arguments, without the words it was recognised by.
    pub arguments: Vec<Word>,
    pub assignments: Vec<Assignment>,
    /// Before a command that does not get the environment, where `env` can be put.
    pub env_gap: Option<Gap>,
    /// Before its first argument.
    pub first: Option<Gap>,
    /// After its last one.
    pub last: Option<Gap>,
    /// How many `--` have to go before what is put at the end, for the runners to hand it on.
    pub dashes: usize,
}

/// How deep runners may stand in one another before nothing more is read.
const DEEPEST: usize = 8;

/// The command in a command line; `None` where there is none or its text cannot be read.
pub(super) fn command_of(argv: &[String], around: &Around<'_>) -> Option<Command> {
    let words: Vec<Word> = argv
        .iter()
        .enumerate()
        .map(|(argument, text)| Word {
            text: text.clone(),
            slot: Some(Slot { argument, range: None }),
        })
        .collect();
    let line = Line {
        end: Some(Gap { argument: argv.len(), byte: None }),
        directory: around.cwd.to_owned(),
        ..Line::default()
    };
    line.read(&words, around)
}

/// What is known of the words on the way to the program.
#[derive(Clone, Debug, Default)]
struct Line {
    assignments: Vec<Assignment>,
    env_gap: Option<Gap>,
    dashes: usize,
    end: Option<Gap>,
    directory: PathBuf,
    depth: usize,
}

impl Line {
    fn read(mut self, words: &[Word], around: &Around<'_>) -> Option<Command> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let assigned = words.iter().take_while(|word| assignment(word).is_some()).count();
        self.assignments.extend(words[..assigned].iter().filter_map(assignment));
        let words = &words[assigned..];
        let name = command_name(&words.first()?.text);
        let rest = &words[1..];
        if let Some(skipped) = wrapper(name, rest) {
            if matches!(name, "sudo" | "doas" | "runuser") {
                self.env_gap = before(&rest[skipped]);
            }
            return self.read(&rest[skipped..], around);
        }
        if SHELLS.contains(&name)
            && let Some(text) = shell_text(rest)
        {
            return self.read_text(text, around);
        }
        match runner(name, rest) {
            Some(Run::Command(skipped)) => return self.read(&rest[skipped..], around),
            Some(Run::NodeCommand(skipped)) => {
                let swallowed = rest[skipped..].iter().skip(1).any(|word| word.text == "--");
                let needs = !swallowed && !rest[..skipped].iter().any(|w| w.text == "--");
                self.dashes += usize::from(needs);
                let mut kept = rest[skipped..].to_vec();
                if needs {
                    kept.retain(|word| !word.text.starts_with('-'));
                } else if swallowed {
                    drop_before_dashes(&mut kept);
                }
                return self.read(&kept, around);
            }
            Some(Run::Script(script)) => {
                return self.read_script(&script, rest, around);
            }
            None => {}
        }
        let script = interpreted(name, rest);
        if let Some(Interpreted { skipped, name: script }) = &script
            && let Some((program, told)) = recognised(script, &rest[*skipped..])
        {
            return Some(self.found(Some(program), words, 1 + skipped, told));
        }
        if let Some(Interpreted { skipped, .. }) = script {
            return Some(self.found(interpreter(name), words, 1 + skipped, Told::default()));
        }
        let (program, told) = recognised(name, rest).unzip();
        Some(self.found(program, words, 1, told.unwrap_or_default()))
    }

    /// The command whose name takes up so many words, with what comes after that and after the
    /// words that told it apart as its arguments.
    fn found(
        self,
        program: Option<&'static Program>,
        words: &[Word],
        named: usize,
        told: Told,
    ) -> Command {
        let skipped = named + told.past;
        let mut arguments = told.options;
        arguments.extend_from_slice(words.get(skipped..).unwrap_or_default());
        let after = |word: &Word| {
            let slot = word.slot.clone()?;
            Some(match slot.range {
                Some(range) => Gap { argument: slot.argument, byte: Some(range.end) },
                None => Gap { argument: slot.argument + 1, byte: None },
            })
        };
        Command {
            program,
            env_gap: self.env_gap,
            first: words[..skipped.min(words.len())].last().and_then(after),
            last: self.end,
            dashes: self.dashes,
            assignments: self.assignments,
            arguments,
        }
    }

    /// The server among the commands of a shell's text.
    fn read_text(self, text: &Word, around: &Around<'_>) -> Option<Command> {
        let argument = text.slot.as_ref().filter(|slot| slot.range.is_none()).map(|s| s.argument);
        let commands = self.simple_commands(&text.text, around)?;
        let slotted = |word: &TextWord| Word {
            text: word.text.clone(),
            slot: argument.map(|argument| Slot { argument, range: Some(word.at.clone()) }),
        };
        let ends = commands.iter().map(|command| {
            let byte = command.last().map(|word| word.at.end);
            argument.map(|argument| Gap { argument, byte })
        });
        let ends: Vec<Option<Gap>> = ends.collect();
        let commands: Vec<Vec<Word>> =
            commands.iter().map(|command| command.iter().map(slotted).collect()).collect();
        self.choose(&commands, &ends, around)
    }

    /// The server that a package script starts. What stands in the file cannot be changed; what
    /// is put after it goes to the last of its commands.
    fn read_script(
        mut self,
        script: &Script,
        rest: &[Word],
        around: &Around<'_>,
    ) -> Option<Command> {
        let (directory, text) = script_text(script, &self.directory, around)?;
        self.directory = directory;
        let commands = self.simple_commands(&text, around)?;
        let mut commands: Vec<Vec<Word>> = commands
            .into_iter()
            .map(|command| {
                command.into_iter().map(|word| Word { text: word.text, slot: None }).collect()
            })
            .collect();
        let mut handed_on: Vec<Word> = rest[script.skipped..].to_vec();
        if script.needs_dashes {
            let dashes = handed_on.iter().position(|word| word.text == "--");
            self.dashes += usize::from(dashes.is_none());
            let own = dashes.unwrap_or(handed_on.len());
            let mut kept: Vec<Word> =
                handed_on[..own].iter().filter(|w| !w.text.starts_with('-')).cloned().collect();
            kept.extend(handed_on.drain(..).skip(own + 1));
            handed_on = kept;
        }
        let end = self.end.clone();
        commands.last_mut()?.extend(handed_on);
        let mut ends = vec![None; commands.len()];
        *ends.last_mut()? = end;
        self.choose(&commands, &ends, around)
    }

    /// The one of several commands that is the server: the last where it is one, else the first
    /// that is known to be one, else the last that runs a program of the user's.
    fn choose(
        self,
        commands: &[Vec<Word>],
        ends: &[Option<Gap>],
        around: &Around<'_>,
    ) -> Option<Command> {
        let mut read: Vec<Command> = Vec::new();
        let mut exported: Vec<Assignment> = Vec::new();
        for (words, end) in commands.iter().zip(ends).take(64) {
            if words.first().is_some_and(|word| word.text == "export") {
                exported.extend(words.iter().filter_map(assignment));
                continue;
            }
            let mut line = Self { end: end.clone(), ..self.clone() };
            line.assignments.extend(exported.iter().cloned());
            read.extend(line.read(words, around));
        }
        let is_server = |command: &Command| command.program.is_some_and(|p| !p.is_interpreter);
        let at = match read.iter().rposition(|_| true) {
            Some(last) if is_server(&read[last]) => last,
            Some(last) => read.iter().position(is_server).unwrap_or_else(|| {
                read.iter().rposition(|command| command.program.is_some()).unwrap_or(last)
            }),
            None => return None,
        };
        Some(read.swap_remove(at))
    }

    fn simple_commands(&self, text: &str, around: &Around<'_>) -> Option<Vec<Vec<TextWord>>> {
        let env = |name: &str| {
            let own = self.assignments.iter().rev().find(|assignment| assignment.name == name);
            own.map(|assignment| assignment.value.clone()).or_else(|| (around.env)(name))
        };
        simple_commands(text, &env)
    }
}

/// The words after a program's name that tell it apart.
#[derive(Default)]
struct Told {
    /// How many words it takes to get past them.
    past: usize,
    /// The options (and their values) among those.
    options: Vec<Word>,
}

/// The program of that name, and the words after the name that tell it apart.
fn recognised(name: &str, rest: &[Word]) -> Option<(&'static Program, Told)> {
    PROGRAMS.iter().find_map(|program| {
        let called = &program.called;
        if !called.names.iter().any(|own| is_called(name, own)) {
            return None;
        }
        let follows = |words: &str| follows(rest, words, program.arguments.takes_value);
        let more = match called.then {
            Then::Anything => Told::default(),
            Then::One(words) => words.iter().find_map(|word| follows(word))?,
            Then::Not(words) if words.iter().any(|word| follows(word).is_some()) => {
                return None;
            }
            Then::Not(_) => Told::default(),
            Then::Option(option) => {
                rest.iter().take_while(|w| w.text != "--").find(|w| w.text.starts_with(option))?;
                Told::default()
            }
        };
        Some((program, more))
    })
}

/// Past this word (or these two), where the arguments that are no options begin so.
fn follows(rest: &[Word], words: &str, takes_value: fn(&str) -> bool) -> Option<Told> {
    let mut told = Told::default();
    for wanted in words.split(' ') {
        while let Some(word) = rest.get(told.past).filter(|word| word.text.starts_with('-')) {
            let end = told.past + if takes_value(&word.text) { 2 } else { 1 };
            told.options.extend_from_slice(rest.get(told.past..end)?);
            told.past = end;
        }
        if rest.get(told.past)?.text != wanted {
            return None;
        }
        told.past += 1;
    }
    Some(told)
}

/// `python3.12` goes by `python` as `gunicorn-20` does not by `gunicorn`.
fn is_called(name: &str, own: &str) -> bool {
    name.strip_prefix(own).is_some_and(|version| {
        version.is_empty()
            || (is_versioned(own) && version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    })
}

/// The interpreters that Linux distributions install with their version in the name.
fn is_versioned(name: &str) -> bool {
    matches!(name, "python" | "pypy" | "php" | "ruby" | "perl" | "node" | "java")
}

/// The file name of a command, without the extension of a script or a program.
fn command_name(path: &str) -> &str {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let extensions = [".exe", ".cmd", ".bat", ".ps1", ".js", ".mjs", ".cjs", ".ts", ".py", ".rb"];
    let stem = extensions.iter().find_map(|extension| file.strip_suffix(extension));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(file)
}

/// The place before a word.
fn before(word: &Word) -> Option<Gap> {
    let slot = word.slot.clone()?;
    Some(Gap { argument: slot.argument, byte: slot.range.map(|range| range.start) })
}

fn assignment(word: &Word) -> Option<Assignment> {
    let (name, value) = word.text.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| Assignment {
        name: name.to_owned(),
        value: value.to_owned(),
        slot: word.slot.clone(),
    })
}

const SHELLS: [&str; 8] = ["sh", "bash", "zsh", "dash", "ash", "ksh", "mksh", "busybox"];

/// The text of `sh -c TEXT` (also `-lc`, `-ec`, `busybox sh -c`).
fn shell_text(rest: &[Word]) -> Option<&Word> {
    let flag = rest.iter().position(|word| {
        word.text.strip_prefix('-').is_some_and(|flags| {
            flags.ends_with('c') && flags.bytes().all(|byte| byte.is_ascii_lowercase())
        })
    })?;
    let before = &rest[..flag];
    let plain = before.iter().all(|word| word.text.starts_with(['-', '+']) || word.text == "sh");
    plain.then(|| rest.get(flag + 1)).flatten()
}

/// How many words a program that merely runs another takes for itself, where it is one.
fn wrapper(name: &str, rest: &[Word]) -> Option<usize> {
    let (valued, words): (&[&str], usize) = match name {
        "env" => (&["-u", "-C", "--unset", "--chdir"], 0),
        "sudo" => (
            &[
                "-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U", "-r", "-t", "--user",
                "--group",
            ],
            0,
        ),
        "doas" => (&["-u", "-C"], 0),
        "nice" => (&["-n", "--adjustment"], 0),
        "ionice" => (&["-c", "-n", "-p"], 0),
        "stdbuf" => (&["-i", "-o", "-e"], 0),
        "timeout" => (&["-s", "-k", "--signal", "--kill-after"], 1),
        "time" => (&["-f", "-o"], 0),
        "taskset" => (&[], 1),
        "dotenv" => (&["-e", "-f", "-v", "-p"], 0),
        "dotenvx" => (&["-e", "-f", "--env-file"], 0),
        "exec" => (&["-a"], 0),
        "setpriv" => (
            &[
                "--reuid",
                "--regid",
                "--groups",
                "--inh-caps",
                "--ambient-caps",
                "--bounding-set",
                "--securebits",
                "--pdeathsig",
                "--selinux-label",
                "--apparmor-profile",
            ],
            0,
        ),
        "runuser" => (&["-u", "-g", "-G", "--user", "--group"], 0),
        "gosu" | "su-exec" => (&[], 1),
        "chrt" => (&["-T", "-P", "-D", "-p"], 1),
        "strace" => (&["-o", "-e", "-s", "-p", "-u", "-E", "-a", "-P"], 0),
        "caffeinate" => (&["-t", "-w"], 0),
        "nohup" | "setsid" | "command" | "cross-env" | "unbuffer" | "catchsegv" | "winpty" => {
            (&[], 0)
        }
        _ => return None,
    };
    let mut skipped = past_options(rest, valued) + words;
    if name == "dotenvx" && rest.get(skipped).is_some_and(|word| word.text == "run") {
        skipped += 1 + past_options(&rest[skipped + 1..], valued);
    }
    (skipped < rest.len()).then_some(skipped)
}

/// How many words the options at the beginning take, `--` among them.
fn past_options(rest: &[Word], valued: &[&str]) -> usize {
    let mut at = 0;
    while let Some(word) = rest.get(at) {
        if word.text == "--" {
            return at + 1;
        }
        if !word.text.starts_with('-') || word.text == "-" {
            break;
        }
        at += if valued.contains(&word.text.as_str()) { 2 } else { 1 };
    }
    at.min(rest.len())
}

/// What a runner of packages runs.
enum Run {
    /// The words after so many are a command.
    Command(usize),
    /// The same through `npm exec`, which keeps options before `--` for itself.
    NodeCommand(usize),
    /// A script of a package file.
    Script(Script),
}

/// A script of a package file, and where the words after its name begin.
struct Script {
    name: String,
    file: &'static str,
    table: &'static str,
    directory: Option<String>,
    skipped: usize,
    needs_dashes: bool,
}

fn runner(name: &str, rest: &[Word]) -> Option<Run> {
    let word = |at: usize| rest.get(at).map(|word| word.text.as_str());
    match name {
        "npx" | "bunx" | "pnpx" => {
            Some(Run::Command(past_options(rest, &["-p", "--package", "-c", "--call", "-w"])))
        }
        "npm" => npm(rest),
        "pnpm" | "yarn" | "yarnpkg" => node_manager(name, rest),
        "bun" => match word(0)? {
            "x" => Some(Run::Command(1 + past_options(&rest[1..], &["-p", "--package"]))),
            "run" => {
                let at = 1 + past_options(&rest[1..], &["--cwd"]);
                // A file, not a script's name.
                let is_file = word(at)?.contains(['.', '/']);
                if is_file { None } else { node_script(rest, at, None, false) }
            }
            "dev" | "start" | "serve" | "preview" => node_script(rest, 0, None, false),
            _ => None,
        },
        "deno" if word(0) == Some("task") => {
            let at = 1 + past_options(&rest[1..], &["-c", "--config", "--cwd"]);
            Some(Run::Script(Script {
                name: word(at)?.to_owned(),
                file: "deno.json",
                table: "tasks",
                directory: None,
                skipped: at + 1,
                needs_dashes: false,
            }))
        }
        "node" if word(0) == Some("--run") => node_script(rest, 1, None, true),
        "corepack" => Some(Run::Command(0)),
        "cmd" if matches!(word(0), Some("/c" | "/C")) => Some(Run::Command(1)),
        "uvx" => Some(Run::Command(past_options(rest, &["--from", "--with", "-p", "--python"]))),
        "bundle" | "bundler" if word(0) == Some("exec") => Some(Run::Command(1)),
        "uv" | "poetry" | "pipenv" | "pdm" | "rye" | "hatch" | "conda" | "mamba" | "pixi"
            if word(0) == Some("run") =>
        {
            let valued = ["--with", "-p", "--python", "--extra", "--group", "-n", "--name", "-e"];
            Some(Run::Command(1 + past_options(&rest[1..], &valued)))
        }
        "pipx" if word(0) == Some("run") => Some(Run::Command(1 + past_options(&rest[1..], &[]))),
        "nodemon" | "node-dev" | "ts-node-dev" | "tsx" | "ts-node" => node_watcher(name, rest),
        _ => None,
    }
    .filter(|run| match run {
        Run::Command(skipped) | Run::NodeCommand(skipped) => *skipped < rest.len(),
        Run::Script(_) => true,
    })
}

/// npm: `run`, `start`, `exec`. Options before `--` are npm's own, also after the script's name.
fn npm(rest: &[Word]) -> Option<Run> {
    let valued = ["--prefix", "-C", "-w", "--workspace", "--loglevel", "-p", "--package"];
    let at = past_options(rest, &valued);
    let directory = value_of(rest, &["--prefix", "-C"]);
    // Which directory a workspace's name stands for is not looked up.
    if value_of(rest, &["-w", "--workspace"]).is_some() {
        return None;
    }
    match rest.get(at)?.text.as_str() {
        "run" | "run-script" | "rum" | "urn" => {
            let script = at + 1 + past_options(&rest[at + 1..], &valued);
            node_script(rest, script, directory, true)
        }
        "start" => node_script(rest, at, directory, true),
        "exec" | "x" => Some(Run::NodeCommand(at + 1 + past_options(&rest[at + 1..], &valued))),
        _ => None,
    }
}

/// pnpm and yarn: both run a script or a program by its bare name and hand on all that follows.
fn node_manager(name: &str, rest: &[Word]) -> Option<Run> {
    let valued: &[&str] =
        if name == "pnpm" { &["-C", "--dir", "-F", "--filter", "--prefix"] } else { &["--cwd"] };
    let at = past_options(rest, valued);
    let directory = value_of(&rest[..at], &["-C", "--dir", "--prefix", "--cwd"]);
    if value_of(&rest[..at], &["-F", "--filter"]).is_some() {
        return None;
    }
    match rest.get(at)?.text.as_str() {
        "exec" | "dlx" => Some(Run::Command(at + 1 + past_options(&rest[at + 1..], valued))),
        "run" => {
            node_script(rest, at + 1 + past_options(&rest[at + 1..], valued), directory, false)
        }
        "install" | "add" | "remove" | "i" | "up" | "upgrade" | "why" | "list" | "test"
        | "workspace" | "workspaces" => None,
        _ => node_script(rest, at, directory, false),
    }
}

fn node_script(
    rest: &[Word],
    at: usize,
    directory: Option<String>,
    needs_dashes: bool,
) -> Option<Run> {
    let name = rest.get(at)?.text.clone();
    Some(Run::Script(Script {
        name,
        file: "package.json",
        table: "scripts",
        directory,
        skipped: at + 1,
        needs_dashes,
    }))
}

/// The value of one of these options, where it is among the words before `--`.
fn value_of(rest: &[Word], names: &[&str]) -> Option<String> {
    let own = rest.iter().take_while(|word| word.text != "--");
    let mut words = own.map(|word| word.text.as_str());
    while let Some(word) = words.next() {
        if names.contains(&word) {
            return words.next().map(str::to_owned);
        }
        if let Some((name, value)) = word.split_once('=')
            && names.contains(&name)
        {
            return Some(value.to_owned());
        }
    }
    None
}

/// What a watcher of Node.js programs runs: `--exec COMMAND`, or a script for `node`.
fn node_watcher(name: &str, rest: &[Word]) -> Option<Run> {
    if name == "nodemon" {
        let at = rest.iter().position(|word| word.text == "--exec" || word.text == "-x")?;
        // One word with blanks would have to be taken apart; only the command in words is read.
        let is_words = rest.get(at + 1).is_some_and(|word| !word.text.contains(' '));
        return is_words.then_some(Run::Command(at + 1));
    }
    None
}

/// The words of `npm exec` up to `--` that start with a dash are npm's.
fn drop_before_dashes(words: &mut Vec<Word>) {
    let Some(dashes) = words.iter().position(|word| word.text == "--") else { return };
    let mut at = 0;
    words.retain(|word| {
        at += 1;
        at > dashes + 1 || !word.text.starts_with('-')
    });
}

/// The text of a script, and the directory it runs in: from the package file next above, or for
/// a bare name no script has, that name itself as a program of the package.
fn script_text(script: &Script, cwd: &Path, around: &Around<'_>) -> Option<(PathBuf, String)> {
    let from = script.directory.as_ref().map_or(cwd.to_owned(), |below| cwd.join(below));
    for directory in from.ancestors() {
        let Some(text) = (around.files)(&directory.join(script.file)) else { continue };
        let package: Value = serde_json::from_str(&text).ok()?;
        let found = package.get(script.table).and_then(|scripts| scripts.get(&script.name));
        let text = match found {
            Some(Value::String(text)) => text.clone(),
            Some(task) => task.get("command")?.as_str()?.to_owned(),
            // npm start without a script of that name runs server.js (npm-start(1)).
            None if script.name == "start" => "node server.js".to_owned(),
            None if script.needs_dashes => return None,
            None => super::words::quoted(&script.name),
        };
        return Some((directory.to_owned(), text));
    }
    (!script.needs_dashes).then(|| (from, super::words::quoted(&script.name)))
}

/// A script that an interpreter runs: its name, and the words up to and with it.
struct Interpreted {
    skipped: usize,
    name: String,
}

/// What an interpreter of that name was told to run; `None` for other programs and for an
/// interpreter's own commands, such as `php -S`.
fn interpreted(name: &str, rest: &[Word]) -> Option<Interpreted> {
    let valued: &[&str] = match name {
        "node" | "nodejs" | "tsx" | "ts-node" | "ts-node-dev" | "node-dev" | "nodemon" => &[
            "-r",
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "-C",
            "--conditions",
            "--watch-path",
            "-w",
            "--ext",
            "-i",
            "--ignore",
            "-P",
            "--project",
        ],
        "bun" => &["-r", "--preload", "--cwd"],
        "deno" => return deno(rest),
        _ if is_called(name, "python") || is_called(name, "pypy") => &["-X", "-W"],
        _ if is_called(name, "ruby") => &["-I", "-r", "-C"],
        _ if is_called(name, "perl") => &["-I"],
        "php" => &["-c", "-d", "-z"],
        _ => return None,
    };
    let mut at = 0;
    while let Some(word) = rest.get(at).map(|word| word.text.as_str()) {
        match word {
            "-m" if is_called(name, "python") || is_called(name, "pypy") => {
                let module = rest.get(at + 1)?.text.clone();
                return Some(Interpreted { skipped: at + 2, name: module });
            }
            "-S" if name == "php" => return None,
            "-e" | "--eval" | "-p" | "--print" | "-c" | "-r" if !valued.contains(&word) => {
                return Some(Interpreted {
                    skipped: (at + 2).min(rest.len()),
                    name: String::new(),
                });
            }
            // `ruby -run -e httpd`: the library `un`, and the function of it to call.
            "-run" if is_called(name, "ruby") => {
                return Some(Interpreted { skipped: (at + 3).min(rest.len()), name: "un".into() });
            }
            "run" if name == "bun" => at += 1,
            "watch" if name == "tsx" => at += 1,
            option if option.starts_with('-') && option != "-" => {
                at += if valued.contains(&option) { 2 } else { 1 };
            }
            path => return Some(Interpreted { skipped: at + 1, name: script_name(path) }),
        }
    }
    None
}

/// `deno run [options] file`: what follows the file is the file's own. `deno serve` is a program.
fn deno(rest: &[Word]) -> Option<Interpreted> {
    let at = usize::from(rest.first().is_some_and(|word| word.text == "run"));
    if rest.first().is_some_and(|word| word.text == "serve") {
        return None;
    }
    let at = at + past_options(&rest[at..], &["-c", "--config", "--import-map"]);
    let path = &rest.get(at)?.text;
    let name = path.strip_prefix("npm:").map_or_else(|| script_name(path), str::to_owned);
    Some(Interpreted { skipped: at + 1, name })
}

/// The program that a script is: its file's name; inside `node_modules` the package's, for
/// `vite/bin/vite.js` and `next/dist/bin/next`, or the file's in `.bin`.
fn script_name(path: &str) -> String {
    let name = command_name(path);
    match in_node_modules(path).as_deref().unwrap_or_default() {
        [] | [".bin", ..] => name.to_owned(),
        [scope, rest @ ..] if scope.starts_with('@') => match rest {
            [package, ..] => bin_of(&format!("{scope}/{package}"), name),
            [] => name.to_owned(),
        },
        [package, ..] => bin_of(package, name),
    }
}

/// What the command of a package is called, where it is not called as the package or the file.
fn bin_of(package: &str, file: &str) -> String {
    let known = |name: &str| PROGRAMS.iter().any(|p| p.called.names.contains(&name));
    match package {
        "@angular/cli" => "ng",
        "nuxi" | "@nuxt/cli" => "nuxt",
        "@11ty/eleventy" => "eleventy",
        "@vue/cli-service" => "vue-cli-service",
        "webpack-cli" => "webpack",
        "@remix-run/dev" => "remix",
        "@react-router/dev" => "react-router",
        "@storybook/cli" => "storybook",
        "@expo/cli" => "expo",
        _ if known(package) => package,
        _ => file,
    }
    .to_owned()
}
