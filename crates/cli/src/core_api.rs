//! What the program asks of the library, as one thin trait: looking, listing, acting, recording.
//! Commands know only this, so that tests can answer from a script.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proc_core::addr::{AddressScope, Endpoint, Transport};
use proc_core::file_use::FileWish;
use proc_core::filter::ProcessFilter;
use proc_core::host::{Host, LiveHost};
use proc_core::http::{self, HttpUrl, StatusSet};
use proc_core::names::MachineNames;
use proc_core::plan::Limits;
pub use proc_core::ports::PortsFilter;
use proc_core::processes::{self, ProcessesWish};
use proc_core::recording::{Recording, ReplayHost};
use proc_core::report::{ErrorReport, EventReport, PortsReport, ProcessesReport, TargetReport};
use proc_core::target::{PortRange, Target, parse_list_with};
use proc_core::tree::{self, TreeWish};
use proc_core::undo::{Store, StoreError, Witness, state_directory};
use proc_core::wait::{Answers, Heard, WaitRequest};
use proc_core::watch::{Audience, Wish};
use proc_core::{act, details, explain, files, look, orphans, ports, stuck, wait};

use crate::config::Settings;
use crate::signal::Signal;
use crate::{interrupt, output};

pub use proc_core::act::Consent;
pub use proc_core::learn::Learn;
pub use proc_core::look::LookOptions;
pub use proc_core::plan::Verb;

/// What a bind would look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// The one address to try instead of the ordinary four.
    pub address: Option<String>,
    /// Ask for UDP and not for TCP, where the target leaves it open.
    pub udp: bool,
}

/// An action as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRequest {
    /// What to do.
    pub verb: Verb,
    /// To what: target words as typed.
    pub targets: Vec<String>,
    /// Which of the processes that they mean.
    pub filter: ProcessFilter,
    /// When the one process that is meant started.
    pub started_at: Option<SystemTime>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Lift the guard rails.
    pub force: bool,
    /// Refuse what is not the asker's own.
    pub mine: bool,
    /// Act on everything that the targets started as well.
    pub tree: bool,
    /// Signal the holders, and use no other lever.
    pub only_signal: bool,
    /// Force at once.
    pub now: bool,
    /// The signal that asks; SIGTERM where none is given.
    pub signal: Option<Signal>,
    /// How long to wait before forcing.
    pub grace: Duration,
    /// How long the whole may take.
    pub timeout: Duration,
    /// Leave secrets in arguments as they are.
    pub show_secrets: bool,
    /// Keep secrets of what is ended, so that `undo` has them.
    pub keep_env: bool,
    /// The options as they were typed, for the advice to do the same as root.
    pub options: Vec<String>,
}

/// What is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitTargets {
    /// Target words as typed.
    pub words: Vec<String>,
    /// The one address that counts, in place of the ordinary four.
    pub address: Option<String>,
    /// The path to ask for by HTTP; of a URL its own where this is `None`.
    pub path: Option<String>,
    /// The HTTP statuses that count, where others than usual.
    pub statuses: Option<StatusSet>,
}

impl WaitTargets {
    /// The HTTP statuses that count: a path that was named is to be there, and without one any
    /// answer will do that is none of a server in trouble.
    fn good_statuses(&self, url: &HttpUrl) -> StatusSet {
        let usual = || match self.path.is_some() || url.path != "/" {
            true => StatusSet::there(),
            false => StatusSet::default(),
        };
        self.statuses.clone().unwrap_or_else(usual)
    }
}

/// The answers to looking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// One report for each port or other thing, in the order asked.
    pub targets: Vec<TargetReport>,
    /// How many reports each typed target got: more than one for a range. May be left empty
    /// where each has one.
    pub counts: Vec<usize>,
}

/// Asked once, before anything is done, with the reports' plans filled in.
pub type Ask<'a> = dyn FnMut(&[TargetReport]) -> Consent + 'a;

/// Told of what happens to a target, as it happens.
pub type Tell<'a> = dyn FnMut(&str, &EventReport) + 'a;

/// The library, as the commands use it.
pub trait Core {
    /// Answers `on` and `why`.
    ///
    /// # Errors
    /// A target that is none, or a system that cannot look.
    fn look(&mut self, targets: &[String], options: LookOptions) -> Result<Looked, ErrorReport>;

    /// Looks at one target that is known already, as `why` reads it in a message.
    fn look_at(&mut self, target: &Target, options: LookOptions) -> Vec<TargetReport>;

    /// Answers `check`: reports whose `bind` holds only the rows that were asked about.
    ///
    /// # Errors
    /// As [`Core::look`].
    fn check(&mut self, targets: &[String], options: &CheckOptions) -> Result<Looked, ErrorReport>;

    /// Lists sockets: of the targets, or all where there are none.
    ///
    /// # Errors
    /// As [`Core::look`].
    fn ports(
        &mut self,
        targets: &[String],
        filter: PortsFilter,
        look: &LookOptions,
    ) -> Result<PortsReport, ErrorReport>;

    /// Lists processes, in the name of that command.
    fn processes(&mut self, command: &str, wish: &ProcessesWish) -> ProcessesReport;

    /// Lists the processes that use one of these files.
    ///
    /// # Errors
    /// A path that cannot be looked up, and a system that cannot tell.
    fn users_of(
        &mut self,
        files: &FileWish,
        wish: &ProcessesWish,
    ) -> Result<ProcessesReport, ErrorReport>;

    /// Lists the processes that outlived who started them; with `all` daemons too.
    fn orphans(&mut self, wish: &ProcessesWish, all: bool) -> ProcessesReport;

    /// Lists the processes that get nowhere.
    ///
    /// # Errors
    /// A recording, and a system that cannot tell.
    fn stuck(&mut self, wish: &ProcessesWish) -> Result<ProcessesReport, ErrorReport>;

    /// Shows processes below their parents: below the targets or, with `ancestors`, above them.
    ///
    /// # Errors
    /// As [`Core::look`].
    fn tree(
        &mut self,
        targets: &[String],
        wish: ProcessesWish,
        ancestors: bool,
        depth: Option<u32>,
    ) -> Result<ProcessesReport, ErrorReport>;

    /// Answers `info`.
    ///
    /// # Errors
    /// As [`Core::look`].
    fn info(&mut self, targets: &[String], options: LookOptions) -> Result<Looked, ErrorReport>;

    /// Acts, after consent.
    ///
    /// # Errors
    /// As [`Core::look`]; what an action came to is in the reports.
    fn act(
        &mut self,
        request: &ActRequest,
        consent: &mut Ask<'_>,
        progress: &mut Tell<'_>,
    ) -> Result<Vec<TargetReport>, ErrorReport>;

    /// Waits. `http` is the path to ask for by HTTP, where that is what is waited for.
    ///
    /// # Errors
    /// As [`Core::look`], and targets that cannot be waited for in that way.
    fn wait(
        &mut self,
        targets: &WaitTargets,
        request: &WaitRequest,
        progress: &mut Tell<'_>,
    ) -> Result<Vec<TargetReport>, ErrorReport>;

    /// What was seen, as the text of a file that [`connect`] reads back.
    ///
    /// # Errors
    /// As [`Core::look`].
    fn record(&mut self, targets: &[String]) -> Result<String, ErrorReport>;
}

/// The library on this machine, or on a recording of one.
///
/// # Errors
/// A recording that cannot be read, or a system that is not supported.
pub fn connect(replay: Option<&Path>, settings: &Settings) -> Result<Box<dyn Core>, ErrorReport> {
    let protected = settings.list("protect").to_vec();
    match replay {
        Some(path) => Ok(Box::new(Library { host: Box::new(replay_host(path)?), protected })),
        None if !LiveHost::SEES => Err(failed("unsupported", unsupported_system())),
        None => Ok(Box::new(Library { host: Box::new(LiveHost::default()), protected })),
    }
}

/// Watches this machine until the audience has enough, or the person: see [`proc_core::watch`].
///
/// # Errors
/// A target that is none or is not there, or a system that is not supported.
pub fn watch(
    words: &[String],
    wish: &mut Wish,
    audience: &mut dyn Audience,
) -> Result<(), ErrorReport> {
    if !LiveHost::SEES {
        return Err(failed("unsupported", unsupported_system()));
    }
    if !words.is_empty() {
        wish.targets = parse(words)?;
    }
    let mut host = LiveHost::default();
    if let Some(interrupt) = interrupt::descriptor() {
        host = host.with_interrupt(interrupt);
    }
    proc_core::watch::watch(&host, wish, audience)
        .map_err(|error| failed("failed", error.to_string()))
}

/// This machine, with what it takes to ask a program of Windows to end. Of a whole tree most share a
/// console, and each would be tried in vain.
#[cfg(windows)]
fn asking(tree: bool) -> LiveHost {
    let words = if tree { Vec::new() } else { crate::teller::words() };
    LiveHost::default().with_teller(words)
}

#[cfg(not(windows))]
fn asking(_: bool) -> LiveHost {
    LiveHost::default()
}

fn replay_host(path: &Path) -> Result<ReplayHost, ErrorReport> {
    let cannot = |why: String| failed("failed", format!("cannot replay {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| cannot(output::reason(&error)))?;
    let recording = Recording::from_json(&bytes).map_err(|error| cannot(error.to_string()))?;
    Ok(ReplayHost::new(recording))
}

/// The sentence of a system that nobody has taught this program yet.
pub fn unsupported_system() -> String {
    format!("proc cannot see ports and processes on {} yet; it works on Linux", system())
}

/// The sentence of a command that needs more than this system has been taught.
pub fn cannot_keep(command: &str) -> String {
    match LiveHost::SEES {
        true => format!("proc {command} does not work on {} yet; it works on Linux", system()),
        false => unsupported_system(),
    }
}

/// The sentence of a wish to hand on sockets, where that cannot be.
pub fn cannot_pass_sockets() -> String {
    format!(
        "--socket always: a command is handed no socket on {}, where nothing tells it which handle that is; without it the port comes as PORT and {{}}",
        system()
    )
}

/// The sentence of what is done by a signal, where there is none.
fn without_signals(verb: Verb) -> String {
    match verb {
        Verb::Kill | Verb::Stop | Verb::Free => {
            format!("that signal asks nobody to end, and {} has no signals", system())
        }
        other => format!("proc {} is done by a signal, and {} has none", other.name(), system()),
    }
}

/// The name of this system.
fn system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "macOS",
        "windows" => "Windows",
        other => other,
    }
}

/// The signal that asks, unless another is named.
const SIGTERM: i32 = 15;

/// The library, asking one host.
struct Library {
    host: Box<dyn Host>,
    /// Names that are not acted on.
    protected: Vec<String>,
}

impl Core for Library {
    fn look(&mut self, targets: &[String], options: LookOptions) -> Result<Looked, ErrorReport> {
        let targets = parse(targets)?;
        let reports = look::look(&*self.host, &targets, &options);
        Ok(Looked { targets: reports, counts: Vec::new() })
    }

    fn look_at(&mut self, target: &Target, options: LookOptions) -> Vec<TargetReport> {
        look::look(&*self.host, std::slice::from_ref(target), &options)
    }

    fn check(&mut self, targets: &[String], options: &CheckOptions) -> Result<Looked, ErrorReport> {
        let transport = if options.udp { Transport::Udp } else { Transport::Tcp };
        let mut asked = Vec::new();
        for target in parse(targets)? {
            let endpoints = target.endpoints();
            if endpoints.is_empty() {
                let sentence = format!("check takes ports, and `{target}` is none");
                return Err(not_a_port(&target, &sentence));
            }
            for endpoint in endpoints {
                asked.push(Endpoint {
                    transport: endpoint.transport.or(Some(transport)),
                    address: address(options.address.as_deref(), endpoint.address)?,
                    ..endpoint
                });
            }
        }
        let targets: Vec<Target> = asked.into_iter().map(Target::Port).collect();
        let reports = look::look(&*self.host, &targets, &LookOptions::default());
        Ok(Looked { targets: reports, counts: Vec::new() })
    }

    fn ports(
        &mut self,
        targets: &[String],
        filter: PortsFilter,
        look: &LookOptions,
    ) -> Result<PortsReport, ErrorReport> {
        let targets = match targets.is_empty() {
            true => Vec::new(),
            false => parse(targets)?,
        };
        Ok(ports::ports(&*self.host, &PortsFilter { targets, ..filter }, look))
    }

    fn processes(&mut self, command: &str, wish: &ProcessesWish) -> ProcessesReport {
        processes::processes(&*self.host, command, wish)
    }

    fn users_of(
        &mut self,
        files: &FileWish,
        wish: &ProcessesWish,
    ) -> Result<ProcessesReport, ErrorReport> {
        files::users(&*self.host, files, wish)
    }

    fn orphans(&mut self, wish: &ProcessesWish, all: bool) -> ProcessesReport {
        orphans::orphans(&*self.host, wish, all)
    }

    fn stuck(&mut self, wish: &ProcessesWish) -> Result<ProcessesReport, ErrorReport> {
        stuck::stuck(&*self.host, wish)
            .ok_or_else(|| failed("unsupported", explain::no_pulses().to_owned()))
    }

    fn tree(
        &mut self,
        targets: &[String],
        processes: ProcessesWish,
        ancestors: bool,
        depth: Option<u32>,
    ) -> Result<ProcessesReport, ErrorReport> {
        let targets = match targets.is_empty() {
            true => Vec::new(),
            false => parse(targets)?,
        };
        Ok(tree::tree(&*self.host, &TreeWish { processes, targets, ancestors, depth }))
    }

    fn info(&mut self, targets: &[String], options: LookOptions) -> Result<Looked, ErrorReport> {
        let targets = parse(targets)?;
        let reports = details::info(&*self.host, &targets, &options);
        Ok(Looked { targets: reports, counts: Vec::new() })
    }

    fn act(
        &mut self,
        request: &ActRequest,
        consent: &mut Ask<'_>,
        progress: &mut Tell<'_>,
    ) -> Result<Vec<TargetReport>, ErrorReport> {
        let targets = parse(&request.targets)?;
        if request.started_at.is_some()
            && !matches!(targets[..], [Target::Pid(_) | Target::Number(_)])
        {
            return Err(ErrorReport {
                kind: "usage".to_owned(),
                explain: format!(
                    "--started-at is for one process by its PID; for example `proc {} 1234 --started-at 2026-01-01T10:00:00Z`",
                    request.verb.name()
                ),
                word: Some("--started-at".to_owned()),
                suggestion: None,
            });
        }
        let limits = Limits {
            verb: request.verb,
            force: request.force,
            mine: request.mine,
            protected: self.protected.clone(),
            tree: request.tree,
            only_signal: request.only_signal,
            now: request.now,
            signal: request.signal.map_or(SIGTERM, |signal: Signal| signal.number),
            grace: request.grace,
            timeout: request.timeout,
            options: request.options.clone(),
            target: None,
        };
        let (keep_env, verb) = (request.keep_env, request.verb);
        if limits.deed().is_some() && !LiveHost::SIGNALS {
            return Err(failed("unsupported", without_signals(verb)));
        }
        let request = act::ActRequest {
            limits,
            filter: request.filter.clone(),
            started_at: request.started_at,
            dry_run: request.dry_run,
            show_secrets: request.show_secrets,
        };
        // SIGINT ends a wait and not the program, so that what was done can be said.
        if !request.dry_run
            && let Some(interrupt) = interrupt::descriptor()
        {
            self.host = Box::new(asking(request.limits.tree).with_interrupt(interrupt));
        }
        let host = &*self.host;
        // The dead have no environment: what `undo` needs is noted when the person has said yes.
        let mut witness = Witness::default();
        let mut consent = |reports: &[TargetReport]| {
            let answer = consent(reports);
            if answer == Consent::Yes {
                witness = Witness::of(host, reports, keep_env);
            }
            answer
        };
        let mut reports = act::act(host, &targets, &request, &mut consent, progress);
        witness.keep(host, &mut || Store::make(&state()?), verb.name(), &mut reports);
        Ok(reports)
    }

    fn wait(
        &mut self,
        targets: &WaitTargets,
        request: &WaitRequest,
        progress: &mut Tell<'_>,
    ) -> Result<Vec<TargetReport>, ErrorReport> {
        let mut parsed = parse(&targets.words)?;
        let words: Vec<String> =
            parsed.iter().map(|target| typed_as(&targets.words, target)).collect();
        if targets.address.is_some() {
            for target in &mut parsed {
                *target = at_address(target, targets.address.as_deref())?;
            }
        }
        if let Some(interrupt) = interrupt::descriptor() {
            self.host = Box::new(LiveHost::default().with_interrupt(interrupt));
        }
        let urls: Vec<Option<HttpUrl>> = words
            .iter()
            .zip(&parsed)
            .map(|(word, target)| {
                HttpUrl::new(word, target.endpoints().first()?, targets.path.as_deref())
            })
            .collect();
        let answers: &mut Answers<'_> = &mut |question| {
            let url = urls.get(question.place).and_then(Option::as_ref);
            let url = url.ok_or_else(|| "it has no URL".to_owned())?;
            match http::get(url, question.patience, question.go_on) {
                Ok(answer) => Ok(Heard {
                    status: answer.status,
                    good: targets.good_statuses(url).contains(answer.status),
                }),
                Err(error) => Err(error.to_string()),
            }
        };
        wait::wait(&*self.host, &parsed, request, answers, progress)
    }

    fn record(&mut self, targets: &[String]) -> Result<String, ErrorReport> {
        let targets = match targets.is_empty() {
            true => Vec::new(),
            false => parse(targets)?,
        };
        let mut endpoints = Vec::new();
        let mut unix = Vec::new();
        for target in targets {
            match target {
                Target::Port(_) | Target::Range(_) => endpoints.extend(target.endpoints()),
                Target::Unix(name) => unix.push(name.to_string()),
                Target::Path(path) => unix.push(path),
                other => {
                    let sentence = format!(
                        "record takes ports and sockets, and `{other}` is neither; without a target it records the whole machine"
                    );
                    return Err(not_a_port(&other, &sentence));
                }
            }
        }
        let mut recording = Recording::take(&*self.host, &endpoints);
        if !unix.is_empty() {
            recording = recording.with_unix(&*self.host, &unix);
        }
        recording.to_json().map_err(|error| failed("failed", error.to_string()))
    }
}

/// The error of a command that takes ports; a bare number was probably meant as one.
fn not_a_port(target: &Target, sentence: &str) -> ErrorReport {
    let meant = target.also_port().map(|port| format!(":{port}"));
    let hint = meant.as_ref().map_or(String::new(), |meant| format!("; for the port say {meant}"));
    ErrorReport {
        word: Some(target.to_string()),
        suggestion: meant,
        ..failed("usage", format!("{sentence}{hint}"))
    }
}

/// The word that a target was typed as: the query of a URL is part of what is asked for, and a list
/// of targets shows it masked. A target that was typed in a list with commas has no word of its own.
fn typed_as(typed: &[String], target: &Target) -> String {
    let means = |word: &&String| {
        let meaning = parse_list_with([word.as_str()], &MachineNames::default());
        meaning.is_ok_and(|list| matches!(list.as_slice(), [(_, one)] if one == target))
    };
    typed.iter().find(means).cloned().unwrap_or_else(|| target.to_string())
}

fn parse(words: &[String]) -> Result<Vec<Target>, ErrorReport> {
    let list = parse_list_with(words.iter().map(String::as_str), &MachineNames::default());
    match list {
        Ok(list) => Ok(list.into_iter().map(|(_, target)| target).collect()),
        Err(error) => Err(ErrorReport {
            kind: "usage".to_owned(),
            explain: error.to_string(),
            word: Some(error.word.clone()),
            suggestion: error.meant.clone(),
        }),
    }
}

/// The addresses that `--address` means, or those of the target.
///
/// # Errors
/// A word that is no address.
pub fn address(word: Option<&str>, own: AddressScope) -> Result<AddressScope, ErrorReport> {
    match word {
        None => Ok(own),
        Some("*") => Ok(AddressScope::Every),
        Some("localhost") => Ok(AddressScope::Localhost),
        // The target parser knows scope ids and interface names.
        Some(word) => {
            let target = match word.contains(':') {
                true => format!("[{word}]:1"),
                false => format!("{word}:1"),
            };
            match parse(&[target])?.first().map(Target::endpoints).as_deref() {
                Some([endpoint]) => Ok(endpoint.address),
                _ => Err(failed("usage", format!("`{word}` is not an address"))),
            }
        }
    }
}

/// The same port at that address.
fn at_address(target: &Target, word: Option<&str>) -> Result<Target, ErrorReport> {
    match target.endpoints().as_slice() {
        [endpoint] => {
            Ok(Target::Port(Endpoint { address: address(word, endpoint.address)?, ..*endpoint }))
        }
        [first, .., last] => {
            let address = address(word, first.address)?;
            let range = PortRange::new(first.transport, address, first.port, last.port);
            range.map(Target::Range).ok_or_else(|| failed("usage", format!("`{target}` is empty")))
        }
        [] => Err(ErrorReport {
            word: Some(target.to_string()),
            ..failed("usage", format!("--address is for ports, and `{target}` is none"))
        }),
    }
}

/// This user's state directory.
///
/// # Errors
/// Nothing says where it is.
pub fn state() -> Result<PathBuf, StoreError> {
    state_directory(&|name| std::env::var_os(name).map(PathBuf::from))
}

fn failed(kind: &str, explain: String) -> ErrorReport {
    ErrorReport { kind: kind.to_owned(), explain, word: None, suggestion: None }
}
