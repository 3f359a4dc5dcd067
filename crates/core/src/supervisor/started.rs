//! Who had a process started, as far as anybody can still tell: a terminal, an editor, a coding
//! agent, cron. That is another question than who would start it again ([`super::supervisor_of`]).

use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// Who had a process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartedBy {
    /// What kind of place or program.
    pub kind: StarterKind,
    /// Its name, where there is one: `claude`, `work:2` for a session and window of tmux, the
    /// address an ssh login came from.
    pub name: String,
    /// Its process, where that lives and was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The kinds of [`StartedBy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StarterKind {
    /// A coding agent, working by itself or watched.
    CodingAgent,
    /// An editor, its terminal included.
    Editor,
    /// A job of continuous integration.
    Ci,
    /// cron, at, or their like.
    Cron,
    /// A session of tmux.
    Tmux,
    /// A session of screen.
    Screen,
    /// A session of zellij.
    Zellij,
    /// A login over ssh.
    SshLogin,
    /// A shell in a terminal, on a console or in a window.
    Terminal,
    /// A desktop: its menu, its autostart.
    Desktop,
    /// Nobody any more: whoever started it has ended.
    Orphan,
}

/// Who had this process started: the nearest answer that a person would give. `None` where
/// nothing tells.
pub fn started_by(_pid: u32, _snapshot: &Snapshot) -> Option<StartedBy> {
    None
}
