//! What a person needs to recognise a process, on two or three lines, and the other pieces that
//! looking and acting share: sockets, gaps, remedies.

use std::path::Path;

use proc_core::explain;
use proc_core::origin::SessionKind;
use proc_core::remedy::Remedy;
use proc_core::report::{GapReport, NatureReport, ProcessReport, SocketReport, TargetReport};
use proc_core::socket::TcpState;
use proc_core::supervisor::StarterKind;

use super::page::{Fit, Line, Page, Role, shown_columns};
use super::reasons;
use super::table::{Cell, Column, Table};
use super::words;
use crate::sanitize;
use crate::terminal::View;

/// How many processes are shown in full.
const CARDS: usize = 5;

/// How many sockets are shown.
const SOCKETS: usize = 12;

/// The processes with those PIDs, the first few in full and the rest by name.
pub fn processes(page: &mut Page, target: &TargetReport, pids: &[u32], view: &View) {
    for pid in pids.iter().take(CARDS) {
        match target.processes.iter().find(|process| process.pid == *pid) {
            Some(process) => card(page, process, view),
            None => page.push(Line::new(2).text(format!("pid {pid}"))),
        }
    }
    if pids.len() > CARDS {
        let rest: Vec<String> =
            pids[CARDS..].iter().map(|pid| words::named(*pid, &target.processes)).collect();
        page.push(Line::new(2).text(format!("and {} more: {}", rest.len(), rest.join(", "))));
    }
}

/// One process: its command, then who and where it is.
pub fn card(page: &mut Page, process: &ProcessReport, view: &View) {
    page.push(Line::new(2).fit(Fit::Cut).with(Role::Strong, words::command(process)));
    let mut facts = vec![format!("pid {}", process.pid)];
    match (&process.user, process.uid) {
        (Some(user), _) => facts.push(user.clone()),
        (None, Some(uid)) => facts.push(format!("user {uid}")),
        (None, None) => {}
    }
    let path = |cwd: &String| words::path(cwd, view.home.as_deref()).into_owned();
    facts.extend(process.cwd.as_ref().map(path));
    facts.extend(process.age_ms.map(words::span));
    facts.extend(process.terminal.clone());
    page.push(Line::new(4).text(facts.join(" · ")));
    if let Some(origin) = origin(process, view) {
        page.push(Line::new(4).text(origin));
    }
    for note in notes(process) {
        page.push(Line::new(4).text(note));
    }
    reasons::put_reasons(page, process);
}

/// Whose it is: `in ~/shop (git), started by claude (pid 8800)`; and where it runs elsewhere than in
/// the work tree that it was started for, `started from ~/shop (git)`. The directory that it runs in and its
/// terminal are among the facts already.
pub fn origin(process: &ProcessReport, view: &View) -> Option<String> {
    let origin = process.origin.as_ref();
    let project = origin
        .and_then(|origin| origin.project.as_ref())
        .filter(|project| process.cwd.as_ref() != Some(project))
        .map(|project| {
            let inside =
                process.cwd.as_deref().is_none_or(|cwd| Path::new(cwd).starts_with(project));
            let how = if inside { "in" } else { "started from" };
            format!("{how} {} (git)", words::path(project, view.home.as_deref()))
        });
    let agent = origin.and_then(|origin| origin.agent.as_ref());
    let session = origin.and_then(|origin| origin.session.as_ref());
    let starter = match (agent, &process.started_by, session) {
        (Some(agent), ..) => Some(format!("started by {}", agent.named())),
        (None, Some(by), _) => (by.kind != StarterKind::Terminal).then(|| explain::started_by(by)),
        (None, None, Some(session)) => {
            (session.kind != SessionKind::Terminal).then(|| format!("started from {session}"))
        }
        (None, None, None) => None,
    };
    let parts: Vec<String> = project.into_iter().chain(starter).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn notes(process: &ProcessReport) -> Vec<String> {
    let mut notes = Vec::new();
    if !reasons::tell_state(process) {
        notes.extend(words::state(process.state).map(str::to_owned));
    }
    if process.exe_deleted {
        notes.push("its program was deleted or replaced since it started".to_owned());
    }
    if let Some(container) = &process.container {
        let place = if container.outside { "for" } else { "in" };
        let name = container.name.as_ref().unwrap_or(&container.id);
        notes.push(format!("{place} {} container {name}", container.engine));
    }
    notes.extend(process.nature.as_ref().map(nature));
    match &process.supervisor {
        Some(supervisor) => {
            let pid = supervisor.pid.map(|pid| format!(" ({pid})")).unwrap_or_default();
            let again =
                if supervisor.restarts == Some(true) { ", which would start it again" } else { "" };
            notes.push(format!("run by {}{pid}{again}", supervisor.name));
        }
        None => notes.extend(process.unit.as_ref().map(|unit| format!("unit {unit}"))),
    }
    notes
}

/// `PostgreSQL: asked to end by SIGINT (its fast shutdown), never forced`.
pub fn nature(nature: &NatureReport) -> String {
    match &nature.advice {
        Some(advice) => format!("{}: {advice}", nature.name),
        None => nature.name.clone(),
    }
}

/// The sockets as a table (which addresses, and who can reach them), and how many clients they
/// have.
pub fn sockets(page: &mut Page, target: &TargetReport, view: &View) {
    socket_table(page, &target.sockets, SOCKETS, view);
    if let Some(clients) = target.clients.filter(|&clients| clients > 0) {
        let is = if clients == 1 { "is" } else { "are" };
        let connections = words::count(clients, "connection");
        page.push(Line::new(2).text(format!("{connections} to it {is} open")));
    }
}

/// At most that many sockets as a table, and how many more there are.
pub fn socket_table(page: &mut Page, sockets: &[SocketReport], most: usize, view: &View) {
    // Whoever waits for requests comes before the requests.
    let mut order: Vec<&SocketReport> = sockets.iter().collect();
    order.sort_by_key(|socket| socket.remote.is_some());
    let rows = order.iter().take(most).map(|socket| socket_row(socket)).collect();
    let table = Table {
        columns: vec![
            Column { title: "", expendable: 0, least: None },
            Column { title: "", expendable: 0, least: None },
            Column { title: "", expendable: 3, least: None },
            Column { title: "", expendable: 1, least: None },
            Column { title: "", expendable: 2, least: Some(6) },
            Column { title: "", expendable: 4, least: Some(8) },
        ],
        rows,
        headings: false,
        indent: 2,
        ..Table::default()
    };
    table.put(page, view);
    if sockets.len() > most {
        let more = words::count(sockets.len() - most, "more socket");
        page.push(Line::new(2).with(Role::Dim, format!("and {more}; --json lists all")));
    }
}

fn socket_row(socket: &SocketReport) -> Vec<Cell<'_>> {
    let address = match &socket.remote {
        Some(remote) => format!("{} → {remote}", socket.local),
        None => socket.local.clone(),
    };
    let state = socket.state.map(TcpState::rfc_name).unwrap_or_default();
    // Reach is a matter of who may connect, and a connection has been made.
    let reach = match socket.exposure {
        Some(exposure) if socket.remote.is_none() => words::reach(exposure),
        _ => "",
    };
    let holder = words::unseen(socket).unwrap_or_else(|| {
        let pids: Vec<String> = socket.holders.iter().map(|h| h.pid.to_string()).collect();
        pids.join(", ")
    });
    vec![
        socket.protocol.name().into(),
        address.into(),
        reach.into(),
        state.into(),
        holder.into(),
        Cell::new(Role::Dim, extras(socket)),
    ]
}

fn extras(socket: &SocketReport) -> String {
    let mut extras = Vec::new();
    extras.extend(socket.expires_ms.map(|ms| format!("{} left", words::span(u64::from(ms)))));
    if socket.mptcp {
        extras.push("MPTCP".to_owned());
    }
    if socket.v6only == Some(true) {
        extras.push("IPv6 only".to_owned());
    }
    if socket.reuse_port == Some(true) {
        extras.push("SO_REUSEPORT".to_owned());
    }
    if let Some((waiting, limit)) = socket.backlog
        && waiting > 0
    {
        extras.push(format!("{waiting} of {limit} waiting to be accepted"));
    }
    extras.extend(socket.netns.as_ref().map(|name| format!("namespace {name}")));
    extras.join(", ")
}

/// What could not be seen, and what would show it.
pub fn gaps(page: &mut Page, gaps: &[GapReport]) {
    for gap in gaps {
        page.push(Line::new(2).with(Role::Dim, self::gap(gap)));
    }
}

/// The same of one, as a sentence.
pub fn gap(gap: &GapReport) -> String {
    let cure = gap.cure.as_ref().map(|cure| format!(" (try {cure})")).unwrap_or_default();
    format!("{}{cure}", gap.what)
}

/// One remedy: the command to copy and what it does, or advice where there is no command.
pub fn remedy(page: &mut Page, remedy: &Remedy, indent: usize, view: &View) {
    let Some(argv) = &remedy.argv else {
        page.push(Line::new(indent).text(remedy.explain.clone()));
        return;
    };
    let command = remedy_command(argv, remedy.needs_root);
    let comment = format!("  # {}", remedy.explain);
    let both = indent + shown_columns(&command, view) + shown_columns(&comment, view);
    let line = Line::new(indent).fit(Fit::Whole).with(Role::Strong, command);
    if view.width.is_none_or(|width| both <= width) {
        page.push(line.with(Role::Dim, comment));
    } else {
        page.push(line);
        page.push(Line::new(indent + 2).with(Role::Dim, format!("# {}", remedy.explain)));
    }
}

/// The command of a remedy, with `sudo` where it needs more rights.
fn remedy_command(argv: &[String], needs_root: bool) -> String {
    let command = sanitize::shell(argv);
    if needs_root && argv.first().is_some_and(|program| program != "sudo") {
        format!("sudo {command}")
    } else {
        command
    }
}

/// What else a person should know: who answers where, what SO_REUSEADDR would change.
pub fn remarks(page: &mut Page, target: &TargetReport) {
    for note in &target.notes {
        page.push(Line::new(2).text(note.clone()));
    }
}

/// The best remedies of a target: those with a command first come, each command once.
pub fn best_remedies(target: &TargetReport, most: usize) -> Vec<&Remedy> {
    let mut best: Vec<&Remedy> = Vec::new();
    for remedy in target.causes.iter().flat_map(|cause| &cause.remedies) {
        if remedy.argv.is_some() && !best.iter().any(|other| other.argv == remedy.argv) {
            best.push(remedy);
        }
    }
    best.truncate(most);
    best
}

#[cfg(test)]
mod tests {
    use proc_core::nature::NatureKind;
    use proc_core::origin::Origin;

    use super::origin as origin_of;
    use super::*;
    use crate::render::fixture;

    fn shown(nature: NatureReport) -> String {
        let process = fixture::process(70, 1, "postgres", &["postgres", "-D", "/db"]);
        let process = ProcessReport { nature: Some(nature), ..process };
        let mut page = Page::default();
        card(&mut page, &process, &View::plain());
        page.render(&View::plain())
    }

    #[test]
    fn a_process_is_in_a_work_tree_or_was_started_from_it() {
        let view = View { home: Some("/home/me".to_owned()), ..View::plain() };
        let told = |cwd: Option<&str>| {
            let process = fixture::process(70, 1, "node", &["node"]);
            let project = Some("/home/me/shop".to_owned());
            let origin = Some(Origin { project, ..Origin::default() });
            let cwd = cwd.map(str::to_owned);
            origin_of(&ProcessReport { cwd, origin, ..process }, &view)
        };
        let inside = Some("in ~/shop (git)".to_owned());
        assert_eq!(told(Some("/home/me/shop/web")), inside);
        assert_eq!(told(None), inside);
        assert_eq!(told(Some("/home/me/shop")), None, "the directory says it");
        for elsewhere in ["/", "/tmp/x", "/home/me", "/home/me/shopping"] {
            let started = Some("started from ~/shop (git)".to_owned());
            assert_eq!(told(Some(elsewhere)), started, "{elsewhere}");
        }
    }

    #[test]
    fn what_a_program_is_takes_one_line() {
        let nature = NatureReport {
            kind: NatureKind::Database,
            name: "PostgreSQL".to_owned(),
            advice: Some("asked to end by SIGINT (its fast shutdown), never forced".to_owned()),
            stop: None,
            signal: Some("SIGINT".to_owned()),
            never_forced: Some("it must recover".to_owned()),
        };
        assert_eq!(
            shown(nature.clone()),
            "\
             \x20 postgres -D /db\n\
             \x20   pid 70 · me · /home/me/web · 2 h\n\
             \x20   PostgreSQL: asked to end by SIGINT (its fast shutdown), never forced\n"
        );
        let hostile =
            NatureReport { name: "ssh tunnel to \u{1b}[2Jx\ny".to_owned(), advice: None, ..nature };
        let page = shown(hostile);
        assert!(!page.contains('\u{1b}'), "{page:?}");
        assert_eq!(page.lines().count(), 3, "{page:?}");
    }
}
