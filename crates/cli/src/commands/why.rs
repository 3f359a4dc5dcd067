//! `proc why`: why a bind fails, with all the evidence: of a port that is named, or of the very
//! bind that a program's message or a whole log tells of.

use std::path::Path;

use proc_core::addr::AddressScope;
use proc_core::diagnosis::Verdict;
use proc_core::message::{self, Class, Failure, words};
use proc_core::names::{MachineNames, Names};
use proc_core::report::{ErrorReport, MessageReport, Report, TargetReport};
use proc_core::target::{self, Target};

use super::{LookArgs, target_word};
use crate::answer::{Answer, Telling, document};
use crate::core_api::{Core, LookOptions, Looked};
use crate::exit::{self, Exit};
use crate::globals::Globals;
use crate::intake::{self, Intake, Manner};
use crate::output::Output;
use crate::render;
use crate::terminal::{Stream, view};

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc why :3000                   every cause, what proves it, what can be done
  proc why :3000 --all-namespaces  containers included
  proc why \"Error: listen EADDRINUSE: address already in use :::3000\"
  npm run dev 2>&1 | proc why      the error of a program, or of a log")]
pub struct Args {
    /// Ports, sockets or processes, such as :3000; or an error message; or - for standard input
    #[arg(value_name = "TARGET", value_parser = target_word)]
    targets: Vec<String>,
    #[command(flatten)]
    look: LookArgs,
}

/// The most messages that are answered.
const MOST: usize = 16;

/// How failures are answered.
#[derive(Clone, Copy, Debug)]
struct Way {
    telling: Telling,
    options: LookOptions,
    /// Whether it is this machine that is looked at, and no recording of one.
    here: bool,
}

/// What is asked about.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Targets,
    Message(String),
    /// Standard input, because it was named or because nothing else was.
    Input {
        named: bool,
    },
}

/// Looks.
///
/// # Errors
/// As [`Core::look`]; nothing is asked, or what was pasted tells of no failure.
pub fn run(
    args: &Args,
    globals: &Globals,
    core: &dyn Fn() -> Result<Box<dyn Core>, ErrorReport>,
) -> Result<Answer, ErrorReport> {
    let options = LookOptions { ancestors: true, ..args.look.options(globals) };
    let telling = if args.look.pids { Telling::Pids } else { Telling::Why };
    let way = Way { telling, options, here: globals.replay.is_none() };
    let asked = asked(&args.targets);
    if asked == (Asked::Input { named: false }) && intake::is_terminal() {
        return Err(nothing_asked());
    }
    let mut core = core()?;
    match asked {
        Asked::Targets => {
            let looked = core.look(&args.targets, options)?;
            if let Some(error) = no_message(&args.targets, &looked) {
                return Err(error);
            }
            Ok(Answer::looked("why", telling, looked))
        }
        Asked::Message(text) => {
            let failures = message::read(&text);
            let lines = text.lines().count() as u64;
            let intake = Intake { failures, lines, ..Intake::default() };
            tell(intake, way, &mut *core)
        }
        Asked::Input { named } => input(named, way, globals, &mut *core),
    }
}

/// Whether the words are targets or what a program said. A word that is a port, a path or a
/// process stays one; `address` and `in` are names of processes only as long as the words
/// together are no message.
fn asked(words: &[String]) -> Asked {
    match words {
        [] => return Asked::Input { named: false },
        [word] if word == "-" => return Asked::Input { named: true },
        _ => {}
    }
    let is_target = |word: &str| match target::parse_list([word]) {
        Ok(list) => list.iter().all(|(_, target)| match target {
            Target::Name(_) => false,
            // Words with a slash, such as a traceback that begins with a file.
            Target::Path(path) => !path.contains(char::is_whitespace) || Path::new(path).exists(),
            _ => true,
        }),
        Err(_) => false,
    };
    let is_message = |text: &str| !message::read(text).is_empty();
    let whole = |text: &str| words.len() == 1 || text.contains(char::is_whitespace);
    let said = |text: &String| whole(text) && !is_target(text) && is_message(text);
    if words.iter().any(said) {
        return Asked::Message(words.join("\n"));
    }
    let together = words.join(" ");
    match !words.iter().all(|word| is_target(word)) && is_message(&together) {
        true => Asked::Message(together),
        false => Asked::Targets,
    }
}

fn nothing_asked() -> ErrorReport {
    ErrorReport {
        kind: "usage".to_owned(),
        explain: "paste the message, pipe the log, or name a port: `proc why :3000`".to_owned(),
        word: None,
        suggestion: None,
    }
}

/// Answers what comes through standard input: at its end, or, where a person watches a program
/// run, as soon as it has failed and fallen silent.
fn input(
    named: bool,
    way: Way,
    globals: &Globals,
    core: &mut dyn Core,
) -> Result<Answer, ErrorReport> {
    let live = intake::is_live();
    let manner = Manner {
        pass_through: live && !globals.quiet,
        at_once: live && !globals.quiet && !globals.for_programs() && way.telling == Telling::Why,
    };
    let mut told: Option<Exit> = None;
    let mut say = |failures: Vec<Failure>, core: &mut dyn Core| {
        let intake = Intake { failures, ..Intake::default() };
        if let Ok(answer) = tell(intake, way, core) {
            // Where nobody reads the answer any more, the program still runs.
            let _ = Output::stream(&render::human(&answer, &view(globals, Stream::Stdout)));
            told = told.max(Some(answer.exit()));
        }
    };
    let intake = intake::read(manner, |failures| say(failures, core));
    if intake.failures.is_empty()
        && let Some(exit) = told
    {
        return Ok(Answer::Told(exit));
    }
    if intake.bytes == 0 && !named {
        return Err(nothing_asked());
    }
    tell(intake, way, core)
}

/// The answer to every failure that was read, in order.
fn tell(intake: Intake, way: Way, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    if intake.failures.is_empty() {
        return Err(no_failure(&intake));
    }
    let failures = distinct(intake.failures);
    let more = failures.len().saturating_sub(MOST);
    let mut messages: Vec<MessageReport> = Vec::new();
    let (mut targets, mut counts) = (Vec::new(), Vec::new());
    for failure in failures.into_iter().take(MOST) {
        let failure = if way.here { on_this_machine(failure) } else { failure };
        let (message, looked) = one(&failure, way.options, core);
        counts.push(looked.len());
        targets.extend(looked);
        messages.push(message);
    }
    if let Some(last) = messages.last_mut() {
        if more > 0 {
            last.notes.push(format!("{more} more failures were read and are not answered here"));
        }
        if intake.skipped {
            last.notes
                .push("the log has too many lines like this one; not all were read".to_owned());
        }
    }
    let exit = exit::of_targets(way.telling.question(), &targets, &counts);
    let report = Report { messages, ..document("why", targets, exit) };
    Ok(Answer::Looked { telling: way.telling, report, counts })
}

/// The failures, without those whose bind another one names already.
fn distinct(failures: Vec<Failure>) -> Vec<Failure> {
    let mut kept: Vec<Failure> = Vec::new();
    for failure in failures {
        let target = failure.target();
        if target.is_none() || kept.iter().all(|other| other.target() != target) {
            kept.push(failure);
        }
    }
    kept
}

/// A sentence in which no failed bind was found and that is the name of nothing: to say that no
/// process is called so would not help.
fn no_message(words: &[String], looked: &Looked) -> Option<ErrorReport> {
    let [said] = words else { return None };
    let sentence = said.split_whitespace().count() > 2;
    let nothing = looked.targets.iter().all(|target| {
        target.processes.is_empty() && target.sockets.is_empty() && target.causes.is_empty()
    });
    let mut numbers = said.split(|c: char| !c.is_ascii_digit());
    let port = numbers.find_map(|digits| digits.parse::<u16>().ok().filter(|port| *port > 0));
    let port = port.map_or("PORT".to_owned(), |port| port.to_string());
    (sentence && nothing && message::read(said).is_empty()).then(|| ErrorReport {
        kind: "failed".to_owned(),
        explain: format!(
            "no failed bind is told of in these words, and nothing is called so; name the port: `proc why :{port}`"
        ),
        word: None,
        suggestion: None,
    })
}

fn no_failure(intake: &Intake) -> ErrorReport {
    let lines = match intake.lines.max(u64::from(intake.bytes > 0)) {
        0 => "standard input, which is empty".to_owned(),
        1 => "1 line".to_owned(),
        lines => format!("{lines} lines"),
    };
    ErrorReport {
        kind: "failed".to_owned(),
        explain: format!("no failed bind is told of in {lines}; name the port: `proc why :PORT`"),
        word: None,
        suggestion: None,
    }
}

fn one(
    failure: &Failure,
    options: LookOptions,
    core: &mut dyn Core,
) -> (MessageReport, Vec<TargetReport>) {
    let target = failure.target();
    let looked = target.as_ref().map(|target| core.look_at(target, options)).unwrap_or_default();
    let verdict = match looked.as_slice() {
        [only] => only.verdict,
        several => several
            .iter()
            .filter_map(|one| one.verdict)
            .max_by_key(|verdict| *verdict != Verdict::Free),
    };
    let target = target.map(|target| target.to_string());
    let mut message = MessageReport::new(failure, target);
    message.notes.extend(moved(failure, &looked));
    if failure.class == Class::AlreadyRunning {
        message.notes.extend(running(failure, &looked));
    }
    message.notes.extend(words::advice(failure, verdict));
    (message, looked)
}

/// That a program took another port by itself, and why.
fn moved(failure: &Failure, looked: &[TargetReport]) -> Option<String> {
    let (from, to) = (failure.port?, failure.moved_to?);
    let holder = looked.iter().find_map(|target| {
        let pid = *target.causes.iter().find(|cause| cause.kind.is_live())?.pids.first()?;
        let process = target.processes.iter().find(|process| process.pid == pid)?;
        Some(format!("is held by {} ({pid})", process.name))
    });
    let why = holder.unwrap_or_else(|| "was taken".to_owned());
    Some(format!("it took {to} because {from} {why}"))
}

/// Whether the process that a PID file names is there.
fn running(failure: &Failure, looked: &[TargetReport]) -> Option<String> {
    let pid = failure.pid?;
    let process = looked.iter().flat_map(|target| &target.processes).find(|one| one.pid == pid);
    Some(match (process, &failure.path) {
        (Some(process), _) => format!(
            "process {pid} lives and is {}: if that is the server, it runs already; if not, the file is stale",
            process.name
        ),
        (None, Some(path)) => {
            format!("no process {pid} is there: the file {path} is stale and can be removed")
        }
        (None, None) => format!("no process {pid} is there"),
    })
}

/// The failure with what only this machine knows: the number of an interface that it names, and
/// what its PID file says.
fn on_this_machine(failure: Failure) -> Failure {
    let mut failure = with_pid(failure);
    if let (Some(AddressScope::One(address, 0)), Some(name)) = (failure.address, &failure.interface)
        && let Some(scope) = MachineNames::default().interface(name)
    {
        failure.address = Some(AddressScope::One(address, scope));
    }
    failure
}

/// The failure with the PID that its PID file holds, where the message has none and there is
/// such a file here: the path comes from a log, so nothing but a short number is taken from it.
fn with_pid(failure: Failure) -> Failure {
    let path = failure.path.as_deref().filter(|path| path.ends_with(".pid"));
    match path {
        Some(path) if failure.class == Class::AlreadyRunning && failure.pid.is_none() => {
            let pid = pid_in(path);
            Failure { pid, ..failure }
        }
        _ => failure,
    }
}

fn pid_in(path: &str) -> Option<u32> {
    use std::io::Read;
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_message_is_told_from_targets() {
        for line in [
            &["Error: listen EADDRINUSE: address already in use :::3000"][..],
            &["Error:", "listen", "EADDRINUSE:", "address", "already", "in", "use", ":::3000"],
            &["address", "already", "in", "use"],
            &["Address already in use"],
            &["EADDRINUSE"],
            &["EADDRINUSE:", "127.0.0.1:3000"],
            &["Port 3000 is already in use"],
            &[
                "/lib/socket.rb:201:in `bind': Address already in use - bind(2) for nil port 80\n\tfrom x",
            ],
            &["listen unix /tmp/app.sock: bind: address already in use"],
            &[
                "web.socket: Failed to create listening socket (/run/a.sock): Address already in use",
            ],
        ] {
            assert!(matches!(asked(&words(line)), Asked::Message(_)), "{line:?}");
        }
        for line in [
            &[":3000"][..],
            &[":::3000"],
            &["node", "postgres"],
            &["/run/app.sock"],
            &[":3000 :3001"],
            &["tcp:3000", "already"],
            &["127.0.0.1:3000,:80"],
            &["/tmp/EADDRINUSE.log"],
            &["some other words"],
        ] {
            assert_eq!(asked(&words(line)), Asked::Targets, "{line:?}");
        }
        assert_eq!(asked(&words(&["-"])), Asked::Input { named: true });
        assert_eq!(asked(&[]), Asked::Input { named: false });
    }
}
