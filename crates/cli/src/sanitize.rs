//! Makes hostile text safe to show: names, arguments and paths of other processes may hold
//! terminal commands, or characters that reorder or hide what stands beside them (UTS 36, UTR 9).

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something to a terminal or a reader instead of being seen.
pub const fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'   // C0, DEL, C1
        | '\u{ad}'                            // soft hyphen
        | '\u{34f}'                           // combining grapheme joiner
        | '\u{61c}'                           // Arabic letter mark
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers: blank letters
        | '\u{17b4}' | '\u{17b5}'             // invisible Khmer vowels
        | '\u{180b}'..='\u{180e}'             // Mongolian selectors and separator
        | '\u{200b}'..='\u{200f}'             // zero widths, directional marks
        | '\u{2028}'..='\u{202e}'             // line separators, bidi embeddings and overrides
        | '\u{2060}'..='\u{206f}'             // invisible operators, bidi isolates
        | '\u{feff}'                          // byte order mark
        | '\u{fff9}'..='\u{fffb}'             // interlinear annotations
        | '\u{1d173}'..='\u{1d17a}'           // musical formatting
        | '\u{e0000}'..='\u{e0fff}'           // tags, selectors
    )
}

/// The text with every hostile character in a visible form such as `\n`, `\x1b` or `\u{202e}`.
pub fn text(raw: &str) -> Cow<'_, str> {
    // Nearly everything is plain: told by its bytes, ten times as fast.
    let is_plain = raw.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain || !raw.contains(is_hostile) {
        return Cow::Borrowed(raw);
    }
    let mut safe = String::with_capacity(raw.len() + 8);
    for c in raw.chars() {
        if is_hostile(c) { escape(&mut safe, c) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

fn escape(safe: &mut String, c: char) {
    let _ = match c {
        '\t' => write!(safe, "\\t"),
        '\n' => write!(safe, "\\n"),
        '\r' => write!(safe, "\\r"),
        '\0'..='\x7f' => write!(safe, "\\x{:02x}", c as u32),
        _ => write!(safe, "\\u{{{:x}}}", c as u32),
    };
}

/// The text in ASCII: our own signs by their nearest likeness, everything else escaped.
pub fn ascii(safe: &str) -> Cow<'_, str> {
    if safe.is_ascii() {
        return Cow::Borrowed(safe);
    }
    let mut plain = String::with_capacity(safe.len() + 8);
    for c in safe.chars() {
        match c {
            '\0'..='\x7f' => plain.push(c),
            '→' => plain.push_str("->"),
            '←' => plain.push_str("<-"),
            '·' => plain.push('-'),
            '…' => plain.push_str("..."),
            '–' | '—' => plain.push('-'),
            '×' => plain.push('x'),
            '‘' | '’' => plain.push('\''),
            '“' | '”' => plain.push('"'),
            '\u{a0}' => plain.push(' '),
            _ => {
                let _ = write!(plain, "\\u{{{:x}}}", c as u32);
            }
        }
    }
    Cow::Owned(plain)
}

/// The arguments as a line that a POSIX shell reads back, or bash where one needs `$'…'`.
/// Masked values (`***`) stay unquoted: the line is to be read before it is to be run.
pub fn shell(argv: &[String]) -> String {
    let mut line = String::with_capacity(argv.iter().map(|word| word.len() + 1).sum());
    for (i, word) in argv.iter().enumerate() {
        if i > 0 {
            line.push(' ');
        }
        quote(&mut line, word, i == 0);
    }
    line
}

fn quote(line: &mut String, word: &str, first: bool) {
    // Nearly every word of a list of thousands.
    if !word.is_empty() && word.bytes().all(|byte| is_bare(byte, first)) {
        return line.push_str(word);
    }
    if word.contains(is_hostile) {
        return quote_hostile(line, word);
    }
    let bare = word.replace("***", "");
    // An empty word, a home directory, an assignment: the shell would see something else.
    let misread = word.is_empty() || word.starts_with('~') || (first && word.contains('='));
    let safe = bare.chars().all(|c| c.is_alphanumeric() || "_@%+=:,./-~".contains(c));
    if safe && !misread {
        line.push_str(word);
    } else {
        line.push('\'');
        line.push_str(&word.replace('\'', "'\\''"));
        line.push('\'');
    }
}

/// Whether a shell reads that byte as itself wherever it stands in a word, the first word or another.
const fn is_bare(byte: u8, first: bool) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'@' | b'%' | b'+' | b':' | b',' | b'.' | b'/' | b'-')
        || (byte == b'=' && !first)
}

/// `$'…'` (bash(1), QUOTING): the only quotes that can spell a control character.
fn quote_hostile(line: &mut String, word: &str) {
    line.push_str("$'");
    for c in word.chars() {
        let _ = match c {
            '\'' | '\\' => write!(line, "\\{c}"),
            '\t' => write!(line, "\\t"),
            '\n' => write!(line, "\\n"),
            '\r' => write!(line, "\\r"),
            '\0'..='\x1f' | '\x7f' => write!(line, "\\x{:02x}", c as u32),
            _ if is_hostile(c) && (c as u32) < 0x1_0000 => write!(line, "\\u{:04x}", c as u32),
            _ if is_hostile(c) => write!(line, "\\U{:08x}", c as u32),
            _ => write!(line, "{c}"),
        };
    }
    line.push('\'');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_becomes_visible() {
        for (raw, want) in [
            ("node", "node"),
            ("\x1b[2Jboo", "\\x1b[2Jboo"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\x7f", "\\x7f"),
            ("gpj\u{202e}.exe", "gpj\\u{202e}.exe"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("\u{feff}x", "\\u{feff}x"),
            ("\u{e0041}", "\\u{e0041}"),
            ("naïve 服务器 😀 \u{fffd}", "naïve 服务器 😀 \u{fffd}"),
            ("C:\\dir", "C:\\dir"),
        ] {
            assert_eq!(text(raw), want);
        }
    }

    #[test]
    fn ascii_has_a_likeness_for_our_signs() {
        assert_eq!(ascii("a → b · c… é"), "a -> b - c... \\u{e9}");
    }

    #[test]
    fn arguments_are_quoted_as_a_shell_reads_them() {
        for (argv, want) in [
            (&["node", "server.js"][..], "node server.js"),
            (&["sh", "-c", "a; b"], "sh -c 'a; b'"),
            (&["a", ""], "a ''"),
            (&["a", "it's"], "a 'it'\\''s'"),
            (&["a", "~/x", "b~"], "a '~/x' b~"),
            (&["A=b", "C=d"], "'A=b' C=d"),
            (&["a", "--password=***"], "a --password=***"),
            (&["a", "*"], "a '*'"),
            (&["a", "\x1b]0;x\x07"], "a $'\\x1b]0;x\\x07'"),
            (&["a", "\u{202e}'\\"], "a $'\\u202e\\'\\\\'"),
            (&["é", "日本"], "é 日本"),
        ] {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(shell(&argv), want);
        }
    }

    proptest! {
        #[test]
        fn nothing_hostile_comes_through(raw in any::<String>()) {
            let safe = text(&raw).into_owned();
            prop_assert!(!safe.contains(is_hostile));
            prop_assert!(ascii(&safe).is_ascii());
            let line = shell(std::slice::from_ref(&raw));
            prop_assert!(!line.contains(is_hostile));
        }

        #[test]
        fn every_control_character_is_hostile(c in any::<char>()) {
            if c.is_control() {
                prop_assert!(is_hostile(c));
            }
        }
    }
}
