//! One question over HTTP: does a server on this machine answer, and with what status. It asks
//! and tells; asking again until the answer suits, and saying so, is the callers' business.

mod head;
mod line;
mod status;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "http/no_tls.rs"]
mod tls;
mod url;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use head::{Head, MOST};
use line::{End, Line};

pub use head::{Head as ResponseHead, read as read_head};
pub use status::{StatusError, StatusSet};
pub use url::{HttpUrl, Scheme};

/// What a server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of the final response (RFC 9110 15), 100 to 999; never an interim one.
    pub status: u16,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Which of the addresses answered.
    pub address: SocketAddr,
}

/// Why there is no answer. Each sentence is about "the server" and holds no text of it but an
/// escaped start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens, on any of the addresses.
    #[error("nothing accepts connections")]
    Refused,
    /// No connection, for another reason.
    #[error("cannot connect: {0}")]
    Unreachable(std::io::ErrorKind),
    /// Time ran out before there was a connection: a full backlog, or a packet filter.
    #[error("no connection in time")]
    NotConnected,
    /// Time ran out before the TLS handshake was done.
    #[error("connected, but the TLS handshake was not done in time")]
    NoHandshake,
    /// Time ran out before the whole head of an answer had come.
    #[error("connected, but no answer came in time")]
    NoAnswer,
    /// The connection was closed or reset before the first byte.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The connection was closed or reset within the head of the answer.
    #[error("the server closed the connection in the middle of its answer")]
    Truncated,
    /// What came is no HTTP/1 response; its start, escaped to printable ASCII.
    #[error("the answer is not HTTP: `{0}`")]
    NotHttp(String),
    /// It speaks HTTP/2 and nothing older, as gRPC servers do.
    #[error("the server speaks HTTP/2 alone, as gRPC servers do; try --listening")]
    Http2,
    /// The head of the answer does not end within 64 KiB.
    #[error("the head of the answer is longer than 64 KiB")]
    HeadTooLong,
    /// It wants TLS, and was asked without.
    #[error("the server speaks TLS; ask it by https://")]
    SpeaksTls,
    /// It does not speak TLS, and was asked so; the start of what it said, escaped.
    #[error("the server does not speak TLS; ask it by http:// (it said `{0}`)")]
    NotTls(String),
    /// It serves only clients with a certificate of their own (mutual TLS).
    #[error("the server wants a client certificate; try --listening")]
    WantsCertificate,
    /// The TLS handshake failed, and how.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// TLS was asked for, and this build has none.
    #[error("this build of proc has no TLS; build it with the feature `tls`, or try --listening")]
    NoTlsHere,
    /// The caller said to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Asks once: `GET` over a connection of its own, never through a proxy, following no redirect
/// and checking no certificate (nothing secret is sent, and a local server's is self-signed).
/// Where the URL says no scheme, a server that turns out to want TLS is asked again over TLS.
///
/// Returns within `timeout`, and within about 50 ms (250 while connecting) of `go_on` saying no.
/// A server that closes first leaves no TIME-WAIT on its port where the system allows it.
///
/// # Errors
/// [`HttpError`] says why there is no answer.
pub fn get(
    url: &HttpUrl,
    timeout: Duration,
    go_on: &dyn Fn() -> bool,
) -> Result<Answer, HttpError> {
    // A deadline past the end of the clock is none that anybody sees.
    let now = Instant::now();
    let deadline = now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(1 << 30));
    let end = End { deadline, go_on };
    if url.scheme == Scheme::Https {
        return ask_by_tls(url, &end, timeout);
    }
    let plain = ask(url, line::connect(&url.addresses, &end)?, false);
    match plain {
        // Servers with OpenSSL under them, such as Node's, close at once and say nothing.
        Err(HttpError::SpeaksTls | HttpError::Closed)
            if url.scheme == Scheme::Unstated && tls::SPOKEN =>
        {
            match ask_by_tls(url, &end, GUESSED_HANDSHAKE) {
                Err(HttpError::Interrupted) => Err(HttpError::Interrupted),
                Err(wants @ HttpError::WantsCertificate) => Err(wants),
                Err(_) => plain,
                answer => answer,
            }
        }
        _ => plain,
    }
}

/// How long a handshake may take that is only tried to find out whether the server speaks TLS. A
/// plain one may take the hello for the start of a long line, and say nothing.
const GUESSED_HANDSHAKE: Duration = Duration::from_secs(1);

fn ask_by_tls(url: &HttpUrl, end: &End<'_>, handshake: Duration) -> Result<Answer, HttpError> {
    if !tls::SPOKEN {
        return Err(HttpError::NoTlsHere);
    }
    let line = line::connect(&url.addresses, end)?;
    line.end_within(handshake);
    let secured = tls::over(line, &url.host)?;
    secured.line().end_on_time();
    ask(url, secured, true)
}

/// A connection that bytes go over, plain or not.
trait Connection: Read + Write {
    /// The TCP connection under it.
    fn line(&self) -> &Line<'_>;

    /// Why it failed, where that is more than the system's error.
    fn explain(&self, error: &std::io::Error) -> Option<HttpError>;
}

impl Connection for Line<'_> {
    fn line(&self) -> &Line<'_> {
        self
    }

    fn explain(&self, _: &std::io::Error) -> Option<HttpError> {
        None
    }
}

fn ask(url: &HttpUrl, mut connection: impl Connection, tls: bool) -> Result<Answer, HttpError> {
    let mut bytes = Vec::with_capacity(1024);
    // A server may answer and close without reading: what it said is worth more than that the
    // request did not get through.
    let sent = connection.write_all(url.request(tls).as_bytes()).and_then(|()| connection.flush());
    if let Some(ended) = connection.line().ended() {
        return Err(ended.unwrap_or(HttpError::NoAnswer));
    }
    let status = read_status(&mut connection, &mut bytes, sent.as_ref().err())?;
    if status == 400 && !tls && refuses_plain(&mut connection, &mut bytes) {
        return Err(HttpError::SpeaksTls);
    }
    drain(&mut connection);
    Ok(Answer { status, tls, address: connection.line().peer() })
}

/// The status of the final response, read no further than its head.
fn read_status(
    connection: &mut impl Connection,
    bytes: &mut Vec<u8>,
    unsent: Option<&std::io::Error>,
) -> Result<u16, HttpError> {
    loop {
        let (error, more) = match read_some(connection, bytes) {
            Ok(more) => (unsent.filter(|_| !more), more),
            Err(ref error) => return Err(failure(connection, error, bytes)),
        };
        match head::read(bytes) {
            Head::Final { status, .. } => return Ok(status),
            Head::NotHttp => return Err(what_it_is(bytes)),
            Head::Incomplete if bytes.len() >= MOST => return Err(HttpError::HeadTooLong),
            Head::Incomplete if more => {}
            Head::Incomplete => {
                let explained = error.and_then(|error| connection.explain(error));
                return Err(explained.unwrap_or_else(|| closed(bytes)));
            }
        }
    }
}

/// Whether there was something before the end of the stream.
fn read_some(connection: &mut impl Read, bytes: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut some = [0; 4096];
    let room = some.len().min(MOST.saturating_sub(bytes.len()).max(1));
    let read = connection.read(&mut some[..room])?;
    bytes.extend_from_slice(&some[..read]);
    Ok(read > 0)
}

fn failure(connection: &impl Connection, error: &std::io::Error, bytes: &[u8]) -> HttpError {
    if let Some(ended) = connection.line().ended() {
        return ended.unwrap_or(HttpError::NoAnswer);
    }
    connection.explain(error).unwrap_or_else(|| closed(bytes))
}

fn closed(bytes: &[u8]) -> HttpError {
    if bytes.is_empty() { HttpError::Closed } else { HttpError::Truncated }
}

/// What the start of something that is no HTTP/1 shows.
fn what_it_is(bytes: &[u8]) -> HttpError {
    match bytes {
        // A TLS alert record (RFC 8446 5.1), to the request taken for a hello.
        [0x15, 3, 0..=4, ..] => HttpError::SpeaksTls,
        // A SETTINGS or GOAWAY frame on stream 0 (RFC 9113 4.1): how HTTP/2 begins, or ends.
        [0, 0, _, 4 | 7, _, 0, 0, 0, 0, ..] => HttpError::Http2,
        _ => HttpError::NotHttp(start(bytes)),
    }
}

/// The start of what a server said, in printable ASCII.
fn start(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let more = if bytes.len() > SHOWN { "..." } else { "" };
    format!("{}{more}", bytes[..bytes.len().min(SHOWN)].escape_ascii())
}

/// How long the rest of an answer may take whose status is known.
const REST: Duration = Duration::from_millis(100);

/// Whether a 400 is what nginx, Apache, Go and their kin say to plain HTTP on a port for TLS.
/// The sentence is in the body, at most some KiB.
fn refuses_plain(connection: &mut impl Connection, bytes: &mut Vec<u8>) -> bool {
    const PHRASES: [&[u8]; 3] = [
        b"plain HTTP request was sent to HTTPS port",
        b"speaking plain HTTP to an SSL-enabled server",
        b"sent an HTTP request to an HTTPS server",
    ];
    connection.line().end_within(REST);
    loop {
        if PHRASES.iter().any(|phrase| bytes.windows(phrase.len()).any(|part| part == *phrase)) {
            return true;
        }
        if bytes.len() >= MOST.min(16 * 1024) || !read_some(connection, bytes).unwrap_or(false) {
            return false;
        }
    }
}

/// Takes what else comes, for a moment: a server that can finish its answer logs no broken
/// connection.
fn drain(connection: &mut impl Connection) {
    const MOST_DRAINED: u64 = 256 * 1024;
    connection.line().end_within(REST);
    let _ = std::io::copy(&mut connection.take(MOST_DRAINED), &mut std::io::sink());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_http_is_recognised() {
        for (bytes, want) in [
            (&b"\x15\x03\x01\x00\x02\x02\x46"[..], HttpError::SpeaksTls),
            (b"\0\0\x12\x04\0\0\0\0\0\0\x03", HttpError::Http2),
            (b"\0\0\x08\x07\0\0\0\0\0", HttpError::Http2),
            (b"SSH-2.0-OpenSSH_9.2\r\n", HttpError::NotHttp("SSH-2.0-OpenSSH_9.2\\r\\n".into())),
            (b"\x1b[2J\xff", HttpError::NotHttp("\\x1b[2J\\xff".into())),
        ] {
            assert_eq!(what_it_is(bytes), want, "{bytes:?}");
        }
        let HttpError::NotHttp(start) = what_it_is(&[b'\x1b'; 1000]) else { panic!() };
        assert!(start.len() <= 40 * 4 + 3 && start.is_ascii());
    }
}
