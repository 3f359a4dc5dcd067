//! Processes that serve as the machine's door, or carry more than a port: stopping one locks
//! somebody out or takes many others down with it.

use super::managers;
use super::program::{Program, file_name};
use crate::engine::machine::{self, Machine};
use crate::process::Process;
use crate::windows::path::is_whole;

/// Why this process must not be stopped without `--force`, in words; `None` for ordinary ones.
///
/// It is known by its executable's file name; only where that cannot be read (another user's
/// process) by the kernel's short name, cut at 15 bytes. Arguments count only for managers that
/// are scripts (pm2, supervisord). A user can still
/// protect a process of theirs by naming its executable `sshd`, or have a test build of `sshd`
/// refused: both cost a `--force` and nothing else, while the other mistake costs a machine.
pub fn door(process: &Process) -> Option<&'static str> {
    if process.id.pid == 1 {
        return Some("it is the first process: everything on this machine ends with it");
    }
    let exe = process.exe.as_deref().map(file_name).filter(|file| !file.is_empty());
    if process.exe.as_deref().is_some_and(is_part_of_windows) {
        return Some(SYSTEM);
    }
    // A bundle that macOS keeps there and runs itself (systemextensionsctl(8)).
    if process.exe.as_deref().is_some_and(|exe| exe.starts_with("/Library/SystemExtensions/")) {
        return Some(EXTENSION);
    }
    let by_name = match exe {
        // Its file systems ignore case, and a program is called as it was started.
        Some(file) if process.exe.as_deref().is_some_and(is_whole) => {
            reason(file).or_else(|| reason(&file.to_ascii_lowercase()))
        }
        Some(file) => reason(file),
        None => reason(&process.name).or_else(|| cut_name_reason(&process.name)),
    };
    by_name
        .or_else(|| of_machine(process))
        .or_else(|| managers::runs_applications(process).then_some(APPLICATIONS))
}

/// Why a process that carries the ports of a virtual machine is a door.
fn of_machine(process: &Process) -> Option<&'static str> {
    Some(match machine::behind(process)? {
        Machine::Lima(_) if Program::of(process).file == "ssh" => FORWARDS,
        Machine::Lima(_) => MACHINE,
        _ => ENGINE,
    })
}

/// Whether an executable is one of those that Windows itself lives by: by its path too, since a
/// program of one's own may well be called `services`.
fn is_part_of_windows(exe: &str) -> bool {
    const FILES: [&str; 15] = [
        "services",
        "svchost",
        "csrss",
        "wininit",
        "winlogon",
        "lsass",
        "lsaiso",
        "smss",
        "spoolsv",
        "dwm",
        "fontdrvhost",
        "sihost",
        "conhost",
        "vmcompute",
        "vmms",
    ];
    if !exe.contains('\\') {
        return false;
    }
    let path = exe.to_ascii_lowercase();
    let Some((_, place)) = path.split_once(r":\windows\") else { return false };
    if place == "explorer.exe" {
        return true;
    }
    let Some(file) = place.strip_prefix(r"system32\") else { return false };
    file.strip_suffix(".exe").is_some_and(|file| FILES.contains(&file))
}

/// A container engine's forwarding process: `Some(None)` where it does not say to what.
pub fn container_proxy(process: &Process) -> Option<Option<String>> {
    let after = |flag: &str| {
        let at = process.argv.iter().position(|word| word == flag)?;
        process.argv.get(at + 1).cloned()
    };
    match process.program() {
        "docker-proxy" => Some(
            after("-container-ip")
                .zip(after("-container-port"))
                .map(|(ip, port)| format!("{ip}:{port}")),
        ),
        "rootlessport" | "rootlessport-ch" | "rootlesskit" | "pasta" | "pasta.avx2" | "passt"
        | "passt.avx2" | "slirp4netns" | "conmon" | "com.docker.backend" | "com.docker.vpnkit"
        | "OrbStack Helper" => Some(None),
        // One process carries all ports of the machine. Linux cuts the longer of these names.
        _ => match machine::behind(process)? {
            Machine::DockerDesktop | Machine::OrbStack | Machine::Colima(_) => Some(None),
            Machine::RancherDesktop | Machine::Podman | Machine::Lima(_) => None,
        },
    }
}

/// Whether it is a door of containers: engine, proxy or monitor.
pub(super) fn is_container_manager(process: &Process) -> bool {
    let file = Program::of(process).file;
    file.starts_with("containerd-shim") || matches!(file, "conmon" | "dockerd" | "containerd")
}

const APPLICATIONS: &str = "it runs applications, which all end with it";
pub(super) const LOGIN: &str = "logins over the network go through it, perhaps yours";
pub(super) const ENGINE: &str = "it runs containers: they lose their ports or end with it";
const NETWORK: &str = "this machine's network or name resolution depends on it";
pub(super) const SESSION: &str = "whole sessions run inside of it";
const SCREEN: &str = "it is a graphical session: every window ends with it";
pub(super) const SYSTEM: &str =
    "it is part of the operating system, which needs it or starts it again";
const WSL: &str = "it carries Linux under Windows: all distributions depend on it";
const FORWARDS: &str = "it carries the ports of virtual machines, all of which end with it";
const EXTENSION: &str = "it is an extension of the system (a VPN, a filter), which starts it again";
const MACHINE: &str = "a virtual machine runs in it and may lose data";

/// The doors by executable.
const DOORS: &[(&str, &[&str])] = &[
    (
        LOGIN,
        &[
            "sshd",
            "sshd-session",
            "sshd-auth",
            "dropbear",
            "mosh-server",
            "screensharingd",
            "ARDAgent",
        ],
    ),
    (
        ENGINE,
        &[
            "dockerd",
            "docker-proxy",
            "containerd",
            "conmon",
            "crio",
            "podman",
            "rootlessport",
            "rootlesskit",
            "rootlesskit-docker-proxy",
            "slirp4netns",
            "pasta",
            "pasta.avx2",
            "passt",
            "passt.avx2",
            "com.docker.backend",
            "com.docker.vpnkit",
            "vpnkit",
            "vpnkit-bridge",
            "gvproxy",
            "kubelet",
            "k3s",
            "lxd",
            "incusd",
            "systemd-nspawn",
            "OrbStack Helper",
            "com.docker.virtualization",
            "com.docker.vmnetd",
        ],
    ),
    (
        NETWORK,
        &[
            "NetworkManager",
            "systemd-resolved",
            "systemd-networkd",
            "avahi-daemon",
            "wpa_supplicant",
            "iwd",
            "connmand",
            "mDNSResponder",
            "configd",
        ],
    ),
    (
        SESSION,
        &[
            "systemd",
            "launchd",
            "systemd-logind",
            "dbus-daemon",
            "dbus-broker",
            "dbus-broker-launch",
            "tmux",
            "screen",
            "zellij",
        ],
    ),
    (
        SCREEN,
        &[
            "Xorg",
            "Xwayland",
            "gnome-shell",
            "mutter",
            "kwin_wayland",
            "kwin_x11",
            "sway",
            "Hyprland",
            "weston",
            "wayfire",
            "labwc",
            "niri",
            "cosmic-comp",
            "gdm",
            "gdm3",
            "lightdm",
            "sddm",
            "WindowServer",
            "loginwindow",
        ],
    ),
    (
        SYSTEM,
        &[
            "systemd-udevd",
            "systemd-journald",
            "systemd-machined",
            "systemd-timesyncd",
            "ControlCenter",
            "rapportd",
            "sharingd",
            "identityservicesd",
            "AirPlayXPCHelper",
            "UserEventAgent",
            "SystemUIServer",
            "Finder",
            "Dock",
            "remoted",
            "svchost",
            "csrss",
            "wininit",
            "winlogon",
            "lsass",
            "smss",
        ],
    ),
    (WSL, &["wslrelay", "wslhost", "wslservice", "vmmem", "vmmemWSL", "vmcompute"]),
    (
        MACHINE,
        &[
            "VBoxHeadless",
            "VirtualBoxVM",
            "vmware-vmx",
            "vmwp",
            "prl_vm_app",
            "prl_disp_service",
            "com.apple.Virtualization.VirtualMachine",
            "QEMULauncher",
            "vfkit",
            "krunkit",
        ],
    ),
    (FORWARDS, &["prl_naptd", "vmnet-natd", "vmnat"]),
];

/// Why a program of that file name is a door.
pub(super) fn reason(file: &str) -> Option<&'static str> {
    // Versions and architectures are part of these names.
    let family = [
        ("containerd-shim", ENGINE),
        ("screen-", SESSION),
        ("tmux:", SESSION),
        ("qemu-system-", MACHINE),
    ];
    DOORS
        .iter()
        .find(|(_, files)| files.contains(&file))
        .map(|(reason, _)| *reason)
        .or_else(|| family.iter().find(|(start, _)| file.starts_with(start)).map(|(_, r)| *r))
}

/// A name that fills all 15 bytes may be the beginning of a longer one.
fn cut_name_reason(name: &str) -> Option<&'static str> {
    const LONGEST_NAME: usize = 15;
    let begins = |file: &&str| file.len() > LONGEST_NAME && file.starts_with(name);
    (name.len() == LONGEST_NAME)
        .then(|| DOORS.iter().find(|(_, files)| files.iter().any(begins)))
        .flatten()
        .map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::super::tests::process;
    use super::*;

    #[test]
    fn doors_are_known_by_their_executable() {
        for exe in [
            "/usr/sbin/sshd",
            "/usr/lib/openssh/sshd-session",
            "/usr/bin/containerd-shim-runc-v2",
            "/usr/bin/docker-proxy",
            "/usr/bin/passt.avx2",
            "/lib/systemd/systemd",
            "/usr/bin/screen-4.9.0",
            "/usr/bin/tmux",
            "/usr/bin/qemu-system-x86_64",
            r"C:\Program Files\WSL\wslrelay.exe",
            r"C:\Program Files\Docker\Docker\resources\com.docker.backend.exe",
            r"C:\Windows\System32\services.exe",
            r"D:\WINDOWS\system32\svchost.exe",
            r"C:\Windows\explorer.exe",
            r"C:\Windows\System32\OpenSSH\SSHD.EXE",
        ] {
            assert!(door(&process(50, 1, exe, &["anything"])).is_some(), "{exe}");
        }
        for exe in
            [r"C:\src\explorer.exe", r"C:\src\services.exe", r"C:\Windows\System32\x\services.exe"]
        {
            assert_eq!(door(&process(50, 4, exe, &["services"])), None, "{exe}");
        }
        for exe in ["/usr/bin/node", "/home/me/sshd-test", "/usr/bin/systemd-run", "/x/sshd/web"] {
            assert_eq!(door(&process(50, 1, exe, &["sshd", "dockerd"])), None, "{exe}");
        }
    }

    #[test]
    fn a_name_counts_only_where_the_executable_is_unreadable() {
        let mut faker = process(50, 1, "/usr/bin/node", &["node"]);
        faker.name = "sshd".to_owned();
        assert_eq!(door(&faker), None);
        faker.exe = None;
        assert_eq!(door(&faker), Some(LOGIN));
        faker.name = "systemd-resolve".to_owned();
        assert_eq!(door(&faker), Some(NETWORK));
        faker.name = "systemd-r".to_owned();
        assert_eq!(door(&faker), None);
        faker.name = "tmux: server".to_owned();
        assert_eq!(door(&faker), Some(SESSION));
    }

    #[test]
    fn the_first_process_is_a_door_whatever_it_runs() {
        assert!(door(&process(1, 0, "/usr/bin/node", &["node"])).is_some());
    }
}
