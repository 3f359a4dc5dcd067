//! How servers read their configuration anew without ending: the signal, by what each one's own
//! documentation says, or the command it has for that. That a signal is handled at all is the
//! kernel's to say ([`crate::condition`]), for programs in the table and for all others.

use crate::process::Process;
use crate::target::is_called;

const SIGHUP: i32 = 1;
#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
const SIGUSR1: i32 = 30;
#[cfg(not(any(target_os = "macos", target_os = "ios", target_os = "freebsd")))]
const SIGUSR1: i32 = 10;
#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
const SIGUSR2: i32 = 31;
#[cfg(not(any(target_os = "macos", target_os = "ios", target_os = "freebsd")))]
const SIGUSR2: i32 = 12;

/// How a program reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadWay {
    /// By that signal to its first process.
    Signal(i32),
    /// By a command of its own.
    Command(&'static str),
    /// Not at all.
    Never(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// What it goes by.
    pub names: &'static [&'static str],
    /// How it reloads.
    pub way: ReloadWay,
    /// What a person should know before; empty where it does just that.
    pub note: &'static str,
    /// Where that is written.
    pub source: &'static str,
}

use ReloadWay::{Command, Never, Signal};

/// The programs whose way is known. All others are asked by SIGHUP, where they handle it.
pub const RELOADS: &[Reload] = &[
    row(&["nginx", "openresty", "angie"], Signal(SIGHUP), "", "nginx.org: Controlling nginx"),
    row(
        &["apache2", "httpd"],
        Signal(SIGUSR1),
        "",
        "httpd.apache.org: Stopping and Restarting, graceful",
    ),
    row(&["lighttpd"], Signal(SIGUSR1), "", "lighttpd(8)"),
    row(
        &["haproxy"],
        Signal(SIGUSR2),
        "it reloads only where it runs with a master (-W, -Ws)",
        "haproxy management guide, 4. Stopping and restarting",
    ),
    row(&["caddy"], Command("caddy reload"), "", "caddyserver.com: command line, caddy reload"),
    row(
        &["traefik"],
        Never("it watches its files by itself"),
        "",
        "doc.traefik.io: providers, file",
    ),
    row(&["gunicorn"], Signal(SIGHUP), "", "docs.gunicorn.org: signal handling"),
    row(&["unicorn"], Signal(SIGHUP), "", "unicorn: SIGNALS"),
    row(
        &["puma"],
        Signal(SIGUSR2),
        "its workers end and begin anew; its SIGHUP only opens its logs again, or ends it",
        "puma: docs/signals.md",
    ),
    row(&["uwsgi"], Signal(SIGHUP), "", "uwsgi-docs: Managing the uWSGI server"),
    row(&["php-fpm"], Signal(SIGUSR2), "", "php-fpm(8)"),
    row(&["postgres", "postmaster"], Signal(SIGHUP), "", "postgres(1), pg_ctl reload"),
    row(&["pgbouncer"], Signal(SIGHUP), "", "pgbouncer(1)"),
    row(
        &["mysqld", "mariadbd"],
        Signal(SIGHUP),
        "it opens its logs again and reads grants anew, and not its configuration",
        "MySQL reference manual: signal response",
    ),
    row(
        &["redis-server", "valkey-server"],
        Never("its settings are changed while it runs, by CONFIG SET"),
        "",
        "redis.io: configuration",
    ),
    row(&["memcached"], Never("it has no configuration to read anew"), "", "memcached(1)"),
    row(&["mongod"], Never("its settings are changed by setParameter"), "", "mongodb.com: mongod"),
    row(
        &["sh", "bash", "dash", "zsh", "ksh", "fish"],
        Never("a shell that handles SIGHUP ends by it"),
        "",
        "bash(1), SIGNALS",
    ),
    row(&["sshd"], Signal(SIGHUP), "", "sshd(8)"),
    row(
        &["dnsmasq"],
        Signal(SIGHUP),
        "it reads its hosts and leases anew, and not dnsmasq.conf",
        "dnsmasq(8), NOTES",
    ),
    row(&["named"], Signal(SIGHUP), "", "named(8)"),
    row(&["unbound"], Signal(SIGHUP), "", "unbound(8)"),
    row(&["prometheus", "alertmanager"], Signal(SIGHUP), "", "prometheus.io: configuration"),
    row(&["mosquitto"], Signal(SIGHUP), "", "mosquitto(8)"),
    row(&["squid"], Signal(SIGHUP), "", "squid(8)"),
    row(
        &["supervisord"],
        Signal(SIGHUP),
        "it ends everything that it runs and starts it anew",
        "supervisord.org: signals",
    ),
    row(&["dockerd"], Signal(SIGHUP), "", "docs.docker.com: dockerd, configuration reload"),
];

const fn row(
    names: &'static [&'static str],
    way: ReloadWay,
    note: &'static str,
    source: &'static str,
) -> Reload {
    Reload { names, way, note, source }
}

/// What the table says of a process: by its names, or by the script that an interpreter runs
/// (`python /usr/bin/gunicorn`) or the title it gave itself (`php-fpm: master process`).
pub fn reload_of(process: &Process) -> Option<&'static Reload> {
    let title = process.argv.first().map_or("", String::as_str);
    let script = process.argv.get(1).map_or("", String::as_str);
    let file = script.rsplit('/').next().unwrap_or(script);
    let titled = |name: &str| {
        title.split([' ', ':', '[']).next().is_some_and(|word| {
            let word = word.rsplit('/').next().unwrap_or(word);
            // Debian's php-fpm8.2.
            word == name || word.strip_prefix(name).is_some_and(is_version)
        })
    };
    let is = |name: &&&str| is_called(process, name) || file == **name || titled(name);
    RELOADS.iter().find(|row| row.names.iter().any(|name| is(&name)))
}

fn is_version(rest: &str) -> bool {
    !rest.is_empty() && rest.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
}

/// The signal that is tried with programs nobody wrote down.
pub(super) const USUAL: i32 = SIGHUP;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::tests::process;

    #[test]
    fn known_by_program_script_and_title() {
        let way =
            |exe: &str, argv: &[&str]| reload_of(&process(9, 1, exe, argv)).map(|row| row.way);
        for (exe, argv, want) in [
            (
                "/usr/sbin/nginx",
                &["nginx: master process /usr/sbin/nginx"][..],
                Some(Signal(SIGHUP)),
            ),
            ("/usr/bin/python3.12", &["python3", "/usr/bin/gunicorn", "app"], Some(Signal(SIGHUP))),
            (
                "/usr/sbin/php-fpm8.2",
                &["php-fpm: master process (/etc/php)"],
                Some(Signal(SIGUSR2)),
            ),
            ("/usr/bin/ruby", &["puma 6.4.0 (tcp://0.0.0.0:3000) [shop]"], Some(Signal(SIGUSR2))),
            (
                "/usr/bin/redis-server",
                &["redis-server *:6379"],
                Some(Never("its settings are changed while it runs, by CONFIG SET")),
            ),
            ("/usr/bin/caddy", &["caddy", "run"], Some(Command("caddy reload"))),
            ("/usr/bin/node", &["node", "server.js"], None),
            ("/usr/bin/vim", &["vim", "nginx.conf"], None),
        ] {
            assert_eq!(way(exe, argv), want, "{exe} {argv:?}");
        }
    }

    #[test]
    fn each_row_has_its_source_and_each_name_one_row() {
        let mut names: Vec<&str> = RELOADS.iter().flat_map(|row| row.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(RELOADS.iter().all(|row| !row.source.is_empty()));
    }
}
