//! The options that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Settings;

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Globals {
    /// Answer with one JSON document on stdout, errors included
    #[arg(long, short = 'j', global = true, conflicts_with = "quiet", help_heading = "Output")]
    pub json: bool,
    /// Answer with one JSON object a line: one for each target or port
    #[arg(long, global = true, conflicts_with_all = ["json", "quiet"], help_heading = "Output")]
    pub jsonl: bool,
    /// Print nothing; the exit code is the answer
    #[arg(long, short, global = true, help_heading = "Output")]
    pub quiet: bool,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = "Output",
        help = "When to colour: auto, always, never"
    )]
    pub color: ColorChoice,
    /// Use ASCII characters only
    #[arg(long, global = true, help_heading = "Output")]
    pub ascii: bool,
    /// Print a long answer at once, not in a pager
    #[arg(long, global = true, help_heading = "Output")]
    pub no_pager: bool,
    /// Show passwords and tokens in command lines instead of ***
    #[arg(long, global = true, help_heading = "Output")]
    pub show_secrets: bool,
    /// Answer from a file that `proc record` wrote, not from this machine
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output")]
    pub replay: Option<PathBuf>,
    /// What is set for good.
    #[arg(skip)]
    pub settings: Settings,
    /// The options of a command that acts, as they were typed.
    #[arg(skip)]
    pub typed: Vec<String>,
}

impl Globals {
    /// Whether a program reads the answer.
    pub const fn for_programs(&self) -> bool {
        self.json || self.jsonl
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal that can, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
