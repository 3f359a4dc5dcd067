//! `proc pick --leases` for people: one line a lease; and what became of those that were to end.

use proc_core::report::{LeaseKind, LeaseReport, LeasesReport};

use super::page::{Line, Page, Role};
use super::table::{Cell, Column, Table};
use super::words;
use crate::sanitize;
use crate::terminal::View;

/// Puts the list, or the outcomes, on a page.
pub fn put(page: &mut Page, report: &LeasesReport, view: &View) {
    let explained: Vec<&str> =
        report.leases.iter().filter_map(|lease| lease.explain.as_deref()).collect();
    if !explained.is_empty() || report.cleared.is_some() {
        for sentence in explained {
            page.push(Line::new(0).text(sentence));
        }
        if let Some(cleared) = report.cleared {
            page.push(Line::new(0).text(match cleared {
                0 => "no files of dead leases were left".to_owned(),
                1 => "removed 1 file of a dead lease".to_owned(),
                more => format!("removed {more} files of dead leases"),
            }));
        }
    } else if report.leases.is_empty() {
        page.push(Line::new(0).text("no port is leased"));
    } else {
        table(report).put(page, view);
    }
}

fn table(report: &LeasesReport) -> Table<'_> {
    let column = |title, expendable, least| Column { title, expendable, least };
    Table {
        columns: vec![
            column("PORT", 0, None),
            column("UNTIL", 0, None),
            column("PID", 2, Some(8)),
            column("USER", 3, None),
            column("SINCE", 4, None),
            column("COMMAND", 1, Some(16)),
        ],
        rows: report.leases.iter().map(row).collect(),
        headings: true,
        ..Table::default()
    }
}

fn row(lease: &LeaseReport) -> Vec<Cell<'_>> {
    let until = match (lease.kind, lease.left_ms) {
        (Some(LeaseKind::Timed), Some(left)) => format!("{} from now", words::span(left)),
        _ => "its command ends".to_owned(),
    };
    let pids: Vec<String> = lease.pids.iter().map(u32::to_string).collect();
    let user = lease.user.clone().or_else(|| lease.uid.map(words::user)).unwrap_or_default();
    vec![
        Cell::new(Role::Strong, format!("{}/{}", lease.port, lease.protocol)),
        until.into(),
        pids.join(",").into(),
        user.into(),
        lease.age_ms.map(words::span).unwrap_or_default().into(),
        sanitize::shell(&lease.argv).into(),
    ]
}

#[cfg(test)]
mod tests {
    use proc_core::report::{LeaseOutcome, SCHEMA};
    use proc_core::socket::Protocol;

    use super::*;

    fn report(leases: Vec<LeaseReport>) -> LeasesReport {
        let command = "pick".to_owned();
        LeasesReport { schema: SCHEMA, command, ok: true, leases, cleared: None, error: None }
    }

    fn lease(port: u16, kind: LeaseKind, left_ms: Option<u64>) -> LeaseReport {
        LeaseReport {
            port,
            protocol: Protocol::Tcp,
            kind: Some(kind),
            pids: vec![42],
            argv: vec!["node".to_owned(), "a\x1b[2Jb".to_owned()],
            uid: Some(1000),
            user: Some("me".to_owned()),
            age_ms: Some(75_000),
            left_ms,
            released: None,
            explain: None,
        }
    }

    fn shown(report: &LeasesReport) -> String {
        let mut page = Page::default();
        put(&mut page, report, &View::plain());
        page.render(&View::plain())
    }

    #[test]
    fn one_line_a_lease() {
        let leases =
            vec![lease(3000, LeaseKind::Command, None), lease(3001, LeaseKind::Timed, Some(7_000))];
        let text = shown(&report(leases));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("PORT      UNTIL"), "{text}");
        assert!(lines[1].starts_with("3000/tcp  its command ends  42   me"), "{text}");
        assert!(lines[2].contains("7 s from now") && !text.contains('\x1b'), "{text}");
        assert_eq!(shown(&report(Vec::new())), "no port is leased\n");
    }

    #[test]
    fn outcomes_are_sentences() {
        let mut ended = lease(3000, LeaseKind::Timed, None);
        ended.released = Some(LeaseOutcome::Released);
        ended.explain = Some("port 3000 is no longer leased".to_owned());
        assert_eq!(shown(&report(vec![ended])), "port 3000 is no longer leased\n");
        let cleared = LeasesReport { cleared: Some(2), ..report(Vec::new()) };
        assert_eq!(shown(&cleared), "removed 2 files of dead leases\n");
    }
}
