//! Which statuses of an HTTP answer count as up, and how a person writes that.

use std::fmt;
use std::str::FromStr;

/// Statuses, as ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(Vec<(u16, u16)>);

/// What is not a set of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status; write it like `200`, `2xx`, `200-299,404` or `<500`")]
pub struct StatusError(
    /// The part that is none.
    pub String,
);

impl StatusSet {
    /// Success and redirection: what was asked for is there (RFC 9110 15.3, 15.4).
    pub fn there() -> Self {
        Self(vec![(200, 399)])
    }

    /// Whether the status is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&status))
    }
}

/// Everything below 500: a server that says "not found" or "log in first" is up; one that says
/// "bad gateway" stands for one that is not.
impl Default for StatusSet {
    fn default() -> Self {
        Self(vec![(100, 499)])
    }
}

impl FromStr for StatusSet {
    type Err = StatusError;

    /// Reads `2xx`, `200-299,404`, `<500`, `<=499`, `>=200`, `>199`, and lists of them.
    ///
    /// # Errors
    /// The first part that is none of these.
    fn from_str(text: &str) -> Result<Self, StatusError> {
        let range = |part: &str| range(part).ok_or_else(|| StatusError(part.to_owned()));
        text.split(',').map(|part| range(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn range(part: &str) -> Option<(u16, u16)> {
    let (first, last) = if let Some(most) = part.strip_prefix("<=") {
        (100, status(most)?)
    } else if let Some(beyond) = part.strip_prefix('<') {
        (100, status(beyond)? - 1)
    } else if let Some(least) = part.strip_prefix(">=") {
        (status(least)?, 999)
    } else if let Some(below) = part.strip_prefix('>') {
        (status(below)? + 1, 999)
    } else if let Some((first, last)) = part.split_once('-') {
        (status(first)?, status(last)?)
    } else if let Some(class) = part.strip_suffix("xx").or_else(|| part.strip_suffix("XX")) {
        let class = status(&format!("{class}00"))?;
        (class, class + 99)
    } else {
        (status(part)?, status(part)?)
    };
    (first <= last).then_some((first, last))
}

/// Three digits, the first not 0 (RFC 9110 15).
fn status(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|status| digits && *status >= 100)
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, &(first, last)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match (first, last) {
                _ if first == last => write!(f, "{comma}{first}")?,
                (100, 999) => write!(f, "{comma}>=100")?,
                (100, last) => write!(f, "{comma}<={last}")?,
                (first, 999) => write!(f, "{comma}>={first}")?,
                _ if first % 100 == 0 && last == first + 99 => {
                    write!(f, "{comma}{}xx", first / 100)?;
                }
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sets_are_read() {
        for (text, up, down) in [
            ("2xx", vec![200, 299], vec![199, 300, 404]),
            ("200", vec![200], vec![201, 199]),
            ("200-299,404", vec![200, 250, 404], vec![300, 403, 500]),
            ("<500", vec![100, 302, 499], vec![500, 999]),
            ("<=404", vec![404], vec![405]),
            (">=200", vec![200, 999], vec![199]),
            (">399", vec![400], vec![399]),
            (" 3xx , 401 ", vec![301, 401], vec![400]),
            ("5XX", vec![503], vec![499]),
        ] {
            let set: StatusSet = text.parse().unwrap();
            assert!(up.iter().all(|&status| set.contains(status)), "{text}");
            assert!(!down.iter().any(|&status| set.contains(status)), "{text}");
        }
    }

    #[test]
    fn the_usual_set_is_all_below_500() {
        assert_eq!("<500".parse(), Ok(StatusSet::default()));
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            "ok",
            "20",
            "2000",
            "099",
            "0xx",
            "10xx",
            "xx",
            "200-",
            "-200",
            "299-200",
            "<100",
            ">999",
            "200,,404",
            "200 404",
            "+20",
            "2xx-3xx",
            "<",
            "２００",
        ] {
            assert!(text.parse::<StatusSet>().is_err(), "{text}");
        }
        let error = "200,nope".parse::<StatusSet>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`nope` is not a status; write it like `200`, `2xx`, `200-299,404` or `<500`"
        );
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_the_same(
            ranges in prop::collection::vec((100_u16..=999, 100_u16..=999), 1..5)
        ) {
            let set = StatusSet(ranges.iter().map(|&(a, b)| (a.min(b), a.max(b))).collect());
            prop_assert_eq!(set.to_string().parse::<StatusSet>(), Ok(set));
        }

        #[test]
        fn anything_at_all_is_read_or_refused(text in ".{0,20}") {
            let _ = text.parse::<StatusSet>();
        }
    }
}
