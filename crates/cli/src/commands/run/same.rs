//! Whether what holds a port is a second process of the very command that was to run: the same
//! arguments, in the same directory, by the same user.

use proc_core::report::{ProcessReport, TargetReport};
use proc_core::windows::path;

/// The command that was to run.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// Its arguments.
    pub argv: &'a [String],
    /// Its directory.
    pub cwd: &'a str,
    /// Its user, where the system has numbers for them.
    pub uid: Option<u32>,
    /// What started us, which is no second process of the command whatever it is called.
    pub above: &'a [u32],
}

/// The process of that command among the holders of a port and what started them. Secrets must
/// not have been masked.
pub fn running<'a>(own: Own<'_>, target: &'a TargetReport) -> Option<&'a ProcessReport> {
    let holders: Vec<u32> = target.causes.iter().flat_map(|cause| cause.pids.clone()).collect();
    let find = |pid: u32| {
        target.processes.iter().chain(&target.ancestors).find(|process| process.pid == pid)
    };
    let others = holders.iter().filter(|pid| !own.above.contains(pid));
    others.filter_map(|&pid| find(pid)).find_map(|holder| {
        let family = [holder].into_iter().chain(
            holder.ancestors.iter().filter(|pid| !own.above.contains(pid)).filter_map(|&p| find(p)),
        );
        family.into_iter().find(|process| is_same(own, process)).map(|_| holder)
    })
}

fn is_same(own: Own<'_>, process: &ProcessReport) -> bool {
    process.cwd.as_deref().is_some_and(|cwd| is_same_place(own.cwd, cwd))
        && (own.uid.is_none() || process.uid == own.uid)
        && is_same_command(own.argv, &process.argv, cfg!(windows))
}

/// Whether these are the arguments of one command, started the one way or the other: by a path or
/// a name, through an interpreter of a script (`node /usr/bin/npm run dev`), or with the title
/// that npm gives itself (`npm run dev`, one argument).
fn is_same_command(own: &[String], other: &[String], on_windows: bool) -> bool {
    /// How many words an interpreter and its options may take.
    const MOST_BEFORE: usize = 2;
    let [name, rest @ ..] = own else { return false };
    if let [title] = other
        && !rest.is_empty()
        && title.trim_end() == format!("{} {}", file_name(name), rest.join(" "))
    {
        return true;
    }
    (0..=MOST_BEFORE).any(|before| match other.get(before..) {
        Some([other_name, other_rest @ ..]) => {
            is_same_name(name, other_name, on_windows) && rest == other_rest
        }
        _ => false,
    })
}

fn is_same_place(one: &str, other: &str) -> bool {
    one == other
        || path::is_whole(one) && path::is_within(one, other) && path::is_within(other, one)
}

/// Whether these words name one program. On Windows `npm` is `npm.cmd`, which starts
/// `npm-cli.js`.
fn is_same_name(one: &str, other: &str, on_windows: bool) -> bool {
    if !on_windows {
        return file_name(one) == file_name(other);
    }
    let plain = |word: &str| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_lowercase();
        let endings = [".exe", ".com", ".cmd", ".bat", "-cli.js"];
        let ending = endings.into_iter().find(|ending| name.ends_with(ending));
        name[..name.len() - ending.map_or(0, str::len)].to_owned()
    };
    plain(one) == plain(other)
}

fn file_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_has_many_faces() {
        for (own, other, want) in [
            ("python3 -m http.server 8000", &["python3", "-m", "http.server", "8000"][..], true),
            (
                "python3 -m http.server 8000",
                &["/usr/bin/python3", "-m", "http.server", "8000"],
                true,
            ),
            ("python3 -m http.server 8000", &["python3", "-m", "http.server", "8001"], false),
            ("npm run dev", &["npm run dev"], true),
            ("npm run dev", &["node", "/usr/bin/npm", "run", "dev"], true),
            ("npm run dev", &["npm run dev2"], false),
            ("./server.js", &["node", "./server.js"], true),
            ("./server.js", &["node", "--inspect", "./server.js"], true),
            ("server", &["./server"], true),
            ("server", &["sh", "-c", "x; server"], false),
            ("node", &["node", "other.js"], false),
            ("vite", &[], false),
        ] {
            let own: Vec<String> = own.split(' ').map(str::to_owned).collect();
            let other: Vec<String> = other.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(is_same_command(&own, &other, false), want, "{own:?} {other:?}");
        }
        assert!(!is_same_command(&[], &["x".to_owned()], false));
    }

    #[test]
    fn on_windows_a_program_goes_by_several_names() {
        for (own, other, want) in [
            ("node server.js", &[r"C:\Program Files\nodejs\node.exe", "server.js"][..], true),
            ("NODE.EXE server.js", &["node", "server.js"], true),
            ("npm run dev", &["node", r"C:\x\node_modules\npm\bin\npm-cli.js", "run", "dev"], true),
            (r".\run.cmd 1", &[r"C:\x\run.cmd", "1"], true),
            (r".\run.cmd 1", &[r"C:\x\run.cmd", "2"], false),
            ("node server.js", &[r"C:\deno.exe", "server.js"], false),
        ] {
            let own: Vec<String> = own.split(' ').map(str::to_owned).collect();
            let other: Vec<String> = other.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(is_same_command(&own, &other, true), want, "{own:?} {other:?}");
        }
        assert!(is_same_place(r"C:\Work\app", r"c:\work\app\"));
        assert!(!is_same_place(r"C:\work\app", r"C:\work"));
        assert!(!is_same_place("/srv/app", "/srv/APP"));
    }
}
