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

/// Whether the directory that settings are looked for in is another user's: HOME is kept by `su -m`
/// and setpriv(1), and what it leads to is not this user's to follow.
#[cfg(unix)]
pub fn is_of_another_user(env: Env<'_>) -> bool {
    use std::os::unix::fs::MetadataExt;
    let directory = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = directory("XDG_CONFIG_HOME").or_else(|| directory("HOME"));
    let owner = base.and_then(|base| base.metadata().ok()).map(|facts| facts.uid());
    owner.is_some_and(|owner| owner != rustix::process::geteuid().as_raw())
}

/// Never so here: the variables are the system's own for each user.
#[cfg(not(unix))]
pub const fn is_of_another_user(_: Env<'_>) -> bool {
    false
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
