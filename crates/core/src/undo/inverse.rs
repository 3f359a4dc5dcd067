//! The command that starts again what another command stopped: a pure table over command lines.

/// How a manager's commands are turned round.
struct Rule {
    /// The program.
    program: &'static str,
    /// The word that stops, and the one that starts.
    words: &'static [(&'static str, &'static str)],
    /// Options before or after the word that only say how to stop, with whether the next word is
    /// their value.
    drop: &'static [(&'static str, bool)],
}

const RULES: &[Rule] = &[
    Rule {
        program: "systemctl",
        words: &[("stop", "start"), ("disable", "enable")],
        drop: &[("--kill-whom", true), ("--signal", true), ("-s", true)],
    },
    Rule { program: "docker", words: ENGINE, drop: ENGINE_OPTIONS },
    Rule { program: "podman", words: ENGINE, drop: ENGINE_OPTIONS },
    Rule { program: "nerdctl", words: ENGINE, drop: ENGINE_OPTIONS },
    Rule { program: "machinectl", words: &[("stop", "start"), ("poweroff", "start")], drop: &[] },
    Rule { program: "lxc-stop", words: &[], drop: &[("-t", true), ("--timeout", true)] },
    Rule {
        program: "lxc",
        words: &[("stop", "start")],
        drop: &[("--force", false), ("-f", false), ("--timeout", true)],
    },
    Rule {
        program: "incus",
        words: &[("stop", "start")],
        drop: &[("--force", false), ("-f", false), ("--timeout", true)],
    },
    Rule { program: "pm2", words: &[("stop", "start")], drop: &[] },
    Rule { program: "supervisorctl", words: &[("stop", "start")], drop: &[] },
    Rule { program: "circusctl", words: &[("stop", "start")], drop: &[] },
    Rule {
        program: "sv",
        words: &[("stop", "start"), ("force-stop", "start"), ("down", "up"), ("d", "u")],
        drop: &[("-w", true), ("-v", false)],
    },
    Rule {
        program: "s6-svc",
        words: &[("-d", "-u"), ("-Dd", "-Uu"), ("-wD", "-wU"), ("-wd", "-wu"), ("-D", "-U")],
        drop: &[("-T", true)],
    },
    Rule { program: "s6-rc", words: &[("-d", "-u"), ("stop", "start")], drop: &[] },
    Rule { program: "svc", words: &[("-d", "-u")], drop: &[] },
    Rule { program: "dinitctl", words: &[("stop", "start")], drop: &[("--force", false)] },
    Rule { program: "monit", words: &[("stop", "start")], drop: &[] },
    Rule { program: "initctl", words: &[("stop", "start")], drop: &[] },
    Rule { program: "overmind", words: &[("stop", "restart")], drop: &[] },
    Rule {
        program: "pg_ctl",
        words: &[("stop", "start")],
        drop: &[("-m", true), ("--mode", true)],
    },
    Rule { program: "pg_ctlcluster", words: &[("stop", "start")], drop: &[("-m", true)] },
    Rule {
        program: "apachectl",
        words: &[("stop", "start"), ("graceful-stop", "start")],
        drop: &[],
    },
    Rule { program: "brew", words: &[("stop", "start")], drop: &[] },
    // Of Windows; its services are started one by one.
    Rule { program: "net", words: &[("stop", "start")], drop: &[("/y", false)] },
];

const ENGINE: &[(&str, &str)] = &[("stop", "start"), ("kill", "start")];
const ENGINE_OPTIONS: &[(&str, bool)] = &[
    ("-t", true),
    ("--time", true),
    ("--timeout", true),
    ("-s", true),
    ("--signal", true),
    ("-i", false),
    ("--ignore", false),
];

/// The command that undoes this one; `None` where none is known. What only says as whom or with
/// which environment to run it stays as it is. A program that stops by being told a different
/// word elsewhere, or that is not in the table, is not guessed at.
pub fn inverse(argv: &[String]) -> Option<Vec<String>> {
    let (before, own) = argv.split_at(own_words(argv));
    let turned = turned(own)?;
    Some(before.iter().cloned().chain(turned).collect())
}

/// Where the manager's own command begins: behind `sudo -n`, `sudo -u USER`, `runuser -u USER --`
/// and `env NAME=VALUE`, as levers are prefixed.
fn own_words(argv: &[String]) -> usize {
    let mut words = argv.iter().enumerate().peekable();
    while let Some((_, word)) = words.next_if(|(_, word)| {
        matches!(word.as_str(), "sudo" | "runuser" | "env" | "-n" | "-u" | "--")
            || (word.contains('=') && !word.starts_with('-'))
    }) {
        if word == "-u" {
            words.next();
        }
    }
    words.peek().map_or(argv.len(), |(at, _)| *at)
}

fn turned(argv: &[String]) -> Option<Vec<String>> {
    let program = argv.first()?.rsplit('/').next()?;
    match program {
        // `rc-service X stop`, `service X stop`, `launchctl` has no such pair.
        "rc-service" | "service" => return last_word(argv),
        _ => {}
    }
    let rule = RULES.iter().find(|rule| rule.program == program)?;
    let mut words = without(&argv[1..], rule.drop);
    if program == "lxc-stop" {
        return Some([vec![argv[0].replace("lxc-stop", "lxc-start")], words].concat());
    }
    let (place, start) = words.iter().enumerate().find_map(|(place, word)| {
        let pair = rule.words.iter().find(|(stop, _)| stop == word)?;
        Some((place, pair.1))
    })?;
    words[place] = start.to_owned();
    // Nothing named to start: a word that stops everything has no inverse that is as safe.
    if words.len() < 2 && !matches!(program, "pg_ctl" | "apachectl") {
        return None;
    }
    Some([vec![argv[0].clone()], words].concat())
}

fn last_word(argv: &[String]) -> Option<Vec<String>> {
    let (last, before) = argv.split_last()?;
    let named = before.len() > 1;
    (last == "stop" && named).then(|| [before, &["start".to_owned()]].concat())
}

/// The words without those options and their values.
fn without(words: &[String], drop: &[(&str, bool)]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or(word);
        match drop.iter().find(|(option, _)| *option == name) {
            Some((_, true)) if !word.contains('=') => {
                words.next();
            }
            Some(_) => {}
            None => kept.push(word.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(command: &str) -> Option<String> {
        let argv: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        inverse(&argv).map(|argv| argv.join(" "))
    }

    #[test]
    fn every_manager_starts_what_it_stopped() {
        for (ran, want) in [
            ("systemctl stop web.socket web.service", "systemctl start web.socket web.service"),
            ("systemctl --user stop web.service", "systemctl --user start web.service"),
            (
                "systemctl --user --machine=me@ stop a\\x2db.service",
                "systemctl --user --machine=me@ start a\\x2db.service",
            ),
            ("docker stop web", "docker start web"),
            ("docker stop -t 10 web", "docker start web"),
            (
                "docker --host unix:///run/d.sock stop --time=3 web",
                "docker --host unix:///run/d.sock start web",
            ),
            ("sudo docker stop web", "sudo docker start web"),
            ("sudo -n podman stop web", "sudo -n podman start web"),
            (
                "runuser -u me -- env HOME=/home/me XDG_RUNTIME_DIR=/run/user/7 podman stop web",
                "runuser -u me -- env HOME=/home/me XDG_RUNTIME_DIR=/run/user/7 podman start web",
            ),
            (
                "sudo -u me env PM2_HOME=/srv/pm2 pm2 stop 3",
                "sudo -u me env PM2_HOME=/srv/pm2 pm2 start 3",
            ),
            ("podman pod stop shop", "podman pod start shop"),
            ("/usr/bin/podman stop a1b2", "/usr/bin/podman start a1b2"),
            ("docker compose -p app stop web", "docker compose -p app start web"),
            ("machinectl stop box", "machinectl start box"),
            ("lxc-stop -n box", "lxc-start -n box"),
            ("lxc stop box --force", "lxc start box"),
            ("pm2 stop api", "pm2 start api"),
            (
                "supervisorctl -c /etc/s.conf stop web:web_0",
                "supervisorctl -c /etc/s.conf start web:web_0",
            ),
            ("sv stop /service/web", "sv start /service/web"),
            ("sv down web", "sv up web"),
            ("s6-svc -d /run/service/web", "s6-svc -u /run/service/web"),
            ("svc -d /service/web", "svc -u /service/web"),
            ("rc-service nginx stop", "rc-service nginx start"),
            ("service nginx stop", "service nginx start"),
            ("pg_ctlcluster 15 main stop -m fast", "pg_ctlcluster 15 main start"),
            ("net stop W3SVC", "net start W3SVC"),
            ("net stop W3SVC /y", "net start W3SVC"),
            ("pg_ctl -D /data stop -m fast", "pg_ctl -D /data start"),
        ] {
            assert_eq!(undone(ran).as_deref(), Some(want), "{ran}");
        }
    }

    #[test]
    fn what_has_no_inverse_is_not_guessed() {
        for ran in [
            "",
            "sudo",
            "sudo -u",
            "env A=b",
            "kubectl delete pod web",
            "docker rm -f web",
            "docker stop",
            "net stop",
            "pm2 delete api",
            "gradle --stop",
            "jupyter server stop 8888",
            "rc-service stop",
            "systemctl stop",
        ] {
            assert_eq!(undone(ran), None, "{ran}");
        }
    }
}
