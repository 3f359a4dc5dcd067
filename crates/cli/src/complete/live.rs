//! What there is on this machine at the moment, asked in the cheapest way: listeners and their
//! holders, and names. What cannot be seen is left out.

use proc_core::host::LiveHost;
use proc_core::ports::{PortsFilter, ports};
use proc_core::report::{PortsReport, ProcessReport, SocketReport};
use proc_core::running::{HeldPort, PortHolder, Word, Words, held_ports, running};
use proc_core::socket::Protocol;

use crate::core_api::LookOptions;

/// A port that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePort {
    /// Its number.
    pub number: u16,
    /// `tcp`, `udp`.
    pub protocols: Vec<&'static str>,
    /// Who holds it, and where that works.
    pub about: String,
}

/// What can be asked.
pub trait Live {
    /// The ports that are held, by number.
    fn ports(&mut self) -> Vec<LivePort>;
    /// The words of what runs.
    fn running(&mut self, words: Words) -> Vec<Word>;
    /// Unix sockets that are served, with who does.
    fn sockets(&mut self) -> Vec<(String, String)>;
}

/// This machine.
#[derive(Debug)]
pub struct Machine;

impl Live for Machine {
    fn ports(&mut self) -> Vec<LivePort> {
        if !LiveHost::SEES {
            return Vec::new();
        }
        held_ports(&LiveHost::default()).into_iter().map(live).collect()
    }

    fn running(&mut self, words: Words) -> Vec<Word> {
        if LiveHost::SEES { running(&LiveHost::default(), words) } else { Vec::new() }
    }

    fn sockets(&mut self) -> Vec<(String, String)> {
        if !LiveHost::SEES {
            return Vec::new();
        }
        let filter = PortsFilter { unix: true, brief: true, ..PortsFilter::default() };
        let report = ports(&LiveHost::default(), &filter, &LookOptions::default());
        let unix = report.sockets.iter().filter(|socket| socket.protocol == Protocol::Unix);
        unix.map(|socket| (socket.local.clone(), told(socket, &report))).collect()
    }
}

fn live(port: HeldPort) -> LivePort {
    let about = match port.holder {
        Some(PortHolder::Process { pid, name, directory }) => {
            named(&name, pid, directory.as_deref())
        }
        Some(PortHolder::Kernel) => "the kernel's".to_owned(),
        Some(PortHolder::Another) => "another user's".to_owned(),
        None => String::new(),
    };
    LivePort { number: port.number, protocols: port.protocols, about }
}

/// `node (4242) · /home/me/web`.
fn named(name: &str, pid: u32, directory: Option<&str>) -> String {
    match directory {
        Some(directory) => format!("{name} ({pid}) · {directory}"),
        None => format!("{name} ({pid})"),
    }
}

/// Who has a socket.
fn told(socket: &SocketReport, report: &PortsReport) -> String {
    let holder = socket.holders.first().map(|holder| holder.pid);
    let process = report.processes.iter().find(|process| Some(process.pid) == holder);
    match process {
        Some(ProcessReport { name, pid, cwd, .. }) => named(name, *pid, cwd.as_deref()),
        None if socket.kernel => "the kernel's".to_owned(),
        None if socket.hidden => "another user's".to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_told_with_its_holder() {
        let node = |directory: Option<&str>| PortHolder::Process {
            pid: 4242,
            name: "node".to_owned(),
            directory: directory.map(str::to_owned),
        };
        for (holder, about) in [
            (Some(node(Some("/home/me/web"))), "node (4242) · /home/me/web"),
            (Some(node(None)), "node (4242)"),
            (Some(PortHolder::Kernel), "the kernel's"),
            (Some(PortHolder::Another), "another user's"),
            (None, ""),
        ] {
            let port = HeldPort { number: 3000, protocols: vec!["tcp"], holder };
            let want = LivePort { number: 3000, protocols: vec!["tcp"], about: about.to_owned() };
            assert_eq!(live(port), want);
        }
    }
}
