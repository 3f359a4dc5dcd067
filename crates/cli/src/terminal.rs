//! What the place that is written to can show: colours, how wide, which characters. Nothing is
//! asked before something is to be shown.

use std::ffi::OsString;
use std::io::IsTerminal;

use crate::globals::{ColorChoice, Globals};

/// How text is to look in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The columns of a terminal; `None` where nothing is to be cut or wrapped.
    pub width: Option<usize>,
    /// Whether to colour.
    pub color: bool,
    /// Whether only ASCII may be shown.
    pub ascii: bool,
    /// The home directory, shown as `~`.
    pub home: Option<String>,
}

#[cfg(test)]
impl View {
    /// Plain text without limits.
    pub const fn plain() -> Self {
        Self { width: None, color: false, ascii: false, home: None }
    }
}

/// The two places that are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The answer.
    Stdout,
    /// Everything else.
    Stderr,
}

impl Stream {
    /// Whether a person is likely to read along.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => std::io::stdout().is_terminal(),
            Self::Stderr => std::io::stderr().is_terminal(),
        }
    }
}

/// How text is to look on that stream.
pub fn view(globals: &Globals, stream: Stream) -> View {
    let terminal = stream.is_terminal();
    let env = |name: &str| std::env::var_os(name);
    View {
        width: terminal.then(|| width(stream, &env)),
        color: color(globals.color, terminal, &env),
        ascii: globals.ascii || globals.settings.flag("ascii") || !speaks_utf8(&env),
        home: env("HOME").and_then(|home| home.into_string().ok()).filter(|home| home.len() > 1),
    }
}

type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn is_set(env: Env<'_>, name: &str) -> bool {
    env(name).is_some_and(|value| !value.is_empty())
}

/// Whether to colour: the option first, then NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR
/// (bixense.com/clicolors), then whether it is a terminal that can.
fn color(choice: ColorChoice, terminal: bool, env: Env<'_>) -> bool {
    match choice {
        ColorChoice::Always => return true,
        ColorChoice::Never => return false,
        ColorChoice::Auto => {}
    }
    if is_set(env, "NO_COLOR") {
        return false;
    }
    if is_set(env, "CLICOLOR_FORCE") && env("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let dumb = env("TERM").is_some_and(|term| term == "dumb");
    let unwanted = env("CLICOLOR").is_some_and(|value| value == "0");
    terminal && !dumb && !unwanted
}

/// Whether the locale's characters are UTF-8: the first that is set of LC_ALL, LC_CTYPE and LANG
/// decides (locale(7)). Where none is set the C locale holds, which is ASCII.
fn speaks_utf8(env: Env<'_>) -> bool {
    if cfg!(not(unix)) || cfg!(target_os = "macos") {
        return true;
    }
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env(name).filter(|value| !value.is_empty()))
        .is_some_and(|locale| {
            let locale = locale.to_string_lossy().to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}

fn width(stream: Stream, env: Env<'_>) -> usize {
    const USUAL: usize = 80;
    const LEAST: usize = 20;
    let columns = || env("COLUMNS")?.into_string().ok()?.parse().ok();
    asked_width(stream).or_else(columns).unwrap_or(USUAL).max(LEAST)
}

#[cfg(unix)]
fn asked_width(stream: Stream) -> Option<usize> {
    let size = match stream {
        Stream::Stdout => rustix::termios::tcgetwinsize(std::io::stdout()),
        Stream::Stderr => rustix::termios::tcgetwinsize(std::io::stderr()),
    };
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn asked_width(_: Stream) -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env_of<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
    }

    #[test]
    fn colour_is_decided_in_this_order() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, terminal, pairs, want) in [
            (Auto, true, &[][..], true),
            (Auto, false, &[], false),
            (Auto, true, &[("NO_COLOR", "1")], false),
            (Auto, true, &[("NO_COLOR", "")], true),
            (Auto, true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
            (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Auto, true, &[("CLICOLOR", "0")], false),
            (Auto, true, &[("TERM", "dumb")], false),
            (Always, false, &[("NO_COLOR", "1")], true),
            (Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ] {
            assert_eq!(color(choice, terminal, &env_of(pairs)), want, "{choice:?} {pairs:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_first_locale_that_is_set_decides() {
        for (pairs, want) in [
            (&[("LANG", "en_US.UTF-8")][..], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], false),
            (&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")], true),
            (&[("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], true),
            (&[("LANG", "de_DE")], false),
            (&[], false),
        ] {
            assert_eq!(speaks_utf8(&env_of(pairs)), want, "{pairs:?}");
        }
    }
}
