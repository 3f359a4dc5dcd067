//! Facts about processes and sockets read from `/proc` in the plainest way, to test cleverer ways against.

use std::fs;
use std::path::Path;

/// The state letter of a process (`R`, `S`, `T`, `Z`, …; proc_pid_stat(5)); `None` when it is gone.
pub fn state(pid: u32) -> Option<char> {
    stat_field(pid, 3)?.chars().next()
}

/// When the process started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
pub fn start_time(pid: u32) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// The PID of its parent.
pub fn parent(pid: u32) -> Option<u32> {
    stat_field(pid, 4)?.parse().ok()
}

/// Its children now (`/proc/PID/task/*/children`); a process that ends meanwhile may be missing.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = entries(&format!("/proc/{pid}/task"));
    let lists = tasks
        .iter()
        .filter_map(|task| fs::read_to_string(format!("/proc/{pid}/task/{task}/children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

/// The descriptors of `directory` (`/proc/PID/fd` or `/proc/PID/task/TID/fd`) that are this socket.
pub fn descriptors(directory: &str, inode: u64) -> Vec<u32> {
    let socket = format!("socket:[{inode}]");
    let is_socket = |fd: &String| {
        fs::read_link(Path::new(directory).join(fd)).is_ok_and(|link| link.as_os_str() == &*socket)
    };
    entries(directory).into_iter().filter(is_socket).filter_map(|fd| fd.parse().ok()).collect()
}

/// True when the main table of the process has this socket.
pub fn holds(pid: u32, inode: u64) -> bool {
    !descriptors(&format!("/proc/{pid}/fd"), inode).is_empty()
}

/// One socket of `/proc/net/tcp` or its kin (proc_net_tcp(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The local port.
    pub port: u16,
    /// The remote port, 0 where there is none.
    pub peer: u16,
    /// The kernel's number of the state: 1 ESTABLISHED … 10 LISTEN (include/net/tcp_states.h).
    pub state: u8,
    /// The user who made the socket; meaningless where `inode` is 0.
    pub uid: u32,
    /// The inode, 0 where no process owns the socket.
    pub inode: u64,
}

/// The rows of `/proc/net/TABLE` (`tcp`, `tcp6`, `udp`, `udp6`) whose local port this is.
pub fn rows(table: &str, port: u16) -> Vec<Row> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
    text.lines().skip(1).filter_map(row).filter(|row| row.port == port).collect()
}

fn row(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let port = |at: usize| {
        fields.get(at).and_then(|text| u16::from_str_radix(text.rsplit(':').next()?, 16).ok())
    };
    Some(Row {
        port: port(1)?,
        peer: port(2)?,
        state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

fn stat_field(pid: u32, number: usize) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name is in parentheses and may hold spaces and parentheses: count from the last one.
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_whitespace().nth(number - 3).map(str::to_owned)
}

fn entries(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
