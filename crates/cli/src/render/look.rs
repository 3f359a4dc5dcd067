//! `proc on` for people: the answer in one sentence, then what is needed to recognise the holder,
//! then what to do.

use proc_core::diagnosis::{CauseKind, Verdict};
use proc_core::report::TargetReport;

use super::page::{Line, Page, Role};
use super::{card, holders, words};
use crate::exit;
use crate::terminal::View;

/// Puts the answers on a page.
pub fn put(page: &mut Page, targets: &[TargetReport], counts: &[usize], view: &View) {
    each(page, targets, counts, |page, target| one(page, target, view));
}

/// Puts every target on a page by that function, except the free ports of a range, which share
/// one line.
pub fn each(
    page: &mut Page,
    targets: &[TargetReport],
    counts: &[usize],
    one: impl Fn(&mut Page, &TargetReport),
) {
    for group in exit::groups(targets, counts) {
        let range = group.len() > 1;
        let (free, shown): (Vec<&TargetReport>, Vec<&TargetReport>) =
            group.iter().partition(|target| range && is_plainly_free(target));
        for target in shown {
            page.gap();
            one(page, target);
        }
        if !free.is_empty() {
            page.gap();
            page.push(free_line(&free, group.len()));
        }
    }
}

fn is_plainly_free(target: &TargetReport) -> bool {
    target.verdict == Some(Verdict::Free) && target.causes.is_empty()
}

fn free_line(free: &[&TargetReport], all: usize) -> Line {
    let names: Vec<&str> = free.iter().map(|target| target.target.as_str()).collect();
    let which = match names.as_slice() {
        [first, .., last] if names.len() == all => format!("{first} to {last}"),
        _ => names.join(" "),
    };
    Line::new(0).with(Role::Free, which).text(if names.len() == 1 {
        " is free"
    } else {
        " are free"
    })
}

fn one(page: &mut Page, target: &TargetReport, view: &View) {
    let also = headline(page, target);
    card::processes(page, target, &holders(target), view);
    card::sockets(page, target, view);
    for cause in target.causes.iter().skip(also) {
        page.push(Line::new(2).text(format!("also: {}", cause.explain)));
    }
    card::remarks(page, target);
    if is_in_doubt(target) {
        card::gaps(page, &target.gaps);
    }
    let remedies = card::best_remedies(target, 2);
    if !remedies.is_empty() {
        page.gap();
        for remedy in remedies {
            card::remedy(page, remedy, 2, view);
        }
    }
}

/// Whether what could not be seen may be the very answer: with every holder named, it is not.
fn is_in_doubt(target: &TargetReport) -> bool {
    target.sockets.iter().any(|socket| socket.hidden)
        || target.causes.iter().any(|cause| cause.kind == CauseKind::Unexplained)
        || target.verdict.is_none()
}

/// The answer in one sentence; how many causes it used up.
pub fn headline(page: &mut Page, target: &TargetReport) -> usize {
    let (sentence, used) = match target.causes.first() {
        Some(cause) if target.verdict != Some(Verdict::Free) => (cause.explain.clone(), 1),
        _ => (target.explain.clone().unwrap_or_else(|| plain_sentence(target)), 0),
    };
    let role = words::verdict_role(target.verdict);
    // The target in its colour, wherever the sentence names it first.
    let line = match sentence.split_once(target.target.as_str()) {
        Some((before, after)) => {
            Line::new(0).text(before).with(role, target.target.clone()).text(after)
        }
        None => Line::new(0).with(role, target.target.clone()).text(format!(": {sentence}")),
    };
    page.push(line);
    used
}

/// The answer where no cause gives one.
fn plain_sentence(target: &TargetReport) -> String {
    let name = &target.target;
    match target.verdict {
        Some(Verdict::Free) => format!("{name} is free"),
        Some(Verdict::Held) => format!("{name} is held"),
        Some(Verdict::Lingering) => format!("{name} is held by remains of ended connections"),
        Some(Verdict::Denied) => format!("this user may not bind {name}"),
        None => match (target.processes.len(), target.sockets.len()) {
            (0, 0) => format!("{name}: nothing there"),
            (_, 0) => format!("{name} holds no port"),
            (_, sockets) => format!("{name} holds {}", words::count(sockets, "socket")),
        },
    }
}

#[cfg(test)]
mod tests {
    use proc_core::origin::{Agent, Origin, Session, SessionKind};

    use super::*;
    use crate::render::fixture;

    fn shown(targets: &[TargetReport], counts: &[usize], view: &View) -> String {
        let mut page = Page::default();
        put(&mut page, targets, counts, view);
        page.render(view)
    }

    fn at(width: usize) -> View {
        View { width: Some(width), home: Some("/home/me".to_owned()), ..View::plain() }
    }

    #[test]
    fn where_a_process_comes_from() {
        let line_of = |project: Option<&str>, agent: Option<u32>, kind: Option<SessionKind>| {
            let mut target = fixture::held();
            let agent = agent.map(|pid| Agent {
                name: "claude".to_owned(),
                pid: Some(pid).filter(|&pid| pid != 0),
            });
            target.processes[0].cwd = Some("/home/me/shop/src".to_owned());
            target.processes[0].origin = Some(Origin {
                project: project.map(str::to_owned),
                agent,
                session: kind.map(|kind| Session { kind, name: "%3".to_owned() }),
            });
            shown(&[target], &[], &at(80)).lines().nth(3).unwrap().to_owned()
        };
        let shop = Some("/home/me/shop");
        let tmux = Some(SessionKind::Tmux);
        for (line, want) in [
            (line_of(shop, Some(8800), tmux), "in ~/shop (git), started by claude (pid 8800)"),
            (line_of(shop, Some(0), None), "in ~/shop (git), started by claude"),
            (line_of(shop, None, tmux), "in ~/shop (git), started from tmux pane %3"),
            // The terminal stands a line above.
            (line_of(shop, None, Some(SessionKind::Terminal)), "in ~/shop (git)"),
            (line_of(None, Some(8800), None), "started by claude (pid 8800)"),
            (
                line_of(None, None, Some(SessionKind::Terminal)),
                "run by nodemon (4200), which would start it again",
            ),
        ] {
            assert_eq!(line.trim_start(), want);
        }
        let hostile = line_of(Some("/x/\u{1b}[31m\n"), None, None);
        assert!(!hostile.contains('\u{1b}') && hostile.ends_with("(git)"), "{hostile:?}");
    }

    #[test]
    fn a_held_port() {
        assert_eq!(
            shown(&[fixture::held()], &[], &at(80)),
            "\
             node (4242) listens on [::]:3000\n\
             \x20 node server.js --title 'my app'\n\
             \x20   pid 4242 · me · ~/web · 2 h · pts/3\n\
             \x20   run by nodemon (4200), which would start it again\n\
             \x20 tcp  [::]:3000                         everybody          LISTEN       4242\n\
             \x20 tcp  127.0.0.1:9229                    this machine only  LISTEN       4242\n\
             \x20 tcp  127.0.0.1:3000 → 127.0.0.1:50000                     ESTABLISHED  4242\n\
             \x20 1 connection to it is open\n\
             \n\
             \x20 proc free :3000  # stops nodemon and node; 1 open connection is cut\n"
        );
    }

    #[test]
    fn a_held_port_on_a_narrow_terminal() {
        assert_eq!(
            shown(&[fixture::held()], &[], &at(40)),
            "\
             node (4242) listens on [::]:3000\n\
             \x20 node server.js --title 'my app'\n\
             \x20   pid 4242 · me · ~/web · 2 h · pts/3\n\
             \x20   run by nodemon (4200), which would\n\
             \x20     start it again\n\
             \x20 tcp  [::]:3000\n\
             \x20 tcp  127.0.0.1:9229\n\
             \x20 tcp  127.0.0.1:3000 → 127.0.0.1:50000\n\
             \x20 1 connection to it is open\n\
             \n\
             \x20 proc free :3000\n\
             \x20   # stops nodemon and node; 1 open\n\
             \x20     connection is cut\n"
        );
    }

    #[test]
    fn a_held_port_piped_in_ascii() {
        let view = View { ascii: true, ..View::plain() };
        assert_eq!(
            shown(&[fixture::held()], &[], &view),
            "\
             node (4242) listens on [::]:3000\n\
             \x20 node server.js --title 'my app'\n\
             \x20   pid 4242 - me - /home/me/web - 2 h - pts/3\n\
             \x20   run by nodemon (4200), which would start it again\n\
             \x20 tcp  [::]:3000                          everybody          LISTEN       4242\n\
             \x20 tcp  127.0.0.1:9229                     this machine only  LISTEN       4242\n\
             \x20 tcp  127.0.0.1:3000 -> 127.0.0.1:50000                     ESTABLISHED  4242\n\
             \x20 1 connection to it is open\n\
             \n\
             \x20 proc free :3000  # stops nodemon and node; 1 open connection is cut\n"
        );
    }

    #[test]
    fn remains_are_told_with_their_time() {
        assert_eq!(
            shown(&[fixture::lingering()], &[], &at(200)),
            "\
             nothing listens on :5000; 1 closed connection is in TIME-WAIT for 41 s more\n\
             \x20 tcp  127.0.0.1:5000 → 127.0.0.1:50001  TIME-WAIT  nobody  41 s left\n\
             \n\
             \x20 sudo proc free :5000  # removes them\n"
        );
    }

    #[test]
    fn free_ports_of_a_range_share_a_line() {
        let free =
            |name: &str| TargetReport { verdict: Some(Verdict::Free), ..fixture::empty(name) };
        let view = View::plain();
        assert_eq!(shown(&[free(":1")], &[], &view), ":1 is free\n");
        assert_eq!(shown(&[free(":1"), free(":2")], &[], &view), ":1 is free\n\n:2 is free\n");
        assert_eq!(
            shown(&[free(":1"), free(":2"), free(":3")], &[3], &view),
            ":1 to :3 are free\n"
        );
        let mut held = fixture::held();
        held.target = ":2".to_owned();
        let text = shown(&[free(":1"), held, free(":3")], &[3], &view);
        assert!(text.starts_with(":2: node (4242) listens"), "{text}");
        assert!(text.ends_with("\n\n:1 :3 are free\n"), "{text}");
    }

    #[test]
    fn hostile_names_are_harmless() {
        let mut target = fixture::held();
        target.processes[0].argv = vec!["evil\x1b]0;title\x07".to_owned(), "\u{202e}".to_owned()];
        target.processes[0].cwd = Some("/tmp/\x1b[2J".to_owned());
        target.causes[0].explain = "\u{9b}31m (4242) listens on :3000".to_owned();
        let text = shown(&[target], &[], &View::plain());
        assert!(text.lines().all(|line| !line.contains(crate::sanitize::is_hostile)), "{text}");
        assert!(text.contains("$'evil\\x1b]0;title\\x07' $'\\u202e'"), "{text}");
    }

    #[test]
    fn meaning_does_not_depend_on_colour() {
        let coloured = View { color: true, ..at(80) };
        let text = shown(&[fixture::held()], &[], &coloured);
        assert!(text.contains("\x1b[1m\x1b[31m:3000\x1b[0m"), "{text:?}");
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('\x1b') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        plain.push_str(rest);
        assert_eq!(plain, shown(&[fixture::held()], &[], &at(80)));
    }

    #[test]
    fn processes_without_ports_are_shown() {
        let mut target = fixture::held();
        target.target = "node".to_owned();
        target.verdict = None;
        target.causes.clear();
        target.sockets.clear();
        target.gaps.clear();
        target.processes.retain(|process| process.pid == 4242);
        let text = shown(&[target], &[], &View::plain());
        assert!(
            text.starts_with("node holds no port\n  node server.js --title 'my app'\n"),
            "{text}"
        );
        assert_eq!(shown(&[fixture::empty("node")], &[], &View::plain()), "node: nothing there\n");
    }

    #[test]
    fn many_holders_are_named_and_not_shown_in_full() {
        let mut target = fixture::held();
        target.causes[0].pids = (1..=8).collect();
        target.processes = (1..=8)
            .map(|pid| fixture::process(pid, 0, "nginx", &["nginx: worker process"]))
            .collect();
        target.sockets.truncate(1);
        target.sockets[0].holders.clear();
        let text = shown(&[target], &[], &View::plain());
        assert_eq!(text.matches("  nginx: worker process\n").count(), 5, "{text}");
        assert!(text.contains("  and 3 more: nginx (6), nginx (7), nginx (8)\n"), "{text}");
    }
}
