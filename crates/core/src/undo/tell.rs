//! An act as the documents show it: what can be started again, what not and why, and what is
//! not restored. Decides what can be decided without looking at ports and processes.

use std::time::{Duration, UNIX_EPOCH};

use super::record::{Act, Bytes, Ended, Held, Item, Stream, What};
use super::store::reason;
use crate::mask::mask_argv;
use crate::report::{UndoAct, UndoItem, UndoKind, UndoOutcome};
use crate::sys::{keep, revive};
use crate::timestamp::rfc3339;

/// Why something is not started again.
pub(super) type Obstacle = (UndoOutcome, String);

/// The act as the documents show it. `undoable` of each says whether it can be started, as far as
/// its record and the file system tell.
pub fn act_report(act: &Act, now_ms: u64, show_secrets: bool) -> UndoAct {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(act.at_ms));
    UndoAct {
        number: act.number,
        at: at.map(rfc3339),
        age_ms: now_ms.checked_sub(act.at_ms),
        verb: Some(act.verb.clone()),
        targets: act.targets.clone(),
        items: act.items.iter().map(|item| item_report(item, show_secrets)).collect(),
        explain: None,
    }
}

fn item_report(item: &Item, show_secrets: bool) -> UndoItem {
    let mut report = UndoItem {
        kind: UndoKind::Lost,
        name: String::new(),
        pid: None,
        argv: Vec::new(),
        cwd: None,
        uid: None,
        user: None,
        ports: Vec::new(),
        missing: Vec::new(),
        undoable: false,
        done: item.again.is_some(),
        outcome: None,
        started_pid: item.again.as_ref().and_then(|again| again.id).map(|id| id.pid),
        log: None,
        last_lines: Vec::new(),
        explain: None,
        notes: Vec::new(),
    };
    let shown = |argv: &[String]| if show_secrets { argv.to_vec() } else { mask_argv(argv) };
    match &item.what {
        What::Process(ended) => {
            report.kind = UndoKind::Process;
            report.name = ended.name.clone();
            report.pid = Some(ended.id.pid);
            report.argv = shown(&ended.command());
            report.cwd = ended.cwd.as_ref().map(Bytes::lossy);
            report.uid = Some(ended.uid);
            report.user = ended.user.clone();
            report.ports = ended.ports.iter().map(name_of).chain(ended.paths.clone()).collect();
            report.missing = ended.dropped.clone();
            report.notes = notes(ended);
            match fixed(ended) {
                Ok(notes) => {
                    report.undoable = true;
                    report.notes.extend(notes);
                }
                Err((_, why)) => report.explain = Some(why),
            }
        }
        What::Command { name, ran, inverse, ports } => {
            report.kind = UndoKind::Command;
            report.ports = ports.iter().map(name_of).collect();
            report.name = name.clone();
            report.argv = inverse.as_deref().map(shown).unwrap_or_default();
            report.undoable = inverse.is_some();
            if inverse.is_none() {
                report.explain = Some(no_inverse(name, ran));
            }
        }
        What::Lost { explain } => {
            report.name = explain.clone();
            report.explain = Some("that cannot be undone".to_owned());
        }
    }
    report
}

pub(super) fn no_inverse(name: &str, ran: &[String]) -> String {
    format!("{name} was stopped by `{}`, and no command is known that starts it", ran.join(" "))
}

/// `tcp:127.0.0.1:3000`.
pub(super) fn name_of(held: &Held) -> String {
    format!("{}:{}", held.transport.name(), held.address)
}

/// What is not so with --here.
pub(super) const NO_TERMINAL: &str =
    "nothing can be typed into it in the background; --here runs it in this terminal";

/// What of it is not restored, whatever happens.
fn notes(ended: &Ended) -> Vec<String> {
    let mut notes = Vec::new();
    let [stdin, stdout, stderr] = &ended.streams;
    if matches!(stdin, Stream::Terminal(_)) {
        notes.push(NO_TERMINAL.to_owned());
    }
    if matches!(stdin, Stream::Pipe | Stream::Socket) {
        notes.push("what was piped into it is not restored".to_owned());
    }
    if [stdout, stderr].iter().any(|stream| matches!(stream, Stream::Pipe | Stream::Socket)) {
        notes.push("what it was piped into is not restored".to_owned());
    }
    if ended.handed {
        notes.push("its sockets were handed to it, and are not restored".to_owned());
    }
    notes
}

/// Whether it can be started as far as its record and the file system tell; with what will be
/// different.
pub(super) fn fixed(ended: &Ended) -> Result<Vec<String>, Obstacle> {
    let impossible = |why: String| Err((UndoOutcome::Impossible, why));
    if !super::store::is_supported() {
        return impossible("processes cannot be started again on this system".to_owned());
    }
    if let Some(elsewhere) = &ended.elsewhere {
        return impossible(format!(
            "{elsewhere}, and is not started from outside of it: start it there"
        ));
    }
    if ended.environment.is_none() {
        return impossible("its environment could not be read, so it is not started".to_owned());
    }
    let mut notes = Vec::new();
    let (program, _) = command(ended)?;
    if ended.title {
        notes.push(format!(
            "its arguments are those that its title showed: {}",
            ended.command().join(" ")
        ));
    }
    match revive::program(&program) {
        Err(error) => {
            let path = Bytes::from(&*program).lossy();
            return impossible(format!("its program {path} cannot be run: {}", reason(&error)));
        }
        Ok(now) if !ended.title && ended.file.as_ref().is_some_and(|then| *then != now) => {
            let path = Bytes::from(&*program).lossy();
            notes.push(format!("{path} is another file than it was: what starts is the new one"));
        }
        Ok(_) => {}
    }
    let cwd = ended.cwd.as_ref().map(Bytes::as_bytes).unwrap_or_default();
    if let Err(error) = revive::enterable(cwd) {
        let shown = String::from_utf8_lossy(cwd);
        return impossible(format!("its directory {shown} cannot be entered: {}", reason(&error)));
    }
    let own = keep::user();
    if own != ended.uid && !revive::CHANGES_USER {
        let user = ended.user.clone().unwrap_or_else(|| "another user".to_owned());
        return Err((
            UndoOutcome::Denied,
            format!(
                "it ran as {user}, and is started as that user alone: cd {} && {}",
                String::from_utf8_lossy(cwd),
                mask_argv(&ended.command()).join(" ")
            ),
        ));
    }
    if own != 0 && own != ended.uid {
        let user = ended.user.clone().unwrap_or_else(|| format!("#{}", ended.uid));
        return Err((
            UndoOutcome::Denied,
            format!(
                "it ran as {user}, and only root starts a program as another user: cd {} && sudo -u '{user}' {}",
                String::from_utf8_lossy(cwd),
                mask_argv(&ended.command()).join(" ")
            ),
        ));
    }
    Ok(notes)
}

/// The file to run and its arguments.
pub(super) fn command(ended: &Ended) -> Result<(Vec<u8>, Vec<Vec<u8>>), Obstacle> {
    let impossible = |why: String| Err((UndoOutcome::Impossible, why));
    let shown = || ended.command().join(" ");
    let cwd = || ended.cwd.as_ref().map(Bytes::lossy).unwrap_or_default();
    if ended.masked {
        return impossible(format!(
            "secrets in its arguments were not kept (--keep-env keeps them): cd {} && {}",
            cwd(),
            shown()
        ));
    }
    if ended.title {
        return match titled(ended) {
            Some(found) => Ok(found),
            None => impossible(format!(
                "it had written the title `{}` over its arguments, so they are not known",
                shown()
            )),
        };
    }
    match (&ended.exe, ended.argv.is_empty()) {
        (Some(exe), false) => {
            let argv = ended.argv.iter().map(|word| word.as_bytes().to_vec()).collect();
            Ok((exe.as_bytes().to_vec(), argv))
        }
        (Some(_), true) => impossible("its arguments are not known".to_owned()),
        (None, _) => impossible("its program is not known".to_owned()),
    }
}

/// Package managers show what was typed in their title (npm's `lib/npm.js` sets
/// `process.title` to it); the other programs that set one say something else there.
fn titled(ended: &Ended) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    const TYPED: [&[u8]; 7] = [b"npm", b"npx", b"pnpm", b"pnpx", b"yarn", b"yarnpkg", b"bunx"];
    let words: Vec<Vec<u8>> = ended
        .argv
        .first()?
        .as_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    let first = words.first().filter(|first| TYPED.contains(&first.as_slice()))?;
    let path = ended
        .environment
        .iter()
        .flatten()
        .find_map(|entry| entry.as_bytes().strip_prefix(b"PATH=").map(<[u8]>::to_vec))?;
    Some((revive::on_path(first, &path)?, words))
}
