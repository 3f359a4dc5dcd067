//! The text files of Linux's `/proc` as values (proc(5) and the kernel files named at each
//! function). Every parser takes what it gets: truncated, hostile or empty bytes give `None`,
//! a skipped row or an empty list, never a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use crate::process::ProcessState;
use crate::socket::{LocalAddress, Protocol, Socket, TcpState};

/// How many clock ticks `/proc` counts in a second (USER_HZ). 100 on every architecture that
/// Rust's standard library runs Linux on; only alpha and ia64 had 1024.
pub const TICKS_PER_SECOND: u64 = 100;

/// PF_KTHREAD of `include/linux/sched.h`: a thread of the kernel.
const PF_KTHREAD: u32 = 0x0020_0000;

/// The fields of `/proc/PID/stat` (proc_pid_stat(5)) that a process is described by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The process, in the reader's PID namespace.
    pub pid: u32,
    /// The short name, at most 15 bytes (more for kernel threads), as the process chose it.
    pub name: String,
    /// The letter of its state.
    pub state: u8,
    /// The parent; 0 for none or one outside of the PID namespace.
    pub ppid: u32,
    /// The process group; `None` where it is outside of the PID namespace.
    pub group: Option<u32>,
    /// The session; `None` where it is outside of the PID namespace.
    pub session: Option<u32>,
    /// The controlling terminal's device number; 0 for none. See [`terminal_name`].
    pub tty: u32,
    /// Whether it is a thread of the kernel.
    pub kernel_thread: bool,
    /// How many threads.
    pub threads: u32,
    /// When it started, in ticks since boot ([`TICKS_PER_SECOND`]).
    pub start: u64,
    /// Processor time of all its threads, user's and kernel's, in ticks.
    pub cpu_ticks: u64,
    /// The kernel's part of that, in ticks.
    pub kernel_ticks: u64,
    /// Pages that it wanted and that were not mapped, from memory and from disks.
    pub faults: u64,
    /// The pages of it that are in memory; `None` where the line ends before.
    pub resident_pages: Option<u64>,
}

impl Stat {
    /// What it is doing. A zombie with other threads is a process whose main thread has ended.
    pub const fn process_state(&self) -> ProcessState {
        match self.state {
            b'R' => ProcessState::Running,
            // I is a kernel thread's uninterruptible sleep that waits for work, not for a device.
            b'S' | b'I' => ProcessState::Sleeping,
            b'D' => ProcessState::Uninterruptible,
            b'T' => ProcessState::Stopped,
            b't' => ProcessState::Traced,
            b'Z' if self.threads > 1 => ProcessState::LeaderExited,
            b'Z' | b'X' | b'x' => ProcessState::Zombie,
            _ => ProcessState::Other,
        }
    }
}

/// `/proc/PID/stat`. The name is not escaped there and may hold anything, so it ends at the
/// last `)`: all that follows is numbers and one letter.
pub fn stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|&byte| byte == b'(')?;
    let close = bytes.iter().rposition(|&byte| byte == b')').filter(|&close| close > open)?;
    let mut fields = words(&bytes[close + 1..]);
    // Numbered as in the manual page: state is field 3.
    let state = *fields.next()?.first()?;
    let ppid = number(fields.next()?)?;
    let group = signed(fields.next()?)?;
    let session = signed(fields.next()?)?;
    let tty = signed(fields.next()?)?;
    let flags: u32 = number(fields.nth(1)?)?;
    let minor_faults: u64 = number(fields.next()?)?;
    let major_faults: u64 = number(fields.nth(1)?)?;
    let user: u64 = number(fields.nth(1)?)?;
    let kernel: u64 = number(fields.next()?)?;
    let threads = number(fields.nth(4)?)?;
    let start = number(fields.nth(1)?)?;
    let resident_pages = fields.nth(1).and_then(number);
    Some(Stat {
        pid: number(words(&bytes[..open]).next()?)?,
        name: lossy(&bytes[open + 1..close]),
        state,
        ppid,
        group: u32::try_from(group).ok().filter(|&group| group != 0),
        session: u32::try_from(session).ok().filter(|&session| session != 0),
        tty: tty.cast_unsigned(),
        kernel_thread: flags & PF_KTHREAD != 0,
        threads,
        start,
        cpu_ticks: user.saturating_add(kernel),
        kernel_ticks: kernel,
        faults: minor_faults.saturating_add(major_faults),
        resident_pages,
    })
}

/// The lines of `/proc/PID/status` (proc_pid_status(5)) that `stat` has no field for. Absent
/// lines, as on older kernels, are `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The effective user.
    pub uid: Option<u32>,
    /// How many threads.
    pub threads: Option<u32>,
    /// The letter of its state.
    pub state: Option<u8>,
    /// The effective capabilities, one bit each (capabilities(7)).
    pub capabilities: Option<u64>,
    /// The seccomp mode: 0 none, 1 strict, 2 filter.
    pub seccomp: Option<u8>,
    /// Its PIDs from the reader's PID namespace to its own.
    pub namespace_pids: Vec<u32>,
    /// The signals it ignores, bit 0 for signal 1.
    pub ignored: Option<u64>,
    /// The signals it handles, bit 0 for signal 1.
    pub caught: Option<u64>,
    /// The process that traces it (ptrace(2)).
    pub tracer: Option<u32>,
    /// How often it waited for something.
    pub waits: Option<u64>,
}

/// `/proc/PID/status` (`fs/proc/array.c`). The name is escaped there, so lines are lines.
pub fn status(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    for line in lines(bytes) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let mut values = words(&line[colon + 1..]);
        match &line[..colon] {
            b"Uid" => status.uid = values.nth(1).and_then(number),
            b"Threads" => status.threads = values.next().and_then(number),
            b"State" => status.state = values.next().and_then(<[u8]>::first).copied(),
            b"CapEff" => status.capabilities = values.next().and_then(hex),
            b"Seccomp" => status.seccomp = values.next().and_then(number),
            b"NSpid" => status.namespace_pids = values.map_while(number).collect(),
            b"SigIgn" => status.ignored = values.next().and_then(hex),
            b"SigCgt" => status.caught = values.next().and_then(hex),
            b"TracerPid" => status.tracer = values.next().and_then(number).filter(|&pid| pid != 0),
            b"voluntary_ctxt_switches" => status.waits = values.next().and_then(number),
            _ => {}
        }
    }
    status
}

/// `/proc/PID/cmdline`: the arguments, separated by NULs, lossily as text. Trailing NULs go: a
/// title written over the arguments (setproctitle) is padded with them, and such a title is
/// one argument. An empty last argument is lost with them. Empty for kernel threads and zombies.
pub fn cmdline(bytes: &[u8]) -> Vec<String> {
    let Some(last) = bytes.iter().rposition(|&byte| byte != 0) else { return Vec::new() };
    bytes[..=last].split(|&byte| byte == 0).map(lossy).collect()
}

/// The most telling path of `/proc/PID/cgroup` (cgroups(7)). With the pure version 2 there is
/// one. Beside version 1, systemd's own tree (`name=systemd`) carries units and containers,
/// then version 2, then any controller; a path of `/` says nothing and is the last resort.
pub fn cgroup(bytes: &[u8]) -> Option<String> {
    let rows = || lines(bytes).filter_map(cgroup_row);
    let telling = |path: &[u8]| path != b"/";
    rows()
        .find(|(controllers, path)| *controllers == b"name=systemd" && telling(path))
        .or_else(|| rows().find(|(controllers, path)| controllers.is_empty() && telling(path)))
        .or_else(|| rows().find(|(_, path)| telling(path)))
        .or_else(|| rows().next())
        .map(|(_, path)| lossy(path))
}

/// A row `hierarchy:controllers:path`; the path may hold colons. The kernel marks the path of a
/// group that was removed under a zombie.
fn cgroup_row(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    let _hierarchy: u32 = number(fields.next()?)?;
    let (controllers, path) = (fields.next()?, fields.next()?);
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.starts_with(b"/").then_some((controllers, path))
}

/// The table `/proc/net/tcp` or `/proc/net/tcp6` (`net/ipv4/tcp_ipv4.c`, `tcp_seq_show`). It
/// has no sockets that are only bound, no SO_COOKIE, no IPV6_V6ONLY and no backlog limit.
pub fn tcp_table(bytes: &[u8]) -> Vec<Socket> {
    lines(bytes).filter_map(|line| inet_row(line, Protocol::Tcp)).collect()
}

/// The table `/proc/net/udp`, `udp6`, `udplite` or `udplite6` (`net/ipv4/udp.c`,
/// `udp4_seq_show`).
pub fn udp_table(bytes: &[u8], protocol: Protocol) -> Vec<Socket> {
    lines(bytes).filter_map(|line| inet_row(line, protocol)).collect()
}

/// A row `sl: local remote st tx:rx tr:when retrnsmt uid timeout inode …`.
fn inet_row(line: &[u8], protocol: Protocol) -> Option<Socket> {
    let mut fields = words(line);
    let _slot: u64 = number(fields.next()?.strip_suffix(b":")?)?;
    let local = inet_address(fields.next()?)?;
    let remote = inet_address(fields.next()?)?;
    let state: u8 = hex(fields.next()?)?;
    let timer = fields.nth(1)?;
    let uid = number(fields.nth(1)?)?;
    let inode = number(fields.nth(1)?).filter(|&inode: &u64| inode != 0);
    let tcp = protocol == Protocol::Tcp;
    let mut socket =
        Socket::new(protocol, LocalAddress::Inet(local), tcp.then(|| tcp_state(state)).flatten());
    if tcp && socket.state.is_none() {
        return None;
    }
    let connected = remote.port() != 0 || !remote.ip().is_unspecified();
    socket.remote = connected.then_some(remote);
    socket.inode = inode;
    // Without an inode the column is whatever the kernel left there, mostly 0.
    socket.uid = inode.and(Some(uid));
    socket.expires_ms = if tcp { expiry(timer) } else { None };
    Some(socket)
}

/// `tr:when`: timer 3 is TIME-WAIT's (and an orphaned FIN-WAIT-2's), in ticks until it ends.
fn expiry(field: &[u8]) -> Option<u32> {
    let (timer, when) = split_once(field, b':')?;
    let timer: u8 = hex(timer)?;
    let ticks: u64 = hex(when)?;
    let ms = ticks.saturating_mul(1000 / TICKS_PER_SECOND);
    (timer == 3).then(|| u32::try_from(ms).unwrap_or(u32::MAX))
}

/// The numbers of `include/net/tcp_states.h`. A request that is not yet a socket
/// (NEW_SYN_RECV) prints as SYN_RECV.
const fn tcp_state(number: u8) -> Option<TcpState> {
    Some(match number {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        13 => TcpState::Bound,
        _ => return None,
    })
}

/// `0100007F:1F90`: each 32-bit word of the address lies in memory as on the wire and is
/// printed as this machine reads it; the port is a plain number.
fn inet_address(field: &[u8]) -> Option<SocketAddr> {
    let (address, port) = split_once(field, b':')?;
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(address)?)),
        32 => {
            let mut octets = [0; 16];
            for (part, text) in octets.chunks_exact_mut(4).zip(address.chunks_exact(8)) {
                part.copy_from_slice(&word(text)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, hex(port)?))
}

/// Eight hexadecimal digits as the four bytes they were printed from.
fn word(text: &[u8]) -> Option<[u8; 4]> {
    hex::<u32>(text).map(u32::to_ne_bytes)
}

/// The table `/proc/net/unix` (unix(7), `net/unix/af_unix.c`, `unix_seq_show`): named and
/// unnamed sockets. A path that itself begins with `@` is taken for an abstract name, which the
/// kernel prints the same; a path with a newline is cut there.
pub fn unix_table(bytes: &[u8]) -> Vec<Socket> {
    lines(bytes).filter_map(unix_row).collect()
}

/// A row `address: refs protocol flags type state inode[ path]`.
fn unix_row(line: &[u8]) -> Option<Socket> {
    /// `__SO_ACCEPTCON`: listening.
    const ACCEPTS: u32 = 0x0001_0000;
    let (mut fields, mut rest) = ([&line[..0]; 7], line);
    for field in &mut fields {
        (*field, rest) = next_word(rest)?;
    }
    let [address, _, _, flags, kind, state, inode] = fields;
    let _address: u64 = hex(address.strip_suffix(b":")?)?;
    let (flags, kind, state): (u32, u16, u8) = (hex(flags)?, hex(kind)?, hex(state)?);
    let name = rest.strip_prefix(b" ").unwrap_or_default();
    let local = match name {
        [] => LocalAddress::Unnamed,
        [b'@', name @ ..] => LocalAddress::Abstract(lossy(name)),
        path => LocalAddress::Path(lossy(path)),
    };
    // Types as in socket(2): datagram sockets have no connections to be in a state of.
    let state = match (kind, state) {
        (2, _) => None,
        _ if flags & ACCEPTS != 0 => Some(TcpState::Listen),
        (_, 3) => Some(TcpState::Established),
        _ => None,
    };
    let mut socket = Socket::new(Protocol::Unix, local, state);
    socket.inode = number(inode).filter(|&inode: &u64| inode != 0);
    Some(socket)
}

/// What `/proc/PID/fdinfo/FD` tells about sockets held without a descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FdInfo {
    /// For a unix socket: how many descriptors wait in its queue (`scm_fds`, `net/unix`).
    pub queued_descriptors: u32,
    /// For an io_uring: the inodes of the sockets registered with it.
    pub ring_sockets: Vec<u64>,
    /// For an io_uring of an older kernel, which prints a socket as `TCP`: how many of those.
    pub ring_unnamed_sockets: u32,
}

/// `/proc/PID/fdinfo/FD` (`io_uring/fdinfo.c`, `net/unix/af_unix.c`).
pub fn fdinfo(bytes: &[u8]) -> FdInfo {
    let mut info = FdInfo::default();
    let mut in_files = false;
    for line in lines(bytes) {
        if let Some(count) = line.strip_prefix(b"scm_fds:") {
            info.queued_descriptors = words(count).next().and_then(number).unwrap_or(0);
        } else if line.first().is_some_and(u8::is_ascii_alphabetic) {
            in_files = line.starts_with(b"UserFiles:");
        } else if in_files && let Some((_, file)) = split_once(line, b':') {
            let file = file.trim_ascii();
            if let Some(inode) = socket_inode(file) {
                info.ring_sockets.push(inode);
            } else if matches!(file, b"TCP" | b"TCPv6" | b"MPTCP" | b"MPTCPv6" | b"UDP" | b"UDPv6")
            {
                info.ring_unnamed_sockets += 1;
            }
        }
    }
    info
}

/// What `/proc/PID/fdinfo/FD` tells of every descriptor (proc_pid_fdinfo(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// The flags it was opened with (open(2)).
    pub flags: Option<u32>,
    /// The mount its file was opened through, as in `/proc/PID/mountinfo`.
    pub mount: Option<u64>,
    /// Its file's inode (Linux 5.14).
    pub inode: Option<u64>,
    /// Whether a lock was taken through it (flock(2), fcntl(2)).
    pub locked: bool,
}

/// `/proc/PID/fdinfo/FD` (`seq_show` in fs/proc/fd.c).
pub fn descriptor(bytes: &[u8]) -> Descriptor {
    let mut info = Descriptor::default();
    for line in lines(bytes) {
        let Some((name, value)) = split_once(line, b':') else { continue };
        let mut values = words(value);
        match name {
            b"flags" => {
                let octal = values.next().and_then(|word| radix(word, 8));
                info.flags = octal.and_then(|flags| u32::try_from(flags).ok());
            }
            b"mnt_id" => info.mount = values.next().and_then(number),
            b"ino" => info.inode = values.next().and_then(number),
            // A request that waits for the lock is a line with an arrow (`lock_get_status`).
            b"lock" => info.locked |= !values.any(|word| word == b"->"),
            _ => {}
        }
    }
    info
}

/// The system call a thread is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// Its number, which depends on the processor.
    pub number: u64,
    /// The first argument.
    pub first_argument: u64,
}

/// `/proc/PID/syscall` (proc_pid_syscall(5)): `running`, `-1` outside of any, or the number and the
/// arguments.
pub fn system_call(bytes: &[u8]) -> Option<SystemCall> {
    let mut fields = words(bytes);
    let number = number(fields.next()?)?;
    let first_argument = hex(fields.next()?.strip_prefix(b"0x")?)?;
    Some(SystemCall { number, first_argument })
}

/// A line of `/proc/PID/maps` (proc_pid_maps(5)) with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedFile<'a> {
    /// The device of its file system: major and minor.
    pub device: (u32, u32),
    /// Its inode.
    pub inode: u64,
    /// Its path. A newline in it stands there as `\012`.
    pub path: &'a [u8],
}

/// The files of `/proc/PID/maps`, one for each mapping.
pub fn mapped_files(bytes: &[u8]) -> impl Iterator<Item = MappedFile<'_>> {
    lines(bytes).filter_map(|line| {
        // The path is the rest, blanks of its own included.
        let mut fields = line.splitn(6, |&byte| byte == b' ');
        let (major, minor) = split_once(fields.nth(3)?, b':')?;
        let inode = number(fields.next()?).filter(|&inode| inode != 0)?;
        let path = fields.next()?.trim_ascii_start();
        Some(MappedFile { device: (hex(major)?, hex(minor)?), inode, path })
    })
}

/// The inodes of the sockets that `/proc/PID/maps` (proc_pid_maps(5)) shows as mapped. A file
/// of such a name has a `/` before it and does not count.
pub fn mapped_sockets(bytes: &[u8]) -> Vec<u64> {
    lines(bytes).filter_map(|line| socket_inode(words(line).nth(5)?)).collect()
}

/// The inode in the link text `socket:[N]` of `/proc/PID/fd/FD`. Called once for every
/// descriptor of the machine: no allocation, no second look at a byte.
pub fn socket_inode(link: &[u8]) -> Option<u64> {
    bracketed(link, b"socket:[")
}

/// The inode in the link text `net:[N]` of `/proc/PID/ns/net` (namespaces(7)).
pub fn net_namespace(link: &[u8]) -> Option<u64> {
    bracketed(link, b"net:[")
}

/// The number between that prefix and a last `]`.
pub(crate) fn bracketed(link: &[u8], prefix: &[u8]) -> Option<u64> {
    number(link.strip_prefix(prefix)?.strip_suffix(b"]")?)
}

/// A sysctl of two ports, such as `ip_local_port_range` (ip(7)); `None` unless in order.
pub fn port_range(bytes: &[u8]) -> Option<RangeInclusive<u16>> {
    let mut ports = words(bytes).map(number);
    let (first, last) = (ports.next()??, ports.next()??);
    (first <= last).then_some(first..=last)
}

/// A sysctl of ports and ranges, such as `ip_local_reserved_ports` (ip(7)): `1000-1005,8080`.
pub fn port_list(bytes: &[u8]) -> Vec<RangeInclusive<u16>> {
    bytes.trim_ascii().split(|&byte| byte == b',').filter_map(port_item).collect()
}

/// `8080` or `1000-1005`.
fn port_item(text: &[u8]) -> Option<RangeInclusive<u16>> {
    let text = text.trim_ascii();
    let (first, last) = split_once(text, b'-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

/// A sysctl of one number.
pub fn sysctl_number(bytes: &[u8]) -> Option<u32> {
    words(bytes).next().and_then(number)
}

/// How many sockets there are, by `/proc/net/sockstat` (proc_net(5)). TCP and UDP over IPv6 are
/// counted in `sockstat6`, except TIME-WAIT, orphans and memory, which this one counts for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketCounts {
    /// TCP sockets over IPv4 with a descriptor or orphaned, without TIME-WAIT.
    pub tcp: u32,
    /// TCP sockets over IPv4 and IPv6 of all network namespaces, without TIME-WAIT.
    pub tcp_allocated: u32,
    /// TCP sockets that no descriptor refers to.
    pub tcp_orphans: u32,
    /// Connections in TIME-WAIT.
    pub tcp_time_wait: u32,
    /// UDP sockets over IPv4.
    pub udp: u32,
}

/// `/proc/net/sockstat` (`net/ipv4/proc.c`); `None` without its TCP line.
pub fn sockstat(bytes: &[u8]) -> Option<SocketCounts> {
    let line = |name: &[u8]| lines(bytes).find_map(|line| line.strip_prefix(name));
    let tcp = line(b"TCP:")?;
    Some(SocketCounts {
        tcp: keyed(tcp, b"inuse")?,
        tcp_allocated: keyed(tcp, b"alloc").unwrap_or(u32::MAX),
        tcp_orphans: keyed(tcp, b"orphan").unwrap_or(0),
        tcp_time_wait: keyed(tcp, b"tw").unwrap_or(0),
        udp: line(b"UDP:").and_then(|udp| keyed(udp, b"inuse")).unwrap_or(0),
    })
}

/// The number after that word.
fn keyed(line: &[u8], key: &[u8]) -> Option<u32> {
    words(line).skip_while(|word| *word != key).nth(1).and_then(number)
}

/// The name under `/dev` of a controlling terminal by the device number of `/proc/PID/stat`
/// (`Documentation/admin-guide/devices.txt`); `None` for none and for kinds not listed here.
pub fn terminal_name(device: u32) -> Option<String> {
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    Some(match (major, minor) {
        (4, 0..64) => format!("tty{minor}"),
        (4, _) => format!("ttyS{}", minor - 64),
        (5, 1) => "console".to_owned(),
        (136..=143, _) => format!("pts/{}", (major - 136) * 256 + minor),
        (166, _) => format!("ttyACM{minor}"),
        (188, _) => format!("ttyUSB{minor}"),
        (204, 64..) => format!("ttyAMA{}", minor - 64),
        (229, _) => format!("hvc{minor}"),
        _ => return None,
    })
}

/// The lines, without their newlines.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == b'\n')
}

/// The words between blanks.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The first word and what follows it, with its blanks.
fn next_word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = bytes.trim_ascii_start();
    let end = bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len());
    (end > 0).then(|| bytes.split_at(end))
}

/// What lies before and after the first such byte.
fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let middle = bytes.iter().position(|&byte| byte == at)?;
    Some((&bytes[..middle], &bytes[middle + 1..]))
}

/// Decimal digits and nothing else, as a type that holds the number.
fn number<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    radix(digits, 10).and_then(|number| T::try_from(number).ok())
}

/// A number of `/proc/PID/stat` that may be negative.
fn signed(digits: &[u8]) -> Option<i32> {
    match digits.strip_prefix(b"-") {
        Some(digits) => number::<u32>(digits).and_then(|n| 0_i32.checked_sub_unsigned(n)),
        None => number(digits),
    }
}

/// Hexadecimal digits and nothing else, as a type that holds the number.
fn hex<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    radix(digits, 16).and_then(|number| T::try_from(number).ok())
}

/// Digits of that base and nothing else. By hand: `from_str_radix` wants UTF-8 proven first and
/// takes a `+`.
fn radix(digits: &[u8], base: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, &digit| {
        let digit = char::from(digit).to_digit(base)?;
        sum.checked_mul(base.into())?.checked_add(digit.into())
    })
}

/// Text, with what is not UTF-8 replaced.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAT: &[u8] =
        b"18903 (cat) R 18858 18858 15733 34819 -1 4194304 98 0 0 0 0 0 0 0 20 0 3 0 \
        134430 3133440 360 18446744073709551615 94153991200768 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0\n";

    fn with_name(name: &[u8]) -> Vec<u8> {
        [&CAT[..7], name, &CAT[10..]].concat()
    }

    #[test]
    fn stat_is_read_by_the_manual_page() {
        let stat = stat(CAT).unwrap();
        assert_eq!(
            stat,
            Stat {
                pid: 18903,
                name: "cat".to_owned(),
                state: b'R',
                ppid: 18858,
                group: Some(18858),
                session: Some(15733),
                tty: 34819,
                kernel_thread: false,
                threads: 3,
                start: 134_430,
                cpu_ticks: 0,
                kernel_ticks: 0,
                faults: 98,
                resident_pages: Some(360),
            }
        );
        assert_eq!(terminal_name(stat.tty).as_deref(), Some("pts/3"));
    }

    #[test]
    fn a_hostile_name_cannot_move_the_fields() {
        for name in [") R 1 1", "a b\n(c)", "(((", ")))", "", ") S 0 0 0 0 0 0"] {
            let stat = stat(&with_name(name.as_bytes())).unwrap();
            assert_eq!((stat.name.as_str(), stat.ppid, stat.start), (name, 18858, 134_430));
        }
        assert_eq!(stat(&with_name(b"\xff")).unwrap().name, "\u{fffd}");
    }

    #[test]
    fn time_and_memory_are_those_of_the_manual_page() {
        // utime 14, stime 15; the times of its children beside them do not count.
        let text = b"7 (x) R 1 7 7 0 -1 0 10 11 12 13 1400 15 1600 1700 20 0 1 0 3 2300 24 25";
        let stat = stat(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.resident_pages), (1415, Some(24)));
    }

    #[test]
    fn truncated_stat_is_none_until_its_last_field() {
        let end = CAT.windows(6).position(|part| part == b"134430").unwrap();
        for cut in 0..=end {
            assert_eq!(stat(&CAT[..cut]), None, "{cut}");
        }
        assert!(stat(&CAT[..end + 6]).is_some());
    }

    #[test]
    fn kernel_threads_and_other_namespaces() {
        let text = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0";
        let stat = stat(text).unwrap();
        assert!(stat.kernel_thread);
        assert_eq!((stat.ppid, stat.group, stat.session), (0, None, None));
        let text = b"7 (x) S 0 -1 -1 -1 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0";
        assert_eq!(super::stat(text).unwrap().group, None);
    }

    #[test]
    fn every_state_letter() {
        let state = |letter, threads| {
            let mut stat = stat(CAT).unwrap();
            (stat.state, stat.threads) = (letter, threads);
            stat.process_state()
        };
        for (letter, want) in [
            (b'R', ProcessState::Running),
            (b'S', ProcessState::Sleeping),
            (b'I', ProcessState::Sleeping),
            (b'D', ProcessState::Uninterruptible),
            (b'T', ProcessState::Stopped),
            (b't', ProcessState::Traced),
            (b'Z', ProcessState::Zombie),
            (b'X', ProcessState::Zombie),
            (b'?', ProcessState::Other),
        ] {
            assert_eq!(state(letter, 1), want);
        }
        assert_eq!(state(b'Z', 2), ProcessState::LeaderExited);
    }

    #[test]
    fn status_takes_the_effective_uid() {
        let text =
            b"Name:\tcat\nState:\tT (stopped)\nUid:\t1000\t0\t1000\t1000\nNSpid:\t18904\t7\n\
            Threads:\t4\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000004002\n\
            CapEff:\t000001fffeffffff\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(
            status(text),
            Status {
                uid: Some(0),
                threads: Some(4),
                state: Some(b'T'),
                capabilities: Some(0x0000_01ff_feff_ffff),
                seccomp: Some(2),
                namespace_pids: vec![18904, 7],
                ignored: Some(0x1001),
                caught: Some(0x4002),
                tracer: None,
                waits: None,
            }
        );
        assert_eq!(status(b""), Status::default());
        assert_eq!(status(b"Uid:\tx\nUid\n:\nThreads:\t99999999999999999999\n"), Status::default());
    }

    #[test]
    fn arguments_and_titles() {
        let empty: [&str; 0] = [];
        assert_eq!(cmdline(b""), empty);
        assert_eq!(cmdline(b"\0\0\0"), empty);
        assert_eq!(cmdline(b"node\0server.js\0"), ["node", "server.js"]);
        assert_eq!(cmdline(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(
            cmdline(b"nginx: master process nginx\0\0\0\0"),
            ["nginx: master process nginx"]
        );
        assert_eq!(cmdline(b"sshd: me@pts/0"), ["sshd: me@pts/0"]);
        assert_eq!(cmdline(b"\xff\xfe\0"), ["\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn the_telling_cgroup_is_chosen() {
        for (text, want) in [
            ("0::/system.slice/web.service\n", Some("/system.slice/web.service")),
            ("0::/\n", Some("/")),
            (
                "12:pids:/user.slice\n1:name=systemd:/system.slice/a.service\n0::/\n",
                Some("/system.slice/a.service"),
            ),
            ("9:name=systemd:/\n8:pids:/\n4:memory:/box/b45a\n0::/\n", Some("/box/b45a")),
            (
                "1:name=systemd:/docker/abc\n0::/system.slice/containerd.service\n",
                Some("/docker/abc"),
            ),
            ("1:name=systemd:/\n0::/user.slice/x.scope\n", Some("/user.slice/x.scope")),
            ("0::/a:b/c.service (deleted)\n", Some("/a:b/c.service")),
            ("", None),
            ("0:", None),
            ("x::/a\n0::relative\n", None),
        ] {
            assert_eq!(cgroup(text.as_bytes()).as_deref(), want, "{text}");
        }
    }

    const TCP: &[u8] = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1661 1 000000005f4e929a 100 0 0 10 0                      \n   2: 0100007F:8F7E 0100007F:E395 06 00000000:00000000 03:00001770 00000000     0        0 0 3 000000006246237e                                      \n   3: 0100007F:E395 0100007F:8F7E 08 00000000:00000001 00:00000000 00000000     0        0 47119 1 0 20 4 30 10 -1\n   4: 0100007F:E395 0100007F:8F7E 0E 00000000:00000001 00:00000000 00000000     0        0 47119 1 0 20 4 30 10 -1\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn tcp_rows_as_recorded() {
        let sockets = tcp_table(TCP);
        assert_eq!(sockets.len(), 3, "the header and a state that does not exist are skipped");
        let [listen, remains, wait] = &sockets[..] else { unreachable!() };
        assert_eq!(listen.local.to_string(), "0.0.0.0:2024");
        assert_eq!(listen.state, Some(TcpState::Listen));
        assert_eq!((listen.remote, listen.inode, listen.uid), (None, Some(1661), Some(1000)));
        assert_eq!(listen.expires_ms, None);
        assert_eq!(remains.local.to_string(), "127.0.0.1:36734");
        assert_eq!(remains.remote, Some("127.0.0.1:58261".parse().unwrap()));
        assert_eq!(remains.state, Some(TcpState::TimeWait));
        assert_eq!((remains.inode, remains.uid, remains.expires_ms), (None, None, Some(60_000)));
        assert_eq!(wait.state, Some(TcpState::CloseWait));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn tcp6_and_udp_rows_as_recorded() {
        let text = b"   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 52 1 0\n\
            1: 0000000000000000FFFF00000100007F:0050 B80D0120000000000000000001000000:D431 01 0:0 00:0 0 33 0 53 1 0\n";
        let sockets = tcp_table(text);
        assert_eq!(sockets[0].local.to_string(), "[::1]:8080");
        assert_eq!(sockets[1].local.to_string(), "[::ffff:127.0.0.1]:80");
        assert_eq!(sockets[1].remote, Some("[2001:db8::1]:54321".parse().unwrap()));
        let text = b"  511: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 20127 2 0 0\n";
        let udp = &udp_table(text, Protocol::Udp)[0];
        assert_eq!((udp.local.to_string().as_str(), udp.state), ("127.0.0.53:53", None));
        assert_eq!((udp.uid, udp.inode, udp.remote), (Some(101), Some(20127), None));
    }

    #[test]
    fn unix_rows_as_recorded() {
        let text = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            00000000d2f2299d: 00000003 00000000 00000000 0001 03  1657\n\
            00000000d65d6e3d: 00000002 00000000 00010000 0001 01 21658 /run/a b.sock\n\
            00000000d65d6e3e: 00000002 00000000 00010000 0005 01 21659 @/tmp/x@@\n\
            00000000d65d6e3f: 00000002 00000000 00000000 0002 01 21660 /run/log\n\
            00000000d65d6e3f: 00000002 00000000 00000000 0002\n";
        let rows: Vec<_> = unix_table(text)
            .into_iter()
            .map(|socket| (socket.local, socket.state, socket.inode.unwrap()))
            .collect();
        assert_eq!(
            rows,
            [
                (LocalAddress::Unnamed, Some(TcpState::Established), 1657),
                (LocalAddress::Path("/run/a b.sock".into()), Some(TcpState::Listen), 21658),
                (LocalAddress::Abstract("/tmp/x@@".into()), Some(TcpState::Listen), 21659),
                (LocalAddress::Path("/run/log".into()), None, 21660),
            ]
        );
    }

    #[test]
    fn fdinfo_of_unix_sockets_and_rings() {
        assert_eq!(fdinfo(b"pos:\t0\nflags:\t02\nscm_fds: 2\n").queued_descriptors, 2);
        let ring = fdinfo(
            b"pos:\t0\nSqThread:\t-1\nUserFiles:\t4\n    0: socket:[4711]\n    1: <none>\n    \
              2: socket:[4712]\n    3: /tmp/socket:[9]\nUserBufs:\t1\n    0: socket:[13]\n",
        );
        assert_eq!(ring.ring_sockets, [4711, 4712]);
        let old = fdinfo(b"UserFiles:\t2\n    0: TCP\n    1: [eventpoll]\nUserBufs:\t0\n");
        assert_eq!((old.ring_unnamed_sockets, old.ring_sockets.len()), (1, 0));
        assert_eq!(fdinfo(b""), FdInfo::default());
    }

    #[test]
    fn mapped_sockets_are_not_files_named_alike() {
        let text = b"7f00-7f01 r--s 00000000 00:08 4711                       socket:[4711]\n\
            7f02-7f03 r--p 00000000 00:08 12 /tmp/socket:[12]\n7f04-7f05 rw-p 00000000 00:00 0\n";
        assert_eq!(mapped_sockets(text), [4711]);
    }

    #[test]
    fn link_texts() {
        assert_eq!(socket_inode(b"socket:[81234]"), Some(81234));
        assert_eq!(net_namespace(b"net:[4026531840]"), Some(4_026_531_840));
        for text in [
            "",
            "socket:[",
            "socket:[]",
            "socket:[1",
            "socket:[+1]",
            "socket:[1]x",
            "pipe:[1]",
            "/socket:[1]",
            "socket:[99999999999999999999]",
        ] {
            assert_eq!(socket_inode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn sysctls() {
        assert_eq!(port_range(b"32768\t60999\n"), Some(32768..=60999));
        assert_eq!(port_range(b"60999\t32768\n"), None);
        assert_eq!(port_range(b"1"), None);
        assert_eq!(port_range(b"1 65536"), None);
        assert_eq!(port_list(b"1000-1005,8080\n"), [1000..=1005, 8080..=8080]);
        assert_eq!(port_list(b"\n"), []);
        assert_eq!(port_list(b"5-1,x,7"), [7..=7]);
        assert_eq!(sysctl_number(b"1024\n"), Some(1024));
        assert_eq!(sysctl_number(b"-1\n"), None);
    }

    #[test]
    fn socket_counts() {
        let text = b"sockets: used 13\nTCP: inuse 1 orphan 2 tw 3 alloc 1 mem 158\n\
            UDP: inuse 4 mem 0\nUDPLITE: inuse 9\n";
        let want =
            SocketCounts { tcp: 1, tcp_allocated: 1, tcp_orphans: 2, tcp_time_wait: 3, udp: 4 };
        assert_eq!(sockstat(text), Some(want));
        assert_eq!(sockstat(b"sockets: used 13\n"), None);
        assert_eq!(sockstat(b"TCP: inuse"), None);
    }

    #[test]
    fn terminals() {
        for (device, want) in [
            (0, None),
            (0x0401, Some("tty1")),
            (0x0440, Some("ttyS0")),
            (0x0501, Some("console")),
            (0x8803, Some("pts/3")),
            (0x0010_8803, Some("pts/259")),
            (u32::MAX, None),
        ] {
            assert_eq!(terminal_name(device).as_deref(), want, "{device:#x}");
        }
    }

    /// Everything, on the same bytes.
    fn decode_all(bytes: &[u8]) {
        let _ = stat(bytes).map(|stat| (stat.process_state(), terminal_name(stat.tty)));
        let _ = (status(bytes), cmdline(bytes), cgroup(bytes), fdinfo(bytes));
        let _ = (tcp_table(bytes), udp_table(bytes, Protocol::UdpLite), unix_table(bytes));
        let _ = (mapped_sockets(bytes), socket_inode(bytes), net_namespace(bytes));
        let _ = (port_range(bytes), port_list(bytes), sysctl_number(bytes), sockstat(bytes));
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_bytes(bytes: Vec<u8>) {
            decode_all(&bytes);
        }

        #[test]
        fn nothing_panics_on_damaged_files(at in 0_usize..600, byte: u8, cut in 0_usize..600) {
            for recorded in [CAT, TCP] {
                let mut bytes = recorded.to_vec();
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
                bytes.truncate(cut);
                decode_all(&bytes);
            }
        }

        #[test]
        fn any_name_is_read_back(name in "[^\\x00]{0,15}", ppid in 0_u32..4_194_304) {
            let text = format!("7 ({name}) S {ppid} 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0\n");
            let stat = stat(text.as_bytes()).unwrap();
            prop_assert_eq!((stat.name, stat.ppid, stat.start), (name, ppid, 99));
        }

        #[test]
        fn terminal_names_never_panic(device: u32) {
            let _ = terminal_name(device);
        }
    }
}
