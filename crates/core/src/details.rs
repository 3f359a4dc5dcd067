//! Everything about single processes: `proc info`. What `proc on` says of them, and what only a look
//! at each tells besides.

use std::collections::BTreeMap;

use crate::addr::Exposure;
use crate::explain;
use crate::file_use::undeleted;
use crate::host::Host;
use crate::look::{LookOptions, look};
use crate::marks;
use crate::mask::is_secret_variable;
use crate::process::Process;
use crate::processes::ports_of;
use crate::report::{
    DetailReport, NamedReport, ProcessPort, ProcessReport, TargetReport, WarningKind, WarningReport,
};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};
use crate::socket::TcpState;
use crate::target::Target;

/// At most so many children are named.
const MOST_CHILDREN: usize = 64;

/// Answers each target as [`look`] does, with the details of every process of the answers.
pub fn info(host: &dyn Host, targets: &[Target], options: &LookOptions) -> Vec<TargetReport> {
    let mut reports = look(host, targets, options);
    let mut pids: Vec<u32> =
        reports.iter().flat_map(|report| &report.processes).map(|process| process.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    if pids.is_empty() {
        return reports;
    }
    let seen = Details::look(host, &pids);
    for process in reports.iter_mut().flat_map(|report| &mut report.processes) {
        seen.add_to(process, options.show_secrets);
    }
    reports
}

/// What was looked up for several processes at once.
struct Details {
    snapshot: Snapshot,
    ports: BTreeMap<u32, Vec<ProcessPort>>,
    children: BTreeMap<u32, Vec<Process>>,
    open_files: BTreeMap<u32, usize>,
    marks: BTreeMap<u32, marks::Marks>,
}

impl Details {
    fn look(host: &dyn Host, pids: &[u32]) -> Self {
        let snapshot = host.snapshot(&Scope {
            sockets: SocketScope::HeldBy(pids.to_vec()),
            holders: true,
            states: States::All,
            pids: pids.to_vec(),
            ..Scope::default()
        });
        let marks = |pid: u32| Some((pid, marks::of(&host.environment(pid)?)));
        Self {
            ports: ports_of(&snapshot),
            children: host.children(pids),
            open_files: host.open_files(pids),
            marks: pids.iter().filter_map(|&pid| marks(pid)).collect(),
            snapshot,
        }
    }

    fn add_to(&self, report: &mut ProcessReport, show_secrets: bool) {
        let pid = report.pid;
        // Somebody else may have the number by now.
        let Some(process) = self.snapshot.processes.get(&pid) else { return };
        let started = process.started_at.map(crate::timestamp::rfc3339);
        if started != report.started_at {
            return;
        }
        report.cpu_ms = process.cpu_ms;
        report.memory_bytes = process.memory;
        report.threads = process.threads;
        report.ports = Some(self.ports.get(&pid).cloned().unwrap_or_default());
        let connections = self.snapshot.sockets.iter().filter(|socket| {
            socket.state.is_some_and(TcpState::is_connection)
                && socket.remote.is_some()
                && socket.holders.has(pid)
        });
        let open_files = self.open_files.get(&pid).copied();
        let named = |process: &Process| NamedReport {
            pid: process.id.pid,
            name: process.program().to_owned(),
        };
        let children = self.children.get(&pid).map(Vec::as_slice).unwrap_or_default();
        let above = self.snapshot.ancestors(pid);
        report.details = Some(Box::new(DetailReport {
            parent: self.snapshot.processes.get(&process.ppid).map(named),
            ancestry: above.into_iter().rev().map(named).collect(),
            children: children.iter().take(MOST_CHILDREN).map(named).collect(),
            // Whoever may not see the descriptors does not know of the connections either.
            connections: open_files.map(|_| connections.count()),
            open_files,
            marks: self
                .marks
                .get(&pid)
                .into_iter()
                .flatten()
                // What is kept under a name of ours is not in the environment so.
                .filter(|(name, _)| !name.contains('='))
                .map(|(name, value)| match is_secret_variable(name, value) && !show_secrets {
                    true => (name.clone(), "***".to_owned()),
                    false => (name.clone(), value.clone()),
                })
                .collect(),
            warnings: warnings(report),
        }));
    }
}

/// What is out of the ordinary about a process: facts alone, so that nothing is told to be well
/// that was not seen.
fn warnings(process: &ProcessReport) -> Vec<WarningReport> {
    let ports = process.ports.as_deref().unwrap_or_default();
    let open: Vec<&ProcessPort> =
        ports.iter().filter(|port| port.exposure == Some(Exposure::Any)).collect();
    let restarted = process.supervisor.as_ref().and_then(|by| by.restarted).unwrap_or(0);
    let gone = process.cwd.as_deref().is_some_and(|cwd| undeleted(cwd).1);
    let kinds = [
        (WarningKind::ServesAsRoot, process.uid == Some(0) && !ports.is_empty()),
        (WarningKind::OpenToEverybody, !open.is_empty()),
        (WarningKind::DirectoryGone, gone),
        (WarningKind::ExecutableReplaced, process.exe_deleted),
        (WarningKind::Restarted, restarted > 0),
    ];
    let so = kinds.into_iter().filter(|(_, so)| *so);
    so.map(|(kind, _)| WarningReport { kind, explain: explain::warning(kind, process) }).collect()
}
