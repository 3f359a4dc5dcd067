//! What people type to say what they mean: one parser for every command, every form in
//! `docs/targets.md`. Nothing here looks at the machine; what a target turns out to be is found
//! out by whoever looks.

mod grammar;
mod problem;
mod url;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use crate::addr::{AddressScope, Endpoint, Port, Transport};
use crate::names::{Names, NoNames};
use crate::process::Process;

pub use problem::{Problem, TargetError};

/// What one word means. Its `Display` is the canonical spelling, which parses to the same target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// One port (`:3000`, `tcp:3000`, `127.0.0.1:3000`, `:http`, a URL).
    Port(Endpoint),
    /// Several ports in a row (`:3000-3010`).
    Range(PortRange),
    /// A unix socket, named as one (`unix:/run/app.sock`, `unix:@name`).
    Unix(UnixName),
    /// A process (`pid:1234`). Never 0.
    Pid(u32),
    /// A bare number, which is a process; whether a port of that number is held too is found out
    /// when looked at, and then only looking goes on (see [`Target::also_port`]). Never 0.
    Number(u32),
    /// Processes of that name (`node`), matched by [`is_called`].
    Name(String),
    /// A path, as typed (`/run/app.sock`, `./server`). The word cannot tell a socket from a file:
    /// looking does, and a unix socket bound or lying there comes before a file.
    Path(String),
    /// What a container runs (`container:web`): its name or the start of its id.
    Container(String),
    /// What a service manager's unit runs (`unit:nginx.service`), with its suffix.
    Unit(String),
}

/// The name of a unix socket (unix(7)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnixName {
    /// A path, as typed.
    Path(String),
    /// An abstract name, without its leading NUL or `@`.
    Abstract(String),
}

/// Ports in a row, on one transport or both, on some addresses; never reversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    transport: Option<Transport>,
    address: AddressScope,
    first: Port,
    last: Port,
}

impl PortRange {
    /// From `first` to `last`, both included; `None` if they are reversed.
    pub fn new(
        transport: Option<Transport>,
        address: AddressScope,
        first: Port,
        last: Port,
    ) -> Option<Self> {
        (first <= last).then_some(Self { transport, address, first, last })
    }

    /// The transport, or `None` for TCP and UDP.
    pub const fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// The addresses.
    pub const fn address(&self) -> AddressScope {
        self.address
    }

    /// The lowest port.
    pub const fn first(&self) -> Port {
        self.first
    }

    /// The highest port.
    pub const fn last(&self) -> Port {
        self.last
    }

    /// Whether the port is one of them.
    pub fn contains(&self, port: Port) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Every port, ascending.
    pub fn ports(&self) -> impl Iterator<Item = Port> + use<> {
        (self.first.get()..=self.last.get()).filter_map(Port::new)
    }

    /// Every port as an endpoint, ascending.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> + use<> {
        let Self { transport, address, .. } = *self;
        self.ports().map(move |port| Endpoint { transport, address, port })
    }
}

impl Target {
    /// The endpoints a port target means, ascending; empty for other targets.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        match self {
            Self::Port(endpoint) => vec![*endpoint],
            Self::Range(range) => range.endpoints().collect(),
            _ => Vec::new(),
        }
    }

    /// For a bare number, the port it would be with a colon; `None` for every other target and
    /// for numbers beyond 65535.
    pub fn also_port(&self) -> Option<Port> {
        match self {
            Self::Number(number) => Port::new(u16::try_from(*number).ok()?),
            _ => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(endpoint) => endpoint.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::Unix(name) => write!(f, "unix:{name}"),
            Self::Pid(pid) => write!(f, "pid:{pid}"),
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Path(path) => f.write_str(path),
            Self::Container(name) => write!(f, "container:{name}"),
            Self::Unit(name) => write!(f, "unit:{name}"),
        }
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = grammar::before_port(self.transport, self.address);
        write!(f, "{before}{}-{}", self.first, self.last)
    }
}

/// What one word means, by the built-in service names and numeric scope ids alone.
///
/// # Errors
/// [`TargetError`] says what is wrong with the word and, where that can be told, what was meant.
pub fn parse(word: &str) -> Result<Target, TargetError> {
    parse_with(word, &NoNames)
}

/// What one word means, asking `names` for service and interface names it does not know itself.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(word: &str, names: &dyn Names) -> Result<Target, TargetError> {
    grammar::read(word.trim(), names).map_err(|fault| fault.about(word.trim()))
}

/// What one word of a command line means; see [`parse`].
///
/// # Errors
/// As [`parse`]; [`Problem::NotText`] for a word that is not UTF-8.
pub fn parse_os(word: &OsStr) -> Result<Target, TargetError> {
    parse(text(word)?)
}

/// A word of a command line as text.
///
/// # Errors
/// [`Problem::NotText`] if it is not UTF-8 (on Windows: not UTF-16).
pub fn text(word: &OsStr) -> Result<&str, TargetError> {
    word.to_str().ok_or_else(|| {
        let fault = Problem::NotText.with("pid:PID");
        fault.about(&word.to_string_lossy())
    })
}

/// What the words of a command line mean, each target once, in order: the word as it was typed
/// (a URL's password and query masked) and its meaning. Commas always separate; a space within a
/// word does where nothing but ports and numbers stand around it (`"$(lsof -t …)"`), because
/// names and paths may contain spaces. Linear in the input.
///
/// # Errors
/// The first [`TargetError`]; [`Problem::Empty`] for no word, and for a word with nothing in it:
/// that is an unset variable, and acting on the rest of the line would be a guess.
pub fn parse_list<'a>(
    words: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<(String, Target)>, TargetError> {
    parse_list_with(words, &NoNames)
}

/// As [`parse_list`], asking `names` for service and interface names.
///
/// # Errors
/// As [`parse_list`].
pub fn parse_list_with<'a>(
    words: impl IntoIterator<Item = &'a str>,
    names: &dyn Names,
) -> Result<Vec<(String, Target)>, TargetError> {
    let mut list = List::default();
    let mut words = words.into_iter().peekable();
    if words.peek().is_none() {
        return Err(Problem::Empty.with(":3000").about(""));
    }
    for word in words {
        list.add_word(word, names)?;
    }
    Ok(list.targets)
}

/// Whether a process is called that: its short name, or the file name of its executable or of
/// its `argv[0]`, whole, ignoring case; an `.exe` that was not typed is passed over.
pub fn is_called(process: &Process, name: &str) -> bool {
    let same = |have: &str| {
        let have = have.to_lowercase();
        let name = name.to_lowercase();
        have == name || have.strip_suffix(".exe").is_some_and(|stem| stem == name)
    };
    names(process).any(same)
}

/// What a process is called: its short name, and the file names of its executable and `argv[0]`.
pub fn names(process: &Process) -> impl Iterator<Item = &str> {
    let paths = process.exe.iter().chain(process.argv.first());
    std::iter::once(&*process.name).chain(paths.map(|path| file_name(path)))
}

fn file_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(OsStr::to_str).unwrap_or(path)
}

/// Targets in the order they came, each once.
#[derive(Default)]
struct List {
    targets: Vec<(String, Target)>,
    seen: HashSet<Target>,
}

impl List {
    fn add_word(&mut self, word: &str, names: &dyn Names) -> Result<(), TargetError> {
        let mut empty = true;
        for item in word.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            empty = false;
            match numbers_between_spaces(item, names) {
                Some(several) => several.into_iter().for_each(|one| self.add(one)),
                None => self.add((url::masked(item), parse_with(item, names)?)),
            }
        }
        if empty { Err(Problem::Empty.with(":3000").about(word)) } else { Ok(()) }
    }

    fn add(&mut self, (typed, target): (String, Target)) {
        if self.seen.insert(target.clone()) {
            self.targets.push((typed, target));
        }
    }
}

/// The targets of an item such as `:3000 :3001`, or `None` where it is one target.
fn numbers_between_spaces(item: &str, names: &dyn Names) -> Option<Vec<(String, Target)>> {
    if !item.contains(char::is_whitespace) {
        return None;
    }
    item.split_whitespace()
        .map(|part| match parse_with(part, names).ok()? {
            target @ (Target::Port(_) | Target::Range(_) | Target::Pid(_) | Target::Number(_)) => {
                Some((url::masked(part), target))
            }
            _ => None,
        })
        .collect()
}
