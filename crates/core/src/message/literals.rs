//! The words without which an expression cannot match, read off the expression. Only what the rows
//! use is known; anything else ends a word, which is never wrong.

/// The words that every match contains, case and all; none where letters of either case match.
pub(super) fn required(pattern: &str) -> Vec<String> {
    if pattern.starts_with("(?i)") || has_choice(pattern) {
        return Vec::new();
    }
    let mut words = vec![String::new()];
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => chars.next().filter(|escaped| !escaped.is_ascii_alphanumeric()),
            '[' => {
                skip_class(&mut chars);
                None
            }
            '(' => {
                skip_group(&mut chars);
                None
            }
            '.' | '^' | '$' | ')' | '?' | '*' | '+' | '{' | '}' => None,
            c => Some(c),
        };
        let optional = matches!(chars.peek(), Some('?' | '*' | '{'));
        match literal {
            Some(literal) if !optional => words[..].last_mut().expect("one").push(literal),
            _ => words.push(String::new()),
        }
        if c == '{' {
            chars.by_ref().find(|c| *c == '}');
        }
    }
    words.retain(|word| word.len() > 1);
    words
}

/// Whether the expression as a whole is one of several.
fn has_choice(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '[' => skip_class(&mut chars),
            '(' => skip_group(&mut chars),
            '|' => return true,
            _ => {}
        }
    }
    false
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Goes past the end of a class whose `[` has been read.
fn skip_class(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            ']' => return,
            _ => {}
        }
    }
}

/// Goes past the end of a group whose `(` has been read.
fn skip_group(chars: &mut Chars<'_>) {
    let mut depth = 1;
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '[' => skip_class(chars),
            '(' => depth += 1,
            ')' if depth == 1 => return,
            ')' => depth -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_every_match() {
        for (pattern, want) in [
            (r"listen EADDRINUSE: (?P<a>[\w.:]*):(?P<p>\d{1,5})\b", &["listen EADDRINUSE: "][..]),
            (r"\[Errno (?P<e>98|48)\] in use", &["[Errno ", "] in use"]),
            (r"EADDRINUSE:? (?P<a>x)", &["EADDRINUSE"]),
            (r"[Pp]ort (?P<p>\d{1,5}) is", &["ort ", " is"]),
            (r"smartsocket\*? x+yz\d{1,5}?ab", &["smartsocket", " x", "yz", "ab"]),
            (r"one|two", &[]),
            (r"(?i)one two", &[]),
            (r"(?s)code: '.*?\.pid", &["code: '", ".pid"]),
        ] {
            let got = required(pattern);
            assert_eq!(got, want, "{pattern}");
        }
    }
}
