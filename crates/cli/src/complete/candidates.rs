//! What can stand there: commands, options and their values, targets. The grammar is the command
//! line's own, so nothing here has to be told of a new command or option.

use clap::{Arg, ArgAction};

use super::live::Live;
use crate::cli::{COMMANDS, about, grammar_for, is_target};
use crate::config::Settings;
use crate::render::columns_of;
use proc_core::running::Words;

/// A word that can stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The word, whole.
    pub value: String,
    /// What it is.
    pub about: String,
}

impl Candidate {
    fn new(value: impl Into<String>, about: impl Into<String>) -> Self {
        Self { value: value.into(), about: about.into() }
    }
}

/// Files that the shell is to add by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Any.
    Any,
    /// Directories.
    Directories,
}

/// Everything that can stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The words.
    pub words: Vec<Candidate>,
    /// And files.
    pub files: Option<Files>,
}

impl Found {
    const fn files(files: Files) -> Self {
        Self { words: Vec::new(), files: Some(files) }
    }

    fn words(words: Vec<Candidate>) -> Self {
        Self { words, files: None }
    }

    /// The words with something before each, as far as they then begin with what is typed.
    fn after(mut self, prefix: &str, typed: &str) -> Self {
        for word in &mut self.words {
            word.value.insert_str(0, prefix);
        }
        self.words.retain(|word| word.value.starts_with(typed));
        self
    }
}

/// What can stand after those words and begins with that one.
pub fn candidates(
    before: &[String],
    current: &str,
    settings: &Settings,
    live: &mut dyn Live,
) -> Found {
    let mut before = before.to_vec();
    if let Some(at) = command_place(&before)
        && let Some(words) = settings.alias(&before[at])
    {
        let words = words.to_vec();
        before.splice(at..=at, words);
    }
    let place = command_place(&before);
    let typed = place.map(|at| before[at].as_str());
    let name = match typed {
        Some(word) if is_target(word) => Some("on"),
        Some(word) if COMMANDS.contains(&word) => Some(word),
        Some(_) => return Found::default(),
        None => None,
    };
    let found = Line { name, place, before: &before, current }.found(settings, live);
    found.after("", current)
}

/// Where the command stands, or a target in its place.
fn command_place(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "--replay" | "--color" => at += 1,
            word if !word.starts_with('-') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// A line that is being typed.
struct Line<'a> {
    name: Option<&'a str>,
    place: Option<usize>,
    before: &'a [String],
    current: &'a str,
}

impl Line<'_> {
    fn found(&self, settings: &Settings, live: &mut dyn Live) -> Found {
        let grammar = grammar_for(self.name);
        let after_dashes = self.before.iter().any(|word| word == "--");
        if !after_dashes {
            if let Some(found) = self.value_of_option(&grammar, live) {
                return found;
            }
            if self.current.starts_with('-') {
                return Found::words(options(&grammar, self.current));
            }
        } else if matches!(self.name, Some("run" | "pick")) {
            return Found::files(Files::Any);
        }
        match self.name {
            None if is_target(self.current) => targets(self.current, live),
            None => Found::words(commands(settings)),
            Some("help") => Found::words(topics()),
            Some(_) => self.positional(&grammar, live),
        }
    }

    /// What an option takes, where one waits for its value.
    fn value_of_option(&self, grammar: &clap::Command, live: &mut dyn Live) -> Option<Found> {
        if let Some((option, typed)) = self.current.split_once('=')
            && option.starts_with("--")
        {
            let arg = option_named(grammar, option)?;
            let found = self.values(arg, typed, live);
            return Some(found.after(&format!("{option}="), self.current));
        }
        let arg = option_named(grammar, self.before.last()?)?;
        let waits = takes_value(arg) && !arg.is_require_equals_set();
        waits.then(|| self.values(arg, self.current, live))
    }

    fn positional(&self, grammar: &clap::Command, live: &mut dyn Live) -> Found {
        let after = self.place.map_or(0, |at| at + 1);
        // A target that stands in for the command is the first of `on`.
        let stands_in = usize::from(self.place.is_some_and(|at| is_target(&self.before[at])));
        let mut before = stands_in;
        let mut words = self.before[after.min(self.before.len())..].iter();
        while let Some(word) = words.next() {
            match option_named(grammar, word) {
                Some(arg) if takes_value(arg) && !arg.is_require_equals_set() => {
                    words.next();
                }
                None if !word.starts_with('-') => before += 1,
                _ => {}
            }
        }
        let all: Vec<&Arg> = grammar.get_positionals().collect();
        let several = |arg: &&Arg| {
            matches!(arg.get_action(), ArgAction::Append)
                || arg.get_num_args().is_some_and(|range| range.max_values() > 1)
        };
        match all.get(before).or_else(|| all.last().filter(|arg| several(arg))) {
            Some(arg) => self.values(arg, self.current, live),
            None => Found::default(),
        }
    }

    /// What an argument takes.
    fn values(&self, arg: &Arg, typed: &str, live: &mut dyn Live) -> Found {
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let word = |value: &clap::builder::PossibleValue| {
                let about = value.get_help().map(ToString::to_string).unwrap_or_default();
                Candidate::new(value.get_name(), about)
            };
            return Found::words(possible.iter().filter(|v| !v.is_hide_set()).map(word).collect());
        }
        match (arg.get_id().as_str(), value_name(arg)) {
            ("columns", _) => columns(self.name.unwrap_or_default(), typed),
            (_, "SIGNAL") => Found::words(signals()),
            (_, "TARGET" | "TARGETS") => targets(typed, live),
            (_, "NAME") => Found::words(names(live)),
            (_, "DIR" | "DIRECTORY") => Found::files(Files::Directories),
            (_, "FILE" | "PATH" | "COMMAND") => Found::files(Files::Any),
            (_, "PID") => Found::words(numbers(live, "")),
            _ => Found::default(),
        }
    }
}

fn value_name(arg: &Arg) -> &str {
    arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str())
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_positional()
}

fn option_named<'a>(grammar: &'a clap::Command, word: &str) -> Option<&'a Arg> {
    let long = word.strip_prefix("--").filter(|long| !long.is_empty());
    let short = word.strip_prefix('-').and_then(|rest| {
        let mut letters = rest.chars();
        letters.next().filter(|_| letters.next().is_none())
    });
    grammar.get_arguments().find(|arg| match long {
        Some(long) => arg.get_long_and_visible_aliases().is_some_and(|all| all.contains(&long)),
        None => short.is_some() && arg.get_short() == short,
    })
}

fn options(grammar: &clap::Command, typed: &str) -> Vec<Candidate> {
    let mut words = Vec::new();
    for arg in grammar.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional()) {
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        if let Some(long) = arg.get_long() {
            let equals = if arg.is_require_equals_set() { "=" } else { "" };
            words.push(Candidate::new(format!("--{long}{equals}"), about));
        } else if let Some(short) = arg.get_short().filter(|_| typed == "-") {
            words.push(Candidate::new(format!("-{short}"), about));
        }
    }
    words.push(Candidate::new("--help", "Print help"));
    words
}

fn commands(settings: &Settings) -> Vec<Candidate> {
    let own = COMMANDS.iter().map(|name| Candidate::new(*name, about(name)));
    let aliases = settings.aliases().map(|name| {
        let words = settings.alias(name).unwrap_or_default();
        Candidate::new(name, format!("alias: {}", crate::sanitize::shell(words)))
    });
    own.chain(aliases).collect()
}

fn topics() -> Vec<Candidate> {
    let topics = crate::commands::help::TOPICS.iter();
    let topics = topics.map(|topic| Candidate::new(topic.name, topic.about));
    topics.chain(COMMANDS.iter().map(|name| Candidate::new(*name, about(name)))).collect()
}

fn columns(command: &str, typed: &str) -> Found {
    let chosen = typed.rfind(',').map_or("", |at| &typed[..=at]);
    let is_chosen = |name: &str| chosen.split(',').any(|word| word == name);
    let offers = columns_of(command).unwrap_or_default();
    let words = offers.iter().filter(|offer| !is_chosen(offer.name));
    let words = words.map(|offer| Candidate::new(offer.name, offer.about)).collect();
    Found::words(words).after(chosen, typed)
}

fn signals() -> Vec<Candidate> {
    ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"].map(|name| Candidate::new(name, "")).into()
}

fn names(live: &mut dyn Live) -> Vec<Candidate> {
    let words = live.running(Words::Names).into_iter();
    words.map(|word| Candidate::new(word.word, processes(word.processes))).collect()
}

fn numbers(live: &mut dyn Live, prefix: &str) -> Vec<Candidate> {
    let words = live.running(Words::Numbers).into_iter();
    words.map(|word| Candidate::new(format!("{prefix}{}", word.word), word.name)).collect()
}

fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

/// The forms of targets that begin with a word and go on.
const FORMS: [(&str, &str); 7] = [
    ("tcp:", "a TCP port"),
    ("udp:", "a UDP port"),
    ("pid:", "a process by its number"),
    ("container:", "what a container runs"),
    ("unit:", "what a unit runs"),
    ("unix:", "a unix socket"),
    ("localhost:", "a port on the loopback"),
];

/// Targets, in a list with commas the last of it.
fn targets(typed: &str, live: &mut dyn Live) -> Found {
    let (done, last) = typed.rfind(',').map_or(("", typed), |at| typed.split_at(at + 1));
    if last.starts_with(['/', '.', '~']) {
        return Found::files(Files::Any);
    }
    Found::words(target(last, live)).after(done, typed)
}

fn target(typed: &str, live: &mut dyn Live) -> Vec<Candidate> {
    let (form, rest) = typed.split_once(':').unwrap_or(("", typed));
    let grouped = |live: &mut dyn Live, words| {
        let words = live.running(words).into_iter();
        let word = |word: proc_core::running::Word| {
            let about = format!("{} · {}", word.name, processes(word.processes));
            // Somebody who has an id in mind goes on with it.
            let id = word.id.filter(|id| !word.word.starts_with(rest) && id.starts_with(rest));
            Candidate::new(format!("{form}:{}", id.unwrap_or(word.word)), about)
        };
        words.map(word).collect()
    };
    match form {
        "" if typed.is_empty() => ports(live, ":", None).into_iter().chain(forms()).collect(),
        "" if typed.starts_with(':') => ports(live, ":", None),
        "tcp" | "udp" => ports(live, &format!("{form}:"), Some(form)),
        "localhost" | "127.0.0.1" | "0.0.0.0" => ports(live, &format!("{form}:"), None),
        "pid" => numbers(live, "pid:"),
        "container" => grouped(live, Words::Containers),
        "unit" => grouped(live, Words::Units),
        "unix" => live
            .sockets()
            .into_iter()
            .map(|(path, about)| Candidate::new(format!("unix:{path}"), about))
            .collect(),
        "" if typed.starts_with(|c: char| c.is_ascii_digit()) => numbers(live, ""),
        _ => names(live).into_iter().chain(forms()).collect(),
    }
}

fn forms() -> impl Iterator<Item = Candidate> {
    FORMS.iter().map(|(form, about)| Candidate::new(*form, *about))
}

fn ports(live: &mut dyn Live, prefix: &str, protocol: Option<&str>) -> Vec<Candidate> {
    let ports = live.ports().into_iter();
    let ports = ports.filter(|port| protocol.is_none_or(|wanted| port.protocols.contains(&wanted)));
    ports.map(|port| Candidate::new(format!("{prefix}{}", port.number), port.about)).collect()
}

#[cfg(test)]
mod tests {
    use proc_core::running::Word;

    use super::super::live::LivePort;
    use super::*;

    /// A machine that somebody with odd names works on.
    struct Script;

    impl Live for Script {
        fn ports(&mut self) -> Vec<LivePort> {
            let port = |number, protocols: &[&'static str], about: &str| LivePort {
                number,
                protocols: protocols.to_vec(),
                about: about.to_owned(),
            };
            vec![
                port(53, &["udp"], "named"),
                port(3000, &["tcp"], "node · ~/web"),
                port(3001, &["tcp", "udp"], "vite"),
            ]
        }

        fn running(&mut self, words: Words) -> Vec<Word> {
            let word = |word: &str| Word {
                word: word.into(),
                id: None,
                name: "node".into(),
                processes: 2,
            };
            match words {
                Words::Names => vec![word("node"), word("$(touch x)")],
                Words::Numbers => vec![word("12"), word("4242")],
                Words::Containers => vec![Word { id: Some("4bc0".into()), ..word("web") }],
                Words::Units => vec![word("nginx.service")],
            }
        }

        fn sockets(&mut self) -> Vec<(String, String)> {
            vec![("@app".into(), "node".into())]
        }
    }

    fn found(line: &str) -> Found {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let current = words.pop().unwrap();
        candidates(&words, &current, &Settings::default(), &mut Script)
    }

    fn words(line: &str) -> Vec<String> {
        found(line).words.into_iter().map(|word| word.value).collect()
    }

    #[test]
    fn every_place_has_its_words() {
        for (line, want) in [
            ("fre", &["free", "freeze"][..]),
            (":", &[":53", ":3000", ":3001"]),
            ("on :300", &[":3000", ":3001"]),
            (":3000 :3001", &[":3001"]),
            ("free -y :53", &[":53"]),
            ("kill udp:", &["udp:53", "udp:3001"]),
            ("on :53,:300", &[":53,:3000", ":53,:3001"]),
            ("on pid:4", &["pid:4242"]),
            ("on 1", &["12"]),
            ("stop container:", &["container:web"]),
            ("stop container:w", &["container:web"]),
            ("stop container:4b", &["container:4bc0"]),
            ("stop unit:ng", &["unit:nginx.service"]),
            ("on unix:@", &["unix:@app"]),
            ("on no", &["node"]),
            ("on $", &["$(touch x)"]),
            ("on u", &["udp:", "unit:", "unix:"]),
            ("on --js", &["--json", "--jsonl"]),
            ("kill --gr", &["--grace"]),
            ("--col", &["--color"]),
            ("on --color a", &["auto", "always"]),
            ("--color ne", &["never"]),
            ("--color=al", &["--color=always"]),
            ("--color always ch", &["check"]),
            ("kill --signal I", &["INT"]),
            ("ports --columns po", &["port"]),
            ("ports --columns port,n", &["port,name", "port,namespace"]),
            ("ports --columns=pid,qu", &["--columns=pid,queue"]),
            ("schema ", &[]),
            ("nonsense ", &[]),
            (
                "on --grace ",
                &[
                    ":53",
                    ":3000",
                    ":3001",
                    "tcp:",
                    "udp:",
                    "pid:",
                    "container:",
                    "unit:",
                    "unix:",
                    "localhost:",
                ],
            ),
        ] {
            assert_eq!(words(line), want, "proc {line}");
        }
        assert!(words("").contains(&"free".to_owned()));
        assert!(
            words("kill -").contains(&"-9".to_owned())
                || words("kill --n").contains(&"--now".to_owned())
        );
        assert_eq!(found("on :3000").words[0].about, "node · ~/web");
        assert_eq!(
            found("free").words[0].about,
            "Give a port back, or end processes for good, by the softest means that works"
        );
    }

    #[test]
    fn files_are_left_to_the_shell() {
        for (line, want) in [
            ("on ./se", Some(Files::Any)),
            ("on /run/", Some(Files::Any)),
            ("on --replay ", Some(Files::Any)),
            ("run -- np", Some(Files::Any)),
            ("on :3000", None),
        ] {
            assert_eq!(found(line).files, want, "proc {line}");
        }
    }
}
