//! From a line to what it says: the rows' expressions, and what their captures mean. Which lines
//! are tried is decided elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::OnceLock;

use regex_lite::{Captures, Regex};

use super::literals;
use super::rows::{Needs, ROWS, Row};
use super::window::{Joined, Window};
use super::{Class, Failure, Origin};
use crate::addr::{AddressScope, Port, Transport};

/// A failure and where in the text it was read.
#[derive(Debug)]
pub(super) struct Reading {
    pub failure: Failure,
    pub span: Range<usize>,
    /// The same without a message of the system at its end, which goes on to the end of any line.
    pub core: Range<usize>,
    /// Whether the address is none but a name.
    by_name: bool,
    /// Where the ports stand.
    numbers: Vec<Range<usize>>,
    /// Whether it is a system's sentence or number alone, which many programs print.
    general: bool,
    /// How much of the text is the row's own: the most particular row wins.
    own: usize,
    /// How long the row's expression is: the shorter leaves less open.
    pattern: usize,
}

/// The most a row is looked for in one text.
const MOST: usize = 4;

/// What a row reads in a text that stands in that window.
pub(super) fn read(row: usize, text: &str, window: &Window<'_>) -> Vec<Reading> {
    let Some(regex) = regex(row) else { return Vec::new() };
    let row = &ROWS[row];
    regex.captures_iter(text).take(MOST).filter_map(|found| reading(row, &found, window)).collect()
}

impl Reading {
    /// Whether the reading counts in lines that were put together there: a time or a number that
    /// begins the next line must not become an address or a port.
    pub fn is_whole(&self, joined: &Joined) -> bool {
        if !joined.crosses(&self.span) {
            return true;
        }
        let goes_on = |number: &Range<usize>| {
            let mut rest = joined.text[number.end..].chars();
            let mark = rest.next().is_some_and(|c| ":.-/".contains(c));
            let digit = rest.next().is_some_and(|c| c.is_ascii_digit());
            mark && digit && joined.crosses(&(number.start.saturating_sub(2)..number.end))
        };
        !self.by_name && !self.numbers.iter().any(goes_on)
    }

    /// Whether its port stands before that place of the text, or it has none.
    pub fn port_before(&self, place: usize) -> bool {
        self.numbers.iter().all(|number| number.end <= place)
    }
}

/// Of several readings of one text those that say something of their own, best first.
pub(super) fn best(mut readings: Vec<Reading>) -> Vec<Reading> {
    readings.sort_by_key(|reading| {
        let own = std::cmp::Reverse(reading.own);
        let nothing = !reading.failure.names_something();
        (nothing, reading.general, own, reading.pattern, reading.span.start)
    });
    let mut kept: Vec<Reading> = Vec::new();
    for reading in readings {
        let adds = kept.iter().all(|other| {
            let apart =
                reading.span.end <= other.span.start || other.span.end <= reading.span.start;
            apart && reading.failure.names_something() && other.failure.port != reading.failure.port
        });
        if adds {
            kept.push(reading);
        }
    }
    kept.sort_by_key(|reading| reading.span.start);
    kept
}

/// Whether a text has all the words of the row's expression that it cannot match without: most
/// texts have not, and to look for words is a hundred times faster than to try the expression.
pub(super) fn may_match(row: usize, text: &str) -> bool {
    static WORDS: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    let words =
        WORDS.get_or_init(|| ROWS.iter().map(|row| literals::required(row.pattern)).collect());
    words[row].iter().all(|word| text.contains(word.as_str()))
}

/// The compiled expression of a row: most are never needed.
fn regex(row: usize) -> Option<&'static Regex> {
    static REGEXES: OnceLock<Vec<OnceLock<Option<Regex>>>> = OnceLock::new();
    let all = REGEXES.get_or_init(|| ROWS.iter().map(|_| OnceLock::new()).collect());
    all[row].get_or_init(|| Regex::new(ROWS[row].pattern).ok()).as_ref()
}

fn reading(row: &'static Row, found: &Captures<'_>, window: &Window<'_>) -> Option<Reading> {
    let whole = found.get(0)?;
    let get = |name: &str| found.name(name).map(|part| part.as_str());
    let text = whole.as_str();
    let mut failure = Failure {
        class: class(row, &get, window),
        transport: transport(row, &get, window),
        address: address(row, &get),
        interface: get("addr").and_then(interface),
        port: get("port").and_then(port),
        last_port: get("port_to").and_then(port),
        path: path(row, &get),
        pid: get("pid").and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0),
        moved_to: get("newport").and_then(port),
        source: row.source,
        origin: origin(row, &get),
        hint: row.hint,
        line: bounded(text),
    };
    // A number that is no port says nothing about which port it was.
    if get("port").is_some_and(|digits| digits.parse::<u32>().is_ok_and(|n| n > 65535)) {
        return None;
    }
    settle(row, &mut failure, &get, text, window)?;
    if failure.port.is_some() || failure.path.is_some() {
        failure.hint = None;
    }
    let captured: usize = own_names().filter_map(&get).map(str::len).sum();
    Some(Reading {
        failure,
        span: whole.range(),
        core: whole.start()..core_end(found, whole.end()),
        by_name: get("addr").is_some_and(is_name),
        numbers: ["port", "newport", "port_to"]
            .into_iter()
            .filter_map(|name| Some(found.name(name)?.range()))
            .collect(),
        general: is_general(row.source),
        own: text.len().saturating_sub(captured),
        pattern: row.pattern.len(),
    })
}

fn core_end(found: &Captures<'_>, end: usize) -> usize {
    found.name("msg").filter(|msg| msg.end() == end).map_or(end, |msg| msg.start())
}

/// Whether it is a system's sentence or number alone.
pub(super) fn is_general(source: &str) -> bool {
    ["glibc ", "musl ", "macOS EADDR", "Windows ", "Any line"]
        .iter()
        .any(|start| source.starts_with(start))
}

/// Captures whose text is not the row's own words.
fn own_names() -> impl Iterator<Item = &'static str> {
    ["addr", "port", "path", "msg", "reason", "pid", "newport", "host", "file", "unit"].into_iter()
}

/// What the row needs around it; `None` where that is missing.
fn settle<'a>(
    row: &Row,
    failure: &mut Failure,
    get: &impl Fn(&str) -> Option<&'a str>,
    text: &str,
    window: &Window<'_>,
) -> Option<()> {
    match row.needs {
        Needs::Nothing => {}
        Needs::Banner => {
            failure.port = window.before().find_map(|line| {
                line.contains("Starting ").then(|| number_after(&line, " on port "))?
            });
        }
        Needs::LocalAbove => {
            failure.moved_to = window.before().find_map(|line| {
                let (_, url) = line.split_once("Local:")?.1.split_once("://")?;
                number_after(url, ":")
            });
        }
        Needs::SourceLine => {
            failure.port = window.after().take(4).find_map(|line| {
                let source = line.contains("Deno.serve") || line.contains("Deno.listen");
                source.then(|| number_after(&line, "port:"))?
            });
        }
        Needs::PostmasterHint => {
            failure.port = window.after().take(3).find_map(|line| {
                line.contains("HINT")
                    .then(|| number_after(&line, "postmaster already running on port "))?
            });
        }
        Needs::InUseNext => {
            let says = |line: &str| {
                let line = line.to_ascii_lowercase();
                line.contains("error:") && line.contains("in use")
            };
            window.after().take(2).find(|line| says(line))?;
        }
        Needs::BindFrame => {
            let frame = |line: &str| {
                [".bind(", ".listen(", "server_bind", "create_server", "bind_socket"]
                    .iter()
                    .any(|call| line.contains(call))
            };
            window.before().find(|line| frame(line))?;
        }
        Needs::Object => object(failure, text)?,
        Needs::BindWord => bind_word(failure, text, window.line())?,
        Needs::Null => {
            (get("addr") == Some("null")).then_some(())?;
        }
        Needs::NotNull => {
            (get("addr") != Some("null")).then_some(())?;
        }
        Needs::OwnAddress => {
            get("addr").is_some_and(|addr| !is_name(addr)).then_some(())?;
        }
    }
    Some(())
}

/// Node's error as an object: one object, about a bind or about an outgoing connection.
fn object(failure: &mut Failure, text: &str) -> Option<()> {
    if text.contains('}') || text.matches("code: '").count() > 1 {
        return None;
    }
    let call = text.split("syscall: '").nth(1).and_then(|rest| rest.split('\'').next());
    match (call, failure.class) {
        (Some("listen") | None, _) => {}
        (Some("bind"), _) if failure.address.is_some_and(|a| a != AddressScope::Every) => {
            failure.transport = Some(Transport::Udp);
        }
        (Some("bind"), _) => {}
        (Some("connect"), Class::InUse | Class::NotLocal) => failure.class = Class::Exhausted,
        _ => return None,
    }
    Some(())
}

/// A refusal alone is also what a refused file says (`EACCES: permission denied, open …`).
fn bind_word(failure: &mut Failure, text: &str, line: &str) -> Option<()> {
    let number = text.contains("100");
    if failure.class == Class::InUse && !number {
        return Some(());
    }
    let line = line.to_ascii_lowercase();
    if line.contains("connect ") && failure.class == Class::NotLocal {
        failure.class = Class::Exhausted;
        return Some(());
    }
    let about = ["listen", "bind", "socket", "port "].iter().any(|word| line.contains(word));
    let file = [", open", ", mkdir", ", unlink", ", rename", ", scandir", "spawn ", ", copyfile"];
    (about && !file.iter().any(|word| line.contains(word))).then_some(())
}

fn number_after(line: &str, mark: &str) -> Option<Port> {
    let rest = line.split(mark).nth(1)?.trim_start();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    port(&rest[..digits])
}

fn port(digits: &str) -> Option<Port> {
    Port::new(digits.parse().ok()?)
}

/// Numbers before words, words before the row's own meaning.
fn class<'a>(row: &Row, get: &impl Fn(&str) -> Option<&'a str>, window: &Window<'_>) -> Class {
    let fixed = [
        Class::Exhausted,
        Class::Elsewhere,
        Class::AlreadyRunning,
        Class::SelfInflicted,
        Class::Allocated,
    ];
    if fixed.contains(&row.class) {
        return row.class;
    }
    let number = ["errno", "winerr"].into_iter().find_map(|name| class_of_number(get(name)?));
    let code = ["code", "kind", "uverr"].into_iter().find_map(|name| class_of_code(get(name)?));
    // The system's sentence may go on where a terminal broke the line.
    let sentence = |words: &str| {
        let whole = || class_of_words(&window.unwrapped()?.joined.text);
        class_of_words(words).or_else(whole)
    };
    let words = ["msg", "reason"].into_iter().find_map(|name| sentence(get(name)?));
    let class = number.or(code).or(words).unwrap_or(row.class);
    match class {
        Class::InUse | Class::Unsaid if row.class == Class::SocketFile => Class::SocketFile,
        class => class,
    }
}

/// The class of an error number of Linux, macOS or Windows.
fn class_of_number(number: &str) -> Option<Class> {
    Some(match number {
        "98" | "48" | "10048" => Class::InUse,
        "13" | "1" | "10013" => Class::Denied,
        "99" | "49" | "10049" => Class::NotLocal,
        _ => return None,
    })
}

fn class_of_code(code: &str) -> Option<Class> {
    let code = code.to_ascii_uppercase();
    Some(if code.contains("ADDRINUSE") {
        Class::InUse
    } else if code.contains("ADDRNOTAVAIL") {
        Class::NotLocal
    } else if code.contains("EACCES") || code == "EPERM" || code == "PERMISSIONDENIED" {
        Class::Denied
    } else {
        return None;
    })
}

/// The class of a system's sentence, in English or in one of the table's languages.
fn class_of_words(words: &str) -> Option<Class> {
    let lower = words.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|text| lower.contains(text));
    if has(&["in use", "bind: no error"]) {
        return Some(Class::InUse);
    }
    if has(&["permission denied", "not permitted", "forbidden by its access"]) {
        return Some(Class::Denied);
    }
    if has(&["assign requested address", "address not available"]) {
        return Some(Class::NotLocal);
    }
    let localised = |row: &&Row| {
        row.source.starts_with("glibc strerror") || row.source.starts_with("Windows WSA")
    };
    let row = ROWS.iter().position(|row| {
        localised(&row) && regex_of(row).is_some_and(|regex| regex.is_match(words))
    })?;
    Some(ROWS[row].class)
}

fn regex_of(row: &Row) -> Option<&'static Regex> {
    regex(ROWS.iter().position(|other| std::ptr::eq(other, row))?)
}

fn transport<'a>(
    row: &Row,
    get: &impl Fn(&str) -> Option<&'a str>,
    window: &Window<'_>,
) -> Option<Transport> {
    match get("proto").map(str::to_ascii_lowercase).as_deref() {
        Some("tcp" | "tls") => Some(Transport::Tcp),
        Some("udp") => Some(Transport::Udp),
        Some(_) => None,
        None if row.source == "OpenVPN" && window.line().contains("MANAGEMENT") => {
            Some(Transport::Tcp)
        }
        None => row.transport,
    }
}

fn address<'a>(row: &Row, get: &impl Fn(&str) -> Option<&'a str>) -> Option<AddressScope> {
    let family = get("fam").unwrap_or_default().to_ascii_lowercase();
    let (v4, v6) = (family == "ipv4" || family == "af_inet", family.ends_with('6'));
    let one = |address: IpAddr| AddressScope::One(address, 0);
    Some(match get("addr") {
        Some("localhost") if v4 => one(Ipv4Addr::LOCALHOST.into()),
        Some("localhost") if v6 => one(Ipv6Addr::LOCALHOST.into()),
        Some("localhost") => AddressScope::Localhost,
        // Go: no host is the dual-stack wildcard.
        Some("") if row.source.starts_with("Go") => one(Ipv6Addr::UNSPECIFIED.into()),
        Some("null" | "*" | "any" | "+" | "") => AddressScope::Every,
        Some(list) if list.contains(',') => {
            let loopback = |item: &str| ip(item.trim()).is_some_and(|ip| ip.is_loopback());
            match list.split(',').all(loopback) {
                true => AddressScope::Localhost,
                false => AddressScope::Every,
            }
        }
        Some(text) => match ip(text) {
            Some(address) => AddressScope::One(address, zone(text)),
            None => AddressScope::Every,
        },
        None if v4 => one(Ipv4Addr::UNSPECIFIED.into()),
        None if v6 => one(Ipv6Addr::UNSPECIFIED.into()),
        None => return None,
    })
}

/// Whether an address is the name of a host: not for every program, but for a bind, unusual.
fn is_name(addr: &str) -> bool {
    let known = ["", "localhost", "null", "*", "any", "+", "127.0.0.1,::1"];
    !known.contains(&addr) && ip(addr).is_none()
}

fn ip(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.split('%').next()?.parse().ok()
}

/// The scope id of a link-local address (RFC 4007 11), where it is a number.
fn zone(text: &str) -> u32 {
    let zone = text.split('%').nth(1).unwrap_or_default();
    zone.trim_end_matches(']').parse().unwrap_or(0)
}

/// The interface of a link-local address, where it is a name.
fn interface(text: &str) -> Option<String> {
    let (address, zone) = text.trim_matches(['[', ']']).split_once('%')?;
    let named = zone.parse::<u32>().is_err() && !zone.is_empty();
    (named && address.parse::<Ipv6Addr>().is_ok()).then(|| zone.to_owned())
}

/// The file that it is about; the path of a URL is none.
fn path<'a>(row: &Row, get: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let file = matches!(row.class, Class::SocketFile | Class::AlreadyRunning | Class::Elsewhere);
    get("path").filter(|_| file).map(bounded)
}

fn origin<'a>(row: &Row, get: &impl Fn(&str) -> Option<&'a str>) -> Option<Origin> {
    let number = ["errno", "winerr", "uverr"].into_iter().find_map(get);
    match number.map(|text| text.split(' ').next().unwrap_or(text).trim_start_matches('-')) {
        Some("98" | "99") => Some(Origin::Linux),
        Some("48" | "49") => Some(Origin::Macos),
        Some("10048" | "10013" | "10049" | "4091" | "4092") => Some(Origin::Windows),
        _ if row.source.starts_with("Windows") || row.source.contains(", Windows") => {
            Some(Origin::Windows)
        }
        _ if row.source.starts_with("glibc strerror") => Some(Origin::Linux),
        _ => None,
    }
}

fn bounded(text: &str) -> String {
    let mut end = text.len().min(Failure::LONGEST_LINE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
