//! Which software usually has a port, by the port's number alone: a guess, and said to be one
//! wherever it is shown. What really holds a port is never told from here.

use std::sync::OnceLock;

use crate::addr::{Port, Transport};
use crate::process::Process;
use crate::snapshot::Source;
use crate::supervisor::file_name;

/// Ports, the software that is usual there, who holds them on each system, and how that is
/// stopped (docs/known-ports.md). Read only when a port is asked for.
const TABLE: &str = include_str!("../data/well-known-ports-dev.csv");

/// The systems of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// macOS.
    Mac,
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

impl System {
    /// The system that sockets of this source are of: a recording may come from another machine.
    pub const fn of(source: Source) -> Self {
        match source {
            Source::SockDiag | Source::ProcNet => Self::Linux,
            Source::PcbList => Self::Mac,
            Source::ExtendedTable => Self::Windows,
        }
    }

    const fn column(self) -> usize {
        match self {
            Self::Mac => 3,
            Self::Linux => 4,
            Self::Windows => 5,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Mac => "mac: ",
            Self::Linux => "linux: ",
            Self::Windows => "win: ",
        }
    }
}

/// What is usual on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The software.
    pub software: String,
    /// Who holds the port on this system, with where it comes from in brackets.
    pub holder: String,
    /// How that is stopped on this system, in words; several ways joined by ` | `.
    pub stop: Option<String>,
}

/// What is usual on this port of that system; `None` where nothing is. Where several rows of the
/// table have the port, the one that says it most exactly counts.
pub fn known(port: Port, transport: Transport, system: System) -> Option<Known> {
    let has = |row: &&Row| (row.first..=row.last).contains(&port.get());
    let of_transport = |row: &&Row| {
        let mut transports = row.transports.split(['+', '/']);
        transports.any(|name| name == transport.name())
    };
    let rows = rows().iter().filter(has).filter(of_transport);
    let line = rows.min_by_key(|row| (row.last - row.first, row.place))?.line;
    let fields = fields(line);
    let field =
        |at: usize| fields.get(at).filter(|text| !matches!(text.as_str(), "" | "-")).cloned();
    Some(Known {
        software: field(2)?,
        holder: field(system.column())?,
        stop: field(6).and_then(|all| stop_on(&all, system)),
    })
}

impl Known {
    /// Whether a process goes by one of the usual holders' names. A runtime (node, python, java)
    /// or a proxy is usual for too much to be a match.
    pub fn is_held_by(&self, process: &Process) -> bool {
        // What a process calls itself counts only where its executable cannot be read.
        let exe = process.exe.as_deref().map(file_name).filter(|file| !file.is_empty());
        let name = exe.unwrap_or(&process.name);
        let named = outside_brackets(&self.holder);
        let mut words = named.split(|c: char| !(c.is_alphanumeric() || "-_.+".contains(c)));
        !name.is_empty()
            && !RUNTIMES.contains(&name)
            && words.any(|word| word.strip_suffix(".exe").unwrap_or(word) == name)
    }
}

/// A text without what it says in brackets, where a holder comes from: no names of processes.
fn outside_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let kept = text.chars().filter(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    });
    kept.collect()
}

/// Names of holders that say nothing of the software, and words of the table that are no names.
const RUNTIMES: &[&str] = &[
    "node",
    "python",
    "python3",
    "java",
    "ruby",
    "php",
    "deno",
    "bun",
    "dotnet",
    "beam.smp",
    "erl",
    "docker-proxy",
    "com.docker.backend",
    "wslrelay",
    "systemd",
    "launchd",
    "svchost",
    "System",
    "app",
    "service",
    "session",
    "server",
    "your",
    "or",
    "in",
    "on",
    "and",
    "the",
    "of",
    "by",
    "old",
    "this",
    "any",
    "host",
    "network",
    "pid",
    "through",
    "run",
    "tool",
];

/// A span of ports of a line of the table.
struct Row {
    first: u16,
    last: u16,
    /// Its place in the line's list of ports.
    place: usize,
    transports: &'static str,
    line: &'static str,
}

/// The table by spans, read once: a call may be about a thousand ports. The narrowest span tells
/// best, then the one that comes first in its list (`80`, `67-68`, `587/465`, `49152+`).
fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| TABLE.lines().skip(1).filter_map(rows_of).flatten().collect())
}

fn rows_of(line: &'static str) -> Option<impl Iterator<Item = Row>> {
    let (ports, rest) = line.split_once(',')?;
    let (transports, _) = rest.split_once(',')?;
    let spans = ports.split('/').enumerate();
    Some(spans.filter_map(move |(place, span)| {
        let (first, last) = span_of(span)?;
        Some(Row { first, last, place, transports, line })
    }))
}

fn span_of(span: &str) -> Option<(u16, u16)> {
    let (first, last) = match (span.strip_suffix('+'), span.split_once('-')) {
        (Some(first), _) => (first.parse().ok()?, u16::MAX),
        (None, Some((first, last))) => (first.parse().ok()?, last.parse().ok()?),
        (None, None) => {
            let port = span.parse().ok()?;
            (port, port)
        }
    };
    (0 < first && first <= last).then_some((first, last))
}

/// The ways of one system: those with its label, and those without any.
fn stop_on(all: &str, system: System) -> Option<String> {
    let labels = [System::Mac, System::Linux, System::Windows].map(System::label);
    let ways: Vec<&str> = all
        .split(" | ")
        .filter_map(|way| {
            match labels.iter().find_map(|label| Some((label, way.strip_prefix(label)?))) {
                Some((label, way)) => (*label == system.label()).then_some(way),
                None => Some(way),
            }
        })
        .collect();
    (!ways.is_empty()).then(|| ways.join(" | "))
}

/// The fields of one line of RFC 4180: in quotes where a comma is in them, quotes doubled.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(field) = fields.last_mut() else { break };
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16, transport: Transport, system: System) -> Option<Known> {
        known(Port::new(port).unwrap(), transport, system)
    }

    #[test]
    fn every_row_can_be_read() {
        let mut lines = TABLE.lines();
        let heading = "port,proto,usual_dev_software,usual_holder_macos,usual_holder_linux,usual_holder_windows,safe_stop_command";
        assert_eq!(lines.next(), Some(heading));
        let mut seen = Vec::new();
        for line in lines {
            let fields = fields(line);
            assert_eq!(fields.len(), 7, "{line}");
            assert!(
                fields.iter().all(|f| !f.is_empty() && f.trim() == f && f.is_ascii()),
                "{line}"
            );
            for span in fields[0].split('/') {
                assert!(span_of(span).is_some(), "{span} in {line}");
            }
            for transport in fields[1].split(['+', '/']) {
                assert!(["tcp", "udp"].contains(&transport), "{line}");
            }
            assert!(!seen.contains(&(fields[0].clone(), fields[1].clone())), "twice: {line}");
            seen.push((fields[0].clone(), fields[1].clone()));
            for way in fields[6].split(" | ") {
                assert!(!way.is_empty() && !way.contains(" | "), "{line}");
                // What is of one system says so, and refers to no other row.
                for (start, label) in [
                    ("brew ", "mac"),
                    ("sudo ", "linux"),
                    ("systemctl ", "linux"),
                    ("Stop-Service ", "win"),
                    ("as for ", "?"),
                ] {
                    assert!(!way.starts_with(start), "{way} needs {label}: in {line}");
                }
                for label in ["linux: ", "mac: ", "win: "] {
                    assert!(!way.contains(label) || way.starts_with(label), "{way}");
                }
            }
        }
        assert!(seen.len() > 170, "{}", seen.len());
    }

    #[test]
    fn the_most_exact_row_of_the_transport_counts() {
        use Transport::{Tcp, Udp};
        let software =
            |port, transport| at(port, transport, System::Linux).map(|known| known.software);
        let starts = |port, transport, start: &str| {
            software(port, transport).is_some_and(|software| software.starts_with(start))
        };
        assert!(starts(5432, Tcp, "PostgreSQL"));
        assert!(starts(6379, Tcp, "Redis"), "not Ray, whose second port it is");
        assert!(starts(50051, Tcp, "gRPC examples"), "not the range around it");
        assert!(starts(50050, Tcp, "Jenkins agents"));
        assert!(starts(32400, Tcp, "Plex"), "not a NodePort");
        assert!(starts(4500, Udp, "IPsec") && starts(4500, Tcp, "Firebase"));
        assert!(starts(5001, Tcp, ".NET"));
        assert_eq!(software(5432, Udp), None);
        assert_eq!(software(3456, Tcp), None);
        assert_eq!((software(1, Tcp), software(65535, Tcp)), (None, None));
    }

    #[test]
    fn each_system_has_its_own_holder_and_way() {
        use Transport::Tcp;
        let airplay = at(5000, Tcp, System::Mac).unwrap();
        assert!(airplay.holder.starts_with("ControlCenter (AirPlay Receiver"));
        assert!(airplay.stop.unwrap().starts_with("System Settings"));
        let linux = at(5000, Tcp, System::Linux).unwrap();
        assert!(
            !linux.holder.contains("ControlCenter")
                && !linux.stop.unwrap().contains("System Settings")
        );
        let postgres = at(5432, Tcp, System::Linux).unwrap();
        assert_eq!(
            postgres.stop.unwrap(),
            "sudo systemctl stop postgresql | never kill -9 postgres"
        );
        // A port of Windows and of macOS alone.
        assert_eq!(at(5357, Tcp, System::Linux), None);
        assert_eq!(at(3283, Tcp, System::Linux), None);
        assert!(at(5357, Tcp, System::Windows).is_some() && at(3283, Tcp, System::Mac).is_some());
        let mongo = at(27017, Tcp, System::Windows).unwrap().stop.unwrap();
        assert!(
            mongo.contains(r#"getSiblingDB("admin")"#) && mongo.contains("Stop-Service"),
            "{mongo}"
        );
        assert!(!mongo.contains("brew") && !mongo.contains("systemctl"), "{mongo}");
    }

    #[test]
    fn a_holder_is_matched_by_its_executable() {
        let named = |name: &str, exe: Option<&str>| Process {
            ppid: 1,
            name: name.to_owned(),
            exe: exe.map(str::to_owned),
            state: crate::process::ProcessState::Sleeping,
            ..Process::unread(crate::process::ProcessId { pid: 50, start: 1 })
        };
        for (port, name, exe, held) in [
            (3128, "squid", Some("/usr/sbin/squid"), true),
            (3128, "squid", None, true),
            (3128, "squid", Some("/usr/bin/node"), false),
            (3306, "mariadbd", Some("/usr/sbin/mariadbd"), true),
            (80, "apache2", Some("/usr/sbin/apache2"), true),
            (80, "x", Some("/usr/bin/started"), false),
            (3000, "node", Some("/usr/bin/node"), false),
            (5432, "docker-proxy", Some("/usr/bin/docker-proxy"), false),
            (5432, "", None, false),
        ] {
            let known = at(port, Transport::Tcp, System::Linux).unwrap();
            assert_eq!(known.is_held_by(&named(name, exe)), held, "{port} {name} {exe:?}");
        }
    }

    #[test]
    fn every_port_can_be_asked_for() {
        for port in 1..=u16::MAX {
            if port % 97 == 0 || [0, 1, 1023, 49152, 65535].contains(&port) {
                for system in [System::Mac, System::Linux, System::Windows] {
                    if let Some(known) = at(port, Transport::Tcp, system) {
                        assert!(!known.holder.is_empty() && !known.software.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn lines_are_read_as_rfc_4180_says() {
        assert_eq!(fields(r#"1,"a, b","c ""d""",,e"#), ["1", "a, b", r#"c "d""#, "", "e"]);
        assert_eq!(fields(""), [""]);
        assert_eq!(fields(r#""open"#), ["open"]);
    }
}
