//! One file a command: its arguments and its flow, from what was typed to an [`Answer`]. Nothing
//! here prints; acting hands on a question and progress through two callbacks.

pub mod act;
pub mod check;
pub mod free;
pub mod kill;
pub mod on;
pub mod pick;
pub mod ports;
pub mod record;
pub mod run;
pub mod schema;
pub mod stop;
pub mod wait;
pub mod watch;
pub mod why;

use proc_core::report::{ErrorReport, PortsReport, Report, SCHEMA, TargetReport};

use crate::cli::Command;
use crate::core_api::{Ask, LookOptions, Looked, Tell, Verb, connect};
use crate::exit::{self, Exit, Question};
use crate::globals::Globals;

/// What a command came to, for a renderer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What is there.
    Looked {
        /// How it is to be told.
        telling: Telling,
        /// The document.
        report: Report,
        /// See [`Looked::counts`].
        counts: Vec<usize>,
    },
    /// What was done.
    Acted {
        /// By which command.
        verb: Verb,
        /// The document.
        report: Report,
    },
    /// What was waited for.
    Waited {
        /// Whether one target was enough.
        any: bool,
        /// The document.
        report: Report,
    },
    /// A list of sockets.
    Listed {
        /// The document.
        report: PortsReport,
        /// Whether only PIDs are wanted.
        pids: bool,
    },
    /// Everything has been said already, as it happened.
    Told(Exit),
    /// A text that is the answer as it is.
    Text(String),
    /// The command could not be carried out.
    Failed {
        /// Which.
        command: &'static str,
        /// Why.
        error: ErrorReport,
    },
}

/// How an answer to looking is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// The essentials.
    On,
    /// Everything.
    Why,
    /// Yes or no.
    Check {
        /// Whether the server sets SO_REUSEADDR.
        reuse_addr: bool,
    },
    /// PIDs alone.
    Pids,
}

impl Telling {
    const fn question(self) -> Question {
        match self {
            Self::On | Self::Why | Self::Pids => Question::Held,
            Self::Check { reuse_addr } => Question::Bindable { reuse_addr },
        }
    }
}

impl Answer {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Looked { telling, report, counts } => {
                exit::of_targets(telling.question(), &report.targets, counts)
            }
            Self::Acted { verb, report } => exit::of_targets(question(*verb), &report.targets, &[]),
            Self::Waited { any, report } => exit::of_wait(&report.targets, *any),
            Self::Listed { report, .. } => exit::of_ports(report),
            Self::Told(exit) => *exit,
            Self::Text(_) => Exit::Yes,
            Self::Failed { error, .. } => exit::of_error(error),
        }
    }

    fn looked(command: &'static str, telling: Telling, looked: Looked) -> Self {
        let exit = exit::of_targets(telling.question(), &looked.targets, &looked.counts);
        let report = document(command, looked.targets, exit);
        Self::Looked { telling, report, counts: looked.counts }
    }

    fn acted(verb: Verb, targets: Vec<TargetReport>) -> Self {
        let exit = exit::of_targets(question(verb), &targets, &[]);
        Self::Acted { verb, report: document(verb.name(), targets, exit) }
    }

    fn waited(any: bool, targets: Vec<TargetReport>) -> Self {
        let exit = exit::of_wait(&targets, any);
        Self::Waited { any, report: document("wait", targets, exit) }
    }
}

const fn question(verb: Verb) -> Question {
    match verb {
        Verb::Kill | Verb::Stop => Question::Ended,
        Verb::Free => Question::Freed,
    }
}

/// The document of those targets.
pub fn document(command: &str, targets: Vec<TargetReport>, exit: Exit) -> Report {
    Report {
        schema: SCHEMA,
        command: command.to_owned(),
        ok: exit == Exit::Yes,
        targets,
        messages: Vec::new(),
        error: None,
    }
}

/// The document of a command that could not be carried out.
pub fn failure(command: &str, error: ErrorReport) -> Report {
    Report {
        schema: SCHEMA,
        command: command.to_owned(),
        ok: false,
        targets: Vec::new(),
        messages: Vec::new(),
        error: Some(error),
    }
}

/// Runs a command.
pub fn run(
    command: &Command,
    globals: &Globals,
    consent: &mut Ask<'_>,
    progress: &mut Tell<'_>,
) -> Answer {
    carry_out(command, globals, consent, progress)
        .unwrap_or_else(|error| Answer::Failed { command: command.name(), error })
}

fn carry_out(
    command: &Command,
    globals: &Globals,
    consent: &mut Ask<'_>,
    progress: &mut Tell<'_>,
) -> Result<Answer, ErrorReport> {
    let core = || connect(globals.replay.as_deref());
    match command {
        Command::On(args) => on::run(args, globals, &mut *core()?),
        Command::Why(args) => why::run(args, globals, &core),
        Command::Check(args) => check::run(args, &mut *core()?),
        Command::Ports(args) => ports::run(args, globals, &mut *core()?),
        Command::Kill(args) => act::run(args.request(), globals, &mut *core()?, consent, progress),
        Command::Stop(args) => act::run(args.request(), globals, &mut *core()?, consent, progress),
        Command::Free(args) => act::run(args.request(), globals, &mut *core()?, consent, progress),
        Command::Wait(args) => wait::run(args, globals, core, progress),
        Command::Watch(args) => watch::run(args, globals),
        Command::Pick(args) => pick::run(args, globals),
        Command::Run(args) => run::run(args, globals),
        Command::Record(args) => record::run(args, &mut *core()?),
        Command::Schema(args) => Ok(schema::run(args)),
    }
}

/// The target words of a command that needs at least one.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Targets {
    /// Ports, sockets or processes, such as :3000, /run/app.sock, pid:1234, node
    #[arg(value_name = "TARGET", required = true, value_parser = target_word)]
    pub targets: Vec<String>,
}

impl Targets {
    /// Whether there are more than one.
    fn several(&self) -> bool {
        self.targets.len() > 1 || self.targets.iter().any(|word| word.contains(','))
    }
}

/// A target word that can be one; what it means is found out by the library.
pub fn target_word(word: &str) -> Result<String, String> {
    if word.trim().is_empty() {
        return Err("a target is empty; for example `:3000`".to_owned());
    }
    Ok(word.to_owned())
}

/// How to look: what `on` and `why` share.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LookArgs {
    /// Look into every network namespace, such as those of containers
    #[arg(long)]
    pub all_namespaces: bool,
    /// Show sockets in every state, open connections included
    #[arg(long, short)]
    pub all_states: bool,
    /// Print PIDs alone, one a line
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    pub pids: bool,
}

impl LookArgs {
    fn options(&self, globals: &Globals) -> LookOptions {
        LookOptions {
            every_state: self.all_states,
            all_namespaces: self.all_namespaces,
            show_secrets: globals.show_secrets,
            ..LookOptions::default()
        }
    }
}
