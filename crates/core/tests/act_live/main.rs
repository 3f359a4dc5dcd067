//! Acting on real processes: every rule that protects people, with actors that this test started.
//! What needs another user, other namespaces or another PATH runs this very program again.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod deeds;
mod endings;
mod families;
mod guards;
mod levers;
mod named;
mod narrowing;
mod processes;
mod remains;
mod runners;
mod trees;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use proc_core::act::{ActRequest, Consent, act};
use proc_core::filter::ProcessFilter;
use proc_core::host::{Host, LiveHost};
use proc_core::names::MachineNames;
use proc_core::plan::{Limits, Verb};
use proc_core::report::{EventReport, Outcome, TargetReport};
use proc_core::target::{Target, parse_list_with};
use proc_testkit::{Actor, in_namespaces, procfs, run_as, unprivileged_uid, wait_until};
use rustix::net::{AddressFamily, SocketType, bind, socket_with, sockopt};

/// Ample on a machine that is busy with other things; nothing passes by waiting so long.
const SOON: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(20);

/// One act as a test asks for it.
#[derive(Clone)]
struct Ask {
    limits: Limits,
    /// Which of those that the target means; all of them where there is none.
    filter: Option<ProcessFilter>,
    /// When the one that is meant started.
    started_at: Option<SystemTime>,
    dry_run: bool,
}

const fn ask(verb: Verb) -> Ask {
    let limits = Limits {
        verb,
        force: false,
        mine: false,
        protected: Vec::new(),
        tree: false,
        only_signal: false,
        now: false,
        signal: 15,
        grace: GRACE,
        timeout: TIMEOUT,
        options: Vec::new(),
        target: None,
    };
    Ask { limits, filter: None, started_at: None, dry_run: false }
}

const FREE: Ask = ask(Verb::Free);
const KILL: Ask = ask(Verb::Kill);
const STOP: Ask = ask(Verb::Stop);

impl Ask {
    const fn forced(mut self) -> Self {
        self.limits.force = true;
        self
    }

    const fn at_once(mut self) -> Self {
        self.limits.now = true;
        self
    }

    const fn within(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    const fn grace(mut self, grace: Duration) -> Self {
        self.limits.grace = grace;
        self
    }

    /// Acts on one target with consent.
    #[track_caller]
    fn on(&self, target: &str) -> TargetReport {
        self.with(target, || Consent::Yes)
    }

    /// Acts on one target; `consent` runs between the plan and the act.
    #[track_caller]
    fn with(&self, target: &str, consent: impl FnMut() -> Consent) -> TargetReport {
        let mut reports = self.by(&LiveHost::default(), target, consent, |_| {});
        assert_eq!(reports.len(), 1, "{reports:#?}");
        reports.remove(0)
    }

    /// Acts through that host, telling `progress` of each event.
    #[track_caller]
    fn by(
        &self,
        host: &dyn Host,
        words: &str,
        mut consent: impl FnMut() -> Consent,
        mut progress: impl FnMut(&EventReport),
    ) -> Vec<TargetReport> {
        let request = ActRequest {
            limits: self.limits.clone(),
            filter: self.filter.clone().unwrap_or_default(),
            started_at: self.started_at,
            dry_run: self.dry_run,
            show_secrets: false,
        };
        let mut told: Vec<EventReport> = Vec::new();
        let mut planned = Vec::new();
        let reports = act(
            host,
            &targets(words),
            &request,
            &mut |reports| {
                planned = reports.to_vec();
                consent()
            },
            &mut |_, event| {
                progress(event);
                told.push(event.clone());
            },
        );
        assert!(planned.iter().all(|report| !report.plan.is_empty()), "{planned:#?}");
        // What is told while it happens is what the report says, apart from countdowns.
        let kept: Vec<&EventReport> = reports.iter().flat_map(|report| &report.events).collect();
        assert!(kept.iter().all(|event| told.contains(event)), "{told:#?}");
        for report in &reports {
            let times = report.events.iter().map(|event| event.at_ms);
            assert!(times.is_sorted(), "{report:#?}");
            assert!(report.outcome.is_some() && report.explain.is_some(), "{report:#?}");
        }
        reports
    }
}

fn targets(words: &str) -> Vec<Target> {
    let list = parse_list_with(words.split_whitespace(), &MachineNames::default()).unwrap();
    list.into_iter().map(|(_, target)| target).collect()
}

/// An actor whose parent is gone, so that nobody could start it again.
#[track_caller]
fn orphan(args: &[&str]) -> Actor {
    Actor::spawn(&[&["--orphan"], args].concat())
}

/// The actor's TCP port as a target.
fn tcp(actor: &Actor) -> String {
    format!("tcp:{}", actor.port())
}

fn lives(pid: u32) -> bool {
    !matches!(procfs::state(pid), None | Some('Z' | 'X'))
}

fn ends(pid: u32) -> bool {
    wait_until(SOON, || !lives(pid))
}

/// Whether a server that sets SO_REUSEADDR, or none, can bind.
fn binds_at(ip: impl Into<IpAddr>, port: u16, reuse: bool, kind: SocketType) -> bool {
    let address = SocketAddr::new(ip.into(), port);
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, rustix::net::SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_socket_reuseaddr(&socket, reuse).unwrap();
    bind(&socket, &address).is_ok()
}

/// A plain bind of the wildcard, which meets every IPv4 socket.
fn binds(port: u16) -> bool {
    binds_at(Ipv4Addr::UNSPECIFIED, port, false, SocketType::STREAM)
}

fn binds_reusing(port: u16) -> bool {
    binds_at(Ipv4Addr::UNSPECIFIED, port, true, SocketType::STREAM)
}

fn kinds(report: &TargetReport) -> Vec<&str> {
    report.events.iter().map(|event| event.event.as_str()).collect()
}

/// The processes to whom that was done, in order.
fn done_to(report: &TargetReport, kind: &str) -> Vec<u32> {
    let events = report.events.iter().filter(|event| event.event == kind);
    events.filter_map(|event| event.pid).collect()
}

fn at(report: &TargetReport, kind: &str) -> u64 {
    let event = report.events.iter().find(|event| event.event == kind);
    event.unwrap_or_else(|| panic!("no {kind}: {report:#?}")).at_ms
}

/// Nobody was signalled.
#[track_caller]
fn assert_untouched(report: &TargetReport) {
    let signals = ["asked", "forced", "continued"];
    assert!(kinds(report).iter().all(|kind| !signals.contains(kind)), "{report:#?}");
}

#[track_caller]
fn assert_outcome(report: &TargetReport, outcome: Outcome) {
    assert_eq!(report.outcome, Some(outcome), "{report:#?}");
}

#[track_caller]
fn assert_says(report: &TargetReport, words: &str) {
    let all = [report.explain.clone().unwrap_or_default(), report.notes.join("\n")].join("\n");
    assert!(all.contains(words), "no {words:?}: {report:#?}");
}

// ---- this program again, elsewhere ------------------------------------------------------------

/// A word of the environment: the act that the inner run is to carry out.
const INNER: &str = "PROC_ACT_INNER";

/// Not a test of its own: acts as told by the environment and prints the reports.
#[test]
#[ignore = "run by other tests, as another user or elsewhere"]
fn inner_act() {
    let Ok(order) = std::env::var(INNER) else { return };
    let (verb, rest) = order.split_once(' ').unwrap();
    let (timeout, rest) = rest.split_once(' ').unwrap();
    let (force, target) = rest.split_once(' ').unwrap();
    let mut act = match verb {
        "free" => FREE,
        "kill" => KILL,
        "freeze" => ask(Verb::Freeze),
        "thaw" => ask(Verb::Thaw),
        "unstick" => ask(Verb::Unstick),
        "reload" => ask(Verb::Reload),
        _ => STOP,
    };
    act.limits.force = force == "force";
    act.limits.timeout = Duration::from_millis(timeout.parse().unwrap());
    let reports = act.by(&LiveHost::default(), target, || Consent::Yes, |_| {});
    println!("\nREPORTS {}", serde_json::to_string(&reports).unwrap());
}

/// A command that carries out an act, to be run elsewhere.
fn inner(mut command: Command, ask: &Ask, target: &str) -> Command {
    let force = if ask.limits.force { "force" } else { "guarded" };
    let (verb, timeout) = (ask.limits.verb.name(), ask.limits.timeout.as_millis());
    command.args(["--exact", "inner_act", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(INNER, format!("{verb} {timeout} {force} {target}"));
    command
}

#[track_caller]
fn reports_of(mut command: Command) -> Vec<TargetReport> {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("REPORTS "));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(line).unwrap()
}

/// The act as an ordinary user. A program is reached through its own link, whoever may enter the
/// directory that it is in.
#[track_caller]
fn as_user(ask: &Ask, target: &str) -> TargetReport {
    let command = run_as(unprivileged_uid(), "/proc/self/exe");
    reports_of(inner(command, ask, target)).remove(0)
}

/// Runs an ignored test of this program in PID, network and mount namespaces of its own.
#[track_caller]
fn in_world(test: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    let output = in_namespaces(&command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs all of them side by side: each may wait for a restart that never comes.
fn at_once(cases: &[&(dyn Fn() + Sync)]) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(case);
        }
    });
}

fn took<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
