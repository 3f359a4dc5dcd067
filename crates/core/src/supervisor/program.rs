//! What program a process runs, by the names it goes by: its executable, its first argument, the
//! script an interpreter runs for it, or the title it wrote over its arguments.

use crate::process::Process;

/// The names of the program that a process runs. All of them are the process's own word, except
/// the executable's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    /// The executable's file name; where it cannot be read, the first argument's, then the
    /// kernel's short name.
    pub file: &'a str,
    /// The first argument's file name, without a login shell's `-`.
    pub called: &'a str,
    /// What an interpreter runs: a script's file name without its extension, or a module.
    pub script: Option<&'a str>,
    /// The text that a program wrote over its arguments (setproctitle), such as
    /// `nginx: master process nginx`.
    pub title: Option<&'a str>,
    arguments: &'a [String],
}

impl<'a> Program<'a> {
    pub fn of(process: &'a Process) -> Self {
        let first = process.argv.first().map_or("", String::as_str);
        let title = title(&process.argv);
        let called = match title {
            Some(title) => title.split([' ', ':']).next().unwrap_or(title),
            None => file_name(first.strip_prefix('-').unwrap_or(first)),
        };
        let file = match process.exe.as_deref().map(file_name) {
            Some(file) if !file.is_empty() => file,
            _ if !called.is_empty() => called,
            _ => &process.name,
        };
        let arguments = process.argv.get(1..).unwrap_or_default();
        Self { file, called, script: script(file, arguments), title, arguments }
    }

    /// Whether it goes by this name.
    pub fn is(&self, name: &str) -> bool {
        // As `names` has them, without an iterator: hundreds of names are compared for each process.
        self.file == name || self.called == name || self.script == Some(name)
    }

    /// The names it goes by, the most telling first.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        let titled = self.title.and(Some(self.called));
        [self.script, titled, Some(self.file), Some(self.called)].into_iter().flatten()
    }

    /// The name to call it by.
    pub fn name(&self) -> &'a str {
        self.names().find(|name| !name.is_empty()).unwrap_or("")
    }

    /// Whether this is among the arguments, or among the words of the title.
    pub fn has(&self, word: &str) -> bool {
        self.arguments.iter().any(|argument| argument == word)
            || self.title.is_some_and(|title| title.split(' ').any(|part| part == word))
    }

    /// Whether one of the arguments begins so.
    pub fn has_beginning(&self, option: &str) -> bool {
        self.arguments.iter().any(|argument| argument.starts_with(option))
    }

    /// Whether an option that begins so stands before the script: it is the interpreter's own.
    pub fn has_option(&self, option: &str) -> bool {
        self.arguments
            .iter()
            .take_while(|argument| self.script.is_none_or(|script| stem(argument) != script))
            .any(|argument| argument.starts_with(option))
    }

    /// The arguments, as typed.
    pub const fn arguments(&self) -> &'a [String] {
        self.arguments
    }

    /// The first argument, as typed.
    pub fn first_argument(&self) -> Option<&'a str> {
        self.arguments.first().map(String::as_str)
    }

    /// The argument that names what an interpreter runs, as typed.
    pub fn script_path(&self) -> Option<&'a str> {
        let script = self.script?;
        self.arguments.iter().map(String::as_str).find(|argument| stem(argument) == script)
    }

    /// The shell it is, by its own name.
    pub fn shell(&self) -> Option<&'a str> {
        // One executable, many names: `sh` may be busybox or dash.
        [self.file, self.called].into_iter().find(|name| SHELLS.contains(name))
    }

    /// The text of `sh -c TEXT`.
    pub fn command_text(&self) -> Option<&'a str> {
        self.shell()?;
        let mut arguments = self.arguments.iter();
        while let Some(option) = arguments.next() {
            if takes_value(option) {
                arguments.next();
            } else if is_command_flag(option) {
                return arguments.find(|text| !text.starts_with('-')).map(String::as_str);
            } else if !option.starts_with(['-', '+']) {
                return None;
            }
        }
        None
    }

    /// Whether a shell was given neither a script nor a command.
    pub fn shell_waits_for_input(&self) -> bool {
        self.shell().is_some()
            && shell_script(self.arguments).is_none()
            && !self.arguments.iter().any(|option| is_command_flag(option))
    }
}

const SHELLS: [&str; 15] = [
    "sh", "bash", "zsh", "fish", "dash", "ash", "ksh", "ksh93", "mksh", "tcsh", "csh", "nu",
    "elvish", "pwsh", "rbash",
];

/// Options of shells whose value is an argument of its own.
fn takes_value(option: &str) -> bool {
    matches!(
        option,
        "-o" | "+o"
            | "-O"
            | "+O"
            | "--rcfile"
            | "--init-file"
            | "-C"
            | "--init-command"
            | "--config"
            | "--env-config"
    )
}

/// `-c`, also among others as in `-lc`, and the ways to read a script from somewhere else.
fn is_command_flag(option: &str) -> bool {
    let short = option.strip_prefix('-').filter(|flags| !flags.starts_with('-'));
    let short = short.is_some_and(|flags| {
        !flags.is_empty()
            && flags.len() <= 5
            && flags.bytes().all(|flag| flag.is_ascii_alphabetic())
            && flags.contains(['c', 's'])
    });
    short || matches!(option, "--command" | "--commands" | "-Command" | "-File")
}

/// The file name of a path; of a Windows path too, without `.exe`.
pub(crate) fn file_name(path: &str) -> &str {
    let path = match path.as_bytes().get(1) {
        Some(b':') => path.rfind('\\').map_or(path, |at| &path[at + 1..]),
        // On Unix a backslash is a character like others.
        _ => path,
    };
    let file = memchr::memrchr(b'/', path.as_bytes()).map_or(path, |at| &path[at + 1..]);
    file.strip_suffix(".exe").unwrap_or(file)
}

/// The file name without the extension of a script.
fn stem(path: &str) -> &str {
    let file = file_name(path);
    [".js", ".mjs", ".cjs", ".py"]
        .iter()
        .find_map(|extension| file.strip_suffix(extension))
        .filter(|stem| !stem.is_empty())
        .unwrap_or(file)
}

/// A title: one argument that is no path and has blanks.
fn title(argv: &[String]) -> Option<&str> {
    let [only] = argv else { return None };
    (only.contains(' ') && !only.starts_with(['/', '.', '-'])).then_some(only)
}

/// Whether a program of that file name is a shell, or an interpreter whose first argument is known
/// to name what it runs.
pub(crate) fn is_interpreter(file: &str) -> bool {
    const KNOWN: [&str; 9] =
        ["node", "nodejs", "python", "pypy", "ruby", "perl", "php", "bun", "deno"];
    SHELLS.contains(&file) || KNOWN.iter().any(|name| is_version_of(file, name))
}

/// What an interpreter of that name was told to run: the first argument that is no option, or
/// the module of `python -m`.
fn script<'a>(interpreter: &str, arguments: &'a [String]) -> Option<&'a str> {
    if !is_interpreter(interpreter) {
        return None;
    }
    if SHELLS.contains(&interpreter) {
        // Of `bash <(…)` it is /dev/fd/63: a number is nobody's name.
        return shell_script(arguments).filter(|name| !name.bytes().all(|b| b.is_ascii_digit()));
    }
    let has_include_path = interpreter.starts_with("ruby") || interpreter.starts_with("perl");
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-m" => return arguments.next().map(String::as_str),
            "-c" | "-e" | "-p" | "--eval" | "--print" => return None,
            "-r"
            | "--require"
            | "--import"
            | "--loader"
            | "--experimental-loader"
            | "-W"
            | "-X" => {
                arguments.next();
            }
            "-I" if has_include_path => {
                arguments.next();
            }
            option if option.starts_with('-') => {}
            path => return Some(stem(path)),
        }
    }
    None
}

/// The script of a shell: the first argument that is no option, unless a command was given.
fn shell_script(arguments: &[String]) -> Option<&str> {
    let mut arguments = arguments.iter();
    while let Some(option) = arguments.next() {
        if takes_value(option) {
            arguments.next();
        } else if is_command_flag(option) {
            return None;
        } else if !option.starts_with(['-', '+']) {
            return Some(file_name(option));
        }
    }
    None
}

/// `python3.12` is a version of `python`.
fn is_version_of(file: &str, name: &str) -> bool {
    file.strip_prefix(name)
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}
