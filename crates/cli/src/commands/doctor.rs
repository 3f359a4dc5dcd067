//! `proc doctor`: whether this program tells the truth on this machine, and what this user cannot
//! see.

use std::io::BufRead;
use std::path::PathBuf;

use proc_core::doctor::{self, CHECKS, Kind, Ward};
use proc_core::host::LiveHost;
use proc_core::report::{CheckStatus, DoctorReport, ErrorReport};

use crate::answer::Answer;
use crate::core_api::unsupported_system;
use crate::exit::Exit;
use crate::globals::Globals;
use crate::interrupt;
use crate::output::{Output, reason};

/// The option that turns this program into the process that is examined.
const PATIENT: &str = "--patient";

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Opens sockets of its own, finds them, and ends a process of its own: nobody else's is touched.

Examples:
  proc doctor                  what works here, and what you cannot see
  proc doctor --json > doctor.json
  proc doctor tcp-bound udp4   only these checks; 0 where all of them work
  proc doctor --list           every check by name, and what it means")]
pub struct Args {
    /// Only these checks, by the names that --list has
    #[arg(value_name = "CHECK", value_parser = check)]
    checks: Vec<String>,
    /// List the checks, and try none
    #[arg(long, short)]
    list: bool,
    /// Be the process that is examined
    #[arg(long, hide = true, value_name = "DIRECTORY", exclusive = true)]
    patient: Option<PathBuf>,
}

fn check(word: &str) -> Result<String, String> {
    if CHECKS.iter().any(|check| check.id == word) {
        return Ok(word.to_owned());
    }
    let shown = crate::sanitize::text(word);
    Err(match doctor::nearest(word) {
        Some(id) => format!("`{shown}` is not a check; did you mean `{id}`?"),
        None => format!("`{shown}` is not a check; `proc doctor --list` has them"),
    })
}

/// Examines, or lists what would be.
///
/// # Errors
/// A system that this program cannot look at, a recording in place of a machine, or no way to start
/// this program once more.
pub fn run(args: &Args, globals: &Globals) -> Result<Answer, ErrorReport> {
    if let Some(directory) = &args.patient {
        return be_patient(directory);
    }
    if globals.replay.is_some() {
        let explain = "`proc doctor` examines this machine; a recording is none";
        return Err(error("usage", explain.to_owned()));
    }
    if args.list {
        let report = doctor::list(&LiveHost::default());
        return Ok(Answer::Examined { report: args.chosen(report), named: false });
    }
    if !LiveHost::SEES {
        return Err(error("unsupported", unsupported_system()));
    }
    let program = std::env::current_exe().map_err(|problem| {
        let why = reason(&problem);
        error("failed", format!("this program's own file cannot be found: {why}"))
    })?;
    let mut host = LiveHost::default();
    // What was opened is closed and removed also where somebody has had enough.
    if let Some(interrupt) = interrupt::descriptor() {
        host = host.with_interrupt(interrupt);
    }
    let report = doctor::examine(&host, &program, &["doctor", PATIENT]);
    Ok(Answer::Examined { report: args.chosen(report), named: !args.checks.is_empty() })
}

impl Args {
    /// The report of the checks that were named. Who names some asks whether they work.
    fn chosen(&self, mut report: DoctorReport) -> DoctorReport {
        if self.checks.is_empty() {
            return report;
        }
        report.checks.retain(|check| self.checks.contains(&check.id));
        report.cures.clear();
        if !self.list {
            let tried = |id: &String| report.checks.iter().any(|check| check.id == *id);
            report.ok = self.checks.iter().all(tried)
                && report.checks.iter().all(|check| check.status == Some(CheckStatus::Works));
        }
        report
    }
}

/// Opens everything, says what, closes what is asked for, and ends with whoever started this.
fn be_patient(directory: &std::path::Path) -> Result<Answer, ErrorReport> {
    let mut ward = Ward::open(directory);
    let failed = |problem: String| error("failed", problem);
    let mut line =
        serde_json::to_string(&ward.specimens()).map_err(|problem| failed(problem.to_string()))?;
    line.push('\n');
    Output::stream(&line).map_err(|problem| failed(reason(&problem)))?;
    for order in std::io::stdin().lock().lines().map_while(Result::ok) {
        if let Ok(kind) = serde_json::from_str::<Kind>(&order) {
            ward.close(kind);
        }
    }
    Ok(Answer::Told(Exit::Yes))
}

fn error(kind: &str, explain: String) -> ErrorReport {
    ErrorReport { kind: kind.to_owned(), explain, word: None, suggestion: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn who_names_a_check_asks_whether_it_works() {
        for (names, ok, left) in [
            (&[][..], true, 4),
            (&["tcp4-listener"], true, 1),
            (&["bound-query"], false, 1),
            (&["tcp4-listener", "unix-abstract"], false, 2),
            (&["process-end"], false, 0),
        ] {
            let args = Args {
                checks: names.iter().map(|name| (*name).to_owned()).collect(),
                ..Args::default()
            };
            let report = args.chosen(fixture::doctor());
            assert_eq!((report.ok, report.checks.len()), (ok, left), "{names:?}");
        }
    }

    #[test]
    fn a_word_that_is_no_check_is_refused() {
        assert_eq!(check("udp4").as_deref(), Ok("udp4"));
        assert!(check("udp5").unwrap_err().contains("did you mean `udp4`?"));
        assert!(check("x\x1b[2J").unwrap_err().contains("--list"));
    }
}
