//! Which processes are meant by `--in`, `--by`, `--min-mem` and their kin, and in what order they
//! come: pure rules over what was read of each. docs/processes.md says the same to users.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::file_use::undeleted;
use crate::process::{Percent, Process, ProcessState};
use crate::snapshot::ProcessFacts;
use crate::target::is_called;
use crate::windows::path as windows;

/// What has to be so of a process. Everything that is said has to be; nothing said is everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// It has one of these names, where there are any.
    pub names: Vec<String>,
    /// It has this name as well (`--by`).
    pub by: Option<String>,
    /// How names are compared.
    pub matching: NameMatch,
    /// Its command line has this text in it, ignoring case.
    pub command: Option<String>,
    /// Its working directory is this one or below it. As the kernel writes it: absolute, without
    /// links.
    pub directory: Option<PathBuf>,
    /// Its executable is this file or below this directory.
    pub program: Option<PathBuf>,
    /// It runs as this user: a name or a number.
    pub user: Option<String>,
    /// It used at least so much of a processor while that was measured.
    pub min_cpu: Option<Percent>,
    /// It has at least so many bytes in memory.
    pub min_memory: Option<u64>,
    /// It started at least so long ago.
    pub min_age: Option<Duration>,
    /// It is doing one of these, where there are any.
    pub states: Vec<ProcessState>,
    /// It is a child of this process.
    pub parent: Option<u32>,
    /// Threads of the kernel are meant too where nothing names them.
    pub kernel_threads: bool,
}

/// How a name is compared with a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameMatch {
    /// With its name and the file names of its executable and `argv[0]`, whole, ignoring case
    /// ([`is_called`]): a name that may be acted on must not reach an editor that merely has it
    /// among its arguments.
    #[default]
    Whole,
    /// With any part of its name or command line, ignoring case (`--cmd`, as `pkill -f`).
    Anywhere,
}

/// A condition of a [`ProcessFilter`], called as its option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// One of the names of the command itself.
    Name,
    /// `--by`.
    By,
    /// `--cmd`.
    Cmd,
    /// `--in`.
    In,
    /// `--path`.
    Path,
    /// `--user`.
    User,
    /// `--min-cpu`.
    MinCpu,
    /// `--min-mem`.
    MinMem,
    /// `--min-uptime`.
    MinUptime,
    /// `--status`.
    Status,
    /// `--parent`.
    Parent,
}

/// By what processes are ordered; those that are equal come by PID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// The smallest PID first.
    #[default]
    Pid,
    /// Who used most of a processor first.
    Cpu,
    /// Who has most memory first.
    Memory,
    /// By name, ignoring case.
    Name,
    /// The oldest first.
    Age,
    /// By the smallest port; those without one last.
    Ports,
}

/// What is known of a process beside the process itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// How much of a processor it used, where that was measured.
    pub cpu: Option<Percent>,
    /// Its smallest port.
    pub port: Option<u16>,
}

impl ProcessFilter {
    /// The facts that have to be read to decide.
    pub const fn facts(&self) -> ProcessFacts {
        let named = !self.names.is_empty() || self.by.is_some();
        ProcessFacts {
            program: (named && matches!(self.matching, NameMatch::Whole)) || self.program.is_some(),
            arguments: named || self.command.is_some(),
            directory: self.directory.is_some(),
            group: false,
        }
    }

    /// Whether use of the processor has to be measured to decide.
    pub const fn measures(&self) -> bool {
        self.min_cpu.is_some()
    }

    /// Whether everybody is meant.
    pub fn is_empty(&self) -> bool {
        *self
            == Self {
                matching: self.matching,
                kernel_threads: self.kernel_threads,
                ..Self::default()
            }
    }

    /// Whether a process is meant. What is not known of it is never taken for so.
    pub fn keeps(&self, process: &Process, cpu: Option<Percent>, now: SystemTime) -> bool {
        self.is_of_program(process) && self.miss(process, cpu, now).is_none()
    }

    /// The first condition that is not known to be so of a process; `None` where all are.
    pub fn miss(
        &self,
        process: &Process,
        cpu: Option<Percent>,
        now: SystemTime,
    ) -> Option<Criterion> {
        let named = |name: &String| self.is_named(process, name);
        let runs = |path: &PathBuf| process.exe.as_ref().is_some_and(|exe| is_within(exe, path));
        let least = |own: Option<u64>, least: u64| own.is_some_and(|own| own >= least);
        let checks: [(Criterion, bool); 11] = [
            (Criterion::Name, self.names.is_empty() || self.names.iter().any(named)),
            (Criterion::By, self.by.as_ref().is_none_or(named)),
            (
                Criterion::Cmd,
                self.command.as_ref().is_none_or(|text| has_in_command(process, text)),
            ),
            (Criterion::In, self.directory.as_ref().is_none_or(|place| runs_in(process, place))),
            (Criterion::Path, self.program.as_ref().is_none_or(runs)),
            (Criterion::User, self.user.as_ref().is_none_or(|user| runs_as(process, user))),
            (Criterion::MinCpu, self.min_cpu.is_none_or(|least| cpu.is_some_and(|it| it >= least))),
            (Criterion::MinMem, self.min_memory.is_none_or(|it| least(process.memory, it))),
            (
                Criterion::MinUptime,
                self.min_age.is_none_or(|least| process.age(now).is_some_and(|age| age >= least)),
            ),
            (Criterion::Status, self.states.is_empty() || self.states.contains(&process.state)),
            (Criterion::Parent, self.parent.is_none_or(|parent| process.ppid == parent)),
        ];
        checks.into_iter().find(|(_, so)| !so).map(|(criterion, _)| criterion)
    }

    /// Whether a name or text is that of the process, by the rule of this filter.
    pub fn is_named(&self, process: &Process, name: &str) -> bool {
        match self.matching {
            NameMatch::Whole => is_called(process, name),
            NameMatch::Anywhere => contains(&process.name, name) || has_in_command(process, name),
        }
    }

    /// Threads of the kernel are no programs that anybody runs: they are meant where they are
    /// named, or all are asked for.
    fn is_of_program(&self, process: &Process) -> bool {
        let named = !self.names.is_empty() || self.by.is_some() || self.parent.is_some();
        !process.kernel_thread || self.kernel_threads || named
    }
}

/// Whether a process runs in a directory or below it, by whole names: `/srv/app` is not below
/// `/srv/a`. A directory that was removed counts as where it was.
pub fn runs_in(process: &Process, directory: &Path) -> bool {
    process.cwd.as_deref().is_some_and(|cwd| {
        is_within(cwd, directory)
            // The kernel marks a directory that is gone with words that a name may end with, too.
            || matches!(undeleted(cwd), (was, true) if is_within(was, directory))
    })
}

/// Whether a path is that place or below it, by the rules of the system that its shape is of.
fn is_within(path: &str, place: &Path) -> bool {
    match place.to_str() {
        Some(place) if windows::is_whole(path) => windows::is_within(path, place),
        _ => Path::new(path).starts_with(place),
    }
}

/// Whether it runs as that user, by name or number.
pub fn runs_as(process: &Process, user: &str) -> bool {
    process.user.as_deref() == Some(user)
        || user.parse::<u32>().is_ok_and(|uid| process.uid == Some(uid))
}

/// Whether the command line, its words joined by spaces, has that text in it.
pub fn has_in_command(process: &Process, text: &str) -> bool {
    match process.argv.as_slice() {
        [] => false,
        [one] => contains(one, text),
        words => contains(&words.join(" "), text),
    }
}

fn contains(whole: &str, part: &str) -> bool {
    whole.to_lowercase().contains(&part.to_lowercase())
}

/// Puts processes in order.
pub fn sort<'a>(
    processes: &mut [&'a Process],
    key: SortKey,
    measured: impl Fn(&'a Process) -> Measured,
) {
    // Equal ones come by PID, so that a list is the same however it was read.
    processes.sort_by_key(|process| process.id.pid);
    match key {
        SortKey::Pid => {}
        SortKey::Cpu => processes.sort_by_key(|process| Reverse(measured(process).cpu)),
        SortKey::Memory => processes.sort_by_key(|process| Reverse(process.memory)),
        SortKey::Name => processes.sort_by_cached_key(|process| process.program().to_lowercase()),
        // Without a time it is not known to be older than anybody.
        SortKey::Age => processes.sort_by_key(|process| match process.started_at {
            Some(time) => (false, time),
            None => (true, SystemTime::UNIX_EPOCH),
        }),
        SortKey::Ports => processes.sort_by_key(|process| {
            let port = measured(process).port;
            (port.is_none(), port)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessId;

    const NOW: u64 = 100_000;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn process(pid: u32, exe: &str, argv: &[&str], cwd: &str) -> Process {
        let name = exe.rsplit('/').next().unwrap().chars().take(15).collect();
        Process {
            ppid: 1,
            name,
            exe: Some(exe.to_owned()),
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            cwd: Some(cwd.to_owned()),
            uid: Some(1000),
            user: Some("me".to_owned()),
            state: ProcessState::Sleeping,
            started_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW - u64::from(pid))),
            memory: Some(u64::from(pid) << 20),
            ..Process::unread(ProcessId { pid, start: 1 })
        }
    }

    fn machine() -> Vec<Process> {
        let mut kernel = process(2, "kthreadd", &[], "/");
        kernel.kernel_thread = true;
        kernel.exe = None;
        let mut other = process(40, "/usr/sbin/nginx", &["nginx: worker process"], "/srv/app2");
        (other.uid, other.user, other.ppid) = (Some(33), None, 30);
        let mut gone = process(50, "/usr/bin/vim", &["vim", "Node.md"], "/srv/app/x (deleted)");
        gone.state = ProcessState::Stopped;
        let mut unseen = process(60, "/usr/bin/node", &[], "/");
        (unseen.cwd, unseen.exe, unseen.uid, unseen.memory) = (None, None, None, None);
        unseen.started_at = None;
        vec![
            kernel,
            process(10, "/usr/bin/node", &["node", "/srv/app/server.js"], "/srv/app"),
            process(20, "/opt/some-very-long-name", &["Node", "x"], "/srv/app/sub"),
            process(30, "/usr/sbin/nginx", &["nginx: master process"], "/srv"),
            other,
            gone,
            unseen,
        ]
    }

    #[track_caller]
    fn kept(filter: &ProcessFilter, want: &[u32]) {
        let cpu = |process: &Process| {
            (process.id.pid != 60).then(|| Percent::from_tenths(process.id.pid * 10))
        };
        let machine = machine();
        let kept: Vec<u32> = machine
            .iter()
            .filter(|process| filter.keeps(process, cpu(process), now()))
            .map(|process| process.id.pid)
            .collect();
        assert_eq!(kept, want, "{filter:?}");
    }

    fn any() -> ProcessFilter {
        ProcessFilter::default()
    }

    #[test]
    fn nothing_said_is_everybody_but_the_kernel() {
        kept(&any(), &[10, 20, 30, 40, 50, 60]);
        kept(&ProcessFilter { kernel_threads: true, ..any() }, &[2, 10, 20, 30, 40, 50, 60]);
        kept(&ProcessFilter { names: vec!["kthreadd".into()], ..any() }, &[2]);
        assert!(any().is_empty());
        assert!(!ProcessFilter { parent: Some(1), ..any() }.is_empty());
    }

    #[test]
    fn names_are_whole_and_of_three_kinds() {
        let named = |names: &[&str]| ProcessFilter {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            ..any()
        };
        kept(&named(&["node"]), &[10, 20, 60]);
        kept(&named(&["NODE"]), &[10, 20, 60]);
        kept(&named(&["nod"]), &[]);
        kept(&named(&["some-very-long-name"]), &[20]);
        kept(&named(&["some-very-long-"]), &[20]);
        kept(&named(&["node", "nginx"]), &[10, 20, 30, 40, 60]);
        kept(&ProcessFilter { by: Some("nginx".into()), ..named(&["node"]) }, &[]);
    }

    #[test]
    fn text_anywhere_in_the_command_line_where_asked_for() {
        let anywhere = |name: &str| ProcessFilter {
            names: vec![name.to_owned()],
            matching: NameMatch::Anywhere,
            ..any()
        };
        kept(&anywhere("node"), &[10, 20, 50, 60]);
        kept(&anywhere("master PROCESS"), &[30]);
        kept(&anywhere("node /srv/app"), &[10]);
        kept(&ProcessFilter { command: Some("server.js".into()), ..any() }, &[10]);
        kept(&ProcessFilter { command: Some("node".into()), ..any() }, &[10, 20, 50]);
    }

    #[test]
    fn directories_by_whole_names() {
        let inside = |path: &str| ProcessFilter { directory: Some(path.into()), ..any() };
        kept(&inside("/srv/app"), &[10, 20, 50]);
        kept(&inside("/srv"), &[10, 20, 30, 40, 50]);
        kept(&inside("/srv/ap"), &[]);
        kept(&inside("/"), &[10, 20, 30, 40, 50]);
        kept(&ProcessFilter { program: Some("/usr/sbin".into()), ..any() }, &[30, 40]);
        kept(&ProcessFilter { program: Some("/usr/sbin/ngin".into()), ..any() }, &[]);
    }

    #[test]
    fn directories_and_programs_of_windows_by_its_own_rules() {
        let exe = r"C:\Program Files\nodejs\node.exe";
        let server = process(7, exe, &["node", "server.js"], r"Z:\srv\App");
        let keeps = |filter: &ProcessFilter| filter.keeps(&server, None, now());
        for (place, want) in [
            (r"\\?\Z:\srv\app", true),
            (r"z:\SRV", true),
            (r"Z:\srv\App\sub", false),
            (r"Z:\srv\Ap", false),
            (r"C:\srv\App", false),
            ("/srv/App", false),
        ] {
            let filter = ProcessFilter { directory: Some(place.into()), ..any() };
            assert_eq!(keeps(&filter), want, "{place}");
        }
        for (place, want) in [
            (r"\\?\C:\Program Files\NodeJS\node.exe", true),
            ("c:/program files", true),
            (r"C:\Program", false),
        ] {
            let filter = ProcessFilter { program: Some(place.into()), ..any() };
            assert_eq!(keeps(&filter), want, "{place}");
        }
    }

    #[test]
    fn users_by_name_and_number() {
        let of = |user: &str| ProcessFilter { user: Some(user.into()), ..any() };
        kept(&of("me"), &[10, 20, 30, 50, 60]);
        kept(&of("1000"), &[10, 20, 30, 50]);
        kept(&of("33"), &[40]);
        kept(&of("nobody"), &[]);
    }

    #[test]
    fn what_is_not_known_is_never_enough() {
        kept(&ProcessFilter { min_cpu: Some(Percent::from_tenths(400)), ..any() }, &[40, 50]);
        kept(&ProcessFilter { min_cpu: Some(Percent::default()), ..any() }, &[10, 20, 30, 40, 50]);
        kept(&ProcessFilter { min_memory: Some(40 << 20), ..any() }, &[40, 50]);
        kept(&ProcessFilter { min_memory: Some(0), ..any() }, &[10, 20, 30, 40, 50]);
        kept(&ProcessFilter { min_age: Some(Duration::from_secs(40)), ..any() }, &[40, 50]);
        let future = SystemTime::UNIX_EPOCH;
        let filter = ProcessFilter { min_age: Some(Duration::ZERO), ..any() };
        assert!(!filter.keeps(&machine()[1], None, future), "the clock was set back");
    }

    #[test]
    fn states_and_parents() {
        let states = vec![ProcessState::Stopped, ProcessState::Zombie];
        kept(&ProcessFilter { states, ..any() }, &[50]);
        kept(&ProcessFilter { parent: Some(30), ..any() }, &[40]);
        kept(&ProcessFilter { parent: Some(99), ..any() }, &[]);
    }

    #[test]
    fn orders() {
        let machine = machine();
        let sorted = |key| {
            let mut all: Vec<&Process> = machine.iter().rev().collect();
            sort(&mut all, key, |process| Measured {
                cpu: Some(Percent::from_tenths(process.id.pid % 30)),
                port: (process.id.pid > 30).then(|| 9000 - process.id.pid as u16),
            });
            all.iter().map(|process| process.id.pid).collect::<Vec<u32>>()
        };
        assert_eq!(sorted(SortKey::Pid), [2, 10, 20, 30, 40, 50, 60]);
        assert_eq!(sorted(SortKey::Cpu), [20, 50, 10, 40, 2, 30, 60]);
        assert_eq!(sorted(SortKey::Memory), [50, 40, 30, 20, 10, 2, 60]);
        assert_eq!(sorted(SortKey::Name), [2, 30, 40, 10, 60, 20, 50]);
        assert_eq!(sorted(SortKey::Age), [50, 40, 30, 20, 10, 2, 60]);
        assert_eq!(sorted(SortKey::Ports), [60, 50, 40, 2, 10, 20, 30]);
    }

    #[test]
    fn only_what_decides_is_read() {
        assert_eq!(any().facts(), ProcessFacts::BARE);
        let named = ProcessFilter { names: vec!["x".into()], ..any() };
        let want = ProcessFacts { program: true, arguments: true, ..ProcessFacts::BARE };
        assert_eq!(named.facts(), want);
        let inside = ProcessFilter { directory: Some("/".into()), ..any() };
        assert_eq!(inside.facts(), ProcessFacts { directory: true, ..ProcessFacts::BARE });
        assert!(ProcessFilter { min_cpu: Some(Percent::default()), ..any() }.measures());
    }
}
