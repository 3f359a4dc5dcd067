//! What the commands that act share: their arguments and the flow from a request to an answer.

use std::time::{Duration, SystemTime};

use proc_core::report::{ErrorReport, PortsReport};
use proc_core::timestamp;

use super::filters::WhichArgs;
use super::target_word;
use crate::answer::Answer;
use crate::core_api::{ActRequest, Ask, Core, LookOptions, PortsFilter, Tell, Verb};
use crate::globals::Globals;

/// To what, and how, of every command that acts.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DeedArgs {
    /// Ports, sockets or processes, such as :3000, /run/app.sock, pid:1234, node
    #[arg(value_name = "TARGET", value_parser = target_word)]
    targets: Vec<String>,
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Only what this work tree, terminal session or coding agent started; refuse the rest
    #[arg(long)]
    mine: bool,
    /// Lift the guard rails: PID 1, own ancestors, sshd and the like
    #[arg(long)]
    force: bool,
    /// Only if the process, given by its PID, started then: started_at of an earlier --json
    #[arg(long, alias = "start-time", value_name = "TIME", value_parser = moment)]
    started_at: Option<SystemTime>,
    #[command(flatten)]
    which: WhichArgs,
}

/// The same of a command that ends processes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ActArgs {
    #[command(flatten)]
    pub deed: DeedArgs,
    /// Keep secrets in its environment and arguments too, for `proc undo`
    #[arg(long)]
    keep_env: bool,
}

impl DeedArgs {
    /// How the person is to be dealt with.
    pub fn manner(&self) -> Manner {
        let several = self.targets.len() > 1 || self.targets.iter().any(|word| word.contains(','));
        Manner { yes: self.yes, several }
    }

    /// What is asked for.
    ///
    /// # Errors
    /// As [`WhichArgs::filter`].
    pub fn request(&self, verb: Verb, globals: &Globals) -> Result<ActRequest, ErrorReport> {
        Ok(ActRequest {
            verb,
            targets: self.targets.clone(),
            filter: self.which.filter(&[], globals)?,
            started_at: self.started_at,
            dry_run: self.dry_run,
            force: self.force,
            mine: self.mine,
            tree: false,
            only_signal: false,
            now: false,
            signal: None,
            grace: Duration::ZERO,
            timeout: DEED_TIMEOUT,
            show_secrets: globals.show_secrets,
            keep_env: false,
            options: globals.typed.clone(),
        })
    }
}

impl ActArgs {
    /// How the person is to be dealt with.
    pub fn manner(&self) -> Manner {
        self.deed.manner()
    }

    /// What is asked for.
    ///
    /// # Errors
    /// As [`WhichArgs::filter`].
    pub fn request(&self, verb: Verb, globals: &Globals) -> Result<ActRequest, ErrorReport> {
        Ok(ActRequest { keep_env: self.keep_env, ..self.deed.request(verb, globals)? })
    }
}

/// A moment as documents have it, or in seconds since 1970.
fn moment(word: &str) -> Result<SystemTime, String> {
    timestamp::parse(word).ok_or_else(|| {
        format!("`{word}` is not a moment; write it as `started_at` of --json has it, like `2026-01-01T10:00:00Z`")
    })
}

/// How long a deed may take: a service manager's reload takes longest.
const DEED_TIMEOUT: Duration = Duration::from_secs(30);

/// How the person is to be dealt with while acting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Consent was given on the command line.
    pub yes: bool,
    /// There is more than one target, so that each has to be named.
    pub several: bool,
}

/// Lets the person choose among ports what is to be acted on, as target words; none for nothing.
pub type Choose<'a> = dyn FnMut(Verb, &PortsReport) -> Vec<String> + 'a;

/// Whoever typed the command.
pub struct Person<'a> {
    /// Is asked before anything is done.
    pub consent: &'a mut Ask<'a>,
    /// Is told of everything as it happens.
    pub progress: &'a mut Tell<'a>,
    /// Chooses where nothing was named; `None` where nobody is there to choose.
    pub choose: Option<&'a mut Choose<'a>>,
}

/// Acts.
///
/// # Errors
/// As [`Core::act`]; no target, and nobody to choose one; and a recording cannot be acted on.
pub fn run(
    mut request: ActRequest,
    globals: &Globals,
    core: &mut dyn Core,
    person: &mut Person<'_>,
) -> Result<Answer, ErrorReport> {
    if globals.replay.is_some() && !request.dry_run {
        return Err(ErrorReport {
            kind: "usage".to_owned(),
            explain: "a recording cannot be acted on; with --replay only --dry-run is possible"
                .to_owned(),
            word: Some("--replay".to_owned()),
            suggestion: Some("--dry-run".to_owned()),
        });
    }
    if request.targets.is_empty() {
        request.targets = chosen(&request, core, person)?;
    }
    let verb = request.verb;
    Ok(Answer::acted(verb, core.act(&request, person.consent, person.progress)?))
}

/// The targets that the person chooses among the ports of their own processes.
fn chosen(
    request: &ActRequest,
    core: &mut dyn Core,
    person: &mut Person<'_>,
) -> Result<Vec<String>, ErrorReport> {
    let lists = matches!(request.verb, Verb::Kill | Verb::Stop | Verb::Free);
    let Some(choose) = person.choose.as_mut().filter(|_| lists && request.started_at.is_none())
    else {
        return Err(no_target(request));
    };
    let filter = PortsFilter {
        holder: request.filter.clone(),
        own: true,
        brief: true,
        ..PortsFilter::default()
    };
    let look = LookOptions { show_secrets: request.show_secrets, ..LookOptions::default() };
    let report = core.ports(&[], filter, &look)?;
    let refused = |explain: &str| ErrorReport {
        kind: "refused".to_owned(),
        explain: explain.to_owned(),
        word: None,
        suggestion: None,
    };
    if report.sockets.is_empty() {
        let none = match request.filter.is_empty() {
            true => "nothing was done: no process of yours has a port",
            false => "nothing was done: no such process of yours has a port",
        };
        return Err(ErrorReport { kind: "failed".to_owned(), ..refused(none) });
    }
    let targets = choose(request.verb, &report);
    match targets.is_empty() {
        true => Err(refused("nothing was done: nothing was chosen")),
        false => Ok(targets),
    }
}

fn no_target(request: &ActRequest) -> ErrorReport {
    let command = format!("proc {}", request.verb.name());
    let name = request.filter.by.as_deref();
    let (explain, suggestion) = match name {
        _ if request.filter.is_empty() => {
            (format!("`{command}` needs a target; for example `{command} :3000`"), None)
        }
        Some(name) => (
            format!(
                "`{command}` needs a target, and a filter is none; the name itself is one: `{command} {name}`"
            ),
            Some(format!("{command} {name}")),
        ),
        None => (
            format!(
                "`{command}` needs a target, as a filter only leaves fewer of what that means: `{command} NAME` with it, or `proc list` with it to look"
            ),
            None,
        ),
    };
    ErrorReport { kind: "usage".to_owned(), explain, word: None, suggestion }
}

/// How long to wait before forcing, unless told otherwise.
pub const GRACE: &str = "5s";

/// The parser of durations, as clap wants it.
pub fn duration(word: &str) -> Result<Duration, String> {
    crate::duration::parse(word)
}
