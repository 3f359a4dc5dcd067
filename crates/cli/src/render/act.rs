//! `kill`, `stop` and `free` for people: the plan before, a line for each thing that happens, and
//! what it came to.

use proc_core::report::{EventReport, Outcome, StepReport, TargetReport};

use super::page::{Fit, Line, Page, Role};
use super::{card, holders, words};
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
    let done = matches!(target.outcome, Some(Outcome::Freed | Outcome::AlreadyFree));
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
    card::processes(page, target, &holders(target), view);
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

/// What would be done to one target, and what a person needs to decide: who is hit, what else
/// they hold, who is being served.
fn put_plan(page: &mut Page, target: &TargetReport, view: &View) {
    page.push(Line::new(0).with(words::verdict_role(target.verdict), target.target.clone()));
    for pid in holders(target) {
        match target.processes.iter().find(|process| process.pid == pid) {
            Some(process) => card::card(page, process, view),
            None => page.push(Line::new(2).text(format!("pid {pid}"))),
        }
        let also: Vec<&str> = target
            .other_ports
            .iter()
            .filter(|other| other.pid == pid)
            .map(|other| other.port.as_str())
            .collect();
        if !also.is_empty() {
            page.push(Line::new(4).text(format!("also holds {}", also.join(", "))));
        }
    }
    if let Some(clients) = target.clients.filter(|&clients| clients > 0) {
        page.push(Line::new(2).with(
            Role::Lingering,
            format!("{} would be cut", words::count(clients, "live connection")),
        ));
    }
    card::remarks(page, target);
    if target.plan.is_empty() {
        let nothing = target.explain.clone().unwrap_or_else(|| "nothing is to be done".to_owned());
        page.push(Line::new(2).text(nothing));
    }
    for (at, step) in target.plan.iter().enumerate() {
        page.push(step_line(at + 1, step));
    }
}

fn step_line(number: usize, step: &StepReport) -> Line {
    let line = Line::new(2).text(format!("{number}. {}", step.explain));
    match &step.argv {
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
