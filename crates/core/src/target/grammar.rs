//! The forms of a target, tried from the most to the least particular. No form is tried twice
//! and none calls itself on its own rest, so a word is read in linear time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::{AddressScope, Endpoint, Port, Transport};
use crate::names::Names;
use crate::service;
use crate::target::problem::{Fault, Problem};
use crate::target::{PortRange, Target, UnixName, url};

/// What a word without surrounding space means.
pub(super) fn read(word: &str, names: &dyn Names) -> Result<Target, Fault> {
    if word.is_empty() {
        return Err(Problem::Empty.with(":3000"));
    }
    if let Some(url) = url::split(word) {
        return url::read(&url, names);
    }
    if is_path(word) {
        return Ok(Target::Path(word.to_owned()));
    }
    if let Some(name) = word.strip_prefix('@') {
        return abstract_socket(name);
    }
    if let Some((kind, rest)) = word.split_once(':')
        && let Some(read) = read_kind(kind, rest, names)
    {
        return read;
    }
    if word.contains('/') {
        return read_with_slash(word, names);
    }
    if word.contains(':') || word.starts_with('[') {
        return read_address(None, word, names);
    }
    read_plain(word)
}

/// What stands before the port number in a canonical spelling, colon included.
pub(super) fn before_port(transport: Option<Transport>, address: AddressScope) -> String {
    let spelt = match address {
        AddressScope::Every if transport.is_some() => String::new(),
        AddressScope::Every => ":".to_owned(),
        AddressScope::Localhost => "localhost:".to_owned(),
        AddressScope::One(IpAddr::V6(v6), 0) => format!("[{v6}]:"),
        AddressScope::One(IpAddr::V6(v6), scope) => format!("[{v6}%{scope}]:"),
        AddressScope::One(IpAddr::V4(v4), _) => format!("{v4}:"),
    };
    transport.map_or_else(|| spelt.clone(), |transport| format!("{transport}:{spelt}"))
}

/// The addresses a host means.
pub(super) fn host(host: &str, meant: Option<String>) -> Result<AddressScope, Fault> {
    if host.is_empty() || host == "*" {
        return Ok(AddressScope::Every);
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(AddressScope::Localhost);
    }
    if let Ok(v4) = host.parse::<Ipv4Addr>() {
        return Ok(AddressScope::One(IpAddr::V4(v4), 0));
    }
    let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    let problem =
        if numeric { Problem::BadAddress } else { Problem::OtherHost { host: host.to_owned() } };
    Err(problem.perhaps(meant))
}

/// The address between brackets, with its zone: an interface's number or name (RFC 4007 11).
pub(super) fn bracketed(inside: &str, names: &dyn Names) -> Result<AddressScope, Fault> {
    let (address, zone) = match inside.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (inside, None),
    };
    let Ok(v6) = address.parse::<Ipv6Addr>() else { return Err(Problem::BadAddress.into()) };
    let scope = match zone {
        None => 0,
        Some(zone) => scope_id(zone, names)
            .ok_or_else(|| Problem::UnknownInterface { name: zone.to_owned() })?,
    };
    Ok(AddressScope::One(IpAddr::V6(v6), scope))
}

/// The port of a number without sign; leading zeros are passed over.
pub(super) fn number(digits: &str) -> Result<Port, Problem> {
    let number: u16 = digits.parse().map_err(|_| Problem::PortTooLarge)?;
    Port::new(number).ok_or(Problem::PortZero)
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it can only be a path: absolute, or said to be relative, on Unix or Windows.
fn is_path(word: &str) -> bool {
    let drive =
        matches!(word.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    let starts = ["/", "./", "../", r"\\", r".\", r"..\"];
    drive || word == "." || word == ".." || starts.iter().any(|start| word.starts_with(start))
}

fn abstract_socket(name: &str) -> Result<Target, Fault> {
    if name.is_empty() {
        return Err(Problem::NameMissing.with("@NAME"));
    }
    Ok(Target::Unix(UnixName::Abstract(name.to_owned())))
}

/// What `kind:rest` means, or `None` where `kind` is no kind and may be a host.
fn read_kind(kind: &str, rest: &str, names: &dyn Names) -> Option<Result<Target, Fault>> {
    let kind_typed = kind;
    let kind = kind.to_ascii_lowercase();
    Some(match kind.as_str() {
        "tcp" => read_transport(Transport::Tcp, rest, names),
        "udp" => read_transport(Transport::Udp, rest, names),
        "pid" => read_pid(rest),
        "unix" => unix_socket(rest),
        "container" => named(rest, "container:NAME").map(Target::Container),
        "unit" => named(rest, "unit:NAME").map(|name| Target::Unit(with_unit_suffix(&name))),
        _ => {
            let right = right_kind(&kind)?;
            let meant = meant_kind(right, rest, names);
            Err(Problem::UnknownKind { kind: format!("{kind_typed}:") }.perhaps(meant))
        }
    })
}

/// What people write for a kind, and what they mean by it.
fn right_kind(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "port" | "ports" => ":",
        "tcp4" | "tcp6" => "tcp:",
        "udp4" | "udp6" => "udp:",
        "process" | "proc" => "pid:",
        "docker" | "podman" => "container:",
        "service" | "systemd" => "unit:",
        "socket" | "sock" => "unix:",
        "name" | "file" | "path" | "exe" => "",
        _ => return None,
    })
}

/// The word with its right kind, if that makes it a target.
fn meant_kind(right: &str, rest: &str, names: &dyn Names) -> Option<String> {
    // A rest with a colon could be another wrong kind, and that one's another: not followed.
    if right.is_empty() && rest.contains(':') {
        return None;
    }
    let meant = format!("{right}{}", rest.trim());
    read(&meant, names).is_ok().then_some(meant)
}

fn read_transport(transport: Transport, rest: &str, names: &dyn Names) -> Result<Target, Fault> {
    let place = Place { transport: Some(transport), address: AddressScope::Every };
    if let Some(text) = rest.strip_prefix(':').filter(|text| !text.contains(':')) {
        return place.ports(text, names);
    }
    if rest.contains(':') || rest.starts_with('[') || address_alone(rest).is_some() {
        return read_address(Some(transport), rest, names);
    }
    place.ports(rest, names)
}

fn read_pid(digits: &str) -> Result<Target, Fault> {
    pid(digits).map(Target::Pid).ok_or_else(|| {
        let pattern = digits.is_empty().then(|| "pid:PID".to_owned());
        let number = misread(digits).map(|digits| format!("pid:{digits}"));
        let is_name = digits.starts_with(|c: char| c.is_alphabetic());
        let name = is_name.then(|| digits.to_owned()).filter(|name| !name.contains(':'));
        Problem::BadPid.perhaps(pattern.or(number).or(name))
    })
}

fn pid(digits: &str) -> Option<u32> {
    if !is_digits(digits) {
        return None;
    }
    digits.parse().ok().filter(|pid| *pid != 0)
}

pub(super) fn unix_socket(name: &str) -> Result<Target, Fault> {
    if let Some(name) = name.strip_prefix('@') {
        return abstract_socket(name);
    }
    named(name, "unix:PATH").map(|path| Target::Unix(UnixName::Path(path)))
}

fn named(name: &str, pattern: &str) -> Result<String, Fault> {
    if name.is_empty() {
        return Err(Problem::NameMissing.with(pattern));
    }
    Ok(name.to_owned())
}

/// A unit without a suffix is a service, as systemctl(1) has it.
fn with_unit_suffix(name: &str) -> String {
    const SUFFIXES: [&str; 11] = [
        "service",
        "socket",
        "scope",
        "slice",
        "target",
        "mount",
        "automount",
        "timer",
        "swap",
        "path",
        "device",
    ];
    let suffixed = name.rsplit_once('.').is_some_and(|(_, suffix)| SUFFIXES.contains(&suffix));
    if suffixed { name.to_owned() } else { format!("{name}.service") }
}

/// `3000/tcp`, `tcp/3000`, `localhost:3000/tcp`; a relative path; or a URL that lost its scheme.
fn read_with_slash(word: &str, names: &dyn Names) -> Result<Target, Fault> {
    let Some((before, after)) = word.split_once('/') else { return read_plain(word) };
    if let Some((published, _)) = before.split_once("->") {
        // A row of `docker ps`.
        let target = read_address(transport(after), published, names)?;
        return Err(Problem::AfterPort.with(target.to_string()));
    }
    if let Some(transport) = transport(after) {
        if before.contains(':') || before.starts_with('[') {
            return read_address(Some(transport), before, names);
        }
        if looks_numeric(before) {
            return Place { transport: Some(transport), address: AddressScope::Every }
                .ports(before, names);
        }
    }
    if let Some(transport) = transport(before).filter(|_| looks_numeric(after)) {
        return Place { transport: Some(transport), address: AddressScope::Every }
            .ports(after, names);
    }
    if before.contains(':') || before.starts_with('[') {
        return Err(match read_address(None, before, names) {
            Ok(target) => Problem::AfterPort.with(target.to_string()),
            Err(_) => Problem::PathOrPort.with(format!("./{word}")),
        });
    }
    if address_alone(before).is_some() {
        return read_address(None, before, names);
    }
    Ok(Target::Path(word.to_owned()))
}

fn transport(word: &str) -> Option<Transport> {
    Transport::ALL.into_iter().find(|transport| transport.name().eq_ignore_ascii_case(word))
}

fn looks_numeric(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// `ADDRESS:PORT`, where the address may be left out.
fn read_address(
    transport: Option<Transport>,
    text: &str,
    names: &dyn Names,
) -> Result<Target, Fault> {
    if let Some(pattern) = address_alone(text) {
        return Err(Problem::PortMissing.with(in_transport(transport, &pattern)));
    }
    if let Some(inner) = text.strip_prefix('[') {
        let Some((inside, after)) = inner.split_once(']') else {
            return Err(Problem::BadAddress.into());
        };
        let place = Place { transport, address: bracketed(inside, names)? };
        return match after.strip_prefix(':') {
            Some(ports) => place.ports(ports, names),
            None if after.is_empty() => Err(place.missing()),
            None => Err(Problem::BadPort.with(place.spell("PORT"))),
        };
    }
    let (before, ports) = text.rsplit_once(':').unwrap_or(("", text));
    if let Some(v6) = node_address(before) {
        let address = AddressScope::One(IpAddr::V6(v6), 0);
        return Place { transport, address }.ports(ports, names);
    }
    if bracketless(before) {
        let meant = in_transport(transport, &format!("[{before}]:{}", port_or_pattern(ports)));
        return Err(Problem::AmbiguousIpv6.with(meant));
    }
    // `3000:` has its colon on the wrong side.
    let ports_typed = if ports.is_empty() && is_digits(before) { before } else { ports };
    let meant = looks_like_ports(ports_typed)
        .then(|| Place { transport, address: AddressScope::Every }.spell(ports_typed));
    Place { transport, address: host(before, meant)? }.ports(ports, names)
}

/// Node and netstat print `[::]:3000` and `[::1]:3000` without the brackets.
fn node_address(before: &str) -> Option<Ipv6Addr> {
    match before {
        "::" => Some(Ipv6Addr::UNSPECIFIED),
        "::1" => Some(Ipv6Addr::LOCALHOST),
        _ => None,
    }
}

fn bracketless(before: &str) -> bool {
    let address = before.split_once('%').map_or(before, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// How an address that stands there without a port would be written with one; `None` where the
/// text is no address alone.
fn address_alone(text: &str) -> Option<String> {
    if text.eq_ignore_ascii_case("localhost") || text.parse::<Ipv4Addr>().is_ok() {
        return Some(format!("{text}:PORT"));
    }
    text.parse::<Ipv6Addr>().ok()?;
    let (before, ports) = text.rsplit_once(':')?;
    match before {
        // `::1:3000` is an address too, and yet what Node means by it is a port.
        "::" | "::1" if looks_like_ports(ports) => None,
        _ if bracketless(before) => None,
        ":" if ports != "1" && looks_like_ports(ports) => Some(format!(":{ports}")),
        _ => Some(format!("[{text}]:PORT")),
    }
}

fn in_transport(transport: Option<Transport>, spelt: &str) -> String {
    let Some(transport) = transport else { return spelt.to_owned() };
    let every = spelt.strip_prefix(':').filter(|port| !port.contains(':'));
    format!("{transport}:{}", every.unwrap_or(spelt))
}

/// Whether a suggestion may repeat it as a port.
fn looks_like_ports(text: &str) -> bool {
    match text.split_once('-') {
        None => is_digits(text) && number(text).is_ok(),
        Some((first, last)) => {
            let port = |text: &str| is_digits(text).then(|| number(text).ok()).flatten();
            matches!((port(first), port(last)), (Some(first), Some(last)) if first <= last)
        }
    }
}

fn port_or_pattern(ports: &str) -> &str {
    if looks_like_ports(ports) { ports } else { "PORT" }
}

/// Where ports are: what stood before them.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) transport: Option<Transport>,
    pub(super) address: AddressScope,
}

impl Place {
    /// A port, a range or a service name at this place.
    fn ports(self, text: &str, names: &dyn Names) -> Result<Target, Fault> {
        if text.is_empty() {
            return Err(self.missing());
        }
        if text.contains(char::is_whitespace) {
            return Err(Problem::Spaces.into());
        }
        if is_digits(text) {
            return Ok(self.port(number(text)?));
        }
        if let Some((first, last)) = text.split_once('-')
            && is_digits(first)
            && is_digits(last)
        {
            return self.range(number(first)?, number(last)?);
        }
        if is_service_name(text) {
            return self.service(text, names);
        }
        Err(Problem::BadPort.perhaps(meant_ports(text).map(|meant| self.spell(&meant))))
    }

    /// One port here.
    pub(super) const fn port(self, port: Port) -> Target {
        Target::Port(Endpoint { transport: self.transport, address: self.address, port })
    }

    pub(super) fn missing(self) -> Fault {
        Problem::PortMissing.with(self.spell("PORT"))
    }

    fn range(self, first: Port, last: Port) -> Result<Target, Fault> {
        PortRange::new(self.transport, self.address, first, last)
            .map(Target::Range)
            .ok_or_else(|| Problem::ReversedRange.with(self.spell(&format!("{last}-{first}"))))
    }

    fn service(self, name: &str, names: &dyn Names) -> Result<Target, Fault> {
        let Some(service) = service::built_in(name).or_else(|| names.service(name)) else {
            let near = || service::nearest(name).map(str::to_owned);
            let meant = misread(name).or_else(near).map(|meant| self.spell(&meant));
            return Err(Problem::UnknownService { name: name.to_owned() }.perhaps(meant));
        };
        let port = match self.transport {
            Some(transport) => service.on(transport),
            None => service.single(),
        };
        match (port, service.tcp, service.udp) {
            (Some(port), ..) => Ok(self.port(port)),
            (None, Some(tcp), Some(udp)) => {
                Err(Problem::ServiceDiffers { name: name.to_owned(), tcp, udp }.into())
            }
            (None, ..) => Err(Problem::UnknownService { name: name.to_owned() }.into()),
        }
    }

    /// A target here, spelt canonically, with this for its port.
    pub(super) fn spell(self, ports: &str) -> String {
        format!("{}{ports}", before_port(self.transport, self.address))
    }
}

/// The characters of RFC 6335 5.1 and those that services(5) has besides, with a letter in it.
fn is_service_name(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+*".contains(&byte))
}

/// Digits with letters that look like some in between: `300O`, `l23`.
fn misread(word: &str) -> Option<String> {
    let digits: String = word
        .chars()
        .map(|c| match c {
            'o' | 'O' => '0',
            'l' | 'I' => '1',
            other => other,
        })
        .collect();
    let is_port = is_digits(&digits) && digits.parse::<u16>().is_ok_and(|port| port != 0);
    (is_port && digits != word && word.contains(|c: char| c.is_ascii_digit())).then_some(digits)
}

/// What a slip in a port or range was meant to be.
fn meant_ports(text: &str) -> Option<String> {
    meant_range(text).or_else(|| {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &text[..text.len() - rest.len()];
        (is_digits(digits) && number(digits).is_ok()).then(|| digits.to_owned())
    })
}

/// The range meant by an open end (`3000-`), another dash (`3000–3010`) or dots (`3000..3010`).
fn meant_range(text: &str) -> Option<String> {
    let is_digit = |c: char| c.is_ascii_digit();
    let after = text.trim_start_matches(is_digit);
    let first = &text[..text.len() - after.len()];
    let between = after.trim_end_matches(is_digit);
    let last = &after[between.len()..];
    if !["-", "--", "..", "..=", "...", "–", "—", "−", "‐", "‑", "~"].contains(&between)
        || (first.is_empty() && last.is_empty())
    {
        return None;
    }
    let end = |digits: &str, open: u16| {
        if digits.is_empty() { Port::new(open) } else { number(digits).ok() }
    };
    let (first, last) = (end(first, 1)?, end(last, u16::MAX)?);
    Some(format!("{}-{}", first.min(last), first.max(last)))
}

/// A word without a colon or slash: a number, a name, or a slip.
fn read_plain(word: &str) -> Result<Target, Fault> {
    if is_digits(word) {
        return pid(word).map(Target::Number).ok_or_else(|| Problem::BadPid.into());
    }
    if word.starts_with(|first: char| first.is_ascii_digit())
        && let Some(range) = meant_range(word)
    {
        return Err(Problem::BareRange.with(format!(":{range}")));
    }
    if let Some(pattern) = address_alone(word) {
        return Err(Problem::PortMissing.with(pattern));
    }
    if word == "*" {
        return Err(Problem::PortMissing.with(":PORT"));
    }
    if let Some((kind, rest)) = word.split_once(char::is_whitespace)
        && let Some(meant) = meant_kind_and_number(kind, rest.trim())
    {
        return Err(Problem::UnknownKind { kind: kind.to_owned() }.with(meant));
    }
    Ok(Target::Name(word.to_owned()))
}

/// `port 3000` was `:3000`.
fn meant_kind_and_number(kind: &str, rest: &str) -> Option<String> {
    let kind = kind.to_ascii_lowercase();
    let right = match kind.as_str() {
        "tcp" => "tcp:",
        "udp" => "udp:",
        "pid" => "pid:",
        other => right_kind(other)?,
    };
    let valid = match right {
        ":" | "tcp:" | "udp:" => looks_like_ports(rest),
        "pid:" => pid(rest).is_some(),
        _ => false,
    };
    valid.then(|| format!("{right}{rest}"))
}

/// An interface's index, by number (0 is none) or by name.
fn scope_id(zone: &str, names: &dyn Names) -> Option<u32> {
    if is_digits(zone) {
        return zone.parse().ok();
    }
    names.interface(zone).filter(|_| !zone.is_empty())
}
