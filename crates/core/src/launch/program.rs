//! What is known of a server program: how it is told a port, and what it does when the port is
//! held. The programs themselves are rows of [`super::table`].

use crate::addr::AddressScope;

pub use super::value::Form;

/// A server program, or one way of running it (`vite` and `vite preview` are two).
#[derive(Debug)]
pub struct Program {
    /// What to call it: `vite`, `rails server`.
    pub name: &'static str,
    /// How it is recognised.
    pub(super) called: Called,
    /// The port it takes when nothing is said, where it has one.
    pub default_port: Option<u16>,
    /// The addresses it listens on when nothing is said, where that is known.
    pub default_address: Option<AddressScope>,
    /// The ways it is told a port, in the order in which one overrules the next.
    pub ways: &'static [Way],
    /// What it does by itself when its port is held.
    pub moves: Moves,
    /// Whether it serves on a descriptor handed over by systemd's protocol (`LISTEN_FDS`,
    /// `LISTEN_PID`; sd_listen_fds(3)) with no argument more. Only where it was tried or its
    /// documentation says so.
    pub takes_listen_fds: bool,
    /// The arguments that make it serve on descriptor 3, the first one handed over; empty where
    /// it knows none.
    pub descriptor_arguments: &'static [&'static str],
    /// Whether it merely runs a program of the user's, as `node` and `python` do: what is known
    /// here of ports is then a custom, not a fact.
    pub is_interpreter: bool,
    pub(super) arguments: Arguments,
}

/// A program that leaves its port when the port is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// It fails, or asks.
    Never,
    /// It takes another one, unless it was told this one.
    FromDefault,
    /// It takes another one even where it was told this one.
    Always,
}

/// One way a program is told its port.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// An option with a value: `--port 3000`, `--port=3000`, `-p 3000`, `-p3000`.
    Option {
        /// Its names; the first is the one to add.
        names: &'static [&'static str],
        /// How the value is written.
        form: Form,
        /// How the option is added where it is not there.
        add: Add,
    },
    /// An argument without an option: `python -m http.server 8000`.
    Word {
        /// Its place among the arguments that are no options, from 0.
        index: usize,
        /// How it is written.
        form: Form,
        /// Whether it can be added where it is not there.
        add: bool,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: &'static str,
        /// How its value is written.
        form: Form,
        /// Whether the program itself reads it; else it is the custom of programs of its kind.
        certain: bool,
    },
}

/// How an option is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Add {
    /// After what is there: `--port 3000`.
    Last,
    /// After what is there, in one word: `--port=3000`.
    LastJoined,
    /// Before what is there, because a script or a command of its own follows: `--port 3000`.
    First,
    /// Before what is there, in one word: `-Dport=3000`.
    FirstJoined,
    /// Not: the value needs more than a port, or the option is only understood by some.
    No,
}

/// The command words by which a program is recognised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    /// The names of its command, its module or its package.
    pub names: &'static [&'static str],
    pub then: Then,
}

/// What has to follow the name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// Anything.
    Anything,
    /// One of these words (each may be two, as in `http server`).
    One(&'static [&'static str]),
    /// None of these words: they are commands that serve nothing, or other rows.
    Not(&'static [&'static str]),
    /// An option among the arguments that begins so.
    Option(&'static str),
}

/// Which of the arguments are the program's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments {
    /// Whether everything from the first word that is no option belongs to another program: a
    /// script, a container's command.
    pub until_word: bool,
    /// Whether this option takes the next argument as its value.
    pub takes_value: fn(&str) -> bool,
}

impl Program {
    /// Whether what it serves is HTTP, so that a browser can open it; false for what merely runs
    /// something else.
    pub fn speaks_http(&self) -> bool {
        const OTHERS: [&str; 11] = [
            "docker run",
            "kubectl port-forward",
            "ssh -L",
            "socat",
            "redis-server",
            "postgres",
            "pg_ctl",
            "mysqld",
            "mongod",
            "memcached",
            "nginx",
        ];
        !self.is_interpreter && !OTHERS.contains(&self.name)
    }

    /// Whether it would take another port by itself, told this one (`told`) or not.
    pub fn moves_silently(&self, told: bool) -> bool {
        match self.moves {
            Moves::Never => false,
            Moves::FromDefault => !told,
            Moves::Always => true,
        }
    }
}
