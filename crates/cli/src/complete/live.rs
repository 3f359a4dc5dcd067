//! What there is on this machine at the moment, asked in the cheapest way: listeners and their
//! holders, and names. What cannot be seen is left out.

use std::collections::BTreeMap;

use proc_core::host::LiveHost;
use proc_core::ports::{PortsFilter, ports};
use proc_core::report::{PortsReport, ProcessReport, SocketReport};
use proc_core::running::{Word, Words, running};
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

impl Machine {
    fn list(unix: bool) -> PortsReport {
        let filter = PortsFilter { unix, ..PortsFilter::default() };
        ports(&LiveHost::default(), &filter, &LookOptions::default())
    }
}

impl Live for Machine {
    fn ports(&mut self) -> Vec<LivePort> {
        if LiveHost::SEES { by_number(&Self::list(false)) } else { Vec::new() }
    }

    fn running(&mut self, words: Words) -> Vec<Word> {
        if LiveHost::SEES { running(&LiveHost::default(), words) } else { Vec::new() }
    }

    fn sockets(&mut self) -> Vec<(String, String)> {
        if !LiveHost::SEES {
            return Vec::new();
        }
        let report = Self::list(true);
        let unix = report.sockets.iter().filter(|socket| socket.protocol == Protocol::Unix);
        unix.map(|socket| (socket.local.clone(), told(socket, &report))).collect()
    }
}

fn by_number(report: &PortsReport) -> Vec<LivePort> {
    let mut ports: BTreeMap<u16, LivePort> = BTreeMap::new();
    for socket in &report.sockets {
        let number = socket.local.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let Some(number) = number.filter(|_| socket.protocol != Protocol::Unix) else { continue };
        let port = ports.entry(number).or_insert_with(|| LivePort {
            number,
            protocols: Vec::new(),
            about: String::new(),
        });
        let protocol = socket.protocol.name();
        if !port.protocols.contains(&protocol) {
            port.protocols.push(protocol);
        }
        if port.about.is_empty() {
            port.about = told(socket, report);
        }
    }
    ports.into_values().collect()
}

/// `node (4242) · /home/me/web`.
fn told(socket: &SocketReport, report: &PortsReport) -> String {
    let holder = socket.holders.first().map(|holder| holder.pid);
    let process = report.processes.iter().find(|process| Some(process.pid) == holder);
    match process {
        Some(ProcessReport { name, pid, cwd: Some(cwd), .. }) => format!("{name} ({pid}) · {cwd}"),
        Some(ProcessReport { name, pid, .. }) => format!("{name} ({pid})"),
        None if socket.kernel => "the kernel's".to_owned(),
        None if socket.hidden => "another user's".to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_port_is_there_once_with_its_holder() {
        let told: Vec<(u16, Vec<&str>, String)> = by_number(&fixture::ports())
            .into_iter()
            .map(|port| (port.number, port.protocols, port.about))
            .collect();
        assert_eq!(
            told,
            [
                (53, vec!["udp"], "the kernel's".to_owned()),
                (80, vec!["tcp"], "another user's".to_owned()),
                (3000, vec!["tcp"], "node (4242) · /home/me/web".to_owned()),
            ]
        );
    }
}
