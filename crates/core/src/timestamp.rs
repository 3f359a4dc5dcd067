//! RFC 3339 timestamps in UTC: all the calendar that the documents need.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-01-01T10:00:00Z`. Times before 1970 read as 1970.
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let mut text = String::with_capacity("2026-01-01T10:00:00Z".len());
    // Digit by digit: a list has one for each of thousands of processes.
    for (number, width, after) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (hour, 2, ':'),
        (minute, 2, ':'),
        (second, 2, 'Z'),
    ] {
        push_digits(&mut text, number, width);
        text.push(after);
    }
    text
}

/// A number with zeros before it up to that width.
fn push_digits(text: &mut String, number: u64, width: u32) {
    if number >= 10_u64.pow(width) {
        return text.push_str(&number.to_string());
    }
    for place in (0..width).rev() {
        let digit = (number / 10_u64.pow(place) % 10) as u8;
        text.push(char::from(b'0' + digit));
    }
}

/// The same to the millisecond: `2026-01-01T10:00:00.123Z`.
pub fn rfc3339_ms(time: SystemTime) -> String {
    let ms = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_millis());
    let whole = rfc3339(time);
    format!("{}.{ms:03}Z", whole.trim_end_matches('Z'))
}

/// A moment that was written so, with or without a fraction of a second, or in seconds since 1970.
/// `None` for anything else, other zones than UTC included.
pub fn parse(text: &str) -> Option<SystemTime> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return UNIX_EPOCH.checked_add(Duration::from_secs(text.parse().ok()?));
    }
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let (year, month, day) = three(date, '-', [4, 2, 2])?;
    let (hour, minute, second) = three(time, ':', [2, 2, 2])?;
    let nanos = match fraction.len() {
        1..=9 => number(fraction)? * 10_u64.pow(9 - fraction.len() as u32),
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // A day that is none, such as February 30, is not the day that comes out.
    let whole = |number: u64| i64::try_from(number).ok();
    let days = u64::try_from(days(whole(year)?, whole(month)?, whole(day)?)).ok()?;
    if civil(days) != (year, month, day) {
        return None;
    }
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_nanos(nanos))
}

fn three(text: &str, by: char, digits: [usize; 3]) -> Option<(u64, u64, u64)> {
    let mut parts = text.split(by);
    let mut next = |length: usize| number(parts.next().filter(|part| part.len() == length)?);
    let three = (next(digits[0])?, next(digits[1])?, next(digits[2])?);
    parts.next().is_none().then_some(three)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March. What is no
/// day, such as February 30, is counted as if the month went on.
pub const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years are
/// taken to begin in March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (1_767_261_600, "2026-01-01T10:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), want);
            assert_eq!(parse(want), Some(time));
            assert_eq!(parse(&seconds.to_string()), Some(time));
        }
        let late = UNIX_EPOCH + Duration::from_micros(951_782_400_007_999);
        assert_eq!(rfc3339_ms(late), "2000-02-29T00:00:00.007Z");
        assert_eq!(rfc3339_ms(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_no_moment_is_none() {
        let late = UNIX_EPOCH + Duration::from_millis(1_767_261_600_250);
        assert_eq!(parse("2026-01-01T10:00:00.25Z"), Some(late));
        for text in [
            "",
            "now",
            "Z",
            "2026-01-01",
            "2026-01-01T10:00:00",
            "2026-01-01T10:00:00+01:00",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-1-1T10:00:00Z",
            "2026-01-01T10:00:00.Z",
            "2026-01-01T10:00:00.1234567890Z",
            "1969-12-31T23:59:59Z",
            "+026-01-01T10:00:00Z",
            "-5",
            "1.5",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let all = (0..40_000).map(|days| UNIX_EPOCH + Duration::from_secs(days * 86_400 + 1));
        assert!(all.into_iter().all(|time| parse(&rfc3339(time)) == Some(time)));
    }
}
