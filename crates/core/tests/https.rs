//! `proc_core::http` over TLS, against `openssl s_server` with a certificate made here that
//! nobody vouches for.

#![cfg(all(target_os = "linux", feature = "tls"))]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proc_core::http::{HttpError, HttpUrl, get};
use proc_core::target::{Target, parse};

const AMPLE: Duration = Duration::from_secs(30);

fn ask(word: &str, timeout: Duration) -> Result<(u16, bool), HttpError> {
    let Ok(Target::Port(endpoint)) = parse(word) else { panic!("{word}") };
    let url = HttpUrl::new(word, &endpoint, None).unwrap();
    get(&url, timeout, &|| true).map(|answer| (answer.status, answer.tls))
}

/// A key and a certificate for it in a directory of their own.
struct Certificate(PathBuf);

impl Certificate {
    /// One with that kind of key (`openssl req -newkey`); `None`, said aloud, without openssl.
    fn new(key: &[&str]) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("proc-https-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let made = Self(directory);
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=nobody", "-newkey"]);
        command.args(key).arg("-keyout").arg(made.key()).arg("-out").arg(made.certificate());
        match command.output() {
            Ok(ran) => assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr)),
            Err(error) => {
                proc_testkit::skip(&format!("openssl does not run: {error}"));
                return None;
            }
        }
        Some(made)
    }

    fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("certificate.pem")
    }

    fn serve(&self, options: &str) -> Server {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-key"]).arg(self.key());
        command.arg("-cert").arg(self.certificate());
        for option in options.split_whitespace() {
            match option {
                "KEY" => command.arg(self.key()),
                "CERTIFICATE" => command.arg(self.certificate()),
                _ => command.arg(option),
            };
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // ACCEPT 127.0.0.1:PORT
        while !line.starts_with("ACCEPT ") {
            line.clear();
            if lines.read_line(&mut line).unwrap() == 0 {
                let mut error = String::new();
                child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
                panic!("openssl s_server {options}: {error}");
            }
        }
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        // Whatever else it says is nobody's business, but must not fill a pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let mut errors = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Server { child, port }
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An `openssl s_server`, ended with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn ask(&self) -> Result<(u16, bool), HttpError> {
        ask(&format!("https://localhost:{}", self.port), AMPLE)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const RSA: &[&str] = &["rsa:2048"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const P384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"];

#[test]
fn both_versions_every_suite_and_group() {
    let Some(rsa) = Certificate::new(RSA) else { return };
    for options in [
        "-tls1_3",
        "-tls1_2",
        "-tls1_3 -groups X25519",
        "-tls1_3 -groups P-256",
        "-tls1_2 -groups P-256",
        "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256",
        "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384",
        "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256",
        "-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384",
        "-alpn http/1.1",
        "-alpn h2,http/1.1",
    ] {
        assert_eq!(rsa.serve(options).ask(), Ok((200, true)), "{options}");
    }
}

#[test]
fn certificates_with_every_usual_key() {
    for (key, version) in [
        (P256, "-tls1_3"),
        (P256, "-tls1_2"),
        (&["ed25519"][..], "-tls1_3"),
        (&["ed25519"], "-tls1_2"),
        // Up to TLS 1.2 a certificate may use no curve that keys are not exchanged over.
        (P384, "-tls1_3"),
    ] {
        let Some(certificate) = Certificate::new(key) else { return };
        assert_eq!(certificate.serve(version).ask(), Ok((200, true)), "{key:?} {version}");
    }
    let Some(ecdsa) = Certificate::new(P256) else { return };
    for cipher in ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"] {
        let server = ecdsa.serve(&format!("-tls1_2 -cipher {cipher}"));
        assert_eq!(server.ask(), Ok((200, true)), "{cipher}");
    }
}

#[test]
fn no_suite_in_common_is_a_failed_handshake() {
    let Some(rsa) = Certificate::new(RSA) else { return };
    let server = rsa.serve("-tls1_2 -cipher ECDHE-RSA-AES256-SHA");
    let Err(HttpError::Tls(why)) = server.ask() else { panic!("{:?}", server.ask()) };
    assert!(why.contains("HandshakeFailure"), "{why}");
}

#[test]
fn http_2_alone_is_named() {
    let Some(rsa) = Certificate::new(RSA) else { return };
    assert_eq!(rsa.serve("-alpn h2").ask(), Err(HttpError::Http2));
}

#[test]
fn the_name_is_sent_and_an_address_is_not() {
    let Some(rsa) = Certificate::new(RSA) else { return };
    let options = "-servername shop.localhost -servername_fatal -key2 KEY -cert2 CERTIFICATE";
    let server = rsa.serve(options);
    let at = |host: &str| ask(&format!("https://{host}:{}", server.port), AMPLE);
    assert_eq!(at("shop.localhost"), Ok((200, true)));
    let Err(HttpError::Tls(why)) = at("localhost") else { panic!("{:?}", at("localhost")) };
    assert!(why.contains("UnrecognisedName"), "{why}");
    // RFC 6066 3: an address is no name, and none is sent; this server does not insist.
    assert_eq!(at("127.0.0.1"), Ok((200, true)));
}

#[test]
fn a_client_certificate_that_is_wanted_is_named() {
    let Some(rsa) = Certificate::new(RSA) else { return };
    for version in ["-tls1_3", "-tls1_2"] {
        let must = rsa.serve(&format!("{version} -Verify 1"));
        assert_eq!(must.ask(), Err(HttpError::WantsCertificate), "{version}");
        let unstated = ask(&format!("127.0.0.1:{}", must.port), AMPLE);
        assert_eq!(unstated, Err(HttpError::WantsCertificate), "{version}");
        let may = rsa.serve(&format!("{version} -verify 1"));
        assert_eq!(may.ask(), Ok((200, true)), "{version}");
    }
}

#[test]
fn plain_is_asked_first_and_tls_where_it_is_wanted() {
    let Some(rsa) = Certificate::new(RSA) else { return };
    let server = rsa.serve("");
    let port = server.port;
    assert_eq!(ask(&format!(":{port}"), AMPLE), Ok((200, true)));
    // OpenSSL says nothing to plain HTTP: it closes.
    assert_eq!(ask(&format!("http://localhost:{port}"), AMPLE), Err(HttpError::Closed));
}

/// A server that does that with a connection.
fn server(serve: fn(std::net::TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    format!("https://{address}")
}

#[test]
fn tls_to_a_plain_server_is_recognised() {
    let plain = server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let said = "HTTP/1.1 400 Bad Request\\r\\n\\r\\n".to_owned();
    assert_eq!(ask(&plain, AMPLE), Err(HttpError::NotTls(said)));
}

#[test]
fn a_handshake_that_goes_nowhere_ends() {
    let silent = server(|mut stream| while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {});
    assert_eq!(ask(&silent, Duration::from_millis(400)), Err(HttpError::NoHandshake));
    let closing = server(|mut stream| drop(stream.read(&mut [0; 4096])));
    assert_eq!(ask(&closing, AMPLE), Err(HttpError::Closed));
    let garbage = server(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[0x16, 3, 3, 0, 4, 99, 99, 99, 99]);
        while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
    });
    assert!(matches!(ask(&garbage, AMPLE), Err(HttpError::Tls(_))), "{:?}", ask(&garbage, AMPLE));
}
