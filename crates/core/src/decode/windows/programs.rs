//! Which files a command's first word may mean on Windows: the search path, and the endings that
//! need not be typed.

/// What PATHEXT has where it is not set (`cmd.exe`'s own).
pub const ENDINGS: &str = ".COM;.EXE;.BAT;.CMD";

/// The paths to try, in that order: `npm` may be `npm.cmd` in any folder of the path. A word with a
/// backslash, a slash or a drive means itself. A word that has an ending of those is tried as it is
/// first. The current directory is not searched for a bare word: what happens to lie there is not the
/// command that was meant.
pub fn candidates(word: &str, path: &str, endings: &str) -> Vec<String> {
    let endings: Vec<&str> =
        endings.split(';').filter(|ending| ending.starts_with('.') && ending.len() > 1).collect();
    let has_ending = endings.iter().any(|ending| {
        let cut = word.len().saturating_sub(ending.len());
        cut > 0 && word.get(cut..).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    });
    let mut files = Vec::new();
    if has_ending {
        files.push(word.to_owned());
    }
    files.extend(endings.iter().map(|ending| format!("{word}{ending}")));
    if word.contains(['\\', '/', ':']) {
        return files;
    }
    // Folders in quotation marks, as some installers write them.
    let folders = path
        .split(';')
        .map(|folder| folder.trim_matches('"').trim_end_matches(['\\', '/']))
        .filter(|folder| !folder.is_empty() && *folder != ".");
    folders.flat_map(|folder| files.iter().map(move |file| format!("{folder}\\{file}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_word_is_looked_for_in_every_folder_with_every_ending() {
        assert_eq!(
            candidates("npm", r#"C:\a\;;"C:\b c";."#, ".EXE;.CMD;x"),
            [r"C:\a\npm.EXE", r"C:\a\npm.CMD", r"C:\b c\npm.EXE", r"C:\b c\npm.CMD"]
        );
    }

    #[test]
    fn an_ending_that_was_typed_counts_first() {
        assert_eq!(candidates("node.exe", r"C:\a", ".EXE"), [r"C:\a\node.exe", r"C:\a\node.exe.EXE"]);
        assert_eq!(candidates("v1.2", r"C:\a", ".EXE"), [r"C:\a\v1.2.EXE"]);
    }

    #[test]
    fn a_path_means_itself() {
        assert_eq!(candidates(r".\serve", r"C:\a", ENDINGS).len(), 4);
        assert_eq!(candidates(r"C:serve.cmd", r"C:\a", ".CMD")[0], "C:serve.cmd");
        assert!(candidates("", "", "").is_empty());
    }
}
