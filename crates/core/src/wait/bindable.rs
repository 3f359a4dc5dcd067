//! Waiting until a port can be bound. The socket table is read and the answer predicted by the
//! measured rules; a bind is made once at the beginning and once to prove the end, because each is
//! one that others can collide with. What is followed is the port: whoever takes it over is
//! waited for as well.

use std::collections::HashMap;
use std::time::Duration;

use super::{Eye, Step, Wish};
use crate::addr::{AddressScope, Endpoint};
use crate::bind::{Attempt, BindRequest, BindResult, Conflict, Learned, Occupant, Rules};
use crate::diagnosis::{CauseKind, Diagnosis, Verdict, diagnose};
use crate::explain;
use crate::host::Host;
use crate::look::{LookOptions, bind_row, empty_report, port_report};
use crate::report::TargetReport;
use crate::sight::{Sight, look_at_ports, probe};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::socket::Socket;
use crate::target::Target;

/// The longest sleep without a look at the table: for what ends without news, such as a
/// TIME-WAIT that was cut short, or a socket of the kernel's own.
const SAFETY: Duration = Duration::from_secs(1);
/// Between two looks at remains whose time is over: the kernel's timers are coarse, and those of a
/// minute may come two seconds late (`calc_wheel_index`, kernel/time/timer.c).
const OVERDUE: Duration = Duration::from_millis(4);
/// The pause after a second probe that contradicted the table, doubled by each that follows.
const DOUBT: Duration = Duration::from_millis(5);
/// The longest pause between probes where the table says that the port is free.
const MOST_DOUBT: Duration = Duration::from_millis(250);
/// A look that took longer than this is followed by a rest, so that a thousand connections which
/// end one by one on a huge machine do not mean a thousand such looks.
const LONG_LOOK: Duration = Duration::from_millis(2);
/// The same where sockets are left whose options nobody told.
const MOST_UNSURE: Duration = Duration::from_secs(2);

/// Ports, all of which are to be free.
pub(super) struct Bindable {
    target: Target,
    endpoints: Vec<Endpoint>,
    by_port: HashMap<u16, Vec<usize>>,
    reuse_addr: bool,
    options: LookOptions,
    /// The kernel's last answers; empty before the first.
    attempts: Vec<Vec<Attempt>>,
    /// The whole first look, where it settled that the port can never be bound.
    hopeless: Option<Vec<Sight>>,
    /// What is known of the options of sockets, by cookie.
    learned: HashMap<u64, Learned>,
    /// The sockets in the way whose end is news.
    cookies: Vec<u64>,
    /// The sockets in the way that somebody has, by cookie, or by inode where the system has no cookies.
    living: Vec<u64>,
    next: Duration,
    /// No look at the table before, whatever the news.
    rested: Duration,
    doubt: Doubt,
    named: Named,
}

/// Probes that contradicted the table.
#[derive(Default)]
struct Doubt {
    times: u32,
    /// No probe before.
    until: Duration,
    /// Whether sockets with unknown options were there.
    unsure: bool,
}

/// Who was named last as the holder, so that a look at the holders is made only for new ones.
#[derive(Default)]
struct Named {
    living: Vec<u64>,
    text: String,
}

/// What is in the way of an ordinary bind.
struct InTheWay {
    /// These stop it.
    sure: Vec<Socket>,
    /// These may: their options are not known.
    unsure: Vec<Socket>,
    /// How long it took to find out.
    cost: Duration,
}

impl Bindable {
    pub(super) fn new(
        target: Target,
        endpoints: Vec<Endpoint>,
        reuse_addr: bool,
        options: LookOptions,
    ) -> Self {
        let mut by_port: HashMap<u16, Vec<usize>> = HashMap::new();
        for (place, endpoint) in endpoints.iter().enumerate() {
            by_port.entry(endpoint.port.get()).or_default().push(place);
        }
        Self {
            target,
            endpoints,
            by_port,
            reuse_addr,
            options,
            attempts: Vec::new(),
            hopeless: None,
            learned: HashMap::new(),
            cookies: Vec::new(),
            living: Vec::new(),
            next: Duration::ZERO,
            rested: Duration::ZERO,
            doubt: Doubt::default(),
            named: Named::default(),
        }
    }

    /// The first question: the kernel's answer, and who is there.
    fn ask(&mut self, host: &dyn Host) -> Step {
        let sights = look_at_ports(host, &self.endpoints, &self.options);
        self.attempts = sights.iter().map(|sight| sight.diagnosis.bind.clone()).collect();
        if let Some(sight) = sights.first() {
            self.learn(&sight.snapshot.sockets, host.rules());
        }
        match self.answer() {
            Step::Never { denied, .. } => {
                let why = reason_never(&sights, denied);
                self.hopeless = Some(sights);
                Step::Never { why, denied }
            }
            step => step,
        }
    }

    /// What the last answers mean.
    fn answer(&self) -> Step {
        let mut step = Step::Met;
        for (endpoint, attempts) in self.endpoints.iter().zip(&self.attempts) {
            for attempt in attempts {
                match self.judge(endpoint, attempt) {
                    Step::Met => {}
                    Step::Wait => step = Step::Wait,
                    never @ Step::Never { .. } => return never,
                }
            }
        }
        step
    }

    fn judge(&self, endpoint: &Endpoint, attempt: &Attempt) -> Step {
        let result = if self.reuse_addr { attempt.reuse_addr } else { attempt.plain };
        match result {
            BindResult::Ok => Step::Met,
            BindResult::InUse => Step::Wait,
            BindResult::Denied => {
                Step::Never { why: format!("you may not bind {endpoint}"), denied: true }
            }
            // An address family that is switched off counts only where it was asked for.
            BindResult::NotLocal | BindResult::Other(_) => match endpoint.address {
                AddressScope::One(..) => Step::Never {
                    why: format!("{endpoint} cannot be bound: {}", result.name()),
                    denied: false,
                },
                AddressScope::Every | AddressScope::Localhost => Step::Met,
            },
        }
    }

    /// Reads the table: servers first, which is a matter of microseconds, and all the rest only
    /// if none of them is in the way.
    fn read(&mut self, host: &dyn Host) -> InTheWay {
        let before = host.now();
        let mut found = self.in_the_way(&self.table(host, States::Servers, false));
        if found.sure.is_empty() {
            found = self.in_the_way(&self.table(host, States::All, false));
        }
        found.cost = host.now().saturating_sub(before);
        found
    }

    fn table(&self, host: &dyn Host, states: States, holders: bool) -> Snapshot {
        let sockets = SocketScope::Ports(self.endpoints.clone());
        host.snapshot(&Scope { sockets, states, holders, ..Scope::default() })
    }

    fn in_the_way(&self, table: &Snapshot) -> InTheWay {
        let mut found = InTheWay { sure: Vec::new(), unsure: Vec::new(), cost: Duration::ZERO };
        for socket in &table.sockets {
            match self.stops(socket, table.asker.uid, Rules::of(table.source)) {
                Conflict::Yes => found.sure.push(socket.clone()),
                Conflict::Unknown => found.unsure.push(socket.clone()),
                Conflict::No => {}
            }
        }
        found
    }

    /// Whether a socket stops an ordinary bind of any of the endpoints.
    fn stops(&self, socket: &Socket, uid: u32, rules: Rules) -> Conflict {
        let Some(occupant) = Occupant::from_socket(socket) else { return Conflict::No };
        let learned = socket.cookie.and_then(|cookie| self.learned.get(&cookie));
        let occupant = occupant.learn(learned.copied().unwrap_or_default());
        let mut worst = Conflict::No;
        for &place in self.by_port.get(&occupant.address.port()).into_iter().flatten() {
            for request in BindRequest::all_of(&self.endpoints[place], self.reuse_addr, uid) {
                match rules.conflict(&request, &occupant) {
                    Conflict::Yes => return Conflict::Yes,
                    Conflict::Unknown => worst = Conflict::Unknown,
                    Conflict::No => {}
                }
            }
        }
        worst
    }

    /// Keeps what the sockets themselves and the kernel's answers tell of their options: a table
    /// read in passing says nothing of them.
    fn learn(&mut self, sockets: &[Socket], rules: Rules) {
        let own: Vec<(u64, Occupant)> = sockets
            .iter()
            .filter_map(|socket| Some((socket.cookie?, Occupant::from_socket(socket)?)))
            .collect();
        let occupants: Vec<Occupant> = own.iter().map(|(_, occupant)| *occupant).collect();
        let attempts: Vec<Attempt> = self.attempts.iter().flatten().copied().collect();
        let inferred = rules.infer_options(&attempts, &occupants, false);
        for ((cookie, occupant), inferred) in own.iter().zip(inferred) {
            let known = self.learned.entry(*cookie).or_default();
            known.reuse_addr = known.reuse_addr.or(occupant.reuse_addr).or(inferred.reuse_addr);
            known.reuse_port = known.reuse_port.or(occupant.reuse_port).or(inferred.reuse_port);
            known.v6only = known.v6only.or(occupant.v6only).or(inferred.v6only);
        }
    }

    /// The one probe, where the table says that nothing is in the way, or nothing for certain.
    fn prove(&mut self, host: &dyn Host, found: &InTheWay) -> Step {
        self.attempts = probe(host, &self.endpoints);
        let step = self.answer();
        if step != Step::Wait {
            return step;
        }
        self.learn(&found.unsure, host.rules());
        let unsure = !found.unsure.is_empty();
        let most = if unsure { MOST_UNSURE } else { MOST_DOUBT };
        let pause = match self.doubt.times {
            // Two that collided wait for different times.
            0 => Duration::from_millis(1 + u64::from(std::process::id()) % 4),
            times => (DOUBT * 2_u32.pow((times - 1).min(16))).min(most),
        };
        self.doubt = Doubt { times: self.doubt.times + 1, until: host.now() + pause, unsure };
        Step::Wait
    }

    /// Until when to sleep, and what would end it sooner.
    fn sleep(&mut self, eye: &Eye<'_>, found: &InTheWay) {
        let all = || found.sure.iter().chain(&found.unsure);
        let alive = || all().filter(|socket| !ends_by_timer(socket));
        self.cookies = alive().filter_map(|socket| socket.cookie).collect();
        self.living = alive().filter_map(|socket| socket.cookie.or(socket.inode)).collect();
        let heard = eye.hears && self.cookies.len() == alive().count();
        let share = |pause: Duration, part: u32| pause.max(found.cost * part);
        let pause = match alive().next() {
            Some(_) if !heard => share(eye.blind_pause(), 10),
            Some(_) => share(SAFETY, 200),
            // Only remains: the last of them to go decides, and each may go before its time.
            None => match all().filter_map(|socket| socket.expires_ms).max() {
                Some(0) | None => share(OVERDUE, 10),
                Some(ms) => {
                    let left = Duration::from_millis(u64::from(ms) + 1);
                    left.min(share(SAFETY, 200))
                }
            },
        };
        let now = eye.host.now();
        self.next = now + pause;
        if found.sure.is_empty() {
            self.next = self.next.min(self.doubt.until.max(now));
        }
    }
}

impl Wish for Bindable {
    fn look(&mut self, eye: &mut Eye<'_>) -> Step {
        if self.attempts.is_empty() {
            let step = self.ask(eye.host);
            if step != Step::Wait {
                return step;
            }
        }
        let now = eye.host.now();
        if now < self.rested {
            self.next = self.rested;
            return Step::Wait;
        }
        let found = self.read(eye.host);
        if found.cost > LONG_LOOK {
            self.rested = now + found.cost * 4;
        }
        if !found.sure.is_empty() {
            self.doubt = Doubt::default();
        } else {
            // Where nothing is left to be unsure of, what was asked before no longer counts.
            if self.doubt.unsure && found.unsure.is_empty() {
                self.doubt = Doubt::default();
            }
            if eye.host.now() >= self.doubt.until {
                let step = self.prove(eye.host, &found);
                if step != Step::Wait {
                    return step;
                }
            }
        }
        self.sleep(eye, &found);
        Step::Wait
    }

    fn next(&self, _: &Eye<'_>) -> Duration {
        self.next
    }

    fn cookies(&self) -> &[u64] {
        &self.cookies
    }

    fn hindrance(&mut self, host: &dyn Host) -> String {
        // Whoever is named already need not be looked for again; the seconds of a timer do.
        if !self.living.is_empty() && self.living == self.named.living {
            return self.named.text.clone();
        }
        let table = self.table(host, States::AllIfCheap, !self.living.is_empty());
        let found = self.in_the_way(&table);
        if let Some(text) = remains_text(&found, &self.target) {
            return text;
        }
        let first = found.sure.iter().chain(&found.unsure).find_map(Socket::port);
        let endpoint = self.endpoints.iter().find(|e| first.is_none_or(|p| p == e.port.get()));
        let text = endpoint.and_then(|endpoint| {
            let diagnosis = diagnose(endpoint, &[], &table);
            let cause = diagnosis.causes.first()?;
            Some(explain::cause(cause, endpoint, &table))
        });
        let text = text.unwrap_or_else(|| format!("{} is not free", self.target));
        self.named = Named { living: self.living.clone(), text: text.clone() };
        text
    }

    fn met(&self) -> (String, TargetReport) {
        let mut report = empty_report(self.target.to_string());
        let plain = |attempt: &Attempt| attempt.plain != BindResult::InUse;
        if self.attempts.iter().flatten().all(plain) {
            report.verdict = Some(Verdict::Free);
        }
        // As in an answer to looking: of a range, only what is not simply free has rows.
        let several = self.attempts.len() > 1;
        let rows = self.attempts.iter().filter(|rows| !(several && rows.iter().all(plain)));
        report.bind = rows.flatten().map(bind_row).collect();
        let with = if self.reuse_addr { " for a server that sets SO_REUSEADDR" } else { "" };
        (format!("{} is free{with}", self.target), report)
    }

    fn not_met(&mut self, host: &dyn Host) -> TargetReport {
        let look = || look_at_ports(host, &self.endpoints, &self.options);
        let sights = self.hopeless.take().unwrap_or_else(look);
        self.attempts = sights.iter().map(|sight| sight.diagnosis.bind.clone()).collect();
        let all: Vec<&Sight> = sights.iter().collect();
        let mut report = port_report(host, &self.target, &all, &self.options);
        report.met = (self.answer() == Step::Met).then_some(true);
        let cause = report.causes.iter().find(|cause| !cause.kind.hinders_no_bind());
        if let Some(cause) = cause {
            report.explain = Some(cause.explain.clone());
        }
        report
    }
}

/// What is left of connections, with the seconds that it stays, where nothing else is in the way:
/// short, so that the seconds are still on the line.
fn remains_text(found: &InTheWay, target: &Target) -> Option<String> {
    let all = || found.sure.iter().chain(&found.unsure);
    if !all().all(ends_by_timer) {
        return None;
    }
    let left = all().filter_map(|socket| socket.expires_ms).max()?;
    let many = explain::count(all().count(), "closed connection", "closed connections");
    Some(format!("{many} on {target}; the last ends in {}", explain::seconds(left)))
}

/// Whether only a timer ends it, without any news: what is left is a mini-socket (TIME-WAIT,
/// orphaned FIN-WAIT-2), which belongs to nobody.
fn ends_by_timer(socket: &Socket) -> bool {
    socket.inode.is_none() && socket.expires_ms.is_some()
}

/// Why it can never be bound, in the words of the cause.
fn reason_never(sights: &[Sight], denied: bool) -> String {
    let names = |kind: CauseKind| match denied {
        true => {
            matches!(kind, CauseKind::Privileged | CauseKind::Reserved | CauseKind::Unexplained)
        }
        false => matches!(kind, CauseKind::NotLocal | CauseKind::Unexplained),
    };
    let reason = sights.iter().find_map(|sight| {
        let Diagnosis { endpoint, causes, .. } = &sight.diagnosis;
        let cause = causes.iter().find(|cause| names(cause.kind))?;
        Some(explain::cause(cause, endpoint, &sight.snapshot))
    });
    reason.unwrap_or_else(|| {
        let first = sights.first().map(|sight| sight.diagnosis.endpoint.to_string());
        format!("{} cannot be bound", first.unwrap_or_default())
    })
}
