//! The simple commands of a line of shell text, each word with the place it stands at, so that
//! one word can be replaced and the rest stays as it was written. Not a shell: text whose words
//! only running it would tell is not read at all.

use std::ops::Range;

/// A word as the shell would hand it over, and the bytes of the text that it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextWord {
    pub text: String,
    pub at: Range<usize>,
}

/// The simple commands of a text, in order. `None` where it uses what is not read here: command
/// substitution, compound commands, unbalanced quotes.
///
/// Variables are looked up in `env`; one that is not set is empty, as in a shell.
pub(super) fn simple_commands(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<Vec<TextWord>>> {
    let mut scan = Scan { text, at: 0, env };
    let mut commands = vec![Vec::new()];
    loop {
        scan.blanks();
        let Some(next) = scan.peek() else { break };
        match next {
            '\n' | ';' | '&' | '|' => {
                // `&>file` sends the output of this command away; it starts no other.
                if scan.rest().starts_with("&>") {
                    scan.redirection()?;
                    continue;
                }
                scan.bump();
                commands.push(Vec::new());
            }
            '#' => scan.skip_while(|c| c != '\n'),
            '(' | ')' => return None,
            '<' | '>' => scan.redirection()?,
            digit if digit.is_ascii_digit() && scan.is_numbered_redirection() => {
                scan.skip_while(|c| c.is_ascii_digit());
                scan.redirection()?;
            }
            _ => {
                let word = scan.word()?;
                let command = commands.last_mut()?;
                if command.is_empty() && COMPOUND.contains(&&text[word.at.clone()]) {
                    return None;
                }
                command.push(word);
            }
        }
    }
    commands.retain(|command| !command.is_empty());
    Some(commands)
}

/// A word written so that a shell reads it back as it is.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Words that open or close a compound command (POSIX.1-2024, Shell Command Language 2.4).
const COMPOUND: [&str; 18] = [
    "{", "}", "!", "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while",
    "until", "for", "function", "[[", "select",
];

struct Scan<'a> {
    text: &'a str,
    at: usize,
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&keep) {
            self.bump();
        }
    }

    fn blanks(&mut self) {
        loop {
            self.skip_while(|c| c == ' ' || c == '\t' || c == '\r');
            if !self.rest().starts_with("\\\n") {
                return;
            }
            self.at += 2;
        }
    }

    fn is_numbered_redirection(&self) -> bool {
        self.rest().trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['<', '>'])
    }

    /// Skips `>file`, `2>&1`, `<<<word`. A here-document is not read.
    fn redirection(&mut self) -> Option<()> {
        if self.rest().starts_with("<<") && !self.rest().starts_with("<<<") {
            return None;
        }
        self.skip_while(|c| "<>&|".contains(c));
        self.blanks();
        self.word().map(|_| ())
    }

    fn word(&mut self) -> Option<TextWord> {
        let start = self.at;
        let mut text = String::new();
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.bump();
                    let end = self.rest().find('\'')?;
                    text.push_str(&self.rest()[..end]);
                    self.at += end + 1;
                }
                '"' => self.double_quoted(&mut text)?,
                '\\' => {
                    self.bump();
                    match self.bump()? {
                        '\n' => {}
                        escaped => text.push(escaped),
                    }
                }
                '`' => return None,
                '$' => self.variable(&mut text)?,
                _ => {
                    text.push(next);
                    self.bump();
                }
            }
        }
        if self.at == start {
            return None;
        }
        Some(TextWord { text, at: start..self.at })
    }

    fn double_quoted(&mut self, text: &mut String) -> Option<()> {
        self.bump();
        loop {
            match self.peek()? {
                '"' => {
                    self.bump();
                    return Some(());
                }
                '\\' => {
                    self.bump();
                    match self.bump()? {
                        '\n' => {}
                        escaped @ ('"' | '\\' | '$' | '`') => text.push(escaped),
                        other => text.extend(['\\', other]),
                    }
                }
                '`' => return None,
                '$' => self.variable(text)?,
                next => {
                    text.push(next);
                    self.bump();
                }
            }
        }
    }

    /// `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME-word}`; a lone `$` is itself.
    fn variable(&mut self, text: &mut String) -> Option<()> {
        self.bump();
        let rest = self.rest();
        if rest.starts_with('(') {
            return None;
        }
        let Some(inside) = rest.strip_prefix('{') else {
            let name = name_at(rest);
            if name.is_empty() {
                // `$1`, `$?` and kin: what they hold is not known here.
                let special =
                    rest.starts_with(|c: char| "?!#*@-$".contains(c) || c.is_ascii_digit());
                if special {
                    return None;
                }
                text.push('$');
            }
            self.at += name.len();
            text.push_str(&self.value(name).unwrap_or_default());
            return Some(());
        };
        let end = inside.find('}')?;
        self.at += end + 2;
        let inside = &inside[..end];
        let name = name_at(inside);
        let default = match &inside[name.len()..] {
            "" => "",
            more => more.strip_prefix(":-").or_else(|| more.strip_prefix('-'))?,
        };
        if name.is_empty() || default.contains(['$', '`', '"', '\'', '\\']) {
            return None;
        }
        text.push_str(&self.value(name).unwrap_or_else(|| default.to_owned()));
        Some(())
    }

    fn value(&self, name: &str) -> Option<String> {
        if name.is_empty() {
            return None;
        }
        (self.env)(name).filter(|value| !value.is_empty())
    }
}

/// The name of a variable that the text begins with, or nothing.
fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let name = &text[..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) { "" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<Vec<String>>> {
        let env = |name: &str| (name == "PORT").then(|| "8080".to_owned());
        let commands = simple_commands(text, &env)?;
        Some(commands.into_iter().map(|c| c.into_iter().map(|w| w.text).collect()).collect())
    }

    #[test]
    fn simple_text_is_read_as_a_shell_would() {
        let rows: &[(&str, &[&[&str]])] = &[
            ("vite --port 3000", &[&["vite", "--port", "3000"]]),
            (
                "a && b || c; d | e & f\ng",
                &[&["a"], &["b"], &["c"], &["d"], &["e"], &["f"], &["g"]],
            ),
            ("echo 'a b' \"c $PORT\" d\\ e", &[&["echo", "a b", "c 8080", "d e"]]),
            ("x --port ${PORT:-3000} $PORT", &[&["x", "--port", "8080", "8080"]]),
            ("x ${OTHER:-3000} ${OTHER-1} a${OTHER}b", &[&["x", "3000", "1", "ab"]]),
            ("x >log 2>&1 </dev/null 3<<<here y", &[&["x", "y"]]),
            ("x &>log y", &[&["x", "y"]]),
            ("x \\\n y # no more", &[&["x", "y"]]),
            ("x a#b", &[&["x", "a#b"]]),
            ("x 'a'\\''b' \"\"", &[&["x", "a'b", ""]]),
            ("cost 5$ $", &[&["cost", "5$", "$"]]),
            ("  ", &[]),
        ];
        for (text, want) in rows {
            assert_eq!(read(text).unwrap(), *want, "{text}");
        }
    }

    #[test]
    fn what_only_running_tells_is_not_read() {
        for text in [
            "x $(cat port)",
            "x `cat port`",
            "(cd a; x)",
            "if a; then b; fi",
            "{ a; }",
            "x 'a",
            "x \"a",
            "x $1",
            "cat <<E",
            "x ${PORT:=3}",
            "x ${PORT:-$OTHER}",
            "f() { a; }",
            "for p in 1 2; do x; done",
            "x \\",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_word_knows_where_it_stands() {
        let text = "PORT=1 x --port '30''00' &";
        let commands = simple_commands(text, &|_| None).unwrap();
        let at: Vec<&str> = commands[0].iter().map(|word| &text[word.at.clone()]).collect();
        assert_eq!(at, ["PORT=1", "x", "--port", "'30''00'"]);
        assert_eq!(commands[0][3].text, "3000");
    }

    #[test]
    fn what_is_quoted_is_read_back() {
        for word in ["", "3000", "[::]:80", "a b", "it's", "$x", "*", "\\", "\"", "ü", "a\nb", "~"]
        {
            let text = format!("x {}", quoted(word));
            assert_eq!(read(&text).unwrap(), [["x", word]], "{word}");
        }
    }
}
