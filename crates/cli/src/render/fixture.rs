//! Reports made by hand, for the tests of everything that reads one.

use proc_core::addr::Exposure;
use proc_core::diagnosis::{CauseKind, Verdict};
use proc_core::process::{ProcessState, SupervisorKind};
use proc_core::remedy::{Action, Remedy};
use proc_core::report::{
    BindRow, CauseReport, CheckGroup, CheckReport, CheckStatus, CureReport, DiffReport, DiffSide,
    DifferenceKind, DifferenceReport, DoctorReport, ErrorReport, GapReport, HolderReport,
    MachineReport, OtherPort, PortsReport, ProcessPort, ProcessReport, ProcessesReport, SCHEMA,
    SocketReport, StepReport, SupervisorReport, TargetReport,
};
use proc_core::socket::{Protocol, TcpState};

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub fn empty(target: &str) -> TargetReport {
    TargetReport {
        target: target.to_owned(),
        verdict: None,
        bind: Vec::new(),
        causes: Vec::new(),
        sockets: Vec::new(),
        processes: Vec::new(),
        ancestors: Vec::new(),
        gaps: Vec::new(),
        notes: Vec::new(),
        clients: None,
        peers: Vec::new(),
        other_ports: Vec::new(),
        usual: None,
        along: None,
        outcome: None,
        explain: None,
        refusal: None,
        met: None,
        waited_ms: None,
        status: None,
        plan: Vec::new(),
        events: Vec::new(),
        left_alone: Vec::new(),
        undo: None,
    }
}

pub fn process(pid: u32, ppid: u32, name: &str, argv: &[&str]) -> ProcessReport {
    ProcessReport {
        pid,
        ppid,
        started_at: Some("2026-01-01T10:00:00Z".to_owned()),
        age_ms: Some(7_300_000),
        name: name.to_owned(),
        exe: Some(format!("/usr/bin/{name}")),
        exe_deleted: false,
        argv: strings(argv),
        cwd: Some("/home/me/web".to_owned()),
        user: Some("me".to_owned()),
        uid: Some(1000),
        state: ProcessState::Sleeping,
        terminal: None,
        session: None,
        container: None,
        unit: None,
        supervisor: None,
        nature: None,
        origin: None,
        started_by: None,
        ancestors: Vec::new(),
        ports: None,
        cpu_percent: None,
        cpu_ms: None,
        memory_bytes: None,
        threads: None,
        because: Vec::new(),
        depth: None,
        context: false,
        details: None,
    }
}

pub fn socket(protocol: Protocol, local: &str, pids: &[u32]) -> SocketReport {
    SocketReport {
        protocol,
        local: local.to_owned(),
        remote: None,
        state: (protocol == Protocol::Tcp).then_some(TcpState::Listen),
        v6only: None,
        inode: Some(81234),
        uid: Some(1000),
        reuse_addr: None,
        reuse_port: None,
        netns: None,
        holders: pids
            .iter()
            .map(|pid| HolderReport { pid: *pid, fd: Some(21), by: None })
            .collect(),
        hidden: false,
        kernel: false,
        mptcp: false,
        backlog: None,
        expires_ms: None,
        cgroup: None,
        exposure: Some(Exposure::Any),
    }
}

fn row(address: &str, port: u16, plain: &str, reuse_addr: &str) -> BindRow {
    BindRow {
        address: address.to_owned(),
        port,
        protocol: Protocol::Tcp,
        plain: plain.to_owned(),
        reuse_addr: reuse_addr.to_owned(),
        predicted: false,
    }
}

/// A dev server under npm, started in a terminal, that a debugger port belongs to as well.
pub fn held() -> TargetReport {
    let mut node = process(4242, 4200, "node", &["node", "server.js", "--title", "my app"]);
    node.terminal = Some("pts/3".to_owned());
    node.session = Some(4100);
    node.ancestors = vec![4200, 4100, 1];
    node.supervisor = Some(SupervisorReport {
        kind: SupervisorKind::Watcher,
        name: "nodemon".to_owned(),
        pid: Some(4200),
        restarts: Some(true),
        stop: Some(strings(&["proc", "stop", "pid:4200"])),
        policy: None,
        restarted: None,
        takes_along: Vec::new(),
    });
    let mut parent = process(4200, 4100, "nodemon", &["nodemon"]);
    parent.ancestors = vec![4100, 1];
    let mut client = socket(Protocol::Tcp, "127.0.0.1:3000", &[4242]);
    client.state = Some(TcpState::Established);
    client.remote = Some("127.0.0.1:50000".to_owned());
    client.exposure = Some(Exposure::Loopback);
    let debugger = SocketReport {
        exposure: Some(Exposure::Loopback),
        ..socket(Protocol::Tcp, "127.0.0.1:9229", &[4242])
    };
    TargetReport {
        verdict: Some(Verdict::Held),
        bind: vec![
            row("0.0.0.0", 3000, "EADDRINUSE", "EADDRINUSE"),
            row("127.0.0.1", 3000, "EADDRINUSE", "ok"),
        ],
        causes: vec![CauseReport {
            kind: CauseKind::Listener,
            certain: true,
            explain: "node (4242) listens on [::]:3000".to_owned(),
            sockets: vec![0],
            pids: vec![4242],
            expires_ms: None,
            remedies: vec![
                Remedy {
                    action: Action::StopSupervisor,
                    argv: Some(strings(&["proc", "free", ":3000"])),
                    needs_root: false,
                    explain: "stops nodemon and node; 1 open connection is cut".to_owned(),
                },
                Remedy {
                    action: Action::UseAnother,
                    argv: None,
                    needs_root: false,
                    explain: "let your server use another port".to_owned(),
                },
            ],
            redirects: Vec::new(),
        }],
        sockets: vec![socket(Protocol::Tcp, "[::]:3000", &[4242]), client, debugger],
        processes: vec![
            node,
            parent,
            process(4100, 1, "zsh", &["-zsh"]),
            process(1, 0, "systemd", &["/sbin/init"]),
        ],
        gaps: vec![GapReport {
            what: "12 processes of other users could not be read".to_owned(),
            cure: Some("sudo".to_owned()),
        }],
        plan: vec![StepReport {
            step: "signal".to_owned(),
            pid: Some(4242),
            argv: None,
            explain: "ask node (4242) to end (SIGTERM)".to_owned(),
        }],
        clients: Some(1),
        other_ports: vec![OtherPort { pid: 4242, port: "tcp:9229".to_owned() }],
        ..empty(":3000")
    }
}

/// Nobody there, three closed connections left.
pub fn lingering() -> TargetReport {
    let mut left = socket(Protocol::Tcp, "127.0.0.1:5000", &[]);
    left.state = Some(TcpState::TimeWait);
    left.remote = Some("127.0.0.1:50001".to_owned());
    left.expires_ms = Some(41_000);
    TargetReport {
        verdict: Some(Verdict::Lingering),
        bind: vec![row("0.0.0.0", 5000, "EADDRINUSE", "ok")],
        causes: vec![CauseReport {
            kind: CauseKind::TimeWait,
            certain: true,
            explain: "nothing listens on :5000; 1 closed connection is in TIME-WAIT for 41 s more"
                .to_owned(),
            sockets: vec![0],
            pids: vec![],
            expires_ms: Some(41_000),
            remedies: vec![Remedy {
                action: Action::ClearRemains,
                argv: Some(strings(&["proc", "free", ":5000"])),
                needs_root: true,
                explain: "removes them".to_owned(),
            }],
            redirects: Vec::new(),
        }],
        sockets: vec![left],
        ..empty(":5000")
    }
}

/// One place that is new and one that is gone.
pub fn differences() -> DiffReport {
    let side = |file: Option<&str>, minute: u8, ports: &[&str]| DiffSide {
        file: file.map(str::to_owned),
        taken_at: format!("2026-01-01T10:{minute:02}:00Z"),
        ports: strings(ports),
    };
    let held = ports();
    let difference =
        |kind, now: Option<&SocketReport>, then: Option<&SocketReport>, explain: &str| {
            DifferenceReport {
                kind,
                certain: true,
                socket: now.cloned(),
                before: then.cloned(),
                processes: now.map(|_| held.processes[0].clone()).into_iter().collect(),
                processes_before: Vec::new(),
                explain: explain.to_owned(),
            }
        };
    DiffReport {
        schema: SCHEMA,
        command: "diff".to_owned(),
        ok: false,
        before: Some(side(Some("before.json"), 0, &[":3000"])),
        after: Some(side(None, 5, &[])),
        compared: 3,
        differences: vec![
            difference(
                DifferenceKind::Opened,
                held.sockets.first(),
                None,
                "tcp 127.0.0.1:3000 is new, held by node (pid 4242)",
            ),
            difference(
                DifferenceKind::Closed,
                None,
                held.sockets.get(2),
                "tcp 0.0.0.0:80 is closed, which nobody held",
            ),
        ],
        gaps: Vec::new(),
        error: None,
    }
}

/// Checks of every group and nearly every status.
pub fn doctor() -> DoctorReport {
    let check =
        |id: &str, group, essential, status, explain: &str, cure: Option<&str>| CheckReport {
            id: id.to_owned(),
            group,
            essential,
            status: Some(status),
            explain: explain.to_owned(),
            cure: cure.map(str::to_owned),
        };
    use CheckGroup::{Mechanisms, Sight, Sockets};
    use CheckStatus::{Absent, Limited, Works};
    DoctorReport {
        schema: SCHEMA,
        command: "doctor".to_owned(),
        ok: true,
        machine: Some(MachineReport {
            system: "linux".to_owned(),
            release: Some("6.18.5".to_owned()),
            architecture: "x86_64".to_owned(),
            version: "0.1.0".to_owned(),
            program: Some("/home/me/proc".to_owned()),
            user: Some("me".to_owned()),
            uid: 1000,
        }),
        checks: vec![
            check("tcp4-listener", Sockets, true, Works, "127.0.0.1:41 is found", None),
            check(
                "unix-abstract",
                Sockets,
                false,
                Absent,
                "this system has no abstract names",
                None,
            ),
            check(
                "bound-query",
                Mechanisms,
                false,
                Limited,
                "one by one",
                Some("Linux 6.8 or later"),
            ),
            check(
                "own-processes",
                Sight,
                false,
                Limited,
                "3 processes cannot be read",
                Some("sudo"),
            ),
        ],
        cures: vec![CureReport {
            argv: strings(&[
                "sudo",
                "setcap",
                "cap_sys_ptrace,cap_dac_read_search+ep",
                "/home/me/proc",
            ]),
            effective: false,
            explain: "would not count: nosuid".to_owned(),
        }],
        took_ms: 41,
        error: None,
    }
}

/// Sockets of every reach and every kind of holder.
pub fn ports() -> PortsReport {
    let reach = |exposure, socket| SocketReport { exposure, ..socket };
    let hidden = SocketReport {
        hidden: true,
        uid: Some(33),
        cgroup: Some("/system.slice/nginx.service".to_owned()),
        ..socket(Protocol::Tcp, "0.0.0.0:80", &[])
    };
    let kernel = SocketReport { kernel: true, ..socket(Protocol::Udp, "[::]:53", &[]) };
    PortsReport {
        schema: SCHEMA,
        command: "ports".to_owned(),
        ok: true,
        sockets: vec![
            reach(Some(Exposure::Loopback), socket(Protocol::Tcp, "127.0.0.1:3000", &[4242, 17])),
            reach(Some(Exposure::Lan), socket(Protocol::Tcp, "192.168.1.5:3000", &[4242])),
            hidden,
            kernel,
            reach(None, socket(Protocol::Unix, "/run/app.sock", &[17])),
        ],
        matched: 5,
        processes: vec![
            process(4242, 1, "node", &["node", "server.js"]),
            process(17, 1, "服务器", &["/opt/服务器"]),
        ],
        gaps: vec![],
        notes: vec![],
        error: None,
    }
}

/// Two processes, one of them stopped and with ports.
pub fn processes() -> ProcessesReport {
    let port = |protocol, port, local: &str, exposure| ProcessPort {
        protocol,
        port,
        local: local.to_owned(),
        exposure: Some(exposure),
    };
    let mut server = process(17, 1, "服务器", &["/opt/服务器"]);
    server.ports = Some(vec![port(Protocol::Udp, 53, "192.168.1.5:53", Exposure::Lan)]);
    let mut node = process(4242, 17, "node", &["node", "server.js"]);
    node.state = ProcessState::Stopped;
    node.ports = Some(vec![
        port(Protocol::Tcp, 3000, "127.0.0.1:3000", Exposure::Loopback),
        port(Protocol::Tcp, 3000, "[::]:3000", Exposure::Any),
        port(Protocol::Tcp, 3001, "[::]:3001", Exposure::Any),
        port(Protocol::Tcp, 9229, "127.0.0.1:9229", Exposure::Loopback),
    ]);
    ProcessesReport {
        schema: SCHEMA,
        command: "list".to_owned(),
        ok: true,
        processes: vec![server, node],
        matched: 2,
        window_ms: None,
        gaps: Vec::new(),
        notes: Vec::new(),
        explain: None,
        error: None,
    }
}

/// A failure with that sentence.
pub fn error(explain: &str) -> ErrorReport {
    ErrorReport {
        kind: "failed".to_owned(),
        explain: explain.to_owned(),
        word: None,
        suggestion: None,
    }
}
