//! Shows a long answer in a pager: a program of the user's own choice, started without a shell. Where
//! that cannot be, the answer is printed as ever.

use std::io::{ErrorKind, Write};
use std::process::{Command, ExitStatus, Stdio};

use crate::config::Settings;
use crate::split::split;

/// What shows an answer where nobody said otherwise: it ends by itself where everything fits,
/// keeps colours, and leaves what it showed on the terminal.
const USUAL: &str = "less -FRX";

/// The pager's words: of the settings, else PAGER's, else `less`. `None` where there is to be none.
pub fn words(settings: &Settings, pager: Option<&str>) -> Option<Vec<String>> {
    let line = settings.text("pager").or(pager).unwrap_or(USUAL);
    split(line).ok().filter(|words| !words.is_empty() && words[0] != "cat")
}

/// Whether the text is longer than a terminal of that size.
pub fn is_long(text: &str, rows: usize, columns: usize) -> bool {
    let rows_of = |line: &str| crate::render::columns(line).div_ceil(columns.max(1)).max(1);
    // The line of the next prompt has to be seen too.
    text.lines().map(rows_of).sum::<usize>() >= rows
}

/// Shows it. False where it was not shown, so that it is to be printed.
pub fn show(text: &str, words: &[String]) -> bool {
    let Some((program, args)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let _held = hold_interrupts();
    let Ok(mut pager) = command.spawn() else { return false };
    if let Some(mut stdin) = pager.stdin.take() {
        match stdin.write_all(text.as_bytes()) {
            Ok(()) => {}
            // It was left before the end: that is what pagers are for.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(_) => return false,
        }
    }
    pager.wait().is_ok_and(was_shown)
}

/// A pager that could not start or broke did not show the text; one that somebody interrupted did.
fn was_shown(status: ExitStatus) -> bool {
    const INTERRUPTED: i32 = 130;
    status.success() || status.code() == Some(INTERRUPTED) || was_interrupted(status)
}

#[cfg(unix)]
fn was_interrupted(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(signal_hook::consts::SIGINT)
}

#[cfg(not(unix))]
fn was_interrupted(_: ExitStatus) -> bool {
    false
}

/// Ctrl-C is the pager's while it shows: without this program the terminal would be left to two.
#[cfg(unix)]
fn hold_interrupts() -> Option<signal_hook::SigId> {
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, flag).ok()
}

#[cfg(not(unix))]
const fn hold_interrupts() -> Option<()> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pager: Option<&str>) -> Settings {
        Settings::load(&|name| (name == "PROC_PAGER").then(|| pager.map(Into::into)).flatten())
    }

    #[test]
    fn the_settings_come_before_the_variable_of_all_programs() {
        let words = |own, pager| words(&settings(own), pager);
        assert_eq!(words(None, None).unwrap(), ["less", "-FRX"]);
        assert_eq!(words(None, Some("more -d")).unwrap(), ["more", "-d"]);
        assert_eq!(words(Some("most"), Some("more")).unwrap(), ["most"]);
        assert_eq!(words(Some(""), Some("more")), None);
        assert_eq!(words(None, Some("")), None);
        assert_eq!(words(None, Some("cat")), None);
        assert_eq!(words(None, Some("less '")), None);
        // Words, and no shell that would run what is in them.
        assert_eq!(words(None, Some("less; touch x")).unwrap(), ["less;", "touch", "x"]);
    }

    #[test]
    fn long_is_what_does_not_fit() {
        assert!(!is_long("a\nb\n", 3, 80));
        assert!(is_long("a\nb\nc\n", 3, 80));
        assert!(is_long(&"x".repeat(200), 3, 80));
        assert!(!is_long("", 3, 80));
    }

    #[test]
    #[cfg(unix)]
    fn a_pager_that_is_missing_or_breaks_shows_nothing() {
        let words = |line: &str| split(line).unwrap();
        assert!(!show("text", &words("/nonexistent/pager")));
        assert!(!show("text", &words("false")));
        assert!(!show("text", &[]));
        assert!(show("text", &words("true")));
        assert!(show(&"text\n".repeat(100_000), &words("true")));
    }
}
