//! Watchers: programs that start their child again when files change, or when it ends.

use super::Role;
use super::program::Program;
use crate::process::Process;

/// The watchers known by name or by an option.
pub(super) fn watcher_role(program: Program<'_>) -> Option<Role> {
    const WATCHES: [&str; 19] = [
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
        "reflex",
        "CompileDaemon",
        "hupper",
        "watchfiles",
        "watchman-make",
        "rerun",
    ];
    let known = WATCHES.iter().any(|name| program.is(name)) || watches_by_option(program);
    let role = known.then_some(Role::Watcher(Some(true)));
    role.or_else(|| watches_when_asked(program).then_some(Role::Watcher(None)))
}

/// What to call a watcher whose script is the very thing it watches.
pub(super) fn known_as(program: Program<'_>) -> Option<&'static str> {
    let watches = watches_by_option(program);
    match program.file {
        "node" | "nodejs" if watches && program.has_option("--watch") => Some("node --watch"),
        "bun" if watches => Some(if program.has("--hot") { "bun --hot" } else { "bun --watch" }),
        "deno" if watches => Some("deno --watch"),
        _ => program.has("runserver").then_some("manage.py runserver"),
    }
}

/// Runtimes and servers that watch when told to.
fn watches_by_option(program: Program<'_>) -> bool {
    let flag = |name: &str| program.has(name);
    (program.is("node") && program.has_option("--watch"))
        || (program.is("bun") && (flag("--watch") || flag("--hot")))
        || (program.is("deno") && (program.has_beginning("--watch") || flag("--hmr")))
        || (program.is("tsx") && flag("watch"))
        || (program.is("dotnet") && program.first_argument() == Some("watch"))
        || (["uvicorn", "hypercorn", "granian", "sanic", "daphne", "adev"]
            .iter()
            .any(|name| program.is(name))
            && flag("--reload"))
        || (program.is("fastapi") && flag("dev"))
        || (program.is("nest") && flag("--watch"))
}

/// Dev servers that run the server proper in a process of its own, and start that again when
/// their configuration changes, or when it asks for it.
fn watches_when_asked(program: Program<'_>) -> bool {
    const SERVERS: [(&str, &[&str]); 9] = [
        ("next", &["dev"]),
        ("nuxt", &["dev"]),
        ("nuxi", &["dev"]),
        ("gatsby", &["develop"]),
        ("wrangler", &["dev"]),
        ("jest", &["--watch", "--watchAll"]),
        ("vitest", &["--watch", "watch", "dev"]),
        ("netlify", &["dev"]),
        ("strapi", &["develop"]),
    ];
    let told = |words: &[&str]| words.iter().any(|word| program.has(word));
    SERVERS.iter().any(|(name, words)| program.is(name) && told(words))
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
