//! `proc ports` for people: one line a socket.

use proc_core::addr::Exposure;
use proc_core::report::{PortsReport, ProcessReport, SocketReport};
use proc_core::socket::Protocol;

use super::page::{Line, Page, Role};
use super::table::{Cell, Column, Table};
use super::{card, words};
use crate::terminal::View;

/// Puts the list on a page.
pub fn put(page: &mut Page, report: &PortsReport, view: &View) {
    if report.sockets.is_empty() {
        page.push(Line::new(0).text("no port is held"));
    } else {
        table(report, view).put(page, view);
    }
    if !report.gaps.is_empty() {
        page.gap();
        card::gaps(page, &report.gaps);
    }
}

fn table(report: &PortsReport, view: &View) -> Table<8> {
    let column = |title, expendable, least| Column { title, expendable, least };
    Table {
        columns: [
            column("PORT", 0, None),
            column("ADDRESS", 3, Some(15)),
            column("REACH", 4, None),
            column("PROCESS", 0, Some(10)),
            column("PID", 0, Some(8)),
            column("USER", 6, None),
            column("DIRECTORY", 5, Some(14)),
            column("COMMAND", 7, Some(24)),
        ],
        rows: report.sockets.iter().map(|socket| row(socket, &report.processes, view)).collect(),
        headings: true,
        indent: 0,
    }
}

fn row(socket: &SocketReport, processes: &[ProcessReport], view: &View) -> [Cell; 8] {
    let (address, port) = split(socket);
    let first = socket
        .holders
        .first()
        .and_then(|holder| processes.iter().find(|process| process.pid == holder.pid));
    let reach = match (socket.exposure, &socket.netns) {
        (_, Some(namespace)) => Cell::new(Role::Dim, format!("namespace {namespace}")),
        (Some(Exposure::Any), None) => {
            Cell::new(Role::Lingering, words::reach_short(Exposure::Any))
        }
        (Some(exposure), None) => words::reach_short(exposure).into(),
        (None, None) => Cell::default(),
    };
    [
        port.into(),
        address.into(),
        reach,
        Cell::new(Role::Strong, process_name(socket, first)),
        pids(socket).into(),
        user(socket, first).into(),
        first
            .and_then(|process| process.cwd.as_deref())
            .map(|cwd| words::path(cwd, view.home.as_deref()))
            .unwrap_or_default()
            .into(),
        first.map(words::command).unwrap_or_default().into(),
    ]
}

/// The address and the port with its protocol: `127.0.0.1` and `3000/tcp`.
fn split(socket: &SocketReport) -> (String, String) {
    let protocol = socket.protocol.name();
    match socket.local.rsplit_once(':') {
        Some((address, port)) if socket.protocol != Protocol::Unix => {
            (address.trim_matches(['[', ']']).to_owned(), format!("{port}/{protocol}"))
        }
        _ => (socket.local.clone(), protocol.to_owned()),
    }
}

fn process_name(socket: &SocketReport, first: Option<&ProcessReport>) -> String {
    if let Some(process) = first {
        return process.name.clone();
    }
    let unit = socket.cgroup.as_deref().map(words::cgroup).filter(|name| *name != "/");
    match unit {
        _ if !socket.holders.is_empty() => String::new(),
        _ if socket.kernel => "(kernel)".to_owned(),
        Some(unit) => format!("{unit}?"),
        None if socket.hidden => "(hidden)".to_owned(),
        None => "(nobody)".to_owned(),
    }
}

fn pids(socket: &SocketReport) -> String {
    let mut pids: Vec<u32> = socket.holders.iter().map(|holder| holder.pid).collect();
    pids.dedup();
    pids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn short(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { uid.to_string() }
}

/// The holder's user, or the user that made the socket.
fn user(socket: &SocketReport, first: Option<&ProcessReport>) -> String {
    let known = first.and_then(|process| {
        process.user.clone().or_else(|| process.uid.map(|uid| uid.to_string()))
    });
    known.or_else(|| socket.uid.map(short)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn shown(width: Option<usize>) -> String {
        let view = View { width, home: Some("/home/me".to_owned()), ..View::plain() };
        let mut page = Page::default();
        put(&mut page, &fixture::ports(), &view);
        page.render(&view)
    }

    #[test]
    fn piped_it_is_whole() {
        assert_eq!(
            shown(None),
            "\
             PORT      ADDRESS        REACH         PROCESS         PID      USER  DIRECTORY  COMMAND\n\
             3000/tcp  127.0.0.1      this machine  node            4242,17  me    ~/web      node server.js\n\
             3000/tcp  192.168.1.5    network       node            4242     me    ~/web      node server.js\n\
             80/tcp    0.0.0.0        everybody     nginx.service?           33\n\
             53/udp    ::             everybody     (kernel)                 1000\n\
             unix      /run/app.sock                服务器          17       me    ~/web      /opt/服务器\n"
        );
    }

    #[test]
    fn at_80_columns() {
        assert_eq!(
            shown(Some(80)),
            "\
             PORT      ADDRESS        REACH         PROCESS         PID      USER  DIRECTORY\n\
             3000/tcp  127.0.0.1      this machine  node            4242,17  me    ~/web\n\
             3000/tcp  192.168.1.5    network       node            4242     me    ~/web\n\
             80/tcp    0.0.0.0        everybody     nginx.service?           33\n\
             53/udp    ::             everybody     (kernel)                 1000\n\
             unix      /run/app.sock                服务器          17       me    ~/web\n"
        );
    }

    #[test]
    fn at_40_columns() {
        assert_eq!(
            shown(Some(40)),
            "\
             PORT      PROCESS         PID\n\
             3000/tcp  node            4242,17\n\
             3000/tcp  node            4242\n\
             80/tcp    nginx.service?\n\
             53/udp    (kernel)\n\
             unix      服务器          17\n"
        );
    }

    #[test]
    fn nothing_to_list_is_said() {
        let mut report = fixture::ports();
        report.sockets.clear();
        let mut page = Page::default();
        put(&mut page, &report, &View::plain());
        assert_eq!(page.render(&View::plain()), "no port is held\n");
    }
}
