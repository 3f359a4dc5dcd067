//! Marks that managers, terminals, editors and coding agents leave in the environment of what they
//! start. Only names in the list here are ever kept: an environment is full of secrets.

use std::collections::BTreeMap;

/// Some variables of one process's environment, by name.
pub type Marks = BTreeMap<String, String>;

/// The variables that are marks.
pub const NAMES: &[&str] = &[
    // Process managers: pm2 (with `name` beside it), supervisord, overmind, foreman and its kin,
    // systemd.
    "pm_id",
    "name",
    "PM2_HOME",
    "autorestart",
    "exec_mode",
    "OVERMIND_SOCKET",
    "PS",
    "HONCHO_PROCESS_NAME",
    "SUPERVISOR_ENABLED",
    "SUPERVISOR_PROCESS_NAME",
    "SUPERVISOR_GROUP_NAME",
    "SUPERVISOR_SERVER_URL",
    "INVOCATION_ID",
    "LISTEN_PID",
    // Pods: the container's host name is the pod's.
    "KUBERNETES_SERVICE_HOST",
    "HOSTNAME",
    // Terminals and sessions.
    "TERM_PROGRAM",
    "WINDOW",
    "TMUX",
    "TMUX_PANE",
    "STY",
    "SSH_CONNECTION",
    "WINDOW",
    "ZELLIJ_SESSION_NAME",
    "ZELLIJ_PANE_ID",
    "WT_SESSION",
    "XDG_SESSION_ID",
    "WSL_DISTRO_NAME",
    "GIO_LAUNCHED_DESKTOP_FILE",
    // Scripts of npm and its kin: the script, and the program that ran it.
    "npm_lifecycle_event",
    "npm_config_user_agent",
    // Editors.
    "VSCODE_PID",
    "VSCODE_CWD",
    "VSCODE_INJECTION",
    "TERMINAL_EMULATOR",
    "INTELLIJ_TERMINAL_COMMAND_BLOCKS_REWORKED",
    // Coding agents.
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",
    "CODEX_HOME",
    "CURSOR_AGENT",
    "CURSOR_TRACE_ID",
    "GEMINI_CLI",
    "OPENCODE",
    "QWEN_CODE",
    "AMP_CURRENT_THREAD_ID",
    "GOOSE_TERMINAL",
    "AUGMENT_AGENT",
    "CLINE_ACTIVE",
    "COPILOT_CLI",
    // Where it was started: by a shell, by npm and kin.
    "PWD",
    "INIT_CWD",
    "npm_package_json",
    "npm_config_local_prefix",
    // Who became root for it.
    "SUDO_UID",
    "PKEXEC_UID",
    // Continuous integration.
    "CI",
    "GITHUB_RUN_ID",
    "RUNNER_TRACKING_ID",
    "GITLAB_CI",
    "CI_JOB_ID",
    "BUILD_TAG",
    "JENKINS_NODE_COOKIE",
    "BUILDKITE_JOB_ID",
    "CIRCLE_JOB",
    "TF_BUILD",
    "TEAMCITY_VERSION",
    "DRONE_BUILD_NUMBER",
];

/// Where the program that people typed to start pm2's daemon is: the shell's `_` (bash(1)), and
/// only there. Kept under this name, which no environment can have.
pub const PM2_PROGRAM: &str = "pm2=";

/// The marks in an environment as the kernel keeps it: `NAME=value`, each ended by a zero byte
/// (proc_pid_environ(5)). What is not UTF-8 is replaced; a name that comes twice counts as getenv(3) takes it, the first
/// time.
pub fn of(environment: &[u8]) -> Marks {
    let mut marks = Marks::new();
    for entry in environment.split(|&byte| byte == 0) {
        let Some(at) = entry.iter().position(|&byte| byte == b'=') else { continue };
        let Ok(name) = std::str::from_utf8(&entry[..at]) else { continue };
        let value = &entry[at + 1..];
        match name {
            "pm2_env" => add_pm2(&mut marks, value),
            "_" if value.ends_with(b"/pm2") => add(&mut marks, PM2_PROGRAM, value),
            // So a recording keeps it.
            "pm2" if value.starts_with(b"=") => add(&mut marks, PM2_PROGRAM, &value[1..]),
            _ if NAMES.contains(&name) => add(&mut marks, name, value),
            _ => {}
        }
    }
    marks
}

fn add(marks: &mut Marks, name: &str, value: &[u8]) {
    if !marks.contains_key(name) {
        marks.insert(name.to_owned(), String::from_utf8_lossy(value).into_owned());
    }
}

/// Workers of pm2's cluster mode have one variable for all: a JSON object with the variables of
/// the others among everything else (pm2's `lib/God/ClusterMode.js`).
fn add_pm2(marks: &mut Marks, value: &[u8]) {
    #[derive(serde::Deserialize)]
    struct Pm2 {
        name: Option<String>,
        pm_id: Option<u32>,
        #[serde(rename = "PM2_HOME")]
        home: Option<String>,
        autorestart: Option<bool>,
        exec_mode: Option<String>,
    }
    let Ok(pm2) = serde_json::from_slice::<Pm2>(value) else { return };
    let values = [
        ("name", pm2.name),
        ("pm_id", pm2.pm_id.map(|id| id.to_string())),
        ("PM2_HOME", pm2.home),
        ("autorestart", pm2.autorestart.map(|on| on.to_string())),
        ("exec_mode", pm2.exec_mode),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            marks.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marks_are_kept_and_the_first_of_each() {
        let marks = of(b"PATH=/bin\0pm_id=3\0AWS_SECRET_ACCESS_KEY=x\0pm_id=4\0TMUX=\xff\0=odd\0");
        let pairs: Vec<(&str, &str)> =
            marks.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("TMUX", "\u{fffd}"), ("pm_id", "3")]);
    }

    #[test]
    fn a_worker_of_a_pm2_cluster_has_its_marks_in_one_variable() {
        let marks = of(
            b"name=outer\0pm2_env={\"name\":\"web\",\"pm_id\":2,\"env\":{\"AWS_SECRET\":\"x\"},\
            \"autorestart\":true,\"PM2_HOME\":\"/srv/pm2\"}\0",
        );
        let pairs: Vec<(&str, &str)> =
            marks.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let want =
            [("PM2_HOME", "/srv/pm2"), ("autorestart", "true"), ("name", "web"), ("pm_id", "2")];
        assert_eq!(pairs, want);
        for broken in [&b"pm2_env={\"name\":\"we"[..], b"pm2_env=", b"pm2_env=[1]", b"pm2_env=\xff"]
        {
            assert!(of(broken).is_empty(), "{}", String::from_utf8_lossy(broken));
        }
    }

    #[test]
    fn the_program_of_pm2_outlives_a_recording() {
        let marks = of(b"_=/srv/app/node_modules/.bin/pm2\0");
        assert_eq!(marks[PM2_PROGRAM], "/srv/app/node_modules/.bin/pm2");
        let kept: String = marks.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
        assert_eq!(of(kept.as_bytes()), marks);
        assert!(of(b"_=/usr/bin/env\0").is_empty());
    }
}
