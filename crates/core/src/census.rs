//! Which processes a name, a number, a file, a container or a unit means, from one reading of
//! `/proc`.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::SystemTime;

use crate::addr::{Endpoint, Port};
use crate::engine::{self, ContainerFacts, EngineWish};
use crate::file_use::{
    FileKind, FileSeen, FileUse, FileWish, Standing, Usage, interpreters, script_words,
};
use crate::files;
use crate::host::Host;
use crate::learn::learn_containers;
use crate::nearness::nearest;
use crate::process::{Process, ProcessState};
use crate::report::Reason;
use crate::sight::Sight;
use crate::snapshot::{Scope, Snapshot};
use crate::supervisor::scope_of;
use crate::target::{self, Target, is_called};

/// The processes that targets other than ports need, read once.
#[derive(Debug)]
pub(crate) struct Census {
    read: Snapshot,
    /// Who uses the files of paths, where that was looked for.
    files: BTreeMap<String, FileSeen>,
}

impl Census {
    /// Reads all processes, or only the ones named by number, or none: what the targets ask for.
    pub(crate) fn take(host: &dyn Host, targets: &[Target]) -> Self {
        let mut scope = Scope::default();
        for target in targets {
            match target {
                Target::Pid(pid) | Target::Number(pid) => scope.pids.push(*pid),
                Target::Name(_) | Target::Path(_) | Target::Container(_) | Target::Unit(_) => {
                    scope.all_processes = true;
                }
                Target::Port(_) | Target::Range(_) | Target::Unix(_) => {}
            }
        }
        let mut census = Self {
            read: match scope == Scope::default() {
                true => Snapshot::empty(SystemTime::UNIX_EPOCH),
                false => host.snapshot(&scope),
            },
            files: BTreeMap::new(),
        };
        census.learn_names(host, targets);
        census
    }

    /// As [`Census::take`], and finds out who has the files open that targets name: a walk over all
    /// descriptors, for an answer given once.
    pub(crate) fn take_with_files(host: &dyn Host, targets: &[Target]) -> Self {
        let mut census = Self::take(host, targets);
        let paths: Vec<String> = targets
            .iter()
            .filter_map(|target| match target {
                Target::Path(path) => Some(path.clone()),
                _ => None,
            })
            .collect();
        if paths.is_empty() {
            return census;
        }
        let seen = host.file_uses(&FileWish { paths: paths.clone(), ..FileWish::default() });
        // A recording has no descriptors; what runs a file shows as ever.
        if let Some(seen) = seen.filter(|seen| !seen.by_path_only) {
            census.files = paths.into_iter().zip(seen.files).collect();
            seen.gaps.into_iter().for_each(|gap| census.read.note(gap));
        }
        census
    }

    /// Asks the engines about names of containers that are no ids of any that runs.
    fn learn_names(&mut self, host: &dyn Host, targets: &[Target]) {
        let names: Vec<String> = targets
            .iter()
            .filter_map(|target| match target {
                Target::Container(name) if self.in_container(name).is_empty() => Some(name.clone()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            return;
        }
        let mut wish = EngineWish { names, ..EngineWish::default() };
        for process in self.read.processes.values() {
            wish.owners.extend(engine::owner_of(process, &self.read));
            if process.uid.is_some_and(|uid| uid == 0 || uid == self.read.asker.uid) {
                wish.sockets.extend(engine::dockerd_sockets(process));
            }
        }
        wish.owners.sort_unstable();
        wish.owners.dedup();
        learn_containers(host, &mut self.read, &wish);
    }

    /// What engines tell of containers called so: by name, or `project/service` of compose.
    pub(crate) fn containers_called(&self, name: &str) -> impl Iterator<Item = &ContainerFacts> {
        let parts = name.split_once('/');
        self.read.containers.iter().filter(move |facts| {
            let service =
                facts.compose.as_ref().zip(parts).is_some_and(|(compose, (project, it))| {
                    compose.project == project && compose.service.as_deref() == Some(it)
                });
            facts.name == name || service || (name.len() >= 6 && facts.id.starts_with(name))
        })
    }

    /// The ports by which containers of a name are reached that run in a virtual machine: nothing else of
    /// them is on this system.
    pub(crate) fn ports_of(&self, target: &Target) -> Vec<Endpoint> {
        let Target::Container(name) = target else { return Vec::new() };
        if !self.in_container(name).is_empty() {
            return Vec::new();
        }
        let there = self
            .containers_called(name)
            .filter(|facts| facts.runs() && engine::is_elsewhere(facts, &self.read));
        let mut ports: Vec<Endpoint> = there
            .flat_map(|facts| &facts.published)
            .filter_map(|at| {
                let (port, transport) = (Port::new(at.port)?, at.protocol.transport());
                Some(Endpoint { transport, ..Endpoint::any(port) })
            })
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Which of the causes of a port are containers of that name, one by one.
    pub(crate) fn is_behind(&self, target: &Target, sight: &Sight) -> Vec<bool> {
        let Target::Container(name) = target else { return Vec::new() };
        let own: Vec<&str> = self.containers_called(name).map(|facts| facts.id.as_str()).collect();
        let carries = |pid: &u32| {
            let process = sight.snapshot.processes.get(pid);
            let facts = process.and_then(|process| engine::facts_of(process, &sight.snapshot));
            facts.is_some_and(|facts| own.contains(&facts.id.as_str()))
        };
        let causes = sight.diagnosis.causes.iter();
        causes.map(|cause| !cause.pids.is_empty() && cause.pids.iter().all(carries)).collect()
    }

    /// What was read.
    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.read
    }

    /// Those processes as they can be told from any other that gets their number.
    pub(crate) fn processes(&self, pids: &[u32]) -> Vec<&Process> {
        pids.iter().filter_map(|pid| self.read.processes.get(pid)).collect()
    }

    /// The asker's own ancestors.
    pub(crate) fn above_asker(&self) -> &[u32] {
        &self.read.asker.ancestors
    }

    /// Those that a target means; nobody for one that is no process's.
    pub(crate) fn meant_by(&self, target: &Target) -> Vec<u32> {
        match target {
            Target::Pid(pid) | Target::Number(pid) => self.alive(*pid),
            Target::Name(name) => self.called(name),
            Target::Path(path) => self.using(path),
            Target::Container(name) => self.in_container(name),
            Target::Unit(name) => self.in_unit(name),
            Target::Port(_) | Target::Range(_) | Target::Unix(_) => Vec::new(),
        }
    }

    /// The one that a target means by its number and that has ended without being collected.
    pub(crate) fn dead(&self, target: &Target) -> Vec<u32> {
        match target {
            Target::Pid(pid) | Target::Number(pid) if self.read.processes.contains_key(pid) => {
                vec![*pid]
            }
            _ => Vec::new(),
        }
    }

    /// The process that a number is only a thread of.
    pub(crate) fn leader_of(&self, number: u32) -> Option<&Process> {
        let leader = self.read.threads.get(&number)?;
        self.read.processes.get(leader)
    }

    /// Whether there is a process of that number, which the system hides from the asker.
    pub(crate) fn is_hidden(&self, number: u32) -> bool {
        self.read.hidden.contains(&number)
    }

    /// The process of that number that has ended and was not collected.
    pub(crate) fn zombie(&self, pid: u32) -> Option<&Process> {
        let process = self.read.processes.get(&pid);
        process.filter(|process| process.state == ProcessState::Zombie)
    }

    /// The nearest name of a process that runs, for one that nobody has.
    pub(crate) fn nearest_name(&self, name: &str) -> Option<&str> {
        let own = self.read.asker.pid;
        let others = self.read.processes.values().filter(|process| {
            process.id.pid != own && !process.kernel_thread && process.state != ProcessState::Zombie
        });
        nearest(name, others.flat_map(target::names))
    }

    pub(crate) fn alive(&self, pid: u32) -> Vec<u32> {
        let process = self.read.processes.get(&pid);
        let lives = process.is_some_and(|process| process.state != ProcessState::Zombie);
        lives.then_some(pid).into_iter().collect()
    }

    fn called(&self, name: &str) -> Vec<u32> {
        self.matching(|process| is_called(process, name))
    }

    /// By id, by the name a monitor tells, or by the name engines tell.
    fn in_container(&self, name: &str) -> Vec<u32> {
        let told: Vec<&ContainerFacts> = self.containers_called(name).collect();
        self.matching(|process| {
            let Some(boxed) = engine::boxed(process, &self.read).filter(|it| !it.keeps_ports)
            else {
                return false;
            };
            let called = boxed.name.as_deref() == Some(name)
                || boxed.id == name
                || (name.len() >= 6 && boxed.id.starts_with(name));
            called
                || told.iter().any(|facts| {
                    facts.id == boxed.id && facts.owner == engine::owner_of(process, &self.read)
                })
        })
    }

    fn in_unit(&self, name: &str) -> Vec<u32> {
        self.matching(|process| {
            process.unit.as_deref() == Some(name)
                || process.cgroup.as_deref().and_then(scope_of) == Some(name)
        })
    }

    /// Processes that run that file or have it open, where that was looked for; else those that run
    /// it.
    fn using(&self, path: &str) -> Vec<u32> {
        let Some(seen) = self.files.get(path) else { return self.running(path) };
        self.matching(|process| {
            let pid = process.id.pid;
            seen.uses.iter().any(|each| each.pid == pid && counts(seen, each))
        })
    }

    /// Whether it was looked for who has the file open that a target names.
    pub(crate) fn knows_descriptors(&self, target: &Target) -> bool {
        matches!(target, Target::Path(path) if self.files.contains_key(path))
    }

    /// How a process uses the file that a target names, where that was looked for.
    pub(crate) fn reasons(&self, target: &Target, pid: u32) -> Vec<Reason> {
        let Target::Path(path) = target else { return Vec::new() };
        let Some(seen) = self.files.get(path) else { return Vec::new() };
        let own = seen.uses.iter().filter(|each| each.pid == pid && counts(seen, each));
        own.map(|each| files::reason(seen, each, false)).collect()
    }

    /// Processes that run that file, as executable or as script.
    fn running(&self, path: &str) -> Vec<u32> {
        let Ok(file) = std::path::Path::new(path).canonicalize() else { return Vec::new() };
        let interpreters = named_interpreters(&file);
        self.matching(|process| {
            let same = |other: &str| {
                let base = process.cwd.as_deref().unwrap_or("/");
                std::path::Path::new(base).join(other).canonicalize().is_ok_and(|own| own == file)
            };
            process.exe.as_deref().is_some_and(same)
                || script_words(process, &interpreters).into_iter().any(same)
        })
    }

    fn matching(&self, is: impl Fn(&Process) -> bool) -> Vec<u32> {
        let own = self.read.asker.pid;
        // A zombie holds nothing and cannot be ended again.
        let living = |process: &&Process| process.state != ProcessState::Zombie;
        let found = self.read.processes.values().filter(living).filter(|process| is(process));
        found.map(|process| process.id.pid).filter(|&pid| pid != own).collect()
    }
}

/// Whether a use of a file makes a process one of those that the file's path means: it runs it or
/// has it open. Who merely works in a directory, watches it or has a library mapped is not meant.
fn counts(seen: &FileSeen, each: &FileUse) -> bool {
    let directory = seen.standing == Standing::There(FileKind::Directory);
    each.usage.is_running() || (matches!(each.usage, Usage::Descriptor { .. }) && !directory)
}

/// The programs that the first line of a script names.
fn named_interpreters(file: &std::path::Path) -> Vec<String> {
    let mut head = [0; 256];
    let read = std::fs::File::open(file).and_then(|mut file| file.read(&mut head));
    read.map_or_else(|_| Vec::new(), |length| interpreters(&head[..length]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::tests::process;
    use crate::supervisor::unit_of;
    use crate::target::parse;

    /// Processes in these control groups, with the PIDs 10, 11, …
    fn census(groups: &[&str]) -> Census {
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        for (pid, group) in (10..).zip(groups) {
            let mut process = process(pid, 1, "/usr/bin/node", &["node"]);
            process.unit = unit_of(group).map(|(unit, _)| unit);
            process.cgroup = Some((*group).to_owned());
            snapshot.processes.insert(pid, process);
        }
        Census { read: snapshot, files: BTreeMap::new() }
    }

    #[test]
    fn units_and_scopes_by_their_names() {
        let user = "/user.slice/user-1000.slice";
        let census = census(&[
            "/system.slice/web.service",
            "/system.slice/web.service/worker",
            &format!("{user}/user@1000.service/app.slice/web.service"),
            &format!("{user}/user@1000.service/app.slice/build.scope"),
            &format!("{user}/session-2.scope"),
            r"/system.slice/system-my\x2dapp.slice/my-app@dev\x2dtwo.service",
            "/user.slice",
        ]);
        for (target, want) in [
            ("unit:web", &[10, 11, 12][..]),
            ("unit:web.service", &[10, 11, 12]),
            ("unit:build.scope", &[13]),
            ("unit:session-2.scope", &[14]),
            (r"unit:my-app@dev\x2dtwo", &[15]),
            ("unit:user.slice", &[]),
            ("unit:user-1000.slice", &[]),
            ("unit:user@1000", &[]),
            ("unit:build", &[]),
        ] {
            assert_eq!(census.meant_by(&parse(target).unwrap()), want, "{target}");
        }
    }
}
