//! What the system says of itself and of this program, where that decides what can be seen.

/// The facts. A system that has no such thing leaves them as they are here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The system's release, as it says it: `6.18.5-amd64`.
    pub release: Option<String>,
    /// This program's file.
    pub program: Option<String>,
    /// Whether a file can be given capabilities here (capabilities(7)).
    pub knows_file_capabilities: bool,
    /// Whether this program's file has some already.
    pub has_file_capabilities: bool,
    /// Whether the file system of this program's file gives no privileges away (mount(8), `nosuid`).
    pub nosuid: bool,
    /// Whether this process can never gain privileges by starting a program (PR_SET_NO_NEW_PRIVS).
    pub no_new_privileges: bool,
    /// Whether this is a user namespace of its own, in which the machine's capabilities do not count.
    pub user_namespace: bool,
    /// How the process file system was told to hide processes (`hidepid`, proc(5)); `None` where it does not.
    pub hidepid: Option<String>,
    /// Whom the kernel lets look into a process of one's own (`kernel.yama.ptrace_scope`): 0 all of one's own.
    pub ptrace_scope: Option<u32>,
    /// The API sockets of container engines that are there.
    pub engines: Vec<String>,
    /// Whether a service manager that can be asked started this machine.
    pub service_manager: Option<String>,
    /// Whether the packet filter translates addresses at all.
    pub packet_filter: bool,
}
