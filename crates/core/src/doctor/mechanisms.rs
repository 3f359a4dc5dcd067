//! The calls that the answers stand on, each tried on the patient's own sockets or found out about.

use std::time::Duration;

use super::acting::specimen_socket;
use super::specimen::Kind;
use super::{Circumstances, Finding, Findings, Patient, words};
use crate::addr::Transport;
use crate::bind::BindResult;
use crate::engine::EngineWish;
use crate::host::{ActError, Host, MANAGER_LIMIT, Watch, Woken};
use crate::redirect::RedirectAnswer;
use crate::snapshot::{Gap, Scope, Snapshot, SocketScope, Source, States, Sweep};
use crate::socket::{Socket, TcpState};
use crate::unit::UnitWish;

/// How long news of a socket's end may take.
const NEWS: Duration = Duration::from_secs(1);

/// How often a remain is looked for again, five milliseconds apart.
const MOST_AGAIN: u32 = 20;

pub(super) fn check(
    host: &dyn Host,
    patient: &mut Patient,
    seen: &Snapshot,
    circumstances: &Circumstances,
    findings: &mut Findings,
) {
    findings.add("socket-query", socket_query(seen));
    findings.add("bound-query", bound_query(seen));
    findings.add("socket-options", socket_options(patient, seen, circumstances));
    findings.add("bind-probe", bind_probe(host, patient));
    if let Some(finding) = time_wait_reset(host, patient, seen) {
        findings.add("time-wait-reset", finding);
    }
    if let Some(finding) = socket_destroy(host, patient, seen) {
        findings.add("socket-destroy", finding);
    }
    if let Some(finding) = end_events(host, patient, seen) {
        findings.add("end-events", finding);
    }
    findings.add("namespaces", namespaces(host));
    findings.add("packet-filter", packet_filter(host, patient, circumstances));
    let (engines, units) = managers(host, circumstances);
    findings.add("engines", engines);
    findings.add("service-manager", units);
}

fn socket_query(seen: &Snapshot) -> Finding {
    let refusal = seen.gaps.iter().find_map(|gap| match gap {
        Gap::NoSockDiag { error } | Gap::NoSockets { error, .. } => Some(error),
        _ => None,
    });
    match (refusal, seen.source) {
        (Some(error), Source::ProcNet) => Finding::limited(words::substitute(error), None),
        (Some(error), _) => Finding::fails(words::no_sockets(error)),
        (None, source) => Finding::works(words::source(source)),
    }
}

fn bound_query(seen: &Snapshot) -> Finding {
    match (seen.gaps.contains(&Gap::NoBoundSockets), seen.source) {
        (false, _) => Finding::works(words::bound_listed()),
        (true, Source::ExtendedTable) => {
            Finding::limited(words::bound_unlisted(), Some(words::bound_cure()))
        }
        (true, _) => {
            Finding::limited(words::bound_one_by_one(), Some("Linux 6.8 or later".to_owned()))
        }
    }
}

fn socket_options(patient: &Patient, seen: &Snapshot, circumstances: &Circumstances) -> Finding {
    let Some(socket) = specimen_socket(patient, Kind::Tcp4Listener, seen) else {
        return Finding::fails(words::no_specimen());
    };
    match (socket.reuse_addr, circumstances.ptrace_scope) {
        (None, _) => Finding::limited(words::options_unread(), None),
        (Some(_), Some(scope @ 1..)) => {
            Finding::limited(words::options_of_children(scope), Some("sudo".to_owned()))
        }
        (Some(reuse_addr), _) => Finding::works(words::options_read(reuse_addr)),
    }
}

/// A held port is refused, and the same port of the other transport is not held by it.
fn bind_probe(host: &dyn Host, patient: &Patient) -> Finding {
    let Some(address) = patient.place(Kind::Tcp4Listener).and_then(super::Place::inet) else {
        return Finding::fails(words::no_specimen());
    };
    match host.probe(Transport::Tcp, address) {
        BindResult::InUse => Finding::works(words::probe_refused(address)),
        other => Finding::fails(words::probe_wrong(address, other)),
    }
}

/// Ends the patient's own TIME-WAIT, whose port nobody listens on any more.
fn time_wait_reset(host: &dyn Host, patient: &Patient, seen: &Snapshot) -> Option<Finding> {
    let place = patient.place(Kind::TimeWait)?.inet()?;
    let lingers = |snapshot: &Snapshot| {
        let found = snapshot.sockets.iter().find(|socket| {
            socket.local.inet() == Some(place) && socket.state == Some(TcpState::TimeWait)
        });
        found.cloned()
    };
    let scope = every_state(place.port())?;
    // It may have been on its way when the patient was looked at.
    let socket = lingers(seen).or_else(|| lingers(&host.snapshot(&scope)))?;
    match host.reset_time_wait(&socket) {
        Ok(()) => {}
        Err(ActError::Unsupported) => {
            return Some(Finding::absent(words::passes_by_itself(&socket)));
        }
        Err(error) => return Some(Finding::limited(words::not_reset(error, &socket), None)),
    }
    for _ in 0..MOST_AGAIN {
        if lingers(&host.snapshot(&scope)).is_none() {
            return Some(Finding::works(words::reset()));
        }
        host.wait(&[], &mut Watch::silent(), Duration::from_millis(5));
    }
    let why = match seen.policy.rfc1337 {
        true => words::reset_forbidden(&socket),
        false => words::reset_ignored(&socket),
    };
    Some(Finding::limited(why, None))
}

/// Closes one end of the patient's own connection to itself.
fn socket_destroy(host: &dyn Host, patient: &Patient, seen: &Snapshot) -> Option<Finding> {
    let socket = specimen_socket(patient, Kind::TcpAccepted, seen)?;
    Some(match host.destroy(socket) {
        Ok(()) if is_closed(host, socket) => Finding::works(words::destroyed()),
        Ok(()) => Finding::limited(words::stays_open(), None),
        Err(ActError::Denied) => {
            Finding::limited(words::may_not_destroy(), Some("sudo".to_owned()))
        }
        Err(ActError::Unsupported) => Finding::absent(words::cannot_destroy()),
        Err(error) => Finding::limited(words::not_destroyed(error), None),
    })
}

/// Whether the connection is in the table no more: that a system says so is no proof (Wine's SetTcpEntry
/// does nothing).
fn is_closed(host: &dyn Host, socket: &Socket) -> bool {
    let Some(scope) = socket.port().and_then(every_state) else { return false };
    let stays = || {
        host.snapshot(&scope).sockets.iter().any(|seen| {
            (seen.local == socket.local && seen.remote == socket.remote)
                && seen.state == Some(TcpState::Established)
        })
    };
    for _ in 0..MOST_AGAIN {
        if !stays() {
            return true;
        }
        host.wait(&[], &mut Watch::silent(), Duration::from_millis(5));
    }
    false
}

/// Everything on a port of TCP.
fn every_state(port: u16) -> Option<Scope> {
    let endpoint = crate::addr::Endpoint {
        transport: Some(Transport::Tcp),
        ..crate::addr::Endpoint::any(crate::addr::Port::new(port)?)
    };
    let sockets = SocketScope::Ports(vec![endpoint]);
    Some(Scope { sockets, states: States::All, ..Scope::default() })
}

/// The patient closes a socket; the news must come.
fn end_events(host: &dyn Host, patient: &mut Patient, seen: &Snapshot) -> Option<Finding> {
    let socket = specimen_socket(patient, Kind::Udp4, seen)?;
    let deaf = Finding::limited(words::deaf(), None);
    // Without a cookie there is nothing to listen for.
    let Some(mut watch) = socket.cookie.map(|cookie| host.watch(&[cookie])) else {
        return Some(deaf);
    };
    if !watch.hears() {
        return Some(deaf);
    }
    if patient.close(Kind::Udp4).is_err() {
        return Some(Finding::fails(words::patient_gone()));
    }
    let began = host.now();
    Some(match host.wait(&[], &mut watch, NEWS) {
        Woken::Event => Finding::works(words::heard(host.now() - began)),
        Woken::Timeout => Finding::limited(words::not_heard(NEWS), None),
        Woken::Interrupted => Finding::fails(words::interrupted()),
    })
}

fn namespaces(host: &dyn Host) -> Finding {
    let seen = host.snapshot(&Scope {
        sockets: SocketScope::AllPorts,
        states: States::Servers,
        namespaces: Sweep::All,
        elsewhere_only: true,
        ..Scope::default()
    });
    let unseen = seen.gaps.iter().find_map(|gap| match gap {
        Gap::OtherNamespaces { count } => Some(*count),
        _ => None,
    });
    match unseen {
        Some(count) => {
            let cure = (seen.asker.uid != 0).then(|| "sudo".to_owned());
            Finding::limited(words::unseen_namespaces(count, seen.namespaces.len()), cure)
        }
        None if !matches!(seen.source, Source::SockDiag | Source::ProcNet) => {
            Finding::absent(words::no_namespaces())
        }
        None => Finding::works(words::namespaces(seen.namespaces.len())),
    }
}

fn packet_filter(host: &dyn Host, patient: &Patient, circumstances: &Circumstances) -> Finding {
    if !circumstances.packet_filter {
        return Finding::absent(words::no_filter());
    }
    let port = patient.place(Kind::Tcp4Listener).and_then(super::Place::inet);
    let ports: Vec<u16> = port.iter().map(std::net::SocketAddr::port).collect();
    let RedirectAnswer { gaps, .. } = host.redirects(&ports);
    let error = gaps.iter().find_map(|gap| match gap {
        Gap::NoRules { error } => Some(error),
        _ => None,
    });
    match error {
        Some(error) => Finding::limited(words::rules_unread(error), Some("sudo".to_owned())),
        None => Finding::works(words::rules_read()),
    }
}

/// Engines and the service manager, both at the same time: asked for something that is there on
/// every machine, or nowhere.
fn managers(host: &dyn Host, circumstances: &Circumstances) -> (Finding, Finding) {
    const NOBODY: &str = "proc-doctor-asks-for-nobody";
    const ALWAYS_THERE: &str = "init.scope";
    let engines = EngineWish { names: vec![NOBODY.to_owned()], ..EngineWish::default() };
    let units = UnitWish { units: vec![(ALWAYS_THERE.to_owned(), None)], ..UnitWish::default() };
    let began = host.now();
    let (engines, units) = host.managers(&engines, &units, MANAGER_LIMIT);
    let took = host.now() - began;
    let silent = |gaps: &[Gap]| -> Option<(String, Option<String>)> {
        let words: Vec<(String, Option<String>)> = gaps
            .iter()
            .filter(|gap| matches!(gap, Gap::Manager { .. }))
            .map(|gap| crate::explain::gap(gap, &host.snapshot(&Scope::default())))
            .collect();
        let cure = words.iter().find_map(|(_, cure)| cure.clone());
        let whats: Vec<&str> = words.iter().map(|(what, _)| what.as_str()).collect();
        (!whats.is_empty()).then(|| (whats.join("; "), cure))
    };
    let engine = match (silent(&engines.gaps), circumstances.engines.is_empty()) {
        (Some((what, cure)), _) => Finding::limited(what, cure),
        (None, true) => Finding::absent(words::no_engine()),
        (None, false) => Finding::works(words::engines(&circumstances.engines)),
    };
    let manager = match (silent(&units.gaps), &circumstances.service_manager) {
        (Some((what, cure)), _) => Finding::limited(what, cure),
        (None, None) => Finding::absent(words::no_service_manager()),
        (None, Some(name)) if units.units.is_empty() => {
            Finding::limited(words::told_nothing(name), None)
        }
        (None, Some(name)) => Finding::works(words::manager_answers(name, took)),
    };
    (engine, manager)
}
