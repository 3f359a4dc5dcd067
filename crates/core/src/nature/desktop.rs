//! Editors, browsers and their helpers: a person sits before them, with unsaved work, and the port
//! is a small part of them that can be closed alone.

use super::subject::Subject;
use super::{Nature, NatureKind};

/// An editor, a language server, a browser.
pub(super) fn desktop(subject: &Subject<'_>) -> Option<Nature> {
    editor(subject).or_else(|| language_server(subject)).or_else(|| browser(subject))
}

const UNSAVED: &str = "what somebody did not save in it is lost";
const TABS: &str = "what somebody wrote in its windows is lost";

fn an_editor(name: impl Into<String>) -> Nature {
    Nature::new(NatureKind::Editor, name).never_forced(UNSAVED)
}

const FORWARD: &str = "close the forward in its Ports panel, or the session there that opened the port; never end the editor";

fn editor(subject: &Subject<'_>) -> Option<Nature> {
    const CODE: [(&str, &str); 15] = [
        ("Visual Studio Code", "VS Code"),
        ("Visual Studio Code - Insiders", "VS Code"),
        ("Code - Insiders", "VS Code"),
        ("code", "VS Code"),
        ("code-insiders", "VS Code"),
        ("code-oss", "VS Code"),
        ("code-tunnel", "VS Code's tunnel"),
        ("code-server", "code-server"),
        ("codium", "VSCodium"),
        ("vscodium", "VSCodium"),
        ("cursor", "Cursor"),
        ("windsurf", "Windsurf"),
        ("trae", "Trae"),
        ("kiro", "Kiro"),
        ("zed-editor", "Zed"),
    ];
    const SERVERS: [(&str, &str); 6] = [
        ("/.vscode-server/", "VS Code's remote server"),
        ("/.vscode-server-insiders/", "VS Code's remote server"),
        ("/.vscode-remote/", "VS Code's remote server"),
        ("/.cursor-server/", "Cursor's remote server"),
        ("/.windsurf-server/", "Windsurf's remote server"),
        ("/code-server/", "code-server"),
    ];
    let code = CODE.iter().find(|(file, _)| subject.is_application(file)).map(|(_, name)| *name);
    // Programs started from its terminals have executables of their own.
    let server = SERVERS.iter().find(|(place, _)| {
        subject.exe_has(place)
            && (subject.script_has(place)
                || subject.script.is_none()
                || subject.has("--type=extensionHost"))
    });
    if let Some(name) = code.or(server.map(|(_, name)| *name)) {
        let extension_host = subject.arguments().iter().any(|word| {
            word == "--type=extensionHost" || word == "--utility-sub-type=node.mojom.NodeService"
        });
        return Some(if extension_host {
            an_editor(format!("{name}, its extension host")).advice(
                "an extension of it opened the port: close it there (Live Server has a button in the status bar), never end the editor",
            )
        } else {
            an_editor(name).advice(FORWARD)
        });
    }
    if let Some(name) = jetbrains(subject) {
        return Some(an_editor(name).advice(
            "its built-in server takes another port by itself (Settings, Debugger); stop what runs in it there, never end the editor",
        ));
    }
    const OTHERS: [(&str, &str); 8] = [
        ("nvim", "Neovim"),
        ("vim", "Vim"),
        ("emacs", "Emacs"),
        ("zed", "Zed"),
        ("sublime_text", "Sublime Text"),
        ("hx", "Helix"),
        ("eclipse", "Eclipse"),
        ("devenv", "Visual Studio"),
    ];
    // Emacs is often `emacs-gtk` or `emacs-29.1`.
    let file = if subject.file.starts_with("emacs-") { "emacs" } else { subject.file };
    let (_, name) =
        OTHERS.iter().find(|(program, _)| *program == file || subject.goes_by(program))?;
    Some(an_editor(*name).advice("close what opened the port inside of it"))
}

/// The IDEs of JetBrains and Android Studio, by launcher or by main class. A program that was
/// started from one is a Java machine with `idea_rt.jar` for an agent, and none of them.
fn jetbrains(subject: &Subject<'_>) -> Option<&'static str> {
    const LAUNCHERS: [(&str, &str); 12] = [
        ("idea", "IntelliJ IDEA"),
        ("pycharm", "PyCharm"),
        ("webstorm", "WebStorm"),
        ("phpstorm", "PhpStorm"),
        ("goland", "GoLand"),
        ("clion", "CLion"),
        ("rubymine", "RubyMine"),
        ("rider", "Rider"),
        ("rustrover", "RustRover"),
        ("datagrip", "DataGrip"),
        ("studio", "Android Studio"),
        ("remote-dev-server", "JetBrains' remote server"),
    ];
    let file = subject.file.strip_suffix("64").unwrap_or(subject.file);
    if let Some((_, name)) = LAUNCHERS.iter().find(|(launcher, _)| *launcher == file) {
        // `studio` and `rider` are words that others use too.
        let sure = !matches!(file, "studio" | "rider") || subject.exe_has("/bin/");
        return sure.then_some(*name);
    }
    if subject.class != Some("com.intellij.idea.Main") {
        return None;
    }
    let platform = subject.value("-Didea.platform.prefix").unwrap_or_default();
    Some(match platform {
        "Python" | "PyCharmCore" => "PyCharm",
        "WebStorm" => "WebStorm",
        "PhpStorm" => "PhpStorm",
        "GoLand" => "GoLand",
        "CLion" => "CLion",
        "Ruby" => "RubyMine",
        "Rider" => "Rider",
        "RustRover" => "RustRover",
        "DataGrip" => "DataGrip",
        "AndroidStudio" => "Android Studio",
        _ => "a JetBrains IDE",
    })
}

fn language_server(subject: &Subject<'_>) -> Option<Nature> {
    const PROGRAMS: [&str; 14] = [
        "gopls",
        "rust-analyzer",
        "clangd",
        "pylsp",
        "ruff",
        "jdtls",
        "lua-language-server",
        "zls",
        "elixir-ls",
        "solargraph",
        "omnisharp",
        "OmniSharp",
        "pyright-langserver",
        "typescript-language-server",
    ];
    let script = subject.script_name().map(|name| name.strip_suffix(".index").unwrap_or(name));
    let known = |name: &str| PROGRAMS.contains(&name);
    let eclipse = subject.class.is_some_and(|jar| jar.contains("org.eclipse.equinox.launcher"))
        && subject.arguments().iter().any(|word| word.contains("jdt.ls"));
    let name = if eclipse {
        "Java's language server"
    } else {
        [Some(subject.file), script].into_iter().flatten().find(|name| known(name))?
    };
    Some(
        Nature::new(NatureKind::Editor, format!("{name}, a helper of an editor")).advice(
            "its editor starts it again; a port it holds may have come to it from a parent",
        ),
    )
}

fn browser(subject: &Subject<'_>) -> Option<Nature> {
    const BROWSERS: [(&str, &str); 28] = [
        ("Microsoft Edge", "Edge"),
        ("Brave Browser", "Brave"),
        ("vivaldi", "Vivaldi"),
        ("Arc", "Arc"),
        ("ms-teams", "Teams"),
        ("Postman", "Postman"),
        ("Insomnia", "Insomnia"),
        ("zoom.us", "Zoom"),
        ("firefox", "Firefox"),
        ("firefox-bin", "Firefox"),
        ("firefox-esr", "Firefox"),
        ("librewolf", "LibreWolf"),
        ("chrome", "Chrome"),
        ("google-chrome", "Chrome"),
        ("Google Chrome", "Chrome"),
        ("chromium", "Chromium"),
        ("chromium-browser", "Chromium"),
        ("chrome-headless-shell", "headless Chrome"),
        ("headless_shell", "headless Chrome"),
        ("brave", "Brave"),
        ("msedge", "Edge"),
        ("opera", "Opera"),
        ("vivaldi-bin", "Vivaldi"),
        ("Safari", "Safari"),
        ("electron", "an Electron application"),
        ("slack", "Slack"),
        ("discord", "Discord"),
        ("spotify", "Spotify"),
    ];
    let (_, name) = BROWSERS.iter().find(|(file, _)| subject.is_application(file))?;
    let named = |name: String| Nature::new(NatureKind::Browser, name);
    // A test or a scraper drives it: nobody looks at it.
    let headless = name.starts_with("headless")
        || subject
            .arguments()
            .iter()
            .any(|word| word == "-headless" || word.starts_with("--headless"));
    let devtools = ["--remote-debugging-port", "-remote-debugging-port", "--remote-debugging-pipe"]
        .iter()
        .any(|option| subject.value(option).is_some());
    let name = match *name {
        "headless Chrome" => "Chrome",
        name => name,
    };
    Some(match (headless, devtools) {
        (true, _) => named(format!("headless {name}"))
            .advice("a test or a script drives it; it may be left of one that is gone"),
        (false, true) => named(format!("{name} with a port for its developer tools"))
            .never_forced(TABS)
            .advice("quit that window of it, and start it without --remote-debugging-port"),
        (false, false) => named((*name).to_owned())
            .never_forced(TABS)
            .advice("quit it as a person does, if it must be: a port that it drew for a connection passes by itself"),
    })
}
