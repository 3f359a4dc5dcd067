//! Which processes a name, a number, a file, a container or a unit means, from one reading of
//! `/proc`.

use std::time::SystemTime;

use crate::host::Host;
use crate::process::{Process, ProcessState};
use crate::snapshot::{Scope, Snapshot};
use crate::supervisor::scope_of;
use crate::target::{Target, is_called};

/// The processes that targets other than ports need, read once.
#[derive(Debug)]
pub(crate) struct Census(Snapshot);

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
        Self(match scope == Scope::default() {
            true => Snapshot::empty(SystemTime::UNIX_EPOCH),
            false => host.snapshot(&scope),
        })
    }

    /// What was read.
    pub(crate) const fn snapshot(&self) -> &Snapshot {
        &self.0
    }

    /// Those processes as they can be told from any other that gets their number.
    pub(crate) fn processes(&self, pids: &[u32]) -> Vec<&Process> {
        pids.iter().filter_map(|pid| self.0.processes.get(pid)).collect()
    }

    /// The asker's own ancestors.
    pub(crate) fn above_asker(&self) -> &[u32] {
        &self.0.asker.ancestors
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

    pub(crate) fn alive(&self, pid: u32) -> Vec<u32> {
        let process = self.0.processes.get(&pid);
        let lives = process.is_some_and(|process| process.state != ProcessState::Zombie);
        lives.then_some(pid).into_iter().collect()
    }

    fn called(&self, name: &str) -> Vec<u32> {
        self.matching(|process| is_called(process, name))
    }

    fn in_container(&self, name: &str) -> Vec<u32> {
        self.matching(|process| {
            process.container.as_ref().is_some_and(|container| {
                container.id == name || (name.len() >= 6 && container.id.starts_with(name))
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
        let own = self.0.asker.pid;
        // A zombie holds nothing and cannot be ended again.
        let living = |process: &&Process| process.state != ProcessState::Zombie;
        let found = self.0.processes.values().filter(living).filter(|process| is(process));
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
        Census(snapshot)
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
