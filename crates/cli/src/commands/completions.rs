//! `proc completions`: the script that makes a shell complete commands, options and what is there.

use crate::answer::Answer;
use crate::complete::{Shell, script};

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proc completions bash > ~/.local/share/bash-completion/completions/proc
  proc completions zsh > ~/.zfunc/_proc
  proc completions fish > ~/.config/fish/completions/proc.fish
  source <(proc completions bash)")]
pub struct Args {
    /// The shell: bash, zsh, fish, powershell, elvish, nushell
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Shell,
}

/// Prints it.
pub fn run(args: &Args) -> Answer {
    Answer::Text(script(args.shell).to_owned())
}
