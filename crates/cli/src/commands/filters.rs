//! Which processes to show: the options that every command about processes has, and the wish
//! they come to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proc_core::filter::{NameMatch, ProcessFilter, SortKey};
use proc_core::process::{Percent, ProcessState};
use proc_core::processes::{ProcessesWish, USUAL_WINDOW};
use proc_core::report::{ErrorReport, ProcessesReport};
use proc_core::snapshot::ProcessFacts;
use proc_core::windows::path::plain;

use crate::answer::Answer;
use crate::columns::{Shape, TableArgs, offer_text};
use crate::duration;
use crate::globals::Globals;
use crate::output;
use crate::render::process_columns;

/// Of more processes than that the ports are not looked for unasked: `list` on a machine of 2,000
/// would take twice as long.
pub const PORTS_UNASKED: usize = 800;

/// Which processes: what every command takes that shows them, and every one that acts on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct WhichArgs {
    /// Only those that run in this directory or below it; alone: in the current one
    #[arg(help_heading = "Which processes", long = "in", short, value_name = "DIR", num_args = 0..=1, default_missing_value = ".")]
    pub r#in: Option<String>,
    /// Only those of this name: whole, ignoring case
    #[arg(help_heading = "Which processes", long, short, value_name = "NAME", value_parser = name)]
    pub by: Option<String>,
    /// Only those with this text in the command line; alone: names match there too
    #[arg(help_heading = "Which processes", long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "")]
    pub cmd: Option<String>,
    /// Only those whose executable is this file, or below this directory
    #[arg(help_heading = "Which processes", long, value_name = "PATH")]
    pub path: Option<String>,
    /// Only those of this user: a name or a number
    #[arg(help_heading = "Which processes", long, value_name = "USER", value_parser = name)]
    pub user: Option<String>,
    /// Only those that use at least so much of a processor (100 is all of one)
    #[arg(help_heading = "Which processes", long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = percent)]
    pub min_cpu: Option<Percent>,
    /// Only those with at least so much memory: 100 (MB), 512K, 1.5G
    #[arg(help_heading = "Which processes", long, value_name = "SIZE", allow_negative_numbers = true, value_parser = memory)]
    pub min_mem: Option<u64>,
    /// Only those at least so old: 90s, 5m, 2h
    #[arg(help_heading = "Which processes", long, value_name = "TIME", allow_negative_numbers = true, value_parser = duration::parse)]
    pub min_uptime: Option<Duration>,
    /// Only those that are running, sleeping, stopped, zombie, uninterruptible …
    #[arg(help_heading = "Which processes", long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    pub status: Vec<ProcessState>,
    /// Only children of this process
    #[arg(help_heading = "Which processes", long, value_name = "PID", allow_negative_numbers = true, value_parser = pid)]
    pub parent: Option<u32>,
}

/// Which processes, in what order, and how many.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Which processes")]
pub struct FilterArgs {
    #[command(flatten)]
    pub which: WhichArgs,
    /// Threads of the kernel too
    #[arg(long)]
    pub kernel: bool,
    /// In the order of: pid, cpu, mem, name, age, ports
    #[arg(long, short, value_name = "KEY", value_parser = sort_key)]
    pub sort: Option<SortKey>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true, value_parser = limit)]
    pub limit: Option<usize>,
    /// Measure how much of a processor each uses
    #[arg(long)]
    pub cpu: bool,
    /// Measure that for so long (200ms)
    #[arg(long, value_name = "TIME", value_parser = window)]
    pub window: Option<Duration>,
}

/// Which processes, and how they are shown: what every command that lists them takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub filters: FilterArgs,
    /// Print PIDs alone, one a line
    #[arg(
        long,
        help_heading = "Output",
        conflicts_with_all = ["json", "jsonl", "quiet", "columns", "csv"]
    )]
    pub pids: bool,
    #[command(flatten)]
    pub table: TableArgs,
}

impl ListArgs {
    /// The list of that command: of the processes with one of those names, or of all. `ask` looks,
    /// with a wish for no more than is shown.
    ///
    /// # Errors
    /// As [`FilterArgs::wish`], a column that there is not, and what `ask` says.
    pub fn answer(
        &self,
        command: &'static str,
        names: &[String],
        globals: &Globals,
        ask: impl FnOnce(ProcessesWish) -> Result<ProcessesReport, ErrorReport>,
    ) -> Result<Answer, ErrorReport> {
        let offers = process_columns();
        if self.table.wants_offer() {
            return Ok(Answer::Text(offer_text(&offers)));
        }
        let shape = if self.pids { Shape::Pids } else { self.table.shape(command, &offers)? };
        let mut wish = self.filters.wish(names, globals)?;
        let chosen = |name: &str| {
            let columns = self.table.columns.as_ref();
            columns.is_some_and(|columns| columns.0.iter().any(|column| column == name))
        };
        wish.cpu |= chosen("cpu");
        let whole = globals.for_programs() || self.table.columns.is_some() || self.table.csv;
        (wish.facts, wish.ports) = match shape {
            _ if globals.quiet => (ProcessFacts::BARE, false),
            Shape::Pids => (ProcessFacts::BARE, false),
            _ if whole => (ProcessFacts::ALL, self.table.columns.is_none() || chosen("ports")),
            // What a row of the table shows.
            _ => (ProcessFacts { program: false, group: false, ..ProcessFacts::ALL }, true),
        };
        if !whole {
            wish.ports_of_at_most = PORTS_UNASKED;
        }
        Ok(Answer::Processes { report: ask(wish)?, shape })
    }
}

impl WhichArgs {
    /// What has to be so of a process with one of those names, or of any.
    ///
    /// # Errors
    /// A text or a name that is empty, and a directory that is none.
    pub fn filter(
        &self,
        names: &[String],
        globals: &Globals,
    ) -> Result<ProcessFilter, ErrorReport> {
        let replayed = globals.replay.is_some();
        // `--cmd` alone is about the names; with a text it is a filter of its own.
        let bare = self.cmd.as_deref() == Some("");
        if bare && names.is_empty() && self.by.is_none() {
            return Err(wrong("--cmd needs a text; for example `--cmd server.js`"));
        }
        Ok(ProcessFilter {
            names: names_of(names)?,
            by: self.by.clone(),
            matching: if bare { NameMatch::Anywhere } else { NameMatch::Whole },
            command: self.cmd.clone().filter(|text| !text.is_empty()),
            directory: self.r#in.as_deref().map(|word| directory(word, replayed)).transpose()?,
            program: self.path.as_deref().map(|word| place(word, replayed)).transpose()?,
            user: self.user.clone(),
            min_cpu: self.min_cpu,
            min_memory: self.min_mem,
            min_age: self.min_uptime,
            states: self.status.clone(),
            parent: self.parent,
            kernel_threads: false,
        })
    }
}

impl FilterArgs {
    /// What is wished for of the processes with one of those names, or of all.
    ///
    /// # Errors
    /// Options that make no sense together, and a directory that is none.
    pub fn wish(&self, names: &[String], globals: &Globals) -> Result<ProcessesWish, ErrorReport> {
        let wish = ProcessesWish {
            filter: ProcessFilter {
                kernel_threads: self.kernel,
                ..self.which.filter(names, globals)?
            },
            sort: self.sort.unwrap_or_default(),
            limit: self.limit,
            cpu: self.cpu,
            window: self.window.unwrap_or(USUAL_WINDOW),
            show_secrets: globals.show_secrets,
            ..ProcessesWish::default()
        };
        match self.window {
            Some(_) if !wish.measures() => Err(wrong(
                "--window is for how long processor use is measured; say --cpu, --sort cpu or --min-cpu with it",
            )),
            _ => Ok(wish),
        }
    }
}

/// The names in words such as `node,python`.
///
/// # Errors
/// A word with no name in it: that is an unset variable, and everybody would be a guess.
fn names_of(words: &[String]) -> Result<Vec<String>, ErrorReport> {
    let mut names = Vec::new();
    for word in words {
        let mut parts = word.split(',').map(str::trim).filter(|part| !part.is_empty()).peekable();
        if parts.peek().is_none() {
            return Err(wrong("a name is empty; for example `node`"));
        }
        names.extend(parts.map(str::to_owned));
    }
    Ok(names)
}

/// A directory as the kernel writes it. Of a recording it need not be there.
///
/// # Errors
/// There is none, or it may not be looked for.
pub fn directory(word: &str, replayed: bool) -> Result<PathBuf, ErrorReport> {
    let path = place(word, replayed)?;
    if replayed || path.is_dir() {
        return Ok(path);
    }
    Err(ErrorReport {
        word: Some(word.to_owned()),
        ..wrong(&format!("{word} is a file and no directory; what has it open: `proc for {word}`"))
    })
}

fn place(word: &str, replayed: bool) -> Result<PathBuf, ErrorReport> {
    if word.is_empty() {
        return Err(wrong("a directory is empty; for example `.`"));
    }
    let found = match replayed {
        true => std::path::absolute(Path::new(word)),
        false => Path::new(word).canonicalize(),
    };
    // Windows writes whole paths in a form that nobody types.
    let found = found.map(|path| match path.to_str() {
        Some(text) => PathBuf::from(&*plain(text)),
        None => path,
    });
    found.map_err(|error| ErrorReport {
        word: Some(word.to_owned()),
        ..wrong(&match error.kind() {
            std::io::ErrorKind::NotFound => format!("there is no {word}"),
            _ => format!("{word} cannot be looked at: {}", output::reason(&error)),
        })
    })
}

fn wrong(explain: &str) -> ErrorReport {
    ErrorReport {
        kind: "usage".to_owned(),
        explain: explain.to_owned(),
        word: None,
        suggestion: None,
    }
}

/// A name that can be one.
pub fn name(word: &str) -> Result<String, String> {
    match word.trim() {
        "" => Err("a name is empty; for example `node`".to_owned()),
        name => Ok(name.to_owned()),
    }
}

fn percent(word: &str) -> Result<Percent, String> {
    let number = word.strip_suffix('%').unwrap_or(word).trim_end();
    decimal(number).filter(|percent| *percent <= 1_000_000.0).map(Percent::from).ok_or_else(|| {
        format!("`{word}` is not a share of a processor; write it like `10` or `0.5`")
    })
}

/// Memory in bytes: a number of megabytes, or with the unit beside it. 1 K is 1024 bytes.
fn memory(word: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 5] =
        [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40), ("", 1 << 20)];
    let parse = || {
        let lower = word.to_ascii_lowercase();
        let bare = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b'));
        // `100B` is bytes; `100KB` and `100KiB` are what `100K` is.
        if let Some(bytes) = bare.filter(|bare| bare.ends_with(|c: char| c.is_ascii_digit())) {
            return lower
                .ends_with("ib")
                .then_some(())
                .map_or_else(|| bytes.parse().ok(), |()| None);
        }
        let text = bare.unwrap_or(&lower);
        let (unit, size) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
        let number = decimal(text.strip_suffix(unit)?)? * *size as f64;
        (number < u64::MAX as f64).then_some(number as u64)
    };
    parse().ok_or_else(|| {
        format!("`{word}` is not an amount of memory; write it like `100` (MB), `512K` or `1.5G`")
    })
}

/// A number without sign or exponent, such as `12` or `0.5`.
fn decimal(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse::<f64>().ok().filter(|number| is_plain && number.is_finite())
}

fn state(word: &str) -> Result<ProcessState, String> {
    let lower = word.to_ascii_lowercase();
    let meant = match lower.as_str() {
        "run" => "running",
        "sleep" => "sleeping",
        "stop" => "stopped",
        "defunct" => "zombie",
        other => other,
    };
    ProcessState::ALL.into_iter().find(|state| state.name() == meant).ok_or_else(|| {
        let names: Vec<&str> = ProcessState::ALL.iter().map(|state| state.name()).collect();
        format!("`{word}` is not what a process can be doing; there are {}", names.join(", "))
    })
}

fn pid(word: &str) -> Result<u32, String> {
    let number = word.strip_prefix("pid:").unwrap_or(word);
    number
        .parse()
        .ok()
        .filter(|pid| *pid > 0)
        .ok_or_else(|| format!("`{word}` is not a process; write its PID, like `1234`"))
}

fn sort_key(word: &str) -> Result<SortKey, String> {
    match word.to_ascii_lowercase().as_str() {
        "pid" => Ok(SortKey::Pid),
        "cpu" => Ok(SortKey::Cpu),
        "mem" | "memory" => Ok(SortKey::Memory),
        "name" => Ok(SortKey::Name),
        "age" | "uptime" => Ok(SortKey::Age),
        "port" | "ports" => Ok(SortKey::Ports),
        _ => Err(format!(
            "`{word}` is nothing to sort by; there are pid, cpu, mem, name, age and ports"
        )),
    }
}

/// A number of rows that can be shown.
pub fn limit(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(0) => Err("`0` would show nothing; only the exit code: `--quiet`".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err(format!("`{word}` is not a number of rows; write it like `20`")),
    }
}

fn window(word: &str) -> Result<Duration, String> {
    let time = duration::parse(word)?;
    match time {
        _ if time < Duration::from_millis(20) => Err(format!(
            "`{word}` is too short: the kernel counts processor time in steps of 10 ms; 20ms or more"
        )),
        _ if time > Duration::from_secs(60) => {
            Err(format!("`{word}` is too long to measure; up to 60s"))
        }
        _ => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(args: &FilterArgs, names: &[&str]) -> Result<ProcessesWish, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        args.wish(&names, &Globals::default()).map_err(|error| error.explain)
    }

    #[test]
    fn amounts_of_memory() {
        for (word, want) in [
            ("100", 100 << 20),
            ("0", 0),
            ("0.5", 512 << 10),
            ("100M", 100 << 20),
            ("100m", 100 << 20),
            ("100MB", 100 << 20),
            ("100MiB", 100 << 20),
            ("1.5G", 3 << 29),
            ("512K", 512 << 10),
            ("1t", 1 << 40),
            ("700B", 700),
        ] {
            assert_eq!(memory(word), Ok(want), "{word}");
        }
        for word in
            ["", "x", "-5", "1e3", "nan", "inf", "1.2.3", "M", "5X", "5iB", "99999999999999T", "٣"]
        {
            assert!(memory(word).is_err(), "{word}");
        }
    }

    #[test]
    fn shares_numbers_and_words() {
        assert_eq!(percent("12.5"), Ok(Percent::from_tenths(125)));
        assert_eq!(percent("50%"), Ok(Percent::from_tenths(500)));
        assert_eq!(percent("0"), Ok(Percent::default()));
        for word in ["", "-1", "lots", "NaN", "1e9", "99999999999"] {
            assert!(percent(word).is_err(), "{word}");
        }
        assert_eq!(state("Stopped"), Ok(ProcessState::Stopped));
        assert_eq!(state("sleep"), Ok(ProcessState::Sleeping));
        assert!(state("busy").unwrap_err().contains("uninterruptible"));
        assert_eq!((pid("12"), pid("pid:12")), (Ok(12), Ok(12)));
        assert!(["0", "-1", "x", ""].iter().all(|word| pid(word).is_err()));
        assert!(["0", "-1", "x", ""].iter().all(|word| limit(word).is_err()));
        assert!(["1ms", "2m", "5"].iter().all(|word| window(word).is_err()));
    }

    #[test]
    fn what_makes_no_sense_together_is_said() {
        let window = FilterArgs { window: Some(USUAL_WINDOW), ..FilterArgs::default() };
        assert!(wish(&window, &[]).unwrap_err().starts_with("--window is for how long"));
        let measured = FilterArgs { cpu: true, ..window };
        assert!(wish(&measured, &[]).unwrap().measures());
        let which = WhichArgs { cmd: Some(String::new()), ..WhichArgs::default() };
        let bare = FilterArgs { which, ..FilterArgs::default() };
        assert_eq!(
            wish(&bare, &[]).unwrap_err(),
            "--cmd needs a text; for example `--cmd server.js`"
        );
        assert_eq!(wish(&bare, &["x"]).unwrap().filter.matching, NameMatch::Anywhere);
        assert_eq!(
            wish(&FilterArgs::default(), &[","]).unwrap_err(),
            "a name is empty; for example `node`"
        );
    }

    fn inside(word: &str) -> Result<PathBuf, String> {
        let which = WhichArgs { r#in: Some(word.to_owned()), ..WhichArgs::default() };
        let args = FilterArgs { which, ..FilterArgs::default() };
        wish(&args, &[]).map(|wish| wish.filter.directory.unwrap())
    }

    #[test]
    fn a_directory_is_one() {
        let own = std::env::current_dir().unwrap();
        let whole = own.canonicalize().unwrap();
        assert_eq!(inside(".").unwrap(), Path::new(&*plain(whole.to_str().unwrap())));
        assert_eq!(inside("no/such/place").unwrap_err(), "there is no no/such/place");
        let file = std::env::current_exe().unwrap();
        assert!(inside(file.to_str().unwrap()).unwrap_err().contains("is a file and no directory"));
        let elsewhere = Globals { replay: Some("x".into()), ..Globals::default() };
        let which = WhichArgs { r#in: Some("/no/../such".to_owned()), ..WhichArgs::default() };
        let args = FilterArgs { which, ..FilterArgs::default() };
        assert!(args.wish(&[], &elsewhere).is_ok(), "of another machine");
    }

    #[test]
    #[cfg(unix)]
    fn the_root_is_a_directory() {
        assert_eq!(inside("/").unwrap(), Path::new("/"));
    }

    #[test]
    #[cfg(windows)]
    fn a_directory_is_written_as_people_do() {
        let own = std::env::current_dir().unwrap();
        let root = own.ancestors().last().unwrap();
        assert_eq!(inside(root.to_str().unwrap()).unwrap(), root);
        assert!(!inside(".").unwrap().to_str().unwrap().starts_with(r"\\?\"));
    }
}
