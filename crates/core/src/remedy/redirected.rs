//! What would end that a rule of the packet filter sends a port elsewhere: stopping the container
//! or the service that the rule is for, or deleting it.

use std::net::SocketAddr;

use super::{Action, Remedy};
use crate::addr::Endpoint;
use crate::redirect::{self, Author, Redirect};
use crate::snapshot::Snapshot;
use crate::socket::Protocol;

/// What would end that packets are sent elsewhere. Nothing here does it: the rule is there because
/// somebody wants what it leads to.
pub(super) fn redirected(endpoint: &Endpoint, snapshot: &Snapshot) -> Option<Remedy> {
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
        let own = container.owner == Some(snapshot.asker.uid);
        return Some(Remedy {
            action: Action::StopContainer,
            argv: container.stop(),
            needs_root: root && !own,
            explain: "stops the container, and its engine takes the rule away".to_owned(),
        });
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
