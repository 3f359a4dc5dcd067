//! What a command came to: a plain value, for the renderers and the exit code.

use proc_core::report::{
    ConfigReport, DiffReport, DoctorReport, ErrorReport, LeasesReport, PickReport, PortsReport,
    ProcessesReport, Report, SCHEMA, TargetReport, UndoReport,
};

use crate::columns::Shape;
use crate::core_api::{Looked, Verb};
use crate::exit::{self, Exit, Question};

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
        /// How it is to be shown.
        shape: Shape,
    },
    /// A list of processes.
    Processes {
        /// The document.
        report: ProcessesReport,
        /// How it is to be shown.
        shape: Shape,
    },
    /// Processes below their parents.
    Tree {
        /// The document.
        report: ProcessesReport,
        /// Whether only PIDs are wanted.
        pids: bool,
    },
    /// Free ports.
    Picked(PickReport),
    /// Leases of ports: a list, or what became of those that were to end.
    Leased(LeasesReport),
    /// What is different.
    Compared(DiffReport),
    /// Whether this program works here.
    Examined {
        /// The document.
        report: DoctorReport,
        /// Whether single checks were asked for.
        named: bool,
    },
    /// What was started again, or can be.
    Undone {
        /// The document.
        report: UndoReport,
        /// Whether it is the list.
        list: bool,
    },
    /// What is set.
    Configured(ConfigReport),
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
    /// Everything about the processes.
    Info,
    /// Yes or no.
    Check {
        /// Whether the server sets SO_REUSEADDR.
        reuse_addr: bool,
    },
    /// PIDs alone.
    Pids,
}

impl Telling {
    /// The question that it answers.
    pub const fn question(self) -> Question {
        match self {
            Self::On | Self::Why | Self::Info | Self::Pids => Question::Held,
            Self::Check { reuse_addr } => Question::Bindable { reuse_addr },
        }
    }
}

impl Answer {
    /// Whether it was asked for to be read at leisure. What was done or waited for is not: a
    /// pager would keep the next command of the line waiting for a key.
    pub const fn is_for_reading(&self) -> bool {
        !matches!(self, Self::Acted { .. } | Self::Waited { .. } | Self::Undone { list: false, .. })
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Looked { telling, report, counts } => {
                exit::of_targets(telling.question(), &report.targets, counts)
            }
            Self::Acted { verb, report } => exit::of_targets(question(*verb), &report.targets, &[]),
            Self::Waited { any, report } => exit::of_wait(&report.targets, *any),
            Self::Listed { report, .. } => exit::of_ports(report),
            Self::Processes { report, .. } | Self::Tree { report, .. } => {
                exit::of_processes(report)
            }
            Self::Picked(_) | Self::Configured(_) => Exit::Yes,
            Self::Leased(report) => exit::of_leases(report),
            Self::Compared(report) => exit::of_diff(report),
            Self::Examined { report, .. } => exit::of_doctor(report),
            Self::Undone { report, list } => exit::of_undo(report, *list),
            Self::Told(exit) => *exit,
            Self::Text(_) => Exit::Yes,
            Self::Failed { error, .. } => exit::of_error(error),
        }
    }

    /// An answer to looking.
    pub fn looked(command: &'static str, telling: Telling, looked: Looked) -> Self {
        let exit = exit::of_targets(telling.question(), &looked.targets, &looked.counts);
        let report = document(command, looked.targets, exit);
        Self::Looked { telling, report, counts: looked.counts }
    }

    /// An answer to acting.
    pub fn acted(verb: Verb, targets: Vec<TargetReport>) -> Self {
        let exit = exit::of_targets(question(verb), &targets, &[]);
        Self::Acted { verb, report: document(verb.name(), targets, exit) }
    }

    /// An answer to waiting.
    pub fn waited(any: bool, targets: Vec<TargetReport>) -> Self {
        let exit = exit::of_wait(&targets, any);
        Self::Waited { any, report: document("wait", targets, exit) }
    }
}

const fn question(verb: Verb) -> Question {
    match verb {
        Verb::Kill | Verb::Stop => Question::Ended,
        Verb::Freeze | Verb::Thaw | Verb::Unstick | Verb::Reload => Question::Done,
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
