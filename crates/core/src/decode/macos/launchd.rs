//! Jobs of launchd: what their files say (launchd.plist(5)), and what `launchctl list` prints. Its
//! text is no interface, as launchctl(1) says, so only the columns are read that it has had since
//! 10.10, and what does not look like them is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::plist::{self, Value};
use crate::unit::UnitFacts;

/// A job as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name, which nothing else in its domain has.
    pub label: String,
    /// What it runs.
    pub program: Option<String>,
    /// When launchd starts it again.
    pub keeps_alive: KeepAlive,
    /// Whether it is started as soon as it is loaded.
    pub runs_at_load: bool,
    /// Whether it starts once for each connection (`inetdCompatibility`).
    pub each_connection: bool,
    /// The sockets that launchd opens for it.
    pub sockets: Vec<JobSocket>,
}

/// When a job is started again after it has ended (`KeepAlive`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// Never, or when somebody needs it.
    No,
    /// Always.
    Always,
    /// On a condition, such as that it failed.
    OnCondition,
}

/// A socket of a job (`Sockets`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSocket {
    /// The host or address (`SockNodeName`); every one where there is none.
    pub node: Option<String>,
    /// The port, as a number or as a name of `/etc/services` (`SockServiceName`).
    pub service: Option<String>,
    /// Whether it is of datagrams (`SockType`, `SockProtocol`).
    pub datagrams: bool,
    /// IPv4 or IPv6 alone (`SockFamily`); both where it is not said.
    pub family: Option<Family>,
    /// The path of a unix socket (`SockPathName`).
    pub path: Option<String>,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6, and IPv4 with it where `SockFamily` is `IPv4v6`, which is `None` here.
    V6,
}

/// The most sockets that are read of one job.
const MOST_SOCKETS: usize = 64;

/// The job that a file describes; `None` where it is none, or has a label that no command should be
/// given.
pub fn job(bytes: &[u8]) -> Option<Job> {
    let file = plist::parse(bytes)?;
    let label = file.get("Label")?.text().filter(|label| is_label(label))?.to_owned();
    let program = file.get("Program").and_then(Value::text).or_else(|| {
        match file.get("ProgramArguments")? {
            Value::Array(words) => words.first()?.text(),
            _ => None,
        }
    });
    let keeps_alive = match file.get("KeepAlive").or_else(|| file.get("OnDemand")) {
        Some(Value::Bool(always)) => {
            // OnDemand, its older name, says the opposite.
            match *always == file.get("KeepAlive").is_some() {
                true => KeepAlive::Always,
                false => KeepAlive::No,
            }
        }
        Some(Value::Dict(conditions)) if !conditions.is_empty() => KeepAlive::OnCondition,
        _ => KeepAlive::No,
    };
    let mut sockets = Vec::new();
    if let Some(Value::Dict(all)) = file.get("Sockets") {
        for (_, said) in all {
            match said {
                Value::Array(items) => sockets.extend(items.iter().filter_map(job_socket)),
                one => sockets.extend(job_socket(one)),
            }
        }
    }
    sockets.truncate(MOST_SOCKETS);
    Some(Job {
        label,
        program: program.map(str::to_owned),
        keeps_alive,
        runs_at_load: file.get("RunAtLoad") == Some(&Value::Bool(true)),
        each_connection: file.get("inetdCompatibility").is_some(),
        sockets,
    })
}

fn job_socket(said: &Value) -> Option<JobSocket> {
    let text = |name: &str| said.get(name).and_then(Value::text).map(str::to_owned);
    if !matches!(said, Value::Dict(_)) || said.get("SockPassive") == Some(&Value::Bool(false)) {
        return None;
    }
    let service = match said.get("SockServiceName") {
        Some(Value::Integer(port)) => Some(port.to_string()),
        Some(Value::Text(name)) => Some(name.clone()),
        _ => None,
    };
    let datagrams = text("SockType").is_some_and(|kind| kind.eq_ignore_ascii_case("dgram"))
        || text("SockProtocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("udp"));
    let family = match text("SockFamily").as_deref() {
        Some("IPv4") => Some(Family::V4),
        Some("IPv6") => Some(Family::V6),
        _ => None,
    };
    let path = text("SockPathName");
    let node = text("SockNodeName").filter(|node| !node.is_empty());
    (service.is_some() || path.is_some()).then_some(JobSocket {
        node,
        service,
        datagrams,
        family,
        path,
    })
}

/// Whether launchd would take this for a label, and no command for an option or a path of its own.
pub fn is_label(label: &str) -> bool {
    const LONGEST: usize = 255;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@+:".contains(c);
    !label.is_empty()
        && label.len() <= LONGEST
        && !label.starts_with(['-', '.'])
        && label.chars().all(plain)
}

impl JobSocket {
    /// What it is bound to, in the form that a unit's addresses have: `0.0.0.0:80 (Stream)`. A
    /// socket without a node and a family is one for each family (getaddrinfo(3) with AI_PASSIVE).
    pub fn listens(&self, port_of: impl Fn(&str) -> Option<u16>) -> Vec<String> {
        if let Some(path) = &self.path {
            return vec![format!("{path} (Stream)")];
        }
        let name = self.service.as_deref();
        let port = name.and_then(|name| name.parse().ok().or_else(|| port_of(name)));
        let Some(port) = port.filter(|&port: &u16| port != 0) else { return Vec::new() };
        const V4: [IpAddr; 2] =
            [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::LOCALHOST)];
        const V6: [IpAddr; 2] =
            [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let addresses = match self.node.as_deref() {
            None | Some("*") => vec![V4[0], V6[0]],
            Some("localhost") => vec![V4[1], V6[1]],
            Some(node) => node.parse().into_iter().collect(),
        };
        let wanted = |address: &IpAddr| match self.family {
            None => true,
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
        };
        let kind = if self.datagrams { "Datagram" } else { "Stream" };
        addresses
            .into_iter()
            .filter(wanted)
            .map(|address| format!("{} ({kind})", SocketAddr::new(address, port)))
            .collect()
    }
}

impl Job {
    /// The job as a unit of the machine: `user` is whose agent it is, `None` for a daemon of the
    /// system's; `pid` is its process, where it runs.
    pub fn unit(
        &self,
        user: Option<u32>,
        pid: Option<u32>,
        port_of: impl Fn(&str) -> Option<u16>,
    ) -> UnitFacts {
        let listens: Vec<String> =
            self.sockets.iter().flat_map(|socket| socket.listens(&port_of)).collect();
        let restart = match self.keeps_alive {
            KeepAlive::Always => "always",
            KeepAlive::OnCondition => "on a condition (KeepAlive)",
            KeepAlive::No => "no",
        };
        UnitFacts {
            id: self.label.clone(),
            user,
            active: pid.map(|_| "active".to_owned()),
            // What is loaded at boot or login is so by where its file is.
            enabled: (self.runs_at_load || self.keeps_alive != KeepAlive::No)
                .then(|| "enabled".to_owned()),
            restart: Some(restart.to_owned()),
            main_pid: pid,
            triggers: match listens.is_empty() {
                true => Vec::new(),
                false => vec![self.label.clone()],
            },
            listens,
            accepts: self.each_connection,
            ..UnitFacts::default()
        }
    }
}

/// The jobs of `launchctl list` with the processes that they run: lines of PID, status and label,
/// below a line of their names.
pub fn list(text: &[u8]) -> Vec<(Option<u32>, String)> {
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        let mut columns = line.split('\t').map(str::trim);
        let (pid, status, label) = (columns.next()?, columns.next()?, columns.next()?);
        let pid = match pid {
            "-" => None,
            number => Some(number.parse::<u32>().ok().filter(|&pid| pid != 0)?),
        };
        let is_status = status == "-" || status.parse::<i32>().is_ok();
        (is_status && is_label(label)).then(|| (pid, label.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The label of a job that launchd itself gave its process (`XPC_SERVICE_NAME`). `0` and names of
/// applications (`application.com.example.…`) are none.
pub fn label_of(name: &[u8]) -> Option<String> {
    let label = std::str::from_utf8(name).ok()?;
    let job = label != "0" && !label.starts_with("application.") && is_label(label);
    job.then(|| label.to_owned())
}

/// The formula of a Homebrew service, by its label.
pub fn formula(label: &str) -> Option<&str> {
    ["homebrew.mxcl.", "sh.brew."]
        .iter()
        .find_map(|start| label.strip_prefix(start))
        .filter(|formula| !formula.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(inside: &str) -> Option<Job> {
        job(format!("<plist version=\"1.0\"><dict>{inside}</dict></plist>").as_bytes())
    }

    const LABEL: &str = "<key>Label</key><string>org.example.web</string>";

    fn with(inside: &str) -> Job {
        parsed(&format!("{LABEL}{inside}")).unwrap()
    }

    fn none(_: &str) -> Option<u16> {
        None
    }

    #[test]
    fn a_job_says_when_it_comes_back() {
        for (said, want) in [
            ("", KeepAlive::No),
            ("<key>KeepAlive</key><true/>", KeepAlive::Always),
            ("<key>KeepAlive</key><false/>", KeepAlive::No),
            ("<key>KeepAlive</key><dict/>", KeepAlive::No),
            (
                "<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>",
                KeepAlive::OnCondition,
            ),
            ("<key>OnDemand</key><false/>", KeepAlive::Always),
            ("<key>OnDemand</key><true/>", KeepAlive::No),
        ] {
            assert_eq!(with(said).keeps_alive, want, "{said}");
        }
        let job = with(
            "<key>ProgramArguments</key><array><string>/bin/web</string></array><key>RunAtLoad</key><true/>",
        );
        assert_eq!(job.program.as_deref(), Some("/bin/web"));
        let unit = job.unit(Some(501), Some(4242), none);
        assert_eq!((unit.id.as_str(), unit.user), ("org.example.web", Some(501)));
        assert_eq!((unit.main_pid, unit.restart.as_deref()), (Some(4242), Some("no")));
        assert!(unit.is_enabled() && unit.listens.is_empty() && unit.triggers.is_empty());
    }

    #[test]
    fn sockets_in_every_form() {
        let listens = |said: &str| {
            let job = with(&format!("<key>Sockets</key><dict>{said}</dict>"));
            job.unit(None, None, |name| (name == "http").then_some(80)).listens
        };
        let key = |name: &str, value: &str| format!("<key>{name}</key><string>{value}</string>");
        let one = |inside: &str| format!("<key>L</key><dict>{inside}</dict>");
        assert_eq!(
            listens(&one(&key("SockServiceName", "8080"))),
            ["0.0.0.0:8080 (Stream)", "[::]:8080 (Stream)"]
        );
        let number = "<key>SockServiceName</key><integer>22</integer>";
        let v4 = key("SockFamily", "IPv4");
        assert_eq!(listens(&one(&format!("{number}{v4}"))), ["0.0.0.0:22 (Stream)"]);
        let local = key("SockServiceName", "http") + &key("SockNodeName", "localhost");
        assert_eq!(listens(&one(&local)), ["127.0.0.1:80 (Stream)", "[::1]:80 (Stream)"]);
        let udp = key("SockServiceName", "53") + &key("SockNodeName", "::1");
        let udp = udp + &key("SockType", "dgram");
        assert_eq!(listens(&one(&udp)), ["[::1]:53 (Datagram)"]);
        let array = format!(
            "<key>L</key><array><dict>{}</dict><dict>{}</dict></array>",
            key("SockPathName", "/var/run/web.sock"),
            key("SockServiceName", "no-such-service"),
        );
        assert_eq!(listens(&array), ["/var/run/web.sock (Stream)"]);
        let active = key("SockServiceName", "80") + "<key>SockPassive</key><false/>";
        assert!(listens(&one(&active)).is_empty(), "it connects");
        assert!(listens("<key>L</key><string>x</string>").is_empty());
    }

    #[test]
    fn a_label_is_no_option() {
        assert!(parsed("<key>Label</key><string>-k</string>").is_none());
        assert!(parsed("<key>Label</key><string>a b</string>").is_none());
        assert!(parsed("<key>Label</key><true/>").is_none());
        assert!(parsed("").is_none());
        assert!(is_label("homebrew.mxcl.postgresql@16"));
        assert!(!is_label("a/b") && !is_label("") && !is_label("../x"));
        assert_eq!(formula("homebrew.mxcl.postgresql@16"), Some("postgresql@16"));
        assert_eq!(formula("homebrew.mxcl."), None);
        assert_eq!(formula("com.apple.AirPlayXPCHelper"), None);
        assert_eq!(label_of(b"org.example.web").as_deref(), Some("org.example.web"));
        assert_eq!(label_of(b"0"), None);
        assert_eq!(label_of(b"application.com.apple.Terminal.1.2"), None);
        assert_eq!(label_of(b"\xff"), None);
    }

    #[test]
    fn the_list_is_read_tolerantly() {
        let text = "PID\tStatus\tLabel\n-\t0\tcom.apple.SafariHistoryServiceAgent\n\
            4242\t-15\thomebrew.mxcl.redis\n812\t0\tapplication.com.apple.Terminal.1152921500311879701\n\
            what is this\n0\t0\tnobody\n77\tx\tnone\n";
        let found = list(text.as_bytes());
        let labels: Vec<(Option<u32>, &str)> =
            found.iter().map(|(pid, label)| (*pid, label.as_str())).collect();
        assert_eq!(
            labels,
            [
                (None, "com.apple.SafariHistoryServiceAgent"),
                (Some(4242), "homebrew.mxcl.redis"),
                (Some(812), "application.com.apple.Terminal.1152921500311879701"),
            ]
        );
        assert!(list(&[0xff, 0, b'\t', b'\n']).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text: String) {
            let _ = (job(&bytes), list(&bytes), label_of(&bytes), list(text.as_bytes()));
            let _ = parsed(&text);
        }
    }
}
