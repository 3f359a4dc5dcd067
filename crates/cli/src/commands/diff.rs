//! `proc diff`: what serves now that did not when a snapshot was taken, or between two of them.

use std::io::Read;
use std::path::{Path, PathBuf};

use proc_core::diff::{DiffOptions, Side, diff};
use proc_core::recording::{MOST_BYTES, Recording};
use proc_core::report::ErrorReport;

use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;
use crate::output;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Exit code 0: no difference. 1: there are some. 2: a file is no snapshot, as of diff(1).

Examples:
  proc snapshot > before.json
  proc diff before.json              what is new, gone, restarted or in other hands by now
  proc diff before.json after.json   between the two
  proc diff before.json -q || echo something was left behind
  ssh web1 proc snapshot | proc diff before.json -")]
pub struct Args {
    /// What `proc snapshot` or `proc record` wrote before; `-` for stdin
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The same of a later time, in place of now
    #[arg(value_name = "AFTER")]
    after: Option<PathBuf>,
    /// Only TCP
    #[arg(long)]
    tcp: bool,
    /// Only UDP
    #[arg(long)]
    udp: bool,
    /// Unix sockets, with --tcp and --udp beside those
    #[arg(long)]
    unix: bool,
}

/// Compares.
///
/// # Errors
/// A file that is no recording, or a system that cannot be looked at.
pub fn run(
    args: &Args,
    globals: &Globals,
    core: impl FnOnce() -> Result<Box<dyn Core>, ErrorReport>,
) -> Result<Answer, ErrorReport> {
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    if is_stdin(&args.before) && args.after.as_deref().is_some_and(is_stdin) {
        return Err(wrong("stdin can be one of the two snapshots, not both".to_owned()));
    }
    let before = read(&args.before)?;
    let now = match &args.after {
        Some(path) => read(path)?,
        None => {
            let text = core()?.record(&[])?;
            Recording::from_json(text.as_bytes()).map_err(|error| wrong(error.to_string()))?
        }
    };
    let (from, to) = (shown(&args.before), args.after.as_deref().map(shown));
    let before = Side { file: Some(&from), recording: &before };
    let after = Side { file: to.as_deref(), recording: &now };
    Ok(Answer::Compared(diff(before, after, &args.options(globals))))
}

impl Args {
    /// What `ports` shows without options: ports, and no unix sockets.
    const fn options(&self, globals: &Globals) -> DiffOptions {
        let all = !(self.tcp || self.udp || self.unix);
        DiffOptions {
            tcp: self.tcp || all,
            udp: self.udp || all,
            unix: self.unix,
            show_secrets: globals.show_secrets,
        }
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Recording, ErrorReport> {
    let cannot = |why: String| wrong(format!("cannot compare {}: {why}", path.display()));
    let bytes = match path.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            let limit = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
            // One octet more tells a longer one from one that just fits.
            let read = std::io::stdin().take(limit.saturating_add(1)).read_to_end(&mut bytes);
            read.map(|_| bytes)
        }
        false => std::fs::read(path),
    };
    let bytes = bytes.map_err(|error| cannot(output::reason(&error)))?;
    if bytes.is_empty() {
        return Err(cannot("it is empty; `proc snapshot` writes one".to_owned()));
    }
    Recording::from_json(&bytes).map_err(|error| cannot(error.to_string()))
}

/// As of diff(1): trouble is 2, so that 1 always means a difference.
fn wrong(explain: String) -> ErrorReport {
    ErrorReport { kind: "usage".to_owned(), explain, word: None, suggestion: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_that_are_named_leave_out_the_others() {
        let of = |args: Args| {
            let options = args.options(&Globals::default());
            (options.tcp, options.udp, options.unix)
        };
        assert_eq!(of(Args::default()), (true, true, false));
        assert_eq!(of(Args { unix: true, ..Args::default() }), (false, false, true));
        assert_eq!(of(Args { tcp: true, unix: true, ..Args::default() }), (true, false, true));
        assert_eq!(of(Args { udp: true, ..Args::default() }), (false, true, false));
    }
}
