//! Ctrl-C while acting: a descriptor that becomes readable, in place of a sudden death that would
//! leave nobody to say what was done.

#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::os::unix::net::UnixStream;

/// Takes over SIGINT, SIGTERM and SIGHUP, but for those that whoever started this process had it
/// ignore (nohup(1)): they stay ignored, also in what it starts. `None` where that fails: they
/// then end the program.
#[cfg(unix)]
pub fn descriptor() -> Option<OwnedFd> {
    use proc_core::sys::signals::is_ignored;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let (reader, writer) = UnixStream::pair().ok()?;
    for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)) {
        signal_hook::low_level::pipe::register(signal, writer.try_clone().ok()?).ok()?;
    }
    Some(reader.into())
}

/// Takes over Ctrl-C, Ctrl-Break and the end of the console. `None` where that fails.
#[cfg(windows)]
pub fn descriptor() -> Option<proc_core::sys::Interrupt> {
    proc_core::sys::Interrupt::taken_over()
}

/// Nothing is taken over on this system: there is nothing to be interrupted in.
#[cfg(not(any(unix, windows)))]
pub fn descriptor() -> Option<std::convert::Infallible> {
    None
}
