//! `kill`, `stop`, `free` and the deeds beside them for people: the plan before, a line for each thing that happens, and
//! what it came to.

use std::collections::BTreeSet;

use proc_core::report::{EventReport, OtherPort, Outcome, PeerReport, StepReport, TargetReport};

use super::page::{Fit, Line, Page, Role};
use super::{card, concerned, words};
use crate::sanitize;
use crate::terminal::View;

/// Puts what the actions came to on a page.
pub fn put(page: &mut Page, targets: &[TargetReport], view: &View) {
    for target in targets {
        if target.outcome == Some(Outcome::Planned) {
            page.gap();
            put_plan(page, target, view);
        } else {
            result(page, target, view);
        }
    }
    // One act, one number: said once, to a person who reads it right after.
    if view.width.is_some()
        && let Some(number) = targets.iter().find_map(|target| target.undo)
    {
        page.push(Line::new(0).with(Role::Dim, format!("undo: proc undo {number}")));
    }
}

fn result(page: &mut Page, target: &TargetReport, view: &View) {
    let done = words::outcome_role(target.outcome) == Role::Free;
    if !done {
        page.gap();
    }
    let sentence = target.explain.clone().unwrap_or_else(|| outcome_sentence(target));
    let role = words::outcome_role(target.outcome);
    page.push(match sentence.split_once(target.target.as_str()) {
        Some((before, after)) => {
            Line::new(0).text(before).with(role, target.target.clone()).text(after)
        }
        None => Line::new(0).with(role, target.target.clone()).text(format!(": {sentence}")),
    });
    card::remarks(page, target);
    if done || target.outcome == Some(Outcome::Declined) {
        return;
    }
    // What was seen before the act: who it is about. What is so now is in the sentence.
    card::processes(page, target, &concerned(target), view);
    if target.outcome == Some(Outcome::Denied) {
        card::gaps(page, &target.gaps);
    }
}

fn outcome_sentence(target: &TargetReport) -> String {
    let name = &target.target;
    match target.outcome {
        Some(Outcome::Freed) => format!("{name} is free now"),
        Some(Outcome::AlreadyFree) => format!("{name} was free already"),
        Some(Outcome::NotFound) => format!("there is no {name}"),
        Some(Outcome::StillHeld) => format!("{name} is still held"),
        Some(Outcome::Respawned) => format!("{name} was freed and taken again by its old owner"),
        Some(Outcome::TakenByAnother) => format!("{name} was freed and taken by somebody else"),
        Some(Outcome::Lingering) => format!("{name} is held by remains that outlast the wait"),
        Some(Outcome::Denied) => format!("not permitted: {name}"),
        Some(Outcome::Sent) => format!("{name} was sent the signal"),
        Some(Outcome::Frozen) => format!("{name} is frozen"),
        Some(Outcome::Thawed) => format!("{name} is running again"),
        Some(Outcome::Unstuck) => format!("{name} moves again"),
        Some(Outcome::NotStuck) => format!("{name} is not stuck"),
        Some(Outcome::Reloaded) => format!("{name} took the order to reload"),
        Some(Outcome::Unchanged) => format!("{name} is as it was"),
        Some(Outcome::Refused) => format!("refused: {name}"),
        Some(Outcome::Declined) => format!("nothing was done to {name}"),
        Some(Outcome::Planned) | None => format!("nothing was done to {name} yet"),
    }
}

/// The plans for all targets, as shown before the question.
pub fn plan(targets: &[TargetReport], view: &View) -> String {
    let mut page = Page::default();
    for target in targets {
        page.gap();
        put_plan(&mut page, target, view);
    }
    page.render(view)
}

/// What is shown of each: a question fits on a screen, whatever it is about.
const CARDS: usize = 3;
const NOTES: usize = 5;
const STEPS: usize = 6;
const LISTED: usize = 6;

/// What would be done to one target, and what a person needs to decide: who is hit, what else
/// they hold, who is being served, what ends with them.
fn put_plan(page: &mut Page, target: &TargetReport, view: &View) {
    page.push(Line::new(0).with(words::verdict_role(target.verdict), target.target.clone()));
    let holders = concerned(target);
    for pid in holders.iter().take(CARDS) {
        match target.processes.iter().find(|process| process.pid == *pid) {
            Some(process) => card::card(page, process, view),
            None => page.push(Line::new(2).text(format!("pid {pid}"))),
        }
        let also = |other: &&OtherPort| other.pid == *pid;
        let also = target.other_ports.iter().filter(also).map(|other| other.port.clone());
        if let Some(also) = listed(also) {
            page.push(Line::new(4).text(format!("also holds {also}")));
        }
    }
    let rest = holders.iter().skip(CARDS).map(|pid| words::named(*pid, &target.processes));
    if let Some(rest) = listed(rest) {
        page.push(Line::new(2).text(format!("and {rest}")));
    }
    put_toll(page, target, &holders);
    put_some(page, &target.notes, NOTES, |note| Line::new(2).text(note.clone()));
    if target.plan.is_empty() {
        let nothing = target.explain.clone().unwrap_or_else(|| "nothing is to be done".to_owned());
        page.push(Line::new(2).text(nothing));
    }
    let steps: Vec<(usize, &StepReport)> = target.plan.iter().enumerate().collect();
    put_some(page, &steps, listed_steps(target), |(at, step)| step_line(at + 1, step));
}

/// How many steps are shown: where processes were named, or their trees, each that is to be hit is.
fn listed_steps(target: &TargetReport) -> usize {
    const MOST: usize = 500;
    let tree = target.plan.iter().any(|step| step.explain.contains(" of its tree"));
    if target.verdict.is_some() && !tree {
        return STEPS;
    }
    let pids: BTreeSet<u32> = target.plan.iter().filter_map(|step| step.pid).collect();
    pids.len().clamp(STEPS, MOST)
}

/// What becomes of the clients; `None` where nothing does.
fn fate(target: &TargetReport) -> Option<&'static str> {
    match target.plan.first().map(|step| step.step.as_str()) {
        Some("freeze") => Some("wait"),
        Some("send" | "continue" | "remind" | "reload") => None,
        _ => Some("be cut"),
    }
}

/// Who is cut off, and what ends as well.
fn put_toll(page: &mut Page, target: &TargetReport, holders: &[u32]) {
    if let (Some(clients), Some(fate)) =
        (target.clients.filter(|&clients| clients > 0), fate(target))
    {
        let cut = format!("{} would {fate}", words::count(clients, "live connection"));
        let text = match who(&target.peers, clients) {
            Some(who) => format!("{cut}: {who}"),
            None => cut,
        };
        page.push(Line::new(2).with(Role::Lingering, text));
    }
    if let Some(along) = &target.along {
        if along.processes > 0 {
            let ends = match (along.certain, along.processes) {
                (true, 1) => "ends with it",
                (true, _) => "end with it",
                (false, _) => "may end with it",
            };
            let what = match along.processes {
                1 => "1 process".to_owned(),
                count => format!("{count} processes"),
            };
            let named = along.named.iter().map(|one| format!("{} ({})", one.name, one.pid));
            let named = listed_of(named, along.processes).unwrap_or_default();
            page.push(Line::new(2).text(format!("{what} {ends}: {named}")));
        }
        if let Some(others) = listed(along.others.iter().cloned()) {
            page.push(Line::new(2).text(format!("also stops: {others}")));
        }
    }
    let theirs = target.other_ports.iter().filter(|other| !holders.contains(&other.pid));
    if let Some(ports) = listed(theirs.map(|other| other.port.clone())) {
        page.push(Line::new(2).text(format!("what ends with it holds {ports}")));
    }
}

/// Whose the connections are: `curl (812), 192.168.1.4 (12 of them), and 3 more`.
fn who(peers: &[PeerReport], clients: usize) -> Option<String> {
    let mut parts = Vec::new();
    let mut named = 0;
    for peer in peers.iter().take(LISTED) {
        let name = match (&peer.process, &peer.address) {
            (Some(process), _) => format!("{} ({})", process.name, process.pid),
            (None, Some(address)) => address.clone(),
            (None, None) => continue,
        };
        named += peer.connections;
        parts.push(match peer.connections {
            1 => name,
            count => format!("{name} with {count}"),
        });
    }
    let left = clients.saturating_sub(named);
    if left > 0 && !parts.is_empty() {
        parts.push(format!("and {left} more"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The first few, each once, and how many more there are; `None` for none.
fn listed(items: impl Iterator<Item = String>) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    all.extend(items.filter(|item| seen.insert(item.clone())));
    let count = all.len();
    listed_of(all.into_iter(), count)
}

/// As [`listed`], of that many in all.
fn listed_of(items: impl Iterator<Item = String>, count: usize) -> Option<String> {
    let mut shown: Vec<String> = items.take(LISTED).collect();
    if count > shown.len() && !shown.is_empty() {
        shown.push(format!("and {} more", count - shown.len()));
    }
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// The first few lines, and how many more there are.
fn put_some<T>(page: &mut Page, items: &[T], most: usize, line: impl Fn(&T) -> Line) {
    for item in items.iter().take(most) {
        page.push(line(item));
    }
    if items.len() > most {
        let more = format!("and {} more; --json lists all", items.len() - most);
        page.push(Line::new(2).with(Role::Dim, more));
    }
}

fn step_line(number: usize, step: &StepReport) -> Line {
    let line = Line::new(2).text(format!("{number}. {}", step.explain));
    match &step.argv {
        // Most say their command in their sentence.
        Some(argv) if step.explain.ends_with(&argv.join(" ")) => line.fit(Fit::Whole),
        Some(argv) => line.fit(Fit::Whole).with(Role::Dim, format!("  {}", sanitize::shell(argv))),
        None => line,
    }
}

/// One thing that happens, on one line without its end.
pub fn progress(target: &str, event: &EventReport, several: bool, view: &View) -> String {
    let mut line = Line::new(0).fit(Fit::Cut);
    if several {
        line.push(Role::Strong, format!("{target}: "));
    }
    line.push(Role::Dim, event.explain.clone());
    let mut page = Page::default();
    page.push(line);
    let mut text = page.render(view);
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use proc_core::report::{
        AlongReport, NamedReport, ProcessReport, RefusalReason, RefusalReport,
    };

    use super::*;
    use crate::render::fixture;

    fn shown(targets: &[TargetReport]) -> String {
        let mut page = Page::default();
        put(&mut page, targets, &View::plain());
        page.render(&View::plain())
    }

    fn freed(name: &str) -> TargetReport {
        TargetReport {
            outcome: Some(Outcome::Freed),
            explain: Some(format!("freed {name} in 41 ms")),
            ..fixture::empty(name)
        }
    }

    #[test]
    fn success_is_one_line() {
        assert_eq!(
            shown(&[freed(":3000"), freed(":3001")]),
            "freed :3000 in 41 ms\nfreed :3001 in 41 ms\n"
        );
    }

    #[test]
    fn failure_says_who_and_what_to_do() {
        let mut target = fixture::held();
        target.outcome = Some(Outcome::StillHeld);
        assert_eq!(
            shown(&[freed(":1"), target]),
            "\
             freed :1 in 41 ms\n\
             \n\
             :3000 is still held\n\
             \x20 node server.js --title 'my app'\n\
             \x20   pid 4242 · me · /home/me/web · 2 h · pts/3\n\
             \x20   run by nodemon (4200), which would start it again\n"
        );
    }

    #[test]
    fn the_plan_is_what_a_person_needs_to_decide() {
        assert_eq!(
            plan(&[fixture::held()], &View::plain()),
            "\
             :3000\n\
             \x20 node server.js --title 'my app'\n\
             \x20   pid 4242 · me · /home/me/web · 2 h · pts/3\n\
             \x20   run by nodemon (4200), which would start it again\n\
             \x20   also holds tcp:9229\n\
             \x20 1 live connection would be cut\n\
             \x20 1. ask node (4242) to end (SIGTERM)\n"
        );
        let planned = TargetReport { outcome: Some(Outcome::Planned), ..fixture::held() };
        assert_eq!(shown(std::slice::from_ref(&planned)), plan(&[planned], &View::plain()));
    }

    #[test]
    fn thousands_fit_on_a_screen() {
        let mut target = fixture::held();
        let one = |pid: u32| NamedReport { pid, name: format!("w{pid}") };
        target.clients = Some(2000);
        target.peers = (0..40)
            .map(|n| PeerReport {
                process: (n == 0).then(|| one(9)),
                address: (n > 0).then(|| format!("10.0.0.{n}")),
                connections: 40 - n,
            })
            .collect();
        target.other_ports = (0..500)
            .map(|n| OtherPort { pid: 4242 + n % 2, port: format!("tcp:{}", 5000 + n) })
            .collect();
        target.along = Some(AlongReport {
            certain: true,
            processes: 300,
            named: (1..40).map(one).collect(),
            others: (0..20).map(|n| format!("unit-{n}.service")).collect(),
        });
        target.notes = (0..300).map(|n| format!("note {n}")).collect();
        let step = target.plan[0].clone();
        target.plan = vec![step; 300];
        let text = plan(&[target], &View::plain());
        assert!(text.lines().count() < 24, "{text}");
        for part in [
            "2000 live connections would be cut: w9 (9) with 40, 10.0.0.1 with 39, ",
            ", and 1775 more\n",
            "300 processes end with it: w1 (1), w2 (2), w3 (3), w4 (4), w5 (5), w6 (6), and 294 more",
            "also stops: unit-0.service, ",
            "also holds tcp:5000, tcp:5002, ",
            "what ends with it holds tcp:5001, ",
            "and 295 more; --json lists all",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_refusal_shows_the_process_because_of_which() {
        let mut target = fixture::empty("sh");
        let process = |pid: u32, above: &[u32]| {
            let own = fixture::process(pid, above.first().copied().unwrap_or(1), "sh", &["sh"]);
            ProcessReport { ancestors: above.to_vec(), ..own }
        };
        target.processes = vec![process(30, &[20, 10]), process(10, &[]), process(20, &[10])];
        target.outcome = Some(Outcome::Refused);
        target.explain = Some("sh (pid 20) is this very command or started it".to_owned());
        let pids = |target: &TargetReport| {
            let text = shown(std::slice::from_ref(target));
            let numbers = text.lines().filter_map(|line| line.trim().strip_prefix("pid "));
            let numbers = numbers.filter_map(|rest| rest.split(' ').next()?.parse().ok());
            numbers.collect::<Vec<u32>>()
        };
        assert_eq!(pids(&target), [10, 20, 30], "whoever started another comes before it");
        target.refusal = Some(RefusalReport { reason: RefusalReason::OwnAncestor, pid: Some(20) });
        assert_eq!(pids(&target), [20, 10, 30]);
        // Of a tree, the one in the way may be none of those that were named.
        target.refusal = Some(RefusalReport { reason: RefusalReason::Door, pid: Some(40) });
        assert_eq!(pids(&target), [10, 20, 30]);
    }

    #[test]
    fn a_command_is_shown_once() {
        let mut target = fixture::held();
        let argv: Vec<String> = ["docker", "stop", "web"].map(str::to_owned).to_vec();
        target.plan = vec![StepReport {
            step: "run".to_owned(),
            pid: None,
            explain: "stop the container web by: docker stop web".to_owned(),
            argv: Some(argv),
        }];
        let text = plan(&[target], &View::plain());
        assert_eq!(text.matches("docker stop web").count(), 1, "{text}");
    }

    #[test]
    fn progress_is_one_line_that_fits() {
        let event = EventReport {
            at_ms: 1,
            event: "asked".to_owned(),
            pid: Some(4242),
            explain: "asked node (4242) to end (SIGTERM)".to_owned(),
        };
        let view = View { width: Some(20), ..View::plain() };
        assert_eq!(progress(":1", &event, false, &view), "asked node (4242) t…");
        assert_eq!(
            progress(":1", &event, true, &View::plain()),
            ":1: asked node (4242) to end (SIGTERM)"
        );
    }
}
