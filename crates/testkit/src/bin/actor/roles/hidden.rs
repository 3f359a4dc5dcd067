//! Holders that no scan of `/proc/PID/fd` shows.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};

use crate::open;
use crate::stage::{Stage, pause};
use crate::sys;

/// A thread with a descriptor table of its own (`tid=`) holds the listener; the process's table lacks it.
pub fn thread_table(stage: Stage) -> io::Result<()> {
    let thread = std::thread::spawn(move || -> io::Result<()> {
        sys::unshare(libc::CLONE_FILES)?;
        let listener = open::listener(&stage.options)?;
        let tid = rustix::thread::gettid().to_string();
        stage.ready(Some(&listener), &[("tid", tid)])?;
        stage.live(vec![listener])
    });
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
}

/// The main thread has exited (state Z); another one (`tid=`) lives on with the listener.
pub fn dead_leader(stage: Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    std::thread::spawn(move || {
        let _ = live_without_leader(&stage, listener);
        crate::stage::leave()
    });
    sys::exit_thread()
}

/// The listener is fixed file 0 of an io_uring (`ring=` is the ring's descriptor); its own descriptor is closed.
pub fn io_uring(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    let ring = sys::ring_holding(listener.as_raw_fd())?;
    let fields = [("ring", ring.as_raw_fd().to_string())];
    hide(stage, listener, &fields)
}

/// The listener is mapped into memory; its descriptor is closed.
pub fn mapped(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    sys::map_socket(&listener)?;
    hide(stage, listener, &[])
}

/// The listener is in a message that nobody has received; its descriptor is closed. `receiver=` is the
/// descriptor on which it waits.
pub fn in_flight(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    let (sender, receiver) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    if !message.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for the message"));
    }
    sendmsg(&sender, &[IoSlice::new(b"x")], &mut message, SendFlags::empty())?;
    hide(stage, listener, &[("receiver", receiver.as_raw_fd().to_string())])
}

fn hide(stage: &Stage, listener: OwnedFd, fields: &[(&str, String)]) -> io::Result<()> {
    let port = open::local(&listener)?.port();
    let inode = open::inode(&listener)?;
    drop(listener);
    stage.ready_with(port, inode, fields)?;
    stage.live(Vec::new())
}

fn live_without_leader(stage: &Stage, listener: OwnedFd) -> io::Result<()> {
    let leader = format!("/proc/self/task/{}/stat", std::process::id());
    // Only a leader that is gone makes this actor what it says it is.
    while !std::fs::read_to_string(&leader)?.contains(") Z ") {
        pause(Duration::from_millis(1));
    }
    let tid = rustix::thread::gettid().to_string();
    stage.ready(Some(&listener), &[("tid", tid)])?;
    stage.live(vec![listener])
}
