//! What this machine says of itself and of this program: its release, how `/proc` is mounted, and
//! what would keep capabilities of the program's file from counting.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
use rustix::io::Errno;

use super::engine;
use crate::decode::{mountinfo, procfs};
use crate::doctor::Circumstances;

/// Where a file's capabilities are kept (capabilities(7)).
const CAPABILITIES: &str = "security.capability";

pub(super) fn circumstances() -> Circumstances {
    let program = std::env::current_exe().ok();
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let hides = |value: &String| !matches!(value.as_str(), "" | "0" | "off");
    Circumstances {
        release: rustix::system::uname().release().to_str().ok().map(str::to_owned),
        knows_file_capabilities: true,
        has_file_capabilities: program.as_deref().is_some_and(has_capabilities),
        nosuid: program.as_deref().is_some_and(is_nosuid),
        no_new_privileges: rustix::thread::no_new_privs().unwrap_or(false),
        user_namespace: in_user_namespace(),
        hidepid: mountinfo::option(&mounts, "/proc", "hidepid").filter(hides),
        ptrace_scope: fs::read("/proc/sys/kernel/yama/ptrace_scope")
            .ok()
            .and_then(|bytes| procfs::sysctl_number(&bytes)),
        engines: engine::sockets_here(),
        // sd_booted(3).
        service_manager: Path::new("/run/systemd/system").is_dir().then(|| "systemd".to_owned()),
        packet_filter: Path::new("/proc/sys/net/netfilter/nf_conntrack_max").exists()
            || Path::new("/proc/net/ip_vs").exists(),
        program: program.map(|path| path.to_string_lossy().into_owned()),
    }
}

/// The number of the first user namespace is fixed: include/linux/proc_ns.h.
fn in_user_namespace() -> bool {
    fs::read_link("/proc/self/ns/user")
        .is_ok_and(|link| link.as_os_str().as_bytes() != b"user:[4026531837]")
}

fn is_nosuid(program: &Path) -> bool {
    statvfs(program).is_ok_and(|facts| facts.f_flag.contains(StatVfsMountFlags::NOSUID))
}

fn has_capabilities(program: &Path) -> bool {
    let mut value = [0_u8; 64];
    matches!(getxattr(program, CAPABILITIES, &mut value), Ok(1..) | Err(Errno::RANGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_release_and_this_program_a_file() {
        let facts = circumstances();
        assert!(
            facts.release.is_some_and(|release| release.starts_with(|c: char| c.is_ascii_digit()))
        );
        assert!(facts.program.is_some_and(|program| Path::new(&program).is_file()));
        assert!(facts.knows_file_capabilities && !facts.has_file_capabilities);
    }
}
