//! `proc info` for people: a card of everything for each process.

use proc_core::explain;
use proc_core::report::{DetailReport, NamedReport, ProcessReport, TargetReport};

use super::page::{Fit, Line, Page, Role};
use super::{card, look, processes, words};
use crate::sanitize;
use crate::terminal::View;

/// How many processes of one target are shown in full.
const CARDS: usize = 20;

/// Puts the answers on a page.
pub fn put(page: &mut Page, targets: &[TargetReport], view: &View) {
    for target in targets {
        page.gap();
        if target.processes.is_empty() || target.verdict.is_some() {
            look::headline(page, target);
        }
        for process in target.processes.iter().take(CARDS) {
            page.gap();
            full(page, process, view);
        }
        if let Some(rest) = target.processes.get(CARDS..).filter(|rest| !rest.is_empty()) {
            let more = explain::count(rest.len(), "more process", "more processes");
            page.push(Line::new(0).with(Role::Dim, format!("and {more}; --json has all")));
        }
        card::remarks(page, target);
        card::gaps(page, &target.gaps);
    }
}

/// One process: a name and a line for each thing that is known.
fn full(page: &mut Page, process: &ProcessReport, view: &View) {
    let head = Line::new(0).fit(Fit::Whole);
    page.push(
        head.with(Role::Strong, process.name.clone()).text(format!(" (pid {})", process.pid)),
    );
    let mut put = |name: &str, text: Option<String>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            page.push(Line::new(2).with(Role::Dim, format!("{name:<12}")).text(text));
        }
    };
    let details = process.details.as_deref();
    put("command", Some(words::command(process).into_owned()));
    let gone = if process.exe_deleted { " (deleted or replaced since)" } else { "" };
    put("executable", process.exe.as_ref().map(|exe| format!("{exe}{gone}")));
    let path = |cwd: &String| words::path(cwd, view.home.as_deref()).into_owned();
    put("directory", process.cwd.as_ref().map(path));
    put("user", Some(user(process)));
    put("state", Some(state(process)));
    put("age", age(process));
    put("use", Some(usage(process)));
    let ports = processes::ports(process.ports.as_deref().unwrap_or_default());
    put("ports", Some(ports.text.into_owned()));
    put("open", details.and_then(open));
    put("parent", details.and_then(|details| details.parent.as_ref()).map(named));
    put("ancestry", details.and_then(ancestry));
    put("children", details.and_then(children));
    put(
        "container",
        process.container.as_ref().map(|container| {
            let name = container.name.as_ref().unwrap_or(&container.id);
            format!("{} ({})", name, container.engine)
        }),
    );
    put("unit", process.unit.clone());
    put(
        "run by",
        process.supervisor.as_ref().map(|supervisor| {
            let pid = supervisor.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            let again =
                if supervisor.restarts == Some(true) { ", which would start it again" } else { "" };
            let stop = supervisor
                .stop
                .as_ref()
                .map(|argv| format!("; stopped for good by {}", sanitize::shell(argv)));
            format!("{}{pid}{again}{}", supervisor.name, stop.unwrap_or_default())
        }),
    );
    let origin = card::origin(process, view);
    let told = |by: &String| origin.as_ref().is_some_and(|origin| origin.contains(by));
    let started = process.started_by.as_ref().map(explain::started_by);
    put("started by", started.filter(|by| !told(by)));
    put("origin", origin);
    put("is", process.nature.as_ref().map(card::nature));
    put("environment", details.and_then(marks));
    for warning in details.map(|details| details.warnings.as_slice()).unwrap_or_default() {
        put("note", Some(warning.explain.clone()));
    }
}

fn user(process: &ProcessReport) -> String {
    match (&process.user, process.uid) {
        (Some(user), Some(uid)) => format!("{user} ({uid})"),
        _ => processes::user(process).into_owned(),
    }
}

fn state(process: &ProcessReport) -> String {
    words::state(process.state).unwrap_or_else(|| process.state.name()).to_owned()
}

fn age(process: &ProcessReport) -> Option<String> {
    let age = process.age_ms.map(words::span)?;
    let since = process.started_at.as_ref().map(|time| format!(", since {time}"));
    let terminal = process.terminal.as_ref().map(|terminal| format!(", on {terminal}"));
    Some(format!("{age}{}{}", since.unwrap_or_default(), terminal.unwrap_or_default()))
}

/// `12 s of processor time, 84 MB of memory, 11 threads`.
fn usage(process: &ProcessReport) -> String {
    let parts = [
        process.cpu_ms.map(|ms| format!("{} of processor time", words::span(ms))),
        process.memory_bytes.map(|bytes| format!("{} of memory", explain::bytes(bytes))),
        process.threads.map(|threads| words::count(threads as usize, "thread")),
    ];
    parts.into_iter().flatten().collect::<Vec<String>>().join(", ")
}

fn open(details: &DetailReport) -> Option<String> {
    let files = words::count(details.open_files?, "descriptor");
    match details.connections {
        Some(connections) => Some(format!("{files}, {}", words::count(connections, "connection"))),
        None => Some(files),
    }
}

fn named(process: &NamedReport) -> String {
    format!("{} (pid {})", process.name, process.pid)
}

fn children(details: &DetailReport) -> Option<String> {
    let names: Vec<String> = details.children.iter().map(named).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// `systemd (pid 1) > sshd (pid 800) > bash (pid 812)`, where there is more than the parent.
fn ancestry(details: &DetailReport) -> Option<String> {
    let names: Vec<String> = details.ancestry.iter().map(named).collect();
    (names.len() > 1).then(|| names.join(" > "))
}

fn marks(details: &DetailReport) -> Option<String> {
    let marks: Vec<String> =
        details.marks.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!marks.is_empty()).then(|| marks.join(" "))
}

#[cfg(test)]
mod tests {
    use proc_core::report::{WarningKind, WarningReport};

    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_card_has_a_line_for_each_thing_that_is_known() {
        let mut target = fixture::empty("node");
        let mut process = fixture::processes().processes.remove(1);
        process.cpu_ms = Some(12_000);
        process.memory_bytes = Some(84 << 20);
        process.threads = Some(11);
        process.details = Some(Box::new(DetailReport {
            parent: Some(NamedReport { pid: 17, name: "npm\u{1b}[2J".to_owned() }),
            children: vec![NamedReport { pid: 4300, name: "esbuild".to_owned() }],
            connections: Some(1),
            open_files: Some(24),
            ancestry: vec![
                NamedReport { pid: 1, name: "init".to_owned() },
                NamedReport { pid: 17, name: "npm\u{1b}[2J".to_owned() },
            ],
            marks: [("TMUX_PANE".to_owned(), "%3".to_owned())].into(),
            warnings: vec![WarningReport {
                kind: WarningKind::DirectoryGone,
                explain: "its working directory was removed".to_owned(),
            }],
        }));
        target.processes = vec![process];
        let view = View { home: Some("/home/me".to_owned()), ..View::plain() };
        let mut page = Page::default();
        put(&mut page, &[target], &view);
        assert_eq!(
            page.render(&view),
            "\
             node (pid 4242)\n\
             \x20 command     node server.js\n\
             \x20 executable  /usr/bin/node\n\
             \x20 directory   ~/web\n\
             \x20 user        me (1000)\n\
             \x20 state       stopped, as by Ctrl-Z\n\
             \x20 age         2 h, since 2026-01-01T10:00:00Z\n\
             \x20 use         12 s of processor time, 84 MB of memory, 11 threads\n\
             \x20 ports       3000, 3001 everybody, 9229 this machine\n\
             \x20 open        24 descriptors, 1 connection\n\
             \x20 parent      npm\\x1b[2J (pid 17)\n\
             \x20 ancestry    init (pid 1) > npm\\x1b[2J (pid 17)\n\
             \x20 children    esbuild (pid 4300)\n\
             \x20 environment TMUX_PANE=%3\n\
             \x20 note        its working directory was removed\n"
        );
    }

    #[test]
    fn nobody_is_said() {
        let mut target = fixture::empty("nod");
        target.explain = Some("no process is called nod; did you mean node?".to_owned());
        let mut page = Page::default();
        put(&mut page, &[target], &View::plain());
        assert_eq!(page.render(&View::plain()), "no process is called nod; did you mean node?\n");
    }
}
