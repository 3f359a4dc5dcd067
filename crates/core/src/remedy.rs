//! What can be done about a cause: by whom, with which command, at what cost. Data only; the
//! doing is [`crate::act`]'s.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::addr::Endpoint;
use crate::diagnosis::{Cause, CauseKind};
use crate::redirect::{self, Author, Redirect};
use crate::snapshot::Snapshot;
use crate::socket::Protocol;
use crate::supervisor::container_proxy;

/// The kinds of remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Ask the holder to end.
    StopProcess,
    /// Continue a stopped process, in its terminal or by a signal.
    ContinueProcess,
    /// Stop the unit that runs it.
    StopUnit,
    /// Stop the container.
    StopContainer,
    /// Stop the program that would start it again.
    StopSupervisor,
    /// Close a connection without touching its process.
    CloseConnection,
    /// Remove what ended connections left.
    ClearRemains,
    /// Wait until it passes.
    Wait,
    /// Let the server set SO_REUSEADDR.
    SetReuseAddr,
    /// Use another port or address.
    UseAnother,
    /// Look again with more rights.
    LookAsRoot,
    /// Get the right to bind it.
    GetRight,
    /// Remove a stale socket file.
    RemoveFile,
    /// Remove a rule of the packet filter, or what it is there for.
    RemoveRule,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// What.
    pub action: Action,
    /// The exact command, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// Whether it needs more rights than the asker has.
    pub needs_root: bool,
    /// What it does and costs, in a sentence.
    pub explain: String,
}

/// What can be done about a cause, the softest that works first.
pub fn remedies(cause: &Cause, endpoint: &Endpoint, snapshot: &Snapshot) -> Vec<Remedy> {
    let proc = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    let target = endpoint.to_string();
    let foreign = cause.pids.iter().any(|pid| {
        let uid = snapshot.processes.get(pid).and_then(|process| process.uid);
        snapshot.asker.uid != 0 && uid.is_some_and(|uid| uid != snapshot.asker.uid)
    });
    let remedy = |action, argv, needs_root, explain: &str| Remedy {
        action,
        argv,
        needs_root,
        explain: explain.to_owned(),
    };
    let supervisor =
        cause.pids.first().and_then(|&pid| crate::supervisor::supervisor_of(pid, snapshot));
    let mut all = Vec::new();
    match cause.kind {
        CauseKind::Listener
        | CauseKind::SharedListener
        | CauseKind::InheritedListener
        | CauseKind::BoundNotListening
        | CauseKind::UdpSocket
        | CauseKind::InFlight => {
            if let Some(supervisor) = supervisor.filter(|s| s.restarts == Some(true)) {
                all.push(remedy(
                    Action::StopSupervisor,
                    supervisor.stop.clone(),
                    foreign,
                    &format!("stops {}, which would start it again", supervisor.name),
                ));
            }
            all.push(remedy(
                Action::StopProcess,
                proc(&["proc", "free", &target]),
                foreign,
                "asks the holder to end and waits until the port can be bound",
            ));
        }
        CauseKind::UnixSocket => all.push(remedy(
            Action::StopProcess,
            proc(&["proc", "stop", &target]),
            foreign,
            "asks the server to end",
        )),
        // The unit that a forwarding process is in is the whole engine: never that.
        CauseKind::Container if forwards(cause, snapshot) => all.push(remedy(
            Action::StopContainer,
            None,
            foreign,
            &format!(
                "stop the container that publishes it: docker (or podman) ps --filter publish={} names it",
                endpoint.port
            ),
        )),
        CauseKind::Container => all.push(remedy(
            Action::StopContainer,
            supervisor.and_then(|supervisor| supervisor.stop),
            snapshot.asker.uid != 0,
            "stops the container by its engine, so that it does not come back",
        )),
        CauseKind::SocketActivation => all.push(remedy(
            Action::StopUnit,
            None,
            foreign,
            "stop the socket unit: systemctl list-sockets names it (with --user, those of your own systemd)",
        )),
        CauseKind::AcceptedConnection => all.push(remedy(
            Action::StopProcess,
            proc(&["proc", "free", &target]),
            foreign,
            "closes the connections where that is allowed, else asks their holder to end",
        )),
        CauseKind::OutgoingConnection => {
            all.push(remedy(
                Action::CloseConnection,
                proc(&["proc", "free", &target]),
                !snapshot.asker.may_destroy,
                "closes that connection; the program that has it lives on and may open it again",
            ));
            all.push(remedy(
                Action::UseAnother,
                None,
                false,
                &format!(
                    "a port outside the ephemeral range ({} to {}) cannot be drawn like this, nor can one in net.ipv4.ip_local_reserved_ports, which a server may bind all the same",
                    snapshot.policy.ephemeral.start(),
                    snapshot.policy.ephemeral.end()
                ),
            ));
        }
        CauseKind::TimeWait => {
            all.push(remedy(
                Action::ClearRemains,
                proc(&["proc", "free", &target]),
                false,
                "clears them where that is allowed, else waits for them",
            ));
            all.push(remedy(
                Action::SetReuseAddr,
                None,
                false,
                "a server that sets SO_REUSEADDR can bind beside them, if the one before it set it too",
            ));
        }
        CauseKind::Closing => all.push(remedy(
            Action::ClearRemains,
            proc(&["proc", "free", &target]),
            !snapshot.asker.may_destroy,
            "destroys them, or waits until the kernel gives up on them",
        )),
        CauseKind::HiddenHolder | CauseKind::Unexplained => {
            if !snapshot.asker.sees_all && snapshot.asker.uid != 0 {
                all.push(remedy(
                    Action::LookAsRoot,
                    proc(&["sudo", "proc", "on", &target]),
                    true,
                    "names the holder",
                ));
            }
        }
        CauseKind::StaleUnixSocket => all.push(remedy(
            Action::RemoveFile,
            proc(&["rm", &target]),
            false,
            "removes the file that nobody serves",
        )),
        CauseKind::Privileged => all.push(remedy(
            Action::GetRight,
            None,
            true,
            &format!(
                "use port {} or higher, or give the program CAP_NET_BIND_SERVICE (setcap cap_net_bind_service=+ep PROGRAM)",
                snapshot.policy.unprivileged_start
            ),
        )),
        CauseKind::NotLocal | CauseKind::Reserved | CauseKind::NoPortsLeft => all.push(remedy(
            Action::UseAnother,
            None,
            false,
            "bind an address and port that this machine has",
        )),
        CauseKind::Redirected => all.extend(redirected(endpoint, snapshot)),
        CauseKind::Kernel | CauseKind::OtherNamespace => {}
    }
    all
}

/// What would end that packets are sent elsewhere. Nothing here does it: the rule is there because
/// somebody wants what it leads to.
fn redirected(endpoint: &Endpoint, snapshot: &Snapshot) -> Option<Remedy> {
    let root = snapshot.asker.uid != 0;
    let remedy = |action, argv: Option<Vec<&str>>, needs_root, explain: String| {
        let argv = argv.map(|words| words.into_iter().map(str::to_owned).collect());
        Some(Remedy { action, argv, needs_root, explain })
    };
    let rules = redirect::concerning(endpoint, snapshot);
    let rule = rules.first().copied();
    let container = match rule {
        Some(rule) => rule.container(snapshot),
        None => redirect::published(endpoint, snapshot).map(|(container, _)| container),
    };
    if let Some(container) = container {
        let argv = vec![container.engine.as_str(), "stop", container.name.as_str()];
        let own = container.owner == Some(snapshot.asker.uid);
        let explain = "stops the container, and its engine takes the rule away".to_owned();
        return remedy(Action::StopContainer, Some(argv), root && !own, explain);
    }
    let rule = rule?;
    match rule.author() {
        Author::Kubernetes(_) => remedy(
            Action::RemoveRule,
            None,
            root,
            "the rule goes with its Service: kubectl get services --all-namespaces lists them"
                .to_owned(),
        ),
        Author::Engine => {
            let podman = rule.comment.as_deref().is_some_and(|text| text.contains("podman"));
            let argv = rule.container_id().filter(|_| podman).map(|id| vec!["podman", "stop", id]);
            let explain = match argv {
                Some(_) => "stops the container, and its engine takes the rule away".to_owned(),
                None => format!(
                    "stop the container that publishes it: docker (or podman) ps --filter publish={} names it",
                    endpoint.port
                ),
            };
            remedy(Action::StopContainer, argv, root, explain)
        }
        Author::Unknown => remove_rule(rule, root),
    }
}

fn remove_rule(rule: &Redirect, needs_root: bool) -> Option<Remedy> {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<String>>();
    let (argv, explain) = match (rule.filter.as_str(), rule.handle, rule.address) {
        ("nftables", Some(handle), _) => {
            let mut argv = words(&["nft", "delete", "rule"]);
            argv.extend(rule.table.split(' ').map(str::to_owned));
            argv.extend([rule.chain.clone(), "handle".to_owned(), handle.to_string()]);
            (Some(argv), "deletes the rule; whoever wrote it may write it again".to_owned())
        }
        ("ipvs", _, Some(address)) => {
            let kind = if rule.protocol == Protocol::Udp { "-u" } else { "-t" };
            let service = SocketAddr::new(address, *rule.ports.start()).to_string();
            (Some(words(&["ipvsadm", "-D", kind, &service])), "deletes the service".to_owned())
        }
        _ => {
            let program = if rule.table.starts_with("ip6") { "ip6tables" } else { "iptables" };
            let chain = &rule.chain;
            (
                None,
                format!("delete the rule: {program} -t nat -L {chain} -n --line-numbers shows it"),
            )
        }
    };
    Some(Remedy { action: Action::RemoveRule, argv, needs_root, explain })
}

fn forwards(cause: &Cause, snapshot: &Snapshot) -> bool {
    let first = cause.pids.first().and_then(|pid| snapshot.processes.get(pid));
    first.is_some_and(|process| container_proxy(process).is_some())
}
