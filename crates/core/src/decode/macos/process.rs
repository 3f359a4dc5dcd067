//! What macOS tells about a process: `struct kinfo_proc`, which every user may read of every
//! process (bsd/sys/sysctl.h and bsd/sys/proc.h, as they are on 64-bit systems), `struct
//! proc_uniqidentifierinfo` (bsd/sys/proc_info_private.h), the directory in `struct
//! proc_vnodepathinfo` and the threads in `struct proc_taskinfo` (bsd/sys/proc_info.h), and the
//! arguments by KERN_PROCARGS2
//! (`sysctl_procargsx`, bsd/kern/kern_sysctl.c). And what it tells about all of them: ports that are
//! restricted.

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use super::Fields;
use crate::decode::settings::Credentials;
use crate::process::ProcessState;

/// The length of a `struct kinfo_proc`.
pub const KINFO_PROC: usize = 648;
/// The length of a `struct proc_uniqidentifierinfo`.
pub const UNIQUE: usize = 56;
/// The length of a `struct proc_vnodepathinfo`.
pub const DIRECTORIES: usize = 2352;
/// The length of a `struct proc_taskinfo`.
pub const TASK: usize = 96;
/// Where it has the number of threads.
pub const THREADS: usize = 84;

/// A process as the kernel's own list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinfo {
    /// Its number.
    pub pid: u32,
    /// Its parent's; 0 for the kernel's own.
    pub ppid: u32,
    /// Its process group.
    pub group: u32,
    /// The effective user.
    pub uid: u32,
    /// When it started, in microseconds since 1970, by the clock of that moment.
    pub started_us: u64,
    /// What it is doing.
    pub state: ProcessState,
    /// The first 16 bytes of its program's file name (MAXCOMLEN).
    pub name: String,
    /// Its controlling terminal, such as `ttys003`.
    pub terminal: Option<String>,
    /// Its scheduling priority as nice(1) counts it.
    pub nice: i32,
    /// Its users and groups (`struct _pcred` and `struct _ucred`); no mask.
    pub credentials: Credentials,
}

impl Kinfo {
    /// When it started.
    pub fn started_at(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(self.started_us))
    }
}

/// The processes of a list by KERN_PROC. What follows the last whole one is left out.
pub fn list(bytes: &[u8]) -> Vec<Kinfo> {
    let (whole, _) = bytes.as_chunks::<KINFO_PROC>();
    whole.iter().filter_map(|item| kinfo(Fields(item))).collect()
}

fn kinfo(fields: Fields<'_>) -> Option<Kinfo> {
    let pid = u32::try_from(fields.i32(40)).ok()?;
    Some(Kinfo {
        pid,
        ppid: u32::try_from(fields.i32(560)).unwrap_or(0),
        group: u32::try_from(fields.i32(564)).unwrap_or(0),
        uid: fields.u32(420),
        started_us: fields.u64(0).saturating_mul(1_000_000).saturating_add(fields.u32(8).into()),
        state: state(fields.byte(36)),
        name: fields.text(243, 17),
        terminal: terminal(fields.i32(572)),
        nice: i32::from(fields.byte(242).cast_signed()),
        credentials: credentials(fields),
    })
}

fn credentials(fields: Fields<'_>) -> Credentials {
    const MOST_GROUPS: usize = 16;
    let count = usize::from(fields.u16(424)).min(MOST_GROUPS);
    let groups: Vec<u32> = (0..count).map(|place| fields.u32(428 + 4 * place)).collect();
    let (user, group) = (fields.u32(420), fields.u32(428));
    Credentials {
        uids: vec![fields.u32(392), user, fields.u32(396), user],
        gids: vec![fields.u32(400), group, fields.u32(404), group],
        groups,
        umask: None,
    }
}

/// SIDL to SZOMB (bsd/sys/proc.h). What runs and what waits are one state to macOS.
const fn state(number: u8) -> ProcessState {
    match number {
        1 | 2 => ProcessState::Running,
        3 => ProcessState::Sleeping,
        4 => ProcessState::Stopped,
        5 => ProcessState::Zombie,
        _ => ProcessState::Other,
    }
}

/// The name of a terminal device: those of windows and logins are `ttys000` and so on, of the
/// driver that macOS gives number 16 (bsd/kern/tty_ptmx.c).
fn terminal(device: i32) -> Option<String> {
    const PTY: i32 = 16;
    let (major, minor) = ((device >> 24) & 0xff, device & 0x00ff_ffff);
    (device != -1 && device != 0).then(|| match major {
        PTY => format!("ttys{minor:03}"),
        _ => format!("device {major}, {minor}"),
    })
}

/// Milliseconds of so many ticks, of which each is that fraction of nanoseconds.
pub fn milliseconds(ticks: u64, (numerator, denominator): (u32, u32)) -> u64 {
    let nanoseconds = u128::from(ticks) * u128::from(numerator) / u128::from(denominator.max(1));
    u64::try_from(nanoseconds / 1_000_000).unwrap_or(u64::MAX)
}

/// What names a process for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unique {
    /// Given once, at fork, and never again until the machine restarts.
    pub id: u64,
    /// That of the process which started it, whoever is its parent now.
    pub parent: u64,
    /// Counts forks and execs: a program that took over the process has another.
    pub version: u32,
}

/// What PROC_PIDUNIQIDENTIFIERINFO answered. `None` for a shorter answer.
pub fn unique(bytes: &[u8]) -> Option<Unique> {
    let fields = Fields(bytes);
    let found = Unique { id: fields.u64(16), parent: fields.u64(24), version: fields.u32(32) };
    (bytes.len() >= UNIQUE && found.id != 0).then_some(found)
}

/// The working directory of what PROC_PIDVNODEPATHINFO answered; `None` for a shorter answer, and
/// where it has none any more.
pub fn directory(bytes: &[u8]) -> Option<String> {
    const PATH: usize = 152;
    const MAXPATHLEN: usize = 1024;
    let path = Fields(bytes).text(PATH, MAXPATHLEN);
    (bytes.len() >= DIRECTORIES && path.starts_with('/')).then_some(path)
}

/// How many threads a process has, of what PROC_PIDTASKINFO answered; `None` for a shorter answer, and
/// for a number that none has.
pub fn threads(bytes: &[u8]) -> Option<u32> {
    // An int32_t.
    let found = Fields(bytes).u32(THREADS);
    (bytes.len() >= TASK && (1..=i32::MAX.cast_unsigned()).contains(&found)).then_some(found)
}

/// What a process was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The file that was run, as its starter named it.
    pub exe: String,
    /// The arguments, each as it is.
    pub argv: Vec<Vec<u8>>,
    /// The environment, `NAME=value`, each ended by a zero byte; empty where the kernel keeps it
    /// back.
    pub environment: Vec<u8>,
}

/// What KERN_PROCARGS2 answered: how many arguments, the path, zeros, the arguments, the
/// environment, and what only the loader reads (`apple[]`), which an empty string sets apart.
/// `None` for what cannot be such an answer. Fewer arguments than promised count as they are.
pub fn arguments(bytes: &[u8]) -> Option<Arguments> {
    let count = usize::try_from(Fields(bytes).i32(0)).ok()?;
    let rest = bytes.get(4..)?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    let exe = String::from_utf8_lossy(&rest[..end]).into_owned();
    let padding = rest[end..].iter().take_while(|&&byte| byte == 0).count();
    let mut rest = &rest[end + padding..];
    let mut argv = Vec::new();
    while argv.len() < count && !rest.is_empty() {
        let (word, after) = cut(rest);
        argv.push(word.to_vec());
        rest = after;
    }
    let mut environment = Vec::new();
    while !rest.is_empty() {
        let (variable, after) = cut(rest);
        if variable.is_empty() {
            break;
        }
        environment.extend_from_slice(variable);
        environment.push(0);
        rest = after;
    }
    Some(Arguments { exe, argv, environment })
}

/// Up to the first zero byte, and what follows it.
fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// The value of a variable of an environment.
pub fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    environment.split(|&byte| byte == 0).find_map(|line| {
        let rest = line.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })
}

/// The restricted ports in `net.restricted_port.bitmap`: a bit for each port, lowest bits first
/// (bsd/net/restricted_in_port.c). `None` where it is not such a map.
pub fn restricted(bitmap: &[u8]) -> Option<Vec<RangeInclusive<u16>>> {
    const LENGTH: usize = 1 << 13;
    if bitmap.len() != LENGTH {
        return None;
    }
    let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
    let set = |port: &u16| bitmap[usize::from(port / 8)] >> (port % 8) & 1 == 1;
    for port in (0..=u16::MAX).filter(set) {
        match ranges.last_mut() {
            Some(last) if last.end().checked_add(1) == Some(port) => {
                *last = *last.start()..=port;
            }
            _ => ranges.push(port..=port),
        }
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pcb::tests::record;
    use super::*;

    #[test]
    fn a_process_of_the_list() {
        let one = record(
            KINFO_PROC,
            &[
                (0, &1_767_261_600_u64.to_le_bytes()),
                (8, &250_000_u32.to_le_bytes()),
                (36, &[4]),
                (40, &4242_i32.to_le_bytes()),
                (242, &[0xfb]),
                (243, b"ControlCenter\0"),
                (392, &501_u32.to_le_bytes()),
                (420, &501_u32.to_le_bytes()),
                (424, &2_u16.to_le_bytes()),
                (428, &20_u32.to_le_bytes()),
                (432, &80_u32.to_le_bytes()),
                (560, &1_i32.to_le_bytes()),
                (564, &4242_i32.to_le_bytes()),
                (572, &((16 << 24) | 3_i32).to_le_bytes()),
            ],
        );
        let all = list(&[one.clone(), one[..100].to_vec()].concat());
        let [found] = &all[..] else { panic!("{all:?}") };
        assert_eq!((found.pid, found.ppid, found.group, found.uid), (4242, 1, 4242, 501));
        assert_eq!((found.name.as_str(), found.state), ("ControlCenter", ProcessState::Stopped));
        assert_eq!(found.terminal.as_deref(), Some("ttys003"));
        assert_eq!((found.nice, found.started_us), (-5, 1_767_261_600_250_000));
        assert_eq!(found.credentials.uids, [501, 501, 0, 501]);
        assert_eq!(found.credentials.groups, [20, 80]);
        let nowhere = record(KINFO_PROC, &[(572, &(-1_i32).to_le_bytes())]);
        assert_eq!(list(&nowhere)[0].terminal, None);
    }

    #[test]
    fn identities_and_directories() {
        let bytes = record(
            UNIQUE,
            &[(16, &77_u64.to_le_bytes()), (24, &70_u64.to_le_bytes()), (32, &9_u32.to_le_bytes())],
        );
        assert_eq!(unique(&bytes), Some(Unique { id: 77, parent: 70, version: 9 }));
        assert_eq!(unique(&bytes[..UNIQUE - 1]), None);
        assert_eq!(unique(&[0; UNIQUE]), None);
        let there = record(DIRECTORIES, &[(152, b"/Users/me/shop\0")]);
        assert_eq!(directory(&there).as_deref(), Some("/Users/me/shop"));
        assert_eq!(directory(&there[..2000]), None);
        assert_eq!(directory(&[0; DIRECTORIES]), None);
    }

    #[test]
    fn threads_are_counted_by_the_task() {
        let task = |threads: i32| record(TASK, &[(THREADS, &threads.to_le_bytes())]);
        assert_eq!(threads(&task(12)), Some(12));
        assert_eq!((threads(&task(0)), threads(&task(-1))), (None, None));
        assert_eq!((threads(&task(12)[..TASK - 1]), threads(&[])), (None, None));
    }

    #[test]
    fn ticks_are_a_fraction_of_nanoseconds() {
        assert_eq!(milliseconds(24_000_000, (125, 3)), 1000);
        assert_eq!(milliseconds(5_000_000, (1, 1)), 5);
        assert_eq!(milliseconds(u64::MAX, (u32::MAX, 0)), u64::MAX);
    }

    fn procargs(count: i32, rest: &[u8]) -> Vec<u8> {
        [&count.to_le_bytes()[..], rest].concat()
    }

    #[test]
    fn arguments_and_environment() {
        let bytes = procargs(
            3,
            b"/opt/homebrew/bin/node\0\0\0\0\0\0node\0server.js\0a b\0PATH=/bin\0XPC_SERVICE_NAME=0\0\0ptr_munge=x\0",
        );
        let found = arguments(&bytes).unwrap();
        assert_eq!(found.exe, "/opt/homebrew/bin/node");
        assert_eq!(found.argv, [&b"node"[..], b"server.js", b"a b"]);
        assert_eq!(found.environment, b"PATH=/bin\0XPC_SERVICE_NAME=0\0");
        assert_eq!(variable(&found.environment, "XPC_SERVICE_NAME"), Some(&b"0"[..]));
        assert_eq!(variable(&found.environment, "XPC_SERVICE"), None);
    }

    #[test]
    fn arguments_that_lie_or_break_off() {
        assert_eq!(arguments(&[]), None);
        assert_eq!(arguments(&procargs(-1, b"/x\0")), None);
        assert_eq!(arguments(&procargs(1, b"/no/end")), None);
        let greedy = arguments(&procargs(i32::MAX, b"/x\0a\0b")).unwrap();
        assert_eq!(greedy.argv, [&b"a"[..], b"b"]);
        assert_eq!(arguments(&procargs(0, b"/x\0")).unwrap().argv.len(), 0);
    }

    #[test]
    fn restricted_ports_are_bits() {
        let mut map = vec![0; 1 << 13];
        map[55_555 / 8] = 1 << (55_555 % 8);
        assert_eq!(restricted(&map), Some(vec![55_555..=55_555]));
        map[8191] = 0x80;
        map[0] = 3;
        assert_eq!(restricted(&map), Some(vec![0..=1, 55_555..=55_555, 65_535..=65_535]));
        assert_eq!(restricted(&[0xff; 1 << 13]), Some(vec![0..=65_535]));
        assert_eq!(restricted(&[1]), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..1400)) {
            let _ = (list(&bytes), unique(&bytes), directory(&bytes), restricted(&bytes));
            if let Some(found) = arguments(&bytes) {
                let length: usize = found.argv.iter().map(Vec::len).sum();
                prop_assert!(length + found.environment.len() <= bytes.len());
            }
        }
    }
}
