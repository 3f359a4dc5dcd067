//! One command from its start to its end: who is told of which signal, when we stop with it, and
//! when all it wrote has been passed on.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proc_core::sys::signals::{Origin, Signals, without_vfork};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid,
};
use rustix::termios::{OutputModes, tcgetattr};

use super::super::life::{End, Life, Next, Status};
use super::super::shared::Shared;
use super::copier::{Copier, Rest};
use super::kin::{self, Kin};
use super::streams::redirect;
use crate::output::Output;

/// What is caught while a command runs. Everything else does to us what it always does.
const CAUGHT: [Signal; 10] = [
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::WINCH,
    Signal::CHILD,
    Signal::TSTP,
    Signal::CONT,
];

/// How long a command that stops is given to have its last words passed on.
const LONGEST_FAREWELL: Duration = Duration::from_millis(100);
/// How long the copiers must have had nothing to do to have passed on everything.
const SETTLED: Duration = Duration::from_millis(10);
/// A Ctrl-C this soon after the command's end was the one that ended it.
const SAME_KEY: Duration = Duration::from_millis(200);

/// Runs commands, one after the other.
#[derive(Debug)]
pub struct Relay {
    signals: Signals,
    shared: Arc<Shared>,
}

impl Relay {
    /// Takes over the signals.
    ///
    /// # Errors
    /// The system has no more descriptors, or lets no signal be caught.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            signals: Signals::catch(&CAUGHT.map(Signal::as_raw))?,
            shared: Arc::new(Shared::new()?),
        })
    }

    /// Runs a command to its end. `watch` is asked to look at it whenever it wants to be.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(
        &self,
        mut command: Command,
        watch: &mut dyn FnMut(Life) -> Next,
    ) -> io::Result<End> {
        let channels = redirect(&mut command);
        without_vfork(&mut command);
        let child = command.spawn()?;
        // It holds the command's ends of the ways: they would never be closed.
        drop(command);
        let (leave, stay) = io::pipe()?;
        let (leave, stay) = (OwnedFd::from(leave), OwnedFd::from(stay));
        let mut copiers = Vec::new();
        for channel in channels {
            copiers.push(Copier::start(channel, &self.shared, leave.try_clone()?)?);
        }
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let mut job = Job {
            relay: self,
            pid: pid.ok_or(io::ErrorKind::InvalidData)?,
            started: Instant::now(),
            copiers,
            asked: false,
        };
        job.pass_early_signals();
        let status = job.live(watch)?;
        Ok(job.leave(status, stay))
    }

    /// Says something beside the command's own words, on a line of its own.
    pub fn say(&self, text: &str) {
        if !io::stderr().is_terminal() {
            return Output::note(text);
        }
        let fresh = if self.shared.take_line() { "\n" } else { "" };
        let text = format!("{fresh}{text}");
        // The command may have turned off what makes a line feed return to the left.
        let returns = OutputModes::OPOST | OutputModes::ONLCR;
        let modes = tcgetattr(io::stderr()).map(|modes| modes.output_modes);
        match modes.is_ok_and(|modes| modes.contains(returns)) {
            true => Output::note(&text),
            false => Output::note(&text.replace('\n', "\r\n")),
        }
    }

    /// What commands left behind.
    pub fn left_behind(&self) -> Vec<u32> {
        kin::left_behind()
    }

    /// The signal by which somebody asked us to end while no command ran.
    pub fn asked_to_end(&self) -> Option<i32> {
        let end = [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP].map(Signal::as_raw);
        let mut asked = None;
        while let Some(caught) = self.signals.next() {
            asked = asked.or(end.contains(&caught.signal).then_some(caught.signal));
        }
        asked
    }

    /// Waits until there is something to read, while no command runs; or else the signal by which
    /// somebody asked us to end.
    pub fn end_before(&self, input: BorrowedFd<'_>) -> Option<i32> {
        loop {
            if let Some(signal) = self.asked_to_end() {
                return Some(signal);
            }
            let mut fds = [
                PollFd::new(&self.signals, PollFlags::IN),
                PollFd::from_borrowed_fd(input, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => {}
                Err(_) => return None,
                Ok(_) if !fds[1].revents().is_empty() => return None,
                Ok(_) => {}
            }
        }
    }

    fn poll(&self, time: Option<Duration>) {
        let mut fds = [
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::from_borrowed_fd(self.shared.bell.as_fd(), PollFlags::IN),
        ];
        let time = time.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        // Interrupted: a signal came, and its bytes are there on the next look.
        let _ = poll(&mut fds, time.as_ref());
        self.shared.bell.heard();
    }
}

/// What a look at the child's state found.
enum State {
    Runs,
    Stopped(i32),
    Ended(Status),
}

struct Job<'a> {
    relay: &'a Relay,
    pid: Pid,
    started: Instant,
    copiers: Vec<Copier>,
    asked: bool,
}

impl Job<'_> {
    fn live(&mut self, watch: &mut dyn FnMut(Life) -> Next) -> io::Result<Status> {
        let mut pending: Vec<String> = Vec::new();
        let mut again = Some(Duration::ZERO);
        let mut looked = Instant::now();
        loop {
            let left = again.map(|again| again.saturating_sub(looked.elapsed()));
            self.relay.poll(left);
            self.pass_signals();
            match self.state()? {
                State::Runs => {}
                State::Stopped(signal) => self.stop_with_it(signal),
                State::Ended(status) => {
                    return Ok(status);
                }
            }
            let heard = self.relay.shared.take();
            let due = again.is_some_and(|again| looked.elapsed() >= again);
            if due || !heard.is_empty() {
                let next = watch(Life {
                    kin: Kin { pid: self.pid.as_raw_nonzero().get().unsigned_abs() },
                    age: self.started.elapsed(),
                    quiet_for: self.relay.shared.quiet_for(),
                    heard,
                });
                looked = Instant::now();
                again = next.again;
                pending.extend(next.say);
            }
            // Nothing is written over a program that draws on the whole terminal.
            if !pending.is_empty() && !self.relay.shared.has_screen() {
                pending.drain(..).for_each(|text| self.relay.say(&text));
            }
        }
    }

    /// What came before the child was itself, keys included, it has not got: our handlers had it.
    fn pass_early_signals(&mut self) {
        let mut early = Vec::new();
        while let Some(caught) = self.relay.signals.next() {
            let harmless = [Signal::CHILD, Signal::WINCH, Signal::CONT].map(Signal::as_raw);
            if !harmless.contains(&caught.signal) && !early.contains(&caught.signal) {
                early.push(caught.signal);
            }
        }
        for signal in early.into_iter().filter_map(Signal::from_named_raw) {
            self.pass(signal);
        }
    }

    fn pass(&mut self, signal: Signal) {
        let ends = [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP];
        self.asked |= ends.contains(&signal);
        let _ = kill_process(self.pid, signal);
    }

    /// All that has come, to the child where it has not got it already.
    fn pass_signals(&mut self) {
        while let Some(caught) = self.relay.signals.next() {
            let Some(signal) = Signal::from_named_raw(caught.signal) else { continue };
            match signal {
                Signal::CHILD => {}
                Signal::WINCH => self.copiers.iter().for_each(Copier::follow_size),
                Signal::CONT => self.resume(),
                // Ctrl-C and kin came to the whole foreground group, the child included.
                Signal::INT | Signal::QUIT | Signal::TSTP if is_from_keys(caught.origin) => {
                    self.asked |= signal != Signal::TSTP;
                }
                // Also a hang-up by the kernel: it comes to the session's leader alone, and that
                // may be us.
                _ => self.pass(signal),
            }
        }
    }

    fn state(&self) -> io::Result<State> {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        loop {
            return match waitpid(Some(self.pid), options) {
                Ok(None) => Ok(State::Runs),
                Ok(Some((_, status))) => Ok(
                    match (
                        status.stopping_signal(),
                        status.exit_status(),
                        status.terminating_signal(),
                    ) {
                        (Some(signal), ..) => State::Stopped(signal),
                        (_, Some(code), _) => State::Ended(Status::Code(code)),
                        (.., Some(signal)) => State::Ended(Status::Signal(signal)),
                        _ => State::Runs,
                    },
                ),
                Err(Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// The shell that started us is to see what it would see of the child: a job that stops when
    /// the child does, after its last words (a full-screen program's tidying up), and not where
    /// the child ignores Ctrl-Z. A SIGSTOP to the child alone is somebody's private matter.
    fn stop_with_it(&self, signal: i32) {
        let by_terminal = [Signal::TSTP, Signal::TTIN, Signal::TTOU].map(Signal::as_raw);
        if !by_terminal.contains(&signal) {
            return;
        }
        self.settle();
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        // Here again: continued.
        self.resume();
        self.copiers.iter().for_each(Copier::follow_size);
    }

    /// Continues the child, if whoever continued us has not.
    fn resume(&self) {
        // waitid(2) can ask for this alone; waitpid(2) would take an end away from `state`.
        let options = WaitIdOptions::NOHANG | WaitIdOptions::CONTINUED;
        if !matches!(waitid(WaitId::Pid(self.pid), options), Ok(Some(_))) {
            let _ = kill_process(self.pid, Signal::CONT);
        }
    }

    /// Waits until the copiers have had nothing to do for a moment.
    fn settle(&self) {
        let began = Instant::now();
        let mut idle_since = None;
        while began.elapsed() < LONGEST_FAREWELL {
            if !self.copiers.iter().all(Copier::is_idle) {
                idle_since = None;
            } else if idle_since.get_or_insert_with(Instant::now).elapsed() >= SETTLED {
                return;
            }
            self.relay.poll(Some(Duration::from_millis(2)));
        }
    }

    /// The child has ended: passes on what is still on its way, and hands on what others still
    /// write to.
    fn leave(mut self, status: Status, stay: OwnedFd) -> End {
        let ended = Instant::now();
        drop(stay);
        while !self.copiers.iter().all(Copier::is_done) {
            self.relay.poll(Some(Duration::from_millis(50)));
            // A reader that never reads on must not keep us from being ended.
            let Some(caught) = self.relay.signals.next() else { continue };
            let same_key = is_from_keys(caught.origin) && ended.elapsed() < SAME_KEY;
            let end = [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP].map(Signal::as_raw);
            if end.contains(&caught.signal) && !same_key {
                end_by(caught.signal);
            }
        }
        // The key that ended the child may have reached us after the news of its end.
        while let Some(caught) = self.relay.signals.next() {
            self.asked |= [Signal::INT, Signal::QUIT].map(Signal::as_raw).contains(&caught.signal);
        }
        for rest in self.copiers.into_iter().filter_map(Copier::rest) {
            hand_on(rest);
        }
        self.relay.shared.draws(false);
        End { status, asked: self.asked, heard: self.relay.shared.take() }
    }
}

/// Whether the whole foreground group has the signal. A system that does not say: keys send
/// mostly.
const fn is_from_keys(origin: Origin) -> bool {
    matches!(origin, Origin::Kernel | Origin::Unknown)
}

/// The word by which the program is told to be nothing but a copier.
const PASS_ON: &str = "--pass-on";

/// Somebody lives on who writes to what the command had as its output, such as a server that it
/// left in the background. Closing it would end them (SIGPIPE) or hang up on them; without us
/// they would write on. So a copier stays, as a process of its own.
fn hand_on(rest: Rest) {
    let program = if cfg!(target_os = "linux") {
        "/proc/self/exe".into()
    } else {
        std::env::current_exe().unwrap_or_default()
    };
    let _ = Command::new(program)
        .args(["run", PASS_ON])
        .stdin(Stdio::from(rest.from))
        .stdout(Stdio::from(rest.to))
        .stderr(Stdio::null())
        .spawn();
}

/// Copies stdin to stdout until nobody writes or nobody reads any more: what [`Relay::run`]
/// leaves behind where it has to.
pub fn pass_on() {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let Ok(to) = stdout.as_fd().try_clone_to_owned() else { return };
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match rustix::io::read(&stdin, &mut chunk[..]) {
            Ok(0) => return,
            Ok(count) => {
                if super::writing::write_all(&to, &chunk[..count]).is_err() {
                    return;
                }
            }
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None);
            }
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// ENOEXEC: an executable text without `#!`.
const NO_FORMAT: i32 = 8;

/// What the system falls back to where a program could not be started because it is a text without
/// `#!` (execvp(3)).
pub fn fallback(error: &io::Error) -> Option<Command> {
    (error.raw_os_error() == Some(NO_FORMAT)).then(|| Command::new("/bin/sh"))
}

/// Ends this process by that signal, as the command ended, so that a shell that started us sees
/// the same. Where the signal does not end a process it returns the code that says so, 128 and its
/// number as shells have it. No second core is dumped.
pub fn end_by(signal: i32) -> u32 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    u32::try_from(128 + signal).unwrap_or(u8::MAX.into())
}
