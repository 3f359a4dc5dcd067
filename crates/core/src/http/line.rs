//! A TCP connection on which nothing waits past a deadline, or past the caller's patience.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::HttpError;
use crate::sys;

/// How long a read or write goes on before the caller is asked again.
const SLICE: Duration = Duration::from_millis(50);
/// The same for connecting, where each slice is a new attempt. To an address of this machine the
/// kernel connects at once or, with a full backlog, when the server takes somebody from it.
const CONNECT_SLICE: Duration = Duration::from_millis(250);

/// When to end.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    /// At the latest then.
    pub deadline: Instant,
    /// Whether to go on until then.
    pub go_on: &'a dyn Fn() -> bool,
}

impl End<'_> {
    /// How long the next slice may be, or why there is none: `Err(None)` for the deadline.
    fn slice(&self, deadline: Instant, longest: Duration) -> Result<Duration, Option<HttpError>> {
        if !(self.go_on)() {
            return Err(Some(HttpError::Interrupted));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout of zero would be none at all (`TcpStream::set_read_timeout`).
        if left.is_zero() { Err(None) } else { Ok(left.min(longest).max(Duration::from_millis(1))) }
    }
}

/// Connects to the first of the addresses that takes it.
pub(super) fn connect<'a>(addresses: &[SocketAddr], end: &End<'a>) -> Result<Line<'a>, HttpError> {
    let mut why = None;
    for address in addresses {
        match connect_to(*address, end) {
            Ok(line) => return Ok(line),
            Err(error @ (HttpError::NotConnected | HttpError::Interrupted)) => return Err(error),
            // A machine without IPv6 says so of `::1`: what counts is that 127.0.0.1 refuses.
            Err(error) if why.is_none() || error == HttpError::Refused => why = Some(error),
            Err(_) => {}
        }
    }
    Err(why.unwrap_or(HttpError::Refused))
}

fn connect_to<'a>(address: SocketAddr, end: &End<'a>) -> Result<Line<'a>, HttpError> {
    loop {
        let slice = end
            .slice(end.deadline, CONNECT_SLICE)
            .map_err(|why| why.unwrap_or(HttpError::NotConnected))?;
        match TcpStream::connect_timeout(&address, slice) {
            // With no listener the kernel may draw the very port for the client's end, and
            // connect it to itself (RFC 9293 3.5). Gone at once, and nobody's answer.
            Ok(stream) if stream.local_addr().ok() == Some(address) => {
                sys::close_without_remains(stream);
                return Err(HttpError::Refused);
            }
            Ok(stream) => return Ok(Line::new(stream, address, *end)),
            Err(error) => match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                ErrorKind::ConnectionRefused => return Err(HttpError::Refused),
                kind => return Err(HttpError::Unreachable(kind)),
            },
        }
    }
}

/// An open connection.
pub(super) struct Line<'a> {
    /// Open until dropped.
    stream: Option<TcpStream>,
    peer: SocketAddr,
    end: End<'a>,
    /// The deadline, which may be brought forward.
    deadline: Cell<Instant>,
    /// Why reading or writing ended, if not for the peer's sake; `Some(None)` for the deadline.
    ended: Cell<Option<Option<HttpError>>>,
    /// The first bytes that came, for telling what the peer speaks.
    first: Vec<u8>,
}

impl<'a> Line<'a> {
    fn new(stream: TcpStream, peer: SocketAddr, end: End<'a>) -> Self {
        // A request is one write; nothing is gained by holding back its last segment.
        let _ = stream.set_nodelay(true);
        let (deadline, ended) = (Cell::new(end.deadline), Cell::new(None));
        Self { stream: Some(stream), peer, end, deadline, ended, first: Vec::new() }
    }

    /// Whom it leads to.
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The first bytes that the peer said, at most 64.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "TLS alone asks"))]
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    /// Brings the deadline forward, if it is further away than that.
    pub(super) fn end_within(&self, time: Duration) {
        let earlier = Instant::now().checked_add(time).unwrap_or(self.end.deadline);
        self.deadline.set(self.end.deadline.min(earlier));
    }

    /// Makes the deadline what it was at first.
    pub(super) fn end_on_time(&self) {
        self.deadline.set(self.end.deadline);
    }

    /// Why an error was no doing of the peer: `Some(None)` for the deadline.
    pub(super) fn ended(&self) -> Option<Option<HttpError>> {
        let ended = self.ended.take();
        self.ended.set(ended.clone());
        ended
    }

    fn transfer(
        &self,
        limit: impl Fn(&TcpStream, Duration) -> std::io::Result<()>,
        mut attempt: impl FnMut(&TcpStream) -> std::io::Result<usize>,
    ) -> std::io::Result<usize> {
        let stream = self.stream.as_ref().ok_or(ErrorKind::NotConnected)?;
        loop {
            match self.end.slice(self.deadline.get(), SLICE) {
                Ok(slice) => limit(stream, slice)?,
                Err(why) => {
                    self.ended.set(Some(why));
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            match attempt(stream) {
                Err(error) if is_slice_over(error.kind()) => {}
                other => return other,
            }
        }
    }
}

/// A timed-out read is `WouldBlock` on Unix and `TimedOut` on Windows.
fn is_slice_over(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl Read for Line<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.transfer(
            |stream, slice| stream.set_read_timeout(Some(slice)),
            |mut stream| stream.read(buffer),
        )?;
        let wanted = 64_usize.saturating_sub(self.first.len()).min(read);
        self.first.extend_from_slice(&buffer[..wanted]);
        Ok(read)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.transfer(
            |stream, slice| stream.set_write_timeout(Some(slice)),
            |mut stream| stream.write(buffer),
        )
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whoever closes first is left with a TIME-WAIT on its own port, and here that is the server,
/// which may want its port again soon. A reset leaves none.
impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            sys::close_without_remains(stream);
        }
    }
}
