//! Debuggers, what runs under them, and the ports that a runtime opens for one: such a port says
//! nothing about the application's own.

use super::subject::Subject;
use super::{Nature, NatureKind};
use crate::process::ProcessState;

/// A debugger, a program under one, or a runtime's debug port.
pub(super) fn debugger(subject: &Subject<'_>) -> Option<Nature> {
    delve(subject)
        .or_else(|| debugpy(subject))
        .or_else(|| java(subject))
        .or_else(|| inspector(subject))
        .or_else(|| other(subject))
}

fn named(name: impl Into<String>) -> Nature {
    Nature::new(NatureKind::Debugger, name)
}

/// The Go debugger and its `__debug_bin123`, which stays in tracing stop while delve lives.
fn delve(subject: &Subject<'_>) -> Option<Nature> {
    const DELVE: [&str; 2] = ["dlv", "dlv-dap"];
    if subject.is(&DELVE) {
        return Some(named("Delve, the Go debugger").advice(
            "stop the debug session in the editor; when it ends, what it started ends too, and what it attached to lives on",
        ));
    }
    let left = subject.file.starts_with("__debug_bin");
    match subject.ancestor(&DELVE) {
        Some(delve) if left || subject.process.state == ProcessState::Traced => {
            Some(named("program under Delve").advice(format!(
                "end Delve (pid {}) first: it holds this one still, and signals wait",
                delve.id.pid
            )))
        }
        None if left => Some(
            named("program left by the Go debugger").advice("no debugger is above it any more"),
        ),
        _ => None,
    }
}

/// debugpy's adapter has the port that the editor connects to; the program runs beside it
/// (<https://github.com/microsoft/debugpy>, "debugpy CLI Usage").
fn debugpy(subject: &Subject<'_>) -> Option<Nature> {
    let module = subject.script_name();
    if module == Some("debugpy.adapter")
        || (module == Some("adapter") && subject.script_has("debugpy/"))
    {
        return Some(
            named("debugpy's adapter")
                .advice("stop the debug session in the editor: it ends with it"),
        );
    }
    if module == Some("debugpy") || (module == Some("launcher") && subject.script_has("debugpy/")) {
        return Some(
            named("Python program under debugpy")
                .advice("stop the debug session in the editor, which ends both"),
        );
    }
    None
}

/// `-agentlib:jdwp=transport=dt_socket,server=y,address=*:5005` (and the older `-Xrunjdwp:`).
fn java(subject: &Subject<'_>) -> Option<Nature> {
    if subject.file != "java" {
        return None;
    }
    let options = subject.arguments().iter().find_map(|argument| {
        argument.strip_prefix("-agentlib:jdwp=").or_else(|| argument.strip_prefix("-Xrunjdwp:"))
    })?;
    let of =
        |name: &str| options.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    // With server=n it calls the debugger, and listens on nothing.
    if of("server") != Some("y") {
        return None;
    }
    let address = of("address")?;
    let port = address.rsplit_once(':').map_or(address, |(_, port)| port).parse().ok()?;
    debug_port(
        subject,
        &[port],
        "Java debug port (JDWP)",
        "start it without -agentlib:jdwp (look into JAVA_TOOL_OPTIONS, MAVEN_OPTS)",
    )
}

/// The port that Node opens for a debugger: 9229 unless said otherwise (node(1), `--inspect`).
fn inspector(subject: &Subject<'_>) -> Option<Nature> {
    if !subject.is(&["node", "nodejs", "deno", "bun"]) {
        return None;
    }
    let options = ["--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port"];
    let said: Vec<Option<&str>> = subject
        .arguments()
        .iter()
        .take_while(|word| subject.script != Some(word.as_str()))
        .filter_map(|word| {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            options.contains(&name).then_some(value)
        })
        .collect();
    let port = said.iter().flatten().find_map(|value| {
        value.rsplit_once(':').map_or(*value, |(_, port)| port).parse::<u16>().ok()
    });
    // Without the option it may stand in NODE_OPTIONS, or SIGUSR1 has opened it.
    debug_port(
        subject,
        &[port.unwrap_or(INSPECTOR)],
        "Node's inspector port",
        "start it without --inspect (look into NODE_OPTIONS)",
    )
}

const INSPECTOR: u16 = 9229;

/// A runtime whose debug port alone is looked at.
fn debug_port(subject: &Subject<'_>, ports: &[u16], name: &str, instead: &str) -> Option<Nature> {
    subject.only_ports(ports).then(|| {
        named(name)
            .advice(format!("the application ends with it; to have the port alone, {instead}"))
    })
}

fn other(subject: &Subject<'_>) -> Option<Nature> {
    const PROGRAMS: [(&str, &str); 11] = [
        ("gdbserver", "gdbserver"),
        ("gdb", "GDB"),
        ("lldb-server", "lldb-server"),
        ("debugserver", "LLDB's debugserver"),
        ("lldb-dap", "LLDB"),
        ("vsdbg", ".NET debugger"),
        ("vsdbg-ui", ".NET debugger"),
        ("netcoredbg", ".NET debugger"),
        ("rdbg", "Ruby debugger"),
        ("codelldb", "CodeLLDB"),
        ("rr", "rr"),
    ];
    let name = subject.script_name().filter(|name| *name == "rdbg").unwrap_or(subject.file);
    let (_, name) = PROGRAMS.iter().find(|(program, _)| *program == name)?;
    Some(
        named(*name)
            .advice("stop the debug session in the editor; a program that it started ends with it"),
    )
}
