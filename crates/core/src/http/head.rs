//! The head of an HTTP/1 response (RFC 9112 2 to 5), as far as a readiness check needs it: its
//! status, and where it ends. Fields are not looked at.

/// The most bytes that are read for heads, interim ones included.
pub(super) const MOST: usize = 64 * 1024;

/// What bytes from a server are, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing wrong, and not all.
    Incomplete,
    /// A final response.
    Final {
        /// Its status, 100 to 999.
        status: u16,
        /// Bytes up to its body, interim responses included.
        length: usize,
    },
    /// No HTTP/1 response, whatever may follow.
    NotHttp,
}

/// Reads what has come so far, passing over interim responses (RFC 9110 15.2) other than
/// 101, after which no HTTP follows. Takes a lone LF for the end of a line, as RFC 9112 2.2
/// allows. Never looks beyond the first 64 KiB.
pub fn read(bytes: &[u8]) -> Head {
    let bytes = &bytes[..bytes.len().min(MOST)];
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let Some(status) = status(rest) else { return Head::NotHttp };
        let (Some(status), Some(length)) = (status, head_length(rest)) else {
            return Head::Incomplete;
        };
        at += length;
        if !(100..200).contains(&status) || status == 101 {
            return Head::Final { status, length: at };
        }
    }
}

/// The status in a status line: `None` where it is none, `Some(None)` where it may become one.
fn status(bytes: &[u8]) -> Option<Option<u16>> {
    const NAME: &[u8] = b"HTTP/1.";
    let known = bytes.len().min(NAME.len());
    if bytes[..known] != NAME[..known] {
        return None;
    }
    // `d SP ddd` and then a space or the end of the line.
    let line = bytes.get(NAME.len()..).unwrap_or_default();
    for (place, byte) in line.iter().take(6).enumerate() {
        let right = match place {
            1 => *byte == b' ',
            5 => matches!(byte, b' ' | b'\r' | b'\n'),
            2 => matches!(byte, b'1'..=b'9'),
            _ => byte.is_ascii_digit(),
        };
        if !right {
            return None;
        }
    }
    let digits = line.get(2..5).filter(|_| line.len() > 5);
    Some(
        digits.map(|digits| digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))),
    )
}

/// The length of a head with its empty line, if that has come.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for (place, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            if matches!(&bytes[line_start..place], b"" | b"\r") {
                return Some(place + 1);
            }
            line_start = place + 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_and_others() {
        let done = |status, length| Head::Final { status, length };
        for (text, want) in [
            ("", Head::Incomplete),
            ("HT", Head::Incomplete),
            ("HTTP/1.1 20", Head::Incomplete),
            ("HTTP/1.1 200", Head::Incomplete),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", Head::Incomplete),
            ("HTTP/1.1 200 OK\r\n\r\nbody", done(200, 19)),
            ("HTTP/1.0 404\r\n\r\n", done(404, 16)),
            ("HTTP/1.1 999 Denied\n\n", done(999, 21)),
            ("HTTP/1.1 503 \r\nA: b\n\r\n", done(503, 22)),
            ("HTTP/1.1 100 Continue\r\n\r\n", Head::Incomplete),
            (
                "HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 \r\nA:b\r\n\r\nHTTP/1.1 204 \r\n\r\n",
                done(204, 56),
            ),
            ("HTTP/1.1 100 \r\n\r\nrubbish", Head::NotHttp),
            ("HTTP/1.1 101 Switching\r\n\r\n\0\0", done(101, 26)),
            ("HTTP/1.1 2000 OK\r\n\r\n", Head::NotHttp),
            ("HTTP/1.1 020 OK\r\n\r\n", Head::NotHttp),
            ("HTTP/1.1 2x0 OK\r\n\r\n", Head::NotHttp),
            ("HTTP/1.1  200 OK\r\n\r\n", Head::NotHttp),
            ("HTTP/2 200\r\n\r\n", Head::NotHttp),
            ("ICY 200 OK\r\n\r\n", Head::NotHttp),
            ("<html>", Head::NotHttp),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", Head::NotHttp),
        ] {
            assert_eq!(read(text.as_bytes()), want, "{text:?}");
        }
    }

    proptest! {
        /// A verdict on a start never changes with what follows, and no head is found in less
        /// than all of it.
        #[test]
        fn what_follows_changes_nothing(
            interim in 0_usize..3, status in 200_u16..1000, fields in "([A-Za-z]{1,9}: [ -~]{0,20}\r\n){0,4}",
            body in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n".repeat(interim).into_bytes();
            bytes.extend(format!("HTTP/1.1 {status} \r\n{fields}\r\n").into_bytes());
            let length = bytes.len();
            bytes.extend(body);
            for end in 0..bytes.len() {
                let want = if end < length { Head::Incomplete } else { Head::Final { status, length } };
                prop_assert_eq!(read(&bytes[..end]), want);
            }
        }

        #[test]
        fn anything_at_all_is_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let whole = read(&bytes);
            for end in 0..bytes.len() {
                let part = read(&bytes[..end]);
                prop_assert!(part == Head::Incomplete || part == whole);
            }
        }
    }
}
