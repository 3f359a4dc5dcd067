//! The roles, by name. Each file holds the roles of one kind; each role opens what it holds, says
//! `ready` and lives.

mod confined;
mod connections;
mod families;
mod hidden;
mod listening;
mod namespaces;
mod stuck;
mod supervise;
mod unix;

use std::io;

use crate::options::{Options, wrong};
use crate::stage::Stage;

/// Plays the role of the command line; returns when it has ended.
pub fn play(options: Options) -> io::Result<()> {
    let role = options.role.clone();
    // These must come before the stage takes on another user.
    if role == "in-namespaces" {
        return namespaces::run_inside(&options);
    }
    if role == "confined" {
        return confined::run(&options);
    }
    if options.orphan {
        families::become_orphan()?;
    }
    if role == "hold-netns" {
        namespaces::enter_own_network()?;
    }
    let stage = Stage::prepare(options)?;
    match role.as_str() {
        "listen" | "hold-netns" => listening::listen(&stage),
        "bound" => listening::bound(&stage),
        "udp" => listening::udp(&stage),
        "udp-connected" => listening::udp_connected(&stage),
        "mptcp" => listening::mptcp(&stage),
        "reservation" => listening::reservation(&stage),
        "two-ports" => listening::two_ports(&stage),
        "many-sockets" => listening::many_sockets(&stage),
        "non-dumpable" => listening::non_dumpable(&stage),
        "stopped" => listening::stopped(&stage),
        "unix" => unix::listen(&stage),
        "stale-unix" => unix::stale(&stage),
        "inherit" => families::inherit(&stage),
        "exec-inherit" => families::exec_inherit(&stage),
        "shared" => families::shared(&stage),
        "workers" => families::workers(&stage),
        "fork-storm" => families::fork_storm(&stage),
        "accepted" => connections::accepted(&stage),
        "outgoing" => connections::outgoing(&stage),
        "self-connect" => connections::self_connect(&stage),
        "time-wait" => connections::time_wait(&stage),
        "fin-wait2-orphan" => connections::fin_wait2_orphan(&stage),
        "fin-wait1" => connections::fin_wait1(&stage),
        "last-ack" => connections::last_ack(&stage),
        "close-wait" => connections::close_wait(&stage),
        "clients" => connections::clients(&stage),
        "thread-table" => hidden::thread_table(stage),
        "dead-leader" => hidden::dead_leader(stage),
        "io-uring" => hidden::io_uring(&stage),
        "mmap" => hidden::mapped(&stage),
        "in-flight" => hidden::in_flight(&stage),
        "vfork-parent" => stuck::vfork_parent(&stage),
        "uncollected" => stuck::uncollected(&stage),
        "traced" => stuck::traced(&stage),
        "spinning" => stuck::spinning(&stage),
        "supervise" => supervise::supervise(&stage),
        _ => Err(wrong(format!("no such role: {role:?}"))),
    }
}
