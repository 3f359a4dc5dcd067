//! `proc undo`: starts again what `kill`, `stop` or `free` ended.

use std::io::IsTerminal;
use std::time::Duration;

use proc_core::host::{Host, LiveHost};
use proc_core::report::{ErrorReport, SCHEMA, UndoAct, UndoReport};
use proc_core::snapshot::Scope;
use proc_core::undo::{Here, RestoreRequest, Store, StoreError, act_report, restore, restore_here};

use super::act::duration;
use crate::answer::Answer;
use crate::core_api::{Consent, cannot_keep, state};
use crate::exit::Exit;
use crate::globals::Globals;
use crate::prompt::Prompt;
use crate::render;
use crate::terminal::{Stream, view};

/// Its arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  proc undo               start again what the last kill, stop or free ended
  proc undo --list        the last ten acts, with their numbers
  proc undo -y 17         undo act 17
  proc undo --here        run it in this terminal, in the foreground
  proc undo --dry-run     only say what would be started")]
pub struct Args {
    /// The number of the act, as `kill`, `stop`, `free` and --list say it [default: the last]
    #[arg(value_name = "N", value_parser = number)]
    number: Option<u64>,
    /// List the last ten acts, newest first
    #[arg(long, short, conflicts_with_all = ["number", "yes", "dry_run", "here", "again", "timeout"])]
    list: bool,
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
    /// Print what would be started, and start nothing
    #[arg(long)]
    dry_run: bool,
    /// Run it in this terminal, in the foreground
    #[arg(long, conflicts_with_all = ["json", "timeout"])]
    here: bool,
    /// Start it once more, although it was started again before
    #[arg(long)]
    again: bool,
    /// How long it may take until it serves its port again [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

const TIMEOUT: Duration = Duration::from_secs(10);

fn number(word: &str) -> Result<u64, String> {
    let number = word.parse().ok().filter(|number| *number > 0);
    number
        .ok_or_else(|| format!("`{word}` is not the number of an act; `proc undo --list` has them"))
}

/// Undoes, or lists.
///
/// # Errors
/// A state directory that cannot be used, an act that is not there or cannot be read.
pub fn run(args: &Args, globals: &Globals) -> Result<Answer, ErrorReport> {
    if !LiveHost::REVIVES {
        return Err(error("unsupported", cannot_keep("undo")));
    }
    if globals.replay.is_some() {
        let explain = "a recording cannot be acted on, so there is nothing to undo in it";
        return Err(error("usage", explain.to_owned()));
    }
    let base = state().map_err(|problem| failure(&problem))?;
    let directory = base.join("proc").join("undo").to_string_lossy().into_owned();
    let store = Store::open(&base).map_err(|problem| failure(&problem))?;
    let answer = |acts: Vec<UndoAct>, list| {
        let mut report = UndoReport {
            schema: SCHEMA,
            command: "undo".to_owned(),
            ok: false,
            directory: Some(directory.clone()),
            acts,
            error: None,
        };
        report.ok = crate::exit::of_undo(&report, list) == Exit::Yes;
        Answer::Undone { report, list }
    };
    if args.list {
        return Ok(answer(store.iter().flat_map(|store| all(store, globals)).collect(), true));
    }
    let number = args.number.or_else(|| store.as_ref()?.numbers().first().copied());
    let (Some(store), Some(number)) = (store, number) else {
        return Err(match args.number {
            Some(number) => failure(&StoreError::NoSuchAct(number)),
            None => error("failed", nothing(&directory)),
        });
    };
    Ok(match undo(args, globals, &store, number)? {
        Here::Not(act) => answer(vec![act], false),
        Here::Ended(code) => Answer::Told(Exit::Command(code.cast_unsigned())),
    })
}

fn nothing(directory: &str) -> String {
    // Whoever used sudo looks in the wrong place without it. An elevated terminal has the same place.
    let is_root =
        || cfg!(windows) || LiveHost::default().snapshot(&Scope::default()).asker.uid == 0;
    let also = if is_root() { "" } else { "; what was done with sudo is root's: sudo proc undo" };
    format!("nothing is to be undone: no act is kept in {directory}{also}")
}

fn undo(args: &Args, globals: &Globals, store: &Store, number: u64) -> Result<Here, ErrorReport> {
    let request = RestoreRequest {
        dry_run: args.dry_run,
        again: args.again,
        timeout: args.timeout.unwrap_or(TIMEOUT),
        show_secrets: globals.show_secrets,
    };
    let prompt = Prompt {
        yes: args.yes,
        quiet: globals.quiet,
        attended: std::io::stdin().is_terminal() || std::io::stderr().is_terminal(),
    };
    let mut consent = |act: &UndoAct| -> Consent {
        prompt.ask_about(|| render::undo_plan(act, args.here, &view(globals, Stream::Stderr)))
    };
    let host = LiveHost::default();
    let done = match args.here {
        true => restore_here(&host, store, number, &request, &mut consent),
        false => restore(&host, store, number, &request, &mut consent).map(Here::Not),
    };
    done.map_err(|problem| failure(&problem))
}

/// Every act that is kept; one that cannot be read says so.
fn all(store: &Store, globals: &Globals) -> Vec<UndoAct> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let one = |number| match store.read(number) {
        Ok(act) => act_report(&act, now, globals.show_secrets),
        Err(problem) => UndoAct {
            number,
            at: None,
            age_ms: None,
            verb: None,
            targets: Vec::new(),
            items: Vec::new(),
            explain: Some(problem.to_string()),
        },
    };
    store.numbers().into_iter().map(one).collect()
}

fn failure(problem: &StoreError) -> ErrorReport {
    error("failed", problem.to_string())
}

fn error(kind: &str, explain: String) -> ErrorReport {
    ErrorReport { kind: kind.to_owned(), explain, word: None, suggestion: None }
}
