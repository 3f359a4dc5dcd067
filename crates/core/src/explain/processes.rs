//! Sentences about lists of processes: why there is none, and what was left out.

use std::path::PathBuf;
use std::time::Duration;

use super::{count, span};
use crate::filter::{Criterion, NameMatch, ProcessFilter, has_in_command};
use crate::nearness::nearest;
use crate::process::{Process, ProcessState};
use crate::report::LeftAloneReport;
use crate::snapshot::Snapshot;
use crate::target;

/// Why no process is meant by a filter: what was asked for, and what was probably meant.
pub fn no_process(filter: &ProcessFilter, snapshot: &Snapshot) -> String {
    let names: Vec<&str> = filter.names.iter().chain(&filter.by).map(String::as_str).collect();
    let wishes = wishes(filter);
    let others =
        || snapshot.processes.values().filter(|process| process.id.pid != snapshot.asker.pid);
    if let Some(parent) = filter.parent.filter(|parent| !snapshot.processes.contains_key(parent)) {
        return format!("there is no process {parent}");
    }
    if !names.is_empty() {
        let called = others()
            .filter(|process| names.iter().any(|name| filter.is_named(process, name)))
            .count();
        if called > 0 {
            let what = match called {
                1 => "and it is not all that was asked for",
                _ => "and none of them is all that was asked for",
            };
            return format!("{}, {what}: {wishes}", are_called(filter, &names, called));
        }
    }
    let mut sentence = match wishes.is_empty() {
        true => "there is no process to show".to_owned(),
        false => format!("no process {wishes}"),
    };
    if let ([name], NameMatch::Whole) = (names.as_slice(), filter.matching) {
        let within = others().filter(|process| has_in_command(process, name)).count();
        if let Some(meant) = nearest(name, others().flat_map(target::names)) {
            sentence.push_str(&format!("; did you mean {meant}?"));
        } else if within > 0 {
            let have = if within == 1 { "has" } else { "have" };
            sentence.push_str(&format!(
                "; {} {have} it in the command line: --cmd finds them there",
                count(within, "process", "processes")
            ));
        }
    }
    sentence
}

/// `2 processes are called node`.
fn are_called(filter: &ProcessFilter, names: &[&str], number: usize) -> String {
    let who = count(number, "process", "processes");
    let names = names.join(" or ");
    match (filter.matching, number) {
        (NameMatch::Whole, 1) => format!("{who} is called {names}"),
        (NameMatch::Whole, _) => format!("{who} are called {names}"),
        (NameMatch::Anywhere, 1) => format!("{who} has {names} in its name or command line"),
        (NameMatch::Anywhere, _) => format!("{who} have {names} in their name or command line"),
    }
}

/// What a filter asks for, as what follows "no process".
fn wishes(filter: &ProcessFilter) -> String {
    let mut wishes = Vec::new();
    let named = |name: &str| match filter.matching {
        NameMatch::Whole => format!("is called {name}"),
        NameMatch::Anywhere => format!("has {name} in its name or command line"),
    };
    if !filter.names.is_empty() {
        wishes.push(named(&filter.names.join(" or ")));
    }
    wishes.extend(filter.by.as_deref().map(named));
    wishes.extend(filter.command.as_ref().map(|text| format!("has {text} in its command line")));
    wishes.extend(
        filter.directory.as_ref().map(|path| format!("runs in {} or below it", path.display())),
    );
    wishes.extend(filter.program.as_ref().map(|path| format!("runs {}", path.display())));
    wishes.extend(filter.user.as_ref().map(|user| format!("runs as {user}")));
    wishes.extend(filter.min_cpu.map(|least| format!("uses {least} % of a processor")));
    wishes.extend(filter.min_memory.map(|least| format!("has {} in memory", bytes(least))));
    wishes.extend(filter.min_age.map(|least| format!("is {} old", age(least))));
    if !filter.states.is_empty() {
        let states: Vec<&str> = filter.states.iter().copied().map(state).collect();
        wishes.push(format!("is {}", states.join(" or ")));
    }
    wishes.extend(filter.parent.map(|parent| format!("is a child of {parent}")));
    match wishes.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A state, as what follows "is".
const fn state(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Zombie => "a zombie",
        ProcessState::LeaderExited => "without its main thread",
        ProcessState::Other => "in a state that nobody knows",
        other => other.name(),
    }
}

/// What is not so of a process, or not known of it, by the first condition that it misses.
pub fn missed(filter: &ProcessFilter, criterion: Criterion, process: &Process) -> String {
    let path = |path: &Option<PathBuf>| match path {
        Some(path) => path.display().to_string(),
        None => String::new(),
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match criterion {
        Criterion::Name => format!("not called {}", filter.names.join(" or ")),
        Criterion::By => format!("not called {}", text(&filter.by)),
        Criterion::Cmd => format!("without {} in the command line", text(&filter.command)),
        Criterion::In if process.cwd.is_none() => {
            "in a directory that could not be seen".to_owned()
        }
        Criterion::In => format!("not in {}", path(&filter.directory)),
        Criterion::Path if process.exe.is_none() => {
            "of an executable that could not be seen".to_owned()
        }
        Criterion::Path => format!("not run from {}", path(&filter.program)),
        Criterion::User if process.uid.is_none() => "of a user who could not be seen".to_owned(),
        Criterion::User => format!("not of user {}", text(&filter.user)),
        Criterion::MinCpu => {
            format!("using less than {} % of a processor", filter.min_cpu.unwrap_or_default())
        }
        Criterion::MinMem => format!("with less than {}", bytes(filter.min_memory.unwrap_or(0))),
        Criterion::MinUptime => format!("younger than {}", age(filter.min_age.unwrap_or_default())),
        Criterion::Status => {
            let states: Vec<&str> = filter.states.iter().copied().map(state).collect();
            format!("not {}", states.join(" or "))
        }
        Criterion::Parent => format!("not started by {}", filter.parent.unwrap_or(0)),
    }
}

/// How many of those that a target means a filter left alone, and why.
pub fn left_alone(of: usize, left: &[LeftAloneReport]) -> String {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for one in left {
        match reasons.iter_mut().find(|(reason, _)| *reason == one.explain) {
            Some((_, number)) => *number += 1,
            None => reasons.push((&one.explain, 1)),
        }
    }
    let why = match reasons.as_slice() {
        [(reason, _)] => (*reason).to_owned(),
        several => {
            let parts = several.iter().map(|(reason, number)| format!("{number} {reason}"));
            parts.collect::<Vec<String>>().join(", ")
        }
    };
    format!("{} of {of} left alone: {why}", left.len())
}

fn age(time: Duration) -> String {
    if time < Duration::from_secs(1) { format!("{} ms", time.as_millis()) } else { span(time) }
}

/// What was left out of a list unasked, or could not be decided.
pub fn left_out(filter: &ProcessFilter, snapshot: &Snapshot) -> Vec<String> {
    let mut notes = Vec::new();
    let kernel = snapshot.processes.values().filter(|process| process.kernel_thread).count();
    if kernel > 0 && filter.is_empty() && !filter.kernel_threads {
        notes.push(format!(
            "{} left out; --kernel shows them",
            count(kernel, "thread of the kernel is", "threads of the kernel are")
        ));
    }
    let undecided = snapshot
        .processes
        .values()
        .filter(|process| {
            // A zombie runs nowhere.
            process.state != ProcessState::Zombie
                && filter.directory.is_some()
                && process.cwd.is_none()
                && !process.kernel_thread
        })
        .count();
    if undecided > 0 {
        notes.push(format!(
            "where {} could not be read",
            count(undecided, "process runs", "processes run")
        ));
    }
    notes
}

/// That ports were not looked for.
pub fn no_ports() -> String {
    "the ports of so many processes are not looked for unasked; --sort ports has them, and so has every filter that leaves fewer".to_owned()
}

/// How many stand deeper in a tree than is shown.
pub fn deeper_processes(number: usize) -> String {
    format!("{} deeper than that", count(number, "more process stands", "more processes stand"))
}

/// How many more there are than were shown.
pub fn more_processes(number: usize) -> String {
    format!("{} not shown", count(number, "more process is", "more processes are"))
}

/// How many more sockets there are than were shown.
pub fn more_sockets(number: usize) -> String {
    format!("{} not shown", count(number, "more socket is", "more sockets are"))
}

/// Memory for people, in its largest unit: `840 KB`, `12.5 MB`, `1.2 GB`; 1 KB is 1024 bytes.
pub fn bytes(number: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    let Some((unit, size)) = UNITS.iter().find(|(_, size)| number >= *size) else {
        return format!("{number} B");
    };
    let (whole, tenth) = (number / size, number % size * 10 / size);
    match tenth {
        _ if whole >= 100 => format!("{whole} {unit}"),
        0 => format!("{whole} {unit}"),
        tenth => format!("{whole}.{tenth} {unit}"),
    }
}
