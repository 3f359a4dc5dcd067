//! Another process of this program, which tells a console of Windows that the one program in it is to
//! end, and ends. Nobody types its word.

use std::ffi::OsString;

use proc_core::process::ProcessId;
use proc_core::sys::tell_console;

use crate::exit::Exit;

/// The word that makes this program nothing but a teller.
const WORD: &str = "__tell-console";

/// The words that start one; none where this program does not know its own file.
pub fn words() -> Vec<OsString> {
    let program = std::env::current_exe().map(OsString::from);
    program.map_or_else(|_| Vec::new(), |program| vec![program, WORD.into()])
}

/// Whether it was told, where that is what this process is for.
pub fn answer(args: &[OsString]) -> Option<Exit> {
    let id = asked(args)?;
    Some(if tell_console(id) { Exit::Yes } else { Exit::No })
}

fn asked(args: &[OsString]) -> Option<ProcessId> {
    let [_, word, pid, start] = args else { return None };
    let number = |word: &OsString| word.to_str()?.parse().ok();
    let pid = u32::try_from(number(pid)?).ok()?;
    (word == WORD).then_some(ProcessId { pid, start: number(start)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_words_are_taken() {
        let asked = |words: &str| asked(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        let id = ProcessId { pid: 12, start: 345 };
        assert_eq!(asked("proc __tell-console 12 345"), Some(id));
        for words in
            ["proc __tell-console 12", "proc kill 12 345", "proc __tell-console x 1", "proc"]
        {
            assert_eq!(asked(words), None, "{words}");
        }
    }
}
