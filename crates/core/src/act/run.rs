//! One plan carried out: asking, waiting, forcing, clearing, and the kernel's last word.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::again::Restart;
use super::deed::refused;
use super::group::Group;
use super::job::Goal;
use super::tree::FAMILY;
use crate::addr::Endpoint;
use crate::bind::{Attempt, BindRequest, BindResult, Conflict, Occupant, Rules};
use crate::diagnosis::{CauseKind, Diagnosis, Verdict, is_remains};
use crate::explain;
use crate::host::{ActError, Enclosure, Host, Pinned, Watch, Woken};
use crate::look::LookOptions;
use crate::plan::{
    Lever, Limits, Part, Plan, Refusal, SIGCONT, SIGKILL, Verb, Victim, signal_name,
};
use crate::process::ProcessId;
use crate::report::{EventReport, Outcome, RefusalReport};
use crate::sight::{Sight, look_at_ports};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::socket::{Holder, Socket, TcpState};

/// Between two looks at the table while a restart is watched for.
const RESPAWN_STEP: Duration = Duration::from_millis(20);
/// Between two lines of a countdown.
const COUNTDOWN: Duration = Duration::from_secs(1);
/// How long the kernel may take to drop a socket after its holder ended (io_uring, many files).
pub(super) const AFTER_EXIT: Duration = Duration::from_millis(1500);

/// How an act ended.
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) explain: String,
    pub(super) notes: Vec<String>,
    /// Who started it again and may be ended for it.
    pub(super) by: Option<Again>,
    /// What stood before it, where that showed only on the way.
    pub(super) refusal: Option<RefusalReport>,
}

impl End {
    pub(super) fn new(outcome: Outcome, explain: String) -> Self {
        Self { outcome, explain, notes: Vec::new(), by: None, refusal: None }
    }
}

/// What came again after it had ended, by scripts that were to be ended if they did that.
pub(super) struct Again {
    /// The scripts.
    pub(super) scripts: Vec<ProcessId>,
    /// The processes that they started.
    pub(super) pids: Vec<u32>,
}

/// Why the wait for the holders ended.
pub(super) enum Release {
    /// The wanted sockets are gone, or the processes have ended.
    Done,
    /// The time is over; these have not let go.
    Late(Stubborn),
    /// The person stopped it.
    Interrupted,
    /// A signal was not permitted.
    Denied(String),
    /// A guard rail stands before somebody who was not there when the plan was made.
    Refused(Refusal),
}

/// Those that did not let go in time.
pub(super) struct Stubborn {
    /// Their names.
    pub(super) names: Vec<String>,
    /// Why one of them was not forced.
    pub(super) spared: Option<&'static str>,
}

/// What is told of an act while it goes on: of which target, and what.
pub(super) type Tell<'a> = &'a dyn Fn(&str, &EventReport);

pub(super) struct Run<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) limits: &'a Limits,
    pub(super) plan: &'a Plan,
    pub(super) target: String,
    pub(super) started: Duration,
    pub(super) watch: Watch,
    pub(super) events: Vec<EventReport>,
    pub(super) interrupted: bool,
    pub(super) progress: Tell<'a>,
    /// What showed on the way and a person should know in the end.
    pub(super) late_notes: Vec<String>,
    /// Where the members of a tree are put before they are forced.
    pub(super) enclosure: Option<Box<dyn Enclosure>>,
}

/// A port whose holders have let go: what is left is to see who starts them again, and to ask the
/// kernel.
pub(super) struct Released {
    /// The port; `None` where processes were to end.
    endpoint: Option<Endpoint>,
    /// The ports that the processes served.
    ports: Vec<Endpoint>,
    pub(super) restarters: Vec<Pinned>,
    /// What the restarters had started before.
    pub(super) before: HashSet<ProcessId>,
    /// When a restart is waited for no longer.
    pub(super) deadline: Duration,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        host: &'a dyn Host,
        limits: &'a Limits,
        plan: &'a Plan,
        target: String,
        progress: Tell<'a>,
    ) -> Self {
        Self {
            host,
            limits,
            plan,
            target,
            started: host.now(),
            watch: host.watch(&plan.cookies),
            events: Vec::new(),
            interrupted: false,
            progress,
            late_notes: Vec::new(),
            enclosure: None,
        }
    }

    /// From here on another plan for the same target, made because the first was not enough.
    pub(super) fn with(self, plan: &'a Plan) -> Self {
        Self { plan, watch: self.host.watch(&plan.cookies), ..self }
    }

    /// The whole act.
    pub(super) fn carry_out(&mut self, goal: &Goal) -> End {
        match self.begin(goal) {
            Ok(released) => self.finish(&released),
            Err(end) => end,
        }
    }

    /// All but the watch for a restart, which that of several ports can share, and the kernel's
    /// last word.
    ///
    /// # Errors
    /// The end, where there is nothing more to do.
    pub(super) fn begin(&mut self, goal: &Goal) -> Result<Released, End> {
        if let (Some(deed), Goal::Processes { ports }) = (self.plan.deed, goal) {
            return Err(self.carry_out_deed(deed, ports));
        }
        let restarters = self.pin_restarters();
        let before = match goal {
            Goal::Processes { .. } => self.started_by(&restarters),
            _ => Vec::new(),
        };
        let before: HashSet<ProcessId> = before.into_iter().collect();
        if let Some(end) = self.let_go(goal) {
            return Err(end);
        }
        let deadline = self.host.now() + self.plan.watch;
        let endpoint = match goal {
            Goal::Port(endpoint) => endpoint,
            Goal::Processes { ports } => {
                let ports = ports.clone();
                return Ok(Released { endpoint: None, ports, restarters, before, deadline });
            }
            Goal::Unix { name, inodes } => return Err(self.settle_unix(name, inodes)),
        };
        let end = self.clear(endpoint);
        // Of many ports each would keep a stream of the kernel's open.
        self.watch = Watch::silent();
        match end {
            Some(end) => Err(end),
            None => Ok(Released {
                endpoint: Some(*endpoint),
                ports: Vec::new(),
                restarters,
                before,
                deadline,
            }),
        }
    }

    /// Makes the holders let go. `Some` ends the act.
    fn let_go(&mut self, goal: &Goal) -> Option<End> {
        // Before anything is done: a number may be another's afterwards.
        let awaited = match Group::pin(self.host, &self.plan.awaited) {
            Ok(awaited) => awaited,
            Err(why) => return Some(End::new(Outcome::Denied, why)),
        };
        for place in 0..self.plan.levers.len() {
            if let Some(end) = self.pull(place) {
                return Some(end);
            }
        }
        if let Some(end) = self.wait_for_awaited(awaited) {
            return Some(end);
        }
        if let Some(path) = &self.plan.remove_file {
            return Some(self.remove_file(path));
        }
        if let Goal::Port(endpoint) = goal
            && !self.plan.levers.is_empty()
            && self.wait_for_levers(endpoint) == Woken::Interrupted
        {
            return Some(self.interrupted());
        }
        let released = match self.limits.tree && !self.plan.victims.is_empty() {
            true => self.end_tree(),
            false => self.release(goal),
        };
        Some(match released {
            Release::Done => return None,
            Release::Refused(refusal) => refused(refusal),
            Release::Interrupted => self.interrupted(),
            Release::Denied(why) => End::new(Outcome::Denied, why),
            Release::Late(stubborn) => self.still_held(&stubborn),
        })
    }

    /// The processes have ended: who starts one of them again, and what became of their ports.
    fn settle_processes(&mut self, released: &Released) -> End {
        if let Some(end) = self.watch_for_return(released) {
            return end;
        }
        let ended = self.events.iter().filter(|event| event.event == "exited").count();
        let (victims, awaited) = (&self.plan.victims, &self.plan.awaited);
        let count = (victims.len() + awaited.len()).max(ended);
        let text = match victims.first().or(awaited.first()) {
            Some(one) if count == 1 => format!("{} (pid {}) has ended", one.name, one.id.pid),
            _ => format!("{count} processes have ended"),
        };
        let sights = self.look_again(&released.ports);
        if let Some(end) = self.served_again(&sights) {
            return end;
        }
        let mut end = End::new(Outcome::Freed, text);
        end.notes = ports_after(&sights);
        end
    }

    /// What to type where a process is another user's, as the kernel says.
    pub(super) fn as_root(&self) -> String {
        let command = self.limits.command(std::slice::from_ref(&self.target));
        format!("it is another user's; try: sudo {command}")
    }

    pub(super) fn with_more_rights(&self, command: &str) -> String {
        explain::with_more_rights(command, self.plan.on_windows)
    }

    pub(super) fn left(&self) -> Duration {
        let spent = self.host.now().saturating_sub(self.started);
        self.limits.timeout.saturating_sub(spent)
    }

    /// Says of each that has ended since the last time that it has.
    pub(super) fn note_ended(&mut self, group: &mut Group, victims: &[Victim]) {
        for index in group.newly_gone(self.host) {
            let victim = &victims[index];
            let text = format!("{} (pid {}) has ended", victim.name, victim.id.pid);
            self.note("exited", Some(victim.id.pid), text);
        }
    }

    fn remove_file(&mut self, path: &str) -> End {
        // Somebody may have begun to serve it since it was looked at.
        if self.host.unix_refuses(path) != Some(true) {
            return End::new(Outcome::TakenByAnother, format!("{path} is served again"));
        }
        match self.host.remove_file(path) {
            Ok(()) => {
                self.note("removed", None, format!("removed {path}"));
                End::new(Outcome::Freed, format!("removed the stale socket file {path}"))
            }
            Err(error) => End::new(Outcome::Denied, format!("{path} cannot be removed: {error}")),
        }
    }

    /// The server is gone; the file it leaves would stop the next one's bind as it did.
    fn settle_unix(&mut self, name: &str, inodes: &HashSet<u64>) -> End {
        let freed = || End::new(Outcome::Freed, format!("nobody serves {name} any more"));
        if name.starts_with('@') {
            return freed();
        }
        match self.host.unix_refuses(name) {
            None => freed(),
            Some(false) if self.serves_still(inodes) => {
                let commands: Vec<String> = self.plan.levers.iter().map(Lever::command).collect();
                let text = format!("{name} is still served, in spite of: {}", commands.join(", "));
                End::new(Outcome::StillHeld, text)
            }
            Some(false) => End::new(Outcome::TakenByAnother, format!("{name} is served again")),
            Some(true) if self.limits.verb == Verb::Stop => {
                let mut end = freed();
                end.notes.push(format!(
                    "its socket file is left, which stops a bind: proc free {name} removes it"
                ));
                end
            }
            Some(true) => match self.remove_file(name) {
                End { outcome: Outcome::Freed, .. } => freed(),
                end => end,
            },
        }
    }

    /// Whether what a lever was to stop has its sockets all the same.
    fn serves_still(&self, inodes: &HashSet<u64>) -> bool {
        let pids: Vec<u32> =
            self.plan.levers.iter().flat_map(|lever| lever.pids.iter().copied()).collect();
        let scope = Scope { sockets: SocketScope::HeldBy(pids.clone()), ..Scope::default() };
        !pids.is_empty() && any_left(&self.host.snapshot(&scope), inodes)
    }

    /// Asks the victims, topmost first, and waits until they have let go.
    fn release(&mut self, goal: &Goal) -> Release {
        if self.plan.victims.is_empty() {
            return Release::Done;
        }
        let mut group = match Group::pin(self.host, &self.plan.victims) {
            Ok(group) => group,
            Err(why) => return Release::Denied(why),
        };
        let first = match self.limits.now {
            true => self.signal_all(&mut group, Some(SIGKILL), |_| true),
            false => self.signal_all(&mut group, None, |victim| victim.topmost),
        };
        if let Err(why) = first {
            return Release::Denied(why);
        }
        let asked_at = self.host.now();
        let mut top_gone_at = None;
        loop {
            self.note_ended(&mut group, &self.plan.victims);
            let released = group.runners_gone() && self.is_released(goal, &group);
            if released && (group.all_asked() || !group.has_kin()) {
                return Release::Done;
            }
            let now = self.host.now();
            if top_gone_at.is_none() && group.top_is_gone() {
                top_gone_at = Some(now);
            }
            let mut next = self.started + self.limits.timeout;
            if let Some(gone) = top_gone_at
                && !group.all_asked()
            {
                // The family did not follow: each is asked in person.
                if now >= gone + FAMILY {
                    let signal = self.limits.now.then_some(SIGKILL);
                    if let Err(why) = self.signal_all(&mut group, signal, |_| true) {
                        return Release::Denied(why);
                    }
                } else {
                    next = next.min(gone + FAMILY);
                }
            }
            if self.limits.verb != Verb::Stop && !group.forced {
                if now >= asked_at + self.limits.grace {
                    group.forced = true;
                    let forced =
                        |victim: &Victim| victim.part != Part::Kin && victim.never_forced.is_none();
                    if let Err(why) = self.signal_all(&mut group, Some(SIGKILL), forced) {
                        return Release::Denied(why);
                    }
                } else {
                    next = next.min(asked_at + self.limits.grace);
                }
            }
            if group.none_holds() && now >= group.last_exit + AFTER_EXIT {
                // The processes are gone; what is left is judged by the caller.
                return Release::Done;
            }
            if group.none_holds() {
                next = next.min(group.last_exit + AFTER_EXIT);
            }
            if now >= self.started + self.limits.timeout {
                return Release::Late(self.stubborn(&group));
            }
            let alive = group.alive_pins();
            match self.host.wait(&alive, &mut self.watch, next.saturating_sub(now)) {
                Woken::Interrupted => return Release::Interrupted,
                Woken::Event | Woken::Timeout => {}
            }
        }
    }

    /// Whether everything the victims were wanted for is gone, whatever they do besides: a
    /// server that closed its port and drains its requests is left to drain.
    fn is_released(&self, goal: &Goal, group: &Group) -> bool {
        let wanted: HashSet<u64> =
            self.plan.victims.iter().flat_map(|victim| victim.holds.iter().map(|h| h.1)).collect();
        match goal {
            Goal::Processes { .. } => group.all_gone(),
            Goal::Port(endpoint) => {
                let states = match self.plan.every_state {
                    true => States::All,
                    false => States::Servers,
                };
                !any_left(&self.table(endpoint, states), &wanted)
            }
            // By the kernel's table, not by the descriptors: those of a process that is ending can
            // no longer be read by its own user, and are still open.
            Goal::Unix { name, inodes } => {
                let scope =
                    Scope { sockets: SocketScope::Unix(vec![name.clone()]), ..Scope::default() };
                group.all_gone() || !any_left(&self.host.snapshot(&scope), inodes)
            }
        }
    }

    pub(super) fn table(&self, endpoint: &Endpoint, states: States) -> Snapshot {
        self.host.snapshot(&Scope {
            sockets: SocketScope::Ports(vec![*endpoint]),
            states,
            ..Scope::default()
        })
    }

    /// Signals each chosen victim that is alive, was not sent this signal yet, and still holds
    /// what it was seen to hold. Without a signal each is asked by its own.
    fn signal_all(
        &mut self,
        group: &mut Group,
        signal: Option<i32>,
        choose: impl Fn(&Victim) -> bool,
    ) -> Result<(), String> {
        for index in 0..group.members.len() {
            let victim = &self.plan.victims[index];
            let signal = signal.or(victim.ask).unwrap_or(self.limits.signal);
            let member = &group.members[index];
            let Some(pin) = &member.pin else { continue };
            if member.gone || member.sent.contains(&signal) || !choose(victim) {
                continue;
            }
            if !self.holds_still(victim, pin) {
                // It let go by itself, or never was the one: nobody is hurt for nothing.
                group.members[index].let_go = true;
                continue;
            }
            let name = format!("{} (pid {})", victim.name, victim.id.pid);
            let mut signal = signal;
            let mut sent = self.host.signal(pin, signal);
            if sent == Err(ActError::CannotBeAsked)
                && self.limits.verb != Verb::Stop
                && victim.never_forced.is_none()
                && victim.part != Part::Kin
            {
                // Nobody can ask it: what comes after the asking comes at once.
                signal = SIGKILL;
                sent = self.host.signal(pin, signal);
            }
            match sent {
                Ok(()) => {}
                Err(ActError::Gone) => {
                    group.members[index].gone = true;
                    continue;
                }
                Err(ActError::Denied) => return Err(self.may_not_end(&name)),
                Err(ActError::CannotBeAsked) if victim.part == Part::Kin => continue,
                Err(error @ ActError::CannotBeAsked) => {
                    return Err(self.cannot_be_asked(&name, error));
                }
                Err(error) => return Err(format!("{name} cannot be signalled: {error}")),
            }
            let pid = Some(victim.id.pid);
            if signal == SIGKILL {
                self.note("forced", pid, format!("forced {name} to end ({})", self.forces_by()));
            } else {
                let by = self.asks_by(signal);
                self.note("asked", pid, format!("asked {name} to end ({by})"));
            }
            group.members[index].sent.push(signal);
            if victim.stopped
                && signal != SIGKILL
                && let Some(pin) = &group.members[index].pin
                && self.host.signal(pin, SIGCONT).is_ok()
            {
                self.note("continued", pid, format!("continued {name}, which was stopped"));
            }
        }
        Ok(())
    }

    pub(super) fn may_not_end(&self, name: &str) -> String {
        match self.plan.on_windows {
            true => format!(
                "you may not end {name}: it is another user's or elevated; try in an elevated terminal"
            ),
            false => format!("you may not signal {name}: {}", self.as_root()),
        }
    }

    /// With what does it all the same.
    pub(super) fn cannot_be_asked(&self, name: &str, error: ActError) -> String {
        let tree = if self.limits.tree { "--tree " } else { "" };
        let target = &self.target;
        format!("{name} cannot be asked to end: {error}; proc kill {tree}{target} ends it unasked")
    }

    /// How one is asked, in the words of the system.
    pub(super) fn asks_by(&self, signal: i32) -> String {
        if self.plan.on_windows {
            "WM_CLOSE, or Ctrl-C in a console of its own".to_owned()
        } else {
            signal_name(signal)
        }
    }

    /// How one is forced, in the words of the system.
    pub(super) const fn forces_by(&self) -> &'static str {
        if self.plan.on_windows { "TerminateProcess" } else { "SIGKILL" }
    }

    /// The holders are gone: clears what their end left. `Some` ends the act.
    fn clear(&mut self, endpoint: &Endpoint) -> Option<End> {
        self.destroy_planned();
        self.clear_remains(endpoint, self.acts_on_holders())
    }

    fn acts_on_holders(&self) -> bool {
        !self.plan.victims.is_empty() || !self.plan.levers.is_empty()
    }

    /// Watches for a restart, and asks the kernel.
    pub(super) fn finish(&mut self, released: &Released) -> End {
        let Some(endpoint) = &released.endpoint else { return self.settle_processes(released) };
        if let Some(end) = self.watch_for_restart(endpoint, released) {
            return end;
        }
        // The one round of probes that proves it.
        let sights = look_at_ports(self.host, &[*endpoint], &LookOptions::default());
        match sights.first() {
            Some(sight) => self.judge(sight, self.acts_on_holders()),
            None => End::new(Outcome::Freed, format!("{endpoint} is free")),
        }
    }

    fn destroy_planned(&mut self) {
        let live: Vec<&Socket> =
            self.plan.destroy.iter().filter(|socket| !is_remains(socket)).collect();
        for socket in live {
            let what = connection_name(socket);
            match self.host.destroy(socket) {
                Ok(()) => self.note("destroyed", None, format!("closed the connection {what}")),
                Err(ActError::Gone) => {}
                Err(error) => {
                    self.note("failed", None, format!("the connection {what} stays: {error}"));
                }
            }
        }
    }

    /// Destroys or resets what ended connections left, as far as this user may, and waits for the
    /// rest where nothing but remains was in the way from the start, or where they stop even a
    /// server with SO_REUSEADDR. `Some` ends the act.
    fn clear_remains(&mut self, endpoint: &Endpoint, acted_on_holder: bool) -> Option<End> {
        let deadline = self.started + self.limits.timeout;
        let mut last_line = None;
        let mut last_open = None;
        let mut asked_kernel = !acted_on_holder;
        let mut tried: HashSet<(SocketAddr, SocketAddr)> = HashSet::new();
        loop {
            let snapshot = self.table(endpoint, States::All);
            let own: Vec<&Socket> =
                snapshot.sockets.iter().filter(|socket| socket.netns.is_none()).collect();
            // Somebody has it, and what does not end by itself is not waited for: the judge says who.
            if own.iter().any(|socket| !is_ending(socket)) {
                return None;
            }
            let plain = obstacles(&own, endpoint, false, &snapshot);
            if plain.is_empty() {
                return None;
            }
            let mut cleared = (0, 0);
            for socket in &plain {
                let Some(pair) = socket.local.inet().zip(socket.remote) else { continue };
                // A connection that a living process has is not ours to cut for a plain bind, and
                // `stop` only waits.
                let waits = self.limits.verb == Verb::Stop && !acted_on_holder;
                if waits || !is_remains(socket) || !tried.insert(pair) {
                    continue;
                }
                if snapshot.asker.may_destroy && self.host.destroy(socket).is_ok() {
                    cleared.0 += 1;
                } else if self.host.reset_time_wait(socket).is_ok() {
                    cleared.1 += 1;
                }
            }
            if cleared.0 > 0 {
                let what = explain::count(cleared.0, "closed connection", "closed connections");
                self.note("destroyed", None, format!("cleared what {what} left on {endpoint}"));
            }
            if cleared.1 > 0 {
                let what = explain::count(cleared.1, "closed connection", "closed connections");
                self.note("reset", None, format!("ended the TIME-WAIT of {what} on {endpoint}"));
            }
            if cleared != (0, 0) {
                continue; // look again: all of it, or only a part, may be gone
            }
            // Nothing more can be cleared. A server with SO_REUSEADDR, like the one before if
            // its remains let one by, need not wait for the rest.
            if !asked_kernel {
                asked_kernel = true;
                let sights = look_at_ports(self.host, &[*endpoint], &LookOptions::default());
                if sights.iter().all(|sight| reusable(&sight.diagnosis)) {
                    return None;
                }
            }
            let mut open: Vec<u64> = plain
                .iter()
                .filter(|socket| !is_remains(socket))
                .filter_map(|socket| socket.cookie)
                .collect();
            open.sort_unstable();
            if last_open.as_ref() != Some(&open) {
                self.watch = self.host.watch(&open);
                last_open = Some(open);
                continue; // one may have ended before it was watched
            }
            let left = plain.iter().filter_map(|socket| socket.expires_ms).max();
            let now = self.host.now();
            if now >= deadline {
                return None;
            }
            let left_time = left.map_or(COUNTDOWN, |ms| Duration::from_millis(u64::from(ms) + 1));
            if left.is_some() && now + left_time > deadline && last_line.is_none() {
                let text = left.map_or(String::new(), explain::seconds);
                self.note(
                    "waiting",
                    None,
                    format!(
                        "{endpoint} stays blocked for {text}, longer than the {} allowed",
                        explain::span(self.limits.timeout)
                    ),
                );
            }
            if last_line.is_none_or(|at| now >= at + COUNTDOWN) {
                last_line = Some(now);
                let in_time = left.map_or(String::new(), |ms| {
                    format!("; the last ends in {}", explain::seconds(ms))
                });
                let what = match open.len() {
                    0 => explain::count(plain.len(), "closed connection", "closed connections"),
                    _ => explain::count(plain.len(), "connection", "connections"),
                };
                self.tell("waiting", format!("waiting for {what} on {endpoint}{in_time}"));
            }
            let step = left_time.min(COUNTDOWN).min(deadline - now);
            if self.host.wait(&[], &mut self.watch, step) == Woken::Interrupted {
                return Some(self.interrupted());
            }
        }
    }

    fn pin_restarters(&self) -> Vec<Pinned> {
        if self.plan.restarters.is_empty() {
            return Vec::new();
        }
        let scope = Scope { pids: self.plan.restarters.clone(), ..Scope::default() };
        let snapshot = self.host.snapshot(&scope);
        self.plan
            .restarters
            .iter()
            .filter_map(|pid| self.host.pin(snapshot.processes.get(pid)?.id).ok())
            .collect()
    }

    /// Waits while somebody lives who could start the holder again, but not longer than a
    /// restart takes. The table is read, never probed.
    fn watch_for_restart(&mut self, endpoint: &Endpoint, released: &Released) -> Option<End> {
        let Released { restarters, deadline, .. } = released;
        self.watch = self.host.watch(&self.plan.cookies);
        loop {
            let alive: Vec<&Pinned> =
                restarters.iter().filter(|pin| !self.host.exited(pin)).collect();
            let now = self.host.now();
            let nobody = alive.is_empty() && !self.plan.restarters.is_empty();
            if nobody || now >= *deadline {
                return None;
            }
            let snapshot = self.table(endpoint, States::Servers);
            if snapshot.sockets.iter().any(|s| s.netns.is_none() && s.is_server()) {
                return None; // the judge says who
            }
            let step = RESPAWN_STEP.min(*deadline - now);
            if self.host.wait(&alive, &mut self.watch, step) == Woken::Interrupted {
                return Some(self.interrupted());
            }
        }
    }

    /// The kernel's last word, in terms of what was attempted.
    fn judge(&mut self, sight: &Sight, acted_on_holder: bool) -> End {
        let diagnosis = &sight.diagnosis;
        let endpoint = diagnosis.endpoint;
        let elapsed = self.host.now().saturating_sub(self.started);
        let in_time = format!("in {}", explain::stopwatch(elapsed));
        let server = diagnosis.causes.iter().any(|cause| {
            cause.sockets.iter().any(|&index| {
                sight
                    .snapshot
                    .sockets
                    .get(index)
                    .is_some_and(|s| s.netns.is_none() && !is_ending(s))
            })
        });
        if acted_on_holder && diagnosis.verdict != Verdict::Free && !server && reusable(diagnosis) {
            return self.freed_for_reuse(diagnosis, &in_time);
        }
        match diagnosis.verdict {
            Verdict::Free => {
                self.note("freed", None, format!("{endpoint} can be bound"));
                End::new(Outcome::Freed, format!("{endpoint} is free ({in_time})"))
            }
            Verdict::Denied => {
                // Held no more; that this user may not bind it is another matter.
                self.note("freed", None, format!("nothing holds {endpoint} any more"));
                End::new(
                    Outcome::Freed,
                    format!(
                        "nothing holds {endpoint} any more ({in_time}), though you may not bind it"
                    ),
                )
            }
            Verdict::Lingering => {
                let left = diagnosis.causes.iter().filter_map(|cause| cause.expires_ms).max();
                End::new(
                    Outcome::Lingering,
                    format!(
                        "nobody holds {endpoint}, but closed connections keep it: free {}",
                        passes(left)
                    ),
                )
            }
            Verdict::Held => self.judge_held(sight),
        }
    }

    /// The holder is gone and so is its listener; connections of its that linger, or that it is
    /// still serving, let a server with SO_REUSEADDR by, as they let the old one by.
    fn freed_for_reuse(&mut self, diagnosis: &Diagnosis, in_time: &str) -> End {
        let endpoint = diagnosis.endpoint;
        self.note("freed", None, format!("{endpoint} can be bound with SO_REUSEADDR"));
        let mut end = End::new(Outcome::Freed, format!("{endpoint} is free ({in_time})"));
        let drains =
            diagnosis.causes.iter().any(|cause| cause.kind == CauseKind::AcceptedConnection);
        let left = diagnosis.causes.iter().filter_map(|cause| cause.expires_ms).max();
        end.notes.push(match drains {
            true => format!(
                "the old server is still ending its connections: until then a server that does not set SO_REUSEADDR cannot bind {endpoint}"
            ),
            false => format!(
                "closed connections linger: a server that does not set SO_REUSEADDR can bind {endpoint} {}",
                passes(left)
            ),
        });
        end
    }

    fn judge_held(&mut self, sight: &Sight) -> End {
        let (diagnosis, snapshot) = (&sight.diagnosis, &*sight.snapshot);
        let endpoint = diagnosis.endpoint;
        let why = diagnosis.causes.first().map_or_else(
            || format!("{endpoint} is held"),
            |cause| explain::cause(cause, &endpoint, snapshot),
        );
        let old: HashSet<u64> =
            self.plan.victims.iter().flat_map(|v| v.holds.iter().map(|hold| hold.1)).collect();
        let victims: Vec<u32> = self.plan.victims.iter().map(|victim| victim.id.pid).collect();
        let same = diagnosis.causes.iter().any(|cause| {
            !cause.pids.is_empty() && cause.pids.iter().all(|pid| victims.contains(pid))
        });
        if any_left(snapshot, &old) || same {
            return End::new(Outcome::StillHeld, why);
        }
        if let Some(lever) = self.idle_lever(diagnosis, snapshot) {
            let text = format!("{} did not end it: {why}", lever.command());
            return End::new(Outcome::StillHeld, text);
        }
        let new_pids: Vec<u32> =
            diagnosis.causes.iter().flat_map(|cause| cause.pids.iter().copied()).collect();
        let brought_back = new_pids.iter().find(|&&pid| {
            let above = snapshot.ancestors(pid);
            above.iter().any(|above| self.plan.restarters.contains(&above.id.pid))
        });
        if let Some(&pid) = brought_back {
            let Restart { by, advice, script } = self.restarted(pid, snapshot);
            let end = End::new(
                Outcome::Respawned,
                format!("{endpoint} was freed, and {by} started it again as pid {pid}{advice}"),
            );
            let by = script.map(|script| Again { scripts: vec![script], pids: vec![pid] });
            return End { by, ..end };
        }
        if let Some((pid, lever)) = self.runs_again(&new_pids, snapshot) {
            let name = lever.name.clone();
            self.note("respawned", Some(pid), format!("{name} runs it again"));
            return End::new(
                Outcome::Respawned,
                format!("{endpoint} was freed, and {name} runs it again as pid {pid}: {why}"),
            );
        }
        if !self.acts_on_holders() {
            return End::new(Outcome::StillHeld, why);
        }
        End::new(Outcome::TakenByAnother, format!("it was freed, then taken by another: {why}"))
    }

    fn still_held(&self, stubborn: &Stubborn) -> End {
        let who = match stubborn.names.is_empty() {
            true => "it".to_owned(),
            false => stubborn.names.join(", "),
        };
        let spared = stubborn.spared.filter(|_| self.limits.verb != Verb::Stop);
        if let Some(why) = spared {
            let text = explain::span(self.limits.timeout);
            return End::new(
                Outcome::StillHeld,
                format!(
                    "{who} did not let go within {text}, and was not forced: {why}; --force does that"
                ),
            );
        }
        let hint = match self.limits.verb {
            Verb::Stop => "; proc kill forces it",
            _ => "",
        };
        End::new(
            Outcome::StillHeld,
            format!("{who} did not let go within {}{hint}", explain::span(self.limits.timeout)),
        )
    }

    /// Those of the group that hold on.
    fn stubborn(&self, group: &Group) -> Stubborn {
        let victims = || group.holding().into_iter().filter_map(|at| self.plan.victims.get(at));
        Stubborn {
            names: victims().map(|it| format!("{} (pid {})", it.name, it.id.pid)).collect(),
            spared: victims().find_map(|victim| victim.never_forced),
        }
    }

    /// Whether a victim still has what it was seen to hold; one that was named needs no more than
    /// to be there.
    pub(super) fn holds_still(&self, victim: &Victim, pin: &Pinned) -> bool {
        let holds = |(holder, inode): &(Holder, u64)| self.host.still_holds(pin, holder, *inode);
        victim.holds.is_empty() || victim.holds.iter().any(holds)
    }

    pub(super) fn interrupted(&mut self) -> End {
        self.interrupted = true;
        self.note("interrupted", None, "interrupted".to_owned());
        let done: Vec<String> = self
            .events
            .iter()
            .filter(|event| !matches!(event.event.as_str(), "interrupted" | "waiting"))
            .map(|event| event.explain.clone())
            .collect();
        let done = match done.is_empty() {
            true => "nothing had been done".to_owned(),
            false => format!("done so far: {}", done.join("; ")),
        };
        End::new(Outcome::StillHeld, format!("interrupted; {done}"))
    }

    pub(super) fn note(&mut self, event: &str, pid: Option<u32>, explain: String) {
        let event = self.event(event, pid, explain);
        (self.progress)(&self.target, &event);
        self.events.push(event);
    }

    /// For the moment only: a countdown's line is no event worth keeping.
    fn tell(&mut self, event: &str, explain: String) {
        let event = self.event(event, None, explain);
        (self.progress)(&self.target, &event);
    }

    fn event(&self, event: &str, pid: Option<u32>, explain: String) -> EventReport {
        let at = self.host.now().saturating_sub(self.started);
        EventReport { at_ms: at.as_millis() as u64, event: event.to_owned(), pid, explain }
    }
}

/// What became of the ports that they served, by a bind of each.
fn ports_after(sights: &[Sight]) -> Vec<String> {
    let told = sights.iter().map(|sight| {
        let (diagnosis, port) = (&sight.diagnosis, sight.diagnosis.endpoint);
        let cause = diagnosis.causes.first();
        match (diagnosis.verdict, cause) {
            (Verdict::Free, _) => format!("{port}, which it served, can be bound"),
            (Verdict::Lingering, _) if reusable(diagnosis) => {
                format!("{port}, which it served, can be bound with SO_REUSEADDR")
            }
            (_, Some(cause)) => explain::cause(cause, &port, &sight.snapshot),
            (_, None) => format!("{port} cannot be bound"),
        }
    });
    told.collect()
}

/// Whether a socket is a connection, open or over, and no server's.
fn is_ending(socket: &Socket) -> bool {
    socket.state.is_some_and(TcpState::is_connection)
}

pub(super) fn any_left(snapshot: &Snapshot, inodes: &HashSet<u64>) -> bool {
    snapshot.sockets.iter().filter_map(|socket| socket.inode).any(|inode| inodes.contains(&inode))
}

/// The sockets that would stop a bind of any ordinary address of the endpoint.
fn obstacles<'a>(
    sockets: &[&'a Socket],
    endpoint: &Endpoint,
    reuse_addr: bool,
    snapshot: &Snapshot,
) -> Vec<&'a Socket> {
    let rules = Rules::of(snapshot.source);
    let requests: Vec<BindRequest> =
        BindRequest::all_of(endpoint, reuse_addr, snapshot.asker.uid).collect();
    sockets
        .iter()
        .filter(|socket| {
            Occupant::from_socket(socket).is_some_and(|occupant| {
                requests.iter().any(|request| rules.conflict(request, &occupant) != Conflict::No)
            })
        })
        .copied()
        .collect()
}

/// Whether SO_REUSEADDR gets past everything, for every address.
fn reusable(diagnosis: &Diagnosis) -> bool {
    let stuck = |row: &Attempt| matches!(row.reuse_addr, BindResult::InUse | BindResult::Denied);
    !diagnosis.bind.iter().any(stuck)
}

fn passes(left_ms: Option<u32>) -> String {
    left_ms.map_or("soon".to_owned(), |ms| format!("in {}", explain::seconds(ms)))
}

fn connection_name(socket: &Socket) -> String {
    match socket.remote {
        Some(remote) => format!("{} to {remote}", socket.local),
        None => socket.local.to_string(),
    }
}
