//! What runs, by the words that targets are typed as: names, numbers, containers, units. For
//! completing a half-typed one, so it is one cheap look. Only engines are asked, for the names of
//! containers that run, and for some milliseconds: a container without a name goes by its id.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine;
use crate::host::Host;
use crate::learn::learn_names;
use crate::process::Process;
use crate::snapshot::{ProcessFacts, Scope, Snapshot};
use crate::supervisor::{scope_of, unit_of};

/// Which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Names of programs.
    Names,
    /// Numbers of processes.
    Numbers,
    /// Containers.
    Containers,
    /// Units of the service manager.
    Units,
}

/// One word, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is typed, without `pid:` and kin.
    pub word: String,
    /// The id of a container that goes by its name.
    pub id: Option<String>,
    /// The program of a process that it means.
    pub name: String,
    /// How many processes it means.
    pub processes: usize,
}

/// How long engines may take to tell names: somebody is in the middle of a line.
const NAMES_LIMIT: Duration = Duration::from_millis(12);

/// The words, each once, in order. Kernel threads are left out: nothing acts on them.
pub fn running(host: &dyn Host, words: Words) -> Vec<Word> {
    let containers = words == Words::Containers;
    let facts = ProcessFacts {
        // Podman's monitors have the names of their containers there.
        arguments: containers,
        group: containers || words == Words::Units,
        ..ProcessFacts::BARE
    };
    let mut snapshot = host.snapshot(&Scope { all_processes: true, facts, ..Scope::default() });
    if containers {
        learn_names(host, &mut snapshot, NAMES_LIMIT);
    }
    of(&snapshot, words)
}

fn of(snapshot: &Snapshot, words: Words) -> Vec<Word> {
    let mut found: BTreeMap<(u32, String), Word> = BTreeMap::new();
    for process in snapshot.processes.values().filter(|process| !process.kernel_thread) {
        let Some((word, id)) = word(process, snapshot, words) else { continue };
        let order = if words == Words::Numbers { process.id.pid } else { 0 };
        found
            .entry((order, word.clone()))
            .and_modify(|known| known.processes += 1)
            .or_insert(Word { word, id, name: process.name.clone(), processes: 1 });
    }
    found.into_values().collect()
}

fn word(process: &Process, snapshot: &Snapshot, words: Words) -> Option<(String, Option<String>)> {
    let word = match words {
        Words::Names => (!process.name.is_empty()).then(|| process.name.clone()),
        Words::Numbers => Some(process.id.pid.to_string()),
        Words::Containers => return container(process, snapshot),
        Words::Units => {
            let group = process.cgroup.as_deref()?;
            unit_of(group).map(|(unit, _)| unit).or_else(|| scope_of(group).map(str::to_owned))
        }
    };
    word.map(|word| (word, None))
}

/// The container's name and id, or its id alone. That of a pod's would be the pod's, and several have it.
fn container(process: &Process, snapshot: &Snapshot) -> Option<(String, Option<String>)> {
    const SHORT: usize = 12;
    let boxed = engine::boxed(process, snapshot).filter(|boxed| !boxed.keeps_ports)?;
    let told = engine::facts_of(process, snapshot).filter(|facts| facts.id == boxed.id);
    let is_hash = boxed.id.len() == 64 && boxed.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = if is_hash { boxed.id[..SHORT].to_owned() } else { boxed.id };
    Some(match told.map(|facts| facts.name.clone()).or(boxed.name) {
        Some(name) if name != id => (name, Some(id)),
        _ => (id, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ContainerFacts;
    use crate::process::{Container, ProcessId};

    fn process(pid: u32, name: &str, cgroup: &str, container: Option<&str>) -> Process {
        let container = container.map(|id| Container { engine: "docker".into(), id: id.into() });
        Process {
            name: name.to_owned(),
            cgroup: Some(cgroup.to_owned()),
            container,
            ..Process::unread(ProcessId { pid, start: 1 })
        }
    }

    fn snapshot(all: impl IntoIterator<Item = Process>) -> Snapshot {
        let processes = all.into_iter().map(|process| (process.id.pid, process)).collect();
        Snapshot { processes, ..Snapshot::empty(std::time::UNIX_EPOCH) }
    }

    fn told(snapshot: &Snapshot, words: Words) -> Vec<String> {
        let word = |word: Word| {
            let id = word.id.map(|id| format!(" = {id}")).unwrap_or_default();
            format!("{}{id} {} {}", word.word, word.name, word.processes)
        };
        of(snapshot, words).into_iter().map(word).collect()
    }

    #[test]
    fn each_word_is_there_once() {
        let id = "ab".repeat(32);
        let all = snapshot([
            process(1, "systemd", "/init.scope", None),
            process(90, "nginx", "/system.slice/nginx.service", None),
            process(9, "nginx", "/system.slice/nginx.service", None),
            process(100, "node", &format!("/system.slice/docker-{id}.scope"), Some(&id)),
            process(101, "sh", "/lxc/web", Some("web")),
        ]);
        assert_eq!(
            told(&all, Words::Names),
            ["nginx nginx 2", "node node 1", "sh sh 1", "systemd systemd 1"]
        );
        assert_eq!(told(&all, Words::Numbers)[..3], ["1 systemd 1", "9 nginx 1", "90 nginx 1"]);
        assert_eq!(told(&all, Words::Containers), ["abababababab node 1", "web sh 1"]);
        assert!(told(&all, Words::Units).contains(&"nginx.service nginx 2".to_owned()));
    }

    #[test]
    fn a_container_goes_by_the_name_that_its_engine_or_its_monitor_tells() {
        let [docker, podman] = ["ab", "cd"].map(|pair| pair.repeat(32));
        let monitor = Process {
            uid: Some(0),
            argv: ["conmon", "-c", &podman, "-n", "db", "--exit-command", "/usr/bin/podman"]
                .map(str::to_owned)
                .to_vec(),
            ..process(200, "conmon", "/machine.slice", None)
        };
        let postgres = Process { ppid: 200, ..process(201, "postgres", "/x", Some(&podman)) };
        let mut all = snapshot([
            process(100, "node", &format!("/system.slice/docker-{docker}.scope"), Some(&docker)),
            monitor,
            postgres,
        ]);
        let facts = ContainerFacts {
            engine: "docker".to_owned(),
            id: docker,
            name: "shop-web-1".to_owned(),
            ..ContainerFacts::default()
        };
        assert_eq!(
            told(&all, Words::Containers),
            ["abababababab node 1", "db = cdcdcdcdcdcd postgres 1"]
        );
        // A user's own engine is not believed about what root's runs.
        all.containers = vec![ContainerFacts { owner: Some(1000), ..facts.clone() }];
        assert_eq!(told(&all, Words::Containers)[0], "abababababab node 1");
        all.containers = vec![facts];
        assert_eq!(
            told(&all, Words::Containers),
            ["db = cdcdcdcdcdcd postgres 1", "shop-web-1 = abababababab node 1"]
        );
    }
}
