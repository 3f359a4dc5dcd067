//! Turns answers into text: for people, as JSON, as PIDs. Reads reports, decides nothing.

mod act;
mod card;
mod check;
mod columns;
mod config;
mod diff;
mod doctor;
#[cfg(test)]
pub mod fixture;
mod info;
mod leases;
mod lines;
mod look;
mod menu;
mod message;
mod page;
mod ports;
mod processes;
mod reasons;
#[cfg_attr(not(unix), allow(dead_code, reason = "run is for Unix"))]
pub mod run;
mod table;
mod tree;
mod undo;
mod wait;
mod watch;
mod why;
mod width;
mod words;

pub use act::{plan, progress};
pub use lines::jsonl;
pub use menu::menu;
pub use ports::offers as port_columns;
pub use processes::offers as process_columns;
pub use undo::plan as undo_plan;
pub use watch::{event, left_out};
pub use width::columns;

use proc_core::report::{ErrorReport, TargetReport};
use serde::Serialize;

use crate::answer::{Answer, Telling, failure};
use crate::cli::takes_columns;
use crate::columns::{Offer, Shape};
use crate::sanitize;
use crate::terminal::View;
use page::{Fit, Line, Page, Role};

/// The answer for people.
pub fn human(answer: &Answer, view: &View) -> String {
    let mut page = Page::default();
    match answer {
        Answer::Looked { telling: Telling::On, report, counts } => {
            look::put(&mut page, &report.targets, counts, view);
        }
        Answer::Looked { telling: Telling::Why, report, counts } if !report.messages.is_empty() => {
            message::put(&mut page, report, counts, view);
        }
        Answer::Looked { telling: Telling::Why, report, counts } => {
            why::put(&mut page, &report.targets, counts, view);
        }
        Answer::Looked { telling: Telling::Info, report, .. } => {
            info::put(&mut page, &report.targets, view);
        }
        Answer::Looked { telling: Telling::Check { reuse_addr }, report, .. } => {
            for target in &report.targets {
                check::put(&mut page, target, *reuse_addr);
            }
        }
        Answer::Looked { telling: Telling::Pids, report, .. } => {
            return pids(report.targets.iter().flat_map(holders));
        }
        Answer::Acted { report, .. } => act::put(&mut page, &report.targets, view),
        Answer::Waited { report, .. } => wait::put(&mut page, &report.targets, view),
        Answer::Listed { report, shape: Shape::Pids } => {
            let held = report.sockets.iter().flat_map(|socket| &socket.holders);
            return pids(held.map(|holder| holder.pid));
        }
        Answer::Listed { report, shape: Shape::Csv(columns) } => {
            return ports::csv(report, columns.as_deref());
        }
        Answer::Listed { report, shape: Shape::Table(columns) } => {
            ports::put(&mut page, report, columns.as_deref(), view);
        }
        Answer::Processes { report, shape: Shape::Pids } => {
            return report.processes.iter().map(|process| format!("{}\n", process.pid)).collect();
        }
        Answer::Processes { report, shape: Shape::Csv(columns) } => {
            return processes::csv(report, columns.as_deref());
        }
        Answer::Processes { report, shape: Shape::Table(columns) } => {
            processes::put(&mut page, report, columns.as_deref(), view);
        }
        Answer::Tree { report, pids: true } => {
            let meant = report.processes.iter().filter(|process| !process.context);
            return meant.map(|process| format!("{}\n", process.pid)).collect();
        }
        Answer::Tree { report, pids: false } => return tree::text(report, view),
        Answer::Picked(report) => {
            return report.ports.iter().map(|port| format!("{port}\n")).collect();
        }
        Answer::Leased(report) => leases::put(&mut page, report, view),
        Answer::Compared(report) => diff::put(&mut page, report, view),
        Answer::Examined { report, named } => doctor::put(&mut page, report, *named),
        Answer::Undone { report, list } => undo::put(&mut page, report, *list, view),
        Answer::Configured(report) => config::put(&mut page, report, view),
        Answer::Told(_) => return String::new(),
        Answer::Text(text) => return text.clone(),
        Answer::Failed { .. } => {}
    }
    page.render(view)
}

/// The columns that a command's list has, where it is one.
pub fn columns_of(command: &str) -> Option<Vec<Offer>> {
    match command {
        "ports" => Some(ports::offers()),
        name if takes_columns(name) => Some(processes::offers()),
        _ => None,
    }
}

/// The answer as one JSON document on one line.
pub fn json(answer: &Answer) -> String {
    match answer {
        Answer::Looked { report, .. }
        | Answer::Acted { report, .. }
        | Answer::Waited { report, .. } => document(report),
        Answer::Listed { report, .. } => document(report),
        Answer::Processes { report, .. } | Answer::Tree { report, .. } => document(report),
        Answer::Picked(report) => document(report),
        Answer::Leased(report) => document(report),
        Answer::Compared(report) => document(report),
        Answer::Examined { report, .. } => document(report),
        Answer::Undone { report, .. } => document(report),
        Answer::Configured(report) => document(report),
        Answer::Told(_) => String::new(),
        Answer::Text(text) => text.clone(),
        Answer::Failed { command, error } => document(&failure(command, error.clone())),
    }
}

/// What could not be seen, for stderr: where the answer is rows alone and has no place for it.
pub fn gaps_beside(answer: &Answer, jsonl: bool, view: impl FnOnce() -> View) -> String {
    match answer {
        Answer::Listed { report, shape } if jsonl || matches!(shape, Shape::Csv(_)) => {
            let view = view();
            report.gaps.iter().map(|gap| note(&card::gap(gap), &view)).collect()
        }
        Answer::Processes { report, shape } if jsonl || matches!(shape, Shape::Csv(_)) => {
            let view = view();
            let gaps = report.gaps.iter().map(|gap| note(&card::gap(gap), &view));
            gaps.chain(report.notes.iter().map(|sentence| note(sentence, &view))).collect()
        }
        _ => String::new(),
    }
}

/// A document as one line.
pub fn document(value: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string(value).expect("reports have string keys and finite numbers");
    text.push('\n');
    text
}

/// An error for people: one sentence.
pub fn error(error: &ErrorReport, view: &View) -> String {
    let mut line = Line::new(0).fit(Fit::Whole).with(Role::Held, "proc:");
    line.push(Role::Plain, format!(" {}", error.explain));
    if let Some(meant) = &error.suggestion
        && !error.explain.contains(&*sanitize::text(meant))
    {
        line.push(Role::Plain, format!("; did you mean `{meant}`?"));
    }
    let mut page = Page::default();
    page.push(line);
    page.render(view)
}

/// A sentence beside the answer.
pub fn note(sentence: &str, view: &View) -> String {
    let mut page = Page::default();
    page.push(Line::new(0).with(Role::Lingering, "proc:").text(format!(" {sentence}")));
    page.render(view)
}

/// The PIDs, each once, in ascending order, a line each.
fn pids(pids: impl Iterator<Item = u32>) -> String {
    let mut pids: Vec<u32> = pids.collect();
    pids.sort_unstable();
    pids.dedup();
    pids.iter().map(|pid| format!("{pid}\n")).collect()
}

/// The processes that an act is about: the one because of which nothing is done comes first; of
/// those named themselves each, whoever started another before it.
fn concerned(target: &TargetReport) -> Vec<u32> {
    let mut pids = match target.verdict.is_none() && target.causes.is_empty() {
        true => topmost(target),
        false => holders(target),
    };
    if let Some(pid) = target.refusal.and_then(|refusal| refusal.pid)
        && target.processes.iter().any(|process| process.pid == pid)
    {
        pids.retain(|other| *other != pid);
        pids.insert(0, pid);
    }
    pids
}

/// The processes of a target, parents before their children.
fn topmost(target: &TargetReport) -> Vec<u32> {
    let named = |pid: &u32| target.processes.iter().any(|process| process.pid == *pid);
    let mut order: Vec<(usize, u32)> = target
        .processes
        .iter()
        .map(|process| (process.ancestors.iter().filter(|pid| named(pid)).count(), process.pid))
        .collect();
    order.sort_by_key(|(above, _)| *above);
    order.into_iter().map(|(_, pid)| pid).collect()
}

/// The processes that a target is about: who holds its sockets, or, where it is no port, those
/// that are named.
fn holders(target: &TargetReport) -> Vec<u32> {
    let causes = target.causes.iter().flat_map(|cause| cause.pids.iter().copied());
    let sockets = target.sockets.iter().flat_map(|socket| &socket.holders).map(|holder| holder.pid);
    let mut pids: Vec<u32> = Vec::new();
    for pid in causes.chain(sockets) {
        if !pids.contains(&pid) {
            pids.push(pid);
        }
    }
    if pids.is_empty() && target.verdict.is_none() {
        pids = topmost(target);
    }
    pids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::document as report_of;
    use crate::exit::Exit;

    #[test]
    fn json_is_one_line_and_reads_back() {
        let report = report_of("on", vec![fixture::held()], Exit::Yes);
        let answer =
            Answer::Looked { telling: Telling::On, report: report.clone(), counts: Vec::new() };
        let text = json(&answer);
        assert_eq!(text.lines().count(), 1);
        assert_eq!(serde_json::from_str::<proc_core::report::Report>(&text).unwrap(), report);
        assert!(text.starts_with(
            r#"{"schema":1,"command":"on","ok":true,"targets":[{"target":":3000","verdict":"held""#
        ));
        assert!(text.ends_with("\"error\":null}\n"));
    }

    #[test]
    fn pids_are_unique_and_ascending() {
        let answer = Answer::Listed { report: fixture::ports(), shape: Shape::Pids };
        assert_eq!(human(&answer, &View::plain()), "17\n4242\n");
        let report = report_of("on", vec![fixture::held(), fixture::held()], Exit::Yes);
        let answer = Answer::Looked { telling: Telling::Pids, report, counts: Vec::new() };
        assert_eq!(human(&answer, &View::plain()), "4242\n");
    }

    #[test]
    fn process_targets_without_sockets_are_their_own_holders() {
        let mut target = fixture::held();
        target.verdict = None;
        target.causes.clear();
        target.sockets.clear();
        target.processes.retain(|process| [4242, 4200].contains(&process.pid));
        assert_eq!(holders(&target), [4200, 4242], "parents before their children");
    }

    #[test]
    fn an_error_is_one_sentence() {
        let wrong = ErrorReport {
            kind: "usage".to_owned(),
            explain: "`3000-3010` is not a target\x1b[2J".to_owned(),
            word: None,
            suggestion: Some(":3000-3010".to_owned()),
        };
        assert_eq!(
            error(&wrong, &View::plain()),
            "proc: `3000-3010` is not a target\\x1b[2J; did you mean `:3000-3010`?\n"
        );
    }
}
