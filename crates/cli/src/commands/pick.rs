//! `proc pick`: chooses free ports, and hands them to a command without a gap; lists leases and
//! ends them.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use proc_core::addr::{AddressScope, Port, Transport};
use proc_core::host::LiveHost;
use proc_core::launch::{Around, Program, Source, program_of, wanted};
use proc_core::lease::{self, Leases, Listed, Places, Released};
use proc_core::pick::{Keeping, Picked, Place, Problem, Wish, address_to_pass, pick, place};
use proc_core::report::{
    ErrorReport, LeaseKind, LeaseOutcome, LeaseReport, LeasesReport, PickReport, SCHEMA,
};

use super::check;
use crate::answer::Answer;
use crate::exit::Exit;
use crate::globals::Globals;
use crate::output::{self, Output};
use crate::terminal::{Stream, view};
use crate::{core_api, duration, render, sanitize};

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Without a command the ports are printed, one a line, and other picks leave them alone for 10 s.
With one, {} in it and the variable PORT are the port, and other picks leave it alone as long as
the command runs.

Examples:
  PORT=$(proc pick --near 3000) npm start
  proc pick -- python3 -m http.server {}    one that no other pick gets while it runs
  proc pick 2 --consecutive --range 4000-4100
  proc pick --leases                        which ports are leased, to whom, how long")]
pub struct Args {
    /// How many ports
    #[arg(value_name = "N", value_parser = count)]
    count: Option<u16>,
    /// The next free one at or above this port
    #[arg(long, value_name = "PORT", value_parser = near)]
    near: Option<Port>,
    /// The lowest free ones in this range, such as 3000-3100
    #[arg(long, value_name = "FIRST-LAST", value_parser = range)]
    range: Option<(Port, Port)>,
    /// Ports whose numbers follow each other
    #[arg(long)]
    consecutive: bool,
    /// Free in UDP instead of TCP
    #[arg(long, conflicts_with = "both")]
    udp: bool,
    /// Free in TCP and UDP
    #[arg(long)]
    both: bool,
    /// Free on this address instead of all; where a socket is passed, it is bound to this one
    #[arg(long, value_name = "ADDR", value_parser = check::address)]
    address: Option<String>,
    /// Also ports that the kernel may draw for outgoing connections
    #[arg(long)]
    ephemeral: bool,
    /// How long other picks leave the ports alone; 10s where nothing is said
    #[arg(long, value_name = "TIME", value_parser = lease_time, conflicts_with_all = ["no_lease", "command"])]
    lease: Option<Duration>,
    /// Keep the ports from nobody
    #[arg(long, conflicts_with = "command")]
    no_lease: bool,
    /// Whether the command gets a listening socket: auto, always, never
    #[arg(long, value_name = "WHEN", hide_possible_values = true)]
    socket: Option<Passing>,
    /// List the leases that there are
    #[arg(long, conflicts_with_all = OTHERS)]
    leases: bool,
    /// End your leases of these ports
    #[arg(long, value_name = "PORT", num_args = 1.., value_parser = leased, conflicts_with_all = OTHERS)]
    release: Vec<(Option<Transport>, Port)>,
    /// End all your leases that no process holds, and remove what dead ones left
    #[arg(long, conflicts_with_all = OTHERS, conflicts_with_all = ["leases", "release"])]
    clear: bool,
    /// The command that gets the ports
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

const OTHERS: [&str; 12] = [
    "count",
    "near",
    "range",
    "consecutive",
    "udp",
    "both",
    "address",
    "ephemeral",
    "lease",
    "no_lease",
    "command",
    "socket",
];

/// When a command gets sockets that listen already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Passing {
    /// Where it is known to take them.
    #[default]
    Auto,
    Always,
    Never,
}

fn count(word: &str) -> Result<u16, String> {
    match word.parse::<u64>() {
        Ok(0) => {
            Err("`0` ports are none; to look whether a port is free: `proc check :3000`".into())
        }
        Ok(count) => u16::try_from(count).map_err(|_| format!("there are no {count} ports")),
        Err(_) => Err(format!(
            "`{word}` is not a number of ports; a command stands after `--`, as in `proc pick -- {word}`"
        )),
    }
}

fn port(word: &str) -> Result<Port, String> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse::<u16>()
        .ok()
        .filter(|_| digits)
        .and_then(Port::new)
        .ok_or_else(|| format!("`{word}` is not a port; ports are 1 to 65535"))
}

fn near(word: &str) -> Result<Port, String> {
    port(word.strip_prefix(':').unwrap_or(word))
}

fn range(word: &str) -> Result<(Port, Port), String> {
    let bare = word.strip_prefix(':').unwrap_or(word);
    let Some((first, last)) = bare.split_once('-') else {
        return Err(format!("`{word}` is not a range; write it like `3000-3100`"));
    };
    let (first, last) = (port(first)?, port(last)?);
    match first <= last {
        true => Ok((first, last)),
        false => Err(format!("`{word}` ends before it begins; write `{last}-{first}`")),
    }
}

fn leased(word: &str) -> Result<(Option<Transport>, Port), String> {
    let (transport, number) = match word.split_once(':') {
        Some(("tcp", number)) => (Some(Transport::Tcp), number),
        Some(("udp", number)) => (Some(Transport::Udp), number),
        Some(("", number)) => (None, number),
        _ => (None, word),
    };
    Ok((transport, port(number)?))
}

fn lease_time(word: &str) -> Result<Duration, String> {
    let time = duration::parse(word)?;
    if time.is_zero() {
        return Err(format!("`{word}` is no time; for no lease: `--no-lease`"));
    }
    if time > lease::LONGEST {
        return Err(format!("`{word}` is too long; a lease lasts at most `24h`"));
    }
    Ok(time)
}

/// Does it.
///
/// # Errors
/// The command cannot be carried out.
pub fn run(args: &Args, globals: &Globals) -> Result<Answer, ErrorReport> {
    if globals.replay.is_some() {
        let explain = "`--replay` shows another moment, and pick takes ports of this one";
        return Err(error("usage", explain.to_owned()));
    }
    if !LiveHost::KEEPS {
        return Err(error("unsupported", core_api::cannot_keep("pick")));
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut leases = Leases::open(Places::ordinary(runtime.as_deref()));
    if args.socket == Some(Passing::Always) && !LiveHost::PASSES {
        let explain = core_api::cannot_pass_sockets();
        return Err(error("unsupported", explain));
    }
    if args.socket.is_some() && args.command.is_empty() {
        let explain = "--socket: it is for a command, which stands after `--`";
        return Err(error("usage", explain.to_owned()));
    }
    if args.leases {
        return Ok(list(&leases));
    }
    if args.clear {
        return Ok(clear(&mut leases));
    }
    if !args.release.is_empty() {
        return Ok(release(&mut leases, &args.release));
    }
    let address = core_api::address(args.address.as_deref(), AddressScope::Every)?;
    let wish = args.wish(address)?;
    if args.command.is_empty() {
        return print(args, globals, &mut leases, &wish);
    }
    let given = args.address.as_ref().map(|_| address);
    become_command(args, globals, &mut leases, &wish, given)
}

impl Args {
    fn wish(&self, address: AddressScope) -> Result<Wish, ErrorReport> {
        let outside = |near: Port, (first, last)| {
            let explain = format!("--near: {near} is not in the range {first}-{last}");
            error("usage", explain)
        };
        let place = match (self.near, self.range) {
            (Some(near), Some((first, last))) if (first..=last).contains(&near) => {
                Place::Range(near, last)
            }
            (Some(near), Some(range)) => return Err(outside(near, range)),
            (Some(near), None) => Place::Near(near),
            (None, Some((first, last))) => Place::Range(first, last),
            (None, None) => Place::Anywhere,
        };
        Ok(Wish {
            count: self.count.unwrap_or(1),
            place,
            in_a_row: self.consecutive,
            transports: match (self.both, self.udp) {
                (true, _) => &Transport::ALL,
                (false, true) => &Transport::ALL[1..],
                (false, false) => &Transport::ALL[..1],
            },
            address,
            ephemeral: self.ephemeral,
        })
    }
}

fn print(
    args: &Args,
    globals: &Globals,
    leases: &mut Leases,
    wish: &Wish,
) -> Result<Answer, ErrorReport> {
    let time = args.lease.unwrap_or(lease::ORDINARY);
    let keeping = if args.no_lease { Keeping::Nothing } else { Keeping::Timed(time) };
    let host = LiveHost::default();
    let picked = pick(&host, leases, wish, keeping, &[]).map_err(|problem| failure(&problem))?;
    if !globals.for_programs() {
        tell(&picked, globals);
    }
    let kept = picked.kept && !args.no_lease;
    Ok(Answer::Picked(PickReport {
        schema: SCHEMA,
        command: "pick".to_owned(),
        ok: true,
        ports: picked.ports.iter().map(|port| port.get()).collect(),
        protocols: wish.transports.iter().map(|transport| (*transport).into()).collect(),
        address: args.address.clone(),
        lease_ms: kept.then(|| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        notes: picked.notes,
        error: None,
    }))
}

/// Becomes the command: then there is an answer only where that fails. On Windows it is run, and its
/// exit code is the answer.
fn become_command(
    args: &Args,
    globals: &Globals,
    leases: &mut Leases,
    wish: &Wish,
    address: Option<AddressScope>,
) -> Result<Answer, ErrorReport> {
    if globals.for_programs() {
        let explain = "`--json` and a command exclude each other: stdout is the command's";
        return Err(error("usage", explain.to_owned()));
    }
    let argv: Vec<String> =
        args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut command = args.command.clone();
    let as_sockets = match args.socket {
        _ if !LiveHost::PASSES => false,
        None | Some(Passing::Auto) if takes_sockets(&argv) => true,
        None | Some(Passing::Auto) => {
            let is_one = wish.count == 1 && wish.transports == [Transport::Tcp];
            let words = if is_one { words_to_serve(&argv) } else { &[] };
            command.extend(words.iter().map(OsString::from));
            !words.is_empty()
        }
        Some(Passing::Always) => true,
        Some(Passing::Never) => false,
    };
    let keeping = match as_sockets {
        true => Keeping::Sockets(address_to_pass(address)),
        false => Keeping::Command,
    };
    let host = LiveHost::default();
    let picked = pick(&host, leases, wish, keeping, &argv).map_err(|problem| failure(&problem))?;
    let placement =
        place(&command, &picked.ports).map_err(|problem| error("usage", problem.to_string()))?;
    tell(&picked, globals);
    match picked.become_command(placement, as_sockets) {
        Ok(code) => Ok(Answer::Told(Exit::Command(code.cast_unsigned()))),
        Err(failed) => Err(not_run(&args.command[0], &failed)),
    }
}

/// Whether the command serves on sockets that it is handed, with no word more. It has to be the
/// program itself, or what becomes it by exec(2) under the same PID: `LISTEN_PID` tells everybody
/// else to leave them alone.
fn takes_sockets(argv: &[String]) -> bool {
    // Puma looks for its own address among the sockets and binds the port again where it is not
    // there, unless it is told to take those that there are.
    const PUMA: (&str, &str) = ("puma", "--bind-to-activated-sockets");
    let Some(program) = program_of(argv).filter(|program| program.takes_listen_fds) else {
        return false;
    };
    is_itself(argv, program) && (program.name != PUMA.0 || argv.iter().any(|word| word == PUMA.1))
}

/// The words that make a command serve on the socket it is handed, where it is known to be one
/// that takes such words and says nothing itself of where it serves. They go after its own.
fn words_to_serve(argv: &[String]) -> &'static [&'static str] {
    /// Where it serves by other means, or how it passes a socket on to processes of its own,
    /// which nobody has tried.
    const OTHERWISE: [&str; 13] = [
        "-b",
        "--bind",
        "-C",
        "--config",
        "-c",
        "-e",
        "--endpoint",
        "--fd",
        "-u",
        "--uds",
        "-w",
        "--workers",
        "--reload",
    ];
    let Some(program) = program_of(argv) else { return &[] };
    let around = Around { cwd: Path::new(""), env: &|_| None, files: &|_| None };
    let is_told = wanted(argv, &around).iter().any(|wanted| wanted.source == Source::Arguments)
        || argv.iter().any(|word| {
            OTHERWISE.contains(&word.split('=').next().unwrap_or_default()) || word.contains('{')
        });
    match is_told || !is_itself(argv, program) {
        true => &[],
        false => program.descriptor_arguments,
    }
}

/// Whether the first word is that program, or becomes it by exec(2).
fn is_itself(argv: &[String], program: &Program) -> bool {
    const BECOMES: [&str; 1] = ["env"];
    let first = argv.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
    first == program.name
        || first.to_string_lossy().starts_with("python")
        || BECOMES.iter().any(|name| first == *name)
}

fn tell(picked: &Picked, globals: &Globals) {
    if !globals.quiet {
        for note in &picked.notes {
            Output::note(&render::note(note, &view(globals, Stream::Stderr)));
        }
    }
}

fn not_run(program: &OsString, failed: &io::Error) -> ErrorReport {
    let shown = program.to_string_lossy();
    let reason = output::reason(failed);
    // ENOEXEC (execve(2)): a script without `#!`, or a program of another machine; on Windows
    // ERROR_BAD_EXE_FORMAT.
    const NO_FORMAT: i32 = if cfg!(windows) { 193 } else { 8 };
    let (kind, explain) = match (failed.kind(), failed.raw_os_error()) {
        (io::ErrorKind::NotFound, _) => ("usage", format!("there is no command `{shown}`")),
        (_, Some(NO_FORMAT)) if cfg!(windows) => {
            ("usage", format!("`{shown}` is no program of this machine"))
        }
        (_, Some(NO_FORMAT)) => {
            ("usage", format!("`{shown}` is no program; a script begins with `#!`"))
        }
        (io::ErrorKind::PermissionDenied, _) => {
            ("denied", format!("`{shown}` may not be run: {reason}"))
        }
        _ => ("failed", format!("`{shown}` cannot be run: {reason}")),
    };
    ErrorReport { word: Some(shown.into_owned()), ..error(kind, explain) }
}

fn list(leases: &Leases) -> Answer {
    let all = leases.list(&LiveHost::default());
    report(all.into_iter().map(described).collect(), None)
}

fn clear(leases: &mut Leases) -> Answer {
    let host = LiveHost::default();
    let ended = leases.release_all(&host);
    let cleared = leases.sweep(usize::MAX);
    let told = ended.into_iter().map(|lease| outcome(described(lease), &Released::Over));
    report(told.collect(), Some(cleared))
}

fn release(leases: &mut Leases, wanted: &[(Option<Transport>, Port)]) -> Answer {
    let host = LiveHost::default();
    let mut told = Vec::new();
    for (transport, port) in wanted {
        let before = leases.list(&host);
        let transports: Vec<Transport> = match transport {
            Some(transport) => vec![*transport],
            // Whichever is leased; TCP has to answer where none is.
            None => {
                let leased = |transport: &Transport| {
                    before.iter().any(|lease| (lease.port, lease.transport) == (*port, *transport))
                };
                let all: Vec<_> = Transport::ALL.into_iter().filter(leased).collect();
                if all.is_empty() { vec![Transport::Tcp] } else { all }
            }
        };
        for transport in transports {
            let known = before
                .iter()
                .find(|lease| (lease.port, lease.transport) == (*port, transport))
                .cloned();
            let lease = known.map_or_else(|| unknown(*port, transport), described);
            told.push(outcome(lease, &leases.release(&host, transport, *port)));
        }
    }
    report(told, None)
}

fn report(leases: Vec<LeaseReport>, cleared: Option<usize>) -> Answer {
    let command = "pick".to_owned();
    let mut report =
        LeasesReport { schema: SCHEMA, command, ok: false, leases, cleared, error: None };
    report.ok = crate::exit::of_leases(&report) == Exit::Yes;
    Answer::Leased(report)
}

fn unknown(port: Port, transport: Transport) -> LeaseReport {
    LeaseReport {
        port: port.get(),
        protocol: transport.into(),
        kind: None,
        pids: Vec::new(),
        argv: Vec::new(),
        uid: None,
        user: None,
        age_ms: None,
        left_ms: None,
        released: None,
        explain: None,
    }
}

fn described(lease: Listed) -> LeaseReport {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    LeaseReport {
        kind: Some(if lease.left.is_some() { LeaseKind::Timed } else { LeaseKind::Command }),
        pids: lease.pids,
        argv: lease.argv,
        uid: lease.uid,
        user: lease.user,
        age_ms: lease.age.map(ms),
        left_ms: lease.left.map(ms),
        ..unknown(lease.port, lease.transport)
    }
}

fn outcome(mut lease: LeaseReport, released: &Released) -> LeaseReport {
    let what = format!("{}:{}", lease.protocol, lease.port);
    let pids: Vec<String> = lease.pids.iter().map(u32::to_string).collect();
    let (outcome, explain) = match released {
        Released::Over => (LeaseOutcome::Released, format!("{what} is no longer leased")),
        Released::None => (LeaseOutcome::NotLeased, format!("{what} is not leased")),
        Released::Held => {
            let command = sanitize::shell(&lease.argv);
            let (holder, way) = match pids.first() {
                Some(pid) => {
                    let holder = format!("{command} (pid {})", pids.join(", "));
                    (holder, format!("proc stop pid:{pid}"))
                }
                // Windows does not tell who inherited it.
                None if !lease.argv.is_empty() => {
                    (format!("what {command} started"), format!("proc stop :{}", lease.port))
                }
                None => ("a process of another user".to_owned(), "proc stop pid:PID".to_owned()),
            };
            let explain =
                format!("{what} is leased as long as {holder} runs; to end that: `{way}`");
            (LeaseOutcome::HasHolder, explain)
        }
        Released::Foreign => {
            let explain = match cfg!(windows) {
                true => format!(
                    "the lease of {what} is another user's; an elevated `proc pick --release {what}` ends it"
                ),
                false => format!(
                    "the lease of {what} is another user's; `sudo proc pick --release {what}`"
                ),
            };
            (LeaseOutcome::AnotherUsers, explain)
        }
    };
    lease.released = Some(outcome);
    lease.explain = Some(explain);
    lease
}

fn failure(problem: &Problem) -> ErrorReport {
    let kind = match problem {
        Problem::TooMany { .. } => "usage",
        denied if denied.is_denied() => "denied",
        _ => "failed",
    };
    error(kind, problem.to_string())
}

fn error(kind: &str, explain: String) -> ErrorReport {
    ErrorReport { kind: kind.to_owned(), explain, word: None, suggestion: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_added_only_where_the_command_says_nothing_of_where_it_serves() {
        for (line, want) in [
            ("uvicorn asgi:app", "--fd 3"),
            ("python3 -m uvicorn asgi:app", "--fd 3"),
            ("env A=1 hypercorn asgi:app", "--bind fd://3"),
            ("daphne asgi:app", "--fd 3"),
            ("puma config.ru", "--bind-to-activated-sockets only"),
            ("uvicorn asgi:app --port {}", ""),
            ("uvicorn asgi:app --port 8000", ""),
            ("uvicorn asgi:app --port=8000", ""),
            ("uvicorn asgi:app --uds=/run/x", ""),
            ("uvicorn asgi:app --reload", ""),
            ("hypercorn asgi:app -b 127.0.0.1:{}", ""),
            ("puma -b tcp://0.0.0.0:9292", ""),
            ("npx uvicorn asgi:app", ""),
            ("node server.js", ""),
            ("gunicorn app:app", ""),
        ] {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(words_to_serve(&argv).join(" "), want, "{line}");
        }
    }
}
