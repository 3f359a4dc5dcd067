//! Finds the places of a log that may be a message: every row's key, at the speed of memory and
//! whatever stands between the letters. Whether it is a message is not decided here.

use std::sync::OnceLock;

use super::rows::ROWS;

/// Pairs of letters at the end of a key that the filter looks at.
const DEPTH: usize = 7;
/// Groups of keys that the filter tells apart: bits of a byte.
const GROUPS: usize = 8;
/// What a letter is told apart as, in bits.
const CODE_BITS: u32 = 6;
const PAIRS: usize = 1 << (2 * CODE_BITS);
/// No key is shorter, in bytes.
const SHORTEST: usize = 5;
/// No key is longer, in bytes.
const LONGEST: usize = 96;
/// How far back a key may be spread over spaces, in bytes.
const SPREAD: usize = 4096;
/// Bytes that are passed over at once where they are all spaces or zeros.
const STRIDE: usize = 64;

/// A key that ends in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where its last byte is, in the text as it was given.
    pub at: usize,
    /// Which; see [`Keys::rows`].
    pub key: usize,
}

/// The keys of all rows, ready to be searched for together. A filter goes first: shift-or over
/// pairs of letters, for eight groups of keys at a time (Baeza-Yates and Gonnet, CACM 35(10)).
#[derive(Debug)]
pub(super) struct Keys {
    /// For each pair of codes a byte per depth: its bits are the groups none of whose keys has
    /// that pair there.
    masks: Vec<u64>,
    /// The keys from their ends, sorted.
    texts: Vec<Vec<u8>>,
    /// How each begins; see [`start_of`].
    starts: Vec<u64>,
    /// The longest other key that each one ends with.
    within: Vec<Option<usize>>,
    rows: Vec<Vec<usize>>,
}

impl Keys {
    /// The keys of [`ROWS`].
    pub fn get() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::build)
    }

    /// The rows that need that key.
    pub fn rows(&self, key: usize) -> &[usize] {
        &self.rows[key]
    }

    fn build() -> Self {
        let reversed = |key: &&str| key.bytes().rev().collect::<Vec<u8>>();
        let mut texts: Vec<Vec<u8>> = ROWS.iter().flat_map(|row| row.keys).map(reversed).collect();
        texts.sort_unstable();
        texts.dedup();
        let place = |key: &[u8]| texts.binary_search_by(|text| text.as_slice().cmp(key)).ok();
        let mut rows = vec![Vec::new(); texts.len()];
        for (number, row) in ROWS.iter().enumerate() {
            for key in row.keys.iter().filter_map(|key| place(&reversed(key))) {
                rows[key].push(number);
            }
        }
        let within = |text: &Vec<u8>| (1..text.len()).rev().find_map(|end| place(&text[..end]));
        let within = texts.iter().map(within).collect();
        let starts = texts.iter().map(|text| start_of(text)).collect();
        Self { masks: masks(&texts), texts, starts, within, rows }
    }

    /// Every key that ends at that byte of the text.
    fn ending_at(&self, text: &[u8], at: usize, mut hit: impl FnMut(usize)) {
        let near = &text[at.saturating_sub(SPREAD)..=at];
        let mut ink = near.iter().rev().filter(|byte| **byte > b' ');
        let mut tail = [0; LONGEST];
        let mut length = fill(&mut tail[..SHORTEST], &mut ink);
        let end = start_of(&tail);
        let first = self.starts.partition_point(|start| *start < end);
        let alike = self.starts[first..].iter().take_while(|start| **start == end).count();
        let alike = &self.texts[first..first + alike];
        let Some(longest) = alike.iter().map(Vec::len).max() else { return };
        length += fill(&mut tail[SHORTEST..longest], &mut ink);
        let tail = &tail[..length];
        // Of the keys that the tail begins with each begins with the next shorter one: they are
        // the greatest key that is not greater than the tail, and those within it.
        let after = first + alike.partition_point(|key| key.as_slice() <= tail);
        let mut next = after.checked_sub(1);
        while let Some(key) = next.filter(|key| !tail.starts_with(&self.texts[*key])) {
            next = self.within[key];
        }
        while let Some(key) = next {
            hit(key);
            next = self.within[key];
        }
    }
}

/// Puts the next letters there, in lower case; how many there were.
fn fill<'a>(place: &mut [u8], ink: &mut impl Iterator<Item = &'a u8>) -> usize {
    let letters = place.iter_mut().zip(ink);
    letters.map(|(place, byte)| *place = FOLD[usize::from(*byte)]).count()
}

/// The first bytes as a number, in the order of the texts.
fn start_of(text: &[u8]) -> u64 {
    text.iter().take(SHORTEST).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The filter. Short keys have a group of their own, for they filter less.
fn masks(keys: &[Vec<u8>]) -> Vec<u64> {
    let mut masks = vec![u64::MAX; PAIRS];
    for (place, key) in keys.iter().enumerate() {
        let short = key.len() <= DEPTH;
        let group = if short { 0 } else { 1 + place * (GROUPS - 1) / keys.len() };
        let bit = |depth: usize| !(1 << (depth * GROUPS + group));
        for (back, pair) in key.windows(2).take(DEPTH).enumerate() {
            let pair = pair_of(code(pair[1]), code(pair[0]));
            masks[pair] &= bit(DEPTH - 1 - back);
        }
        // Any pair will do before a short one.
        for depth in 0..DEPTH.saturating_sub(key.len() - 1) {
            masks.iter_mut().for_each(|mask| *mask &= bit(depth));
        }
    }
    masks
}

const fn pair_of(first: u8, second: u8) -> usize {
    ((first as usize) << CODE_BITS | second as usize) & (PAIRS - 1)
}

/// What a byte is compared as: ASCII in lower case.
const FOLD: [u8; 256] = {
    let mut fold = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        fold[byte] = (byte as u8).to_ascii_lowercase();
        byte += 1;
    }
    fold
};

/// What a byte is filtered as: letters and digits apart, the others near enough.
const CODES: [u8; 256] = {
    let mut codes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        codes[byte] = match FOLD[byte] {
            letter @ b'a'..=b'z' => letter - b'a',
            digit @ b'0'..=b'9' => 26 + digit - b'0',
            other => 36 + other % 28,
        };
        byte += 1;
    }
    codes
};

const fn code(byte: u8) -> u8 {
    CODES[byte as usize]
}

/// Searches a stream, part after part: a key may lie across two.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// A byte per depth, as in [`Keys`]: a zero bit where a group's pairs have come so far.
    state: u64,
    /// The code of the last byte that was no space.
    last: u8,
}

impl Sieve {
    /// The keys that end in the text from that place on, in order. What stands before that place
    /// has been passed, and is there still as far as it matters.
    pub fn pass(&mut self, text: &[u8], from: usize) -> Vec<Hit> {
        let keys = Keys::get();
        let masks: &[u64; PAIRS] = keys.masks.as_slice().try_into().expect("of that length");
        let mut hits = Vec::new();
        let (mut state, mut last) = (self.state, self.last);
        let mut start = from;
        for part in text[from..].chunks(STRIDE) {
            if part.iter().fold(0, |most, byte| most.max(*byte)) > b' ' {
                for (place, &byte) in part.iter().enumerate() {
                    let code = code(byte);
                    let next = state << GROUPS | masks[pair_of(last, code)];
                    // Chosen and not jumped to: nobody can foresee where words end.
                    let ink = byte > b' ';
                    state = if ink { next } else { state };
                    last = if ink { code } else { last };
                    if passes(state) && ink {
                        let at = start + place;
                        keys.ending_at(text, at, |key| hits.push(Hit { at, key }));
                    }
                }
            }
            start += part.len();
        }
        (self.state, self.last) = (state, last);
        hits
    }
}

/// Whether all pairs of some key may have come.
const fn passes(state: u64) -> bool {
    (state >> ((DEPTH - 1) * GROUPS)) as u8 != u8::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(parts: &[&str]) -> Vec<(usize, String)> {
        let mut sieve = Sieve::default();
        let mut text = Vec::new();
        let mut all = Vec::new();
        for part in parts {
            let from = text.len();
            text.extend_from_slice(part.as_bytes());
            for hit in sieve.pass(&text, from) {
                let key = Keys::get().texts[hit.key].iter().rev().copied().collect();
                all.push((hit.at, String::from_utf8(key).unwrap()));
            }
        }
        all
    }

    #[test]
    fn keys_are_long_enough_and_in_their_own_form() {
        for row in ROWS {
            assert!(!row.keys.is_empty(), "{}", row.source);
            for key in row.keys {
                assert!((SHORTEST..=LONGEST).contains(&key.len()), "{key}");
                let folded: Vec<u8> =
                    key.bytes().filter(|b| *b > b' ').map(|b| FOLD[usize::from(b)]).collect();
                assert_eq!(folded, key.as_bytes(), "{key}");
            }
        }
    }

    #[test]
    fn every_key_is_found_alone_in_words_and_across_parts() {
        for key in ROWS.iter().flat_map(|row| row.keys) {
            let spaced: String = key.chars().map(|c| format!("{c}\n ")).collect();
            for text in [(*key).to_owned(), format!("some {key}."), key.to_uppercase(), spaced] {
                let all = found(&[&text]);
                // Two letters of some languages are one in upper case.
                let same = text.to_lowercase().split_whitespace().collect::<String>().contains(key);
                assert!(
                    !same
                        || text.to_ascii_lowercase() != text.to_lowercase()
                        || all.iter().any(|(_, found)| found == key),
                    "{key} in {text:?}: {all:?}"
                );
            }
        }
    }

    #[test]
    fn a_key_is_found_however_it_is_spaced_and_cut() {
        let text = "x Address  al\n  ready in\tUSE.";
        let whole = found(&[text]);
        assert!(whole.contains(&(text.len() - 2, "addressalreadyinuse".to_owned())), "{whole:?}");
        for cut in 0..text.len() {
            assert_eq!(found(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(found(&letters), whole);
        assert!(found(&["an address is in use"]).is_empty());
    }
}
