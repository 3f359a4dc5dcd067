//! Container engines asked over their unix sockets, and podman, which mostly serves none, by its
//! command. Every question ends in time. What the answers mean is in [`crate::engine`].

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, Signal, kill_process_group};

use super::at_once;
use crate::decode::passwd;
use crate::engine::decode::{self, Listed};
use crate::engine::{
    self, ContainerFacts, EngineAnswer, EngineWish, Forwarder, Monitor, Places, Published, answer,
    machine,
};
use crate::host::Ran;
use crate::snapshot::Silence;
use crate::socket::Protocol;
use crate::sys::engine::sockets::{self, SocketFile, Sockets, timespec};
use crate::sys::engine::{
    Door, MOST_CONTAINERS, MOST_DOORS, Nothing, SLACK, add, ask_at, hear, left, listed, places,
    places_within, read, silent, slack,
};

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

fn ask_sockets(wish: &EngineWish, deadline: Instant, tell: &mpsc::Sender<EngineAnswer>) {
    let pods = pods(&wish.pods);
    if !pods.is_empty() {
        let _ = tell.send(EngineAnswer { containers: pods, gaps: Vec::new() });
    }
    if wish.ids.is_empty() && wish.names.is_empty() && wish.ports.is_empty() {
        return;
    }
    ask_at(Sockets::default(), doors(wish), wish, deadline, tell);
}

/// The socket files that are there.
fn doors(wish: &EngineWish) -> Vec<Door> {
    let places = places(wish);
    let docker_goes_elsewhere =
        places.docker_host.is_some() || engine::has_context(&places, &listed, &read);
    let own = rustix::process::geteuid().as_raw();
    let door = |SocketFile { path, owner }| {
        let rootful = path == Path::new("/run/podman/podman.sock") && own == 0;
        let rootless = places.runtime.as_ref().is_some_and(|runtime| {
            path == runtime.join("podman/podman.sock") && owner == Some(own)
        });
        let docker = path.ends_with("run/docker.sock") && owner.is_none() && !docker_goes_elsewhere;
        let place = path.to_string_lossy().into_owned();
        let usual = docker || rootful || rootless;
        let here = machine::serving(&place).is_none();
        let address = format!("unix://{place}");
        Door { owner, here, ..Door::new(place, &address, usual) }
    };
    sockets::files(engine::sockets(&places, &listed, &read)).map(door).take(MOST_DOORS).collect()
}

/// The paths of the engines' sockets that are there; those on a file system that does not answer in
/// time are not.
pub(super) fn sockets_here() -> Vec<String> {
    let wish = EngineWish::default();
    if nobody_is_there(&places(&wish)) {
        return Vec::new();
    }
    places_within(SLACK, move || doors(&wish))
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

/// Connects without ever waiting in the kernel: with a full backlog a blocking connect(2) would
/// wait for as long as the engine is stuck, and one that does not block says EAGAIN (unix(7)).
pub(crate) fn connected(
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

/// Stops a container through whoever told of it.
pub(super) fn stop(
    container: &ContainerFacts,
    interrupt: Option<BorrowedFd<'_>>,
    timeout: Duration,
) -> Ran {
    let run = |argv: &[String]| super::act::run(argv, interrupt, timeout);
    crate::sys::engine::stop(&Sockets { interrupt }, container, timeout, run)
}

#[cfg(test)]
mod tests;
