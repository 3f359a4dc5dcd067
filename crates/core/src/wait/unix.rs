//! Waiting for unix sockets: until nothing is in the way of a bind, or until somebody serves one.
//! No kernel tells of either, so a path is looked at by `stat`, which costs a microsecond, and the
//! table of unix sockets is read where that leaves a question.

use std::io::ErrorKind;
use std::time::Duration;

use super::{Eye, Step, Wish};
use crate::host::{Host, Pinned};
use crate::look::{LookOptions, empty_report, look};
use crate::report::TargetReport;
use crate::snapshot::{Scope, Snapshot, SocketScope};
use crate::socket::{Socket, TcpState};
use crate::target::Target;

/// A look may take at most one part in this many of the time.
const SHARE: u32 = 50;
/// Between two connections that are tried to a file whose server cannot be seen.
const RARELY: Duration = Duration::from_millis(250);

/// The sockets of that path or `@name`.
pub(super) fn sockets_of(host: &dyn Host, name: &str, holders: bool) -> Snapshot {
    let sockets = SocketScope::Unix(vec![name.to_owned()]);
    host.snapshot(&Scope { sockets, holders, ..Scope::default() })
}

/// A unix socket's name that is to be bound.
pub(super) struct UnixBindable {
    target: Target,
    name: String,
    /// Its holders: when they end, so does the socket.
    pins: Vec<Pinned>,
    looked: bool,
    next: Duration,
}

impl UnixBindable {
    pub(super) fn new(target: &Target, name: &str) -> Self {
        let (target, name) = (target.clone(), name.to_owned());
        Self { target, name, pins: Vec::new(), looked: false, next: Duration::ZERO }
    }

    /// For a path what counts is whether any file has it (unix(7): EADDRINUSE); a server whose
    /// file was removed stops nobody.
    fn is_free(&self, host: &dyn Host) -> bool {
        match self.name.starts_with('@') {
            true => sockets_of(host, &self.name, false).sockets.is_empty(),
            false => match std::fs::symlink_metadata(&self.name) {
                Ok(_) => false,
                Err(error) => match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotADirectory => {
                        host.unix_refuses(&self.name).is_none()
                    }
                    // Who may not look at the folder is told by the table.
                    _ => sockets_of(host, &self.name, false).sockets.is_empty(),
                },
            },
        }
    }

    fn pin_holders(&mut self, host: &dyn Host) {
        let table = sockets_of(host, &self.name, true);
        let holders = table.sockets.iter().flat_map(|socket| socket.holders.pids());
        let processes = holders.filter_map(|pid| table.processes.get(&pid));
        self.pins = processes.filter_map(|process| host.pin(process.id).ok()).collect();
    }
}

impl Wish for UnixBindable {
    fn look(&mut self, eye: &mut Eye<'_>) -> Step {
        let host = eye.host;
        let before = host.now();
        if self.is_free(host) {
            return Step::Met;
        }
        let after = host.now();
        let ended = self.pins.len();
        self.pins.retain(|pin| !host.exited(pin));
        if !std::mem::replace(&mut self.looked, true) || self.pins.len() < ended {
            self.pin_holders(host);
        }
        let cost = after.saturating_sub(before);
        self.next = after + eye.lookout.pause(after).max(cost * SHARE);
        Step::Wait
    }

    fn next(&self, _: &Eye<'_>) -> Duration {
        self.next
    }

    fn pins(&self) -> &[Pinned] {
        &self.pins
    }

    fn hindrance(&mut self, host: &dyn Host) -> String {
        self.not_met(host).explain.unwrap_or_default()
    }

    fn met(&self) -> (String, TargetReport) {
        (format!("{} is free", self.target), empty_report(self.target.to_string()))
    }

    fn not_met(&mut self, host: &dyn Host) -> TargetReport {
        let mut report = whole_look(host, &self.target);
        report.met = self.is_free(host).then_some(true);
        report.explain = Some(match report.causes.first() {
            Some(cause) => cause.explain.clone(),
            None => format!("a file that is no socket has the path {}", self.name),
        });
        report
    }
}

/// A unix socket that somebody is to serve.
pub(super) struct UnixServed {
    target: Target,
    name: String,
    next: Duration,
    /// No connection is tried before.
    next_try: Duration,
}

impl UnixServed {
    pub(super) fn new(target: &Target, name: &str) -> Self {
        let (target, name) = (target.clone(), name.to_owned());
        Self { target, name, next: Duration::ZERO, next_try: Duration::ZERO }
    }

    /// By the table; a connection is tried only where a socket file is there and nobody is seen
    /// to serve it, as with one that was bound in a container: a connection is noticed, and may
    /// even start a service.
    fn is_served(&mut self, host: &dyn Host) -> bool {
        let path = !self.name.starts_with('@');
        if path && std::fs::symlink_metadata(&self.name).is_err() {
            return false;
        }
        if sockets_of(host, &self.name, false).sockets.iter().any(is_server) {
            return true;
        }
        let now = host.now();
        if !path || now < self.next_try {
            return false;
        }
        self.next_try = now + RARELY;
        host.unix_refuses(&self.name) == Some(false)
    }
}

impl Wish for UnixServed {
    fn look(&mut self, eye: &mut Eye<'_>) -> Step {
        let before = eye.host.now();
        if self.is_served(eye.host) {
            return Step::Met;
        }
        let after = eye.host.now();
        let cost = after.saturating_sub(before);
        self.next = after + eye.lookout.pause(after).max(cost * SHARE);
        Step::Wait
    }

    fn next(&self, _: &Eye<'_>) -> Duration {
        self.next
    }

    fn hindrance(&mut self, _: &dyn Host) -> String {
        format!("nobody serves {}", self.target)
    }

    fn met(&self) -> (String, TargetReport) {
        (format!("{} is served", self.target), empty_report(self.target.to_string()))
    }

    fn not_met(&mut self, host: &dyn Host) -> TargetReport {
        let mut report = whole_look(host, &self.target);
        report.met = self.is_served(host).then_some(true);
        report.explain = Some(match report.causes.first() {
            Some(cause) => format!("nobody listens there: {}", cause.explain),
            None => format!("nobody serves {}", self.target),
        });
        report
    }
}

/// Whether it takes connections, or messages from anybody. Datagram sockets have no state.
fn is_server(socket: &Socket) -> bool {
    matches!(socket.state, Some(TcpState::Listen) | None)
}

fn whole_look(host: &dyn Host, target: &Target) -> TargetReport {
    let reports = look(host, std::slice::from_ref(target), &LookOptions::default());
    reports.into_iter().next().unwrap_or_else(|| empty_report(target.to_string()))
}
