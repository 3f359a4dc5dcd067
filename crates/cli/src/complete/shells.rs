//! How each shell asks and wants to be answered. A word that would do something to a terminal or a
//! line, such as a process's name with a newline, is not offered; quotes and dollars are quoted
//! for the shells that do not do it themselves.

use super::candidates::{Files, Found};
use super::line::{self, Split};
use super::scripts::Shell;
use crate::sanitize;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The words before the one at the cursor, without the program's name.
    pub before: Vec<String>,
    /// The word at the cursor, up to it.
    pub current: String,
    manner: Manner,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Manner {
    /// bash replaces what stands behind the last of its breaks, and shows descriptions only where
    /// it lists.
    Bash { typed: Split, breaks: String, lists: bool },
    /// A word, a tab, what it is.
    Columns(Shell),
}

/// More would only be scrolled over.
const MOST: usize = 500;

impl Asked {
    /// Reads what the script passes on: `bash BREAKS TYPE LINE`, or `SHELL COUNT -- WORD...` where
    /// empty words at the end may be missing.
    pub fn read(args: &[String]) -> Option<Self> {
        let (shell, rest) = args.split_first()?;
        match (Shell::named(shell)?, rest) {
            (Shell::Bash, [breaks, kind, line]) => {
                let typed = line::split(line);
                Some(Self {
                    before: typed.before.get(1..)?.to_vec(),
                    current: typed.current.clone(),
                    // 63 is `?`: list them (bash(1), COMP_TYPE).
                    manner: Manner::Bash { typed, breaks: breaks.clone(), lists: kind == "63" },
                })
            }
            (Shell::Bash, _) => None,
            (shell, [count, dashes, words @ ..]) if dashes == "--" => {
                let count: usize = count.parse().ok().filter(|count| *count <= 10_000)?;
                let mut words: Vec<String> =
                    words.iter().map(|word| shell.unquoted(word)).collect();
                words.resize(count.max(2), String::new());
                let current = words.pop()?;
                Some(Self { before: words[1..].to_vec(), current, manner: Manner::Columns(shell) })
            }
            _ => None,
        }
    }

    /// The answer: a word a line; a line that begins with a tab asks for files.
    pub fn shown(&self, found: &Found) -> String {
        let mut text = String::new();
        let harmless = found.words.iter().filter(|word| !word.value.contains(sanitize::is_hostile));
        for word in harmless.take(MOST) {
            if let Some(line) = self.line(&word.value, &about(&word.about)) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        match found.files {
            Some(Files::Any) => text.push_str("\tfiles\n"),
            Some(Files::Directories) => text.push_str("\tdirectories\n"),
            None => {}
        }
        text
    }

    fn line(&self, value: &str, about: &str) -> Option<String> {
        match &self.manner {
            Manner::Bash { typed, breaks, lists } => {
                let value = in_bash(value, typed, breaks)?;
                Some(match *lists && !about.is_empty() {
                    true => format!("{value}  ({about})"),
                    false => value,
                })
            }
            Manner::Columns(shell) => Some(format!("{}\t{about}", shell.quoted(value))),
        }
    }
}

/// What it is, on one line and short.
fn about(text: &str) -> String {
    const LONGEST: usize = 70;
    let safe = sanitize::text(text);
    match safe.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &safe[..at]),
        None => safe.into_owned(),
    }
}

/// The word as bash is to insert it: quoted, and without what stands before the last of its
/// breaks, as that stays (COMP_WORDBREAKS has `:` and `=`).
fn in_bash(value: &str, typed: &Split, breaks: &str) -> Option<String> {
    let quoted = match typed.open {
        None => Shell::Bash.quoted(value),
        // Within a quote bash keeps the quote and wants what stands in it.
        Some('\'') => return (!value.contains('\'')).then(|| value.to_owned()),
        Some(_) => {
            let special = |c| matches!(c, '"' | '\\' | '$' | '`');
            let mut text = String::new();
            for c in value.chars() {
                if special(c) {
                    text.push('\\');
                }
                text.push(c);
            }
            return Some(text);
        }
    };
    let kept = kept(&typed.raw, breaks);
    // Typed in another way than it would be quoted: it is replaced as a whole, or not at all.
    quoted.strip_prefix(kept).map(str::to_owned)
}

/// The word up to its last break; one that is quoted is none.
fn kept<'a>(raw: &'a str, breaks: &str) -> &'a str {
    let mut end = 0;
    let mut open = None;
    let mut letters = raw.char_indices();
    while let Some((at, c)) = letters.next() {
        match (c, open) {
            ('\\', None | Some('"')) => {
                letters.next();
            }
            ('\'' | '"', None) => open = Some(c),
            (c, Some(quote)) if c == quote => open = None,
            (c, None) if breaks.contains(c) => end = at + c.len_utf8(),
            _ => {}
        }
    }
    &raw[..end]
}

#[cfg(test)]
mod tests {
    use super::super::candidates::Candidate;
    use super::*;

    fn found(values: &[(&str, &str)]) -> Found {
        let word = |(value, about): &(&str, &str)| Candidate {
            value: (*value).to_owned(),
            about: (*about).to_owned(),
        };
        Found { words: values.iter().map(word).collect(), files: None }
    }

    fn asked(words: &[&str]) -> Asked {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Asked::read(&words).unwrap()
    }

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    #[test]
    fn bash_gets_what_stands_behind_its_breaks() {
        let shown = |line: &str, value: &str| {
            asked(&["bash", BREAKS, "9", line]).shown(&found(&[(value, "x")]))
        };
        assert_eq!(shown("proc on :30", ":3000"), "3000\n");
        assert_eq!(shown("proc on ", ":3000"), ":3000\n");
        assert_eq!(shown("proc on tcp:", "tcp:3000"), "3000\n");
        assert_eq!(shown("proc --color=al", "--color=always"), "always\n");
        assert_eq!(shown("proc on my", "my app"), "my\\ app\n");
        assert_eq!(shown("proc on \"my", "my app"), "my app\n");
        assert_eq!(shown("proc on \"my", "my $(x)"), "my \\$(x)\n");
        assert_eq!(shown("proc on '", "it's"), "");
        assert_eq!(shown("proc on ", "$(touch x)"), "\\$\\(touch\\ x\\)\n");
        assert_eq!(shown("proc on \\$\\(", "$(touch x)"), "\\$\\(touch\\ x\\)\n");
        assert_eq!(shown("proc on a\\:b:", "a:b"), "");
        assert_eq!(shown("proc on ", "a;b`c`|d&e"), "a\\;b\\`c\\`\\|d\\&e\n");
        assert_eq!(shown("proc on ", "~x"), "\\~x\n");
        let listed = asked(&["bash", BREAKS, "63", "proc on :30"]);
        assert_eq!(listed.shown(&found(&[(":3000", "node")])), "3000  (node)\n");
    }

    #[test]
    fn the_others_get_a_word_and_what_it_is() {
        let list =
            found(&[(":3000", "node\t\x1b[2J"), ("$(touch x)", ""), ("a\nb", ""), ("it's", "")]);
        let shown = |shell| asked(&[shell, "3", "--", "proc", "on"]).shown(&list);
        assert_eq!(
            shown("zsh"),
            ":3000\tnode\\t\\x1b[2J\n$(touch x)\t\nit's\t\n",
            "a word with a newline is not offered"
        );
        assert_eq!(shown("fish"), shown("zsh"));
        assert_eq!(shown("elvish"), shown("zsh"));
        assert_eq!(shown("powershell"), ":3000\tnode\\t\\x1b[2J\n'$(touch x)'\t\n'it''s'\t\n");
        assert_eq!(shown("nushell"), ":3000\tnode\\t\\x1b[2J\n\"$(touch x)\"\t\n\"it's\"\t\n");
    }

    #[test]
    fn nushell_passes_quotes_on() {
        for (typed, want) in [
            ("\"$(to", "$(to"),
            ("\"my app\"", "my app"),
            ("\"a\\\"b\\\\c", "a\"b\\c"),
            ("'it", "it"),
            ("`a\\b`", "a\\b"),
            ("a\"b", "a\"b"),
            ("\"", ""),
        ] {
            let asked = asked(&["nushell", "3", "--", "proc", "on", typed]);
            assert_eq!(asked.current, want, "{typed}");
        }
        assert_eq!(asked(&["zsh", "3", "--", "proc", "on", "'it"]).current, "'it");
    }

    #[test]
    fn what_no_script_asks_is_not_answered() {
        for words in [
            &[][..],
            &["tcsh"],
            &["bash"],
            &["zsh", "x", "--"],
            &["zsh", "2"],
            &["bash", "", "", ""],
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(Asked::read(&words), None, "{words:?}");
        }
        let asked = asked(&["zsh", "3", "--", "proc", "on"]);
        assert_eq!((asked.before, asked.current), (vec!["on".to_owned()], String::new()));
    }
}
