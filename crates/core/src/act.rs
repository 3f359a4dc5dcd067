//! Carrying out a plan: the only place that changes the world. Everything is asked of the
//! [`Host`], every process is pinned before it is signalled and checked to still hold the very
//! socket, and a port counts as given back only by a bind at the end.

mod group;
mod job;
mod run;
mod toll;

use std::time::Duration;

use crate::host::{Host, Watch, Woken};
use crate::plan::Limits;
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
    /// Only plan.
    pub dry_run: bool,
    /// Show values of arguments that look like secrets.
    pub show_secrets: bool,
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
    let mut interrupted = false;
    for job in &mut jobs {
        let Some(plan) = job.plan.take() else { continue };
        // Who asked to stop asked it of all that was still to come.
        if answer == Some(Consent::Yes) && (interrupted || is_interrupted(host)) {
            interrupted = true;
            job.report.outcome = Some(Outcome::StillHeld);
            job.report.explain = Some("interrupted; nothing had been done".to_owned());
            continue;
        }
        match &answer {
            None => {
                job.report.outcome = Some(Outcome::Planned);
                job.report.explain = Some("nothing was done (--dry-run)".to_owned());
            }
            Some(Consent::No(why)) => {
                job.report.outcome = Some(Outcome::Declined);
                job.report.explain = Some(why.clone());
            }
            Some(Consent::Yes) => {
                let target = job.report.target.clone();
                let again;
                let mut run = Run {
                    host,
                    limits: &request.limits,
                    plan: &plan,
                    started: host.now(),
                    watch: host.watch(&plan.cookies),
                    events: Vec::new(),
                    interrupted: false,
                    progress: &mut |event| progress(&target, event),
                };
                let mut end = run.carry_out(&job.goal);
                if let Some(script) = end.by
                    && let Some(next) = job.plan_again(host, request, script)
                {
                    again = next;
                    run.plan = &again;
                    run.watch = host.watch(&again.cookies);
                    end = run.carry_out(&job.goal);
                }
                interrupted = run.interrupted;
                job.report.events = run.events;
                job.report.outcome = Some(end.outcome);
                job.report.explain = Some(end.explain);
                // What was noted before the act was about a port that is no more like that.
                job.report.notes = plan.notes.iter().cloned().chain(end.notes).collect();
            }
        }
    }
    jobs.into_iter().map(|job| job.report).collect()
}

/// Whether the person has asked to stop already.
fn is_interrupted(host: &dyn Host) -> bool {
    host.wait(&[], &mut Watch::silent(), Duration::ZERO) == Woken::Interrupted
}
