//! The time of day at this place, for lines that people read along: from the system's zone files
//! (RFC 9636) and the TZ rule at their end (POSIX.1, XBD 8.3). Everything reckoned with or put into
//! JSON is UTC.

use std::ffi::OsString;
use std::path::PathBuf;

use proc_core::timestamp::days;

/// Shows times of day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// `None`: UTC.
    zone: Option<Zone>,
}

impl Clock {
    /// In UTC, marked with `Z`.
    pub const fn utc() -> Self {
        Self { zone: None }
    }

    /// At this place: by TZ, else by `/etc/localtime` (tzset(3)). In UTC where neither can be read.
    pub fn local() -> Self {
        Self { zone: zone_of(std::env::var_os("TZ")) }
    }

    /// The time of day of a moment in RFC 3339, UTC: `19:32:05.123`. Other text is shown as it is.
    pub fn show(&self, at: &str) -> String {
        let Some((date, time)) = at.split_once('T') else { return at.to_owned() };
        let Some(zone) = &self.zone else { return time.to_owned() };
        let Some((moment, rest)) = moment(date, time) else { return at.to_owned() };
        let day = (moment + zone.offset(moment)).rem_euclid(86_400);
        let rest = rest.trim_end_matches('Z');
        format!("{:02}:{:02}:{:02}{rest}", day / 3600, day / 60 % 60, day % 60)
    }
}

/// Seconds since 1970, and what follows the seconds.
fn moment<'a>(date: &str, time: &'a str) -> Option<(i64, &'a str)> {
    let numbers = |text: &str, by: char| -> Option<[i64; 3]> {
        let mut parts = text.splitn(3, by).map(|part| part.parse().ok());
        Some([parts.next()??, parts.next()??, parts.next()??])
    };
    let [year, month, day] = numbers(date, '-')?;
    let (clock, rest) = (time.get(..8)?, time.get(8..)?);
    let [hour, minute, second] = numbers(clock, ':')?;
    Some((days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second, rest))
}

fn zone_of(tz: Option<OsString>) -> Option<Zone> {
    let read = |path: PathBuf| Zone::from_file(&std::fs::read(path).ok()?);
    let Some(tz) = tz else { return read("/etc/localtime".into()) };
    let tz = tz.into_string().ok()?;
    let name = tz.strip_prefix(':').unwrap_or(&tz);
    let inside = !name.is_empty() && !name.starts_with('/') && !name.contains("..");
    if name.starts_with('/') {
        return read(name.into());
    }
    let named = inside.then(|| read(PathBuf::from("/usr/share/zoneinfo").join(name))).flatten();
    named.or_else(|| Some(Zone { changes: Vec::new(), first: 0, rule: Some(Rule::parse(name)?) }))
}

/// The offsets of a place, in seconds east of Greenwich.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Zone {
    /// From which second on which offset holds, ascending.
    changes: Vec<(i64, i64)>,
    /// The offset before the first change.
    first: i64,
    /// What holds after the last change.
    rule: Option<Rule>,
}

impl Zone {
    fn offset(&self, moment: i64) -> i64 {
        let at = self.changes.partition_point(|(from, _)| *from <= moment);
        match (&self.rule, at == self.changes.len()) {
            (Some(rule), true) => rule.offset(moment),
            _ => at.checked_sub(1).map_or(self.first, |at| self.changes[at].1),
        }
    }

    /// A TZif file: an old part with 32-bit times, then from version 2 on the same with 64 bits
    /// and a rule.
    fn from_file(bytes: &[u8]) -> Option<Self> {
        let old = Part::read(bytes, 4)?;
        if *bytes.get(4)? == 0 {
            return old.zone(bytes, None);
        }
        let bytes = bytes.get(old.end..)?;
        let new = Part::read(bytes, 8)?;
        let footer = std::str::from_utf8(bytes.get(new.end..)?).ok()?;
        new.zone(bytes, Rule::parse(footer.trim_matches('\n')))
    }
}

/// Where things are in one part of a TZif file.
struct Part {
    width: usize,
    times: usize,
    types: usize,
    end: usize,
}

impl Part {
    const HEADER: usize = 44;

    fn read(bytes: &[u8], width: usize) -> Option<Self> {
        if bytes.get(..4)? != b"TZif" {
            return None;
        }
        let number = |at: usize| -> Option<usize> {
            let bytes = bytes.get(20 + at * 4..24 + at * 4)?.try_into().ok()?;
            // More than a megabyte of anything is no zone file.
            usize::try_from(u32::from_be_bytes(bytes)).ok().filter(|&count| count < 1 << 20)
        };
        let (utc, standard, leaps) = (number(0)?, number(1)?, number(2)?);
        let (times, types, names) = (number(3)?, number(4)?, number(5)?);
        let rest = types * 6 + names + leaps * (width + 4) + standard + utc;
        let end = Self::HEADER + times * (width + 1) + rest;
        (bytes.len() >= end).then_some(Self { width, times, types, end })
    }

    fn zone(&self, bytes: &[u8], rule: Option<Rule>) -> Option<Zone> {
        let kinds_at = Self::HEADER + self.times * self.width;
        let offset = |kind: usize| -> Option<i64> {
            let at = kinds_at + self.times + kind * 6;
            let bytes = bytes.get(at..at + 4).filter(|_| kind < self.types)?;
            Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?)))
        };
        let time = |index: usize| -> Option<i64> {
            let at = Self::HEADER + index * self.width;
            let bytes = bytes.get(at..at + self.width)?;
            Some(match self.width {
                4 => i64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
                _ => i64::from_be_bytes(bytes.try_into().ok()?),
            })
        };
        let change = |index: usize| {
            let kind = usize::from(*bytes.get(kinds_at + index)?);
            Some((time(index)?, offset(kind)?))
        };
        let changes = (0..self.times).map(change).collect::<Option<Vec<_>>>()?;
        Some(Zone { changes, first: offset(0)?, rule })
    }
}

/// A rule such as `CET-1CEST,M3.5.0,M10.5.0/3`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    standard: i64,
    summer: Option<Summer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Summer {
    offset: i64,
    begins: Turn,
    ends: Turn,
}

/// A day of the year, and seconds into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    day: Day,
    time: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// Weekday of a week of a month; week 5 is the last.
    Week(i64, i64, i64),
    /// From 1, 29 February never counted.
    Julian(i64),
    /// From 0.
    Ordinal(i64),
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let rest = name(text)?;
        let (standard, rest) = hours(rest)?;
        let standard = -standard;
        if rest.is_empty() {
            return Some(Self { standard, summer: None });
        }
        let rest = name(rest)?;
        let (offset, rest) = match rest.starts_with(',') || rest.is_empty() {
            true => (standard + 3600, rest),
            false => hours(rest).map(|(offset, rest)| (-offset, rest))?,
        };
        // Without dates POSIX leaves the rule open; everybody takes the American one.
        let dates = if rest.is_empty() { "M3.2.0,M11.1.0" } else { rest.strip_prefix(',')? };
        let (begins, ends) = dates.split_once(',')?;
        let summer = Summer { offset, begins: Turn::parse(begins)?, ends: Turn::parse(ends)? };
        Some(Self { standard, summer: Some(summer) })
    }

    fn offset(&self, moment: i64) -> i64 {
        let Some(summer) = &self.summer else { return self.standard };
        let year = year_of(moment + self.standard);
        let begins = summer.begins.second(year) - self.standard;
        let ends = summer.ends.second(year) - summer.offset;
        let is_summer = match begins < ends {
            true => (begins..ends).contains(&moment),
            false => !(ends..begins).contains(&moment),
        };
        if is_summer { summer.offset } else { self.standard }
    }
}

impl Turn {
    fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('/').unwrap_or((text, "2"));
        let (time, rest) = hours(time)?;
        let day = if let Some(week) = date.strip_prefix('M') {
            let mut parts = week.splitn(3, '.').map(|part| part.parse().ok());
            Day::Week(parts.next()??, parts.next()??, parts.next()??)
        } else if let Some(day) = date.strip_prefix('J') {
            Day::Julian(day.parse().ok()?)
        } else {
            Day::Ordinal(date.parse().ok()?)
        };
        rest.is_empty().then_some(Self { day, time })
    }

    /// The second of that year's turn, as if the place were at Greenwich.
    fn second(self, year: i64) -> i64 {
        let first = days(year, 1, 1);
        let leap = days(year, 3, 1) - first == 60;
        let day = match self.day {
            Day::Week(month, week, weekday) => {
                let start = days(year, month, 1);
                // 1970-01-01 was a Thursday.
                let to_weekday = (weekday - (start + 4)).rem_euclid(7);
                let next =
                    if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
                let day = start + to_weekday + (week - 1) * 7;
                if day < next { day } else { day - 7 }
            }
            Day::Julian(day) => first + day - 1 + i64::from(leap && day >= 60),
            Day::Ordinal(day) => first + day,
        };
        day * 86_400 + self.time
    }
}

fn year_of(moment: i64) -> i64 {
    let day = moment.div_euclid(86_400);
    let guess = 1970 + day.div_euclid(365);
    (0..).map(|back| guess - back).find(|&year| days(year, 1, 1) <= day).unwrap_or(1970)
}

/// What follows a zone's abbreviation: letters, or anything in angle brackets.
fn name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>').map(|(_, rest)| rest);
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (end >= 3).then(|| &text[end..])
}

/// `[+-]h[:mm[:ss]]` in seconds, and what follows.
fn hours(text: &str) -> Option<(i64, &str)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(digits.len());
    let mut seconds = 0;
    let mut unit = 3600;
    for part in digits[..end].split(':') {
        let number: i64 = part.parse().ok().filter(|number| *number <= 167)?;
        seconds += number * unit;
        unit /= 60;
    }
    Some((sign * seconds, &digits[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Clock {
        let rule = Rule::parse(text).unwrap();
        Clock { zone: Some(Zone { changes: Vec::new(), first: 0, rule: Some(rule) }) }
    }

    #[test]
    fn rules_turn_when_they_say() {
        for (tz, at, want) in [
            ("UTC0", "2026-01-01T19:32:05.123Z", "19:32:05.123"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-01-01T19:32:05.123Z", "20:32:05.123"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59.999Z", "01:59:59.999"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00.000Z", "03:00:00.000"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59.000Z", "02:59:59.000"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00.000Z", "02:00:00.000"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00.000Z", "03:00:00.000"),
            ("EST5EDT", "2026-12-31T23:00:00.000Z", "18:00:00.000"),
            // South of the equator summer spans the turn of the year.
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00.000Z", "11:00:00.000"),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00.000Z", "10:00:00.000"),
            ("<+0545>-5:45", "2026-07-01T00:00:00.000Z", "05:45:00.000"),
            ("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00.000Z", "03:00:00.000"),
            ("XXX3YYY,J60,300", "2024-03-01T05:00:00.000Z", "03:00:00.000"),
        ] {
            assert_eq!(rule(tz).show(at), want, "{tz} {at}");
        }
    }

    #[test]
    fn zone_files_are_read() {
        // A version 1 file: UTC+1 until 1000, UTC+2 after.
        let mut bytes = b"TZif".to_vec();
        bytes.resize(20, 0);
        for count in [0u32, 0, 0, 1, 2, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend(1000i32.to_be_bytes());
        bytes.push(1);
        for offset in [3600i32, 7200] {
            bytes.extend(offset.to_be_bytes());
            bytes.extend([0, 0]);
        }
        bytes.extend(b"XYZ\0");
        let zone = Zone::from_file(&bytes).unwrap();
        assert_eq!((zone.offset(999), zone.offset(1000)), (3600, 7200));
        for cut in 0..bytes.len() {
            assert_eq!(Zone::from_file(&bytes[..cut]), None, "{cut}");
        }
        // Version 2: the same in 64 bits, and a rule.
        let mut second = bytes[..44].to_vec();
        second.extend(1000i64.to_be_bytes());
        second.extend(&bytes[48..]);
        second.extend(b"\nABC-3\n");
        bytes[4] = b'2';
        bytes.extend(second);
        let zone = Zone::from_file(&bytes).unwrap();
        assert_eq!((zone.offset(999), zone.offset(1000)), (3600, 10_800));
    }

    #[test]
    fn what_cannot_be_read_is_utc() {
        assert_eq!(Clock::utc().show("2026-01-01T19:32:05.123Z"), "19:32:05.123Z");
        for tz in ["", "no/such/place", "../../etc/passwd", "X", "ABC"] {
            assert_eq!(zone_of(Some(tz.into())), None, "{tz}");
        }
        assert_eq!(Clock::local().show("nonsense"), "nonsense");
        assert_eq!(rule("UTC0").show("2026T"), "2026T");
    }
}
