//! What sort of program holds a port, where its sort decides how it is to be dealt with: a
//! database that must end in its own way, a tunnel, an editor, a tool's daemon with a stop command
//! of its own. Pure: from the executable, the arguments and those above it.

mod agent;
mod database;
mod debugger;
mod desktop;
mod java;
mod machine;
mod ssh;
mod subject;
mod tool;
mod tunnel;

use serde::{Deserialize, Serialize};

use crate::known::System;
use crate::process::{Process, ProcessState};
use crate::snapshot::Snapshot;
use subject::Subject;

/// The sorts that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NatureKind {
    /// Keeps data: a forced end costs a recovery, or data.
    Database,
    /// Carries a port to or from another machine.
    Tunnel,
    /// An editor or one of its helpers, with somebody's unsaved work.
    Editor,
    /// A debugger, or what it left.
    Debugger,
    /// A browser, or a program built on one.
    Browser,
    /// A build tool's or SDK's daemon, with a stop command of its own.
    ToolDaemon,
    /// A virtual machine: its disks suffer from a forced end.
    VirtualMachine,
    /// A vendor's agent or a program of the desktop, which comes back and is not fought.
    Agent,
}

/// What a program is, and how it wants to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nature {
    /// Its sort.
    pub kind: NatureKind,
    /// What people call it: `PostgreSQL`, `ssh tunnel to build1`.
    pub name: String,
    /// The signal that ends it softly and soon, where SIGTERM is not that one (PostgreSQL: SIGINT is its fast shutdown).
    pub ask: Option<i32>,
    /// The command that ends it its own way. Only where it is certain, and where the process is
    /// the asker's own: its words come from that process, and nobody else should run them.
    pub stop: Option<Vec<String>>,
    /// Why it must not be forced (SIGKILL), where it must not.
    pub never_forced: Option<&'static str>,
    /// What else to know before ending it.
    pub advice: Option<String>,
}

impl Nature {
    fn new(kind: NatureKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), ask: None, stop: None, never_forced: None, advice: None }
    }

    /// Whether whoever runs this machine wants it there: ending it helps nobody.
    pub(crate) fn is_wanted_here(&self) -> bool {
        let wanted = [agent::POLICY, agent::APPLE, agent::AIRPLAY];
        let advice = self.advice.as_deref();
        self.kind == NatureKind::Agent && advice.is_some_and(|advice| wanted.contains(&advice))
    }

    /// How its port is had back by a setting, where there is one.
    pub(crate) fn setting(&self) -> Option<&str> {
        self.advice.as_deref().filter(|advice| *advice == agent::AIRPLAY)
    }

    fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// For a system that has no signals: what SIGTERM does elsewhere, Ctrl-C does there.
    fn without_signals(self) -> Self {
        let advice = self.advice.map(|advice| advice.replace("SIGTERM", "Ctrl-C in its console"));
        Self { advice, ..self }
    }

    fn never_forced(self, reason: &'static str) -> Self {
        Self { never_forced: Some(reason), ..self }
    }

    fn stop(self, stop: Option<Vec<String>>) -> Self {
        Self { stop, ..self }
    }
}

/// What this process is, where that matters.
///
/// A program is known by its executable's file name, and by the kernel's short name only where
/// that cannot be read; an interpreter by the script, module or class that it runs. So arguments
/// alone make nobody a database: what a hostile program can win by its file name is to be asked
/// first and not forced, which `--force` lifts.
pub fn nature_of(process: &Process, snapshot: &Snapshot) -> Option<Nature> {
    if process.kernel_thread {
        return None;
    }
    let subject = Subject::new(process, snapshot);
    let nature = database::database(&subject)
        .or_else(|| debugger::debugger(&subject))
        .or_else(|| tunnel::tunnel(&subject))
        .or_else(|| machine::machine(&subject))
        .or_else(|| tool::tool(&subject))
        .or_else(|| desktop::desktop(&subject))
        .or_else(|| agent::agent(&subject))
        .or_else(|| traced(process))?;
    Some(match System::of(snapshot.source) {
        System::Windows => nature.without_signals(),
        System::Linux | System::Mac => nature,
    })
}

/// Whether it is OpenSSH's server for one login, whose own connection tells where that is from.
pub(crate) fn is_login(process: &Process, snapshot: &Snapshot) -> bool {
    let subject = Subject::new(process, snapshot);
    subject.is(&tunnel::SSHD) && tunnel::tunnel(&subject).is_some()
}

/// Any program that a debugger holds still.
fn traced(process: &Process) -> Option<Nature> {
    (process.state == ProcessState::Traced).then(|| {
        Nature::new(NatureKind::Debugger, format!("{} under a debugger", process.program()))
            .advice("a debugger holds it still: no signal but SIGKILL reaches it before that ends")
    })
}

#[cfg(test)]
mod tests;
