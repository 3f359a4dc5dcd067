//! Which processes a name, a number, a file, a container or a unit means, from one reading of
//! `/proc`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::engine::{self, ContainerFacts, EngineWish};
use crate::host::Host;
use crate::learn::learn_containers;
use crate::names::nearest_name;
use crate::process::{Process, ProcessState};
use crate::snapshot::{Scope, Snapshot};
use crate::supervisor::scope_of;
use crate::target::{Target, is_called};

/// The processes that targets other than ports need, read once.
#[derive(Debug)]
pub(crate) struct Census {
    read: Snapshot,
    /// Numbers that are threads', and of which process.
    threads: BTreeMap<u32, u32>,
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
        let numbers = scope.pids.clone();
        let mut census = Self {
            read: match scope == Scope::default() {
                true => Snapshot::empty(SystemTime::UNIX_EPOCH),
                false => host.snapshot(&scope),
            },
            threads: BTreeMap::new(),
        };
        census.tell_threads(host, &numbers);
        census.learn_names(host, targets);
        census
    }

    /// `/proc` answers for the number of a thread as for a process, though it lists no threads.
    fn tell_threads(&mut self, host: &dyn Host, numbers: &[u32]) {
        for &number in numbers {
            let Some(condition) = host.condition(number) else { continue };
            let leader = condition.leader;
            if leader != number {
                self.read.processes.remove(&number);
                self.threads.insert(number, leader);
                let more = host.snapshot(&Scope { pids: vec![leader], ..Scope::default() });
                self.read.processes.extend(more.processes);
            }
        }
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
            Target::Path(path) => self.running(path),
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
        let leader = self.threads.get(&number)?;
        self.read.processes.get(leader)
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
        nearest_name(name, others.map(Process::program))
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

    /// Processes that run that file, as executable or as script.
    pub(crate) fn running(&self, path: &str) -> Vec<u32> {
        let Ok(file) = std::path::Path::new(path).canonicalize() else { return Vec::new() };
        self.matching(|process| {
            let same = |other: &str| {
                let base = process.cwd.as_deref().unwrap_or("/");
                std::path::Path::new(base).join(other).canonicalize().is_ok_and(|own| own == file)
            };
            process.exe.as_deref().is_some_and(same)
                || process.argv.iter().skip(1).take(3).any(|word| same(word))
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
        Census { read: snapshot, threads: BTreeMap::new() }
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
