//! What is to be done to one target, and what is to be true in the end: found out before anybody
//! is asked.

use std::collections::HashSet;
use std::sync::Arc;

use super::{ActRequest, toll};
use crate::addr::{Endpoint, Transport};
use crate::census::Census;
use crate::diagnosis::CauseKind;
use crate::explain;
use crate::host::Host;
use crate::learn::{self, Learn, learn};
use crate::look::{LookOptions, empty_report, look, port_report};
use crate::plan::{
    Plan, Refusal, Verb, Why, plan_port, plan_port_again, plan_processes, plan_unix,
};
use crate::process::ProcessId;
use crate::report::{Outcome, RefusalReason, RefusalReport, TargetReport};
use crate::sight::{Sight, look_at_ports};
use crate::snapshot::{Scope, Snapshot, SocketScope};
use crate::target::Target;

/// What is to be true in the end.
pub(super) enum Goal {
    /// This port can be bound.
    Port(Endpoint),
    /// These sockets of a unix name are closed, by inode, and the name can be bound.
    Unix { name: String, inodes: HashSet<u64> },
    /// The processes have ended.
    Processes,
}

pub(super) struct Job {
    pub(super) report: TargetReport,
    /// `None` where there is nothing to do: the report says why.
    pub(super) plan: Option<Plan>,
    pub(super) goal: Goal,
    /// What the plan was made from.
    pub(super) snapshot: Option<Arc<Snapshot>>,
}

impl Job {
    /// The port that it is about.
    pub(super) const fn endpoint(&self) -> Option<&Endpoint> {
        match &self.goal {
            Goal::Port(endpoint) => Some(endpoint),
            Goal::Unix { .. } | Goal::Processes => None,
        }
    }

    pub(super) fn plan_all(host: &dyn Host, targets: &[Target], request: &ActRequest) -> Vec<Self> {
        let options = Self::options(request);
        let endpoints: Vec<Endpoint> = targets.iter().flat_map(Target::endpoints).collect();
        let sights = match endpoints.is_empty() {
            true => Vec::new(),
            false => look_at_ports(host, &endpoints, &options),
        };
        let mut sights = sights.into_iter();
        let census = Census::take_with_files(host, targets);
        let mut jobs = Vec::new();
        for target in targets {
            match target {
                Target::Port(_) | Target::Range(_) => {
                    let endpoints = target.endpoints();
                    let range = endpoints.len() > 1;
                    let before = jobs.len();
                    for sight in sights.by_ref().take(endpoints.len()) {
                        let job = Self::for_port(host, &sight, request, &options);
                        // A range is full of free ports: only those with something count.
                        if !range || job.report.outcome != Some(Outcome::AlreadyFree) {
                            jobs.push(job);
                        }
                    }
                    if jobs.len() == before {
                        jobs.push(Self::settled(
                            empty_report(target.to_string()),
                            Outcome::AlreadyFree,
                            format!("{target} is free"),
                        ));
                    }
                }
                Target::Unix(name) => {
                    jobs.push(Self::for_unix(host, &name.to_string(), target, request, &options));
                }
                Target::Path(path) => {
                    // A socket's file first, as in looking: its server may well name it in an argument.
                    let using = census.meant_by(target);
                    let unix = Self::for_unix(host, path, target, request, &options);
                    let found = unix.report.outcome != Some(Outcome::NotFound);
                    jobs.push(match found || using.is_empty() {
                        true => unix,
                        false => Self::for_processes(host, target, &using, request, &options),
                    });
                }
                Target::Number(number) => {
                    jobs.push(Self::for_number(host, *number, &census, request, &options));
                }
                Target::Pid(_) | Target::Name(_) | Target::Container(_) | Target::Unit(_) => {
                    let pids = census.meant_by(target);
                    jobs.push(Self::for_processes(host, target, &pids, request, &options));
                }
            }
        }
        toll::add(host, &mut jobs);
        jobs
    }

    fn for_port(
        host: &dyn Host,
        sight: &Sight,
        request: &ActRequest,
        options: &LookOptions,
    ) -> Self {
        let endpoint = sight.diagnosis.endpoint;
        // Other ports are looked up once for all targets.
        let options = LookOptions { before_acting: false, ..*options };
        let report = port_report(host, &Target::Port(endpoint), &[sight], &options);
        let planned = plan_port(&sight.diagnosis, &sight.snapshot, &request.limits);
        let tcp_only = planned.as_ref().is_ok_and(|plan| plan.tcp_only);
        let goal = match tcp_only {
            true => Endpoint { transport: Some(Transport::Tcp), ..endpoint },
            false => endpoint,
        };
        Self::new(report, planned, Goal::Port(goal), request).seen(sight.snapshot.clone())
    }

    /// The plan for the port after a script has started its holder again, which was asked about
    /// before: end that too. `None` where a guard rail stands before it by now.
    pub(super) fn plan_again(
        &self,
        host: &dyn Host,
        request: &ActRequest,
        script: ProcessId,
    ) -> Option<Plan> {
        let options = Self::options(request);
        let sights = look_at_ports(host, &[*self.endpoint()?], &options);
        let sight = sights.first()?;
        plan_port_again(&sight.diagnosis, &sight.snapshot, &request.limits, &[script]).ok()
    }

    fn options(request: &ActRequest) -> LookOptions {
        LookOptions {
            show_secrets: request.show_secrets,
            before_acting: true,
            learn: Learn::Everything,
            mine: request.limits.mine,
            ..LookOptions::default()
        }
    }

    fn for_unix(
        host: &dyn Host,
        name: &str,
        target: &Target,
        request: &ActRequest,
        options: &LookOptions,
    ) -> Self {
        let name = name.strip_prefix("unix:").unwrap_or(name);
        let Some(report) = look(host, std::slice::from_ref(target), options).into_iter().next()
        else {
            return Self::settled(
                empty_report(target.to_string()),
                Outcome::NotFound,
                format!("nothing is called {target}"),
            );
        };
        let Some(kind) = report.causes.first().map(|cause| cause.kind) else {
            let explain = report.explain.clone().unwrap_or_default();
            return Self::settled(report, Outcome::NotFound, explain);
        };
        if kind == CauseKind::StaleUnixSocket {
            let planned = match request.limits.verb {
                Verb::Free => Ok(Plan { remove_file: Some(name.to_owned()), ..Plan::default() }),
                _ => Err(Refusal::Helpless(Why::new(
                    RefusalReason::StaleFile,
                    format!(
                        "{name} is a stale socket file: no process is left to stop; proc free {name} removes it"
                    ),
                ))),
            };
            let goal = Goal::Unix { name: name.to_owned(), inodes: HashSet::new() };
            return Self::new(report, planned, goal, request);
        }
        let scope = Scope {
            sockets: SocketScope::Unix(vec![name.to_owned()]),
            holders: true,
            all_processes: true,
            ..Scope::default()
        };
        let mut snapshot = host.snapshot(&scope);
        let holders = learn::holders(&snapshot);
        learn(host, &mut snapshot, &holders, &[], options);
        let inodes = snapshot.sockets.iter().filter_map(|socket| socket.inode).collect();
        let planned = plan_unix(&snapshot, name, &request.limits);
        Self::new(report, planned, Goal::Unix { name: name.to_owned(), inodes }, request)
            .seen(Arc::new(snapshot))
    }

    fn for_number(
        host: &dyn Host,
        number: u32,
        census: &Census,
        request: &ActRequest,
        options: &LookOptions,
    ) -> Self {
        let target = Target::Number(number);
        let pids = census.alive(number);
        let port = target.also_port().map(Endpoint::any);
        let held = port.is_some_and(|endpoint| {
            let sights = look_at_ports(host, &[endpoint], options);
            let taken = |kind: CauseKind| {
                kind.is_live() || matches!(kind, CauseKind::TimeWait | CauseKind::Closing)
            };
            sights.iter().any(|sight| sight.diagnosis.causes.iter().any(|c| taken(c.kind)))
        });
        let mut report = empty_report(target.to_string());
        if held && !pids.is_empty() {
            report.refusal = Some(RefusalReport { reason: RefusalReason::Ambiguous, pid: None });
        }
        match (pids.is_empty(), held) {
            (false, true) => Self::settled(
                report,
                Outcome::Refused,
                format!(
                    "{number} is both a process and a held port: say pid:{number} or :{number}"
                ),
            ),
            (false, false) => Self::for_processes(host, &target, &pids, request, options),
            (true, _) => Self::settled(
                report,
                Outcome::NotFound,
                format!("there is no process {number}; for the port of that number say :{number}"),
            ),
        }
    }

    fn for_processes(
        host: &dyn Host,
        target: &Target,
        pids: &[u32],
        request: &ActRequest,
        options: &LookOptions,
    ) -> Self {
        let mut report = look(host, std::slice::from_ref(target), options)
            .into_iter()
            .next()
            .unwrap_or_else(|| empty_report(target.to_string()));
        if pids.is_empty() {
            let explain = report.explain.take().unwrap_or_else(|| format!("nothing is {target}"));
            return Self::settled(report, Outcome::NotFound, explain);
        }
        let scope = Scope { pids: pids.to_vec(), all_processes: true, ..Scope::default() };
        let mut snapshot = host.snapshot(&scope);
        learn(host, &mut snapshot, pids, &[], options);
        let planned = plan_processes(pids, &snapshot, &request.limits);
        Self::new(report, planned, Goal::Processes, request).seen(Arc::new(snapshot))
    }

    fn new(
        mut report: TargetReport,
        planned: Result<Plan, Refusal>,
        goal: Goal,
        request: &ActRequest,
    ) -> Self {
        match planned {
            Ok(plan) => {
                report.plan = plan.steps(&request.limits);
                report.notes.extend(plan.notes.iter().cloned());
                Self { report, plan: Some(plan), goal, snapshot: None }
            }
            Err(refusal) => {
                report.refusal = refusal.report();
                let (outcome, explain) = match refusal {
                    Refusal::AlreadyFree => {
                        // What else there is to know: who has its packets, and what ends that.
                        let elsewhere = report
                            .causes
                            .iter()
                            .find(|cause| cause.kind == CauseKind::Redirected)
                            .map(explain::elsewhere);
                        report.notes.extend(elsewhere);
                        let explain = format!("{} is free", report.target);
                        (Outcome::AlreadyFree, explain)
                    }
                    Refusal::Denied(why) => (Outcome::Denied, why.explain),
                    Refusal::Guarded(why) => (Outcome::Refused, why.explain),
                    Refusal::Helpless(why) => (Outcome::StillHeld, why.explain),
                };
                Self::settled(report, outcome, explain)
            }
        }
    }

    fn seen(mut self, snapshot: Arc<Snapshot>) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    fn settled(mut report: TargetReport, outcome: Outcome, explain: String) -> Self {
        report.outcome = Some(outcome);
        report.explain = Some(explain);
        Self { report, plan: None, goal: Goal::Processes, snapshot: None }
    }
}
