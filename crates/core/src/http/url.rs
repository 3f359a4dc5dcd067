//! Whom to ask, and for what: made of a target and a path. What a target is, is
//! [`crate::target`]'s business.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::addr::{AddressScope, Endpoint, ORDINARY_ADDRESSES, Port, Transport};

/// Whether to ask over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`: without.
    Http,
    /// `https://`: with.
    Https,
    /// Nobody said: without, and with where the server shows that it wants it.
    Unstated,
}

/// What to ask, and where. Its `Display` is a URL for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    /// Whether over TLS.
    pub scheme: Scheme,
    /// The name for the Host field (RFC 9110 7.2) and for SNI: `localhost`, a name under it, or
    /// an address, in brackets if it is IPv6.
    pub host: String,
    /// The port.
    pub port: Port,
    /// What to connect to, in this order.
    pub addresses: Vec<SocketAddr>,
    /// What to ask for (RFC 9112 3.2.1): begins with `/`, visible ASCII alone.
    pub path: String,
}

impl HttpUrl {
    /// The URL that a port target means: `word` as typed, whose meaning is `endpoint`, and the
    /// path asked for. A URL's scheme, name under `localhost`, path and query are taken from the
    /// word, so it must not be masked; `path` comes before its path. `None` for UDP.
    ///
    /// A port alone means the loopback addresses, and so do the wildcards: that is how a server
    /// on them is reached from here.
    pub fn new(word: &str, endpoint: &Endpoint, path: Option<&str>) -> Option<Self> {
        if endpoint.transport == Some(Transport::Udp) {
            return None;
        }
        let url = word.trim().split_once("://");
        let scheme = match url.map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
            Some("http" | "ws") => Scheme::Http,
            Some("https" | "wss") => Scheme::Https,
            _ => Scheme::Unstated,
        };
        let (name, own_path) = url.map_or(("", ""), |(_, rest)| name_and_path(rest));
        Some(Self {
            scheme,
            host: if name.is_empty() { host(endpoint.address) } else { name.to_owned() },
            port: endpoint.port,
            addresses: addresses(endpoint),
            path: in_request(path.unwrap_or(own_path)),
        })
    }

    /// The request (RFC 9112 3). No credentials, ever.
    pub(super) fn request(&self, tls: bool) -> String {
        let Self { host, path, .. } = self;
        let usual = if tls { 443 } else { 80 };
        let port = match self.port.get() {
            port if port == usual => String::new(),
            port => format!(":{port}"),
        };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: proc/{}\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n",
            env!("CARGO_PKG_VERSION"),
        )
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path, .. } = self;
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        write!(f, "{scheme}://{host}:{port}{path}")
    }
}

/// The host of a URL where it is a name under `localhost`, else nothing; and its path and query.
fn name_and_path(rest: &str) -> (&str, &str) {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_end_matches('.');
    let named = host.to_ascii_lowercase().ends_with(".localhost")
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    (if named { host } else { "" }, path)
}

/// The path in the form that a request may carry: from its `/`, without a fragment, and with
/// everything escaped that is no visible ASCII. So nothing typed can end the request line.
fn in_request(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let mut safe = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        safe.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' => safe.push(char::from(byte)),
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

fn host(scope: AddressScope) -> String {
    match scope {
        AddressScope::One(address, _) if !address.is_unspecified() => match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        },
        _ => "localhost".to_owned(),
    }
}

fn addresses(endpoint: &Endpoint) -> Vec<SocketAddr> {
    let port = endpoint.port.get();
    let [_, v4, _, v6] = ORDINARY_ADDRESSES.map(|address| SocketAddr::new(address, port));
    match endpoint.address {
        AddressScope::One(IpAddr::V4(address), _) if address.is_unspecified() => vec![v4],
        AddressScope::One(IpAddr::V6(address), _) if address.is_unspecified() => vec![v6, v4],
        AddressScope::One(IpAddr::V6(address), scope) => {
            vec![SocketAddrV6::new(address, port, 0, scope).into()]
        }
        AddressScope::One(address, _) => vec![SocketAddr::new(address, port)],
        AddressScope::Every | AddressScope::Localhost => vec![v4, v6],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Target, parse};

    fn url(word: &str, path: Option<&str>) -> Option<HttpUrl> {
        let Ok(Target::Port(endpoint)) = parse(word) else { panic!("{word}") };
        HttpUrl::new(word, &endpoint, path)
    }

    #[test]
    fn targets_and_what_is_asked() {
        for (word, path, want, addresses) in [
            (":3000", None, "http://localhost:3000/", "127.0.0.1:3000 [::1]:3000"),
            (
                "tcp:3000",
                Some("health"),
                "http://localhost:3000/health",
                "127.0.0.1:3000 [::1]:3000",
            ),
            ("127.0.0.2:80", Some("/x y"), "http://127.0.0.2:80/x%20y", "127.0.0.2:80"),
            ("[::1]:3000", None, "http://[::1]:3000/", "[::1]:3000"),
            ("0.0.0.0:3000", None, "http://localhost:3000/", "127.0.0.1:3000"),
            (":::3000", None, "http://localhost:3000/", "[::1]:3000 127.0.0.1:3000"),
            ("https://localhost", None, "https://localhost:443/", "127.0.0.1:443 [::1]:443"),
            (
                "http://me:pw@shop.localhost:3000/a/b?c=d#e",
                None,
                "http://shop.localhost:3000/a/b?c=d",
                "127.0.0.1:3000 [::1]:3000",
            ),
            (
                "HTTPS://localhost:3443/x",
                Some("/y"),
                "https://localhost:3443/y",
                "127.0.0.1:3443 [::1]:3443",
            ),
            (
                "http://localhost:3000?a",
                None,
                "http://localhost:3000/?a",
                "127.0.0.1:3000 [::1]:3000",
            ),
            ("tcp://127.0.0.1:9", None, "http://127.0.0.1:9/", "127.0.0.1:9"),
        ] {
            let url = url(word, path).unwrap();
            assert_eq!(url.to_string(), want, "{word}");
            let have: Vec<_> = url.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(have.join(" "), addresses, "{word}");
        }
        assert_eq!(url("udp:53", None), None);
        assert_eq!(url(":3000", None).unwrap().scheme, Scheme::Unstated);
    }

    #[test]
    fn nothing_typed_ends_the_request_line() {
        let url = url(":80", Some("/a\r\nX: y\n\n\u{0}é")).unwrap();
        let request = url.request(false);
        assert!(
            request
                .starts_with("GET /a%0D%0AX:%20y%0A%0A%00%C3%A9 HTTP/1.1\r\nHost: localhost\r\n")
        );
        assert_eq!(request.matches("\r\n\r\n").count(), 1);
        assert!(url.request(true).contains("Host: localhost:80\r\n"));
    }
}
