//! A command line cut into arguments: on Windows a process gets one string, and cuts it itself. Most
//! do it as `CommandLineToArgvW` does, so this does it too.

/// The arguments of a command line. The first is a file's name, in which a backslash is a backslash;
/// in the others backslashes before a quotation mark are an escape, and each pair of them is one.
/// Quotation marks in a row count in threes: one begins, two end, three are one mark
/// (`CommandLineToArgvW`; "Parsing C++ command-line arguments" documents the first two).
pub fn split(line: &str) -> Vec<String> {
    let mut letters = line.trim_start_matches([' ', '\t']).chars().peekable();
    if letters.peek().is_none() {
        return Vec::new();
    }
    let mut arguments = vec![file_name(&mut letters)];
    loop {
        while letters.next_if(|letter| matches!(letter, ' ' | '\t')).is_some() {}
        if letters.peek().is_none() {
            return arguments;
        }
        arguments.push(argument(&mut letters));
    }
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Up to the next space outside of quotation marks, which are left out.
fn file_name(letters: &mut Letters<'_>) -> String {
    let (mut name, mut quoted) = (String::new(), false);
    while let Some(letter) = letters.next_if(|letter| quoted || !matches!(letter, ' ' | '\t')) {
        match letter {
            '"' => quoted = !quoted,
            letter => name.push(letter),
        }
    }
    name
}

fn argument(letters: &mut Letters<'_>) -> String {
    let mut text = String::new();
    let mut marks = 0_u8;
    while let Some(letter) = letters.next_if(|letter| marks != 0 || !matches!(letter, ' ' | '\t')) {
        match letter {
            '\\' => {
                let mut slashes = 1;
                while letters.next_if_eq(&'\\').is_some() {
                    slashes += 1;
                }
                let before_mark = letters.peek() == Some(&'"');
                let kept = if before_mark { slashes / 2 } else { slashes };
                text.extend(std::iter::repeat_n('\\', kept));
                if before_mark && slashes % 2 == 1 {
                    letters.next();
                    text.push('"');
                    // Further marks count from where they stood.
                    marks = further_marks(letters, marks, &mut text);
                }
            }
            '"' => marks = further_marks(letters, marks + 1, &mut text),
            letter => text.push(letter),
        }
    }
    text
}

/// Takes the quotation marks that follow; how many are open after them.
fn further_marks(letters: &mut Letters<'_>, mut marks: u8, text: &mut String) -> u8 {
    while letters.next_if_eq(&'"').is_some() {
        marks += 1;
        if marks == 3 {
            text.push('"');
            marks = 0;
        }
    }
    if marks == 2 { 0 } else { marks }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_documentation() {
        for (line, want) in [
            (r#"app "abc" d e"#, &["app", "abc", "d", "e"][..]),
            (r#"app a\\b d"e f"g h"#, &["app", r"a\\b", "de fg", "h"]),
            (r#"app a\\\"b c d"#, &["app", r#"a\"b"#, "c", "d"]),
            (r#"app a\\\\"b c" d e"#, &["app", r"a\\b c", "d", "e"]),
            (
                r#""C:\Program Files\nodejs\node.exe" server.js"#,
                &[r"C:\Program Files\nodejs\node.exe", "server.js"],
            ),
            (r"C:\x\ y", &[r"C:\x\", "y"]),
            (r#"a "" b"#, &["a", "", "b"]),
            (r#"a """x""" b"#, &["a", "\"x\"", "b"]),
            ("\t a \t b  ", &["a", "b"]),
            (r#"a "open to the end "#, &["a", "open to the end "]),
            ("", &[]),
            ("  ", &[]),
        ] {
            assert_eq!(split(line), want, "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_invented(line in "[ -~\\t]{0,80}") {
            let length: usize = split(&line).iter().map(String::len).sum();
            prop_assert!(length <= line.len());
        }

        #[test]
        fn words_without_marks_come_back(words in prop::collection::vec("[a-z/\\\\:]{1,8}", 1..6)) {
            prop_assert_eq!(split(&words.join(" ")), words);
        }
    }
}
