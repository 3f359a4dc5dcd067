//! What is to be done to one target, and what is to be true in the end: found out before anybody
//! is asked.

use std::collections::HashSet;
use std::sync::Arc;

use super::narrowing::Narrowing;
use super::order::unit_reload;
use super::run::Again;
use super::standing::{conditions_of, watch};
use super::{ActRequest, toll};
use crate::addr::{Endpoint, Port, Transport};
use crate::census::Census;
use crate::diagnosis::CauseKind;
use crate::explain;
use crate::host::Host;
use crate::learn::{self, Learn, learn};
use crate::look::{LookOptions, empty_report, look, no_process, port_report};
use crate::plan::{
    Deed, Limits, Plan, Refusal, Verb, Why, all_open, plan_deed, plan_order, plan_port,
    plan_port_again, plan_processes, plan_processes_again, plan_unix, port_holders, port_parties,
};
use crate::report::{Outcome, RefusalReason, RefusalReport, TargetReport};
use crate::sight::{Sight, look_at_ports, look_at_processes};
use crate::snapshot::{Scope, Snapshot, SocketScope};
use crate::socket::Protocol;
use crate::target::Target;

/// What is to be true in the end.
pub(super) enum Goal {
    /// This port can be bound.
    Port(Endpoint),
    /// These sockets of a unix name are closed, by inode, and the name can be bound.
    Unix { name: String, inodes: HashSet<u64> },
    /// The processes have ended, or what is to be done to them is; with the ports they serve.
    Processes { ports: Vec<Endpoint> },
}

pub(super) struct Job {
    pub(super) report: TargetReport,
    /// `None` where there is nothing to do: the report says why.
    pub(super) plan: Option<Plan>,
    pub(super) goal: Goal,
    /// What the plan was made from.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// How many a filter left alone, and why: as true after the act as before.
    pub(super) left_alone: Option<String>,
}

/// What is asked of every target, with what was found out for all of them.
#[derive(Clone, Copy)]
struct Asked<'a> {
    request: &'a ActRequest,
    options: &'a LookOptions,
    narrowing: &'a Narrowing<'a>,
}

impl Job {
    /// The port that it is about.
    pub(super) const fn endpoint(&self) -> Option<&Endpoint> {
        match &self.goal {
            Goal::Port(endpoint) => Some(endpoint),
            Goal::Unix { .. } | Goal::Processes { .. } => None,
        }
    }

    pub(super) fn plan_all(host: &dyn Host, targets: &[Target], request: &ActRequest) -> Vec<Self> {
        let options = &Self::options(request);
        let narrowing = &Narrowing::of(host, request);
        let asked = Asked { request, options, narrowing };
        let census = Census::take_with_files(host, targets);
        // A container in a virtual machine is reached by its ports alone.
        let endpoints_of = |target: &Target| [target.endpoints(), census.ports_of(target)].concat();
        let endpoints: Vec<Endpoint> = targets.iter().flat_map(endpoints_of).collect();
        let sights = match endpoints.is_empty() {
            true => Vec::new(),
            false => look_at_ports(host, &endpoints, options),
        };
        let mut sights = sights.into_iter();
        let unstick = request.limits.verb == Verb::Unstick;
        let mut jobs = Vec::new();
        for target in targets {
            let request = &request.about(target.to_string());
            let asked = Asked { request, ..asked };
            match target {
                Target::Port(_) | Target::Range(_) => {
                    let own = sights.by_ref().take(target.endpoints().len());
                    jobs.extend(Self::for_ports(host, target, own, asked));
                }
                Target::Container(_) if !census.ports_of(target).is_empty() => {
                    let own: Vec<Sight> =
                        sights.by_ref().take(census.ports_of(target).len()).collect();
                    jobs.extend(Self::for_distant(host, target, own, &census, asked));
                }
                Target::Unix(name) => {
                    jobs.push(Self::for_unix(host, &name.to_string(), target, asked));
                }
                Target::Path(path) => {
                    // A socket's file first, as in looking: its server may well name it in an argument.
                    let using = census.meant_by(target);
                    let unix = Self::for_unix(host, path, target, asked);
                    let found = unix.report.outcome != Some(Outcome::NotFound);
                    jobs.push(match found || using.is_empty() {
                        true => unix,
                        false => Self::for_processes(host, target, &using, asked),
                    });
                }
                Target::Number(number) => {
                    jobs.push(Self::for_number(host, *number, &census, asked));
                }
                Target::Pid(_) | Target::Name(_) | Target::Container(_) | Target::Unit(_) => {
                    let mut pids = census.meant_by(target);
                    if unstick && pids.is_empty() {
                        pids = census.dead(target);
                    }
                    jobs.push(Self::for_processes(host, target, &pids, asked));
                }
            }
        }
        toll::add(host, &mut jobs);
        jobs
    }

    fn for_ports(
        host: &dyn Host,
        target: &Target,
        sights: impl ExactSizeIterator<Item = Sight>,
        asked: Asked<'_>,
    ) -> Vec<Self> {
        let several = sights.len() > 1;
        let all = sights.map(|sight| Self::for_port(host, &sight, asked));
        // A range is full of free ports: only those with something count.
        let mut jobs: Vec<Self> = all
            .filter(|job| !several || job.report.outcome != Some(Outcome::AlreadyFree))
            .collect();
        if jobs.is_empty() {
            jobs.push(Self::settled(
                empty_report(target.to_string()),
                Outcome::AlreadyFree,
                format!("{target} is free"),
            ));
        }
        jobs
    }

    /// A container in a virtual machine: the ports that lead to it, and nobody who has one beside it.
    fn for_distant(
        host: &dyn Host,
        target: &Target,
        mut sights: Vec<Sight>,
        census: &Census,
        asked: Asked<'_>,
    ) -> Vec<Self> {
        sights.retain(|sight| census.is_behind(target, sight).contains(&true));
        if sights.is_empty() {
            return vec![Self::for_processes(host, target, &[], asked)];
        }
        let shared = sights.iter().find(|sight| census.is_behind(target, sight).contains(&false));
        let Some(sight) = shared else {
            return Self::for_ports(host, target, sights.into_iter(), asked);
        };
        let mut report = empty_report(target.to_string());
        report.refusal = Some(RefusalReport { reason: RefusalReason::Ambiguous, pid: None });
        let explain = explain::not_alone(&target.to_string(), &sight.diagnosis.endpoint);
        vec![Self::settled(report, Outcome::Refused, explain)]
    }

    fn for_port(host: &dyn Host, sight: &Sight, asked: Asked<'_>) -> Self {
        let Asked { request, options, narrowing } = asked;
        let endpoint = sight.diagnosis.endpoint;
        let request = &request.about(endpoint.to_string());
        // Other ports are looked up once for all targets.
        let options = LookOptions { before_acting: false, ..*options };
        let mut report = port_report(host, &Target::Port(endpoint), &[sight], &options);
        if request.limits.deed().is_some() {
            let holders = port_holders(&sight.diagnosis, &sight.snapshot, &request.limits);
            return match holders {
                Ok(pids) => {
                    let asked = Asked { request, options: &options, ..asked };
                    Self::for_those(host, report, &pids, asked)
                }
                Err(refusal) => Self::refused(report, refusal, request),
            };
        }
        let parties = port_parties(&sight.diagnosis, &sight.snapshot);
        let planned = narrowing
            .all_meant(&parties, &sight.snapshot, &mut report)
            .and_then(|()| plan_port(&sight.diagnosis, &sight.snapshot, &request.limits));
        let tcp_only = planned.as_ref().is_ok_and(|plan| plan.tcp_only);
        let goal = match tcp_only {
            true => Endpoint { transport: Some(Transport::Tcp), ..endpoint },
            false => endpoint,
        };
        Self::new(report, planned, Goal::Port(goal), request).seen(sight.snapshot.clone())
    }

    /// The plan after scripts have started again what had ended, which was asked about before: end
    /// these too. `None` where a guard rail stands before one of them by now.
    pub(super) fn plan_again(
        &self,
        host: &dyn Host,
        request: &ActRequest,
        again: &Again,
    ) -> Option<Plan> {
        let options = Self::options(request);
        let Some(endpoint) = self.endpoint() else {
            let snapshot = look_at_processes(host, &again.pids, &options);
            let limits = &request.limits;
            return plan_processes_again(&again.pids, &snapshot, limits, &again.scripts).ok();
        };
        let sights = look_at_ports(host, &[*endpoint], &options);
        let sight = sights.first()?;
        let (diagnosis, snapshot) = (&sight.diagnosis, &sight.snapshot);
        plan_port_again(diagnosis, snapshot, &request.limits, &again.scripts).ok()
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

    fn for_unix(host: &dyn Host, name: &str, target: &Target, asked: Asked<'_>) -> Self {
        let Asked { request, options, narrowing } = asked;
        let name = name.strip_prefix("unix:").unwrap_or(name);
        let Some(mut report) = look(host, std::slice::from_ref(target), options).into_iter().next()
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
        if request.limits.deed().is_some() {
            let pids: Vec<u32> =
                report.causes.iter().flat_map(|cause| cause.pids.iter().copied()).collect();
            return match pids.is_empty() {
                true => {
                    let explain = format!("no process that you may see serves {name}");
                    Self::settled(report, Outcome::NotFound, explain)
                }
                false => Self::for_those(host, report, &pids, asked),
            };
        }
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
        let planned = narrowing
            .all_meant(&holders, &snapshot, &mut report)
            .and_then(|()| plan_unix(&snapshot, name, &request.limits));
        Self::new(report, planned, Goal::Unix { name: name.to_owned(), inodes }, request)
            .seen(Arc::new(snapshot))
    }

    fn for_number(host: &dyn Host, number: u32, census: &Census, asked: Asked<'_>) -> Self {
        let Asked { request, options, .. } = asked;
        let target = Target::Number(number);
        let mut pids = census.alive(number);
        if request.limits.verb == Verb::Unstick && pids.is_empty() {
            pids = census.dead(&target);
        }
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
            (false, false) => Self::for_processes(host, &target, &pids, asked),
            (true, _) => {
                let told = no_process(number, census).filter(|_| !held).unwrap_or_else(|| {
                    format!(
                        "there is no process {number}; for the port of that number say :{number}"
                    )
                });
                let outcome = match census.is_hidden(number) && !held {
                    true => Outcome::Denied,
                    false => Outcome::NotFound,
                };
                Self::settled(report, outcome, told)
            }
        }
    }

    fn for_processes(host: &dyn Host, target: &Target, pids: &[u32], asked: Asked<'_>) -> Self {
        let mut report = look(host, std::slice::from_ref(target), asked.options)
            .into_iter()
            .next()
            .unwrap_or_else(|| empty_report(target.to_string()));
        if pids.is_empty() {
            let explain = report.explain.take().unwrap_or_else(|| format!("nothing is {target}"));
            // There, and hidden from this user, or not there at all.
            let outcome = report.outcome.unwrap_or(Outcome::NotFound);
            return Self::settled(report, outcome, explain);
        }
        Self::for_those(host, report, pids, asked)
    }

    /// What is done to those of these processes that are meant.
    fn for_those(
        host: &dyn Host,
        mut report: TargetReport,
        pids: &[u32],
        asked: Asked<'_>,
    ) -> Self {
        let Asked { request, options, narrowing } = asked;
        let snapshot = look_at_processes(host, pids, options);
        let kept = match narrowing.same_as_before(pids, &snapshot) {
            Ok(()) => narrowing.narrow(pids, &snapshot, &mut report),
            Err(refusal) => return Self::refused(report, refusal, request),
        };
        if kept.is_empty() {
            return Self::nobody_meant(report, pids.len());
        }
        let goal = Goal::Processes { ports: served(&snapshot, &kept) };
        if let Some(planned) = by_manager(host, &report, &kept, &snapshot, &request.limits) {
            return Self::new(report, planned, goal, request).seen(Arc::new(snapshot));
        }
        let planned = match request.limits.deed() {
            None => plan_processes(&kept, &snapshot, &request.limits),
            Some(deed) => {
                let mut conditions = conditions_of(host, &kept, request.limits.tree, &snapshot);
                if deed == Deed::Unstick {
                    watch(host, &kept, &snapshot, &mut conditions);
                }
                plan_deed(deed, &kept, &snapshot, &conditions, &request.limits)
            }
        };
        let planned = planned.and_then(|plan| spared(narrowing, &report, plan, &snapshot));
        report.notes.extend(others(&planned, &kept, &request.limits));
        Self::new(report, planned, goal, request).seen(Arc::new(snapshot)).of_all(pids.len())
    }

    /// Every process that the target means was left alone.
    fn nobody_meant(report: TargetReport, of: usize) -> Self {
        let told = explain::left_alone(of, &report.left_alone);
        let explain = format!("{}: {told}", report.target);
        Self::settled(report, Outcome::NotFound, explain)
    }

    fn refused(report: TargetReport, refusal: Refusal, request: &ActRequest) -> Self {
        Self::new(report, Err(refusal), Goal::Processes { ports: Vec::new() }, request)
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
                Self { report, plan: Some(plan), goal, snapshot: None, left_alone: None }
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
                    Refusal::Found(outcome, explain) => (outcome, explain),
                };
                Self::settled(report, outcome, explain)
            }
        }
    }

    /// Says how many of so many a filter left alone.
    fn of_all(mut self, of: usize) -> Self {
        if !self.report.left_alone.is_empty() {
            let told = explain::left_alone(of, &self.report.left_alone);
            self.report.notes.insert(0, told.clone());
            self.left_alone = Some(told);
        }
        self
    }

    fn seen(mut self, snapshot: Arc<Snapshot>) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    fn settled(mut report: TargetReport, outcome: Outcome, explain: String) -> Self {
        report.outcome = Some(outcome);
        report.explain = Some(explain);
        Self {
            report,
            plan: None,
            goal: Goal::Processes { ports: Vec::new() },
            snapshot: None,
            left_alone: None,
        }
    }
}

/// The plan for a deed that whoever manages these does: a unit reloads as a whole.
fn by_manager(
    host: &dyn Host,
    report: &TargetReport,
    pids: &[u32],
    snapshot: &Snapshot,
    limits: &Limits,
) -> Option<Result<Plan, Refusal>> {
    let deed = limits.deed().filter(|deed| *deed == Deed::Reload)?;
    if !report.left_alone.is_empty() {
        return None;
    }
    let lever = unit_reload(host, &report.target, pids, snapshot)?;
    let known = pids.iter().filter(|pid| snapshot.processes.contains_key(pid));
    let refused = known.into_iter().find_map(|&pid| all_open(&[pid], snapshot, limits).err());
    Some(refused.map_or_else(|| Ok(plan_order(deed, lever, pids, snapshot)), Err))
}

/// The plan, where it reaches nobody whom the report has as left alone.
fn spared(
    narrowing: &Narrowing<'_>,
    report: &TargetReport,
    plan: Plan,
    snapshot: &Snapshot,
) -> Result<Plan, Refusal> {
    narrowing.spares(&report.left_alone, &plan, snapshot).map(|()| plan)
}

/// The most ports of a process whose end is told port by port: each costs a round of binds.
const MOST_PORTS: usize = 8;

/// The ports that these serve, each once.
fn served(snapshot: &Snapshot, pids: &[u32]) -> Vec<Endpoint> {
    let mut ports = Vec::new();
    for socket in snapshot.sockets.iter().filter(|socket| socket.is_server()) {
        let own = socket.holders.pids().iter().any(|pid| pids.contains(pid));
        let transport = match socket.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
            _ => continue,
        };
        let Some(port) = socket.port().and_then(Port::new) else { continue };
        let endpoint = Endpoint { transport: Some(transport), ..Endpoint::any(port) };
        if own && socket.netns.is_none() && !ports.contains(&endpoint) && ports.len() < MOST_PORTS {
            ports.push(endpoint);
        }
    }
    ports
}

/// Where one of several may not be acted on: how to mean the others alone.
fn others(planned: &Result<Plan, Refusal>, pids: &[u32], limits: &Limits) -> Option<String> {
    const MOST: usize = 12;
    let (Err(Refusal::Guarded(why) | Refusal::Denied(why)), true) = (planned, pids.len() > 1)
    else {
        return None;
    };
    let left: Vec<String> = pids
        .iter()
        .filter(|pid| Some(**pid) != why.pid)
        .take(MOST)
        .map(|pid| format!("pid:{pid}"))
        .collect();
    let more = if left.len() + 1 < pids.len() { " ..." } else { "" };
    Some(format!(
        "nothing was done to the others either; to mean them: {}{more}",
        limits.command(&left)
    ))
}
