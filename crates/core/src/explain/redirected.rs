//! The sentences about rules of the packet filter that send a port elsewhere, and about ports that
//! the kernel draws for nobody.

use std::net::SocketAddr;

use super::{count, short_id};
use crate::addr::Endpoint;
use crate::diagnosis::{CauseKind, Diagnosis};
use crate::redirect::{Author, Redirect, concerning, published};
use crate::report::CauseReport;
use crate::snapshot::Snapshot;

/// Who takes the packets of a port that nobody holds, and where they go.
pub(super) fn cause(endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    let rules = concerning(endpoint, snapshot);
    let Some(first) = rules.first() else {
        return match published(endpoint, snapshot) {
            Some((container, protocol)) => format!(
                "no socket holds {}, so a bind works, but the {} container {} publishes it, and what arrives for it probably goes there",
                Endpoint { transport: protocol.transport(), ..*endpoint },
                container.engine,
                container.name
            ),
            None => {
                format!("a rule of the packet filter sends what arrives for {endpoint} elsewhere")
            }
        };
    };
    let transports: Vec<_> = rules.iter().map(|rule| rule.protocol).collect();
    let one = transports.iter().all(|protocol| *protocol == first.protocol);
    let transport = if one { first.protocol.transport() } else { endpoint.transport };
    format!(
        "no socket holds {}, so a bind works, but {} sends {} to {}{}",
        Endpoint { transport, ..*endpoint },
        writer(first),
        packets(first, "it"),
        target(first, endpoint, snapshot),
        others(&rules)
    )
}

/// That a server here gets nothing of what a rule takes first. Nothing where a container's own
/// forwarder holds the port: the rule is the faster way to the same container.
pub fn taken_first(diagnosis: &Diagnosis, snapshot: &Snapshot) -> Option<String> {
    let told = [CauseKind::Redirected, CauseKind::Container];
    if diagnosis.causes.iter().any(|cause| told.contains(&cause.kind)) {
        return None;
    }
    let rules = concerning(&diagnosis.endpoint, snapshot);
    let first = rules.first()?;
    let here = diagnosis.causes.iter().any(|cause| cause.kind.is_live());
    here.then(|| {
        let rest = match (first.from_others, first.local_too, first.address) {
            (true, false, None) => "only what this machine itself sends",
            (false, true, None) => "only what others send",
            (_, _, Some(_)) => "only what is sent to other addresses",
            (..) => "nothing of it",
        };
        format!(
            "{} sends {} to {}{}: the server here gets {rest}",
            writer(first),
            packets(first, &diagnosis.endpoint.to_string()),
            target(first, &diagnosis.endpoint, snapshot),
            others(&rules)
        )
    })
}

/// What a person who wants a free port should know of one whose packets go elsewhere.
pub fn elsewhere(cause: &CauseReport) -> String {
    let end = cause.remedies.first().map(|remedy| match &remedy.argv {
        Some(argv) => format!("; what would end that: {}", argv.join(" ")),
        None => format!("; what would end that: {}", remedy.explain),
    });
    format!("{}{}", cause.explain, end.unwrap_or_default())
}

/// That the kernel draws a port of its range for nobody, and that this keeps no server from it.
pub fn drawn_never(endpoint: &Endpoint, snapshot: &Snapshot) -> Option<String> {
    let (policy, port) = (&snapshot.policy, endpoint.port);
    let reserved = policy.ephemeral.contains(&port.get()) && !policy.is_ephemeral(port);
    reserved.then(|| {
        format!(
            "net.ipv4.ip_local_reserved_ports has {port}: the kernel draws it for no connection and no bind of port 0, and a server may bind it all the same"
        )
    })
}

/// Who wrote the rule, or where it stands.
fn writer(rule: &Redirect) -> String {
    match (rule.author(), rule.address) {
        (Author::Kubernetes(Some(service)), None) => {
            format!("a Kubernetes NodePort for {service}")
        }
        (Author::Kubernetes(Some(service)), Some(_)) => {
            format!("the Kubernetes service {service}")
        }
        (Author::Kubernetes(None), _) => "a Kubernetes service".to_owned(),
        _ if rule.filter == "ipvs" => "a virtual service of IPVS".to_owned(),
        _ => format!("a rule of {} ({}, chain {})", rule.filter, rule.table, rule.chain),
    }
}

/// Which packets it takes, of that port.
fn packets(rule: &Redirect, port: &str) -> String {
    let at = rule.address.map_or(String::new(), |address| format!(" at {address}"));
    match (rule.from_others, rule.local_too) {
        (true, false) => format!("what arrives for {port}{at}"),
        (true, true) => format!("what arrives for {port}{at}, from this machine too,"),
        (false, _) => format!("what this machine itself sends to {port}{at}"),
    }
}

/// Where it sends them.
fn target(rule: &Redirect, endpoint: &Endpoint, snapshot: &Snapshot) -> String {
    let port = rule.to_port.unwrap_or(endpoint.port.get());
    let Some(to) = rule.to else { return format!("port {port} of this machine") };
    let to = SocketAddr::new(to, port);
    match (rule.container(snapshot), rule.container_id()) {
        (Some(container), _) => format!("{to} (container {})", container.name),
        (None, Some(id)) => format!("{to} (container {})", short_id(id)),
        (None, None) => to.to_string(),
    }
}

/// How many other places the rules send to.
fn others(rules: &[&Redirect]) -> String {
    let mut places: Vec<_> = rules.iter().map(|rule| (rule.to, rule.to_port)).collect();
    places.sort_unstable();
    places.dedup();
    match places.len() {
        0 | 1 => String::new(),
        many => format!(", and to {}", count(many - 1, "other place", "other places")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::addr::{Port, Transport};
    use crate::diagnosis::{Verdict, diagnose};
    use crate::engine::{ContainerFacts, Published};
    use crate::remedy::remedies;
    use crate::snapshot::Gap;
    use crate::socket::Protocol;

    fn endpoint() -> Endpoint {
        Endpoint { transport: Some(Transport::Tcp), ..Endpoint::any(Port::new(8080).unwrap()) }
    }

    /// Where the engine says that container web publishes 8080 for its port 80.
    fn with_container(state: &str) -> Snapshot {
        let published = Published {
            protocol: Protocol::Tcp,
            address: None,
            port: 8080,
            container_port: Some(80),
        };
        let web = ContainerFacts {
            engine: "docker".to_owned(),
            command: vec!["docker".to_owned()],
            name: "web".to_owned(),
            state: Some(state.to_owned()),
            published: vec![published],
            ..ContainerFacts::default()
        };
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.asker.uid = 1000;
        snapshot.containers.push(web);
        snapshot
    }

    fn rule() -> Redirect {
        Redirect {
            filter: "nftables".to_owned(),
            table: "ip nat".to_owned(),
            chain: "DOCKER".to_owned(),
            protocol: Protocol::Tcp,
            ports: 8080..=8080,
            address: None,
            to: Some([172, 17, 0, 2].into()),
            to_port: Some(80),
            from_others: true,
            local_too: false,
            handle: Some(9),
            comment: None,
        }
    }

    #[test]
    fn the_container_that_publishes_the_port_is_named_and_stopped_by_its_engine() {
        let mut snapshot = with_container("running");
        snapshot.redirects.push(rule());
        let diagnosis = diagnose(&endpoint(), &[], &snapshot);
        assert_eq!(diagnosis.verdict, Verdict::Free);
        let [cause] = &diagnosis.causes[..] else { panic!("{diagnosis:?}") };
        assert!(cause.certain);
        let said = super::cause(&endpoint(), &snapshot);
        assert!(said.ends_with("for it to 172.17.0.2:80 (container web)"), "{said}");
        let remedy = &remedies(cause, &endpoint(), &snapshot)[0];
        assert_eq!(remedy.argv.as_ref().unwrap().join(" "), "docker stop web");
        assert!(remedy.needs_root);
        // A container that publishes it for another port of its own is another's.
        snapshot.redirects[0].to_port = Some(81);
        assert!(!super::cause(&endpoint(), &snapshot).contains("web"));
    }

    #[test]
    fn where_rules_may_not_be_read_the_engine_is_believed_and_not_quite() {
        let unread = Gap::NoRules { error: "EPERM".to_owned() };
        let of = |state: &str, gap: Option<&Gap>, address: Option<std::net::IpAddr>| {
            let mut snapshot = with_container(state);
            snapshot.gaps.extend(gap.cloned());
            snapshot.containers[0].published[0].address = address;
            let causes = diagnose(&endpoint(), &[], &snapshot).causes;
            causes.first().map(|first| (first.certain, cause(&endpoint(), &snapshot)))
        };
        let (certain, said) = of("running", Some(&unread), None).unwrap();
        assert!(!certain && said.contains("the docker container web publishes it"), "{said}");
        assert_eq!(of("exited", Some(&unread), None), None);
        // Where they were read and none is there, nothing takes the port.
        assert_eq!(of("running", None, None), None);
        let elsewhere = Endpoint {
            address: crate::addr::AddressScope::One([127, 0, 0, 2].into(), 0),
            ..endpoint()
        };
        let mut snapshot = with_container("running");
        snapshot.gaps.push(unread);
        snapshot.containers[0].published[0].address = Some([127, 0, 0, 1].into());
        assert!(diagnose(&elsewhere, &[], &snapshot).causes.is_empty());
    }
}
