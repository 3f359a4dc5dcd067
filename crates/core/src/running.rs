//! What runs, by the words that targets are typed as: ports, names, numbers, containers, units. For
//! completing a half-typed one, so it is one cheap look. Only engines are asked, for the names of
//! containers that run, and for some milliseconds: a container without a name goes by its id, and a
//! port's holder stays unsaid where a look for it would take longer than a person waits.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine;
use crate::host::Host;
use crate::learn::learn_names;
use crate::ports::keeps_its_port;
use crate::process::Process;
use crate::snapshot::{ProcessFacts, Scope, Snapshot, SocketScope, States};
use crate::socket::{Holders, Socket};
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

/// A port that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPort {
    /// Its number.
    pub number: u16,
    /// `tcp`, `udp`.
    pub protocols: Vec<&'static str>,
    /// Who has it; `None` where that was not found at once.
    pub holder: Option<PortHolder>,
}

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortHolder {
    /// A process: one of them where there are several.
    Process {
        /// Its number.
        pid: u32,
        /// Its program.
        name: String,
        /// Where it works.
        directory: Option<String>,
    },
    /// The kernel itself.
    Kernel,
    /// Another user's process, which may not be seen.
    Another,
}

/// How much processor time of a thread a look for the holders of ports takes at most. An answer to
/// a key should be there in 20 ms.
const HURRY: Duration = Duration::from_millis(10);

/// The ports that somebody has, by number.
pub fn held_ports(host: &dyn Host) -> Vec<HeldPort> {
    let snapshot = host.snapshot(&Scope {
        sockets: SocketScope::AllPorts,
        states: States::BoundIfCheap,
        holders: true,
        first_within: Some(HURRY),
        facts: ProcessFacts { directory: true, ..ProcessFacts::BARE },
        ..Scope::default()
    });
    ports_of(&snapshot)
}

fn ports_of(snapshot: &Snapshot) -> Vec<HeldPort> {
    let mut sockets: Vec<(u16, &Socket)> = snapshot
        .sockets
        .iter()
        .filter(|socket| keeps_its_port(socket))
        .filter_map(|socket| Some((socket.port()?, socket)))
        .collect();
    sockets.sort_by_key(|(port, socket)| (*port, socket.protocol));
    let mut ports: Vec<HeldPort> = Vec::new();
    for (number, socket) in sockets {
        if ports.last().is_none_or(|port| port.number != number) {
            ports.push(HeldPort { number, protocols: Vec::new(), holder: None });
        }
        let Some(port) = ports.last_mut() else { continue };
        let protocol = socket.protocol.name();
        if !port.protocols.contains(&protocol) {
            port.protocols.push(protocol);
        }
        port.holder = port.holder.take().or_else(|| holder_of(socket, snapshot));
    }
    ports
}

fn holder_of(socket: &Socket, snapshot: &Snapshot) -> Option<PortHolder> {
    match &socket.holders {
        Holders::Processes { holders } => {
            let mut known = holders.iter().filter_map(|holder| snapshot.processes.get(&holder.pid));
            known.next().map(|process| PortHolder::Process {
                pid: process.id.pid,
                name: process.program().to_owned(),
                directory: process.cwd.clone(),
            })
        }
        Holders::Kernel => Some(PortHolder::Kernel),
        // One's own may be hidden too: by a thread, or because there was no time to look.
        Holders::Hidden => {
            let asker = &snapshot.asker;
            let another = !asker.sees_all && socket.uid.is_some_and(|uid| uid != asker.uid);
            another.then_some(PortHolder::Another)
        }
        Holders::Nobody | Holders::NotLooked => None,
    }
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
    fn a_port_is_there_once_with_the_first_holder_that_is_known() {
        use crate::socket::{HeldBy, Holder, LocalAddress, Protocol, TcpState};
        let socket = |protocol, address: &str, holders| {
            let local = LocalAddress::Inet(address.parse().unwrap());
            let state = (protocol == Protocol::Tcp).then_some(TcpState::Listen);
            let mut socket = Socket::new(protocol, local, state);
            (socket.holders, socket.uid) = (holders, Some(1));
            socket
        };
        let by =
            |pid| Holders::Processes { holders: vec![Holder { pid, by: HeldBy::Descriptor(3) }] };
        let mut snapshot = Snapshot::empty(std::time::UNIX_EPOCH);
        snapshot.asker.uid = 1000;
        let mut node = process(42, "node", "/", None);
        node.cwd = Some("/home/me/web".to_owned());
        snapshot.processes.insert(42, node);
        let mut client = socket(Protocol::Tcp, "127.0.0.1:4000", by(42));
        client.state = Some(TcpState::Established);
        snapshot.sockets = vec![
            socket(Protocol::Tcp, "0.0.0.0:3000", Holders::Hidden),
            socket(Protocol::Udp, "0.0.0.0:3000", by(42)),
            socket(Protocol::Tcp, "[::]:3000", by(43)),
            socket(Protocol::Udp, "0.0.0.0:53", Holders::Kernel),
            socket(Protocol::Tcp, "0.0.0.0:22", Holders::Hidden),
            client,
        ];
        let known = |ports: Vec<HeldPort>| -> Vec<(u16, Vec<&str>, Option<PortHolder>)> {
            ports.into_iter().map(|port| (port.number, port.protocols, port.holder)).collect()
        };
        let node = PortHolder::Process {
            pid: 42,
            name: "node".to_owned(),
            directory: Some("/home/me/web".to_owned()),
        };
        let found = known(ports_of(&snapshot));
        assert_eq!(
            found,
            [
                (22, vec!["tcp"], Some(PortHolder::Another)),
                (53, vec!["udp"], Some(PortHolder::Kernel)),
                (3000, vec!["tcp", "udp"], Some(PortHolder::Another)),
            ]
        );
        // Whoever sees everybody is told of nobody rather than of somebody hidden.
        snapshot.asker.sees_all = true;
        let found = known(ports_of(&snapshot));
        assert_eq!(found[0].2, None);
        assert_eq!(found[2].2, Some(node));
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
