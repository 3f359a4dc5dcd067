//! A line that is being typed in bash, as words: quotes may be open, and the last word is wanted as
//! it stands too, since bash replaces a part of it.

/// A line, split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The words before the last, without their quotes.
    pub before: Vec<String>,
    /// The last, which may be empty, without its quotes.
    pub current: String,
    /// The last as it stands.
    pub raw: String,
    /// The quote that is open at the end.
    pub open: Option<char>,
}

/// Splits the line up to the cursor.
pub fn split(line: &str) -> Split {
    let mut split = Split::default();
    let mut begun = false;
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        if split.open.is_none() && c.is_whitespace() {
            if begun {
                split.before.push(std::mem::take(&mut split.current));
            }
            split.raw.clear();
            begun = false;
            continue;
        }
        begun = true;
        split.raw.push(c);
        match (c, split.open) {
            ('\\', None | Some('"')) => {
                if let Some(next) = letters.next() {
                    split.raw.push(next);
                    split.current.push(next);
                }
            }
            (quote @ ('\'' | '"'), None) => split.open = Some(quote),
            (quote, Some(open)) if quote == open => split.open = None,
            (c, _) => split.current.push(c),
        }
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_one_at_the_cursor() {
        for (line, before, current, raw) in [
            ("proc on :30", &["proc", "on"][..], ":30", ":30"),
            ("proc on ", &["proc", "on"], "", ""),
            ("proc on my\\ ap", &["proc", "on"], "my ap", "my\\ ap"),
            ("proc on \"my ap", &["proc", "on"], "my ap", "\"my ap"),
            ("proc 'a b' '", &["proc", "a b"], "", "'"),
            ("  proc  -q", &["proc"], "-q", "-q"),
            ("proc a\\", &["proc"], "a", "a\\"),
            ("", &[], "", ""),
        ] {
            let split = split(line);
            assert_eq!(split.before, before, "{line}");
            assert_eq!((split.current.as_str(), split.raw.as_str()), (current, raw), "{line}");
        }
    }
}
