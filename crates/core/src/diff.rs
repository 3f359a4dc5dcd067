//! What serves now that did not then: two recordings compared, place by place. Pure; a place is a
//! protocol, an address and a network namespace, whoever has it and however many sockets share it.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::explain;
use crate::look::{LookOptions, process_facts, socket_report};
use crate::process::{Process, ProcessId};
use crate::recording::Recording;
use crate::report::{DiffReport, DiffSide, DifferenceKind, DifferenceReport, GapReport, SCHEMA};
use crate::snapshot::{Gap, Snapshot};
use crate::socket::{Holders, LocalAddress, Protocol, Socket, TcpState};

/// What to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffOptions {
    /// Sockets of TCP.
    pub tcp: bool,
    /// Sockets of UDP and UDP-Lite.
    pub udp: bool,
    /// Unix sockets with a name.
    pub unix: bool,
    /// Show values of arguments that look like secrets, where the recording has them still.
    pub show_secrets: bool,
}

impl DiffOptions {
    const fn wants(&self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp | Protocol::UdpLite => self.udp,
            Protocol::Unix => self.unix,
            Protocol::Raw => false,
        }
    }
}

/// A recording with what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The file it is from; `None` for now.
    pub file: Option<&'a str>,
    /// What was seen.
    pub recording: &'a Recording,
}

/// Compares.
pub fn diff(before: Side<'_>, after: Side<'_>, options: &DiffOptions) -> DiffReport {
    let covers = |socket: &Socket| {
        options.wants(socket.protocol)
            && covers(before.recording, socket)
            && covers(after.recording, socket)
    };
    let then = places(&before.recording.snapshot, covers);
    let now = places(&after.recording.snapshot, covers);
    let mut comparison = Comparison { before, after, options, found: Vec::new() };
    comparison.compare(&then, &now);
    let mut differences = comparison.found;
    differences.sort_by(|(a, _), (b, _)| a.cmp(b));
    let differences: Vec<DifferenceReport> = differences.into_iter().map(|(_, d)| d).collect();
    DiffReport {
        schema: SCHEMA,
        command: "diff".to_owned(),
        ok: differences.is_empty(),
        before: Some(side(before)),
        after: Some(side(after)),
        compared: now.len(),
        differences,
        gaps: gaps(before, after),
        error: None,
    }
}

/// Whether the recording would have that socket: one of some ports has no others, and no unix
/// sockets that it was not asked for.
fn covers(recording: &Recording, socket: &Socket) -> bool {
    if recording.endpoints.is_empty() {
        return true;
    }
    let transport = socket.protocol.transport();
    recording.endpoints.iter().any(|endpoint| {
        socket.port() == Some(endpoint.port.get())
            && transport.is_some_and(|own| endpoint.transports().contains(&own))
    })
}

/// Where something serves. In the order that it is told in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    namespace: Option<String>,
    port: Option<u16>,
    protocol: Protocol,
    address: LocalAddress,
    device: Option<u32>,
}

/// Who has a place: the sockets that share it, by their indices.
#[derive(Clone, Debug, Default)]
struct Tenants {
    sockets: Vec<usize>,
    processes: BTreeSet<ProcessId>,
    /// Whether any of the sockets has a holder that could not be seen.
    hidden: bool,
    /// Whether any accepts connections, or takes datagrams.
    serves: bool,
}

fn places(snapshot: &Snapshot, covers: impl Fn(&Socket) -> bool) -> BTreeMap<Place, Tenants> {
    let mut places: BTreeMap<Place, Tenants> = BTreeMap::new();
    for (index, socket) in snapshot.sockets.iter().enumerate() {
        let bound = socket.state == Some(TcpState::Bound);
        if !(socket.is_server() || bound) || !covers(socket) {
            continue;
        }
        let place = Place {
            namespace: socket.netns.and_then(|netns| snapshot.namespaces.get(netns)).map(
                |namespace| namespace.name.clone().unwrap_or_else(|| namespace.inode.to_string()),
            ),
            port: socket.port(),
            protocol: socket.protocol,
            address: socket.local.clone(),
            device: socket.device,
        };
        let tenants = places.entry(place).or_default();
        tenants.sockets.push(index);
        tenants.hidden |= matches!(socket.holders, Holders::Hidden | Holders::NotLooked);
        tenants.serves |= socket.is_server();
        let pids = socket.holders.pids();
        let known = pids.iter().filter_map(|pid| snapshot.processes.get(pid));
        tenants.processes.extend(known.map(|process| process.id));
    }
    places
}

struct Comparison<'a> {
    before: Side<'a>,
    after: Side<'a>,
    options: &'a DiffOptions,
    found: Vec<(Place, DifferenceReport)>,
}

type Places = BTreeMap<Place, Tenants>;

impl Comparison<'_> {
    fn compare(&mut self, then: &Places, now: &Places) {
        let mut closed: Vec<(&Place, &Tenants)> =
            then.iter().filter(|(place, _)| !now.contains_key(*place)).collect();
        for (place, tenants) in now {
            match then.get(place) {
                Some(old) => self.compare_tenants(place, old, tenants),
                None => match self.moved_from(place, tenants, &closed) {
                    Some(index) => {
                        let (_, old) = closed.remove(index);
                        self.tell(DifferenceKind::Moved, true, place, Some(old), Some(tenants));
                    }
                    None => self.tell(DifferenceKind::Opened, true, place, None, Some(tenants)),
                },
            }
        }
        for (place, old) in closed {
            self.tell(DifferenceKind::Closed, true, place, Some(old), None);
        }
    }

    /// Of what closed, that which is the same port of the same program at another address.
    fn moved_from(
        &self,
        place: &Place,
        tenants: &Tenants,
        closed: &[(&Place, &Tenants)],
    ) -> Option<usize> {
        closed.iter().position(|(old_place, old)| {
            place.port.is_some()
                && old_place.port == place.port
                && old_place.protocol == place.protocol
                && old_place.namespace == place.namespace
                && (!old.processes.is_disjoint(&tenants.processes)
                    || self.same_command(old, tenants))
        })
    }

    fn compare_tenants(&mut self, place: &Place, old: &Tenants, new: &Tenants) {
        let shared = !old.processes.is_disjoint(&new.processes);
        let kind = match (old.processes.is_empty(), new.processes.is_empty()) {
            // Both are known, and none of them is the same.
            (false, false) if !shared => match self.same_command(old, new) {
                true => Some((DifferenceKind::Restarted, true)),
                false => Some((DifferenceKind::ChangedHands, true)),
            },
            (false, false) => None,
            // Where one of them could not be seen, the sockets tell at least whether they are others.
            _ if (old.hidden || new.hidden) && !self.same_sockets(old, new) => {
                Some((DifferenceKind::ChangedHands, false))
            }
            _ => None,
        };
        let kind = kind.or(match (old.serves, new.serves) {
            (false, true) => Some((DifferenceKind::Listening, true)),
            (true, false) => Some((DifferenceKind::ListensNoMore, true)),
            _ => None,
        });
        if let Some((kind, certain)) = kind {
            self.tell(kind, certain, place, Some(old), Some(new));
        }
    }

    /// Whether a program of one runs in the other too, started by the same words in the same
    /// directory.
    fn same_command(&self, old: &Tenants, new: &Tenants) -> bool {
        let of = |side: Side<'_>, tenants: &Tenants| -> Vec<(Vec<String>, Option<String>)> {
            let known = processes(&side.recording.snapshot, tenants).into_iter();
            known.map(|process| (process.argv.clone(), process.cwd.clone())).collect()
        };
        let then = of(self.before, old);
        of(self.after, new).iter().any(|one| !one.0.is_empty() && then.contains(one))
    }

    /// Whether a socket is still there. Where neither has a name of the kernel's nothing speaks
    /// against it.
    fn same_sockets(&self, old: &Tenants, new: &Tenants) -> bool {
        let names = |side: Side<'_>, tenants: &Tenants| -> BTreeSet<(bool, u64)> {
            let sockets = &side.recording.snapshot.sockets;
            let of = |socket: &Socket| {
                let cookie = socket.cookie.map(|cookie| (true, cookie));
                [cookie, socket.inode.map(|inode| (false, inode))].into_iter().flatten()
            };
            tenants
                .sockets
                .iter()
                .flat_map(|&index| of(&sockets[index]).collect::<Vec<_>>())
                .collect()
        };
        let (then, now) = (names(self.before, old), names(self.after, new));
        then.is_empty() || now.is_empty() || !then.is_disjoint(&now)
    }

    fn tell(
        &mut self,
        kind: DifferenceKind,
        certain: bool,
        place: &Place,
        old: Option<&Tenants>,
        new: Option<&Tenants>,
    ) {
        let options =
            LookOptions { show_secrets: self.options.show_secrets, ..LookOptions::default() };
        let socket = |side: Side<'_>, tenants: &Tenants| {
            let snapshot = &side.recording.snapshot;
            let first = tenants.sockets.first().and_then(|&index| snapshot.sockets.get(index))?;
            Some(socket_report(first, snapshot))
        };
        let holders = |side: Side<'_>, tenants: Option<&Tenants>| {
            let snapshot = &side.recording.snapshot;
            let known = tenants.map(|tenants| processes(snapshot, tenants)).unwrap_or_default();
            known
                .iter()
                .map(|process| process_facts(process, snapshot, &options))
                .collect::<Vec<_>>()
        };
        let mut report = DifferenceReport {
            kind,
            certain,
            socket: new.and_then(|tenants| socket(self.after, tenants)),
            before: old.and_then(|tenants| socket(self.before, tenants)),
            processes: holders(self.after, new),
            processes_before: holders(self.before, old),
            explain: String::new(),
        };
        report.explain = words::difference(&report);
        self.found.push((place.clone(), report));
    }
}

/// The known holders of a place.
fn processes<'a>(snapshot: &'a Snapshot, tenants: &Tenants) -> Vec<&'a Process> {
    tenants.processes.iter().filter_map(|id| snapshot.processes.get(&id.pid)).collect()
}

fn side(side: Side<'_>) -> DiffSide {
    let recording = side.recording;
    DiffSide {
        file: side.file.map(str::to_owned),
        taken_at: crate::timestamp::rfc3339(recording.taken_at),
        ports: recording.endpoints.iter().map(ToString::to_string).collect(),
    }
}

/// What either of them could not see, each once.
fn gaps(before: Side<'_>, after: Side<'_>) -> Vec<GapReport> {
    let mut gaps: Vec<GapReport> = Vec::new();
    for (side, when) in [(before, words::THEN), (after, words::NOW)] {
        let snapshot = &side.recording.snapshot;
        for gap in &snapshot.gaps {
            let (what, cure) = explain::gap(gap, snapshot);
            // A whole look goes into every namespace it may, without being told to.
            let cure = match gap {
                Gap::OtherNamespaces { .. } => (snapshot.asker.uid != 0).then(|| "sudo".to_owned()),
                _ => cure,
            };
            gaps.push(GapReport { what: format!("{when}: {what}"), cure });
        }
    }
    gaps
}

#[cfg(test)]
mod tests;
