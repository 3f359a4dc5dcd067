//! Processes with the reasons why they are in an answer: `for`, `orphans`, `stuck`. A few are shown
//! as cards with a line for each reason; many as the table that every list is.

use proc_core::report::{ProcessReport, ProcessesReport};

use super::card;
use super::page::{Line, Page, Role};
use super::processes;
use crate::terminal::View;

/// So many have a card each.
const CARDS: usize = 5;
/// So many reasons of one are shown.
const REASONS: usize = 6;

/// Whether the reasons fit cards better than a table.
pub fn fit(report: &ProcessesReport) -> bool {
    let reasoned = report.processes.iter().any(|process| !process.because.is_empty());
    reasoned && report.processes.len() <= CARDS
}

/// Puts them on a page.
pub fn put(page: &mut Page, report: &ProcessesReport, view: &View) {
    for (at, process) in report.processes.iter().enumerate() {
        if at > 0 {
            page.gap();
        }
        card::card(page, process, view);
        ports(page, process);
        reasons(page, process);
    }
    processes::after(page, report);
}

fn ports(page: &mut Page, process: &ProcessReport) {
    let ports = process.ports.as_deref().unwrap_or_default();
    if !ports.is_empty() {
        let words = processes::ports(ports);
        page.push(Line::new(4).text("ports ").with(words.role, words.text));
    }
}

fn reasons(page: &mut Page, process: &ProcessReport) {
    for reason in process.because.iter().take(REASONS) {
        let doubt = if reason.certain { "" } else { "perhaps: " };
        page.push(Line::new(4).with(Role::Lingering, format!("{doubt}{}", reason.explain)));
    }
    let more = process.because.len().saturating_sub(REASONS);
    if more > 0 {
        page.push(Line::new(4).with(Role::Dim, format!("and in {more} more ways; --json has all")));
    }
}

#[cfg(test)]
mod tests {
    use proc_core::report::{Reason, ReasonKind};

    use super::*;
    use crate::render::fixture;

    fn reasoned() -> ProcessesReport {
        let mut report = fixture::processes();
        for process in &mut report.processes {
            let text = "has it open to write (descriptor 3)".to_owned();
            process.because = vec![Reason::new(ReasonKind::Descriptor, text)];
        }
        report.processes[1].because[0].certain = false;
        report
    }

    #[test]
    fn a_few_are_cards_with_their_reasons() {
        let report = reasoned();
        assert!(fit(&report));
        let mut page = Page::default();
        put(&mut page, &report, &View::plain());
        let text = page.render(&View::plain());
        for line in [
            "    has it open to write (descriptor 3)\n",
            "    perhaps: has it open to write (descriptor 3)\n",
            "    ports 3000, 3001 everybody, 9229 this machine\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn many_and_those_without_reasons_are_a_table() {
        let mut report = reasoned();
        report.processes = vec![report.processes[0].clone(); CARDS + 1];
        assert!(!fit(&report));
        assert!(!fit(&fixture::processes()));
    }

    #[test]
    fn very_many_reasons_are_counted() {
        let mut report = reasoned();
        let reason = report.processes[0].because[0].clone();
        report.processes[0].because = vec![reason; REASONS + 3];
        let mut page = Page::default();
        put(&mut page, &report, &View::plain());
        assert!(page.render(&View::plain()).contains("and in 3 more ways"));
    }
}
