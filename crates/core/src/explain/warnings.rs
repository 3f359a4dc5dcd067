//! Sentences about what is out of the ordinary about a process.

use super::count;
use crate::addr::Exposure;
use crate::report::{ProcessPort, ProcessReport, WarningKind};

/// What a warning says of that process.
pub fn warning(kind: WarningKind, process: &ProcessReport) -> String {
    let ports = process.ports.as_deref().unwrap_or_default();
    match kind {
        WarningKind::ServesAsRoot => {
            format!("it serves {} as root", listed(ports.iter()))
        }
        WarningKind::OpenToEverybody => {
            let open = ports.iter().filter(|port| port.exposure == Some(Exposure::Any));
            format!("{} waits at every address of this machine, for whoever reaches it", listed(open))
        }
        WarningKind::DirectoryGone => "its working directory was removed".to_owned(),
        WarningKind::ExecutableReplaced => {
            "its executable was removed or replaced since it started: started again it may be another program".to_owned()
        }
        WarningKind::Restarted => match &process.supervisor {
            Some(by) => format!(
                "{} has started it again {}",
                by.name,
                count(by.restarted.unwrap_or(0) as usize, "time", "times")
            ),
            None => "it was started again".to_owned(),
        },
    }
}

/// `tcp:80 and udp:53`, each port once.
fn listed<'a>(ports: impl Iterator<Item = &'a ProcessPort>) -> String {
    const MOST: usize = 6;
    let mut names: Vec<String> = Vec::new();
    for port in ports {
        let name = format!("{}:{}", port.protocol.name(), port.port);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > MOST {
        let more = names.len() - MOST;
        names.truncate(MOST);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
