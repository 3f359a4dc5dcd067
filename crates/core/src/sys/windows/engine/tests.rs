//! Engines that are threads with a pipe of their own: what they say, half say, and never say.

#![allow(clippy::disallowed_methods, reason = "an engine that takes its time sleeps")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use windows_sys::Win32::Storage::FileSystem::PIPE_ACCESS_DUPLEX;
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, DisconnectNamedPipe, PIPE_TYPE_BYTE, PIPE_WAIT,
};

use super::*;
use crate::engine::EngineWish;
use crate::host::MANAGER_LIMIT;
use crate::snapshot::{Gap, Silence};
use crate::sys::engine::ask_one;

const RUNNING: &str = include_str!("../../../../tests/engines/docker-inspect-running.json");
const LIST: &str = include_str!("../../../../tests/engines/docker-list-published.json");

/// One instance of a pipe, whose client is served by a thread.
struct Server(Handle);

impl Server {
    fn read(&self) -> String {
        let mut bytes = [0_u8; 4096];
        let mut count = 0;
        let to = bytes.as_mut_ptr();
        // SAFETY: the buffer and the number are ours; without OVERLAPPED it waits.
        unsafe { ReadFile(self.0.raw(), to, 4096, &raw mut count, std::ptr::null_mut()) };
        String::from_utf8_lossy(&bytes[..count as usize]).into_owned()
    }

    fn write(&self, text: &[u8]) -> bool {
        let mut count = 0;
        let length = u32::try_from(text.len()).unwrap();
        let from = text.as_ptr();
        // SAFETY: the text has that length; without OVERLAPPED it waits.
        let done =
            unsafe { WriteFile(self.0.raw(), from, length, &raw mut count, std::ptr::null_mut()) };
        done != 0
    }
}

/// A pipe that nobody has yet.
fn unused() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(r"\\.\pipe\proc-engine-{}-{number}", std::process::id())
}

fn instance(place: &str) -> Server {
    let name = wide(place);
    // SAFETY: the name ends in a zero; no attributes.
    let raw = unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX,
            PIPE_TYPE_BYTE | PIPE_WAIT,
            8,
            65_536,
            65_536,
            0,
            std::ptr::null(),
        )
    };
    Server(Handle::new(raw).expect("a pipe of our own"))
}

/// Serves each connection by what `reply` makes of the request's first line, for as long as the test
/// runs.
fn serve(place: &str, reply: impl Fn(&str, &Server) + Send + 'static) {
    let (place, first) = (place.to_owned(), instance(place));
    std::thread::spawn(move || {
        let mut server = first;
        loop {
            // SAFETY: the handle is open; without OVERLAPPED it waits. Who came before is there too.
            unsafe { ConnectNamedPipe(server.0.raw(), std::ptr::null_mut()) };
            let next = instance(&place);
            let request = server.read();
            // Who only looked whose the pipe is says nothing.
            if !request.is_empty() {
                reply(request.lines().next().unwrap_or_default(), &server);
            }
            // What was written is read all the same: nothing is thrown away before the last handle goes.
            server = next;
        }
    });
}

fn door(place: &str) -> Door {
    Door::new(place.to_owned(), &pipe_address(place), false)
}

fn ask(place: &str, wish: &EngineWish) -> EngineAnswer {
    ask_one(&Pipes::default(), &door(place), wish, Instant::now() + 10 * MANAGER_LIMIT)
}

fn about(id: &str) -> EngineWish {
    EngineWish { ids: vec![id.to_owned()], ..EngineWish::default() }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// What one engine that says these bytes is taken for.
fn gap_of(said: impl Fn(&Server) + Send + 'static) -> Option<Silence> {
    let place = unused();
    serve(&place, move |_, server| said(server));
    let answer = ask(&place, &about("abcdef"));
    assert_eq!(answer.containers, []);
    match answer.gaps.as_slice() {
        [] => None,
        [Gap::Manager { why, .. }] => Some(*why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_publishes_a_port_is_found_over_a_pipe() {
    let place = unused();
    serve(&place, |line, server| {
        let answer = if line.contains("publish") {
            ok(LIST)
        } else if line.contains("status") {
            ok("[]")
        } else {
            ok(RUNNING)
        };
        assert!(server.write(answer.as_bytes()));
    });
    let answer = ask(&place, &EngineWish { ports: vec![5432], ..EngineWish::default() });
    assert_eq!(answer.gaps, []);
    let facts = &answer.containers[0];
    assert_eq!((facts.name.as_str(), facts.socket.as_str()), ("shop-db-1", place.as_str()));
    let address = place.replace('\\', "/");
    assert_eq!(facts.stop().unwrap()[..3], ["docker", "-H", &format!("npipe://{address}")[..]]);
}

#[test]
fn the_server_of_a_pipe_is_this_users() {
    let place = unused();
    serve(&place, |_, _| {});
    let pipe = open(&place, None, Instant::now() + MANAGER_LIMIT * 10).unwrap();
    let (own, _, elevated) = process::asker();
    assert!(own.is_some());
    assert_eq!(whose(&pipe), Ok(own.filter(|_| !elevated)));
}

/// A server that would act as whoever asks gets a token that only tells who that is.
#[test]
fn a_server_cannot_act_as_whoever_asks() {
    use windows_sys::Win32::Security::{
        GetTokenInformation, RevertToSelf, SecurityIdentification, TOKEN_QUERY,
        TokenImpersonationLevel,
    };
    use windows_sys::Win32::System::Pipes::ImpersonateNamedPipeClient;
    use windows_sys::Win32::System::Threading::{GetCurrentThread, OpenThreadToken};
    if super::super::library::is_wine() {
        eprintln!("SKIPPED: Wine lets every server act as its clients, whatever they ask for");
        return;
    }
    let place = unused();
    let (tell, told) = mpsc::channel();
    serve(&place, move |_, server| {
        // SAFETY: the handle is open, and its client has written something.
        let done = unsafe { ImpersonateNamedPipeClient(server.0.raw()) };
        let mut raw = std::ptr::null_mut();
        // SAFETY: it takes nothing; the handle stands for this thread and need not be closed.
        let thread = unsafe { GetCurrentThread() };
        // SAFETY: `raw` is ours.
        unsafe { OpenThreadToken(thread, TOKEN_QUERY, 1, &raw mut raw) };
        let mut level = -1_i32;
        let mut size = 0;
        if let Some(token) = Handle::new(raw) {
            let (token, to) = (token.raw(), (&raw mut level).cast());
            // SAFETY: the number is ours and has four bytes.
            unsafe { GetTokenInformation(token, TokenImpersonationLevel, to, 4, &raw mut size) };
        }
        // SAFETY: it takes nothing.
        unsafe { RevertToSelf() };
        tell.send((done, level)).unwrap();
        assert!(server.write(ok(RUNNING).as_bytes()));
    });
    ask(&place, &about("abcdef"));
    let (done, level) = told.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!((done, level), (1, SecurityIdentification));
}

#[test]
fn a_pipe_that_nobody_serves_is_no_gap() {
    assert_eq!(ask(&unused(), &about("abcdef")), EngineAnswer::default());
}

#[test]
fn an_engine_that_is_stuck_costs_the_limit_and_no_more() {
    let began = Instant::now();
    let why = gap_of(|_| std::thread::sleep(Duration::from_secs(60)));
    assert_eq!(why, Some(Silence::Late));
    assert!(began.elapsed() < Duration::from_secs(30));
    // A byte now and then keeps nobody waiting either: the whole answer would take half an hour.
    let why = gap_of(|server| {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n".iter().cycle() {
            if !server.write(&[*byte]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(why, Some(Silence::Late));
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_pipe_whose_instances_are_all_taken_is_no_hang() {
    let place = unused();
    let _server = instance(&place);
    let _taken = open(&place, None, Instant::now() + MANAGER_LIMIT * 10).unwrap();
    let answer = ask(&place, &about("abcdef"));
    assert!(matches!(answer.gaps[..], [Gap::Manager { why: Silence::Late, .. }]), "{answer:?}");
}

#[test]
fn what_is_no_answer_is_a_gap() {
    let garbled = Some(Silence::Garbled);
    assert_eq!(gap_of(|server| assert!(server.write(b"\xff\0 hello\r\n"))), garbled);
    assert_eq!(gap_of(|_| {}), garbled, "hung up without a word");
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}";
    assert_eq!(gap_of(move |server| assert!(server.write(half))), garbled, "half an answer");
    let without_end = gap_of(|server| {
        server.write(b"HTTP/1.1 200 OK\r\n\r\n");
        let chunk = vec![b' '; 1 << 20];
        while server.write(&chunk) {}
    });
    assert!(matches!(without_end, Some(Silence::Garbled | Silence::Late)), "{without_end:?}");
}

#[test]
fn a_container_is_stopped_over_a_pipe() {
    let place = unused();
    serve(&place, |line, server| {
        let answer = match line {
            line if !line.starts_with("POST ") => "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n",
            line if line.contains("/aaaa") => "HTTP/1.1 204 No Content\r\n\r\n",
            _ => {
                // SAFETY: the handle is open.
                unsafe { DisconnectNamedPipe(server.0.raw()) };
                return;
            }
        };
        assert!(server.write(answer.as_bytes()));
    });
    let facts = |digit: &str| ContainerFacts {
        engine: "docker".to_owned(),
        id: digit.repeat(64),
        name: "web".to_owned(),
        socket: place.clone(),
        ..ContainerFacts::default()
    };
    let time = Duration::from_secs(20);
    assert!(stop(&facts("a"), None, time).success);
    let gone = stop(&facts("b"), None, time);
    assert!(!gone.success && gone.message.contains("not understood"), "{}", gone.message);
}
