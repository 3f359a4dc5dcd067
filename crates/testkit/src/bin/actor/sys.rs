//! The calls that the standard library and rustix do not offer safely; the only unsafe of the actor.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::{Pid, Signal};

/// fork(2): `Some(child)` in the parent, `None` in the child. Call it only while the process has one
/// thread: a child of several may find locks held for ever.
pub fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the process has one thread here, so the child may use everything the parent could.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(Pid::from_raw(pid)) }
}

/// Like [`fork`], but the parent waits in the kernel until the child begins a program or ends
/// (CLONE_VFORK of clone(2), without the shared memory of vfork(2)).
pub fn fork_and_wait_for_exec() -> io::Result<Option<Pid>> {
    let flags = libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: without CLONE_VM and a stack the child goes on with copies, as after fork(2); the
    // process has one thread here.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(Pid::from_raw(pid as libc::c_int)) }
}

/// Lets the parent trace this process (PTRACE_TRACEME of ptrace(2)).
pub fn trace_me() -> io::Result<()> {
    // SAFETY: the request reads none of the other arguments.
    check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) })?;
    Ok(())
}

/// Becomes `uid` with the group of the same number and no others; the process must be root for that.
pub fn become_user(uid: u32) -> io::Result<()> {
    // SAFETY: geteuid(2) cannot fail and touches no memory of ours.
    if unsafe { libc::geteuid() } == uid {
        return Ok(());
    }
    // SAFETY: an empty list, for which the pointer is not read.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: setresgid(2) takes numbers.
    check(unsafe { libc::setresgid(uid, uid, uid) })?;
    // SAFETY: setresuid(2) takes numbers.
    check(unsafe { libc::setresuid(uid, uid, uid) })?;
    Ok(())
}

/// Makes SIGTERM do nothing to this process and the children that it forks.
pub fn ignore_sigterm() {
    // SAFETY: SIG_IGN is no handler of ours, so nothing of ours runs in a signal context.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

/// Blocks the signals and gives a descriptor that becomes readable when one of them comes
/// (signalfd(2), close-on-exec, non-blocking).
pub fn signal_fd(signals: &[Signal]) -> io::Result<OwnedFd> {
    let set = signal_set(signals);
    set_mask(libc::SIG_BLOCK, &set)?;
    // SAFETY: `set` is an initialised signal set that outlives the call.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(fd)?;
    // SAFETY: signalfd(2) just made this descriptor and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets every signal through again, in a child whose parent blocks some.
pub fn unblock_signals() -> io::Result<()> {
    set_mask(libc::SIG_SETMASK, &signal_set(&[]))
}

/// Reads the pending signals of a [`signal_fd`] away.
pub fn drain(signals: &OwnedFd) {
    let mut record = [0_u8; 128];
    while rustix::io::read(signals, &mut record).is_ok_and(|count| count > 0) {}
}

/// unshare(2) with raw `CLONE_*` flags, for the calling thread.
pub fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: nothing in this program relies on what is shared here: each thread closes by OwnedFd
    // only descriptors that it opened or that its own table was copied with.
    check(unsafe { libc::unshare(flags) })?;
    Ok(())
}

/// Closes every descriptor but the standard ones and `kept` (close_range(2), Linux 5.9), in a forked
/// process that will never use what it inherited.
pub fn close_all_but(kept: &OwnedFd) -> io::Result<()> {
    let kept = libc::c_uint::try_from(kept.as_raw_fd()).map_err(io::Error::other)?;
    for (first, last) in [(3, kept - 1), (kept + 1, libc::c_uint::MAX)] {
        if first <= last {
            // SAFETY: the caller promises that no owner of these descriptors runs in this process again.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
    }
    Ok(())
}

/// Ends the calling thread alone (exit(2) of the kernel, not of C).
pub fn exit_thread() -> ! {
    // SAFETY: the thread leaves no borrowed stack behind: what other threads use is owned by them.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("exit(2) does not return")
}

/// Registers a descriptor as the fixed file 0 of a new io_uring, which then holds a reference of its
/// own (io_uring_register(2)). EPERM or ENOSYS where io_uring is switched off.
pub fn ring_holding(fd: RawFd) -> io::Result<OwnedFd> {
    const REGISTER_FILES: libc::c_uint = 2;
    // struct io_uring_params is 120 bytes (include/uapi/linux/io_uring.h); zeroes ask for nothing.
    let mut params = [0_u64; 15];
    // SAFETY: the kernel reads and writes 120 bytes of `params`, which has them.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, params.as_mut_ptr()) };
    check(ring)?;
    let ring = RawFd::try_from(ring).map_err(io::Error::other)?;
    // SAFETY: io_uring_setup(2) just made this descriptor and nobody else owns it.
    let ring = unsafe { OwnedFd::from_raw_fd(ring) };
    let files = [fd];
    let number = libc::SYS_io_uring_register;
    // SAFETY: the kernel reads one descriptor number from `files`.
    check(unsafe { libc::syscall(number, ring.as_raw_fd(), REGISTER_FILES, files.as_ptr(), 1) })?;
    Ok(ring)
}

/// Maps one page of a TCP socket (as zero-copy receivers do, `tcp_mmap` in net/ipv4/tcp.c) and leaves
/// it mapped: the mapping holds a reference to the socket.
pub fn map_socket(socket: &OwnedFd) -> io::Result<()> {
    let (length, offset) = (4096, 0);
    let fd = socket.as_raw_fd();
    // SAFETY: the kernel chooses an unused address; nobody reads or unmaps the page.
    let page = unsafe {
        libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, fd, offset)
    };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets the loopback interface of this thread's network namespace up (`SIOCSIFFLAGS`).
pub fn loopback_up(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: all bytes zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(io::Error::other)?;
    let fd = socket.as_raw_fd();
    // SAFETY: the kernel reads one `ifreq`, which outlives the call.
    check(unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw const request) })?;
    Ok(())
}

/// Makes all mounts private to this mount namespace and mounts a fresh /proc over the old one.
pub fn mount_own_proc() -> io::Result<()> {
    mount_over_proc(c"proc", c"")
}

/// Makes all mounts private to this mount namespace and mounts a file system of that kind over /proc.
pub fn mount_over_proc(kind: &CStr, options: &CStr) -> io::Result<()> {
    let (none, root) = (c"none".as_ptr(), c"/".as_ptr());
    let (kind, proc_path) = (kind.as_ptr(), c"/proc".as_ptr());
    let options = options.as_ptr().cast::<libc::c_void>();
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: all pointers are C strings or null, as mount(2) wants for this request.
    check(unsafe { libc::mount(none, root, std::ptr::null(), private, std::ptr::null()) })?;
    // SAFETY: all pointers are C strings or null, as mount(2) wants.
    check(unsafe { libc::mount(kind, proc_path, kind, 0, options) })?;
    Ok(())
}

/// Moves this process into the network namespace of another (setns(2)).
pub fn enter_network(namespace: &OwnedFd) -> io::Result<()> {
    // SAFETY: setns(2) takes a descriptor, which is open, and a number.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Takes a capability out of the bounding set: programs run from here on do not have it
/// (capabilities(7)).
pub fn never_again(capability: libc::c_ulong) -> io::Result<()> {
    // SAFETY: this prctl(2) takes numbers.
    check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) })?;
    Ok(())
}

/// Makes socket(2) of that family fail with EPERM in this process and what it runs (seccomp(2)).
pub fn refuse_family(family: libc::c_int) -> io::Result<()> {
    let family = u32::try_from(family).map_err(io::Error::other)?;
    let number = u32::try_from(libc::SYS_socket).map_err(io::Error::other)?;
    // struct seccomp_data: the call's number at 0, the first argument's low half at 16
    // (little-endian). BPF as in linux/filter.h: load a word, jump if equal, return.
    let (load, equal, give) = (0x20, 0x15, 0x06);
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
    let mut program = [
        instruction(load, 0, 0, 0),
        instruction(equal, 0, 3, number),
        instruction(load, 0, 0, 16),
        instruction(equal, 0, 1, family),
        instruction(give, 0, 0, refuse),
        instruction(give, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: 6, filter: program.as_mut_ptr() };
    // SAFETY: this prctl(2) takes numbers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the kernel copies the six instructions that `filter` points to, which outlive the call.
    check(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter)
    })?;
    Ok(())
}

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// Becomes the program that is open there (fexecve(3)); returns only why it could not.
pub fn become_program(program: &OwnedFd, args: &[CString]) -> io::Error {
    let mut argv: Vec<*const libc::c_char> = args.iter().map(|arg| arg.as_ptr()).collect();
    argv.push(std::ptr::null());
    // SAFETY: `argv` is a null-terminated list of C strings that outlive the call; fexecve reads
    // the environment, which no other thread changes: this process has one.
    unsafe { libc::fexecve(program.as_raw_fd(), argv.as_ptr(), environ) };
    io::Error::last_os_error()
}

unsafe extern "C" {
    static environ: *const *const libc::c_char;
}

fn signal_set(signals: &[Signal]) -> libc::sigset_t {
    // SAFETY: all bytes zero is a valid, empty set on Linux.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in signals {
        // SAFETY: `set` is initialised and the number is a signal's.
        unsafe { libc::sigaddset(&raw mut set, signal.as_raw()) };
    }
    set
}

fn set_mask(how: libc::c_int, set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: `set` is initialised; the old mask is not asked for.
    check(unsafe { libc::sigprocmask(how, set, std::ptr::null_mut()) })?;
    Ok(())
}

fn check<T: Into<i64> + Copy>(result: T) -> io::Result<()> {
    if result.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
