//! What a server's command line says about the port that it wants, and the command line that
//! would have it want another. Text in, text out: nothing is started here, nothing is read but
//! through [`Around`], and whether the port is free is nobody's business here.

mod command;
mod program;
mod table;
mod value;
mod words;

use std::path::Path;

pub use program::{Add, Form, Moves, Program, Way};

use crate::addr::Port;
use command::{Command, Gap, Word, command_of};
use value::Read;

/// What a command line is read with.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The directory that it would be started in: package files are looked for from here upward.
    pub cwd: &'a Path,
    /// A variable of the environment that it would be started with.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file, where it can be read.
    pub files: &'a dyn Fn(&Path) -> Option<String>,
}

/// Where a wanted port was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Among the arguments, also those of a package script.
    Arguments,
    /// In this variable of the environment, or before the command in a shell's text.
    Environment(&'static str),
    /// The program's own default.
    Default,
}

/// A port that a command will try to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The port.
    pub port: Port,
    /// What says so.
    pub source: Source,
}

/// A command line that wants a port it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The arguments, the program's name first.
    pub argv: Vec<String>,
    /// The variables to add to the environment.
    pub env: Vec<(String, String)>,
    /// Whether the program is known to take its port so; otherwise it is the custom of its kind.
    pub certain: bool,
}

/// The server program in a command line, where the table has it: seen through runners
/// (`npx`, `bundle exec`), wrappers (`env`, `sudo`), `sh -c` and `python -m`. For what package
/// scripts run, see [`program_around`].
pub fn program_of(argv: &[String]) -> Option<&'static Program> {
    let around = Around { cwd: Path::new(""), env: &|_| None, files: &|_| None };
    program_around(argv, &around)
}

/// The same, seen through the package scripts around it too.
pub fn program_around(argv: &[String], around: &Around<'_>) -> Option<&'static Program> {
    command_of(argv, around)?.program
}

/// The port that it will try to bind first: by its arguments, else by its environment, else by
/// the program's default. `None` where nothing says one, or the kernel is asked to choose.
pub fn wanted_port(argv: &[String], around: &Around<'_>) -> Option<Port> {
    wanted(argv, around).first().map(|wanted| wanted.port)
}

/// Every port that it will try to bind, the first first: a server may be given several.
pub fn wanted(argv: &[String], around: &Around<'_>) -> Vec<Wanted> {
    let Some(command) = command_of(argv, around) else { return Vec::new() };
    let said = decisive(&command, around);
    if said.is_empty() {
        let default = command.program.and_then(|program| program.default_port);
        let default = default.and_then(Port::new);
        return default.map(|port| Wanted { port, source: Source::Default }).into_iter().collect();
    }
    let wanted = |said: &Said| match said.read {
        Read::Port(port, _) => Some(Wanted { port, source: said.place.source() }),
        Read::Other => None,
    };
    said.iter().filter_map(wanted).collect()
}

/// The command line with this port in place of the one it wants: the value of an option is
/// replaced or the option is added, in a package script's case after the script's own words;
/// where the program knows no option, by its environment. `None` where there is no way to tell
/// it (its port is in a configuration file, or written into a package script), or its text
/// cannot be read.
pub fn with_port(argv: &[String], around: &Around<'_>, port: Port) -> Option<Launch> {
    let command = command_of(argv, around)?;
    let said = decisive(&command, around);
    let launch = change(argv, &command, said.first(), port)?;
    reads_back(&launch, around, port).then_some(launch)
}

/// The same for one port of several: `from` becomes `port`, the others stay. `None` too where
/// the command line names other ports only: what wants `from` was not told so there.
pub fn with_port_instead(
    argv: &[String],
    around: &Around<'_>,
    from: Port,
    port: Port,
) -> Option<Launch> {
    let command = command_of(argv, around)?;
    let said = decisive(&command, around);
    let is_from = |said: &&Said| matches!(said.read, Read::Port(port, _) if port == from);
    let others = |said: &Said| {
        matches!(said.read, Read::Port(..)) && !matches!(said.place, Place::Environment { .. })
    };
    match said.iter().find(is_from) {
        None if said.iter().any(others) => None,
        found => {
            let launch = change(argv, &command, found.or(said.first()), port)?;
            reads_back(&launch, around, port).then_some(launch)
        }
    }
}

/// A place that says which port, and what it says.
#[derive(Clone, Debug)]
struct Said {
    way: Way,
    place: Place,
    read: Read,
}

/// Where it says so.
#[derive(Clone, Debug)]
enum Place {
    /// In this argument, from this byte on.
    Argument { index: usize, offset: usize },
    /// In this assignment before the command.
    Assignment { index: usize, name: &'static str },
    /// In the environment.
    Environment { name: &'static str },
}

impl Place {
    fn source(&self) -> Source {
        match self {
            Self::Argument { .. } => Source::Arguments,
            Self::Assignment { name, .. } | Self::Environment { name } => Source::Environment(name),
        }
    }
}

impl Command {
    fn ways(&self) -> &'static [Way] {
        self.program.map_or(table::UNKNOWN, |program| program.ways)
    }
}

/// What the first way that says anything says; of an option that is given twice, the last one
/// counts, unless the program serves them all.
fn decisive(command: &Command, around: &Around<'_>) -> Vec<Said> {
    for way in command.ways() {
        let mut said = said_by(way, command, around);
        if said.is_empty() {
            continue;
        }
        if !accumulates(way) {
            said.drain(..said.len() - 1);
        }
        return said;
    }
    Vec::new()
}

/// Whether each occurrence counts. Numbers overrule one another; addresses add up.
fn accumulates(way: &Way) -> bool {
    let (Way::Option { form, .. } | Way::Word { form, .. }) = way else { return false };
    !matches!(form, Form::Number | Form::Options)
}

fn said_by(way: &Way, command: &Command, around: &Around<'_>) -> Vec<Said> {
    match *way {
        Way::Option { names, form, .. } => options(command, names)
            .into_iter()
            .map(|(index, offset)| {
                let text = &command.arguments[index].text[offset..];
                let place = Place::Argument { index, offset };
                Said { way: *way, place, read: value::read(form, text) }
            })
            .collect(),
        Way::Word { index, form, .. } => {
            let words = free_words(command);
            let found = words.into_iter().skip(if form == Form::Socat { 0 } else { index });
            let said = found.map(|index| {
                let read = value::read(form, &command.arguments[index].text);
                Said { way: *way, place: Place::Argument { index, offset: 0 }, read }
            });
            match form {
                Form::Socat => said.filter(|said| said.read != Read::Other).collect(),
                Form::Forward => said.collect(),
                _ => said.take(1).collect(),
            }
        }
        Way::Variable { name, form, .. } => {
            let assigned = command.assignments.iter().rposition(|own| own.name == name);
            let (place, value) = match assigned {
                Some(index) => (
                    Place::Assignment { index, name },
                    Some(command.assignments[index].value.clone()),
                ),
                None if command.env_gap.is_some() => return Vec::new(),
                None => (Place::Environment { name }, (around.env)(name)),
            };
            let value = value.filter(|value| !value.is_empty());
            let said =
                value.map(|value| Said { way: *way, place, read: value::read(form, &value) });
            said.into_iter().collect()
        }
    }
}

/// Where the values of these options stand: the argument, and the byte in it.
fn options(command: &Command, names: &[&str]) -> Vec<(usize, usize)> {
    let own = own_arguments(command);
    let mut found = Vec::new();
    let mut index = 0;
    while index < own {
        let text = command.arguments[index].text.as_str();
        if names.contains(&text) && index + 1 < command.arguments.len() {
            index += 1;
            found.push((index, 0));
        } else if let Some(offset) = names.iter().find_map(|name| joined(text, name)) {
            found.push((index, offset));
        } else if takes_value(command, text) {
            index += 1;
        }
        index += 1;
    }
    found
}

/// Where the value begins in `--name=value` and, for a letter, in `-n3000`.
fn joined(text: &str, name: &str) -> Option<usize> {
    let value = text.strip_prefix(name)?;
    if value.starts_with('=') {
        return Some(name.len() + 1);
    }
    let is_letter = name.len() == 2 && !name.starts_with("--");
    (is_letter && value.starts_with(|c: char| c.is_ascii_digit() || c == '[')).then_some(name.len())
}

fn takes_value(command: &Command, option: &str) -> bool {
    option.starts_with('-')
        && command.program.is_some_and(|program| (program.arguments.takes_value)(option))
}

/// How many of the arguments are the program's: those before `--`, and before the first word
/// where that begins another program's.
fn own_arguments(command: &Command) -> usize {
    let arguments = &command.arguments;
    let before_dashes =
        arguments.iter().position(|word| word.text == "--").unwrap_or(arguments.len());
    let until_word = command.program.is_some_and(|program| program.arguments.until_word);
    if !until_word {
        return before_dashes;
    }
    free_words(command).first().map_or(before_dashes, |first| *first.min(&before_dashes))
}

/// The arguments that are neither options nor their values.
fn free_words(command: &Command) -> Vec<usize> {
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(word) = command.arguments.get(index) {
        if takes_value(command, &word.text) {
            index += 1;
        } else if word.text == "-" || !word.text.starts_with('-') {
            found.push(index);
        }
        index += 1;
    }
    found
}

/// Whether the changed command line says the port where this reads it: an option that was added
/// behind another one which lacks its value does not.
fn reads_back(launch: &Launch, around: &Around<'_>, port: Port) -> bool {
    let env = |name: &str| {
        let added = launch.env.iter().find(|(own, _)| own == name);
        added.map(|(_, value)| value.clone()).or_else(|| (around.env)(name))
    };
    let around = Around { env: &env, ..*around };
    wanted(&launch.argv, &around).iter().any(|wanted| wanted.port == port)
}

/// Makes the change: at the place that says the port now, else by the first way that can be
/// added.
fn change(argv: &[String], command: &Command, said: Option<&Said>, port: Port) -> Option<Launch> {
    let mut edit = Edit { argv: argv.to_vec(), env: Vec::new() };
    if let Some(said) = said
        && edit.replace(command, said, port)
    {
        return Some(edit.launch(true));
    }
    let fixed = said.filter(|said| !matches!(said.place, Place::Environment { .. }));
    for way in command.ways() {
        // What stands in a package script overrules the environment; and a second address or
        // word would be added to the first.
        let is_beaten = match (fixed.map(|said| said.way), way) {
            (Some(Way::Option { .. } | Way::Word { .. }), Way::Variable { .. }) => true,
            (Some(Way::Variable { .. }), Way::Variable { .. }) => true,
            (Some(fixed), _) => accumulates(&fixed) || matches!(fixed, Way::Word { .. }),
            (None, _) => false,
        };
        if is_beaten {
            continue;
        }
        if let Some(certain) = edit.add(command, way, port) {
            return Some(edit.launch(certain));
        }
    }
    None
}

/// A command line that is being changed.
struct Edit {
    argv: Vec<String>,
    env: Vec<(String, String)>,
}

impl Edit {
    fn launch(self, certain: bool) -> Launch {
        Launch { argv: self.argv, env: self.env, certain }
    }

    /// Writes the port where it is said now; `false` where that place cannot be changed.
    fn replace(&mut self, command: &Command, said: &Said, port: Port) -> bool {
        let written = |form: Form, text: &str| match &said.read {
            Read::Port(_, at) => Some(value::replaced(form, text, at, port)),
            Read::Other => value::write(form, port),
        };
        match (&said.place, said.way) {
            (
                Place::Argument { index, offset },
                Way::Option { form, .. } | Way::Word { form, .. },
            ) => {
                let word = &command.arguments[*index];
                let (before, text) = word.text.split_at(*offset);
                written(form, text).is_some_and(|value| self.set(word, &format!("{before}{value}")))
            }
            (Place::Assignment { index, .. }, Way::Variable { form, .. }) => {
                let own = &command.assignments[*index];
                let word = Word { text: String::new(), slot: own.slot.clone() };
                written(form, &own.value)
                    .is_some_and(|value| self.set_assignment(&word, &own.name, &value))
            }
            // An option would be surer than the environment; it is added first.
            _ => false,
        }
    }

    fn set(&mut self, word: &Word, text: &str) -> bool {
        let Some(slot) = &word.slot else { return false };
        let argument = &mut self.argv[slot.argument];
        match &slot.range {
            None => text.clone_into(argument),
            Some(range) => argument.replace_range(range.clone(), &words::quoted(text)),
        }
        true
    }

    /// `NAME=value` is only an assignment to a shell while the name is unquoted.
    fn set_assignment(&mut self, word: &Word, name: &str, value: &str) -> bool {
        let Some(slot) = &word.slot else { return false };
        let argument = &mut self.argv[slot.argument];
        match &slot.range {
            None => *argument = format!("{name}={value}"),
            Some(range) => {
                argument.replace_range(range.clone(), &format!("{name}={}", words::quoted(value)));
            }
        }
        true
    }

    /// Adds the port by this way; whether that is certain, or `None` where it cannot be done.
    fn add(&mut self, command: &Command, way: &Way, port: Port) -> Option<bool> {
        match *way {
            Way::Option { names, form, add } => {
                let name = names.first()?;
                let value = value::write(form, port)?;
                let words = match add {
                    Add::Last | Add::First => vec![(*name).to_owned(), value],
                    Add::LastJoined | Add::FirstJoined => vec![format!("{name}={value}")],
                    Add::No => return None,
                };
                let first = matches!(add, Add::First | Add::FirstJoined);
                self.insert(command, words, first).then_some(true)
            }
            Way::Word { index: 0, form, add: true } => {
                let value = match form {
                    Form::Address { .. } => port.to_string(),
                    _ => value::write(form, port)?,
                };
                self.insert(command, vec![value], true).then_some(true)
            }
            Way::Word { .. } => None,
            Way::Variable { name, form, certain } => {
                let value = value::write(form, port)?;
                match &command.env_gap {
                    None => self.env.push((name.to_owned(), value)),
                    Some(gap) => {
                        let words = vec!["env".to_owned(), format!("{name}={value}")];
                        self.put(gap, words, Side::Before);
                    }
                }
                Some(certain)
            }
        }
    }

    /// Puts words before or after the program's arguments; `false` where they would not reach it.
    fn insert(&mut self, command: &Command, mut words: Vec<String>, first: bool) -> bool {
        if first && let Some(gap) = &command.first {
            self.put(gap, words, Side::After);
            return true;
        }
        if command.program.is_some_and(|program| program.arguments.until_word) {
            return false;
        }
        let dashes = command.arguments.iter().find(|word| word.text == "--");
        if let Some(dashes) = dashes {
            let Some(slot) = &dashes.slot else { return false };
            let byte = slot.range.as_ref().map(|range| range.start);
            self.put(&Gap { argument: slot.argument, byte }, words, Side::Before);
            return true;
        }
        let Some(gap) = &command.last else { return false };
        words.splice(0..0, vec!["--".to_owned(); command.dashes]);
        self.put(gap, words, Side::After);
        true
    }

    fn put(&mut self, gap: &Gap, words: Vec<String>, side: Side) {
        match gap.byte {
            None => drop(self.argv.splice(gap.argument..gap.argument, words)),
            Some(byte) => {
                let quoted: Vec<String> = words.iter().map(|word| words::quoted(word)).collect();
                let text = quoted.join(" ");
                let text = match side {
                    Side::Before => format!("{text} "),
                    Side::After => format!(" {text}"),
                };
                self.argv[gap.argument].insert_str(byte, &text);
            }
        }
    }
}

/// The side of a word that others are put on.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

#[cfg(test)]
mod tests;
