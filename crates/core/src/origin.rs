//! Where a process comes from: the project whose directory it runs in, the session and the coding
//! agent that started it, the user. By that, several people and agents on one machine tell what is theirs.

use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// Where a process comes from, so far as can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    /// The nearest directory at or above its working directory that is a work tree of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The terminal session, editor or login it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The coding agent that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Why a process is not the asker's to end under `--mine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NotMine {
    /// Another user's.
    AnotherUser,
    /// Another project's directory.
    AnotherProject,
    /// Another coding agent's.
    AnotherAgent,
    /// Another session's, and no project tells otherwise.
    AnotherSession,
    /// Nothing tells whose it is.
    Unknown,
}

/// Where a process comes from.
pub fn origin_of(_pid: u32, _snapshot: &Snapshot) -> Origin {
    Origin::default()
}

/// Whether a process is the asker's own, and if not, why not.
///
/// # Errors
/// The reason, where it is not.
pub fn is_mine(_pid: u32, _snapshot: &Snapshot) -> Result<(), NotMine> {
    Err(NotMine::Unknown)
}
