//! What sort of program holds a port, where its sort decides how it is to be dealt with: a
//! database that must end in its own way, a tunnel, an editor, a tool's daemon with a stop command
//! of its own. Pure: from the executable, the arguments and those above it.

use serde::{Deserialize, Serialize};

use crate::process::Process;
use crate::snapshot::Snapshot;

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
    /// The command that ends it its own way.
    pub stop: Option<Vec<String>>,
    /// Why it must not be forced (SIGKILL), where it must not.
    pub never_forced: Option<&'static str>,
    /// What else to know before ending it.
    pub advice: Option<String>,
}

/// What this process is, where that matters.
pub fn nature_of(_process: &Process, _snapshot: &Snapshot) -> Option<Nature> {
    None
}
