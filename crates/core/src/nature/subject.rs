//! One process as the rules about natures see it: by which name it is trusted, what it runs, which
//! ports it has. Nothing here knows any program by name but those that go by several.

use super::java;
use crate::process::Process;
use crate::snapshot::Snapshot;
use crate::socket::Socket;
use crate::supervisor::{Program, file_name, path_has, program_name};
use crate::windows::path::is_whole;

/// A process and the names that count.
pub(super) struct Subject<'a> {
    pub process: &'a Process,
    pub snapshot: &'a Snapshot,
    /// The executable's file name; where it cannot be read, the kernel's short name.
    pub file: &'a str,
    /// What an interpreter runs: a script's path, or a module.
    pub script: Option<&'a str>,
    /// What a Java machine runs: a class, or a jar's path.
    pub class: Option<&'a str>,
    /// The text that a program wrote over its arguments.
    pub title: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub fn new(process: &'a Process, snapshot: &'a Snapshot) -> Self {
        let program = Program::of(process);
        let file = trusted_name(process);
        let script = program.script_path();
        let class =
            matches!(file, "java" | "javaw").then(|| java::main_class(&process.argv)).flatten();
        Self { process, snapshot, file, script, class, title: program.title }
    }

    /// Whether its executable has this name: in any case on Windows and of an application of macOS, as
    /// their file systems do.
    pub fn goes_by(&self, name: &str) -> bool {
        self.is_called(self.file, name)
    }

    /// Whether it is that application, or a helper of it on macOS: `Slack Helper (Renderer)`. Some go by
    /// the name of what they are made with.
    pub fn is_application(&self, name: &str) -> bool {
        let app = match self.file {
            "Electron" => self.bundle().unwrap_or(self.file),
            file => file.split(" Helper").next().unwrap_or(file),
        };
        self.is_called(app, name)
    }

    fn is_called(&self, file: &str, name: &str) -> bool {
        file == name || (file.eq_ignore_ascii_case(name) && self.ignores_case())
    }

    fn ignores_case(&self) -> bool {
        self.process.exe.as_deref().is_some_and(is_whole) || self.bundle().is_some()
    }

    /// Whether its executable has one of these names.
    pub fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.goes_by(name))
    }

    /// The arguments after the program.
    pub fn arguments(&self) -> &'a [String] {
        self.process.argv.get(1..).unwrap_or_default()
    }

    /// Whether this is among the arguments.
    pub fn has(&self, word: &str) -> bool {
        self.arguments().iter().any(|argument| argument == word)
    }

    /// The value of an option, written `--name value` or `--name=value`.
    pub fn value(&self, option: &str) -> Option<&'a str> {
        let arguments = self.arguments();
        arguments.iter().enumerate().find_map(|(at, argument)| {
            let rest = argument.strip_prefix(option)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None if rest.is_empty() => arguments.get(at + 1).map(String::as_str),
                None => None,
            }
        })
    }

    /// The file name of the script, or the module's name, without an extension.
    pub fn script_name(&self) -> Option<&'a str> {
        let file = file_name(self.script?);
        Some(
            [".js", ".mjs", ".cjs", ".py"]
                .iter()
                .find_map(|e| file.strip_suffix(e))
                .unwrap_or(file),
        )
    }

    /// The application that its executable is of, as macOS has them: `Slack` of
    /// `/Applications/Slack.app/Contents/MacOS/Slack`.
    pub fn bundle(&self) -> Option<&'a str> {
        let (bundle, _) = self.process.exe.as_deref()?.split_once(".app/Contents/MacOS/")?;
        Some(file_name(bundle))
    }

    /// Whether the script's path has this part.
    pub fn script_has(&self, part: &str) -> bool {
        self.script.is_some_and(|script| path_has(script, part))
    }

    /// Whether the executable's path has this part.
    pub fn exe_has(&self, part: &str) -> bool {
        self.process.exe.as_deref().is_some_and(|exe| path_has(exe, part))
    }

    /// The nearest ancestor whose executable has one of these names.
    pub fn ancestor(&self, names: &[&str]) -> Option<&'a Process> {
        let pid = self.process.id.pid;
        self.snapshot
            .ancestors(pid)
            .into_iter()
            .find(|process| names.contains(&trusted_name(process)))
    }

    /// The parent, where it was seen.
    pub fn parent(&self) -> Option<&'a Process> {
        self.snapshot.processes.get(&self.process.ppid)
    }

    /// The ports that it waits on, so far as the snapshot has them: those asked about, or all.
    pub fn ports(&self) -> Vec<u16> {
        let pid = self.process.id.pid;
        let sockets = self.snapshot.sockets.iter();
        let mine = sockets.filter(|socket| socket.is_server() && socket.holders.has(pid));
        let mut ports: Vec<u16> = mine.filter_map(Socket::port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Whether all the ports it was seen with are of this list, and it was seen with one.
    pub fn only_ports(&self, wanted: &[u16]) -> bool {
        let ports = self.ports();
        !ports.is_empty() && ports.iter().all(|port| wanted.contains(port))
    }

    /// A command made of this process's own words, for its own user alone: as root, or as another
    /// user, the words of a stranger are not run. Nor are those of a container outside of it,
    /// where its paths mean something else.
    pub fn own_command(&self, words: &[&str]) -> Option<Vec<String>> {
        let asker = &self.snapshot.asker;
        let askers_container =
            self.snapshot.processes.get(&asker.pid).and_then(|asker| asker.container.as_ref());
        let same_user = self.process.uid == Some(asker.uid);
        let same_place = self.process.container.as_ref() == askers_container;
        // A word with a control character in it is nothing that a person could copy.
        let plain = words.iter().all(|word| !word.is_empty() && !word.contains(char::is_control));
        (same_user && same_place && plain)
            .then(|| words.iter().map(|word| (*word).to_owned()).collect())
    }
}

/// Programs that do several things by the name they are called: the name counts, not the file.
/// Debian's `redis-server` is a link to `redis-check-rdb`.
const MANY_NAMES: [(&str, &[&str]); 4] = [
    ("redis-check-rdb", &["redis-server", "redis-sentinel"]),
    ("valkey-check-rdb", &["valkey-server", "valkey-sentinel"]),
    ("redis-check-aof", &["redis-server", "redis-sentinel"]),
    ("clickhouse", &["clickhouse-server", "clickhouse-keeper"]),
];

fn trusted_name(process: &Process) -> &str {
    let file = match process.exe.as_deref().map(program_name) {
        Some(file) if !file.is_empty() => unwrapped(file),
        _ => return &process.name,
    };
    let Some((_, names)) = MANY_NAMES.iter().find(|(many, _)| *many == file) else { return file };
    let called = process.argv.first().map_or("", |first| file_name(first));
    let called = called.split(' ').next().unwrap_or(called);
    [called, &process.name].into_iter().find(|name| names.contains(name)).unwrap_or(file)
}

/// Nix keeps the program `x` as `.x-wrapped` beside a script of its name.
fn unwrapped(file: &str) -> &str {
    file.strip_prefix('.').and_then(|file| file.strip_suffix("-wrapped")).unwrap_or(file)
}
