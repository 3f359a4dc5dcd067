//! `proc check` for people: one line, yes or no and why.

use proc_core::report::TargetReport;

use super::page::{Line, Page, Role};
use super::words;
use crate::exit;

/// Puts the answer on a page.
pub fn put(page: &mut Page, target: &TargetReport, reuse_addr: bool) {
    let with = if reuse_addr { " with SO_REUSEADDR" } else { "" };
    if exit::bindable(target, reuse_addr) {
        page.push(
            Line::new(0)
                .with(Role::Free, "yes")
                .text(format!(": a server{with} can bind {}", target.target)),
        );
        return;
    }
    let why = target
        .causes
        .first()
        .map(|cause| cause.explain.clone())
        .or_else(|| target.explain.clone())
        .unwrap_or_else(|| refusals(target, reuse_addr));
    let hint = if !reuse_addr && !target.bind.is_empty() && exit::bindable(target, true) {
        "; a server that sets SO_REUSEADDR can"
    } else {
        ""
    };
    page.push(
        Line::new(0).with(words::verdict_role(target.verdict), "no").text(format!(": {why}{hint}")),
    );
}

/// What the kernel said, where nothing explains it.
fn refusals(target: &TargetReport, reuse_addr: bool) -> String {
    let refused: Vec<String> = target
        .bind
        .iter()
        .map(|row| (row, if reuse_addr { &row.reuse_addr } else { &row.plain }))
        .filter(|(_, answer)| *answer != "ok")
        .map(|(row, answer)| format!("{} {answer}", row.address))
        .collect();
    if refused.is_empty() {
        format!("a server cannot bind {}", target.target)
    } else {
        format!("a server cannot bind {} ({})", target.target, refused.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use proc_core::diagnosis::Verdict;

    use super::*;
    use crate::render::fixture;
    use crate::terminal::View;

    fn shown(target: &TargetReport, reuse_addr: bool) -> String {
        let mut page = Page::default();
        put(&mut page, target, reuse_addr);
        page.render(&View::plain())
    }

    #[test]
    fn one_line() {
        let free = TargetReport { verdict: Some(Verdict::Free), ..fixture::empty(":1") };
        assert_eq!(shown(&free, false), "yes: a server can bind :1\n");
        assert_eq!(shown(&fixture::held(), false), "no: node (4242) listens on [::]:3000\n");
        let lingering = fixture::lingering();
        assert_eq!(
            shown(&lingering, false),
            "no: nothing listens on :5000; 1 closed connection is in TIME-WAIT for 41 s more; \
             a server that sets SO_REUSEADDR can\n"
        );
        assert_eq!(shown(&lingering, true), "yes: a server with SO_REUSEADDR can bind :5000\n");
        let mut unexplained = fixture::held();
        unexplained.causes.clear();
        assert_eq!(
            shown(&unexplained, true),
            "no: a server cannot bind :3000 (0.0.0.0 EADDRINUSE)\n"
        );
    }
}
