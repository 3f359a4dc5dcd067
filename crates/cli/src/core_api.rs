//! What the program asks of the library, as one thin trait: looking, listing, acting, recording.
//! Commands know only this, so that tests can answer from a script.

use std::path::Path;
use std::time::Duration;

use proc_core::report::{ErrorReport, EventReport, PortsReport, TargetReport};

use crate::signal::Signal;

/// How to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookOptions {
    /// Show sockets in every state and not only those that matter.
    pub every_state: bool,
    /// Look into every network namespace that can be entered.
    pub all_namespaces: bool,
    /// Leave secrets in arguments as they are.
    pub show_secrets: bool,
}

/// What a bind would look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// The one address to try instead of the ordinary four.
    pub address: Option<String>,
    /// Ask for UDP and not for TCP, where the target leaves it open.
    pub udp: bool,
}

/// Which sockets to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortsOptions {
    /// Unix sockets as well.
    pub unix: bool,
    /// How to look.
    pub look: LookOptions,
}

/// What to do to the holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Ask, wait for the grace, force.
    Kill,
    /// Ask and wait, never force.
    Stop,
    /// Get the port back by the softest means that works.
    Free,
}

impl Verb {
    /// The command's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Free => "free",
        }
    }
}

/// An action as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRequest {
    /// What to do.
    pub verb: Verb,
    /// To what: target words as typed.
    pub targets: Vec<String>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Lift the guard rails.
    pub force: bool,
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

/// What the person said to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Go ahead.
    Given,
    /// Do nothing, for the reason in the sentence.
    Declined(String),
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
        options: PortsOptions,
    ) -> Result<PortsReport, ErrorReport>;

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

    /// What was seen, as the text of a file that [`connect`] reads back.
    ///
    /// # Errors
    /// As [`Core::look`].
    fn record(&mut self, targets: &[String], options: LookOptions) -> Result<String, ErrorReport>;
}

/// The library on this machine, or on a recording of one.
///
/// # Errors
/// A recording that cannot be read, or a system that is not supported.
pub fn connect(replay: Option<&Path>) -> Result<Box<dyn Core>, ErrorReport> {
    let _ = replay;
    Ok(Box::new(Unwired))
}

/// Answers everything with "cannot": the place of the library until it is connected.
struct Unwired;

fn unwired<T>() -> Result<T, ErrorReport> {
    Err(ErrorReport {
        kind: "unsupported".to_owned(),
        explain: "this build cannot look at the system".to_owned(),
        word: None,
        suggestion: None,
    })
}

impl Core for Unwired {
    fn look(&mut self, _: &[String], _: LookOptions) -> Result<Looked, ErrorReport> {
        unwired()
    }
    fn check(&mut self, _: &[String], _: &CheckOptions) -> Result<Looked, ErrorReport> {
        unwired()
    }
    fn ports(&mut self, _: &[String], _: PortsOptions) -> Result<PortsReport, ErrorReport> {
        unwired()
    }
    fn act(
        &mut self,
        _: &ActRequest,
        _: &mut Ask<'_>,
        _: &mut Tell<'_>,
    ) -> Result<Vec<TargetReport>, ErrorReport> {
        unwired()
    }
    fn record(&mut self, _: &[String], _: LookOptions) -> Result<String, ErrorReport> {
        unwired()
    }
}
