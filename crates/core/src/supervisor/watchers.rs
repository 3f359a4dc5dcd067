//! Watchers: programs that start their child again when files change, or when it ends.

use super::Role;
use super::program::Program;
use crate::process::Process;

/// The watchers known by name or by an option.
pub(super) fn watcher_role(program: Program<'_>) -> Option<Role> {
    const WATCHES: [&str; 16] = [
        "nodemon",
        "cargo-watch",
        "watchexec",
        "entr",
        "air",
        "bacon",
        "watchmedo",
        "ts-node-dev",
        "tsnd",
        "node-dev",
        "gow",
        "modd",
        "wgo",
        "CompileDaemon",
        "hupper",
        "watchfiles",
    ];
    let known = WATCHES.iter().any(|name| program.is(name)) || watches_by_option(program);
    known.then_some(Role::Watcher(Some(true)))
}

/// Runtimes and servers that watch when told to.
fn watches_by_option(program: Program<'_>) -> bool {
    let flag = |name: &str| program.has(name);
    (program.is("node") && program.has_option("--watch"))
        || (program.is("bun") && (flag("--watch") || flag("--hot")))
        || (program.is("tsx") && flag("watch"))
        || (program.is("dotnet") && program.first_argument() == Some("watch"))
        || (["uvicorn", "hypercorn", "granian", "sanic"].iter().any(|name| program.is(name))
            && flag("--reload"))
        || (program.is("fastapi") && flag("dev"))
}

/// The reloaders of Django and Flask: the parent runs itself once more, and again only if that
/// child asks for it. A child that is killed takes the parent with it.
pub(super) fn reloader_role(parent: &Process, child: &Process) -> Option<Role> {
    let (above, below) = (Program::of(parent), Program::of(child));
    let same = parent.argv.len() > 1 && parent.argv.get(1..) == child.argv.get(1..);
    let reloads = above.has("runserver") || above.is("flask");
    (same && reloads && above.file.starts_with("python") && above.file == below.file)
        .then_some(Role::Watcher(Some(false)))
}
