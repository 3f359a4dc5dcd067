//! Finding the actor's binary beside the tests, and building it where it is missing or old.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The actor's binary: the one of the profile (and target triple) that the running test was built
/// with. Cargo does not build a dependency's binaries for a test, so it is built here, once, when it is
/// missing or older than its sources. `PROC_TESTKIT_ACTOR` names one to take as it is.
///
/// # Panics
/// When it is not there and cannot be built.
pub fn actor_path() -> &'static Path {
    static ACTOR: OnceLock<PathBuf> = OnceLock::new();
    ACTOR.get_or_init(find)
}

fn find() -> PathBuf {
    if let Some(given) = std::env::var_os("PROC_TESTKIT_ACTOR") {
        return given.into();
    }
    let exe = std::env::current_exe().expect("a running test has a path");
    let profile = profile_directory(&exe);
    let actor = profile.join("actor");
    if !is_current(&actor) {
        build(profile);
    }
    assert!(actor.is_file(), "cargo build did not make {}", actor.display());
    actor
}

/// `target/debug` of `target/debug/deps/test-0123` and `target/debug/examples/x`; the binaries' directory.
fn profile_directory(exe: &Path) -> &Path {
    let directory = exe.parent().expect("an executable is in a directory");
    let inner = ["deps", "examples"].map(OsStr::new);
    match directory.file_name() {
        Some(name) if inner.contains(&name) => directory.parent().unwrap_or(directory),
        _ => directory,
    }
}

fn is_current(actor: &Path) -> bool {
    let Ok(built) = fs::metadata(actor).and_then(|data| data.modified()) else { return false };
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    // A test binary that was carried to another machine has no sources: the actor beside it is its own.
    newest(&sources).is_none_or(|changed| changed <= built)
}

fn newest(path: &Path) -> Option<SystemTime> {
    if path.is_dir() {
        let entries = fs::read_dir(path).ok()?.flatten();
        return entries.filter_map(|entry| newest(&entry.path())).max();
    }
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn build(profile: &Path) {
    let name = profile.file_name().and_then(OsStr::to_str).unwrap_or("debug");
    let parent = profile.parent().expect("a profile's directory is in the target directory");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "proc-testkit", "--bin", "actor"]);
    command.args(["--profile", if name == "debug" { "dev" } else { name }]);
    // Only the target directory itself has this file: above a triple's directory it is one further up.
    // A copied or cached one may lack CACHEDIR.TAG.
    if parent.join(".rustc_info.json").exists() {
        command.arg("--target-dir").arg(parent);
    } else {
        command.arg("--target").arg(parent.file_name().unwrap_or_default());
        command.arg("--target-dir").arg(parent.parent().unwrap_or(parent));
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "building the actor failed: {command:?}");
}
