//! What can stand where the cursor is: the answer to a shell's completion script, which asks `proc
//! __complete`. It never fails and never complains: somebody is in the middle of a line.

mod candidates;
mod line;
mod live;
mod scripts;
mod shells;

use std::ffi::OsString;

pub use scripts::{Shell, script};

use crate::config::Settings;
use candidates::candidates;
use live::Machine;
use shells::Asked;

/// The answer, where it is a completion script that asks.
pub fn answer(args: &[OsString], settings: impl FnOnce() -> Settings) -> Option<String> {
    let [_, word, rest @ ..] = args else { return None };
    if word != "__complete" {
        return None;
    }
    let words: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some(asked) = Asked::read(&words) else { return Some(String::new()) };
    let found = candidates(&asked.before, &asked.current, &settings(), &mut Machine);
    Some(asked.shown(&found))
}
