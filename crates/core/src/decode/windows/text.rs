//! Strings and times as Windows has them: UTF-16 that need not be valid, FILETIME, and the list of
//! distributions that `wsl` prints in UTF-16.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// UTF-16 as text, up to its first zero. A half of a surrogate pair alone, which file names may
/// have, becomes the replacement character.
pub fn from_utf16(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

/// What a program wrote: UTF-16 with the low byte first (as `wsl.exe` writes to a pipe), with or
/// without its mark, or else UTF-8, in which no byte is zero. A last odd byte is left out.
pub fn from_utf16_bytes(bytes: &[u8]) -> String {
    let marked = bytes.strip_prefix(&[0xff, 0xfe]);
    if marked.is_none() && !bytes.contains(&0) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let units: Vec<u16> = marked
        .unwrap_or(bytes)
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}

/// The distributions in the output of `wsl.exe --list --quiet`: a name a line.
pub fn distributions(output: &[u8]) -> Vec<String> {
    from_utf16_bytes(output)
        .lines()
        .map(|line| line.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0'))
        // Names have no spaces (`wsl --import` refuses them): a sentence is not one.
        .filter(|line| !line.is_empty() && !line.contains(char::is_whitespace))
        .map(str::to_owned)
        .collect()
}

/// 100 ns between 1601 and 1970.
const EPOCH: u64 = 116_444_736_000_000_000;

/// A FILETIME (100 ns since 1601) as a moment; `None` for 0, before 1970, and beyond the clock.
pub fn filetime(time: u64) -> Option<SystemTime> {
    let since = time.checked_sub(EPOCH)?;
    // The top bit is a sign to Windows.
    (time >> 63 == 0)
        .then(|| Duration::new(since / 10_000_000, (since % 10_000_000) as u32 * 100))
        .and_then(|since| UNIX_EPOCH.checked_add(since))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_surrogate_is_replaced_and_a_zero_ends_it() {
        assert_eq!(from_utf16(&[0x6e, 0xd800, 0x6f]), "n\u{fffd}o");
        assert_eq!(from_utf16(&[0x6e, 0, 0x6f]), "n");
        assert_eq!(from_utf16(&[0xd83d, 0xde00]), "😀");
        assert_eq!(from_utf16(&[]), "");
    }

    #[test]
    fn the_list_of_distributions_is_read_in_either_encoding() {
        let wide =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let want = ["Ubuntu-24.04", "docker-desktop"];
        assert_eq!(distributions(&wide("Ubuntu-24.04\r\ndocker-desktop\r\n")), want);
        let mut marked = vec![0xff, 0xfe];
        marked.extend(wide("Ubuntu-24.04\r\ndocker-desktop\r\n\0"));
        marked.push(7);
        assert_eq!(distributions(&marked), want);
        assert_eq!(distributions(b"Ubuntu-24.04\ndocker-desktop\n"), want);
        assert!(distributions(&wide("There are no running distributions.\r\n")).is_empty());
        assert!(distributions(&wide("Es gibt keine laufenden Distributionen.\r\n")).is_empty());
    }

    #[test]
    fn a_filetime_is_a_moment() {
        assert_eq!(filetime(EPOCH), Some(UNIX_EPOCH));
        let moment = filetime(133_500_000_000_000_001).unwrap();
        let since = moment.duration_since(UNIX_EPOCH).unwrap();
        assert_eq!((since.as_secs(), since.subsec_nanos()), (1_705_526_400, 100));
        assert_eq!(filetime(0), None);
        assert_eq!(filetime(EPOCH - 1), None);
        assert_eq!(filetime(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..256), units in prop::collection::vec(any::<u16>(), 0..256), time in any::<u64>()) {
            let _ = (distributions(&bytes), from_utf16(&units), filetime(time));
        }
    }
}
