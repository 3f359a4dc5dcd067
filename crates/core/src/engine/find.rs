//! Where engines serve their APIs, unix sockets and pipes of Windows: what the environment and docker's
//! contexts say, then the usual places. Names only; whether somebody is there is found out by asking.

use std::path::{Path, PathBuf};

use super::decode::{current_context, docker_context};

/// The environment that says where to look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`.
    pub docker_config: Option<PathBuf>,
    /// `CONTAINER_HOST`, podman's.
    pub container_host: Option<String>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Homes of other users whose virtual machines may be meant.
    pub other_homes: Vec<PathBuf>,
    /// `TMPDIR` where virtual machines of podman keep their sockets there, as on a Mac.
    pub temporary: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// Users whose engines to ask as well.
    pub owners: Vec<u32>,
    /// Sockets known otherwise.
    pub known: Vec<String>,
}

/// The most contexts, and virtual machines of one sort, that are looked at.
const MOST_ENTRIES: usize = 64;

/// The socket files that may be an engine's, the likeliest first. `listed` tells a folder's
/// entries, `read` a small file's bytes.
pub(crate) fn sockets(
    places: &Places,
    listed: &dyn Fn(&Path) -> Vec<PathBuf>,
    read: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let hosts = [&places.docker_host, &places.container_host];
    found.extend(hosts.into_iter().flatten().filter_map(|host| unix_path(host)));
    found.extend(places.known.iter().map(PathBuf::from));
    if places.docker_host.is_none() {
        found.extend(context_socket(places, listed, read));
    }
    found.extend(
        ["/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from),
    );
    let own = places.runtime.iter().cloned();
    let others = places.owners.iter().map(|uid| PathBuf::from(format!("/run/user/{uid}")));
    for runtime in own.chain(others) {
        found.push(runtime.join("docker.sock"));
        found.push(runtime.join("podman/podman.sock"));
    }
    if let Some(home) = &places.home {
        found.extend(home_sockets(home, listed));
    }
    found.extend(machine_sockets(places, listed));
    found.retain(|path| path.is_absolute());
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    found
}

/// Those of virtual machines that Linux has too.
fn home_sockets(home: &Path, listed: &dyn Fn(&Path) -> Vec<PathBuf>) -> Vec<PathBuf> {
    const PLACES: [&str; 4] = [
        ".docker/run/docker.sock",
        ".docker/desktop/docker.sock",
        ".orbstack/run/docker.sock",
        ".rd/docker.sock",
    ];
    let mut found: Vec<PathBuf> = PLACES.map(|place| home.join(place)).to_vec();
    found.extend(below(&home.join(".colima"), "docker.sock", listed));
    found
}

/// Those that only a Mac is asked for: of other users' homes, and of machines that hardly anybody has
/// elsewhere.
fn machine_sockets(places: &Places, listed: &dyn Fn(&Path) -> Vec<PathBuf>) -> Vec<PathBuf> {
    let Some(temporary) = &places.temporary else { return Vec::new() };
    let mut found = Vec::new();
    for home in &places.other_homes {
        found.extend(home_sockets(home, listed));
    }
    for home in places.home.iter().chain(&places.other_homes) {
        found.extend(below(&home.join(".config/colima"), "docker.sock", listed));
        found.extend(below(&home.join(".lima"), "sock/docker.sock", listed));
        let podman = home.join(".local/share/containers/podman/machine");
        found.push(podman.join("podman.sock"));
        found.extend(below(&podman, "podman.sock", listed));
    }
    let podman = listed(&temporary.join("podman")).into_iter().take(MOST_ENTRIES);
    let serves = |path: &PathBuf| path.to_string_lossy().ends_with("-api.sock");
    found.extend(podman.filter(serves));
    found
}

/// A file of each folder in a folder.
fn below<'a>(
    folder: &Path,
    file: &'a str,
    listed: &dyn Fn(&Path) -> Vec<PathBuf>,
) -> impl Iterator<Item = PathBuf> + use<'a> {
    listed(folder).into_iter().take(MOST_ENTRIES).map(move |entry| entry.join(file))
}

/// What every pipe's name begins with.
const PIPES: &str = r"\\.\pipe\";

/// The pipe of Windows that docker's command goes to; `None` where that is another machine's engine.
pub(crate) fn docker_pipe(
    places: &Places,
    listed: &dyn Fn(&Path) -> Vec<PathBuf>,
    read: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> Option<String> {
    let told = places.docker_host.clone().or_else(|| context_host(places, listed, read));
    told.map_or_else(|| Some(format!("{PIPES}docker_engine")), |host| pipe_path(&host))
}

/// The pipes of Windows that may be an engine's, the likeliest first. `docker` is where docker's
/// command goes, `there` are the names of those that exist.
pub(crate) fn pipes(places: &Places, docker: Option<&str>, there: &[String]) -> Vec<String> {
    let mut found: Vec<String> = docker.map(str::to_owned).into_iter().collect();
    found.extend(places.container_host.as_deref().and_then(pipe_path));
    let usual = ["docker_engine", "dockerDesktopLinuxEngine", "dockerDesktopWindowsEngine"];
    let podman = there.iter().map(String::as_str).filter(|name| name.starts_with("podman-"));
    let names = usual.into_iter().chain(podman.take(MOST_ENTRIES));
    found.extend(names.map(|name| format!("{PIPES}{name}")));
    let mut seen = std::collections::HashSet::new();
    // The system takes their names in any case.
    found.retain(|path| seen.insert(path.to_ascii_lowercase()));
    found
}

/// The pipe in `npipe:////./pipe/docker_engine`; `None` for any of another machine, and for what no
/// pipe is called.
fn pipe_path(host: &str) -> Option<String> {
    let name = host.strip_prefix("npipe://").map(|rest| rest.replace('/', "\\"))?;
    let name = name.strip_prefix(PIPES)?.to_owned();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    (!name.is_empty() && name.chars().all(plain)).then(|| format!("{PIPES}{name}"))
}

/// A pipe as engines' commands take it.
pub(crate) fn pipe_address(path: &str) -> String {
    format!("npipe://{}", path.replace('\\', "/"))
}

/// The path in `unix:///run/docker.sock`; `None` for engines of other machines (`tcp://`,
/// `ssh://`): their containers hold no port here.
pub(crate) fn unix_path(host: &str) -> Option<PathBuf> {
    host.strip_prefix("unix://").filter(|path| path.starts_with('/')).map(PathBuf::from)
}

/// Whether docker's command goes to a context of its own rather than to the usual socket.
pub(crate) fn has_context(
    places: &Places,
    listed: &dyn Fn(&Path) -> Vec<PathBuf>,
    read: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> bool {
    context_socket(places, listed, read).is_some()
}

/// The socket of docker's current context.
pub(crate) fn context_socket(
    places: &Places,
    listed: &dyn Fn(&Path) -> Vec<PathBuf>,
    read: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> Option<PathBuf> {
    context_host(places, listed, read).and_then(|host| unix_path(&host))
}

/// The endpoint of docker's current context. Its folder is named after a hash of its name; the
/// name is in the file as well.
fn context_host(
    places: &Places,
    listed: &dyn Fn(&Path) -> Vec<PathBuf>,
    read: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> Option<String> {
    let own = || places.home.as_ref().map(|home| home.join(".docker"));
    let config = places.docker_config.clone().or_else(own)?;
    let current = places.docker_context.clone();
    let current = current.or_else(|| current_context(&read(&config.join("config.json"))?))?;
    let contexts = listed(&config.join("contexts/meta"));
    contexts.iter().take(MOST_ENTRIES).find_map(|folder| {
        let (name, host) = docker_context(&read(&folder.join("meta.json"))?)?;
        (name == current).then_some(host)
    })
}

// Engines are asked by unix sockets, whose paths these are about.
#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn none(_: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn paths(places: &Places) -> Vec<String> {
        let found = sockets(places, &none, &|_| None);
        found.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_environment_comes_first_and_other_machines_never() {
        let places = Places {
            docker_host: Some("unix:///tmp/d.sock".to_owned()),
            container_host: Some("ssh://root@build1/run/podman.sock".to_owned()),
            runtime: Some("/run/user/1000".into()),
            owners: vec![1001],
            ..Places::default()
        };
        assert_eq!(
            paths(&places),
            [
                "/tmp/d.sock",
                "/run/docker.sock",
                "/var/run/docker.sock",
                "/run/podman/podman.sock",
                "/run/user/1000/docker.sock",
                "/run/user/1000/podman/podman.sock",
                "/run/user/1001/docker.sock",
                "/run/user/1001/podman/podman.sock",
            ]
        );
        let far = Places { docker_host: Some("tcp://10.0.0.1:2375".to_owned()), ..places };
        assert!(!paths(&far).iter().any(|path| path.contains("10.0.0.1")));
        for odd in ["unix://relative.sock", "unix://", "/run/x.sock", "npipe:////./pipe/x"] {
            assert_eq!(unix_path(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_context_is_found_by_the_name_in_its_file() {
        let files = |path: &Path| -> Option<Vec<u8>> {
            let text = match path.to_str()? {
                "/home/me/.docker/config.json" => r#"{"currentContext":"colima"}"#,
                "/home/me/.docker/contexts/meta/aa/meta.json" => {
                    r#"{"Name":"far","Endpoints":{"docker":{"Host":"ssh://x"}}}"#
                }
                "/home/me/.docker/contexts/meta/bb/meta.json" => {
                    r#"{"Name":"colima","Endpoints":{"docker":{"Host":"unix:///home/me/c.sock"}}}"#
                }
                _ => return None,
            };
            Some(text.as_bytes().to_vec())
        };
        let folders = |path: &Path| -> Vec<PathBuf> {
            match path.ends_with("meta") {
                true => ["aa", "bb"].iter().map(|name| path.join(name)).collect(),
                false => Vec::new(),
            }
        };
        let mut places = Places { home: Some("/home/me".into()), ..Places::default() };
        let found = sockets(&places, &folders, &files);
        assert_eq!(found[0], Path::new("/home/me/c.sock"));
        // The environment's word for the context counts before the file's, and a host before both.
        places.docker_context = Some("far".to_owned());
        assert_eq!(sockets(&places, &folders, &files)[0], Path::new("/run/docker.sock"));
        places.docker_context = None;
        places.docker_host = Some("unix:///tmp/d.sock".to_owned());
        assert_eq!(sockets(&places, &folders, &files)[0], Path::new("/tmp/d.sock"));
        assert!(!sockets(&places, &folders, &files).iter().any(|path| path.ends_with("c.sock")));
    }

    #[test]
    fn a_mac_is_asked_for_the_machines_of_everybody_concerned() {
        let folders = |path: &Path| -> Vec<PathBuf> {
            let names: &[&str] = match path.to_str() {
                Some("/Users/me/.colima") => &["default", "work"],
                Some("/Users/you/.lima") => &["dev"],
                Some("/T/podman") => &["podman.log", "podman-machine-default-api.sock"],
                _ => &[],
            };
            names.iter().map(|name| path.join(name)).collect()
        };
        let mut places = Places {
            home: Some("/Users/me".into()),
            other_homes: vec!["/Users/you".into()],
            temporary: Some("/T".into()),
            ..Places::default()
        };
        let found = |places: &Places| -> Vec<String> {
            let paths = sockets(places, &folders, &|_| None);
            paths.iter().map(|path| path.display().to_string()).collect()
        };
        let mac = found(&places);
        for path in [
            "/var/run/docker.sock",
            "/Users/me/.docker/run/docker.sock",
            "/Users/me/.colima/work/docker.sock",
            "/Users/you/.orbstack/run/docker.sock",
            "/Users/you/.lima/dev/sock/docker.sock",
            "/Users/me/.local/share/containers/podman/machine/podman.sock",
            "/T/podman/podman-machine-default-api.sock",
        ] {
            assert!(mac.iter().any(|found| found == path), "{path}");
        }
        places.temporary = None;
        assert!(!found(&places).iter().any(|path| path.contains("/.lima/")));
    }
}

#[cfg(test)]
mod pipe_tests {
    use super::*;

    fn pipes_of(places: &Places, there: &[&str]) -> (Option<String>, Vec<String>) {
        let there: Vec<String> = there.iter().map(|&name| name.to_owned()).collect();
        let docker = docker_pipe(places, &|_| Vec::new(), &|_| None);
        (docker.clone(), pipes(places, docker.as_deref(), &there))
    }

    #[test]
    fn pipes_come_in_the_order_of_dockers_own_command() {
        let there = ["lsass", "podman-machine-default", "podman-x"];
        let (docker, found) = pipes_of(&Places::default(), &there);
        assert_eq!(docker.as_deref(), Some(r"\\.\pipe\docker_engine"));
        assert_eq!(
            found,
            [
                r"\\.\pipe\docker_engine",
                r"\\.\pipe\dockerDesktopLinuxEngine",
                r"\\.\pipe\dockerDesktopWindowsEngine",
                r"\\.\pipe\podman-machine-default",
                r"\\.\pipe\podman-x",
            ]
        );
        let host = |host: &str| Places { docker_host: Some(host.to_owned()), ..Places::default() };
        let (_, own) = pipes_of(&host("npipe:////./pipe/dockerdesktoplinuxengine"), &[]);
        let first = [r"\\.\pipe\dockerdesktoplinuxengine", r"\\.\pipe\docker_engine"];
        assert_eq!((&own[..2], own.len()), (&first.map(str::to_owned)[..], 3));
        for far in [
            "tcp://10.0.0.1:2375",
            "npipe:////build1/pipe/docker_engine",
            "npipe://",
            "npipe:////./pipe/a/b",
            "unix:///run/docker.sock",
        ] {
            let (docker, found) = pipes_of(&host(far), &[]);
            assert_eq!((docker, found.len()), (None, 3), "{far}");
        }
    }

    #[test]
    fn a_pipe_is_told_as_commands_take_it() {
        let path = pipe_path("npipe:////./pipe/docker_engine").unwrap();
        assert_eq!(path, r"\\.\pipe\docker_engine");
        assert_eq!(pipe_address(&path), "npipe:////./pipe/docker_engine");
    }
}
