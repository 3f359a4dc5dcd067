//! What the commands that act share: their arguments and the flow from a request to an answer.

use std::time::Duration;

use proc_core::report::ErrorReport;

use super::Targets;
use crate::answer::Answer;
use crate::core_api::{ActRequest, Ask, Core, Tell, Verb};
use crate::globals::Globals;

/// How to act.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ActArgs {
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Only what this work tree, terminal session or coding agent started; refuse the rest
    #[arg(long)]
    pub mine: bool,
    /// Lift the guard rails: PID 1, own ancestors, sshd and the like
    #[arg(long)]
    pub force: bool,
    /// Keep secrets in its environment and arguments too, for `proc undo`
    #[arg(long)]
    pub keep_env: bool,
}

/// How to act on processes that are not to end.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DeedArgs {
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Only what this work tree, terminal session or coding agent started; refuse the rest
    #[arg(long)]
    pub mine: bool,
    /// Lift the guard rails
    #[arg(long)]
    pub force: bool,
}

impl DeedArgs {
    /// How the person is to be dealt with.
    pub fn manner(&self, targets: &Targets) -> Manner {
        Manner { yes: self.yes, several: targets.several() }
    }

    /// What is asked for.
    pub fn request(&self, verb: Verb, targets: &Targets, tree: bool) -> ActRequest {
        ActRequest {
            verb,
            targets: targets.targets.clone(),
            dry_run: self.dry_run,
            force: self.force,
            mine: self.mine,
            tree,
            only_signal: false,
            now: false,
            signal: None,
            grace: Duration::ZERO,
            timeout: DEED_TIMEOUT,
            show_secrets: false,
            keep_env: false,
            options: Vec::new(),
        }
    }
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

/// Acts.
///
/// # Errors
/// As [`Core::act`]; and a recording cannot be acted on.
pub fn run(
    mut request: ActRequest,
    globals: &Globals,
    core: &mut dyn Core,
    consent: &mut Ask<'_>,
    progress: &mut Tell<'_>,
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
    request.show_secrets = globals.show_secrets;
    request.options.clone_from(&globals.typed);
    let verb = request.verb;
    Ok(Answer::acted(verb, core.act(&request, consent, progress)?))
}

/// How long to wait before forcing, unless told otherwise.
pub const GRACE: &str = "5s";

/// The parser of durations, as clap wants it.
pub fn duration(word: &str) -> Result<Duration, String> {
    crate::duration::parse(word)
}
