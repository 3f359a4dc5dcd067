//! Waiting until a port can be bound or is served, or a process is gone: one loop for all targets
//! together, which sleeps until there is news, a timer of the kernel's ends, or a cheap look is
//! due. What is looked at for each kind of target is in the files below; nobody is acted on here.
//!
//! Time is [`Host::now`], a clock that nobody sets. On Linux it stands still while the machine is
//! suspended, and so does a timeout.

mod bindable;
mod gone;
mod lookout;
mod served;
mod unix;

use std::time::Duration;

use crate::addr::{Endpoint, Transport};
use crate::census::Census;
use crate::explain;
use crate::host::{Host, Pinned, Woken};
use crate::look::{LookOptions, empty_report};
use crate::report::{ErrorReport, EventReport, Outcome, TargetReport};
use crate::snapshot::{Scope, SocketScope, States};
use crate::target::Target;
use bindable::Bindable;
use gone::Gone;
use lookout::Lookout;
use served::Served;
use unix::{UnixBindable, UnixServed};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// An ordinary bind of the port succeeds; nothing is in the way of a unix socket.
    Free,
    /// Somebody serves the port or unix socket.
    Listening,
    /// A server on the port answers an HTTP request.
    Http {
        /// Whether a certain path is asked for, which is to be there; else any answer that is
        /// none of a server in trouble counts.
        path: bool,
    },
    /// The processes have ended.
    Gone,
}

impl Until {
    /// The option that asks for it.
    const fn option(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Listening => "--listening",
            Self::Http { .. } => "--http",
            Self::Gone => "--gone",
        }
    }
}

/// What to wait for, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitRequest {
    /// What for; where it is left open, ports and unix sockets are to be free and processes gone.
    pub until: Option<Until>,
    /// A port counts as free where a server that sets SO_REUSEADDR can bind it.
    pub reuse_addr: bool,
    /// UDP where a target leaves it open, in place of TCP.
    pub udp: bool,
    /// Whether one target is enough; else all have to be so at some time, each on its own.
    pub any: bool,
    /// How long at most; `None` for ever.
    pub timeout: Option<Duration>,
    /// Whether somebody reads the progress: it costs a look at the holders now and then.
    pub tells: bool,
    /// Show values of arguments that look like secrets.
    pub show_secrets: bool,
}

/// Asks the server of the target in that place by HTTP, and waits for at most that long: its
/// status, or in words why there is none.
pub type Answers<'a> = dyn FnMut(usize, Duration) -> Result<u16, String> + 'a;

/// Waits for all targets together, or for the first of them. The reports have
/// [`TargetReport::met`] and [`TargetReport::waited_ms`], a sentence, and where it is not so, what
/// stands in the way. [`Outcome::Denied`] is what can never be so for this user; that, and what
/// else can never be, ends the wait at once, as does the person.
///
/// # Errors
/// `usage`: a target that cannot be waited for in that way, or that means two things.
pub fn wait(
    host: &dyn Host,
    targets: &[Target],
    request: &WaitRequest,
    answers: &mut Answers<'_>,
    progress: &mut dyn FnMut(&str, &EventReport),
) -> Result<Vec<TargetReport>, ErrorReport> {
    let started = host.now();
    let mut watch = host.watch(&[]);
    watch.follow(&[]);
    let mut eye = Eye {
        host,
        started,
        hears: watch.hears(),
        lookout: Lookout::new(started),
        answers,
        deadline: request.timeout.map(|timeout| started.saturating_add(timeout)),
    };
    let mut wishes = Vec::new();
    for (place, target) in targets.iter().enumerate() {
        let wish = wish_for(host, place, target, request)?;
        wishes.push(Waiting { name: target.to_string(), wish, end: None });
    }
    let mut news = true;
    let end = loop {
        eye.look_out(&wishes);
        for waiting in &mut wishes {
            waiting.look(&mut eye, news);
        }
        if is_settled(&wishes, request.any) {
            break Ending::Settled;
        }
        let now = host.now();
        if eye.deadline.is_some_and(|deadline| now >= deadline) {
            break Ending::TimedOut;
        }
        let tick = tell(&mut wishes, &eye, request, progress);
        let open = || wishes.iter().filter(|waiting| waiting.end.is_none());
        let cookies: Vec<u64> = open().flat_map(|w| w.wish.cookies().iter().copied()).collect();
        watch.follow(&cookies);
        let next = open().map(|waiting| waiting.wish.next(&eye)).min().unwrap_or(now);
        let next = next.min(tick).min(eye.deadline.unwrap_or(Duration::MAX));
        let pins: Vec<&Pinned> = open().flat_map(|waiting| waiting.wish.pins()).collect();
        match host.wait(&pins, &mut watch, next.saturating_sub(now)) {
            Woken::Interrupted => break Ending::Interrupted,
            Woken::Event => news = true,
            Woken::Timeout => news = false,
        }
    };
    let reports = wishes.into_iter().map(|waiting| waiting.report(&mut eye, end, request));
    Ok(reports.collect())
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Enough is so, or can never be.
    Settled,
    TimedOut,
    Interrupted,
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// It is so.
    Met,
    /// It can never be so: why, and whether it is this user who may not.
    Never { why: String, denied: bool },
    /// Not yet.
    Wait,
}

/// What every wish looks through.
struct Eye<'a> {
    host: &'a dyn Host,
    started: Duration,
    /// Whether the end of a socket is news here.
    hears: bool,
    lookout: Lookout,
    answers: &'a mut Answers<'a>,
    deadline: Option<Duration>,
}

impl Eye<'_> {
    /// Looks at the ports of all wishes that want to be served, where a look is due.
    fn look_out(&mut self, wishes: &[Waiting]) {
        let open = wishes.iter().filter(|waiting| waiting.end.is_none());
        let ports: Vec<Endpoint> =
            open.flat_map(|waiting| waiting.wish.served()).copied().collect();
        if !ports.is_empty() {
            self.lookout.look(self.host, &ports);
        }
    }

    /// A pause for what sends no news: short at first, longer the longer it has been waited.
    fn blind_pause(&self) -> Duration {
        let waited = self.host.now().saturating_sub(self.started);
        (waited / 20).clamp(Duration::from_millis(5), Duration::from_millis(100))
    }
}

/// Something to wait for.
trait Wish {
    /// Looks, as cheaply as settles it. Called where news came in or [`Wish::next`] is due.
    fn look(&mut self, eye: &mut Eye<'_>) -> Step;

    /// When to look again if there is no news.
    fn next(&self, eye: &Eye<'_>) -> Duration;

    /// The sockets whose end is news.
    fn cookies(&self) -> &[u64] {
        &[]
    }

    /// The processes whose end is news.
    fn pins(&self) -> &[Pinned] {
        &[]
    }

    /// The ports to look out for servers on.
    fn served(&self) -> &[Endpoint] {
        &[]
    }

    /// What stands in the way, in few words, for somebody who watches.
    fn hindrance(&mut self, host: &dyn Host) -> String;

    /// That it is so, in a sentence without its end, and the report to put it in.
    fn met(&self) -> (String, TargetReport);

    /// What stands in the way: a whole look. It may turn out that nothing does any more, which is
    /// said as [`TargetReport::met`].
    fn not_met(&mut self, host: &dyn Host) -> TargetReport;
}

/// A target that is waited for.
struct Waiting {
    name: String,
    wish: Box<dyn Wish>,
    /// What it came to, and after how long.
    end: Option<(Step, Duration)>,
}

impl Waiting {
    fn look(&mut self, eye: &mut Eye<'_>, news: bool) {
        let now = eye.host.now();
        if self.end.is_some() || !(news || now >= self.wish.next(eye)) {
            return;
        }
        let step = self.wish.look(eye);
        if step != Step::Wait {
            self.end = Some((step, eye.host.now().saturating_sub(eye.started)));
        }
    }

    fn report(mut self, eye: &mut Eye<'_>, end: Ending, request: &WaitRequest) -> TargetReport {
        let passed = eye.host.now().saturating_sub(eye.started);
        let (step, waited) = self.end.take().unwrap_or((Step::Wait, passed));
        let mut report = match step {
            Step::Met => self.met_report(waited),
            Step::Never { why, denied } => {
                let mut report = self.wish.not_met(eye.host);
                report.outcome = denied.then_some(Outcome::Denied);
                report.explain = Some(why);
                report.met = Some(false);
                report
            }
            Step::Wait if end == Ending::Settled => {
                let mut report = empty_report(self.name.clone());
                report.explain = Some(match request.any {
                    true => format!("{} is no longer waited for", self.name),
                    false => format!("{} is no longer waited for: another can never be", self.name),
                });
                report
            }
            Step::Wait => self.given_up(eye, end, waited),
        };
        report.target = self.name;
        report.met = Some(report.met.unwrap_or(false));
        report.waited_ms = Some(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
        report
    }

    fn met_report(&self, waited: Duration) -> TargetReport {
        let (sentence, mut report) = self.wish.met();
        // Who did not have to wait is not told for how long.
        report.explain = Some(match waited.as_millis() {
            0..=9 => sentence,
            _ => format!("{sentence} (after {})", explain::stopwatch(waited)),
        });
        report.met = Some(true);
        report
    }

    fn given_up(&mut self, eye: &Eye<'_>, end: Ending, waited: Duration) -> TargetReport {
        let report = self.wish.not_met(eye.host);
        if report.met == Some(true) {
            return self.met_report(waited);
        }
        let why = report.explain.clone().unwrap_or_else(|| format!("{} is not so", self.name));
        let lead = if end == Ending::Interrupted { "interrupted" } else { "timed out" };
        let after = explain::stopwatch(waited);
        TargetReport { explain: Some(format!("{lead} after {after}: {why}")), ..report }
    }
}

fn is_settled(wishes: &[Waiting], any: bool) -> bool {
    let met = |waiting: &Waiting| matches!(waiting.end, Some((Step::Met, _)));
    let never = |waiting: &Waiting| matches!(waiting.end, Some((Step::Never { .. }, _)));
    match any {
        true => wishes.iter().any(met) || wishes.iter().all(|waiting| waiting.end.is_some()),
        false => wishes.iter().any(never) || wishes.iter().all(met),
    }
}

/// Between two lines for somebody who watches.
const TICK: Duration = Duration::from_secs(1);

/// Tells who is waited for, once a second, and says when to tell again.
fn tell(
    wishes: &mut [Waiting],
    eye: &Eye<'_>,
    request: &WaitRequest,
    progress: &mut dyn FnMut(&str, &EventReport),
) -> Duration {
    if !request.tells {
        return Duration::MAX;
    }
    let now = eye.host.now();
    let at = now.saturating_sub(eye.started);
    // Looks of a few milliseconds are nobody's business, and a line for each would flicker.
    let (seconds, past) = (at.as_secs(), Duration::from_nanos(at.subsec_nanos().into()));
    let due = eye.lookout.told.replace(seconds) != seconds;
    if due {
        let open: Vec<usize> =
            (0..wishes.len()).filter(|&place| wishes[place].end.is_none()).collect();
        if let Some(&first) = open.first() {
            let mut text = wishes[first].wish.hindrance(eye.host);
            if open.len() > 1 {
                text.push_str(&format!("; and {} more", open.len() - 1));
            }
            let event = EventReport {
                at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
                event: "waiting".to_owned(),
                pid: None,
                explain: format!("waiting for {}: {text}", explain::span(at)),
            };
            progress(&wishes[first].name, &event);
        }
    }
    now + (TICK - past)
}

fn wish_for(
    host: &dyn Host,
    place: usize,
    target: &Target,
    request: &WaitRequest,
) -> Result<Box<dyn Wish>, ErrorReport> {
    match target {
        Target::Port(_) | Target::Range(_) => port_wish(place, target, request),
        Target::Unix(name) => unix_wish(target, &name.to_string(), request),
        Target::Path(path) => match request.until {
            Some(Until::Gone) => processes(host, target, request),
            None if !is_socket(host, path) && !Census::take(host, &[target.clone()]).running(path).is_empty() => {
                processes(host, target, request)
            }
            _ => unix_wish(target, path, request),
        },
        Target::Number(number) => {
            one_meaning(host, target, *number)?;
            processes(host, &Target::Pid(*number), request)
        }
        Target::Pid(_) | Target::Name(_) | Target::Container(_) | Target::Unit(_) => {
            processes(host, target, request)
        }
    }
}

fn port_wish(
    place: usize,
    target: &Target,
    request: &WaitRequest,
) -> Result<Box<dyn Wish>, ErrorReport> {
    let transport = if request.udp { Transport::Udp } else { Transport::Tcp };
    let mut endpoints = target.endpoints();
    for endpoint in &mut endpoints {
        endpoint.transport.get_or_insert(transport);
    }
    let options = LookOptions { show_secrets: request.show_secrets, ..LookOptions::default() };
    match request.until {
        None | Some(Until::Free) => {
            Ok(Box::new(Bindable::new(target.clone(), endpoints, request.reuse_addr, options)))
        }
        Some(Until::Listening) => Ok(Box::new(Served::new(target.clone(), endpoints, options))),
        Some(Until::Http { path }) => match endpoints.as_slice() {
            [endpoint] if endpoint.transport == Some(Transport::Udp) => {
                Err(usage(target, format!("--http asks by TCP, and `{target}` is UDP")))
            }
            [_] => Ok(Box::new(Served::http(target.clone(), endpoints, options, place, path))),
            _ => Err(usage(target, format!("--http asks one port, and `{target}` is several"))),
        },
        Some(Until::Gone) => Err(usage(
            target,
            format!("--gone is for processes; a port becomes free: leave --gone out for `{target}`"),
        )),
    }
}

fn unix_wish(
    target: &Target,
    name: &str,
    request: &WaitRequest,
) -> Result<Box<dyn Wish>, ErrorReport> {
    match request.until {
        None | Some(Until::Free) => Ok(Box::new(UnixBindable::new(target, name))),
        Some(Until::Listening) => Ok(Box::new(UnixServed::new(target, name))),
        Some(Until::Http { .. }) => {
            Err(usage(target, format!("--http asks a port, and `{target}` is a unix socket")))
        }
        Some(Until::Gone) => Err(usage(
            target,
            format!("--gone is for processes; a unix socket becomes free: leave --gone out for `{target}`"),
        )),
    }
}

fn processes(
    host: &dyn Host,
    target: &Target,
    request: &WaitRequest,
) -> Result<Box<dyn Wish>, ErrorReport> {
    match request.until {
        None | Some(Until::Gone) => {
            let options =
                LookOptions { show_secrets: request.show_secrets, ..LookOptions::default() };
            Ok(Box::new(Gone::new(host, target.clone(), options)))
        }
        Some(until @ (Until::Listening | Until::Http { .. })) => Err(usage(
            target,
            format!("{} is for ports and sockets, and `{target}` is a process", until.option()),
        )),
        Some(Until::Free) => {
            Err(usage(target, format!("a process is not free; `{target}` is waited to be gone")))
        }
    }
}

/// Whether a path is a unix socket that somebody has bound, or the file of one.
fn is_socket(host: &dyn Host, path: &str) -> bool {
    host.unix_refuses(path).is_some() || !unix::sockets_of(host, path, false).sockets.is_empty()
}

/// A bare number is a process only where that is all it can be: `3000` typed for `:3000` would
/// otherwise be gone at once.
fn one_meaning(host: &dyn Host, target: &Target, number: u32) -> Result<(), ErrorReport> {
    let alive = !Census::take(host, &[target.clone()]).alive(number).is_empty();
    let Some(port) = target.also_port() else { return Ok(()) };
    let scope = Scope {
        sockets: SocketScope::Ports(vec![Endpoint::any(port)]),
        states: States::AllIfCheap,
        ..Scope::default()
    };
    let held = !host.snapshot(&scope).sockets.is_empty();
    let explain = match (alive, held) {
        (true, false) => return Ok(()),
        (true, true) => {
            format!("{number} is both a process and a port: say pid:{number} or :{number}")
        }
        (false, _) => format!(
            "there is no process {number}; say :{number} for the port, or pid:{number} if it may be gone already"
        ),
    };
    Err(ErrorReport { suggestion: Some(format!(":{number}")), ..usage(target, explain) })
}

fn usage(target: &Target, explain: String) -> ErrorReport {
    ErrorReport {
        kind: "usage".to_owned(),
        explain,
        word: Some(target.to_string()),
        suggestion: None,
    }
}

#[cfg(test)]
mod tests;
