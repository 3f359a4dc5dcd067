//! A line of words, as a shell would split it: blanks, quotes, backslashes. No shell is asked, so
//! nothing in it is expanded or run.

/// The words.
///
/// # Errors
/// A quote that is not closed, or a backslash at the end.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' | '"' => quoted(c, &mut chars, word.get_or_insert_default())?,
            '\\' => {
                let next = chars.next().ok_or("a backslash ends it")?;
                word.get_or_insert_default().push(next);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match chars.next() {
                Some(next @ ('"' | '\\')) => word.push(next),
                Some(next) => word.extend(['\\', next]),
                None => break,
            },
            c => word.push(c),
        }
    }
    Err(format!("a {quote} is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does_and_nothing_is_expanded() {
        for (line, want) in [
            ("less -FRX", &["less", "-FRX"][..]),
            ("  a\t b ", &["a", "b"]),
            ("a 'b c' \"d e\"f", &["a", "b c", "d ef"]),
            ("'' \"\"", &["", ""]),
            ("a\\ b 'it'\\''s'", &["a b", "it's"]),
            ("\"a\\\"b\\c\"", &["a\"b\\c"]),
            ("$(touch x) `y` | z; w", &["$(touch", "x)", "`y`", "|", "z;", "w"]),
            ("", &[]),
        ] {
            assert_eq!(split(line).unwrap(), want, "{line}");
        }
        assert_eq!(split("a 'b").unwrap_err(), "a ' is not closed");
        assert_eq!(split("a \"b\\").unwrap_err(), "a \" is not closed");
        assert_eq!(split("a\\").unwrap_err(), "a backslash ends it");
    }
}
