//! The shells, and the script for each: small, as it only asks `proc __complete`.

use clap::ValueEnum;

use crate::sanitize;

/// A shell that completion works in.
#[allow(clippy::enum_variant_names, reason = "PowerShell is called so")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    #[value(name = "powershell")]
    PowerShell,
    /// elvish.
    Elvish,
    /// nushell.
    Nushell,
}

/// The script that makes a shell ask.
pub const fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("../../completions/proc.bash"),
        Shell::Zsh => include_str!("../../completions/_proc"),
        Shell::Fish => include_str!("../../completions/proc.fish"),
        Shell::PowerShell => include_str!("../../completions/proc.ps1"),
        Shell::Elvish => include_str!("../../completions/proc.elv"),
        Shell::Nushell => include_str!("../../completions/proc.nu"),
    }
}

impl Shell {
    /// The shell of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    /// The word as the shell reads it back; as it is for a shell that quotes by itself.
    pub fn quoted(self, word: &str) -> String {
        let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
        if word.chars().all(plain) && !word.starts_with(['@', '%']) {
            return word.to_owned();
        }
        match self {
            Self::Zsh | Self::Fish | Self::Elvish => word.to_owned(),
            Self::PowerShell => {
                // It takes the typographic ones for quotes as well.
                let quote = |c| matches!(c, '\'' | '‘' | '’' | '‚' | '‛');
                let doubled: String = word
                    .chars()
                    .flat_map(|c| std::iter::repeat_n(c, if quote(c) { 2 } else { 1 }))
                    .collect();
                format!("'{doubled}'")
            }
            Self::Nushell => {
                format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Self::Bash => {
                let special = |c: char| !(plain(c) || sanitize::is_hostile(c));
                let mut text = String::new();
                for c in word.chars() {
                    if special(c) {
                        text.push('\\');
                    }
                    text.push(c);
                }
                text
            }
        }
    }

    /// The word that was typed, as the script passes it on: nushell's comes with its quotes, of
    /// which the last may be missing.
    pub fn unquoted(self, typed: &str) -> String {
        let quote = typed.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let (Self::Nushell, Some(quote)) = (self, quote) else { return typed.to_owned() };
        let mut word = String::new();
        let mut letters = typed.chars().skip(1);
        while let Some(c) = letters.next() {
            match c {
                '\\' if quote == '"' => word.extend(letters.next()),
                c if c == quote => {}
                c => word.push(c),
            }
        }
        word
    }
}
