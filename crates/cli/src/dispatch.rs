//! From a parsed command line to the command's own file, and its answer back.

use proc_core::report::ErrorReport;

use crate::answer::Answer;
use crate::cli::Command;
use crate::commands;
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
    let core = || connect(globals.replay.as_deref(), &globals.settings);
    match command {
        Command::On(args) => commands::on::run(args, globals, &mut *core()?),
        Command::Why(args) => commands::why::run(args, globals, &core),
        Command::Check(args) => commands::check::run(args, &mut *core()?),
        Command::Ports(args) => commands::ports::run(args, globals, &mut *core()?),
        Command::List(args) => commands::list::run(args, globals, &mut *core()?),
        Command::By(args) => commands::by::run(args, globals, &mut *core()?),
        Command::In(args) => commands::within::run(args, globals, &mut *core()?),
        Command::Kill(args) => {
            commands::act::run(args.request(), globals, &mut *core()?, consent, progress)
        }
        Command::Stop(args) => {
            commands::act::run(args.request(), globals, &mut *core()?, consent, progress)
        }
        Command::Free(args) => {
            commands::act::run(args.request(), globals, &mut *core()?, consent, progress)
        }
        Command::Undo(args) => commands::undo::run(args, globals),
        Command::Wait(args) => commands::wait::run(args, globals, core, progress),
        Command::Watch(args) => commands::watch::run(args, globals),
        Command::Pick(args) => commands::pick::run(args, globals),
        Command::Run(args) => commands::run::run(args, globals),
        Command::Record(args) => commands::record::run(args, &mut *core()?),
        Command::Config(args) => commands::config::run(args, &globals.settings),
        Command::Schema(args) => Ok(commands::schema::run(args)),
        Command::For(args) => commands::using::run(args, globals, &mut *core()?),
        Command::Orphans(args) => commands::orphans::run(args, globals, &mut *core()?),
        Command::Stuck(args) => commands::stuck::run(args, globals, &mut *core()?),
        Command::Freeze(args) => {
            commands::act::run(args.request(), globals, &mut *core()?, consent, progress)
        }
        Command::Thaw(args) => {
            commands::act::run(args.request(), globals, &mut *core()?, consent, progress)
        }
        Command::Unstick(args) => {
            commands::act::run(args.request(), globals, &mut *core()?, consent, progress)
        }
        Command::Reload(args) => {
            commands::act::run(args.request(), globals, &mut *core()?, consent, progress)
        }
    }
}
