//! Virtual machines, whose forwarded ports are held by the machine's own process: the guest is to
//! be shut down, never its power pulled.

use super::subject::Subject;
use super::{Nature, NatureKind};
use crate::engine::machine::{Machine, behind};
use crate::supervisor::{in_folder, part_of_path};

/// A virtual machine, by program.
pub(super) fn machine(subject: &Subject<'_>) -> Option<Nature> {
    if subject.file.starts_with("qemu-system-") || subject.is(&["qemu-kvm", "kvm"]) {
        return Some(android(subject).unwrap_or_else(|| qemu(subject)));
    }
    if subject.is(&["VBoxHeadless", "VirtualBoxVM"]) {
        return Some(virtual_box(subject));
    }
    if subject.file == "limactl" && subject.has("hostagent") {
        return forwarder(subject).or_else(|| Some(lima_agent(subject)));
    }
    const PROGRAMS: [(&str, &str, &str); 10] = [
        ("vmware-vmx", "VMware guest", "vmrun list names it, vmrun stop PATH soft shuts it down"),
        (
            "multipassd",
            "Multipass",
            "its guests end with it: multipass list names them, multipass stop NAME shuts one down",
        ),
        (
            "firecracker",
            "Firecracker guest",
            "shut it down from inside, or by its API (SendCtrlAltDel)",
        ),
        ("crosvm", "crosvm guest", "crosvm stop SOCKET ends it"),
        ("cloud-hypervisor", "Cloud Hypervisor guest", "ch-remote power-button shuts it down"),
        ("prl_vm_app", "Parallels guest", "prlctl list names it, prlctl stop NAME shuts it down"),
        ("vfkit", "macOS virtual machine", "shut it down by the program that started it"),
        ("krunkit", "macOS virtual machine", "shut it down by the program that started it"),
        ("UTM", "UTM", "shut its guests down in it"),
        (
            "com.apple.Virtualization.VirtualMachine",
            "macOS virtual machine",
            "shut it down by the program that started it",
        ),
    ];
    PROGRAMS
        .iter()
        .find(|(program, ..)| subject.goes_by(program))
        .map(|(_, name, advice)| guest(*name).advice(*advice))
}

const POWER: &str = "to the machine in it that is a power cut, and its disk may suffer";

fn guest(name: impl Into<String>) -> Nature {
    Nature::new(NatureKind::VirtualMachine, name).never_forced(POWER)
}

/// QEMU by its command line: who started it tells how it is shut down.
fn qemu(subject: &Subject<'_>) -> Nature {
    if let Some(name) = in_path(subject, "/vault/instances/") {
        return guest(format!("Multipass guest {name}"))
            .stop(subject.own_command(&["multipass", "stop", name]))
            .advice("multipass stop shuts it down");
    }
    if in_path(subject, "/.colima/_lima/").is_some() {
        let name = in_path(subject, "/.colima/_lima/").unwrap_or("colima");
        // Profiles other than the default are called `colima-NAME`.
        let profile = name.strip_prefix("colima-").unwrap_or("default");
        return guest(format!("Colima guest {name}"))
            .stop(subject.own_command(&["colima", "stop", "--profile", profile]))
            .advice("colima stop shuts it down, with every container in it");
    }
    if let Some(name) = in_path(subject, "/.lima/") {
        return guest(format!("Lima guest {name}"))
            .stop(subject.own_command(&["limactl", "stop", name]))
            .advice("limactl stop shuts it down");
    }
    let name = subject.value("-name").map(|name| name.strip_prefix("guest=").unwrap_or(name));
    let name = name.map(|name| name.split(',').next().unwrap_or(name)).filter(|n| !n.is_empty());
    // libvirt gives its guests a monitor below its own directory.
    let libvirt = subject.arguments().iter().any(|word| word.contains("/libvirt/qemu/"));
    match name {
        Some(name) if libvirt && !name.starts_with('-') => {
            let connection = if subject.process.uid == Some(subject.snapshot.asker.uid)
                && subject.snapshot.asker.uid != 0
            {
                "qemu:///session"
            } else {
                "qemu:///system"
            };
            guest(format!("QEMU guest {name}"))
                .stop(subject.own_command(&["virsh", "-c", connection, "shutdown", name]))
                .advice("virsh shutdown NAME asks it to shut down")
        }
        Some(name) => guest(format!("QEMU guest {name}")).advice(INSIDE),
        None => guest("QEMU guest").advice(INSIDE),
    }
}

const INSIDE: &str = "shut it down from inside, or by system_powerdown in its monitor";

/// The part of a path that follows this, in any argument.
fn in_path<'a>(subject: &Subject<'a>, place: &str) -> Option<&'a str> {
    subject.arguments().iter().find_map(|word| {
        let (_, rest) = word.split_once(place)?;
        let name = rest.split('/').next()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (!name.is_empty() && !name.starts_with(['-', '_', '.']) && name.chars().all(plain))
            .then_some(name)
    })
}

/// The Android emulator is a QEMU of the SDK, with a console on an even port from 5554 and adb's
/// on the odd one above.
fn android(subject: &Subject<'_>) -> Option<Nature> {
    let exe = subject.process.exe.as_deref()?;
    let sdk = &exe[..part_of_path(exe, "/emulator/qemu/")?];
    let console = subject
        .value("-port")
        .or_else(|| subject.value("-ports").and_then(|ports| ports.split(',').next()))
        .and_then(|port| port.parse::<u16>().ok())
        .or_else(|| {
            let ports = subject.ports();
            let port = ports.into_iter().find(|port| (5554..=5585).contains(port))?;
            Some(port & !1)
        });
    let device = subject.value("-avd").map_or_else(String::new, |name| format!(" {name}"));
    let adb = in_folder(sdk, &["platform-tools", "adb"]);
    let stop = console.zip(adb).and_then(|(console, adb)| {
        subject.own_command(&[&adb, "-s", &format!("emulator-{console}"), "emu", "kill"])
    });
    Some(
        guest(format!("Android emulator{device}"))
            .stop(stop)
            .advice("adb emu kill saves its state and ends it"),
    )
}

/// `VBoxHeadless --comment NAME --startvm UUID`.
fn virtual_box(subject: &Subject<'_>) -> Nature {
    let name = subject.value("--comment").map_or_else(String::new, |name| format!(" {name}"));
    let id = subject.value("--startvm").or_else(|| subject.value("-startvm"));
    let id = id.filter(|id| !id.starts_with('-'));
    guest(format!("VirtualBox guest{name}"))
        .stop(id.and_then(|id| {
            subject.own_command(&["VBoxManage", "controlvm", id, "acpipowerbutton"])
        }))
        .advice("vagrant halt (vagrant global-status names it), or its power button, shuts it down")
}

/// The agent, or the ssh, that carries a guest's ports, by the folder it works with.
pub(super) fn forwarder(subject: &Subject<'_>) -> Option<Nature> {
    let (guest_of, stop) = match behind(subject.process)? {
        Machine::Colima(name) => {
            let profile = name.strip_prefix("colima-").unwrap_or("default").to_owned();
            let stop = subject.own_command(&["colima", "stop", "--profile", &profile]);
            (format!("Colima guest {name}"), stop)
        }
        Machine::Lima(name) => {
            let stop = subject.own_command(&["limactl", "stop", &name]);
            (format!("Lima guest {name}"), stop)
        }
        Machine::RancherDesktop => ("Rancher Desktop's guest".to_owned(), None),
        Machine::DockerDesktop | Machine::OrbStack | Machine::Podman => return None,
    };
    Some(guest(format!("{guest_of}, its forwarder")).stop(stop).advice(INTO_GUEST))
}

const INTO_GUEST: &str =
    "the port is forwarded into the guest: stop what listens there, or the guest";

/// Lima's agent on the host forwards the guest's ports.
fn lima_agent(subject: &Subject<'_>) -> Nature {
    let name = subject.arguments().last().filter(|name| !name.starts_with('-'));
    let stop = name.and_then(|name| subject.own_command(&["limactl", "stop", name]));
    let name = name.map_or_else(String::new, |name| format!(" {name}"));
    guest(format!("Lima guest{name}, its forwarder")).stop(stop).advice(INTO_GUEST)
}
