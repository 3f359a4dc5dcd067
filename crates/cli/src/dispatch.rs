//! From a parsed command line to the command's own file, and its answer back.

use proc_core::report::ErrorReport;

use crate::answer::Answer;
use crate::cli::Command;
use crate::commands::{
    act, by, check, diff, doctor, list, on, pick, ports, record, run, schema, snapshot, undo, wait,
    watch, why, within,
};
use crate::core_api::{Ask, Tell, connect};
use crate::globals::Globals;

/// Runs a command.
pub fn dispatch(
    command: &Command,
    globals: &Globals,
    consent: &mut Ask<'_>,
    progress: &mut Tell<'_>,
) -> Answer {
    carry_out(command, globals, consent, progress)
        .unwrap_or_else(|error| Answer::Failed { command: command.name(), error })
}

fn carry_out(
    command: &Command,
    globals: &Globals,
    consent: &mut Ask<'_>,
    progress: &mut Tell<'_>,
) -> Result<Answer, ErrorReport> {
    let core = || connect(globals.replay.as_deref());
    match command {
        Command::On(args) => on::run(args, globals, &mut *core()?),
        Command::Why(args) => why::run(args, globals, &core),
        Command::Check(args) => check::run(args, &mut *core()?),
        Command::Ports(args) => ports::run(args, globals, &mut *core()?),
        Command::List(args) => list::run(args, globals, &mut *core()?),
        Command::By(args) => by::run(args, globals, &mut *core()?),
        Command::In(args) => within::run(args, globals, &mut *core()?),
        Command::Kill(args) => act::run(args.request(), globals, &mut *core()?, consent, progress),
        Command::Stop(args) => act::run(args.request(), globals, &mut *core()?, consent, progress),
        Command::Free(args) => act::run(args.request(), globals, &mut *core()?, consent, progress),
        Command::Undo(args) => undo::run(args, globals),
        Command::Wait(args) => wait::run(args, globals, core, progress),
        Command::Watch(args) => watch::run(args, globals),
        Command::Pick(args) => pick::run(args, globals),
        Command::Run(args) => run::run(args, globals),
        Command::Record(args) => record::run(args, &mut *core()?),
        Command::Snapshot(args) => snapshot::run(args, &mut *core()?),
        Command::Diff(args) => diff::run(args, globals, core),
        Command::Doctor(args) => doctor::run(args, globals),
        Command::Schema(args) => Ok(schema::run(args)),
    }
}
