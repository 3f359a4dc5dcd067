//! One HTTP/1.1 answer of an engine, as far as it has come (RFC 9112): its head, and the body by
//! its length, in chunks, or to the end of the connection. No connection here.

use crate::http::{ResponseHead, read_head};

/// The most bytes of an answer that are read. A list of published ports takes some KiB; the whole
/// list of an engine with thousands of containers is not asked for.
pub const MOST: usize = 4 * 1024 * 1024;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineReply {
    /// The status.
    pub status: u16,
    /// Whether it says it is podman's (`Libpod-Api-Version`).
    pub podman: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// What bytes from an engine are, so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing wrong, and not all.
    Incomplete,
    /// All of it.
    Whole(EngineReply),
    /// No HTTP/1 answer, or one with a body that cannot be or is too long.
    Garbled,
}

/// How the end of the body is known.
enum Framing {
    Length(usize),
    Chunked,
    ToEnd,
}

/// Reads what has come, `ended` where no more will.
pub fn read(bytes: &[u8], ended: bool) -> Reading {
    let (status, length) = match read_head(bytes) {
        ResponseHead::Final { status, length } => (status, length),
        ResponseHead::NotHttp => return Reading::Garbled,
        ResponseHead::Incomplete if ended || bytes.len() >= MOST => return Reading::Garbled,
        ResponseHead::Incomplete => return Reading::Incomplete,
    };
    let (head, rest) = bytes.split_at(length);
    let podman = field(head, "libpod-api-version").is_some();
    let Some(framing) = framing(status, head) else { return Reading::Garbled };
    let body = match framing {
        Framing::Length(wanted) if wanted > MOST => return Reading::Garbled,
        Framing::Length(wanted) => rest.get(..wanted).map(<[u8]>::to_vec),
        Framing::Chunked => match chunks(rest) {
            Ok(body) => body,
            Err(()) => return Reading::Garbled,
        },
        Framing::ToEnd => ended.then(|| rest.to_vec()),
    };
    match body {
        Some(body) => Reading::Whole(EngineReply { status, podman, body }),
        None if ended || bytes.len() >= MOST => Reading::Garbled,
        None => Reading::Incomplete,
    }
}

/// RFC 9112 6.3, for answers to GET and POST.
fn framing(status: u16, head: &[u8]) -> Option<Framing> {
    if matches!(status, 204 | 304) {
        return Some(Framing::Length(0));
    }
    if let Some(coding) = field(head, "transfer-encoding") {
        return coding.eq_ignore_ascii_case("chunked").then_some(Framing::Chunked);
    }
    match field(head, "content-length") {
        Some(length) => length.parse().ok().map(Framing::Length),
        None => Some(Framing::ToEnd),
    }
}

/// A field's value, of the last of the heads (interim ones come before).
fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let lines = head.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let fields = lines.filter_map(|line| line.split_once(':'));
    let mut found = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
    found.next_back().map(|(_, value)| value.trim())
}

/// The body in chunks (RFC 9112 7.1): `None` where some is missing.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    /// A chunk's size line: 16 digits and some extension.
    const LONGEST_LINE: usize = 256;
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.iter().take(LONGEST_LINE).position(|&byte| byte == b'\n') else {
            return if rest.len() >= LONGEST_LINE { Err(()) } else { Ok(None) };
        };
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| ())?.trim_end();
        let digits = line.split(';').next().unwrap_or_default().trim_end();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        let size = usize::from_str_radix(digits, 16).map_err(|_| ())?;
        rest = &rest[end + 1..];
        if size == 0 {
            // What follows is trailers; nothing is wanted of them.
            return Ok(Some(body));
        }
        if size > MOST - body.len().min(MOST) {
            return Err(());
        }
        let Some(chunk) = rest.get(..size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        rest = match &rest[size..] {
            [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(()),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(status: u16, podman: bool, body: &str) -> Reading {
        Reading::Whole(EngineReply { status, podman, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn bodies_end_where_they_say() {
        for (text, ended, want) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]\n", false, whole(200, false, "[]\n")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]", false, Reading::Incomplete),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]", true, Reading::Garbled),
            ("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n[]\n", true, Reading::Garbled),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                false,
                Reading::Garbled,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", false, Reading::Garbled),
            (
                "HTTP/1.1 200 OK\r\nLibpod-Api-Version: 4.3.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2\r\n[]\r\n1;x=y\r\n\n\r\n0\r\n\r\n",
                false,
                whole(200, true, "[]\n"),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[",
                false,
                Reading::Incomplete,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]x",
                false,
                Reading::Garbled,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                false,
                Reading::Garbled,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
                false,
                Reading::Garbled,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", true, Reading::Garbled),
            ("HTTP/1.1 304 Not Modified\r\n\r\n", false, whole(304, false, "")),
            ("HTTP/1.0 200 OK\r\n\r\n[]", false, Reading::Incomplete),
            ("HTTP/1.0 200 OK\r\n\r\n[]", true, whole(200, false, "[]")),
            ("SSH-2.0-OpenSSH\r\n", false, Reading::Garbled),
            ("HTTP/1.1 200", true, Reading::Garbled),
            ("", true, Reading::Garbled),
        ] {
            assert_eq!(read(text.as_bytes(), ended), want, "{text:?} {ended}");
        }
    }

    proptest! {
        /// Every start of an answer is incomplete, however it is framed.
        #[test]
        fn no_part_of_an_answer_is_whole(body in "[a-z]{1,40}", cut in 1_usize..40, chunked: bool) {
            let text = if chunked {
                let (a, b) = body.split_at(cut.min(body.len() - 1).max(1).min(body.len()));
                let second = if b.is_empty() { String::new() } else { format!("{:x}\r\n{b}\r\n", b.len()) };
                format!("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{a}\r\n{second}0\r\n", a.len())
            } else {
                format!("HTTP/1.1 200 \r\nContent-Length: {}\r\n\r\n{body}", body.len())
            };
            for end in 0..text.len() {
                prop_assert_eq!(read(&text.as_bytes()[..end], false), Reading::Incomplete);
            }
            prop_assert_eq!(read(text.as_bytes(), false), whole(200, false, &body));
        }

        #[test]
        fn anything_at_all_is_read(bytes in prop::collection::vec(any::<u8>(), 0..200), ended: bool) {
            let _ = read(&bytes, ended);
            let mut answer = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            answer.extend(bytes);
            let _ = read(&answer, ended);
        }
    }
}
