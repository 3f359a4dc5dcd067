//! Natures held to the real programs: that PostgreSQL, an OpenSSH tunnel and Node's inspector are
//! named rightly, and that what their nature says of ending them gives the port back.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's own processes either work or fail the test")]
#![allow(clippy::print_stderr, reason = "what is skipped is said aloud")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proc_core::addr::{Endpoint, Port};
use proc_core::host::{Host, LiveHost};
use proc_core::nature::{Nature, NatureKind, nature_of};
use proc_core::snapshot::{Scope, Snapshot, SocketScope};
use proc_testkit::{free_port, is_root, run_as, unprivileged_uid, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const LONG: Duration = Duration::from_secs(60);

/// A child that does not outlive its test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory of one test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-nature-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn snapshot(port: u16) -> Snapshot {
    let endpoint = Endpoint::any(Port::new(port).unwrap());
    let scope =
        Scope { sockets: SocketScope::Ports(vec![endpoint]), holders: true, ..Scope::default() };
    LiveHost::default().snapshot(&scope)
}

/// Who listens there.
fn holder(snapshot: &Snapshot) -> Option<u32> {
    snapshot.sockets.iter().find_map(|socket| socket.holders.pids().first().copied())
}

fn held(port: u16) -> bool {
    holder(&snapshot(port)).is_some()
}

/// The nature of whoever listens on a port, which is waited for.
fn nature(port: u16) -> (u32, Option<Nature>) {
    assert!(wait_until(LONG, || held(port)), "nobody came to listen on {port}");
    let snapshot = snapshot(port);
    let pid = holder(&snapshot).unwrap();
    (pid, nature_of(&snapshot.processes[&pid], &snapshot))
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn spawn(command: &mut Command) -> Guarded {
    Guarded(quiet(command).spawn().unwrap())
}

/// Says aloud that a test cannot run. Not [`proc_testkit::skip`]: installing these packages starts
/// services, which is not for a test run to do.
fn absent(what: &str) {
    eprintln!("SKIPPED: {what}");
}

/// A program in one of the places where packages put it.
fn find(places: &[&str], program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = path.split(':').chain(places.iter().copied());
    path.map(|place| Path::new(place).join(program)).find(|file| file.is_file())
}

fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    found.sort();
    found.pop()
}

#[test]
fn postgres_ends_by_the_signal_of_its_nature() {
    let Some(bin) = postgres_programs() else { return absent("PostgreSQL is not installed") };
    let folder = Folder::new("postgres");
    // It refuses to be root's.
    let command = |program: &str| match is_root() {
        true => run_as(unprivileged_uid(), bin.join(program)),
        false => Command::new(bin.join(program)),
    };
    if is_root() {
        let uid = Some(unprivileged_uid());
        std::os::unix::fs::chown(&folder.0, uid, uid).unwrap();
    }
    let data = folder.file("data");
    let made = quiet(command("initdb").args(["-D", &data, "-U", "me", "--no-sync"])).status();
    assert!(made.unwrap().success(), "initdb failed");
    let port = free_port();
    let mut server = spawn(command("postgres").args([
        "-D",
        &data,
        "-p",
        &port.to_string(),
        "-k",
        folder.0.to_str().unwrap(),
        "-c",
        "listen_addresses=127.0.0.1",
    ]));
    let (pid, nature) = nature(port);
    let nature = nature.unwrap();
    assert_eq!((pid, nature.kind), (server.0.id(), NatureKind::Database));
    assert_eq!(nature.name, "PostgreSQL");
    assert!(nature.never_forced.is_some());
    // Its parts are not the ones to signal.
    let parts = || proc_testkit::procfs::children(pid);
    assert!(wait_until(LONG, || !parts().is_empty()));
    let scope = Scope { pids: parts(), ..Scope::default() };
    let seen = LiveHost::default().snapshot(&scope);
    let part = seen.processes.values().find(|process| process.ppid == pid).unwrap();
    let advice = nature_of(part, &seen).unwrap().advice.unwrap();
    assert!(advice.contains(&format!("pid {pid}")), "{advice}");

    let ask = Signal::from_named_raw(nature.ask.unwrap()).unwrap();
    kill_process(Pid::from_child(&server.0), ask).unwrap();
    assert!(wait_until(LONG, || server.0.try_wait().unwrap().is_some()), "it did not end");
    assert!(server.0.wait().unwrap().success(), "it did not end in order");
    assert!(!Path::new(&data).join("postmaster.pid").exists());
}

#[test]
fn a_forward_of_a_shared_connection_is_cancelled_alone() {
    let (Some(sshd), Some(ssh), Some(keygen)) =
        (find(&["/usr/sbin"], "sshd"), find(&[], "ssh"), find(&[], "ssh-keygen"))
    else {
        return absent("OpenSSH's client and server are not installed");
    };
    if !is_root() {
        return absent("logins need an account that may log in: run it as root");
    }
    let folder = Folder::new("ssh");
    for key in ["host", "id"] {
        let status = quiet(Command::new(&keygen).args([
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-f",
            &folder.file(key),
        ]))
        .status();
        assert!(status.unwrap().success(), "ssh-keygen failed");
    }
    // Where a part of it is locked up; it does not start without.
    fs::create_dir_all("/run/sshd").unwrap();
    let (door, first, second) = (free_port(), free_port(), free_port());
    let settings = format!(
        "Port {door}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\n\
         UsePAM no\nPidFile none\nPermitRootLogin yes\n",
        folder.file("host"),
        folder.file("id.pub")
    );
    fs::write(folder.file("sshd_config"), settings).unwrap();
    let server = spawn(Command::new(sshd).args(["-D", "-f", &folder.file("sshd_config")]));
    let (pid, door_nature) = nature(door);
    assert_eq!((pid, door_nature), (server.0.id(), None), "the server is no tunnel");
    let settings = format!(
        "IdentityFile {}\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n",
        folder.file("id")
    );
    fs::write(folder.file("ssh_config"), settings).unwrap();
    let forward = |port: u16| format!("127.0.0.1:{port}:127.0.0.1:{door}");
    let client = spawn(Command::new(ssh).args([
        "-F",
        &folder.file("ssh_config"),
        "-N",
        "-o",
        "ControlMaster=yes",
        "-o",
        &format!("ControlPath={}/%h-%p", folder.0.display()),
        "-p",
        &door.to_string(),
        "-L",
        &forward(first),
        "-L",
        &forward(second),
        "127.0.0.1",
    ]));
    let (pid, tunnel) = nature(first);
    let tunnel = tunnel.unwrap();
    assert_eq!((pid, tunnel.kind), (client.0.id(), NatureKind::Tunnel));
    assert_eq!(tunnel.name, "ssh tunnel to 127.0.0.1");
    assert!(wait_until(LONG, || held(second)));

    let stop = tunnel.stop.unwrap();
    // The control socket is made after the first forward listens.
    let stopped = || quiet(Command::new(&stop[0]).args(&stop[1..])).status().unwrap().success();
    assert!(wait_until(LONG, stopped), "{stop:?} failed");
    assert!(wait_until(LONG, || !held(first)), "the forward is still there");
    assert_eq!(holder(&snapshot(second)), Some(client.0.id()), "the other forward lives on");
}

#[test]
fn the_inspector_of_node_is_not_its_server() {
    let Some(node) = find(&[], "node") else { return absent("Node is not installed") };
    let (inspector, server) = (free_port(), free_port());
    let script = format!("require('http').createServer().listen({server}, '127.0.0.1')");
    let child = spawn(Command::new(node).args([
        &format!("--inspect=127.0.0.1:{inspector}"),
        "-e",
        &script,
    ]));
    let (pid, debugger) = nature(inspector);
    assert_eq!(pid, child.0.id());
    assert_eq!(debugger.unwrap().name, "Node's inspector port");
    assert_eq!(nature(server), (pid, None));
}
