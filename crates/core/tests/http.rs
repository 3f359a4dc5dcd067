//! `proc_core::http` against servers that behave in every way a server can, each a thread with a
//! socket on port 0. TLS is in `https.rs`.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use proc_core::http::{Answer, HttpError, HttpUrl, get};
use proc_core::target::{Target, parse};

/// Long enough that no test meets it that should not.
const AMPLE: Duration = Duration::from_secs(30);
/// Short enough to wait for.
const BRIEF: Duration = Duration::from_millis(400);

fn url(word: &str) -> HttpUrl {
    let Ok(Target::Port(endpoint)) = parse(word) else { panic!("{word}") };
    HttpUrl::new(word, &endpoint, None).unwrap()
}

fn ask(word: &str, timeout: Duration) -> Result<Answer, HttpError> {
    get(&url(word), timeout, &|| true)
}

fn status(word: &str) -> Result<u16, HttpError> {
    ask(word, AMPLE).map(|answer| answer.status)
}

/// A server on 127.0.0.1 that does `serve` with each connection.
fn server(mut serve: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(&mut serve));
    address.to_string()
}

/// A server that reads a request, says that and closes.
fn says(answer: impl Into<Vec<u8>>) -> String {
    let answer = answer.into();
    server(move |mut stream| {
        request(&mut stream);
        let _ = stream.write_all(&answer);
    })
}

fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut some) = (Vec::new(), [0; 1024]);
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut some) {
            Ok(read) if read > 0 => text.extend_from_slice(&some[..read]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Keeps the stream open until the other end closes it.
fn hold(mut stream: &TcpStream) {
    while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
}

#[test]
fn every_status_is_an_answer() {
    for code in [200, 204, 301, 401, 404, 429, 500, 502, 503, 999] {
        let server = says(format!("HTTP/1.1 {code} So\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(status(&server), Ok(code));
    }
    assert_eq!(status(&says("HTTP/1.0 200 OK\n\n")), Ok(200));
}

#[test]
fn the_answer_says_who_gave_it() {
    let server = says("HTTP/1.1 200 OK\r\n\r\n");
    let address: SocketAddr = server.parse().unwrap();
    assert_eq!(ask(&server, AMPLE), Ok(Answer { status: 200, tls: false, address }));
}

#[test]
fn interim_responses_are_passed_over() {
    let server = says(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
         HTTP/1.1 404 Not Found\r\n\r\n",
    );
    assert_eq!(status(&server), Ok(404));
}

#[test]
fn a_redirect_is_not_followed() {
    let (elsewhere, asked) = (Box::leak(Box::new(AtomicBool::new(false))), channel::<()>());
    let elsewhere: &'static AtomicBool = elsewhere;
    let other = server(move |_| elsewhere.store(true, Ordering::SeqCst));
    let (tell, told) = asked;
    let first = server(move |mut stream| {
        request(&mut stream);
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: http://{other}/\r\n\r\n");
        let _ = tell.send(());
    });
    assert_eq!(status(&first), Ok(302));
    told.recv_timeout(AMPLE).unwrap();
    assert!(told.try_recv().is_err(), "asked twice");
    assert!(!elsewhere.load(Ordering::SeqCst));
}

fn recording() -> (String, Receiver<String>) {
    let (tell, told) = channel();
    let server = server(move |mut stream| {
        let _ = tell.send(request(&mut stream));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
    });
    (server, told)
}

#[test]
fn the_request_is_as_the_standard_has_it() {
    let (server, told) = recording();
    let port = server.parse::<SocketAddr>().unwrap().port();
    let url = url(&format!("http://user:secret@shop.localhost:{port}/a?b=c#d"));
    assert_eq!(get(&url, AMPLE, &|| true).unwrap().status, 200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        told.recv_timeout(AMPLE).unwrap(),
        format!(
            "GET /a?b=c HTTP/1.1\r\nHost: shop.localhost:{port}\r\nUser-Agent: proc/{version}\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n"
        )
    );
}

#[test]
fn nobody_listening_is_refused() {
    let port = proc_testkit::free_port();
    assert_eq!(status(&format!("127.0.0.1:{port}")), Err(HttpError::Refused));
    assert_eq!(status(&format!(":{port}")), Err(HttpError::Refused));
}

#[test]
fn a_port_alone_is_tried_on_both_loopbacks() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        }
    });
    let answer = ask(&format!(":{}", address.port()), AMPLE).unwrap();
    assert_eq!(answer.address, address);
}

#[test]
fn silence_is_no_answer() {
    // Accepted, read and left; and not even accepted, which the kernel does in its stead.
    let reads = server(|stream| hold(&stream));
    assert_eq!(ask(&reads, BRIEF), Err(HttpError::NoAnswer));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_eq!(ask(&address, BRIEF), Err(HttpError::NoAnswer));
}

#[test]
fn slow_bytes_do_not_outlive_the_deadline() {
    let server = server(|mut stream| {
        let mut answer = b"HTTP/1.1 200 OK\r\nX: ".iter().copied().chain(std::iter::repeat(b'x'));
        while stream.write_all(&[answer.next().unwrap()]).is_ok() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(5)));
            let _ = stream.read(&mut [0; 512]);
        }
    });
    assert_eq!(ask(&server, BRIEF), Err(HttpError::NoAnswer));
}

#[test]
fn a_slow_answer_in_time_is_one() {
    let server = server(|mut stream| {
        for byte in b"HTTP/1.1 204 No\r\n\r\n" {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(2)));
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(&[*byte]);
        }
    });
    assert_eq!(status(&server), Ok(204));
}

#[test]
fn closing_early_is_told_by_when() {
    let at_once = server(|mut stream| drop(request(&mut stream)));
    assert_eq!(status(&format!("http://{at_once}")), Err(HttpError::Closed));
    // Perhaps TLS, then; it takes the hello for the start of a line, and that is not waited for.
    assert_eq!(status(&at_once), Err(HttpError::Closed));
    assert_eq!(status(&says("HTTP/1.1 200 OK\r\nA: b\r\n")), Err(HttpError::Truncated));
    assert_eq!(status(&says("HTT")), Err(HttpError::Truncated));
    // With the request unread, closing is a reset.
    let reset = server(drop);
    assert_eq!(status(&reset), Err(HttpError::Closed));
}

#[test]
fn other_protocols_are_named_or_shown() {
    let ssh = says("SSH-2.0-OpenSSH_9.2\r\n");
    assert_eq!(status(&ssh), Err(HttpError::NotHttp("SSH-2.0-OpenSSH_9.2\\r\\n".into())));
    let http_0_9 = says("<html>\x1b[2J");
    assert_eq!(status(&http_0_9), Err(HttpError::NotHttp("<html>\\x1b[2J".into())));
    let http_2 = says(*b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64");
    assert_eq!(status(&http_2), Err(HttpError::Http2));
    // It speaks first and waits: what it is, is known without the deadline.
    let mysql = server(|mut stream| {
        let _ = stream.write_all(b"\x4a\0\0\0\x0a8.0.36\0");
        hold(&stream);
    });
    assert!(matches!(status(&mysql), Err(HttpError::NotHttp(_))));
}

#[test]
fn plain_http_to_a_tls_port_is_recognised() {
    for answer in [
        &b"\x15\x03\x03\0\x02\x02\x46"[..],
        b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html><center>\
          The plain HTTP request was sent to HTTPS port</center>",
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<p>Reason: You're speaking plain HTTP to an SSL-enabled \
          server port.<br />",
    ] {
        let server = says(answer);
        // Said plainly, it is said; left open, TLS is tried, fails here, and the same is said.
        assert_eq!(status(&format!("http://{server}")), Err(HttpError::SpeaksTls));
        assert_eq!(status(&server), Err(HttpError::SpeaksTls));
    }
    let plain = says("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
    assert_eq!(status(&plain), Ok(400));
}

#[test]
fn a_head_without_end_is_given_up() {
    let server = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_eq!(status(&server), Err(HttpError::HeadTooLong));
}

#[test]
fn a_body_without_end_keeps_nobody() {
    let server = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    assert_eq!(status(&server), Ok(200));
    let silent = self::server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        hold(&stream);
    });
    assert_eq!(status(&silent), Ok(200));
}

#[test]
fn it_ends_when_the_caller_says_so() {
    let (tell, told) = channel();
    let server = server(move |stream| {
        let _ = tell.send(());
        hold(&stream);
    });
    let start = Instant::now();
    let result = get(&url(&server), Duration::from_secs(600), &|| told.try_recv().is_err());
    assert_eq!(result, Err(HttpError::Interrupted));
    assert!(start.elapsed() < Duration::from_secs(300), "only the deadline ended it");
    assert_eq!(get(&url(&server), AMPLE, &|| false), Err(HttpError::Interrupted));
}

#[test]
fn no_time_at_all_is_no_connection() {
    let server = says("HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(ask(&server, Duration::ZERO), Err(HttpError::NotConnected));
    assert_eq!(ask(&server, Duration::MAX).map(|answer| answer.status), Ok(200));
}

#[test]
fn the_environment_s_proxy_is_not_asked() {
    // Nothing in the client reads it; this holds that so where a proxy is set for all.
    const CHILD: &str = "PROC_TEST_HTTP_SERVER";
    if let Ok(server) = std::env::var(CHILD) {
        assert_eq!(status(&server), Ok(200));
        return;
    }
    let server = says("HTTP/1.1 200 OK\r\n\r\n");
    let proxy = format!("http://127.0.0.1:{}", proc_testkit::free_port());
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_environment_s_proxy_is_not_asked"])
        .envs(["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"].map(|name| (name, &proxy)))
        .env(CHILD, &server)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// The server closes first, as HTTP/1.0 servers do, and can have its port again at once.
#[cfg(target_os = "linux")]
#[test]
fn no_time_wait_is_left_on_the_server_s_port() {
    use proc_core::addr::Transport;
    use proc_core::bind::BindResult;
    use proc_core::host::{Host, LiveHost};

    let (tell, told) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello");
        }
        drop(listener);
        let _ = tell.send(());
    });
    for _ in 0..3 {
        assert_eq!(status(&address.to_string()), Ok(200));
    }
    told.recv_timeout(AMPLE).unwrap();
    let free = || LiveHost::default().probe(Transport::Tcp, address) == BindResult::Ok;
    // Well below the minute that a TIME-WAIT stays.
    assert!(proc_testkit::wait_until(Duration::from_secs(5), free));
}

/// With one ephemeral port and no listener on it, the kernel connects a client to itself.
#[cfg(target_os = "linux")]
#[test]
fn a_connection_to_itself_is_nobody_s_answer() {
    const ROOM: &str = "PROC_TEST_HTTP_ROOM";
    if std::env::var_os(ROOM).is_some() {
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000").unwrap();
        let itself = TcpStream::connect("127.0.0.1:40000").unwrap();
        assert_eq!(itself.local_addr().unwrap(), itself.peer_addr().unwrap());
        drop(itself);
        // What that left is in TIME-WAIT with itself; the next one has another address.
        assert_eq!(status("127.0.0.2:40000"), Err(HttpError::Refused));
        TcpListener::bind("127.0.0.2:40000").unwrap();
        return;
    }
    if !proc_testkit::is_root() {
        return proc_testkit::skip("a network namespace needs root");
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_connection_to_itself_is_nobody_s_answer"]).env(ROOM, "1");
    let run = proc_testkit::in_namespaces(&command).output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}{}", String::from_utf8_lossy(&run.stderr));
    assert!(told.contains("1 passed"), "{told}");
}
