//! Container engines asked over their unix sockets, and podman, which mostly serves none, by its
//! command. Every question ends in time. What the answers mean is in [`crate::engine`].

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, Signal, kill_process_group};

use super::at_once;
use crate::decode::passwd;
use crate::engine::answer::{self, EngineReply, Reading};
use crate::engine::decode::{self, Listed};
use crate::engine::{
    self, ContainerFacts, EngineAnswer, EngineWish, Forwarder, Monitor, Places, Published,
};
use crate::host::{Hindrance, Ran};
use crate::snapshot::{Gap, Silence};
use crate::socket::Protocol;

/// The most sockets that are asked, containers that are asked about at one, and containers that do not run
/// among them: each is a question of its own.
const MOST_SOCKETS: usize = 16;
const MOST_CONTAINERS: usize = 32;
const MOST_STOPPED: usize = 24;

/// For a thread whose time is over to say so.
const SLACK: Duration = Duration::from_millis(20);

/// The same where there is little time at all.
fn slack(limit: Duration) -> Duration {
    SLACK.min(limit / 4)
}

/// What the engines say within that time. The work is done in threads that nobody waits
/// for longer, as even looking for a file may never end (a dead network file system).
pub(super) fn containers(wish: &EngineWish, limit: Duration) -> EngineAnswer {
    if wish.pods.is_empty()
        && wish.monitors.is_empty()
        && wish.forwarders.is_empty()
        && nobody_is_there(&places(wish))
    {
        return EngineAnswer::default();
    }
    let slack = slack(limit);
    let deadline = Instant::now() + limit.saturating_sub(slack);
    let mut answer = hear(deadline + slack, {
        let wish = wish.clone();
        move |tell| ask_sockets(&wish, deadline, &tell)
    });
    let unknown = |id: &String| answer.containers.iter().all(|facts| facts.id != *id);
    let monitors: Vec<Monitor> =
        wish.monitors.iter().filter(|monitor| unknown(&monitor.id)).cloned().collect();
    let forwarders: Vec<Forwarder> = wish
        .forwarders
        .iter()
        .filter(|forwarder| {
            let told = |facts: &&ContainerFacts| facts.owner.unwrap_or(0) == forwarder.uid;
            let known = |port: &u16| {
                let mut own = answer.containers.iter().filter(told);
                own.any(|facts| facts.published.iter().any(|at| at.port == *port))
            };
            !wish.ports.iter().all(known)
        })
        .cloned()
        .collect();
    if !monitors.is_empty() || !forwarders.is_empty() {
        let ports = wish.ports.clone();
        let more = hear(deadline + slack, move |tell| {
            let _ = tell.send(ask_podman(&monitors, &forwarders, &ports, deadline));
        });
        add(&mut answer, more);
    }
    answer
}

/// Answers of threads, so far as they come in time.
fn hear(
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

fn add(all: &mut EngineAnswer, more: EngineAnswer) {
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

fn silent(name: &str, why: Silence) -> Gap {
    Gap::Manager { name: name.to_owned(), why }
}

/// A socket that may be an engine's.
#[derive(Clone, Debug)]
struct Door {
    path: PathBuf,
    owner: Option<u32>,
    /// Whether the engine's command goes there unasked.
    usual: bool,
}

fn ask_sockets(wish: &EngineWish, deadline: Instant, tell: &mpsc::Sender<EngineAnswer>) {
    let pods = pods(&wish.pods);
    if !pods.is_empty() {
        let _ = tell.send(EngineAnswer { containers: pods, gaps: Vec::new() });
    }
    if wish.ids.is_empty() && wish.names.is_empty() && wish.ports.is_empty() {
        return;
    }
    for door in doors(wish) {
        let (wish, tell) = (wish.clone(), tell.clone());
        // One that cannot be started is one that did not answer.
        let _ = std::thread::Builder::new().spawn(move || {
            let _ = tell.send(ask_one(&door, &wish, deadline));
        });
    }
}

/// The socket files that are there, each once however many paths lead to it.
fn doors(wish: &EngineWish) -> Vec<Door> {
    let places = places(wish);
    let docker_goes_elsewhere =
        places.docker_host.is_some() || engine::has_context(&places, &listed, &read);
    let own = rustix::process::geteuid().as_raw();
    let mut seen = HashSet::new();
    let mut doors = Vec::new();
    for path in engine::sockets(&places, &listed, &read) {
        let Ok(file) = std::fs::metadata(&path) else { continue };
        if !file.file_type().is_socket() || !seen.insert((file.dev(), file.ino())) {
            continue;
        }
        let owner = Some(file.uid()).filter(|&uid| uid != 0);
        let rootful = path == Path::new("/run/podman/podman.sock") && own == 0;
        let rootless = places.runtime.as_ref().is_some_and(|runtime| {
            path == runtime.join("podman/podman.sock") && owner == Some(own)
        });
        let docker = path.ends_with("run/docker.sock") && owner.is_none() && !docker_goes_elsewhere;
        doors.push(Door { path, owner, usual: docker || rootful || rootless });
        if doors.len() == MOST_SOCKETS {
            break;
        }
    }
    doors
}

/// The paths of the engines' sockets that are there; those on a file system that does not answer in
/// time are not.
pub(super) fn sockets_here() -> Vec<String> {
    let wish = EngineWish::default();
    if nobody_is_there(&places(&wish)) {
        return Vec::new();
    }
    let (tell, told) = mpsc::channel();
    let looked = std::thread::Builder::new().spawn(move || {
        let paths = doors(&wish).into_iter().map(|door| door.path.to_string_lossy().into_owned());
        // Nobody may wait any more.
        let _ = tell.send(paths.collect());
    });
    looked.ok().and_then(|_| told.recv_timeout(SLACK).ok()).unwrap_or_default()
}

/// Whether it is known at once that no engine has a socket here, as on most machines.
fn nobody_is_there(places: &Places) -> bool {
    let unsure = Cell::new(false);
    let look = |path: &Path| {
        // The system's own folder is in memory, and what is not there is known nowhere.
        let absent = match path.starts_with("/run") || path.starts_with("/var/run") {
            true => path.symlink_metadata().is_err(),
            false => at_once::kind(path) == Ok(None),
        };
        unsure.set(unsure.get() || !absent);
    };
    let listed = |folder: &Path| {
        look(folder);
        Vec::new()
    };
    let read = |file: &Path| {
        look(file);
        None
    };
    engine::sockets(places, &listed, &read).iter().for_each(|path| look(path));
    !unsure.get()
}

fn places(wish: &EngineWish) -> Places {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Places {
        docker_host: text("DOCKER_HOST"),
        docker_context: text("DOCKER_CONTEXT"),
        docker_config: text("DOCKER_CONFIG").map(PathBuf::from),
        container_host: text("CONTAINER_HOST"),
        home: text("HOME").map(PathBuf::from),
        runtime: text("XDG_RUNTIME_DIR").map(PathBuf::from),
        owners: wish.owners.clone(),
        known: wish.sockets.clone(),
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).take(MOST_LISTED).collect()
}

/// The most entries of a folder that are looked at.
const MOST_LISTED: usize = 4096;

/// A small ordinary file.
fn read(path: &Path) -> Option<Vec<u8>> {
    const MOST: u64 = 256 * 1024;
    let file = std::fs::metadata(path).ok()?;
    let small = file.is_file() && file.len() <= MOST;
    small.then(|| std::fs::read(path).ok())?
}

/// Pods by the folders of their logs, which the kubelet names `NAMESPACE_POD_UID`.
fn pods(wanted: &[String]) -> Vec<ContainerFacts> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let folders = listed(Path::new("/var/log/pods"));
    let names = folders.iter().filter_map(|folder| folder.file_name()?.to_str());
    names
        .filter_map(|name| {
            let (rest, uid) = name.rsplit_once('_')?;
            let (namespace, pod) = rest.split_once('_')?;
            wanted.iter().any(|wanted| wanted == uid).then(|| ContainerFacts {
                engine: "kubernetes".to_owned(),
                id: uid.to_owned(),
                name: format!("{namespace}/{pod}"),
                ..ContainerFacts::default()
            })
        })
        .collect()
}

fn ask_one(door: &Door, wish: &EngineWish, deadline: Instant) -> EngineAnswer {
    let mut engine = Engine { door, deadline, podman: false, found: Vec::new() };
    let heard = engine.ask(wish);
    let name = if engine.podman { "podman" } else { "docker" };
    let mut answer = EngineAnswer { containers: engine.found, gaps: Vec::new() };
    if let Err(why) = heard
        && why != Nothing::Nobody
    {
        let named = match door.path.to_string_lossy() {
            path if path.contains("podman") => format!("podman ({path})"),
            path => format!("{name} ({path})"),
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

/// Why a question got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nothing {
    /// The file is there and nobody serves it.
    Nobody,
    Late,
    Denied,
    Garbled,
    Failed,
    /// The person wants no more of it; whether the engine had been asked by then.
    Interrupted {
        asked: bool,
    },
}

/// One engine, while it is asked.
struct Engine<'a> {
    door: &'a Door,
    deadline: Instant,
    podman: bool,
    found: Vec<ContainerFacts>,
}

impl Engine<'_> {
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
        let path = self.door.path.to_string_lossy();
        let engine = if self.podman { "podman" } else { "docker" };
        facts.engine = engine.to_owned();
        facts.owner = self.door.owner;
        facts.command = match (self.door.usual, self.podman) {
            (true, _) => vec![engine.to_owned()],
            (false, true) => vec![engine.to_owned(), "--url".to_owned(), format!("unix://{path}")],
            (false, false) => vec![engine.to_owned(), "-H".to_owned(), format!("unix://{path}")],
        };
        facts.socket = path.into_owned();
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
        let reply = exchange(&self.door.path, "GET", path, None, self.deadline)?;
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
    socket: &Path,
    method: &str,
    path: &str,
    interrupt: Option<BorrowedFd<'_>>,
    deadline: Instant,
) -> Result<EngineReply, Nothing> {
    let mut stream = connected(socket, interrupt, deadline)?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.set_write_timeout(Some(left(deadline)?)).map_err(|_| Nothing::Failed)?;
    // An engine may answer and close without reading it all.
    let sent = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let mut some = vec![0; 64 * 1024];
    loop {
        if let Some(interrupt) = interrupt {
            await_answer(&stream, interrupt, deadline)?;
        }
        stream.set_read_timeout(Some(left(deadline)?)).map_err(|_| Nothing::Failed)?;
        let read = match stream.read(&mut some) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failure(&error)),
        };
        bytes.extend_from_slice(&some[..read]);
        match answer::read(&bytes, read == 0) {
            Reading::Whole(reply) => return Ok(reply),
            Reading::Garbled if bytes.is_empty() => {
                return Err(sent.err().map_or(Nothing::Garbled, |error| failure(&error)));
            }
            Reading::Garbled => return Err(Nothing::Garbled),
            Reading::Incomplete => {}
        }
    }
}

/// Waits until there is something to read, or the person wants no more of it.
fn await_answer(
    stream: &UnixStream,
    interrupt: BorrowedFd<'_>,
    deadline: Instant,
) -> Result<(), Nothing> {
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(interrupt, PollFlags::IN),
            PollFd::new(stream, PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(left(deadline)?))) {
            Ok(0) => return Err(Nothing::Late),
            Ok(_) if !fds[0].revents().is_empty() => {
                return Err(Nothing::Interrupted { asked: true });
            }
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(_) => return Err(Nothing::Failed),
        }
    }
}

fn failure(error: &std::io::Error) -> Nothing {
    match error.kind() {
        // A read or write that timed out (socket(7), SO_RCVTIMEO).
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Nothing::Late,
        ErrorKind::PermissionDenied => Nothing::Denied,
        _ => Nothing::Failed,
    }
}

/// The time until then; no time is no answer.
fn left(deadline: Instant) -> Result<Duration, Nothing> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Nothing::Late) } else { Ok(left) }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: i64::from(time.subsec_nanos()) }
}

/// Connects without ever waiting in the kernel: with a full backlog a blocking connect(2) would
/// wait for as long as the engine is stuck, and one that does not block says EAGAIN (unix(7)).
fn connected(
    socket: &Path,
    interrupt: Option<BorrowedFd<'_>>,
    deadline: Instant,
) -> Result<UnixStream, Nothing> {
    const PAUSE: Duration = Duration::from_millis(5);
    let address = SocketAddrUnix::new(socket).map_err(|_| Nothing::Failed)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|_| Nothing::Failed)?;
    loop {
        match connect(&fd, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN) => {
                // No event tells that there is room again.
                let pause = timespec(PAUSE.min(left(deadline)?));
                let fd = interrupt.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
                if poll(fd.into_iter().collect::<Vec<_>>().as_mut_slice(), Some(&pause)) == Ok(1) {
                    return Err(Nothing::Interrupted { asked: false });
                }
            }
            Err(Errno::INTR) => {}
            Err(Errno::CONNREFUSED | Errno::NOENT) => return Err(Nothing::Nobody),
            Err(Errno::ACCESS | Errno::PERM) => return Err(Nothing::Denied),
            Err(_) => return Err(Nothing::Failed),
        }
    }
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false).map_err(|_| Nothing::Failed)?;
    Ok(stream)
}

/// Asks podman's own command, as the user whose containers they are.
fn ask_podman(
    monitors: &[Monitor],
    forwarders: &[Forwarder],
    ports: &[u16],
    deadline: Instant,
) -> EngineAnswer {
    let mut all = EngineAnswer::default();
    let asker = rustix::process::geteuid().as_raw();
    let may = |uid: u32| uid == asker || asker == 0;
    for monitor in monitors.iter().filter(|monitor| may(monitor.uid)) {
        let Some(caller) =
            Caller::new(monitor.uid, &monitor.options, None, monitor.runtime.as_deref())
        else {
            continue;
        };
        caller.inspect(std::slice::from_ref(&monitor.id), deadline, &mut all);
    }
    for forwarder in forwarders.iter().filter(|forwarder| may(forwarder.uid)) {
        let (home, runtime) = (forwarder.home.as_deref(), forwarder.runtime.as_deref());
        let Some(caller) = Caller::new(forwarder.uid, &[], home, runtime) else { continue };
        let monitor = monitor_behind(forwarder);
        let ids = match &monitor {
            Some(monitor) => vec![monitor.id.clone()],
            None => caller.publishing(ports, deadline, &mut all),
        };
        if !ids.is_empty() {
            caller.inspect(&ids, deadline, &mut all);
        }
        // Late or not: its name and what stops it are known.
        let known = |monitor: &Monitor| all.containers.iter().any(|it| it.id == monitor.id);
        if let Some(monitor) = monitor.filter(|monitor| !known(monitor)) {
            all.containers.push(caller.traced(monitor, forwarder));
        }
    }
    all
}

/// The monitor of the container that a rootlessport forwards to: the pipe whose end tells
/// rootlessport to go is its descriptor 3 (`ExtraFiles`, podman's rootlessport_linux.go), and its
/// container's conmon has the other end.
fn monitor_behind(forwarder: &Forwarder) -> Option<Monitor> {
    let pipe = std::fs::read_link(format!("/proc/{}/fd/3", forwarder.pid)).ok()?;
    if !pipe.to_string_lossy().starts_with("pipe:[") {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let mut monitors = processes.filter(|process| {
        std::fs::read(process.join("comm")).is_ok_and(|name| name == b"conmon\n")
            && std::fs::metadata(process).is_ok_and(|it| it.uid() == forwarder.uid)
    });
    let found = monitors.find(|process| {
        let descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let mut links = descriptors.map(|descriptor| std::fs::read_link(descriptor.path()));
        links.any(|link| link.is_ok_and(|link| link == pipe))
    })?;
    let line = std::fs::read(found.join("cmdline")).ok()?;
    let argv: Vec<String> = line
        .split(|&byte| byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    engine::monitor(&argv, forwarder.uid)
}

/// podman's command for the containers of one user.
struct Caller {
    uid: u32,
    words: Vec<String>,
}

impl Caller {
    /// `None` where the user has no name to become it by.
    fn new(
        uid: u32,
        options: &[String],
        home: Option<&str>,
        runtime: Option<&str>,
    ) -> Option<Self> {
        let mut words = Vec::new();
        if uid != rustix::process::geteuid().as_raw() {
            let name = super::keep::user_name(uid).filter(|name| decode::is_name(name))?;
            let users = std::fs::read("/etc/passwd").ok()?;
            let home = home.map(str::to_owned).or_else(|| passwd::home(&users, uid))?;
            words.extend(["runuser", "-u", &name, "--", "env"].map(str::to_owned));
            words.push(format!("HOME={home}"));
            let runtime = runtime.map_or_else(|| format!("/run/user/{uid}"), str::to_owned);
            words.push(format!("XDG_RUNTIME_DIR={runtime}"));
        }
        words.push("podman".to_owned());
        words.extend(options.iter().cloned());
        Some(Self { uid, words })
    }

    fn inspect(&self, ids: &[String], deadline: Instant, all: &mut EngineAnswer) {
        let mut words = vec!["inspect", "--type", "container"];
        words.extend(ids.iter().map(String::as_str));
        let Some(bytes) = self.output(&words, deadline, all) else { return };
        let Some(found) = decode::inspected(&bytes) else {
            all.gaps.push(silent("podman", Silence::Garbled));
            return;
        };
        all.containers.extend(found.into_iter().map(|facts| ContainerFacts {
            engine: "podman".to_owned(),
            owner: Some(self.uid).filter(|&uid| uid != 0),
            command: self.words.clone(),
            ..facts
        }));
    }

    /// The ids of the containers that publish one of these ports.
    fn publishing(&self, ports: &[u16], deadline: Instant, all: &mut EngineAnswer) -> Vec<String> {
        let words = ["ps", "--all", "--no-trunc", "--format", "json"];
        let Some(bytes) = self.output(&words, deadline, all) else { return Vec::new() };
        let Some(list) = decode::listed(&bytes) else {
            all.gaps.push(silent("podman", Silence::Garbled));
            return Vec::new();
        };
        let publishes =
            |listed: &&Listed| listed.published.iter().any(|at| ports.contains(&at.port));
        list.iter().filter(publishes).map(|it| it.id.clone()).take(MOST_CONTAINERS).collect()
    }

    /// What a monitor alone tells of the container that it is forwarded to.
    fn traced(&self, monitor: Monitor, forwarder: &Forwarder) -> ContainerFacts {
        let published = |&(protocol, port): &(Protocol, u16)| Published {
            protocol,
            address: None,
            port,
            container_port: None,
        };
        ContainerFacts {
            engine: "podman".to_owned(),
            name: monitor.name.unwrap_or_else(|| monitor.id.chars().take(12).collect()),
            id: monitor.id,
            state: Some("running".to_owned()),
            published: forwarder.ports.iter().map(published).collect(),
            owner: Some(self.uid).filter(|&uid| uid != 0),
            command: self.words.clone(),
            ..ContainerFacts::default()
        }
    }

    fn output(&self, words: &[&str], deadline: Instant, all: &mut EngineAnswer) -> Option<Vec<u8>> {
        match output(&self.words, words, deadline) {
            Ok(bytes) => Some(bytes),
            Err(why) => {
                all.gaps.push(silent("podman", why));
                None
            }
        }
    }
}

/// What a command writes to stdout, if it ends well before the deadline; else it is killed, with
/// all of its group.
fn output(program: &[String], words: &[&str], deadline: Instant) -> Result<Vec<u8>, Silence> {
    let (first, rest) = program.split_first().ok_or(Silence::Failed)?;
    let mut child = Command::new(first)
        .args(rest)
        .args(words)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|_| Silence::Failed)?;
    let mut bytes = Vec::new();
    let ended = match child.stdout.take() {
        Some(mut pipe) => read_until(&mut pipe, &mut bytes, deadline),
        None => Err(Silence::Failed),
    };
    if ended.is_err() {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
        return Err(ended.err().unwrap_or(Silence::Late));
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(bytes),
        _ => Err(Silence::Failed),
    }
}

fn read_until(
    pipe: &mut std::process::ChildStdout,
    bytes: &mut Vec<u8>,
    deadline: Instant,
) -> Result<(), Silence> {
    let mut some = vec![0; 64 * 1024];
    loop {
        let time = timespec(left(deadline).map_err(|_| Silence::Late)?);
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&time)) {
            Ok(0) => return Err(Silence::Late),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return Err(Silence::Failed),
        }
        match pipe.read(&mut some) {
            Ok(0) => return Ok(()),
            Ok(_) if bytes.len() >= answer::MOST => return Err(Silence::Garbled),
            Ok(read) => bytes.extend_from_slice(&some[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Silence::Failed),
        }
    }
}

/// Stops a container through whoever told of it. The engine asks, waits the container's own time
/// (10 s unless it was made with another), and forces.
pub(super) fn stop(
    container: &ContainerFacts,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
) -> Ran {
    let failed = Ran::failed;
    // A pod or a unit would start it again.
    if container.socket.is_empty() || container.pod.is_some() || container.unit.is_some() {
        return match container.stop() {
            Some(argv) => super::act::run(&argv, interrupt, timeout),
            None => failed(format!("no command is known that stops {}", container.name)),
        };
    }
    if !decode::is_id(&container.id) {
        return failed(format!("{} is no container's id", container.id));
    }
    let now = Instant::now();
    let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(1 << 30));
    let path = format!("/containers/{}/stop", container.id);
    let socket = &container.socket;
    let reply = exchange(Path::new(socket), "POST", &path, interrupt, deadline);
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
mod tests;
