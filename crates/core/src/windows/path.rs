//! Paths as Windows writes them, told by their shape alone: so one in a recording is read on every
//! system as it would be there.

use std::borrow::Cow;

/// What a path begins with that Windows takes as it is, without looking for `.` and `/` in it.
const VERBATIM: &str = r"\\?\";

/// Whether it is a whole path of Windows: from a drive's root, or of a server or device.
pub fn is_whole(path: &str) -> bool {
    let bytes = path.as_bytes();
    match bytes {
        [drive, b':', rest @ ..] => {
            drive.is_ascii_alphabetic() && rest.first().is_none_or(|byte| is_separator(*byte))
        }
        [first, second, ..] => *first == b'\\' && is_separator(*second),
        _ => false,
    }
}

/// The path as people write it: without the `\\?\` that the system's whole paths begin with
/// (`\\?\C:\x` is `C:\x`, `\\?\UNC\server\share` is `\\server\share`). What only that form can name,
/// such as a volume without a letter, keeps it.
pub fn plain(path: &str) -> Cow<'_, str> {
    let Some(rest) = path.strip_prefix(VERBATIM) else { return Cow::Borrowed(path) };
    match rest.get(..4) {
        Some(unc) if unc.eq_ignore_ascii_case(r"UNC\") => Cow::Owned(format!(r"\\{}", &rest[4..])),
        _ if rest.as_bytes().get(1) == Some(&b':') && is_whole(rest) => Cow::Borrowed(rest),
        _ => Cow::Borrowed(path),
    }
}

/// Whether a path is that place or below it: by whole names, with either separator, ignoring case as
/// its file systems do.
pub fn is_within(path: &str, place: &str) -> bool {
    let (path, place) = (plain(path), plain(place));
    let mut names = names(&path);
    self::names(&place).all(|name| names.next().is_some_and(|own| is_same(own, name)))
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split(['\\', '/']).filter(|name| !name.is_empty())
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || one.to_lowercase() == other.to_lowercase()
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'\\' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_paths_are_told_from_those_of_unix_and_from_parts() {
        for path in [r"C:\", "C:", r"z:\srv", "C:/srv", r"\\server\share", r"\\?\C:\x", r"\\.\pipe"]
        {
            assert!(is_whole(path), "{path}");
        }
        for path in ["", "/", "/srv", "//srv", "srv", r".\srv", "C:srv", "1:/x", r"\srv", "é:/x"] {
            assert!(!is_whole(path), "{path}");
        }
    }

    #[test]
    fn the_systems_prefix_goes_where_the_path_means_the_same_without() {
        for (path, want) in [
            (r"\\?\Z:\srv\app", r"Z:\srv\app"),
            (r"\\?\C:", "C:"),
            (r"\\?\UNC\server\share\x", r"\\server\share\x"),
            (r"\\?\Volume{0b}\x", r"\\?\Volume{0b}\x"),
            (r"\\?\", r"\\?\"),
            (r"\\?\ünc", r"\\?\ünc"),
            (r"C:\srv", r"C:\srv"),
            ("/srv", "/srv"),
        ] {
            assert_eq!(plain(path), want, "{path}");
        }
    }

    #[test]
    fn below_by_whole_names_in_any_case_with_either_separator() {
        for place in
            [r"\\?\Z:\Srv\App", r"z:\srv\app\", "Z:/srv/APP", r"Z:\srv", r"z:\", r"\\?\Z:\"]
        {
            assert!(is_within(r"Z:\srv\app", place), "{place}");
            assert!(is_within(r"Z:\srv\app\x", place), "{place}");
        }
        for place in [r"Z:\srv\ap", r"C:\srv", r"Z:\srv\app\x\y", r"\\z\srv"] {
            assert!(!is_within(r"Z:\srv\app\x", place), "{place}");
        }
        assert!(is_within(r"C:\Größe\x", r"c:\GRÖẞE"));
        assert!(is_within(r"\\server\share\x", r"\\?\UNC\SERVER\share"));
    }
}
