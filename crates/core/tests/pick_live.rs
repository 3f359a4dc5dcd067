//! Leases and choices through the library, in directories of the tests' own: two thousand picks in
//! threads, files that lie about their time, and a machine without abstract names.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proc_core::addr::{AddressScope, Port, Transport};
use proc_core::host::LiveHost;
use proc_core::lease::{Busy, Leases, Places, Private, Released};
use proc_core::pick::{Keeping, Place, Problem, Wish, pick};
use serde_json::Value;

/// A directory that ends with the test.
struct Own(PathBuf);

impl Own {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        for part in ["", "runtime", "shared"] {
            fs::create_dir_all(path.join(part)).unwrap();
        }
        fs::set_permissions(path.join("runtime"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(path.join("shared"), fs::Permissions::from_mode(0o1777)).unwrap();
        Self(path)
    }

    fn leases(&self) -> Leases {
        Leases::open(Places {
            private: vec![Private::Named(self.0.join("runtime"))],
            shared: self.0.join("shared"),
        })
    }

    fn notes(&self) -> PathBuf {
        let user = rustix::process::geteuid().as_raw();
        self.0.join("shared/proc-leases").join(user.to_string())
    }

    fn records(&self) -> PathBuf {
        self.0.join("runtime/proc/leases")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LONG: Keeping = Keeping::Timed(Duration::from_secs(600));

fn wish(place: Place, count: u16) -> Wish {
    Wish {
        count,
        place,
        in_a_row: false,
        transports: &Transport::ALL[..1],
        address: AddressScope::Every,
        ephemeral: false,
    }
}

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

/// Of a number that other tests leave alone.
fn range(first: u16, length: u16) -> Place {
    let first = first + u16::try_from(std::process::id() % 50).unwrap() * 10;
    Place::Range(port(first), port(first + length - 1))
}

fn picked(leases: &mut Leases, wish: &Wish, keeping: Keeping) -> Result<Vec<u16>, Problem> {
    let picked = pick(&LiveHost::default(), leases, wish, keeping, &["test".to_owned()])?;
    Ok(picked.ports.iter().map(|port| port.get()).collect())
}

/// Changes what the only file in a directory says.
fn rewrite(directory: &Path, change: impl FnOnce(&mut Value)) {
    let files: Vec<_> = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mut value: Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
    change(&mut value);
    fs::write(&files[0], serde_json::to_vec(&value).unwrap()).unwrap();
}

#[test]
fn two_thousand_picks_in_threads_never_meet() {
    let own = Own::new("threads");
    let (threads, each) = (8, 250);
    let all: Vec<u16> = std::thread::scope(|scope| {
        let picks = || {
            let mut leases = own.leases();
            let wish = wish(Place::Anywhere, 1);
            (0..each).flat_map(|_| picked(&mut leases, &wish, LONG).unwrap()).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(picks)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(all.len(), threads * each);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn threads_share_one_range_out_to_the_last_port() {
    let own = Own::new("range");
    let place = range(1_100, 10);
    let open = picked(&mut own.leases(), &wish(place, 8), Keeping::Nothing).unwrap();
    let Place::Range(_, last) = place else { panic!() };
    let all: Vec<u16> = std::thread::scope(|scope| {
        let pick = || picked(&mut own.leases(), &wish(place, 2), LONG).unwrap();
        let running: Vec<_> = (0..4).map(|_| scope.spawn(pick)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 8, "{all:?}");
    assert!(all.iter().all(|port| *port <= last.get()), "{all:?} {open:?}");
}

#[test]
fn a_note_in_a_directory_that_was_made_meanwhile_is_seen() {
    let own = Own::new("meanwhile");
    let place @ Place::Range(first, _) = range(7_500, 1) else { panic!() };
    let mut early = own.leases();
    picked(&mut own.leases(), &wish(place, 1), LONG).unwrap();
    assert!(matches!(early.take(Transport::Tcp, first), Err(Busy::Leased)));
}

#[test]
fn a_row_that_fails_gives_everything_back() {
    let own = Own::new("row");
    let place @ Place::Range(first, _) = range(2_100, 6) else { panic!() };
    let mut leases = own.leases();
    let third = port(first.get() + 2);
    let claim = leases.take(Transport::Tcp, third).unwrap();
    let row = Wish { in_a_row: true, ..wish(place, 4) };
    let problem = picked(&mut own.leases(), &row, LONG).unwrap_err();
    assert!(problem.to_string().starts_with("no 4 free ports in a row"), "{problem}");
    assert!(fs::read_dir(own.notes()).is_ok_and(|files| files.count() == 0));
    drop(claim);
    assert_eq!(picked(&mut leases, &row, LONG).unwrap()[0], first.get());
}

#[test]
fn a_note_is_believed_only_for_its_boot_its_network_and_its_time() {
    let own = Own::new("notes");
    let place = range(2_650, 1);
    let mut leases = own.leases();
    let free = |leases: &mut Leases| match picked(leases, &wish(place, 1), Keeping::Nothing) {
        Ok(_) => true,
        Err(problem) => {
            assert!(problem.to_string().contains("leased"), "{problem}");
            false
        }
    };
    let again = |leases: &mut Leases| {
        let _ = fs::remove_dir_all(own.notes());
        *leases = own.leases();
        picked(leases, &wish(place, 1), LONG).unwrap();
        assert!(!free(leases));
    };
    again(&mut leases);
    rewrite(&own.notes(), |note| note["boot"] = "another".into());
    assert!(free(&mut leases), "of another boot");
    again(&mut leases);
    rewrite(&own.notes(), |note| note["netns"] = 1.into());
    assert!(free(&mut leases), "of another network");
    again(&mut leases);
    rewrite(&own.notes(), |note| note["at"] = (note["at"].as_u64().unwrap() * 2).into());
    assert!(free(&mut leases), "from the future");
    again(&mut leases);
    rewrite(&own.notes(), |note| note["lasts"] = u64::MAX.into());
    assert!(free(&mut leases), "for ever");
    again(&mut leases);
    rewrite(&own.notes(), |note| note["lasts"] = 1.into());
    assert!(free(&mut leases), "over");
    again(&mut leases);
    rewrite(&own.notes(), |note| *note = "rubbish".into());
    assert!(free(&mut leases), "no note at all");
    // A version that says more is understood.
    again(&mut leases);
    rewrite(&own.notes(), |note| note["more"] = true.into());
    assert!(!free(&mut leases));
}

#[test]
fn without_names_the_lock_decides() {
    let own = Own::new("nameless");
    let place = range(3_150, 3);
    let mut leases = own.leases().nameless();
    let Place::Range(first, _) = place else { panic!() };
    let claim = leases.take(Transport::Tcp, first).unwrap();
    assert!(leases.notes()[0].contains("abstract unix names cannot be used here"));
    let mut other = own.leases().nameless();
    assert!(matches!(other.take(Transport::Tcp, first), Err(Busy::Leased)));
    // A pick that has names honours the lock, and the other way round.
    assert!(matches!(own.leases().take(Transport::Tcp, first), Err(Busy::Leased)));
    let held = leases.hold(claim, &["server".to_owned(), "--token=hunter2".to_owned()]);
    assert!(matches!(own.leases().take(Transport::Tcp, first), Err(Busy::Leased)));
    let listed = own.leases().list(&LiveHost::default());
    let lease = listed.iter().find(|lease| lease.port == first).unwrap();
    assert_eq!(
        (lease.left, &*lease.argv),
        (None, &["server".to_owned(), "--token=***".to_owned()][..])
    );
    drop(held);
    assert!(own.leases().take(Transport::Tcp, first).is_ok());
    // For a time, too.
    let two = picked(&mut leases, &wish(place, 2), LONG).unwrap();
    let rest = picked(&mut own.leases().nameless(), &wish(place, 1), LONG).unwrap();
    assert!(!two.contains(&rest[0]), "{two:?} {rest:?}");
    assert!(picked(&mut own.leases(), &wish(place, 1), LONG).is_err());
}

#[test]
fn eight_threads_without_names_never_meet() {
    let own = Own::new("nameless-threads");
    let all: Vec<u16> = std::thread::scope(|scope| {
        let picks = || {
            let mut leases = own.leases().nameless();
            let wish = wish(Place::Anywhere, 1);
            (0..25).flat_map(|_| picked(&mut leases, &wish, LONG).unwrap()).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..8).map(|_| scope.spawn(picks)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 200);
}

#[test]
fn the_sweep_takes_the_dead_alone() {
    let own = Own::new("sweep");
    let place = range(5_100, 6);
    let mut leases = own.leases();
    let timed = picked(&mut leases, &wish(place, 2), LONG).unwrap();
    let soon = Keeping::Timed(Duration::from_nanos(1));
    assert_eq!(picked(&mut leases, &wish(place, 2), soon).unwrap().len(), 2);
    let Place::Range(_, last) = place else { panic!() };
    let claim = leases.take(Transport::Tcp, last).unwrap();
    let held = leases.hold(claim, &[]);
    fs::write(own.notes().join("not-a-lease"), "").unwrap();
    assert_eq!(own.leases().sweep(100), 2);
    assert_eq!(fs::read_dir(own.notes()).unwrap().count(), 3);
    assert_eq!(fs::read_dir(own.records()).unwrap().count(), 1);
    drop(held);
    assert_eq!(own.leases().sweep(100), 1);
    let released = leases.release(&LiveHost::default(), Transport::Tcp, port(timed[0]));
    assert_eq!(released, Released::Over);
    let released = leases.release(&LiveHost::default(), Transport::Tcp, port(timed[0]));
    assert_eq!(released, Released::None);
}

#[test]
fn what_others_read_is_readable_and_what_they_need_not_is_not() {
    let own = Own::new("modes");
    let place = range(7_000, 2);
    let mut leases = own.leases();
    picked(&mut leases, &wish(place, 1), LONG).unwrap();
    let Place::Range(_, last) = place else { panic!() };
    let claim = leases.take(Transport::Tcp, last).unwrap();
    let _held = leases.hold(claim, &[]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let only = |path: &Path| fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&own.0.join("shared/proc-leases")), 0o1777);
    assert_eq!((mode(&own.notes()), mode(&only(&own.notes()))), (0o755, 0o644));
    assert_eq!((mode(&own.records()), mode(&only(&own.records()))), (0o700, 0o600));
}
