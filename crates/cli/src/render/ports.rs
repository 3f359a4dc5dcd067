//! `proc ports` for people: one line a socket.

use std::collections::HashMap;

use proc_core::addr::Exposure;
use proc_core::report::{PortsReport, ProcessReport, SocketReport};
use proc_core::socket::{Protocol, TcpState};

use super::columns::Field;
use super::page::{Line, Page, Role};
use super::table::{Cell, Column};
use super::{card, columns, words};
use crate::columns::Offer;
use crate::terminal::View;

/// Puts the list on a page.
pub fn put(page: &mut Page, report: &PortsReport, chosen: Option<&[usize]>, view: &View) {
    if report.sockets.is_empty() {
        page.push(Line::new(0).text("no port is held"));
    } else {
        columns::put(page, &fields(), &rows(report), chosen, view);
    }
    for note in &report.notes {
        page.push(Line::new(0).with(Role::Dim, note.clone()));
    }
    if !report.gaps.is_empty() {
        page.gap();
        card::gaps(page, &report.gaps);
    }
}

/// What `--columns` offers.
pub fn offers() -> Vec<Offer> {
    columns::offers(&fields())
}

/// The list as CSV.
pub fn csv(report: &PortsReport, chosen: Option<&[usize]>) -> String {
    columns::csv(&fields(), &rows(report), chosen)
}

/// A socket with what is known of its holders.
struct Row<'a> {
    socket: &'a SocketReport,
    first: Option<&'a ProcessReport>,
}

fn rows(report: &PortsReport) -> Vec<Row<'_>> {
    let processes: HashMap<u32, &ProcessReport> =
        report.processes.iter().map(|process| (process.pid, process)).collect();
    let first = |socket: &SocketReport| processes.get(&socket.holders.first()?.pid).copied();
    report.sockets.iter().map(|socket| Row { socket, first: first(socket) }).collect()
}

/// The columns, those that are usually shown first. New ones come last: CSV has them in this order.
fn fields<'a>() -> Vec<Field<Row<'a>>> {
    let usual = |name, about, title, expendable, least, shown, value| Field {
        offer: Offer { name, about },
        column: Column { title, expendable, least },
        usual: true,
        shown,
        value,
    };
    let more = |name, about, title, shown, value| Field {
        offer: Offer { name, about },
        column: Column { title, expendable: 8, least: None },
        usual: false,
        shown,
        value,
    };
    vec![
        usual("port", "its number", "PORT", 0, None, |row, _| port_cell(row), port),
        usual(
            "address",
            "the address, or the path or name of a unix socket",
            "ADDRESS",
            3,
            Some(15),
            |row, _| split(row.socket).0.into(),
            |row| split(row.socket).0,
        ),
        usual(
            "reach",
            "who can reach it: loopback, lan or any in CSV",
            "REACH",
            4,
            None,
            |row, _| reach(row.socket),
            |row| row.socket.exposure.map(words::word).unwrap_or_default(),
        ),
        usual(
            "name",
            "the program of its first holder",
            "PROCESS",
            0,
            Some(10),
            |row, _| Cell::new(Role::Strong, process_name(row.socket, row.first)),
            |row| row.first.map(|process| process.name.clone()).unwrap_or_default(),
        ),
        usual(
            "pid",
            "every holder's number",
            "PID",
            0,
            Some(8),
            |row, _| pids(row.socket, ",").into(),
            |row| pids(row.socket, " "),
        ),
        usual(
            "user",
            "whose it is",
            "USER",
            6,
            None,
            |row, _| user(row.socket, row.first).into(),
            |row| user(row.socket, row.first),
        ),
        usual(
            "directory",
            "where the holder works",
            "DIRECTORY",
            5,
            Some(14),
            |row, view| cwd(row).map(|cwd| words::path(cwd, view.home.as_deref())).into(),
            |row| cwd(row).unwrap_or_default().to_owned(),
        ),
        usual(
            "command",
            "what the holder was started as",
            "COMMAND",
            7,
            Some(24),
            |row, _| row.first.map(words::command).into(),
            |row| row.first.map(words::command).unwrap_or_default().into(),
        ),
        more("protocol", "tcp, udp or unix", "PROTOCOL", |row, _| protocol(row).into(), protocol),
        more("state", "the TCP state", "STATE", |row, _| state(row).into(), state),
        more("exe", "the holder's executable", "EXECUTABLE", |row, _| exe(row).into(), exe),
        more("ppid", "the holder's parent", "PARENT", |row, _| ppid(row).into(), ppid),
        more(
            "age",
            "how long the holder has run; milliseconds in CSV",
            "AGE",
            |row, _| row.first.and_then(|process| process.age_ms).map(words::span).into(),
            |row| {
                row.first
                    .and_then(|process| process.age_ms)
                    .map(|ms| ms.to_string())
                    .unwrap_or_default()
            },
        ),
        more(
            "started",
            "when the holder started",
            "STARTED",
            |row, _| started(row).into(),
            started,
        ),
        more("uid", "the number of its user", "UID", |row, _| uid(row).into(), uid),
        more(
            "container",
            "the holder's container",
            "CONTAINER",
            |r, _| container(r).into(),
            container,
        ),
        more("unit", "the holder's unit", "UNIT", |row, _| unit(row).into(), unit),
        more(
            "project",
            "the work tree that the holder belongs to",
            "PROJECT",
            |row, view| project(row).map(|path| words::path(path, view.home.as_deref())).into(),
            |row| project(row).unwrap_or_default().to_owned(),
        ),
        more(
            "queue",
            "connections that wait to be accepted, and how many may",
            "QUEUE",
            |row, _| queue(row).into(),
            queue,
        ),
        more("inode", "the key of its descriptors", "INODE", |row, _| inode(row).into(), inode),
        more(
            "namespace",
            "the network namespace, where it is another",
            "NAMESPACE",
            |row, _| namespace(row).into(),
            namespace,
        ),
    ]
}

fn reach(socket: &SocketReport) -> Cell<'static> {
    match (socket.exposure, &socket.netns) {
        (_, Some(namespace)) => Cell::new(Role::Dim, format!("namespace {namespace}")),
        (Some(Exposure::Any), None) => {
            Cell::new(Role::Lingering, words::reach_short(Exposure::Any))
        }
        (Some(exposure), None) => words::reach_short(exposure).into(),
        (None, None) => Cell::default(),
    }
}

/// The port's number alone.
fn port(row: &Row<'_>) -> String {
    let (_, port) = split(row.socket);
    port.split_once('/').map(|(number, _)| number.to_owned()).unwrap_or_default()
}

/// The port; a link where a browser is likely to be answered there.
fn port_cell(row: &Row<'_>) -> Cell<'static> {
    let (_, text) = split(row.socket);
    let listens = row.socket.state == Some(TcpState::Listen) && row.socket.netns.is_none();
    let here = matches!(row.socket.exposure, Some(Exposure::Any))
        || row.socket.local.starts_with("127.0.0.1:")
        || row.socket.local.starts_with("[::1]:");
    match port(row).parse::<u16>() {
        Ok(number) if listens && here && serves_web(number, row.first) => {
            Cell::new(Role::Web { port: number, secure: SECURE.contains(&number) }, text)
        }
        _ => text.into(),
    }
}

/// Ports of HTTP by their registered names, and those of HTTPS.
const WEB: [u16; 3] = [80, 8080, 8008];
const SECURE: [u16; 2] = [443, 8443];

/// Programs whose listeners speak HTTP as a rule: servers, and what web applications are written
/// in. Nobody is asked for it, as a question could wake or change something.
const WEB_PROGRAMS: [&str; 24] = [
    "node",
    "deno",
    "bun",
    "next-server",
    "vite",
    "python",
    "python3",
    "ruby",
    "puma",
    "php",
    "java",
    "dotnet",
    "nginx",
    "caddy",
    "httpd",
    "apache2",
    "traefik",
    "haproxy",
    "lighttpd",
    "gunicorn",
    "uvicorn",
    "hugo",
    "rails",
    "esbuild",
];

fn serves_web(port: u16, holder: Option<&ProcessReport>) -> bool {
    let program = holder.map(|process| process.name.as_str()).unwrap_or_default();
    // `python3.11`, `gunicorn: master`, `php8.2-fpm` (which speaks FastCGI).
    let name = program.split([' ', ':']).next().unwrap_or_default();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    WEB.contains(&port) || SECURE.contains(&port) || WEB_PROGRAMS.contains(&name)
}

fn cwd<'a>(row: &Row<'a>) -> Option<&'a str> {
    row.first?.cwd.as_deref()
}

fn project<'a>(row: &Row<'a>) -> Option<&'a str> {
    row.first?.origin.as_ref()?.project.as_deref()
}

fn protocol(row: &Row<'_>) -> String {
    row.socket.protocol.name().to_owned()
}

fn state(row: &Row<'_>) -> String {
    row.socket.state.map(words::word).unwrap_or_default()
}

fn exe(row: &Row<'_>) -> String {
    row.first.and_then(|process| process.exe.clone()).unwrap_or_default()
}

fn ppid(row: &Row<'_>) -> String {
    row.first.map(|process| process.ppid.to_string()).unwrap_or_default()
}

fn started(row: &Row<'_>) -> String {
    row.first.and_then(|process| process.started_at.clone()).unwrap_or_default()
}

fn uid(row: &Row<'_>) -> String {
    let uid = row.first.and_then(|process| process.uid).or(row.socket.uid);
    uid.map(|uid| uid.to_string()).unwrap_or_default()
}

fn container(row: &Row<'_>) -> String {
    let container = row.first.and_then(|process| process.container.as_ref());
    container.map(|c| c.name.clone().unwrap_or_else(|| c.id.clone())).unwrap_or_default()
}

fn unit(row: &Row<'_>) -> String {
    row.first.and_then(|process| process.unit.clone()).unwrap_or_default()
}

fn queue(row: &Row<'_>) -> String {
    row.socket.backlog.map(|(waiting, most)| format!("{waiting}/{most}")).unwrap_or_default()
}

fn inode(row: &Row<'_>) -> String {
    row.socket.inode.map(|inode| inode.to_string()).unwrap_or_default()
}

fn namespace(row: &Row<'_>) -> String {
    row.socket.netns.clone().unwrap_or_default()
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

fn pids(socket: &SocketReport, between: &str) -> String {
    let mut pids: Vec<u32> = socket.holders.iter().map(|holder| holder.pid).collect();
    pids.dedup();
    pids.iter().map(u32::to_string).collect::<Vec<_>>().join(between)
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
        put(&mut page, &fixture::ports(), None, &view);
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
    fn chosen_columns() {
        let chosen = |names: &[&str]| -> Vec<usize> {
            let offers = offers();
            names.iter().map(|n| offers.iter().position(|o| o.name == *n).unwrap()).collect()
        };
        let mut page = Page::default();
        let places = chosen(&["pid", "name", "port", "queue"]);
        put(&mut page, &fixture::ports(), Some(&places), &View::plain());
        assert_eq!(
            page.render(&View::plain()).lines().take(3).collect::<Vec<_>>(),
            [
                "PID      PROCESS         PORT      QUEUE",
                "4242,17  node            3000/tcp",
                "4242     node            3000/tcp"
            ]
        );
    }

    #[test]
    fn a_web_server_on_this_machine_is_a_link() {
        let mut report = fixture::ports();
        report.processes[1].name = "postgres".to_owned();
        report.sockets[4] = fixture::socket(Protocol::Tcp, "0.0.0.0:5432", &[17]);
        let view = View { links: true, ..View::plain() };
        let mut page = Page::default();
        put(&mut page, &report, None, &view);
        let text = page.render(&view);
        let links: Vec<&str> = text
            .split("\x1b]8;;")
            .filter_map(|part| part.strip_prefix("http")?.split_once('\x1b'))
            .map(|(link, _)| link)
            .collect();
        // Not that of another network's address, nor of what speaks something else.
        assert_eq!(links, ["://localhost:3000", "://localhost:80"]);
        // Links take no columns.
        let plain = text.replace("\x1b]8;;\x1b\\", "");
        let plain = links
            .iter()
            .fold(plain, |text, link| text.replace(&format!("\x1b]8;;http{link}\x1b\\"), ""));
        let mut page = Page::default();
        put(&mut page, &report, None, &View::plain());
        assert_eq!(plain, page.render(&View::plain()));
    }

    #[test]
    fn csv_says_what_is_known_and_nothing_else() {
        let text = csv(&fixture::ports(), None);
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(
            lines[0],
            "port,address,reach,name,pid,user,directory,command,protocol,state,exe,ppid,age,\
             started,uid,container,unit,project,queue,inode,namespace"
        );
        assert_eq!(
            lines[1],
            "3000,127.0.0.1,loopback,node,4242 17,me,/home/me/web,node server.js,tcp,listen,\
             /usr/bin/node,1,7300000,2026-01-01T10:00:00Z,1000,,,,,81234,"
        );
        // A holder that is hidden and the kernel have no name of a program.
        assert_eq!(lines[3], "80,0.0.0.0,any,,,33,,,tcp,listen,,,,,33,,,,,81234,");
        assert!(lines[5].starts_with(",/run/app.sock,,服务器,17,"), "{}", lines[5]);
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn nothing_to_list_is_said() {
        let mut report = fixture::ports();
        report.sockets.clear();
        let mut page = Page::default();
        put(&mut page, &report, None, &View::plain());
        assert_eq!(page.render(&View::plain()), "no port is held\n");
    }
}
