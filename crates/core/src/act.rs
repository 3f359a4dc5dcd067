//! Carrying out a plan: the only place that changes the world. Everything is asked of the
//! [`Host`], every process is pinned before it is signalled and checked to still hold the very
//! socket, and a port counts as given back only by a bind at the end.

mod again;
mod deed;
mod group;
mod job;
mod narrowing;
mod order;
mod pull;
mod restless;
mod run;
mod standing;
mod toll;
mod tree;

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use crate::filter::ProcessFilter;
use crate::host::{Host, Watch, Woken};
use crate::plan::{Limits, Plan};
use crate::report::{EventReport, Outcome, TargetReport};
use crate::target::Target;
use job::Job;
use run::Run;

/// What the person said to the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Do it.
    Yes,
    /// Do nothing; the sentence says why.
    No(String),
}

/// What to do, to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRequest {
    /// What is allowed.
    pub limits: Limits,
    /// Which of the processes that the targets mean: those that are all of this. Of a port every
    /// holder has to be.
    pub filter: ProcessFilter,
    /// When the one process that is meant started, by an earlier look at it.
    pub started_at: Option<SystemTime>,
    /// Only plan.
    pub dry_run: bool,
    /// Show values of arguments that look like secrets.
    pub show_secrets: bool,
}

impl ActRequest {
    /// The same about that target.
    fn about(&self, target: String) -> Self {
        let limits = Limits { target: Some(target), ..self.limits.clone() };
        Self { limits, ..self.clone() }
    }
}

/// Plans all targets, asks once, and carries them out one after the other. `consent` sees the
/// reports with their plans and is not called where there is nothing to do; `progress` hears
/// everything as it happens.
pub fn act(
    host: &dyn Host,
    targets: &[Target],
    request: &ActRequest,
    consent: &mut dyn FnMut(&[TargetReport]) -> Consent,
    progress: &mut dyn FnMut(&str, &EventReport),
) -> Vec<TargetReport> {
    let mut jobs = Job::plan_all(host, targets, request);
    let waiting: Vec<TargetReport> =
        jobs.iter().filter(|job| job.plan.is_some()).map(|job| job.report.clone()).collect();
    if waiting.is_empty() {
        return jobs.into_iter().map(|job| job.report).collect();
    }
    let answer = match request.dry_run {
        true => None,
        false => Some(consent(&waiting)),
    };
    match answer {
        None => settle_all(&mut jobs, Outcome::Planned, "nothing was done (--dry-run)"),
        Some(Consent::No(why)) => settle_all(&mut jobs, Outcome::Declined, &why),
        Some(Consent::Yes) => carry_out(host, &mut jobs, request, progress),
    }
    jobs.into_iter().map(|job| job.report).collect()
}

fn settle_all(jobs: &mut [Job], outcome: Outcome, explain: &str) {
    for job in jobs.iter_mut().filter(|job| job.plan.is_some()) {
        job.report.outcome = Some(outcome);
        job.report.explain = Some(explain.to_owned());
    }
}

/// Frees one target after the other, and only then watches whether somebody starts the holders
/// again: that takes seconds, and is the same for one port as for twenty.
fn carry_out(
    host: &dyn Host,
    jobs: &mut [Job],
    request: &ActRequest,
    progress: &mut dyn FnMut(&str, &EventReport),
) {
    let progress = RefCell::new(progress);
    let tell = |target: &str, event: &EventReport| (progress.borrow_mut())(target, event);
    let plans: Vec<Option<Plan>> = jobs.iter_mut().map(|job| job.plan.take()).collect();
    let mut begun = Vec::new();
    let mut interrupted = false;
    for (job, plan) in jobs.iter_mut().zip(&plans) {
        let Some(plan) = plan else { continue };
        // Who asked to stop asked it of all that was still to come.
        if interrupted || is_interrupted(host) {
            interrupted = true;
            job.report.outcome = Some(Outcome::StillHeld);
            job.report.explain = Some("interrupted; nothing had been done".to_owned());
            continue;
        }
        let mut run = Run::new(host, &request.limits, plan, job.report.target.clone(), &tell);
        let step = run.begin(&job.goal);
        interrupted = run.interrupted;
        begun.push((job, run, step));
    }
    for (job, mut run, step) in begun {
        let end = match step {
            Ok(released) => run.finish(&released),
            Err(end) => end,
        };
        let notes: Vec<String> =
            run.plan.notes.iter().cloned().chain(run.late_notes.drain(..)).collect();
        let next = end.by.as_ref().and_then(|again| job.plan_again(host, request, again));
        let (end, events) = match &next {
            None => (end, run.events),
            Some(plan) => {
                let mut run = run.with(plan);
                (run.carry_out(&job.goal), run.events)
            }
        };
        job.report.events = events;
        job.report.outcome = Some(end.outcome);
        job.report.explain = Some(end.explain);
        job.report.refusal = end.refusal;
        // What was noted before the act was about a port that is no more like that.
        let left_alone = job.left_alone.clone();
        job.report.notes = left_alone.into_iter().chain(notes).chain(end.notes).collect();
    }
}

/// Whether the person has asked to stop already.
fn is_interrupted(host: &dyn Host) -> bool {
    host.wait(&[], &mut Watch::silent(), Duration::ZERO) == Woken::Interrupted
}
