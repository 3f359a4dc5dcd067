//! The sentence of each event, from the event alone.

use crate::explain::count;
use crate::report::{SocketReport, WatchEvent, WatchKind};
use crate::socket::{Protocol, TcpState};

/// The one sentence on what happened. A gap brings its own.
pub(super) fn sentence(event: &WatchEvent) -> String {
    let place = event.socket.as_ref().map_or_else(|| "the port".to_owned(), place);
    let who = holder(event);
    match event.kind {
        WatchKind::Listening => format!("{who} {} {place}", has(event.socket.as_ref())),
        WatchKind::Opened => format!("{who} opened {place}"),
        WatchKind::Closed => match &event.process {
            Some(_) => format!("{who} let go of {place}"),
            None => format!("{place} was closed"),
        },
        WatchKind::Brief => format!(
            "{place} was opened and closed again, too quickly to see by whom or whether it listened"
        ),
        WatchKind::ChangedHands => match &event.from {
            Some(from) => format!("{place} went from {} to {who}", from.named()),
            None => format!("{place} went to {who}"),
        },
        WatchKind::Restarted => {
            let mut text = format!("{who} has {place} again");
            if let Some(by) = &event.by {
                text.push_str(&format!(", started by {}", by.named()));
            }
            if let Some(after) = event.after_ms {
                text.push_str(&format!(", {after} ms after"));
                if let Some(from) = &event.from {
                    text.push_str(&format!(" pid {} let go", from.pid));
                }
            }
            text
        }
        WatchKind::Clients => {
            let number = event.clients.unwrap_or(0);
            format!("{place} has {}", count(number, "open connection", "open connections"))
        }
        WatchKind::ProcessStarted if event.initial => format!("{who} runs"),
        WatchKind::ProcessStarted => match &event.by {
            Some(by) => format!("{who} was started by {}", by.named()),
            None => format!("{who} was started"),
        },
        WatchKind::ProcessEnded => format!("{who} ended"),
        WatchKind::Gap => event.explain.clone(),
    }
}

fn holder(event: &WatchEvent) -> String {
    if let Some(process) = &event.process {
        return process.named();
    }
    let socket = event.socket.as_ref();
    let by = match socket.and_then(|socket| socket.uid) {
        Some(0) => " of root".to_owned(),
        Some(uid) => format!(" of user {uid}"),
        None => String::new(),
    };
    match socket {
        Some(socket) if socket.kernel => "the kernel".to_owned(),
        Some(socket) if socket.hidden => format!("a process{by} that you may not see"),
        _ => format!("a process{by} that let go before it could be seen"),
    }
}

fn place(socket: &SocketReport) -> String {
    match socket.protocol {
        Protocol::Unix => socket.local.clone(),
        protocol => format!("{protocol} {}", socket.local),
    }
}

fn has(socket: Option<&SocketReport>) -> &'static str {
    match socket.map(|socket| (socket.protocol, socket.state)) {
        Some((_, Some(TcpState::Listen))) => "listens on",
        Some((_, Some(TcpState::Bound))) => "has bound, and does not listen on,",
        _ => "has",
    }
}
