//! Whole runs about a container in a virtual machine: a process that is called as Docker Desktop's is
//! holds the port, and an engine that is a thread of the test says for which container.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use live::*;
use proc_core::diagnosis::CauseKind;
use proc_core::report::{Outcome, TargetReport};

const ID: &str = "ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12";

/// A home with an engine's socket in it, and the forwarder of its machine.
struct Desktop {
    home: PathBuf,
    forwarder: Arc<Actor>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Desktop {
    /// `claims` is whether the engine says that the port is its container's.
    fn new(name: &str, claims: bool) -> Self {
        let home = std::env::temp_dir().join(format!("proc-machine-{name}-{}", std::process::id()));
        fs::create_dir_all(home.join(".docker/desktop")).unwrap();
        let program = home.join("com.docker.backend");
        fs::copy(actor_path(), &program).unwrap();
        // The copy may still be open for writing in a child that another test is forking.
        assert!(wait_until(SOON, || Command::new(&program).arg("--help").output().is_ok()));
        let mut command = Command::new(&program);
        command.arg("listen");
        let forwarder = Arc::new(Actor::spawn_command(command));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = UnixListener::bind(home.join(".docker/desktop/docker.sock")).unwrap();
        let engine = Engine { forwarder: forwarder.clone(), asked: asked.clone(), claims };
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                engine.answer(stream);
            }
        });
        Self { home, forwarder, asked }
    }

    fn run(&self, words: &str) -> Ran {
        let mut command = program();
        command.env("HOME", &self.home).args(words.split_whitespace());
        Ran::from(command.output().unwrap())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

struct Engine {
    forwarder: Arc<Actor>,
    asked: Arc<Mutex<Vec<String>>>,
    claims: bool,
}

impl Engine {
    fn answer(&self, mut stream: UnixStream) {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap_or(0);
        let line = String::from_utf8_lossy(&bytes[..read]);
        let line = line.lines().next().unwrap_or_default().to_owned();
        let port = self.forwarder.port();
        let port = if self.claims { port } else { port ^ 1 };
        let body = if line.contains("status") {
            "[]".to_owned()
        } else if line.contains("/containers/json") {
            format!(
                r#"[{{"Id":"{ID}","State":"running","Ports":[{{"PublicPort":{port},"PrivatePort":80,"Type":"tcp"}}]}}]"#
            )
        } else {
            // Its PID in the virtual machine is that of the first process here.
            format!(
                r#"{{"Id":"{ID}","Name":"/shop-db-1","State":{{"Status":"running","Pid":1}},"Config":{{"Image":"postgres:16","Labels":{{"com.docker.compose.project":"shop","com.docker.compose.service":"db"}}}},"HostConfig":{{"RestartPolicy":{{"Name":"always"}}}},"NetworkSettings":{{"Ports":{{"80/tcp":[{{"HostIp":"0.0.0.0","HostPort":"{port}"}}]}}}}}}"#
            )
        };
        let answer = match line.starts_with("POST ") {
            true => {
                self.forwarder.signal(Signal::KILL);
                "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
            }
            false => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        };
        self.asked.lock().unwrap().push(line);
        let _ = stream.write_all(answer.as_bytes());
    }
}

fn container_of(report: &TargetReport) -> Option<(&str, &str, Option<&str>)> {
    let container = report.processes.first()?.container.as_ref()?;
    let part = |text: &'_ Option<String>| text.as_deref().unwrap_or_default().to_owned();
    assert_eq!(part(&container.service), "db");
    Some((
        container.name.as_deref().unwrap_or_default(),
        container.project.as_deref().unwrap_or_default(),
        container.restart.as_deref(),
    ))
}

#[test]
fn the_container_behind_a_forwarder_is_named_and_stopped_by_its_engine() {
    let desktop = Desktop::new("named", true);
    let (pid, port) = (desktop.forwarder.pid(), desktop.forwarder.port());
    let report = desktop.run(&format!("why --json tcp:{port}")).one();
    assert_eq!(report.causes[0].kind, CauseKind::Container);
    let says = &report.causes[0].explain;
    assert!(
        says.contains("container shop-db-1 (compose project shop, image postgres:16)"),
        "{says}"
    );
    assert_eq!(container_of(&report), Some(("shop-db-1", "shop", Some("always"))));
    let stop = report.causes[0].remedies[0].argv.as_ref().unwrap().join(" ");
    assert!(stop.starts_with("docker -H unix://") && stop.ends_with(" stop shop-db-1"), "{stop}");

    // Whoever forwards is left alone, and the container that is named is found by its port.
    let named = desktop.run(&format!("kill --json -y tcp:{port}")).ended(4, Outcome::Refused);
    assert!(named.explain.unwrap().contains("what gives its port back: docker"));
    assert!(lives(pid));
    let report = desktop.run("on --json container:shop-db-1").one();
    assert_eq!(report.causes[0].pids, [pid]);

    desktop.asked();
    let report = desktop.run(&format!("free --json -y tcp:{port}")).ended(0, Outcome::Freed);
    assert!(report.events.iter().all(|event| event.pid.is_none()), "{:?}", report.events);
    let stops: Vec<String> =
        desktop.asked().into_iter().filter(|line| line.starts_with("POST ")).collect();
    assert_eq!(stops, [format!("POST /containers/{ID}/stop HTTP/1.1")]);
}

#[test]
fn a_port_that_the_engine_does_not_claim_is_no_containers_that_is_known() {
    let desktop = Desktop::new("unclaimed", false);
    let (pid, port) = (desktop.forwarder.pid(), desktop.forwarder.port());
    let report = desktop.run(&format!("on --json tcp:{port}")).one();
    let says = &report.causes[0].explain;
    assert!(says.contains("is published by a container: com.docker.bac"), "{says}");
    assert_eq!(container_of(&report), None);
    desktop.run(&format!("free --json -y tcp:{port}")).ended(4, Outcome::Refused);
    assert!(lives(pid));
    assert!(desktop.asked().iter().all(|line| line.starts_with("GET ")));
}

#[test]
fn no_engine_is_asked_about_an_ordinary_holder() {
    let desktop = Desktop::new("ordinary", true);
    let server = orphan(&["listen"]);
    let report = desktop.run(&format!("why --json tcp:{}", server.port())).one();
    assert_eq!(report.causes[0].kind, CauseKind::Listener);
    assert_eq!(desktop.asked(), [""; 0]);
}
