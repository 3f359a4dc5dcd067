//! `proc undo` for people: what would be started, what became of it, and the list of acts.

use proc_core::report::{UndoAct, UndoItem, UndoKind, UndoOutcome, UndoReport};

use super::page::{Fit, Line, Page, Role};
use super::words;
use crate::sanitize;
use crate::terminal::View;

/// Puts the list, or what became of one act, on a page.
pub fn put(page: &mut Page, report: &UndoReport, list: bool, view: &View) {
    if !list {
        for act in &report.acts {
            put_outcome(page, act, view);
        }
        return;
    }
    let directory = report.directory.as_deref().unwrap_or_default();
    let directory = words::path(directory, view.home.as_deref());
    if report.acts.is_empty() {
        page.push(Line::new(0).text(format!("no act is kept in {directory}")));
        return;
    }
    for act in &report.acts {
        head(page, act);
        for item in &act.items {
            put_item(page, item, view);
            page.push(Line::new(4).with(state_role(item), state(item)));
        }
    }
    page.gap();
    page.push(Line::new(0).with(Role::Dim, format!("kept in {directory}")));
}

/// What would be started, as shown before the question.
pub fn plan(act: &UndoAct, here: bool, view: &View) -> String {
    let mut page = Page::default();
    head(&mut page, act);
    for item in &act.items {
        put_item(&mut page, item, view);
        put_plan(&mut page, item, here);
    }
    page.render(view)
}

fn put_outcome(page: &mut Page, act: &UndoAct, view: &View) {
    let only_planned = |item: &UndoItem| item.outcome == Some(UndoOutcome::Planned);
    if act.items.iter().any(only_planned) {
        head(page, act);
        for item in &act.items {
            put_item(page, item, view);
            put_plan(page, item, false);
        }
        page.push(Line::new(0).text("nothing was started (--dry-run)"));
        return;
    }
    // One answer to one question.
    if let Some(why) = declined(act) {
        page.push(Line::new(0).text(why));
        return;
    }
    for item in &act.items {
        let explain = item.explain.clone().unwrap_or_else(|| state(item));
        let sentence = match item.outcome {
            // A sentence that does not name it needs its name.
            Some(UndoOutcome::Started | UndoOutcome::NotServing | UndoOutcome::ExitedAgain) => {
                explain
            }
            _ => format!("{}: {explain}", named(item)),
        };
        let role = outcome_role(item.outcome);
        page.push(match sentence.split_once(item.name.as_str()) {
            Some((before, after)) if item.kind != UndoKind::Lost => {
                Line::new(0).text(before).with(role, item.name.clone()).text(after)
            }
            _ => Line::new(0).text(sentence),
        });
        let begun = [UndoOutcome::Started, UndoOutcome::NotServing, UndoOutcome::ExitedAgain];
        if item.outcome.is_some_and(|outcome| begun.contains(&outcome)) {
            after(page, item, view);
        }
        for line in &item.last_lines {
            page.push(Line::new(4).fit(Fit::Cut).with(Role::Dim, line.clone()));
        }
    }
    if let Some(explain) = &act.explain {
        page.push(Line::new(0).text(explain.clone()));
    }
}

/// What was said where everything that could be started was declined.
fn declined(act: &UndoAct) -> Option<&str> {
    let declined = |item: &&UndoItem| item.outcome == Some(UndoOutcome::Declined);
    act.items.iter().find(declined)?.explain.as_deref()
}

/// What a person should know of something that was started.
fn after(page: &mut Page, item: &UndoItem, view: &View) {
    if let Some(log) = &item.log {
        let log = words::path(log, view.home.as_deref());
        page.push(Line::new(2).text(format!("its output goes to {log}")));
    }
    missing(page, item, 2);
    if item.outcome == Some(UndoOutcome::Started) {
        for note in &item.notes {
            page.push(Line::new(2).text(note.clone()));
        }
    }
}

fn missing(page: &mut Page, item: &UndoItem, indent: usize) {
    if !item.missing.is_empty() {
        let names = item.missing.join(", ");
        page.push(Line::new(indent).with(
            Role::Lingering,
            format!("without these variables, which were not kept: {names}"),
        ));
    }
}

/// `17  kill :3000 · 2 min ago`.
fn head(page: &mut Page, act: &UndoAct) {
    page.gap();
    let mut line = Line::new(0).with(Role::Strong, act.number.to_string());
    match (&act.verb, &act.explain) {
        (Some(verb), _) => line.push(Role::Plain, format!("  {verb} {}", act.targets.join(" "))),
        (None, Some(explain)) => line.push(Role::Denied, format!("  {explain}")),
        (None, None) => {}
    }
    if let Some(age) = act.age_ms {
        line.push(Role::Dim, format!(" · {} ago", words::span(age)));
    }
    page.push(line);
}

fn put_item(page: &mut Page, item: &UndoItem, view: &View) {
    if item.kind == UndoKind::Lost {
        page.push(Line::new(2).text(item.name.clone()));
        return;
    }
    let command = match item.argv.as_slice() {
        [] => item.name.clone(),
        [title] if title.contains(' ') => title.clone(),
        argv => sanitize::shell(argv),
    };
    page.push(Line::new(2).fit(Fit::Cut).with(Role::Strong, command));
    let mut facts = Vec::new();
    facts.extend(item.pid.map(|pid| format!("was pid {pid}")));
    facts.extend(item.user.clone().or_else(|| item.uid.map(words::user)));
    let path = |cwd: &String| words::path(cwd, view.home.as_deref()).into_owned();
    facts.extend(item.cwd.as_ref().map(path));
    facts.extend(item.ports.iter().cloned());
    if !facts.is_empty() {
        page.push(Line::new(4).text(facts.join(" · ")));
    }
}

fn put_plan(page: &mut Page, item: &UndoItem, here: bool) {
    if item.outcome != Some(UndoOutcome::Planned) {
        page.push(Line::new(4).with(outcome_role(item.outcome), state(item)));
        return;
    }
    missing(page, item, 4);
    for note in &item.notes {
        page.push(Line::new(4).text(note.clone()));
    }
    page.push(Line::new(4).text(match (item.kind, here) {
        (UndoKind::Command, _) => "run that command",
        (_, true) => "run it in this terminal",
        (_, false) => "start it in the background",
    }));
}

/// Whether it can be started, in a sentence.
fn state(item: &UndoItem) -> String {
    match (&item.explain, item.started_pid, item.done) {
        (Some(explain), ..) => explain.clone(),
        (None, Some(pid), true) => format!("started again as pid {pid}"),
        (None, None, true) => "started again".to_owned(),
        (None, _, false) => "can be started again".to_owned(),
    }
}

fn state_role(item: &UndoItem) -> Role {
    match (item.undoable, item.done) {
        (_, true) => Role::Dim,
        (true, false) => Role::Free,
        (false, false) => Role::Lingering,
    }
}

const fn outcome_role(outcome: Option<UndoOutcome>) -> Role {
    match outcome {
        Some(UndoOutcome::Started | UndoOutcome::AlreadyRunning) => Role::Free,
        Some(
            UndoOutcome::PortTaken
            | UndoOutcome::NotServing
            | UndoOutcome::ExitedAgain
            | UndoOutcome::Failed,
        ) => Role::Held,
        Some(UndoOutcome::Impossible | UndoOutcome::AlreadyUndone) => Role::Lingering,
        Some(UndoOutcome::Denied | UndoOutcome::Refused) => Role::Denied,
        Some(UndoOutcome::Declined | UndoOutcome::Planned) | None => Role::Plain,
    }
}

fn named(item: &UndoItem) -> String {
    match item.pid {
        Some(pid) => format!("{} (was pid {pid})", item.name),
        None => item.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proc_core::report::SCHEMA;

    use super::*;

    fn item() -> UndoItem {
        UndoItem {
            kind: UndoKind::Process,
            name: "node".to_owned(),
            pid: Some(42),
            argv: ["node", "a b\x1b[2J.js"].map(str::to_owned).to_vec(),
            cwd: Some("/home/me/web".to_owned()),
            uid: Some(1000),
            user: Some("me".to_owned()),
            ports: vec!["tcp:[::]:3000".to_owned()],
            missing: vec!["API_TOKEN".to_owned()],
            undoable: true,
            done: false,
            outcome: None,
            started_pid: None,
            log: None,
            last_lines: Vec::new(),
            explain: None,
            notes: Vec::new(),
        }
    }

    fn report(item: UndoItem) -> UndoReport {
        let act = UndoAct {
            number: 17,
            at: None,
            age_ms: Some(75_000),
            verb: Some("kill".to_owned()),
            targets: vec![":3000".to_owned()],
            items: vec![item],
            explain: None,
        };
        let (command, directory) = ("undo".to_owned(), Some("/s/proc/undo".to_owned()));
        UndoReport { schema: SCHEMA, command, ok: true, directory, acts: vec![act], error: None }
    }

    fn shown(item: UndoItem, list: bool) -> String {
        let mut page = Page::default();
        put(&mut page, &report(item), list, &View::plain());
        page.render(&View::plain())
    }

    #[test]
    fn the_list_says_what_can_be_started() {
        let text = shown(item(), true);
        assert!(text.starts_with("17  kill :3000 · "), "{text}");
        assert!(text.contains("was pid 42 · me · /home/me/web · tcp:[::]:3000"), "{text}");
        assert!(text.contains("can be started again") && !text.contains('\x1b'), "{text}");
        let gone = UndoItem {
            undoable: false,
            explain: Some("its program /x cannot be run".to_owned()),
            ..item()
        };
        assert!(shown(gone, true).contains("its program /x cannot be run"));
    }

    #[test]
    fn an_outcome_is_a_sentence_with_what_it_needs() {
        let started = UndoItem {
            outcome: Some(UndoOutcome::Started),
            started_pid: Some(43),
            log: Some("/s/17-1.log".to_owned()),
            explain: Some("node (pid 43) serves tcp:[::]:3000 again".to_owned()),
            ..item()
        };
        assert_eq!(
            shown(started, false),
            "node (pid 43) serves tcp:[::]:3000 again\n  its output goes to /s/17-1.log\n  \
             without these variables, which were not kept: API_TOKEN\n"
        );
        let failed = UndoItem {
            outcome: Some(UndoOutcome::ExitedAgain),
            last_lines: vec!["Error: no\x1b]0;x".to_owned()],
            explain: Some("node (pid 43) ended again with status 1".to_owned()),
            ..item()
        };
        let text = shown(failed, false);
        assert!(text.contains("Error: no") && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn the_plan_is_what_a_person_needs_to_decide() {
        let planned = UndoItem { outcome: Some(UndoOutcome::Planned), ..item() };
        let text = plan(&report(planned).acts[0], false, &View::plain());
        assert!(
            text.contains("start it in the background") && text.contains("API_TOKEN"),
            "{text}"
        );
    }
}
