//! `proc doctor` for people: a line a check, what this user cannot see, and what would change that.

use proc_core::report::{CheckGroup, CheckReport, CheckStatus, CureReport, DoctorReport};

use super::page::{Fit, Line, Page, Role};
use super::words;
use crate::sanitize;

/// Puts the report, or the list, on a page; `named` where single checks were asked for.
pub fn put(page: &mut Page, report: &DoctorReport, named: bool) {
    let is_list = report.checks.iter().all(|check| check.status.is_none());
    if !is_list && !named {
        put_machine(page, report);
    }
    let width = report.checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let mut group = None;
    for check in &report.checks {
        if group != Some(check.group) && !named {
            page.gap();
            page.push(Line::new(0).with(Role::Strong, heading(check.group)));
        }
        group = Some(check.group);
        put_check(page, check, width);
    }
    if is_list || named {
        return;
    }
    put_cures(page, &report.cures);
    page.gap();
    put_sum(page, report);
}

fn put_machine(page: &mut Page, report: &DoctorReport) {
    let Some(machine) = &report.machine else { return };
    let release = machine.release.as_deref().unwrap_or_default();
    let user = machine.user.clone().unwrap_or_else(|| words::user(machine.uid));
    let parts = [
        format!("proc {}", machine.version),
        [machine.system.as_str(), release].join(" ").trim().to_owned(),
        machine.architecture.clone(),
        format!("as {user}"),
    ];
    page.push(Line::new(0).text(parts.join(" · ")));
    if let Some(program) = &machine.program {
        page.push(Line::new(0).with(Role::Dim, program.clone()));
    }
}

const fn heading(group: CheckGroup) -> &'static str {
    match group {
        CheckGroup::Sockets => "Sockets of our own, found and their holder named",
        CheckGroup::Mechanisms => "What the answers stand on",
        CheckGroup::Acting => "Acting, on a process of our own",
        CheckGroup::Sight => "What you see of others",
    }
}

fn put_check(page: &mut Page, check: &CheckReport, width: usize) {
    let mut line = Line::new(2);
    if let Some(status) = check.status {
        line.push(role(status), format!("{:<8}", word(status)));
    }
    line.push(Role::Plain, format!("{:<width$}  ", check.id));
    line.push(Role::Dim, check.explain.clone());
    if let Some(cure) = &check.cure {
        line.push(Role::Plain, format!(" → {cure}"));
    }
    page.push(line);
}

const fn word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Works => "works",
        CheckStatus::Limited => "limited",
        CheckStatus::Fails => "FAILS",
        CheckStatus::Absent => "absent",
    }
}

const fn role(status: CheckStatus) -> Role {
    match status {
        CheckStatus::Works => Role::Free,
        CheckStatus::Limited => Role::Lingering,
        CheckStatus::Fails => Role::Held,
        CheckStatus::Absent => Role::Dim,
    }
}

fn put_cures(page: &mut Page, cures: &[CureReport]) {
    if cures.is_empty() {
        return;
    }
    page.gap();
    page.push(Line::new(0).with(Role::Strong, "To see more"));
    for cure in cures {
        page.push(Line::new(2).fit(Fit::Whole).text(sanitize::shell(&cure.argv)));
        page.push(Line::new(4).with(Role::Dim, cure.explain.clone()));
    }
}

fn put_sum(page: &mut Page, report: &DoctorReport) {
    let of = |status| report.checks.iter().filter(|check| check.status == Some(status)).count();
    let essential = report
        .checks
        .iter()
        .filter(|check| check.essential && check.status == Some(CheckStatus::Fails))
        .count();
    let verdict = match (report.ok, essential) {
        (true, _) => Line::new(0).with(Role::Free, "answers can be trusted here"),
        (false, 0) => Line::new(0).with(Role::Held, "the examination did not come to its end"),
        (false, count) => Line::new(0).with(
            Role::Held,
            format!(
                "answers cannot be trusted here: {} failed",
                words::count(count, "essential check")
            ),
        ),
    };
    page.push(verdict.text(format!(
        ": {} work, {} limited, {} absent, {} failed, in {} ms",
        of(CheckStatus::Works),
        of(CheckStatus::Limited),
        of(CheckStatus::Absent),
        of(CheckStatus::Fails),
        report.took_ms,
    )));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;
    use crate::terminal::View;

    fn shown(report: &DoctorReport, named: bool) -> String {
        let mut page = Page::default();
        put(&mut page, report, named);
        page.render(&View::plain())
    }

    #[test]
    fn a_line_a_check_and_the_sum_at_the_end() {
        let text = shown(&fixture::doctor(), false);
        assert_eq!(
            text,
            "\
proc 0.1.0 · linux 6.18.5 · x86_64 · as me
/home/me/proc

Sockets of our own, found and their holder named
  works   tcp4-listener  127.0.0.1:41 is found
  absent  unix-abstract  this system has no abstract names

What the answers stand on
  limited bound-query    one by one → Linux 6.8 or later

What you see of others
  limited own-processes  3 processes cannot be read → sudo

To see more
  sudo setcap cap_sys_ptrace,cap_dac_read_search+ep /home/me/proc
    would not count: nosuid

answers can be trusted here: 1 work, 2 limited, 1 absent, 0 failed, in 41 ms
"
        );
    }

    #[test]
    fn a_failed_check_is_told_in_words_and_hostile_paths_are_escaped() {
        let mut report = fixture::doctor();
        report.checks[0].status = Some(CheckStatus::Fails);
        report.checks[0].explain = "x\x1b[2J".to_owned();
        report.ok = false;
        let text = shown(&report, false);
        assert!(text.contains("FAILS   tcp4-listener  x\\x1b[2J"), "{text}");
        assert!(text.contains("cannot be trusted here: 1 essential check failed"), "{text}");
    }

    #[test]
    fn named_checks_and_lists_are_lines_alone() {
        assert_eq!(shown(&fixture::doctor(), true).lines().count(), 4);
        let mut list = fixture::doctor();
        list.checks.iter_mut().for_each(|check| check.status = None);
        let text = shown(&list, false);
        assert!(!text.contains("trusted") && text.contains("  tcp4-listener  127"), "{text}");
    }
}
