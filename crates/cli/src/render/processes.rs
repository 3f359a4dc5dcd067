//! Processes for people: one line each, the same in every command that lists them.

use std::borrow::Cow;

use proc_core::addr::Exposure;
use proc_core::explain;
use proc_core::process::ProcessState;
use proc_core::report::{ProcessPort, ProcessReport, ProcessesReport, Reason};
use proc_core::socket::Protocol;

use super::columns::Field;
use super::page::{Line, Page, Role};
use super::table::{Cell, Column};
use super::{card, columns, reasons, words};
use crate::columns::Offer;
use crate::terminal::View;

/// Puts the list on a page.
pub fn put(page: &mut Page, report: &ProcessesReport, chosen: Option<&[usize]>, view: &View) {
    match &report.explain {
        None if chosen.is_none() && reasons::fit(report) => {
            return reasons::put(page, report, view);
        }
        Some(explain) => page.push(Line::new(0).text(explain.clone())),
        None => columns::put(page, &fields(), &report.processes, chosen, view),
    }
    after(page, report);
}

/// What `--columns` offers.
pub fn offers() -> Vec<Offer> {
    columns::offers(&fields())
}

/// The list as CSV.
pub fn csv(report: &ProcessesReport, chosen: Option<&[usize]>) -> String {
    columns::csv(&fields(), &report.processes, chosen)
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

/// The columns, those that are usually shown first. New ones come last: CSV has them in this order.
fn fields() -> Vec<Field<ProcessReport>> {
    let usual = |name, about, title, expendable, least, shown, value| Field {
        offer: Offer { name, about },
        column: Column { title, expendable, least },
        usual: true,
        shown,
        value,
    };
    let more = |name, about, title, shown, value| Field {
        offer: Offer { name, about },
        column: Column { title, expendable: 9, least: None },
        usual: false,
        shown,
        value,
    };
    vec![
        usual("pid", "its number", "PID", 0, None, |p, _| pid(p).into(), pid),
        usual(
            "name",
            "its program",
            "NAME",
            0,
            Some(10),
            |p, _| Cell::new(Role::Strong, p.name.as_str()),
            |p| p.name.clone(),
        ),
        usual("user", "whose it is", "USER", 6, None, |p, _| user(p).into(), |p| user(p).into()),
        usual(
            "cpu",
            "how much of one processor it used while that was measured, in percent",
            "CPU",
            0,
            None,
            |p, _| p.cpu_percent.map(|cpu| format!("{cpu} %")).into(),
            |p| text(p.cpu_percent),
        ),
        usual(
            "memory",
            "its resident set; bytes in CSV",
            "MEMORY",
            7,
            None,
            |p, _| p.memory_bytes.filter(|&bytes| bytes > 0).map(explain::bytes).into(),
            |p| text(p.memory_bytes),
        ),
        usual(
            "state",
            "what it is doing; in a table only what is out of the ordinary",
            "STATE",
            5,
            None,
            |p, _| Cell::new(Role::Lingering, state(p.state)),
            |p| p.state.name().to_owned(),
        ),
        usual(
            "ports",
            "where it waits for others, and who can reach it there",
            "PORTS",
            1,
            Some(14),
            |p, _| ports(p.ports.as_deref().unwrap_or_default()),
            port_list,
        ),
        usual("ppid", "its parent's number", "PARENT", 8, None, |p, _| ppid(p).into(), ppid),
        usual(
            "directory",
            "where it works",
            "DIRECTORY",
            3,
            Some(14),
            |p, view| p.cwd.as_deref().map(|cwd| words::path(cwd, view.home.as_deref())).into(),
            |p| p.cwd.clone().unwrap_or_default(),
        ),
        usual(
            "age",
            "how long it has run; milliseconds in CSV",
            "AGE",
            4,
            None,
            |p, _| p.age_ms.map(words::span).into(),
            |p| text(p.age_ms),
        ),
        usual(
            "command",
            "what it was started as",
            "COMMAND",
            9,
            Some(24),
            |p, _| words::command(p).into(),
            |p| words::command(p).into(),
        ),
        usual(
            "because",
            "why it is in the answer",
            "BECAUSE",
            2,
            Some(20),
            |p, _| because(p).into(),
            because,
        ),
        more("exe", "its executable", "EXECUTABLE", |p, _| exe(p).into(), exe),
        more("started", "when it started", "STARTED", |p, _| started(p).into(), started),
        more("uid", "the number of its user", "UID", |p, _| text(p.uid).into(), |p| text(p.uid)),
        more(
            "threads",
            "how many threads it has",
            "THREADS",
            |p, _| text(p.threads).into(),
            |p| text(p.threads),
        ),
        more(
            "time",
            "processor time since it started; milliseconds in CSV",
            "TIME",
            |p, _| p.cpu_ms.map(words::span).into(),
            |p| text(p.cpu_ms),
        ),
        more("terminal", "its terminal", "TERMINAL", |p, _| terminal(p).into(), terminal),
        more("container", "its container", "CONTAINER", |p, _| container(p).into(), container),
        more("unit", "its unit", "UNIT", |p, _| unit(p).into(), unit),
    ]
}

/// Why it is there, in one line.
fn because(process: &ProcessReport) -> String {
    let doubt = |reason: &Reason| if reason.certain { "" } else { "perhaps: " };
    let reasons = process.because.iter();
    let words: Vec<String> =
        reasons.map(|reason| format!("{}{}", doubt(reason), reason.explain)).collect();
    words.join("; ")
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn pid(process: &ProcessReport) -> String {
    process.pid.to_string()
}

fn ppid(process: &ProcessReport) -> String {
    process.ppid.to_string()
}

fn exe(process: &ProcessReport) -> String {
    process.exe.clone().unwrap_or_default()
}

fn started(process: &ProcessReport) -> String {
    process.started_at.clone().unwrap_or_default()
}

fn terminal(process: &ProcessReport) -> String {
    process.terminal.clone().unwrap_or_default()
}

fn container(process: &ProcessReport) -> String {
    process.container.as_ref().map(|container| container.id.clone()).unwrap_or_default()
}

fn unit(process: &ProcessReport) -> String {
    process.unit.clone().unwrap_or_default()
}

/// `tcp:127.0.0.1:3000 udp:[::]:53`.
fn port_list(process: &ProcessReport) -> String {
    let ports = process.ports.iter().flatten();
    let ports: Vec<String> =
        ports.map(|port| format!("{}:{}", port.protocol.name(), port.local)).collect();
    ports.join(" ")
}

/// The user, by name where it has one.
pub fn user(process: &ProcessReport) -> Cow<'_, str> {
    let number = || process.uid.map(|uid| uid.to_string().into());
    process.user.as_deref().map(Cow::Borrowed).or_else(number).unwrap_or_default()
}

/// What a process is doing, where that is out of the ordinary.
pub const fn state(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Running | ProcessState::Sleeping | ProcessState::Other => "",
        unusual => unusual.name(),
    }
}

/// Ports with who can reach them, the widest reach of each: `3000 everybody, 53/udp network`.
pub fn ports(ports: &[ProcessPort]) -> Cell<'static> {
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
        put(&mut page, report, None, &view);
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
                assert!(page.lines().all(|line| columns(line) <= width), "{page}");
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
    fn csv_is_for_programs() {
        let csv = csv(&fixture::processes(), Some(&[0, 5, 6, 9]));
        assert_eq!(
            csv,
            "pid,state,ports,age\r\n17,sleeping,udp:192.168.1.5:53,7300000\r\n\
             4242,stopped,tcp:127.0.0.1:3000 tcp:[::]:3000 tcp:[::]:3001 tcp:127.0.0.1:9229,7300000\r\n"
        );
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
