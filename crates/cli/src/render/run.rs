//! The words of `proc run` beside the command's own: each line says whose it is.

use proc_core::report::TargetReport;

use super::card;
use super::page::{Fit, Line, Page, Role};
use crate::terminal::View;

/// Sentences, a line each.
pub fn said(sentences: &[String], view: &View) -> String {
    let mut page = Page::default();
    for sentence in sentences {
        page.push(line(sentence));
    }
    page.render(view)
}

/// The same, with what can be done about those targets.
pub fn explained(sentences: &[String], targets: &[TargetReport], view: &View) -> String {
    let mut page = Page::default();
    for sentence in sentences {
        page.push(line(sentence));
    }
    for target in targets {
        for remedy in card::best_remedies(target, 2) {
            card::remedy(&mut page, remedy, 2, view);
        }
    }
    page.render(view)
}

fn line(sentence: &str) -> Line {
    Line::new(0).fit(Fit::Whole).with(Role::Strong, "proc:").text(format!(" {sentence}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn each_line_says_whose_it_is_and_nothing_hostile_gets_by() {
        let sentences = ["one".to_owned(), "two\x1b[2J".to_owned()];
        assert_eq!(said(&sentences, &View::plain()), "proc: one\nproc: two\\x1b[2J\n");
        let text = explained(&sentences[..1], &[fixture::held()], &View::plain());
        assert!(text.starts_with("proc: one\n  "), "{text}");
        assert!(text.contains("proc kill") || text.contains("proc free"), "{text}");
    }
}
