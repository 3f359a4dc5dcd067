//! Container engines asked over a connection, as every system does alike: the questions, the time that
//! they may take, what stops a container. How an engine is reached, and whose it is, is each system's
//! own; what the answers mean is in [`crate::engine`].

#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) mod sockets;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::engine::answer::{self, EngineReply, Reading};
use crate::engine::decode::{self, Listed};
use crate::engine::{ContainerFacts, EngineAnswer, EngineWish, Places};
use crate::host::{Hindrance, Ran};
use crate::snapshot::{Gap, Silence};
use crate::socket::Protocol;

/// The most doors that are tried, containers that are asked about at one, and containers that do not run
/// among them: each is a question of its own.
pub(crate) const MOST_DOORS: usize = 16;
pub(crate) const MOST_CONTAINERS: usize = 32;
const MOST_STOPPED: usize = 24;

/// For a thread whose time is over to say so.
pub(crate) const SLACK: Duration = Duration::from_millis(20);

/// The same where there is little time at all.
pub(crate) fn slack(limit: Duration) -> Duration {
    SLACK.min(limit / 4)
}

/// What the environment says of where engines are.
pub(crate) fn places(wish: &EngineWish) -> Places {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Places {
        docker_host: text("DOCKER_HOST"),
        docker_context: text("DOCKER_CONTEXT"),
        docker_config: text("DOCKER_CONFIG").map(PathBuf::from),
        container_host: text("CONTAINER_HOST"),
        home: text(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from),
        runtime: text("XDG_RUNTIME_DIR").map(PathBuf::from),
        owners: wish.owners.clone(),
        known: wish.sockets.clone(),
        ..Places::default()
    }
}

/// The entries of a folder.
pub(crate) fn listed(folder: &Path) -> Vec<PathBuf> {
    /// So many are looked at.
    const MOST: usize = 4096;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).take(MOST).collect()
}

/// A small ordinary file.
pub(crate) fn read(path: &Path) -> Option<Vec<u8>> {
    const MOST: u64 = 256 * 1024;
    let file = std::fs::metadata(path).ok()?;
    let small = file.is_file() && file.len() <= MOST;
    small.then(|| std::fs::read(path).ok())?
}

/// Where an engine may be asked.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// The path of its socket, or of its pipe.
    pub place: String,
    /// The user whose engine it is; `None` for the machine's.
    pub owner: Option<u32>,
    /// The words of docker's command that lead there.
    pub docker: Vec<String>,
    /// The words of podman's.
    pub podman: Vec<String>,
    /// Whether the numbers of its processes are those of this system. In a virtual machine they are not.
    pub here: bool,
}

impl Door {
    /// One by its path and by what engines' commands call it (`unix:///run/docker.sock`); `usual`
    /// where they go there unasked.
    pub fn new(place: String, address: &str, usual: bool) -> Self {
        let way = |command: &str, option: &str| match usual {
            true => vec![command.to_owned()],
            false => [command, option, address].map(str::to_owned).to_vec(),
        };
        let (docker, podman) = (way("docker", "-H"), way("podman", "--url"));
        Self { place, owner: None, docker, podman, here: true }
    }
}

/// A connection to an engine.
pub(crate) trait Line {
    /// Sends all of it.
    fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), Nothing>;

    /// Waits for some bytes, and says how many came; none at the end.
    fn receive(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, Nothing>;
}

/// How engines of this system are reached.
pub(crate) trait Reach {
    /// What a connection is here.
    type Line: Line;

    /// Connects, whatever the engine does in no longer than that.
    fn connect(&self, place: &str, deadline: Instant) -> Result<Self::Line, Nothing>;
}

/// Why a question got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// Nobody serves there.
    Nobody,
    /// It took too long.
    Late,
    /// This user may not ask.
    Denied,
    /// What came is no answer.
    Garbled,
    /// Something else went wrong.
    Failed,
    /// The person wants no more of it.
    Interrupted {
        /// Whether the engine had been asked by then.
        asked: bool,
    },
}

/// Answers of threads, so far as they come in time.
pub(crate) fn hear(
    until: Instant,
    work: impl FnOnce(mpsc::Sender<EngineAnswer>) + Send + 'static,
) -> EngineAnswer {
    let mut all = EngineAnswer::default();
    let (tell, told) = mpsc::channel();
    let late = || silent("the container engine", Silence::Late);
    if std::thread::Builder::new().spawn(move || work(tell)).is_err() {
        all.gaps.push(silent("the container engine", Silence::Failed));
        return all;
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(answer) => add(&mut all, answer),
            Err(mpsc::RecvTimeoutError::Disconnected) => return all,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                all.gaps.push(late());
                return all;
            }
        }
    }
}

pub(crate) fn add(all: &mut EngineAnswer, more: EngineAnswer) {
    for facts in more.containers {
        let same = |known: &ContainerFacts| known.id == facts.id && known.owner == facts.owner;
        if !all.containers.iter().any(same) {
            all.containers.push(facts);
        }
    }
    for gap in more.gaps {
        if !all.gaps.contains(&gap) {
            all.gaps.push(gap);
        }
    }
}

pub(crate) fn silent(name: &str, why: Silence) -> Gap {
    Gap::Manager { name: name.to_owned(), why }
}

/// What engines and another manager say, asked at the same time. Where no thread is to be had, one after
/// the other.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) fn both<T>(
    engines: impl Fn() -> EngineAnswer + Sync,
    other: impl FnOnce() -> T,
) -> (EngineAnswer, T) {
    std::thread::scope(|scope| {
        let heard = std::thread::Builder::new().spawn_scoped(scope, &engines);
        let other = other();
        let engines = match heard {
            Ok(heard) => heard.join().unwrap_or_default(),
            Err(_) => engines(),
        };
        (engines, other)
    })
}

/// What the engines of these doors say within that time, in threads that nobody waits for longer: a home
/// may be on a file server that is gone. Where nothing was wished for, nobody is asked. For systems whose
/// engines are all in virtual machines.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask_within<R: Reach + Send + Copy + 'static>(
    reach: R,
    doors: fn(&EngineWish, Instant) -> Vec<Door>,
    wish: &EngineWish,
    limit: Duration,
) -> EngineAnswer {
    if wish.ids.is_empty() && wish.names.is_empty() && wish.ports.is_empty() {
        return EngineAnswer::default();
    }
    let slack = slack(limit);
    let deadline = Instant::now() + limit.saturating_sub(slack);
    hear(deadline + slack, {
        let wish = wish.clone();
        move |tell| ask_at(reach, doors(&wish, deadline), &wish, deadline, &tell)
    })
}

/// The places of the doors that are found, as far as that is told in this time.
pub(crate) fn places_within(
    limit: Duration,
    doors: impl FnOnce() -> Vec<Door> + Send + 'static,
) -> Vec<String> {
    let (tell, told) = mpsc::channel();
    let looked = std::thread::Builder::new().spawn(move || {
        // Nobody may wait any more.
        let _ = tell.send(doors().into_iter().map(|door| door.place).collect());
    });
    looked.ok().and_then(|_| told.recv_timeout(limit).ok()).unwrap_or_default()
}

/// Asks at each of these doors, in a thread of its own.
pub(crate) fn ask_at<R: Reach + Send + Copy + 'static>(
    reach: R,
    doors: Vec<Door>,
    wish: &EngineWish,
    deadline: Instant,
    tell: &mpsc::Sender<EngineAnswer>,
) {
    for door in doors {
        let (wish, tell) = (wish.clone(), tell.clone());
        // One that cannot be started is one that did not answer.
        let _ = std::thread::Builder::new().spawn(move || {
            let _ = tell.send(ask_one(&reach, &door, &wish, deadline));
        });
    }
}

/// What one engine says.
pub(crate) fn ask_one(
    reach: &impl Reach,
    door: &Door,
    wish: &EngineWish,
    deadline: Instant,
) -> EngineAnswer {
    let mut engine = Engine { reach, door, deadline, podman: false, found: Vec::new() };
    let heard = engine.ask(wish);
    let name = if engine.podman { "podman" } else { "docker" };
    let mut answer = EngineAnswer { containers: engine.found, gaps: Vec::new() };
    if let Err(why) = heard
        && why != Nothing::Nobody
    {
        let named = match &door.place {
            place if place.contains("podman") => format!("podman ({place})"),
            place => format!("{name} ({place})"),
        };
        let why = match why {
            Nothing::Late => Silence::Late,
            Nothing::Denied => Silence::Denied,
            Nothing::Garbled => Silence::Garbled,
            Nothing::Nobody | Nothing::Failed | Nothing::Interrupted { .. } => Silence::Failed,
        };
        answer.gaps.push(Gap::Manager { name: named, why });
    }
    answer
}

/// One engine, while it is asked.
struct Engine<'a, R> {
    reach: &'a R,
    door: &'a Door,
    deadline: Instant,
    podman: bool,
    found: Vec<ContainerFacts>,
}

impl<R: Reach> Engine<'_, R> {
    fn ask(&mut self, wish: &EngineWish) -> Result<(), Nothing> {
        let proper =
            |id: &&String| id.len() >= 6 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        for id in wish.ids.iter().filter(proper).take(MOST_CONTAINERS) {
            self.inspect(id)?;
        }
        for name in wish.names.iter().take(MOST_CONTAINERS) {
            match name.split_once('/') {
                Some((project, service)) => self.ask_compose(project, service)?,
                None if decode::is_name(name) => self.inspect(name)?,
                None => {}
            }
        }
        if !wish.ports.is_empty() {
            self.ask_ports(&wish.ports)?;
        }
        Ok(())
    }

    /// Everything about one container, by its id, the start of one, or its name: engines take
    /// them in that order.
    fn inspect(&mut self, container: &str) -> Result<(), Nothing> {
        if self.found.iter().any(|facts| facts.id == container) {
            return Ok(());
        }
        let mut reply = self.get(&format!("/containers/{container}/json"))?;
        if reply.status == 404 {
            return Ok(());
        }
        if reply.podman {
            // Its own form knows of pods, which its imitation of Docker's does not.
            let own = self.get(&format!("/v4.0.0/libpod/containers/{container}/json"))?;
            if own.status == 200 {
                reply = own;
            }
        }
        if reply.status != 200 {
            return Err(Nothing::Failed);
        }
        let found = decode::inspected(&reply.body).ok_or(Nothing::Garbled)?;
        for facts in found {
            let facts = self.completed(facts);
            if !self.found.iter().any(|known| known.id == facts.id) {
                self.found.push(facts);
            }
        }
        Ok(())
    }

    fn completed(&self, mut facts: ContainerFacts) -> ContainerFacts {
        let (engine, command) = match self.podman {
            true => ("podman", &self.door.podman),
            false => ("docker", &self.door.docker),
        };
        facts.engine = engine.to_owned();
        facts.owner = self.door.owner;
        facts.pid = facts.pid.filter(|_| self.door.here);
        facts.command.clone_from(command);
        facts.socket.clone_from(&self.door.place);
        facts
    }

    fn ask_compose(&mut self, project: &str, service: &str) -> Result<(), Nothing> {
        let labels = serde_json::json!({ "label": [
            format!("com.docker.compose.project={project}"),
            format!("com.docker.compose.service={service}"),
        ] });
        let list = self.list(&labels, None)?.unwrap_or_default();
        list.iter().take(MOST_CONTAINERS).try_for_each(|listed| self.inspect(&listed.id))
    }

    /// The containers that publish one of these ports. Docker says of what runs; of what does
    /// not, only by asking about each. Podman knows no such question, and its list tells all.
    fn ask_ports(&mut self, ports: &[u16]) -> Result<(), Nothing> {
        let wanted = |listed: &Listed| listed.published.iter().any(|at| ports.contains(&at.port));
        let ranges: Vec<String> = ranges(ports)
            .into_iter()
            .flat_map(|range| {
                [Protocol::Tcp, Protocol::Udp].map(|protocol| format!("{range}/{protocol}"))
            })
            .collect();
        let published = self.list(&serde_json::json!({ "publish": ranges }), None)?;
        let (list, stopped) = match published {
            Some(list) => {
                let states = serde_json::json!({ "status": ["created", "restarting", "exited"] });
                (list, self.list(&states, Some(MOST_STOPPED))?.unwrap_or_default())
            }
            None => (self.list(&serde_json::json!({}), None)?.unwrap_or_default(), Vec::new()),
        };
        for listed in list.iter().filter(|listed| wanted(listed)).take(MOST_CONTAINERS) {
            self.inspect(&listed.id)?;
        }
        let known = self.found.len();
        for listed in stopped.iter().take(MOST_STOPPED) {
            self.inspect(&listed.id)?;
        }
        let mut place = 0;
        self.found.retain(|facts| {
            place += 1;
            place <= known || facts.published.iter().any(|at| ports.contains(&at.port))
        });
        Ok(())
    }

    /// Containers, running or not; `None` where the engine does not know such a filter.
    fn list(
        &mut self,
        filters: &serde_json::Value,
        most: Option<usize>,
    ) -> Result<Option<Vec<Listed>>, Nothing> {
        let filters = percent_encoded(&filters.to_string());
        let limit = most.map_or(String::new(), |most| format!("&limit={most}"));
        let reply = self.get(&format!("/containers/json?all=1{limit}&filters={filters}"))?;
        match reply.status {
            200 => decode::listed(&reply.body).map(Some).ok_or(Nothing::Garbled),
            400 | 500 if reply.podman => Ok(None),
            _ => Err(Nothing::Failed),
        }
    }

    fn get(&mut self, path: &str) -> Result<EngineReply, Nothing> {
        let reply = exchange(self.reach, &self.door.place, "GET", path, self.deadline)?;
        self.podman |= reply.podman;
        Ok(reply)
    }
}

/// Ascending ports as Docker's filter takes them: `3000`, `3002-3010`.
fn ranges(ports: &[u16]) -> Vec<String> {
    let mut sorted = ports.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for port in sorted {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    let text = |(first, last): (u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.into_iter().map(text).collect()
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// One question over a connection of its own.
fn exchange(
    reach: &impl Reach,
    place: &str,
    method: &str,
    path: &str,
    deadline: Instant,
) -> Result<EngineReply, Nothing> {
    let mut line = reach.connect(place, deadline)?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    // An engine may answer and close without reading it all.
    let sent = line.send(request.as_bytes(), deadline);
    let mut bytes = Vec::new();
    let mut some = vec![0; 64 * 1024];
    loop {
        let read = line.receive(&mut some, deadline)?;
        bytes.extend_from_slice(&some[..read]);
        match answer::read(&bytes, read == 0) {
            Reading::Whole(reply) => return Ok(reply),
            Reading::Garbled if bytes.is_empty() => {
                return Err(sent.err().unwrap_or(Nothing::Garbled));
            }
            Reading::Garbled => return Err(Nothing::Garbled),
            Reading::Incomplete => {}
        }
    }
}

/// The time until then; no time is no answer.
pub(crate) fn left(deadline: Instant) -> Result<Duration, Nothing> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Nothing::Late) } else { Ok(left) }
}

/// Stops a container through whoever told of it. The engine asks, waits the container's own time
/// (10 s unless it was made with another), and forces. `run` runs a command, where no engine can be
/// asked.
pub(crate) fn stop(
    reach: &impl Reach,
    container: &ContainerFacts,
    timeout: Duration,
    run: impl FnOnce(&[String]) -> Ran,
) -> Ran {
    let failed = Ran::failed;
    // A pod or a unit would start it again.
    if container.socket.is_empty() || container.pod.is_some() || container.unit.is_some() {
        return match container.stop() {
            Some(argv) => run(&argv),
            None => failed(format!("no command is known that stops {}", container.name)),
        };
    }
    if !decode::is_id(&container.id) {
        return failed(format!("{} is no container's id", container.id));
    }
    let now = Instant::now();
    let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(1 << 30));
    let path = format!("/containers/{}/stop", container.id);
    let reply = exchange(reach, &container.socket, "POST", &path, deadline);
    let message = |reply: &EngineReply| {
        decode::message(&reply.body).unwrap_or_else(|| format!("it answered {}", reply.status))
    };
    match reply {
        // 304: it had been stopped already.
        Ok(reply) if matches!(reply.status, 200 | 204 | 304) => {
            Ran { success: true, ..Ran::default() }
        }
        Ok(reply) => failed(format!("{}: {}", container.engine, message(&reply))),
        Err(why) => not_stopped(why, container, timeout),
    }
}

fn not_stopped(why: Nothing, container: &ContainerFacts, timeout: Duration) -> Ran {
    let ContainerFacts { engine, name, socket, .. } = container;
    let message = match why {
        Nothing::Interrupted { asked: true } => {
            format!("interrupted; {engine} goes on stopping {name} all the same")
        }
        Nothing::Interrupted { asked: false } => format!("interrupted before {engine} was asked"),
        Nothing::Late => format!(
            "{engine} had not stopped {name} after {} s; it forces it after the container's own time",
            timeout.as_secs()
        ),
        Nothing::Denied => format!("{socket} may not be opened by you"),
        Nothing::Nobody => format!("nobody serves {socket} any more"),
        Nothing::Garbled => format!("{socket} gave an answer that is not understood"),
        Nothing::Failed => format!("{socket} could not be asked"),
    };
    let hindrance = (why == Nothing::Denied).then_some(Hindrance::Denied);
    Ran { hindrance, ..Ran::failed(message) }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) mod tests;
