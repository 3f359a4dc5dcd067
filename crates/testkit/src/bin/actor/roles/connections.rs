//! Ports kept by connections and by what connections leave behind, without a listener.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::net::{Shutdown, connect, listen, shutdown, sockopt};

use crate::open;
use crate::options::{Options, wrong};
use crate::stage::{Stage, wait_for};
use crate::sys;

/// A server that closed its listener and keeps `--count` accepted connections; the client is a child.
pub fn accepted(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    let server = open::reachable(&listener)?;
    let Some(child) = sys::fork()? else {
        drop(listener);
        let clients = connect_all(server, stage.options.count)?;
        stage.live(clients)
    };
    let connections = (0..stage.options.count)
        .map(|_| open::accepted(&listener))
        .collect::<io::Result<Vec<_>>>()?;
    drop(listener);
    stage.ready(connections.first(), &[("child", child.to_string())])?;
    stage.live(connections)
}

/// A client whose own port is the port: drawn by the kernel, or bound with `--port`. The server
/// (`peer=`) is a child, or `--to`.
pub fn outgoing(stage: &Stage) -> io::Result<()> {
    let (server, child) = match stage.options.to {
        Some(server) => (server, None),
        None => start_server(stage)?,
    };
    let client = if stage.options.port == 0 {
        open::connected(server)?
    } else {
        let client = open::bound_tcp(&stage.options)?;
        connect(&client, &server)?;
        client
    };
    let mut fields = vec![("peer", server.port().to_string())];
    fields.extend(child.map(|child| ("child", child)));
    stage.ready(Some(&client), &fields)?;
    stage.live(vec![client])
}

/// A socket connected to itself (simultaneous open, RFC 9293 section 3.5).
pub fn self_connect(stage: &Stage) -> io::Result<()> {
    let socket = open::bound_tcp(&stage.options)?;
    connect(&socket, &open::local(&socket)?)?;
    stage.ready(Some(&socket), &[])?;
    stage.live(vec![socket])
}

/// `--count` connections in TIME_WAIT on the port: the server closed first. Then it exits, or with
/// `--stay` lives without any socket.
pub fn time_wait(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    let server = open::reachable(&listener)?;
    for _ in 0..stage.options.count {
        let (client, accepted) = pair(&listener, server)?;
        drop(accepted);
        // Its FIN has come, so ours is the answer that sends the server's end to TIME_WAIT.
        wait_for(&mut [PollFd::new(&client, PollFlags::IN)], Some(Duration::from_secs(5)));
    }
    drop(listener);
    stage.ready_with(server.port(), 0, &[])?;
    if stage.options.stay {
        stage.live(Vec::new());
    }
    Ok(())
}

/// The server's ends are closed and owned by nobody (FIN_WAIT2), because this client keeps its own open.
pub fn fin_wait2_orphan(stage: &Stage) -> io::Result<()> {
    let (port, clients) = each_connection(&stage.options, |server, client| {
        drop(server);
        rustix::io::read(client, &mut [0_u8])?;
        // The answer to the FIN may be delayed by 40 ms, and until then the state is FIN_WAIT1: asking
        // for quick answers sends a waiting one, once the queue is read (tcp_cleanup_rbuf in
        // net/ipv4/tcp.c).
        sockopt::set_tcp_quickack(client, true)?;
        Ok(())
    })?;
    stage.ready_with(port, 0, &[])?;
    stage.live(clients)
}

/// The server's ends closed with data that their client never reads (zero window): orphans in FIN_WAIT1.
pub fn fin_wait1(stage: &Stage) -> io::Result<()> {
    let (port, clients) = each_connection(&stage.options, |server, _| fill(&server))?;
    stage.ready_with(port, 0, &[])?;
    stage.live(clients)
}

/// The client shut down first and reads nothing: the server's ends are orphans in LAST_ACK.
pub fn last_ack(stage: &Stage) -> io::Result<()> {
    let (port, clients) = each_connection(&stage.options, |server, client| {
        fill(&server)?;
        shutdown(client, Shutdown::Write)?;
        wait_for(&mut [PollFd::new(&server, PollFlags::IN)], Some(Duration::from_secs(5)));
        Ok(())
    })?;
    stage.ready_with(port, 0, &[])?;
    stage.live(clients)
}

/// The clients are gone and the server, without its listener, never closes its ends.
pub fn close_wait(stage: &Stage) -> io::Result<()> {
    let listener = open::listener(&stage.options)?;
    let server = open::reachable(&listener)?;
    let mut kept = Vec::new();
    for _ in 0..stage.options.count {
        kept.push(pair(&listener, server)?.1);
    }
    drop(listener);
    for connection in &kept {
        wait_for(&mut [PollFd::new(connection, PollFlags::IN)], Some(Duration::from_secs(5)));
    }
    stage.ready(kept.first(), &[])?;
    stage.live(kept)
}

/// N (1) connections to `--port`, kept open.
pub fn clients(stage: &Stage) -> io::Result<()> {
    if stage.options.port == 0 {
        return Err(wrong("clients need --port"));
    }
    let clients = connect_all(stage.options.address(), stage.options.operand_count(1)?)?;
    let inode = clients.first().map_or(Ok(0), open::inode)?;
    stage.ready_with(stage.options.port, inode, &[])?;
    stage.live(clients)
}

fn connect_all(server: SocketAddr, count: usize) -> io::Result<Vec<OwnedFd>> {
    (0..count).map(|_| open::connected(server)).collect()
}

fn pair(listener: &OwnedFd, server: SocketAddr) -> io::Result<(OwnedFd, OwnedFd)> {
    let client = open::connected(server)?;
    Ok((client, open::accepted(listener)?))
}

/// Makes `--count` connections, lets `end` finish the server's end of each, and returns the port and
/// the clients; the listener is closed.
fn each_connection(
    options: &Options,
    end: impl Fn(OwnedFd, &OwnedFd) -> io::Result<()>,
) -> io::Result<(u16, Vec<OwnedFd>)> {
    let listener = open::listener(options)?;
    let server = open::reachable(&listener)?;
    let mut clients = Vec::new();
    for _ in 0..options.count {
        let (client, accepted) = pair(&listener, server)?;
        end(accepted, &client)?;
        clients.push(client);
    }
    Ok((server.port(), clients))
}

/// Writes until nothing more fits, so that data stays unsent before a zero window.
fn fill(socket: &OwnedFd) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size(socket, 64 << 10)?;
    rustix::io::ioctl_fionbio(socket, true)?;
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::OUT)];
        // The peer's window opens in steps for a moment: full means still full after that.
        wait_for(&mut fds, Some(Duration::from_millis(50)));
        if !fds[0].revents().contains(PollFlags::OUT) {
            return Ok(());
        }
        while rustix::io::write(socket, &[0_u8; 32 << 10]).is_ok() {}
    }
}

fn start_server(stage: &Stage) -> io::Result<(SocketAddr, Option<String>)> {
    let listener = open::unbound_tcp(stage.options.address())?;
    // listen(2) on an unbound socket draws a port on the wildcard address.
    listen(&listener, 128)?;
    let server = open::reachable(&listener)?;
    match sys::fork()? {
        Some(child) => Ok((server, Some(child.to_string()))),
        None => Stage::for_worker(Options { accept: true, ..stage.options.clone() })
            .live(vec![listener]),
    }
}
