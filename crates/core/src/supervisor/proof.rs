//! Whether the name by which a manager will be told to stop something means the very process that is
//! meant: the manager is asked for that name's PID first. Names come from a process's environment,
//! where a process may write, or have inherited, somebody else's.

use super::managers::{self, file_name};
use crate::process::{Process, Supervisor, SupervisorKind};
use crate::snapshot::Snapshot;

/// What to ask a manager before it is told to stop something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The commands; each prints PIDs, one a line.
    pub questions: Vec<Vec<String>>,
    /// Those that are meant. Each answer has to name one of these, and nobody else.
    pub pids: Vec<u32>,
}

impl Proof {
    /// Whether that answer proves it. A service that does not run has the PID 0.
    pub fn is_given_by(&self, answer: &str) -> bool {
        let mut named = answer
            .lines()
            .filter_map(|line| line.trim().parse::<u32>().ok())
            .filter(|&pid| pid != 0)
            .peekable();
        named.peek().is_some() && named.all(|pid| self.pids.contains(&pid))
    }
}

/// The proof that a supervisor's command stops this process. `None` where its name is nobody's to
/// forge: a directory that the manager itself is in, a unit, a container.
pub(crate) fn proof_of(process: &Process, by: &Supervisor, snapshot: &Snapshot) -> Option<Proof> {
    let argv = by.stop.as_ref().filter(|_| by.kind == SupervisorKind::ProcessManager)?;
    let verb = argv.iter().position(|word| word == "stop")?;
    let tells = ["pm2", "supervisorctl"];
    if !argv[..verb].iter().any(|word| tells.contains(&file_name(word))) {
        return None;
    }
    let question = |name: &String| {
        let words = argv[..verb].iter().map(String::as_str).chain(["pid", name]);
        words.map(str::to_owned).collect()
    };
    Some(Proof {
        questions: argv[verb + 1..].iter().map(question).collect(),
        pids: meant(process, by, snapshot),
    })
}

/// The process and those above it below the manager; where that holds the socket itself, the
/// workers for whom it does.
fn meant(process: &Process, by: &Supervisor, snapshot: &Snapshot) -> Vec<u32> {
    if by.pid == Some(process.id.pid) {
        return managers::workers_of(process, snapshot);
    }
    let above = snapshot.ancestors(process.id.pid).into_iter().map(|ancestor| ancestor.id.pid);
    std::iter::once(process.id.pid).chain(above.take_while(|pid| Some(*pid) != by.pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_proves_it_by_naming_these_and_nobody_else() {
        let proof = Proof { questions: Vec::new(), pids: vec![42, 40] };
        for (answer, want) in [
            ("42\n", true),
            ("40\n42\n", true),
            (" 40 \r\n", true),
            ("[PM2] hello\n42\n", true),
            ("42\n0\n", true),
            ("43\n", false),
            ("42\n43\n", false),
            ("0\n", false),
            ("", false),
            ("42 43\n", false),
            ("web: ERROR (no such process)\n", false),
            ("-42\n", false),
        ] {
            assert_eq!(proof.is_given_by(answer), want, "{answer:?}");
        }
    }
}
