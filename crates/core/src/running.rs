//! What runs, by the words that targets are typed as: names, numbers, containers, units. For
//! completing a half-typed one, so it is one cheap look and nobody is asked: the name of a container
//! is its id where the control group has no other.

use std::collections::BTreeMap;

use crate::host::Host;
use crate::process::Process;
use crate::snapshot::{ProcessFacts, Scope};
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
    /// The program of a process that it means.
    pub name: String,
    /// How many processes it means.
    pub processes: usize,
}

/// The words, each once, in order. Kernel threads are left out: nothing acts on them.
pub fn running(host: &dyn Host, words: Words) -> Vec<Word> {
    let group = matches!(words, Words::Containers | Words::Units);
    let facts = ProcessFacts { program: false, arguments: false, directory: false, group };
    let snapshot = host.snapshot(&Scope { all_processes: true, facts, ..Scope::default() });
    of(snapshot.processes.values().filter(|process| !process.kernel_thread), words)
}

fn of<'a>(processes: impl Iterator<Item = &'a Process>, words: Words) -> Vec<Word> {
    let mut found: BTreeMap<(u32, String), Word> = BTreeMap::new();
    for process in processes {
        let Some(word) = word(process, words) else { continue };
        let order = if words == Words::Numbers { process.id.pid } else { 0 };
        found
            .entry((order, word.clone()))
            .and_modify(|known| known.processes += 1)
            .or_insert(Word { word, name: process.name.clone(), processes: 1 });
    }
    found.into_values().collect()
}

fn word(process: &Process, words: Words) -> Option<String> {
    const SHORT: usize = 12;
    match words {
        Words::Names => (!process.name.is_empty()).then(|| process.name.clone()),
        Words::Numbers => Some(process.id.pid.to_string()),
        Words::Containers => {
            let id = &process.container.as_ref()?.id;
            let is_hash = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            Some(if is_hash { id[..SHORT].to_owned() } else { id.clone() })
        }
        Words::Units => {
            let group = process.cgroup.as_deref()?;
            unit_of(group).map(|(unit, _)| unit).or_else(|| scope_of(group).map(str::to_owned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn each_word_is_there_once() {
        let id = "ab".repeat(32);
        let all = [
            process(1, "systemd", "/init.scope", None),
            process(90, "nginx", "/system.slice/nginx.service", None),
            process(9, "nginx", "/system.slice/nginx.service", None),
            process(100, "node", &format!("/system.slice/docker-{id}.scope"), Some(&id)),
            process(101, "sh", "/lxc/web", Some("web")),
        ];
        let words = |words| {
            of(all.iter(), words)
                .into_iter()
                .map(|word| format!("{} {} {}", word.word, word.name, word.processes))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            words(Words::Names),
            ["nginx nginx 2", "node node 1", "sh sh 1", "systemd systemd 1"]
        );
        assert_eq!(words(Words::Numbers)[..3], ["1 systemd 1", "9 nginx 1", "90 nginx 1"]);
        assert_eq!(words(Words::Containers), ["abababababab node 1", "web sh 1"]);
        assert!(words(Words::Units).contains(&"nginx.service nginx 2".to_owned()));
    }
}
