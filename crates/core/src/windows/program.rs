//! Which file a command's first word means, as the shells of Windows look for it: by PATH and PATHEXT.
//! Pure, over texts.

/// What PATHEXT is where nobody has set it, as far as it is programs.
const ORDINARY: &str = ".COM;.EXE;.BAT;.CMD";

/// The files that a word may mean, the first that there is counts. A bare word is looked for along
/// PATH, and not in the current directory, as PowerShell does. A file without any of the endings is
/// no program, but for one that is named with its whole name.
pub fn candidates(word: &str, path: &str, pathext: Option<&str>) -> Vec<String> {
    let endings = endings(pathext.filter(|text| !text.trim().is_empty()).unwrap_or(ORDINARY));
    let names = |place: &str| -> Vec<String> {
        // `npm` stands beside `npm.cmd`, and is a script for another system's shell.
        let whole = has_ending(word).then(|| format!("{place}{word}"));
        let others = endings.iter().map(|ending| format!("{place}{word}{ending}"));
        whole.into_iter().chain(others).collect()
    };
    if word.is_empty() {
        return Vec::new();
    }
    if word.contains(['/', '\\', ':']) {
        let plain = (!has_ending(word)).then(|| word.to_owned());
        return names("").into_iter().chain(plain).collect();
    }
    let places = path.split(';').map(|place| place.trim_matches('"')).filter(|place| {
        // A place of no certain drive or directory is the current directory's.
        crate::windows::path::is_whole(place)
    });
    places.flat_map(|place| names(&format!("{}\\", place.trim_end_matches(['\\', '/'])))).collect()
}

/// The endings of what a process can be made of: the rest of PATHEXT (`.JS`, `.VBS`) is opened by
/// another program, and not run.
fn endings(pathext: &str) -> Vec<String> {
    let ours = pathext.split(';').map(|ending| ending.trim().to_ascii_lowercase());
    let programs: Vec<&str> = ORDINARY.split(';').collect();
    ours.filter(|ending| programs.iter().any(|program| program.eq_ignore_ascii_case(ending)))
        .collect()
}

fn has_ending(word: &str) -> bool {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    name.rfind('.').is_some_and(|at| at > 0 && at + 1 < name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = r#"C:\Windows;;rel;"C:\Program Files\nodejs\";\\server\share"#;

    #[test]
    fn a_bare_word_is_looked_for_along_the_path() {
        let found = candidates("npm", PATH, Some(".COM;.EXE;.BAT;.CMD;.VBS;.JS"));
        assert_eq!(found.len(), 3 * 4);
        assert_eq!(found[..2], [r"C:\Windows\npm.com", r"C:\Windows\npm.exe"]);
        assert_eq!(found[7], r"C:\Program Files\nodejs\npm.cmd");
        assert_eq!(found[11], r"\\server\share\npm.cmd");
    }

    #[test]
    fn what_has_an_ending_is_taken_whole_first() {
        let found = candidates("node.exe", r"C:\x", None);
        assert_eq!(found[..2], [r"C:\x\node.exe", r"C:\x\node.exe.com"]);
        assert_eq!(
            candidates("my.tool", r"C:\x", Some(".EXE")),
            [r"C:\x\my.tool", r"C:\x\my.tool.exe"]
        );
    }

    #[test]
    fn a_path_is_taken_where_it_leads() {
        assert_eq!(
            candidates(r".\node_modules\.bin\vite", PATH, Some(".exe;.cmd")),
            [
                r".\node_modules\.bin\vite.exe",
                r".\node_modules\.bin\vite.cmd",
                r".\node_modules\.bin\vite"
            ]
        );
        assert_eq!(candidates("./a.exe", PATH, Some(".exe")), ["./a.exe", "./a.exe.exe"]);
        assert_eq!(candidates("c:x", PATH, Some(".exe")), ["c:x.exe", "c:x"]);
    }

    #[test]
    fn without_a_word_or_a_path_nothing_is_meant() {
        assert!(candidates("", PATH, None).is_empty());
        assert!(candidates("npm", "", None).is_empty());
        assert!(candidates("npm", "relative;.", None).is_empty());
        assert_eq!(candidates("npm", r"C:\x", Some(" ")).len(), 4);
    }
}
