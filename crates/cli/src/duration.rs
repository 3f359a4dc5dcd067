//! Durations as people type them, in one form: `500ms`, `5s`, `1m30s`, `2h`.

use std::time::Duration;

/// The units, largest first, with their milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The duration a word means. The error is a sentence that shows the form that was meant.
pub fn parse(word: &str) -> Result<Duration, String> {
    if word.is_empty() {
        return Err("a duration is missing; for example `5s`".to_owned());
    }
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{word}` has no unit; write `{word}s` for seconds"));
    }
    parts(word).ok_or_else(|| {
        format!("`{word}` is not a duration; write it like `500ms`, `5s`, `1m30s` or `2h`")
    })
}

fn parts(word: &str) -> Option<Duration> {
    let mut rest = word;
    let mut total: u64 = 0;
    let mut smallest: Option<usize> = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = UNITS.iter().position(|(name, _)| *name == &rest[..end])?;
        // Each unit once, from large to small: `30s1m` is a slip, not a duration.
        if smallest.is_some_and(|before| unit <= before) {
            return None;
        }
        smallest = Some(unit);
        total = total.checked_add(number.checked_mul(UNITS[unit].1)?)?;
        rest = &rest[end..];
    }
    Some(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms() {
        for (word, ms) in [
            ("5s", 5000),
            ("0s", 0),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1m500ms", 60_500),
            ("2h", 7_200_000),
            ("1h1m1s1ms", 3_661_001),
            ("90s", 90_000),
        ] {
            assert_eq!(parse(word), Ok(Duration::from_millis(ms)), "{word}");
        }
    }

    #[test]
    fn a_bare_number_is_refused_with_the_form_meant() {
        assert_eq!(parse("5").unwrap_err(), "`5` has no unit; write `5s` for seconds");
        assert_eq!(parse("0").unwrap_err(), "`0` has no unit; write `0s` for seconds");
    }

    #[test]
    fn others_are_refused() {
        for word in [
            "",
            "s",
            "5x",
            "-5s",
            "1.5s",
            "5 s",
            "30s1m",
            "5s5s",
            "5S",
            "99999999999999999999s",
            "18446744073709551615h",
            "5sé",
            "٣s",
        ] {
            assert!(parse(word).is_err(), "{word}");
        }
    }
}
