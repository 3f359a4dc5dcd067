//! What was typed: the command line, its help and its errors. Nothing here looks or acts, and
//! what a target word means is the library's to say.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use proc_core::nearness::nearest;
use proc_core::report::ErrorReport;

use crate::config::Settings;
use crate::globals::Globals;
use crate::sanitize;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "proc",
    bin_name = "proc",
    override_usage = "proc [OPTIONS] TARGET...\n       proc COMMAND [OPTIONS] [TARGET]...",
    version,
    about = "Says what holds a port, why your bind fails, and gives the port back",
    disable_help_subcommand = true,
    infer_subcommands = false,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub globals: Globals,
}

/// What stands below the help of the program.
pub const AFTER_HELP: &str = "\
Targets, the same for every command (`proc :3000` means `proc on :3000`):
  :3000  tcp:3000  udp:53  127.0.0.1:3000  [::1]:3000  localhost:3000  :http  :3000-3010
  http://localhost:3000/x  /run/app.sock  unix:@name  pid:1234  node  ./server
  container:web  unit:nginx.service  and several, as `a b` or `a,b`

Examples:
  proc :3000                   what holds port 3000
  proc why :3000               why a bind fails, with the whole evidence
  proc why \"listen EADDRINUSE: address already in use :::3000\"
  proc free :3000              give the port back
  proc undo                    start again what that ended
  proc run -- npm run dev      run it, and deal with the port it cannot have
  proc wait :3000 && npm start
  proc pick --near 3000        the next free port
  proc ports --exposed         what other machines can reach

Exit codes: 0 yes, 1 no, 2 wrong command line, 3 not permitted, 4 refused or declined,
5 not possible on this system.";

/// Every command in one place: its variant, its word, the file of its arguments, and what `proc
/// --help` says of it.
macro_rules! commands {
    ($($(#[doc = $about:literal])+ $variant:ident = $word:literal in $file:ident,)+) => {
        /// The commands.
        #[derive(Debug, Subcommand)]
        pub enum Command {
            $($(#[doc = $about])+ #[command(name = $word)] $variant(crate::commands::$file::Args),)+
        }

        impl Command {
            /// Its name, as typed and as in JSON.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $word,)+
                }
            }
        }

        /// What `proc --help` says of the command.
        pub fn about(name: &str) -> &'static str {
            match name {
                $($word => concat!($($about),+).trim_start(),)+
                _ => "",
            }
        }

        /// Every command's name.
        pub const COMMANDS: &[&str] = &[$($word),+];

        /// The arguments of the command of that name, and of no other.
        fn grammar_of(name: &str, own: clap::Command) -> Option<clap::Command> {
            match name {
                $($word => Some(crate::commands::$file::Args::augment_args(own)),)+
                _ => None,
            }
        }
    };
}

commands! {
    /// Say what holds a port, or what a process holds
    On = "on" in on,
    /// Say why a bind fails: every cause, its evidence and its remedies
    Why = "why" in why,
    /// Say whether a server could bind a port, by the exit code
    Check = "check" in check,
    /// List every port that is listened on, who holds it and who can reach it
    Ports = "ports" in ports,
    /// List processes: who they are, where they run, which ports they have
    List = "list" in list,
    /// List the processes of a name
    By = "by" in by,
    /// List the processes that run in a directory
    In = "in" in within,
    /// List the processes that run a file, work in it or have it open
    For = "for" in using,
    /// List the processes that outlived whoever started them
    Orphans = "orphans" in orphans,
    /// List the processes that get nowhere, and by what evidence
    Stuck = "stuck" in stuck,
    /// Tell everything about a process
    Info = "info" in info,
    /// Show processes below their parents
    Tree = "tree" in tree,
    /// End what holds a port: ask, wait, force
    Kill = "kill" in kill,
    /// Ask what holds a port to end, and wait; never force
    Stop = "stop" in stop,
    /// Give a port back, or end processes for good, by the softest means that works
    Free = "free" in free,
    /// Hold processes still, ports and all, until thaw
    Freeze = "freeze" in freeze,
    /// Let frozen or stopped processes go on
    Thaw = "thaw" in thaw,
    /// Get a stuck process to move without ending it, or say what holds it
    Unstick = "unstick" in unstick,
    /// Have a server read its configuration anew
    Reload = "reload" in reload,
    /// Start again what kill, stop or free ended
    Undo = "undo" in undo,
    /// Wait until a port is free, or is served, or a process is gone
    Wait = "wait" in wait,
    /// Tell every change of ports as it happens
    Watch = "watch" in watch,
    /// Choose free ports, and hand them to a command without a gap
    Pick = "pick" in pick,
    /// Run a command, and deal with the port it cannot have
    Run = "run" in run,
    /// Write what is seen to a file, for a bug report or for --replay
    Record = "record" in record,
    /// Tell about a topic, such as targets or exit-codes, or about a command
    Help = "help" in help,
    /// Print the script that completes in a shell: bash, zsh, fish, and others
    Completions = "completions" in completions,
    /// Print a manual page, or write them all
    Man = "man" in man,
    /// Show every setting, its value and where that comes from
    Config = "config" in config,
    /// Write down the whole machine, to compare with later
    Snapshot = "snapshot" in snapshot,
    /// Say what serves now that did not when a snapshot was taken
    Diff = "diff" in diff,
    /// Say whether proc tells the truth on this machine, and what you cannot see
    Doctor = "doctor" in doctor,
    /// Print the JSON Schema of every document that --json prints
    Schema = "schema" in schema,
}

/// Why there is no command to run.
#[derive(Debug)]
pub enum Stop {
    /// Text that was asked for: help or the version.
    Shown(String),
    /// Nothing was typed: a hint.
    Hint(String),
    /// The command line is wrong.
    Wrong {
        /// What is wrong.
        error: Box<ErrorReport>,
        /// The command it was typed for, or nothing.
        command: String,
        /// Whether the answer is to be JSON.
        json: bool,
        /// Whether there is to be no answer.
        quiet: bool,
    },
}

/// Parses the arguments, the program's name first.
///
/// # Errors
/// [`Stop`], where there is no command to run.
pub fn parse(mut args: Vec<OsString>, settings: &Settings) -> Result<Cli, Stop> {
    if args.len() <= 1 {
        return Err(Stop::Hint(hint()));
    }
    let wrong = |error: ErrorReport, args: &[OsString]| Stop::Wrong {
        error: Box::new(error),
        command: typed_command(args).unwrap_or_default().to_owned(),
        json: has_flag(args, &["--json", "--jsonl"]) || has_short_json(args),
        quiet: has_flag(args, &["--quiet", "-q"]),
    };
    check_utf8(&args).map_err(|error| wrong(error, &args))?;
    expand(&mut args, settings).map_err(|error| wrong(error, &args))?;
    if let Some(word) = first_word(&args) {
        if is_target(word) {
            args.insert(1, "on".into());
        } else if !COMMANDS.contains(&word) {
            let error = not_a_command(word);
            return Err(wrong(error, &args));
        }
    }
    if let [_, word] = args.as_slice()
        && ["--version", "-V"].iter().any(|version| word == version)
    {
        return Err(Stop::Shown(format!("proc {}\n", env!("CARGO_PKG_VERSION"))));
    }
    let matches = grammar(&args, settings).try_get_matches_from(&args);
    let matches = match matches {
        // Help tells of everything, also when asked for in a cluster (`-qh`).
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            Cli::command().try_get_matches_from(&args)
        }
        matches => matches,
    };
    let cli = matches.and_then(|matches| {
        let mut cli = Cli::from_arg_matches(&matches)?;
        cli.globals.typed = typed_options(&matches);
        Ok(cli)
    });
    let cli = cli.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Stop::Shown(error.render().to_string())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Stop::Hint(hint())
        }
        _ => wrong(sentence(&error, &args), &args),
    })?;
    match &settings.problem {
        Some(problem) if acts(cli.command.name()) => Err(wrong(not_acting(problem), &args)),
        _ => Ok(cli),
    }
}

/// The options of a command that acts, without its targets and without those that every command
/// has: who may not do it can type the same again as root.
fn typed_options(matches: &ArgMatches) -> Vec<String> {
    let Some((name, own)) = matches.subcommand() else { return Vec::new() };
    if own.try_contains_id("dry_run").is_err() {
        return Vec::new();
    }
    let grammar = grammar_of(name, clap::Command::new("proc")).unwrap_or_default();
    let mut words = Vec::new();
    for arg in grammar.get_arguments() {
        let id = arg.get_id().as_str();
        let Some(long) = arg.get_long() else { continue };
        if own.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        words.push(format!("--{long}"));
        if arg.get_action().takes_values() {
            words.extend(own.get_raw(id).into_iter().flatten().map(lossy));
        }
    }
    words
}

/// Whether the command acts: then a setting may say on what it never does.
fn acts(name: &str) -> bool {
    // What acts can say beforehand what it would do; `run` is about another command.
    name == "run" || grammar_for(Some(name)).get_arguments().any(|arg| arg.get_id() == "dry_run")
}

/// Whether the command has a list whose columns can be chosen.
pub fn takes_columns(name: &str) -> bool {
    let own = grammar_of(name, clap::Command::new("proc"));
    own.is_some_and(|own| own.get_arguments().any(|arg| arg.get_id() == "columns"))
}

fn not_acting(problem: &ErrorReport) -> ErrorReport {
    let explain = format!(
        "{}; nothing is acted on before that is right, as `protect` may be set there \
         (PROC_CONFIG=/dev/null goes without the file)",
        problem.explain
    );
    ErrorReport { explain, ..problem.clone() }
}

/// Puts the words that an alias stands for in its place.
fn expand(args: &mut Vec<OsString>, settings: &Settings) -> Result<(), ErrorReport> {
    let Some((at, word)) = first_place(args) else { return Ok(()) };
    let Some(words) = settings.alias(word) else { return Ok(()) };
    if let Some(first) = words.first().filter(|first| settings.alias(first).is_some()) {
        let explain = format!("alias `{word}` stands for another alias, `{first}`");
        return Err(usage(explain, Some(word), None));
    }
    args.splice(at..=at, words.iter().map(OsString::from));
    Ok(())
}

/// The grammar of the command that was typed, without the others': describing them all would
/// take as long as starting the program. Whole where help is wanted or no command was typed.
fn grammar(args: &[OsString], settings: &Settings) -> clap::Command {
    let Some(name) = typed_command(args).filter(|_| !has_flag(args, &["--help", "-h"])) else {
        return Cli::command();
    };
    let Some(own) = grammar_of(name, clap::Command::new(name.to_owned())) else {
        return Cli::command();
    };
    let root = clap::Command::new("proc").version(env!("CARGO_PKG_VERSION"));
    let mut root = Globals::augment_args(root);
    // What colours elsewhere comes before the file: it is the environment.
    let is_said = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let said = ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"].iter().any(is_said);
    if let Some(when) = settings.text("color").filter(|_| !(said && settings.is_from_file("color")))
    {
        root = root.mut_arg("color", |arg| arg.default_value(when.to_owned()));
    }
    root.disable_help_subcommand(true).subcommand(with_settings(own, name, args, settings))
}

/// The command's grammar with what is set as its defaults.
fn with_settings(
    mut own: clap::Command,
    name: &str,
    args: &[OsString],
    settings: &Settings,
) -> clap::Command {
    let has = |own: &clap::Command, id: &str| own.get_arguments().any(|arg| arg.get_id() == id);
    for key in ["grace", "timeout"] {
        // Waiting has a time of its own; these are for what acts.
        if let Some(time) = settings.text(key)
            && has(&own, key)
            && has(&own, "dry_run")
        {
            own = own.mut_arg(key, |arg| arg.default_value(time.to_owned()));
        }
    }
    let columns = settings.list(&format!("columns.{name}"));
    // A script that reads CSV gets the same on every machine.
    if !columns.is_empty() && has(&own, "columns") && !has_flag(args, &["--csv"]) {
        own = own.mut_arg("columns", |arg| arg.default_value(columns.join(",")));
    }
    own
}

/// The grammar of a command with the options of every command; of none, those alone.
pub fn grammar_for(name: Option<&str>) -> clap::Command {
    let name = name.unwrap_or("proc");
    let own = grammar_of(name, clap::Command::new(name.to_owned()));
    Globals::augment_args(own.unwrap_or_else(|| clap::Command::new("proc")))
}

/// A command's own help.
pub fn help_of(name: &str) -> String {
    match Cli::command().try_get_matches_from(["proc", name, "--help"]) {
        Err(error) => error.render().to_string(),
        Ok(_) => String::new(),
    }
}

fn hint() -> String {
    "\
usage: proc TARGET | proc COMMAND [OPTION]... [TARGET]...
  proc :3000         what holds port 3000
  proc why :3000     why a bind fails
  proc free :3000    give the port back
  proc run -- CMD    run it, and deal with the port it cannot have
  proc ports         every port
  proc --help        everything else
"
    .to_owned()
}

fn usage(explain: String, word: Option<&str>, suggestion: Option<String>) -> ErrorReport {
    ErrorReport { kind: "usage".to_owned(), explain, word: word.map(str::to_owned), suggestion }
}

/// Whether a word can only be meant as a target and never as a command. A plain word such as
/// `node` could be a misspelled command, so it needs `proc on node`.
pub fn is_target(word: &str) -> bool {
    word.contains([':', '/', ','])
        || word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '@' | '[' | '*' | '.'))
}

/// Options whose value is the next word.
const TAKES_VALUE: [&str; 2] = ["--replay", "--color"];

/// The first word that is no option and no option's value.
fn first_word(args: &[OsString]) -> Option<&str> {
    first_place(args).map(|(_, word)| word)
}

/// The same with its place.
fn first_place(args: &[OsString]) -> Option<(usize, &str)> {
    let mut words = args.iter().enumerate().skip(1);
    while let Some((at, word)) = words.next() {
        let Some(word) = word.to_str() else { continue };
        if TAKES_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') || word == "-" {
            return Some((at, word));
        }
    }
    None
}

fn typed_command(args: &[OsString]) -> Option<&str> {
    first_word(args).filter(|word| COMMANDS.contains(word))
}

fn has_flag(args: &[OsString], names: &[&str]) -> bool {
    let options = args.iter().take_while(|word| *word != "--");
    options.skip(1).any(|word| names.iter().any(|name| word == *name))
}

/// Whether `-j` is among the options, alone or with others that take no value (`-yj`).
fn has_short_json(args: &[OsString]) -> bool {
    let is_json = |word: &OsString| {
        let letters = word.to_str().and_then(|word| word.strip_prefix('-'));
        letters.is_some_and(|letters| {
            letters.contains('j') && letters.chars().all(|letter| "jyaq9h".contains(letter))
        })
    };
    args.iter().skip(1).take_while(|word| *word != "--").any(is_json)
}

/// Refuses words that are not UTF-8, except the names of files to read or write.
fn check_utf8(args: &[OsString]) -> Result<(), ErrorReport> {
    let mut is_file = false;
    // A command to run is not this program's to understand.
    let runs = typed_command(args).is_some_and(|name| ["pick", "run"].contains(&name));
    let own = args.iter().position(|word| runs && word == "--").unwrap_or(args.len());
    let names_files = typed_command(args) == Some("diff");
    for (position, word) in args[..own].iter().enumerate().skip(1) {
        let names_file = std::mem::replace(&mut is_file, is_file_option(word));
        let starts_file = word.as_encoded_bytes().starts_with(b"--replay=")
            || word.as_encoded_bytes().starts_with(b"--output=");
        if word.to_str().is_none() && !(names_file || starts_file || names_files) {
            return Err(usage(
                format!("argument {position} is not UTF-8: `{}`", lossy(word)),
                Some(&lossy(word)),
                None,
            ));
        }
    }
    Ok(())
}

fn is_file_option(word: &OsStr) -> bool {
    ["--replay", "--output", "-o"].iter().any(|name| word == *name)
}

/// The word with what is not UTF-8 shown as `\xNN`.
fn lossy(word: &OsStr) -> String {
    let mut text = String::new();
    for chunk in word.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn not_a_command(word: &str) -> ErrorReport {
    let shown = sanitize::text(word);
    match nearest_command(word) {
        Some(name) => usage(
            format!("`{shown}` is not a command; did you mean `proc {name}`?"),
            Some(word),
            Some(format!("proc {name}")),
        ),
        None => usage(
            format!("`{shown}` is not a command; for processes of that name: `proc on {shown}`"),
            Some(word),
            Some(format!("proc on {word}")),
        ),
    }
}

/// What people type for a command from other tools: the first of the words that is one is meant.
const OTHER_WORDS: &[(&[&str], &[&str])] = &[
    (&["ls", "ps", "top", "htop", "processes"], &["list", "ports"]),
    (&["ss", "netstat", "listen", "listeners", "sockets"], &["ports"]),
    (&["show", "who", "what", "find", "whoson"], &["on"]),
    (&["lsof", "fuser", "open", "file"], &["for", "on"]),
    (&["pgrep", "name", "named"], &["by", "list"]),
    (&["dir", "cwd", "here"], &["in", "list"]),
    (&["pstree", "children", "ancestors"], &["tree"]),
    (&["details", "inspect", "describe"], &["info", "on"]),
    (&["explain", "reason", "witr"], &["why"]),
    (&["test", "can", "available"], &["check"]),
    (&["end", "terminate", "term", "quit"], &["stop"]),
    (&["pkill", "killall", "force", "murder"], &["kill"]),
    (&["release", "killport", "kill-port", "fkill", "clear"], &["free"]),
    (&["pause", "suspend", "halt"], &["freeze"]),
    (&["resume", "continue", "cont", "unfreeze"], &["thaw"]),
    (&["hung", "hang", "hanging", "frozen", "zombies"], &["stuck"]),
    (&["orphan", "leftover", "leftovers", "abandoned"], &["orphans"]),
    (&["restore", "revert", "restart"], &["undo"]),
    (&["hup", "refresh"], &["reload"]),
    (&["follow", "monitor", "tail", "live"], &["watch"]),
    (&["random", "next", "choose"], &["pick"]),
    (&["exec", "start", "launch"], &["run"]),
    (&["selftest", "diagnose", "health"], &["doctor"]),
    (&["compare", "changes"], &["diff"]),
    (&["settings", "configure", "set", "options"], &["config"]),
    (&["completion", "complete"], &["completions"]),
    (&["manual", "manpage"], &["man"]),
    (&["topics", "docs", "usage"], &["help"]),
    (&["save", "dump"], &["record"]),
];

fn nearest_command(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    let meant = OTHER_WORDS.iter().find(|(others, _)| others.contains(&lower.as_str()));
    let known = |name: &&&str| COMMANDS.contains(name);
    meant
        .and_then(|(_, names)| names.iter().find(known).copied())
        .or_else(|| nearest(word, COMMANDS.iter().copied()))
}

/// What clap found wrong, as one sentence.
fn sentence(error: &clap::Error, args: &[OsString]) -> ErrorReport {
    let command = typed_command(args);
    let of = command.map_or_else(|| "proc".to_owned(), |name| format!("proc {name}"));
    let arg = context(error, ContextKind::InvalidArg);
    let value = context(error, ContextKind::InvalidValue);
    let option = arg.as_deref().map(|arg| arg.split([' ', '=']).next().unwrap_or(arg).to_owned());
    let suggestion = context(error, ContextKind::SuggestedArg)
        .or_else(|| context(error, ContextKind::SuggestedValue));
    let shown =
        |word: &Option<String>| sanitize::text(word.as_deref().unwrap_or_default()).into_owned();
    let explain = match error.kind() {
        ErrorKind::UnknownArgument
            if shown(&option) == "--kill"
                && ["stuck", "orphans"].iter().any(|it| command == Some(it)) =>
        {
            let whole = format!("{of} --pids | xargs proc kill");
            let explain = format!("finding ends nobody; to end what `{of}` finds: `{whole}`");
            return usage(explain, option.as_deref(), Some(whole));
        }
        ErrorKind::UnknownArgument if shown(&option).starts_with('-') => {
            format!("`{}` is not an option of `{of}`", shown(&option))
        }
        ErrorKind::UnknownArgument if command == Some("run") => {
            format!("`--` comes before the command: `{of} -- {}`", shown(&arg))
        }
        ErrorKind::UnknownArgument if command == Some("pick") => {
            format!("`{of}` takes no `{}`; a command stands after `--`", shown(&arg))
        }
        ErrorKind::UnknownArgument => {
            format!("`{of}` takes no `{}`", shown(&arg))
        }
        ErrorKind::MissingRequiredArgument if shown(&arg).starts_with("--") => {
            format!("`{of}` needs `{}` for that", shown(&option))
        }
        ErrorKind::MissingRequiredArgument if command == Some("run") => {
            format!("`{of}` needs a command; for example `{of} -- npm start`")
        }
        ErrorKind::MissingRequiredArgument if command == Some("diff") => {
            format!(
                "`{of}` needs a file that `proc snapshot` wrote; for example `{of} before.json`"
            )
        }
        ErrorKind::MissingRequiredArgument if command == Some("by") => {
            format!("`{of}` needs a name; for example `{of} node`")
        }
        ErrorKind::MissingRequiredArgument if command == Some("for") => {
            format!("`{of}` needs a file; for example `{of} ./server`")
        }
        ErrorKind::MissingRequiredArgument => {
            format!("`{of}` needs a target; for example `{of} :3000`")
        }
        ErrorKind::ArgumentConflict => format!(
            "`{}` and `{}` exclude each other",
            shown(&option),
            context(error, ContextKind::PriorArg).unwrap_or_else(|| "another option".to_owned())
        ),
        ErrorKind::InvalidValue if value.as_deref().is_none_or(str::is_empty) => {
            format!("`{}` needs a value", shown(&option))
        }
        ErrorKind::InvalidValue => format!(
            "`{}` is not a value of `{}`: {}",
            shown(&value),
            shown(&option),
            context(error, ContextKind::ValidValue).unwrap_or_default()
        ),
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(source) if shown(&option).starts_with('-') => {
                format!("{}: {source}", shown(&option))
            }
            Some(source) => source.to_string(),
            None => format!("`{}` is not a value of `{}`", shown(&value), shown(&option)),
        },
        _ => first_line(error),
    };
    usage(explain, value.or(option).as_deref(), suggestion)
}

fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(list) => Some(list.join(", ")),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_parse(line: &str) -> Result<Cli, Stop> {
        parse_with(line, &Settings::default())
    }

    fn parse_with(line: &str, settings: &Settings) -> Result<Cli, Stop> {
        let words = std::iter::once("proc").chain(line.split_whitespace());
        parse(words.map(OsString::from).collect(), settings)
    }

    fn error(line: &str) -> String {
        match try_parse(line) {
            Err(Stop::Wrong { error, .. }) => {
                assert_eq!(error.kind, "usage", "{line}");
                error.explain.clone()
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_target_means_on() {
        for line in [
            ":3000",
            "--json :3000",
            "-q :3000 :3001",
            "--color never --replay x.json 3000",
            "tcp:3000",
            "/run/app.sock",
            "./server",
            "[::1]:80",
            "*:80",
            "@abstract",
            "http://localhost:1/",
            "pid:1",
            "node,:80",
            "--all-namespaces :80",
            "--pids :80",
        ] {
            match try_parse(line) {
                Ok(cli) => assert_eq!(cli.command.name(), "on", "{line}"),
                Err(stop) => panic!("{line}: {stop:?}"),
            }
        }
    }

    #[test]
    fn commands_take_global_options_on_both_sides() {
        for line in
            ["--json on :1", "on --json :1", "on :1 --json", "-j :1", "on -j :1", "kill -yj :1"]
        {
            assert!(try_parse(line).unwrap().globals.json, "{line}");
        }
    }

    #[test]
    fn a_misspelled_command_is_guessed() {
        for (word, name) in [
            ("fre", "free"),
            ("kil", "kill"),
            ("port", "ports"),
            ("hwy", "why"),
            ("cehck", "check"),
            ("ls", "list"),
            ("ps", "list"),
            ("lsit", "list"),
            ("Free", "free"),
            ("explain", "why"),
            ("no", "on"),
        ] {
            assert_eq!(
                error(&format!("{word} :3000")),
                format!("`{word}` is not a command; did you mean `proc {name}`?")
            );
        }
        assert_eq!(
            error("node"),
            "`node` is not a command; for processes of that name: `proc on node`"
        );
        assert!(error("nginx --json").contains("`proc on nginx`"));
    }

    #[test]
    fn errors_are_one_sentence() {
        for (line, want) in [
            ("on", "`proc on` needs a target; for example `proc on :3000`"),
            (
                "stuck --kill",
                "finding ends nobody; to end what `proc stuck` finds: `proc stuck --pids | xargs proc kill`",
            ),
            (
                "orphans --in . --kill",
                "finding ends nobody; to end what `proc orphans` finds: `proc orphans --pids | xargs proc kill`",
            ),
            ("list --kill", "`--kill` is not an option of `proc list`"),
            (
                "ports --sort cpu",
                "--sort: `cpu` is nothing to sort ports by; there are port, pid, name, user and age",
            ),
            (
                "kill 1 --started-at soon",
                "--started-at: `soon` is not a moment; write it as `started_at` of --json has it, like `2026-01-01T10:00:00Z`",
            ),
            ("free --josn :1", "`--josn` is not an option of `proc free`"),
            ("--josn", "`--josn` is not an option of `proc`"),
            ("kill --grace 5 :1", "--grace: `5` has no unit; write `5s` for seconds"),
            (
                "kill --grace x :1",
                "--grace: `x` is not a duration; write it like `500ms`, `5s`, `1m30s` or `2h`",
            ),
            (
                "stop --signal FOO :1",
                "--signal: `FOO` is not a signal; write it like `TERM`, `SIGINT` or `15`",
            ),
            ("on --color red :1", "`red` is not a value of `--color`: auto, always, never"),
            ("on --json --quiet :1", "`--json` and `--quiet` exclude each other"),
            ("kill --grace", "`--grace` needs a value"),
            ("schema x", "`proc schema` takes no `x`"),
            ("wait :1 --status 200", "`proc wait` needs `--http` for that"),
            ("by", "`proc by` needs a name; for example `proc by node`"),
            ("list --limit 0", "--limit: `0` would show nothing; only the exit code: `--quiet`"),
            ("list --parent -1", "--parent: `-1` is not a process; write its PID, like `1234`"),
            ("in . --min-uptime 5", "--min-uptime: `5` has no unit; write `5s` for seconds"),
            ("run", "`proc run` needs a command; for example `proc run -- npm start`"),
            ("run vite --port 1", "`--` comes before the command: `proc run -- vite`"),
            ("run --prot 1 -- vite", "`--prot` is not an option of `proc run`"),
            (
                "run --port 0 -- vite",
                "--port: `0` is not a port; a port is a number from 1 to 65535",
            ),
            ("stop --signal KILL :1", "--signal: `stop` never forces; to force: `proc kill --now`"),
        ] {
            assert_eq!(error(line), want, "{line}");
        }
    }

    #[test]
    fn an_error_is_a_document_where_json_was_asked_for() {
        for (line, want) in [
            ("on -j --nonsense", true),
            ("kill -yj --nonsense", true),
            ("kill -y --nonsense", false),
            ("run --nonsense -- cc -j", false),
            ("list --nonsense -b java", false),
        ] {
            let Err(Stop::Wrong { json, .. }) = try_parse(line) else { panic!("{line}") };
            assert_eq!(json, want, "{line}");
        }
    }

    #[test]
    fn an_empty_target_is_refused() {
        let args = ["proc", "on", ""].map(OsString::from).to_vec();
        let Err(Stop::Wrong { error, .. }) = parse(args, &Settings::default()) else { panic!() };
        assert_eq!(error.explain, "a target is empty; for example `:3000`");
    }

    #[test]
    fn nothing_typed_is_a_hint() {
        assert!(matches!(try_parse(""), Err(Stop::Hint(_))));
        assert!(matches!(try_parse("--json"), Err(Stop::Hint(_))));
    }

    fn set(variables: &[(&str, &str)]) -> Settings {
        Settings::load(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn what_is_set_is_a_default() {
        let settings = set(&[
            ("PROC_GRACE", "9s"),
            ("PROC_TIMEOUT", "10m"),
            ("PROC_COLOR", "never"),
            ("PROC_COLUMNS_PORTS", "pid,port"),
        ]);
        let shown = |line: &str| format!("{:?}", parse_with(line, &settings).unwrap());
        let cli = shown("kill :1");
        assert!(cli.contains("grace: 9s") && cli.contains("timeout: 600s"), "{cli}");
        assert!(cli.contains("color: Never"), "{cli}");
        assert!(shown("kill :1 --grace 1s --color always").contains("grace: 1s"));
        assert!(shown("kill :1 --color always").contains("color: Always"));
        assert!(shown("kill -9 :1").contains("now: true"));
        assert!(shown("wait :1").contains("timeout: None"));
        let columns = r#"Names(["pid", "port"])"#;
        assert!(shown("ports").contains(columns));
        assert!(shown("ports --json").contains(columns));
        assert!(!shown("ports --csv").contains(columns));
        assert!(!shown("ports --columns name").contains(columns));
    }

    #[test]
    fn an_alias_stands_for_words_and_not_for_an_alias() {
        let file = std::env::temp_dir().join(format!("proc-alias-{}.toml", std::process::id()));
        let aliases = "[alias]\ndev = \"free :3000 --yes\"\nhere = \":3000\"\ntwice = \"dev -q\"\n";
        std::fs::write(&file, aliases).unwrap();
        let settings = set(&[("PROC_CONFIG", file.to_str().unwrap())]);
        std::fs::remove_file(&file).unwrap();
        let shown = |line: &str| format!("{:?}", parse_with(line, &settings).unwrap());
        assert_eq!(settings.problem, None);
        assert!(shown("dev --grace 7s").contains("grace: 7s"));
        assert!(shown("--color never dev").contains("yes: true"));
        assert!(shown("here").contains("On("));
        // Only the first word is one.
        assert!(!shown("on dev").contains("yes"));
        let Err(Stop::Wrong { error, .. }) = parse_with("twice", &settings) else { panic!() };
        assert_eq!(error.explain, "alias `twice` stands for another alias, `dev`");
    }

    #[test]
    fn nothing_acts_on_settings_that_cannot_be_read() {
        let settings = set(&[("PROC_GRACE", "soon")]);
        assert!(settings.problem.is_some());
        for name in ["on", "ports", "check", "config"] {
            let line =
                if name == "on" || name == "check" { format!("{name} :1") } else { name.into() };
            assert!(parse_with(&line, &settings).is_ok(), "{name}");
        }
        for line in ["kill :1", "free :1 --dry-run", "stop :1", "run -- true"] {
            let Err(Stop::Wrong { error, .. }) = parse_with(line, &settings) else {
                panic!("{line}")
            };
            assert_eq!(error.kind, "usage");
            assert!(error.explain.starts_with("PROC_GRACE: grace: `soon` is not a duration"));
            assert!(error.explain.contains("nothing is acted on before that is right"));
        }
        assert!(!acts("wait") && acts("stop"));
    }
}
