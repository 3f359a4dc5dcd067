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
    /// A server on the port gives a good answer to an HTTP request.
    Http,
    /// The processes have ended.
    Gone,
}

impl Until {
    /// The option that asks for it.
    const fn option(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Listening => "--listening",
            Self::Http => "--http",
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

/// A question by HTTP to be put to a target's server. What to ask for, and which answers are
/// good, is known to whoever puts it.
pub struct Question<'a> {
    /// The target's place among all.
    pub place: usize,
    /// How long the answer may take.
    pub patience: Duration,
    /// Whether the answer is still wanted: no longer once the person asked to stop.
    pub go_on: &'a dyn Fn() -> bool,
}

/// An answer by HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its status (RFC 9110 15).
    pub status: u16,
    /// Whether it is one that was waited for.
    pub good: bool,
}

/// Puts questions by HTTP, once each, and says in words why there is no answer.
pub type Answers<'a> = dyn FnMut(&Question<'_>) -> Result<Heard, String> + 'a;

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
        at_once: true,
    };
    let mut wishes = Vec::new();
    for (place, target) in targets.iter().enumerate() {
        let wish = wish_for(host, place, target, request)?;
        wishes.push(Waiting { name: target.to_string(), wish, end: None });
    }
    let mut news = true;
    let end = loop {
        let looked_out = eye.look_out(&wishes);
        for waiting in &mut wishes {
            let seen = looked_out && !waiting.wish.served().is_empty();
            waiting.look(&mut eye, news || seen);
        }
        eye.at_once = false;
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
        let sleep = next.saturating_sub(now).min(LONGEST);
        let pins: Vec<&Pinned> = open().flat_map(|waiting| waiting.wish.pins()).collect();
        match host.wait(&pins, &mut watch, sleep) {
            Woken::Interrupted => break Ending::Interrupted,
            Woken::Event => news = true,
            Woken::Timeout => news = false,
        }
    };
    let over = Over { ending: end, waited: host.now().saturating_sub(started), any: request.any };
    Ok(wishes.into_iter().map(|waiting| waiting.report(host, over)).collect())
}

/// The longest sleep: clocks do not count to the end of time.
const LONGEST: Duration = Duration::from_secs(3600);

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Enough is so, or can never be.
    Settled,
    TimedOut,
    Interrupted,
}

/// The end of the loop.
#[derive(Clone, Copy, Debug)]
struct Over {
    ending: Ending,
    waited: Duration,
    any: bool,
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
    /// Whether this is the first look.
    at_once: bool,
}

impl Eye<'_> {
    /// Looks at the ports of all wishes that want to be served, where a look is due; true where
    /// it looked.
    fn look_out(&mut self, wishes: &[Waiting]) -> bool {
        let open = wishes.iter().filter(|waiting| waiting.end.is_none());
        let ports: Vec<Endpoint> =
            open.flat_map(|waiting| waiting.wish.served()).copied().collect();
        !ports.is_empty() && self.lookout.look(self.host, &ports)
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
    end: Option<End>,
}

/// What a target came to.
struct End {
    step: Step,
    waited: Duration,
    /// Whether it was so from the start.
    at_once: bool,
}

impl Waiting {
    fn look(&mut self, eye: &mut Eye<'_>, news: bool) {
        let now = eye.host.now();
        if self.end.is_some() || !(news || now >= self.wish.next(eye)) {
            return;
        }
        let step = self.wish.look(eye);
        if step != Step::Wait {
            let waited = eye.host.now().saturating_sub(eye.started);
            self.end = Some(End { step, waited, at_once: eye.at_once });
        }
    }

    fn report(mut self, host: &dyn Host, over: Over) -> TargetReport {
        let end = self.end.take();
        let end = end.unwrap_or(End { step: Step::Wait, waited: over.waited, at_once: false });
        let mut report = match &end.step {
            Step::Met => self.met_report(&end),
            Step::Never { why, denied } => TargetReport {
                outcome: denied.then_some(Outcome::Denied),
                explain: Some(why.clone()),
                refusal: None,
                met: None,
                ..self.wish.not_met(host)
            },
            Step::Wait if over.ending == Ending::Settled => {
                let because = if over.any { "" } else { ": another can never be" };
                let explain = format!("{} is no longer waited for{because}", self.name);
                TargetReport { explain: Some(explain), ..empty_report(self.name.clone()) }
            }
            Step::Wait => self.given_up(host, over.ending, &end),
        };
        report.target = self.name;
        report.met = Some(report.met.unwrap_or(false));
        report.waited_ms = Some(u64::try_from(end.waited.as_millis()).unwrap_or(u64::MAX));
        report
    }

    fn met_report(&self, end: &End) -> TargetReport {
        let (sentence, mut report) = self.wish.met();
        report.explain = Some(match end.at_once {
            true => sentence,
            false => format!("{sentence} (after {})", explain::stopwatch(end.waited)),
        });
        report.met = Some(true);
        report
    }

    fn given_up(&mut self, host: &dyn Host, ending: Ending, end: &End) -> TargetReport {
        let report = self.wish.not_met(host);
        if report.met == Some(true) {
            return self.met_report(end);
        }
        let why = report.explain.clone().unwrap_or_else(|| format!("{} is not so", self.name));
        let lead = if ending == Ending::Interrupted { "interrupted" } else { "timed out" };
        let after = explain::stopwatch(end.waited);
        TargetReport { explain: Some(format!("{lead} after {after}: {why}")), ..report }
    }
}

fn is_settled(wishes: &[Waiting], any: bool) -> bool {
    let came_to = |waiting: &Waiting, wanted: fn(&Step) -> bool| {
        waiting.end.as_ref().is_some_and(|end| wanted(&end.step))
    };
    let met = |waiting: &Waiting| came_to(waiting, |step| matches!(step, Step::Met));
    let never = |waiting: &Waiting| came_to(waiting, |step| matches!(step, Step::Never { .. }));
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
            None if !is_socket(host, path) && is_file(host, target, path) => {
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
        Some(Until::Http) => match endpoints.as_slice() {
            [endpoint] if endpoint.transport == Some(Transport::Udp) => {
                Err(usage(target, format!("--http asks by TCP, and `{target}` is UDP")))
            }
            [_] => Ok(Box::new(Served::http(target.clone(), endpoints, options, place))),
            _ => Err(usage(target, format!("--http asks one port, and `{target}` is several"))),
        },
        Some(Until::Gone) => Err(usage(
            target,
            format!(
                "--gone is for processes; a port becomes free: leave --gone out for `{target}`"
            ),
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
        Some(Until::Http) => {
            Err(usage(target, format!("--http asks a port, and `{target}` is a unix socket")))
        }
        Some(Until::Gone) => Err(usage(
            target,
            format!(
                "--gone is for processes; a unix socket becomes free: leave --gone out for `{target}`"
            ),
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
        Some(until @ (Until::Listening | Until::Http)) => Err(usage(
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

/// Whether a path means a file: it is one, or was one that somebody still runs or has open.
fn is_file(host: &dyn Host, target: &Target, path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file())
        || !Census::take_with_files(host, std::slice::from_ref(target)).meant_by(target).is_empty()
}

/// A bare number is a process only where that is all it can be: `3000` typed for `:3000` would
/// otherwise be gone at once.
fn one_meaning(host: &dyn Host, target: &Target, number: u32) -> Result<(), ErrorReport> {
    let alive = !Census::take(host, std::slice::from_ref(target)).alive(number).is_empty();
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
