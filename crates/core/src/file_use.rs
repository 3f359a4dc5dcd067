//! Which processes use a file, and how: they run it, work in it, have it mapped or open. What the
//! system can say is gathered by [`crate::host::Host::file_uses`]; here is what it means.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::process::Process;
use crate::report::ReasonKind;
use crate::snapshot::Gap;
use crate::supervisor::{Program, file_name, is_interpreter};

/// Which files are asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileWish {
    /// Their paths, as typed. Links are followed.
    pub paths: Vec<String>,
    /// Whether everything below a directory counts as well.
    pub below: bool,
    /// Whether to note the sockets of those who use one of them: their ports then take no second walk.
    pub sockets: bool,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, of characters or blocks: every node of the same device is the same file.
    Device,
    /// A named pipe (fifo(7)).
    Fifo,
    /// A unix socket's file.
    Socket,
}

impl FileKind {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Device => "device",
            Self::Fifo => "named pipe",
            Self::Socket => "unix socket",
        }
    }
}

/// Whether there is a file of that path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is, of this kind.
    There(FileKind),
    /// There is none, or no longer: it may still be in use.
    Missing,
    /// A directory on the way may not be searched by this user.
    Denied,
    /// The system did not take the path, with this error number.
    Failed(i32),
}

/// How a descriptor may be used, by the mode it was opened with (open(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// To read.
    Read,
    /// To write.
    Write,
    /// To read and write.
    ReadWrite,
    /// Only to name it (O_PATH).
    Path,
}

/// A way to use a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usage {
    /// It is the program that the process runs.
    Executable,
    /// It is the script that the process, an interpreter, was told to run.
    Script,
    /// It is the working directory.
    WorkingDirectory,
    /// It is the root directory (chroot(2)), where that is not the asker's own.
    RootDirectory,
    /// It is mapped into memory, as a library is.
    Mapped,
    /// It is open.
    Descriptor {
        /// The descriptor.
        fd: i32,
        /// For what; absent where that may not be read.
        access: Option<Access>,
        /// Whether a lock was taken through it (flock(2), fcntl(2)).
        locked: bool,
    },
    /// It is the file of a unix socket that this descriptor is.
    Socket {
        /// The descriptor.
        fd: i32,
    },
}

impl Usage {
    /// Whether the process runs the file, as program or as script.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Executable | Self::Script)
    }

    /// What it is called as a reason.
    pub const fn reason(self) -> ReasonKind {
        match self {
            Self::Executable => ReasonKind::Executable,
            Self::Script => ReasonKind::Script,
            Self::WorkingDirectory => ReasonKind::WorkingDirectory,
            Self::RootDirectory => ReasonKind::RootDirectory,
            Self::Mapped => ReasonKind::Mapped,
            Self::Descriptor { .. } => ReasonKind::Descriptor,
            Self::Socket { .. } => ReasonKind::Socket,
        }
    }
}

/// One process's use of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileUse {
    /// The process.
    pub pid: u32,
    /// How.
    pub usage: Usage,
    /// Whether that file was removed, or replaced by another one of the same path.
    pub deleted: bool,
    /// Its path as the process's own system names it, where that is not the path asked for: a hard
    /// link, a container's view, a file below the directory. The kernel's mark of removed files is
    /// not part of it.
    pub path: Option<String>,
}

/// One path, and who uses what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSeen {
    /// The path without links, as far as it exists.
    pub path: String,
    /// Whether there is such a file.
    pub standing: Standing,
    /// Ascending, each once.
    pub uses: Vec<FileUse>,
}

impl FileSeen {
    /// The processes, each once, in ascending order.
    pub fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.uses.iter().map(|each| each.pid).collect();
        pids.dedup();
        pids
    }

    /// Orders the uses and drops repeats. What a process runs is mapped too, which says nothing.
    pub fn settle(&mut self) {
        self.uses.sort_unstable();
        self.uses.dedup();
        let runs: Vec<(u32, Option<String>, bool)> = self
            .uses
            .iter()
            .filter(|each| each.usage == Usage::Executable)
            .map(|each| (each.pid, each.path.clone(), each.deleted))
            .collect();
        let of_executable = |each: &FileUse| {
            let own = runs.partition_point(|(pid, ..)| *pid < each.pid);
            let mut own = runs[own..].iter().take_while(|(pid, ..)| *pid == each.pid);
            each.usage == Usage::Mapped
                && own.any(|(_, path, deleted)| (path, *deleted) == (&each.path, each.deleted))
        };
        self.uses.retain(|each| !of_executable(each));
    }
}

/// What a look at files came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesSeen {
    /// Each path asked for, in order.
    pub files: Vec<FileSeen>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// The inodes of the sockets that a process has descriptors for, of each that uses one of them and
    /// whose descriptors could be read; empty where they were not asked for.
    pub sockets: BTreeMap<u32, Vec<u64>>,
    /// Whether only paths were compared, as in a recording: what is open or mapped is not known.
    pub by_path_only: bool,
}

/// What the first line of a script names as its interpreter (execve(2)): the program and its
/// argument, as in `#!/usr/bin/env node`, without `env`.
pub fn interpreters(head: &[u8]) -> Vec<String> {
    let Some(line) = head.strip_prefix(b"#!") else { return Vec::new() };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line)
        .split_ascii_whitespace()
        .filter(|word| !word.starts_with('-') && !word.contains('='))
        .filter(|word| file_name(word) != "env")
        .map(str::to_owned)
        .take(2)
        .collect()
}

/// Whether a program of that file name may run scripts: a known interpreter, or one of those `named`
/// by the script in question.
pub fn may_run_scripts(file: &str, named: &[String]) -> bool {
    is_interpreter(file) || named.iter().any(|name| is_called(file, file_name(name)))
}

/// `python3.12` runs what says `python3`, which is a link to it.
fn is_called(file: &str, name: &str) -> bool {
    let version =
        |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
    !name.is_empty() && file.strip_prefix(name).is_some_and(version)
}

/// The arguments of a process that may name the script it runs, as they stand there. `named` are
/// the [`interpreters`] of the script in question. A program that is no interpreter, such as an
/// editor, runs nothing that its arguments name.
pub fn script_words<'a>(process: &'a Process, named: &[String]) -> Vec<&'a str> {
    if let Some(path) = Program::of(process).script_path() {
        return vec![path];
    }
    let exe = process.exe.as_deref().map(file_name).unwrap_or_default();
    if is_interpreter(exe) || !may_run_scripts(exe, named) {
        return Vec::new();
    }
    let arguments = process.argv.iter().skip(1).take(3).map(String::as_str);
    arguments.filter(|word| !word.starts_with('-')).collect()
}

/// What a recording of processes can tell of a file, by its path alone: no descriptor, no mapping.
pub fn recorded_uses(path: &str, below: bool, processes: &[&Process]) -> FileSeen {
    let mut seen =
        FileSeen { path: path.to_owned(), standing: Standing::Missing, uses: Vec::new() };
    let directory = path.trim_end_matches('/');
    let inside = |other: &str| {
        other == path
            || (below && other.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/')))
    };
    for process in processes {
        let mut add = |usage, deleted, own: &str| {
            let other = Some(own.to_owned()).filter(|own| own != path);
            seen.uses.push(FileUse { pid: process.id.pid, usage, deleted, path: other });
        };
        if let Some(exe) = process.exe.as_deref().filter(|exe| inside(exe)) {
            add(Usage::Executable, process.exe_deleted, exe);
        }
        if let Some(cwd) = process.cwd.as_deref() {
            let (own, deleted) = undeleted(cwd);
            if inside(own) {
                add(Usage::WorkingDirectory, deleted, own);
            }
        }
        for word in script_words(process, &[]) {
            let script = joined(process.cwd.as_deref().unwrap_or("/"), word);
            if inside(&script) {
                add(Usage::Script, false, &script);
            }
        }
    }
    seen.settle();
    seen
}

/// A link's text without the kernel's mark of a removed file, and whether it had one.
pub fn undeleted(link: &str) -> (&str, bool) {
    match link.strip_suffix(" (deleted)") {
        Some(path) => (path, true),
        None => (link, false),
    }
}

/// A path as seen from a directory, without `.` and `..`. Links are not followed.
pub fn joined(directory: &str, path: &str) -> String {
    let whole = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{directory}/{path}"),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::tests::process;

    #[test]
    fn the_first_line_names_interpreters() {
        for (head, want) in [
            (&b"#!/bin/sh\nread line\n"[..], &["/bin/sh"][..]),
            (b"#! /usr/bin/env node\n", &["node"]),
            (b"#!/usr/bin/env -S deno run --allow-net\n", &["deno", "run"]),
            (b"#!/usr/bin/env LANG=C python3", &["python3"]),
            (b"#!/usr/bin/perl -w", &["/usr/bin/perl"]),
            (b"#!", &[]),
            (b"\x7fELF\x02\x01", &[]),
            (b"", &[]),
        ] {
            assert_eq!(interpreters(head), want, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn an_interpreter_runs_its_script_and_an_editor_does_not() {
        let none: &[String] = &[];
        let julia = &["julia".to_owned()][..];
        for (exe, argv, named, want) in [
            (
                "/usr/bin/node",
                &["node", "--inspect", "server.js", "a.js"][..],
                none,
                &["server.js"][..],
            ),
            ("/usr/bin/python3.12", &["python3", "./app.py"], none, &["./app.py"]),
            ("/bin/dash", &["/bin/sh", "./dev", "--fast"], none, &["./dev"]),
            ("/usr/bin/vim", &["vim", "server.js"], none, &[]),
            ("/usr/bin/tail", &["tail", "-f", "app.log"], none, &[]),
            ("/usr/bin/julia", &["julia", "--threads", "x.jl"], none, &[]),
            ("/usr/bin/julia", &["julia", "-q", "x.jl"], julia, &["x.jl"]),
            ("/opt/julia1.11", &["julia", "x.jl"], julia, &["x.jl"]),
            ("/usr/bin/julian", &["julian", "x.jl"], julia, &[]),
        ] {
            let process = process(10, 1, exe, argv);
            assert_eq!(script_words(&process, named), want, "{argv:?}");
        }
    }

    #[test]
    fn recorded_processes_tell_what_they_run_and_where() {
        let mut server = process(10, 1, "/usr/bin/node", &["node", "../lib/./server.js"]);
        server.cwd = Some("/srv/shop/bin".to_owned());
        let mut old = process(11, 1, "/srv/shop/lib/tool", &["tool"]);
        old.exe_deleted = true;
        old.cwd = Some("/srv/shop/lib (deleted)".to_owned());
        let all = [&server, &old];
        let uses = |path: &str, below| -> Vec<(u32, Usage, bool)> {
            let seen = recorded_uses(path, below, &all);
            seen.uses.into_iter().map(|each| (each.pid, each.usage, each.deleted)).collect()
        };
        assert_eq!(uses("/srv/shop/lib/server.js", false), [(10, Usage::Script, false)]);
        assert_eq!(uses("/srv/shop/lib/tool", false), [(11, Usage::Executable, true)]);
        assert_eq!(uses("/srv/shop/lib", false), [(11, Usage::WorkingDirectory, true)]);
        assert_eq!(uses("/srv/shop", false), []);
        assert_eq!(
            uses("/srv/shop", true),
            [
                (10, Usage::Script, false),
                (10, Usage::WorkingDirectory, false),
                (11, Usage::Executable, true),
                (11, Usage::WorkingDirectory, true),
            ]
        );
        assert_eq!(uses("/srv/sho", true), []);
        assert_eq!(uses("/", true).len(), 5, "the program of node is below the root too");
    }

    #[test]
    fn a_mapping_of_what_is_run_is_no_news() {
        let each = |usage, path: Option<&str>| FileUse {
            pid: 10,
            usage,
            deleted: false,
            path: path.map(str::to_owned),
        };
        let mut seen = FileSeen {
            path: "/a".to_owned(),
            standing: Standing::There(FileKind::File),
            uses: vec![
                each(Usage::Mapped, None),
                each(Usage::Mapped, Some("/b")),
                each(Usage::Executable, None),
                each(Usage::Mapped, None),
            ],
        };
        seen.settle();
        assert_eq!(seen.uses, [each(Usage::Executable, None), each(Usage::Mapped, Some("/b"))]);
        assert_eq!(seen.pids(), [10]);
    }

    #[test]
    fn paths_are_joined_without_following_links() {
        for (directory, path, want) in [
            ("/a/b", "c", "/a/b/c"),
            ("/a/b", "../c", "/a/c"),
            ("/a/b", "./../../..//c/", "/c"),
            ("/a/b", "/x//y", "/x/y"),
            ("/", "", "/"),
        ] {
            assert_eq!(joined(directory, path), want, "{directory} {path}");
        }
    }
}
