//! The sentences of `proc doctor`: what was found, what that means, what would change it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::bind::BindResult;
use crate::explain::{count, seconds, stopwatch};
use crate::host::ActError;
use crate::report::{ProcessReport, SocketReport, TargetReport};
use crate::snapshot::Source;
use crate::socket::Socket;

pub(super) fn patient(pid: u32) -> String {
    format!(
        "process {pid} was started to be examined; it is of this program and ends with this run"
    )
}

pub(super) fn no_patient(error: &std::io::Error) -> String {
    format!("no process could be started to be examined: {error}")
}

pub(super) fn patient_gone() -> String {
    "the process that is examined ended early".to_owned()
}

pub(super) fn unseen_patient(pid: u32) -> String {
    format!("process {pid}, our own child, is not in the list of processes")
}

pub(super) fn none_here(why: &str) -> String {
    format!("not on this system, or turned off: {why}")
}

pub(super) fn not_opened(why: &str) -> String {
    format!("none could be opened: {why}")
}

pub(super) fn no_specimen() -> String {
    "there is no socket to try it with: see the checks of sockets".to_owned()
}

pub(super) fn found(at: &str, socket: &SocketReport, process: Option<&ProcessReport>) -> String {
    let holder = socket.holders.first();
    let descriptor = holder
        .and_then(|holder| holder.fd)
        .map_or(String::new(), |fd| format!(", descriptor {fd}"));
    let name = process.map_or("a process", |process| process.name.as_str());
    let pid = process.map_or(0, |process| process.pid);
    format!("{at} is found, held by {name} ({pid}{descriptor})")
}

pub(super) fn lingers(at: &str, socket: &SocketReport) -> String {
    match socket.expires_ms {
        Some(ms) => format!("{at} is found; nobody owns it, and it passes in {}", seconds(ms)),
        None => format!("{at} is found; nobody owns it"),
    }
}

pub(super) fn found_harmless(at: &str, pid: u32) -> String {
    format!("{at} is found, held by our own process ({pid}); it keeps nobody from binding here")
}

pub(super) fn lingers_harmless(at: &str) -> String {
    format!("{at} is found; nobody owns it, and it keeps nobody from binding here")
}

pub(super) fn held_by(at: &str, pids: &[u32]) -> String {
    match pids.first() {
        Some(pid) => format!("{at} is found, and process {pid} is said to hold it"),
        None => format!("{at} is found, and nobody is said to hold it"),
    }
}

pub(super) fn not_found(at: &str, report: &TargetReport) -> String {
    match report.sockets.len() {
        0 => format!("{at} was opened and is not found"),
        others => format!(
            "{at} was opened and is not found as what it is, but {}",
            count(others, "other socket of that port", "other sockets of that port")
        ),
    }
}

pub(super) fn wrong_family(at: &str) -> String {
    format!("{at} is found, and whether it takes IPv4 too is told wrongly")
}

pub(super) fn wrong_holder(at: &str, socket: &SocketReport) -> String {
    match (socket.hidden, socket.holders.first()) {
        (true, _) => format!("{at} is found, and its holder, our own child, is said to be hidden"),
        (false, Some(holder)) => {
            format!("{at} is found, and process {} is said to hold it, which does not", holder.pid)
        }
        (false, None) => format!("{at} is found, and nobody is said to hold it"),
    }
}

pub(super) fn nameless(at: &str, pid: u32) -> String {
    format!("{at} is found with its holder {pid}, of which nothing else is known")
}

pub(super) fn wrong_cause(at: &str, report: &TargetReport) -> String {
    match report.causes.first() {
        Some(cause) => format!("{at} is found and taken for something else: {}", cause.explain),
        None => format!("{at} is found, and is not given as what keeps others from binding it"),
    }
}

pub(super) fn source(source: Source) -> String {
    match source {
        Source::SockDiag => "netlink's sock_diag answers".to_owned(),
        Source::ProcNet => "/proc/net answers".to_owned(),
        Source::PcbList => "net.inet.tcp.pcblist_n answers".to_owned(),
        Source::ExtendedTable => "GetExtendedTcpTable answers".to_owned(),
    }
}

pub(super) fn substitute(error: &str) -> String {
    format!(
        "the kernel's socket query is refused ({error}); /proc/net answers in its place, without bound sockets and TIME-WAIT clocks"
    )
}

pub(super) fn no_sockets(error: &str) -> String {
    format!("sockets cannot be listed ({error})")
}

pub(super) fn bound_listed() -> String {
    "sockets that are bound and do nothing else are listed, whoever has them".to_owned()
}

pub(super) fn bound_one_by_one() -> String {
    "this kernel does not list bound sockets; those of your own processes are asked one by one, those of others stay unseen".to_owned()
}

pub(super) fn bound_unlisted() -> String {
    "this Windows does not list bound sockets, so one that does nothing else stays unseen"
        .to_owned()
}

pub(super) fn bound_cure() -> String {
    "Windows 10 version 1809 or newer".to_owned()
}

pub(super) fn options_read(reuse_addr: bool) -> String {
    let set = if reuse_addr { "is set" } else { "is not set" };
    format!("read from a copy of the holder's descriptor: SO_REUSEADDR {set} on the listener")
}

pub(super) fn options_of_children(scope: u32) -> String {
    format!(
        "read of own children only: kernel.yama.ptrace_scope is {scope}, so of other processes' sockets it stays unknown whether they set SO_REUSEADDR"
    )
}

pub(super) fn options_unread() -> String {
    "not read, so remedies do not know whether a holder sets SO_REUSEADDR".to_owned()
}

pub(super) fn probe_refused(address: SocketAddr) -> String {
    format!("a bind of {address}, which our own process holds, comes to EADDRINUSE")
}

pub(super) fn probe_wrong(address: SocketAddr, result: BindResult) -> String {
    format!("a bind of {address}, which our own process holds, comes to {}", result.name())
}

pub(super) fn reset() -> String {
    "our own TIME-WAIT was ended, and its port is clear".to_owned()
}

fn left(socket: &Socket) -> String {
    socket.expires_ms.map_or("by itself".to_owned(), |ms| format!("by itself in {}", seconds(ms)))
}

pub(super) fn passes_by_itself(socket: &Socket) -> String {
    format!("this system has no way to end one early; ours passes {}", left(socket))
}

pub(super) fn not_reset(error: ActError, socket: &Socket) -> String {
    format!("{error}; ours passes {}", left(socket))
}

pub(super) fn reset_forbidden(socket: &Socket) -> String {
    format!(
        "net.ipv4.tcp_rfc1337 is 1, which keeps one from being ended early; ours passes {}",
        left(socket)
    )
}

pub(super) fn reset_ignored(socket: &Socket) -> String {
    format!("it was tried and changed nothing; ours passes {}", left(socket))
}

pub(super) fn destroyed() -> String {
    "a connection of our own process was closed under it".to_owned()
}

pub(super) fn stays_open() -> String {
    "the system said that it closed a connection of our own process, and the connection is still there"
        .to_owned()
}

pub(super) fn may_not_destroy() -> String {
    "you may not: it needs CAP_NET_ADMIN, and is used for somebody's outgoing connection that drew your port".to_owned()
}

pub(super) fn cannot_destroy() -> String {
    "this kernel cannot (CONFIG_INET_DIAG_DESTROY)".to_owned()
}

pub(super) fn not_destroyed(error: ActError) -> String {
    format!("it was tried on our own connection: {error}")
}

pub(super) fn deaf() -> String {
    "the system tells nothing, so waiting looks again every few milliseconds".to_owned()
}

pub(super) fn heard(after: Duration) -> String {
    format!("our own process closed a socket, and the news of it came after {}", stopwatch(after))
}

pub(super) fn not_heard(limit: Duration) -> String {
    format!("our own process closed a socket, and no news of it came within {}", stopwatch(limit))
}

pub(super) fn interrupted() -> String {
    "you interrupted it".to_owned()
}

pub(super) fn namespaces(with_servers: usize) -> String {
    match with_servers {
        0 => "all that there are were looked into; none has a listening socket".to_owned(),
        some => format!(
            "all that there are were looked into; {} listening sockets",
            count(some, "has", "have")
        ),
    }
}

pub(super) fn no_namespaces() -> String {
    "this system has none".to_owned()
}

pub(super) fn unseen_namespaces(unseen: Option<usize>, seen: usize) -> String {
    let unseen = match unseen {
        Some(unseen) => {
            format!(
                "{} not looked into",
                count(unseen, "network namespace was", "network namespaces were")
            )
        }
        None => "some processes do not say in which they are".to_owned(),
    };
    match seen {
        0 => unseen,
        _ => format!(
            "{unseen}; {} seen",
            count(seen, "other with a server is", "others with servers are")
        ),
    }
}

pub(super) fn no_filter() -> String {
    "nothing here translates addresses, so no rule can send a port elsewhere".to_owned()
}

pub(super) fn rules_read() -> String {
    "the rules are read".to_owned()
}

pub(super) fn rules_unread(error: &str) -> String {
    format!(
        "the rules cannot be read ({error}), so a port that one of them sends elsewhere looks free"
    )
}

pub(super) fn no_engine() -> String {
    "none has a socket here".to_owned()
}

pub(super) fn engines(sockets: &[String]) -> String {
    format!("asked: {}", sockets.join(", "))
}

pub(super) fn no_service_manager() -> String {
    "none that can be asked started this machine".to_owned()
}

pub(super) fn told_nothing(name: &str) -> String {
    format!("{name} answered nothing of what it must have")
}

pub(super) fn manager_answers(name: &str, took: Duration) -> String {
    format!("{name} answers in {}", stopwatch(took))
}

pub(super) fn pinned() -> String {
    "our own process is held by a handle of the system".to_owned()
}

pub(super) fn told_apart() -> String {
    "the same number with another start is refused".to_owned()
}

pub(super) fn mistaken() -> String {
    "a process was held that only has the same number: nobody should be ended here".to_owned()
}

pub(super) fn holds_still() -> String {
    "it still has the listener that was found".to_owned()
}

pub(super) fn holds_no_more() -> String {
    "it has its listener, and is said to have it no more".to_owned()
}

pub(super) fn asked() -> String {
    "our own process was asked to end (SIGTERM)".to_owned()
}

pub(super) fn only_forced(error: ActError) -> String {
    format!("our own process could not be asked to end ({error}), and was forced")
}

pub(super) fn not_asked() -> String {
    "it could be neither asked nor forced".to_owned()
}

pub(super) fn lives_on(limit: Duration) -> String {
    format!("it was asked to end and had not {} later", stopwatch(limit))
}

pub(super) fn ended(after: Duration) -> String {
    format!("it ended, and that was noticed, {} after it was asked", stopwatch(after))
}

pub(super) fn bound_again(address: SocketAddr) -> String {
    format!("{address} can be bound again")
}

pub(super) fn not_bindable(address: SocketAddr, result: BindResult) -> String {
    format!("its holder has ended, and a bind of {address} still comes to {}", result.name())
}

pub(super) fn nothing_to_bind() -> String {
    no_specimen()
}

pub(super) fn cannot(error: ActError) -> String {
    format!("our own process: {error}")
}

/// Listeners and UDP sockets alike.
const SERVERS: [&str; 2] = ["socket that serves a port", "sockets that serve a port"];

pub(super) fn every_port(servers: usize) -> String {
    match servers {
        0 => "no socket serves a port on this machine".to_owned(),
        _ => format!("the holders of {} are known", count(servers, SERVERS[0], SERVERS[1])),
    }
}

pub(super) fn hidden_ports(hidden: usize, servers: usize) -> String {
    let of = count(servers, SERVERS[0], SERVERS[1]);
    format!("of {of}, {} a holder that you may not see", count(hidden, "has", "have"))
}

pub(super) fn every_process() -> String {
    "the descriptors of every process can be read".to_owned()
}

pub(super) fn hidden_processes(unreadable: usize) -> String {
    format!("the descriptors of {} cannot be read", count(unreadable, "process", "processes"))
}

pub(super) fn hidepid(value: &str) -> String {
    format!("/proc is mounted with hidepid={value}: other users' processes are not in it for you")
}

pub(super) fn inner_namespace() -> String {
    "this is a process namespace of its own: what runs outside of it is not seen, and may hold a port of this machine".to_owned()
}

pub(super) fn whole_list() -> String {
    "every process is listed".to_owned()
}

pub(super) fn no_floor() -> String {
    "every port may be bound by everybody here".to_owned()
}

pub(super) fn may_bind_privileged(floor: u16) -> String {
    format!("you may bind ports below {floor}")
}

pub(super) fn may_not_bind_privileged(floor: u16) -> String {
    format!("you may not bind ports below {floor}; a server of yours cannot either")
}

pub(super) fn sudo() -> String {
    "once, as root: sees every process, and may end other users' processes".to_owned()
}

pub(super) fn setcap() -> String {
    "for good, until the file is replaced or `setcap -r`: whoever may run that file then reads any process and any file through it as root would, so give it to a copy that only you may run; it does not let anybody end other users' processes".to_owned()
}

pub(super) fn nosuid() -> String {
    "would not count: the program's file is on a file system that is mounted nosuid; copy it elsewhere first".to_owned()
}

pub(super) fn no_new_privileges() -> String {
    "would not count: this process may gain no privileges (no_new_privs), as in a sandbox"
        .to_owned()
}

pub(super) fn user_namespace() -> String {
    "would not count: this is a user namespace of its own, whose rights end at its border"
        .to_owned()
}
