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
pub(crate) fn units(wish: &UnitWish, limit: Duration) -> UnitAnswer {
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
        limit,
    };
    ask(&way, wish)
}

/// Asks every manager at the same time, each for itself, so that a stuck one costs the others
/// nothing.
fn ask(way: &Way, wish: &UnitWish) -> UnitAnswer {
    let deadline = Instant::now() + way.limit;
    let managers: Vec<(Option<u32>, Vec<String>)> = first_questions(wish).into_iter().collect();
    let mut answer = UnitAnswer::default();
    std::thread::scope(|scope| {
        let ask_one = |(user, names)| ask_manager(way, user, names, wish, deadline);
        let mut managers = managers.into_iter();
        let first = managers.next();
        // Where no thread is to be had it is asked now.
        let others: Vec<_> = managers
            .map(|one| {
                let spawned = std::thread::Builder::new().spawn_scoped(scope, {
                    let one = one.clone();
                    move || ask_one(one)
                });
                spawned.map_err(|_| ask_one(one))
            })
            .collect();
        let first = first.map(ask_one);
        let others = others.into_iter().filter_map(|other| match other {
            Ok(thread) => thread.join().ok(),
            Err(answer) => Some(answer),
        });
        for one in first.into_iter().chain(others) {
            answer.units.extend(one.units);
            answer.gaps.extend(one.gaps);
        }
    });
    answer
}

/// Asks for the wished units, then for the units they name, until nothing new is named or the time
/// is over. What was heard until then counts.
fn ask_manager(
    way: &Way,
    user: Option<u32>,
    mut names: Vec<String>,
    wish: &UnitWish,
    deadline: Instant,
) -> UnitAnswer {
    /// A socket unit, its service, what needs that, what needs this.
    const ROUNDS: usize = 4;
    let mut answer = UnitAnswer::default();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    for _ in 0..ROUNDS {
        asked.extend(names.iter().cloned());
        match Call::start(way, user, &names, deadline).answer(deadline) {
            Ok(text) => add(&mut answer.units, show::units(&text, user), wish),
            Err(why) => {
                answer.gaps.push(Gap::Manager { name: manager_name(user), why });
                break;
            }
        }
        names = more_names(&answer.units, &asked);
        if names.is_empty() {
            break;
        }
    }
    answer
}

fn first_questions(wish: &UnitWish) -> BTreeMap<Option<u32>, Vec<String>> {
    let mut questions: BTreeMap<Option<u32>, Vec<String>> = BTreeMap::new();
    for user in &wish.sockets_of {
        questions.insert(*user, vec!["*.socket".to_owned()]);
    }
    for (unit, user) in wish.units.iter().filter(|(unit, _)| is_unit_name(unit)) {
        questions.entry(*user).or_default().push(unit.clone());
    }
    questions.into_iter().take(MOST_MANAGERS).collect()
}

/// The units that the known ones name and that nobody asked about.
fn more_names(units: &[UnitFacts], asked: &BTreeSet<String>) -> Vec<String> {
    let mut names: BTreeSet<&String> = BTreeSet::new();
    for unit in units {
        // What a service triggers when it fails or ends is of no concern.
        let triggers = if unit.listens.is_empty() { &[][..] } else { &unit.triggers[..] };
        let named = triggers.iter().chain(&unit.triggered_by).chain(&unit.takes_along);
        names.extend(named.filter(|name| is_unit_name(name) && !asked.contains(*name)));
    }
    let left = MOST_RELATED.saturating_sub(asked.len());
    names.into_iter().take(left).cloned().collect()
}

/// Adds units that are not known yet. Of socket units only those that concern the wish stay.
fn add(units: &mut Vec<UnitFacts>, heard: Vec<UnitFacts>, wish: &UnitWish) {
    let concerns = |unit: &UnitFacts| {
        unit.listens.is_empty()
            || !wish.sockets_of.contains(&unit.user)
            || wish.sockets.iter().any(|socket| unit.listens_on(socket))
            || units.iter().any(|known| names(known, &unit.id))
    };
    let mut known: BTreeSet<String> = units.iter().map(|unit| unit.id.clone()).collect();
    let fresh = heard.into_iter().filter(|unit| concerns(unit) && known.insert(unit.id.clone()));
    let fresh: Vec<UnitFacts> = fresh.collect();
    units.extend(fresh);
}

fn names(unit: &UnitFacts, other: &str) -> bool {
    unit.triggered_by.iter().chain(&unit.takes_along).any(|name| name == other)
}

type Heard = Result<Vec<u8>, Silence>;

/// One `systemctl` at work.
struct Call {
    child: Option<Child>,
    /// Until it closes, or says too much.
    output: Option<ChildStdout>,
    text: Vec<u8>,
    failed: Option<Silence>,
}

impl Call {
    fn start(way: &Way, user: Option<u32>, names: &[String], deadline: Instant) -> Self {
        let mut call = Self { child: None, output: None, text: Vec::new(), failed: None };
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

    /// Reads until the answer ends or the time is over.
    fn answer(mut self, deadline: Instant) -> Heard {
        while let Some(output) = &self.output {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(output, PollFlags::IN)];
            match poll(&mut fds, Some(&timespec(left))) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) => break,
                Ok(_) => self.read(),
                Err(_) => self.stop(Silence::Failed),
            }
        }
        self.finish(deadline)
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
        let late = self.output.is_some();
        let Some(mut child) = self.child.take() else {
            return Err(self.failed.unwrap_or(Silence::Failed));
        };
        let in_time = self.failed.is_none() && !late && ended_by(&mut child, deadline);
        if !in_time {
            let _ = child.kill();
            if !ended_by(&mut child, Instant::now() + REAP) {
                // Deaf even to SIGKILL for now: its end is not worth waiting for.
                return Err(self.failed.unwrap_or(Silence::Late));
            }
        }
        let success = child.wait().is_ok_and(|status| status.success());
        match self.failed {
            Some(why) => Err(why),
            None if !in_time => Err(Silence::Late),
            None if !success => Err(Silence::Failed),
            None if self.text.is_empty() || says_not_found(&self.text) => Ok(self.text),
            None if show::units(&self.text, None).is_empty() => Err(Silence::Garbled),
            None => Ok(self.text),
        }
    }
}

/// Whether an answer without a unit is one: it is where every unit in it is said not to exist.
fn says_not_found(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| line == b"LoadState=not-found")
}

/// Waits for a child's end by its pidfd; without pidfds (Linux before 5.3) by looking.
fn ended_by(child: &mut Child, deadline: Instant) -> bool {
    const LOOK_EVERY: Duration = Duration::from_millis(1);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pidfd: Option<OwnedFd> = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    loop {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        // Nothing but the time ends the second.
        let _ = match &pidfd {
            Some(pidfd) => poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timespec(left))),
            None => poll(&mut [], Some(&timespec(left.min(LOOK_EVERY)))),
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{LocalAddress, Protocol, Socket, TcpState};

    /// One of the programs in `tests/data/systemctl`, in place of the real one.
    fn way(program: &str, limit: Duration) -> Way {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/systemctl");
        Way {
            program: data.join(program),
            runtime: "/run/user".into(),
            uid: rustix::process::geteuid().as_raw(),
            limit,
        }
    }

    /// Long enough for any machine; only a test that fails waits for it.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn services(names: &[&str]) -> UnitWish {
        let units = names.iter().map(|&name| (name.to_owned(), None)).collect();
        UnitWish { units, ..UnitWish::default() }
    }

    fn ids(answer: &UnitAnswer) -> Vec<&str> {
        answer.units.iter().map(|unit| unit.id.as_str()).collect()
    }

    fn silence(answer: &UnitAnswer) -> Vec<Silence> {
        let why = |gap: &Gap| match gap {
            Gap::Manager { why, .. } => *why,
            other => panic!("{other:?}"),
        };
        answer.gaps.iter().map(why).collect()
    }

    #[test]
    fn only_the_socket_units_of_the_sockets_are_kept() {
        let address = LocalAddress::Inet("[::]:9090".parse().unwrap());
        let wish = UnitWish {
            sockets_of: vec![None],
            sockets: vec![Socket::new(Protocol::Tcp, address, Some(TcpState::Listen))],
            ..UnitWish::default()
        };
        let answer = ask(&way("answers", PATIENCE), &wish);
        assert_eq!(answer.gaps, []);
        assert!(ids(&answer).contains(&"act.socket") && ids(&answer).contains(&"act.service"));
        let text = include_bytes!("../../../tests/data/systemctl/recorded.txt");
        let mut first = Vec::new();
        add(&mut first, show::units(text, None), &wish);
        let sockets: Vec<&str> = first
            .iter()
            .filter(|unit| !unit.listens.is_empty())
            .map(|unit| unit.id.as_str())
            .collect();
        assert_eq!(sockets, ["act.socket"]);
    }

    #[test]
    fn a_manager_that_does_not_answer_as_it_should_is_a_gap() {
        for (program, limit, why) in [
            ("fails", PATIENCE, Silence::Failed),
            ("garbage", PATIENCE, Silence::Garbled),
            ("endless", PATIENCE, Silence::Garbled),
            ("not-there", PATIENCE, Silence::Failed),
            ("silent", Duration::from_millis(50), Silence::Late),
            ("closes", Duration::from_millis(500), Silence::Late),
            ("answers", Duration::ZERO, Silence::Late),
        ] {
            let answer = ask(&way(program, limit), &services(&["always.service"]));
            assert_eq!((silence(&answer), ids(&answer)), (vec![why], vec![]), "{program}");
        }
    }

    #[test]
    fn none_of_ours_is_left_behind() {
        for program in ["silent", "closes", "endless", "answers"] {
            let way = way(program, Duration::from_millis(50));
            let deadline = Instant::now() + way.limit;
            let call = Call::start(&way, None, &["always.service".to_owned()], deadline);
            let pid = call.child.as_ref().unwrap().id();
            let _ = call.answer(deadline);
            let there = Path::new("/proc").join(pid.to_string()).exists();
            assert!(!there, "{program} is still process {pid}");
        }
    }

    #[test]
    fn a_stuck_manager_costs_the_others_nothing() {
        let uid = rustix::process::geteuid().as_raw();
        let mut wish = services(&["always.service"]);
        wish.units.push(("web.service".to_owned(), Some(uid)));
        let answer = ask(&way("halting", Duration::from_millis(500)), &wish);
        assert!(ids(&answer).contains(&"always.service"), "{answer:?}");
        assert!(answer.units.iter().all(|unit| unit.user.is_none()));
        let user = manager_name(Some(uid));
        assert!(user.starts_with("systemd of "));
        assert_eq!(answer.gaps, [Gap::Manager { name: user, why: Silence::Late }]);
    }

    #[test]
    fn another_users_manager_is_asked_by_root_alone() {
        let uid = rustix::process::geteuid().as_raw();
        let other = uid + 1;
        let wish =
            UnitWish { units: vec![("a.service".into(), Some(other))], ..UnitWish::default() };
        let ordinary = Way { uid: uid.max(1), ..way("answers", PATIENCE) };
        let answer = ask(
            &ordinary,
            &UnitWish { units: vec![("a.service".into(), Some(other + 1))], ..wish.clone() },
        );
        assert_eq!(silence(&answer), [Silence::Denied]);
        // A directory that is not that user's proves no manager of theirs.
        let root = Way { uid: 0, runtime: "/nowhere".into(), ..way("answers", PATIENCE) };
        assert_eq!(
            silence(&ask(
                &root,
                &UnitWish { units: vec![("a.service".into(), Some(4_000_000))], ..wish }
            )),
            [Silence::Failed]
        );
    }

    #[test]
    fn names_that_a_manager_makes_up_are_no_options_and_no_patterns() {
        let answer = ask(&way("echoes", PATIENCE), &services(&["a.service", "--all", "*"]));
        assert_eq!(
            ids(&answer),
            ["a.service", "xa.service", "xxa.service", "xxxa.service"],
            "as many rounds as there are, never a pattern, never an option"
        );
        assert_eq!(answer.gaps, []);
    }

    #[test]
    fn nothing_is_asked_where_nothing_is_wished() {
        let answer = ask(&way("not-there", PATIENCE), &UnitWish::default());
        assert_eq!(answer, UnitAnswer::default());
    }
}
