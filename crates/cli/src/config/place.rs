//! Where the file is: as each system has it.

use std::path::PathBuf;

use super::Env;

/// The file: PROC_CONFIG's; else `proc/config.toml` where this system keeps settings. `None` where
/// nothing says where that is, or PROC_CONFIG is empty: there is to be no file.
pub fn file(env: Env<'_>) -> Option<PathBuf> {
    if let Some(named) = env("PROC_CONFIG") {
        return (!named.is_empty()).then(|| PathBuf::from(named));
    }
    // A path that is not absolute is to be ignored (XDG Base Directory Specification).
    let directory = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = |below| directory("HOME").map(|home| home.join(below));
    let base = directory("XDG_CONFIG_HOME").or_else(|| match std::env::consts::OS {
        "windows" => directory("APPDATA"),
        "macos" => home("Library/Application Support"),
        _ => home(".config"),
    });
    base.map(|base| base.join("proc").join("config.toml"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_first_that_is_set_decides() {
        for (pairs, want) in [
            (&[("HOME", "/h")][..], Some("/h/.config/proc/config.toml")),
            (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")], Some("/x/proc/config.toml")),
            (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")], Some("/h/.config/proc/config.toml")),
            (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "")], Some("/h/.config/proc/config.toml")),
            (&[("HOME", "/h"), ("PROC_CONFIG", "own.toml")], Some("own.toml")),
            (&[("HOME", "/h"), ("PROC_CONFIG", "")], None),
            (&[("HOME", "h")], None),
            (&[], None),
        ] {
            let env = |name: &str| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.into())
            };
            assert_eq!(file(&env), want.map(PathBuf::from), "{pairs:?}");
        }
    }
}
