//! From a parsed command line to the command's own file, and its answer back.

use proc_core::report::ErrorReport;

use crate::answer::Answer;
use crate::cli::Command;
use crate::commands;
use crate::commands::act::Person;
use crate::core_api::{Core, connect};
use crate::globals::Globals;

/// Runs a command.
pub fn dispatch(command: &Command, globals: &Globals, person: &mut Person<'_>) -> Answer {
    carry_out(command, globals, person)
        .unwrap_or_else(|error| Answer::Failed { command: command.name(), error })
}

fn carry_out(
    command: &Command,
    globals: &Globals,
    person: &mut Person<'_>,
) -> Result<Answer, ErrorReport> {
    let core = || connect(globals.replay.as_deref(), &globals.settings);
    let act = |request, core: &mut dyn Core, person: &mut Person<'_>| {
        commands::act::run(request, globals, core, person)
    };
    match command {
        Command::On(args) => commands::on::run(args, globals, &mut *core()?),
        Command::Why(args) => commands::why::run(args, globals, &core),
        Command::Check(args) => commands::check::run(args, &mut *core()?),
        Command::Ports(args) => commands::ports::run(args, globals, &mut *core()?),
        Command::List(args) => commands::list::run(args, globals, &mut *core()?),
        Command::By(args) => commands::by::run(args, globals, &mut *core()?),
        Command::In(args) => commands::within::run(args, globals, &mut *core()?),
        Command::For(args) => commands::using::run(args, globals, &mut *core()?),
        Command::Orphans(args) => commands::orphans::run(args, globals, &mut *core()?),
        Command::Stuck(args) => commands::stuck::run(args, globals, &mut *core()?),
        Command::Info(args) => commands::info::run(args, globals, &mut *core()?),
        Command::Tree(args) => commands::tree::run(args, globals, &mut *core()?),
        Command::Kill(args) => act(args.request(globals)?, &mut *core()?, person),
        Command::Stop(args) => act(args.request(globals)?, &mut *core()?, person),
        Command::Free(args) => act(args.request(globals)?, &mut *core()?, person),
        Command::Freeze(args) => act(args.request(globals)?, &mut *core()?, person),
        Command::Thaw(args) => act(args.request(globals)?, &mut *core()?, person),
        Command::Unstick(args) => act(args.request(globals)?, &mut *core()?, person),
        Command::Reload(args) => act(args.request(globals)?, &mut *core()?, person),
        Command::Undo(args) => commands::undo::run(args, globals),
        Command::Wait(args) => commands::wait::run(args, globals, core, person.progress),
        Command::Watch(args) => commands::watch::run(args, globals),
        Command::Pick(args) => commands::pick::run(args, globals),
        Command::Run(args) => commands::run::run(args, globals),
        Command::Record(args) => commands::record::run(args, &mut *core()?),
        Command::Help(args) => commands::help::run(args),
        Command::Completions(args) => Ok(commands::completions::run(args)),
        Command::Man(args) => commands::man::run(args),
        Command::Config(args) => commands::config::run(args, &globals.settings),
        Command::Snapshot(args) => commands::snapshot::run(args, &mut *core()?),
        Command::Diff(args) => commands::diff::run(args, globals, core),
        Command::Doctor(args) => commands::doctor::run(args, globals),
        Command::Schema(args) => Ok(commands::schema::run(args)),
    }
}
