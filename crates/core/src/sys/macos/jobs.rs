//! The jobs of launchd, by their files and by `launchctl list`. Which of them matters is decided
//! elsewhere; here they are read as far as the time goes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{act, ffi};
use crate::addr::Transport;
use crate::decode::macos::{launchd, plist};
use crate::names::{MachineNames, Names};
use crate::service::built_in;
use crate::snapshot::{Gap, Silence};
use crate::unit::{UnitAnswer, UnitFacts, UnitWish};

/// Where launchd looks for jobs (launchd.plist(5)): the system's daemons, and every user's agents.
const DAEMONS: [&str; 2] = ["/Library/LaunchDaemons", "/System/Library/LaunchDaemons"];
const AGENTS: [&str; 2] = ["/Library/LaunchAgents", "/System/Library/LaunchAgents"];

/// The jobs of that name, and those that open one of these sockets.
pub(super) fn units(wish: &UnitWish, limit: Duration) -> UnitAnswer {
    let deadline = Instant::now() + limit;
    let mut answer = UnitAnswer::default();
    if *wish == UnitWish::default() {
        return answer;
    }
    let uid = super::keep::user();
    // The asker's own domain is the only one that it is told of without root.
    let listed = ["launchctl".to_owned(), "list".to_owned()];
    let listed = act::run(&listed, None, limit / 2);
    let running: BTreeMap<String, u32> = launchd::list(listed.output.as_bytes())
        .into_iter()
        .filter_map(|(pid, label)| Some((label, pid?)))
        .collect();
    let own = ffi::user(uid).map(|(_, home)| home.join("Library/LaunchAgents"));
    let agents = own.into_iter().chain(AGENTS.map(PathBuf::from)).map(|path| (path, Some(uid)));
    let daemons = DAEMONS.map(PathBuf::from).into_iter().map(|path| (path, None));
    for (directory, user) in agents.chain(daemons) {
        let mut files = files(&directory);
        // The one that is named after a wanted job comes first.
        files.sort_by_key(|file| !wish.units.iter().any(|(label, _)| is_of(file, label)));
        for file in files {
            if Instant::now() >= deadline {
                answer.gaps.push(Gap::Manager { name: "launchd".to_owned(), why: Silence::Late });
                return answer;
            }
            answer.units.extend(read(&file, user, &running).filter(|unit| is_wanted(unit, wish)));
        }
    }
    answer
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "plist")).collect()
}

fn is_of(file: &Path, label: &str) -> bool {
    file.file_stem().is_some_and(|stem| stem == label)
}

fn read(file: &Path, user: Option<u32>, running: &BTreeMap<String, u32>) -> Option<UnitFacts> {
    let facts = std::fs::metadata(file).ok()?;
    // Anything but an ordinary short file is no job, and might block.
    if !facts.is_file() || facts.len() > plist::LONGEST as u64 {
        return None;
    }
    let job = launchd::job(&std::fs::read(file).ok()?)?;
    let pid = running.get(&job.label).copied();
    let port = |name: &str| {
        let service = built_in(name).or_else(|| MachineNames::default().service(name))?;
        Some(service.on(Transport::Tcp)?.get())
    };
    Some(job.unit(user, pid, port))
}

fn is_wanted(unit: &UnitFacts, wish: &UnitWish) -> bool {
    wish.units.iter().any(|(label, _)| *label == unit.id)
        || wish.sockets.iter().any(|socket| unit.listens_on(socket))
}
