//! Sockets held in plain sight by one process.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, connect, socket_with};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getpid, getrlimit, kill_process,
    set_dumpable_behavior, setrlimit,
};

use crate::open;
use crate::stage::{Stage, guard};

/// A listener; with `--udp` a UDP socket instead.
pub fn listen(stage: &Stage) -> io::Result<()> {
    if stage.options.udp {
        return udp(stage);
    }
    hold(stage, open::listener(&stage.options)?)
}

/// A TCP socket that is bound and never listens.
pub fn bound(stage: &Stage) -> io::Result<()> {
    hold(stage, open::bound_tcp(&stage.options)?)
}

/// A UDP socket.
pub fn udp(stage: &Stage) -> io::Result<()> {
    hold(stage, open::bound_udp(&stage.options)?)
}

/// A UDP socket connected to a second one of this process (`peer=`), or to `--to`.
pub fn udp_connected(stage: &Stage) -> io::Result<()> {
    let socket = open::bound_udp(&stage.options)?;
    let other = open::bound_udp_at(&stage.options, 0)?;
    let peer = stage.options.to.map_or_else(|| open::reachable(&other), Ok)?;
    connect(&socket, &peer)?;
    stage.ready(Some(&socket), &[("peer", peer.port().to_string())])?;
    stage.live(vec![socket, other])
}

/// An MPTCP listener, which the kernel also shows as a TCP listener of the same inode.
pub fn mptcp(stage: &Stage) -> io::Result<()> {
    hold(stage, open::mptcp_listener(&stage.options)?)
}

/// A TCP listener and a UDP socket on one port (`udp_inode=`).
pub fn reservation(stage: &Stage) -> io::Result<()> {
    // The port that TCP draws may be taken in UDP: draw again.
    let mut tries = 0;
    let (tcp, udp) = loop {
        let tcp = open::listener(&stage.options)?;
        match open::bound_udp_at(&stage.options, open::local(&tcp)?.port()) {
            Ok(udp) => break (tcp, udp),
            Err(error) if tries == 20 || stage.options.port != 0 => return Err(error),
            Err(_) => tries += 1,
        }
    };
    stage.ready(Some(&tcp), &[("udp_inode", open::inode(&udp)?.to_string())])?;
    stage.live(vec![tcp, udp])
}

/// Two listeners on two ports (`second=`, `second_inode=`).
pub fn two_ports(stage: &Stage) -> io::Result<()> {
    let first = open::listener(&stage.options)?;
    let second = open::listener(&crate::options::Options { port: 0, ..stage.options.clone() })?;
    let port = open::local(&second)?.port().to_string();
    let inode = open::inode(&second)?.to_string();
    stage.ready(Some(&first), &[("second", port), ("second_inode", inode)])?;
    stage.live(vec![first, second])
}

/// A listener beside N (10,000) further sockets, which have no address and hold no port.
pub fn many_sockets(stage: &Stage) -> io::Result<()> {
    let count = stage.options.operand_count(10_000)?;
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(count).map_err(io::Error::other)? + 64;
    if limit.current.is_some_and(|current| current < wanted) {
        // Raising the hard limit too needs root; an ordinary user may be refused.
        let maximum = limit.maximum.map(|maximum| maximum.max(wanted));
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?;
    }
    let listener = open::listener(&stage.options)?;
    let others = (0..count)
        .map(|_| socket_with(AddressFamily::INET, SocketType::DGRAM, open::CLOEXEC, None))
        .collect::<Result<Vec<OwnedFd>, _>>()?;
    stage.ready(Some(&listener), &[("sockets", others.len().to_string())])?;
    stage.live(vec![listener])
}

/// A listener of a process whose `/proc` entries belong to root (`PR_SET_DUMPABLE` 0).
pub fn non_dumpable(stage: &Stage) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    hold(stage, open::listener(&stage.options)?)
}

/// A listener of a stopped process, as Ctrl-Z leaves it. SIGCONT makes it an ordinary one.
pub fn stopped(stage: &Stage) -> io::Result<()> {
    let guard = guard()?;
    let listener = open::listener(&stage.options)?;
    stage.ready(Some(&listener), &[("guard", guard.to_string())])?;
    kill_process(getpid(), Signal::STOP)?;
    stage.live(vec![listener])
}

fn hold(stage: &Stage, socket: OwnedFd) -> io::Result<()> {
    stage.ready(Some(&socket), &[])?;
    stage.live(vec![socket])
}
