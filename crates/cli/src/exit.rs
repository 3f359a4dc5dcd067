//! The exit codes, the same for every command, and the one place where answers become codes.

use proc_core::diagnosis::Verdict;
use proc_core::report::{
    DiffReport, DoctorReport, ErrorReport, LeaseOutcome, LeasesReport, Outcome, PortsReport,
    ProcessesReport, TargetReport, UndoOutcome, UndoReport,
};

/// What the exit code says. Of several targets the worst counts, and worst means the largest
/// number: a script that looks for "refused" or "not permitted" is not to be told "no" instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: held (`on`, `why`), bindable (`check`), done (`kill`, `stop`, `free`, `freeze`, `wait` …).
    Yes,
    /// 1: nothing there, not bindable, still held, timed out, or the answer cannot be written.
    No,
    /// 2: the command line is wrong.
    Usage,
    /// 3: not permitted.
    Denied,
    /// 4: a guard rail, no consent given, or answered "n".
    Refused,
    /// 5: this system cannot do it.
    Unsupported,
    /// Another program's own, which `run` passes on.
    Command(u32),
}

/// Which question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `on`, `why`: is anything there?
    Held,
    /// `check`: would a bind succeed, with SO_REUSEADDR or without?
    Bindable {
        /// Whether the server sets it.
        reuse_addr: bool,
    },
    /// `kill`, `stop`: have they ended?
    Ended,
    /// `free`: is the port free?
    Freed,
    /// `freeze`, `thaw`, `unstick`, `reload`: is it so now?
    Done,
}

impl Exit {
    /// The number for the system: 8 bits but for other programs' on Windows, which has 32.
    pub const fn code(self) -> u32 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Refused => 4,
            Self::Unsupported => 5,
            Self::Command(code) => code,
        }
    }
}

/// The code of an error that stopped the whole command.
pub fn of_error(error: &ErrorReport) -> Exit {
    match error.kind.as_str() {
        "usage" => Exit::Usage,
        "denied" => Exit::Denied,
        "refused" => Exit::Refused,
        "unsupported" => Exit::Unsupported,
        _ => Exit::No,
    }
}

/// The code of `ports`: whether it lists anything.
pub fn of_ports(report: &PortsReport) -> Exit {
    match &report.error {
        Some(error) => of_error(error),
        None if report.sockets.is_empty() => Exit::No,
        None => Exit::Yes,
    }
}

/// The code of a list of processes: whether there is any.
pub fn of_processes(report: &ProcessesReport) -> Exit {
    match &report.error {
        Some(error) => of_error(error),
        None if report.processes.is_empty() => Exit::No,
        None => Exit::Yes,
    }
}

/// The code of `pick --leases` (whether there are any), `--release` and `--clear` (whether all
/// that were to end are over).
pub fn of_leases(report: &LeasesReport) -> Exit {
    let of_one = |outcome| match outcome {
        None | Some(LeaseOutcome::Released) => Exit::Yes,
        Some(LeaseOutcome::NotLeased | LeaseOutcome::HasHolder) => Exit::No,
        Some(LeaseOutcome::AnotherUsers) => Exit::Denied,
    };
    let worst = report.leases.iter().map(|lease| of_one(lease.released)).max();
    // Nothing to clear is as good as cleared; nothing to list is a no.
    worst.unwrap_or(if report.cleared.is_some() { Exit::Yes } else { Exit::No })
}

/// The code of `diff`: whether there is none.
pub fn of_diff(report: &DiffReport) -> Exit {
    match &report.error {
        Some(error) => of_error(error),
        None if report.ok => Exit::Yes,
        None => Exit::No,
    }
}

/// The code of `doctor`: whether everything essential works, or of single checks all of them.
pub fn of_doctor(report: &DoctorReport) -> Exit {
    match &report.error {
        Some(error) => of_error(error),
        None if report.ok => Exit::Yes,
        None => Exit::No,
    }
}

/// The code of `undo`: whether everything that can be there again is; of its list, whether there
/// is any act.
pub fn of_undo(report: &UndoReport, list: bool) -> Exit {
    if let Some(error) = &report.error {
        return of_error(error);
    }
    if list {
        return if report.acts.is_empty() { Exit::No } else { Exit::Yes };
    }
    let of_one = |outcome| match outcome {
        UndoOutcome::Started | UndoOutcome::AlreadyRunning | UndoOutcome::Planned => Exit::Yes,
        UndoOutcome::AlreadyUndone
        | UndoOutcome::PortTaken
        | UndoOutcome::NotServing
        | UndoOutcome::ExitedAgain
        | UndoOutcome::Impossible
        | UndoOutcome::Failed => Exit::No,
        UndoOutcome::Denied => Exit::Denied,
        UndoOutcome::Refused | UndoOutcome::Declined => Exit::Refused,
    };
    let outcomes = report.acts.iter().flat_map(|act| &act.items).filter_map(|item| item.outcome);
    outcomes.map(of_one).max().unwrap_or(Exit::No)
}

/// The code of several targets. `counts` says how many reports each typed target got, in order:
/// a range is one question, and for [`Question::Held`] one held port answers it with yes. Where
/// `counts` does not cover the reports, each of the rest is a question of its own.
pub fn of_targets(question: Question, reports: &[TargetReport], counts: &[usize]) -> Exit {
    groups(reports, counts)
        .into_iter()
        .map(|group| {
            let codes = group.iter().map(|report| of_target(question, report));
            match question {
                Question::Held => codes.min(),
                Question::Bindable { .. } | Question::Ended | Question::Freed | Question::Done => {
                    codes.max()
                }
            }
            .unwrap_or(Exit::No)
        })
        .max()
        .unwrap_or(Exit::No)
}

/// The code of `wait`: whether all is so, or with `any` whether one is.
pub fn of_wait(reports: &[TargetReport], any: bool) -> Exit {
    let codes = reports.iter().map(waited);
    if any && codes.clone().any(|code| code == Exit::Yes) {
        return Exit::Yes;
    }
    codes.max().unwrap_or(Exit::No)
}

fn waited(report: &TargetReport) -> Exit {
    match (report.met, report.outcome) {
        (Some(true), _) => Exit::Yes,
        (_, Some(Outcome::Denied)) => Exit::Denied,
        _ => Exit::No,
    }
}

/// The reports, one slice for each typed target.
pub fn groups<'a>(reports: &'a [TargetReport], counts: &[usize]) -> Vec<&'a [TargetReport]> {
    let mut rest = reports;
    let mut groups = Vec::with_capacity(reports.len());
    for &count in counts {
        let (group, after) = rest.split_at(count.min(rest.len()));
        groups.push(group);
        rest = after;
    }
    groups.extend(rest.chunks(1));
    groups
}

/// The code of one target.
pub fn of_target(question: Question, report: &TargetReport) -> Exit {
    match question {
        Question::Held => held(report),
        Question::Bindable { reuse_addr } => {
            if bindable(report, reuse_addr) {
                Exit::Yes
            } else {
                Exit::No
            }
        }
        Question::Ended | Question::Freed | Question::Done => done(report),
    }
}

/// A lingering port is there: something keeps a plain bind from it. A denied one that nothing
/// keeps is "not permitted".
fn held(report: &TargetReport) -> Exit {
    let live = report.causes.iter().any(|cause| cause.kind.is_live());
    match report.verdict {
        Some(Verdict::Held | Verdict::Lingering) => Exit::Yes,
        Some(Verdict::Denied) if live => Exit::Yes,
        Some(Verdict::Denied) => Exit::Denied,
        Some(Verdict::Free) => Exit::No,
        None if report.outcome == Some(Outcome::Denied) => Exit::Denied,
        None if report.processes.is_empty() && report.sockets.is_empty() => Exit::No,
        None => Exit::Yes,
    }
}

/// Whether the kernel would let a server bind everywhere it was asked about.
pub fn bindable(report: &TargetReport, reuse_addr: bool) -> bool {
    if report.bind.is_empty() {
        return report.verdict == Some(Verdict::Free);
    }
    report.bind.iter().all(|row| {
        let answer = if reuse_addr { &row.reuse_addr } else { &row.plain };
        answer == "ok"
    })
}

fn done(report: &TargetReport) -> Exit {
    match report.outcome {
        Some(Outcome::Freed | Outcome::Planned) => Exit::Yes,
        // A free port is what was wanted; a process that is not there was probably misspelled.
        Some(Outcome::AlreadyFree) => Exit::Yes,
        Some(
            Outcome::Sent
            | Outcome::Frozen
            | Outcome::Thawed
            | Outcome::Unstuck
            | Outcome::NotStuck
            | Outcome::Reloaded,
        ) => Exit::Yes,
        Some(
            Outcome::StillHeld
            | Outcome::Respawned
            | Outcome::TakenByAnother
            | Outcome::Lingering
            | Outcome::NotFound
            | Outcome::Unchanged,
        )
        | None => Exit::No,
        Some(Outcome::Denied) => Exit::Denied,
        Some(Outcome::Refused | Outcome::Declined) => Exit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn with(verdict: Option<Verdict>, outcome: Option<Outcome>) -> TargetReport {
        TargetReport { verdict, outcome, ..fixture::empty(":1") }
    }

    #[test]
    fn verdicts_of_looking() {
        for (verdict, want) in [
            (Some(Verdict::Held), Exit::Yes),
            (Some(Verdict::Lingering), Exit::Yes),
            (Some(Verdict::Free), Exit::No),
            (Some(Verdict::Denied), Exit::Denied),
            (None, Exit::No),
        ] {
            assert_eq!(of_target(Question::Held, &with(verdict, None)), want, "{verdict:?}");
        }
        let mut process = fixture::held();
        process.verdict = None;
        assert_eq!(of_target(Question::Held, &process), Exit::Yes);
        process.verdict = Some(Verdict::Denied);
        assert_eq!(of_target(Question::Held, &process), Exit::Yes);
    }

    #[test]
    fn outcomes_of_acting() {
        let port = Some(Verdict::Free);
        for (question, verdict, outcome, want) in [
            (Question::Freed, port, Outcome::Freed, 0),
            (Question::Freed, port, Outcome::AlreadyFree, 0),
            (Question::Ended, port, Outcome::AlreadyFree, 0),
            (Question::Ended, None, Outcome::NotFound, 1),
            (Question::Freed, port, Outcome::Planned, 0),
            (Question::Freed, port, Outcome::StillHeld, 1),
            (Question::Freed, port, Outcome::Respawned, 1),
            (Question::Freed, port, Outcome::TakenByAnother, 1),
            (Question::Freed, port, Outcome::Lingering, 1),
            (Question::Freed, port, Outcome::Denied, 3),
            (Question::Freed, port, Outcome::Refused, 4),
            (Question::Freed, port, Outcome::Declined, 4),
            (Question::Ended, None, Outcome::Sent, 0),
            (Question::Done, None, Outcome::Frozen, 0),
            (Question::Done, None, Outcome::Thawed, 0),
            (Question::Done, None, Outcome::Unstuck, 0),
            (Question::Done, None, Outcome::NotStuck, 0),
            (Question::Done, None, Outcome::Reloaded, 0),
            (Question::Done, None, Outcome::Unchanged, 1),
            (Question::Done, None, Outcome::NotFound, 1),
        ] {
            let exit = of_target(question, &with(verdict, Some(outcome)));
            assert_eq!(exit.code(), want, "{question:?} {outcome:?}");
        }
    }

    #[test]
    fn check_reads_the_column_asked_for() {
        let lingering = fixture::lingering();
        assert_eq!(of_target(Question::Bindable { reuse_addr: false }, &lingering), Exit::No);
        assert_eq!(of_target(Question::Bindable { reuse_addr: true }, &lingering), Exit::Yes);
        let unknown = with(Some(Verdict::Held), None);
        assert_eq!(of_target(Question::Bindable { reuse_addr: true }, &unknown), Exit::No);
    }

    #[test]
    fn the_worst_of_several_counts_and_a_range_is_one() {
        let held = with(Some(Verdict::Held), None);
        let free = with(Some(Verdict::Free), None);
        let three = [free.clone(), held.clone(), free];
        assert_eq!(of_targets(Question::Held, &three, &[]), Exit::No);
        assert_eq!(of_targets(Question::Held, &three, &[3]), Exit::Yes);
        assert_eq!(of_targets(Question::Held, &three, &[2, 1]), Exit::No);
        assert_eq!(of_targets(Question::Held, &[], &[]), Exit::No);
        let acts = [
            with(None, Some(Outcome::Refused)),
            with(None, Some(Outcome::StillHeld)),
            with(None, Some(Outcome::Freed)),
        ];
        assert_eq!(of_targets(Question::Freed, &acts, &[3]), Exit::Refused);
    }

    #[test]
    fn waiting_for_all_and_for_any() {
        let met = TargetReport { met: Some(true), ..fixture::empty(":1") };
        let late = TargetReport { met: Some(false), ..fixture::empty(":1") };
        let denied = TargetReport { outcome: Some(Outcome::Denied), ..late.clone() };
        for (reports, all, any) in [
            (vec![met.clone()], 0, 0),
            (vec![met.clone(), late.clone()], 1, 0),
            (vec![late.clone(), late.clone()], 1, 1),
            (vec![late, denied.clone()], 3, 3),
            (vec![met, denied], 3, 0),
            (vec![], 1, 1),
        ] {
            let codes = (of_wait(&reports, false).code(), of_wait(&reports, true).code());
            assert_eq!(codes, (all, any), "{reports:?}");
        }
    }

    #[test]
    fn errors_of_the_whole_command() {
        for (kind, want) in
            [("usage", 2), ("denied", 3), ("refused", 4), ("unsupported", 5), ("failed", 1)]
        {
            let error = ErrorReport {
                kind: kind.to_owned(),
                explain: String::new(),
                word: None,
                suggestion: None,
            };
            assert_eq!(of_error(&error).code(), want);
        }
    }
}
