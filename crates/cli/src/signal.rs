//! Signals as people type them: `TERM`, `SIGTERM`, `term`, `15`. Sending them is the core's.

/// A signal by its number on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The number, 1 or more.
    pub number: i32,
}

#[cfg(unix)]
const NAMES: &[(&str, rustix::process::Signal)] = {
    use rustix::process::Signal as S;
    &[
        ("HUP", S::HUP),
        ("INT", S::INT),
        ("QUIT", S::QUIT),
        ("ILL", S::ILL),
        ("TRAP", S::TRAP),
        ("ABRT", S::ABORT),
        ("BUS", S::BUS),
        ("FPE", S::FPE),
        ("KILL", S::KILL),
        ("USR1", S::USR1),
        ("SEGV", S::SEGV),
        ("USR2", S::USR2),
        ("PIPE", S::PIPE),
        ("ALRM", S::ALARM),
        ("TERM", S::TERM),
        ("CHLD", S::CHILD),
        ("CONT", S::CONT),
        ("STOP", S::STOP),
        ("TSTP", S::TSTP),
        ("TTIN", S::TTIN),
        ("TTOU", S::TTOU),
        ("URG", S::URG),
        ("XCPU", S::XCPU),
        ("XFSZ", S::XFSZ),
        ("VTALRM", S::VTALARM),
        ("PROF", S::PROF),
        ("WINCH", S::WINCH),
        ("IO", S::IO),
        ("SYS", S::SYS),
    ]
};

#[cfg(unix)]
fn named(name: &str) -> Option<i32> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, signal)| signal.as_raw())
}

#[cfg(not(unix))]
fn named(name: &str) -> Option<i32> {
    match name {
        "HUP" => Some(1),
        "INT" => Some(2),
        "QUIT" => Some(3),
        "KILL" => Some(9),
        "TERM" => Some(15),
        _ => None,
    }
}

/// The largest signal number of any system this runs on (Linux: 64, signal(7)).
const LARGEST: i32 = 64;

/// `RTMIN+3`, `RTMAX-1`: realtime signals are counted from either end, in the numbers of the C
/// library, which keeps the first two for itself (signal(7)). Linux alone has them so.
fn realtime(name: &str) -> Option<i32> {
    const FIRST: i32 = 34;
    let from = |rest: &str, sign: char| match rest.strip_prefix(sign) {
        None => rest.is_empty().then_some(0),
        Some(count) => count.parse::<u8>().ok().map(i32::from),
    };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => FIRST + from(rest, '+')?,
        (_, Some(rest)) => LARGEST - from(rest, '-')?,
        (None, None) => return None,
    };
    (cfg!(target_os = "linux") && (FIRST..=LARGEST).contains(&number)).then_some(number)
}

/// The signal a word means. The error is a sentence.
pub fn parse(word: &str) -> Result<Signal, String> {
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(number) = named(name) {
        return Ok(Signal { number });
    }
    if let Some(number) = realtime(name) {
        return Ok(Signal { number });
    }
    match word.parse::<i32>() {
        Ok(number @ 1..=LARGEST) => Ok(Signal { number }),
        _ => Err(format!("`{word}` is not a signal; write it like `TERM`, `SIGINT` or `15`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (word, number) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("term", 15),
            ("sigterm", 15),
            ("15", 15),
            ("HUP", 1),
            ("KILL", 9),
            ("9", 9),
            ("int", 2),
            ("40", 40),
            #[cfg(target_os = "linux")]
            ("RTMIN", 34),
            #[cfg(target_os = "linux")]
            ("SIGRTMIN+3", 37),
            #[cfg(target_os = "linux")]
            ("rtmax-1", 63),
            #[cfg(target_os = "linux")]
            ("RTMAX", 64),
        ] {
            assert_eq!(parse(word), Ok(Signal { number }), "{word}");
        }
    }

    #[test]
    fn others_are_refused_with_the_form_meant() {
        for word in [
            "",
            "SIG",
            "TERMS",
            "0",
            "-9",
            "65",
            "1.5",
            "sigsigterm",
            "RTMIN+31",
            "RTMAX-31",
            "RTMIN-1",
            "RTMAX+1",
            "RTMIN+",
            "RTMIN+x",
        ] {
            assert_eq!(
                parse(word).unwrap_err(),
                format!("`{word}` is not a signal; write it like `TERM`, `SIGINT` or `15`")
            );
        }
    }
}
