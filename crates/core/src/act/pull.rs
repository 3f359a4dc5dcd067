//! Levers: whoever manages what is to end is told to stop it, has to say first that it means just
//! that, and is judged by what is there afterwards.

use std::time::Duration;

use super::group::Group;
use super::run::{AFTER_EXIT, End, Run, any_left};
use crate::addr::Endpoint;
use crate::diagnosis::Diagnosis;
use crate::host::{Ran, Watch, Woken};
use crate::plan::{Lever, called};
use crate::report::Outcome;
use crate::snapshot::{Scope, Snapshot, States};
use crate::supervisor::supervisor_of;

/// How long a manager may take to say what a name means: pm2 starts all of Node for it.
const PROOF: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// Stops what runs the holders through whoever manages it. `Some` ends the act: what failed is
    /// said, and nobody is signalled instead.
    pub(super) fn pull(&mut self, place: usize) -> Option<End> {
        let lever = &self.plan.levers[place];
        let command = lever.command();
        if let Err((question, ran)) = self.prove(lever) {
            return Some(self.unproven(lever, &question, &ran));
        }
        let left = self.left();
        let ran = match &lever.container {
            Some(container) => self.host.stop_container(container, left),
            None => self.host.run(&lever.argv, left),
        };
        if ran.success {
            self.note("ran", None, format!("stopped {} by: {command}", lever.name));
            return None;
        }
        self.note("failed", None, format!("{command}: {}", ran.message));
        if super::is_interrupted(self.host) {
            return Some(self.interrupted());
        }
        let (outcome, advice) = match self.wants_more_rights(lever, &ran) {
            Some(try_this) => (Outcome::Denied, try_this),
            None => (Outcome::StillHeld, format!("; what failed: {command}")),
        };
        let text = format!("{} could not be stopped ({}){advice}", lever.name, ran.message);
        Some(spared(outcome, text))
    }

    /// Whether the manager itself says that the name it will be told means these holders.
    ///
    /// # Errors
    /// The question to which the answer was another, and what came of it.
    fn prove(&self, lever: &Lever) -> Result<(), (String, Ran)> {
        let Some(proof) = &lever.proof else { return Ok(()) };
        for question in &proof.questions {
            let ran = self.host.run(question, self.left().min(PROOF));
            if !(ran.success && proof.is_given_by(&ran.output)) {
                return Err((question.join(" "), ran));
            }
        }
        Ok(())
    }

    fn unproven(&mut self, lever: &Lever, question: &str, ran: &Ran) -> End {
        let said = match ran.success {
            true => "names other processes, or none".to_owned(),
            false => format!("failed ({})", ran.message),
        };
        self.note("failed", None, format!("{question}: {said}"));
        if super::is_interrupted(self.host) {
            return self.interrupted();
        }
        let (outcome, advice) = match self.wants_more_rights(lever, ran) {
            Some(try_this) => (Outcome::Denied, try_this),
            None => (Outcome::StillHeld, String::new()),
        };
        let pids: Vec<String> = lever.pids.iter().map(ToString::to_string).collect();
        let text = format!(
            "whether {} is what holds it (pid {}) could not be made sure of, so it was not stopped: {question} {said}{advice}",
            lever.name,
            pids.join(", "),
        );
        spared(outcome, text)
    }

    /// What to try where more rights are what a lever lacked, and there are more to be had.
    fn wants_more_rights(&self, lever: &Lever, ran: &Ran) -> Option<String> {
        let lacks = ran.lacks_permission()
            && lever.argv.first().is_none_or(|word| word != "sudo")
            && self.host.snapshot(&Scope::default()).asker.uid != 0;
        lacks.then(|| format!("; try: {}", self.with_more_rights(&lever.command())))
    }

    /// A manager may say that it is done while the kernel still ends the last process.
    pub(super) fn wait_for_levers(&mut self, endpoint: &Endpoint) -> Woken {
        let deadline = self.host.now() + AFTER_EXIT;
        loop {
            let table = self.table(endpoint, States::All);
            let cookies = table.sockets.iter().filter_map(|socket| socket.cookie);
            let left = cookies.into_iter().any(|cookie| self.plan.cookies.contains(&cookie));
            let now = self.host.now();
            if !left || now >= deadline {
                return Woken::Event;
            }
            if self.host.wait(&[], &mut self.watch, deadline - now) == Woken::Interrupted {
                return Woken::Interrupted;
            }
        }
    }

    /// Waits until those have ended that a lever was pulled for. `Some` ends the act.
    pub(super) fn wait_for_awaited(&mut self, mut awaited: Group) -> Option<End> {
        let deadline = self.host.now() + self.limits.grace.max(AFTER_EXIT);
        loop {
            self.note_ended(&mut awaited, &self.plan.awaited);
            if awaited.all_gone() {
                return None;
            }
            let now = self.host.now();
            if now >= deadline {
                return Some(self.outlived(&awaited));
            }
            let alive = awaited.alive_pins();
            if self.host.wait(&alive, &mut Watch::silent(), deadline - now) == Woken::Interrupted {
                return Some(self.interrupted());
            }
        }
    }

    /// A lever that was pulled, and some of those that it was for are there all the same.
    fn outlived(&self, awaited: &Group) -> End {
        let left = awaited.holding().into_iter().filter_map(|at| self.plan.awaited.get(at));
        let left: Vec<String> = left.map(|it| format!("{} (pid {})", it.name, it.id.pid)).collect();
        let commands: Vec<String> = self.plan.levers.iter().map(Lever::command).collect();
        let (commands, left) = (commands.join(", "), left.join(", "));
        spared(Outcome::StillHeld, format!("{commands} did not end it: {left} is still there"))
    }

    /// A lever that was pulled, and what it was for has the port all the same: a container that
    /// ignores its engine, a unit of another name.
    pub(super) fn idle_lever(&self, diagnosis: &Diagnosis, snapshot: &Snapshot) -> Option<&Lever> {
        let pids: Vec<u32> =
            diagnosis.causes.iter().flat_map(|cause| cause.pids.iter().copied()).collect();
        self.plan.levers.iter().find(|lever| {
            let inodes = lever.inodes.iter().copied().collect();
            any_left(snapshot, &inodes) || lever.pids.iter().any(|pid| pids.contains(pid))
        })
    }

    /// Whether what a lever stopped is up again: somebody started the container or the unit anew.
    pub(super) fn runs_again(
        &self,
        new_pids: &[u32],
        snapshot: &Snapshot,
    ) -> Option<(u32, &Lever)> {
        new_pids.iter().find_map(|&pid| {
            let by = called(&supervisor_of(pid, snapshot)?);
            Some((pid, self.plan.levers.iter().find(|lever| lever.name == by)?))
        })
    }
}

/// The end of an act whose lever failed.
fn spared(outcome: Outcome, explain: String) -> End {
    let mut end = End::new(outcome, explain);
    end.notes.push("nobody was signalled; proc free --only-signal would do that".to_owned());
    end
}
