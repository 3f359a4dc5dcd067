//! Marks that managers, terminals, editors and coding agents leave in the environment of what they
//! start. Only names in the list here are ever kept: an environment is full of secrets.

use std::collections::BTreeMap;

/// Some variables of one process's environment, by name.
pub type Marks = BTreeMap<String, String>;

/// The variables that are marks.
pub const NAMES: &[&str] = &[
    // Process managers: pm2 (with `name` beside it), supervisord, circus, forever, systemd.
    "pm_id",
    "name",
    "PM2_HOME",
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
    "TMUX",
    "TMUX_PANE",
    "STY",
    "SSH_CONNECTION",
    "WINDOW",
    "ZELLIJ_SESSION_NAME",
    "ZELLIJ_PANE_ID",
    "XDG_SESSION_ID",
    "WSL_DISTRO_NAME",
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
    "AIDER_MODEL",
    "OPENCODE",
    "QWEN_CODE",
    "AMP_CURRENT_THREAD_ID",
    "GOOSE_TERMINAL",
    "AUGMENT_AGENT",
    "CLINE_ACTIVE",
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
];

/// The marks in an environment as the kernel keeps it: `NAME=value`, each ended by a zero byte
/// (proc_pid_environ(5)). What is not UTF-8 is replaced; a name that comes twice counts as getenv(3) takes it, the first
/// time.
pub fn of(environment: &[u8]) -> Marks {
    let mut marks = Marks::new();
    for entry in environment.split(|&byte| byte == 0) {
        let Some(at) = entry.iter().position(|&byte| byte == b'=') else { continue };
        let Ok(name) = std::str::from_utf8(&entry[..at]) else { continue };
        if NAMES.contains(&name) && !marks.contains_key(name) {
            let value = String::from_utf8_lossy(&entry[at + 1..]).into_owned();
            marks.insert(name.to_owned(), value);
        }
    }
    marks
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
}
