//! Processes for people: one line each, the same in every command that lists them.

use proc_core::addr::Exposure;
use proc_core::explain;
use proc_core::process::ProcessState;
use proc_core::report::{ProcessPort, ProcessReport, ProcessesReport};
use proc_core::socket::Protocol;

use super::page::{Line, Page, Role};
use super::table::{Cell, Column, Table};
use super::{card, words};
use crate::terminal::View;

/// Puts the list on a page.
pub fn put(page: &mut Page, report: &ProcessesReport, view: &View) {
    match &report.explain {
        Some(explain) => page.push(Line::new(0).text(explain.clone())),
        None => table(report, view).put(page, view),
    }
    after(page, report);
}

/// What else is to be known, below the list.
pub fn after(page: &mut Page, report: &ProcessesReport) {
    if report.notes.is_empty() && report.gaps.is_empty() {
        return;
    }
    page.gap();
    for note in &report.notes {
        page.push(Line::new(2).with(Role::Dim, note.clone()));
    }
    card::gaps(page, &report.gaps);
}

fn table(report: &ProcessesReport, view: &View) -> Table<11> {
    let column = |title, expendable, least| Column { title, expendable, least };
    Table {
        columns: [
            column("PID", 0, None),
            column("NAME", 0, Some(10)),
            column("USER", 6, None),
            column("CPU", 0, None),
            column("MEMORY", 7, None),
            column("STATE", 5, None),
            column("PORTS", 1, Some(14)),
            column("PARENT", 8, None),
            column("DIRECTORY", 3, Some(14)),
            column("AGE", 4, None),
            column("COMMAND", 9, Some(24)),
        ],
        rows: report.processes.iter().map(|process| row(process, view)).collect(),
        headings: true,
        indent: 0,
    }
}

fn row(process: &ProcessReport, view: &View) -> [Cell; 11] {
    let cpu = process.cpu_percent.map(|cpu| format!("{cpu} %"));
    // A thread of the kernel has none, which needs no saying.
    let memory = process.memory_bytes.filter(|&bytes| bytes > 0).map(explain::bytes);
    [
        process.pid.to_string().into(),
        Cell::new(Role::Strong, process.name.clone()),
        user(process).into(),
        cpu.unwrap_or_default().into(),
        memory.unwrap_or_default().into(),
        Cell::new(Role::Lingering, state(process.state)),
        ports(process.ports.as_deref().unwrap_or_default()),
        process.ppid.to_string().into(),
        process
            .cwd
            .as_deref()
            .map(|cwd| words::path(cwd, view.home.as_deref()))
            .unwrap_or_default()
            .into(),
        process.age_ms.map(words::span).unwrap_or_default().into(),
        words::command(process).into(),
    ]
}

/// The user, by name where it has one.
pub fn user(process: &ProcessReport) -> String {
    let number = || process.uid.map(|uid| uid.to_string());
    process.user.clone().or_else(number).unwrap_or_default()
}

/// What a process is doing, where that is out of the ordinary.
const fn state(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Running | ProcessState::Sleeping | ProcessState::Other => "",
        unusual => unusual.name(),
    }
}

/// Ports with who can reach them, the widest reach of each: `3000 everybody, 53/udp network`.
pub fn ports(ports: &[ProcessPort]) -> Cell {
    let mut shown: Vec<(u16, Protocol, Option<Exposure>)> = Vec::new();
    for port in ports {
        match shown
            .iter_mut()
            .find(|(number, protocol, _)| (*number, *protocol) == (port.port, port.protocol))
        {
            Some((.., exposure)) => *exposure = (*exposure).max(port.exposure),
            None => shown.push((port.port, port.protocol, port.exposure)),
        }
    }
    let open = shown.iter().any(|(.., exposure)| *exposure == Some(Exposure::Any));
    let mut text = String::new();
    for (at, (number, protocol, exposure)) in shown.iter().enumerate() {
        let number = match protocol {
            Protocol::Tcp => number.to_string(),
            other => format!("{number}/{}", other.name()),
        };
        text.push_str(if at == 0 { "" } else { ", " });
        text.push_str(&number);
        // Several with one reach say it once, at their end.
        let next = shown.get(at + 1).map(|(.., exposure)| exposure);
        if let (Some(reach), true) = (exposure, next != Some(exposure)) {
            text.push_str(&format!(" {}", words::reach_short(*reach)));
        }
    }
    Cell::new(if open { Role::Lingering } else { Role::Plain }, text)
}

#[cfg(test)]
mod tests {
    use proc_core::process::Percent;

    use super::*;
    use crate::render::fixture;

    fn shown(report: &ProcessesReport, width: Option<usize>) -> String {
        let view = View { width, home: Some("/home/me".to_owned()), ..View::plain() };
        let mut page = Page::default();
        put(&mut page, report, &view);
        page.render(&view)
    }

    #[test]
    fn piped_it_is_whole() {
        assert_eq!(
            shown(&fixture::processes(), None),
            "\
             PID   NAME    USER  STATE    PORTS                                    PARENT  DIRECTORY  AGE  COMMAND\n\
             17    服务器  me             53/udp network                           1       ~/web      2 h  /opt/服务器\n\
             4242  node    me    stopped  3000, 3001 everybody, 9229 this machine  17      ~/web      2 h  node server.js\n"
        );
    }

    #[test]
    fn it_fits_a_terminal() {
        let report = fixture::processes();
        for width in [20, 40, 60, 80, 120] {
            let page = shown(&report, Some(width));
            assert!(page.contains("4242"), "{page}");
            if width >= 40 {
                assert!(
                    page.lines().all(|line| super::super::page::columns(line) <= width),
                    "{page}"
                );
            }
        }
    }

    #[test]
    fn use_of_the_processor_and_memory() {
        let mut report = fixture::processes();
        report.window_ms = Some(200);
        report.processes[1].cpu_percent = Some(Percent::from_tenths(1985));
        report.processes[1].memory_bytes = Some(300 << 20);
        let page = shown(&report, None);
        assert!(page.contains("198.5 %  300 MB"), "{page}");
    }

    #[test]
    fn nobody_is_said_with_the_reason_and_what_could_not_be_seen() {
        let mut report = fixture::processes();
        report.processes.clear();
        report.explain = Some("no process is called nod\u{1b}[2J; did you mean node?".to_owned());
        report.notes = vec!["2 threads of the kernel are left out; --kernel shows them".to_owned()];
        assert_eq!(
            shown(&report, None),
            "no process is called nod\\x1b[2J; did you mean node?\n\n  2 threads of the kernel are left out; --kernel shows them\n"
        );
    }
}
