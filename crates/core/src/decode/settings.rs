//! What a process was started with, as `/proc/PID/status`, `/proc/PID/limits`, `/proc/PID/stat`
//! and `/proc/PID/fdinfo` show it: credentials, mask, limits, nice value, flags. No I/O.

/// Credentials and the file mode creation mask (proc_pid_status(5)). What was not there is
/// `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective, saved and file system user.
    pub uids: Vec<u32>,
    /// The same of the group.
    pub gids: Vec<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The mask, since Linux 4.7.
    pub umask: Option<u32>,
}

/// Reads `/proc/PID/status`.
pub fn credentials(text: &[u8]) -> Credentials {
    let text = String::from_utf8_lossy(text);
    let numbers =
        |rest: &str| rest.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let mut found = Credentials::default();
    for line in text.lines() {
        match line.split_once(':') {
            Some(("Uid", rest)) => found.uids = numbers(rest),
            Some(("Gid", rest)) => found.gids = numbers(rest),
            Some(("Groups", rest)) => found.groups = numbers(rest),
            Some(("Umask", rest)) => found.umask = u32::from_str_radix(rest.trim(), 8).ok(),
            _ => {}
        }
    }
    found
}

/// A limit: its name as the file has it, soft and hard; `None` for no limit.
pub type Limit = (String, Option<u64>, Option<u64>);

/// Reads `/proc/PID/limits` (proc_pid_limits(5)): names of words, then soft, hard and a unit.
pub fn limits(text: &[u8]) -> Vec<Limit> {
    let text = String::from_utf8_lossy(text);
    text.lines().skip(1).filter_map(limit).collect()
}

fn limit(line: &str) -> Option<Limit> {
    let value = |word: &str| match word {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    // The name may have any number of words; the first that is a value is the soft limit.
    let at = words.iter().position(|word| value(word).is_some())?;
    Some((words[..at].join(" "), value(words[at])?, value(words.get(at + 1)?)?))
}

/// The nice value: field 19 of `/proc/PID/stat` (proc_pid_stat(5)).
pub fn nice(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    // The state, field 3, comes first.
    rest.split_whitespace().nth(19 - 3)?.parse().ok()
}

/// The flags of an open file, in octal in `/proc/PID/fdinfo/FD` (proc_pid_fdinfo(5)).
pub fn flags(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// The pieces of `/proc/PID/cmdline` or `environ`: each ended by a zero byte, the last perhaps
/// not.
pub fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces: Vec<&[u8]> = bytes.split(|&byte| byte == 0).collect();
    if pieces.last().is_some_and(|last| last.is_empty()) {
        pieces.pop();
    }
    pieces
}

/// Whether what `/proc/PID/cmdline` has is a title that the process wrote over its arguments:
/// one string, with the rest of the space zeroed (libuv, which Node sets `npm run dev` by), or
/// without the zero at the end (setproctitle(3bsd)). `exe` is its executable's file name.
pub fn is_title(cmdline: &[u8], exe: &[u8]) -> bool {
    let pieces = pieces(cmdline);
    let Some((first, rest)) = pieces.split_first() else { return false };
    if !cmdline.ends_with(b"\0") {
        return true;
    }
    let file = first.rsplit(|&byte| byte == b'/').next().unwrap_or(first);
    let blank = rest.iter().all(|piece| piece.is_empty());
    let named = file == exe || exe.is_empty();
    blank && !named && (!rest.is_empty() || first.contains(&b' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_as_the_kernel_writes_them() {
        let text = b"Name:\tnode\nUmask:\t0027\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\nGroups:\t4 24 100 \n";
        let found = credentials(text);
        assert_eq!((found.uids[0], found.gids[0], found.umask), (1000, 100, Some(0o27)));
        assert_eq!(found.groups, [4, 24, 100]);
        assert_eq!(credentials(b"Umask\nUid:x"), Credentials::default());
    }

    #[test]
    fn limits_have_names_of_several_words() {
        let text = b"Limit                     Soft Limit           Hard Limit           Units     \nMax cpu time              unlimited            unlimited            seconds   \nMax open files            1024                 524288               files     \nMax nice priority         0                    0                    \n";
        assert_eq!(
            limits(text),
            [
                ("Max cpu time".to_owned(), None, None),
                ("Max open files".to_owned(), Some(1024), Some(524_288)),
                ("Max nice priority".to_owned(), Some(0), Some(0)),
            ]
        );
    }

    #[test]
    fn nice_is_field_nineteen_whatever_the_name() {
        let stat = b"7 (a) b) S 1 7 7 0 -1 4194304 98 0 0 0 0 0 0 0 39 19 1 0 134430 0 0";
        assert_eq!(nice(stat), Some(19));
        assert_eq!(nice(b"7 (x) S 1"), None);
    }

    #[test]
    fn titles_are_told_from_arguments() {
        for (cmdline, exe, want) in [
            (&b"npm run dev\0\0\0\0\0\0"[..], &b"node"[..], true),
            (b"node\0server.js\0", b"node", false),
            (b"node\0\0", b"node", false),
            (b"nginx: master process nginx", b"nginx", true),
            (b"python3\0-m\0http.server\0\0", b"python3.11", false),
            (b"/srv/my server\0", b"my server", false),
            (b"httpd\0", b"busybox", false),
            (b"postgres: checkpointer \0\0\0", b"postgres", true),
            (b"", b"x", false),
        ] {
            assert_eq!(is_title(cmdline, exe), want, "{:?}", String::from_utf8_lossy(cmdline));
        }
    }

    #[test]
    fn pieces_keep_what_is_empty() {
        assert_eq!(pieces(b"a\0\0b\n\0\xff\0\0"), [&b"a"[..], b"", b"b\n", b"\xff", b""]);
        assert!(pieces(b"").is_empty());
        assert_eq!(flags(b"pos:\t0\nflags:\t0102001\n"), Some(0o102_001));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = (credentials(&bytes), limits(&bytes), nice(&bytes), flags(&bytes));
            let _ = (pieces(&bytes), is_title(&bytes, b"node"));
        }
    }
}
