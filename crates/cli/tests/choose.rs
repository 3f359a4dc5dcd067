//! `kill`, `stop` and `free` without a target: a list to choose from on a terminal, in a small
//! world of its own, and a wrong command line everywhere else.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod live;
mod terminal;

use live::*;
use terminal::Terminal;

/// Two servers in a world of their own, and the program on a terminal there. What it leaves of
/// them is shown after `left:`, with its exit code.
fn in_a_terminal(words: &str) -> Terminal {
    let script = format!(
        r#"
        d=$(mktemp -d)
        serve() {{
            (cd /; sleep 120 | "$ACTOR" --argv0 "$(printf 'evil\033[31m\r\nname')" listen --orphan --port $1 >$d/$1) &
            until grep -q ready $d/$1; do sleep 0.05; done
        }}
        serve 5001; serve 5002
        set +e
        "$PROC" {words}
        code=$?
        echo "left: $("$PROC" ports --csv --columns port | tr -d '\r' | tail -n +2 | sort | tr '\n' ' ')code: $code"
        rm -r $d
        "#
    );
    let actor = actor_path().to_str().unwrap();
    Terminal::start(&[actor, "in-namespaces", "--", "sh", "-ec", &script])
}

fn is_root() -> bool {
    let root = proc_testkit::is_root();
    if !root {
        proc_testkit::skip("it makes namespaces, which needs root");
    }
    root
}

#[test]
fn a_port_is_chosen_by_its_number_and_asked_about_as_ever() {
    if !is_root() {
        return;
    }
    for verb in ["kill", "stop", "free"] {
        let mut terminal = in_a_terminal(verb);
        let list = terminal.until("Enter for none: ");
        assert!(list.contains("tcp:5001") && list.contains("tcp:5002"), "{list:?}");
        // Names of others are text, and no order to the terminal.
        assert!(!list.contains("\u{1b}[31m") && list.contains("evil"), "{list:?}");
        terminal.key(b"2\r");
        let plan = terminal.until("Go ahead? [y/N] ");
        assert!(plan.contains("tcp:5002") && !plan.contains("5001"), "{plan:?}");
        terminal.key(b"y\r");
        terminal.until("left: 5001 code: 0");
    }
}

#[test]
fn a_text_shows_fewer_and_several_are_chosen_at_once() {
    if !is_root() {
        return;
    }
    let mut terminal = in_a_terminal("kill");
    terminal.until("Enter for none: ");
    terminal.key(b"5002\r");
    let list = terminal.until("Enter for none: ");
    assert!(!list.contains("tcp:5001") && list.contains("tcp:5002"), "{list:?}");
    terminal.key(b"nobody has this\r");
    terminal.until("nothing here has `nobody has this` in it");
    terminal.until("Enter for none: ");
    terminal.key(b"1-2\r");
    let plan = terminal.until("Go ahead? [y/N] ");
    assert!(plan.contains("tcp:5001") && plan.contains("tcp:5002"), "{plan:?}");
    terminal.key(b"y\r");
    terminal.until("left: code: 0");
}

#[test]
fn nothing_is_done_where_nothing_is_chosen_or_the_plan_is_declined() {
    if !is_root() {
        return;
    }
    // Ctrl-C, Ctrl-D and Enter.
    for key in [&b"\x03"[..], b"\x04", b"\r"] {
        let mut terminal = in_a_terminal("kill");
        terminal.until("Enter for none: ");
        terminal.key(key);
        terminal.until("nothing was chosen");
        terminal.until("left: 5001 5002 code: 4");
    }
    let mut terminal = in_a_terminal("kill");
    terminal.until("Enter for none: ");
    terminal.key(b"1\r");
    terminal.until("Go ahead? [y/N] ");
    terminal.key(b"n\r");
    terminal.until("left: 5001 5002 code: 4");
}

#[test]
fn the_list_keeps_to_the_filters() {
    if !is_root() {
        return;
    }
    let mut terminal = in_a_terminal("free --in /proc");
    terminal.until("no such process of yours has a port");
    terminal.until("left: 5001 5002 code: 1");
}

#[test]
fn with_a_yes_or_for_a_program_a_target_is_needed_on_a_terminal_too() {
    if !is_root() {
        return;
    }
    let mut terminal = in_a_terminal("kill --yes");
    terminal.until("`proc kill` needs a target; for example `proc kill :3000`");
    terminal.until("left: 5001 5002 code: 2");
}

#[test]
fn without_a_terminal_a_target_is_needed() {
    for verb in ["kill", "stop", "free", "freeze", "thaw", "unstick", "reload"] {
        let ran = run(verb);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran:?}");
        let sentence = format!("`proc {verb}` needs a target; for example `proc {verb} :3000`");
        assert!(ran.err.contains(&sentence), "{ran:?}");
    }
    let ran = run("kill -yj --by node");
    assert_eq!(ran.code, 2, "{ran:?}");
    let error = ran.report().error.unwrap();
    assert_eq!(error.suggestion.as_deref(), Some("proc kill node"));
    let ran = run("stop -y --in /");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("as a filter only leaves fewer"), "{ran:?}");
}
