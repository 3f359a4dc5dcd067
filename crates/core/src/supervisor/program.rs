//! What program a process runs, by the names it goes by: its executable, its first argument, the
//! script an interpreter runs for it, or the title it wrote over its arguments.

use crate::process::Process;
use crate::windows::path::is_whole;

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
            None => program_name(first.strip_prefix('-').unwrap_or(first)),
        };
        let file = match process.exe.as_deref().map(program_name) {
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
            .take_while(|argument| self.script.is_none_or(|script| script_name(argument) != script))
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
        self.arguments.iter().map(String::as_str).find(|argument| script_name(argument) == script)
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

    /// The shell of Windows it is, in small letters.
    pub fn shell_of_windows(&self) -> Option<&'static str> {
        const NAMES: [&str; 3] = ["cmd", "powershell", "pwsh"];
        NAMES.into_iter().find(|name| self.file.eq_ignore_ascii_case(name))
    }

    /// Whether a shell of Windows waits for what somebody types.
    pub fn prompts_on_windows(&self) -> bool {
        match self.shell_of_windows() {
            Some("cmd") => cmd_prompts(self.arguments),
            Some(name) => {
                let (told, stays) = powershell(name, self.arguments);
                stays || matches!(told, Told::Nothing)
            }
            None => self.shell_waits_for_input(),
        }
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

/// Whether cmd goes on after what its arguments say (`cmd /?`): /C and /R end it, /K does not.
fn cmd_prompts(arguments: &[String]) -> bool {
    let options = arguments.iter().filter_map(|argument| argument.strip_prefix('/'));
    // They need no blanks between them: `/d/s/c`.
    for option in options.flat_map(|options| options.split('/')) {
        match option.bytes().next().map(|letter| letter.to_ascii_lowercase()) {
            Some(b'c' | b'r') => return false,
            Some(b'k') => return true,
            _ => {}
        }
    }
    true
}

/// What PowerShell was told to run; nothing is a prompt.
enum Told<'a> {
    Nothing,
    Command,
    File(&'a str),
}

/// What PowerShell was told to run, and whether it goes on after that: with -NoExit alone
/// (about_PowerShell_exe, about_Pwsh). Options are known by as many letters as make them certain.
fn powershell<'a>(name: &str, arguments: &'a [String]) -> (Told<'a>, bool) {
    /// Names and the fewest letters, of options with a value.
    const WITH_VALUE: [(&str, usize); 12] = [
        ("executionpolicy", 2),
        ("ep", 2),
        ("version", 1),
        ("psconsolefile", 1),
        ("workingdirectory", 2),
        ("wd", 2),
        ("windowstyle", 1),
        ("inputformat", 3),
        ("outputformat", 1),
        ("configurationname", 6),
        ("custompipename", 2),
        ("settingsfile", 2),
    ];
    const COMMANDS: [(&str, usize); 5] =
        [("commandwithargs", 8), ("cwa", 3), ("command", 1), ("encodedcommand", 1), ("ec", 2)];
    let mut stays = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.strip_prefix('-') else {
            // Windows PowerShell takes it for a command, its successor for a file.
            let file = name.eq_ignore_ascii_case("pwsh");
            return (if file { Told::File(file_name(argument)) } else { Told::Command }, stays);
        };
        let option = option.to_ascii_lowercase();
        let is =
            |(name, least): &(&str, usize)| option.len() >= *least && name.starts_with(&option);
        if is(&("noexit", 3)) {
            stays = true;
        } else if is(&("file", 1)) {
            return (Told::File(arguments.next().map_or("", |path| file_name(path))), stays);
        } else if COMMANDS.iter().any(is) {
            return (Told::Command, stays);
        } else if WITH_VALUE.iter().any(is) {
            arguments.next();
        }
    }
    (Told::Nothing, stays)
}

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
    let bytes = path.as_bytes();
    let end = match is_whole(path) {
        true => memchr::memrchr2(b'/', b'\\', bytes),
        // On Unix a backslash is a character like others.
        false => memchr::memrchr(b'/', bytes),
    };
    let file = end.map_or(path, |at| &path[at + 1..]);
    match file.len().checked_sub(".exe".len()).and_then(|at| file.split_at_checked(at)) {
        Some((name, ending)) if ending.eq_ignore_ascii_case(".exe") => name,
        _ => file,
    }
}

/// The name of the program at a path: macOS runs Python as an application,
/// `…/Python.app/Contents/MacOS/Python`.
pub(crate) fn program_name(path: &str) -> &str {
    match file_name(path) {
        "Python" => "python",
        name => name,
    }
}

/// Where a path last has this part, which is written with slashes; one of Windows may have backslashes.
pub(crate) fn part_of_path(path: &str, part: &str) -> Option<usize> {
    match is_whole(path) {
        true => path.replace('\\', "/").rfind(part),
        false => path.rfind(part),
    }
}

/// Whether a path has this part.
pub(crate) fn path_has(path: &str, part: &str) -> bool {
    part_of_path(path, part).is_some()
}

/// The path of something in that whole folder, with the separators that the folder's own system has.
pub(crate) fn in_folder(folder: &str, names: &[&str]) -> Option<String> {
    let separator = match folder {
        folder if is_whole(folder) => "\\",
        folder if folder.starts_with('/') => "/",
        _ => return None,
    };
    Some([&[folder], names].concat().join(separator))
}

/// The folders and the file of a path below the innermost `node_modules` that it is in.
pub(crate) fn in_node_modules(path: &str) -> Option<Vec<&str>> {
    let mut parts: Vec<&str> = path.split(['/', '\\']).collect();
    let at = parts.iter().rposition(|part| *part == "node_modules")?;
    Some(parts.split_off(at + 1))
}

/// What a script is called: its file's name without an extension. Inside of `node_modules` many go by a
/// name that all have, and the package's, or that of a folder in its `bin`, says more: `tsx/dist/cli.mjs`,
/// `npm-run-all/bin/run-p/index.js`. So they are started by pnpm, and by npm on Windows; elsewhere npm has
/// links of their names.
fn script_name(path: &str) -> &str {
    const EVERYBODYS: [&str; 4] = ["cli", "index", "bin", "main"];
    let stem = stem(path);
    if !EVERYBODYS.contains(&stem) {
        return stem;
    }
    match in_node_modules(path).as_deref().unwrap_or_default() {
        [scope, ..] if scope.starts_with('@') => stem,
        &[_, "bin", command, _] => command,
        &[package, _, ..] => package,
        _ => stem,
    }
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
    SHELLS.contains(&file)
        || file.eq_ignore_ascii_case("powershell")
        || KNOWN.iter().any(|name| is_version_of(file, name))
}

/// What an interpreter of that name was told to run: the first argument that is no option, or
/// the module of `python -m`.
fn script<'a>(interpreter: &str, arguments: &'a [String]) -> Option<&'a str> {
    if !is_interpreter(interpreter) {
        return None;
    }
    if interpreter.eq_ignore_ascii_case("powershell") || interpreter == "pwsh" {
        let (Told::File(file), _) = powershell(interpreter, arguments) else { return None };
        return Some(file).filter(|file| !file.is_empty());
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
            path => return Some(script_name(path)),
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

#[cfg(test)]
mod tests {
    use super::super::tests::process;
    use super::*;

    #[test]
    fn shells_of_windows_that_somebody_types_into() {
        for (exe, line, prompts) in [
            ("cmd", "", true),
            ("CMD", "/d /k prompt.bat", true),
            ("cmd", "/V:ON /Q", true),
            ("cmd", "/d /s /c node", false),
            ("cmd", "/D/S/C node", false),
            ("cmd", "/cnode", false),
            ("cmd", "/r node", false),
            ("PowerShell", "", true),
            ("powershell", "-NoLogo -ex Bypass -wd x", true),
            ("powershell", "-noexit -file a.ps1", true),
            ("powershell", "-nop a.ps1", false),
            ("powershell", "-v 2 -ec AAAA", false),
            ("pwsh", "-NoProfile -wo ~", true),
            ("pwsh", "a.ps1 -noexit", false),
            ("bash", "--login -i", true),
            ("bash", "a.sh", false),
            ("node", "", false),
        ] {
            let argv: Vec<&str> = std::iter::once(exe).chain(line.split_whitespace()).collect();
            let process = process(10, 1, &format!(r"C:\x\{exe}.EXE"), &argv);
            assert_eq!(Program::of(&process).prompts_on_windows(), prompts, "{argv:?}");
        }
    }

    #[test]
    fn what_powershell_runs_is_its_script() {
        for (exe, line, script) in [
            ("powershell", r"-NoP -File C:\ci\run.ps1 -File x", Some("run.ps1")),
            ("powershell", "run.ps1", None),
            ("powershell", "-Command run.ps1", None),
            ("powershell", "-File", None),
            ("pwsh", "-ep Bypass run.ps1", Some("run.ps1")),
        ] {
            let argv: Vec<&str> = std::iter::once(exe).chain(line.split_whitespace()).collect();
            let process = process(10, 1, &format!(r"C:\x\{exe}.exe"), &argv);
            assert_eq!(Program::of(&process).script, script, "{argv:?}");
        }
    }

    #[test]
    fn the_names_of_files() {
        for (path, name) in [
            ("/usr/bin/node", "node"),
            (r"/home/me/a\b", r"a\b"),
            (r"a\b", r"a\b"),
            (r"C:\x\node.exe", "node"),
            (r"C:/x\Node.EXE", "Node"),
            (r"\\server\share\node.exe", "node"),
            (".exe", ""),
            ("é.exe", "é"),
            ("ééé", "ééé"),
            ("", ""),
        ] {
            assert_eq!(file_name(path), name, "{path}");
        }
        assert_eq!(in_folder(r"C:\sdk", &["bin", "adb"]).as_deref(), Some(r"C:\sdk\bin\adb"));
        assert_eq!(in_folder("/sdk", &["adb"]).as_deref(), Some("/sdk/adb"));
        assert_eq!(in_folder("sdk", &["adb"]), None);
        for (path, name) in [
            ("/x/node_modules/tsx/dist/cli.mjs", "tsx"),
            ("node_modules/tsx/dist/cli.mjs", "tsx"),
            (r"C:\x\node_modules\npm-run-all\bin\run-p\index.js", "run-p"),
            ("/x/node_modules/@expo/cli/build/bin/cli", "cli"),
            ("/x/node_modules/index.js", "index"),
            ("/x/node_modules/wrangler/lib/server/index.js", "wrangler"),
            ("/srv/shop/dist/main.js", "main"),
            ("/x/node_modules/vite/bin/vite.js", "vite"),
        ] {
            assert_eq!(script_name(path), name, "{path}");
        }
        assert!(path_has(r"C:\x\pm2\lib\Daemon.js", "/pm2/lib/"));
        assert!(!path_has(r"/x\pm2\lib\Daemon.js", "/pm2/lib/"));
    }
}
