//! `--jsonl`: an answer as one JSON object a line, a line for each target, port or other thing
//! that the document has a list of. An error is the document that `--json` prints.

use proc_core::report::{PortLine, PortsReport, ProcessReport};
use serde_json::json;

use super::{document, json};
use crate::answer::Answer;

/// The lines.
pub fn jsonl(answer: &Answer) -> String {
    match answer {
        Answer::Looked { report, .. }
        | Answer::Acted { report, .. }
        | Answer::Waited { report, .. }
            if report.error.is_none() =>
        {
            let messages: String = report.messages.iter().map(document).collect();
            messages + &report.targets.iter().map(document).collect::<String>()
        }
        Answer::Listed { report, .. } if report.error.is_none() => ports(report),
        Answer::Processes { report, .. } if report.error.is_none() => {
            report.processes.iter().map(document).collect()
        }
        Answer::Picked(report) if report.error.is_none() => {
            report.ports.iter().map(|port| document(&json!({ "port": port }))).collect()
        }
        Answer::Leased(report) if report.error.is_none() => {
            report.leases.iter().map(document).collect()
        }
        Answer::Undone { report, .. } if report.error.is_none() => {
            report.acts.iter().map(document).collect()
        }
        Answer::Configured(report) => report.settings.iter().map(document).collect(),
        _ => json(answer),
    }
}

fn ports(report: &PortsReport) -> String {
    let line = |socket: &proc_core::report::SocketReport| {
        let holds = |process: &&ProcessReport| {
            socket.holders.iter().any(|holder| holder.pid == process.pid)
        };
        document(&PortLine {
            socket: socket.clone(),
            processes: report.processes.iter().filter(holds).cloned().collect(),
        })
    };
    report.sockets.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use proc_core::report::{Report, TargetReport};

    use super::*;
    use crate::answer::{Telling, document as report_of, failure};
    use crate::columns::Shape;
    use crate::exit::Exit;
    use crate::render::fixture;

    #[test]
    fn a_target_is_a_line() {
        let report = report_of("on", vec![fixture::held(), fixture::lingering()], Exit::Yes);
        let answer = Answer::Looked { telling: Telling::On, report, counts: Vec::new() };
        let text = jsonl(&answer);
        let read: Vec<TargetReport> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, [fixture::held(), fixture::lingering()]);
    }

    #[test]
    fn a_port_is_a_line_with_its_holders() {
        let answer = Answer::Listed { report: fixture::ports(), shape: Shape::default() };
        let text = jsonl(&answer);
        let read: Vec<PortLine> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let sockets: Vec<_> = read.iter().map(|line| line.socket.clone()).collect();
        assert_eq!(sockets, fixture::ports().sockets);
        let pids = |line: &PortLine| line.processes.iter().map(|p| p.pid).collect::<Vec<_>>();
        assert_eq!(pids(&read[0]), [4242, 17]);
        assert!(pids(&read[2]).is_empty());
    }

    #[test]
    fn an_error_is_the_document() {
        let error = failure("on", fixture::error("no such thing"));
        let answer = Answer::Failed { command: "on", error: error.error.clone().unwrap() };
        assert_eq!(serde_json::from_str::<Report>(&jsonl(&answer)).unwrap(), error);
    }
}
