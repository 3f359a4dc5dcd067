//! `proc why` of a message for people: what was read in it, what that means, then the answer for
//! that very bind.

use proc_core::report::{MessageReport, Report};

use super::page::{Line, Page, Role};
use super::why;
use crate::exit;
use crate::terminal::View;

/// Puts the messages and their answers on a page.
pub fn put(page: &mut Page, report: &Report, counts: &[usize], view: &View) {
    let groups = exit::groups(&report.targets, counts);
    for (message, targets) in report.messages.iter().zip(groups) {
        page.gap();
        read(page, message);
        if !targets.is_empty() {
            page.gap();
            why::put(page, targets, &[targets.len()], view);
        }
    }
}

fn read(page: &mut Page, message: &MessageReport) {
    page.push(Line::new(0).with(Role::Dim, "read: ").text(message.explain.as_str()));
    for note in &message.notes {
        page.push(Line::new(2).text(note.as_str()));
    }
}
