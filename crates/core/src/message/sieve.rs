//! Finds the places of a log that may be a message: every row's key, at the speed of memory and
//! whatever stands between the letters. Whether it is a message is not decided here.

use std::sync::OnceLock;

use super::rows::ROWS;

/// The shortest key that the tables can hold.
const SHORTEST: usize = 5;
const GRAM: usize = 3;
const TABLE: usize = 1 << 15;
/// Bytes between two notes of how far the text without spaces has come.
const STRIDE: usize = 128;

/// A key that ends in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where its last byte is, in the text as it was given.
    pub at: usize,
    /// Which; see [`Keys::rows`].
    pub key: usize,
}

/// The keys of all rows, ready to be searched for together: Wu and Manber's shift table over
/// three bytes at a time.
#[derive(Debug)]
pub(super) struct Keys {
    shift: Vec<u8>,
    /// Keys by the hash of the last three of their first [`SHORTEST`] bytes, sorted.
    buckets: Vec<(u16, u16)>,
    texts: Vec<&'static [u8]>,
    rows: Vec<Vec<usize>>,
    longest: usize,
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
        let mut keys = Self {
            shift: vec![(SHORTEST - GRAM + 1) as u8; TABLE],
            buckets: Vec::new(),
            texts: Vec::new(),
            rows: Vec::new(),
            longest: 0,
        };
        for (place, row) in ROWS.iter().enumerate() {
            for key in row.keys {
                keys.add(key.as_bytes(), place);
            }
        }
        keys.buckets.sort_unstable();
        keys
    }

    fn add(&mut self, key: &'static [u8], row: usize) {
        if let Some(known) = self.texts.iter().position(|text| *text == key) {
            self.rows[known].push(row);
            return;
        }
        for start in 0..=SHORTEST - GRAM {
            let hash = hash(&key[start..start + GRAM]);
            let shift = (SHORTEST - GRAM - start) as u8;
            let slot = &mut self.shift[usize::from(hash)];
            *slot = (*slot).min(shift);
            if shift == 0 {
                self.buckets.push((hash, self.texts.len() as u16));
            }
        }
        self.longest = self.longest.max(key.len());
        self.texts.push(key);
        self.rows.push(vec![row]);
    }

    /// Every key in `text`, as the end of each and which it is.
    fn search(&self, text: &[u8], mut hit: impl FnMut(usize, usize)) {
        let mut at = SHORTEST;
        let shifts: &[u8; TABLE] = self.shift.as_slice().try_into().expect("of that length");
        while let Some(gram) = text.get(at - GRAM..at) {
            let hash = hash(gram);
            let shift = shifts[usize::from(hash) & (TABLE - 1)];
            if shift > 0 {
                at += usize::from(shift);
                continue;
            }
            let rest = &text[at - SHORTEST..];
            let first = self.buckets.partition_point(|(bucket, _)| *bucket < hash);
            for (_, key) in self.buckets[first..].iter().take_while(|(bucket, _)| *bucket == hash) {
                let key = usize::from(*key);
                if rest.starts_with(self.texts[key]) {
                    hit(at - SHORTEST + self.texts[key].len() - 1, key);
                }
            }
            at += 1;
        }
    }
}

fn hash(gram: &[u8]) -> u16 {
    let [a, b, c] = [u16::from(gram[0]), u16::from(gram[1]), u16::from(gram[2])];
    (a ^ (b << 5) ^ (c << 10)) & (TABLE as u16 - 1)
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

/// Searches a stream, part after part: a key may lie across two.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// The text without spaces and control characters: first the end of the part before.
    squeezed: Vec<u8>,
    /// How much of it is text.
    length: usize,
    /// Its length after every [`STRIDE`] bytes of the part.
    notes: Vec<usize>,
}

impl Sieve {
    /// The keys that end in `part`, which goes on where the last one ended, in order.
    pub fn pass(&mut self, part: &[u8]) -> Vec<Hit> {
        let keys = Keys::get();
        let mut hits = Vec::new();
        let carried = self.keep_end(keys.longest - 1);
        self.squeeze(part, carried);
        keys.search(&self.squeezed[..self.length], |end, key| {
            // Those that end before were found in the part before.
            if end >= carried {
                hits.push(Hit { at: end, key });
            }
        });
        for hit in &mut hits {
            hit.at = self.place_of(hit.at, part, carried);
        }
        hits.sort_unstable_by_key(|hit| (hit.at, hit.key));
        hits
    }

    fn keep_end(&mut self, most: usize) -> usize {
        let from = self.length.saturating_sub(most);
        self.squeezed.copy_within(from..self.length, 0);
        self.length -= from;
        self.length
    }

    fn squeeze(&mut self, part: &[u8], carried: usize) {
        // Every stride is written whole, so room for one more is needed behind the last.
        let room = carried + part.len() + STRIDE;
        if self.squeezed.len() < room {
            self.squeezed.resize(room, 0);
        }
        self.notes.clear();
        let mut length = carried;
        for piece in part.chunks(STRIDE) {
            let place: &mut [u8; STRIDE] =
                (&mut self.squeezed[length..length + STRIDE]).try_into().expect("of that length");
            let mut kept = 0;
            for &byte in piece {
                // Never more than the stride; the mask spares the check.
                place[kept & (STRIDE - 1)] = FOLD[usize::from(byte)];
                kept += usize::from(byte > b' ');
            }
            length += kept;
            self.notes.push(length);
        }
        self.length = length;
    }

    /// Where in the part the byte is that came to lie there.
    fn place_of(&self, squeezed: usize, part: &[u8], carried: usize) -> usize {
        let stride = self.notes.partition_point(|length| *length <= squeezed);
        let mut length = if stride == 0 { carried } else { self.notes[stride - 1] };
        let start = stride * STRIDE;
        for (place, &byte) in part[start..].iter().enumerate() {
            if byte > b' ' {
                if length == squeezed {
                    return start + place;
                }
                length += 1;
            }
        }
        part.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(parts: &[&str]) -> Vec<(usize, &'static str)> {
        let mut sieve = Sieve::default();
        let mut base = 0;
        let mut all = Vec::new();
        for part in parts {
            for hit in sieve.pass(part.as_bytes()) {
                let key = std::str::from_utf8(Keys::get().texts[hit.key]).unwrap();
                all.push((base + hit.at, key));
            }
            base += part.len();
        }
        all
    }

    #[test]
    fn keys_are_long_enough_and_in_their_own_form() {
        for row in ROWS {
            assert!(!row.keys.is_empty(), "{}", row.source);
            for key in row.keys {
                assert!(key.len() >= SHORTEST, "{key}");
                let folded: Vec<u8> =
                    key.bytes().filter(|b| *b > b' ').map(|b| FOLD[usize::from(b)]).collect();
                assert_eq!(folded, key.as_bytes(), "{key}");
            }
        }
    }

    #[test]
    fn a_key_is_found_however_it_is_spaced_and_cut() {
        let text = "x Address  al\n  ready in\tUSE.";
        let whole = found(&[text]);
        assert!(whole.contains(&(text.len() - 2, "addressalreadyinuse")), "{whole:?}");
        for cut in 0..text.len() {
            assert_eq!(found(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(found(&letters), whole);
        assert!(found(&["an address is in use"]).is_empty());
    }
}
