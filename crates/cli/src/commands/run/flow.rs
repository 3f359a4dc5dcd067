//! The flow of `proc run`: start, watch, and after the end find out what was in the way, say it,
//! do what was chosen, and start again.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use proc_core::addr::{Endpoint, Port};
use proc_core::filter::ProcessFilter;
use proc_core::host::{Host, LiveHost};
use proc_core::http::{self, HttpUrl};
use proc_core::launch::Program;
use proc_core::lease::{Leases, Places};
use proc_core::message::{Class, Failure};
use proc_core::pick::{Problem, Reserved, reserve_above};
use proc_core::report::{ErrorReport, Outcome, Report, TargetReport};
use proc_core::snapshot::Scope;
use proc_core::wait::WaitRequest;

use super::Args;
use super::decide::{
    Choice, Ending, MOST_AGAIN, Obstacle, OnConflict, Step, answered, is_conflict, next_step,
    question,
};
use super::launching::{Launching, Told, found};
use super::same::{Own, running};
use super::watcher::{Plan, Seen, Watcher};
use crate::answer::{Answer, document};
use crate::core_api::{
    ActRequest, Consent, Core, Learn, LookOptions, Looked, Tell, Verb, WaitTargets, connect,
};
use crate::exit::{self, Exit, Question};
use crate::globals::Globals;
use crate::progress::Progress;
use crate::relay::{End, Life, Next, Relay, Status, end_by, fallback};
use crate::render;
use crate::terminal::{Stream, View, view};
use crate::{output, prompt};

/// Exit codes of a command that could not be started, as shells, env(1) and nohup(1) have them:
/// package scripts and CI know them.
const NOT_FOUND: u32 = 127;
const NOT_EXECUTABLE: u32 = 126;
/// The exit code of a command that was ended to be started again, and could not be.
const FAILED: u32 = 1;
/// How long asked holders are given before they are forced.
const GRACE: Duration = Duration::from_secs(5);
/// How long freeing may take; closed connections pass within a minute.
const FREEING: Duration = Duration::from_secs(75);

/// What is in the way of a command.
struct Way {
    /// The targets, as words.
    targets: Vec<String>,
    reports: Vec<TargetReport>,
    obstacle: Obstacle,
    /// The one port, where there is one.
    port: Option<Port>,
    sentences: Vec<String>,
}

/// Where to go from an ended command.
enum Go {
    Again,
    Leave,
}

/// One `proc run`.
pub struct Flow<'a> {
    globals: &'a Globals,
    core: Box<dyn Core>,
    relay: Relay,
    launching: Launching,
    on_conflict: OnConflict,
    timeout: Option<Duration>,
    free_first: bool,
    /// Whether only the asker's own is freed.
    mine: bool,
    again: u32,
    moved_from: Option<Port>,
    /// The port that the command was moved to, kept from other picks as long as it may run there.
    reserved: Option<Reserved>,
}

impl<'a> Flow<'a> {
    /// Takes over the signals; nothing is started yet.
    ///
    /// # Errors
    /// The system has no descriptors left, or `--free-first` without a port.
    pub fn new(
        args: &Args,
        globals: &'a Globals,
        core: Box<dyn Core>,
    ) -> Result<Self, ErrorReport> {
        let launching = Launching::new(args.command.clone(), args.port);
        if args.free_first && launching.wanted().is_none() {
            return Err(ErrorReport {
                kind: "usage".to_owned(),
                explain: format!(
                    "--free-first needs to know the port that `{}` wants: say it with --port",
                    launching.name()
                ),
                word: Some("--free-first".to_owned()),
                suggestion: None,
            });
        }
        let failed = |error: io::Error| ErrorReport {
            kind: "failed".to_owned(),
            explain: format!("cannot take over the signals: {}", output::reason(&error)),
            word: None,
            suggestion: None,
        };
        Ok(Self {
            globals,
            core,
            relay: Relay::new().map_err(failed)?,
            launching,
            on_conflict: on_conflict(args.on_conflict, globals),
            timeout: args.timeout,
            free_first: args.free_first,
            mine: args.mine,
            again: 0,
            moved_from: None,
            reserved: None,
        })
    }

    /// Runs the command, as often as it takes.
    ///
    /// # Errors
    /// A port that cannot be looked at.
    pub fn run(mut self) -> Result<Answer, ErrorReport> {
        if self.free_first
            && let Some(port) = self.launching.wanted()
        {
            let reports = self.free(&[format!("tcp:{port}")])?;
            let exit = exit::of_targets(Question::Freed, &reports, &[]);
            if exit != Exit::Yes {
                self.tell_act(reports, exit);
                return Ok(Answer::Told(exit));
            }
        }
        loop {
            if let Some(signal) = self.relay.asked_to_end() {
                return Ok(Answer::Told(Exit::Command(end_by(signal))));
            }
            let (end, seen) = match self.start_once() {
                Ok(ended) => ended,
                Err(error) => return Ok(self.cannot_start(&error)),
            };
            match self.after(&end, &seen)? {
                Go::Again => {}
                // It was ended here and not by whoever reads the code.
                Go::Leave if seen.was_ended && !end.asked => {
                    return Ok(Answer::Told(Exit::Command(FAILED)));
                }
                Go::Leave => return Ok(Answer::Told(code_of(end.status))),
            }
        }
    }

    /// Runs the command to its end, watching over it.
    fn start_once(&mut self) -> io::Result<(End, Seen)> {
        let wanted_held = self.held_before();
        let globals = self.globals;
        let by_itself = moves_by_itself(self.on_conflict);
        let say = say_with(globals, !by_itself);
        let (on_conflict, timeout, mine) = (self.on_conflict, self.timeout, self.mine);
        let (wanted, moved_from) = (self.launching.wanted(), self.moved_from);
        let is_possible = self.again < MOST_AGAIN && by_itself;
        let may_end = move |port: Port| {
            let is_the_one = wanted.is_none_or(|wanted| wanted == port);
            is_possible
                && is_the_one
                && match on_conflict {
                    OnConflict::Next => moved_from != Some(port),
                    OnConflict::Free => is_freeable(globals, timeout, mine, port),
                    _ => true,
                }
        };
        let plan = Plan {
            wanted_held,
            moves_anywhere: self.launching.moves_silently(),
            say: &say,
            is_left_alone: !by_itself,
            may_end: &may_end,
        };
        let mut watcher = Watcher::new(&mut *self.core, plan);
        let mut end = start(&self.relay, &self.launching, &mut |life| {
            let next = watcher.look(life);
            if globals.quiet { Next { say: None, ..next } } else { next }
        })?;
        let seen = watcher.seen(std::mem::take(&mut end.heard));
        Ok((end, seen))
    }

    /// The wanted port, where somebody has it before the command starts.
    fn held_before(&mut self) -> Option<Port> {
        let port = self.launching.wanted()?;
        let target = format!("tcp:{port}");
        let report = self.look(&[target], false).ok()?.pop()?;
        (!report.causes.is_empty()).then_some(port)
    }

    fn look(
        &mut self,
        targets: &[String],
        to_compare: bool,
    ) -> Result<Vec<TargetReport>, ErrorReport> {
        let options = LookOptions {
            show_secrets: to_compare,
            ancestors: to_compare,
            learn: Learn::Holders,
            ..LookOptions::default()
        };
        let Looked { targets, .. } = self.core.look(targets, options)?;
        Ok(targets)
    }

    fn after(&mut self, end: &End, seen: &Seen) -> Result<Go, ErrorReport> {
        let success = end.status.is_success() && !seen.was_ended;
        let ending = Ending { success, asked: end.asked };
        if ending.asked {
            return Ok(Go::Leave);
        }
        let way = self.way(end, &seen.failures)?;
        let is_told =
            !way.targets.is_empty() && way.targets.iter().all(|target| seen.told.contains(target));
        let on_conflict = match self.on_conflict {
            // A person who does something else in this terminal meanwhile is not to be stopped.
            OnConflict::Ask if !prompt::is_in_foreground() => OnConflict::Explain,
            on_conflict => on_conflict,
        };
        match next_step(on_conflict, ending, way.obstacle, self.again) {
            Step::Leave => Ok(Go::Leave),
            Step::Explain => {
                match (is_told, seen.is_advised) {
                    (false, _) => self.explain(&way),
                    (true, false) => self.explain(&Way { sentences: Vec::new(), ..way }),
                    (true, true) => {}
                }
                Ok(Go::Leave)
            }
            Step::GiveUp => {
                self.explain(&way);
                let times = format!("{MOST_AGAIN} times");
                self.say(&[format!("started it again {times}, and the port was taken each time")]);
                Ok(Go::Leave)
            }
            Step::Again => {
                self.again += 1;
                self.say(&[format!("{} is free by now; starting again", way.targets.join(", "))]);
                Ok(Go::Again)
            }
            step => self.carry_out(step, &way, is_told),
        }
    }

    fn carry_out(&mut self, step: Step, way: &Way, is_told: bool) -> Result<Go, ErrorReport> {
        let mut step = step;
        if step == Step::Ask {
            match self.ask(way, is_told)? {
                Choice::Leave => return Ok(Go::Leave),
                Choice::Again => return Ok(Go::Again),
                Choice::Free => step = Step::Free,
                Choice::Wait => step = Step::Wait,
                Choice::Next(_) => step = Step::Next,
            }
        } else {
            self.again += 1;
            if !is_told {
                self.say(&way.sentences);
            }
        }
        match step {
            Step::Free => {
                let reports = self.free(&way.targets)?;
                let exit = exit::of_targets(Question::Freed, &reports, &[]);
                if exit != Exit::Yes {
                    self.tell_act(reports, exit);
                    return Ok(Go::Leave);
                }
                Ok(self.start_again())
            }
            Step::Wait => match self.wait(&way.targets)? {
                true => Ok(self.start_again()),
                false => Ok(Go::Leave),
            },
            Step::Next => Ok(self.go_next(way)),
            _ => Ok(Go::Leave),
        }
    }

    /// Starts again, unless the person wanted the whole to end meanwhile.
    fn start_again(&self) -> Go {
        if self.relay.asked_to_end().is_some() {
            return Go::Leave;
        }
        self.say(&["starting again".to_owned()]);
        Go::Again
    }

    fn go_next(&mut self, way: &Way) -> Go {
        let Some(port) = way.port else { return Go::Leave };
        if self.moved_from == Some(port) {
            self.say(&[format!(
                "it wants :{port} again: it does not take its port in the way it was told one"
            )]);
            return Go::Leave;
        }
        // Chosen anew after a question, too: somebody may have taken it without a pick.
        let reserved = match self.reserve_above(port) {
            Ok(reserved) => reserved,
            Err(problem) => {
                self.say(&[problem.to_string()]);
                return Go::Leave;
            }
        };
        let next = reserved.port;
        self.reserved = Some(reserved);
        let (launching, told) = self.launching.on_port(port, next);
        self.launching = launching;
        self.moved_from = Some(port);
        let mut sentences = vec![format!("starting again on :{next}: {}", self.launching.line())];
        if told == Told::Perhaps {
            sentences.push("nothing is known of how it takes a port; most read PORT".to_owned());
        }
        self.say(&sentences);
        Go::Again
    }

    /// The next port above that one that a server can have on every address, for this command
    /// alone.
    fn reserve_above(&self, port: Port) -> Result<Reserved, Problem> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let mut leases = Leases::open(Places::ordinary(runtime.as_deref()));
        let words = self.launching.words().unwrap_or_default();
        reserve_above(&LiveHost::default(), &mut leases, port, &words)
    }

    /// What is in the way: what the command said, or else the fact that it failed and somebody
    /// has the port that it wanted.
    fn way(&mut self, end: &End, failures: &[Failure]) -> Result<Way, ErrorReport> {
        let told: Vec<&Failure> = failures.iter().filter(|f| f.moved_to.is_none()).collect();
        let mut way = self.way_by_words(&told)?;
        // A code says that the command found something amiss; a signal says what somebody did.
        let failed = matches!(end.status, Status::Code(code) if code != 0);
        if way.obstacle == Obstacle::None && told.is_empty() && failed {
            way = self.way_by_fact(end)?;
        }
        Ok(way)
    }

    fn way_by_words(&mut self, failures: &[&Failure]) -> Result<Way, ErrorReport> {
        let mut targets: Vec<String> = Vec::new();
        for target in failures.iter().filter_map(|failure| failure.target()) {
            let target = target.to_string();
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        // No message names one: the port that it wanted, where that is known.
        let is_any = |class| {
            matches!(class, Class::InUse | Class::Allocated | Class::Denied | Class::Unsaid)
        };
        if targets.is_empty() && failures.iter().any(|failure| is_any(failure.class)) {
            targets.extend(self.launching.wanted().map(|port| format!("tcp:{port}")));
        }
        let Some(first) = failures.first() else { return Ok(Way::none()) };
        if targets.is_empty() {
            let mut sentences =
                vec!["a bind failed, and its message does not say which port".to_owned()];
            sentences.extend(first.hint.map(str::to_owned));
            sentences.push("if you know it, say it: proc run --port PORT -- …".to_owned());
            return Ok(Way { sentences, obstacle: Obstacle::Other, ..Way::none() });
        }
        let reports = self.look(&targets, true)?;
        let conflict = failures.iter().any(|failure| is_conflict(failure.class));
        Ok(self.way_to(targets, reports, conflict))
    }

    fn way_by_fact(&mut self, end: &End) -> Result<Way, ErrorReport> {
        let Some(port) = self.launching.wanted() else { return Ok(Way::none()) };
        let targets = vec![format!("tcp:{port}")];
        let mut reports = self.look(&targets, true)?;
        // Remains without a holder were there all along and stop few servers; an own child that
        // was left behind is no stranger.
        let own = self.relay.left_behind();
        let is_stranger = |report: &TargetReport| {
            report.causes.iter().any(|cause| {
                cause.kind.is_live() && cause.pids.iter().all(|&pid| !own.contains(&pid))
            })
        };
        reports.retain(is_stranger);
        if reports.is_empty() {
            return Ok(Way::none());
        }
        let mut way = self.way_to(targets, reports, true);
        if let Status::Code(code) = end.status
            && let Some(first) = way.sentences.first_mut()
        {
            *first = format!("it ended with code {code}, and {first}");
        }
        Ok(way)
    }

    fn way_to(&self, targets: Vec<String>, reports: Vec<TargetReport>, conflict: bool) -> Way {
        let held: Vec<&TargetReport> =
            reports.iter().filter(|report| !report.causes.is_empty()).collect();
        let one = match (held.as_slice(), targets.as_slice()) {
            ([one], _) => Some(&one.target),
            ([], [one]) => Some(one),
            _ => None,
        };
        let number = one.and_then(|target| target.rsplit(':').next()?.parse().ok());
        let port = number.and_then(Port::new);
        let in_use = held.iter().flat_map(|report| &report.causes).any(|cause| {
            use proc_core::diagnosis::CauseKind as Kind;
            let rights = [Kind::Privileged, Kind::Reserved, Kind::NotLocal, Kind::NoPortsLeft];
            !rights.contains(&cause.kind)
        });
        let mut sentences: Vec<String> =
            held.iter().filter_map(|report| self.already_running(report, port)).collect();
        for report in &held {
            sentences.extend(report.causes.iter().map(|cause| cause.explain.clone()));
        }
        let obstacle = match (conflict, held.is_empty()) {
            (true, true) => Obstacle::Gone,
            (true, false) if in_use => Obstacle::Held { has_next: port.is_some() },
            _ => Obstacle::Other,
        };
        if sentences.is_empty() {
            sentences.push(match obstacle {
                Obstacle::Gone => format!("{} was in use, and is free by now", targets.join(", ")),
                _ => format!("the bind of {} failed, and would succeed now", targets.join(", ")),
            });
        }
        Way { targets, reports, obstacle, port, sentences }
    }

    /// The sentence for a port that a second process of this very command has.
    fn already_running(&self, report: &TargetReport, port: Option<Port>) -> Option<String> {
        let words = self.launching.words()?;
        let asker = LiveHost::default().snapshot(&Scope::default()).asker;
        let own = Own {
            argv: &words,
            cwd: self.launching.cwd(),
            uid: Some(asker.uid),
            above: &asker.ancestors,
        };
        let process = running(own, report)?;
        let place = port.map_or(String::new(), |port| self.place(port));
        Some(format!("already running: this very command, as pid {}{place}", process.pid))
    }

    /// Where it can be found: a URL if it is known to serve HTTP or answers so at once.
    fn place(&self, port: Port) -> String {
        let known = self.launching.program().is_some_and(Program::speaks_http);
        match known || answers_http(port) {
            true => format!(", at http://localhost:{port}"),
            false => format!(", on :{port}"),
        }
    }

    /// The person's choice, once they have seen what a choice needs.
    fn ask(&mut self, way: &Way, is_told: bool) -> Result<Choice, ErrorReport> {
        let mut choices = Vec::new();
        let mut text = if is_told { String::new() } else { self.text(&way.sentences) };
        if way.obstacle == Obstacle::Gone {
            choices.push(Choice::Again);
        } else {
            let planned = self.act(&way.targets, true)?;
            if planned.iter().all(|report| report.outcome == Some(Outcome::Planned)) {
                text.push_str(&render::plan(&planned, &self.view()));
                choices.push(Choice::Free);
            } else {
                let why = planned.into_iter().filter_map(|report| report.explain);
                text.push_str(&self.text(&why.collect::<Vec<_>>()));
            }
            // Kept until the answer, so that the offer is true.
            self.reserved = way.port.and_then(|port| self.reserve_above(port).ok());
            if let Some(next) = &self.reserved {
                choices.push(Choice::Next(next.port.get()));
            }
            choices.push(Choice::Wait);
        }
        choices.push(Choice::Leave);
        self.relay.say(&text);
        let mut asked_to_end = None;
        let relay = &self.relay;
        let answer = prompt::line(&question(&choices), &mut |terminal| {
            asked_to_end = relay.end_before(terminal);
            asked_to_end.is_none()
        });
        self.reserved = None;
        if let Some(signal) = asked_to_end {
            let _ = end_by(signal);
        }
        Ok(answer.map_or(Choice::Leave, |word| answered(&word, &choices)))
    }

    fn explain(&self, way: &Way) {
        if !self.globals.quiet {
            self.relay.say(&render::run::explained(&way.sentences, &way.reports, &self.view()));
        }
    }

    fn say(&self, sentences: &[String]) {
        if !self.globals.quiet {
            self.relay.say(&self.text(sentences));
        }
    }

    fn text(&self, sentences: &[String]) -> String {
        render::run::said(sentences, &self.view())
    }

    fn view(&self) -> View {
        view(self.globals, Stream::Stderr)
    }

    fn free(&mut self, targets: &[String]) -> Result<Vec<TargetReport>, ErrorReport> {
        self.act(targets, false)
    }

    /// Frees them, or only plans to. A host of its own: it listens for Ctrl-C from now on.
    fn act(&self, targets: &[String], dry_run: bool) -> Result<Vec<TargetReport>, ErrorReport> {
        let request = freeing(self.globals, self.timeout, targets, dry_run);
        let request = ActRequest { mine: self.mine, ..request };
        self.telling(targets, |core, tell| core.act(&request, &mut |_| Consent::Yes, tell))
    }

    /// Has a host of its own do something that takes a while, and tells how it goes.
    fn telling(
        &self,
        targets: &[String],
        does: impl FnOnce(&mut dyn Core, &mut Tell<'_>) -> Result<Vec<TargetReport>, ErrorReport>,
    ) -> Result<Vec<TargetReport>, ErrorReport> {
        let mut progress = Progress::new(self.view(), targets.len() > 1);
        let quiet = self.globals.quiet;
        let mut tell = |target: &str, event: &_| {
            if !quiet {
                progress.tell(target, event);
            }
        };
        let reports = does(&mut *connect(None, &self.globals.settings)?, &mut tell);
        progress.finish();
        reports
    }

    fn tell_act(&self, targets: Vec<TargetReport>, exit: Exit) {
        if !self.globals.quiet {
            let report: Report = document("run", targets, exit);
            let answer = Answer::Acted { verb: Verb::Free, report };
            self.relay.say(&render::human(&answer, &self.view()));
        }
    }

    /// Whether they are all free within the time.
    fn wait(&self, targets: &[String]) -> Result<bool, ErrorReport> {
        let words = WaitTargets { words: targets.to_vec(), ..WaitTargets::default() };
        let request = WaitRequest {
            timeout: self.timeout,
            tells: !self.globals.quiet,
            ..WaitRequest::default()
        };
        let reports = self.telling(targets, |core, tell| core.wait(&words, &request, tell))?;
        let all = reports.iter().all(|report| report.met == Some(true));
        if !all {
            self.say(&reports.into_iter().filter_map(|report| report.explain).collect::<Vec<_>>());
        }
        Ok(all)
    }

    fn cannot_start(&self, error: &io::Error) -> Answer {
        let name = self.launching.name();
        let (code, why) = match error.kind() {
            io::ErrorKind::NotFound => (NOT_FOUND, not_found(&name, self.launching.cwd())),
            _ => (NOT_EXECUTABLE, format!("cannot start `{name}`: {}", output::reason(error))),
        };
        self.say(&[why]);
        Answer::Told(Exit::Command(code))
    }
}

impl Way {
    const fn none() -> Self {
        Self {
            targets: Vec::new(),
            reports: Vec::new(),
            obstacle: Obstacle::None,
            port: None,
            sentences: Vec::new(),
        }
    }
}

/// What to do about a conflict where nothing was said: a person is asked, a script and a CI
/// machine (whose logs are terminals at times) are told.
fn on_conflict(said: Option<OnConflict>, globals: &Globals) -> OnConflict {
    let attended = Stream::Stderr.is_terminal() && !globals.quiet;
    match said {
        Some(OnConflict::Ask) if !attended => OnConflict::Explain,
        Some(on_conflict) => on_conflict,
        None if attended && std::env::var_os("CI").is_none() => OnConflict::Ask,
        None => OnConflict::Explain,
    }
}

/// Makes texts, with what can be done where nothing is going to be.
fn say_with(globals: &Globals, advises: bool) -> impl Fn(&[String], &[TargetReport]) -> String {
    let view = view(globals, Stream::Stderr);
    move |sentences, targets| match advises {
        true => render::run::explained(sentences, targets, &view),
        false => render::run::said(sentences, &view),
    }
}

/// Whether somebody said beforehand that it is to be started again without a question.
const fn moves_by_itself(on_conflict: OnConflict) -> bool {
    matches!(on_conflict, OnConflict::Free | OnConflict::Next | OnConflict::Wait)
}

fn freeing(
    globals: &Globals,
    timeout: Option<Duration>,
    targets: &[String],
    dry_run: bool,
) -> ActRequest {
    ActRequest {
        verb: Verb::Free,
        targets: targets.to_vec(),
        filter: ProcessFilter::default(),
        started_at: None,
        dry_run,
        force: false,
        tree: false,
        mine: false,
        only_signal: false,
        now: false,
        signal: None,
        grace: GRACE,
        timeout: timeout.unwrap_or(FREEING),
        show_secrets: globals.show_secrets,
        keep_env: false,
        options: Vec::new(),
    }
}

/// Whether freeing that port would not be refused: nobody is ended in vain.
fn is_freeable(globals: &Globals, timeout: Option<Duration>, mine: bool, port: Port) -> bool {
    let request = ActRequest { mine, ..freeing(globals, timeout, &[format!("tcp:{port}")], true) };
    let planned = connect(None, &globals.settings)
        .and_then(|mut core| core.act(&request, &mut |_| Consent::Yes, &mut |_, _| {}));
    planned
        .is_ok_and(|reports| reports.iter().all(|report| report.outcome == Some(Outcome::Planned)))
}

fn start(
    relay: &Relay,
    launching: &Launching,
    watch: &mut dyn FnMut(Life) -> Next,
) -> io::Result<End> {
    match relay.run(launching.command()?, watch) {
        Err(error) => match fallback(&error) {
            Some(interpreter) => relay.run(launching.read_by(interpreter), watch),
            None => Err(error),
        },
        end => end,
    }
}

/// The exit code for that end. A signal that ended the command ends us, so that whoever started
/// us sees the same.
fn code_of(status: Status) -> Exit {
    match status {
        Status::Code(code) => Exit::Command(code.cast_unsigned()),
        Status::Signal(signal) => Exit::Command(end_by(signal)),
    }
}

/// Whether whoever listens on that port speaks HTTP, and says so soon.
fn answers_http(port: Port) -> bool {
    const SOON: Duration = Duration::from_millis(150);
    let url = HttpUrl::new(&format!("http://localhost:{port}"), &Endpoint::any(port), None);
    url.is_some_and(|url| http::get(&url, SOON, &|| true).is_ok())
}

fn not_found(name: &str, cwd: &str) -> String {
    let is_bare = !name.contains(['/', '\\']);
    let local = format!("{cwd}/node_modules/.bin/{name}");
    if is_bare && std::path::Path::new(&local).exists() {
        return format!("cannot find `{name}`: it is this package's own; try `npx {name}`");
    }
    // Where one shell of Windows looks and the other does not.
    let beside = format!(".\\{name}");
    if cfg!(windows) && is_bare && found(beside.as_ref()).is_ok() {
        return format!("cannot find `{name}`: it is in this directory alone; try `{beside}`");
    }
    format!("cannot find `{name}`: no such program")
}
