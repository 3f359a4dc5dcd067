//! The JSON documents, versioned: the only types whose renaming breaks users. Everything that
//! prints reads these; nothing here looks or decides. `proc schema` prints their JSON Schema.

use serde::{Deserialize, Serialize};

use crate::addr::{AddressScope, Port};
use crate::diagnosis::{CauseKind, Verdict};
use crate::file_use::Access;
use crate::filter::Criterion;
use crate::message::{Class, Failure, Origin, words};
use crate::nature::NatureKind;
use crate::process::{Percent, ProcessState, SupervisorKind};
use crate::remedy::Remedy;
use crate::socket::{HeldBy, Protocol, TcpState};
use crate::supervisor::StartedBy;

/// The version of the documents. It changes when a field is renamed, removed or means something
/// else; new fields do not change it.
pub const SCHEMA: u32 = 1;

/// A whole answer, errors included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The command that answered.
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// The answers, in the order asked.
    pub targets: Vec<TargetReport>,
    /// The failures that were read out of a message or log (`why`), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageReport>,
    /// What stopped the command as a whole.
    pub error: Option<ErrorReport>,
}

/// A failed bind, as a program's message tells it. What the message does not say is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MessageReport {
    /// What kind of failure.
    pub class: Class,
    /// The program, by the table of messages.
    pub source: String,
    /// The words that were recognised.
    pub line: String,
    /// The system it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// `tcp` or `udp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The address: an IP address, `localhost`, or `*` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The port; of a range, the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The last port, where a range was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_port: Option<u16>,
    /// A unix socket, a named pipe, a lock or a PID file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The process that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The port that the program took instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<u16>,
    /// What was looked at for it; its answer is in `targets`, in the order of the messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// One sentence.
    pub explain: String,
    /// What else is to be known and done, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl MessageReport {
    /// The report of a failure, without notes; `target` where one is looked at.
    pub fn new(failure: &Failure, target: Option<String>) -> Self {
        Self {
            class: failure.class,
            source: failure.source.to_owned(),
            line: failure.line.clone(),
            origin: failure.origin,
            protocol: failure.transport.map(|transport| transport.name().to_owned()),
            address: failure.address.map(|address| match address {
                AddressScope::Every => "*".to_owned(),
                AddressScope::Localhost => "localhost".to_owned(),
                AddressScope::One(ip, _) => ip.to_string(),
            }),
            port: failure.port.map(Port::get),
            last_port: failure.last_port.map(Port::get),
            path: failure.path.clone(),
            pid: failure.pid,
            moved_to: failure.moved_to.map(Port::get),
            target,
            explain: match failure.is_anyones() {
                true => format!("{}: {}", failure.line, words::meaning(failure)),
                false => {
                    format!("{} ({}): {}", failure.line, failure.program(), words::meaning(failure))
                }
            },
            notes: Vec::new(),
        }
    }
}

/// Why a command could not be carried out at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ErrorReport {
    /// `usage`, `denied`, `refused`, `unsupported`, `failed`.
    pub kind: String,
    /// One sentence.
    pub explain: String,
    /// The word at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// What was probably meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// The answer to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TargetReport {
    /// The target, in its canonical form.
    pub target: String,
    /// What the kernel says; absent where the target is not a port or socket file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The kernel's answers to a bind.
    pub bind: Vec<BindRow>,
    /// Why, most important first.
    pub causes: Vec<CauseReport>,
    /// The sockets concerned.
    pub sockets: Vec<SocketReport>,
    /// The processes concerned, holders first.
    pub processes: Vec<ProcessReport>,
    /// Their ancestors (`why`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<ProcessReport>,
    /// What could not be seen.
    pub gaps: Vec<GapReport>,
    /// What else a person should know: who answers where when several servers have the port,
    /// what SO_REUSEADDR would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How many open connections the listeners have, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<usize>,
    /// Before an action: whose those connections are, most first, the first few dozen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerReport>,
    /// Other ports that the holders have; before an action also those of all that ends with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_ports: Vec<OtherPort>,
    /// Before an action: what ends with the holders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub along: Option<AlongReport>,
    /// What usually has the port, where the holder is hidden or goes by the usual name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<UsualReport>,
    /// What an action came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// One sentence on the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
    /// Why an action was refused or not permitted, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalReport>,
    /// Processes that the target means and that a filter left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<LeftAloneReport>,
    /// Of `wait`: whether what was waited for is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
    /// Of `wait`: for how long it was waited, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// Of `wait --http`: the status of the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What an action would do (`--dry-run`) or was asked to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<StepReport>,
    /// What was done, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventReport>,
    /// The number under which `proc undo` can start again what was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<u64>,
}

/// A process that a target means and that a filter beside it left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeftAloneReport {
    /// Its number.
    pub pid: u32,
    /// Its program.
    pub name: String,
    /// The first condition that is not known to be so of it.
    pub filter: Criterion,
    /// What is not so, as `not in /srv/app`.
    pub explain: String,
}

/// Who is connected to a port: a process of this machine, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PeerReport {
    /// The process at the other end, where it is on this machine and could be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<NamedReport>,
    /// The other end's address, without its port, where its process is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How many connections.
    pub connections: usize,
}

/// A process by number and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NamedReport {
    /// Its number.
    pub pid: u32,
    /// Its program.
    pub name: String,
}

/// What ends with the holders of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlongReport {
    /// Whether they end for certain: their container or unit is stopped. What a process merely
    /// started may live on without it.
    pub certain: bool,
    /// How many processes besides the holders.
    pub processes: usize,
    /// The first few of them, one of each name before the second of any.
    pub named: Vec<NamedReport>,
    /// What else stops, as its manager tells: units, containers, applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
}

/// A port that a holder has besides the one asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OtherPort {
    /// The holder.
    pub pid: u32,
    /// `tcp:8080`, `udp:53`.
    pub port: String,
}

/// What usually has a port, by its number (docs/known-ports.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UsualReport {
    /// The software.
    pub software: String,
    /// Who holds the port on this system.
    pub holder: String,
    /// How that is stopped, in words; several ways joined by ` | `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// Whether the port's number is all that speaks for it; else the holder goes by the usual
    /// name.
    pub guess: bool,
}

/// The kernel's answer for one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BindRow {
    /// The address, without port.
    pub address: String,
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// `ok` or the error's name.
    pub plain: String,
    /// The same with SO_REUSEADDR.
    pub reuse_addr: String,
    /// Whether it was worked out from a recording and not asked of a kernel.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub predicted: bool,
}

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CauseReport {
    /// Which.
    pub kind: CauseKind,
    /// Whether the evidence proves it.
    pub certain: bool,
    /// One sentence for people.
    pub explain: String,
    /// Indices into the target's `sockets`.
    pub sockets: Vec<usize>,
    /// The processes.
    pub pids: Vec<u32>,
    /// Milliseconds until it passes by itself.
    pub expires_ms: Option<u32>,
    /// What can be done.
    pub remedies: Vec<Remedy>,
    /// Of a port that the packet filter sends elsewhere: the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<RedirectReport>,
}

/// A rule of the packet filter that sends a port elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RedirectReport {
    /// `nftables`, `iptables` or `ipvs`.
    pub filter: String,
    /// The table, with its family: `ip nat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// The number by which nftables deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<u64>,
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The destination address that it takes; absent for every one of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where it sends to: an address; absent for this machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The port there.
    pub to_port: u16,
    /// Whether what arrives from others is taken.
    pub from_others: bool,
    /// Whether what this machine sends to itself is taken.
    pub from_here: bool,
    /// The rule's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The container that it leads to, by name, or else by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The Kubernetes service that it is for, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SocketReport {
    /// Its protocol.
    pub protocol: Protocol,
    /// `address:port`, a path, or `@name`.
    pub local: String,
    /// The other end.
    pub remote: Option<String>,
    /// The TCP state.
    pub state: Option<TcpState>,
    /// Whether an IPv6 socket refuses IPv4.
    pub v6only: Option<bool>,
    /// The key of its descriptors.
    pub inode: Option<u64>,
    /// Its creator.
    pub uid: Option<u32>,
    /// SO_REUSEADDR.
    pub reuse_addr: Option<bool>,
    /// SO_REUSEPORT.
    pub reuse_port: Option<bool>,
    /// The network namespace, by name or inode, where it is not the asker's.
    pub netns: Option<String>,
    /// Who holds it.
    pub holders: Vec<HolderReport>,
    /// Whether somebody holds it whom this user cannot see.
    pub hidden: bool,
    /// Whether the kernel holds it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kernel: bool,
    /// Whether it is the TCP side of an MPTCP socket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mptcp: bool,
    /// Connections waiting to be accepted, and the most that may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<(u32, u32)>,
    /// Milliseconds until the kernel drops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u32>,
    /// The control group it was created in, where that is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// `loopback`, `lan` or `any`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<crate::addr::Exposure>,
}

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HolderReport {
    /// The process.
    pub pid: u32,
    /// Its descriptor, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// How, where not by an ordinary descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<HeldBy>,
}

/// One process. Secrets in `argv` are masked unless asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProcessReport {
    /// Its number.
    pub pid: u32,
    /// Its parent's.
    pub ppid: u32,
    /// When it started, RFC 3339, UTC.
    pub started_at: Option<String>,
    /// Its age at the time of the answer, in milliseconds.
    pub age_ms: Option<u64>,
    /// The kernel's short name.
    pub name: String,
    /// The executable.
    pub exe: Option<String>,
    /// Whether that file is gone or was replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exe_deleted: bool,
    /// The arguments.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// The user's number.
    pub uid: Option<u32>,
    /// What it is doing.
    pub state: ProcessState,
    /// The controlling terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
    /// The container it runs in, keeps a port for or forwards to.
    pub container: Option<ContainerReport>,
    /// The unit it belongs to.
    pub unit: Option<String>,
    /// Who would start it again, or runs it.
    pub supervisor: Option<SupervisorReport>,
    /// What sort of program it is, where that decides how it is to be ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nature: Option<NatureReport>,
    /// Where it comes from: the project, the session and the coding agent.
    pub origin: Option<crate::origin::Origin>,
    /// Who had it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<StartedBy>,
    /// Its ancestors, nearest first; in lists of processes left out.
    pub ancestors: Vec<u32>,
    /// Where it can be reached, where that was looked for: the sockets that it waits at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<ProcessPort>>,
    /// How much of one processor it used while that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<Percent>,
    /// Processor time since it started, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Its memory in the machine's, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How many threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Why it is in the answer, where that is not what was asked for by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Reason>,
    /// How deep it stands in a tree; 0 for its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Whether it is in a tree only for what is above or below it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub context: bool,
    /// Everything else (`info`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<DetailReport>>,
}

/// A socket at which a process waits for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProcessPort {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its port.
    pub port: u16,
    /// `address:port`.
    pub local: String,
    /// Who can reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<crate::addr::Exposure>,
}

/// What only a look at one process tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DetailReport {
    /// Its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<NamedReport>,
    /// Everybody above it, the first process first; the parent is the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestry: Vec<NamedReport>,
    /// Its children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<NamedReport>,
    /// How many connections it has open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// How many descriptors it has open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<usize>,
    /// The marks of managers, terminals and agents in its environment, secrets masked.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub marks: std::collections::BTreeMap<String, String>,
    /// What is out of the ordinary about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<WarningReport>,
}

/// A fact about a process that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WarningReport {
    /// Which.
    pub kind: WarningKind,
    /// One sentence.
    pub explain: String,
}

/// The facts that are told as warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// It serves a port as root.
    ServesAsRoot,
    /// It waits at every address of the machine.
    OpenToEverybody,
    /// Its working directory was removed.
    DirectoryGone,
    /// Its executable was removed or replaced since it started.
    ExecutableReplaced,
    /// Its manager has started it again by itself.
    Restarted,
}

impl ProcessReport {
    /// `node (pid 4242)`.
    pub fn named(&self) -> String {
        format!("{} (pid {})", self.name, self.pid)
    }
}

/// A reason why a process is in an answer: how it uses a file (`for`), what shows that it was left
/// behind (`orphans`) or gets nowhere (`stuck`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Which.
    pub kind: ReasonKind,
    /// Whether it is known; otherwise it is likely.
    pub certain: bool,
    /// One sentence about the process.
    pub explain: String,
    /// The file, where it is another path than was asked for; the terminal; the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The descriptor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// For what it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Whether a lock was taken through it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// Whether the file was removed, or replaced by another of that path.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Another process: who inherited it, who should collect it, its debugger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The thread, where it is not the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<u32>,
}

impl Reason {
    /// One that is certain and has nothing but its sentence.
    pub const fn new(kind: ReasonKind, explain: String) -> Self {
        Self {
            kind,
            certain: true,
            explain,
            path: None,
            fd: None,
            access: None,
            locked: false,
            deleted: false,
            pid: None,
            thread: None,
        }
    }
}

/// The kinds of [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReasonKind {
    /// It runs the file as its program.
    Executable,
    /// It runs the file as a script.
    Script,
    /// It works in the directory.
    WorkingDirectory,
    /// It has the directory as its root directory.
    RootDirectory,
    /// It has the file mapped.
    Mapped,
    /// It has the file open.
    Descriptor,
    /// It has the unix socket of that file.
    Socket,
    /// Its parent ended and another process inherited it.
    ParentEnded,
    /// The first process of its session ended.
    SessionEnded,
    /// Its terminal is gone.
    TerminalGone,
    /// Its working directory was removed.
    DirectoryGone,
    /// Its executable was removed or replaced.
    ExecutableGone,
    /// It waits and is deaf to signals (state D).
    Uninterruptible,
    /// It is stopped.
    Stopped,
    /// Its debugger has stopped it.
    Traced,
    /// Its control group is frozen.
    Frozen,
    /// It ended and is not collected.
    Uncollected,
    /// It computes without end.
    Spinning,
    /// It does not accept connections that wait.
    NotAccepting,
}

/// What sort of program a process is, and how it wants to be ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NatureReport {
    /// Its sort.
    pub kind: NatureKind,
    /// What people call it: `PostgreSQL`, `ssh tunnel to build1`.
    pub name: String,
    /// What to know before ending it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The command that ends it its own way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
    /// The signal that asks it to end, where that is not SIGTERM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Why it is not forced (SIGKILL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub never_forced: Option<String>,
}

/// A container, with what its engine tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ContainerReport {
    /// `docker`, `podman`, `containerd`, `cri-o`, `kubernetes`, `lxc`, `nspawn`.
    pub engine: String,
    /// Its id, or name where the engine has none.
    pub id: String,
    /// The name that people and commands use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The image it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The compose project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The service in that project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The project's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// When the engine starts it again: `no`, `on-failure`, `unless-stopped`, `always`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// Whether the process is not in it, and keeps a port for it or forwards to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

/// Who runs a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SupervisorReport {
    /// What kind of thing.
    pub kind: SupervisorKind,
    /// Its name.
    pub name: String,
    /// Its process.
    pub pid: Option<u32>,
    /// Whether it starts the process again.
    pub restarts: Option<bool>,
    /// What stops it for good.
    pub stop: Option<Vec<String>>,
    /// When it starts the process again, in its own word: `always`, `on-failure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// How often it has started the process again by itself, where it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<u32>,
    /// What ends along when it is stopped, in a few words each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_along: Vec<String>,
}

impl SupervisorReport {
    /// `nodemon (pid 41)`, or its name alone where it is no process.
    pub fn named(&self) -> String {
        match self.pid {
            Some(pid) => format!("{} (pid {pid})", self.name),
            None => self.name.clone(),
        }
    }
}

/// Something unseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GapReport {
    /// What, in a sentence.
    pub what: String,
    /// What would show it: `sudo`, an option, a newer kernel.
    pub cure: Option<String>,
}

/// What an action came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The port can be bound, by a bind; a process target has ended.
    Freed,
    /// It could be bound before anything was done.
    AlreadyFree,
    /// There is no such process or socket.
    NotFound,
    /// Somebody still has it.
    StillHeld,
    /// It was free and its old owner's supervisor took it again.
    Respawned,
    /// It was free and somebody else took it.
    TakenByAnother,
    /// Only remains are left, and they outlast the time allowed.
    Lingering,
    /// This user may not.
    Denied,
    /// A guard rail stands before it.
    Refused,
    /// The person said no, or nobody could be asked.
    Declined,
    /// `--dry-run`: nothing was done.
    Planned,
    /// A signal that asks nobody to end was sent.
    Sent,
    /// The kernel shows the processes stopped.
    Frozen,
    /// The kernel shows them running, none stopped.
    Thawed,
    /// What was stuck moves: it runs, or its dead child was collected.
    Unstuck,
    /// No sign that it is stuck was seen, and nothing was done.
    NotStuck,
    /// The order to reload was taken: the same process lives and serves the same ports.
    Reloaded,
    /// What was wanted did not come about; the sentence says what the kernel shows instead.
    Unchanged,
}

/// Why nothing was done, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RefusalReport {
    /// What stands before it.
    pub reason: RefusalReason,
    /// The process because of which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// What stands before an action. Those that `--force` lifts are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RefusalReason {
    /// It is PID 1, of the machine or of this container (`--force`).
    FirstProcess,
    /// It is a thread of the kernel (`--force`).
    KernelThread,
    /// It is this command or one of its ancestors (`--force`).
    OwnAncestor,
    /// A door of the machine or of containers: sshd, dockerd and kin, or an agent that whoever
    /// runs the machine put there (`--force`).
    Door,
    /// It is an editor, or a part of one, with somebody's unsaved work (`--force`).
    Editor,
    /// Its name is one of those that are never acted on (`--force`).
    Protected,
    /// SIGKILL would cost it data: a database, a virtual machine (`--force`).
    NeverForced,
    /// systemd holds the port for a socket unit that could not be named (`--force`).
    SocketActivation,
    /// The descriptor is on its way between processes: nobody is certain to have it (`--force`).
    InFlight,
    /// `--mine`: another user's.
    NotMineAnotherUser,
    /// `--mine`: of another project's directory.
    NotMineAnotherProject,
    /// `--mine`: another coding agent's.
    NotMineAnotherAgent,
    /// `--mine`: another session's.
    NotMineAnotherSession,
    /// `--mine`: a service of the machine, there for everybody.
    NotMineSharedService,
    /// `--mine`: a container that is not known to be the project's.
    NotMineAnotherContainer,
    /// `--mine`: nothing tells whose it is.
    NotMineUnknown,
    /// It belongs to another user, who alone may end it, or root.
    AnotherUser,
    /// Its manager belongs to another user, who alone may ask it, or root.
    ManagerOfAnotherUser,
    /// It could not be seen who has it.
    Hidden,
    /// A program's outgoing connection has the port: that program is not ended for it.
    OutgoingConnection,
    /// The kernel has it for itself.
    Kernel,
    /// This user may not bind it, whoever holds it.
    MayNotBind,
    /// Nothing that was seen explains it.
    Unexplained,
    /// No process is left: only a file is to be removed, which is another command.
    StaleFile,
    /// The number is both a process and a port, or the port is not that of the named container alone.
    Ambiguous,
    /// It has no handler for the signal, so it would end by it (`--force`).
    WouldEnd,
    /// It reloads by a command of its own, or not at all.
    NoReload,
    /// A filter (`--in`, `--user` …) leaves a holder of the port alone.
    LeftAlone,
    /// `--started-at`: it did not start then, so another process has the number by now.
    AnotherProcess,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StepReport {
    /// `signal`, `force`, `destroy`, `reset-time-wait`, `run`, `wait`, `remove`; `send`, `freeze`,
    /// `continue`, `remind`, `reload`.
    pub step: String,
    /// The process it is done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The command it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// One sentence.
    pub explain: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventReport {
    /// Milliseconds since the action began.
    pub at_ms: u64,
    /// `asked`, `continued`, `forced`, `exited`, `released`, `destroyed`, `reset`, `ran`, `freed`,
    /// `respawned`, `interrupted`, `failed`, `sent`, `froze`, `reminded`, `joined`, `left`. Progress
    /// alone also tells `waiting`, again and again.
    pub event: String,
    /// Which process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// One sentence.
    pub explain: String,
}

/// The answer of `proc ports`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PortsReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `ports`.
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// The sockets, in the order asked for; else by port, protocol and address.
    pub sockets: Vec<SocketReport>,
    /// How many there are without `--limit`.
    pub matched: usize,
    /// Their holders.
    pub processes: Vec<ProcessReport>,
    /// What could not be seen.
    pub gaps: Vec<GapReport>,
    /// What else a person should know: what was left out and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// A line of `proc ports --jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PortLine {
    /// The socket.
    pub socket: SocketReport,
    /// Its holders.
    pub processes: Vec<ProcessReport>,
}

/// The answer of `proc list` and of every other command that shows processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProcessesReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `list`, `by`, `in`, `info`, `tree`, …
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// The processes, in the order asked for; of a tree, each below its parent.
    pub processes: Vec<ProcessReport>,
    /// How many there are without `--limit`.
    pub matched: usize,
    /// For how long processor use was measured, in milliseconds, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// What could not be seen.
    pub gaps: Vec<GapReport>,
    /// What else a person should know: what was left out and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where there is none, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// The answer of `proc config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfigReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `config`.
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// The file, whether it is there or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Every setting.
    pub settings: Vec<SettingReport>,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SettingReport {
    /// Its name; of a table, `columns.ports`.
    pub key: String,
    /// Its value; null where every command has its own.
    pub value: Option<SettingValue>,
    /// Who set it.
    pub origin: SettingOrigin,
    /// The line of the file, or the variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum SettingValue {
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// Several.
    List(Vec<String>),
}

/// Who set a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SettingOrigin {
    /// Nobody.
    Default,
    /// The file.
    File,
    /// A variable of the environment.
    Environment,
}

/// The answer of `proc diff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiffReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `diff`.
    pub command: String,
    /// Whether there is no difference: the exit code is 0.
    pub ok: bool,
    /// What was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<DiffSide>,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DiffSide>,
    /// How many places serve in the second.
    pub compared: usize,
    /// The differences, by port, protocol and address.
    pub differences: Vec<DifferenceReport>,
    /// What could not be seen then or now.
    pub gaps: Vec<GapReport>,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// A recording that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiffSide {
    /// The file; absent for this machine as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// When it was taken (RFC 3339).
    pub taken_at: String,
    /// The ports it was taken for; none for the whole machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
}

/// One difference between two recordings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DifferenceReport {
    /// What kind.
    pub kind: DifferenceKind,
    /// Whether the evidence proves it: not where a holder could not be seen.
    pub certain: bool,
    /// The socket as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketReport>,
    /// The socket as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SocketReport>,
    /// Who holds it now.
    pub processes: Vec<ProcessReport>,
    /// Who held it.
    pub processes_before: Vec<ProcessReport>,
    /// One sentence.
    pub explain: String,
}

/// What changed at a place: a protocol, an address and a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// Something is there now, and nothing was.
    Opened,
    /// Something was there, and nothing is.
    Closed,
    /// Nobody who has it now had it before.
    ChangedHands,
    /// The same command has it, as another process.
    Restarted,
    /// The same program has the same port at another address.
    Moved,
    /// It was bound and listens now.
    Listening,
    /// It listened and is only bound now.
    ListensNoMore,
}

/// The answer of `proc doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DoctorReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `doctor`.
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// What was examined; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineReport>,
    /// The checks, in their fixed order.
    pub checks: Vec<CheckReport>,
    /// The commands that would show this user more.
    pub cures: Vec<CureReport>,
    /// For how many milliseconds it was examined.
    pub took_ms: u64,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// The machine, the program and the user that were examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MachineReport {
    /// `linux`, `macos`, `windows`, or another system's name.
    pub system: String,
    /// The system's release, as it says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// What the program was built for: `x86_64`, `aarch64`.
    pub architecture: String,
    /// The program's version.
    pub version: String,
    /// The program's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user.
    pub uid: u32,
}

/// One check of `proc doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckReport {
    /// Its name, which does not change.
    pub id: String,
    /// What it is about.
    pub group: CheckGroup,
    /// Whether no answer can be trusted where it fails.
    pub essential: bool,
    /// What it came to; absent in a list, where nothing was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CheckStatus>,
    /// One sentence: what was found, or in a list what it means.
    pub explain: String,
    /// What would change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CheckGroup {
    /// Sockets of our own are found, and their holder is named.
    Sockets,
    /// A call or a manager that answers stand on.
    Mechanisms,
    /// Acting on a process of our own.
    Acting,
    /// What this user can see of others.
    Sight,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CheckStatus {
    /// It is as it should be.
    Works,
    /// It is less than it could be, by this system or for this user; answers say so where it counts.
    Limited,
    /// It is wrong.
    Fails,
    /// This system or machine has no such thing.
    Absent,
}

/// A command that would show this user more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CureReport {
    /// The command.
    pub argv: Vec<String>,
    /// Whether it would.
    pub effective: bool,
    /// One sentence: what it means, or why it would not.
    pub explain: String,
}

/// The answer of `proc pick`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PickReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `pick`.
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// The ports, in the order found.
    pub ports: Vec<u16>,
    /// What each is free on.
    pub protocols: Vec<Protocol>,
    /// The address each is free on, where one was asked for; else every address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// For how many milliseconds other picks leave them alone; absent where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// What was not as it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// The answer of `proc undo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UndoReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `undo`.
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// Where the acts are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The act that was to be undone, or all that are kept (`--list`), newest first.
    pub acts: Vec<UndoAct>,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// One act of `kill`, `stop` or `free`, and what can be started again of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UndoAct {
    /// Its number, for `proc undo N`.
    pub number: u64,
    /// When it was, RFC 3339, UTC; absent where its file cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How long ago, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// `kill`, `stop` or `free`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    /// The targets it was about.
    pub targets: Vec<String>,
    /// What it ended.
    pub items: Vec<UndoItem>,
    /// Why its file cannot be read, or what became of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
}

/// One thing that an act ended. Secrets in `argv` are masked unless asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UndoItem {
    /// What kind of thing.
    pub kind: UndoKind,
    /// Its name.
    pub name: String,
    /// Its process, as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The command that starts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The user's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it listened on: `tcp:127.0.0.1:3000`, or a path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Variables of its environment that were not kept, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Whether it can be started again, as far as can be told without trying.
    pub undoable: bool,
    /// Whether it was started again before.
    pub done: bool,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<UndoOutcome>,
    /// Its new process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_pid: Option<u32>,
    /// The file that its output goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The last lines that it wrote, where it ended again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// One sentence: why not, or what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
    /// What is not restored, and what is different, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What kind of thing an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UndoKind {
    /// A process.
    Process,
    /// What a manager or an engine stopped, by a command.
    Command,
    /// What nobody can bring back.
    Lost,
}

/// What became of the wish to start something again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UndoOutcome {
    /// It runs, and serves what it served.
    Started,
    /// It was there already.
    AlreadyRunning,
    /// It was started again before, and has ended since.
    AlreadyUndone,
    /// Its port is somebody else's by now.
    PortTaken,
    /// It runs and does not serve its port in time.
    NotServing,
    /// It has ended again.
    ExitedAgain,
    /// It cannot be started again.
    Impossible,
    /// It could not be started.
    Failed,
    /// This user may not.
    Denied,
    /// A guard rail stands before it.
    Refused,
    /// The person said no, or nobody could be asked.
    Declined,
    /// `--dry-run`: it would be started.
    Planned,
}

/// The answer of `proc pick --leases`, `--release` and `--clear`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeasesReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `pick`.
    pub command: String,
    /// Whether the exit code is 0.
    pub ok: bool,
    /// The leases that there are, or those that were to end, by port.
    pub leases: Vec<LeaseReport>,
    /// How many files of dead leases were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<usize>,
    /// What stopped the command.
    pub error: Option<ErrorReport>,
}

/// One lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeaseReport {
    /// The port.
    pub port: u16,
    /// Its transport.
    pub protocol: Protocol,
    /// What ends it; absent where there is no lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<LeaseKind>,
    /// The processes that have it, or the one that ran `proc pick` for it.
    pub pids: Vec<u32>,
    /// The command that has it, or the name of the process that ran `proc pick`. Secrets are masked.
    pub argv: Vec<String>,
    /// The user's number.
    pub uid: Option<u32>,
    /// The user's name.
    pub user: Option<String>,
    /// Milliseconds since it began.
    pub age_ms: Option<u64>,
    /// Milliseconds until it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
    /// What became of the wish to end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<LeaseOutcome>,
    /// One sentence on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
}

/// What ends a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LeaseKind {
    /// The end of the last process that has it.
    Command,
    /// Its time.
    Timed,
}

/// What became of the wish to end a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LeaseOutcome {
    /// It is over.
    Released,
    /// There was none.
    NotLeased,
    /// A process has it.
    HasHolder,
    /// It is another user's.
    AnotherUsers,
}

/// What happened, of one line of `proc watch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WatchKind {
    /// A socket is there when the watch begins, or one that was only bound listens now.
    Listening,
    /// A socket took the port.
    Opened,
    /// A socket let go of the port.
    Closed,
    /// Another program has the port: it took it soon after it was let go, or a socket is held by
    /// another process than before.
    ChangedHands,
    /// The same program has the port again, in a new process.
    Restarted,
    /// A socket had the port for so short a time that only its end was heard of.
    Brief,
    /// The number of open connections changed.
    Clients,
    /// A process that is watched is there, or came.
    ProcessStarted,
    /// A process that is watched ended.
    ProcessEnded,
    /// Something may have been missed.
    Gap,
}

/// One line of `proc watch --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WatchEvent {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When it was seen, RFC 3339, UTC, by the wall clock: lines are in the order of what
    /// happened also where that clock was set back.
    pub at: String,
    /// What happened.
    pub kind: WatchKind,
    /// Whether it is no change: so it was when the watch began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initial: bool,
    /// The target it is about, in its canonical form; absent where all ports are watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<SocketReport>,
    /// The process: who has the socket or had it, topmost of several; or who started or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessReport>,
    /// Who had it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ProcessReport>,
    /// Who brought it back, or started the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SupervisorReport>,
    /// Milliseconds since the port was let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// How many open connections there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<usize>,
    /// One sentence.
    pub explain: String,
}
