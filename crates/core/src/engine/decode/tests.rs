//! Real answers of Docker 20.10 and podman 4.3, recorded, and answers that are not.

use proptest::prelude::*;

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/engines/", $name)).as_slice()
    };
}

fn one(bytes: &[u8]) -> ContainerFacts {
    let mut all = inspected(bytes).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn at(address: Option<&str>, port: u16, container_port: u16) -> Published {
    let address = address.map(|address| address.parse().unwrap());
    Published { protocol: Protocol::Tcp, address, port, container_port: Some(container_port) }
}

#[test]
fn docker_tells_of_a_container_that_runs() {
    let facts = one(recorded!("docker-inspect-running.json"));
    assert_eq!((facts.name.as_str(), facts.image.as_deref()), ("shop-db-1", Some("shop:16")));
    assert_eq!(facts.state.as_deref(), Some("running"));
    assert!(facts.runs() && facts.pid.is_some());
    // Both families, one port.
    assert_eq!(facts.published, [at(None, 5432, 80)]);
    assert_eq!(facts.restart.as_deref(), Some("unless-stopped"));
    let compose = facts.compose.unwrap();
    assert_eq!((compose.project.as_str(), compose.service.as_deref()), ("shop", Some("db")));
    assert_eq!(compose.directory.as_deref(), Some("/srv/shop"));
}

/// What does not run has no ports, only those it will ask for.
#[test]
fn docker_tells_of_a_container_that_was_only_made() {
    let facts = one(recorded!("docker-inspect-created.json"));
    assert_eq!((facts.name.as_str(), facts.state.as_deref()), ("later", Some("created")));
    assert!(!facts.runs() && facts.pid.is_none() && facts.compose.is_none());
    assert_eq!(facts.published, [at(None, 5433, 80)]);
    assert_eq!(facts.restart.as_deref(), Some("no"));
}

/// The same container through podman's imitation of Docker's API, its own API and its command.
#[test]
fn podman_tells_the_same_in_three_forms() {
    let imitation = one(recorded!("podman-api-inspect.json"));
    let own = one(recorded!("podman-libpod-inspect.json"));
    assert_eq!(imitation, own);
    assert_eq!(own, one(recorded!("podman-inspect.json")));
    assert_eq!((own.name.as_str(), own.image.as_deref()), ("web", Some("localhost/shop:16")));
    assert_eq!(own.published, [at(None, 8080, 80)]);
    assert_eq!(own.restart.as_deref(), Some("always"));
    assert!(own.pid.is_some() && own.pod.is_none() && own.unit.is_none());
}

#[test]
fn lists_tell_who_publishes_what() {
    for (bytes, port) in [
        (recorded!("docker-list-published.json"), 5432),
        (recorded!("podman-api-list.json"), 8080),
        (recorded!("podman-ps.json"), 8080),
    ] {
        let list = listed(bytes).unwrap();
        assert_eq!(list.len(), 1);
        assert!(is_id(&list[0].id));
        assert!(list[0].published.contains(&at(None, port, 80)), "{list:?}");
        assert_eq!(list[0].state.as_deref(), Some("running"));
    }
    let id = "a".repeat(64);
    let range = format!(
        r#"[{{"Id":"{id}","Ports":[{{"host_ip":"127.0.0.1","host_port":65534,"container_port":1,
            "range":9,"protocol":"udp"}}],"PodName":"shop"}},{{"Id":"../../x","Ports":[]}}]"#
    );
    let list = listed(range.as_bytes()).unwrap();
    assert_eq!(list.len(), 1, "an id that is none is left out");
    let ports: Vec<u16> = list[0].published.iter().map(|at| at.port).collect();
    assert_eq!((ports, list[0].pod.as_deref()), (vec![65534, 65535], Some("shop")));
}

#[test]
fn what_would_be_an_option_or_a_path_never_reaches_a_command_line() {
    let id = "b".repeat(64);
    let hostile = format!(
        r#"{{"Id":"{id}","Name":"/--help","State":{{"Status":"running","Pid":-4}},
            "HostConfig":{{"PortBindings":{{"80/tcp":[{{"HostPort":"8000-8010"}},{{"HostPort":""}},
            {{"HostPort":"0"}},{{"HostPort":"99999"}}],"x/y":null,"53/sctp":[{{"HostPort":"53"}}]}}}},
            "Config":{{"Labels":{{"PODMAN_SYSTEMD_UNIT":"-x.service"}}}}}}"#
    );
    let facts = one(hostile.as_bytes());
    assert_eq!(facts.name, "b".repeat(12));
    assert_eq!((facts.pid, facts.unit, facts.published), (None, None, Vec::new()));
    for odd in ["", "-v", "a/b", "a b", ".a", "a\u{1b}[2J", &"n".repeat(300)] {
        assert!(!is_name(odd), "{odd}");
    }
    for odd in ["null", "3", "\"x\"", "[1,2", "{", ""] {
        assert_eq!((inspected(odd.as_bytes()), listed(odd.as_bytes())), (None, None), "{odd}");
    }
    assert_eq!(inspected(b"{}"), Some(Vec::new()));
    let deep = "[".repeat(100_000);
    assert_eq!(listed(deep.as_bytes()), None);
}

proptest! {
    #[test]
    fn anything_at_all_is_decoded(text in "[\\[\\]{}\":,a-zA-Z0-9/]{0,80}") {
        let _ = (inspected(text.as_bytes()), listed(text.as_bytes()), message(text.as_bytes()));
    }
}
