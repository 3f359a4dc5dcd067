//! UTF-16 that need not be valid, kept as bytes without loss: command lines, paths and variables of
//! Windows in files and reports that hold bytes. Valid text becomes UTF-8; half a surrogate pair
//! becomes the three bytes that UTF-8 would give its number (WTF-8, as Rust's own strings of the
//! system have it).

/// The bytes of these units.
pub fn to_bytes(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len());
    for letter in char::decode_utf16(units.iter().copied()) {
        match letter {
            Ok(letter) => bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
            Err(half) => {
                let unit = half.unpaired_surrogate();
                let [top, middle, low] = [unit >> 12, unit >> 6 & 0x3f, unit & 0x3f];
                bytes.extend([0xe0, 0x80, 0x80].into_iter().zip([top, middle, low]).map(
                    // Six bits at most each.
                    |(mark, bits)| mark | u8::try_from(bits).unwrap_or(0),
                ));
            }
        }
    }
    bytes
}

/// The units of such bytes; what is neither UTF-8 nor half a pair becomes the replacement character.
pub fn to_units(bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
        };
        units.extend(valid.encode_utf16());
        rest = &rest[valid.len()..];
        if let Some((half, length)) = half(rest) {
            units.push(half);
            rest = &rest[length..];
        }
    }
    units
}

/// What stands where no UTF-8 does, and how many bytes it takes; `None` at the end.
fn half(bytes: &[u8]) -> Option<(u16, usize)> {
    match *bytes {
        [] => None,
        [0xed, middle @ 0xa0..=0xbf, low @ 0x80..=0xbf, ..] => {
            Some((0xd000 | u16::from(middle & 0x3f) << 6 | u16::from(low & 0x3f), 3))
        }
        [_, ..] => Some((0xfffd, 1)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_utf_8_and_half_a_pair_is_kept() {
        let units: Vec<u16> = "n\u{e4}\u{1f600}".encode_utf16().collect();
        assert_eq!(to_bytes(&units), "n\u{e4}\u{1f600}".as_bytes());
        assert_eq!(to_bytes(&[0x61, 0xd83d, 0x62]), b"a\xed\xa0\xbdb");
        assert_eq!(to_units(b"a\xed\xa0\xbdb"), [0x61, 0xd83d, 0x62]);
        assert_eq!(to_units(b"a\xffb\xed"), [0x61, 0xfffd, 0x62, 0xfffd]);
    }

    proptest! {
        #[test]
        fn units_come_back(units in prop::collection::vec(any::<u16>(), 0..64)) {
            prop_assert_eq!(to_units(&to_bytes(&units)), units);
        }

        #[test]
        fn surrogates_come_back(units in prop::collection::vec(0xd700_u16..0xe100, 0..16)) {
            prop_assert_eq!(to_units(&to_bytes(&units)), units);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(to_units(&bytes).len() <= bytes.len());
        }
    }
}
