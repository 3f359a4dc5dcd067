//! What can be done about a cause: by whom, with which command, at what cost. Data only; the
//! doing is [`crate::free`]'s.

use serde::{Deserialize, Serialize};

/// The kinds of remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Ask the holder to end.
    StopProcess,
    /// Continue a stopped process, in its terminal or by a signal.
    ContinueProcess,
    /// Stop the unit that runs it.
    StopUnit,
    /// Stop the container.
    StopContainer,
    /// Stop the program that would start it again.
    StopSupervisor,
    /// Close a connection without touching its process.
    CloseConnection,
    /// Remove what ended connections left.
    ClearRemains,
    /// Wait until it passes.
    Wait,
    /// Let the server set SO_REUSEADDR.
    SetReuseAddr,
    /// Use another port or address.
    UseAnother,
    /// Look again with more rights.
    LookAsRoot,
    /// Get the right to bind it.
    GetRight,
    /// Remove a stale socket file.
    RemoveFile,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// What.
    pub action: Action,
    /// The exact command, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// Whether it needs more rights than the asker has.
    pub needs_root: bool,
    /// What it does and costs, in a sentence.
    pub explain: String,
}
