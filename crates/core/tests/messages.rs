//! The table of messages, row by row: each example is recognised as its row with exactly what it
//! says, whatever stands around it; and what is no failure stays none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proc_core::addr::{AddressScope, Port};
use proc_core::message::{Class, Failure, Scanner, read};
use proptest::prelude::*;

const TABLE: &str = include_str!("../data/error-strings.csv");

/// One row of the table.
struct Row {
    source: String,
    example: String,
    regex: String,
    captures: BTreeMap<String, String>,
}

fn table() -> Vec<Row> {
    let mut records = records(TABLE).into_iter();
    let head = records.next().expect("a head");
    assert_eq!(head, ["source", "os", "exact_text_example", "regex", "captures", "notes"]);
    records
        .map(|fields| Row {
            source: fields[0].clone(),
            example: fields[2].clone(),
            regex: fields[3].clone(),
            captures: captures(&fields[4]),
        })
        .collect()
}

/// Comma-separated values (RFC 4180).
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            '\r' if !quoted => {}
            c => field.push(c),
        }
    }
    records
}

fn captures(text: &str) -> BTreeMap<String, String> {
    if text == "(none)" {
        return BTreeMap::new();
    }
    let pair = |pair: &str| {
        let (name, value) = pair.trim_start().split_once('=').expect("name=value");
        (name.to_owned(), value.to_owned())
    };
    text.split("; ").map(pair).collect()
}

/// What must stand around an example for it to be a failure.
const AROUND: &[(&str, &str, &str)] = &[
    ("Mosquitto", "", "1795344575: Error: Address already in use"),
    (
        "Python socket, privileged",
        "  File \"server.py\", line 3, in <module>\n    sock.bind(('', 80))",
        "",
    ),
];

fn with_context(row: &Row, example: &str) -> String {
    match AROUND.iter().find(|(source, ..)| *source == row.source) {
        Some((_, before, after)) => format!("{before}\n{example}\n{after}"),
        None => example.to_owned(),
    }
}

fn address(captures: &BTreeMap<String, String>, source: &str) -> Option<AddressScope> {
    let one = |ip: IpAddr| Some(AddressScope::One(ip, 0));
    let family = captures.get("fam").map(|family| family.to_lowercase());
    let v6 = family.as_deref().is_some_and(|family| family.ends_with('6'));
    let Some(text) = captures.get("addr") else {
        return match family {
            Some(_) if v6 => one(Ipv6Addr::UNSPECIFIED.into()),
            Some(_) => one(Ipv4Addr::UNSPECIFIED.into()),
            None => None,
        };
    };
    match text.trim_matches(['[', ']']) {
        "" if source.starts_with("Go") => one(Ipv6Addr::UNSPECIFIED.into()),
        "" | "*" | "+" | "null" | "any" => Some(AddressScope::Every),
        "127.0.0.1,::1" => Some(AddressScope::Localhost),
        "localhost" if source == "Kestrel localhost" => one(Ipv4Addr::LOCALHOST.into()),
        "localhost" => Some(AddressScope::Localhost),
        text => one(text.parse().unwrap_or_else(|_| panic!("{source}: {text}"))),
    }
}

/// What is wrong with a reading of the row's example.
fn wrong(row: &Row, all: &[Row], got: &[Failure]) -> Option<String> {
    // kubectl's has two of Go's in it: where it is broken between them they may be read, too.
    let parts = |got: &[Failure]| {
        got.len() == 2
            && got.iter().all(|one| one.source.starts_with("Go") && one.port == got[0].port)
    };
    if row.source == "kubectl port-forward" && parts(got) {
        return None;
    }
    let [failure] = got else {
        return Some(format!("{} failures: {got:#?}", got.len()));
    };
    let same_regex =
        |source: &str| all.iter().any(|other| other.source == source && other.regex == row.regex);
    if !same_regex(failure.source) {
        return Some(format!("read as {}", failure.source));
    }
    let number = |name: &str| row.captures.get(name).map(|text| text.parse::<u32>().unwrap());
    let port = |port: Option<Port>| port.map(|port| u32::from(port.get()));
    let file =
        matches!(failure.class, Class::SocketFile | Class::AlreadyRunning | Class::Elsewhere);
    let path = row.captures.get("path").filter(|_| file);
    let checks = [
        ("port", port(failure.port) == number("port")),
        ("last_port", port(failure.last_port) == number("port_to")),
        ("moved_to", port(failure.moved_to) == number("newport")),
        ("pid", failure.pid == number("pid")),
        ("path", failure.path.as_ref() == path),
        ("address", failure.address == address(&row.captures, &row.source)),
        ("class", failure.class == class(row)),
    ];
    let bad: Vec<&str> = checks.iter().filter(|(_, ok)| !ok).map(|(name, _)| *name).collect();
    (!bad.is_empty()).then(|| format!("wrong {bad:?}: {failure:#?}"))
}

/// The class by the example's own words: an independent, cruder reading than the library's.
fn class(row: &Row) -> Class {
    let text = &row.example;
    let has = |any: &[&str]| any.iter().any(|part| text.contains(part));
    let source = |any: &[&str]| any.iter().any(|part| row.source == *part);
    if has(&["already allocated"]) {
        Class::Allocated
    } else if has(&["remote port forwarding"]) {
        Class::Elsewhere
    } else if has(&["connect EADDR"]) {
        Class::Exhausted
    } else if has(&["ALREADY_LISTEN"]) {
        Class::SelfInflicted
    } else if has(&[
        "server is already running",
        "dev is already running",
        "Unable to acquire lock",
    ]) {
        Class::AlreadyRunning
    } else if row.captures.get("path").is_some_and(|path| path.len() > 1) {
        Class::SocketFile
    } else if has(&[
        "10013",
        "EACCES",
        "EPERM",
        "ermission",
        "forbidden",
        "Zugriffsrechte",
        "interdite",
        "访问权限",
        "privileged",
    ]) {
        Class::Denied
    } else if has(&["EADDRNOTAVAIL", "assign requested"]) {
        Class::NotLocal
    } else if source(&[
        "Deno inspector",
        "Tomcat",
        "Tomcat shutdown port",
        "Jetty",
        "Micronaut",
        "QEMU user networking",
        "kubectl last line",
        "rsyncd",
        "Redis abort line",
        "ssh -L second line",
        "Minecraft server",
    ]) {
        Class::Unsaid
    } else {
        Class::InUse
    }
}

fn check_every_row(what: &str, change: impl Fn(&str) -> String, after: impl Fn(&str) -> String) {
    let all = table();
    let mut bad = Vec::new();
    for row in &all {
        let text = after(&with_context(row, &change(&row.example)));
        if let Some(wrong) = wrong(row, &all, &read(&text)) {
            bad.push(format!("{}: {wrong}\n  in {text:?}", row.source));
        }
    }
    assert!(bad.is_empty(), "{what}: {} rows:\n{}", bad.len(), bad.join("\n"));
}

fn same(text: &str) -> String {
    text.to_owned()
}

#[test]
fn every_row_is_read_as_itself() {
    check_every_row("plain", same, same);
}

/// The example between a hundred lines of an ordinary log.
fn embedded(text: &str) -> String {
    let line = |number: u32| {
        format!(
            "2026-11-22T10:49:{:02}.123Z INFO  request GET /items/{number}?port=3000 took {} ms",
            number % 60,
            number * 7 % 911
        )
    };
    let before: Vec<String> = (0..50).map(line).collect();
    let after: Vec<String> = (50..100).map(line).collect();
    format!("{}\n{text}\n{}\n", before.join("\n"), after.join("\n"))
}

/// A text as a terminal of that many columns shows it.
fn wrapped(text: &str, columns: usize) -> String {
    let wrap = |line: &str| {
        let chars: Vec<char> = line.chars().collect();
        let pieces: Vec<String> =
            chars.chunks(columns).map(|piece| piece.iter().collect()).collect();
        pieces.join("\n")
    };
    text.split('\n').map(wrap).collect::<Vec<_>>().join("\n")
}

/// A line's start changed, for rows whose expression is bound to the start of a line.
fn prefixed(prefix: &'static str) -> impl Fn(&str) -> String {
    move |text| {
        let line = |line: &str| format!("{prefix}{line}");
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn colours_and_line_ends_do_not_matter() {
    let words = |text: &str| {
        let word = |word: &str| format!("\x1b[31m{word}\x1b[0m");
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    let letters = |text: &str| {
        let letter = |letter: char| match letter {
            '\n' => "\n".to_owned(),
            letter => format!("{letter}\x1b[1;38;5;196m"),
        };
        text.chars().map(letter).collect::<String>()
    };
    check_every_row("coloured words", words, same);
    check_every_row("coloured letters", letters, same);
    check_every_row("CRLF", same, |text| format!("{}\r\n", text.replace('\n', "\r\n")));
    check_every_row("titles", |text| format!("\x1b]0;npm run dev\x07{text}"), same);
}

#[test]
fn prefixes_do_not_matter() {
    for prefix in [
        "web-1  | ",
        "\x1b[36mweb-1  |\x1b[0m ",
        "Nov 22 10:49:35 host web[4242]: ",
        "<3>2026-11-22T10:49:35.123456+01:00 host web[4242]: ",
        "2026-11-22T10:49:35.123456789Z stderr F ",
        "[2026-11-22 10:49:35.123] [ERROR] ",
        "   npm ERR! ",
    ] {
        // The row of ssh is bound to the start of a line, for there is nothing else in it that is
        // ssh's own.
        let prefix_line = prefixed(prefix);
        check_every_row(prefix, same, move |text| match text.starts_with("bind [") {
            true => text.to_owned(),
            false => prefix_line(text),
        });
    }
}

#[test]
fn a_row_is_found_in_a_long_log() {
    check_every_row("embedded", same, embedded);
    check_every_row("embedded, wrapped", same, |text| wrapped(&embedded(text), 80));
}

#[test]
fn wrapped_lines_are_put_together() {
    for columns in [60, 80, 100, 132] {
        check_every_row(&format!("{columns} columns"), same, |text| wrapped(text, columns));
    }
}

/// What each text is read as: class, target (or nothing), source.
fn told(text: &str) -> Vec<(Class, Option<String>, &'static str)> {
    read(text)
        .into_iter()
        .map(|failure| {
            (failure.class, failure.target().map(|target| target.to_string()), failure.program())
        })
        .collect()
}

fn targets(text: &str) -> Vec<String> {
    told(text).into_iter().map(|(_, target, _)| target.unwrap_or_default()).collect()
}

#[test]
fn ordinary_lines_are_no_failures() {
    for line in [
        "listening on port 3000",
        "Server listening at http://0.0.0.0:3000",
        "  Local:   http://localhost:5173/",
        "INFO: Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
        "ready - started server on [::]:3000, url: http://localhost:3000",
        "port 3000 is in use by design",
        "the port 3000 is used for HTTP; 3001 for the inspector",
        "Tomcat started on port(s): 8080 (http)",
        "1795344575: Opening ipv4 listen socket on port 18080.",
        "1795344575: Opening ipv4 listen socket on port 18080.\n1795344576: mosquitto running",
        "Starting ChromeDriver 114.0 on port 9515",
        "Error: connect ECONNREFUSED 127.0.0.1:5432",
        "{ code: 'ECONNREFUSED', errno: -111, syscall: 'connect', address: '127.0.0.1', port: 5432 }",
        "Error: EACCES: permission denied, open '/root/x'",
        "npm ERR! code EACCES\nnpm ERR! syscall mkdir\nnpm ERR! path /usr/lib/node_modules",
        "PermissionError: [Errno 13] Permission denied: '/etc/shadow'",
        "thread 'main' panicked: Os { code: 13, kind: PermissionDenied, message: \"Permission denied\" } opening file",
        "bind-mount: /srv on /mnt:8080",
        "Service 'web' is not available on this plan",
        "Can't connect to ('db.example.org', 5432)",
        "worker 10048 started; error budget 10013 left",
        "connection to server at \"127.0.0.1\", port 5432 failed: Connection refused",
        "Failed to bind properties under 'server.port' to java.lang.Integer",
    ] {
        assert_eq!(told(line), [], "{line}");
    }
}

#[test]
fn the_very_bind_is_named() {
    for (text, want) in [
        ("Error: listen EADDRINUSE: address already in use :::3000", "tcp:[::]:3000"),
        ("Error: listen EADDRINUSE: address already in use ::1:23994", "tcp:[::1]:23994"),
        ("Error: bind EADDRINUSE null:4000", "tcp:4000"),
        ("Error: bind EADDRINUSE 0.0.0.0:23995", "udp:0.0.0.0:23995"),
        ("listen udp4 224.0.0.0:5353: bind: address already in use", "udp:224.0.0.0:5353"),
        ("listen tcp :18080: bind: address already in use", "tcp:[::]:18080"),
        (
            "Could not create server TCP listening socket *:6379: bind: Address already in use",
            "tcp:6379",
        ),
        (
            "Failed to listen on localhost:8000 (reason: Address already in use)",
            "tcp:localhost:8000",
        ),
        ("Error: listen EADDRINUSE: address already in use /tmp/app.sock", "unix:/tmp/app.sock"),
        ("A server is already running (pid: 81183, file: /a/tmp/pids/server.pid).", "pid:81183"),
        ("OSError: Cannot find empty port in range: 7860-7869.", "tcp:7860-7869"),
        ("Error: connect EADDRINUSE 127.0.0.1:4444", ""),
        ("Warning: remote port forwarding failed for listen port 18080", ""),
        ("Error: That port is already in use.", ""),
        ("failed to listen on TCP port 36867: Address already in use", "tcp:36867"),
        ("Address already in use - bind(2) for nil port 36713 (Errno::EADDRINUSE)", "tcp:36713"),
        ("Error: bind EACCES 0.0.0.0:53", "udp:0.0.0.0:53"),
        ("Error: listen EACCES 0.0.0.0:80", "tcp:0.0.0.0:80"),
        ("Error: connect EADDRNOTAVAIL 127.0.0.1:4444 - Local (0.0.0.0:0)", ""),
    ] {
        assert_eq!(targets(text), [want], "{text}");
    }
}

#[test]
fn programs_of_our_own_trials_are_read() {
    let boxed = "   \x1b[32m│\x1b[39m   \x1b[1mLocal:\x1b[22m  http://localhost:37755   \x1b[32m│\x1b[39m\r\n   │      │\r\n   \
        \x1b[32m│\x1b[39m   \x1b[31mThis port was picked because \x1b[4m37675\x1b[24m is in use.\x1b[39m  │\r\n";
    let [moved] = <[Failure; 1]>::try_from(read(boxed)).unwrap();
    let ports = (moved.port.map(Port::get), moved.moved_to.map(Port::get));
    assert_eq!((moved.class, ports), (Class::InUse, (Some(37675), Some(37755))));
    let perl =
        "cannot listen on port 36697: IO::Socket::INET: Address already in use at perl.pl line 1.";
    assert_eq!(targets(perl), [":36697"]);
    let denied = told("no port 80: IO::Socket::IP: Permission denied at x.pl line 3.");
    assert_eq!(denied, [(Class::Denied, Some(":80".to_owned()), "Perl")]);
    for (said, want) in [
        ("Address already in use: 127.0.0.1:4000", "127.0.0.1:4000"),
        ("bind: address already in use :4000", ":4000"),
        ("address already in use [::1]:4000", "[::1]:4000"),
        ("Address already in use (10:30:12)", ""),
    ] {
        assert_eq!(targets(said), [want], "{said}");
    }
    let refused =
        "cannot use port 80: IO::Socket::INET: connect: Connection refused at x.pl line 3.";
    assert!(read(refused).is_empty());
}

#[test]
fn several_lines_about_one_failure_are_one() {
    let node = "node:events:496\n      throw er; // Unhandled 'error' event\n      ^\n\n\
        Error: listen EADDRINUSE: address already in use :::3000\n\
        \x20   at Server.setupListenHandle [as _listen2] (node:net:1817:16)\n\
        Emitted 'error' event on Server instance at:\n\
        \x20   at emitErrorNT (node:net:1796:8) {\n  code: 'EADDRINUSE',\n  errno: -98,\n\
        \x20 syscall: 'listen',\n  address: '::',\n  port: 3000\n}\n\nNode.js v20.1.0\n";
    assert_eq!(targets(node), ["tcp:[::]:3000"]);
    let postgres = "LOG:  could not bind IPv6 address \"::1\": Address already in use\n\
        HINT:  Is another postmaster already running on port 5433? If not, wait a few seconds and retry.\n\
        LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use\n\
        HINT:  Is another postmaster already running on port 5433? If not, wait a few seconds and retry.\n\
        WARNING:  could not create listen socket for \"localhost\"\n\
        FATAL:  could not create any TCP/IP sockets\n";
    assert_eq!(targets(postgres), ["tcp:[::1]:5433", "tcp:127.0.0.1:5433"]);
    let chrome = "Starting ChromeDriver 114.0.5735.90 (386bc09e8f4f) on port 9515\n\
        Only local connections are allowed.\n\
        [1718994331.459][SEVERE]: bind() failed: Address already in use (98)\n\
        IPv4 port not available. Exiting...\n";
    assert_eq!(targets(chrome), ["tcp:9515"]);
    let mysql = "[ERROR] Can't start server: Bind on TCP/IP port: Address already in use\n\
        [ERROR] Do you already have another mysqld server running on port: 3306 ?\n";
    assert_eq!(targets(mysql), ["tcp:3306"]);
    let mosquitto = "1795344575: Opening ipv4 listen socket on port 1883.\n\
        1795344575: Error: Address already in use\n";
    assert_eq!(targets(mosquitto), ["tcp:0.0.0.0:1883"]);
    let deno = "error: Uncaught (in promise) AddrInUse: Address already in use (os error 98)\n\
        Deno.serve({ port: 18080 }, () => new Response(''));\n     ^\n";
    assert_eq!(targets(deno), ["tcp:18080"]);
}

#[test]
fn two_services_keep_their_own() {
    let log = "web-1  | Error: listen EADDRINUSE: address already in use :::3000\n\
        api-1  | OSError: [Errno 98] Address already in use\n\
        web-1  | [Errno 98] Address already in use\n";
    assert_eq!(targets(log), ["tcp:[::]:3000", ""]);
}

#[test]
fn a_wrapped_port_is_whole_and_a_time_is_no_port() {
    let text = "x".repeat(35) + " listen EADDRINUSE: address already in use :::30\n00";
    assert_eq!(targets(&text), ["tcp:[::]:3000"]);
    // The longest line, and after it one of its own.
    for next in ["00:12 next", "2026-11-22 10:49:00 next", "10.0.0.1 GET /", "12 packages"] {
        let text = "x".repeat(35) + " listen EADDRINUSE: address already in use :::3000\n" + next;
        assert_eq!(targets(&text), ["tcp:[::]:3000"], "{next}");
    }
    let text = "Error: listen EADDRINUSE\n2026-11-22T10:49 next\n";
    assert_eq!(targets(text), [""]);
}

#[test]
fn numbers_come_before_words() {
    let rows = [
        ("bind() to 0.0.0.0:80 failed (13: Адрес уже используется)", Class::Denied),
        ("bind() to 0.0.0.0:80 failed (10013: Une tentative)", Class::Denied),
        ("bind() to 0.0.0.0:80 failed (99: quelque chose)", Class::NotLocal),
        (
            "listen tcp 0.0.0.0:80: bind: Une tentative d'accès à un socket de manière interdite par ses autorisations d'accès a été tentée",
            Class::Denied,
        ),
        (
            "listen tcp 0.0.0.0:80: bind: Normalerweise darf jede Socketadresse (Protokoll) nur einmal",
            Class::InUse,
        ),
        ("listen tcp 0.0.0.0:80: bind: etwas ganz anderes", Class::Unsaid),
    ];
    for (text, class) in rows {
        let got: Vec<Class> = read(text).into_iter().map(|failure| failure.class).collect();
        assert_eq!(got, [class], "{text}");
    }
}

#[test]
fn the_compiled_table_is_the_table() {
    let compiled: Vec<(&str, &str)> = proc_core::message::table().collect();
    let mut rows: Vec<(String, String)> = Vec::new();
    for row in table() {
        if rows.iter().all(|(_, regex)| *regex != row.regex) {
            rows.push((row.source, row.regex));
        }
    }
    let rows: Vec<(&str, &str)> = rows.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(compiled, rows);
    assert_eq!(table().len(), 210);
}

/// The part of docs/messages.md that lists the table.
fn listed() -> String {
    let mut text = "| program | systems | what it prints |\n| --- | --- | --- |\n".to_owned();
    for fields in records(TABLE).into_iter().skip(1) {
        let cell = |text: &str| text.replace('|', "\\|");
        let example = fields[2].replace('|', "\\|");
        let mark = if example.contains('`') { "``" } else { "`" };
        let space = if mark == "``" { " " } else { "" };
        text += &format!(
            "| {} | {} | {mark}{space}{}{space}{mark} |\n",
            cell(&fields[0]),
            fields[1].replace(',', ", "),
            example.trim()
        );
    }
    text
}

#[test]
fn the_document_lists_every_message() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/messages.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, list) = text.split_once("## What is understood\n\n").expect("its heading");
    if std::env::var_os("UPDATE").is_some() {
        let new = format!("{before}## What is understood\n\n{}", listed());
        std::fs::write(path, new).unwrap();
        return;
    }
    assert!(list == listed(), "docs/messages.md is out of date: UPDATE=1 writes it anew");
}

/// A log made of rows and ordinary lines, with bytes that are no text.
fn any_log() -> impl Strategy<Value = Vec<u8>> {
    let examples: Vec<String> = table().into_iter().map(|row| row.example).collect();
    let line = prop_oneof![
        proptest::sample::select(examples).prop_map(String::into_bytes),
        "[ -~]{0,120}".prop_map(String::into_bytes),
        "\\x1b\\[[0-9;]{0,6}m?|\r|\u{1b}\\]0;x".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let end = proptest::sample::select(vec!["\n", "\r\n", "", " "]);
    proptest::collection::vec((line, end), 0..12).prop_map(|lines| {
        lines.into_iter().flat_map(|(line, end)| [line, end.into()].concat()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn chunks_do_not_matter(log in any_log(), cuts in proptest::collection::vec(0usize..200, 0..20)) {
        let mut scanner = Scanner::new();
        let mut rest = log.as_slice();
        for cut in cuts {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            scanner.feed(part);
            rest = after;
        }
        scanner.feed(rest);
        let whole = read(&String::from_utf8_lossy(&log));
        let parts = scanner.finish();
        let short = |found: &[Failure]| -> Vec<_> {
            found.iter().map(|one| (one.class, one.port, one.source)).collect()
        };
        prop_assert_eq!(short(&parts), short(&whole));
    }
}

#[test]
fn a_large_log_is_read_across_its_blocks() {
    // Messages at places that move over every boundary of the blocks that are read at once.
    let filler = "x".repeat(997) + "\n";
    let mut log = Vec::new();
    for number in 0..40u32 {
        for _ in 0..(number * 7 % 60 + 5) {
            log.extend_from_slice(filler.as_bytes());
        }
        log.extend(std::iter::repeat_n(b'y', number as usize * 13 % 509));
        let text =
            format!(" Error: listen EADDRINUSE: address already in use :::{}\n", 4000 + number);
        log.extend_from_slice(text.as_bytes());
    }
    assert!(log.len() > 1_000_000);
    for size in [1_000, 65_536, 1 << 20] {
        let mut scanner = Scanner::new();
        log.chunks(size).for_each(|part| scanner.feed(part));
        let ports: Vec<u16> =
            scanner.finish().iter().map(|failure| failure.port.unwrap().get()).collect();
        assert_eq!(ports, (4000..4040).collect::<Vec<u16>>(), "in parts of {size}");
        assert_eq!(scanner.lines(), log.iter().filter(|byte| **byte == b'\n').count() as u64);
    }
}

#[test]
fn an_endless_line_is_read() {
    let mut scanner = Scanner::new();
    let filler = vec![b'z'; 1 << 16];
    for number in 0..20u32 {
        scanner.feed(&filler);
        scanner.feed(
            format!(" address already in use :::{} Port {} is already in use ", 1, 5000 + number)
                .as_bytes(),
        );
    }
    let ports: Vec<u16> =
        scanner.finish().iter().filter_map(|failure| Some(failure.port?.get())).collect();
    assert_eq!(ports, (5000..5020).collect::<Vec<u16>>());
}

#[test]
fn what_is_taken_is_not_told_again() {
    let mut scanner = Scanner::new();
    scanner.feed(b"Port 5173 is in use, trying another one...\n");
    assert_eq!(scanner.take().len(), 1);
    scanner.feed(b"Error: listen EADDRINUSE: address already in use :::80");
    assert_eq!(scanner.take(), [], "the line is not complete");
    scanner.feed(b"80\n");
    assert_eq!(scanner.take()[0].port.unwrap().get(), 8080);
    scanner.feed(b"Port 5173 is in use, trying another one...\n");
    scanner.feed(b"OSError: [Errno 98] Address already in use\n");
    assert_eq!(scanner.take(), []);
    assert_eq!(scanner.finish(), []);
}

#[test]
fn text_in_utf_16_is_read() {
    let text =
        "\u{feff}first\r\nError: listen EADDRINUSE: address already in use 127.0.0.1:3000\r\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut scanner = Scanner::new();
    scanner.feed(&bytes);
    let found = scanner.finish();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].target().unwrap().to_string(), "tcp:127.0.0.1:3000");
}
