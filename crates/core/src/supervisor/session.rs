//! Where people sit: interactive shells, terminals, editors, logins. They start programs because
//! somebody told them to, and start nothing again by themselves.

use super::door::door;
use super::program::{Program, file_name, path_has};
use crate::process::{Process, ProcessState};
use crate::windows::path::is_whole;

/// Whether a person types into this shell: it has a terminal and was given neither a script nor
/// a command (`bash -ic 'npm start'` has one). A script piped into it (`curl … | bash`) looks
/// the same from outside. On Windows no terminal is told, and the arguments decide alone.
pub fn is_interactive_shell(process: &Process) -> bool {
    let program = Program::of(process);
    match process.exe.as_deref().is_some_and(is_whole) {
        true => !process.argv.is_empty() && program.prompts_on_windows(),
        false => {
            process.terminal.is_some()
                && program.shell().is_some()
                && program.shell_waits_for_input()
        }
    }
}

/// Whether the story of who started a process ends here: a place where somebody sits, the
/// system's own first processes, or something dead.
pub(crate) fn is_session_host(process: &Process) -> bool {
    process.kernel_thread
        || matches!(process.state, ProcessState::Zombie)
        || is_interactive_shell(process)
        || door(process).is_some()
        || is_seat(process)
}

/// Terminals, logins, editors and coding agents.
fn is_seat(process: &Process) -> bool {
    let program = Program::of(process);
    let any = |names: &[&str]| program.names().any(|name| names.contains(&name));
    any(&LOGINS)
        || program.names().any(|name| is_terminal_program(name) || is_desktop_program(name))
        || crate::origin::agent::name_of(process).is_some()
        || editor(process).is_some()
}

/// The editor this is, by the name people call it.
pub(super) fn editor(process: &Process) -> Option<&'static str> {
    let program = Program::of(process);
    let named = program.names().find_map(|name| {
        // macOS has `Code Helper (Plugin)`, Windows `Code.exe` and `idea64.exe`.
        let name = name.split(" Helper").next().unwrap_or(name);
        let name = name.strip_suffix("64").unwrap_or(name);
        let known = EDITORS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        known.map(|(_, editor)| *editor)
    });
    // Remote halves and runtimes of editors go by general names from telling places.
    let exe = process.exe.as_deref().unwrap_or_default();
    let runtime = matches!(file_name(exe), "node" | "java");
    let placed = || EDITOR_PLACES.iter().find(|(place, _)| path_has(exe, place));
    named.or_else(|| runtime.then(placed)?.map(|(_, editor)| *editor))
}

/// Whether a program of this file name is a terminal.
pub(super) fn is_terminal_program(file: &str) -> bool {
    TERMINALS.iter().any(|name| name.eq_ignore_ascii_case(file))
}

/// Whether it is what starts a desktop's applications.
pub(crate) fn is_desktop(process: &Process) -> bool {
    Program::of(process).names().any(is_desktop_program)
}

/// Whether a program of this file name is what starts a desktop's applications.
pub(super) fn is_desktop_program(file: &str) -> bool {
    const DESKTOPS: [&str; 11] = [
        "explorer",
        "gnome-shell",
        "gnome-session-binary",
        "plasmashell",
        "kwin_wayland",
        "xfce4-panel",
        "xfdesktop",
        "cinnamon",
        "mate-panel",
        "sway",
        "Hyprland",
    ];
    DESKTOPS.iter().any(|name| name.eq_ignore_ascii_case(file))
}

const LOGINS: [&str; 5] = ["login", "agetty", "getty", "mingetty", "sulogin"];

const TERMINALS: [&str; 44] = [
    "WindowsTerminal",
    "OpenConsole",
    "conhost",
    "winpty-agent",
    "mintty",
    "ConEmu",
    "ConEmu64",
    "ConEmuC",
    "ConEmuC64",
    "FluentTerminal.App",
    "dtach",
    "abduco",
    "ttyd",
    "gotty",
    "gnome-terminal-server",
    "ptyxis",
    "ptyxis-agent",
    "kgx",
    "konsole",
    "yakuake",
    "xterm",
    "urxvt",
    "rxvt",
    "st",
    "alacritty",
    "kitty",
    "wezterm",
    "wezterm-gui",
    "wezterm-mux-server",
    "foot",
    "footclient",
    "ghostty",
    "rio",
    "tilix",
    "terminator",
    "xfce4-terminal",
    "lxterminal",
    "mate-terminal",
    "qterminal",
    "Terminal",
    "iTerm2",
    "warp",
    "hyper",
    "tabby",
];

/// Editors by their programs.
const EDITORS: [(&str, &str); 29] = [
    ("Code - Insiders", "VS Code"),
    ("kiro", "Kiro"),
    ("trae", "Trae"),
    ("devenv", "Visual Studio"),
    ("code-server", "code-server"),
    ("openvscode-server", "VS Code"),
    ("code", "VS Code"),
    ("code-insiders", "VS Code"),
    ("codium", "VSCodium"),
    ("cursor", "Cursor"),
    ("windsurf", "Windsurf"),
    ("zed", "Zed"),
    ("zed-editor", "Zed"),
    ("sublime_text", "Sublime Text"),
    ("idea", "IntelliJ IDEA"),
    ("pycharm", "PyCharm"),
    ("webstorm", "WebStorm"),
    ("goland", "GoLand"),
    ("clion", "CLion"),
    ("rustrover", "RustRover"),
    ("phpstorm", "PhpStorm"),
    ("rider", "Rider"),
    ("rubymine", "RubyMine"),
    ("studio", "Android Studio"),
    ("emacs", "Emacs"),
    ("vim", "Vim"),
    ("nvim", "Neovim"),
    ("vi", "Vi"),
    ("hx", "Helix"),
];

const EDITOR_PLACES: [(&str, &str); 5] = [
    ("/.vscode-server", "VS Code"),
    ("/.vscode-remote", "VS Code"),
    ("/.cursor-server", "Cursor"),
    ("/.windsurf-server", "Windsurf"),
    ("/jbr/bin/", "a JetBrains IDE"),
];

/// Whether a unit of this name holds what people start by hand rather than a service: logins,
/// cron, terminals, and the applications that desktops start as `app-….service`
/// (systemd.io/DESKTOP_ENVIRONMENTS). Stopping it would end a session, or nothing at all.
pub(super) fn is_session_unit(unit: &str) -> bool {
    const UNITS: [&str; 34] = [
        "ssh",
        "sshd",
        "dropbear",
        "getty",
        "serial-getty",
        "console-getty",
        "container-getty",
        "autovt",
        "user",
        "user-runtime-dir",
        "gdm",
        "gdm3",
        "lightdm",
        "sddm",
        "greetd",
        "ly",
        "display-manager",
        "xrdp",
        "xrdp-sesman",
        "cron",
        "crond",
        "cronie",
        "atd",
        "systemd-logind",
        "tmux",
        "screen",
        "zellij",
        "dbus",
        "dbus-broker",
        "code-server",
        "gnome-terminal-server",
        "plasma-plasmashell",
        "plasma-kwin_wayland",
        "org.gnome.Shell",
    ];
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let template = name.split('@').next().unwrap_or(name);
    UNITS.contains(&template) || name.starts_with("app-")
}

#[cfg(test)]
mod tests {
    use super::super::tests::process;
    use super::*;

    #[test]
    fn interactive_shells() {
        for (argv, want) in [
            (&["-bash"][..], true),
            (&["bash"], true),
            (&["/bin/bash", "--norc", "-i"], true),
            (&["bash", "--init-file", "/usr/share/code/x.sh"], true),
            (&["zsh", "-o", "noglob", "-l"], true),
            (&["fish", "-C", "set x"], true),
            (&["bash", "run.sh"], false),
            (&["bash", "-e", "run.sh"], false),
            (&["bash", "--init-file", "x", "run.sh"], false),
            (&["sh", "-c", "sleep 1"], false),
            (&["bash", "-lic", "sleep 1"], false),
            (&["bash", "-s"], false),
            (&["node"], false),
        ] {
            let exe = format!("/bin/{}", file_name(argv[0].trim_start_matches('-')));
            let mut shell = process(50, 1, &exe, argv);
            shell.terminal = Some("pts/3".to_owned());
            assert_eq!(is_interactive_shell(&shell), want, "{argv:?}");
            shell.terminal = None;
            assert!(!is_interactive_shell(&shell), "{argv:?} without a terminal");
        }
    }

    #[test]
    fn busybox_is_the_shell_it_is_called() {
        let mut shell = process(50, 1, "/bin/busybox", &["-sh"]);
        shell.terminal = Some("tty1".to_owned());
        assert!(is_interactive_shell(&shell));
        shell.argv = vec!["httpd".to_owned()];
        assert!(!is_interactive_shell(&shell));
    }

    #[test]
    fn seats() {
        assert!(is_session_host(&process(50, 1, "/home/me/.vscode-server/bin/1/node", &["node"])));
        assert!(is_session_host(&process(50, 1, "/opt/idea/jbr/bin/java", &["java"])));
        assert!(is_session_host(&process(50, 1, "/usr/bin/node", &["claude"])));
        assert!(!is_session_host(&process(50, 1, "/usr/bin/node", &["node", "a.js"])));
        let mut dead = process(50, 1, "/usr/bin/node", &["node", "a.js"]);
        dead.state = ProcessState::Zombie;
        assert!(is_session_host(&dead));
    }

    #[test]
    fn session_units() {
        for unit in [
            "ssh.service",
            "sshd@1-2.service",
            "getty@tty1.service",
            "cron.service",
            r"app-code@0af.service",
            "app-org.kde.konsole-7.service",
        ] {
            assert!(is_session_unit(unit), "{unit}");
        }
        for unit in ["web.service", "nginx.service", "user-web.service", "application.service"] {
            assert!(!is_session_unit(unit), "{unit}");
        }
    }
}
