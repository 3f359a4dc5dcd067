//! `proc wait` for people: a line for each target, and below it who stands in the way.

use proc_core::report::{Outcome, TargetReport};

use super::page::{Line, Page, Role};
use super::{card, holders};
use crate::terminal::View;

/// Puts what the waiting came to on a page.
pub fn put(page: &mut Page, targets: &[TargetReport], view: &View) {
    for target in targets {
        let met = target.met == Some(true);
        let role = match (met, target.outcome) {
            (true, _) => Role::Free,
            (false, Some(Outcome::Denied)) => Role::Denied,
            (false, _) => Role::Held,
        };
        let sentence = target.explain.as_deref().unwrap_or("it was waited for");
        page.push(match sentence.split_once(target.target.as_str()) {
            Some((before, after)) => {
                Line::new(0).text(before).with(role, target.target.clone()).text(after)
            }
            None => Line::new(0).with(role, target.target.clone()).text(format!(": {sentence}")),
        });
        match met {
            // That nobody is seen proves it only as far as could be seen.
            true => card::gaps(page, &target.gaps),
            false => card::processes(page, target, &holders(target), view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn shown(target: TargetReport) -> String {
        let mut page = Page::default();
        put(&mut page, &[target], &View::plain());
        page.render(&View::plain())
    }

    #[test]
    fn what_is_so_is_one_line() {
        let met = TargetReport {
            met: Some(true),
            explain: Some(":3000 is free (after 1.2 s)".to_owned()),
            ..fixture::empty(":3000")
        };
        assert_eq!(shown(met), ":3000 is free (after 1.2 s)\n");
    }

    #[test]
    fn who_stands_in_the_way_is_shown() {
        let held = TargetReport {
            met: Some(false),
            explain: Some("timed out after 5.0 s: :3000 is held".to_owned()),
            ..fixture::held()
        };
        let text = shown(held);
        assert!(text.starts_with("timed out after 5.0 s: :3000 is held\n"), "{text}");
        assert!(text.contains("4242"), "{text}");
    }

    #[test]
    fn hostile_names_are_escaped() {
        let late = TargetReport {
            met: Some(false),
            explain: Some("timed out: x\x1b[2J".to_owned()),
            ..fixture::empty("x\x1b[2J")
        };
        assert!(!shown(late).contains('\x1b'));
    }
}
