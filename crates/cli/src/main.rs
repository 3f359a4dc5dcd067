//! `proc`: says what holds a port, why your bind fails, and gives the port back.

#![forbid(unsafe_code)]

mod answer;
mod cli;
mod columns;
mod commands;
mod complete;
mod config;
mod core_api;
mod dispatch;
mod duration;
mod exit;
mod globals;
mod hyperlinks;
mod intake;
mod interrupt;
mod local_time;
mod manual;
mod menu;
mod output;
mod pager;
mod progress;
mod prompt;
mod relay;
mod render;
mod sanitize;
mod signal;
mod split;
#[cfg(windows)]
mod teller;
mod terminal;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use answer::Answer;
use cli::{Cli, Command, Stop};
use commands::act::{Manner, Person};
use config::Settings;
use exit::Exit;
use globals::Globals;
use output::Output;
use progress::Progress;
use prompt::Prompt;
use terminal::{Stream, view};

fn main() -> ExitCode {
    let mut output = Output::default();
    let args: Vec<OsString> = std::env::args_os().collect();
    #[cfg(windows)]
    if let Some(exit) = teller::answer(&args) {
        return ended(exit);
    }
    let load = || Settings::load(&|name| std::env::var_os(name));
    if let Some(answer) = complete::answer(&args, load) {
        output.answer(&answer);
        return ended(output.finish(Exit::Yes));
    }
    let settings = load();
    let exit = match cli::parse(args, &settings) {
        Ok(mut cli) => {
            cli.globals.settings = settings;
            run(&cli, &mut output)
        }
        Err(stop) => explain(stop, &mut output),
    };
    ended(output.finish(exit))
}

fn ended(exit: Exit) -> ExitCode {
    let code = exit.code();
    match u8::try_from(code) {
        Ok(code) => ExitCode::from(code),
        // 0xC000013A, which a program of Windows ended by Ctrl-C has.
        #[expect(clippy::exit, reason = "ExitCode holds no more than 8 bits")]
        Err(_) => std::process::exit(code.cast_signed()),
    }
}

fn run(cli: &Cli, output: &mut Output) -> Exit {
    let globals = &cli.globals;
    if let Some(problem) = globals.settings.problem.as_ref().filter(|_| !globals.quiet)
        && !matches!(cli.command, Command::Config(_))
    {
        let sentence = format!("{}; going on without it", problem.explain);
        Output::note(&render::note(&sentence, &view(globals, Stream::Stderr)));
    }
    let answer = carry_out(cli);
    let exit = answer.exit();
    if !globals.quiet {
        Output::note(&render::gaps_beside(&answer, globals.jsonl, || {
            view(globals, Stream::Stderr)
        }));
    }
    match &answer {
        _ if globals.quiet => {}
        _ if globals.json => output.answer(&render::json(&answer)),
        _ if globals.jsonl => output.answer(&render::jsonl(&answer)),
        Answer::Failed { error, .. } => {
            Output::note(&render::error(error, &view(globals, Stream::Stderr)));
        }
        Answer::Text(text) => show(text, globals, output),
        _ => {
            let text = render::human(&answer, &view(globals, Stream::Stdout));
            match answer.is_for_reading() {
                true => show(&text, globals, output),
                false => output.answer(&text),
            }
        }
    }
    exit
}

/// Gives the text to a pager where it is longer than the terminal that it would go to; else prints it.
fn show(text: &str, globals: &Globals, output: &mut Output) {
    let person = std::io::stdin().is_terminal() && !globals.no_pager;
    let long = terminal::screen().filter(|_| person);
    if long.is_some_and(|(rows, columns)| pager::is_long(text, rows, columns)) {
        let variable = std::env::var("PAGER").ok();
        let words = pager::words(&globals.settings, variable.as_deref());
        if words.is_some_and(|words| pager::show(text, &words)) {
            return;
        }
    }
    output.answer(text);
}

fn carry_out(cli: &Cli) -> Answer {
    let globals = &cli.globals;
    let manner = manner(&cli.command);
    let silent = globals.quiet || globals.for_programs();
    let prompt = Prompt {
        yes: manner.yes,
        quiet: globals.quiet,
        attended: std::io::stdin().is_terminal() || std::io::stderr().is_terminal(),
    };
    let mut progress: Option<Progress> = None;
    let mut consent = |targets: &[_]| prompt.ask(targets, || view(globals, Stream::Stderr));
    let mut tell = |target: &str, event: &_| {
        if !silent {
            progress
                .get_or_insert_with(|| Progress::new(view(globals, Stream::Stderr), manner.several))
                .tell(target, event);
        }
    };
    let mut choose = |verb, ports: &_| {
        let view = view(globals, Stream::Stderr);
        menu::choose(verb, ports, &view, &mut |question| prompt::answer(question))
    };
    // Whoever said yes beforehand, or wants no words, has to say to what.
    let chooses = !(manner.yes || silent)
        && std::io::stdin().is_terminal()
        && (std::io::stderr().is_terminal() || std::io::stdout().is_terminal());
    let mut person = Person {
        consent: &mut consent,
        progress: &mut tell,
        choose: chooses.then_some(&mut choose),
    };
    let answer = dispatch::dispatch(&cli.command, globals, &mut person);
    if let Some(progress) = &mut progress {
        progress.finish();
    }
    answer
}

fn manner(command: &Command) -> Manner {
    match command {
        Command::Kill(args) => args.manner(),
        Command::Stop(args) => args.manner(),
        Command::Free(args) => args.manner(),
        Command::Freeze(args) => args.manner(),
        Command::Thaw(args) => args.manner(),
        Command::Unstick(args) => args.manner(),
        Command::Reload(args) => args.manner(),
        Command::Wait(args) => args.manner(),
        _ => Manner::default(),
    }
}

fn explain(stop: Stop, output: &mut Output) -> Exit {
    match stop {
        Stop::Shown(text) => {
            output.answer(&text);
            Exit::Yes
        }
        Stop::Hint(text) => {
            Output::note(&text);
            Exit::Usage
        }
        Stop::Wrong { error, command, json, quiet } => {
            if json {
                output.answer(&render::document(&answer::failure(&command, *error)));
            } else if !quiet {
                let globals = Globals::default();
                Output::note(&render::error(&error, &view(&globals, Stream::Stderr)));
            }
            Exit::Usage
        }
    }
}
