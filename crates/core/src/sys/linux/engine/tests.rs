//! What only Linux does with engines: a connection that never waits, podman's command.

#![allow(clippy::disallowed_methods, reason = "an engine that takes its time sleeps")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::*;
use crate::host::MANAGER_LIMIT;
use crate::snapshot::Gap;
use crate::sys::engine::ask_one;
use crate::sys::engine::tests::{Folder, about, serve, soon};

#[test]
fn where_there_is_little_time_most_of_it_is_the_engines() {
    let limit = Duration::from_millis(12);
    assert_eq!(slack(limit), Duration::from_millis(3));
    assert_eq!(slack(MANAGER_LIMIT), SLACK);
    let folder = Folder::new();
    let door = folder.door();
    serve(&door, |_, _| std::thread::sleep(Duration::from_secs(5)));
    let path = door.place.clone();
    let began = Instant::now();
    let answer = containers(&EngineWish { sockets: vec![path], ..about("abcdef") }, limit);
    let late = |gap: &Gap| matches!(gap, Gap::Manager { why: Silence::Late, .. });
    assert!(answer.containers.is_empty() && answer.gaps.iter().any(late), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_full_backlog_is_no_hang() {
    let folder = Folder::new();
    let door = folder.door();
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let fd = fd.unwrap();
    rustix::net::bind(&fd, &SocketAddrUnix::new(door.place.as_str()).unwrap()).unwrap();
    rustix::net::listen(&fd, 0).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) =
        connected(Path::new(&door.place), None, Instant::now() + Duration::from_millis(20))
    {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the backlog never fills");
    }
    let began = Instant::now();
    let answer = ask_one(&Sockets::default(), &door, &about("abcdef"), soon());
    assert!(matches!(answer.gaps[..], [Gap::Manager { why: Silence::Late, .. }]), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_socket_that_may_not_be_opened_is_said_to_be_so() {
    // What lets root open every file goes for this thread and those it starts, and for no other
    // (capabilities(7)).
    let mut own = capabilities(None).unwrap();
    own.effective -= CapabilitySet::DAC_OVERRIDE;
    set_capabilities(None, own).unwrap();
    let folder = Folder::new();
    let door = folder.door();
    serve(&door, |_, _| {});
    std::fs::set_permissions(&door.place, std::fs::Permissions::from_mode(0o0)).unwrap();
    let answer = ask_one(&Sockets::default(), &door, &about("abcdef"), soon());
    assert!(matches!(answer.gaps[..], [Gap::Manager { why: Silence::Denied, .. }]), "{answer:?}");
}

#[test]
fn a_command_that_never_ends_is_ended() {
    let words = ["sleep".to_owned()];
    let began = Instant::now();
    let late = output(&words, &["60"], Instant::now() + Duration::from_millis(100));
    assert_eq!(late, Err(Silence::Late));
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(output(&["echo".to_owned()], &["[]"], soon()), Ok(b"[]\n".to_vec()));
    assert_eq!(output(&["/no/such/podman".to_owned()], &[], soon()), Err(Silence::Failed));
    assert_eq!(output(&["false".to_owned()], &[], soon()), Err(Silence::Failed));
}

#[test]
fn that_nobody_is_there_is_never_said_where_somebody_may_be() {
    let folder = std::env::temp_dir().join(format!("proc-nobody-{}", std::process::id()));
    std::fs::create_dir_all(folder.join(".docker")).unwrap();
    let places = |host: &str| Places {
        docker_host: Some(format!("unix://{host}")),
        home: Some(folder.clone()),
        ..Places::default()
    };
    let socket = folder.join("d.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(!nobody_is_there(&places(socket.to_str().unwrap())));
    // A context may lead anywhere, and so may settings that have to be read.
    std::fs::write(folder.join(".docker/config.json"), "{}").unwrap();
    let own = Places { docker_host: None, ..places("/gone.sock") };
    assert!(!nobody_is_there(&own));
    std::fs::remove_dir_all(&folder).unwrap();
}
