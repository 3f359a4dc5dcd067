//! `proc doctor`: whether this program tells the truth on this machine. It opens sockets of every
//! kind in a process of its own (the patient), finds them by the way that every command goes, acts
//! on that process alone, and says what works, what does not, and what this user cannot see.

mod acting;
mod checks;
mod circumstances;
mod mechanisms;
mod patient;
mod rights;
mod sockets;
mod specimen;
mod words;

use std::path::Path;

use crate::addr::{AddressScope, Endpoint, Port, Transport};
use crate::host::Host;
use crate::report::{CheckReport, CheckStatus, DoctorReport, MachineReport, SCHEMA};
use crate::snapshot::{Scope, Snapshot, SocketScope, States};

pub use checks::{CHECKS, Check, nearest};
pub use circumstances::Circumstances;
pub use patient::Patient;
pub use specimen::{Kind, Place, Specimen, Ward};

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    status: CheckStatus,
    explain: String,
    cure: Option<String>,
}

impl Finding {
    fn works(explain: impl Into<String>) -> Self {
        Self { status: CheckStatus::Works, explain: explain.into(), cure: None }
    }

    fn limited(explain: impl Into<String>, cure: Option<String>) -> Self {
        Self { status: CheckStatus::Limited, explain: explain.into(), cure }
    }

    fn fails(explain: impl Into<String>) -> Self {
        Self { status: CheckStatus::Fails, explain: explain.into(), cure: None }
    }

    fn absent(explain: impl Into<String>) -> Self {
        Self { status: CheckStatus::Absent, explain: explain.into(), cure: None }
    }
}

/// What the checks have come to so far.
#[derive(Debug, Default)]
struct Findings(Vec<(&'static str, Finding)>);

impl Findings {
    fn add(&mut self, id: &'static str, finding: Finding) {
        debug_assert!(checks::of(id).is_some(), "{id} is in the table");
        self.0.push((id, finding));
    }

    /// The reports, in the table's order.
    fn reports(mut self) -> Vec<CheckReport> {
        CHECKS
            .iter()
            .filter_map(|check| {
                let place = self.0.iter().position(|(id, _)| *id == check.id)?;
                let (_, finding) = self.0.swap_remove(place);
                Some(CheckReport {
                    status: Some(finding.status),
                    explain: finding.explain,
                    cure: finding.cure,
                    ..listed(check)
                })
            })
            .collect()
    }
}

fn listed(check: &Check) -> CheckReport {
    CheckReport {
        id: check.id.to_owned(),
        group: check.group,
        essential: check.essential,
        status: None,
        explain: check.meaning.to_owned(),
        cure: None,
    }
}

/// Every check by its id and meaning, with nothing tried.
pub fn list(host: &dyn Host) -> DoctorReport {
    let checks = CHECKS.iter().map(listed).collect();
    DoctorReport { checks, ok: true, ..empty(host, &host.circumstances()) }
}

/// Examines this machine with the help of a patient: a run of `program` with `arguments` that
/// opens a [`Ward`] of specimens and says so. Nothing of it is left when this returns.
pub fn examine(host: &dyn Host, program: &Path, arguments: &[&str]) -> DoctorReport {
    let began = host.now();
    let circumstances = host.circumstances();
    let mut findings = Findings::default();
    let mut report = empty(host, &circumstances);
    match Patient::admit(program, arguments) {
        Ok(mut patient) => {
            let seen = look_closely(host, &patient);
            sockets::check(host, &patient, &seen, &mut findings);
            mechanisms::check(host, &mut patient, &seen, &circumstances, &mut findings);
            acting::check(host, &patient, &seen, &mut findings);
        }
        Err(error) => findings.add("patient", Finding::fails(words::no_patient(&error))),
    }
    report.cures = rights::check(host, &circumstances, &mut findings);
    report.checks = findings.reports();
    report.ok = report.checks.iter().all(is_well);
    report.took_ms = u64::try_from((host.now() - began).as_millis()).unwrap_or(u64::MAX);
    report
}

/// Whether a check does not speak against the program: it may lack something, but nothing that
/// every answer needs.
fn is_well(check: &CheckReport) -> bool {
    !(check.essential && check.status == Some(CheckStatus::Fails))
}

/// Everything about the patient's ports and the patient, as values.
fn look_closely(host: &dyn Host, patient: &Patient) -> Snapshot {
    let endpoints = patient.specimens().iter().filter_map(endpoint_of).collect();
    host.snapshot(&Scope {
        sockets: SocketScope::Ports(endpoints),
        holders: true,
        states: States::All,
        options: true,
        pids: vec![patient.pid()],
        ..Scope::default()
    })
}

/// The port of a specimen, on every address: as a person asks for it.
fn endpoint_of(specimen: &Specimen) -> Option<Endpoint> {
    let transport = match specimen.kind {
        Kind::Udp4 | Kind::Udp6 => Transport::Udp,
        _ => Transport::Tcp,
    };
    let port = Port::new(specimen.place.inet()?.port())?;
    Some(Endpoint { transport: Some(transport), address: AddressScope::Every, port })
}

fn empty(host: &dyn Host, circumstances: &Circumstances) -> DoctorReport {
    let asker = host.snapshot(&Scope { pids: vec![std::process::id()], ..Scope::default() }).asker;
    DoctorReport {
        schema: SCHEMA,
        command: "doctor".to_owned(),
        ok: false,
        machine: Some(MachineReport {
            system: std::env::consts::OS.to_owned(),
            release: circumstances.release.clone(),
            architecture: std::env::consts::ARCH.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: circumstances.program.clone(),
            user: asker.user,
            uid: asker.uid,
        }),
        checks: Vec::new(),
        cures: Vec::new(),
        took_ms: 0,
        error: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_in_the_order_of_the_table_and_each_once() {
        let mut findings = Findings::default();
        findings.add("udp4", Finding::works("b"));
        findings.add("tcp4-listener", Finding::fails("a"));
        let reports = findings.reports();
        let ids: Vec<&str> = reports.iter().map(|report| report.id.as_str()).collect();
        assert_eq!(ids, ["tcp4-listener", "udp4"]);
        assert!(!is_well(&reports[0]) && is_well(&reports[1]));
    }

    #[test]
    fn what_is_not_essential_may_fail() {
        let mut findings = Findings::default();
        findings.add("packet-filter", Finding::fails("x"));
        assert!(findings.reports().iter().all(is_well));
    }
}
