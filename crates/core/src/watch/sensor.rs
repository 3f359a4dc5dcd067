//! Sees changes at the moment they happen, and nothing else: short looks at the sockets, and the
//! kernel's news of their ends. Who it was is found out elsewhere, so that nothing waits for it.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, SystemTime};

use super::change::{Change, State, Sweep, in_order};
use super::lens::Lens;
use super::pace::{Pace, Tempo};
use crate::addr::Endpoint;
use crate::host::{Glance, Host, Pinned, Watch, Woken};
use crate::process::ProcessId;
use crate::snapshot::{Scope, SocketScope, States};
use crate::socket::Socket;

/// A moment, by two clocks: one to reckon with, one to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// By [`Host::now`] of the sensor's host: never goes back.
    pub(super) at: Duration,
    /// The wall clock, which may be set at any time.
    pub(super) wall: SystemTime,
}

/// What the sensor found.
#[derive(Debug)]
pub(super) enum News {
    /// A socket came, went or changed.
    Change(Moment, Change),
    /// It was there at the beginning.
    There(Moment, Socket),
    /// Everything that was there at the beginning has been told.
    Settled,
    /// A process that was handed over ended.
    Ended(Moment, ProcessId),
    /// Something may be missing.
    Gap(Moment, Missing),
}

/// Why something may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The kernel told of more ends than were read in time.
    EventsLost,
    /// There are no such news here, and nobody looked for that long.
    Unwatched(Duration),
    /// Nobody took so many changes off our hands.
    Untold(usize),
}

/// Ports asked for: four exact lookups, which with waking up take 20 to 60 µs.
const KNOWN: Tempo = Tempo {
    share: 3_000,
    least: Duration::from_millis(4),
    most: Duration::from_millis(100),
    lively: Duration::from_micros(250),
    recent: Duration::from_millis(2),
};
/// The whole look beside them: for unusual addresses, and sockets that are only bound.
const WHOLE_BESIDE_KNOWN: Tempo = Tempo {
    share: 600,
    least: Duration::from_millis(50),
    most: Duration::from_secs(2),
    lively: Duration::from_millis(20),
    recent: Duration::from_millis(50),
};
/// The whole look alone, at every port of the machine.
const WHOLE: Tempo = Tempo {
    share: 3_500,
    least: Duration::from_millis(10),
    most: Duration::from_secs(2),
    lively: Duration::from_millis(2),
    recent: Duration::from_millis(10),
};

/// The longest sleep: how late it is noticed that nobody listens any more.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// From so many ends in a second on, they are read in batches.
const MANY_ENDS: usize = 2_000;
/// Without news of ends, a look that is so late may have missed something.
const LATE: Duration = Duration::from_millis(50);
/// Processes whose ends are waited for; each makes every wait a little dearer.
const MOST_PINS: usize = 64;

/// What the sensor needs beside a host.
#[derive(Debug)]
pub(super) struct Wiring<'a> {
    pub(super) lens: &'a Lens,
    /// Where the kernel takes ports for clients.
    pub(super) ephemeral: RangeInclusive<u16>,
    /// When to stop, by the sensor's clock counted from its start.
    pub(super) duration: Option<Duration>,
    /// Set when nobody listens any more.
    pub(super) stop: &'a AtomicBool,
    /// Processes whose ends are wanted.
    pub(super) pins: Receiver<Pinned>,
    pub(super) news: SyncSender<News>,
}

/// Sees until it is told to stop, interrupted, or out of time.
pub(super) fn sense(host: &dyn Host, wiring: Wiring<'_>) {
    Sensor::new(host, wiring).run();
}

struct Sensor<'a> {
    host: &'a dyn Host,
    wiring: Wiring<'a>,
    known: Vec<Endpoint>,
    state: State,
    events: Watch,
    /// Whether the cookies that end a wait are out of date.
    stale: bool,
    pins: Vec<Pinned>,
    partial: Pace,
    whole: Pace,
    last_partial: Duration,
    last_whole: Duration,
    last_change: Option<Duration>,
    /// Whether something changed since the last look.
    stirred: bool,
    /// Processor time used until the last look.
    spent: Duration,
    /// Ends heard of since this moment.
    ends: (Duration, usize),
    untold: usize,
}

impl<'a> Sensor<'a> {
    fn new(host: &'a dyn Host, wiring: Wiring<'a>) -> Self {
        let known = wiring.lens.known();
        let whole = match known.is_empty() {
            true => WHOLE,
            false => WHOLE_BESIDE_KNOWN,
        };
        let mut events = host.watch(&[]);
        events.take_ended();
        Self {
            host,
            wiring,
            known,
            state: State::default(),
            events,
            stale: true,
            pins: Vec::new(),
            partial: Pace::new(KNOWN),
            whole: Pace::new(whole),
            last_partial: host.now(),
            last_whole: host.now(),
            last_change: None,
            stirred: false,
            spent: host.spent(),
            ends: (host.now(), 0),
            untold: 0,
        }
    }

    fn run(&mut self) {
        let end = self.wiring.duration.map(|duration| self.host.now() + duration);
        self.begin();
        while !self.wiring.stop.load(Ordering::Relaxed) {
            let now = self.host.now();
            if end.is_some_and(|end| now >= end) {
                return self.hear();
            }
            let next = self.next_look().min(end.unwrap_or(Duration::MAX));
            match self.sleep(next.saturating_sub(now).min(LONGEST_SLEEP)) {
                Woken::Interrupted => return,
                Woken::Event | Woken::Timeout => {}
            }
            self.hear();
            self.look_where_due();
        }
    }

    fn begin(&mut self) {
        let (sockets, moment) = self.see_whole();
        for change in self.state.observe(sockets, Sweep::Whole, true).changes {
            self.send(News::There(moment, change.socket().clone()));
        }
        self.send(News::Settled);
    }

    fn sleep(&mut self, time: Duration) -> Woken {
        if std::mem::take(&mut self.stale) {
            let cookies: Vec<u64> =
                self.state.sockets().filter_map(|socket| socket.cookie).collect();
            self.events.follow(&cookies);
        }
        while self.pins.len() < MOST_PINS
            && let Ok(pin) = self.wiring.pins.try_recv()
        {
            self.pins.push(pin);
        }
        let pins: Vec<&Pinned> = self.pins.iter().collect();
        self.host.wait(&pins, &mut self.events, time)
    }

    /// Takes in what the kernel told: sockets and processes that ended.
    fn hear(&mut self) {
        let moment = self.moment();
        let ended = self.events.take_ended();
        self.count_ends(ended.sockets.len(), moment.at);
        let Wiring { lens, ephemeral, .. } = &self.wiring;
        let changes =
            self.state.ended(&ended.sockets, |socket| lens.brief_matters(socket, ephemeral));
        self.tell(changes, moment);
        let host = self.host;
        let gone: Vec<ProcessId> =
            self.pins.extract_if(.., |pin| host.exited(pin)).map(|pin| pin.id).collect();
        for id in gone {
            self.changed(moment.at);
            self.send(News::Ended(moment, id));
        }
        if ended.lost {
            self.send(News::Gap(moment, Missing::EventsLost));
            self.look_whole();
        }
    }

    fn count_ends(&mut self, count: usize, now: Duration) {
        self.ends.1 += count;
        if now.saturating_sub(self.ends.0) >= Duration::from_secs(1) {
            self.events.gathers = self.ends.1 > MANY_ENDS;
            self.ends = (now, 0);
        }
    }

    fn next_look(&self) -> Duration {
        let since = self.last_change.map(|last| self.host.now().saturating_sub(last));
        let whole = self.last_whole + self.whole.interval(since);
        match self.known.is_empty() {
            true => whole,
            false => whole.min(self.last_partial + self.partial.interval(since)),
        }
    }

    fn look_where_due(&mut self) {
        let now = self.host.now();
        let since = self.last_change.map(|last| now.saturating_sub(last));
        // What closed a moment ago is often opened again at once.
        let at_once = std::mem::take(&mut self.stirred);
        let (partial, whole) = (self.partial.interval(since), self.whole.interval(since));
        self.note_lateness(now, if self.known.is_empty() { whole } else { partial });
        if !self.known.is_empty() && (at_once || now >= self.last_partial + partial) {
            self.look_in_part();
        }
        if now >= self.last_whole + whole {
            self.look_whole();
        }
    }

    fn note_lateness(&mut self, now: Duration, interval: Duration) {
        let last = if self.known.is_empty() { self.last_whole } else { self.last_partial };
        let unwatched = now.saturating_sub(last);
        if !self.events.hears() && unwatched > interval + LATE {
            self.send(News::Gap(self.moment(), Missing::Unwatched(unwatched)));
        }
    }

    fn look_in_part(&mut self) {
        let seen = self.host.servers(&self.known, Glance::Quick);
        self.last_partial = self.host.now();
        let cost = self.lap();
        self.partial.took(cost);
        let Some(mut sockets) = seen else { return self.look_whole() };
        sockets.retain(|socket| self.wiring.lens.may_matter(socket));
        let moment = self.moment();
        let observed = self.state.observe(sockets, Sweep::Partial, self.events.hears());
        if !observed.unsure {
            return self.tell(observed.changes, moment);
        }
        let (rest, moment) = self.compare_whole();
        let all = observed.changes.into_iter().chain(rest).collect();
        self.tell(in_order(all), moment);
    }

    fn look_whole(&mut self) {
        let (changes, moment) = self.compare_whole();
        self.tell(in_order(changes), moment);
    }

    fn compare_whole(&mut self) -> (Vec<Change>, Moment) {
        let mut changes = Vec::new();
        let mut last = self.moment();
        // Again at once where something is absent, or was there beside what opened in its place, so that
        // its end is not told late.
        for _ in 0..3 {
            let (sockets, moment) = self.see_whole();
            last = moment;
            self.last_whole = self.host.now();
            let cost = self.lap();
            self.whole.took(cost);
            let observed = self.state.observe(sockets, Sweep::Whole, self.events.hears());
            changes.extend(observed.changes);
            if !observed.unsure {
                break;
            }
        }
        (changes, last)
    }

    /// Processor time since the last look: what this one took, and what led to it.
    fn lap(&mut self) -> Duration {
        let now = self.host.spent();
        now.saturating_sub(std::mem::replace(&mut self.spent, now))
    }

    fn see_whole(&self) -> (Vec<Socket>, Moment) {
        let lens = self.wiring.lens;
        let states = States::BoundIfCheap;
        let mut sockets = if lens.needs_everything() {
            let scope = Scope { sockets: SocketScope::AllPorts, states, ..Scope::default() };
            self.host.snapshot(&scope).sockets
        } else if self.known.is_empty() {
            Vec::new()
        } else {
            self.host.servers(&self.known, Glance::Thorough).unwrap_or_else(|| {
                let ports = SocketScope::Ports(self.known.clone());
                self.host.snapshot(&Scope { sockets: ports, states, ..Scope::default() }).sockets
            })
        };
        if !lens.unix.is_empty() {
            let names = lens.unix.iter().map(|(name, _)| name.clone()).collect();
            let scope = Scope { sockets: SocketScope::Unix(names), ..Scope::default() };
            sockets.extend(self.host.snapshot(&scope).sockets);
        }
        sockets.retain(|socket| lens.may_matter(socket));
        (sockets, self.moment())
    }

    fn tell(&mut self, changes: Vec<Change>, moment: Moment) {
        if !changes.is_empty() {
            self.changed(moment.at);
        }
        for change in changes {
            self.send(News::Change(moment, change));
        }
    }

    fn changed(&mut self, now: Duration) {
        self.last_change = Some(now);
        self.stale = true;
        self.stirred = true;
    }

    /// Hands on, without ever waiting: who does not read in time is told how much was missed.
    fn send(&mut self, news: News) {
        if self.untold > 0 {
            let gap = News::Gap(self.moment(), Missing::Untold(self.untold));
            match self.wiring.news.try_send(gap) {
                Ok(()) => self.untold = 0,
                Err(_) => {
                    self.untold += 1;
                    return;
                }
            }
        }
        match self.wiring.news.try_send(news) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.untold += 1,
            Err(TrySendError::Disconnected(_)) => self.wiring.stop.store(true, Ordering::Relaxed),
        }
    }

    fn moment(&self) -> Moment {
        Moment { at: self.host.now(), wall: SystemTime::now() }
    }
}
