//! What this user cannot see, in numbers, and the commands that would change it, with whether they
//! would.

use super::{Circumstances, Finding, Findings, words};
use crate::host::Host;
use crate::report::CureReport;
use crate::snapshot::{Asker, Gap, Scope, Snapshot, SocketScope, States};
use crate::socket::{Holders, Socket};

/// The capabilities that let a program see every process's descriptors: proc(5) asks for the right
/// to trace, and the directories are their owner's alone (capabilities(7)).
const CAPABILITIES: &str = "cap_sys_ptrace,cap_dac_read_search+ep";

/// How much is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hidden {
    servers: usize,
    /// Of them, those whose holder is not to be seen.
    ownerless: usize,
    processes: usize,
}

pub(super) fn check(
    host: &dyn Host,
    circumstances: &Circumstances,
    findings: &mut Findings,
) -> Vec<CureReport> {
    let snapshot = host.snapshot(&Scope {
        sockets: SocketScope::AllPorts,
        holders: true,
        states: States::BoundIfCheap,
        ..Scope::default()
    });
    let hidden = hidden(&snapshot);
    let cure = || (snapshot.asker.uid != 0).then(|| "sudo".to_owned());
    findings.add(
        "own-ports",
        match hidden.ownerless {
            0 => Finding::works(words::every_port(hidden.servers)),
            _ => Finding::limited(words::hidden_ports(hidden.ownerless, hidden.servers), cure()),
        },
    );
    findings.add(
        "own-processes",
        match hidden.processes {
            0 => Finding::works(words::every_process()),
            count => Finding::limited(words::hidden_processes(count), cure()),
        },
    );
    let listed = !snapshot.gaps.contains(&Gap::HiddenProcesses);
    findings.add(
        "process-list",
        match (&circumstances.hidepid, listed) {
            (Some(value), _) => Finding::limited(words::hidepid(value), cure()),
            (None, false) => Finding::limited(words::inner_namespace(), None),
            (None, true) => Finding::works(words::whole_list()),
        },
    );
    findings.add("privileged-ports", privileged(&snapshot));
    let limited = hidden.ownerless > 0 || hidden.processes > 0 || circumstances.hidepid.is_some();
    match limited {
        true => cures(&snapshot.asker, circumstances),
        false => Vec::new(),
    }
}

fn hidden(snapshot: &Snapshot) -> Hidden {
    let servers = || snapshot.sockets.iter().filter(|socket: &&Socket| socket.is_server());
    let processes = snapshot.gaps.iter().find_map(|gap| match gap {
        Gap::UnreadableProcesses { count } => Some(*count),
        _ => None,
    });
    Hidden {
        servers: servers().count(),
        ownerless: servers().filter(|socket| socket.holders == Holders::Hidden).count(),
        processes: processes.unwrap_or(0),
    }
}

fn privileged(snapshot: &Snapshot) -> Finding {
    let floor = snapshot.policy.unprivileged_start;
    match (floor, snapshot.asker.may_bind_privileged) {
        (0..=1, _) => Finding::works(words::no_floor()),
        (_, true) => Finding::works(words::may_bind_privileged(floor)),
        (_, false) => {
            Finding::limited(words::may_not_bind_privileged(floor), Some("sudo".to_owned()))
        }
    }
}

/// The commands that would show more, the safest first.
fn cures(asker: &Asker, circumstances: &Circumstances) -> Vec<CureReport> {
    let words_of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut cures = Vec::new();
    let program = circumstances.program.as_deref();
    if asker.uid != 0 {
        cures.push(CureReport {
            argv: words_of(&["sudo", program.unwrap_or("proc"), "doctor"]),
            effective: !circumstances.no_new_privileges,
            explain: match circumstances.no_new_privileges {
                true => words::no_new_privileges(),
                false => words::sudo(),
            },
        });
    }
    if let Some(program) =
        program.filter(|_| circumstances.knows_file_capabilities && !asker.sees_all)
    {
        let hindrance = hindrance(circumstances);
        cures.push(CureReport {
            argv: words_of(&["sudo", "setcap", CAPABILITIES, program]),
            effective: hindrance.is_none(),
            explain: hindrance.unwrap_or_else(words::setcap),
        });
    }
    cures
}

/// What keeps capabilities of this program's file from counting.
fn hindrance(circumstances: &Circumstances) -> Option<String> {
    if circumstances.nosuid {
        return Some(words::nosuid());
    }
    if circumstances.no_new_privileges {
        return Some(words::no_new_privileges());
    }
    circumstances.user_namespace.then(words::user_namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> (Asker, Circumstances) {
        let circumstances = Circumstances {
            program: Some("/home/me/my proc".to_owned()),
            knows_file_capabilities: true,
            ..Circumstances::default()
        };
        (Asker { uid: 1000, ..Asker::default() }, circumstances)
    }

    #[test]
    fn an_ordinary_user_is_told_both_ways() {
        let (asker, circumstances) = me();
        let cures = cures(&asker, &circumstances);
        let argv: Vec<&str> = cures.iter().map(|cure| cure.argv[1].as_str()).collect();
        assert_eq!(argv, ["/home/me/my proc", "setcap"]);
        assert_eq!(cures[1].argv.last().unwrap(), "/home/me/my proc");
        assert!(cures.iter().all(|cure| cure.effective), "{cures:?}");
    }

    #[test]
    fn capabilities_that_would_not_count_are_said_not_to() {
        let (asker, plain) = me();
        for (circumstances, word) in [
            (Circumstances { nosuid: true, ..plain.clone() }, "nosuid"),
            (Circumstances { no_new_privileges: true, ..plain.clone() }, "no_new_privs"),
            (Circumstances { user_namespace: true, ..plain.clone() }, "user namespace"),
        ] {
            let cure = cures(&asker, &circumstances).pop().unwrap();
            assert!(!cure.effective && cure.explain.contains(word), "{cure:?}");
        }
    }

    #[test]
    fn root_is_told_of_no_sudo_and_a_system_without_capabilities_of_none() {
        let (asker, circumstances) = me();
        let root = Asker { sees_all: true, ..Asker::default() };
        assert!(cures(&root, &circumstances).is_empty());
        let other = Circumstances { knows_file_capabilities: false, ..circumstances };
        assert_eq!(cures(&asker, &other).len(), 1);
    }
}
