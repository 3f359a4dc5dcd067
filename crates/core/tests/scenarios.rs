//! Situations and the answers they deserve: every `scenarios/*.toml` describes a machine in a few
//! lines and says, word for word, what a person is told and what would be done. How to write one
//! is in `scenarios/README.md`. `BLESS=1 cargo test --test scenarios` rewrites the answers.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[path = "scenarios/situation.rs"]
mod situation;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use proc_core::act::{self, ActRequest, Consent};
use proc_core::diagnosis::{CauseKind, Verdict};
use proc_core::explain;
use proc_core::filter::ProcessFilter;
use proc_core::host::Host;
use proc_core::known::System;
use proc_core::learn::Learn;
use proc_core::look::{LookOptions, look};
use proc_core::plan::{
    Conditions, Limits, Plan, Refusal, Verb, plan_deed, plan_port, plan_processes, plan_unix,
    port_holders,
};
use proc_core::process::Process;
use proc_core::recording::{Recording, ReplayHost};
use proc_core::remedy::Remedy;
use proc_core::report::{CauseReport, TargetReport};
use proc_core::sight::{look_at_ports, look_at_processes};
use proc_core::snapshot::{Gap, Scope, Snapshot, SocketScope};
use proc_core::supervisor::{door, started_by, supervisor_of};
use proc_core::target::{Target, parse};
use serde::{Deserialize, Serialize};

use situation::Situation;

/// A whole file.
struct Scenario {
    situation: Situation,
    /// Commands whose plan is wanted: `kill`, `free --force`, `stop pid:1`.
    acts: Vec<String>,
    /// Processes of whom it is wanted who runs and who started them.
    who: Vec<u32>,
    /// Rows of the ranking of causes that it is an example of: `C07`.
    rows: Vec<String>,
    deserves: Option<Deserves>,
}

impl Scenario {
    fn read(text: &str) -> Result<Self, toml::de::Error> {
        let mut table: toml::Table = text.parse()?;
        let acts = table.remove("acts").map(toml::Value::try_into).transpose()?;
        let who = table.remove("who").map(toml::Value::try_into).transpose()?;
        let rows = table.remove("rows").map(toml::Value::try_into).transpose()?;
        let deserves = table.remove("deserves").map(toml::Value::try_into).transpose()?;
        Ok(Self {
            situation: table.try_into()?,
            acts: acts.unwrap_or_default(),
            who: who.unwrap_or_default(),
            rows: rows.unwrap_or_default(),
            deserves,
        })
    }
}

/// What a person deserves to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deserves {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// The sentence of an answer without causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clients: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<String>,
    /// `tcp 0.0.0.0 EADDRINUSE`, with `, ok with SO_REUSEADDR` where that differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bind: Vec<String>,
    /// `pid: name: advice`, with `; stop: command` where it has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nature: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cause: Vec<DeservedCause>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    act: BTreeMap<String, DeservedAct>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    who: BTreeMap<String, DeservedWho>,
}

/// Who runs a process and who started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DeservedWho {
    /// `kind name pid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts: Option<bool>,
    /// Whether it runs nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    alone: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    takes_along: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
}

fn deserved_who(pid: u32, snapshot: &Snapshot) -> DeservedWho {
    let started = started_by(pid, snapshot).map(|by| explain::started_by(&by));
    let Some(supervisor) = supervisor_of(pid, snapshot) else {
        return DeservedWho { started, ..DeservedWho::default() };
    };
    let kind = serde_json::to_value(supervisor.kind).unwrap();
    let pid = supervisor.pid.map(|pid| format!(" {pid}")).unwrap_or_default();
    DeservedWho {
        run_by: Some(format!("{} {}{pid}", kind.as_str().unwrap(), supervisor.name)),
        restarts: supervisor.restarts,
        alone: Some(supervisor.alone),
        stop: supervisor.stop.map(|argv| argv.join(" ")),
        owner: supervisor.owner,
        takes_along: supervisor.takes_along,
        started,
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeservedCause {
    kind: CauseKind,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    certain: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pids: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u32>,
    explain: String,
    /// `action: command`, or `action` alone, with ` (root)` where more rights are needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeservedAct {
    /// `already-free`, `denied`, `guarded` or `helpless`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// `step pid: sentence`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Ancestors to watch afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    may_restart: Vec<u32>,
}

fn yes() -> bool {
    true
}

/// Everything one scenario came to.
struct Played {
    path: PathBuf,
    report: TargetReport,
    snapshot: Snapshot,
    refusals: Vec<Refusal>,
    rows: Vec<String>,
    recording: Recording,
    got: Deserves,
    wanted: Option<Deserves>,
}

impl Played {
    fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }
}

/// All of them, played once for all tests.
fn play_all() -> &'static [Played] {
    static ALL: OnceLock<Vec<Played>> = OnceLock::new();
    ALL.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
        let mut paths: Vec<PathBuf> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        paths.into_iter().map(play).collect()
    })
}

fn play(path: PathBuf) -> Played {
    let text = fs::read_to_string(&path).unwrap();
    let scenario =
        Scenario::read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let host = ReplayHost::new(scenario.situation.recording(&path));
    let target = target(&scenario.situation.ask);
    let all_namespaces = scenario.situation.all_namespaces;
    let options =
        LookOptions { all_namespaces, learn: Learn::Everything, ..LookOptions::default() };
    let report = look(&host, std::slice::from_ref(&target), &options).remove(0);
    let snapshot = host.recording().snapshot.clone();
    let mut got = deserved(&report);
    for pid in scenario.who {
        got.who.insert(pid.to_string(), deserved_who(pid, &snapshot));
    }
    let mut refusals = Vec::new();
    for act in &scenario.acts {
        if let Target::Container(_) = target {
            got.act.insert(act.clone(), planned_for_container(act, &target, &host));
            continue;
        }
        let (limits, plan) = plan(act, &target, &host);
        got.act.insert(act.clone(), deserved_act(&plan, &limits));
        refusals.extend(plan.err());
    }
    let (rows, wanted) = (scenario.rows, scenario.deserves);
    let recording = host.recording().clone();
    Played { path, report, snapshot, refusals, rows, recording, got, wanted }
}

fn target(word: &str) -> Target {
    parse(word).unwrap_or_else(|error| panic!("{word}: {error:?}"))
}

fn plan(act: &str, asked: &Target, host: &ReplayHost) -> (Limits, Result<Plan, Refusal>) {
    let mut limits = Limits {
        verb: Verb::Kill,
        force: false,
        mine: false,
        protected: Vec::new(),
        tree: false,
        only_signal: false,
        now: false,
        signal: 15,
        grace: Duration::from_secs(5),
        timeout: Duration::from_secs(60),
        options: Vec::new(),
        target: None,
    };
    let mut of = asked.clone();
    for word in act.split(' ') {
        match word {
            "kill" => limits.verb = Verb::Kill,
            "stop" => limits.verb = Verb::Stop,
            "free" => limits.verb = Verb::Free,
            "freeze" => limits.verb = Verb::Freeze,
            "thaw" => limits.verb = Verb::Thaw,
            "unstick" => limits.verb = Verb::Unstick,
            "reload" => limits.verb = Verb::Reload,
            "--tree" => limits.tree = true,
            "--force" => limits.force = true,
            "--mine" => limits.mine = true,
            "--now" => limits.now = true,
            "--only-signal" => limits.only_signal = true,
            other => match other.strip_prefix("--protect=") {
                Some(name) => limits.protected.push(name.to_owned()),
                None => of = target(other),
            },
        }
    }
    let plan = match &of {
        of if limits.deed().is_some() => plan_of_deed(of, host, &limits),
        Target::Pid(pid) => {
            let options = LookOptions { learn: Learn::Everything, ..LookOptions::default() };
            let snapshot = look_at_processes(host, &[*pid], &options);
            plan_processes(&[*pid], &snapshot, &limits)
        }
        Target::Port(_) => {
            let options = LookOptions {
                before_acting: true,
                mine: limits.mine,
                learn: Learn::Everything,
                ..LookOptions::default()
            };
            let sight = &look_at_ports(host, &of.endpoints(), &options)[0];
            plan_port(&sight.diagnosis, &sight.snapshot, &limits)
        }
        other => {
            let name = other.to_string();
            let name = name.strip_prefix("unix:").unwrap_or(&name);
            // As the job does: a file that nobody serves has no socket to plan for.
            if limits.verb == Verb::Free && host.unix_refuses(name) == Some(true) {
                let plan = Plan { remove_file: Some(name.to_owned()), ..Plan::default() };
                return (limits, Ok(plan));
            }
            let sockets = SocketScope::Unix(vec![name.to_owned()]);
            let scope = Scope { sockets, holders: true, ..Scope::default() };
            plan_unix(&host.snapshot(&scope), name, &limits)
        }
    };
    (limits, plan)
}

/// What is planned for a container that is named: which ports are its own is found out by the act itself.
fn planned_for_container(act: &str, target: &Target, host: &ReplayHost) -> DeservedAct {
    let (limits, _) = plan(act, &Target::Pid(u32::MAX), host);
    let request = ActRequest {
        limits,
        filter: ProcessFilter::default(),
        started_at: None,
        dry_run: true,
        show_secrets: false,
    };
    let targets = std::slice::from_ref(target);
    let mut got = DeservedAct::default();
    for report in act::act(host, targets, &request, &mut |_| Consent::Yes, &mut |_, _| {}) {
        got.steps.extend(report.plan.iter().map(|it| format!("{}: {}", it.step, it.explain)));
        got.notes.extend(report.notes);
        if report.plan.is_empty() {
            let outcome = serde_json::to_value(report.outcome).unwrap();
            got.refused = outcome.as_str().map(str::to_owned);
            got.why = report.explain;
        }
    }
    got
}

/// What processes would do with a signal is nothing that a recording tells.
fn plan_of_deed(of: &Target, host: &ReplayHost, limits: &Limits) -> Result<Plan, Refusal> {
    let scope = Scope { all_processes: true, ..Scope::default() };
    let mut snapshot = host.snapshot(&scope);
    let pids = match of {
        Target::Pid(pid) => vec![*pid],
        _ => {
            let options = LookOptions { learn: Learn::Everything, ..LookOptions::default() };
            let sight = &look_at_ports(host, &of.endpoints(), &options)[0];
            let pids = port_holders(&sight.diagnosis, &sight.snapshot, limits)?;
            snapshot = (*sight.snapshot).clone();
            pids
        }
    };
    let deed = limits.deed().unwrap();
    plan_deed(deed, &pids, &snapshot, &Conditions::new(), limits)
}

fn deserved(report: &TargetReport) -> Deserves {
    Deserves {
        verdict: report.verdict,
        explain: report.explain.clone(),
        clients: report.clients.filter(|clients| *clients > 0),
        notes: report.notes.clone(),
        gaps: report
            .gaps
            .iter()
            .map(|gap| match &gap.cure {
                Some(cure) => format!("{} ({cure})", gap.what),
                None => gap.what.clone(),
            })
            .collect(),
        bind: bind_lines(report),
        nature: nature_lines(report),
        cause: report.causes.iter().map(deserved_cause).collect(),
        act: BTreeMap::new(),
        who: BTreeMap::new(),
    }
}

fn nature_lines(report: &TargetReport) -> Vec<String> {
    let natures = report.processes.iter().filter_map(|process| {
        let nature = process.nature.as_ref()?;
        let advice = nature.advice.as_ref().map(|advice| format!(": {advice}"));
        let stop = nature.stop.as_ref().map(|argv| format!("; stop: {}", argv.join(" ")));
        let (advice, stop) = (advice.unwrap_or_default(), stop.unwrap_or_default());
        Some(format!("{}: {}{advice}{stop}", process.pid, nature.name))
    });
    natures.collect()
}

/// One line an answer; addresses that are answered alike share one, and `ok` is left out.
fn bind_lines(report: &TargetReport) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for row in report.bind.iter().filter(|row| row.plain != "ok" || row.reuse_addr != "ok") {
        let answer = match row.plain == row.reuse_addr {
            true => row.plain.clone(),
            false => format!("{}, {} with SO_REUSEADDR", row.plain, row.reuse_addr),
        };
        let address = format!("{} {}", row.protocol, row.address);
        match groups.iter_mut().find(|(other, _)| *other == answer) {
            Some((_, addresses)) => addresses.push(address),
            None => groups.push((answer, vec![address])),
        }
    }
    groups.iter().map(|(answer, addresses)| format!("{}: {answer}", addresses.join(", "))).collect()
}

fn deserved_cause(cause: &CauseReport) -> DeservedCause {
    DeservedCause {
        kind: cause.kind,
        certain: cause.certain,
        pids: cause.pids.clone(),
        expires_ms: cause.expires_ms,
        explain: cause.explain.clone(),
        remedies: cause.remedies.iter().map(remedy_line).collect(),
    }
}

fn remedy_line(remedy: &Remedy) -> String {
    let action = serde_json::to_value(remedy.action).unwrap();
    let mut line = action.as_str().unwrap().to_owned();
    if let Some(argv) = &remedy.argv {
        write!(line, ": {}", argv.join(" ")).unwrap();
    }
    if remedy.needs_root {
        line.push_str(" (root)");
    }
    line
}

fn deserved_act(plan: &Result<Plan, Refusal>, limits: &Limits) -> DeservedAct {
    let refused = |kind: &str, why: Option<&String>| DeservedAct {
        refused: Some(kind.to_owned()),
        why: why.cloned(),
        ..DeservedAct::default()
    };
    match plan {
        Err(Refusal::AlreadyFree) => refused("already-free", None),
        Err(Refusal::Denied(why)) => refused("denied", Some(&why.explain)),
        Err(Refusal::Guarded(why)) => refused("guarded", Some(&why.explain)),
        Err(Refusal::Helpless(why)) => refused("helpless", Some(&why.explain)),
        Err(Refusal::Found(outcome, explain)) => {
            refused(serde_json::to_value(outcome).unwrap().as_str().unwrap(), Some(explain))
        }
        Ok(plan) => DeservedAct {
            steps: plan
                .steps(limits)
                .iter()
                .map(|step| match step.pid {
                    Some(pid) => format!("{} {pid}: {}", step.step, step.explain),
                    None => format!("{}: {}", step.step, step.explain),
                })
                .collect(),
            notes: plan.notes.clone(),
            may_restart: plan.restarters.clone(),
            ..DeservedAct::default()
        },
    }
}

#[test]
fn every_situation_gets_the_answer_it_deserves() {
    let all = play_all();
    assert!(all.len() >= 50, "only {} scenarios were found", all.len());
    if std::env::var_os("BLESS").is_some() {
        all.iter().for_each(bless);
        return;
    }
    let mut wrong = String::new();
    for played in all {
        let wanted = played.wanted.as_ref().map_or(String::new(), as_toml);
        let got = as_toml(&played.got);
        if wanted != got {
            writeln!(wrong, "\n── {}\n{}", played.name(), difference(&wanted, &got)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "answers differ (- deserved, + given):\n{wrong}");
}

fn as_toml(deserves: &Deserves) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        deserves: &'a Deserves,
    }
    toml::to_string_pretty(&Answer { deserves }).unwrap()
}

fn bless(played: &Played) {
    let text = fs::read_to_string(&played.path).unwrap();
    let answers = ["\n[deserves", "\n[[deserves"].into_iter().filter_map(|mark| text.find(mark));
    let situation = text.get(..answers.min().unwrap_or(text.len())).unwrap();
    let situation = situation.trim_end();
    fs::write(&played.path, format!("{situation}\n\n{}", as_toml(&played.got))).unwrap();
}

/// The lines that only one of them has, around those that both have, in order.
fn difference(wanted: &str, got: &str) -> String {
    let (wanted, got): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), got.lines().collect());
    // Longest common subsequence, from the ends.
    let mut common = vec![vec![0; got.len() + 1]; wanted.len() + 1];
    for (i, old) in wanted.iter().enumerate().rev() {
        for (j, new) in got.iter().enumerate().rev() {
            common[i][j] = match old == new {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < wanted.len() || j < got.len() {
        if i < wanted.len() && j < got.len() && wanted[i] == got[j] {
            (i, j) = (i + 1, j + 1);
        } else if j < got.len() && (i == wanted.len() || common[i][j + 1] > common[i + 1][j]) {
            writeln!(text, "   + {}", got[j]).unwrap();
            j += 1;
        } else {
            writeln!(text, "   - {}", wanted[i]).unwrap();
            i += 1;
        }
    }
    text
}

#[test]
fn a_difference_shows_what_changed_and_nothing_else() {
    assert_eq!(difference("a\nb\nc", "a\nx\nc\nd"), "   - b\n   + x\n   + d\n");
}

/// The causes that no situation can show, with the reason. A new cause must be put on one side.
fn can_be_shown(kind: CauseKind) -> bool {
    match kind {
        // Meets binds of port 0 only, and a target always names its port.
        CauseKind::NoPortsLeft => false,
        CauseKind::Listener
        | CauseKind::Reserved
        | CauseKind::SharedListener
        | CauseKind::InheritedListener
        | CauseKind::BoundNotListening
        | CauseKind::AcceptedConnection
        | CauseKind::OutgoingConnection
        | CauseKind::TimeWait
        | CauseKind::Closing
        | CauseKind::UdpSocket
        | CauseKind::UnixSocket
        | CauseKind::StaleUnixSocket
        | CauseKind::InFlight
        | CauseKind::HiddenHolder
        | CauseKind::OtherNamespace
        | CauseKind::Redirected
        | CauseKind::Container
        | CauseKind::SocketActivation
        | CauseKind::Kernel
        | CauseKind::Privileged
        | CauseKind::NotLocal
        | CauseKind::Unexplained => true,
    }
}

const KINDS: [CauseKind; 23] = [
    CauseKind::Listener,
    CauseKind::SharedListener,
    CauseKind::InheritedListener,
    CauseKind::BoundNotListening,
    CauseKind::AcceptedConnection,
    CauseKind::OutgoingConnection,
    CauseKind::TimeWait,
    CauseKind::Closing,
    CauseKind::UdpSocket,
    CauseKind::UnixSocket,
    CauseKind::StaleUnixSocket,
    CauseKind::InFlight,
    CauseKind::HiddenHolder,
    CauseKind::OtherNamespace,
    CauseKind::Redirected,
    CauseKind::Container,
    CauseKind::SocketActivation,
    CauseKind::Kernel,
    CauseKind::Privileged,
    CauseKind::Reserved,
    CauseKind::NotLocal,
    CauseKind::NoPortsLeft,
    CauseKind::Unexplained,
];

#[test]
fn every_cause_has_a_scenario_where_it_stands_alone() {
    let all = play_all();
    let alone: Vec<CauseKind> = all
        .iter()
        .filter(|played| played.report.causes.len() == 1)
        .map(|played| played.report.causes[0].kind)
        .collect();
    let missing: Vec<CauseKind> =
        KINDS.into_iter().filter(|kind| can_be_shown(*kind) && !alone.contains(kind)).collect();
    assert_eq!(missing, [], "causes without a scenario of their own");
    let impossible: Vec<CauseKind> = all
        .iter()
        .flat_map(|played| &played.report.causes)
        .map(|cause| cause.kind)
        .filter(|kind| !can_be_shown(*kind))
        .collect();
    assert_eq!(impossible, [], "causes that were thought impossible");
}

/// The rows of the ranking of causes that no situation on this system can show, and why.
const NOT_HERE: [(&str, &str); 1] = [("C31", "it fails binds of port 0, and port 0 is no target")];

fn ranking() -> impl Iterator<Item = String> {
    (1..=36).map(|number| format!("C{number:02}"))
}

#[test]
fn every_row_of_the_ranking_has_a_scenario() {
    let all = play_all();
    let known: BTreeSet<String> = ranking().collect();
    let shown: BTreeSet<String> =
        all.iter().flat_map(|played| played.rows.iter().cloned()).collect();
    let invented: Vec<&String> = shown.difference(&known).collect();
    assert!(invented.is_empty(), "no rows of the ranking: {invented:?}");
    let not_here = |row: &str| NOT_HERE.iter().any(|(id, why)| *id == row && !why.is_empty());
    let missing: Vec<&String> =
        known.iter().filter(|row| !shown.contains(*row) && !not_here(row)).collect();
    assert!(missing.is_empty(), "rows without a scenario: {missing:?}");
    let thought: Vec<&String> = shown.iter().filter(|row| not_here(row)).collect();
    assert!(thought.is_empty(), "thought impossible here: {thought:?}");
}

/// What `proc` offers, `proc` does: a command that a guard rail would refuse is no remedy.
#[test]
fn what_is_offered_is_not_refused() {
    let mut refused = Vec::new();
    for played in play_all() {
        let causes = &played.report.causes;
        let offered = causes.iter().flat_map(|cause| &cause.remedies);
        let offered = offered.filter_map(|remedy| remedy.argv.as_deref());
        for argv in offered.filter(|argv| argv[0] == "proc" && argv[1] == "free") {
            let host = ReplayHost::new(played.recording.clone());
            let act = argv[1..].join(" ");
            let of = target(&argv[argv.len() - 1]);
            if causes.len() == 1
                && let (_, Err(Refusal::Guarded(why))) = plan(&act, &of, &host)
            {
                refused.push(format!("{}: {act}: {}", played.name(), why.explain));
            }
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

/// The never-kill list: whoever is on it is refused by whatever verb.
#[test]
fn nobody_on_the_list_is_signalled() {
    let all = play_all();
    let list = all.iter().find(|played| played.name() == "those-who-are-never-signalled").unwrap();
    assert!(list.got.act.len() >= 20);
    for (act, got) in &list.got.act {
        assert_eq!(got.refused.as_deref(), Some("guarded"), "{act}");
    }
}

/// A lever is shown whole: by `free`, which pulls it, and by those who do not.
#[test]
fn every_lever_is_shown_by_each_verb() {
    let mut shown: BTreeMap<String, bool> = BTreeMap::new();
    for played in play_all() {
        let Some(free) = played.got.act.get("free") else { continue };
        for step in free.steps.iter().filter(|step| step.starts_with("run: ")) {
            let command = step.split(" by: ").nth(1).unwrap();
            let word = |word: &str| !word.contains('=') && word != "env" && word != "--";
            let mut words = command.split(' ').filter(|it| word(it));
            let mut program = words.next().unwrap().rsplit(['/', '\\']).next().unwrap().to_owned();
            program.truncate(program.strip_suffix(".exe").unwrap_or(&program).len());
            if program == "runuser" {
                program = words.nth(2).unwrap().to_owned();
            }
            let verbs = ["kill", "stop", "free --only-signal"];
            let whole = verbs.iter().all(|verb| played.got.act.contains_key(*verb));
            *shown.entry(program).or_default() |= whole;
        }
    }
    let partly: Vec<&String> =
        shown.iter().filter(|(_, whole)| !**whole).map(|(program, _)| program).collect();
    assert!(partly.is_empty(), "not by each verb: {partly:?}");
    assert!(shown.len() >= 10, "{shown:?}");
}

/// One row of the table in docs/causes.md: its cells, without what marks them.
fn row_of(line: &str) -> Option<Vec<String>> {
    let cells: Vec<String> =
        line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
    let is_row = cells.get(1).is_some_and(|id| ranking().any(|row| row == *id));
    is_row.then(|| cells[1..cells.len() - 1].to_vec())
}

#[test]
fn the_table_of_rows_says_what_the_scenarios_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("docs/causes.md")).unwrap();
    let rows: Vec<Vec<String>> = text.lines().filter_map(row_of).collect();
    let all = play_all();
    let ids: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 36, "{ids:?}");
    assert_eq!(ids.len(), 36, "a row twice: {ids:?}");
    for row in &rows {
        let [id, _, says, does, scenarios, real] = row.as_slice() else {
            panic!("six cells: {row:?}")
        };
        let of: Vec<&Played> = all.iter().filter(|played| played.rows.contains(id)).collect();
        let names: Vec<String> = of.iter().map(|played| played.name()).collect();
        let listed: Vec<&str> = scenarios.split(", ").map(|name| name.trim_matches('`')).collect();
        if of.is_empty() {
            assert!(NOT_HERE.iter().any(|(row, _)| row == id), "{id}");
            continue;
        }
        assert_eq!(listed, names, "{id}: its scenarios");
        let said = |sentence: &str| {
            of.iter().any(|played| {
                let (got, report) = (&played.got, &played.report);
                report.causes.iter().any(|cause| cause.explain == sentence)
                    || got.notes.iter().chain(&got.explain).any(|note| note == sentence)
                    || got.who.values().any(|who| who.started.as_deref() == Some(sentence))
                    || got.nature.iter().any(|it| it.split_once(": ").unwrap().1 == sentence)
            })
        };
        assert!(said(says), "{id}: nobody says: {says}");
        let done = |sentence: &str| {
            of.iter().flat_map(|played| &played.got.act).any(|(act, got)| {
                act.starts_with("free")
                    && (got.steps.iter().chain(&got.why).any(|step| step == sentence)
                        || got.refused.as_deref() == Some(sentence))
            })
        };
        assert!(done(does), "{id}: free does not: {does}");
        for path in real.split(", ").map(|path| path.trim_matches('`')).filter(|it| *it != "-") {
            assert!(root.join(path).exists(), "{id}: {path}");
        }
    }
}

#[test]
fn every_verdict_refusal_and_guard_rail_has_a_scenario() {
    let mut seen = BTreeSet::new();
    for played in play_all() {
        seen.extend(played.report.verdict.map(|verdict| format!("verdict {verdict:?}")));
        for refusal in &played.refusals {
            seen.insert(match refusal {
                Refusal::AlreadyFree => "already free".to_owned(),
                Refusal::Denied(_) => "denied".to_owned(),
                Refusal::Helpless(_) => "helpless".to_owned(),
                Refusal::Found(..) => "found".to_owned(),
                Refusal::Guarded(why) => {
                    format!("guarded: {}", rail(&why.explain, &played.snapshot))
                }
            });
        }
    }
    let missing: Vec<&str> = [
        "verdict Free",
        "verdict Held",
        "verdict Lingering",
        "verdict Denied",
        "already free",
        "denied",
        "helpless",
        "guarded: PID 1",
        "guarded: kernel thread",
        "guarded: this process",
        "guarded: an ancestor",
        "guarded: door sshd",
        "guarded: door dockerd",
        "guarded: door docker-proxy",
        "guarded: other",
    ]
    .into_iter()
    .filter(|name| !seen.contains(*name))
    .collect();
    assert!(missing.is_empty(), "without a scenario: {missing:?}\nseen: {seen:#?}");
}

/// Which guard rail refused, told from the process in the sentence and not from the sentence.
fn rail(why: &str, snapshot: &Snapshot) -> String {
    let pid = why.split("(pid ").nth(1).and_then(|rest| rest.split(')').next()?.parse().ok());
    let Some(process) = pid.and_then(|pid: u32| snapshot.processes.get(&pid)) else {
        return "other".to_owned();
    };
    let Process { id, kernel_thread, .. } = process;
    let asker = &snapshot.asker;
    if id.pid == 1 {
        "PID 1".to_owned()
    } else if *kernel_thread {
        "kernel thread".to_owned()
    } else if id.pid == asker.pid {
        "this process".to_owned()
    } else if asker.ancestors.contains(&id.pid) {
        "an ancestor".to_owned()
    } else if door(process).is_some() {
        format!("door {}", process.name)
    } else {
        "other".to_owned()
    }
}

/// Each variant of each sentence, by words that only it has.
const SENTENCES: [&str; 88] = [
    "is held by node (pid 4242), started 2 d 5 h ago in /home/me/shop",
    "suspended as by Ctrl-Z in pts/3, so clients connect and hang",
    "it waits for a device or file server (state D)",
    "started this command: if it is what fails, it binds twice",
    "a program on Windows may hold it: netstat.exe -ano names it",
    "sockets (SO_REUSEPORT) by",
    "share :8000 by SO_REUSEPORT",
    "they inherited the listening socket",
    "is no server and seems to have inherited",
    "is bound, without listening, by",
    "any more, but 2 connections that came in by it are",
    "a connection that seems to have come in by it is",
    "it is the local port of an outgoing connection to",
    "it seems to be the local port of",
    "one of them to",
    "is connected to itself",
    "nothing listens on :5000; 3 closed connections are in TIME-WAIT; the last ends in 41 s",
    "1 closed connection is in TIME-WAIT; it ends in 1 s",
    "2 closed connections on :3000 are in TIME-WAIT",
    "the kernel is still closing 1 connection that",
    "the kernel is still closing 1 connection on :3000",
    "is served by",
    "is a socket file that nobody serves",
    "on its way between processes (SCM_RIGHTS)",
    "by a process of root in nginx.service that you may not see",
    "by a process of yours in login session 3",
    "in the control group",
    "in the docker container 0123456789ab that you may not see",
    "is held, for a connection, by a process",
    "is bound, without listening, by a process of root",
    "that cannot be seen from here",
    "is held in network namespace blue by",
    "is held in network namespace 4026532202; that does not stop",
    "is held in another network namespace by",
    "is held in the docker container 0123456789ab by",
    "only forwards it to 172.17.0.2:80",
    r#"only forwards it""#,
    "and its service runs",
    "and starts the service when somebody connects",
    "by the kernel itself (usually its NFS server)",
    "by the kernel itself (NFS, WireGuard, VXLAN or the like)",
    "you may not bind :80: ports below 1024",
    "is not an address of this machine (it has",
    "nothing that can be seen explains it",
    ", and 2 processes that it started",
    "and 1 process that it started",
    "in its thread 4913 alone",
    "registered in its io_uring",
    "mapped into its memory",
    "its main thread has ended, others run on",
    ":3000 is free",
    "can bind now",
    "cannot bind either: the old one did not set it",
    "can bind 127.0.0.1 now, but not",
    "several servers have :3000: 127.0.0.1 leads to",
    "::1 and all other addresses lead to",
    "somebody you may not see",
    "1 process of another user could",
    "63 processes of other users could",
    "are hidden (look from",
    "/proc is not mounted",
    "socket query was refused (EPERM)",
    "udp sockets could not be read",
    "does not list sockets that are bound",
    "4 other network namespaces were not",
    "ulimit -n",
    "kept changing",
    "of a very large socket table",
    "and 1 more",
    "is not yours: it belongs to /home/me/wt/feature-x, started by claude (pid 8800), and you are in",
    "is not yours: claude (pid 8800) started it and still runs in /home/me/shop",
    "is not yours: it was started from terminal pts/4",
    "is not yours: it belongs to www-data; --mine",
    "is not yours alone: shop-db.service is a service of this machine",
    "is in a container, and nothing tells that it is your project's",
    "may not be yours: nothing tells for what project it was started",
    "/mnt/nas/shop did not answer in time",
    "no socket holds tcp:8080, so a bind works, but a rule of nftables (ip nat, chain DOCKER) sends what arrives for it to 172.17.0.2:80",
    "(container fd587b72fe45)",
    "a Kubernetes NodePort for default/web sends what arrives for it to 10.244.0.5:8080, and to 1 other place",
    "the Kubernetes service default/web sends what arrives for :80 at 192.168.1.7, from this machine too, to",
    "a virtual service of IPVS sends",
    "sends what this machine itself sends to it to port 3129 of this machine",
    "the server here gets only what this machine itself sends",
    "the server here gets only what is sent to other addresses",
    "the server here gets nothing of it",
    "rules of the packet filter could not be read (EPERM)",
    "only 60000 rules of the packet filter were read",
];

#[test]
fn every_sentence_is_said_in_some_scenario() {
    let all = play_all();
    let said: String = all.iter().map(|played| as_toml(&played.got)).collect();
    let missing: Vec<&str> =
        SENTENCES.into_iter().filter(|fragment| !said.contains(fragment)).collect();
    assert!(missing.is_empty(), "never said: {missing:#?}");
}

#[test]
fn every_gap_is_met_in_some_scenario() {
    let met: BTreeSet<String> = play_all()
        .iter()
        .flat_map(|played| &played.snapshot.gaps)
        .map(|gap| match gap {
            Gap::UnreadableProcesses { .. } => "unreadable processes",
            Gap::HiddenProcesses => "hidden processes",
            Gap::NoProcfs => "no procfs",
            Gap::NoSockDiag { .. } => "no sock_diag",
            Gap::NoSockets { .. } => "no sockets",
            Gap::NoBoundSockets => "no bound sockets",
            Gap::OtherNamespaces { .. } => "other namespaces",
            Gap::TooFewDescriptors => "too few descriptors",
            Gap::UnstableTable => "unstable table",
            Gap::Truncated { .. } => "truncated",
            Gap::Manager { .. } => "manager",
            Gap::NoRules { .. } => "no rules",
            Gap::LateDirectory { .. } => "a late directory",
            Gap::ManyRules { .. } => "many rules",
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(met.len(), 14, "only these: {met:?}");
}

#[test]
fn sentences_keep_their_tone() {
    let mut wrong = Vec::new();
    for played in play_all() {
        let causes = played.report.causes.iter().map(|cause| cause.explain.clone());
        let remedies =
            played.report.causes.iter().flat_map(|c| &c.remedies).map(|r| r.explain.clone());
        let gaps = played.report.gaps.iter().map(|gap| gap.what.clone());
        let acts =
            played.got.act.values().flat_map(|act| act.why.iter().chain(&act.notes).cloned());
        let notes = played.report.notes.iter().cloned();
        for sentence in causes.chain(remedies).chain(gaps).chain(acts).chain(notes) {
            let clumsy = sentence.ends_with('.')
                || sentence.contains("  ")
                || sentence.contains(" ,")
                || sentence.contains(" 1 connections")
                || sentence.trim() != sentence;
            if clumsy {
                wrong.push(format!("{}: {sentence}", played.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a person of that system does not have: a sentence with one of these was written for another.
fn foreign_words(system: System) -> Vec<&'static str> {
    const LINUX: &[&str] =
        &["net.ipv4", "setcap", "CAP_", "systemctl", "/proc", "control group", "journalctl"];
    const WINDOWS: &[&str] = &["netsh", "elevated"];
    let unix = ["sudo", "SIG", "root", "Ctrl-Z", "SO_REUSEPORT", "descriptor", "/dev/", "/etc/"];
    match system {
        System::Linux => [WINDOWS, &["Run as administrator", "launchctl"]].concat(),
        System::Mac => [LINUX, WINDOWS].concat(),
        System::Windows => [LINUX, &unix, &["launchctl"]].concat(),
    }
}

/// Every sentence of an answer is for whoever sits there.
#[test]
fn nobody_is_told_of_another_system() {
    let mut wrong = BTreeSet::new();
    for played in play_all() {
        let words = foreign_words(System::of(played.snapshot.source));
        let sentences = played.report.causes.iter().flat_map(|cause| &cause.remedies);
        let mut said: Vec<String> = sentences.map(|remedy| remedy.explain.clone()).collect();
        // These are words of the document, and no sentences.
        let answer = as_toml(&played.got).replace(" (root)", "").replace("look-as-root", "");
        said.extend(answer.lines().map(str::to_owned));
        for sentence in said {
            for word in words.iter().filter(|word| sentence.contains(*word)) {
                wrong.insert(format!("{word}: {}: {sentence}", played.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
