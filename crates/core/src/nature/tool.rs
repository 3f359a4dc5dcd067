//! Daemons of build tools and SDKs: they have a stop command of their own, and come back with the
//! next build whether they were stopped or killed.

use super::subject::Subject;
use super::{Nature, NatureKind};
use crate::supervisor::{file_name, in_folder, part_of_path};
use crate::windows::path::is_whole;

/// A tool's daemon, by program, script or class.
pub(super) fn tool(subject: &Subject<'_>) -> Option<Nature> {
    adb(subject)
        .or_else(|| gradle(subject))
        .or_else(|| bazel(subject))
        .or_else(|| jupyter(subject))
        .or_else(|| node(subject))
        .or_else(|| emulator(subject))
        .or_else(|| simple(subject))
}

fn named(name: impl Into<String>) -> Nature {
    Nature::new(NatureKind::ToolDaemon, name)
}

/// `adb -L tcp:5037 fork-server server --reply-fd 4`.
fn adb(subject: &Subject<'_>) -> Option<Nature> {
    if subject.file != "adb" || !subject.has("server") {
        return None;
    }
    let port = subject.value("-L").and_then(|socket| socket.rsplit(':').next()).unwrap_or("5037");
    let port = port.parse::<u16>().unwrap_or(5037).to_string();
    let exe = subject.process.exe.as_deref().unwrap_or("adb");
    Some(
        named("adb server")
            .stop(subject.own_command(&[exe, "-P", &port, "kill-server"]))
            .advice("its devices are disconnected; whatever needs it starts it again"),
    )
}

/// `java … -cp DIST/lib/gradle-launcher-8.5.jar org.gradle.launcher.daemon.bootstrap.GradleDaemon 8.5`.
/// Its distribution has the `gradle` that knows how to stop it.
fn gradle(subject: &Subject<'_>) -> Option<Nature> {
    if subject.class == Some("org.jetbrains.kotlin.daemon.KotlinCompileDaemon") {
        return Some(named("Kotlin compile daemon").advice("the next build starts another"));
    }
    if subject.class == Some("worker.org.gradle.process.internal.worker.GradleWorkerMain") {
        return Some(named("Gradle worker").advice("the build or the tests that it runs fail"));
    }
    let main = subject.class == Some("org.gradle.launcher.daemon.bootstrap.GradleDaemon");
    if !main {
        return None;
    }
    let path = subject.value("-cp").or_else(|| subject.value("-classpath"));
    let first = path.and_then(|path| path.split(if is_whole(path) { ';' } else { ':' }).next());
    let home = first.and_then(|jar| Some(&jar[..part_of_path(jar, "/lib/")?]));
    let stop = home.and_then(|home| {
        let script = if is_whole(home) { "gradle.bat" } else { "gradle" };
        subject.own_command(&[&in_folder(home, &["bin", script])?, "--stop"])
    });
    let version =
        subject.arguments().last().filter(|v| v.starts_with(|c: char| c.is_ascii_digit()));
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    Some(named(format!("Gradle daemon{version}")).stop(stop).advice(
        "./gradlew --stop ends every daemon of this version, with the builds in them; an application that it runs is its child",
    ))
}

/// `bazel(NAME) … --workspace_directory=DIR`, a Java machine that calls itself so.
fn bazel(subject: &Subject<'_>) -> Option<Nature> {
    let called = subject.process.argv.first().map_or("", String::as_str);
    let server = subject.class.is_some_and(|jar| jar.ends_with("A-server.jar"))
        || (subject.file == "java" && called.starts_with("bazel("));
    server.then(|| match subject.value("--workspace_directory") {
        Some(place) => {
            named("Bazel server").advice(format!("bazel shutdown, run in {place}, ends it"))
        }
        None => named("Bazel server").advice("bazel shutdown, run in its workspace, ends it"),
    })
}

/// Jupyter's servers are Python scripts; each kernel is `python -m ipykernel_launcher`.
fn jupyter(subject: &Subject<'_>) -> Option<Nature> {
    let name = subject.script_name()?;
    if name == "ipykernel_launcher" || name == "ipykernel" {
        return Some(
            named("Jupyter kernel")
                .advice("the variables of its notebook are lost: restart the kernel in the notebook, or let it close what it opened"),
        );
    }
    let server = [
        "jupyter-lab",
        "jupyter-notebook",
        "jupyter-server",
        "jupyterlab",
        "notebook",
        "jupyter_server",
    ];
    let starts_one = || ["lab", "notebook", "server"].iter().any(|word| subject.has(word));
    if !(server.contains(&name) || (name == "jupyter" && starts_one())) {
        return None;
    }
    let ports = subject.ports();
    let folder = subject.script.and_then(|script| Some(&script[..part_of_path(script, "/")?]));
    let stop = match (ports.as_slice(), folder.and_then(|folder| in_folder(folder, &["jupyter"]))) {
        ([port], Some(jupyter)) => {
            subject.own_command(&[&jupyter, "server", "stop", &port.to_string()])
        }
        _ => None,
    };
    Some(
        named("Jupyter server")
            .stop(stop)
            .advice("the kernels of its notebooks end with it, with all that is in their memory"),
    )
}

/// Daemons that are scripts of Node.
fn node(subject: &Subject<'_>) -> Option<Nature> {
    if !subject.is(&["node", "nodejs", "bun"]) {
        return None;
    }
    let name = subject.script_name()?;
    let advice = |name: &str, advice: &str| Some(named(name).advice(advice));
    if subject.script_has("/nx/") && subject.script_has("/daemon/") {
        return advice("Nx daemon", "nx reset, run in its workspace, ends it");
    }
    if name == "tsserver" || name == "typingsInstaller" {
        return advice(
            "TypeScript's language server",
            "its editor starts it again; a port it holds came to it from a parent",
        );
    }
    if name == "firebase" && subject.has("emulators:start") {
        return advice(
            "Firebase emulators",
            "one Ctrl-C in its terminal ends all of them; their Java parts may stay",
        );
    }
    let metro = (name == "react-native" || name == "expo" || name == "cli") && subject.has("start");
    if name == "metro"
        || (metro && (subject.script_has("react-native") || subject.script_has("expo")))
    {
        return advice(
            "Metro, the bundler of React Native",
            "the application on the device loses its code server",
        );
    }
    if name == "azurite" {
        return advice("Azurite", "what it keeps in memory is lost with it");
    }
    None
}

/// Emulators of cloud services, Java programs that outlive the tool that started them.
fn emulator(subject: &Subject<'_>) -> Option<Nature> {
    let jar = file_name(subject.class?);
    const JARS: [(&str, &str); 9] = [
        ("cloud-firestore-emulator", "Firestore emulator"),
        ("firebase-database-emulator", "Firebase database emulator"),
        ("cloud-pubsub-emulator", "Pub/Sub emulator"),
        ("pubsub-emulator", "Pub/Sub emulator"),
        ("cloud-storage-rules-runtime", "Firebase storage rules"),
        ("cbtemulator", "Bigtable emulator"),
        ("CloudDatastore", "Datastore emulator"),
        ("DynamoDBLocal", "DynamoDB local"),
        ("selenium-server", "Selenium server"),
    ];
    let (_, name) = JARS.iter().find(|(start, _)| jar.starts_with(start))?;
    Some(named(*name).advice(match *name {
        "Selenium server" => "the browsers that it started may stay",
        _ => {
            "what it keeps in memory is lost with it; the tool that started it may be gone already"
        }
    }))
}

fn simple(subject: &Subject<'_>) -> Option<Nature> {
    let exe = subject.process.exe.as_deref().unwrap_or(subject.file);
    let own = |words: &[&str]| {
        let command: Vec<&str> = std::iter::once(exe).chain(words.iter().copied()).collect();
        subject.own_command(&command)
    };
    Some(match subject.file {
        "watchman" => {
            named("Watchman").stop(own(&["shutdown-server"])).advice("its clients start it again")
        }
        "sccache" if subject.ports().iter().all(|port| *port == 4226) => named("sccache server")
            .stop(own(&["--stop-server"]))
            .advice("the next compilation starts it again"),
        "sccache" => named("sccache server").advice("the next compilation starts it again"),
        "epmd" => named("Erlang's port mapper (epmd)")
            // It refuses while a node is registered (epmd(1)).
            .stop(subject.only_ports(&[4369]).then(|| own(&["-kill"])).flatten())
            .never_forced("Erlang nodes that run could no longer be found")
            .advice("epmd -kill ends it, and refuses while an Erlang node is up"),
        "ollama" if subject.has("serve") => {
            named("Ollama").advice("it is already serving: you need not start it again")
        }
        "ollama" if subject.has("runner") => named("Ollama's model runner")
            .advice("ollama stop MODEL unloads it; the server above it starts it again when asked"),
        "chromedriver" => named("ChromeDriver").advice("the browsers that it started may stay"),
        "geckodriver" => named("geckodriver").advice("the browsers that it started may stay"),
        "msedgedriver" => named("EdgeDriver").advice("the browsers that it started may stay"),
        "esbuild" if subject.arguments().iter().any(|word| word.starts_with("--service")) => {
            named("esbuild, a helper of a build tool").advice(match subject.parent() {
                Some(parent) if parent.id.pid != 1 => {
                    "a port it holds came to it from its parent: stop that"
                }
                _ => {
                    "a port it holds came to it from a parent that is gone: nothing is lost with it"
                }
            })
        }
        "buildkitd" => named("BuildKit").advice("builds that run fail, and start it again"),
        "turbo" if subject.has("daemon") => {
            named("Turborepo daemon").advice("turbo daemon stop, run in its repository, ends it")
        }
        "workerd" => named("workerd, the runtime of wrangler dev")
            .advice("wrangler starts it again while it lives: stop that"),
        "localstack" => named("LocalStack").advice("localstack stop ends it with its container"),
        _ => return spring(subject),
    })
}

/// Rails' preloader calls itself `spring server | app | started 3 mins ago`.
fn spring(subject: &Subject<'_>) -> Option<Nature> {
    let title = subject.title.filter(|_| subject.file.starts_with("ruby"))?;
    title.starts_with("spring ").then(|| {
        named("Spring, the preloader of Rails")
            .advice("bin/spring stop, run in its project, ends it")
    })
}
