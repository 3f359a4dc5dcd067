//! `proc diff` for people: what was compared, a sentence a difference, and how many there are.

use proc_core::report::{DiffReport, DiffSide, DifferenceKind, DifferenceReport};

use super::card;
use super::page::{Fit, Line, Page, Role};
use super::words;
use crate::sanitize;
use crate::terminal::View;

/// Puts the differences on a page.
pub fn put(page: &mut Page, report: &DiffReport, view: &View) {
    if let (Some(before), Some(after)) = (&report.before, &report.after) {
        let text = format!("between {} and {}", side(before), side(after));
        page.push(Line::new(0).with(Role::Dim, text));
    }
    for difference in &report.differences {
        page.gap();
        page.push(
            Line::new(0)
                .with(role(difference.kind), word(difference.kind))
                .text(format!("  {}", difference.explain)),
        );
        put_command(page, difference, view);
    }
    page.gap();
    for gap in &report.gaps {
        page.push(Line::new(0).with(Role::Dim, card::gap(gap)));
    }
    page.gap();
    page.push(Line::new(0).text(sum(report)));
}

fn side(side: &DiffSide) -> String {
    let ports = match side.ports.as_slice() {
        [] => String::new(),
        ports => format!(" of {}", ports.join(", ")),
    };
    match &side.file {
        Some(file) => format!("{file}{ports} ({})", side.taken_at),
        None => format!("now ({})", side.taken_at),
    }
}

const fn word(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::Opened => "opened",
        DifferenceKind::Closed => "closed",
        DifferenceKind::ChangedHands => "changed hands",
        DifferenceKind::Restarted => "restarted",
        DifferenceKind::Moved => "moved",
        DifferenceKind::Listening => "listening",
        DifferenceKind::ListensNoMore => "listens no more",
    }
}

const fn role(kind: DifferenceKind) -> Role {
    match kind {
        DifferenceKind::Opened | DifferenceKind::Listening => Role::Free,
        DifferenceKind::Closed | DifferenceKind::ListensNoMore => Role::Held,
        DifferenceKind::ChangedHands | DifferenceKind::Restarted | DifferenceKind::Moved => {
            Role::Lingering
        }
    }
}

/// What to recognise it by: the command and directory of who has it, or had it.
fn put_command(page: &mut Page, difference: &DifferenceReport, view: &View) {
    let process = difference.processes.first().or_else(|| difference.processes_before.first());
    let Some(process) = process else { return };
    let mut text = words::command(process).into_owned();
    if let Some(cwd) = process.cwd.as_deref() {
        let cwd = words::path(cwd, view.home.as_deref()).into_owned();
        text = format!("{text}  in {}", sanitize::shell(&[cwd]));
    }
    page.push(Line::new(2).fit(Fit::Cut).with(Role::Dim, text));
}

fn sum(report: &DiffReport) -> String {
    const KINDS: [DifferenceKind; 7] = [
        DifferenceKind::Opened,
        DifferenceKind::Closed,
        DifferenceKind::ChangedHands,
        DifferenceKind::Restarted,
        DifferenceKind::Moved,
        DifferenceKind::Listening,
        DifferenceKind::ListensNoMore,
    ];
    let of = |kind| report.differences.iter().filter(|one| one.kind == kind).count();
    let parts: Vec<String> = KINDS
        .into_iter()
        .filter(|&kind| of(kind) > 0)
        .map(|kind| format!("{} {}", of(kind), word(kind)))
        .collect();
    match parts.as_slice() {
        [] => format!("no difference among {}", words::count(report.compared, "place")),
        parts => parts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn shown(report: &DiffReport) -> String {
        let mut page = Page::default();
        put(&mut page, report, &View::plain());
        page.render(&View::plain())
    }

    #[test]
    fn a_sentence_a_difference_and_the_sum() {
        assert_eq!(
            shown(&fixture::differences()),
            "\
between before.json of :3000 (2026-01-01T10:00:00Z) and now (2026-01-01T10:05:00Z)

opened  tcp 127.0.0.1:3000 is new, held by node (pid 4242)
  node server.js  in /home/me/web

closed  tcp 0.0.0.0:80 is closed, which nobody held

1 opened, 1 closed
"
        );
    }

    #[test]
    fn nothing_to_tell_is_told() {
        let mut same = fixture::differences();
        same.differences.clear();
        assert!(shown(&same).ends_with("\nno difference among 3 places\n"));
    }

    #[test]
    fn hostile_names_are_escaped() {
        let mut report = fixture::differences();
        report.differences[0].explain = "x\x1b]0;y\x07".to_owned();
        report.differences[0].processes[0].cwd = Some("/a\nb".to_owned());
        let text = shown(&report);
        assert!(!text.contains('\x1b') && !text.contains("/a\nb"), "{text}");
    }
}
