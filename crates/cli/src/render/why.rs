//! `proc why` for people: everything `on` says, with the ancestors, the kernel's answers, and
//! each cause with its evidence and its remedies.

use proc_core::report::{BindRow, CauseReport, ProcessReport, TargetReport};

use super::page::{Line, Page, Role};
use super::table::{Cell, Column, Table};
use super::{card, holders, look, words};
use crate::terminal::View;

/// Puts the answers on a page.
pub fn put(page: &mut Page, targets: &[TargetReport], counts: &[usize], view: &View) {
    look::each(page, targets, counts, |page, target| one(page, target, view));
}

/// How many sockets are shown: who asks why wants to see the evidence.
const SOCKETS: usize = 40;

fn one(page: &mut Page, target: &TargetReport, view: &View) {
    look::headline(page, target);
    let pids = holders(target);
    if !pids.is_empty() {
        heading(page, "Who");
        card::processes(page, target, &pids, view);
        chains(page, target, &pids);
    }
    if !target.sockets.is_empty() {
        heading(page, "Sockets");
        card::socket_table(page, &target.sockets, SOCKETS, view);
    }
    if !target.bind.is_empty() {
        heading(page, "What the kernel says to a bind");
        bind_table(page, &target.bind, view);
    }
    if !target.causes.is_empty() {
        heading(page, "Why");
        for cause in &target.causes {
            put_cause(page, cause, target, view);
        }
    }
    card::remarks(page, target);
    if !target.gaps.is_empty() {
        page.gap();
        card::gaps(page, &target.gaps);
    }
}

fn heading(page: &mut Page, title: &str) {
    page.gap();
    page.push(Line::new(0).with(Role::Strong, title));
}

/// The ancestors of each holder on one line, the oldest first; holders with the same share it.
fn chains(page: &mut Page, target: &TargetReport, pids: &[u32]) {
    let mut told: Vec<&[u32]> = Vec::new();
    for process in target.processes.iter().filter(|process| pids.contains(&process.pid)) {
        if process.ancestors.is_empty() || told.contains(&process.ancestors.as_slice()) {
            continue;
        }
        told.push(&process.ancestors);
        page.push(Line::new(2).text(chain(process, target)));
    }
}

fn chain(process: &ProcessReport, target: &TargetReport) -> String {
    let known = |pid: &u32| {
        let everybody = target.ancestors.iter().chain(&target.processes);
        words::named(*pid, everybody)
    };
    let mut chain: Vec<String> = process.ancestors.iter().rev().map(known).collect();
    chain.push(known(&process.pid));
    let session = process.session.map(|id| format!(" · session {id}")).unwrap_or_default();
    format!("{}{session}", chain.join(" → "))
}

fn bind_table(page: &mut Page, rows: &[BindRow], view: &View) {
    let several = rows.iter().any(|row| row.protocol != rows[0].protocol);
    let table = Table {
        columns: vec![
            Column { title: "", expendable: 0, least: None },
            Column { title: "address", expendable: 0, least: None },
            Column { title: "plain", expendable: 0, least: None },
            Column { title: "SO_REUSEADDR", expendable: 0, least: None },
            Column { title: "", expendable: 1, least: None },
        ],
        rows: rows
            .iter()
            .map(|row| {
                let address = if row.address.contains(':') {
                    format!("[{}]:{}", row.address, row.port)
                } else {
                    format!("{}:{}", row.address, row.port)
                };
                let protocol = if several { row.protocol.name() } else { "" };
                let predicted = if row.predicted { "worked out, not asked" } else { "" };
                vec![
                    protocol.into(),
                    address.into(),
                    answer(&row.plain),
                    answer(&row.reuse_addr),
                    Cell::new(Role::Dim, predicted),
                ]
            })
            .collect(),
        headings: true,
        indent: 2,
        ..Table::default()
    };
    table.put(page, view);
}

fn answer(word: &str) -> Cell<'_> {
    let role = match word {
        "ok" => Role::Free,
        "EACCES" | "EPERM" => Role::Denied,
        _ => Role::Held,
    };
    Cell::new(role, word)
}

fn put_cause(page: &mut Page, cause: &CauseReport, target: &TargetReport, view: &View) {
    let sure = if cause.certain { "" } else { " (probably)" };
    page.push(
        Line::new(2)
            .with(Role::Strong, format!("{}{sure}: ", words::cause_name(cause.kind)))
            .text(cause.explain.clone()),
    );
    let evidence = evidence(cause, target);
    if !evidence.is_empty() {
        page.push(Line::new(4).with(Role::Dim, format!("shown by {evidence}")));
    }
    for remedy in &cause.remedies {
        card::remedy(page, remedy, 4, view);
    }
}

/// The sockets that prove a cause, the first few.
fn evidence(cause: &CauseReport, target: &TargetReport) -> String {
    const FEW: usize = 3;
    let found = cause.sockets.iter().filter_map(|at| target.sockets.get(*at));
    let mut names: Vec<String> = found
        .take(FEW)
        .map(|socket| match socket.state {
            Some(state) => format!("{} {} {}", socket.protocol, socket.local, state.rfc_name()),
            None => format!("{} {}", socket.protocol, socket.local),
        })
        .collect();
    if cause.sockets.len() > FEW {
        names.push(words::count(cause.sockets.len() - FEW, "more socket"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn shown(target: TargetReport, view: &View) -> String {
        let mut page = Page::default();
        put(&mut page, &[target], &[], view);
        page.render(view)
    }

    #[test]
    fn everything_about_a_held_port() {
        let view = View { width: Some(80), ..View::plain() };
        assert_eq!(
            shown(fixture::held(), &view),
            "\
             node (4242) listens on [::]:3000\n\
             \n\
             Who\n\
             \x20 node server.js --title 'my app'\n\
             \x20   pid 4242 · me · /home/me/web · 2 h · pts/3\n\
             \x20   run by nodemon (4200), which would start it again\n\
             \x20 systemd (1) → zsh (4100) → nodemon (4200) → node (4242) · session 4100\n\
             \n\
             Sockets\n\
             \x20 tcp  [::]:3000                         everybody          LISTEN       4242\n\
             \x20 tcp  127.0.0.1:9229                    this machine only  LISTEN       4242\n\
             \x20 tcp  127.0.0.1:3000 → 127.0.0.1:50000                     ESTABLISHED  4242\n\
             \n\
             What the kernel says to a bind\n\
             \x20 address         plain       SO_REUSEADDR\n\
             \x20 0.0.0.0:3000    EADDRINUSE  EADDRINUSE\n\
             \x20 127.0.0.1:3000  EADDRINUSE  ok\n\
             \n\
             Why\n\
             \x20 listener: node (4242) listens on [::]:3000\n\
             \x20   shown by tcp [::]:3000 LISTEN\n\
             \x20   proc free :3000  # stops nodemon and node; 1 open connection is cut\n\
             \x20   let your server use another port\n\
             \n\
             \x20 12 processes of other users could not be read (try sudo)\n"
        );
    }

    #[test]
    fn everything_about_remains_in_ascii() {
        let view = View { ascii: true, ..View::plain() };
        let mut target = fixture::lingering();
        target.bind[0].predicted = true;
        target.causes[0].certain = false;
        assert_eq!(
            shown(target, &view),
            "\
             nothing listens on :5000; 1 closed connection is in TIME-WAIT for 41 s more\n\
             \n\
             Sockets\n\
             \x20 tcp  127.0.0.1:5000 -> 127.0.0.1:50001  TIME-WAIT  nobody  41 s left\n\
             \n\
             What the kernel says to a bind\n\
             \x20 address       plain       SO_REUSEADDR\n\
             \x20 0.0.0.0:5000  EADDRINUSE  ok            worked out, not asked\n\
             \n\
             Why\n\
             \x20 time-wait (probably): nothing listens on :5000; 1 closed connection is in TIME-WAIT for 41 s more\n\
             \x20   shown by tcp 127.0.0.1:5000 TIME-WAIT\n\
             \x20   sudo proc free :5000  # removes them\n"
        );
    }
}
