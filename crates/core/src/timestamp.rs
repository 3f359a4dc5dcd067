//! RFC 3339 timestamps in UTC: all the calendar that the documents need.

use std::time::{SystemTime, UNIX_EPOCH};

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
    use std::time::Duration;

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
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), want);
        }
        let late = UNIX_EPOCH + Duration::from_micros(951_782_400_007_999);
        assert_eq!(rfc3339_ms(late), "2000-02-29T00:00:00.007Z");
        assert_eq!(rfc3339_ms(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }
}
