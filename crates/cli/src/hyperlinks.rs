//! Whether a terminal takes links (OSC 8): those that are known to, as there is no way to ask that
//! every terminal answers.

use std::ffi::OsString;

type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Whether links are written: the setting first, then FORCE_HYPERLINK, then the terminal. Who wants
/// no colours by `--color never` wants plain text.
pub fn wanted(setting: Option<&str>, plain: bool, terminal: bool, env: Env<'_>) -> bool {
    match setting {
        Some("always") => return true,
        Some("never") => return false,
        _ if plain => return false,
        _ => {}
    }
    match env("FORCE_HYPERLINK").filter(|value| !value.is_empty()) {
        Some(value) => value != "0",
        None => terminal && is_known(env),
    }
}

/// Programs by TERM_PROGRAM.
const PROGRAMS: [&str; 7] =
    ["iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "terminology", "zed"];

/// Terminals by TERM.
const TERMS: [&str; 6] =
    ["xterm-kitty", "alacritty", "alacritty-direct", "xterm-ghostty", "foot", "foot-extra"];

/// The first version of VTE whose links work (0.50; 0.50.0 crashed on some).
const VTE: u32 = 5001;

fn is_known(env: Env<'_>) -> bool {
    let text = |name: &str| env(name).and_then(|value| value.into_string().ok());
    let is_set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    let term = text("TERM").unwrap_or_default();
    // What is between passes the variables on and not always the links.
    if term == "dumb" || term.starts_with("screen") || term.starts_with("tmux") {
        return false;
    }
    text("TERM_PROGRAM").is_some_and(|name| PROGRAMS.contains(&name.as_str()))
        || TERMS.contains(&term.as_str())
        || text("VTE_VERSION").and_then(|v| v.parse().ok()).is_some_and(|v: u32| v >= VTE)
        || text("KONSOLE_VERSION").and_then(|v| v.parse().ok()).is_some_and(|v: u32| v >= 201_200)
        || ["WT_SESSION", "DOMTERM"].into_iter().any(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_for_terminals_that_take_them() {
        let iterm = ("TERM_PROGRAM", "iTerm.app");
        for (setting, plain, terminal, pairs, want) in [
            (None, false, true, &[][..], false),
            (None, false, true, &[iterm], true),
            (None, false, false, &[iterm], false),
            (None, true, true, &[iterm], false),
            (Some("auto"), false, true, &[iterm], true),
            (Some("never"), false, true, &[iterm], false),
            (Some("always"), false, false, &[], true),
            (None, false, true, &[("TERM", "xterm-256color")], false),
            (None, false, true, &[("TERM", "xterm-kitty")], true),
            (None, false, true, &[("TERM", "screen"), ("VTE_VERSION", "7600")], false),
            (None, false, true, &[("VTE_VERSION", "7600")], true),
            (None, false, true, &[("VTE_VERSION", "4800")], false),
            (None, false, true, &[("WT_SESSION", "x")], true),
            (None, false, false, &[("FORCE_HYPERLINK", "1")], true),
            (None, false, true, &[iterm, ("FORCE_HYPERLINK", "0")], false),
            (None, false, true, &[iterm, ("FORCE_HYPERLINK", "")], true),
        ] {
            let env = |name: &str| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let got = wanted(setting, plain, terminal, &env);
            assert_eq!(got, want, "{setting:?} {plain} {terminal} {pairs:?}");
        }
    }
}
