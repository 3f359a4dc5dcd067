//! The ways a port is written in an argument: alone, after an address, in a URL, in the mapping
//! of a tunnel. Reads it, and says which bytes to replace; which argument it is, is told elsewhere.

use std::ops::Range;

use crate::addr::Port;

/// How a program wants its port written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `3000`.
    Number,
    /// `3000`, `host:3000`, `:3000` or `[::1]:3000`; where nothing was given, `host` and a colon
    /// go before it.
    Address {
        /// What is written before the colon of a new one; may be empty.
        host: &'static str,
    },
    /// `http://localhost:3000`, and several of them after semicolons or commas.
    Url {
        /// What is written before the port of a new one.
        before: &'static str,
    },
    /// `3000:80` or `127.0.0.1:3000:80/tcp`: the port before the container's own.
    Publish,
    /// `3000:host:80` or `127.0.0.1:3000:host:80`: the near end of a tunnel.
    Tunnel,
    /// `3000:80` or `3000`: the near end, where one number stands for both.
    Forward,
    /// `TCP-LISTEN:3000,fork` and kin of socat.
    Socat,
    /// `-p 3000` inside one argument, as in `pg_ctl -o "-p 3000"`.
    Options,
}

/// What stood where a port was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A port, and the bytes it is written in.
    Port(Port, Range<usize>),
    /// The kernel or the program chooses (0, `auto`, a socket's path), or it cannot be told.
    Other,
}

/// The port in this value, if its form has one.
pub(super) fn read(form: Form, value: &str) -> Read {
    let all = 0..value.len();
    match form {
        Form::Number => number(value, all),
        Form::Address { .. } => number(value, after_colon(value)),
        Form::Url { .. } => url(value),
        Form::Publish => publish(value),
        Form::Tunnel => tunnel(value),
        Form::Forward => number(value, 0..value.find(':').unwrap_or(value.len())),
        Form::Socat => socat(value),
        Form::Options => options(value),
    }
}

/// The value that names this port, where there was none to change. `None` where a port alone
/// does not make one.
pub(super) fn write(form: Form, port: Port) -> Option<String> {
    match form {
        Form::Number => Some(port.to_string()),
        Form::Address { host } => Some(format!("{host}:{port}")),
        Form::Url { before } => Some(format!("{before}{port}")),
        Form::Options => Some(format!("-p {port}")),
        Form::Publish | Form::Tunnel | Form::Forward | Form::Socat => None,
    }
}

/// The same value with another port at those bytes. One number that stood for both ends of a
/// tunnel becomes two: the far end stays what it was.
pub(super) fn replaced(form: Form, value: &str, at: &Range<usize>, port: Port) -> String {
    let far_end = if form == Form::Forward && *at == (0..value.len()) {
        format!(":{value}")
    } else {
        String::new()
    };
    format!("{}{port}{far_end}{}", &value[..at.start], &value[at.end..])
}

fn number(value: &str, at: Range<usize>) -> Read {
    let digits = &value[at.clone()];
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse().ok().and_then(Port::new) {
        Some(port) if is_number => Read::Port(port, at),
        _ => Read::Other,
    }
}

/// What follows the last colon; all of it where there is none. An IPv6 address without brackets
/// has no port: `::1` is one, `:::3000` is `[::]:3000` as Node prints it.
fn after_colon(value: &str) -> Range<usize> {
    let end = value.len();
    let Some(colon) = value.rfind(':') else { return 0..end };
    let host = &value[..colon];
    let bare_v6 = host.contains(':') && !host.starts_with('[') && host != "::";
    if bare_v6 { end..end } else { colon + 1..end }
}

/// The port of the first URL that has one.
fn url(value: &str) -> Read {
    let mut start = 0;
    for one in value.split([';', ',']) {
        let Some(host) = one.find("://").map(|scheme| scheme + 3) else {
            return if start == 0 { number(value, after_colon(value)) } else { Read::Other };
        };
        let end = one[host..].find(['/', '?', '#']).map_or(one.len(), |slash| host + slash);
        let authority = &one[host..end];
        if authority.rfind(':') > authority.rfind(']') || !authority.contains('[') {
            let at = after_colon(authority);
            if at.start > 0
                && let found @ Read::Port(..) =
                    number(value, start + host + at.start..start + host + at.end)
            {
                return found;
            }
        }
        start += one.len() + 1;
    }
    Read::Other
}

/// docker's `-p [address:]host:container[/protocol]`; without the host's port it chooses one.
fn publish(value: &str) -> Read {
    let Some(container) = value.rfind(':') else { return Read::Other };
    let start = value[..container].rfind(':').map_or(0, |colon| colon + 1);
    number(value, start..container)
}

/// ssh's `-L [address:]port:host:hostport`; an address may stand in brackets.
fn tunnel(value: &str) -> Read {
    let parts = colons_outside_brackets(value);
    let at = match parts.as_slice() {
        [first, _] => 0..*first,
        [first, second, _] => first + 1..*second,
        _ => return Read::Other,
    };
    number(value, at)
}

fn colons_outside_brackets(value: &str) -> Vec<usize> {
    let mut depth = 0_u32;
    let mut colons = Vec::new();
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b':' if depth == 0 => colons.push(at),
            _ => {}
        }
    }
    colons
}

fn socat(value: &str) -> Read {
    let upper = value.to_ascii_uppercase();
    let kinds = ["TCP-LISTEN:", "TCP4-LISTEN:", "TCP6-LISTEN:", "TCP-L:", "TCP4-L:", "TCP6-L:"];
    let more = ["OPENSSL-LISTEN:", "UDP-LISTEN:", "UDP-L:", "UDP-RECV:", "UDP-RECVFROM:"];
    let kind = kinds.iter().chain(&more).find(|kind| upper.starts_with(*kind));
    let Some(start) = kind.map(|kind| kind.len()) else { return Read::Other };
    let end = value[start..].find([',', '!']).map_or(value.len(), |comma| start + comma);
    number(value, start..end)
}

/// The value of the last `-p N`, `-pN` or `--port=N` among blanks.
fn options(value: &str) -> Read {
    let mut found = Read::Other;
    let mut after_flag = false;
    let mut start = 0;
    for word in value.split(' ') {
        let inside = if after_flag {
            Some(0)
        } else {
            ["--port=", "-p"].iter().find(|flag| word.starts_with(*flag)).map(|flag| flag.len())
        };
        after_flag = word == "-p";
        if let Some(offset) = inside.filter(|_| !after_flag) {
            found = number(value, start + offset..start + word.len());
        }
        start += word.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Form = Form::Address { host: "" };
    const URL: Form = Form::Url { before: "http://localhost:" };

    #[test]
    fn ports_are_found_where_each_form_has_them() {
        for (form, value, want, moved) in [
            (Form::Number, "3000", 3000, "4000"),
            (ADDRESS, "3000", 3000, "4000"),
            (ADDRESS, ":3000", 3000, ":4000"),
            (ADDRESS, "0.0.0.0:3000", 3000, "0.0.0.0:4000"),
            (ADDRESS, "[::1]:3000", 3000, "[::1]:4000"),
            (ADDRESS, ":::3000", 3000, ":::4000"),
            (URL, "http://localhost:5000", 5000, "http://localhost:4000"),
            (URL, "http://[::1]:5000/x", 5000, "http://[::1]:4000/x"),
            (URL, "http://*:5000;https://*:5001", 5000, "http://*:4000;https://*:5001"),
            (URL, "https://a;http://b:81", 81, "https://a;http://b:4000"),
            (URL, "tcp://0.0.0.0:9292?backlog=5", 9292, "tcp://0.0.0.0:4000?backlog=5"),
            (URL, "5000", 5000, "4000"),
            (Form::Publish, "3000:80", 3000, "4000:80"),
            (Form::Publish, "127.0.0.1:3000:80/tcp", 3000, "127.0.0.1:4000:80/tcp"),
            (Form::Publish, "[::1]:3000:80", 3000, "[::1]:4000:80"),
            (Form::Tunnel, "3000:db:5432", 3000, "4000:db:5432"),
            (Form::Tunnel, "[::1]:3000:[fe80::1]:5432", 3000, "[::1]:4000:[fe80::1]:5432"),
            (Form::Forward, "3000:80", 3000, "4000:80"),
            (Form::Forward, "3000", 3000, "4000:3000"),
            (Form::Socat, "TCP-LISTEN:3000,fork,reuseaddr", 3000, "TCP-LISTEN:4000,fork,reuseaddr"),
            (Form::Socat, "tcp-l:3000", 3000, "tcp-l:4000"),
            (Form::Options, "-p 5433 -c x=1", 5433, "-p 4000 -c x=1"),
            (Form::Options, "-c x=1 -p5433", 5433, "-c x=1 -p4000"),
        ] {
            let Read::Port(port, at) = read(form, value) else { panic!("{value}") };
            assert_eq!(port.get(), want, "{value}");
            assert_eq!(replaced(form, value, &at, Port::new(4000).unwrap()), moved);
        }
    }

    #[test]
    fn what_is_no_port_is_not_made_one() {
        for (form, value) in [
            (Form::Number, "0"),
            (Form::Number, "auto"),
            (Form::Number, "65536"),
            (Form::Number, "+80"),
            (Form::Number, ""),
            (ADDRESS, "unix:/tmp/a.sock"),
            (ADDRESS, "::1"),
            (ADDRESS, "fd://3"),
            (ADDRESS, "[::1]"),
            (URL, "http://localhost"),
            (URL, "unix:///tmp/a:80"),
            (URL, "http://[::1]"),
            (Form::Publish, "80"),
            (Form::Publish, "3000-3005:3000-3005"),
            (Form::Publish, "127.0.0.1::80"),
            (Form::Tunnel, "/tmp/a.sock:db:5432"),
            (Form::Forward, ":80"),
            (Form::Socat, "TCP:host:80"),
            (Form::Options, "-c port=1"),
        ] {
            assert_eq!(read(form, value), Read::Other, "{value}");
        }
    }
}
