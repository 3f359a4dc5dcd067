//! The calls themselves: sysctl, libproc, and what is looked up by name because not every macOS has
//! it. Each fills a buffer that is a plain run of bytes; what it means is in [`crate::decode::macos`].

use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use rustix::io::Errno;

use crate::decode::macos::descriptors::{FILE_FDINFO, SOCKET_FDINFO};
use crate::decode::macos::process::{DIRECTORIES, KINFO_PROC, TASK, THREADS, UNIQUE};

// What the decoders count on, against the structs that the libc crate has of these.
const _: () = assert!(size_of::<libc::proc_vnodepathinfo>() == DIRECTORIES);
const _: () = assert!(size_of::<libc::proc_fdinfo>() == crate::decode::macos::descriptors::FDINFO);

const _: () = assert!(size_of::<libc::proc_taskinfo>() == TASK);
const _: () = assert!(std::mem::offset_of!(libc::proc_taskinfo, pti_threadnum) == THREADS);
const _: () = assert!(std::mem::offset_of!(libc::rusage_info_v0, ri_user_time) == 16);
const _: () = assert!(std::mem::offset_of!(libc::rusage_info_v0, ri_resident_size) == 64);

/// PROC_PIDUNIQIDENTIFIERINFO (bsd/sys/proc_info_private.h).
const UNIQUE_IDENTIFIER: c_int = 17;
/// PROC_PIDLISTFILEPORTS.
const LIST_FILE_PORTS: c_int = 14;
/// PROC_PIDFDSOCKETINFO, and PROC_PIDFILEPORTSOCKETINFO.
const SOCKET_INFO: c_int = 3;

/// A value of the kernel's by its name. ENOMEM where it grew three times while it was read.
pub(super) fn sysctl_by_name(name: &CStr) -> Result<Vec<u8>, Errno> {
    read_growing(|buffer, length| {
        // SAFETY: the name ends in NUL; buffer and length are null and the count wanted, or a buffer
        // of that length, which the kernel fills no further; nothing is set.
        unsafe { libc::sysctlbyname(name.as_ptr(), buffer, length, ptr::null_mut(), 0) }
    })
}

/// A value of the kernel's by its numbers.
pub(super) fn sysctl(numbers: &[c_int]) -> Result<Vec<u8>, Errno> {
    let mut mib = numbers.to_vec();
    let count = u32::try_from(mib.len()).map_err(|_| Errno::INVAL)?;
    read_growing(|buffer, length| {
        // SAFETY: as above, with as many numbers as are said.
        unsafe { libc::sysctl(mib.as_mut_ptr(), count, buffer, length, ptr::null_mut(), 0) }
    })
}

/// Asks for the length, then for the value with some room to grow.
fn read_growing(mut call: impl FnMut(*mut c_void, *mut usize) -> c_int) -> Result<Vec<u8>, Errno> {
    const TRIES: usize = 3;
    for _ in 0..TRIES {
        let mut length = 0;
        if call(ptr::null_mut(), &raw mut length) != 0 {
            return Err(last_error());
        }
        let mut bytes = vec![0_u8; length + length / 8 + 1024];
        let mut filled = bytes.len();
        if call(bytes.as_mut_ptr().cast(), &raw mut filled) == 0 {
            bytes.truncate(filled);
            return Ok(bytes);
        }
        let error = last_error();
        if error != Errno::NOMEM {
            return Err(error);
        }
    }
    Err(Errno::NOMEM)
}

/// A number of the kernel's by its name, of four or eight bytes.
pub(super) fn number(name: &CStr) -> Option<u64> {
    let bytes = sysctl_by_name(name).ok()?;
    match bytes.len() {
        4 => bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes).into()),
        8 => bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
        _ => None,
    }
}

/// Every process, as `struct kinfo_proc`s.
pub(super) fn all_processes() -> Result<Vec<u8>, Errno> {
    sysctl(&[libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_ALL, 0])
}

/// One process, as one `struct kinfo_proc`; empty where there is none.
pub(super) fn one_process(pid: u32) -> Result<Vec<u8>, Errno> {
    let mut bytes =
        sysctl(&[libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, number_of(pid)])?;
    bytes.truncate(bytes.len() / KINFO_PROC * KINFO_PROC);
    Ok(bytes)
}

/// What a process was started with (KERN_PROCARGS2); EINVAL for another user's.
pub(super) fn arguments(pid: u32) -> Result<Vec<u8>, Errno> {
    // This one says no length beforehand, and cuts the front where the buffer is too small.
    let most = number(c"kern.argmax").and_then(|most| usize::try_from(most).ok());
    let mut bytes = vec![0_u8; most.unwrap_or(1 << 20)];
    let mut filled = bytes.len();
    let mut mib = [libc::CTL_KERN, libc::KERN_PROCARGS2, number_of(pid)];
    // SAFETY: three numbers, a buffer of that length, nothing to set.
    let answer = unsafe {
        libc::sysctl(
            mib.as_mut_ptr(),
            3,
            bytes.as_mut_ptr().cast(),
            &raw mut filled,
            ptr::null_mut(),
            0,
        )
    };
    if answer != 0 {
        return Err(last_error());
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// The list of a process's descriptors (PROC_PIDLISTFDS).
pub(super) fn descriptors(pid: u32) -> Result<Vec<u8>, Errno> {
    listed(pid, libc::PROC_PIDLISTFDS)
}

/// The list of a process's file ports.
pub(super) fn file_ports(pid: u32) -> Result<Vec<u8>, Errno> {
    listed(pid, LIST_FILE_PORTS)
}

/// A list that may grow while it is read: with room to spare it was whole.
fn listed(pid: u32, flavor: c_int) -> Result<Vec<u8>, Errno> {
    const MOST: usize = 1 << 24;
    let mut room = 512 * 8;
    loop {
        let mut bytes = vec![0_u8; room];
        let filled = info(pid, flavor, 0, &mut bytes)?;
        if filled < room || room >= MOST {
            bytes.truncate(filled);
            return Ok(bytes);
        }
        room *= 4;
    }
}

/// The socket behind a descriptor.
pub(super) fn socket_of_descriptor(pid: u32, descriptor: i32) -> Option<[u8; SOCKET_FDINFO]> {
    let mut bytes = [0_u8; SOCKET_FDINFO];
    let length = c_int::try_from(bytes.len()).ok()?;
    // SAFETY: a buffer of that length, which the kernel fills no further.
    let filled = unsafe {
        libc::proc_pidfdinfo(
            number_of(pid),
            descriptor,
            SOCKET_INFO,
            bytes.as_mut_ptr().cast(),
            length,
        )
    };
    // 0 is an error here, and leaves the buffer as it was.
    (filled == length).then_some(bytes)
}

/// The file behind a descriptor.
pub(super) fn file_of_descriptor(pid: u32, descriptor: i32) -> Option<Vec<u8>> {
    /// PROC_PIDFDVNODEPATHINFO.
    const FILE_INFO: c_int = 2;
    let mut bytes = vec![0_u8; FILE_FDINFO];
    let length = c_int::try_from(bytes.len()).ok()?;
    // SAFETY: a buffer of that length, which the kernel fills no further.
    let filled = unsafe {
        libc::proc_pidfdinfo(
            number_of(pid),
            descriptor,
            FILE_INFO,
            bytes.as_mut_ptr().cast(),
            length,
        )
    };
    (filled == length).then_some(bytes)
}

/// The socket behind a file port.
pub(super) fn socket_of_port(pid: u32, name: u32) -> Option<[u8; SOCKET_FDINFO]> {
    let mut bytes = [0_u8; SOCKET_FDINFO];
    let length = c_int::try_from(bytes.len()).ok()?;
    // SAFETY: a buffer of that length, which the kernel fills no further.
    let filled = unsafe {
        libc::proc_pidfileportinfo(
            number_of(pid),
            name,
            SOCKET_INFO,
            bytes.as_mut_ptr().cast(),
            length,
        )
    };
    (filled == length).then_some(bytes)
}

/// What names a process for good.
pub(super) fn unique(pid: u32) -> Option<[u8; UNIQUE]> {
    let mut bytes = [0_u8; UNIQUE];
    let filled = info(pid, UNIQUE_IDENTIFIER, 0, &mut bytes).ok()?;
    (filled == UNIQUE).then_some(bytes)
}

/// The directories of a process.
pub(super) fn directories(pid: u32) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; DIRECTORIES];
    let filled = info(pid, libc::PROC_PIDVNODEPATHINFO, 0, &mut bytes).ok()?;
    (filled == DIRECTORIES).then_some(bytes)
}

/// The processor time of a process, in ticks of the machine's clock, and the bytes that it has in
/// memory.
pub(super) fn usage(pid: u32) -> Option<(u64, u64)> {
    let mut found = std::mem::MaybeUninit::<libc::rusage_info_v0>::zeroed();
    // SAFETY: the call fills a struct of that version, which zeros make a valid one of.
    let answer = unsafe {
        libc::proc_pid_rusage(number_of(pid), libc::RUSAGE_INFO_V0, found.as_mut_ptr().cast())
    };
    // SAFETY: it is of numbers alone, and was all zeros at least.
    let found = unsafe { found.assume_init() };
    let ticks = found.ri_user_time.saturating_add(found.ri_system_time);
    (answer == 0).then_some((ticks, found.ri_resident_size))
}

/// `struct mach_timebase_info` (mach/mach_time.h): a tick is that many nanoseconds, as a fraction.
#[repr(C)]
struct Timebase {
    numerator: u32,
    denominator: u32,
}

unsafe extern "C" {
    fn mach_timebase_info(info: *mut Timebase) -> c_int;
}

/// How long a tick is, in nanoseconds as a fraction: 125/3 on Apple's processors, 1/1 on Intel's.
pub(super) fn tick() -> (u32, u32) {
    let mut base = Timebase { numerator: 0, denominator: 0 };
    // SAFETY: the call fills the one struct that it is given.
    let answer = unsafe { mach_timebase_info(&raw mut base) };
    match (answer, base.denominator) {
        (0, 1..) => (base.numerator, base.denominator),
        _ => (1, 1),
    }
}

/// The executable's path, of anybody's process.
pub(super) fn path(pid: u32) -> Option<String> {
    let mut bytes = [0_u8; libc::PROC_PIDPATHINFO_MAXSIZE as usize];
    let length = u32::try_from(bytes.len()).ok()?;
    // SAFETY: a buffer of that length, which the call fills no further.
    let filled = unsafe { libc::proc_pidpath(number_of(pid), bytes.as_mut_ptr().cast(), length) };
    let filled = usize::try_from(filled).ok().filter(|&filled| filled > 0)?;
    Some(String::from_utf8_lossy(bytes.get(..filled)?).into_owned())
}

fn info(pid: u32, flavor: c_int, argument: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
    let length = c_int::try_from(bytes.len()).map_err(|_| Errno::INVAL)?;
    forget_error();
    // SAFETY: a buffer of that length, which the kernel fills no further.
    let filled = unsafe {
        libc::proc_pidinfo(number_of(pid), flavor, argument, bytes.as_mut_ptr().cast(), length)
    };
    match usize::try_from(filled) {
        Ok(filled) if filled > 0 => Ok(filled),
        // A process without any descriptor has a list of length 0, and a failure is 0 as well: only
        // errno tells them apart.
        _ => match std::io::Error::last_os_error().raw_os_error() {
            None | Some(0) => Ok(0),
            Some(error) => Err(Errno::from_raw_os_error(error)),
        },
    }
}

/// Makes errno say of the next call alone whether it failed.
fn forget_error() {
    // SAFETY: the call takes nothing and always gives a place.
    let place = unsafe { libc::__error() };
    // SAFETY: it is of this thread's errno, which nobody else writes to.
    unsafe { place.write(0) };
}

/// What the task of a process of this user says of itself.
pub(super) fn task(pid: u32) -> Option<[u8; TASK]> {
    let mut bytes = [0; TASK];
    let filled = info(pid, libc::PROC_PIDTASKINFO, 0, &mut bytes).ok()?;
    (filled == TASK).then_some(bytes)
}

/// Milliseconds since boot without sleep (CLOCK_UPTIME_RAW), the clock of the kernel's TCP.
pub(super) fn uptime_ms() -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the one struct that it is given.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_UPTIME_RAW, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).ok().filter(|_| answer == 0)?;
    Some(seconds * 1000 + u64::try_from(time.tv_nsec).ok()? / 1_000_000)
}

/// A user's name and home, by whatever directory the machine asks (getpwuid_r(3)).
pub(super) fn user(uid: u32) -> Option<(String, std::path::PathBuf)> {
    use std::os::unix::ffi::OsStringExt;
    let mut buffer = vec![0_u8; 16 * 1024];
    let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
    let mut found: *mut libc::passwd = ptr::null_mut();
    // SAFETY: the call writes an entry whose texts are in the buffer of that length, and where that
    // entry is, or null.
    let answer = unsafe {
        libc::getpwuid_r(
            uid,
            entry.as_mut_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut found,
        )
    };
    if answer != 0 || found.is_null() {
        return None;
    }
    // SAFETY: it is not null, and so is the entry above, filled.
    let entry = unsafe { &*found };
    let (name, home) = (copied(entry.pw_name)?, copied(entry.pw_dir)?);
    let name = String::from_utf8_lossy(&name).into_owned();
    Some((name, std::ffi::OsString::from_vec(home).into()))
}

fn copied(text: *const c_char) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: it is not null, and a C string of a call that has just succeeded.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_bytes().to_vec())
}

/// Takes over a user's identity: the groups first, as after the user they cannot be set any more.
/// Calls alone, so that it may stand between fork and exec.
pub(super) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> std::io::Result<()> {
    let count = c_int::try_from(groups.len()).unwrap_or(c_int::MAX);
    // SAFETY: as many groups as are said.
    if unsafe { libc::setgroups(count, groups.as_ptr()) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: it takes a number.
    if unsafe { libc::setgid(gid) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: it takes a number.
    if unsafe { libc::setuid(uid) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

/// The addresses of this machine (getifaddrs(3)).
pub(super) fn addresses() -> Vec<IpAddr> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the call writes where the list begins.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: an entry of the list, which lives until it is freed below.
        let entry = unsafe { &*next };
        all.extend(address(entry.ifa_addr).filter(|ip| !all.contains(ip)));
        next = entry.ifa_next;
    }
    // SAFETY: the list of above, freed once and not used afterwards.
    unsafe { libc::freeifaddrs(first) };
    all
}

fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: it is not null; every address begins with its length and family.
    let family = c_int::from(unsafe { (*address).sa_family });
    match family {
        libc::AF_INET => {
            // SAFETY: an address of this family is of this type; it may lie at any place.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()).into())
        }
        libc::AF_INET6 => {
            // SAFETY: an address of this family is of this type; it may lie at any place.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            let mut bytes = v6.sin6_addr.s6_addr;
            if Ipv6Addr::from(bytes).is_unicast_link_local() {
                // The kernel keeps the scope in there.
                (bytes[2], bytes[3]) = (0, 0);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// `audit_token_t` (osfmk/mach/message.h): of its words only the process and its version are looked
/// at by `proc_find_audit_token` (bsd/kern/kern_proc.c).
#[repr(C)]
struct AuditToken {
    words: [u32; 8],
}

const _: () = assert!(size_of::<AuditToken>() == 32);

/// Sends a signal to that very run of a process, by `proc_signal_with_audittoken`, which the
/// kernel refuses to any other that has its number by now (macOS 14.2). `None` where this system
/// has no such call.
pub(super) fn signal_by_token(pid: u32, version: u32, signal: c_int) -> Option<Result<(), Errno>> {
    type Call = unsafe extern "C" fn(*mut AuditToken, c_int) -> c_int;
    let symbol = symbol(c"proc_signal_with_audittoken")?;
    // SAFETY: the symbol of that name is a function of that type (libproc.h of macOS 14.2).
    let call = unsafe { std::mem::transmute::<*mut c_void, Call>(symbol) };
    let mut token = AuditToken { words: [0; 8] };
    token.words[5] = pid;
    token.words[7] = version;
    // SAFETY: it reads the token and writes nothing.
    let answer = unsafe { call(&raw mut token, signal) };
    Some(match answer {
        0 => Ok(()),
        -1 => Err(last_error()),
        error => Err(Errno::from_raw_os_error(error)),
    })
}

fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends in NUL; nothing is loaded by it.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

fn number_of(pid: u32) -> c_int {
    c_int::try_from(pid).unwrap_or(c_int::MAX)
}

fn last_error() -> Errno {
    let raw = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    Errno::from_raw_os_error(raw)
}
