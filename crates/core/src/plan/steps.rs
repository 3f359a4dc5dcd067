//! A plan as the documents and the prompt show it, step by step.

use super::{Limits, Part, Plan, Verb, Victim};
use crate::explain;
use crate::report::StepReport;

impl Plan {
    /// The plan as the documents and the prompt show it.
    pub fn steps(&self, limits: &Limits) -> Vec<StepReport> {
        let step = |step: &str, explain: String| StepReport {
            step: step.to_owned(),
            pid: None,
            argv: None,
            explain,
        };
        let mut steps = Vec::new();
        if let (Some(_), Some(lever)) = (self.deed, self.levers.first()) {
            steps.push(StepReport {
                argv: Some(lever.argv.clone()),
                ..step("reload", format!("have {} reload by: {}", lever.name, lever.command()))
            });
            return steps;
        }
        for lever in &self.levers {
            steps.push(StepReport {
                argv: Some(lever.argv.clone()),
                ..step("run", format!("stop {} by: {}", lever.name, lever.command()))
            });
        }
        if let Some(deed) = self.deed {
            steps.extend(self.victims.iter().map(|victim| {
                let (word, explain) = deed.step(victim);
                StepReport { pid: Some(victim.id.pid), ..step(word, explain) }
            }));
            return steps;
        }
        for victim in self.victims.iter().filter(|victim| victim.topmost) {
            steps.push(self.signal_step(victim, limits));
        }
        // Who was named, or is of a tree that was, is listed: nobody ends unmentioned.
        let listed = |victim: &&Victim| {
            !victim.topmost && matches!(victim.part, Part::Target | Part::Member)
        };
        for victim in self.victims.iter().filter(listed) {
            let what = match victim.part {
                Part::Member => "of its tree",
                _ => "below it",
            };
            let explain =
                format!("end {} (pid {}) {what}, if still there", victim.name, victim.id.pid);
            let step = step("signal", explain);
            steps.push(StepReport { pid: Some(victim.id.pid), ..step });
        }
        if !self.destroy.is_empty() {
            let open = self.destroy.iter().filter(|socket| socket.inode.is_some()).count();
            let over = self.destroy.len() - open;
            if open > 0 {
                let what = explain::count(open, "connection", "connections");
                let text = format!("close {what}; the program that has it is not touched");
                steps.push(step("destroy", text));
            }
            if over > 0 {
                let what = explain::count(over, "closed connection", "closed connections");
                steps.push(step(
                    "destroy",
                    format!("clear what {what} left behind, or wait for it"),
                ));
            }
        } else if let Some(ms) = self.wait_ms {
            steps.push(step("wait", format!("wait {}", explain::seconds(ms))));
        }
        if let Some(path) = &self.remove_file {
            steps.push(step("remove", format!("remove the stale socket file {path}")));
        }
        steps
    }

    fn signal_step(&self, victim: &Victim, limits: &Limits) -> StepReport {
        let below = self.victims.iter().filter(|other| !other.topmost).count();
        let others = match (below, self.victims.iter().filter(|v| v.topmost).count()) {
            (0, _) | (_, 2..) => String::new(),
            (count, _) => format!(
                ", then {} that it started, if still there",
                explain::count(count, "process", "processes")
            ),
        };
        let name = format!("{} (pid {})", victim.name, victim.id.pid);
        let runs = match victim.part {
            Part::Runner { certain: true } => ", which would start it again,",
            Part::Runner { certain: false } => ", which may start it again,",
            Part::Target | Part::Holder | Part::Kin | Part::Member | Part::Parent { .. } => "",
        };
        if self.on_windows {
            let step = if limits.now { "force" } else { "signal" };
            let explain = windows_way(&name, runs, &others, victim, limits);
            return StepReport {
                step: step.to_owned(),
                pid: Some(victim.id.pid),
                argv: None,
                explain,
            };
        }
        let (step, explain) = match limits.now {
            true => ("force", format!("end {name}{runs} at once (SIGKILL){others}")),
            false => {
                let signal = signal_name(victim.ask.unwrap_or(limits.signal));
                let continued = if victim.stopped { ", and continue it" } else { "" };
                let force = match (limits.verb, victim.never_forced) {
                    (Verb::Kill | Verb::Free, Some(why)) => {
                        format!(", and wait for it: it is not forced, since {why}")
                    }
                    (Verb::Kill | Verb::Free, None) => format!(
                        ", and force it (SIGKILL) if it still holds on after {} s",
                        limits.grace.as_secs_f32()
                    ),
                    _ => String::new(),
                };
                ("signal", format!("ask {name}{runs} to end ({signal}{continued}){others}{force}"))
            }
        };
        StepReport { step: step.to_owned(), pid: Some(victim.id.pid), argv: None, explain }
    }
}

/// How a process is ended on Windows, which has no signals: its windows are told to close, or it is told
/// Ctrl-C where it is alone in a console; who has neither cannot be asked, and is ended at once where
/// that is allowed at all.
fn windows_way(name: &str, runs: &str, others: &str, victim: &Victim, limits: &Limits) -> String {
    if limits.now {
        return format!("end {name}{runs} at once (TerminateProcess){others}");
    }
    let force = match (limits.verb, victim.never_forced) {
        (Verb::Stop, _) => "; without either it cannot be asked, and is left alone".to_owned(),
        (_, Some(why)) => format!("; it is not forced, since {why}"),
        (_, None) => format!(
            ", and force it (TerminateProcess) if it still holds on after {} s, or at once if it has neither",
            limits.grace.as_secs_f32()
        ),
    };
    format!(
        "ask {name}{runs} to end (WM_CLOSE to its windows, Ctrl-C in a console of its own){others}{force}"
    )
}

/// `SIGTERM` for 15; the numbers are those of Linux on x86 and ARM for all but a few.
pub fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        6 => "ABRT",
        9 => "KILL",
        15 => "TERM",
        #[cfg(target_os = "linux")]
        10 => "USR1",
        #[cfg(target_os = "linux")]
        12 => "USR2",
        #[cfg(target_os = "linux")]
        18 => "CONT",
        #[cfg(target_os = "linux")]
        17 => "CHLD",
        #[cfg(target_os = "linux")]
        19 => "STOP",
        #[cfg(target_os = "linux")]
        28 => "WINCH",
        // The C library's SIGRTMIN, as kill(1) counts; the two below are its own (signal(7)).
        #[cfg(target_os = "linux")]
        34 => "RTMIN",
        #[cfg(target_os = "linux")]
        other @ 35..=64 => return format!("SIGRTMIN+{}", other - 34),
        other => return format!("signal {other}"),
    };
    format!("SIG{name}")
}
