//! Engines that are threads: what they say, half say, and never say.

#![allow(clippy::disallowed_methods, reason = "an engine that takes its time sleeps")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::sockets::Sockets;
use super::*;
use crate::host::MANAGER_LIMIT;

const RUNNING: &str = include_str!("../../../tests/engines/docker-inspect-running.json");
const CREATED: &str = include_str!("../../../tests/engines/docker-inspect-created.json");
const LIST: &str = include_str!("../../../tests/engines/docker-list-published.json");

/// A folder that goes away with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("proc-engine-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn door(&self) -> Door {
        let place = self.0.join("engine.sock").to_string_lossy().into_owned();
        let address = format!("unix://{place}");
        Door::new(place, &address, false)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Serves each connection by what `reply` makes of the request's first line, for as long as the
/// test runs.
pub(crate) fn serve(door: &Door, reply: impl Fn(&str, &mut UnixStream) + Send + 'static) {
    let listener = UnixListener::bind(&door.place).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
            reply(request.lines().next().unwrap_or_default(), &mut stream);
        }
    });
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn soon() -> Instant {
    Instant::now() + MANAGER_LIMIT
}

pub(crate) fn about(id: &str) -> EngineWish {
    EngineWish { ids: vec![id.to_owned()], ..EngineWish::default() }
}

fn stopped(container: &ContainerFacts, timeout: Duration) -> Ran {
    stop(&Sockets::default(), container, timeout, |_| Ran::default())
}

/// What one engine that says these bytes is taken for.
fn gap_of(said: impl Fn(&mut UnixStream) + Send + 'static) -> Option<Silence> {
    let folder = Folder::new();
    let door = folder.door();
    serve(&door, move |_, stream| said(stream));
    let answer = ask_one(&Sockets::default(), &door, &about("abcdef"), soon());
    assert_eq!(answer.containers, []);
    match answer.gaps.as_slice() {
        [] => None,
        [Gap::Manager { why, .. }] => Some(*why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_container_is_found_by_its_id() {
    let folder = Folder::new();
    let door = folder.door();
    serve(&door, |line, stream| {
        let answer = match line.contains("/containers/e521b3c28e8b/json") {
            true => ok(RUNNING),
            false => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let answer = ask_one(&Sockets::default(), &door, &about("e521b3c28e8b"), soon());
    assert_eq!(answer.gaps, []);
    let facts = &answer.containers[0];
    assert_eq!((facts.name.as_str(), facts.engine.as_str()), ("shop-db-1", "docker"));
    assert_eq!(facts.socket, door.place);
    assert_eq!(facts.stop().unwrap()[..2], ["docker", "-H"]);
    // Nobody of that id is an answer, and no gap.
    assert_eq!(
        ask_one(&Sockets::default(), &door, &about("0123456789ab"), soon()),
        EngineAnswer::default()
    );
    // Never a path of somebody's making.
    assert_eq!(
        ask_one(&Sockets::default(), &door, &about("../images"), soon()),
        EngineAnswer::default()
    );
}

/// Docker's filter tells of what runs; of what does not, only asking about each does.
#[test]
fn who_publishes_a_port_is_found_whether_or_not_it_runs() {
    let folder = Folder::new();
    let door = folder.door();
    let stopped = CREATED.split('"').nth(3).unwrap().to_owned();
    serve(&door, move |line, stream| {
        let answer = if line.contains("publish") {
            assert!(line.contains("5432-5433%2Ftcp"), "{line}");
            ok(LIST)
        } else if line.contains("status") {
            ok(&format!(r#"[{{"Id":"{stopped}","State":"created"}}]"#))
        } else if line.contains(&stopped) {
            ok(CREATED)
        } else {
            ok(RUNNING)
        };
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let wish = EngineWish { ports: vec![5433, 5432], ..EngineWish::default() };
    let answer = ask_one(&Sockets::default(), &door, &wish, soon());
    let names: Vec<&str> = answer.containers.iter().map(|facts| facts.name.as_str()).collect();
    assert_eq!((names, answer.gaps), (vec!["shop-db-1", "later"], Vec::new()));
}

#[test]
fn an_engine_that_is_stuck_costs_the_limit_and_no_more() {
    let began = Instant::now();
    let why = gap_of(|_| std::thread::sleep(Duration::from_secs(60)));
    assert_eq!(why, Some(Silence::Late));
    let took = began.elapsed();
    assert!(took >= MANAGER_LIMIT && took < Duration::from_secs(30), "{took:?}");
    // A byte now and then keeps nobody waiting either: the whole answer would take half an hour.
    let why = gap_of(|stream| {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(why, Some(Silence::Late));
}

#[test]
fn what_is_no_answer_is_a_gap() {
    let garbled = Some(Silence::Garbled);
    assert_eq!(gap_of(|stream| stream.write_all(b"\xff\0 hello\r\n").unwrap()), garbled);
    assert_eq!(gap_of(|_| {}), garbled, "hung up without a word");
    assert_eq!(
        gap_of(|stream| stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
            .unwrap()),
        garbled,
        "half an answer"
    );
    assert_eq!(gap_of(|stream| stream.write_all(ok("[1,").as_bytes()).unwrap()), garbled);
    assert_eq!(
        gap_of(|stream| stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n").unwrap()),
        Some(Silence::Failed)
    );
}

#[test]
fn an_answer_without_end_is_read_no_further_than_the_most() {
    let why = gap_of(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let chunk = vec![b' '; 1 << 20];
        for _ in 0..100 {
            if stream.write_all(&chunk).is_err() {
                return;
            }
        }
    });
    assert!(matches!(why, Some(Silence::Garbled | Silence::Late)), "{why:?}");
}

/// A list of everything, as of an engine that knows no filter: the answer is found, or is said to
/// be missing, within the limit and whatever the list's length.
#[test]
fn a_hundred_thousand_containers_are_no_hang() {
    let folder = Folder::new();
    let door = folder.door();
    let one = |n: u32| {
        format!(
            r#"{{"Id":"{n:064x}","State":"running","Ports":[{{"PublicPort":{},"Type":"tcp"}}]}}"#,
            20_000 + n % 40_000
        )
    };
    let list = ok(&format!("[{}]", (0..100_000).map(one).collect::<Vec<_>>().join(",")));
    serve(&door, move |line, stream| {
        let answer = if line.contains("status") {
            ok("[]")
        } else if line.contains("filters") {
            list.clone()
        } else {
            ok(RUNNING)
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let began = Instant::now();
    let wish = EngineWish { ports: vec![23_000], ..EngineWish::default() };
    let answer = ask_one(&Sockets::default(), &door, &wish, soon());
    assert!(began.elapsed() < Duration::from_secs(4));
    match answer.gaps.as_slice() {
        // The three containers of that port.
        [] => assert_eq!(answer.containers.len(), 3, "{answer:?}"),
        [Gap::Manager { why: Silence::Late | Silence::Garbled, .. }] => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_socket_that_nobody_serves_is_no_gap() {
    let folder = Folder::new();
    let door = folder.door();
    drop(UnixListener::bind(&door.place).unwrap());
    assert_eq!(
        ask_one(&Sockets::default(), &door, &about("abcdef"), soon()),
        EngineAnswer::default()
    );
}

#[test]
fn stopping_is_told_as_the_engine_tells_it() {
    let folder = Folder::new();
    let door = folder.door();
    serve(&door, |line, stream| {
        let answer = if !line.starts_with("POST ") {
            "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"
        } else if line.contains("/aaaa") {
            "HTTP/1.1 204 No Content\r\n\r\n"
        } else if line.contains("/bbbb") {
            "HTTP/1.1 304 Not Modified\r\n\r\n"
        } else if line.contains("/cccc") {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 31\r\n\r\n{\"message\":\"no such container\"}"
        } else {
            std::thread::sleep(Duration::from_secs(3));
            ""
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let facts = |digit: &str| ContainerFacts {
        engine: "docker".to_owned(),
        id: digit.repeat(64),
        name: "web".to_owned(),
        socket: door.place.clone(),
        ..ContainerFacts::default()
    };
    let time = Duration::from_secs(20);
    for digit in ["a", "b"] {
        assert!(stopped(&facts(digit), time).success);
    }
    let gone = stopped(&facts("c"), time);
    assert_eq!((gone.success, gone.message.as_str()), (false, "docker: no such container"));
    let deaf = stopped(&facts("d"), Duration::from_millis(100));
    assert!(!deaf.success && deaf.message.contains("forces it"), "{}", deaf.message);
}

#[test]
fn ports_are_asked_for_as_ranges() {
    assert_eq!(ranges(&[3002, 3000, 3001, 5432, 5432, 65535]), ["3000-3002", "5432", "65535"]);
    assert_eq!(percent_encoded("{\"a\":[\"1/tcp\"]}"), "%7B%22a%22%3A%5B%221%2Ftcp%22%5D%7D");
}

#[test]
fn an_interruption_ends_the_wait_for_a_container_at_once() {
    use std::os::fd::AsFd as _;
    let path = std::env::temp_dir().join(format!("proc-engine-stop-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let container = ContainerFacts {
        id: "0123456789abcdef".repeat(4),
        name: "web".to_owned(),
        engine: "docker".to_owned(),
        socket: path.to_str().unwrap().to_owned(),
        ..ContainerFacts::default()
    };
    // An engine that takes the question and stays silent; the person interrupts once it has it.
    let engine = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut some = [0; 4096];
        let read = stream.read(&mut some).unwrap();
        writer.write_all(b"x").unwrap();
        let asked = String::from_utf8_lossy(&some[..read]).into_owned();
        while stream.read(&mut some).is_ok_and(|read| read > 0) {}
        asked
    });
    let reach = Sockets { interrupt: Some(reader.as_fd()) };
    let ran = stop(&reach, &container, Duration::from_secs(600), |_| Ran::default());
    assert!(!ran.success);
    assert_eq!(ran.message, "interrupted; docker goes on stopping web all the same");
    assert!(engine.join().unwrap().starts_with("POST /containers/0123"));
    let _ = std::fs::remove_file(&path);
}
