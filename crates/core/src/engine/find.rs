//! Where engines serve their APIs: what the environment and docker's contexts say, then the usual
//! places. Paths only; whether somebody is there is found out by asking.

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
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// Users whose engines to ask as well.
    pub owners: Vec<u32>,
    /// Sockets known otherwise.
    pub known: Vec<String>,
}

/// The most contexts, and instances of Colima, that are looked at.
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
        for place in [
            ".docker/run/docker.sock",
            ".docker/desktop/docker.sock",
            ".orbstack/run/docker.sock",
            ".rd/docker.sock",
        ] {
            found.push(home.join(place));
        }
        let colima = listed(&home.join(".colima"));
        found.extend(colima.into_iter().take(MOST_ENTRIES).map(|it| it.join("docker.sock")));
    }
    found.retain(|path| path.is_absolute());
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    found
}

/// The path in `unix:///run/docker.sock`; `None` for engines of other machines (`tcp://`,
/// `ssh://`): their containers hold no port here.
pub(super) fn unix_path(host: &str) -> Option<PathBuf> {
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

/// The socket of docker's current context. Its folder is named after a hash of its name; the
/// name is in the file as well.
fn context_socket(
    places: &Places,
    listed: &dyn Fn(&Path) -> Vec<PathBuf>,
    read: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> Option<PathBuf> {
    let own = || places.home.as_ref().map(|home| home.join(".docker"));
    let config = places.docker_config.clone().or_else(own)?;
    let current = places.docker_context.clone();
    let current = current.or_else(|| current_context(&read(&config.join("config.json"))?))?;
    let contexts = listed(&config.join("contexts/meta"));
    contexts.iter().take(MOST_ENTRIES).find_map(|folder| {
        let (name, host) = docker_context(&read(&folder.join("meta.json"))?)?;
        (name == current).then(|| unix_path(&host))?
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
}
