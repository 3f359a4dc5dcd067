//! A manual page (man(7)) from the definition of the command line, so that it says what `--help` says,
//! with the exit codes, files and variables that every command has.

use std::fmt::Write as _;

use clap::{Arg, Command};

use crate::cli::{AFTER_HELP, COMMANDS, about, grammar_for};
use crate::config::{KEYS, variable};

/// `proc-free.1`; `proc.1` of the program as a whole.
pub fn file_name(command: Option<&str>) -> String {
    format!("{}.1", title(command))
}

fn title(command: Option<&str>) -> String {
    command.map_or_else(|| "proc".to_owned(), |name| format!("proc-{name}"))
}

/// The page of a command, or of the program.
pub fn page(command: Option<&str>) -> String {
    let mut page = Roff::default();
    let title = title(command);
    let version = env!("CARGO_PKG_VERSION");
    page.request(&format!(
        ".TH {} 1 \"\" \"proc {version}\" \"User Commands\"",
        title.to_uppercase()
    ));
    page.section("NAME");
    let about = command
        .map_or("says what holds a port, why your bind fails, and gives the port back", about);
    page.line(&format!("{title} - {}", lowered(about)));
    let grammar = grammar_for(command);
    page.section("SYNOPSIS");
    match command {
        None => {
            page.usage("proc [OPTIONS] TARGET...");
            page.usage("proc COMMAND [OPTIONS] [TARGET]...");
        }
        Some(name) => page.usage(&usage(grammar.clone(), name)),
    }
    let after = match command {
        None => AFTER_HELP.to_owned(),
        Some(_) => grammar.get_after_help().map(ToString::to_string).unwrap_or_default(),
    };
    let blocks = Block::read(&after);
    let others = blocks.iter().filter(|block| block.title != "Examples");
    if command.is_none() {
        page.section("COMMANDS");
        for name in COMMANDS {
            page.item(&format!("\\fB{}\\fR", escaped(&format!("proc {name}"))), self::about(name));
        }
    }
    for (at, block) in others.enumerate() {
        if at == 0 {
            page.section("DESCRIPTION");
        }
        page.block(block);
    }
    page.section("OPTIONS");
    options(&mut page, &grammar);
    for block in blocks.iter().filter(|block| block.title == "Examples") {
        page.section("EXAMPLES");
        page.verbatim(&block.lines);
    }
    common(&mut page, command);
    page.0
}

/// What every page ends with.
fn common(page: &mut Roff, command: Option<&str>) {
    page.section("EXIT STATUS");
    let codes = include_str!("../help/exit-codes.txt");
    for line in codes.lines().filter_map(|line| line.strip_prefix("  ")) {
        if let Some((code, meaning)) = line.split_once("  ") {
            page.item(&format!("\\fB{code}\\fR"), meaning);
        }
    }
    page.section("ENVIRONMENT");
    for (name, about) in VARIABLES {
        page.item(&format!("\\fB{}\\fR", escaped(name)), about);
    }
    for key in KEYS {
        let about = format!("the setting {}: {}", key.name, key.about);
        page.item(&format!("\\fB{}\\fR", escaped(&variable(key.name))), &about);
    }
    page.section("FILES");
    page.item(
        "\\fI$XDG_CONFIG_HOME/proc/config.toml\\fR",
        "settings; ~/.config where it is not set",
    );
    page.item(
        "\\fI$XDG_STATE_HOME/proc\\fR",
        "what undo has kept; ~/.local/state where it is not set",
    );
    page.section("SEE ALSO");
    let others: Vec<String> = std::iter::once("proc".to_owned())
        .chain(COMMANDS.iter().map(|name| format!("proc-{name}")))
        .filter(|name| *name != title(command))
        .map(|name| format!("\\fB{}\\fR(1)", escaped(&name)))
        .collect();
    page.request(&others.join(", "));
}

const VARIABLES: [(&str, &str); 6] = [
    ("PROC_CONFIG", "another file of settings; empty for none"),
    ("NO_COLOR", "where it is set, nothing is coloured"),
    ("CLICOLOR, CLICOLOR_FORCE", "0 for no colour; 1 for colour without a terminal"),
    ("LC_ALL, LC_CTYPE, LANG", "where they name no UTF-8, only ASCII is shown"),
    ("PAGER", "what shows a long answer, where PROC_PAGER is not set"),
    ("FORCE_HYPERLINK", "1 for links on every terminal, 0 for none"),
];

fn usage(grammar: Command, name: &str) -> String {
    let mut grammar = grammar.bin_name(format!("proc {name}"));
    let text = grammar.render_usage().to_string();
    text.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn options(page: &mut Roff, grammar: &Command) {
    let shown = |arg: &&Arg| !arg.is_hide_set();
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) =
        grammar.get_arguments().filter(shown).partition(|arg| arg.is_positional());
    for arg in positional.into_iter().chain(options) {
        let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let default: Vec<&str> =
            arg.get_default_values().iter().filter_map(|value| value.to_str()).collect();
        let is_told = arg.is_hide_default_value_set() || !arg.get_action().takes_values();
        if !default.is_empty() && !is_told {
            let _ = write!(help, " (default: {})", default.join(","));
        }
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set() && arg.get_action().takes_values())
            .map(|value| value.get_name().to_owned())
            .collect();
        if !values.is_empty() && !arg.is_hide_possible_values_set() {
            let _ = write!(help, " ({})", values.join(", "));
        }
        page.item(&signature(arg), &help);
    }
    page.item("\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Print help");
}

/// `-9, --now`, `--grace TIME`.
fn signature(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value: Vec<String> =
        names.iter().map(|name| format!("\\fI{}\\fR", escaped(name.as_str()))).collect();
    let value = if arg.get_action().takes_values() { value.join(" ") } else { String::new() };
    if arg.is_positional() {
        return value;
    }
    let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
    let long = arg.get_long().map(|long| format!("\\fB{}\\fR", escaped(&format!("--{long}"))));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let equals = if arg.is_require_equals_set() { "=" } else { " " };
    format!("{}{equals}{value}", names.join(", ")).trim_end().to_owned()
}

/// A paragraph of the text after a command's help: a title that ends with a colon, and its lines.
struct Block {
    title: String,
    lines: Vec<String>,
}

impl Block {
    fn read(text: &str) -> Vec<Self> {
        text.split("\n\n")
            .filter(|paragraph| !paragraph.trim().is_empty())
            .map(|paragraph| {
                let mut lines: Vec<String> = paragraph.lines().map(str::to_owned).collect();
                let is_title =
                    lines.len() > 1 && lines[0].ends_with(':') && lines[1].starts_with("  ");
                let title = if is_title { lines.remove(0) } else { String::new() };
                Self { title: title.trim_end_matches(':').to_owned(), lines }
            })
            .collect()
    }
}

/// The page so far.
#[derive(Default)]
struct Roff(String);

impl Roff {
    /// A line of roff as it is.
    fn request(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn section(&mut self, name: &str) {
        self.request(&format!(".SH {name}"));
    }

    /// Text, in lines that are not long.
    fn line(&mut self, text: &str) {
        const LONGEST: usize = 72;
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.len() + word.len() > LONGEST {
                self.exactly(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.exactly(&line);
    }

    /// A line of text as it is.
    fn exactly(&mut self, text: &str) {
        self.request(&protected(&escaped(text)));
    }

    /// Begins a paragraph, where none has just begun.
    fn paragraph(&mut self) {
        if !self.0.lines().next_back().is_some_and(|line| line.starts_with(".SH") || line == ".PP")
        {
            self.request(".PP");
        }
    }

    fn usage(&mut self, text: &str) {
        if !self.0.ends_with(".SH SYNOPSIS\n") {
            self.request(".br");
        }
        self.request(&format!("\\fB{}\\fR", escaped(text)));
    }

    /// A word with its explanation.
    fn item(&mut self, head: &str, text: &str) {
        self.request(".TP");
        self.request(head);
        self.line(text);
    }

    fn block(&mut self, block: &Block) {
        self.paragraph();
        if !block.title.is_empty() {
            self.line(&format!("{}:", block.title));
        }
        // What stands in columns stays in them.
        match block.lines.first().is_some_and(|line| line.starts_with("  ")) {
            true => self.verbatim(&block.lines),
            false => block.lines.iter().for_each(|line| self.line(line.trim())),
        }
    }

    fn verbatim(&mut self, lines: &[String]) {
        self.paragraph();
        self.request(".nf");
        lines.iter().for_each(|line| self.exactly(line));
        self.request(".fi");
    }
}

/// The text with what roff would take for its own spelt out (groff_char(7)).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...").replace('·', "\\(pc")
}

/// A dot or quote at the start of a line would be a request.
fn protected(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_every_section() {
        for name in COMMANDS.iter().copied().map(Some).chain([None]) {
            let page = page(name);
            for section in [
                "NAME",
                "SYNOPSIS",
                "OPTIONS",
                "EXAMPLES",
                "EXIT STATUS",
                "ENVIRONMENT",
                "FILES",
                "SEE ALSO",
            ] {
                let heading = format!("\n.SH {section}\n");
                assert_eq!(page.matches(&heading).count(), 1, "{section} of {name:?}\n{page}");
            }
            assert!(page.is_ascii() || name.is_some(), "{name:?}");
        }
    }

    #[test]
    fn options_are_those_of_the_help() {
        let page = page(Some("kill"));
        assert!(page.contains("\\fB\\-9\\fR, \\fB\\-\\-now\\fR\n"), "{page}");
        assert!(
            page.contains(
                "\\fB\\-\\-grace\\fR \\fITIME\\fR\nHow long to wait before forcing (default: 5s)\n"
            ),
            "{page}"
        );
        assert!(page.contains("\n\\fBproc kill [OPTIONS] [TARGET]...\\fR\n"), "{page}");
    }

    #[test]
    fn text_is_no_request() {
        let mut roff = Roff::default();
        roff.line(".so /etc/passwd");
        roff.line("'a\\b-c");
        assert_eq!(roff.0, "\\&.so /etc/passwd\n\\&'a\\eb\\-c\n");
    }
}
