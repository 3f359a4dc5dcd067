//! One line for each event of `proc watch`: when, where, what, who.

use proc_core::report::{SocketReport, WatchEvent, WatchKind};
use proc_core::socket::{Protocol, TcpState};

use super::page::{Line, Page, Role, shown_columns};
use super::words;
use crate::local_time::Clock;
use crate::terminal::View;

/// The columns of the place and of the word for what happened, in which most fit.
const PLACE: usize = 20;
const WORD: usize = 9;

/// The line.
pub fn event(event: &WatchEvent, clock: &Clock, view: &View) -> String {
    let mut line = Line::new(0).with(Role::Dim, format!("{}  ", clock.show(&event.at)));
    if event.kind != WatchKind::Gap {
        push_column(&mut line, Role::Strong, &place(event), PLACE, view);
    }
    let (role, word) = word(event);
    push_column(&mut line, role, word, WORD, view);
    line.push(Role::Plain, rest(event, view));
    let mut page = Page::default();
    page.push(line);
    page.render(view)
}

/// The line about brief ones that were not told one by one; nothing where there were none.
pub fn left_out(count: usize, view: &View) -> String {
    if count == 0 {
        return String::new();
    }
    let mut page = Page::default();
    let text = format!("and {count} more like it within a second");
    page.push(Line::new(0).with(Role::Dim, text));
    page.render(view)
}

fn push_column(line: &mut Line, role: Role, text: &str, width: usize, view: &View) {
    let pad = width.saturating_sub(shown_columns(text, view));
    line.push(role, text);
    line.push(Role::Plain, " ".repeat(pad + 2));
}

/// `:3000` for every address, `udp 127.0.0.1:53`, a path, or the target that a process belongs to.
fn place(event: &WatchEvent) -> String {
    let Some(socket) = &event.socket else {
        return event.target.clone().unwrap_or_default();
    };
    let local = match socket.local.strip_prefix("0.0.0.0:").or(socket.local.strip_prefix("[::]:")) {
        // IPv4 alone and IPv6 alone are told apart where that matters: in the JSON.
        Some(port) if !socket.v6only.unwrap_or(false) => format!(":{port}"),
        _ => socket.local.clone(),
    };
    match socket.protocol {
        Protocol::Tcp | Protocol::Unix => local,
        protocol => format!("{protocol} {local}"),
    }
}

fn word(event: &WatchEvent) -> (Role, &'static str) {
    match event.kind {
        WatchKind::Listening if is_bound(event) => (Role::Plain, "bound"),
        WatchKind::Listening if listens(event) && event.initial => (Role::Plain, "listening"),
        WatchKind::Listening if listens(event) => (Role::Held, "listens"),
        WatchKind::Listening => (Role::Plain, "open"),
        WatchKind::Opened if is_bound(event) => (Role::Held, "bound"),
        WatchKind::Opened => (Role::Held, "opened"),
        WatchKind::Closed => (Role::Free, "closed"),
        WatchKind::ChangedHands => (Role::Denied, "changed hands"),
        WatchKind::Restarted => (Role::Lingering, "restarted"),
        WatchKind::Brief => (Role::Lingering, "brief"),
        WatchKind::Clients => (Role::Plain, "clients"),
        WatchKind::ProcessStarted if event.initial => (Role::Plain, "running"),
        WatchKind::ProcessStarted => (Role::Held, "started"),
        WatchKind::ProcessEnded => (Role::Free, "ended"),
        WatchKind::Gap => (Role::Denied, "gap"),
    }
}

fn is_bound(event: &WatchEvent) -> bool {
    event.socket.as_ref().is_some_and(|socket| socket.state == Some(TcpState::Bound))
}

fn listens(event: &WatchEvent) -> bool {
    event.socket.as_ref().is_some_and(|socket| socket.state == Some(TcpState::Listen))
}

fn rest(event: &WatchEvent, view: &View) -> String {
    match event.kind {
        WatchKind::Gap => event.explain.clone(),
        WatchKind::Brief => "opened and closed again, too quickly to see by whom".to_owned(),
        WatchKind::Clients => words::count(event.clients.unwrap_or(0), "open connection"),
        WatchKind::ChangedHands => {
            let mut text = who(event, view);
            if let Some(from) = &event.from {
                text.push_str(&format!(", before {}", from.named()));
            }
            text + &after(event)
        }
        WatchKind::Restarted | WatchKind::ProcessStarted => {
            let by = event.by.as_ref().map_or_else(String::new, |by| format!(" by {}", by.named()));
            who(event, view) + &by + &after(event)
        }
        WatchKind::Listening | WatchKind::Opened | WatchKind::Closed | WatchKind::ProcessEnded => {
            who(event, view)
        }
    }
}

/// `node server.js (pid 4242) in ~/shop`, or why nobody can be named.
fn who(event: &WatchEvent, view: &View) -> String {
    if let Some(process) = &event.process {
        let mut text = format!("{} (pid {})", words::command(process), process.pid);
        if let Some(cwd) = process.cwd.as_deref().filter(|cwd| *cwd != "/") {
            text.push_str(&format!(" in {}", words::path(cwd, view.home.as_deref())));
        }
        return text;
    }
    let Some(socket) = &event.socket else { return String::new() };
    match words::unseen(socket) {
        Some(unseen) if socket.hidden || socket.kernel => unseen,
        // A closing without a name is just that; an opening wants a reason.
        _ if event.kind == WatchKind::Closed => String::new(),
        _ => vanished(socket),
    }
}

fn vanished(socket: &SocketReport) -> String {
    let by = socket.uid.map_or_else(String::new, |uid| format!(" of {}", words::user(uid)));
    format!("by a process{by} that let go before it could be seen")
}

fn after(event: &WatchEvent) -> String {
    let ms = event.after_ms;
    ms.map_or_else(String::new, |ms| format!(", {} after", words::span(ms)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use proc_core::report::SupervisorReport;

    use super::*;

    fn line(change: impl FnOnce(&mut WatchEvent)) -> String {
        let report = fixture::held();
        let mut told = WatchEvent {
            schema: 1,
            at: "2026-01-01T19:32:05.123Z".to_owned(),
            kind: WatchKind::Opened,
            initial: false,
            target: Some(":3000".to_owned()),
            socket: report.sockets.first().cloned(),
            process: report.processes.first().cloned(),
            from: None,
            by: None,
            after_ms: None,
            clients: None,
            explain: "a sentence".to_owned(),
        };
        change(&mut told);
        event(&told, &Clock::utc(), &View::plain())
    }

    #[test]
    fn lines_say_when_where_what_and_who() {
        let opened = line(|_| {});
        assert!(opened.starts_with("19:32:05.123Z  "), "{opened}");
        assert!(opened.contains(" opened ") && opened.contains("(pid 4242)"), "{opened}");
        let closed = line(|event| {
            event.kind = WatchKind::Closed;
            event.process = None;
        });
        assert!(closed.ends_with(" closed\n"), "{closed}");
        let restarted = line(|event| {
            event.kind = WatchKind::Restarted;
            event.after_ms = Some(168);
            event.by = Some(SupervisorReport {
                kind: proc_core::process::SupervisorKind::Watcher,
                name: "nodemon".to_owned(),
                pid: Some(41),
                restarts: Some(true),
                stop: None,
                policy: None,
                restarted: None,
                takes_along: Vec::new(),
            });
        });
        assert!(restarted.ends_with(" by nodemon (pid 41), 168 ms after\n"), "{restarted}");
    }

    #[test]
    fn nobody_is_invented() {
        let gone = line(|event| {
            event.process = None;
            let socket = event.socket.as_mut().unwrap();
            socket.holders.clear();
            socket.uid = Some(1000);
        });
        assert!(gone.contains("by a process of user 1000 that let go before"), "{gone}");
    }

    #[test]
    fn hostile_names_and_gaps_stay_on_their_line() {
        let hostile = line(|event| {
            event.process.as_mut().unwrap().argv = vec!["a\x1b[2J\nb".to_owned()];
        });
        assert_eq!(hostile.lines().count(), 1, "{hostile:?}");
        assert!(!hostile.contains('\x1b'), "{hostile:?}");
        let gap = line(|event| event.kind = WatchKind::Gap);
        assert!(gap.starts_with("19:32:05.123Z  gap") && gap.ends_with("a sentence\n"), "{gap}");
    }
}
