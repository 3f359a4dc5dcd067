//! One file a command: its arguments and its flow, from what was typed to an answer. Nothing
//! here prints; acting hands on a question and progress through two callbacks.

pub mod act;
pub mod by;
pub mod check;
pub mod completions;
pub mod config;
pub mod diff;
pub mod doctor;
pub mod filters;
pub mod free;
pub mod freeze;
pub mod help;
pub mod info;
pub mod kill;
pub mod list;
pub mod man;
pub mod on;
pub mod orphans;
pub mod pick;
pub mod ports;
pub mod record;
pub mod reload;
pub mod run;
pub mod schema;
pub mod snapshot;
pub mod stop;
pub mod stuck;
pub mod thaw;
pub mod tree;
pub mod undo;
pub mod unstick;
pub mod using;
pub mod wait;
pub mod watch;
pub mod why;
pub mod within;

use crate::core_api::{Learn, LookOptions};
use crate::globals::Globals;

/// The target words of a command that needs at least one.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Targets {
    /// Ports, sockets or processes, such as :3000, /run/app.sock, pid:1234, node
    #[arg(value_name = "TARGET", required = true, value_parser = target_word)]
    pub targets: Vec<String>,
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
    #[arg(long, conflicts_with_all = ["json", "jsonl", "quiet"])]
    pub pids: bool,
}

impl LookArgs {
    fn options(&self, globals: &Globals) -> LookOptions {
        LookOptions {
            learn: Learn::Everything,
            every_state: self.all_states,
            all_namespaces: self.all_namespaces,
            show_secrets: globals.show_secrets,
            ..LookOptions::default()
        }
    }
}
