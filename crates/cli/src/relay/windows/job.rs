//! One command from its start to its end: it shares our console, so that keys reach it from there,
//! and we only take note of them.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Read, Write};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use proc_core::sys::{Controls, JobObject};

use super::super::life::{End, Life, Next, Status};
use super::super::shared::Shared;
use super::copier::Copier;
use super::kin::Kin;
use super::reader::Reader;
use super::streams::{Channel, redirect};
use crate::output::Output;

/// How often the screen is read while a command is young, and later.
const SCREEN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// How long a command is young.
const YOUNG: Duration = Duration::from_secs(60);
/// How long no byte may come before the rest is taken to be silent, once the command has ended.
const SILENCE: Duration = Duration::from_millis(30);
/// How long after the command's end its children's words are still waited for.
const LONGEST_GOODBYE: Duration = Duration::from_millis(500);
/// A Ctrl-C this soon after the command's end was the one that ended it.
const SAME_KEY: Duration = Duration::from_millis(200);
/// Between two looks at copiers that are to end.
const MOMENT: Duration = Duration::from_millis(2);

/// STATUS_CONTROL_C_EXIT: what a program of Windows has that Ctrl-C ended.
const ENDED_BY_KEY: u32 = 0xC000_013A;

/// Runs commands, one after the other.
#[derive(Debug)]
pub struct Relay {
    controls: Option<Controls>,
    shared: Arc<Shared>,
    reader: RefCell<Option<Reader>>,
    jobs: RefCell<Vec<Arc<JobObject>>>,
}

impl Relay {
    /// Takes over Ctrl-C and its kin.
    ///
    /// # Errors
    /// None here: where they cannot be had, they end us as ever.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            controls: Controls::taken_over(),
            shared: Arc::new(Shared::new()?),
            reader: RefCell::default(),
            jobs: RefCell::default(),
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
        *self.reader.borrow_mut() = channels.has_console.then(Reader::new).flatten();
        let (child, job) = self.start(&mut command)?;
        // It holds the command's ends of the ways: they would never be closed.
        drop(command);
        let mut copiers = Vec::new();
        for channel in channels.pipes {
            copiers.push(Copier::start(channel, &self.shared)?);
        }
        let kin = Kin { pid: child.id(), job };
        let mut life = Living { relay: self, kin, started: Instant::now(), copiers, asked: false };
        let status = life.live(&self.awaited(child)?, watch)?;
        Ok(life.leave(status))
    }

    /// In a job of its own, where the system has one. It ends nobody when it is closed.
    fn start(&self, command: &mut Command) -> io::Result<(Child, Option<Arc<JobObject>>)> {
        let Ok(job) = JobObject::create().and_then(|job| job.allow_breakaway().map(|()| job))
        else {
            return Ok((command.spawn()?, None));
        };
        let (child, is_inside) = job.start(command)?;
        let job = is_inside.then(|| Arc::new(job));
        self.jobs.borrow_mut().extend(job.clone());
        Ok((child, job))
    }

    /// Tells of the command's end, from a thread that waits for it.
    fn awaited(&self, mut child: Child) -> io::Result<Receiver<io::Result<ExitStatus>>> {
        let (sender, receiver) = channel();
        let shared = self.shared.clone();
        let wait = move || {
            let _ = sender.send(child.wait());
            shared.bell.ring();
        };
        std::thread::Builder::new().name("waiter".to_owned()).spawn(wait)?;
        Ok(receiver)
    }

    /// Says something beside the command's own words, on a line of its own.
    pub fn say(&self, text: &str) {
        if !io::stderr().is_terminal() {
            return Output::note(text);
        }
        let mut reader = self.reader.borrow_mut();
        if let Some(reader) = &mut *reader {
            reader.look(&self.shared);
        }
        let fresh = if self.shared.take_line() { "\n" } else { "" };
        Output::note(&format!("{fresh}{text}"));
        if let Some(reader) = &mut *reader {
            reader.skip();
        }
    }

    /// What commands left behind.
    pub fn left_behind(&self) -> Vec<u32> {
        self.jobs.borrow().iter().flat_map(|job| job.members()).collect()
    }

    /// That somebody asked us to end while no command ran, as [`end_by`] takes it.
    pub fn asked_to_end(&self) -> Option<i32> {
        self.came().then_some(ENDED_BY_KEY.cast_signed())
    }

    /// The same before a line is read, which Ctrl-C ends by itself.
    pub fn end_before(&self, (): ()) -> Option<i32> {
        self.asked_to_end()
    }

    fn came(&self) -> bool {
        self.controls.as_ref().is_some_and(Controls::came)
    }
}

struct Living<'a> {
    relay: &'a Relay,
    kin: Kin,
    started: Instant,
    copiers: Vec<Copier>,
    asked: bool,
}

impl Living<'_> {
    fn live(
        &mut self,
        end: &Receiver<io::Result<ExitStatus>>,
        watch: &mut dyn FnMut(Life) -> Next,
    ) -> io::Result<Status> {
        let shared = &self.relay.shared;
        let mut pending: Vec<String> = Vec::new();
        let mut again = Some(Duration::ZERO);
        let mut looked = Instant::now();
        let mut read = Instant::now();
        loop {
            let age = self.started.elapsed();
            let screen = if age < YOUNG { SCREEN.0 } else { SCREEN.1 };
            let left = again.map_or(SCREEN.1, |again| again.saturating_sub(looked.elapsed()));
            shared.bell.wait(left.min(screen.saturating_sub(read.elapsed())));
            self.asked |= self.relay.came();
            if let Ok(status) = end.try_recv() {
                return Ok(Status::Code(status?.code().unwrap_or_default()));
            }
            if read.elapsed() >= screen {
                if let Some(reader) = &mut *self.relay.reader.borrow_mut() {
                    reader.look(shared);
                }
                read = Instant::now();
            }
            let heard = shared.take();
            let due = again.is_some_and(|again| looked.elapsed() >= again);
            if due || !heard.is_empty() {
                let next = watch(Life {
                    kin: self.kin.clone(),
                    age: self.started.elapsed(),
                    quiet_for: shared.quiet_for(),
                    heard,
                });
                looked = Instant::now();
                again = next.again;
                pending.extend(next.say);
            }
            // Nothing is written over a program that draws on the whole screen.
            if !pending.is_empty() && !shared.has_screen() {
                pending.drain(..).for_each(|text| self.relay.say(&text));
            }
        }
    }

    /// The command has ended: passes on what is still on its way, and hands on what others still
    /// write to.
    fn leave(mut self, status: Status) -> End {
        let shared = &self.relay.shared;
        let ended = Instant::now();
        let mut is_cut_off = false;
        while !is_cut_off && !self.copiers.iter().all(Copier::is_done) {
            let since = ended.elapsed();
            let is_silent = shared.quiet_for().min(since) >= SILENCE
                && self.copiers.iter().all(Copier::is_idle);
            if is_silent || since > LONGEST_GOODBYE {
                self.copiers.iter().for_each(Copier::leave);
            }
            shared.bell.wait(MOMENT);
            // A reader that never reads on must not keep us from being ended.
            if self.relay.came() {
                self.asked = true;
                is_cut_off = ended.elapsed() >= SAME_KEY;
            }
        }
        let done = self.copiers.into_iter().filter(|copier| !is_cut_off || copier.is_done());
        for rest in done.filter_map(Copier::rest) {
            hand_on(rest);
        }
        if let Some(reader) = self.relay.reader.borrow_mut().take() {
            reader.finish(shared);
        }
        shared.draws(false);
        self.asked |= self.relay.came();
        End { status, asked: self.asked, heard: shared.take() }
    }
}

/// The word by which the program is told to be nothing but a copier.
const PASS_ON: &str = "--pass-on";
/// DETACHED_PROCESS and CREATE_NEW_PROCESS_GROUP: no key and no closing of a console reaches it.
const ALONE: u32 = 0x8 | 0x200;

/// Somebody lives on who writes to what the command had as its output, such as a server that it
/// left in the background. Its next write would fail; without us it would write on. So a copier
/// stays, as a process of its own.
fn hand_on(rest: Channel) {
    let Ok(program) = std::env::current_exe() else { return };
    let _ = Command::new(program)
        .args(["run", PASS_ON])
        .stdin(Stdio::from(rest.from))
        .stdout(Stdio::from(rest.to))
        .stderr(Stdio::null())
        .creation_flags(ALONE)
        .spawn();
}

/// Copies stdin to stdout until nobody writes or nobody reads any more: what [`Relay::run`]
/// leaves behind where it has to.
pub fn pass_on() {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stdin.read(&mut chunk) {
        if stdout.write_all(&chunk[..count]).and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}

/// There is no other way to start a program here.
pub const fn fallback(_: &io::Error) -> Option<Command> {
    None
}

/// The exit code that says that a key ended us.
pub const fn end_by(code: i32) -> u32 {
    code.cast_unsigned()
}
