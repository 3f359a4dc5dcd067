//! The virtual machines that containers run in on a Mac and on Windows: which program outside carries
//! the ports of one, and which engine answers for it. Names and places alone; nobody is asked.

use crate::process::Process;
use crate::supervisor::Program;
use crate::windows;

/// A virtual machine with an engine in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Docker Desktop's.
    DockerDesktop,
    /// OrbStack's.
    OrbStack,
    /// Rancher Desktop's.
    RancherDesktop,
    /// Podman's, of whatever name: only one runs at a time, but on Linux.
    Podman,
    /// Colima's, by the name that Lima has for it: `colima`, `colima-work`.
    Colima(String),
    /// Lima's, by its name.
    Lima(String),
}

/// The machine that an engine's socket or pipe leads into; `None` where the place does not tell.
pub(crate) fn serving(place: &str) -> Option<Machine> {
    if let Some(pipe) = place.strip_prefix(r"\\.\pipe\").map(str::to_ascii_lowercase) {
        let desktop = pipe.starts_with("dockerdesktop");
        let podman = || pipe.starts_with("podman-").then_some(Machine::Podman);
        return desktop.then_some(Machine::DockerDesktop).or_else(podman);
    }
    if place.contains("/.docker/run/") || place.contains("/.docker/desktop/") {
        return Some(Machine::DockerDesktop);
    }
    if place.contains("/.orbstack/") {
        return Some(Machine::OrbStack);
    }
    if place.contains("/.rd/") {
        return Some(Machine::RancherDesktop);
    }
    if let Some(profile) = after(place, "/.colima/").or_else(|| after(place, "/colima/")) {
        return Some(Machine::Colima(match profile {
            "default" => "colima".to_owned(),
            profile => format!("colima-{profile}"),
        }));
    }
    if let Some(name) = after(place, "/.lima/") {
        return Some(Machine::Lima(name.to_owned()));
    }
    // Made by `podman machine`, never by a podman of this system.
    let podman = place.contains("/podman/machine/")
        || (place.contains("/podman/") && place.ends_with("-api.sock"));
    podman.then_some(Machine::Podman)
}

/// The machine whose ports a process carries; `None` for one that carries none, or does not tell for
/// which.
pub(crate) fn behind(process: &Process) -> Option<Machine> {
    let file = Program::of(process).file;
    match file {
        "com.docker.backend" | "com.docker.vpnkit" | "vpnkit" => Some(Machine::DockerDesktop),
        "OrbStack Helper" | "OrbStack" => Some(Machine::OrbStack),
        "gvproxy" => Some(Machine::Podman),
        "host-switch" => Some(Machine::RancherDesktop),
        // Rancher Desktop names its own after a release of macOS.
        _ if file == "ssh" || file.split('.').next() == Some("limactl") => lima(process),
        _ => None,
    }
}

/// Whether a process carries ports out of a machine in which there may be more than containers: that
/// one of them is a container's, an engine has to say.
pub(crate) fn may_carry(process: &Process) -> bool {
    windows::is_wsl(process)
        || matches!(
            behind(process),
            Some(Machine::Lima(_) | Machine::RancherDesktop | Machine::Podman)
        )
}

/// Whether an engine of this place may have the container that a process carries a port for.
pub(super) fn is_of(process: &Process, place: &str) -> bool {
    match (behind(process), serving(place)) {
        (Some(carried), Some(served)) => carried == served,
        // docker-proxy, a relay of WSL, a socket in a place of somebody's own.
        _ => true,
    }
}

/// The engines' sockets that the arguments of a machine's process tell of.
pub(crate) fn told_sockets(process: &Process) -> Vec<String> {
    match behind(process) {
        Some(Machine::Podman) => {
            let forwards = process
                .argv
                .windows(2)
                .filter(|pair| matches!(pair[0].as_str(), "-forward-sock" | "--forward-sock"));
            let told = forwards.map(|pair| pair[1].trim_start_matches("unix://").to_owned());
            told.filter(|path| path.starts_with('/')).collect()
        }
        Some(Machine::Lima(name)) => {
            let folder = process.argv.iter().find_map(|word| {
                let start = word.find("/.lima/")?;
                // `ControlPath="/Users/me/.lima/…"`, `ssh: /Users/me/.lima/… [mux]`.
                let path = &word[..start];
                path.find('/').map(|first| path[first..].to_owned())
            });
            folder.map(|home| format!("{home}/.lima/{name}/sock/docker.sock")).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The machine in whose folder Lima keeps what this `ssh` or `limactl` works with. Colima starts an ssh
/// for forwards alone too; of Lima's, who only logs in or has a tunnel of their own is none of it.
fn lima(process: &Process) -> Option<Machine> {
    let agent = Program::of(process).file != "ssh";
    process.argv.iter().find_map(|word| {
        let colima = after(word, "/.colima/_lima/").or_else(|| after(word, "/colima/_lima/"));
        if let Some(name) = colima {
            return Some(Machine::Colima(name.to_owned()));
        }
        let carries = agent || word.ends_with("/ssh.sock [mux]");
        match after(word, "/rancher-desktop/lima/") {
            Some(_) => carries.then_some(Machine::RancherDesktop),
            None => {
                let name = after(word, "/.lima/").filter(|_| carries)?;
                Some(Machine::Lima(name.to_owned()))
            }
        }
    })
}

/// The part of a path after those: of `/.lima/` the `dev` in `/Users/me/.lima/dev/ssh.sock`.
fn after<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let (_, rest) = path.split_once(folder)?;
    let (part, _) = rest.split_once('/')?;
    // It goes into commands: never an option.
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (!part.starts_with(['-', '_', '.']) && part.chars().all(plain) && !part.is_empty())
        .then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessId;

    fn process(exe: &str, line: &[&str]) -> Process {
        Process {
            exe: Some(exe.to_owned()),
            argv: line.iter().map(|&word| word.to_owned()).collect(),
            ..Process::unread(ProcessId { pid: 9, start: 1 })
        }
    }

    #[test]
    fn places_tell_whose_machine_they_lead_into() {
        let lima = |name: &str| Some(Machine::Lima(name.to_owned()));
        let colima = |name: &str| Some(Machine::Colima(name.to_owned()));
        for (place, want) in [
            ("/Users/me/.docker/run/docker.sock", Some(Machine::DockerDesktop)),
            ("/home/me/.docker/desktop/docker.sock", Some(Machine::DockerDesktop)),
            ("/Users/me/.orbstack/run/docker.sock", Some(Machine::OrbStack)),
            ("/Users/me/.rd/docker.sock", Some(Machine::RancherDesktop)),
            ("/Users/me/.colima/default/docker.sock", colima("colima")),
            ("/Users/me/.colima/work/docker.sock", colima("colima-work")),
            ("/Users/me/.config/colima/work/docker.sock", colima("colima-work")),
            ("/Users/me/.lima/dev/sock/docker.sock", lima("dev")),
            (
                "/Users/me/.local/share/containers/podman/machine/qemu/podman.sock",
                Some(Machine::Podman),
            ),
            ("/var/folders/x/T/podman/podman-machine-default-api.sock", Some(Machine::Podman)),
            (r"\\.\pipe\dockerDesktopLinuxEngine", Some(Machine::DockerDesktop)),
            (r"\\.\pipe\dockerdesktoplinuxengine", Some(Machine::DockerDesktop)),
            (r"\\.\pipe\podman-machine-default", Some(Machine::Podman)),
            (r"\\.\pipe\docker_engine", None),
            ("/run/docker.sock", None),
            ("/run/user/1000/podman/podman.sock", None),
            ("/tmp/d.sock", None),
            ("/run/my-api.sock", None),
        ] {
            assert_eq!(serving(place), want, "{place}");
        }
    }

    #[test]
    fn carriers_tell_whose_ports_they_carry() {
        let mux = ["ssh: /Users/me/.lima/dev/ssh.sock [mux]"];
        for (exe, line, want) in [
            ("/Applications/Docker.app/x/com.docker.backend", &["x"][..], Some("DockerDesktop")),
            (r"C:\Program Files\Docker\x\com.docker.backend.exe", &["x"], Some("DockerDesktop")),
            ("/opt/podman/bin/gvproxy", &["gvproxy"], Some("Podman")),
            ("/usr/bin/ssh", &mux, Some(r#"Lima("dev")"#)),
            (
                "/usr/bin/ssh",
                &["ssh", "-F", "/Users/me/.colima/_lima/colima-w/ssh.config", "lima-colima-w"],
                Some(r#"Colima("colima-w")"#),
            ),
            (
                "/x/limactl.ventura",
                &[
                    "limactl",
                    "hostagent",
                    "--pidfile",
                    "/Users/me/Library/Application Support/rancher-desktop/lima/0/ha.pid",
                    "0",
                ],
                Some("RancherDesktop"),
            ),
            ("/usr/bin/ssh", &["ssh", "-L", "8080:localhost:80", "build1"], None),
            ("/usr/bin/ssh", &["ssh", "/Users/me/.lima/_config/user"], None),
            (
                "/usr/bin/ssh",
                &[
                    "ssh",
                    "-F",
                    "/Users/me/.lima/dev/ssh.config",
                    "-L",
                    "9000:localhost:9000",
                    "lima-dev",
                ],
                None,
            ),
            ("/usr/bin/node", &["node", "/Users/me/.lima/dev/x"], None),
        ] {
            let found = behind(&process(exe, line)).map(|machine| format!("{machine:?}"));
            assert_eq!(found.as_deref(), want, "{exe} {line:?}");
        }
        let told = told_sockets(&process("/usr/bin/ssh", &mux));
        assert_eq!(told, ["/Users/me/.lima/dev/sock/docker.sock"]);
        let line = ["gvproxy", "-forward-sock", "/T/podman/a-api.sock", "-forward-dest", "/run/x"];
        assert_eq!(told_sockets(&process("/x/gvproxy", &line)), ["/T/podman/a-api.sock"]);
        assert!(told_sockets(&process("/x/gvproxy", &["gvproxy", "-forward-sock"])).is_empty());
    }

    #[test]
    fn an_engine_is_asked_about_the_ports_of_its_own_machine_alone() {
        let orbstack =
            process("/Applications/OrbStack.app/x/OrbStack Helper", &["OrbStack Helper"]);
        assert!(is_of(&orbstack, "/Users/me/.orbstack/run/docker.sock"));
        assert!(!is_of(&orbstack, "/Users/me/.docker/run/docker.sock"));
        assert!(is_of(&orbstack, "/Users/me/engine.sock"));
        assert!(is_of(&process("/usr/bin/docker-proxy", &[]), "/run/docker.sock"));
    }
}
