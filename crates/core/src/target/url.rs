//! URLs as targets: their host and port are meant, the rest is passed over; and the masking of
//! what a URL carries besides, since targets are shown again.

use std::net::Ipv6Addr;

use crate::addr::{AddressScope, Port, Transport};
use crate::names::Names;
use crate::service;
use crate::target::grammar::{self, Place};
use crate::target::problem::{Fault, Problem};
use crate::target::{Target, UnixName};

/// A URL in its two parts.
pub(super) struct Url<'a> {
    scheme: &'a str,
    rest: &'a str,
}

/// The word as a URL (`scheme://…`, RFC 3986 3.1, or `jdbc:scheme://…`), if it is one.
pub(super) fn split(word: &str) -> Option<Url<'_>> {
    let (scheme, rest) = word.split_once("://")?;
    let scheme = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
    let starts = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let valid = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (starts && valid).then_some(Url { scheme, rest })
}

/// The host and port of a URL. `udp://` is UDP; every other scheme is TCP.
pub(super) fn read(url: &Url<'_>, names: &dyn Names) -> Result<Target, Fault> {
    let scheme = url.scheme.to_ascii_lowercase();
    if scheme == "unix" {
        return unix_socket(url.rest);
    }
    let transport = if scheme == "udp" { Transport::Udp } else { Transport::Tcp };
    let (authority, _) = authority(url.rest);
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host_and_port.is_empty() {
        return Err(Problem::PortMissing.with("localhost:PORT"));
    }
    let (address, port) = match host_and_port.strip_prefix('[') {
        Some(inner) => {
            let (inside, after) = inner.split_once(']').ok_or(Problem::BadAddress)?;
            (grammar::bracketed(&without_zone_escape(inside), names)?, after.strip_prefix(':'))
        }
        None => host(transport, host_and_port)?,
    };
    let place = Place { transport: Some(transport), address };
    match port.filter(|port| !port.is_empty()) {
        Some(digits) if grammar::is_digits(digits) => Ok(place.port(grammar::number(digits)?)),
        Some(_) => Err(Problem::BadPort.into()),
        None => default_port(&scheme).map(|port| place.port(port)).ok_or_else(|| place.missing()),
    }
}

/// The word with a URL's password and its query masked: they are nobody's business in a report.
pub(super) fn masked(word: &str) -> String {
    mask(word, |rest| authority(rest).0.len())
}

/// As [`masked`], for a word that could not be read: a password with a `/` in it makes an
/// authority that ends too early, so everything up to the last `@` is taken for one.
pub(super) fn masked_strictly(word: &str) -> String {
    mask(word, |rest| rest.rfind('@').map_or(0, |at| at + 1).max(authority(rest).0.len()))
}

fn mask(word: &str, authority_length: impl Fn(&str) -> usize) -> String {
    let Some(Url { rest, .. }) = split(word) else { return word.to_owned() };
    let (before, (authority, after)) =
        (&word[..word.len() - rest.len()], rest.split_at(authority_length(rest)));
    let (login, host) = match authority.rfind('@') {
        Some(at) => authority.split_at(at),
        None => ("", authority),
    };
    let login = match login.split_once(':') {
        Some((user, _)) => format!("{user}:***"),
        None => login.to_owned(),
    };
    let after = match after.find(['?', '#', ';']) {
        Some(query) => format!("{}***", &after[..=query]),
        None => after.to_owned(),
    };
    format!("{before}{login}{host}{after}")
}

/// The part before path, query or fragment, and that rest. JDBC drivers write `;` for `?`.
fn authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#', ';', '\\']).unwrap_or(rest.len()))
}

fn host(transport: Transport, text: &str) -> Result<(AddressScope, Option<&str>), Fault> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let digits = port.filter(|port| grammar::is_digits(port) && grammar::number(port).is_ok());
    if host.contains(':') {
        let place = format!("{transport}:[{host}]:{}", digits.unwrap_or("PORT"));
        return Err(Problem::AmbiguousIpv6.perhaps(is_ipv6(host).then_some(place)));
    }
    let bare = host.strip_suffix('.').unwrap_or(host);
    // RFC 6761 6.3: every name under `localhost` is loopback; ASP.NET writes `+` for every host.
    let address = if bare.to_ascii_lowercase().ends_with(".localhost") {
        AddressScope::Localhost
    } else if bare == "+" {
        AddressScope::Every
    } else {
        let every = Place { transport: Some(transport), address: AddressScope::Every };
        grammar::host(bare, digits.map(|port| every.spell(port)))?
    };
    Ok((address, port))
}

fn is_ipv6(host: &str) -> bool {
    host.parse::<Ipv6Addr>().is_ok()
}

/// RFC 6874 writes the `%` before a zone as `%25`.
fn without_zone_escape(inside: &str) -> String {
    inside.replacen("%25", "%", 1)
}

/// The port of a scheme: `postgresql+asyncpg` is PostgreSQL's.
fn default_port(scheme: &str) -> Option<Port> {
    let base = scheme.split('+').next().unwrap_or(scheme);
    let name = match base {
        "ws" => "http",
        "wss" => "https",
        "rediss" => "redis",
        other => other,
    };
    service::built_in(name)?.single()
}

/// `unix:///run/app.sock`, as DOCKER_HOST has it.
fn unix_socket(path: &str) -> Result<Target, Fault> {
    if path.starts_with('@') {
        return grammar::unix_socket(path);
    }
    let trimmed = path.trim_start_matches('/');
    if trimmed.is_empty() {
        return Err(Problem::NameMissing.with("unix:PATH"));
    }
    let root = if trimmed.len() < path.len() { "/" } else { "" };
    Ok(Target::Unix(UnixName::Path(format!("{root}{trimmed}"))))
}
