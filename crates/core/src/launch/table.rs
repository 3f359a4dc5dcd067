//! The server programs that are known: a row each, from their documentation and, where
//! `docs/conflicts.md` says so, from trials. How rows are matched is in [`super::command`].

use std::net::{IpAddr, Ipv4Addr};

use super::program::{Add, Arguments, Called, Form, Moves, Program, Then, Way};
use crate::addr::AddressScope;

/// The row of an interpreter of the user's own programs, by its command's name.
pub(super) fn interpreter(name: &str) -> Option<&'static Program> {
    let name = match name {
        "nodejs" | "nodemon" | "tsx" | "ts-node" | "ts-node-dev" | "node-dev" => "node",
        other => other.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'),
    };
    PROGRAMS.iter().find(|program| program.is_interpreter && program.called.names.contains(&name))
}

const ANY: Option<AddressScope> = Some(AddressScope::Every);
const LOCALHOST: Option<AddressScope> = Some(AddressScope::Localhost);
const LOOPBACK: Option<AddressScope> = Some(AddressScope::One(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));

const URL: Form = Form::Url { before: "http://localhost:" };
const TCP_URL: Form = Form::Url { before: "tcp://0.0.0.0:" };

const fn option(names: &'static [&'static str]) -> Way {
    Way::Option { names, form: Form::Number, add: Add::Last }
}

const fn option_as(names: &'static [&'static str], form: Form, add: Add) -> Way {
    Way::Option { names, form, add }
}

const fn variable(name: &'static str) -> Way {
    Way::Variable { name, form: Form::Number, certain: true }
}

/// The variable that programs of that kind customarily read.
const CUSTOM: Way = Way::Variable { name: "PORT", form: Form::Number, certain: false };

/// What an unknown program is given if it says so itself, and the custom.
pub(super) const UNKNOWN: &[Way] = &[
    option_as(&["--port", "-port", "--http-port", "--server.port"], Form::Number, Add::No),
    option_as(
        &["--listen", "-listen", "--addr", "-addr", "--address", "--bind", "--http", "-http"],
        Form::Address { host: "" },
        Add::No,
    ),
    CUSTOM,
];

const fn all(takes_value: fn(&str) -> bool) -> Arguments {
    Arguments { until_word: false, takes_value }
}

const fn until_word(takes_value: fn(&str) -> bool) -> Arguments {
    Arguments { until_word: true, takes_value }
}

const fn called(names: &'static [&'static str], then: Then) -> Called {
    Called { names, then }
}

fn none(_: &str) -> bool {
    false
}

/// A row to start from: every field that a row does not name.
const PROGRAM: Program = Program {
    name: "",
    called: Called { names: &[], then: Then::Anything },
    default_port: None,
    default_address: None,
    ways: &[],
    moves: Moves::Never,
    takes_listen_fds: false,
    descriptor_arguments: &[],
    is_interpreter: false,
    arguments: Arguments { until_word: false, takes_value: none },
};

/// The server programs, the more particular row before the more general one of the same command.
pub(super) static PROGRAMS: &[Program] = &[
    // JavaScript: development servers.
    Program {
        name: "vite preview",
        called: called(&["vite"], Then::One(&["preview"])),
        default_port: Some(4173),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "vite",
        called: called(&["vite"], Then::Not(&["build", "optimize"])),
        default_port: Some(5173),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "next",
        called: called(&["next"], Then::One(&["dev", "start"])),
        default_port: Some(3000),
        default_address: ANY,
        ways: &[option(&["-p", "--port"]), variable("PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "next",
        called: called(
            &["next"],
            Then::Not(&["build", "export", "info", "lint", "telemetry", "typegen", "upgrade"]),
        ),
        default_port: Some(3000),
        default_address: ANY,
        ways: &[option(&["-p", "--port"]), variable("PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "nuxt",
        called: called(&["nuxt", "nuxi"], Then::One(&["dev", "preview", "start"])),
        default_port: Some(3000),
        default_address: LOCALHOST,
        ways: &[option(&["--port", "-p"]), variable("NUXT_PORT"), variable("PORT")],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "astro",
        called: called(&["astro"], Then::One(&["dev", "preview", "start"])),
        default_port: Some(4321),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "remix dev",
        called: called(&["remix", "react-router"], Then::One(&["vite:dev", "dev"])),
        default_port: Some(5173),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "remix-serve",
        called: called(&["remix-serve", "react-router-serve"], Then::Anything),
        default_port: Some(3000),
        default_address: ANY,
        ways: &[variable("PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "react-scripts",
        called: called(&["react-scripts", "craco", "react-app-rewired"], Then::One(&["start"])),
        default_port: Some(3000),
        default_address: ANY,
        ways: &[variable("PORT")],
        ..PROGRAM
    },
    Program {
        name: "webpack-dev-server",
        called: called(&["webpack-dev-server"], Then::Anything),
        default_port: Some(8080),
        default_address: LOCALHOST,
        ways: &[option(&["--port"]), variable("WEBPACK_DEV_SERVER_BASE_PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "webpack serve",
        called: called(
            &["webpack", "webpack-cli", "rspack"],
            Then::One(&["serve", "server", "s", "dev"]),
        ),
        default_port: Some(8080),
        default_address: LOCALHOST,
        ways: &[option(&["--port"]), variable("WEBPACK_DEV_SERVER_BASE_PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "parcel",
        called: called(&["parcel"], Then::Not(&["build", "watch", "help"])),
        default_port: Some(1234),
        default_address: ANY,
        ways: &[option(&["--port", "-p"]), variable("PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "ng serve",
        called: called(&["ng"], Then::One(&["serve", "s", "dev"])),
        default_port: Some(4200),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        ..PROGRAM
    },
    Program {
        name: "storybook",
        called: called(&["storybook", "start-storybook"], Then::Not(&["build", "init", "add"])),
        default_port: Some(6006),
        default_address: ANY,
        ways: &[option(&["--port", "-p"]), variable("SBCONFIG_PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "gatsby develop",
        called: called(&["gatsby"], Then::One(&["develop", "dev"])),
        default_port: Some(8000),
        default_address: LOCALHOST,
        ways: &[option(&["--port", "-p"]), variable("PORT")],
        ..PROGRAM
    },
    Program {
        name: "gatsby serve",
        called: called(&["gatsby"], Then::One(&["serve"])),
        default_port: Some(9000),
        default_address: LOCALHOST,
        ways: &[option(&["--port", "-p"]), variable("PORT")],
        ..PROGRAM
    },
    Program {
        name: "eleventy",
        called: called(&["eleventy"], Then::Option("--serve")),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[option_as(&["--port"], Form::Number, Add::LastJoined)],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "vue-cli-service serve",
        called: called(&["vue-cli-service"], Then::One(&["serve"])),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[option(&["--port"]), variable("PORT")],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "live-server",
        called: called(&["live-server"], Then::Anything),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[option_as(&["--port"], Form::Number, Add::LastJoined), variable("PORT")],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "http-server",
        called: called(&["http-server"], Then::Anything),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[option(&["-p", "--port"]), variable("PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "serve",
        called: called(&["serve"], Then::Anything),
        default_port: Some(3000),
        default_address: ANY,
        ways: &[
            option_as(&["-l", "--listen"], Form::Url { before: "" }, Add::Last),
            option(&["-p"]),
            variable("PORT"),
        ],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "json-server",
        called: called(&["json-server"], Then::Anything),
        default_port: Some(3000),
        default_address: LOCALHOST,
        ways: &[option(&["--port", "-p"]), variable("PORT")],
        ..PROGRAM
    },
    Program {
        name: "expo start",
        called: called(&["expo", "react-native"], Then::One(&["start"])),
        default_port: Some(8081),
        default_address: ANY,
        ways: &[option(&["--port", "-p"]), variable("RCT_METRO_PORT")],
        ..PROGRAM
    },
    Program {
        name: "wrangler dev",
        called: called(&["wrangler"], Then::One(&["dev", "pages dev"])),
        default_port: Some(8787),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "browser-sync",
        called: called(&["browser-sync"], Then::One(&["start"])),
        default_port: Some(3000),
        default_address: ANY,
        ways: &[option(&["--port"])],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "nodemon",
        called: called(&["nodemon"], Then::Anything),
        ways: &[CUSTOM],
        is_interpreter: true,
        ..PROGRAM
    },
    // JavaScript: runtimes.
    Program {
        name: "deno serve",
        called: called(&["deno"], Then::One(&["serve"])),
        default_port: Some(8000),
        default_address: ANY,
        ways: &[option_as(&["--port"], Form::Number, Add::First)],
        arguments: until_word(deno_takes_value),
        ..PROGRAM
    },
    Program {
        name: "node",
        called: called(&["node"], Then::Anything),
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    Program {
        name: "bun",
        called: called(&["bun"], Then::Anything),
        default_port: None,
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    Program {
        name: "deno",
        called: called(&["deno"], Then::Anything),
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    // Python.
    Program {
        name: "http.server",
        called: called(&["http.server", "SimpleHTTPServer"], Then::Anything),
        default_port: Some(8000),
        default_address: ANY,
        ways: &[Way::Word { index: 0, form: Form::Number, add: true }],
        arguments: all(http_server_takes_value),
        ..PROGRAM
    },
    Program {
        name: "flask",
        called: called(&["flask"], Then::One(&["run"])),
        default_port: Some(5000),
        default_address: LOOPBACK,
        ways: &[option(&["--port", "-p"]), variable("FLASK_RUN_PORT")],
        arguments: all(flask_takes_value),
        ..PROGRAM
    },
    Program {
        name: "django runserver",
        called: called(
            &["manage", "django-admin", "django"],
            Then::One(&["runserver", "runserver_plus"]),
        ),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[Way::Word { index: 0, form: Form::Address { host: "" }, add: true }],
        arguments: all(django_takes_value),
        ..PROGRAM
    },
    Program {
        name: "fastapi",
        called: called(&["fastapi"], Then::One(&["dev", "run"])),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[option(&["--port"]), variable("PORT")],
        ..PROGRAM
    },
    Program {
        name: "uvicorn",
        called: called(&["uvicorn"], Then::Anything),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[option(&["--port"]), variable("UVICORN_PORT")],
        descriptor_arguments: &["--fd", "3"],
        ..PROGRAM
    },
    Program {
        name: "gunicorn",
        called: called(&["gunicorn"], Then::Anything),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[
            option_as(&["--bind", "-b"], Form::Address { host: "127.0.0.1" }, Add::Last),
            variable("PORT"),
        ],
        takes_listen_fds: true,
        ..PROGRAM
    },
    Program {
        name: "hypercorn",
        called: called(&["hypercorn"], Then::Anything),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[option_as(&["--bind", "-b"], Form::Address { host: "127.0.0.1" }, Add::Last)],
        descriptor_arguments: &["--bind", "fd://3"],
        ..PROGRAM
    },
    Program {
        name: "daphne",
        called: called(&["daphne"], Then::Anything),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[option(&["-p", "--port"])],
        descriptor_arguments: &["--fd", "3"],
        ..PROGRAM
    },
    Program {
        name: "waitress-serve",
        called: called(&["waitress-serve", "waitress"], Then::Anything),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[
            option_as(&["--port"], Form::Number, Add::FirstJoined),
            option_as(&["--listen"], Form::Address { host: "*" }, Add::No),
        ],
        ..PROGRAM
    },
    Program {
        name: "streamlit",
        called: called(&["streamlit"], Then::One(&["run", "hello"])),
        default_port: Some(8501),
        default_address: ANY,
        ways: &[
            option_as(&["--server.port"], Form::Number, Add::First),
            variable("STREAMLIT_SERVER_PORT"),
        ],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "jupyter",
        called: called(
            &["jupyter", "jupyter-lab", "jupyter-notebook", "jupyter-server", "jupyterlab"],
            Then::Not(&["nbconvert", "kernelspec", "console", "execute", "troubleshoot"]),
        ),
        default_port: Some(8888),
        default_address: LOCALHOST,
        ways: &[
            option_as(
                &["--port", "--ServerApp.port", "--NotebookApp.port"],
                Form::Number,
                Add::LastJoined,
            ),
            variable("JUPYTER_PORT"),
        ],
        moves: Moves::Always,
        ..PROGRAM
    },
    Program {
        name: "mkdocs serve",
        called: called(&["mkdocs", "properdocs"], Then::One(&["serve"])),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[option_as(&["--dev-addr", "-a"], Form::Address { host: "127.0.0.1" }, Add::Last)],
        ..PROGRAM
    },
    Program {
        name: "gradio",
        called: called(&["gradio"], Then::Not(&["deploy", "cc", "environment", "sketch"])),
        default_port: Some(7860),
        default_address: LOOPBACK,
        ways: &[variable("GRADIO_SERVER_PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "tensorboard",
        called: called(&["tensorboard", "tensorboard.main"], Then::Not(&["dev"])),
        default_port: Some(6006),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "python",
        called: called(&["python", "pypy"], Then::Anything),
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    // Ruby.
    Program {
        name: "rails server",
        called: called(&["rails"], Then::One(&["server", "s"])),
        default_port: Some(3000),
        default_address: LOCALHOST,
        ways: &[option(&["-p", "--port"]), variable("PORT")],
        ..PROGRAM
    },
    Program {
        name: "puma",
        called: called(&["puma"], Then::Anything),
        default_port: Some(9292),
        default_address: ANY,
        ways: &[
            option(&["-p", "--port"]),
            option_as(&["-b", "--bind"], TCP_URL, Add::No),
            variable("PORT"),
        ],
        // Alone it closes a descriptor whose address it was not told to bind.
        descriptor_arguments: &["--bind-to-activated-sockets", "only"],
        ..PROGRAM
    },
    Program {
        name: "rackup",
        called: called(&["rackup"], Then::Anything),
        default_port: Some(9292),
        default_address: LOCALHOST,
        ways: &[option(&["-p", "--port"])],
        ..PROGRAM
    },
    Program {
        name: "jekyll serve",
        called: called(&["jekyll"], Then::One(&["serve", "s", "server"])),
        default_port: Some(4000),
        default_address: LOOPBACK,
        ways: &[option(&["-P", "--port"])],
        ..PROGRAM
    },
    Program {
        name: "middleman",
        called: called(&["middleman"], Then::One(&["server", "s"])),
        default_port: Some(4567),
        default_address: ANY,
        ways: &[option(&["-p", "--port"])],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "ruby -run -e httpd",
        called: called(&["un"], Then::Anything),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[option_as(&["-p", "--port"], Form::Number, Add::Last)],
        ..PROGRAM
    },
    Program {
        name: "ruby",
        called: called(&["ruby"], Then::Anything),
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    Program {
        name: "foreman start",
        called: called(&["foreman", "honcho", "hivemind", "overmind"], Then::One(&["start", "s"])),
        default_port: Some(5000),
        ways: &[option(&["-p", "--port"]), variable("PORT")],
        ..PROGRAM
    },
    // PHP.
    Program {
        name: "artisan serve",
        called: called(&["artisan"], Then::One(&["serve"])),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[option_as(&["--port"], Form::Number, Add::LastJoined), variable("SERVER_PORT")],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "symfony serve",
        called: called(&["symfony"], Then::One(&["serve", "server:start", "local:server:start"])),
        default_port: Some(8000),
        default_address: LOOPBACK,
        ways: &[option_as(&["--port", "-p"], Form::Number, Add::LastJoined)],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "php -S",
        called: called(&["php"], Then::Option("-S")),
        ways: &[option_as(&["-S"], Form::Address { host: "localhost" }, Add::No)],
        arguments: until_word(php_takes_value),
        ..PROGRAM
    },
    Program {
        name: "php",
        called: called(&["php"], Then::Anything),
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    // Go.
    Program {
        name: "hugo server",
        called: called(&["hugo"], Then::One(&["server", "serve"])),
        default_port: Some(1313),
        default_address: LOOPBACK,
        ways: &[option(&["-p", "--port"])],
        moves: Moves::FromDefault,
        ..PROGRAM
    },
    Program {
        name: "caddy file-server",
        called: called(&["caddy"], Then::One(&["file-server", "respond"])),
        default_port: Some(80),
        default_address: ANY,
        ways: &[option_as(&["--listen", "-l"], Form::Address { host: "" }, Add::Last)],
        ..PROGRAM
    },
    Program {
        name: "caddy reverse-proxy",
        called: called(&["caddy"], Then::One(&["reverse-proxy"])),
        default_port: Some(443),
        default_address: ANY,
        ways: &[option_as(&["--from", "-f"], Form::Address { host: "" }, Add::Last)],
        ..PROGRAM
    },
    Program {
        name: "go run",
        called: called(&["go"], Then::One(&["run"])),
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    Program {
        name: "air",
        called: called(&["air"], Then::Not(&["init"])),
        ways: &[CUSTOM],
        is_interpreter: true,
        ..PROGRAM
    },
    Program {
        name: "http-echo",
        called: called(&["http-echo"], Then::Anything),
        default_port: Some(5678),
        default_address: ANY,
        ways: &[option_as(&["-listen", "--listen"], Form::Address { host: "" }, Add::LastJoined)],
        ..PROGRAM
    },
    // Rust, Elixir, Java, .NET.
    Program {
        name: "cargo run",
        called: called(&["cargo"], Then::One(&["run", "r"])),
        ways: UNKNOWN,
        is_interpreter: true,
        ..PROGRAM
    },
    Program {
        name: "trunk serve",
        called: called(&["trunk"], Then::One(&["serve"])),
        default_port: Some(8080),
        default_address: LOCALHOST,
        ways: &[option(&["-p", "--port"]), variable("TRUNK_SERVE_PORT")],
        ..PROGRAM
    },
    Program {
        name: "mdbook serve",
        called: called(&["mdbook"], Then::One(&["serve"])),
        default_port: Some(3000),
        default_address: LOCALHOST,
        ways: &[option(&["-p", "--port"])],
        ..PROGRAM
    },
    Program {
        name: "mix phx.server",
        called: called(&["mix"], Then::One(&["phx.server"])),
        default_port: Some(4000),
        default_address: LOOPBACK,
        // Written by the generator into config/runtime.exs, so the project may have changed it.
        ways: &[CUSTOM],
        ..PROGRAM
    },
    Program {
        name: "spring-boot:run",
        called: called(&["mvn", "mvnw"], Then::One(&["spring-boot:run"])),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[
            option_as(
                &["-Dspring-boot.run.arguments=--server.port", "-Dserver.port"],
                Form::Number,
                Add::No,
            ),
            variable("SERVER_PORT"),
        ],
        ..PROGRAM
    },
    Program {
        name: "bootRun",
        called: called(&["gradle", "gradlew"], Then::One(&["bootRun", ":bootRun"])),
        default_port: Some(8080),
        default_address: ANY,
        ways: &[
            option_as(&["--args=--server.port"], Form::Number, Add::No),
            variable("SERVER_PORT"),
        ],
        ..PROGRAM
    },
    Program {
        name: "quarkus dev",
        called: called(
            &["mvn", "mvnw", "gradle", "gradlew"],
            Then::One(&["quarkus:dev", "quarkusDev", "compile quarkus:dev"]),
        ),
        default_port: Some(8080),
        default_address: LOCALHOST,
        ways: &[
            option_as(&["-Dquarkus.http.port"], Form::Number, Add::LastJoined),
            variable("QUARKUS_HTTP_PORT"),
        ],
        ..PROGRAM
    },
    Program {
        name: "quarkus dev",
        called: called(&["quarkus"], Then::One(&["dev"])),
        default_port: Some(8080),
        default_address: LOCALHOST,
        ways: &[
            option_as(&["-Dquarkus.http.port"], Form::Number, Add::LastJoined),
            variable("QUARKUS_HTTP_PORT"),
        ],
        ..PROGRAM
    },
    Program {
        name: "java",
        called: called(&["java"], Then::Anything),
        ways: &[
            option_as(
                &[
                    "--server.port",
                    "-Dserver.port",
                    "-Dquarkus.http.port",
                    "-Dmicronaut.server.port",
                ],
                Form::Number,
                Add::No,
            ),
            Way::Variable { name: "SERVER_PORT", form: Form::Number, certain: false },
            CUSTOM,
        ],
        is_interpreter: true,
        ..PROGRAM
    },
    Program {
        name: "dotnet run",
        called: called(&["dotnet"], Then::One(&["run", "watch run", "watch"])),
        default_port: Some(5000),
        default_address: LOCALHOST,
        ways: &[
            option_as(&["--urls"], URL, Add::LastJoined),
            Way::Variable { name: "ASPNETCORE_URLS", form: URL, certain: true },
            variable("ASPNETCORE_HTTP_PORTS"),
        ],
        ..PROGRAM
    },
    // Containers and tunnels.
    Program {
        name: "docker run",
        called: called(
            &["docker", "podman", "nerdctl"],
            Then::One(&["run", "create", "container run", "container create"]),
        ),
        default_address: ANY,
        ways: &[option_as(&["-p", "--publish"], Form::Publish, Add::No)],
        arguments: until_word(docker_takes_value),
        ..PROGRAM
    },
    Program {
        name: "kubectl port-forward",
        called: called(
            &["kubectl", "oc", "k3s"],
            Then::One(&["port-forward", "kubectl port-forward"]),
        ),
        default_address: LOCALHOST,
        ways: &[Way::Word { index: 1, form: Form::Forward, add: false }],
        arguments: all(kubectl_takes_value),
        ..PROGRAM
    },
    Program {
        name: "kubectl proxy",
        called: called(&["kubectl", "oc"], Then::One(&["proxy"])),
        default_port: Some(8001),
        default_address: LOOPBACK,
        ways: &[option(&["--port", "-p"])],
        ..PROGRAM
    },
    Program {
        name: "ssh -L",
        called: called(&["ssh", "autossh"], Then::Anything),
        default_address: LOCALHOST,
        ways: &[
            option_as(&["-L"], Form::Tunnel, Add::No),
            option_as(&["-D"], Form::Address { host: "" }, Add::No),
        ],
        arguments: all(ssh_takes_value),
        ..PROGRAM
    },
    Program {
        name: "socat",
        called: called(&["socat"], Then::Anything),
        default_address: ANY,
        ways: &[Way::Word { index: 0, form: Form::Socat, add: false }],
        arguments: all(socat_takes_value),
        ..PROGRAM
    },
    // Databases, caches, servers that are usually services.
    Program {
        name: "redis-server",
        called: called(&["redis-server", "valkey-server"], Then::Anything),
        default_port: Some(6379),
        default_address: LOCALHOST,
        ways: &[option(&["--port"])],
        ..PROGRAM
    },
    Program {
        name: "postgres",
        called: called(&["postgres", "postmaster"], Then::Anything),
        default_port: Some(5432),
        default_address: LOCALHOST,
        ways: &[option(&["-p"]), option_as(&["--port"], Form::Number, Add::No), variable("PGPORT")],
        arguments: all(postgres_takes_value),
        ..PROGRAM
    },
    Program {
        name: "pg_ctl",
        called: called(&["pg_ctl"], Then::One(&["start", "restart"])),
        default_port: Some(5432),
        default_address: LOCALHOST,
        ways: &[option_as(&["-o", "--options"], Form::Options, Add::Last), variable("PGPORT")],
        arguments: all(pg_ctl_takes_value),
        ..PROGRAM
    },
    Program {
        name: "mysqld",
        called: called(&["mysqld", "mariadbd", "mysqld_safe", "mariadbd-safe"], Then::Anything),
        default_port: Some(3306),
        default_address: ANY,
        ways: &[
            option_as(&["--port", "-P"], Form::Number, Add::LastJoined),
            variable("MYSQL_TCP_PORT"),
        ],
        ..PROGRAM
    },
    Program {
        name: "mongod",
        called: called(&["mongod"], Then::Anything),
        default_port: Some(27017),
        default_address: LOOPBACK,
        ways: &[option(&["--port"])],
        ..PROGRAM
    },
    Program {
        name: "memcached",
        called: called(&["memcached"], Then::Anything),
        default_port: Some(11211),
        default_address: ANY,
        ways: &[option(&["-p", "--port"])],
        ..PROGRAM
    },
    Program {
        name: "busybox httpd",
        called: called(&["busybox"], Then::One(&["httpd"])),
        default_port: Some(80),
        default_address: ANY,
        ways: &[option_as(&["-p"], Form::Address { host: "" }, Add::Last)],
        ..PROGRAM
    },
    Program {
        name: "nginx",
        called: called(&["nginx"], Then::Anything),
        // The port is in its configuration alone.
        default_port: None,
        default_address: ANY,
        ..PROGRAM
    },
];

fn deno_takes_value(option: &str) -> bool {
    matches!(option, "-c" | "--config" | "--import-map" | "--port" | "--host" | "--cert")
}

fn http_server_takes_value(option: &str) -> bool {
    matches!(
        option,
        "-b" | "--bind" | "-d" | "--directory" | "-p" | "--protocol" | "--tls-cert" | "--tls-key"
    )
}

fn flask_takes_value(option: &str) -> bool {
    matches!(option, "-A" | "--app" | "-e" | "--env-file" | "-h" | "--host")
}

fn pg_ctl_takes_value(option: &str) -> bool {
    matches!(
        option,
        "-D" | "--pgdata" | "-l" | "--log" | "-m" | "--mode" | "-t" | "--timeout" | "-o" | "-p"
    )
}

fn django_takes_value(option: &str) -> bool {
    matches!(option, "--settings" | "--pythonpath" | "-v" | "--verbosity")
}

fn php_takes_value(option: &str) -> bool {
    matches!(option, "-S" | "-t" | "-c" | "-d" | "-z")
}

/// All do, but for these and `--name=value` (docker-run(1)).
fn docker_takes_value(option: &str) -> bool {
    let switches = [
        "--detach",
        "--disable-content-trust",
        "--init",
        "--interactive",
        "--no-healthcheck",
        "--oom-kill-disable",
        "--privileged",
        "--publish-all",
        "--quiet",
        "--read-only",
        "--rm",
        "--sig-proxy",
        "--tty",
        "--replace",
        "--help",
        "--debug",
        "-D",
        "--tls",
        "--tlsverify",
    ];
    let cluster = option.strip_prefix('-').is_some_and(|letters| {
        !letters.is_empty() && letters.bytes().all(|letter| b"dPitq".contains(&letter))
    });
    !cluster && !switches.contains(&option) && !option.contains('=')
}

fn kubectl_takes_value(option: &str) -> bool {
    matches!(
        option,
        "-n" | "--namespace"
            | "--address"
            | "--context"
            | "--kubeconfig"
            | "--cluster"
            | "--user"
            | "-s"
            | "--server"
            | "--pod-running-timeout"
            | "-v"
            | "--as"
    )
}

fn ssh_takes_value(option: &str) -> bool {
    option.len() == 2 && option[1..].contains(|c| "BbcDEeFIiJLlmOoPpQRSWw".contains(c))
}

fn socat_takes_value(option: &str) -> bool {
    matches!(option, "-b" | "-t" | "-T" | "-lf" | "-lp" | "-L" | "-W" | "-r" | "-R")
}

fn postgres_takes_value(option: &str) -> bool {
    option.len() == 2 && option[1..].contains(|c| "BcdDfhkNpStvW".contains(c))
}
