//! Asks systemd by its own command, `systemctl show`, for no longer than a person waits. What an
//! answer says is [`crate::unit::show`]'s; what it means, [`crate::supervisor`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::host::MANAGER_LIMIT;
use crate::snapshot::{Gap, Silence};
use crate::unit::show;
use crate::unit::{UnitAnswer, UnitFacts, UnitWish, is_unit_name};

/// The most that is read of one answer: 10,000 units have less.
const MOST_BYTES: usize = 8 << 20;

/// The most units named to one manager beyond those wished for: what triggers them, what ends
/// with them.
const MOST_RELATED: usize = 200;

/// Managers asked at once; more users than this do not share one port.
const MOST_MANAGERS: usize = 8;

/// How long a killed `systemctl` is waited for.
const REAP: Duration = Duration::from_millis(50);

/// Which `systemctl` to ask, for whom, for how long.
#[derive(Clone, Debug)]
struct Way {
    program: PathBuf,
    /// Where users' managers have their sockets (`/run/user`).
    runtime: PathBuf,
    uid: u32,
    limit: Duration,
}

/// What the managers of this machine say. Where systemd did not start the machine (sd_booted(3))
/// nobody is asked.
pub(crate) fn units(wish: &UnitWish) -> UnitAnswer {
    // Not by PATH: root may ask as another user, and the answer decides what is stopped.
    const PLACES: [&str; 3] =
        ["/usr/bin/systemctl", "/bin/systemctl", "/run/current-system/sw/bin/systemctl"];
    if !Path::new("/run/systemd/system").is_dir() {
        return UnitAnswer::default();
    }
    let program = PLACES.map(PathBuf::from).into_iter().find(|path| path.exists());
    let way = Way {
        program: program.unwrap_or_else(|| PLACES[0].into()),
        runtime: "/run/user".into(),
        uid: rustix::process::geteuid().as_raw(),
        limit: MANAGER_LIMIT,
    };
    ask(&way, wish)
}

/// Asks for the wished units, then for the units they name, until nothing new is named or the time
/// is over.
fn ask(way: &Way, wish: &UnitWish) -> UnitAnswer {
    /// A socket unit, its service, what needs that, what needs this.
    const ROUNDS: usize = 4;
    let deadline = Instant::now() + way.limit;
    let mut answer = UnitAnswer::default();
    let mut asked: BTreeSet<(Option<u32>, String)> = BTreeSet::new();
    let mut questions = first_questions(wish);
    for round in 0..ROUNDS {
        for (user, names) in &questions {
            asked.extend(names.iter().map(|name| (*user, name.clone())));
        }
        for (user, heard) in ask_all(way, &questions, deadline) {
            match heard {
                Ok(text) => add(&mut answer.units, show::units(&text, user), wish),
                Err(why) => {
                    let gap = Gap::Manager { name: manager_name(user), why };
                    if !answer.gaps.contains(&gap) {
                        answer.gaps.push(gap);
                    }
                }
            }
        }
        questions = more_questions(&answer.units, &asked, round);
        if questions.is_empty() {
            break;
        }
    }
    answer
}

type Questions = BTreeMap<Option<u32>, Vec<String>>;

fn first_questions(wish: &UnitWish) -> Questions {
    let mut questions = Questions::new();
    for user in &wish.sockets_of {
        questions.insert(*user, vec!["*.socket".to_owned()]);
    }
    for (unit, user) in wish.units.iter().filter(|(unit, _)| is_unit_name(unit)) {
        questions.entry(*user).or_default().push(unit.clone());
    }
    questions.into_iter().take(MOST_MANAGERS).collect()
}

/// The units that the known ones name and that nobody asked about.
fn more_questions(
    units: &[UnitFacts],
    asked: &BTreeSet<(Option<u32>, String)>,
    round: usize,
) -> Questions {
    let mut questions = Questions::new();
    for unit in units {
        // What else a service's triggers start is of no concern.
        let triggers = if unit.listens.is_empty() { &[][..] } else { &unit.triggers[..] };
        let named = triggers.iter().chain(&unit.triggered_by).chain(&unit.takes_along);
        for name in named.filter(|name| is_unit_name(name)) {
            let names = questions.entry(unit.user).or_default();
            let known = asked.contains(&(unit.user, name.clone())) || names.contains(name);
            if !known && names.len() < MOST_RELATED / (round + 1) {
                names.push(name.clone());
            }
        }
    }
    questions.retain(|_, names| !names.is_empty());
    questions
}

/// Adds units that are not known yet. Of socket units only those that concern the wish stay.
fn add(units: &mut Vec<UnitFacts>, heard: Vec<UnitFacts>, wish: &UnitWish) {
    let concerns = |unit: &UnitFacts| {
        unit.listens.is_empty()
            || !wish.sockets_of.contains(&unit.user)
            || wish.sockets.iter().any(|socket| unit.listens_on(socket))
            || units.iter().any(|known| known.user == unit.user && names(known, &unit.id))
    };
    let known: BTreeSet<(Option<u32>, String)> =
        units.iter().map(|unit| (unit.user, unit.id.clone())).collect();
    let fresh = heard.into_iter().filter(|unit| !known.contains(&(unit.user, unit.id.clone())));
    let fresh: Vec<UnitFacts> = fresh.filter(concerns).collect();
    units.extend(fresh);
}

fn names(unit: &UnitFacts, other: &str) -> bool {
    unit.triggered_by.iter().chain(&unit.takes_along).any(|name| name == other)
}

type Heard = Result<Vec<u8>, Silence>;

/// Asks every manager at the same time, so that a stuck one costs the others nothing.
fn ask_all(way: &Way, questions: &Questions, deadline: Instant) -> Vec<(Option<u32>, Heard)> {
    let mut calls: Vec<Call> =
        questions.iter().map(|(user, names)| Call::start(way, *user, names, deadline)).collect();
    while calls.iter().any(Call::is_open) {
        let left = deadline.saturating_duration_since(Instant::now());
        let open: Vec<usize> = (0..calls.len()).filter(|&at| calls[at].is_open()).collect();
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(open.len());
        fds.extend(open.iter().filter_map(|&at| calls[at].pollable()));
        let ready: Vec<bool> = match poll(&mut fds, Some(&timespec(left))) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(0) | Err(_) => break,
            Ok(_) => fds.iter().map(|fd| !fd.revents().is_empty()).collect(),
        };
        drop(fds);
        for (&at, ready) in open.iter().zip(ready) {
            if ready {
                calls[at].read();
            }
        }
    }
    calls.into_iter().map(|call| (call.user, call.finish(deadline))).collect()
}

/// One `systemctl` at work.
struct Call {
    user: Option<u32>,
    child: Option<Child>,
    /// Until it closes, or says too much.
    output: Option<ChildStdout>,
    text: Vec<u8>,
    failed: Option<Silence>,
}

impl Call {
    fn start(way: &Way, user: Option<u32>, names: &[String], deadline: Instant) -> Self {
        let mut call = Self { user, child: None, output: None, text: Vec::new(), failed: None };
        if Instant::now() >= deadline {
            call.failed = Some(Silence::Late);
            return call;
        }
        match way.command(user, names).and_then(|mut command| Ok(command.spawn()?)) {
            Ok(mut child) => {
                call.output = child.stdout.take();
                call.child = Some(child);
                let quiet = call.output.as_ref().map(|pipe| rustix::io::ioctl_fionbio(pipe, true));
                if !matches!(quiet, Some(Ok(()))) {
                    call.stop(Silence::Failed);
                }
            }
            Err(why) => call.failed = Some(why.0),
        }
        call
    }

    const fn is_open(&self) -> bool {
        self.output.is_some()
    }

    fn pollable(&self) -> Option<PollFd<'_>> {
        Some(PollFd::new(self.output.as_ref()?, PollFlags::IN))
    }

    /// Takes what is there.
    fn read(&mut self) {
        let Some(output) = &mut self.output else { return };
        let mut page = [0; 16 * 1024];
        match output.read(&mut page) {
            Ok(0) => self.output = None,
            Ok(length) => {
                self.text.extend_from_slice(&page[..length]);
                if self.text.len() > MOST_BYTES {
                    self.stop(Silence::Garbled);
                }
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.stop(Silence::Failed),
        }
    }

    fn stop(&mut self, why: Silence) {
        self.failed = Some(why);
        self.output = None;
    }

    /// The whole answer of a `systemctl` that ended well and in time. None of ours is left behind.
    fn finish(mut self, deadline: Instant) -> Heard {
        let late = self.is_open();
        let Some(mut child) = self.child.take() else {
            return Err(self.failed.unwrap_or(Silence::Failed));
        };
        let in_time = self.failed.is_none() && !late && ended_by(&child, deadline);
        if !in_time {
            let _ = child.kill();
            if !ended_by(&child, Instant::now() + REAP) {
                // Deaf even to SIGKILL for now: its end is not worth waiting for.
                return Err(self.failed.unwrap_or(Silence::Late));
            }
        }
        let success = child.wait().is_ok_and(|status| status.success());
        match self.failed {
            Some(why) => Err(why),
            None if !in_time => Err(Silence::Late),
            None if !success => Err(Silence::Failed),
            None if !self.text.is_empty() && show::units(&self.text, None).is_empty() => {
                garbled(self.text)
            }
            None => Ok(self.text),
        }
    }
}

/// An answer without a unit: fine where every unit in it is said not to exist.
fn garbled(text: Vec<u8>) -> Heard {
    let says = |what: &[u8]| text.split(|&byte| byte == b'\n').any(|line| line == what);
    if says(b"LoadState=not-found") { Ok(Vec::new()) } else { Err(Silence::Garbled) }
}

/// Waits for a child's end by its pidfd; without pidfds (Linux before 5.3) by asking now.
fn ended_by(child: &Child, deadline: Instant) -> bool {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pidfd: Option<OwnedFd> = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let Some(pidfd) = pidfd else { return true };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut fds, Some(&timespec(left))) {
            Err(rustix::io::Errno::INTR) => {}
            answer => return matches!(answer, Ok(1)),
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Why a `systemctl` could not be started.
struct NotStarted(Silence);

impl From<std::io::Error> for NotStarted {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied => Self(Silence::Denied),
            _ => Self(Silence::Failed),
        }
    }
}

impl Way {
    /// `systemctl show` for that manager. Its environment is empty but for what it needs: no
    /// pager, no colours, no agent that asks for a password, no other bus.
    fn command(&self, user: Option<u32>, names: &[String]) -> Result<Command, NotStarted> {
        let mut command = Command::new(&self.program);
        command.env_clear().env("LC_ALL", "C").env("SYSTEMD_COLORS", "0");
        command.env("SYSTEMD_PAGER", "").env("PATH", "/usr/bin:/bin");
        if let Some(user) = user {
            self.as_user(&mut command, user)?;
            command.arg("--user");
        }
        command.args(["show", "--no-pager", "--no-ask-password", show::PROPERTIES, "--"]);
        command.args(names).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(command)
    }

    /// A user's manager talks to that user alone, not to root. Root becomes that user for the
    /// question; `--machine=USER@` would open a session, which takes five times as long.
    fn as_user(&self, command: &mut Command, user: u32) -> Result<(), NotStarted> {
        let home = self.runtime.join(user.to_string());
        if user != self.uid {
            if self.uid != 0 {
                return Err(NotStarted(Silence::Denied));
            }
            let group = std::fs::metadata(&home).map_err(|_| NotStarted(Silence::Failed))?;
            if group.uid() != user {
                return Err(NotStarted(Silence::Failed));
            }
            command.uid(user).gid(group.gid());
        }
        command.env("XDG_RUNTIME_DIR", home);
        Ok(())
    }
}

/// `systemd`, `systemd of me`.
fn manager_name(user: Option<u32>) -> String {
    let Some(user) = user else { return "systemd".to_owned() };
    let names = std::fs::read("/etc/passwd").unwrap_or_default();
    match crate::decode::passwd::user_names(&names).get(&user) {
        Some(name) => format!("systemd of {name}"),
        None => format!("systemd of user {user}"),
    }
}
