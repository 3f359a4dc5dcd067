//! Waiting for a server: a listener or UDP socket on a port, or one that answers by HTTP.

use std::net::IpAddr;
use std::time::Duration;

use super::{Eye, Heard, Question, Step, Wish};
use crate::addr::{AddressScope, Endpoint, unmap};
use crate::bind::covers;
use crate::diagnosis::{Cause, diagnose};
use crate::explain;
use crate::host::{Host, Watch, Woken};
use crate::look::{LookOptions, empty_report, gaps, process_facts, socket_report};
use crate::report::TargetReport;
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::socket::{Protocol, Socket};
use crate::target::Target;

/// A port, or several of which one is enough, that somebody is to serve.
pub(super) struct Served {
    target: Target,
    endpoints: Vec<Endpoint>,
    options: LookOptions,
    http: Option<Http>,
    looked: bool,
    found: Vec<Socket>,
}

/// The questions by HTTP.
struct Http {
    /// The target's place among all.
    place: usize,
    /// When to ask again.
    next: Duration,
    pause: Duration,
    /// How long an answer may take; more each time that this was too short.
    patience: Duration,
    /// The server that was asked last, by its cookie.
    asked: Option<u64>,
    status: Option<u16>,
    heard: Option<String>,
}

/// The first pause between two questions, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));
/// How long the first answer may take, and the longest.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

impl Served {
    pub(super) fn new(target: Target, endpoints: Vec<Endpoint>, options: LookOptions) -> Self {
        Self { target, endpoints, options, http: None, looked: false, found: Vec::new() }
    }

    pub(super) fn http(
        target: Target,
        endpoints: Vec<Endpoint>,
        options: LookOptions,
        place: usize,
    ) -> Self {
        let http = Http {
            place,
            next: Duration::ZERO,
            pause: PAUSES.0,
            patience: PATIENCE.0,
            asked: None,
            status: None,
            heard: None,
        };
        Self { http: Some(http), ..Self::new(target, endpoints, options) }
    }

    /// Why nobody here can ever serve it.
    fn impossible(&self, host: &dyn Host) -> Option<String> {
        let address = self.endpoints.first().map(|endpoint| endpoint.address);
        let Some(AddressScope::One(address, _)) = address else { return None };
        let address = unmap(address);
        if address.is_unspecified() || address.is_loopback() || self.http.is_some() {
            return None;
        }
        let own = host.local_addresses();
        let foreign = !own.is_empty() && !own.iter().any(|&own| unmap(own) == address);
        foreign.then(|| explain::not_this_machine(address, &own))
    }

    /// One look at the holders of these ports, without a bind: it would stand in the way of the
    /// very server that is waited for.
    fn whole_look(&self, host: &dyn Host) -> Snapshot {
        host.snapshot(&Scope {
            sockets: SocketScope::Ports(self.endpoints.clone()),
            states: States::BoundIfCheap,
            holders: true,
            ..Scope::default()
        })
    }
}

impl Wish for Served {
    fn look(&mut self, eye: &mut Eye<'_>) -> Step {
        if !std::mem::replace(&mut self.looked, true)
            && let Some(why) = self.impossible(eye.host)
        {
            return Step::Never { why, denied: false };
        }
        let endpoints = &self.endpoints;
        let seen = eye.lookout.seen().iter();
        self.found = seen.filter(|socket| serves_any(socket, endpoints)).cloned().collect();
        match &mut self.http {
            None if self.found.is_empty() => Step::Wait,
            None => Step::Met,
            Some(http) => http.ask(eye, self.found.first()),
        }
    }

    fn next(&self, eye: &Eye<'_>) -> Duration {
        eye.lookout.next
    }

    fn served(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn hindrance(&mut self, _: &dyn Host) -> String {
        match &self.http {
            Some(http) => http.trouble(&self.target),
            None => format!("nothing listens on {}", self.target),
        }
    }

    fn met(&self) -> (String, TargetReport) {
        let mut report = empty_report(self.target.to_string());
        let blank = Snapshot::empty(std::time::SystemTime::UNIX_EPOCH);
        report.sockets = self.found.iter().map(|socket| socket_report(socket, &blank)).collect();
        report.status = self.http.as_ref().and_then(|http| http.status);
        let ports: Vec<String> = self
            .endpoints
            .iter()
            .filter(|endpoint| self.found.iter().any(|socket| serves(socket, endpoint)))
            .map(|endpoint| endpoint.port.to_string())
            .collect();
        let udp = self.found.iter().all(|socket| socket.protocol == Protocol::Udp);
        let sentence = match (report.status, self.endpoints.len()) {
            (Some(status), _) => format!("{} answers with status {status}", self.target),
            (None, 1) if udp => format!("{} is bound", self.target),
            (None, 1) => format!("{} is listened on", self.target),
            (None, _) => format!("{} is listened on: {}", self.target, ports.join(", ")),
        };
        (sentence, report)
    }

    fn not_met(&mut self, host: &dyn Host) -> TargetReport {
        let mut report = empty_report(self.target.to_string());
        let snapshot = self.whole_look(host);
        let here = |socket: &&Socket| socket.netns.is_none();
        let served = snapshot.sockets.iter().filter(here);
        let served: Vec<Socket> =
            served.filter(|socket| serves_any(socket, &self.endpoints)).cloned().collect();
        let mut why = match &self.http {
            Some(http) => {
                report.status = http.status;
                http.trouble(&self.target)
            }
            None if served.is_empty() => format!("nothing listens on {}", self.target),
            None => {
                self.found = served;
                report.met = Some(true);
                return report;
            }
        };
        let causes = self.endpoints.iter().flat_map(|endpoint| {
            let everywhere = Endpoint { address: AddressScope::Every, ..*endpoint };
            let diagnosis = diagnose(&everywhere, &[], &snapshot);
            diagnosis.causes.into_iter().map(move |cause| (everywhere, cause))
        });
        let causes: Vec<(Endpoint, Cause)> = causes.collect();
        if served.is_empty()
            && let Some((endpoint, cause)) = causes.first()
        {
            why.push_str(&format!("; {}", explain::cause(cause, endpoint, &snapshot)));
        }
        for pid in causes.iter().flat_map(|(_, cause)| &cause.pids) {
            if let Some(process) = snapshot.processes.get(pid) {
                report.processes.push(process_facts(process, &snapshot, &self.options));
            }
        }
        report.sockets =
            snapshot.sockets.iter().map(|socket| socket_report(socket, &snapshot)).collect();
        report.gaps = gaps(&snapshot);
        report.explain = Some(why);
        report
    }
}

impl Http {
    /// Asks where somebody serves the port. What a firewall leads elsewhere is served without a
    /// socket here, so now and then it is asked regardless.
    fn ask(&mut self, eye: &mut Eye<'_>, server: Option<&Socket>) -> Step {
        let now = eye.host.now();
        let cookie = server.and_then(|server| server.cookie);
        let fresh = cookie.is_some() && cookie != self.asked;
        if now < self.next && !fresh {
            return Step::Wait;
        }
        if fresh {
            (self.asked, self.pause) = (cookie, PAUSES.0);
        }
        let left = eye.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_sub(now));
        let patience = self.patience.min(left).max(Duration::from_millis(1));
        let host = eye.host;
        let go_on = || host.wait(&[], &mut Watch::silent(), Duration::ZERO) != Woken::Interrupted;
        let question = Question { place: self.place, patience, go_on: &go_on };
        let answer = (eye.answers)(&question);
        let after = eye.host.now();
        if after.saturating_sub(now) >= patience {
            self.patience = (self.patience * 2).min(PATIENCE.1);
        }
        match answer {
            Ok(Heard { status, good }) => {
                self.status = Some(status);
                self.heard = Some(format!("it answers with status {status}"));
                if good {
                    return Step::Met;
                }
            }
            Err(why) => (self.status, self.heard) = (None, Some(why)),
        }
        let pause = if server.is_some() { self.pause } else { PAUSES.1 };
        self.next = after + pause;
        self.pause = (self.pause * 3 / 2).min(PAUSES.1);
        Step::Wait
    }

    fn trouble(&self, target: &Target) -> String {
        match &self.heard {
            Some(heard) => format!("{target} gives no good answer: {heard}"),
            None => format!("nothing listens on {target}"),
        }
    }
}

fn serves_any(socket: &Socket, endpoints: &[Endpoint]) -> bool {
    endpoints.iter().any(|endpoint| serves(socket, endpoint))
}

/// Whether a server answers at an address that the endpoint means.
fn serves(socket: &Socket, endpoint: &Endpoint) -> bool {
    let transports = endpoint.transports();
    let Some(bound) = socket.local.inet() else { return false };
    let transport = socket.protocol.transport();
    if !socket.is_server()
        || bound.port() != endpoint.port.get()
        || !transport.is_some_and(|own| transports.contains(&own))
    {
        return false;
    }
    let at = |address: IpAddr| covers(bound.ip(), socket.v6only.unwrap_or(false), address);
    match endpoint.address {
        AddressScope::Every => true,
        AddressScope::Localhost | AddressScope::One(..) => endpoint.addresses().into_iter().any(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{LocalAddress, TcpState};

    #[test]
    fn a_server_counts_where_it_answers() {
        let parse = |word: &str| crate::target::parse(word).unwrap().endpoints()[0];
        for (bound, v6only, target, want) in [
            ("0.0.0.0:80", None, ":80", true),
            ("0.0.0.0:80", None, "127.0.0.1:80", true),
            ("0.0.0.0:80", None, "localhost:80", true),
            ("0.0.0.0:80", None, "[::1]:80", false),
            ("[::]:80", Some(false), "127.0.0.1:80", true),
            ("[::]:80", Some(true), "127.0.0.1:80", false),
            ("[::]:80", Some(true), "localhost:80", true),
            ("127.0.0.1:80", None, "0.0.0.0:80", false),
            ("127.0.0.2:80", None, ":80", true),
            ("127.0.0.2:80", None, "localhost:80", false),
            ("[::1]:80", Some(true), "127.0.0.1:80", false),
            ("0.0.0.0:81", None, ":80", false),
            ("0.0.0.0:80", None, "udp:80", false),
        ] {
            let local = LocalAddress::Inet(bound.parse().unwrap());
            let mut socket = Socket::new(Protocol::Tcp, local, Some(TcpState::Listen));
            socket.v6only = v6only;
            assert_eq!(serves(&socket, &parse(target)), want, "{bound} {target}");
        }
    }
}
